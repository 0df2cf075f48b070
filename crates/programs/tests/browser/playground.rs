//! The playground: what its page shows of a life, of many, and of a recording.

use std::fs;
use std::path::Path;

use liveness_testing::Program;

use crate::browser::{Browser, Key, Page};

/// Opens it with these settings, its life at rest.
fn open(program: &Program, browser: &Browser, settings: &str) -> Page {
    let page = browser.page(format!("{}#{settings}", program.url()));
    page.eventually("the machine is loaded", |page| {
        page.eval("return !!globalThis.playground?.life();") == true
    });
    page
}

fn start() -> Program {
    Program::start(crate::PLAYGROUND, &[])
}

const DEMO: &str = "interval=1s&timeout=2s&suspicion=after:1s&world=lan&rule=gorilla%20chat&x=2.2&until=100";

#[test]
fn each_fault_leads_to_the_verdict_of_the_demos_table() {
    let (program, browser) = (start(), Browser::open());
    let page = open(&program, &browser, DEMO);
    for (fault, lasts, ours, reason) in [
        ("cut", "inf", "Found dead", "ping-timeout"),
        ("deaf", "inf", "Found dead", "ping-timeout"),
        ("mute", "inf", "Found dead", "ping-timeout"),
        ("freeze", "inf", "Found dead", "ping-timeout"),
        ("unread", "inf", "Found dead", "write-stalled"),
        ("upload", "inf", "", ""),
        ("download", "inf", "", ""),
        ("stall", "5", "", ""),
        ("sleep", "40", "", ""),
        ("proxy", "inf", "", ""),
    ] {
        page.eval("document.getElementById('clear').click(); playground.go(4);");
        page.eval(&format!("document.getElementById('lasts').value = '{lasts}';"));
        page.click(&format!("[data-fault={fault}]"));
        page.eval("document.getElementById('play').click(); playground.go(100);");
        let (state, words) = (page.text("#ours-state"), page.text("#ours-words"));
        if ours.is_empty() {
            let shown = page.attribute("#ours-state", "data-state");
            assert_ne!(shown.as_deref(), Some("offline"), "{fault}: {state}, {words}");
        } else {
            assert_eq!(state, ours, "{fault}: {words}");
            assert!(words.contains(reason), "{fault}: {words}");
        }
        if matches!(fault, "stall" | "upload") {
            assert_eq!(page.text("#theirs-state"), "A live peer lost", "{fault}");
        }
    }
    assert_eq!(page.console(), [""; 0]);
}

#[test]
fn a_life_plays_pauses_steps_and_is_a_link() {
    let (program, browser) = (start(), Browser::open());
    let page = open(&program, &browser, &format!("{DEMO}&faults=cut@50"));
    let time = |page: &Page| page.eval("return playground.seen().time;").as_f64().unwrap();
    page.click("#play");
    page.eventually("it moves", |page| time(page) > 2.0);
    page.click("#play");
    let stands = time(&page);
    page.click("#step");
    let stepped = time(&page);
    assert!(stands < stepped && stepped < stands + 1.1, "{stands}, {stepped}");
    page.eval("playground.go(49);");
    assert_eq!(page.attribute("#ours-state", "data-state").as_deref(), Some("online"));
    page.eval("playground.go(99);");
    assert_eq!(page.text("#ours-state"), "Found dead");
    // Ten seconds at 60 frames a second: each moment is a picture, and none is left out.
    let drawn = page.eval(
        "const before = playground.frames.drawn, since = performance.now();
         for (let frame = 0; frame < 600; frame++) playground.go(frame / 60);
         return [playground.frames.drawn - before, performance.now() - since];",
    );
    assert_eq!(drawn[0], 600);
    println!("600 frames in {} ms", drawn[1]);
    // A visitor who follows the link sees the same.
    page.press("#interval", Key::Right);
    let link = page.eval("return location.hash;").as_str().unwrap().to_owned();
    assert!(link.contains("interval=2s") && link.contains("faults=cut@50"), "{link}");
    let other = browser.page(format!("{}{link}", program.url()));
    other.eventually("it is loaded", |page| page.eval("return !!globalThis.playground?.life();") == true);
    let life = |page: &Page| page.eval("return playground.life().transcript;");
    assert_eq!(life(&other), life(&page));
    assert!(page.text("#code").contains(".interval(Duration::from_secs(2))"));
}

#[test]
fn many_lives_are_lived_in_a_worker() {
    let (program, browser) = (start(), Browser::open());
    let page = open(&program, &browser, "interval=20s&timeout=25s&world=mobile");
    page.eventually("all rules are there", |page| page.attribute("#plot", "data-done").is_some());
    println!("a thousand hours in {} ms", page.attribute("#plot", "data-done").unwrap());
    let figures = page.texts("#figures dd");
    // docs/detection-quality.md: 34.4 s and none of 400 hours; `detection_bound` is 20 + 25 + 25 s and the last look.
    let found: f64 = figures[1].split_whitespace().next().unwrap().parse().unwrap();
    assert!((33.0..36.0).contains(&found), "{figures:?}");
    assert!(figures[2].starts_with("70.0 s"), "{figures:?}");
    let rows =
        page.eval("return [...document.querySelectorAll('#table tr')].map(row => row.cells[0].textContent);");
    assert_eq!(rows.as_array().unwrap().len(), 34);
    assert_eq!(page.console(), [""; 0]);
}

#[test]
fn a_recording_is_drawn_with_reasons_and_lived_again_with_other_settings() {
    let (program, browser) = (start(), Browser::open());
    let page = open(&program, &browser, DEMO);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts");
    let mut files: Vec<_> = fs::read_dir(root).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.iter().take(12) {
        let text = fs::read_to_string(file).unwrap();
        let life: liveness::transcript::Transcript = text.parse().unwrap();
        let blessed = life.replay().unwrap().blessed();
        let expected = blessed.lines().filter(|line| line.contains(" > ")).count();
        let set = format!(
            "const text = document.getElementById('text'); text.value = {}; text.dispatchEvent(new Event('input'));
             return [...document.querySelectorAll('#told .story li span:nth-child(2)')].filter(it =>
               /^(online|ping #|suspect|offline|close|disconnect)/.test(it.textContent) && !it.className).length;",
            serde_json::json!(text)
        );
        assert_eq!(page.eval(&set), expected, "{}", file.display());
    }
    page.eval(
        "const text = document.getElementById('text');
        text.value = 'config interval=5s timeout=10s jitter=0\\n0s < open\\n5.2s < pong #1\\n';
        text.dispatchEvent(new Event('input'));",
    );
    page.write("#change", "timeout=3s");
    page.eventually("both are there", |page| page.texts("#told h3").len() == 2);
    assert!(page.text("#told > div:nth-child(2) .story").contains("13.01 s"));
    page.clear("#change").write("#change", "timeout=soon");
    page.eventually("it says what is wrong", |page| page.text("#unreadable").contains("timeout"));
}

#[test]
fn it_can_be_used_by_keyboard_and_screen_reader_and_fits_a_phone() {
    let (program, browser) = (start(), Browser::open());
    let story = "interval=20s&timeout=25s&suspicion=after:4s&rule=gorilla%20chat&world=mobile&talk=both&faults=upload@30,cut@130";
    let page = open(&program, &browser, story);
    page.eventually("all rules are there", |page| page.attribute("#plot", "data-done").is_some());
    page.eval("playground.go(150); document.getElementById('take').click();");
    page.eval("const change = document.getElementById('change'); change.value = 'timeout=10s'; change.dispatchEvent(new Event('input'));");
    let whole = "document.documentElement.style.height = '';
        return [document.documentElement.scrollWidth <= innerWidth, document.documentElement.scrollHeight];";
    assert_eq!(page.eval(whole)[0], true);
    assert_eq!(page.phone().eval(whole)[0], true, "on a phone nothing is wider than the window");
    page.desktop().screenshots("playground");
    for (name, place) in
        [("life", "#life"), ("many", "#figures"), ("recording", "#recording"), ("code", "#code-head")]
    {
        let scroll = format!("document.querySelector('{place}').scrollIntoView();");
        page.light().desktop().eval(&scroll);
        page.screenshot(&format!("playground-{name}")).dark().screenshot(&format!("playground-{name}-dark"));
        page.light().phone().eval(&scroll);
        page.screenshot(&format!("playground-{name}-phone"));
    }
    page.desktop();
    let near = browser.page(format!(
        "{}#interval=4s&timeout=6s&world=satellite&talk=peer&faults=cut@21&rule=engine.io&suspicion=after:2s",
        program.url()
    ));
    near.eventually("the machine is loaded", |page| {
        page.eval("return !!globalThis.playground?.life();") == true
    });
    near.eval("document.getElementById('window').value = '30'; playground.go(22.4); document.querySelector('#ours').scrollIntoView({ block: 'start' }); scrollBy(0, -120);");
    near.screenshot("playground-near");
    page.light().assert_accessible("playground").dark().assert_accessible("playground");
}
