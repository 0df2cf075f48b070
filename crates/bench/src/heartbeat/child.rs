//! A server in a process of its own: both sides.
//!
//! The child prints its address. Then it answers each line with its processor time and its heap, and it ends at the end of its input.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{Cost, Counts, Crowd, Load, Server, Stack, Talk};
use crate::memory::Memory;

/// The child's side. It returns only if the server does.
pub(super) fn serve(stack: &Stack, server: Server) -> io::Result<()> {
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
    (stack.serve)(listener, server);
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
    /// Starts a server, under a tool that writes what it counts to a file.
    fn start(words: &[String; 4], counted: Option<(Tool, &Path)>) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = match counted {
            None => Command::new(program),
            Some((tool, file)) => {
                let mut command = tool.command(file);
                command.arg(program);
                command
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
    pub(super) fn measure(words: &[String; 4], load: Load, heartbeats: bool) -> io::Result<Cost> {
        let mut child = Self::start(words, None)?;
        let (_, empty) = child.mark()?;
        let mut crowd = Crowd::connect(child.address, load)?;
        crowd.live(load.interval * 4)?;
        let ((pings, echoes), (began, _)) = (crowd.mark(), child.mark()?);
        crowd.live(load.lasts)?;
        let (ended, heap) = child.mark()?;
        let (pings, echoes) = (crowd.pings - pings, crowd.echoes - echoes);
        if heartbeats && load.talk == Talk::Nothing {
            crowd.wait_for_pings(load.interval)?;
        }
        Ok(Cost {
            processor_time: ended.saturating_sub(began),
            pings,
            echoes,
            heap: heap.saturating_sub(empty) as f64 / f64::from(load.connections),
        })
    }

    /// What a tool counts in a heartbeat: what it counts more in a longer life than in a shorter one. `None`: there is no such tool.
    pub(super) fn count(words: &[String; 4], load: Load, tool: Tool) -> io::Result<Option<Counts>> {
        let file = std::env::temp_dir().join(format!("liveness-heartbeat-{}", process::id()));
        let life = |intervals: u32| -> io::Result<(Counts, u64)> {
            let mut child = Self::start(words, Some((tool, &file)))?;
            let mut crowd = Crowd::connect(child.address, load)?;
            crowd.live(load.interval * intervals)?;
            // At the end of its input the server ends, and the tool writes.
            child.input = None;
            child.process.wait()?;
            Ok((Counts::parse(&std::fs::read_to_string(&file)?), crowd.pings))
        };
        let lives = life(SHORT_LIFE).and_then(|short| Ok((short, life(LONG_LIFE)?)));
        let _ = std::fs::remove_file(&file);
        let ((less, few), (more, many)) = match lives {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            lives => lives?,
        };
        let heartbeats = many.saturating_sub(few) as f64;
        let a_heartbeat = |get: fn(&Counts) -> f64| (get(&more) - get(&less)) / heartbeats;
        Ok(Some(Counts {
            instructions: a_heartbeat(|counts| counts.instructions),
            reads: a_heartbeat(|counts| counts.reads),
            writes: a_heartbeat(|counts| counts.writes),
            all: a_heartbeat(|counts| counts.all),
        }))
    }
}

/// The lives that are compared, in intervals.
const SHORT_LIFE: u32 = 10;
const LONG_LIFE: u32 = 40;

/// What counts, in a run of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tool {
    /// System calls.
    Strace,
    /// Instructions, without the kernel's.
    Valgrind,
}

impl Tool {
    fn command(self, file: &Path) -> Command {
        let (program, words) = match self {
            Self::Strace => ("strace", &["-f", "-c", "-U", "name,calls", "-o"][..]),
            Self::Valgrind => (
                "valgrind",
                &["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--log-file"][..],
            ),
        };
        let mut command = Command::new(program);
        // Where memory is filled by one instruction, Valgrind would count one for each byte.
        command.env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_stosb_threshold=1000000000:glibc.cpu.x86_rep_movsb_threshold=1000000000",
        );
        let (last, others) = words.split_last().expect("words");
        command.args(others);
        match self {
            Self::Strace => command.arg(last).arg(file),
            Self::Valgrind => command.arg(format!("{last}={}", file.display())),
        };
        command
    }
}

impl Counts {
    /// Strace's summary has a name and a number a line; Valgrind's has a line `==PID== I refs: 1,234`.
    fn parse(summary: &str) -> Self {
        let mut counts = Self::default();
        for line in summary.lines() {
            let mut words = line.split_whitespace();
            if let Some((_, instructions)) = line.split_once("refs:") {
                let digits: String = instructions.chars().filter(char::is_ascii_digit).collect();
                counts.instructions = digits.parse().unwrap_or_default();
            }
            let (Some(name), Some(Ok(count))) = (words.next(), words.next().map(str::parse::<f64>)) else {
                continue;
            };
            match name {
                "total" => counts.all = count,
                "read" | "readv" | "recvfrom" | "recvmsg" => counts.reads += count,
                "write" | "writev" | "sendto" | "sendmsg" => counts.writes += count,
                _ => {}
            }
        }
        counts
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
