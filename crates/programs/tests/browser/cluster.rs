//! The cluster: two nodes and one Redis, as two people at one node each see them.

use crate::browser::{Browser, Page};
use crate::proxy::Proxy;
use liveness_programs::cluster::redis_server::{Kept, RedisServer};
use liveness_testing::Program;
use liveness_testing::raw_peer::{millis, sleep};

fn node(name: &'static str, redis: &RedisServer) -> Program {
    // No page is suspect or given up because the machine is busy.
    let patient = ["--suspect-after", "5s", "--timeout", "15s"];
    Program::start(crate::CLUSTER, &[&["--node", name, "--redis", &redis.url()], &patient[..]].concat())
}

fn enter(browser: &Browser, node: &Program, user: &str) -> Page {
    let page = browser.page(format!("{}?user={user}", node.url()));
    until(&page, user, "online");
    page
}

/// Waits until this page shows somebody in this way.
#[track_caller]
fn until(page: &Page, user: &str, state: &str) {
    page.eventually(&format!("{user} is {state}"), |page| shown(page, user).as_deref() == Some(state));
}

fn shown(page: &Page, user: &str) -> Option<String> {
    let states = page.eval(
        "return [...document.querySelectorAll('#people li')].map((li) =>
           [li.querySelector('.name').textContent.replace(' (you)', ''), li.dataset.state]);",
    );
    let found = states.as_array()?.iter().find(|person| person[0] == user)?[1].as_str()?.to_owned();
    Some(found)
}

#[track_caller]
fn reads(page: &Page, list: &str, words: &str) {
    page.eventually(&format!("{words} is read"), |page| page.texts(list).iter().any(|line| line == words));
}

#[track_caller]
fn pen(page: &Page, words: &str) {
    page.eventually(words, |page| page.text("#pen") == words);
}

#[test]
fn two_nodes_show_one_truth_and_what_they_do_not_know_they_show_as_unknown() {
    let mut redis = RedisServer::start(Kept::All).unwrap();
    let [one, mut two] = ["node-1", "node-2"].map(|name| node(name, &redis));
    let browser = Browser::open();
    let [ada, grace] = [(&one, "Ada"), (&two, "Grace")].map(|(node, user)| enter(&browser, node, user));
    until(&ada, "Grace", "online");
    until(&grace, "Ada", "online");
    ada.write("#line", "<b>Hello</b>").click("#say button");
    reads(&grace, "#lines li", "Ada <b>Hello</b> at node-1");

    grace.click("#ask");
    pen(&grace, "You hold the pen (token 1).");
    grace.write("#words", "One line.").click("#put");
    reads(&ada, "#text li", "Grace One line. token 1");
    ada.click("#ask");
    pen(&ada, "Grace holds the pen (token 1); waiting: Ada.");

    redis.kill();
    for (page, other) in [(&ada, "Grace"), (&grace, "Ada")] {
        page.eventually("Redis is away", |page| page.attribute("#redis", "data-state").unwrap() == "unknown");
        until(page, other, "unknown");
        pen(page, "Who holds the pen is not known: nothing can be written.");
        assert!(page.attribute("#put", "disabled").is_some());
    }
    ada.write("#line", "Is anybody here?").click("#say button");
    reads(&ada, "#lines li", "Ada Is anybody here? at node-1");

    redis.restart().unwrap();
    until(&ada, "Grace", "online");
    until(&grace, "Ada", "online");
    pen(&grace, "You hold the pen (token 1); waiting: Ada.");
    assert!(
        !grace.texts("#lines li").iter().any(|line| line.contains("anybody")),
        "it is told nowhere later"
    );

    // Her node dies, and its claims with it. She is away, then gone, and the pen goes to the next user.
    two.kill();
    until(&ada, "Grace", "connecting");
    ada.screenshot("cluster");
    ada.eventually("Grace is gone", |page| shown(page, "Grace").is_none());
    pen(&ada, "You hold the pen (token 2).");
    ada.write("#words", "Another.").click("#put");
    reads(&ada, "#text li", "Ada Another. token 2");
    assert_eq!(ada.console(), [""; 0]);
}

#[test]
fn a_connection_that_breaks_costs_nobody_the_pen() {
    let redis = RedisServer::start(Kept::All).unwrap();
    let one = node("node-1", &redis);
    let proxy = Proxy::start(one.address());
    let browser = Browser::open();
    let ada = browser.page(format!("{}?user=Ada", proxy.url()));
    until(&ada, "Ada", "online");
    ada.click("#ask");
    pen(&ada, "You hold the pen (token 1).");
    for word in ["One.", "Two.", "Three."] {
        proxy.reset();
        ada.eventually("it sees that", |page| page.text("#node") != "This is node-1");
        // It would be free if she had left.
        pen(&ada, "You hold the pen (token 1).");
        ada.eventually("she may write", |page| page.attribute("#put", "disabled").is_none());
        ada.write("#words", word).click("#put");
        reads(&ada, "#text li", &format!("Ada {word} token 1"));
    }
}

#[test]
fn a_page_whose_node_is_stopped_says_so_and_comes_back_by_itself() {
    let redis = RedisServer::start(Kept::All).unwrap();
    // The messages are seconds apart, so that a busy machine hides none of them.
    let flags = ["--node", "node-1", "--redis", &redis.url(), "--suspect-after", "2s", "--timeout", "8s"];
    let one = Program::start(crate::CLUSTER, &flags);
    let browser = Browser::open();
    let ada = enter(&browser, &one, "Ada");
    let says = |words: &str, state: &str| {
        ada.eventually(words, |page| page.text("#node") == words);
        assert_eq!(ada.attribute("#node", "data-state").as_deref(), Some(state));
    };
    says("This is node-1", "online");
    one.freeze();
    says("node-1 has not answered yet", "suspect");
    says("node-1 does not answer", "offline");
    until(&ada, "Ada", "unknown");
    pen(&ada, "Who holds the pen is not known: nothing can be written.");
    one.thaw();
    says("This is node-1", "online");
    until(&ada, "Ada", "online");
    pen(&ada, "The pen is free.");
    // In a silence as long as this it has asked and was answered. Otherwise it would have left, or been sent away.
    sleep(millis(12_000));
    says("This is node-1", "online");
    until(&ada, "Ada", "online");
}
