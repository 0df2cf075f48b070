//! A vector that grows without moving its items.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Items in chunks of a fixed size. Growth allocates one chunk and moves nothing. So the millionth item costs as much as the
/// first, and a vector of a million items holds little more memory than it needs.
pub(super) struct ChunkedVec<T> {
    chunks: Vec<Box<[T; CHUNK]>>,
    len: u32,
    /// Fills the places after the last item, up to the end of its chunk.
    filler: T,
}

/// A power of two, so that a shift and a mask split an index, and the mask also bounds it.
const CHUNK: usize = 1 << LOG;
const LOG: u32 = 9;

impl<T: Copy> ChunkedVec<T> {
    pub(super) const fn new(filler: T) -> Self {
        Self { chunks: Vec::new(), len: 0, filler }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// Counts items that do not exist.
    #[cfg(test)]
    pub(super) const fn skip_to(&mut self, len: u32) {
        self.len = len;
    }

    /// Appends an item. The caller keeps the length below `u32::MAX`.
    pub(super) fn push(&mut self, item: T) {
        if place(self.len) == 0 {
            if let Ok(chunk) = vec![self.filler; CHUNK].into_boxed_slice().try_into() {
                self.chunks.push(chunk);
            }
        }
        if let Some(next) = self.get_mut(self.len) {
            *next = item;
        }
        self.len = self.len.saturating_add(1);
    }

    /// The item, or the filler of its place; `None` beyond the chunks.
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.chunks.get((index >> LOG) as usize)?.get(place(index))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.chunks.get_mut((index >> LOG) as usize)?.get_mut(place(index))
    }
}

const fn place(index: u32) -> usize {
    index as usize & CHUNK.wrapping_sub(1)
}
