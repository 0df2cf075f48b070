//! A `LiveStream` over a transport that delivers any bytes in any pieces, waits, fails and ends. Its futures are dropped at whim.
//! Its thread loses its processor at whim, so that time passes within a turn. It never panics, never spins, always ends in one
//! `Disconnect`, and never touches the transport after it.
#![no_main]

#[path = "../frames.rs"]
mod frames;

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use arbitrary::Arbitrary;
use frames::{frame, text_heartbeat};
use futures_util::{Sink, SinkExt, Stream};
use libfuzzer_sys::fuzz_target;
use liveness::dialect::{Exact, TextHeartbeats};
use liveness::driver::tokio::{Counted, LiveStream, Timer};
use liveness::driver::tokio_tungstenite::Tungstenite;
use liveness::{Action, CloseCode, Config, Evidence, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::{Role, WebSocketConfig};

#[derive(Arbitrary, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// A frame that is well formed, so that the fuzzer gets past the header.
    Frame {
        opcode: u8,
        fin: bool,
        masked: bool,
        payload: Vec<u8>,
    },
    /// An answer to the latest ping that was written.
    Answer,
    /// `2`, or `3`.
    Fixed {
        masked: bool,
        pong: bool,
    },
    /// A heartbeat in a text message.
    TextHeartbeat {
        masked: bool,
        pong: bool,
        digits: u64,
    },
    Waits,
    Fails,
}

#[derive(Arbitrary, Debug)]
enum Taking {
    All,
    Part(u8),
    Waits,
    Fails,
}

#[derive(Arbitrary, Debug)]
enum Call {
    Next,
    /// Waits for so many milliseconds.
    NextFor(u16),
    Ready,
    Start(u8),
    Feed(u8),
    Flush,
    SendFor(u16),
    Close,
    CloseWith(CloseCode),
    Probe,
    Away(u16),
}

/// How the heartbeat is spoken.
#[derive(Arbitrary, Debug)]
enum Speech {
    Frames,
    Texts,
    Fixed,
    /// It never asks.
    Listens,
}

/// For how long the thread loses its processor at a call of the clock, the timer or the transport.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Leap {
    Not,
    Micros(u16),
    Millis(u16),
    /// So many nanoseconds after the deadline that a timer was last set for, or one before.
    Deadline(u8),
}

/// The clock: tokio's, and what passes within turns.
struct Busy {
    start: Instant,
    within: Cell<Duration>,
    deadline: Cell<Timestamp>,
    leaps: RefCell<Vec<Leap>>,
}

impl Busy {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1000) + self.start.elapsed() + self.within.get()
    }

    fn leap(&self) {
        let deadline = self.deadline.get();
        let leap = match self.leaps.borrow_mut().pop() {
            None | Some(Leap::Not) => Duration::ZERO,
            Some(Leap::Micros(micros)) => Duration::from_micros(micros.into()),
            Some(Leap::Millis(millis)) => Duration::from_millis(millis.into()),
            // The far end of time never comes.
            Some(Leap::Deadline(_)) if deadline == Timestamp::MAX => Duration::ZERO,
            Some(Leap::Deadline(nanos)) => {
                let wait = deadline.saturating_duration_since(self.now());
                (wait + Duration::from_nanos(nanos.into())).saturating_sub(Duration::from_nanos(1))
            }
        };
        self.within.set(self.within.get() + leap);
    }
}

struct Ticker {
    busy: Rc<Busy>,
    sleep: Pin<Box<Sleep>>,
}

impl Timer for Ticker {
    fn now(&self) -> Timestamp {
        let read = self.busy.now();
        self.busy.leap();
        read
    }

    fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
        self.busy.deadline.set(at);
        self.busy.leap();
        let wait = at.saturating_duration_since(self.busy.now());
        self.sleep.as_mut().reset(Instant::now() + wait);
        self.sleep.as_mut().poll(cx)
    }
}

#[derive(Arbitrary, Debug)]
struct Life {
    server: bool,
    speech: Speech,
    pong_only: bool,
    counted: bool,
    narrow: bool,
    pieces: Vec<Piece>,
    writes: Vec<Taking>,
    calls: Vec<Call>,
    leaps: Vec<Leap>,
}

struct Script {
    pieces: Vec<Piece>,
    writes: Vec<Taking>,
    server: bool,
    /// The answer to it, as a frame's opcode and payload.
    ping: Option<(u8, Vec<u8>)>,
    gone: Arc<AtomicBool>,
    touched: Arc<AtomicUsize>,
    busy: Rc<Busy>,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Script {
    fn touch(&self) {
        let times = self.touched.fetch_add(1, Ordering::Relaxed);
        assert!(times < 100_000, "it spins");
        self.busy.leap();
    }
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.touch();
        let bytes = match this.pieces.pop() {
            None => return Poll::Ready(Ok(())),
            Some(Piece::Fails) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(Piece::Bytes(bytes)) => bytes,
            Some(Piece::Frame { opcode, fin, masked, payload }) => frame(opcode, fin, masked, &payload),
            Some(Piece::Answer) => this
                .ping
                .as_ref()
                .map_or(Vec::new(), |(opcode, pong)| frame(*opcode, true, this.server, pong)),
            Some(Piece::TextHeartbeat { masked, pong, digits }) => text_heartbeat(masked, pong, digits),
            Some(Piece::Fixed { masked, pong }) => frame(1, true, masked, if pong { b"3" } else { b"2" }),
            Some(Piece::Waits) => Vec::new(),
        };
        // A read of nothing is the end of the stream, and a script of no bytes is not that.
        if bytes.is_empty() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (now, later) = bytes.split_at(bytes.len().min(buffer.remaining()));
        buffer.put_slice(now);
        if !later.is_empty() {
            this.pieces.push(Piece::Bytes(later.to_vec()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.touch();
        if let Some(at) = bytes.windows(2).position(|head| head == [0x89, 8]) {
            this.ping = bytes.get(at + 2..at + 10).map(|ping| (10, ping.to_vec()));
        }
        if let Some(at) = bytes.windows(5).position(|text| text == b"ping ") {
            this.ping = bytes.get(at + 5..at + 21).map(|digits| (1, [b"pong ", digits].concat()));
        }
        match this.writes.pop().unwrap_or(Taking::All) {
            Taking::All => Poll::Ready(Ok(bytes.len())),
            Taking::Part(count) => Poll::Ready(Ok(bytes.len().min(usize::from(count) + 1))),
            Taking::Fails => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Taking::Waits => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Live = LiveStream<WebSocketStream<Counted<Script>>, Tungstenite, Ticker>;

/// Calls a future once, and drops it.
macro_rules! once {
    ($poll:expr) => {
        poll_fn(|cx| Poll::Ready($poll(cx))).await
    };
}

async fn make(live: &mut Live, call: Call) {
    let ready_for = |live: &mut Live, cx: &mut Context<'_>| Pin::new(live).poll_ready(cx);
    match call {
        Call::Next => drop(once!(|cx| Pin::new(&mut *live).poll_next(cx))),
        Call::NextFor(millis) => {
            let next = poll_fn(|cx| Pin::new(&mut *live).poll_next(cx));
            drop(timeout(Duration::from_millis(millis.into()), next).await);
        }
        Call::Ready => drop(once!(|cx| ready_for(live, cx))),
        Call::Start(len) => drop(Pin::new(live).start_send(Message::binary(vec![0; len.into()]))),
        Call::Feed(len) => {
            if once!(|cx| ready_for(live, cx)).is_ready() {
                drop(Pin::new(live).start_send(Message::text("x".repeat(len.into()))));
            }
        }
        Call::Flush => drop(once!(|cx| Pin::new(&mut *live).poll_flush(cx))),
        Call::SendFor(millis) => {
            let message = Message::binary(vec![0; 1000]);
            drop(timeout(Duration::from_millis(millis.into()), live.send(message)).await);
        }
        Call::Close => drop(once!(|cx| Pin::new(&mut *live).poll_close(cx))),
        Call::CloseWith(code) => live.close(code, "enough"),
        Call::Probe => live.probe(),
        Call::Away(millis) => sleep(Duration::from_millis(millis.into())).await,
    }
}

async fn live(life: Life) {
    let (gone, touched) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let busy = Rc::new(Busy {
        start: Instant::now(),
        within: Cell::default(),
        deadline: Cell::new(Timestamp::ZERO),
        leaps: RefCell::new(life.leaps.into_iter().take(500).collect()),
    });
    let script = Counted::new(Script {
        pieces: life.pieces.into_iter().take(200).collect(),
        writes: life.writes,
        server: life.server,
        ping: None,
        gone: Arc::clone(&gone),
        touched: Arc::clone(&touched),
        busy: Rc::clone(&busy),
    });
    let role = if life.server { Role::Server } else { Role::Client };
    let settings =
        life.narrow.then(|| WebSocketConfig::default().write_buffer_size(64).max_write_buffer_size(300));
    let config = Config::builder()
        .interval(Duration::from_millis(500))
        .timeout(Duration::from_secs(2))
        .close_timeout(Duration::from_secs(1))
        .evidence(if life.pong_only { Evidence::PongOnly } else { Evidence::AnyTraffic })
        .control_budget(8, 1)
        .build()
        .expect("valid");
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let counters = script.counters().clone();
    let socket = WebSocketStream::from_raw_socket(script, role, settings).await;
    let timer = Ticker { busy, sleep: Box::pin(sleep(Duration::ZERO)) };
    let mut live = LiveStream::<_, Tungstenite, _>::with_timer(timer, socket, config)
        .on_action(move |action, _| tell.lock().expect("one thread").push(action));
    live = match life.speech {
        Speech::Frames => live,
        Speech::Texts => live.dialect(TextHeartbeats),
        Speech::Fixed => live.dialect(Exact::text("2", "3")),
        Speech::Listens => live.dialect(Exact::text("2", "3").only_answers()),
    };
    if life.counted {
        live = live.counted(counters);
    }
    for call in life.calls.into_iter().take(60) {
        make(&mut live, call).await;
    }
    let polls = Cell::new(0);
    let rest = async {
        while poll_fn(|cx| {
            polls.set(polls.get() + 1);
            assert!(polls.get() < 100_000, "it spins");
            Pin::new(&mut live).poll_next(cx)
        })
        .await
        .is_some()
        {}
    };
    timeout(Duration::from_secs(3600), rest).await.expect("it ends");
    assert!(live.liveness().is_finished() && gone.load(Ordering::Relaxed));
    assert!(matches!(once!(|cx| Pin::new(&mut live).poll_next(cx)), Poll::Ready(None)));
    assert!(live.send(Message::text("late")).await.is_err());
    let told = told.lock().expect("one thread");
    let count = |wanted: fn(&Action) -> bool| told.iter().filter(|action| wanted(action)).count();
    assert_eq!(told.first(), Some(&Action::MarkOnline));
    assert_eq!(count(|action| matches!(action, Action::MarkOffline(_))), 1);
    assert_eq!(count(|action| *action == Action::Disconnect), 1);
    assert_eq!(told.last(), Some(&Action::Disconnect));
}

fuzz_target!(|life: Life| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(live(life));
});
