//! Values from a fuzzer's bytes.

use core::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::config::{Config, Evidence, NEVER, Schedule, Suspicion};
use crate::event::{CloseCode, Event};
use crate::time::Timestamp;

const CENTURY: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

/// Any valid settings.
///
/// Most durations are small multiples of one unit: a nanosecond, a millisecond or a second. So moments coincide, and a short
/// life reaches every deadline. The others are extremes: a nanosecond, the longest duration, and never. If never is not
/// allowed, it is a century.
impl<'a> Arbitrary<'a> for Config {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let unit = *u.choose(&[1_u64, 1_000_000, 1_000_000_000])?;
        let builder = Self::builder()
            .interval(wait(u, unit, true)?)
            .timeout(wait(u, unit, true)?)
            .probe_timeout(wait(u, unit, true)?)
            .idle_timeout(wait(u, unit, true)?)
            .silence_timeout(wait(u, unit, true)?)
            .write_timeout(wait(u, unit, true)?)
            .close_timeout(wait_or_none(u, unit, false)?)
            .last_look(wait_or_none(u, unit, false)?)
            .suspicion(suspicion(u, unit)?)
            .jitter(u.int_in_range(0..=100)?)
            .schedule(*u.choose(&[Schedule::Quiet, Schedule::Steady])?)
            .evidence(*u.choose(&[Evidence::AnyTraffic, Evidence::PongOnly])?)
            .close_code(CloseCode::arbitrary(u)?);
        let builder = match u.int_in_range(0..=3)? {
            0 => builder,
            _ => builder.stall_tolerance(wait_or_none(u, unit, true)?),
        };
        let builder = match u.int_in_range(0..=7)? {
            0 => builder.unlimited_control_frames(),
            1 => builder.control_budget(u.int_in_range(1..=u32::MAX)?, u.arbitrary()?),
            _ => builder.control_budget(u.int_in_range(1..=12)?, u.int_in_range(0..=20)?),
        };
        // Each of these is valid, so the error never occurs. If it does, it stops the fuzzer.
        builder.build().map_err(|_| arbitrary::Error::IncorrectFormat)
    }
}

/// Longer than zero.
fn wait(u: &mut Unstructured<'_>, unit: u64, or_never: bool) -> Result<Duration> {
    // If never is not allowed, a duration that ends after the end of time is not allowed either: its deadline never comes.
    let longest = if or_never { NEVER.saturating_sub(1) } else { CENTURY };
    Ok(match u.int_in_range(0..=31_u64)? {
        0 => Duration::from_nanos(1),
        1 => Duration::from_nanos(longest),
        2..=7 if or_never => Duration::MAX,
        // A few units, and a nanosecond more or less. Never zero.
        few => {
            let off = u.int_in_range(-1..=1)?;
            let few = unit.saturating_mul(few).saturating_add_signed(off);
            Duration::from_nanos(few.max(1))
        }
    })
}

fn wait_or_none(u: &mut Unstructured<'_>, unit: u64, or_never: bool) -> Result<Duration> {
    if u.ratio(1, 4)? { Ok(Duration::ZERO) } else { wait(u, unit, or_never) }
}

fn suspicion(u: &mut Unstructured<'_>, unit: u64) -> Result<Suspicion> {
    Ok(match u.int_in_range(0..=2)? {
        0 => Suspicion::Never,
        1 => Suspicion::After(wait(u, unit, true)?),
        _ => Suspicion::Adaptive { at_least: wait(u, unit, true)? },
    })
}

/// Any moment. Both ends of time are as frequent as the moments between.
impl<'a> Arbitrary<'a> for Timestamp {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u64::arbitrary(u).map(Self::from_nanos)
    }

    fn size_hint(depth: usize) -> (usize, Option<usize>) {
        <u64 as Arbitrary>::size_hint(depth)
    }
}

/// Any code that may go on the wire.
impl<'a> Arbitrary<'a> for CloseCode {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // 1000 to 1003, 1007 to 1014, 1016 to 4999.
        let code = match u.int_in_range(0..=3995)? {
            code @ 0..=3 => 1000_u16.saturating_add(code),
            code @ 4..=11 => 1003_u16.saturating_add(code),
            code => 1004_u16.saturating_add(code),
        };
        Self::new(code).ok_or(arbitrary::Error::IncorrectFormat)
    }
}

/// Any event. The payload of a Pong is taken from the fuzzer's bytes, at most as many as a control frame holds.
///
/// Such a Pong answers no ping. For a Pong that answers, add your own case without a payload, and report the payload of the
/// machine's last ping. The module `sim` shows the harness.
impl<'a> Arbitrary<'a> for Event<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=11)? {
            0 => Self::Data,
            1 => Self::Progress,
            2 => Self::Ping,
            3 => {
                // RFC 6455 5.5: a control frame holds at most 125 bytes.
                let len = u.int_in_range(0..=125)?.min(u.len());
                Self::Pong(u.bytes(len)?)
            }
            4 => Self::Close(u.arbitrary()?),
            5 => Self::Eof,
            6 => Self::Wrote,
            7 => Self::PingSent,
            8 => Self::ReadPaused,
            9 => Self::ReadResumed,
            10 => Self::Violation(u.arbitrary()?),
            _ => Self::Unread,
        })
    }
}
