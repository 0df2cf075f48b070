//! The rules in Redis: how an operation gets there, how its answer comes back, and how the news arrive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liveness::Status;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, Value, cmd, pipe,
};

use super::{Claims, Edit, Incarnation, Line, News, Op, Pen, Picture, Refused, Reply, User};
use crate::cluster::settings::Settings;

/// It is in braces. A Redis Cluster keeps all keys with the same braces in one place, and only there a script may touch
/// them all.
pub const ROOM: &str = "{liveness:room}";
const CLOCK: &str = include_str!("clock.lua");
const RULES: &str = include_str!("rules.lua");
/// How many news are read at once.
const BATCH: usize = 500;

/// Carries operations, in order.
pub struct Store {
    connection: MultiplexedConnection,
    sha: String,
    settings: Settings,
    /// What this Redis may lose although it has acknowledged it, in words for the person who chose it.
    pub loses: Option<String>,
}

/// Brings the news. It has its own connection, because it waits there for news.
pub struct Log {
    connection: MultiplexedConnection,
}

/// How long a reader waits for news before it asks again.
const WAIT: Duration = Duration::from_secs(5);

impl Store {
    pub async fn dial(client: &Client, settings: Settings) -> RedisResult<(Self, Log)> {
        Self::dial_with_clock(client, settings, CLOCK).await
    }

    /// Uses another script in place of Redis's clock. It says what `now` is.
    pub async fn dial_with_clock(
        client: &Client,
        settings: Settings,
        clock: &str,
    ) -> RedisResult<(Self, Log)> {
        // The side that waits decides how long to wait. That is the node with its own clock, which first handles what has
        // arrived.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let log = Log { connection: client.get_multiplexed_async_connection_with_config(&config).await? };
        let script = format!("{clock}\n{RULES}");
        let sha = cmd("SCRIPT").arg("LOAD").arg(script).query_async(&mut connection).await?;
        let loses = loses(&mut connection).await;
        Ok((Self { connection, sha, settings, loses }, log))
    }

    /// All at once. Redis answers when all of them are on its disk.
    pub async fn ask(&mut self, ops: &[Op]) -> RedisResult<Vec<Reply>> {
        let mut all = pipe();
        for op in ops {
            all.add_command(command(&self.sha, self.settings, op));
        }
        let replies: Vec<Value> = all.query_async(&mut self.connection).await?;
        replies.into_iter().map(reply).collect()
    }
}

async fn loses(connection: &mut MultiplexedConnection) -> Option<String> {
    let asked = cmd("CONFIG").arg("GET").arg("append*").query_async(connection).await;
    let says: BTreeMap<String, String> = match asked {
        Ok(says) => says,
        Err(why) => return Some(format!("Redis does not say whether it keeps an append-only file: {why}")),
    };
    let is = |setting: &str, value: &str| says.get(setting).is_some_and(|said| said == value);
    let when = match (is("appendonly", "yes"), is("appendfsync", "always")) {
        (true, true) => return None,
        (true, false) => "Redis does not wait for its disk (appendfsync is not always): in a power cut",
        (false, _) => "Redis keeps no append-only file (appendonly is not yes): when it ends",
    };
    Some(format!("{when} it loses edits that it has acknowledged, and may give a token twice"))
}

/// One operation as it goes over the wire.
pub fn command(sha: &str, settings: Settings, op: &Op) -> Cmd {
    let mut cmd = cmd("EVALSHA");
    cmd.arg(sha).arg(1).arg(ROOM);
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let Settings { ttl, linger, grace, .. } = settings;
    let mut with = |name: &str, inc: Option<Incarnation>| {
        cmd.arg(name).arg(millis(ttl)).arg(millis(linger)).arg(millis(grace));
        cmd.arg(inc.map(|inc| inc.to_string()).unwrap_or_default());
    };
    match op {
        Op::Open { name, address, claims } => {
            with("open", None);
            cmd.arg(name).arg(address);
            claim(&mut cmd, claims);
        }
        Op::Beat(inc) => with("beat", Some(*inc)),
        Op::Claim(inc, claims) => {
            with("claim", Some(*inc));
            claim(&mut cmd, claims);
        }
        Op::Say(inc, user, text) => {
            with("say", Some(*inc));
            cmd.arg(&**user).arg(text);
        }
        Op::Want(inc, user) => {
            with("want", Some(*inc));
            cmd.arg(&**user);
        }
        Op::Give(inc, user) => {
            with("give", Some(*inc));
            cmd.arg(&**user);
        }
        Op::Write(inc, Edit { user, token, key, text }) => {
            with("write", Some(*inc));
            cmd.arg(&**user).arg(token).arg(key).arg(text);
        }
        Op::Close(inc) => with("close", Some(*inc)),
        Op::Look => with("look", None),
    }
    cmd
}

fn claim(cmd: &mut Cmd, claims: &Claims) {
    for (user, status) in claims {
        cmd.arg(&**user).arg(name_of(*status));
    }
}

impl Log {
    /// The news after this number, in order; none if there were none for a while.
    pub async fn next(&mut self, after: u64) -> RedisResult<Vec<(u64, News)>> {
        type Entries = Vec<(String, Vec<(String, Vec<String>)>)>;
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(BATCH).arg("BLOCK").arg(WAIT.as_millis() as u64);
        read.arg("STREAMS").arg(format!("{ROOM}:log")).arg(format!("{after}-1"));
        let entries: Option<Entries> = read.query_async(&mut self.connection).await?;
        let entries = entries.unwrap_or_default().into_iter().flat_map(|(_, entries)| entries);
        entries.map(|(id, fields)| news(&id, &fields)).collect()
    }

    /// Every edit, from the first one on, with its key.
    pub async fn text(&mut self) -> RedisResult<Vec<(Line, String)>> {
        let mut read = cmd("XRANGE");
        read.arg(format!("{ROOM}:text")).arg("-").arg("+");
        let entries: Vec<(String, Vec<String>)> = read.query_async(&mut self.connection).await?;
        let line = |(_, fields): (String, Vec<String>)| match &fields[..] {
            [_, token, _, user, _, key, _, text] => Ok((
                Line { token: number(token)?, user: Arc::from(&**user), text: text.clone() },
                key.clone(),
            )),
            _ => Err(strange("edit", &fields)),
        };
        entries.into_iter().map(line).collect()
    }
}

fn strange(what: &'static str, value: &dyn std::fmt::Debug) -> RedisError {
    RedisError::from((ErrorKind::Parse, "not what the rules answer", format!("{what}: {value:?}")))
}

const fn name_of(status: Status) -> &'static str {
    match status {
        Status::Online => "online",
        Status::Suspect => "suspect",
        Status::Offline => "offline",
    }
}

fn status(name: &str) -> RedisResult<Status> {
    match name {
        "online" => Ok(Status::Online),
        "suspect" => Ok(Status::Suspect),
        "offline" => Ok(Status::Offline),
        _ => Err(strange("status", &name)),
    }
}

fn number(text: &str) -> RedisResult<u64> {
    text.parse().map_err(|_| strange("number", &text))
}

fn incarnation(text: &str) -> RedisResult<Incarnation> {
    number(text).map(Incarnation)
}

fn reply(value: Value) -> RedisResult<Reply> {
    let mut parts = Vec::<Value>::from_redis_value(value)?.into_iter();
    let mut next = || parts.next().unwrap_or(Value::Nil);
    match String::from_redis_value(next())?.as_str() {
        "opened" => Ok(Reply::Opened(incarnation(&String::from_redis_value(next())?)?)),
        "done" => Ok(Reply::Done),
        "expired" => Ok(Reply::Expired),
        "refused" => refused(&String::from_redis_value(next())?).map(Reply::Refused),
        "seen" => picture([next(), next(), next(), next(), next(), next()]).map(Box::new).map(Reply::Seen),
        other => Err(strange("reply", &other)),
    }
}

fn refused(why: &str) -> RedisResult<Refused> {
    match why {
        "absent" => Ok(Refused::Absent),
        "frozen" => Ok(Refused::Frozen),
        "stale" => Ok(Refused::Stale),
        "never" => Ok(Refused::Never),
        _ => Err(strange("refusal", &why)),
    }
}

fn picture([upto, nodes, claims, away, words, text]: [Value; 6]) -> RedisResult<Picture> {
    let nodes = Vec::<(String, String, String)>::from_redis_value(nodes)?.into_iter();
    let node = |(inc, name, address): (String, _, _)| Ok((incarnation(&inc)?, name, address));
    let mut claimed = Vec::new();
    for (inc, of) in Vec::<(String, Vec<String>)>::from_redis_value(claims)? {
        for pair in of.chunks_exact(2) {
            claimed.push((incarnation(&inc)?, Arc::from(&*pair[0]), status(&pair[1])?));
        }
    }
    let text = Vec::<(String, String, String)>::from_redis_value(text)?.into_iter();
    let line = |(token, user, text): (String, String, _)| {
        Ok(Line { token: number(&token)?, user: User::from(user), text })
    };
    Ok(Picture {
        upto: u64::from_redis_value(upto)?,
        nodes: nodes.map(node).collect::<RedisResult<_>>()?,
        claims: claimed,
        away: Vec::<String>::from_redis_value(away)?.into_iter().map(User::from).collect(),
        pen: pen(&Vec::<String>::from_redis_value(words)?)?,
        text: text.map(line).collect::<RedisResult<_>>()?,
    })
}

fn pen(words: &[String]) -> RedisResult<Pen> {
    let [holder, token, frozen, waiting, first @ ..] = words else { return Err(strange("pen", &words)) };
    Ok(Pen {
        holder: (!holder.is_empty()).then(|| User::from(&**holder)),
        token: number(token)?,
        frozen: frozen == "1",
        waiting: number(waiting)?,
        first: first.iter().map(|user| User::from(&**user)).collect(),
    })
}

fn news(id: &str, fields: &[String]) -> RedisResult<(u64, News)> {
    let n = number(id.split('-').next().unwrap_or_default())?;
    let values: Vec<&str> = fields.iter().skip(1).step_by(2).map(String::as_str).collect();
    let news = match values[..] {
        ["node", inc, name, address] => {
            News::Node { inc: incarnation(inc)?, name: name.to_owned(), address: address.to_owned() }
        }
        ["gone", inc] => News::Gone(incarnation(inc)?),
        ["claim", inc, user, how] => News::Claim(incarnation(inc)?, User::from(user), status(how)?),
        ["left", user] => News::Left(User::from(user)),
        ["pen", words] => {
            News::Pen(pen(&serde_json::from_str::<Vec<String>>(words).map_err(|_| strange("pen", &words))?)?)
        }
        ["said", inc, user, text] => News::Said(incarnation(inc)?, User::from(user), text.to_owned()),
        ["wrote", token, user, text] => {
            News::Wrote(Line { token: number(token)?, user: User::from(user), text: text.to_owned() })
        }
        _ => return Err(strange("news", &values)),
    };
    Ok((n, news))
}
