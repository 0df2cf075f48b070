//! A `BinaryHeap` of deadlines, written twice: as people usually write it, and as somebody writes it after measuring.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::contender::{Output, Timers};
use crate::workload::{First, INTERVAL, TIMEOUT};

/// Each event pushes a new deadline. The connection's older deadlines are recognised as stale when they reach the top.
///
/// The heap holds an entry for each event of the last interval. With ten events for each connection it holds eleven times
/// as many entries as connections.
pub(crate) struct LazyDeletion {
    heap: BinaryHeap<Reverse<Entry>>,
    connections: Vec<Newest>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    due: u64,
    connection: u32,
    generation: u32,
}

#[derive(Clone, Copy)]
struct Newest {
    /// The deadline of the entry that counts.
    generation: u32,
    awaiting: bool,
}

impl LazyDeletion {
    fn arm(&mut self, connection: u32, due: u64, awaiting: bool) {
        let newest = &mut self.connections[connection as usize];
        newest.generation = newest.generation.wrapping_add(1);
        newest.awaiting = awaiting;
        self.heap.push(Reverse(Entry { due, connection, generation: newest.generation }));
    }
}

impl Timers for LazyDeletion {
    type Ping = u32;

    fn new(connections: u32, first: First) -> Self {
        let nothing = Newest { generation: 0, awaiting: false };
        let mut this = Self { heap: BinaryHeap::new(), connections: vec![nothing; connections as usize] };
        for connection in 0..connections {
            this.arm(connection, first.due(connection), false);
        }
        this
    }

    fn data(&mut self, connection: u32, now: u64) {
        self.arm(connection, now + INTERVAL, false);
    }

    fn poll(&mut self, now: u64) -> Option<Output<u32>> {
        loop {
            let top = self.heap.peek_mut()?;
            if top.0.due > now {
                return None;
            }
            let Reverse(entry) = PeekMut::pop(top);
            let newest = self.connections[entry.connection as usize];
            if newest.generation == entry.generation {
                assert!(!newest.awaiting, "a live peer was given up");
                self.arm(entry.connection, now + TIMEOUT, true);
                return Some(Output::Ping(entry.connection));
            }
        }
    }

    fn pong(&mut self, connection: u32, now: u64) {
        self.data(connection, now);
    }

    fn next(&self) -> Option<u64> {
        self.heap.peek().map(|top| top.0.due)
    }
}

/// One entry for each connection. Events only move the connection's own deadline. An entry that reaches the top too early
/// is put back at the current deadline. `Fleet` has the same idea, with another queue.
pub(crate) struct LazyRearm {
    /// When to look, and at which connection.
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    connections: Vec<Deadline>,
}

#[derive(Clone, Copy)]
struct Deadline {
    due: u64,
    awaiting: bool,
}

// An entry can be put back, but cannot be moved to an earlier time.
const _: () = assert!(TIMEOUT <= INTERVAL, "evidence must never bring a deadline forward");

impl Timers for LazyRearm {
    type Ping = u32;

    fn new(connections: u32, first: First) -> Self {
        let deadline = |connection| Deadline { due: first.due(connection), awaiting: false };
        let connections: Vec<_> = (0..connections).map(deadline).collect();
        let heap = (0..).zip(&connections).map(|(connection, deadline)| Reverse((deadline.due, connection)));
        Self { heap: heap.collect(), connections }
    }

    fn data(&mut self, connection: u32, now: u64) {
        self.connections[connection as usize] = Deadline { due: now + INTERVAL, awaiting: false };
    }

    fn poll(&mut self, now: u64) -> Option<Output<u32>> {
        loop {
            let mut top = self.heap.peek_mut()?;
            let Reverse((due, connection)) = *top;
            if due > now {
                return None;
            }
            let deadline = &mut self.connections[connection as usize];
            let genuine = deadline.due <= now;
            if genuine {
                assert!(!deadline.awaiting, "a live peer was given up");
                *deadline = Deadline { due: now + TIMEOUT, awaiting: true };
            }
            // It sinks to its place when `top` is dropped.
            top.0.0 = deadline.due;
            if genuine {
                return Some(Output::Ping(connection));
            }
        }
    }

    fn pong(&mut self, connection: u32, now: u64) {
        self.data(connection, now);
    }

    fn next(&self) -> Option<u64> {
        self.heap.peek().map(|top| top.0.0)
    }
}
