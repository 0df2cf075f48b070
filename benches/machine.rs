//! What a machine costs, beside what a driver pays anyhow: reading the clock, parsing a small frame.
//!
//! `cargo bench --bench machine`

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use divan::Bencher;
use liveness::{Action, Config, Event, Liveness, Timestamp};
use tungstenite::WebSocket;
use tungstenite::protocol::Role;

fn main() {
    divan::main();
}

const STEP: Duration = Duration::from_micros(1);

/// A machine that has been online for a while.
fn machine() -> (Liveness, Timestamp) {
    let mut machine = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
    while machine.poll(Timestamp::ZERO).is_some() {}
    (machine, Timestamp::ZERO)
}

#[divan::bench(args = [Event::Data, Event::Progress, Event::Wrote, Event::Pong(b"foreign!")])]
fn handle(bencher: Bencher<'_, '_>, event: Event<'_>) {
    // Without a limit: a flood of pongs would end the life, and what comes after costs nothing.
    let config = Config::builder().no_control_budget().build_const();
    let (mut machine, mut now) = (Liveness::new(config, 7, Timestamp::ZERO), Timestamp::ZERO);
    bencher.bench_local(|| {
        now += STEP;
        black_box(&mut machine).handle(black_box(event), black_box(now));
    });
}

#[divan::bench]
fn poll_not_due(bencher: Bencher<'_, '_>) {
    let (mut machine, now) = machine();
    bencher.bench_local(|| black_box(&mut machine).poll(black_box(now)));
}

#[divan::bench]
fn poll_timeout(bencher: Bencher<'_, '_>) {
    let (machine, _) = machine();
    bencher.bench_local(|| black_box(&machine).poll_timeout());
}

/// A ping handed out, its answer, and the poll that finds nothing more to do.
#[divan::bench]
fn ping_cycle(bencher: Bencher<'_, '_>) {
    let (mut machine, mut now) = machine();
    bencher.bench_local(|| {
        now += Config::DEFAULT.interval();
        let Some(Action::SendPing(payload)) = machine.poll(now) else { panic!("no ping at {now}") };
        machine.handle(Event::Pong(payload.as_bytes()), now + STEP);
        machine.poll(now + STEP)
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
    let mut socket = WebSocket::from_raw_socket(Frames { at: 0 }, Role::Client, None);
    bencher.bench_local(|| socket.read().expect("frames without end"));
}

/// The same frame, for ever.
struct Frames {
    at: usize,
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const FRAME: &[u8] = b"\x81\x05hello";
        for byte in &mut *buffer {
            *byte = FRAME[self.at];
            self.at = (self.at + 1) % FRAME.len();
        }
        Ok(buffer.len())
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
