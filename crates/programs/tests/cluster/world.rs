//! A whole cluster on a simulated clock. The nodes are real, and the rules are in memory. Links are slow, break, or
//! swallow everything. Nodes die, stop and go on. A Redis goes away and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use liveness::reconnect::Attempt;
use liveness::sim::Rng;
use liveness::{Status, Timestamp};

use crate::model::Model;
use liveness_programs::cluster::node::{Conn, Node, Output};
use liveness_programs::cluster::settings::Settings;
use liveness_programs::cluster::store::{News, Op, Reply, User};
use liveness_programs::cluster::words::{NotKnown, Said, State, Tell, Why};

/// The program's default settings.
pub(crate) const SETTINGS: Settings = Settings {
    ttl: Duration::from_secs(3),
    beat: Duration::from_millis(500),
    linger: Duration::from_secs(3),
    grace: Duration::from_secs(2),
};
/// The slowest way to Redis or back.
pub(crate) const SLOWEST: Duration = Duration::from_millis(40);
/// A node that was stopped or cut off has its claims back within this: one dial without an answer is given up, and the
/// next one succeeds.
const WELL: Duration = Duration::from_secs(5);

enum Due {
    /// Arrives at Redis.
    Op(Op),
    /// Arrives at the node.
    Dialled(Attempt),
    Broken(Attempt),
    Reply(Reply),
    News(u64, News),
}

pub(crate) struct Place {
    pub(crate) name: String,
    /// `None` if it is dead.
    pub(crate) node: Option<Node>,
    pub(crate) stopped: bool,
    /// Between it and Redis nothing arrives, and neither is told.
    pub(crate) cut: bool,
    well_since: Timestamp,
    attempt: Option<Attempt>,
    /// What is under way on an older link never arrives.
    link: u64,
    /// The latest arrivals at each end, because a link keeps the order.
    up: Timestamp,
    down: Timestamp,
    /// The same for the news, which have their own connection, and how long they are delayed there.
    log: Timestamp,
    pub(crate) slow_log: Duration,
    /// The log has been read up to here.
    read: Option<u64>,
    /// What came while it was stopped.
    held: Vec<(u64, Due)>,
}

impl Place {
    /// Nothing arrives on its link any more, and nobody is told.
    fn sever(&mut self) {
        self.link += 1;
        (self.attempt, self.read) = (None, None);
    }
}

#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) place: usize,
    pub(crate) user: User,
    since: Timestamp,
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) now: Timestamp,
    pub(crate) model: Model,
    pub(crate) redis_up: bool,
    /// When it last went away, and when it last came back.
    redis_away: (Timestamp, Timestamp),
    pub(crate) places: Vec<Place>,
    /// Who is connected where. Only the world knows that.
    pub(crate) pages: BTreeMap<Conn, Page>,
    agenda: BTreeMap<(Timestamp, u64), (usize, u64, Due)>,
    numbers: u64,
    judged: usize,
    /// The token that a user was told last.
    pub(crate) tokens: BTreeMap<User, u64>,
    /// What a page wanted to write: its key, and the outcome.
    pub(crate) edits: BTreeMap<String, Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No answer came, because its page or node is gone.
    Silence,
    Written,
    Refused,
    Lost,
}

impl World {
    pub(crate) fn new(seed: u64, nodes: usize) -> Self {
        let mut rng = Rng::new(seed);
        let place = |number: usize| {
            let name = format!("node-{number}");
            let node = Node::new(&name, "address", SETTINGS, rng.next_u64(), Timestamp::ZERO);
            Place {
                name,
                node: Some(node),
                stopped: false,
                cut: false,
                well_since: Timestamp::ZERO,
                attempt: None,
                link: 0,
                up: Timestamp::ZERO,
                down: Timestamp::ZERO,
                log: Timestamp::ZERO,
                slow_log: Duration::ZERO,
                read: None,
                held: Vec::new(),
            }
        };
        let places = (1..=nodes).map(place).collect();
        Self {
            rng,
            now: Timestamp::ZERO,
            model: Model::new(SETTINGS),
            redis_up: true,
            redis_away: (Timestamp::ZERO, Timestamp::ZERO),
            places,
            pages: BTreeMap::new(),
            agenda: BTreeMap::new(),
            numbers: 0,
            judged: 0,
            tokens: BTreeMap::new(),
            edits: BTreeMap::new(),
        }
    }

    pub(crate) fn pick(&mut self, end: usize) -> usize {
        usize::try_from(self.rng.below(end as u64)).unwrap()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Lives until this moment.
    pub(crate) fn run_until(&mut self, end: Timestamp) {
        let mut turns = 0_u32;
        loop {
            turns += 1;
            assert!(turns < 1_000_000, "time stands still");
            let awake = self.places.iter().filter(|place| !place.stopped);
            let timers = awake.filter_map(|place| place.node.as_ref()?.poll_timeout());
            let next = timers.chain(self.agenda.keys().next().map(|(at, _)| *at)).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (place, link, due) = entry.remove();
                self.arrive(place, link, due);
            }
            for place in 0..self.places.len() {
                self.poll(place);
            }
        }
        self.now = end;
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    fn send(&mut self, place: usize, at: Timestamp, due: Due) {
        let number = self.number();
        let link = self.places[place].link;
        self.agenda.insert((at, number), (place, link, due));
    }

    fn send_down(&mut self, place: usize, due: Due) {
        let at = self.rng.moment(self.now, SLOWEST).max(self.places[place].down);
        self.places[place].down = at;
        self.send(place, at, due);
    }

    fn arrive(&mut self, index: usize, link: u64, due: Due) {
        let place = &mut self.places[index];
        if place.link != link {
            return;
        }
        if place.cut {
            return place.sever();
        }
        if let Due::Op(op) = due {
            let reply = self.model.apply(&op, self.now);
            self.send_down(index, Due::Reply(reply));
            self.judge_those_who_left();
            (0..self.places.len()).for_each(|place| self.spread_news(place));
        } else if place.stopped {
            place.held.push((link, due));
        } else {
            self.hear(index, due);
        }
    }

    fn hear(&mut self, index: usize, due: Due) {
        let now = self.now;
        let place = &mut self.places[index];
        let Some(node) = &mut place.node else { return };
        match due {
            Due::Dialled(attempt) => {
                let _ = node.linked(attempt, now);
            }
            Due::Broken(attempt) => node.unlinked(attempt, now),
            Due::Reply(reply) => node.reply(reply, now),
            Due::News(n, news) => node.heard(n, news, now),
            Due::Op(_) => unreachable!("that is for Redis"),
        }
    }

    fn spread_news(&mut self, index: usize) {
        let place = &mut self.places[index];
        let Some(read) = place.read.filter(|_| place.node.is_some()) else { return };
        let news: Vec<(u64, News)> = self.model.news(read).map(|(n, news)| (n, news.clone())).collect();
        place.read = news.last().map(|(n, _)| *n).or(place.read);
        for (n, news) in news {
            let place = &mut self.places[index];
            let at = self.rng.moment(self.now, SLOWEST) + place.slow_log;
            place.log = at.max(place.log);
            let at = place.log;
            self.send(index, at, Due::News(n, news));
        }
    }

    /// A user does not leave who has been at a working node for a while, although Redis was away. Only for a user who
    /// came there from another node meanwhile, the linger may end first.
    fn judge_those_who_left(&mut self) {
        let (away, back) = self.redis_away;
        let steady = if self.now < back + WELL { away } else { self.now };
        for news in &self.model.log[self.judged..] {
            let News::Left(user) = news else { continue };
            for page in self.pages.values().filter(|page| page.user == *user) {
                let place = &self.places[page.place];
                let well = !place.stopped && !place.cut && self.now > place.well_since + WELL;
                let settled = steady > page.since + Duration::from_secs(2);
                assert!(!(well && settled), "{user} left at {}, and is at {}", self.now, place.name);
            }
        }
        self.judged = self.model.log.len();
    }

    fn poll(&mut self, index: usize) {
        if self.places[index].stopped {
            return;
        }
        let mut outputs = 0_u32;
        while let Some(output) = self.places[index].node.as_mut().and_then(|node| node.poll(self.now)) {
            outputs += 1;
            assert!(outputs < 100_000, "it never rests");
            self.carry_out(index, output);
        }
        if let Some(node) = &self.places[index].node {
            if node.is_known() {
                let believed = node.incarnation().is_some_and(|inc| self.model.believes(inc, self.now));
                assert!(believed, "{} says it knows, and is not believed", self.places[index].name);
            }
            let next = node.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "it would be polled for ever at {}", self.now);
        }
    }

    fn carry_out(&mut self, index: usize, output: Output) {
        match output {
            Output::Dial(attempt) => {
                let place = &mut self.places[index];
                place.link += 1;
                (place.attempt, place.read) = (Some(attempt), None);
                let due = if self.redis_up { Due::Dialled(attempt) } else { Due::Broken(attempt) };
                self.send_down(index, due);
            }
            Output::HangUp => self.places[index].sever(),
            // The link is gone, and the node does not know it yet.
            Output::Ask(_) if self.places[index].attempt.is_none() => {}
            Output::Ask(op) => {
                let at = self.rng.moment(self.now, SLOWEST).max(self.places[index].up);
                self.places[index].up = at;
                self.send(index, at, Due::Op(op));
            }
            Output::Follow(after) => {
                self.places[index].read = Some(after);
                self.spread_news(index);
            }
            Output::Tell(conn, what) => self.told(conn, what),
            Output::TellAll(_) => {}
        }
    }

    fn told(&mut self, conn: Conn, what: Tell) {
        let (key, outcome) = match what {
            Tell::Granted { token } => {
                if let Some(page) = self.pages.get(&conn) {
                    self.tokens.insert(page.user.clone(), token);
                }
                return;
            }
            Tell::Written { key } => (key, Outcome::Written),
            Tell::Refused { key, why: Why::Here(NotKnown::Lost) } => (key, Outcome::Lost),
            Tell::Refused { key, .. } => (key, Outcome::Refused),
            Tell::Welcome { .. }
            | Tell::Unfit { .. }
            | Tell::Line { .. }
            | Tell::Spread { .. }
            | Tell::Wrote(_)
            | Tell::Text { .. }
            | Tell::Person(_)
            | Tell::Left { .. }
            | Tell::Pen { .. }
            | Tell::Nodes { .. } => return,
        };
        let said = self.edits.entry(key).or_insert(Outcome::Silence);
        *said = match (*said, outcome) {
            // It was sent again when the pen was somebody else's.
            (Outcome::Written, _) => Outcome::Written,
            // If an answer was lost once, the edit may be written, whatever is said about it later.
            (Outcome::Lost, Outcome::Refused) => Outcome::Lost,
            (_, outcome) => outcome,
        };
    }

    pub(crate) fn enter(&mut self, index: usize, user: &User) {
        let conn = self.number();
        let page = Page { place: index, user: user.clone(), since: self.now };
        self.pages.insert(conn, page);
        self.say(conn, Said::Hello { user: user.clone() });
    }

    /// The page is closed, or the machine gives it up.
    pub(crate) fn leave(&mut self, conn: Conn) {
        let Some(page) = self.pages.remove(&conn) else { return };
        self.mark(&page, conn, Status::Offline);
    }

    pub(crate) fn mark(&mut self, page: &Page, conn: Conn, status: Status) {
        if let Some(node) = &mut self.places[page.place].node {
            node.mark(conn, status, self.now);
            self.poll(page.place);
        }
    }

    pub(crate) fn say(&mut self, conn: Conn, said: Said) {
        let Some(page) = self.pages.get(&conn) else { return };
        let index = page.place;
        if let Said::Write { key, .. } = &said {
            // An earlier refusal says nothing about this time.
            let outcome = self.edits.entry(key.clone()).or_insert(Outcome::Silence);
            if *outcome == Outcome::Refused {
                *outcome = Outcome::Silence;
            }
        }
        if let Some(node) = &mut self.places[index].node {
            node.said(conn, said, self.now);
            self.poll(index);
        }
    }

    /// SIGKILL. Its pages are closed too.
    pub(crate) fn kill(&mut self, index: usize) {
        let place = &mut self.places[index];
        place.node = None;
        place.link += 1;
        self.pages.retain(|_, page| page.place != index);
    }

    /// The node says goodbye.
    pub(crate) fn close(&mut self, index: usize) {
        if let Some(node) = &mut self.places[index].node {
            node.close(self.now);
        }
        self.poll(index);
    }

    pub(crate) fn start(&mut self, index: usize) {
        let seed = self.rng.next_u64();
        let place = &mut self.places[index];
        place.node = Some(Node::new(&place.name, "address", SETTINGS, seed, self.now));
        (place.attempt, place.read, place.stopped) = (None, None, false);
        place.well_since = self.now;
        self.poll(index);
    }

    pub(crate) fn stop(&mut self, index: usize) {
        self.places[index].stopped = true;
    }

    /// SIGCONT. What arrived meanwhile is handled first, as in the hub.
    pub(crate) fn go_on(&mut self, index: usize) {
        let place = &mut self.places[index];
        place.stopped = false;
        place.well_since = self.now;
        let mut held = std::mem::take(&mut place.held);
        if self.rng.one_in(2) {
            // It was away for so long that the log has dropped the first entries.
            let last = held.iter().rposition(|(_, due)| matches!(due, Due::News(..)));
            let mut place = 0..;
            held.retain(|(_, due)| place.next() == last || !matches!(due, Due::News(..)));
        }
        for (link, due) in held {
            if self.places[index].link == link {
                self.hear(index, due);
            }
        }
        self.poll(index);
    }

    pub(crate) fn cut(&mut self, index: usize, cut: bool) {
        let place = &mut self.places[index];
        place.cut = cut;
        place.well_since = self.now;
        if cut {
            place.sever();
        }
    }

    /// All links break. When it is back, everything that it acknowledged is there again.
    pub(crate) fn redis(&mut self, up: bool) {
        match (self.redis_up, up) {
            (true, false) => self.redis_away = (self.now, Timestamp::MAX),
            (false, true) => self.redis_away.1 = self.now,
            (true, true) | (false, false) => {}
        }
        self.redis_up = up;
        for index in 0..self.places.len() {
            let place = &mut self.places[index];
            if let Some(attempt) = place.attempt.take_if(|_| !up) {
                place.link += 1;
                place.read = None;
                self.send_down(index, Due::Broken(attempt));
            }
        }
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = State> {
        let awake = self.places.iter().filter(|place| !place.stopped);
        awake.filter_map(|place| Some(place.node.as_ref()?.state()))
    }

    /// Who is here and on which nodes, according to the world.
    pub(crate) fn truth(&self) -> BTreeMap<User, BTreeSet<String>> {
        let mut truth = BTreeMap::<_, BTreeSet<_>>::new();
        for page in self.pages.values() {
            truth.entry(page.user.clone()).or_default().insert(self.places[page.place].name.clone());
        }
        truth
    }
}
