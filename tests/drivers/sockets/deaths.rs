//! Peers that are given up: for which reason, with which code, and that the socket really closes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use liveness::driver::tungstenite::accept;
use liveness::{Action, CloseCode, Config, ConfigBuilder, Evidence, Reason, Suspicion};
use tungstenite::Message;

use liveness_testing::host::{Host, Life, answer_pings, bound, brisk, reader, served, strict};
use liveness_testing::raw_peer::{CLOSE, PING, PONG, TEXT, code_and_text, frame, millis, sleep};

const MIB: usize = 1 << 20;

/// For peers that first do something, in time even on a busy machine, and are then given up.
const UNTIL_THEN: ConfigBuilder = strict().timeout(millis(2000));

#[test]
fn a_frozen_peer_is_given_up_and_its_socket_closes() {
    let host = reader(strict().build_const());
    let mut peer = host.peer();
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    assert!(life.offline.cause().is_none(), "{life:?}");
    assert!(life.lasted >= millis(200), "{life:?}");
    // It wakes, and finds the ping, the reason and the end.
    assert_eq!(peer.next_frame().map(|(opcode, payload)| (opcode, payload.len())), Some((PING, 8)));
    assert_eq!(code_and_text(&peer.final_close()), (3008, Reason::PingTimeout.description().to_owned()));
}

#[test]
fn a_peer_that_echoes_the_close_is_not_waited_for() {
    let host = reader(strict().close_timeout(Duration::from_secs(3600)).build_const());
    let mut peer = host.peer();
    let word = peer.next_of(CLOSE);
    assert_eq!(code_and_text(&word).0, 3008);
    peer.write(&frame(CLOSE, &word.1));
    assert_eq!(peer.next_frame(), None);
    assert_eq!(host.join().offline.reason(), Reason::PingTimeout);
}

#[test]
fn the_configured_code_goes_out() {
    let host = reader(strict().close_code(CloseCode::new(4321).unwrap()).build().unwrap());
    let mut peer = host.peer();
    assert_eq!(code_and_text(&peer.final_close()).0, 4321);
    assert_eq!(host.join().offline.reason(), Reason::PingTimeout);
}

/// A path that has died: both ends work, and neither receives anything from the other.
#[test]
fn a_half_open_connection_is_given_up() {
    let host = reader(UNTIL_THEN.build_const());
    let cut = Arc::new(AtomicBool::new(false));
    let through = proxy(host.dial(), Arc::clone(&cut));
    let mut client = tungstenite::client("ws://localhost/", through).unwrap().0;
    answer_pings(&mut client, 3);
    cut.store(true, Ordering::Release);
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    // The last one may have been cut off.
    assert!(life.stats.answers >= 2, "{life:?}");
}

/// A stream that is connected to `upstream` until the cut, and to nothing after it.
fn proxy(upstream: TcpStream, cut: Arc<AtomicBool>) -> TcpStream {
    let door = Host::open(move |downstream| {
        let pairs = [(&downstream, &upstream), (&upstream, &downstream)];
        for (from, to) in pairs.map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap())) {
            let cut = Arc::clone(&cut);
            thread::spawn(move || pump(from, to, &cut));
        }
    });
    let stream = door.dial();
    door.join();
    stream
}

fn pump(from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut buffer = [0; 4096];
    let mut from = bound(from);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !cut.load(Ordering::Acquire) && to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

const PONGS_ONLY: Config = strict().evidence(Evidence::PongOnly).build_const();
const PONGS_ONLY_UNTIL_THEN: Config = UNTIL_THEN.evidence(Evidence::PongOnly).build_const();

#[test]
fn talk_is_no_sign_of_life_where_only_pongs_count() {
    let host = reader(PONGS_ONLY_UNTIL_THEN);
    host.peer().write_until_the_end(&frame(TEXT, b"nice weather"), millis(50));
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    assert!(!life.messages.is_empty(), "what it said was not lost");
}

#[test]
fn a_forged_pong_is_no_answer() {
    let host = reader(PONGS_ONLY);
    host.peer().write_until_the_end(&frame(PONG, b"12345678"), millis(50));
    let life = host.join();
    assert_eq!((life.offline.reason(), life.stats.answers), (Reason::PingTimeout, 0));
}

/// The true answer counts once. Sent again, it counts as forged.
#[test]
fn a_replayed_pong_is_no_answer() {
    let host = reader(PONGS_ONLY_UNTIL_THEN);
    let mut peer = host.peer();
    let (_, payload) = peer.next_of(PING);
    peer.write_until_the_end(&frame(PONG, &payload), millis(50));
    let life = host.join();
    assert_eq!((life.offline.reason(), life.stats.answers), (Reason::PingTimeout, 1));
}

/// We are always behind in reading it, and it never answers.
#[test]
fn a_torrent_of_talk_is_no_sign_of_life_where_only_pongs_count() {
    let host = served(PONGS_ONLY, None, |life| life.read_each(|_, _| sleep(millis(1))));
    let mut peer = host.peer();
    let talk = frame(TEXT, &[b'x'; 50_000]);
    peer.write_until_the_end(&talk, millis(0));
    assert_eq!(host.join().offline.reason(), Reason::PingTimeout);
}

#[test]
fn a_flood_of_pings_is_refused_at_once() {
    // No clock runs out in this test, so only the flood can end the connection.
    const CONFIG: Config = Config::builder().close_timeout(millis(500)).control_budget(20, 1).build_const();
    let host = reader(CONFIG);
    let mut peer = host.peer();
    // A few more than needed, because the budget grows while a slow machine reads them.
    peer.write(&frame(PING, b"!").repeat(30));
    let word = peer.final_close();
    assert_eq!(code_and_text(&word), (1008, Reason::PingFlood.description().to_owned()));
    assert_eq!(host.join().offline.reason(), Reason::PingFlood);
}

/// The peer reads nothing of what it is told, and goes on flooding.
#[test]
fn a_flood_that_goes_on_after_the_verdict_is_cut_off() {
    let host = reader(brisk().build_const());
    let mut peer = host.peer();
    let pings = frame(PING, b"!").repeat(1000);
    peer.write_until_the_end(&pings, millis(0));
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::PingFlood);
}

#[test]
fn silence_is_a_verdict_for_the_end_that_sends_no_pings() {
    let host = reader(strict().interval(Duration::MAX).silence_timeout(millis(200)).build_const());
    let mut peer = host.peer();
    assert_eq!(code_and_text(&peer.final_close()), (3008, Reason::Silent.description().to_owned()));
    let life = host.join();
    assert_eq!((life.offline.reason(), life.stats.pings), (Reason::Silent, 0));
}

#[test]
fn an_idle_peer_is_sent_home_with_1000() {
    let host = reader(brisk().idle_timeout(millis(2000)).build_const());
    let mut client = host.client();
    let close = loop {
        if let Message::Close(frame) = client.read().unwrap() {
            break frame.unwrap();
        }
    };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1000, Reason::Idle.description()));
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::Idle);
    assert!(life.stats.answers >= 1, "it answered its pings: {life:?}");
}

/// A suspicion is a hint. It comes before the verdict, and evidence ends it.
#[test]
fn suspicion_comes_first_and_is_taken_back() {
    let (tell, told) = channel();
    let host = Host::open(move |stream| {
        let config = UNTIL_THEN.suspicion(Suspicion::After(millis(100))).build_const();
        let mut socket = accept(stream, config).unwrap().on_action(move |action, _| {
            // If nobody receives this, the test has failed already.
            let _ = tell.send(action);
        });
        assert_eq!(socket.read().unwrap_err().reason(), Reason::PingTimeout);
        socket.liveness().stats().suspicions_survived
    });
    let mut peer = host.peer();
    let mut changes = told.iter().filter(|action| !matches!(action, Action::SendPing(_) | Action::Close(_)));
    let (_, payload) = peer.next_of(PING);
    assert_eq!([changes.next(), changes.next()], [Some(Action::MarkOnline), Some(Action::MarkSuspect)]);
    peer.write(&frame(PONG, &payload));
    assert_eq!(
        changes.collect::<Vec<_>>(),
        [
            Action::MarkOnline,
            Action::MarkSuspect,
            Action::MarkOffline(Reason::PingTimeout),
            Action::Disconnect
        ]
    );
    assert_eq!(host.join(), 1);
}

/// A server that writes what nobody reads. `send` returns, and says why.
fn writer() -> Host<Life> {
    // The first ping waits behind the message, and is not sent before it.
    let config = strict().interval(millis(1000)).jitter(0).build_const();
    served(config, None, |life| {
        let offline = life.socket.send(Message::binary(vec![0; 48 * MIB])).unwrap_err();
        assert_eq!(offline.reason(), Some(Reason::WriteStalled));
    })
}

#[test]
fn a_peer_that_never_reads_stalls_our_writing_and_is_given_up() {
    let host = writer();
    let peer = host.peer();
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::WriteStalled);
    drop(peer);
}

/// The peer sent more than is kept, and nobody read it. A ping went out. Then the peer froze, and takes nothing more.
#[test]
fn a_peer_that_talked_unread_and_froze_keeps_no_sender_waiting() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let config = strict().evidence(evidence).build_const();
        let host = served(config, None, |life| {
            sleep(millis(200));
            while life.socket.liveness().stats().pings == 0 {
                life.socket.send(Message::text("tick")).unwrap();
                sleep(millis(20));
            }
            assert!(life.socket.send(Message::binary(vec![0; 48 * MIB])).is_err());
        });
        let mut peer = host.peer();
        peer.write(&frame(TEXT, b"x").repeat(200));
        host.join();
    }
}

/// Its pings are evidence, until we have so many pongs to send that we stop reading. Answers that wait must not cost
/// memory.
#[test]
fn a_peer_that_pings_and_never_reads_is_given_up() {
    let host = writer();
    let mut peer = host.peer();
    peer.write_until_the_end(&frame(PING, b"and another thing"), millis(20));
    assert_eq!(host.join().offline.reason(), Reason::WriteStalled);
}

/// It talks, and its talk is evidence. But the driver notices that it takes none of our bytes.
#[test]
fn a_peer_that_talks_and_never_reads_is_given_up() {
    let host = writer();
    let mut peer = host.peer();
    peer.write(&frame(TEXT, b"this and that").repeat(100));
    peer.write_until_the_end(&frame(TEXT, b"and another thing"), millis(10));
    let life = host.join();
    assert!((1..=64).contains(&life.messages.len()), "what was heard is kept: {}", life.messages.len());
}
