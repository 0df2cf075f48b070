//! hyper with hyper-tungstenite 0.30. Its socket is tokio-tungstenite's, so the only glue is the counting.
//!
//! Everything can be seen: the connection is counted before hyper gets it. With HTTP/2 the streams of a connection would
//! share the counts, so leave the counters out there.

use std::convert::Infallible;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, service::service_fn};
use hyper_util::rt::TokioIo;
use liveness::driver::tokio::{ByteCounters, Counted, LiveStream};
use liveness::driver::tune;
use liveness_recipes::{Failure, accept, echo, http1, listen, settings};

type Answer = Response<Empty<Bytes>>;

async fn serve(mut request: Request<Incoming>, counters: ByteCounters) -> Result<Answer, Infallible> {
    let upgraded = hyper_tungstenite::upgrade(&mut request, Some(settings()));
    let Ok((response, socket)) = upgraded else { return Ok(Response::new(Empty::new())) };
    tokio::spawn(async move {
        let Ok(socket) = socket.await else { return };
        let socket = LiveStream::new(socket, echo().config).counted(counters);
        echo().serve(socket).await;
    });
    Ok(response.map(|_| Empty::new()))
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
