//! A row that grows without moving what is in it.

use alloc::vec::Vec;

/// Items in chunks of a fixed size. Growth allocates one chunk and copies nothing, so that the millionth item costs what
/// the first did, and a row of a million holds hardly more memory than they need.
pub(super) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    len: u32,
}

/// A power of two, so that an index splits by shift and mask.
const CHUNK: u32 = 1 << LOG;
const LOG: u32 = 10;

impl<T> Chunks<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// Appends; the caller keeps the length below `u32::MAX`.
    pub(super) fn push(&mut self, item: T) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK as usize => last.push(item),
            Some(_) | None => {
                let mut chunk = Vec::with_capacity(CHUNK as usize);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
        self.len = self.len.saturating_add(1);
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.chunks.get((index >> LOG) as usize)?.get((index & (CHUNK - 1)) as usize)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.chunks.get_mut((index >> LOG) as usize)?.get_mut((index & (CHUNK - 1)) as usize)
    }
}
