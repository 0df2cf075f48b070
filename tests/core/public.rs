//! What people rely on although no page says it: sizes, auto traits, layouts.

use std::collections::BTreeSet;
use std::time::Duration;

use liveness::{Action, CloseCode, Config, Event, Liveness, Payload, Reason, Rtt, Stats, Status, Timestamp};
use static_assertions::{assert_eq_size, assert_impl_all, assert_not_impl_any, const_assert};

// The law `small` says how large a machine is beside its config.
const_assert!(size_of::<Config>() <= 128);
assert_eq_size!(Timestamp, u64);
assert_eq_size!(Payload, [u8; 8]);
assert_eq_size!(CloseCode, Option<CloseCode>, u16);
const_assert!(size_of::<Action>() <= 16);

assert_impl_all!(Liveness: Send, Sync, Unpin, Clone);
// An accidental copy would give two opinions about one peer.
assert_not_impl_any!(Liveness: Copy);
assert_impl_all!(Config: Send, Sync, Unpin, Copy);
assert_impl_all!(Timestamp: Send, Sync, Unpin, Copy, Ord);
assert_impl_all!(Event<'static>: Send, Sync, Unpin, Copy);
assert_impl_all!(Action: Send, Sync, Unpin, Copy);
assert_impl_all!(Reason: Send, Sync, Unpin, Copy);
assert_impl_all!(Status: Send, Sync, Unpin, Copy);
assert_impl_all!(Rtt: Send, Sync, Unpin, Copy);
assert_impl_all!(Stats: Send, Sync, Unpin, Copy, Default);
assert_impl_all!(liveness::Fleet: Send, Sync, Unpin);
assert_not_impl_any!(liveness::Fleet: Clone);
assert_impl_all!(liveness::Presence<u32>: Send, Sync, Unpin, Clone, Default, Eq);
assert_impl_all!(liveness::presence::PresenceChange<u32>: Send, Sync, Unpin, Copy, Eq, std::hash::Hash);
// A room may stand in a `static`.
const _: liveness::Presence<u32, liveness::Key> = liveness::Presence::with_linger(Duration::from_secs(2));
// It must fit into the user data of epoll.
assert_eq_size!(liveness::Key, u64);
assert_impl_all!(liveness::Key: Send, Sync, Copy, Ord, std::hash::Hash);
assert_impl_all!(liveness::StaleKey: std::error::Error, Send, Sync);
assert_impl_all!(liveness::FleetError: std::error::Error, Send, Sync);
assert_impl_all!(liveness::Lease<String>: Send, Sync, Unpin, Clone);
assert_eq_size!(liveness::lease::Token, u64);
assert_impl_all!(liveness::lease::Token: Send, Sync, Unpin, Copy, Ord, Default, std::hash::Hash);
assert_impl_all!(liveness::lease::Tenure: Send, Sync, Unpin, Clone, Eq);
assert_impl_all!(liveness::lease::LeaseChange<String>: Send, Sync, Unpin, Clone, Eq);
// It can be copied, whatever names the users have.
assert_impl_all!(liveness::lease::Holder<'static, String>: Send, Sync, Unpin, Copy, Eq);
assert_impl_all!(liveness::lease::Loss: Send, Sync, Unpin, Copy, Eq);
assert_impl_all!(liveness::lease::Refusal<String>: std::error::Error, Send, Sync);
assert_impl_all!(liveness::ConfigError: std::error::Error, Send, Sync);
assert_impl_all!(liveness::CloseCodeError: std::error::Error, Send, Sync);
assert_impl_all!(liveness::ParseConfigError: std::error::Error, Send, Sync, Clone, Eq);
assert_impl_all!(liveness::ParseDurationError: std::error::Error, Send, Sync, Clone, Eq);
assert_impl_all!(liveness::ConfigWarning: Send, Sync, Unpin, Copy, Eq, std::hash::Hash);
assert_impl_all!(liveness::transcript::ParseError: std::error::Error, Send, Sync);
assert_impl_all!(liveness::reconnect::Policy: Send, Sync, Unpin, Copy);
assert_impl_all!(liveness::reconnect::ReconnectAction: Send, Sync, Unpin, Copy);
assert_impl_all!(liveness::reconnect::Attempt: Send, Sync, Unpin, Copy, Ord, std::hash::Hash);
assert_impl_all!(liveness::reconnect::DialStatus: Send, Sync, Unpin, Copy);
assert_impl_all!(liveness::Reconnect<std::array::IntoIter<Duration, 3>>: Send, Sync, Unpin);
// The crate's own backoff needs no type argument.
assert_impl_all!(liveness::Reconnect: Send, Sync, Unpin, Clone);
assert_impl_all!(liveness::reconnect::Backoff: Send, Sync, Unpin, Copy, Eq, Default);
// An accidental copy would dial twice.
assert_not_impl_any!(liveness::Reconnect<std::iter::Empty<Duration>>: Copy);

assert_impl_all!(liveness::dialect::OutBuffer: Send, Sync, Unpin, Clone, Default);
assert_impl_all!(liveness::dialect::Exact: Send, Sync, Unpin, Copy, Eq, std::hash::Hash);
assert_impl_all!(liveness::dialect::Json: Send, Sync, Unpin, Copy, Eq, std::hash::Hash);
assert_impl_all!(liveness::dialect::JsonValue<'static>: Send, Sync, Unpin, Copy, Eq);
assert_impl_all!(liveness::dialect::Message<'static>: Send, Sync, Unpin, Copy, Eq, std::hash::Hash);
assert_impl_all!(liveness::dialect::Heard: Send, Sync, Unpin, Copy, Eq, std::hash::Hash);
// A connection stores any kind of dialect in one place, and may name it.
assert_impl_all!(Box<dyn liveness::dialect::Dialect + Send>: liveness::dialect::Dialect, Send);
assert_impl_all!(&mut dyn liveness::dialect::Dialect: liveness::dialect::Dialect);
static_assertions::assert_obj_safe!(liveness::dialect::Out);
// They can be made in a `const`.
const _: (liveness::dialect::Exact, Config) =
    (liveness::dialect::engine_io::server(), liveness::dialect::engine_io::SERVER_CONFIG);
const _: liveness::dialect::NumberedJson = liveness::dialect::Json::new("type", "ping", "pong").numbers("id");
const _: Config = liveness::dialect::discord::client_config(Duration::ZERO);

assert_impl_all!(Payload: Send, Sync, Unpin, Copy, std::hash::Hash);
assert_impl_all!(liveness::ConfigId: Send, Sync, Unpin, Copy);
assert_impl_all!(liveness::Clock: Send, Sync, Unpin, Copy);
assert_impl_all!(liveness::SleepDetector: Send, Sync, Unpin, Copy, Eq, Default);
assert_impl_all!(liveness::ConfigBuilder: Send, Sync, Unpin, Copy);
assert_impl_all!(liveness::transcript::Recorder<String>: Send, Sync, Unpin);
assert_impl_all!(liveness::transcript::Page: Send, Sync, Unpin, Clone, Default);
assert_impl_all!(liveness::Input<'static>: Send, Sync, Unpin, Copy);
assert_impl_all!(liveness::Observed: Send, Unpin);
// An accidental copy would report everything twice.
assert_not_impl_any!(liveness::Observed: Clone);
const _: Option<&dyn liveness::Observer> = None;
assert_impl_all!(liveness::sim::SimClock: Send, Unpin);

/// An enum that may grow has a last arm here, and one that must not has none. If such an enum could not grow, its last
/// arm would be unreachable. If it could, the match without one would not compile.
#[deny(unreachable_patterns)]
#[expect(dead_code, reason = "to compile is all that they have to do")]
mod growth {
    use liveness::lease::{LeaseChange, Loss, Refusal};
    use liveness::presence::PresenceChange;
    use liveness::reconnect::{GiveUpReason, OnClose, ReconnectAction};
    use liveness::sim::End;
    use liveness::{Action, Event, Evidence, FleetError, Input, Reason, Schedule, Status, Suspicion};

    const fn answers(
        reason: Reason,
        fleet: FleetError,
        give_up: GiveUpReason,
        loss: Loss,
        refusal: &Refusal<()>,
    ) {
        use Reason::*;
        match reason {
            PingTimeout | WriteStalled | Silent | Idle | PingFlood | PeerClosed(_) => {}
            TransportClosed | LocalClosed | ProtocolError(_) => {}
            _ => {}
        }
        match fleet {
            FleetError::Full | FleetError::TooManyConfigs => {}
            FleetError::UnknownConfig | FleetError::StaleKey => {}
            _ => {}
        }
        match give_up {
            GiveUpReason::Closed(_)
            | GiveUpReason::Attempts
            | GiveUpReason::Elapsed
            | GiveUpReason::Backoff
            | GiveUpReason::Refused
            | GiveUpReason::Stopped => {}
            _ => {}
        }
        match loss {
            Loss::Released | Loss::Offline | Loss::GraceExpired | Loss::Revoked => {}
            _ => {}
        }
        match refusal {
            Refusal::Frozen { .. } | Refusal::Lost { .. } | Refusal::Outdated { .. } => {}
            Refusal::WrongUser | Refusal::NeverGranted => {}
            _ => {}
        }
    }

    /// Enums and structs that callers match, and that only the crate builds.
    const fn told(input: Input<'_>) {
        match input {
            Input::Event(_) | Input::Probe | Input::Close(_) | Input::Reconfigure(_) => {}
            _ => {}
        }
    }

    /// Those that callers build, and that only the crate matches.
    const fn settings(
        event: Event<'_>,
        schedule: Schedule,
        evidence: Evidence,
        suspicion: Suspicion,
        on_close: OnClose,
    ) {
        match event {
            Event::Data | Event::Progress | Event::Ping | Event::Pong(_) | Event::Close(_) | Event::Eof => {}
            Event::Wrote | Event::PingSent | Event::ReadPaused | Event::ReadResumed | Event::Unread => {}
            Event::Violation(_) => {}
            _ => {}
        }
        match schedule {
            Schedule::Quiet | Schedule::Steady => {}
            _ => {}
        }
        match evidence {
            Evidence::AnyTraffic | Evidence::PongOnly => {}
            _ => {}
        }
        match suspicion {
            Suspicion::Never | Suspicion::After(_) | Suspicion::Adaptive { .. } => {}
            _ => {}
        }
        match on_close {
            OnClose::Redial { .. } | OnClose::Stop => {}
            _ => {}
        }
    }

    const fn must_not(
        action: Action,
        status: Status,
        dial: ReconnectAction,
        user: PresenceChange<()>,
        lease: &LeaseChange<()>,
        end: End,
    ) {
        match action {
            Action::MarkOnline | Action::SendPing(_) | Action::MarkSuspect | Action::MarkOffline(_) => {}
            Action::Close(_) | Action::Disconnect => {}
        }
        match status {
            Status::Online | Status::Suspect | Status::Offline => {}
        }
        match dial {
            ReconnectAction::Dial(_) | ReconnectAction::Abandon(_) => {}
            ReconnectAction::Retire(_) | ReconnectAction::GiveUp(_) => {}
        }
        match user {
            PresenceChange::Joined(()) | PresenceChange::Suspected(()) => {}
            PresenceChange::Recovered(()) | PresenceChange::Left(()) => {}
        }
        match lease {
            LeaseChange::Granted { .. } | LeaseChange::Frozen { .. } => {}
            LeaseChange::Thawed { .. } | LeaseChange::Lost { .. } | LeaseChange::Returned { .. } => {}
        }
        match end {
            End::Client | End::Server => {}
        }
    }
}

#[test]
fn close_codes_are_those_that_may_go_on_the_wire() {
    let allowed: Vec<u16> = (0..=u16::MAX).filter(|code| CloseCode::new(*code).is_some()).collect();
    assert_eq!((allowed.first(), allowed.last()), (Some(&1000), Some(&4999)));
    assert_eq!(allowed.len(), 4000 - 4);
    for never in [1004, 1005, 1006, 1015] {
        assert!(!allowed.contains(&never), "{never}");
    }
    for known in [
        (CloseCode::NORMAL, 1000),
        (CloseCode::GOING_AWAY, 1001),
        (CloseCode::PROTOCOL_ERROR, 1002),
        (CloseCode::UNSUPPORTED_DATA, 1003),
        (CloseCode::INVALID_PAYLOAD, 1007),
        (CloseCode::POLICY_VIOLATION, 1008),
        (CloseCode::TOO_BIG, 1009),
        (CloseCode::INTERNAL_ERROR, 1011),
        (CloseCode::SERVICE_RESTART, 1012),
        (CloseCode::TRY_AGAIN_LATER, 1013),
        (CloseCode::TIMEOUT, 3008),
    ] {
        assert_eq!(known, (CloseCode::new(known.1).unwrap(), u16::from(known.0)));
    }
}

#[test]
fn a_code_that_may_not_go_on_the_wire_is_an_error_that_says_why() {
    for code in 0..=u16::MAX {
        assert_eq!(CloseCode::try_from(code).ok(), CloseCode::new(code));
    }
    for (code, why) in [
        (0, "codes are 1000 to 4999"),
        (999, "codes are 1000 to 4999"),
        (1004, "it is reserved"),
        (1005, "a Close frame had no code"),
        (1006, "no Close frame came"),
        (1015, "the TLS handshake failed"),
        (5000, "codes are 1000 to 4999"),
    ] {
        let error = CloseCode::try_from(code).unwrap_err();
        assert_eq!(error.code(), code);
        let says = error.to_string();
        assert!(
            says.starts_with(&format!("{code} may not go on the wire: ")) && says.contains(why),
            "{says}"
        );
    }
}

#[test]
fn the_report_names_the_kind_of_the_latest_evidence() {
    for (event, kind) in [
        (Event::Data, "(data)"),
        (Event::Progress, "(part of a message)"),
        (Event::Ping, "(ping)"),
        (Event::Pong(b"nobody asked"), "(pong)"),
    ] {
        let mut machine = Liveness::new(Config::DEFAULT, 1, Timestamp::ZERO);
        // Whether or not it is awaited, the report is the same.
        for asked in [false, true] {
            if asked {
                machine.probe(Timestamp::from_secs(2));
                while machine.poll(Timestamp::from_secs(2)).is_some() {}
            }
            machine.handle(event, Timestamp::from_secs(2));
            let report = machine.report(Timestamp::from_secs(3)).to_string();
            assert!(report.contains(&format!("last heard 1.0 s ago {kind}")), "{event:?}: {report}");
        }
    }
}

#[test]
fn a_payload_reads_the_same_as_bytes_and_as_text() {
    let mut machine = Liveness::new(Config::DEFAULT, 1, Timestamp::ZERO);
    machine.probe(Timestamp::ZERO);
    assert_eq!(machine.poll(Timestamp::ZERO), Some(Action::MarkOnline));
    let Some(Action::SendPing(payload)) = machine.poll(Timestamp::ZERO) else { panic!("no ping") };
    let text: String = payload.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((payload.to_string(), format!("{payload:?}")), (text.clone(), format!("Payload({text})")));
}

#[test]
fn no_two_random_seeds_are_alike() {
    let seeds: BTreeSet<u64> = std::iter::repeat_with(liveness::random_seed).take(1000).collect();
    assert_eq!(seeds.len(), 1000);
}
