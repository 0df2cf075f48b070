//! hyper with hyper-tungstenite: its WebSocket is one of tokio-tungstenite's, which this crate knows.
//!
//! What cannot be seen: nothing. The transport is ours.

use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_tungstenite::tungstenite::protocol::WebSocketConfig;
use hyper_util::rt::TokioIo;
use liveness::driver::tokio::{ByteCounters, Counted, LiveStream};
use liveness_recipes::{Echo, Failure, LARGEST};

async fn serve(
    echo: &'static Echo,
    mut request: Request<Incoming>,
    counters: ByteCounters,
) -> Result<Response<http_body_util::Full<Bytes>>, std::convert::Infallible> {
    let settings = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let Ok((response, socket)) = hyper_tungstenite::upgrade(&mut request, Some(settings)) else {
        return Ok(Response::default());
    };
    tokio::spawn(async move {
        let Ok(socket) = socket.await else { return };
        let socket = LiveStream::new(socket, echo.config).counted(counters);
        echo.serve(socket).await;
    });
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (echo, listener) = Echo::from_flags()?;
    liveness::driver::tune(&listener); // on Linux, what it accepts inherits that
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let stream = Counted::new(stream);
        let counters = stream.counters().clone();
        let service = service_fn(move |request| serve(echo, request, counters.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades());
    }
}
