//! The holder's half: it asks, and stops by itself.

use std::time::Duration;

use liveness::Timestamp;
use liveness::lease::{Lease, Tenure};
use proptest::prelude::*;

const LENGTH: Duration = Duration::from_secs(9);

fn s(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

/// A holder that asked its first question at 0 s.
fn asking() -> Tenure {
    let mut tenure = Tenure::new(LENGTH, s(0));
    assert_eq!((tenure.poll_timeout(), tenure.poll(s(0)), tenure.poll(s(0))), (Some(s(0)), Some(1), None));
    tenure
}

#[test]
fn it_may_act_from_the_first_answer_on_for_a_tenure_after_the_question() {
    let mut tenure = asking();
    assert_eq!((tenure.may_act(s(1)), tenure.ends_at(), tenure.length()), (false, None, LENGTH));
    tenure.answered(1, s(2));
    assert!(tenure.may_act(s(2)) && tenure.may_act(s(9) - Duration::from_nanos(1)) && !tenure.may_act(s(9)));
    assert_eq!(tenure.ends_at(), Some(s(9)));
}

#[test]
fn it_asks_each_third_of_a_tenure_and_is_not_asked_to_catch_up() {
    let mut tenure = asking();
    assert_eq!((tenure.poll_timeout(), tenure.poll(s(3) - Duration::from_nanos(1))), (Some(s(3)), None));
    assert_eq!((tenure.poll(s(3)), tenure.poll_timeout()), (Some(2), Some(s(6))));
    assert_eq!(
        (tenure.poll(s(100)), tenure.poll(s(100)), tenure.poll_timeout()),
        (Some(3), None, Some(s(103)))
    );
}

#[test]
fn an_answer_counts_from_its_own_question_however_late_or_out_of_order() {
    let mut tenure = asking();
    assert_eq!((tenure.poll(s(3)), tenure.poll(s(6))), (Some(2), Some(3)));
    tenure.answered(2, s(8));
    assert_eq!(tenure.ends_at(), Some(s(12)));
    tenure.answered(1, s(8));
    assert_eq!(tenure.ends_at(), Some(s(12)), "an older one takes nothing away");
    tenure.answered(3, s(14));
    assert_eq!(tenure.ends_at(), Some(s(15)));
    // Two questions are forgotten, and the others are known.
    assert_eq!([14, 17].map(|second| tenure.poll(s(second))), [Some(4), Some(5)]);
    let known = |question: u64| {
        let mut tenure = tenure.clone();
        let before = tenure.ends_at();
        tenure.answered(question, s(17));
        (before != tenure.ends_at()).then(|| tenure.ends_at().unwrap())
    };
    assert_eq!([4, 5].map(known), [Some(s(23)), Some(s(26))]);
    assert_eq!([0, 1, 2, 3, 6, u64::MAX].map(known), [None; 6]);
}

#[test]
fn an_answer_that_comes_after_its_tenure_gives_nothing() {
    let mut tenure = asking();
    tenure.answered(1, s(20));
    assert!(!tenure.may_act(s(20)) && !tenure.may_act(s(5)), "time does not go back");
}

#[test]
fn what_never_was_asked_was_never_answered() {
    let mut tenure = Tenure::new(LENGTH, s(50));
    for question in [0, 1, 2, u64::MAX] {
        tenure.answered(question, s(50));
    }
    assert_eq!((tenure.ends_at(), tenure.may_act(s(50))), (None, false));
}

#[test]
fn without_a_tenure_nobody_acts_and_with_one_without_end_for_ever() {
    let mut none = Tenure::new(Duration::ZERO, s(0));
    assert_eq!((none.poll(s(0)), none.poll(Timestamp::MAX), none.poll_timeout()), (None, None, None));
    let mut ever = Tenure::new(Duration::MAX, s(0));
    assert_eq!(ever.poll(s(0)), Some(1));
    ever.answered(1, s(0));
    assert!(ever.may_act(s(1_000_000)));
    let mut shortest = Tenure::new(Duration::from_nanos(1), s(0));
    assert_eq!((shortest.poll(s(0)), shortest.poll(s(0))), (Some(1), None), "it does not spin");
}

#[test]
fn a_tenure_is_the_shorter_of_grace_and_linger_less_a_hundredth() {
    let tenure = |grace, linger| Lease::<u8>::new(grace).tenure(linger);
    let seconds = Duration::from_secs;
    assert_eq!(tenure(seconds(10), seconds(20)), Duration::from_millis(9_900));
    assert_eq!(tenure(seconds(20), seconds(10)), Duration::from_millis(9_900));
    assert_eq!(tenure(Duration::MAX, seconds(10)), Duration::from_millis(9_900));
    assert_eq!(tenure(Duration::MAX, Duration::MAX), Duration::MAX);
    for none in [Duration::ZERO, Duration::from_nanos(1)] {
        assert_eq!([tenure(none, seconds(1)), tenure(seconds(1), none)], [Duration::ZERO; 2]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A holder that is answered within two thirds of its time never has to stop. If one question in two is lost, it
    /// needs the answer within a third.
    #[test]
    fn who_is_answered_in_time_never_stops(
        length in 30..1_000_000_000_000_u64,
        shares in prop::collection::vec(0.0..0.99, 1..60),
        lossy in any::<bool>(),
    ) {
        let mut tenure = Tenure::new(Duration::from_nanos(length), Timestamp::ZERO);
        let most = if lossy { length / 3 } else { length / 3 * 2 };
        let (mut answers, mut last) = (Vec::<(Timestamp, u64)>::new(), Timestamp::ZERO);
        for (index, share) in shares.iter().enumerate() {
            let now = tenure.poll_timeout().unwrap();
            let question = tenure.poll(now).unwrap();
            if !lossy || index % 2 == 0 {
                answers.push((now + Duration::from_nanos((most as f64 * share) as u64), question));
            }
            let next = tenure.poll_timeout().unwrap();
            answers.sort_unstable();
            while answers.first().is_some_and(|(at, _)| *at <= next) {
                let (at, question) = answers.remove(0);
                // Also just before it comes.
                prop_assert!(last == Timestamp::ZERO || tenure.may_act(at), "it stopped by {at}");
                tenure.answered(question, at);
                last = at;
            }
        }
    }
}
