//! The table of `docs/dialects.md`. It shows what was seen.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;

use liveness::Reason;

use super::{TRIALS, Trial, process};

const BEGIN: &str = "<!-- seen -->\n";
const END: &str = "<!-- end of what was seen -->\n";
const HEAD: &str = "\
| dialect | our end | the official end | alive, it | frozen, it is found as | woken, it hears | where ours falls silent, it |
|---|---|---|---|---|---|---|
";

/// What was seen of an official end.
pub(crate) struct Row<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) heard: BTreeSet<&'static str>,
    pub(crate) verdict: Option<Reason>,
    pub(crate) woken: Option<String>,
    pub(crate) mute: String,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md")
}

/// The cells that name a row. They do not come from the run.
fn key(trial: &Trial) -> String {
    let Trial { dialect, is_server, package, .. } = trial;
    format!("| {dialect} | {} | {package} ", if *is_server { "server" } else { "client" })
}

impl Row<'_> {
    /// The cells after the version.
    fn cells(&self) -> String {
        let heard = if self.heard.is_empty() {
            "says nothing".to_owned()
        } else {
            self.heard.iter().copied().collect::<Vec<_>>().join(", ")
        };
        let verdict = self.verdict.map_or("cannot be known".to_owned(), |reason| reason.to_string());
        let woken = self.woken.as_deref().unwrap_or("-");
        format!(" | {heard} | {verdict} | {woken} | {} |", self.mute)
    }

    fn line(&self) -> String {
        format!("{}{}{}", key(self.trial), process::installed(self.trial), self.cells())
    }
}

/// The page before the table, its rows, and the page after it.
fn parts(page: &str) -> (String, Vec<String>, String) {
    let (before, rest) = page.split_once(BEGIN).expect("where the table begins");
    let (table, after) = rest.split_once(END).expect("where the table ends");
    let rows = table.trim().lines().skip(HEAD.lines().count()).map(str::to_owned).collect();
    (before.to_owned(), rows, after.to_owned())
}

/// Only one test at a time writes to the page.
static PAGE: Mutex<()> = Mutex::new(());

/// The page must have the same cells; the version may differ. With `BLESS` the row is written there instead.
#[track_caller]
pub(crate) fn compare(row: &Row<'_>) {
    let _one = PAGE.lock();
    let page = std::fs::read_to_string(path()).unwrap();
    let (before, mut rows, after) = parts(&page);
    let (key, line) = (key(row.trial), row.line());
    println!("{line}");
    let there = rows.iter().position(|line| line.starts_with(&key));
    if std::env::var_os("BLESS").is_none() {
        let said = there.map_or("", |index| &rows[index]);
        assert!(
            said.ends_with(&row.cells()),
            "docs/dialects.md: {said:?}\nseen: {line}\nBLESS=1 writes it again"
        );
        return;
    }
    match there {
        Some(index) => rows[index] = line,
        None => rows.push(line),
    }
    // The rows in the order of the trials, without any other row.
    let of = |trial: &Trial| rows.iter().find(|line| line.starts_with(&self::key(trial)));
    let table = TRIALS.iter().filter_map(of).map(|line| format!("{line}\n")).collect::<String>();
    std::fs::write(path(), format!("{before}{BEGIN}\n{HEAD}{table}\n{END}{after}")).unwrap();
}

/// One row for each trial.
#[track_caller]
pub(crate) fn is_complete() {
    let _one = PAGE.lock();
    if std::env::var_os("BLESS").is_some() {
        return;
    }
    let page = std::fs::read_to_string(path()).unwrap();
    assert!(page.contains(&format!("{BEGIN}\n{HEAD}")));
    let (_, rows, _) = parts(&page);
    assert_eq!(rows.len(), TRIALS.len());
    for (row, trial) in rows.iter().zip(TRIALS) {
        assert!(row.starts_with(&key(trial)), "{row}\nis not of {}", key(trial));
    }
}
