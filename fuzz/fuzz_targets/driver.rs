//! The tungstenite driver over a socket that delivers any bytes in any pieces, blocks, fails and ends: it never panics,
//! always ends in one `Disconnect`, and never touches the socket after it.
#![no_main]

#[path = "../frames.rs"]
mod frames;

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use frames::{frame, text_heartbeat};
use libfuzzer_sys::fuzz_target;
use liveness::driver::tungstenite::LiveSocket;
use liveness::driver::{BlockingSocket, CountingSocket, Heartbeat};
use liveness::{Action, CloseCode, Config, Evidence};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

#[derive(Arbitrary, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// A frame that is well formed, so that the fuzzer gets past the header.
    Frame {
        opcode: u8,
        fin: bool,
        masked: bool,
        payload: Vec<u8>,
    },
    /// A heartbeat in a text message.
    TextHeartbeat {
        masked: bool,
        pong: bool,
        digits: u64,
    },
    Blocks,
    Interrupted,
    Fails,
}

#[derive(Arbitrary, Debug)]
enum Taking {
    All,
    Part(u8),
    Blocks,
    Fails,
}

#[derive(Arbitrary, Debug)]
enum Call {
    Read,
    Text(u8),
    Close(CloseCode),
    Probe,
}

#[derive(Arbitrary, Debug)]
struct Life {
    server: bool,
    text: bool,
    pong_only: bool,
    pieces: Vec<Piece>,
    writes: Vec<Taking>,
    calls: Vec<Call>,
}

struct Script {
    bytes: Vec<io::Result<Vec<u8>>>,
    writes: Vec<Taking>,
    closed: Rc<Cell<bool>>,
}

fn bytes(piece: Piece) -> io::Result<Vec<u8>> {
    Ok(match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::Frame { opcode, fin, masked, payload } => frame(opcode, fin, masked, &payload),
        Piece::TextHeartbeat { masked, pong, digits } => text_heartbeat(masked, pong, digits),
        Piece::Blocks => return Err(io::ErrorKind::WouldBlock.into()),
        Piece::Interrupted => return Err(io::ErrorKind::Interrupted.into()),
        Piece::Fails => return Err(io::ErrorKind::ConnectionReset.into()),
    })
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!self.closed.get(), "read after Disconnect");
        let Some(next) = self.bytes.pop() else { return Ok(0) };
        let mut next = next?;
        let count = next.len().min(buffer.len());
        buffer[..count].copy_from_slice(&next[..count]);
        if count < next.len() {
            self.bytes.push(Ok(next.split_off(count)));
        }
        // A read of nothing is the end of the stream, and a script of no bytes is not that.
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }
}

impl Write for Script {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        assert!(!self.closed.get(), "written after Disconnect");
        match self.writes.pop().unwrap_or(Taking::All) {
            Taking::All => Ok(buffer.len()),
            Taking::Part(count) => Ok(buffer.len().min(usize::from(count) + 1)),
            Taking::Blocks => Err(io::ErrorKind::WouldBlock.into()),
            Taking::Fails => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingSocket for Script {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        Ok(())
    }
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        Ok(())
    }
    fn set_nonblocking(&self, _nonblocking: bool) -> io::Result<()> {
        // It never waits, whatever it is told.
        Ok(())
    }
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how == Shutdown::Both {
            self.closed.set(true);
        }
        Ok(())
    }
}

fuzz_target!(|life: Life| {
    let closed = Rc::new(Cell::new(false));
    let script = Script {
        bytes: life.pieces.into_iter().take(100).map(bytes).rev().collect(),
        writes: life.writes,
        closed: Rc::clone(&closed),
    };
    let role = if life.server { Role::Server } else { Role::Client };
    // Real time passes here: let it be short. The socket ends soon in any case.
    let config = Config::builder()
        .interval(Duration::from_micros(50))
        .timeout(Duration::from_millis(2))
        .last_look(Duration::from_micros(100))
        .close_timeout(Duration::from_millis(1))
        .evidence(if life.pong_only { Evidence::PongOnly } else { Evidence::AnyTraffic })
        .control_budget(8, 1)
        .build()
        .expect("valid");
    let told = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&told);
    let heartbeat = if life.text { Heartbeat::Text } else { Heartbeat::Frames };
    let mut socket =
        LiveSocket::new(WebSocket::from_raw_socket(CountingSocket::new(script), role, None), config)
            .heartbeat(heartbeat)
            .on_action(move |action, _| watch.lock().expect("one thread").push(action));
    for call in life.calls.into_iter().take(50) {
        // What went wrong is told by the actions too.
        let _ = match call {
            Call::Read => socket.read().map(drop),
            Call::Text(len) => socket.send(Message::text("x".repeat(len.into()))),
            Call::Close(code) => {
                socket.close(code, "enough");
                Ok(())
            }
            Call::Probe => {
                socket.probe();
                Ok(())
            }
        };
    }
    while socket.read().is_ok() {}
    assert!(socket.liveness().is_finished() && closed.get());
    assert!(socket.read().is_err() && socket.send(Message::text("late")).is_err());
    let told = told.lock().expect("one thread");
    let count = |wanted: fn(&Action) -> bool| told.iter().filter(|action| wanted(action)).count();
    assert_eq!(told.first(), Some(&Action::MarkOnline));
    assert_eq!(count(|action| matches!(action, Action::MarkOffline(_))), 1);
    assert_eq!(count(|action| *action == Action::Disconnect), 1);
    assert_eq!(told.last(), Some(&Action::Disconnect));
});
