//! One life, judged by our machine and by another rule over the same network; and many, a few at a time.

use std::time::Duration;

use liveness::transcript::{Page, Recorder};
use liveness_quality::{Nanos, Ours, Rule, Score, Seen, Simulation, Want, seconds};
use serde_json::{Value, json};

use crate::recording;
use crate::settings::{Fault, Settings};

/// One life.
///
/// # Errors
///
/// What is wrong with the settings.
pub fn live(text: &str) -> Result<Value, String> {
    let settings: Settings = text.parse()?;
    let Settings { config, rule, x, until, .. } = settings;
    let page = Page::default();
    let ours =
        lane(&settings, |seed, now| Ours::new(config, seed, now).observed(Recorder::new(page.clone()), now));
    let theirs = lane(&settings, |seed, now| (rule.make)(x, seed, now));
    let text = page.text();
    let (rows, agrees) = recording::tell(&text).map_err(|why| why.to_string())?;
    let verdict = rows.iter().find(|told| told.row.output.starts_with("offline"));
    let faults = settings.faults.iter().map(|Fault { name, from, to, .. }| (name, from, to));
    Ok(json!({
        "until": until,
        "ours": ours,
        "theirs": theirs,
        "rule": rule.name,
        "set": (rule.settings)(x),
        "says": rule.says,
        "x": x,
        "fits": settings.fits,
        "rows": recording::json(&rows),
        "agrees": agrees,
        "reason": verdict.map_or("", |told| &told.row.output),
        "faults": faults.collect::<Vec<_>>(),
        "transcript": text,
    }))
}

/// What flew, and how it ended; times in seconds, `null` for never.
fn lane<R: Rule>(settings: &Settings, make: impl Fn(u64, Nanos) -> R) -> Value {
    let (mut flights, mut ended) = (Vec::new(), None);
    let time = |at: Nanos| if at == Nanos::MAX { f64::INFINITY } else { seconds(at) };
    let see = |now: Nanos, what: Seen| {
        let mut fly = |kind: &str, number: f64, left: Nanos, arrives: Nanos| {
            flights.push(json!([kind, number, time(now), time(left), time(arrives)]));
        };
        match what {
            Seen::Ping { number, left, arrives } => fly("ping", number.into(), left, arrives),
            Seen::Pong { number, left, arrives } => fly("pong", number.into(), left, arrives),
            Seen::Dropped { number } => fly("dropped", number.into(), now, now),
            Seen::Message { ours: true, bytes, arrives } => fly("ours", bytes, now, arrives),
            Seen::Message { ours: false, bytes, arrives } => fly("theirs", bytes, now, arrives),
            Seen::Wants(Want::Close) => ended = Some((seconds(now), "rule")),
            Seen::CutByProxy(_) => ended = Some((seconds(now), "proxy")),
            Seen::Wants(Want::Ping | Want::Suspect | Want::Trust) | Seen::Told(_) | Seen::Timer(_) => {}
        }
    };
    Simulation::tell(&settings.stage(), make, settings.seed, &settings.script(), see);
    let gone_at = settings.gone_at();
    // Whether that was right, and how late.
    let end =
        ended.map(|(at, by)| json!({ "at": at, "by": by, "right": at >= gone_at, "after": at - gone_at }));
    json!({ "flights": flights, "end": end })
}

/// Many lives of one setting: those lived so far.
pub struct Lives {
    settings: Settings,
    score: Score,
    lived: u64,
}

impl Lives {
    /// Under these settings.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings.
    pub fn new(text: &str) -> Result<Self, String> {
        Ok(Self { settings: text.parse()?, score: Score::default(), lived: 0 })
    }

    /// So many hours more, of peers that live.
    pub fn go_on(&mut self, hours: f64) -> Value {
        let Settings { config, rule, x, world, seed, .. } = self.settings;
        let seconds = |length: f64| Duration::from_secs_f64(length).as_secs();
        let lives = self.lived..self.lived + seconds(hours * 3600.0).div_ceil(seconds(world.life));
        self.lived = lives.end;
        if self.settings.other_judges {
            self.score.live(&world, |seed, now| (rule.make)(x, seed, now), seed, lives);
        } else {
            self.score.live(&world, |seed, now| Ours::new(config, seed, now), seed, lives);
        }
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
