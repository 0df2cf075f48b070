//! What a library's WebSocket must tell of its messages.

use std::string::String;

use core::task::{Context, Poll};

use futures_util::{Sink, Stream};

use crate::driver::ErrorKind;
use crate::event::CloseCode;
use crate::payload::Payload;

/// A WebSocket that can be wrapped in a [`LiveStream`](super::LiveStream): a `Stream` and a `Sink` of messages, and what
/// they mean.
///
/// The library answers pings and echoes a Close by itself, as the common ones do. For an example see the source of the one
/// for axum: forty lines.
pub trait MessageStream:
    Stream<Item = Result<<Self as MessageStream>::Message, <Self as MessageStream>::Failure>>
    + Sink<<Self as MessageStream>::Message, Error = <Self as MessageStream>::Failure>
    + Unpin
{
    /// The library's message.
    type Message: Unpin;
    /// The library's error.
    type Failure: core::error::Error + Unpin + 'static;

    /// What a message is.
    fn kind(message: &Self::Message) -> MessageKind<'_>;

    /// How many bytes it holds.
    fn len(message: &Self::Message) -> usize;

    /// A Ping with this payload.
    fn ping(payload: Payload) -> Self::Message;

    /// A text message, for a heartbeat in such: [`Heartbeat::Text`](crate::driver::Heartbeat::Text).
    fn text(text: String) -> Self::Message;

    /// A Close with this code and text, or an empty one.
    fn close(code: Option<CloseCode>, text: &str) -> Self::Message;

    /// What an error means.
    fn error_kind(error: &Self::Failure) -> ErrorKind;

    /// Reads and drops what comes after an error, until the transport ends: where a peer has broken the protocol, to
    /// close at once would reset the connection, and our Close frame with it. A library that hides its transport
    /// cannot; then the connection is kept for `close_timeout`. `Pending`, so that a peer that sends without end costs little: nothing
    /// is there, or a share of what is there was read, and the driver asks again after a pause.
    fn poll_discard_input(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageKind<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message, or a part of either.
    Data,
    /// A Ping.
    Ping,
    /// A Pong with this payload.
    Pong(&'a [u8]),
    /// A Close with this code, if it has one.
    Close(Option<u16>),
}
