//! What the programs with a page share, although none is about it: flags, the listener, and the page's files.
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
//!     let listener = args.web.listen().await?;
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
//! allows only these files and that socket. It allows no script or style inside the HTML, no `style` attribute there
//! (`element.style` in the script is allowed), and no fonts from elsewhere. The head of `style.css` says what it offers.
//! `/elements.js` makes elements and finds what the browser keeps, and `/canvas.js` makes a canvas ready.
//!
//! A ping only finds a dead link: the browser answers it in its own thread, even for a tab that hangs or is frozen. Only
//! what the page's script sends proves that somebody is there: data, or an answer to a ping in a message. `/liveness.js`
//! is the page's half of such a heartbeat, and `.dialect(TextHeartbeats)` is the server's. [`timing`] tells the page the
//! settings of the server's flags.

pub mod letters;

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// Only the page's own files and its own socket. No other page may embed it.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    // A browser keeps a connection for the next load. If the network has forgotten that connection meanwhile, the browser
    // waits minutes for an answer on it. A visitor who reloads because nothing moves would still see nothing move.
    (CONNECTION, HeaderValue::from_static("close")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

// No doc comment here: it would take the place of the program's own in `--help`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Where to listen. Port 0 takes a free port; the line `listening on` on stderr names it.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// How long silence lasts before a ping, or `never`.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// How long an answer may take, or `never`.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = timeout)]
    timeout: Duration,
    /// How long a ping may stay unanswered before its peer is suspect, or `never`.
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

/// The same, and `never`.
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
    /// The program's config, with the timing that its user asked for.
    pub fn config(&self, program: ConfigBuilder) -> Result<Config, Failure> {
        let timed = program.interval(self.interval).timeout(self.timeout).suspicion(self.suspect_after);
        Ok(timed.build()?.for_drivers())
    }

    /// Binds the listener, and prints its address on stderr.
    pub async fn listen(&self) -> Result<TcpListener, Failure> {
        listen(&self.listen).await
    }
}

/// Binds the listener at this address, and prints the address on stderr.
pub async fn listen(place: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(place).await;
    let listener = listener.map_err(|error| cannot_listen(place, "`--listen 127.0.0.1:0`", &error))?;
    let address = listener.local_addr()?;
    // `eprintln!` would panic if stderr is closed.
    let _ = writeln!(io::stderr(), "listening on http://{address}");
    Ok(listener)
}

/// The page at `/`, and the files that it needs.
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

/// The wall clock, for people to read. Nothing is decided by it.
pub fn unix_millis() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "people read the time of day")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    // More than a script can count is for ever.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(1 << 53)
}

/// Serves as long as the listener is open. Handlers get their connection's counters by the extractor `Counters`.
pub async fn serve(listener: TcpListener, router: Router) -> Result<(), Failure> {
    Ok(axum::serve(CountingListener(listener), make_service(router.layer(from_fn(own_page)))).await?)
}

/// Any page that somebody has open can dial a WebSocket, and the browser names that page: RFC 6455 10.2.
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
