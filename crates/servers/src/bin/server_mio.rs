//! A WebSocket server that knows who is there: one thread, mio, and one [`Fleet`] for all of its clients.
//!
//! `cargo run -p liveness-servers --bin server_mio -- --interval 5s --timeout 10s`
//!
//! No driver of the crate's is in here: this is the loop to copy for io_uring, smol, glommio or one of your own.
//! [`Server::run`] is that loop, [`Turn`] is what one client's turn does, [`Wire`] is where bytes move.
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

use std::collections::{BTreeMap, VecDeque};
use std::error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::time::Duration;

use clap::Parser;
use liveness::driver::{ErrorKind, tune};
use liveness::transcript::Recorder;
use liveness::{Action, Clock, CloseCode, Event, Fleet, Key, Reason, Status, Timestamp, random_seed};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tungstenite::handshake::server::{NoCallback, ServerHandshake};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message, WebSocket};

use liveness_servers::{Args, MIB, complain};

/// What one turn may read and write: then it is the next one's turn, however much there is still to do.
const READ_SHARE: usize = 64 * 1024;
const WRITE_SHARE: u64 = MIB as u64;
/// With more than this unsent, a peer is not read: what it does not take back, it may not pile up here.
const OUTBOX: usize = 256 * 1024;
/// The size of a `flood`'s messages. A ping waits behind one or two of them.
const FLOOD_PART: usize = 64 * 1024;
/// A peer that goes on sending after its verdict is read this much at a time, with a cooldown after, so that a flood costs next to
/// nothing: the kernel's buffers fill, and hold it back. A Close behind ten thousand messages is found within a second.
const MESSAGES_BEFORE_COOLDOWN: usize = 64;
const BYTES_BEFORE_COOLDOWN: usize = 16 * 1024;
const COOLDOWN: Duration = Duration::from_millis(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// An operating system's timer cannot always express more.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The token of an open connection is its key as a number, which is below 2^56. From here on they are ours.
///
/// Where a `usize` has 32 bits, which this line does not compile for, let the token be [`Key::index`]: an event that
/// comes late may then wake the place's next owner, who finds nothing to read.
const LISTENER: usize = 1 << 56;
/// That of the listener, plus the client's number.
const FIRST_HANDSHAKE: usize = LISTENER + 1;

/// One thread's clients, and whose turn is next.
struct Server {
    args: Args,
    clock: Clock,
    poll: Poll,
    listener: TcpListener,
    /// A file to do without when there are no more: it takes one to turn a client away.
    spare: Option<UdpSocket>,
    /// How many clients have come.
    accepted: usize,
    /// Those who are not open yet, by their tokens: whoever came first is first, and has the first deadline.
    handshakes: BTreeMap<usize, (Handshake, Timestamp)>,
    /// Decides about all that are open.
    fleet: Fleet,
    /// Their sockets, by [`Key::index`].
    peers: Vec<Option<Box<Peer>>>,
    /// The tokens of those who have something to do now.
    turns: VecDeque<usize>,
    /// Those who wait for a while before their turn, in the order of their time.
    cooling_down: VecDeque<(Timestamp, usize)>,
}

type Handshake = MidHandshake<ServerHandshake<Wire, NoCallback>>;

/// The socket of an open connection. The machine that judges its peer is in the fleet.
struct Peer {
    key: Key,
    number: usize,
    socket: WebSocket<Wire>,
    /// It is in `turns` or `cooling_down`.
    queued: bool,
    /// Bytes of a `flood` still to be made.
    flood: u64,
    /// Where in the stream of all bytes sent the outstanding ping ends.
    ping_end: Option<u64>,
    /// Too much is unsent, and the machine knows that we do not listen.
    paused: bool,
    /// Nothing that arrives can be understood any more; it is only waited for to end.
    discarding: bool,
    /// Our Close is in the outbox.
    close_queued: bool,
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let args = Args::parse();
    // We report each byte that moves, so a ping has a clock for its writing.
    let fleet = Fleet::new(args.config()?.for_drivers(), random_seed());
    let listener = args.listen()?;
    listener.set_nonblocking(true)?;
    let (poll, mut listener) = (Poll::new()?, TcpListener::from_std(listener));
    poll.registry().register(&mut listener, Token(LISTENER), Interest::READABLE)?;
    let mut server = Server {
        args,
        clock: Clock::new(),
        poll,
        listener,
        spare: spare(),
        accepted: 0,
        handshakes: BTreeMap::new(),
        fleet,
        peers: Vec::new(),
        turns: VecDeque::new(),
        cooling_down: VecDeque::new(),
    };
    Ok(server.run()?)
}

impl Server {
    /// Wait, read, judge: the whole use of the fleet.
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.wait(&mut events)?;
            // The clock's, for a deadline says when we meant to look; and from before the reading: by later, more has come.
            let now = self.clock.now();
            for event in &events {
                self.wake(event.token().0);
            }
            self.end_cooldowns(now);
            // Who queues again meanwhile comes after the next look at the sockets.
            for token in std::mem::take(&mut self.turns) {
                match token {
                    LISTENER => self.accept(),
                    FIRST_HANDSHAKE.. => self.open(token),
                    key => self.turn(Key::from_bits(key as u64)),
                }
            }
            // There is more than was asked for, and some of it may be an answer. Soon there is room for all.
            if events.iter().count() == events.capacity() {
                events = Events::with_capacity(2 * events.capacity());
                continue;
            }
            // Read before you poll: an answer that lies unread in the kernel has not been heard. One time for all, so that
            // between two looks at a deadline the sockets are always read. Where this stops early, `poll_timeout` is the
            // present, and we come straight back.
            while let Some((key, action)) = self.fleet.poll(now) {
                self.carry_out(key, action);
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let handshake = self.handshakes.first_key_value().map(|(_, (_, deadline))| *deadline);
        let cooldown = self.cooling_down.front().map(|(until, _)| *until);
        let next = [self.fleet.poll_timeout(), handshake, cooldown].into_iter().flatten().min();
        let left = self.clock.until(next).unwrap_or(LONGEST_WAIT);
        let left = if self.turns.is_empty() { left.min(LONGEST_WAIT) } else { Duration::ZERO };
        match self.poll.poll(events, Some(left)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives a turn, for an event. Whom it was for may be gone: a stale key finds nobody.
    fn wake(&mut self, token: usize) {
        if token >= LISTENER {
            return self.turns.push_back(token);
        }
        if let Some(turn) = self.peer(Key::from_bits(token as u64)) {
            let wire = turn.peer.socket.get_mut();
            (wire.readable, wire.writable) = (true, true);
            if !std::mem::replace(&mut turn.peer.queued, true) {
                self.turns.push_back(token);
            }
        }
    }

    /// Gives a turn to those who have waited, and the last one to handshakes that took too long.
    fn end_cooldowns(&mut self, now: Timestamp) {
        let over = self.cooling_down.partition_point(|(until, _)| *until <= now);
        self.turns.extend(self.cooling_down.drain(..over).map(|(_, token)| token));
        let late = self.handshakes.iter().take_while(|(_, (_, deadline))| *deadline <= now);
        self.turns.extend(late.map(|(token, _)| *token));
    }

    fn cool_down(&mut self, token: usize) {
        self.cooling_down.push_back((self.clock.now() + COOLDOWN, token));
    }

    fn peer(&mut self, key: Key) -> Option<Turn<'_>> {
        let peer = self.peers.get_mut(key.index())?.as_mut().filter(|peer| peer.key == key)?;
        Some(Turn { fleet: &mut self.fleet, clock: self.clock, peer })
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.greet(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => {
                    // Out of files. Left alone, the client would wait unserved, and its edge would not come again.
                    self.spare = None;
                    let turned_away = self.listener.accept().is_ok();
                    self.spare = spare();
                    if !turned_away {
                        return self.cool_down(LISTENER);
                    }
                    complain(format_args!("a client was turned away: {error}"));
                }
            }
        }
    }

    fn greet(&mut self, mut stream: TcpStream) {
        let (token, both) = (FIRST_HANDSHAKE + self.accepted, Interest::READABLE | Interest::WRITABLE);
        self.accepted += 1;
        if self.poll.registry().register(&mut stream, Token(token), both).is_err() {
            return;
        }
        tune(&stream);
        // Frames go into the wire's outbox at once, where they are counted; small buffers, for many idle clients.
        let settings = liveness_servers::limits().read_buffer_size(4096).write_buffer_size(0);
        let handshake = ServerHandshake::start(Wire::new(stream), NoCallback, Some(settings));
        self.handshakes.insert(token, (handshake, self.clock.now() + HANDSHAKE_TIMEOUT));
        self.turns.push_back(token);
    }

    /// Goes on with the opening handshake. It has a deadline of its own; the fleet only knows who is open.
    fn open(&mut self, token: usize) {
        let Some((mut handshake, deadline)) = self.handshakes.remove(&token) else { return };
        let now = self.clock.now();
        let wire = handshake.get_mut().get_mut();
        (wire.readable, wire.share) = (true, READ_SHARE);
        match handshake.handshake() {
            Ok(socket) => self.welcome(token - FIRST_HANDSHAKE + 1, socket).unwrap_or_else(|error| {
                complain(format_args!("a client was turned away: {error}"));
            }),
            Err(HandshakeError::Interrupted(handshake)) if now < deadline => {
                self.handshakes.insert(token, (handshake, deadline));
            }
            Err(_) => {}
        }
    }

    fn welcome(&mut self, number: usize, mut socket: WebSocket<Wire>) -> Result<(), Box<dyn error::Error>> {
        let now = self.clock.now();
        let record = self.args.record(number)?;
        let key = self.fleet.insert(now)?;
        if let Some(sink) = record {
            self.fleet.observe(key, Recorder::new(sink), now)?;
        }
        let (token, both) = (token(key), Interest::READABLE | Interest::WRITABLE);
        if let Err(error) = self.poll.registry().reregister(&mut socket.get_mut().stream, Token(token), both)
        {
            self.fleet.remove(key)?;
            return Err(error.into());
        }
        let peer = Peer {
            key,
            number,
            socket,
            queued: true,
            flood: 0,
            ping_end: None,
            paused: false,
            discarding: false,
            close_queued: false,
        };
        if self.peers.len() <= key.index() {
            self.peers.resize_with(key.index() + 1, || None);
        }
        self.peers[key.index()] = Some(Box::new(peer));
        self.turns.push_back(token);
        Ok(())
    }

    fn turn(&mut self, key: Key) {
        let Some(mut turn) = self.peer(key) else { return };
        let received = turn.wire().received;
        turn.receive();
        turn.send();
        turn.tell_if_unread();
        let over = turn.is_offline();
        // After the verdict, a peer that still talks waits a while before it is read again: else each of its bytes would cost a turn.
        let more = turn.has_more() || (over && turn.wire().received > received);
        turn.peer.queued = more;
        match more {
            true if over => self.cool_down(token(key)),
            true => self.turns.push_back(token(key)),
            false => {}
        }
    }

    /// What it makes us write goes out in the peer's next turn, after this round of polls.
    fn carry_out(&mut self, key: Key, action: Action) {
        let clock = self.clock;
        let Some(mut turn) = self.peer(key) else { return };
        liveness_servers::print(action, turn.peer.number, clock);
        match action {
            Action::SendPing(payload) => {
                turn.write(Message::Ping(payload.as_bytes().to_vec().into()));
                // Handed out, not sent: it waits behind everything that the peer has not taken.
                turn.peer.ping_end = Some(turn.wire().sent + turn.wire().outbox.len() as u64);
            }
            Action::Close(code) => turn.close(code),
            Action::Disconnect => {
                // The key is stale from here, and nothing else holds any of it.
                turn.wire().shutdown(Shutdown::Both);
                self.peers[key.index()] = None;
                return;
            }
            Action::MarkOnline | Action::MarkSuspect | Action::MarkOffline(_) => return,
        }
        if !std::mem::replace(&mut turn.peer.queued, true) {
            self.turns.push_back(token(key));
        }
    }
}

fn token(key: Key) -> usize {
    key.to_bits() as usize
}

fn spare() -> Option<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0").ok()
}

/// One client, and the fleet that is told what becomes of it.
struct Turn<'a> {
    fleet: &'a mut Fleet,
    clock: Clock,
    peer: &'a mut Peer,
}

impl Turn<'_> {
    /// Reads a share: to the end of what has arrived, or until the outbox is full or the verdict falls.
    fn receive(&mut self) {
        let judged = self.is_offline();
        let (bytes, mut messages) =
            if judged { (BYTES_BEFORE_COOLDOWN, MESSAGES_BEFORE_COOLDOWN) } else { (READ_SHARE, usize::MAX) };
        self.wire().share = bytes;
        while !self.peer.discarding && messages > 0 && self.may_read() && (judged || !self.is_offline()) {
            messages -= 1;
            let received = self.wire().received;
            match self.peer.socket.read() {
                // After the verdict nothing but a Close, or the end, can change anything.
                Ok(message) if judged && !message.is_close() => {}
                Ok(message) => self.on_message(message),
                Err(error) => {
                    // Part of a frame, perhaps, and of one so large that no pong can come for a minute.
                    if self.wire().received > received {
                        self.handle(Event::Progress);
                    }
                    self.on_error(error);
                    break;
                }
            }
            if self.wire().outbox.len() > OUTBOX {
                self.send();
            }
        }
        // Not more than the share of this turn either.
        let mut scrap = [0; 4096];
        while self.peer.discarding && self.wire().read(&mut scrap).is_ok_and(|count| count > 0) {}
        if self.wire().ended {
            self.handle(Event::Eof);
        }
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => {
                self.handle(Event::Data);
                if !self.is_offline() {
                    self.answer(message);
                }
            }
            // Tungstenite has its pong ready, and sends it with the next read.
            Message::Ping(_) => self.handle(Event::Ping),
            Message::Pong(payload) => self.handle(Event::Pong(&payload)),
            Message::Close(frame) => self.handle(Event::Close(frame.map(|frame| frame.code.into()))),
        }
    }

    fn answer(&mut self, message: Message) {
        let wanted = if let Message::Text(text) = &message { liveness_servers::flood(text) } else { None };
        match wanted {
            Some(bytes) => self.peer.flood = self.peer.flood.saturating_add(bytes),
            None => self.write(message),
        }
    }

    /// Sorts tungstenite's errors: not now, all is said, the transport is gone, or the peer broke the rules.
    fn on_error(&mut self, error: Error) {
        match ErrorKind::from(&error) {
            // Or not now: the wire knows whether this is the end.
            ErrorKind::Transport => return,
            ErrorKind::Closed => {}
            // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
            ErrorKind::Protocol(code) => self.handle(Event::Violation(code)),
            ErrorKind::Rejected => {
                let _ = self.fleet.close(self.peer.key, CloseCode::INTERNAL_ERROR, self.clock.now());
            }
            other => complain(format_args!("{other:?} is new here: {error}")),
        }
        self.peer.discarding = true;
    }

    fn close(&mut self, code: Option<CloseCode>) {
        (self.peer.flood, self.peer.close_queued) = (0, true);
        let verdict = self.fleet.verdict(self.peer.key).ok().flatten();
        let reason = verdict.map_or("", Reason::description).into();
        let closed = match verdict {
            // Tungstenite has the echo ready.
            Some(Reason::PeerClosed(_)) => self.peer.socket.flush(),
            // A pong that it has ready goes first: the Close is the last frame.
            _ => self.peer.socket.flush().and_then(|()| {
                self.peer.socket.close(code.map(|code| CloseFrame { code: code.get().into(), reason }))
            }),
        };
        closed.unwrap_or_else(|error| self.on_error(error));
    }

    fn write(&mut self, message: Message) {
        self.peer.socket.write(message).unwrap_or_else(|error| self.on_error(error));
    }

    /// Sends a share of what waits, and tells the machine what became of it.
    fn send(&mut self) {
        while self.peer.flood > 0 && self.wire().outbox.len() < FLOOD_PART {
            let part = FLOOD_PART.min(usize::try_from(self.peer.flood).unwrap_or(FLOOD_PART));
            self.peer.flood -= part as u64;
            self.write(Message::Binary(vec![0; part].into()));
        }
        if self.wire().send() {
            self.handle(Event::Wrote);
        }
        // Only from here can the peer answer, so only from here does its time run.
        if self.peer.ping_end.is_some_and(|end| end <= self.wire().sent) {
            self.peer.ping_end = None;
            self.handle(Event::PingSent);
        }
        let unsent = self.wire().outbox.len();
        if !self.peer.paused && unsent > OUTBOX {
            // From here its answers go unheard, so the machine must not wait for them. It watches our bytes go instead.
            self.peer.paused = true;
            self.handle(Event::ReadPaused);
        } else if self.peer.paused && unsent <= OUTBOX / 2 {
            self.peer.paused = false;
            self.handle(Event::ReadResumed);
        }
        if self.peer.discarding && self.peer.close_queued && unsent == 0 {
            // Our Close is out: tell the peer that nothing more will come, so that it hangs up.
            self.wire().shutdown(Shutdown::Write);
        }
    }

    /// A verdict that what lies unread may refute is put off, within the machine's bound.
    fn tell_if_unread(&mut self) {
        if self.wire().readable && !self.peer.paused {
            self.handle(Event::Unread);
        }
    }

    fn has_more(&mut self) -> bool {
        let to_send = self.peer.flood > 0 || !self.wire().outbox.is_empty();
        (self.wire().readable && self.may_read()) || (self.wire().writable && to_send)
    }

    /// The time is the clock's at each event, for a turn may be long, and be stopped. The key is never stale here: a peer
    /// is in the table for as long as its machine is in the fleet.
    fn handle(&mut self, event: Event<'_>) {
        let _ = self.fleet.handle(self.peer.key, event, self.clock.now());
    }

    /// After the verdict what arrives is dropped, and needs no room.
    fn may_read(&self) -> bool {
        !self.peer.paused || self.is_offline()
    }

    fn is_offline(&self) -> bool {
        self.fleet.status(self.peer.key) == Ok(Status::Offline)
    }

    fn wire(&mut self) -> &mut Wire {
        self.peer.socket.get_mut()
    }
}

/// A socket that counts the bytes that move: what tungstenite reads from and writes to.
struct Wire {
    stream: TcpStream,
    /// From an edge until a read says `WouldBlock`, which tungstenite asks for only after every frame before it. So
    /// where this is false, everything that had arrived has been handled.
    readable: bool,
    writable: bool,
    /// The peer sends no more, or the socket failed.
    ended: bool,
    received: u64,
    sent: u64,
    /// What may still be read in this turn.
    share: usize,
    outbox: VecDeque<u8>,
}

impl Wire {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            readable: true,
            writable: true,
            ended: false,
            received: 0,
            sent: 0,
            share: 0,
            outbox: VecDeque::new(),
        }
    }

    /// Sends a share of the outbox; whether any of it went.
    fn send(&mut self) -> bool {
        let before = self.sent;
        while self.writable && !self.outbox.is_empty() && self.sent - before < WRITE_SHARE {
            match self.stream.write(self.outbox.as_slices().0) {
                Ok(count) => {
                    self.outbox.drain(..count);
                    self.sent += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(_) => {
                    // What the peer said before it left may lie unread. Reading goes on, and finds the end.
                    self.shutdown(Shutdown::Both);
                    self.outbox.clear();
                    self.readable = true;
                }
            }
        }
        if self.outbox.is_empty() {
            self.outbox.shrink_to(FLOOD_PART);
        }
        self.sent > before
    }

    fn shutdown(&self, how: Shutdown) {
        // It fails where the connection is gone already, which is what was wanted.
        let _ = self.stream.shutdown(how);
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let asked = buffer.len().min(self.share);
        if !self.readable || asked == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = self.stream.read(&mut buffer[..asked]);
        let count = *result.as_ref().unwrap_or(&0);
        self.received += count as u64;
        self.share -= count;
        match &result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Ok(1..) => {}
            Ok(0) | Err(_) => (self.ended, self.readable) = (true, false),
        }
        result
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.outbox.extend(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
