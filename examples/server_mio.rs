//! A WebSocket server that knows who is there: one thread, mio, and the machine by hand.
//!
//! `cargo run --example server_mio -- --interval 5s --timeout 10s`
//!
//! No driver of the crate's is in here: this is the loop to copy for io_uring, smol, glommio or one of your own.
//! [`Server`] decides whose turn it is, [`Conversation::turn`] is what a turn does, [`Wire`] is where bytes move.
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

mod server;

use std::collections::{BTreeSet, HashMap, VecDeque, hash_map::RandomState};
use std::error;
use std::hash::BuildHasher as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::time::Duration;

use clap::Parser;
use liveness::driver::{Fault, tune};
use liveness::transcript::Recorder;
use liveness::{Action, Clock, CloseCode, Config, Event, Liveness, Machine, Reason, Status, Timestamp};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tungstenite::handshake::server::{NoCallback, ServerHandshake};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message, WebSocket};

use server::{Args, MIB, complain};

/// What one turn may read and write: then it is the next one's turn, however much there is still to do.
const READ_SHARE: usize = 64 * 1024;
const WRITE_SHARE: u64 = MIB as u64;
/// With more than this unsent, a peer is not read: what it does not take back, it may not pile up here.
const OUTBOX: usize = 256 * 1024;
/// The size of a `flood`'s messages. A ping waits behind one or two of them.
const FLOOD_PART: usize = 64 * 1024;
/// A peer that sends faster than its turns read is judged after so many: more bytes than a kernel keeps.
const TURNS_BEFORE_VERDICT: u32 = 1024;
/// A peer that goes on sending after its verdict is read this often, and costs next to nothing.
const REST: Duration = Duration::from_millis(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// An operating system's timer cannot always express more.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
const LISTENER: usize = 0;
const AT_ONCE: Timestamp = Timestamp::ZERO;

/// One thread's clients, and whose turn is next.
struct Server {
    args: Args,
    config: Config,
    clock: Clock,
    poll: Poll,
    listener: TcpListener,
    /// A file to do without when there are no more: it takes one to turn a client away.
    spare: Option<UdpSocket>,
    /// The latest client's number and token. None is used again, so an event that comes late finds nobody.
    accepted: usize,
    peers: HashMap<usize, Peer>,
    /// Who has something to do now.
    turns: VecDeque<usize>,
    /// Who has something to do later: one entry each, at most.
    deadlines: BTreeSet<(Timestamp, usize)>,
}

struct Peer {
    stage: Stage,
    /// It is in `turns`.
    queued: bool,
    /// The time of its entry in `deadlines`, never later than it is due; `MAX` for none.
    armed: Timestamp,
}

enum Stage {
    Opening(Handshake, Timestamp),
    Open(Conversation),
}

type Handshake = MidHandshake<ServerHandshake<Wire, NoCallback>>;

fn main() -> Result<(), Box<dyn error::Error>> {
    let args = Args::parse();
    // We report each byte that moves, so a ping has a clock for its writing.
    let config = args.config()?.driven();
    let listener = args.listen()?;
    listener.set_nonblocking(true)?;
    let (poll, mut listener) = (Poll::new()?, TcpListener::from_std(listener));
    poll.registry().register(&mut listener, Token(LISTENER), Interest::READABLE)?;
    let (clock, spare, accepted) = (Clock::new(), spare(), LISTENER);
    let (peers, turns, deadlines) = (HashMap::new(), VecDeque::new(), BTreeSet::new());
    Server { args, config, clock, poll, listener, spare, accepted, peers, turns, deadlines }.run()?;
    Ok(())
}

impl Server {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.wait(&mut events)?;
            for event in &events {
                self.wake(event.token().0);
            }
            let now = self.clock.now();
            while let Some(entry) = self.deadlines.first().copied().filter(|(due, _)| *due <= now) {
                self.deadlines.remove(&entry);
                if let Some(peer) = self.peers.get_mut(&entry.1) {
                    peer.armed = Timestamp::MAX;
                }
                self.wake(entry.1);
            }
            // Who queues again meanwhile comes after the next look at the sockets.
            for token in std::mem::take(&mut self.turns) {
                if token == LISTENER { self.accept() } else { self.turn(token) }
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let left = self.deadlines.first().map(|(due, _)| due.saturating_duration_since(self.clock.now()));
        let left = if self.turns.is_empty() { left.unwrap_or(LONGEST_WAIT) } else { Duration::ZERO };
        match self.poll.poll(events, Some(left.min(LONGEST_WAIT))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives a turn, for an event or a deadline. Either way the turn asks the socket itself: the deadline may be
    /// served before the event that tells of the answer.
    fn wake(&mut self, token: usize) {
        if token == LISTENER {
            return self.turns.push_back(token);
        }
        let Some(peer) = self.peers.get_mut(&token) else { return };
        let wire = match &mut peer.stage {
            Stage::Opening(handshake, _) => handshake.get_mut().get_mut(),
            Stage::Open(conversation) => conversation.wire(),
        };
        (wire.readable, wire.writable) = (true, true);
        if !std::mem::replace(&mut peer.queued, true) {
            self.turns.push_back(token);
        }
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.greet(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    // Out of files. Left alone, the client would wait unserved, and its edge would not come again.
                    complain(format_args!("a client was turned away: {error}"));
                    self.spare = None;
                    let turned_away = self.listener.accept().is_ok();
                    self.spare = spare();
                    if !turned_away {
                        self.deadlines.insert((self.clock.now() + ACCEPT_AGAIN, LISTENER));
                        return;
                    }
                }
            }
        }
    }

    fn greet(&mut self, mut stream: TcpStream) {
        self.accepted += 1;
        let (token, both) = (self.accepted, Interest::READABLE | Interest::WRITABLE);
        if self.poll.registry().register(&mut stream, Token(token), both).is_err() {
            return;
        }
        tune(&stream);
        // Frames go into the wire's outbox at once, where they are counted; small buffers, for many idle clients.
        let settings = server::limits().read_buffer_size(4096).write_buffer_size(0);
        let handshake = ServerHandshake::start(Wire::new(stream), NoCallback, Some(settings));
        let stage = Stage::Opening(handshake, self.clock.now() + HANDSHAKE_TIMEOUT);
        self.peers.insert(token, Peer { stage, queued: false, armed: Timestamp::MAX });
        self.wake(token);
    }

    fn turn(&mut self, token: usize) {
        let Some(Peer { stage, mut armed, .. }) = self.peers.remove(&token) else { return };
        let next = match stage {
            Stage::Opening(handshake, deadline) => self.open(token, handshake, deadline),
            Stage::Open(conversation) => conversation.turn(),
        };
        let Some((stage, due)) = next else {
            // The socket is closed and everything freed, for nothing else holds any of it.
            self.deadlines.remove(&(armed, token));
            return;
        };
        let queued = due == AT_ONCE;
        if queued {
            self.turns.push_back(token);
        } else if due < armed {
            // The other way round, a deadline put off, as by all traffic, costs nothing: its entry fires early, once.
            self.deadlines.remove(&(armed, token));
            self.deadlines.insert((due, token));
            armed = due;
        }
        self.peers.insert(token, Peer { stage, queued, armed });
    }

    /// Goes on with the opening handshake: the next stage, and when it wants a turn.
    fn open(
        &self,
        connection: usize,
        mut handshake: Handshake,
        deadline: Timestamp,
    ) -> Option<(Stage, Timestamp)> {
        let (clock, now) = (self.clock, self.clock.now());
        handshake.get_mut().get_mut().share = READ_SHARE;
        let socket = match handshake.handshake() {
            Ok(socket) => socket,
            Err(HandshakeError::Interrupted(handshake)) if now < deadline => {
                return Some((Stage::Opening(handshake, deadline), deadline));
            }
            Err(_) => return None,
        };
        let seed = RandomState::new().hash_one(connection);
        let complaint = |error| complain(format_args!("connection {connection}: no record: {error}"));
        let machine: Box<dyn Machine> = match self.args.record(connection).map_err(complaint).ok()? {
            None => Box::new(Liveness::new(self.config, seed, now)),
            Some(sink) => Box::new(Recorder::new(self.config, seed, now, sink)),
        };
        let (flood, ping_end, paused, deaf, unjudged, rests_until) = (0, None, false, false, 0, now);
        let mut conversation = Conversation {
            connection,
            clock,
            socket,
            machine,
            flood,
            ping_end,
            paused,
            deaf,
            unjudged,
            rests_until,
        };
        conversation.judge(now);
        conversation.turn()
    }
}

fn spare() -> Option<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0").ok()
}

/// An open WebSocket and the machine that judges its peer.
struct Conversation {
    connection: usize,
    clock: Clock,
    socket: WebSocket<Wire>,
    machine: Box<dyn Machine>,
    /// Bytes of a `flood` still to be made.
    flood: u64,
    /// Where in the stream of all bytes sent the outstanding ping ends.
    ping_end: Option<u64>,
    /// Too much is unsent, and the machine knows that we do not listen.
    paused: bool,
    /// Nothing that arrives can be understood any more; it is only waited for to end.
    deaf: bool,
    /// Turns since the last judgement, each of which left something unread.
    unjudged: u32,
    /// When to read next, after the verdict.
    rests_until: Timestamp,
}

impl Conversation {
    /// Write, read, judge, write: the whole use of the machine. Gives itself back with the time of its next turn, or
    /// nothing when it is over.
    fn turn(mut self) -> Option<(Stage, Timestamp)> {
        // The time of the judgement is taken before the reading: a process that is stopped in between judges nobody
        // by what it has not read. And from the clock: a deadline says when we meant to look, not when we do.
        let now = self.clock.now();
        self.send();
        if !self.is_offline() || self.rests_until <= now {
            self.rests_until = now + REST;
            self.receive();
        }
        self.unjudged += 1;
        // Read before you poll: an answer that lies unread in the kernel has not been heard.
        let all_heard = !self.wire().readable || !self.may_read() || self.unjudged >= TURNS_BEFORE_VERDICT;
        if all_heard || self.is_offline() {
            self.judge(now);
        }
        self.send();
        let wire = self.socket.get_ref();
        let to_send = self.flood > 0 || !wire.outbox.is_empty();
        let has_more = (wire.readable && self.may_read()) || (wire.writable && to_send);
        let liveness = self.machine.liveness();
        let due = liveness.poll_timeout().unwrap_or(Timestamp::MAX);
        let due = match has_more {
            true if self.is_offline() => due.min(self.rests_until),
            true => AT_ONCE,
            false => due,
        };
        (!liveness.is_finished()).then_some((Stage::Open(self), due))
    }

    fn judge(&mut self, now: Timestamp) {
        self.unjudged = 0;
        while let Some(action) = self.machine.poll(now) {
            match action {
                Action::SendPing(payload) => {
                    self.write(Message::Ping(payload.as_bytes().to_vec().into()));
                    // Handed out, not sent: it waits behind everything that the peer has not taken.
                    self.ping_end = Some(self.wire().sent + self.wire().outbox.len() as u64);
                }
                Action::Close(code) => self.close(code),
                Action::Disconnect => self.wire().shutdown(Shutdown::Both),
                Action::MarkOnline | Action::MarkSuspect | Action::MarkOffline(_) => {}
            }
            server::print(action, self.connection, self.clock);
        }
    }

    /// Reads a share: to the end of what has arrived, or until the outbox is full or the verdict falls.
    fn receive(&mut self) {
        self.wire().share = READ_SHARE;
        let judged = self.is_offline();
        while !self.deaf && self.may_read() && self.is_offline() == judged {
            let received = self.wire().received;
            match self.socket.read() {
                Ok(message) => self.arrived(message),
                Err(error) => {
                    // Part of a frame, perhaps, and of one so large that no pong can come for a minute.
                    if self.wire().received > received {
                        self.hear(Event::Progress);
                    }
                    self.failed(error);
                    break;
                }
            }
            if self.wire().outbox.len() > OUTBOX {
                self.send();
            }
        }
        let mut scrap = [0; 4096];
        while self.deaf && self.wire().read(&mut scrap).is_ok_and(|count| count > 0) {}
        if self.wire().ended {
            self.hear(Event::Eof);
        }
    }

    fn arrived(&mut self, message: Message) {
        match message {
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => {
                self.hear(Event::Data);
                if !self.is_offline() {
                    self.answer(message);
                }
            }
            // Tungstenite has its pong ready, and sends it with the next read.
            Message::Ping(_) => self.hear(Event::Ping),
            Message::Pong(payload) => self.hear(Event::Pong(&payload)),
            Message::Close(frame) => self.hear(Event::Close(frame.map(|frame| frame.code.into()))),
        }
    }

    fn answer(&mut self, message: Message) {
        let wanted = if let Message::Text(text) = &message { server::flood(text) } else { None };
        match wanted {
            Some(bytes) => self.flood = self.flood.saturating_add(bytes),
            None => self.write(message),
        }
    }

    /// Sorts tungstenite's errors: not now, all is said, the transport is gone, or the peer broke the rules.
    fn failed(&mut self, error: Error) {
        let code = match Fault::from(&error) {
            // Or not now: the wire knows whether this is the end.
            Fault::Gone => return,
            Fault::Over => {
                self.deaf = true;
                return;
            }
            Fault::Against(code) => code,
            Fault::Refused => CloseCode::INTERNAL_ERROR,
        };
        // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
        self.deaf = true;
        self.machine.close(code, self.clock.now());
    }

    fn close(&mut self, code: Option<CloseCode>) {
        self.flood = 0;
        let verdict = self.machine.liveness().verdict();
        let reason = verdict.map_or("", Reason::as_str).into();
        let said = match verdict {
            // Tungstenite has the echo ready.
            Some(Reason::PeerClosed(_)) => self.socket.flush(),
            // A pong that it has ready goes first: the Close is our last word.
            _ => self.socket.flush().and_then(|()| {
                self.socket.close(code.map(|code| CloseFrame { code: code.get().into(), reason }))
            }),
        };
        said.unwrap_or_else(|error| self.failed(error));
    }

    fn write(&mut self, message: Message) {
        self.socket.write(message).unwrap_or_else(|error| self.failed(error));
    }

    /// Sends a share of what waits, and tells the machine what became of it.
    fn send(&mut self) {
        while self.flood > 0 && self.wire().outbox.len() < FLOOD_PART {
            let part = FLOOD_PART.min(usize::try_from(self.flood).unwrap_or(FLOOD_PART));
            self.flood -= part as u64;
            self.write(Message::Binary(vec![0; part].into()));
        }
        if self.wire().send() {
            self.hear(Event::Wrote);
        }
        // Only from here can the peer answer, so only from here does its time run.
        if self.ping_end.is_some_and(|end| end <= self.wire().sent) {
            self.ping_end = None;
            self.hear(Event::PingSent);
        }
        let unsent = self.wire().outbox.len();
        if !self.paused && unsent > OUTBOX {
            // From here its answers go unheard, so the machine must not wait for them. It watches our bytes go instead.
            self.paused = true;
            self.hear(Event::ReadPaused);
        } else if self.paused && unsent <= OUTBOX / 2 {
            self.paused = false;
            self.hear(Event::ReadResumed);
        }
        if self.deaf && unsent == 0 {
            // Our last word is out: tell the peer, so that it hangs up.
            self.wire().shutdown(Shutdown::Write);
        }
    }

    /// The time is the clock's at each event, for a turn may be long, and be stopped.
    fn hear(&mut self, event: Event<'_>) {
        self.machine.handle(event, self.clock.now());
    }

    /// After the verdict what arrives is dropped, and needs no room.
    fn may_read(&self) -> bool {
        !self.paused || self.is_offline()
    }

    fn is_offline(&self) -> bool {
        self.machine.liveness().status() == Status::Offline
    }

    fn wire(&mut self) -> &mut Wire {
        self.socket.get_mut()
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
        let (received, sent, share, outbox) = (0, 0, 0, VecDeque::new());
        Self { stream, readable: true, writable: true, ended: false, received, sent, share, outbox }
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
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
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
            return Err(ErrorKind::WouldBlock.into());
        }
        let result = self.stream.read(&mut buffer[..asked]);
        let count = *result.as_ref().unwrap_or(&0);
        self.received += count as u64;
        self.share -= count;
        match &result {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(ErrorKind::WouldBlock.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
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
