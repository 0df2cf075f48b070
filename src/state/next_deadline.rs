//! The next deadline by name: for pictures.

use super::{Stage, State, Verdict};
use crate::config::Config;
use crate::time::Timestamp;

/// What falls due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Data,
    /// Anything at all from the peer.
    Sound,
    Answer,
    Write,
    Suspicion,
    Ping,
    LastLook,
    End,
}

impl State {
    /// [`State::next_due`] with its name.
    pub(crate) fn next(&self, config: &Config) -> (Due, Timestamp) {
        let due = match self.stage {
            Stage::Open(_) if self.verdict != Verdict::None => (Due::LastLook, self.last_look_due(config)),
            Stage::Open(ping) => {
                // In the order of rule 13. If several fall due at one moment, the first of them wins.
                let dues = [
                    (Due::Data, self.idle_due(config)),
                    (Due::Sound, self.silence_due(config)),
                    (Due::Answer, self.answer_due(config, ping)),
                    (Due::Write, self.write_due(config, ping)),
                    (Due::Suspicion, self.suspect_due(config, ping)),
                    (Due::Ping, self.ping_due(config, ping)),
                ];
                dues.into_iter().min_by_key(|(_, at)| *at).unwrap_or((Due::Nothing, Timestamp::MAX))
            }
            Stage::Lingering => (Due::End, self.close_due(config)),
            Stage::Judged | Stage::Closing | Stage::Finished => (Due::Nothing, Timestamp::MAX),
        };
        if due.1 == Timestamp::MAX { (Due::Nothing, due.1) } else { due }
    }
}
