//! Each tool of these tests, tried on a page that belongs to the tests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use liveness::{Action, Reason};

use crate::browser::{Browser, Key, Page};
use crate::proxy::{Proxy, Way};
use crate::stage::Stage;
use liveness_testing::Program;
use liveness_testing::eventually;
use liveness_testing::raw_peer::{PATIENCE, millis, sleep};

/// Timing for a test: a dead page is found in five and a half seconds, and no page is suspect because the machine is
/// busy.
const QUICK: [&str; 6] = ["--interval", "500ms", "--timeout", "5s", "--suspect-after", "3s"];
const FOUND_OUT: Duration = millis(5500);

/// The code that the server gets when a page is closed or left: RFC 6455 7.4.1.
const GOING_AWAY: Action = Action::MarkOffline(Reason::PeerClosed(Some(1001)));

/// The response to a GET with these additional lines in the request.
fn get(stage: &Stage, path: &str, lines: &str) -> String {
    let mut stream = TcpStream::connect(stage.address).unwrap();
    let host = stage.address;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_page_brings_its_files_and_allows_no_others() {
    let stage = Stage::start(&[]);
    for (path, kind) in [
        ("/", "html"),
        ("/page.js", "javascript"),
        ("/liveness.js", "javascript"),
        ("/style.css", "css"),
        ("/icon.svg", "svg+xml"),
    ] {
        let answer = get(&stage, path, "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("/{kind}")), "{path}: {head}");
        assert!(head.contains("cache-control: no-store"), "{path}: {head}");
        assert!(
            head.contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{path}: {head}"
        );
        assert!(!body.is_empty(), "{path}");
    }
    assert!(get(&stage, "/other", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn another_page_may_not_dial() {
    let stage = Stage::start(&[]);
    for foreign in ["http://example.com", "null", "http://127.0.0.1:1"] {
        let answer = get(&stage, "/live", &format!("Origin: {foreign}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403"), "{foreign}: {answer}");
    }
    let own = format!("Origin: http://{}\r\n", stage.address);
    assert!(get(&stage, "/", &own).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_taken_port_is_told_as_such() {
    let stage = Stage::start(&[]);
    let failure = Stage::refusal(&["--listen", &stage.address.to_string()]);
    assert_eq!(
        failure,
        format!("{} is taken: give another, or `--listen 127.0.0.1:0` for any that is free", stage.address)
    );
    assert!(Stage::refusal(&["--timeout", "soon"]).contains("--timeout"));
    assert!(Stage::refusal(&["--suspect-after", "soon"]).contains("--suspect-after"));
    assert!(Stage::refusal(&["--listen", "nowhere"]).starts_with("nowhere: "));
}

/// Relative luminance of `#rrggbb`, as WCAG 2 defines it.
fn luminance(colour: &str) -> f64 {
    let channel = |from: usize| {
        let part = f64::from(u8::from_str_radix(&colour[from..from + 2], 16).unwrap()) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn words_and_edges_stand_out_as_wcag_asks_in_light_and_dark() {
    let style = include_str!("../../src/web/style.css");
    let colours = |name: &str| {
        let value = style.split_once(&format!("--{name}: light-dark(")).unwrap().1.split_once(')').unwrap().0;
        let (light, dark) = value.split_once(", ").unwrap();
        [light, dark]
    };
    // 1.4.3 asks for 4.5 for text. 1.4.11 asks for 3 for the edges of controls.
    let words = ["ink", "soft", "accent", "online", "suspect", "offline", "connecting"];
    for (name, least) in words.map(|name| (name, 4.5)).into_iter().chain([("edge", 3.0)]) {
        for ground in ["paper", "card", "well"] {
            for (colour, ground_colour) in colours(name).into_iter().zip(colours(ground)) {
                let found = contrast(colour, ground_colour);
                assert!(found >= least, "{name} {colour} on {ground} {ground_colour}: {found:.2}");
            }
        }
    }
    for (colour, ground) in colours("on-accent").into_iter().zip(colours("accent")) {
        assert!(contrast(colour, ground) >= 4.5, "on-accent {colour} on {ground}");
    }
    assert!((contrast("#ffffff", "#000000") - 21.0).abs() < 0.01);
}

fn number(page: &Page, css: &str) -> u64 {
    page.text(css).parse().unwrap()
}

/// The page's own clock runs.
#[track_caller]
fn ticks(page: &Page) {
    let before = number(page, "#ticks");
    page.eventually("it ticks", |page| number(page, "#ticks") > before);
}

#[test]
fn a_page_is_read_and_used_as_by_a_person() {
    let stage = Stage::start(&QUICK);
    let browser = Browser::open();
    let page = browser.page(stage.url());
    page.eventually("it is connected", |page| page.text("#link") == "Connected");
    assert_eq!(page.attribute("#link", "data-state").as_deref(), Some("online"));
    assert_eq!(page.text("#not-there"), "");
    assert_eq!(page.attribute("#link", "not-there"), None);

    page.write("#words", "one").press("#words", Key::Enter);
    page.eventually("it was heard", |page| page.text("#heard") == "The server has heard: one");
    page.write("#words", "tw").clear("#words").write("#words", "two");
    assert_eq!(page.value("#words"), "two");
    page.click("#say button");
    page.eventually("it was heard", |page| page.text("#heard") == "The server has heard: two");

    assert_eq!(page.texts(".people .name")[..2], ["Ada", "Grace"]);
    assert_eq!(page.eval("return 6 * 7;"), 42);
    assert!(page.console().iter().any(|line| line.contains("the stage is set")));

    let tab = page.tab(stage.url());
    tab.eventually("the tab is connected", |tab| tab.text("#link") == "Connected");
    page.eval("localStorage.name = 'Ada';");
    assert_eq!(tab.eval("return localStorage.name;"), "Ada");
    ticks(&page);
    // A hidden tab goes on running.
    ticks(&tab);
    let other = browser.page(stage.url());
    assert_eq!(other.eval("return localStorage.name ?? 'nobody';"), "nobody");

    let before = number(&page, "#ticks");
    page.reload();
    assert!(number(&page, "#ticks") < before);
    tab.close();
    eventually("the tab's connection is closed", || {
        stage.lives().iter().filter(|life| life.contains(&GOING_AWAY)).count() == 2
    });
}

#[test]
fn it_leaves_pictures_of_every_look() {
    let stage = Stage::start(&QUICK);
    let browser = Browser::open();
    let page = browser.page(stage.url());
    page.eventually("beats arrive", |page| number(page, "#beats") > 3);
    let background = "return getComputedStyle(document.documentElement).backgroundColor;";
    let light = page.light().eval(background);
    assert_ne!(page.dark().eval(background), light);
    assert_eq!(page.light().eval(background), light);
    assert_eq!(page.phone().eval("return innerWidth;"), 390);
    let widest = "return document.documentElement.scrollWidth <= innerWidth;";
    assert_eq!(page.eval(widest), true, "on a phone nothing is wider than the window");
    page.desktop();
    assert_eq!(page.eval(widest), true);

    page.screenshots("stage");
    page.click("#ask").screenshot("stage-dialog").dark().screenshot("stage-dialog-dark");
    for name in
        ["stage", "stage-dark", "stage-phone", "stage-phone-dark", "stage-dialog", "stage-dialog-dark"]
    {
        let picture = std::fs::read(crate::target().join(format!("screenshots/{name}.png"))).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{name}: {} bytes", picture.len());
    }
}

/// Two pages of a stage, both connected and running.
fn two_pages(stage: &Stage, browser: &Browser) -> [Page; 2] {
    let pages = [browser.page(stage.url()), browser.page(stage.url())];
    for page in &pages {
        page.eventually("beats arrive", |page| number(page, "#beats") > 3);
        ticks(page);
    }
    pages
}

/// What no ping finds: a page that stands still. Its browser still answers pings for it. Only what the page itself sends
/// proves that somebody is there. On waking it finds its socket closed, and dials again.
#[test]
fn a_page_frozen_by_its_browser_stands_still_and_its_browser_answers_pings() {
    let stage = Stage::start(&QUICK);
    let browser = Browser::open();
    let [frozen, other] = two_pages(&stage, &browser);

    frozen.freeze();
    // It takes effect when the current task is over.
    let stands = |page: &Page| (number(page, "#ticks"), number(page, "#beats"));
    frozen.eventually("it stands still", |page| {
        let before = stands(page);
        sleep(millis(300));
        stands(page) == before
    });
    let before = stands(&frozen);
    sleep(FOUND_OUT + millis(1000));
    assert_eq!(stands(&frozen), before);
    // The other page goes on running.
    ticks(&other);
    assert_eq!(stage.lives(), [[Action::MarkOnline], [Action::MarkOnline]]);
    assert_eq!(frozen.text("#link"), "Connected");

    frozen.thaw();
    frozen.eventually("it dials again", |page| page.text("#link") == "Connected" && stage.lives().len() == 3);
    ticks(&frozen);
    let lives = stage.lives();
    assert_eq!(lives.iter().filter(|life| life.contains(&GOING_AWAY)).count(), 1, "{lives:?}");
}

/// The same, but here the socket survives.
#[test]
fn a_page_whose_process_is_stopped_stands_still_and_its_browser_answers_pings() {
    let stage = Stage::start(&QUICK);
    let browser = Browser::open();
    let [stopped, other] = two_pages(&stage, &browser);

    let ticks_and_time = |page: &Page| {
        let both =
            page.eval("return [Number(document.getElementById('ticks').textContent), performance.now()];");
        (both[0].as_f64().unwrap(), both[1].as_f64().unwrap())
    };
    let (ticked, since) = ticks_and_time(&stopped);
    stopped.stop();
    let stopped_for = FOUND_OUT + millis(1000);
    sleep(stopped_for);
    // The other page goes on running.
    ticks(&other);
    assert_eq!(stage.lives(), [[Action::MarkOnline], [Action::MarkOnline]]);

    stopped.go_on();
    // It ticks 20 times a second. More than a hundred ticks were due meanwhile, and they are not made up for.
    let (ticks_now, now) = ticks_and_time(&stopped);
    let awake = (now - since) / 1000.0 - stopped_for.as_secs_f64();
    assert!(ticks_now - ticked < awake * 20.0 + 40.0, "{ticked}, {ticks_now} after {awake} s awake");
    ticks(&stopped);
    stopped.eventually("the beats kept for it arrive", |page| number(page, "#beats") > 40);
    assert_eq!(stage.lives(), [[Action::MarkOnline], [Action::MarkOnline]]);
}

/// A page behind a proxy, connected.
fn behind(proxy: &Proxy, browser: &Browser) -> Page {
    let page = browser.page(proxy.url());
    page.eventually("beats arrive", |page| number(page, "#beats") > 3);
    page
}

#[test]
fn a_cut_is_noticed_by_the_server_and_by_no_event_of_the_page() {
    for way in [Way::Both, Way::ToServer, Way::ToPage] {
        let stage = Stage::start(&QUICK);
        let proxy = Proxy::start(stage.address);
        let browser = Browser::open();
        let page = behind(&proxy, &browser);
        proxy.cut(way);
        let offline = [Action::MarkOnline, Action::MarkSuspect, Action::MarkOffline(Reason::PingTimeout)];
        let took = eventually("the server gives it up", || stage.lives()[0].starts_with(&offline));
        assert!(took > millis(700), "{way:?}: {took:?}");
        assert_eq!(page.text("#link"), "Connected", "{way:?}: nobody told the page");
        let before = number(&page, "#beats");
        sleep(millis(300));
        assert_eq!(number(&page, "#beats"), before, "{way:?}");
        proxy.heal();
        page.eventually("it dials again", |page| {
            number(page, "#beats") > 3 && page.text("#link") == "Connected"
        });
        eventually("it is online again", || {
            stage.lives().get(1).is_some_and(|life| life.starts_with(&[Action::MarkOnline]))
        });
    }
}

#[test]
fn what_a_short_cut_held_back_arrives() {
    // It is short, however long the browser's driver takes.
    let stage = Stage::start(&["--timeout", "60s"]);
    let proxy = Proxy::start(stage.address);
    let browser = Browser::open();
    let page = behind(&proxy, &browser);
    proxy.cut(Way::Both);
    page.write("#words", "through").press("#words", Key::Enter);
    sleep(millis(300));
    assert_ne!(page.text("#heard"), "The server has heard: through");
    proxy.heal();
    page.eventually("it was heard", |page| page.text("#heard") == "The server has heard: through");
    assert_eq!(stage.lives().len(), 1, "on the same connection");
}

#[test]
fn a_reset_is_noticed_by_both_at_once() {
    let stage = Stage::start(&QUICK);
    let proxy = Proxy::start(stage.address);
    let browser = Browser::open();
    let page = behind(&proxy, &browser);
    proxy.reset();
    eventually("the server sees the end", || {
        matches!(stage.lives()[0][..], [Action::MarkOnline, Action::MarkOffline(Reason::TransportClosed), ..])
    });
    page.eventually("it dials again", |page| number(page, "#beats") > 3 && page.text("#link") == "Connected");
    assert_eq!(stage.lives().len(), 2);
}

#[test]
fn a_forgotten_connection_stays_dead_and_a_new_one_lives() {
    let stage = Stage::start(&QUICK);
    let proxy = Proxy::start(stage.address);
    let browser = Browser::open();
    let page = behind(&proxy, &browser);
    proxy.forget();
    let second = behind(&proxy, &browser);
    eventually("the server gives the first up", || {
        stage.lives()[0].contains(&Action::MarkOffline(Reason::PingTimeout))
    });
    proxy.heal();
    sleep(millis(300));
    assert_eq!(page.text("#link"), "Connected", "nobody ever tells it");
    assert_eq!(stage.lives()[1], [Action::MarkOnline]);
    assert_eq!(second.text("#link"), "Connected");
    page.reload();
    page.eventually("it is loaded over a connection that lives", |page| number(page, "#beats") > 3);
}

#[test]
fn a_slow_link_delays_and_drops_nothing() {
    let stage = Stage::start(&["--interval", "500ms", "--timeout", "60s"]);
    let proxy = Proxy::start(stage.address);
    let browser = Browser::open();
    let page = behind(&proxy, &browser);
    proxy.slow(millis(200));
    let beats = number(&page, "#beats");
    let took = page.write("#words", "slowly").press("#words", Key::Enter);
    let took = took.eventually("it was heard", |page| page.text("#heard") == "The server has heard: slowly");
    assert!(took > millis(300), "there and back: {took:?}");
    page.eventually("beats go on", |page| number(page, "#beats") > beats + 10);
    assert_eq!(stage.lives(), [[Action::MarkOnline]]);
}

#[test]
fn a_program_is_frozen_thawed_and_started_anew_on_its_port() {
    let mut program = Program::start(crate::CHAT, &[]);
    let address = program.address();
    let answers_within = |time| {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(time))?;
        write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        stream.read(&mut [0; 64])
    };
    assert!(answers_within(PATIENCE).unwrap() > 0);
    program.freeze();
    answers_within(millis(1000)).expect_err("it is frozen");
    program.thaw();
    assert!(answers_within(PATIENCE).unwrap() > 0);
    program.kill();
    answers_within(PATIENCE).expect_err("it is gone");
    program.restart();
    assert!(answers_within(PATIENCE).unwrap() > 0);
    assert_eq!(program.complaints(), [""; 0]);
    assert_eq!(program.url(), format!("http://{address}/"));
}
