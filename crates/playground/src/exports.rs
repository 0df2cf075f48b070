//! What the page calls. It writes its text where [`input`] says, calls, and reads the answer where [`output`] says.

#![expect(unsafe_code, reason = "an export keeps its name")]

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::lives::Lives;
use crate::{advice, life, recording};

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<String> = const { RefCell::new(String::new()) };
    static LIVES: RefCell<Option<Lives>> = const { RefCell::new(None) };
}

/// Where to write so many bytes of text.
#[unsafe(no_mangle)]
extern "C" fn input(length: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(length, 0);
        input.as_mut_ptr()
    })
}

/// Where the answer is.
#[unsafe(no_mangle)]
extern "C" fn output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}

fn answer(with: impl FnOnce(&str) -> Result<Value, String>) -> usize {
    let text = INPUT.with_borrow(|input| String::from_utf8_lossy(input).into_owned());
    let answer = with(&text).unwrap_or_else(|why| json!({ "error": why })).to_string();
    let length = answer.len();
    OUTPUT.set(answer);
    length
}

/// The rules, worlds and presets.
#[unsafe(no_mangle)]
extern "C" fn catalogue() -> usize {
    answer(|_| Ok(advice::catalogue()))
}

/// Of settings: what they promise, and how they are written.
#[unsafe(no_mangle)]
extern "C" fn advise() -> usize {
    answer(advice::advise)
}

/// Of settings: one life, beside another rule's.
#[unsafe(no_mangle)]
extern "C" fn live() -> usize {
    answer(life::live)
}

/// Of changed settings in the first line, and a transcript below it.
#[unsafe(no_mangle)]
extern "C" fn replay() -> usize {
    answer(recording::replay)
}

/// Begins with many lives under these settings.
#[unsafe(no_mangle)]
extern "C" fn begin() -> usize {
    answer(|text| {
        LIVES.set(Some(Lives::new(text)?));
        Ok(json!({}))
    })
}

/// Lives on for at least so many hours, and says what all have come to.
#[unsafe(no_mangle)]
extern "C" fn go_on(hours: f64) -> usize {
    answer(|_| LIVES.with_borrow_mut(|lives| Ok(lives.as_mut().ok_or("not begun")?.go_on(hours))))
}
