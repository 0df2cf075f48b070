//! A WebSocket server that knows who is there: one thread, plain `poll(2)`, and a `Connection` for each client.
//!
//! `cargo run -p liveness-servers --bin server_poll -- --interval 5s --timeout 10s`
//!
//! The shortest loop that serves many. It is for some hundred clients, because each turn asks the system about all of
//! them. `server_mio` has the same loop for many thousands: it remembers who is ready. One client's turn is the same in
//! both.
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

#[cfg(unix)]
fn main() -> Result<(), liveness_servers::Failure> {
    unix::serve()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("there is no poll(2) here: see server_mio");
}

#[cfg(unix)]
mod unix {
    use std::io::ErrorKind;
    use std::net::TcpStream;
    use std::time::Duration;

    use clap::Parser;
    use liveness::driver::tune;
    use liveness::{Clock, Timestamp};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    use liveness_servers::nonblocking::Client;
    use liveness_servers::{Args, Failure, complain};

    pub(crate) fn serve() -> Result<(), Failure> {
        let args = Args::parse();
        args.no_tls()?;
        let (config, clock, listener) = (args.config()?, Clock::new(), args.listen()?);
        listener.set_nonblocking(true)?;
        let mut accepted = 0;
        let mut clients: Vec<(Client<TcpStream>, Timestamp)> = Vec::new();
        // No file is left for another client. The listener would be ready all the time, so it is asked now and then.
        let mut is_full = false;
        loop {
            // Wait until a client comes, sends something or has room, or until the first deadline.
            let now = clock.now();
            let wanted = if is_full { PollFlags::empty() } else { PollFlags::IN };
            let mut asked = vec![PollFd::new(&listener, wanted)];
            asked.extend(clients.iter().map(|(client, _)| {
                let (read, write) = client.wants(now);
                let mut wanted = PollFlags::empty();
                wanted.set(PollFlags::IN, read);
                wanted.set(PollFlags::OUT, write);
                PollFd::new(&client.socket, wanted)
            }));
            let retry = is_full.then(|| now + Duration::from_millis(10));
            let first = clients.iter().map(|(_, wake)| *wake).chain(retry).min();
            match poll(&mut asked, clock.until(first).map(timespec).as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ready: Vec<PollFlags> = asked.iter().map(PollFd::revents).collect();

            // A client that has something to do has a turn. A client that is gone is removed.
            let now = clock.now();
            let mut ready = ready.into_iter();
            let mut has_come = ready.next().is_some_and(|listener| !listener.is_empty()) || is_full;
            is_full = false;
            clients.retain_mut(|(client, wake)| {
                let events = ready.next().unwrap_or(PollFlags::empty());
                let ended = events.intersects(PollFlags::ERR | PollFlags::HUP);
                client.readable = ended || events.contains(PollFlags::IN);
                client.writable = ended || events.contains(PollFlags::OUT);
                if !client.readable && !client.writable && now < *wake {
                    return true;
                }
                // A message that a deadline brings may go out at once.
                client.writable |= !client.wants(now).1;
                client.turn(&args, config, clock).map(|next| *wake = next).is_some()
            });
            while has_come {
                match listener.accept().and_then(|(stream, _)| stream.set_nonblocking(true).map(|()| stream))
                {
                    Ok(stream) => {
                        accepted += 1;
                        tune(&stream);
                        clients.push((Client::new(stream, accepted, clock.now()), clock.now()));
                    }
                    Err(error) => {
                        is_full = error.kind() != ErrorKind::WouldBlock;
                        has_come = false;
                        if is_full {
                            complain(format_args!("no client is let in: {error}"));
                        }
                    }
                }
            }
        }
    }

    /// Rounded up to the millisecond. Otherwise a wait could end just before its deadline, and begin again and again.
    fn timespec(wait: Duration) -> Timespec {
        let wait = wait.min(Duration::from_secs(3600)) + Duration::from_millis(1);
        Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_millis()) * 1_000_000 }
    }
}
