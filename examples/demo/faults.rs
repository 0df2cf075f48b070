//! Clients with a fault. They write raw frames on a raw socket, because a library would not do such things.

use std::io::{self, Read, Write};
use std::time::Duration;

use liveness_testing::raw_peer::{BINARY, FIN, PING, PONG, TEXT, frame, header};
use socket2::SockRef;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, Result, WebSocket};

use crate::board::Change;
use crate::cases::{CHAT, FAULTS, LEAVE};
use crate::clients::{CHATTY, Line, Seat, is_timeout, receive, shake_hands, wait_until};
use crate::proxy;

const MIB: u64 = 1 << 20;
/// The dribbling frame: 10 MiB, a tenth of a MiB each tenth of a second.
const DRIBBLE: u64 = 10 * MIB;
const CHUNK: usize = 104_858;
const PAUSE: Duration = Duration::from_millis(100);
/// More than two kernels' buffers hold.
const UNREAD: u64 = 32 * MIB;
/// How often a raw client acts.
const BEAT: Duration = Duration::from_millis(20);
/// A thousand pings a second: sixty times the budget, and yet a small load.
const PINGS_A_BEAT: usize = 20;

/// Behaves well until the faults begin.
fn behave(seat: &Seat) -> Result<WebSocket<Line>> {
    let mut socket = seat.open()?;
    seat.converse(&mut socket, CHATTY, FAULTS)?;
    Ok(socket)
}

/// Sends a last message, then reads nothing and answers nothing.
pub(crate) fn freeze(seat: &Seat) -> Result<()> {
    let mut socket = behave(seat)?;
    let now = seat.clock().now();
    socket.send(Message::text("one moment"))?;
    seat.board.record_at(socket.get_ref().link, now, Change::Fault);
    wait_until(seat.clock(), LEAVE);
    Ok(())
}

/// Lives behind a proxy that drops everything from some moment on.
pub(crate) fn half_open(seat: &Seat) -> Result<()> {
    let mut socket = shake_hands(proxy::dial(seat)?)?;
    // It goes on as before, because it cannot know.
    seat.converse(&mut socket, CHATTY, LEAVE)
}

/// Sends one huge frame, so slowly that no pong can be sent for several timeouts. Then it goes on talking.
pub(crate) fn dribble(seat: &Seat) -> Result<()> {
    let mut socket = seat.open()?;
    let life = dribble_frame(seat, &mut socket).and_then(|()| seat.converse(&mut socket, CHATTY, LEAVE));
    seat.keep(socket.get_ref().link, life);
    Ok(())
}

fn dribble_frame(seat: &Seat, socket: &mut WebSocket<Line>) -> Result<()> {
    let stream = &mut socket.get_mut().stream;
    stream.write_all(&header(FIN | BINARY, DRIBBLE))?;
    let chunk = vec![0; CHUNK];
    let mut left = DRIBBLE;
    while left > 0 {
        let part = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        stream.write_all(&chunk[..part])?;
        left -= part as u64;
        wait_until(seat.clock(), seat.clock().now() + PAUSE);
    }
    // The echo proves that the server received the whole frame.
    while seat.clock().now() < LEAVE {
        match receive(socket, PAUSE)? {
            Some(Message::Binary(bytes)) if bytes.len() as u64 == DRIBBLE => return Ok(()),
            Some(_) | None => {}
        }
    }
    Err(Error::Io(io::Error::other("no echo of the frame")))
}

/// Asks for a large download, and reads none of it.
pub(crate) fn never_read(seat: &Seat) -> Result<()> {
    let mut socket = shake_hands(seat.dial(Some(64 * 1024))?)?;
    seat.converse(&mut socket, CHATTY, FAULTS)?;
    let now = seat.clock().now();
    socket.send(Message::text(format!("flood {UNREAD}")))?;
    seat.board.record_at(socket.get_ref().link, now, Change::Fault);
    wait_until(seat.clock(), LEAVE);
    Ok(())
}

/// Talks, and never answers a ping.
pub(crate) fn never_pong(seat: &Seat) -> Result<()> {
    let mut line = unanswering(seat)?;
    let life = repeat(seat, &mut line, &[(CHAT, frame(TEXT, b"nice weather"))]);
    seat.keep(line.link, life);
    Ok(())
}

/// Sends pongs for pings that nobody sent, and answers none.
pub(crate) fn forge_pongs(seat: &Seat) -> Result<()> {
    let mut line = unanswering(seat)?;
    repeat(seat, &mut line, &[(CHAT / 4, frame(PONG, b"12345678"))])
}

/// A line whose client will never answer. If only pongs count, its last sign of life is the handshake.
fn unanswering(seat: &Seat) -> Result<Line> {
    let now = seat.clock().now();
    let line = seat.open()?.into_inner();
    seat.board.record_at(line.link, now, Change::Fault);
    Ok(line)
}

/// Sends far too many pings, and talks as before.
pub(crate) fn flood_pings(seat: &Seat) -> Result<()> {
    let mut line = behave(seat)?.into_inner();
    seat.board.record(line.link, Change::Fault);
    let pings = frame(PING, b"ping").repeat(PINGS_A_BEAT);
    repeat(seat, &mut line, &[(BEAT, pings), (CHAT, frame(TEXT, b"anybody there?"))])
}

/// Ends with a reset, without a Close.
pub(crate) fn reset(seat: &Seat) -> Result<()> {
    let line = behave(seat)?.into_inner();
    // Closing a socket whose linger time is zero resets the connection.
    SockRef::from(&line.stream).set_linger(Some(Duration::ZERO))?;
    seat.board.record(line.link, Change::Fault);
    Ok(())
}

/// Closes as RFC 6455 says, and waits for the end.
pub(crate) fn close(seat: &Seat) -> Result<()> {
    let mut socket = behave(seat)?;
    seat.board.record(socket.get_ref().link, Change::Fault);
    socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() }))?;
    while seat.clock().now() < LEAVE {
        receive(&mut socket, CHAT)?;
    }
    Ok(())
}

/// Writes each of these frames at its pace, and drops what it reads.
fn repeat(seat: &Seat, line: &mut Line, beats: &[(Duration, Vec<u8>)]) -> Result<()> {
    let mut due = vec![seat.clock().now(); beats.len()];
    while seat.clock().now() < LEAVE {
        for ((every, frames), due) in beats.iter().zip(&mut due) {
            if seat.clock().now() >= *due {
                line.stream.write_all(frames)?;
                *due += *every;
            }
        }
        let next = due.iter().min().map_or(LEAVE, |next| LEAVE.min(*next));
        swallow(line, next.saturating_duration_since(seat.clock().now()))?;
    }
    Ok(())
}

/// Reads what comes in time, once, and drops it.
fn swallow(line: &mut Line, patience: Duration) -> io::Result<()> {
    let mut scrap = [0; 16 * 1024];
    line.stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
    match line.stream.read(&mut scrap) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) if !is_timeout(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
