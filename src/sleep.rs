//! Detects that the process slept.

use core::time::Duration;

use crate::time::{Timestamp, nanos};

/// Detects that the machine was asleep, or that the process stood still. It compares two clocks, and reads neither.
///
/// A suspended machine runs no code, and sends no message. Afterwards its connections may have been dead for hours, and they
/// look as before. Two things show a sleep:
///
/// - *The clocks differ.* The wall clock runs on during a suspend. A monotonic clock that stands still meanwhile (`Instant`
///   on Linux and macOS) falls behind it.
/// - *The look is late.* If the monotonic clock runs on during a suspend (Windows; Linux's `CLOCK_BOOTTIME`), or if only the
///   process stood still, a look that was due after a few seconds comes minutes late.
///
/// Call [`observe`](Self::observe) in each turn of a loop, and no later than [`poll_timeout`](Self::poll_timeout). After a
/// sleep, [`probe`](crate::Liveness::probe) each connection, with a short [`probe_timeout`](crate::Config::probe_timeout),
/// and tell [`Reconnect`](crate::Reconnect::network_changed) that the network changed. If a connection is lost then, only
/// this client lost it ([`OnClose::AT_ONCE`](crate::reconnect::OnClose::AT_ONCE)). A false alarm costs a ping.
///
/// # How a program learns that its network changed
///
/// The system tells it: a browser's `online` and `offline` events and `navigator.connection`; on Linux a netlink socket of
/// the group `RTMGRP_IPV4_ROUTE`, or NetworkManager's `StateChanged` on D-Bus; `NWPathMonitor` on Apple's systems;
/// `NotifyIpInterfaceChange` on Windows; `ConnectivityManager.NetworkCallback` on Android. Without any of these, a sleep is
/// the best hint: a laptop that wakes is often in another place.
///
/// # What is promised
///
/// There is no alarm while looks come in time and the wall clock steps by no more than the tolerance between two of them,
/// forward or back, however often. A step back of any size causes no alarm, and hides no later sleep. The first look after a
/// sleep that is longer than the tolerance detects it, once, unless the wall clock stepped back during the sleep. A step
/// forward of more than the tolerance, by a person or a time server, looks like a sleep.
///
/// ```
/// use core::time::Duration;
/// use liveness::{SleepDetector, Timestamp};
///
/// let at = Timestamp::from_secs;
/// let mut sleep = SleepDetector::DEFAULT;
/// assert_eq!(sleep.observe(at(10), at(1_800_000_000)), None);
/// assert_eq!(sleep.observe(at(12), at(1_800_000_002)), None);
/// // An hour later by the wall clock, two seconds later by the monotonic one.
/// assert_eq!(sleep.observe(at(14), at(1_800_003_604)), Some(Duration::from_secs(3_600)));
/// assert_eq!(sleep.observe(at(16), at(1_800_003_606)), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SleepDetector {
    every: u64,
    tolerance: u64,
    /// Both clocks at the latest look.
    seen: Option<(Timestamp, Timestamp)>,
}

/// 2 s: a process that stood still notices it after this time.
const EVERY: Duration = Duration::from_secs(2);
/// 2 s: more than the delay of a busy machine or the step of a time server, and less than a person waits.
const TOLERANCE: Duration = Duration::from_secs(2);

impl SleepDetector {
    /// A look every 2 s, and a tolerance of 2 s.
    pub const DEFAULT: Self = Self::new(EVERY, TOLERANCE);

    /// A detector with at most `every` between two looks, and this tolerance. `every` of `Duration::MAX`: look at any time;
    /// then only the difference of the clocks shows a sleep. A late look, or a difference, of up to `tolerance` is no sleep;
    /// zero: a nanosecond is one.
    #[must_use]
    pub const fn new(every: Duration, tolerance: Duration) -> Self {
        Self { every: nanos(every), tolerance: nanos(tolerance), seen: None }
    }

    /// Takes both clocks. Returns for how long the process slept since the last look, if it did.
    ///
    /// `monotonic` is the time that you pass to the machines. `wall` is the wall clock: `SystemTime` since 1970, or a page's
    /// `Date.now()`. Read one right after the other. With `std`, use `Clock::now` and `Clock::wall`.
    #[must_use = "probe the connections after a sleep, otherwise dead ones look alive for minutes"]
    pub fn observe(&mut self, monotonic: Timestamp, wall: Timestamp) -> Option<Duration> {
        let (before, wall_before) = self.seen.unwrap_or((monotonic, wall));
        // Monotonic time never runs backwards; the wall clock may.
        let monotonic = monotonic.max(before);
        self.seen = Some((monotonic, wall));
        let passed = monotonic.since(before);
        let parted = self.beyond(wall.since(wall_before).saturating_sub(passed));
        let late = self.beyond(passed.saturating_sub(self.every));
        let slept = parted.saturating_add(late);
        (slept > 0).then_some(Duration::from_nanos(slept))
    }

    /// When to look next, by the monotonic clock. `None`: at any time, or there was no look yet.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.seen.and_then(|(monotonic, _)| monotonic.after(self.every).or_never())
    }

    /// `nanos` beyond the tolerance; zero up to it.
    const fn beyond(&self, nanos: u64) -> u64 {
        if nanos > self.tolerance { nanos } else { 0 }
    }
}

impl Default for SleepDetector {
    fn default() -> Self {
        Self::DEFAULT
    }
}
