//! Presence feeds the lease: users, not connections.

use std::time::Duration;

use liveness::lease::{Lease, LeaseChange, Loss};
use liveness::{Action, Presence, PresenceChange, Reason, Status, Timestamp};
use proptest::prelude::*;

fn s(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

struct Desk {
    room: Presence<&'static str>,
    pen: Lease<&'static str>,
}

impl Desk {
    fn new() -> Self {
        Self { room: Presence::new(), pen: Lease::new(Duration::from_secs(5)) }
    }

    fn settle(&mut self, now: Timestamp) -> Vec<LeaseChange<&'static str>> {
        while let Some(change) = self.room.poll(now) {
            self.pen.apply(&change, now);
        }
        std::iter::from_fn(|| self.pen.poll(now)).collect()
    }
}

#[test]
fn a_user_who_is_back_on_another_connection_keeps_the_pen_when_the_old_one_is_given_up() {
    let mut desk = Desk::new();
    desk.room.connect(1, "ann", s(0));
    desk.room.connect(2, "bob", s(0));
    desk.pen.request("ann", s(0));
    desk.pen.request("bob", s(1));
    assert!(matches!(desk.settle(s(1))[..], [LeaseChange::Granted { user: "ann", .. }]));
    desk.room.connect(3, "ann", s(50));
    desk.room.handle(&1, Action::MarkSuspect, s(62));
    assert_eq!(desk.settle(s(62)), []);
    desk.room.handle(&1, Action::MarkOffline(Reason::PingTimeout), s(90));
    assert_eq!(desk.settle(s(90)), []);
    assert_eq!(desk.settle(s(1000)), []);
    assert_eq!(desk.pen.holder().map(|held| *held.user), Some("ann"));
}

#[test]
fn each_change_says_what_it_should() {
    let mut pen = Lease::new(Duration::from_secs(5));
    pen.request("ann", s(0));
    let Some(LeaseChange::Granted { token, .. }) = pen.poll(s(0)) else { panic!("it was free") };
    pen.apply(&PresenceChange::Joined("ann"), s(1));
    assert_eq!(pen.poll(s(1)), None);
    pen.apply(&PresenceChange::Suspected("ann"), s(2));
    assert_eq!(pen.poll(s(2)), Some(LeaseChange::Frozen { user: "ann", token, since: s(2) }));
    pen.apply(&PresenceChange::Recovered("ann"), s(3));
    assert_eq!(pen.poll(s(3)), Some(LeaseChange::Thawed { user: "ann", token }));
    pen.apply(&PresenceChange::Left("ann"), s(4));
    assert_eq!(pen.poll(s(4)), Some(LeaseChange::Lost { user: "ann", token, reason: Loss::Offline }));
    pen.apply(&PresenceChange::Joined("ann"), s(5));
    assert!(matches!(pen.poll(s(5)), Some(LeaseChange::Returned { user: "ann", .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// While one connection of the holder is online, the holder keeps the pen, and it is not frozen, whatever happens to
    /// the other connections.
    #[test]
    fn a_holder_with_a_connection_that_is_online_keeps_it(
        happenings in prop::collection::vec((2..6_u64, 0..4_u8, 0..100_u64), 1..60),
    ) {
        let mut desk = Desk::new();
        desk.room.connect(1, "ann", s(0));
        desk.room.connect(9, "bob", s(0));
        desk.pen.request("ann", s(0));
        desk.pen.request("bob", s(0));
        let granted = desk.settle(s(0));
        prop_assert_eq!(granted.len(), 1);
        let mut now = 0;
        for (connection, what, after) in happenings {
            now += after;
            match what {
                0 => desk.room.connect(connection, "ann", s(now)),
                1 => desk.room.set_status(&connection, Status::Suspect, s(now)),
                2 => desk.room.set_status(&connection, Status::Online, s(now)),
                _ => desk.room.set_status(&connection, Status::Offline, s(now)),
            }
            prop_assert_eq!(desk.settle(s(now)), []);
        }
    }
}
