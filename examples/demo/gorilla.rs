//! The rule that many servers copy: the chat example of gorilla/websocket (`examples/chat/client.go` there).
//!
//! Two loops serve a connection:
//!
//! - One reads. Its deadline is `pongWait` away, and only a pong moves it.
//! - One writes what the other has queued, and a ping every `pingPeriod`. Each write has its own deadline, `writeWait`.
//!
//! Its numbers there are 60 s, 54 s and 10 s. Here `pingPeriod` is `INTERVAL`, and `pongWait` is `INTERVAL` plus
//! `TIMEOUT`, so that an idle peer that dies is found as soon as with `liveness`. `writeWait` is `TIMEOUT`, which is more
//! than its share.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use liveness::{Clock, Timestamp};
use tungstenite::protocol::Role;
use tungstenite::{Error, Message, Result, WebSocket};

use crate::board::{Change, Link, Recorder};
use crate::cases::{INTERVAL, TIMEOUT};
use crate::clients::is_timeout;
use crate::server::{Door, answer, settings};
use crate::stall;

const PING_PERIOD: Duration = INTERVAL;
const PONG_WAIT: Duration = INTERVAL.saturating_add(TIMEOUT);
const WRITE_WAIT: Duration = TIMEOUT;
/// How many messages may wait to be written. A connection with more is closed.
const QUEUE: usize = 256;

/// Opens a server that uses this rule.
pub(crate) fn open(record: Recorder) -> io::Result<Door> {
    Door::open(move |stream, link| serve(stream, link, &record))
}

fn serve(stream: TcpStream, link: Link, record: &Recorder) {
    let _ = stream.set_nodelay(true);
    let Ok(writer) = stream.try_clone() else { return };
    let Ok(mut socket) = tungstenite::accept_with_config(Deadlined::new(stream), Some(settings())) else {
        return;
    };
    // From here on only the writing loop writes.
    socket.get_mut().is_deaf_to_writes = true;
    record(link, Change::Online);
    let (queue, queued) = sync_channel(QUEUE);
    let writer = thread::spawn(move || {
        let mut socket = WebSocket::from_raw_socket(Deadlined::new(writer), Role::Server, None);
        let failure = write_all(&mut socket, &queued).err();
        // The reading loop will notice.
        let _ = socket.get_ref().stream.shutdown(Shutdown::Both);
        failure
    });
    let Err(mut error) = read_all(&mut socket, &queue) else { return };
    drop(queue);
    let is_unread = !matches!(error, Error::ConnectionClosed);
    if is_unread {
        let _ = socket.get_ref().stream.shutdown(Shutdown::Both);
    }
    let mut reason = if is_timeout_of(&error) { "read timeout" } else { "read failed" };
    let failure = writer.join().ok().flatten();
    if let Some(failure) =
        failure.filter(|failure| is_unread && is_timeout_of(failure) && !is_timeout_of(&error))
    {
        (error, reason) = (failure, "write timeout");
    } else if !is_unread {
        reason = "peer closed";
    }
    record(link, Change::Offline { reason: reason.into(), report: error.to_string() });
    drop(socket);
    record(link, Change::Gone);
}

fn read_all(socket: &mut WebSocket<Deadlined>, queue: &SyncSender<Message>) -> Result<()> {
    let clock = socket.get_ref().clock;
    socket.get_mut().deadline = clock.now() + PONG_WAIT;
    loop {
        let queued = match socket.read()? {
            Message::Pong(_) => {
                socket.get_mut().deadline = clock.now() + PONG_WAIT;
                Ok(())
            }
            Message::Ping(payload) => queue.try_send(Message::Pong(payload)),
            Message::Close(frame) => {
                let _ = queue.try_send(Message::Close(frame));
                return Err(Error::ConnectionClosed);
            }
            message @ (Message::Text(_) | Message::Binary(_) | Message::Frame(_)) => {
                queue.try_send(answer(message))
            }
        };
        queued.map_err(|_| Error::Io(io::Error::other("the queue is full")))?;
    }
}

fn write_all(socket: &mut WebSocket<Deadlined>, queued: &Receiver<Message>) -> Result<()> {
    let clock = socket.get_ref().clock;
    let mut tick = clock.now() + PING_PERIOD;
    loop {
        let message = match queued.recv_timeout(tick.saturating_duration_since(clock.now())) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => {
                stall::sit_out();
                // Go's ticker keeps one tick for a loop that comes late, and drops the others.
                while tick <= clock.now() {
                    tick += PING_PERIOD;
                }
                Message::Ping(Vec::new().into())
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        socket.get_mut().deadline = clock.now() + WRITE_WAIT;
        socket.send(message)?;
    }
}

fn is_timeout_of(error: &Error) -> bool {
    matches!(error, Error::Io(error) if is_timeout(error))
}

/// A stream with a deadline as in Go: one moment for a whole message, however many reads or writes that takes. Once the
/// deadline has passed, it does not matter what the kernel holds.
struct Deadlined {
    stream: TcpStream,
    clock: Clock,
    deadline: Timestamp,
    /// What is written is dropped, because tungstenite answers pings by itself while it reads.
    is_deaf_to_writes: bool,
}

impl Deadlined {
    fn new(stream: TcpStream) -> Self {
        Self { stream, clock: Clock::new(), deadline: Timestamp::MAX, is_deaf_to_writes: false }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(self.clock.now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Deadlined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.set_read_timeout(Some(self.left()?))?;
            match self.stream.read(buffer) {
                // The process was stopped and goes on. That alone is no reason to give up a peer.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Deadlined {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.is_deaf_to_writes {
            return Ok(buffer.len());
        }
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
