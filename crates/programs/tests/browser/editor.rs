//! The editor: one text, one pen, three pages and what happens to them.

use std::time::Duration;

use crate::browser::{Browser, Key, Page};
use crate::proxy::{Proxy, Way};
use crate::soak::Soak;
use liveness_testing::Program;
use liveness_testing::eventually;
use liveness_testing::raw_peer::{millis, sleep};
use serde_json::json;
use tungstenite::Message;

/// A page that stands still is suspect after three seconds, loses the pen three seconds later, and is given up after
/// twelve. So a busy machine neither makes a page suspect nor hides that it is.
const QUICK: [&str; 8] =
    ["--interval", "500ms", "--suspect-after", "3s", "--timeout", "12s", "--grace", "3s"];

fn named(page: &Page, name: &str) {
    connected(page);
    page.eval(&format!(
        "const field = document.getElementById('name'); field.select(); field.value = '{name}';"
    ));
    page.eval("document.getElementById('name').dispatchEvent(new Event('change'));");
    page.eventually("its name is known", |page| {
        page.texts("#people .name").contains(&format!("{name} (you)"))
    });
}

#[track_caller]
fn connected(page: &Page) {
    page.eventually("it is connected", |page| page.text("#link") == "Connected");
}

#[track_caller]
fn says(page: &Page, words: &str) -> Duration {
    page.eventually(words, |page| page.text("#pen") == words)
}

/// Asks for the pen, and gets it.
#[track_caller]
fn takes(page: &Page) {
    page.click("#ask");
    says(page, "You have the pen.");
}

/// The server has received everything that was typed.
#[track_caller]
fn settled(page: &Page) {
    page.eventually("all is sent", |page| page.text("#saved") == "Everything is sent.");
}

#[track_caller]
fn reads(pages: &[&Page], text: &str) {
    for page in pages {
        page.eventually(&format!("it reads {text:?}"), |page| page.value("#text") == text);
    }
}

#[test]
fn who_finds_no_place_is_told_so_and_gets_the_next_one() {
    let program = Program::start(crate::EDITOR, &["--timeout", "never", "--linger", "100ms"]);
    let mut people: Vec<_> = (0..100)
        .map(|number| {
            let mut person = tungstenite::connect(format!("ws://{}/live", program.address())).unwrap().0;
            let hello = json!({ "type": "hello", "key": format!("person {number}"), "name": "somebody" });
            person.send(Message::text(hello.to_string())).unwrap();
            while !person.read().unwrap().to_text().unwrap().contains("welcome") {}
            person
        })
        .collect();
    let browser = Browser::open();
    let page = browser.page(program.url());
    page.eventually("it says why", |page| page.text("#link") == "Full, trying again");
    drop(people.pop());
    connected(&page);
}

/// What was refused to a page, and why.
fn refused(page: &Page) -> (Vec<String>, String) {
    let words =
        page.eval("return [...document.querySelectorAll('#shelf .words')].map((field) => field.value);");
    let words = words.as_array().unwrap().iter().map(|words| words.as_str().unwrap().to_owned()).collect();
    (words, page.texts("#shelf .why").join("\n"))
}

fn state(page: &Page, name: &str) -> Option<String> {
    let script = format!(
        "return [...document.querySelectorAll('#people li')].find((row) => row.textContent.startsWith('{name}'))?.dataset.state;"
    );
    page.eval(&script).as_str().map(str::to_owned)
}

/// Ann, Bob and Cid, each in their own browser.
fn three(browser: &Browser, url: &str) -> [Page; 3] {
    ["Ann", "Bob", "Cid"].map(|name| {
        let page = browser.page(url);
        named(&page, name);
        page
    })
}

#[test]
fn the_pen_goes_round_and_everybody_reads_what_is_written() {
    let program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let [ann, bob, cid] = three(&browser, &program.url());
    assert_eq!(ann.text("#pen"), "The pen is free.");
    assert_eq!(ann.eval("return document.getElementById('text').readOnly;"), true);

    takes(&ann);
    says(&bob, "Ann has the pen.");
    ann.write("#text", "Once upon a time");
    reads(&[&ann, &bob, &cid], "Once upon a time");
    assert_eq!(bob.eval("return document.getElementById('text').readOnly;"), true);

    // The keyboard can ask too.
    bob.eval("dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true }));");
    bob.eventually("it waits", |page| page.text("#hint") == "You are next.");
    cid.click("#ask");
    cid.eventually("it waits", |page| page.text("#hint") == "You are number 2 in the queue.");
    ann.eventually("it sees who waits", |page| page.texts("#queue .name") == ["1. Bob", "2. Cid"]);
    // One leaves the queue, and asks again.
    bob.click("#ask");
    cid.eventually("it moves up", |page| page.text("#hint") == "You are next.");
    bob.click("#ask");

    ann.press("#text", Key::Enter);
    ann.write("#text", "there was a pen 🖋.");
    settled(&ann);
    ann.click("#ask");
    says(&cid, "You have the pen.");
    cid.write("#text", " ü");
    settled(&cid);
    cid.click("#ask");
    says(&bob, "You have the pen.");
    bob.press("#text", Key::Backspace);
    bob.press("#text", Key::Backspace);
    reads(&[&ann, &bob, &cid], "Once upon a time\nthere was a pen 🖋.");
    for page in [&ann, &bob, &cid] {
        assert_eq!(refused(page).0, [""; 0]);
        assert_eq!(page.console(), [""; 0]);
    }
}

#[test]
fn who_gets_the_pen_while_they_type_their_name_does_not_type_it_into_the_text() {
    let program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let [ann, bob] = ["Ann", "Bob"].map(|name| {
        let page = browser.page(program.url());
        named(&page, name);
        page
    });
    takes(&ann);
    asks(&bob);
    bob.write("#name", "b");
    ann.click("#ask");
    says(&bob, "You have the pen.");
    bob.eval("document.execCommand('insertText', false, 'y');");
    assert_eq!((bob.value("#name"), bob.value("#text")), ("Bobby".to_owned(), String::new()));
}

#[test]
fn a_browser_that_keeps_nothing_lets_its_user_write_and_says_what_to_avoid() {
    let program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let ann = browser.page(program.url());
    ann.keeps_nothing();
    ann.eventually("it says so", |page| page.text(".toasts").contains("do not reload it"));
    connected(&ann);
    takes(&ann);
    ann.write("#text", "a");
    settled(&ann);
}

/// Asks for the pen while somebody else has it.
fn asks(page: &Page) {
    page.click("#ask");
    page.eventually("it waits", |page| page.text("#hint") == "You are next.");
}

/// Writes something, and then something more that stays on its way.
fn writes_too_late(page: &Page, next: &Page) {
    takes(page);
    page.write("#text", "Good");
    settled(page);
    asks(next);
    hold_back(page);
    page.write("#text", " and late");
}

/// Holds back what the page sends next, as if the page stopped between typing and sending.
fn hold_back(page: &Page) {
    page.eval(
        "window.send ??= WebSocket.prototype.send; window.held = [];
         WebSocket.prototype.send = function (words) {
           if (words.includes('\"edit\"')) window.held.push([this, words]); else window.send.call(this, words);
         };",
    );
}

fn let_go(page: &Page) {
    page.eval(
        "WebSocket.prototype.send = window.send;
         for (const [socket, words] of window.held) if (socket.readyState === 1) socket.send(words);",
    );
}

#[test]
fn a_page_whose_process_stops_loses_the_pen_and_its_late_edit_is_refused() {
    let program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let [ann, bob, cid] = three(&browser, &program.url());
    writes_too_late(&ann, &bob);

    ann.stop();
    says(&cid, "Ann does not answer.");
    assert!(cid.text("#hint").starts_with("The pen passes to Bob in "), "{}", cid.text("#hint"));
    assert_eq!(state(&cid, "Ann").as_deref(), Some("suspect"));
    assert_eq!(cid.value("#text"), "Good");
    says(&bob, "You have the pen.");
    says(&cid, "Bob has the pen.");
    bob.write("#text", ", said Bob");

    ann.go_on();
    let_go(&ann);
    ann.eventually("it is told why", |page| !refused(page).0.is_empty());
    let (words, why) = refused(&ann);
    assert_eq!(words, [" and late"]);
    assert!(why.starts_with("You lost the pen"), "{why}");
    assert!(why.ends_with(" Bob has the pen now."), "{why}");
    says(&ann, "Bob has the pen.");
    reads(&[&ann, &bob, &cid], "Good, said Bob");
    ann.screenshots("editor-refused");
    // It may be copied, and removed.
    ann.click("#shelf .away");
    assert_eq!(refused(&ann).0, [""; 0]);
    ann.reload();
    connected(&ann);
    assert_eq!(refused(&ann).0, [""; 0]);
}

#[test]
fn a_page_that_stops_for_a_moment_keeps_the_pen() {
    let program = Program::start(
        crate::EDITOR,
        &["--interval", "500ms", "--suspect-after", "2s", "--timeout", "60s", "--grace", "40s"],
    );
    let browser = Browser::open();
    let [ann, bob, cid] = three(&browser, &program.url());
    takes(&ann);
    asks(&bob);
    hold_back(&ann);
    ann.write("#text", "in time");
    ann.stop();
    says(&cid, "Ann does not answer.");
    ann.go_on();
    let_go(&ann);
    says(&cid, "Ann has the pen.");
    settled(&ann);
    reads(&[&ann, &bob, &cid], "in time");
    assert_eq!(refused(&ann).0, [""; 0]);
}

#[test]
fn a_page_that_its_browser_freezes_loses_the_pen_and_is_told_so() {
    let program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let [ann, bob, cid] = three(&browser, &program.url());
    writes_too_late(&ann, &bob);
    ann.freeze();
    says(&bob, "You have the pen.");
    bob.write("#text", ", said Bob");
    ann.thaw();
    let_go(&ann);
    ann.eventually("it is told why", |page| refused(page).0 == [" and late"]);
    assert!(refused(&ann).1.starts_with("You lost the pen"), "{}", refused(&ann).1);
    connected(&ann);
    reads(&[&ann, &bob, &cid], "Good, said Bob");
}

#[test]
fn what_is_typed_into_a_dead_network_is_kept_and_counts_while_the_pen_is_ours() {
    let program = Program::start(crate::EDITOR, &[&QUICK[..], &["--linger", "20s"]].concat());
    let browser = Browser::open();
    let proxy = Proxy::start(program.address());
    let ann = browser.page(proxy.url());
    named(&ann, "Ann");
    let bob = browser.page(program.url());
    named(&bob, "Bob");
    takes(&ann);
    for (way, word) in [(Way::Both, "one "), (Way::ToPage, "two "), (Way::ToServer, "three ")] {
        // Nobody waits for the pen, so it is hers while she lingers.
        proxy.cut(way);
        for letter in word.chars() {
            ann.write("#text", &letter.to_string());
        }
        sleep(millis(1_500));
        proxy.heal();
        settled(&ann);
    }
    proxy.reset();
    ann.write("#text", "four ");
    settled(&ann);
    proxy.forget();
    ann.write("#text", "five");
    settled(&ann);
    reads(&[&ann, &bob], "one two three four five");
    assert_eq!(refused(&ann).0, [""; 0]);

    // When Bob waits, it passes on, and her edit comes too late.
    asks(&bob);
    proxy.cut(Way::ToServer);
    ann.write("#text", " late");
    says(&bob, "You have the pen.");
    bob.write("#text", " six");
    proxy.heal();
    ann.eventually("it is told", |page| refused(page).0 == [" late"]);
    reads(&[&ann, &bob], "one two three four five six");
}

#[test]
fn a_reload_keeps_the_pen_and_a_page_that_is_closed_passes_it_on() {
    let program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let [ann, bob, cid] = three(&browser, &program.url());
    takes(&ann);
    asks(&bob);
    ann.write("#text", "before");
    ann.reload();
    says(&ann, "You have the pen.");
    ann.write("#text", " and after");
    settled(&ann);
    reads(&[&ann, &bob, &cid], "before and after");
    assert_eq!(bob.text("#hint"), "You are next.");

    // What is not acknowledged yet also survives a reload.
    hold_back(&ann);
    ann.write("#text", " all");
    ann.reload();
    settled(&ann);
    reads(&[&ann, &bob, &cid], "before and after all");

    ann.close();
    let passed = says(&bob, "You have the pen.");
    // The default linger.
    assert!(passed > millis(2_000), "{passed:?}");
    cid.eventually("Ann is gone", |page| page.texts("#people .name") == ["Bob", "Cid (you)"]);
}

#[test]
fn a_tab_that_is_duplicated_takes_over_and_no_two_pages_write_as_one() {
    let program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let ann = browser.page(program.url());
    named(&ann, "Ann");
    takes(&ann);
    ann.write("#text", "one");
    settled(&ann);
    let storage = ann.eval("return JSON.stringify({ ...sessionStorage });");
    let copy = ann.tab(program.url());
    copy.eval(&format!(
        "for (const [name, value] of Object.entries(JSON.parse({storage}))) sessionStorage.setItem(name, value);"
    ));
    copy.reload();
    says(&copy, "You have the pen.");
    says(&ann, "Open in another tab.");
    assert_eq!(ann.eval("return document.getElementById('text').readOnly;"), true);
    copy.write("#text", " two");
    settled(&copy);
    ann.click("#ask");
    says(&ann, "You have the pen.");
    says(&copy, "Open in another tab.");
    ann.write("#text", " three");
    settled(&ann);
    assert_eq!(ann.value("#text"), "one two three");
    assert_eq!(refused(&ann).0, [""; 0]);
}

#[test]
fn a_text_that_is_too_long_is_told_and_not_cut() {
    let program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let page = browser.page(program.url());
    named(&page, "Ann");
    takes(&page);
    page.eval(
        "const text = document.getElementById('text'); text.value = 'x'.repeat(20_003);
         text.dispatchEvent(new InputEvent('input', { bubbles: true }));",
    );
    page.eventually("it is told", |page| {
        page.text("#over") == "3 characters too many: shorten it, so that it can be sent."
    });
    assert_eq!(page.text("#saved"), "Sending");
    page.press("#text", Key::End);
    for _ in 0..3 {
        page.press("#text", Key::Backspace);
    }
    settled(&page);
    assert_eq!(page.text("#over"), "");
    assert_eq!(page.value("#text").len(), 20_000);
}

#[test]
fn a_server_that_starts_anew_keeps_the_text_and_refuses_the_pen_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.json");
    let mut program =
        Program::start(crate::EDITOR, &[&QUICK[..], &["--file", file.to_str().unwrap()]].concat());
    let browser = Browser::open();
    let [ann, bob, _] = three(&browser, &program.url());
    takes(&ann);
    ann.write("#text", "kept");
    settled(&ann);
    hold_back(&ann);
    ann.write("#text", " late");
    program.restart();
    let_go(&ann);
    ann.eventually("it is told", |page| refused(page).0 == [" late"]);
    assert!(refused(&ann).1.contains("before the server was restarted"), "{}", refused(&ann).1);
    connected(&bob);
    takes(&bob);
    bob.write("#text", " on");
    reads(&[&ann, &bob], "kept on");
}

#[test]
fn a_server_that_starts_anew_without_its_text_takes_none_from_the_pages() {
    let mut program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let [ann, bob, _] = three(&browser, &program.url());
    takes(&ann);
    ann.write("#text", "only here");
    reads(&[&ann, &bob], "only here");
    settled(&ann);
    program.restart();
    for page in [&ann, &bob] {
        page.eventually("it is told", |page| refused(page).0 == ["only here"]);
        assert!(refused(page).1.contains("without the text"), "{}", refused(page).1);
    }
    reads(&[&ann, &bob], "");
}

/// A button that moves is missed, and a text that moves is lost: with the longest name, too.
#[test]
fn the_bar_and_the_text_stay_where_they_are_in_every_state() {
    let mut program = Program::start(crate::EDITOR, &QUICK);
    let browser = Browser::open();
    let [ann, bob] = [browser.page(program.url()), browser.page(program.url())];
    let long = "Wilhelmina Montgomery WW";
    named(&ann, long);
    named(&bob, "Bob");
    let places = |page: &Page| page.tops("header, #desk, #ask, #text");
    let free = places(&bob);
    assert_ne!(free[0], free[1], "a phone is another place");
    let stays = |page: &Page, words: &str| {
        says(page, words);
        assert_eq!(places(page), free, "{words} {}", page.text("#hint"));
    };
    stays(&bob, "The pen is free.");
    takes(&ann);
    stays(&bob, &format!("{long} has the pen."));
    asks(&bob);
    stays(&bob, &format!("{long} has the pen."));
    ann.eventually("it sees who waits", |page| page.text("#hint") == "Bob waits for it.");
    stays(&ann, "You have the pen.");
    ann.stop();
    stays(&bob, &format!("{long} does not answer."));
    stays(&bob, "You have the pen.");
    ann.go_on();
    asks(&ann);
    bob.eventually("it sees who waits", |page| page.text("#hint") == format!("{long} waits for it."));
    stays(&bob, "You have the pen.");

    hold_back(&bob);
    bob.write("#text", "late");
    program.kill();
    stays(&bob, "Not connected. You may write on.");
    stays(&ann, "Not connected.");
    bob.eventually("it may be asked to dial", |page| page.text("#hint").contains(" Next attempt in "));
    assert_eq!(bob.text("#ask"), "Try now");
    stays(&bob, "Not connected. You may write on.");
    // What was refused is below the text.
    let_go(&bob);
    program.restart();
    bob.eventually("it is told", |page| !refused(page).0.is_empty());
    stays(&bob, "The pen is free.");
}

#[test]
fn it_leaves_pictures() {
    let program = Program::start(
        crate::EDITOR,
        &["--interval", "500ms", "--suspect-after", "500ms", "--timeout", "60s", "--grace", "20s"],
    );
    let browser = Browser::open();
    let [ann, bob, cid] = three(&browser, &program.url());
    ann.screenshots("editor-free");
    takes(&ann);
    ann.write("#text", "A pen is a promise: one user holds it and writes, and everybody else reads along.\n\nThis one knows when its holder is gone.");
    settled(&ann);
    bob.click("#ask");
    cid.click("#ask");
    cid.eventually("it waits", |page| page.text("#hint") == "You are number 2 in the queue.");
    ann.screenshots("editor-holder");
    ann.stop();
    says(&bob, "Ann does not answer.");
    bob.screenshots("editor-frozen");
    let widest = "return document.documentElement.scrollWidth <= innerWidth;";
    assert_eq!(bob.phone().eval(widest), true);
    ann.go_on();
}

/// Whatever happens to them, at the end all read the same. It contains what was typed and accepted, once and in order.
#[test]
fn after_a_soak_the_text_is_what_was_typed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.json");
    let mut program =
        Program::start(crate::EDITOR, &[&QUICK[..], &["--file", file.to_str().unwrap()]].concat());
    let browser = Browser::open();
    let mut soak = Soak::open(&browser, program.address(), "", 3);
    let (mut typed, mut refused) = (0, String::new());
    soak.run(Some(&mut program), |page, index, rng| {
        // A person does what the page allows: removes what was refused, asks if that is possible, and writes if that is
        // allowed.
        let script = format!(
            "const text = document.getElementById('text');
             const ask = document.getElementById('ask');
             const refused = [...document.querySelectorAll('#shelf .words')].map((field) => field.value).join('');
             document.querySelectorAll('#shelf .away').forEach((button) => button.click());
             const may = !text.readOnly;
             if (may) {{
               text.value += '<{index}:{typed}>';
               text.dispatchEvent(new InputEvent('input', {{ bubbles: true }}));
             }}
             if (may ? {} : ask.textContent !== 'Leave the queue') ask.click();
             return [may, refused];",
            rng.one_in(8)
        );
        let done = page.eval(&script);
        typed += usize::from(done[0] == true);
        refused += done[1].as_str().unwrap();
    });
    let pages = soak.pages();
    for page in &pages {
        connected(page);
        page.eventually("it is settled", |page| {
            let saved = page.text("#saved");
            saved.is_empty() || saved == "Everything is sent."
        });
    }
    eventually("all read the same", || {
        let text = pages[0].value("#text");
        pages.iter().all(|page| page.value("#text") == text)
    });
    let text = pages[0].value("#text");
    refused.extend(pages.iter().flat_map(|page| self::refused(page).0));
    let numbers = |text: &str| -> Vec<usize> {
        text.split('>').filter_map(|word| word.rsplit(':').next()?.parse().ok()).collect()
    };
    let (taken, refused) = (numbers(&text), numbers(&refused));
    println!("{typed} words typed, {} of them taken, {} refused", taken.len(), refused.len());
    // Whole words, each once, in the order in which they were typed, because only one has the pen at a time.
    assert_eq!(text.matches('<').count(), taken.len(), "{text}");
    assert!(taken.is_sorted_by(|one, next| one < next), "{text}");
    // Nothing is lost: what is not in the text was refused, and is there to be copied. Nothing is both.
    let mut settled = [&taken[..], &refused].concat();
    settled.sort_unstable();
    let typed: Vec<usize> = (0..typed).collect();
    assert_eq!(settled, typed, "taken: {taken:?}; refused: {refused:?}");
    // The machine decides how much came too late. Refusals have their own tests.
    assert!(!taken.is_empty(), "{text}");
}
