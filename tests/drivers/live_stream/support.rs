//! A watched end of an in-memory pipe, and its peer.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use liveness::driver::tokio::{Counted, Error, LiveStream};
use liveness::{Action, Config, Reason};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::{Role, WebSocketConfig};

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) type Live<T = DuplexStream> = LiveStream<WebSocketStream<Counted<T>>>;
pub(super) type Peer = WebSocketStream<DuplexStream>;
pub(super) type Actions = Arc<Mutex<Vec<Action>>>;

pub(super) fn config() -> Config {
    Config::builder().interval(5 * SECOND).timeout(10 * SECOND).jitter(0).build().unwrap()
}

/// A watched server's end of this transport.
pub(super) async fn watched<T: AsyncRead + AsyncWrite + Unpin>(
    transport: T,
    config: Config,
    settings: Option<WebSocketConfig>,
) -> Live<T> {
    let transport = Counted::new(transport);
    let counters = transport.counters().clone();
    let server = WebSocketStream::from_raw_socket(transport, Role::Server, settings).await;
    LiveStream::new(server, config).counted(counters)
}

/// A watched server's end, the plain client's end, and the actions that are shown.
pub(super) async fn pair(config: Config, room: usize) -> (Live, Peer, Actions) {
    let (ours, theirs) = duplex(room);
    let client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    let actions = Actions::default();
    let log = Arc::clone(&actions);
    let live = watched(ours, config, None).await.on_action(move |action, _| {
        log.lock().unwrap().push(action);
    });
    (live, client, actions)
}

pub(super) fn reason<T: std::fmt::Debug>(end: Option<Result<T, Error>>) -> Reason {
    match end {
        Some(Err(error)) => error.reason().expect("an end"),
        other => panic!("expected the end, not {other:?}"),
    }
}

/// As `pair`, but the peer's end is bare bytes.
pub(super) async fn over_bytes(
    config: Config,
    room: usize,
    settings: Option<WebSocketConfig>,
) -> (Live, DuplexStream) {
    let (ours, theirs) = duplex(room);
    (watched(ours, config, settings).await, theirs)
}

/// Polls for the next message once, in a task that has spent what tokio lets it do in one go.
pub(super) async fn next_without_budget(live: &mut Live) -> Poll<Option<Result<Message, Error>>> {
    let (sender, mut busy) = mpsc::unbounded_channel();
    for _ in 0..1000 {
        sender.send(()).unwrap();
    }
    poll_fn(|cx| {
        while busy.poll_recv(cx).is_ready() {}
        Poll::Ready(live.poll_next_unpin(cx))
    })
    .await
}
