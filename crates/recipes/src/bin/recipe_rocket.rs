//! Rocket 0.5: `rocket_ws` does the handshake. tungstenite makes frames of the bytes of the connection that Rocket hands
//! over.
//!
//! What cannot be done: Rocket 0.5 opens its listener itself, so no socket is tuned. On Linux the kernel then takes up to
//! 4 MB for a slow reader, and a ping behind them counts as sent. A live reader that needs longer than `timeout` for
//! these bytes is given up. If you have such downloads, set the limit for the whole machine: `sysctl
//! net.ipv4.tcp_notsent_lowat=131072`. Rocket sets no deadline for the head of a request either: put a proxy in front that
//! sets it.

use std::net::{SocketAddr, TcpListener};

use liveness_recipes::{Failure, flags};
use rocket::fairing::AdHoc;
use rocket::{get, routes};

mod glue {
    use std::io;
    use std::pin::Pin;

    use liveness::driver::tokio_tungstenite::from_raw_socket;
    use liveness::session::Role;
    use liveness_recipes::{echo, settings};
    use rocket::data::{IoHandler, IoStream};
    use rocket::http::Status;
    use rocket::response::Responder;
    use rocket::{Request, Response};

    /// Use this in place of `rocket_ws::Channel`.
    pub struct Watched(pub rocket_ws::WebSocket);

    impl<'r> Responder<'r, 'static> for Watched {
        fn respond_to(self, _: &'r Request<'_>) -> Result<Response<'static>, Status> {
            let mut response = Response::build();
            response.raw_header("Sec-WebSocket-Version", "13");
            response.raw_header("Sec-WebSocket-Accept", self.0.accept_key().to_owned());
            response.upgrade("websocket", self).ok()
        }
    }

    #[rocket::async_trait]
    impl IoHandler for Watched {
        async fn io(self: Pin<Box<Self>>, io: IoStream) -> io::Result<()> {
            let socket = from_raw_socket(io, Role::Server, Some(settings()), echo().config).await;
            echo().serve(socket).await;
            Ok(())
        }
    }
}

#[get("/")]
fn serve(ws: rocket_ws::WebSocket) -> glue::Watched {
    glue::Watched(ws)
}

#[rocket::main]
async fn main() -> Result<(), Failure> {
    // Rocket takes no listener, and does not say which port it got. So it is given a port that is free.
    let address: SocketAddr = TcpListener::bind(flags()?.address())?.local_addr()?;
    let settings =
        rocket::Config { address: address.ip(), port: address.port(), ..rocket::Config::release_default() };
    let settings = rocket::Config { log_level: rocket::log::LogLevel::Off, ..settings };
    let listening =
        AdHoc::on_liftoff("listening", move |_| Box::pin(async move { liveness_flags::announce(address) }));
    rocket::custom(settings).attach(listening).mount("/", routes![serve]).launch().await?;
    Ok(())
}
