//! The crate's main job in one command: which peers are alive, and which only look alive.
//!
//! `cargo run --example demo`
//!
//! Starts a server and, on loopback, real WebSocket clients, each with one real fault. Beside it the rule of gorilla's
//! chat example serves the same clients. Shows the lives as they happen, and ends by itself after some 16 s. Then it says
//! which server was right about which client. Exit status: 0 if `liveness` was right about all, 1 if not, 2 if the demo
//! itself failed.

mod board;
mod cases;
mod clients;
mod faults;
mod gorilla;
mod judgement;
mod proxy;
mod screen;
mod server;
mod stall;
mod table;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use board::{Board, Rule};
use cases::{CASES, Case, END, Place};
use clients::Seat;
use liveness::Evidence;
use screen::Screen;
use server::Door;
use stall::Stallable;

/// How often the screen is updated.
const REFRESH: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => demo().unwrap_or_else(|error| {
            eprintln!("demo: {error}");
            ExitCode::from(2)
        }),
        Some(stall::ROLE) => stall::serve(),
        Some(_) => {
            eprintln!("usage: cargo run --example demo");
            ExitCode::from(2)
        }
    }
}

/// The servers of all cases.
struct Servers {
    any_traffic: Door,
    pong_only: Door,
    gorilla: Door,
    stallable: Stallable,
}

impl Servers {
    fn open(board: &Arc<Board>) -> io::Result<Self> {
        Ok(Self {
            any_traffic: server::open(cases::config(Evidence::AnyTraffic), board.recorder())?,
            pong_only: server::open(cases::config(Evidence::PongOnly), board.recorder())?,
            gorilla: gorilla::open(board.recorder())?,
            stallable: Stallable::start(board)?,
        })
    }

    fn port(&self, case: &Case, rule: Rule) -> u16 {
        match (case.place, rule) {
            (Place::Here(_), Rule::Gorilla) => self.gorilla.port(),
            (Place::Here(Evidence::PongOnly), Rule::Liveness) => self.pong_only.port(),
            (Place::Here(_), Rule::Liveness) => self.any_traffic.port(),
            (Place::Stalled, rule) => self.stallable.port(rule),
        }
    }

    /// Closes all servers, and says how many connections outlived their clients.
    fn close(self) -> usize {
        drop(self.stallable);
        [self.any_traffic, self.pong_only, self.gorilla].into_iter().map(Door::close).sum()
    }
}

fn demo() -> io::Result<ExitCode> {
    let board = Arc::new(Board::new());
    let mut servers = Servers::open(&board)?;
    let clients = seat_everyone(&board, &servers)?;
    let mut screen = Screen::new();
    while board.clock.now() < END {
        servers.stallable.follow(&board)?;
        screen.show(&board)?;
        thread::park_timeout(REFRESH);
    }
    // The judgement comes before the clients leave, so they stay a little longer.
    let lives = board.lives();
    screen.show(&board)?;
    for client in clients {
        let _ = client.join();
    }
    let left = servers.close();
    let verdicts = judgement::judge_all(&lives);
    let is_shown = screen.finish(&lives, &verdicts)?;
    table::print(&verdicts, is_shown)?;
    let right = verdicts.iter().all(|[_, liveness]| liveness.right);
    if left > 0 {
        eprintln!("demo: {left} connections outlived their clients");
    }
    Ok(if right && left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A thread for each client of each case, for both rules.
fn seat_everyone(board: &Arc<Board>, servers: &Servers) -> io::Result<Vec<thread::JoinHandle<()>>> {
    let mut clients = Vec::new();
    for (index, case) in CASES.iter().enumerate() {
        for rule in [Rule::Gorilla, Rule::Liveness] {
            for number in 0..case.crowd {
                let port = servers.port(case, rule);
                let seat = Seat { board: Arc::clone(board), port, case: index, rule, number };
                // A client that fails before there is a link was never online, and is judged by that.
                clients.push(thread::Builder::new().spawn(move || drop((case.act)(&seat)))?);
            }
        }
    }
    Ok(clients)
}
