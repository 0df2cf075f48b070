//! Clients that break the rules, all at once, in two rounds. Afterwards the server holds as much as before.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::{Change, Example, Server, reason};
use liveness_testing::eventually;
use liveness_testing::host::is_timeout;
use liveness_testing::raw_peer::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, REQUEST, TEXT, close, code_and_text, frame, header, millis, part,
    sleep, unmasked,
};

const MIB: u64 = 1 << 20;

/// The HTTP status for a client whose handshake is refused. `None`: any part of the answer may arrive, because the server
/// hung up before it had read everything.
type Status = Option<&'static str>;

/// Sends these bytes. The server then hangs up: axum after an answer in HTTP, the others without an answer.
fn refused(server: &Server, bytes: &[u8], by_axum: Status) {
    let mut stream = server.dial();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let expected = if server.example == Example::Axum { by_axum } else { Some("") };
    if expected.is_some_and(|status| !status.is_empty()) {
        // axum drops its answer if the client has closed its half, and otherwise keeps the connection for the next
        // request. So read the answer first.
        answer.resize(12, 0);
        stream.read_exact(&mut answer).unwrap();
    }
    // None of these requests is complete, so this is its end.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.get(9..12).unwrap_or("");
    let request = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
    assert!(expected.is_none_or(|expected| status == expected), "{answer:?} to {request}");
    assert_ne!(status, "101", "to {request}");
}

fn handshakes(server: &Server) {
    refused(server, b"", Some(""));
    refused(server, &REQUEST[..60], Some(""));
    refused(server, &[0xff; 300], Some("400"));
    refused(server, &[b'x'; 100_000], None);
    refused(server, b"\r\n\r\n", Some(""));
    refused(server, &frame(TEXT, b"no handshake"), Some("400"));
    let request = String::from_utf8(REQUEST.to_vec()).unwrap();
    for (right, wrong, by_axum) in [
        ("GET / HTTP/1.1", "POST / HTTP/1.1", "405"),
        ("HTTP/1.1", "HTTP/1.0", "426"),
        ("HTTP/1.1", "HTTP/9.9", "400"),
        ("Version: 13", "Version: 12", "400"),
        ("Upgrade: websocket", "Upgrade: h2c", "400"),
        ("Connection: Upgrade", "Connection: close", "400"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Lock", "400"),
    ] {
        refused(server, request.replacen(right, wrong, 1).as_bytes(), Some(by_axum));
    }
    let large = format!("X-Large: {}\r\n\r\n", "x".repeat(500_000));
    refused(server, request.replace("\r\n\r\n", &format!("\r\n{large}")).as_bytes(), None);
    let many: String = (0..1000).map(|n| format!("X-{n}: {n}\r\n")).collect();
    refused(server, request.replace("\r\n\r\n", &format!("\r\n{many}\r\n")).as_bytes(), None);
}

/// Frames that break the protocol are refused with a code, and the connection ends. All the peers wait for that together.
fn frames(server: &Server) {
    let offences = [
        (unmasked(TEXT, b"bare"), 1002),
        (part(FIN | 0x40 | TEXT, b"x"), 1002),
        (frame(3, b"x"), 1002),
        (frame(11, b"x"), 1002),
        (frame(PING, &[0; 126]), 1002),
        (part(PING, b"x"), 1002),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(CLOSE, b"x"), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (header(FIN | BINARY, 1 << 63), 1009),
        (header(FIN | BINARY, 65 * MIB), 1009),
    ];
    let offenders = offences.map(|(bytes, code)| {
        let mut peer = server.peer();
        peer.write(&bytes);
        (peer, bytes, code)
    });
    for (mut peer, bytes, code) in offenders {
        assert_eq!(code_and_text(&peer.final_close()).0, code, "{bytes:?}");
    }
}

/// Half a request, then silence. The server gives up after ten seconds, except `axum::serve`: its requests have no
/// deadline.
fn half_a_request(example: Example) {
    let server = Server::start(example, &[]);
    let mut stream = server.dial();
    stream.write_all(&REQUEST[..REQUEST.len() / 2]).unwrap();
    if example == Example::Axum {
        stream.set_read_timeout(Some(millis(11_000))).unwrap();
        assert!(is_timeout(&stream.read(&mut [0; 100]).unwrap_err()));
    } else {
        assert_let_go(&mut stream);
    }
    assert!(server.lives().is_empty());
    server.assert_no_complaint();
}

/// The server ends the connection without an answer, before our read times out.
#[track_caller]
pub(super) fn assert_let_go(stream: &mut TcpStream) {
    match stream.read(&mut [0; 100]) {
        Ok(bytes) => assert_eq!(bytes, 0),
        Err(error) => assert!(!is_timeout(&error), "{error}"),
    }
}

fn reset(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Ends in the middle of something, with a FIN or a reset.
fn cuts(server: &Server) {
    let whole = frame(BINARY, &[0; 1000]);
    for cut in [0, 1, 5, 500] {
        for hard in [false, true] {
            let mut peer = server.peer();
            peer.write(&whole[..cut]);
            if hard {
                reset(&peer.0);
            }
        }
    }
    // While the server writes.
    for hard in [false, true] {
        let mut peer = server.peer();
        peer.write(&frame(TEXT, format!("flood {}", 10 * MIB).as_bytes()));
        peer.0.read_exact(&mut [0; 100_000]).unwrap();
        if hard {
            reset(&peer.0);
        }
    }
    // Before and in the middle of the handshake.
    for bytes in [&b""[..], &REQUEST[..30]] {
        let mut stream = server.dial();
        stream.write_all(bytes).unwrap();
        reset(&stream);
    }
}

/// Sends only pings, and does not stop after the Close.
fn flood_pings(server: &Server) {
    server.peer().write_until_the_end(&frame(PING, b"!").repeat(500), millis(1));
}

/// One peer freezes. One asks for more than two kernels can buffer, and reads none of it. Both keep their sockets until
/// they are given up.
///
/// The second is given up for either reason, because its ping may have gone out before the flood or may wait behind it.
fn read_nothing(server: &Server) {
    let given_up = || {
        let by_a_clock = |life: &Vec<Change>| {
            matches!(reason(life), "ping-timeout" | "write-stalled")
                && life.last().unwrap().what == "disconnect"
        };
        server.lives().values().filter(|life| by_a_clock(life)).count()
    };
    let before = given_up();
    let _frozen = server.peer();
    let mut stuck = server.peer();
    stuck.write(&frame(TEXT, b"flood 40000000"));
    eventually("both are given up", || given_up() == before + 2);
}

/// A peer that behaves well.
fn behave(server: &Server) {
    let mut peer = server.peer();
    peer.write(&frame(TEXT, b"hello"));
    assert_eq!(peer.next_of(TEXT).1, b"hello");
    peer.write(&frame(TEXT, b"flood 300000"));
    for (opcode, len) in server.example.flood(300_000) {
        assert_eq!(peer.next_of(opcode).1.len(), len);
    }
    // One large frame that takes longer than the timeout.
    peer.write(&header(FIN | BINARY, 100_000));
    for _ in 0..50 {
        peer.write(&[5; 2000]);
        sleep(millis(80));
    }
    assert_eq!(peer.next_of(BINARY).1.len(), 100_000);
    peer.write(&close(1000, "bye"));
    assert_eq!(code_and_text(&peer.final_close()).0, 1000);
}

fn round(server: &Server) {
    thread::scope(|scope| {
        for act in [handshakes, frames, cuts, flood_pings, read_nothing, behave] {
            scope.spawn(move || act(server));
        }
    });
    server.assert_proper_lives();
}

with_each_server!(hostile_clients_leave_the_server_as_it_was);

fn hostile_clients_leave_the_server_as_it_was(example: Example) {
    // No busy machine is so slow that a client of this test is late.
    let server = Server::start(example, &["--interval", "300ms", "--timeout", "3s", "--close-timeout", "2s"]);
    #[cfg(target_os = "linux")]
    let before = super::resources::Resources::of(&server);
    thread::scope(|scope| {
        // It takes long, and everything else goes on meanwhile.
        let half = scope.spawn(|| half_a_request(example));
        round(&server);
        #[cfg(target_os = "linux")]
        let between = before.wait_for(&server);
        round(&server);
        #[cfg(target_os = "linux")]
        before.wait_for(&server).assert_memory_near(&between);
        half.join().unwrap();
    });
    let lives = server.assert_proper_lives();
    for (expected, at_least) in [
        ("protocol-error 1002", 16),
        ("protocol-error 1007", 2),
        ("protocol-error 1009", 4),
        ("ping-flood", 2),
        ("ping-timeout", 2),
        ("transport-closed", 16),
        ("peer-closed 1000", 2),
    ] {
        let count = lives.values().filter(|life| reason(life) == expected).count();
        assert!(count >= at_least, "{count} ended by {expected}, not {at_least}");
    }
}

with_each_server!(who_leaves_in_the_middle_of_its_answers_is_not_waited_for);

/// It asks for more than the server reads at a time, takes none of the answers, and is gone. No clock may find that out.
fn who_leaves_in_the_middle_of_its_answers_is_not_waited_for(example: Example) {
    let server = Server::start(example, &["--timeout", "3600s"]);
    for hard in [false, true] {
        for messages in [20, 200] {
            let mut peer = server.peer();
            peer.write(&[frame(BINARY, &[7; 10_000]).repeat(messages), close(1000, "")].concat());
            if hard {
                reset(&peer.0);
            }
        }
    }
    let lives = server.assert_proper_lives();
    let ends: Vec<_> = lives.values().map(|life| reason(life)).collect();
    assert!(ends.iter().all(|end| matches!(*end, "transport-closed" | "peer-closed 1000")), "{ends:?}");
}

with_each_server!(who_breaks_the_rules_and_hangs_up_is_not_waited_for);

/// axum gives no access to the bytes that follow, so its connection is kept for the whole of `close_timeout`.
fn who_breaks_the_rules_and_hangs_up_is_not_waited_for(example: Example) {
    let close_timeout = if example == Example::Axum { "1s" } else { "3600s" };
    let server = Server::start(example, &["--close-timeout", close_timeout]);
    frames(&server);
    let lives = server.assert_proper_lives();
    assert_eq!(lives.len(), 11);
    for life in lives.values() {
        let [.., offline, disconnect] = &life[..] else { panic!("{life:?}") };
        assert!(reason(life).starts_with("protocol-error"), "{life:?}");
        // Both times are rounded.
        assert!(example != Example::Axum || disconnect.at - offline.at > 0.99, "{life:?}");
    }
}
