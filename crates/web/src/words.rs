//! Texts for the page: why something was done, and what is known about the server. A text is left in memory, and the page
//! asks for its place.

#![expect(unsafe_code, reason = "an export keeps its name")]

use core::cell::Cell;
use core::fmt::{self, Write};

use liveness::Reason;

use crate::exports::{Kept, LAST, moment, with};
use crate::link::Action;

static TEXT: Kept<Cell<Text>> = Kept(Cell::new(Text::EMPTY));

/// More than the longest report.
const LONGEST_TEXT: usize = 512;

/// A text on its way to the page. What does not fit is cut off. All texts are ASCII.
#[derive(Clone, Copy)]
struct Text {
    bytes: [u8; LONGEST_TEXT],
    length: usize,
}

impl Text {
    const EMPTY: Self = Self { bytes: [0; LONGEST_TEXT], length: 0 };
}

impl Write for Text {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(words.bytes()) {
            *place = byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// Leaves a text where [`text`] finds it, and returns its length in bytes.
pub(crate) fn tell(words: fmt::Arguments<'_>) -> usize {
    let mut text = Text::EMPTY;
    let _ = text.write_fmt(words);
    TEXT.0.set(text);
    text.length
}

/// What the script calls this setting.
pub(crate) fn option(field: &str) -> &str {
    match field {
        "probe_timeout" => "probeTimeout",
        "suspicion" => "suspectAfter",
        "silence_timeout" => "silenceTimeout",
        same => same,
    }
}

/// The reason. `offline` has two lines, which a line feed divides: a name, and a sentence for people. The end has one line,
/// and so has a wait that the system will end. Returns the length of the text.
#[unsafe(no_mangle)]
extern "C" fn explain() -> usize {
    match LAST.0.get() {
        // Only a server that counts our silence sends this. It took us for dead, and we are not.
        Some(Action::Offline(Reason::PeerClosed(Some(3008)))) => {
            tell(format_args!("given-up\nthe server heard nothing of this page for too long"))
        }
        Some(Action::Offline(reason)) => tell(format_args!("{}\n{}", name(reason), reason.description())),
        Some(Action::Wait(None)) if with(|link| link.is_offline()) => {
            tell(format_args!("the system says that there is no network"))
        }
        Some(Action::End(why)) => tell(format_args!("{why}")),
        _ => 0,
    }
}

/// What is known about the server, and why, while there is a connection. Returns the length of the text.
#[unsafe(no_mangle)]
extern "C" fn report(now: f64) -> usize {
    with(|link| link.report(moment(now)).map_or(0, |report| tell(format_args!("{report}"))))
}

/// As transcripts name it, without the code.
fn name(reason: Reason) -> impl fmt::Display {
    if let Reason::PeerClosed(_) = reason { Reason::PeerClosed(None) } else { reason }
}

/// Where the latest text is.
#[unsafe(no_mangle)]
extern "C" fn text() -> *const u8 {
    TEXT.0.as_ptr().cast_const().cast()
}
