//! salvo upgrades the connection and hands it over. tungstenite makes frames of its bytes.
//!
//! Everything can be seen. salvo's own `WebSocket` is not used: it hides the connection, and the sources of its errors.
//! salvo gives the head of a request 30 s.

use liveness::driver::tune;
use liveness_recipes::{Failure, echo, listen, settings};
use salvo::conn::tcp::TcpAcceptor;
use salvo::http::StatusError;
use salvo::{Request, Response, Router, Server, handler};

mod glue {
    use hyper::upgrade::{OnUpgrade, Upgraded};
    use hyper_util::rt::TokioIo;
    use liveness::driver::tokio::{Counted, LiveStream};
    use liveness::driver::tokio_tungstenite::from_raw_socket;
    use liveness::{Config, session::Role};
    use salvo::conn::ConnCtrl;
    use salvo::http::StatusError;
    use salvo::{Request, Response};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::handshake::server::create_response;
    use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

    pub type Socket = LiveStream<WebSocketStream<Counted<TokioIo<Upgraded>>>>;

    /// Use this in place of `WebSocketUpgrade::upgrade`.
    pub fn upgrade<F: Future + Send>(
        request: &mut Request,
        response: &mut Response,
        settings: WebSocketConfig,
        config: Config,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Result<(), StatusError> {
        let mut head = hyper::Request::new(());
        *head.method_mut() = request.method().clone();
        head.headers_mut().clone_from(request.headers());
        let answer =
            create_response(&head).map_err(|error| StatusError::bad_request().brief(error.to_string()))?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or_else(StatusError::bad_request)?;
        // Otherwise a server with salvo's idle timeouts would cut a quiet connection.
        request.extensions().get::<ConnCtrl>().map(ConnCtrl::relax_timeouts);
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                let upgraded = TokioIo::new(upgraded);
                serve(from_raw_socket(upgraded, Role::Server, Some(settings), config).await).await;
            }
        });
        response.status_code(answer.status());
        response.headers_mut().extend(answer.headers().clone());
        Ok(())
    }
}

#[handler]
async fn serve(request: &mut Request, response: &mut Response) -> Result<(), StatusError> {
    glue::upgrade(request, response, settings(), echo().config, async |socket| {
        echo().serve(socket).await;
    })
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::from_std(listen()?)?;
    tune(&listener);
    Server::new(TcpAcceptor::try_from(listener)?).serve(Router::new().goal(serve)).await;
    Ok(())
}
