//! What the page calls. It writes a question where [`text`] says, calls, and reads the answer at the same place.

#![expect(unsafe_code, reason = "an export keeps its name")]

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::life::{self, Lives};
use crate::{advice, recording};

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static LIVES: RefCell<Option<Lives>> = const { RefCell::new(None) };
}

/// Where so many bytes of text are.
#[unsafe(no_mangle)]
extern "C" fn text(length: usize) -> *mut u8 {
    TEXT.with_borrow_mut(|text| {
        text.resize(length, 0);
        text.as_mut_ptr()
    })
}

/// Answers what the first line asks about the text below it; returns the length of the answer.
#[unsafe(no_mangle)]
extern "C" fn call() -> usize {
    let text = String::from_utf8_lossy(&TEXT.take()).into_owned();
    let (question, about) = text.split_once('\n').unwrap_or((&text, ""));
    let answer = answer(question, about).unwrap_or_else(|why| json!({ "error": why })).to_string();
    let length = answer.len();
    TEXT.set(answer.into_bytes());
    length
}

fn answer(question: &str, about: &str) -> Result<Value, String> {
    match question {
        "catalogue" => Ok(advice::catalogue()),
        "advise" => advice::advise(about),
        "live" => life::live(about),
        "replay" => recording::replay(about),
        // Many lives begin; and live on for at least so many hours.
        "begin" => {
            LIVES.set(Some(Lives::new(about)?));
            Ok(Value::Null)
        }
        "go on" => LIVES.with_borrow_mut(|lives| {
            let hours = about.parse().map_err(|_| format!("`{about}` hours"))?;
            Ok(lives.as_mut().ok_or("not begun")?.go_on(hours))
        }),
        other => Err(format!("`{other}` is no question")),
    }
}
