//! How fast a link drains, learned from what arrives while something waits for it.

use std::time::Duration;

use crate::time::{Micros, micros};

/// Busy time that the rate remembers, in microseconds: long enough for some pictures, short enough that a link that fell
/// is known to have fallen within a few of them.
const MEMORY: f64 = 300_000.0;

/// How much faster a link is taken to be for each picture that had arrived before anyone looked.
const PROBE_GAIN: f64 = 1.02;

/// No link is taken to be faster, in bytes a microsecond: 80 Gbit/s.
const FASTEST: f64 = 1e4;

/// How long the best rate of a picture is remembered: once to twice this.
const BEST: Duration = Duration::from_millis(700);

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

/// The delivery rate of one link: bytes that arrived, and how fast, in bytes per microsecond.
#[derive(Debug, Default)]
pub(super) struct DeliveryRate {
    delivered: u64,
    progress: Micros,
    mean: Mean,
    /// The same, since the link is busy without a break.
    run: Mean,
    /// The best rate of a picture that found the link empty, in this span of [`BEST`] and the one before.
    best: [f64; 2],
    turned: Micros,
}

impl DeliveryRate {
    /// Bytes that have arrived since the beginning.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Everything up to byte `upto`, where a picture of `length` ends, arrived just now. The first byte not known to have
    /// arrived was due at `due`; `late` tells whether more is overdue.
    pub(super) fn arrived(&mut self, upto: u64, length: u64, due: Micros, now: Micros, late: bool) {
        // If most of it was there long ago, the rest was held up by a lost segment and tells nothing.
        let news = upto.saturating_sub(self.delivered) * 2 > length;
        if now.since(self.turned) > BEST {
            self.best = [0.0, if now.since(self.turned) > 2 * BEST { 0.0 } else { self.best[0] }];
            self.turned = now;
        }
        if news && self.progress <= due {
            let time = (micros(now.since(due)) as f64).max(50.0);
            self.best[0] = self.best[0].max(upto.saturating_sub(self.delivered) as f64 / time);
        }
        self.add(upto, due, now, late, news);
    }

    /// Everything up to byte `upto` has arrived by now; when, only the kernel knows.
    pub(super) fn seen(&mut self, upto: u64, due: Micros, now: Micros, late: bool) {
        self.add(upto, due, now, late, false);
    }

    /// A picture had arrived before anyone looked.
    pub(super) fn probe(&mut self) {
        self.mean.time = (self.mean.time / PROBE_GAIN).max(self.mean.bytes / FASTEST);
    }

    fn add(&mut self, upto: u64, due: Micros, now: Micros, late: bool, exact: bool) {
        let bytes = upto.saturating_sub(self.delivered) as f64;
        let time = (micros(now.since(self.progress.max(due))) as f64).max(50.0);
        if late || exact {
            // Fast links show little time for each picture, so pictures are forgotten by number too.
            self.mean.add(bytes, time, if exact { 0.9 } else { 1.0 });
        } else if bytes > 0.0 {
            match self.mean.rate() {
                // Seen later than it happened, a rate is a lower bound: it says nothing against a higher mean. But all
                // that was due has arrived, so there may be room beyond it, and only trying shows how much.
                Some(mean) if bytes / time <= mean => {
                    self.probe();
                }
                Some(_) => self.mean.add(bytes, time, 0.9),
                // Nor does it say anything for a link that never was late. Taken for its rate, one picture an interval made
                // every newcomer slow whose picture was smaller than the next.
                None => {}
            }
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

    /// The rate of the last pictures. If something is `overdue`, what is certain of it already: even if the rest of its
    /// picture, so many bytes, arrived this instant.
    pub(super) fn rate(&self, now: Micros, due: Micros, overdue: Option<f64>) -> Option<f64> {
        let mean = self.mean.rate()?;
        let open = micros(now.since(self.progress.max(due))) as f64;
        let Some(rest) = overdue.filter(|_| open > 0.0) else { return Some(mean) };
        let mut certain = self.mean;
        certain.add(rest, open, 1.0);
        Some(mean.min(certain.bytes / certain.time))
    }

    /// The rate of the picture that crossed fastest in the last second: what varies from picture to picture (jitter, a
    /// viewer that looked late) is not in it. 0 where nobody told.
    pub(super) fn best_rate(&self) -> f64 {
        self.best[0].max(self.best[1])
    }

    /// The rate to plan the next picture with: no more than what the link shows since it is busy without a break.
    pub(super) fn cautious_rate(&self, now: Micros, due: Micros, overdue: Option<f64>) -> Option<f64> {
        let rate = self.rate(now, due, overdue)?;
        let run = if self.run.time > 0.0 { (self.run.bytes + super::window::GRACE) / self.run.time } else { rate };
        Some(rate.min(run).max(1e-6))
    }
}
