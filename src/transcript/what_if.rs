//! How a recorded life would have gone with other settings.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use core::time::Duration;

use super::format::{Input, Output, ParseError, Transcript, line};
use super::replay::{Driver, Replay};
use crate::config::Config;
use crate::time::Timestamp;

/// How long the other life is followed after the last moment of the recorded one.
const SEQUEL: Duration = Duration::from_secs(600);

const UNSOLICITED: &Input = &Input::Pong(Vec::new());

impl Transcript {
    /// How this life would have gone with these settings. Ask it of a recording from production before you change the settings
    /// there: would a longer `timeout` have kept this connection?
    ///
    /// The peer does what it did and the driver stalls as it did, at the same moments. Each ping is written and answered as
    /// late as the recording's last ping before it was, or never, as that one. A ping before the recording's first is treated
    /// like the first; without any, none is answered. Of several pongs to one ping the first is its answer, and the others are
    /// unsolicited. In a recording without a `write_timeout`, each ping counts as written at once. The recording's `reconfigure`
    /// lines still apply.
    ///
    /// The result has the outputs too: its replay agrees. If the connection lives on, the result has an `end` 10 minutes after
    /// the last moment of the recording, because the recording does not say what the peer does then.
    ///
    /// # Errors
    ///
    /// As for [`replay`](Self::replay), of this life or of the other.
    ///
    /// ```
    /// use liveness::transcript::Transcript;
    ///
    /// let life: Transcript = "
    /// config interval=5s timeout=10s jitter=0
    /// 0s < open
    /// 6.5s < pong #1
    /// 11.8s < eof
    /// "
    /// .parse()?;
    /// let hasty = "interval=5s timeout=1s jitter=0".parse()?;
    /// let other = life.what_if(hasty)?;
    /// assert!(other.to_string().contains("6.01s         > offline ping-timeout"));
    /// assert!(other.replay()?.agrees());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn what_if(&self, config: Config) -> Result<Self, ParseError> {
        let replay = self.replay()?;
        let mut inputs = self.inputs();
        let last = replay.moments.last().map(|moment| moment.at).max(inputs.last().map(|(_, at, _)| *at));
        let mut answered = BTreeSet::new();
        // What answers the recording's own pings answers no other. A second pong to a ping answers nothing.
        inputs.retain_mut(|(.., input)| {
            if let Input::PongTo(number) = *input {
                *input = UNSOLICITED;
                return !answered.insert(*number);
            }
            **input != Input::PingSent
        });
        inputs.push((self.lines.len(), last.unwrap_or_default().saturating_add(SEQUEL), &Input::End));
        let mut driver = Driver::new(self, config, inputs);
        driver.answers = answers(&replay, &config);
        driver.run()?;
        written(&driver, &config, self.seed).parse()
    }
}

/// What becomes of a ping in a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// When the ping was handed out.
    pub(super) at: Timestamp,
    pub(super) written: Option<Duration>,
    pub(super) answered: Option<Duration>,
}

fn answers(replay: &Replay<'_>, config: &Config) -> Vec<Answer> {
    let (mut answers, mut done) = (Vec::<Answer>::new(), 0);
    for moment in &replay.moments {
        for (at, input) in &moment.inputs {
            if let Input::PongTo(number) = **input {
                let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
                if let Some(ping) = answers.get_mut(index) {
                    ping.answered.get_or_insert(at.saturating_duration_since(ping.at));
                }
            } else if **input == Input::PingSent {
                if let Some(ping) = answers.last_mut() {
                    ping.written.get_or_insert(at.saturating_duration_since(ping.at));
                }
            }
        }
        let outputs = replay.outputs.get(done..moment.outputs).unwrap_or(&[]);
        let pings = outputs.iter().filter(|(_, output)| matches!(output, Output::Ping(_)));
        answers.extend(pings.map(|(at, _)| Answer { at: *at, written: None, answered: None }));
        done = moment.outputs;
    }
    if answers.is_empty() {
        answers.push(Answer { at: Timestamp::ZERO, written: None, answered: None });
    }
    // Only a `write_timeout` asks a driver to report it.
    let asked = |config: &Config| config.write_timeout() != Duration::MAX;
    if asked(config) && !asked(replay.transcript.config()) {
        answers.iter_mut().for_each(|ping| ping.written = Some(Duration::ZERO));
    }
    answers
}

impl Driver<'_> {
    /// Enters what becomes of the ping that is handed out now.
    pub(super) fn enter_answer(&mut self) {
        let Some(like) =
            self.answers.iter().rfind(|ping| ping.at <= self.now).or(self.answers.first()).copied()
        else {
            return;
        };
        let number = u64::from(self.machine.stats().pings);
        for (after, input) in [(like.written, Input::PingSent), (like.answered, Input::PongTo(number))] {
            let Some(after) = after else { continue };
            // A replay reads what comes at the ping's own moment before the ping, unless it polled once.
            let polls = Input::Stall { lasting: Duration::ZERO, deaf: true };
            let entered = after.is_zero().then_some(polls).into_iter().chain([input]);
            let at = self.now.saturating_add(after);
            for input in entered {
                // Before what the recording has at that moment, which may be its `end`.
                let place = self.inputs.partition_point(|(line, other, _)| (*other, *line) <= (at, 0));
                self.inputs.insert(place, (0, at, Cow::Owned(input)));
            }
        }
    }
}

/// The life of a driver as a recorder writes it.
fn written(driver: &Driver<'_>, config: &Config, seed: u64) -> String {
    let (mut lines, mut done) = (Vec::new(), 0);
    for moment in &driver.moments {
        lines.extend(moment.inputs.iter().map(|(at, input)| (*at, line(*at, '<', input))));
        let outputs = driver.outputs.get(done..moment.outputs).unwrap_or(&[]);
        lines.extend(outputs.iter().map(|(at, output)| (*at, line(*at, '>', output))));
        done = moment.outputs;
    }
    // What arrived during a stall was read after it.
    lines.sort_by_key(|(at, _)| *at);
    let lines: String = lines.into_iter().map(|(_, line)| line).collect();
    format!("config {config} seed={seed}\n{lines}")
}
