//! Lives of a `LiveStream`.

use std::time::Duration;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use liveness::dialect::TextHeartbeats;
use liveness::driver::tokio::{Counted, Error, LiveStream};
use liveness::driver::tokio_tungstenite::Tungstenite;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::Role;

use super::life::{Caller, Fate, Life, SECONDS, Told, lives, lives_call_by_call, observe};
use super::moment::{self, Seen, below};
use super::tasks::{self, Pipe, Task, Ticker, nap};

fn run(life: &Life, told: &Told) -> Result<(), String> {
    life.begin();
    let transport = Counted::new(Pipe);
    let counters = transport.counters().clone();
    let socket = WebSocketStream::from_raw_socket(transport, Role::Server, None);
    let socket = socket.now_or_never().expect("there is no handshake");
    let mut live =
        LiveStream::<_, Tungstenite, _>::with_timer(Ticker, socket, life.config).observe(observe(told));
    if life.counted {
        live = live.counted(counters);
    }
    if life.texts {
        live = live.dialect(TextHeartbeats);
    }
    let end = life.end;
    let tasks: Vec<Task> = match life.caller {
        Caller::Reads => vec![Box::pin(read(live, end))],
        Caller::Both => {
            let (sink, stream) = live.split();
            vec![Box::pin(read(stream, end)), Box::pin(write(sink, 8 * SECONDS, end))]
        }
        Caller::Writes => vec![Box::pin(write(live, SECONDS / 2, end))],
    };
    tasks::run(tasks)
}

/// Reads to the end. Until `end` it is busy elsewhere now and then, when it has read all there was.
async fn read(mut stream: impl Stream<Item = Result<Message, Error>> + Unpin, end: Duration) {
    let mut asked = moment::now();
    while stream.next().await.is_some() {
        let now = moment::now();
        if now > asked && now < end && below(4) == 0 {
            nap(Duration::from_micros(below(20 * SECONDS)).min(end - now)).await;
        }
        asked = moment::now();
    }
}

/// Writes until it is told that the peer is gone, and then waits for the end.
async fn write(mut sink: impl Sink<Message, Error = Error> + Unpin, rest: u64, end: Duration) {
    loop {
        let length = if moment::now() < end { below(300) } else { 1 };
        if sink.send(Message::binary(vec![0; length as usize])).await.is_err() {
            break;
        }
        nap(Duration::from_micros(below(rest))).await;
    }
    let _ = sink.close().await;
}

/// A law proves nothing of what its lives never reach.
fn reached(seen: Seen) {
    assert!(seen.leaps > 1_000 && seen.missed > 50, "{seen:?}");
    assert!(seen.late_bytes > 300 && seen.row < 10, "{seen:?}");
}

#[test]
fn a_stream_finds_a_dead_peer_whenever_its_thread_loses_the_processor() {
    reached(lives(Fate::Dies, false, run));
}

#[test]
fn a_stream_gives_no_live_peer_up_whenever_its_thread_loses_the_processor() {
    reached(lives(Fate::Lives, false, run));
}

#[test]
fn at_whichever_call_of_a_stream_its_thread_loses_the_processor_the_dead_are_found_and_the_living_spared() {
    for fate in [Fate::Dies, Fate::Lives] {
        let seen = lives_call_by_call(fate, false, run);
        assert!(seen.leaps > 800 && seen.late_bytes > 50, "{seen:?}");
    }
}
