//! yawc, over hyper. Its own `Stream` swallows errors, so a connection that broke would look like one that was closed.
//! This recipe asks for frames instead.
//!
//! What cannot be done: yawc answers a frame that breaks the rules with its own Close, and ours follows it.

use std::convert::Infallible;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, service::service_fn};
use hyper_util::rt::TokioIo;
use liveness::driver::tokio::{ByteCounters, Counted, LiveStream};
use liveness::driver::tune;
use liveness_recipes::{Failure, LARGEST, accept, echo, http1, listen};
use yawc::{Options, WebSocket};

pub mod glue {
    use std::error::Error;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use futures_util::{Sink, Stream};
    use liveness::CloseCode;
    use liveness::driver::ErrorKind;
    use liveness::driver::tokio::{Adapter, MessageKind};
    use tokio::io::{AsyncRead, AsyncWrite};
    use yawc::{Frame, OpCode, WebSocket, WebSocketError};

    /// The WebSocket, and whether it has failed.
    pub struct Frames<T>(pub WebSocket<T>, pub bool);

    impl<T: AsyncRead + AsyncWrite + Unpin> Stream for Frames<T> {
        type Item = Result<Frame, WebSocketError>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            if self.1 {
                return Poll::Ready(None);
            }
            let frame = ready!(self.0.poll_next_frame(cx));
            self.1 = frame.is_err();
            if frame.as_ref().is_ok_and(|frame| frame.opcode() == OpCode::Close) {
                let _ = self.0.poll_next_frame(cx); // its echo goes out on the next poll, not on a flush
            }
            Poll::Ready(Some(frame))
        }
    }

    impl<T: AsyncRead + AsyncWrite + Unpin> Sink<Frame> for Frames<T> {
        type Error = WebSocketError;

        fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
            Pin::new(&mut self.0).poll_ready(cx)
        }
        fn start_send(mut self: Pin<&mut Self>, frame: Frame) -> Result<(), WebSocketError> {
            Pin::new(&mut self.0).start_send(frame)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
            Pin::new(&mut self.0).poll_close(cx)
        }
    }

    pub struct Yawc;

    impl<T: AsyncRead + AsyncWrite + Unpin> Adapter<Frames<T>> for Yawc {
        type Message = Frame;

        fn kind(frame: &Frame) -> MessageKind<'_> {
            let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
            match frame.opcode() {
                OpCode::Text => MessageKind::Text(text(frame.payload())),
                OpCode::Binary | OpCode::Continuation => MessageKind::Binary(frame.payload()),
                OpCode::Ping => MessageKind::Ping(frame.payload()),
                OpCode::Pong => MessageKind::Pong(frame.payload()),
                OpCode::Close => MessageKind::Close(
                    frame
                        .payload()
                        .split_first_chunk()
                        .map(|(code, rest)| (u16::from_be_bytes(*code), text(rest))),
                ),
            }
        }

        fn ping(payload: &[u8]) -> Frame {
            Frame::ping(payload.to_vec())
        }

        fn text(text: String) -> Frame {
            Frame::text(text)
        }

        fn binary(bytes: Vec<u8>) -> Frame {
            Frame::binary(bytes)
        }

        fn close(code: Option<CloseCode>, text: &str) -> Frame {
            let empty = || Frame::from((OpCode::Close, ""));
            code.map_or_else(empty, |code| Frame::close(code.get().into(), text))
        }

        fn error_kind(error: &(dyn Error + 'static)) -> ErrorKind {
            match error.downcast_ref() {
                Some(WebSocketError::ConnectionClosed) => ErrorKind::Closed,
                Some(WebSocketError::IoError(_)) => ErrorKind::Transport,
                Some(WebSocketError::InvalidUTF8) => ErrorKind::Protocol(CloseCode::INVALID_PAYLOAD),
                Some(WebSocketError::FrameTooLarge) => ErrorKind::Protocol(CloseCode::TOO_BIG),
                _ => ErrorKind::Protocol(CloseCode::PROTOCOL_ERROR),
            }
        }
    }
}

type Answer = Response<Empty<Bytes>>;

async fn serve(mut request: Request<Incoming>, counters: ByteCounters) -> Result<Answer, Infallible> {
    let options = Options::default().with_max_payload_read(LARGEST).with_utf8();
    let upgraded = WebSocket::upgrade_with_options(&mut request, options);
    let Ok((response, socket)) = upgraded else { return Ok(Response::new(Empty::new())) };
    tokio::spawn(async move {
        let Ok(socket) = socket.await else { return };
        let socket = LiveStream::with_adapter(glue::Yawc, glue::Frames(socket, false), echo().config);
        echo().serve(socket.counted(counters)).await;
    });
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::from_std(listen()?)?;
    tune(&listener);
    loop {
        let stream = Counted::new(accept(&listener).await);
        let counters = stream.counters().clone();
        let service = service_fn(move |request| serve(request, counters.clone()));
        tokio::spawn(http1().serve_connection(TokioIo::new(stream), service).with_upgrades());
    }
}
