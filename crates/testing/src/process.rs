//! A process, and what it prints.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use liveness::Clock;
use rustix::process::{Pid, Signal, kill_process};

use crate::raw_peer::PATIENCE;

/// A running process. It is killed when this is dropped.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Its standard output is read. Its standard error is read too if the command pipes it.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let (tell, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take());
        if let Some(err) = err {
            tell_lines(err, tell.clone());
        }
        tell_lines(out, tell);
        Self { child, lines }
    }

    /// The rest of the next line that contains this.
    #[track_caller]
    pub fn expect(&self, wanted: &str) -> String {
        let clock = Clock::new();
        let until = clock.now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(clock.now())) {
                Ok(line) => match line.split_once(wanted) {
                    Some((_, rest)) => return rest.trim().to_owned(),
                    None => seen.push(line),
                },
                Err(error) => panic!("no `{wanted}` ({error}) after {seen:#?}"),
            }
        }
    }

    /// No line contains this for that long.
    #[track_caller]
    pub fn expect_no(&self, unwanted: &str, time: Duration) {
        let clock = Clock::new();
        let until = clock.now() + time;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(clock.now())) {
            assert!(!line.contains(unwanted), "{line}");
        }
    }

    /// Waits for its end, and returns its exit status, if it was not killed.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

fn tell_lines(from: impl Read + Send + 'static, tell: Sender<String>) {
    thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
