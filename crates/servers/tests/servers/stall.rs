//! The whole process is stopped for several detection bounds, as a closed laptop or a swapping host does it. No peer is
//! lost, whatever goes on at that moment, and wherever in its cycle of pings each connection is.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tungstenite::Message;

use super::{Change, Example, Server, reason};
use liveness_testing::eventually;
use liveness_testing::host::live_for;
use liveness_testing::raw_peer::{
    BINARY, FIN, PING, PONG, Peer, REQUEST, TEXT, close, frame, header, millis, sleep,
};

/// A timeout that is longer than any delay of a busy machine, and a stall of two detection bounds.
const FLAGS: [&str; 6] = ["--interval", "250ms", "--timeout", "2s", "--close-timeout", "1s"];
const STALL: Duration = millis(4500);

/// The phase of the test. The clients wait for a phase, and not for a time.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Phase {
    Gathering,
    Ready,
    Stopped,
    GoesOn,
    Over,
}

struct Stage {
    server: Server,
    phase: Mutex<Phase>,
}

impl Stage {
    fn begin(&self, phase: Phase) {
        *self.phase.lock().unwrap() = phase;
    }

    fn has_begun(&self, phase: Phase) -> bool {
        *self.phase.lock().unwrap() >= phase
    }

    fn wait_for(&self, phase: Phase) {
        eventually(&format!("{phase:?}"), || self.has_begun(phase));
    }
}

impl Server {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child().unwrap()), signal).unwrap();
    }
}

/// Answers pings. Every second client also talks.
fn idle(stage: &Stage, number: u64) {
    sleep(millis(60 * number));
    let mut client = tungstenite::client("ws://localhost/", stage.server.dial()).unwrap().0;
    if number % 2 == 0 {
        client.send(Message::text("hello")).unwrap();
    }
    while !stage.has_begun(Phase::Over) {
        live_for(&mut client, millis(100));
    }
}

/// The stall comes in the middle of a frame. The other half of the frame comes during the stall.
fn interrupted(stage: &Stage) {
    let mut peer = stage.server.peer();
    stage.wait_for(Phase::Ready);
    peer.write(&header(FIN | BINARY, 10_000));
    peer.write(&[1; 5_000]);
    stage.wait_for(Phase::Stopped);
    peer.write(&[1; 5_000]);
    assert_eq!(peer.next_of(BINARY).1.len(), 10_000);
    peer.write(&close(1000, ""));
    peer.final_close();
}

/// The stall comes in the middle of the handshake.
fn half_way(stage: &Stage) {
    let mut stream = stage.server.dial();
    stream.write_all(&REQUEST[..50]).unwrap();
    stage.wait_for(Phase::GoesOn);
    stream.write_all(&REQUEST[50..]).unwrap();
    let mut response = [0; 12];
    stream.read_exact(&mut response).unwrap();
    assert_eq!(&response, b"HTTP/1.1 101");
}

/// The stall comes in the middle of a download. Its reader pauses too.
fn downloading(stage: &Stage) {
    let mut peer = stage.server.peer();
    stage.wait_for(Phase::Ready);
    peer.write(&frame(TEXT, b"flood 12000000"));
    let mut peer = Peer(Interrupted { stream: peer.0, before: 6_000_000, stage });
    for (opcode, len) in stage.server.example.flood(12_000_000) {
        assert_eq!(peer.next_of(opcode).1.len(), len);
    }
    peer.write(&close(1000, ""));
    peer.final_close();
}

/// A stream that pauses once after `before` bytes, until the stall is over.
struct Interrupted<'a> {
    stream: TcpStream,
    before: usize,
    stage: &'a Stage,
}

impl Read for Interrupted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        if self.before > 0 {
            self.before = self.before.saturating_sub(count);
            if self.before == 0 {
                self.stage.wait_for(Phase::GoesOn);
            }
        }
        Ok(count)
    }
}

impl Write for Interrupted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

with_each_server!(a_server_that_was_stopped_for_several_bounds_loses_nobody);

fn a_server_that_was_stopped_for_several_bounds_loses_nobody(example: Example) {
    let stage = Stage { server: Server::start(example, &FLAGS), phase: Mutex::new(Phase::Gathering) };
    let (stage, server) = (&stage, &stage.server);
    let frozen = thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || idle(stage, number));
        }
        for act in [interrupted, half_way, downloading] {
            scope.spawn(move || act(stage));
        }
        // All except `half_way`, which is in its handshake.
        eventually("they are online", || server.count("online") == 10);
        stage.begin(Phase::Ready);
        let frozen = server.peer();
        sleep(millis(500));
        server.signal(Signal::STOP);
        stage.begin(Phase::Stopped);
        sleep(STALL);
        server.signal(Signal::CONT);
        stage.begin(Phase::GoesOn);
        // A dead peer is still found.
        let given_up = |life: &Vec<Change>| reason(life) == "ping-timeout";
        eventually("the frozen one is given up", || server.lives().values().any(given_up));
        eventually("the rest are online", || server.count("online") == 12);
        stage.begin(Phase::Over);
        frozen
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
    /// How many pings each has answered.
    answered: [AtomicUsize; CLIENTS],
    over: AtomicBool,
}

const CLIENTS: usize = 24;

/// Each client takes its own time to answer, up to a quarter of the timeout. So at any moment some of them have a ping to
/// answer, some have an answer under way, and the others wait for their next ping.
fn go_round(server: &Server, number: usize, cycle: &Cycle) {
    let patience = millis(25 * number as u64);
    let mut peer = server.peer();
    while !cycle.over.load(Relaxed) {
        let (_, payload) = peer.next_of(PING);
        cycle.asked.fetch_add(1, Relaxed);
        sleep(patience);
        peer.write(&frame(PONG, &payload));
        cycle.asked.fetch_sub(1, Relaxed);
        cycle.answered[number].fetch_add(1, Relaxed);
    }
    peer.write(&close(1000, ""));
    peer.final_close();
}

with_each_server!(a_server_may_be_stopped_in_any_phase_of_the_cycle_again_and_again);

fn a_server_may_be_stopped_in_any_phase_of_the_cycle_again_and_again(example: Example) {
    let server = Server::start(example, &["--interval", "400ms", "--timeout", "2500ms"]);
    let cycle = Cycle::default();
    let mut asked = Vec::new();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (server, cycle) = (&server, &cycle);
            scope.spawn(move || go_round(server, number, cycle));
        }
        // Each stop is longer than a detection bound. The time between two stops is shorter than a cycle, as long, or
        // longer.
        for awake in [1100, 300, 700, 500] {
            sleep(millis(awake));
            server.signal(Signal::STOP);
            asked.push(cycle.asked.load(Relaxed));
            sleep(millis(3300));
            server.signal(Signal::CONT);
        }
        // Some of these answers came between the stops.
        eventually("they go on", || cycle.answered.iter().all(|answered| answered.load(Relaxed) >= 6));
        cycle.over.store(true, Relaxed);
    });
    println!("{asked:?} had a ping to answer");
    let lives = server.assert_proper_lives();
    assert_eq!(lives.len(), CLIENTS);
    for life in lives.values() {
        assert_eq!(reason(life), "peer-closed 1000", "{life:?}");
    }
}
