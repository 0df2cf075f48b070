//! compio, a runtime of completions (`io_uring` on Linux). A read owns its buffer until it is done, so there is no stream
//! to wrap. `Connection` takes bytes and gives bytes; the loop moves them. It needs one thread.
//!
//! Everything can be seen. glommio, monoio and tokio-uring work with the same loop over their reads, writes and timers.

use std::time::Duration;

use compio::net::{TcpListener, TcpStream};
use compio::time::timeout;
use liveness::Timestamp;
use liveness::driver::tungstenite::{Connection, Handshake};
use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness_recipes::{Failure, LARGEST, echo, listen};
use tungstenite::{Message, protocol::WebSocketConfig};

mod glue {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use compio::BufResult;
    use compio::io::{AsyncRead as _, AsyncWrite as _};
    use compio::net::TcpStream;
    use compio::time::sleep;
    use liveness::driver::tungstenite::{Connection, Handshake};
    use liveness::{Action, Clock, Config, Timestamp, random_seed};

    type Done = Pin<Box<dyn Future<Output = BufResult<usize, Vec<u8>>>>>;

    fn read(mut stream: TcpStream, buffer: Vec<u8>) -> Done {
        Box::pin(async move { stream.read(buffer).await })
    }

    fn write(mut stream: TcpStream, bytes: Vec<u8>) -> Done {
        Box::pin(async move { stream.write(bytes).await })
    }

    /// The opening handshake; `None` if it failed.
    pub async fn open(
        stream: &TcpStream,
        mut handshake: Handshake<'_>,
        config: Config,
        clock: Clock,
    ) -> Option<Connection> {
        let opened = loop {
            match handshake.poll() {
                Ok(Some(opened)) => break opened,
                Ok(None) => {}
                Err(_) => {
                    let _ = write(stream.clone(), handshake.outgoing().to_vec()).await; // a refusal, if there is one
                    return None;
                }
            }
            if handshake.wants_write() {
                let BufResult(sent, _) = write(stream.clone(), handshake.outgoing().to_vec()).await;
                handshake.sent(sent.ok()?);
            } else {
                let BufResult(count, bytes) = read(stream.clone(), Vec::with_capacity(4096)).await;
                let count = count.ok().filter(|count| *count > 0)?;
                handshake.receive(&bytes[..count]);
            }
        };
        Some(opened.watch(config, random_seed(), clock.now()))
    }

    /// Drives a connection to its end. `act` gets each action. It is also called once per step without an action, to take
    /// and send messages.
    pub async fn drive(
        stream: &TcpStream,
        peer: &mut Connection,
        clock: Clock,
        mut act: impl FnMut(&mut Connection, Option<Action>, Timestamp),
    ) {
        let (mut reading, mut writing): (Option<Done>, Option<Done>) = (None, None);
        loop {
            let now = clock.now();
            act(peer, None, now);
            while let Some(action) = peer.poll(now) {
                act(peer, Some(action), now);
                if action == Action::Disconnect {
                    return;
                }
            }
            if peer.wants_shutdown() {
                let _ = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write);
                peer.shut(now);
                continue;
            }
            if reading.is_none() && peer.wants_read(now) {
                reading = Some(read(stream.clone(), Vec::with_capacity(16 * 1024)));
            }
            if writing.is_none() && peer.wants_write() {
                // Only a share is written at once. So it is known which bytes have left and which have not.
                let share = peer.outgoing();
                writing = Some(write(stream.clone(), share[..share.len().min(64 * 1024)].to_vec()));
            }
            let due = peer.poll_timeout(now);
            let mut timer = Box::pin(async move {
                match clock.until(due) {
                    Some(time) => sleep(time).await,
                    None => std::future::pending().await,
                }
            });
            // Wait for whatever comes first. An operation that is not done is kept: dropping it would lose bytes.
            poll_fn(|cx| {
                let mut ready = timer.as_mut().poll(cx).is_ready();
                if let Some(Poll::Ready(BufResult(count, bytes))) =
                    reading.as_mut().map(|read| read.as_mut().poll(cx))
                {
                    let now = clock.now();
                    match count {
                        Ok(0) => peer.receive_end(Ok(()), now),
                        Ok(count) => peer.receive(&bytes[..count], now),
                        Err(error) => peer.receive_end(Err(error), now),
                    }
                    (reading, ready) = (None, true);
                } else if reading.is_some() {
                    peer.nothing_to_read(clock.now());
                }
                if let Some(Poll::Ready(BufResult(count, _))) =
                    writing.as_mut().map(|write| write.as_mut().poll(cx))
                {
                    match count {
                        Ok(count) => peer.sent(count, clock.now()),
                        Err(error) => peer.send_failed(error, clock.now()),
                    }
                    (writing, ready) = (None, true);
                }
                if ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }
}

#[compio::main]
async fn main() -> Result<(), Failure> {
    let listener = listen()?;
    tune(&listener);
    let listener = TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            compio::time::sleep(Duration::from_millis(10)).await; // the process has no file left
            continue;
        };
        compio::runtime::spawn(serve(stream)).detach();
    }
}

async fn serve(stream: TcpStream) {
    let settings = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let opening = glue::open(&stream, Handshake::server(Some(settings)), echo().config, echo().clock);
    let Ok(Some(mut peer)) = timeout(HANDSHAKE_TIMEOUT, opening).await else { return };
    let (print, mut flood) = (echo().printer(), 0);
    glue::drive(&stream, &mut peer, echo().clock, |peer, action, now| match action {
        Some(action) => print(action),
        None => answer(peer, &mut flood, now),
    })
    .await;
}

/// Echoes what has come, and makes what was asked for, as long as the client takes it.
fn answer(peer: &mut Connection, flood: &mut u64, now: Timestamp) {
    const PART: u64 = 64 * 1024;
    loop {
        while *flood > 0 && peer.unsent() < PART as usize {
            let part = PART.min(*flood);
            *flood -= part;
            if peer.send(Message::Binary(vec![0; part as usize].into()), now).is_err() {
                *flood = 0;
            }
        }
        if *flood > 0 || peer.unsent() > 4 * PART as usize {
            return;
        }
        let Some(message) = peer.recv(now) else { return };
        match message.to_text().ok().and_then(liveness_flags::flood) {
            Some(bytes) => *flood = bytes,
            None => drop(peer.send(message, now)), // refused once the end has begun
        }
    }
}
