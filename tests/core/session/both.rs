//! A session and the reference are told the same, and must answer the same, always; and so must the machines behind them.

use std::sync::{Arc, Mutex};

use liveness::dialect::MessageBuf;
use liveness::session::{ErrorKind, Inbound, Limits, Outbound, Role, Session};
use liveness::{Action, CloseCode, Config, Input, Liveness, Observed, Observer, Reason, Timestamp};

use super::reference::{Reference, Told, told};
use super::speech::Speech;

/// Writes down what the machine is told.
struct Ear(Arc<Mutex<Vec<Told>>>);

impl Observer for Ear {
    fn input(&mut self, input: &Input<'_>, _: &Liveness, _: Timestamp) {
        if let Input::Event(event) = input {
            self.0.lock().unwrap().push(told(*event));
        }
    }
}

#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) session: Session<u32>,
    pub(crate) machine: Observed,
    heard: Arc<Mutex<Vec<Told>>>,
    pub(crate) reference: Reference,
    pub(crate) now: Timestamp,
    /// All that the machine was told and nobody has looked at.
    pub(crate) told: Vec<Told>,
}

impl Both {
    pub(crate) fn new(
        role: Role,
        limits: Limits,
        library_answers: bool,
        speech: Speech,
        config: Config,
        start: Timestamp,
    ) -> Self {
        let session = Session::new(role).limits(limits);
        let mut session = if library_answers { session } else { session.answers_itself() };
        let mut machine = Observed::new(Liveness::new(config, 7, start));
        let heard = Arc::default();
        machine.observe(Ear(Arc::clone(&heard)), start);
        speech.give_to(&mut session, &mut machine, start);
        Self {
            session,
            machine,
            heard,
            reference: Reference::new(role, limits, library_answers, speech, config, start),
            now: start,
            told: Vec::new(),
        }
    }

    /// All that can be asked, asked of both.
    fn compare(&mut self) {
        let (session, reference, now) = (&self.session, &mut self.reference, self.now);
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        assert_eq!(heard, reference.told, "the machines were not told the same");
        self.told.append(&mut reference.told);
        assert_eq!(*self.machine.liveness(), reference.machine, "what the machines believe");
        assert_eq!(session.wants_read(now), reference.wants_read(now), "wants_read");
        assert_eq!(session.poll_timeout(now), reference.poll_timeout(now), "poll_timeout");
        assert_eq!(session.wants_flush(), reference.wants_flush(), "wants_flush");
        assert_eq!(session.may_send(), reference.may_send(), "may_send");
        assert_eq!(session.is_paused(), reference.is_paused(), "is_paused");
        assert_eq!(session.is_discarding(), reference.is_discarding(), "is_discarding");
        assert_eq!(session.is_write_broken(), reference.is_write_broken(), "is_write_broken");
        assert_eq!(session.is_disconnected(), reference.is_disconnected(), "is_disconnected");
        assert_eq!(session.kept(), reference.kept(), "kept");
    }

    pub(crate) fn received_bytes(&mut self, count: usize) {
        self.session.received_bytes(count, self.now);
        self.reference.received_bytes(count, self.now);
        self.compare();
    }

    pub(crate) fn received(&mut self, inbound: Inbound<'_>) -> bool {
        let for_caller = self.session.received(inbound, &mut self.machine, self.now);
        assert_eq!(for_caller, self.reference.received(inbound, self.now), "received");
        self.compare();
        for_caller
    }

    pub(crate) fn keep(&mut self, message: u32, bytes: usize) {
        self.session.keep(message, bytes);
        self.reference.keep(message, bytes);
        self.compare();
    }

    pub(crate) fn take(&mut self) -> Option<u32> {
        let taken = self.session.take(&mut self.machine, self.now);
        assert_eq!(taken, self.reference.take(self.now), "take");
        self.compare();
        taken
    }

    pub(crate) fn delivered(&mut self) {
        self.session.delivered(self.now);
        self.reference.delivered(self.now);
    }

    pub(crate) fn read_blocked(&mut self) {
        self.session.read_blocked(&mut self.machine, self.now);
        self.reference.read_blocked(self.now);
        self.compare();
    }

    pub(crate) fn read_suspended(&mut self) {
        self.session.read_suspended(&mut self.machine, self.now);
        self.reference.read_suspended(self.now);
        self.compare();
    }

    pub(crate) fn read_ended(&mut self) {
        self.session.read_ended(&mut self.machine, self.now);
        self.reference.end(self.now);
        self.compare();
    }

    pub(crate) fn failed(&mut self, kind: ErrorKind, text: &str) -> bool {
        let cause = self.session.failed(kind, &text, &mut self.machine, self.now);
        assert_eq!(cause, self.reference.failed(kind, text, self.now), "the cause");
        self.compare();
        cause
    }

    pub(crate) fn poll_write(&mut self) -> Option<Outbound> {
        let (wanted, shutdown) = (self.session.wants_write(), self.session.wants_shutdown());
        let out = self.session.poll_write();
        assert_eq!(out, self.reference.poll_write(), "poll_write");
        assert_eq!(out.is_some(), wanted, "wants_write");
        assert_eq!(matches!(out, Some(Outbound::ShutdownWrite)), shutdown, "wants_shutdown");
        self.compare();
        out
    }

    pub(crate) fn wrote(&mut self) {
        self.session.wrote();
        self.reference.wrote();
        self.compare();
    }

    pub(crate) fn answer(&mut self, answer: u32) {
        let answer = MessageBuf::Text(answer.to_string());
        self.session.answer(answer.clone());
        self.reference.answer(answer);
        self.compare();
    }

    pub(crate) fn ping_ends_after(&mut self, unsent: u64) {
        self.session.ping_ends_after(unsent, &mut self.machine, self.now);
        self.reference.ping_ends_after(unsent, self.now);
        self.compare();
    }

    pub(crate) fn sent_bytes(&mut self, count: usize) {
        self.session.sent_bytes(count, &mut self.machine, self.now);
        self.reference.sent_bytes(count, self.now);
        self.compare();
    }

    pub(crate) fn flushed(&mut self) {
        self.session.flushed(&mut self.machine, self.now);
        self.reference.flushed(self.now);
        self.compare();
    }

    pub(crate) fn write_blocked(&mut self) {
        self.session.write_blocked(&mut self.machine, self.now);
        self.reference.write_blocked(self.now);
        self.compare();
    }

    pub(crate) fn write_failed(&mut self) {
        self.session.write_failed(&mut self.machine, self.now);
        self.reference.write_failed(self.now);
        self.compare();
    }

    pub(crate) fn writer_waits(&mut self) {
        self.session.writer_waits(&mut self.machine, self.now);
        self.reference.writer_waits(self.now);
        self.compare();
    }

    pub(crate) fn shut(&mut self) {
        self.session.shut(&mut self.machine, self.now);
        self.reference.shut(self.now);
        self.compare();
    }

    pub(crate) fn close(&mut self, code: CloseCode, text: &str) {
        self.session.close(code, text, &mut self.machine, self.now);
        self.reference.close(code, text, self.now);
        self.compare();
    }

    pub(crate) fn probe(&mut self) {
        self.session.probe(&mut self.machine, self.now);
        self.reference.probe(self.now);
        self.compare();
    }

    pub(crate) fn reconfigure(&mut self, config: Config) {
        self.session.reconfigure(config, &mut self.machine, self.now);
        self.reference.reconfigure(config, self.now);
        self.compare();
    }

    /// One action of the machine's, carried as far as the session.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        let action = self.machine.poll(self.now);
        assert_eq!(action, self.reference.machine.poll(self.now), "poll");
        if let Some(action) = action {
            self.session.act(action, self.verdict());
            self.reference.act(action);
        }
        self.compare();
        action
    }

    pub(crate) fn verdict(&self) -> Option<Reason> {
        self.machine.liveness().verdict()
    }

    /// When the driver wakes by itself.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        [self.machine.liveness().poll_timeout(), self.session.poll_timeout(self.now)]
            .into_iter()
            .flatten()
            .min()
    }
}
