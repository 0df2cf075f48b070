//! A client that stays connected: it dials again after a loss, probes on waking, and moves to another connection when the
//! server asks for it.
//! `cargo run --example client -- ws://127.0.0.1:8080/`; for `wss://` add `--features rustls-ring`. `docs/client.md`
//! explains it.

use std::future::pending;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Fuse, FutureExt};
use liveness::driver::ConnectError;
use liveness::driver::tokio::clock;
use liveness::driver::tokio_tungstenite::{ClientStream, connect};
use liveness::reconnect::{Attempt, Backoff, GiveUpReason, OnClose, Policy, Reconnect, ReconnectAction};
use liveness::{CloseCode, Config, Reason, SleepDetector, random_seed};
use tungstenite::Message;

/// A probe after a sleep is answered within 5 s, or the connection is lost.
const CONFIG: Config = Config::builder().probe_timeout(Duration::from_secs(5)).build_const();
/// A loss within this time after a sleep is blamed on the sleep.
const SOON: Duration = Duration::from_secs(10);

async fn stay_connected(url: &str, mut hear: impl FnMut(&Message)) -> GiveUpReason {
    let (clock, mut sleep, mut woken) = (clock(), SleepDetector::DEFAULT, None);
    let mut reconnect =
        Reconnect::with_backoff(Policy::DEFAULT, Backoff::DEFAULT, random_seed(), clock.now());
    let (mut here, mut dialling) = (None::<(Attempt, ClientStream)>, Box::pin(Fuse::terminated()));
    loop {
        if sleep.observe(clock.now(), clock.wall()).is_some() {
            woken = Some(clock.now());
            reconnect.network_changed(clock.now());
            here.iter_mut().for_each(|(_, socket)| socket.probe());
        }
        while let Some(action) = reconnect.poll(clock.now()) {
            match action {
                ReconnectAction::Dial(attempt) => dialling.set(dial(attempt, url).fuse()),
                ReconnectAction::Abandon(_) => dialling.set(Fuse::terminated()),
                ReconnectAction::Retire(_) => {} // it was replaced when the new one stood
                ReconnectAction::GiveUp(reason) => return reason,
            }
        }
        let due = reconnect.poll_timeout().into_iter().chain(sleep.poll_timeout()).min();
        tokio::select! {
            (attempt, dialled) = &mut dialling => match dialled {
                Ok(socket) if reconnect.connected(attempt, clock.now()) => {
                    here.replace((attempt, socket)).map(|(_, old)| tokio::spawn(leave(old)));
                }
                Ok(_too_late) => {}
                Err(error) => reconnect.failed_with(attempt, error.then(), clock.now()),
            },
            (attempt, heard) = next(&mut here) => match heard {
                Ok(message) => match moving(&message) {
                    Some(within) => reconnect.hand_over(within, clock.now()),
                    None => hear(&message),
                },
                Err(code) => {
                    here = None;
                    let (then, now) = (OnClose::by_code(code), clock.now());
                    // A connection that was lost during a sleep was lost alone: no crowd dials with it.
                    let alone = woken.is_some_and(|at| now < at + SOON);
                    let then = if alone { then.spread_over(Duration::ZERO) } else { then };
                    reconnect.closed_with(attempt, code, then, now);
                }
            },
            () = tokio::time::sleep(clock.until(due).unwrap_or(Duration::MAX)) => {}
        }
    }
}

async fn dial(attempt: Attempt, url: &str) -> (Attempt, Result<ClientStream, ConnectError>) {
    (attempt, connect(url, CONFIG).await.map(|(socket, _)| socket))
}

/// A message, or the close code of the connection's end.
async fn next(here: &mut Option<(Attempt, ClientStream)>) -> (Attempt, Result<Message, u16>) {
    let Some((attempt, socket)) = here else { return pending().await };
    match socket.next().await {
        Some(Ok(message)) => (*attempt, Ok(message)),
        Some(Err(_)) | None => {
            let reason = socket.liveness().verdict().unwrap_or(Reason::TransportClosed);
            (*attempt, Err(reason.connection_close_code()))
        }
    }
}

/// Reads this server's own announcement, `moving 30`: it will go, and its clients should leave within so many seconds.
fn moving(message: &Message) -> Option<Duration> {
    let seconds = message.to_text().ok()?.strip_prefix("moving ")?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Closes, and reads what the server still has to say.
async fn leave(mut old: ClientStream) {
    old.close(CloseCode::GOING_AWAY, "moved to another connection");
    while old.next().await.is_some() {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:8080/".into());
    let reason = stay_connected(&url, |message| println!("{message}")).await;
    println!("over: {reason}");
}
