//! Holding a maximum rate where pictures cannot be made smaller: by sending fewer.

use std::time::Duration;

use crate::time::Micros;

/// Bytes that may be sent ahead, as time at the maximum rate: pictures vary, and one that is half as large again as the last
/// need not be left out for that.
const AHEAD: Duration = Duration::from_millis(250);

/// What was sent of a maximum rate.
///
/// Adaptation fits pictures to the rate ([`super::PacerConfig::target`]), and then this never says no. It binds where
/// pictures are as they are: passed on from a camera, of a fixed quality, or with adaptation off.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateLimiter {
    /// When all that was sent will be within the rate.
    paid: Micros,
}

impl RateLimiter {
    /// When the next picture may be sent; any time before now is now.
    #[must_use]
    pub fn next(&self) -> Micros {
        self.paid - AHEAD
    }

    /// So many bytes are sent; `max_rate` is bits a second, `None` is no limit.
    pub fn spend(&mut self, bytes: usize, max_rate: Option<u64>, now: Micros) {
        let Some(rate) = max_rate.filter(|rate| *rate > 0) else { return };
        // An hour for one picture is as good as never, and no number runs over.
        let seconds = (bytes as f64 * 8.0 / rate as f64).min(3600.0);
        self.paid = self.paid.max(now) + Duration::from_secs_f64(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(bytes: impl Fn(u32) -> usize, max_rate: Option<u64>, seconds: u32) -> (u32, usize) {
        let mut limiter = RateLimiter::default();
        let (mut pictures, mut total) = (0, 0);
        for i in 0..30 * seconds {
            let now = Micros(1_000_000 + u64::from(i) * 33_333);
            if limiter.next() <= now {
                limiter.spend(bytes(i), max_rate, now);
                pictures += 1;
                total += bytes(i);
            }
        }
        (pictures, total)
    }

    #[test]
    fn pictures_that_cannot_be_smaller_become_fewer() {
        let (pictures, bytes) = sent(|_| 60_000, Some(2_000_000), 60);
        assert!((240..=260).contains(&pictures), "{pictures}");
        assert!(bytes as f64 * 8.0 / 60.0 < 2_050_000.0, "{bytes}");
    }

    #[test]
    fn pictures_that_fit_are_all_sent_though_their_size_varies() {
        let (pictures, _) = sent(|i| if i % 10 == 0 { 12_000 } else { 7_000 }, Some(2_000_000), 60);
        assert_eq!(pictures, 1800);
        assert_eq!(sent(|_| 1_000_000, None, 10).0, 300);
    }
}
