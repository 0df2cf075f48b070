//! What passes between a page and its machine: numbers only. One instance of the module is one link.
//!
//! Times are milliseconds on the page's monotonic clock, as `performance.now()` has them; `Infinity` is never. An input or a
//! command is followed by [`poll`] until it returns 0, and by [`poll_timeout`]. What belongs to an action is asked for
//! before the next poll.

#![expect(unsafe_code, reason = "an export keeps its name; and what no thread shares is shared safely")]

use core::cell::{Cell, RefCell};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::time::Duration;

use liveness::reconnect::GiveUpReason;
use liveness::{CloseCode, Config, Reason, Suspicion, Timestamp};

use crate::backoff::{Doubling, Rng};
use crate::link::{Action, Link, Settings};

/// The backoff's settings, and what seeds the next one.
#[derive(Clone, Copy)]
struct Backoff {
    first: Duration,
    longest: Duration,
    rng: Rng,
}

/// What an instance keeps between two calls.
struct Kept<T>(T);

#[cfg(not(target_feature = "atomics"))]
// SAFETY: without atomics a module has no threads, and nobody but its page calls it.
unsafe impl<T> Sync for Kept<T> {}

type Page = Link<fn() -> Doubling>;

static LINK: Kept<RefCell<Option<Page>>> = Kept(RefCell::new(None));
static BACKOFF: Kept<Cell<Backoff>> =
    Kept(Cell::new(Backoff { first: Duration::ZERO, longest: Duration::ZERO, rng: Rng::new(0) }));
static LAST: Kept<Cell<Option<Action>>> = Kept(Cell::new(None));
static TEXT: Kept<Cell<Text>> = Kept(Cell::new(Text::EMPTY));

/// Nothing here panics on any input. Words about it would be as large as all the rest; the page sees a trap.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// As much as a report needs at most, and more.
const LONGEST_TEXT: usize = 512;

/// Words on their way to the page; what does not fit is cut off. They are all ASCII.
#[derive(Clone, Copy)]
struct Text {
    bytes: [u8; LONGEST_TEXT],
    length: usize,
}

impl Text {
    const EMPTY: Self = Self { bytes: [0; LONGEST_TEXT], length: 0 };
}

impl Write for Text {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(words.bytes()) {
            *place = byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// Leaves words where [`text`] finds them, and says how many bytes they are.
fn tell(words: fmt::Arguments<'_>) -> usize {
    let mut text = Text::EMPTY;
    let _ = text.write_fmt(words);
    TEXT.0.set(text);
    text.length
}

/// Nothing, before there is a link.
fn with<R: Default>(use_it: impl FnOnce(&mut Page) -> R) -> R {
    LINK.0.try_borrow_mut().ok().and_then(|mut link| link.as_mut().map(use_it)).unwrap_or_default()
}

fn backoff() -> Doubling {
    let mut backoff = BACKOFF.0.get();
    let seed = backoff.rng.draw();
    BACKOFF.0.set(backoff);
    Doubling::new(backoff.first, backoff.longest, seed)
}

/// A number that is none, or below zero, is zero; one that is too large is the far end, which never comes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "that is what the cast does")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[inline(never)]
fn nanos(millis: f64) -> u64 {
    whole(millis * 1e6 + 0.5)
}

fn moment(millis: f64) -> Timestamp {
    Timestamp::from_nanos(nanos(millis))
}

fn duration(millis: f64) -> Duration {
    match nanos(millis) {
        u64::MAX => Duration::MAX,
        nanos => Duration::from_nanos(nanos),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Whole milliseconds, as timers have them; and none too early, whatever a float has lost.
#[expect(clippy::cast_precision_loss, reason = "whole milliseconds of three centuries fit")]
fn whole_millis(at: Option<Timestamp>) -> f64 {
    at.map_or(f64::INFINITY, |at| at.as_nanos().div_ceil(1_000_000) as f64)
}

/// Makes the link, which dials at once, by the backoff that was set before. Follow with [`configure`].
#[unsafe(no_mangle)]
extern "C" fn start(seed: u64, stable_after: f64, dial_timeout: f64, max_spread: f64, now: f64) {
    let mut rng = Rng::new(seed);
    BACKOFF.0.set(Backoff { rng: Rng::new(rng.draw()), ..BACKOFF.0.get() });
    let settings = Settings {
        heartbeat: Config::DEFAULT,
        stable_after: duration(stable_after),
        dial_timeout: duration(dial_timeout),
        max_spread: duration(max_spread),
    };
    let link = Link::new(settings, backoff as fn() -> Doubling, rng.draw(), moment(now));
    if let Ok(mut place) = LINK.0.try_borrow_mut() {
        *place = Some(link);
    }
}

/// Sets the heartbeat. 0, or the length of a text: the script's name of an option that is not longer than zero, as all must be.
#[unsafe(no_mangle)]
extern "C" fn configure(
    interval: f64,
    timeout: f64,
    probe_timeout: f64,
    suspect_after: f64,
    silence_timeout: f64,
    now: f64,
) -> usize {
    let suspicion = match duration(suspect_after) {
        Duration::MAX => Suspicion::Never,
        after => Suspicion::After(after),
    };
    let config = Config::builder()
        .interval(duration(interval))
        .timeout(duration(timeout))
        .probe_timeout(duration(probe_timeout))
        .suspicion(suspicion)
        .silence_timeout(duration(silence_timeout))
        .build();
    match config {
        Ok(config) => {
            with(|link| link.configure(config, moment(now)));
            0
        }
        Err(wrong) => tell(format_args!("{}", option(wrong.field()))),
    }
}

/// What the script calls this setting.
fn option(field: &str) -> &str {
    match field {
        "probe_timeout" => "probeTimeout",
        "suspicion" => "suspectAfter",
        "silence_timeout" => "silenceTimeout",
        same => same,
    }
}

/// Sets the backoff, from the next time on that it starts anew.
#[unsafe(no_mangle)]
extern "C" fn set_backoff(first: f64, longest: f64) {
    BACKOFF.0.set(Backoff { first: duration(first), longest: duration(longest), ..BACKOFF.0.get() });
}

/// 0: nobody waits for this socket any more.
#[unsafe(no_mangle)]
extern "C" fn opened(now: f64) -> i32 {
    i32::from(with(|link| link.opened(moment(now))))
}

#[unsafe(no_mangle)]
extern "C" fn closed(code: u16, now: f64) {
    with(|link| link.closed(code, moment(now)));
}

#[unsafe(no_mangle)]
extern "C" fn message(now: f64) {
    with(|link| link.message(moment(now)));
}

#[unsafe(no_mangle)]
extern "C" fn ping(payload: u64, now: f64) {
    with(|link| link.ping(payload, moment(now)));
}

#[unsafe(no_mangle)]
extern "C" fn pong(payload: u64, now: f64) {
    with(|link| link.pong(payload, moment(now)));
}

/// Something was handed to the socket: its `bufferedAmount` before and after.
#[unsafe(no_mangle)]
extern "C" fn sent(before: f64, after: f64, now: f64) {
    with(|link| link.sent(whole(before), whole(after), moment(now)));
}

/// The ping was.
#[unsafe(no_mangle)]
extern "C" fn ping_sent(before: f64, after: f64, now: f64) {
    with(|link| link.ping_sent(whole(before), whole(after), moment(now)));
}

/// The socket's `bufferedAmount` now.
#[unsafe(no_mangle)]
extern "C" fn buffered(bytes: f64, now: f64) {
    with(|link| link.buffered(whole(bytes), moment(now)));
}

#[unsafe(no_mangle)]
extern "C" fn wake(now: f64) {
    with(|link| link.wake(moment(now)));
}

#[unsafe(no_mangle)]
extern "C" fn probe(now: f64) {
    with(|link| link.probe(moment(now)));
}

#[unsafe(no_mangle)]
extern "C" fn dial_now(now: f64) {
    with(|link| link.dial_now(moment(now)));
}

/// A code that may not go on the wire counts as 1000.
#[unsafe(no_mangle)]
extern "C" fn close(code: u16, now: f64) {
    with(|link| link.close(CloseCode::new(code).unwrap_or(CloseCode::NORMAL), moment(now)));
}

/// The next thing to do, as its place in the list of `liveness.js`; 0: nothing.
#[unsafe(no_mangle)]
extern "C" fn poll(now: f64) -> i32 {
    let action = with(|link| link.poll(moment(now)));
    LAST.0.set(action);
    match action {
        None => 0,
        Some(Action::Dial) => 1,
        Some(Action::Open) => 2,
        Some(Action::Ping(_)) => 3,
        Some(Action::Pong(_)) => 4,
        Some(Action::Online) => 5,
        Some(Action::Suspect) => 6,
        Some(Action::Offline(_)) => 7,
        Some(Action::Rtt) => 8,
        Some(Action::Leave(_)) => 9,
        Some(Action::Wait(_)) => 10,
        Some(Action::End(_)) => 11,
    }
}

/// Of a ping or a pong.
#[unsafe(no_mangle)]
extern "C" fn payload() -> u64 {
    match LAST.0.get() {
        Some(Action::Ping(payload) | Action::Pong(payload)) => payload,
        _ => 0,
    }
}

/// With which to leave a socket, or with which the server closed it; 0: without any.
#[unsafe(no_mangle)]
extern "C" fn code() -> u16 {
    match LAST.0.get() {
        // A script may say no other code than these (WHATWG WebSockets, `close`).
        Some(Action::Leave(Some(code))) if matches!(code.get(), 1000 | 3000..) => code.get(),
        Some(Action::Offline(Reason::PeerClosed(Some(code))) | Action::End(GiveUpReason::Closed(code))) => {
            code
        }
        _ => 0,
    }
}

/// Until when there is a wait.
#[unsafe(no_mangle)]
extern "C" fn until() -> f64 {
    match LAST.0.get() {
        Some(Action::Wait(until)) => whole_millis(Some(until)),
        _ => f64::INFINITY,
    }
}

/// Of the round trip: 0 the latest, 1 the smoothed, 2 its variation, 3 the shortest.
#[unsafe(no_mangle)]
extern "C" fn rtt(which: i32) -> f64 {
    let rtt = with(|link| link.rtt());
    rtt.map_or(f64::NAN, |rtt| {
        millis(match which {
            0 => rtt.latest,
            1 => rtt.smoothed,
            2 => rtt.variation,
            _ => rtt.min,
        })
    })
}

#[unsafe(no_mangle)]
extern "C" fn attempts() -> u32 {
    with(|link| link.attempts())
}

/// When to poll next.
#[unsafe(no_mangle)]
extern "C" fn poll_timeout() -> f64 {
    whole_millis(with(|link| link.poll_timeout()))
}

/// Why: of `offline` a name and a line for people, of the end a line. The length of the text, whose lines are divided by a
/// line feed.
#[unsafe(no_mangle)]
extern "C" fn explain() -> usize {
    match LAST.0.get() {
        Some(Action::Offline(reason)) => tell(format_args!("{}\n{}", name(reason), reason.description())),
        Some(Action::End(why)) => tell(format_args!("{why}")),
        _ => 0,
    }
}

/// What is thought of the server, and why, while there is a connection: the length of the text.
#[unsafe(no_mangle)]
extern "C" fn report(now: f64) -> usize {
    with(|link| link.report(moment(now)).map_or(0, |report| tell(format_args!("{report}"))))
}

/// As transcripts call it, but for the code.
fn name(reason: Reason) -> impl fmt::Display {
    if let Reason::PeerClosed(_) = reason { Reason::PeerClosed(None) } else { reason }
}

/// Where the text is that was told last.
#[unsafe(no_mangle)]
extern "C" fn text() -> *const u8 {
    TEXT.0.as_ptr().cast_const().cast()
}
