//! Faults that the drivers once had, each as it was found.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use liveness::driver::tungstenite::{LiveSocket, Transport, accept, client};
use liveness::{Action, CloseCode, Config, Reason};
use tungstenite::Message;

use liveness_testing::host::{Host, Watched, brisk, served, strict};
use liveness_testing::raw_peer::{CLOSE, PATIENCE, TEXT, close, frame};

/// If this never happens, the test waits for ever.
const NEVER_CLOSES: Config = strict().close_timeout(Duration::from_secs(3600)).build_const();

fn logged<S: Transport>(socket: LiveSocket<S>) -> (LiveSocket<S>, Arc<Mutex<Vec<Action>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    (socket.on_action(move |action, _| seen.lock().unwrap().push(action)), log)
}

#[test]
fn a_socket_that_is_dropped_tells_its_observers_and_its_peer() {
    let expected = [
        Action::MarkOnline,
        Action::MarkOffline(Reason::LocalClosed),
        Action::Close(Some(CloseCode::GOING_AWAY)),
        Action::Disconnect,
    ];
    for panics in [false, true] {
        let host = Host::open(move |stream| {
            let (mut socket, log) =
                logged(accept(stream, brisk().interval(Duration::MAX).build_const()).unwrap());
            let handler = move || {
                socket.read().unwrap();
                assert!(!panics, "a handler that panics");
            };
            assert_eq!(catch_unwind(AssertUnwindSafe(handler)).is_err(), panics);
            log.lock().unwrap().clone()
        });
        let mut peer = host.peer();
        peer.write(&frame(TEXT, b"hello"));
        peer.next_of(CLOSE);
        assert_eq!(host.join(), expected);
    }
}

#[test]
fn a_reader_is_told_at_the_verdict_and_not_when_the_peer_has_closed() {
    let host = Host::open(|stream| accept(stream, NEVER_CLOSES).unwrap().read().unwrap_err().reason());
    let frozen = host.peer();
    assert_eq!(host.join(), Reason::PingTimeout);
    drop(frozen);
}

#[test]
fn a_writer_is_told_at_the_verdict_and_not_when_the_peer_has_closed() {
    let host = Host::open(|stream| {
        let mut socket = accept(stream, NEVER_CLOSES).unwrap();
        socket.send(Message::binary(vec![0; 64 << 20])).unwrap_err().reason()
    });
    let frozen = host.peer();
    assert_eq!(host.join(), Some(Reason::WriteStalled));
    drop(frozen);
}

/// The driver once read two hundred a second, and lost what was left after `close_timeout`.
#[test]
fn all_that_was_said_before_the_peer_closed_is_read_after_our_close() {
    const COUNT: usize = 3000;
    let host = served(brisk().close_timeout(PATIENCE).build_const(), None, |life| {
        life.read_one(|_, _| ());
        life.socket.close(CloseCode::GOING_AWAY, "");
    });
    let mut peer = host.peer();
    let talk = frame(TEXT, b"and another thing").repeat(COUNT);
    peer.write(&[frame(TEXT, b"hello"), talk, close(1001, "")].concat());
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::LocalClosed);
    assert_eq!(life.messages.len(), 1 + COUNT);
}

#[test]
fn the_token_of_an_unpark_is_left_to_the_caller() {
    let host = served(brisk().build_const(), None, |life| {
        thread::current().unpark();
        life.read_one(|_, _| ());
        life.socket.close(CloseCode::NORMAL, "");
        life.read_to_the_end();
        // It does not wait.
        thread::park();
    });
    let mut peer = host.peer();
    peer.write(&[frame(TEXT, b"hello"), close(1000, "")].concat());
    host.join();
}

/// A `Reconnect` acts on this: it dials again after 1006, and gives up after 1000.
#[test]
fn a_server_that_breaks_the_protocol_ends_abnormally() {
    let host = Host::open(|stream| {
        let mut socket = tungstenite::accept(stream).unwrap();
        // A reserved opcode.
        socket.get_mut().write_all(&[0x83, 0]).unwrap();
        while socket.read().is_ok() {}
    });
    let (socket, _) = client("ws://localhost/", host.dial(), brisk().build_const()).unwrap();
    let reason = Watched::new(socket).life().offline.reason();
    assert_eq!(reason, Reason::ProtocolError(CloseCode::PROTOCOL_ERROR));
    assert_eq!(reason.connection_close_code(), 1006);
    host.join();
}
