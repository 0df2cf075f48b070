//! The session once more, so plain that it cannot be wrong: lists of everything, and a question at a time. It has a machine of
//! its own, which it tells what it believes: two machines that were told the same are equal.

use std::time::Duration;

use liveness::dialect::{Heard, MessageBuf};
use liveness::session::{ErrorKind, Inbound, Limits, Outbound, Role};
use liveness::{Action, CloseCode, Config, Event, Liveness, Payload, Reason, Timestamp};

use super::speech::{Speech, listening};

/// What a machine is told, without what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Peer,
    Close,
    Eof,
    Wrote,
    PingSent,
    Paused,
    Resumed,
    Unread,
}

pub(crate) const fn told(event: Event<'_>) -> Told {
    match event {
        Event::Close(_) => Told::Close,
        Event::Eof => Told::Eof,
        Event::Wrote => Told::Wrote,
        Event::PingSent => Told::PingSent,
        Event::ReadPaused => Told::Paused,
        Event::ReadResumed => Told::Resumed,
        Event::Unread => Told::Unread,
        Event::Data | Event::Progress | Event::Ping | Event::Pong(_) | Event::Violation(_) | _ => Told::Peer,
    }
}

/// What the library was given and has not let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Answer,
    Other,
}

/// Where the newest ping is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newest {
    Gone,
    Ours(Payload),
    Theirs,
    /// With the library, and it ends at this byte of all that leave.
    TheirsUpTo(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ours {
    Nothing,
    /// To be written when the library has been flushed so often.
    Owed(Option<CloseCode>, String, u32),
    Theirs,
    Left,
}

#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) machine: Liveness,
    /// What it was told and nobody has looked at.
    pub(crate) told: Vec<Told>,
    limits: Limits,
    server: bool,
    library_answers: bool,
    speech: Speech,
    never_asks: bool,
    kept: Vec<(u32, usize)>,
    answers: Vec<MessageBuf>,
    pong: Vec<Vec<u8>>,
    given: Vec<Given>,
    newest: Newest,
    close: Ours,
    text: Option<String>,
    bytes: u64,
    counted: bool,
    paused: bool,
    /// The ends of turns at which the inbox was full, since something was taken or there was room.
    full_turns: Vec<Timestamp>,
    handed: Option<Timestamp>,
    part: bool,
    away: Option<Timestamp>,
    bad: bool,
    lost: bool,
    read_since_rest: (usize, usize),
    rest: Timestamp,
    cannot_write: bool,
    shut: bool,
    peer_closed: bool,
    marked_offline: bool,
    cause: bool,
    over: bool,
    disconnected: bool,
}

impl Reference {
    pub(crate) fn new(
        role: Role,
        limits: Limits,
        library_answers: bool,
        speech: Speech,
        config: Config,
        start: Timestamp,
    ) -> Self {
        let config = if speech == Speech::Listens { listening(config) } else { config };
        Self {
            machine: Liveness::new(config, 7, start),
            told: Vec::new(),
            limits,
            server: role == Role::Server,
            library_answers,
            speech,
            never_asks: speech == Speech::Listens,
            kept: Vec::new(),
            answers: Vec::new(),
            pong: Vec::new(),
            given: Vec::new(),
            newest: Newest::Gone,
            close: Ours::Nothing,
            text: None,
            bytes: 0,
            counted: false,
            paused: false,
            full_turns: Vec::new(),
            handed: None,
            part: false,
            away: None,
            bad: false,
            lost: false,
            read_since_rest: (0, 0),
            rest: Timestamp::ZERO,
            cannot_write: false,
            shut: false,
            peer_closed: false,
            marked_offline: false,
            cause: false,
            over: false,
            disconnected: false,
        }
    }

    fn tell(&mut self, event: Event<'_>, now: Timestamp) {
        self.told.push(told(event));
        self.machine.handle(event, now);
    }

    /// Something of the peer's: if the caller was away, it may have waited.
    fn tell_of_peer(&mut self, event: Event<'_>, now: Timestamp) {
        if let Some(since) = self.away {
            if now.saturating_duration_since(since) > self.machine.config().last_look() {
                self.away = None;
                self.tell(Event::Unread, now);
            }
        }
        self.tell(event, now);
    }

    // -- Questions.

    fn owed(&self) -> usize {
        self.answers.len() + self.given.iter().filter(|given| **given == Given::Answer).count()
    }

    fn too_much_owed(&self) -> bool {
        self.owed() >= self.limits.answers.max(1)
    }

    fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|(_, bytes)| bytes).sum()
    }

    fn full(&self) -> bool {
        self.kept.len() >= self.limits.messages.max(1) || self.kept_bytes() >= self.limits.bytes.max(1)
    }

    fn half_free(&self) -> bool {
        self.kept.len() <= self.limits.messages / 2
            && self.kept_bytes() <= self.limits.bytes / 2
            && self.owed() <= self.limits.answers / 2
    }

    pub(crate) fn wants_read(&self, now: Timestamp) -> bool {
        if self.over || self.too_much_owed() {
            false
        } else if self.marked_offline {
            now >= self.rest
        } else {
            !self.paused && !self.full()
        }
    }

    pub(crate) fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.over && self.rest > now { Some(self.rest) } else { None }
    }

    pub(crate) fn wants_flush(&self) -> bool {
        !self.given.is_empty() && !self.cannot_write && !self.disconnected
    }

    pub(crate) fn may_send(&self) -> bool {
        self.close == Ours::Nothing && !self.peer_closed && !self.cannot_write && !self.marked_offline
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) const fn is_discarding(&self) -> bool {
        self.bad
    }

    pub(crate) const fn is_write_broken(&self) -> bool {
        self.cannot_write
    }

    pub(crate) const fn is_disconnected(&self) -> bool {
        self.disconnected
    }

    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    // -- What comes in.

    pub(crate) fn received_bytes(&mut self, count: usize, now: Timestamp) {
        if count == 0 {
            return;
        }
        self.part = true;
        self.count(0, count, now);
    }

    /// After the verdict: 64 frames or 16 KiB, then 5 ms of rest.
    fn count(&mut self, frames: usize, bytes: usize, now: Timestamp) {
        if !self.marked_offline {
            return;
        }
        self.read_since_rest.0 += frames;
        self.read_since_rest.1 += bytes;
        if self.read_since_rest.0 >= 64 || self.read_since_rest.1 >= 16_384 {
            self.read_since_rest = (0, 0);
            self.rest = now + Duration::from_millis(5);
        }
    }

    pub(crate) fn received(&mut self, inbound: Inbound<'_>, now: Timestamp) -> bool {
        self.part = false;
        self.count(1, 0, now);
        match inbound {
            Inbound::Message(message) => {
                let heard = message.text().and_then(|text| self.speech.hears(text));
                let (heard, answer) = heard.unwrap_or((Heard::Data, None));
                answer.into_iter().for_each(|answer| self.answer(answer));
                return self.heard(heard, now);
            }
            Inbound::Data => return self.heard(Heard::Data, now),
            Inbound::Heard(heard) => return self.heard(heard, now),
            Inbound::Pong(payload) => self.tell_of_peer(Event::Pong(payload), now),
            Inbound::Ping(payload) => {
                let can_answer = self.close != Ours::Theirs
                    && self.close != Ours::Left
                    && !self.peer_closed
                    && !self.cannot_write;
                if can_answer && self.library_answers {
                    self.given.push(Given::Answer);
                } else if can_answer && !self.marked_offline {
                    self.pong = vec![payload.to_vec()];
                }
                self.tell_of_peer(Event::Ping, now);
            }
            Inbound::Close(code) => {
                self.peer_closed = true;
                self.answers.clear();
                self.pong.clear();
                self.drop_ping();
                if self.library_answers {
                    self.given.push(Given::Other);
                }
                if self.machine.verdict().is_none() {
                    self.tell_of_peer(Event::Close(code), now);
                }
            }
            _ => unreachable!("new"),
        }
        false
    }

    fn heard(&mut self, heard: Heard, now: Timestamp) -> bool {
        let awaited = self.machine.awaited();
        match (heard, awaited) {
            (Heard::Data, _) => {
                self.tell_of_peer(Event::Data, now);
                return !self.lost;
            }
            (Heard::Beat, _) => self.tell_of_peer(Event::Ping, now),
            (Heard::Answer(ping), _) | (Heard::SomeAnswer, Some(ping)) => {
                self.tell_of_peer(Event::Pong(ping.as_bytes()), now);
            }
            (Heard::SomeAnswer, None) => self.tell_of_peer(Event::Pong(b""), now),
        }
        false
    }

    pub(crate) fn keep(&mut self, message: u32, bytes: usize) {
        if self.marked_offline && self.full() {
            self.lost = true;
        }
        if !self.lost {
            self.kept.push((message, bytes));
        }
    }

    fn pause(&mut self, now: Timestamp) {
        if !self.paused && !self.marked_offline && !self.over {
            self.paused = true;
            self.tell(Event::ReadPaused, now);
        }
    }

    fn resume(&mut self, now: Timestamp) {
        if self.paused && self.half_free() {
            self.paused = false;
            self.tell(Event::ReadResumed, now);
        }
    }

    pub(crate) fn take(&mut self, now: Timestamp) -> Option<u32> {
        if self.kept.is_empty() {
            return None;
        }
        let (message, _) = self.kept.remove(0);
        self.full_turns.clear();
        self.resume(now);
        self.away = Some(now);
        self.handed = Some(now);
        Some(message)
    }

    pub(crate) fn delivered(&mut self, now: Timestamp) {
        self.away = Some(now);
        self.handed = Some(now);
    }

    fn tell_of_parts(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.part) && !self.bad {
            self.tell_of_peer(Event::Progress, now);
        }
    }

    pub(crate) fn read_blocked(&mut self, now: Timestamp) {
        self.tell_of_parts(now);
        self.away = None;
        if self.cannot_write {
            self.end(now);
        }
    }

    pub(crate) fn read_suspended(&mut self, now: Timestamp) {
        self.tell_of_parts(now);
        if self.paused || self.over {
            return;
        }
        if !self.full() {
            self.full_turns.clear();
            return self.tell(Event::Unread, now);
        }
        self.full_turns.push(now);
        let last_look = self.machine.config().last_look();
        let earlier =
            self.full_turns.first().is_some_and(|turn| now.saturating_duration_since(*turn) > last_look);
        let timeout = self.machine.config().timeout();
        let seldom =
            self.handed.is_some_and(|at| now.saturating_duration_since(at) > timeout.saturating_mul(2));
        if !earlier && !seldom {
            self.tell(Event::Unread, now);
        } else {
            self.pause(now);
        }
    }

    pub(crate) fn end(&mut self, now: Timestamp) {
        if !self.over {
            self.over = true;
            self.tell(Event::Eof, now);
        }
    }

    pub(crate) fn failed(&mut self, kind: ErrorKind, text: &str, now: Timestamp) -> bool {
        let judged = self.machine.verdict().is_some();
        let first = !judged && !self.cause;
        match kind {
            ErrorKind::Rejected => false,
            ErrorKind::Closed => {
                self.peer_closed = true;
                self.close = if self.given.is_empty() { Ours::Left } else { Ours::Theirs };
                if !self.server || self.cannot_write {
                    self.end(now);
                }
                false
            }
            ErrorKind::Transport => {
                self.cause |= !judged;
                self.end(now);
                first
            }
            ErrorKind::Protocol(code) => {
                if self.over || self.bad {
                    return false;
                }
                self.bad = true;
                self.cause |= !judged;
                if !judged {
                    self.text = Some(cut(text));
                }
                self.tell_of_peer(Event::Violation(code), now);
                first
            }
            _ => unreachable!("new"),
        }
    }

    // -- What goes out.

    pub(crate) fn poll_write(&mut self) -> Option<Outbound> {
        if self.cannot_write || self.shut || self.disconnected {
            return None;
        }
        if self.close == Ours::Theirs {
            return Some(Outbound::Flush);
        }
        if self.close == Ours::Left {
            let hang_up = self.bad || (self.peer_closed && self.server);
            return hang_up.then_some(Outbound::ShutdownWrite);
        }
        if let Some(payload) = self.pong.pop() {
            self.given.push(Given::Answer);
            return Some(Outbound::Pong(payload.into()));
        }
        if !self.answers.is_empty() {
            self.given.push(Given::Answer);
            return Some(Outbound::Answer(self.answers.remove(0)));
        }
        if let Ours::Owed(code, text, flushes) = self.close.clone() {
            if flushes > 0 {
                return Some(Outbound::Flush);
            }
            self.close = Ours::Theirs;
            self.given.push(Given::Other);
            return Some(Outbound::Close(code, text));
        }
        if let Newest::Ours(payload) = self.newest {
            self.newest = Newest::Theirs;
            self.given.push(Given::Other);
            let ping = self.speech.asks(payload);
            // What is not written has left when all has.
            self.never_asks |= ping.is_none();
            return Some(ping.unwrap_or(Outbound::Flush));
        }
        let urgent = self.newest == Newest::Theirs || self.too_much_owed();
        (urgent && !self.given.is_empty()).then_some(Outbound::Flush)
    }

    pub(crate) fn wrote(&mut self) {
        self.given.push(Given::Other);
    }

    pub(crate) fn probe(&mut self, now: Timestamp) {
        if !self.never_asks {
            self.machine.probe(now);
        }
    }

    pub(crate) fn reconfigure(&mut self, config: Config, now: Timestamp) {
        self.machine.reconfigure(if self.never_asks { listening(config) } else { config }, now);
    }

    pub(crate) fn answer(&mut self, answer: MessageBuf) {
        if !self.marked_offline && !self.peer_closed && !self.cannot_write {
            self.answers.push(answer);
        }
    }

    pub(crate) fn ping_ends_after(&mut self, unsent: u64, now: Timestamp) {
        if matches!(self.newest, Newest::Theirs | Newest::TheirsUpTo(_)) {
            self.counted = true;
            self.newest = Newest::TheirsUpTo(self.bytes.saturating_add(unsent));
            self.look_for_the_pings_end(now);
        }
    }

    pub(crate) fn sent_bytes(&mut self, count: usize, now: Timestamp) {
        self.counted = true;
        if count > 0 {
            self.bytes = self.bytes.saturating_add(count as u64);
            self.tell(Event::Wrote, now);
            self.look_for_the_pings_end(now);
        }
    }

    fn look_for_the_pings_end(&mut self, now: Timestamp) {
        if let Newest::TheirsUpTo(end) = self.newest {
            if self.bytes >= end {
                self.newest = Newest::Gone;
                self.tell(Event::PingSent, now);
            }
        }
    }

    pub(crate) fn flushed(&mut self, now: Timestamp) {
        let given = std::mem::take(&mut self.given);
        self.resume(now);
        if matches!(self.newest, Newest::Theirs | Newest::TheirsUpTo(_)) {
            self.newest = Newest::Gone;
            self.tell(Event::PingSent, now);
            if self.never_asks && *self.machine.config() != listening(*self.machine.config()) {
                self.reconfigure(*self.machine.config(), now);
            }
        } else if !given.is_empty() && !self.counted {
            self.tell(Event::Wrote, now);
        }
        match self.close.clone() {
            Ours::Owed(code, text, flushes) => {
                self.close = Ours::Owed(code, text, flushes.saturating_sub(1));
            }
            Ours::Theirs => self.close = Ours::Left,
            Ours::Nothing | Ours::Left => {}
        }
    }

    pub(crate) fn write_blocked(&mut self, now: Timestamp) {
        if self.too_much_owed() {
            self.pause(now);
        }
    }

    pub(crate) fn write_failed(&mut self, now: Timestamp) {
        self.cannot_write = true;
        self.forget_writes();
        self.resume(now);
    }

    fn forget_writes(&mut self) {
        self.given.clear();
        self.answers.clear();
        self.pong.clear();
        self.newest = Newest::Gone;
    }

    fn drop_ping(&mut self) {
        if let Newest::Ours(_) = self.newest {
            self.newest = Newest::Gone;
        }
    }

    pub(crate) fn writer_waits(&mut self, now: Timestamp) {
        if self.cannot_write && !self.marked_offline && !self.wants_read(now) {
            self.end(now);
        }
    }

    pub(crate) fn shut(&mut self, now: Timestamp) {
        self.shut = true;
        if self.peer_closed && self.server && !self.bad {
            self.end(now);
        }
    }

    // -- What is decided.

    pub(crate) fn close(&mut self, code: CloseCode, text: &str, now: Timestamp) {
        if self.machine.verdict().is_none() {
            self.text = Some(cut(text));
            self.machine.close(code, now);
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        match action {
            Action::SendPing(payload) => self.newest = Newest::Ours(payload),
            Action::MarkOffline(_) => self.marked_offline = true,
            Action::Close(code) => {
                let verdict = self.machine.verdict();
                if matches!(verdict, Some(Reason::PeerClosed(_))) && self.library_answers {
                    self.given.push(Given::Other);
                    self.close = Ours::Theirs;
                } else if self.close == Ours::Nothing {
                    let reason = verdict.map_or("", Reason::description).to_owned();
                    let text = self.text.take().unwrap_or(reason);
                    self.drop_ping();
                    self.close = Ours::Owed(code, if code.is_none() { String::new() } else { text }, 2);
                }
            }
            Action::Disconnect => {
                self.disconnected = true;
                self.over = true;
                self.forget_writes();
            }
            Action::MarkOnline | Action::MarkSuspect => {}
        }
    }
}

/// As many whole characters as fit into 123 bytes.
fn cut(text: &str) -> String {
    let mut cut = String::new();
    for character in text.chars() {
        if cut.len() + character.len_utf8() > 123 {
            break;
        }
        cut.push(character);
    }
    cut
}
