//! Numbers from one thread to another without a lock: a device's callback may wait for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

struct Ring {
    slots: Box<[AtomicU64]>,
    /// How many were ever written, and read.
    written: AtomicUsize,
    read: AtomicUsize,
}

impl Ring {
    fn waiting(&self) -> usize {
        self.written.load(Ordering::Acquire).wrapping_sub(self.read.load(Ordering::Acquire))
    }

    fn slot(&self, count: usize) -> Option<&AtomicU64> {
        // Their number is a power of two, so that a count may wrap.
        self.slots.get(count & (self.slots.len() - 1))
    }
}

/// The end that writes; there is one.
pub(super) struct Writer(Arc<Ring>);

/// The end that reads; there is one.
pub(super) struct Reader(Arc<Ring>);

/// A ring with room for as many, rounded up.
pub(super) fn ring(room: usize) -> (Writer, Reader) {
    let slots = (0..room.max(1).next_power_of_two()).map(|_| AtomicU64::new(0)).collect();
    let ring = Arc::new(Ring { slots, written: AtomicUsize::new(0), read: AtomicUsize::new(0) });
    (Writer(ring.clone()), Reader(ring))
}

impl Writer {
    /// Writes one, if there is room.
    pub(super) fn put(&self, number: u64) -> bool {
        let written = self.0.written.load(Ordering::Relaxed);
        if self.0.waiting() >= self.0.slots.len() {
            return false;
        }
        if let Some(slot) = self.0.slot(written) {
            slot.store(number, Ordering::Relaxed);
        }
        // Whoever sees the new count sees what was written before it.
        self.0.written.store(written.wrapping_add(1), Ordering::Release);
        true
    }

    /// How many wait to be read.
    pub(super) fn waiting(&self) -> usize {
        self.0.waiting()
    }
}

impl Reader {
    /// Takes the oldest one.
    pub(super) fn take(&self) -> Option<u64> {
        if self.0.waiting() == 0 {
            return None;
        }
        let read = self.0.read.load(Ordering::Relaxed);
        let number = self.0.slot(read)?.load(Ordering::Relaxed);
        self.0.read.store(read.wrapping_add(1), Ordering::Release);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_once_and_in_its_order_by_another_thread() {
        const MANY: u64 = 200_000;
        let (writer, reader) = ring(100);
        let writes = std::thread::spawn(move || {
            for number in 0..MANY {
                while !writer.put(number) {
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < MANY {
            match reader.take() {
                Some(number) => {
                    assert_eq!(number, next);
                    next += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        writes.join().unwrap();
        assert_eq!(reader.take(), None);
    }

    #[test]
    fn where_there_is_no_room_nothing_is_written() {
        let (writer, reader) = ring(3);
        assert_eq!((0..9).filter(|n| writer.put(*n)).count(), 4);
        assert_eq!((reader.take(), writer.waiting()), (Some(0), 3));
        assert!(writer.put(7));
    }
}
