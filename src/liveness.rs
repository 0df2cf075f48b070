//! The machine's public methods. Its decisions are in `state`.

use core::fmt;
use core::time::Duration;

use crate::config::{Config, Evidence};
use crate::event::{Action, CloseCode, Event, Reason, Status};
use crate::payload::Payload;
use crate::rtt::Rtt;
use crate::state::{Heard, Ping, State};
use crate::time::Timestamp;

/// Decides whether one peer is still alive.
///
/// Methods come in four kinds:
///
/// - *inputs*, when something happened: [`handle`](Self::handle);
/// - *outputs*: [`poll`](Self::poll) until it returns `None`, then not before [`poll_timeout`](Self::poll_timeout);
/// - *commands*: [`probe`](Self::probe), [`close`](Self::close) and [`reconfigure`](Self::reconfigure);
/// - *questions*, which change nothing: [`status`](Self::status), [`rtt`](Self::rtt), [`report`](Self::report) and others.
///
/// In a loop: read the clock, report everything that can be read, poll until `None`, carry out the actions, and wait for
/// input or until `poll_timeout`, whichever comes first. Read before you poll: a pong in the kernel has not been reported
/// yet. Do not use the time that a timer was set for in place of the clock: a timer may fire late.
///
/// Nothing panics, on any input. A timestamp earlier than the latest counts as the latest. It takes 128 bytes beside its config.
///
/// ```
/// use core::time::Duration;
/// use liveness::{Action, Config, Event, Liveness, Reason, Timestamp};
///
/// let config = Config::builder()
///     .interval(Duration::from_secs(5))
///     .timeout(Duration::from_secs(10))
///     .jitter(0)
///     .build()?;
/// let mut peer = Liveness::new(config, 0, Timestamp::ZERO);
/// assert_eq!(peer.poll(Timestamp::ZERO), Some(Action::MarkOnline));
///
/// // After five silent seconds: a ping. The peer answers it.
/// let now = Timestamp::from_secs(5);
/// let Some(Action::SendPing(payload)) = peer.poll(now) else { panic!("no ping") };
/// peer.handle(Event::Pong(payload.as_bytes()), now + Duration::from_millis(40));
/// assert_eq!(peer.rtt().map(|rtt| rtt.latest), Some(Duration::from_millis(40)));
///
/// // It does not answer the next one. The deadline only notes the verdict; the last look gives it.
/// let mut now = Timestamp::from_secs(10);
/// assert!(matches!(peer.poll(now), Some(Action::SendPing(_))));
/// now += config.timeout();
/// assert_eq!(peer.poll(now), None);
/// now += config.last_look();
/// assert_eq!(peer.poll(now), Some(Action::MarkOffline(Reason::PingTimeout)));
/// assert_eq!(
///     peer.report(now).to_string(),
///     "no answer to ping 2, handed out 10.0 s ago; last heard 14.9 s ago (pong); 1 answered, srtt 40 ms",
/// );
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liveness {
    config: Config,
    state: State,
}

impl Liveness {
    /// A machine for a connection that has just opened. Each connection needs its own machine.
    ///
    /// `seed` is the key of the payloads and determines the jitter. Give each connection a different seed, from any source
    /// of random numbers. With a fixed seed the machine always does the same.
    #[must_use]
    pub const fn new(config: Config, seed: u64, now: Timestamp) -> Self {
        Self { config, state: State::new(seed, now) }
    }

    /// Reports an event. Poll afterwards, because an action may be due.
    #[inline]
    pub fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        self.state.handle(&self.config, event, now);
    }

    /// The next action. Call until `None`. At most four actions come at one moment.
    ///
    /// A poll before [`poll_timeout`](Self::poll_timeout) returns `None` and changes nothing.
    #[inline]
    #[must_use = "a dropped action is a ping never sent or a death never reported"]
    pub fn poll(&mut self, now: Timestamp) -> Option<Action> {
        self.state.poll(&self.config, now)
    }

    /// When to poll next, if no event comes before; `None`: not before the next event.
    ///
    /// It is later than `now` after `poll(now)` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.state.next_due(&self.config).or_never()
    }

    /// When to wake, for a driver with a timer for each connection. This is [`poll_timeout`](Self::poll_timeout), except for
    /// a ping of the schedule: that may be later by a 256th of the interval, and by at most 50 ms.
    ///
    /// Such wake-ups lie on a grid. If connections share the origin of their timestamps, many of them wake together, and a
    /// crowd costs one wake-up for each grid line instead of one for each connection. Deadlines that may end in a verdict
    /// are exact.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.state.next_wake(&self.config).or_never()
    }

    /// Whether a poll at `now` would note or give a verdict that unread input could refute. If so, read first.
    #[must_use]
    pub fn would_judge(&self, now: Timestamp) -> bool {
        self.state.would_judge(&self.config, now)
    }

    /// `now` is before [`poll_timeout`](Self::poll_timeout) as of the latest poll. Since then neither it nor
    /// [`wake_at`](Self::wake_at) has become earlier.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(crate) fn rests_at(&self, now: Timestamp) -> bool {
        self.state.rests_at(now)
    }

    /// `Event::Data` at `now` would change nothing.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_unmoved_by_data(&self, now: Timestamp) -> bool {
        self.state.is_unmoved_by_data(&self.config, now)
    }

    /// [`Action::Disconnect`] was handed out. No more actions will come.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.state.is_finished()
    }

    /// Makes a ping due now: the network changed, the laptop woke, a user is waiting. Within a second of the latest ping it
    /// is due at the end of that second, so a caller may probe at every keystroke.
    ///
    /// Its answer may take up to [`probe_timeout`](Config::probe_timeout).
    pub fn probe(&mut self, now: Timestamp) {
        self.state.probe(now);
    }

    /// Ends the connection with [`Reason::LocalClosed`] and a Close frame with `code`. Does nothing after a verdict.
    pub fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.state.close(code, now);
    }

    /// Replaces the settings, for example because the server's hello announced an interval.
    ///
    /// The connection goes on. The new durations count from the same moments as the old ones, so something may be due at
    /// once. A noted verdict is forgotten, and noted again if it is still due.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::{Action, Config, Liveness, Timestamp};
    ///
    /// let mut peer = Liveness::new(Config::builder().jitter(0).build()?, 7, Timestamp::ZERO);
    /// assert_eq!(peer.poll(Timestamp::ZERO), Some(Action::MarkOnline));
    /// assert_eq!(peer.poll_timeout(), Some(Timestamp::from_secs(20)));
    ///
    /// let faster = peer.config().to_builder().interval(Duration::from_secs(5)).build()?;
    /// peer.reconfigure(faster, Timestamp::from_secs(3));
    /// assert_eq!(peer.poll_timeout(), Some(Timestamp::from_secs(5)));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn reconfigure(&mut self, config: Config, now: Timestamp) {
        self.state.reconfigure(&self.config, &config, now);
        self.config = config;
    }

    /// The oldest unanswered ping; `None` if all are answered, and after the verdict. Use it for a peer whose answers name
    /// no ping: report such an answer as [`Event::Pong`] with this payload.
    #[must_use]
    pub fn awaited(&self) -> Option<Payload> {
        self.state.awaited()
    }

    /// The latest moment that a caller passed.
    #[cfg(feature = "tungstenite")]
    pub(crate) const fn latest(&self) -> Timestamp {
        self.state.latest()
    }

    /// Whether the peer is online, suspect or offline.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.state.status()
    }

    /// Why the peer is offline; `None` while it is not.
    #[must_use]
    pub const fn verdict(&self) -> Option<Reason> {
        self.state.verdict()
    }

    /// The round-trip time of answered pings; `None` before the first sample. An answer to an older ping is not a sample,
    /// and neither is an answer that was read after a pause.
    #[must_use]
    pub const fn rtt(&self) -> Option<Rtt> {
        self.state.rtt.get()
    }

    /// Counts for an operator's graphs.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        Stats {
            pings: self.state.sent,
            answers: self.state.answers,
            stalls_forgiven: self.state.stalls,
            suspicions_survived: self.state.suspicions_survived,
        }
    }

    /// The reasons for the machine's status, for a log line.
    #[must_use]
    pub const fn report(&self, now: Timestamp) -> Report {
        Report { state: self.state, evidence: self.config.evidence, now }
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn from_parts(config: Config, state: State) -> Self {
        Self { config, state }
    }

    #[cfg(feature = "transcript")]
    pub(crate) const fn state(&self) -> &State {
        &self.state
    }
}

/// Counts for an operator's graphs. A count stops at its largest value and never wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Pings handed out.
    pub pings: u32,
    /// Pongs that answered.
    pub answers: u32,
    /// Deadlines that the driver saw so late that the driver was at fault, not the peer (rule 6).
    pub stalls_forgiven: u16,
    /// Suspicions that evidence refuted.
    pub suspicions_survived: u16,
}

/// One line that says why: see [`Liveness::report`].
#[derive(Clone, Copy, Debug)]
pub struct Report {
    state: State,
    evidence: Evidence,
    now: Timestamp,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        match state.verdict() {
            Some(Reason::PingTimeout) => self.unanswered(f)?,
            Some(Reason::WriteStalled) => self.unwritten(f)?,
            Some(Reason::PeerClosed(Some(code))) => write!(f, "closed by the peer with code {code}")?,
            Some(reason) => f.write_str(reason.description())?,
            None => match state.ping() {
                Ping::Answering | Ping::AnsweringAndWriting => self.unanswered(f)?,
                Ping::Writing | Ping::WritingAnswered => self.unwritten(f)?,
                Ping::Idle => f.write_str("no ping outstanding")?,
            },
        }
        if state.is_paused() {
            f.write_str("; not reading")?;
        }
        let heard = match state.heard() {
            Heard::Nothing => None,
            Heard::Data => Some("data"),
            Heard::Progress => Some("part of a message"),
            Heard::Ping => Some("ping"),
            Heard::Pong => Some("pong"),
        };
        let ago = self.ago(state.heard_at);
        match (self.evidence, heard) {
            (Evidence::AnyTraffic, Some(kind)) => write!(f, "; last heard {ago} ago ({kind})")?,
            (Evidence::AnyTraffic, None) => write!(f, "; nothing heard since the start, {ago} ago")?,
            // With `PongOnly` the machine keeps only the time of the latest answer.
            (Evidence::PongOnly, Some(_)) => write!(f, "; last answer {ago} ago")?,
            (Evidence::PongOnly, None) => write!(f, "; no answer since the start, {ago} ago")?,
        }
        write!(f, "; {} answered", state.answers)?;
        match state.rtt.get() {
            Some(rtt) => write!(f, ", srtt {}", Rounded(rtt.smoothed)),
            None => Ok(()),
        }
    }
}

impl Report {
    fn unanswered(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        let (since, among_others) = state.wait();
        if among_others {
            write!(f, "no answer for {} to pings up to {}", self.ago(since), state.sent)
        } else {
            write!(f, "no answer to ping {}, handed out {} ago", state.sent, self.ago(state.pinged_at))
        }
    }

    fn unwritten(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        write!(f, "ping {} not written yet, handed out {} ago", state.sent, self.ago(state.pinged_at))
    }

    fn ago(&self, then: Timestamp) -> Rounded {
        Rounded(self.now.saturating_duration_since(then))
    }
}

/// A duration for people, rounded down to tenths of seconds; below one second, to milliseconds or microseconds.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs(), self.0.subsec_micros()) {
            (0, micros @ 0..1_000) => write!(f, "{micros} us"),
            (0, micros) => write!(f, "{} ms", micros / 1_000),
            (seconds, micros) => write!(f, "{seconds}.{} s", micros / 100_000),
        }
    }
}
