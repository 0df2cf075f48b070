//! How a node reads and speaks. Pictures and news come by two ways, and either may be older. A line goes to the node's
//! own pages at once, and to the others if there is a Redis.

use liveness::{Status, Timestamp};

use crate::world::SETTINGS;
use liveness_programs::cluster::node::{Node, Output};
use liveness_programs::cluster::store::{Incarnation, Line, News, Op, Picture, Reply, User};
use liveness_programs::cluster::words::{NotKnown, Said, Tell, Why};

const AT: Timestamp = Timestamp::from_secs(1);
const OTHER: Incarnation = Incarnation(7);

fn picture(upto: u64, here: &[&str]) -> Reply {
    let claims = here.iter().map(|user| (OTHER, User::from(*user), Status::Online)).collect();
    let nodes = vec![(OTHER, "other".to_owned(), "there".to_owned())];
    Reply::Seen(Box::new(Picture { upto, nodes, claims, ..Picture::default() }))
}

fn claim(user: &str) -> News {
    News::Claim(OTHER, User::from(user), Status::Online)
}

fn outputs(node: &mut Node, now: Timestamp) -> Vec<Output> {
    let all = std::iter::from_fn(|| node.poll(now));
    all.filter(|output| !matches!(output, Output::TellAll(_))).collect()
}

fn here(node: &Node) -> Vec<String> {
    node.state().people.iter().map(|person| person.user.to_string()).collect()
}

/// A node that is linked, and has a picture that ends with entry 5. Ann is here.
fn reader() -> Node {
    let mut node = Node::new("one", "here", SETTINGS, 1, AT);
    let dial = outputs(&mut node, AT);
    let [Output::Dial(attempt)] = dial[..] else { panic!("{dial:?}") };
    assert!(node.linked(attempt, AT));
    let asked = outputs(&mut node, AT);
    assert!(matches!(asked[..], [Output::Ask(Op::Open { .. }), Output::Ask(Op::Look)]), "{asked:?}");
    node.reply(Reply::Opened(Incarnation(1)), AT);
    assert!(!node.is_known(), "it has no picture yet");
    node.reply(picture(5, &["ann"]), AT);
    assert_eq!(outputs(&mut node, AT), [Output::Follow(5)]);
    assert!(node.is_known());
    node
}

#[test]
fn where_news_are_missing_nothing_is_known_until_a_picture_has_them_all() {
    let mut node = reader();
    node.heard(8, claim("dot"), AT);
    assert!(!node.is_known());
    assert_eq!(outputs(&mut node, AT), [Output::Ask(Op::Look)]);
    // A picture that was taken before the entry that was heard, so another one is needed.
    node.reply(picture(7, &["ann", "bob"]), AT);
    assert!(!node.is_known());
    assert_eq!(outputs(&mut node, AT), [Output::Ask(Op::Look)]);
    node.reply(picture(8, &["ann", "bob", "dot"]), AT);
    assert!(node.is_known());
    assert_eq!(here(&node), ["ann", "bob", "dot"]);
    // News that is in it already changes nothing, and the next news goes on from it.
    node.heard(7, News::Left(User::from("ann")), AT);
    node.heard(9, claim("eve"), AT);
    assert_eq!(outputs(&mut node, AT), []);
    assert!(node.is_known());
    assert_eq!(here(&node), ["ann", "bob", "dot", "eve"]);
}

#[test]
fn a_picture_that_is_older_than_the_news_is_not_taken() {
    let mut node = reader();
    let later = AT + SETTINGS.beat;
    assert_eq!(outputs(&mut node, later), [Output::Ask(Op::Beat(Incarnation(1)))]);
    node.reply(Reply::Expired, later);
    let asked = outputs(&mut node, later);
    assert!(matches!(asked[..], [Output::Ask(Op::Open { .. }), Output::Ask(Op::Look)]), "{asked:?}");
    node.heard(6, claim("bob"), later);
    node.reply(Reply::Opened(Incarnation(2)), later);
    assert!(!node.is_known(), "its former life says nothing of this one");
    node.reply(picture(5, &["ann"]), later);
    assert!(node.is_known());
    assert_eq!(here(&node), ["ann", "bob"]);
    assert_eq!(outputs(&mut node, later), []);
}

fn written(text: &str) -> Line {
    Line { token: 1, user: User::from("ann"), text: text.to_owned() }
}

/// What the pages are told about the text: each line, or all lines anew.
fn text_told(node: &mut Node) -> Vec<Tell> {
    let told = std::iter::from_fn(|| node.poll(AT)).filter_map(|output| {
        let Output::TellAll(what) = output else { return None };
        matches!(what, Tell::Wrote(_) | Tell::Text { .. }).then_some(what)
    });
    told.collect()
}

#[test]
fn lines_that_only_a_picture_brings_are_told_too_and_no_line_is_told_twice() {
    let mut node = reader();
    node.heard(6, News::Wrote(written("one")), AT);
    assert_eq!(text_told(&mut node), [Tell::Wrote(written("one"))]);
    // Line 7 is missing.
    node.heard(8, News::Wrote(written("three")), AT);
    assert_eq!(text_told(&mut node), []);
    let text = vec![written("one"), written("two"), written("three")];
    let picture = Picture { upto: 8, text: text.clone(), ..Picture::default() };
    node.reply(Reply::Seen(Box::new(picture)), AT);
    assert_eq!(text_told(&mut node), [Tell::Text { text }]);
    // The news comes after the picture that has it, and looks like its last line.
    node.heard(7, News::Wrote(written("three")), AT);
    assert_eq!(text_told(&mut node), []);
    node.heard(9, News::Wrote(written("three")), AT);
    assert_eq!(text_told(&mut node), [Tell::Wrote(written("three"))]);
}

/// Each welcome has everybody in it, so nobody may ask for one after the other.
#[test]
fn a_page_is_welcomed_once() {
    let mut node = reader();
    let mut told = |user: &str| {
        node.said(1, Said::Hello { user: User::from(user) }, AT);
        let told = std::iter::from_fn(|| node.poll(AT)).filter_map(|output| match output {
            Output::Tell(1, what) => Some(what),
            Output::Dial(_)
            | Output::HangUp
            | Output::Ask(_)
            | Output::Follow(_)
            | Output::Tell(..)
            | Output::TellAll(_) => None,
        });
        told.collect::<Vec<_>>()
    };
    assert!(matches!(told("eve")[..], [Tell::Welcome { .. }]));
    assert!(matches!(told("eve")[..], [Tell::Unfit { .. }]));
    assert!(matches!(told("mallory")[..], [Tell::Unfit { .. }]));
}

/// A page sends its next edit when it knows what became of the one before.
#[test]
fn an_edit_that_is_too_long_is_refused_by_its_key() {
    let mut node = reader();
    said(&mut node, hello(), AT);
    for text in [String::new(), "x".repeat(1001)] {
        node.said(1, Said::Write { token: 1, key: "k".to_owned(), text }, AT);
        let refused = Tell::Refused { key: "k".to_owned(), why: Why::Here(NotKnown::Unfit) };
        assert!(
            std::iter::from_fn(|| node.poll(AT)).any(|output| output == Output::Tell(1, refused.clone()))
        );
    }
}

fn said(node: &mut Node, said: Said, now: Timestamp) -> Vec<Output> {
    node.said(1, said, now);
    let all: Vec<Output> = std::iter::from_fn(|| node.poll(now)).collect();
    let words = |output: &Output| {
        matches!(
            output,
            Output::TellAll(Tell::Line { .. }) | Output::Tell(_, Tell::Spread { .. }) | Output::Ask(_)
        )
    };
    all.into_iter().filter(words).collect()
}

fn hello() -> Said {
    Said::Hello { user: User::from("eve") }
}

fn line(user: &str, node: &str) -> Output {
    let (user, text, node) = (User::from(user), "good morning".to_owned(), node.into());
    Output::TellAll(Tell::Line { user, text, node })
}

fn good_morning() -> Said {
    Said::Say { key: 3, text: "good morning".to_owned() }
}

#[test]
fn without_redis_a_line_is_told_to_the_nodes_own_and_its_speaker_knows_that_it_was_no_further() {
    let mut node = Node::new("one", "here", SETTINGS, 1, AT);
    said(&mut node, hello(), AT);
    let outcome = said(&mut node, good_morning(), AT);
    assert_eq!(outcome, [line("eve", "one"), Output::Tell(1, Tell::Spread { key: 3, reached: false })]);
}

#[test]
fn a_line_is_told_to_a_nodes_own_once_and_those_of_other_nodes_are_told_too() {
    let mut node = reader();
    said(&mut node, hello(), AT);
    // The news that Eve is here.
    node.reply(Reply::Done, AT);
    let op = Op::Say(Incarnation(1), User::from("eve"), "good morning".to_owned());
    assert_eq!(said(&mut node, good_morning(), AT), [line("eve", "one"), Output::Ask(op)]);
    node.reply(Reply::Done, AT);
    node.heard(6, News::Node { inc: Incarnation(1), name: "one".to_owned(), address: "here".to_owned() }, AT);
    node.heard(7, News::Said(Incarnation(1), User::from("eve"), "good morning".to_owned()), AT);
    node.heard(8, News::Said(OTHER, User::from("ann"), "good morning".to_owned()), AT);
    let told: Vec<Output> = std::iter::from_fn(|| node.poll(AT)).collect();
    assert!(told.contains(&Output::Tell(1, Tell::Spread { key: 3, reached: true })), "{told:?}");
    let lines = told.iter().filter(|output| matches!(output, Output::TellAll(Tell::Line { .. })));
    assert_eq!(lines.collect::<Vec<_>>(), [&line("ann", "other")]);
}
