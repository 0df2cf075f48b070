//! A WebSocket server that knows who is there: tungstenite, a thread for each connection.
//!
//! `cargo run -p liveness-servers --bin server_blocking -- --interval 5s --timeout 10s`
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change: `SECONDS
//! online|suspect|offline|disconnect CONNECTION [REASON]`. Prints its address on stderr, because with port 0 the system
//! picks a port.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use clap::Parser;
use liveness::driver::tungstenite::{
    CountingSocket, Error, LiveSocket, Ready, Transport, accept_over, accept_raw,
};
use liveness::transcript::Recorder;
use liveness::{Clock, Config};
use rustls::{ServerConnection, StreamOwned};
use tungstenite::Message;

use liveness_servers::{Args, Failure, MIB, complain, limits, tls};

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let config = args.config()?;
    let tls = tls(&args)?;
    let listener = args.listen()?;
    let clock = Clock::new();
    for (stream, connection) in listener.incoming().zip(1..) {
        let (args, tls) = (args.clone(), tls.clone());
        let serve = move |stream: TcpStream| match tls {
            None => converse(accept_raw(stream, Some(limits())), connection, config, &args, clock),
            Some(tls) => {
                let Ok(tls) = ServerConnection::new(tls) else { return };
                // Bytes are counted on the wire, below TLS.
                let stream = StreamOwned::new(tls, CountingSocket::new(stream));
                converse(accept_over(stream, Some(limits())), connection, config, &args, clock);
            }
        };
        // A server that has no file or thread left turns a client away, and goes on.
        let spawned =
            stream.and_then(|stream| thread::Builder::new().stack_size(MIB / 2).spawn(move || serve(stream)));
        if let Err(error) = spawned {
            complain(format_args!("connection {connection}: {error}"));
            thread::park_timeout(Duration::from_millis(10));
        }
    }
    Ok(())
}

fn converse<S: Transport>(
    ready: Result<Ready<S>, tungstenite::Error>,
    connection: usize,
    config: Config,
    args: &Args,
    clock: Clock,
) {
    let Ok(ready) = ready else { return };
    let mut socket =
        ready.watch(config).on_action(move |action, _| liveness_servers::print(action, connection, clock));
    match args.record(connection) {
        Ok(None) => {}
        Ok(Some(sink)) => socket = socket.observe(Recorder::new(sink)),
        Err(error) => return complain(format_args!("connection {connection}: no record: {error}")),
    }
    while let Ok(message) = socket.read() {
        // If this fails, the next `read` reports the end.
        let _ = answer(&mut socket, message);
    }
    // The peer may still be told why, and may close too.
    socket.finish();
}

fn answer(socket: &mut LiveSocket<impl Transport>, message: Message) -> Result<(), Error> {
    let wanted = if let Message::Text(text) = &message { liveness_servers::flood(text) } else { None };
    let Some(bytes) = wanted else { return socket.send(message) };
    for fragment in liveness_servers::fragments(bytes) {
        socket.send(fragment)?;
    }
    Ok(())
}
