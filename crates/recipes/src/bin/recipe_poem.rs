//! poem upgrades the connection and hands it over. tungstenite makes frames of its bytes.
//!
//! Everything can be seen. poem's own `WebSocketStream` is not used: it hides the connection, and its version of
//! tungstenite is old.

use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness_recipes::{Failure, echo, listen, settings};
use poem::listener::TcpAcceptor;
use poem::{Request, Response, Route, Server, handler};

mod glue {
    use liveness::driver::tokio::{Counted, LiveStream};
    use liveness::driver::tokio_tungstenite::from_raw_socket;
    use liveness::{Config, session::Role};
    use poem::{Request, Response, Upgraded, error::BadRequest};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::handshake::server::create_response;
    use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

    pub type Socket = LiveStream<WebSocketStream<Counted<Upgraded>>>;

    /// Use this in place of poem's extractor and its `on_upgrade`.
    pub fn upgrade<F: Future + Send>(
        request: &Request,
        settings: WebSocketConfig,
        config: Config,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> poem::Result<Response> {
        let mut head = http::Request::new(());
        *head.method_mut() = request.method().clone();
        head.headers_mut().clone_from(request.headers());
        let answer = create_response(&head).map_err(BadRequest)?;
        let upgrade = request.take_upgrade()?;
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                serve(from_raw_socket(upgraded, Role::Server, Some(settings), config).await).await;
            }
        });
        let mut response = Response::from(answer.status());
        response.headers_mut().extend(answer.headers().clone());
        Ok(response)
    }
}

#[handler]
fn serve(request: &Request) -> poem::Result<Response> {
    glue::upgrade(request, settings(), echo().config, async |socket| {
        echo().serve(socket).await;
    })
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = listen()?;
    tune(&listener);
    let server = Server::new_with_acceptor(TcpAcceptor::from_std(listener)?);
    // It ends a client that says nothing, and leaves an upgraded connection alone. Half a request has no deadline in poem: put
    // a proxy in front that has one.
    server.idle_timeout(HANDSHAKE_TIMEOUT).run(Route::new().at("/", serve)).await?;
    Ok(())
}
