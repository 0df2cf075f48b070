//! The heartbeat of a stream: how it pings, and how often.

use super::{Adapter, LiveStream, Socket, Timer};
use crate::config::Config;
use crate::dialect::{Dialect, Heard};
#[cfg(doc)]
use crate::liveness::Liveness;

impl<S: Socket<A>, A: Adapter<S>, T: Timer> LiveStream<S, A, T> {
    /// Puts the heartbeat into messages of this [`dialect`](crate::dialect). Without it, pings are frames. Call it before
    /// the stream is first polled.
    ///
    /// The stream sends pings in the dialect and answers the peer's pings. It returns neither. Ping and Pong frames still
    /// work and still count. Use the dialect's own config, because a wrong schedule closes live peers.
    ///
    /// If pages and programs share an endpoint, choose by the request: by its path, its query or, as here, its subprotocol.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt;
    /// use liveness::Config;
    /// use liveness::dialect::TextHeartbeats;
    /// use liveness::driver::tokio::LiveStream;
    /// use liveness::driver::tokio_tungstenite::accept_hdr;
    /// use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    /// use tokio_tungstenite::tungstenite::http::HeaderValue;
    ///
    /// let mut is_page = false;
    /// let look = |request: &Request, mut response: Response| {
    ///     let name = "sec-websocket-protocol";
    ///     is_page = request.headers().get(name).is_some_and(|protocol| protocol == "page");
    ///     if is_page {
    ///         response.headers_mut().insert(name, HeaderValue::from_static("page"));
    ///     }
    ///     Ok(response)
    /// };
    /// let (socket, counters) = accept_hdr(stream, look, None).await?;
    /// let socket = LiveStream::new(socket, Config::DEFAULT).counted(counters);
    /// // A program's library answers Ping frames; a page's script answers text.
    /// let mut socket = if is_page { socket.dialect(TextHeartbeats) } else { socket };
    /// # let _ = socket.next().await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dialect(mut self, dialect: impl Dialect + Send + 'static) -> Self {
        self.session.set_dialect(dialect, &mut self.machine, self.timer.now());
        self.streak = false;
        self
    }

    /// Replaces the settings: see [`Liveness::reconfigure`]. For numbers in the server's hello.
    ///
    /// ```
    /// # use futures_util::{SinkExt, StreamExt};
    /// # use tokio_tungstenite::{WebSocketStream, tungstenite::{Message, protocol::Role}};
    /// use std::time::Duration;
    ///
    /// use liveness::dialect::engine_io;
    /// use liveness::driver::tokio::LiveStream;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (ours, theirs) = tokio::io::duplex(1024);
    /// # let socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    /// # let mut server = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    /// # server.send(Message::text(r#"0{"sid":"7","upgrades":[],"pingInterval":5000,"pingTimeout":4000}"#)).await?;
    /// // This end never asks, so it sends nothing before the hello.
    /// let mut socket = LiveStream::new(socket, engine_io::CLIENT_CONFIG).dialect(engine_io::client());
    /// let open = socket.next().await.ok_or("over")??;
    /// let (interval, timeout) = engine_io::open(open.to_text()?).ok_or("no open packet")?;
    /// socket.reconfigure(engine_io::client_config(interval, timeout));
    /// assert_eq!(socket.liveness().config().silence_timeout(), Duration::from_secs(9));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// An end that asks may ask before the hello, because its first ping comes at a random time in the first `interval`. If
    /// the protocol forbids that, read the hello from the bare socket, and then wrap it:
    ///
    /// ```
    /// # use futures_util::{SinkExt, StreamExt};
    /// # use tokio_tungstenite::{WebSocketStream, tungstenite::{Message, protocol::Role}};
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    ///
    /// use liveness::dialect::discord;
    /// use liveness::driver::tokio::LiveStream;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (ours, theirs) = tokio::io::duplex(1024);
    /// # let mut socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    /// # let mut server = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    /// # server.send(Message::text(r#"{"op":10,"d":{"heartbeat_interval":41250}}"#)).await?;
    /// let hello = socket.next().await.ok_or("over")??;
    /// let interval = discord::hello(hello.to_text()?).ok_or("no hello")?;
    ///
    /// let latest = Arc::new(AtomicU64::new(0)); // the "s" of the latest dispatch
    /// let told = Arc::clone(&latest);
    /// let dialect = discord::Client::new(move || Some(told.load(Relaxed)).filter(|sequence| *sequence > 0));
    /// let mut socket = LiveStream::new(socket, discord::client_config(interval)).dialect(dialect);
    /// # tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    /// # assert_eq!(server.next().await.ok_or("over")??.to_text()?, r#"{"op":1,"d":null}"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconfigure(&mut self, config: Config) {
        self.read_the_clock();
        self.session.reconfigure(config.for_drivers(), &mut self.machine, self.now);
        self.armed = false;
        self.wakers.wake_all();
    }

    /// Reports a heartbeat that the program's own codec found: in a compressed message (Discord's zlib), or in a byte stream
    /// whose packets messages may cut (MQTT, NATS). If it needs an answer, the program sends it.
    ///
    /// A [`dialect`](Self::dialect) of the program writes our pings, and takes every message for data. Under
    /// [`Evidence::PongOnly`](crate::Evidence::PongOnly), if your program reads late, the peer's answer is late.
    ///
    /// ```
    /// # use futures_util::{SinkExt, StreamExt};
    /// # use tokio_tungstenite::{WebSocketStream, tungstenite::{Message as Frame, protocol::Role}};
    /// use liveness::dialect::{Dialect, Heard, Message, Out};
    /// use liveness::driver::tokio::LiveStream;
    /// use liveness::{Config, Payload};
    ///
    /// /// An MQTT ping has two bytes. Several messages may hold the answer, so the program's parser finds it.
    /// struct PingRequests;
    ///
    /// impl Dialect for PingRequests {
    ///     fn hear(&mut self, _: Message<'_>, _: &mut dyn Out) -> Heard {
    ///         Heard::Data
    ///     }
    ///     fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
    ///         beat.binary(&[0xc0, 0]);
    ///         true
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (ours, theirs) = tokio::io::duplex(1024);
    /// # let socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    /// # let mut broker = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    /// # tokio::spawn(async move {
    /// #     while let Some(Ok(_)) = broker.next().await {
    /// #         broker.send(Frame::binary(vec![0xd0, 0])).await.unwrap();
    /// #     }
    /// # });
    /// let mut socket = LiveStream::new(socket, Config::DEFAULT).dialect(PingRequests);
    /// let bytes = socket.next().await.ok_or("over")??.into_data();
    /// if bytes == [0xd0, 0][..] {
    ///     socket.heard(Heard::SomeAnswer);
    /// }
    /// assert_eq!(socket.liveness().stats().answers, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn heard(&mut self, heard: Heard) {
        self.read_the_clock();
        self.session.heard(heard, &mut self.machine, self.now);
        // An event that draws on the control budget may end the connection.
        self.wakers.wake_all();
    }

    /// Makes a ping due now: the network changed, the laptop woke, a user is waiting. An end whose dialect
    /// [never asks](crate::dialect::Dialect::asks) sends none.
    pub fn probe(&mut self) {
        self.read_the_clock();
        self.session.probe(&mut self.machine, self.now);
        // The half that is polled next sends it, so wake both.
        self.wakers.wake_all();
    }
}
