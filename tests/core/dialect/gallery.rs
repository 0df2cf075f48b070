//! The transcripts of `docs/dialects.md` come from real lives of two machines.
//!
//! `BLESS=1 cargo test --test core gallery` writes them again.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use liveness::{Action, Timestamp};

use super::Written;
use super::pair::Pair;
use super::peers::{End, Protocol, protocols};

const BEGIN: &str = "<!-- lived: ";
const END: &str = "<!-- end -->";

/// No jitter, so that the moments are round.
fn steady(end: End) -> End {
    End { config: end.config.to_builder().jitter(0).build().unwrap(), ..end }
}

/// Our end of the pair, unless it is a double of somebody else's program.
fn code(who: &str, end: &End, page: &mut String) {
    let [dialect, config] = end.code;
    if !config.contains("::") {
        return;
    }
    writeln!(page, "let mut socket = LiveStream::new(socket, {config}).dialect({dialect}); // the {who}")
        .unwrap();
}

fn shown(message: &Written) -> String {
    match message {
        Written::Text(text) => text.replace('\n', "\\n").replace('\u{1e}', "␞"),
        Written::Binary(bytes) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ") + "   (binary)"
        }
    }
}

/// The pair at the moment when each end that beats has done so twice, and what was sent until then.
fn begin(protocol: &Protocol) -> Pair {
    let mut pair = Pair::new(protocol, 7);
    let lasts = [&protocol.client, &protocol.server].map(|end| end.config.interval()).into_iter();
    // If the two ends beat at different rates, the slower one counts.
    let slowest = lasts.filter(|interval| *interval < Duration::MAX).max().unwrap();
    pair.run(Timestamp::ZERO + slowest * 2 + Duration::from_millis(500));
    pair
}

fn verdict(who: &str, end: &super::pair::End, page: &mut String) {
    match end.verdict {
        Some((at, reason)) => {
            let code = end.config().close_code();
            writeln!(
                page,
                "{at:>9.2}  {who}  {}, {}",
                Action::MarkOffline(reason),
                Action::Close(Some(code))
            )
            .unwrap();
        }
        None => writeln!(page, "           {who}  cannot know by messages").unwrap(),
    }
}

/// The lines that turn the dialect on, and a life: two beats, then one end freezes, or else the other.
fn lived(protocol: &Protocol) -> String {
    let protocol =
        &Protocol { name: protocol.name, client: steady(protocol.client), server: steady(protocol.server) };
    let mut page = String::from("\n```rust\n");
    code("client", &protocol.client, &mut page);
    code("server", &protocol.server, &mut page);
    page.push_str("```\n\n```text\n");
    let said = begin(protocol).log;
    for (at, who, message) in &said {
        writeln!(page, "{at:>9.2}  {who}  {}", shown(message)).unwrap();
    }
    let forever = Duration::from_secs(1_000_000);
    let judges =
        |end: &End| end.config.detection_bound(Duration::ZERO) < Duration::MAX || end.code[1].contains("::");
    if judges(&protocol.server) {
        let mut pair = begin(protocol);
        writeln!(page, "{:>9.2}          the client freezes", pair.now).unwrap();
        pair.freeze_client(forever);
        pair.run(Timestamp::from_secs(3_600));
        verdict("server", &pair.server, &mut page);
    }
    if judges(&protocol.client) {
        let mut pair = begin(protocol);
        let what = if judges(&protocol.server) { "or the server does" } else { "the server freezes" };
        writeln!(page, "{:>9.2}          {what}", pair.now).unwrap();
        pair.freeze_server(forever);
        pair.run(Timestamp::from_secs(3_600));
        verdict("client", &pair.client, &mut page);
    }
    page.push_str("```\n\n");
    page
}

#[test]
fn the_gallery_is_as_it_was_lived() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dialects.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let protocols = protocols();
    let mut fresh = String::new();
    let (mut rest, mut shown) = (page.as_str(), 0);
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->\n").expect("a name");
        let protocol = protocols.iter().find(|protocol| protocol.name == name);
        let protocol =
            protocol.unwrap_or_else(|| panic!("the gallery shows {name}, which is no protocol here"));
        let (_, after) = after.split_once(END).expect("an end");
        write!(fresh, "{before}{BEGIN}{name} -->\n{}{END}", lived(protocol)).unwrap();
        (rest, shown) = (after, shown + 1);
    }
    fresh.push_str(rest);
    assert_eq!(shown, protocols.len(), "the gallery shows each of them once");
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(&path, &fresh).unwrap();
    }
    let (mut line, pairs) = (0, page.lines().zip(fresh.lines()));
    for (is, should_be) in pairs {
        line += 1;
        assert_eq!(is, should_be, "docs/dialects.md, line {line}: BLESS=1 writes it again");
    }
    assert_eq!(page.lines().count(), fresh.lines().count());
}
