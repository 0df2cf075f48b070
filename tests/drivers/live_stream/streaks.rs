//! Messages whose bytes came together are handed out on a short way, unless somebody observes. An observer changes nothing, so
//! a life on the short way is the same life on the long one, moment for moment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::driver::tokio::clock;
use liveness::sim::Rng;
use liveness::{Clock, Config, Event, Input, Liveness, Observer, Timestamp};
use liveness_testing::raw_peer::{PING, PONG, TEXT, close, frame, part};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, split};
use tokio::time::{Instant, sleep};
use tungstenite::Message;

use super::support::{SECOND, over_bytes};

/// What the peer writes at once, and how long it waits before.
fn bursts(choices: &mut Rng) -> Vec<(Duration, Vec<u8>)> {
    let mut open = false;
    let mut burst = |choices: &mut Rng| {
        let mut bytes = Vec::new();
        for _ in 0..choices.below(12) {
            bytes.extend(match choices.below(20) {
                0 => frame(PING, b"there?"),
                1 => frame(PONG, b"unasked"),
                2 if !open => {
                    open = true;
                    part(TEXT, b"the first part")
                }
                3 if open => {
                    open = false;
                    part(0x80, b"the last part")
                }
                _ if open => frame(PING, b"between the parts"),
                _ => frame(TEXT, b"words"),
            });
        }
        bytes
    };
    let many = 1 + choices.below(20);
    let mut bursts: Vec<_> = (0..many)
        .map(|_| {
            (Duration::from_millis([0, 1, 40, 900, 4_900, 5_000][choices.below(6) as usize]), burst(choices))
        })
        .collect();
    match choices.below(4) {
        0 => bursts.push((SECOND, close(1000, "done"))),
        1 => bursts.push((SECOND, vec![0xff])),
        _ => {}
    }
    bursts
}

type Told = Arc<Mutex<Vec<(Duration, String)>>>;

/// Reads what the watched end writes. Its pings carry numbers that differ from life to life: only that they came is told.
async fn listen(mut stream: ReadHalf<DuplexStream>, start: Instant, told: Told) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        let mut frames = &bytes[..count];
        while let [first, length, rest @ ..] = frames {
            let (payload, others) = rest.split_at(usize::from(*length));
            let payload = if first & 0x0f == PING { &[] } else { payload };
            told.lock().unwrap().push((start.elapsed(), format!("peer: {first:#x} {payload:?}")));
            frames = others;
        }
    }
    told.lock().unwrap().push((start.elapsed(), "peer: end".to_owned()));
}

/// Clocks start on a grid of 2^25 ns, and tokio's timers ring on one of a millisecond. Here lines of both meet.
const BOTH_GRIDS: u64 = 15_625 << 25;

/// Everything that either end is told, with its moment.
async fn life(seed: u64, is_observed: bool, clock: Clock) -> Vec<(Duration, String)> {
    let past = clock.at(Instant::now().into_std()).as_nanos() % BOTH_GRIDS;
    sleep(Duration::from_nanos(BOTH_GRIDS - past)).await;
    let mut choices = Rng::new(seed);
    let (start, told) = (Instant::now(), Told::default());
    let config = Config::builder().interval(5 * SECOND).timeout(10 * SECOND).jitter(0).build().unwrap();
    let (mut live, theirs) = over_bytes(config, 1 << 16, None).await;
    if is_observed {
        live = live.on_action(|_, _| {});
    }
    let (from_us, mut to_us) = split(theirs);
    let peer = tokio::spawn(listen(from_us, start, Arc::clone(&told)));
    let script = bursts(&mut choices);
    let writer = tokio::spawn(async move {
        for (wait, bytes) in script {
            sleep(wait).await;
            if to_us.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // Silent from now on, and there.
        sleep(60 * SECOND).await;
    });
    while let Some(message) = live.next().await {
        told.lock().unwrap().push((start.elapsed(), format!("we: {message:?}")));
        match choices.below(30) {
            0 => sleep(Duration::from_millis(choices.below(6_000))).await,
            1 => drop(live.send(Message::text("our words")).await),
            2 => live.probe(),
            _ => {}
        }
    }
    told.lock().unwrap().push((start.elapsed(), "we: end".to_owned()));
    drop(live);
    peer.await.unwrap();
    writer.abort();
    let mut told = std::mem::take(&mut *told.lock().unwrap());
    // Two tasks report one moment in any order.
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn a_life_on_the_short_way_is_the_life_on_the_long_one() {
    let clock = clock();
    let (mut messages, mut pings, mut ends) = (0, 0, 0);
    for seed in 0..400 {
        let (short, long) = (life(seed, false, clock).await, life(seed, true, clock).await);
        let unlike = short.iter().zip(&long).position(|(short, long)| short != long);
        let unlike = unlike.map(|at| (&short[..=at], &long[at]));
        assert!(short == long, "seed {seed}: {unlike:#?}, {} and {} in all", short.len(), long.len());
        messages += short.iter().filter(|(_, what)| what.starts_with("we: Ok")).count();
        pings += short.iter().filter(|(_, what)| what.starts_with("peer: 0x89")).count();
        ends += short
            .iter()
            .filter(|(_, what)| what.starts_with("we: Some(Err") || what.contains("Offline"))
            .count();
    }
    assert!(messages > 10_000, "{messages}");
    assert!(pings > 1_000, "{pings}");
    assert!(ends > 100, "{ends}");
}

/// Counts the messages that it sees.
struct Messages(Arc<AtomicUsize>);

impl Observer for Messages {
    fn input(&mut self, input: &Input<'_>, _: &Liveness, _: Timestamp) {
        let is_message = matches!(input, Input::Event(Event::Data));
        self.0.fetch_add(usize::from(is_message), Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_every_message_of_a_burst() {
    let told = Arc::new(AtomicUsize::new(0));
    let (live, mut theirs) = over_bytes(Config::DEFAULT, 1 << 16, None).await;
    let mut live = live.observe(Messages(Arc::clone(&told)));
    theirs.write_all(&frame(TEXT, b"words").repeat(100)).await.unwrap();
    for _ in 0..100 {
        live.next().await.unwrap().unwrap();
    }
    assert_eq!(told.load(Ordering::Relaxed), 100);
}
