//! tungstenite, blocking: a thread a connection.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::thread::Builder;
use std::time::{Duration, Instant};

use liveness::Config;
use liveness::driver::tungstenite::accept;
use liveness_bench::heartbeat::{Heartbeat, TIMEOUT};
use tungstenite::{Bytes, Error, Message};

pub(crate) fn serve(listener: TcpListener, heartbeat: Heartbeat) {
    for stream in listener.incoming() {
        let stream = stream.expect("a client");
        let life = move || match heartbeat {
            Heartbeat::Nothing => bare(stream),
            Heartbeat::ByHand(every) => by_hand(stream, every),
            Heartbeat::Driver(config) => driver(stream, config),
        };
        Builder::new().spawn(life).expect("a thread");
    }
}

fn bare(stream: TcpStream) {
    let mut socket = tungstenite::accept(stream).expect("a handshake");
    while let Ok(message) = socket.read() {
        if socket.send(message).is_err() {
            return;
        }
    }
}

/// A ping whenever nothing has come for this long.
#[expect(clippy::disallowed_methods, reason = "so it is written by hand")]
fn by_hand(stream: TcpStream, every: Duration) {
    stream.set_read_timeout(Some(every)).expect("a timeout");
    let mut socket = tungstenite::accept(stream).expect("a handshake");
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

fn driver(stream: TcpStream, config: Config) {
    let mut socket = accept(stream, config).expect("a handshake");
    while let Ok(message) = socket.read() {
        if socket.send(message).is_err() {
            return;
        }
    }
}
