//! One life, judged by our machine and by another rule over the same network.

use liveness::transcript::{Page, Recorder};
use liveness_quality::{Nanos, Ours, Rule, Seen, Simulation, Want, seconds};
use serde_json::{Value, json};

use crate::settings::{Fault, Settings};
use crate::story;

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
        Ours::new(settings.config, seed, now).observed(Recorder::new(page.clone()), now)
    });
    let theirs = watch(settings, |seed, now| (settings.rule.make)(settings.x, seed, now));
    let text = page.text();
    let (rows, agrees) = story::tell(&text).map_err(|why| why.to_string())?;
    let reason =
        rows.iter().find(|row| row.row.output.starts_with("offline")).map_or("", |row| &row.row.output);
    let gone_at = settings.gone_at();
    let faults = settings.faults.iter().map(
        |Fault { name, says, from, to, .. }| json!({ "name": name, "from": from, "to": to, "says": says }),
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
