//! What happened, and what it changes (rules 3, 4, 9, 10, 11).

use super::{Case, Flags, Heard, Ping, Stage, State};
use crate::config::{Config, Evidence};
use crate::event::{CloseCode, Event};
use crate::payload::Payload;
use crate::time::Timestamp;

impl State {
    /// What happens a thousand times between two pings is worth a short way: traffic of a peer of whom nothing is awaited
    /// changes moments, and nothing else. True where a poll may have something to do now.
    // A call would cost more than what it does.
    #[inline(always)]
    pub(crate) fn handle(&mut self, config: &Config, event: Event<'_>, now: Timestamp) -> bool {
        match event {
            Event::Data if self.is_calm(config, now) => {
                self.idle_from = now;
                self.take_note(Heard::Data, now);
                false
            }
            Event::Progress if self.is_calm(config, now) => {
                self.take_note(Heard::Progress, now);
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
            | Event::Eof
            | Event::Wrote
            | Event::PingSent
            | Event::ReadPaused
            | Event::ReadResumed => {
                self.handle_fully(config, event, now);
                self.is_awake()
            }
        }
    }

    #[inline]
    fn is_calm(&self, config: &Config, now: Timestamp) -> bool {
        now >= self.latest
            && self.stage == Stage::Open(Ping::Idle)
            && self.case == Case::Nothing
            && !self.flags.has(Flags::SILENCE_FORGIVEN)
            && config.evidence == Evidence::AnyTraffic
    }

    #[inline]
    fn take_note(&mut self, heard: Heard, now: Timestamp) {
        self.latest = now;
        self.heard_at = now;
        self.heard = heard;
    }

    fn handle_fully(&mut self, config: &Config, event: Event<'_>, now: Timestamp) {
        self.advance(now);
        let Stage::Open(ping) = self.stage else { return self.handle_after_verdict(event) };
        match event {
            Event::Data => {
                self.idle_from = self.latest;
                self.forget(Case::NotedIdle);
                self.hear(config, ping, Heard::Data);
            }
            Event::Progress => self.hear(config, ping, Heard::Progress),
            Event::Ping => {
                if self.afford(config) {
                    self.hear(config, ping, Heard::Ping);
                }
            }
            Event::Pong(payload) => self.handle_pong(config, payload, now),
            Event::Close(code) => {
                self.settled = u32::from(code.unwrap_or(0));
                self.judge(if code.is_some() { Case::PeerClosedWithCode } else { Case::PeerClosed });
            }
            Event::Eof => self.judge(Case::TransportClosed),
            Event::Wrote => self.wrote(ping),
            Event::PingSent => self.ping_sent(ping),
            Event::ReadPaused => self.pause(ping),
            Event::ReadResumed => self.resume(ping),
        }
    }

    /// Rule 11: no event changes the verdict; but the end of the wait for the peer's Close may come early.
    #[cold]
    fn handle_after_verdict(&mut self, event: Event<'_>) {
        match event {
            Event::Eof => self.gone(),
            Event::Close(_) => {
                // A peer that closed first has sent its only Close; only the end of the transport can follow.
                if !matches!(self.case, Case::PeerClosed | Case::PeerClosedWithCode) {
                    self.gone();
                }
            }
            Event::Data
            | Event::Progress
            | Event::Ping
            | Event::Pong(_)
            | Event::Wrote
            | Event::PingSent
            | Event::ReadPaused
            | Event::ReadResumed => {}
        }
    }

    fn gone(&mut self) {
        self.flags.set(Flags::GONE);
        self.wake();
    }

    /// Rule 3: an answer carries the payload of a ping not answered before, and settles the earlier ones too.
    fn handle_pong(&mut self, config: &Config, payload: &[u8], now: Timestamp) {
        self.advance(now);
        let Stage::Open(ping) = self.stage else { return };
        let Some(number) = Payload::open(payload, self.seed()).and_then(|number| self.unsettled(number))
        else {
            // Stale, repeated or foreign: traffic, never an answer.
            if self.afford(config) {
                self.hear(config, ping, Heard::Nothing);
            }
            return;
        };
        if number == self.sent && !self.flags.has(Flags::PAUSED_SINCE_PING) {
            self.rtt.sample(self.latest.since(match ping {
                Ping::Idle | Ping::Answering => self.clock_from,
                // The end of its write was not reported: from the hand-out.
                Ping::Writing | Ping::Unsent => self.pinged_at,
            }));
        }
        self.settled = number;
        self.answers = self.answers.saturating_add(1);
        self.hear(config, ping, Heard::Pong);
    }

    /// A number as that of a ping which was handed out and waits for its answer still.
    fn unsettled(&self, number: u64) -> Option<u32> {
        let number = u32::try_from(number).ok()?;
        (self.settled < number && number <= self.sent).then_some(number)
    }

    /// An event of the peer's side; `Heard::Nothing` for a pong that answers nothing.
    fn hear(&mut self, config: &Config, ping: Ping, heard: Heard) {
        self.silent_from = self.latest;
        self.flags.take(Flags::SILENCE_FORGIVEN);
        self.forget(Case::NotedSilence);
        let evidence = match config.evidence {
            Evidence::AnyTraffic => true,
            Evidence::PongOnly => heard == Heard::Pong,
        };
        if !evidence {
            return;
        }
        self.heard_at = self.latest;
        self.heard = if heard == Heard::Nothing { Heard::Pong } else { heard };
        self.stage = Stage::Open(match ping {
            Ping::Idle | Ping::Answering => Ping::Idle,
            Ping::Writing | Ping::Unsent => Ping::Unsent,
        });
        self.forget(Case::NotedPing);
        // Only after the shortest wait can a ping be overdue that had to wait for this.
        if ping.is_awaited() && self.latest.since(self.pinged_at) >= config.shortest_wait {
            self.wake();
        }
        if self.flags.has(Flags::PING_FORGIVEN | Flags::SUSPECT | Flags::PROBE) {
            self.recover();
        }
    }

    /// What evidence ends beside the wait.
    #[cold]
    fn recover(&mut self) {
        self.flags.take(Flags::PING_FORGIVEN);
        if self.flags.take(Flags::SUSPECT) {
            self.survived = self.survived.saturating_add(1);
            self.flags.set(Flags::ANNOUNCE);
        }
        // There is something to announce, or the probe that waited is due.
        self.wake();
    }

    /// Rule 10: a frame that nobody asked for draws on the budget. False: it is empty, and that is the verdict.
    #[inline(never)]
    fn afford(&mut self, config: &Config) -> bool {
        let Some(budget) = config.control_budget else { return true };
        let affordable = self.limiter.draw(budget, self.latest);
        if !affordable {
            self.judge(Case::PingFlood);
        }
        affordable
    }

    /// Bytes of ours entered the transport.
    fn wrote(&mut self, ping: Ping) {
        self.wrote_at = self.latest;
        // Rule 4: a write renews the write's clock; nothing we do renews the wait for the answer.
        if ping == Ping::Writing {
            self.clock_from = self.latest;
            self.forget(Case::NotedPing);
        }
    }

    /// The last byte of the newest ping did.
    fn ping_sent(&mut self, ping: Ping) {
        self.wrote(ping);
        self.stage = Stage::Open(match ping {
            Ping::Writing => {
                // Its answer may be due before its writing would have been.
                self.wake();
                Ping::Answering
            }
            Ping::Unsent => {
                self.clock_from = self.latest;
                Ping::Idle
            }
            done @ (Ping::Idle | Ping::Answering) => done,
        });
    }

    /// Rule 9: what waits for the peer stops; the write phase runs on.
    #[cold]
    fn pause(&mut self, ping: Ping) {
        self.flags.set(Flags::PAUSED | Flags::PAUSED_SINCE_PING);
        let writing = self.case == Case::NotedPing && ping == Ping::Writing;
        if !writing {
            self.forget(self.case);
        }
    }

    /// Rule 9: what waits for the peer starts anew.
    #[cold]
    fn resume(&mut self, ping: Ping) {
        if !self.flags.take(Flags::PAUSED) {
            return;
        }
        self.idle_from = self.latest;
        self.silent_from = self.latest;
        if ping.is_awaited() {
            self.clock_from = self.latest;
        }
        self.wake();
    }

    pub(crate) fn probe(&mut self, now: Timestamp) {
        self.advance(now);
        self.flags.set(Flags::PROBE);
        self.wake();
    }

    pub(crate) fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.advance(now);
        if matches!(self.stage, Stage::Open(_)) {
            self.settled = u32::from(code.get());
            self.judge(Case::LocalClosed);
        }
    }
}
