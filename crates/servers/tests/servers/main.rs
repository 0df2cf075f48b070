//! The servers as processes, seen from outside: the lines that they print, and what they cost.
//!
//! Each scenario is played with each of them. If one server rightly differs, the scenario checks for it and says why.

/// Makes a test of a scenario for each of the servers.
macro_rules! with_each_server {
    ($($scenario:ident),+) => {$(
        mod $scenario {
            use super::super::Example;

            #[test]
            fn blocking() {
                super::$scenario(Example::Blocking);
            }

            #[test]
            fn tokio() {
                super::$scenario(Example::Tokio);
            }

            #[test]
            fn axum() {
                super::$scenario(Example::Axum);
            }

            #[test]
            fn mio() {
                super::$scenario(Example::Mio);
            }
        }
    )+};
}

mod chats;
mod client;
mod crowd;
mod faults;
#[cfg(unix)]
mod feeds;
mod hostile;
mod interop;
#[cfg(target_os = "linux")]
mod resources;
#[cfg(unix)]
mod stall;
#[path = "../trust/mod.rs"]
mod trust;
mod turns;

use std::ops::Deref;
use std::path::{Path, PathBuf};

use liveness_judge::{Change, reason};
use liveness_testing::raw_peer::{BINARY, CONTINUATION};

/// The servers. They have the same flags, the same behaviour and the same lines.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Example {
    Blocking,
    Tokio,
    Axum,
    Mio,
    /// As `Mio`, but on plain `poll(2)`. One scenario uses it, to show that any loop will do.
    #[cfg(unix)]
    Poll,
}

impl Example {
    /// The opcodes and lengths of the frames that it sends for a `flood`. axum has messages only, and sends one. The
    /// hand-written loops send a message for each part. The others send fragments, between which a ping may go.
    fn flood(self, bytes: usize) -> Vec<(u8, usize)> {
        const PART: usize = 64 << 10;
        let parts = (0..bytes).step_by(PART).map(|start| (start, PART.min(bytes - start)));
        match self {
            Self::Axum => vec![(BINARY, bytes)],
            #[cfg(unix)]
            Self::Poll => parts.map(|(_, len)| (BINARY, len)).collect(),
            Self::Mio => parts.map(|(_, len)| (BINARY, len)).collect(),
            Self::Blocking | Self::Tokio => {
                parts.map(|(start, len)| (if start == 0 { BINARY } else { CONTINUATION }, len)).collect()
            }
        }
    }

    fn program(self) -> PathBuf {
        program(match self {
            Self::Blocking => "server_blocking",
            Self::Tokio => "server_tokio",
            Self::Axum => "server_axum",
            Self::Mio => "server_mio",
            #[cfg(unix)]
            Self::Poll => "server_poll",
        })
    }
}

/// A program of this package. cargo has built it for these tests.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_server_mio"))
        .with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// A running server, seen from outside.
struct Server {
    example: Example,
    judged: liveness_judge::Server,
}

impl Server {
    fn start(example: Example, flags: &[&str]) -> Self {
        Self { example, judged: liveness_judge::Server::start(&example.program(), flags) }
    }
}

impl Deref for Server {
    type Target = liveness_judge::Server;

    fn deref(&self) -> &Self::Target {
        &self.judged
    }
}
