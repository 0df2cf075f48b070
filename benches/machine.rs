//! What a machine costs, beside what a driver pays anyhow: reading the clock, parsing a small frame.
//!
//! `cargo bench --bench machine`
//!
//! Events are literals where they are handed in, as in a driver. The machine and the time are hidden from the compiler, so that
//! nothing is computed in advance; what comes back is only compared with nothing, as a driver does.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::Instant;

use divan::Bencher;
use liveness::{Action, Config, Event, Liveness, Payload, Timestamp};
use tungstenite::WebSocket;
use tungstenite::protocol::Role;

fn main() {
    divan::main();
}

const NOW: Timestamp = Timestamp::from_secs(1);
/// By then a ping is due, whatever the jitter.
const DUE: Timestamp = Timestamp::from_secs(21);

/// A machine that is online.
fn machine() -> Liveness {
    let mut machine = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
    while machine.poll(Timestamp::ZERO).is_some() {}
    machine
}

/// Polls it for the ping that is due.
#[track_caller]
fn ping(machine: &mut Liveness, now: Timestamp) -> Payload {
    let Some(Action::SendPing(payload)) = machine.poll(now) else { panic!("no ping at {now}") };
    payload
}

#[divan::bench]
fn data(bencher: Bencher<'_, '_>) {
    let mut machine = machine();
    bencher.bench_local(|| black_box(&mut machine).handle(Event::Data, black_box(NOW)));
}

#[divan::bench]
fn progress(bencher: Bencher<'_, '_>) {
    let mut machine = machine();
    bencher.bench_local(|| black_box(&mut machine).handle(Event::Progress, black_box(NOW)));
}

/// Answers a ping. Each answer needs a machine that waits for one; so few at once that all lie in the nearest cache.
#[divan::bench(sample_size = 64, sample_count = 1000)]
fn pong(bencher: Bencher<'_, '_>) {
    let waiting = || {
        let mut machine = machine();
        let payload = ping(&mut machine, DUE);
        (machine, payload)
    };
    bencher.with_inputs(waiting).bench_local_refs(|(machine, payload)| {
        black_box(machine).handle(Event::Pong(payload.as_bytes()), black_box(DUE));
    });
}

#[divan::bench]
fn poll_not_due(bencher: Bencher<'_, '_>) {
    let mut machine = machine();
    machine.handle(Event::Data, Timestamp::ZERO);
    bencher.bench_local(|| black_box(&mut machine).poll(black_box(Timestamp::ZERO)).is_some());
}

#[divan::bench]
fn poll_timeout(bencher: Bencher<'_, '_>) {
    let machine = machine();
    bencher.bench_local(|| black_box(&machine).poll_timeout());
}

/// A ping handed out, its answer, and the poll that finds nothing more to do.
#[divan::bench]
fn ping_cycle(bencher: Bencher<'_, '_>) {
    let (mut machine, mut now) = (machine(), Timestamp::ZERO);
    bencher.bench_local(|| {
        now += Config::DEFAULT.interval();
        let now = black_box(now);
        let machine = black_box(&mut machine);
        let payload = ping(machine, now);
        machine.handle(Event::Pong(payload.as_bytes()), now);
        machine.poll(now).is_some()
    });
}

#[divan::bench]
#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn peer_instant_now() -> Instant {
    Instant::now()
}

/// Tungstenite reading one text message of five letters from memory.
#[divan::bench]
fn peer_tungstenite_reads_a_small_frame(bencher: Bencher<'_, '_>) {
    const FRAME: &[u8] = b"\x81\x05hello";
    let frames = Frames { frames: FRAME.repeat(4096), at: 0 };
    let mut socket = WebSocket::from_raw_socket(frames, Role::Client, None);
    // The first read fills the buffer, and divan takes its measure from the first call.
    let _ = socket.read().expect("frames without end");
    bencher.bench_local(|| socket.read().expect("frames without end"));
}

/// The same frames, for ever. Copied in large pieces, so that the copy is not what is measured.
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
