//! What the peers use as a transport.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};

/// A socket, or TLS over one.
pub struct Wire {
    pub(crate) socket: TcpStream,
    tls: Option<ClientConnection>,
}

impl Wire {
    pub(crate) fn over(socket: TcpStream, tls: Option<&Arc<ClientConfig>>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let tls = tls.map(|tls| ClientConnection::new(Arc::clone(tls), name).unwrap());
        Self { socket, tls }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => Stream::new(tls, &mut self.socket).read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => Stream::new(tls, &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.flush(),
            Some(tls) => Stream::new(tls, &mut self.socket).flush(),
        }
    }
}
