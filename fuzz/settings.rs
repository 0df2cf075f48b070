//! The settings of a machine, made of a fuzzer's bytes: for the targets that drive machines.

use std::time::Duration;

use arbitrary::Arbitrary;
use liveness::{Config, Evidence, Schedule, Suspicion};

/// Settings small enough that a short life reaches every deadline; in milliseconds, never where zero.
#[derive(Arbitrary, Debug)]
pub(crate) struct Settings {
    interval: u16,
    timeout: u16,
    idle_timeout: u16,
    silence_timeout: u16,
    write_timeout: u16,
    close_timeout: u16,
    stall_tolerance: Option<u16>,
    last_look: u8,
    suspicion: Option<(bool, u16)>,
    budget: Option<(u8, u8)>,
    jitter: u8,
    steady: bool,
    pong_only: bool,
}

fn or_never(millis: u16) -> Duration {
    if millis == 0 { Duration::MAX } else { Duration::from_millis(millis.into()) }
}

impl Settings {
    pub(crate) fn config(&self) -> Config {
        let mut builder = Config::builder()
            .interval(or_never(self.interval))
            .timeout(or_never(self.timeout))
            .idle_timeout(or_never(self.idle_timeout))
            .silence_timeout(or_never(self.silence_timeout))
            .write_timeout(or_never(self.write_timeout))
            .close_timeout(Duration::from_millis(self.close_timeout.into()))
            .last_look(Duration::from_millis(self.last_look.into()))
            .jitter(self.jitter % 101)
            .schedule(if self.steady { Schedule::Steady } else { Schedule::Quiet })
            .evidence(if self.pong_only { Evidence::PongOnly } else { Evidence::AnyTraffic });
        if let Some(tolerance) = self.stall_tolerance {
            builder = builder.stall_tolerance(Duration::from_millis(tolerance.into()));
        }
        if let Some((adaptive, millis)) = self.suspicion {
            let wait = Duration::from_millis(u64::from(millis) + 1);
            builder = builder.suspicion(if adaptive {
                Suspicion::Adaptive { at_least: wait }
            } else {
                Suspicion::After(wait)
            });
        }
        builder = match self.budget {
            Some((burst, per_second)) => builder.control_budget(u32::from(burst) + 1, per_second.into()),
            None => builder.no_control_budget(),
        };
        builder.build().expect("every one of these is valid")
    }
}
