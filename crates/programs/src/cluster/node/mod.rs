//! A node: all its decisions, without a socket, a clock or Redis.
//!
//! Think of a branch office. It sees what happens at its own counter (`Presence` over its connections). It reads what
//! happens at the others in the head office's log (`View`). The head office believes a branch as long as it calls in
//! time, and a branch that could not call for that long knows that it is not believed. Then it reports what it sees at
//! its own counter, and says that it does not know the rest.
//!
//! It has the shape of the crate's machines: inputs with timestamps, `poll` until `None`, `poll_timeout`. `link.rs` is
//! its relation to Redis, `view.rs` is what it has read, and `showing.rs` is what it tells its pages about that.

mod link;
mod showing;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use liveness::presence::Presence;
use liveness::reconnect::Attempt;
use liveness::{Status, Timestamp};

use self::link::{Link, Matter};
use self::showing::Told;
use self::view::{Gap, View};
use crate::cluster::settings::Settings;
use crate::cluster::store::{Edit, Incarnation, News, Op, Reply, User};
use crate::cluster::words::{NotKnown, Said, Tell, Why};
use crate::web::letters::one_line;

/// A page's connection to this node.
pub type Conn = u64;

#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Dial Redis, then `linked` or `unlinked`.
    Dial(Attempt),
    /// The link, or the dial, is of no use any more.
    HangUp,
    /// For Redis, in this order. Then call `reply` for each, in the same order.
    Ask(Op),
    /// Read the log after this number, and pass each entry to `heard`.
    Follow(u64),
    Tell(Conn, Tell),
    TellAll(Tell),
}

/// The longest name, and the longest line, in bytes.
const NAME: usize = 64;
const TEXT: usize = 1000;

pub struct Node {
    name: Arc<str>,
    now: Timestamp,
    link: Link,
    /// The users at this node. It has no linger, because all nodes together decide whether a user without a connection
    /// has left.
    local: Presence<User, Conn>,
    /// The users whose claims must change.
    unclaimed: BTreeSet<User>,
    claimed: BTreeMap<User, Status>,
    view: View,
    /// The view is complete, and belongs to this link.
    fresh: bool,
    /// News were missed up to this number.
    missed: Option<u64>,
    told: Told,
    outbox: VecDeque<Output>,
    /// It has said goodbye. Redis has heard it, or cannot.
    closed: bool,
}

impl Node {
    pub fn new(name: &str, address: &str, settings: Settings, seed: u64, now: Timestamp) -> Self {
        Self {
            name: Arc::from(name),
            now,
            link: Link::new(name, address, settings, seed, now),
            local: Presence::with_linger(Duration::ZERO),
            unclaimed: BTreeSet::new(),
            claimed: BTreeMap::new(),
            view: View::empty(),
            fresh: false,
            missed: None,
            told: Told::default(),
            outbox: VecDeque::new(),
            closed: false,
        }
    }

    /// A page sent something.
    pub fn said(&mut self, conn: Conn, said: Said, now: Timestamp) {
        self.now = self.now.max(now);
        if let Said::Hello { user } = said {
            return self.hello(conn, user);
        }
        let Some(user) = self.local.user(&conn).cloned() else {
            return self.tell(conn, Tell::Unfit { why: "say hello first" });
        };
        match said {
            Said::Say { key, text } => self.say(conn, user, key, text),
            Said::Want => self.ask_if_open(|inc| Op::Want(inc, user), Matter::Pen),
            Said::Give => self.ask_if_open(|inc| Op::Give(inc, user), Matter::Pen),
            Said::Write { token, key, text } => self.write(conn, Edit { user, token, key, text }),
            Said::Hello { .. } => {}
        }
    }

    /// The machine that watches a page's connection has a verdict.
    pub fn mark(&mut self, conn: Conn, status: Status, now: Timestamp) {
        self.now = self.now.max(now);
        self.local.set_status(&conn, status, self.now);
    }

    /// The dial succeeded. False: it is no longer wanted, so drop it.
    pub fn linked(&mut self, attempt: Attempt, now: Timestamp) -> bool {
        self.now = self.now.max(now);
        let linked = self.link.linked(attempt, self.now);
        if linked {
            self.begin_a_life();
        }
        linked
    }

    /// The dial failed, or the link is lost.
    pub fn unlinked(&mut self, attempt: Attempt, now: Timestamp) {
        self.now = self.now.max(now);
        if let Some(lost) = self.link.unlinked(attempt, self.now) {
            self.answer_lost(lost);
        }
    }

    /// Redis's answer to the oldest unanswered operation.
    pub fn reply(&mut self, reply: Reply, now: Timestamp) {
        self.now = self.now.max(now);
        let Some(asked) = self.link.answered() else { return };
        match reply {
            Reply::Opened(inc) => self.link.opened(inc, asked.at),
            Reply::Seen(picture) => {
                if self.link.is_first_picture() || self.missed.is_some() || !self.view.is_after(picture.upto)
                {
                    self.outbox.extend(self.link.follow(picture.upto).map(Output::Follow));
                    self.touch_all();
                    let before = std::mem::replace(&mut self.view, View::of(*picture, self.now));
                    self.touch_all();
                    if self.view.text != before.text {
                        let text = self.view.text.iter().cloned().collect();
                        self.tell_all(Tell::Text { text });
                    }
                }
                self.fresh = true;
                self.missed = self.missed.filter(|missed| !self.view.is_after(*missed));
                if self.missed.is_some() {
                    self.look();
                }
            }
            Reply::Done => {
                self.link.done(&asked);
                self.settle(asked.matter, None);
            }
            Reply::Refused(why) => self.settle(asked.matter, Some(Why::By(why))),
            Reply::Expired => {
                self.settle(asked.matter, Some(Why::Here(NotKnown::Expired)));
                if asked.inc.is_some() && asked.inc == self.link.incarnation() {
                    self.begin_a_life();
                }
            }
        }
    }

    /// The next entry of the log.
    pub fn heard(&mut self, n: u64, news: News, now: Timestamp) {
        self.now = self.now.max(now);
        // It was told with the picture.
        if self.view.is_after(n) {
            return;
        }
        if let News::Said(inc, user, text) = &news {
            // The node has told its own lines already.
            let node = self.view.name(*inc).cloned().unwrap_or_else(|| Arc::from("?"));
            if node != self.name {
                self.tell_all(Tell::Line { user: user.clone(), text: text.clone(), node });
            }
        }
        let line = if let News::Wrote(line) = &news { Some(line.clone()) } else { None };
        match self.view.apply(n, news, self.now) {
            Ok(touched) => {
                self.told.touched.extend(touched);
                self.outbox.extend(line.map(|line| Output::TellAll(Tell::Wrote(line))));
            }
            Err(Gap) => {
                if self.missed.is_none() {
                    self.look();
                }
                self.missed = self.missed.max(Some(n));
            }
        }
    }

    /// Says goodbye for good, so nobody must wait until this node has expired. Then it `is_closed`, at once if there is
    /// no Redis.
    pub fn close(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        match self.link.incarnation() {
            Some(inc) => {
                self.ask(Op::Close(inc), Matter::Close);
                self.link.end();
            }
            None => self.closed = true,
        }
    }

    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The next thing to do. Call it until `None`.
    #[must_use = "a dropped output is a claim that is never made, or a page that is never told"]
    pub fn poll(&mut self, now: Timestamp) -> Option<Output> {
        self.now = self.now.max(now);
        if self.outbox.is_empty() && !self.closed {
            self.see_who_is_here();
            self.mind_the_link();
            self.tell_what_changed();
        }
        self.outbox.pop_front()
    }

    /// When to poll next, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if !self.outbox.is_empty() || !self.told.touched.is_empty() && !self.closed {
            return Some(self.now);
        }
        if self.closed {
            return None;
        }
        if !self.unclaimed.is_empty() && self.link.may_claim() {
            return Some(self.now);
        }
        [self.local.poll_timeout(), self.link.poll_timeout(self.now)].into_iter().flatten().min()
    }

    /// True if it is known now what the users of other nodes do.
    pub fn is_known(&self) -> bool {
        self.fresh && self.missed.is_none() && self.link.is_believed(self.now)
    }

    /// Its life, believed or not.
    pub fn incarnation(&self) -> Option<Incarnation> {
        self.link.incarnation()
    }

    fn hello(&mut self, conn: Conn, user: User) {
        if self.local.user(&conn).is_some() {
            return self.tell(conn, Tell::Unfit { why: "a page says hello once" });
        }
        if user.len() > NAME || one_line(&user, NAME).as_deref() != Some(&*user) {
            return self
                .tell(conn, Tell::Unfit { why: "a name is one line of 1 to 64 bytes that can be seen" });
        }
        self.local.connect(conn, user.clone(), self.now);
        self.see_who_is_here();
        self.tell(conn, Tell::Welcome { state: Box::new(self.state()) });
        if self.is_known() && self.view.pen.holder == Some(user) {
            self.tell(conn, Tell::Granted { token: self.view.pen.token });
        }
    }

    /// Goes to this node's own pages at once, and to the others by Redis. Without Redis it goes only to its own, and
    /// never later elsewhere.
    fn say(&mut self, conn: Conn, user: User, key: u64, text: String) {
        if text.is_empty() || text.len() > TEXT {
            return self.tell(conn, Tell::Unfit { why: "a line has 1 to 1000 bytes" });
        }
        let node = Arc::clone(&self.name);
        self.tell_all(Tell::Line { user: user.clone(), text: text.clone(), node });
        match self.link.incarnation().filter(|_| self.link.has_room()) {
            Some(inc) => self.ask(Op::Say(inc, user, text), Matter::Say { conn, key }),
            None => self.tell(conn, Tell::Spread { key, reached: false }),
        }
    }

    fn write(&mut self, conn: Conn, edit: Edit) {
        let key = edit.key.clone();
        if edit.text.is_empty() || edit.text.len() > TEXT || key.len() > NAME {
            return self.tell(conn, Tell::Refused { key, why: Why::Here(NotKnown::Unfit) });
        }
        let why = match self.link.incarnation() {
            Some(inc) if self.is_known() && self.link.has_room() => {
                // Earlier news about them goes first: that they are online, and who they are.
                self.claim();
                return self.ask(Op::Write(inc, edit), Matter::Write { conn, key });
            }
            Some(_) if self.is_known() => NotKnown::Busy,
            Some(_) | None => NotKnown::Unknown,
        };
        self.tell(conn, Tell::Refused { key, why: Why::Here(why) });
    }

    fn ask_if_open(&mut self, op: impl FnOnce(Incarnation) -> Op, matter: Matter) {
        let open = self.link.incarnation().filter(|_| self.link.has_room());
        if let Some(inc) = open {
            self.claim();
            self.ask(op(inc), matter);
        }
    }

    /// Reports the outcome of something that a page wanted.
    fn settle(&mut self, matter: Matter, failed: Option<Why>) {
        match (matter, failed) {
            (Matter::Write { conn, key }, None) => self.tell(conn, Tell::Written { key }),
            (Matter::Write { conn, key }, Some(why)) => self.tell(conn, Tell::Refused { key, why }),
            (Matter::Say { conn, key }, failed) => {
                self.tell(conn, Tell::Spread { key, reached: failed.is_none() });
            }
            (Matter::Open | Matter::Look | Matter::Beat | Matter::Claim | Matter::Pen, _) => {}
            (Matter::Close, _) => self.closed = true,
        }
    }

    fn answer_lost(&mut self, lost: Vec<Matter>) {
        for matter in lost {
            self.settle(matter, Some(Why::Here(NotKnown::Lost)));
        }
    }

    /// For a new link, or when the last life was over: everything is claimed again, and a new picture is read.
    fn begin_a_life(&mut self) {
        self.fresh = false;
        self.missed = None;
        self.see_who_is_here();
        self.unclaimed.clear();
        self.claimed = self.local.iter().map(|(user, status)| (user.clone(), status)).collect();
        let claims = self.claimed.iter().map(|(user, status)| (user.clone(), *status)).collect();
        let op = self.link.begin(claims);
        self.ask(op, Matter::Open);
        self.look();
    }

    fn look(&mut self) {
        self.ask(Op::Look, Matter::Look);
    }

    fn ask(&mut self, op: Op, matter: Matter) {
        self.link.asked(matter, self.now);
        self.outbox.push_back(Output::Ask(op));
    }

    fn see_who_is_here(&mut self) {
        while let Some(change) = self.local.poll(self.now) {
            self.unclaimed.insert(change.user().clone());
            self.told.touched.insert(change.user().clone());
        }
    }

    fn mind_the_link(&mut self) {
        while let Some(output) = self.link.poll(self.now) {
            match output {
                link::Output::Dial(attempt) => self.outbox.push_back(Output::Dial(attempt)),
                link::Output::HangUp(lost) => {
                    self.answer_lost(lost);
                    self.outbox.push_back(Output::HangUp);
                }
                link::Output::Beat(inc) => self.ask(Op::Beat(inc), Matter::Beat),
            }
        }
        if self.link.may_claim() {
            self.claim();
        }
    }

    fn claim(&mut self) {
        self.see_who_is_here();
        let Some(inc) = self.link.incarnation() else { return };
        let mut claims = Vec::new();
        for user in std::mem::take(&mut self.unclaimed) {
            let status = self.local.status(&user);
            let was = match status {
                Status::Offline => self.claimed.remove(&user),
                Status::Online | Status::Suspect => self.claimed.insert(user.clone(), status),
            };
            if was.unwrap_or(Status::Offline) != status {
                claims.push((user, status));
            }
        }
        if !claims.is_empty() {
            self.ask(Op::Claim(inc, claims), Matter::Claim);
        }
    }

    fn tell(&mut self, conn: Conn, what: Tell) {
        self.outbox.push_back(Output::Tell(conn, what));
    }

    fn tell_all(&mut self, what: Tell) {
        self.outbox.push_back(Output::TellAll(what));
    }
}
