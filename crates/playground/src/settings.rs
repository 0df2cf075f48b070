//! What a visitor has set, read from the words behind the `#` of the page's address.
//!
//! | key | is |
//! |---|---|
//! | `rule`, `x` | the other rule, and its one setting in seconds: gorilla's chat, and as quick as ours, where they are not given |
//! | `world` | one of `liveness_quality::WORLDS`, or `own` with `delay`, `spread` (seconds), `loss` (a share), `gap` (seconds) |
//! | `talk` | `none`, `peer`, `us` or `both`: who says something every 5 s |
//! | `faults` | `cut@12.5,freeze@30+15`: what befalls the connection, at which second, and for how long |
//! | `judge` | `other`: many lives are judged by the other rule |
//! | `seed`, `until` | whose life it is, and how many seconds of it are watched |
//!
//! Every other key is one of `Config`'s.

use std::collections::BTreeMap;
use std::str::FromStr;

use liveness::Config;
use liveness_quality::{
    FAMILIES, Family, Limits, NO_PROXY, Nanos, Network, Often, Script, Stretch, Talk, WORLDS, World, nanos,
};

/// All of it.
#[derive(Clone)]
pub struct Settings {
    /// Ours, as a driver sets it: with a clock for the writing of a ping.
    pub config: Config,
    /// The other rule.
    pub rule: &'static Family,
    /// Its setting, in seconds.
    pub x: f64,
    /// The visitor chose it; or it is as quick as ours with it.
    pub fits: bool,
    /// Many lives are judged by the other rule.
    pub other_judges: bool,
    /// Where both live.
    pub world: World,
    /// What happens meanwhile.
    pub faults: Vec<Fault>,
    /// Whose life it is.
    pub seed: u64,
    /// How many seconds of it.
    pub until: f64,
}

/// Something that happens to a connection.
#[derive(Clone, Copy)]
pub struct Fault {
    /// One of [`FAULTS`].
    pub name: &'static str,
    /// When, in seconds.
    pub from: f64,
    /// Infinite where it lasts for good.
    pub to: f64,
    /// A peer to which this happens for good is not there any more.
    ends_the_peer: bool,
    happens: Happens,
}

/// Writes it into a script.
type Happens = fn(&mut Script, Stretch);

/// What a frame of the faults is, in bytes, and how many of them pass in a second.
const FRAME: f64 = 60e6;
const RATE: f64 = 1e6;

const FOR_GOOD: Option<f64> = Some(f64::INFINITY);
const A_FRAME: Option<f64> = Some(FRAME / RATE);

/// Every fault: its name, how many seconds it lasts where a visitor has no say in it, whether a peer to which it happens for good
/// is not there any more, and what happens.
pub const FAULTS: [(&str, Option<f64>, bool, Happens); 12] = [
    ("cut", FOR_GOOD, true, |script, (from, _)| script.cuts.iter_mut().for_each(|cut| at(cut, from))),
    ("deaf", FOR_GOOD, true, |script, (from, _)| at(&mut script.cuts[0], from)),
    ("mute", FOR_GOOD, true, |script, (from, _)| at(&mut script.cuts[1], from)),
    ("freeze", None, true, |script, stretch| script.peer_stalls.push(stretch)),
    ("tunnel", None, false, |script, stretch| script.outages.push(stretch)),
    ("lost", None, false, |script, stretch| script.lost_pings.push(stretch)),
    ("upload", A_FRAME, false, |script, (from, _)| script.frames.push((from, FRAME, false))),
    ("download", A_FRAME, false, |script, (from, _)| script.frames.push((from, FRAME, true))),
    ("unread", FOR_GOOD, true, |script, stretch| {
        at(&mut script.cuts[0], stretch.0);
        script.peer_stalls.push(stretch);
        script.frames.push((stretch.0, FRAME, true));
    }),
    ("stall", None, false, |script, stretch| script.driver_stalls.push(stretch)),
    ("sleep", None, false, |script, stretch| script.sleeps.push(stretch)),
    ("proxy", FOR_GOOD, false, |script, (from, _)| {
        script.proxy = Some((from, Limits { ours: 60.0, ..NO_PROXY }));
    }),
];

fn at(cut: &mut Option<Nanos>, moment: Nanos) {
    *cut = Some(cut.map_or(moment, |earlier| earlier.min(moment)));
}

/// Settings of the rules that a visitor can pick, which find an idle peer dead after 12, 20, 34 and 45 s on average: from
/// `docs/detection-quality.md`, and compared with it by a test.
pub const ALIKE: [(&str, [f64; 4]); 8] = [
    ("gorilla chat", [21.5, 38.4, 66.0, 89.9]),
    ("ws isAlive", [8.0, 13.3, 22.6, 30.0]),
    ("python-websockets", [1.8, 9.8, 23.8, 34.8]),
    ("aiohttp heartbeat", [11.8, 19.9, 33.0, 45.5]),
    ("engine.io", [1.7, 9.7, 23.7, 34.7]),
    ("gRPC", [1.7, 9.7, 23.7, 34.7]),
    ("textbook loop", [12.0, 20.0, 34.0, 45.0]),
    ("liveness", [3.0, 11.0, 25.0, 36.0]),
];

/// The mean times of [`ALIKE`], in seconds.
pub const TARGETS: [f64; 4] = [12.0, 20.0, 34.0, 45.0];

/// The setting with which a rule finds the dead as soon as ours does, and whether it has one.
fn alike(family: &Family, config: &Config) -> (f64, bool) {
    // A ping is on average due after a little less than half an interval.
    let target = config.timeout().as_secs_f64() + 0.45 * config.interval().as_secs_f64();
    let Some((_, xs)) = ALIKE.iter().find(|(name, _)| *name == family.name) else { return (target, true) };
    let pairs: Vec<_> = TARGETS.into_iter().zip(*xs).collect();
    let at = pairs.partition_point(|(seconds, _)| *seconds < target).clamp(1, pairs.len() - 1);
    let ((from, low), (to, high)) = (pairs[at - 1], pairs[at]);
    let exact = low + (high - low) * (target - from) / (to - from);
    let x = (exact.clamp(0.5, 600.0) * 10.0).round() / 10.0;
    (x, (x - exact).abs() < 0.1)
}

impl FromStr for Settings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut given = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` has no `=`"))?;
            given.insert(key, value);
        }
        let mut number = |key, default: f64, least: f64, most: f64| {
            let number = given.remove(key).map_or(Ok(default), |value| seconds(key, value))?;
            Ok::<_, String>(number.clamp(least, most))
        };
        let own = own_world(
            number("delay", 0.05, 0.0, 10.0)?,
            number("spread", 0.01, 0.0, 10.0)?,
            number("loss", 0.01, 0.0, 0.9)?,
            number("gap", 0.0, 0.0, 600.0)?,
        );
        let until = number("until", 180.0, 10.0, 3600.0)?;
        let x = number("x", f64::NAN, 0.5, 600.0)?;
        let mut word = |key, default| given.remove(key).unwrap_or(default);
        let name = word("rule", ALIKE[0].0);
        let rule = FAMILIES.iter().find(|family| family.name == name);
        let rule = rule.ok_or_else(|| format!("`{name}` is no rule"))?;
        let mut world = match word("world", "wan") {
            "own" => own,
            name => world_of(name)?,
        };
        let talk = word("talk", "none");
        world.peer_talks = if matches!(talk, "peer" | "both") { Some(TALK) } else { world.peer_talks };
        world.we_talk = if matches!(talk, "us" | "both") { Some(TALK) } else { world.we_talk };
        let faults = word("faults", "").split(',').filter(|fault| !fault.is_empty()).map(read_fault);
        let faults = faults.collect::<Result<_, _>>()?;
        let other_judges = word("judge", "ours") == "other";
        let seed = word("seed", "1");
        let seed = seed.parse().map_err(|_| format!("`{seed}` is no seed: a whole number"))?;
        // What is left is the heartbeat's.
        let heartbeat: Vec<_> = given.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let config: Config = heartbeat.join(" ").parse().map_err(|error| format!("{error}"))?;
        let config = config.for_drivers();
        let (x, fits) = if x.is_nan() { alike(rule, &config) } else { (x, true) };
        Ok(Self { config, rule, x, fits, other_judges, world, faults, seed, until })
    }
}

const TALK: Talk = Talk { every: 5.0, bytes: 200.0, streaming: true };

impl Settings {
    /// The world of one life: on its network, and with frames that take their time.
    pub(crate) fn stage(&self) -> World {
        let World { network, peer_talks, we_talk, .. } = self.world;
        World { network, peer_talks, we_talk, rate: RATE, timers_first: true, ..WORLDS[0] }
    }

    /// What befalls it.
    pub(crate) fn script(&self) -> Script {
        let mut script = Script { ends_at: nanos(self.until), ..Script::default() };
        for fault in &self.faults {
            // What lasts for good ends after the life.
            (fault.happens)(&mut script, (nanos(fault.from), nanos(fault.to.min(self.until + 3600.0))));
        }
        script
    }

    /// From when on the peer is not there any more, in seconds.
    pub(crate) fn gone_at(&self) -> f64 {
        let gone = self.faults.iter().filter(|fault| fault.ends_the_peer && fault.to.is_infinite());
        gone.map(|fault| fault.from).fold(f64::INFINITY, f64::min)
    }
}

fn world_of(name: &str) -> Result<World, String> {
    let found = WORLDS.iter().find(|world| world.name == name && !world.keepalive);
    found.copied().ok_or_else(|| format!("`{name}` is no world"))
}

fn seconds(key: &str, value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| *number >= 0.0);
    number.ok_or_else(|| format!("`{key}` is `{value}`: write a number, not below zero"))
}

fn own_world(latency: f64, jitter: f64, loss: f64, gap: f64) -> World {
    let outages = (gap >= 1.0).then_some(Often { every: 600.0, shortest: 1.0, longest: gap.max(1.001) });
    let network = Network { latency, jitter, spread: 0.8, loss, outages };
    World { name: "own", says: "your own figures", network, fair: false, ..WORLDS[0] }
}

fn read_fault(text: &str) -> Result<Fault, String> {
    let (word, when) = text.split_once('@').ok_or_else(|| format!("`{text}` has no `@` and moment"))?;
    let found = FAULTS.into_iter().find(|(name, ..)| *name == word);
    let (name, lasts, ends_the_peer, happens) = found.ok_or_else(|| format!("`{word}` is no fault"))?;
    let (from, asked) = when.split_once('+').unwrap_or((when, "inf"));
    let (from, asked) = (seconds(name, from)?, seconds(name, asked)?.max(0.001));
    Ok(Fault { name, from, to: from + lasts.unwrap_or(asked), ends_the_peer, happens })
}
