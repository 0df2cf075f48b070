//! Ping numbers under a keyed permutation.

use core::fmt;

/// The payload of one of our pings: its number, permuted under the machine's seed.
///
/// It has eight bytes. The machine recognises its own pings of any age by undoing the permutation, and stores none of them.
/// A peer that never saw a ping can only guess: one forged pong in 2^61 hits one of the first eight pings. The permutation
/// is not a cipher against a peer that studies many pings. Such a peer reads our pings, so it is alive.
///
/// ```
/// # use liveness::{Action, Config, Liveness, Timestamp};
/// # let mut machine = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
/// # machine.probe(Timestamp::ZERO);
/// # assert_eq!(machine.poll(Timestamp::ZERO), Some(Action::MarkOnline));
/// # let Some(Action::SendPing(payload)) = machine.poll(Timestamp::ZERO) else { panic!() };
/// // In a Ping frame, or as text if a page's script must answer:
/// assert_eq!(payload.as_bytes().len(), 8);
/// assert_eq!(payload.to_string().len(), 16);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
// Aligned like a word. Otherwise every `Action` is copied in pieces, which costs 10 ns for each ping.
#[repr(C, align(8))]
pub struct Payload([u8; 8]);

impl Payload {
    /// The bytes for a Ping frame.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Reads sixteen hexadecimal digits in lower case, as [`Display`](fmt::Display) writes them; `None` for any other text.
    /// For your own [dialect](crate::dialect), if its answers return the digits.
    ///
    /// ```
    /// use liveness::Payload;
    ///
    /// let payload = Payload::from_digits("0123456789abcdef").ok_or("no payload")?;
    /// assert_eq!(payload.to_string(), "0123456789abcdef");
    /// assert_eq!(Payload::from_digits("0123456789ABCDEF"), None);
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn from_digits(digits: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 16 || !digits.bytes().all(is_digit) {
            return None;
        }
        u64::from_str_radix(digits, 16).ok().map(|word| Self(word.to_be_bytes()))
    }

    /// The payload of ping `number` under `seed`.
    pub(crate) const fn seal(number: u64, seed: u64) -> Self {
        Self((mix(seed, number) ^ veil(seed)).to_be_bytes())
    }

    /// The number in the bytes of a pong. A foreign payload gives a random number.
    pub(crate) fn open(bytes: &[u8], seed: u64) -> Option<u64> {
        let bytes: [u8; 8] = bytes.try_into().ok()?;
        Some(unmix(seed, u64::from_be_bytes(bytes) ^ veil(seed)))
    }
}

/// A random seed for a [`Liveness`](crate::Liveness), a `Fleet` or a [`Reconnect`](crate::Reconnect), different at each
/// call.
///
/// It comes from the keys of std's hash maps, which std gets from the system for each thread. Nobody outside of the process
/// can guess it, but do not use it as a cryptographic key. On a platform where std has no randomness
/// (`wasm32-unknown-unknown`), get a seed from the host instead.
///
/// ```
/// use liveness::{Clock, Config, Liveness, random_seed};
///
/// let peer = Liveness::new(Config::DEFAULT, random_seed(), Clock::new().now());
/// # assert!(!peer.is_finished());
/// ```
#[cfg(feature = "std")]
#[must_use]
pub fn random_seed() -> u64 {
    use core::hash::BuildHasher as _;
    std::collections::hash_map::RandomState::new().hash_one(0)
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Sixteen hexadecimal digits in lower case, for a heartbeat in text messages: [`TextHeartbeat`](crate::TextHeartbeat).
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

/// The step between the states of SplitMix64 (Steele, Lea, Flood 2014). It is odd, so it has an inverse.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// The multipliers of its finalizer.
const FIRST: u64 = 0xbf58_476d_1ce4_e5b9;
const SECOND: u64 = 0x94d0_49bb_1331_11eb;

/// The output of SplitMix64 at `index` with the seed `seed`: a well-mixed word. For each seed it is a permutation of the
/// indices, which [`unmix`] undoes.
#[inline]
pub(crate) const fn mix(seed: u64, index: u64) -> u64 {
    // Begins after the first step, like SplitMix64 itself. Otherwise seed 0 would begin with a draw of 0.
    let mut word = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(STEP));
    word = (word ^ (word >> 30)).wrapping_mul(FIRST);
    word = (word ^ (word >> 27)).wrapping_mul(SECOND);
    word ^ (word >> 31)
}

/// Maps `draw`, uniform over 64 bits, to [0, below): as even as a remainder, without a division.
#[inline]
pub(crate) const fn share(draw: u64, below: u64) -> u64 {
    // Two words of 64 bits: their product fits.
    ((draw as u128).wrapping_mul(below as u128) >> 64) as u64
}

/// The index for which `mix` returns this word.
const fn unmix(seed: u64, mut word: u64) -> u64 {
    // Shifts of 31 and 62 undo a shift of 31, because a shift of 93 leaves no bit of 64.
    word ^= (word >> 31) ^ (word >> 62);
    word = word.wrapping_mul(const { inverse(SECOND) });
    word ^= (word >> 27) ^ (word >> 54);
    word = word.wrapping_mul(const { inverse(FIRST) });
    word ^= (word >> 30) ^ (word >> 60);
    word.wrapping_sub(seed).wrapping_mul(const { inverse(STEP) }).wrapping_sub(1)
}

/// The mask of the mixed number on the wire. Without it, a peer could compute the seed from one payload, and then every
/// later payload.
const fn veil(seed: u64) -> u64 {
    seed.rotate_left(32)
}

/// The inverse of an odd number modulo 2^64, by Newton's method: each step doubles the number of correct bits. An odd number
/// is its own inverse in the lowest three bits.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut right_bits = 3_u32;
    while right_bits < u64::BITS {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        right_bits = right_bits.saturating_mul(2);
    }
    inverse
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
    fn words_are_those_of_splitmix64_and_the_seed_lies_over_them() {
        // The published outputs for seed 1234567, and the same XOR the seed with exchanged halves.
        let words = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|index| mix(1_234_567, index)), words);
        assert_eq!(Payload::seal(1, 1_234_567).as_bytes(), &0x2c61_2603_5854_0fa5_u64.to_be_bytes());
        assert_eq!(
            Payload::seal(2, 0x0123_4567_89ab_cdef).as_bytes(),
            &0xa63b_7ac1_984e_89d9_u64.to_be_bytes()
        );
    }

    #[test]
    fn an_inverse_undoes_its_number() {
        for odd in [1, 3, STEP, FIRST, SECOND, u64::MAX] {
            assert_eq!(odd.wrapping_mul(inverse(odd)), 1);
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
    fn shares_cover_their_range_and_stay_inside() {
        assert_eq!(share(0, 10), 0);
        assert_eq!(share(u64::MAX, 10), 9);
        assert_eq!(share(u64::MAX, 1), 0);
        assert_eq!(share(u64::MAX, u64::MAX), u64::MAX - 1);
    }

    #[test]
    fn only_eight_bytes_can_be_a_payload() {
        assert_eq!(Payload::open(b"", 0), None);
        assert_eq!(Payload::open(b"1234567", 0), None);
        assert_eq!(Payload::open(b"123456789", 0), None);
    }
}
