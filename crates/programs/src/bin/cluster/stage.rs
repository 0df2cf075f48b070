//! The stage: a redis-server and the nodes as processes, and a terminal to break them from.

use std::io::{self, BufRead, BufReader, Write};
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use tokio::sync::mpsc;

use crate::{Program, asked_to_end};
use liveness_programs::cluster::redis_server::{Kept, RedisServer};
use liveness_programs::cluster::settings::Settings;
use liveness_programs::web::Failure;

const HELP: &str =
    "kill N, stop N, cont N, start N   a node: SIGKILL, SIGSTOP, SIGCONT, start again on its port
redis kill, redis start           Redis: SIGKILL, start again with what it had written
help, quit                        or Ctrl-C";

struct Stage {
    program: Program,
    url: String,
    redis: Option<RedisServer>,
    nodes: Vec<Place>,
}

struct Place {
    name: String,
    address: String,
    child: Child,
}

impl Place {
    /// SIGKILL ends a stopped process too.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) async fn run(program: &Program, settings: Settings) -> Result<(), Failure> {
    let own = || RedisServer::start_as(tied_redis, Kept::All);
    let redis = program.redis.is_none().then(own).transpose()?;
    let url = program.redis.clone().or_else(|| redis.as_ref().map(RedisServer::url)).unwrap_or_default();
    let mut stage = Stage { program: program.clone(), url, redis, nodes: Vec::new() };
    for number in 1..=program.nodes {
        let place = stage.place(number)?;
        say(format_args!("node {number}  http://{}", place.address));
        stage.nodes.push(place);
    }
    let (bound, after) = (settings.bound(), settings.bound_after_redis());
    say(format_args!("Redis   {}", stage.url));
    say(format_args!(
        "a user of a node that dies is gone everywhere within {bound:?}, or {after:?} if Redis was away\n\n{HELP}"
    ));
    stage.obey().await
}

impl Stage {
    fn place(&self, number: u8) -> Result<Place, Failure> {
        let listen = after(&self.program.web.listen, u16::from(number) - 1)?;
        let (child, address) = launch(&self.url, &format!("node-{number}"), &listen)?;
        Ok(Place { name: format!("node-{number}"), address, child })
    }

    async fn obey(mut self) -> Result<(), Failure> {
        let (lines, mut typed) = mpsc::unbounded_channel();
        // In a thread, because a read from the terminal cannot be cancelled.
        thread::spawn(move || {
            io::stdin().lock().lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
        });
        let mut terminal = true;
        loop {
            tokio::select! {
                line = typed.recv(), if terminal => match line.as_deref().map(str::trim) {
                    Some("quit") => return Ok(()),
                    Some(line) => self.carry_out(line).unwrap_or_else(|why| say(format_args!("{why}"))),
                    // If it was started without a terminal, it goes on until it is ended.
                    None => terminal = false,
                },
                done = asked_to_end() => return Ok(done?),
            }
        }
    }

    fn carry_out(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => Ok(()),
            ["help"] => Err(HELP.to_owned()),
            ["redis", what] => {
                let redis = self.redis.as_mut().ok_or("this Redis is not ours")?;
                match what {
                    "kill" => redis.kill(),
                    "start" => redis.restart()?,
                    _ => return Err(HELP.to_owned()),
                }
                Ok(())
            }
            [what, number] => {
                let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let place =
                    place.and_then(|place| self.nodes.get_mut(place)).ok_or("there is no such node")?;
                match what {
                    "kill" => place.kill(),
                    "stop" => signal(&mut place.child, "STOP")?,
                    "cont" => signal(&mut place.child, "CONT")?,
                    "start" => {
                        place.kill();
                        let (child, _) = launch(&self.url, &place.name, &place.address)?;
                        place.child = child;
                    }
                    _ => return Err(HELP.to_owned()),
                }
                Ok(())
            }
            _ => Err(HELP.to_owned()),
        }
    }
}

/// The address with a port that is higher by so much. Port 0 stays 0.
fn after(listen: &str, places: u16) -> Result<String, String> {
    let (host, port) =
        listen.rsplit_once(':').ok_or_else(|| format!("--listen {listen}: a port is missing"))?;
    let port: u16 = port.parse().map_err(|_| format!("--listen {listen}: {port} is no port"))?;
    let port = if port == 0 { Some(0) } else { port.checked_add(places) };
    let port = port.ok_or_else(|| format!("--listen {listen}: there are no ports after it for all nodes"))?;
    Ok(format!("{host}:{port}"))
}

/// The part of our arguments that the nodes need too.
fn settings(flags: impl Iterator<Item = String>) -> Vec<String> {
    let (mut kept, mut flags) = (Vec::new(), flags);
    while let Some(flag) = flags.next() {
        match flag.split_once('=').map_or(&*flag, |(name, _)| name) {
            // The value is the next argument, or follows a `=`.
            "--listen" | "--redis" | "--nodes" if flag.contains('=') => {}
            "--listen" | "--redis" | "--nodes" => drop(flags.next()),
            _ => kept.push(flag),
        }
    }
    kept
}

/// A child is killed with the stage, if the kernel can be asked to. A stopped child would not see that a pipe ends. The
/// kernel watches the stage's main thread, because that thread starts all children.
pub(crate) fn end_with_parent() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// On Linux it is this program at first. It asks to be killed with the stage, and then becomes a redis-server, which
/// keeps that.
fn tied_redis() -> Command {
    let this = std::env::current_exe().ok().filter(|_| cfg!(target_os = "linux"));
    let Some(this) = this else { return Command::new("redis-server") };
    let mut command = Command::new(this);
    command.arg("redis-server");
    command
}

/// Returns only if that fails. It prints why on stdout, because the stage reads that.
pub(crate) fn become_redis(flags: &[String]) -> Result<(), Failure> {
    end_with_parent();
    #[cfg(unix)]
    {
        let why = CommandExt::exec(Command::new("redis-server").args(flags));
        say(format_args!("{}", liveness_programs::cluster::redis_server::missing(&why)));
    }
    Err("no redis-server".into())
}

#[cfg(unix)]
fn signal(child: &mut Child, name: &str) -> Result<(), String> {
    use rustix::process::{Pid, Signal, kill_process};
    // The number of a process that has ended may be another's by now.
    if !matches!(child.try_wait(), Ok(None)) {
        return Err("it has ended".to_owned());
    }
    let signal = if name == "STOP" { Signal::STOP } else { Signal::CONT };
    kill_process(Pid::from_child(child), signal).map_err(|why| why.to_string())
}

#[cfg(not(unix))]
fn signal(_: &mut Child, _: &str) -> Result<(), String> {
    Err("a process cannot be stopped here".to_owned())
}

/// Starts a node, and waits until it listens.
fn launch(url: &str, name: &str, listen: &str) -> Result<(Child, String), String> {
    let exe = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut command = Command::new(exe);
    command.args(["--node", name, "--redis", url, "--listen", listen, "--staged"]);
    command.args(settings(std::env::args().skip(1)));
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|why| format!("{name}: {why}"))?;
    let Some(errors) = child.stderr.take() else { return Err(format!("{name} has no stderr")) };
    let mut lines = BufReader::new(errors).lines().map_while(Result::ok);
    let mut said = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(address) = line.strip_prefix("listening on http://") {
            let (address, name) = (address.to_owned(), name.to_owned());
            thread::spawn(move || lines.for_each(|line| say(format_args!("{name}: {line}"))));
            return Ok((child, address));
        }
        said.push(line);
    }
    let _ = child.wait();
    Err(format!("{name} ended: {}", said.join("\n")))
}

/// `println!` would panic if stdout is closed.
pub(crate) fn say(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{what}");
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_gets_no_signal() {
        let mut child = Command::new("true").spawn().unwrap();
        let refused = (0..1000).any(|_| {
            thread::park_timeout(std::time::Duration::from_millis(10));
            signal(&mut child, "CONT").is_err()
        });
        assert!(refused);
    }
}
