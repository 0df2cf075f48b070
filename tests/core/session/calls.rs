//! Any calls in any order, as no driver would make them: the session and the reference answer the same, and nothing panics.

use liveness::dialect::{Heard, Message};
use liveness::session::{ErrorKind, Inbound, Outbound};
use liveness::{Action, CloseCode, Payload, Timestamp};

use super::both::Both;
use super::choices::Choices;
use super::speech::Speech;

#[derive(Clone, Copy, Debug)]
enum Call {
    ReceivedBytes,
    Received,
    Answer,
    Code,
    Keep,
    Take,
    Delivered,
    ReadBlocked,
    ReadSuspended,
    ReadEnded,
    Failed,
    PollWrite,
    Wrote,
    AnswerBeat,
    PingEndsAfter,
    SentBytes,
    Flushed,
    WriteBlocked,
    WriteFailed,
    WriterWaits,
    Shut,
    Close,
    Probe,
    Reconfigure,
    Poll,
    Wait,
    TurnBack,
}

/// How often in 256.
const CALLS: [(u64, Call); 27] = [
    (1, Call::ReadEnded),
    (1, Call::WriteFailed),
    (1, Call::Shut),
    (1, Call::Close),
    (1, Call::Code),
    (1, Call::TurnBack),
    (2, Call::Failed),
    (2, Call::WriterWaits),
    (4, Call::Delivered),
    (4, Call::Probe),
    (6, Call::Answer),
    (6, Call::ReadBlocked),
    (6, Call::ReadSuspended),
    (6, Call::Wrote),
    (6, Call::PingEndsAfter),
    (8, Call::ReceivedBytes),
    (8, Call::AnswerBeat),
    (8, Call::SentBytes),
    (8, Call::WriteBlocked),
    (10, Call::Flushed),
    (16, Call::Keep),
    (16, Call::Take),
    (16, Call::Wait),
    (24, Call::Received),
    (1, Call::Reconfigure),
    (41, Call::PollWrite),
    (52, Call::Poll),
];

/// What the twin wants to have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) paused: bool,
    pub(crate) offline: bool,
    pub(crate) shut: bool,
    pub(crate) discarded: bool,
    pub(crate) broken: bool,
    pub(crate) disconnected: bool,
    pub(crate) closes: usize,
    pub(crate) pings: usize,
    pub(crate) answers: usize,
    pub(crate) beats: usize,
}

/// A life of these choices. Where they come from is somebody else's affair: proptest in `laws`, a fuzzer's bytes in `fuzz`.
pub(crate) fn live(choices: &mut Choices<'_>) -> Seen {
    let (role, limits, library_answers) = (choices.role(), choices.limits(), choices.yes());
    let speech = match choices.below(8) {
        0..=2 => Speech::Frames,
        3 | 4 => Speech::Texts,
        5 => Speech::Fixed,
        6 => Speech::Listens,
        _ => Speech::Refuses,
    };
    let (config, start) = (choices.config(), Timestamp::from_secs(100));
    let mut both = Both::new(role, limits, library_answers, speech, config, start);
    let mut life = Life { speech, seen: Seen::default(), messages: 0, newest: None };
    while !choices.is_over() {
        let call = choices.weighted(&CALLS);
        life.step(call, choices, &mut both);
        life.seen.paused |= both.session.is_paused();
        life.seen.discarded |= both.session.is_discarding();
        life.seen.broken |= both.session.is_write_broken();
    }
    life.seen.offline |= both.verdict().is_some();
    life.seen.disconnected |= both.session.is_disconnected();
    life.seen
}

struct Life {
    speech: Speech,
    seen: Seen,
    messages: u32,
    newest: Option<Payload>,
}

impl Life {
    fn message(&mut self) -> u32 {
        self.messages += 1;
        self.messages
    }

    fn step(&mut self, call: Call, choices: &mut Choices<'_>, both: &mut Both) {
        match call {
            Call::ReceivedBytes => both.received_bytes(choices.below(3_000) as usize),
            Call::Received => {
                self.receive(choices, both);
            }
            Call::Answer => {
                if let Some(payload) = self.newest {
                    match self.speech {
                        Speech::Frames => both.received(Inbound::Pong(payload.as_bytes())),
                        Speech::Texts | Speech::Fixed | Speech::Listens | Speech::Refuses => {
                            both.received(Inbound::Message(Message::Text(&self.speech.pong(payload))))
                        }
                    };
                }
            }
            Call::Code => {
                let code = if choices.yes() { None } else { Some(900 + choices.below(4_200) as u16) };
                both.received(Inbound::Close(code));
            }
            Call::Keep => both.keep(self.message(), choices.below(600) as usize),
            Call::Take => drop(both.take()),
            Call::Delivered => both.delivered(),
            Call::ReadBlocked => both.read_blocked(),
            Call::ReadSuspended => both.read_suspended(),
            Call::ReadEnded => both.read_ended(),
            Call::Failed => {
                let kind = match choices.below(4) {
                    0 => ErrorKind::Closed,
                    1 => ErrorKind::Transport,
                    2 => ErrorKind::Protocol(CloseCode::TOO_BIG),
                    _ => ErrorKind::Rejected,
                };
                both.failed(kind, "what the peer did wrong");
            }
            Call::PollWrite => {
                let out = both.poll_write();
                self.write(out.as_ref());
            }
            Call::Wrote => both.wrote(),
            Call::AnswerBeat => both.answer(self.message()),
            Call::PingEndsAfter => both.ping_ends_after(choices.below(20)),
            Call::SentBytes => both.sent_bytes(choices.below(20) as usize),
            Call::Flushed => both.flushed(),
            Call::WriteBlocked => both.write_blocked(),
            Call::WriteFailed => both.write_failed(),
            Call::WriterWaits => both.writer_waits(),
            Call::Shut => both.shut(),
            Call::Close => {
                let text = "é".repeat(50 * choices.below(3) as usize);
                both.close(CloseCode::GOING_AWAY, &text);
            }
            Call::Probe => both.probe(),
            Call::Reconfigure => both.reconfigure(choices.config()),
            Call::Poll => {
                if let Some(Action::SendPing(payload)) = both.poll() {
                    self.newest = Some(payload);
                }
            }
            Call::Wait => both.now += choices.span(),
            Call::TurnBack => both.now = both.now.saturating_sub(choices.span()),
        }
    }

    fn receive(&mut self, choices: &mut Choices<'_>, both: &mut Both) {
        let pong = self.speech.pong(Payload::from_digits("0123456789abcdef").unwrap());
        let inbound = match choices.below(8) {
            0 => Inbound::Data,
            1 => Inbound::Message(Message::Text("hello")),
            2 => Inbound::Message(Message::Text(self.speech.ping())),
            3 => Inbound::Message(Message::Text(&pong)),
            4 => Inbound::Heard(Heard::Beat),
            5 => Inbound::Heard(Heard::SomeAnswer),
            6 => Inbound::Ping(b"?"),
            _ => Inbound::Pong(b"foreign"),
        };
        let is_message = matches!(inbound, Inbound::Message(_));
        let is_callers = both.received(inbound);
        self.seen.beats += usize::from(is_message && !is_callers);
    }

    fn write(&mut self, out: Option<&Outbound>) {
        let seen = &mut self.seen;
        match out {
            Some(Outbound::Pong(_) | Outbound::Answer(_)) => seen.answers += 1,
            Some(Outbound::Ping(_) | Outbound::Beat(_)) => seen.pings += 1,
            Some(Outbound::Close(..)) => {
                assert_eq!(seen.closes, 0, "two Closes");
                seen.closes += 1;
                return;
            }
            Some(Outbound::ShutdownWrite) => {
                seen.shut = true;
                return;
            }
            _ => return,
        }
        assert_eq!(seen.closes, 0, "after a Close: {out:?}");
    }
}
