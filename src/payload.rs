//! Ping numbers under a keyed permutation.

use core::fmt;

/// The payload of one of our pings: its number, scrambled under the machine's seed.
///
/// Eight bytes. The machine recognises its own pings by undoing the permutation, whatever their age, and stores
/// none of them. A peer that never saw a ping can only guess: one forged pong in 2^61 hits one of the first
/// eight pings. It is not a cipher against someone who studies many of them; such a peer reads our pings, so it lives.
///
/// ```
/// # use liveness::{Action, Config, Liveness, Timestamp};
/// # let mut machine = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
/// # machine.probe(Timestamp::ZERO);
/// # assert_eq!(machine.poll(Timestamp::ZERO), Some(Action::MarkOnline));
/// # let Some(Action::SendPing(payload)) = machine.poll(Timestamp::ZERO) else { panic!() };
/// // On the wire of a Ping frame, or as text where a page's script must answer:
/// assert_eq!(payload.as_bytes().len(), 8);
/// assert_eq!(payload.to_string().len(), 16);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Payload([u8; 8]);

impl Payload {
    /// The bytes for a Ping frame.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The payload of ping `number` under `seed`.
    pub(crate) const fn seal(number: u64, seed: u64) -> Self {
        let (mut left, mut right) = halves(number);
        let mut round = 0;
        while round < ROUNDS {
            (left, right) = (right, left ^ scramble(right, seed, round));
            round = round.wrapping_add(1);
        }
        Self(join(left, right).to_be_bytes())
    }

    /// The number behind the bytes of a pong, whoever made them: a foreign payload gives a random number.
    pub(crate) fn open(bytes: &[u8], seed: u64) -> Option<u64> {
        let bytes: [u8; 8] = bytes.try_into().ok()?;
        let (mut left, mut right) = halves(u64::from_be_bytes(bytes));
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ scramble(left, seed, round), left);
        }
        Some(join(left, right))
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Sixteen hexadecimal digits, for a heartbeat in text messages.
impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({self})")
    }
}

/// Four rounds make a Feistel network a strong permutation (Luby and Rackoff); six leave a margin for a round
/// function that is only a good hash.
const ROUNDS: u64 = 6;

/// A well-mixed word from two: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) const fn mix(seed: u64, index: u64) -> u64 {
    // From the first step on, as SplitMix64 itself: else seed 0 would begin with a draw of 0.
    let mut word = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The round function. The half and the round share the index; the top bit keeps it apart from the draws of jitter.
const fn scramble(half: u32, seed: u64, round: u64) -> u32 {
    (mix(seed, 1 << 63 | round << 32 | half as u64) >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves, each exactly 32 bits")]
const fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

const fn join(left: u32, right: u32) -> u64 {
    (left as u64) << 32 | right as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_undoes_sealing_and_another_seed_does_not() {
        for number in [0, 1, 2, 13, u64::from(u32::MAX), u64::MAX] {
            let payload = Payload::seal(number, 42);
            assert_eq!(Payload::open(payload.as_bytes(), 42), Some(number));
            assert_ne!(Payload::open(payload.as_bytes(), 43), Some(number));
        }
    }

    #[test]
    fn neighbours_differ_in_about_half_of_their_bits() {
        for number in 0..64 {
            let [a, b] = [number, number + 1].map(|n| u64::from_be_bytes(*Payload::seal(n, 9).as_bytes()));
            assert!((12..=52).contains(&(a ^ b).count_ones()), "{number}: {a:x} {b:x}");
        }
    }

    #[test]
    fn only_eight_bytes_can_be_a_payload() {
        assert_eq!(Payload::open(b"", 0), None);
        assert_eq!(Payload::open(b"1234567", 0), None);
        assert_eq!(Payload::open(b"123456789", 0), None);
    }
}
