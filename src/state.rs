//! The decisions: one connection's state, config apart, in 128 bytes.
//!
//! What may live here: moments, counts, and the rules that read them. Rule numbers are those of the crate's docs.
//! What traffic touches comes first and fills the first 64 bytes.

use crate::config::{Config, Evidence, NEVER, Schedule, Suspicion};
use crate::event::{Action, CloseCode, Event, Reason, Status};
use crate::limiter::Limiter;
use crate::payload::{Payload, mix};
use crate::rtt::Estimator;
use crate::time::{Timestamp, nanos};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(crate) struct State {
    // -- What an event of the peer's or a byte of ours touches.
    /// The latest moment seen. Time inside never runs backwards (rule 12).
    latest: Timestamp,
    /// The latest evidence of life.
    pub(crate) heard_at: Timestamp,
    /// The latest write of ours: bytes, a ping handed out or sent.
    wrote_at: Timestamp,
    /// Silence counts from here: an event of the peer, a resumption, a stall forgiven.
    silent_from: Timestamp,
    /// Idleness counts from here: a data message, a resumption.
    idle_from: Timestamp,
    /// The ping's current clock: from here its write or its answer is late.
    clock_from: Timestamp,
    /// Pings handed out; the number of the newest.
    pub(crate) sent: u32,
    /// Every ping up to this number is answered.
    settled: u32,
    flags: Flags,
    stage: Stage,
    ping: Ping,
    noted: Noted,
    pub(crate) heard: Heard,
    verdict: Verdict,
    /// The code that the peer closed with, or that the caller closes with.
    code: u16,
    // -- What only a ping, a pong or an end touches.
    /// When the newest ping was handed out; before the first, when the connection opened.
    pub(crate) pinged_at: Timestamp,
    /// While a verdict is noted, its first sight; while the close handshake runs, its start; else when reading
    /// was last resumed.
    mark: Timestamp,
    seed: u64,
    pub(crate) rtt: Estimator,
    limiter: Limiter,
    pub(crate) answers: u32,
    pub(crate) stalls: u16,
    pub(crate) survived: u16,
}

/// How far a life has come. Each stage is left by handing out one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// No verdict yet.
    Open,
    /// The verdict fell; `MarkOffline` is next.
    Judged,
    /// `Close` is next.
    Closing,
    /// Waiting for the peer to close too; `Disconnect` is next.
    Lingering,
    Finished,
}

/// What the newest ping waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ping {
    /// Nothing: there is none, or evidence came since.
    Idle,
    /// Its last byte to enter the transport.
    Writing,
    /// Its answer.
    Answering,
}

/// The verdict that waits for its last look (rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Noted {
    Nothing,
    Idle,
    Silence,
    Ping,
}

/// The kind of the latest evidence, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Heard {
    Nothing,
    Data,
    Progress,
    Ping,
    Pong,
}

/// A [`Reason`] whose code is kept beside it: one byte for five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Verdict {
    PingTimeout,
    WriteStalled,
    Silent,
    Idle,
    PingFlood,
    PeerClosed,
    PeerClosedWithCode,
    TransportClosed,
    LocalClosed,
}

/// Eight questions of yes and no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flags(u8);

impl Flags {
    /// `MarkOnline` is to be handed out.
    const ANNOUNCE: u8 = 1;
    /// `MarkSuspect` was handed out, and no evidence came since.
    const SUSPECT: u8 = 1 << 1;
    /// We are not reading (rule 9).
    const PAUSED: u8 = 1 << 2;
    /// Reading was paused since the newest ping: its answer is no sample.
    const PAUSED_SINCE_PING: u8 = 1 << 3;
    /// A ping is due now, whatever the schedule.
    const PROBE: u8 = 1 << 4;
    /// The fresh ping of rule 6 was handed out since the latest evidence.
    const PING_FORGIVEN: u8 = 1 << 5;
    /// A late sight of silence was forgiven since the latest event of the peer.
    const SILENCE_FORGIVEN: u8 = 1 << 6;
    /// The peer closed too, or the transport ended: nothing more to wait for.
    const GONE: u8 = 1 << 7;

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    const fn set(&mut self, flag: u8) {
        self.0 |= flag;
    }

    /// Clears the flag and says whether it was set.
    const fn take(&mut self, flag: u8) -> bool {
        let had = self.has(flag);
        self.0 &= !flag;
        had
    }
}

impl State {
    pub(crate) const fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            latest: now,
            heard_at: now,
            wrote_at: now,
            silent_from: now,
            idle_from: now,
            clock_from: now,
            sent: 0,
            settled: 0,
            flags: Flags(Flags::ANNOUNCE),
            stage: Stage::Open,
            ping: Ping::Idle,
            noted: Noted::Nothing,
            heard: Heard::Nothing,
            verdict: Verdict::LocalClosed,
            code: 0,
            pinged_at: now,
            mark: now,
            seed,
            rtt: Estimator::NEW,
            limiter: Limiter::FULL,
            answers: 0,
            stalls: 0,
            survived: 0,
        }
    }

    // -- Inputs

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
                self.flags.set(Flags::GONE);
            }
            Event::Wrote => self.wrote(Ping::Writing),
            Event::PingSent => self.wrote(Ping::Answering),
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
            // From the end of the write where that was reported, else from the hand-out.
            let from = if self.ping == Ping::Writing { self.pinged_at } else { self.clock_from };
            self.rtt.sample(self.latest.since(from));
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
        self.ping = Ping::Idle;
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

    /// Bytes of ours entered the transport: the ping, if it was still being written, is now in phase `next`.
    fn wrote(&mut self, next: Ping) {
        self.wrote_at = self.latest;
        // Rule 4: nothing we do renews the wait for the answer.
        if self.ping == Ping::Writing {
            self.ping = next;
            self.clock_from = self.latest;
            self.forget(Noted::Ping);
        }
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
        if self.ping == Ping::Answering {
            self.clock_from = self.latest;
        }
        if self.noted == Noted::Nothing {
            self.mark = self.latest;
        }
    }

    // -- Commands

    pub(crate) fn probe(&mut self, now: Timestamp) {
        self.advance(now);
        if self.stage == Stage::Open {
            self.flags.set(Flags::PROBE);
        }
    }

    pub(crate) fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.advance(now);
        if self.stage == Stage::Open {
            self.code = code.get();
            self.judge(Verdict::LocalClosed);
        }
    }

    // -- Outputs

    pub(crate) fn poll(&mut self, config: &Config, now: Timestamp) -> Option<Action> {
        self.advance(now);
        if self.stage == Stage::Open {
            if let Some(action) = self.look(config) {
                return Some(action);
            }
        }
        match self.stage {
            Stage::Open | Stage::Finished => None,
            // Every life begins with `MarkOnline`, the shortest too.
            Stage::Judged if self.flags.take(Flags::ANNOUNCE) => Some(Action::MarkOnline),
            Stage::Judged => {
                self.stage = Stage::Closing;
                Some(Action::MarkOffline(self.reason()))
            }
            Stage::Closing if self.verdict == Verdict::TransportClosed => self.finish(),
            Stage::Closing => {
                self.stage = Stage::Lingering;
                self.mark = self.latest;
                Some(Action::Close(self.close_code(config)))
            }
            Stage::Lingering if self.flags.has(Flags::GONE) || self.due(self.close_due(config)) => {
                self.finish()
            }
            Stage::Lingering => None,
        }
    }

    /// The poll of a life without a verdict: rule 13 is the order of these lines.
    fn look(&mut self, config: &Config) -> Option<Action> {
        if self.noted != Noted::Nothing {
            if self.due(self.last_look_due(config)) {
                self.confirm();
            }
            return None;
        }
        if self.flags.take(Flags::ANNOUNCE) {
            return Some(Action::MarkOnline);
        }
        if self.due(self.idle_due(config)) {
            return self.note(config, Noted::Idle);
        }
        if self.due(self.silence_due(config)) {
            // Rule 6: a driver that looks this late may have been deaf too.
            if self.flags.has(Flags::SILENCE_FORGIVEN) || !self.stalled(config, self.silence_due(config)) {
                return self.note(config, Noted::Silence);
            }
            self.flags.set(Flags::SILENCE_FORGIVEN);
            self.stalls = self.stalls.saturating_add(1);
            self.silent_from = self.latest;
        }
        if self.due(self.ping_deadline(config)) {
            if self.flags.has(Flags::PING_FORGIVEN) || !self.stalled(config, self.ping_deadline(config)) {
                return self.note(config, Noted::Ping);
            }
            self.flags.set(Flags::PING_FORGIVEN);
            self.stalls = self.stalls.saturating_add(1);
            return Some(self.send_ping(config));
        }
        if self.due(self.suspect_due(config)) {
            self.flags.set(Flags::SUSPECT);
            return Some(Action::MarkSuspect);
        }
        if self.due(self.ping_due(config)) {
            return Some(self.send_ping(config));
        }
        None
    }

    /// When `poll` has something to do next; [`Timestamp::MAX`] for never.
    pub(crate) fn next_due(&self, config: &Config) -> Timestamp {
        match self.stage {
            Stage::Open if self.noted != Noted::Nothing => self.last_look_due(config),
            Stage::Open if self.flags.has(Flags::ANNOUNCE) => self.latest,
            Stage::Open => self
                .idle_due(config)
                .min(self.silence_due(config))
                .min(self.ping_deadline(config))
                .min(self.suspect_due(config))
                .min(self.ping_due(config)),
            Stage::Judged | Stage::Closing => self.latest,
            Stage::Lingering if self.flags.has(Flags::GONE) => self.latest,
            Stage::Lingering => self.close_due(config),
            Stage::Finished => Timestamp::MAX,
        }
    }

    // -- Questions

    pub(crate) const fn status(&self) -> Status {
        match self.stage {
            Stage::Open if self.flags.has(Flags::SUSPECT) => Status::Suspect,
            Stage::Open => Status::Online,
            Stage::Judged | Stage::Closing | Stage::Lingering | Stage::Finished => Status::Offline,
        }
    }

    pub(crate) const fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finished)
    }

    /// The phase of the newest ping.
    pub(crate) const fn ping(&self) -> Ping {
        self.ping
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.flags.has(Flags::PAUSED)
    }

    /// The verdict, once there is one.
    pub(crate) const fn verdict(&self) -> Option<Reason> {
        match self.stage {
            Stage::Open => None,
            Stage::Judged | Stage::Closing | Stage::Lingering | Stage::Finished => Some(self.reason()),
        }
    }

    /// The payload of ping `number`, if it was handed out.
    #[cfg(feature = "transcript")]
    pub(crate) fn payload_of(&self, number: u64) -> Option<Payload> {
        (1..=u64::from(self.sent)).contains(&number).then(|| Payload::seal(number, self.seed))
    }

    /// The number of the ping with this payload, if it was handed out.
    #[cfg(feature = "transcript")]
    pub(crate) fn number_of(&self, payload: &[u8]) -> Option<u64> {
        Payload::open(payload, self.seed).filter(|number| (1..=u64::from(self.sent)).contains(number))
    }

    // -- Moments (rules 1, 2, 4, 8, 9)

    fn idle_due(&self, config: &Config) -> Timestamp {
        self.unless_paused(self.idle_from.after(config.idle_timeout))
    }

    fn silence_due(&self, config: &Config) -> Timestamp {
        self.unless_paused(self.silent_from.after(config.silence_timeout))
    }

    fn ping_deadline(&self, config: &Config) -> Timestamp {
        match self.ping {
            Ping::Idle => Timestamp::MAX,
            Ping::Writing => self.clock_from.after(config.write_timeout),
            Ping::Answering => self.unless_paused(self.clock_from.after(config.timeout)),
        }
    }

    fn suspect_due(&self, config: &Config) -> Timestamp {
        let after = match config.suspicion {
            Suspicion::Never => NEVER,
            Suspicion::After(after) => nanos(after),
            Suspicion::Adaptive { at_least } => {
                self.rtt.usual().map_or(NEVER, |usual| usual.max(nanos(at_least)))
            }
        };
        if after >= config.timeout || self.flags.has(Flags::SUSPECT) {
            return Timestamp::MAX;
        }
        match self.ping {
            Ping::Idle => Timestamp::MAX,
            // The write clock ran on through a pause; suspicion started anew after it.
            Ping::Writing => self.unless_paused(self.clock_from.max(self.mark).after(after)),
            Ping::Answering => self.unless_paused(self.clock_from.after(after)),
        }
    }

    fn ping_due(&self, config: &Config) -> Timestamp {
        if self.ping != Ping::Idle {
            return Timestamp::MAX;
        }
        if self.flags.has(Flags::PROBE) {
            return self.latest;
        }
        if config.interval == NEVER {
            return Timestamp::MAX;
        }
        match config.schedule {
            Schedule::Quiet => self.heard_at.min(self.wrote_at).after(self.wait(config)),
            Schedule::Steady => self.pinged_at.after(self.wait(config)),
        }
    }

    /// The wait for the next ping: at most `interval`, and never nothing. Drawn anew for each ping, and computed
    /// each time it is asked for, which costs less than the room to keep it.
    fn wait(&self, config: &Config) -> u64 {
        if config.jitter == 0 {
            return config.interval;
        }
        let draw = mix(self.seed, u64::from(self.sent));
        if self.sent == 0 {
            // The whole of (0, interval]: a million clients who reconnect together do not ping together.
            return share(draw, config.interval).saturating_add(1).min(config.interval);
        }
        let most = (config.interval / 100).saturating_mul(u64::from(config.jitter));
        config.interval.saturating_sub(share(draw, most.saturating_add(1))).max(1)
    }

    fn last_look_due(&self, config: &Config) -> Timestamp {
        self.mark.after(config.last_look)
    }

    fn close_due(&self, config: &Config) -> Timestamp {
        self.mark.after(config.close_timeout)
    }

    /// Rule 9: we cannot judge whom we do not listen to.
    fn unless_paused(&self, due: Timestamp) -> Timestamp {
        if self.flags.has(Flags::PAUSED) { Timestamp::MAX } else { due }
    }

    /// The far end of time never comes.
    fn due(&self, at: Timestamp) -> bool {
        at <= self.latest && at != Timestamp::MAX
    }

    /// Rule 6: this deadline is seen so late that we were not looking.
    fn stalled(&self, config: &Config, deadline: Timestamp) -> bool {
        self.latest.since(deadline) > config.stall_tolerance
    }

    // -- Leaves: each does one thing and asks nothing again

    fn advance(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    fn send_ping(&mut self, config: &Config) -> Action {
        self.sent = self.sent.saturating_add(1);
        self.ping = if config.write_timeout == NEVER { Ping::Answering } else { Ping::Writing };
        self.pinged_at = self.latest;
        self.clock_from = self.latest;
        self.wrote_at = self.latest;
        self.flags.take(Flags::PROBE);
        if !self.flags.has(Flags::PAUSED) {
            self.flags.take(Flags::PAUSED_SINCE_PING);
        }
        Action::SendPing(Payload::seal(u64::from(self.sent), self.seed))
    }

    /// Rule 5: no verdict at first sight, unless the last look is switched off.
    fn note(&mut self, config: &Config, noted: Noted) -> Option<Action> {
        self.noted = noted;
        self.mark = self.latest;
        if config.last_look == 0 {
            self.confirm();
        }
        None
    }

    fn forget(&mut self, noted: Noted) {
        if self.noted == noted {
            self.noted = Noted::Nothing;
        }
    }

    fn confirm(&mut self) {
        match self.noted {
            Noted::Nothing => {}
            Noted::Idle => self.judge(Verdict::Idle),
            Noted::Silence => self.judge(Verdict::Silent),
            Noted::Ping if self.ping == Ping::Writing => self.judge(Verdict::WriteStalled),
            Noted::Ping => self.judge(Verdict::PingTimeout),
        }
    }

    const fn judge(&mut self, verdict: Verdict) {
        self.verdict = verdict;
        self.stage = Stage::Judged;
        self.noted = Noted::Nothing;
    }

    fn finish(&mut self) -> Option<Action> {
        self.stage = Stage::Finished;
        Some(Action::Disconnect)
    }

    const fn reason(&self) -> Reason {
        match self.verdict {
            Verdict::PingTimeout => Reason::PingTimeout,
            Verdict::WriteStalled => Reason::WriteStalled,
            Verdict::Silent => Reason::Silent,
            Verdict::Idle => Reason::Idle,
            Verdict::PingFlood => Reason::PingFlood,
            Verdict::PeerClosed => Reason::PeerClosed(None),
            Verdict::PeerClosedWithCode => Reason::PeerClosed(Some(self.code)),
            Verdict::TransportClosed => Reason::TransportClosed,
            Verdict::LocalClosed => Reason::LocalClosed,
        }
    }

    fn close_code(&self, config: &Config) -> Option<CloseCode> {
        match self.verdict {
            Verdict::PingTimeout | Verdict::WriteStalled | Verdict::Silent => Some(config.close_code),
            Verdict::Idle => Some(CloseCode::NORMAL),
            Verdict::PingFlood => Some(CloseCode::POLICY_VIOLATION),
            // RFC 6455 5.5.1: the echo usually carries the code received; one that may not go out was an error.
            Verdict::PeerClosedWithCode => {
                Some(CloseCode::new(self.code).unwrap_or(CloseCode::PROTOCOL_ERROR))
            }
            Verdict::LocalClosed => CloseCode::new(self.code),
            Verdict::PeerClosed | Verdict::TransportClosed => None,
        }
    }
}

/// `draw`, uniform over 64 bits, brought into [0, below).
#[expect(clippy::cast_possible_truncation, reason = "the high half of a 64 by 64 bit product is 64 bits")]
fn share(draw: u64, below: u64) -> u64 {
    ((u128::from(draw).saturating_mul(u128::from(below))) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    static_assertions::const_assert!(size_of::<State>() <= 128);
    static_assertions::assert_impl_all!(State: Send, Sync, Unpin, Copy);

    #[test]
    fn what_traffic_touches_lies_in_the_first_64_bytes() {
        assert!(core::mem::offset_of!(State, pinged_at) <= 64);
    }

    #[test]
    fn shares_cover_their_range_and_stay_inside() {
        assert_eq!(share(0, 10), 0);
        assert_eq!(share(u64::MAX, 10), 9);
        assert_eq!(share(u64::MAX, 1), 0);
        assert_eq!(share(u64::MAX, u64::MAX), u64::MAX - 1);
    }
}
