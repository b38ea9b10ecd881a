//! Points in time as numbers, and the one place that reads the clock.
//!
//! Every rule in this crate takes `now` as an argument, so that an hour of network is tested in a
//! millisecond. Only the threads of an assembly call [`now`].

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time: microseconds of some monotonic clock. Two values compare only if they are of one clock;
/// [`crate::session::ClockOffset`] translates between the clocks of two machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// The time from `earlier` until `self`; zero when `earlier` is in fact later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Micros {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

impl Sub<Duration> for Micros {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }
}

/// A duration in whole microseconds; half a million years saturate.
#[must_use]
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// A duration in milliseconds, for people and for JSON.
#[must_use]
pub fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// The time now, on this machine's monotonic clock.
///
/// On Unix this is `CLOCK_MONOTONIC` itself and not merely time since start: V4L2 stamps frames with it
/// (<https://docs.kernel.org/userspace-api/media/v4l/buffer.html>), and all processes of a machine share it.
#[cfg(unix)]
#[must_use]
pub fn now() -> Micros {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(t.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(t.tv_nsec).unwrap_or(0);
    Micros(seconds * 1_000_000 + nanos / 1_000)
}

/// The time now, in microseconds since this process first asked.
#[cfg(not(unix))]
#[must_use]
pub fn now() -> Micros {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    // An hour ahead, so that subtracting a span from an early point stays above zero.
    Micros(micros(START.elapsed()) + 3_600_000_000)
}
