//! The cases, and the right outcome of each.

use std::time::Duration;

use liveness_testing::raw_peer::millis;

use crate::acts;
use crate::server::{Change, Raw, Visit, improper, reason};

/// The suspicion, the late answer and the timeout lie seconds apart. No busy machine is late by so much.
pub const FLAGS: [&str; 6] = ["--interval", "500ms", "--timeout", "10s", "--suspect-after", "3s"];
pub(crate) const LATE: Duration = millis(5000);
pub const TIMEOUT: Duration = millis(10_000);
/// How long a peer lives that should live. It is longer than a dead one is allowed.
pub(crate) const LIFE: Duration = millis(12_000);

/// One peer's behaviour, and what the server should say about it in the end.
pub struct Case {
    pub name: &'static str,
    /// What happens and what is right, in a sentence.
    pub sentence: &'static str,
    pub(crate) act: fn(&Visit<'_>, Raw),
    /// The reason that the server gives. If it lists several, each of them is right.
    pub reason: &'static str,
    suspicion: Suspicion,
    /// The peer cannot see the right outcome. Only the server's lines show it.
    pub(crate) needs_lines: bool,
}

/// How often the peer is silent for longer than `--suspect-after`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Suspicion {
    /// Never.
    Never,
    /// Again and again, with signs of life in between.
    Often,
    /// Once, until the end.
    Once,
    /// It depends on how the kernel moves the bytes.
    Perhaps,
}
use Suspicion::{Never, Often, Once, Perhaps};

/// The cases for one kind of evidence. They share a server.
#[derive(Clone, Copy)]
pub struct Group {
    pub evidence: &'static str,
    pub cases: &'static [Case],
}

impl Group {
    pub fn flags(&self) -> Vec<&'static str> {
        [&FLAGS[..], &["--evidence", self.evidence]].concat()
    }
}

const fn case(
    name: &'static str,
    sentence: &'static str,
    act: fn(&Visit<'_>, Raw),
    reason: &'static str,
    suspicion: Suspicion,
) -> Case {
    Case { name, sentence, act, reason, suspicion, needs_lines: false }
}

// Right with either kind of evidence.
const ANSWER: Case = case(
    "answer",
    "it answers each ping, and sends nothing else: kept",
    acts::answer,
    "peer-closed 1000",
    Never,
);
const READ_SLOWLY: Case = case(
    "read-slowly",
    "it reads 20 MB, the last of it slowly: kept",
    acts::read_slowly,
    "peer-closed 1000",
    Perhaps,
);
const ANSWER_LATE: Case = case(
    "answer-late",
    "it answers each ping, 5 s late: suspect, and kept",
    acts::answer_late,
    "peer-closed 1000",
    Often,
);

/// If any sign of life counts.
pub const ANY_TRAFFIC: Group = Group {
    evidence: "any-traffic",
    cases: &[
        case(
            "freeze",
            "it neither reads nor writes: given up, and the connection ends",
            acts::freeze,
            "ping-timeout",
            Once,
        ),
        case("mute", "it answers no ping: gets one Close, 3008", acts::stay_mute, "ping-timeout", Once),
        ANSWER,
        case(
            "dribble",
            "one frame of 10 MB takes 12 s to arrive: kept",
            acts::dribble,
            "peer-closed 1000",
            Never,
        ),
        READ_SLOWLY,
        case(
            "stop-reading",
            "it reads nothing of 40 MB: given up, and the connection ends",
            acts::stop_reading,
            "write-stalled",
            Once,
        ),
        ANSWER_LATE,
        case("chat", "it talks, and answers no ping: kept", acts::chat, "peer-closed 1000", Never),
        case("ask", "it sends pings of its own: answered", acts::ask, "peer-closed 1000", Never),
        case(
            "flood-pings",
            "it sends 5,000 pings at once: closed with 1008",
            acts::flood_pings,
            "ping-flood",
            Never,
        ),
        case(
            "break-rules",
            "a frame of no known kind: closed with 1002",
            acts::break_rules,
            "protocol-error 1002",
            Never,
        ),
        case(
            "bad-text",
            "a text that is not UTF-8: closed with 1007",
            acts::bad_text,
            "protocol-error 1007",
            Never,
        ),
        case(
            "too-large",
            "a frame of a terabyte: closed with 1009",
            acts::too_large,
            "protocol-error 1009",
            Never,
        ),
        Case {
            needs_lines: true,
            ..case("reset", "it resets the connection: noticed", acts::reset, "transport-closed", Never)
        },
        case(
            "half-close",
            "it ends its half without a Close: noticed",
            acts::half_close,
            "transport-closed",
            Never,
        ),
        case(
            "last-words",
            "a message and a Close in one segment: both answered",
            acts::last_words,
            "peer-closed 1000",
            Never,
        ),
        case(
            "goodbye",
            "it closes with a code: that code is echoed",
            acts::say_goodbye,
            "peer-closed 4321",
            Never,
        ),
    ],
};

/// If only answers count.
pub const PONG_ONLY: Group = Group {
    evidence: "pong-only",
    cases: &[
        ANSWER,
        case("chat", "it talks, and answers no ping: given up", acts::chat_in_vain, "ping-timeout", Once),
        case("forge", "its pongs answer nothing: given up", acts::forge, "ping-timeout", Once),
        case(
            "replay",
            "it answers each ping with the first one's payload: given up",
            acts::replay,
            "ping-timeout",
            Once,
        ),
        // The kernel decides whether the latest ping still fits into its buffer.
        case(
            "talk-unread",
            "it talks without end, and reads nothing: given up, and the connection ends",
            acts::talk_unread,
            "write-stalled or ping-timeout",
            Perhaps,
        ),
        READ_SLOWLY,
        ANSWER_LATE,
    ],
};

impl Case {
    /// What is wrong with the server's lines, compared with the right outcome.
    pub(crate) fn check(&self, life: &[Change]) -> Result<(), String> {
        if !self.reason.split(" or ").any(|expected| reason(life) == expected) {
            return Err(format!("expected {}, it says {}", self.reason, reason(life)));
        }
        improper(life).map_or(Ok(()), Err)?;
        let words: Vec<&str> = life.iter().map(|change| change.what.as_str()).collect();
        let as_expected = match self.suspicion {
            Never => words == ["online", "offline", "disconnect"],
            Once => words == ["online", "suspect", "offline", "disconnect"],
            Often => words.iter().filter(|word| **word == "suspect").count() >= 3,
            Perhaps => true,
        };
        if !as_expected {
            return Err(format!("expected suspicion: {:?}, it says {words:?}", self.suspicion));
        }
        let at = |what: &str| life.iter().find(|change| change.what == what).map_or(0.0, |change| change.at);
        let lasted = at("offline") - at("online");
        if matches!(reason(life), "ping-timeout" | "write-stalled") && lasted < TIMEOUT.as_secs_f64() {
            // The machine decides how late the verdict may be. Tests with simulated clocks check that bound.
            return Err(format!("given up after {lasted} s, before its timeout"));
        }
        Ok(())
    }
}
