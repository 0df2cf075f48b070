//! Examples for what people would ask.

use std::time::Duration;

use liveness::lease::{Holder, Lease, LeaseChange, Loss, REMEMBERED, Refusal, Token};
use liveness::{Status, Timestamp};

/// A pen, and what it has reported, in words.
struct Pen(Lease<&'static str>);

impl Pen {
    fn with_grace(seconds: u64) -> Self {
        Self(Lease::new(Duration::from_secs(seconds)))
    }

    /// Polls until there is nothing more.
    #[track_caller]
    fn tells(&mut self, now: Timestamp, expected: &[&str]) {
        let mut told = vec![];
        while let Some(change) = self.0.poll(now) {
            told.push(match change {
                LeaseChange::Granted { user, token } => format!("{user} has {token}"),
                LeaseChange::Frozen { user, since, .. } => format!("{user} frozen since {since}"),
                LeaseChange::Thawed { user, .. } => format!("{user} thawed"),
                LeaseChange::Lost { user, token, reason } => format!("{user} lost {token}: {reason:?}"),
                LeaseChange::Returned { user, token, reason, at } => {
                    format!("{user} is back, lost {token} at {at}: {reason:?}")
                }
            });
        }
        assert_eq!(told, expected);
    }
}

fn s(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

#[test]
fn the_queue_moves_up_as_holders_release() {
    let mut pen = Pen::with_grace(5);
    for user in ["ann", "bob", "cid", "dan"] {
        pen.0.request(user, s(0));
    }
    assert_eq!(pen.0.position(&"ann"), Some(0), "granted by the poll, not before");
    pen.tells(s(0), &["ann has 1"]);
    assert_eq!(pen.0.waiting().copied().collect::<Vec<_>>(), ["bob", "cid", "dan"]);
    assert_eq!(pen.0.position(&"ann"), None);
    assert_eq!(pen.0.position(&"dan"), Some(2));
    // A user in the middle of the queue leaves, which is not a loss.
    pen.0.release(&"cid", s(1));
    assert_eq!(pen.0.position(&"dan"), Some(1));
    pen.0.release(&"ann", s(2));
    pen.tells(s(2), &["ann lost 1: Released", "bob has 2"]);
    pen.0.release(&"bob", s(3));
    pen.0.release(&"dan", s(3));
    pen.tells(s(3), &["bob lost 2: Released"]);
    assert_eq!((pen.0.holder(), pen.0.poll_timeout()), (None, None));
}

#[test]
fn asking_twice_changes_nothing() {
    let mut pen = Pen::with_grace(5);
    for user in ["ann", "bob", "cid", "bob"] {
        pen.0.request(user, s(0));
    }
    pen.tells(s(0), &["ann has 1"]);
    pen.0.request("ann", s(1));
    assert_eq!(pen.0.waiting().copied().collect::<Vec<_>>(), ["bob", "cid"]);
    pen.0.release(&"ann", s(2));
    pen.tells(s(2), &["ann lost 1: Released", "bob has 2"]);
}

#[test]
fn a_holder_who_is_offline_loses_it_at_once_even_if_nobody_waits() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Offline, s(1));
    assert_eq!(pen.0.holder(), None, "from that call on");
    pen.tells(s(1), &["ann lost 1: Offline"]);
    assert_eq!(pen.0.poll_timeout(), None);
    pen.0.set_status(&"ann", Status::Online, s(9));
    pen.tells(s(9), &["ann is back, lost 1 at 1s: Offline"]);
    pen.0.set_status(&"ann", Status::Online, s(10));
    pen.tells(s(10), &[]);
}

#[test]
fn a_suspect_holder_keeps_it_for_the_grace_and_not_longer() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(0));
    pen.0.request("bob", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Suspect, s(10));
    assert_eq!(pen.0.poll_timeout(), Some(s(10)), "there is something to tell");
    pen.tells(s(10), &["ann frozen since 10s"]);
    // Reported again, the suspicion still counts from the first time.
    pen.0.set_status(&"ann", Status::Suspect, s(14));
    assert_eq!(pen.0.poll_timeout(), Some(s(15)));
    pen.tells(Timestamp::from_nanos(s(15).as_nanos() - 1), &[]);
    assert_eq!(pen.0.holder().map(|held| held.frozen_since), Some(Some(s(10))));
    pen.tells(s(15), &["ann lost 1: GraceExpired", "bob has 2"]);
    assert_eq!(pen.0.poll_timeout(), None);
    pen.0.set_status(&"ann", Status::Online, s(16));
    pen.tells(s(16), &["ann is back, lost 1 at 15s: GraceExpired"]);
}

#[test]
fn a_holder_who_is_heard_of_in_time_keeps_it() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(0));
    pen.0.request("bob", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Suspect, s(10));
    pen.tells(s(10), &["ann frozen since 10s"]);
    // She was reported as online before the poll that would have taken it. So she is there, whatever the time.
    pen.0.set_status(&"ann", Status::Online, s(15));
    pen.tells(s(15), &["ann thawed"]);
    // The next suspicion has its own grace.
    pen.0.set_status(&"ann", Status::Suspect, s(16));
    pen.tells(s(20), &["ann frozen since 16s"]);
    pen.tells(s(21), &["ann lost 1: GraceExpired", "bob has 2"]);
}

#[test]
fn a_frozen_lease_that_nobody_wants_waits_for_whoever_comes() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Suspect, s(1));
    pen.tells(s(1), &["ann frozen since 1s"]);
    assert_eq!(pen.0.poll_timeout(), None);
    pen.tells(s(100), &[]);
    pen.0.request("bob", s(101));
    pen.tells(s(101), &["ann lost 1: GraceExpired", "bob has 2"]);
}

#[test]
fn a_suspect_in_the_queue_is_passed_over_and_keeps_the_place() {
    let mut pen = Pen::with_grace(5);
    for user in ["ann", "bob", "cid", "dan"] {
        pen.0.request(user, s(0));
    }
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"bob", Status::Suspect, s(1));
    pen.0.release(&"ann", s(2));
    pen.tells(s(2), &["ann lost 1: Released", "cid has 2"]);
    assert_eq!(pen.0.waiting().copied().collect::<Vec<_>>(), ["bob", "dan"]);
    pen.0.set_status(&"bob", Status::Online, s(3));
    pen.tells(s(3), &[]);
    pen.0.release(&"cid", s(4));
    pen.tells(s(4), &["cid lost 2: Released", "bob has 3"]);
}

#[test]
fn while_only_suspects_wait_nobody_gets_it() {
    let mut pen = Pen::with_grace(5);
    // A suspicion that began before the request counts.
    pen.0.set_status(&"ann", Status::Suspect, s(0));
    pen.0.request("ann", s(1));
    pen.tells(s(1), &[]);
    assert_eq!(pen.0.poll_timeout(), None);
    pen.0.set_status(&"ann", Status::Online, s(2));
    pen.tells(s(2), &["ann has 1"]);
    // A suspect user does not get it from a suspect holder either.
    pen.0.set_status(&"ann", Status::Suspect, s(3));
    pen.0.set_status(&"bob", Status::Suspect, s(3));
    pen.0.request("bob", s(3));
    pen.tells(s(60), &["ann frozen since 3s"]);
    pen.0.set_status(&"bob", Status::Online, s(61));
    pen.tells(s(61), &["ann lost 1: GraceExpired", "bob has 2"]);
}

#[test]
fn who_is_offline_is_out_of_the_queue() {
    let mut pen = Pen::with_grace(5);
    for user in ["ann", "bob", "cid"] {
        pen.0.request(user, s(0));
    }
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"bob", Status::Offline, s(1));
    pen.0.set_status(&"bob", Status::Online, s(2));
    assert_eq!(pen.0.waiting().copied().collect::<Vec<_>>(), ["cid"]);
    pen.0.request("bob", s(2));
    assert_eq!(pen.0.position(&"bob"), Some(1));
}

#[test]
fn without_grace_it_passes_on_at_first_sight() {
    let mut pen = Pen::with_grace(0);
    pen.0.request("ann", s(0));
    pen.0.request("bob", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Suspect, s(1));
    pen.tells(s(1), &["ann lost 1: GraceExpired", "bob has 2"]);
}

#[test]
fn with_a_grace_without_end_only_the_verdict_counts() {
    let mut pen = Pen(Lease::new(Duration::MAX));
    assert_eq!(pen.0.grace(), Duration::MAX);
    pen.0.request("ann", s(0));
    pen.0.request("bob", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Suspect, s(1));
    pen.tells(s(1), &["ann frozen since 1s"]);
    assert_eq!(pen.0.poll_timeout(), None);
    pen.tells(Timestamp::MAX, &[]);
    pen.0.set_status(&"ann", Status::Offline, s(2));
    pen.tells(s(2), &["ann lost 1: Offline", "bob has 2"]);
}

#[test]
fn who_loses_it_and_is_back_at_once_is_told_once() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Offline, s(1));
    pen.0.set_status(&"ann", Status::Online, s(1));
    pen.tells(s(1), &["ann lost 1: Offline"]);
    pen.tells(s(2), &[]);
}

#[test]
fn who_is_gone_again_before_a_poll_is_told_the_next_time() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Offline, s(1));
    pen.tells(s(1), &["ann lost 1: Offline"]);
    pen.0.set_status(&"ann", Status::Online, s(2));
    pen.0.set_status(&"ann", Status::Suspect, s(2));
    pen.tells(s(2), &[]);
    // As with `Presence`, her request is no sign of life.
    pen.0.request("ann", s(3));
    pen.tells(s(3), &[]);
    pen.0.set_status(&"ann", Status::Online, s(4));
    pen.tells(s(4), &["ann is back, lost 1 at 1s: Offline", "ann has 2"]);
}

#[test]
fn who_asks_is_there() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Offline, s(1));
    pen.tells(s(1), &["ann lost 1: Offline"]);
    pen.0.request("ann", s(2));
    pen.tells(s(2), &["ann is back, lost 1 at 1s: Offline", "ann has 2"]);
}

#[test]
fn revoked_it_goes_to_the_next_and_the_former_holder_is_told() {
    let mut pen = Pen::with_grace(5);
    pen.0.revoke(s(0));
    pen.tells(s(0), &[]);
    pen.0.request("ann", s(0));
    pen.0.request("bob", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.revoke(s(1));
    pen.0.request("ann", s(1));
    pen.tells(s(1), &["ann lost 1: Revoked", "bob has 2"]);
    // A user who is suspect when it is taken did not hear of it.
    pen.0.set_status(&"bob", Status::Suspect, s(2));
    pen.0.revoke(s(2));
    pen.tells(s(2), &["bob lost 2: Revoked", "ann has 3"]);
    pen.0.set_status(&"bob", Status::Online, s(3));
    pen.tells(s(3), &["bob is back, lost 2 at 2s: Revoked"]);
}

#[test]
fn a_frozen_holder_may_give_it_back() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(0));
    pen.tells(s(0), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Suspect, s(1));
    pen.0.release(&"ann", s(2));
    // She knows of it, so it is not reported again when she returns.
    pen.tells(s(2), &["ann lost 1: Released"]);
    pen.0.set_status(&"ann", Status::Online, s(3));
    pen.tells(s(3), &[]);
}

#[test]
fn a_write_is_good_once_granted_until_lost() {
    let mut pen = Pen::with_grace(5);
    let first = Token::new(1);
    assert_eq!(pen.0.check(&"ann", first), Err(Refusal::NeverGranted));
    assert_eq!(pen.0.check(&"ann", Token::ZERO), Err(Refusal::NeverGranted));
    pen.0.request("ann", s(0));
    pen.tells(s(0), &["ann has 1"]);
    assert_eq!(pen.0.check(&"ann", first), Ok(()));
    assert_eq!(pen.0.check(&"bob", first), Err(Refusal::WrongUser));
    assert_eq!(pen.0.check(&"ann", Token::new(2)), Err(Refusal::NeverGranted));
    assert_eq!(pen.0.check(&"ann", Token::ZERO), Err(Refusal::NeverGranted));
    pen.0.set_status(&"ann", Status::Suspect, s(1));
    assert_eq!(pen.0.check(&"ann", first), Err(Refusal::Frozen { since: s(1) }));
    assert_eq!(pen.0.check(&"bob", first), Err(Refusal::WrongUser));
    pen.0.set_status(&"ann", Status::Online, s(2));
    assert_eq!(pen.0.check(&"ann", first), Ok(()));
    // The call that took it already refuses the write, not only the poll that reports it.
    pen.0.release(&"ann", s(3));
    let lost = |holder| Err(Refusal::Lost { reason: Loss::Released, at: s(3), holder });
    assert_eq!(pen.0.check(&"ann", first), lost(None));
    pen.0.request("bob", s(3));
    pen.tells(s(3), &["ann lost 1: Released", "bob has 2"]);
    assert_eq!(pen.0.check(&"ann", first), lost(Some("bob")));
    assert_eq!(pen.0.check(&"bob", first), Err(Refusal::WrongUser));
    assert_eq!(pen.0.check(&"bob", Token::new(2)), Ok(()));
    // When she holds it again, her old token is as old as before.
    pen.0.release(&"bob", s(4));
    pen.0.request("ann", s(4));
    pen.tells(s(4), &["bob lost 2: Released", "ann has 3"]);
    assert_eq!(pen.0.check(&"ann", first), lost(Some("ann")));
}

#[test]
fn the_latest_losses_are_remembered_and_no_others() {
    let mut pen = Pen::with_grace(5);
    for holding in 1..=REMEMBERED as u64 + 1 {
        pen.0.request("ann", s(holding));
        pen.tells(s(holding), &[&format!("ann has {holding}")]);
        pen.0.release(&"ann", s(holding));
        pen.tells(s(holding), &[&format!("ann lost {holding}: Released")]);
    }
    assert_eq!(pen.0.check(&"ann", Token::new(1)), Err(Refusal::Outdated { holder: None }));
    let second = Refusal::Lost { reason: Loss::Released, at: s(2), holder: None };
    assert_eq!(pen.0.check(&"ann", Token::new(2)), Err(second));
}

#[test]
fn so_many_who_are_away_are_told_on_their_return() {
    let mut pen: Lease<u64> = Lease::new(Duration::ZERO);
    let users = 1..=REMEMBERED as u64 + 1;
    for user in users.clone() {
        pen.request(user, s(user));
        assert!(matches!(pen.poll(s(user)), Some(LeaseChange::Granted { .. })));
        pen.set_status(&user, Status::Offline, s(user));
        assert!(matches!(pen.poll(s(user)), Some(LeaseChange::Lost { .. })));
    }
    for user in users.clone().rev() {
        pen.set_status(&user, Status::Online, s(100));
    }
    let mut back = vec![];
    while let Some(change) = pen.poll(s(100)) {
        let LeaseChange::Returned { user, token, reason: Loss::Offline, at } = change else {
            panic!("{change:?}")
        };
        assert_eq!((token.get(), at), (user, s(user)));
        back.push(user);
    }
    assert_eq!(back, users.skip(1).collect::<Vec<_>>());
}

#[test]
fn a_server_that_starts_again_goes_on_above() {
    let mut pen = Pen(Lease::resuming_after(Duration::ZERO, Token::new(41)));
    assert_eq!(pen.0.last_token(), Token::new(41));
    assert_eq!(pen.0.check(&"ann", Token::new(41)), Err(Refusal::Outdated { holder: None }));
    pen.0.request("ann", s(0));
    pen.tells(s(0), &["ann has 42"]);
    assert_eq!(pen.0.last_token(), Token::new(42));
    let held = pen.0.holder().map(|Holder { user, token, .. }| (*user, token));
    assert_eq!(held, Some(("ann", Token::new(42))));
}

#[test]
fn after_the_last_token_nothing_is_granted_and_nothing_taken_in_vain() {
    let mut pen = Pen(Lease::resuming_after(Duration::ZERO, Token::new(u64::MAX - 1)));
    pen.0.request("ann", s(0));
    pen.0.request("bob", s(0));
    pen.tells(s(0), &["ann has 18446744073709551615"]);
    pen.0.set_status(&"ann", Status::Suspect, s(1));
    pen.tells(s(9), &["ann frozen since 1s"]);
    assert_eq!(pen.0.last_token(), Token::MAX);
    pen.0.set_status(&"ann", Status::Offline, s(10));
    pen.tells(s(10), &["ann lost 18446744073709551615: Offline"]);
    assert_eq!((pen.0.poll_timeout(), pen.0.position(&"bob")), (None, Some(0)));
}

#[test]
fn a_clock_that_steps_back_counts_as_no_time() {
    let mut pen = Pen::with_grace(5);
    pen.0.request("ann", s(100));
    pen.0.request("bob", s(100));
    pen.tells(s(100), &["ann has 1"]);
    pen.0.set_status(&"ann", Status::Suspect, s(50));
    pen.tells(s(50), &["ann frozen since 100s"]);
    assert_eq!(pen.0.poll_timeout(), Some(s(105)));
    // What is due now is due at the latest moment seen.
    pen.0.set_status(&"ann", Status::Online, s(20));
    assert_eq!(pen.0.poll_timeout(), Some(s(100)));
}

#[test]
fn users_may_be_anything_that_can_be_compared() {
    let mut pen: Lease<String> = Lease::new(Duration::ZERO);
    pen.request("ann".into(), s(0));
    assert!(pen.poll(s(0)).is_some());
    let holder = pen.holder().expect("granted");
    let copy = holder;
    #[expect(clippy::clone_on_copy, reason = "it is what is tested")]
    let clone = holder.clone();
    assert_eq!((copy, clone.user.as_str()), (holder, "ann"));
}

#[test]
fn refusals_say_what_is_the_matter() {
    let lost = |reason, holder| Refusal::Lost { reason, at: s(20), holder }.to_string();
    let texts = [
        lost(Loss::Released, Some("bob")),
        lost(Loss::Offline, None),
        lost(Loss::GraceExpired, Some("bob")),
        lost(Loss::Revoked, None),
        Refusal::Frozen::<&str> { since: Timestamp::from_millis(12_500) }.to_string(),
        Refusal::Outdated { holder: Some("bob") }.to_string(),
        Refusal::WrongUser::<&str>.to_string(),
        Refusal::NeverGranted::<&str>.to_string(),
    ];
    let expected = [
        "lost at 20s: its holder gave it back; bob has it now",
        "lost at 20s: its holder went offline; nobody has it now",
        "lost at 20s: its holder was not heard of for too long while others waited; bob has it now",
        "lost at 20s: it was taken away; nobody has it now",
        "frozen since 12.5s: its holder is suspect",
        "the token is long out of date; bob has it now",
        "the token is somebody else's",
        "the token was never handed out",
    ];
    assert_eq!(texts, expected);
    assert_eq!(Loss::Revoked.to_string(), Loss::Revoked.as_str());
    let error: &dyn std::error::Error = &Refusal::WrongUser::<&str>;
    assert!(error.source().is_none());
}
