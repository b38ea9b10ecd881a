//! When samples were captured, by a device's own count of them and the times at which it told how far it was.

use crate::time::Micros;

/// A device that is further off than this has lost samples, or was stopped.
const STEP: f64 = 40_000.0;
/// How much of a difference is believed at once: what tells the time is jittery, and the device's clock is not.
const BELIEVED: f64 = 0.05;

/// A straight line through what a device tells.
#[derive(Clone, Debug)]
pub struct CaptureClock {
    /// Samples a second.
    rate: u32,
    /// The count, and the time in microseconds at which that sample was captured.
    known: Option<(u64, f64)>,
}

impl CaptureClock {
    /// Of a device with so many samples a second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self { rate: rate.max(1), known: None }
    }

    /// So many samples had been captured at this time, as the device tells.
    pub fn told(&mut self, count: u64, at: Micros) {
        let told = at.0 as f64;
        let line = self.known.map(|known| self.on_line(known, count));
        let at = match line {
            Some(line) if (told - line).abs() < STEP => line + (told - line) * BELIEVED,
            _ => told,
        };
        self.known = Some((count, at));
    }

    /// When this sample was captured, if anything is known.
    #[must_use]
    pub fn time_of(&self, count: u64) -> Option<Micros> {
        self.known.map(|known| Micros(self.on_line(known, count).max(0.0) as u64))
    }

    fn on_line(&self, (known, at): (u64, f64), count: u64) -> f64 {
        at + (count as f64 - known as f64) * 1e6 / f64::from(self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_even_where_those_that_are_told_are_not() {
        let mut clock = CaptureClock::new(48_000);
        assert_eq!(clock.time_of(0), None);
        let mut worst = 0.0f64;
        for n in 0..3000u64 {
            // A device that is 200 ppm fast, and a system that tells of it up to 4 ms late.
            let count = n * 480;
            let truth = 5e6 + count as f64 / 48_000.0 / 1.0002 * 1e6;
            clock.told(count, Micros((truth + (n * 7 % 5) as f64 * 1000.0) as u64));
            if n > 200 {
                worst = worst.max((clock.time_of(count).unwrap().0 as f64 - truth - 2000.0).abs());
            }
        }
        assert!(worst < 500.0, "{worst} µs");
    }

    #[test]
    fn what_was_lost_in_between_is_seen_at_once() {
        let mut clock = CaptureClock::new(48_000);
        clock.told(0, Micros(1_000_000));
        clock.told(480, Micros(1_500_000));
        assert_eq!(clock.time_of(480), Some(Micros(1_500_000)));
        assert_eq!(clock.time_of(960), Some(Micros(1_510_000)));
        assert_eq!(clock.time_of(0), Some(Micros(1_490_000)));
    }
}
