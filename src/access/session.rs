//! A browser's session, as those have it whom it has let in: while one of them is there it is in use, and when it is over they go.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::time::Micros;

/// One session of one browser. All that it has let in share this.
#[derive(Debug)]
pub(crate) struct BrowserSession {
    used: AtomicU64,
    over: AtomicBool,
}

impl BrowserSession {
    /// One that begins.
    pub(crate) fn new(now: Micros) -> Self {
        Self { used: AtomicU64::new(now.0), over: AtomicBool::new(false) }
    }

    /// Somebody whom it has let in asks for something, or is still there.
    pub(crate) fn use_at(&self, now: Micros) {
        self.used.fetch_max(now.0, Ordering::Relaxed);
    }

    /// When that was last.
    pub(crate) fn used(&self) -> Micros {
        Micros(self.used.load(Ordering::Relaxed))
    }

    /// Its browser has logged out.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether it has.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
