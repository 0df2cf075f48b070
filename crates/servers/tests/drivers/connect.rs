//! Clients of both drivers that dial a server over TLS, and how each end of a TLS connection closes it.

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use ::tungstenite::Message;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::tokio_tungstenite::accept;
use liveness::driver::tungstenite::{ClientSocket, CountingSocket, MaybeTls, accept_over};
use liveness::driver::{ConnectError, Connector, tokio_tungstenite, tungstenite};
use liveness::reconnect::OnClose;
use liveness::{CloseCode, Config, Reason};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::trust::trust;
use liveness_testing::host::{Host, Life, Watched, brisk, strict};
use liveness_testing::raw_peer::{BINARY, PING, Peer, close, code_and_text, frame};

const CONFIG: Config = brisk().build_const();
const KIB: usize = 1 << 10;

type Tls<C> = StreamOwned<C, TcpStream>;

/// A watched server over TLS that sends each message back.
fn echo() -> (Host<Life>, Connector) {
    let (server, client) = trust();
    let host = Host::open(move |stream| {
        let connection = ServerConnection::new(server).unwrap();
        let socket = accept_over(StreamOwned::new(connection, CountingSocket::new(stream)), None).unwrap();
        let mut watched = Watched::new(socket.watch(CONFIG));
        watched.read_each(|socket, message| drop(socket.send(message.clone())));
        watched.life()
    });
    (host, Connector::new().tls(client))
}

/// A server over TLS in a thread. It uses rustls and tungstenite only.
fn bare<T: Send + 'static>(
    serve: impl FnOnce(::tungstenite::WebSocket<Tls<ServerConnection>>) -> T + Send + 'static,
) -> (Host<T>, Connector) {
    let (server, client) = trust();
    let host = Host::open(move |stream| {
        let stream = StreamOwned::new(ServerConnection::new(server).unwrap(), stream);
        serve(::tungstenite::accept(stream).unwrap())
    });
    (host, Connector::new().tls(client))
}

fn url(host: &Host<impl Send + 'static>) -> String {
    format!("wss://localhost:{}/", host.port())
}

#[tokio::test]
async fn a_server_over_tls_is_dialled_and_bytes_are_counted_under_it() {
    let (host, connector) = echo();
    let (mut socket, response) =
        tokio_tungstenite::connect_with(url(&host), &connector, CONFIG).await.unwrap();
    assert_eq!(response.status(), 101);
    let counters = socket.get_ref().unwrap().get_ref().get_ref().counters().clone();
    // The handshake of TLS with its certificate is counted too, although no WebSocket has seen it.
    let before = counters.received();
    assert!(before > 600, "{before}");
    for size in [1, 100 * KIB] {
        socket.send(Message::binary(vec![1; size])).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().len(), size);
    }
    assert!(counters.received() - before > 100 * KIB + 40, "{}", counters.received());
    socket.close(CloseCode::NORMAL, "");
    assert!(socket.next().await.is_none());
    host.join().assert_closed_by_peer();
}

#[test]
fn a_server_over_tls_is_dialled_by_a_thread_and_bytes_are_counted_under_it() {
    let (host, connector) = echo();
    let (mut socket, response) = tungstenite::connect_with(url(&host), &connector, CONFIG).unwrap();
    assert_eq!(response.status(), 101);
    let received = |socket: &ClientSocket| {
        let MaybeTls::Tls(stream) = socket.get_ref() else { panic!("no TLS") };
        stream.sock.received()
    };
    let before = received(&socket);
    assert!(before > 600, "{before}");
    for size in [1, 100 * KIB] {
        socket.send(Message::binary(vec![1; size])).unwrap();
        assert_eq!(socket.read().unwrap().len(), size);
    }
    assert!(received(&socket) - before > 100 * KIB as u64 + 40, "{}", received(&socket));
    socket.close(CloseCode::NORMAL, "");
    socket.finish();
    host.join().assert_closed_by_peer();
}

#[track_caller]
fn assert_refused(error: &ConnectError, words: &str) {
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
    assert!(error.to_string().starts_with("no connection by TLS: "), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    // The answer may come from the login page of a hotel, which may be gone tomorrow.
    assert_eq!(error.then(), OnClose::AT_ONCE);
}

/// A server whose client hangs up during the handshake of TLS.
fn distrusted() -> (Host<()>, Connector) {
    let (server, client) = trust();
    let host = Host::open(move |mut stream| {
        let mut connection = ServerConnection::new(server).unwrap();
        while connection.is_handshaking() && connection.complete_io(&mut stream).is_ok() {}
    });
    (host, Connector::new().tls(client))
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    for blocking in [true, false] {
        let (host, _) = distrusted();
        let url = url(&host);
        let error = if blocking {
            let dial = move || tungstenite::connect(url, CONFIG).map(drop).unwrap_err();
            tokio::task::spawn_blocking(dial).await.unwrap()
        } else {
            tokio_tungstenite::connect(url, CONFIG).await.map(drop).unwrap_err()
        };
        // It uses the system's certificates. The system may have some or none.
        assert_refused(&error, "");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    for blocking in [true, false] {
        let (host, connector) = distrusted();
        let url = format!("wss://127.0.0.1:{}/", host.port());
        let error = if blocking {
            let dial = move || tungstenite::connect_with(url, &connector, CONFIG).map(drop).unwrap_err();
            tokio::task::spawn_blocking(dial).await.unwrap()
        } else {
            tokio_tungstenite::connect_with(url, &connector, CONFIG).await.map(drop).unwrap_err()
        };
        assert_refused(&error, "certificate");
    }
}

/// The server speaks no TLS.
#[tokio::test]
async fn a_server_without_tls_is_refused() {
    for blocking in [true, false] {
        let host = Host::open(|mut stream: TcpStream| {
            use std::io::Write;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let (url, connector) = (url(&host), Connector::new().tls(trust().1));
        let error = if blocking {
            let dial = move || tungstenite::connect_with(url, &connector, CONFIG).map(drop).unwrap_err();
            tokio::task::spawn_blocking(dial).await.unwrap()
        } else {
            tokio_tungstenite::connect_with(url, &connector, CONFIG).await.map(drop).unwrap_err()
        };
        assert_refused(&error, "");
        host.join();
    }
}

/// A client that waits for the closing handshake would wait for an hour, and so would the test.
const NEVER_CLOSES: Config = strict().close_timeout(std::time::Duration::from_secs(3600)).build_const();

#[tokio::test]
async fn a_client_over_tls_is_told_at_the_verdict() {
    for blocking in [true, false] {
        let (host, connector) = bare(|socket| {
            // This server reads bytes, and understands none of them.
            let mut stream = socket.into_inner().sock;
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let url = url(&host);
        let reason = if blocking {
            let dial = move || {
                let (mut socket, _) = tungstenite::connect_with(url, &connector, NEVER_CLOSES).unwrap();
                socket.read().unwrap_err().reason()
            };
            tokio::task::spawn_blocking(dial).await.unwrap()
        } else {
            let (mut socket, _) =
                tokio_tungstenite::connect_with(url, &connector, NEVER_CLOSES).await.unwrap();
            socket.next().await.unwrap().unwrap_err().reason().unwrap()
        };
        assert_eq!(reason, Reason::PingTimeout);
        host.join();
    }
}

/// Reads what is left. `Ok`: TLS has said that it ends (RFC 8446 6.1). Otherwise anybody may have cut the connection.
fn read_to_the_end(stream: &mut impl Read) -> Result<(), ErrorKind> {
    let mut scrap = [0; 1024];
    loop {
        match stream.read(&mut scrap) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.kind()),
        }
    }
}

/// A server that closes its half first, as RFC 6455 7.1.1 asks. Returns whether the client has ended its TLS.
fn hears_the_leave(mut socket: ::tungstenite::WebSocket<Tls<ServerConnection>>) -> bool {
    while socket.read().is_ok() {}
    let Tls { mut conn, mut sock } = socket.into_inner();
    conn.send_close_notify();
    // A client that was dropped is gone already.
    while conn.wants_write() && conn.write_tls(&mut sock).is_ok() {}
    let _ = sock.shutdown(Shutdown::Write);
    loop {
        if conn.process_new_packets().unwrap().peer_has_closed() {
            return true;
        }
        if !matches!(conn.read_tls(&mut sock), Ok(1..)) {
            return false;
        }
    }
}

#[tokio::test]
async fn a_client_of_tokio_takes_its_leave_of_tls() {
    for dropped in [false, true] {
        let (host, connector) = bare(hears_the_leave);
        let (mut socket, _) = tokio_tungstenite::connect_with(url(&host), &connector, CONFIG).await.unwrap();
        if !dropped {
            socket.close(CloseCode::NORMAL, "");
            while socket.next().await.is_some() {}
        }
        drop(socket);
        assert!(host.join(), "dropped: {dropped}");
    }
}

#[test]
fn a_client_in_a_thread_takes_its_leave_of_tls() {
    for dropped in [false, true] {
        let (host, connector) = bare(hears_the_leave);
        let (mut socket, _) = tungstenite::connect_with(url(&host), &connector, CONFIG).unwrap();
        if !dropped {
            socket.close(CloseCode::NORMAL, "");
            socket.finish();
        }
        drop(socket);
        assert!(host.join(), "dropped: {dropped}");
    }
}

/// A raw client over TLS.
fn raw(port: u16) -> Peer<Tls<ClientConnection>> {
    let stream = liveness_testing::host::bound(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let name = ServerName::try_from("localhost").unwrap();
    Peer::shake_hands(StreamOwned::new(ClientConnection::new(trust().1, name).unwrap(), stream))
}

#[test]
fn a_server_in_a_thread_takes_its_leave_of_tls() {
    let (host, _) = echo();
    let mut peer = raw(host.port());
    peer.write(&close(1000, ""));
    assert_eq!(code_and_text(&peer.next_of(liveness_testing::raw_peer::CLOSE)).0, 1000);
    assert_eq!(read_to_the_end(&mut peer.0), Ok(()));
    host.join().assert_closed_by_peer();
}

/// Accepts one client over TLS, and echoes until the end.
async fn serve(listener: TcpListener, server: Arc<ServerConfig>, config: Config) -> Reason {
    let (stream, _) = listener.accept().await.unwrap();
    let stream = TlsAcceptor::from(server).accept(stream).await.unwrap();
    let mut socket = accept(stream, config).await.unwrap();
    while let Some(message) = socket.next().await {
        if let Ok(message) = message {
            let _ = socket.send(message).await;
        }
    }
    socket.liveness().verdict().unwrap()
}

#[tokio::test]
async fn a_server_of_tokio_takes_its_leave_of_tls() {
    for frozen in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = if frozen { strict().build_const() } else { CONFIG };
        let server = tokio::spawn(serve(listener, trust().0, config));
        let client = move || {
            let mut peer = raw(port);
            if !frozen {
                peer.write(&frame(BINARY, b"hello"));
                assert_eq!(peer.next_of(BINARY).1, b"hello");
                peer.write(&close(1000, ""));
            } else {
                peer.next_of(PING);
            }
            peer.next_of(liveness_testing::raw_peer::CLOSE);
            read_to_the_end(&mut peer.0)
        };
        assert_eq!(tokio::task::spawn_blocking(client).await.unwrap(), Ok(()));
        let expected = if frozen { Reason::PingTimeout } else { Reason::PeerClosed(Some(1000)) };
        assert_eq!(server.await.unwrap(), expected);
    }
}
