//! A million clients reconnect in one instant, after a deployment or a short loss of the network. When are they pinged?

use liveness::{Action, Config, Event, Liveness, Timestamp};

use crate::workload::{INTERVAL, mix};

/// The interval is divided into this many parts, to find the busiest.
const PARTS: usize = 100;

/// The share of the interval's pings that falls into its busiest hundredth, 0 to 1. The clients answer at once.
pub(crate) fn busiest(config: Config, clients: u32) -> f64 {
    let mut parts = [0_u64; PARTS];
    for client in 0..clients {
        let mut machine = Liveness::new(config, mix(u64::from(client)), Timestamp::ZERO);
        let mut now = Timestamp::ZERO;
        while now.as_nanos() <= INTERVAL {
            match machine.poll(now) {
                Some(Action::SendPing(payload)) => {
                    machine.handle(Event::Pong(payload.as_bytes()), now);
                    let part = now.as_nanos().saturating_sub(1) * PARTS as u64 / INTERVAL;
                    parts[usize::try_from(part).expect("one of the parts")] += 1;
                }
                Some(_) => {}
                None => now = machine.poll_timeout().expect("a live machine has a next ping"),
            }
        }
    }
    let busiest = parts.iter().copied().max().unwrap_or(0);
    busiest as f64 / parts.iter().sum::<u64>() as f64
}
