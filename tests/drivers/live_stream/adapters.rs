//! Other libraries: an adapter of the user's, two halves with two errors, a library that answers nothing, bytes told by hand,
//! another runtime's timer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Sink, SinkExt, Stream, StreamExt, sink, stream};
use liveness::driver::tokio::{
    Adapter, ByteCounters, Counted, Error, Joined, LiveStream, MessageKind, Timer,
};
use liveness::session::{Limits, Role};
use liveness::{Clock, CloseCode, Config, Reason, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::support::{SECOND, config};

/// The message of some library that has nothing to do with tungstenite.
#[derive(Clone, Debug, PartialEq)]
enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// It answers nothing by itself.
struct Bare;

impl<S> Adapter<S> for Bare {
    type Message = Frame;
    const ANSWERS: bool = false;
    fn kind(frame: &Frame) -> MessageKind<'_> {
        match frame {
            Frame::Text(text) => MessageKind::Text(text),
            Frame::Binary(bytes) => MessageKind::Binary(bytes),
            Frame::Ping(payload) => MessageKind::Ping(payload),
            Frame::Pong(payload) => MessageKind::Pong(payload),
            Frame::Close(close) => {
                MessageKind::Close(close.as_ref().map(|(code, text)| (*code, text.as_str())))
            }
        }
    }
    fn ping(payload: &[u8]) -> Frame {
        Frame::Ping(payload.to_vec())
    }
    fn pong(payload: &[u8]) -> Option<Frame> {
        Some(Frame::Pong(payload.to_vec()))
    }
    fn text(text: String) -> Frame {
        Frame::Text(text)
    }
    fn binary(bytes: Vec<u8>) -> Frame {
        Frame::Binary(bytes)
    }
    fn close(code: Option<CloseCode>, text: &str) -> Frame {
        Frame::Close(code.map(|code| (code.get(), text.to_owned())))
    }
}

/// Why reading fails; why writing does.
#[derive(Debug, PartialEq)]
struct Unreadable;
#[derive(Debug, PartialEq)]
struct Unwritable;

macro_rules! error {
    ($error:ty, $text:literal) => {
        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($text)
            }
        }
        impl std::error::Error for $error {}
    };
}
error!(Unreadable, "cannot be read");
error!(Unwritable, "buffer is full of holes");

/// A sink that takes no text.
struct Picky;

impl Sink<Frame> for Picky {
    type Error = Unwritable;
    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Unwritable>> {
        Poll::Ready(Ok(()))
    }
    fn start_send(self: Pin<&mut Self>, frame: Frame) -> Result<(), Unwritable> {
        if matches!(frame, Frame::Text(_)) { Err(Unwritable) } else { Ok(()) }
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Unwritable>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Unwritable>> {
        Poll::Ready(Ok(()))
    }
}

type Incoming = UnboundedSender<Result<Frame, Unreadable>>;

type Source = Pin<Box<dyn Stream<Item = Result<Frame, Unreadable>> + Send>>;
type Drain = Pin<Box<dyn Sink<Frame, Error = std::io::Error> + Send>>;

/// A stream and a sink by channels, and their other ends. The sink fails at a text `fail`.
fn halves() -> (Source, Drain, Incoming, UnboundedReceiver<Frame>) {
    let (incoming, mut arrived) = unbounded_channel();
    let (outgoing, sent) = unbounded_channel();
    // One that is polled again after an error panics.
    let sink = sink::unfold(outgoing, |outgoing, frame| async move {
        if frame == Frame::Text("fail".to_owned()) {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        let _ = outgoing.send(frame);
        Ok(outgoing)
    });
    (Box::pin(stream::poll_fn(move |cx| arrived.poll_recv(cx))), Box::pin(sink), incoming, sent)
}

fn live(config: Config) -> (LiveStream<Joined<Source, Drain>, Bare>, Incoming, UnboundedReceiver<Frame>) {
    let (stream, sink, incoming, sent) = halves();
    (LiveStream::with_adapter(Bare, Joined(stream, sink), config), incoming, sent)
}

#[tokio::test(start_paused = true)]
async fn a_library_that_answers_nothing_is_answered_for() {
    let (mut live, incoming, mut sent) = live(config());
    incoming.send(Ok(Frame::Ping(b"a".to_vec()))).unwrap();
    assert!(timeout(SECOND, live.next()).await.is_err());
    assert_eq!(sent.try_recv().unwrap(), Frame::Pong(b"a".to_vec()));
    incoming.send(Ok(Frame::Text("hello".to_owned()))).unwrap();
    assert_eq!(live.next().await.unwrap().unwrap(), Frame::Text("hello".to_owned()));
    incoming.send(Ok(Frame::Close(Some((1001, "bye".to_owned()))))).unwrap();
    assert!(live.next().await.is_none());
    assert_eq!(live.close_frame(), Some((1001, "bye")));
    assert_eq!(live.liveness().verdict(), Some(Reason::PeerClosed(Some(1001))));
    assert!(matches!(sent.try_recv().unwrap(), Frame::Close(Some((1001, _)))));
    assert!(sent.try_recv().is_err(), "nothing follows a Close");
}

#[tokio::test(start_paused = true)]
async fn its_mute_peer_is_given_up_and_its_prompt_peer_is_kept() {
    for prompt in [true, false] {
        let (mut live, incoming, mut sent) = live(config());
        let peer = tokio::spawn(async move {
            while let Some(frame) = sent.recv().await {
                if let (Frame::Ping(payload), true) = (frame, prompt) {
                    let _ = incoming.send(Ok(Frame::Pong(payload)));
                }
            }
        });
        let end = timeout(3600 * SECOND, live.next()).await;
        assert_eq!(end.is_err(), prompt);
        assert_eq!(live.liveness().verdict(), (!prompt).then_some(Reason::PingTimeout));
        peer.abort();
    }
}

/// `sink::unfold` panics if it is polled once more.
#[tokio::test(start_paused = true)]
async fn a_sink_that_failed_is_not_called_again_and_what_was_said_before_is_heard() {
    let (mut live, incoming, _sent) = live(config());
    incoming.send(Ok(Frame::Text("last words".to_owned()))).unwrap();
    incoming.send(Ok(Frame::Ping(b"?".to_vec()))).unwrap();
    let end = live.send(Frame::Text("fail".to_owned())).await.unwrap_err();
    assert_eq!(end.reason(), Some(Reason::TransportClosed));
    assert!(live.send(Frame::Text("again".to_owned())).await.is_err());
    assert!(live.flush().await.is_err());
    assert_eq!(live.next().await.unwrap().unwrap(), Frame::Text("last words".to_owned()));
    assert!(live.next().await.unwrap().is_err());
    assert!(live.next().await.is_none());
    assert!(SinkExt::close(&mut live).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn both_halves_are_told_the_same_cause() {
    let (live, incoming, _sent) = live(config());
    incoming.send(Err(Unreadable)).unwrap();
    let (mut sink, mut stream) = live.split();
    let Some(Err(Error::Offline { reason, cause: Some(read) })) = stream.next().await else {
        panic!("no cause")
    };
    assert_eq!(
        reason,
        Reason::ProtocolError(CloseCode::PROTOCOL_ERROR),
        "what nobody knows is the peer's fault"
    );
    let Err(Error::Offline { cause: Some(written), .. }) = sink.send(Frame::Text(String::new())).await else {
        panic!("no cause")
    };
    assert!(Arc::ptr_eq(&read, &written));
    assert_eq!(read.downcast_ref::<Unreadable>(), Some(&Unreadable));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_refused_ends_nothing() {
    let (stream, _, _incoming, _) = halves();
    let mut live = LiveStream::with_adapter(Bare, Joined(stream, Picky), config());
    let refused = live.send(Frame::Text("too large".to_owned())).await;
    assert!(matches!(refused, Err(Error::Rejected(_))), "{refused:?}");
    assert!(timeout(SECOND, live.next()).await.is_err());
    assert_eq!(live.liveness().verdict(), None);
}

#[tokio::test(start_paused = true)]
async fn bytes_told_by_hand_keep_a_peer_whose_message_takes_minutes() {
    for told in [true, false] {
        let (live, incoming, mut sent) = live(config());
        let counters = ByteCounters::default();
        let mut live = if told { live.counted(counters.clone()) } else { live };
        // What is read of it wakes the library, and completes nothing.
        let reading = tokio::spawn(async move {
            for _ in 0..60 {
                sleep(SECOND).await;
                counters.note_received(1);
            }
            incoming
        });
        let end = timeout(50 * SECOND, async {
            loop {
                if let Ok(end) = timeout(SECOND, live.next()).await {
                    break end;
                }
            }
        });
        assert_eq!(end.await.is_err(), told);
        assert!(matches!(sent.try_recv(), Ok(Frame::Ping(_))));
        drop(reading.await);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_told_by_hand_keep_a_peer_that_takes_minutes_for_a_ping() {
    for told in [true, false] {
        let (stream, _, _incoming, _) = halves();
        // It never has everything out.
        let slow = sink::unfold((), |(), _: Frame| std::future::pending::<Result<(), Unwritable>>());
        let config = config().to_builder().write_timeout(10 * SECOND).build().unwrap();
        let counters = ByteCounters::default();
        let live = LiveStream::with_adapter(Bare, Joined(stream, Box::pin(slow)), config).role(Role::Server);
        let mut live = live.counted(counters.clone());
        let mut end = None;
        for _ in 0..120 {
            if told {
                counters.note_sent(1);
            }
            end = end.or(timeout(SECOND, live.next()).await.ok());
        }
        assert_eq!(end.is_none(), told);
        assert_eq!(live.liveness().verdict(), (!told).then_some(Reason::WriteStalled));
    }
}

/// A library that hides its transport lets nobody drop what the peer still sends. So our Close gets its time to arrive.
#[tokio::test(start_paused = true)]
async fn a_library_that_hides_its_transport_keeps_it_for_the_close_timeout() {
    let (mut live, incoming, mut sent) = live(config());
    incoming.send(Err(Unreadable)).unwrap();
    let start = Instant::now();
    assert!(live.next().await.unwrap().is_err());
    assert!(matches!(sent.try_recv(), Ok(Frame::Close(Some((1002, _))))));
    assert!(timeout(60 * SECOND, live.next()).await.unwrap().is_none());
    assert_eq!(start.elapsed(), config().close_timeout());
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_what_the_limits_say() {
    let (live, incoming, _sent) = live(config());
    let mut live = live.limits(Limits { messages: 3, ..Limits::DEFAULT });
    for number in 0..10 {
        incoming.send(Ok(Frame::Text(number.to_string()))).unwrap();
    }
    sleep(SECOND).await;
    live.send(Frame::Text("looks while it writes".to_owned())).await.unwrap();
    assert!(format!("{live:?}").contains("inbox: 3,"), "{live:?}");
    for number in 0..10 {
        assert_eq!(live.next().await.unwrap().unwrap(), Frame::Text(number.to_string()));
    }
}

/// RFC 6455 7.1.1: the server hangs up first, and the client waits for it.
#[tokio::test(start_paused = true)]
async fn after_a_proper_close_a_server_hangs_up_and_a_client_waits() {
    for (role, waits) in [(Role::Server, 0), (Role::Client, 5)] {
        let (live, incoming, _sent) = live(config());
        let mut live = live.role(role);
        incoming.send(Ok(Frame::Close(Some((1000, String::new()))))).unwrap();
        let start = Instant::now();
        assert!(live.next().await.is_none());
        assert_eq!(start.elapsed().as_secs(), waits, "{role:?}");
        drop(incoming);
    }
}

/// A runtime of its own, which counts from a time of its own.
struct Foreign {
    sleep: Pin<Box<Sleep>>,
    start: Instant,
    asked: Arc<Mutex<u32>>,
}

impl Timer for Foreign {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1000).saturating_add(self.start.elapsed())
    }
    fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
        *self.asked.lock().unwrap() += 1;
        let wait = at.saturating_duration_since(Timestamp::from_secs(1000)).min(Duration::from_secs(1 << 30));
        self.sleep.as_mut().reset(self.start + wait);
        self.sleep.as_mut().poll(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_another_runtime_does_as_well() {
    let asked = Arc::new(Mutex::new(0));
    let start = Instant::now();
    let timer = Foreign { sleep: Box::pin(sleep_until(start)), start, asked: Arc::clone(&asked) };
    let (stream, sink, incoming, _sent) = halves();
    let mut live = LiveStream::<_, Bare, _>::with_timer(timer, Joined(stream, sink), config());
    let Some(Err(Error::Offline { reason, .. })) = live.next().await else { panic!("it is kept") };
    assert_eq!(reason, Reason::PingTimeout);
    assert!((15 * SECOND..16 * SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert!(*asked.lock().unwrap() < 20);
    drop(incoming);
}

/// Connections that opened at different times share their lines: so a crowd's pings wake the process together.
#[tokio::test(start_paused = true)]
async fn all_clocks_of_a_process_share_the_lines_of_the_grid() {
    const MESH: u128 = 1 << 25;
    let origins: Vec<Clock> = {
        let mut clocks = Vec::new();
        for wait in [0, 7, 1, 1_000_003, 86_400_000_017] {
            sleep(Duration::from_micros(wait)).await;
            let clock = liveness::driver::tokio::clock();
            assert!(clock.at(Instant::now().into_std()).as_nanos() < 1 << 25);
            clocks.push(clock);
        }
        clocks
    };
    let first = origins[0].instant(Timestamp::ZERO);
    for clock in origins {
        let apart = clock.instant(Timestamp::ZERO).duration_since(first);
        assert_eq!(apart.as_nanos() % MESH, 0, "{apart:?}");
    }
}

/// A caller that polls without room for a byte learns nothing of the transport.
#[tokio::test]
async fn a_read_without_room_is_no_end() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let mut transport = Counted::new(ours);
    let counters = transport.counters().clone();
    tokio::io::AsyncWriteExt::write_all(&mut theirs, b"hello").await.unwrap();
    assert_eq!(tokio::io::AsyncReadExt::read(&mut transport, &mut []).await.unwrap(), 0);
    assert!(!counters.has_ended());
    assert_eq!(tokio::io::AsyncReadExt::read(&mut transport, &mut [0; 8]).await.unwrap(), 5);
    assert!(!counters.has_ended());
    drop(theirs);
    assert_eq!(tokio::io::AsyncReadExt::read(&mut transport, &mut [0; 8]).await.unwrap(), 0);
    assert!(counters.has_ended());
}

/// An error of another crate, such as axum's, that says what tungstenite's inside it says.
#[derive(Debug)]
struct Wrapped(String);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrapped {}

#[test]
fn the_words_of_an_error_in_another_error_say_what_it_means() {
    use liveness::driver::{ErrorKind, tokio::guess};
    use tungstenite::error::{CapacityError, ProtocolError};
    let errors = [
        (tungstenite::Error::ConnectionClosed, ErrorKind::Closed),
        (tungstenite::Error::AlreadyClosed, ErrorKind::Closed),
        (ProtocolError::SendAfterClosing.into(), ErrorKind::Closed),
        (ProtocolError::ResetWithoutClosingHandshake.into(), ErrorKind::Transport),
        (ProtocolError::UnmaskedFrameFromClient.into(), ErrorKind::Protocol(CloseCode::PROTOCOL_ERROR)),
        (
            CapacityError::MessageTooLong { size: 2, max_size: 1 }.into(),
            ErrorKind::Protocol(CloseCode::TOO_BIG),
        ),
        (tungstenite::Error::Utf8("here".into()), ErrorKind::Protocol(CloseCode::INVALID_PAYLOAD)),
        (tungstenite::Error::WriteBufferFull(Box::new(tungstenite::Message::text("x"))), ErrorKind::Rejected),
    ];
    for (error, kind) in errors {
        assert_eq!(guess(&Wrapped(error.to_string())), kind, "{error}");
        assert_eq!(guess(&error), kind, "{error}");
    }
    for closed in ["already closed", "Connection closed", "the closed connection", "sent after closing"] {
        assert_eq!(guess(&Wrapped(closed.to_owned())), ErrorKind::Closed, "{closed}");
    }
    let io = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    assert_eq!(guess(&tungstenite::Error::Io(io)), ErrorKind::Transport);
    assert_eq!(guess(&Wrapped("whatever".into())), ErrorKind::Protocol(CloseCode::PROTOCOL_ERROR));
}
