//! Any text: it is a transcript, or an error with a line. A blessed transcript agrees with its replay, and blessing it
//! again changes nothing. How it would have gone with other settings is a transcript that agrees too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liveness::Config;
use liveness::transcript::Transcript;

fuzz_target!(|text: &str| {
    let lines = text.lines().count().max(1);
    let transcript = match text.parse::<Transcript>() {
        Ok(transcript) => transcript,
        Err(error) => {
            assert!((1..=lines).contains(&error.line()), "line {} of {lines}", error.line());
            let text = error.to_string();
            assert!(!text.is_empty() && text.lines().count() == 1, "{text:?}");
            return;
        }
    };
    let replay = match transcript.replay() {
        Ok(replay) => replay,
        Err(error) => return assert!((1..=lines).contains(&error.line())),
    };
    assert_eq!(replay.agrees(), replay.diff().is_empty(), "{}", replay.diff());
    let _ = replay.picture();
    let blessed = replay.blessed();
    let again: Transcript = blessed.parse().expect("what was blessed can be read");
    let replay = again.replay().expect("and replayed");
    assert!(replay.agrees(), "{blessed}\n{}", replay.diff());
    assert_eq!(replay.blessed(), blessed);
    if let Ok(other) = again.what_if(Config::MOBILE) {
        let replay = other.replay().expect("its own outputs can happen");
        assert!(replay.agrees(), "{other}\n{}", replay.diff());
    }
});
