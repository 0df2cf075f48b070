//! Doubly linked rings of small numbers.

use super::chunks::Chunks;

/// Rings of nodes: each node is in exactly one, perhaps alone. A ring is known by one node that stays in it, its head.
///
/// Every operation here touches a node and its neighbours, and nothing else: to take a node out of the middle of a ring,
/// to append one to another ring, to pour one ring into another. So a million nodes in one ring cost each what one costs.
pub(super) struct Rings {
    links: Chunks<Link>,
}

/// The neighbours of a node, in three bytes each.
#[derive(Clone, Copy)]
struct Link {
    next: [u8; 3],
    prev: [u8; 3],
}

impl Rings {
    /// Nodes are numbered from zero to below this.
    pub(super) const LIMIT: u32 = 1 << 24;

    pub(super) const fn new() -> Self {
        Self { links: Chunks::new(Link { next: [0; 3], prev: [0; 3] }) }
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> u32 {
        self.links.len()
    }

    /// One more node, alone in its ring. The caller keeps their number below `LIMIT`.
    pub(super) fn push(&mut self) {
        let alone = pack(self.links.len());
        self.links.push(Link { next: alone, prev: alone });
    }

    /// The node after this one: itself, where it is alone.
    pub(super) fn next(&self, node: u32) -> u32 {
        self.links.get(node).map_or(node, |link| unpack(link.next))
    }

    pub(super) fn prev(&self, node: u32) -> u32 {
        self.links.get(node).map_or(node, |link| unpack(link.prev))
    }

    pub(super) fn is_alone(&self, node: u32) -> bool {
        self.next(node) == node
    }

    /// Takes `node` out of its ring; it is alone then. Gives back the node that was behind it.
    pub(super) fn unlink(&mut self, node: u32) -> u32 {
        let next = self.close_up(node);
        self.join(node, node);
        next
    }

    /// Takes `node` out of its ring, and puts it at the end of the ring of `head`. Gives back the node that was behind it.
    pub(super) fn shift(&mut self, node: u32, head: u32) -> u32 {
        let next = self.close_up(node);
        let last = self.prev(head);
        if let Some(link) = self.links.get_mut(node) {
            *link = Link { next: pack(head), prev: pack(last) };
        }
        if let Some(link) = self.links.get_mut(last) {
            link.next = pack(node);
        }
        if let Some(link) = self.links.get_mut(head) {
            link.prev = pack(node);
        }
        next
    }

    /// Joins the neighbours of `node`, and leaves its own links as they were: whoever calls sets them.
    fn close_up(&mut self, node: u32) -> u32 {
        let Some(Link { next, prev }) = self.links.get(node).copied() else { return node };
        let (next, prev) = (unpack(next), unpack(prev));
        self.join(prev, next);
        next
    }

    /// Puts all that is in the ring of `from`, but for `from`, at the end of the ring of `head`.
    pub(super) fn pour(&mut self, from: u32, head: u32) {
        if self.is_alone(from) {
            return;
        }
        let (first, last) = (self.next(from), self.prev(from));
        let end = self.prev(head);
        self.join(end, first);
        self.join(last, head);
        self.join(from, from);
    }

    fn join(&mut self, before: u32, after: u32) {
        if let Some(link) = self.links.get_mut(before) {
            link.next = pack(after);
        }
        if let Some(link) = self.links.get_mut(after) {
            link.prev = pack(before);
        }
    }
}

const fn pack(node: u32) -> [u8; 3] {
    let [a, b, c, _] = node.to_le_bytes();
    [a, b, c]
}

const fn unpack([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}
