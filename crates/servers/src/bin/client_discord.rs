//! A client of Discord's gateway that stays connected. It waits for the hello, and beats with the sequence number. It
//! beats at once if the gateway asks for it. It finds out that its connection is a zombie, and resumes its session on
//! another one.
//!
//! `cargo run -p liveness-servers --bin client_discord -- 'wss://gateway.discord.gg/?v=10&encoding=json' TOKEN`
//!
//! Prints the name of each dispatch, and the end of each connection. It uses no compression: `docs/dialects.md` says how
//! to add it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::dialect::{Mute, discord};
use liveness::driver::tokio::clock;
use liveness::driver::tokio_tungstenite::{ClientStream, connect};
use liveness::reconnect::{Backoff, GiveUpReason, OnClose, Policy, Reconnect, ReconnectAction};
use liveness::{CloseCode, Config, random_seed};
use liveness_servers::Failure;
use serde_json::{Value, json};
use tungstenite::Message;

/// Nothing may be sent before the hello, so no ping is. The hello comes at once, or never.
const UNTIL_HELLO: Config = Mute::config(Duration::from_secs(20));

/// "Gateway Close Event Codes": after these codes, another dial would be answered in the same way.
const POLICY: Policy = Policy::DEFAULT.on_close(|code| match code {
    4004 | 4010..=4014 => OnClose::Stop,
    1000 => OnClose::REDIAL,
    _ => OnClose::by_code(code),
});

/// What outlives a connection.
struct Bot {
    token: String,
    session: Option<Session>,
    /// The `s` of the latest dispatch; 0 before the first, because Discord counts from 1. Each heartbeat carries it.
    sequence: Arc<AtomicU64>,
}

struct Session {
    id: String,
    url: String,
}

impl Bot {
    async fn stay_connected(&mut self, url: &str) -> GiveUpReason {
        let clock = clock();
        let mut reconnect = Reconnect::with_backoff(POLICY, Backoff::DEFAULT, random_seed(), clock.now());
        loop {
            match reconnect.poll(clock.now()) {
                Some(ReconnectAction::Dial(attempt)) => {
                    let url = self.session.as_ref().map_or(url, |session| &session.url);
                    match connect(url, UNTIL_HELLO).await {
                        Ok((socket, _)) if reconnect.connected(attempt, clock.now()) => {
                            let code = self.converse(socket).await;
                            println!("lost: {code}");
                            reconnect.closed(attempt, code, clock.now());
                        }
                        Ok(_) => {}
                        Err(error) => reconnect.failed_with(attempt, error.then(), clock.now()),
                    }
                }
                Some(ReconnectAction::GiveUp(reason)) => return reason,
                Some(ReconnectAction::Abandon(_) | ReconnectAction::Retire(_)) => {}
                None => {
                    let wait = clock.until(reconnect.poll_timeout());
                    tokio::time::sleep(wait.unwrap_or(Duration::MAX)).await;
                }
            }
        }
    }

    /// The whole life of a connection, and the close code of its end.
    async fn converse(&mut self, socket: ClientStream) -> u16 {
        let sequence = Arc::clone(&self.sequence);
        let latest = move || Some(sequence.load(Ordering::Relaxed)).filter(|sequence| *sequence > 0);
        let mut socket = socket.dialect(discord::Client::new(latest));
        while let Some(Ok(message)) = socket.next().await {
            let Ok(text) = message.to_text() else { continue };
            if let Some(interval) = discord::hello(text) {
                socket.reconfigure(discord::client_config(interval));
                let _ = socket.send(Message::text(self.introduction().to_string())).await;
            } else if let Ok(event) = serde_json::from_str(text) {
                self.hear(&event, &mut socket);
            }
        }
        // Do not wait for a zombie. The verdict is the error, and the Close with 4000 has been sent.
        socket.liveness().verdict().map_or(1006, |reason| reason.connection_close_code())
    }

    /// Resumes the session, or begins a new one.
    fn introduction(&self) -> Value {
        let token = &self.token;
        match &self.session {
            Some(Session { id, .. }) => {
                let sequence = self.sequence.load(Ordering::Relaxed);
                json!({"op": 6, "d": {"token": token, "session_id": id, "seq": sequence}})
            }
            None => {
                self.sequence.store(0, Ordering::Relaxed);
                let properties = json!({"os": "linux", "browser": "liveness", "device": "liveness"});
                json!({"op": 2, "d": {"token": token, "intents": 0, "properties": properties}})
            }
        }
    }

    fn hear(&mut self, event: &Value, socket: &mut ClientStream) {
        if let Some(sequence) = event["s"].as_u64() {
            self.sequence.store(sequence, Ordering::Relaxed);
        }
        // After 1000 and 1001 the session could not be resumed.
        let to_resume = || CloseCode::new(4000).unwrap_or(CloseCode::NORMAL);
        match event["op"].as_u64() {
            Some(0) => self.dispatch(event),
            Some(7) => socket.close(to_resume(), "asked to reconnect"),
            Some(9) => {
                if event["d"] == false {
                    self.session = None;
                }
                socket.close(to_resume(), "the session is invalid");
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, event: &Value) {
        println!("{}", event["t"].as_str().unwrap_or("?"));
        let (id, url) = (&event["d"]["session_id"], &event["d"]["resume_gateway_url"]);
        if let (Some(id), Some(url)) = (id.as_str(), url.as_str()) {
            self.session = Some(Session { id: id.into(), url: format!("{url}/?v=10&encoding=json") });
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let (Some(url), Some(token)) = (words.next(), words.next()) else {
        return Err("client_discord URL TOKEN".into());
    };
    let mut bot = Bot { token, session: None, sequence: Arc::default() };
    println!("over: {}", bot.stay_connected(&url).await);
    Ok(())
}
