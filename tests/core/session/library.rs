//! A WebSocket library, a transport and a peer at its other end, as far as a session can tell: frames have a size and no bytes.

use std::collections::VecDeque;

use liveness::session::Outbound;
use liveness::{CloseCode, Payload};

use super::speech::ping_in;

/// What the peer sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Data(u32, usize),
    Beat,
    Ping,
    Pong(Vec<u8>),
    /// The answer to a ping in a message, as it was asked.
    Answer(Payload),
    Close(Option<u16>),
    /// A part of a message that is never completed.
    Part(usize),
    /// It breaks the protocol.
    Bad,
    /// The peer sends no more.
    End,
    /// The transport failed.
    Reset,
}

/// What a read comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Frame(Frame),
    /// These bytes, and no frame.
    Bytes(usize),
    Nothing,
    Violation(CloseCode),
    Failed,
    End,
    /// Both Closes have passed.
    Closed,
}

/// What we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Pong,
    Answer,
    Ping(Payload),
    /// A ping in a message.
    Beat(Payload),
    Message,
    Close,
    Echo,
}

impl Sent {
    pub(crate) const fn ping(self) -> Option<Payload> {
        match self {
            Self::Ping(payload) | Self::Beat(payload) => Some(payload),
            Self::Pong | Self::Answer | Self::Message | Self::Close | Self::Echo => None,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Pong | Self::Answer | Self::Close | Self::Echo => 10,
            Self::Ping(_) => 16,
            Self::Beat(_) => 23,
            Self::Message => 200,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Library {
    /// It answers Pings and Closes by itself.
    answers: bool,
    server: bool,
    /// What it holds, with the bytes of each that have not left.
    held: VecDeque<(Sent, usize)>,
    /// It takes no more than so many bytes before it wants to be flushed.
    most: usize,
    /// All that has left, in order.
    pub(crate) left: Vec<Sent>,
    /// Writing fails, and has failed.
    pub(crate) broken: bool,
    pub(crate) failed: bool,
    pub(crate) over: bool,
    close_given: bool,
    close_left: bool,
    close_read: bool,
    pub(crate) wire: Wire,
}

/// The transport, in both directions, and what the peer makes of it.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) inbound: VecDeque<Frame>,
    /// How many of our bytes the transport takes before the peer takes some.
    pub(crate) room: usize,
    /// What the peer has not taken, with the bytes of each.
    underway: VecDeque<(Sent, usize)>,
    /// Its answers that have not arrived yet.
    underway_to_us: Vec<Frame>,
    /// Whether it takes whatever comes, and answers our pings at once.
    pub(crate) takes: bool,
    pub(crate) answers: bool,
    /// Nothing comes behind the end.
    pub(crate) ended: bool,
}

impl Wire {
    /// The peer sends this, if it still can.
    pub(crate) fn send(&mut self, frame: Frame) {
        if !self.ended {
            self.ended = matches!(frame, Frame::End | Frame::Reset);
            self.inbound.push_back(frame);
        }
    }

    /// The answers arrive that are underway.
    pub(crate) fn arrive(&mut self) {
        for answer in std::mem::take(&mut self.underway_to_us) {
            self.send(answer);
        }
    }

    /// The peer takes so many bytes.
    pub(crate) fn take(&mut self, mut bytes: usize) {
        while let Some((sent, left)) = self.underway.front_mut() {
            let taken = bytes.min(*left);
            *left -= taken;
            bytes -= taken;
            self.room += taken;
            if *left > 0 {
                return;
            }
            let sent = *sent;
            self.underway.pop_front();
            match sent {
                Sent::Ping(payload) if self.answers => {
                    self.underway_to_us.push(Frame::Pong(payload.as_bytes().to_vec()));
                }
                Sent::Beat(payload) if self.answers => self.underway_to_us.push(Frame::Answer(payload)),
                Sent::Pong | Sent::Answer | Sent::Ping(_) | Sent::Beat(_) => {}
                Sent::Message | Sent::Close | Sent::Echo => {}
            }
        }
    }
}

impl Library {
    pub(crate) fn new(server: bool, answers: bool, most: usize) -> Self {
        Self { server, answers, most, ..Self::default() }
    }

    /// It has said that both Closes have passed.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    fn give(&mut self, sent: Sent) {
        assert!(!self.failed, "the library is given {sent:?} after a write failed");
        assert!(!self.close_given, "{sent:?} after a Close");
        self.close_given = matches!(sent, Sent::Close | Sent::Echo);
        self.held.push_back((sent, sent.bytes()));
    }

    /// Of the pings that it holds the newest.
    pub(crate) fn newest_ping(&self) -> Option<Payload> {
        self.held.iter().rev().find_map(|(sent, _)| sent.ping())
    }

    pub(crate) fn write(&mut self, out: &Outbound) {
        let sent = match out {
            Outbound::Pong(_) => Sent::Pong,
            Outbound::Answer(_) => Sent::Answer,
            Outbound::Ping(payload) => Sent::Ping(*payload),
            Outbound::Beat(message) => Sent::Beat(ping_in(message).expect("our own ping")),
            // It has sent its echo: there is no second Close.
            Outbound::Close(..) if self.close_given => return,
            Outbound::Close(..) => Sent::Close,
            Outbound::Flush | Outbound::ShutdownWrite | _ => unreachable!("no frame"),
        };
        self.give(sent);
    }

    pub(crate) fn write_message(&mut self) {
        self.give(Sent::Message);
    }

    /// It takes another frame. Otherwise it must be flushed first.
    pub(crate) fn is_ready(&self) -> bool {
        self.unsent() < self.most.max(1)
    }

    pub(crate) fn unsent(&self) -> usize {
        self.held.iter().map(|(_, left)| left).sum()
    }

    /// Moves what the transport takes: so many bytes, and whether nothing is left. `None`: it failed.
    pub(crate) fn flush(&mut self) -> Option<(usize, bool)> {
        assert!(!self.failed, "the library is flushed after a write failed");
        if self.broken && !self.held.is_empty() {
            self.failed = true;
            self.held.clear();
            return None;
        }
        let mut moved = 0;
        while let Some((sent, left)) = self.held.front_mut() {
            let part = (*left).min(self.wire.room);
            if part == 0 {
                break;
            }
            *left -= part;
            moved += part;
            self.wire.room -= part;
            self.wire.underway.push_back((*sent, part));
            if *left > 0 {
                // The peer makes nothing of a frame of which it has a part.
                if let Some((part, _)) = self.wire.underway.back_mut() {
                    *part = Sent::Message;
                }
                break;
            }
            self.left.push(*sent);
            self.close_left |= matches!(sent, Sent::Close | Sent::Echo);
            self.held.pop_front();
        }
        if self.wire.takes {
            self.wire.take(moved);
        }
        Some((moved, self.held.is_empty()))
    }

    /// The next of what has arrived. The library's own answers are made here.
    pub(crate) fn read(&mut self) -> Read {
        if self.server && self.close_read && self.close_left {
            return Read::Closed;
        }
        let Some(frame) = self.wire.inbound.pop_front() else { return Read::Nothing };
        match frame {
            Frame::Part(bytes) => Read::Bytes(bytes),
            Frame::Bad => Read::Violation(CloseCode::PROTOCOL_ERROR),
            Frame::Reset => Read::Failed,
            Frame::End if self.close_read && self.close_given => Read::Closed,
            Frame::End => Read::End,
            Frame::Ping if self.answers && !self.failed && !self.close_given => {
                self.give(Sent::Pong);
                Read::Frame(Frame::Ping)
            }
            Frame::Close(code) => {
                self.close_read = true;
                if self.answers && !self.failed && !self.close_given {
                    self.give(Sent::Echo);
                }
                Read::Frame(Frame::Close(code))
            }
            frame @ (Frame::Data(..) | Frame::Beat | Frame::Ping | Frame::Pong(_) | Frame::Answer(_)) => {
                Read::Frame(frame)
            }
        }
    }

    /// The next of what has arrived, as bytes that mean nothing.
    pub(crate) fn discard(&mut self) -> Read {
        match self.wire.inbound.pop_front() {
            None => Read::Nothing,
            Some(Frame::End) => Read::End,
            Some(Frame::Reset) => Read::Failed,
            Some(frame) => Read::Bytes(size(&frame)),
        }
    }
}

/// The bytes of a frame on the wire.
pub(crate) fn size(frame: &Frame) -> usize {
    match frame {
        Frame::Data(_, bytes) => bytes + 2,
        Frame::Part(bytes) => *bytes,
        Frame::Pong(payload) => payload.len() + 2,
        Frame::Answer(_) => 23,
        Frame::Beat | Frame::Ping | Frame::Close(_) | Frame::Bad => 6,
        Frame::End | Frame::Reset => 0,
    }
}
