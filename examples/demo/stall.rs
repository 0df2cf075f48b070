//! A server process that can be stopped, as a garbage collector's pause, a swapping host or a closed laptop stops one.
//!
//! The demo runs itself again as that server. On Unix it is stopped with SIGSTOP. Elsewhere it is asked to do nothing,
//! and each connection's handler sleeps at its next message.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use liveness::{Evidence, Timestamp};

use crate::board::{Board, Change, Link, Recorder, Rule};
use crate::cases::{CASES, LATENESS, Place, STALL, STALL_LASTS, config};
use crate::{gorilla, server};

/// The argument that makes this program the server.
pub(crate) const ROLE: &str = "serve-and-be-stopped";

/// Nothing is served while this is set. It is the stall on a system without SIGSTOP.
static STALLED: AtomicBool = AtomicBool::new(false);

/// Sleeps while the server is asked to do nothing.
pub(crate) fn sit_out() {
    while STALLED.load(Ordering::Acquire) {
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A child process. It is killed when this is dropped.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process too.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Child {
    #[cfg(unix)]
    fn signal(&mut self, change: &Change) -> io::Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        let signal = if *change == Change::Stalled { Signal::STOP } else { Signal::CONT };
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    #[cfg(not(unix))]
    fn signal(&mut self, change: &Change) -> io::Result<()> {
        let order = if *change == Change::Stalled { "stall" } else { "resume" };
        self.0.stdin.as_mut().map_or(Ok(()), |stdin| writeln!(stdin, "{order}"))
    }
}

/// The server that is stopped, with both rules.
pub(crate) struct Stallable {
    child: Option<Child>,
    ports: [u16; 2],
    /// What comes next, and when.
    next: Option<(Change, Timestamp)>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Stallable {
    /// Starts it, and lets it report to the board.
    pub(crate) fn start(board: &Arc<Board>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ROLE).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child(command.spawn()?);
        let stdout = child.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut stdout = BufReader::new(stdout);
        let mut greeting = String::new();
        stdout.read_line(&mut greeting)?;
        let ports = parse_ports(&greeting).ok_or_else(|| io::Error::other("the child did not start"))?;
        let board = Arc::clone(board);
        let reader = thread::Builder::new().spawn(move || relay(stdout, &board))?;
        Ok(Self { child: Some(child), ports, next: Some((Change::Stalled, STALL)), reader: Some(reader) })
    }

    /// Where to connect.
    pub(crate) fn port(&self, rule: Rule) -> u16 {
        match rule {
            Rule::Gorilla => self.ports[0],
            Rule::Liveness => self.ports[1],
        }
    }

    /// Stops or continues it, when it is time.
    pub(crate) fn follow(&mut self, board: &Board) -> io::Result<()> {
        let now = board.clock.now();
        let Some((change, _)) = self.next.take_if(|(_, due)| *due <= now) else { return Ok(()) };
        if change == Change::Stalled {
            // From now, however late that is, because a stall that is too short would prove nothing.
            self.next = Some((Change::Resumed, now + STALL_LASTS + LATENESS));
        }
        // The board gets it first, so that nothing that follows from a change comes before it.
        for (index, _) in CASES.iter().enumerate().filter(|(_, case)| matches!(case.place, Place::Stalled)) {
            board.record_all(index, &change);
        }
        self.child.as_mut().map_or(Ok(()), |child| child.signal(&change))
    }
}

impl Drop for Stallable {
    fn drop(&mut self) {
        drop(self.child.take());
        // The pipe ends with the child.
        let _ = self.reader.take().map(thread::JoinHandle::join);
    }
}

fn parse_ports(line: &str) -> Option<[u16; 2]> {
    let (gorilla, liveness) = line.trim().split_once(' ')?;
    Some([gorilla.parse().ok()?, liveness.parse().ok()?])
}

/// Brings the child's reports to the board.
fn relay(reports: BufReader<ChildStdout>, board: &Board) {
    for line in reports.lines().map_while(Result::ok) {
        if let Some((link, change)) = parse(&line) {
            board.record(link, change);
        }
    }
}

/// `SERVER PEER CHANGE [REASON|REPORT]`.
fn parse(line: &str) -> Option<(Link, Change)> {
    let mut words = line.splitn(4, ' ');
    let link = Link { server: words.next()?.parse().ok()?, peer: words.next()?.parse().ok()? };
    let change = match words.next()? {
        "online" => Change::Online,
        "suspect" => Change::Suspect,
        "gone" => Change::Gone,
        _ => {
            let (reason, report) = words.next()?.split_once('|')?;
            Change::Offline { reason: reason.into(), report: report.into() }
        }
    };
    Some((link, change))
}

fn unparse(link: Link, change: &Change) -> Option<String> {
    let word = match change {
        Change::Online => "online".into(),
        Change::Suspect => "suspect".into(),
        Change::Gone => "gone".into(),
        Change::Offline { reason, report } => format!("offline {reason}|{report}"),
        // A server does not report these.
        Change::Fault | Change::Stalled | Change::Resumed | Change::Lost(_) => return None,
    };
    Some(format!("{} {} {word}", link.server, link.peer))
}

/// The child: both servers, until the pipe from the parent ends.
pub(crate) fn serve() -> ExitCode {
    die_with_parent();
    let result = serve_until(io::stdin().lock());
    result.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// A stopped process cannot see a pipe's end. So the kernel ends it, if the kernel can be asked to.
fn die_with_parent() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

fn serve_until(orders: impl BufRead) -> io::Result<()> {
    let report: Recorder = Arc::new(|link, change| {
        if let Some(line) = unparse(link, &change) {
            // The parent is gone, so this process will end too.
            let _ = writeln!(io::stdout().lock(), "{line}");
        }
    });
    let gorilla = gorilla::open(Arc::clone(&report))?;
    let liveness = server::open(config(Evidence::AnyTraffic), report)?;
    writeln!(io::stdout().lock(), "{} {}", gorilla.port(), liveness.port())?;
    for order in orders.lines() {
        STALLED.store(order? == "stall", Ordering::Release);
    }
    Ok(())
}
