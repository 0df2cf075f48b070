//! The program that starts a Redis and the nodes, and what a node says about a Redis that somebody else has set up.

use std::net::TcpListener;

use redis::{Client, Cmd};

use liveness_programs::cluster::redis_server::{Kept, RedisServer};
use liveness_testing::Program;
use liveness_testing::eventually;

/// What a node says about a Redis with these settings.
fn warnings(kept: Kept, setup: &[&str]) -> Vec<String> {
    let redis = RedisServer::start(kept).unwrap();
    if !setup.is_empty() {
        let mut connection = Client::open(redis.url()).unwrap().get_connection().unwrap();
        Cmd::new().arg(setup).exec(&mut connection).unwrap();
    }
    let node = Program::start(env!("CARGO_BIN_EXE_cluster"), &["--node", "one", "--redis", &redis.url()]);
    // Everything that it has to say comes before this line.
    eventually("it is linked", || node.complaints().iter().any(|line| line.ends_with("linked to Redis")));
    node.complaints().into_iter().filter(|line| !line.ends_with("linked to Redis")).collect()
}

#[test]
fn a_node_says_what_the_redis_that_it_is_given_can_lose() {
    assert_eq!(warnings(Kept::All, &[]), [""; 0]);
    for (kept, setup, expected) in [
        (Kept::Nothing, &[][..], "keeps no append-only file (appendonly is not yes)"),
        (Kept::All, &["CONFIG", "SET", "appendfsync", "everysec"], "in a power cut it loses edits"),
        (Kept::All, &["ACL", "SETUSER", "default", "-config"], "does not say whether it keeps"),
    ] {
        let said = warnings(kept, setup);
        assert!(said.len() == 1 && said[0].contains(expected), "{setup:?}: {said:?}");
    }
}

#[test]
fn a_redis_that_never_answers_is_complained_of_once_however_often_it_is_dialled() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", mute.local_addr().unwrap());
    let flags = ["--node", "one", "--redis", &url, "--ttl", "500ms", "--beat", "100ms"];
    let node = Program::start(env!("CARGO_BIN_EXE_cluster"), &flags);
    let _dials: Vec<_> = mute.incoming().take(4).collect();
    let complaints =
        || node.complaints().iter().filter(|line| line.ends_with("Redis: it does not answer")).count();
    eventually("it complains", || complaints() > 0);
    assert_eq!(complaints(), 1);
}

#[cfg(target_os = "linux")]
mod killed {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::process::{Child, Command, Stdio};

    use liveness_testing::eventually;

    struct Stage(Child);

    impl Stage {
        fn children(&self) -> Vec<String> {
            let pid = self.0.id();
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
            children.split_whitespace().map(str::to_owned).collect()
        }

        fn kill(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            self.kill();
        }
    }

    fn is_stopped(pid: &str) -> bool {
        fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains("State:\tT"))
    }

    fn listens(address: &SocketAddr) -> bool {
        TcpStream::connect(address).is_ok()
    }

    /// The stage is killed: once while one of its nodes is stopped and once while none is. To the system these are two
    /// cases.
    fn killed(stopped: bool) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
        command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut stage = Stage(command.spawn().unwrap());
        let lines = BufReader::new(stage.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = |line: String| Some(line.split_once("://")?.1.parse().unwrap());
        let there: Vec<SocketAddr> = lines.filter_map(address).take(4).collect();
        assert_eq!(there.len(), 4, "three nodes and a Redis");
        assert!(there.iter().all(listens));
        if stopped {
            stage.0.stdin.as_mut().unwrap().write_all(b"stop 2\n").unwrap();
            eventually("a node is stopped", || stage.children().iter().any(|child| is_stopped(child)));
        }
        stage.kill();
        eventually("nobody listens any more", || !there.iter().any(listens));
    }

    #[test]
    fn a_stage_that_is_killed_takes_its_redis_and_its_nodes_along() {
        killed(false);
        killed(true);
    }
}
