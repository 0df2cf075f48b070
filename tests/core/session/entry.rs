//! A fleet's entry behind a session is told what a machine of its own would be.

use std::time::Duration;

use liveness::session::{ErrorKind, Inbound, Peer, Role, Session};
use liveness::{CloseCode, Config, Fleet, Timestamp};

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
