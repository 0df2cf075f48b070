//! The chat: what happens to one of its pages, as the others see it.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use liveness::Clock;
use serde_json::{Value, json};
use socket2::SockRef;
use tungstenite::{Message, WebSocket};

use crate::browser::{Browser, Key, Page};
use crate::proxy::{Proxy, Way};
use crate::soak::Soak;
use liveness_testing::Program;
use liveness_testing::eventually;
use liveness_testing::raw_peer::{PATIENCE, millis, sleep};

/// The states of a page are seconds apart, so that a busy machine neither adds one nor hides one.
const FLAGS: [&str; 8] =
    ["--interval", "500ms", "--timeout", "8s", "--suspect-after", "3s", "--linger", "2s"];
const LINGER: Duration = millis(2000);
/// The least time from the last answer to the verdict. The machine decides the most; simulated pages are tested for that.
const SOONEST: Duration = millis(7400);

/// What a page says of itself where the others saw it leave.
const AWAY: &str = "You were away, and the others saw you leave.";

/// Opens the chat for a new person.
fn enter(browser: &Browser, url: &str, name: &str) -> Page {
    let page = browser.page(url);
    page.write("#name", name).press("#name", Key::Enter);
    page.eventually("it is connected", |page| page.text("#link") == "Connected");
    page
}

/// What a page shows about somebody; `None` if it does not show them.
fn state(page: &Page, name: &str) -> String {
    let find = "const it = [...document.querySelectorAll('#people li')].find(li =>
        [NAME, NAME + ' (you)'].includes(li.querySelector('.name').innerText));
        return it?.dataset.state ?? '';";
    let find = find.replace("NAME", &json!(name).to_string());
    page.eval(&find).as_str().unwrap().to_owned()
}

fn note(page: &Page, name: &str) -> String {
    let find = "const it = [...document.querySelectorAll('#people li')].find(li =>
        li.querySelector('.name').innerText === NAME);
        return it?.querySelector('.note').innerText ?? '';";
    page.eval(&find.replace("NAME", &json!(name).to_string())).as_str().unwrap().to_owned()
}

#[track_caller]
fn until(page: &Page, name: &str, wanted: &str) -> Duration {
    page.eventually(&format!("{name} is {wanted}"), |page| state(page, name) == wanted)
}

/// From now on a page writes down every state of everybody that it shows.
fn watch(page: &Page) {
    page.eval(
        "window.shown = [];
         new MutationObserver(() => {
           for (const li of document.querySelectorAll('#people li'))
             shown.push(`${li.querySelector('.name').innerText} ${li.dataset.state}`);
         }).observe(document.getElementById('people'),
           { subtree: true, childList: true, attributes: true, attributeFilter: ['data-state'] });",
    );
}

/// What it has written down, each once, without the entries of people who are online.
fn seen(page: &Page) -> Vec<String> {
    let shown = page.eval("return [...new Set(shown)].filter(it => !it.endsWith(' online')).sort();");
    shown.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn say(page: &Page, text: &str) {
    page.write("#words", text).press("#words", Key::Enter);
}

fn hears(page: &Page, text: &str) {
    page.eventually(&format!("{text} is read"), |page| {
        page.texts("#log .line:not(.waiting) .said").iter().any(|said| said == text)
    });
}

/// Three people in one room who see each other.
fn three(browser: &Browser, url: &str) -> [Page; 3] {
    let pages = ["Ada", "Grace", "Edsger"].map(|name| enter(browser, url, name));
    for page in &pages {
        for name in ["Ada", "Grace", "Edsger"] {
            until(page, name, "online");
        }
    }
    pages
}

#[test]
fn what_one_writes_the_others_read_and_nothing_of_it_is_markup() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let [ada, grace, edsger] = three(&browser, &program.url());
    say(&ada, "<b>Hello</b><img src=x onerror=alert(1)>");
    for page in [&ada, &grace, &edsger] {
        hears(page, "<b>Hello</b><img src=x onerror=alert(1)>");
        assert_eq!(page.eval("return document.querySelectorAll('#log b, #log img').length;"), 0);
    }
    assert_eq!(ada.value("#words"), "");
    assert_eq!(ada.eval("return document.activeElement.id;"), "words", "the focus stays");
    // The keys as the driver spells them: Shift, Enter, and all released.
    grace.write("#words", "two\u{e008}\u{e007}\u{e000}lines");
    grace.press("#words", Key::Enter);
    hears(&edsger, "two\nlines");

    // The round trip beside the name, as each of them sees it.
    for page in [&ada, &edsger] {
        page.eventually("a round trip is shown", |page| note(page, "Grace").ends_with(" ms"));
    }
    assert_eq!(ada.text("#count"), "3");

    // A visitor who comes later is told what was said and who is here. A link leads into another room.
    let barbara = enter(&browser, &program.url(), "Barbara");
    hears(&barbara, "two\nlines");
    assert_eq!(barbara.text("#count"), "4");
    let elsewhere = barbara.tab(format!("{}?room=tea%20time", program.url()));
    elsewhere.eventually("it is another room", |page| page.text("#count") == "1");
    assert_eq!((elsewhere.text("#room"), elsewhere.texts("#log .said").len()), ("tea time".to_owned(), 0));
    for page in [&ada, &grace, &edsger, &barbara] {
        let errors: Vec<_> = page.console().into_iter().filter(|line| line.starts_with("SEVERE")).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

/// What a page has made links of in the last line, and how many elements are in it at all.
fn links(page: &Page) -> (Vec<String>, u64) {
    let found = page.eval(
        "const said = [...document.querySelectorAll('#log .said')].at(-1);
         const links = [...said.querySelectorAll('a')]
           .filter(({ target, rel }) => target === '_blank' && rel === 'noopener noreferrer nofollow')
           .filter((link) => link.textContent === link.getAttribute('href'));
         return [links.map((link) => link.textContent), said.querySelectorAll('*').length];",
    );
    let texts = found[0].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned());
    (texts.collect(), found[1].as_u64().unwrap())
}

#[test]
fn addresses_of_the_web_are_links_and_whatever_else_is_written_is_text() {
    let program = Program::start(crate::CHAT, &["--timeout", "20s"]);
    let browser = Browser::open();
    let ada = enter(&browser, &program.url(), "Ada");
    let mut talk = Client::enter(&program, "Grace");
    let cases: [(&str, &[&str]); 13] = [
        (
            "See https://example.org/a, or HTTP://example.org:8080/?q=1&r=2#s!",
            &["https://example.org/a", "HTTP://example.org:8080/?q=1&r=2#s"],
        ),
        (
            "(https://example.org/Moore's_law_(1965)). \"https://example.org/b\"?",
            &["https://example.org/Moore's_law_(1965)", "https://example.org/b"],
        ),
        (
            "<https://example.org/c> [x](https://example.org/d)",
            &["https://example.org/c", "https://example.org/d"],
        ),
        ("\u{201c}https://example.org/\u{fc}\u{201d}\u{2026}", &["https://example.org/\u{fc}"]),
        ("https://example.org/\"onmouseover=\"alert(1)", &["https://example.org/"]),
        ("<a href=\"javascript:alert(1)\">https://example.org/</a>", &["https://example.org/"]),
        ("javascript:alert(1)", &[]),
        ("javascript:alert(1)//https://example.org/", &[]),
        ("JavaScript://example.org/%0aalert(1)", &[]),
        ("data:text/html,<script>alert(1)</script> file:///etc/passwd", &[]),
        ("https:// http://[bad", &[]),
        ("xhttps://example.org/ and example.org, mailto:ada@example.org", &[]),
        ("<img src=x onerror=alert(1)><a href='https:'>", &[]),
    ];
    for (number, (text, wanted)) in cases.into_iter().enumerate() {
        talk.say(&json!({ "type": "say", "key": number.to_string(), "text": text }));
        hears(&ada, text);
        assert_eq!(
            links(&ada),
            (wanted.iter().map(ToString::to_string).collect(), wanted.len() as u64),
            "{text}"
        );
        // No faster than one may talk.
        sleep(millis(250));
    }
    ada.assert_accessible("chat-links");
}

#[test]
fn who_is_not_let_in_is_asked_for_another_name() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let ada = browser.page(program.url());
    for nothing in ["   ", "\u{3164}"] {
        ada.clear("#name").write("#name", nothing).press("#name", Key::Enter);
        ada.eventually("it says why", |page| page.text("#wrong").contains("a name has at least one letter"));
        assert_eq!(ada.text("#self"), "nobody yet");
    }
    ada.clear("#name").write("#name", "Ada").press("#name", Key::Enter);
    ada.eventually("it is connected", |page| page.text("#link") == "Connected");
    ada.click("#rename").clear("#name").write("#name", "  ").press("#name", Key::Enter);
    ada.eventually("it says why", |page| page.text("#wrong").contains("a name has at least one letter"));
    assert_eq!((ada.text("#self"), ada.text("#link")), ("Ada".to_owned(), "Connected".to_owned()));
}

#[test]
fn a_browser_that_keeps_nothing_lets_its_user_talk() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let ada = browser.page(program.url());
    ada.keeps_nothing().write("#name", "Ada").press("#name", Key::Enter);
    ada.eventually("it is connected", |page| page.text("#link") == "Connected");
    say(&ada, "Hello");
    hears(&ada, "Hello");
}

#[test]
fn one_name_is_one_persons_and_two_tabs_are_one_person() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let ada = enter(&browser, &program.url(), "Ada");
    let other = browser.page(program.url());
    other.write("#name", " aDA ").press("#name", Key::Enter);
    other.eventually("it is told", |page| page.text("#wrong").contains("is in this room already"));
    assert_eq!(other.value("#name"), "aDA 2");
    other.press("#name", Key::Enter);
    until(&ada, "aDA 2", "online");

    // The second tab belongs to the same person, so nobody sees it come or go.
    watch(&other);
    let lines = other.texts("#log .system").len();
    let tab = ada.tab(program.url());
    tab.eventually("the tab is connected", |page| page.text("#link") == "Connected");
    assert_eq!((tab.text("#self"), tab.text("#count")), ("Ada".to_owned(), "2".to_owned()));
    say(&tab, "from the second tab");
    hears(&other, "from the second tab");
    hears(&ada, "from the second tab");
    tab.close();
    sleep(LINGER + millis(1000));
    assert_eq!((seen(&other), state(&other, "Ada")), (vec![], "online".to_owned()));
    assert_eq!(other.texts("#log .system").len(), lines);
}

#[test]
fn a_new_name_and_a_goodbye_are_for_all_tabs_and_a_goodbye_does_not_linger() {
    // Longer than any wait.
    let program = Program::start(crate::CHAT, &["--timeout", "20s", "--linger", "3600s"]);
    let browser = Browser::open();
    let ada = enter(&browser, &program.url(), "Ada");
    let other = enter(&browser, &program.url(), "Grace");
    until(&other, "Ada", "online");
    let tab = ada.tab(program.url());
    tab.eventually("the tab is connected", |page| page.text("#link") == "Connected");
    ada.click("#rename").clear("#name").write("#name", "Augusta").press("#name", Key::Enter);
    until(&other, "Augusta", "online");
    tab.eventually("the tab knows", |page| page.text("#self") == "Augusta");
    tab.click("#leave");
    until(&other, "Augusta", "gone");
    ada.eventually("the first tab has left, too", |page| page.text("#link") == "You left");
}

/// A page that is frozen by its browser or stopped by its system answers nothing, although its browser answers pings for
/// it.
#[test]
fn a_frozen_page_is_suspect_then_gone_and_comes_back() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let [ada, grace, edsger] = three(&browser, &program.url());
    type Step = fn(&Page) -> &Page;
    for (freeze, thaw) in [(Page::freeze as Step, Page::thaw as Step), (Page::stop, Page::go_on)] {
        freeze(&grace);
        let suspected = until(&ada, "Grace", "suspect");
        assert_eq!(note(&ada, "Grace"), "no answer");
        let gone = suspected + until(&ada, "Grace", "gone");
        assert!(gone > SOONEST + LINGER, "{gone:?}");
        until(&edsger, "Grace", "gone");
        say(&edsger, "said while she was away");
        thaw(&grace);
        for page in [&ada, &edsger, &grace] {
            until(page, "Grace", "online");
        }
        hears(&grace, "said while she was away");
        // As far as the others can tell she left and came. She knows better.
        ada.eventually("it is told", |page| {
            page.texts("#log .system").ends_with(&["Grace left".to_owned(), "Grace joined".to_owned()])
        });
        let told = grace.texts("#log .system");
        assert_eq!(told.last().unwrap(), AWAY);
        assert!(!told.iter().any(|line| line.starts_with("Grace")), "{told:?}");
    }
    assert_eq!(grace.texts("#log .line .said"), ["said while she was away"; 2]);
    assert_eq!([state(&grace, "Ada"), state(&grace, "Edsger")], ["online", "online"]);
}

#[test]
fn a_cut_page_is_suspect_then_gone_and_what_it_wrote_comes_once() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let proxy = Proxy::start(program.address());
    let browser = Browser::open();
    let ada = enter(&browser, &program.url(), "Ada");
    let grace = enter(&browser, &proxy.url(), "Grace");
    let edsger = enter(&browser, &program.url(), "Edsger");
    until(&ada, "Grace", "online");
    say(&grace, "before");
    hears(&ada, "before");
    proxy.cut(Way::Both);
    say(&grace, "into the hole");
    let suspected = until(&ada, "Grace", "suspect");
    let gone = suspected + until(&ada, "Grace", "gone");
    assert!(gone > SOONEST + LINGER, "{gone:?}");
    grace.eventually("it notices by itself", |page| page.text("#link") != "Connected");
    say(&ada, "meanwhile");
    say(&grace, "without a connection");
    proxy.heal();
    for page in [&ada, &edsger] {
        until(page, "Grace", "online");
        hears(page, "without a connection");
    }
    hears(&grace, "without a connection");
    sleep(millis(1000));
    for page in [&ada, &edsger, &grace] {
        let mut said = page.texts("#log .line .said");
        said.sort();
        assert_eq!(said, ["before", "into the hole", "meanwhile", "without a connection"], "each once");
    }

    // A short cut harms nobody. A page is suspect at most.
    watch(&ada);
    proxy.cut(Way::ToServer);
    sleep(millis(1000));
    proxy.heal();
    sleep(LINGER + millis(2000));
    assert_eq!(state(&ada, "Grace"), "online");
    assert!(!seen(&ada).contains(&"Grace gone".to_owned()), "{:?}", seen(&ada));
    let away = grace.texts("#log .system").iter().filter(|line| *line == AWAY).count();
    assert_eq!(away, 1, "of the long one only");
}

#[test]
fn a_reloaded_page_does_not_flicker_and_a_closed_one_leaves_after_the_linger() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let [ada, grace, edsger] = three(&browser, &program.url());
    watch(&ada);
    let lines = ada.texts("#log .system").len();
    for _ in 0..3 {
        grace.reload();
        grace.eventually("it is connected", |page| page.text("#link") == "Connected");
        until(&grace, "Ada", "online");
    }
    sleep(LINGER + millis(1000));
    assert_eq!((seen(&ada), ada.texts("#log .system").len()), (vec![], lines), "nobody saw anything");
    assert_eq!(state(&ada, "Grace"), "online");

    // The driver takes some time to report that it is closed.
    let clock = Clock::new();
    let start = clock.now();
    grace.close();
    until(&ada, "Grace", "gone");
    let gone = clock.now().saturating_duration_since(start);
    assert!(gone > LINGER, "{gone:?}");
    until(&edsger, "Grace", "gone");
    assert_eq!(ada.texts("#log .system").last().unwrap(), "Grace left");
    // Crossed out for a while, then gone.
    until(&ada, "Grace", "");
    assert_eq!((ada.text("#count"), state(&ada, "Edsger")), ("2".to_owned(), "online".to_owned()));
}

#[test]
fn a_server_that_starts_anew_finds_everybody_again() {
    let mut program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let [ada, grace, edsger] = three(&browser, &program.url());
    say(&ada, "to the first server");
    hears(&grace, "to the first server");
    program.kill();
    for page in [&ada, &grace, &edsger] {
        page.eventually("it notices", |page| page.text("#link") == "Disconnected");
    }
    say(&edsger, "to nobody yet");
    program.restart();
    for page in [&ada, &grace, &edsger] {
        hears(page, "to nobody yet");
        for name in ["Ada", "Grace", "Edsger"] {
            until(page, name, "online");
        }
    }
    // The pages notice by their own clock that a server stands still, because no socket closes.
    program.freeze();
    ada.eventually("it doubts", |page| page.text("#link") == "No answer yet");
    ada.eventually("it notices", |page| page.text("#link") == "Disconnected");
    program.thaw();
    ada.eventually("it is back", |page| page.text("#link") == "Connected");
    until(&grace, "Ada", "online");
}

#[test]
fn the_log_stays_where_its_reader_is_and_every_colour_can_be_read() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let ada = enter(&browser, &program.url(), "Ada");
    let grace = enter(&browser, &program.url(), "Grace");
    let tall = |number| format!("{number}\n.\n.\n.\n.\n.\n.\n.");
    for number in 0..6 {
        grace.eval(&format!(
            "const words = document.getElementById('words'); words.value = {}; words.form.requestSubmit();",
            json!(tall(number))
        ));
    }
    hears(&ada, &tall(5));
    assert_eq!(
        ada.eval("return log.scrollHeight > log.clientHeight + 100;"),
        true,
        "there is something to scroll"
    );
    let at_end = "return log.scrollHeight - log.scrollTop - log.clientHeight < 40;";
    assert_eq!(ada.eval(at_end), true, "it follows");
    ada.eval("log.scrollTop = 0;");
    say(&grace, "read this later");
    ada.eventually("she is told", |page| page.text("#down") == "1 new message");
    assert_eq!(ada.eval("return log.scrollTop;"), 0, "it stays");
    assert!(ada.eval("return document.title;").as_str().unwrap().starts_with("(1) "));
    assert_eq!(ada.texts("#log .unread"), ["New"]);
    ada.click("#down");
    ada.eventually("she has read it", |page| {
        page.eval(at_end) == true && page.attribute("#down", "hidden").is_some()
    });

    // A log that shrinks in the moment it is scrolled to its end, before its page has heard of the scrolling.
    ada.eval("log.scrollTop = 0;");
    ada.eventually("the button is there", |page| page.attribute("#down", "hidden").is_none());
    let low = ada.eval(
        "document.getElementById('down').click(); log.style.maxHeight = '100px'; return log.clientHeight;",
    );
    assert!(low.as_u64() <= Some(100), "{low}");
    ada.eventually("it is at the end of the lower log", |page| page.eval(at_end) == true);
    ada.eval("log.style.maxHeight = '';");

    // The window of a phone, however it is held, has the latest words and the field to answer.
    for page in [ada.phone(), ada.low_phone()] {
        page.eventually("it is as high as the window", |page| {
            page.eval(
                "const end = document.getElementById('words').getBoundingClientRect().bottom;
                 return document.documentElement.scrollHeight <= innerHeight && end <= innerHeight && log.clientHeight > 90;",
            ) == true
        });
        page.eventually("it is at the end", |page| page.eval(at_end) == true);
    }
    ada.screenshot("chat-low");
    ada.desktop();

    // WCAG 2.2, 1.4.3: 4.5 to 1.
    let worst = "const paint = (colour) => {
          const pen = new OffscreenCanvas(1, 1).getContext('2d');
          pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
          const light = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3)
            .map(it => it / 255).map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
          return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2];
        };
        const name = document.querySelector('#log .named');
        const card = paint(getComputedStyle(document.querySelector('.talk')).backgroundColor);
        let worst = 21;
        for (let hue = 0; hue < 360; hue += 5) {
          name.style.setProperty('--hue', hue);
          const ink = paint(getComputedStyle(name).color);
          worst = Math.min(worst, (Math.max(ink, card) + 0.05) / (Math.min(ink, card) + 0.05));
        }
        return worst;";
    for page in [ada.light(), ada.dark()] {
        let worst = page.eval(worst).as_f64().unwrap();
        assert!(worst > 4.5, "{worst}");
    }
}

#[test]
fn it_leaves_pictures_of_a_conversation() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let proxy = Proxy::start(program.address());
    let browser = Browser::open();
    let ada = browser.page(format!("{}?room=difference%20engine", program.url()));
    ada.screenshots("chat-name");
    ada.write("#name", "Ada").press("#name", Key::Enter);
    let room = format!("{}?room=difference%20engine", program.url());
    let grace = enter(&browser, &room, "Grace");
    let edsger = enter(&browser, &format!("{}?room=difference%20engine", proxy.url()), "Edsger");
    let barbara = enter(&browser, &room, "Barbara");
    say(&grace, "Has anybody seen the plans for the mill?");
    hears(&ada, "Has anybody seen the plans for the mill?");
    say(&ada, "On my desk, under the punched cards. Notes A to G are with them.");
    say(&ada, "I shall copy them this evening.");
    hears(&edsger, "I shall copy them this evening.");
    say(&edsger, "Simplicity is prerequisite for reliability, so please not all of them.");
    hears(&ada, "Simplicity is prerequisite for reliability, so please not all of them.");
    say(&barbara, "See you tomorrow!");
    hears(&ada, "See you tomorrow!");
    barbara.close();
    until(&ada, "Barbara", "gone");
    proxy.cut(Way::Both);
    until(&ada, "Edsger", "suspect");
    ada.screenshots("chat");
    let widest = "return document.documentElement.scrollWidth <= innerWidth;";
    assert_eq!(ada.phone().eval(widest), true);
    ada.desktop();
    proxy.heal();
    program.freeze();
    ada.eventually("it notices", |page| page.text("#link") == "Disconnected");
    say(&ada, "Is this on?");
    ada.screenshots("chat-disconnected");
    program.thaw();
}

/// A page without a browser.
struct Client(WebSocket<TcpStream>);

impl Client {
    fn enter(program: &Program, name: &str) -> Self {
        let stream = TcpStream::connect(program.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        SockRef::from(&stream).set_recv_buffer_size(16 * 1024).unwrap();
        let url = format!("ws://{}/live", program.address());
        let mut client = Self(tungstenite::client(url, stream).unwrap().0);
        client.say(&json!({ "type": "hello", "token": name, "name": name, "room": "lobby" }));
        client.until(|told| told["type"] == "welcome");
        client
    }

    fn say(&mut self, what: &Value) {
        self.0.send(Message::text(what.to_string())).unwrap();
    }

    /// Answers pings until a message comes.
    fn until(&mut self, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let Message::Text(words) = self.0.read().unwrap() else { continue };
            if let Some(digits) = words.strip_prefix("ping ") {
                self.0.send(Message::text(format!("pong {digits}"))).unwrap();
                continue;
            }
            let told: Value = serde_json::from_str(&words).unwrap();
            if is_it(&told) {
                return told;
            }
        }
    }
}

#[test]
fn who_reads_slowly_holds_up_nobody_and_is_told_how_things_stand() {
    let program = Program::start(crate::CHAT, &["--timeout", "never"]);
    let mut slow = Client::enter(&program, "slow");
    let mut quick = Client::enter(&program, "quick");
    let mut talkers: Vec<_> =
        (0..16).map(|talker| Client::enter(&program, &format!("talker {talker}"))).collect();
    // A megabyte: more than the system keeps for a reader and the hub for a connection.
    let said = 8 * talkers.len();
    let reader = thread::spawn(move || {
        // If a megabyte at once is too much even for this one, it gets the same message at once.
        quick.until(|told| {
            let last = told["lines"].as_array().and_then(|lines| lines.last()).unwrap_or(told);
            last["seq"] == said
        });
        quick
    });
    let text = "\u{1f600}".repeat(2000);
    for number in 0..8 {
        for talker in &mut talkers {
            talker.say(&json!({ "type": "say", "key": number.to_string(), "text": text }));
        }
    }
    let mut quick = reader.join().expect("nobody holds it up");
    // Now it reads on: first some messages, then the current state.
    let told = slow.until(|told| told["type"] == "welcome");
    assert_eq!(told["behind"], true);
    let lines = told["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[99]["seq"]), (100, &json!(said)));
    slow.say(&json!({ "type": "say", "key": "after", "text": "I am back" }));
    let back = quick.until(|told| told["type"] == "line" && told["key"] == "after");
    assert_eq!((&back["name"], &back["seq"]), (&json!("slow"), &json!(said + 1)));
}

#[test]
fn who_talks_too_much_is_slowed_and_what_comes_twice_is_said_once() {
    let program = Program::start(crate::CHAT, &FLAGS);
    let mut ada = Client::enter(&program, "Ada");
    for (key, text) in [("one", "1"), ("one", "1"), ("", "   "), ("long", &*"x".repeat(2001))] {
        ada.say(&json!({ "type": "say", "key": key, "text": text }));
    }
    let line = ada.until(|told| told["type"] == "line");
    assert_eq!((&line["text"], &line["seq"]), (&json!("1"), &json!(1)));
    for why in ["there is nothing in it", "it is too long"] {
        let told = ada.until(|told| ["line", "refused"].contains(&told["type"].as_str().unwrap()));
        assert_eq!(told["why"], why);
    }
    for number in 0..20 {
        ada.say(&json!({ "type": "say", "key": number.to_string(), "text": "again" }));
    }
    assert_eq!(ada.until(|told| told["type"] == "refused")["why"], "too many messages at once");
    sleep(millis(1500));
    ada.say(&json!({ "type": "say", "key": "rested", "text": "slowly" }));
    ada.until(|told| told["type"] == "line" && told["key"] == "rested");
    // A message that no page sends ends the connection.
    ada.say(&json!({ "type": "shout" }));
    eventually("it is closed", || matches!(ada.0.read(), Ok(Message::Close(_)) | Err(_)));
}

/// Says something if the page allows it, without keys and mouse, because the page may be scrolled or about to reload.
fn say_at_once(page: &Page, text: &str) {
    let words = format!("const words = document.getElementById('words'); words.value = {};", json!(text));
    page.eval(&(words + "document.getElementById('say').requestSubmit();"));
}

/// The messages that a page has received, in the order in which it shows them.
fn told(page: &Page) -> Vec<String> {
    page.texts("#log .line:not(.waiting) .said")
}

/// Also tests a server that was restarted and knows nothing of before. Pages send again what it had accepted but not
/// passed on.
#[test]
fn after_a_soak_all_are_here_and_each_was_heard_once_and_in_order() {
    const NAMES: [&str; 3] = ["Ada", "Edsger", "Grace"];
    let mut program = Program::start(crate::CHAT, &FLAGS);
    let browser = Browser::open();
    let mut soak = Soak::open(&browser, program.address(), "", 3);
    for (page, name) in soak.pages().into_iter().zip(NAMES) {
        page.write("#name", name).press("#name", Key::Enter);
        page.eventually("it is connected", |page| page.text("#link") == "Connected");
    }
    let mut spoken = 0;
    soak.run(Some(&mut program), |page, index, rng| {
        if rng.one_in(3) {
            say_at_once(page, &format!("{} says {spoken}", NAMES[index]));
            spoken += 1;
        }
    });
    let pages = soak.pages();
    for page in &pages {
        page.eventually("it is connected", |page| page.text("#link") == "Connected");
        // A page that says too much at once is told so, and may send it again. That does not count as waiting.
        page.eventually("nothing is under way", |page| {
            !page.texts("#log .fate").contains(&"Sending".to_owned())
        });
    }
    for (page, name) in pages.iter().zip(NAMES) {
        say_at_once(page, &format!("{name} is back"));
    }
    for page in &pages {
        for name in NAMES {
            hears(page, &format!("{name} is back"));
        }
        // A person who was shown as gone is removed after a while.
        page.eventually("exactly the three are here", |page| {
            let mut here = page.texts("#people .name");
            here.sort_unstable();
            let here: Vec<&str> = here.iter().map(|name| name.trim_end_matches(" (you)")).collect();
            here == NAMES && NAMES.iter().all(|name| state(page, name) == "online")
        });
        assert_eq!(page.text("#count"), "3");
    }
    let logs: Vec<Vec<String>> = pages.iter().map(|page| told(page)).collect();
    for log in &logs {
        for name in NAMES {
            let of_one =
                log.iter().filter_map(|said| said.strip_prefix(name)?.strip_prefix(" says ")?.parse().ok());
            let of_one: Vec<usize> = of_one.collect();
            assert!(of_one.is_sorted_by(|one, next| one < next), "of {name}: {of_one:?}");
            assert_eq!(log.iter().filter(|said| **said == format!("{name} is back")).count(), 1);
        }
    }
    println!("{spoken} said, {:?} heard", logs.iter().map(Vec::len).collect::<Vec<_>>());
    assert!(logs.iter().all(|log| log.len() > 5));
}
