//! One connection on a loop of its own: the loop of `liveness::dialect`'s docs around a blocking socket. No driver.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use liveness::dialect::{self, Dialect, Heard, Message, OutBuffer};
use liveness::{Action, Clock, Config, Event, Liveness, Reason, Stats, random_seed};
use tungstenite::protocol::Message as Frame;
use tungstenite::{Error, WebSocket};

/// What the test is told.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    /// So many times the peer was heard to beat or to answer.
    Heard(u32),
    Offline(Reason, Stats),
}

/// One end.
pub(crate) struct BareLoop {
    pub(crate) socket: WebSocket<TcpStream>,
    pub(crate) dialect: Box<dyn Dialect + Send>,
    pub(crate) config: Config,
    /// Neither asks nor answers any more, and still reads.
    pub(crate) mute: Arc<AtomicBool>,
    pub(crate) tell: Sender<Told>,
}

/// How long a read waits: no longer than a turn may be late.
const TURN: Duration = Duration::from_millis(10);

impl BareLoop {
    pub(crate) fn run(mut self) {
        let clock = Clock::new();
        let mut peer = Liveness::new(self.config, random_seed(), clock.now());
        let mut beats = 0;
        self.socket.get_ref().set_read_timeout(Some(TURN)).unwrap();
        while !peer.is_finished() {
            self.read(&mut peer, &clock, &mut beats);
            let now = clock.now();
            while let Some(action) = peer.poll(now) {
                self.carry_out(action, &peer);
            }
        }
    }

    /// Reads all that has arrived.
    fn read(&mut self, peer: &mut Liveness, clock: &Clock, beats: &mut u32) {
        for _ in 0..1_000 {
            let frame = match self.socket.read() {
                Ok(frame) => frame,
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return;
                }
                Err(_) => return peer.handle(Event::Eof, clock.now()),
            };
            let now = clock.now();
            match &frame {
                Frame::Text(text) => self.hear(peer, Message::Text(text), now, beats),
                Frame::Binary(bytes) => self.hear(peer, Message::Binary(bytes), now, beats),
                Frame::Ping(_) => peer.handle(Event::Ping, now),
                Frame::Pong(payload) => peer.handle(Event::Pong(payload), now),
                Frame::Close(close) => {
                    peer.handle(Event::Close(close.as_ref().map(|close| close.code.into())), now)
                }
                Frame::Frame(_) => {}
            }
        }
    }

    fn hear(&mut self, peer: &mut Liveness, message: Message<'_>, now: liveness::Timestamp, beats: &mut u32) {
        let mut answer = OutBuffer::new();
        let heard = dialect::hear(&mut *self.dialect, message, &mut answer);
        peer.handle(heard.event(peer.awaited().as_ref()), now);
        self.send(&answer);
        if heard != Heard::Data {
            *beats += 1;
            let _ = self.tell.send(Told::Heard(*beats));
        }
    }

    fn carry_out(&mut self, action: Action, peer: &Liveness) {
        match action {
            Action::SendPing(payload) => {
                let mut beat = OutBuffer::new();
                self.dialect.ask(payload, &mut beat);
                self.send(&beat);
            }
            Action::MarkOffline(reason) => drop(self.tell.send(Told::Offline(reason, peer.stats()))),
            Action::Close(code) => {
                let close = code.map(|code| tungstenite::protocol::CloseFrame {
                    code: code.get().into(),
                    reason: "".into(),
                });
                let _ = self.socket.close(close);
                let _ = self.socket.flush();
            }
            Action::MarkOnline | Action::MarkSuspect | Action::Disconnect => {}
        }
    }

    fn send(&mut self, written: &OutBuffer) {
        let frame = match written.message() {
            Some(Message::Text(text)) => Frame::text(text),
            Some(Message::Binary(bytes)) => Frame::binary(bytes.to_vec()),
            None => return,
        };
        if !self.mute.load(Ordering::Relaxed) {
            let _ = self.socket.send(frame);
        }
    }
}
