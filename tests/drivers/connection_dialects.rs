//! Heartbeats in messages, bytes in and bytes out: what is on the wire, and when it has left.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveness::dialect::{Exact, TextHeartbeats, engine_io};
use liveness::driver::tungstenite::Connection;
use liveness::session::Role;
use liveness::{Action, Config, Event, Input, Liveness, Observer, Reason, Timestamp};
use tungstenite::Message;

use liveness_testing::raw_peer::{BINARY, TEXT, frame};

const CONFIG: Config = Config::builder()
    .interval(Duration::from_secs(5))
    .timeout(Duration::from_secs(10))
    .jitter(0)
    .build_const();

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn opened(role: Role, config: Config) -> Connection {
    Connection::opened(role, config, None, 7, at(0))
}

fn polled(peer: &mut Connection, now: Timestamp) -> Vec<Action> {
    std::iter::from_fn(|| peer.poll(now)).collect()
}

fn hear(peer: &mut Connection, bytes: &[u8], now: Timestamp) {
    peer.receive(bytes, now);
    peer.nothing_to_read(now);
}

/// Counts how often the machine was told that a ping has left.
struct Left(Arc<Mutex<u32>>);

impl Observer for Left {
    fn input(&mut self, input: &Input<'_>, _: &Liveness, _: Timestamp) {
        *self.0.lock().unwrap() += u32::from(matches!(input, Input::Event(Event::PingSent)));
    }
}

/// The ping is behind a large message and in front of another, and is written byte by byte.
#[test]
fn a_ping_in_a_message_has_left_with_its_last_byte_and_not_before() {
    // Two bytes of a frame's head, and the message.
    for (text, bytes) in [(true, 2 + 21), (false, 2 + 2)] {
        let peer = opened(Role::Server, CONFIG);
        let mut peer = if text {
            peer.dialect(TextHeartbeats)
        } else {
            peer.dialect(Exact::binary(&[0xc0, 0], &[0xd0, 0]))
        };
        let left = Arc::new(Mutex::new(0));
        peer.observe(Left(Arc::clone(&left)), at(0));
        assert_eq!(polled(&mut peer, at(0)), [Action::MarkOnline]);
        peer.send(Message::binary(vec![7; 100_000]), at(1)).unwrap();
        let before = peer.unsent();
        peer.probe(at(2));
        assert!(matches!(polled(&mut peer, at(2))[..], [Action::SendPing(_)]));
        assert_eq!(peer.unsent(), before + bytes);
        peer.send(Message::text("behind it"), at(2)).unwrap();
        peer.sent(before, at(3));
        assert!(text == peer.outgoing()[2..].starts_with(b"ping "));
        for _ in 1..bytes {
            peer.sent(1, at(3));
            assert_eq!(*left.lock().unwrap(), 0);
        }
        peer.sent(1, at(3));
        assert_eq!(*left.lock().unwrap(), 1);
    }
}

#[test]
fn a_client_of_engine_io_answers_and_says_nothing_else() {
    let mut peer = opened(Role::Client, CONFIG).dialect(engine_io::client());
    assert_eq!(polled(&mut peer, at(0)), [Action::MarkOnline]);
    peer.probe(at(1));
    for second in 1..1_000 {
        assert_eq!(polled(&mut peer, at(second)), []);
    }
    assert_eq!((peer.outgoing(), peer.liveness().stats().pings), (&b""[..], 0));
    // A server's frames have no mask.
    hear(&mut peer, b"\x81\x012\x81\x062probe\x81\x012", at(1_000));
    assert_eq!(peer.recv(at(1_000)), Some(Message::text("2probe")));
    assert_eq!(peer.recv(at(1_000)), None);
    // Two frames with a mask, of a byte each.
    assert_eq!(peer.outgoing().len(), 2 * (2 + 4 + 1));
    // The hello came late. It had the interval.
    peer.reconfigure(engine_io::client_config(Duration::from_secs(5), Duration::from_secs(4)), at(1_001));
    let mut now = at(1_001);
    while peer.liveness().verdict().is_none() {
        assert_eq!(peer.liveness().stats().pings, 0);
        now = peer.poll_timeout(now).unwrap();
        polled(&mut peer, now);
    }
    assert_eq!(peer.offline().map(|offline| offline.reason()), Some(Reason::Silent));
    assert!(now >= at(1_009) && now < at(1_010), "{now}");
}

#[test]
fn what_is_longer_than_a_heartbeat_may_be_is_shown_whatever_it_says() {
    let mut peer = opened(Role::Server, CONFIG).dialect(Exact::text("2", "3"));
    let _ = polled(&mut peer, at(0));
    let mut long = vec![0x81, 0x80 | 126, 1, 1, 0, 0, 0, 0];
    long.extend([b'2'; 257]);
    hear(&mut peer, &[long, frame(TEXT, b"2"), frame(BINARY, b"2")].concat(), at(1));
    assert_eq!(peer.recv(at(1)), Some(Message::text("2".repeat(257))));
    assert_eq!(peer.recv(at(1)), Some(Message::binary("2")));
    assert_eq!(peer.recv(at(1)), None);
    assert_eq!(peer.outgoing(), b"\x81\x013");
}
