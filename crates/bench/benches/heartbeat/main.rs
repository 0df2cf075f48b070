//! What a heartbeat costs on real sockets, beside the heartbeat that a program writes by hand on the same library.
//! `docs/performance.md` explains the load and the columns, and [`liveness_bench::heartbeat`] how it is measured.
//!
//! ```text
//! cargo bench -p liveness-bench --bench heartbeat               some minutes
//! cargo bench -p liveness-bench --bench heartbeat -- --quick    one short round, to see that it runs
//! cargo bench -p liveness-bench --bench heartbeat -- axum       one stack
//! ```

mod axum;
mod own_loop;
mod threads;
mod tokio_tungstenite;

use std::error::Error;

use liveness_bench::heartbeat::Stack;
use liveness_bench::memory::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const STACKS: &[Stack] = &[
    Stack {
        name: "tokio-tungstenite",
        by_hand: "`select!`",
        driver: "`LiveStream`",
        counts_memory: true,
        serve: tokio_tungstenite::serve,
    },
    Stack {
        name: "axum",
        by_hand: "`select!`",
        driver: "`LiveStream`",
        counts_memory: true,
        serve: axum::serve,
    },
    Stack {
        name: "tungstenite, threads",
        by_hand: "`set_read_timeout`",
        driver: "`LiveSocket`",
        counts_memory: false,
        serve: threads::serve,
    },
    Stack {
        name: "tungstenite, mio",
        by_hand: "a set of deadlines",
        driver: "`Connection`",
        counts_memory: true,
        serve: own_loop::serve,
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    liveness_bench::heartbeat::main(STACKS)
}
