//! What the process holds, and how much of a processor it takes.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use liveness::{Clock, Timestamp};

use super::{Example, Server};
use liveness_testing::eventually;
use liveness_testing::raw_peer::{Peer, TEXT, frame, millis, sleep};

/// What a process holds.
#[derive(Debug)]
pub(super) struct Resources {
    threads: u64,
    files: usize,
    kilobytes: u64,
}

impl Resources {
    pub(super) fn of(server: &Server) -> Self {
        let folder = format!("/proc/{}", server.child.id());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let files = fs::read_dir(format!("{folder}/fd")).unwrap().count();
        Self { threads: field("Threads:"), files, kilobytes: field("VmRSS:") }
    }

    /// Waits until the server holds no more threads and files than this.
    #[track_caller]
    pub(super) fn wait_for(&self, server: &Server) -> Self {
        let mut now = Self::of(server);
        eventually("threads and files are given back", || {
            now = Self::of(server);
            now.threads <= self.threads && now.files <= self.files
        });
        now
    }

    /// A second round of the same needs no more than what an allocator keeps.
    #[track_caller]
    pub(super) fn assert_memory_near(&self, earlier: &Self) {
        assert!(self.kilobytes < earlier.kilobytes + 24 * 1024, "{earlier:?}, then {self:?}");
    }
}

/// Processor time since the start, user's and system's.
fn processor_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
    // The name, in parentheses, may hold anything; after it, fields 14 and 15 are the twelfth and thirteenth.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    // A hundred ticks a second on every Linux that anyone runs.
    Duration::from_millis(ticks * 10)
}

/// The share of one processor that the server takes while this goes on.
fn share(server: &Server, act: impl FnOnce()) -> f64 {
    let clock = Clock::new();
    let before = processor_time(server);
    act();
    let took = clock.now().saturating_duration_since(Timestamp::ZERO);
    (processor_time(server) - before).as_secs_f64() / took.as_secs_f64()
}

with_each_server!(nothing_that_a_peer_does_or_leaves_undone_makes_the_server_spin);

fn nothing_that_a_peer_does_or_leaves_undone_makes_the_server_spin(example: Example) {
    let server = Server::start(example, &["--interval", "200ms", "--timeout", "2s"]);
    let mut shares = Vec::new();

    let idle: Vec<_> = (0..50).map(|_| server.peer()).collect();
    shares.push(("50 idle connections", share(&server, || sleep(millis(1500)))));
    drop(idle);

    let mut stuck: Vec<_> = (0..3).map(|_| server.peer()).collect();
    for peer in &mut stuck {
        peer.write(&frame(TEXT, b"flood 30000000"));
    }
    // The parts that fit into the kernel's buffers are copied first.
    sleep(millis(300));
    shares.push(("3 connections that never read", share(&server, || sleep(millis(1500)))));
    drop(stuck);

    let mut flooding: Vec<Peer<_>> = (0..2).map(|_| server.peer()).collect();
    let pings = frame(liveness_testing::raw_peer::PING, b"!").repeat(200);
    for peer in &mut flooding {
        peer.0.set_nonblocking(true).unwrap();
        let _ = peer.0.write_all(&pings);
    }
    eventually("they are refused", || {
        let refused = |life: &Vec<super::Change>| super::reason(life) == "ping-flood";
        server.lives().values().filter(|life| refused(life)).count() == 2
    });
    let flood = share(&server, || {
        let clock = Clock::new();
        while clock.now() < Timestamp::from_millis(1500) {
            for peer in &mut flooding {
                let _ = peer.0.write(&pings);
            }
            sleep(millis(1));
        }
    });
    shares.push(("2 floods after the verdict", flood));
    drop(flooding);

    let mut dribbling = server.peer();
    dribbling.write(&liveness_testing::raw_peer::header(
        liveness_testing::raw_peer::FIN | liveness_testing::raw_peer::BINARY,
        60_000_000,
    ));
    let trickle = share(&server, || {
        for _ in 0..300 {
            dribbling.write(&[0]);
            sleep(millis(5));
        }
    });
    shares.push(("a frame of 60 MB at 200 bytes a second", trickle));
    drop(dribbling);

    server.assert_proper_lives();
    println!("{shares:.3?}");
    for (what, share) in &shares {
        assert!(*share < 0.25, "{what}: {shares:?}");
    }
}
