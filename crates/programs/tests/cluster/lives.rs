//! What holds in every life of a cluster, with a simulated clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use liveness::Status;

use crate::world::{Outcome, SETTINGS, SLOWEST, World};
use liveness_programs::cluster::node::Conn;
use liveness_programs::cluster::settings::{LONGEST_REDIAL, Settings};
use liveness_programs::cluster::store::User;
use liveness_programs::cluster::words::{Known, Said, State};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn user(number: usize) -> User {
    User::from(format!("user-{number}"))
}

/// Three nodes, and this many users spread over them.
fn settled(seed: u64, users: usize) -> World {
    let mut world = World::new(seed, 3);
    world.run_for(secs(1));
    for number in 0..users {
        let place = world.pick(3);
        world.enter(place, &user(number));
    }
    world.run_for(secs(1));
    agree(&world);
    world
}

fn people(state: &State) -> BTreeMap<User, BTreeSet<String>> {
    let names = |at: &[std::sync::Arc<str>]| at.iter().map(|name| name.to_string()).collect();
    state.people.iter().map(|person| (person.user.clone(), names(&person.at))).collect()
}

/// Every node knows who is here and where, and that they are online. All nodes say the same about the pen.
#[track_caller]
fn agree(world: &World) {
    let pens: Vec<_> = world.states().map(|state| state.pen).collect();
    assert!(pens.iter().all(|pen| pen.is_some() && *pen == pens[0]), "{pens:?}");
    for state in world.states() {
        assert!(state.known);
        assert_eq!(people(&state), world.truth(), "{} at {}", state.node, world.now);
        let online = |status: Known| status == Known::Online;
        assert!(state.people.iter().all(|person| online(person.status)), "{:?}", state.people);
    }
}

fn conn_of(world: &World, user: &User) -> Conn {
    *world.pages.iter().find(|(_, page)| page.user == *user).unwrap().0
}

#[test]
fn who_is_on_two_nodes_is_one_user_and_here_until_both_are_left() {
    let mut world = settled(1, 0);
    let ann = user(0);
    world.enter(0, &ann);
    world.enter(1, &ann);
    world.run_for(secs(1));
    agree(&world);
    let first = conn_of(&world, &ann);
    world.leave(first);
    world.run_for(secs(10));
    agree(&world);
    let second = conn_of(&world, &ann);
    world.leave(second);
    world.run_for(SETTINGS.linger);
    assert!(world.states().all(|state| state.people.iter().all(|person| person.status == Known::Away)));
    world.run_for(SETTINGS.beat + 3 * SLOWEST);
    agree(&world);
    assert!(world.truth().is_empty());
}

#[test]
fn users_of_a_node_that_dies_are_gone_within_the_bound_and_not_before_the_linger() {
    let mut slowest = Duration::ZERO;
    for seed in 0..50 {
        let mut world = settled(seed, 30);
        let phase = world.rng.duration(SETTINGS.beat);
        world.run_for(phase);
        let dead: Vec<User> =
            world.pages.values().filter(|page| page.place == 0).map(|page| page.user.clone()).collect();
        world.kill(0);
        let start = world.now;
        let shown = |world: &World| {
            world.states().all(|state| dead.iter().any(|user| people(&state).contains_key(user)))
        };
        world.run_for(SETTINGS.linger);
        assert!(shown(&world), "seed {seed}: gone before the linger");
        while world.states().any(|state| dead.iter().any(|user| people(&state).contains_key(user))) {
            world.run_for(millis(10));
            let took = world.now.saturating_duration_since(start);
            assert!(took <= SETTINGS.bound() + 3 * SLOWEST, "seed {seed}: still here after {took:?}");
            slowest = slowest.max(took);
        }
        agree(&world);
    }
    println!("gone after {slowest:?} at the latest, bound {:?}", SETTINGS.bound());
    assert!(slowest > SETTINGS.bound() - secs(1), "a bound that nothing comes near says little: {slowest:?}");
}

#[test]
fn a_node_that_was_stopped_says_what_it_does_not_know_and_claims_anew() {
    let mut world = settled(3, 12);
    let before: Vec<_> = world.states().map(|state| state.incarnation).collect();
    world.stop(0);
    world.run_for(SETTINGS.bound() + 3 * SLOWEST);
    let gone: BTreeSet<User> = world.truth().keys().cloned().collect();
    for state in world.states() {
        let here = people(&state).into_keys().collect::<BTreeSet<_>>();
        assert!(here.is_subset(&gone) && here.len() < 12, "those of the stopped node have left");
    }
    world.go_on(0);
    // It has not heard from Redis yet. By its own clock it is not believed any more.
    let state = world.places[0].node.as_ref().unwrap().state();
    assert!(!state.known && state.pen.is_none());
    for person in &state.people {
        let own = person.at.iter().any(|name| **name == *"node-1");
        assert_eq!(person.status, if own { Known::Online } else { Known::Unknown });
    }
    world.run_for(6 * SLOWEST);
    agree(&world);
    let after: Vec<_> = world.states().map(|state| state.incarnation).collect();
    assert_ne!(before[0], after[0], "a new life");
    assert_eq!(before[1..], after[1..]);
}

#[test]
fn a_node_that_goes_on_and_reads_slowly_does_not_say_that_it_knows_what_was_before() {
    let known: u32 = (0..20).map(goes_on_and_reads_slowly).sum();
    assert!(known > 0, "it never knew");
}

/// How often a node was checked while it said that it knew.
fn goes_on_and_reads_slowly(seed: u64) -> u32 {
    let mut world = settled(seed, 12);
    world.stop(0);
    world.places[0].slow_log = secs(12);
    for _ in 0..4 {
        let conn = *world.pages.iter().find(|(_, page)| page.place != 0).unwrap().0;
        world.leave(conn);
    }
    world.run_for(secs(10));
    world.go_on(0);
    let mut known = 0;
    for _ in 0..100 {
        world.run_for(millis(2));
        let state = world.places[0].node.as_ref().unwrap().state();
        if state.known {
            known += 1;
            let shown = people(&state).into_keys().collect::<Vec<_>>();
            assert_eq!(shown, world.truth().into_keys().collect::<Vec<_>>(), "seed {seed}");
        }
    }
    known
}

#[test]
fn a_holder_who_is_heard_of_again_writes_at_once() {
    let mut world = settled(7, 3);
    let conn = conn_of(&world, &user(0));
    world.say(conn, Said::Want);
    world.run_for(secs(1));
    let (token, page) = (world.tokens[&user(0)], world.pages[&conn].clone());
    world.mark(&page, conn, Status::Suspect);
    // Their suspicion is on its way. Until it arrives they still count as online, and write.
    world.mark(&page, conn, Status::Online);
    world.say(conn, Said::Write { token, key: "k".to_owned(), text: "t".to_owned() });
    world.run_for(secs(1));
    assert_eq!(world.edits["k"], Outcome::Written);
}

#[test]
fn a_holder_who_came_to_another_node_while_redis_was_away_is_told_there_that_the_pen_is_theirs() {
    let mut world = settled(8, 0);
    let ann = user(0);
    world.enter(0, &ann);
    world.run_for(secs(1));
    let conn = conn_of(&world, &ann);
    world.say(conn, Said::Want);
    world.run_for(secs(1));
    let token = world.tokens.remove(&ann).unwrap();
    world.redis(false);
    world.run_for(secs(1));
    world.leave(conn);
    world.enter(1, &ann);
    world.run_for(secs(20));
    assert!(world.tokens.is_empty(), "nothing is known of the pen");
    world.redis(true);
    world.run_for(LONGEST_REDIAL + 8 * SLOWEST);
    agree(&world);
    assert_eq!(world.tokens.get(&ann), Some(&token));
}

#[test]
fn a_node_that_says_goodbye_is_not_waited_for() {
    let mut world = settled(5, 12);
    let here = |world: &World| world.states().map(|state| state.people.len()).max();
    world.close(0);
    world.run_for(3 * SLOWEST);
    assert!(world.places[0].node.as_ref().unwrap().is_closed());
    world.kill(0);
    world.run_for(SETTINGS.linger - 5 * SLOWEST);
    assert_eq!(here(&world), Some(12), "they linger");
    world.run_for(SETTINGS.beat + 8 * SLOWEST);
    agree(&world);
    assert!(world.truth().len() < 12, "nobody was at the node that closed");
}

#[test]
fn settings_under_which_a_late_beat_or_a_redial_would_end_somebody_are_refused() {
    let check = |change: fn(&mut Settings)| {
        let mut settings = SETTINGS;
        change(&mut settings);
        settings.check()
    };
    assert!(check(|_| {}).is_ok());
    assert!(check(|settings| settings.beat = settings.ttl / 2).is_ok());
    let why = check(|settings| settings.beat = settings.ttl / 2 + millis(1)).unwrap_err();
    assert!(why.starts_with("--beat 1.501s is more than half of --ttl 3s"), "{why}");
    assert!(check(|settings| settings.linger = LONGEST_REDIAL).is_ok());
    assert!(check(|settings| settings.linger = LONGEST_REDIAL - millis(1)).is_err());
    assert!(check(|settings| settings.beat = millis(0)).is_err());
}

#[test]
fn without_redis_the_local_is_known_and_the_rest_is_not() {
    let mut world = settled(4, 12);
    let writer = user(0);
    let conn = conn_of(&world, &writer);
    world.say(conn, Said::Want);
    world.run_for(secs(1));
    world.redis(false);
    world.run_for(secs(1));
    for state in world.states() {
        assert!(!state.known && state.pen.is_none());
        for person in &state.people {
            let own = person.at.contains(&state.node);
            assert_eq!(person.status, if own { Known::Online } else { Known::Unknown }, "{person:?}");
        }
    }
    let token = world.tokens[&writer];
    world.say(conn, Said::Write { token, key: "k".to_owned(), text: "t".to_owned() });
    assert_eq!(world.edits["k"], Outcome::Refused);
    world.run_for(secs(60));
    world.redis(true);
    world.run_for(LONGEST_REDIAL + 8 * SLOWEST);
    agree(&world);
    // Nobody left, and the pen is where it was.
    let pen = world.states().next().unwrap().pen.unwrap();
    assert_eq!((pen.holder, pen.token, pen.frozen), (Some(writer), token, false));
    world.say(conn, Said::Write { token, key: "l".to_owned(), text: "t".to_owned() });
    world.run_for(secs(1));
    assert_eq!(world.edits["l"], Outcome::Written);
}

#[test]
fn an_edit_whose_answer_is_lost_is_written_once_however_often_it_is_sent() {
    let mut lost = 0;
    for seed in 0..40 {
        let mut world = settled(seed, 3);
        let conn = conn_of(&world, &user(0));
        world.say(conn, Said::Want);
        world.run_for(secs(1));
        let token = world.tokens[&user(0)];
        let edit = Said::Write { token, key: "k".to_owned(), text: "t".to_owned() };
        world.say(conn, edit.clone());
        let moment = world.rng.duration(2 * SLOWEST);
        world.run_for(moment);
        world.redis(false);
        world.run_for(secs(1));
        lost += usize::from(world.edits["k"] == Outcome::Lost && world.model.text.len() == 1);
        world.redis(true);
        world.run_for(secs(2));
        for _ in 0..3 {
            world.say(conn, edit.clone());
        }
        world.run_for(secs(1));
        assert_eq!(world.edits["k"], Outcome::Written);
        assert_eq!(world.model.text.len(), 1);
    }
    assert!(lost > 0, "the case worth seeing did not happen");
}

/// One life with everything that may happen to a cluster, and what holds at the end.
struct Life {
    world: World,
    users: usize,
    keys: u64,
    /// Edits whose answer was lost. They are sent again if their page is still there.
    again: Vec<(Conn, Said)>,
}

impl Life {
    fn step(&mut self) {
        let world = &mut self.world;
        let place = world.pick(3);
        match world.rng.below(40) {
            0 => world.kill(place),
            1 if world.places[place].node.is_none() => world.start(place),
            2 => world.stop(place),
            3..=4 if world.places[place].stopped => world.go_on(place),
            5 => world.cut(place, true),
            6..=7 => world.cut(place, false),
            8 => world.redis(false),
            9..=11 => world.redis(true),
            12..=15 => {
                let number = world.pick(self.users);
                if world.places[place].node.is_some() && !world.places[place].stopped {
                    world.enter(place, &user(number));
                }
            }
            _ => self.act(),
        }
    }

    /// A random user does something.
    fn act(&mut self) {
        let world = &mut self.world;
        let awake: Vec<Conn> = world
            .pages
            .iter()
            .filter(|(_, page)| !world.places[page.place].stopped)
            .map(|(conn, _)| *conn)
            .collect();
        if awake.is_empty() {
            return;
        }
        let conn = awake[world.pick(awake.len())];
        let page = world.pages[&conn].clone();
        match world.rng.below(12) {
            0 => world.leave(conn),
            1 => world.mark(&page, conn, Status::Suspect),
            2 => world.mark(&page, conn, Status::Online),
            3..=4 => world.say(conn, Said::Want),
            5 if world.rng.one_in(3) => world.say(conn, Said::Give),
            6 if !self.again.is_empty() => {
                let (conn, said) = self.again.swap_remove(0);
                // While an answer is on its way, nobody asks again.
                let Said::Write { key, .. } = &said else { return };
                if world.edits[key] != Outcome::Silence {
                    world.say(conn, said);
                }
            }
            _ => {
                // A user who was told a token. Most of them still hold it.
                let holder = world.model.holder();
                let held = |page: &Conn| Some(&world.pages[page].user) == holder.as_ref();
                let conn = awake.iter().copied().find(|conn| held(conn)).unwrap_or(conn);
                let Some(token) = world.tokens.get(&world.pages[&conn].user).copied() else { return };
                self.keys += 1;
                let key = self.keys.to_string();
                let said = Said::Write { token, key: key.clone(), text: key };
                self.again.push((conn, said.clone()));
                world.say(conn, said);
            }
        }
    }

    fn mend(&mut self) {
        let world = &mut self.world;
        world.redis(true);
        for place in 0..3 {
            world.cut(place, false);
            if world.places[place].stopped {
                world.go_on(place);
            }
            if world.places[place].node.is_none() {
                world.start(place);
            }
        }
        let pages: Vec<_> = world.pages.iter().map(|(conn, page)| (*conn, page.clone())).collect();
        for (conn, page) in pages {
            world.mark(&page, conn, Status::Online);
        }
        // At worst a dial that gets no answer, and then everything that a death takes.
        world.run_for(SETTINGS.patience() + SETTINGS.bound_after_redis() + 10 * SLOWEST);
    }
}

#[test]
fn whatever_befalls_it_a_cluster_comes_to_agree_and_no_edit_is_lost() {
    let (mut written, mut lost, mut refused, mut tokens) = (0, 0, 0, 0);
    for seed in 0..400 {
        println!("seed {seed}");
        let mut life = Life { world: settled(seed, 8), users: 8, keys: 0, again: Vec::new() };
        for _ in 0..120 {
            life.step();
            let pause = if life.world.rng.one_in(8) { secs(4) } else { millis(300) };
            let pause = life.world.rng.duration(pause);
            life.world.run_for(pause);
        }
        life.mend();
        let world = &life.world;
        agree(world);
        let keys: Vec<&str> = world.model.text.iter().map(|line| &*line.text).collect();
        let once: BTreeSet<&str> = keys.iter().copied().collect();
        assert_eq!(once.len(), keys.len(), "seed {seed}: an edit is there twice");
        for (key, outcome) in &world.edits {
            match outcome {
                Outcome::Written => assert!(once.contains(&**key), "seed {seed}: edit {key} is lost"),
                Outcome::Refused => assert!(!once.contains(&**key), "seed {seed}: edit {key} was refused"),
                Outcome::Lost => lost += 1,
                Outcome::Silence => {}
            }
            written += usize::from(*outcome == Outcome::Written);
            refused += usize::from(*outcome == Outcome::Refused);
        }
        assert!(world.model.text.windows(2).all(|pair| pair[0].token <= pair[1].token));
        tokens += world.model.token();
    }
    println!("{written} edits written, {refused} refused, {lost} with a lost answer; {tokens} holdings");
    assert!(written > 1000 && refused > 300 && lost > 20 && tokens > 300, "too little happened");
}
