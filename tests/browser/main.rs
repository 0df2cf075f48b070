//! The programs with a page, seen through a real browser: several pages of each at once, and what befalls one of them as
//! the others see it.
//!
//! `cargo test --test browser`, where Chromium and its driver are: on Debian, `apt-get install chromium chromium-driver`.
//! Screenshots are left in `target/screenshots`.

mod stage;
#[path = "../../examples/web/mod.rs"]
mod web;

use std::time::Duration;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

mod smoke;
