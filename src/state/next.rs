//! What falls due next, by its name: for pictures.

use super::{Case, Ping, Stage, State};
use crate::config::Config;
use crate::time::Timestamp;

/// What a machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Data,
    /// Anything at all from the peer.
    Sound,
    Write,
    Answer,
    Suspicion,
    Ping,
    LastLook,
    End,
}

impl State {
    /// What falls due next, for a picture: [`State::next_due`] by its name.
    pub(crate) fn next(&self, config: &Config) -> (Due, Timestamp) {
        let due = match self.stage {
            Stage::Open(_) if self.case != Case::Nothing => (Due::LastLook, self.last_look_due(config)),
            Stage::Open(ping) => {
                let answer = if ping == Ping::Writing { Due::Write } else { Due::Answer };
                // In the order of rule 13; of several at one moment, the first comes first.
                let unless = |not: bool, due: Timestamp| if not { Timestamp::MAX } else { due };
                let awaited = ping.is_awaited();
                let dues = [
                    (Due::Data, self.idle_due(config)),
                    (Due::Sound, self.silence_due(config)),
                    (answer, self.ping_deadline(config, ping)),
                    (Due::Suspicion, unless(!awaited, self.suspect_due(config))),
                    (Due::Ping, unless(awaited, self.ping_due(config))),
                ];
                dues.into_iter().min_by_key(|(_, at)| *at).unwrap_or((Due::Nothing, Timestamp::MAX))
            }
            Stage::Lingering => (Due::End, self.close_due(config)),
            Stage::Judged | Stage::Closing | Stage::Finished => (Due::Nothing, Timestamp::MAX),
        };
        if due.1 == Timestamp::MAX { (Due::Nothing, due.1) } else { due }
    }
}
