//! A transcript lived again, and how it would have gone with other settings.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use liveness::transcript::{Page, Recorder, Transcript};
use liveness::{Action, CloseCode, Config, Event, Liveness, Observed, Payload, Timestamp, parse_duration};

use serde_json::{Value, json};

use crate::story;

/// Changed settings in the first line, a transcript below it. Without a change it is the replay itself.
///
/// # Errors
///
/// What is wrong with either.
pub fn replay(text: &str) -> Result<Value, String> {
    let (changes, text) = text.split_once('\n').unwrap_or((text, ""));
    let life: Transcript = text.parse().map_err(|why| format!("Line {why}"))?;
    let replayed = life.replay().map_err(|why| format!("Line {why}"))?;
    let (rows, agrees) = (story::rows(&replayed, life.config()), replayed.agrees());
    let what_if = match changes.trim() {
        "" => Value::Null,
        changes => {
            let text = other_life(&replayed.blessed(), changed(life.config(), changes)?)?;
            let (rows, _) = story::tell(&text).map_err(|why| format!("The other life, line {why}"))?;
            json!({ "rows": story::json(&rows), "text": text })
        }
    };
    Ok(json!({ "rows": story::json(&rows), "agrees": agrees, "other": what_if }))
}

/// The recording's settings with some in place of others; what had been derived from a changed one is derived anew.
fn changed(old: &Config, changes: &str) -> Result<Config, String> {
    let given: Vec<&str> = changes.split_whitespace().collect();
    let key = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let is_given = |name: &str| given.iter().any(|pair| key(pair) == name);
    let derived = |name: &str| {
        is_given("timeout")
            && match name {
                "stall_tolerance" => old.stall_tolerance() == old.timeout() / 4,
                "write_timeout" => old.write_timeout() == old.timeout(),
                _ => false,
            }
    };
    let text = old.to_string();
    let kept = text.split(' ').filter(|pair| !is_given(&key(pair)) && !derived(&key(pair)));
    let settings = kept.chain(given.iter().copied()).collect::<Vec<_>>().join(" ");
    let config: Config = settings.parse().map_err(|error| format!("{error}"))?;
    Ok(if derived("write_timeout") { config.for_drivers() } else { config })
}

/// What the recording says of one of its pings: handed out then, written after so long, answered after so long.
#[derive(Clone, Copy)]
struct Ping {
    at: Duration,
    written: Option<Duration>,
    answered: Option<Duration>,
}

/// So many moments a life may have before it is given up as endless.
const MOMENTS: usize = 100_000;

/// The peer does what it did, at the same moments. A ping of the other life is answered as the last one before it was answered in
/// the recording: after as long, or not at all.
fn other_life(text: &str, config: Config) -> Result<String, String> {
    let lines: Vec<(Duration, char, &str)> = text.lines().filter_map(line).collect();
    let pings = pings(&lines);
    // What answers the recording's own pings answers no other.
    let is_of_a_ping = |words: &str| words == "ping-sent" || words.starts_with("pong #");
    let inputs = lines.iter().filter(|(_, arrow, words)| *arrow == '<' && !is_of_a_ping(words));
    let mut agenda: BinaryHeap<_> = inputs
        .enumerate()
        .map(|(place, (at, _, words))| Reverse((*at, place, (*words).to_owned())))
        .collect();
    let mut entered = agenda.len();
    let page = Page::default();
    let start = agenda.peek().map_or(Duration::ZERO, |Reverse((at, ..))| *at);
    let stamp = |at: Duration| Timestamp::ZERO + at;
    let mut machine = Observed::new(Liveness::new(config, seed(text), stamp(start)));
    machine.observe(Recorder::new(page.clone()), stamp(start));
    let mut payloads: Vec<Payload> = Vec::new();
    let mut now = start;
    let told_until = lines.last().map_or(start, |(at, ..)| *at);
    for _ in 0..MOMENTS {
        let due = machine.poll_timeout().map(|at| at.as_duration());
        let input = agenda.peek().map(|Reverse((at, ..))| *at);
        let Some(next) = due.into_iter().chain(input).min() else { break };
        // A peer that lives on beyond what was told would be pinged for ever.
        if input.is_none() && next > told_until + LONGEST_SILENCE {
            break;
        }
        now = now.max(next);
        let mut ended = false;
        while let Some(Reverse((at, ..))) = agenda.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((_, _, words))) = agenda.pop() else { break };
            let mut word = words.split(' ');
            match (word.next().unwrap_or_default(), word.next()) {
                ("end", _) => ended = true,
                ("stall" | "stall-deaf", Some(lasts)) => now += parse_duration(lasts).unwrap_or_default(),
                (kind, argument) => hear(&mut machine, kind, argument, &payloads, stamp(now)),
            }
        }
        while let Some(action) = machine.poll(stamp(now)) {
            if let Action::SendPing(payload) = action {
                payloads.push(payload);
                let like = pings.iter().rev().find(|ping| ping.at <= now).or(pings.first());
                let number = payloads.len();
                let written = like
                    .and_then(|ping| ping.written)
                    .or((like.is_none() || no_write(&pings)).then_some(Duration::ZERO));
                let answered = like.and_then(|ping| ping.answered);
                for (after, words) in
                    [(written, "written".to_owned()), (answered, format!("answer {number}"))]
                {
                    if let Some(after) = after {
                        entered += 1;
                        agenda.push(Reverse((now + after, entered, words)));
                    }
                }
            }
        }
        if ended || machine.liveness().is_finished() {
            break;
        }
    }
    drop(machine);
    Ok(page.text())
}

/// How long a recording is followed beyond its last line.
const LONGEST_SILENCE: Duration = Duration::from_secs(600);

/// A recording without a clock for writing says nothing about when its pings were written.
fn no_write(pings: &[Ping]) -> bool {
    pings.iter().all(|ping| ping.written.is_none())
}

/// What the jitter of a recording was drawn from.
fn seed(text: &str) -> u64 {
    let settings = text.lines().filter(|line| line.starts_with("config")).flat_map(str::split_whitespace);
    settings.filter_map(|pair| pair.strip_prefix("seed=")?.parse().ok()).next().unwrap_or(0)
}

fn line(text: &str) -> Option<(Duration, char, &str)> {
    let (time, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let arrow = rest.chars().next().filter(|arrow| matches!(arrow, '<' | '>'))?;
    let words = rest.get(1..)?.trim();
    // `#` begins a comment, except in `#N`.
    let words = words.split(" # ").next()?.trim();
    Some((parse_duration(time).ok()?, arrow, words))
}

fn pings(lines: &[(Duration, char, &str)]) -> Vec<Ping> {
    let mut pings: Vec<Ping> = Vec::new();
    for (at, arrow, words) in lines {
        match (arrow, *words) {
            ('>', words) if words.starts_with("ping #") => {
                pings.push(Ping { at: *at, written: None, answered: None })
            }
            ('<', "ping-sent") => {
                if let Some(ping) = pings.last_mut() {
                    ping.written = ping.written.or(Some(at.saturating_sub(ping.at)));
                }
            }
            ('<', words) => {
                let number = words.strip_prefix("pong #").and_then(|number| number.parse::<usize>().ok());
                if let Some(ping) = number.and_then(|number| pings.get_mut(number.checked_sub(1)?)) {
                    ping.answered = ping.answered.or(Some(at.saturating_sub(ping.at)));
                }
            }
            _ => {}
        }
    }
    pings
}

/// What the recording's driver told its machine, without the answers to its own pings.
fn hear(machine: &mut Observed, kind: &str, argument: Option<&str>, payloads: &[Payload], now: Timestamp) {
    let code = argument.and_then(|code| code.parse::<u16>().ok());
    let event = match kind {
        "data" => Event::Data,
        "progress" => Event::Progress,
        "ping" => Event::Ping,
        "wrote" => Event::Wrote,
        "written" => Event::PingSent,
        "read-paused" => Event::ReadPaused,
        "read-resumed" => Event::ReadResumed,
        "unread" => Event::Unread,
        "eof" => Event::Eof,
        "close" => Event::Close(code),
        "violation" => Event::Violation(code.and_then(CloseCode::new).unwrap_or(CloseCode::PROTOCOL_ERROR)),
        "answer" => {
            let number = argument.and_then(|number| number.parse::<usize>().ok());
            let Some(payload) = number.and_then(|number| payloads.get(number.checked_sub(1)?)) else {
                return;
            };
            return machine.handle(Event::Pong(payload.as_bytes()), now);
        }
        "pong" if argument.is_none_or(|word| !word.starts_with('#')) => {
            Event::Pong(argument.unwrap_or_default().as_bytes())
        }
        "probe" => return machine.probe(now),
        "local-close" => {
            return machine.close(code.and_then(CloseCode::new).unwrap_or(CloseCode::NORMAL), now);
        }
        _ => return,
    };
    machine.handle(event, now);
}
