//! An observer that repeats the life of what it observes, only from what it is told.

use liveness::{Action, Input, Liveness, Observer, Timestamp};

/// It has its own machine, and gives it what the observer is told. If the observer is not told something, or is told late
/// or in another order, the two machines differ.
#[derive(Default)]
pub(crate) struct Mirror {
    machine: Option<Liveness>,
    polling: bool,
    /// What its own machine gave, and the observed one has not given yet.
    said: Option<Action>,
}

impl Observer for Mirror {
    fn attached(&mut self, peer: &Liveness, _: Timestamp) {
        assert!(self.machine.replace(peer.clone()).is_none(), "attached twice");
    }

    fn input(&mut self, input: &Input<'_>, peer: &Liveness, now: Timestamp) {
        let machine = self.machine.as_mut().expect("told before it was attached");
        assert_eq!((&*machine, self.said), (peer, None), "at {now}, before {input:?}");
        match *input {
            Input::Event(event) => machine.handle(event, now),
            Input::Probe => machine.probe(now),
            Input::Close(code) => machine.close(code, now),
            Input::Reconfigure(config) => machine.reconfigure(*config, now),
            _ => panic!("{input:?} is new"),
        }
    }

    fn polling(&mut self, peer: &Liveness, now: Timestamp) {
        assert_eq!((self.machine.as_ref(), self.said), (Some(peer), None), "at {now}, before a poll");
        self.polling = true;
    }

    fn changed(&mut self, peer: &Liveness, now: Timestamp) {
        let machine = self.machine.as_mut().expect("told before it was attached");
        if std::mem::take(&mut self.polling) {
            self.said = machine.poll(now);
        }
        assert_eq!(machine, peer, "at {now}");
    }

    fn action(&mut self, action: Action, peer: &Liveness, now: Timestamp) {
        assert_eq!((self.said.take(), self.machine.as_ref()), (Some(action), Some(peer)), "at {now}");
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // What was not told at the very end.
        assert!(self.said.is_none() || std::thread::panicking(), "{:?} was not told", self.said);
    }
}
