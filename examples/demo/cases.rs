//! The faults, and the right outcome of each.

use std::time::Duration;

use liveness::{Config, Evidence, Reason, Suspicion, Timestamp};

use crate::clients::{self, Act};
use crate::faults;

/// How long silence lasts before a ping, in both rules.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer may take, in both rules.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than `INTERVAL`, so that pings are needed. Shorter than `TIMEOUT`, so that talk is a sign of life in time.
pub(crate) const CHAT: Duration = Duration::from_millis(1200);
/// How late a driver may be in its polls on a busy machine. [`Config::detection_bound`] counts it three times.
pub(crate) const LATENESS: Duration = Duration::from_millis(80);

/// Until this moment all clients behave well, except those whose fault is there from the start.
pub(crate) const FAULTS: Timestamp = Timestamp::from_secs(3);
/// The server is stopped at this moment,
pub(crate) const STALL: Timestamp = Timestamp::from_secs(4);
/// for this long: three timeouts.
pub(crate) const STALL_LASTS: Duration = Duration::from_secs(6);
/// The moment of judgement. It is so long after the stall that a verdict which was only delayed has come.
pub(crate) const END: Timestamp = Timestamp::from_secs(16);
/// When the clients leave.
pub(crate) const LEAVE: Timestamp = Timestamp::from_millis(16_300);

/// The server's settings. `close_timeout` only makes the demo shorter, and `suspicion` only changes colours. The verdicts
/// depend on the first two.
pub(crate) fn config(evidence: Evidence) -> Config {
    const SETTINGS: Config = Config::builder()
        .interval(INTERVAL)
        .timeout(TIMEOUT)
        .close_timeout(Duration::from_secs(1))
        .suspicion(Suspicion::After(Duration::from_secs(1)))
        .build_const();
    // Either kind of evidence is valid.
    SETTINGS.to_builder().evidence(evidence).build().unwrap_or(SETTINGS).for_drivers()
}

/// What is right for a client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right {
    /// Online at the end, and never given up before.
    Online,
    /// Given up by a clock: after `TIMEOUT` since the last sign of life, and within the detection bound.
    Timeout(Reason),
    /// Given up because of what it did, within an `INTERVAL`. No clock must run out for that.
    Deed(Reason),
}

/// Where a case takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The servers in this process, with this evidence.
    Here(Evidence),
    /// The server that is stopped.
    Stalled,
}

/// A fault, and the right outcome.
#[derive(Debug)]
pub(crate) struct Case {
    /// Its name, in at most 27 letters.
    pub(crate) fault: &'static str,
    /// What the client does.
    pub(crate) act: Act,
    /// On which server.
    pub(crate) place: Place,
    /// How many clients do it.
    pub(crate) crowd: usize,
    /// The right outcome.
    pub(crate) right: Right,
}

const fn case(fault: &'static str, act: Act, right: Right) -> Case {
    Case { fault, act, place: Place::Here(Evidence::AnyTraffic), crowd: 1, right }
}

/// A case in which only the answer to a ping counts.
const fn strict(fault: &'static str, act: Act, right: Right) -> Case {
    Case { place: Place::Here(Evidence::PongOnly), ..case(fault, act, right) }
}

/// All cases.
pub(crate) static CASES: [Case; 14] = [
    case("live, idle", clients::idle, Right::Online),
    case("frozen", faults::freeze, Right::Timeout(Reason::PingTimeout)),
    case("half-open", faults::half_open, Right::Timeout(Reason::PingTimeout)),
    case("one frame dribbles for 10 s", faults::dribble, Right::Online),
    case("reads a download slowly", clients::read_slowly, Right::Online),
    case("never reads its download", faults::never_read, Right::Timeout(Reason::WriteStalled)),
    case("answers at 0.9 of timeout", clients::answer_late, Right::Online),
    case("chats, never pongs", faults::never_pong, Right::Online),
    strict("same, but only pongs count", faults::never_pong, Right::Timeout(Reason::PingTimeout)),
    strict("forges pongs, same setting", faults::forge_pongs, Right::Timeout(Reason::PingTimeout)),
    case("floods pings", faults::flood_pings, Right::Deed(Reason::PingFlood)),
    case("resets", faults::reset, Right::Deed(Reason::TransportClosed)),
    case("closes properly", faults::close, Right::Deed(Reason::PeerClosed(Some(1000)))),
    Case {
        place: Place::Stalled,
        crowd: 8,
        ..case("server stalls 6 s, 8 live", clients::stay, Right::Online)
    },
];
