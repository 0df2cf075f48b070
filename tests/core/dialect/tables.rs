//! Messages of each protocol, from its documents and its official ends, and the meaning of each.

use liveness::dialect::{
    Dialect, Exact, Heard, Json, Message, Mute, TextHeartbeats, action_cable, centrifugo, ddp, discord,
    engine_io, exchange, graphql, home_assistant, json_rpc, phoenix, ping_pong, pusher, signalr, stomp,
};

use super::{Written, asked, heard, payload};

const PING: &str = "0123456789abcdef";
const BEAT: Heard = Heard::Beat;
const DATA: Heard = Heard::Data;
const SOME: Heard = Heard::SomeAnswer;

fn answer() -> Heard {
    Heard::Answer(payload(PING))
}

/// Each message, its meaning, and its answer ("" if there is none).
#[track_caller]
fn hears(mut dialect: impl Dialect, rows: &[(&str, Heard, &str)]) {
    for (message, means, answer) in rows {
        let (heard, written) = heard(&mut dialect, Message::Text(message));
        assert_eq!(heard, *means, "{message}");
        let answers: Vec<_> =
            (!answer.is_empty()).then(|| Written::Text((*answer).into())).into_iter().collect();
        assert_eq!(written, answers, "{message}");
    }
}

#[track_caller]
fn asks(mut dialect: impl Dialect, with: &str) {
    assert_eq!(asked(&mut dialect, payload(PING)), Some(Written::Text(with.into())));
}

#[track_caller]
fn never_asks(mut dialect: impl Dialect) {
    assert_eq!(asked(&mut dialect, payload(PING)), None);
}

#[test]
fn our_own_heartbeat_in_texts() {
    asks(TextHeartbeats, "ping 0123456789abcdef");
    hears(
        TextHeartbeats,
        &[
            ("ping 00000000000000ff", BEAT, "pong 00000000000000ff"),
            ("pong 0123456789abcdef", answer(), ""),
            ("ping", DATA, ""),
            ("ping 00000000000000FF", DATA, ""),
            ("pong  0123456789abcdef", DATA, ""),
        ],
    );
}

#[test]
fn two_fixed_messages_and_a_beat() {
    asks(Exact::text("ping", "pong"), "ping");
    hears(
        Exact::text("ping", "pong"),
        &[
            ("ping", BEAT, "pong"),
            ("pong", SOME, ""),
            ("Ping", DATA, ""),
            ("ping\n", DATA, ""),
            ("", DATA, ""),
        ],
    );
    hears(Exact::text("ping", "pong").only_asks(), &[("ping", DATA, ""), ("pong", SOME, "")]);
    hears(Exact::text("ping", "pong").only_answers(), &[("ping", BEAT, "pong"), ("pong", DATA, "")]);
    never_asks(Exact::text("ping", "pong").only_answers());
    asks(Exact::text_beat("h"), "h");
    hears(Exact::text_beat("h"), &[("h", BEAT, ""), ("hh", DATA, "")]);
    hears(Exact::text_beat("h").only_asks(), &[("h", DATA, "")]);
    // If both have the same text, only what the end itself does can tell them apart.
    hears(Exact::text("x", "x"), &[("x", SOME, "")]);
    hears(Exact::text("x", "x").only_answers(), &[("x", BEAT, "x")]);
}

#[test]
fn fixed_bytes_are_no_texts() {
    let mut bytes = Exact::binary(b"ping", b"pong");
    let pong = vec![Written::Binary(b"pong".to_vec())];
    assert_eq!(heard(&mut bytes, Message::Binary(b"ping")), (BEAT, pong));
    assert_eq!(heard(&mut bytes, Message::Binary(b"pong")), (SOME, vec![]));
    assert_eq!(heard(&mut bytes, Message::Text("ping")), (DATA, vec![]));
    assert_eq!(heard(&mut Exact::text("ping", "pong"), Message::Binary(b"ping")), (DATA, vec![]));
    assert_eq!(asked(&mut bytes, payload(PING)), Some(Written::Binary(b"ping".to_vec())));
    assert_eq!(asked(&mut Exact::binary_beat(&[0]), payload(PING)), Some(Written::Binary(vec![0])));
}

#[test]
fn objects_are_told_by_a_field() {
    let json = Json::new("type", "ping", "pong");
    asks(json, r#"{"type":"ping"}"#);
    hears(
        json,
        &[
            (r#"{"type":"ping"}"#, BEAT, r#"{"type":"pong"}"#),
            (r#" { "at" : [1, 2.5e3, {"type":"pong"}] , "type" : "ping" } "#, BEAT, r#"{"type":"pong"}"#),
            (r#"{"\u0074ype":"p\u0069ng"}"#, BEAT, r#"{"type":"pong"}"#),
            (r#"{"type":"pong","id":1}"#, SOME, ""),
            // If there are several, the last counts, as in JavaScript.
            (r#"{"type":"ping","type":"pong"}"#, SOME, ""),
            (r#"{"type":"data","type":"ping"}"#, BEAT, r#"{"type":"pong"}"#),
            // Not at the top level.
            (r#"{"data":{"type":"ping"}}"#, DATA, ""),
            (r#"[{"type":"ping"}]"#, DATA, ""),
            (r#""type":"ping""#, DATA, ""),
            (r#""{\"type\":\"ping\"}""#, DATA, ""),
            // Another value, or a value of another type.
            (r#"{"type":"PING"}"#, DATA, ""),
            (r#"{"type":"pin"}"#, DATA, ""),
            (r#"{"type":["ping"]}"#, DATA, ""),
            (r#"{"type":null}"#, DATA, ""),
            (r#"{"Type":"ping"}"#, DATA, ""),
            // Not JSON.
            (r#"{"type":"ping"}}"#, DATA, ""),
            (r#"{"type":"ping""#, DATA, ""),
            (r#"{'type':'ping'}"#, DATA, ""),
            (r#"{"type":"ping",}"#, DATA, ""),
            (r#"{"type":"ping"}{"type":"ping"}"#, DATA, ""),
            ("", DATA, ""),
        ],
    );
    assert_eq!(heard(&mut { json }, Message::Binary(br#"{"type":"ping"}"#)), (DATA, vec![]));
    // What we write is JSON, whatever names it holds.
    asks(Json::new("a\"b\\", "\n\u{1f}é", "x").with("v", "[1]"), r#"{"a\"b\\":"\u000a\u001fé","v":[1]}"#);
}

#[test]
fn identifiers_come_back_as_they_were() {
    let json = Json::new("type", "ping", "pong").id("id");
    asks(json, r#"{"type":"ping","id":"0123456789abcdef"}"#);
    let long = format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(127));
    hears(
        json,
        &[
            (r#"{"type":"ping"}"#, BEAT, r#"{"type":"pong"}"#),
            (r#"{"id":"a\"b","type":"ping"}"#, BEAT, r#"{"type":"pong","id":"a\"b"}"#),
            (r#"{"id":{"n": [1, null]},"type":"ping"}"#, BEAT, r#"{"type":"pong","id":{"n": [1, null]}}"#),
            (r#"{"id":-1.5e+3,"type":"ping"}"#, BEAT, r#"{"type":"pong","id":-1.5e+3}"#),
            (r#"{"type":"pong","id":"0123456789abcdef"}"#, answer(), ""),
            (r#"{"type":"pong","id":"\u00301234567\u0038 9abcdef"}"#, DATA, ""),
            (r#"{"type":"pong","id":"the program's"}"#, DATA, ""),
            (r#"{"type":"pong","id":19}"#, DATA, ""),
            (r#"{"type":"pong"}"#, SOME, ""),
            (&long, DATA, ""), // its answer might not fit
        ],
    );
    let numbers = Json::new("type", "ping", "pong").numbers("id");
    asks(numbers, r#"{"type":"ping","id":1}"#);
    hears(numbers, &[(r#"{"type":"pong","id":1}"#, DATA, ""), (r#"{"type":"pong"}"#, DATA, "")]);
    let mut numbers = Json::new("type", "ping", "pong").numbers("id");
    asks(&mut numbers, r#"{"type":"ping","id":1}"#);
    hears(
        &mut numbers,
        &[(r#"{"type":"pong","id":1}"#, answer(), ""), (r#"{"type":"pong","id":1.0}"#, DATA, "")],
    );
    never_asks(Json::new("type", "ping", "pong").only_answers().numbers("id"));
}

#[test]
fn engine_io_is_two_digits() {
    asks(engine_io::server(), "2");
    hears(
        engine_io::server(),
        &[("3", SOME, ""), ("2", DATA, ""), ("3probe", DATA, ""), ("42[\"a\"]", DATA, "")],
    );
    never_asks(engine_io::client());
    hears(engine_io::client(), &[("2", BEAT, "3"), ("3", DATA, ""), ("2probe", DATA, ""), ("6", DATA, "")]);
    assert_eq!(engine_io::open(r#"0{"pingInterval":25000}"#), None);
    assert_eq!(engine_io::open(r#"4{"pingInterval":25000,"pingTimeout":20000}"#), None);
    assert_eq!(engine_io::open("0{}"), None);
    assert_eq!(engine_io::open(""), None);
}

#[test]
fn graphql_returns_payloads() {
    asks(graphql::TransportWs, r#"{"type":"ping","payload":{"ping":"0123456789abcdef"}}"#);
    hears(
        graphql::TransportWs,
        &[
            (r#"{"type":"ping"}"#, BEAT, r#"{"type":"pong"}"#),
            (r#"{"payload": {"n": 7}, "type": "ping"}"#, BEAT, r#"{"type":"pong","payload":{"n": 7}}"#),
            (r#"{"type":"pong","payload":{"ping":"0123456789abcdef"}}"#, answer(), ""),
            (r#"{"type":"pong"}"#, SOME, ""),
            (r#"{"type":"pong","payload":null}"#, SOME, ""),
            (r#"{"type":"pong","payload":{"ping":1}}"#, SOME, ""),
            (r#"{"type":"connection_ack"}"#, DATA, ""),
            (r#"{"type":"next","id":"1","payload":{"data":{"type":"ping"}}}"#, DATA, ""),
            (r#"{"type":"ka"}"#, DATA, ""),
        ],
    );
    asks(graphql::keep_alive_server(), r#"{"type":"ka"}"#);
    hears(
        graphql::keep_alive_server(),
        &[(r#"{"type":"ka"}"#, DATA, ""), (r#"{"type":"connection_init"}"#, DATA, "")],
    );
    never_asks(graphql::keep_alive_client());
    hears(
        graphql::keep_alive_client(),
        &[
            (r#"{"type":"ka"}"#, BEAT, ""),
            (r#"{"type":"ka","id":null,"payload":null}"#, BEAT, ""),
            (r#"{"type":"connection_ack","payload":{"connectionTimeoutMs":300000}}"#, DATA, ""),
        ],
    );
}

#[test]
fn phoenix_knows_its_replies_by_their_reference() {
    asks(phoenix::Client::new(), r#"[null,"live0123456789abcdef","phoenix","heartbeat",{}]"#);
    asks(
        phoenix::Client::version_1(),
        r#"{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"live0123456789abcdef"}"#,
    );
    hears(
        phoenix::Client::new(),
        &[
            (
                r#"[null,"live0123456789abcdef","phoenix","phx_reply",{"status":"ok","response":{}}]"#,
                answer(),
                "",
            ),
            (
                r#"{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"live0123456789abcdef"}"#,
                answer(),
                "",
            ),
            // firezone 4296: a reply without a reference is not ours. Neither is a reply to one of the program's
            // messages.
            (r#"[null,null,"phoenix","phx_reply",{"status":"ok","response":{}}]"#, DATA, ""),
            (r#"[null,"4","phoenix","phx_reply",{"status":"ok","response":{}}]"#, DATA, ""),
            (r#"["1","live0123456789abcdef","room:a","phx_reply",{"status":"ok","response":{}}]"#, DATA, ""),
            (r#"[null,"live0123456789abcdef","phoenix","heartbeat",{}]"#, DATA, ""),
            (r#"[]"#, DATA, ""),
            (r#"{}"#, DATA, ""),
        ],
    );
    never_asks(phoenix::Server);
    hears(
        phoenix::Server,
        &[
            (
                r#"[null,"2","phoenix","heartbeat",{}]"#,
                BEAT,
                r#"[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]"#,
            ),
            (
                r#"{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"4"}"#,
                BEAT,
                r#"{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"4"}"#,
            ),
            (r#"["3","4","room:a","heartbeat",{}]"#, DATA, ""),
            (r#"["3","4","phoenix","phx_join",{}]"#, DATA, ""),
        ],
    );
}

#[test]
fn pusher_has_events() {
    asks(pusher::dialect(), r#"{"event":"pusher:ping","data":{}}"#);
    hears(
        pusher::dialect(),
        &[
            (r#"{"event":"pusher:ping","data":{}}"#, BEAT, r#"{"event":"pusher:pong","data":{}}"#),
            (r#"{"event":"pusher:ping","data":"{}"}"#, BEAT, r#"{"event":"pusher:pong","data":{}}"#),
            (r#"{"event":"pusher:pong","data":{}}"#, SOME, ""),
            (r#"{"event":"pusher:subscribe","data":{"channel":"pusher:ping"}}"#, DATA, ""),
        ],
    );
    let established = |data: &str| {
        pusher::established(&format!(r#"{{"event":"pusher:connection_established","data":{data}}}"#))
    };
    let two_minutes = Some(std::time::Duration::from_secs(120));
    assert_eq!(established(r#""{\"socket_id\":\"218396.1234\",\"activity_timeout\":120}""#), two_minutes);
    assert_eq!(established(r#"{"socket_id":"1.1","activity_timeout":120}"#), two_minutes);
    assert_eq!(established(r#""{\"socket_id\":\"1.1\"}""#), None);
    assert_eq!(established(r#""no JSON""#), None);
    assert_eq!(established("7"), None);
    assert_eq!(pusher::established(r#"{"event":"pusher:pong","data":{"activity_timeout":120}}"#), None);
}

#[test]
fn discord_has_op_codes() {
    asks(discord::Client::new(|| Some(251)), r#"{"op":1,"d":251}"#);
    asks(discord::Client::new(|| None), r#"{"op":1,"d":null}"#);
    hears(
        discord::Client::new(|| Some(251)),
        &[
            (r#"{"t":null,"s":null,"op":11,"d":null}"#, SOME, ""),
            (r#"{"op":11}"#, SOME, ""),
            (r#"{"t":null,"s":null,"op":1,"d":null}"#, BEAT, r#"{"op":1,"d":251}"#),
            (r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#, DATA, ""),
            (r#"{"t":"TYPING_START","s":2,"op":0,"d":{"op":11}}"#, DATA, ""),
            (r#"{"op":"11"}"#, DATA, ""),
            (r#"{"op":11.0}"#, DATA, ""),
        ],
    );
    let hello = r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#;
    assert_eq!(discord::hello(hello), Some(std::time::Duration::from_millis(41_250)));
    assert_eq!(discord::hello(r#"{"op":11,"d":{"heartbeat_interval":41250}}"#), None);
    assert_eq!(discord::hello(r#"{"op":10,"d":{}}"#), None);
}

#[test]
fn signalr_has_records() {
    asks(signalr::Json, "{\"type\":6}\u{1e}");
    hears(
        signalr::Json,
        &[
            ("{\"type\":6}\u{1e}", BEAT, ""),
            ("{ \"type\": 6 }\u{1e}", BEAT, ""),
            ("{}\u{1e}", DATA, ""), // the handshake's answer
            ("{\"type\":7}\u{1e}", DATA, ""),
            ("{\"type\":6}", DATA, ""),
            ("{\"type\":6}\u{1e}{\"type\":6}\u{1e}", DATA, ""),
            ("{\"type\":6}\u{1e}{\"type\":1,\"target\":\"send\",\"arguments\":[]}\u{1e}", DATA, ""),
        ],
    );
    let mut pack = signalr::message_pack();
    assert_eq!(heard(&mut pack, Message::Binary(&[2, 0x91, 6])), (BEAT, vec![]));
    assert_eq!(heard(&mut pack, Message::Binary(&[2, 0x91, 7])), (DATA, vec![]));
    assert_eq!(asked(&mut pack, payload(PING)), Some(Written::Binary(vec![2, 0x91, 6])));
}

#[test]
fn stomp_has_ends_of_lines() {
    asks(stomp::Stomp, "\n");
    hears(
        stomp::Stomp,
        &[
            ("\n", BEAT, ""),
            ("\r\n", BEAT, ""),
            ("\n\n", DATA, ""),
            ("\r", DATA, ""),
            ("MESSAGE\n\n\0\n", DATA, ""),
        ],
    );
    assert_eq!(heard(&mut stomp::Stomp, Message::Binary(b"\n")), (BEAT, vec![]));
}

#[test]
fn action_cable_has_pings_with_the_time() {
    never_asks(action_cable::client());
    hears(
        action_cable::client(),
        &[
            (r#"{"type":"ping","message":1795979930}"#, BEAT, ""),
            (r#"{"type":"welcome"}"#, DATA, ""),
            (r#"{"identifier":"{\"channel\":\"Chat\"}","message":{"type":"ping"}}"#, DATA, ""),
        ],
    );
    hears(action_cable::Server::new(|| 0), &[(r#"{"command":"message","data":"{}"}"#, DATA, "")]);
}

#[test]
fn centrifugo_has_empty_objects() {
    never_asks(centrifugo::Client::new());
    hears(
        centrifugo::Client::new(),
        &[
            ("{}", BEAT, "{}"),
            ("{ }\n", BEAT, "{}"),
            ("{}\n{}", DATA, ""),
            (r#"{"push":{}}"#, DATA, ""),
            ("[]", DATA, ""),
        ],
    );
    asks(centrifugo::Server, "{}");
    hears(centrifugo::Server, &[("{}", SOME, ""), (r#"{"id":1,"rpc":{}}"#, DATA, "")]);
    let mut client = centrifugo::protobuf_client();
    assert_eq!(heard(&mut client, Message::Binary(&[0])), (BEAT, vec![Written::Binary(vec![0])]));
    assert_eq!(heard(&mut centrifugo::protobuf_server(), Message::Binary(&[0])), (SOME, vec![]));
    let ten = std::time::Duration::from_secs(10);
    assert_eq!(centrifugo::connect(r#"{"id":1,"connect":{"ping":10}}"#), Some((ten, false)));
    let reply =
        |pong: &str| centrifugo::connect(&format!(r#"{{"id":1,"connect":{{"ping":10,"pong":{pong}}}}}"#));
    assert_eq!((reply("true"), reply("false")), (Some((ten, true)), Some((ten, false))));
    // A server that never asks sends no number, or zero. Its silence means nothing.
    let never = std::time::Duration::MAX;
    assert_eq!(centrifugo::connect(r#"{"id":1,"connect":{"client":"c"}}"#), Some((never, false)));
    assert_eq!(centrifugo::connect(r#"{"id":1,"connect":{"ping":0}}"#), Some((never, false)));
    assert_eq!(centrifugo::client_config(never).silence_timeout(), never);
    assert_eq!(centrifugo::connect(r#"{"id":1,"connect":{"ping":-1}}"#), None);
    assert_eq!(centrifugo::connect(r#"{"id":1,"subscribe":{}}"#), None);
}

#[test]
fn ddp_and_json_rpc_have_identifiers_as_strings() {
    asks(ddp::dialect(), r#"{"msg":"ping","id":"0123456789abcdef"}"#);
    hears(
        ddp::dialect(),
        &[
            (r#"{"msg":"ping"}"#, BEAT, r#"{"msg":"pong"}"#),
            (r#"{"msg":"ping","id":"7"}"#, BEAT, r#"{"msg":"pong","id":"7"}"#),
            (r#"{"msg":"pong","id":"0123456789abcdef"}"#, answer(), ""),
            (r#"{"msg":"result","id":"0123456789abcdef"}"#, DATA, ""),
        ],
    );
    asks(json_rpc::JsonRpc::new(), r#"{"jsonrpc":"2.0","method":"ping","id":"live0123456789abcdef"}"#);
    let refused = r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"live0123456789abcdef"}"#;
    hears(
        json_rpc::JsonRpc::new(),
        &[
            (r#"{"jsonrpc":"2.0","id":"live0123456789abcdef","result":{}}"#, answer(), ""),
            (refused, answer(), ""),
            (r#"{"jsonrpc":"2.0","id":"0123456789abcdef","result":{}}"#, DATA, ""),
            (r#"{"jsonrpc":"2.0","id":"live0123456789abcdef"}"#, DATA, ""),
            (r#"{"jsonrpc":"2.0","method":"ping","id":1}"#, BEAT, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            (r#"{"jsonrpc":"2.0","method":"ping"}"#, BEAT, ""), // a notification
            (r#"{"jsonrpc":"2.0","method":"pong","id":1}"#, DATA, ""),
            (r#"[{"jsonrpc":"2.0","method":"ping","id":1}]"#, DATA, ""), // a batch
        ],
    );
    asks(
        json_rpc::JsonRpc::with_method("system/ping"),
        r#"{"jsonrpc":"2.0","method":"system/ping","id":"live0123456789abcdef"}"#,
    );
}

#[test]
fn home_assistant_draws_from_the_programs_counter() {
    let mut next = 18;
    let mut client = home_assistant::Client::new(|| {
        next += 1;
        next
    });
    asks(&mut client, r#"{"type":"ping","id":19}"#);
    hears(
        &mut client,
        &[
            (r#"{"id": 19, "type": "pong"}"#, answer(), ""),
            (r#"{"id":20,"type":"pong"}"#, DATA, ""),
            (r#"{"id":19,"type":"result","success":true,"result":null}"#, DATA, ""),
            (r#"{"type":"ping","id":1}"#, DATA, ""), // a server never asks
        ],
    );
    asks(&mut client, r#"{"type":"ping","id":20}"#);
}

#[test]
fn exchanges_have_each_their_own() {
    asks(exchange::okx(), "ping");
    hears(exchange::okx(), &[("pong", SOME, ""), ("ping", DATA, ""), (r#"{"event":"subscribe"}"#, DATA, "")]);
    asks(exchange::kucoin(), r#"{"type":"ping","id":"0123456789abcdef"}"#);
    hears(
        exchange::kucoin(),
        &[
            (r#"{"id":"0123456789abcdef","type":"pong","timestamp":1692782718}"#, answer(), ""),
            (r#"{"id":"hQvf8jkno","type":"welcome"}"#, DATA, ""),
        ],
    );
    asks(exchange::hyperliquid(), r#"{"method":"ping"}"#);
    hears(
        exchange::hyperliquid(),
        &[
            (r#"{"channel":"pong"}"#, SOME, ""),
            (r#"{"channel":"pong","data":1587453241453}"#, SOME, ""),
            (r#"{"channel":"trades","data":[]}"#, DATA, ""),
            (r#"{"method":"pong"}"#, DATA, ""),
        ],
    );
    never_asks(exchange::crypto_com());
    let heartbeat = r#"{"id":1587523073344,"method":"public/heartbeat","code":0}"#;
    hears(
        exchange::crypto_com(),
        &[(heartbeat, BEAT, r#"{"method":"public/respond-heartbeat","id":1587523073344}"#)],
    );
    asks(exchange::Bybit, r#"{"op":"ping","req_id":"0123456789abcdef"}"#);
    hears(
        exchange::Bybit,
        &[
            (r#"{"success":true,"ret_msg":"pong","conn_id":"0970e817","op":"ping"}"#, SOME, ""),
            (r#"{"success":true,"ret_msg":"pong","conn_id":"465772b1","req_id":"","op":"ping"}"#, SOME, ""),
            (r#"{"args":["1672916271846"],"op":"pong"}"#, SOME, ""),
            (
                r#"{"req_id":"0123456789abcdef","op":"pong","args":["1675418560633"],"conn_id":"cf"}"#,
                answer(),
                "",
            ),
            (r#"{"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"cf"}"#, DATA, ""),
            (r#"{"success":true,"ret_msg":"","op":"subscribe","conn_id":"ce"}"#, DATA, ""),
            // Another request's reply, and a ping's without a pong.
            (r#"{"success":true,"ret_msg":"pong","op":"subscribe","conn_id":"ce"}"#, DATA, ""),
            (r#"{"success":false,"ret_msg":"","args":["pong"],"op":"ping","conn_id":"ce"}"#, DATA, ""),
        ],
    );
}

#[test]
fn kraken_and_deribit_beat_by_themselves() {
    let mut kraken = exchange::Kraken::new();
    asks(&mut kraken, r#"{"method":"ping","req_id":1}"#);
    hears(
        &mut kraken,
        &[
            (r#"{"channel":"heartbeat"}"#, BEAT, ""),
            (
                r#"{"method":"pong","req_id":1,"time_in":"2023-09-24T14:10:23.799685Z","time_out":"2023-09-24T14:10:23.799703Z"}"#,
                answer(),
                "",
            ),
            (r#"{"method":"pong"}"#, DATA, ""), // the program's own ping had no number
            (r#"{"channel":"status","data":[],"type":"update"}"#, DATA, ""),
        ],
    );
    let test = r#"{"jsonrpc":"2.0","id":9999,"method":"public/test"}"#;
    never_asks(exchange::Deribit::new(9_999));
    hears(
        exchange::Deribit::new(9_999),
        &[
            (r#"{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}"#, BEAT, test),
            (r#"{"params":{"type":"heartbeat"},"method":"heartbeat","jsonrpc":"2.0"}"#, BEAT, ""),
            (r#"{"jsonrpc":"2.0","id":9999,"result":{"version":"1.2.26"},"usIn":1}"#, BEAT, ""),
            (r#"{"jsonrpc":"2.0","id":1569,"result":"ok"}"#, DATA, ""),
            (r#"{"jsonrpc":"2.0","method":"subscription","params":{"type":"test_request"}}"#, DATA, ""),
        ],
    );
}

#[test]
fn the_plain_forms() {
    asks(ping_pong::texts(), "ping");
    hears(ping_pong::texts(), &[("ping", BEAT, "pong"), ("pong", SOME, "")]);
    asks(ping_pong::json(), r#"{"type":"ping"}"#);
    hears(
        ping_pong::json(),
        &[(r#"{"type":"ping"}"#, BEAT, r#"{"type":"pong"}"#), (r#"{"type":"pong"}"#, SOME, "")],
    );
    never_asks(Mute);
    hears(Mute, &[("ping", DATA, ""), (r#"{"type":"ka"}"#, DATA, "")]);
}

/// A driver keeps its dialect in a box, and must know whether it ever asks.
#[test]
fn a_dialect_in_a_box_asks_if_what_is_in_the_box_asks() {
    let boxed: [(Box<dyn Dialect>, bool); 2] = [(Box::new(TextHeartbeats), true), (Box::new(Mute), false)];
    for (mut dialect, asks) in boxed {
        assert_eq!(Dialect::asks(&dialect), asks);
        assert_eq!(asked(&mut dialect, payload(PING)).is_some(), asks);
    }
}

#[test]
fn what_is_longer_than_256_bytes_is_data_unlooked() {
    let ping = |length: usize| format!(r#"{{"type":"ping","pad":"{}"}}"#, "x".repeat(length - 24));
    assert_eq!((ping(256).len(), ping(257).len()), (256, 257));
    let pong = |id: &str| Written::Text(format!(r#"{{"type":"pong"{id}}}"#));
    let mut json = ping_pong::json();
    assert_eq!(heard(&mut json, Message::Text(&ping(256))), (BEAT, vec![pong("")]));
    assert_eq!(heard(&mut json, Message::Text(&ping(257))), (DATA, vec![]));
    // The same for the dialect itself, without the function that checks the length.
    assert_eq!(json.hear(Message::Text(&ping(257)), &mut super::Sent::default()), DATA);
    // A dialect that is not called sees nothing of it.
    struct Never;
    impl Dialect for Never {
        fn hear(&mut self, _: Message<'_>, _: &mut dyn liveness::dialect::Out) -> Heard {
            panic!("it was looked at")
        }
        fn ask(&mut self, _: liveness::Payload, _: &mut dyn liveness::dialect::Out) -> bool {
            false
        }
    }
    assert_eq!(heard(&mut Never, Message::Text(&ping(257))), (DATA, vec![]));
    assert_eq!(heard(&mut Never, Message::Binary(&[0; 257])), (DATA, vec![]));
}

/// An identifier of at most 128 bytes comes back. With a longer one the answer might not fit, so the message is data.
#[test]
fn identifiers_come_back_up_to_128_bytes() {
    let phoenix = |id: &str| format!(r#"[null,{id},"phoenix","heartbeat",{{}}]"#);
    let rpc = |id: &str| format!(r#"{{"jsonrpc":"2.0","method":"ping","id":{id}}}"#);
    let json = |id: &str| format!(r#"{{"type":"ping","id":{id}}}"#);
    let [longest, too_long] = [126, 127].map(|length| format!("\"{}\"", "x".repeat(length)));
    let mut with_id = ping_pong::json().id("id");
    type MakesMessage<'a> = &'a dyn Fn(&str) -> String;
    let dialects: [(&mut dyn Dialect, MakesMessage<'_>); 3] =
        [(&mut phoenix::Server, &phoenix), (&mut json_rpc::JsonRpc::new(), &rpc), (&mut with_id, &json)];
    for (dialect, message) in dialects {
        let (means, answers) = heard(dialect, Message::Text(&message(&longest)));
        let [Written::Text(answer)] = &answers[..] else { panic!("{answers:?}") };
        assert!(means == BEAT && answer.contains(&longest) && answer.len() <= 256, "{answer}");
        assert_eq!(heard(dialect, Message::Text(&message(&too_long))), (DATA, vec![]));
    }
}

/// An answer that nobody asked for is a pong that answers nothing. It does not delay the idle timeout, and costs the peer
/// a part of its budget.
#[test]
fn an_answer_to_nothing_is_a_pong_of_nothing() {
    use liveness::{Action, Config, Event, Liveness, Reason, Timestamp};
    let ping = payload(PING);
    assert_eq!(SOME.event(None), Event::Pong(b""));
    assert_eq!(SOME.event(Some(&ping)), Event::Pong(ping.as_bytes()));
    assert_eq!(answer().event(None), Event::Pong(ping.as_bytes()));
    assert_eq!((DATA.event(Some(&ping)), BEAT.event(Some(&ping))), (Event::Data, Event::Ping));

    let config = Config::builder().control_budget(3, 0).build().unwrap();
    let mut peer = Liveness::new(config, 7, Timestamp::ZERO);
    for _ in 0..4 {
        let (heard, _) = heard(&mut engine_io::server(), Message::Text("3"));
        peer.handle(heard.event(peer.awaited().as_ref()), Timestamp::ZERO);
    }
    let offline =
        std::iter::from_fn(|| peer.poll(Timestamp::ZERO)).find(|action| *action != Action::MarkOnline);
    assert_eq!(offline, Some(Action::MarkOffline(Reason::PingFlood)));
}

#[test]
fn what_does_not_fit_is_not_sent_in_half() {
    use liveness::dialect::{Out as _, OutBuffer};
    let mut out = OutBuffer::new();
    out.text(format_args!("{:256}", "x"));
    assert_eq!(out.message().map(|message| message.as_bytes().len()), Some(256));
    out.text(format_args!("{:256}{}", "x", "y"));
    assert_eq!(out.message(), None);
    out.binary(&[7; 256]);
    assert_eq!(out.message(), Some(Message::Binary(&[7; 256])));
    out.binary(&[7; 257]);
    assert_eq!(out.message(), None);
    out.text(format_args!("{}", ""));
    assert_eq!(out.message(), Some(Message::Text("")));
    out.clear();
    assert_eq!(out.message(), None);
}
