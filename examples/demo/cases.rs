//! The faults, and what is right for each.

use std::time::Duration;

use liveness::{Config, Evidence, Reason, Suspicion, Timestamp};

use crate::clients::{self, Act};
use crate::faults;

/// How long silence lasts before a ping, in both rules.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer may take, in both rules.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than `INTERVAL`, so that pings are needed; shorter than `TIMEOUT`, so that talk is a sign of life.
pub(crate) const CHAT: Duration = Duration::from_millis(1200);
/// How late a driver may be in its polls where the machine's scheduler is busy: [`Config::detection_bound`] counts it
/// thrice.
pub(crate) const LATENESS: Duration = Duration::from_millis(80);

/// Until then all behave, except those whose fault is there from the start.
pub(crate) const FAULTS: Timestamp = Timestamp::from_secs(3);
/// The server is stopped.
pub(crate) const STALL: Timestamp = Timestamp::from_secs(4);
/// For how long: three timeouts.
pub(crate) const STALL_LASTS: Duration = Duration::from_secs(6);
/// The moment of judgement: long enough after the stall for a verdict that was only put off to fall.
pub(crate) const END: Timestamp = Timestamp::from_secs(16);
/// When the clients leave.
pub(crate) const LEAVE: Timestamp = Timestamp::from_millis(16_300);

/// The server's settings. `close_timeout` and suspicion but shorten the demo and colour it; the verdicts hang on the
/// first two.
pub(crate) fn config(evidence: Evidence) -> Config {
    const SETTINGS: Config = Config::builder()
        .interval(INTERVAL)
        .timeout(TIMEOUT)
        .close_timeout(Duration::from_secs(1))
        .suspicion(Suspicion::After(Duration::from_secs(1)))
        .build_const();
    // One evidence is as valid as the other.
    SETTINGS.to_builder().evidence(evidence).build().unwrap_or(SETTINGS).for_drivers()
}

/// What the server should think of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right {
    /// Online at the end, and never given up before.
    Online,
    /// Given up by a clock: not within `TIMEOUT` of the last sign of life, and within the detection bound.
    Timeout(Reason),
    /// Given up for what it did, within an `INTERVAL`: no clock needs to run for that.
    Deed(Reason),
}

/// Where a case takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The servers in this process, and what counts as a sign of life there.
    Here(Evidence),
    /// The server that is stopped.
    Stalled,
}

/// A fault, and what is right.
#[derive(Debug)]
pub(crate) struct Case {
    /// In at most 27 letters.
    pub(crate) fault: &'static str,
    /// What the client does.
    pub(crate) act: Act,
    /// Where.
    pub(crate) place: Place,
    /// How many clients do it.
    pub(crate) crowd: usize,
    /// What the server should think.
    pub(crate) right: Right,
}

const fn case(fault: &'static str, act: Act, right: Right) -> Case {
    Case { fault, act, place: Place::Here(Evidence::AnyTraffic), crowd: 1, right }
}

/// A case in which nothing but the answer to a ping counts.
const fn strict(fault: &'static str, act: Act, right: Right) -> Case {
    Case { place: Place::Here(Evidence::PongOnly), ..case(fault, act, right) }
}

/// All of them.
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
