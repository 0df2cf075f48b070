//! Cases that a test cannot reach from outside: a slot used 16.7 million times, a full fleet.

use super::*;

/// A slot whose last connection had this tag.
fn used(tag: u32) -> Fleet {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    fleet.states.push(Slot::free(Tag(tag)));
    fleet.wheel.add_node();
    fleet.wheel.set_free(0);
    fleet
}

#[test]
fn a_slot_that_is_worn_out_is_left_alone() {
    let mut fleet = used(0xffff_fe00);
    let last = fleet.insert(Timestamp::ZERO).unwrap();
    assert_eq!((last.index(), last.tag().generation()), (0, u32::MAX >> 8));
    fleet.remove(last).unwrap();
    // Its next generation would be the first again, and the key of the first connection would be valid.
    assert_eq!(fleet.insert(Timestamp::ZERO).unwrap().index(), 1);
    assert!(fleet.get(Key::new(0, Tag(0))).is_err());
    assert_eq!((fleet.len(), fleet.iter().count()), (1, 1));
}

#[test]
fn a_full_fleet_says_so_and_takes_in_another_when_one_has_gone() {
    let mut fleet = used(0);
    let places = Wheel::capacity();
    assert!(places > 16_000_000);
    // As if all the others were in use: their places are counted and not filled.
    fleet.states.skip_to(places);
    let key = fleet.insert(Timestamp::ZERO).unwrap();
    assert_eq!(fleet.insert(Timestamp::ZERO), Err(FleetError::Full));
    assert_eq!(fleet.len(), 1);
    fleet.remove(key).unwrap();
    assert!(fleet.insert(Timestamp::ZERO).is_ok());
}
