//! A session and a reference that is too plain to be wrong, in the world of `tests/core/session/world.rs` with its laws,
//! or with any calls in any order. The fuzzer's bytes make a life's choices.
#![no_main]

#[path = "../../tests/core/absences.rs"]
mod absences;
#[path = "../../tests/core/session/both.rs"]
mod both;
#[path = "../../tests/core/session/calls.rs"]
mod calls;
#[path = "../../tests/core/session/choices.rs"]
mod choices;
#[path = "../../tests/core/session/library.rs"]
mod library;
#[path = "../../tests/core/session/reference.rs"]
mod reference;
#[path = "../../tests/core/session/speech.rs"]
mod speech;
#[path = "../../tests/core/session/world.rs"]
#[expect(dead_code, reason = "the tests add up what they saw")]
mod world;

use choices::Choices;
use libfuzzer_sys::fuzz_target;
use world::{Kind, World, ends, in_order, noticed, spared};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    // As long as a world of the tests. What happens in a life counts more than its length.
    let mut choices = Choices::new(&bytes[..bytes.len().min(1_500)]);
    let (kind, law): (_, fn(&_) -> bool) = match first % 4 {
        0 => (Kind::Any, ends),
        1 => (Kind::Live, spared),
        2 => (Kind::Dies, noticed),
        _ => return drop(calls::live(&mut choices)),
    };
    // In every other life time passes within turns.
    let life =
        if first % 8 < 4 { World::live(&mut choices, kind) } else { World::live_busily(&mut choices, kind) };
    assert!(law(&life) && in_order(&life), "{life:?}");
});
