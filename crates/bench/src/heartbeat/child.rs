//! A server in a process of its own: both sides.
//!
//! The child prints its address. Then it answers each line with its processor time and its heap, and it ends at the end of its input.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{Calls, Cost, Crowd, Heartbeat, Load, Stack, Talk};
use crate::memory::Memory;

/// The child's side. It returns only if the server does.
pub(super) fn serve(stack: &Stack, heartbeat: Heartbeat) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // Everybody gets `TCP_NODELAY`, and on Linux what is accepted inherits it.
    liveness::driver::tune(&listener);
    println!("{}", listener.local_addr()?);
    thread::spawn(|| {
        for _ in io::stdin().lines() {
            println!("{} {}", processor_time().as_nanos(), Memory::now().heap);
        }
        process::exit(0);
    });
    (stack.serve)(listener, heartbeat);
    Err(io::Error::other("the server returned"))
}

/// Time that this process has spent on processors, the kernel's work for it included. Waiting does not count, whatever the wait is for.
#[cfg(unix)]
fn processor_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// Nothing else is known here.
#[cfg(not(unix))]
const fn processor_time() -> Duration {
    Duration::ZERO
}

/// The parent's side.
pub(super) struct Child {
    process: process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Child {
    /// Starts a server: by `strace`, if there is a file for its summary.
    fn start(words: [String; 3], traced: Option<&Path>) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = match traced {
            None => Command::new(program),
            Some(file) => {
                let mut strace = Command::new("strace");
                strace.args(["-f", "-c", "-U", "name,calls", "-o"]).arg(file).arg(program);
                strace
            }
        };
        let mut process =
            command.arg("--child").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take();
        let mut output = BufReader::new(process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let address = line(&mut output)?.parse().map_err(io::Error::other)?;
        Ok(Self { process, input, output, address })
    }

    /// Its processor time and its heap, by now.
    fn mark(&mut self) -> io::Result<(Duration, u64)> {
        self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(b"\n")?;
        let line = line(&mut self.output)?;
        let mut numbers = line.split(' ').map(|word| word.parse::<u64>().map_err(io::Error::other));
        let mut next = || numbers.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
        Ok((Duration::from_nanos(next()?), next()?))
    }

    /// What the server does with this load, after a few intervals that warm it up.
    pub(super) fn measure(words: [String; 3], load: Load, heartbeats: bool) -> io::Result<Cost> {
        let mut child = Self::start(words, None)?;
        let (_, empty) = child.mark()?;
        let mut crowd = Crowd::connect(child.address, load)?;
        crowd.live(load.interval * 4)?;
        let ((pings, echoes), (began, _)) = (crowd.mark(), child.mark()?);
        crowd.live(load.lasts)?;
        let (ended, heap) = child.mark()?;
        if heartbeats && load.talk == Talk::Nothing && crowd.unpinged() > 0 {
            return Err(io::Error::other(format!("{} live peers got no ping", crowd.unpinged())));
        }
        Ok(Cost {
            processor_time: ended.saturating_sub(began),
            pings: crowd.pings - pings,
            echoes: crowd.echoes - echoes,
            heap: heap.saturating_sub(empty) as f64 / f64::from(load.connections),
        })
    }

    /// The system calls of a heartbeat: what a longer life has more than a shorter one. `None` where there is no strace.
    pub(super) fn calls(words: &[String; 3], load: Load) -> io::Result<Option<Calls>> {
        let file = std::env::temp_dir().join(format!("liveness-strace-{}", process::id()));
        let life = |intervals: u32| -> io::Result<(Calls, u64)> {
            let mut child = Self::start(words.clone(), Some(&file))?;
            let mut crowd = Crowd::connect(child.address, load)?;
            crowd.live(load.interval * intervals)?;
            // At the end of its input the server ends, and strace writes.
            child.input = None;
            child.process.wait()?;
            Ok((Calls::parse(&std::fs::read_to_string(&file)?), crowd.pings))
        };
        let lives = life(4).and_then(|short| Ok((short, life(16)?)));
        let _ = std::fs::remove_file(&file);
        let ((before, few), (after, many)) = match lives {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            lives => lives?,
        };
        let heartbeats = many.saturating_sub(few) as f64;
        let a_heartbeat = |more: f64, less: f64| (more - less) / heartbeats;
        Ok(Some(Calls {
            reads: a_heartbeat(after.reads, before.reads),
            writes: a_heartbeat(after.writes, before.writes),
            all: a_heartbeat(after.all, before.all),
        }))
    }
}

impl Calls {
    /// Of strace's summary: a name and a number a line.
    fn parse(summary: &str) -> Self {
        let mut calls = Self::default();
        for line in summary.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(Ok(count))) = (words.next(), words.next().map(str::parse::<f64>)) else {
                continue;
            };
            match name {
                "total" => calls.all = count,
                "read" | "readv" | "recvfrom" | "recvmsg" => calls.reads += count,
                "write" | "writev" | "sendto" | "sendmsg" => calls.writes += count,
                _ => {}
            }
        }
        calls
    }
}

/// A line of the child's; an error where it has ended.
fn line(output: &mut BufReader<ChildStdout>) -> io::Result<String> {
    let mut line = String::new();
    match output.read_line(&mut line)? {
        0 => Err(io::Error::other("the server has ended")),
        _ => Ok(line.trim().to_owned()),
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
