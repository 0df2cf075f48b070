//! Observers of single connections, attached at run time. A connection without observers costs one branch.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::configs::config_of;
use super::{Fleet, Key, StaleKey, find};
use crate::config::Config;
use crate::liveness::Liveness;
use crate::observer::{Input, Observer};
use crate::state::{State, Step};
use crate::time::Timestamp;

/// The observers of one connection.
pub(super) type Observers = Vec<Box<dyn Observer + Send + Sync>>;

/// The observers by slot, for the connections that have any.
pub(super) type ObserversBySlot = BTreeMap<u32, Observers>;

impl Fleet {
    /// Attaches this observer to a connection, until the connection is gone.
    ///
    /// Attach a `Recorder` right after [`insert`](Self::insert), because a replay begins when the connection opens.
    ///
    /// ```
    /// use liveness::transcript::{Page, Recorder};
    /// use liveness::{Config, Fleet, Timestamp};
    ///
    /// let mut fleet = Fleet::new(Config::DEFAULT, 7);
    /// let now = Timestamp::ZERO;
    /// let key = fleet.insert(now)?;
    /// let page = Page::default(); // a file, in a real program
    /// fleet.observe(key, Recorder::new(page.clone()), now)?;
    /// while fleet.poll(now).is_some() {}
    /// assert!(page.text().ends_with("0s            > online\n"));
    /// # Ok::<(), liveness::FleetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn observe(
        &mut self,
        key: Key,
        mut observer: impl Observer + Send + Sync + 'static,
        now: Timestamp,
    ) -> Result<(), StaleKey> {
        let now = self.advance(now);
        self.serve_early(key.slot());
        let (config, state) = self.peek(key).ok_or(StaleKey)?;
        observer.attached(&machine(config, state), now);
        self.observers.entry(key.slot()).or_default().push(Box::new(observer));
        Ok(())
    }

    /// Passes an input to a connection, after a broadcast's command that it still needs.
    pub(super) fn hand_in(&mut self, key: Key, input: Input<'_>, now: Timestamp) -> Result<(), StaleKey> {
        let now = self.advance(now);
        self.serve_early(key.slot());
        let state = find(&mut self.states, key).ok_or(StaleKey)?;
        let config = config_of(&self.configs, &self.reconfigured, key.slot(), state).ok_or(StaleKey)?;
        hand_in(state, config, self.observers.get_mut(&key.slot()), input, now);
        if state.is_awake() {
            self.wheel.set_due(key.slot());
        }
        Ok(())
    }
}

/// Passes an input to a state, and calls its observers.
pub(super) fn hand_in(
    state: &mut State,
    config: &Config,
    observers: Option<&mut Observers>,
    input: Input<'_>,
    now: Timestamp,
) {
    let Some(observers) = observers else { return change(state, config, input, now) };
    observers.input(&input, &machine(config, state), now);
    change(state, config, input, now);
    let config = if let Input::Reconfigure(new) = input { new } else { config };
    observers.changed(&machine(config, state), now);
}

fn change(state: &mut State, config: &Config, input: Input<'_>, now: Timestamp) {
    match input {
        Input::Event(event) => drop(state.handle(config, event, now)),
        Input::Probe => state.probe(now),
        Input::Close(code) => state.close(code, now),
        Input::Reconfigure(new) => state.reconfigure(config, new, now),
    }
}

/// Polls a state, in a fleet with observers.
#[inline(never)]
pub(super) fn step(
    state: &mut State,
    config: &Config,
    observers: Option<&mut Observers>,
    now: Timestamp,
) -> Step {
    let Some(observers) = observers else { return state.step(config, now) };
    observers.polling(&machine(config, state), now);
    let step = state.step(config, now);
    let machine = machine(config, state);
    observers.changed(&machine, now);
    if let Some(action) = state.action(config, step) {
        observers.action(action, &machine, now);
    }
    step
}

/// A copy of a connection's machine, with its config.
pub(super) const fn machine(config: &Config, state: &State) -> Liveness {
    let mut state = *state;
    state.set_reconfigured(false);
    Liveness::from_parts(*config, state)
}
