//! What happened, and what it changes (rules 3, 4, 9, 10, 11).

use super::{Flags, Heard, Noted, Ping, Stage, State, Verdict};
use crate::config::{Config, Evidence};
use crate::event::{CloseCode, Event};
use crate::payload::Payload;
use crate::time::Timestamp;

impl State {
    pub(crate) fn handle(&mut self, config: &Config, event: Event<'_>, now: Timestamp) {
        self.advance(now);
        if self.stage != Stage::Open {
            return self.handle_after_verdict(event);
        }
        match event {
            Event::Data => {
                self.idle_from = self.latest;
                self.forget(Noted::Idle);
                self.hear(config, Heard::Data);
            }
            Event::Progress => self.hear(config, Heard::Progress),
            Event::Ping => {
                if self.afford(config) {
                    self.hear(config, Heard::Ping);
                }
            }
            Event::Pong(payload) => self.handle_pong(config, payload),
            Event::Close(code) => {
                self.code = code.unwrap_or(0);
                self.judge(if code.is_some() { Verdict::PeerClosedWithCode } else { Verdict::PeerClosed });
            }
            Event::Eof => {
                self.judge(Verdict::TransportClosed);
            }
            Event::Wrote => self.wrote(),
            Event::PingSent => self.ping_sent(),
            Event::ReadPaused => self.pause(),
            Event::ReadResumed => self.resume(),
        }
    }

    /// Rule 11: no event changes the verdict; but the end of the wait for the peer's Close may come early.
    fn handle_after_verdict(&mut self, event: Event<'_>) {
        match event {
            Event::Eof => self.flags.set(Flags::GONE),
            Event::Close(_) => {
                // A peer that closed first has sent its only Close; only the end of the transport can follow.
                if !matches!(self.verdict, Verdict::PeerClosed | Verdict::PeerClosedWithCode) {
                    self.flags.set(Flags::GONE);
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

    /// Rule 3: an answer carries the payload of a ping not answered before, and settles the earlier ones too.
    fn handle_pong(&mut self, config: &Config, payload: &[u8]) {
        let number = Payload::open(payload, self.seed).and_then(|number| u32::try_from(number).ok());
        let Some(number) =
            number.filter(|number| (self.settled..self.sent).contains(&number.wrapping_sub(1)))
        else {
            // Stale, repeated or foreign: traffic, never an answer.
            if self.afford(config) {
                self.hear(config, Heard::Nothing);
            }
            return;
        };
        if number == self.sent && !self.flags.has(Flags::PAUSED_SINCE_PING) {
            self.rtt.sample(self.latest.since(match self.ping {
                Ping::Idle | Ping::Answering => self.clock_from,
                // The end of its write was not reported: from the hand-out.
                Ping::Writing | Ping::Unsent => self.pinged_at,
            }));
        }
        self.settled = number;
        self.answers = self.answers.saturating_add(1);
        self.hear(config, Heard::Pong);
    }

    /// An event of the peer's side; `Heard::Nothing` for a pong that answers nothing.
    fn hear(&mut self, config: &Config, heard: Heard) {
        self.silent_from = self.latest;
        self.flags.take(Flags::SILENCE_FORGIVEN);
        self.forget(Noted::Silence);
        let evidence = match config.evidence {
            Evidence::AnyTraffic => true,
            Evidence::PongOnly => heard == Heard::Pong,
        };
        if !evidence {
            return;
        }
        self.heard_at = self.latest;
        self.heard = if heard == Heard::Nothing { Heard::Pong } else { heard };
        self.ping = match self.ping {
            Ping::Idle | Ping::Answering => Ping::Idle,
            Ping::Writing | Ping::Unsent => Ping::Unsent,
        };
        self.flags.take(Flags::PING_FORGIVEN);
        self.forget(Noted::Ping);
        if self.flags.take(Flags::SUSPECT) {
            self.survived = self.survived.saturating_add(1);
            self.flags.set(Flags::ANNOUNCE);
        }
    }

    /// Rule 10: a frame that nobody asked for draws on the budget. False: it is empty, and that is the verdict.
    fn afford(&mut self, config: &Config) -> bool {
        let Some(budget) = config.control_budget else { return true };
        let affordable = self.limiter.draw(budget, self.latest);
        if !affordable {
            self.judge(Verdict::PingFlood);
        }
        affordable
    }

    /// Bytes of ours entered the transport.
    fn wrote(&mut self) {
        self.wrote_at = self.latest;
        // Rule 4: a write renews the write's clock; nothing we do renews the wait for the answer.
        if self.ping == Ping::Writing {
            self.clock_from = self.latest;
            self.forget(Noted::Ping);
        }
    }

    /// The last byte of the newest ping did.
    fn ping_sent(&mut self) {
        self.wrote();
        self.ping = match self.ping {
            Ping::Writing => Ping::Answering,
            Ping::Unsent => {
                self.clock_from = self.latest;
                Ping::Idle
            }
            done @ (Ping::Idle | Ping::Answering) => done,
        };
    }

    /// Rule 9: what waits for the peer stops; the write phase runs on.
    fn pause(&mut self) {
        self.flags.set(Flags::PAUSED | Flags::PAUSED_SINCE_PING);
        let writing = self.noted == Noted::Ping && self.ping == Ping::Writing;
        if !writing {
            self.noted = Noted::Nothing;
        }
    }

    /// Rule 9: what waits for the peer starts anew.
    fn resume(&mut self) {
        if !self.flags.take(Flags::PAUSED) {
            return;
        }
        self.idle_from = self.latest;
        self.silent_from = self.latest;
        if self.ping.is_awaited() {
            self.clock_from = self.latest;
        }
    }

    pub(crate) fn probe(&mut self, now: Timestamp) {
        self.advance(now);
        self.flags.set(Flags::PROBE);
    }

    pub(crate) fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.advance(now);
        if self.stage == Stage::Open {
            self.code = code.get();
            self.judge(Verdict::LocalClosed);
        }
    }
}
