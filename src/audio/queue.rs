//! Packets of sound that wait to be sent: 200 ms of them at most.

use std::collections::VecDeque;

use super::FRAME_TIME;
use crate::frame::AUDIO_WAITS;
use crate::time::Micros;

/// Packets that wait at most: as many as there are in that time.
const PACKETS: usize = (AUDIO_WAITS.as_millis() / FRAME_TIME.as_millis()) as usize;

/// Packets in their order, each with when it came. What waits too long is dropped, and where there is no room the oldest.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: VecDeque<(Micros, T)>,
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
    pub fn put(&mut self, packet: T, now: Micros) {
        self.forget(now);
        if self.waiting.len() >= PACKETS {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back((now, packet));
    }

    /// Takes the oldest one out.
    pub fn take(&mut self, now: Micros) -> Option<T> {
        self.forget(now);
        self.waiting.pop_front().map(|(_, packet)| packet)
    }

    /// There are pauses between packets: fewer than there is room for can be too old.
    fn forget(&mut self, now: Micros) {
        while self.waiting.front().is_some_and(|(came, _)| now.since(*came) > AUDIO_WAITS) {
            self.waiting.pop_front();
            self.dropped += 1;
        }
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
        let at = |ms: u64| Micros(1_000_000 + ms * 1000);
        (0..13).for_each(|n| queue.put(n, at(n)));
        assert_eq!(queue.dropped, 3);
        assert_eq!(std::iter::from_fn(|| queue.take(at(13))).collect::<Vec<_>>(), (3..13).collect::<Vec<_>>());
        // There was silence between these two, and the link stood still meanwhile.
        queue.put(20, at(1000));
        queue.put(21, at(1150));
        assert_eq!((queue.take(at(1300)), queue.dropped), (Some(21), 4));
        queue.put(1, at(1300));
        queue.clear();
        assert_eq!((queue.take(at(1300)), queue.dropped), (None, 4));
    }
}
