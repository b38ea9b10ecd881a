//! Byte buffers that go back where they came from, so that a stream of pictures allocates nothing per picture.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How many idle buffers a pool keeps. More than the pictures under way between any two threads; the rest are freed.
const KEPT: usize = 8;

/// What a message is given at least, unless it is shorter.
const LEAST: usize = 4096;

/// A source of [`Buffer`]s. Cloning gives another handle on the same pool.
#[derive(Clone, Default)]
pub struct Pool {
    idle: Arc<Mutex<Idle>>,
}

/// Buffers that wait for their next use.
struct Idle {
    buffers: Vec<Vec<u8>>,
    /// Bytes of all of them together.
    held: usize,
    most: usize,
}

impl Default for Idle {
    fn default() -> Self {
        Self { buffers: Vec::new(), held: 0, most: usize::MAX }
    }
}

impl Pool {
    /// A pool that keeps so many bytes at most in buffers that nobody uses.
    #[must_use]
    pub fn of(most: usize) -> Self {
        Self { idle: Arc::new(Mutex::new(Idle { most, ..Idle::default() })) }
    }

    /// Bytes in buffers that nobody uses.
    #[must_use]
    pub fn held(&self) -> usize {
        lock(&self.idle).held
    }

    /// An empty buffer, with the capacity it had in its last use.
    #[must_use]
    pub fn take(&self) -> Buffer {
        let mut idle = lock(&self.idle);
        let mut bytes = idle.buffers.pop().unwrap_or_default();
        idle.held -= bytes.capacity();
        bytes.clear();
        Buffer { bytes, home: Arc::downgrade(&self.idle) }
    }
}

/// A `Vec<u8>` that returns to its [`Pool`] when it is dropped.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Weak<Mutex<Idle>>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            let mut idle = lock(&home);
            // What was large once is not kept for what is small.
            let fits = self.bytes.capacity() <= (4 * self.bytes.len()).max(64 * 1024);
            let room = self.bytes.capacity() <= idle.most.saturating_sub(idle.held);
            if fits && room && idle.buffers.len() < KEPT {
                let bytes = std::mem::take(&mut self.bytes);
                idle.held += bytes.capacity();
                idle.buffers.push(bytes);
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

/// Appends a piece to a message of which `lacks` more bytes are to come after it, or `usize::MAX` where nobody knows. The
/// capacity doubles, as that of any `Vec`, but never beyond what the message needs: a picture takes no
/// more than it is long, and no more than twice what has come of it.
pub fn append(bytes: &mut Vec<u8>, piece: &[u8], lacks: usize) {
    let needed = bytes.len() + piece.len();
    if needed > bytes.capacity() {
        let whole = needed.saturating_add(lacks);
        bytes.reserve_exact(whole.min(needed.max(2 * bytes.capacity()).max(LEAST)) - bytes.len());
    }
    bytes.extend_from_slice(piece);
}

fn lock(idle: &Mutex<Idle>) -> std::sync::MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
