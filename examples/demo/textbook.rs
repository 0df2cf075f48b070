//! The recipe of a hundred tutorials: ticker, ping, read deadline, read one message.
//!
//! After the Go loop that they show:
//!
//! ```go
//! for range ticker.C {
//!     conn.WriteMessage(websocket.PingMessage, nil)
//!     conn.SetReadDeadline(time.Now().Add(timeout))
//!     _, message, err := conn.ReadMessage()
//!     if err != nil { return }
//!     handle(message)
//! }
//! ```

use std::io::{self, Read, Write};
use std::net::TcpStream;

use liveness::{Clock, Timestamp};
use tungstenite::{Error, Message, Result, WebSocket};

use crate::board::{Change, Link, Recorder};
use crate::cases::{INTERVAL, TIMEOUT};
use crate::clients::{is_timeout, wait_until};
use crate::server::{Door, answer, settings};

/// Opens a server that lives by the recipe.
pub(crate) fn open(record: Recorder) -> io::Result<Door> {
    Door::open(move |stream, link| serve(stream, link, &record))
}

fn serve(stream: TcpStream, link: Link, record: &Recorder) {
    let _ = stream.set_nodelay(true);
    let stream = Deadlined { stream, clock: Clock::new(), deadline: Timestamp::MAX };
    let Ok(mut socket) = tungstenite::accept_with_config(stream, Some(settings())) else { return };
    record(link, Change::Online);
    let Err(error) = converse(&mut socket) else { return };
    record(link, Change::Offline { reason: reason(&error).into(), report: error.to_string() });
    drop(socket);
    record(link, Change::Gone);
}

/// The recipe.
fn converse(socket: &mut WebSocket<Deadlined>) -> Result<()> {
    let clock = socket.get_ref().clock;
    let mut tick = clock.now() + INTERVAL;
    loop {
        wait_until(clock, tick);
        // A ticker keeps one tick for whoever comes late, and drops the others.
        while tick <= clock.now() {
            tick += INTERVAL;
        }
        socket.send(Message::Ping(Vec::new().into()))?;
        socket.get_mut().deadline = clock.now() + TIMEOUT;
        let message = read_message(socket)?;
        socket.send(answer(message))?;
    }
}

/// The next data message. Control frames do not end the read, as they end neither gorilla's nor that of most libraries:
/// to the caller a pong is no message.
fn read_message(socket: &mut WebSocket<Deadlined>) -> Result<Message> {
    loop {
        match socket.read()? {
            message @ (Message::Text(_) | Message::Binary(_)) => return Ok(message),
            Message::Close(_) => return Err(Error::ConnectionClosed),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

fn reason(error: &Error) -> &'static str {
    if matches!(error, Error::ConnectionClosed) {
        return "peer closed";
    }
    let missed = matches!(error, Error::Io(error) if is_timeout(error));
    if missed { "read deadline" } else { "read failed" }
}

/// A stream with a read deadline as Go has it, and with it asyncio's and tokio's timeouts: a moment, for the whole of a
/// message however many reads that takes; and a deadline that has passed has passed, whatever lies in the kernel.
struct Deadlined {
    stream: TcpStream,
    clock: Clock,
    deadline: Timestamp,
}

impl Read for Deadlined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(self.clock.now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(buffer) {
                // A stopped process that continues: no reason to give up a peer, by itself.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Deadlined {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
