//! A life in which both ends talk. Our end is a `LiveStream` under tokio-tungstenite.

use std::collections::BTreeSet;
use std::fmt::Debug;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use liveness::Reason;
use liveness::driver::tokio::{Counted, LiveStream};
use liveness::driver::tokio_tungstenite::{accept_hdr, client};
use liveness_testing::Process;
use liveness_testing::raw_peer::{PATIENCE, millis};
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::Message as Frame;

use super::super::ends::Ours;
use super::super::streams::Codec;
use super::super::{Trial, WHILE};
use super::{Met, Seen, can_know, meet, request, right, subprotocol};

type Socket = LiveStream<WebSocketStream<Counted<TcpStream>>>;

/// Data goes both ways all the time. Then the official end is frozen, found, and woken.
#[track_caller]
pub(crate) fn talking(trial: &Trial) -> Seen {
    let ours = (trial.ours)();
    let (official, met) = meet(trial, true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let verdict = runtime.block_on(async {
        let mut socket = open(met, &ours).await;
        if can_know(&ours) {
            live_and_die(&mut socket, &official, &ours).await
        } else {
            live(&mut socket, &ours, &mut None).await
        }
    });
    let woken = verdict.map(|_| official.expect("closed"));
    Seen { heard: BTreeSet::new(), verdict, woken }
}

/// Goes through the protocol's handshake. The connection is watched from then on.
async fn open(met: Met, ours: &Ours) -> Socket {
    let mut socket = match met {
        Met::Client(stream) => {
            stream.set_nonblocking(true).unwrap();
            let stream = TcpStream::from_std(stream).unwrap();
            let (mut socket, counters) = accept_hdr(stream, subprotocol, None).await.unwrap();
            shake_hands(&mut socket, ours).await;
            LiveStream::new(socket, ours.config).counted(counters).dialect((ours.dialect)())
        }
        Met::Server(port) => {
            let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
            let (socket, _) = client(request(&port, ours), stream, ours.config).await.unwrap();
            let mut socket = socket.dialect((ours.dialect)());
            shake_hands(&mut socket, ours).await;
            if ours.handshake.is_some() {
                // The official end's reply to that comes before any data.
                socket.next().await.unwrap().unwrap();
            }
            socket
        }
    };
    if let Some(wish) = &ours.wish {
        // Wait for the server's first message. A stream of bytes has no messages, and need not wait.
        if ours.codec.is_none() {
            socket.next().await.unwrap().unwrap();
        }
        socket.send(wish.clone()).await.unwrap();
    }
    socket
}

/// The protocol's own handshake, over the bare socket or a watched one.
async fn shake_hands<S, E>(socket: &mut S, ours: &Ours)
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error: Debug> + Unpin,
    E: Debug,
{
    if let Some(hello) = &ours.hello {
        socket.send(hello.clone()).await.unwrap();
    }
    if let Some((has, answer)) = ours.handshake {
        while !socket.next().await.unwrap().unwrap().to_text().unwrap().contains(has) {}
        socket.send(Frame::text(answer)).await.unwrap();
    }
}

/// Lives for a while.
async fn live(socket: &mut Socket, ours: &Ours, codec: &mut Option<Codec>) -> Option<Reason> {
    let mut data = 0;
    let lived = timeout(WHILE, converse(socket, ours, codec, &mut data)).await;
    assert!(lived.is_err(), "it did not live: {}", socket.liveness().report(socket.now()));
    assert!(data >= 2, "it said {data} things");
    None
}

async fn live_and_die(socket: &mut Socket, official: &Process, ours: &Ours) -> Option<Reason> {
    let mut codec = ours.codec();
    live(socket, ours, &mut codec).await;
    official.signal(Signal::STOP);
    timeout(PATIENCE, converse(socket, ours, &mut codec, &mut 0)).await.expect("it is not found");
    let verdict = socket.liveness().verdict();
    assert_eq!(verdict, Some(right(ours.config)));
    official.signal(Signal::CONT);
    // Read to the very end: the official end must hear why.
    while timeout(PATIENCE, socket.next()).await.expect("it ends").is_some() {}
    verdict
}

fn pace() -> Interval {
    let mut pace = interval(millis(100));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

/// Sends something at each tick, and reads, until the verdict.
async fn converse(socket: &mut Socket, ours: &Ours, codec: &mut Option<Codec>, data: &mut u32) {
    let mut pace = pace();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) if message.is_text() || message.is_binary() => {
                    // The stream hides the heartbeat's messages.
                    assert!(!["2", "3", "{}", "\n"].contains(&message.to_text().unwrap_or("")), "{message}");
                    *data += 1;
                    for (heard, answer) in codec.as_mut().map_or(vec![], |codec| codec.hear(&message.into_data())) {
                        socket.heard(heard);
                        if !answer.is_empty() {
                            let _ = socket.send(Frame::binary(answer)).await;
                        }
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            _ = pace.tick() => drop(socket.send(ours.talk.clone()).await),
        }
    }
}
