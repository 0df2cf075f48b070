//! How recorded lives would have gone with other settings.

use std::fs;

use liveness::sim::Rng;
use liveness::transcript::Transcript;
use liveness::{Config, Timestamp};

use crate::transcripts::files;

/// The other life of this text, whose first line are the settings to try.
#[track_caller]
fn other(settings: &str, life: &str) -> Transcript {
    let life: Transcript = life.parse().unwrap();
    let other = life.what_if(settings.parse().unwrap()).unwrap();
    assert!(other.replay().unwrap().agrees(), "{}\n{other}", other.replay().unwrap());
    other
}

/// The other life without its settings, its columns narrowed.
#[track_caller]
fn goes(settings: &str, life: &str, expected: &str) {
    let other = other(settings, life).to_string();
    let (_, lines) = other.split_once('\n').unwrap();
    let lines: String =
        lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect();
    assert_eq!(lines, expected, "{other}");
}

const LIFE: &str = "config interval=5s timeout=10s jitter=0\n0s < open\n5.2s < pong #1\n10.2s < pong #2\n12s < data\n20s < end\n";

#[test]
fn a_ping_is_answered_as_late_as_the_last_one_before_it() {
    goes(
        "interval=3s timeout=1s jitter=0",
        "config interval=5s timeout=10s jitter=0\n0s < open\n5.5s < pong #1\n12s < pong #2\n14s < end\n",
        "0s < open\n0s > online\n3s > ping #1\n3.5s < pong #1\n6s > ping #2\n6.5s < pong #2\n9s > ping #3\n\
         9.5s < pong #3\n12s > ping #4\n13.01s > offline ping-timeout\n13.01s > close 3008\n14s < pong #4\n14s < end\n",
    );
    // The recording's second ping went out at 10 s, and its answer took 3 s.
    goes(
        "interval=4s timeout=1s jitter=0",
        "config interval=5s timeout=10s jitter=0\n0s < open\n5.5s < pong #1\n13s < pong #2\n20s < end\n",
        "0s < open\n0s > online\n4s > ping #1\n4.5s < pong #1\n8s > ping #2\n8.5s < pong #2\n12s > ping #3\n\
         13.01s > offline ping-timeout\n13.01s > close 3008\n15s < pong #3\n18.01s > disconnect\n",
    );
}

#[test]
fn a_ping_without_an_answer_is_never_answered_in_the_other_life() {
    goes(
        "interval=5s timeout=3s jitter=0",
        "config interval=5s timeout=10s jitter=0\n0s < open\n5.2s < pong #1\n",
        "0s < open\n0s > online\n5s > ping #1\n5.2s < pong #1\n10s > ping #2\n13.01s > offline ping-timeout\n\
         13.01s > close 3008\n18.01s > disconnect\n",
    );
    // Without any ping nothing is known of answers.
    goes(
        "interval=5s timeout=3s jitter=0",
        "config interval=never\n0s < open\n30s < eof\n",
        "0s < open\n0s > online\n5s > ping #1\n8.01s > offline ping-timeout\n8.01s > close 3008\n13.01s > disconnect\n",
    );
}

#[test]
fn a_ping_is_written_as_late_as_the_last_one_before_it() {
    let written = "config interval=5s timeout=4s write_timeout=4s jitter=0\n0s < open\n6s < ping-sent\n\
                   6s < pong #1\n10s < end\n";
    goes(
        "interval=3s timeout=1s write_timeout=2s jitter=0",
        written,
        "0s < open\n0s > online\n3s > ping #1\n4s < ping-sent\n4s < pong #1\n7s > ping #2\n8s < ping-sent\n\
         8s < pong #2\n10s < end\n",
    );
    goes(
        "interval=3s timeout=1s write_timeout=0.5s jitter=0",
        written,
        "0s < open\n0s > online\n3s > ping #1\n3.51s > offline write-stalled\n3.51s > close 3008\n4s < ping-sent\n\
         4s < pong #1\n8.51s > disconnect\n",
    );
}

#[test]
fn a_recording_that_says_nothing_of_writing_has_each_ping_written_at_once() {
    goes(
        "interval=5s timeout=4s write_timeout=4s jitter=0",
        "config interval=5s timeout=4s jitter=0\n0s < open\n5.1s < pong #1\n8s < end\n",
        "0s < open\n0s > online\n5s > ping #1\n5s < stall-deaf 0s\n5s < ping-sent\n5.1s < pong #1\n8s < end\n",
    );
}

#[test]
fn whatever_else_the_recording_says_stays_where_it_is() {
    goes(
        "interval=4s timeout=2s jitter=0",
        "config interval=5s timeout=10s jitter=0\n0s < open\n1s < data\n2s < pong foreign\n3s < stall 3s\n4s < data\n\
         6.5s < reconfigure interval=20s\n7s < close 1000\n",
        "0s < open\n0s > online\n1s < data\n2s < pong foreign\n3s < stall 3s\n4s < data\n6s > ping #1\n6.5s < reconfigure interval=20s\n\
         7s < close 1000\n7s > offline peer-closed 1000\n7s > close 1000\n12s > disconnect\n",
    );
}

#[test]
fn a_connection_that_lives_on_is_followed_for_ten_minutes() {
    let life = "config interval=5s timeout=10s jitter=0 idle_timeout=12s\n0s < open\n5.2s < pong #1\n10.4s < pong #2\n";
    let other = other("interval=60s timeout=10s jitter=0", life).to_string();
    // Offline at 12 s and a last look, and gone 5 s later.
    assert!(other.ends_with("617.01s       < end\n"), "{other}");
    assert_eq!(other.matches("> ping").count(), 10, "{other}");
}

#[test]
fn what_is_too_long_is_refused_with_a_line_of_the_recording() {
    let life: Transcript = LIFE.parse().unwrap();
    let error = life.what_if("interval=1us jitter=0".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("read a life of more than 10000 moments"), "{error}");
    // And a recording that cannot happen has no other life.
    let life: Transcript = "0s < open\n1s < pong #1\n".parse().unwrap();
    assert_eq!(life.what_if(Config::DEFAULT).unwrap_err().line(), 2);
}

/// In another life there is no second pong to a ping, and no report of a ping that was not handed out.
const OTHERWISE: [&str; 1] = ["rule-01-quiet-ping-sent-without-a-ping-is-bytes-written.txt"];

/// The settings in force make no difference, and any others a life that agrees with itself.
#[test]
fn every_transcript_goes_as_it_went_with_its_own_settings_and_somehow_with_others() {
    let (mut lives, mut changed) = (0, 0);
    for file in files() {
        let life: Transcript = fs::read_to_string(&file).unwrap().parse().unwrap();
        let outputs = |life: &Transcript| -> Vec<(Timestamp, String)> {
            let rows = life.replay().unwrap().rows();
            rows.into_iter().filter(|row| !row.output.is_empty()).map(|row| (row.at, row.output)).collect()
        };
        if !OTHERWISE.iter().any(|name| file.ends_with(name)) {
            let same = life.what_if(*life.config()).unwrap();
            assert_eq!(outputs(&same), outputs(&life), "{}\n{same}", file.display());
        }
        for settings in
            ["interval=2s timeout=3s", "interval=3s timeout=60s write_timeout=5s suspicion=after:1s"]
        {
            // Hours of a short interval are refused.
            let Ok(other) = life.what_if(settings.parse().unwrap()) else { continue };
            assert!(other.replay().unwrap().agrees(), "{}: {other}", file.display());
            changed += usize::from(outputs(&other) != outputs(&life));
        }
        lives += 1;
    }
    assert!(lives >= 60 && changed > 60, "{lives} lives, {changed} others");
}

/// A life of any inputs, most of which can happen.
fn any_life(seed: u64) -> String {
    let mut rng = Rng::new(seed);
    let mut any = |end| rng.below(end);
    let write = ["never", "3s"][any(2) as usize];
    let mut text = format!("config interval=2s timeout=4s write_timeout={write} seed={seed}\n0s < open\n");
    let mut at = 0;
    for _ in 0..any(60) {
        at += any(1_500) * any(2);
        let input = match any(14) {
            0 => "data".to_owned(),
            1 => "unread".to_owned(),
            2 => "probe".to_owned(),
            3 => "read-paused".to_owned(),
            4 => "read-resumed".to_owned(),
            5 => format!("stall {}ms", any(4_000)),
            6 => format!("stall-deaf {}ms", any(2) * any(4_000)),
            7 => "wrote".to_owned(),
            8..11 => "ping-sent".to_owned(),
            _ => format!("pong #{}", 1 + any(1 + at / 4_000)),
        };
        text += &format!("{at}ms < {input}\n");
    }
    text + &format!("{at}ms < end\n")
}

#[test]
fn whatever_happened_the_other_life_agrees_with_itself() {
    let (mut lives, mut pings) = (0, 0);
    for seed in 0..500 {
        let Ok(life) = any_life(seed).parse::<Transcript>() else { continue };
        if life.replay().is_err() {
            continue;
        }
        for settings in ["interval=2s timeout=4s", "interval=1s timeout=9s write_timeout=5s schedule=steady"]
        {
            let other = life.what_if(settings.parse().unwrap()).unwrap();
            let replay = other.replay().unwrap_or_else(|error| panic!("{error}\n{life}{other}"));
            assert!(replay.agrees(), "{}\n{life}{other}", replay.diff());
            lives += 1;
            pings += other.to_string().matches("> ping").count();
        }
    }
    assert!(lives > 200 && pings > 1_000, "{lives} lives, {pings} pings");
}
