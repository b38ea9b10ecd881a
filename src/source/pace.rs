//! When the next picture is due: an absolute schedule, so that nothing drifts.

use std::thread;
use std::time::Duration;

use super::PATIENCE;
use crate::time::{Micros, now};

/// What [`Pace::next`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Now: the picture with this number. A gap in the numbers is pictures whose time went by.
    Now(u64),
    /// In this time.
    In(Duration),
}

/// A schedule of one picture every interval from the first question on. Whoever comes late gets the newest picture that
/// is due and skips those before it, instead of a burst.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Microseconds, not whole: 30 a second is 33 333.3.
    interval: f64,
    start: Option<Micros>,
    next: u64,
}

impl Pace {
    /// `fps` pictures a second, brought into 0.01 to 1000.
    pub(crate) fn new(fps: f64) -> Self {
        let fps = if fps.is_finite() { fps.clamp(0.01, 1000.0) } else { 30.0 };
        Self { interval: 1e6 / fps, start: None, next: 0 }
    }

    /// Whether a picture is due at `now`.
    pub(crate) fn next(&mut self, now: Micros) -> Due {
        let start = *self.start.get_or_insert(now);
        let passed = micros_since(start, now);
        let next_at = self.next as f64 * self.interval;
        if passed < next_at {
            return Due::In(Duration::from_micros((next_at - passed).ceil() as u64));
        }
        let number = ((passed / self.interval) as u64).max(self.next);
        self.next = number + 1;
        Due::Now(number)
    }

    /// Sleeps until a picture is due and gives its number; `None` if none is within [`PATIENCE`].
    pub(crate) fn wait(&mut self) -> Option<u64> {
        let deadline = now() + PATIENCE;
        loop {
            match self.next(now()) {
                Due::Now(number) => return Some(number),
                Due::In(wait) => {
                    let left = deadline.since(now());
                    if left.is_zero() {
                        return None;
                    }
                    thread::sleep(wait.min(left));
                }
            }
        }
    }
}

fn micros_since(start: Micros, now: Micros) -> f64 {
    now.0.saturating_sub(start.0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_at_29_97_has_every_picture_in_its_place() {
        let mut pace = Pace::new(29.97);
        let start = Micros(1_234_567_890);
        let (mut now, mut count) = (start, 0);
        while now.since(start) < Duration::from_secs(3600) {
            match pace.next(now) {
                Due::Now(number) => {
                    assert_eq!(number, count);
                    count += 1;
                }
                Due::In(wait) => now = now + wait,
            }
        }
        assert_eq!(count, 107_892, "29.97 * 3600");
    }

    #[test]
    fn whoever_is_late_skips_and_is_on_time_again() {
        let mut pace = Pace::new(10.0);
        assert_eq!(pace.next(Micros(0)), Due::Now(0));
        assert_eq!(pace.next(Micros(1)), Due::In(Duration::from_micros(99_999)));
        assert_eq!(pace.next(Micros(350_000)), Due::Now(3));
        assert_eq!(pace.next(Micros(350_000)), Due::In(Duration::from_millis(50)));
        assert_eq!(pace.next(Micros(400_000)), Due::Now(4));
    }

    #[test]
    fn no_rate_makes_it_stop_or_run_away() {
        for fps in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let mut pace = Pace::new(fps);
            assert_eq!(pace.next(Micros(5)), Due::Now(0));
            assert!(matches!(pace.next(Micros(5)), Due::In(_)), "{fps}");
        }
    }
}
