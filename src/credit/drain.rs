//! How fast a link drains, learned from what arrives while something waits for it.

use crate::time::{Micros, micros};

/// Busy time that the rate remembers, in microseconds: long enough for some pictures, short enough that a link that fell
/// is known to have fallen within a few of them.
const MEMORY: f64 = 200_000.0;

/// A mean over bytes and the time they took: the rate of a link that was busy all that time.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    bytes: f64,
    time: f64,
}

impl Mean {
    fn add(&mut self, bytes: f64, time: f64, weight: f64) {
        let keep = weight * (-time / MEMORY).exp();
        self.bytes = self.bytes * keep + bytes;
        self.time = self.time * keep + time;
    }

    fn rate(&self) -> Option<f64> {
        (self.time > 0.0).then(|| self.bytes / self.time)
    }
}

/// The drain of one link: bytes that arrived, and how fast, in bytes per microsecond.
#[derive(Debug, Default)]
pub(super) struct Drain {
    delivered: u64,
    progress: Micros,
    mean: Mean,
    /// The same, since the link is busy without a break.
    run: Mean,
}

impl Drain {
    /// Bytes that have arrived since the beginning.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Everything up to byte `upto` arrived, just now. The first byte not known to have arrived was due at `due`; `late`
    /// tells whether more is overdue.
    pub(super) fn arrived(&mut self, upto: u64, due: Micros, now: Micros, late: bool) {
        self.add(upto, due, now, late, true);
    }

    /// Everything up to byte `upto` has arrived by now; when, only the kernel knows.
    pub(super) fn seen(&mut self, upto: u64, due: Micros, now: Micros, late: bool) {
        self.add(upto, due, now, late, false);
    }

    fn add(&mut self, upto: u64, due: Micros, now: Micros, late: bool, exact: bool) {
        let bytes = upto.saturating_sub(self.delivered) as f64;
        let time = (micros(now.since(self.progress.max(due))) as f64).max(50.0);
        if late || exact {
            // Fast links show little time for each picture, so pictures are forgotten by number too.
            self.mean.add(bytes, time, if exact { 0.8 } else { 1.0 });
        } else if bytes > 0.0 && self.mean.rate().is_none_or(|mean| bytes / time > mean) {
            // Seen later than it happened, a rate is a lower bound: it may raise the mean but says nothing against it.
            self.mean.add(bytes, time, 0.8);
        }
        if late {
            self.run.add(bytes, time, 1.0);
        } else {
            self.run = Mean::default();
        }
        if bytes > 0.0 || late {
            self.delivered = self.delivered.max(upto);
            self.progress = now;
        }
    }

    /// The rate of the last pictures; of the one that is overdue, what is certain already.
    pub(super) fn rate(&self, now: Micros, due: Micros, remaining: Option<f64>) -> Option<f64> {
        let mean = self.mean.rate()?;
        let open = micros(now.since(self.progress.max(due))) as f64;
        Some(match remaining {
            // Even if the rest of it arrived this instant.
            Some(rest) if open > 0.0 => mean.min((self.mean.bytes + rest) / (self.mean.time + open)),
            _ => mean,
        })
    }

    /// The rate to plan the next picture with: no more than what the link shows since it is busy without a break.
    pub(super) fn cautious_rate(&self, now: Micros, due: Micros, remaining: Option<f64>) -> Option<f64> {
        let rate = self.rate(now, due, remaining)?;
        let run = if self.run.time > 0.0 { (self.run.bytes + super::GRACE) / self.run.time } else { rate };
        Some(rate.min(run).max(1e-6))
    }
}
