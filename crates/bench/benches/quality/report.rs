//! The study as tables.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;

use crate::plot;
use crate::study::{SHOWN, Study, TARGETS, judging_worlds};
use liveness_bench::table::{Table, number};
use liveness_quality::{FAMILIES, Rate, SUSPICIONS, Score, WORLDS};

/// The worlds that share a table, by what is wrong in them.
const GROUPS: &[(&str, &[&str])] = &[
    ("The network", &["lan", "wan", "bad wan", "mobile", "satellite"]),
    ("The peer", &["chat", "slow pongs", "lost pings", "peer stalls", "deaf", "mute"]),
    ("Much to send", &["upload", "download", "streaming"]),
    (
        "Our own host",
        &[
            "busy loop",
            "pauses",
            "pauses, timers first",
            "reading pauses",
            "sleep, counted",
            "sleep, not counted",
        ],
    ),
    (PROXY, &["proxy, our silence", "proxy, their silence", "keepalive"]),
];

/// In these worlds the proxy also ends connections of live peers.
const PROXY: &str = "A proxy in between";

/// A ping and its pong, with the headers of TCP and IP.
const BYTES_A_PING: f64 = 2.0 * liveness_quality::CONTROL;

pub(crate) fn text(study: &Study) -> String {
    let mut text = String::new();
    // Writing to a `String` never fails.
    let _ = writeln!(
        text,
        "Seed {}; {:.2} million connection-hours. Confidence intervals are of 95 %.\n",
        study.seed,
        study.hours() / 1e6
    );
    conclusions(study, &mut text);
    let _ = writeln!(text, "\nSettings, by the mean detection time that they bring in the first world:\n");
    let _ = writeln!(text, "{}", settings(study));
    for (name, worlds) in GROUPS {
        let _ = writeln!(text, "### {name}\n");
        let lost = if *name == PROXY { "closed, or cut by the proxy" } else { "closed" };
        let _ = writeln!(text, "Live peers {lost}, a connection and day, at {} s:\n", TARGETS[SHOWN]);
        let _ = writeln!(text, "{}", by_world(study, worlds, |score| closes(score.mistakes_a_day())));
        if *name == PROXY {
            let _ = writeln!(text, "Of those, cut by the proxy for our silence / for theirs:\n");
            let _ = writeln!(text, "{}", by_world(study, worlds, cuts));
        }
        let _ = writeln!(text, "Seconds from death to close, mean / p50 / p99 / longest:\n");
        let _ = writeln!(text, "{}", by_world(study, worlds, detection));
    }
    let _ = writeln!(text, "### Our timeout, and the network\n");
    let _ =
        writeln!(text, "Live peers closed, a connection and day, by `liveness` with an interval of 20 s:\n");
    let _ = writeln!(text, "{}", timeouts(study));
    let _ = writeln!(text, "### What it costs\n\nAn hour, in the worlds *lan* and *chat*:\n");
    let _ = writeln!(text, "{}", costs(study));
    let _ = writeln!(text, "### Suspicion\n");
    let _ = writeln!(
        text,
        "At our default timeout: live peers greyed out and back a connection and day; of the dead, the seconds until they were \
         greyed out, and the share that was before it was closed.\n"
    );
    let _ = writeln!(text, "{}", doubts(study));
    text
}

fn conclusions(study: &Study, text: &mut String) {
    let list = |text: &mut String, what: &str, found: &[String]| {
        let _ = writeln!(text, "{what}: {}", if found.is_empty() { "none." } else { "" });
        for one in found {
            let _ = writeln!(text, "- {one}");
        }
    };
    list(text, "Live peers that `liveness` lost where nothing but our side was amiss", &study.inexcusable());
    let _ = writeln!(text, "Worlds like that in which another rule did so: {}.", study.telling().join("; "));
    list(
        text,
        "Settings of `liveness` that another rule beats, with fewer live peers lost *and* the dead found sooner, and that no \
         other setting of it makes good",
        &study.beaten(),
    );
}

fn settings(study: &Study) -> Table {
    let mut table =
        Table::new(["rule".to_owned()].into_iter().chain(TARGETS.map(|target| format!("{target} s"))));
    for (family, settings) in FAMILIES.iter().zip(&study.settings) {
        let cells = settings.iter().map(|x| x.map_or_else(|| "-".to_owned(), family.settings));
        table.row([family.name.to_owned()].into_iter().chain(cells));
    }
    table
}

/// A row for each rule that has a setting in some world, and a column for each of these worlds.
fn by_world(study: &Study, worlds: &[&str], cell: impl Fn(&Score) -> String) -> Table {
    let columns: Vec<usize> =
        worlds.iter().filter_map(|name| WORLDS.iter().position(|world| world.name == *name)).collect();
    let mut table = Table::new([""].iter().chain(worlds).copied());
    for (index, family) in FAMILIES.iter().enumerate() {
        let scores: Vec<Option<&Score>> =
            columns.iter().map(|world| study.scores[*world][index][SHOWN].as_ref()).collect();
        if scores.iter().any(Option::is_some) {
            let cells = scores.into_iter().map(|score| score.map_or_else(|| "-".to_owned(), &cell));
            table.row([family.name.to_owned()].into_iter().chain(cells));
        }
    }
    table
}

fn closes(rate: Rate) -> String {
    if rate.mean == 0.0 {
        return format!("0 (< {:.2})", rate.most);
    }
    format!("{} ({} to {})", number(Some(rate.mean)), number(Some(rate.least)), number(Some(rate.most)))
}

fn cuts(score: &Score) -> String {
    let (ours, theirs) = score.cuts_a_day();
    format!("{} / {}", number(Some(ours)), number(Some(theirs)))
}

fn detection(score: &Score) -> String {
    match score.detection() {
        Some(mean) => format!(
            "{mean:.1} / {:.1} / {:.1} / {:.1}",
            score.quantile(0.5),
            score.quantile(0.99),
            score.quantile(1.0)
        ),
        None => format!("{:.0} % never", 100.0 * score.never_share()),
    }
}

fn timeouts(study: &Study) -> Table {
    let worlds = ["lan", "wan", "bad wan", "mobile", "satellite", "peer stalls"];
    let mut table = Table::new(["timeout"].iter().chain(&worlds).copied());
    for (target, x) in study.settings[0].iter().enumerate() {
        let Some(x) = x else { continue };
        let cells = worlds.iter().map(|name| {
            let world = WORLDS.iter().position(|world| world.name == *name);
            let score = world.and_then(|world| study.scores[world][0][target].as_ref());
            score.map_or_else(String::new, |score| closes(score.mistakes_a_day()))
        });
        table.row([format!("{x:.0} s")].into_iter().chain(cells));
    }
    table
}

fn costs(study: &Study) -> Table {
    let header = ["", "pings", "bytes", "wake-ups", "pings, chat", "bytes, chat", "wake-ups, chat"];
    let mut table = Table::new(header);
    let chat = WORLDS.iter().position(|world| world.name == "chat").unwrap_or(0);
    for (index, family) in FAMILIES.iter().enumerate() {
        let mut cells = vec![family.name.to_owned()];
        for world in [0, chat] {
            let score = study.scores[world][index][SHOWN].as_ref();
            let pings = score.map(Score::pings_an_hour);
            cells.extend([
                number(pings),
                number(pings.map(|pings| pings * BYTES_A_PING)),
                number(score.map(Score::wakes_an_hour)),
            ]);
        }
        table.row(cells);
    }
    table
}

fn doubts(study: &Study) -> Table {
    let mut table = Table::new([""].into_iter().chain(SUSPICIONS.iter().map(|(name, _)| *name)));
    for (world, scores) in judging_worlds().zip(&study.doubts) {
        let cells = scores.iter().map(|score| {
            let (after, share) = score.doubted();
            let after = if after.is_nan() { "-".to_owned() } else { format!("{after:.1} s") };
            format!("{}; {after}, {:.0} %", number(Some(score.doubts_a_day().mean)), 100.0 * share)
        });
        table.row([world.name.to_owned()].into_iter().chain(cells));
    }
    table
}

/// The rules and the worlds, for the page.
fn cast() -> String {
    let mut text = String::from("| world | |\n|---|---|\n");
    for world in WORLDS {
        let _ = writeln!(text, "| {}{} | {} |", world.name, if world.fair { " *" } else { "" }, world.says);
    }
    text.push_str("\n| rule | |\n|---|---|\n");
    for family in FAMILIES {
        let _ = writeln!(text, "| {} | {} |", family.name, family.says);
    }
    text
}

/// This bench writes what is between these lines of the page.
const BEGIN: &str = "<!-- begin: cargo bench -p liveness-bench --bench quality -- --full --write -->\n";
const END: &str = "<!-- end -->\n";

pub(crate) fn write(report: &str) -> Result<(), Box<dyn Error>> {
    let path = liveness_bench::host::root().join("docs/detection-quality.md");
    let text = fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("no line where the figures begin")?;
    let (_, after) = rest.split_once(END).ok_or("no line where the figures end")?;
    let plot = format!("![{}]({})\n", plot::TITLE, plot::FILE);
    fs::write(&path, format!("{before}{BEGIN}\n{}\n{plot}\n{report}\n{END}{after}", cast()))?;
    Ok(())
}
