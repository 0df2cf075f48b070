//! The client's end of the driver, and sockets that are not TCP's.

use std::io::{self, Read as _, Write as _};
use std::thread;

use liveness::driver::tungstenite::{CountingSocket, accept, accept_hdr, client};
use liveness::{CloseCode, Reason};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Error, Message};

use liveness_testing::host::{Host, Watched, brisk, reader, strict};
use liveness_testing::raw_peer::{PATIENCE, REQUEST, close, code_and_text, millis, sleep};

#[test]
fn a_client_gives_up_a_server_that_has_gone_mute() {
    let host = Host::open(|stream| {
        let mut socket = tungstenite::accept(stream).unwrap();
        socket.send(Message::text("welcome")).unwrap();
        socket
    });
    // Long enough for the welcome even on a busy machine. There is only one ping: the next would come after the verdict,
    // and not even a client that is scheduled late sends a fresh one.
    let config =
        strict().interval(millis(2500)).timeout(millis(2000)).stall_tolerance(PATIENCE).build_const();
    let (socket, response) = client("ws://localhost/chat", host.dial(), config).unwrap();
    assert_eq!(response.status(), 101);
    let life = Watched::new(socket).life();
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    assert_eq!(life.messages, [Message::text("welcome")]);
    // The server wakes, and reads what a server must be able to read: masked frames.
    let mut server = host.join();
    assert!(matches!(server.read().unwrap(), Message::Ping(payload) if payload.len() == 8));
    let Message::Close(Some(close)) = server.read().unwrap() else { panic!("no Close") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (3008, Reason::PingTimeout.description()));
}

#[test]
fn a_client_and_a_server_that_both_watch_keep_each_other() {
    let host = reader(brisk().build_const());
    let (mut socket, _) = client("ws://localhost/", host.dial(), brisk().build_const()).unwrap();
    // Only `send` is called here. The heartbeats of both sides still go on.
    while socket.liveness().stats().answers < 3 {
        socket.send(Message::text("still here")).unwrap();
        sleep(millis(20));
    }
    socket.close(CloseCode::NORMAL, "");
    assert_eq!(socket.read().unwrap_err().reason(), Reason::LocalClosed);
    host.join().assert_closed_by_peer();
}

#[test]
fn a_client_hears_the_servers_close() {
    let host = Host::open(|stream| {
        let mut socket = accept(stream, brisk().build_const()).unwrap();
        socket.close(CloseCode::GOING_AWAY, "restart");
        socket.read().unwrap_err().reason()
    });
    let (socket, _) = client("ws://localhost/", host.dial(), brisk().build_const()).unwrap();
    let life = Watched::new(socket).life();
    assert_eq!(life.offline.reason(), Reason::PeerClosed(Some(1001)));
    assert_eq!(host.join(), Reason::LocalClosed);
}

#[test]
fn the_peers_close_frame_is_kept() {
    let host = Host::open(|stream| {
        let mut socket = accept(stream, brisk().build_const()).unwrap();
        socket.read().unwrap_err();
        socket.close_frame().map(|frame| (u16::from(frame.code), frame.reason.to_string()))
    });
    let mut peer = host.peer();
    peer.write(&close(4000, "so long"));
    assert_eq!(code_and_text(&peer.final_close()).0, 4000);
    drop(peer);
    assert_eq!(host.join(), Some((4000, "so long".to_owned())));
}

/// Both ends in this process, over a pair of Unix sockets.
#[cfg(unix)]
#[test]
fn unix_sockets_are_sockets_too() {
    use std::os::unix::net::UnixStream;
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let config = brisk().evidence(liveness::Evidence::PongOnly).build_const();
        let mut watched = Watched::new(accept(ours, config).unwrap());
        watched.read_each(|socket, message| drop(socket.send(message.clone())));
        watched.life()
    });
    let (mut socket, _) = client("ws://localhost/", theirs, brisk().build_const()).unwrap();
    const COUNT: usize = 40;
    for _ in 0..COUNT {
        socket.send(Message::binary(vec![9; 300_000])).unwrap();
        assert_eq!(socket.read().unwrap().len(), 300_000);
        sleep(millis(30));
    }
    socket.close(CloseCode::NORMAL, "");
    assert_eq!(socket.read().unwrap_err().reason(), Reason::LocalClosed);
    let life = server.join().unwrap();
    life.assert_closed_by_peer();
    assert_eq!(life.messages.len(), COUNT);
    assert!(life.stats.answers > 3, "{life:?}");
}

#[cfg(unix)]
#[test]
fn a_frozen_peer_on_a_unix_socket_is_given_up() {
    use std::os::unix::net::UnixStream;
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(REQUEST).unwrap();
    let life = Watched::new(accept(ours, strict().build_const()).unwrap()).life();
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    let mut everything = Vec::new();
    theirs.read_to_end(&mut everything).unwrap();
    assert!(everything.ends_with(Reason::PingTimeout.description().as_bytes()));
}

/// `HANDSHAKE_TIMEOUT` is for the whole handshake, and no other clock runs yet. Each of these takes ten seconds, all at
/// the same time.
#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let [silent, halfway, dripping] = [(); 3]
        .map(|()| Host::open(|stream| expect_timeout(accept(stream, brisk().build_const()).map(drop))));
    let quiet = silent.dial();
    let mut slow = dripping.dial();
    let drip = thread::spawn(move || {
        for byte in REQUEST {
            if slow.write_all(&[*byte]).is_err() {
                return;
            }
            sleep(millis(250));
        }
    });
    let mut hesitant = halfway.dial();
    hesitant.write_all(&REQUEST[..40]).unwrap();

    let mute = Host::open(rest_with);
    let stream = mute.dial();
    expect_timeout(client("ws://localhost/", stream, brisk().build_const()).map(drop));

    silent.join();
    halfway.join();
    dripping.join();
    mute.join();
    drip.join().unwrap();
    drop((quiet, hesitant));
}

#[test]
#[expect(clippy::result_large_err, reason = "tungstenite's own answer")]
fn who_looks_at_the_request_sees_its_path_and_watches_as_ever() {
    let host = Host::open(|stream| {
        let mut path = String::new();
        let look = |request: &Request, response: Response| {
            path = request.uri().path().to_owned();
            Ok(response)
        };
        let socket = accept_hdr(CountingSocket::new(stream), look, None).unwrap();
        (path, Watched::new(socket.watch(strict().build_const())).life())
    });
    let (frozen, _) = tungstenite::client("ws://localhost/rooms/7", host.dial()).unwrap();
    let (path, life) = host.join();
    assert_eq!(path, "/rooms/7");
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    drop(frozen);
}

#[test]
#[expect(clippy::result_large_err, reason = "tungstenite's own answer")]
fn who_looks_at_the_request_may_refuse_it() {
    let host = Host::open(|stream| {
        let refuse = |_: &Request, _: Response| {
            let mut answer = ErrorResponse::new(None);
            *answer.status_mut() = tungstenite::http::StatusCode::FORBIDDEN;
            Err(answer)
        };
        accept_hdr(CountingSocket::new(stream), refuse, None).map(drop)
    });
    let error = tungstenite::client("ws://localhost/", host.dial()).unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
    assert!(matches!(host.join(), Err(Error::Http(_))));
}

fn rest_with(mut stream: std::net::TcpStream) {
    // Until the client hangs up.
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}

#[track_caller]
fn expect_timeout(result: Result<(), Error>) {
    match result {
        Err(Error::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_debug_line_says_what_matters() {
    let host = Host::open(|stream| {
        let socket = accept(stream, brisk().build_const()).unwrap();
        format!("{socket:?}")
    });
    let peer = host.peer();
    assert!(host.join().contains("inbox: 0"));
    drop(peer);
}
