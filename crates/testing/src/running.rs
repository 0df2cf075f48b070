//! A process, and all that it prints.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A running process. It is killed when this is dropped, and if a test fails, its lines are shown.
pub struct Running {
    name: String,
    pub child: Child,
    /// What it prints on stdout, if the command pipes that.
    pub lines: Lines,
    /// What it prints on stderr, if the command pipes that.
    pub complaints: Lines,
}

impl Running {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines = child.stdout.take().map(Lines::collect).unwrap_or_default();
        let complaints = child.stderr.take().map(Lines::collect).unwrap_or_default();
        Self { name, child, lines, complaints }
    }

    /// Ends it at once (SIGKILL), even if it is stopped. The system closes its sockets.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let (lines, complaints) = (self.lines.lock().join("\n"), self.complaints.lock().join("\n"));
            println!("{} printed:\n{lines}\nand on stderr:\n{complaints}", self.name);
        }
    }
}

/// The lines of a stream so far. Clones share them.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn collect(from: impl Read + Send + 'static) -> Self {
        let (lines, read) = (Self::default(), BufReader::new(from).lines().map_while(Result::ok));
        let collected = lines.clone();
        thread::spawn(move || read.for_each(|line| collected.lock().push(line)));
        lines
    }

    pub fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
