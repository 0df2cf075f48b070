//! Peers that send more than is read, and buffers that are full.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use liveness::{CloseCode, Evidence, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::time::{Instant, sleep, timeout};
use tungstenite::Message;
use tungstenite::protocol::WebSocketConfig;

use super::support::{SECOND, config, over_bytes, pair, reason};
use liveness_testing::raw_peer::{PING, frame};

const MILLI: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_for_ever_and_answers_nothing_is_given_up_where_only_pongs_count() {
    let config = config().to_builder().evidence(Evidence::PongOnly).build().unwrap();
    let (mut live, theirs) = over_bytes(config, 4 << 20, None).await;
    let (mut from_us, mut to_us) = split(theirs);
    // It reads, for else it would be the write that stalls.
    tokio::spawn(async move {
        let mut scrap = [0; 1024];
        while from_us.read(&mut scrap).await.is_ok_and(|count| count > 0) {}
    });
    tokio::spawn(async move {
        let mut frame = b"\x82\xfe\x50\x00\0\0\0\0".to_vec();
        frame.resize(8 + 0x5000, 7);
        while to_us.write_all(&frame).await.is_ok() {}
    });
    let start = Instant::now();
    let end = loop {
        match live.next().await {
            // So slowly that there is always more to read than is kept.
            Some(Ok(_)) => sleep(MILLI).await,
            end => break end,
        }
        assert!(start.elapsed() < 120 * SECOND, "it is immortal");
    };
    assert_eq!(reason(end), Reason::PingTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_pings_and_never_reads_is_given_up_and_is_owed_little() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let config = config().to_builder().evidence(evidence).build().unwrap();
        let (mut live, mut theirs) = over_bytes(config, 1024, None).await;
        let peer = tokio::spawn(async move {
            let mut pings: u32 = 0;
            // Within the budget, for as long as it is let.
            while theirs.write_all(b"\x89\x84\0\0\0\0ping").await.is_ok() {
                pings += 1;
                sleep(100 * MILLI).await;
            }
            pings
        });
        let start = Instant::now();
        let end = live.send(Message::binary(vec![0; 1 << 20])).await.unwrap_err();
        assert_eq!(end.reason(), Some(Reason::WriteStalled), "{evidence:?}");
        assert!(start.elapsed() < 40 * SECOND, "{:?}", start.elapsed());
        drop(live);
        let pings = peer.await.unwrap();
        assert!(pings < 400, "{pings}");
    }
}

/// Its pings are evidence, until we owe it so many pongs that we stop reading: answers owed are to cost no memory.
#[tokio::test(start_paused = true)]
async fn a_peer_that_pings_and_never_reads_is_given_up_by_a_caller_that_only_reads() {
    let free = config().to_builder().unlimited_control_frames().build().unwrap();
    let (mut live, mut theirs) = over_bytes(free, 1024, None).await;
    tokio::spawn(async move {
        while theirs.write_all(&frame(PING, &[b'?'; 125])).await.is_ok() {
            sleep(10 * MILLI).await;
        }
    });
    let start = Instant::now();
    let end = loop {
        match live.next().await {
            Some(Ok(_)) => {}
            end => break end,
        }
        assert!(start.elapsed() < 120 * SECOND, "it is immortal");
    };
    assert_eq!(reason(end), Reason::WriteStalled);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_pings_and_reads_now_and_then_is_kept() {
    let (mut live, theirs) = over_bytes(config(), 1024, None).await;
    let (mut from_us, mut to_us) = split(theirs);
    tokio::spawn(async move {
        let mut scrap = [0; 512];
        loop {
            sleep(3 * SECOND).await;
            if !from_us.read(&mut scrap).await.is_ok_and(|count| count > 0) {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while to_us.write_all(b"\x89\x84\0\0\0\0ping").await.is_ok() {
            sleep(80 * MILLI).await;
        }
    });
    live.send(Message::binary(vec![0; 20_000])).await.unwrap();
    let day =
        timeout(200 * SECOND, async { while live.next().await.is_some_and(|message| message.is_ok()) {} });
    assert!(day.await.is_err(), "{:?}", live.liveness().verdict());
}

#[tokio::test(start_paused = true)]
async fn a_pong_behind_a_backlog_is_found_before_the_verdict() {
    let config = config().to_builder().evidence(Evidence::PongOnly).build().unwrap();
    let (mut live, client, _) = pair(config, 1 << 20).await;
    let (mut sink, mut stream) = client.split();
    let peer = tokio::spawn(async move {
        tokio::join!(async { while stream.next().await.is_some() {} }, async {
            while sink.send(Message::binary(vec![7; 1000])).await.is_ok() {}
        })
    });
    let start = Instant::now();
    while start.elapsed() < 300 * SECOND {
        assert!(matches!(live.next().await, Some(Ok(_))), "{}", live.liveness().report(live.clock().now()));
        // A thousand messages lie in the pipe, which takes longer than `timeout`, and less than twice as long.
        sleep(13 * MILLI).await;
    }
    assert!(live.liveness().stats().answers > 5);
    peer.abort();
}

/// Five seconds to close in, 16 KiB every 5 ms, and what fits into the pipe.
const DISCARDED: usize = 1000 * (16 << 10) + (64 << 10);

#[tokio::test(start_paused = true)]
async fn a_flood_after_a_broken_frame_is_cut_off_and_costs_little() {
    let (mut live, mut theirs) = over_bytes(config(), 64 << 10, None).await;
    let peer = tokio::spawn(async move {
        theirs.write_all(b"\x82\x01x").await.unwrap();
        let mut sent = 0;
        while sent < 10 * DISCARDED && theirs.write_all(&[0; 4096]).await.is_ok() {
            sent += 4096;
        }
        sent
    });
    assert_eq!(reason(live.next().await), Reason::ProtocolError(CloseCode::PROTOCOL_ERROR));
    assert!(live.next().await.is_none());
    drop(live);
    let sent = peer.await.unwrap();
    assert!((1 << 20..2 * DISCARDED).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn talk_after_the_verdict_is_heard_64_messages_at_a_time() {
    let (mut live, mut theirs) = over_bytes(config(), 1024, None).await;
    live.close(CloseCode::NORMAL, "");
    let peer = tokio::spawn(async move {
        let mut sent: u32 = 0;
        while sent < 1_000_000 && theirs.write_all(b"\x82\x81\0\0\0\0x").await.is_ok() {
            sent += 1;
        }
    });
    let mut heard = 0;
    while live.next().await.is_some() {
        heard += 1;
    }
    // Five seconds to close in, 64 every 5 ms.
    assert!((10_000..=64 * 1001).contains(&heard), "{heard}");
    peer.abort();
}

fn narrow(write_buffer_size: usize, max_write_buffer_size: usize) -> Option<WebSocketConfig> {
    Some(
        WebSocketConfig::default()
            .write_buffer_size(write_buffer_size)
            .max_write_buffer_size(max_write_buffer_size),
    )
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_finds_no_room_in_the_write_buffer_is_sent_later() {
    let (mut live, mut theirs) = over_bytes(config(), 100, narrow(1000, 1001)).await;
    live.feed(Message::binary(vec![0; 996])).await.unwrap();
    let peer = tokio::spawn(async move {
        sleep(6 * SECOND).await;
        let mut found = [0; 4 + 996 + 10];
        theirs.read_exact(&mut found).await.unwrap();
        (found, theirs)
    });
    let _ = timeout(8 * SECOND, live.next()).await;
    let (found, _theirs) = timeout(SECOND, peer).await.expect("message and ping arrive").unwrap();
    assert_eq!(found[1000..1002], [0x89, 8]);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_finds_no_room_in_the_write_buffer_is_sent_later() {
    let (mut live, mut theirs) = over_bytes(config(), 4096, narrow(1000, 1001)).await;
    live.feed(Message::binary(vec![0; 996])).await.unwrap();
    SinkExt::close(&mut live).await.unwrap();
    drop(live);
    let mut found = Vec::new();
    theirs.read_to_end(&mut found).await.unwrap();
    assert_eq!(found[1000..], [0x88, 2, 3, 0xe8]);
}

#[tokio::test(start_paused = true)]
async fn a_pong_that_finds_no_room_in_the_write_buffer_goes_before_the_close() {
    let (mut live, mut theirs) = over_bytes(config(), 4096, narrow(1000, 1001)).await;
    live.feed(Message::binary(vec![0; 996])).await.unwrap();
    theirs.write_all(b"\x89\x80\0\0\0\0").await.unwrap();
    assert!(live.next().now_or_never().is_none());
    SinkExt::close(&mut live).await.unwrap();
    drop(live);
    let mut found = Vec::new();
    theirs.read_to_end(&mut found).await.unwrap();
    assert_eq!(found[1000..], [0x8a, 0, 0x88, 2, 3, 0xe8]);
}

#[tokio::test(start_paused = true)]
async fn pings_in_one_piece_are_cut_off_at_the_budget() {
    let (mut live, mut theirs) = over_bytes(config(), 64 << 10, None).await;
    theirs.write_all(&b"\x89\x80\0\0\0\0".repeat(5000)).await.unwrap();
    assert_eq!(reason(live.next().await), Reason::PingFlood);
}
