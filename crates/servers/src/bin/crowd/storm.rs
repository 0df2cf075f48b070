//! Most of the crowd breaks in every way, comes back, and breaks again. A fifth of it lives on, and none of that fifth
//! may be lost.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use fastrand::Rng;
use futures_util::{SinkExt, StreamExt};
use liveness::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;

use crate::server::Server;
use crate::{Args, Failure, dial};

/// One client in this many behaves well to the end.
const LIVES: usize = 5;

/// How long a connection behaves well before it breaks: seconds, at most.
const GOOD: f64 = 20.0;

/// Added to the bound for a dead peer, because the machine is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client's ping without a payload. Its mask is zero.
const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];

/// The head of a client's text of 30 bytes.
const TEXT_OF_30: [u8; 6] = [0x81, 0x80 | 30, 0, 0, 0, 0];

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It reads nothing more, and sends nothing more.
    Freeze,
    /// The same, while a download is on its way.
    FreezeInADownload,
    Reset,
    FloodPings,
    /// It sends a byte of one frame each second, and no pong. It is alive.
    Drip,
    /// It ends its half of the stream, and keeps the other half.
    HalfClose,
    Leave,
}

const FAULTS: [Fault; 7] = [
    Fault::Freeze,
    Fault::FreezeInADownload,
    Fault::Reset,
    Fault::FloodPings,
    Fault::Drip,
    Fault::HalfClose,
    Fault::Leave,
];

#[derive(Default)]
struct Seen {
    connections: AtomicU64,
    /// Ended by the server although the peer was alive.
    lost: AtomicU64,
    /// Broken, and ended by the server.
    found: AtomicU64,
    /// Broken, and still there when the time was up.
    kept: AtomicU64,
}

struct Storm {
    address: SocketAddr,
    ends_at: Instant,
    /// The server ends a dead peer's connection within this time.
    bound: Duration,
    handshakes: Semaphore,
    seen: Seen,
}

/// One server's row. True if no live peer was lost, no dead one was kept, the server has as many files as before, and its
/// memory does not grow.
pub(crate) async fn trial(name: &str, args: &Args, lasts: Duration) -> Result<bool, Failure> {
    let server = Server::start(name, args)?;
    // Once the server serves a client, it has opened all its own files. That client's file is one more.
    let first = connect(server.address, 0).await?;
    let files = server.files()? - 1;
    leave(first).await;
    let config = Config::builder().interval(Duration::from_secs(args.interval));
    let config = config.timeout(Duration::from_secs(args.timeout)).build()?.for_drivers();
    let bound = config.detection_bound(Duration::from_secs(1)) + config.close_timeout();
    let (storm, most) =
        tokio::join!(live(&server, args.clients, lasts, bound, files), most_kib(&server, lasts));
    let Seen { connections, lost, found, kept } = &storm?.seen;
    let [connections, lost, found, kept] =
        [connections, lost, found, kept].map(|number| number.load(Relaxed));
    let (left, after) = (server.files()?, server.resident_kib()?);
    println!(
        "{name}: {connections} connections in {} s; of the live {lost} lost; of the dead {found} found, {kept} kept; \
         files {files} before, {left} after; MiB at most {} in the first half, {} in the second, {} after",
        lasts.as_secs(),
        most[0] >> 10,
        most[1] >> 10,
        after >> 10,
    );
    // The allocator keeps some memory that was freed. A leak would show in the peaks.
    let leaks = most[1] > most[0] + most[0] / 10;
    Ok(lost == 0 && found > 0 && kept == 0 && left == files && !leaks)
}

/// The peak of each half of the time.
async fn most_kib(server: &Server, lasts: Duration) -> [u64; 2] {
    let (start, mut most) = (Instant::now(), [0; 2]);
    while start.elapsed() < lasts {
        let half = usize::from(start.elapsed() > lasts / 2);
        most[half] = server.resident_kib().unwrap_or(0).max(most[half]);
        sleep(Duration::from_secs(1)).await;
    }
    most
}

/// Runs all clients, until they have left and the server has closed their files.
async fn live(
    server: &Server,
    clients: usize,
    lasts: Duration,
    bound: Duration,
    files: usize,
) -> Result<Arc<Storm>, Failure> {
    let storm = Arc::new(Storm {
        address: server.address,
        ends_at: Instant::now() + lasts,
        bound,
        handshakes: Semaphore::new(200),
        seen: Seen::default(),
    });
    let mut all = JoinSet::new();
    for number in 0..clients {
        let (storm, mut rng) = (Arc::clone(&storm), Rng::with_seed(number as u64));
        all.spawn(async move {
            sleep(Duration::from_secs_f64(5.0 * rng.f64())).await;
            if number % LIVES == 0 {
                return storm.live_on(number, &mut rng).await;
            }
            while Instant::now() < storm.ends_at {
                storm.break_once(number, &mut rng).await?;
            }
            Ok(())
        });
    }
    while let Some(client) = all.join_next().await {
        client??;
    }
    let until = Instant::now() + bound + PATIENCE;
    while server.files()? > files && Instant::now() < until {
        sleep(Duration::from_millis(100)).await;
    }
    Ok(storm)
}

type Socket = WebSocketStream<TcpStream>;

impl Storm {
    async fn connect(&self, number: usize) -> Result<Socket, String> {
        let _turn = self.handshakes.acquire().await.map_err(|error| error.to_string())?;
        let socket = connect(self.address, number).await?;
        self.seen.connections.fetch_add(1, Relaxed);
        Ok(socket)
    }

    /// Answers pings, sends something now and then, and closes at the end.
    async fn live_on(&self, number: usize, rng: &mut Rng) -> Result<(), String> {
        let mut socket = self.connect(number).await?;
        if self.behave(&mut socket, self.ends_at, rng).await {
            leave(socket).await;
        }
        Ok(())
    }

    /// Behaves well until this time. False if the server ended the connection; then it is counted as lost.
    async fn behave(&self, socket: &mut Socket, until: Instant, rng: &mut Rng) -> bool {
        let mut speaks_at = Instant::now() + Duration::from_secs_f64(30.0 * rng.f64());
        loop {
            match timeout_at(until.min(speaks_at), socket.next()).await {
                Err(_) if Instant::now() >= until => return true,
                Err(_) => {
                    speaks_at += Duration::from_secs_f64(1.0 + 30.0 * rng.f64());
                    if socket.send(Message::text("still here")).await.is_err() {
                        break;
                    }
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => break,
                Ok(Some(Ok(_))) => {}
            }
        }
        self.seen.lost.fetch_add(1, Relaxed);
        false
    }

    async fn break_once(&self, number: usize, rng: &mut Rng) -> Result<(), String> {
        let mut socket = self.connect(number).await?;
        let good = Instant::now() + Duration::from_secs_f64(GOOD * rng.f64());
        if !self.behave(&mut socket, good, rng).await {
            return Ok(());
        }
        let frozen = Instant::now() + self.bound;
        let (fault, stream) = (FAULTS[rng.usize(..FAULTS.len())], socket.get_mut());
        match fault {
            Fault::Freeze => sleep_until(frozen).await,
            Fault::FreezeInADownload => {
                if socket.send(Message::text("flood 1000000")).await.is_ok() {
                    sleep_until(frozen).await;
                }
            }
            // A reset leaves nothing that could see what the server does.
            Fault::Reset => return socket.get_ref().set_zero_linger().map_err(|error| error.to_string()),
            Fault::FloodPings => flood(stream, frozen).await,
            Fault::Drip => {
                if drip(stream).await.is_err() {
                    self.seen.lost.fetch_add(1, Relaxed);
                }
                leave(socket).await;
                return Ok(());
            }
            Fault::HalfClose => drop(stream.shutdown().await),
            Fault::Leave => {
                leave(socket).await;
                return Ok(());
            }
        }
        if timeout_at(frozen + PATIENCE, drain(socket.get_mut())).await.is_ok() {
            self.seen.found.fetch_add(1, Relaxed);
            return Ok(());
        }
        self.seen.kept.fetch_add(1, Relaxed);
        // Say which fault it was, and whether more time would have helped.
        let port = socket.get_ref().local_addr().map_or(0, |address| address.port());
        let ended = timeout(self.bound + PATIENCE, drain(socket.get_mut())).await.is_ok();
        let late = Instant::now().saturating_duration_since(frozen);
        eprintln!(
            "{fault:?} from port {port}: {} after {late:.0?} more",
            if ended { "let go" } else { "still kept" }
        );
        Ok(())
    }
}

async fn connect(address: SocketAddr, number: usize) -> Result<Socket, String> {
    let stream = dial(address, number).await.map_err(|error| error.to_string())?;
    let opened = tokio_tungstenite::client_async("ws://localhost/", stream).await;
    opened.map(|(socket, _)| socket).map_err(|error| error.to_string())
}

/// The closing handshake, or the part of it that the server takes part in.
async fn leave(mut socket: Socket) {
    let _ = socket.close(None).await;
    let _ = timeout(PATIENCE, async { while let Some(Ok(_)) = socket.next().await {} }).await;
}

/// Reads until the server has ended the connection.
async fn drain(stream: &mut TcpStream) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(1..) = stream.read(&mut bytes).await {}
}

/// Sends pings until the server takes no more.
async fn flood(stream: &mut TcpStream, until: Instant) {
    let pings = PING.repeat(200);
    let mut bytes = [0; 4096];
    while let Ok(Ok(())) = timeout_at(until, stream.write_all(&pings)).await {
        while let Ok(1..) = stream.try_read(&mut bytes) {}
        sleep(Duration::from_millis(100)).await;
    }
}

/// Fails if the server ends the connection meanwhile.
async fn drip(stream: &mut TcpStream) -> io::Result<()> {
    let mut bytes = [0; 4096];
    for byte in TEXT_OF_30.into_iter().chain([b'x'; 30]) {
        stream.write_all(&[byte]).await?;
        sleep(Duration::from_secs(1)).await;
        // Pings are read, but not answered.
        match stream.try_read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}
