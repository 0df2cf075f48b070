//! A thousand clients at once.

use std::io::Write;

use super::hostile::assert_let_go;
use super::{Example, Server};
use liveness_testing::eventually;
use liveness_testing::raw_peer::{PING, Peer, REQUEST, TEXT, frame};

const CROWD: usize = 1000;

/// Each end of each connection is a file. With the usual limit of 1,024 files, the crowd is smaller.
#[cfg(unix)]
fn crowd() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 2).unwrap_or(CROWD).min(CROWD)
}

#[cfg(not(unix))]
fn crowd() -> usize {
    CROWD
}

with_each_server!(a_thousand_come_at_once_and_go_at_once);

fn a_thousand_come_at_once_and_go_at_once(example: Example) {
    let crowd = crowd();
    // The clients answer nothing, for as long as it takes.
    let server = Server::start(example, &["--interval", "1s", "--timeout", "3600s"]);
    #[cfg(target_os = "linux")]
    let before = super::resources::Resources::of(&server);

    let mut streams: Vec<_> = (0..crowd).map(|_| server.dial()).collect();
    for stream in &mut streams {
        stream.write_all(REQUEST).unwrap();
    }
    let mut peers: Vec<_> = streams.into_iter().map(Peer::accepted).collect();
    eventually("all are online", || server.count("online") == crowd);
    for peer in &mut peers {
        peer.next_of(PING);
    }
    assert_eq!(server.count("offline"), 0);
    drop(peers);
    let lives = server.assert_proper_lives();
    assert_eq!(lives.len(), crowd);
    #[cfg(target_os = "linux")]
    before.wait_for(&server);
}

with_each_server!(a_thousand_that_never_finish_their_request_keep_nobody_out);

fn a_thousand_that_never_finish_their_request_keep_nobody_out(example: Example) {
    let server = Server::start(example, &[]);
    #[cfg(target_os = "linux")]
    let before = super::resources::Resources::of(&server);
    let mut half: Vec<_> = (0..crowd()).map(|_| server.dial()).collect();
    for stream in &mut half {
        stream.write_all(&REQUEST[..REQUEST.len() / 2]).unwrap();
    }
    let mut peer = server.peer();
    peer.write(&frame(TEXT, b"hello"));
    assert_eq!(peer.next_of(TEXT).1, b"hello");
    // `axum::serve` has no deadline for a request. The others allow ten seconds.
    if example != Example::Axum {
        for stream in &mut half {
            assert_let_go(stream);
        }
    }
    drop((half, peer));
    assert_eq!(server.assert_proper_lives().len(), 1);
    #[cfg(target_os = "linux")]
    before.wait_for(&server);
}
