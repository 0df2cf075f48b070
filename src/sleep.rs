//! Finds out that the process slept.

use core::time::Duration;

use crate::time::{Timestamp, nanos};

/// Finds out that the machine was asleep, or that the process stood still: from two clocks, without reading either.
///
/// A suspended machine runs nothing, and tells nobody. Afterwards its connections may be dead for hours, and nothing about them
/// looks other than before. Two things give a sleep away:
///
/// - *The clocks part.* The wall clock runs on in a suspend. A monotonic clock that stands still meanwhile (Linux's and macOS's
///   `Instant`) falls behind it.
/// - *The look is late.* Where the monotonic clock runs on in a suspend too (Windows; Linux's `CLOCK_BOOTTIME`), or where only the
///   process stood still, a look that was due each few seconds comes minutes late.
///
/// [`observe`](Self::observe) at each turn of a loop, and no later than [`poll_timeout`](Self::poll_timeout) says. After a sleep:
/// [`probe`](crate::Liveness::probe) each connection, with a short [`probe_timeout`](crate::Config::probe_timeout); tell
/// [`Reconnect`](crate::Reconnect::network_changed) that the network changed; and what is lost then was lost alone
/// ([`OnClose::AT_ONCE`](crate::reconnect::OnClose::AT_ONCE)). A false alarm costs a ping.
///
/// # How a program learns that its network changed
///
/// That is the system's to say: a browser's `online` and `offline` events and `navigator.connection`; on Linux a netlink socket
/// of the group `RTMGRP_IPV4_ROUTE`, or NetworkManager's `StateChanged` on D-Bus; `NWPathMonitor` on Apple's systems;
/// `NotifyIpInterfaceChange` on Windows; `ConnectivityManager.NetworkCallback` on Android. Where none is at hand, a sleep is the
/// best hint there is: a laptop that wakes is often elsewhere.
///
/// # What is promised
///
/// No alarm while looks come in time and the wall clock steps by no more than the tolerance between two of them, forward or
/// back, however often. A step back of any size gives no alarm, and hides no later sleep. A sleep that is longer than
/// the tolerance is found at the first look after it, once, unless the wall clock stepped back in it. A step forward of
/// more than the tolerance, by a person or a time server, looks like a sleep.
///
/// ```
/// use core::time::Duration;
/// use liveness::{SleepDetector, Timestamp};
///
/// let at = Timestamp::from_secs;
/// let mut sleep = SleepDetector::DEFAULT;
/// assert_eq!(sleep.observe(at(10), at(1_800_000_000)), None);
/// assert_eq!(sleep.observe(at(12), at(1_800_000_002)), None);
/// // An hour later by the wall clock, two seconds by the monotonic one.
/// assert_eq!(sleep.observe(at(14), at(1_800_003_604)), Some(Duration::from_secs(3_600)));
/// assert_eq!(sleep.observe(at(16), at(1_800_003_606)), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SleepDetector {
    every: u64,
    tolerance: u64,
    /// What both clocks said at the latest look.
    seen: Option<(Timestamp, Timestamp)>,
}

/// 2 s: so soon a process that stood still is asked to look.
const EVERY: Duration = Duration::from_secs(2);
/// 2 s: more than a busy machine or a time server's step makes of a look, and less than a person waits.
const TOLERANCE: Duration = Duration::from_secs(2);

impl SleepDetector {
    /// A look each 2 s, and 2 s of tolerance.
    pub const DEFAULT: Self = Self::new(EVERY, TOLERANCE);

    /// Looks come `every` so often at the latest; `Duration::MAX`: whenever it suits, and only clocks that part give a sleep
    /// away. Up to `tolerance`, a late look or clocks that part are no sleep; zero: a nanosecond is one.
    #[must_use]
    pub const fn new(every: Duration, tolerance: Duration) -> Self {
        Self { every: nanos(every), tolerance: nanos(tolerance), seen: None }
    }

    /// Looks at both clocks: for how long the process slept since the last look, if it did.
    ///
    /// `monotonic` is the time that the machines are told; `wall` is that of a calendar, `SystemTime` since 1970 or a
    /// page's `Date.now()`. Read one right after the other. With `std`, `Clock::now` and `Clock::wall` are the two.
    #[must_use = "what a sleep has killed is asked for now, or looks alive for minutes"]
    pub fn observe(&mut self, monotonic: Timestamp, wall: Timestamp) -> Option<Duration> {
        let (before, wall_before) = self.seen.unwrap_or((monotonic, wall));
        // Time never runs backwards; a calendar does.
        let monotonic = monotonic.max(before);
        self.seen = Some((monotonic, wall));
        let passed = monotonic.since(before);
        let parted = self.beyond(wall.since(wall_before).saturating_sub(passed));
        let late = self.beyond(passed.saturating_sub(self.every));
        let slept = parted.saturating_add(late);
        (slept > 0).then_some(Duration::from_nanos(slept))
    }

    /// When to look next, by the monotonic clock; `None`: whenever it suits, or it was never looked at.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.seen.and_then(|(monotonic, _)| monotonic.after(self.every).or_never())
    }

    /// Nothing, up to the tolerance.
    const fn beyond(&self, nanos: u64) -> u64 {
        if nanos > self.tolerance { nanos } else { 0 }
    }
}

impl Default for SleepDetector {
    fn default() -> Self {
        Self::DEFAULT
    }
}
