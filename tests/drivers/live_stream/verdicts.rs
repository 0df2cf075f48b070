//! Who learns a verdict, and when; and what is still done after it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::{FutureExt, SinkExt, StreamExt};
use liveness::Reason;
use liveness::driver::tokio::{Counted, Error, LiveStream};
use liveness::session::Role;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex, split};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::{Role as WsRole, WebSocketConfig};

use super::support::{SECOND, config, over_bytes, pair, reason, watched};
use liveness_testing::raw_peer::{BINARY, PING, frame};

#[tokio::test(start_paused = true)]
async fn the_reader_is_told_at_the_verdict_and_the_closing_goes_on() {
    let (mut live, client, told) = pair(config(), 1024).await;
    let start = Instant::now();
    assert_eq!(reason(live.next().await), Reason::PingTimeout);
    assert!(start.elapsed() < 16 * SECOND, "{:?}", start.elapsed());
    assert!(!told.lock().unwrap().contains(&liveness::Action::Disconnect));
    assert!(live.next().await.is_none());
    assert!(start.elapsed() > 20 * SECOND, "{:?}", start.elapsed());
    assert!(told.lock().unwrap().contains(&liveness::Action::Disconnect));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_is_told_at_the_verdict() {
    let (mut live, _theirs) = over_bytes(config(), 64, None).await;
    let start = Instant::now();
    let end = live.send(Message::binary(vec![0; 1000])).await.unwrap_err();
    assert_eq!(end.reason(), Some(Reason::WriteStalled));
    assert!(start.elapsed() < 16 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_handed_out_after_an_error() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    assert_eq!(reason(live.next().await), Reason::PingTimeout);
    // It was only asleep, and does not know.
    client.send(Message::text("good morning")).await.unwrap();
    assert!(live.next().await.is_none());
}

/// A caller that waits to read, and one that waits to write.
#[tokio::test(start_paused = true)]
async fn both_halves_are_told_at_the_verdict() {
    let (live, _theirs) = over_bytes(config(), 64, None).await;
    let (mut sink, mut stream) = live.split();
    let start = Instant::now();
    let (sent, read) = tokio::join!(sink.send(Message::binary(vec![0; 1000])), stream.next());
    assert_eq!(sent.unwrap_err().reason(), Some(Reason::WriteStalled));
    assert_eq!(reason(read), Reason::WriteStalled);
    assert!(start.elapsed() < 16 * SECOND, "{:?}", start.elapsed());
}

/// It takes nothing more; then it asks and asks. None of that is kept as an answer that nobody takes.
#[tokio::test(start_paused = true)]
async fn pings_after_a_stalled_write_pile_up_no_answers() {
    let (mut live, theirs) = over_bytes(config(), 1024, None).await;
    let (_from_us, mut to_us) = split(theirs);
    let end = live.send(Message::binary(vec![0; 10_000])).await.unwrap_err();
    assert_eq!(end.reason(), Some(Reason::WriteStalled));
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while to_us.write_all(&frame(PING, &[b'?'; 125])).await.is_ok() {
            count.fetch_add(1, Relaxed);
        }
    });
    while live.next().await.is_some() {}
    let asked = asked.load(Relaxed);
    // What fits into the pipe, and into the library's buffer.
    assert!(asked <= 64 + 2 * (1024 / 131 + 1), "{asked} pings were read, and as many answers are kept");
}

/// Counts how often it is shut.
struct Shut<T>(T, Arc<AtomicU32>);

impl<T: AsyncRead + Unpin> AsyncRead for Shut<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Shut<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.1.fetch_add(1, Relaxed);
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Under TLS this is the `close_notify`: without it the peer sees a connection that was cut.
#[tokio::test(start_paused = true)]
async fn a_transport_is_shut_and_not_only_dropped() {
    for (role, ws_role, theirs_role) in
        [(Role::Server, WsRole::Server, WsRole::Client), (Role::Client, WsRole::Client, WsRole::Server)]
    {
        for we_close in [true, false] {
            let (ours, theirs) = duplex(1024);
            let shut = Arc::new(AtomicU32::new(0));
            let ours = WebSocketStream::from_raw_socket(Shut(ours, Arc::clone(&shut)), ws_role, None).await;
            let mut peer = WebSocketStream::from_raw_socket(theirs, theirs_role, None).await;
            let mut live = LiveStream::new(ours, config()).role(role);
            let peer = tokio::spawn(async move {
                if !we_close {
                    peer.close(None).await.unwrap();
                }
                while peer.next().await.is_some() {}
                peer.get_mut().shutdown().await.unwrap();
            });
            if we_close {
                SinkExt::close(&mut live).await.unwrap();
            }
            assert!(live.next().await.is_none());
            assert!(shut.load(Relaxed) > 0, "{role:?}, {we_close}");
            peer.await.unwrap();
        }
    }
}

/// Rings when the task is woken whose waker it is.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// A transport whose reader is never woken, and whose writer fails: a connection that HTTP/2's streams share, say.
struct Failing(DuplexStream);

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Failing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_held_back_from_the_streams_own_library_alone() {
    let (ours, _theirs) = duplex(64);
    let mut shared = Counted::new(Failing(ours));
    let (inner, mut inner_theirs) = duplex(64);
    let socket = WebSocketStream::from_raw_socket(inner, WsRole::Server, None).await;
    // It counts another connection's bytes, as one of several streams of a connection does.
    let mut live = LiveStream::new(socket, config()).counted(shared.counters().clone());
    assert!(timeout(SECOND, live.next()).await.is_err());
    let written = shared.write_all(b"a frame of another stream").now_or_never().expect("it hangs");
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    inner_theirs.write_all(b"\x82\x81\0\0\0\0x").await.unwrap();
    assert!(live.next().await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_held_back_is_the_cause_of_the_end() {
    let (ours, mut theirs) = duplex(64);
    let mut live = watched(Failing(ours), config(), None).await;
    // The library's write fails, and it is told to wait, so that it reads on.
    theirs.write_all(b"\x82\x81\0\0\0\0x").await.unwrap();
    assert!(live.feed(Message::text("?")).now_or_never().unwrap().is_ok());
    let flushed = live.flush().now_or_never().expect("it hangs");
    let Err(Error::Offline { reason: Reason::TransportClosed, cause: Some(cause) }) = flushed else {
        panic!("{flushed:?}")
    };
    assert!(cause.to_string().contains("reset"), "{cause}");
    assert!(live.next().await.unwrap().unwrap().is_binary());
    assert_eq!(reason(live.next().await), Reason::TransportClosed);
    assert!(live.next().await.is_none());
}

/// A transport that somebody else writes to as well.
#[derive(Clone)]
struct Shared(Arc<Mutex<Counted<Failing>>>);

impl Shared {
    fn with<R>(&self, call: impl FnOnce(Pin<&mut Counted<Failing>>) -> R) -> R {
        call(Pin::new(&mut self.0.lock().unwrap()))
    }
}

impl AsyncRead for Shared {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|transport| transport.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|transport| transport.poll_write(cx, bytes))
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|transport| transport.poll_flush(cx))
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|transport| transport.poll_shutdown(cx))
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_held_back_is_told_to_others_when_the_stream_has_read_all() {
    let (ours, mut theirs) = duplex(64);
    let shared = Shared(Arc::new(Mutex::new(Counted::new(Failing(ours)))));
    let counters = shared.with(|transport| transport.counters().clone());
    let socket = WebSocketStream::from_raw_socket(shared.clone(), WsRole::Server, None).await;
    let mut live = LiveStream::new(socket, config()).counted(counters);
    let frames = [frame(PING, b"?"), frame(BINARY, b"one"), frame(BINARY, b"two"), frame(BINARY, b"three")];
    theirs.write_all(&frames.concat()).await.unwrap();
    // The answer cannot be written. The messages behind it are still to be read.
    for _ in 0..2 {
        assert!(live.next().now_or_never().unwrap().unwrap().unwrap().is_binary());
    }
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let write = || shared.with(|transport| transport.poll_write(&mut Context::from_waker(&waker), b"x"));
    assert!(write().is_pending());
    assert!(!bell.0.load(Relaxed));
    drop(live);
    assert!(bell.0.load(Relaxed), "it hangs");
    for _ in 0..2 {
        let Poll::Ready(Err(error)) = write() else { panic!("no error") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

/// A peer that breaks the protocol may be told in time: the transport is read on while somebody polls.
#[tokio::test(start_paused = true)]
async fn after_a_violation_the_peer_hears_the_close_and_we_hear_it_hang_up() {
    let (mut live, mut theirs) = over_bytes(config(), 64, None).await;
    let peer = tokio::spawn(async move {
        theirs.write_all(b"\x82\x01x").await.unwrap();
        theirs.write_all(&[0; 10_000]).await.unwrap();
        let mut found = Vec::new();
        theirs.read_to_end(&mut found).await.unwrap();
        sleep(SECOND).await;
        found
    });
    let start = Instant::now();
    assert!(matches!(reason(live.next().await), Reason::ProtocolError(_)));
    assert!(start.elapsed() < SECOND);
    assert!(live.next().await.is_none());
    assert!(start.elapsed() < 3 * SECOND, "the peer hung up, and nobody waited for close_timeout");
    assert_eq!(peer.await.unwrap()[..1], [0x88]);
}

/// A socket that is closed with something unread in it is reset, and what the peer was told may be lost.
#[tokio::test(start_paused = true)]
async fn what_lies_unread_is_read_away_when_a_stream_is_dropped() {
    let (ours, mut theirs) = duplex(64 << 10);
    let ours = Counted::new(ours);
    let counters = ours.counters().clone();
    let settings = WebSocketConfig::default().read_buffer_size(64);
    let socket = WebSocketStream::from_raw_socket(ours, WsRole::Server, Some(settings)).await;
    let mut live = LiveStream::new(socket, config()).counted(counters.clone());
    theirs.write_all(b"\x82\x01x").await.unwrap();
    theirs.write_all(&[0; 10_000]).await.unwrap();
    assert!(matches!(reason(live.next().await), Reason::ProtocolError(_)));
    assert!(counters.received() < 1000, "{}", counters.received());
    drop(live);
    assert_eq!(counters.received(), 10_003);
}
