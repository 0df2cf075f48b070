//! Any text, read as JSON by the crate and by serde_json. They must agree about what the crate claims to read.
#![no_main]

#[path = "../json_opinions.rs"]
mod json_opinions;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    json_opinions::agree(text);
    // A text that is too long is not read, although its beginning may be JSON.
    if let Some(beginning) = text.get(..text.len().min(liveness::dialect::LONGEST)) {
        json_opinions::agree(beginning);
    }
});
