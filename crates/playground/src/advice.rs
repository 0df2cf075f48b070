//! What settings promise, what a proxy makes of them, and how they are written; and what a visitor can choose.

use std::time::Duration;

use liveness::{Config, Suspicion};
use liveness_quality::WORLDS;
use serde_json::{Value, json};

use crate::settings::{ALIKE, Settings};

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
    let worlds = WORLDS.iter().filter(|world| !world.keepalive).map(|world| (world.name, world.says));
    let presets = PRESETS.iter();
    let presets = presets.map(|(name, config, world, why)| (name, given(config).join("&"), world, why));
    json!({ "rules": ALIKE, "worlds": worlds.collect::<Vec<_>>(), "presets": presets.collect::<Vec<_>>() })
}

/// The first two settings, and each other that follows neither from them nor from the defaults.
fn given(config: &Config) -> Vec<String> {
    let plain = Config::builder().interval(config.interval()).timeout(config.timeout()).build();
    let plain = plain.unwrap_or_default();
    let plain = if config.write_timeout() == config.timeout() { plain.for_drivers() } else { plain };
    let (text, plain) = (config.to_string(), plain.to_string());
    let pairs = text.split(' ').zip(plain.split(' ')).enumerate();
    let given = pairs.filter(|(place, (mine, plain))| *place < 2 || mine != plain);
    given.map(|(_, (mine, _))| mine.into()).collect()
}

/// What settings promise.
///
/// # Errors
///
/// What is wrong with them.
pub fn advise(text: &str) -> Result<Value, String> {
    let config = text.parse::<Settings>()?.config;
    let bound = config.detection_bound(Duration::ZERO);
    let proxy = |(name, limit)| json!({ "name": name, "limit": limit, "fits": fits(&config, limit) });
    Ok(json!({
        "bound": if bound == Duration::MAX { f64::INFINITY } else { bound.as_secs_f64() },
        "preset": PRESETS.iter().position(|(_, preset, ..)| preset.for_drivers() == config),
        "proxies": PROXIES.map(proxy),
        "warnings": config.warnings().map(|warning| warning.to_string()).collect::<Value>(),
        "rust": rust(&config),
        "script": script(&config),
        "transcript": format!("config {}", given(&config).join(" ")),
    }))
}

/// One ping may be late without harm; or it must not; or the proxy cuts between two of them.
fn fits(config: &Config, limit: f64) -> &'static str {
    match config.interval().as_secs_f64() / limit {
        ..=0.5 => "yes",
        ..1.0 => "barely",
        _ => "no",
    }
}

fn rust(config: &Config) -> String {
    let plain = calls(&Config::DEFAULT);
    let calls = calls(config).into_iter().enumerate();
    let calls = calls.filter(|(place, call)| *place < 2 || *call != plain[*place]);
    let calls: String = calls.map(|(_, call)| format!("    .{call}\n")).collect();
    format!("const CONFIG: Config = Config::builder()\n{calls}    .build_const();")
}

/// Each setting that the page has, as the builder takes it.
fn calls(config: &Config) -> [String; 6] {
    let suspicion = match config.suspicion() {
        Suspicion::After(after) => format!("After({})", duration(after)),
        Suspicion::Adaptive { at_least } => format!("Adaptive {{ at_least: {} }}", duration(at_least)),
        Suspicion::Never | _ => "Never".to_owned(),
    };
    [
        format!("interval({})", duration(config.interval())),
        format!("timeout({})", duration(config.timeout())),
        format!("suspicion(Suspicion::{suspicion})"),
        format!("evidence(Evidence::{:?})", config.evidence()),
        format!("schedule(Schedule::{:?})", config.schedule()),
        format!("jitter({})", config.jitter()),
    ]
}

fn duration(length: Duration) -> String {
    match length {
        Duration::MAX => "Duration::MAX".to_owned(),
        _ if length.subsec_nanos() == 0 => format!("Duration::from_secs({})", length.as_secs()),
        _ => format!("Duration::from_millis({})", length.as_millis()),
    }
}

/// For a page's own half, which knows fewer settings.
fn script(config: &Config) -> String {
    let millis = |name: &str, length: Duration| format!("  {name}: {},\n", length.as_millis());
    let suspect = match config.suspicion() {
        Suspicion::After(after) => millis("suspectAfter", after),
        Suspicion::Never | Suspicion::Adaptive { .. } | _ => String::new(),
    };
    let (interval, timeout) = (millis("interval", config.interval()), millis("timeout", config.timeout()));
    format!(
        "import {{ LiveSocket }} from \"./liveness.js\";\n\nconst socket = new LiveSocket(url, {{\n\
         {interval}{timeout}{suspect}}}); // evidence, schedule and jitter are the server's to choose"
    )
}
