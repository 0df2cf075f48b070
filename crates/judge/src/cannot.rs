//! What a stack cannot do, whatever code is written around it. `docs/stacks.md` says the same, and a test compares the
//! two.

/// Cases that a program cannot get right.
pub struct Cannot {
    /// The program's name.
    pub program: &'static str,
    /// The cases' names.
    pub cases: &'static [&'static str],
    /// The reason, in words that follow "because".
    pub why: &'static str,
}

/// All of them.
pub const CANNOT: &[Cannot] = &[
    Cannot {
        program: "recipe_reqwest",
        cases: &["dribble"],
        why: "reqwest-websocket hides its connection, so whole messages alone are seen to move",
    },
    Cannot {
        program: "recipe_rocket",
        cases: &["read-slowly"],
        why: "Rocket 0.5 opens its listener itself, so the kernel keeps megabytes for a slow reader",
    },
    Cannot {
        program: "recipe_smol",
        cases: &["stop-reading"],
        why: "smol tries to write whenever it is polled, so the kernel takes one more ping: the peer is found, as `ping-timeout`",
    },
    Cannot {
        program: "recipe_yawc",
        cases: &["mute", "flood-pings", "break-rules", "too-large"],
        why: "yawc writes a Close or a Pong of its own behind our Close; the verdicts are right",
    },
];

/// Why this program cannot get this case right, if it is known to be so.
pub fn cannot(program: &str, case: &str) -> Option<&'static str> {
    CANNOT
        .iter()
        .find(|cannot| cannot.program == program && cannot.cases.contains(&case))
        .map(|cannot| cannot.why)
}
