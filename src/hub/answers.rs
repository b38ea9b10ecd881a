//! Who has answered a question to several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many have answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers(Arc<AtomicUsize>);

impl Answers {
    /// One more has answered.
    pub(super) fn here(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
