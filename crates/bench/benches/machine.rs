//! What a machine costs, compared with what a driver pays in any case: reading the clock, parsing a small frame.
//!
//! `cargo bench -p liveness-bench --bench machine`
//!
//! Each row is 64 calls, one on each of 64 machines that lie in the nearest cache. A single call would be shorter than
//! the measurement. Repeated calls on one machine would wait for each other's stores. So divide the times by 64; `item/s`
//! has done so already (1 Gitem/s is 1 ns each). The other libraries' rows are 64 calls too.
//!
//! Events are literals at the call, as in a driver. Machines and time are hidden from the compiler.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::ItemsCount;
use liveness::dialect::{Dialect, Message, OutBuffer, engine_io, graphql, hear};
use liveness::{Action, Config, Event, Liveness, Payload, Timestamp};
use tungstenite::WebSocket;
use tungstenite::protocol::Role;

fn main() {
    divan::main();
}

const MACHINES: usize = 64;
const STEP: Duration = Duration::from_nanos(1);
/// By this time a ping is due, whatever the jitter is.
const DUE: Timestamp = Timestamp::from_secs(21);

/// Machines that are online.
fn machines() -> Vec<Liveness> {
    let machine = |seed| {
        let mut machine = Liveness::new(Config::DEFAULT, seed, Timestamp::ZERO);
        while machine.poll(Timestamp::ZERO).is_some() {}
        machine
    };
    (0..MACHINES as u64).map(machine).collect()
}

/// Does something with each machine, a moment later each time.
fn each(bencher: Bencher<'_, '_>, step: Duration, act: impl Fn(&mut Liveness, Timestamp)) {
    let (mut machines, mut now) = (machines(), Timestamp::ZERO);
    bencher.counter(ItemsCount::new(MACHINES)).bench_local(|| {
        now += step;
        let now = black_box(now);
        black_box(&mut machines).iter_mut().for_each(|machine| act(machine, now));
    });
}

/// Polls a machine for the ping that is due.
#[track_caller]
fn ping(machine: &mut Liveness, now: Timestamp) -> Payload {
    let Some(Action::SendPing(payload)) = machine.poll(now) else { panic!("no ping at {now}") };
    payload
}

#[divan::bench]
fn data(bencher: Bencher<'_, '_>) {
    each(bencher, STEP, |machine, now| machine.handle(Event::Data, now));
}

#[divan::bench]
fn progress(bencher: Bencher<'_, '_>) {
    each(bencher, STEP, |machine, now| machine.handle(Event::Progress, now));
}

#[divan::bench]
fn wrote(bencher: Bencher<'_, '_>) {
    each(bencher, STEP, |machine, now| machine.handle(Event::Wrote, now));
}

/// Answers a ping. Each answer needs a machine that waits for one.
#[divan::bench(sample_size = 1, sample_count = 2000)]
fn pong(bencher: Bencher<'_, '_>) {
    let waiting = || {
        let mut machines = machines();
        let payloads: Vec<Payload> = machines.iter_mut().map(|machine| ping(machine, DUE)).collect();
        (machines, payloads)
    };
    bencher.counter(ItemsCount::new(MACHINES)).with_inputs(waiting).bench_local_refs(
        |(machines, payloads)| {
            for (machine, payload) in machines.iter_mut().zip(payloads) {
                machine.handle(Event::Pong(payload.as_bytes()), black_box(DUE));
            }
        },
    );
}

#[divan::bench]
fn poll_not_due(bencher: Bencher<'_, '_>) {
    each(bencher, STEP, |machine, now| {
        assert!(machine.poll(now).is_none());
    });
}

#[divan::bench]
fn poll_timeout(bencher: Bencher<'_, '_>) {
    each(bencher, STEP, |machine, _| {
        black_box(machine.poll_timeout());
    });
}

/// A ping handed out, its answer, and the poll that finds nothing more to do.
#[divan::bench]
fn ping_cycle(bencher: Bencher<'_, '_>) {
    each(bencher, Config::DEFAULT.interval(), |machine, now| {
        let payload = ping(machine, now);
        machine.handle(Event::Pong(payload.as_bytes()), now);
        assert!(machine.poll(now).is_none());
    });
}

/// What a dialect adds to a message: its own heartbeat, small data, and data that is too long to be read by it.
#[divan::bench(args = ["exact, its own", "exact, 200 bytes", "json, its own", "json, 200 bytes", "json, 300 bytes"])]
fn dialect(bencher: Bencher<'_, '_>, what: &str) {
    let (mut exact, mut json) = (engine_io::client(), graphql::TransportWs);
    let data = |length: usize| {
        format!(r#"{{"id":"1","type":"next","payload":{{"data":{{"text":"{}"}}}}}}"#, "x".repeat(length - 55))
    };
    let text = match what {
        "exact, its own" => "2".to_owned(),
        "json, its own" => r#"{"type":"ping"}"#.to_owned(),
        "json, 300 bytes" => data(300),
        _ => data(200),
    };
    let dialect: &mut dyn Dialect = if what.starts_with("exact") { &mut exact } else { &mut json };
    let mut answer = OutBuffer::new();
    bencher.counter(ItemsCount::new(MACHINES)).bench_local(|| {
        for _ in 0..MACHINES {
            let _ = black_box(hear(dialect, Message::Text(black_box(&text)), &mut answer));
        }
    });
}

#[divan::bench]
#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn peer_instant_now(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(MACHINES)).bench_local(|| {
        for _ in 0..MACHINES {
            black_box(Instant::now());
        }
    });
}

/// Tungstenite reading one text message of five letters from memory.
#[divan::bench]
fn peer_tungstenite_reads_a_small_frame(bencher: Bencher<'_, '_>) {
    const FRAME: &[u8] = b"\x81\x05hello";
    let frames = Frames { frames: FRAME.repeat(4096), at: 0 };
    let mut socket = WebSocket::from_raw_socket(frames, Role::Client, None);
    // The first read fills the buffer. Without it divan would tune itself by that slow call.
    let _ = socket.read().expect("frames without end");
    bencher.counter(ItemsCount::new(MACHINES)).bench_local(|| {
        for _ in 0..MACHINES {
            black_box(socket.read().expect("frames without end"));
        }
    });
}

/// The same frames without end. They are copied in large pieces, so that the copying is not measured.
struct Frames {
    frames: Vec<u8>,
    at: usize,
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.frames[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at = (self.at + length) % self.frames.len();
        Ok(length)
    }
}

impl Write for Frames {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
