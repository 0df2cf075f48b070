//! Lives of a blocking `LiveSocket`.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use liveness::Clock;
use liveness::driver::tungstenite::{BlockingSocket, CountingSocket, LiveSocket, accept_raw};
use liveness_testing::raw_peer::REQUEST;
use tungstenite::Message;

use super::life::{Caller, Fate, Life, SECONDS, Told, lives, lives_call_by_call, observe};
use super::moment::{self, Seen, below, preempt};
use super::wire::{Client, Wire};

/// The socket's end of the transport.
struct Socket;

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = moment::use_wire(|wire, now| wire.read(buffer.len(), now));
        let bytes = bytes.ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match moment::use_wire(|wire, now| wire.write(bytes, now)) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        preempt();
        Ok(())
    }
}

impl BlockingSocket for Socket {
    fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn wait(&self, read: bool, write: bool, timeout: Option<Duration>) -> io::Result<bool> {
        match timeout {
            // The driver counted it from its last reading of the clock.
            Some(timeout) => {
                moment::set_timer(moment::with(|moment| moment.read) + timeout);
            }
            None => preempt(),
        }
        let start = moment::now();
        let end = timeout.map(|timeout| start + timeout);
        loop {
            let now = moment::now();
            let (readable, writable, next) = moment::with(|moment| {
                moment.catch_up();
                (moment.wire.is_readable(now), moment.wire.is_writable(), moment.wire.next(now))
            });
            if (read && readable) || (write && writable) || end.is_some_and(|end| end <= now) {
                moment::note_wait(start);
                preempt();
                return Ok(writable);
            }
            let next = next.into_iter().chain(end).min();
            moment::wait_until(next.unwrap_or_else(|| panic!("nothing wakes it at {now:?}")));
        }
    }

    fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        moment::use_wire(|wire, _| wire.shut = true);
        Ok(())
    }
}

type Live = LiveSocket<CountingSocket<Socket>>;

fn open(life: &Life, told: &Told) -> Result<Live, String> {
    // The handshake comes before the life.
    let start = moment::now();
    moment::with(|moment| moment.wire = Wire::new(Client::default(), 10_000, start, 0).request(REQUEST));
    let ready = accept_raw(Socket, None).map_err(|error| error.to_string())?;
    life.begin();
    let mut live =
        ready.watch_with_clock(life.config, Clock::with_source(moment::read)).observe(observe(told));
    if life.texts {
        live = live.dialect(liveness::dialect::TextHeartbeats);
    }
    Ok(live)
}

fn run(life: &Life, told: &Told) -> Result<(), String> {
    let mut live = open(life, told)?;
    match life.caller {
        Caller::Reads => read(&mut live, life),
        Caller::Both => both(&mut live, life),
        Caller::Writes => write(&mut live, life),
    }
    live.finish();
    Ok(())
}

/// The thread does something else now and then, when it has read all there was.
fn away(life: &Life, asked: Duration) {
    let now = moment::now();
    if now > asked && now < life.end && below(4) == 0 {
        moment::wait_until(life.end.min(now + Duration::from_micros(below(20 * SECONDS))));
    }
}

fn read(live: &mut Live, life: &Life) {
    loop {
        let asked = moment::now();
        if live.read().is_err() {
            return;
        }
        away(life, asked);
    }
}

/// It reads for a while, writes, and reads again.
fn both(live: &mut Live, life: &Life) {
    loop {
        let asked = moment::now();
        match live.read_within(Duration::from_micros(below(3 * SECONDS))) {
            Ok(Some(_)) => away(life, asked),
            Ok(None) => {
                let length = if moment::now() < life.end { below(300) } else { 1 };
                if live.send(Message::binary(vec![0; length as usize])).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

fn write(live: &mut Live, life: &Life) {
    loop {
        let length = if moment::now() < life.end { below(300) } else { 1 };
        if live.send(Message::binary(vec![0; length as usize])).is_err() {
            return;
        }
        moment::wait_until(moment::now() + Duration::from_micros(below(SECONDS / 2)));
    }
}

/// A law proves nothing of what its lives never reach.
fn reached(seen: Seen) {
    assert!(seen.leaps > 1_000 && seen.missed > 40, "{seen:?}");
    assert!(seen.late_bytes > 200 && seen.row < 40, "{seen:?}");
}

#[test]
fn a_socket_finds_a_dead_peer_whenever_its_thread_loses_the_processor() {
    reached(lives(Fate::Dies, true, run));
}

#[test]
fn a_socket_gives_no_live_peer_up_whenever_its_thread_loses_the_processor() {
    reached(lives(Fate::Lives, true, run));
}

#[test]
fn at_whichever_call_of_a_socket_its_thread_loses_the_processor_the_dead_are_found_and_the_living_spared() {
    for fate in [Fate::Dies, Fate::Lives] {
        let seen = lives_call_by_call(fate, true, run);
        assert!(seen.leaps > 800 && seen.late_bytes > 50, "{seen:?}");
    }
}

/// It takes its time for each, and there is always another. So it never waits for the socket, and a ping for which there was no
/// room must be tried again without that.
#[test]
fn a_socket_whose_caller_never_waits_for_a_message_gets_its_pings_out() {
    let client = Client {
        takes_within: SECONDS / 2,
        answers_within: SECONDS,
        talks_within: 1_000,
        ..Client::default()
    };
    let life = Life::plain(client, 8);
    let told = Told::default();
    let mut live = open(&life, &told).unwrap();
    for _ in 0..60_000 {
        live.read().unwrap();
        moment::wait_until(moment::now() + Duration::from_millis(1));
    }
    assert!(live.liveness().stats().answers >= 5, "{:?}", live.liveness());
}
