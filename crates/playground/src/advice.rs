//! What settings promise, what a proxy makes of them, and how they are written; and what a visitor can choose.

use std::fmt::Write as _;
use std::time::Duration;

use liveness::{Config, Evidence, Schedule, Suspicion};
use liveness_quality::{FAMILIES, WORLDS};

use serde_json::{Value, json};

use crate::settings::{ALIKE, FAULTS, Settings};

/// Settings for three kinds of peers, with the reason; the figures are those of `docs/choosing-numbers.md`.
pub const PRESETS: [(&str, Config, &str, &str); 3] = [
    (
        "Unknown peers",
        Config::DEFAULT,
        "mobile",
        "The defaults. A ping every 20 s keeps every proxy of the table awake. 25 s for an answer is just above a step of TCP's ladder of retransmissions, so a tunnel of 20 s is ridden out.",
    ),
    (
        "People at desks",
        Config::DESKTOP,
        "wan",
        "A wired network loses packets and hardly ever a whole minute. 10 s for an answer outlast three retransmissions, and a colleague who is gone is grey after 2 s and away after about 12.",
    ),
    (
        "People on the move",
        Config::MOBILE,
        "mobile",
        "A telephone loses its signal for up to 20 s several times an hour. Keep the 25 s for an answer, ask more often, and let the suspicion of 4 s show what may be wrong.",
    ),
];

/// Proxies, and after how many seconds without a byte they cut: `docs/choosing-numbers.md`.
pub const PROXIES: [(&str, f64); 5] = [
    ("Heroku's router", 55.0),
    ("nginx", 60.0),
    ("AWS Application Load Balancer", 60.0),
    ("Cloudflare", 100.0),
    ("AWS Network Load Balancer", 350.0),
];

/// What there is to choose from.
#[must_use]
pub fn catalogue() -> Value {
    let says = |name| FAMILIES.iter().find(|family| family.name == name).map_or("", |family| family.says);
    let rules = ALIKE.iter().map(|(name, xs)| json!({ "name": name, "says": says(*name), "xs": xs }));
    let worlds = WORLDS.iter().filter(|world| !world.keepalive);
    let worlds = worlds.map(|world| json!({ "name": world.name, "says": world.says }));
    let faults = FAULTS.iter().map(|(name, says, _)| json!({ "name": name, "says": says }));
    let presets = PRESETS.iter().map(|(name, config, world, why)| {
        json!({ "name": name, "set": changed(config).join("&"), "world": world, "why": why })
    });
    json!({
        "rules": rules.collect::<Value>(),
        "worlds": worlds.collect::<Value>(),
        "faults": faults.collect::<Value>(),
        "presets": presets.collect::<Value>(),
    })
}

/// Settings that differ from the defaults, and always the first two.
fn changed(config: &Config) -> Vec<String> {
    let (text, defaults) = (config.to_string(), Config::DEFAULT.to_string());
    let pairs = text.split(' ').zip(defaults.split(' ')).enumerate();
    let kept = pairs.filter(|(place, (mine, default))| {
        let derived = mine.starts_with("stall_tolerance") || mine.starts_with("write_timeout");
        *place < 2 || (mine != default && !derived)
    });
    kept.map(|(_, (mine, _))| mine.to_owned()).collect()
}

/// What settings promise.
///
/// # Errors
///
/// What is wrong with them.
pub fn advise(text: &str) -> Result<Value, String> {
    let settings: Settings = text.parse()?;
    let config = settings.config;
    let bound = config.detection_bound(Duration::ZERO);
    let proxies = PROXIES
        .iter()
        .map(|(name, limit)| json!({ "name": name, "limit": limit, "fits": fits(&config, *limit) }));
    Ok(json!({
        "bound": if bound == Duration::MAX { f64::INFINITY } else { bound.as_secs_f64() },
        "proxies": proxies.collect::<Value>(),
        "warnings": config.warnings().map(|warning| warning.to_string()).collect::<Value>(),
        "rust": rust(&config),
        "script": script(&config),
        "transcript": format!("config {}", changed(&config).join(" ")),
    }))
}

/// One ping may be late without harm; or it must not; or the proxy cuts between two of them.
fn fits(config: &Config, limit: f64) -> &'static str {
    let interval = config.interval().as_secs_f64();
    if interval <= limit / 2.0 {
        "yes"
    } else if interval < limit {
        "barely"
    } else {
        "no"
    }
}

fn duration(length: Duration) -> String {
    if length == Duration::MAX {
        "Duration::MAX".to_owned()
    } else if length.subsec_nanos() == 0 {
        format!("Duration::from_secs({})", length.as_secs())
    } else {
        format!("Duration::from_millis({})", length.as_millis())
    }
}

fn rust(config: &Config) -> String {
    let mut code = String::from("const CONFIG: Config = Config::builder()\n");
    let _ = writeln!(code, "    .interval({})", duration(config.interval()));
    let _ = writeln!(code, "    .timeout({})", duration(config.timeout()));
    match config.suspicion() {
        Suspicion::After(after) => {
            let _ = writeln!(code, "    .suspicion(Suspicion::After({}))", duration(after));
        }
        Suspicion::Adaptive { at_least } => {
            let _ =
                writeln!(code, "    .suspicion(Suspicion::Adaptive {{ at_least: {} }})", duration(at_least));
        }
        Suspicion::Never | _ => {}
    }
    if config.evidence() == Evidence::PongOnly {
        code.push_str("    .evidence(Evidence::PongOnly)\n");
    }
    if config.schedule() == Schedule::Steady {
        code.push_str("    .schedule(Schedule::Steady)\n");
    }
    if config.jitter() != Config::DEFAULT.jitter() {
        let _ = writeln!(code, "    .jitter({})", config.jitter());
    }
    code.push_str("    .build_const();");
    code
}

/// For a page's own half, which knows fewer settings.
fn script(config: &Config) -> String {
    let mut code = String::from(
        "import { LiveSocket } from \"./liveness.js\";\n\nconst socket = new LiveSocket(url, {\n",
    );
    let millis = |length: Duration| length.as_millis();
    let _ = writeln!(code, "  interval: {},", millis(config.interval()));
    let _ = writeln!(code, "  timeout: {},", millis(config.timeout()));
    if let Suspicion::After(after) = config.suspicion() {
        let _ = writeln!(code, "  suspectAfter: {},", millis(after));
    }
    code.push_str("}); // evidence, schedule and jitter are the server's to choose");
    code
}
