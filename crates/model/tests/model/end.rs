//! An end: machine, driver and watcher; and what travels between two of them.

use super::plan::Plan;

/// What travels. A ping and its pong carry the real payload, and the ping's number for those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Ping(Question),
    Pong(Question),
    Data,
    Close(Option<u16>),
    Fin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) number: u32,
    pub(super) payload: [u8; 8],
}

/// The promises, each with a property of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Promise {
    Accurate,
    Complete,
    /// Rule 6, by its name in the design: a stalled driver suspects itself first.
    SuspectsItself,
    Once,
    LetGo,
    NoSpin,
    ExactWakeUps,
    BoundedChatter,
}

/// What the latest step brought: the witnesses that the interesting things do happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct News {
    pub(super) answered: bool,
    pub(super) timed_out: bool,
    pub(super) forgiven: bool,
    pub(super) recovered: bool,
    pub(super) healed: bool,
}

/// How far a life has come, as seen in its actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Unborn,
    Online,
    Suspect,
    Offline,
    Closing,
    Gone,
}

/// The newest ping that this end asked, while nothing has ended the wait for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) number: u32,
    pub(super) at: u64,
    /// Its answer was in our input buffer within `timeout`: the assumption of `Accurate`.
    pub(super) answered_in_time: bool,
    /// A driver that polls before it reads has looked, and read, at the deadline or later. What comes at the very instant
    /// of the deadline, but after that, comes too late; ticks cannot tell these apart, so the order within one does.
    pub(super) over: bool,
    /// The first poll at the deadline or later was so late that the driver had stalled.
    pub(super) seen_late: Option<bool>,
}

/// One end: machine, driver, and a watcher who knows what the machine is told and what it says.
#[derive(Clone, Debug)]
pub(super) struct End<M> {
    pub(super) machine: M,
    /// What has arrived and is not read.
    pub(super) inbox: Vec<Frame>,
    pub(super) stage: Stage,
    /// The latest evidence handed in; then the verdict.
    pub(super) since: u64,
    /// The most that a poll was late, in ticks, since then.
    pub(super) lateness: u64,
    pub(super) asked: Option<Asked>,
    /// Pings since the latest evidence.
    pub(super) chatter: u8,
    /// For how many ticks the driver has slept over work.
    pub(super) stalled: u64,
    pub(super) broken: Option<Promise>,
    pub(super) key: u64,
}

/// One direction of the link.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    pub(super) frames: Vec<Frame>,
    pub(super) cut: bool,
}

impl<M> End<M> {
    /// What a ping timeout would break now.
    pub(super) fn unjust(&self, now: u64, plan: &Plan) -> Option<Promise> {
        // The wait must have lasted, with nothing to end it, and no answer in its time.
        let due = self.asked.filter(|asked| now > asked.at + plan.timeout && !asked.answered_in_time);
        match due {
            None => Some(Promise::Accurate),
            Some(asked) if asked.seen_late == Some(true) && self.chatter < 2 => Some(Promise::SuspectsItself),
            Some(_) => None,
        }
    }
}
