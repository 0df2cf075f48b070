//! A hundred nodes on paper: what goes to Redis and what each node reads, counted for simulated people.
//!
//! People come, reload, fall silent, chat and write in rooms, at the rates below. Nothing here decides anything. Events
//! are drawn. For each event it is counted which operations it needs, how many bytes they take, and how many nodes read
//! of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use liveness::sim::Rng;
use liveness::{Clock, Status, Timestamp};
use redis::Client;

use crate::stage::say;
use liveness_programs::cluster::redis_server::{Kept, RedisServer};
use liveness_programs::cluster::settings::Settings;
use liveness_programs::cluster::store::redis::{Store, command};
use liveness_programs::cluster::store::{Edit, Incarnation, Op, Reply, User};
use liveness_programs::web::Failure;

/// What a hundred nodes would do: operations at Redis and traffic of each node, counted for simulated people in rooms.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The most nodes. There is a line each for 3, 10, 30 and so on up to it, with as many users on each node.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(3..=1000))]
    nodes: u32,
    /// Users on all nodes together.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    users: u32,
    /// Users in a room, on average. The largest rooms have some fifty times as many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    room: u32,
    /// How many Redis servers there are. Each has its share of the rooms.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    shards: u32,
    /// To how many nodes the balancer sends the people of a room, in the column that says so.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    homes: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also measure how much a real Redis on this machine answers. It is started, and ended again.
    #[arg(long)]
    measure: bool,
}

/// How often a user does this.
const RATES: [(What, Duration); 5] = [
    // A visit of 20 minutes. Somebody else comes for each user who leaves.
    (What::Visit, Duration::from_secs(20 * 60)),
    (What::Reload, Duration::from_secs(10 * 60)),
    // On the move: no answer for a moment, twice an hour.
    (What::Silence, Duration::from_secs(30 * 60)),
    (What::Line, Duration::from_secs(2 * 60)),
    // One user in fifty has a pen at any time, and writes every second.
    (What::Edit, Duration::from_secs(50)),
];
/// How long is counted.
const TIME: Duration = Duration::from_secs(600);
/// Within this time the users of a dead node are at other nodes: the spread of the crate's `Reconnect`.
const RETURN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Visit,
    Reload,
    Silence,
    Line,
    Edit,
}

/// The bytes of one of each on the way to Redis, and of an entry of the log on its way to a node.
struct Sizes {
    beat: usize,
    claim: usize,
    say: usize,
    write: usize,
    claimed: usize,
    line: usize,
}

struct Place {
    node: usize,
    room: usize,
}

struct World {
    nodes: usize,
    /// At how many nodes the people of a room are.
    homes: usize,
    rng: Rng,
    users: Vec<Place>,
    /// How many members each room has at each node, and at how many nodes it has any.
    members: Vec<Vec<u32>>,
    spread: Vec<u32>,
    /// Each room as often as people go there.
    popular: Vec<u32>,
}

/// What was counted for one size of the cluster.
struct Row {
    nodes: usize,
    users: usize,
    largest: u32,
    seconds: f64,
    beats: f64,
    claims: u64,
    lines: u64,
    edits: u64,
    bytes_up: f64,
    /// Entries that nodes read, and their bytes, if each reads the logs of its rooms.
    read: u64,
    bytes_read: u64,
    /// The same entries, if the people of a room are at a few nodes.
    read_at_home: u64,
    /// The same, if each node reads one log for all rooms.
    all: u64,
    death: Death,
}

/// What the death of a node means for the others.
struct Death {
    users: usize,
    rooms: u64,
    read: u64,
}

pub(crate) async fn run(args: &Args, settings: Settings) -> Result<(), Failure> {
    let Args { nodes, users, room, shards, homes, seed, measure } = *args;
    say(format_args!(
        "seed {seed}: rooms of {room} on average, {shards} Redis, beats each {:?}, {TIME:?} counted\n{}",
        settings.beat,
        Row::head(homes)
    ));
    let steps = [3, 10, 30, 100, 300].into_iter().filter(|step| *step < nodes).chain([nodes]);
    for nodes in steps {
        let users = u64::from(users) * u64::from(nodes) / u64::from(args.nodes);
        let world =
            |homes: u32| World::new(nodes as usize, users as usize, room as usize, homes as usize, seed);
        let mut row = world(nodes).count(settings, shards);
        row.read_at_home = world(homes).count(settings, shards).read;
        say(format_args!("{row}"));
    }
    if measure { self::measure(settings).await } else { Ok(()) }
}

/// How much one Redis answers here, if everything is on its disk before it does.
async fn measure(settings: Settings) -> Result<(), Failure> {
    const MANY: u64 = 10_000;
    let server = RedisServer::start(Kept::All)?;
    let (mut store, _log) = Store::dial(&Client::open(server.url())?, settings).await?;
    let user = |number: u64| User::from(format!("somebody-{number}"));
    let claims = (0..MANY).map(|number| (user(number), Status::Online)).collect();
    let open = Op::Open { name: "one".to_owned(), address: "one".to_owned(), claims };
    let (opened, took) = timed(&mut store, &[open]).await?;
    say(format_args!("\n{MANY} claims in one step: {took:.0?}"));
    let [Reply::Opened(inc)] = opened[..] else { return Err("Redis gave no life".into()) };
    let holder = user(0);
    store.ask(&[Op::Want(inc, Arc::clone(&holder))]).await?;
    let edit = |number: u64| {
        let (user, text) = (Arc::clone(&holder), "a line of forty letters, as people write".to_owned());
        Op::Write(inc, Edit { user, token: 1, key: number.to_string(), text })
    };
    let flip = |number: u64| Op::Claim(inc, vec![(user(number), Status::Suspect)]);
    let line =
        |number: u64| Op::Say(inc, user(number), "a line of forty letters, as people write".to_owned());
    let kinds: [(&str, &dyn Fn(u64) -> Op); 4] =
        [("edits", &edit), ("claims", &flip), ("lines", &line), ("beats", &|_| Op::Beat(inc))];
    for (name, kind) in kinds {
        let ops: Vec<Op> = (0..MANY).map(kind).collect();
        let mut all = Duration::ZERO;
        for batch in ops.chunks(100) {
            let (_, took) = timed(&mut store, batch).await?;
            all += took;
            // Its life must last.
            store.ask(&[Op::Beat(inc)]).await?;
        }
        say(format_args!("{name}, a hundred at once: {:.0}/s", MANY as f64 / all.as_secs_f64()));
    }
    let (_, took) = timed(&mut store, &[Op::Close(inc)]).await?;
    say(format_args!("a death with {MANY} claims: {took:.0?}"));
    Ok(())
}

async fn timed(store: &mut Store, ops: &[Op]) -> Result<(Vec<Reply>, Duration), Failure> {
    let clock = Clock::new();
    let replies = store.ask(ops).await?;
    Ok((replies, clock.now().saturating_duration_since(Timestamp::ZERO)))
}

impl Sizes {
    fn new(settings: Settings) -> Self {
        let (inc, user) = (Incarnation(1234), User::from("somebody-12345"));
        let text = "a line of forty letters, as people write".to_owned();
        let sha = "0".repeat(40);
        let size = |op: &Op| command(&sha, settings, op).get_packed_command().len();
        let claim = Op::Claim(inc, vec![(Arc::clone(&user), Status::Online)]);
        let edit = Edit { user: Arc::clone(&user), token: 12_345, key: "0".repeat(36), text: text.clone() };
        Self {
            beat: size(&Op::Beat(inc)),
            claim: size(&claim),
            say: size(&Op::Say(inc, Arc::clone(&user), text.clone())),
            write: size(&Op::Write(inc, edit)),
            claimed: entry(&["kind", "claim", "inc", "1234", "user", &user, "status", "online"]),
            line: entry(&["kind", "said", "inc", "1234", "user", &user, "text", &text]),
        }
    }
}

/// An entry of a stream as Redis sends it: its number, and its fields, each with its length before it.
fn entry(fields: &[&str]) -> usize {
    let bulk = |text: &str| text.len() + text.len().to_string().len() + 5;
    "*2\r\n*8\r\n".len() + bulk("1234567-1") + fields.iter().map(|field| bulk(field)).sum::<usize>()
}

impl World {
    fn new(nodes: usize, users: usize, room: usize, homes: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let rooms = (users / room).max(1);
        // The k-th room is as popular as 1 / (k + 20). So there are a few large rooms, and many with a handful of people.
        let popular = (0..rooms).flat_map(|k| {
            let share = 2_000_000 / (k + 20);
            std::iter::repeat_n(k as u32, (share / 100).max(1))
        });
        let mut world = Self {
            nodes,
            homes: homes.min(nodes),
            rng: Rng::new(rng.next_u64()),
            users: Vec::with_capacity(users),
            members: vec![vec![0; nodes]; rooms],
            spread: vec![0; rooms],
            popular: popular.collect(),
        };
        for _ in 0..users {
            let place = world.anywhere();
            world.enter(place.room, place.node);
            world.users.push(place);
        }
        world
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.below(end as u64) as usize
    }

    fn anywhere(&mut self) -> Place {
        let popular = self.below(self.popular.len());
        let room = self.popular[popular] as usize;
        Place { node: self.node_for(room), room }
    }

    /// One of the nodes of this room. They lie side by side, from a place that depends on the room.
    fn node_for(&mut self, room: usize) -> usize {
        let first = Rng::new(room as u64).below(self.nodes as u64) as usize;
        (first + self.below(self.homes)) % self.nodes
    }

    fn enter(&mut self, room: usize, node: usize) {
        self.members[room][node] += 1;
        self.spread[room] += u32::from(self.members[room][node] == 1);
    }

    fn leave(&mut self, room: usize, node: usize) {
        self.members[room][node] -= 1;
        self.spread[room] -= u32::from(self.members[room][node] == 0);
    }

    fn count(&mut self, settings: Settings, shards: u32) -> Row {
        let sizes = Sizes::new(settings);
        let seconds = TIME.as_secs_f64();
        let beats = self.nodes as f64 * f64::from(shards) / settings.beat.as_secs_f64();
        let mut row = Row {
            nodes: self.nodes,
            users: self.users.len(),
            largest: 0,
            seconds,
            beats,
            claims: 0,
            lines: 0,
            edits: 0,
            bytes_up: beats * seconds * sizes.beat as f64,
            read: 0,
            bytes_read: 0,
            read_at_home: 0,
            all: 0,
            death: Death { users: 0, rooms: 0, read: 0 },
        };
        for (what, every) in RATES {
            // All users together do this so often in this time. If one does more, another does less.
            let times = self.users.len() as f64 * seconds / every.as_secs_f64();
            for _ in 0..times as u64 {
                self.one(what, &sizes, &mut row);
            }
        }
        row.largest = self.members.iter().map(|room| room.iter().sum()).max().unwrap_or(0);
        row.death = self.death();
        row
    }

    fn one(&mut self, what: What, sizes: &Sizes, row: &mut Row) {
        let user = self.below(self.users.len());
        let Place { node, room } = self.users[user];
        match what {
            What::Visit | What::Reload => {
                self.claimed(room, sizes, row);
                self.leave(room, node);
                let place = if what == What::Reload {
                    // The same room, at any node that the balancer chooses.
                    Place { node: self.node_for(room), room }
                } else {
                    // They leave when the linger is over.
                    row.entry(self.spread[room], self.nodes, sizes.claimed);
                    self.anywhere()
                };
                self.enter(place.room, place.node);
                self.claimed(place.room, sizes, row);
                self.users[user] = place;
            }
            What::Silence => {
                self.claimed(room, sizes, row);
                self.claimed(room, sizes, row);
            }
            What::Line => {
                row.lines += 1;
                row.bytes_up += sizes.say as f64;
                row.entry(self.spread[room], self.nodes, sizes.line);
            }
            What::Edit => {
                row.edits += 1;
                row.bytes_up += sizes.write as f64;
                row.entry(self.spread[room], self.nodes, sizes.line);
            }
        }
    }

    fn claimed(&self, room: usize, sizes: &Sizes, row: &mut Row) {
        row.claims += 1;
        row.bytes_up += sizes.claim as f64;
        row.entry(self.spread[room], self.nodes, sizes.claimed);
    }

    /// One node dies. Each of its rooms is told, and then its users come back elsewhere, one by one.
    fn death(&mut self) -> Death {
        let dead = self.below(self.nodes);
        let its: Vec<usize> =
            self.users.iter().filter(|user| user.node == dead).map(|user| user.room).collect();
        let rooms = self.members.iter().zip(&self.spread).filter(|(at, _)| at[dead] > 0);
        let told: Vec<u64> = rooms.map(|(_, spread)| u64::from(*spread) - 1).collect();
        let back: u64 = its.iter().map(|room| u64::from(self.spread[*room])).sum();
        Death { users: its.len(), rooms: told.len() as u64, read: told.iter().sum::<u64>() + back }
    }
}

impl Row {
    fn head(homes: u32) -> String {
        format!(
            "| nodes | users | largest room | claims/s | lines/s | edits/s | beats/s | to Redis, KB/s | a node reads/s | KB/s \
             | with {homes} nodes a room, /s | with one log for all, /s | a death: users | rooms told | others read/s for 5 s |\n\
             |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        )
    }

    /// An entry in a room's log that so many nodes read.
    fn entry(&mut self, readers: u32, nodes: usize, bytes: usize) {
        self.read += u64::from(readers);
        self.bytes_read += u64::from(readers) * bytes as u64;
        self.all += nodes as u64;
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, users, largest, seconds, beats, .. } = self;
        let nodes_f = *nodes as f64;
        let each = |count: u64| count as f64 / seconds;
        write!(
            f,
            "| {nodes} | {users} | {largest} | {:.0} | {:.0} | {:.0} | {beats:.0} ",
            each(self.claims),
            each(self.lines),
            each(self.edits)
        )?;
        write!(f, "| {:.0} ", self.bytes_up / seconds / 1000.0)?;
        write!(f, "| {:.0} | {:.0} ", each(self.read) / nodes_f, each(self.bytes_read) / nodes_f / 1000.0)?;
        write!(f, "| {:.0} | {:.0} ", each(self.read_at_home) / nodes_f, each(self.all) / nodes_f)?;
        let death = self.death.read as f64 / (nodes_f - 1.0) / RETURN.as_secs_f64();
        write!(f, "| {} | {} | {death:.0} |", self.death.users, self.death.rooms)
    }
}
