//! A client that comes back: the feed without a page.
//!
//! Prints `EPOCH NUMBER VALUE` for each figure and `EPOCH lost FIRST LAST` for those that the server had no more, and
//! what becomes of the connection on stderr.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::dialect::TextHeartbeats;
use liveness::driver::tokio::clock;
use liveness::driver::tokio_tungstenite::{ClientStream, connect};
use liveness::reconnect::{Backoff, GiveUpReason, Policy, Reconnect, ReconnectAction};
use liveness::{Clock, Config, Reason, SleepDetector, Timestamp, random_seed};
use serde_json::Value;
use tokio::time::{sleep, sleep_until, timeout_at};
use tungstenite::Message;

use liveness_programs::web::Failure;

/// What has been received: whose count, and its last number.
struct Place {
    epoch: String,
    last: u64,
}

/// Follows the feed for as long as there is reason to dial again.
pub(crate) async fn follow(url: &str, config: Config) -> Result<(), Failure> {
    // 1 s, 2 s, and so on to 30 s, each shortened by up to a half.
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    let policy = Policy::DEFAULT.dial_timeout(Duration::from_secs(5));
    let clock = clock();
    let mut reconnect = Reconnect::with_backoff(policy, backoff, random_seed(), clock.now());
    let mut place = Place { epoch: "-".to_owned(), last: 0 };
    loop {
        match reconnect.poll(clock.now()) {
            Some(ReconnectAction::Dial(attempt)) => {
                let abandoned = instant(clock, reconnect.poll_timeout());
                match timeout_at(abandoned, connect(url, config)).await {
                    Ok(Ok((socket, _))) if reconnect.connected(attempt, clock.now()) => {
                        say(format_args!("connected"));
                        let reason = place.follow(socket.dialect(TextHeartbeats)).await?;
                        say(format_args!("disconnected: {}", reason.description()));
                        reconnect.closed(attempt, reason.connection_close_code(), clock.now());
                    }
                    Ok(Ok(_)) => {}
                    Ok(Err(why)) => {
                        say(format_args!("not connected: {why}"));
                        reconnect.failed_with(attempt, why.then(), clock.now());
                    }
                    // The next poll says so.
                    Err(_) => {}
                }
            }
            // Which it is already: its future was dropped.
            Some(ReconnectAction::Abandon(_)) => say(format_args!("not connected in time")),
            // Nobody asks for a hand-over here.
            Some(ReconnectAction::Retire(_)) => {}
            Some(ReconnectAction::GiveUp(GiveUpReason::Closed(1000))) => return Ok(()),
            Some(ReconnectAction::GiveUp(reason)) => return Err(reason.into()),
            None => {
                let next = reconnect.poll_timeout();
                if let Some(wait) = clock.until(next) {
                    say(format_args!("next attempt in {:.1} s", wait.as_secs_f64()));
                }
                sleep_until(instant(clock, next)).await;
            }
        }
    }
}

fn instant(clock: Clock, at: Option<Timestamp>) -> tokio::time::Instant {
    clock.instant(at.unwrap_or(Timestamp::MAX)).into()
}

impl Place {
    /// Says what we have, and takes what comes, until the connection ends, and why.
    async fn follow(&mut self, mut socket: ClientStream) -> Result<Reason, Failure> {
        // Where it cannot be sent, the stream ends, and says why.
        let _ = socket.send(Message::text(format!("from {} {}", self.epoch, self.last))).await;
        let (clock, mut detector) = (socket.clock(), SleepDetector::DEFAULT);
        loop {
            if detector.observe(clock.now(), clock.wall()).is_some() {
                socket.probe();
            }
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(words))) => self.take(&serde_json::from_str(&words)?)?,
                    Some(Ok(_)) => {}
                    Some(Err(offline)) => return Ok(offline.reason().unwrap_or(Reason::TransportClosed)),
                    // It was closed in agreement.
                    None => return Ok(socket.liveness().verdict().unwrap_or(Reason::TransportClosed)),
                },
                () = sleep(clock.until(detector.poll_timeout()).unwrap_or(Duration::MAX)) => {}
            }
        }
    }

    fn take(&mut self, message: &Value) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if let Some(epoch) = message["hello"]["epoch"].as_str().filter(|epoch| *epoch != self.epoch) {
            epoch.clone_into(&mut self.epoch);
            self.last = message["hello"]["oldest"].as_u64().unwrap_or(1) - 1;
        }
        if let [first, last] = list(&message["lost"]) {
            writeln!(out, "{} lost {first} {last}", self.epoch)?;
            self.last = last.as_u64().unwrap_or(self.last);
        }
        for figure in list(&message["figures"]) {
            let [number, _, value] = list(figure) else { continue };
            writeln!(out, "{} {number} {value}", self.epoch)?;
            self.last = number.as_u64().unwrap_or(self.last);
        }
        out.flush()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A line about the connection; `eprintln!` would panic where stderr is closed.
fn say(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}
