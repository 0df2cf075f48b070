//! Named timelines of single ends: who asks when, what is sent, and when it is over.

use std::time::Duration;

use liveness::dialect::{
    self, Dialect, Heard, Message, OutBuffer, action_cable, centrifugo, discord, engine_io, exchange,
    graphql, phoenix, pusher, signalr, stomp,
};
use liveness::{Action, CloseCode, Config, Liveness, Reason, Timestamp};

use super::{Written, asked, heard, payload};

/// A machine and its dialect, with no jitter, so that moments are exact.
struct Life<D> {
    machine: Liveness,
    dialect: D,
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

impl<D: Dialect> Life<D> {
    fn new(config: Config, dialect: D) -> Self {
        let config = config.to_builder().jitter(0).build().unwrap();
        let mut life = Self { machine: Liveness::new(config, 7, at(0)), dialect };
        assert_eq!(life.machine.poll(at(0)), Some(Action::MarkOnline));
        life
    }

    /// Hears a text, and returns the answer.
    fn hear(&mut self, text: &str, now: Timestamp) -> Option<String> {
        let mut answer = OutBuffer::new();
        let heard = dialect::hear(&mut self.dialect, Message::Text(text), &mut answer);
        self.machine.handle(heard.event(self.machine.awaited().as_ref()), now);
        answer.message().and_then(Message::text).map(str::to_owned)
    }

    /// The next thing that it does, and when.
    fn next(&mut self) -> (Timestamp, String) {
        for _ in 0..10 {
            let now = self.machine.poll_timeout().expect("something is due");
            if let Some(action) = self.machine.poll(now) {
                return (now, self.carried_out(action));
            }
        }
        panic!("nothing happens");
    }

    fn carried_out(&mut self, action: Action) -> String {
        let Action::SendPing(ping) = action else { return action.to_string() };
        match asked(&mut self.dialect, ping) {
            Some(Written::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    /// What it does at this moment.
    fn rest(&mut self, now: Timestamp) -> Vec<String> {
        std::iter::from_fn(|| self.machine.poll(now).map(|action| action.to_string())).collect()
    }
}

fn millis(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn an_engine_io_server_asks_each_25_seconds_and_waits_for_20() {
    let mut life = Life::new(engine_io::SERVER_CONFIG, engine_io::server());
    assert_eq!(life.next(), (at(25), "2".into()));
    assert_eq!(life.hear("3", millis(25_040)), None);
    assert_eq!(life.machine.rtt().map(|rtt| rtt.latest), Some(Duration::from_millis(40)));
    // Traffic replaces no ping.
    assert_eq!(life.hear(r#"42["chat","hello"]"#, at(49)), None);
    assert_eq!(life.next(), (at(50), "2".into()));
    assert_eq!(life.next(), (millis(70_010), "offline ping-timeout".into()));
}

#[test]
fn an_engine_io_client_never_asks_and_gives_up_after_the_sum() {
    let mut life = Life::new(engine_io::CLIENT_CONFIG, engine_io::client());
    assert_eq!(life.hear("2", at(25)).as_deref(), Some("3"));
    life.machine.probe(at(30));
    assert_eq!(life.machine.poll(at(30)).map(|action| matches!(action, Action::SendPing(_))), Some(true));
    assert_eq!(asked(&mut life.dialect, payload("0123456789abcdef")), None);
    assert_eq!(life.next(), (millis(70_010), "offline silent".into()));
    assert_eq!(life.machine.verdict(), Some(Reason::Silent));
}

#[test]
fn a_graphql_server_that_is_answered_without_the_payload_counts_the_answer() {
    let mut life = Life::new(graphql::TransportWs::SERVER_CONFIG, graphql::TransportWs);
    let (now, ping) = life.next();
    assert_eq!(now, at(12));
    assert!(ping.starts_with(r#"{"type":"ping","payload":{"ping":""#), "{ping}");
    life.hear(r#"{"type":"pong"}"#, millis(12_040));
    assert_eq!((life.machine.stats().answers, life.machine.awaited()), (1, None));
    // Nobody asked for this pong. It is a beat, which the protocol allows.
    life.hear(r#"{"type":"pong"}"#, at(13));
    assert_eq!(life.machine.stats().answers, 1);
    assert_eq!(life.next().0, at(24));
}

#[test]
fn a_graphql_answer_to_an_older_ping_is_known_by_its_payload() {
    let config = Config::builder().interval(Duration::from_secs(1)).schedule(liveness::Schedule::Steady);
    let mut life = Life::new(config.build().unwrap(), graphql::TransportWs);
    let pings = [life.next().1, life.next().1, life.next().1];
    // The answer to the second ping settles the first too. So the third is the oldest that waits.
    life.hear(&pings[1].replace("ping\",\"payload", "pong\",\"payload"), millis(3_100));
    assert_eq!(life.machine.stats().answers, 1);
    let third = payload(&pings[2][pings[2].len() - 19..pings[2].len() - 3]);
    assert_eq!(life.machine.awaited(), Some(third));
}

#[test]
fn a_phoenix_client_counts_only_the_reply_to_its_own_reference() {
    let mut life = Life::new(phoenix::Client::CONFIG, phoenix::Client::new());
    let (now, beat) = life.next();
    assert_eq!(now, at(30));
    let reply = beat.replace("heartbeat\",{}", r#"phx_reply",{"status":"ok","response":{}}"#);
    // A reply to the program's own heartbeat is left to the program.
    life.hear(&reply.replace("live", ""), at(31));
    assert_eq!(life.machine.stats().answers, 0);
    life.hear(&reply, at(31));
    assert_eq!(life.machine.stats().answers, 1);
}

#[test]
fn what_phoenix_receives_does_not_put_off_its_beat() {
    // supabase/realtime-js 94 and 133: the server ended the connection of a client that only listened.
    let mut life = Life::new(phoenix::Client::SUPABASE_CONFIG, phoenix::Client::new());
    for second in 1..25 {
        life.hear(r#"[null,null,"realtime:room","presence_diff",{}]"#, at(second));
    }
    assert_eq!(life.next().0, at(25));
}

#[test]
fn a_pusher_server_closes_with_4201() {
    let mut life = Life::new(pusher::SERVER_CONFIG, pusher::dialect());
    assert_eq!(life.next(), (at(120), r#"{"event":"pusher:ping","data":{}}"#.into()));
    let now = millis(150_010);
    assert_eq!(life.next(), (now, "offline ping-timeout".into()));
    assert_eq!(life.rest(now), ["close 4201"]);
}

#[test]
fn a_discord_client_without_an_ack_before_its_next_beat_resumes() {
    let mut sequence = None;
    let mut life = Life::new(discord::CLIENT_CONFIG, discord::Client::new(|| sequence.replace(7)));
    assert_eq!(life.next(), (millis(41_250), r#"{"op":1,"d":null}"#.into()));
    life.hear(r#"{"t":null,"s":null,"op":11,"d":null}"#, millis(41_300));
    assert_eq!(life.machine.stats().answers, 1);
    // The gateway asks for a beat now, outside the schedule. The ACK for that beat answers no ping.
    assert_eq!(life.hear(r#"{"op":1,"d":null}"#, at(60)).as_deref(), Some(r#"{"op":1,"d":7}"#));
    life.hear(r#"{"op":11}"#, at(60));
    assert_eq!((life.machine.stats().pings, life.machine.stats().answers), (1, 1));
    assert_eq!(life.next(), (millis(82_500), r#"{"op":1,"d":7}"#.into()));
    // The next beat is due at the moment when the wait is over. The verdict comes first.
    let now = millis(82_500 + 41_250 + 10);
    assert_eq!(life.next(), (now, "offline ping-timeout".into()));
    assert_eq!(life.rest(now), ["close 4000"]);
}

#[test]
fn an_end_of_signalr_beats_whatever_it_hears_and_waits_for_30_seconds() {
    let mut life = Life::new(signalr::CONFIG, signalr::Json);
    assert_eq!(life.next(), (at(15), "{\"type\":6}\u{1e}".into()));
    // philippseith/signalr 253: receiving delayed the beat.
    assert_eq!(life.hear("{\"type\":6}\u{1e}", at(29)), None);
    assert_eq!(life.next(), (at(30), "{\"type\":6}\u{1e}".into()));
    assert_eq!(life.next().0, at(45));
    assert_eq!(life.next(), (millis(59_010), "offline silent".into()));
}

#[test]
fn stomp_agrees_on_each_direction_by_itself() {
    let ours = stomp::HeartBeat { sends: Duration::from_secs(4), wants: Duration::from_secs(6) };
    let theirs =
        stomp::HeartBeat::of("CONNECTED\r\nheart-beat:5000,8000\r\nheart-beat:1,1\r\n\r\n\0").unwrap();
    let config = ours.config(theirs);
    assert_eq!(config.interval(), Duration::from_secs(6)); // three quarters of 8 s
    assert_eq!(config.silence_timeout(), Duration::from_secs(12)); // twice 6 s
    assert_eq!(stomp::HeartBeat::of("CONNECTED\nversion:1.2\n\nheart-beat:1,1\0"), Some(Default::default()));
    assert_eq!(stomp::HeartBeat::of("heart-beat:1,1\n\n\0"), Some(Default::default())); // that is its command
    assert_eq!(stomp::HeartBeat::of("CONNECTED\nheart-beat:often\n\n\0"), None);
    assert_eq!(stomp::HeartBeat::of("CONNECTED\nheart-beat:1,-1\n\n\0"), None);
    // Neither end sends, and neither expects anything: no pings, no verdict.
    let silent = stomp::HeartBeat::default().config(theirs);
    assert_eq!((silent.interval(), silent.silence_timeout()), (Duration::MAX, Duration::MAX));
}

#[test]
fn an_action_cable_client_waits_for_12_seconds_and_its_server_beats_each_3() {
    let mut client = Life::new(action_cable::CLIENT_CONFIG, action_cable::client());
    assert_eq!(client.hear(r#"{"type":"ping","message":1795979930}"#, at(3)), None);
    assert_eq!(client.next(), (millis(15_010), "offline silent".into()));

    let mut time = 1_795_979_930;
    let mut server = Life::new(
        action_cable::SERVER_CONFIG,
        action_cable::Server::new(|| {
            time += 3;
            time
        }),
    );
    assert_eq!(server.next(), (at(3), r#"{"type":"ping","message":1795979933}"#.into()));
    assert_eq!(server.next(), (at(6), r#"{"type":"ping","message":1795979936}"#.into()));
}

#[test]
fn a_centrifugo_server_closes_with_3012_after_ten_seconds() {
    let mut life = Life::new(centrifugo::SERVER_CONFIG, centrifugo::Server);
    assert_eq!(life.next(), (at(25), "{}".into()));
    let now = millis(35_010);
    assert_eq!(life.next(), (now, "offline ping-timeout".into()));
    assert_eq!(life.rest(now), ["close 3012"]);
    assert_eq!(life.machine.config().close_code(), CloseCode::new(3012).unwrap());
}

#[test]
fn a_centrifugo_ping_among_other_replies_is_the_programs_to_answer() {
    // One answer too many ends the connection.
    let mut client = centrifugo::Client::new();
    assert_eq!(heard(&mut client, Message::Text("{}\n{\"push\":{}}")), (Heard::Data, vec![]));
    assert_eq!(heard(&mut client, Message::Text("{}")), (Heard::Beat, vec![Written::Text("{}".into())]));
    assert_eq!(heard(&mut centrifugo::Client::silent(), Message::Text("{}")), (Heard::Beat, vec![]));
}

#[test]
fn krakens_heartbeat_is_no_data() {
    // nautilus_trader 4255: heartbeats, but no data.
    let config = exchange::KRAKEN_CONFIG.to_builder().idle_timeout(Duration::from_secs(60)).build().unwrap();
    let mut life = Life::new(config, exchange::Kraken::new());
    for second in 1..=60 {
        life.hear(r#"{"channel":"heartbeat"}"#, at(second));
    }
    let reason = std::iter::from_fn(|| Some(life.next().1)).find(|what| what.starts_with("offline"));
    assert_eq!(reason.as_deref(), Some("offline idle"));
}

#[test]
fn krakens_answers_are_known_by_their_numbers() {
    let mut kraken = exchange::Kraken::new();
    let pings: Vec<_> = (0..10).map(|number| payload(&format!("{number:016x}"))).collect();
    for ping in &pings {
        asked(&mut kraken, *ping);
    }
    let mut pong = |number: &str| {
        heard(&mut kraken, Message::Text(&format!(r#"{{"method":"pong","req_id":{number}}}"#))).0
    };
    assert_eq!(pong("10"), Heard::Answer(pings[9]));
    assert_eq!(pong("3"), Heard::Answer(pings[2]));
    // It remembers eight pings. A number that it did not give is left to the program.
    assert_eq!(pong("2"), Heard::Data);
    assert_eq!(pong("11"), Heard::Data);
    assert_eq!(pong("0"), Heard::Data);
    assert_eq!(pong("\"10\""), Heard::Data);
}
