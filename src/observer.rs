//! Observers see every input and every action of a machine.

use alloc::boxed::Box;
use alloc::vec::Vec;

use core::fmt;

use crate::config::Config;
use crate::event::{Action, CloseCode, Event};
use crate::liveness::Liveness;
use crate::time::Timestamp;

/// A call on a machine that may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input<'a> {
    /// [`Liveness::handle`].
    Event(Event<'a>),
    /// [`Liveness::probe`].
    Probe,
    /// [`Liveness::close`].
    Close(CloseCode),
    /// [`Liveness::reconfigure`].
    Reconfigure(&'a Config),
}

/// Sees every input and every action of a machine, with the time: a recorder, a metric, a presence list.
///
/// It changes nothing: an observed machine does exactly what the same machine does without an observer. Attach it at run
/// time, to an [`Observed`] machine, to a driver's socket or to a connection of a [`Fleet`](crate::Fleet). A machine may
/// have several observers. They are called in the order in which they were attached.
///
/// Each method does nothing by default. `now` is the time that the machine was given. Each call on the machine makes these
/// calls:
///
/// - an input: [`input`](Self::input) before the machine takes it, [`changed`](Self::changed) after;
/// - a poll: [`polling`](Self::polling) before it, [`changed`](Self::changed) after it and, if it returned an action,
///   [`action`](Self::action).
///
/// ```
/// use liveness::{Action, Config, Event, Input, Liveness, Observed, Observer, Timestamp};
///
/// struct Log;
///
/// impl Observer for Log {
///     fn input(&mut self, input: &Input<'_>, _: &Liveness, now: Timestamp) {
///         println!("{now:.3} < {input:?}");
///     }
///     fn action(&mut self, action: Action, peer: &Liveness, now: Timestamp) {
///         println!("{now:.3} > {action}: {}", peer.report(now));
///     }
/// }
///
/// let mut peer = Observed::new(Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO));
/// peer.observe(Log, Timestamp::ZERO);
/// assert_eq!(peer.poll(Timestamp::ZERO), Some(Action::MarkOnline));
/// peer.handle(Event::Data, Timestamp::from_secs(1));
/// ```
pub trait Observer {
    /// The observer was attached to `peer`, when the connection opened or later.
    fn attached(&mut self, peer: &Liveness, now: Timestamp) {
        let _ = (peer, now);
    }

    /// This input comes next. `peer` has not taken it yet.
    fn input(&mut self, input: &Input<'_>, peer: &Liveness, now: Timestamp) {
        let _ = (input, peer, now);
    }

    /// A poll comes next.
    fn polling(&mut self, peer: &Liveness, now: Timestamp) {
        let _ = (peer, now);
    }

    /// An input or a poll has just ended. `peer` shows what it changed, such as an answer that was counted.
    fn changed(&mut self, peer: &Liveness, now: Timestamp) {
        let _ = (peer, now);
    }

    /// The poll returned this action. The caller carries it out after this call.
    fn action(&mut self, action: Action, peer: &Liveness, now: Timestamp) {
        let _ = (action, peer, now);
    }
}

impl<O: Observer + ?Sized> Observer for Box<O> {
    fn attached(&mut self, peer: &Liveness, now: Timestamp) {
        (**self).attached(peer, now);
    }
    fn input(&mut self, input: &Input<'_>, peer: &Liveness, now: Timestamp) {
        (**self).input(input, peer, now);
    }
    fn polling(&mut self, peer: &Liveness, now: Timestamp) {
        (**self).polling(peer, now);
    }
    fn changed(&mut self, peer: &Liveness, now: Timestamp) {
        (**self).changed(peer, now);
    }
    fn action(&mut self, action: Action, peer: &Liveness, now: Timestamp) {
        (**self).action(action, peer, now);
    }
}

/// Calls each of them in turn.
impl<O: Observer> Observer for Vec<O> {
    fn attached(&mut self, peer: &Liveness, now: Timestamp) {
        self.iter_mut().for_each(|observer| observer.attached(peer, now));
    }
    fn input(&mut self, input: &Input<'_>, peer: &Liveness, now: Timestamp) {
        self.iter_mut().for_each(|observer| observer.input(input, peer, now));
    }
    fn polling(&mut self, peer: &Liveness, now: Timestamp) {
        self.iter_mut().for_each(|observer| observer.polling(peer, now));
    }
    fn changed(&mut self, peer: &Liveness, now: Timestamp) {
        self.iter_mut().for_each(|observer| observer.changed(peer, now));
    }
    fn action(&mut self, action: Action, peer: &Liveness, now: Timestamp) {
        self.iter_mut().for_each(|observer| observer.action(action, peer, now));
    }
}

/// An [`Observer`] that calls a closure for each action.
///
/// ```
/// use liveness::{Action, Config, Fleet, OnAction, Timestamp};
///
/// let mut fleet = Fleet::new(Config::DEFAULT, 7);
/// let now = Timestamp::ZERO;
/// let key = fleet.insert(now)?;
/// fleet.observe(key, OnAction::new(|action, peer| println!("{action}: {:?}", peer.status())), now)?;
/// assert_eq!(fleet.poll(now), Some((key, Action::MarkOnline)));
/// # Ok::<(), liveness::FleetError>(())
/// ```
#[derive(Clone)]
pub struct OnAction<F>(F);

impl<F: FnMut(Action, &Liveness)> OnAction<F> {
    /// An observer that calls this closure for each action.
    pub const fn new(show: F) -> Self {
        Self(show)
    }
}

impl<F: FnMut(Action, &Liveness)> Observer for OnAction<F> {
    fn action(&mut self, action: Action, peer: &Liveness, _: Timestamp) {
        (self.0)(action, peer);
    }
}

impl<F> fmt::Debug for OnAction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnAction").finish_non_exhaustive()
    }
}

/// A [`Liveness`] and its observers: what a driver runs.
///
/// It has the machine's inputs, outputs and commands. Ask every question of [`liveness`](Self::liveness). Without observers
/// each call costs one branch more than the machine's own.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use liveness::{Action, Config, Liveness, Observed, OnAction, Timestamp};
///
/// static ONLINE: AtomicU32 = AtomicU32::new(0);
///
/// let mut peer = Observed::new(Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO));
/// let count = OnAction::new(|action, _| match action {
///     Action::MarkOnline => drop(ONLINE.fetch_add(1, Ordering::Relaxed)),
///     Action::MarkOffline(_) => drop(ONLINE.fetch_sub(1, Ordering::Relaxed)),
///     _ => {}
/// });
/// peer.observe(count, Timestamp::ZERO);
/// while peer.poll(Timestamp::ZERO).is_some() {}
/// assert_eq!(ONLINE.load(Ordering::Relaxed), 1);
/// ```
pub struct Observed {
    machine: Liveness,
    observers: Vec<Box<dyn Observer + Send>>,
}

impl Observed {
    /// A machine without observers.
    #[must_use]
    pub const fn new(machine: Liveness) -> Self {
        Self { machine, observers: Vec::new() }
    }

    /// Attaches this observer, until the machine is dropped.
    pub fn observe(&mut self, mut observer: impl Observer + Send + 'static, now: Timestamp) {
        observer.attached(&self.machine, now);
        self.observers.push(Box::new(observer));
    }

    /// As [`Liveness::handle`].
    #[inline]
    pub fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        self.hand_in(&Input::Event(event), now, |machine| machine.handle(event, now));
    }

    /// As [`Liveness::poll`].
    #[inline]
    #[must_use = "a dropped action is a ping never sent or a death never reported"]
    pub fn poll(&mut self, now: Timestamp) -> Option<Action> {
        if self.observers.is_empty() { self.machine.poll(now) } else { self.poll_observed(now) }
    }

    /// As [`Liveness::poll_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.machine.poll_timeout()
    }

    /// As [`Liveness::probe`].
    pub fn probe(&mut self, now: Timestamp) {
        self.hand_in(&Input::Probe, now, |machine| machine.probe(now));
    }

    /// As [`Liveness::close`].
    pub fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.hand_in(&Input::Close(code), now, |machine| machine.close(code, now));
    }

    /// As [`Liveness::reconfigure`].
    pub fn reconfigure(&mut self, config: Config, now: Timestamp) {
        self.hand_in(&Input::Reconfigure(&config), now, |machine| machine.reconfigure(config, now));
    }

    /// The machine, for every question.
    #[must_use]
    pub const fn liveness(&self) -> &Liveness {
        &self.machine
    }

    /// `Event::Data` at `now` would change nothing, and there is no observer.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_unmoved_by_data(&self, now: Timestamp) -> bool {
        self.observers.is_empty() && self.machine.is_unmoved_by_data(now)
    }

    #[inline]
    fn hand_in(&mut self, input: &Input<'_>, now: Timestamp, change: impl FnOnce(&mut Liveness)) {
        if self.observers.is_empty() {
            return change(&mut self.machine);
        }
        self.observers.input(input, &self.machine, now);
        change(&mut self.machine);
        self.observers.changed(&self.machine, now);
    }

    fn poll_observed(&mut self, now: Timestamp) -> Option<Action> {
        self.observers.polling(&self.machine, now);
        let action = self.machine.poll(now);
        self.observers.changed(&self.machine, now);
        if let Some(action) = action {
            self.observers.action(action, &self.machine, now);
        }
        action
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("machine", &self.machine)
            .field("observers", &self.observers.len())
            .finish()
    }
}
