//! The main job in one command: who is alive, and who only looks so.
//!
//! `cargo run --example demo`
//!
//! Starts the server and, on loopback, real WebSocket clients, each with one fault made real. Beside it runs the
//! textbook recipe against the same clients. Shows the lives as they happen, ends by itself after 17 s, and closes with
//! a table. Exit status: 0 where `liveness` got every row right, 1 where not, 2 where the demo itself failed.

mod board;
mod cases;
mod clients;
mod faults;
mod judgement;
mod proxy;
mod screen;
mod server;
mod stall;
mod table;
mod textbook;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use board::{Board, Recipe};
use cases::{CASES, Case, END, Place};
use clients::Seat;
use liveness::Evidence;
use screen::Screen;
use server::Door;
use stall::Stallable;

/// How often the screen is brought up to date.
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
    textbook: Door,
    stallable: Stallable,
}

impl Servers {
    fn open(board: &Arc<Board>) -> io::Result<Self> {
        Ok(Self {
            any_traffic: server::open(cases::config(Evidence::AnyTraffic), board.recorder())?,
            pong_only: server::open(cases::config(Evidence::PongOnly), board.recorder())?,
            textbook: textbook::open(board.recorder())?,
            stallable: Stallable::start(board)?,
        })
    }

    fn port(&self, case: &Case, recipe: Recipe) -> u16 {
        match (case.place, recipe) {
            (Place::Here(_), Recipe::Textbook) => self.textbook.port(),
            (Place::Here(Evidence::PongOnly), Recipe::Liveness) => self.pong_only.port(),
            (Place::Here(_), Recipe::Liveness) => self.any_traffic.port(),
            (Place::Stalled, recipe) => self.stallable.port(recipe),
        }
    }

    /// Closes all, and says how many connections outlived their clients.
    fn close(self) -> usize {
        drop(self.stallable);
        [self.any_traffic, self.pong_only, self.textbook].into_iter().map(Door::close).sum()
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
    // Judged before anybody leaves: the clients stay a little longer.
    let lives = board.lives();
    screen.show(&board)?;
    for client in clients {
        let _ = client.join();
    }
    let left = servers.close();
    let right = table::print(&lives)?;
    if left > 0 {
        eprintln!("demo: {left} connections outlived their clients");
    }
    Ok(if right && left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A thread for each client of each case, against both recipes.
fn seat_everyone(board: &Arc<Board>, servers: &Servers) -> io::Result<Vec<thread::JoinHandle<()>>> {
    let mut clients = Vec::new();
    for (index, case) in CASES.iter().enumerate() {
        for recipe in [Recipe::Textbook, Recipe::Liveness] {
            for number in 0..case.crowd {
                let port = servers.port(case, recipe);
                let seat = Seat { board: Arc::clone(board), port, case: index, recipe, number };
                // Who fails before there is a link was never online, and is judged by that.
                clients.push(thread::Builder::new().spawn(move || drop((case.act)(&seat)))?);
            }
        }
    }
    Ok(clients)
}
