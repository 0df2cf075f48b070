//! `would_judge` and `wake_at`: what a machine says about its next poll, compared with what the poll does.

use std::time::Duration;

use liveness::{Action, Event, Liveness, Reason, Timestamp};

/// The machine after a poll at `now`, and the poll's actions.
fn polled(machine: &Liveness, now: Timestamp) -> (Liveness, Vec<Action>) {
    let mut copy = machine.clone();
    let actions = std::iter::from_fn(|| copy.poll(now)).collect();
    (copy, actions)
}

/// What a poll at `now` holds against the peer: the verdict that follows, at once or at the end of its last look, and the
/// number of forgiven deadlines.
fn held(machine: &Liveness, now: Timestamp) -> (Option<Reason>, u16) {
    let (copy, _) = polled(machine, now);
    let (later, _) = polled(&copy, now + copy.config().last_look());
    (later.verdict(), copy.stats().stalls_forgiven)
}

/// The same, if everything that the peer could have sent was read before.
fn held_if_heard(machine: &Liveness, now: Timestamp) -> (Option<Reason>, u16) {
    let mut copy = machine.clone();
    if let Some(payload) = copy.awaited() {
        copy.handle(Event::Pong(payload.as_bytes()), now);
    }
    copy.handle(Event::Data, now);
    held(&copy, now)
}

/// True if the poll holds more against the peer than if everything had been read. The writing does not depend on reading.
fn is_refutable(machine: &Liveness, now: Timestamp) -> bool {
    let ((verdict, forgiven), (other, fewer)) = (held(machine, now), held_if_heard(machine, now));
    let judged = matches!(verdict, Some(Reason::PingTimeout | Reason::Idle | Reason::Silent));
    (judged && verdict != other) || forgiven > fewer
}

/// `would_judge` is true exactly if a poll holds something against the peer that unread input could refute.
pub(crate) fn judges_as_it_says(
    machine: &Liveness,
    now: Timestamp,
    latest: Timestamp,
) -> Result<bool, String> {
    let due = machine.poll_timeout().is_some_and(|due| due <= latest);
    let judges = due && machine.verdict().is_none() && is_refutable(machine, latest);
    let says = machine.would_judge(now);
    // A last look that begins at the far end of time never ends, so what is noted there has no effect.
    if latest + machine.config().last_look() == Timestamp::MAX {
        return Ok(says);
    }
    // If a writing is over too, that is held against the peer instead of what was refuted.
    let hidden = || {
        let (verdict, forgiven) = held(machine, latest);
        let holds = due && (verdict.is_some() || forgiven > machine.stats().stalls_forgiven);
        says && holds && machine.config().write_timeout() < Duration::MAX
    };
    if says == judges || hidden() {
        Ok(says)
    } else {
        Err(format!("would_judge at {now} says {says}: {machine:?}"))
    }
}

/// `wake_at` is `poll_timeout`, unless a scheduled ping waits for the next line of the grid. It then waits for less than
/// a mesh, and nothing else waits for it.
pub(crate) fn wakes_as_it_says(machine: &Liveness) -> Result<bool, String> {
    let (due, wake) = match (machine.poll_timeout(), machine.wake_at()) {
        (Some(due), Some(wake)) => (due, wake),
        (None, None) => return Ok(false),
        (due, wake) => return Err(format!("due at {due:?}, and it wakes at {wake:?}: {machine:?}")),
    };
    let most = (machine.config().interval() / 256).min(Duration::from_millis(50));
    let wait = wake.saturating_duration_since(due);
    if wake < due || (wait > Duration::ZERO && wait >= most) {
        return Err(format!("due at {due}, and it wakes at {wake}: {machine:?}"));
    }
    if wake == due {
        return Ok(false);
    }
    // Until it wakes, only that ping falls due.
    let before = wake.saturating_sub(Duration::from_nanos(1));
    let (copy, actions) = polled(machine, before);
    let ping = matches!(actions[..], [Action::SendPing(_)]);
    if ping && !is_refutable(machine, before) && copy.verdict().is_none() {
        Ok(true)
    } else {
        Err(format!("due at {due}, and until {wake} there is {actions:?}: {machine:?}"))
    }
}
