//! A set of small numbers that finds its next member fast.

use alloc::vec;
use alloc::vec::Vec;

/// One bit for each number. A second level has one bit for each word of 64 bits, which says whether the word is not zero. In
/// a set of 65,536 numbers the next member is found in at most 18 words.
pub(super) struct BitSet {
    words: Vec<u64>,
    /// Bit `n`: `words[n]` is not zero.
    occupied: Vec<u64>,
}

impl BitSet {
    /// An empty set of numbers below `size`.
    pub(super) fn new(size: u32) -> Self {
        let words = size.div_ceil(64) as usize;
        Self { words: vec![0; words], occupied: vec![0; words.div_ceil(64)] }
    }

    pub(super) fn insert(&mut self, member: u32) {
        set(&mut self.words, member);
        set(&mut self.occupied, member / 64);
    }

    pub(super) fn remove(&mut self, member: u32) {
        if clear(&mut self.words, member) {
            clear(&mut self.occupied, member / 64);
        }
    }

    /// The smallest member from `from` on.
    pub(super) fn next(&self, from: u32) -> Option<u32> {
        let word = from / 64;
        let here = self.words.get(word as usize)? & (u64::MAX << (from % 64));
        if here != 0 {
            return Some(lowest(word, here));
        }
        // This word has none: search the next word that is not zero.
        let word = self.next_word(word.saturating_add(1))?;
        Some(lowest(word, *self.words.get(word as usize)?))
    }

    fn next_word(&self, from: u32) -> Option<u32> {
        let mut group = from / 64;
        let mut mask = u64::MAX << (from % 64);
        loop {
            let here = self.occupied.get(group as usize)? & mask;
            if here != 0 {
                return Some(lowest(group, here));
            }
            group = group.saturating_add(1);
            mask = u64::MAX;
        }
    }
}

/// The number of the lowest bit of `bits`, the word at `word`.
const fn lowest(word: u32, bits: u64) -> u32 {
    word.saturating_mul(64).saturating_add(bits.trailing_zeros())
}

fn set(words: &mut [u64], bit: u32) {
    if let Some(word) = words.get_mut((bit / 64) as usize) {
        *word |= 1 << (bit % 64);
    }
}

/// Clears the bit. True if its word is zero after that.
fn clear(words: &mut [u64], bit: u32) -> bool {
    words.get_mut((bit / 64) as usize).is_some_and(|word| {
        *word &= !(1 << (bit % 64));
        *word == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_member_is_found_in_its_word_in_another_and_in_another_group() {
        let mut bits = BitSet::new(65_536);
        assert_eq!(bits.next(0), None);
        for member in [3, 64, 4_095, 4_096, 65_535] {
            bits.insert(member);
        }
        let mut found = vec![];
        let mut from = 0;
        while let Some(member) = bits.next(from) {
            found.push(member);
            from = member + 1;
        }
        assert_eq!(found, [3, 64, 4_095, 4_096, 65_535]);
        bits.remove(64);
        assert_eq!(bits.next(4), Some(4_095));
        bits.remove(65_535);
        assert_eq!(bits.next(4_097), None);
    }

    #[test]
    fn a_word_with_another_member_stays_occupied() {
        let mut bits = BitSet::new(128);
        bits.insert(70);
        bits.insert(71);
        bits.remove(70);
        assert_eq!(bits.next(0), Some(71));
    }
}
