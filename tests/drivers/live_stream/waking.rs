//! Who is woken, when, and how often.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use liveness::driver::tokio::{Counted, LiveStream, Timer};
use liveness::driver::tokio_tungstenite::Tungstenite;
use liveness::{CloseCode, Evidence, Reason, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::Role;

use super::support::{SECOND, config, next_without_budget, over_bytes, pair, reason};
use liveness_testing::raw_peer::PATIENCE;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn an_alarm_set_by_a_task_that_has_spent_its_budget_rings() {
    let (mut live, _client, _) = pair(config(), 1024).await;
    let start = Instant::now();
    assert!(next_without_budget(&mut live).await.is_pending());
    let end = timeout(HOUR, live.next()).await.expect("nobody set the timer");
    assert_eq!(reason(end), Reason::PingTimeout);
    assert!(start.elapsed() < 21 * SECOND, "{:?}", start.elapsed());
}

/// tokio's clock and timer on a busy machine: just before the timer is set for the `preempted`th time, the thread waits for a
/// processor until the timer's moment has passed.
struct Busy {
    sleep: Pin<Box<Sleep>>,
    start: Instant,
    waited: Duration,
    set: u32,
    preempted: u32,
    lives: Arc<AtomicU32>,
}

impl Timer for Busy {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1000) + self.start.elapsed() + self.waited
    }

    fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
        self.set += 1;
        if self.set == self.preempted {
            self.lives.fetch_add(1, Relaxed);
            self.waited += at.saturating_duration_since(self.now()) + Duration::from_millis(1);
        }
        let wait = at.saturating_duration_since(self.now());
        self.sleep.as_mut().reset(Instant::now() + wait);
        self.sleep.as_mut().poll(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_while_its_timer_is_set_is_not_missed() {
    let lives = Arc::new(AtomicU32::new(0));
    for (preempted, answers, counted) in
        (1..15).flat_map(|at| [(at, 0, true), (at, 0, false), (at, 12, true), (at, 12, false)])
    {
        let (ours, theirs) = duplex(1024);
        let transport = Counted::new(ours);
        let counters = transport.counters().clone();
        let server = WebSocketStream::from_raw_socket(transport, Role::Server, None).await;
        let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        // It answers pings for so many seconds, and then freezes.
        let client = tokio::spawn(async move {
            let _ = timeout(answers * SECOND, client.next()).await;
            client
        });
        let start = Instant::now();
        let (sleep, waited, lives) = (Box::pin(sleep(SECOND)), Duration::ZERO, Arc::clone(&lives));
        let timer = Busy { sleep, start, waited, set: 0, preempted, lives };
        let mut live = LiveStream::<_, Tungstenite, _>::with_timer(timer, server, config());
        if counted {
            live = live.counted(counters);
        }
        let end = timeout(HOUR, live.next()).await;
        let end = end.unwrap_or_else(|_| panic!("preempted at {preempted}: nothing wakes it, {live:?}"));
        assert_eq!(reason(end), Reason::PingTimeout);
        drop(client.await);
    }
    assert!(lives.load(Relaxed) > 10, "{lives:?} were preempted");
}

/// Rings when the task is woken whose waker it is.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_wakes_whoever_waits_and_its_ping_goes_out_at_once() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    assert!(timeout(SECOND, live.next()).await.is_err());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    assert!(live.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
    assert!(!bell.0.load(Relaxed));
    live.probe();
    assert!(bell.0.load(Relaxed));
    let (heard, _) = tokio::join!(timeout(SECOND, client.next()), timeout(SECOND, live.next()));
    assert!(heard.expect("at once").unwrap().unwrap().is_ping());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_may_not_read_judges_nobody() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let config = config().to_builder().evidence(evidence).build().unwrap();
        let (mut live, mut client, _) = pair(config, 1024).await;
        let peer = tokio::spawn(async move { while client.next().await.is_some() {} });
        assert!(timeout(3 * SECOND, live.next()).await.is_err());
        for _ in 0..30 {
            assert!(next_without_budget(&mut live).await.is_pending());
            sleep(SECOND).await;
        }
        assert!(timeout(100 * SECOND, live.next()).await.is_err(), "it was judged unheard");
        peer.abort();
    }
}

/// A runtime of many threads polls the future of its `block_on` outside them, and there a wake is not put off.
#[test]
fn a_task_that_has_spent_its_budget_yields_instead_of_spinning() {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut live, client, _) = pair(config(), 1024).await;
            assert!(next_without_budget(&mut live).await.is_pending());
            drop(client);
            assert_eq!(reason(live.next().await), Reason::TransportClosed);
        });
        done.send(()).unwrap();
    });
    assert!(is_done.recv_timeout(PATIENCE).is_ok(), "it spins");
}

#[tokio::test(start_paused = true)]
async fn a_close_that_waits_for_room_does_not_wake_itself() {
    let (live, _client, _) = pair(config(), 64).await;
    let (mut sink, _stream) = live.split();
    sink.feed(Message::binary(vec![0; 1000])).await.unwrap();
    let mut polls = 0;
    let mut close = pin!(sink.close());
    let counted = poll_fn(|cx| {
        polls += 1;
        assert!(polls < 10_000, "it spins");
        close.as_mut().poll(cx)
    });
    // What else the task waits for polls the close as well.
    let mut counted = pin!(counted);
    let mut ticks = 0;
    loop {
        tokio::select! {
            biased;
            closed = &mut counted => break closed.unwrap(),
            () = sleep(Duration::from_millis(100)) => ticks += 1,
        }
    }
    assert!(ticks >= 48, "close_timeout is 5 s");
    assert!(polls < 3 * ticks, "{polls} polls in {ticks} ticks");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_polled_a_few_times_a_heartbeat() {
    let (mut live, mut client, _) = pair(config(), 1024).await;
    let peer = tokio::spawn(async move { while client.next().await.is_some() {} });
    let mut polls = 0;
    let hour = timeout(
        HOUR,
        poll_fn(|cx| {
            polls += 1;
            live.poll_next_unpin(cx)
        }),
    );
    assert!(hour.await.is_err());
    let pings = live.liveness().stats().pings;
    assert!((715..=720).contains(&pings), "{pings}");
    assert!(polls <= 4 * 720 + 4, "{polls}");
    peer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_close_for_a_broken_frame_that_needs_two_writes_still_hangs_up_at_once() {
    let (mut live, mut theirs) = over_bytes(config(), 8, None).await;
    let peer = tokio::spawn(async move {
        theirs.write_all(b"\x82\x01x").await.unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        loop {
            sleep(Duration::from_millis(10)).await;
            if theirs.read(&mut byte).await.unwrap() == 0 {
                return answer;
            }
            answer.push(byte[0]);
        }
    });
    let start = Instant::now();
    assert_eq!(reason(live.next().await), Reason::ProtocolError(CloseCode::PROTOCOL_ERROR));
    assert!(live.next().await.is_none());
    assert!(start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
    let answer = peer.await.unwrap();
    assert_eq!(answer.len(), 2 + usize::from(answer[1]));
}

/// It reads one ping, answers nothing, sends more than is kept, and never reads again.
async fn freeze_behind_a_full_inbox(mut theirs: tokio::io::DuplexStream) {
    let mut ping = [0; 10];
    theirs.read_exact(&mut ping).await.unwrap();
    theirs.write_all(&b"\x82\x81\0\0\0\0x".repeat(100)).await.unwrap();
    sleep(1000 * HOUR).await;
    drop(theirs);
}

#[tokio::test(start_paused = true)]
async fn a_sender_whose_reader_took_one_message_and_left_is_told() {
    let (live, theirs) = over_bytes(config(), 1024, None).await;
    tokio::spawn(freeze_behind_a_full_inbox(theirs));
    let (mut sink, mut stream) = live.split();
    assert!(timeout(6 * SECOND, stream.next()).await.unwrap().is_some());
    let writer = tokio::spawn(async move { sink.send(Message::binary(vec![0; 1 << 20])).await });
    sleep(30 * SECOND).await;
    assert!(stream.next().now_or_never().is_some());
    let end = timeout(HOUR, writer).await.expect("nobody set the timer").unwrap();
    assert!(end.is_err());
    drop(stream);
}

/// It said more than is kept, which nobody read; a ping went out; then it froze, and takes no more.
#[tokio::test(start_paused = true)]
async fn a_sender_whose_peer_talked_unread_and_froze_is_told() {
    for evidence in [Evidence::AnyTraffic, Evidence::PongOnly] {
        let config = config().to_builder().evidence(evidence).build().unwrap();
        let (mut live, mut theirs) = over_bytes(config, 1024, None).await;
        theirs.write_all(&b"\x82\x81\0\0\0\0x".repeat(100)).await.unwrap();
        let (start, mut sent) = (Instant::now(), Instant::now());
        let end = loop {
            match timeout(HOUR, live.send(Message::text("ten bytes."))).await.expect("it hangs") {
                Ok(()) => sent = Instant::now(),
                Err(end) => break end,
            }
            assert!(start.elapsed() < HOUR);
            sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(end.reason(), Some(Reason::WriteStalled));
        // A whole `write_timeout`, and no longer than is promised.
        let waited = sent.elapsed();
        let bound = config.for_drivers().detection_bound(Duration::ZERO);
        assert!((10 * SECOND..=bound).contains(&waited), "{waited:?}");
        drop(theirs);
    }
}

/// The same peer, but that it takes a little of what we write, each time just before it would have been too late.
#[tokio::test(start_paused = true)]
async fn a_peer_that_talked_unread_and_takes_little_at_a_time_is_left_alone() {
    let (mut live, mut theirs) = over_bytes(config(), 1024, None).await;
    theirs.write_all(&b"\x82\x81\0\0\0\0x".repeat(100)).await.unwrap();
    tokio::spawn(async move {
        let mut some = [0; 100];
        loop {
            sleep(10 * SECOND - Duration::from_millis(1)).await;
            if theirs.read(&mut some).await.unwrap() == 0 {
                break;
            }
        }
    });
    let start = Instant::now();
    let sent = timeout(HOUR, live.send(Message::binary(vec![0; 10_000]))).await;
    sent.expect("it comes to an end").unwrap();
    assert!(start.elapsed() > 800 * SECOND, "{:?}", start.elapsed());
    assert_eq!(live.liveness().verdict(), None);
}

#[tokio::test(start_paused = true)]
async fn a_sender_without_a_reader_is_told_that_nothing_moves() {
    let (mut live, theirs) = over_bytes(config(), 1024, None).await;
    tokio::spawn(freeze_behind_a_full_inbox(theirs));
    assert!(timeout(6 * SECOND, live.next()).await.unwrap().is_some());
    let end = timeout(HOUR, live.send(Message::binary(vec![0; 1 << 20]))).await;
    assert!(end.expect("it hangs").is_err());
}
