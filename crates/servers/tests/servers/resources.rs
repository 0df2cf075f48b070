//! What a server's process holds, and how much it does.
//!
//! The tests check counts, so the speed of the machine does not matter. A server's threads sleep once for each thing that
//! happens, or for each rest that fits into the time. A flood is read in shares, with a rest after each share.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;

use liveness::{Clock, Timestamp};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use socket2::SockRef;

use super::{Example, Server, reason};
use liveness_testing::eventually;
use liveness_testing::raw_peer::{BINARY, FIN, PING, Peer, TEXT, close, frame, header, millis, sleep};

/// What a process holds.
#[derive(Debug)]
pub(super) struct Resources {
    threads: u64,
    files: usize,
    kilobytes: u64,
}

impl Resources {
    pub(super) fn of(server: &Server) -> Self {
        let folder = folder(server.child().unwrap());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Self { threads: field("Threads:"), files: files(server.child().unwrap()), kilobytes: field("VmRSS:") }
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

    /// A second round of the same needs no more memory, except what an allocator keeps.
    #[track_caller]
    pub(super) fn assert_memory_near(&self, earlier: &Self) {
        assert!(self.kilobytes < earlier.kilobytes + 24 * 1024, "{earlier:?}, then {self:?}");
    }
}

fn folder(child: &Child) -> String {
    format!("/proc/{}", child.id())
}

fn files(child: &Child) -> usize {
    fs::read_dir(format!("{}/fd", folder(child))).unwrap().count()
}

/// What a server has done during the looks.
#[derive(Debug)]
struct Work {
    /// How often its threads went to sleep. A thread that wakes needlessly counts each time.
    sleeps: u64,
    /// The number of looks in which no thread had anything to do. A thread that never sleeps is never seen asleep,
    /// however little of the processor it gets.
    asleep: u64,
    lasted: Duration,
}

impl Work {
    const LOOKS: u64 = 150;

    /// Acts before each look, with a rest between the two.
    fn of(server: &Server, act: impl FnMut(u64)) -> Self {
        Self::of_process(server.child().unwrap(), act)
    }

    fn of_process(server: &Child, mut act: impl FnMut(u64)) -> Self {
        let (clock, before) = (Clock::new(), sleeps(server));
        let mut asleep = 0;
        for look in 0..Self::LOOKS {
            act(look);
            sleep(millis(10));
            asleep += u64::from(is_asleep(server));
        }
        let lasted = clock.now().saturating_duration_since(Timestamp::ZERO);
        Self { sleeps: sleeps(server) - before, asleep, lasted }
    }

    #[track_caller]
    fn assert_calm(&self, what: &str, sleeps: u64) {
        println!("{what}: {self:?}, {sleeps} sleeps allowed");
        assert!(self.sleeps <= sleeps, "{what}: it wakes needlessly: {self:?}, {sleeps} allowed");
        assert!(self.asleep > Self::LOOKS / 10, "{what}: it spins: {self:?}");
    }
}

/// How many rests of this length fit into the time. A rest that has begun counts.
fn rests(time: Duration, rest: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(rest.as_nanos())).unwrap()
}

/// This file of each of the server's threads.
fn of_threads(server: &Child, file: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("{}/task", folder(server))).unwrap();
    // A thread may have ended meanwhile.
    tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join(file)).ok()).collect()
}

/// Context switches that the threads asked for.
fn sleeps(server: &Child) -> u64 {
    let of_thread = |status: &String| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    of_threads(server, "status").iter().map(of_thread).sum()
}

/// True if no thread runs, and none would run if there were a free processor.
fn is_asleep(server: &Child) -> bool {
    // The name, in parentheses, may hold anything. The state comes after it.
    !of_threads(server, "stat").iter().any(|stat| stat.rsplit(')').next().unwrap().starts_with(" R"))
}

/// In these tests no peer is given up except for what it does, and no connection ends except at its peer's end.
const PATIENT: [&str; 6] = ["--interval", "200ms", "--timeout", "3600s", "--close-timeout", "3600s"];

with_each_server!(
    what_waits_costs_a_turn_for_each_thing_that_happens,
    a_flood_after_the_verdict_is_taken_by_shares,
    the_end_is_found_behind_a_flood_after_the_verdict
);

fn what_waits_costs_a_turn_for_each_thing_that_happens(example: Example) {
    let server = Server::start(example, &PATIENT);
    let mut idle: Vec<_> = (0..50).map(|_| server.peer()).collect();
    let work = Work::of(&server, |_| ());
    let mut pings = 0;
    eventually("they are pinged", || {
        pings += idle.iter_mut().map(new_pings).sum::<u64>();
        pings >= 50
    });
    work.assert_calm("50 idle connections", 4 * pings + 100);

    let server = Server::start(example, &PATIENT);
    let silent: Vec<_> = (0..3).map(|_| server.dial()).collect();
    Work::of(&server, |_| ()).assert_calm("3 clients that open no WebSocket", 100);
    drop(silent);

    let server = Server::start(example, &PATIENT);
    let mut stuck: Vec<_> = (0..3).map(|_| server.peer()).collect();
    for peer in &mut stuck {
        peer.write(&frame(TEXT, b"flood 30000000"));
    }
    eventually("the kernel's buffers are full", || {
        (0..10).all(|_| {
            sleep(millis(10));
            is_asleep(server.child().unwrap())
        })
    });
    let work = Work::of(&server, |_| ());
    // The blocking driver looks every 5 ms at most: whether there is room again, and whether anything has come.
    let looks = if example == Example::Blocking { 3 * 2 * rests(work.lasted, millis(5)) } else { 0 };
    work.assert_calm("3 connections that never read", looks + 100);

    let server = Server::start(example, &PATIENT);
    let mut dribbling = server.peer();
    dribbling.write(&header(FIN | BINARY, 60_000_000));
    let mut dribbled = 0;
    let work = Work::of(&server, |look| {
        if look % 3 == 0 {
            dribbling.write(&[0]);
            dribbled += 1;
        }
    });
    work.assert_calm("a frame that dribbles", 4 * (dribbled + new_pings(&mut dribbling)) + 100);
}

with_each_server!(a_server_without_a_free_file_rests);

#[test]
fn the_shortest_loop_without_a_free_file_rests() {
    a_server_without_a_free_file_rests(Example::Poll);
}

/// It serves the next client when there is a file again.
fn a_server_without_a_free_file_rests(example: Example) {
    let server = Server::start(example, &PATIENT);
    assert_rests_without_files(server.child().unwrap(), server.dial().peer_addr().unwrap());
    server.peer();
}

/// More clients come than the process has files for, and then leave.
pub(super) fn assert_rests_without_files(server: &Child, address: SocketAddr) {
    let few = Some(files(server) as u64 + 5);
    prlimit(Some(Pid::from_child(server)), Resource::Nofile, Rlimit { current: few, maximum: few }).unwrap();
    let clients: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    let work = Work::of_process(server, |_| ());
    // It tries again every 10 ms, in one of its threads.
    work.assert_calm("no free file", 4 * rests(work.lasted, millis(10)) + 100);
    drop(clients);
}

/// How many pings have come since the last call. The server sends nothing else.
fn new_pings(peer: &mut Peer<TcpStream>) -> u64 {
    const LEN: usize = 2 + 8;
    peer.0.set_nonblocking(true).unwrap();
    let mut pings = Vec::new();
    let error = peer.0.read_to_end(&mut pings).unwrap_err();
    assert_eq!((error.kind(), pings.len() % LEN), (ErrorKind::WouldBlock, 0));
    assert!(pings.chunks(LEN).all(|ping| ping[..2] == [FIN | PING, 8]));
    (pings.len() / LEN) as u64
}

/// A peer that is refused because of its pings.
fn refused(server: &Server) -> Peer<TcpStream> {
    let refused = || server.lives().values().filter(|life| reason(life) == "ping-flood").count();
    let before = refused();
    let mut peer = server.peer();
    peer.write(&frame(PING, b"!").repeat(200));
    eventually("it is refused", || refused() > before);
    peer
}

/// The servers read this many frames of a peer that goes on flooding, and then rest for this long.
const SHARE: u64 = 64;
const REST: Duration = millis(5);
/// What a library reads ahead, and what moves during a look.
const READ_AHEAD: u64 = 64 * 1024;

/// The flooders write whatever their sockets take, and measure how much the server has taken so far. A rest has a least
/// length, so the server can take only so much in a given time, on any machine.
fn a_flood_after_the_verdict_is_taken_by_shares(example: Example) {
    let server = Server::start(example, &PATIENT);
    let mut flooders = [(); 2].map(|()| Flooder::new(refused(&server)));
    let clock = Clock::new();
    let mut looks = Vec::new();
    while clock.now() < Timestamp::from_millis(1500) {
        flooders.iter_mut().for_each(Flooder::write_what_fits);
        let taken: u64 = flooders.iter().map(Flooder::taken).sum();
        let shares = rests(clock.now().saturating_duration_since(Timestamp::ZERO), REST) + 1;
        // Twice for two flooders, and once more times two as a margin.
        looks.push((taken, 2 * 2 * (shares * SHARE * PING_LEN + READ_AHEAD)));
        sleep(millis(1));
    }
    println!("{:?} bytes taken and allowed", looks.last().unwrap());
    assert!(flooders.iter().all(|flooder| flooder.held_back), "a socket took everything");
    for (taken, allowed) in looks {
        assert!(taken <= allowed, "{taken} bytes taken, {allowed} allowed");
    }
}

const PING_LEN: u64 = 2 + 4 + 1;

struct Flooder {
    peer: Peer<TcpStream>,
    pings: Vec<u8>,
    written: usize,
    /// Its socket has refused to take more.
    held_back: bool,
}

impl Flooder {
    fn new(peer: Peer<TcpStream>) -> Self {
        peer.0.set_nonblocking(true).unwrap();
        SockRef::from(&peer.0).set_send_buffer_size(16 * 1024).unwrap();
        Self { peer, pings: frame(PING, b"!").repeat(200), written: 0, held_back: false }
    }

    fn write_what_fits(&mut self) {
        // A bound on the loop, because the server may be as quick as we are.
        for _ in 0..1000 {
            // Go on where the last write ended, perhaps inside a frame.
            match self.peer.0.write(&self.pings[self.written % self.pings.len()..]) {
                Ok(count) => self.written += count,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    self.held_back = true;
                    return;
                }
            }
        }
    }

    /// Bytes that the server has read. It may be fewer: an acknowledgement may be on its way.
    fn taken(&self) -> u64 {
        (self.written as u64).saturating_sub(unread(&self.peer.0))
    }
}

/// The end is behind so many messages that a rest after each would take minutes. A rest after each share takes two
/// seconds.
fn the_end_is_found_behind_a_flood_after_the_verdict(example: Example) {
    let server = Server::start(example, &PATIENT);
    // The blocking driver does rest after each message.
    let messages = if example == Example::Blocking { 1000 } else { 20_000 };
    for with_a_close in [true, false] {
        let before = server.count("disconnect");
        let mut peer = refused(&server);
        peer.write(&frame(PING, b"!").repeat(messages));
        if with_a_close {
            peer.write(&close(1000, ""));
        } else {
            peer.0.shutdown(Shutdown::Write).unwrap();
        }
        eventually("the connection ends", || server.count("disconnect") > before);
    }
    server.assert_proper_lives();
}

/// Bytes of a connection that are in the kernel: sent but not arrived, or arrived but not read.
fn unread(stream: &TcpStream) -> u64 {
    let (ours, theirs) = (stream.local_addr().unwrap().port(), stream.peer_addr().unwrap().port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    // `sl local_address rem_address st tx_queue:rx_queue`, all in hexadecimal.
    let lines = table.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).unwrap();
        let (sent, arrived) = fields[4].split_once(':').unwrap();
        let bytes = |queue| u64::from_str_radix(queue, 16).unwrap();
        ((port(fields[1]), port(fields[2])), bytes(sent), bytes(arrived))
    });
    lines.fold(0, |sum, (ports, sent, arrived)| match ports {
        ports if ports == (ours, theirs) => sum + sent,
        ports if ports == (theirs, ours) => sum + arrived,
        _ => sum,
    })
}
