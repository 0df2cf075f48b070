//! The rules that take part. Each has one setting to turn. Its other settings are those of its documentation.

use std::time::Duration;

use liveness::{Config, Evidence, Suspicion};

use crate::chance::{Nanos, nanos};
use crate::ours::Ours;
use crate::recipes::{Count, EngineIo, Floored, Gorilla, Heard, LastHeard, OneAtATime, Phi, Sweep, Textbook};
use crate::rule::{Input, Rule, Want};

impl Rule for Box<dyn Rule> {
    fn tell(&mut self, input: Input, now: Nanos) {
        (**self).tell(input, now);
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        (**self).poll(now)
    }

    fn next(&self) -> Nanos {
        (**self).next()
    }
}

/// A rule at one setting. It makes the judge of a connection from a seed and the time.
pub type Make = fn(f64, u64, Nanos) -> Box<dyn Rule>;

#[derive(Clone, Copy)]
pub struct Family {
    pub name: &'static str,
    /// What the rule does, and which setting is turned.
    pub says: &'static str,
    /// Its settings at `x` seconds.
    pub settings: fn(f64) -> String,
    pub make: Make,
    pub ours: bool,
    pub hears_pongs: bool,
    /// Only the timeout is turned, and it may be never.
    pub keeps_alive: bool,
}

impl Family {
    /// This crate's rule, by default.
    pub fn is_default(&self) -> bool {
        self.ours && !self.name.contains("pong-only")
    }
}

pub const FAMILIES: &[Family] = &[
    Family {
        name: "liveness",
        says: "this crate: `interval` 20 s, `timeout` turned; `write_timeout` as long as that, as the drivers set it",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, seed, now| liveness(20.0, x, |config| config, seed, now),
        ours: true,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "liveness, 12 s",
        says: "the same, `interval` 12 s",
        settings: |x| format!("12 s, {x:.1} s"),
        make: |x, seed, now| liveness(12.0, x, |config| config, seed, now),
        ours: true,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "liveness, 6 s",
        says: "the same, `interval` 6 s",
        settings: |x| format!("6 s, {x:.1} s"),
        make: |x, seed, now| liveness(6.0, x, |config| config, seed, now),
        ours: true,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "liveness, 3 s",
        says: "the same, `interval` 3 s",
        settings: |x| format!("3 s, {x:.1} s"),
        make: |x, seed, now| liveness(3.0, x, |config| config, seed, now),
        ours: true,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "liveness, 1 s",
        says: "the same, `interval` 1 s",
        settings: |x| format!("1 s, {x:.1} s"),
        make: |x, seed, now| liveness(1.0, x, |config| config, seed, now),
        ours: true,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "liveness, pong-only",
        says: "`interval` 20 s, and only answers are evidence",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, seed, now| liveness(20.0, x, |config| config.evidence(Evidence::PongOnly), seed, now),
        ours: true,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "textbook loop",
        says: "pings every 20 s; closes when no message was read for `x`: pongs do not count",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, _, now| {
            let (interval, timeout) = (nanos(20.0), nanos(x));
            let deadline = now.saturating_add(timeout);
            Box::new(Textbook { interval, timeout, ping_at: now + interval, deadline })
        },
        ours: false,
        hears_pongs: false,
        keeps_alive: true,
    },
    Family {
        name: "gorilla chat",
        says: "a pong moves the read deadline to `x` ahead; pings at nine tenths of it",
        settings: |x| format!("pongWait {x:.1} s"),
        make: |x, _, now| {
            let pong_wait = nanos(x);
            Box::new(Gorilla { pong_wait, ping_at: now + pong_wait / 10 * 9, deadline: now + pong_wait })
        },
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "ws isAlive",
        says: "every `x`: closes peers that have not ponged since the last time, pings the others",
        settings: |x| format!("sweep {x:.1} s"),
        make: |x, _, now| Box::new(Sweep { interval: nanos(x), sweep_at: now + nanos(x), alive: true }),
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "python-websockets",
        says: "pings 20 s after the last ping; closes when its pong takes `x`",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, _, now| {
            if x.is_finite() {
                return one_at_a_time(20.0, x, Heard::Pong, Heard::Pong, false, now).boxed();
            }
            // Without a `ping_timeout` it waits for no pong. Only a ping every 20 s is left.
            let interval = nanos(20.0);
            Box::new(Textbook {
                interval,
                timeout: Nanos::MAX,
                ping_at: now + interval,
                deadline: Nanos::MAX,
            })
        },
        ours: false,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "aiohttp heartbeat",
        says: "pings `x` after the last message; closes when half of that brings no message",
        settings: |x| format!("heartbeat {x:.1} s"),
        make: |x, _, now| one_at_a_time(x, x / 2.0, Heard::Messages, Heard::Messages, true, now).boxed(),
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "actix example",
        says: "every half of `x`: closes peers that have not ponged for `x`, pings the others",
        settings: |x| format!("check {:.1} s, {x:.1} s", x / 2.0),
        make: |x, _, now| last_heard(x / 2.0, x, Heard::Pong, now),
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "jsonrpsee",
        says: "every `x`: closes peers that sent nothing for four thirds of it, pings the others",
        settings: |x| format!("{x:.1} s, inactive {:.1} s", x * 4.0 / 3.0),
        make: |x, _, now| last_heard(x, x * 4.0 / 3.0, Heard::Messages, now),
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "hyper h2",
        says: "pings 20 s after the last frame; closes when its pong takes `x`, whatever else comes",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, _, now| one_at_a_time(20.0, x, Heard::Messages, Heard::Pong, false, now).boxed(),
        ours: false,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "gRPC",
        says: "pings 20 s after the last byte; closes when `x` brings no byte",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, _, now| one_at_a_time(20.0, x, Heard::Bytes, Heard::Bytes, false, now).boxed(),
        ours: false,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "gRPC, and 3 RTO",
        says: "the same, and never less than three times smoothed round trip + 4 x variation: would it help us?",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, _, now| {
            let rule = one_at_a_time(20.0, x, Heard::Bytes, Heard::Bytes, false, now);
            Box::new(Floored { timeout: rule.timeout, rule, srtt: 0.0, rttvar: 0.0 })
        },
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "engine.io",
        says: "6.6.13: pings 20 s after the last pong; closes when the next takes `x`; the first message meanwhile starts `x` anew, once a ping",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, _, now| {
            let interval = nanos(20.0);
            Box::new(EngineIo {
                interval,
                timeout: nanos(x),
                ping_at: now + interval,
                deadline: None,
                extended: false,
            })
        },
        ours: false,
        hears_pongs: true,
        keeps_alive: true,
    },
    Family {
        name: "MQTT",
        says: "a client by the specification (3.1.1, 3.1.2.10): pings 20 s after our last message; closes when the answer takes `x`",
        settings: |x| format!("20 s, {x:.1} s"),
        make: |x, _, now| one_at_a_time(20.0, x, Heard::Sent, Heard::Pong, false, now).boxed(),
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "OpenSSH",
        says: "asks after each `x` without a byte; closes when three in a row brought none",
        settings: |x| format!("3 x {x:.1} s"),
        make: |x, _, now| Box::new(Count { interval: nanos(x), most: 3, missed: 0, at: now + nanos(x) }),
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "phi accrual",
        says: "Akka's: a heartbeat a second, phi 8; the acceptable pause is turned",
        settings: |x| format!("1 s, pause {x:.1} s"),
        make: |x, _, now| Box::new(Phi::new(nanos(1.0), nanos(x), now)),
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
    Family {
        name: "phi accrual, 20 s",
        says: "the same, a heartbeat every 20 s",
        settings: |x| format!("20 s, pause {x:.1} s"),
        make: |x, _, now| Box::new(Phi::new(nanos(20.0), nanos(x), now)),
        ours: false,
        hears_pongs: true,
        keeps_alive: false,
    },
];

/// How our suspicion is turned, while the timeout stays as it is.
pub const SUSPICIONS: &[(&str, Make)] = &[
    ("after 1 s", |x, seed, now| suspecting(x, Suspicion::After(Duration::from_secs(1)), seed, now)),
    ("after 2 s", |x, seed, now| suspecting(x, Suspicion::After(Duration::from_secs(2)), seed, now)),
    ("after 5 s", |x, seed, now| suspecting(x, Suspicion::After(Duration::from_secs(5)), seed, now)),
    ("adaptive, at least 100 ms", |x, seed, now| {
        suspecting(x, Suspicion::Adaptive { at_least: Duration::from_millis(100) }, seed, now)
    }),
    ("adaptive, at least 1 s", |x, seed, now| {
        suspecting(x, Suspicion::Adaptive { at_least: Duration::from_secs(1) }, seed, now)
    }),
    ("adaptive, at least 2 s", |x, seed, now| {
        suspecting(x, Suspicion::Adaptive { at_least: Duration::from_secs(2) }, seed, now)
    }),
];

fn suspecting(x: f64, suspicion: Suspicion, seed: u64, now: Nanos) -> Box<dyn Rule> {
    liveness(20.0, x, |config| config.suspicion(suspicion), seed, now)
}

fn liveness(
    interval: f64,
    timeout: f64,
    more: impl FnOnce(liveness::ConfigBuilder) -> liveness::ConfigBuilder,
    seed: u64,
    now: Nanos,
) -> Box<dyn Rule> {
    let timeout = Duration::try_from_secs_f64(timeout).unwrap_or(Duration::MAX);
    let builder =
        Config::builder().interval(Duration::from_secs_f64(interval)).timeout(timeout).write_timeout(timeout);
    let config = more(builder).build().expect("settings of this bench");
    Box::new(Ours::new(config, seed, now))
}

fn one_at_a_time(
    interval: f64,
    timeout: f64,
    puts_off: Heard,
    answers: Heard,
    from_the_answer: bool,
    now: Nanos,
) -> OneAtATime {
    let interval = nanos(interval);
    OneAtATime {
        interval,
        timeout: nanos(timeout),
        puts_off,
        answers,
        from_the_answer,
        ping_at: now + interval,
        sent_at: now,
        deadline: None,
        pings: 0,
    }
}

impl OneAtATime {
    fn boxed(self) -> Box<dyn Rule> {
        Box::new(self)
    }
}

fn last_heard(interval: f64, timeout: f64, hears: Heard, now: Nanos) -> Box<dyn Rule> {
    let interval = nanos(interval);
    Box::new(LastHeard {
        interval,
        timeout: nanos(timeout),
        hears,
        failures: 1,
        check_at: now + interval,
        heard_at: now,
    })
}
