//! Settings for three kinds of peers. `docs/choosing-numbers.md` has the reasons and the figures.

use core::time::Duration;

use super::{Config, Suspicion};

impl Config {
    /// For connections between servers: `interval` 2 s, `timeout` 5 s, everything else at its default.
    ///
    /// A dead server is detected after 6 s on average and 7 s at most. Between servers hardly anything is lost. The 5 s are
    /// for a process that pauses. They cover the first four of TCP's retransmissions, which come after about 0.3, 0.7, 1.4
    /// and 2.8 s.
    ///
    /// The `interval` of each of these presets is at most half of its `timeout`. So a second ping goes out before the
    /// verdict, and one ping that the peer's program has lost closes no connection. A ping every 2 s is cheap between
    /// servers.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::Config;
    ///
    /// let bound = Config::BETWEEN_SERVERS.detection_bound(Duration::ZERO);
    /// assert_eq!(bound, Duration::from_millis(7_010));
    ///
    /// // A base for your own settings. `stall_tolerance` stays a quarter of 5 s.
    /// let patient = Config::BETWEEN_SERVERS.to_builder().timeout(Duration::from_secs(6)).build()?;
    /// # assert_eq!(patient.interval(), Duration::from_secs(2));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub const BETWEEN_SERVERS: Self =
        Self::builder().interval(Duration::from_secs(2)).timeout(Duration::from_secs(5)).build_const();

    /// For people at desks, on a cable or a good wireless network: `interval` 5 s, `timeout` 10 s, `suspicion` after 2 s,
    /// everything else at its default.
    ///
    /// A dead peer becomes suspect after 4.5 s on average, and is detected after 12.5 s on average and 15 s at most. The 10
    /// s cover five of TCP's retransmissions (the fifth comes after 5.7 s). The suspicion covers three of them, because it
    /// takes nothing away.
    ///
    /// ```
    /// use liveness::Config;
    ///
    /// assert_eq!(Config::DESKTOP, "interval=5s timeout=10s suspicion=after:2s".parse()?);
    /// # Ok::<(), liveness::ParseConfigError>(())
    /// ```
    pub const DESKTOP: Self = Self::builder()
        .interval(Duration::from_secs(5))
        .timeout(Duration::from_secs(10))
        .suspicion(Suspicion::After(Duration::from_secs(2)))
        .build_const();

    /// For people on the move: `interval` 12 s, `timeout` 25 s, `suspicion` after 4 s, everything else at its default.
    ///
    /// A dead peer becomes suspect after 10 s on average, and is detected after 31 s on average and 37 s at most. A phone in
    /// a tunnel or between two cells has no signal for up to 20 s. Data sent during the gap comes with the next of TCP's
    /// retransmissions, after 5.7, 11.5 or 23 s. So 25 s are just above a step of that ladder. A simulated phone that loses
    /// its signal six times an hour is closed wrongly 0.3 times a day with an `interval` of 12 s and a `timeout` of 24 s,
    /// and 5.1 times with 20 s and 21 s (`docs/detection-quality.md`).
    ///
    /// Each ping wakes the phone's radio, so the `interval` is no shorter than necessary. The suspicion covers TCP's first
    /// four retransmissions, because the path alone takes up to a second.
    ///
    /// ```
    /// use liveness::Config;
    ///
    /// assert_eq!(Config::MOBILE, "interval=12s timeout=25s suspicion=after:4s".parse()?);
    /// # Ok::<(), liveness::ParseConfigError>(())
    /// ```
    pub const MOBILE: Self = Self::builder()
        .interval(Duration::from_secs(12))
        .timeout(Duration::from_secs(25))
        .suspicion(Suspicion::After(Duration::from_secs(4)))
        .build_const();
}
