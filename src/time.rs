//! Points in time as numbers, and the one place that reads the clock.
//!
//! Every rule in this crate takes `now` as an argument, so that an hour of network is tested in a
//! millisecond. Only the threads of an assembly call [`now`].

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time: microseconds of this machine's clock, which runs on while it sleeps, since its start. What other machines
/// tell is translated before it becomes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

/// A point in time in the clock of another machine, as it was told: microseconds since that clock's own beginning. Nothing
/// can be compared with it before [`crate::session::ClockOffset`] has translated it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerMicros(pub u64);

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

/// Notices that this program, or its machine, was stopped. Whoever stood still has not heard yet what came meanwhile, and
/// blames nobody for a silence that was its own.
#[derive(Debug, Default)]
pub struct Standstill {
    looked: Option<Micros>,
    /// When the last one ended, and how long it was.
    last: Option<(Micros, Duration)>,
}

impl Standstill {
    /// What is looked at less often than this is taken to have stood still: longer than a busy machine keeps a thread waiting.
    pub const LEAST: Duration = Duration::from_secs(1);
    /// What came meanwhile is heard so long after it: a broken connection is made anew in a quarter of that.
    const HEARD: Duration = Duration::from_secs(1);

    /// To be called more than once a second. Says how long this program stood still, if it goes on only now.
    pub fn look(&mut self, now: Micros) -> Option<Duration> {
        let looked = self.looked.replace(now)?;
        let lasted = Some(now.since(looked)).filter(|span| *span > Self::LEAST)?;
        self.ended(now, lasted);
        Some(lasted)
    }

    /// One of this length ended now, as was noticed elsewhere.
    pub fn ended(&mut self, now: Micros, lasted: Duration) {
        self.last = Some((now, lasted));
    }

    /// How long it stood still, if that was only just.
    #[must_use]
    pub fn just_ended(&self, now: Micros) -> Option<Duration> {
        self.last.filter(|(ended, _)| now.since(*ended) <= Self::HEARD).map(|(_, lasted)| lasted)
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

/// A point in time for people, in UTC, so long after the beginning of 1970. A time that no calendar has is that beginning.
#[must_use]
pub fn calendar(since_1970: Duration) -> jiff::Timestamp {
    let millis = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// The time now, on a clock of this machine that never goes back and runs on while the machine sleeps: after a sleep the
/// picture on a screen is as old as it is, a connection has been silent for as long as it has, and what is known of another
/// machine's clock still holds. All processes of a machine share it.
///
/// On Linux this is `CLOCK_BOOTTIME`, as cheap to read as `CLOCK_MONOTONIC`, which stands still in a sleep and is otherwise the
/// same; on other Unix systems `CLOCK_MONOTONIC`.
#[cfg(unix)]
#[must_use]
pub fn now() -> Micros {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return read(rustix::time::ClockId::Boottime);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    read(rustix::time::ClockId::Monotonic)
}

/// A time of `CLOCK_MONOTONIC`, as V4L2 stamps frames with it
/// (<https://docs.kernel.org/userspace-api/media/v4l/buffer.html>), on the clock of [`now`]. A time from before the last sleep
/// is told later by that sleep.
#[cfg(unix)]
#[must_use]
pub fn of_monotonic(stamp: Micros) -> Micros {
    // Whatever passes between the two readings makes the time earlier, and a picture older.
    let monotonic = read(rustix::time::ClockId::Monotonic);
    on_clock(stamp, monotonic, now())
}

/// A time of a clock that stands still now and then, which says `theirs` when ours says `ours`.
#[cfg(unix)]
fn on_clock(stamp: Micros, theirs: Micros, ours: Micros) -> Micros {
    if stamp > theirs { ours + stamp.since(theirs) } else { ours - theirs.since(stamp) }
}

#[cfg(unix)]
fn read(clock: rustix::time::ClockId) -> Micros {
    let t = rustix::time::clock_gettime(clock);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_time_of_a_clock_that_stood_still_is_as_long_ago_on_ours() {
        let (hour, second) = (3_600_000_000, 1_000_000);
        // The other slept for an hour, or not at all; a stamp may be a little ahead.
        for slept in [0, hour] {
            let (theirs, ours) = (Micros(9 * hour), Micros(9 * hour + slept));
            assert_eq!(on_clock(Micros(9 * hour - 33_000), theirs, ours), Micros(ours.0 - 33_000));
            assert_eq!(on_clock(Micros(9 * hour + second), theirs, ours), Micros(ours.0 + second));
        }
        assert_eq!(on_clock(Micros(0), Micros(hour), Micros(second)), Micros(0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_monotonic_time_is_told_on_the_clock_of_now() {
        let before = now();
        let told = of_monotonic(read(rustix::time::ClockId::Monotonic));
        // Something may come between two readings of clocks, and only makes it earlier.
        assert!(told <= now() && before.since(told) < Duration::from_secs(60), "{before:?} {told:?}");
    }

    #[test]
    fn no_time_is_beyond_the_calendar() {
        assert_eq!(calendar(Duration::from_millis(951_782_400_007)).to_string(), "2000-02-29T00:00:00.007Z");
        assert_eq!(calendar(Duration::MAX), calendar(Duration::ZERO));
    }
}
