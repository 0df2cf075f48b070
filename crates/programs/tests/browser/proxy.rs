//! The network between a page and its program: a proxy on loopback that can do what networks do.
//!
//! While a direction is cut, its bytes wait, as TCP keeps them and sends them again. Nobody is told anything. After
//! [`Proxy::heal`] they arrive. A connection that was [forgotten](Proxy::forget) never carries anything again.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::runtime;

/// The direction in which nothing gets through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    ToServer,
    ToPage,
    Both,
}

/// The state of the network.
#[derive(Clone, Copy, Default)]
struct Weather {
    cut: Option<Way>,
    delay: Duration,
    /// How many times all current connections were reset, and how many times they were forgotten.
    resets: usize,
    forgets: usize,
}

impl Weather {
    fn passes(&self, way: Way) -> bool {
        self.cut.is_none_or(|cut| cut != way && cut != Way::Both)
    }
}

/// A proxy in front of one server. A new connection finds the network in its current state.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let (weather, seen) = watch::channel(Weather::default());
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let task = runtime().spawn(async move {
            // It ends with the proxy, and its connections end with it.
            let mut connections = JoinSet::new();
            while let Ok((page, _)) = listener.accept().await {
                connections.spawn(connection(page, server, seen.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, weather, task }
    }

    /// Where a page finds the program through this proxy.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// From now on no byte gets through, in this direction or in both. Every connection stays open.
    pub(crate) fn cut(&self, way: Way) {
        self.weather.send_modify(|weather| weather.cut = Some(way));
    }

    /// Each byte takes this much longer, in each direction.
    pub(crate) fn slow(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Ends every open connection with a reset, on both sides.
    pub(crate) fn reset(&self) {
        self.weather.send_modify(|weather| weather.resets += 1);
    }

    /// Forgets every open connection, like a router that was switched off and on. The connections stay open, but are
    /// dead.
    pub(crate) fn forget(&self) {
        self.weather.send_modify(|weather| weather.forgets += 1);
    }

    /// A good network again: what was held back arrives.
    pub(crate) fn heal(&self) {
        self.weather.send_modify(|weather| {
            weather.cut = None;
            weather.delay = Duration::ZERO;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(page: TcpStream, server: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let born = *weather.borrow();
    // A client that dials through a cut waits, as if its SYN were lost.
    let _ = weather.wait_for(|now| now.cut.is_none() || now.resets != born.resets).await;
    let Ok(server) = TcpStream::connect(server).await else {
        let _ = page.set_zero_linger();
        return;
    };
    let (mut page, mut server) = (page, server);
    let _ = page.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let fate = weather.clone();
    let relayed = tokio::select! {
        () = relay(&mut page, &mut server, &weather) => true,
        () = changed(fate.clone(), move |now| now.resets != born.resets || now.forgets != born.forgets) => false,
    };
    if relayed {
        return;
    }
    // Forgotten: both sides stay open and nobody reads them, until a reset.
    changed(fate, move |now| now.resets != born.resets).await;
    let _ = page.set_zero_linger();
    let _ = server.set_zero_linger();
}

/// Waits until the network is in this state, perhaps for ever.
async fn changed(mut weather: watch::Receiver<Weather>, so: impl Fn(&Weather) -> bool) {
    if weather.wait_for(so).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Carries both directions until both have ended, or one has failed.
async fn relay(page: &mut TcpStream, server: &mut TcpStream, weather: &watch::Receiver<Weather>) {
    let (from_page, to_page) = page.split();
    let (from_server, to_server) = server.split();
    let there = carry(from_page, to_server, Way::ToServer, weather.clone());
    let back = carry(from_server, to_page, Way::ToPage, weather.clone());
    let _ = tokio::try_join!(there, back);
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    mut weather: watch::Receiver<Weather>,
) -> std::io::Result<()> {
    let (send, mut receive) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let departing = weather.clone();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            let due = Instant::now() + departing.borrow().delay;
            // An empty one is the end, which also takes its time.
            if send.send((due, buffer[..length].to_vec())).await.is_err() || length == 0 {
                return Ok(());
            }
        }
    };
    let write = async {
        while let Some((due, bytes)) = receive.recv().await {
            sleep_until(due).await;
            let _ = weather.wait_for(|now| now.passes(way)).await;
            if bytes.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&bytes).await?;
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(drop)
}
