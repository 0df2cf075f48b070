//! tungstenite, blocking: a thread a connection.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::thread::Builder;
use std::time::{Duration, Instant};

use liveness::Config;
use liveness::driver::tungstenite::accept_raw;
use liveness_bench::heartbeat::{Heartbeat, Server, TIMEOUT};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, Error, Message, accept_with_config};

pub(crate) fn serve(listener: TcpListener, server: Server) {
    let settings = server.read_buffer.map(|bytes| WebSocketConfig::default().read_buffer_size(bytes));
    for stream in listener.incoming() {
        let stream = stream.expect("a client");
        let life = move || match server.heartbeat {
            Heartbeat::Nothing => bare(stream, settings),
            Heartbeat::ByHand(every) => by_hand(stream, every, settings),
            Heartbeat::Driver(config) => driver(stream, config, settings),
        };
        Builder::new().spawn(life).expect("a thread");
    }
}

fn bare(stream: TcpStream, settings: Option<WebSocketConfig>) {
    let mut socket = accept_with_config(stream, settings).expect("a handshake");
    while let Ok(message) = socket.read() {
        if socket.send(message).is_err() {
            return;
        }
    }
}

/// A ping whenever nothing has come for this long.
#[expect(clippy::disallowed_methods, reason = "so it is written by hand")]
fn by_hand(stream: TcpStream, every: Duration, settings: Option<WebSocketConfig>) {
    stream.set_read_timeout(Some(every)).expect("a timeout");
    let mut socket = accept_with_config(stream, settings).expect("a handshake");
    let mut seen = Instant::now();
    loop {
        let sent = match socket.read() {
            Ok(message) => {
                seen = Instant::now();
                if message.is_text() { socket.send(message) } else { Ok(()) }
            }
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if seen.elapsed() > TIMEOUT {
                    return;
                }
                socket.send(Message::Ping(Bytes::new()))
            }
            Err(_) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

fn driver(stream: TcpStream, config: Config, settings: Option<WebSocketConfig>) {
    let mut socket = accept_raw(stream, settings).expect("a handshake").watch(config);
    while let Ok(message) = socket.read() {
        if socket.send(message).is_err() {
            return;
        }
    }
}
