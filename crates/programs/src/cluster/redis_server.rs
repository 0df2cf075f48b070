//! A `redis-server` of our own: on a port of the loopback, in its own directory. It writes everything to the disk before
//! it answers.

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use liveness::Clock;
use tempfile::TempDir;

/// It is killed when this is dropped.
pub struct RedisServer {
    program: fn() -> Command,
    kept: Kept,
    folder: TempDir,
    port: u16,
    child: Child,
}

/// What survives a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Everything that was acknowledged, even after a power cut.
    All,
    /// Nothing. For tests that ask much and kill nothing.
    Nothing,
}

/// Longer than it takes to start on a busy machine, or to read what it had written.
const PATIENCE: Duration = Duration::from_secs(20);

impl RedisServer {
    pub fn start(kept: Kept) -> Result<Self, String> {
        Self::start_as(|| Command::new("redis-server"), kept)
    }

    /// Starts another program, which becomes one.
    pub fn start_as(program: fn() -> Command, kept: Kept) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|why| format!("no directory for Redis: {why}"))?;
        // The port was free a moment ago. If somebody else was faster, Redis says so.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let port = free.map_err(|why| format!("no port for Redis: {why}"))?.port();
        let child = launch(program(), &folder, port, kept)?;
        Ok(Self { program, kept, folder, port, child })
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it at once (SIGKILL). What it has acknowledged is on its disk.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on the same port, with what it had written.
    pub fn restart(&mut self) -> Result<(), String> {
        self.kill();
        self.child = launch((self.program)(), &self.folder, self.port, self.kept)?;
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Why there is none.
pub fn missing(why: &io::Error) -> String {
    if why.kind() == ErrorKind::NotFound {
        "there is no redis-server on the path: on Debian, `apt-get install redis-server`; \
         or give the address of one with `--redis redis://HOST:PORT`"
            .to_owned()
    } else {
        format!("redis-server: {why}")
    }
}

fn launch(mut command: Command, folder: &TempDir, port: u16, kept: Kept) -> Result<Child, String> {
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(folder.path());
    command.args(["--save", "", "--loglevel", "warning"]);
    if kept == Kept::All {
        command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|why| missing(&why))?;
    let clock = Clock::new();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect(address).is_err() {
        if let Ok(Some(status)) = child.try_wait() {
            let mut said = String::new();
            let _ = child.stdout.take().map(|mut out| out.read_to_string(&mut said));
            return Err(format!("redis-server ended, {status}: {}", said.trim()));
        }
        if clock.now().saturating_duration_since(liveness::Timestamp::ZERO) > PATIENCE {
            let _ = child.kill();
            return Err(format!("redis-server does not answer on port {port}"));
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    // Nobody reads it any more, and a full pipe would block it.
    if let Some(mut out) = child.stdout.take() {
        thread::spawn(move || io::copy(&mut out, &mut io::sink()));
    }
    Ok(child)
}
