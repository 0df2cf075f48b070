//! The hub of a node: one task owns the node's decisions, and carries them out. It never waits.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use liveness::driver::tokio::clock;
use liveness::reconnect::Attempt;
use liveness::{Clock, Status, Timestamp, random_seed};
use redis::{Client, RedisResult};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use liveness_programs::cluster::node::{Conn, Node, Output};
use liveness_programs::cluster::settings::Settings;
use liveness_programs::cluster::store::redis::{Log, Store};
use liveness_programs::cluster::store::{News, Op, Reply};
use liveness_programs::cluster::words::{Said, Tell};

pub(crate) enum Input {
    /// A page's connection is open: its number.
    Open(mpsc::Sender<Order>, oneshot::Sender<Conn>),
    Said(Conn, Utf8Bytes),
    Marked(Conn, Status),
    Ended(Conn),
    /// The program ends.
    Goodbye,
    /// Somebody asks what the node knows.
    Show(oneshot::Sender<String>),
    Linked(Attempt, Store, Log),
    Unlinked(Attempt, String),
    Replied(Attempt, Vec<Reply>),
    Heard(Attempt, Vec<(u64, News)>),
}

pub(crate) enum Order {
    Tell(Utf8Bytes),
    Refuse(&'static str),
}

/// Messages for everybody go out in batches, at most this often. So a thousand people who come back at once are one
/// message.
const EACH: Duration = Duration::from_millis(100);
/// How many operations go to Redis at once.
const AT_ONCE: usize = 256;
/// How many connections there may be.
pub(crate) const CONNECTIONS: usize = 20_000;

pub(crate) struct Hub {
    clock: Clock,
    node: Node,
    settings: Settings,
    client: Client,
    inputs: mpsc::Sender<Input>,
    pages: BTreeMap<Conn, mpsc::Sender<Order>>,
    conns: Conn,
    /// Messages for everybody, each as JSON, and the moment from which they may go out.
    batch: Vec<String>,
    batch_at: Timestamp,
    /// Something in the batch must not come after what a page is told alone.
    in_order: bool,
    link: Option<Link>,
    /// Why the last link or dial failed.
    trouble: Option<String>,
}

/// A link, or a dial. Its tasks end with it.
struct Link {
    attempt: Attempt,
    ops: Option<mpsc::UnboundedSender<Op>>,
    log: Option<Log>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Hub {
    pub(crate) fn new(
        name: &str,
        address: &str,
        settings: Settings,
        client: Client,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        let clock = clock();
        Self {
            node: Node::new(name, address, settings, random_seed(), clock.now()),
            clock,
            settings,
            client,
            inputs,
            pages: BTreeMap::new(),
            conns: 0,
            batch: Vec::new(),
            batch_at: Timestamp::ZERO,
            in_order: false,
            link: None,
            trouble: None,
        }
    }

    /// Runs until the node has said goodbye.
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        loop {
            let now = self.clock.now();
            while let Some(output) = self.node.poll(now) {
                self.carry_out(output);
            }
            if self.node.is_closed() {
                return;
            }
            if !self.batch.is_empty() && now >= self.batch_at {
                self.tell_batch(now);
            }
            let batch_at = (!self.batch.is_empty()).then_some(self.batch_at);
            let due = self.node.poll_timeout().into_iter().chain(batch_at).min().unwrap_or(Timestamp::MAX);
            tokio::select! {
                biased;
                input = inputs.recv() => match input {
                    Some(input) => self.handle(input),
                    None => return,
                },
                () = sleep_until(Instant::from_std(self.clock.instant(due))) => {}
            }
            // Everything else that has arrived is handled before anything is judged.
            for input in (0..inputs.max_capacity()).map_while(|_| inputs.try_recv().ok()) {
                self.handle(input);
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        match input {
            Input::Open(page, tell) => {
                if self.pages.len() < CONNECTIONS && tell.send(self.conns + 1).is_ok() {
                    self.conns += 1;
                    self.pages.insert(self.conns, page);
                }
            }
            Input::Said(conn, words) => match serde_json::from_str::<Said>(&words) {
                Ok(said) => self.node.said(conn, said, now),
                Err(_) => self.order(conn, Order::Refuse("that is no message of this page")),
            },
            Input::Marked(conn, status) => self.node.mark(conn, status, now),
            Input::Ended(conn) => {
                self.pages.remove(&conn);
                self.node.mark(conn, Status::Offline, now);
            }
            Input::Goodbye => self.node.close(now),
            Input::Show(tell) => {
                // If the one who asked does not wait, nobody gets the answer.
                let _ = tell.send(serde_json::to_string(&self.node.state()).unwrap_or_default());
            }
            Input::Linked(attempt, store, log) => self.linked(attempt, store, log, now),
            Input::Unlinked(attempt, why) => {
                if self.link.take_if(|link| link.attempt == attempt).is_some() {
                    self.complain(why, now);
                    self.node.unlinked(attempt, now);
                }
            }
            Input::Replied(attempt, replies) => {
                if self.link.as_ref().is_some_and(|link| link.attempt == attempt) {
                    replies.into_iter().for_each(|reply| self.node.reply(reply, now));
                }
            }
            Input::Heard(attempt, news) => {
                if self.link.as_ref().is_some_and(|link| link.attempt == attempt) {
                    news.into_iter().for_each(|(n, news)| self.node.heard(n, news, now));
                }
            }
        }
    }

    fn linked(&mut self, attempt: Attempt, mut store: Store, log: Log, now: Timestamp) {
        let Some(link) = self.link.as_mut().filter(|link| link.attempt == attempt) else { return };
        let (ops, to_ask) = mpsc::unbounded_channel();
        (link.ops, link.log) = (Some(ops), Some(log));
        let (inputs, loses) = (self.inputs.clone(), store.loses.take());
        link.tasks.push(tokio::spawn(ask(attempt, store, to_ask, inputs)).abort_handle());
        if self.node.linked(attempt, now) {
            loses.inspect(|loses| say(now, format_args!("{loses}")));
            say(now, format_args!("linked to Redis"));
            self.trouble = None;
        } else {
            self.link = None;
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dial(attempt) => {
                let dial = dial(attempt, self.client.clone(), self.settings, self.inputs.clone());
                let tasks = vec![tokio::spawn(dial).abort_handle()];
                self.link = Some(Link { attempt, ops: None, log: None, tasks });
            }
            Output::HangUp => {
                self.complain("it does not answer".to_owned(), self.clock.now());
                self.link = None;
            }
            Output::Ask(op) => {
                // If its task is gone, the task has reported why, and the link is lost.
                let ops = self.link.as_ref().and_then(|link| link.ops.as_ref());
                let _ = ops.map(|ops| ops.send(op));
            }
            Output::Follow(after) => {
                let Some(link) = &mut self.link else { return };
                let Some(log) = link.log.take() else { return };
                let reader = follow(link.attempt, log, after, self.inputs.clone());
                link.tasks.push(tokio::spawn(reader).abort_handle());
            }
            Output::Tell(conn, what) => {
                // A welcome has the lines of the batch already. A pen of the batch is older than a grant, and would take it back.
                if self.in_order && matches!(what, Tell::Welcome { .. } | Tell::Granted { .. }) {
                    self.tell_batch(self.clock.now());
                }
                self.order(conn, Order::Tell(json(&what).into()));
            }
            Output::TellAll(what) => {
                self.in_order |= matches!(what, Tell::Wrote(_) | Tell::Pen { .. });
                self.batch.push(json(&what));
            }
        }
    }

    /// Says it once, however often Redis is dialled.
    fn complain(&mut self, why: String, now: Timestamp) {
        if self.trouble.as_ref() != Some(&why) {
            say(now, format_args!("Redis: {why}"));
            self.trouble = Some(why);
        }
    }

    fn tell_batch(&mut self, now: Timestamp) {
        (self.batch_at, self.in_order) = (now + EACH, false);
        let words = Utf8Bytes::from(format!("[{}]", self.batch.join(",")));
        self.batch.clear();
        let conns: Vec<Conn> = self.pages.keys().copied().collect();
        for conn in conns {
            self.order(conn, Order::Tell(words.clone()));
        }
    }

    /// A page that is too far behind is let go. Its queue ends, and it comes back for the whole state.
    fn order(&mut self, conn: Conn, order: Order) {
        if self.pages.get(&conn).is_some_and(|page| page.try_send(order).is_err()) {
            self.pages.remove(&conn);
        }
    }
}

async fn dial(attempt: Attempt, client: Client, settings: Settings, inputs: mpsc::Sender<Input>) {
    let input = match Store::dial(&client, settings).await {
        Ok((store, log)) => Input::Linked(attempt, store, log),
        Err(why) => Input::Unlinked(attempt, why.to_string()),
    };
    // If the hub is gone, the program is too. The same holds below.
    let _ = inputs.send(input).await;
}

async fn ask(
    attempt: Attempt,
    mut store: Store,
    mut ops: mpsc::UnboundedReceiver<Op>,
    inputs: mpsc::Sender<Input>,
) {
    let mut batch = Vec::with_capacity(AT_ONCE);
    while ops.recv_many(&mut batch, AT_ONCE).await > 0 {
        let replies: RedisResult<Vec<Reply>> = store.ask(&batch).await;
        batch.clear();
        let (input, over) = match replies {
            Ok(replies) => (Input::Replied(attempt, replies), false),
            Err(why) => (Input::Unlinked(attempt, why.to_string()), true),
        };
        if inputs.send(input).await.is_err() || over {
            return;
        }
    }
}

async fn follow(attempt: Attempt, mut log: Log, mut after: u64, inputs: mpsc::Sender<Input>) {
    loop {
        let (input, over) = match log.next(after).await {
            Ok(news) => {
                after = news.last().map_or(after, |(n, _)| *n);
                (Input::Heard(attempt, news), false)
            }
            Err(why) => (Input::Unlinked(attempt, why.to_string()), true),
        };
        if inputs.send(input).await.is_err() || over {
            return;
        }
    }
}

fn json(what: &Tell) -> String {
    serde_json::to_string(what).unwrap_or_default()
}

/// A line for the terminal that started the node. `eprintln!` would panic if stderr is closed.
fn say(now: Timestamp, what: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{now} {what}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use liveness_programs::cluster::store::{Line, Pen};
    use liveness_programs::cluster::words::State;
    use serde_json::Value;

    #[test]
    fn what_a_page_is_told_alone_does_not_overtake_the_text_and_the_pen() {
        const A_SECOND: Duration = Duration::from_secs(1);
        let settings = Settings { ttl: A_SECOND, beat: A_SECOND, linger: A_SECOND, grace: A_SECOND };
        let client = Client::open("redis://127.0.0.1").unwrap();
        let mut hub = Hub::new("one", "here", settings, client, mpsc::channel(1).0);
        let (page, mut orders) = mpsc::channel(8);
        let (tell, mut told) = oneshot::channel();
        hub.handle(Input::Open(page, tell));
        let conn = told.try_recv().unwrap();
        let mut words = || {
            let mut types = Vec::new();
            while let Ok(Order::Tell(words)) = orders.try_recv() {
                let word: Value = serde_json::from_str(&words).unwrap();
                let batch = word.as_array().cloned().unwrap_or_else(|| vec![word]);
                types.extend(batch.iter().map(|word| word["type"].as_str().unwrap_or_default().to_owned()));
            }
            types.join(" ")
        };
        let welcome = || {
            let nodes = std::sync::Arc::default();
            let (people, text) = (Vec::new(), Vec::new());
            let state =
                State { node: "one".into(), known: true, incarnation: None, nodes, people, pen: None, text };
            Tell::Welcome { state: Box::new(state) }
        };

        hub.carry_out(Output::TellAll(Tell::Wrote(Line {
            token: 1,
            user: "ann".into(),
            text: "one".to_owned(),
        })));
        hub.carry_out(Output::Tell(conn, welcome()));
        assert_eq!(words(), "wrote welcome");
        hub.carry_out(Output::TellAll(Tell::Pen { pen: None }));
        hub.carry_out(Output::TellAll(Tell::Pen { pen: Some(Pen::default()) }));
        hub.carry_out(Output::Tell(conn, Tell::Granted { token: 2 }));
        assert_eq!(words(), "pen pen granted");
        // Of those who come and go, only the latest counts. They wait for each other.
        hub.carry_out(Output::TellAll(Tell::Left { user: "bob".into() }));
        hub.carry_out(Output::Tell(conn, welcome()));
        assert_eq!(words(), "welcome");
        hub.tell_batch(hub.clock.now());
        assert_eq!(words(), "left");
    }
}
