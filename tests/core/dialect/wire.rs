//! Any message for any dialect, and what the two ends of each dialect send each other.

use liveness::dialect::{Dialect, Heard, LONGEST, Message, OutBuffer};
use proptest::collection::vec;
use proptest::prelude::*;

use super::json::{trees, written};
use super::peers::protocols;
use super::{asked, heard, payload};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The world: any message for any dialect. Nothing panics. Only a beat gets an answer, and the answer fits into the
    /// length that is looked at. The same message means the same when it is heard again.
    #[test]
    fn any_message_is_heard(
        which: prop::sample::Index,
        server: bool,
        message in messages(),
        asks_first in 0..12_u64,
        binary: bool,
    ) {
        let protocols = protocols();
        let protocol = which.get(&protocols);
        let end = if server { protocol.server } else { protocol.client };
        let mut dialect = (end.dialect)();
        for number in 0..asks_first {
            asked(&mut dialect, payload(&format!("{number:016x}")));
        }
        let message = if binary { Message::Binary(message.as_bytes()) } else { Message::Text(&message) };
        let (first, answers) = heard(&mut dialect, message);
        prop_assert!(answers.len() <= usize::from(first == Heard::Beat));
        for answer in &answers {
            prop_assert!(answer.message().as_bytes().len() <= LONGEST, "{:?}", answer);
        }
        let mut buffer = OutBuffer::new();
        prop_assert_eq!(dialect.hear(message, &mut buffer), first);
        prop_assert_eq!(buffer.message().is_some(), !answers.is_empty());
    }
}

/// Messages that a dialect writes, whole or damaged; JSON; anything.
fn messages() -> impl Strategy<Value = String> {
    let known = prop::sample::select(
        [
            "2",
            "3",
            "ping",
            "pong",
            "{}",
            "\n",
            "h",
            "[null,\"2\",\"phoenix\",\"heartbeat\",{}]",
            r#"{"type":"ping","id":19}"#,
            r#"{"type":"pong","id":19}"#,
            r#"{"type":"ping","payload":{"a":[1]}}"#,
            r#"{"event":"pusher:ping","data":{}}"#,
            r#"{"op":11}"#,
            r#"{"op":1,"d":null}"#,
            "{\"type\":6}\u{1e}",
            r#"{"jsonrpc":"2.0","method":"ping","id":"x"}"#,
            r#"{"jsonrpc":"2.0","id":9999,"result":{}}"#,
            r#"{"method":"pong","req_id":3}"#,
            r#"{"channel":"heartbeat"}"#,
            r#"{"op":"pong","req_id":"0000000000000003"}"#,
            r#"{"id":7,"method":"public/heartbeat"}"#,
            r#"{"msg":"ping","id":"7"}"#,
            "pong 0000000000000003",
            r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#,
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    let long = (known.clone(), "[ -~]{0,250}").prop_map(|(known, id)| {
        // An identifier of any length. The answer with it must fit, or there is none.
        let id: String = id.chars().filter(|character| !matches!(character, '"' | '\\')).collect();
        known
            .replace("19", &format!("\"{id}\""))
            .replace("\"7\"", &format!("\"{id}\""))
            .replace("\"2\"", &format!("\"{id}\""))
            .replace("\"x\"", &format!("\"{id}\""))
    });
    let damaged =
        (known.clone(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(known, at, with)| {
            let mut text: Vec<char> = known.chars().collect();
            let at = at.index(text.len());
            text[at] = with;
            text.into_iter().collect()
        });
    let tree = (trees(), vec(any::<u8>(), 1..64)).prop_map(|(tree, choices)| written(&tree, &choices));
    prop_oneof![known, long, damaged, tree, any::<String>(), "[\\x00-\\x7f]{0,260}"]
}

/// When one end asks, the other hears a beat. Its answer is then heard as the answer to the ping.
#[test]
fn both_ends_of_a_protocol_understand_each_other() {
    let (mut asking, mut named) = (0, 0);
    for protocol in protocols() {
        for (ours, theirs) in [(protocol.client, protocol.server), (protocol.server, protocol.client)] {
            let (mut ours, mut theirs) = ((ours.dialect)(), (theirs.dialect)());
            let ping = payload("0123456789abcdef");
            let Some(ask) = asked(&mut ours, ping) else { continue };
            let (means, answers) = heard(&mut theirs, ask.message());
            let mute = protocol.name == "nothing but data";
            assert_eq!(means == Heard::Beat, !mute, "{}: {ask:?}", protocol.name);
            asking += 1;
            for answer in answers {
                match heard(&mut ours, answer.message()).0 {
                    Heard::Answer(payload) => {
                        assert_eq!(payload, ping, "{}", protocol.name);
                        named += 1;
                    }
                    Heard::SomeAnswer | Heard::Beat => {}
                    // Doubles do not read answers. They only give no verdict.
                    Heard::Data => assert!(
                        ["discord", "deribit"].contains(&protocol.name),
                        "{}: {answer:?}",
                        protocol.name
                    ),
                }
            }
        }
    }
    assert!(asking >= 35 && named >= 12, "{asking} ask, {named} are named");
}
