//! Even motion for a known delay: when a viewer is to show each picture so that pictures follow each other as they were captured,
//! whatever their ways were.
//!
//! A picture is due at its capture, and the least way of the last seconds, and the delay that its user asked for. One that comes later is
//! due at once. So a picture waits for that delay at most, however wrong clocks are, and what waits is bounded beside that.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::{Micros, micros};

/// For how long the least way is remembered, and in parts of which length. Clocks that drift by 100 ppm are apart by a millisecond then.
const REMEMBERED: Duration = Duration::from_secs(10);
const PART: Duration = Duration::from_secs(1);
/// When all pictures of so long a time were late, their way has become longer, and is learned anew.
const LONGER: Duration = Duration::from_secs(1);
/// Pictures that wait at most: a second of 120 a second.
const MOST: usize = 128;
/// The same in bytes: a second of 256 Mbit.
const MOST_BYTES: usize = 32 << 20;

/// What is known of a picture that came.
#[derive(Clone, Copy, Debug)]
pub struct Came {
    /// When it was captured, in this machine's clock.
    pub captured: Micros,
    /// The time of capture is a guess from when it came.
    pub is_guess: bool,
    /// All of it was there then.
    pub received: Micros,
    /// Its bytes.
    pub bytes: usize,
}

/// The least way of the last seconds, in microseconds.
#[derive(Debug, Default)]
struct LeastWay {
    /// Of each part of that time, which began then.
    parts: VecDeque<(Micros, u64)>,
}

impl LeastWay {
    fn add(&mut self, way: u64, now: Micros) {
        while self.parts.front().is_some_and(|(began, _)| now.since(*began) > REMEMBERED) {
            self.parts.pop_front();
        }
        match self.parts.back_mut() {
            Some((began, least)) if now.since(*began) < PART => *least = way.min(*least),
            _ => self.parts.push_back((now, way)),
        }
    }

    fn get(&self) -> Option<u64> {
        self.parts.iter().map(|(_, way)| *way).min()
    }
}

/// Pictures that wait until they are due, in the order in which they came.
#[derive(Debug)]
pub struct Smoother<T> {
    delay: Duration,
    ways: LeastWay,
    /// Since when all pictures are late, and the least way of those.
    late: Option<(Micros, u64)>,
    was_guess: Option<bool>,
    waiting: VecDeque<(Came, T)>,
    bytes: usize,
}

impl<T> Smoother<T> {
    /// For this delay.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        let (ways, waiting) = (LeastWay::default(), VecDeque::new());
        Self { delay, ways, late: None, was_guess: None, waiting, bytes: 0 }
    }

    /// Ways are learned anew from the next picture on: it comes another way, or from somebody else.
    pub fn begin_anew(&mut self) {
        self.was_guess = None;
    }

    /// A picture came. Says how many were left out, because there was no room for them.
    pub fn put(&mut self, picture: T, came: Came) -> usize {
        let way = micros(came.received.since(came.captured));
        // The ways of guessed times and of known ones have nothing to do with each other.
        if self.was_guess.replace(came.is_guess) != Some(came.is_guess) {
            (self.ways, self.late) = (LeastWay::default(), None);
        }
        self.learn(way, came.received);
        self.bytes += came.bytes;
        self.waiting.push_back((came, picture));
        let mut left_out = 0;
        while self.waiting.len() > 1 && (self.waiting.len() > MOST || self.bytes > MOST_BYTES) {
            left_out += usize::from(self.pop().is_some());
        }
        left_out
    }

    fn learn(&mut self, way: u64, now: Micros) {
        let is_late = self.ways.get().is_some_and(|least| way > least + micros(self.delay));
        self.late = match self.late.filter(|_| is_late) {
            Some((since, least)) => Some((since, least.min(way))),
            None => is_late.then_some((now, way)),
        };
        if let Some((_, least)) = self.late.take_if(|(since, _)| now.since(*since) >= LONGER) {
            self.ways = LeastWay::default();
            self.ways.add(least, now);
        }
        self.ways.add(way, now);
    }

    fn pop(&mut self) -> Option<T> {
        let (came, picture) = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(came.bytes);
        Some(picture)
    }

    /// When a picture is due, which may become earlier as long as it waits.
    fn due(&self, came: &Came) -> Micros {
        let least = Duration::from_micros(self.ways.get().unwrap_or(0));
        // Never later than this, also where its time of capture is of another clock than the ways.
        let latest = came.received + self.delay;
        (came.captured + least + self.delay).min(latest)
    }

    /// Whether one waits that should have been shown by now: whoever decodes them is behind.
    #[must_use]
    pub fn is_behind(&self, now: Micros) -> bool {
        self.waiting.front().is_some_and(|(next, _)| self.due(next) <= now)
    }

    /// How long one that was [taken](Self::take) is still to wait before it is shown; nothing: it is shown now. To be asked again when
    /// another one comes.
    #[must_use]
    pub fn wait(&self, came: &Came, now: Micros) -> Duration {
        let is_full = self.waiting.len() >= MOST || self.bytes >= MOST_BYTES;
        // Where a clock was set, a later one may be due earlier.
        if is_full || self.is_behind(now) { Duration::ZERO } else { self.due(came).since(now) }
    }

    /// The picture that is to be shown next: the newest one that is due, or the oldest where none is. It is decoded now and shown after
    /// its [wait](Self::wait). And how many older ones were left out.
    pub fn take(&mut self, now: Micros) -> Option<(Came, T, usize)> {
        let left_out = self.waiting.iter().rposition(|(came, _)| self.due(came) <= now).unwrap_or(0);
        (0..left_out).for_each(|_| drop(self.pop()));
        let came = self.waiting.front()?.0;
        self.pop().map(|picture| (came, picture, left_out))
    }
}

#[cfg(test)]
mod tests;
