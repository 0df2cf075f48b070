//! The opposite case: a client is judged, and this program plays the server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use liveness_testing::host::bound;
use liveness_testing::raw_peer::{BINARY, CLOSE, Frame, PING, PONG, code_and_text, sleep, unmasked};
use liveness_testing::{Running, eventually};
use socket2::SockRef;
use tungstenite::handshake::derive_accept_key;

use crate::cases::LIFE;
use crate::{Outcome, catch};

/// The arguments that a client is started with, after the server's address.
pub const CLIENT_SETTINGS: [&str; 2] = ["interval=500ms", "timeout=10s"];

/// One server's behaviour, and what the client should say about it in the end.
pub struct ClientCase {
    pub name: &'static str,
    /// What happens and what is right, in a sentence.
    pub sentence: &'static str,
    act: fn(&Client, Link),
    pub reason: &'static str,
}

pub const CLIENT_CASES: &[ClientCase] = &[
    ClientCase {
        name: "answer",
        sentence: "it answers pings, then closes: kept, and its Close is echoed",
        act: answer,
        reason: "peer-closed 1000",
    },
    ClientCase {
        name: "mute",
        sentence: "it answers no ping: gets one Close, 3008",
        act: stay_mute,
        reason: "ping-timeout",
    },
    ClientCase {
        name: "freeze",
        sentence: "it neither reads nor writes: given up, and the connection ends",
        act: freeze,
        reason: "ping-timeout",
    },
    ClientCase {
        name: "dribble",
        sentence: "one frame of 1 MB takes 12 s to arrive: kept",
        act: dribble,
        reason: "peer-closed 1000",
    },
    ClientCase {
        name: "break-rules",
        sentence: "a frame of no known kind: closed with 1002",
        act: break_rules,
        reason: "protocol-error 1002",
    },
    ClientCase {
        name: "reset",
        sentence: "it resets the connection: noticed",
        act: reset,
        reason: "transport-closed",
    },
];

/// Plays the cases against this program at the same time, each against a process of its own. `names` selects cases; if it
/// is empty, all are played.
pub fn judge_client(program: &Path, names: &[String]) -> Vec<(&'static ClientCase, Outcome)> {
    let wanted = |case: &&ClientCase| names.is_empty() || names.iter().any(|name| name == case.name);
    thread::scope(|scope| {
        let playing: Vec<_> = CLIENT_CASES
            .iter()
            .filter(wanted)
            .map(|case| (case, scope.spawn(|| see(program, case))))
            .collect();
        let outcome = |seen: Result<(), String>| seen.map_or_else(Outcome::Wrong, |()| Outcome::Right);
        playing.into_iter().map(|(case, playing)| (case, outcome(playing.join().unwrap()))).collect()
    })
}

fn see(program: &Path, case: &ClientCase) -> Result<(), String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // Nothing can be said about a program that does not start. So this panic is not caught here.
    let client = Client::start(program, &listener);
    let link = catch(|| Link::accept(&listener))?;
    let acted = catch(|| (case.act)(&client, link));
    let told = catch(|| client.reason())?;
    match (acted, told == case.reason) {
        (acted, true) => acted,
        (Ok(()), false) => Err(format!("it says {told}")),
        (Err(seen), false) => Err(format!("it says {told}; its server: {seen}")),
    }
}

/// A running client. It is killed when this is dropped.
struct Client(Running);

impl Client {
    fn start(program: &Path, listener: &TcpListener) -> Self {
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let mut command = Command::new(program);
        command.arg(url).args(CLIENT_SETTINGS);
        Self(Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null())))
    }

    fn reason(&self) -> String {
        eventually("`disconnect` is said", || self.said(" disconnect").is_some());
        self.said(" offline ").unwrap_or_else(|| "nothing".into())
    }

    /// What follows this text in one of the client's lines.
    fn said(&self, what: &str) -> Option<String> {
        let lines = self.0.lines.lock();
        lines.iter().find_map(|line| line.split_once(what)).map(|(_, rest)| rest.to_owned())
    }
}

/// Our end of a client's connection.
struct Link(TcpStream);

impl Link {
    fn accept(listener: &TcpListener) -> Self {
        listener.set_nonblocking(true).unwrap();
        let mut accepted = None;
        eventually("it dials", || {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        let stream = accepted.unwrap().0;
        stream.set_nonblocking(false).unwrap();
        let mut link = Self(bound(stream));
        link.shake_hands();
        link
    }

    fn shake_hands(&mut self) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        let request = String::from_utf8(request).unwrap();
        let header = request.lines().filter_map(|line| line.split_once(':'));
        let key = header
            .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
            .map(|(_, key)| key.trim())
            .next();
        let accept = derive_accept_key(key.expect("a key").as_bytes());
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.write(response.as_bytes());
    }

    fn write(&self, bytes: &[u8]) {
        (&self.0).write_all(bytes).unwrap();
    }

    /// The next frame of a client, which is short and masked; `None` if the client has ended the connection.
    fn next_frame(&self) -> Option<Frame> {
        let mut head = [0; 6];
        (&self.0).read_exact(&mut head).ok()?;
        let [first, len, mask @ ..] = head;
        assert!((0x80..0x80 + 126).contains(&len), "a frame that is long, or not masked");
        let mut payload = vec![0; usize::from(len & 0x7f)];
        (&self.0).read_exact(&mut payload).unwrap();
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Some((first & 0x0f, payload))
    }

    fn next_of(&self, opcode: u8) -> Frame {
        loop {
            let frame = self.next_frame().expect("the connection ended before such a frame");
            if frame.0 == opcode {
                return frame;
            }
        }
    }

    /// Closes properly: after the echo the client waits until we hang up (RFC 6455 7.1.1).
    fn close(&self) {
        self.write(&unmasked(CLOSE, &1000_u16.to_be_bytes()));
        assert_eq!(code_and_text(&self.next_of(CLOSE)).0, 1000, "the echo");
        self.0.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(self.next_frame(), None, "a frame after the Close");
    }
}

fn answer(_: &Client, link: Link) {
    // All the answers together take longer than the client waits for one.
    for _ in 0..24 {
        let (_, payload) = link.next_of(PING);
        link.write(&unmasked(PONG, &payload));
    }
    link.close();
}

fn stay_mute(_: &Client, link: Link) {
    let close = link.next_of(CLOSE);
    assert_eq!(code_and_text(&close).0, 3008);
    // The program may be gone already if it leaves at the verdict.
    let _ = (&link.0).write_all(&unmasked(CLOSE, &3008_u16.to_be_bytes()));
    let _ = link.0.shutdown(std::net::Shutdown::Write);
    assert_eq!(link.next_frame(), None, "a frame after the Close");
}

fn freeze(client: &Client, link: Link) {
    let _ = client.reason();
    assert_eq!(link.next_of(CLOSE).0, CLOSE);
    assert_eq!(link.next_frame(), None, "the connection is still there");
}

fn dribble(_: &Client, link: Link) {
    const PIECES: u32 = 100;
    let whole = unmasked(BINARY, &[7; 1_000_000]);
    for piece in whole.chunks(whole.len().div_ceil(PIECES as usize)) {
        link.write(piece);
        sleep(LIFE / PIECES);
    }
    link.close();
}

/// RFC 6455 5.2: opcode 3 is reserved.
fn break_rules(_: &Client, link: Link) {
    link.write(&unmasked(3, b"x"));
    assert_eq!(code_and_text(&link.next_of(CLOSE)).0, 1002);
}

fn reset(_: &Client, link: Link) {
    let _ = link.next_of(PING);
    SockRef::from(&link.0).set_linger(Some(Duration::ZERO)).unwrap();
}
