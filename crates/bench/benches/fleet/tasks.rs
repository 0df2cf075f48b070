//! The usual recipe with tokio: a task for each connection, with `interval` and `timeout`.
//!
//! It has a current-thread runtime with a paused clock: when no task can run, the runtime moves the clock to the next
//! timer. A connection's events reach its task by a `Notify`, which is tokio's cheapest way. Pings leave by a channel. A
//! server with a task for each connection has that task for reading in any case. This measures a second task, which only
//! keeps the heartbeat.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, advance, interval_at, sleep_until, timeout};

use crate::contender::Contender;
use crate::watch::Watch;
use crate::workload::{First, INTERVAL, Script, TIMEOUT, TURN};

/// Pings taken from the channel at once.
const BATCH: usize = 256;

pub(crate) struct Tasks {
    runtime: Runtime,
    driver: Driver,
}

/// The rest of the server. It reports what arrived, and answers the pings.
struct Driver {
    connections: Vec<Arc<Notify>>,
    pings: UnboundedReceiver<u32>,
    batch: Vec<u32>,
    origin: Instant,
    now: u64,
}

async fn heartbeat(connection: u32, heard: Arc<Notify>, pings: UnboundedSender<u32>, first: Instant) {
    let mut ticker = interval_at(first, Duration::from_nanos(INTERVAL));
    loop {
        tokio::select! {
            biased; // evidence first, and the same order in each run
            () = heard.notified() => {}
            _ = ticker.tick() => {
                if pings.send(connection).is_err() {
                    return;
                }
                let answer = timeout(Duration::from_nanos(TIMEOUT), heard.notified()).await;
                assert!(answer.is_ok(), "a live peer was given up");
            }
        }
        ticker.reset();
    }
}

impl Driver {
    fn at(&self, time: u64) -> Instant {
        self.origin + Duration::from_nanos(time)
    }

    /// Answers the pings. Returns how many there were.
    fn answer(&mut self) -> u64 {
        let pings = self.batch.len() as u64;
        for connection in self.batch.drain(..) {
            self.connections[connection as usize].notify_one();
        }
        pings
    }

    /// Answers pings until the clock shows `until`. By then no task has anything left to do before that time. A runtime
    /// has no poll that could be timed. Instead this measures how long this task can be kept waiting while it is ready to
    /// run.
    async fn wait(&mut self, until: u64, watch: &mut impl Watch) -> u64 {
        let sleep = sleep_until(self.at(until));
        tokio::pin!(sleep);
        let mut pings = 0;
        loop {
            watch.start();
            let over = tokio::select! {
                biased;
                _ = self.pings.recv_many(&mut self.batch, BATCH) => false,
                () = &mut sleep => true,
            };
            watch.stop();
            if over {
                self.now = until;
                return pings;
            }
            pings += self.answer();
        }
    }

    async fn interval(&mut self, script: &mut Script, watch: &mut impl Watch) -> u64 {
        let mut pings = 0;
        while let Some(turn) = script.turn(None) {
            pings += self.wait(turn.now, watch).await;
            for _ in 0..turn.events {
                self.connections[script.pick() as usize].notify_one();
            }
        }
        pings + self.wait(script.now(), watch).await
    }

    async fn leap(&mut self, now: u64, watch: &mut impl Watch) -> u64 {
        watch.start();
        advance(Duration::from_nanos(now - self.now)).await;
        watch.stop();
        // Allow one more millisecond, in which everything is done that the leap made due.
        self.now = now;
        self.wait(now + TURN, watch).await
    }
}

impl Contender for Tasks {
    fn new(connections: u32, first: First) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let (sender, pings) = unbounded_channel();
        let mut driver = runtime.block_on(async {
            let origin = Instant::now();
            Driver { connections: Vec::new(), pings, batch: Vec::with_capacity(BATCH), origin, now: 0 }
        });
        driver.connections = (0..connections)
            .map(|connection| {
                let heard = Arc::new(Notify::new());
                let due = driver.at(first.due(connection));
                runtime.spawn(heartbeat(connection, Arc::clone(&heard), sender.clone(), due));
                heard
            })
            .collect();
        // The clock moves only when nothing else can happen. By then each task has run once, and has set its timer.
        runtime.block_on(async { sleep_until(driver.at(TURN)).await });
        driver.now = TURN;
        Self { runtime, driver }
    }

    fn interval(&mut self, script: &mut Script, watch: &mut impl Watch) -> u64 {
        self.runtime.block_on(self.driver.interval(script, watch))
    }

    fn leap(&mut self, now: u64, watch: &mut impl Watch) -> u64 {
        self.runtime.block_on(self.driver.leap(now, watch))
    }
}
