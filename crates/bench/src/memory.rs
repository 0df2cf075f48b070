//! The heap, counted at the allocator, and the resident size, as the kernel reports it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator. It counts the bytes that are handed out and not given back.
#[derive(Debug)]
pub struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Not `fetch_add`: what is counted has one thread, and a locked instruction would be charged to the contender that allocates.
/// With several threads the count is wrong.
fn count(taken: usize, given_back: usize) {
    let live = LIVE.load(Ordering::Relaxed);
    LIVE.store(live.wrapping_add(taken).wrapping_sub(given_back), Ordering::Relaxed);
}

// SAFETY: every call goes to `System` unchanged. The count does not touch the pointers.
#[expect(unsafe_code, reason = "no other way to see an allocation")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The heap and the resident size at a moment, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub heap: usize,
    pub resident: usize,
}

impl Memory {
    pub fn now() -> Self {
        Self { heap: LIVE.load(Ordering::Relaxed), resident: resident().unwrap_or(0) }
    }

    pub const fn since(self, earlier: Self) -> Self {
        Self {
            heap: self.heap.saturating_sub(earlier.heap),
            resident: self.resident.saturating_sub(earlier.resident),
        }
    }
}

/// The second field of `statm`, in pages; `None` if there is no `/proc`.
#[cfg(unix)]
fn resident() -> Option<usize> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

#[cfg(not(unix))]
const fn resident() -> Option<usize> {
    None
}
