//! Callers that do something else than read: only send, feed without end, take their time.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt, stream};
use liveness::{Action, Config, Evidence, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split};
use tokio::time::{Instant, sleep, timeout};
use tungstenite::Message;

use super::support::{Live, SECOND, config, over_bytes, pair};
use liveness_testing::raw_peer::{BINARY, CLOSE, PING, PONG, frame};

const MILLI: Duration = Duration::from_millis(1);

fn pong_only(config: Config) -> Config {
    config.to_builder().evidence(Evidence::PongOnly).build().unwrap()
}

/// Reads all, so much at a time, and says nothing.
async fn take(mut theirs: impl AsyncReadExt + Unpin, each: Duration) {
    let mut scrap = vec![0; 64 << 10];
    while theirs.read(&mut scrap).await.is_ok_and(|count| count > 0) {
        sleep(each).await;
    }
}

/// Sends every 100 ms until it is told the end.
async fn send_only(live: &mut Live, at_most: Duration) -> Option<Reason> {
    let start = Instant::now();
    while start.elapsed() < at_most {
        if let Err(end) = live.send(Message::text("tick")).await {
            return end.reason();
        }
        sleep(100 * MILLI).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_only_sends_answers_pings_at_once_and_notices_the_close() {
    let (mut live, theirs) = over_bytes(config(), 64 << 10, None).await;
    let (mut from_us, mut to_us) = split(theirs);
    let pings = tokio::spawn(async move {
        let mut asked = Vec::new();
        for _ in 0..80 {
            to_us.write_all(&frame(PING, b"?")).await.unwrap();
            asked.push(Instant::now());
            sleep(370 * MILLI).await;
        }
        to_us.write_all(&frame(CLOSE, b"\x03\xe8")).await.unwrap();
        (asked, Instant::now(), to_us)
    });
    let pongs = tokio::spawn(async move {
        let mut answered = Vec::new();
        while let Ok(opcode) = from_us.read_u8().await {
            let len = from_us.read_u8().await.unwrap();
            from_us.read_exact(&mut vec![0; len.into()]).await.unwrap();
            if opcode & 15 == PONG & 15 {
                answered.push(Instant::now());
            }
        }
        answered
    });
    assert_eq!(send_only(&mut live, 60 * SECOND).await, Some(Reason::PeerClosed(Some(1000))));
    let noticed = Instant::now();
    let (asked, closed, _to_us) = pings.await.unwrap();
    assert!(noticed - closed <= 200 * MILLI, "{:?}", noticed - closed);
    drop(live);
    let answered = pongs.await.unwrap();
    assert_eq!(answered.len(), 80);
    for (asked, answered) in asked.into_iter().zip(answered) {
        assert!(answered - asked <= 200 * MILLI, "{:?}", answered - asked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asked_much_and_fell_mute_is_found_out_by_a_caller_that_only_sends() {
    for (evidence, opcode) in
        [(Evidence::AnyTraffic, PING), (Evidence::AnyTraffic, PONG), (Evidence::PongOnly, PING)]
    {
        for before in [0, 63, 64, 100] {
            let config = config().to_builder().evidence(evidence).build().unwrap();
            let (mut live, mut theirs) = over_bytes(config, 64 << 10, None).await;
            theirs.write_all(&frame(opcode, b"").repeat(before)).await.unwrap();
            tokio::spawn(take(theirs, MILLI));
            let bound = config.for_drivers().detection_bound(100 * MILLI);
            let end = send_only(&mut live, bound).await;
            assert_eq!(end, Some(Reason::PingTimeout), "{evidence:?}, {before}");
        }
    }
}

/// More than is kept is unread, and nobody ever reads it: what comes behind it is not heard, so nobody is judged by it.
#[tokio::test(start_paused = true)]
async fn a_peer_whose_messages_nobody_takes_is_not_judged() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let config = config().to_builder().evidence(evidence).build().unwrap();
        let (mut live, mut client, _) = pair(config, 64 << 10).await;
        for _ in 0..100 {
            client.send(Message::text("nobody takes this")).await.unwrap();
        }
        // It answers every ping.
        let peer = tokio::spawn(async move { while client.next().await.is_some() {} });
        assert_eq!(send_only(&mut live, 600 * SECOND).await, None);
        let report = live.liveness().report(live.now()).to_string();
        assert!(report.contains("not reading"), "{report}");
        peer.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_mute_talker_is_found_out_by_a_slow_handler_where_only_pongs_count() {
    for handler in [4, 6, 15] {
        let config = pong_only(config());
        let (live, theirs) = over_bytes(config, 64 << 10, None).await;
        let (offline, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut live = live.on_action(move |action, _| {
            if matches!(action, Action::MarkOffline(_)) {
                offline.send(Instant::now()).unwrap();
            }
        });
        let (from_us, mut to_us) = split(theirs);
        tokio::spawn(take(from_us, MILLI));
        tokio::spawn(async move {
            while to_us.write_all(&frame(BINARY, b"talk")).await.is_ok() {
                sleep(5 * SECOND).await;
            }
        });
        let start = Instant::now();
        while let Some(Ok(_)) = live.next().await {
            sleep(handler * SECOND).await;
        }
        let bound = config.for_drivers().detection_bound(handler * SECOND);
        assert_eq!(live.liveness().verdict(), Some(Reason::PingTimeout));
        let took = told.try_recv().unwrap() - start;
        assert!(took <= bound, "{handler} s a message: {took:?} of {bound:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_does_not_measure_the_callers_absence() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let config = config().to_builder().interval(SECOND).evidence(evidence).build().unwrap();
        let (mut live, client, _) = pair(config, 64 << 10).await;
        let (mut sink, mut stream) = client.split();
        let (answer, mut answers) = tokio::sync::mpsc::unbounded_channel();
        // Each ping is answered after 50 ms; bursts of three messages every 3 s.
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                if message.is_ping() {
                    let _ = answer.send(());
                }
            }
        });
        let peer = tokio::spawn(async move {
            let mut talk = tokio::time::interval(3 * SECOND);
            loop {
                tokio::select! {
                    Some(()) = answers.recv() => { sleep(50 * MILLI).await; sink.flush().await.unwrap(); }
                    _ = talk.tick() => for _ in 0..3 { sink.send(Message::text("talk")).await.unwrap(); },
                }
            }
        });
        for _ in 0..200 {
            assert!(live.next().await.unwrap().is_ok());
            sleep(800 * MILLI).await;
        }
        let (stats, rtt) = (live.liveness().stats(), live.liveness().rtt());
        assert!(stats.answers > 50, "{stats:?}");
        assert!(rtt.is_none_or(|rtt| rtt.smoothed < 150 * MILLI), "{rtt:?}");
        peer.abort();
    }
}

/// It takes what it is sent, sends nothing and answers nothing.
async fn mute_consumer() -> (Live, Duration) {
    let (live, theirs): (Live, DuplexStream) = over_bytes(config(), 64 << 10, None).await;
    tokio::spawn(take(theirs, 60 * MILLI));
    (live, config().for_drivers().detection_bound(SECOND))
}

#[tokio::test(start_paused = true)]
async fn a_mute_consumer_is_found_out_however_it_is_fed() {
    let part = || Message::binary(vec![0; 64 << 10]);
    for how in ["send", "feed", "send_all", "forward"] {
        let (mut live, bound) = mute_consumer().await;
        let start = Instant::now();
        let feeding = async {
            match how {
                "send" => while live.send(part()).await.is_ok() {},
                "feed" => while live.feed(part()).await.is_ok() {},
                "send_all" => {
                    let mut parts = stream::repeat_with(|| Ok(part()));
                    assert!(live.send_all(&mut parts).await.is_err());
                }
                _ => {
                    let (sink, mut reader) = live.split();
                    let reader = tokio::spawn(async move { while reader.next().await.is_some() {} });
                    assert!(stream::repeat_with(|| Ok(part())).forward(sink).await.is_err());
                    drop(reader);
                }
            }
        };
        timeout(3600 * SECOND, feeding).await.unwrap_or_else(|_| panic!("{how}: it is kept"));
        assert!(start.elapsed() <= bound, "{how}: {:?} of {bound:?}", start.elapsed());
    }
}

/// A feed without a flush reads too: the peer's Close ends it.
#[tokio::test(start_paused = true)]
async fn a_feed_without_end_notices_the_close() {
    let (mut live, theirs) = over_bytes(config(), 64 << 10, None).await;
    let (from_us, mut to_us) = split(theirs);
    tokio::spawn(take(from_us, MILLI));
    tokio::spawn(async move {
        sleep(SECOND).await;
        to_us.write_all(&frame(CLOSE, b"\x03\xe9")).await.unwrap();
        sleep(60 * SECOND).await;
    });
    let start = Instant::now();
    let end = loop {
        if let Err(end) = live.feed(Message::text("tick")).await {
            break end;
        }
        sleep(10 * MILLI).await;
        assert!(start.elapsed() < 10 * SECOND, "it feeds a peer that has closed");
    };
    assert_eq!(end.reason(), Some(Reason::PeerClosed(Some(1001))));
}

/// A message and a Close are both unread while a ping is due: the answer to the message goes out.
#[tokio::test(start_paused = true)]
async fn the_answer_to_a_message_is_not_refused_for_a_close_behind_it() {
    for away in [3 * SECOND, 6 * SECOND, 60 * SECOND] {
        let (mut live, mut theirs) = over_bytes(config(), 1024, None).await;
        let said = [frame(BINARY, b"question"), frame(CLOSE, b"\x03\xe8")].concat();
        theirs.write_all(&said).await.unwrap();
        assert!(live.next().await.unwrap().unwrap().is_binary());
        sleep(away).await;
        live.send(Message::text("answer")).await.unwrap_or_else(|error| panic!("{away:?}: {error}"));
        assert!(live.next().await.is_none());
        drop(live);
        let mut found = Vec::new();
        theirs.read_to_end(&mut found).await.unwrap();
        assert!(found.windows(6).any(|bytes| bytes == b"answer"), "{away:?}: {found:?}");
    }
}
