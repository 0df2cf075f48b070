//! A page that wakes, a page whose network changed, and many pages that a deployment sends away.

use super::{Half, first, now, told};
use crate::browser::{Browser, Page};
use crate::proxy::Proxy;
use liveness_testing::eventually;
use liveness_testing::raw_peer::{millis, sleep};

/// When a connection stood again, counted from this moment, in milliseconds.
#[track_caller]
fn back(page: &Page, from: u64) -> u64 {
    first(page, "open", from) - from
}

/// The simulated page's tests have a phone's whole sleep. What a browser does about a sleep does not depend on its
/// length.
#[test]
fn a_phone_that_slept_while_its_server_went_away_is_connected_within_8_s_of_waking() {
    let half = Half::start();
    let browser = Browser::open();
    let proxy = Proxy::start(half.address);
    // Without options: what a `LiveSocket` does by default.
    let [frozen, stopped] = [(); 2].map(|()| browser.page(proxy.url()));
    for page in [&frozen, &stopped] {
        first(page, "online", 0);
    }
    frozen.freeze();
    stopped.stop();
    // Every open connection is dead from here on, and nobody says so. A new dial finds the server that replaced the old
    // one.
    proxy.forget();
    sleep(millis(15_000));
    frozen.thaw();
    let woken = now(&frozen);
    let took = back(&frozen, woken.saturating_sub(500));
    assert!(took <= 8000, "{took} ms: {:?}", told(&frozen));
    stopped.go_on();
    let woken = now(&stopped);
    let took_stopped = back(&stopped, woken.saturating_sub(500));
    assert!(took_stopped <= 8000, "{took_stopped} ms: {:?}", told(&stopped));
    println!("connected {took} ms after a freeze, {took_stopped} ms after a stop");
}

#[test]
fn another_network_without_online_or_offline_is_found_out_within_10_s() {
    let half = Half::start();
    let browser = Browser::open();
    let proxy = Proxy::start(half.address);
    let page = browser.page(proxy.url());
    first(&page, "online", 0);
    page.eval("for (const type of ['online', 'offline']) addEventListener(type, () => half.events.push([0, type]));");
    page.eval(
        "half.changes = 0; navigator.connection.addEventListener('change', () => (half.changes += 1));",
    );
    sleep(millis(1000));
    proxy.forget();
    let changed = now(&page);
    page.change_network();
    let took = back(&page, changed);
    assert!(took <= 10_000, "{took} ms: {:?}", told(&page));
    assert!(page.eval("return half.changes;").as_u64() > Some(0), "the browser reported it");
    let others = told(&page).into_iter().filter(|(_, what)| what == "offline").count();
    assert_eq!(others, 1, "the loss, and no event of the window");
    println!("connected {took} ms after the change");
}

/// The simulated page's tests have a thousand pages.
#[test]
fn clients_that_a_deploy_sends_away_come_back_when_they_were_asked_to_and_not_together() {
    const CLIENTS: usize = 12;
    let half = Half::start();
    let browser = Browser::open();
    let page = browser.page(half.url("interval=600000&timeout=600000"));
    first(&page, "online", 0);
    page.eval(&format!(
        "import('/liveness.js').then(({{ LiveSocket }}) => {{
           half.back = [];
           half.many = Array.from({{ length: {CLIENTS} }}, () => new LiveSocket(`ws://${{location.host}}/live`));
           for (const live of half.many) live.addEventListener('dialling', () => half.back.push(performance.now() - half.closed));
         }});"
    ));
    page.eventually("all are there", |_| half.count().0 == CLIENTS + 1);
    page.eval("half.closed = performance.now(); half.back = [];");
    half.closes.send(1012).unwrap();
    let dials = |page: &Page| {
        let back = page.eval("return half.back;");
        back.as_array().unwrap().iter().map(|moment| moment.as_f64().unwrap()).collect::<Vec<_>>()
    };
    sleep(millis(4000));
    assert_eq!(dials(&page), [0.0; 0], "none before it was asked to");
    eventually("all are back", || half.count().0 == 2 * (CLIENTS + 1));
    let mut back = dials(&page);
    back.sort_by(f64::total_cmp);
    assert_eq!(back.len(), CLIENTS);
    // 5 to 30 s, as the registration of 1012 asks, and a moment for the way.
    assert!(back[0] >= 5000.0 && back[CLIENTS - 1] <= 31_500.0, "{back:?}");
    let late = back.iter().filter(|moment| **moment > 17_500.0).count();
    // Twelve fair coins show the same side once in two thousand runs.
    assert!((1..CLIENTS).contains(&late), "{back:?}");
}
