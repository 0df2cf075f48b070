//! Two machines and a link between them.

use core::time::Duration;

use super::clock::SimClock;
use super::frame::Frame;
use super::link::Link;
use super::one_way::LinkProfile;
use super::rng::Rng;
use crate::config::Config;
use crate::event::{Action, Event};
use crate::liveness::Liveness;
use crate::time::Timestamp;

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two")]
pub enum End {
    /// The end that sends [`down`](Link::down).
    Server,
    /// The end that sends [`up`](Link::up).
    Client,
}

/// A server's machine, a client's machine, and a link between them. It shows how these settings behave on that network.
///
/// Each end has a correct driver: it reads everything that has arrived, polls, answers pings, writes what its machine wants,
/// and sleeps until the next moment. The kernel takes every byte at once, so a ping counts as sent when it is handed out,
/// whatever `write_timeout` is. For a browser, use a client whose `interval` and `timeout` are never.
///
/// ```
/// use core::time::Duration;
/// use liveness::sim::{End, LinkProfile, Pair};
/// use liveness::{Action, Config, Reason, Timestamp};
///
/// const BROWSER: Config = Config::builder().interval(Duration::MAX).timeout(Duration::MAX).build_const();
/// let mut pair = Pair::new(Config::DEFAULT, BROWSER, LinkProfile::MOBILE, 7);
///
/// // The connection survives a tunnel of fifteen seconds ...
/// pair.link.outage(Timestamp::from_secs(100), Duration::from_secs(15));
/// // ... and the machine detects a cut within the bound.
/// let cut = Timestamp::from_secs(1000);
/// pair.link.cut(cut);
/// let verdict = loop {
///     match pair.next_until(Timestamp::from_secs(2000)) {
///         Some((now, End::Server, Action::MarkOffline(Reason::PingTimeout))) => break now,
///         Some(_) => {}
///         None => panic!("nobody noticed"),
///     }
/// };
/// let bound = Config::DEFAULT.detection_bound(Duration::ZERO);
/// assert!(cut < verdict && verdict <= cut + bound);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pair {
    /// The link between them.
    pub link: Link<Frame<()>>,
    /// The server's machine, for questions and commands.
    pub server: Liveness,
    /// The client's machine.
    pub client: Liveness,
    clock: SimClock,
    server_back_at: Timestamp,
    client_back_at: Timestamp,
}

impl Pair {
    /// A connection that opened at [`Timestamp::ZERO`]. The seed determines all jitter.
    #[must_use]
    pub const fn new(server: Config, client: Config, profile: LinkProfile, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            link: Link::new(profile, rng.next_u64()),
            server: Liveness::new(server, rng.next_u64(), Timestamp::ZERO),
            client: Liveness::new(client, rng.next_u64(), Timestamp::ZERO),
            clock: SimClock::new(),
            server_back_at: Timestamp::ZERO,
            client_back_at: Timestamp::ZERO,
        }
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Goes on until an end does something. Returns when, which end, and what. `None`: nothing happens up to and including
    /// that moment, which is now the present.
    ///
    /// The pair has already carried out the action. Two healthy ends never stop, so this needs a limit.
    pub fn next_until(&mut self, until: Timestamp) -> Option<(Timestamp, End, Action)> {
        loop {
            for end in [End::Server, End::Client] {
                if let Some(action) = self.turn(end) {
                    return Some((self.now(), end, action));
                }
            }
            let due = self.due(End::Server).min(self.due(End::Client));
            if due > until {
                self.clock.advance_to(until);
                return None;
            }
            self.clock.advance_to(due);
        }
    }

    /// Sends a message of this many bytes from that end, now. Does nothing after the verdict of that end's machine.
    pub fn send(&mut self, from: End, bytes: usize) {
        if self.machine(from).verdict().is_none() {
            self.write(from, Frame::Data((), bytes));
        }
    }

    /// Stops that end for this long, from now: its process does nothing, and what arrives stays unread.
    pub fn stall(&mut self, end: End, lasts: Duration) {
        let until = self.now().saturating_add(lasts);
        let back_at = match end {
            End::Server => &mut self.server_back_at,
            End::Client => &mut self.client_back_at,
        };
        *back_at = until.max(*back_at);
    }

    /// One turn of an end's loop: read everything, then poll, and carry out the action.
    fn turn(&mut self, end: End) -> Option<Action> {
        let now = self.now();
        if self.back_at(end) > now {
            return None;
        }
        while let Some(frame) = self.read(end) {
            self.machine(end).handle(frame.event(), now);
            if let Frame::Ping(payload) = frame {
                self.write(end, Frame::Pong(payload));
            }
        }
        let action = self.machine(end).poll(now)?;
        if let Some(frame) = Frame::from_action(action) {
            self.write(end, frame);
        }
        Some(action)
    }

    /// The next frame for this end; `None` after it has hung up.
    fn read(&mut self, end: End) -> Option<Frame<()>> {
        let now = self.now();
        let frame = match end {
            End::Server => self.link.up.poll(now),
            End::Client => self.link.down.poll(now),
        };
        frame.filter(|_| !self.machine(end).is_finished())
    }

    fn write(&mut self, from: End, frame: Frame<()>) {
        let now = self.now();
        let machine = self.machine(from);
        machine.handle(Event::Wrote, now);
        if let Frame::Ping(_) = frame {
            machine.handle(Event::PingSent, now);
        }
        match from {
            End::Server => self.link.down.send(frame, frame.bytes(), now),
            End::Client => self.link.up.send(frame, frame.bytes(), now),
        }
    }

    /// When this end has something to do; the end of time: never.
    fn due(&self, end: End) -> Timestamp {
        let (machine, arrival, back_at) = match end {
            End::Server => (&self.server, self.link.up.poll_timeout(), self.server_back_at),
            End::Client => (&self.client, self.link.down.poll_timeout(), self.client_back_at),
        };
        let due = machine.poll_timeout().into_iter().chain(arrival).min();
        due.map_or(Timestamp::MAX, |due| due.max(back_at))
    }

    const fn machine(&mut self, end: End) -> &mut Liveness {
        match end {
            End::Server => &mut self.server,
            End::Client => &mut self.client,
        }
    }

    const fn back_at(&self, end: End) -> Timestamp {
        match end {
            End::Server => self.server_back_at,
            End::Client => self.client_back_at,
        }
    }
}
