//! actix-web opens the WebSocket and moves its bytes. tungstenite makes frames of them.
//!
//! `actix-ws` cannot be served well. Its `Session` is a channel: it says that a ping is sent while the ping waits there
//! behind 32 messages. It counts no bytes. The connection of a peer that reads nothing stays for ever. Here the two
//! bodies that actix shows, the request's and the response's, are one transport, and its bytes are counted.
//!
//! actix gives the head of a request 5 s. What cannot be seen: up to 32 KiB in actix's own buffer count as sent.

use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, web};
use liveness_recipes::{Failure, echo, listen, settings};

mod glue {
    use std::{any::Any, io, net::Shutdown, sync::Arc, time::Duration};

    use actix_web::body::{BodyStream, MessageBody as _};
    use actix_web::dev::Extensions;
    use actix_web::rt::{net::TcpStream, spawn, time::sleep};
    use actix_web::{Error, HttpRequest, HttpResponse, web};
    use futures_util::TryStreamExt as _;
    use liveness::driver::tokio::{Counted, LiveStream};
    use liveness::driver::tokio_tungstenite::from_raw_socket;
    use liveness::{Config, driver::tune, session::Role};
    use socket2::{SockRef, Socket};
    use tokio::io::{AsyncRead, AsyncWrite, duplex, join};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
    use tokio_util::io::{ReaderStream, StreamReader};

    /// Pass this to `HttpServer::on_connect`. actix owns the socket, so a second handle of it is kept for hanging up.
    pub fn on_connect(io: &dyn Any, data: &mut Extensions) {
        if let Some(stream) = io.downcast_ref::<TcpStream>() {
            tune(stream);
            data.insert(SockRef::from(stream).try_clone().map(Arc::new).ok());
        }
    }

    /// Hangs up one second after it is dropped, so that actix can send what it still holds. actix alone would wait for a
    /// peer that reads nothing.
    struct HangUp(Option<Arc<Socket>>);

    impl Drop for HangUp {
        fn drop(&mut self) {
            let socket = self.0.take();
            spawn(async move {
                sleep(Duration::from_secs(1)).await;
                socket.map(|socket| socket.shutdown(Shutdown::Both))
            });
        }
    }

    /// Use this in place of `actix_ws::handle`. It returns the response, and the WebSocket for a task of its own.
    pub async fn upgrade(
        request: HttpRequest,
        body: web::Payload,
        settings: WebSocketConfig,
        config: Config,
    ) -> Result<
        (HttpResponse, LiveStream<WebSocketStream<Counted<impl AsyncRead + AsyncWrite + Unpin>>>),
        Error,
    > {
        let mut response = actix_http::ws::handshake(request.head())?;
        let hang_up = HangUp(request.conn_data::<Option<Arc<Socket>>>().cloned().flatten());
        let body = body.map_err(io::Error::other).inspect_ok(move |_| _ = &hang_up);
        let (ours, actixs) = duplex(16 * 1024);
        let transport = join(StreamReader::new(body), ours);
        let socket = from_raw_socket(transport, Role::Server, Some(settings), config).await;
        let response = response.message_body(BodyStream::new(ReaderStream::new(actixs)).boxed())?;
        Ok((HttpResponse::from(response), socket))
    }
}

async fn serve(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    let (response, socket) = glue::upgrade(request, body, settings(), echo().config).await?;
    actix_web::rt::spawn(async { echo().serve(socket).await });
    Ok(response)
}

#[actix_web::main]
async fn main() -> Result<(), Failure> {
    let listener = listen()?;
    let app = || App::new().default_service(web::get().to(serve));
    HttpServer::new(app).on_connect(glue::on_connect).workers(1).listen(listener)?.run().await?;
    Ok(())
}
