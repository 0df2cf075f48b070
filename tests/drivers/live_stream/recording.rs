//! What a recorder writes down beside an asynchronous socket replays to the same life.

use futures_util::{SinkExt, StreamExt};
use liveness::Evidence;
use liveness::driver::tokio::{Counted, LiveStream};
use liveness::transcript::{Page, Recorder};
use tokio::io::duplex;
use tokio::time::{Duration, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::Role;

use super::support::{SECOND, config};
use liveness_testing::assert_replays;

#[tokio::test(start_paused = true)]
async fn a_life_whose_caller_stays_away_replays() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let config = config().to_builder().evidence(evidence).build().unwrap();
        let (ours, theirs) = duplex(1024);
        let transport = Counted::new(ours);
        let counters = transport.counters().clone();
        let server = WebSocketStream::from_raw_socket(transport, Role::Server, None).await;
        let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let page = Page::default();
        let live = LiveStream::new(server, config).counted(counters);
        let mut live = live.observe(Recorder::new(page.clone()));
        let peer = tokio::spawn(async move {
            for _ in 0..500 {
                tokio::select! {
                    message = client.next() => if message.is_none() { return },
                    () = sleep(SECOND) => if client.send(Message::text("tick")).await.is_err() { return },
                }
            }
            // Frozen from here on.
            sleep(Duration::from_secs(10_000)).await;
        });
        for away in 0..40 {
            let _ = timeout(3 * SECOND, live.next()).await;
            sleep(Duration::from_millis(away * 777)).await;
            if away % 7 == 3 {
                live.probe();
            }
            let _ = timeout(SECOND, live.send(Message::binary(vec![0; 700]))).await;
        }
        while live.next().await.is_some() {}
        assert!(live.liveness().is_finished());
        drop(live);
        peer.abort();
        let text = page.text();
        assert_replays(&text);
        assert!(text.contains("< unread") && text.contains("stall"), "{text}");
    }
}
