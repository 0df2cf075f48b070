//! Parses a transcript line by line.

use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use core::str::FromStr;
use core::time::Duration;

use super::config_text::ConfigParser;
use super::format::{Input, Kind, Line, Output, ParseError, Transcript};
use crate::config::{Config, parse_duration};
use crate::event::{CloseCode, Reason};
use crate::time::Timestamp;

impl FromStr for Transcript {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut parser = Parser::default();
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, text) in text.lines().enumerate() {
            // `lines` removes one carriage return; some files have several.
            let text = text.trim_end_matches('\r');
            let kind =
                parser.line(text).map_err(|reason| ParseError::new(index.saturating_add(1), reason))?;
            parser.lines.push(Line { text: text.to_owned(), kind });
        }
        parser.finish()
    }
}

pub(super) type Parsed<T> = Result<T, String>;

#[derive(Default)]
struct Parser {
    lines: Vec<Line>,
    config: ConfigParser,
    /// The last line of settings: the place of an error about all of them.
    config_line: usize,
    last_input: Option<Timestamp>,
    last_output: Timestamp,
}

impl Parser {
    fn finish(self) -> Result<Transcript, ParseError> {
        if self.last_input.is_none() {
            let line = self.lines.len().max(1);
            return Err(ParseError::new(
                line,
                "the file ends here; expected a life, which begins with `0s < open`".into(),
            ));
        }
        let config = self.config.builder().build();
        let config = config.map_err(|error| ParseError::new(self.config_line, error.to_string()))?;
        Ok(Transcript { config, seed: self.config.seed(), lines: self.lines })
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
                "read `config` after `open`; expected it before, because settings come first and apply to the whole life"
                    .into(),
            );
        }
        for setting in settings.split_whitespace() {
            self.config.set(setting)?;
        }
        self.config_line = self.lines.len().saturating_add(1);
        Ok(Kind::Other)
    }

    fn moment(&mut self, at: &str, rest: &str) -> Parsed<Kind> {
        let at = parse_duration(at).map_err(|error| {
            format!("{error}, then `<` and an input or `>` and an output (or `config`, or a `#` comment)")
        })?;
        let at = Timestamp::from(at);
        let (arrow, what) = rest.split_at_checked(1).unwrap_or((rest, ""));
        match arrow {
            "<" => self.input(at, what.trim()),
            ">" => self.output(at, what.trim()),
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
                return Err(
                    "read `open` a second time; expected it once, because a new connection is a new transcript"
                        .into(),
                );
            }
            (Some(last), _) if at < last => {
                return Err(format!("read the time {at} after {last}; expected inputs in the order of time"));
            }
            (Some(_), _) => {}
        }
        self.last_input = Some(at);
        Ok(Kind::Input(at, input))
    }

    fn output(&mut self, at: Timestamp, text: &str) -> Parsed<Kind> {
        let output = output(text)?;
        let last = core::mem::replace(&mut self.last_output, at);
        if at < last {
            return Err(format!("read the time {at} after {last}; expected outputs in the order of time"));
        }
        Ok(Kind::Output(at, output))
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
    `violation CODE`, `eof`, `probe`, `read-paused`, `read-resumed`, `unread`, `local-close CODE`, \
    `reconfigure KEY=VALUE...`, `stall DURATION`, `stall-deaf DURATION` or `end`";

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
        "violation" => Ok(Input::Violation(close_code(argument)?)),
        "eof" => alone(Input::Eof),
        "probe" => alone(Input::Probe),
        "read-paused" => alone(Input::ReadPaused),
        "read-resumed" => alone(Input::ReadResumed),
        "unread" => alone(Input::Unread),
        "reconfigure" => reconfigure(argument),
        "local-close" => Ok(Input::LocalClose(close_code(argument)?)),
        "stall" => Ok(Input::Stall { lasting: duration(argument)?, deaf: false }),
        "stall-deaf" => Ok(Input::Stall { lasting: duration(argument)?, deaf: true }),
        "end" => alone(Input::End),
        _ => Err(format!("read {} as an input; expected {INPUTS}", shown(text))),
    }
}

/// Checks each setting alone. Whether they fit together is checked when they are set.
fn reconfigure(argument: &str) -> Parsed<Input> {
    let settings: Vec<String> = argument.split_whitespace().map(str::to_owned).collect();
    if settings.is_empty() {
        return Err("read nothing after `reconfigure`; expected settings such as `interval=5s`".into());
    }
    ConfigParser::of(Config::builder()).set_all(&settings)?;
    Ok(Input::Reconfigure(settings))
}

fn duration(text: &str) -> Parsed<Duration> {
    parse_duration(text).map_err(|error| error.to_string())
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
            let pair = core::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2).ok_or_else(wrong)?;
            bytes.push(u8::from_str_radix(pair, 16).map_err(|_| wrong())?);
        }
        return Ok(Input::Pong(bytes));
    }
    Ok(Input::Pong(argument.as_bytes().to_vec()))
}

const OUTPUTS: &str = "`online`, `ping #N`, `suspect`, `offline REASON`, `close [CODE]` or `disconnect`";
const REASONS: &str = "`ping-timeout`, `write-stalled`, `silent`, `idle`, `ping-flood`, `protocol-error CODE`, `peer-closed [CODE]`, \
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
        ("protocol-error", Some(code)) => Ok(Reason::ProtocolError(close_code(code)?)),
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
    let code = number::<u16>(text, "a close code")?;
    CloseCode::try_from(code).map_err(|error| format!("read `{text}` as a close code; {error}"))
}

pub(super) fn number<T: FromStr>(text: &str, what: &str) -> Parsed<T> {
    // `parse` accepts a sign; a transcript does not.
    let digits = Some(text).filter(|text| text.starts_with(|first: char| first.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("read {}; expected {what}", shown(text)))
}

fn shown(text: &str) -> String {
    if text.is_empty() { "nothing".into() } else { format!("`{text}`") }
}
