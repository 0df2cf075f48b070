//! The whole process is stopped for several bounds, as a laptop's lid or a swapping host does it: nobody is lost.
//!
//! Whatever is going on at that moment, and wherever in its cycle of pings each connection is.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tungstenite::Message;

use super::{Example, Server, reason};
use liveness_testing::host::live_for;
use liveness_testing::raw_peer::{
    BINARY, FIN, PING, PONG, Peer, REQUEST, TEXT, close, frame, header, millis, sleep,
};

const STALL: std::time::Duration = millis(3000);
const AFTER: std::time::Duration = millis(1500);

impl Server {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

/// Answers pings, and talks or not.
fn idle(server: &Server, number: u64) {
    sleep(millis(60 * number));
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
    sleep(millis(500));
    // The server is stopped in the next 0.3 s, and wakes to the second half.
    sleep(STALL);
    peer.write(&[1; 5_000]);
    assert_eq!(peer.next_of(BINARY).1.len(), 10_000);
    peer.write(&close(1000, ""));
    peer.final_close();
}

/// The stall comes in the middle of the handshake.
fn half_way(server: &Server) {
    let mut stream = server.dial();
    stream.write_all(&REQUEST[..50]).unwrap();
    sleep(millis(800) + STALL);
    stream.write_all(&REQUEST[50..]).unwrap();
    let mut response = [0; 12];
    stream.read_exact(&mut response).unwrap();
    assert_eq!(&response, b"HTTP/1.1 101");
}

/// The stall comes in the middle of a download, whose reader is slow by itself.
fn downloading(server: &Server) {
    let mut peer = server.peer();
    peer.write(&frame(TEXT, b"flood 12000000"));
    sleep(millis(300));
    let mut peer = Peer(Interrupted { stream: peer.0, before: 6_000_000 });
    for (opcode, len) in server.example.flood(12_000_000) {
        assert_eq!(peer.next_of(opcode).1.len(), len);
    }
    peer.write(&close(1000, ""));
    peer.final_close();
}

/// A stream that pauses once, for longer than the stall, after so many bytes.
struct Interrupted {
    stream: TcpStream,
    before: usize,
}

impl Read for Interrupted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        if self.before > 0 {
            self.before = self.before.saturating_sub(count);
            if self.before == 0 {
                sleep(millis(500) + STALL);
            }
        }
        Ok(count)
    }
}

impl Write for Interrupted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
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
        sleep(millis(700));
        server.signal(Signal::STOP);
        sleep(STALL);
        server.signal(Signal::CONT);
        // Who is dead is found out all the same.
        sleep(AFTER - millis(200));
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

/// What the clients of the cycle share.
#[derive(Default)]
struct Cycle {
    /// How many have a ping and have not answered it yet.
    asked: AtomicUsize,
    /// How many pings each had got in the end.
    pings: Mutex<Vec<u32>>,
    over: AtomicBool,
}

const CLIENTS: usize = 24;

/// Each client takes its own time to answer, up to six tenths of the timeout, so that at any moment some of them owe an
/// answer, some have one under way, and the others wait for their next ping, all at another time.
fn go_round(server: &Server, number: usize, cycle: &Cycle) {
    let patience = millis(25 * number as u64);
    let mut peer = server.peer();
    let mut pings = 0;
    while !cycle.over.load(Relaxed) {
        let (_, payload) = peer.next_of(PING);
        cycle.asked.fetch_add(1, Relaxed);
        sleep(patience);
        peer.write(&frame(PONG, &payload));
        cycle.asked.fetch_sub(1, Relaxed);
        pings += 1;
    }
    cycle.pings.lock().unwrap().push(pings);
    peer.write(&close(1000, ""));
    peer.final_close();
}

with_each_server!(a_server_may_be_stopped_in_any_phase_of_the_cycle_again_and_again);

fn a_server_may_be_stopped_in_any_phase_of_the_cycle_again_and_again(example: Example) {
    let server = Server::start(example, &["--interval", "400ms", "--timeout", "1s"]);
    let cycle = Cycle::default();
    let mut asked = Vec::new();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (server, cycle) = (&server, &cycle);
            scope.spawn(move || go_round(server, number, cycle));
        }
        // Two bounds each, and between them less than a cycle, a cycle, and more.
        for awake in [1100, 300, 700, 500] {
            sleep(millis(awake));
            server.signal(Signal::STOP);
            asked.push(cycle.asked.load(Relaxed));
            sleep(millis(3000));
            server.signal(Signal::CONT);
        }
        sleep(millis(1500));
        cycle.over.store(true, Relaxed);
    });
    assert!(asked.iter().any(|asked| (1..CLIENTS).contains(asked)), "all in the same phase: {asked:?}");
    let lives = server.assert_proper_lives();
    assert_eq!(lives.len(), CLIENTS);
    for life in lives.values() {
        assert_eq!(reason(life), "peer-closed 1000", "{life:?}");
    }
    let pings = cycle.pings.into_inner().unwrap();
    assert!(pings.iter().all(|pings| *pings >= 5), "they were pinged between the stops, too: {pings:?}");
}
