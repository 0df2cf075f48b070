//! A playground: see what an interval and a timeout do, beside the heartbeats that others use.
//!
//! `cargo playground`, then open <http://127.0.0.1:8080>. All that the page shows is computed in the browser, by this crate's machine,
//! simulator and replay as WebAssembly (`crates/playground`): the page works without a network, and this program only hands out its
//! files.

use clap::Parser;
use liveness_programs::web;

/// A playground: see what an interval and a timeout do, beside the heartbeats that others use.
#[derive(Parser)]
#[command(name = "playground")]
struct Program {
    /// Where to listen; port 0 takes a free one, which the line `listening on` on stderr tells.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
}

#[tokio::main]
async fn main() -> Result<(), web::Failure> {
    let listener = web::listen(&Program::parse().listen).await?;
    let script = |text: &'static str| web::file("text/javascript; charset=utf-8", text);
    let machine = include_bytes!("../../../../playground/playground.wasm").as_slice();
    let page = web::page(include_str!("page.html"), include_str!("page.js"))
        .route("/playground.css", web::file("text/css; charset=utf-8", include_str!("playground.css")))
        .route("/machine.js", script(include_str!("machine.js")))
        .route("/lane.js", script(include_str!("lane.js")))
        .route("/many.js", script(include_str!("many.js")))
        .route("/worker.js", script(include_str!("worker.js")))
        .route("/playground.wasm", web::file("application/wasm", machine));
    web::serve(listener, page).await
}
