//! The last minute of a stream, a sample a second: its age and its rate.

use std::collections::VecDeque;
use std::time::Duration;

use crate::stats::ViewReport;
use crate::time::Micros;

const EVERY: Duration = Duration::from_secs(1);
/// Samples that are kept: a minute.
pub(super) const SAMPLES: usize = 60;

/// One second of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Milliseconds; `None`: there was no picture, or none that anybody knows the age of.
    pub(super) age: Option<f64>,
    pub(super) fps: f64,
}

/// What there was.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
    next: Micros,
}

impl History {
    /// Takes what is told now, where a second has passed.
    pub(super) fn look(&mut self, report: &ViewReport, now: Micros) {
        if now < self.next {
            return;
        }
        // What was missed while the program stood still is a gap, and no second twice.
        let missed = if self.samples.is_empty() { 0 } else { now.since(self.next).as_secs() };
        for _ in 0..missed.min(SAMPLES as u64) {
            self.add(Sample::default());
        }
        self.add(Sample { age: report.age().filter(|age| age.is_finite()), fps: report.fps });
        self.next = now + EVERY;
    }

    fn add(&mut self, sample: Sample) {
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// From the oldest to the newest.
    pub(super) fn samples(&self) -> impl ExactSizeIterator<Item = Sample> {
        self.samples.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fps: f64) -> ViewReport {
        ViewReport { fps, reached_ms: Some(fps), ..ViewReport::default() }
    }

    #[test]
    fn a_minute_is_kept_a_sample_a_second_whatever_is_told_in_between() {
        let mut history = History::default();
        for tenth in 0..700_u32 {
            history.look(&report(f64::from(tenth / 10)), Micros(u64::from(tenth) * 100_000));
        }
        let kept: Vec<f64> = history.samples().map(|sample| sample.fps).collect();
        assert_eq!((kept.len(), kept[0], kept[59]), (SAMPLES, 10.0, 69.0));
    }

    #[test]
    fn a_standstill_is_a_gap() {
        let mut history = History::default();
        history.look(&report(1.0), Micros(0));
        history.look(&report(2.0), Micros(5_000_000));
        let ages: Vec<_> = history.samples().map(|sample| sample.age).collect();
        assert_eq!(ages, [Some(1.0), None, None, None, None, Some(2.0)]);
        history.look(&report(3.0), Micros(u64::MAX / 2));
        assert_eq!(history.samples().len(), SAMPLES);
    }
}
