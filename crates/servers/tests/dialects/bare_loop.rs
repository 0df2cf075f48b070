//! One connection with its own loop around a blocking socket: the loop of `liveness::dialect`'s docs. It uses no driver.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use liveness::dialect::{self, Dialect, Heard, Message, Out as _, OutBuffer};
use liveness::{Action, Clock, Config, Event, Liveness, Reason, Timestamp, random_seed};
use tungstenite::protocol::Message as Frame;
use tungstenite::{Error, WebSocket};

use super::streams::Codec;

/// What the loop reports to the test.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    /// The peer's heartbeat, and its kind.
    Heard(&'static str),
    Offline(Reason),
}

/// One end of a connection.
pub(crate) struct BareLoop {
    pub(crate) socket: WebSocket<TcpStream>,
    pub(crate) dialect: Box<dyn Dialect + Send>,
    pub(crate) codec: Option<Codec>,
    pub(crate) config: Config,
    /// It sends no ping and no answer any more, but still reads.
    pub(crate) mute: Arc<AtomicBool>,
    pub(crate) tell: Sender<Told>,
}

/// How long a read waits. A turn may be late by as much.
const TURN: Duration = Duration::from_millis(10);

/// When the peer was last heard, and the longest time between two turns since then.
struct Since {
    heard: Timestamp,
    turn: Timestamp,
    longest: Duration,
}

impl BareLoop {
    pub(crate) fn run(mut self) {
        let clock = Clock::new();
        let mut peer = Liveness::new(self.config, random_seed(), clock.now());
        let mut since = Since { heard: clock.now(), turn: clock.now(), longest: Duration::ZERO };
        self.socket.get_ref().set_read_timeout(Some(TURN)).unwrap();
        while !peer.is_finished() {
            self.read(&mut peer, &clock, &mut since);
            let now = clock.now();
            since.longest = since.longest.max(now.saturating_duration_since(since.turn));
            since.turn = now;
            while let Some(action) = peer.poll(now) {
                self.carry_out(action, &since);
            }
        }
    }

    /// Reads everything that has arrived.
    fn read(&mut self, peer: &mut Liveness, clock: &Clock, since: &mut Since) {
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
            *since = Since { heard: now, turn: now, longest: Duration::ZERO };
            match &frame {
                Frame::Text(text) => self.hear(peer, Message::Text(text), now),
                Frame::Binary(bytes) => self.hear(peer, Message::Binary(bytes), now),
                Frame::Ping(_) => peer.handle(Event::Ping, now),
                Frame::Pong(payload) => peer.handle(Event::Pong(payload), now),
                Frame::Close(close) => {
                    peer.handle(Event::Close(close.as_ref().map(|close| close.code.into())), now)
                }
                Frame::Frame(_) => {}
            }
        }
    }

    fn hear(&mut self, peer: &mut Liveness, message: Message<'_>, now: Timestamp) {
        let mut answer = OutBuffer::new();
        let heard = dialect::hear(&mut *self.dialect, message, &mut answer);
        self.heard(peer, heard, &answer, now);
        let found = self.codec.as_mut().map(|codec| codec.hear(message.as_bytes()));
        for (heard, bytes) in found.unwrap_or_default() {
            let mut answer = OutBuffer::new();
            if !bytes.is_empty() {
                answer.binary(bytes);
            }
            self.heard(peer, heard, &answer, now);
        }
    }

    fn heard(&mut self, peer: &mut Liveness, heard: Heard, answer: &OutBuffer, now: Timestamp) {
        peer.handle(heard.event(peer.awaited().as_ref()), now);
        self.send(answer);
        let told = match heard {
            Heard::Data => return,
            Heard::Beat if answer.message().is_some() => "pings",
            Heard::Beat => "beats",
            Heard::Answer(_) => "answers by name",
            Heard::SomeAnswer => "answers",
        };
        let _ = self.tell.send(Told::Heard(told));
    }

    fn carry_out(&mut self, action: Action, since: &Since) {
        match action {
            Action::SendPing(payload) => {
                let mut beat = OutBuffer::new();
                self.dialect.ask(payload, &mut beat);
                self.send(&beat);
            }
            Action::MarkOffline(reason) => {
                // The verdict on a silent peer must come in time. This loop may be late by the longest time between two
                // turns.
                let silent = since.turn.saturating_duration_since(since.heard);
                let in_time = silent <= self.config.detection_bound(since.longest);
                assert!(in_time || matches!(reason, Reason::PeerClosed(_)), "{reason} after {silent:?}");
                let _ = self.tell.send(Told::Offline(reason));
            }
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
