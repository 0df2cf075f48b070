//! The crate that most programs use for their backoff.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use liveness::Timestamp;
use liveness::reconnect::{GiveUpReason, Policy, Reconnect, ReconnectAction};

/// A closure can be written without a type: a field names the backoff.
struct Client {
    reconnect: Reconnect<ExponentialBackoff>,
}

#[test]
fn the_backoff_of_backon_fits_into_a_field() {
    let at = Timestamp::from_secs;
    let backoff = || ExponentialBuilder::default().build();
    let mut client = Client { reconnect: Reconnect::new(Policy::DEFAULT, backoff, 7, at(0)) };
    let mut dials = Vec::new();
    let reason = loop {
        let now = client.reconnect.poll_timeout().expect("not the end");
        match client.reconnect.poll(now) {
            Some(ReconnectAction::Dial(attempt)) => {
                dials.push(now);
                assert!(dials.len() < 10, "it never ends");
                client.reconnect.failed(attempt, now);
            }
            Some(ReconnectAction::GiveUp(reason)) => break reason,
            Some(ReconnectAction::Abandon(_) | ReconnectAction::Retire(_)) | None => {
                panic!("it was due, and failed at once")
            }
        }
    };
    // Its default is three more attempts.
    assert_eq!((dials, reason), (vec![at(0), at(1), at(3), at(7)], GiveUpReason::Backoff));
}
