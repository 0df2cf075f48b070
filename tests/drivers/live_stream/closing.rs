//! Ends: what is still heard, what is still said, and who is told.

use std::future::ready;

use futures_util::stream::{self, FusedStream};
use futures_util::{SinkExt, StreamExt};
use liveness::driver::tokio::{Error, LiveStream};
use liveness::{CloseCode, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::{CloseFrame, Role};

use super::support::{SECOND, config, over_bytes, pair, reason};

#[tokio::test(start_paused = true)]
async fn what_a_peer_said_before_it_left_is_heard_though_we_were_writing() {
    for split in [false, true] {
        let (mut live, mut client, _) = pair(config(), 1024).await;
        client.send(Message::text("one")).await.unwrap();
        client.send(Message::Ping("?".into())).await.unwrap();
        client.send(Message::text("two")).await.unwrap();
        client.send(Message::Close(None)).await.unwrap();
        drop(client);
        let messages = if split {
            let (mut sink, stream) = live.split();
            assert!(sink.send(Message::text("nobody hears this")).await.is_err());
            stream.collect::<Vec<_>>().await
        } else {
            assert!(live.send(Message::text("nobody hears this")).await.is_err());
            let messages = live.by_ref().collect::<Vec<_>>().await;
            assert_eq!(live.liveness().verdict(), Some(Reason::PeerClosed(None)));
            messages
        };
        let heard: Vec<_> = messages.into_iter().map(Result::unwrap).collect();
        assert_eq!(heard, [Message::text("one"), Message::text("two")]);
    }
}

/// More pongs than may wait: they cannot be written any more, and must not keep us from reading.
#[tokio::test(start_paused = true)]
async fn pongs_that_cannot_be_written_lose_no_message() {
    let (mut live, mut client, _) = pair(config(), 1 << 16).await;
    for number in 0..100 {
        client.send(Message::Ping("?".into())).await.unwrap();
        client.send(Message::text(number.to_string())).await.unwrap();
    }
    client.send(Message::Close(None)).await.unwrap();
    drop(client);
    let heard: Vec<_> =
        live.by_ref().map(Result::unwrap).filter(|message| ready(message.is_text())).collect().await;
    assert_eq!(heard.len(), 100, "{:?}", live.liveness().verdict());
    assert_eq!(live.liveness().verdict(), Some(Reason::PeerClosed(None)));
}

/// Nothing holds the error of writing back there, and it comes first.
#[tokio::test(start_paused = true)]
async fn without_counters_it_is_heard_too() {
    let (ours, theirs) = duplex(1024);
    let server = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
    let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    let mut live = LiveStream::new(server, config());
    client.send(Message::text("one")).await.unwrap();
    client.send(Message::Close(None)).await.unwrap();
    drop(client);
    assert!(live.send(Message::text("nobody hears this")).await.is_err());
    let heard: Vec<_> = live.by_ref().map(Result::unwrap).collect().await;
    assert_eq!(heard, [Message::text("one")]);
    assert_eq!(live.liveness().verdict(), Some(Reason::PeerClosed(None)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_resets_after_much_unread_keeps_no_sender_waiting() {
    let (mut live, mut client, _) = pair(config(), 1 << 16).await;
    for number in 0..200 {
        client.send(Message::text(number.to_string())).await.unwrap();
    }
    drop(client);
    let end = timeout(SECOND, live.send(Message::text("nobody hears this"))).await.expect("it ends");
    let Err(Error::Offline { reason: Reason::TransportClosed, cause: Some(_) }) = end else {
        panic!("{end:?}")
    };
    let mut heard = 0;
    while let Some(Ok(_)) = live.next().await {
        heard += 1;
    }
    assert!(heard >= 64, "{heard}");
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_our_close_not_even_a_pong_that_was_owed() {
    for (read_before, expected) in [(true, &b"\x8a\0\x88\x02\x03\xe8"[..]), (false, b"\x88\x02\x03\xe8")] {
        let (mut live, mut theirs) = over_bytes(config(), 1024, None).await;
        theirs.write_all(b"\x89\x80\0\0\0\0").await.unwrap();
        if read_before {
            assert!(timeout(SECOND, live.next()).await.is_err());
        }
        SinkExt::close(&mut live).await.unwrap();
        assert!(live.next().await.is_none());
        drop(live);
        let mut found = Vec::new();
        theirs.read_to_end(&mut found).await.unwrap();
        assert_eq!(found, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_still_waits_when_we_close_is_never_sent() {
    let (mut live, mut theirs) = over_bytes(config(), 64, None).await;
    // A ping came due, and waits behind it.
    assert!(timeout(6 * SECOND, live.send(Message::binary(vec![0; 1000]))).await.is_err());
    assert_eq!(live.liveness().stats().pings, 1);
    live.close(CloseCode::NORMAL, "");
    let server = tokio::spawn(async move { while live.next().await.is_some() {} });
    let mut found = Vec::new();
    theirs.read_to_end(&mut found).await.unwrap();
    assert_eq!(found[4 + 1000..], [0x88, 2, 3, 0xe8]);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_that_the_writer_was_told_is_no_proper_end_for_the_reader() {
    let (mut live, mut theirs) = over_bytes(config(), 1024, None).await;
    theirs.write_all(b"\x82\x01x").await.unwrap();
    drop(theirs);
    let refused = loop {
        if let Err(error) = live.send(Message::text("?")).await {
            break error;
        }
    };
    assert!(refused.reason().is_some());
    assert!(matches!(live.next().await, Some(Err(Error::Offline { .. }))));
    assert!(live.next().await.is_none());
    assert!(live.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_sink_closed_behind_a_large_message_says_all_of_it_first() {
    let (mut live, mut theirs) = over_bytes(config(), 100, None).await;
    let peer = tokio::spawn(async move {
        let mut found = vec![0; 4 + 50_000 + 4];
        theirs.read_exact(&mut found).await.unwrap();
        found
    });
    live.feed(Message::binary(vec![7; 50_000])).await.unwrap();
    SinkExt::close(&mut live).await.unwrap();
    drop(live);
    assert_eq!(peer.await.unwrap()[4 + 50_000..], [0x88, 2, 3, 0xe8]);
}

#[tokio::test(start_paused = true)]
async fn what_is_forwarded_arrives_and_is_closed() {
    let (live, client, _) = pair(config(), 256).await;
    let peer = tokio::spawn(client.collect::<Vec<_>>());
    let messages = (0..1000).map(|number| Ok(Message::text(number.to_string())));
    stream::iter(messages).forward(live).await.unwrap();
    let heard = peer.await.unwrap();
    assert!(heard.len() >= 1001, "{}", heard.len());
    for (number, message) in heard[..1000].iter().enumerate() {
        assert_eq!(message.as_ref().unwrap(), &Message::text(number.to_string()));
    }
    assert!(heard[1000].as_ref().unwrap().is_close());
}

#[tokio::test(start_paused = true)]
async fn messages_sent_without_asking_for_room_arrive_in_order() {
    let (mut live, client, _) = pair(config(), 64).await;
    for number in 0..100 {
        std::pin::Pin::new(&mut live).start_send_unpin(Message::text(number.to_string())).unwrap();
    }
    let peer = tokio::spawn(client.take(100).collect::<Vec<_>>());
    live.flush().await.unwrap();
    for (number, message) in peer.await.unwrap().into_iter().enumerate() {
        assert_eq!(message.unwrap(), Message::text(number.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_while_a_message_is_under_way_ends_the_send() {
    let (mut live, mut client, _) = pair(config(), 64).await;
    let peer = tokio::spawn(async move {
        client.close(None).await.unwrap();
        client.collect::<Vec<_>>().await
    });
    let start = Instant::now();
    let end = live.send(Message::binary(vec![0; 10_000])).await;
    assert!(matches!(end, Err(Error::Offline { reason: Reason::PeerClosed(None), .. })), "{end:?}");
    assert!(live.next().await.is_none() && start.elapsed() < SECOND);
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_just_ends_is_told_once() {
    let (mut live, client, _) = pair(config(), 64).await;
    drop(client);
    assert!(!live.is_terminated());
    assert_eq!(reason(live.next().await), Reason::TransportClosed);
    assert!(live.is_terminated() && live.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_flush_after_the_peers_close_says_that_nothing_arrives_any_more() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    client.close(None).await.unwrap();
    assert!(live.next().await.is_none());
    let end = live.flush().await;
    assert!(matches!(end, Err(Error::Offline { reason: Reason::PeerClosed(None), .. })), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_close_whose_code_may_not_go_on_the_wire_goes_out_as_a_normal_one() {
    for (code, sent) in [(4001_u16, [0x0f, 0xa1]), (1006, [0x03, 0xe8])] {
        let (mut live, mut theirs) = over_bytes(config(), 1024, None).await;
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        live.send(Message::Close(Some(frame))).await.unwrap();
        drop(live);
        let mut found = Vec::new();
        theirs.read_to_end(&mut found).await.unwrap();
        assert_eq!(found, [&[0x88, 2], &sent[..]].concat());
    }
}
