//! The page's half, `LiveSocket`, in a real browser. The server belongs to the tests: it answers pings, and gives no
//! verdict. The tests show what follows from a stopped server, a hidden tab and a frozen tab. The page reports it, and
//! the server counts.

mod waking;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use liveness::TextHeartbeat;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::browser::{Browser, Page};
use crate::proxy::{Proxy, Way};
use liveness_programs::web;
use liveness_testing::Program;
use liveness_testing::eventually;
use liveness_testing::raw_peer::{millis, sleep};

/// What each connection has sent.
type Heard = Arc<Mutex<Vec<Vec<String>>>>;

struct Half {
    address: SocketAddr,
    heard: Heard,
    /// The code with which all current connections are closed.
    closes: watch::Sender<u16>,
    runtime: Option<Runtime>,
}

impl Half {
    fn start() -> Self {
        let runtime = crate::runtime_of_one();
        let heard = Heard::default();
        let page = web::page(include_str!("page.html"), include_str!("page.js"));
        let (closes, close) = watch::channel(0);
        let page = page.route("/live", any(upgrade)).with_state((Arc::clone(&heard), close));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(web::serve(listener, page));
        Self { address, heard, closes, runtime: Some(runtime) }
    }

    fn url(&self, options: &str) -> String {
        format!("http://{}/?{options}", self.address)
    }

    /// Connections so far, and pings on all of them.
    fn count(&self) -> (usize, usize) {
        let connections = self.heard.lock().unwrap().len();
        (connections, (0..connections).map(|connection| self.pings_of(connection)).sum())
    }

    fn pings_of(&self, connection: usize) -> usize {
        let heard = self.heard.lock().unwrap();
        heard[connection]
            .iter()
            .filter(|words| matches!(TextHeartbeat::parse(words), Some(TextHeartbeat::Ping(_))))
            .count()
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

type App = (Heard, watch::Receiver<u16>);

async fn upgrade(upgrade: WebSocketUpgrade, State((heard, mut close)): State<App>) -> Response {
    close.mark_unchanged();
    upgrade.on_upgrade(async move |socket| answer(socket, &heard, close).await)
}

async fn answer(mut socket: WebSocket, heard: &Heard, mut close: watch::Receiver<u16>) {
    let connection = {
        let mut heard = heard.lock().unwrap();
        heard.push(Vec::new());
        heard.len() - 1
    };
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            Ok(()) = close.changed() => {
                let frame = CloseFrame { code: *close.borrow(), reason: "".into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
                continue;
            }
        };
        let Some(Ok(message)) = message else { break };
        let Message::Text(words) = message else { continue };
        heard.lock().unwrap()[connection].push(words.to_string());
        if let Some(answer) = TextHeartbeat::parse(&words).and_then(|heartbeat| heartbeat.answer()) {
            let _ = socket.send(Message::text(answer.to_string())).await;
        }
    }
}

/// What a page's live socket has reported, each with the moment in the page's time.
fn told(page: &Page) -> Vec<(u64, String)> {
    let events = page.eval("return half.events;");
    let event = |event: &Value| (event[0].as_u64().unwrap(), event[1].as_str().unwrap().to_owned());
    events.as_array().unwrap().iter().map(event).collect()
}

/// When it was first reported, from a moment on.
#[track_caller]
fn first(page: &Page, what: &str, from: u64) -> u64 {
    let find = |page: &Page| told(page).into_iter().find(|(at, told)| *at >= from && told == what);
    page.eventually(&format!("it is told {what}"), |page| find(page).is_some());
    find(page).unwrap().0
}

fn now(page: &Page) -> u64 {
    page.eval("return Math.round(performance.now());").as_u64().unwrap()
}

#[test]
fn a_link_that_is_cut_is_suspect_then_offline_and_the_browsers_events_ask() {
    let half = Half::start();
    let browser = Browser::open();
    let proxy = Proxy::start(half.address);
    let page = browser.page(format!("{}?interval=1000&timeout=8000&suspectAfter=500", proxy.url()));
    first(&page, "rtt", 0);

    proxy.cut(Way::Both);
    let cut = now(&page);
    let suspect = first(&page, "suspect", cut) - cut;
    let offline = first(&page, "offline", cut) - cut;
    // Not at once. The machine decides how late it may be; a test with a simulated page checks the bound.
    assert!(suspect >= 400 && offline >= 7900, "{suspect}, {offline}");
    proxy.heal();
    first(&page, "online", cut);

    // What a browser tells its pages when the network changes.
    page.eval("half.live.configure({ interval: 600_000, timeout: 600_000, suspectAfter: Infinity });");
    let (_, before) = half.count();
    for event in ["new Event('online')", "new Event('offline')"] {
        sleep(millis(1100));
        page.eval(&format!("dispatchEvent({event});"));
    }
    page.eventually("it has asked for each", |_| half.count().1 == before + 2);
    assert_eq!(page.console().iter().filter(|line| line.contains("wasm")).count(), 0);
}

fn count_of(page: &Page, what: &str) -> usize {
    told(page).iter().filter(|(_, told)| told == what).count()
}

/// Three minutes, at the same time as other tests, because it only waits to see that nothing happens.
#[test]
fn a_tab_that_is_hidden_stopped_or_frozen_for_minutes_loses_no_server_and_asks_once_on_waking() {
    let [throttled, stopped, frozen] = [(); 3].map(|()| Half::start());
    let browser = Browser::beside();
    let hidden = browser.page_throttled(throttled.url("interval=2000&timeout=10000&suspectAfter=5000"));
    // The server judges this one too, by text messages that only its script can answer.
    let program =
        Program::start(crate::FEED, &["--interval", "1s", "--timeout", "10s", "--suspect-after", "5s"]);
    let judged = browser.page_throttled(program.url());
    judged.eventually("it is live", |page| page.text("#link") == "Live");
    let sleepers = [&stopped, &frozen].map(|half| browser.page(half.url("interval=20000&timeout=10000")));
    for page in sleepers.iter().chain([&hidden]) {
        first(page, "online", 0);
    }
    // Looking at a tab brings it to the front, so this must wait until the end.
    let _others = [&hidden, &judged].map(|page| page.tab("about:blank"));
    sleepers[0].stop();
    sleepers[1].freeze();
    let asked = [&stopped, &frozen].map(|half| half.count().1);

    sleep(millis(120_000));
    sleepers[0].go_on();
    sleepers[1].thaw();
    eventually("both have asked", || stopped.count().1 > asked[0] && frozen.pings_of(0) > asked[1]);
    eventually("the frozen one is back", || frozen.count().0 == 2 && count_of(&sleepers[1], "online") == 2);
    assert_eq!(stopped.count(), (1, asked[0] + 1), "{:?}", told(&sleepers[0]));
    // Chromium has closed the socket of the frozen page, as it does for a page that is kept for going back to. The page
    // is told so on waking, after it has sent a ping.
    assert_eq!(frozen.pings_of(0), asked[1] + 1, "{:?}", told(&sleepers[1]));
    assert_eq!(frozen.count().0, 2, "it dials at once");
    for (page, online) in sleepers.iter().zip([1, 2]) {
        assert_eq!([count_of(page, "suspect"), count_of(page, "online")], [0, online], "{:?}", told(page));
    }

    sleep(millis(70_000));
    let ticks = hidden.eval("return half.ticks;");
    let ticks: Vec<u64> = ticks.as_array().unwrap().iter().map(|tick| tick.as_u64().unwrap()).collect();
    let longest = ticks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest > 50_000, "its timers were not throttled: {longest} ms at the most");
    assert_eq!([count_of(&hidden, "suspect"), count_of(&hidden, "offline")], [0, 0], "{:?}", told(&hidden));
    let (connections, pings) = throttled.count();
    assert_eq!(connections, 1);
    let phases = judged.eval("return feed.states.map(([, phase]) => phase);");
    assert_eq!((phases, judged.text("#connections")), (json!(["dialling", "online"]), "1".to_owned()));
    println!("timers {longest} ms apart: {pings} pings, {} round trips", count_of(&hidden, "rtt"));
}
