//! Many connections, one next deadline.

mod bitset;
mod broadcast;
mod buckets;
mod chunked_vec;
mod configs;
mod entry;
mod key;
mod observe;
mod queries;
#[cfg(test)]
mod tests;
mod wheel;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use self::broadcast::Broadcast;
use self::chunked_vec::ChunkedVec;
use self::configs::config_of;
pub use self::entry::Entry;
use self::key::Tag;
pub use self::key::{ConfigId, FleetError, Key, StaleKey};
use self::observe::ObserversBySlot;
use self::wheel::Wheel;
use crate::config::{Config, NEVER};
use crate::event::{Action, CloseCode, Event};
use crate::liveness::Liveness;
use crate::observer::Input;
use crate::payload::mix;
use crate::state::{State, Step};
use crate::time::{Timestamp, nanos};

/// Drives many connections, a million of them, on one thread: [`Liveness`] machines that share their settings and have one
/// next deadline.
///
/// The events and actions are those of [`Liveness`], each with the [`Key`] of its connection. Each connection behaves exactly as
/// a [`Liveness`] whose driver is late by less than one [`tick`](Self::with_tick).
///
/// In a loop: take the time from the clock, hand in everything that can be read, [`poll`](Self::poll) until `None`, carry
/// out the actions, and wait for input or for [`poll_timeout`](Self::poll_timeout).
///
/// What it costs: 136 bytes a connection, and an event touches one cache line of them. A poll looks at no more than 64
/// connections, whatever has fallen due; nothing is ever done for all of them at once. Memory grows with the largest number
/// of connections held at once, a chunk of 512 at a time, and is used again, not given back.
///
/// ```
/// use core::time::Duration;
/// use liveness::{Action, Config, Event, Fleet, Reason, Timestamp};
///
/// let mut fleet = Fleet::new(Config::DEFAULT, 7);
/// let mut now = Timestamp::ZERO;
/// let quiet = fleet.insert(now)?;
/// let talking = fleet.insert(now)?;
///
/// let mut dead = Vec::new();
/// while now < Timestamp::from_secs(120) {
///     // Everything that can be read. One of them says something now and then.
///     fleet.handle(talking, Event::Data, now)?;
///     while let Some((key, action)) = fleet.poll(now) {
///         match action {
///             Action::SendPing(_) => {} // a Ping frame to `key`; nobody answers
///             Action::MarkOffline(reason) => dead.push((key, reason)),
///             Action::Disconnect => {} // close the socket: `key` is stale from here
///             Action::MarkOnline | Action::MarkSuspect | Action::Close(_) => {}
///         }
///     }
///     let wake = fleet.poll_timeout().unwrap_or(Timestamp::MAX);
///     now = wake.min(now + Duration::from_secs(7));
/// }
/// assert_eq!(dead, [(quiet, Reason::PingTimeout)]);
/// assert!(fleet.handle(quiet, Event::Data, now).is_err());
/// assert_eq!(fleet.len(), 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Fleet {
    /// The latest moment seen: one driver has one clock.
    now: Timestamp,
    seed: u64,
    configs: Vec<Config>,
    /// Which of them each connection has that has another than its key says.
    reconfigured: BTreeMap<u32, ConfigId>,
    states: ChunkedVec<Slot>,
    wheel: Wheel,
    broadcast: Option<Broadcast>,
    observers: ObserversBySlot,
    /// How many of the next states that are due have been fetched from memory.
    prefetched: u32,
    len: usize,
}

/// The state of a connection, its half for traffic in a cache line of its own. A free slot holds that of nobody.
#[derive(Clone, Copy)]
#[repr(align(128))]
struct Slot(State);

impl Slot {
    /// That of nobody, after a connection with this tag.
    const fn free(tag: Tag) -> Self {
        Self(State::new(tag.freed().0 as u64, Timestamp::ZERO))
    }
}

/// 4 ms: well below a last look of 10 ms, and a million connections have 200 things to do in it.
const TICK: Duration = Duration::from_millis(4);

/// How many connections a poll looks at that have nothing to do, before it lets the caller go on.
const IDLE_LOOKS: u32 = 64;

impl Fleet {
    /// An empty fleet, whose connections have these settings, and a tick of 4 ms.
    ///
    /// `seed` keys the payloads and draws the jitter of them all. Let nobody guess it: half of the key of a connection is
    /// drawn from it, the other half is in its [`Key`].
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self::with_tick(config, seed, TICK)
    }

    /// An empty fleet with another `tick`: what falls due is handed out less than that late, and all of a tick together.
    ///
    /// Longer ticks wake the caller less often; they count as its lateness in [`Config::detection_bound`]. Ticks below a
    /// ten-thousandth of the interval cost more, because the wheel holds 65,536. Zero counts as one nanosecond.
    #[must_use]
    pub fn with_tick(config: Config, seed: u64, tick: Duration) -> Self {
        // Most waits are one interval or one timeout long; what is longer is looked at once more on its way.
        let usual = [config.interval, config.timeout].into_iter().filter(|wait| *wait != NEVER).max();
        let wheel = Wheel::new(nanos(tick), usual.unwrap_or(0));
        let states = ChunkedVec::new(Slot::free(Tag::FIRST));
        Self {
            now: Timestamp::ZERO,
            seed,
            configs: Vec::from([config]),
            reconfigured: BTreeMap::new(),
            states,
            wheel,
            broadcast: None,
            observers: ObserversBySlot::new(),
            prefetched: 0,
            len: 0,
        }
    }

    /// What falls due is handed out less than this late: the least lateness to ask [`Config::detection_bound`] about.
    #[must_use]
    pub const fn tick(&self) -> Duration {
        self.wheel.tick()
    }

    /// A connection opened just now. [`poll`](Self::poll) afterwards: it is to be marked online.
    ///
    /// # Errors
    ///
    /// [`FleetError::Full`]: there are 16.7 million already.
    pub fn insert(&mut self, now: Timestamp) -> Result<Key, FleetError> {
        self.insert_with(ConfigId::default(), now)
    }

    /// A connection with other settings: those that [`add_config`](Self::add_config) gave this id.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert); and [`FleetError::UnknownConfig`], where the id is another fleet's.
    pub fn insert_with(&mut self, config: ConfigId, now: Timestamp) -> Result<Key, FleetError> {
        let now = self.advance(now);
        if usize::from(config.0) >= self.configs.len() {
            return Err(FleetError::UnknownConfig);
        }
        // A broadcast is not for those who come after it was asked for: until it is over they get slots beyond its end.
        let free = if self.broadcast.is_none() { self.wheel.take_free() } else { None };
        let (slot, tag) = match free {
            Some(slot) => (slot, self.states.get(slot).map_or(Tag::FIRST, |slot| Tag(slot.0.tag()).next())),
            None => (self.states.len(), Tag::FIRST),
        };
        let tag = tag.with_config(config);
        let key = Key::new(slot, tag);
        let state = Slot(State::new(self.seed_of(key), now));
        if free.is_none() {
            if slot >= Wheel::capacity() {
                return Err(FleetError::Full);
            }
            self.states.push(state);
            self.wheel.add_node();
        } else if let Some(free) = self.states.get_mut(slot) {
            *free = state;
        }
        self.wheel.set_due(slot);
        self.len = self.len.saturating_add(1);
        Ok(key)
    }

    /// Forgets a connection, whatever it was about to do, and gives back its machine as it was last.
    ///
    /// Not needed after [`Action::Disconnect`], which does it.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn remove(&mut self, key: Key) -> Result<Liveness, StaleKey> {
        let machine = self.get(key)?;
        self.vacate(key.slot());
        Ok(machine)
    }

    /// Something happened to a connection. Poll afterwards: an action may be due.
    ///
    /// A timestamp earlier than the latest that the fleet has seen counts as the latest.
    ///
    /// # Errors
    ///
    /// [`StaleKey`]: the connection is gone, and the event with it.
    // So that an event that is a literal where it is handed in takes its short way without a jump.
    #[inline(always)]
    pub fn handle(&mut self, key: Key, event: Event<'_>, now: Timestamp) -> Result<(), StaleKey> {
        if self.broadcast.is_some() || !self.observers.is_empty() {
            return self.hand_in(key, Input::Event(event), now);
        }
        let now = self.advance(now);
        let state = find(&mut self.states, key).ok_or(StaleKey)?;
        let config = config_of(&self.configs, &self.reconfigured, key.slot(), state).ok_or(StaleKey)?;
        if state.handle(config, event, now) {
            self.wheel.set_due(key.slot());
        }
        Ok(())
    }

    /// Makes a ping of this connection due now: see [`Liveness::probe`].
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn probe(&mut self, key: Key, now: Timestamp) -> Result<(), StaleKey> {
        self.hand_in(key, Input::Probe, now)
    }

    /// The caller ends this connection: see [`Liveness::close`].
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn close(&mut self, key: Key, code: CloseCode, now: Timestamp) -> Result<(), StaleKey> {
        self.hand_in(key, Input::Close(code), now)
    }

    /// Makes a ping of every connection due now: the network changed, or the host woke.
    ///
    /// Costs nothing here: the polls that follow work through the connections, some at a time, before anything else.
    pub fn probe_all(&mut self, now: Timestamp) {
        self.start_broadcast(Input::Probe, now);
    }

    /// Closes every connection: the server shuts down. As [`probe_all`](Self::probe_all), in the polls that follow.
    pub fn close_all(&mut self, code: CloseCode, now: Timestamp) {
        self.start_broadcast(Input::Close(code), now);
    }

    /// The next thing to do, one at a time: call until `None`, then not before [`poll_timeout`](Self::poll_timeout).
    ///
    /// After [`Action::Disconnect`] the connection is gone and its key stale. While you carry out an action, hand in no event
    /// with a later time: the fleet's clock would advance without any socket being read, and a verdict could be confirmed too
    /// early.
    ///
    /// A poll is short, whatever has fallen due. After 64 connections that turn out to have nothing to do, it returns `None`, so
    /// that the caller reads its sockets first. `poll_timeout` then returns the latest moment seen, so do not wait, and poll
    /// again.
    pub fn poll(&mut self, now: Timestamp) -> Option<(Key, Action)> {
        let now = self.advance(now);
        if self.broadcast.is_some() && !self.continue_broadcast() {
            return None;
        }
        for _ in 0..IDLE_LOOKS {
            let slot = self.wheel.first_due(now)?;
            if self.prefetched == 0 {
                self.prefetch();
            }
            let Some((state, config)) = self.states.get_mut(slot).and_then(|Slot(state)| {
                let config = config_of(&self.configs, &self.reconfigured, slot, state)?;
                Some((state, config))
            }) else {
                self.wheel.unset(slot);
                continue;
            };
            let tag = Tag(state.tag());
            let step = if self.observers.is_empty() {
                state.step(config, now)
            } else {
                observe::step(state, config, self.observers.get_mut(&slot), now)
            };
            if step == Step::Rest {
                self.wheel.set(slot, state.next_check());
                self.prefetched = self.prefetched.saturating_sub(1);
                continue;
            }
            let key = Key::new(slot, tag);
            if step == Step::Disconnect {
                self.vacate(slot);
                return Some((key, Action::Disconnect));
            }
            return state.action(config, step).map(|action| (key, action));
        }
        None
    }

    /// When to poll next, unless an event comes first. `None`: not before the next event.
    ///
    /// Never earlier than the latest moment seen, and equal to it while there is something to do now.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.broadcast.is_some() || self.wheel.is_due() {
            return Some(self.now);
        }
        self.wheel.next_at()
    }

    /// That of a connection's machine. Its lower half is the tag, by which a state knows whose it is.
    const fn seed_of(&self, key: Key) -> u64 {
        mix(self.seed, key.to_bits()) & !(u32::MAX as u64) | key.tag().0 as u64
    }

    /// Rule 12, for all of them: one driver has one clock.
    #[inline]
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.now = self.now.max(now);
        self.now
    }

    /// Reads a little of the next states that are due, all at once, because memory answers many requests in the time of one. One
    /// by one, these reads would be most of what a ping costs.
    fn prefetch(&mut self) {
        let mut read = 0;
        for slot in self.wheel.next_due() {
            if let Some(Slot(state)) = self.states.get(slot) {
                read ^= state.touch() ^ self.wheel.touch(slot);
            }
            self.prefetched = self.prefetched.saturating_add(1);
        }
        core::hint::black_box(read);
    }

    fn vacate(&mut self, slot: u32) {
        let Some(held) = self.states.get_mut(slot) else { return };
        self.len = self.len.saturating_sub(1);
        self.observers.remove(&slot);
        if held.0.is_reconfigured() {
            self.reconfigured.remove(&slot);
        }
        let tag = Tag(held.0.tag());
        *held = Slot::free(tag);
        // Worn out, a slot is left alone: a key of its first connection must never fit again.
        if tag.is_last() { self.wheel.unset(slot) } else { self.wheel.set_free(slot) }
    }
}

/// The state of a connection that is not gone.
#[inline(always)]
fn find(states: &mut ChunkedVec<Slot>, key: Key) -> Option<&mut State> {
    states.get_mut(key.slot()).map(|Slot(state)| state).filter(|state| state.tag() == key.tag().0)
}
