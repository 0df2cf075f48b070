//! One waker for everything, so that a split stream and sink wake each other and never steal a wake-up.

use std::sync::Arc;
use std::task::Wake;

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;

use futures_util::task::AtomicWaker;

/// The tasks that wait for the two halves. The socket and the timer know only this one waker, so it does not matter which
/// half polled them last.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    woken: AtomicBool,
    read: AtomicWaker,
    write: AtomicWaker,
}

/// The half that a task waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    Read,
    Write,
}

impl Wakers {
    /// Stores the task that waits for a half. False: something happened meanwhile, so check again instead of waiting.
    pub(super) fn wait(&self, half: Half, waker: &Waker) -> bool {
        match half {
            Half::Read => self.read.register(waker),
            Half::Write => self.write.register(waker),
        }
        !self.is_woken()
    }

    /// Whether there was a wake-up since the last [`clear`](Self::clear).
    #[inline]
    pub(super) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Forgets all earlier wake-ups.
    pub(super) fn clear(&self) {
        // Not a store: this thread must see everything that happened before the wake-up that it erases.
        let _ = self.woken.swap(false, Ordering::AcqRel);
    }

    pub(super) fn wake_all(&self) {
        self.woken.store(true, Ordering::Release);
        self.read.wake();
        self.write.wake();
    }

    /// There is a message for the reader.
    pub(super) fn wake_reader(&self) {
        self.read.wake();
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
