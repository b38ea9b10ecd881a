//! Byte buffers that go back where they came from, so that a stream of pictures allocates nothing per picture.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How many idle buffers a pool keeps. More than the pictures under way between any two threads; the rest are freed.
const KEPT: usize = 8;

/// A source of [`Buffer`]s. Cloning gives another handle on the same pool.
#[derive(Clone, Default)]
pub struct Pool {
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Pool {
    /// An empty buffer, with the capacity it had in its last use.
    #[must_use]
    pub fn take(&self) -> Buffer {
        let mut bytes = lock(&self.idle).pop().unwrap_or_default();
        bytes.clear();
        Buffer { bytes, home: Arc::downgrade(&self.idle) }
    }
}

/// A `Vec<u8>` that returns to its [`Pool`] when it is dropped.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Weak<Mutex<Vec<Vec<u8>>>>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            let mut idle = lock(&home);
            // What was large once is not kept for what is small.
            let fits = self.bytes.capacity() <= (4 * self.bytes.len()).max(64 * 1024);
            if fits && idle.len() < KEPT {
                idle.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: Weak::new() }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.bytes.len())
    }
}

fn lock(idle: &Mutex<Vec<Vec<u8>>>) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
