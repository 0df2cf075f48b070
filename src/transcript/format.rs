//! The text: lines in, lines out.

use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::config::{Config, ConfigBuilder, Evidence, Schedule, Suspicion};
use crate::event::{Action, CloseCode, Reason};
use crate::time::{Timestamp, nanos};

/// A parsed transcript: the settings, what happened, and what should have come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    pub(super) config: Config,
    pub(super) seed: u64,
    pub(super) lines: Vec<Line>,
}

impl Transcript {
    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn inputs(&self) -> Vec<(usize, Timestamp, &Input)> {
        let inputs = self.lines.iter().enumerate().filter_map(|(index, line)| match &line.kind {
            Kind::Input(at, input) => Some((index.saturating_add(1), *at, input)),
            Kind::Output(..) | Kind::Other => None,
        });
        inputs.collect()
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = (Timestamp, Output)> {
        self.lines.iter().filter_map(|line| match line.kind {
            Kind::Output(at, output) => Some((at, output)),
            Kind::Input(..) | Kind::Other => None,
        })
    }
}

/// One line as it was written, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Input(Timestamp, Input),
    Output(Timestamp, Output),
    /// Settings, a comment, nothing.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    Data,
    Progress,
    Ping,
    Pong(Vec<u8>),
    PongTo(u64),
    Wrote,
    PingSent,
    Close(Option<u16>),
    Eof,
    Probe,
    ReadPaused,
    ReadResumed,
    LocalClose(CloseCode),
    Stall { lasting: Duration, deaf: bool },
    End,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Data => "data",
            Self::Progress => "progress",
            Self::Ping => "ping",
            Self::Pong(payload) => return write_pong(f, payload),
            Self::PongTo(number) => return write!(f, "pong #{number}"),
            Self::Wrote => "wrote",
            Self::PingSent => "ping-sent",
            Self::Close(Some(code)) => return write!(f, "close {code}"),
            Self::Close(None) => "close",
            Self::Eof => "eof",
            Self::Probe => "probe",
            Self::ReadPaused => "read-paused",
            Self::ReadResumed => "read-resumed",
            Self::LocalClose(code) => return write!(f, "local-close {code}"),
            Self::Stall { lasting, deaf: false } => return write!(f, "stall {}", seconds(*lasting)),
            Self::Stall { lasting, deaf: true } => return write!(f, "stall-deaf {}", seconds(*lasting)),
            Self::End => "end",
        })
    }
}

/// A payload as a word where it is one that reads back as itself, else in hexadecimal.
fn write_pong(f: &mut fmt::Formatter<'_>, payload: &[u8]) -> fmt::Result {
    f.write_str("pong")?;
    let word =
        !payload.starts_with(b"0x") && payload.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    match str::from_utf8(payload) {
        Ok("") => Ok(()),
        Ok(text) if word => write!(f, " {text}"),
        Ok(_) | Err(_) => {
            f.write_str(" 0x")?;
            payload.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
}

fn seconds(duration: Duration) -> Timestamp {
    Timestamp::from_nanos(nanos(duration))
}

/// An [`Action`] as transcripts write it: pings by number, for their payload depends on the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Online,
    Ping(u64),
    Suspect,
    Offline(Reason),
    Close(Option<CloseCode>),
    Disconnect,
}

impl Output {
    /// `sent` is the number of the newest ping: the one that an action to send hands out.
    pub(super) const fn of(action: Action, sent: u32) -> Self {
        match action {
            Action::MarkOnline => Self::Online,
            Action::SendPing(_) => Self::Ping(sent as u64),
            Action::MarkSuspect => Self::Suspect,
            Action::MarkOffline(reason) => Self::Offline(reason),
            Action::Close(code) => Self::Close(code),
            Action::Disconnect => Self::Disconnect,
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online => f.write_str("online"),
            Self::Ping(number) => write!(f, "ping #{number}"),
            Self::Suspect => f.write_str("suspect"),
            Self::Offline(reason) => write!(f, "offline {reason}"),
            Self::Close(Some(code)) => write!(f, "close {code}"),
            Self::Close(None) => f.write_str("close"),
            Self::Disconnect => f.write_str("disconnect"),
        }
    }
}

/// A transcript that cannot be read or cannot happen: the line, what stands there and what should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    line: usize,
    reason: String,
}

impl Malformed {
    pub(super) const fn new(line: usize, reason: String) -> Self {
        Self { line, reason }
    }

    /// The number of the line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

/// `LINE: reason`, to stand behind `FILE:`.
impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}

impl core::error::Error for Malformed {}

impl FromStr for Transcript {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut parser = Parser::default();
        for (index, text) in text.lines().enumerate() {
            let kind = parser.line(text).map_err(|reason| Malformed::new(index.saturating_add(1), reason))?;
            parser.lines.push(Line { text: text.to_owned(), kind });
        }
        parser.finish()
    }
}

type Parsed<T> = Result<T, String>;

#[derive(Default)]
struct Parser {
    lines: Vec<Line>,
    settings: Settings,
    /// The last line of settings, where an error about the whole belongs.
    settings_line: usize,
    last_input: Option<Timestamp>,
}

impl Parser {
    fn finish(self) -> Result<Transcript, Malformed> {
        if self.last_input.is_none() {
            let line = self.lines.len().max(1);
            return Err(Malformed::new(
                line,
                "the file ends here; expected a life, which begins with `0s < open`".into(),
            ));
        }
        let config = self.settings.builder.build();
        let config = config.map_err(|error| Malformed::new(self.settings_line, error.to_string()))?;
        Ok(Transcript { config, seed: self.settings.seed, lines: self.lines })
    }

    fn line(&mut self, text: &str) -> Parsed<Kind> {
        let text = without_comment(text).trim();
        let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match first {
            "" => Ok(Kind::Other),
            "config" => self.config(rest),
            _ => self.moment(first, rest.trim()),
        }
    }

    fn config(&mut self, settings: &str) -> Parsed<Kind> {
        if self.last_input.is_some() {
            return Err(
                "read `config` after `open`; the settings come first, for they hold for the whole life"
                    .into(),
            );
        }
        for setting in settings.split_whitespace() {
            self.settings.set(setting)?;
        }
        self.settings_line = self.lines.len().saturating_add(1);
        Ok(Kind::Other)
    }

    fn moment(&mut self, at: &str, rest: &str) -> Parsed<Kind> {
        let at = parse_duration(at).map_err(|error| {
            format!("{error}, then `<` and an input or `>` and an output (or `config`, or a `#` comment)")
        })?;
        let at = Timestamp::ZERO + at;
        let (arrow, what) = rest.split_at_checked(1).unwrap_or((rest, ""));
        match arrow {
            "<" => self.input(at, what.trim()),
            ">" => Ok(Kind::Output(at, output(what.trim())?)),
            _ => Err(format!(
                "read {} after the time; expected `<` and an input, or `>` and an output",
                shown(rest)
            )),
        }
    }

    fn input(&mut self, at: Timestamp, text: &str) -> Parsed<Kind> {
        let input = input(text)?;
        match (self.last_input, &input) {
            (None, Input::Open) => {}
            (None, _) => {
                return Err(format!("read {} before the life began; expected `open` first", shown(text)));
            }
            (Some(_), Input::Open) => {
                return Err("read `open` a second time; a new connection is a new transcript".into());
            }
            (Some(last), _) if at < last => {
                return Err(format!("read the time {at} after {last}; expected inputs in the order of time"));
            }
            (Some(_), _) => {}
        }
        self.last_input = Some(at);
        Ok(Kind::Input(at, input))
    }
}

/// The line up to its comment: from the first `#` that does not number a ping or a pong.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').find(|(at, _)| {
        let (before, after) = (line.get(..*at).unwrap_or(""), line.get(at.saturating_add(1)..).unwrap_or(""));
        let numbers = before.ends_with(char::is_whitespace)
            && (before.trim_end().ends_with("ping") || before.trim_end().ends_with("pong"));
        !(numbers && after.starts_with(|next: char| next.is_ascii_digit()))
    });
    comment.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

const INPUTS: &str = "`open`, `data`, `progress`, `ping`, `pong #N`, `pong TEXT`, `wrote`, `ping-sent`, `close [CODE]`, \
    `eof`, `probe`, `read-paused`, `read-resumed`, `local-close CODE`, `stall DURATION`, `stall-deaf DURATION` or `end`";

fn input(text: &str) -> Parsed<Input> {
    let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let argument = argument.trim();
    let alone = |input: Input| {
        if argument.is_empty() {
            Ok(input)
        } else {
            Err(format!("read {} after `{name}`; expected nothing", shown(argument)))
        }
    };
    match name {
        "open" => alone(Input::Open),
        "data" => alone(Input::Data),
        "progress" => alone(Input::Progress),
        "ping" => alone(Input::Ping),
        "pong" => pong(argument),
        "wrote" => alone(Input::Wrote),
        "ping-sent" => alone(Input::PingSent),
        "close" if argument.is_empty() => Ok(Input::Close(None)),
        "close" => Ok(Input::Close(Some(number(argument, "the 16-bit code of a Close frame")?))),
        "eof" => alone(Input::Eof),
        "probe" => alone(Input::Probe),
        "read-paused" => alone(Input::ReadPaused),
        "read-resumed" => alone(Input::ReadResumed),
        "local-close" => Ok(Input::LocalClose(close_code(argument)?)),
        "stall" => Ok(Input::Stall { lasting: parse_duration(argument)?, deaf: false }),
        "stall-deaf" => Ok(Input::Stall { lasting: parse_duration(argument)?, deaf: true }),
        "end" => alone(Input::End),
        _ => Err(format!("read {} as an input; expected {INPUTS}", shown(text))),
    }
}

fn pong(argument: &str) -> Parsed<Input> {
    if let Some(digits) = argument.strip_prefix('#') {
        return Ok(Input::PongTo(number(digits, "the number of a ping")?));
    }
    if let Some(digits) = argument.strip_prefix("0x") {
        let wrong =
            || format!("read {}; expected `0x` and two hexadecimal digits for each byte", shown(argument));
        let mut bytes = Vec::new();
        for pair in digits.as_bytes().chunks(2) {
            let pair = str::from_utf8(pair).ok().filter(|pair| pair.len() == 2).ok_or_else(wrong)?;
            bytes.push(u8::from_str_radix(pair, 16).map_err(|_| wrong())?);
        }
        return Ok(Input::Pong(bytes));
    }
    Ok(Input::Pong(argument.as_bytes().to_vec()))
}

const OUTPUTS: &str = "`online`, `ping #N`, `suspect`, `offline REASON`, `close [CODE]` or `disconnect`";
const REASONS: &str = "`ping-timeout`, `write-stalled`, `silent`, `idle`, `ping-flood`, `peer-closed [CODE]`, \
    `transport-closed` or `local-closed`";

fn output(text: &str) -> Parsed<Output> {
    let mut words = text.split_whitespace();
    let (name, argument, code, more) = (words.next(), words.next(), words.next(), words.next());
    match (name, argument, code, more) {
        (Some("online"), None, ..) => Ok(Output::Online),
        (Some("ping"), Some(ping), None, _) if ping.starts_with('#') => {
            Ok(Output::Ping(number(ping.trim_start_matches('#'), "the number of a ping")?))
        }
        (Some("suspect"), None, ..) => Ok(Output::Suspect),
        (Some("offline"), Some(name), code, None) => Ok(Output::Offline(reason(name, code)?)),
        (Some("close"), None, ..) => Ok(Output::Close(None)),
        (Some("close"), Some(code), None, _) => Ok(Output::Close(Some(close_code(code)?))),
        (Some("disconnect"), None, ..) => Ok(Output::Disconnect),
        _ => Err(format!("read {} as an output; expected {OUTPUTS}", shown(text))),
    }
}

fn reason(name: &str, code: Option<&str>) -> Parsed<Reason> {
    match (name, code) {
        ("ping-timeout", None) => Ok(Reason::PingTimeout),
        ("write-stalled", None) => Ok(Reason::WriteStalled),
        ("silent", None) => Ok(Reason::Silent),
        ("idle", None) => Ok(Reason::Idle),
        ("ping-flood", None) => Ok(Reason::PingFlood),
        ("peer-closed", None) => Ok(Reason::PeerClosed(None)),
        ("peer-closed", Some(code)) => {
            Ok(Reason::PeerClosed(Some(number(code, "the 16-bit code of a Close frame")?)))
        }
        ("transport-closed", None) => Ok(Reason::TransportClosed),
        ("local-closed", None) => Ok(Reason::LocalClosed),
        _ => Err(format!("read {} as a reason; expected {REASONS}", shown(name))),
    }
}

fn close_code(text: &str) -> Parsed<CloseCode> {
    let code = number(text, "a close code")?;
    CloseCode::new(code).ok_or_else(|| {
        format!("read the close code {code}, which may not go on the wire; expected 1000 to 4999 without 1004, 1005, 1006 and 1015 (RFC 6455 7.4)")
    })
}

fn number<T: FromStr>(text: &str, what: &str) -> Parsed<T> {
    // `parse` takes a sign; a transcript does not.
    let digits = Some(text).filter(|text| text.starts_with(|first: char| first.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("read {}; expected {what}", shown(text)))
}

fn shown(text: &str) -> String {
    if text.is_empty() { "nothing".into() } else { format!("`{text}`") }
}

/// A duration as transcripts and command lines write it: a number and `s` (or `ms`, `us`, `ns`, `m`, `h`).
///
/// ```
/// use core::time::Duration;
/// use liveness::transcript::parse_duration;
///
/// assert_eq!(parse_duration("12.5s")?, Duration::from_millis(12_500));
/// assert_eq!(parse_duration("200ms")?, Duration::from_millis(200));
/// assert_eq!(
///     parse_duration("soon").unwrap_err(),
///     "read `soon`; expected a time such as `12.5s` or `200ms`",
/// );
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
///
/// A sentence that says what was read and what was expected. Nothing is rounded: a fraction of a nanosecond is an
/// error, and so is what is longer than 584 years.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("read {}; expected a time such as `12.5s` or `200ms`", shown(text));
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let unit: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(wrong());
    }
    let too_long = || format!("read {}; expected at most 584 years, which is 18446744073s", shown(text));
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    let mut nanos = whole.checked_mul(unit).ok_or_else(too_long)?;
    let mut digit_worth = unit;
    for digit in fraction.trim_end_matches('0').bytes() {
        if digit_worth % 10 != 0 {
            return Err(format!("read {}; expected nothing finer than a nanosecond", shown(text)));
        }
        digit_worth /= 10;
        let worth = u64::from(digit.wrapping_sub(b'0')).saturating_mul(digit_worth);
        nanos = nanos.checked_add(worth).ok_or_else(too_long)?;
    }
    Ok(Duration::from_nanos(nanos))
}

struct Settings {
    builder: ConfigBuilder,
    seed: u64,
    seen: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { builder: Config::builder(), seed: 0, seen: Vec::new() }
    }
}

const KEYS: &str = "interval, timeout, schedule, evidence, suspicion, idle_timeout, silence_timeout, close_timeout, jitter, \
    stall_tolerance, last_look, write_timeout, control_budget, close_code or seed";

impl Settings {
    fn set(&mut self, setting: &str) -> Parsed<()> {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("read {} as a setting; expected KEY=VALUE", shown(setting)))?;
        if self.seen.iter().any(|seen| seen == key) {
            return Err(format!("read `{key}` a second time; expected each setting once"));
        }
        self.seen.push(key.to_owned());
        let builder = self.builder;
        self.builder = match key {
            "interval" => builder.interval(or_never(value)?),
            "timeout" => builder.timeout(or_never(value)?),
            "schedule" => builder.schedule(schedule(value)?),
            "evidence" => builder.evidence(evidence(value)?),
            "suspicion" => builder.suspicion(suspicion(value)?),
            "idle_timeout" => builder.idle_timeout(or_never(value)?),
            "silence_timeout" => builder.silence_timeout(or_never(value)?),
            "close_timeout" => builder.close_timeout(or_never(value)?),
            "jitter" => builder.jitter(number(value, "per cent, a whole number from 0 to 100")?),
            "stall_tolerance" => builder.stall_tolerance(or_never(value)?),
            "last_look" => builder.last_look(or_never(value)?),
            "write_timeout" => builder.write_timeout(or_never(value)?),
            "control_budget" => control_budget(builder, value)?,
            "close_code" => builder.close_code(close_code(value)?),
            "seed" => {
                self.seed = number(value, "a seed, a whole number of 64 bits")?;
                builder
            }
            _ => return Err(format!("read {} as a setting; expected {KEYS}", shown(key))),
        };
        Ok(())
    }
}

fn or_never(value: &str) -> Parsed<Duration> {
    if value == "never" {
        Ok(Duration::MAX)
    } else {
        parse_duration(value).map_err(|error| format!("{error}, or `never`"))
    }
}

fn schedule(value: &str) -> Parsed<Schedule> {
    match value {
        "quiet" => Ok(Schedule::Quiet),
        "steady" => Ok(Schedule::Steady),
        _ => Err(format!("read {} as a schedule; expected `quiet` or `steady`", shown(value))),
    }
}

fn evidence(value: &str) -> Parsed<Evidence> {
    match value {
        "any-traffic" => Ok(Evidence::AnyTraffic),
        "pong-only" => Ok(Evidence::PongOnly),
        _ => Err(format!("read {} as evidence; expected `any-traffic` or `pong-only`", shown(value))),
    }
}

fn suspicion(value: &str) -> Parsed<Suspicion> {
    match value.split_once(':') {
        None if value == "never" => Ok(Suspicion::Never),
        Some(("after", after)) => Ok(Suspicion::After(parse_duration(after)?)),
        Some(("adaptive", at_least)) => Ok(Suspicion::Adaptive { at_least: parse_duration(at_least)? }),
        _ => Err(format!(
            "read {} as a suspicion; expected `never`, `after:2s` or `adaptive:100ms`",
            shown(value)
        )),
    }
}

fn control_budget(builder: ConfigBuilder, value: &str) -> Parsed<ConfigBuilder> {
    if value == "never" {
        return Ok(builder.no_control_budget());
    }
    let what = "frames in a burst and frames a second, such as `128/16`, or `never`";
    let (burst, per_second) =
        value.split_once('/').ok_or_else(|| format!("read {}; expected {what}", shown(value)))?;
    Ok(builder.control_budget(number(burst, what)?, number(per_second, what)?))
}

/// Settings as a `config` line writes them: `interval=5s timeout=10s`. What is not named is at its default.
///
/// ```
/// use core::time::Duration;
/// use liveness::Config;
///
/// let config: Config = "interval=5s timeout=10s".parse()?;
/// assert_eq!(config.interval(), Duration::from_secs(5));
/// assert_eq!(
///     "interval=5".parse::<Config>().unwrap_err(),
///     "read `5`; expected a time such as `12.5s` or `200ms`, or `never`",
/// );
/// # Ok::<(), String>(())
/// ```
impl FromStr for Config {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut settings = Settings::default();
        for setting in text.split_whitespace() {
            if setting.starts_with("seed=") {
                return Err(
                    "read `seed`; expected it only in a transcript, for it belongs to one connection".into(),
                );
            }
            settings.set(setting)?;
        }
        settings.builder.build().map_err(|error| error.to_string())
    }
}
