//! Events, and what they change (rules 3, 4, 5, 9, 10, 11).

use super::{Flags, Heard, Ping, Stage, State, Verdict};
use crate::config::{Config, Evidence};
use crate::event::Event;
use crate::payload::Payload;
use crate::time::Timestamp;

impl State {
    /// Takes an event. There is a short way for the most frequent case: traffic of a peer from which we wait for nothing
    /// only changes moments. True if a poll may have something to do now.
    // A call would cost more than the work.
    #[inline(always)]
    pub(crate) fn handle(&mut self, config: &Config, event: Event<'_>, now: Timestamp) -> bool {
        match event {
            Event::Data if self.is_calm(config, now) => {
                self.idle_from = now;
                self.record_traffic(Heard::Data, now);
                false
            }
            Event::Progress if self.is_calm(config, now) => {
                self.idle_from = now;
                self.record_traffic(Heard::Progress, now);
                false
            }
            Event::Wrote if self.is_calm(config, now) => {
                self.latest = now;
                self.wrote_at = now;
                false
            }
            Event::Pong(payload) => {
                self.handle_pong(config, payload, now);
                self.is_awake()
            }
            Event::Data
            | Event::Progress
            | Event::Ping
            | Event::Close(_)
            | Event::Violation(_)
            | Event::Eof
            | Event::Wrote
            | Event::PingSent
            | Event::ReadPaused
            | Event::ReadResumed
            | Event::Unread => {
                self.handle_fully(config, event, now);
                self.is_awake()
            }
        }
    }

    #[inline]
    fn is_calm(&self, config: &Config, now: Timestamp) -> bool {
        now >= self.latest
            && self.stage == Stage::Open(Ping::Idle)
            && self.verdict == Verdict::None
            && !self.flags.has(Flags::SILENCE_FORGIVEN | Flags::SUSPECT)
            && config.evidence == Evidence::AnyTraffic
    }

    /// A data message at `now` would change nothing, because an earlier one at the same moment already changed it.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_unmoved_by_data(&self, config: &Config, now: Timestamp) -> bool {
        self.is_calm(config, now)
            && [self.latest, self.heard_at, self.idle_from] == [now; 3]
            && self.flags.heard() == Heard::Data
    }

    #[inline]
    fn record_traffic(&mut self, heard: Heard, now: Timestamp) {
        self.latest = now;
        self.heard_at = now;
        self.flags.set_heard(heard);
    }

    fn handle_fully(&mut self, config: &Config, event: Event<'_>, now: Timestamp) {
        self.advance(now);
        let Stage::Open(ping) = self.stage else { return self.handle_after_verdict(event) };
        match event {
            Event::Data => self.on_data(config, ping, Heard::Data),
            Event::Progress => self.on_data(config, ping, Heard::Progress),
            Event::Ping => {
                if self.charge_budget(config) {
                    self.on_peer_event(config, ping, Heard::Ping);
                }
            }
            Event::Pong(payload) => self.handle_pong(config, payload, now),
            Event::Close(code) => {
                self.answered_up_to = u32::from(code.unwrap_or(0));
                self.judge(if code.is_some() { Verdict::PeerClosedWithCode } else { Verdict::PeerClosed });
            }
            Event::Violation(code) => {
                self.answered_up_to = u32::from(code.get());
                self.judge(Verdict::ProtocolError);
            }
            Event::Eof => self.judge(Verdict::TransportClosed),
            Event::Wrote => self.wrote(ping),
            Event::PingSent => self.ping_sent(config, ping),
            Event::ReadPaused => self.pause(),
            Event::ReadResumed => self.resume(ping),
            // Rule 5 applies at the poll that would give the verdict. Rule 3: an answer that we read late is not a sample.
            Event::Unread => self.flags.set(Flags::UNREAD | Flags::NO_SAMPLE),
        }
    }

    /// Rule 11: no event changes the verdict, but an event may end the wait for the peer's Close.
    #[cold]
    fn handle_after_verdict(&mut self, event: Event<'_>) {
        match event {
            Event::Eof => self.gone(),
            Event::Close(_) => {
                // A peer that closed first has sent its only Close. Only the end of the transport can follow.
                if !matches!(self.verdict, Verdict::PeerClosed | Verdict::PeerClosedWithCode) {
                    self.gone();
                }
            }
            Event::Data
            | Event::Progress
            | Event::Ping
            | Event::Pong(_)
            | Event::Violation(_)
            | Event::Wrote
            | Event::PingSent
            | Event::ReadPaused
            | Event::ReadResumed
            | Event::Unread => {}
        }
    }

    fn gone(&mut self) {
        self.flags.set(Flags::GONE);
        self.wake();
    }

    /// Rule 9: a message or a part of one ends idleness.
    fn on_data(&mut self, config: &Config, ping: Ping, heard: Heard) {
        self.idle_from = self.latest;
        self.forget(Verdict::NotedIdle);
        self.on_peer_event(config, ping, heard);
    }

    /// Rule 3: an answer carries the payload of a ping not answered before, and settles the earlier ones too.
    fn handle_pong(&mut self, config: &Config, payload: &[u8], now: Timestamp) {
        self.advance(now);
        let Stage::Open(ping) = self.stage else { return };
        let Some(number) = Payload::open(payload, self.seed()).and_then(|number| self.unanswered(number))
        else {
            // A stale, repeated or foreign pong is traffic, never an answer.
            if self.charge_budget(config) {
                self.on_peer_event(config, ping, Heard::Nothing);
            }
            return;
        };
        if number == self.sent && !self.flags.has(Flags::NO_SAMPLE) {
            // The round trip counts from the writing or, if nobody reported that the writing ended, from the hand-out.
            let from = if ping.is_writing() { self.pinged_at } else { self.wait_from };
            self.rtt.sample(self.latest.since(from));
        }
        self.answered_up_to = number;
        self.answers = self.answers.saturating_add(1);
        self.on_peer_event(config, ping, Heard::Pong);
    }

    /// This number, if its ping was handed out and is not answered yet.
    fn unanswered(&self, number: u64) -> Option<u32> {
        let number = u32::try_from(number).ok()?;
        (self.answered_up_to < number && number <= self.sent).then_some(number)
    }

    /// An event of the peer's side; `Heard::Nothing` for a pong that answers nothing.
    fn on_peer_event(&mut self, config: &Config, ping: Ping, heard: Heard) {
        self.silent_from = self.latest;
        self.flags.take(Flags::SILENCE_FORGIVEN);
        self.forget(Verdict::NotedSilence);
        let evidence = match config.evidence {
            Evidence::AnyTraffic => true,
            Evidence::PongOnly => heard == Heard::Pong,
        };
        if !evidence {
            return;
        }
        self.heard_at = self.latest;
        self.flags.set_heard(if heard == Heard::Nothing { Heard::Pong } else { heard });
        // Rule 3: evidence ends the wait for every ping that was handed out before it, and all effects of that wait.
        self.stage = Stage::Open(ping.after_evidence());
        self.forget(Verdict::NotedAnswer);
        if ping == Ping::AnsweringAndWriting {
            // The writing goes on. Suspicion counts from its start, or from a later resumption.
            self.wait_from = self.wait_from.max(self.wrote_at);
        }
        if ping.is_writing() {
            // This, or a sample, may bring suspicion sooner.
            self.wake();
        }
        if self.flags.has(Flags::PING_FORGIVEN | Flags::SUSPECT | Flags::PROBE_WAIT | Flags::PROBE_UNWRITTEN)
        {
            self.recover();
        }
    }

    /// What evidence ends in addition to the wait.
    #[cold]
    fn recover(&mut self) {
        self.flags.clear(Flags::PING_FORGIVEN | Flags::PROBE_WAIT | Flags::PROBE_UNWRITTEN);
        if self.flags.take(Flags::SUSPECT) {
            self.suspicions_survived = self.suspicions_survived.saturating_add(1);
            self.flags.set(Flags::ANNOUNCE);
            self.wake();
        }
    }

    /// Rule 10: an unsolicited frame draws on the budget. False: the budget is empty, which is a verdict.
    #[inline(never)]
    fn charge_budget(&mut self, config: &Config) -> bool {
        let Some(budget) = config.control_budget else { return true };
        let affordable = self.limiter.draw(budget, self.latest);
        if !affordable {
            self.judge(Verdict::PingFlood);
        }
        affordable
    }

    /// Our bytes entered the transport.
    fn wrote(&mut self, ping: Ping) {
        self.wrote_at = self.latest;
        if self.flags.take(Flags::SUSPECTED) {
            // After this a new suspicion is possible.
            self.wake();
        }
        // Rule 4: a write renews the clock of the writing. Nothing that we do renews the wait for an answer.
        self.forget(Verdict::NotedWriting);
        if ping.is_writing() && !ping.is_answering() {
            self.wait_from = self.latest;
        }
    }

    /// The last byte of the newest ping entered the transport.
    fn ping_sent(&mut self, config: &Config, ping: Ping) {
        self.wrote(ping);
        if ping.is_writing() {
            self.written(config, ping, self.latest);
        }
    }

    /// Rule 4: the newest ping was written at `at`. If there is no wait for an answer yet, it begins there.
    pub(super) fn written(&mut self, config: &Config, ping: Ping, at: Timestamp) {
        self.stage = Stage::Open(match ping {
            Ping::Writing => {
                self.wait_from = at;
                Ping::Answering
            }
            Ping::WritingAnswered => {
                // There is no wait, but the round trip counts from here.
                self.wait_from = at;
                Ping::Idle
            }
            Ping::AnsweringAndWriting => Ping::Answering,
            done @ (Ping::Idle | Ping::Answering) => done,
        });
        if self.flags.take(Flags::PROBE_UNWRITTEN) {
            self.shorten_wait(config, at);
        }
        // The next ping may have waited for this. The answer may also be due earlier than the writing was.
        self.wake();
    }

    /// Rule 4: from the writing of a probe's ping, the wait for an answer lasts `probe_timeout`, unless it ends earlier
    /// already. While reading is paused it does not end earlier, because it starts anew at the resumption.
    pub(super) fn shorten_wait(&mut self, config: &Config, at: Timestamp) {
        let shorter = if self.flags.has(Flags::PAUSED) {
            config.probe_timeout < self.wait_length(config)
        } else {
            at.after(config.probe_timeout) < self.wait_from.after(self.wait_length(config))
        };
        if shorter {
            self.wait_from = at;
            self.flags.set(Flags::PROBE_WAIT);
        }
    }

    /// Rule 9: all waits for the peer stop; the writing goes on.
    #[cold]
    fn pause(&mut self) {
        self.flags.set(Flags::PAUSED | Flags::NO_SAMPLE);
        if self.verdict != Verdict::NotedWriting {
            self.forget(self.verdict);
        }
    }

    /// Rule 9: all waits for the peer start anew.
    #[cold]
    fn resume(&mut self, ping: Ping) {
        if !self.flags.take(Flags::PAUSED) {
            return;
        }
        self.idle_from = self.latest;
        self.silent_from = self.latest;
        self.flags.take(Flags::SUSPECTED);
        if ping != Ping::Idle {
            self.wait_from = self.latest;
        }
        self.wake();
    }
}
