//! One waker for all that is waited for, so that a split stream and sink wake each other and never steal.

use std::sync::Arc;
use std::task::Wake;

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;

use futures_util::task::AtomicWaker;

/// The tasks that wait for the two halves. The socket and the timer know this one waker only, so it does not matter
/// which half polled them last.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    woken: AtomicBool,
    read: AtomicWaker,
    write: AtomicWaker,
}

/// Which half a task waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    Read,
    Write,
}

impl Wakers {
    /// Notes who waits for a half. False: something happened meanwhile, so look again instead of waiting.
    pub(super) fn wait(&self, half: Half, waker: &Waker) -> bool {
        match half {
            Half::Read => self.read.register(waker),
            Half::Write => self.write.register(waker),
        }
        !self.is_woken()
    }

    /// Whether anything woke us since the last [`clear`](Self::clear).
    #[inline]
    pub(super) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// What comes from now on is news.
    pub(super) fn clear(&self) {
        // Not a store: what was done before the wake that this erases must be seen by who looks now.
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
