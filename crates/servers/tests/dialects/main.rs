//! The dialects, tested with the official ends of their protocols, which were written elsewhere. Each lives for several
//! intervals, once silent and once talking. Each is frozen by SIGSTOP, found, and woken. When our end falls silent, the
//! official one does what its documents say. What was seen is a row of `docs/dialects.md`:
//!
//! ```sh
//! LIVENESS_INTEROP=1 cargo test -p liveness-servers --test dialects         # all run, and each row must agree with the page
//! BLESS=1 LIVENESS_INTEROP=1 cargo test -p liveness-servers --test dialects # the rows are written again
//! ```
//!
//! The tests run if `target/interop` has the libraries, where `.ci/run` puts them. Otherwise they are skipped and say so,
//! or fail with `LIVENESS_INTEROP=1` in the environment. In silent lives our end is a loop without a driver. In lives
//! that talk it is a `LiveStream`.

#![cfg(unix)]

mod bare_loop;
mod ends;
mod lives;
mod process;
mod streams;
mod table;

use std::thread;
use std::time::Duration;

use self::ends::Ours;
use self::lives::Seen;
use self::table::Row;

/// A timeout that is longer than any delay of a busy machine.
const TIMEOUT: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_millis(300);
/// Several intervals, and longer than the detection bound.
const WHILE: Duration = Duration::from_millis(4_500);

/// An official end of a protocol. The other end is ours.
struct Trial {
    /// The dialect's name on the page.
    dialect: &'static str,
    is_server: bool,
    ours: fn() -> Ours,
    /// The package of the official end, which is the name of its function in `peers`.
    package: &'static str,
    language: Language,
    /// Whether it gives up an end that does not answer.
    judges: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Node,
    Python,
}

impl Trial {
    const fn new(dialect: &'static str, is_server: bool, package: &'static str, ours: fn() -> Ours) -> Self {
        Self { dialect, is_server, ours, package, language: Language::Node, judges: true }
    }

    const fn in_python(self) -> Self {
        Self { language: Language::Python, ..self }
    }

    const fn never_judges(self) -> Self {
        Self { judges: false, ..self }
    }
}

/// Our server, and the official client.
const fn our_server(dialect: &'static str, package: &'static str, ours: fn() -> Ours) -> Trial {
    Trial::new(dialect, true, package, ours)
}

/// Our client, and the official server.
const fn our_client(dialect: &'static str, package: &'static str, ours: fn() -> Ours) -> Trial {
    Trial::new(dialect, false, package, ours)
}

macro_rules! trials {
    ($($name:ident: $trial:expr;)+) => {
        /// In the order of the page.
        const TRIALS: &[Trial] = &[$($trial),+];
        $(
            #[test]
            fn $name() {
                run(&$trial);
            }
        )+
    };
}

trials! {
    a_client_of_engine_io: our_server("engine.io", "engine.io-client", ends::engine_io_server);
    a_client_of_socket_io: our_server("engine.io", "socket.io-client", ends::socket_io_server);
    a_client_of_socket_io_in_python: our_server("engine.io", "python-socketio", ends::socket_io_server).in_python();
    a_server_of_engine_io: our_client("engine.io", "engine.io", ends::engine_io_client);
    a_server_of_socket_io: our_client("engine.io", "socket.io", ends::socket_io_client);
    a_server_of_socket_io_in_python: our_client("engine.io", "python-socketio", ends::socket_io_client).in_python();
    a_client_of_graphql: our_server("graphql-transport-ws", "graphql-ws", ends::graphql_server).never_judges();
    a_client_of_graphql_in_python: our_server("graphql-transport-ws", "gql", ends::graphql_server).in_python();
    a_server_of_graphql: our_client("graphql-transport-ws", "graphql-ws", ends::graphql_client).never_judges();
    a_client_of_subscriptions: our_server("graphql-ws, the older", "subscriptions-transport-ws", ends::subscriptions);
    a_client_of_phoenix: our_server("Phoenix", "phoenix", ends::phoenix);
    a_client_of_supabase: our_server("Phoenix", "@supabase/realtime-js", ends::phoenix);
    a_client_of_pusher: our_server("Pusher", "pusher-js", ends::pusher);
    a_client_of_discord: our_server("Discord (a double)", "@discordjs/ws", ends::discord);
    a_client_of_signalr: our_server("SignalR", "@microsoft/signalr", ends::signalr);
    a_client_of_signalr_in_message_pack: our_server("SignalR", "@microsoft/signalr-protocol-msgpack", ends::message_pack);
    a_client_of_stomp: our_server("STOMP", "@stomp/stompjs", ends::stomp);
    a_client_of_action_cable: our_server("ActionCable", "@rails/actioncable", ends::action_cable);
    a_client_of_centrifugo: our_server("Centrifugo", "centrifuge", ends::centrifugo);
    a_client_of_home_assistant: our_server("Home Assistant", "home-assistant-js-websocket", ends::home_assistant).never_judges();
    a_broker_of_mqtt: our_client("MQTT (a codec)", "aedes", streams::mqtt);
    a_client_of_nats: our_server("NATS (a codec)", "@nats-io/nats-core", streams::nats);
}

/// Three lives at once, each with an official end of its own. Their results must agree with the page.
#[track_caller]
fn run(trial: &Trial) {
    if process::command(trial, "", false).is_none() {
        return;
    }
    let (silent, talking, mute) = thread::scope(|scope| {
        let talking = scope.spawn(|| lives::talking(trial));
        let mute = scope.spawn(|| lives::mute(trial));
        // A failure in that thread fails this test too.
        (lives::silent(trial), talking.join().unwrap(), mute.join().unwrap())
    });
    assert_eq!(
        (silent.verdict, &silent.woken),
        (talking.verdict, &talking.woken),
        "a silent peer's end is another than a talking one's"
    );
    let Seen { heard, verdict, woken } = silent;
    table::compare(&Row { trial, heard, verdict, woken, mute });
}

#[test]
fn the_table_has_a_row_for_each_trial_and_no_other() {
    table::is_complete();
}
