//! A proxy that dies as a NAT box dies: from some moment on it drops everything, and tells nobody.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use liveness::{Clock, Timestamp};

use crate::board::Change;
use crate::cases::{FAULTS, LEAVE};
use crate::clients::{Line, Seat, is_timeout};

/// How often a pump looks at the clock.
const GLANCE: Duration = Duration::from_millis(10);

/// Connects this seat through its own proxy.
pub(crate) fn dial(seat: &Seat) -> io::Result<Line> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // The server's peer is the proxy, so the board must have the proxy's line.
    let upstream = seat.dial(None)?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    let (downstream, _) = listener.accept()?;

    let (board, link) = (seat.board.clone(), upstream.link);
    let to_server = Pump::new(&downstream, &upstream.stream, seat.clock())?;
    let to_client = Pump::new(&upstream.stream, &downstream, seat.clock())?;
    thread::Builder::new().spawn(move || {
        to_server.run(|last_sign| board.record_at(link, last_sign, Change::Fault));
    })?;
    thread::Builder::new().spawn(move || to_client.run(|_| ()))?;
    Ok(upstream.over(stream))
}

/// One direction.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    clock: Clock,
}

impl Pump {
    fn new(from: &TcpStream, to: &TcpStream, clock: Clock) -> io::Result<Self> {
        from.set_read_timeout(Some(GLANCE))?;
        Ok(Self { from: from.try_clone()?, to: to.try_clone()?, clock })
    }

    /// Pumps until the cut, reports when the last byte went through, then drops everything.
    ///
    /// It goes on reading. No FIN and no RST tells an end what happened, and a full buffer must not tell it either.
    fn run(mut self, cut: impl FnOnce(Timestamp)) {
        let mut last_byte = self.clock.now();
        let mut cut = Some(cut);
        let mut buffer = [0; 16 * 1024];
        while self.clock.now() < LEAVE {
            let count = match self.from.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => count,
                Err(error) if is_timeout(&error) => 0,
                Err(_) => return,
            };
            if self.clock.now() >= FAULTS {
                cut.take().into_iter().for_each(|cut| cut(last_byte));
            } else if count > 0 {
                last_byte = self.clock.now();
                if self.to.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
        }
    }
}
