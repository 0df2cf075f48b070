//! Peers that live, whatever else they do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use liveness::driver::tungstenite::{BlockingSocket, accept};
use liveness::{Config, Evidence, Schedule};
use socket2::SockRef;
use tungstenite::Message;

use liveness_testing::host::{Host, LONGER, Watched, answer_pings, brisk, leave, outlasted, reader};
use liveness_testing::raw_peer::{
    BINARY, CONTINUATION, FIN, PING, PONG, Peer, TEXT, close, frame, header, millis, part, sleep,
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

#[test]
fn an_idle_peer_that_answers_lives_through_many_intervals() {
    let host = reader(brisk().build_const());
    let mut client = host.client();
    answer_pings(&mut client, 8);
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert!(life.stats.answers >= 8 && life.stats.answers >= life.stats.pings - 1, "{life:?}");
    assert!(life.rtt.is_some());
}

/// Counts how often it is read.
struct CountsReads(TcpStream, Arc<AtomicUsize>);

impl Read for CountsReads {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read(buffer)
    }
}

impl Write for CountsReads {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl BlockingSocket for CountsReads {
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(nonblocking)
    }
    fn wait(&self, read: bool, write: bool, timeout: Option<Duration>) -> io::Result<bool> {
        self.0.wait(read, write, timeout)
    }
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }
}

/// One read before the ping, which an unread answer might make needless, and one for the answer.
#[test]
fn a_heartbeat_of_an_idle_peer_reads_twice() {
    let host = Host::open(|stream| {
        let reads = Arc::new(AtomicUsize::new(0));
        let socket = accept(CountsReads(stream, Arc::clone(&reads)), brisk().build_const()).unwrap();
        let opening = reads.load(Ordering::Relaxed);
        let life = Watched::new(socket).life();
        (life, reads.load(Ordering::Relaxed) - opening)
    });
    let mut client = host.client();
    answer_pings(&mut client, 20);
    leave(client);
    let (life, reads) = host.join();
    life.assert_closed_by_peer();
    // And one for each of: the first look, the Close, the end.
    assert!(reads <= 2 * life.stats.pings as usize + 4, "{reads} reads, {life:?}");
}

#[test]
fn an_idle_peer_lives_where_only_pongs_count() {
    let host = reader(brisk().evidence(Evidence::PongOnly).schedule(Schedule::Steady).build_const());
    let mut client = host.client();
    answer_pings(&mut client, 8);
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert!(life.stats.answers >= 8, "{life:?}");
}

/// One frame that takes longer than the timeout. No pong can be sent inside it.
#[test]
fn one_huge_frame_that_dribbles_keeps_its_sender_alive() {
    let host = reader(outlasted().build_const());
    let mut peer = host.peer();
    peer.write(&header(FIN | BINARY, 4 * MIB as u64));
    for _ in 0..64 {
        peer.write(&vec![7; 64 * KIB]);
        sleep(LONGER / 64);
    }
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, [Message::binary(vec![7; 4 * MIB])]);
    assert!(life.lasted >= LONGER, "{life:?}");
    assert_eq!(life.stats.answers, 0);
}

/// Little arrives, but something does.
#[test]
fn a_frame_that_trickles_byte_by_byte_keeps_its_sender_alive() {
    let host = reader(outlasted().build_const());
    let mut peer = host.peer();
    for byte in frame(TEXT, b"slow") {
        peer.write(&[byte]);
        sleep(LONGER / 10);
    }
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, [Message::text("slow")]);
}

/// Each read ends somewhere inside a frame, inside its header, or between two frames.
#[test]
fn frames_in_any_pieces_arrive_whole() {
    let host = reader(brisk().build_const());
    let mut peer = host.peer();
    let frames: Vec<Vec<u8>> =
        (0..20).map(|number| frame(BINARY, &vec![number; 50 * usize::from(number)])).collect();
    for (number, piece) in frames.concat().chunks(331).enumerate() {
        peer.write(piece);
        sleep(millis(if number % 4 == 0 { 15 } else { 1 }));
    }
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    let sent: Vec<Message> =
        (0..20).map(|number| Message::binary(vec![number; 50 * usize::from(number)])).collect();
    assert_eq!(life.messages, sent);
}

#[test]
fn fragments_with_a_ping_between_them_are_one_message_and_the_ping_is_answered() {
    let host = reader(brisk().build_const());
    let mut peer = host.peer();
    for piece in
        [part(TEXT, b"one "), frame(PING, b"now?"), part(CONTINUATION, b"message"), frame(CONTINUATION, b"")]
    {
        peer.write(&piece);
        sleep(millis(20));
    }
    assert_eq!(peer.next_of(PONG).1, b"now?");
    peer.write(&close(1000, ""));
    assert_eq!(host.join().messages, [Message::text("one message")]);
}

#[test]
fn an_answer_that_is_late_but_in_time_is_an_answer() {
    // An answer to a ping that is not the newest is no sample. So the next ping must not go out before it.
    const CONFIG: Config =
        brisk().interval(millis(2000)).evidence(Evidence::PongOnly).schedule(Schedule::Steady).build_const();
    let host = reader(CONFIG);
    let mut peer = host.peer();
    for _ in 0..3 {
        let (_, payload) = peer.next_of(PING);
        sleep(millis(400));
        peer.write(&frame(PONG, &payload));
    }
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.stats.answers, 3, "{life:?}");
    assert!(life.rtt.unwrap().min >= millis(390), "{life:?}");
}

#[test]
fn talk_is_a_sign_of_life_where_any_traffic_counts() {
    let host = reader(outlasted().build_const());
    let mut peer = host.peer();
    for _ in 0..10 {
        peer.write(&frame(TEXT, b"nice weather"));
        sleep(LONGER / 10);
    }
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!((life.messages.len(), life.stats.answers), (10, 0), "{life:?}");
}

/// A download that takes longer than the timeout. The ping waits behind it, and the peer cannot answer what it has not
/// read.
#[test]
fn a_slow_reader_of_a_large_download_lives() {
    let host = Host::open(|stream| {
        // What the kernel holds when the ping goes out must be read within the timeout, so the buffer is small.
        SockRef::from(&stream).set_send_buffer_size(64 * KIB).unwrap();
        let mut watched = Watched::new(accept(stream, outlasted().build_const()).unwrap());
        // The peer may have closed by the time this is sent.
        let _ = watched.socket.send(Message::binary(vec![0; DOWNLOAD]));
        watched.life()
    });
    let stream = host.dial();
    SockRef::from(&stream).set_recv_buffer_size(64 * KIB).unwrap();
    let mut peer = Peer::shake_hands(Paced(stream));
    assert_eq!(peer.next_of(BINARY).1.len(), DOWNLOAD);
    let (_, payload) = peer.next_of(PING);
    peer.write(&frame(PONG, &payload));
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert!(life.lasted >= LONGER, "{life:?}");
}

const DOWNLOAD: usize = 16 * MIB;

/// Reads a download in `LONGER`.
struct Paced(TcpStream);

impl Read for Paced {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(64 * KIB);
        let count = self.0.read(&mut buffer[..most])?;
        sleep(LONGER.mul_f64(count as f64 / DOWNLOAD as f64));
        Ok(count)
    }
}

impl Write for Paced {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
