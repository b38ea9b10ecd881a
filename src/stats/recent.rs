//! Numbers of the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Quantiles, round};
use crate::time::{Micros, millis};

/// Numbers of the last seconds, for medians and rates.
#[derive(Clone, Debug)]
pub struct Recent {
    span: Duration,
    samples: VecDeque<(Micros, f64)>,
}

/// Most samples that are kept: five seconds at 240 a second, with room to spare.
const MOST_SAMPLES: usize = 2048;

impl Default for Recent {
    fn default() -> Self {
        Self::of(Duration::from_secs(3))
    }
}

impl Recent {
    /// Of the last `span`.
    #[must_use]
    pub fn of(span: Duration) -> Self {
        Self { span, samples: VecDeque::new() }
    }

    /// Notes a number.
    pub fn add(&mut self, now: Micros, value: f64) {
        if self.samples.len() == MOST_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((now, value));
        self.trim(now);
    }

    /// The last number was this one.
    pub fn amend(&mut self, value: f64) {
        if let Some((_, last)) = self.samples.back_mut() {
            *last = value;
        }
    }

    fn trim(&mut self, now: Micros) {
        while self.samples.front().is_some_and(|(at, _)| now.since(*at) > self.span) {
            self.samples.pop_front();
        }
    }

    /// Median and tail.
    pub fn quantiles(&mut self, now: Micros) -> Quantiles {
        self.trim(now);
        let mut values: Vec<f64> = self.samples.iter().map(|(_, v)| *v).collect();
        values.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let index = ((values.len().saturating_sub(1)) as f64 * q).round() as usize;
            values.get(index).map(|v| round(*v))
        };
        Quantiles { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }

    /// Numbers noted a second, from the spacing of those that are there; zero when none came for a while.
    pub fn rate(&mut self, now: Micros) -> f64 {
        self.trim(now);
        let (Some((first, _)), Some((last, _))) = (self.samples.front(), self.samples.back()) else { return 0.0 };
        let count = self.samples.len() as f64;
        let between = last.since(*first).as_secs_f64();
        // The time since the last one counts as soon as it is longer than the usual distance.
        let usual = if count > 1.0 { between / (count - 1.0) } else { self.span.as_secs_f64() };
        let waited = now.since(*last).as_secs_f64();
        let spread = if waited > 1.5 * usual { between + waited } else { between };
        if spread <= 0.0 {
            return 0.0;
        }
        round(if waited > 1.5 * usual { count / spread } else { (count - 1.0) / spread })
    }

    /// The sum of the numbers a second.
    pub fn sum_rate(&mut self, now: Micros) -> f64 {
        self.trim(now);
        let sum: f64 = self.samples.iter().map(|(_, v)| v).sum();
        let Some((first, _)) = self.samples.front() else { return 0.0 };
        round(sum / now.since(*first).as_secs_f64().max(0.25))
    }

    /// The mean distance of neighbours' times from the mean of those distances, in milliseconds: jitter.
    pub fn jitter(&mut self, now: Micros) -> Option<f64> {
        self.trim(now);
        let gaps: Vec<f64> =
            self.samples.iter().zip(self.samples.iter().skip(1)).map(|((a, _), (b, _))| millis(b.since(*a))).collect();
        if gaps.is_empty() {
            return None;
        }
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        Some(round(gaps.iter().map(|g| (g - mean).abs()).sum::<f64>() / gaps.len() as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    #[test]
    fn a_rate_is_right_from_the_second_sample_and_falls_when_nothing_comes() {
        let mut recent = Recent::default();
        for i in 0..10 {
            recent.add(at(i * 100), 1.0);
        }
        assert_eq!(recent.rate(at(920)), 10.0);
        assert!(recent.rate(at(2800)) < 4.0);
        assert_eq!(recent.rate(at(9000)), 0.0);
        assert_eq!(recent.quantiles(at(9000)), Quantiles::default());
    }

    #[test]
    fn quantiles_and_jitter_are_those_of_the_last_seconds() {
        let mut recent = Recent::default();
        recent.add(at(0), 1e9);
        for i in 0..100 {
            recent.add(at(4000 + i * 10), f64::from(u32::try_from(i).unwrap()));
        }
        let q = recent.quantiles(at(5000));
        assert_eq!((q.p50, q.p99, q.max), (Some(50.0), Some(98.0), Some(99.0)));
        assert_eq!(recent.jitter(at(5000)), Some(0.0));
        assert_eq!((Recent::default().quantiles(at(0)).p50, Recent::default().jitter(at(0))), (None, None));
    }

    #[test]
    fn no_number_of_samples_grows_the_memory() {
        let mut recent = Recent::default();
        for _ in 0..10 * MOST_SAMPLES {
            recent.add(at(1), 1.0);
        }
        assert_eq!(recent.samples.len(), MOST_SAMPLES);
    }
}
