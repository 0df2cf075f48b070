//! The desk: the text, the pen, and who is here. One task owns all of it, so there are no locks.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::ws::Utf8Bytes;
use liveness::driver::tokio::clock;
use liveness::lease::{Lease, LeaseChange, Loss, Refusal, Token};
use liveness::presence::{Presence, PresenceChange};
use liveness::{Action, Clock, CloseCode, Config, Event, Fleet, Key, Status, Timestamp, random_seed};
use liveness_programs::web::letters::one_line;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::text::{Edit, LIMIT, Text, Unfit};

/// What the connections send.
pub(crate) enum Input {
    /// A connection is open. The answer is its number, unless there are too many.
    Open(mpsc::Sender<Order>, oneshot::Sender<Key>),
    Said(Key, Utf8Bytes),
    Ended(Key),
}

/// What a connection must do.
#[derive(Clone)]
pub(crate) enum Order {
    Tell(Utf8Bytes),
    Close(CloseCode, &'static str),
}

/// A message of a page.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    /// The first message: the key by which the page is recognised after a reload, and a name for others.
    Hello {
        key: String,
        name: String,
    },
    /// The page is awake.
    Pong {
        payload: String,
    },
    Name {
        name: String,
    },
    /// The page asks for the pen.
    Ask,
    /// The page no longer wants the pen.
    Release,
    Edit(Edit),
}

/// A message to a page.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tell<'a> {
    Welcome {
        me: u32,
        name: &'a str,
        text: &'a str,
        revision: u64,
        limit: usize,
        /// The token, if the page still holds the pen from before a reload.
        token: Option<u64>,
        /// If the page hears nothing for so long, it should dial again.
        quiet_ms: u64,
        /// Another number means another run of the program.
        run: u64,
    },
    /// The page must answer with the same payload.
    Ping {
        payload: String,
    },
    State(&'a Snapshot),
    /// The pen is yours.
    Granted {
        token: u64,
    },
    /// You were not heard, and now you are.
    Thawed,
    /// The pen is no longer yours.
    Lost {
        token: u64,
        why: String,
    },
    /// Your edit was carried out.
    Ack {
        seq: u64,
    },
    /// Your edit was not carried out. `frozen` is temporary; any other reason is not.
    Refused {
        seq: u64,
        kind: &'static str,
        why: String,
    },
    /// Somebody wrote.
    Text {
        revision: u64,
        at: usize,
        remove: usize,
        insert: &'a str,
    },
}

/// Everything that everybody sees, except the text. People are numbers, because their keys are secret.
#[derive(PartialEq, Serialize)]
struct Snapshot {
    people: Vec<Shown>,
    holder: Option<u32>,
    /// How long the holder has not been heard.
    frozen_ms: Option<u64>,
    /// When the pen passes on, and to which user.
    passes_ms: Option<u64>,
    next: Option<u32>,
    queue: Vec<u32>,
}

#[derive(PartialEq, Serialize)]
struct Shown {
    id: u32,
    name: String,
    /// `online` or `suspect`, or `connecting` for a user without a page at the moment.
    state: &'static str,
}

/// The key by which a page is recognised.
type User = Arc<str>;

struct Person {
    id: u32,
    name: String,
}

pub(crate) struct Desk {
    clock: Clock,
    /// Whether each page is awake.
    pages: Fleet,
    people: Presence<User, Key>,
    pen: Lease<User>,
    text: Text,
    file: Option<PathBuf>,
    connections: BTreeMap<Key, mpsc::Sender<Order>>,
    known: BTreeMap<User, Person>,
    ids: u32,
    quiet: Duration,
    run: u64,
    /// The text or the token is not in the file yet.
    unsaved: bool,
    /// Messages for the end of the turn, when everything that they depend on is in the file.
    telling: Vec<(Key, Order)>,
    /// Somebody came, went, asked for the pen or changed their name.
    changed: bool,
}

/// How many people there may be.
const PEOPLE: usize = 100;
/// The longest name, in characters.
const NAME: usize = 24;
/// The longest key, in bytes.
const KEY: usize = 64;
/// How much is read before anything is judged.
const AT_ONCE: usize = 1024;
/// The same person has opened the page elsewhere.
const REPLACED: u16 = 4000;

impl Desk {
    pub(crate) fn new(
        config: Config,
        grace: Duration,
        linger: Duration,
        file: Option<PathBuf>,
    ) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "only to be above all tokens of former runs")]
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since_1970 = u64::try_from(since_1970.as_micros()).unwrap_or_default();
        let mut text = file.as_deref().map_or_else(|| Ok(Text::default()), Text::load)?;
        // Tokens of earlier runs must be older. If no file has the latest token, the time of day gives one.
        text.token = text.token.max(since_1970);
        // Its pings are text messages, and nobody sees when those are written.
        let config = config.to_builder().write_timeout(Duration::MAX).build().map_err(io::Error::other)?;
        Ok(Self {
            clock: clock(),
            pages: Fleet::new(config, random_seed()),
            people: Presence::with_linger(linger),
            pen: Lease::resuming_after(grace, Token::new(text.token)),
            text,
            file,
            connections: BTreeMap::new(),
            known: BTreeMap::new(),
            ids: 0,
            quiet: config.interval().saturating_add(config.timeout()),
            run: since_1970,
            unsaved: true,
            telling: Vec::new(),
            changed: false,
        })
    }

    /// Serves until the text cannot be stored.
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> io::Result<()> {
        let mut batch = Vec::new();
        loop {
            let next = [self.pages.poll_timeout(), self.people.poll_timeout(), self.pen.poll_timeout()];
            let next = self.clock.instant(next.into_iter().flatten().min().unwrap_or(Timestamp::MAX));
            tokio::select! {
                // Everything that has arrived is read before anybody is judged.
                biased;
                _ = inputs.recv_many(&mut batch, AT_ONCE) => {}
                () = tokio::time::sleep_until(next.into()) => {}
            }
            self.turn(&mut batch)?;
        }
    }

    fn turn(&mut self, batch: &mut Vec<Input>) -> io::Result<()> {
        let now = self.clock.now();
        // A page that sends something is there. Report that first, and what follows from it.
        for input in &*batch {
            if let Input::Said(key, _) = input {
                // A page that was let go meanwhile does not count any more.
                let _ = self.pages.handle(*key, Event::Data, now);
            }
        }
        self.settle(now);
        for input in batch.drain(..) {
            match input {
                Input::Open(orders, tell) => self.open(orders, tell, now),
                Input::Said(key, text) => self.said(key, &text, now),
                Input::Ended(key) => drop(self.pages.handle(key, Event::Eof, now)),
            }
        }
        self.settle(now);
        self.show(now);
        if let Some(file) = self.file.as_deref().filter(|_| self.unsaved) {
            self.text.save(file)?;
        }
        self.unsaved = false;
        for (key, order) in self.telling.drain(..) {
            let behind = self.connections.get(&key).is_some_and(|orders| orders.try_send(order).is_err());
            if behind {
                // The connection sees the end of its orders, and closes.
                self.connections.remove(&key);
            }
        }
        Ok(())
    }

    /// Pages make users, and users make holders: each machine's output is the next one's input.
    fn settle(&mut self, now: Timestamp) {
        while let Some((key, action)) = self.pages.poll(now) {
            self.people.handle(&key, action, now);
            match action {
                Action::SendPing(payload) => self.tell(key, &Tell::Ping { payload: payload.to_string() }),
                Action::Close(Some(code)) => {
                    let why =
                        if code.get() == REPLACED { "open elsewhere" } else { "the page did not answer" };
                    self.telling.push((key, Order::Close(code, why)));
                }
                Action::Disconnect => drop(self.connections.remove(&key)),
                Action::MarkOnline | Action::MarkSuspect => {}
                // It may linger. Then it is shown without a page.
                Action::MarkOffline(_) => self.changed = true,
                Action::Close(None) => {}
            }
        }
        while let Some(change) = self.people.poll(now) {
            self.changed = true;
            self.pen.apply(&change, now);
            if let PresenceChange::Left(user) = change {
                self.known.remove(&user);
            }
        }
        while let Some(change) = self.pen.poll(now) {
            self.changed = true;
            match change {
                LeaseChange::Granted { user, token } => {
                    (self.text.token, self.unsaved) = (token.get(), true);
                    self.tell_user(&user, &Tell::Granted { token: token.get() });
                }
                LeaseChange::Frozen { .. } => {}
                LeaseChange::Thawed { user, .. } => self.tell_user(&user, &Tell::Thawed),
                LeaseChange::Lost { user, token, reason } => {
                    self.tell_user(&user, &Tell::Lost { token: token.get(), why: loss(reason, "") });
                }
                LeaseChange::Returned { user, token, reason, at } => {
                    let why = loss(reason, &ago(now, at));
                    self.tell_user(&user, &Tell::Lost { token: token.get(), why });
                }
            }
        }
    }

    fn open(&mut self, orders: mpsc::Sender<Order>, tell: oneshot::Sender<Key>, now: Timestamp) {
        if self.connections.len() >= 2 * PEOPLE {
            return;
        }
        let Ok(key) = self.pages.insert(now) else { return };
        if tell.send(key).is_ok() {
            self.connections.insert(key, orders);
        } else {
            drop(self.pages.remove(key));
        }
    }

    fn said(&mut self, key: Key, text: &str, now: Timestamp) {
        // A page that was let go may still speak. Its hello would bring in a user that nothing removes.
        if self.pages.verdict(key) != Ok(None) {
            return;
        }
        let Ok(said) = serde_json::from_str(text) else {
            return self.end(key, CloseCode::INVALID_PAYLOAD, now);
        };
        match (said, self.people.user(&key).cloned()) {
            (Said::Pong { payload }, _) => {
                // Anything except its sixteen digits is no answer.
                let digits = u64::from_str_radix(&payload, 16).unwrap_or_default();
                let _ = self.pages.handle(key, Event::Pong(&digits.to_be_bytes()), now);
            }
            (Said::Hello { key: user, name }, None) => self.hello(key, &user, &name, now),
            (Said::Hello { .. }, Some(_)) | (_, None) => self.end(key, CloseCode::POLICY_VIOLATION, now),
            (Said::Name { name }, Some(user)) => {
                if let Some(person) = self.known.get_mut(&user) {
                    person.name = proper(&name);
                    self.changed = true;
                }
            }
            (Said::Ask, Some(user)) => {
                self.pen.request(user, now);
                self.changed = true;
            }
            (Said::Release, Some(user)) => {
                self.pen.release(&user, now);
                self.changed = true;
            }
            (Said::Edit(edit), Some(user)) => self.edit(key, &user, &edit, now),
        }
        // An input in a batch counts before the next one of the batch.
        self.settle(now);
    }

    fn end(&mut self, key: Key, code: CloseCode, now: Timestamp) {
        // A page that is gone by itself stays gone.
        let _ = self.pages.close(key, code, now);
    }

    fn hello(&mut self, key: Key, user: &str, name: &str, now: Timestamp) {
        if user.is_empty() || user.len() > KEY {
            return self.end(key, CloseCode::POLICY_VIOLATION, now);
        }
        let is_new = !self.known.contains_key(user);
        if is_new && self.known.len() >= PEOPLE {
            return self.end(key, CloseCode::TRY_AGAIN_LATER, now);
        }
        let user: User = user.into();
        if is_new {
            self.ids = self.ids.wrapping_add(1);
            self.known.insert(Arc::clone(&user), Person { id: self.ids, name: String::new() });
        }
        let Some(person) = self.known.get_mut(&user) else { return };
        person.name = proper(name);
        let holder = self.pen.holder().filter(|holder| *holder.user == user);
        let welcome = Tell::Welcome {
            me: person.id,
            name: &person.name,
            text: &self.text.content,
            revision: self.text.revision,
            limit: LIMIT,
            token: holder.map(|holder| holder.token.get()),
            quiet_ms: millis(self.quiet),
            run: self.run,
        };
        self.telling.push((key, order(&welcome)));
        // The new page comes first, so that the user was never away. Two pages that write for one person would not know
        // of each other.
        self.people.connect(key, Arc::clone(&user), now);
        let others: Vec<Key> =
            self.people.connections(&user).copied().filter(|other| *other != key).collect();
        for other in others {
            self.end(other, CloseCode::new(REPLACED).unwrap_or(CloseCode::NORMAL), now);
        }
        self.changed = true;
    }

    fn edit(&mut self, key: Key, user: &User, edit: &Edit, now: Timestamp) {
        let seq = edit.seq;
        let refused = |kind, why| Tell::Refused { seq, kind, why };
        // An edit that was carried out stays so, although another user may have the pen by now.
        if self.text.has(edit) {
            return self.tell(key, &Tell::Ack { seq });
        }
        if let Err(refusal) = self.pen.check(user, Token::new(edit.token)) {
            let kind = if matches!(refusal, Refusal::Frozen { .. }) { "frozen" } else { "lost" };
            let why = self.words(&refusal, now);
            return self.tell(key, &refused(kind, why));
        }
        match self.text.apply(edit) {
            Ok(()) => {
                self.unsaved = true;
                self.tell(key, &Tell::Ack { seq });
                let text =
                    Tell::Text { revision: seq, at: edit.at, remove: edit.remove, insert: &edit.insert };
                self.tell_all_but(key, &text);
            }
            Err(Unfit::TooLong) => {
                let why = format!("The text may have {LIMIT} characters at most.");
                self.tell(key, &refused("unfit", why));
            }
            Err(Unfit::Elsewhere) => {
                let why = "The text has changed since you wrote this.".to_owned();
                self.tell(key, &refused("unfit", why));
            }
        }
    }

    /// Why a page's edit is refused, in words for its user.
    fn words(&self, refusal: &Refusal<User>, now: Timestamp) -> String {
        let holder = |user: &Option<User>| match user.as_ref().and_then(|user| self.known.get(user)) {
            Some(person) => format!("{} has the pen now.", person.name),
            None => "Nobody has the pen now.".to_owned(),
        };
        match refusal {
            Refusal::Frozen { since } => {
                format!("You were not heard for {} s.", now.saturating_duration_since(*since).as_secs())
            }
            Refusal::Lost { reason, at, holder: user } => {
                format!("{} {}", loss(*reason, &ago(now, *at)), holder(user))
            }
            Refusal::Outdated { holder: user } => {
                format!("The pen was yours long ago, or before the server was restarted. {}", holder(user))
            }
            Refusal::WrongUser | Refusal::NeverGranted => "The pen was not yours.".to_owned(),
            other => other.to_string(),
        }
    }

    /// Everybody gets what is new.
    fn show(&mut self, now: Timestamp) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let id = |user: &User| self.known.get(user).map_or(0, |person| person.id);
        let holder = self.pen.holder();
        let frozen = holder.and_then(|holder| holder.frozen_since);
        let passes = frozen.and_then(|_| self.pen.poll_timeout());
        let next = self.pen.waiting().find(|user| self.people.status(user) == Status::Online);
        let mut people: Vec<Shown> = self
            .people
            .iter()
            .map(|(user, status)| {
                let state = match status {
                    _ if self.people.connections(user).next().is_none() => "connecting",
                    Status::Online => "online",
                    Status::Suspect | Status::Offline => "suspect",
                };
                Shown {
                    id: id(user),
                    name: self.known.get(user).map_or_else(String::new, |person| person.name.clone()),
                    state,
                }
            })
            .collect();
        people.sort_by_key(|shown| shown.id);
        let snapshot = Snapshot {
            people,
            holder: holder.map(|holder| id(holder.user)),
            frozen_ms: frozen.map(|since| millis(now.saturating_duration_since(since))),
            passes_ms: passes.map(|at| millis(at.saturating_duration_since(now))),
            next: next.map(id),
            queue: self.pen.waiting().map(id).collect(),
        };
        let state = order(&Tell::State(&snapshot));
        self.telling.extend(self.audience().map(|key| (key, state.clone())).collect::<Vec<_>>());
    }

    /// All connections of users.
    fn audience(&self) -> impl Iterator<Item = Key> {
        self.connections.keys().copied().filter(|key| self.people.user(key).is_some())
    }

    fn tell(&mut self, key: Key, tell: &Tell<'_>) {
        self.telling.push((key, order(tell)));
    }

    fn tell_user(&mut self, user: &User, tell: &Tell<'_>) {
        let order = order(tell);
        self.telling.extend(self.people.connections(user).map(|key| (*key, order.clone())));
    }

    fn tell_all_but(&mut self, writer: Key, tell: &Tell<'_>) {
        let order = order(tell);
        let readers: Vec<Key> = self.audience().filter(|key| *key != writer).collect();
        self.telling.extend(readers.into_iter().map(|key| (key, order.clone())));
    }
}

fn order(tell: &Tell<'_>) -> Order {
    // Nothing in it can fail to serialise: there are no maps, and no keys except strings.
    Order::Tell(serde_json::to_string(tell).unwrap_or_default().into())
}

/// `ago` is added to a loss that is some time old.
fn loss(reason: Loss, ago: &str) -> String {
    match reason {
        Loss::Released => format!("You gave the pen back{ago}."),
        Loss::Offline => format!("You lost the pen{ago}: you were gone."),
        Loss::GraceExpired => format!("You lost the pen{ago}: your page stood still while others waited."),
        Loss::Revoked => format!("The pen was taken from you{ago}."),
        other => format!("You lost the pen{ago}: {other}."),
    }
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    match now.saturating_duration_since(then).as_secs() {
        0 => String::new(),
        seconds => format!(" {seconds} s ago"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn proper(name: &str) -> String {
    one_line(name, NAME).unwrap_or_else(|| "Somebody".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_was_let_go_does_not_come_in_again() {
        let mut desk = Desk::new(Config::DEFAULT, Duration::ZERO, Duration::ZERO, None).unwrap();
        let (orders, _page) = mpsc::channel(8);
        let (tell, mut told) = oneshot::channel();
        desk.turn(&mut vec![Input::Open(orders, tell)]).unwrap();
        let key = told.try_recv().unwrap();
        let said = |words: &'static str| Input::Said(key, words.into());
        desk.turn(&mut vec![said("no message of a page")]).unwrap();
        desk.turn(&mut vec![said(r#"{"type":"hello","key":"k","name":"eve"}"#)]).unwrap();
        desk.turn(&mut vec![Input::Ended(key)]).unwrap();
        assert!(desk.people.is_empty());
    }
}
