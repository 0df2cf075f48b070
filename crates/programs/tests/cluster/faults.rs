//! Three nodes as processes, a real Redis, and a thousand people. A node is killed, a node is stopped, and Redis is
//! killed.
//!
//! A seed decides who, when and what: `CLUSTER_SEED=7 CLUSTER_SEEDS=10 cargo test --release -p liveness-programs --test
//! cluster faults`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use liveness::Clock;
use liveness::sim::Rng;
use redis::aio::MultiplexedConnection;
use redis::{Client, cmd};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::crowd::{Crowd, Ledger};
use liveness_programs::cluster::redis_server::{Kept, RedisServer};
use liveness_programs::cluster::settings::{LONGEST_REDIAL, Settings};
use liveness_programs::cluster::store::redis::{ROOM, Store};
use liveness_testing::Program;
use liveness_testing::raw_peer::PATIENCE;

use crate::connect;

/// A busy machine does not delay a beat by the whole of `ttl`, nor the way back to Redis by the whole of `linger`.
const SETTINGS: Settings = Settings {
    ttl: Duration::from_millis(4000),
    beat: Duration::from_millis(400),
    linger: Duration::from_millis(5000),
    grace: Duration::from_millis(1000),
};
const FLAGS: [&str; 14] = [
    "--ttl",
    "4s",
    "--beat",
    "400ms",
    "--linger",
    "5s",
    "--grace",
    "1s",
    "--interval",
    "5s",
    "--timeout",
    "15s",
    "--suspect-after",
    "10s",
];
const PEOPLE: usize = 1000;
const NODES: usize = 3;

/// Who is here, and on which nodes.
type Here = BTreeMap<String, BTreeSet<usize>>;

struct Stage {
    seed: u64,
    rng: Rng,
    clock: Clock,
    redis: RedisServer,
    nodes: Vec<Program>,
    crowd: Arc<Crowd>,
}

impl Stage {
    fn set(seed: u64) -> Self {
        let redis = RedisServer::start(Kept::All).unwrap_or_else(|why| panic!("{why}"));
        let url = redis.url();
        let start = |number: usize| {
            let name = number.to_string();
            let flags = ["--node", &name, "--redis", &url];
            Program::start(env!("CARGO_BIN_EXE_cluster"), &[&flags[..], &FLAGS[..]].concat())
        };
        let nodes: Vec<Program> = (0..NODES).map(start).collect();
        let crowd = Crowd::new(nodes.iter().map(Program::address).collect());
        Self { seed, rng: Rng::new(seed), clock: Clock::new(), redis, nodes, crowd }
    }

    fn pick(&mut self) -> usize {
        usize::try_from(self.rng.below(NODES as u64)).unwrap()
    }

    /// Half of the time it is the holder's node.
    async fn victim(&mut self) -> usize {
        let any = self.pick();
        let Some(shown) = look(self.nodes[any].address()).await else { return any };
        let holder = shown.pen["holder"].as_str().unwrap_or_default();
        let at = self.crowd.ledger().here.get(holder).and_then(|at| at.first().copied());
        at.filter(|_| self.rng.one_in(2)).unwrap_or(any)
    }

    async fn rest(&mut self, least: u64, most: u64) {
        let more = self.rng.duration(Duration::from_millis(most - least));
        sleep(Duration::from_millis(least) + more).await;
    }

    /// Waits until each of these nodes shows the truth, and says how long it took. Simulated clusters check the bound.
    /// Here the machine decides, and what has not come by `PATIENCE` never will.
    async fn agree(&self, what: &str, nodes: &[usize], bound: Duration, so: impl Fn(&Ledger) -> Here) {
        let start = self.clock.now();
        loop {
            let mut wrong = Vec::new();
            for node in nodes {
                let shown = look(self.nodes[*node].address()).await;
                // The truth at this moment, because people come and go meanwhile.
                let here = so(&self.crowd.ledger());
                wrong.extend(differences(*node, shown.as_ref(), &here));
            }
            let took = self.clock.now().saturating_duration_since(start);
            if wrong.is_empty() {
                println!("  seed {}: {what}: after {took:.2?}, bound {bound:.2?}", self.seed);
                return;
            }
            let complaints: Vec<_> = self.nodes.iter().map(Program::complaints).collect();
            assert!(
                took <= PATIENCE,
                "seed {}: {what}: not after {took:?}: {} differ: {:?}\n{complaints:?}",
                self.seed,
                wrong.len(),
                &wrong[..wrong.len().min(5)]
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// SIGKILL. Half of its people come back elsewhere, and half stay away.
    async fn kill_a_node(&mut self) {
        let dead = self.victim().await;
        self.crowd.door(dead, false);
        self.nodes[dead].kill();
        let living: Vec<usize> = (0..NODES).filter(|node| *node != dead).collect();
        self.agree("a node was killed", &living, SETTINGS.bound(), everybody).await;
        self.nodes[dead].restart();
        self.crowd.door(dead, true);
        self.crowd.may_return(true);
        let all: Vec<usize> = (0..NODES).collect();
        // Nobody must have been here all the time. But everybody who is here must be shown.
        self.full_house().await;
        self.agree("it is back, and so are they", &all, SETTINGS.bound(), everybody).await;
        self.crowd.may_return(false);
    }

    /// Waits until some users have written something that could be lost. It goes on, however slow the machine is.
    async fn enough(&self) {
        let (mut before, mut start) = ((0, 0), self.clock.now());
        loop {
            let (edits, tokens) = {
                let ledger = self.crowd.ledger();
                let tokens: BTreeSet<u64> = ledger.written.iter().map(|written| written.token).collect();
                (ledger.written.len(), tokens.len())
            };
            if edits >= 200 && tokens >= 10 {
                return;
            }
            if (edits, tokens) != before {
                (before, start) = ((edits, tokens), self.clock.now());
            }
            let took = self.clock.now().saturating_duration_since(start);
            assert!(took < PATIENCE, "seed {}: stuck at {edits} edits, {tokens} tokens", self.seed);
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn full_house(&self) {
        let start = self.clock.now();
        while self.crowd.ledger().here.len() < PEOPLE {
            let took = self.clock.now().saturating_duration_since(start);
            let here = self.crowd.ledger().here.len();
            assert!(took < PATIENCE, "seed {}: {here} came", self.seed);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// SIGSTOP until its people have left, then SIGCONT. They were there all the time.
    async fn stop_a_node(&mut self) {
        let stopped = self.victim().await;
        self.crowd.door(stopped, false);
        let before = look(self.nodes[stopped].address()).await.unwrap().incarnation;
        self.nodes[stopped].freeze();
        let living: Vec<usize> = (0..NODES).filter(|node| *node != stopped).collect();
        let elsewhere = |ledger: &Ledger| {
            let mut here = everybody(ledger);
            here.values_mut().for_each(|at| {
                at.remove(&stopped);
            });
            here.retain(|_, at| !at.is_empty());
            here
        };
        self.agree("a node was stopped", &living, SETTINGS.bound(), elsewhere).await;
        self.rest(0, 2000).await;
        self.nodes[stopped].thaw();
        self.crowd.door(stopped, true);
        let all: Vec<usize> = (0..NODES).collect();
        self.agree("it goes on", &all, LONGEST_REDIAL, everybody).await;
        let after = look(self.nodes[stopped].address()).await.unwrap().incarnation;
        assert_ne!(before, after, "it is another life");
    }

    /// SIGKILL. Then it starts again with what it had written.
    async fn kill_redis(&mut self) {
        let before = self.newest().await;
        self.redis.kill();
        self.rest(500, 6000).await;
        for node in &self.nodes {
            let shown = self.at_a_loss(node).await;
            assert!(shown.pen.is_null(), "seed {}: nothing can be known", self.seed);
            assert!(shown.people.values().all(|(status, at)| {
                // A node now knows only its own users.
                status == "unknown" || at.contains(&shown.node)
            }));
        }
        self.redis.restart().unwrap();
        let all: Vec<usize> = (0..NODES).collect();
        self.agree("Redis was killed, and is back", &all, LONGEST_REDIAL, everybody).await;
        // Then as long again as leaving would take.
        sleep(SETTINGS.linger + SETTINGS.beat).await;
        let left = self.left_after(before).await;
        assert!(
            left.is_empty(),
            "seed {}: {} were here all the time, and left: {left:?}",
            self.seed,
            left.len()
        );
    }

    /// What a node shows when it has noticed that it cannot know about the others.
    async fn at_a_loss(&self, node: &Program) -> Shown {
        let start = self.clock.now();
        loop {
            let shown = look(node.address()).await.unwrap();
            if !shown.known {
                return shown;
            }
            let took = self.clock.now().saturating_duration_since(start);
            assert!(took <= PATIENCE, "seed {}: it still knows", self.seed);
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn connect(&self) -> MultiplexedConnection {
        connect(&Client::open(self.redis.url()).unwrap()).await
    }

    /// The number of the newest entry of the log.
    async fn newest(&self) -> u64 {
        cmd("GET").arg(format!("{ROOM}:log:n")).query_async(&mut self.connect().await).await.unwrap()
    }

    async fn left_after(&self, entry: u64) -> Vec<String> {
        let mut read = cmd("XRANGE");
        read.arg(format!("{ROOM}:log")).arg(format!("({entry}-1")).arg("+");
        let entries: Vec<(String, Vec<String>)> = read.query_async(&mut self.connect().await).await.unwrap();
        let left = entries.into_iter().filter(|(_, fields)| fields[1] == "left");
        left.map(|(_, mut fields)| fields.swap_remove(3)).collect()
    }
}

fn everybody(ledger: &Ledger) -> Here {
    ledger.here.clone()
}

struct Shown {
    node: usize,
    known: bool,
    incarnation: Option<u64>,
    pen: Value,
    people: BTreeMap<String, (String, BTreeSet<usize>)>,
}

/// What a node shows; `None` if it does not answer.
async fn look(address: SocketAddr) -> Option<Shown> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(b"GET /state HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let body = answer.split_once("\r\n\r\n")?.1;
    let mut state: Value = serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {body}"));
    let name = |value: &Value| value.as_str().unwrap().to_owned();
    let number = |value: &Value| value.as_str().unwrap().parse::<usize>().unwrap();
    let people = state["people"].as_array().unwrap().iter().map(|person| {
        let at = person["at"].as_array().unwrap().iter().map(number).collect();
        (name(&person["user"]), (name(&person["status"]), at))
    });
    Some(Shown {
        node: number(&state["node"]),
        known: state["known"].as_bool().unwrap(),
        incarnation: state["incarnation"].as_u64(),
        people: people.collect(),
        pen: state["pen"].take(),
    })
}

fn differences(node: usize, shown: Option<&Shown>, here: &Here) -> Vec<String> {
    let Some(shown) = shown else { return vec![format!("node {node} does not answer")] };
    if !shown.known {
        return vec![format!("node {node} does not know")];
    }
    let users: BTreeSet<&String> = shown.people.keys().chain(here.keys()).collect();
    let wrong = users.into_iter().filter_map(|user| {
        let (shown, here) = (shown.people.get(user), here.get(user));
        let right = match (shown, here) {
            (Some((status, at)), Some(here)) => status == "online" && at == here,
            (None, None) => true,
            _ => false,
        };
        (!right).then(|| format!("node {node} shows {user} {shown:?}, is {here:?}"))
    });
    wrong.collect()
}

/// Everything that was acknowledged is there, once, in the order of the tokens. Each token belongs to one holder.
async fn judge(stage: &Stage) {
    let client = Client::open(stage.redis.url()).unwrap();
    let (_, mut log) = Store::dial(&client, SETTINGS).await.unwrap();
    // Read before the text, because what is acknowledged meanwhile need not be in it.
    let ledger = stage.crowd.ledger().clone();
    let text = log.text().await.unwrap();
    let seed = stage.seed;
    let keys: BTreeSet<&String> = text.iter().map(|(_, key)| key).collect();
    assert_eq!(keys.len(), text.len(), "seed {seed}: an edit is there twice");
    for written in &ledger.written {
        assert!(keys.contains(&written.key), "seed {seed}: an acknowledged edit is lost: {written:?}");
    }
    for (key, why) in &ledger.refused {
        assert!(!keys.contains(key), "seed {seed}: {key} was refused ({why}), and is there");
    }
    let mut holders = BTreeMap::new();
    let mut newest = 0;
    for (line, key) in &text {
        assert!(line.token >= newest, "seed {seed}: {key} under {} after {newest}", line.token);
        newest = line.token;
        let holder = holders.entry(line.token).or_insert_with(|| line.user.clone());
        assert_eq!(*holder, line.user, "seed {seed}: two hold token {newest}");
    }
    // No edit was carried out that was sent when a newer holder had already written.
    let mut acknowledged = ledger.written.clone();
    acknowledged.sort_by_key(|written| written.acknowledged);
    let mut newer = BTreeMap::new();
    for written in &acknowledged {
        let first = newer.entry(written.token).or_insert(written.acknowledged);
        *first = written.acknowledged.min(*first);
    }
    for written in &ledger.written {
        let overtaken = newer.range(written.token + 1..).find(|(_, first)| **first < written.sent);
        assert_eq!(overtaken, None, "seed {seed}: two pens at once: {written:?}");
    }
    println!(
        "  seed {seed}: {} edits acknowledged under {} tokens, {} refused, {} answers lost, {} in the text; {} lines said",
        ledger.written.len(),
        newer.len(),
        ledger.refused.len(),
        ledger.lost,
        text.len(),
        ledger.lines
    );
}

async fn live(seed: u64) {
    println!("CLUSTER_SEED={seed}");
    let mut stage = Stage::set(seed);
    stage.crowd.come(PEOPLE, &mut stage.rng);
    stage.full_house().await;
    let all: Vec<usize> = (0..NODES).collect();
    stage.agree("a thousand came", &all, SETTINGS.bound(), everybody).await;
    // Each order of the faults comes once in six seeds.
    let orders = [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [2, 1, 0], [1, 0, 2]];
    for fault in orders[usize::try_from(seed % 6).unwrap()] {
        stage.rest(1000, 3000).await;
        match fault {
            0 => stage.kill_a_node().await,
            1 => stage.stop_a_node().await,
            _ => stage.kill_redis().await,
        }
    }
    stage.enough().await;
    stage.crowd.be_quiet();
    sleep(Duration::from_secs(1)).await;
    stage.agree("all is quiet", &all, Duration::from_secs(1), everybody).await;
    judge(&stage).await;
}

#[test]
fn a_thousand_people_outlive_the_death_of_a_node_a_stall_and_the_death_of_redis() {
    let number = |name: &str, default| {
        let value = std::env::var(name).ok();
        value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}: no number")))
    };
    let first: u64 = number("CLUSTER_SEED", 1);
    for seed in first..first + number("CLUSTER_SEEDS", 1) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live(seed));
        runtime.shutdown_background();
    }
}
