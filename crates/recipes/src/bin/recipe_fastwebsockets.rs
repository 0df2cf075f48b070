//! fastwebsockets (Deno), over hyper. Its async functions must not be dropped half-way, so a `select!` with a timer would
//! corrupt the stream. `unfold` keeps each of them until it is done, and needs no task and no channel.
//!
//! Everything can be seen. The library answers nothing itself, because what it would write does not pass through the
//! sink.
//!
//! What cannot be done: the library's limit holds for a frame. A message of fragments without end fills the memory.

use std::convert::Infallible;

use fastwebsockets::upgrade::upgrade;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, service::service_fn};
use hyper_util::rt::TokioIo;
use liveness::driver::tokio::{ByteCounters, Counted, LiveStream};
use liveness::driver::tune;
use liveness_recipes::{Failure, LARGEST, accept, echo, http1, listen};

pub mod glue {
    use std::error::Error;
    use std::future::ready;
    use std::pin::Pin;
    use std::str::from_utf8;

    use bytes::Bytes;
    use fastwebsockets::{FragmentCollectorRead, Frame, OpCode, WebSocket, WebSocketError};
    use futures_util::stream::{BoxStream, unfold};
    use futures_util::{Sink, sink};
    use liveness::CloseCode;
    use liveness::driver::ErrorKind;
    use liveness::driver::tokio::{Adapter, Joined, MessageKind};
    use tokio::io::{AsyncRead, AsyncWrite, split};

    /// A whole message, or a control frame.
    pub struct Message(pub OpCode, pub Bytes);

    type Read = BoxStream<'static, Result<Message, WebSocketError>>;
    type Write = Pin<Box<dyn Sink<Message, Error = WebSocketError> + Send>>;

    pub fn socket<T>(mut socket: WebSocket<T>) -> Joined<Read, Write>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        socket.set_auto_pong(false);
        socket.set_auto_close(false);
        let (read, write) = socket.split(split);
        let read = unfold(Some(FragmentCollectorRead::new(read)), async |read| {
            let mut read = read?;
            let mut nothing = |_: Frame<'_>| ready(Ok::<(), WebSocketError>(()));
            match read.read_frame(&mut nothing).await {
                Ok(frame) => Some((Ok(Message(frame.opcode, Vec::from(frame.payload).into())), Some(read))),
                Err(error) => Some((Err(error), None)),
            }
        });
        let write = sink::unfold(write, async |mut write, Message(opcode, payload): Message| {
            write.write_frame(Frame::new(true, opcode, None, Vec::from(payload).into())).await?;
            write.flush().await?;
            Ok(write)
        });
        Joined(Box::pin(read), Box::pin(write))
    }

    pub struct Fast;

    impl<R, W> Adapter<Joined<R, W>> for Fast {
        type Message = Message;
        const ANSWERS: bool = false;

        fn kind(Message(opcode, payload): &Message) -> MessageKind<'_> {
            match opcode {
                OpCode::Text => MessageKind::Text(from_utf8(payload).unwrap_or_default()),
                OpCode::Binary | OpCode::Continuation => MessageKind::Binary(payload),
                OpCode::Ping => MessageKind::Ping(payload),
                OpCode::Pong => MessageKind::Pong(payload),
                OpCode::Close => MessageKind::Close(
                    payload
                        .split_first_chunk()
                        .map(|(code, text)| (u16::from_be_bytes(*code), from_utf8(text).unwrap_or_default())),
                ),
            }
        }

        fn ping(payload: &[u8]) -> Message {
            Message(OpCode::Ping, payload.to_vec().into())
        }

        fn pong(payload: &[u8]) -> Option<Message> {
            Some(Message(OpCode::Pong, payload.to_vec().into()))
        }

        fn text(text: String) -> Message {
            Message(OpCode::Text, text.into())
        }

        fn binary(bytes: Vec<u8>) -> Message {
            Message(OpCode::Binary, bytes.into())
        }

        fn close(code: Option<CloseCode>, text: &str) -> Message {
            let payload = code.map(|code| [&code.get().to_be_bytes(), text.as_bytes()].concat());
            Message(OpCode::Close, payload.unwrap_or_default().into())
        }

        fn error_kind(error: &(dyn Error + 'static)) -> ErrorKind {
            match error.downcast_ref() {
                Some(WebSocketError::ConnectionClosed) => ErrorKind::Closed,
                Some(WebSocketError::UnexpectedEOF | WebSocketError::IoError(_)) => ErrorKind::Transport,
                Some(WebSocketError::InvalidUTF8) => ErrorKind::Protocol(CloseCode::INVALID_PAYLOAD),
                Some(WebSocketError::FrameTooLarge) => ErrorKind::Protocol(CloseCode::TOO_BIG),
                _ => ErrorKind::Protocol(CloseCode::PROTOCOL_ERROR),
            }
        }
    }
}

type Answer = Response<Empty<Bytes>>;

async fn serve(mut request: Request<Incoming>, counters: ByteCounters) -> Result<Answer, Infallible> {
    let Ok((response, socket)) = upgrade(&mut request) else { return Ok(Response::new(Empty::new())) };
    tokio::spawn(async move {
        let Ok(mut socket) = socket.await else { return };
        socket.set_max_message_size(LARGEST);
        let socket =
            LiveStream::with_adapter(glue::Fast, glue::socket(socket), echo().config).counted(counters);
        echo().serve(socket).await;
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
