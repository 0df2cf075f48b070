//! The script that runs in Redis, compared with the crate's `Presence` and `Lease`: the same operations at the same
//! moments. Every answer, all news and the text must agree.

use std::time::Duration;

use liveness::{Status, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis::{Client, cmd};
use tokio::runtime::Runtime;

use crate::connect;
use crate::model::Model;
use liveness_programs::cluster::redis_server::{Kept, RedisServer};
use liveness_programs::cluster::settings::Settings;
use liveness_programs::cluster::store::redis::{Log, Store};
use liveness_programs::cluster::store::{Claims, Edit, Incarnation, News, Op, Reply, User};

/// Replaces Redis's clock by one that the test sets.
const CLOCK: &str = "local now = tonumber(redis.call('GET', 'moment'))";

const SETTINGS: Settings = Settings {
    ttl: Duration::from_millis(10_000),
    beat: Duration::from_millis(500),
    linger: Duration::from_millis(2000),
    grace: Duration::from_millis(1000),
};

fn user() -> impl Strategy<Value = User> {
    prop::sample::select(vec!["ann", "bob", "Zoë", "9"]).prop_map(User::from)
}

fn inc() -> impl Strategy<Value = Incarnation> {
    // An index of a life. Mostly one of the current lives, otherwise any number.
    prop_oneof![9 => 0..3_u64, 1 => 10..20_u64].prop_map(Incarnation)
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![3 => Just(Status::Online), 2 => Just(Status::Suspect), 2 => Just(Status::Offline)]
}

fn op() -> impl Strategy<Value = Op> {
    let name = prop::sample::select(vec!["one", "two", "three"]);
    let claims = |least| {
        let claims = prop::collection::btree_map(user(), status(), least..4);
        claims.prop_map(|claims| claims.into_iter().collect::<Claims>())
    };
    let open = (name, claims(0)).prop_map(|(name, claims)| {
        let here = claims.into_iter().filter(|(_, status)| *status != Status::Offline);
        Op::Open { name: name.to_owned(), address: format!("{name}:80"), claims: here.collect() }
    });
    let edit = (user(), prop_oneof![3 => Just(1_u64), 1 => 0..4_u64], 0..12_u8, "[a-c\"\\\\é]{1,3}");
    let edit = edit.prop_map(|(user, token, key, text)| Edit { user, token, key: key.to_string(), text });
    prop_oneof![
        2 => open,
        8 => inc().prop_map(Op::Beat),
        8 => (inc(), claims(1)).prop_map(|(inc, claims)| Op::Claim(inc, claims)),
        1 => (inc(), user(), "[a-c]{1,3}").prop_map(|(inc, user, text)| Op::Say(inc, user, text)),
        5 => (inc(), user()).prop_map(|(inc, user)| Op::Want(inc, user)),
        2 => (inc(), user()).prop_map(|(inc, user)| Op::Give(inc, user)),
        6 => (inc(), edit).prop_map(|(inc, edit)| Op::Write(inc, edit)),
        1 => inc().prop_map(Op::Close),
        2 => Just(Op::Look),
    ]
}

/// Mostly no time at all, otherwise just before, at and after whatever falls due.
fn wait() -> impl Strategy<Value = u64> {
    prop_oneof![
        12 => Just(0_u64),
        6 => 1..400_u64,
        2 => prop::sample::select(vec![999, 1000, 1001, 1999, 2000, 9999, 10_000]),
    ]
}

/// Uses the current lives, and the pen's current token.
fn resolve(op: &Op, model: &Model) -> Op {
    let lives: Vec<Incarnation> = model.lives().collect();
    let life = |inc: &Incarnation| match inc.0 {
        nth @ 0..10 => lives.iter().cycle().nth(nth as usize).copied().unwrap_or(Incarnation(1)),
        any => Incarnation(any - 9),
    };
    match op {
        Op::Open { .. } | Op::Look => op.clone(),
        Op::Beat(inc) => Op::Beat(life(inc)),
        Op::Claim(inc, claims) => Op::Claim(life(inc), claims.clone()),
        Op::Say(inc, user, text) => Op::Say(life(inc), user.clone(), text.clone()),
        Op::Want(inc, user) => Op::Want(life(inc), user.clone()),
        Op::Give(inc, user) => Op::Give(life(inc), user.clone()),
        Op::Write(inc, edit) => {
            let token = (model.token() + 1).saturating_sub(edit.token);
            // A holder writes more than others.
            let holder = model.holder().filter(|_| edit.key != "0");
            let user = holder.unwrap_or_else(|| edit.user.clone());
            Op::Write(life(inc), Edit { user, token, ..edit.clone() })
        }
        Op::Close(inc) => Op::Close(life(inc)),
    }
}

struct Real {
    runtime: Runtime,
    _server: RedisServer,
    client: Client,
    store: Store,
    log: Log,
}

impl Real {
    fn start() -> Self {
        let server = RedisServer::start(Kept::Nothing).unwrap_or_else(|why| panic!("{why}"));
        let client = Client::open(server.url()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (store, log) = runtime.block_on(Store::dial_with_clock(&client, SETTINGS, CLOCK)).unwrap();
        Self { runtime, _server: server, client, store, log }
    }

    fn live(&mut self, ops: &[(u64, Op)]) -> Outcome {
        let mut model = Model::new(SETTINGS);
        let mut seen = Outcome::default();
        self.runtime.block_on(async {
            let mut clock = connect(&self.client).await;
            cmd("FLUSHALL").exec_async(&mut clock).await.unwrap();
            let mut now = 1_700_000_000_000;
            for (step, (wait, op)) in ops.iter().enumerate() {
                now += wait;
                cmd("SET").arg("moment").arg(now).exec_async(&mut clock).await.unwrap();
                let op = &resolve(op, &model);
                let real = self.store.ask(std::slice::from_ref(op)).await.unwrap().remove(0);
                let ours = model.apply(op, Timestamp::ZERO + Duration::from_millis(now));
                seen.count(&ours);
                assert_eq!(sorted(real), sorted(ours), "step {step}: {op:?}");
            }
            let told = if model.log.is_empty() { Vec::new() } else { self.log.next(0).await.unwrap() };
            let ours: Vec<(u64, News)> = model.news(0).map(|(n, news)| (n, news.clone())).collect();
            assert_eq!(told, ours);
            let text = self.log.text().await.unwrap();
            assert_eq!(text.into_iter().map(|(line, _)| line).collect::<Vec<_>>(), model.text);
        });
        seen.left = model.log.iter().filter(|news| matches!(news, News::Left(_))).count();
        seen.gone = model.log.iter().filter(|news| matches!(news, News::Gone(_))).count();
        seen.pens =
            model.log.iter().filter(|news| matches!(news, News::Pen(pen) if pen.holder.is_some())).count();
        seen.written = model.text.len();
        seen
    }
}

/// Redis has its own order where the order does not matter.
fn sorted(reply: Reply) -> Reply {
    match reply {
        Reply::Seen(mut picture) => {
            picture.nodes.sort();
            picture.claims.sort_by(|(one, user, _), (other, theirs, _)| (one, user).cmp(&(other, theirs)));
            picture.away.sort();
            Reply::Seen(picture)
        }
        Reply::Opened(_) | Reply::Done | Reply::Expired | Reply::Refused(_) => reply,
    }
}

/// What happened in a life, to check that enough did.
#[derive(Debug, Default)]
struct Outcome {
    expired: usize,
    refused: usize,
    left: usize,
    gone: usize,
    pens: usize,
    written: usize,
}

impl Outcome {
    fn count(&mut self, reply: &Reply) {
        match reply {
            Reply::Expired => self.expired += 1,
            Reply::Refused(_) => self.refused += 1,
            Reply::Opened(_) | Reply::Done | Reply::Seen(_) => {}
        }
    }

    fn add(&mut self, other: &Self) {
        self.expired += other.expired;
        self.refused += other.refused;
        self.left += other.left;
        self.gone += other.gone;
        self.pens += other.pens;
        self.written += other.written;
    }
}

#[test]
fn the_script_is_presence_and_lease_on_rediss_clock() {
    let mut real = Real::start();
    let mut seen = Outcome::default();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let lives = prop::collection::vec((wait(), op()), 1..80);
    // The first life of each node begins the test, otherwise little would happen.
    let begun = lives.prop_map(|ops| {
        let open =
            |name: &str| (0, Op::Open { name: name.to_owned(), address: "a".to_owned(), claims: Vec::new() });
        [open("one"), open("two")].into_iter().chain(ops).collect::<Vec<_>>()
    });
    let real = std::cell::RefCell::new((&mut real, &mut seen));
    let outcome = runner.run(&begun, |ops| {
        let (real, seen) = &mut *real.borrow_mut();
        seen.add(&real.live(&ops));
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
    println!("{seen:?}");
    let Outcome { expired, refused, left, gone, pens, written } = seen;
    let least = [expired, refused, left, gone, pens, written].into_iter().min();
    assert!(least > Some(50), "too little happened: {seen:?}");
}
