//! The four small chats, which behave the same: what its people hear of each other, and of one that freezes.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use liveness::presence::DEFAULT_LINGER;
use liveness::{Clock, Config};
use tungstenite::{Error, Message};

use super::program;
use liveness_testing::host::{bound, is_timeout};
use liveness_testing::raw_peer::{CLOSE, FIN, PING, PONG, Peer, TEXT, code_and_text, frame, header, millis};
use liveness_testing::{Running, eventually};

/// A timeout that is longer than any delay of a busy machine.
const SETTINGS: &str = "interval=500ms timeout=4s";

struct Chat {
    running: Running,
    address: SocketAddr,
}

impl Chat {
    fn start(name: &str) -> Self {
        let mut command = Command::new(program(name));
        let running = Running::start(command.args(["127.0.0.1:0", SETTINGS]).stdout(Stdio::piped()));
        eventually("it listens", || !running.lines.lock().is_empty());
        let greeting = running.lines.lock().remove(0);
        let address = greeting.strip_prefix("listening on ").unwrap().parse().unwrap();
        Self { running, address }
    }

    fn enter(&self, name: &str) -> Guest {
        let stream = bound(std::net::TcpStream::connect(self.address).unwrap());
        let mut socket = tungstenite::client("ws://localhost/", stream).unwrap().0;
        socket.get_ref().set_read_timeout(Some(millis(20))).unwrap();
        let (say, to_say) = channel::<Message>();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&heard);
        thread::spawn(move || {
            loop {
                for message in to_say.try_iter() {
                    socket.send(message).unwrap();
                }
                match socket.read() {
                    Ok(Message::Text(line)) => lines.lock().unwrap().push(line.to_string()),
                    Ok(_) => {}
                    Err(Error::Io(error)) if is_timeout(&error) => {}
                    Err(_) => return,
                }
            }
        });
        let guest = Guest { say, heard };
        guest.say(name);
        eventually("the newcomer is told", || guest.has_heard(&format!("{name} joined")));
        guest
    }
}

/// A client in its own thread. It answers pings while the value is kept, or longer.
struct Guest {
    say: Sender<Message>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Guest {
    fn say(&self, line: &str) {
        self.say.send(Message::text(line)).unwrap();
    }

    fn has_heard(&self, line: &str) -> bool {
        self.heard.lock().unwrap().iter().any(|heard| heard == line)
    }

    #[track_caller]
    fn hears(&self, line: &str) {
        eventually(line, || self.has_heard(line));
    }
}

fn two_talk_and_one_freezes(name: &str) {
    let config: Config = SETTINGS.parse().unwrap();
    let chat = Chat::start(name);
    let ann = chat.enter("ann");
    let bob = chat.enter("bob");
    assert_eq!(ann.heard.lock().unwrap()[0], "here: ");
    assert_eq!(bob.heard.lock().unwrap()[0], "here: ann");
    ann.hears("bob joined");
    let mut cid = Peer::shake_hands(bound(std::net::TcpStream::connect(chat.address).unwrap()));
    let clock = Clock::new();
    let frozen = clock.now();
    cid.write(&frame(TEXT, b"cid")); // and nothing more: no read, no pong
    ann.hears("cid joined");
    bob.hears("cid joined");
    ann.say("hello");
    bob.hears("ann: hello");
    bob.say("hello, ann");
    ann.hears("bob: hello, ann");
    ann.hears("ann: hello");

    ann.say.send(Message::Close(None)).unwrap();
    bob.hears("ann left");
    bob.hears("cid left");
    let told = clock.now().saturating_duration_since(frozen);
    assert!(told >= config.timeout() + DEFAULT_LINGER, "after {told:?}");
    // The machine decides how late this is seen. Tests with simulated clocks check that bound.
    println!("after {told:?}");
    eventually("the reason", || chat.running.lines.lock().iter().any(|line| line.contains("ping")));
    assert!(!bob.has_heard("bob left"), "{:?}", bob.heard);
    drop(cid);
}

/// A name and the end arrive together. The end may be handled before the name is handed out, but no user may stay for
/// ever.
fn a_name_with_the_last_breath_leaves_no_ghost(name: &str) {
    let chat = Chat::start(name);
    let ann = chat.enter("ann");
    for round in 0..10 {
        let mut eve = Peer::shake_hands(bound(std::net::TcpStream::connect(chat.address).unwrap()));
        eve.write(&frame(TEXT, format!("eve {round}").as_bytes()));
    }
    eventually("all their ends", || chat.running.lines.lock().len() == 10);
    assert_no_ghost(&chat, &ann);
}

/// A name comes from a connection that was given up before.
fn a_name_after_the_verdict_leaves_no_ghost(name: &str) {
    let chat = Chat::start(name);
    let ann = chat.enter("ann");
    let mut eve = Peer::shake_hands(bound(std::net::TcpStream::connect(chat.address).unwrap()));
    eve.next_of(CLOSE);
    eve.write(&frame(TEXT, b"eve 0"));
    assert_no_ghost(&chat, &ann);
}

/// More pings than are answered at once, in one piece with what is behind them. Nothing else comes that would wake the chat.
fn what_is_behind_many_pings_is_heard(name: &str) {
    let chat = Chat::start(name);
    let pings = frame(PING, b"!").repeat(100);
    let [mut eve, mut dan] =
        [(); 2].map(|()| Peer::shake_hands(bound(std::net::TcpStream::connect(chat.address).unwrap())));
    eve.write(&[&pings[..], &frame(TEXT, b"eve")].concat());
    assert_eq!(eve.next_of(TEXT).1, b"here: ");
    dan.write(&[&pings[..], &frame(PING, b"last")].concat());
    while dan.next_of(PONG).1 != b"last" {}
}

/// Otherwise each guest that reads slowly would make the chat keep 64 lines of any length.
fn a_line_without_end_is_not_taken(name: &str) {
    let chat = Chat::start(name);
    let ann = chat.enter("ann");
    let mut eve = Peer::shake_hands(bound(std::net::TcpStream::connect(chat.address).unwrap()));
    eve.write(&header(FIN | TEXT, (1 << 16) + 1));
    assert_eq!(code_and_text(&eve.next_of(CLOSE)).0, 1009);
    ann.say("hello");
    ann.hears("ann: hello");
}

/// It neither spins nor ends, and it serves the next guest when there is a file again.
#[cfg(target_os = "linux")]
fn a_chat_without_a_free_file_rests(name: &str) {
    let chat = Chat::start(name);
    super::resources::assert_rests_without_files(&chat.running.child, chat.address);
    chat.enter("ann");
}

fn assert_no_ghost(chat: &Chat, ann: &Guest) {
    // Joins are reported after the ends, so by now they would have been reported.
    let _zoe = chat.enter("zoe");
    ann.hears("zoe joined");
    eventually("none of them is left", || {
        let heard = ann.heard.lock().unwrap();
        let count =
            |what: &str| heard.iter().filter(|line| line.starts_with("eve") && line.ends_with(what)).count();
        count(" joined") == count(" left")
    });
}

macro_rules! with_each_chat {
    ($($scenario:ident),+) => {$(
        mod $scenario {
            #[test]
            fn blocking() {
                super::$scenario("chat_blocking");
            }

            #[test]
            fn tokio() {
                super::$scenario("chat_tokio");
            }

            #[test]
            fn axum() {
                super::$scenario("chat_axum");
            }

            #[test]
            fn bare() {
                super::$scenario("chat_bare");
            }
        }
    )+};
}

with_each_chat!(
    two_talk_and_one_freezes,
    a_name_with_the_last_breath_leaves_no_ghost,
    a_name_after_the_verdict_leaves_no_ghost,
    what_is_behind_many_pings_is_heard,
    a_line_without_end_is_not_taken
);

#[cfg(target_os = "linux")]
with_each_chat!(a_chat_without_a_free_file_rests);
