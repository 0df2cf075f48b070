//! Many clients, and your server.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use super::clock::SimClock;
use super::event_queue::EventQueue;
use super::frame::Frame;
use super::link::Link;
use super::one_way::LinkProfile;
use super::rng::Rng;
use crate::time::Timestamp;

/// Names a connection. No other connection gets the same name later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// What happens next in a [`Network`]. `M` is the type of the messages, `P` the type of the plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a simulation that ignores a new kind would be wrong; it must not compile"
)]
pub enum SimEvent<M, P> {
    /// The server's turn: it can read something, or its deadline has come. Read everything, poll, write.
    Server,
    /// A client's script receives this: a message, a Close (already answered), or the end of the transport.
    Client(ConnectionId, Frame<M>),
    /// The time of a plan has come.
    Planned(P),
}

/// A clock, and any number of clients that are connected to your server, each over its own [`Link`].
///
/// Use your server's real loop, with [`next_event`](Self::next_event) in place of the system's wait, and
/// [`read`](Self::read) and [`to_client`](Self::to_client) in place of the sockets. The clients are like browsers: they
/// answer pings and Closes by themselves, and their scripts, which you write too, see messages and the end.
/// [Plan](Self::plan) what happens at a given time, such as a closed lid or a message.
///
/// ```
/// use core::time::Duration;
/// use liveness::sim::{Frame, LinkProfile, Network, SimEvent};
/// use liveness::{Action, Config, Liveness, Timestamp};
///
/// let mut net = Network::<&str, &str>::new(7);
/// let ann = net.connect(LinkProfile::MOBILE, LinkProfile::MOBILE);
/// let mut server = Liveness::new(Config::DEFAULT, 1, net.now()); // for one client
/// let mut online = false;
///
/// net.plan(Timestamp::from_secs(60), "the server is swapped out");
/// net.plan(Timestamp::from_secs(7200), "the lid is closed");
/// while let Some(event) = net.next_event(server.poll_timeout()) {
///     match event {
///         SimEvent::Server => {
///             while let Some((_, frame)) = net.read() {
///                 server.handle(frame.event(), net.now());
///             }
///             while let Some(action) = server.poll(net.now()) {
///                 match action {
///                     Action::MarkOnline => online = true,
///                     Action::MarkOffline(_) => online = false,
///                     _ => {}
///                 }
///                 if let Some(frame) = Frame::from_action(action) {
///                     net.to_client(ann, frame);
///                 }
///             }
///         }
///         SimEvent::Planned("the server is swapped out") => net.stall(Duration::from_secs(300)),
///         SimEvent::Planned(_) => {
///             assert!(online, "nobody is dropped because the server slept");
///             net.link_mut(ann).expect("connected").cut(Timestamp::from_secs(7200));
///         }
///         SimEvent::Client(..) => {}
///     }
/// }
/// assert!(!online && server.is_finished());
/// assert!(net.now() < Timestamp::from_secs(7200 + 46));
/// ```
///
/// The simulated kernel takes every byte at once. A server with a `write_timeout` reports `Wrote`, and `PingSent` after a
/// ping, as soon as it has sent. [`OneWay::unsent`](super::OneWay::unsent) returns how many bytes still wait.
#[derive(Clone, Debug)]
pub struct Network<M, P = ()> {
    clock: SimClock,
    rng: Rng,
    connections: BTreeMap<ConnectionId, Connection<M>>,
    opened: u64,
    wakes: EventQueue<ConnectionId>,
    plans: EventQueue<P>,
    /// Frames in the server's kernel.
    unread: VecDeque<(ConnectionId, Frame<M>)>,
    back_at: Timestamp,
}

#[derive(Clone, Debug)]
struct Connection<M> {
    link: Link<Frame<M>>,
    /// The entry of `wakes` that counts. The end of time: none of them.
    wakes_at: Timestamp,
    answers: bool,
    /// The client has sent a Close, and sends no second one.
    closing: bool,
    client_gone: bool,
    server_gone: bool,
}

impl<M, P> Network<M, P> {
    /// A network without clients, at [`Timestamp::ZERO`]. The same calls with the same seed give the same events.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            clock: SimClock::new(),
            rng: Rng::new(seed),
            connections: BTreeMap::new(),
            opened: 0,
            wakes: EventQueue::new(),
            plans: EventQueue::new(),
            unread: VecDeque::new(),
            back_at: Timestamp::ZERO,
        }
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Connects a client: `up` is the direction to the server, `down` the way back. Your server must make a machine for it.
    pub fn connect(&mut self, up: LinkProfile, down: LinkProfile) -> ConnectionId {
        self.opened = self.opened.saturating_add(1);
        let id = ConnectionId(self.opened);
        let connection = Connection {
            link: Link::asymmetric(up, down, self.rng.next_u64()),
            wakes_at: Timestamp::MAX,
            answers: true,
            closing: false,
            client_gone: false,
            server_gone: false,
        };
        self.connections.insert(id, connection);
        id
    }

    /// Goes on to the next event and returns it. `due` is when your server's loop must be called even if nothing happens:
    /// its `poll_timeout`. `None`: nothing will ever happen again.
    ///
    /// At one moment, clients and plans come before the server, so that it reads everything that has arrived by then.
    pub fn next_event(&mut self, due: Option<Timestamp>) -> Option<SimEvent<M, P>> {
        loop {
            let server = if self.unread.is_empty() { due } else { Some(self.now()) };
            let server = server.map(|at| at.max(self.back_at));
            let now = self.clock.jump([self.wakes.next_at(), self.plans.next_at(), server])?;
            if let Some((at, id)) = self.wakes.pop_due(now) {
                if let Some(frame) = self.arrive(id, at) {
                    return Some(SimEvent::Client(id, frame));
                }
            } else if let Some((_, plan)) = self.plans.pop_due(now) {
                return Some(SimEvent::Planned(plan));
            } else {
                return Some(SimEvent::Server);
            }
        }
    }

    /// The next unread frame at the server, in the order of arrival. At [`SimEvent::Server`], call until `None`. While any
    /// frame is unread, the server's turn comes again at once.
    pub fn read(&mut self) -> Option<(ConnectionId, Frame<M>)> {
        while let Some((id, frame)) = self.unread.pop_front() {
            // Frames of a socket that the server has closed since are lost.
            if self.connections.get(&id).is_some_and(|connection| !connection.server_gone) {
                return Some((id, frame));
            }
        }
        None
    }

    /// Sends a frame from the server. After [`Frame::Fin`] the server has hung up: it receives and sends nothing more here.
    pub fn to_client(&mut self, id: ConnectionId, frame: Frame<M>) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&id).filter(|open| !open.server_gone) else { return };
        connection.server_gone = matches!(frame, Frame::Fin);
        let bytes = frame.bytes();
        connection.link.down.send(frame, bytes, now);
        self.rearm(id);
    }

    /// Sends a frame from a client. After [`Frame::Fin`] the client has hung up. A client that lost its connection must send
    /// it too, otherwise the network keeps the connection.
    pub fn to_server(&mut self, id: ConnectionId, frame: Frame<M>) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&id).filter(|open| !open.client_gone) else { return };
        connection.client_gone = matches!(frame, Frame::Fin);
        connection.closing |= matches!(frame, Frame::Close(_));
        let bytes = frame.bytes();
        connection.link.up.send(frame, bytes, now);
        self.rearm(id);
    }

    /// Plans an event for that moment; a past moment counts as now. Plans for one moment come in the order of the calls.
    pub fn plan(&mut self, at: Timestamp, plan: P) {
        self.plans.push(at, plan);
    }

    /// Stops the server for this long, from now: a garbage collection, a machine that swaps, a closed lid. Clients go on.
    pub fn stall(&mut self, lasts: Duration) {
        self.back_at = self.back_at.max(self.now().saturating_add(lasts));
    }

    /// Makes a client stop answering pings, although it still sends messages; or start again, with the pings from now on.
    pub fn set_answers(&mut self, id: ConnectionId, answers: bool) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.answers = answers;
        }
    }

    /// The link between a client and the server; `None` after both have hung up.
    #[must_use]
    pub fn link(&self, id: ConnectionId) -> Option<&Link<Frame<M>>> {
        self.connections.get(&id).map(|connection| &connection.link)
    }

    /// The link, for outages and cuts.
    pub fn link_mut(&mut self, id: ConnectionId) -> Option<&mut Link<Frame<M>>> {
        let now = self.now();
        let connection = self.connections.get_mut(&id)?;
        // The network checks the link again, because the caller may change it.
        connection.wakes_at = now;
        self.wakes.push(now, id);
        Some(&mut connection.link)
    }

    /// The number of connections that at least one end has not closed.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Takes what has arrived over a link. Frames for the server go into its kernel. Returns the first frame that a client's
    /// script sees.
    fn arrive(&mut self, id: ConnectionId, at: Timestamp) -> Option<Frame<M>> {
        let now = self.now();
        let connection = self.connections.get_mut(&id).filter(|connection| connection.wakes_at == at)?;
        connection.wakes_at = Timestamp::MAX;
        while let Some(frame) = connection.link.up.poll(now) {
            self.unread.push_back((id, frame));
        }
        let seen = connection.browse(now);
        self.rearm(id);
        seen
    }

    /// Plans the next check of the link, or forgets the link after both ends have hung up.
    fn rearm(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.client_gone && connection.server_gone {
            self.connections.remove(&id);
            return;
        }
        if let Some(due) = connection.link.poll_timeout().filter(|due| *due < connection.wakes_at) {
            connection.wakes_at = due;
            self.wakes.push(due, id);
        }
    }
}

impl<M> Connection<M> {
    /// Reads as a browser does, up to the first frame that its script sees.
    fn browse(&mut self, now: Timestamp) -> Option<Frame<M>> {
        while let Some(frame) = self.link.down.poll(now) {
            if self.client_gone {
                continue;
            }
            match frame {
                Frame::Ping(payload) if self.answers => {
                    let pong = Frame::Pong(payload);
                    let bytes = pong.bytes();
                    self.link.up.send(pong, bytes, now);
                }
                Frame::Ping(_) | Frame::Pong(_) | Frame::Part(_) => {}
                Frame::Close(code) => {
                    if !self.closing {
                        self.closing = true;
                        let echo = Frame::Close(code);
                        let bytes = echo.bytes();
                        self.link.up.send(echo, bytes, now);
                    }
                    return Some(frame);
                }
                Frame::Fin => {
                    self.client_gone = true;
                    return Some(frame);
                }
                Frame::Data(..) => return Some(frame),
            }
        }
        None
    }
}
