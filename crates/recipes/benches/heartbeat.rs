//! What a heartbeat costs under those libraries that are not tungstenite, beside the `select!` loop that a program writes by hand.
//! The bench of the same name in `crates/bench` has the rest, and `docs/performance.md` explains both.
//!
//! ```sh
//! cd crates/recipes && cargo bench --bench heartbeat --features fastwebsockets,tokio_websockets,yawc
//! ```

#[allow(dead_code, reason = "a recipe is a program, and this is another")]
#[path = "../src/bin/recipe_fastwebsockets.rs"]
mod fast;
#[allow(dead_code, reason = "a recipe is a program, and this is another")]
#[path = "../src/bin/recipe_tokio_websockets.rs"]
mod tokio_ws;
#[allow(dead_code, reason = "a recipe is a program, and this is another")]
#[path = "../src/bin/recipe_yawc.rs"]
mod yawc_frames;

use std::convert::Infallible;
use std::error::Error;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use fastwebsockets::{FragmentCollector, Frame, OpCode, WebSocket};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use liveness::driver::tokio::{ByteCounters, Counted, LiveStream};
use liveness_bench::heartbeat::{Heartbeat, Server, Stack, TIMEOUT, by_hand, echo, serve_tasks};
use tokio::net::TcpStream;
use tokio::time::interval;
use tokio_websockets::{Message, ServerBuilder};

const STACKS: &[Stack] = &[
    stack("tokio-websockets", |listener, server| {
        serve_tasks(listener, move |stream| tokio_websockets(stream, server))
    }),
    stack("fastwebsockets", |listener, server| {
        serve_tasks(listener, move |stream| http(stream, server, fastwebsockets))
    }),
    stack("yawc", |listener, server| serve_tasks(listener, move |stream| http(stream, server, yawc))),
];

const fn stack(name: &'static str, serve: fn(TcpListener, Server)) -> Stack {
    // These crates forbid the code that counts memory.
    Stack { name, by_hand: "`select!`", driver: "`LiveStream`", counts_memory: false, serve }
}

fn main() -> Result<(), Box<dyn Error>> {
    liveness_bench::heartbeat::main(STACKS)
}

async fn tokio_websockets(stream: TcpStream, server: Server) {
    let builder = ServerBuilder::new();
    match server.heartbeat {
        Heartbeat::Nothing => echo(builder.accept(stream).await.expect("a handshake").1).await,
        Heartbeat::ByHand(every) => {
            let (_, socket) = builder.accept(stream).await.expect("a handshake");
            by_hand(socket, every, || Message::ping(""), Message::is_text).await;
        }
        Heartbeat::Driver(config) => {
            let stream = Counted::new(stream);
            let counters = stream.counters().clone();
            let (_, socket) = builder.accept(stream).await.expect("a handshake");
            echo(LiveStream::with_adapter(tokio_ws::glue::TokioWebsockets, socket, config).counted(counters))
                .await;
        }
    }
}

type Answer = Response<Empty<Bytes>>;

/// hyper's loop, with a transport that counts its bytes where the driver needs that.
async fn http(
    stream: TcpStream,
    server: Server,
    answer: fn(Request<Incoming>, Heartbeat, ByteCounters) -> Answer,
) {
    let builder = http1::Builder::new();
    let heartbeat = server.heartbeat;
    let answer =
        move |request, counters| async move { Ok::<_, Infallible>(answer(request, heartbeat, counters)) };
    if let Heartbeat::Driver(_) = heartbeat {
        let stream = Counted::new(stream);
        let counters = stream.counters().clone();
        let service = service_fn(move |request| answer(request, counters.clone()));
        let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    } else {
        let service = service_fn(move |request| answer(request, ByteCounters::default()));
        let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    }
}

fn fastwebsockets(mut request: Request<Incoming>, heartbeat: Heartbeat, counters: ByteCounters) -> Answer {
    let (response, socket) = fastwebsockets::upgrade::upgrade(&mut request).expect("a request");
    tokio::spawn(async move {
        let socket = socket.await.expect("a handshake");
        match heartbeat {
            Heartbeat::Nothing => {
                let mut socket = FragmentCollector::new(socket);
                while let Ok(frame) = socket.read_frame().await {
                    socket.write_frame(frame).await.expect("written");
                }
            }
            Heartbeat::ByHand(every) => fastwebsockets_by_hand(socket, every).await,
            Heartbeat::Driver(config) => {
                let socket = LiveStream::with_adapter(fast::glue::Fast, fast::glue::socket(socket), config);
                echo(socket.counted(counters)).await;
            }
        }
    });
    response
}

/// The textbook's loop again. It drops a read for each ping, which this library does not promise to survive.
async fn fastwebsockets_by_hand(socket: WebSocket<TokioIo<Upgraded>>, every: Duration) {
    let mut socket = FragmentCollector::new(socket);
    let mut ticks = interval(every);
    let mut seen = Instant::now();
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let ping = Frame::new(true, OpCode::Ping, None, Vec::new().into());
                if seen.elapsed() > TIMEOUT || socket.write_frame(ping).await.is_err() {
                    return;
                }
            }
            frame = socket.read_frame() => {
                let Ok(frame) = frame else { return };
                seen = Instant::now();
                if frame.opcode == OpCode::Text && socket.write_frame(frame).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn yawc(mut request: Request<Incoming>, heartbeat: Heartbeat, counters: ByteCounters) -> Answer {
    let options = yawc::Options::default();
    let (response, socket) = yawc::WebSocket::upgrade_with_options(&mut request, options).expect("a request");
    tokio::spawn(async move {
        let socket = yawc_frames::glue::Frames(socket.await.expect("a handshake"), false);
        match heartbeat {
            Heartbeat::Nothing => echo(socket).await,
            Heartbeat::ByHand(every) => {
                by_hand(
                    socket,
                    every,
                    || yawc::Frame::ping(""),
                    |frame| frame.opcode() == yawc::OpCode::Text,
                )
                .await;
            }
            Heartbeat::Driver(config) => {
                echo(LiveStream::with_adapter(yawc_frames::glue::Yawc, socket, config).counted(counters))
                    .await;
            }
        }
    });
    response
}
