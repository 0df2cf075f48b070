//! A client that stays connected, and a server that moves it about: what it hears, and how many connections it has.

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use liveness::reconnect::{Backoff, GiveUpReason, Policy};
use liveness::{CloseCode, Config, Reason};
use liveness_client::{Client, News};
use liveness_testing::eventually;
use liveness_testing::host::bound;
use liveness_testing::raw_peer::{millis, sleep};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

/// Each connection is stable, so that a hand-over does not wait for the backoff, and no dial waits long.
const POLICY: Policy = Policy::DEFAULT.stable_after(Duration::ZERO).max_spread(Duration::ZERO);
const BACKOFF: Backoff = Backoff::new(millis(50), millis(50));

/// Everything that the client has heard and done so far, in short words.
type Story = Arc<Mutex<Vec<String>>>;

fn live(serve: impl FnOnce(TcpListener) + Send + 'static) -> (Vec<String>, GiveUpReason) {
    live_and_see(|listener, _| serve(listener))
}

/// Like `live`, but the server may read the client's story.
fn live_and_see(serve: impl FnOnce(TcpListener, Story) + Send + 'static) -> (Vec<String>, GiveUpReason) {
    let story = Story::default();
    let seen = Arc::clone(&story);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || serve(listener, seen));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reason = runtime.block_on(async {
        let mut client = Client::new(&url, Config::DEFAULT, POLICY, BACKOFF, |socket| socket);
        loop {
            let words = match client.next().await {
                News::Connected { moved } => {
                    client.send(Message::text("hello")).await;
                    if moved { "moved".to_owned() } else { "connected".to_owned() }
                }
                News::Message(Message::Text(text)) => match text.as_str() {
                    "moving" => {
                        client.hand_over(Duration::ZERO);
                        continue;
                    }
                    "leave" => {
                        client.close(CloseCode::GOING_AWAY, "told to");
                        continue;
                    }
                    text => text.to_owned(),
                },
                News::LastWords(Message::Text(text)) => format!("{text}, at last"),
                News::Disconnected(reason, _) => format!("disconnected: {reason}"),
                News::NotConnected(_) => "not connected".to_owned(),
                News::NotInTime => "not in time".to_owned(),
                News::Message(_) | News::LastWords(_) | News::Waiting(_) => continue,
                News::Over(reason) => return reason,
            };
            story.lock().unwrap().push(words);
        }
    });
    server.join().unwrap();
    let story = story.lock().unwrap().clone();
    (story, reason)
}

/// The next connection, which has said that it stands.
fn accept(listener: &TcpListener) -> WebSocket<TcpStream> {
    let mut socket = tungstenite::accept(bound(listener.accept().unwrap().0)).unwrap();
    assert_eq!(data(&mut socket), Message::text("hello"));
    socket
}

fn data(socket: &mut WebSocket<TcpStream>) -> Message {
    loop {
        let message = socket.read().unwrap();
        if !message.is_ping() {
            break message;
        }
    }
}

fn tell(socket: &mut WebSocket<TcpStream>, words: &[&str]) {
    words.iter().for_each(|words| socket.send(Message::text(*words)).unwrap());
}

/// Reads the client's Close, and then to the end.
fn left(mut socket: WebSocket<TcpStream>) {
    let Message::Close(Some(frame)) = data(&mut socket) else { panic!("no Close") };
    assert_eq!(u16::from(frame.code), 1001);
    while socket.read().is_ok() {}
}

fn dismiss(mut socket: WebSocket<TcpStream>) {
    socket.close(Some(CloseFrame { code: 1000.into(), reason: "bye".into() })).unwrap();
    while socket.read().is_ok() {}
}

/// No dial comes for a while. A client that wants to dial has done so by then, except on a busy machine.
#[track_caller]
fn nobody_dials(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    sleep(millis(300));
    assert!(listener.accept().is_err(), "a third connection");
    listener.set_nonblocking(false).unwrap();
}

#[test]
fn no_message_is_lost_in_a_hand_over_and_there_are_never_three_connections() {
    let (story, reason) = live(|listener| {
        let mut first = accept(&listener);
        tell(&mut first, &["1", "moving"]);
        let mut second = accept(&listener);
        // The client has closed the first by now, and hears what was on the way. Asked again, it waits for the end of the
        // first.
        tell(&mut second, &["moving"]);
        nobody_dials(&listener);
        tell(&mut first, &["3", "4"]);
        left(first);
        let third = accept(&listener);
        tell(&mut second, &["5"]);
        left(second);
        dismiss(third);
    });
    let wanted = ["connected", "1", "moved", "3, at last", "4, at last", "moved", "5, at last"];
    assert_eq!(story[..7], wanted);
    assert_eq!(story[7..], ["disconnected: peer-closed 1000"]);
    assert_eq!(reason, GiveUpReason::Closed(1000));
}

#[test]
fn a_dial_that_fails_in_a_hand_over_takes_nothing_away() {
    let (story, _) = live(|listener| {
        let mut first = accept(&listener);
        tell(&mut first, &["1", "moving"]);
        drop(listener.accept().unwrap());
        tell(&mut first, &["2"]);
        let mut second = accept(&listener);
        left(first);
        tell(&mut second, &["3"]);
        dismiss(second);
    });
    // The moment when `2` is read depends on the network and on this machine.
    let (two, others): (Vec<_>, Vec<_>) = story.into_iter().partition(|words| words.starts_with('2'));
    assert_eq!(two.len(), 1);
    assert_eq!(others, ["connected", "1", "not connected", "moved", "3", "disconnected: peer-closed 1000"]);
}

#[test]
fn a_connection_that_is_lost_before_the_new_one_stands_is_replaced_by_it() {
    let (story, _) = live_and_see(|listener, story| {
        let mut first = accept(&listener);
        tell(&mut first, &["1", "moving"]);
        let (stream, _) = listener.accept().unwrap();
        drop(first);
        // If the handshake ended before the loss was read, this would be a hand-over.
        eventually("the loss was read", || story.lock().unwrap().len() == 3);
        let mut second = tungstenite::accept(bound(stream)).unwrap();
        tell(&mut second, &["2"]);
        dismiss(second);
    });
    let lost = story.iter().position(|words| *words == format!("disconnected: {}", Reason::TransportClosed));
    assert_eq!(lost, Some(2), "{story:?}");
    assert_eq!(story[3..], ["connected", "2", "disconnected: peer-closed 1000"]);
}

#[test]
fn the_last_words_are_heard_although_the_new_connection_is_lost_before_them() {
    let (story, _) = live(|listener| {
        let mut first = accept(&listener);
        tell(&mut first, &["1", "moving"]);
        drop(accept(&listener));
        let third = accept(&listener);
        tell(&mut first, &["2"]);
        left(first);
        dismiss(third);
    });
    let lost = format!("disconnected: {}", Reason::TransportClosed);
    let (before, after) = (["connected", "1", "moved", &lost], ["connected", "2, at last"]);
    assert_eq!((&story[..4], &story[4..6]), (&before.map(str::to_owned)[..], &after.map(str::to_owned)[..]));
}

#[test]
fn who_leaves_hears_what_is_on_the_way_and_dials_no_more() {
    let (story, reason) = live(|listener| {
        let mut first = accept(&listener);
        tell(&mut first, &["1", "leave"]);
        let Message::Close(Some(_)) = data(&mut first) else { panic!("no Close") };
        while first.read().is_ok() {}
        nobody_dials(&listener);
    });
    assert_eq!(story, ["connected", "1", "disconnected: local-closed"]);
    assert_eq!(reason, GiveUpReason::Stopped);
}
