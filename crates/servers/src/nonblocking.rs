//! One client of a loop that serves many: a [`Connection`], its non-blocking socket, and what is known about the socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use liveness::driver::HANDSHAKE_TIMEOUT;
use liveness::driver::tungstenite::{Connection, Handshake};
use liveness::transcript::Recorder;
use liveness::{Action, Clock, Config, Timestamp, random_seed};
use tungstenite::Message;

use crate::{Args, complain};

/// How much one turn may read, and about how much it may write at a time. Then it is the next client's turn, however much
/// is left.
const SHARE: usize = 64 * 1024;
/// With more than this unsent, a client's messages wait. A client that does not take its answers must not make them pile
/// up here.
const OUTBOX: usize = 256 * 1024;
/// The size of a `flood`'s messages. A ping waits behind one or two of them.
const FLOOD_PART: usize = 64 * 1024;

/// A socket that does not block.
pub trait Socket: Read + Write {
    /// Ends the writing half: nothing more will be written.
    fn shut_write(&self);
}

impl Socket for TcpStream {
    fn shut_write(&self) {
        // It fails if the connection is gone already, which is fine.
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Socket for mio::net::TcpStream {
    fn shut_write(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

pub struct Client<S> {
    number: usize,
    pub socket: S,
    stage: Stage,
    /// Whether the socket may have something to read, or room to write. True until it says `WouldBlock`.
    pub readable: bool,
    pub writable: bool,
    /// Bytes of a `flood` that are not made yet.
    flood: u64,
}

enum Stage {
    Opening(Handshake<'static>, Timestamp),
    Open(Box<Connection>),
}

impl<S: Socket> Client<S> {
    /// A client that has just connected.
    pub fn new(socket: S, number: usize, now: Timestamp) -> Self {
        // A small buffer, because there are many idle clients.
        let handshake = Handshake::server(Some(crate::limits().read_buffer_size(4096)));
        let stage = Stage::Opening(handshake, now + HANDSHAKE_TIMEOUT);
        Self { number, socket, stage, readable: true, writable: true, flood: 0 }
    }

    /// Moves bytes, then judges. Returns when to come back if nothing happens; `None` if the client is gone.
    pub fn turn(&mut self, args: &Args, config: Config, clock: Clock) -> Option<Timestamp> {
        if let Stage::Opening(handshake, deadline) = &mut self.stage {
            let now = clock.now();
            let opened = loop {
                match (handshake.read_from(&mut self.socket), handshake.poll()) {
                    (_, Ok(Some(opened))) => break opened,
                    (Ok(1..), Ok(None)) => {}
                    (Err(error), Ok(None)) if error.kind() == ErrorKind::WouldBlock && now < *deadline => {
                        self.readable = false;
                        return Some(*deadline);
                    }
                    _ => {
                        // A refusal, if there is one.
                        let _ = handshake.write_to(&mut self.socket);
                        return None;
                    }
                }
            };
            let mut peer = opened.watch(config, random_seed(), now);
            match args.record(self.number) {
                Ok(None) => {}
                Ok(Some(sink)) => peer.observe(Recorder::new(sink), now),
                Err(error) => {
                    complain(format_args!("a client was turned away: {error}"));
                    return None;
                }
            }
            self.stage = Stage::Open(Box::new(peer));
        }
        // The time is taken before the reading, because more may have come by a later time.
        let now = clock.now();
        self.write(clock);
        self.read(now);
        let mut gone = self.judge(now, clock);
        self.write(clock);
        let Stage::Open(peer) = &mut self.stage else { return None };
        if peer.wants_shutdown() {
            self.socket.shut_write();
            peer.shut(now);
            gone |= self.judge(now, clock);
        }
        let Stage::Open(peer) = &self.stage else { return None };
        (!gone).then(|| peer.poll_timeout(now).unwrap_or(Timestamp::MAX))
    }

    /// Whether to wait for something to read, and whether to wait for room to write.
    pub fn wants(&self, now: Timestamp) -> (bool, bool) {
        match &self.stage {
            Stage::Opening(handshake, _) => (true, handshake.wants_write()),
            Stage::Open(peer) => (peer.wants_read(now), peer.wants_write()),
        }
    }

    fn read(&mut self, now: Timestamp) {
        let Stage::Open(peer) = &mut self.stage else { return };
        let mut share = SHARE;
        loop {
            answer(peer, &mut self.flood, now);
            if !self.readable || share == 0 || !peer.wants_read(now) {
                return;
            }
            match peer.read_from(&mut self.socket, now) {
                Ok(count) => share = if count == 0 { 0 } else { share.saturating_sub(count) },
                Err(_) => self.readable = false,
            }
        }
    }

    fn write(&mut self, clock: Clock) {
        let Stage::Open(peer) = &mut self.stage else { return };
        let mut share = SHARE;
        while self.writable && share > 0 && peer.wants_write() {
            match peer.write_to(&mut self.socket, clock.now()) {
                // The write failed. The peer's last messages may be unread.
                Ok(0) => self.readable = true,
                Ok(count) => {
                    share = share.saturating_sub(count);
                    answer(peer, &mut self.flood, clock.now());
                }
                Err(_) => self.writable = false,
            }
        }
    }

    /// Returns whether the client is gone.
    fn judge(&mut self, now: Timestamp, clock: Clock) -> bool {
        let Stage::Open(peer) = &mut self.stage else { return false };
        let mut gone = false;
        while let Some(action) = peer.poll(now) {
            crate::print(action, self.number, clock);
            if action == Action::Disconnect {
                let _ = peer.write_rest(&mut self.socket);
                gone = true;
            }
        }
        gone
    }
}

/// Echoes what has come, and makes what was asked for, as long as the client takes it.
fn answer(peer: &mut Connection, flood: &mut u64, now: Timestamp) {
    loop {
        while *flood > 0 && peer.unsent() < FLOOD_PART {
            let part = FLOOD_PART.min(usize::try_from(*flood).unwrap_or(FLOOD_PART));
            *flood -= part as u64;
            if peer.send(Message::Binary(vec![0; part].into()), now).is_err() {
                *flood = 0;
            }
        }
        // What waits behind a failed write leaves never. Then everything is read, up to the end.
        if (*flood > 0 || peer.unsent() > OUTBOX) && peer.wants_write() {
            return;
        }
        let Some(message) = peer.recv(now) else { return };
        match message.to_text().ok().and_then(crate::flood) {
            Some(bytes) => *flood = bytes,
            // Refused once the end has begun.
            None => drop(peer.send(message, now)),
        }
    }
}
