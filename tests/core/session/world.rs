//! One connection: a driver that takes the turn as the module's page says, a caller in front of it, and a library, a transport
//! and a peer behind. Where the choices come from is somebody else's affair: proptest in `laws`, a fuzzer's bytes in `fuzz`.

use std::collections::VecDeque;
use std::time::Duration;

use liveness::dialect::{Heard, Message};
use liveness::session::{ErrorKind, Inbound, Limits, Outbound, Role};
use liveness::sim::Rng;
use liveness::{Action, CloseCode, Config, Evidence, Payload, Reason, Timestamp};

use super::both::Both;
use super::choices::Choices;
use super::library::{Frame, Library, Read, size};
use super::reference::Told;
use super::speech::Speech;
use crate::absences::{self, Absences};

/// What a driver sees of its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Whole frames, and when the library is empty.
    Frames,
    /// Bytes too.
    Bytes,
    /// Where a frame ends among them as well.
    Offsets,
}

/// What is known of a life beforehand, for the laws that hold only then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything happens.
    Any,
    /// The peer takes and answers all its life, breaks nothing, and nobody leaves.
    Live,
    /// The peer breaks nothing, and nobody leaves. At the end of the steps it falls silent, and takes nothing; the caller
    /// takes all that it is given.
    Dies,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    PeerSends,
    PeerFloods,
    PeerEnds,
    PeerTakes,
    PeerStops,
    PeerGoesOn,
    WritesFail,
    Receive,
    ReceiveAll,
    Send,
    SendTooMuch,
    WaitToWrite,
    Close,
    Probe,
    /// Time passes, and the driver does its work.
    Wait,
    /// Time passes, and the caller is busy elsewhere: nobody drives.
    Away,
    /// The same, and then it takes a message.
    ComesBack,
}

const STEPS: [(u64, Step); 17] = [
    (1, Step::WritesFail),
    (1, Step::PeerEnds),
    (1, Step::Close),
    (3, Step::SendTooMuch),
    (6, Step::PeerStops),
    (6, Step::PeerGoesOn),
    (6, Step::Probe),
    (8, Step::PeerTakes),
    (8, Step::WaitToWrite),
    (8, Step::PeerFloods),
    (10, Step::Away),
    (14, Step::ComesBack),
    (16, Step::ReceiveAll),
    (40, Step::Send),
    (40, Step::Receive),
    (36, Step::Wait),
    (52, Step::PeerSends),
];

/// One of our pings.
#[derive(Clone, Copy, Debug)]
struct Ping {
    payload: Payload,
    /// Its last byte has left.
    left: bool,
    /// The machine was told so.
    told: bool,
}

/// Everything that was seen of a life.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// Messages as the library gave them, and so many of them before the verdict was out.
    pub(crate) given: Vec<u32>,
    pub(crate) before_the_verdict: usize,
    /// Messages as the caller was handed them.
    pub(crate) taken: Vec<u32>,
    pub(crate) offline: Option<(Timestamp, Reason)>,
    pub(crate) disconnected: Option<Timestamp>,
    /// Those of the driver's thread, within its turns.
    pub(crate) absences: Absences,
    /// The last time that nobody drove, or that the steps were over.
    pub(crate) away_until: Timestamp,
    /// When the peer fell silent, and when it must be known.
    pub(crate) died: Option<(Timestamp, Timestamp)>,
    /// It would be known if anybody read.
    pub(crate) paused_at_the_end: bool,
    pub(crate) config: Option<Config>,
    /// What happened how often.
    pub(crate) seen: Seen,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) pings_sent: usize,
    pub(crate) pauses: usize,
    pub(crate) rests: usize,
    pub(crate) discarded: usize,
    pub(crate) failed_writes: usize,
    pub(crate) full_shares: usize,
    pub(crate) blocked_writes: usize,
    pub(crate) closes: usize,
    pub(crate) causes: usize,
    pub(crate) answers: usize,
    pub(crate) unread: usize,
    pub(crate) lost: usize,
    pub(crate) read_ahead: usize,
    /// A deadline passed between the end of a turn and the wait.
    pub(crate) passed: usize,
    /// A turn's clock was read so long before something left or came that a whole timeout fits in between.
    pub(crate) late: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { pings_sent, pauses, rests, discarded, failed_writes, full_shares, .. } = *other;
        let Self { blocked_writes, closes, causes, answers, unread, lost, read_ahead, passed, late, .. } =
            *other;
        self.pings_sent += pings_sent;
        self.pauses += pauses;
        self.rests += rests;
        self.discarded += discarded;
        self.failed_writes += failed_writes;
        self.full_shares += full_shares;
        self.blocked_writes += blocked_writes;
        self.closes += closes;
        self.causes += causes;
        self.answers += answers;
        self.unread += unread;
        self.lost += lost;
        self.read_ahead += read_ahead;
        self.passed += passed;
        self.late += late;
    }
}

/// A busy machine: the driver's thread may lose its processor between any two calls of a turn.
#[derive(Debug)]
struct Busy {
    choices: Rng,
    /// So often in 256.
    share: u64,
}

impl Busy {
    /// How long the thread waits for a processor; `None`: it keeps it.
    fn leap(&mut self, deadline: Option<Duration>) -> Option<Duration> {
        (self.choices.below(256) < self.share).then(|| absences::length(&mut self.choices, deadline))
    }
}

pub(crate) struct World {
    /// The moment. The driver's is `both.now`: when it last read its clock.
    clock: Timestamp,
    busy: Option<Busy>,
    both: Both,
    speech: Speech,
    library: Library,
    sight: Sight,
    limits: Limits,
    config: Config,
    kind: Kind,
    /// So many frames are read in one pass.
    share: usize,
    /// The caller waits for a message; it has been handed one.
    waits: bool,
    handed: bool,
    kept: VecDeque<usize>,
    pings: Vec<Ping>,
    message: u32,
    paused: bool,
    life: Life,
}

/// A driver takes no more passes than this at one moment.
const PASSES: usize = 5_000;

impl World {
    pub(crate) fn live(choices: &mut Choices<'_>, kind: Kind) -> Life {
        Self::new(choices, kind, None).live_on(choices)
    }

    /// The same on a busy machine, where time passes within turns.
    pub(crate) fn live_busily(choices: &mut Choices<'_>, kind: Kind) -> Life {
        let (seed, share) = (choices.below(1 << 16), 1 << choices.below(5));
        Self::new(choices, kind, Some(Busy { choices: Rng::new(seed), share })).live_on(choices)
    }

    fn live_on(mut self, choices: &mut Choices<'_>) -> Life {
        self.turn();
        while !choices.is_over() && self.life.disconnected.is_none() {
            let step = choices.weighted(&STEPS);
            self.step(step, choices);
        }
        self.end();
        self.life
    }

    fn new(choices: &mut Choices<'_>, kind: Kind, busy: Option<Busy>) -> Self {
        let (role, limits, library_answers) = (choices.role(), choices.limits(), choices.yes());
        let mut config = choices.config();
        if kind != Kind::Any && config.last_look().is_zero() {
            // Without a last look the first sight of what is unread is too late.
            config = config.to_builder().last_look(Duration::from_millis(10)).build().unwrap();
        }
        if busy.is_some() {
            // As drivers do. A ping that counts as written when it is handed out loses what the thread loses before its write.
            config = config.for_drivers();
        }
        if busy.is_some() && kind == Kind::Live {
            // Where only answers count, one that lies behind more than is read in time is not spared for ever.
            config = config.to_builder().evidence(Evidence::AnyTraffic).build().unwrap();
        }
        let sight = choices.weighted(&[(85, Sight::Frames), (85, Sight::Bytes), (86, Sight::Offsets)]);
        let mut library =
            Library::new(role == Role::Server, library_answers, 1 + choices.below(500) as usize);
        library.wire.room = 1 + choices.below(600) as usize;
        if busy.is_some() && sight == Sight::Frames {
            // Who sees no bytes sees no progress before all has left: at one flush, because the next may be seconds later.
            library.wire.room += 10_000;
        }
        library.wire.takes = kind == Kind::Live || choices.yes();
        library.wire.answers = kind == Kind::Live || choices.yes();
        let start = Timestamp::from_secs(100);
        let speech = if choices.yes() { Speech::Texts } else { Speech::Frames };
        Self {
            clock: start,
            busy,
            both: Both::new(role, limits, library_answers, speech, config, start),
            speech,
            library,
            sight,
            limits,
            config,
            kind,
            share: if choices.yes() { usize::MAX } else { 1 + choices.below(4) as usize },
            waits: false,
            handed: false,
            kept: VecDeque::new(),
            pings: Vec::new(),
            message: 0,
            paused: false,
            life: Life { away_until: start, config: Some(config), ..Life::default() },
        }
    }

    // -- The clock.

    /// The thread may lose its processor here.
    fn preempt(&mut self) {
        let Some(busy) = &mut self.busy else { return };
        let wait = self.both.poll_timeout().map(|due| due.saturating_duration_since(self.clock));
        if let Some(leap) = busy.leap(wait) {
            self.life.absences.push(self.clock, leap);
            self.clock += leap;
            self.library.wire.arrive();
        }
    }

    fn read_the_clock(&mut self) {
        self.both.now = self.clock;
        self.preempt();
    }

    /// Something left or came: it is dated by a clock that is read after it. Dated by an earlier reading, the peer would lose
    /// the time in between.
    fn date(&mut self) {
        let late = self.clock.saturating_duration_since(self.both.now) >= self.config.timeout();
        self.life.seen.late += usize::from(late);
        self.read_the_clock();
    }

    /// Everybody waits until then.
    fn pass_time(&mut self, until: Timestamp) {
        self.clock = self.clock.max(until);
        self.read_the_clock();
    }

    // -- What happens.

    fn step(&mut self, step: Step, choices: &mut Choices<'_>) {
        self.read_the_clock();
        if !matches!(step, Step::PeerSends | Step::PeerFloods) {
            self.library.wire.arrive();
        }
        let live = self.kind == Kind::Live;
        match step {
            Step::PeerStops if live => {}
            Step::PeerEnds | Step::WritesFail | Step::Close if self.kind != Kind::Any => {}
            Step::PeerSends => self.peer_sends(choices),
            Step::PeerFloods => {
                for _ in 0..choices.below(100) {
                    self.message += 1;
                    self.library.wire.send(Frame::Data(self.message, 20));
                }
            }
            Step::PeerEnds => {
                self.library.wire.send(if choices.yes() { Frame::End } else { Frame::Reset });
            }
            Step::PeerTakes => self.library.wire.take(choices.below(400) as usize),
            Step::PeerStops => {
                self.library.wire.takes = false;
                self.library.wire.answers &= choices.yes();
            }
            Step::PeerGoesOn => {
                self.library.wire.takes = true;
                self.library.wire.answers |= choices.yes();
                self.library.wire.take(usize::MAX);
            }
            Step::WritesFail => self.library.broken = true,
            Step::Receive => self.receive_one(),
            Step::ReceiveAll => self.receive(usize::MAX),
            Step::Send => self.send(),
            Step::SendTooMuch => {
                assert!(!self.both.failed(ErrorKind::Rejected, "too much"));
                self.turn();
            }
            Step::WaitToWrite => {
                self.turn();
                self.both.writer_waits();
                self.turn();
            }
            Step::Close => {
                let text = "é".repeat(50 * choices.below(3) as usize);
                self.both.close(CloseCode::GOING_AWAY, &text);
                self.turn();
            }
            Step::Probe => {
                self.both.probe();
                self.turn();
            }
            Step::Wait => self.wait(self.clock + choices.span()),
            Step::Away => self.is_away(choices),
            Step::ComesBack => {
                self.is_away(choices);
                self.receive_one();
            }
        }
    }

    fn is_away(&mut self, choices: &mut Choices<'_>) {
        self.pass_time(self.clock + choices.span());
        self.life.away_until = self.clock;
    }

    /// Where only answers count, a caller that leaves them lying behind its messages is spared no longer than `Unread` spares.
    fn receive_one(&mut self) {
        let all = self.kind == Kind::Live && self.config.evidence() == Evidence::PongOnly;
        self.receive(if all { usize::MAX } else { 1 });
    }

    fn peer_sends(&mut self, choices: &mut Choices<'_>) {
        let what = choices.below(32);
        let size = choices.below(700) as usize;
        let frame = match what {
            0..=10 => {
                self.message += 1;
                Frame::Data(self.message, size)
            }
            11..=14 => Frame::Beat,
            15..=20 => Frame::Ping,
            21..=23 => Frame::Pong(b"foreign".to_vec()),
            24..=27 => Frame::Part(size),
            _ if self.kind != Kind::Any => Frame::Beat,
            28 => Frame::Close(Some(1000 + choices.below(16) as u16)),
            29 => Frame::Close(None),
            30 => Frame::Bad,
            _ => Frame::Ping,
        };
        self.library.wire.send(frame);
    }

    /// What is left of a life when its steps are over.
    fn end(&mut self) {
        self.life.away_until = self.clock;
        self.turn();
        match self.kind {
            Kind::Live => {
                self.receive(usize::MAX);
                self.wait(self.clock + Duration::from_secs(60));
                self.receive(usize::MAX);
            }
            Kind::Dies => self.peer_dies(),
            Kind::Any => {
                // The peer takes what there is, and goes; the caller, too, takes what there is.
                self.library.wire.takes = true;
                self.library.wire.take(usize::MAX);
                self.library.wire.send(Frame::End);
                for _ in 0..70 {
                    self.receive(usize::MAX);
                    self.wait(self.clock + Duration::from_millis(100));
                }
            }
        }
        while let Some(message) = self.both.take() {
            self.life.taken.push(message);
        }
    }

    fn peer_dies(&mut self) {
        self.library.wire.takes = false;
        self.library.wire.answers = false;
        self.library.wire.ended = true;
        self.receive(usize::MAX);
        let died = self.clock;
        let known = died + self.config.detection_bound(Duration::ZERO);
        self.life.died = Some((died, known));
        while self.clock < late(&self.life, died, known) + Duration::from_secs(10)
            && self.life.disconnected.is_none()
        {
            self.wait(self.clock + Duration::from_secs(1));
            self.receive(usize::MAX);
        }
        self.life.paused_at_the_end = self.both.session.is_paused();
    }

    // -- The caller.

    /// It takes what there is, up to so many messages, and waits for none.
    fn receive(&mut self, most: usize) {
        for _ in 0..most.min(2_000) {
            if let Some(message) = self.both.take() {
                self.kept.pop_front();
                self.life.taken.push(message);
                continue;
            }
            self.waits = true;
            self.turn();
            self.waits = false;
            if !std::mem::take(&mut self.handed) {
                return;
            }
        }
    }

    fn send(&mut self) {
        self.turn();
        // Ours come first; a library that takes nothing now is left alone.
        let may = self.both.session.may_send() && !self.both.session.wants_write();
        if may && self.library.is_ready() {
            self.library.write_message();
            self.both.wrote();
        }
    }

    // -- The driver.

    /// Passes until nothing changes; then it must be time to wait.
    fn turn(&mut self) {
        let (mut passes, mut since) = (0, self.clock);
        while passes < PASSES {
            if self.life.disconnected.is_some() {
                return;
            }
            if !self.pass() {
                return self.must_wait();
            }
            // Where the thread loses its processor, no two passes are at one moment.
            passes = if self.clock > since { 0 } else { passes + 1 };
            since = self.clock;
        }
        panic!("the driver spins: {:?} {:?}", self.both.session, self.library);
    }

    /// The turn of the module's page. Whether anything changed.
    fn pass(&mut self) -> bool {
        self.read_the_clock();
        let wrote = self.write();
        let read = self.read();
        let acted = self.judge();
        self.look();
        wrote || read || acted
    }

    /// While time passes, the driver wakes when something is due.
    fn wait(&mut self, until: Timestamp) {
        for _ in 0..100_000 {
            self.turn();
            let next = self.both.poll_timeout().filter(|next| *next <= until);
            self.preempt();
            let Some(next) = next.filter(|_| self.life.disconnected.is_none()) else {
                self.pass_time(until);
                return self.turn();
            };
            // If it has passed meanwhile, there is no wait, and the next turn is taken at once.
            self.life.seen.passed += usize::from(next < self.clock);
            self.pass_time(next);
            self.library.wire.arrive();
        }
        panic!("time stands still: {:?}", self.both.session);
    }

    /// Nothing changed: whatever could be done next waits for somebody else.
    fn must_wait(&self) {
        let (session, wire, now) = (&self.both.session, &self.library.wire, self.both.now);
        let why = || format!("at {now}: {session:?} {:?}", self.library);
        assert!(self.both.poll_timeout().is_none_or(|next| next > now), "due, and not done: {}", why());
        let blocked = self.library.unsent() > 0 && wire.room == 0;
        assert!(!session.wants_write() || blocked, "to be written, and not written: {}", why());
        assert!(!session.wants_flush() || blocked, "to be flushed, and not flushed: {}", why());
        let reads = session.wants_read(now) && !self.handed;
        assert!(
            !reads || wire.inbound.is_empty() || self.library.is_over(),
            "to be read, and not read: {}",
            why()
        );
    }

    fn write(&mut self) -> bool {
        let mut changed = false;
        while self.both.session.wants_write() {
            if !self.library.is_ready() && !self.flush(&mut changed) {
                return changed;
            }
            let Some(out) = self.both.poll_write() else { break };
            match &out {
                Outbound::Flush => {
                    if !self.flush(&mut changed) {
                        return changed;
                    }
                }
                Outbound::ShutdownWrite => self.both.shut(),
                Outbound::Pong(_)
                | Outbound::Answer(_)
                | Outbound::Ping(_)
                | Outbound::Beat(_)
                | Outbound::Close(..)
                | _ => {
                    self.give(&out);
                }
            }
            changed = true;
        }
        // What is left is flushed before it waits.
        if self.both.session.wants_flush() {
            self.flush(&mut changed);
        }
        changed
    }

    fn give(&mut self, out: &Outbound) {
        self.library.write(out);
        match out {
            Outbound::Ping(_) | Outbound::Beat(_) => {
                let payload = self.library.newest_ping();
                assert_eq!(self.pings.last().map(|ping| ping.payload), payload, "an old ping");
                if self.sight == Sight::Offsets {
                    self.both.ping_ends_after(self.library.unsent() as u64);
                }
            }
            Outbound::Close(..) => self.life.seen.closes += 1,
            Outbound::Pong(_) | Outbound::Answer(_) => self.life.seen.answers += 1,
            Outbound::Flush | Outbound::ShutdownWrite | _ => {}
        }
    }

    /// Flushes the library, and says how that went. False: it takes nothing now.
    fn flush(&mut self, changed: &mut bool) -> bool {
        let before = self.library.left.len();
        self.preempt();
        let flushed = self.library.flush();
        self.preempt();
        self.date();
        let Some((bytes, empty)) = flushed else {
            self.both.write_failed();
            self.life.seen.failed_writes += 1;
            *changed = true;
            return false;
        };
        for sent in &self.library.left[before..] {
            if let Some(payload) = sent.ping() {
                self.pings
                    .iter_mut()
                    .filter(|ping| ping.payload == payload)
                    .for_each(|ping| ping.left = true);
            }
        }
        *changed |= bytes > 0;
        if self.sight != Sight::Frames {
            self.both.sent_bytes(bytes);
        }
        if empty {
            self.both.flushed();
        } else {
            self.life.seen.blocked_writes += 1;
            self.both.write_blocked();
        }
        self.look();
        empty
    }

    /// Whether anything was read, or is left for another pass.
    fn read(&mut self) -> bool {
        let (mut frames, mut all) = (0, false);
        while self.both.session.wants_read(self.both.now) && !all {
            if frames >= self.share {
                self.life.seen.full_shares += 1;
                break;
            }
            if self.handed {
                // The caller has its message: only a verdict is worth reading ahead for.
                if !self.both.machine.liveness().would_judge(self.both.now) {
                    return frames > 0;
                }
                self.life.seen.read_ahead += 1;
            }
            let discarding = self.both.session.is_discarding();
            self.life.seen.discarded += usize::from(discarding);
            self.preempt();
            let read = if discarding { self.library.discard() } else { self.library.read() };
            all = matches!(read, Read::Nothing);
            if !all {
                self.preempt();
                self.date();
            }
            frames += 1;
            if !self.take_in(read) {
                // An error: whatever it changes is done in another pass.
                return true;
            }
        }
        if !all {
            self.both.read_suspended();
        }
        let rests = self.both.session.poll_timeout(self.both.now).is_some();
        self.life.seen.rests += usize::from(rests);
        frames > usize::from(all)
    }

    /// False: an error, or the end.
    fn take_in(&mut self, read: Read) -> bool {
        let counted = self.sight != Sight::Frames || self.both.session.is_discarding();
        match read {
            Read::Nothing => {
                self.both.read_blocked();
                return true;
            }
            Read::Bytes(bytes) => {
                if counted {
                    self.both.received_bytes(bytes);
                }
                return true;
            }
            Read::Frame(frame) => {
                if counted {
                    self.both.received_bytes(size(&frame));
                }
                self.hear(&frame);
                return true;
            }
            Read::Violation(code) => {
                self.life.seen.causes +=
                    usize::from(self.both.failed(ErrorKind::Protocol(code), "bad frame"));
            }
            Read::Failed => {
                self.life.seen.causes += usize::from(self.both.failed(ErrorKind::Transport, "reset"));
            }
            Read::End => self.both.read_ended(),
            Read::Closed => {
                let known = self.library.is_over();
                self.both.failed(ErrorKind::Closed, "closed");
                self.library.over = true;
                return known && !self.both.session.wants_write();
            }
        }
        false
    }

    fn hear(&mut self, frame: &Frame) {
        match frame {
            Frame::Data(message, bytes) => {
                let for_caller = self.both.received(Inbound::Message(Message::Text("hello")));
                self.life.given.push(*message);
                if !for_caller {
                    self.life.seen.lost += 1;
                } else if std::mem::take(&mut self.waits) {
                    self.life.taken.push(*message);
                    self.handed = true;
                    self.both.delivered();
                } else {
                    self.keep(*message, *bytes);
                }
            }
            Frame::Beat if self.speech == Speech::Frames => {
                self.both.received(Inbound::Heard(Heard::Beat));
                self.both.answer(0);
            }
            Frame::Beat => drop(self.both.received(Inbound::Message(Message::Text(self.speech.ping())))),
            Frame::Ping => drop(self.both.received(Inbound::Ping(b"?"))),
            Frame::Pong(payload) => drop(self.both.received(Inbound::Pong(payload))),
            Frame::Answer(ping) => {
                self.both.received(Inbound::Message(Message::Text(&self.speech.pong(*ping))));
            }
            Frame::Close(code) => drop(self.both.received(Inbound::Close(*code))),
            Frame::Part(_) | Frame::Bad | Frame::End | Frame::Reset => unreachable!("no frame"),
        }
    }

    /// What is kept is what was begun while there was room.
    fn keep(&mut self, message: u32, bytes: usize) {
        let before = self.both.session.kept();
        self.both.keep(message, bytes);
        if self.both.session.kept() == before {
            self.life.seen.lost += 1;
            return;
        }
        let kept: usize = self.kept.iter().sum();
        assert!(self.kept.len() < self.limits.messages.max(1), "too many messages are kept");
        assert!(kept < self.limits.bytes.max(1), "too many bytes are kept");
        self.kept.push_back(bytes);
    }

    fn judge(&mut self) -> bool {
        let mut acted = false;
        while let Some(action) = self.both.poll() {
            acted = true;
            match action {
                Action::SendPing(payload) => self.pings.push(Ping { payload, left: false, told: false }),
                Action::MarkOffline(reason) => {
                    self.life.offline = Some((self.clock, reason));
                    self.life.before_the_verdict = self.life.given.len();
                }
                Action::Disconnect => self.life.disconnected = Some(self.clock),
                Action::MarkOnline | Action::MarkSuspect | Action::Close(_) => {}
            }
        }
        acted
    }

    /// What the machine was told since the last look.
    fn look(&mut self) {
        let newest = self.pings.last_mut();
        let mut told = false;
        for what in self.both.told.drain(..) {
            match what {
                Told::PingSent => told = true,
                Told::Paused => {
                    assert!(!std::mem::replace(&mut self.paused, true), "paused twice");
                    self.life.seen.pauses += 1;
                }
                Told::Resumed => {
                    assert!(std::mem::replace(&mut self.paused, false), "resumed and not paused")
                }
                Told::Unread => self.life.seen.unread += 1,
                Told::Peer | Told::Close | Told::Eof | Told::Wrote => {}
            }
        }
        assert_eq!(self.both.session.is_paused(), self.paused);
        if self.paused && self.life.offline.is_none() {
            assert!(!self.both.session.wants_read(self.both.now), "paused, and read");
        }
        let Some(newest) = newest else { return assert!(!told, "no ping was sent") };
        if told {
            assert!(newest.left, "said to be sent, and it has not left");
            assert!(!std::mem::replace(&mut newest.told, true), "sent twice");
            self.life.seen.pings_sent += 1;
        }
        let seen = self.sight == Sight::Offsets || self.library.unsent() == 0;
        let open = self.life.offline.is_none() && !self.library.failed;
        assert!(!(newest.left && seen && open) || newest.told, "it has left, and nobody was told");
    }
}

// -- The laws.

/// A verdict that was due by then comes this late.
fn late(life: &Life, since: Timestamp, known: Timestamp) -> Timestamp {
    known + life.config.map_or(Duration::ZERO, |config| life.absences.delay(since, &config))
}

/// What the caller was handed is what the library gave, from the first on, once and in order: all that came before the verdict.
pub(crate) fn in_order(life: &Life) -> bool {
    life.given.starts_with(&life.taken) && life.taken.len() >= life.before_the_verdict
}

/// A verdict ends the life: within `close_timeout`, if somebody drives.
pub(crate) fn ends(life: &Life) -> bool {
    let (Some((offline, _)), Some(config), Some(end)) = (life.offline, life.config, life.disconnected) else {
        return false;
    };
    let away = life.absences.sum(offline);
    end <= (offline + config.close_timeout()).max(life.away_until) + away
}

/// A peer that takes and answers is not given up.
pub(crate) fn spared(life: &Life) -> bool {
    life.offline.is_none()
}

/// A dead one is, within `detection_bound`, unless nobody reads.
pub(crate) fn noticed(life: &Life) -> bool {
    match (life.died, life.offline) {
        (Some((died, known)), Some((offline, _))) => offline <= late(life, died, known),
        (Some(_), None) => life.paused_at_the_end,
        (None, offline) => offline.is_some(),
    }
}
