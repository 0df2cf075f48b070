//! Durations as text: `20s`, `250ms`.

use alloc::borrow::ToOwned;
use alloc::string::String;

use core::fmt;
use core::time::Duration;

/// Parses a duration: a number, with or without a fraction, and its unit, `h`, `m`, `s`, `ms`, `us` or `ns`.
///
/// Settings and transcripts use such durations. Use it for a flag of a command line. It does not accept the word `never`:
/// check for that word first, if your flag allows it.
///
/// # Errors
///
/// The text is not a number with a unit; the duration is longer than 584 years, which is the limit of 64 bits of
/// nanoseconds; or it is finer than a nanosecond, because nothing is rounded.
///
/// ```
/// use core::time::Duration;
/// use liveness::parse_duration;
///
/// assert_eq!(parse_duration("12.5s")?, Duration::from_millis(12_500));
/// assert_eq!(parse_duration("250ms")?, Duration::from_millis(250));
/// assert_eq!(
///     parse_duration("20").unwrap_err().to_string(),
///     "`20` is no duration; write a number with a unit, such as `20s` or `250ms`",
/// );
/// # Ok::<(), liveness::ParseDurationError>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    nanos_of(text)
        .map(Duration::from_nanos)
        .map_err(|problem| ParseDurationError { read: text.to_owned(), problem })
}

fn nanos_of(text: &str) -> Result<u64, Problem> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(Problem::NoDuration)?;
    let (number, unit) = text.split_at(unit_at);
    let unit: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(Problem::NoDuration),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(Problem::NoDuration);
    }
    // The text consists of digits, so only their number can be wrong.
    let whole: u64 = whole.parse().map_err(|_| Problem::TooLong)?;
    let mut nanos = whole.checked_mul(unit).ok_or(Problem::TooLong)?;
    let mut digit_worth = unit;
    for digit in fraction.trim_end_matches('0').bytes() {
        if digit_worth % 10 != 0 {
            return Err(Problem::TooFine);
        }
        digit_worth /= 10;
        let worth = u64::from(digit.wrapping_sub(b'0')).saturating_mul(digit_worth);
        nanos = nanos.checked_add(worth).ok_or(Problem::TooLong)?;
    }
    Ok(nanos)
}

/// The error of [`parse_duration`]: the text, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseDurationError {
    read: String,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    NoDuration,
    TooLong,
    TooFine,
}

impl fmt::Display for ParseDurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = match self.problem {
            Problem::NoDuration => "is no duration; write a number with a unit, such as `20s` or `250ms`",
            Problem::TooLong => "is longer than 584 years; write at most `18446744073s`",
            Problem::TooFine => "is finer than a nanosecond; write whole nanoseconds",
        };
        match self.read.as_str() {
            "" => write!(f, "an empty text {says}"),
            read => write!(f, "`{read}` {says}"),
        }
    }
}

impl core::error::Error for ParseDurationError {}
