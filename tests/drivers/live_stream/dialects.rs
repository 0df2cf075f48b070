//! Heartbeats in messages of many a protocol, through the stream: what is on the wire, what the program sees, which peers it finds dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use liveness::dialect::{
    Dialect, Exact, Heard, Message as Said, Mute, Out, TextHeartbeats, discord, engine_io, graphql,
};
use liveness::driver::tokio::LiveStream;
use liveness::driver::tokio_tungstenite::accept_hdr;
use liveness::{Config, Evidence, Payload, Reason, Schedule, Status, Suspicion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::Role;

use super::support::{Live, Peer, SECOND, config, over_bytes, pair, reason};
use liveness_testing::raw_peer::{BINARY, TEXT, frame};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn speaking(config: Config, dialect: impl Dialect + Send + 'static) -> (Live, Peer) {
    let (live, client, _) = pair(config, 4096).await;
    (live.dialect(dialect), client)
}

fn text(text: &str) -> Message {
    Message::text(text)
}

/// The next text message, within a day.
async fn said(peer: &mut Peer) -> String {
    let message = timeout(DAY, peer.next()).await.expect("it says nothing").unwrap().unwrap();
    message.to_text().unwrap().to_owned()
}

/// Nothing is said to the peer for so long.
async fn assert_silent(peer: &mut Peer, time: Duration) {
    let said = timeout(time, peer.next()).await;
    assert!(said.is_err(), "{said:?}");
}

/// Takes what comes, and remembers what its program saw.
fn reading(mut live: Live) -> tokio::task::JoinHandle<(Vec<Message>, Live)> {
    tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(Ok(message)) = live.next().await {
            seen.push(message);
        }
        (seen, live)
    })
}

// -- engine.io.

#[tokio::test(start_paused = true)]
async fn an_engine_io_server_beats_whatever_flows_and_finds_a_client_that_froze() {
    let (live, mut client) = speaking(engine_io::SERVER_CONFIG, engine_io::server()).await;
    let server = reading(live);
    let mut beats = 0_u32;
    let start = Instant::now();
    while start.elapsed() < DAY {
        assert_eq!(said(&mut client).await, "2");
        beats += 1;
        client.send(text("3")).await.unwrap();
        client.send(text("4hello")).await.unwrap();
    }
    // 25 s, and up to a tenth less.
    assert!((3456..3850).contains(&beats), "{beats}");
    let frozen = Instant::now();
    let (seen, live) = server.await.unwrap();
    assert_eq!(seen, vec![text("4hello"); beats as usize]);
    assert_eq!(live.liveness().verdict(), Some(Reason::PingTimeout));
    assert!(live.liveness().stats().answers >= beats && live.liveness().rtt().is_some());
    assert!(frozen.elapsed() <= 46 * SECOND, "{:?}", frozen.elapsed());
    drop(live);
    // Its own beats went on; then it says why.
    let mut rest = Vec::new();
    while let Some(Ok(message)) = client.next().await {
        rest.push(message);
    }
    assert!(matches!(rest.pop(), Some(Message::Close(Some(frame))) if frame.code == 3008.into()));
    assert!(rest.iter().all(|message| *message == text("2")) && !rest.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_engine_io_client_never_asks_and_takes_its_numbers_from_the_open_packet() {
    let (mut live, mut server) = speaking(engine_io::CLIENT_CONFIG, engine_io::client()).await;
    let open = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":5000,"pingTimeout":4000}"#;
    server.send(text(open)).await.unwrap();
    let first = live.next().await.unwrap().unwrap();
    let (interval, wait) = engine_io::open(first.to_text().unwrap()).unwrap();
    live.reconfigure(engine_io::client_config(interval, wait));
    // The user comes back to the page, again and again.
    live.probe();
    let client = reading(live);
    for _ in 0..1_000 {
        assert_silent(&mut server, 5 * SECOND).await;
        server.send(text("2")).await.unwrap();
        assert_eq!(said(&mut server).await, "3");
    }
    let frozen = Instant::now();
    let (seen, live) = client.await.unwrap();
    assert_eq!((seen, live.liveness().verdict()), (vec![], Some(Reason::Silent)));
    assert_eq!(live.liveness().stats().pings, 0);
    let took = frozen.elapsed();
    assert!(took >= 9 * SECOND && took < Duration::from_millis(9_100), "{took:?}");
}

/// The mistake that is most easily made: the default's pings, and an end that must not ask. A client of engine.io that does is
/// closed at once.
#[tokio::test(start_paused = true)]
async fn an_end_that_never_asks_says_nothing_and_waits_for_nothing_whatever_its_config() {
    let pinging = Config::builder()
        .interval(5 * SECOND)
        .timeout(10 * SECOND)
        .suspicion(Suspicion::After(SECOND))
        .build()
        .unwrap();
    let (mut live, mut server) = speaking(pinging, engine_io::client()).await;
    live.probe();
    live.reconfigure(pinging);
    let status = live.watch();
    let client = reading(live);
    assert_silent(&mut server, DAY).await;
    assert_eq!(*status.borrow(), Status::Online);
    server.send(text("2")).await.unwrap();
    assert_eq!(said(&mut server).await, "3");
    server.close(None).await.unwrap();
    while server.next().await.is_some() {}
    let (_, live) = client.await.unwrap();
    assert_eq!(live.liveness().stats().pings, 0);
}

// -- GraphQL.

#[tokio::test(start_paused = true)]
async fn both_ends_of_graphql_live_for_a_day_and_find_each_other_out() {
    use graphql::TransportWs;
    for server_freezes in [false, true] {
        let (ours, theirs) = duplex(4096);
        let server = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
        let client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let mut server = LiveStream::new(server, TransportWs::SERVER_CONFIG).dialect(TransportWs);
        let mut client = LiveStream::new(client, TransportWs::CLIENT_CONFIG).dialect(TransportWs);
        let both = async { tokio::join!(server.next(), client.next()) };
        assert!(timeout(DAY, both).await.is_err());
        assert!(server.liveness().stats().answers + client.liveness().stats().answers > 8_000);
        assert!(client.liveness().rtt().is_some());
        let (live, frozen) = if server_freezes { (&mut client, &server) } else { (&mut server, &client) };
        assert_eq!(reason(live.next().await), Reason::PingTimeout);
        assert_eq!(frozen.liveness().verdict(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_programs_own_messages_of_graphql_pass() {
    let (mut live, mut client) = speaking(graphql::TransportWs::SERVER_CONFIG, graphql::TransportWs).await;
    let said_by_client = [
        r#"{"type":"connection_init"}"#,
        r#"{"type":"ping"}"#,
        r#"{"id":"1","type":"subscribe","payload":{"query":"subscription { ping }"}}"#,
        r#"{ "payload" : {"at": 7}, "type" : "ping" }"#,
        r#"{"type":"pong","payload":{"of":"nothing"}}"#,
        r#"{"id":"1","type":"complete"}"#,
    ];
    for message in said_by_client {
        client.send(text(message)).await.unwrap();
    }
    for expected in [said_by_client[0], said_by_client[2], said_by_client[5]] {
        assert_eq!(live.next().await.unwrap().unwrap(), text(expected));
    }
    assert!(live.next().now_or_never().is_none());
    assert_eq!(said(&mut client).await, r#"{"type":"pong"}"#);
    assert_eq!(said(&mut client).await, r#"{"type":"pong","payload":{"at": 7}}"#);
}

// -- Discord.

#[tokio::test(start_paused = true)]
async fn a_discord_client_tells_its_sequence_beats_when_asked_and_finds_a_zombie() {
    let (ours, theirs) = duplex(4096);
    let mut socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    let mut gateway = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    gateway.send(text(r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#)).await.unwrap();
    // Before the hello nobody may beat: it is read from the bare socket.
    let hello = socket.next().await.unwrap().unwrap();
    let interval = discord::hello(hello.to_text().unwrap()).unwrap();
    let latest = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&latest);
    let dialect = discord::Client::new(move || Some(told.load(Relaxed)).filter(|sequence| *sequence > 0));
    let mut live = LiveStream::new(socket, discord::client_config(interval)).dialect(dialect);
    let client = tokio::spawn(async move {
        let mut dispatches = 0;
        while let Some(Ok(message)) = live.next().await {
            assert!(message.to_text().unwrap().starts_with(r#"{"op":0"#), "{message}");
            dispatches += 1;
            latest.store(250 + dispatches, Relaxed);
        }
        (dispatches, live)
    });
    let ack = || text(r#"{"t":null,"s":null,"op":11,"d":null}"#);
    assert_eq!(said(&mut gateway).await, r#"{"op":1,"d":null}"#);
    gateway.send(ack()).await.unwrap();
    // A dispatch is longer than a dialect looks at, and is the program's.
    let dispatch =
        format!(r#"{{"op":0,"s":251,"t":"MESSAGE_CREATE","d":{{"content":"{}"}}}}"#, "x".repeat(300));
    gateway.send(text(&dispatch)).await.unwrap();
    let beat_at = Instant::now();
    assert_eq!(said(&mut gateway).await, r#"{"op":1,"d":251}"#);
    assert!(beat_at.elapsed() <= interval);
    gateway.send(ack()).await.unwrap();
    // Now, please: at once, besides the schedule.
    gateway.send(text(r#"{"op":1,"d":null,"s":null,"t":null}"#)).await.unwrap();
    let asked = Instant::now();
    assert_eq!(said(&mut gateway).await, r#"{"op":1,"d":251}"#);
    assert!(asked.elapsed() < SECOND);
    // No ACK any more, while dispatches come: they are evidence too.
    for _ in 0..20 {
        gateway.send(text(&dispatch)).await.unwrap();
        tokio::time::sleep(30 * SECOND).await;
    }
    let silent = Instant::now();
    let (dispatches, live) = client.await.unwrap();
    assert_eq!((dispatches, live.liveness().verdict()), (21, Some(Reason::PingTimeout)));
    assert!(silent.elapsed() <= 2 * interval + SECOND);
    let mut close = None;
    while let Some(Ok(message)) = gateway.next().await {
        close = Some(message);
    }
    // After 1000 and 1001 the session could not be resumed.
    assert!(matches!(close, Some(Message::Close(Some(frame))) if frame.code == 4000.into()));
}

// -- Binary.

#[tokio::test(start_paused = true)]
async fn a_binary_heartbeat_is_spoken_both_ways() {
    const DIALECT: Exact = Exact::binary(&[0xc0, 0], &[0xd0, 0]);
    let (live, mut client) = speaking(config(), DIALECT).await;
    let server = reading(live);
    let beat = timeout(DAY, client.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(beat, Message::binary(vec![0xc0, 0]));
    client.send(Message::binary(vec![0xd0, 0])).await.unwrap();
    client.send(Message::binary(vec![0xc0, 0])).await.unwrap();
    client.send(Message::binary(vec![0xd0, 1])).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(vec![0xd0, 0]));
    client.close(None).await.unwrap();
    while client.next().await.is_some() {}
    let (seen, live) = server.await.unwrap();
    assert_eq!((seen, live.liveness().stats().answers), (vec![Message::binary(vec![0xd0, 1])], 1));
}

/// What no dialect can read: the program's own codec tells what it found.
#[tokio::test(start_paused = true)]
async fn a_codec_of_the_programs_keeps_a_live_peer_and_finds_a_dead_one() {
    /// Asks, and hears nothing.
    struct PingRequests;
    impl Dialect for PingRequests {
        fn hear(&mut self, _: Said<'_>, _: &mut dyn Out) -> Heard {
            Heard::Data
        }
        fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
            beat.binary(&[0xc0, 0]);
            true
        }
    }
    let config = config().to_builder().evidence(Evidence::PongOnly).schedule(Schedule::Steady);
    let (mut live, mut broker) = speaking(config.build().unwrap(), PingRequests).await;
    let client = tokio::spawn(async move {
        let mut parsed = Vec::new();
        while let Some(Ok(message)) = live.next().await {
            parsed.extend(message.into_data());
            // Packets are not aligned with messages.
            while parsed.starts_with(&[0xd0, 0]) {
                parsed.drain(..2);
                live.heard(Heard::SomeAnswer);
            }
        }
        live
    });
    for _ in 0..1_000 {
        assert_eq!(broker.next().await.unwrap().unwrap(), Message::binary(vec![0xc0, 0]));
        broker.send(Message::binary(vec![0xd0])).await.unwrap();
        broker.send(Message::binary(vec![0])).await.unwrap();
    }
    let silent = Instant::now();
    let live = client.await.unwrap();
    assert_eq!(live.liveness().verdict(), Some(Reason::PingTimeout));
    assert_eq!(live.liveness().stats().answers, 1_000);
    assert!(silent.elapsed() < 16 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn beats_that_the_programs_codec_tells_of_draw_on_the_budget() {
    let (mut live, _client) = speaking(config(), TextHeartbeats).await;
    assert!(live.next().now_or_never().is_none());
    for _ in 0..1_000 {
        live.heard(Heard::Beat);
    }
    assert_eq!(reason(live.next().await), Reason::PingFlood);
}

// -- Between the program's messages.

/// They came in one piece, so that no clock is read between them.
#[tokio::test(start_paused = true)]
async fn a_beat_among_many_messages_is_heard_and_hidden() {
    let (live, mut theirs) = over_bytes(config(), 1 << 20, None).await;
    let mut live = live.dialect(engine_io::client());
    let data = |byte: u8, len| frame(BINARY, &vec![byte; len]);
    let said = [
        data(1, 5),
        data(2, 100),
        frame(TEXT, b"2"),
        data(3, 5),
        frame(TEXT, b"2"),
        frame(TEXT, b"2"),
        data(4, 5),
        data(5, 5),
    ];
    theirs.write_all(&said.concat()).await.unwrap();
    for expected in 1..=5 {
        let message = live.next().await.unwrap().unwrap();
        assert_eq!(message.into_data().first(), Some(&expected));
    }
    assert!(live.next().now_or_never().is_none());
    let mut answers = [0; 9];
    theirs.read_exact(&mut answers).now_or_never().expect("they are there").unwrap();
    assert_eq!(answers, *b"\x81\x013\x81\x013\x81\x013");
}

/// Shown to the program, and owed an answer: nobody has to call again for it to go out.
#[tokio::test(start_paused = true)]
async fn an_answer_to_a_message_of_the_programs_goes_out_with_it() {
    struct Acknowledges;
    impl Dialect for Acknowledges {
        fn hear(&mut self, _: Said<'_>, answer: &mut dyn Out) -> Heard {
            answer.text(format_args!("ok"));
            Heard::Data
        }
        fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
            false
        }
    }
    let (mut live, mut client) = speaking(config(), Acknowledges).await;
    client.send(text("hello")).await.unwrap();
    assert_eq!(live.next().await.unwrap().unwrap(), text("hello"));
    assert_eq!(client.next().now_or_never().expect("at once").unwrap().unwrap(), text("ok"));
}

/// It says that it never asks only when it is asked to: nothing goes out, and nobody waits for an answer.
#[tokio::test(start_paused = true)]
async fn a_dialect_of_ones_own_that_refuses_to_ask_is_left_alone() {
    struct Refuses;
    impl Dialect for Refuses {
        fn hear(&mut self, _: Said<'_>, _: &mut dyn Out) -> Heard {
            Heard::Data
        }
        fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
            false
        }
    }
    let (mut live, mut client) = speaking(config(), Refuses).await;
    live.probe();
    let server = reading(live);
    assert_silent(&mut client, DAY).await;
    client.close(None).await.unwrap();
    while client.next().await.is_some() {}
    let (_, live) = server.await.unwrap();
    assert_eq!(live.liveness().verdict(), Some(Reason::PeerClosed(None)));
}

#[tokio::test(start_paused = true)]
async fn a_receive_only_end_finds_a_server_that_stopped() {
    let (live, mut server) = speaking(Mute::config(45 * SECOND), Mute).await;
    let client = reading(live);
    for _ in 0..100 {
        server.send(text("h")).await.unwrap();
        assert_silent(&mut server, 30 * SECOND).await;
    }
    let (seen, live) = client.await.unwrap();
    assert_eq!((seen.len(), live.liveness().verdict()), (100, Some(Reason::Silent)));
}

// -- One endpoint for pages and programs.

/// The endpoint: its clients say by their subprotocol what they are.
async fn endpoint(transport: tokio::io::DuplexStream) -> Option<Reason> {
    let mut is_page = false;
    #[expect(clippy::result_large_err, reason = "tungstenite's callback")]
    let look = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let name = "sec-websocket-protocol";
        is_page = request.headers().get(name).is_some_and(|protocol| protocol == "page");
        if is_page {
            response.headers_mut().insert(name, HeaderValue::from_static("page"));
        }
        Ok(response)
    };
    let (socket, counters) = accept_hdr(transport, look, None).await.unwrap();
    let live = LiveStream::new(socket, config()).counted(counters);
    let mut live = if is_page { live.dialect(TextHeartbeats) } else { live };
    let end = timeout(DAY, live.next()).await;
    assert!(end.is_err() || live.liveness().verdict().is_some());
    live.liveness().verdict()
}

#[tokio::test(start_paused = true)]
async fn pages_and_programs_live_on_one_endpoint_each_with_its_own_heartbeat() {
    for (is_page, script_runs, lives) in [(false, false, true), (true, true, true), (true, false, false)] {
        let (ours, theirs) = duplex(4096);
        let server = tokio::spawn(endpoint(ours));
        let mut request = "ws://localhost/".into_client_request().unwrap();
        if is_page {
            request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("page"));
        }
        let (mut client, _) = tokio_tungstenite::client_async(request, theirs).await.unwrap();
        // Its library answers frames in any case.
        while let Some(Ok(message)) = client.next().await {
            let digits = message.to_text().ok().and_then(|text| text.strip_prefix("ping "));
            if let Some(digits) = digits.filter(|_| script_runs) {
                let answer = format!("pong {digits}");
                drop(client.send(text(&answer)).await);
            }
        }
        let verdict = server.await.unwrap();
        assert_eq!(
            verdict.is_none(),
            lives,
            "a page: {is_page}, its script runs: {script_runs}, {verdict:?}"
        );
    }
}

/// A program that has frames only, on a socket that asks in text: whatever it sends is a sign of life, frames too.
#[tokio::test(start_paused = true)]
async fn frames_are_evidence_beside_a_dialect() {
    let (live, mut client) = speaking(config(), TextHeartbeats).await;
    let server = reading(live);
    let mut pongs = 0;
    for number in 0..1_000 {
        let frame = if number % 2 == 0 { Message::Ping("?".into()) } else { Message::Pong("!".into()) };
        client.send(frame).await.unwrap();
        // Our pings in text: it takes them, and does not know what they are.
        let takes = async {
            while let Some(Ok(message)) = client.next().await {
                pongs += usize::from(message.is_pong());
            }
        };
        assert!(timeout(9 * SECOND, takes).await.is_err());
    }
    assert!(!server.is_finished());
    let (seen, live) = server.await.unwrap();
    assert_eq!((seen, live.liveness().verdict()), (vec![], Some(Reason::PingTimeout)));
    assert_eq!(pongs, 500);
}
