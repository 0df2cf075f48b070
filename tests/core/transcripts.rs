//! The specification by example: every file of `tests/transcripts`, and the errors about bad ones.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs};

use liveness::transcript::{Page, ParseError, Recorder, Transcript};
use liveness::{Action, Config, Event, Input, Liveness, Observed, Observer, Timestamp};

use liveness_testing::REASONS;

pub(crate) fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

#[test]
fn every_transcript_agrees() {
    let files = files();
    assert!(files.len() >= 60, "only {} transcripts found", files.len());
    let mut differences = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        let outcome: Result<String, ParseError> =
            text.parse::<Transcript>().and_then(|life| life.replay().map(|replay| replay.diff()));
        match outcome {
            Ok(diff) if diff.is_empty() => {}
            Ok(diff) => differences += &format!("{name}\n{diff}\n"),
            Err(error) => differences += &format!("{name}:{error}\n"),
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn every_reason_is_shown_by_some_transcript() {
    let all: String = files().iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    for reason in REASONS {
        assert!(all.contains(&format!("> offline {reason}")), "no transcript ends by {reason}");
    }
}

#[test]
fn blessing_what_agrees_changes_nothing() {
    for file in files() {
        let text = fs::read_to_string(&file).unwrap();
        let life: Transcript = text.parse().unwrap();
        assert_eq!(life.replay().unwrap().blessed(), text, "{}", file.display());
    }
}

#[test]
fn lines_may_end_as_any_editor_ends_them() {
    let life: Transcript = "0s < open\r\n1s < eof\r\r\n".parse().unwrap();
    let blessed = life.replay().unwrap().blessed();
    assert_eq!(
        blessed,
        "0s < open\n0s    > online\n1s < eof\n1s    > offline transport-closed\n1s    > disconnect\n"
    );
}

const LIFE: &str = "# a life\nconfig jitter=0 last_look=0s interval=5s timeout=10s\n0s < open\n20s < end\n";

#[test]
fn blessing_puts_outputs_in_their_places_and_keeps_the_rest() {
    let life: Transcript = LIFE.parse().unwrap();
    let replay = life.replay().unwrap();
    assert!(!replay.agrees());
    let blessed = replay.blessed();
    assert_eq!(
        blessed,
        "# a life\nconfig jitter=0 last_look=0s interval=5s timeout=10s\n0s < open\n0s    > online\n5s    > ping #1\n\
         10s   > ping #2\n15s   > offline ping-timeout\n15s   > close 3008\n20s < end\n20s   > disconnect\n",
    );
    assert!(blessed.parse::<Transcript>().unwrap().replay().unwrap().agrees());
}

#[test]
fn a_missing_an_early_and_an_extra_output_are_one_kind_of_difference() {
    for wrong in ["0s > online\n", "0s > online\n4s > ping #1\n", "0s > online\n5s > ping #1\n6s > suspect\n"]
    {
        let life: Transcript =
            format!("config jitter=0 interval=5s\n0s < open\n{wrong}6s < end\n").parse().unwrap();
        let replay = life.replay().unwrap();
        assert!(!replay.agrees(), "{wrong}");
        assert!(replay.diff().starts_with("--- expected\n+++ replayed\n@@"), "{}", replay.diff());
    }
}

/// The error about a file whose last line is `line`.
#[track_caller]
fn complaint(line: &str) -> String {
    let text = format!("0s < open\n{line}\n");
    let error = text
        .parse::<Transcript>()
        .map(|life| life.replay().map(|_| ()))
        .map_or_else(|error| error, |replayed| replayed.expect_err(line));
    assert_eq!(error.line(), 2);
    error.to_string()
}

#[test]
fn a_malformed_line_is_named_with_what_was_read_and_what_was_expected() {
    for (line, read, expected) in [
        (
            "soon < data",
            "`soon`",
            "no duration; write a number with a unit, such as `20s` or `250ms`, then `<`",
        ),
        ("1s data", "`data`", "expected `<` and an input, or `>` and an output"),
        ("1s < dato", "`dato`", "expected `open`, `data`"),
        ("1s > dato", "`dato`", "expected `online`"),
        ("1s > offline dead", "`dead`", "expected `ping-timeout`"),
        ("1s < data now", "`now`", "expected nothing"),
        ("1s < pong #99999999999999999999", "`99999999999999999999`", "the number of a ping"),
        ("1s < pong #1", "`pong #1` when 0 pings", "expected it later than `ping #1`"),
        ("1s < pong 0xabc", "`0xabc`", "two hexadecimal digits"),
        ("1s < close 70000", "`70000`", "16-bit code"),
        ("1s < local-close 1005", "`1005` as a close code", "1005 may not go on the wire: it says"),
        ("1s < stall", "an empty text", "no duration"),
        ("1s < open", "`open` a second time", "new transcript"),
        ("0.0000000001s < data", "`0.0000000001s`", "finer than a nanosecond"),
        ("99999999999999s < data", "`99999999999999s`", "longer than 584 years"),
        ("1s < config interval=5s", "`config interval=5s`", "expected `open`"),
        ("config interval=5s", "`config` after `open`", "settings come first"),
    ] {
        let complaint = complaint(line);
        assert!(complaint.contains(read), "{complaint} should name {read}");
        assert!(complaint.contains(expected), "{complaint} should say {expected}");
    }
}

/// The life in the README: the transcript on the left replays, and the picture on the right belongs to it.
#[test]
fn the_life_in_the_readme_is_replayed_and_drawn() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let block = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let (mut left, mut right) = (String::new(), String::new());
    for line in block.lines() {
        let split = line.char_indices().nth(31).map_or(line.len(), |(at, _)| at);
        let whole = line.starts_with("config");
        left.push_str(if whole { line } else { line[..split].trim_end() });
        left.push('\n');
        if !whole && !line.is_empty() {
            right.push_str(&line[split..]);
            right.push('\n');
        }
    }
    let life: Transcript = left.parse().unwrap();
    let replay = life.replay().unwrap();
    assert!(replay.agrees(), "{replay}");
    assert_eq!(right, replay.picture());
}

/// A text of a few lines may ask for a thousand million pings. It is refused before they fill the memory, wherever they
/// are.
#[test]
fn a_life_with_far_more_moments_than_lines_is_refused() {
    let pings = "config interval=5ns timeout=8s jitter=0\n";
    for (life, line, expected) in [
        ("0s < open\n5s < data\n6s < end\n", 3, "the lines in between, or longer intervals"),
        ("0s < open\n0.00001s < data\n6s < end\n", 4, "the lines in between, or longer intervals"),
        ("0s < open\n0.00001s < data\n", 3, "`end` behind it, or longer intervals"),
    ] {
        let error = format!("{pings}{life}").parse::<Transcript>().unwrap().replay().unwrap_err();
        assert_eq!(error.line(), line, "{life}{error}");
        let error = error.to_string();
        assert!(
            error.contains("a life of more than 10000 moments that no line describes, up to 0.0000"),
            "{error}"
        );
        assert!(error.ends_with(expected), "{error}");
    }
    let mute =
        "config timeout=never jitter=0\n".parse::<Transcript>().and_then(|life| life.replay().map(|_| ()));
    assert_eq!(mute.unwrap_err().line(), 1, "a life without a line of its own is named by its first line");
}

/// A life of many lines may have as many moments.
#[test]
fn a_long_recording_is_replayed_however_long_it_is() {
    let data: String = (1..30_000).map(|second| format!("{second}s < data\n")).collect();
    let life = format!("config interval=10s jitter=0 schedule=steady\n0s < open\n{data}30000s < end\n");
    let blessed = life.parse::<Transcript>().unwrap().replay().unwrap().blessed();
    assert_eq!(blessed.matches("> ping").count(), 3_000);
    assert!(blessed.parse::<Transcript>().unwrap().replay().unwrap().agrees());
}

#[test]
fn outputs_stand_in_the_order_of_time() {
    let error = "0s < open\n5s > online\n3s > ping #1\n".parse::<Transcript>().unwrap_err();
    assert_eq!(error.to_string(), "3: read the time 3s after 5s; expected outputs in the order of time");
}

#[test]
fn inputs_stand_in_the_order_of_time() {
    let error = "0s < open\n5s < data\n3s < data\n".parse::<Transcript>().unwrap_err();
    assert_eq!(error.to_string(), "3: read the time 3s after 5s; expected inputs in the order of time");
}

#[test]
fn a_wrong_setting_is_named_with_its_line() {
    for (setting, complaint) in [
        ("interval=0s", "1: `interval` must be greater than zero (got 0s)"),
        ("jitter=101", "1: `jitter` must be between 0 and 100 per cent (got 101)"),
        ("close_timeout=never", "1: `close_timeout` must be finite (got never)"),
        ("intervall=5s", "1: `intervall` is no setting; there are `interval`, `timeout`"),
        ("interval", "1: `interval` is not KEY=VALUE"),
        ("interval=5", "1: `interval`: `5` is no duration; write a number with a unit"),
        ("interval=5s interval=6s", "1: `interval` is given twice"),
        ("seed=5 seed=6", "1: `seed` is given twice"),
        ("seed=five", "1: read `five`; expected a seed"),
        ("schedule=often", "1: `schedule`: `often` is no schedule; write `quiet` or `steady`"),
        ("control_budget=5", "1: `control_budget`: `5` is no budget; write frames in a burst"),
        ("close_code=1006", "1: `close_code`: 1006 may not go on the wire"),
        ("suspicion=soon", "1: `suspicion`: `soon` is no suspicion; write `never`"),
    ] {
        let error = format!("config {setting}\n0s < open\n").parse::<Transcript>().unwrap_err();
        assert!(error.to_string().starts_with(complaint), "{error} should begin with {complaint}");
    }
    // Only here there is one more setting.
    let error = "config intervall=5s\n0s < open\n".parse::<Transcript>().unwrap_err().to_string();
    assert!(error.ends_with("and `close_code`, and in a transcript `seed`"), "{error}");
    // A setting that exists brings no list of settings.
    let error = "config interval=5\n0s < open\n".parse::<Transcript>().unwrap_err().to_string();
    assert!(!error.contains("seed"), "{error}");
}

#[test]
fn a_file_may_begin_with_the_mark_of_its_encoding() {
    let life: Transcript = "\u{feff}0s < open\n1s < eof\n".parse().unwrap();
    let blessed = life.replay().unwrap().blessed();
    assert!(blessed.starts_with("0s < open\n"), "{blessed}");
    // Anywhere else it is an ordinary character.
    assert!("0s < open\n\u{feff}1s < eof\n".parse::<Transcript>().is_err());
}

#[test]
fn an_empty_file_is_no_life() {
    for text in ["", "# nothing\n", "config interval=5s\n"] {
        let error = text.parse::<Transcript>().unwrap_err();
        assert!(error.to_string().contains("expected a life"), "{error}");
    }
}

#[test]
fn a_comment_begins_anywhere_but_in_the_number_of_a_ping() {
    let life: Transcript =
        "#1 a comment\nconfig interval=5s jitter=0 # another\n0s < open#third\n0s > online\n\
        5s > ping #1 #2 comments\n6s < pong #1# and on\n6s < end\n"
            .parse()
            .unwrap();
    assert!(life.replay().unwrap().agrees(), "{}", life.replay().unwrap());
}

#[test]
fn a_picture_shows_what_waited_out_a_stall_and_the_fresh_ping() {
    let life: Transcript =
        "config interval=5s timeout=4s jitter=0\n0s < open\n5s < data\n8s < stall-deaf 9s\n\
        11s < data\n11s < pong 1234\n18s < eof\n"
            .parse()
            .unwrap();
    assert_eq!(
        life.replay().unwrap().picture(),
        "  time  in                        out                        next
    0s  open                  ▶ ┃ ▶ online                     ping at 5s
    5s  data                  ▶ ┃ ▶ ping #1                  ╷ answer by 9s
    8s  stall-deaf 9s         ▶ ┃                            │ answer by 9s
   17s                          ┃ ▶ ping #2                  ├ answer by 21s
   17s  data (since 11s)      ▶ ┃                            ╵
        pong 1234 (since 11s) ▶ ┃                              ping at 22s
   18s  eof                   ▶ ░ ▶ offline transport-closed
                                  ▶ disconnect
"
    );
}

/// The picture of the life in this text.
#[track_caller]
fn draws(life: &str, picture: &str) {
    assert_eq!(life.parse::<Transcript>().unwrap().replay().unwrap().picture(), picture);
}

#[test]
fn a_picture_names_the_silence_and_the_last_look_at_it() {
    draws(
        "config interval=5s timeout=10s jitter=0 suspicion=after:2s idle_timeout=12s silence_timeout=4s \
         last_look=1s write_timeout=3s close_timeout=4s\n0s < open\n3s < progress\n6s < wrote\n\
         6.5s < ping-sent\n7s < progress\n8s < data\n12.5s < wrote\n",
        "  time  in            out              next
    0s  open      ▶ ┃ ▶ online           anything by 4s
    3s  progress  ▶ ┃                    ping at 5s
    5s              ┃ ▶ ping #1        ╷ anything by 7s
    6s  wrote     ▶ ┃                  │ anything by 7s
  6.5s  ping-sent ▶ ┃                  │ anything by 7s
    7s  progress  ▶ ┃                  ╵ anything by 11s
    8s  data      ▶ ┃                    ping at 11.5s
 11.5s              ┃ ▶ ping #2        ╷ anything by 12s
   12s              ┃                  │ last look at 13s
 12.5s  wrote     ▶ ┃                  │ last look at 13s
   13s              ░ ▶ offline silent ╵
                    ░ ▶ close 3008       closed by 17s
   17s                ▶ disconnect
",
    );
}

#[test]
fn a_picture_names_the_clocks_of_a_ping() {
    draws(
        "config interval=5s timeout=10s jitter=0 suspicion=after:2s idle_timeout=12s write_timeout=3s\n\
         0s < open\n7.5s < ping-sent\n9s < data\n9s < end\n",
        "  time  in            out       next
    0s  open      ▶ ┃ ▶ online    ping at 5s
    5s              ┃ ▶ ping #1 ╷ suspect at 7s
    7s              ┇ ▶ suspect │ written by 8s
  7.5s  ping-sent ▶ ┇           │ ping at 10s
    9s  data      ▶ ┃ ▶ online  ╵
        end       ▶ ┃             ping at 12.5s
",
    );
}

/// Takes two lines, then fails once.
#[derive(Default)]
struct Full(Vec<String>, bool);

impl fmt::Write for Full {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.concat().matches('\n').count() == 2 && !std::mem::replace(&mut self.1, true) {
            return Err(fmt::Error);
        }
        self.0.push(text.to_owned());
        Ok(())
    }
}

#[test]
fn a_recorder_whose_text_has_a_gap_says_so_and_writes_nothing_behind_it() {
    let mut sink = Full::default();
    let mut recorder = Recorder::new(&mut sink);
    let peer = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
    recorder.attached(&peer, Timestamp::ZERO);
    assert_eq!(recorder.result(), Ok(()));
    for second in 0..5 {
        recorder.input(&Input::Event(Event::Data), &peer, Timestamp::from_secs(second));
        assert_eq!(recorder.result(), Err(fmt::Error));
    }
    drop(recorder);
    assert_eq!(sink.0.concat().lines().count(), 2);
}

#[test]
fn a_recorder_tells_an_answer_by_the_number_of_its_ping_and_any_other_pong_by_what_it_carries() {
    let config = Config::builder().interval(Duration::from_secs(5)).jitter(0).build().unwrap();
    let page = Page::default();
    let mut machine = Observed::new(Liveness::new(config, 7, Timestamp::ZERO));
    machine.observe(Recorder::new(page.clone()), Timestamp::ZERO);
    let mut payloads = Vec::new();
    for second in [0, 5, 10] {
        let now = Timestamp::from_secs(second);
        while let Some(action) = machine.poll(now) {
            if let Action::SendPing(payload) = action {
                payloads.push(payload);
                machine.handle(Event::Pong(payload.as_bytes()), now);
            }
        }
    }
    machine.handle(Event::Pong(payloads[0].as_bytes()), Timestamp::from_secs(11));
    machine.handle(Event::Pong(b"foreign"), Timestamp::from_secs(11));
    drop(machine);
    let text = page.text();
    let pongs: Vec<_> =
        text.lines().filter_map(|line| line.split_once("< pong ")).map(|(_, pong)| pong).collect();
    assert_eq!(pongs, ["#1", "#2", "#1", "foreign"], "{text}");
}
