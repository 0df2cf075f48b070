//! What passes between a page and its machine: only numbers. One instance of the module is one link.
//!
//! Times are milliseconds on the page's monotonic clock, as `performance.now()` returns them. `Infinity` is never. After an
//! input or a command, call [`poll`] until it returns 0, and then [`poll_timeout`]. Ask for an action's values before the
//! next poll.

#![expect(unsafe_code, reason = "an export keeps its name; and what no thread shares is shared safely")]

use core::cell::{Cell, RefCell, RefMut};
use core::panic::PanicInfo;
use core::time::Duration;

use liveness::reconnect::{Backoff, GiveUpReason, OnClose};
use liveness::{CloseCode, Config, Reason, Schedule, Suspicion, Timestamp};

use crate::backoff::{Rng, page_backoff};
use crate::link::{Action, Link, Settings};
use crate::words::{option, tell};

/// The backoff's settings, and a number that seeds the next backoff.
#[derive(Clone, Copy)]
struct Waits {
    first: Duration,
    longest: Duration,
    rng: Rng,
}

/// What an instance keeps between two calls.
pub(crate) struct Kept<T>(pub(crate) T);

#[cfg(not(target_feature = "atomics"))]
// SAFETY: without atomics a module has no threads, and nobody but its page calls it.
unsafe impl<T> Sync for Kept<T> {}

type Page = Link<fn() -> Backoff>;

static LINK: Kept<RefCell<Option<Page>>> = Kept(RefCell::new(None));
static WAITS: Kept<Cell<Waits>> =
    Kept(Cell::new(Waits { first: Duration::ZERO, longest: Duration::ZERO, rng: Rng::new(0) }));
pub(crate) static LAST: Kept<Cell<Option<Action>>> = Kept(Cell::new(None));

/// Nothing here panics on any input. A panic message would be as large as everything else, so the page only sees a trap.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Does nothing before there is a link.
#[inline(never)]
fn page() -> Option<RefMut<'static, Page>> {
    RefMut::filter_map(LINK.0.try_borrow_mut().ok()?, Option::as_mut).ok()
}

pub(crate) fn with<R: Default>(use_it: impl FnOnce(&mut Page) -> R) -> R {
    page().map(|mut link| use_it(&mut link)).unwrap_or_default()
}

fn backoff() -> Backoff {
    let mut waits = WAITS.0.get();
    let seed = waits.rng.draw();
    WAITS.0.set(waits);
    page_backoff(waits.first, waits.longest, seed)
}

/// NaN and numbers below zero count as zero. A number that is too large is the far end of time, which never comes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "that is what the cast does")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[inline(never)]
fn nanos(millis: f64) -> u64 {
    whole(millis * 1e6 + 0.5)
}

pub(crate) fn moment(millis: f64) -> Timestamp {
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

/// Whole milliseconds, as timers need them. Rounded up, so that no timer is early, whatever a float has lost.
#[expect(clippy::cast_precision_loss, reason = "whole milliseconds of three centuries fit")]
fn whole_millis(at: Option<Timestamp>) -> f64 {
    at.map_or(f64::INFINITY, |at| at.as_nanos().div_ceil(1_000_000) as f64)
}

/// Makes the link, which dials at once, with the backoff that was set before. Call [`configure`] next.
#[unsafe(no_mangle)]
extern "C" fn start(seed: u64, stable_after: f64, dial_timeout: f64, max_spread: f64, now: f64) {
    let mut rng = Rng::new(seed);
    WAITS.0.set(Waits { rng: Rng::new(rng.draw()), ..WAITS.0.get() });
    let settings = Settings {
        heartbeat: Config::DEFAULT,
        stable_after: duration(stable_after),
        dial_timeout: duration(dial_timeout),
        max_spread: duration(max_spread),
    };
    let link = Link::new(settings, backoff as fn() -> Backoff, rng.draw(), moment(now));
    if let Ok(mut place) = LINK.0.try_borrow_mut() {
        *place = Some(link);
    }
}

/// Sets the heartbeat. Returns 0, or the length of a text: the script's name of an option that is not longer than zero, as
/// all must be. `steady`: the schedule. An end that never `asks` waits for no answer.
#[unsafe(no_mangle)]
extern "C" fn configure(
    interval: f64,
    timeout: f64,
    probe_timeout: f64,
    suspect_after: f64,
    silence_timeout: f64,
    steady: i32,
    asks: i32,
    now: f64,
) -> usize {
    let suspicion = match duration(suspect_after) {
        Duration::MAX => Suspicion::Never,
        after => Suspicion::After(after),
    };
    let of_a_question = |wait| duration(if asks == 0 { f64::INFINITY } else { wait });
    let config = Config::builder()
        .interval(of_a_question(interval))
        .timeout(of_a_question(timeout))
        .probe_timeout(of_a_question(probe_timeout))
        .suspicion(suspicion)
        .silence_timeout(duration(silence_timeout))
        .schedule(if steady == 0 { Schedule::Quiet } else { Schedule::Steady })
        .build();
    match config {
        Ok(config) => {
            with(|link| link.configure(config, moment(now)));
            0
        }
        Err(wrong) => tell(format_args!("{}", option(wrong.field()))),
    }
}

/// Sets the backoff. It takes effect when the backoff next starts again.
#[unsafe(no_mangle)]
extern "C" fn set_backoff(first: f64, longest: f64) {
    WAITS.0.set(Waits { first: duration(first), longest: duration(longest), ..WAITS.0.get() });
}

/// 0: nobody waits for this socket any more, and it must be closed.
#[unsafe(no_mangle)]
extern "C" fn opened(now: f64) -> i32 {
    i32::from(with(|link| link.opened(moment(now))))
}

/// Exports inputs and commands that bring only the time. [`Link`] describes each under its name.
macro_rules! export {
    ($($name:ident),+) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(now: f64) {
            with(|link| link.$name(moment(now)));
        }
    )+};
}

export!(failed, message, ping, some_pong, wake, network_back, network_lost, probe, dial_now);

#[unsafe(no_mangle)]
extern "C" fn closed(code: u16, now: f64) {
    with(|link| link.closed(code, moment(now)));
}

#[unsafe(no_mangle)]
extern "C" fn pong(payload: u64, now: f64) {
    with(|link| link.pong(payload, moment(now)));
}

/// Data was handed to the socket: its `bufferedAmount` before and after.
#[unsafe(no_mangle)]
extern "C" fn sent(before: f64, after: f64, now: f64) {
    with(|link| link.sent(whole(before), whole(after), moment(now)));
}

/// The ping was handed to the socket.
#[unsafe(no_mangle)]
extern "C" fn ping_sent(before: f64, after: f64, now: f64) {
    with(|link| link.ping_sent(whole(before), whole(after), moment(now)));
}

/// The socket's `bufferedAmount` now.
#[unsafe(no_mangle)]
extern "C" fn buffered(bytes: f64, now: f64) {
    with(|link| link.buffered(whole(bytes), moment(now)));
}

/// The calendar's time, and whether the page is visible. Call it before each [`poll`].
#[unsafe(no_mangle)]
extern "C" fn look(wall: f64, is_seen: i32, now: f64) {
    with(|link| link.look(moment(wall), is_seen != 0, moment(now)));
}

#[unsafe(no_mangle)]
extern "C" fn hand_over(over: f64, now: f64) {
    with(|link| link.hand_over(duration(over), moment(now)));
}

/// What the application wants after the loss that was reported last, or after the dial that is about to be reported as
/// failed: 0 the usual, 1 no more dials, 2 a dial, not sooner than `after`, and later by a draw from `spread`. Either may be
/// `NaN`, which means the usual. `NaN` in `not_before` means nothing more.
#[unsafe(no_mangle)]
extern "C" fn wish(kind: i32, after: f64, spread: f64, not_before: f64) {
    let wish = match (kind, planned()) {
        (0, _) => None,
        (1, _) => Some(OnClose::Stop),
        (_, usual) => {
            let OnClose::Redial { at_least, spread: width } = redial(usual) else { return };
            let then = OnClose::Redial { at_least: given(after, at_least), spread: given(spread, width) };
            Some(then.not_before(given(not_before, Duration::ZERO)))
        }
    };
    with(|link| link.wish(wish));
}

fn redial(usual: OnClose) -> OnClose {
    if let OnClose::Stop = usual { OnClose::REDIAL } else { usual }
}

fn given(millis: f64, otherwise: Duration) -> Duration {
    if millis.is_nan() { otherwise } else { duration(millis) }
}

fn planned() -> OnClose {
    let code = loss_code();
    // A dial that failed has no loss to report.
    if code == 0 { OnClose::AT_ONCE } else { with(|link| Some(link.plan(code))).unwrap_or(OnClose::Stop) }
}

/// What will follow from the loss that was reported last: 0 the least wait before the next dial, 1 the width of the draw.
/// `Infinity`: no dial follows.
#[unsafe(no_mangle)]
extern "C" fn plan(which: i32) -> f64 {
    match planned() {
        OnClose::Redial { at_least, spread } => millis(if which == 0 { at_least } else { spread }),
        OnClose::Stop | _ => f64::INFINITY,
    }
}

/// The code of the loss that was reported last, as a browser counts it: 1006 if the server sent none.
#[unsafe(no_mangle)]
extern "C" fn loss_code() -> u16 {
    match LAST.0.get() {
        Some(Action::Offline(reason)) => reason.connection_close_code(),
        _ => 0,
    }
}

/// Whether the connection was lost because the page slept, or because its network changed.
#[unsafe(no_mangle)]
extern "C" fn is_alone(now: f64) -> i32 {
    i32::from(with(|link| link.is_alone(moment(now))))
}

/// A code that must not be sent counts as 1000.
#[unsafe(no_mangle)]
extern "C" fn close(code: u16, now: f64) {
    with(|link| link.close(CloseCode::new(code).unwrap_or(CloseCode::NORMAL), moment(now)));
}

/// The next action, as its place in the list of `liveness.js`; 0 means nothing.
#[unsafe(no_mangle)]
extern "C" fn poll(now: f64) -> i32 {
    let action = with(|link| link.poll(moment(now)));
    LAST.0.set(action);
    match action {
        None => 0,
        Some(Action::Dial) => 1,
        Some(Action::Dialling) => 2,
        Some(Action::Open) => 3,
        Some(Action::Ping(_)) => 4,
        Some(Action::Pong) => 5,
        Some(Action::Online) => 6,
        Some(Action::Suspect) => 7,
        Some(Action::Offline(_)) => 8,
        Some(Action::Rtt) => 9,
        Some(Action::Leave(_)) => 10,
        Some(Action::Abandon) => 11,
        Some(Action::Retire) => 12,
        Some(Action::Wait(_)) => 13,
        Some(Action::End(_)) => 14,
    }
}

/// The payload of a ping.
#[unsafe(no_mangle)]
extern "C" fn payload() -> u64 {
    match LAST.0.get() {
        Some(Action::Ping(payload)) => payload,
        _ => 0,
    }
}

/// The code with which to close a socket, or with which the server closed it; 0 means without a code.
#[unsafe(no_mangle)]
extern "C" fn code() -> u16 {
    match LAST.0.get() {
        // A script may only use these codes (WHATWG WebSockets, `close`).
        Some(Action::Leave(Some(code))) if matches!(code.get(), 1000 | 3000..) => code.get(),
        Some(Action::Offline(Reason::PeerClosed(Some(code))) | Action::End(GiveUpReason::Closed(code))) => {
            code
        }
        _ => 0,
    }
}

/// The end of the wait.
#[unsafe(no_mangle)]
extern "C" fn until() -> f64 {
    match LAST.0.get() {
        Some(Action::Wait(until)) => whole_millis(until),
        _ => f64::INFINITY,
    }
}

/// A part of the round trip: 0 the latest, 1 the smoothed, 2 its variation, 3 the shortest.
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
