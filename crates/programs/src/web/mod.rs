//! What the programs with a page share and none is about: flags, the door, and the page's files.
//!
//! ```text
//! use liveness_programs::web;
//!
//! /// Who is here, and what they say.
//! #[derive(Parser)]
//! struct Options { // not `Args`: clap tells flattened groups apart by their names
//!     #[command(flatten)]
//!     web: web::Args,
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), web::Failure> {
//!     let args = Options::parse();
//!     let config = args.web.config(Config::builder())?;
//!     let listener = args.web.listen()?;
//!     let page = web::page(include_str!("page.html"), include_str!("page.js"));
//!     web::serve(listener, page.route("/live", any(upgrade)).with_state(app)).await
//! }
//!
//! async fn upgrade(upgrade: WebSocketUpgrade, counters: Counters, State(app): State<App>) -> Response
//! ```
//!
//! The page's head says
//!
//! ```text
//! <meta charset="utf-8">
//! <meta name="viewport" content="width=device-width, initial-scale=1">
//! <meta name="color-scheme" content="light dark">
//! <link rel="icon" href="/icon.svg">
//! <link rel="stylesheet" href="/style.css">
//! <script src="/page.js" type="module"></script>
//! ```
//!
//! and the page dials ``new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live`)``. Its policy
//! allows these files and that socket and nothing else: no script or style inside the HTML, no `style` attribute there
//! (`element.style` in the script is free), nobody else's fonts. `style.css` says in its head what it knows.
//! `/elements.js` makes elements, `/canvas.js` makes a canvas ready.
//!
//! A ping finds out a dead link and no more: the browser answers it, on a thread of its own, for a tab that hangs or is
//! frozen too. That somebody is there is proved by what the page's script says: data, or an answer to a ping that is data.
//! `/liveness.js` is the page's half of such a heartbeat, `.dialect(TextHeartbeats)` the server's; [`timing`] tells the page what the
//! server's flags ask for.

use std::io::{self, Write};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use liveness::driver::axum::{CountingListener, make_service};
use liveness::{Config, ConfigBuilder, ParseConfigError, Suspicion, parse_duration};
pub use liveness_flags::Failure;
use liveness_flags::cannot_listen;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Only what the page brings along, and its own socket; and nobody may put the page into theirs.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    // A browser keeps a connection for the next load, and where the network has meanwhile forgotten it, waits minutes for
    // an answer on it: a visitor who reloads because nothing moves would see nothing move.
    (CONNECTION, HeaderValue::from_static("close")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

// No doc comment here: it would take the place of the program's own in `--help`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Where to listen; port 0 takes a free one, which the line `listening on` on stderr tells.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// How long silence lasts before a ping, or `never`.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// How long an answer may take, or `never`.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = timeout)]
    timeout: Duration,
    /// How long an unanswered ping may be before its peer is suspect, or `never`.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = suspicion)]
    suspect_after: Suspicion,
}

fn setting(key: &str, value: &str) -> Result<Config, ParseConfigError> {
    format!("{key}={value}").parse()
}

/// Reads `20s` or `250ms`.
pub fn interval(value: &str) -> Result<Duration, ParseConfigError> {
    setting("interval", value).map(|config| config.interval())
}

/// The same, and `never`, for what may be none at all.
pub fn duration(value: &str) -> Result<Duration, String> {
    match value {
        "never" => Ok(Duration::MAX),
        _ => parse_duration(value).map_err(|error| format!("{error}, or `never`")),
    }
}

fn timeout(value: &str) -> Result<Duration, ParseConfigError> {
    setting("timeout", value).map(|config| config.timeout())
}

fn suspicion(value: &str) -> Result<Suspicion, ParseConfigError> {
    if value == "never" {
        return Ok(Suspicion::Never);
    }
    setting("suspicion", &format!("after:{value}")).map(|config| config.suspicion())
}

impl Args {
    /// What the program wants, with the timing that its user asked for.
    pub fn config(&self, program: ConfigBuilder) -> Result<Config, Failure> {
        let timed = program.interval(self.interval).timeout(self.timeout).suspicion(self.suspect_after);
        Ok(timed.build()?.for_drivers())
    }

    /// Opens the door, and says on stderr where it is.
    pub async fn listen(&self) -> Result<TcpListener, Failure> {
        listen(&self.listen).await
    }
}

/// Opens the door at this address, and says on stderr where it is.
pub async fn listen(place: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(place).await;
    let listener = listener.map_err(|error| cannot_listen(place, "`--listen 127.0.0.1:0`", &error))?;
    let address = listener.local_addr()?;
    // `eprintln!` would panic where stderr is closed.
    let _ = writeln!(io::stderr(), "listening on http://{address}");
    Ok(listener)
}

/// The page at `/`, and what it is made of beside it.
pub fn page<S: Clone + Send + Sync + 'static>(html: &'static str, script: &'static str) -> Router<S> {
    Router::new()
        .route("/", file("text/html; charset=utf-8", html))
        .route("/page.js", file("text/javascript; charset=utf-8", script))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("style.css")))
        .route("/canvas.js", file("text/javascript; charset=utf-8", include_str!("canvas.js")))
        .route("/elements.js", file("text/javascript; charset=utf-8", include_str!("elements.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("icon.svg")))
        .route(
            "/liveness.js",
            file("text/javascript; charset=utf-8", include_str!("../../../web/liveness.js")),
        )
        .route(
            "/liveness.wasm",
            file("application/wasm", include_bytes!("../../../web/liveness.wasm").as_slice()),
        )
}

/// Another file of the page.
pub fn file<S: Clone + Send + Sync + 'static>(
    kind: &'static str,
    text: impl IntoResponse + Clone + Send + Sync + 'static,
) -> MethodRouter<S> {
    get(move || async move { ([(CONTENT_TYPE, kind)], HEADERS, text) })
}

/// The settings with which a page's `LiveSocket` is as quick as its server.
pub fn timing(config: &Config) -> Value {
    json!({
        "interval": millis(config.interval()),
        "timeout": millis(config.timeout()),
        "suspectAfter": match config.suspicion() {
            Suspicion::After(after) => millis(after),
            // The page's half knows no other kind.
            Suspicion::Never | Suspicion::Adaptive { .. } | _ => millis(Duration::MAX),
        },
    })
}

fn millis(duration: Duration) -> u64 {
    // More than a script can count is for ever.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(1 << 53)
}

/// Serves for as long as the door is open. Handlers find their connection's counters by the extractor `Counters`.
pub async fn serve(listener: TcpListener, router: Router) -> Result<(), Failure> {
    Ok(axum::serve(CountingListener(listener), make_service(router.layer(from_fn(own_page)))).await?)
}

/// A WebSocket can be dialled from any page that somebody has open, and its browser names that page: RFC 6455 10.2.
async fn own_page(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        return (StatusCode::FORBIDDEN, "this page is another's").into_response();
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let page = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
    page.is_none() || page != headers.get(HOST).and_then(|host| host.to_str().ok())
}
