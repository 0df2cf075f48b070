//! What the page calls. It writes its text where [`input`] says, calls, and reads the answer where [`output`] says.

#![expect(unsafe_code, reason = "an export keeps its name")]

use std::cell::RefCell;

use crate::lives::Lives;
use crate::{advice, json, life, recording};

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

fn answer(with: impl FnOnce(&str) -> String) -> usize {
    let text = INPUT.with_borrow(|input| String::from_utf8_lossy(input).into_owned());
    let answer = with(&text);
    let length = answer.len();
    OUTPUT.set(answer);
    length
}

/// The rules, worlds and presets.
#[unsafe(no_mangle)]
extern "C" fn catalogue() -> usize {
    answer(|_| advice::catalogue())
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
    answer(|text| match Lives::new(text) {
        Ok(lives) => {
            LIVES.set(Some(lives));
            "{}".to_owned()
        }
        Err(why) => json::error(&why),
    })
}

/// Lives on for at least so many hours, and says what all have come to.
#[unsafe(no_mangle)]
extern "C" fn go_on(hours: f64) -> usize {
    answer(|_| {
        LIVES.with_borrow_mut(|lives| {
            lives.as_mut().map_or_else(|| json::error("not begun"), |lives| lives.go_on(hours))
        })
    })
}
