//! A connection in simulated time. Its transport delivers any bytes in any pieces, takes any part of what is written,
//! blocks, fails and ends. The connection never panics, always ends in one `Disconnect`, and writes nothing after a
//! failed write.
#![no_main]

#[path = "../frames.rs"]
mod frames;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use frames::{frame, text_heartbeat};
use libfuzzer_sys::fuzz_target;
use liveness::dialect::{Exact, TextHeartbeats};
use liveness::driver::tungstenite::Connection;
use liveness::session::{Limits, Role};
use liveness::{Action, CloseCode, Config, Evidence, OnAction, Timestamp};
use tungstenite::Message;

#[derive(Arbitrary, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// A well-formed frame, so that the fuzzer gets past the header.
    Frame {
        opcode: u8,
        fin: bool,
        masked: bool,
        payload: Vec<u8>,
    },
    /// `2`, or `3`.
    Fixed {
        masked: bool,
        pong: bool,
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
    Turn,
    Pass(u16),
    Take(u8),
    Text(u8),
    Close(CloseCode),
    Probe,
}

/// How the heartbeat is written.
#[derive(Arbitrary, Debug)]
enum Speech {
    Frames,
    Texts,
    Fixed,
    /// This end never asks.
    Listens,
}

#[derive(Arbitrary, Debug)]
struct Life {
    server: bool,
    speech: Speech,
    pong_only: bool,
    messages: u8,
    answers: u8,
    pieces: Vec<Piece>,
    writes: Vec<Taking>,
    calls: Vec<Call>,
}

struct Script {
    pieces: VecDeque<Piece>,
    writes: VecDeque<Taking>,
    broken: bool,
}

fn bytes(piece: Piece) -> io::Result<Vec<u8>> {
    Ok(match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::Frame { opcode, fin, masked, payload } => frame(opcode, fin, masked, &payload),
        Piece::TextHeartbeat { masked, pong, digits } => text_heartbeat(masked, pong, digits),
        Piece::Fixed { masked, pong } => frame(1, true, masked, if pong { b"3" } else { b"2" }),
        Piece::Blocks => return Err(io::ErrorKind::WouldBlock.into()),
        Piece::Interrupted => return Err(io::ErrorKind::Interrupted.into()),
        Piece::Fails => return Err(io::ErrorKind::ConnectionReset.into()),
    })
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(next) = self.pieces.pop_front() else { return Ok(0) };
        let mut next = bytes(next)?;
        let count = next.len().min(buffer.len());
        buffer[..count].copy_from_slice(&next[..count]);
        if count < next.len() {
            self.pieces.push_front(Piece::Bytes(next.split_off(count)));
        }
        // A read of zero bytes would be the end of the stream, and an empty script is not.
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }
}

impl Write for Script {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        assert!(!self.broken, "written after a write that failed");
        match self.writes.pop_front().unwrap_or(Taking::All) {
            Taking::All => Ok(buffer.len()),
            Taking::Part(count) => Ok(buffer.len().min(usize::from(count) + 1)),
            Taking::Blocks => Err(io::ErrorKind::WouldBlock.into()),
            Taking::Fails => {
                self.broken = true;
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One turn, in the order of the docs.
fn turn(peer: &mut Connection, script: &mut Script, now: Timestamp) {
    while peer.wants_write() && peer.write_to(script, now).is_ok() {}
    while peer.wants_read(now) && peer.read_from(script, now).is_ok() {}
    let mut actions = 0;
    while peer.poll(now).is_some() {
        actions += 1;
        assert!(actions < 10, "it never comes to an end");
    }
    if peer.wants_shutdown() {
        peer.shut(now);
        while peer.poll(now).is_some() {}
    }
}

fuzz_target!(|life: Life| {
    let mut script = Script {
        pieces: life.pieces.into_iter().take(100).collect(),
        writes: life.writes.into_iter().take(1000).collect(),
        broken: false,
    };
    let config = Config::builder()
        .interval(Duration::from_millis(50))
        .timeout(Duration::from_millis(200))
        .close_timeout(Duration::from_millis(100))
        .evidence(if life.pong_only { Evidence::PongOnly } else { Evidence::AnyTraffic })
        .control_budget(8, 1)
        .build()
        .expect("valid");
    let limits = Limits { messages: life.messages.into(), answers: life.answers.into(), ..Limits::DEFAULT };
    let mut now = Timestamp::ZERO;
    let role = if life.server { Role::Server } else { Role::Client };
    let mut peer = Connection::opened(role, config, None, 7, now).limits(limits);
    peer = match life.speech {
        Speech::Frames => peer,
        Speech::Texts => peer.dialect(TextHeartbeats),
        Speech::Fixed => peer.dialect(Exact::text("2", "3")),
        Speech::Listens => peer.dialect(Exact::text("2", "3").only_answers()),
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&told);
    peer.observe(OnAction::new(move |action, _: &_| watch.lock().expect("one thread").push(action)), now);
    for call in life.calls.into_iter().take(200) {
        match call {
            Call::Turn => turn(&mut peer, &mut script, now),
            Call::Pass(micros) => now += Duration::from_micros(micros.into()),
            Call::Take(count) => drop((0..count).map_while(|_| peer.recv(now)).count()),
            Call::Text(len) => drop(peer.send(Message::text("x".repeat(len.into())), now)),
            Call::Close(code) => peer.close(code, "enough", now),
            Call::Probe => peer.probe(now),
        }
    }
    // The script ends, so the connection must end too, if somebody takes what it has to write.
    for _ in 0..10_000 {
        if peer.is_finished() {
            break;
        }
        turn(&mut peer, &mut script, now);
        while peer.recv(now).is_some() {}
        now += Duration::from_millis(1);
    }
    assert!(peer.is_finished() && peer.offline().is_some(), "{peer:?}");
    assert!(peer.send(Message::text("late"), now).is_err());
    let told = told.lock().expect("one thread");
    let count = |wanted: fn(&Action) -> bool| told.iter().filter(|action| wanted(action)).count();
    assert_eq!(told.first(), Some(&Action::MarkOnline));
    assert_eq!(count(|action| matches!(action, Action::MarkOffline(_))), 1);
    assert_eq!(count(|action| *action == Action::Disconnect), 1);
    assert_eq!(told.last(), Some(&Action::Disconnect));
});
