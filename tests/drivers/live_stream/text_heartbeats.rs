//! Heartbeats in text messages: the peer is a program that hears no frames, and a library that answers them all the same.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use liveness::dialect::TextHeartbeats;
use liveness::driver::tokio::LiveStream;
use liveness::{Action, CloseCode, Config, Evidence, Reason, Schedule, Status, TextHeartbeat};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::Role;

use super::support::{Actions, Live, Peer, SECOND, config, over_bytes, pair, reason};
use liveness_testing::raw_peer::{BINARY, TEXT, frame};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn beating(config: Config) -> (Live, Peer, Actions) {
    let (live, client, told) = pair(config, 4096).await;
    (live.dialect(TextHeartbeats), client, told)
}

fn parsed(message: &Message) -> Option<TextHeartbeat> {
    if let Message::Text(text) = message { TextHeartbeat::parse(text) } else { None }
}

/// A page: its script answers pings, and returns what else it hears.
async fn script(client: &mut Peer) -> Option<Message> {
    loop {
        let message = client.next().await?.ok()?;
        match parsed(&message).and_then(|heartbeat| heartbeat.answer()) {
            Some(answer) => client.send(Message::text(answer.to_string())).await.ok()?,
            None => return Some(message),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_answers_in_text_lives_for_a_day_and_its_program_sees_no_beat() {
    let strict = Config::builder()
        .interval(5 * SECOND)
        .timeout(10 * SECOND)
        .jitter(0)
        .schedule(Schedule::Steady)
        .evidence(Evidence::PongOnly);
    let (mut live, mut client, _) = beating(strict.build().unwrap()).await;
    let page = tokio::spawn(async move { script(&mut client).await });
    assert!(timeout(DAY, live.next()).await.is_err());
    let stats = live.liveness().stats();
    // Each may wait for a line of the grid.
    assert!((24 * 715..=24 * 720).contains(&stats.pings), "{stats:?}");
    assert!(stats.answers >= stats.pings - 1, "{stats:?}");
    assert!(live.liveness().rtt().is_some());
    page.abort();
}

/// Its script installs its handler some seconds after the socket opened: what came before is lost to it, the first ping too.
#[tokio::test(start_paused = true)]
async fn a_page_that_never_heard_the_first_ping_is_asked_again_and_lives() {
    for (timeout_after, lives) in [(12 * SECOND, true), (3 * SECOND, false)] {
        let config = Config::builder().interval(5 * SECOND).timeout(timeout_after).jitter(0);
        let (mut live, mut client, _) = beating(config.build().unwrap()).await;
        let page = tokio::spawn(async move {
            let lost = client.next().await.unwrap().unwrap();
            assert!(parsed(&lost).is_some(), "{lost:?}");
            script(&mut client).await
        });
        let end = timeout(DAY, live.next()).await;
        assert_eq!(end.is_err(), lives, "{timeout_after:?}");
        // Its first ping is the only one that is never answered.
        let stats = live.liveness().stats();
        assert_eq!(stats.answers > 1000, lives, "{stats:?}");
        page.abort();
    }
}

/// What answers a Ping is the browser: the reason why this exists.
#[tokio::test(start_paused = true)]
async fn a_page_whose_script_hangs_is_given_up_though_its_browser_answers_every_frame() {
    for in_text in [false, true] {
        let lives = !in_text;
        let (live, mut client, told) = pair(config(), 4096).await;
        let mut live = if in_text { live.dialect(TextHeartbeats) } else { live };
        // It reads, and so its library answers.
        let browser = tokio::spawn(async move { while client.next().await.is_some() {} });
        let start = Instant::now();
        let end = timeout(DAY, live.next()).await;
        assert_eq!(end.is_err(), lives, "in text: {in_text}");
        if let Ok(end) = end {
            assert_eq!(reason(end), Reason::PingTimeout);
            let took = start.elapsed();
            assert!(
                took >= Duration::from_millis(15_010) && took < Duration::from_millis(15_040),
                "{took:?}"
            );
        }
        assert_eq!(told.lock().unwrap().contains(&Action::MarkOffline(Reason::PingTimeout)), !lives);
        browser.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_of_the_page_is_answered_at_once_and_kept_from_the_program() {
    let (mut live, mut client, _) = beating(config()).await;
    let server = tokio::spawn(async move { live.next().await });
    for digits in ["0123456789abcdef", "ffffffffffffffff"] {
        client.send(Message::text(format!("ping {digits}"))).await.unwrap();
        let answer = timeout(SECOND, client.next()).await.expect("at once").unwrap().unwrap();
        assert_eq!(answer, Message::text(format!("pong {digits}")));
    }
    client.send(Message::text("hello")).await.unwrap();
    assert_eq!(server.await.unwrap().unwrap().unwrap(), Message::text("hello"));
}

/// The caller takes message after message, and there is always another.
#[tokio::test(start_paused = true)]
async fn an_answer_does_not_wait_behind_all_that_the_page_says() {
    let (live, mut theirs) = over_bytes(config(), 1 << 20, None).await;
    let mut live = live.dialect(TextHeartbeats);
    assert!(timeout(SECOND, live.next()).await.is_err());
    let said = [frame(TEXT, b"ping 0123456789abcdef"), frame(BINARY, b"much more").repeat(1000)].concat();
    theirs.write_all(&said).await.unwrap();
    assert!(live.next().await.unwrap().unwrap().is_binary());
    let mut answer = [0; 23];
    theirs.read_exact(&mut answer).now_or_never().expect("it is there").unwrap();
    assert_eq!(answer[2..], *b"pong 0123456789abcdef");
}

#[tokio::test(start_paused = true)]
async fn what_only_looks_like_a_beat_is_the_programs() {
    let (mut live, mut client, _) = beating(config()).await;
    let words = [
        "ping",
        "ping ",
        "ping 0123456789ABCDEF",
        "ping 0123456789abcde",
        "ping 0123456789abcdef0",
        "ping  123456789abcdef",
        "ping +123456789abcdef",
        "pong 0123456789abcdeg",
        " pong 0123456789abcdef",
        "pong 0123456789abcdef ",
        "Ping 0123456789abcdef",
        "pang 0123456789abcdef",
        "ping 01234567\u{e4}9abcde",
    ];
    for said in words {
        client.send(Message::text(said)).await.unwrap();
        assert_eq!(live.next().await.unwrap().unwrap(), Message::text(said));
    }
    // As bytes, and where nobody asked for text, they are data.
    client.send(Message::binary("ping 0123456789abcdef")).await.unwrap();
    assert!(live.next().await.unwrap().unwrap().is_binary());
    let (mut frames, mut client, _) = pair(config(), 4096).await;
    client.send(Message::text("ping 0123456789abcdef")).await.unwrap();
    assert_eq!(frames.next().await.unwrap().unwrap(), Message::text("ping 0123456789abcdef"));
}

/// The machines at both ends are ours, and both speak text.
#[tokio::test(start_paused = true)]
async fn two_of_them_keep_each_other_for_a_day_and_find_each_other_out() {
    let (ours, theirs) = duplex(4096);
    let server = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
    let client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    let mut server = LiveStream::new(server, config()).dialect(TextHeartbeats);
    let mut client = LiveStream::new(client, config()).dialect(TextHeartbeats);
    let both = async { tokio::join!(server.next(), client.next()) };
    assert!(timeout(DAY, both).await.is_err());
    assert!(server.liveness().stats().answers > 8000 && client.liveness().stats().answers > 8000);
    // The client's task is stopped; its transport stays.
    assert_eq!(reason(server.next().await), Reason::PingTimeout);
    assert!(server.next().await.is_none());
    // It finds the Close that was waiting for it.
    assert!(client.next().await.is_none());
    assert_eq!(client.liveness().verdict(), Some(Reason::PeerClosed(Some(3008))));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_in_text_is_a_flood() {
    let (mut live, mut client, _) = beating(config()).await;
    let flood = tokio::spawn(async move {
        while client.send(Message::text("ping 0000000000000000")).await.is_ok() {}
        client
    });
    assert_eq!(reason(live.next().await), Reason::PingFlood);
    assert!(live.next().await.is_none());
    drop(flood.await);
}

/// A page that asks and reads nothing is read no further when 64 answers wait for it. Its asking may be a sign of life; that it
/// takes none of our bytes is detected all the same.
#[tokio::test(start_paused = true)]
async fn a_page_that_asks_and_never_reads_is_owed_few_answers() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let free =
            Config::builder().interval(5 * SECOND).timeout(10 * SECOND).jitter(0).unlimited_control_frames();
        let (live, mut client, _) = pair(free.evidence(evidence).build().unwrap(), 256).await;
        let mut live = live.dialect(TextHeartbeats);
        let asking = tokio::spawn(async move {
            let mut asked = 0_u64;
            while client.send(Message::text(format!("ping {asked:016x}"))).await.is_ok() {
                asked += 1;
                sleep(Duration::from_millis(10)).await;
            }
            (asked, client)
        });
        let end = timeout(60 * SECOND, live.next()).await.expect("it is found out");
        assert_eq!(reason(end), Reason::WriteStalled);
        drop(live);
        let (asked, mut client) = asking.await.unwrap();
        let mut answers = 0;
        while let Some(Ok(message)) = client.next().await {
            answers += u64::from(message.is_text());
        }
        assert!((64..100).contains(&asked) && answers < 20, "{asked} asked, {answers} answered");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_right_behind_a_ping_is_a_proper_close() {
    let (mut live, mut client, told) = beating(config()).await;
    client.feed(Message::text("ping 0000000000000001")).await.unwrap();
    client.close(None).await.unwrap();
    let peer = tokio::spawn(async move { while client.next().await.is_some() {} });
    assert!(live.next().await.is_none());
    peer.await.unwrap();
    assert!(told.lock().unwrap().contains(&Action::MarkOffline(Reason::PeerClosed(None))));
    assert_eq!(live.liveness().status(), Status::Offline);
}

#[tokio::test(start_paused = true)]
async fn nothing_but_the_close_follows_a_verdict() {
    let (mut live, mut client, _) = beating(config()).await;
    live.close(CloseCode::GOING_AWAY, "bye");
    client.send(Message::text("ping 0000000000000001")).await.unwrap();
    let server = tokio::spawn(async move { while live.next().await.is_some() {} });
    let mut told = Vec::new();
    while let Some(Ok(message)) = client.next().await {
        told.push(message);
    }
    assert!(matches!(&told[..], [Message::Close(Some(frame))] if frame.code == 1001.into()), "{told:?}");
    server.await.unwrap();
}
