//! A client of an exchange's feed that stays connected. It subscribes and pings in text. It finds out that the server is
//! gone or sends no more data, dials again and subscribes again. This is OKX. Another exchange needs another line of
//! `dialect::exchange` and another subscription.
//!
//! `cargo run -p liveness-servers --bin client_okx -- wss://ws.okx.com:8443/ws/v5/public BTC-USDT`
//!
//! Prints each data message, and the end of each connection. `300ms 3s` after the instrument sets how often it pings and
//! how long it waits.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::dialect::exchange;
use liveness::driver::tokio::clock;
use liveness::driver::tokio_tungstenite::{ClientStream, connect};
use liveness::reconnect::{Backoff, GiveUpReason, Policy, Reconnect, ReconnectAction};
use liveness::{Config, Reason, parse_duration, random_seed};
use liveness_servers::Failure;
use serde_json::{Value, json};
use tungstenite::Message;

/// For an instrument that is traded all the time.
async fn follow(url: &str, instrument: &str, config: Config) -> GiveUpReason {
    let clock = clock();
    let mut reconnect =
        Reconnect::with_backoff(Policy::DEFAULT, Backoff::DEFAULT, random_seed(), clock.now());
    loop {
        match reconnect.poll(clock.now()) {
            Some(ReconnectAction::Dial(attempt)) => match connect(url, config).await {
                Ok((socket, _)) if reconnect.connected(attempt, clock.now()) => {
                    let reason = converse(socket.dialect(exchange::okx()), instrument, config).await;
                    println!("lost: {reason}");
                    reconnect.closed(attempt, reason.connection_close_code(), clock.now());
                }
                Ok(_) => {}
                Err(error) => reconnect.failed_with(attempt, error.then(), clock.now()),
            },
            Some(ReconnectAction::GiveUp(reason)) => return reason,
            Some(ReconnectAction::Abandon(_) | ReconnectAction::Retire(_)) => {}
            None => {
                let wait = clock.until(reconnect.poll_timeout());
                tokio::time::sleep(wait.unwrap_or(Duration::MAX)).await;
            }
        }
    }
}

/// The whole life of a connection, and why it ended.
async fn converse(mut socket: ClientStream, instrument: &str, config: Config) -> Reason {
    let trades = json!({"op": "subscribe", "args": [{"channel": "trades", "instId": instrument}]});
    let _ = socket.send(Message::text(trades.to_string())).await;
    while let Some(Ok(message)) = socket.next().await {
        let Ok(said) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
        match said["event"].as_str() {
            Some("subscribe") => {
                // From now on data is due. A server that answers each ping but has lost the subscription is useless.
                let patience = config.interval().saturating_add(config.timeout());
                if let Ok(config) = config.to_builder().idle_timeout(patience).build() {
                    socket.reconfigure(config);
                }
            }
            Some(_) => eprintln!("{said}"),
            None => println!("{}", said["data"]),
        }
    }
    socket.liveness().verdict().unwrap_or(Reason::TransportClosed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (url, instrument, config) = match words.as_slice() {
        [url, instrument] => (url, instrument, exchange::OKX_CONFIG),
        [url, instrument, interval, timeout] => {
            let builder = exchange::OKX_CONFIG.to_builder().interval(parse_duration(interval)?);
            (url, instrument, builder.timeout(parse_duration(timeout)?).build()?)
        }
        _ => return Err("client_okx URL INSTRUMENT [INTERVAL TIMEOUT]".into()),
    };
    println!("over: {}", follow(url, instrument, config).await);
    Ok(())
}
