//! poem: its WebSocket is a stream and a sink of messages of its own. Its acceptor may hand out a transport that counts; a handler knows
//! of its connection no more than the address, so the counters are kept by that.
//!
//! What cannot be seen: after a frame that breaks the protocol, the rest of what the peer sent is not read away, so a Close of ours may
//! be lost to a reset.

use liveness::driver::tokio::LiveStream;
use liveness_recipes::{Echo, Failure, LARGEST};
use poem::web::websocket::{WebSocket, WebSocketConfig};
use poem::web::{Data, RemoteAddr};
use poem::{EndpointExt as _, IntoResponse, Route, Server, get, handler};

mod glue {
    use std::{
        collections::HashMap,
        io,
        net::SocketAddr,
        sync::{Arc, Mutex, PoisonError},
    };

    use liveness::driver::tokio::{Adapter, ByteCounters, Counted, MessageKind};
    use liveness::{CloseCode, driver::tune};
    use poem::http::uri::Scheme;
    use poem::listener::Acceptor;
    use poem::web::{
        LocalAddr, RemoteAddr,
        websocket::{Message, WebSocketStream},
    };
    use tokio::net::{TcpListener, TcpStream};

    /// The counters of those that came and are not served yet.
    #[derive(Clone, Default)]
    pub struct Arrived(Arc<Mutex<HashMap<SocketAddr, ByteCounters>>>);

    impl Arrived {
        pub fn take(&self, remote: &RemoteAddr) -> Option<ByteCounters> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(remote.as_socket_addr()?)
        }
    }

    pub struct Counting(pub TcpListener, pub Arrived);

    impl Acceptor for Counting {
        type Io = Counted<TcpStream>;
        fn local_addr(&self) -> Vec<LocalAddr> {
            self.0.local_addr().map(|address| LocalAddr(address.into())).into_iter().collect()
        }
        async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
            let (stream, address) = self.0.accept().await?;
            tune(&stream);
            let stream = Counted::new(stream);
            let mut arrived = self.1.0.lock().unwrap_or_else(PoisonError::into_inner);
            arrived.insert(address, stream.counters().clone()); // where not every request is an upgrade, forget the others
            Ok((stream, LocalAddr(self.0.local_addr()?.into()), RemoteAddr(address.into()), Scheme::HTTP))
        }
    }

    pub struct Poem;

    impl Adapter<WebSocketStream> for Poem {
        type Message = Message;
        fn kind(message: &Message) -> MessageKind<'_> {
            match message {
                Message::Text(text) => MessageKind::Text(text),
                Message::Binary(bytes) => MessageKind::Binary(bytes),
                Message::Ping(payload) => MessageKind::Ping(payload),
                Message::Pong(payload) => MessageKind::Pong(payload),
                Message::Close(frame) => {
                    MessageKind::Close(frame.as_ref().map(|(code, text)| ((*code).into(), &**text)))
                }
            }
        }
        fn ping(payload: &[u8]) -> Message {
            Message::ping(payload)
        }
        fn text(text: String) -> Message {
            Message::Text(text)
        }
        fn binary(bytes: Vec<u8>) -> Message {
            Message::Binary(bytes)
        }
        fn close(code: Option<CloseCode>, text: &str) -> Message {
            Message::Close(code.map(|code| (code.get().into(), text.to_owned())))
        }
    }
}

#[handler]
fn serve(
    ws: WebSocket,
    echo: Data<&&'static Echo>,
    arrived: Data<&glue::Arrived>,
    remote: &RemoteAddr,
) -> impl IntoResponse + use<> {
    let (echo, counters) = (**echo, arrived.take(remote));
    let settings = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    ws.config(settings).on_upgrade(move |socket| async move {
        let socket = LiveStream::with_adapter(glue::Poem, socket, echo.config).counted(counters);
        echo.serve(socket).await;
    })
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (echo, listener) = Echo::from_flags()?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let arrived = glue::Arrived::default();
    let app = Route::new().at("/", get(serve)).data(echo).data(arrived.clone());
    Ok(Server::new_with_acceptor(glue::Counting(listener, arrived)).run(app).await?)
}
