//! The whole process is stopped for several bounds, as a laptop's lid or a swapping host does it: nobody is lost.

use std::io::{Read, Write};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tungstenite::Message;

use super::{Example, Server, reason};
use crate::sockets::live_for;
use crate::wire::{BINARY, FIN, Peer, REQUEST, TEXT, close, frame, header, millis, rest};

const STALL: std::time::Duration = millis(3000);
const AFTER: std::time::Duration = millis(1500);

impl Server {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

/// Answers pings, and talks or not.
fn idle(server: &Server, number: u64) {
    rest(millis(60 * number));
    let mut client = tungstenite::client("ws://localhost/", server.dial()).unwrap().0;
    if number % 2 == 0 {
        client.send(Message::text("hello")).unwrap();
    }
    live_for(&mut client, millis(800 - 60 * number) + STALL + AFTER);
}

/// The stall comes in the middle of a frame.
fn interrupted(server: &Server) {
    let mut peer = server.peer();
    peer.write(&header(FIN | BINARY, 10_000));
    peer.write(&[1; 5_000]);
    rest(millis(500));
    // The server is stopped in the next 0.3 s, and wakes to the second half.
    rest(STALL);
    peer.write(&[1; 5_000]);
    assert_eq!(peer.next_of(BINARY).1.len(), 10_000);
    peer.write(&close(1000, ""));
    peer.last_word();
}

/// The stall comes in the middle of the handshake.
fn half_way(server: &Server) {
    let mut stream = server.dial();
    stream.write_all(&REQUEST[..50]).unwrap();
    rest(millis(800) + STALL);
    stream.write_all(&REQUEST[50..]).unwrap();
    let mut response = [0; 12];
    stream.read_exact(&mut response).unwrap();
    assert_eq!(&response, b"HTTP/1.1 101");
}

/// The stall comes in the middle of a download, whose reader is slow by itself.
fn downloading(server: &Server) {
    let mut peer = server.peer();
    peer.write(&frame(TEXT, b"flood 12000000"));
    rest(millis(300));
    let mut peer = Peer(peer.0);
    let mut half = vec![0; 6_000_000];
    peer.0.read_exact(&mut half).unwrap();
    rest(millis(500) + STALL);
    let mut half = vec![0; 6_000_010];
    peer.0.read_exact(&mut half).unwrap();
    peer.write(&close(1000, ""));
    peer.last_word();
}

with_each_server!(a_server_that_was_stopped_for_several_bounds_loses_nobody);

fn a_server_that_was_stopped_for_several_bounds_loses_nobody(example: Example) {
    let server = Server::start(example, &["--interval", "250ms", "--timeout", "700ms"]);
    let server = &server;
    let frozen = server.peer();
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || idle(server, number));
        }
        for act in [interrupted, half_way, downloading] {
            scope.spawn(move || act(server));
        }
        rest(millis(700));
        server.signal(Signal::STOP);
        rest(STALL);
        server.signal(Signal::CONT);
        // Who is dead is found out all the same.
        rest(AFTER - millis(200));
    });
    let lives = server.assert_proper_lives();
    drop(frozen);
    assert_eq!(lives.len(), 12);
    let mut timeouts = 0;
    for life in lives.values() {
        match reason(life) {
            "ping-timeout" => timeouts += 1,
            "transport-closed" | "peer-closed 1000" => {}
            other => panic!("{other}: {life:?}"),
        }
    }
    assert_eq!(timeouts, 1, "the frozen one: {lives:?}");
}
