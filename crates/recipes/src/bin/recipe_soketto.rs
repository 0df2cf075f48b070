//! soketto does the handshake. tungstenite makes frames of the bytes.
//!
//! Its own `Sender` cannot be used: it can only close with 1000, so no peer learns why it was given up. Its `Receiver`
//! hides the peer's Pings. Inside jsonrpsee and libp2p, which do their own heartbeats, nothing can be plugged in.
//!
//! Everything can be seen.

use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness_recipes::{Failure, accept, echo, listen, settings};
use tokio::time::timeout;

mod glue {
    use liveness::Config;
    use liveness::driver::tokio::{Counted, LiveStream};
    use liveness::driver::tokio_tungstenite::from_raw_socket;
    use liveness::session::Role;
    use soketto::handshake::server::Response;
    use soketto::handshake::{Error, Server};
    use tokio::net::TcpStream;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
    use tokio_util::compat::TokioAsyncReadCompatExt as _;

    pub async fn accept(
        stream: TcpStream,
        settings: WebSocketConfig,
        config: Config,
    ) -> Result<LiveStream<WebSocketStream<Counted<TcpStream>>>, Error> {
        let mut server = Server::new(stream.compat());
        let key = server.receive_request().await?.key();
        server.send_response(&Response::Accept { key, protocol: None }).await?;
        // A client sends nothing more until it has the response, so no byte is left in the buffer.
        let stream = server.into_inner().into_inner();
        Ok(from_raw_socket(stream, Role::Server, Some(settings), config).await)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::from_std(listen()?)?;
    tune(&listener);
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(async move {
            let opening = glue::accept(stream, settings(), echo().config);
            if let Ok(Ok(socket)) = timeout(HANDSHAKE_TIMEOUT, opening).await {
                echo().serve(socket).await;
            }
        });
    }
}
