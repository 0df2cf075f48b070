//! The opening handshake: bounded in time, and its request shown to a callback that wants to see it.

use std::io::ErrorKind;

use futures_util::StreamExt;
use liveness::Reason;
use liveness::driver::HANDSHAKE_TIMEOUT;
use liveness::driver::tokio::LiveStream;
use liveness::driver::tokio_tungstenite::{accept, accept_hdr, client};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::Instant;
use tokio_tungstenite::client_async;
use tungstenite::Error;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::StatusCode;

use super::support::{config, reason};
use liveness_testing::raw_peer::REQUEST;

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_is_given_up() {
    let (ours, mut theirs) = duplex(1024);
    theirs.write_all(&REQUEST[..40]).await.unwrap();
    let start = Instant::now();
    match accept(ours, config()).await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_the_request_is_given_up() {
    let (ours, mute) = duplex(1024);
    let start = Instant::now();
    match client("ws://localhost/", ours, config()).await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
    drop(mute);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::result_large_err, reason = "tungstenite's own answer")]
async fn who_looks_at_the_request_sees_its_path_and_watches_as_ever() {
    let (ours, theirs) = duplex(1024);
    let mut path = String::new();
    let look = |request: &Request, response: Response| {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let (accepted, frozen) =
        tokio::join!(accept_hdr(ours, look, None), client_async("ws://localhost/rooms/7", theirs));
    let (socket, counters) = accepted.unwrap();
    assert_eq!(path, "/rooms/7");
    let mut live = LiveStream::new(socket, config()).counted(counters);
    assert_eq!(reason(live.next().await), Reason::PingTimeout);
    drop(frozen);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::result_large_err, reason = "tungstenite's own answer")]
async fn who_looks_at_the_request_may_refuse_it() {
    let (ours, theirs) = duplex(1024);
    let refuse = |_: &Request, _: Response| {
        let mut answer = ErrorResponse::new(None);
        *answer.status_mut() = StatusCode::FORBIDDEN;
        Err(answer)
    };
    let (refused, client) =
        tokio::join!(accept_hdr(ours, refuse, None), client_async("ws://localhost/", theirs));
    assert!(matches!(refused, Err(Error::Http(_))));
    let error = client.unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
}
