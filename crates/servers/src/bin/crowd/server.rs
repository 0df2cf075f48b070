//! A server under test: its lines and its cost.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use liveness::{Clock, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::{Args, Failure};

/// A server under test, and the lines that it prints.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    lines: mpsc::UnboundedReceiver<String>,
    /// The connections that it has called offline so far.
    pub(crate) gone: HashSet<String>,
}

impl Server {
    pub(crate) fn start(name: &str, args: &Args) -> Result<Self, Failure> {
        let mut command = if name == "recipe" {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("--serve-recipe");
            command.args(["--interval", &args.interval.to_string(), "--timeout", &args.timeout.to_string()]);
            command
        } else {
            let mut command = Command::new(sibling(name)?);
            command.args(["--listen", "127.0.0.1:0", "--interval", &format!("{}s", args.interval)]);
            command.args(["--timeout", &format!("{}s", args.timeout)]);
            command
        };
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (stdout, stderr) =
            (child.stdout.take().ok_or("no stdout")?, child.stderr.take().ok_or("no stderr")?);
        let mut errors = BufReader::new(stderr).lines();
        let address = errors.next().ok_or("it said nothing")??;
        let address = address.strip_prefix("listening on ").ok_or("it does not listen")?.parse()?;
        std::thread::spawn(move || errors.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        let (tell, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Ok(Self { child, address, lines, gone: HashSet::new() })
    }

    /// Waits for this many lines that say `what`. Returns how many came, and when the last one came.
    pub(crate) async fn count(
        &mut self,
        what: &str,
        wanted: usize,
        patience: Duration,
    ) -> (usize, Timestamp) {
        let (clock, mut seen) = (Clock::new(), HashSet::new());
        let mut last = Timestamp::ZERO;
        let _ = timeout(patience, async {
            while seen.len() < wanted {
                let Some(line) = self.lines.recv().await else { return };
                let mut words = line.split(' ').skip(1);
                let (said, who) = (words.next(), words.next().unwrap_or_default().to_owned());
                if said == Some("offline") {
                    self.gone.insert(who.clone());
                }
                if said == Some(what) {
                    seen.insert(who);
                    last = clock.now();
                }
            }
        })
        .await;
        (seen.len(), last)
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name may hold anything. After it come fields 3 and up; 14 and 15 are user and system time.
        let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
        let ticks: u32 =
            fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap_or(0)).sum();
        Ok(TICK * ticks)
    }

    pub(crate) fn resident_kib(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    pub(crate) fn files(&self) -> Result<usize, Failure> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that was built beside this one.
fn sibling(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("{} is not there; `cargo build --release -p liveness-servers` makes it", path.display())
            .into())
    }
}
