//! Random settings and random lives that hit the edges. Most settings are a few nanoseconds, so any two moments may
//! coincide. Most gaps are a setting or the time to the next deadline, give or take a nanosecond.

use std::time::Duration;

use liveness::strategy::configs;
use liveness::{CloseCode, Config, Suspicion};
use proptest::collection::vec;
use proptest::prelude::*;

use super::clocks::PROBE_SPACING;

/// Lives that begin later than this may reach the end of time.
const LATE: u64 = u64::MAX / 2;

/// One life: its settings, its beginning, its events.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) config: Config,
    /// Settings that it may be reconfigured to.
    pub(super) others: Vec<Config>,
    /// The unit of length: the settings are a few units each.
    pub(super) unit: u64,
    pub(super) opened: u64,
    pub(super) steps: Vec<Step>,
}

/// Time passes, something happens, and the driver polls or does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) gap: Gap,
    pub(super) what: What,
    pub(super) polls: Polls,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Gap {
    None,
    /// Thousandths of a unit.
    Units(u64),
    /// One setting, and a nanosecond more or less.
    Setting(Setting, i64),
    /// Until `poll_timeout`, and a nanosecond more or less.
    Due(i64),
    /// A setting longer than that.
    DueAnd(Setting, i64),
    /// The clock steps back by thousandths of a unit.
    Back(u64),
    /// The machine was found again after a century.
    Century,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Setting {
    Interval,
    Timeout,
    ProbeTimeout,
    /// The least distance between pings that probes bring.
    ProbeSpacing,
    LastLook,
    StallTolerance,
    WriteTimeout,
    IdleTimeout,
    SilenceTimeout,
    CloseTimeout,
    Suspicion,
    /// The time in which the budget grows by one frame.
    Token,
}

impl Setting {
    /// In nanoseconds. A setting that is never gives no gap.
    pub(super) fn of(self, config: &Config) -> u64 {
        let setting = match self {
            Self::Interval => config.interval(),
            Self::Timeout => config.timeout(),
            Self::ProbeTimeout => config.probe_timeout(),
            Self::ProbeSpacing => PROBE_SPACING,
            Self::LastLook => config.last_look(),
            Self::StallTolerance => config.stall_tolerance(),
            Self::WriteTimeout => config.write_timeout(),
            Self::IdleTimeout => config.idle_timeout(),
            Self::SilenceTimeout => config.silence_timeout(),
            Self::CloseTimeout => config.close_timeout(),
            Self::Suspicion => match config.suspicion() {
                Suspicion::Never => Duration::MAX,
                Suspicion::After(after) => after,
                Suspicion::Adaptive { at_least } => at_least,
                other => panic!("the reference does not know {other:?}"),
            },
            Self::Token => match config.control_budget() {
                Some((_, per_second @ 1..)) => Duration::from_nanos(1_000_000_000 / u64::from(per_second)),
                _ => Duration::MAX,
            },
        };
        if setting == Duration::MAX { 0 } else { u64::try_from(setting.as_nanos()).unwrap() }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Nothing,
    /// Everybody is silent and the driver polls in time, until a verdict waits for its last look. The number of polls is
    /// limited.
    Silence,
    Data,
    Progress,
    Ping,
    /// A pong to the ping this many before the newest.
    Answer(usize),
    /// A pong to a ping that does not exist yet: the next one.
    Prophecy,
    Forged,
    Wrote,
    PingSent,
    ReadPaused,
    ReadResumed,
    Unread,
    Probe,
    /// To the settings with this index, if there are so many.
    Reconfigure(usize),
    PeerClose(Option<u16>),
    Violation(CloseCode),
    Eof,
    LocalClose(CloseCode),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Polls {
    /// Never: the driver is busy.
    Never,
    /// First it reads, then it polls until there is nothing to do.
    After,
    /// It polls first, and reads too late. So it is deaf.
    Before,
    /// One poll only, so something happens between two actions.
    Once,
}

fn settings() -> impl Strategy<Value = Setting> {
    use Setting::*;
    let all = [
        Interval,
        Timeout,
        ProbeTimeout,
        ProbeSpacing,
        LastLook,
        StallTolerance,
        WriteTimeout,
        IdleTimeout,
        SilenceTimeout,
        CloseTimeout,
        Suspicion,
        Token,
    ];
    proptest::sample::select(all.to_vec())
}

fn gaps() -> impl Strategy<Value = Gap> {
    prop_oneof![
        60 => Just(Gap::None),
        80 => (0..15_000_u64).prop_map(Gap::Units),
        40 => (settings(), -1..=1_i64).prop_map(|(setting, off)| Gap::Setting(setting, off)),
        80 => (-1..=1_i64).prop_map(Gap::Due),
        40 => (settings(), -1..=1_i64).prop_map(|(setting, off)| Gap::DueAnd(setting, off)),
        20 => (0..10_000_u64).prop_map(Gap::Back),
        1 => Just(Gap::Century),
    ]
}

fn codes() -> impl Strategy<Value = Option<u16>> {
    prop::option::of(prop_oneof![Just(1000), Just(1006), Just(3000), 900..5100_u16])
}

fn whats() -> impl Strategy<Value = What> {
    prop_oneof![
        100 => Just(What::Nothing),
        70 => (0..2_usize).prop_map(What::Answer),
        30 => (0..5_usize).prop_map(What::Answer),
        40 => Just(What::Data),
        30 => Just(What::Progress),
        30 => Just(What::Ping),
        15 => Just(What::Forged),
        3 => Just(What::Prophecy),
        30 => Just(What::Wrote),
        100 => Just(What::PingSent),
        30 => Just(What::ReadPaused),
        40 => Just(What::ReadResumed),
        60 => Just(What::Unread),
        40 => Just(What::Probe),
        8 => (0..4_usize).prop_map(What::Reconfigure),
        1 => codes().prop_map(What::PeerClose),
        1 => any::<CloseCode>().prop_map(What::Violation),
        1 => Just(What::Eof),
        1 => prop_oneof![Just(CloseCode::GOING_AWAY), Just(CloseCode::NORMAL)].prop_map(What::LocalClose),
    ]
}

fn polls() -> impl Strategy<Value = Polls> {
    prop_oneof![
        4 => Just(Polls::After),
        1 => Just(Polls::Never),
        1 => Just(Polls::Before),
        1 => Just(Polls::Once),
    ]
}

/// What may happen while a verdict waits for its last look.
fn news() -> impl Strategy<Value = What> {
    prop_oneof![
        6 => Just(What::Unread),
        1 => Just(What::ReadPaused),
        4 => (0..4_usize).prop_map(What::Reconfigure),
        1 => Just(What::Progress),
        1 => (0..3_usize).prop_map(What::Answer),
        1 => Just(What::PingSent),
        1 => Just(What::Probe),
    ]
}

/// One of four: any step; everybody is silent until a verdict is noted, and something happens before its last look;
/// somebody probes, the driver sleeps, and its fresh ping is written; a ping is written late, and the peer talks before
/// and after.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = (gaps(), whats(), polls()).prop_map(|(gap, what, polls)| vec![Step { gap, what, polls }]);
    let last_look = (gaps(), news(), polls()).prop_map(|(gap, what, polls)| {
        let seen = Step { gap, what: What::Silence, polls: Polls::Never };
        vec![seen, Step { gap: Gap::None, what, polls }]
    });
    let step = |gap, what| Step { gap, what, polls: Polls::After };
    let late = gaps().prop_map(move |gap| {
        let suspected = step(Gap::Setting(Setting::Suspicion, 0), What::Nothing);
        let written = [What::PingSent, What::Data].map(|what| step(Gap::None, what));
        [&[step(gap, What::Probe), step(Gap::None, What::Data), suspected][..], &written].concat()
    });
    let asleep = gaps().prop_map(move |gap| {
        let asks = step(gap, What::Probe);
        let sleeps = step(Gap::DueAnd(Setting::StallTolerance, 1), What::Nothing);
        vec![asks, sleeps, step(Gap::None, What::PingSent), step(Gap::None, What::Silence)]
    });
    vec(prop_oneof![48 => any, 4 => last_look, 1 => asleep, 1 => late], 1..200)
        .prop_map(|steps| steps.concat())
}

/// Without jitter, because the reference draws none.
fn settings_of(unit: u64) -> impl Strategy<Value = Config> {
    let probe_timeouts = prop::option::weighted(0.7, (1..10_u64).prop_map(move |units| units * unit));
    (configs(Duration::from_nanos(unit)), probe_timeouts).prop_map(|(config, probe_timeout)| {
        let probe_timeout = probe_timeout.map_or(Duration::MAX, Duration::from_nanos);
        config.to_builder().jitter(0).probe_timeout(probe_timeout).build().unwrap()
    })
}

fn with_budget(config: Config, budget: Option<(u32, u32)>) -> Config {
    let builder = match budget {
        Some((burst, per_second)) => config.to_builder().control_budget(burst, per_second),
        None => config.to_builder().unlimited_control_frames(),
    };
    builder.build().unwrap()
}

pub(super) fn lives() -> impl Strategy<Value = Life> {
    let units = prop_oneof![
        6 => Just(1_u64),
        1 => Just(1_000_003),
        1 => Just(100_000_000),
        2 => Just(300_000_000),
        1 => Just(1_000_000_000),
    ];
    let lives = units.prop_flat_map(|unit| (Just(unit), settings_of(unit), vec(settings_of(unit), 0..4)));
    let opened = prop_oneof![
        6 => Just(0),
        6 => 0..u64::MAX / 4,
        1 => (1..60_u64).prop_map(|before| u64::MAX - before),
    ];
    (lives, opened, steps()).prop_map(|((unit, config, others), opened, steps)| {
        // At the end of time the budget is not compared, because saying when it is full again would need moments after
        // the end. A new budget during a life is not compared either, because the rules do not say what happens to what
        // was drawn from the old one.
        let budget = config.control_budget().filter(|_| opened < LATE);
        let others = others.into_iter().map(|other| with_budget(other, budget)).collect();
        Life { config: with_budget(config, budget), others, unit, opened, steps }
    })
}
