//! The Close of a verdict is the last frame, wherever in the stream of what the peer sent it falls.

use futures_util::StreamExt;
use liveness::driver::tokio::Error;
use liveness::{Config, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};

use super::support::over_bytes;
use liveness_testing::raw_peer::{CLOSE, FIN, PING, PONG, frame};

/// What a server says to 400 pings that it reads so many at a time: the opcodes of its frames.
async fn said_to_a_flood(pings_at_a_time: usize) -> Vec<u8> {
    let ping = frame(PING, b"!");
    let (mut server, theirs) = over_bytes(Config::DEFAULT, pings_at_a_time * ping.len(), None).await;
    let (mut heard, mut said) = split(theirs);
    let flood = async {
        said.write_all(&ping.repeat(400)).await.unwrap();
    };
    let served = async {
        let Some(Err(Error::Offline { reason, .. })) = server.next().await else {
            panic!("expected the end")
        };
        assert!(server.next().await.is_none());
        reason
    };
    let listen = async {
        let mut opcodes = Vec::new();
        while let Ok(first) = heard.read_u8().await {
            opcodes.push(first & !FIN);
            let len = heard.read_u8().await.unwrap();
            heard.read_exact(&mut vec![0; len.into()]).await.unwrap();
        }
        opcodes
    };
    let ((), reason, opcodes) = tokio::join!(flood, served, listen);
    assert_eq!(reason, Reason::PingFlood);
    opcodes
}

#[tokio::test(start_paused = true)]
async fn no_pong_follows_the_close() {
    for pings_at_a_time in (1..=64).chain(100..200) {
        let opcodes = said_to_a_flood(pings_at_a_time).await;
        let last = opcodes.iter().rposition(|opcode| *opcode != PONG).map(|at| (at + 1, opcodes[at]));
        assert_eq!(last, Some((opcodes.len(), CLOSE)), "read {pings_at_a_time} at a time: {opcodes:?}");
    }
}
