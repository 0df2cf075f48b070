//! A judge of servers. It plays every fault from outside, and says for each whether the server's verdict is right.
//!
//! It knows nothing about the inside of a server. It uses raw frames on raw sockets, and the lines that the server
//! prints. So it can judge a server that is made with this crate, a server with thirty lines of glue around an unknown
//! library, or one with neither. [`judge`] is for a test; the program `judge` is for a terminal: `cargo run -p
//! liveness-judge -- target/debug/server_tokio`.
//!
//! A server is judged under `--interval 500ms --timeout 10s --suspect-after 3s`, once for each of the two kinds of evidence. It echoes
//! data, sends N bytes for the text message `flood N`, and prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

#![allow(
    missing_debug_implementations,
    missing_docs,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "for the tests of this workspace, where to panic is to fail"
)]

mod acts;
mod cannot;
mod cases;
mod clients;
mod server;
mod wire;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustls::ClientConfig;

pub use self::cannot::{CANNOT, Cannot, cannot};
pub use self::cases::{ANY_TRAFFIC, Case, FLAGS, Group, PONG_ONLY, TIMEOUT};
pub use self::clients::{CLIENT_CASES, CLIENT_SETTINGS, ClientCase, judge_client};
use self::server::Visit;
pub use self::server::{Change, Server, reason};
pub use self::wire::Wire;

/// The outcome of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Right,
    /// Wrong: this was seen instead.
    Wrong(String),
    /// Only lines that the server prints could tell, and there are none.
    Unseen,
}

/// Plays both groups against this program at the same time, each against a process of its own. `names` selects cases; if
/// it is empty, all are played.
pub fn judge(program: &Path, names: &[String]) -> Vec<(Group, &'static Case, Outcome)> {
    judge_with(program, &[], None, names)
}

/// As [`judge`]. The program is also started with these flags, and the peers use TLS if `tls` is given.
pub fn judge_with(
    program: &Path,
    flags: &[&str],
    tls: Option<&Arc<ClientConfig>>,
    names: &[String],
) -> Vec<(Group, &'static Case, Outcome)> {
    let start = |group: Group| {
        let server = Server::start(program, &[&group.flags(), flags].concat());
        play(&server.over_tls(tls.cloned()), group, names)
    };
    thread::scope(|scope| {
        [ANY_TRAFFIC, PONG_ONLY]
            .map(|group| scope.spawn(move || start(group)))
            .into_iter()
            .flat_map(|played| played.join().unwrap())
            .collect()
    })
}

/// Lets every peer in, one after the other, and follows each to its end.
pub fn play(server: &Server, group: Group, names: &[String]) -> Vec<(Group, &'static Case, Outcome)> {
    let wanted = |case: &&Case| names.is_empty() || names.iter().any(|name| name == case.name);
    thread::scope(|scope| {
        let playing: Vec<_> = group
            .cases
            .iter()
            .filter(wanted)
            .map(|case| {
                if case.needs_lines && !server.has_lines() {
                    return (case, None);
                }
                let entered = catch(|| server.enter());
                (case, Some(scope.spawn(move || entered.and_then(|(visit, peer)| see(case, &visit, peer)))))
            })
            .collect();
        let outcome = |playing: Option<thread::ScopedJoinHandle<'_, Result<(), String>>>| match playing {
            None => Outcome::Unseen,
            Some(playing) => playing.join().unwrap().map_or_else(Outcome::Wrong, |()| Outcome::Right),
        };
        playing.into_iter().map(|(case, playing)| (group, case, outcome(playing))).collect()
    })
}

/// One case: first what the peer sees, then what the server says about it.
fn see(case: &Case, visit: &Visit<'_>, peer: server::Raw) -> Result<(), String> {
    let acted = catch(|| (case.act)(visit, peer));
    let told = catch(|| visit.life().map_or(Ok(()), |life| case.check(&life))).and_then(|told| told);
    match (acted, told) {
        (Ok(()), told) => told,
        (Err(seen), Ok(())) => Err(seen),
        (Err(seen), Err(told)) => Err(format!("{told}; its peer: {seen}")),
    }
}

/// A panic as a text.
fn catch<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| words(&*panic))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap_or_else(|| "a panic".into())
}
