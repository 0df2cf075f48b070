//! One client's turn in the hand-written loops, over a socket of the test's own: what it does, and what it leaves.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use clap::Parser as _;
use liveness::{Clock, Config};
use liveness_servers::Args;
use liveness_servers::nonblocking::{Client, Socket};
use liveness_testing::raw_peer::{BINARY, REQUEST, TEXT, frame};

/// It gives what is in `input`, and takes as much as there is room for.
struct Fake {
    input: VecDeque<u8>,
    room: usize,
    written: usize,
    is_reset: bool,
}

impl Read for Fake {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer)? {
            0 if self.is_reset => Err(ErrorKind::ConnectionReset.into()),
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Fake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        self.room -= count;
        self.written += count;
        match count {
            0 if self.is_reset => Err(ErrorKind::BrokenPipe.into()),
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Fake {
    fn shut_write(&self) {}
}

struct Turns {
    client: Client<Fake>,
    args: Args,
    clock: Clock,
}

impl Turns {
    fn new(input: &[u8], room: usize) -> Self {
        let input = input.iter().copied().collect();
        let (clock, socket) = (Clock::new(), Fake { input, room, written: 0, is_reset: false });
        Self { client: Client::new(socket, 1, clock.now()), args: Args::parse_from(["turns"]), clock }
    }

    /// True if the client is still there.
    fn turn(&mut self) -> bool {
        self.client.turn(&self.args, Config::DEFAULT, self.clock).is_some()
    }

    fn hear(&mut self, bytes: Vec<u8>) {
        self.client.socket.input = bytes.into();
        self.client.readable = true;
    }

    /// True if a loop must give another turn at once.
    fn is_busy(&self) -> bool {
        let (reads, writes) = self.client.wants(self.clock.now());
        (reads && self.client.readable) || (writes && self.client.writable)
    }
}

#[test]
fn who_says_nothing_gets_no_turn_until_something_happens() {
    for request in [&b""[..], &REQUEST[..30]] {
        let mut turns = Turns::new(request, usize::MAX);
        assert!(turns.turn());
        assert!(!turns.is_busy(), "the loop spins until the handshake's deadline");
    }
}

#[test]
fn a_turn_ends_however_fast_the_client_reads() {
    let mut turns = Turns::new(REQUEST, usize::MAX);
    assert!(turns.turn());
    turns.hear(frame(TEXT, b"flood 50000000"));
    assert!(turns.turn());
    assert!(turns.client.socket.written < 1 << 20, "{} bytes in one turn", turns.client.socket.written);
    while turns.is_busy() {
        assert!(turns.turn());
    }
    assert!(turns.client.socket.written > 50_000_000);
}

#[test]
fn a_reset_is_found_behind_all_that_was_sent_before_it() {
    let mut turns = Turns::new(REQUEST, 1000);
    assert!(turns.turn());
    // Its answers are more than are kept for it, so not everything is read.
    turns.hear(frame(BINARY, &[7; 10_000]).repeat(500));
    while turns.is_busy() {
        assert!(turns.turn());
    }
    assert!(!turns.client.socket.input.is_empty());
    turns.client.socket.is_reset = true;
    (turns.client.readable, turns.client.writable) = (true, true);
    while turns.turn() {
        assert!(turns.is_busy(), "{} bytes stay unread", turns.client.socket.input.len());
    }
}
