//! The clients of other people's servers, each with a mock of its server.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use liveness_testing::Process;
use liveness_testing::host::bound;
use tungstenite::{Message, WebSocket};

use crate::program;

/// A mock of a server.
pub(super) struct Mock {
    listener: TcpListener,
    pub(super) url: String,
}

impl Mock {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    pub(super) fn accept(&self) -> WebSocket<TcpStream> {
        tungstenite::accept(bound(self.listener.accept().unwrap().0)).unwrap()
    }
}

fn tell(socket: &mut WebSocket<TcpStream>, text: &str) {
    socket.send(Message::text(text)).unwrap();
}

/// The next message that contains this. Others are ignored.
#[track_caller]
fn expect(socket: &mut WebSocket<TcpStream>, wanted: &str) -> String {
    loop {
        let message = socket.read().unwrap();
        match message.to_text() {
            Ok(text) if text.contains(wanted) => return text.to_owned(),
            _ => assert!(!message.is_close(), "{message} instead of {wanted}"),
        }
    }
}

/// The code of the client's Close. Until then nothing is answered.
#[track_caller]
fn expect_close(socket: &mut WebSocket<TcpStream>) -> u16 {
    loop {
        if let Message::Close(frame) = socket.read().unwrap() {
            return frame.expect("a code").code.into();
        }
    }
}

#[test]
fn a_client_of_discord_beats_as_it_is_told_to_and_resumes_after_a_zombie() {
    let mock = Mock::new();
    let mut client = Command::new(program("client_discord"));
    client.args([&mock.url, "secret"]);
    let client = Process::start(client);

    let mut socket = mock.accept();
    tell(&mut socket, r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":1000}}"#);
    assert!(expect(&mut socket, r#""op":2"#).contains("secret"));
    let ready = format!(
        r#"{{"op":0,"s":1,"t":"READY","d":{{"session_id":"sid","resume_gateway_url":"{}"}}}}"#,
        mock.url
    );
    tell(&mut socket, &ready);
    client.expect("READY");
    expect(&mut socket, r#"{"op":1,"d":1}"#);
    tell(&mut socket, r#"{"t":null,"s":null,"op":11,"d":null}"#);
    // A message that is longer than a dialect looks at.
    let long = "x".repeat(300);
    tell(&mut socket, &format!(r#"{{"op":0,"s":251,"t":"MESSAGE_CREATE","d":{{"content":"{long}"}}}}"#));
    client.expect("MESSAGE_CREATE");
    expect(&mut socket, r#"{"op":1,"d":251}"#);
    // No ACK follows.
    assert_eq!(expect_close(&mut socket), 4000);
    client.expect("lost: ");

    let mut socket = mock.accept();
    tell(&mut socket, r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":3600000}}"#);
    let resume = expect(&mut socket, r#""op":6"#);
    assert!(resume.contains(r#""session_id":"sid""#) && resume.contains(r#""seq":251"#), "{resume}");
    tell(&mut socket, r#"{"op":0,"s":252,"t":"RESUMED","d":{}}"#);
    client.expect("RESUMED");
    // The time in the message is an hour early.
    tell(&mut socket, r#"{"t":null,"s":null,"op":1,"d":null}"#);
    expect(&mut socket, r#"{"op":1,"d":252}"#);
    tell(&mut socket, r#"{"t":null,"s":null,"op":11,"d":null}"#);
    let wrong_token = tungstenite::protocol::CloseFrame { code: 4004.into(), reason: "".into() };
    socket.close(Some(wrong_token)).unwrap();
    while socket.read().is_ok() {}
    client.expect("over: ");
}

/// Answers pings as long as each comes within this time, and sends `data` with each answer.
fn exchange(socket: &mut WebSocket<TcpStream>, pings: usize, data: Option<&str>) {
    for _ in 0..pings {
        assert_eq!(expect(socket, "ping"), "ping");
        tell(socket, "pong");
        if let Some(data) = data {
            tell(socket, data);
        }
    }
}

#[test]
fn a_feed_is_found_dead_or_without_data_and_subscribes_again() {
    let mock = Mock::new();
    let mut client = Command::new(program("client_okx"));
    client.args([&mock.url, "BTC-USDT", "300ms", "3s"]);
    let client = Process::start(client);
    let subscribed =
        r#"{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a4d3ae55"}"#;
    let data = r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"px":"42219.9"}]}"#;

    let mut socket = mock.accept();
    assert!(expect(&mut socket, "subscribe").contains("BTC-USDT"));
    tell(&mut socket, subscribed);
    // Several intervals with data.
    exchange(&mut socket, 4, Some(data));
    client.expect("42219.9");
    // The server falls silent.
    assert_eq!(expect_close(&mut socket), 3008);
    client.expect("lost: ping-timeout");

    // The next server answers each ping, and sends no data.
    let mut socket = mock.accept();
    expect(&mut socket, "subscribe");
    tell(&mut socket, subscribed);
    while let Ok(message) = socket.read() {
        if message.to_text().is_ok_and(|text| text == "ping") {
            let _ = socket.send(Message::text("pong"));
        }
    }
    client.expect("lost: idle");
    expect(&mut mock.accept(), "subscribe");
    client.expect_no("over", Duration::from_millis(100));
}

#[test]
fn who_gives_no_arguments_is_told_which_and_gets_a_failure() {
    for (name, usage) in [
        ("client_discord", "client_discord URL TOKEN"),
        ("client_okx", "client_okx URL INSTRUMENT [INTERVAL TIMEOUT]"),
    ] {
        let run = Command::new(program(name)).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!((run.status.code(), said.trim()), (Some(1), format!("Error: {usage}").as_str()));
    }
}
