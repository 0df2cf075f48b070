//! Every fault of the table at once, beside those who only look dead: who is given up, why, and in what order it is said.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use liveness::Clock;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};
use socket2::SockRef;

use super::{Change, Example, Server, reason};
use crate::trust::trust;
use liveness_testing::eventually;
use liveness_testing::raw_peer::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Peer, TEXT, close, code_and_text, frame, header, millis,
    sleep,
};

/// Suspicion, an answer that is late, and the timeout: seconds lie between them, which no busy machine takes by itself.
const LATE: Duration = millis(5000);
const TIMEOUT: Duration = millis(10_000);
const FLAGS: [&str; 6] = ["--interval", "500ms", "--timeout", "10s", "--suspect-after", "3s"];

/// Where the certificate and the key lie.
const TRUST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trust");

/// How long those live who are to live: longer than the dead are allowed.
const LIFE: Duration = millis(12_000);

/// Somebody who does something, and what the server should say of it in the end.
struct Client {
    act: fn(&Server, u64, Peer<Wire>),
    reason: &'static str,
    suspicion: Suspicion,
}

/// How often somebody is silent for longer than `--suspect-after`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Suspicion {
    /// Never.
    Never,
    /// Again and again, and heard in between.
    Often,
    /// Once, and for good.
    Once,
    /// As the kernel moves its bytes.
    Perhaps,
}

/// A socket, or TLS over one.
struct Wire {
    socket: TcpStream,
    tls: Option<ClientConnection>,
}

impl Wire {
    fn dial(server: &Server, tls: Option<&Arc<ClientConfig>>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let tls = tls.map(|tls| ClientConnection::new(Arc::clone(tls), name).unwrap());
        Self { socket: server.dial(), tls }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => Stream::new(tls, &mut self.socket).read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => Stream::new(tls, &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.flush(),
            Some(tls) => Stream::new(tls, &mut self.socket).flush(),
        }
    }
}

/// Comes in, and learns its number.
fn enter(server: &Server, tls: Option<&Arc<ClientConfig>>) -> (u64, Peer<Wire>) {
    let known = server.lives();
    let wire = Wire::dial(server, tls);
    // As much as a link with a short queue would hold: what more there is waits at the server, as it should.
    SockRef::from(&wire.socket).set_recv_buffer_size(64 * 1024).unwrap();
    let peer = Peer::shake_hands(wire);
    let mut number = None;
    eventually("it is online", || {
        number = server.lives().into_keys().find(|number| !known.contains_key(number));
        number.is_some()
    });
    (number.unwrap(), peer)
}

fn said(server: &Server, number: u64, what: &str) -> bool {
    server.lives()[&number].iter().any(|change| change.what == what)
}

fn wait_for(server: &Server, number: u64, what: &str) {
    eventually(what, || said(server, number, what));
}

fn leave(mut peer: Peer<Wire>, code: u16) {
    peer.write(&close(code, "bye"));
    assert_eq!(code_and_text(&peer.final_close()).0, code, "the echo");
}

/// Reads everything that comes until a time, and answers a ping with what `answer` makes of its payload.
fn answer_for(
    server: &Server,
    peer: &mut Peer<Wire>,
    number: u64,
    mut answer: impl FnMut(Vec<u8>) -> Option<Vec<u8>>,
) {
    let clock = Clock::new();
    let end = clock.now() + LIFE;
    while clock.now() < end && !said(server, number, "offline") {
        match peer.next_frame() {
            Some((PING, payload)) => {
                if let Some(payload) = answer(payload) {
                    peer.write(&frame(PONG, &payload));
                }
            }
            Some(_) => {}
            None => return,
        }
    }
}

/// Reads up to the verdict's Close, and hangs up.
fn hear_the_verdict(peer: &mut Peer<Wire>, code: u16, text: &str) {
    assert_eq!(code_and_text(&peer.next_of(CLOSE)), (code, text.to_owned()));
}

/// Holds the connection, and neither reads nor writes, until the server has hung up.
fn freeze(server: &Server, number: u64, mut peer: Peer<Wire>) {
    wait_for(server, number, "disconnect");
    let first = peer.next_frame().map(|frame| frame.0);
    assert_eq!(first, Some(PING));
    hear_the_verdict(&mut peer, 3008, "no answer to a ping in time");
    assert_eq!(peer.next_frame(), None);
}

/// One frame, longer than the timeout, within which no pong can be sent.
fn dribble(_: &Server, _: u64, mut peer: Peer<Wire>) {
    const PIECES: u32 = 100;
    peer.write(&header(FIN | BINARY, 10_000 * u64::from(PIECES)));
    for _ in 0..PIECES {
        peer.write(&[7; 10_000]);
        sleep(LIFE / PIECES);
    }
    assert_eq!(peer.next_of(BINARY).1.len(), 1_000_000);
    leave(peer, 1000);
}

/// Takes 12 MB at one a second, and answers pings where it finds them.
fn read_slowly(_: &Server, _: u64, peer: Peer<Wire>) {
    let mut peer = Peer(Slow(peer.0));
    peer.write(&frame(TEXT, b"flood 12000000"));
    let mut left = 12_000_000;
    while left > 0 {
        let (opcode, payload) = peer.next_frame().expect("it is alive");
        match opcode {
            BINARY | CONTINUATION => left -= payload.len(),
            PING => peer.write(&frame(PONG, &payload)),
            other => panic!("{other} in the middle of a download"),
        }
    }
    leave(Peer(peer.0.0), 1000);
}

/// A stream that brings one megabyte a second.
struct Slow(Wire);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(50_000);
        let count = self.0.read(&mut buffer[..most])?;
        if most > 1000 {
            sleep(Duration::from_micros(count as u64));
        }
        Ok(count)
    }
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Asks for more than two kernels keep, just after an answer, and reads none of it: the next ping waits behind it.
fn stop_reading(server: &Server, number: u64, mut peer: Peer<Wire>) {
    let (_, payload) = peer.next_of(PING);
    peer.write(&[frame(PONG, &payload), frame(TEXT, b"flood 40000000")].concat());
    wait_for(server, number, "disconnect");
}

/// Lets one ping go out, talks without end, and reads nothing: the echoes stay with us, and talk does not excuse that.
fn talk_unread(_: &Server, _: u64, mut peer: Peer<Wire>) {
    peer.next_of(PING);
    peer.write_until_the_end(&frame(BINARY, &[7; 1000]), Duration::ZERO);
}

/// Answers each ping when it is suspect already.
fn answer_late(_: &Server, _: u64, mut peer: Peer<Wire>) {
    for _ in 0..3 {
        let (_, payload) = peer.next_of(PING);
        sleep(LATE);
        peer.write(&frame(PONG, &payload));
    }
    leave(peer, 1000);
}

/// Talks, and never answers a ping.
fn chat(server: &Server, number: u64, mut peer: Peer<Wire>) {
    let clock = Clock::new();
    let end = clock.now() + LIFE;
    while clock.now() < end && !said(server, number, "offline") {
        peer.write(&frame(TEXT, b"hello"));
        assert_eq!(peer.next_of(TEXT).1, b"hello");
        sleep(millis(300));
    }
    peer.write(&close(1000, "bye"));
    peer.final_close();
}

/// Talks, and is given up for it where only answers count.
fn chat_in_vain(server: &Server, number: u64, mut peer: Peer<Wire>) {
    while !said(server, number, "offline") {
        peer.write(&frame(TEXT, b"hello"));
        sleep(millis(300));
    }
    hear_the_verdict(&mut peer, 3008, "no answer to a ping in time");
}

/// Answers nothing but what was never asked.
fn forge(server: &Server, number: u64, mut peer: Peer<Wire>) {
    while !said(server, number, "offline") {
        peer.write(&frame(PONG, b"forgery!"));
        sleep(millis(300));
    }
    hear_the_verdict(&mut peer, 3008, "no answer to a ping in time");
}

/// Answers each ping with the first one's payload.
fn replay(server: &Server, number: u64, mut peer: Peer<Wire>) {
    let mut first = None;
    answer_for(server, &mut peer, number, |payload| Some(first.get_or_insert(payload).clone()));
}

/// Answers each ping, and says nothing else.
fn answer(server: &Server, number: u64, mut peer: Peer<Wire>) {
    answer_for(server, &mut peer, number, Some);
    leave(peer, 1000);
}

fn flood_pings(_: &Server, _: u64, mut peer: Peer<Wire>) {
    peer.write(&frame(PING, b"!").repeat(5000));
    hear_the_verdict(&mut peer, 1008, "too many control frames");
    peer.write(&close(1008, ""));
    assert_eq!(peer.next_frame(), None, "a frame after the Close");
}

fn reset(_: &Server, _: u64, peer: Peer<Wire>) {
    SockRef::from(&peer.0.socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Ends its half of the connection without a Close.
fn half_close(_: &Server, _: u64, mut peer: Peer<Wire>) {
    peer.0.socket.shutdown(Shutdown::Write).unwrap();
    let _ = peer.0.read_to_end(&mut Vec::new());
}

fn say_goodbye(_: &Server, _: u64, peer: Peer<Wire>) {
    leave(peer, 4321);
}

/// Lets everybody in, one after the other, and sees each life to its end.
fn play(server: &Server, tls: Option<&Arc<ClientConfig>>, clients: &[Client]) {
    let mut numbers = Vec::new();
    thread::scope(|scope| {
        for client in clients {
            let (number, peer) = enter(server, tls);
            numbers.push(number);
            scope.spawn(move || (client.act)(server, number, peer));
        }
    });
    let lives = server.assert_proper_lives();
    assert_eq!(lives.len(), clients.len(), "{lives:?}");
    for (number, client) in numbers.iter().zip(clients) {
        client.assert_judged(&lives[number]);
    }
}

impl Client {
    #[track_caller]
    fn assert_judged(&self, life: &[Change]) {
        let shown = format!("{} expected: {life:#?}", self.reason);
        assert!(self.reason.split(" or ").any(|expected| reason(life) == expected), "{shown}");
        let words: Vec<&str> = life.iter().map(|change| change.what.as_str()).collect();
        let as_expected = match self.suspicion {
            Suspicion::Never => words == ["online", "offline", "disconnect"],
            Suspicion::Once => words == ["online", "suspect", "offline", "disconnect"],
            Suspicion::Often => words.iter().filter(|word| **word == "suspect").count() >= 3,
            Suspicion::Perhaps => true,
        };
        assert!(as_expected, "{:?} suspect, {shown}", self.suspicion);
        let at = |what: &str| life.iter().find(|change| change.what == what).unwrap().at;
        let (online, offline) = (at("online"), at("offline"));
        if matches!(reason(life), "ping-timeout" | "write-stalled") {
            // How late at the most is the machine's affair: simulated clocks hold the rules to it.
            assert!(offline - online >= TIMEOUT.as_secs_f64(), "too early, {shown}");
        }
    }
}

with_each_server!(each_fault_is_told_from_life);

#[cfg(unix)]
#[test]
fn each_fault_is_told_from_life_by_the_shortest_loop() {
    each_fault_is_told_from_life(Example::Poll);
}

#[test]
fn each_fault_is_told_from_life_under_tls_by_a_thread() {
    each_fault_is_told(Example::Blocking, Some(&trust().1));
}

#[test]
fn each_fault_is_told_from_life_under_tls_by_tokio() {
    each_fault_is_told(Example::Tokio, Some(&trust().1));
}

fn each_fault_is_told_from_life(example: Example) {
    each_fault_is_told(example, None);
}

fn each_fault_is_told(example: Example, tls: Option<&Arc<ClientConfig>>) {
    const fn client(act: fn(&Server, u64, Peer<Wire>), reason: &'static str, suspicion: Suspicion) -> Client {
        Client { act, reason, suspicion }
    }
    use Suspicion::{Never, Often, Once, Perhaps};
    let by_any_traffic = [
        client(freeze, "ping-timeout", Once),
        client(answer, "peer-closed 1000", Never),
        client(dribble, "peer-closed 1000", Never),
        client(read_slowly, "peer-closed 1000", Perhaps),
        client(stop_reading, "write-stalled", Once),
        client(answer_late, "peer-closed 1000", Often),
        client(chat, "peer-closed 1000", Never),
        client(flood_pings, "ping-flood", Never),
        client(reset, "transport-closed", Never),
        client(half_close, "transport-closed", Never),
        client(say_goodbye, "peer-closed 4321", Never),
    ];
    let by_pongs_only = [
        client(answer, "peer-closed 1000", Never),
        client(chat_in_vain, "ping-timeout", Once),
        client(forge, "ping-timeout", Once),
        client(replay, "ping-timeout", Once),
        // Whether its latest ping still fits into the kernel is the kernel's affair.
        client(talk_unread, "write-stalled or ping-timeout", Perhaps),
        client(read_slowly, "peer-closed 1000", Perhaps),
        client(answer_late, "peer-closed 1000", Often),
    ];
    let files = ["localhost.crt.pem", "localhost.key.pem"].map(|name| format!("{TRUST}/{name}"));
    let secure = ["--tls", &files[0], &files[1]];
    let flags = [&FLAGS[..], if tls.is_some() { &secure } else { &[] }].concat();
    thread::scope(|scope| {
        scope.spawn(|| play(&Server::start(example, &flags), tls, &by_any_traffic));
        scope.spawn(|| {
            let flags = [&flags[..], &["--evidence", "pong-only"]].concat();
            play(&Server::start(example, &flags), tls, &by_pongs_only);
        });
    });
}
