//! A fleet's entry behind a session is told what a machine of its own would be.

use std::time::Duration;

use liveness::dialect::{Exact, Message};
use liveness::session::{ErrorKind, Inbound, Outbound, Peer, Role, Session};
use liveness::{Action, CloseCode, Config, Fleet, Timestamp};

fn lives(session: &mut Session<u32>, peer: &mut impl Peer, step: u32, now: Timestamp) -> bool {
    match step % 8 {
        0 => session.received(Inbound::Data, peer, now),
        1 => session.received(Inbound::Ping(b"?"), peer, now),
        2 => {
            session.keep(step, 1);
            session.take(peer, now).is_some()
        }
        3 => {
            session.sent_bytes(3, peer, now);
            session.wants_write()
        }
        4 => {
            session.flushed(peer, now);
            session.wants_flush()
        }
        5 => {
            session.read_suspended(peer, now);
            session.is_paused()
        }
        6 => {
            session.read_blocked(peer, now);
            session.wants_read(now)
        }
        _ if step < 50 => session.received(Inbound::Pong(b"!"), peer, now),
        _ if step < 60 => session.failed(ErrorKind::Protocol(CloseCode::TOO_BIG), &"too big", peer, now),
        _ => {
            session.close(CloseCode::NORMAL, "", peer, now);
            peer.verdict().is_some()
        }
    }
}

#[test]
fn a_fleets_entry_is_a_peer_as_a_machine_of_its_own_is() {
    let config = Config::builder().timeout(Duration::from_secs(3)).build().unwrap();
    let mut fleet = Fleet::new(config, 7);
    let key = fleet.insert(Timestamp::ZERO).unwrap();
    let mut machine = fleet.get(key).unwrap();
    let (mut ours, mut twin) = (Session::new(Role::Server), Session::new(Role::Server));
    for step in 0..80 {
        let now = Timestamp::from_millis(u64::from(step) * 40);
        let mut entry = fleet.entry(key).unwrap();
        assert_eq!(entry.config(), &config);
        assert_eq!(
            lives(&mut ours, &mut entry, step, now),
            lives(&mut twin, &mut machine, step, now),
            "{step}"
        );
        assert_eq!(fleet.get(key).unwrap(), machine, "{step}");
    }
    assert!(machine.verdict().is_some());
    fleet.remove(key).unwrap();
    assert!(fleet.entry(key).is_err());
}

/// Polls the fleet, whose only connection is this session's, and hands everything in.
fn judge(fleet: &mut Fleet, session: &mut Session<u32>, now: Timestamp) -> Vec<Action> {
    let mut done = Vec::new();
    while let Some((key, action)) = fleet.poll(now) {
        session.act(action, fleet.verdict(key).ok().flatten());
        done.push(action);
    }
    done
}

#[test]
fn a_fleets_connection_is_probed_answered_without_a_name_and_closed() {
    let now = Timestamp::from_secs(1);
    let mut fleet = Fleet::new(Config::DEFAULT, 7);
    let key = fleet.insert(now).unwrap();
    let mut session = Session::new(Role::Server);
    session.set_dialect(Exact::text("2", "3"), &mut fleet.entry(key).unwrap(), now);
    assert_eq!(judge(&mut fleet, &mut session, now), [Action::MarkOnline]);

    session.probe(&mut fleet.entry(key).unwrap(), now);
    assert!(matches!(judge(&mut fleet, &mut session, now)[..], [Action::SendPing(_)]));
    assert!(matches!(session.poll_write(), Some(Outbound::Beat(_))));
    // An answer that names no ping is the awaited one's.
    let answer = Inbound::Message(Message::Text("3"));
    assert!(!session.received(answer, &mut fleet.entry(key).unwrap(), now));
    assert_eq!((fleet.stats(key).unwrap().answers, fleet.awaited(key)), (1, Ok(None)));

    session.close(CloseCode::GOING_AWAY, "a deploy", &mut fleet.entry(key).unwrap(), now);
    let closes = judge(&mut fleet, &mut session, now);
    assert!(closes.contains(&Action::Close(Some(CloseCode::GOING_AWAY))), "{closes:?}");
}

/// A fleet has at most 255 configs: one that it already has is not added.
#[test]
fn a_connection_may_change_between_two_configs_as_often_as_it_likes() {
    let [slow, fast] = [30, 5].map(Duration::from_secs);
    let [slow, fast] = [slow, fast].map(|interval| Config::builder().interval(interval).build().unwrap());
    let mut fleet = Fleet::new(slow, 7);
    let key = fleet.insert(Timestamp::ZERO).unwrap();
    for config in [fast, slow].iter().cycle().take(600) {
        fleet.entry(key).unwrap().reconfigure(*config, Timestamp::ZERO);
        assert_eq!(fleet.get(key).unwrap().config(), config);
    }
}
