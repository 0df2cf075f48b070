//! The frames of a simulated WebSocket.

use crate::event::{Action, CloseCode, Event};

/// A frame of a WebSocket, or the end of its transport. `M` is the type of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has no other frames")]
pub enum Frame<M> {
    /// A message, and its size in bytes.
    Data(M, usize),
    /// This many bytes of a message that does not end yet. Send a large message as parts, because a frame arrives as a
    /// whole.
    Part(usize),
    /// A Ping with this payload.
    Ping([u8; 8]),
    /// A Pong with this payload.
    Pong([u8; 8]),
    /// A Close, with its code if it has one.
    Close(Option<u16>),
    /// The end of the transport in this direction.
    Fin,
}

impl<M> Frame<M> {
    /// The frame to send for an action: a Ping, a Close, and [`Fin`](Self::Fin) to disconnect. `None` for an action that
    /// sends nothing.
    #[must_use]
    pub fn from_action(action: Action) -> Option<Self> {
        match action {
            Action::SendPing(payload) => Some(Self::Ping(*payload.as_bytes())),
            Action::Close(code) => Some(Self::Close(code.map(CloseCode::get))),
            Action::Disconnect => Some(Self::Fin),
            Action::MarkOnline | Action::MarkSuspect | Action::MarkOffline(_) => None,
        }
    }

    /// The event for a frame that has arrived.
    #[must_use]
    pub const fn event(&self) -> Event<'_> {
        match self {
            Self::Data(..) => Event::Data,
            Self::Part(_) => Event::Progress,
            Self::Ping(_) => Event::Ping,
            Self::Pong(payload) => Event::Pong(payload),
            Self::Close(code) => Event::Close(*code),
            Self::Fin => Event::Eof,
        }
    }

    /// Its size on the wire in bytes, as a server sends it (RFC 6455 5.2).
    #[must_use]
    pub const fn bytes(&self) -> usize {
        match self {
            Self::Data(_, len) | Self::Part(len) => len.saturating_add(match *len {
                0..=125 => 2,
                126..=0xffff => 4,
                _ => 10,
            }),
            Self::Ping(_) | Self::Pong(_) => 10,
            Self::Close(Some(_)) => 4,
            Self::Close(None) => 2,
            Self::Fin => 0,
        }
    }
}
