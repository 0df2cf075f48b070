//! Buckets of small numbers, stored in short blocks.

use alloc::vec;
use alloc::vec::Vec;

use super::chunked_vec::ChunkedVec;

/// Buckets of nodes. Each node is in at most one bucket.
///
/// A bucket is a chain of blocks, and all but the top block are full. So the next nodes are adjacent in memory and known in
/// advance. In a list that links node to node, each node is known only after the one before it was read from memory. Adding
/// a node, or taking one out of the middle, touches only a few cache lines: the top node takes the free place.
pub(super) struct Buckets {
    /// The top block of each bucket.
    tops: Vec<u32>,
    blocks: ChunkedVec<Block>,
    /// The block in which each node is.
    homes: ChunkedVec<Small>,
    /// The top of the chain of empty blocks.
    spare: u32,
}

/// Means no node, or no block. The numbers of nodes and blocks are always smaller.
const NONE: u32 = (1 << 24) - 1;

/// The nodes of a block: with 8, a block is half a cache line. Longer blocks would waste memory if few nodes are due at
/// once.
const ROOM: usize = 8;

#[derive(Clone, Copy)]
#[repr(C, align(32))]
struct Block {
    nodes: [Small; ROOM],
    len: u8,
    /// The bucket of the block, and the block under it.
    bucket: Small,
    below: Small,
}

impl Block {
    const EMPTY: Self =
        Self { nodes: [Small::new(NONE); ROOM], len: 0, bucket: Small::new(NONE), below: Small::new(NONE) };

    fn nodes(&self) -> &[Small] {
        self.nodes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    fn is_full(&self) -> bool {
        usize::from(self.len) == ROOM
    }

    fn push(&mut self, node: Small) {
        if let Some(free) = self.nodes.get_mut(usize::from(self.len)) {
            *free = node;
            self.len = self.len.saturating_add(1);
        }
    }

    fn pop(&mut self) -> Option<Small> {
        let last = self.nodes().last().copied()?;
        self.len = self.len.saturating_sub(1);
        Some(last)
    }
}

/// A number of 24 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Small([u8; 3]);

impl Small {
    const fn new(number: u32) -> Self {
        let [a, b, c, _] = number.to_le_bytes();
        Self([a, b, c])
    }

    const fn get(self) -> u32 {
        let Self([a, b, c]) = self;
        u32::from_le_bytes([a, b, c, 0])
    }
}

impl Buckets {
    /// The numbers of nodes are below this.
    pub(super) const LIMIT: u32 = NONE;

    /// This many empty buckets, without nodes.
    pub(super) fn new(buckets: u32) -> Self {
        Self {
            tops: vec![NONE; buckets as usize],
            blocks: ChunkedVec::new(Block::EMPTY),
            homes: ChunkedVec::new(Small::new(NONE)),
            spare: NONE,
        }
    }

    #[cfg(test)]
    pub(super) const fn nodes(&self) -> u32 {
        self.homes.len()
    }

    /// Adds a node that is in no bucket. The caller keeps the number of nodes below `LIMIT`.
    pub(super) fn add_node(&mut self) {
        self.homes.push(Small::new(NONE));
    }

    /// The node on top.
    #[inline]
    pub(super) fn top(&self, bucket: u32) -> Option<u32> {
        self.top_block(bucket)?.nodes().last().map(|node| node.get())
    }

    pub(super) fn is_empty(&self, bucket: u32) -> bool {
        self.tops.get(bucket as usize).is_none_or(|top| *top == NONE)
    }

    /// The nodes of the top two blocks, which are taken next, in any order.
    pub(super) fn next(&self, bucket: u32) -> impl Iterator<Item = u32> + '_ {
        let top = self.top_block(bucket);
        let below = top.and_then(|top| self.blocks.get(top.below.get()));
        let nodes = |block: Option<_>| block.map_or(&[][..], Block::nodes);
        nodes(top).iter().chain(nodes(below)).map(|node| node.get())
    }

    /// Reads a part of the memory that a search for the node needs.
    pub(super) fn touch(&self, node: u32) -> u32 {
        self.homes.get(node).map_or(0, |home| home.get())
    }

    /// The bucket of a node.
    pub(super) fn bucket_of(&self, node: u32) -> Option<u32> {
        let home = self.homes.get(node)?;
        self.blocks.get(home.get()).map(|block| block.bucket.get())
    }

    /// Puts a node that is in no bucket on top of this one.
    pub(super) fn put(&mut self, node: u32, bucket: u32) {
        if self.top_block(bucket).is_none_or(Block::is_full) {
            self.add_block(bucket);
        }
        let Some(top) = self.tops.get(bucket as usize).copied() else { return };
        if let Some(block) = self.blocks.get_mut(top) {
            block.push(Small::new(node));
        }
        if let Some(home) = self.homes.get_mut(node) {
            *home = Small::new(top);
        }
    }

    /// Takes a node out of its bucket. Returns the bucket if it is empty after that.
    pub(super) fn take(&mut self, node: u32) -> Option<u32> {
        let home = core::mem::replace(self.homes.get_mut(node)?, Small::new(NONE));
        let node = Small::new(node);
        let bucket = self.blocks.get(home.get())?.bucket.get();
        let top = self.tops.get_mut(bucket as usize)?;
        let block = self.blocks.get_mut(*top)?;
        let last = block.pop()?;
        if block.len == 0 {
            let below = core::mem::replace(&mut block.below, Small::new(self.spare));
            self.spare = core::mem::replace(top, below.get());
        }
        let is_empty = *top == NONE;
        if last != node {
            let block = self.blocks.get_mut(home.get())?;
            *block.nodes.iter_mut().find(|place| **place == node)? = last;
            *self.homes.get_mut(last.get())? = home;
        }
        is_empty.then_some(bucket)
    }

    /// Puts an empty block on top of this bucket.
    fn add_block(&mut self, bucket: u32) {
        if self.spare == NONE {
            self.spare = self.blocks.len();
            self.blocks.push(Block::EMPTY);
        }
        let Some(top) = self.tops.get_mut(bucket as usize) else { return };
        let Some(block) = self.blocks.get_mut(self.spare) else { return };
        block.bucket = Small::new(bucket);
        let spare = core::mem::replace(&mut block.below, Small::new(*top));
        *top = core::mem::replace(&mut self.spare, spare.get());
    }

    fn top_block(&self, bucket: u32) -> Option<&Block> {
        self.blocks.get(*self.tops.get(bucket as usize)?)
    }
}

#[cfg(test)]
impl Buckets {
    /// The nodes of a bucket from the top down.
    pub(super) fn iter(&self, bucket: u32) -> impl Iterator<Item = u32> + '_ {
        let blocks =
            core::iter::successors(self.top_block(bucket), |block| self.blocks.get(block.below.get()));
        blocks.flat_map(|block| block.nodes().iter().rev()).map(|node| node.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::mix;

    static_assertions::const_assert_eq!(size_of::<Block>(), 32);

    /// Compares random operations on buckets with the same operations on vectors: the last node takes the place of a taken
    /// one.
    #[test]
    fn buckets_are_as_vectors_with_swap_remove() {
        // Miri is a thousand times slower.
        let (seeds, steps) = if cfg!(miri) { (1, 400) } else { (50, 4_000) };
        for seed in 0..seeds {
            let mut draws = 0;
            let mut draw = |below: u64| {
                draws += 1;
                u32::try_from(mix(seed, draws) % below).unwrap()
            };
            let mut buckets = Buckets::new(3);
            let mut vectors: [Vec<u32>; 3] = Default::default();
            (0..100).for_each(|_| buckets.add_node());
            for _ in 0..steps {
                // Stay with one bucket for a while, so that blocks fill and become empty.
                let (node, bucket) = (draw(100), draw(3));
                let place = vectors.iter().enumerate().find_map(|(bucket, vector)| {
                    vector.iter().position(|other| *other == node).map(|place| (bucket, place))
                });
                assert_eq!(buckets.bucket_of(node), place.map(|(bucket, _)| u32::try_from(bucket).unwrap()));
                match place {
                    Some((from, place)) if draw(3) > 0 => {
                        vectors[from].swap_remove(place);
                        let emptied = vectors[from].is_empty().then(|| u32::try_from(from).unwrap());
                        assert_eq!(buckets.take(node), emptied);
                    }
                    Some(_) => {}
                    None => {
                        vectors[bucket as usize].push(node);
                        buckets.put(node, bucket);
                    }
                }
                for (bucket, vector) in (0..).zip(&vectors) {
                    assert!(
                        buckets.iter(bucket).eq(vector.iter().rev().copied()),
                        "seed {seed}, bucket {bucket}"
                    );
                    assert_eq!(
                        (buckets.top(bucket), buckets.is_empty(bucket)),
                        (vector.last().copied(), vector.is_empty())
                    );
                }
            }
            // Blocks are reused: all are full or spare, except three.
            assert!(buckets.blocks.len() <= 100_u32.div_ceil(8) + 3, "seed {seed}");
        }
    }
}
