//! Lives on tokio's paused clock, over an in-memory pipe: hours pass in no time, and to the millisecond.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::driver::tokio::Error;
use liveness::{Action, CloseCode, Evidence, Reason, Status, Suspicion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tungstenite::Message;

use super::support::{SECOND, config, over_bytes, pair, reason};

#[tokio::test(start_paused = true)]
async fn a_mute_peer_is_given_up_to_the_millisecond() {
    let (mut live, client, told) = pair(config(), 1024).await;
    let start = Instant::now();
    assert_eq!(reason(live.next().await), Reason::PingTimeout);
    // Interval, timeout, last look; and the first ping waits for a line of the grid.
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(15_010) && took < Duration::from_millis(15_040), "{took:?}");
    assert!(live.next().await.is_none());
    let told = told.lock().unwrap().clone();
    assert!(matches!(
        told[..],
        [
            Action::MarkOnline,
            Action::SendPing(_),
            Action::SendPing(_),
            Action::MarkOffline(Reason::PingTimeout),
            Action::Close(Some(CloseCode::TIMEOUT)),
            Action::Disconnect
        ]
    ));
    // What the peer finds when it wakes: two pings, the Close with its reason, and the end.
    let mut found = Vec::new();
    client.into_inner().read_to_end(&mut found).await.unwrap();
    let text = Reason::PingTimeout.description();
    let close = [&[0x88, 2 + text.len() as u8], &3008_u16.to_be_bytes()[..], text.as_bytes()].concat();
    assert_eq!((&found[..2], &found[10..12]), (&[0x89, 8][..], &[0x89, 8][..]));
    assert_eq!(found[20..], close);
}

#[tokio::test(start_paused = true)]
async fn an_idle_peer_that_only_reads_lives_for_a_day() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    let peer = tokio::spawn(async move { while client.next().await.is_some() {} });
    let mut status = live.watch();
    let day = timeout(Duration::from_secs(24 * 3600), live.next()).await;
    assert!(day.is_err(), "{day:?}");
    assert_eq!(*status.borrow_and_update(), Status::Online);
    let stats = live.liveness().stats();
    // Each may wait for a line of the grid.
    assert!((24 * 715..=24 * 720).contains(&stats.pings), "{stats:?}");
    assert!(stats.answers >= stats.pings - 1);
    peer.abort();
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_the_status_is_told_of_each_change() {
    let suspicious = config().to_builder().suspicion(Suspicion::After(2 * SECOND)).build().unwrap();
    let (mut live, mut client, _) = pair(suspicious, 1024).await;
    let mut status = live.watch();
    let reader = tokio::spawn(async move { while live.next().await.is_some() {} });
    // Late with its first answer, and never heard again.
    let peer = tokio::spawn(async move {
        sleep(8 * SECOND).await;
        assert!(client.next().await.unwrap().unwrap().is_ping());
        client.flush().await.unwrap();
        client
    });
    let mut seen = Vec::new();
    while status.changed().await.is_ok() {
        seen.push(*status.borrow_and_update());
    }
    assert_eq!(seen, [Status::Suspect, Status::Online, Status::Suspect, Status::Offline]);
    reader.await.unwrap();
    drop(peer.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_dribbles_in_for_minutes_keeps_its_sender() {
    let (mut live, mut theirs) = over_bytes(config(), 1024, None).await;
    let peer = tokio::spawn(async move {
        // A masked binary frame of 120 bytes, one each second.
        theirs.write_all(&[0x82, 0x80 | 120, 0, 0, 0, 0]).await.unwrap();
        for _ in 0..120 {
            sleep(SECOND).await;
            theirs.write_all(b"x").await.unwrap();
        }
        theirs
    });
    let message = live.next().await.unwrap().unwrap();
    assert_eq!(message.len(), 120);
    drop(peer.await.unwrap());
    assert_eq!(reason(live.next().await), Reason::TransportClosed);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_given_up_in_the_middle_of_a_send() {
    let (mut live, client, _) = pair(config(), 1024).await;
    let end = live.send(Message::binary(vec![0; 1 << 20])).await;
    let Err(Error::Offline { reason, .. }) = end else { panic!("{end:?}") };
    assert_eq!(reason, Reason::WriteStalled);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_a_download_slowly_is_kept() {
    let (mut live, mut theirs) = over_bytes(config(), 256, None).await;
    let peer = tokio::spawn(async move {
        let mut read = 0;
        let mut buffer = [0; 256];
        while read < 64 * 1024 {
            sleep(SECOND).await;
            read += theirs.read(&mut buffer).await.unwrap();
        }
        theirs
    });
    live.send(Message::binary(vec![0; 64 * 1024])).await.unwrap();
    assert_eq!(live.liveness().status(), Status::Online);
    drop(peer.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_stays_away_for_an_hour_loses_nobody() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let config = config().to_builder().evidence(evidence).build().unwrap();
        let (mut live, mut client, told) = pair(config, 4096).await;
        let peer = tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = client.next() => if message.is_none() { return },
                    () = sleep(SECOND) => if client.send(Message::text("tick")).await.is_err() { return },
                }
            }
        });
        for _ in 0..20 {
            assert!(matches!(live.next().await, Some(Ok(_))), "{told:?}");
            sleep(Duration::from_secs(3600)).await;
        }
        assert!(matches!(live.next().await, Some(Ok(_))));
        assert_eq!(live.liveness().status(), Status::Online, "{evidence:?} {told:?}");
        peer.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_loses_no_message_and_no_heartbeat() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    let peer = tokio::spawn(async move {
        for number in 0..1000 {
            client.send(Message::text(number.to_string())).await.unwrap();
            // It answers pings only while it is polled.
            let _ =
                timeout(Duration::from_millis(700), async { while client.next().await.is_some() {} }).await;
        }
        client
    });
    let mut next = 0;
    while next < 1000 {
        if let Ok(message) = timeout(Duration::from_millis(33), live.next()).await {
            if let Message::Text(text) = message.unwrap().unwrap() {
                assert_eq!(text.as_str(), next.to_string());
                next += 1;
            }
        }
    }
    let stats = live.liveness().stats();
    assert!(stats.pings > 100 && stats.answers == stats.pings, "{stats:?}");
    drop(peer.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn halves_in_two_tasks_wake_each_other() {
    let (live, mut client, told) = pair(config(), 1024).await;
    let (mut sink, mut stream) = live.split();
    let reader = tokio::spawn(async move {
        let mut seen = 0;
        while let Some(message) = stream.next().await {
            match message {
                Ok(Message::Binary(_)) => seen += 1,
                Ok(_) => {}
                Err(error) => return (seen, error.reason()),
            }
        }
        (seen, None)
    });
    let writer = tokio::spawn(async move {
        let mut sent = 0;
        while sink.send(Message::binary(vec![7; 3000])).await.is_ok() {
            sent += 1;
            sleep(Duration::from_millis(10)).await;
        }
        sent
    });
    // The client answers all, half a minute long, then freezes.
    let mut echoed = 0;
    let until = Instant::now() + 30 * SECOND;
    while Instant::now() < until {
        if let Ok(Some(Ok(message))) = timeout(SECOND, client.next()).await {
            if message.is_binary() {
                client.send(message).await.unwrap();
                echoed += 1;
            }
        }
    }
    let (seen, end) = timeout(Duration::from_secs(60), reader).await.expect("the reader is woken").unwrap();
    let sent = timeout(Duration::from_secs(1), writer).await.expect("the writer is woken").unwrap();
    assert!(echoed > 1000 && seen == echoed && sent >= echoed, "{sent} sent, {echoed} echoed, {seen} seen");
    assert!(matches!(end, Some(Reason::WriteStalled | Reason::PingTimeout)), "{end:?}");
    assert_eq!(told.lock().unwrap().last(), Some(&Action::Disconnect));
}

#[tokio::test(start_paused = true)]
async fn a_proper_close_ends_the_stream_as_it_always_did() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    let peer = tokio::spawn(async move {
        client.send(Message::text("last words")).await.unwrap();
        client.close(None).await.unwrap();
        client.collect::<Vec<_>>().await
    });
    assert_eq!(live.next().await.unwrap().unwrap(), Message::text("last words"));
    assert!(live.next().await.is_none());
    assert_eq!(live.liveness().verdict(), Some(Reason::PeerClosed(None)));
    assert!(live.liveness().is_finished());
    assert!(matches!(peer.await.unwrap()[..], [Ok(Message::Close(None))]));
}

#[tokio::test(start_paused = true)]
async fn our_close_says_what_the_caller_said() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    let peer = tokio::spawn(async move { (client.next().await, client.next().await.is_none()) });
    live.close(CloseCode::GOING_AWAY, "back in five minutes");
    assert!(live.next().await.is_none());
    assert_eq!(live.liveness().verdict(), Some(Reason::LocalClosed));
    assert_eq!(live.close_frame(), Some((1001, "back in five minutes")));
    let (Some(Ok(Message::Close(Some(frame)))), true) = peer.await.unwrap() else { panic!("no close") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1001, "back in five minutes"));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_nobody_answers_takes_close_timeout_and_no_longer() {
    let (mut live, client, _) = pair(config(), 1024).await;
    let start = Instant::now();
    live.send(Message::Close(None)).await.unwrap();
    assert!(live.next().await.is_none());
    let took = start.elapsed();
    assert!(took >= 5 * SECOND && took < Duration::from_millis(5010), "{took:?}");
    assert!(live.send(Message::text("too late")).await.is_err());
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_frame_against_the_protocol_is_answered_with_its_code() {
    for (bytes, code) in [
        // Not masked; a reserved bit; text that is not UTF-8; a frame of 2^60 bytes.
        (&b"\x82\x01x"[..], 1002),
        (b"\xc2\x80\0\0\0\0", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x82\xff\x10\0\0\0\0\0\0\0\0\0\0\0", 1009),
    ] {
        let (mut live, mut theirs) = over_bytes(config(), 1024, None).await;
        let peer = tokio::spawn(async move {
            theirs.write_all(bytes).await.unwrap();
            theirs.write_all(&[0; 500]).await.unwrap();
            let mut answer = Vec::new();
            theirs.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let start = Instant::now();
        let end = live.next().await;
        assert!(matches!(&end, Some(Err(Error::Offline { cause: Some(_), .. }))), "{end:?}");
        assert!(live.next().await.is_none());
        let answer = peer.await.unwrap();
        assert_eq!(answer[0], 0x88, "{answer:?}");
        assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), code);
        assert!(start.elapsed() < SECOND, "the peer hung up, and nobody waited for close_timeout");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_cut_off_and_costs_little_after() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    let peer = tokio::spawn(async move {
        let mut sent: u32 = 0;
        while client.feed(Message::Ping("?".into())).await.is_ok() && client.flush().await.is_ok() {
            sent += 1;
        }
        sent
    });
    assert_eq!(reason(live.next().await), Reason::PingFlood);
    assert!(live.next().await.is_none());
    drop(live);
    // Five seconds of grace, at most 64 frames every 5 ms, and what fits into the pipe.
    let sent = peer.await.unwrap();
    assert!(sent < 80_000, "{sent}");
}
