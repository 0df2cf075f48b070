//! The peers: bare TCP connections that answer pings with prepared bytes, all in one loop.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::{Load, Talk};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// A text message of 16 letters. A mask of zeros changes nothing.
const MESSAGE: &[u8] = b"\x81\x90\0\0\0\0sixteen letters.";
/// A server that does not answer a request for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const TEXT: u8 = 1;
const PING: u8 = 9;

pub(super) struct Crowd {
    poll: Poll,
    events: Events,
    peers: Vec<Peer>,
    talk: Talk,
    /// Who sends the next message, and when.
    next: (usize, Instant),
    pub(super) pings: u64,
    pub(super) echoes: u64,
}

struct Peer {
    stream: TcpStream,
    /// Bytes of a frame that is not complete.
    input: VecDeque<u8>,
    /// Since the latest mark.
    pings: u64,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn clock() -> Instant {
    Instant::now()
}

impl Crowd {
    /// Connects to the server, over the time of an interval: so nobody's pings go out together because the peers came together.
    pub(super) fn connect(server: SocketAddr, load: Load) -> io::Result<Self> {
        let mut crowd = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            peers: Vec::new(),
            talk: Talk::Nothing,
            next: (0, clock()),
            pings: 0,
            echoes: 0,
        };
        for number in 0..load.connections as usize {
            let mut stream = std::net::TcpStream::connect(server)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(REQUEST)?;
            let mut answer = Vec::new();
            // Byte by byte, because a frame may follow.
            while !answer.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                answer.push(byte[0]);
            }
            if !answer.starts_with(b"HTTP/1.1 101") {
                return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
            }
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            crowd.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
            crowd.peers.push(Peer { stream, input: VecDeque::new(), pings: 0 });
            crowd.live(load.interval / load.connections)?;
        }
        crowd.talk = load.talk;
        crowd.next = (0, clock());
        Ok(crowd)
    }

    /// Answers, and talks, for this long.
    pub(super) fn live(&mut self, lasts: Duration) -> io::Result<()> {
        let end = clock() + lasts;
        loop {
            let now = clock();
            if now >= end {
                return Ok(());
            }
            let wake = self.send_messages(now)?.min(end);
            let wait = wake.saturating_duration_since(now);
            match self.poll.poll(&mut self.events, Some(wait)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &self.events {
                let peer = &mut self.peers[event.token().0];
                peer.read()?;
                peer.answer(&mut self.pings, &mut self.echoes)?;
            }
        }
    }

    /// Sends the messages that are due. When the next one is.
    fn send_messages(&mut self, now: Instant) -> io::Result<Instant> {
        let Talk::Every(distance) = self.talk else { return Ok(now + PATIENCE) };
        let count = self.peers.len();
        while self.next.1 <= now {
            self.peers[self.next.0].write(MESSAGE)?;
            self.next = ((self.next.0 + 1) % count, self.next.1 + distance / count as u32);
        }
        Ok(self.next.1)
    }

    /// Pings and echoes so far. From here each peer counts its pings anew.
    pub(super) fn mark(&mut self) -> (u64, u64) {
        self.peers.iter_mut().for_each(|peer| peer.pings = 0);
        (self.pings, self.echoes)
    }

    /// Until each peer has had a ping since the mark. A machine that stands still for a while is no fault of the server's.
    pub(super) fn wait_for_pings(&mut self, interval: Duration) -> io::Result<()> {
        let end = clock() + PATIENCE;
        loop {
            match self.peers.iter().filter(|peer| peer.pings == 0).count() {
                0 => return Ok(()),
                count if clock() > end => {
                    return Err(io::Error::other(format!("{count} live peers get no ping")));
                }
                _ => self.live(interval)?,
            }
        }
    }
}

impl Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A few bytes to a server that reads: there is room for all of them, or the server has failed.
        if self.stream.write(bytes)? == bytes.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::Error::other("the server hung up on a live peer")),
                Ok(count) => self.input.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the frames that are complete.
    fn answer(&mut self, pings: &mut u64, echoes: &mut u64) -> io::Result<()> {
        while let (Some(&first), Some(&length)) = (self.input.front(), self.input.get(1)) {
            let length = usize::from(length);
            if self.input.len() < 2 + length {
                break;
            }
            let payload: Vec<u8> = self.input.drain(..2 + length).skip(2).collect();
            match first & 0x0f {
                PING => {
                    *pings += 1;
                    self.pings += 1;
                    let mut pong = vec![0x8a, 0x80 | payload.len() as u8, 0, 0, 0, 0];
                    pong.extend(payload);
                    self.write(&pong)?;
                }
                TEXT => *echoes += 1,
                kind => {
                    return Err(io::Error::other(format!(
                        "a frame of kind {kind:#x} from the server: {payload:?}"
                    )));
                }
            }
        }
        Ok(())
    }
}
