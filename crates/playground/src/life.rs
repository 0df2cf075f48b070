//! One life, judged by our machine and by another rule over the same network.

use liveness::transcript::{Page, Recorder};
use liveness::{Action, Liveness, Observed, Payload, Timestamp};
use liveness_quality::{Input, Nanos, Rule, Seen, Simulation, Want, event, seconds};

use crate::settings::{FAULTS, Settings};
use crate::{json, story};

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

/// One life as JSON, or what is wrong with the settings.
#[must_use]
pub fn live(text: &str) -> String {
    match text.parse() {
        Ok(settings) => scene(&settings),
        Err(why) => json::error(&why),
    }
}

fn scene(settings: &Settings) -> String {
    let page = Page::default();
    let ours = watch(settings, |seed, now| {
        let now = Timestamp::from_nanos(now);
        let mut machine = Observed::new(Liveness::new(settings.config, seed, now));
        machine.observe(Recorder::new(page.clone()), now);
        Recorded { machine, payloads: Vec::new(), suspected: false }
    });
    let theirs = watch(settings, |seed, now| (settings.rule.make)(settings.x, seed, now));
    let text = page.text();
    let (rows, agrees) = match story::tell(&text) {
        Ok((_, rows, agrees)) => (rows, agrees),
        Err(why) => return json::error(&why.to_string()),
    };
    let reason = rows.iter().find(|row| row.output.starts_with("offline")).map_or("", |row| &row.output);
    let gone_at = settings.gone_at();
    let faults = json::list(&settings.faults, |fault| {
        let says = FAULTS.iter().find(|(name, ..)| *name == fault.name).map_or("", |(_, says, _)| says);
        let (from, to) = (json::number(fault.from), json::number(fault.to));
        format!("{{\"name\":\"{}\",\"from\":{from},\"to\":{to},\"says\":\"{says}\"}}", fault.name)
    });
    format!(
        "{{\"until\":{},\"ours\":{},\"theirs\":{},\"rule\":\"{}\",\"set\":{},\"says\":{},\"x\":{},\"fits\":{},\"rows\":{},\"agrees\":{agrees},\
         \"reason\":{},\"gone\":{},\"faults\":{faults},\"transcript\":{}}}",
        settings.until,
        lane(&ours, gone_at),
        lane(&theirs, gone_at),
        settings.rule.name,
        json::text(&(settings.rule.settings)(settings.x)),
        json::text(settings.rule.says),
        settings.x,
        settings.fits,
        story::json(&rows),
        json::text(reason),
        json::number(gone_at),
        json::text(&text)
    )
}

fn watch<R: Rule>(settings: &Settings, make: impl Fn(u64, Nanos) -> R) -> Scene {
    let mut scene = Scene::new();
    let see = |now: Nanos, what: Seen| scene.push((now, what));
    Simulation::tell(&settings.stage(), make, settings.seed, &settings.script, see);
    scene
}

/// What flew and what was decided; times in seconds, `null` for never.
fn lane(scene: &Scene, gone_at: f64) -> String {
    let (mut flights, mut wants, mut ends) = (Vec::new(), Vec::new(), "null".to_owned());
    let time = |at: Nanos| if at == Nanos::MAX { "null".to_owned() } else { json::number(seconds(at)) };
    for (now, what) in scene {
        let mut fly = |kind: &str, number: f64, left: Nanos, arrives: Nanos| {
            flights.push(format!("[\"{kind}\",{number},{},{},{}]", time(*now), time(left), time(arrives)));
        };
        match *what {
            Seen::Ping { number, left, arrives } => fly("ping", number.into(), left, arrives),
            Seen::Pong { number, left, arrives } => fly("pong", number.into(), left, arrives),
            Seen::Dropped { number } => fly("dropped", number.into(), *now, *now),
            Seen::Message { ours, bytes, arrives } => {
                fly(if ours { "ours" } else { "theirs" }, bytes, *now, arrives);
            }
            Seen::Wants(want) => {
                wants.push(format!("[{},\"{want:?}\"]", time(*now)));
                if want == Want::Close {
                    ends = end(seconds(*now), gone_at, "rule");
                }
            }
            Seen::CutByProxy(_) => ends = end(seconds(*now), gone_at, "proxy"),
            Seen::Told(_) | Seen::Timer(_) => {}
        }
    }
    format!("{{\"flights\":[{}],\"wants\":[{}],\"end\":{ends}}}", flights.join(","), wants.join(","))
}

/// When a lane ended, by whom, and whether that was right.
fn end(at: f64, gone_at: f64, by: &str) -> String {
    format!(
        "{{\"at\":{at},\"by\":\"{by}\",\"right\":{},\"after\":{}}}",
        at >= gone_at,
        json::number(at - gone_at)
    )
}
