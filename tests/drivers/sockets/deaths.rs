//! Peers that are given up: why, with what code, and that the socket really closes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use liveness::{Action, CloseCode, Config, Evidence, Reason, Suspicion};
use tungstenite::Message;

use liveness_testing::host::{Host, Life, bound, live_for, reader, served, strict};
use liveness_testing::raw_peer::{CLOSE, PING, PONG, TEXT, code_and_text, frame, millis, sleep};

const MIB: usize = 1 << 20;

#[test]
fn a_frozen_peer_is_given_up_and_its_socket_closes() {
    let host = reader(strict().build_const());
    let mut peer = host.peer();
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    assert!(life.offline.cause().is_none(), "{life:?}");
    assert!(life.lasted >= millis(200), "{life:?}");
    // It wakes: there lie the ping, the reason, and the end.
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

/// A path that has died: both ends are well, and neither hears the other.
#[test]
fn a_half_open_connection_is_given_up() {
    let host = reader(strict().timeout(millis(500)).build_const());
    let cut = Arc::new(AtomicBool::new(false));
    let through = proxy(host.dial(), Arc::clone(&cut));
    let mut client = tungstenite::client("ws://localhost/", through).unwrap().0;
    live_for(&mut client, millis(400));
    cut.store(true, Ordering::Release);
    live_for(&mut client, millis(200));
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    assert!(life.stats.answers >= 1, "{life:?}");
}

/// A stream that is joined to `upstream` until the cut, and to nothing after it.
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

#[test]
fn talk_is_no_sign_of_life_where_only_pongs_count() {
    let host = reader(PONGS_ONLY);
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

/// The true answer counts once; sent again, it is as good as forged.
#[test]
fn a_replayed_pong_is_no_answer() {
    let host = reader(PONGS_ONLY);
    let mut peer = host.peer();
    let (_, payload) = peer.next_of(PING);
    peer.write_until_the_end(&frame(PONG, &payload), millis(50));
    let life = host.join();
    assert_eq!((life.offline.reason(), life.stats.answers), (Reason::PingTimeout, 1));
}

/// We are always behind with our reading of it, and it never answers.
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
    // No clock of the peer's runs out in this test: only the flood can end it.
    const CONFIG: Config = Config::builder().close_timeout(millis(500)).control_budget(20, 5).build_const();
    let host = reader(CONFIG);
    let mut peer = host.peer();
    peer.write(&frame(PING, b"!").repeat(21));
    let word = peer.final_close();
    assert_eq!(code_and_text(&word), (1008, Reason::PingFlood.description().to_owned()));
    assert_eq!(host.join().offline.reason(), Reason::PingFlood);
}

/// The peer reads nothing of what it is told, and floods on.
#[test]
fn a_flood_that_goes_on_after_the_verdict_is_cut_off() {
    let host = reader(strict().build_const());
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
    let host = reader(strict().timeout(millis(2000)).idle_timeout(millis(500)).build_const());
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

/// A suspicion is a hint: it comes before the verdict, and evidence takes it back.
#[test]
fn suspicion_comes_first_and_is_taken_back() {
    let config = strict().timeout(millis(800)).suspicion(Suspicion::After(millis(100)));
    let host = reader(config.build_const());
    let mut peer = host.peer();
    let (_, payload) = peer.next_of(PING);
    sleep(millis(300));
    peer.write(&frame(PONG, &payload));
    let life = host.join();
    let changes: Vec<_> = life
        .actions
        .iter()
        .filter(|action| !matches!(action, Action::SendPing(_) | Action::Close(_)))
        .collect();
    assert_eq!(
        changes,
        [
            &Action::MarkOnline,
            &Action::MarkSuspect,
            &Action::MarkOnline,
            &Action::MarkSuspect,
            &Action::MarkOffline(Reason::PingTimeout),
            &Action::Disconnect
        ]
    );
    assert_eq!(life.stats.suspicions_survived, 1);
}

/// A server that writes what nobody reads: `send` comes back, and says why.
fn writer() -> Host<Life> {
    served(strict().build_const(), None, |life| {
        let offline = life.socket.send(Message::binary(vec![0; 48 * MIB])).unwrap_err();
        assert_eq!(offline.reason(), Reason::WriteStalled);
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

/// It said more than is kept, which nobody read; a ping went out; then it froze, and takes no more.
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

/// Its pings are evidence, until we owe it so many pongs that we stop reading: answers owed are to cost no memory.
#[test]
fn a_peer_that_pings_and_never_reads_is_given_up() {
    let host = writer();
    let mut peer = host.peer();
    peer.write_until_the_end(&frame(PING, b"and another thing"), millis(20));
    assert_eq!(host.join().offline.reason(), Reason::WriteStalled);
}

/// It talks, and its talk is evidence, until our own inbox is full: from then on only its reading could save it.
#[test]
fn a_peer_that_talks_and_never_reads_is_given_up() {
    let host = writer();
    let mut peer = host.peer();
    peer.write_until_the_end(&frame(TEXT, b"and another thing"), millis(10));
    let life = host.join();
    assert_eq!(life.messages.len(), 64, "what was heard is kept");
}
