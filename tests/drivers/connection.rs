//! Bytes in, bytes out: two ends in simulated time, without a socket between them.

use std::io;
use std::time::Duration;

use liveness::driver::tungstenite::{Connection, Handshake, SendError};
use liveness::session::{Limits, Role};
use liveness::{Action, CloseCode, Config, Evidence, Reason, Timestamp};
use tungstenite::Message;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::WebSocketConfig;

use liveness_testing::raw_peer::{PING, PONG, TEXT, close, frame};

const CONFIG: Config = Config::builder()
    .interval(Duration::from_secs(5))
    .timeout(Duration::from_secs(10))
    .jitter(0)
    .build_const();

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn server(config: Config) -> Connection {
    let mut server = Connection::opened(Role::Server, config, None, 7, at(0));
    assert_eq!(polled(&mut server, at(0)), [Action::MarkOnline]);
    server
}

fn polled(peer: &mut Connection, now: Timestamp) -> Vec<Action> {
    std::iter::from_fn(|| peer.poll(now)).collect()
}

/// Writes everything that waits to be written.
fn sent(peer: &mut Connection, now: Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    while peer.wants_write() {
        peer.write_to(&mut out, now).unwrap();
    }
    out
}

/// These bytes arrive, and nothing more for now.
fn hear(peer: &mut Connection, bytes: &[u8], now: Timestamp) {
    peer.receive(bytes, now);
    peer.nothing_to_read(now);
}

/// The opcodes of unmasked frames of at most 125 bytes.
fn opcodes(mut bytes: &[u8]) -> Vec<u8> {
    let mut opcodes = Vec::new();
    while let [first, len, rest @ ..] = bytes {
        opcodes.push(first & 15);
        bytes = &rest[usize::from(*len)..];
    }
    opcodes
}

/// Takes this many bytes, then none.
struct Narrow {
    room: usize,
    bytes: Vec<u8>,
}

impl io::Write for Narrow {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.room);
        self.room -= count;
        self.bytes.extend(&buffer[..count]);
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn two_ends_live_talk_and_close() {
    let mut client = Connection::opened(Role::Client, CONFIG, None, 1, at(0));
    let mut server = server(CONFIG);
    let mut heard = 0;
    for second in 0..120 {
        let now = at(second);
        polled(&mut client, now);
        polled(&mut server, now);
        if second % 30 == 0 {
            client.send(Message::text("hello"), now).unwrap();
        }
        for _ in 0..2 {
            let bytes = sent(&mut client, now);
            hear(&mut server, &bytes, now);
            let bytes = sent(&mut server, now);
            hear(&mut client, &bytes, now);
        }
        heard += usize::from(server.recv(now).is_some());
    }
    assert_eq!(heard, 4);
    assert!(client.liveness().stats().answers > 10 && server.liveness().stats().answers > 10);

    let now = at(120);
    client.close(CloseCode::GOING_AWAY, "enough", now);
    assert!(polled(&mut client, now).contains(&Action::MarkOffline(Reason::LocalClosed)));
    let bytes = sent(&mut client, now);
    hear(&mut server, &bytes, now);
    assert!(polled(&mut server, now).contains(&Action::MarkOffline(Reason::PeerClosed(Some(1001)))));
    let bytes = sent(&mut server, now);
    // The server ends its half at once. The client waits for that.
    assert!(server.wants_shutdown());
    server.shut(now);
    assert_eq!(polled(&mut server, now), [Action::Disconnect]);
    hear(&mut client, &bytes, now);
    assert!(polled(&mut client, now).is_empty() && !client.wants_shutdown());
    client.receive_end(Ok(()), now);
    assert_eq!(polled(&mut client, now), [Action::Disconnect]);
    assert_eq!(client.close_frame().map(|frame| u16::from(frame.code)), Some(1001));
}

/// The server talks at once. Its first message comes in one segment with its response.
#[test]
fn what_came_with_the_handshake_is_heard() {
    let mut client = Handshake::client("ws://localhost/", None).unwrap();
    let mut server = Handshake::server(None);
    server.receive(client.outgoing());
    let mut server = server.poll().unwrap().unwrap().watch(CONFIG, 7, at(0));
    server.send(Message::text("welcome"), at(0)).unwrap();
    client.receive(server.outgoing());
    let mut client = client.poll().unwrap().unwrap().watch(CONFIG, 1, at(0));
    assert_eq!(client.recv(at(0)), Some(Message::text("welcome")));
}

#[test]
#[expect(clippy::result_large_err, reason = "tungstenite's own answer")]
fn a_refusal_is_sent() {
    let refuse = |_: &Request, _: Response| {
        let mut answer = ErrorResponse::new(Some("go away".into()));
        *answer.status_mut() = tungstenite::http::StatusCode::FORBIDDEN;
        Err(answer)
    };
    let mut client = Handshake::client("ws://localhost/", None).unwrap();
    let mut server = Handshake::server_with(refuse, None);
    server.receive(client.outgoing());
    assert!(server.poll().is_err());
    let refusal = String::from_utf8_lossy(server.outgoing()).into_owned();
    assert!(refusal.starts_with("HTTP/1.1 403") && refusal.ends_with("go away"), "{refusal}");
    client.receive(server.outgoing());
    assert!(client.poll().unwrap_err().to_string().contains("403"));
}

#[test]
fn a_ping_counts_as_sent_with_its_last_byte_however_much_is_behind_it() {
    let mut peer = server(CONFIG);
    peer.send(Message::binary(vec![0; 1000]), at(1)).unwrap();
    peer.probe(at(1));
    assert!(matches!(polled(&mut peer, at(1))[..], [Action::SendPing(_)]));
    peer.send(Message::binary(vec![0; 100_000]), at(1)).unwrap();
    // The first message has a header of four bytes, the ping is ten.
    let mut narrow = Narrow { room: 1004 + 9, bytes: Vec::new() };
    while peer.write_to(&mut narrow, at(2)).is_ok() {}
    assert!(peer.liveness().report(at(2)).to_string().starts_with("ping 1 not written yet"));
    narrow.room = 1;
    while peer.write_to(&mut narrow, at(3)).is_ok() {}
    assert!(peer.liveness().report(at(3)).to_string().starts_with("no answer to ping 1"));
    assert_eq!(narrow.bytes[1004], 0x80 | PING);
}

/// The caller always has more to send. That must not hide the end from it.
#[test]
fn a_mute_reader_of_an_endless_stream_is_found() {
    let mut peer = server(CONFIG);
    let (mut offline, mut now) = (None, at(0));
    while offline.is_none() && now < at(120) {
        now += Duration::from_millis(10);
        while peer.unsent() < 128 * 1024 && peer.send(Message::binary(vec![0; 1024]), now).is_ok() {}
        let mut narrow = Narrow { room: 10_000, bytes: Vec::new() };
        while peer.write_to(&mut narrow, now).is_ok() {}
        peer.nothing_to_read(now);
        let _ = polled(&mut peer, now);
        offline = peer.offline().map(|offline| offline.reason());
    }
    assert_eq!(offline, Some(Reason::PingTimeout));
    assert!(now <= at(0) + CONFIG.for_drivers().detection_bound(Duration::from_millis(10)));
}

#[test]
fn the_answer_to_a_message_is_not_refused_by_the_close_behind_it() {
    let mut peer = server(CONFIG);
    hear(&mut peer, &[frame(TEXT, b"the last question"), close(1000, "")].concat(), at(1));
    polled(&mut peer, at(1));
    assert!(peer.recv(at(1)).is_some());
    peer.send(Message::text("the answer"), at(1)).unwrap();
    peer.send(Message::text("and more of it"), at(1)).unwrap();
    // If the caller asks for another message, it gets the Close.
    assert!(peer.recv(at(1)).is_none());
    polled(&mut peer, at(1));
    assert_eq!(opcodes(&sent(&mut peer, at(1))), [1, 1, 8]);
    assert!(matches!(peer.send(Message::text("late"), at(1)), Err(SendError::Closed(_))));
}

#[test]
fn a_message_that_is_refused_comes_back_with_the_reason() {
    let settings = WebSocketConfig::default().write_buffer_size(0).max_write_buffer_size(100);
    let mut peer = Connection::opened(Role::Server, CONFIG, Some(settings), 7, at(0));
    let large = Message::binary(vec![1; 200]);
    let refused = peer.send(large.clone(), at(1)).unwrap_err();
    assert_eq!(refused.to_string(), "not sent: a message of 200 bytes exceeds max_write_buffer_size");
    assert_eq!(refused, SendError::Full(large));
    peer.send(Message::text("fits"), at(1)).unwrap();
    assert_eq!(opcodes(&sent(&mut peer, at(1))), [TEXT]);
    peer.close(CloseCode::NORMAL, "", at(1));
    polled(&mut peer, at(1));
    let refused = peer.send(Message::text("late"), at(1)).unwrap_err();
    assert_eq!(refused.to_string(), "not sent: the connection is closed or closing");
    assert_eq!(refused, SendError::Closed(Message::text("late")));
}

#[test]
fn a_caller_that_only_writes_answers_pings_and_notices_the_close() {
    let mut peer = server(CONFIG);
    hear(&mut peer, &[frame(TEXT, b"unread"), frame(PING, b"?"), close(1000, "")].concat(), at(1));
    peer.send(Message::text("tick"), at(1)).unwrap();
    // Within 50 ms.
    let now = at(1) + Duration::from_millis(51);
    let actions = polled(&mut peer, now);
    assert!(actions.contains(&Action::MarkOffline(Reason::PeerClosed(Some(1000)))), "{actions:?}");
    assert_eq!(peer.recv(now), Some(Message::text("unread")));
}

/// Where only pongs count. The answer arrives at the deadline, behind talk. Once it is in the kernel still, because the loop
/// stopped reading early; once it was read, and the caller has not taken what lies before it. It is unread either way.
#[test]
fn an_answer_that_is_unread_puts_a_verdict_off_until_it_is_read() {
    let config = CONFIG.to_builder().evidence(Evidence::PongOnly).build().unwrap();
    for arrived in [1, 71] {
        let mut peer = server(config);
        assert!(matches!(polled(&mut peer, at(5))[..], [Action::SendPing(_)]));
        let ping = sent(&mut peer, at(5));
        let mut input = vec![frame(TEXT, b"talk"); 70];
        input.push(frame(PONG, &ping[2..]));
        peer.receive(&input[..arrived].concat(), at(15));
        if arrived == 71 {
            peer.nothing_to_read(at(15));
        }
        for millis in [0, 10, 20, 40] {
            let now = at(15) + Duration::from_millis(millis);
            polled(&mut peer, now);
            assert_eq!(peer.liveness().verdict(), None, "after {millis} ms, {arrived} messages read");
        }
        let now = at(15) + Duration::from_millis(41);
        hear(&mut peer, &input[arrived..].concat(), now);
        while peer.recv(now).is_some() {}
        polled(&mut peer, now + Duration::from_secs(1));
        assert_eq!((peer.liveness().verdict(), peer.liveness().stats().answers), (None, 1));
    }
}

/// A layer below, such as TLS, still has bytes of its own to send.
#[test]
fn bytes_of_a_layer_below_keep_a_peer_that_takes_long_for_a_ping() {
    for told in [true, false] {
        let mut peer = server(CONFIG.to_builder().write_timeout(Duration::from_secs(10)).build().unwrap());
        assert!(matches!(polled(&mut peer, at(5))[..], [Action::SendPing(_)]));
        for second in 5..60 {
            assert!(peer.write_to(&mut Narrow { room: 0, bytes: Vec::new() }, at(second)).is_err());
            if told {
                peer.note_sent(at(second));
            }
            polled(&mut peer, at(second));
        }
        assert_eq!(peer.liveness().verdict(), (!told).then_some(Reason::WriteStalled));
    }
}

/// A transport that takes nothing any more.
struct Broken;

impl io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Also by a caller that does not ask for messages, because it waits until its own has left. The second loop moves its bytes
/// by completion.
#[test]
fn after_a_failed_write_everything_is_read_up_to_the_end() {
    let [mut one, mut other] = [(); 2].map(|()| {
        let mut peer = server(CONFIG);
        hear(&mut peer, &[frame(TEXT, b"one"), frame(TEXT, b"two")].concat(), at(1));
        peer.send(Message::text("never sent"), at(1)).unwrap();
        peer
    });
    assert_eq!(one.write_to(&mut Broken, at(1)).unwrap(), 0);
    other.send_failed(io::ErrorKind::BrokenPipe.into(), at(1));
    let last = close(1000, "");
    for peer in [&mut one, &mut other] {
        assert!(peer.wants_read(at(1)) && !peer.wants_write(), "the end is not found");
    }
    one.read_from(&mut &last[..], at(1)).unwrap();
    other.receive(&last, at(1));
    other.nothing_to_read(at(1));
    for mut peer in [one, other] {
        assert!(polled(&mut peer, at(1)).contains(&Action::MarkOffline(Reason::PeerClosed(Some(1000)))));
        assert_eq!(peer.recv(at(1)), Some(Message::text("one")));
        assert_eq!(peer.recv(at(1)), Some(Message::text("two")));
    }
}

/// A peer that has not said why: its transport is gone, as the write said.
#[test]
fn a_failed_write_is_the_cause_if_nothing_else_was_read() {
    let mut peer = server(CONFIG);
    peer.send(Message::text("never sent"), at(1)).unwrap();
    peer.send_failed(io::ErrorKind::ConnectionReset.into(), at(1));
    peer.nothing_to_read(at(1));
    assert!(polled(&mut peer, at(1)).contains(&Action::MarkOffline(Reason::TransportClosed)));
    let cause = peer.offline().unwrap().cause().unwrap().to_string();
    assert!(cause.contains("reset"), "{cause}");
}

/// A loop that only asks for messages after a read would never get this one.
#[test]
fn a_message_behind_more_pings_than_are_answered_at_once_comes_when_the_answers_have_left() {
    let mut peer = server(CONFIG);
    hear(&mut peer, &[frame(PING, b"?").repeat(100), frame(TEXT, b"behind")].concat(), at(1));
    assert_eq!(peer.recv(at(1)), None);
    let _ = sent(&mut peer, at(1));
    assert!(!peer.wants_read(at(1)));
    assert_eq!(peer.recv(at(1)), Some(Message::text("behind")));
}

#[test]
fn what_a_peer_can_pin_here_is_bounded() {
    let limits = Limits { messages: 8, bytes: 1 << 20, answers: 4 };
    let mut peer = server(CONFIG).limits(limits);
    // The peer sends pings and takes no answers. Four answers wait, and then it is not read any more.
    let mut reads = 0;
    let mut asked = io::repeat(0).take(0).chain(Endless(frame(PING, b"?")));
    while peer.wants_read(at(1)) && reads < 1000 {
        peer.read_from(&mut asked, at(1)).unwrap();
        reads += 1;
    }
    assert!(reads < 3 && peer.unsent() < 100, "{reads} reads, {} bytes", peer.unsent());

    // It talks, and nobody takes its messages.
    let mut peer = server(CONFIG).limits(limits);
    let mut reads = 0;
    let mut talk = Endless(frame(TEXT, b"x"));
    while reads < 1000 {
        if peer.wants_read(at(1)) {
            peer.read_from(&mut talk, at(1)).unwrap();
        }
        polled(&mut peer, at(1) + Duration::from_millis(reads));
        reads += 1;
    }
    assert!(!peer.wants_read(at(2)));
    let kept = std::iter::from_fn(|| peer.recv(at(2))).count();
    assert!(kept <= 16 * 1024 / 7 + 8, "{kept} messages: one read and what is kept");
}

/// A buffer is set to zero before it is filled, so an idle connection's is small.
#[test]
fn a_read_that_found_much_is_followed_by_a_larger_one() {
    struct Asked {
        talk: Endless,
        comes: usize,
        bytes: usize,
    }
    impl io::Read for Asked {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.bytes = buffer.len();
            (&mut self.talk).take(self.comes as u64).read(buffer)
        }
    }
    let mut peer = server(CONFIG);
    let asked = [8, usize::MAX, usize::MAX, 8, 8].map(|comes| {
        let mut transport = Asked { talk: Endless(frame(TEXT, b"xx")), comes, bytes: 0 };
        peer.read_from(&mut transport, at(1)).unwrap();
        while peer.recv(at(1)).is_some() {}
        transport.bytes
    });
    assert_eq!(asked, [4096, 4096, 16384, 16384, 4096]);
}

/// Reads the same bytes again and again.
struct Endless(Vec<u8>);

impl io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let whole = buffer.len() / self.0.len() * self.0.len();
        for chunk in buffer[..whole].chunks_mut(self.0.len()) {
            chunk.copy_from_slice(&self.0);
        }
        Ok(whole)
    }
}

use io::Read as _;

#[test]
fn a_torrent_of_talk_keeps_nobody_alive_where_only_pongs_count() {
    let config = CONFIG.to_builder().evidence(Evidence::PongOnly).build().unwrap();
    let mut peer = server(config);
    let mut talk = Endless(frame(TEXT, b"x"));
    let mut now = at(0);
    while peer.offline().is_none() && now < at(120) {
        now += Duration::from_millis(100);
        // The caller goes on reading, and never reads everything.
        for _ in 0..100 {
            if peer.recv(now).is_none() && peer.wants_read(now) {
                peer.read_from(&mut talk, now).unwrap();
            }
        }
        polled(&mut peer, now);
        sent(&mut peer, now);
    }
    assert_eq!(peer.offline().map(|offline| offline.reason()), Some(Reason::PingTimeout));
    // `Unread` delays the verdict once, by the clock that ran out.
    assert!(
        now <= at(0) + config.for_drivers().detection_bound(Duration::from_millis(100)) + config.timeout()
    );
}

#[test]
fn an_abandoned_connection_tells_its_observers_and_its_peer() {
    use std::sync::{Arc, Mutex};
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut peer = server(CONFIG);
    let seen = Arc::clone(&log);
    peer.observe(liveness::OnAction::new(move |action, _: &_| seen.lock().unwrap().push(action)), at(0));
    peer.abandon(at(1));
    let expected = [
        Action::MarkOffline(Reason::LocalClosed),
        Action::Close(Some(CloseCode::GOING_AWAY)),
        Action::Disconnect,
    ];
    assert_eq!(*log.lock().unwrap(), expected);
    let mut wire = Vec::new();
    peer.write_rest(&mut wire).unwrap();
    assert_eq!(opcodes(&wire), [8]);
}

/// The peer's last message is handled before the end is reported.
#[test]
fn a_write_that_fails_comes_after_the_last_words() {
    for (last_words, reason) in
        [(close(4000, ""), Reason::PeerClosed(Some(4000))), (frame(PONG, b"?"), Reason::TransportClosed)]
    {
        let mut peer = server(CONFIG);
        peer.send(Message::text("anybody?"), at(1)).unwrap();
        assert_eq!(peer.write_to(&mut Broken, at(1)).unwrap(), 0);
        assert!(polled(&mut peer, at(1)).is_empty() && !peer.wants_write());
        hear(&mut peer, &last_words, at(1));
        assert_eq!(polled(&mut peer, at(1))[0], Action::MarkOffline(reason));
        let offline = peer.offline().unwrap();
        assert_eq!(offline.cause().is_some(), reason == Reason::TransportClosed, "{offline}");
    }
}

/// A peer that goes on flooding after its verdict is read in shares, with a rest after each. If a loop comes so late that
/// the rest is over already, it is told to take its turn now, and not to wait for `close_timeout`.
#[test]
fn a_late_loop_finds_the_end_behind_a_flood_after_the_verdict() {
    let patient = CONFIG.to_builder().close_timeout(Duration::from_secs(3600)).build().unwrap();
    let mut server = server(patient);
    for _ in 0..10 {
        hear(&mut server, &frame(PING, b"!").repeat(20), at(1));
        sent(&mut server, at(1));
    }
    assert!(polled(&mut server, at(1)).contains(&Action::MarkOffline(Reason::PingFlood)));
    sent(&mut server, at(1));
    server.receive(&frame(PING, b"!").repeat(1000), at(1));
    server.receive_end(Ok(()), at(1));
    let (mut now, mut turns) = (at(1), 0);
    while !polled(&mut server, now).contains(&Action::Disconnect) {
        now += Duration::from_millis(7);
        let due = server.poll_timeout(now).unwrap();
        assert!(due <= at(10), "after {turns} turns it waits until {due}");
        now = now.max(due);
        turns += 1;
    }
    // A share is 64 frames, and there were a thousand.
    assert!((10..30).contains(&turns), "{turns}");
}
