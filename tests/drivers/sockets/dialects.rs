//! Heartbeats in messages of other protocols, with the blocking driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use liveness::dialect::{Dialect, Exact, Mute, TextHeartbeats, discord, engine_io};
use liveness::driver::tungstenite::{CountingSocket, accept_hdr, accept_raw};
use liveness::{Config, Evidence, Reason};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};

use liveness_testing::host::{Host, Life, Watched, brisk, leave, live_for, strict};
use liveness_testing::raw_peer::millis;

/// Our end accepts in each case. A dialect does not depend on that.
fn speaking(config: Config, dialect: impl Dialect + Send + 'static) -> Host<Life> {
    Host::open(move |stream| {
        let socket = accept_raw(stream, None).unwrap();
        Watched::new(socket.watch(config).dialect(dialect)).life()
    })
}

#[test]
fn a_client_of_engine_io_that_answers_lives_where_only_answers_count() {
    let config = engine_io::server_config(millis(100), millis(20_000)).to_builder();
    let host = speaking(config.evidence(Evidence::PongOnly).build().unwrap(), engine_io::server());
    let mut client = host.client();
    for _ in 0..12 {
        assert_eq!(client.read().unwrap(), Message::text("2"));
        client.send(Message::text("3")).unwrap();
        client.send(Message::text("4hello")).unwrap();
    }
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, vec![Message::text("4hello"); 12]);
    assert!(life.stats.answers >= 12 && life.rtt.is_some(), "{life:?}");
}

#[test]
fn a_client_of_engine_io_that_hangs_is_given_up_though_its_library_answers_frames() {
    let host = speaking(strict().build_const(), engine_io::server());
    let mut client = host.client();
    while client.read().is_ok() {}
    assert_eq!(host.join().offline.reason(), Reason::PingTimeout);
}

#[test]
fn an_end_that_never_asks_says_nothing_whatever_its_config_and_takes_new_numbers() {
    let host = Host::open(move |stream| {
        let socket = accept_raw(stream, None).unwrap();
        let socket = socket.watch(strict().build_const()).dialect(engine_io::client());
        let mut watched = Watched::new(socket);
        watched.socket.probe();
        watched.read_one(|socket, open| {
            let (interval, timeout) = engine_io::open(open.to_text().unwrap()).unwrap();
            socket.reconfigure(engine_io::client_config(interval, timeout));
            socket.probe();
        });
        watched.life()
    });
    let mut server = host.client();
    assert_eq!(live_for(&mut server, millis(700)), []);
    let open = r#"0{"sid":"7","upgrades":[],"pingInterval":200,"pingTimeout":100}"#;
    server.send(Message::text(open)).unwrap();
    server.send(Message::text("2")).unwrap();
    assert_eq!(server.read().unwrap(), Message::text("3"));
    while server.read().is_ok() {}
    let life = host.join();
    assert_eq!((life.offline.reason(), life.stats.pings), (Reason::Silent, 0));
}

#[test]
fn a_receive_only_end_finds_a_peer_that_stopped() {
    let host = speaking(Mute::config(millis(300)), Mute);
    let mut server = host.client();
    for _ in 0..3 {
        server.send(Message::text("h")).unwrap();
    }
    while let Ok(message) = server.read() {
        assert!(message.is_close(), "{message}");
    }
    let life = host.join();
    assert_eq!((life.offline.reason(), life.messages.len()), (Reason::Silent, 3));
}

#[test]
fn a_discord_client_tells_the_latest_sequence() {
    let latest = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&latest);
    let dialect = discord::Client::new(move || Some(told.load(Relaxed)).filter(|sequence| *sequence > 0));
    let host = speaking(discord::client_config(millis(150)), dialect);
    let mut gateway = host.client();
    let ack = r#"{"t":null,"s":null,"op":11,"d":null}"#;
    assert_eq!(gateway.read().unwrap(), Message::text(r#"{"op":1,"d":null}"#));
    gateway.send(Message::text(ack)).unwrap();
    latest.store(251, Relaxed);
    while gateway.read().unwrap() != Message::text(r#"{"op":1,"d":251}"#) {
        gateway.send(Message::text(ack)).unwrap();
    }
    // Now it is silent, and reads until it is told why.
    while gateway.read().is_ok() {}
    assert_eq!(host.join().offline.reason(), Reason::PingTimeout);
}

#[test]
fn a_binary_heartbeat_is_spoken_both_ways() {
    let host = speaking(brisk().build_const(), Exact::binary(&[0xc0, 0], &[0xd0, 0]));
    let mut client = host.client();
    assert_eq!(client.read().unwrap(), Message::binary(vec![0xc0, 0]));
    client.send(Message::binary(vec![0xd0, 0])).unwrap();
    client.send(Message::binary(vec![0xc0, 0])).unwrap();
    while client.read().unwrap() != Message::binary(vec![0xd0, 0]) {}
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert!(life.messages.is_empty() && life.stats.answers >= 1, "{life:?}");
}

/// One endpoint for both: the query says whether a page or a program is at the other end.
#[test]
fn pages_and_programs_live_on_one_endpoint_each_with_its_own_heartbeat() {
    for query in ["", "?page"] {
        let host = Host::open(move |stream| {
            let mut is_page = false;
            #[expect(clippy::result_large_err, reason = "tungstenite's callback")]
            let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                is_page = request.uri().query() == Some("page");
                Ok(response)
            };
            let socket = accept_hdr(CountingSocket::new(stream), look, None).unwrap();
            let config = brisk().evidence(Evidence::PongOnly).timeout(Duration::from_secs(20));
            let socket = socket.watch(config.build_const());
            let socket = if is_page { socket.dialect(TextHeartbeats) } else { socket };
            Watched::new(socket).life()
        });
        let request = format!("ws://localhost/{query}").into_client_request().unwrap();
        let (mut client, _) = tungstenite::client(request, host.dial()).unwrap();
        let mut asked = 0;
        while asked < 5 {
            match client.read().unwrap() {
                Message::Text(text) => {
                    let answer = text.replace("ping", "pong");
                    client.send(Message::text(answer)).unwrap();
                    asked += usize::from(!query.is_empty());
                }
                Message::Ping(_) => asked += usize::from(query.is_empty()),
                Message::Binary(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => panic!(),
            }
        }
        leave(client);
        let life = host.join();
        life.assert_closed_by_peer();
        assert!(life.stats.answers >= 4, "{query}: {life:?}");
    }
}
