//! One life, judged by our machine and by another rule over the same network.

use liveness::transcript::{Page, Recorder};
use liveness::{Action, Liveness, Observed, Payload, Timestamp};
use liveness_quality::{Input, Nanos, Rule, Seen, Simulation, Want, event, seconds};

use serde_json::{Value, json};

use crate::settings::{FAULTS, Settings};
use crate::story;

/// Our machine among the rules, recorded.
struct Recorded {
    machine: Observed,
    payloads: Vec<Payload>,
    suspected: bool,
}

impl Rule for Recorded {
    fn tell(&mut self, input: Input, now: Nanos) {
        self.machine.handle(event(input, &self.payloads), Timestamp::from_nanos(now));
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        while let Some(action) = self.machine.poll(Timestamp::from_nanos(now)) {
            match action {
                Action::SendPing(payload) => {
                    self.payloads.push(payload);
                    return Some(Want::Ping);
                }
                Action::MarkSuspect => {
                    self.suspected = true;
                    return Some(Want::Suspect);
                }
                Action::MarkOnline if self.suspected => {
                    self.suspected = false;
                    return Some(Want::Trust);
                }
                Action::MarkOnline => {}
                Action::MarkOffline(_) | Action::Close(_) | Action::Disconnect => return Some(Want::Close),
            }
        }
        None
    }

    fn next(&self) -> Nanos {
        self.machine.poll_timeout().map_or(Nanos::MAX, Timestamp::as_nanos)
    }
}

/// After a verdict it is polled to the end: the closing is in the recording too.
impl Drop for Recorded {
    fn drop(&mut self) {
        while let (Some(_), Some(at)) = (self.machine.liveness().verdict(), self.machine.poll_timeout()) {
            while self.machine.poll(at).is_some() {}
        }
    }
}

type Scene = Vec<(Nanos, Seen)>;

/// One life.
///
/// # Errors
///
/// What is wrong with the settings.
pub fn live(text: &str) -> Result<Value, String> {
    let settings: Settings = text.parse()?;
    let settings = &settings;
    let page = Page::default();
    let ours = watch(settings, |seed, now| {
        let now = Timestamp::from_nanos(now);
        let mut machine = Observed::new(Liveness::new(settings.config, seed, now));
        machine.observe(Recorder::new(page.clone()), now);
        Recorded { machine, payloads: Vec::new(), suspected: false }
    });
    let theirs = watch(settings, |seed, now| (settings.rule.make)(settings.x, seed, now));
    let text = page.text();
    let (_, rows, agrees) = story::tell(&text).map_err(|why| why.to_string())?;
    let reason =
        rows.iter().find(|row| row.row.output.starts_with("offline")).map_or("", |row| &row.row.output);
    let gone_at = settings.gone_at();
    let says = |name| FAULTS.iter().find(|(fault, ..)| *fault == name).map_or("", |(_, says, _)| says);
    let faults = settings.faults.iter().map(
        |fault| json!({ "name": fault.name, "from": fault.from, "to": fault.to, "says": says(fault.name) }),
    );
    Ok(json!({
        "until": settings.until,
        "ours": lane(&ours, gone_at),
        "theirs": lane(&theirs, gone_at),
        "rule": settings.rule.name,
        "set": (settings.rule.settings)(settings.x),
        "says": settings.rule.says,
        "x": settings.x,
        "fits": settings.fits,
        "rows": story::json(&rows),
        "agrees": agrees,
        "reason": reason,
        "faults": faults.collect::<Value>(),
        "transcript": text,
    }))
}

fn watch<R: Rule>(settings: &Settings, make: impl Fn(u64, Nanos) -> R) -> Scene {
    let mut scene = Scene::new();
    let see = |now: Nanos, what: Seen| scene.push((now, what));
    Simulation::tell(&settings.stage(), make, settings.seed, &settings.script, see);
    scene
}

/// What flew and what was decided; times in seconds, `null` for never.
fn lane(scene: &Scene, gone_at: f64) -> Value {
    let (mut flights, mut wants, mut ends) = (Vec::new(), Vec::new(), Value::Null);
    let time = |at: Nanos| if at == Nanos::MAX { f64::INFINITY } else { seconds(at) };
    for (now, what) in scene {
        let mut fly = |kind: &str, number: f64, left: Nanos, arrives: Nanos| {
            flights.push(json!([kind, number, time(*now), time(left), time(arrives)]));
        };
        match *what {
            Seen::Ping { number, left, arrives } => fly("ping", number.into(), left, arrives),
            Seen::Pong { number, left, arrives } => fly("pong", number.into(), left, arrives),
            Seen::Dropped { number } => fly("dropped", number.into(), *now, *now),
            Seen::Message { ours, bytes, arrives } => {
                fly(if ours { "ours" } else { "theirs" }, bytes, *now, arrives);
            }
            Seen::Wants(want) => {
                wants.push(json!([time(*now), format!("{want:?}")]));
                if want == Want::Close {
                    ends = end(seconds(*now), gone_at, "rule");
                }
            }
            Seen::CutByProxy(_) => ends = end(seconds(*now), gone_at, "proxy"),
            Seen::Told(_) | Seen::Timer(_) => {}
        }
    }
    json!({ "flights": flights, "wants": wants, "end": ends })
}

/// When a lane ended, what ended it, and whether that was right.
fn end(at: f64, gone_at: f64, by: &str) -> Value {
    json!({ "at": at, "by": by, "right": at >= gone_at, "after": at - gone_at })
}
