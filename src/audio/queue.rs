//! Packets of sound that wait to be sent: 200 ms of them at most.

use std::collections::VecDeque;
use std::time::Duration;

use super::FRAME_TIME;

/// Sound that waits for longer is not worth being heard.
pub const MOST: Duration = Duration::from_millis(200);
const PACKETS: usize = (MOST.as_millis() / FRAME_TIME.as_millis()) as usize;

/// Packets in their order. Where there is no room, the oldest makes some.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: VecDeque<T>,
    /// How many were dropped.
    pub dropped: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::with_capacity(PACKETS), dropped: 0 }
    }
}

impl<T> Queue<T> {
    /// Puts one at the end.
    pub fn put(&mut self, packet: T) {
        if self.waiting.len() >= PACKETS {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(packet);
    }

    /// Takes the oldest one out.
    pub fn take(&mut self) -> Option<T> {
        self.waiting.pop_front()
    }

    /// Nothing that waits is wanted any more. That is no loss.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_longer_than_200_ms_is_dropped_and_counted() {
        let mut queue = Queue::default();
        (0..13).for_each(|n| queue.put(n));
        assert_eq!(queue.dropped, 3);
        assert_eq!(std::iter::from_fn(|| queue.take()).collect::<Vec<_>>(), (3..13).collect::<Vec<_>>());
        queue.put(1);
        queue.clear();
        assert_eq!((queue.take(), queue.dropped), (None, 3));
    }
}
