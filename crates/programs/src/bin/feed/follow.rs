//! A client that comes back: the feed without a page.
//!
//! Prints `EPOCH NUMBER VALUE` for each figure and `EPOCH lost FIRST LAST` for those that the server no longer had.
//! Prints on stderr what happens to the connection. If the server says that it will go, the client moves to another
//! connection. It reads the old one to its end, and prints a figure that comes on both once.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use liveness::Config;
use liveness::dialect::TextHeartbeats;
use liveness::reconnect::{Backoff, GiveUpReason, Policy};
use liveness_client::{Client, News};
use serde_json::Value;
use tungstenite::Message;

use liveness_programs::web::Failure;

/// What has been received: the epoch, and its last number.
#[derive(Clone)]
struct Place {
    epoch: String,
    last: u64,
}

/// Follows the feed as long as there is a reason to dial again.
pub(crate) async fn follow(url: &str, config: Config) -> Result<(), Failure> {
    // 1 s, 2 s, and so on to 30 s, each shortened by up to a half.
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    let policy = Policy::DEFAULT.dial_timeout(Duration::from_secs(5));
    let mut client = Client::new(url, config, policy, backoff, |socket| socket.dialect(TextHeartbeats));
    let mut place = Place { epoch: "-".to_owned(), last: 0 };
    // What the connection that was replaced has received.
    let mut old = place.clone();
    loop {
        match client.next().await {
            News::Connected { moved } => {
                say(format_args!("{}", if moved { "moved to another connection" } else { "connected" }));
                old = place.clone();
                client.send(Message::text(format!("from {} {}", place.epoch, place.last))).await;
            }
            News::Message(Message::Text(words)) => {
                let words = serde_json::from_str(&words)?;
                place.take(&words, &mut old)?;
                if let Some(seconds) = words["moving"].as_u64() {
                    client.hand_over(Duration::from_secs(seconds));
                }
            }
            News::LastWords(Message::Text(words)) => {
                old.take(&serde_json::from_str(&words)?, &mut place)?;
            }
            News::Message(_) | News::LastWords(_) => {}
            News::Disconnected(reason, _) => {
                say(format_args!("disconnected: {}", reason.description()));
            }
            News::NotConnected(why) => say(format_args!("not connected: {why}")),
            News::NotInTime => say(format_args!("not connected in time")),
            News::Waiting(wait) => say(format_args!("next attempt in {:.1} s", wait.as_secs_f64())),
            News::Over(GiveUpReason::Closed(1000)) => return Ok(()),
            News::Over(reason) => return Err(reason.into()),
        }
    }
}

impl Place {
    /// The part of a message that neither connection has brought yet.
    fn take(&mut self, message: &Value, other: &mut Self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if let Some(epoch) = message["hello"]["epoch"].as_str().filter(|epoch| *epoch != self.epoch) {
            epoch.clone_into(&mut self.epoch);
            self.last = message["hello"]["oldest"].as_u64().unwrap_or(1).saturating_sub(1);
        }
        if let [first, last] = list(&message["lost"]) {
            let first = first.as_u64().unwrap_or(0).max(self.last.saturating_add(1));
            let last = last.as_u64().unwrap_or(0);
            if first <= last {
                writeln!(out, "{} lost {first} {last}", self.epoch)?;
                self.last = last;
            }
        }
        for figure in list(&message["figures"]) {
            let [number, _, value] = list(figure) else { continue };
            let number = number.as_u64().unwrap_or(0);
            if number > self.last {
                writeln!(out, "{} {number} {value}", self.epoch)?;
                self.last = number;
            }
        }
        if other.epoch == self.epoch {
            other.last = self.last.max(other.last);
        }
        out.flush()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A line about the connection. `eprintln!` would panic if stderr is closed.
fn say(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_number_of_a_server_is_a_reason_to_panic() {
        let mut place = Place { epoch: "-".to_owned(), last: 0 };
        for words in [
            json!({ "hello": { "epoch": "a", "oldest": 0 } }),
            json!({ "figures": [[u64::MAX, 0, 70.5]] }),
            json!({ "lost": [1, u64::MAX] }),
        ] {
            place.take(&words, &mut Place { epoch: "-".to_owned(), last: 0 }).unwrap();
        }
        assert_eq!((&*place.epoch, place.last), ("a", u64::MAX));
    }
}
