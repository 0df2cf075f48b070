//! Many connections with one next deadline.

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

/// Drives many connections on one thread, up to millions: [`Liveness`] machines that share their settings and have one next
/// deadline. If each of your connections has its own task or thread, use a [`Liveness`] for each instead.
///
/// The events and actions are those of [`Liveness`], each with the [`Key`] of its connection. Each connection behaves exactly as
/// a [`Liveness`] whose driver is late by less than one [`tick`](Self::with_tick).
///
/// In a loop: read the clock, report everything that can be read, [`poll`](Self::poll) until `None`, carry out the actions,
/// and wait for input or until [`poll_timeout`](Self::poll_timeout).
///
/// It costs 136 bytes for each connection, and an event touches one cache line of them. A poll checks at most 64
/// connections, whatever has fallen due. No call works on all connections at once, except for
/// [a second command](Self::probe_all) for all of them while the first one is being carried out. Memory grows with the
/// largest number of connections held at once, by chunks of 512. It is reused and never freed.
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
///     // Everything that can be read. One of them sends something now and then.
///     fleet.handle(talking, Event::Data, now)?;
///     while let Some((key, action)) = fleet.poll(now) {
///         match action {
///             Action::SendPing(_) => {} // a Ping frame to `key`; no peer answers
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
    /// The latest moment seen, for all connections, because one driver has one clock.
    now: Timestamp,
    seed: u64,
    configs: Vec<Config>,
    /// The connections whose config is not the one of their key.
    reconfigured: BTreeMap<u32, ConfigId>,
    states: ChunkedVec<Slot>,
    wheel: Wheel,
    broadcast: Option<Broadcast>,
    observers: ObserversBySlot,
    /// How many of the states that are due next have been fetched from memory.
    prefetched: u32,
    len: usize,
}

/// The state of a connection. The half that traffic touches is one cache line. A free slot holds a dummy state.
#[derive(Clone, Copy)]
#[repr(align(128))]
struct Slot(State);

impl Slot {
    /// A free slot, after a connection with this tag.
    const fn free(tag: Tag) -> Self {
        Self(State::new(tag.freed().0 as u64, Timestamp::ZERO))
    }
}

/// 4 ms: well below a last look of 10 ms. A million connections have about 200 actions in this time.
const TICK: Duration = Duration::from_millis(4);

/// How many connections without an action a poll checks before it returns.
const IDLE_LOOKS: u32 = 64;

impl Fleet {
    /// An empty fleet, whose connections have these settings, and a tick of 4 ms.
    ///
    /// `seed` is the key of all payloads and determines all jitter. Keep it secret: half of a connection's key for payloads
    /// is drawn from it, and the other half is in its [`Key`].
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self::with_tick(config, seed, TICK)
    }

    /// An empty fleet with another `tick`. Each action comes later than its deadline by less than a tick, and all actions of
    /// a tick come together.
    ///
    /// A longer tick wakes the caller less often, and counts as the caller's lateness in [`Config::detection_bound`]. A tick
    /// below a ten-thousandth of the interval costs more, because the timing wheel holds 65,536 ticks. Zero counts as one
    /// nanosecond.
    #[must_use]
    pub fn with_tick(config: Config, seed: u64, tick: Duration) -> Self {
        // Most waits are one interval or one timeout long. A longer wait costs one more check.
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

    /// The tick: each action comes later than its deadline by less than this. Pass it to [`Config::detection_bound`] as the
    /// least lateness.
    #[must_use]
    pub const fn tick(&self) -> Duration {
        self.wheel.tick()
    }

    /// Adds a connection that has just opened. [`poll`](Self::poll) afterwards, for its `MarkOnline`.
    ///
    /// # Errors
    ///
    /// [`FleetError::Full`]: the fleet holds 16.7 million connections already.
    pub fn insert(&mut self, now: Timestamp) -> Result<Key, FleetError> {
        self.insert_with(ConfigId::default(), now)
    }

    /// Adds a connection with the settings of this id, from [`add_config`](Self::add_config).
    ///
    /// # Errors
    ///
    /// Those of [`insert`](Self::insert), and [`FleetError::UnknownConfig`]: the id belongs to another fleet.
    pub fn insert_with(&mut self, config: ConfigId, now: Timestamp) -> Result<Key, FleetError> {
        let now = self.advance(now);
        if usize::from(config.0) >= self.configs.len() {
            return Err(FleetError::UnknownConfig);
        }
        // A broadcast is only for the connections that existed when it began. Until it is over, new connections get slots
        // beyond its end.
        let free = if self.broadcast.is_none() { self.wheel.take_free() } else { None };
        let slot = free.unwrap_or(self.states.len());
        if slot >= Wheel::capacity() {
            return Err(FleetError::Full);
        }
        let used = free.and_then(|slot| self.states.get(slot));
        let tag = used.map_or(Tag::FIRST, |Slot(state)| Tag(state.tag()).next());
        let key = Key::new(slot, tag.with_config(config));
        let state = Slot(State::new(self.seed_of(key), now));
        if let Some(used) = free.and_then(|slot| self.states.get_mut(slot)) {
            *used = state;
        } else {
            self.states.push(state);
            self.wheel.add_node();
        }
        self.wheel.set_due(slot);
        self.len = self.len.saturating_add(1);
        Ok(key)
    }

    /// Removes a connection, whatever its state, and returns its machine.
    ///
    /// Do not call it after [`Action::Disconnect`], which has already removed the connection. Its observers see no
    /// `MarkOffline`: if they must, report [`Event::Eof`] instead, and poll.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn remove(&mut self, key: Key) -> Result<Liveness, StaleKey> {
        let machine = self.get(key)?;
        self.vacate(key.slot());
        Ok(machine)
    }

    /// Reports an event of a connection. Poll afterwards, because an action may be due.
    ///
    /// A timestamp earlier than the latest that the fleet has seen counts as the latest.
    ///
    /// # Errors
    ///
    /// [`StaleKey`]: the connection is gone. The event has no effect.
    // Inlined, so that a call with a literal event takes its short way without a branch.
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

    /// Ends this connection: see [`Liveness::close`].
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn close(&mut self, key: Key, code: CloseCode, now: Timestamp) -> Result<(), StaleKey> {
        self.hand_in(key, Input::Close(code), now)
    }

    /// Makes a ping of every connection due now: the network changed, or the host woke.
    ///
    /// This call itself is cheap. The next polls carry out the command, for some connections at a time, before anything
    /// else. If they are not done with an earlier command for all, this call finishes that one first.
    pub fn probe_all(&mut self, now: Timestamp) {
        self.start_broadcast(Input::Probe, now);
    }

    /// Closes every connection, because the server shuts down. The next polls carry it out, as for
    /// [`probe_all`](Self::probe_all).
    pub fn close_all(&mut self, code: CloseCode, now: Timestamp) {
        self.start_broadcast(Input::Close(code), now);
    }

    /// The next action. Call until `None`, then not before [`poll_timeout`](Self::poll_timeout).
    ///
    /// After [`Action::Disconnect`] the connection is gone and its key is stale. While you carry out an action, report no
    /// event with a later time. Otherwise the fleet's clock would advance without a read of the sockets, and a verdict could
    /// be confirmed too early. With a `write_timeout`, report [`Event::PingSent`] after the last poll, with a clock that is
    /// read after the write.
    ///
    /// A poll is short, whatever has fallen due. After 64 connections without an action it returns `None`, so that the
    /// caller reads its sockets first. `poll_timeout` then returns the latest moment seen: do not wait, and poll again.
    #[must_use = "a dropped action is a ping never sent or a death never reported"]
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
        self.wheel.next_at().map(|at| at.max(self.now))
    }

    /// The seed of a connection's machine. Its lower half is the tag, by which a state knows its connection.
    const fn seed_of(&self, key: Key) -> u64 {
        mix(self.seed, key.to_bits()) & !(u32::MAX as u64) | key.tag().0 as u64
    }

    /// Rule 12 for the whole fleet, because one driver has one clock.
    #[inline]
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.now = self.now.max(now);
        self.now
    }

    /// Reads a part of each state that is due next, all at once, because memory serves many requests in the time of one. One
    /// by one, these reads would be most of the cost of a ping.
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
        // A slot without a new generation is never used again. Otherwise the key of its first connection would be valid
        // again.
        if tag.is_last() { self.wheel.unset(slot) } else { self.wheel.set_free(slot) }
    }
}

/// The state of a connection, unless it is gone.
#[inline(always)]
fn find(states: &mut ChunkedVec<Slot>, key: Key) -> Option<&mut State> {
    states.get_mut(key.slot()).map(|Slot(state)| state).filter(|state| state.tag() == key.tag().0)
}
