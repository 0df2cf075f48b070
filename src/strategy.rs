//! Strategies of [`proptest`](https://docs.rs/proptest), for property tests of code around this crate. For a fuzzer use feature
//! `arbitrary` instead.
//!
//! [`Config`], [`Timestamp`], [`CloseCode`] and [`Event`] implement proptest's [`Arbitrary`], so that `any` finds them:
//!
//! ```
//! use liveness::{Config, Event, Liveness, Timestamp};
//! use proptest::prelude::*;
//!
//! proptest!(|(config: Config, events in prop::collection::vec(any::<(Event<'static>, Timestamp)>(), 0..50))| {
//!     let mut peer = Liveness::new(config, 7, Timestamp::ZERO);
//!     for (event, at) in events {
//!         peer.handle(event, at);
//!         while peer.poll(at).is_some() {}
//!     }
//! });
//! ```
//!
//! If the lives in your test have a certain length, use [`configs`] for settings of that scale.

use core::time::Duration;

use proptest::arbitrary::Arbitrary;
use proptest::prelude::*;

use crate::config::{Config, Evidence, Schedule, Suspicion};
use crate::event::{CloseCode, Event};
use crate::time::{Timestamp, nanos};

/// The scales of [`any::<Config>()`](any).
const UNITS: [u64; 3] = [1, 1_000_000, 1_000_000_000];

const OURS: [Event<'static>; 5] =
    [Event::Wrote, Event::PingSent, Event::ReadPaused, Event::ReadResumed, Event::Unread];

const PAYLOADS: [&[u8]; 3] = [b"", b"foreign", b"8 bytes!"];

/// Settings whose durations are small multiples of `unit`, so that moments coincide, and a life of some tens of `unit`
/// reaches every deadline. Where it is allowed, a duration may be zero or never. It reaches every setting. A unit of zero is
/// a nanosecond, and a unit of more than nine years is nine years.
///
/// Shrinks towards short waits and few policies.
pub fn configs(unit: Duration) -> impl Strategy<Value = Config> {
    build(nanos(unit).clamp(1, u64::MAX / 64), few)
}

/// `length(unit, least, most)` returns a duration of `least` to `most` units.
fn build(unit: u64, length: fn(u64, u64, u64) -> BoxedStrategy<Duration>) -> BoxedStrategy<Config> {
    let waits = (
        or_never(0.95, length(unit, 1, 12)),
        or_never(0.95, length(unit, 1, 12)),
        or_never(0.4, length(unit, 1, 30)),
        or_never(0.4, length(unit, 1, 20)),
        or_never(0.5, length(unit, 1, 8)),
        or_never(0.4, length(unit, 1, 6)),
    );
    let tolerance = prop::option::weighted(0.5, or_never(0.85, length(unit, 0, 6)));
    let last_look = prop_oneof![3 => looks(unit), 1 => length(unit, 0, 4)];
    let marks = (length(unit, 0, 6), last_look, tolerance);
    let policies = (suspicions(unit), budgets(unit), any::<bool>(), any::<bool>(), 0..=100_u8);
    (waits, marks, policies, any::<CloseCode>())
        .prop_filter_map("each of these is valid", |(waits, marks, policies, close_code)| {
            let (suspicion, budget, steady, pong_only, jitter) = policies;
            let mut builder = Config::builder()
                .interval(waits.0)
                .timeout(waits.1)
                .idle_timeout(waits.2)
                .silence_timeout(waits.3)
                .write_timeout(waits.4)
                .probe_timeout(waits.5)
                .close_timeout(marks.0)
                .last_look(marks.1)
                .suspicion(suspicion)
                .schedule(if steady { Schedule::Steady } else { Schedule::Quiet })
                .evidence(if pong_only { Evidence::PongOnly } else { Evidence::AnyTraffic })
                .jitter(jitter)
                .close_code(close_code);
            builder = match budget {
                Some((burst, per_second)) => builder.control_budget(burst, per_second),
                None => builder.unlimited_control_frames(),
            };
            if let Some(tolerance) = marks.2 {
                builder = builder.stall_tolerance(tolerance);
            }
            builder.build().ok()
        })
        .boxed()
}

fn few(unit: u64, least: u64, most: u64) -> BoxedStrategy<Duration> {
    (least..=most).prop_map(move |units| Duration::from_nanos(units.saturating_mul(unit))).boxed()
}

/// The same, or an extreme: a nanosecond, the longest duration. If never is not allowed, the longest is a century, because a
/// deadline after the end of time never comes.
fn extreme(unit: u64, least: u64, most: u64) -> BoxedStrategy<Duration> {
    let longest = match least {
        0 => Duration::from_secs(100 * 365 * 24 * 3600),
        _ => Duration::from_nanos(u64::MAX.saturating_sub(1)),
    };
    prop_oneof![6 => few(unit, least, most), 1 => Just(Duration::from_nanos(1)), 1 => Just(longest)].boxed()
}

/// Zero, the shortest, and durations that a driver may sleep through.
fn looks(unit: u64) -> BoxedStrategy<Duration> {
    let some = (unit..=unit.saturating_mul(4)).prop_map(Duration::from_nanos);
    prop_oneof![1 => Just(Duration::ZERO), 1 => Just(Duration::from_nanos(1)), 3 => some].boxed()
}

fn or_never(weight: f64, some: BoxedStrategy<Duration>) -> impl Strategy<Value = Duration> {
    prop::option::weighted(weight, some).prop_map(|some| some.unwrap_or(Duration::MAX))
}

fn suspicions(unit: u64) -> impl Strategy<Value = Suspicion> {
    prop_oneof![
        1 => Just(Suspicion::Never),
        1 => few(unit, 1, 12).prop_map(Suspicion::After),
        2 => few(unit, 1, 4).prop_map(Suspicion::After),
        2 => few(unit, 1, 4).prop_map(|at_least| Suspicion::Adaptive { at_least }),
    ]
}

/// Rates of about one frame each unit, and odd rates, which leave remainders.
fn budgets(unit: u64) -> impl Strategy<Value = Option<(u32, u32)>> {
    let per_unit = u32::try_from(1_000_000_000_u64.checked_div(unit).unwrap_or(0)).unwrap_or(u32::MAX);
    let rate = prop_oneof![1 => Just(0), 1 => 0..=per_unit.min(7), 3 => 0..=per_unit, 1 => any::<u32>()];
    prop::option::weighted(0.7, (prop_oneof![4 => 1..=4_u32, 2 => 5..=12_u32, 1 => Just(1000)], rate))
}

/// Any valid settings: those of [`configs`] at several scales, and the extremes: a nanosecond, the longest duration, and
/// never.
impl Arbitrary for Config {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let units = || prop::sample::select(&UNITS[..]);
        let scaled = units().prop_flat_map(|unit| build(unit, few));
        let extremes = units().prop_flat_map(|unit| build(unit, extreme));
        prop_oneof![3 => scaled, 1 => extremes].boxed()
    }
}

/// Any moment. The ends of time are more frequent than the moments between.
impl Arbitrary for Timestamp {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let minute = 60_000_000_000_u64;
        let nanos = prop_oneof![
            2 => 0..minute,
            4 => any::<u64>(),
            1 => u64::MAX.saturating_sub(minute)..=u64::MAX,
        ];
        nanos.prop_map(Self::from_nanos).boxed()
    }
}

/// Any code that may go on the wire; shrinks towards 1000.
impl Arbitrary for CloseCode {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        (1000..=4999_u16).prop_filter_map("reserved", Self::new).boxed()
    }
}

/// Any event. A Pong has no payload, a word, or eight random bytes, so it answers no ping. For an answer, your test reports
/// the payload of the machine's last ping.
impl Arbitrary for Event<'static> {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let of_the_peer = prop_oneof![
            Just(Self::Data),
            Just(Self::Progress),
            Just(Self::Ping),
            prop::sample::select(&PAYLOADS[..]).prop_map(Self::Pong),
            any::<Option<u16>>().prop_map(Self::Close),
            any::<CloseCode>().prop_map(Self::Violation),
            Just(Self::Eof),
        ];
        let ours = prop::sample::select(&OURS[..]);
        prop_oneof![7 => of_the_peer, 5 => ours].boxed()
    }
}
