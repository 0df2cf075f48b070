//! A stream that is dropped, whenever and for whatever reason, leaves no ghost: its observers are told the end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::{Action, CloseCode, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tungstenite::Message;

use super::support::{Actions, Live, SECOND, config, pair};

/// How a handler ends before its connection does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    EarlyReturn,
    Abort,
    LostSelect,
    Panic,
}

async fn handler(mut live: Live, way: Way) {
    let said = live.next().await;
    assert_eq!(said.unwrap().unwrap(), Message::text("hello"));
    match way {
        Way::EarlyReturn => {}
        Way::Abort => std::future::pending().await,
        Way::LostSelect => tokio::select! {
            _ = live.next() => panic!("nothing comes"),
            () = sleep(SECOND) => {}
        },
        Way::Panic => panic!("in a handler, as is tested"),
    }
}

fn ends_of(told: &Actions) -> Vec<Action> {
    told.lock().unwrap().clone()
}

fn assert_over(told: &Actions, reason: Reason, context: &str) {
    let told = ends_of(told);
    let offline = told.iter().filter(|action| matches!(action, Action::MarkOffline(_))).collect::<Vec<_>>();
    assert_eq!(offline, [&Action::MarkOffline(reason)], "{context}: {told:?}");
    assert_eq!(told.first(), Some(&Action::MarkOnline), "{context}: {told:?}");
    assert_eq!(told.last(), Some(&Action::Disconnect), "{context}: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_a_handler_early_is_no_ghost_and_the_peer_is_told() {
    for way in [Way::EarlyReturn, Way::Abort, Way::LostSelect, Way::Panic] {
        let (live, mut client, told) = pair(config(), 1024).await;
        client.send(Message::text("hello")).await.unwrap();
        let task = tokio::spawn(handler(live, way));
        if way == Way::Abort {
            sleep(SECOND).await;
            task.abort();
        }
        let ended = timeout(10 * SECOND, task).await.expect("it ends");
        assert_eq!(ended.is_err(), matches!(way, Way::Abort | Way::Panic), "{way:?}");
        assert_over(&told, Reason::LocalClosed, &format!("{way:?}"));
        let close = client.next().await;
        assert!(
            matches!(&close, Some(Ok(Message::Close(Some(frame)))) if frame.code == 1001.into()),
            "{way:?}: {close:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_never_polled_comes_and_goes() {
    let (live, _client, told) = pair(config(), 1024).await;
    drop(live);
    assert_over(&told, Reason::LocalClosed, "never polled");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_closed_and_dropped_is_over() {
    let (mut live, mut client, told) = pair(config(), 1024).await;
    SinkExt::close(&mut live).await.unwrap();
    drop(live);
    assert_over(&told, Reason::LocalClosed, "closed and dropped");
    assert!(
        matches!(client.next().await, Some(Ok(Message::Close(Some(frame)))) if frame.code == 1000.into())
    );
}

#[tokio::test(start_paused = true)]
async fn one_whose_end_was_told_already_is_not_told_again() {
    let (mut live, client, told) = pair(config(), 1024).await;
    drop(client);
    assert!(live.next().await.unwrap().is_err());
    let before = ends_of(&told);
    drop(live);
    assert_eq!(ends_of(&told), before);
    assert_over(&told, Reason::TransportClosed, "the transport ended");
}

/// Where there is no room for a Close, nobody waits for it.
#[tokio::test(start_paused = true)]
async fn dropping_waits_for_nothing() {
    let (mut live, client, told) = pair(config(), 16).await;
    assert!(timeout(SECOND, live.send(Message::binary(vec![0; 1000]))).await.is_err());
    drop(live);
    assert_over(&told, Reason::LocalClosed, "in the middle of a message");
    let mut found = Vec::new();
    client.into_inner().read_to_end(&mut found).await.unwrap();
    assert_eq!(found.len(), 16);
}

/// A panic in an observer, and one more while the stream is dropped for it, is one panic.
#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_takes_the_task_and_not_the_process() {
    let (live, _client, _) = pair(config(), 1024).await;
    let mut live = live.on_action(|_, _| panic!("in an observer, as is tested"));
    let task = tokio::spawn(async move { live.next().await.is_some() });
    assert!(task.await.unwrap_err().is_panic());
}

#[tokio::test(start_paused = true)]
async fn a_panic_with_a_halfway_written_message_leaves_the_others_alone() {
    let (live, mut theirs) = super::support::over_bytes(config(), 64, None).await;
    let told = Actions::default();
    let log = Arc::clone(&told);
    let mut live = live.on_action(move |action, _| log.lock().unwrap().push(action));
    theirs.write_all(b"\x82\x81\0\0\0\0x").await.unwrap();
    let task = tokio::spawn(async move {
        assert!(timeout(SECOND, live.send(Message::binary(vec![0; 1000]))).await.is_err());
        live.close(CloseCode::NORMAL, "");
        panic!("in a handler, as is tested");
    });
    assert!(timeout(Duration::from_secs(60), task).await.unwrap().is_err());
    assert_over(&told, Reason::LocalClosed, "halfway");
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_taken_back_is_no_ghost_and_the_peer_is_not_told() {
    let (mut live, mut client, told) = pair(config(), 1024).await;
    client.send(Message::text("hello")).await.unwrap();
    live.next().await.unwrap().unwrap();
    let socket = live.into_inner();
    assert_over(&told, Reason::LocalClosed, "taken back");
    drop(socket);
    let end = client.next().await.unwrap();
    assert!(matches!(end, Err(tungstenite::Error::Protocol(_))), "{end:?}");
}
