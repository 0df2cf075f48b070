//! What a visitor has set, read from the words behind the `#` of the page's address.
//!
//! | key | is |
//! |---|---|
//! | `rule`, `x` | the other rule, and its one setting in seconds: gorilla's chat, and as quick as ours, where they are not given |
//! | `world` | one of `liveness_quality::WORLDS`, or `own` with `delay`, `spread` (seconds), `loss` (a share), `gap` (seconds) |
//! | `talk` | `none`, `peer`, `us` or `both`: who says something every 5 s |
//! | `faults` | `cut@12.5,freeze@30+15`: what befalls the connection, at which second, and for how long |
//! | `seed`, `until` | whose life it is, and how many seconds of it are watched |
//!
//! Every other key is one of `Config`'s.

use std::str::FromStr;

use liveness::Config;
use liveness_quality::{
    FAMILIES, Family, Limits, NO_PROXY, Network, Often, Script, Talk, WORLDS, World, nanos,
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
    /// Where both live.
    pub world: World,
    /// What happens meanwhile.
    pub faults: Vec<Fault>,
    /// The same as the simulation reads it.
    pub script: Script,
    /// Whose life it is.
    pub seed: u64,
    /// How many seconds of it.
    pub until: f64,
}

/// Something that happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// One of [`FAULTS`].
    pub name: &'static str,
    /// What it is, in words.
    pub says: &'static str,
    /// What is wrong then with the peer.
    pub peer: Peer,
    /// When, in seconds.
    pub from: f64,
    /// Infinite where it lasts for good.
    pub to: f64,
}

/// Every fault: its name, its words, and what is wrong then with the peer.
pub const FAULTS: [(&str, &str, Peer); 12] = [
    ("cut", "The line is cut both ways, and nobody is told.", Peer::Gone),
    ("deaf", "Nothing that we send arrives any more; what the peer sends still reaches us.", Peer::Gone),
    ("mute", "The peer hears us, and nothing of it reaches us any more.", Peer::Gone),
    ("freeze", "The peer's process stands still: it reads nothing and answers nothing.", Peer::Stopped),
    ("tunnel", "No signal: whatever is sent is lost, and TCP sends it again later.", Peer::Lives),
    ("lost", "The peer's program drops every ping that it receives, and does everything else.", Peer::Lives),
    ("upload", "The peer sends one frame of 60 MB at 1 MB/s: no pong can come inside it.", Peer::Lives),
    ("download", "We send 60 MB, and the peer reads 1 MB/s: our ping waits behind it.", Peer::Lives),
    ("unread", "We send 60 MB, and the peer reads nothing of it, nor anything after it.", Peer::Gone),
    ("stall", "Our own process stands still. When it goes on, its timers ring before it reads.", Peer::Lives),
    (
        "sleep",
        "Our laptop sleeps, and its network with it. When it wakes, its timers ring first.",
        Peer::Lives,
    ),
    ("proxy", "From here on a proxy cuts the connection after 60 s without a byte from us.", Peer::Lives),
];

/// Whether a verdict against the peer would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// No.
    Lives,
    /// It would where this lasts for good.
    Stopped,
    /// Yes.
    Gone,
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

/// What a frame of the faults is, in bytes, and how many of them pass in a second.
const FRAME: f64 = 60e6;
const RATE: f64 = 1e6;

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
        let mut heartbeat = Vec::new();
        let (mut rule, mut x, mut talk, mut faults) = (named(ALIKE[0].0)?, None, "none", Vec::new());
        let (mut world, mut seed, mut until) = (WORLDS[1], 1, 180.0);
        let mut own = [0.05, 0.01, 0.01, 0.0];
        let mut is_own = false;
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` has no `=`"))?;
            match key {
                "rule" => rule = named(value)?,
                "x" => x = Some(seconds(key, value)?.clamp(0.5, 600.0)),
                "world" if value == "own" => is_own = true,
                "world" => world = world_of(value)?,
                "delay" => own[0] = seconds(key, value)?.min(10.0),
                "spread" => own[1] = seconds(key, value)?.min(10.0),
                "loss" => own[2] = seconds(key, value)?.min(0.9),
                "gap" => own[3] = seconds(key, value)?.min(600.0),
                "talk" => talk = value,
                "faults" => faults = read_faults(value)?,
                "seed" => {
                    seed = value.parse().map_err(|_| format!("`{value}` is no seed: a whole number"))?
                }
                "until" => until = seconds(key, value)?.clamp(10.0, 3600.0),
                _ => heartbeat.push(pair),
            }
        }
        if is_own {
            world = own_world(own);
        }
        match talk {
            "none" => {}
            "peer" => world.peer_talks = Some(TALK),
            "us" => world.we_talk = Some(TALK),
            "both" => (world.peer_talks, world.we_talk) = (Some(TALK), Some(TALK)),
            other => return Err(format!("`{other}` talks: write none, peer, us or both")),
        }
        let config: Config = heartbeat.join(" ").parse().map_err(|error| format!("{error}"))?;
        let config = config.for_drivers();
        let (x, fits) = x.map_or_else(|| alike(rule, &config), |x| (x, true));
        let script = script(&faults, until);
        Ok(Self { config, rule, x, fits, world, faults, script, seed, until })
    }
}

const TALK: Talk = Talk { every: 5.0, bytes: 200.0, streaming: true };

impl Settings {
    /// The world of one life: on its network, and with frames that take their time.
    #[must_use]
    pub fn stage(&self) -> World {
        let World { network, peer_talks, we_talk, .. } = self.world;
        World { network, peer_talks, we_talk, rate: RATE, timers_first: true, ..WORLDS[0] }
    }

    /// From when on the peer is not there any more, in seconds.
    #[must_use]
    pub fn gone_at(&self) -> f64 {
        let gone = self.faults.iter().filter(|fault| match fault.peer {
            Peer::Lives => false,
            Peer::Stopped => fault.to.is_infinite(),
            Peer::Gone => true,
        });
        gone.map(|fault| fault.from).fold(f64::INFINITY, f64::min)
    }
}

/// A rule by its name.
///
/// # Errors
///
/// Says which there are.
pub fn named(name: &str) -> Result<&'static Family, String> {
    FAMILIES.iter().find(|family| family.name == name).ok_or_else(|| format!("`{name}` is no rule"))
}

fn world_of(name: &str) -> Result<World, String> {
    let found = WORLDS.iter().find(|world| world.name == name && !world.keepalive);
    found.copied().ok_or_else(|| format!("`{name}` is no world"))
}

fn seconds(key: &str, value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| *number >= 0.0);
    number.ok_or_else(|| format!("`{key}` is `{value}`: write a number, not below zero"))
}

fn own_world([latency, jitter, loss, gap]: [f64; 4]) -> World {
    let outages = (gap >= 1.0).then_some(Often { every: 600.0, shortest: 1.0, longest: gap.max(1.001) });
    let network = Network { latency, jitter, spread: 0.8, loss, outages };
    World { name: "own", says: "your own figures", network, fair: false, ..WORLDS[0] }
}

fn read_faults(text: &str) -> Result<Vec<Fault>, String> {
    text.split(',').filter(|fault| !fault.is_empty()).map(read_fault).collect()
}

fn read_fault(text: &str) -> Result<Fault, String> {
    let (word, when) = text.split_once('@').ok_or_else(|| format!("`{text}` has no `@` and moment"))?;
    let found = FAULTS.into_iter().find(|(name, ..)| *name == word);
    let (name, says, peer) = found.ok_or_else(|| format!("`{word}` is no fault"))?;
    let (from, lasts) = when.split_once('+').unwrap_or((when, "inf"));
    let from = seconds(name, from)?;
    let lasts = match name {
        "upload" | "download" => FRAME / RATE,
        _ => seconds(name, lasts)?.max(0.001),
    };
    Ok(Fault { name, says, peer, from, to: from + lasts })
}

fn script(faults: &[Fault], until: f64) -> Script {
    let ends_at = nanos(until);
    let mut script = Script { ends_at, ..Script::default() };
    let first = |cut: &mut Option<u64>, at: u64| *cut = Some(cut.map_or(at, |earlier| earlier.min(at)));
    for fault in faults {
        let at = nanos(fault.from);
        // What lasts for good ends after the life.
        let stretch = (at, nanos(fault.to.min(until + 3600.0)));
        match fault.name {
            "cut" => script.cuts.iter_mut().for_each(|cut| first(cut, at)),
            "deaf" => first(&mut script.cuts[0], at),
            "mute" => first(&mut script.cuts[1], at),
            "freeze" => script.peer_stalls.push(stretch),
            "tunnel" => script.outages.push(stretch),
            "lost" => script.lost_pings.push(stretch),
            "upload" => script.frames.push((at, FRAME, false)),
            "download" => script.frames.push((at, FRAME, true)),
            "unread" => {
                first(&mut script.cuts[0], at);
                script.peer_stalls.push((at, nanos(until + 3600.0)));
                script.frames.push((at, FRAME, true));
            }
            "stall" => script.driver_stalls.push(stretch),
            "sleep" => script.sleeps.push(stretch),
            "proxy" => script.proxy = Some((at, Limits { ours: 60.0, ..NO_PROXY })),
            _ => {}
        }
    }
    script
}
