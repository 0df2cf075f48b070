//! A session with a real machine behind it, a library that is whatever the test says, and short words for all of it.

use std::time::Duration;

use liveness::dialect::MessageBuf;
use liveness::session::{Inbound, Limits, Outbound, Role, Session};
use liveness::{Action, Config, ConfigBuilder, Evidence, Liveness, Payload, Reason, Timestamp};

/// Three, so that half is no whole number.
pub(crate) const SMALL: Limits = Limits { messages: 3, bytes: 1_000, answers: 4 };

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A ping every 5 s, 10 s for its answer and 8 s for its writing, and nothing left to chance.
pub(crate) const fn calm() -> ConfigBuilder {
    Config::builder().interval(secs(5)).timeout(secs(10)).write_timeout(secs(8)).jitter(0)
}

pub(crate) struct Desk {
    pub(crate) session: Session<&'static str>,
    pub(crate) machine: Liveness,
    pub(crate) now: Timestamp,
    /// Of the newest ping that was handed out.
    payload: Option<Payload>,
}

impl Desk {
    pub(crate) fn new(role: Role) -> Self {
        Self::with(Session::new(role).limits(SMALL), calm())
    }

    /// One of a library that answers neither a Ping nor a Close.
    pub(crate) fn answering(role: Role) -> Self {
        Self::with(Session::new(role).limits(SMALL).answers_itself(), calm())
    }

    pub(crate) fn pong_only(role: Role) -> Self {
        Self::with(Session::new(role).limits(SMALL), calm().evidence(Evidence::PongOnly))
    }

    pub(crate) fn with(session: Session<&'static str>, config: ConfigBuilder) -> Self {
        let machine = Liveness::new(config.build().unwrap(), 7, Timestamp::ZERO);
        let mut desk = Self { session, machine, now: Timestamp::ZERO, payload: None };
        assert_eq!(desk.judge(), ["online"]);
        desk
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    // -- What is read.

    pub(crate) fn hear(&mut self, inbound: Inbound<'_>) -> bool {
        self.session.received(inbound, &mut self.machine, self.now)
    }

    /// These messages arrive, of a byte each, and nobody waits for one.
    pub(crate) fn keep(&mut self, messages: &[&'static str]) {
        for message in messages {
            assert!(self.hear(Inbound::Data));
            self.session.keep(message, 1);
        }
    }

    pub(crate) fn keep_bytes(&mut self, message: &'static str, bytes: usize) {
        assert!(self.hear(Inbound::Data));
        self.session.keep(message, bytes);
    }

    /// The inbox is full at the end of this turn and of one a second later: nobody reads.
    pub(crate) fn nobody_reads(&mut self) {
        self.read_suspended();
        self.pass(secs(1));
        self.read_suspended();
    }

    /// As many Pings as that.
    pub(crate) fn pinged(&mut self, times: usize) {
        for _ in 0..times {
            assert!(!self.hear(Inbound::Ping(b"?")));
        }
    }

    /// The answer to the newest ping.
    pub(crate) fn answered(&mut self) {
        let payload = self.payload.unwrap();
        assert!(!self.hear(Inbound::Pong(payload.as_bytes())));
    }

    pub(crate) fn take(&mut self) -> Option<&'static str> {
        self.session.take(&mut self.machine, self.now)
    }

    pub(crate) fn read_blocked(&mut self) {
        self.session.read_blocked(&mut self.machine, self.now);
    }

    pub(crate) fn read_suspended(&mut self) {
        self.session.read_suspended(&mut self.machine, self.now);
    }

    pub(crate) fn wants_read(&self) -> bool {
        self.session.wants_read(self.now)
    }

    /// What the machine believes: it was told `ReadPaused`.
    pub(crate) fn machine_is_paused(&self) -> bool {
        self.machine.report(self.now).to_string().contains("not reading")
    }

    // -- What is written.

    /// What to write next, in words; nothing is reported of it.
    pub(crate) fn offered(&mut self) -> Option<String> {
        self.session.poll_write().map(|out| match out {
            Outbound::Pong(payload) => format!("pong {}", String::from_utf8_lossy(&payload)),
            Outbound::Answer(answer) => format!("answer {}", words(&answer)),
            Outbound::Ping(_) => "ping".to_owned(),
            Outbound::Beat(beat) => format!("beat {}", words(&beat)),
            Outbound::Flush => "flush".to_owned(),
            Outbound::Close(code, text) => {
                let code = code.map_or("-".to_owned(), |code| code.to_string());
                format!("close {code} {text}").trim_end().to_owned()
            }
            Outbound::ShutdownWrite => "shut".to_owned(),
            _ => unreachable!("new"),
        })
    }

    /// The answer to the message that was just heard.
    pub(crate) fn answer(&mut self, answer: &str) {
        self.session.answer(MessageBuf::Text(answer.into()));
    }

    /// Writes everything, into a library and a socket that take everything.
    pub(crate) fn write(&mut self) -> Vec<String> {
        let mut written = Vec::new();
        while let Some(out) = self.offered() {
            match out.as_str() {
                "flush" => self.flushed(),
                "shut" => self.session.shut(&mut self.machine, self.now),
                _ => {}
            }
            written.push(out);
            assert!(written.len() < 100, "there is always more to write: {written:?}");
        }
        written
    }

    pub(crate) fn flushed(&mut self) {
        self.session.flushed(&mut self.machine, self.now);
    }

    pub(crate) fn write_blocked(&mut self) {
        self.session.write_blocked(&mut self.machine, self.now);
    }

    pub(crate) fn write_failed(&mut self) {
        self.session.write_failed(&mut self.machine, self.now);
    }

    pub(crate) fn sent_bytes(&mut self, count: usize) {
        self.session.sent_bytes(count, &mut self.machine, self.now);
    }

    pub(crate) fn ping_ends_after(&mut self, unsent: u64) {
        self.session.ping_ends_after(unsent, &mut self.machine, self.now);
    }

    /// The newest ping is still to be written, as far as the machine knows.
    pub(crate) fn is_writing(&self) -> bool {
        self.machine.report(self.now).to_string().contains("not written yet")
    }

    // -- What is decided.

    /// Polls the machine until it has nothing more, and hands it all in.
    pub(crate) fn judge(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(action) = self.machine.poll(self.now) {
            done.push(match action {
                Action::MarkOnline => "online".to_owned(),
                Action::SendPing(payload) => {
                    self.payload = Some(payload);
                    "ping".to_owned()
                }
                Action::MarkSuspect => "suspect".to_owned(),
                Action::MarkOffline(reason) => format!("offline {reason}"),
                Action::Close(Some(code)) => format!("close {code}"),
                Action::Close(None) => "close".to_owned(),
                Action::Disconnect => "disconnect".to_owned(),
            });
            self.session.act(action, self.machine.verdict());
        }
        done
    }

    /// The first ping of the schedule is due, and given to the session.
    pub(crate) fn ping_due(&mut self) {
        self.now = self.machine.poll_timeout().unwrap();
        assert_eq!(self.judge(), ["ping"]);
    }

    /// Time passes, and whatever falls due is done on time, until the verdict.
    pub(crate) fn verdict_by(&mut self, end: Timestamp) -> Option<Reason> {
        self.verdict_by_turns(end, |_| ())
    }

    /// The same, with something to be done before each poll: the rest of the turn. What the poll gives is done in a turn of
    /// its own.
    pub(crate) fn verdict_by_turns(
        &mut self,
        end: Timestamp,
        mut turn: impl FnMut(&mut Self),
    ) -> Option<Reason> {
        for _ in 0..10_000 {
            let Some(due) = self.machine.poll_timeout().filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            turn(self);
            while !self.judge().is_empty() {
                turn(self);
            }
            if self.machine.verdict().is_some() {
                break;
            }
        }
        self.machine.verdict()
    }
}

fn words(message: &MessageBuf) -> String {
    match message {
        MessageBuf::Text(text) => text.clone(),
        MessageBuf::Binary(bytes) => format!("{bytes:02x?}"),
    }
}
