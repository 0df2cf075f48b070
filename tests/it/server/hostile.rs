//! Clients that break the rules, all at once, twice: the server is left as it was.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::{Change, Example, Server, eventually, reason};
use crate::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, REQUEST, TEXT, close, code_and_text, frame, header, millis, part,
    rest, unmasked,
};

const MIB: u64 = 1 << 20;

/// A client that never comes to be one: it sends this, and the server hangs up.
fn refused(server: &Server, bytes: &[u8]) {
    let mut stream = server.dial();
    let _ = stream.write_all(bytes);
    // A request that ends here is never a whole one.
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(bytes));
}

fn handshakes(server: &Server) {
    refused(server, b"");
    refused(server, &REQUEST[..60]);
    refused(server, &[0xff; 300]);
    refused(server, &[b'x'; 100_000]);
    refused(server, b"\r\n\r\n");
    refused(server, &frame(TEXT, b"no handshake"));
    let request = String::from_utf8(REQUEST.to_vec()).unwrap();
    for (right, wrong) in [
        ("GET / HTTP/1.1", "POST / HTTP/1.1"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("HTTP/1.1", "HTTP/9.9"),
        ("Version: 13", "Version: 12"),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Connection: Upgrade", "Connection: close"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Lock"),
    ] {
        refused(server, request.replacen(right, wrong, 1).as_bytes());
    }
    let large = format!("X-Large: {}\r\n\r\n", "x".repeat(200_000));
    refused(server, request.replace("\r\n\r\n", &format!("\r\n{large}")).as_bytes());
    let many: String = (0..1000).map(|n| format!("X-{n}: {n}\r\n")).collect();
    refused(server, request.replace("\r\n\r\n", &format!("\r\n{many}\r\n")).as_bytes());
}

/// A frame against the protocol: refused with a code, and the connection ends.
fn frames(server: &Server) {
    for (bytes, code) in [
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
    ] {
        let mut peer = server.peer();
        peer.write(&bytes);
        assert_eq!(code_and_text(&peer.last_word()).0, code, "{bytes:?}");
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
        peer.write(&frame(TEXT, format!("flood {}", 20 * MIB).as_bytes()));
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

/// Talks of nothing but pings, and does not stop when told to.
fn flood_pings(server: &Server) {
    server.peer().write_until_the_end(&frame(PING, b"!").repeat(500), millis(1));
}

/// One freezes; one asks for more than two kernels keep, and reads none of it. Both hold on until they are given up.
///
/// The second by either clock: its ping went out before the flood, or waits behind it.
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

/// The good ones among them.
fn behave(server: &Server) {
    let mut peer = server.peer();
    peer.write(&frame(TEXT, b"hello"));
    assert_eq!(peer.next_of(TEXT).1, b"hello");
    peer.write(&frame(TEXT, b"flood 300000"));
    assert_eq!(peer.next_of(BINARY).1.len(), 300_000);
    // One large frame that dribbles for longer than any timeout.
    peer.write(&header(FIN | BINARY, 100_000));
    for _ in 0..50 {
        peer.write(&[5; 2000]);
        rest(millis(40));
    }
    assert_eq!(peer.next_of(BINARY).1.len(), 100_000);
    peer.write(&close(1000, "bye"));
    assert_eq!(code_and_text(&peer.last_word()).0, 1000);
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
    let server = Server::start(example, &["--interval", "300ms", "--timeout", "700ms"]);
    #[cfg(target_os = "linux")]
    let before = super::resources::Resources::of(&server);
    thread::scope(|scope| {
        // Half a request, then silence: given up after ten seconds, while all the rest goes on.
        let half = scope.spawn(|| {
            let patient = Server::start(example, &[]);
            let mut stream = patient.dial();
            stream.write_all(&REQUEST[..REQUEST.len() / 2]).unwrap();
            assert_eq!(stream.read(&mut [0; 100]).unwrap_or(0), 0);
            assert!(patient.lives().is_empty());
            patient.assert_no_complaint();
        });
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
        ("local-closed", 22),
        ("ping-flood", 2),
        ("ping-timeout", 2),
        ("transport-closed", 16),
        ("peer-closed 1000", 2),
    ] {
        let count = lives.values().filter(|life| reason(life) == expected).count();
        assert!(count >= at_least, "{count} ended by {expected}, not {at_least}");
    }
}
