//! The feed: pages and a client in Rust that lose their server in every possible way, and come back without a gap.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tungstenite::Message;

use crate::browser::{Browser, Key, Page};
use crate::proxy::{Proxy, Way};
use crate::soak::Soak;
use liveness_testing::Program;
use liveness_testing::eventually;
use liveness_testing::raw_peer::{millis, sleep};

/// A dead server is found in six seconds, and no page is suspect because the machine is busy. The page decides the rest.
const QUICK: [&str; 6] = ["--interval", "1s", "--timeout", "5s", "--suspect-after", "3s"];

/// Three pages of the feed, each in its own browser, with figures coming in.
fn three(browser: &Browser, url: &str) -> [Page; 3] {
    let pages = [(); 3].map(|()| browser.page(url));
    for page in &pages {
        live(page);
    }
    pages
}

/// Waits until the page is connected and figures come.
#[track_caller]
fn live(page: &Page) -> Duration {
    let mut first = None;
    page.eventually("it is live", |page| {
        let latest = Story::of(page).received.last().cloned();
        let first = first.get_or_insert_with(|| latest.clone());
        page.text("#link") == "Live" && latest != *first
    })
}

/// The words of what has the keyboard.
fn focused(page: &Page) -> String {
    page.eval("return document.activeElement.innerText;").as_str().unwrap().to_owned()
}

fn is_hidden(page: &Page, css: &str) -> bool {
    page.attribute(css, "hidden").is_some()
}

/// What a page has received, as its hook reports it.
#[derive(Debug)]
struct Story {
    /// Epoch and number of each figure, in the order of arrival.
    received: Vec<(String, u64)>,
    /// Epoch, first and last number of what was reported as lost.
    lost: Vec<(String, u64, u64)>,
    /// Each phase and when it began, in milliseconds since the page was loaded.
    states: Vec<(u64, String)>,
}

impl Story {
    #[track_caller]
    fn of(page: &Page) -> Self {
        let hook = page.eval("return window.feed;");
        let list = |name: &str| hook[name].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let number = |value: &Value| value.as_u64().unwrap();
        Self {
            received: list("received").iter().map(|one| (text(&one[0]), number(&one[1]))).collect(),
            lost: list("lost").iter().map(|one| (text(&one[0]), number(&one[1]), number(&one[2]))).collect(),
            states: list("states").iter().map(|one| (number(&one[0]), text(&one[1]))).collect(),
        }
    }

    /// The servers that it followed, one after the other.
    fn epochs(&self) -> Vec<&str> {
        let mut epochs: Vec<&str> = self.received.iter().map(|(epoch, _)| &**epoch).collect();
        epochs.dedup();
        epochs
    }

    fn last(&self) -> u64 {
        self.received.last().map_or(0, |(_, number)| *number)
    }

    fn phases(&self) -> Vec<&str> {
        self.states.iter().map(|(_, phase)| &**phase).collect()
    }

    /// No figure is missing and none came twice. Each is one more than the last of its server, except for those that were
    /// reported as lost. A server that was left is never followed again.
    #[track_caller]
    fn is_whole(&self) {
        let epochs = self.epochs();
        for (index, epoch) in epochs.iter().enumerate() {
            assert!(!epochs[..index].contains(epoch), "{epoch} came back: {epochs:?}");
        }
        for pair in self.received.windows(2) {
            let [(epoch, before), (next, number)] = pair else { unreachable!() };
            if epoch != next {
                continue;
            }
            let skipped = self.lost.iter().any(|(of, first, last)| {
                of == epoch && (*first, *last) == (*before + 1, number.saturating_sub(1))
            });
            assert!(*number == before + 1 || skipped, "{number} came after {before}: {:?}", self.lost);
        }
        assert!(!self.received.is_empty());
    }
}

/// All of them have no gap, and soon have as much as the one that is ahead.
#[track_caller]
fn all_whole<'a>(pages: impl IntoIterator<Item = &'a Page, IntoIter: Clone>) -> Vec<Story> {
    let pages = pages.into_iter();
    let newest = pages.clone().map(|page| Story::of(page).last()).max().unwrap();
    let stories = pages.map(|page| {
        page.eventually("it has what the others have", |page| Story::of(page).last() >= newest);
        let story = Story::of(page);
        story.is_whole();
        story
    });
    stories.collect()
}

#[test]
fn a_feed_is_read_by_a_person() {
    let program = Program::start(crate::FEED, &[]);
    let browser = Browser::open();
    let page = browser.page(program.url());
    live(&page);
    assert_eq!(page.attribute("#link", "data-state").as_deref(), Some("online"));
    page.eventually("the round trip is known", |page| page.text("#trip").ends_with(" ms"));
    assert!(page.text("#reading").ends_with("MW"));
    page.eventually("it is new", |page| page.text("#next") == "Up to date.");
    assert!(page.text("#summary").starts_with("Last minute: lowest "));
    assert!(is_hidden(&page, "#now"), "there is nothing to do about a connection that stands");
    // A line is drawn: the canvas has the accent's colour.
    let inked = "const { width, height } = document.getElementById('chart');
        const { data } = document.getElementById('chart').getContext('2d').getImageData(0, 0, width, height);
        return data.filter((byte, index) => index % 4 === 3 && byte === 255).length;";
    page.eventually("the chart is drawn", |page| page.eval(inked).as_u64().unwrap() > 100);
    let widest = "return document.documentElement.scrollWidth <= innerWidth;";
    assert_eq!(page.phone().eval(widest), true, "on a phone nothing is wider than the window");
    assert_eq!(page.desktop().eval(widest), true);
    let unnamed =
        "return [...document.querySelectorAll('button')].filter(button => !button.innerText).length;";
    assert_eq!(page.eval(unnamed), 0);
    assert_eq!(page.console(), [""; 0], "nothing went wrong");
}

#[test]
fn a_server_that_is_stopped_is_found_out_by_every_page_and_nothing_is_missed() {
    // Suspicion and verdict are seconds apart, so that a busy machine hides neither.
    let flags = ["--interval", "1s", "--timeout", "8s", "--suspect-after", "1s"];
    let program = Program::start(crate::FEED, &flags);
    let browser = Browser::open();
    let pages = three(&browser, &program.url());

    let places = |page: &Page| page.tops("header, #line, #chart, [data-order], #log");
    let before = places(&pages[0]);
    let since = |page: &Page| page.eval("return Math.floor(performance.now());").as_u64().unwrap();
    let frozen = pages.each_ref().map(since);
    program.freeze();
    for (page, frozen) in pages.iter().zip(frozen) {
        page.eventually("it gives the server up", |page| page.text("#link") == "No connection");
        // It got no event, because its socket is open. Only the silence shows it.
        let why = page.text("#why");
        assert!(why.starts_with("The server has said nothing for "), "{why}");
        let states = Story::of(page).states;
        let after = |phase: &str| {
            let found = states.iter().find(|(at, was)| *at >= frozen && was == phase);
            found.map_or(u64::MAX, |(at, _)| at - frozen)
        };
        // Not at once: a ping that was on its way may have been sent before. The machine decides how late it may be.
        let (suspect, offline) = (after("suspect"), after("waiting"));
        assert!(suspect < offline && offline > 7000, "{suspect}, {offline}: {states:?}");
    }
    assert_eq!(places(&pages[0]), before, "nothing moves when it is said");
    // It counts on, and no screen reader reads each second.
    let silent = |page: &Page| page.text("#why").split(' ').nth_back(1).unwrap().parse::<u64>().unwrap();
    let first = silent(&pages[0]);
    pages[0].eventually("it counts on", |page| silent(page) > first + 1);
    let aloud = "return document.getElementById('line').closest('[aria-live], [role=status], [role=alert]');";
    assert_eq!(pages[0].eval(aloud), Value::Null);
    pages[0].eventually("it counts down, or tries", |page| {
        let next = page.text("#next");
        next.starts_with("Next attempt ") || next.ends_with(" is under way.")
    });

    program.thaw();
    for page in &pages {
        live(page);
        page.eventually("it says so", |page| page.text("#why") == "Connected.");
        assert!(is_hidden(page, "#now"));
    }
    assert_eq!(places(&pages[0]), before);
    for story in all_whole(&pages) {
        assert_eq!((story.epochs().len(), story.lost.len()), (1, 0));
    }
}

#[test]
fn a_server_frozen_from_a_page_goes_on_measuring_and_the_figures_are_filled_in() {
    let program = Program::start(crate::FEED, &QUICK);
    let browser = Browser::open();
    let pages = three(&browser, &program.url());
    assert_eq!(pages[0].text("#filled"), "0");
    pages[0].click("[data-order^=freeze]");
    for page in &pages {
        page.eventually("it gives the server up", |page| page.text("#link") == "No connection");
    }
    pages[1].screenshots("feed-outage");
    for page in &pages {
        live(page);
        page.eventually("it says what was filled in", |page| {
            page.text("#log").contains("that came meanwhile are filled in")
        });
        let filled: u64 = page.text("#filled").parse().unwrap();
        // Ten seconds without any figure, at five a second if the server has the time.
        assert!(filled >= 10, "{filled}");
    }
    for story in all_whole(&pages) {
        assert_eq!((story.epochs().len(), story.lost.len()), (1, 0));
    }
    pages[1].screenshots("feed");
}

#[test]
fn dropped_connections_come_back_by_themselves_or_when_somebody_asks() {
    let program = Program::start(crate::FEED, &QUICK);
    let browser = Browser::open();
    let pages = three(&browser, &program.url());
    pages[0].eval("for (const button of document.querySelectorAll('[data-order=drop]')) button.click();");
    for page in &pages {
        page.eventually("it has lost the connection", |page| Story::of(page).phases().contains(&"waiting"));
    }
    // One of them does not wait, unless its wait is over by now.
    let phases = pages[1].eval(
        "const phase = () => feed.states.at(-1)[1];
         const before = phase(); document.getElementById('now').click(); return [before, phase()];",
    );
    assert!(phases[0] != "waiting" || phases[1] == "dialling", "{phases}");
    for page in &pages {
        live(page);
        assert!(page.text("#log").contains("The connection broke."), "{}", page.text("#log"));
    }
    for story in all_whole(&pages) {
        assert_eq!((story.epochs().len(), story.lost.len()), (1, 0));
    }
    // The connection was young, so the first wait is 1 to 2 s of backoff and a part of 5 s. A test with a simulated page
    // checks that.
    let others = waits(&Story::of(&pages[0]));
    assert!(others[0] >= millis(900), "{others:?}");
}

/// How long each wait for the next attempt was.
fn waits(story: &Story) -> Vec<Duration> {
    let next =
        |(index, (since, _)): (usize, &(u64, String))| Some(millis(story.states.get(index + 1)?.0 - since));
    story.states.iter().enumerate().filter(|(_, (_, phase))| phase == "waiting").filter_map(next).collect()
}

#[test]
fn a_server_that_is_started_anew_is_another_and_every_page_says_so() {
    let program = Program::start(crate::FEED, &QUICK);
    let browser = Browser::open();
    let pages = three(&browser, &program.url());
    pages[2].press("[data-order^=restart]", Key::Enter);
    pages[2].eventually("the keyboard goes on at what is of use", |page| focused(page) == "Try now");
    for page in &pages {
        page.eventually("it says why", |page| page.text("#log").contains("The server is going away."));
        page.eventually("it says what became of it", |page| {
            page.text("#log").contains("it counts from 1 again")
        });
        live(page);
    }
    for story in all_whole(&pages) {
        assert_eq!((story.epochs().len(), story.lost.len()), (2, 0));
        let second = story.epochs()[1];
        let first = story.received.iter().find(|(epoch, _)| epoch == second);
        assert_eq!(first.unwrap().1, 1, "from its first figure on");
    }
    assert_eq!(focused(&pages[2]), "Restart the server");
    pages[0].screenshots("feed-restarted");
}

#[test]
fn a_page_that_was_moved_counts_nothing_of_a_new_server_as_filled_in() {
    let program = Program::start(crate::FEED, &[&QUICK[..], &["--every", "1s"]].concat());
    let browser = Browser::open();
    let page = browser.page(program.url());
    live(&page);
    let order = |words: &str| {
        let (mut other, _) = tungstenite::connect(format!("ws://{}/live", program.address())).unwrap();
        other.send(Message::text(words)).unwrap();
    };
    order("move 0");
    page.eventually("it moves", |page| page.text("#log").contains("Nothing was missed."));
    order("restart 0");
    page.eventually("it says what became of it", |page| page.text("#log").contains("it counts from 1 again"));
    live(&page);
    assert_eq!(page.text("#filled"), "0");
}

#[test]
fn a_page_remembers_the_latest_figures_and_the_count_of_all() {
    let flags = [&QUICK[..], &["--every", "20ms", "--history", "5000"]].concat();
    let program = Program::start(crate::FEED, &flags);
    let browser = Browser::open();
    let page = browser.page(program.url());
    let received = |page: &Page| page.text("#received").replace(',', "").parse::<usize>().unwrap();
    page.eventually("it has a minute of figures", |page| received(page) > 2500);
    assert!(Story::of(&page).received.len() <= 2000);
    Story::of(&page).is_whole();
}

#[test]
fn a_page_whose_link_is_cut_finds_it_out_and_the_others_notice_nothing() {
    let program = Program::start(crate::FEED, &QUICK);
    let browser = Browser::open();
    let pages = [browser.page(program.url()), browser.page(program.url())];
    let proxy = Proxy::start(program.address());
    let cut = browser.page(proxy.url());
    for page in pages.iter().chain([&cut]) {
        live(page);
    }
    for way in [Way::Both, Way::ToServer, Way::ToPage] {
        proxy.cut(way);
        cut.eventually("it gives the server up", |page| page.text("#link") == "No connection");
        proxy.heal();
        live(&cut);
    }
    let [first, second] = pages;
    let stories = all_whole(&[first, second, cut]);
    for story in &stories[..2] {
        assert_eq!(story.phases(), ["dialling", "online"]);
    }
    assert_eq!((stories[2].epochs().len(), stories[2].lost.len()), (1, 0));
    assert!(stories[2].phases().iter().filter(|phase| **phase == "online").count() >= 4);
}

#[test]
fn pages_that_sleep_are_loaded_anew_or_stopped_miss_nothing() {
    let program = Program::start(crate::FEED, &QUICK);
    let browser = Browser::open();
    let [frozen, stopped, reloaded] = three(&browser, &program.url());
    frozen.freeze();
    stopped.stop();
    let before = Story::of(&reloaded).last();
    reloaded.reload();
    live(&reloaded);
    let story = Story::of(&reloaded);
    assert!(story.received[0].1 < before, "the history is there again");
    sleep(millis(6000));
    stopped.go_on();
    frozen.thaw();
    live(&stopped);
    live(&frozen);
    for story in all_whole(&[frozen, stopped, reloaded]) {
        assert_eq!((story.epochs().len(), story.lost.len()), (1, 0));
    }
}

#[test]
fn what_the_server_has_no_more_is_said_to_be_lost() {
    // It keeps three seconds, and no connected page is behind by as much.
    let flags = [&QUICK[..], &["--every", "50ms", "--history", "60"]].concat();
    let program = Program::start(crate::FEED, &flags);
    let browser = Browser::open();
    let witness = browser.page(program.url());
    let proxy = Proxy::start(program.address());
    let page = browser.page(proxy.url());
    live(&page);
    live(&witness);
    proxy.cut(Way::Both);
    page.eventually("it gives the server up", |page| page.text("#link") == "No connection");
    sleep(millis(1000));
    proxy.heal();
    live(&page);
    page.eventually("it says so", |page| page.text("#log").contains("lost for good"));
    let stories = all_whole(&[page, witness]);
    assert!(!stories[0].lost.is_empty());
    assert_eq!(stories[0].epochs().len(), 1);
    assert_eq!(stories[1].lost.len(), 0);
}

/// The client without a page, as a process.
struct Follower {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    says: Arc<Mutex<Vec<String>>>,
}

impl Follower {
    fn start(program: &Program) -> Self {
        let mut command = Command::new(crate::FEED);
        command.args(["--follow", &format!("ws://{}/live", program.address())]).args(QUICK);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = collected(BufReader::new(child.stdout.take().unwrap()));
        let says = collected(BufReader::new(child.stderr.take().unwrap()));
        Self { child, lines, says }
    }

    fn story(&self) -> Story {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut story = Story { received: Vec::new(), lost: Vec::new(), states: Vec::new() };
        for line in lines.iter() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                [epoch, "lost", first, last] => {
                    story.lost.push((epoch.to_owned(), first.parse().unwrap(), last.parse().unwrap()));
                }
                [epoch, number, _] => story.received.push((epoch.to_owned(), number.parse().unwrap())),
                _ => panic!("{line}"),
            }
        }
        story
    }

    /// Waits until figures come.
    #[track_caller]
    fn live(&self) {
        let before = self.story().received.len();
        eventually("the follower receives figures", || self.story().received.len() > before + 3);
    }

    fn says(&self, what: &str) -> bool {
        self.count(what) > 0
    }

    /// How often it has said this.
    fn count(&self, what: &str) -> usize {
        let says = self.says.lock().unwrap_or_else(PoisonError::into_inner);
        says.iter().filter(|line| line.contains(what)).count()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            println!("the follower said: {:#?}", self.says.lock());
        }
    }
}

fn collected(from: impl BufRead + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&lines);
    thread::spawn(move || {
        for line in from.lines().map_while(Result::ok) {
            collected.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    lines
}

#[test]
fn a_client_of_rust_comes_back_too() {
    let mut program = Program::start(crate::FEED, &QUICK);
    let follower = Follower::start(&program);
    follower.live();

    program.freeze();
    eventually("it gives the server up", || follower.says("disconnected: no answer to a ping in time"));
    program.thaw();
    follower.live();
    let story = follower.story();
    story.is_whole();
    assert_eq!((story.epochs().len(), story.lost.len()), (1, 0));

    program.kill();
    eventually("it is not let in", || follower.says("takes no connection: Connection refused"));
    assert!(follower.says("next attempt in "));
    program.restart();
    follower.live();
    let story = follower.story();
    story.is_whole();
    assert_eq!((story.epochs().len(), story.lost.len()), (2, 0));
}

#[test]
fn a_client_of_rust_moves_to_another_connection_when_the_server_says_so_and_misses_nothing() {
    let program = Program::start(crate::FEED, &[&QUICK[..], &["--every", "20ms"]].concat());
    let follower = Follower::start(&program);
    follower.live();
    for moves in 1..=3 {
        let url = format!("ws://{}/live", program.address());
        let (mut page, _) = tungstenite::connect(url).unwrap();
        page.send(Message::text("move 0")).unwrap();
        eventually("it moves", || follower.count("moved to another connection") == moves);
        follower.live();
    }
    let story = follower.story();
    story.is_whole();
    assert_eq!((story.epochs().len(), story.lost.len()), (1, 0));
    assert!(!follower.says("disconnected"), "it was never without a connection");
}

#[test]
fn after_a_soak_every_figure_has_come_once_and_in_order() {
    let mut program = Program::start(crate::FEED, &QUICK);
    let browser = Browser::open();
    let mut soak = Soak::open(&browser, program.address(), "", 3);
    let mut looks = 0;
    soak.run(Some(&mut program), |page, _, rng| {
        // A page that has just been reloaded may have no figure yet.
        let story = Story::of(page);
        if !story.received.is_empty() {
            story.is_whole();
            looks += 1;
        }
        if rng.one_in(60) {
            let order = if rng.one_in(2) { "drop" } else { "freeze" };
            page.eval(&format!("document.querySelector('[data-order^={order}]').click();"));
        }
    });
    assert!(looks > 10, "{looks}");
    for page in soak.pages() {
        live(page);
    }
    let stories = all_whole(soak.pages());
    let epoch = stories[0].epochs().pop();
    for story in &stories {
        assert_eq!(story.epochs().pop(), epoch);
        assert_eq!(story.lost, [], "nobody was away for longer than the server keeps its figures");
    }
}
