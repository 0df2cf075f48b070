//! Many lives of one setting, a few at a time.

use liveness_quality::{Family, Ours, Score, World};

use serde_json::{Value, json};

use crate::settings::{Settings, named};

/// Those lived so far.
pub struct Lives {
    settings: Settings,
    /// `None`: ours.
    rule: Option<&'static Family>,
    world: World,
    score: Score,
    lived: u64,
}

impl Lives {
    /// Under these settings; `who=NAME` in front makes them another rule's.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings.
    pub fn new(text: &str) -> Result<Self, String> {
        let (rule, text) = match text.strip_prefix("who=").and_then(|rest| rest.split_once('&')) {
            Some((name, rest)) => (Some(named(name)?), rest),
            None => (None, text),
        };
        let settings: Settings = text.parse()?;
        let world = settings.world;
        Ok(Self { settings, rule, world, score: Score::default(), lived: 0 })
    }

    /// So many hours more, of peers that live.
    pub fn go_on(&mut self, hours: f64) -> Value {
        let enough = (hours * 3600.0 / self.world.life).ceil().clamp(1.0, 1e6);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between one and a million"
        )]
        let until = self.lived + enough as u64;
        let (lives, seed, x) = (self.lived..until, self.settings.seed, self.settings.x);
        match self.rule {
            Some(family) => {
                self.score.live(&self.world, |seed, now| (family.make)(x, seed, now), seed, lives)
            }
            None => {
                let config = self.settings.config;
                self.score.live(&self.world, |seed, now| Ours::new(config, seed, now), seed, lives);
            }
        }
        self.lived = until;
        self.summary()
    }

    fn summary(&self) -> Value {
        let (score, rate) = (&self.score, self.score.mistakes_a_day());
        let (cut_for_ours, cut_for_theirs) = score.cuts_a_day();
        json!({
            "hours": score.days * 24.0,
            "mistakes": score.mistakes,
            "least": rate.least,
            "mean": rate.mean,
            "most": rate.most,
            "found": score.detection(),
            "late": score.quantile(0.99),
            "last": score.quantile(1.0),
            "never": score.never_share(),
            "pings": score.pings_an_hour(),
            "cut": cut_for_ours + cut_for_theirs,
        })
    }
}
