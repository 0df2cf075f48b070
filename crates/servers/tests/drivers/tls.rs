//! TLS: bytes are counted below the records, because a record shows nothing until it is whole.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use liveness::driver::tungstenite::{CountingSocket, accept_over, client_over};
use liveness::{CloseCode, Config, Reason};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;
use tungstenite::Message;
use tungstenite::protocol::WebSocketConfig;

use crate::trust::trust;
use liveness_testing::host::{Host, LONGER, Life, Stingy, Watched, brisk, outlasted, strict};
use liveness_testing::raw_peer::{
    BINARY, FIN, PATIENCE, PING, PONG, Peer, close, code_and_text, frame, header, millis, sleep,
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

type ServerSide = StreamOwned<ServerConnection, CountingSocket<TcpStream>>;
type ClientSide<S> = StreamOwned<ClientConnection, S>;

fn client_side<S: Read + Write>(config: Arc<ClientConfig>, stream: S) -> ClientSide<S> {
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
}

fn server_side(config: Arc<ServerConfig>, stream: TcpStream) -> ServerSide {
    StreamOwned::new(ServerConnection::new(config).unwrap(), CountingSocket::new(stream))
}

/// A server that calls `act`, then reads until the end, and its raw peer. Both use TLS.
fn served(
    config: Config,
    act: impl FnOnce(&mut Watched<ServerSide>) + Send + 'static,
) -> (Host<Life>, Peer<ClientSide<TcpStream>>) {
    let (server, client) = trust();
    let host = Host::open(move |stream| {
        let settings = WebSocketConfig::default().max_frame_size(Some(64 * MIB));
        let socket = accept_over(server_side(server, stream), Some(settings)).unwrap();
        let mut watched = Watched::new(socket.watch(config));
        act(&mut watched);
        watched.life()
    });
    let stream = host.dial();
    // What the kernel holds when the ping goes out must be read within the timeout, so the buffer is small.
    SockRef::from(&stream).set_recv_buffer_size(64 * KIB).unwrap();
    (host, Peer::shake_hands(client_side(client, stream)))
}

/// The pieces are half records with a rest between them. TLS cannot use such a piece yet, but its bytes are a sign of
/// life.
#[test]
fn a_large_message_that_dribbles_in_keeps_its_sender_alive() {
    let (host, mut peer) = served(outlasted().build_const(), |_| ());
    let mut message = header(FIN | BINARY, 256 * KIB as u64);
    message.extend(vec![7; 256 * KIB]);
    let mut wire = Vec::new();
    for piece in message.chunks(16 * KIB) {
        peer.0.conn.writer().write_all(piece).unwrap();
        while peer.0.conn.wants_write() {
            peer.0.conn.write_tls(&mut wire).unwrap();
        }
    }
    for piece in wire.chunks(5 * KIB) {
        peer.0.sock.write_all(piece).unwrap();
        sleep(LONGER / 50);
    }
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, [Message::binary(vec![7; 256 * KIB])]);
    assert!(life.lasted >= LONGER, "{life:?}");
}

/// One record that takes longer than the timeout.
#[test]
fn one_record_that_trickles_in_keeps_its_sender_alive() {
    let (host, mut peer) = served(outlasted().build_const(), |_| ());
    peer.0.conn.writer().write_all(&frame(BINARY, b"small")).unwrap();
    let mut wire = Vec::new();
    peer.0.conn.write_tls(&mut wire).unwrap();
    for byte in wire {
        peer.0.sock.write_all(&[byte]).unwrap();
        sleep(LONGER / 30);
    }
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, [Message::binary(b"small".to_vec())]);
    assert!(life.lasted >= LONGER, "{life:?}");
}

#[test]
fn a_slow_reader_of_a_large_download_lives() {
    let (host, mut peer) = served(outlasted().build_const(), |life| {
        // The peer may have closed by the time this is sent.
        let _ = life.socket.send(Message::binary(vec![0; 16 * MIB]));
    });
    // All the rests together are longer than the timeout. Each is far shorter.
    for _ in 0..12 {
        sleep(LONGER / 12);
        peer.0.read_exact(&mut vec![0; MIB]).unwrap();
    }
    peer.0.read_exact(&mut vec![0; 4 * MIB + 10]).unwrap();
    assert_eq!(peer.next_of(PING).1.len(), 8);
    peer.write(&close(1000, ""));
    host.join().assert_closed_by_peer();
}

/// Both directions at once: what the peer says is heard while nothing that we write gets through.
#[test]
fn talk_is_heard_while_our_writing_is_blocked() {
    // The transport takes nothing for so long. Talk does not excuse that.
    let (host, mut peer) = served(outlasted().write_timeout(PATIENCE).build_const(), |life| {
        // The peer may have closed by the time this is sent.
        let _ = life.socket.send(Message::binary(vec![0; 16 * MIB]));
    });
    let mut upload = header(FIN | BINARY, 100 * KIB as u64);
    upload.extend(vec![1; 100 * KIB]);
    for piece in upload.chunks(5 * KIB) {
        peer.write(piece);
        sleep(LONGER / 20);
    }
    assert_eq!(peer.next_of(BINARY).1.len(), 16 * MIB);
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, [Message::binary(vec![1; 100 * KIB])]);
}

#[test]
fn a_frozen_peer_is_given_up_and_its_socket_closes() {
    let (host, mut peer) = served(strict().build_const(), |_| ());
    assert_eq!(host.join().offline.reason(), Reason::PingTimeout);
    assert_eq!(code_and_text(&peer.final_close()), (3008, Reason::PingTimeout.description().to_owned()));
}

#[test]
fn a_peer_that_never_reads_stalls_our_writing_and_is_given_up() {
    // The first ping waits behind the message, and is not sent before it.
    let (host, peer) = served(strict().interval(millis(1000)).jitter(0).build_const(), |life| {
        let offline = life.socket.send(Message::binary(vec![0; 48 * MIB])).unwrap_err();
        assert_eq!(offline.reason(), Some(Reason::WriteStalled));
    });
    host.join();
    drop(peer);
}

#[test]
fn a_close_is_echoed() {
    let (host, mut peer) = served(brisk().build_const(), |_| ());
    peer.write(&close(1001, "bye"));
    assert_eq!(code_and_text(&peer.final_close()).0, 1001);
    assert_eq!(host.join().offline.reason(), Reason::PeerClosed(Some(1001)));
}

/// TLS's own buffer is full, and still full after ten bytes of it went out. That it takes no byte is not a reset.
#[test]
fn a_full_buffer_of_tls_is_no_reset() {
    let (server, client) = trust();
    let host = Host::open(move |stream| {
        let connection = ServerConnection::new(server).unwrap();
        let stingy = Stingy { writes: 7, takes: 10, ..Stingy::never(stream) };
        let armed = Arc::clone(&stingy.armed);
        let socket = accept_over(StreamOwned::new(connection, CountingSocket::new(stingy)), None).unwrap();
        armed.store(true, Ordering::Relaxed);
        let mut watched = Watched::new(socket.watch(brisk().build_const()));
        let _ = watched.socket.send(Message::binary(vec![3; 200_000]));
        watched.life()
    });
    let stream = host.dial();
    let mut peer = Peer::shake_hands(client_side(client, stream));
    assert_eq!(peer.next_of(BINARY).1.len(), 200_000);
    peer.write(&close(1000, ""));
    host.join().assert_closed_by_peer();
}

/// RFC 8446 6.1: the peer will send no more. TLS says so before the transport does.
#[test]
fn the_end_of_tls_is_the_end_of_the_transport() {
    let (host, mut peer) = served(brisk().build_const(), |_| ());
    peer.0.conn.send_close_notify();
    peer.0.conn.complete_io(&mut peer.0.sock).unwrap();
    assert_eq!(host.join().offline.reason(), Reason::TransportClosed);
}

/// A client over TLS from the same library: many messages in both directions, and both ends are watched.
#[test]
fn both_ends_are_watched_and_talk() {
    let (server, client) = trust();
    let host = Host::open(move |stream| {
        let socket = accept_over(server_side(server, stream), None).unwrap();
        let mut watched = Watched::new(socket.watch(brisk().build_const()));
        watched.read_each(|socket, message| drop(socket.send(message.clone())));
        watched.life()
    });
    let stream = client_side(client, CountingSocket::new(host.dial()));
    let (socket, response) = client_over("ws://localhost/", stream, None).unwrap();
    assert_eq!(response.status(), 101);
    let mut socket = socket.watch(brisk().build_const());
    for size in [1, 100 * KIB, 2 * MIB] {
        socket.send(Message::binary(vec![1; size])).unwrap();
        assert_eq!(socket.read().unwrap().len(), size);
    }
    sleep(millis(100));
    socket.close(CloseCode::NORMAL, "bye");
    assert_eq!(socket.read().unwrap_err().reason(), Reason::LocalClosed);
    host.join().assert_closed_by_peer();
}

#[test]
fn a_ping_is_answered() {
    let (host, mut peer) = served(brisk().build_const(), |_| ());
    peer.write(&frame(PING, b"?"));
    assert_eq!(peer.next_of(PONG).1, b"?");
    peer.write(&close(1000, ""));
    host.join().assert_closed_by_peer();
}
