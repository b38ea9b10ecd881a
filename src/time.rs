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

/// A point in time as people write it, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The year, four digits for another eight thousand years.
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
    /// 1 to 31.
    pub day: u64,
    /// 0 to 23.
    pub hour: u64,
    /// 0 to 59.
    pub minute: u64,
    /// 0 to 59.
    pub second: u64,
    /// 0 to 999.
    pub milli: u32,
}

impl Calendar {
    /// The date and time so long after the beginning of 1970, by Howard Hinnant's "civil from days"
    /// (<https://howardhinnant.github.io/date_algorithms.html>): years begin in March, so that leap days come last.
    #[must_use]
    pub fn of(since_1970: Duration) -> Self {
        let (days, second) = (since_1970.as_secs() / 86_400, since_1970.as_secs() % 86_400);
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let of_era = shifted % 146_097;
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: of_year - (153 * march_month + 2) / 5 + 1,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            milli: since_1970.subsec_millis(),
        }
    }
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
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, (1970, 1, 1, 0, 0, 0)),
            (951_782_400, (2000, 2, 29, 0, 0, 0)),
            (1_795_253_632, (2026, 11, 21, 9, 33, 52)),
            (4_107_542_399, (2100, 2, 28, 23, 59, 59)),
            (4_107_542_400, (2100, 3, 1, 0, 0, 0)),
        ] {
            let c = Calendar::of(Duration::from_secs(seconds));
            assert_eq!((c.year, c.month, c.day, c.hour, c.minute, c.second), date);
        }
        assert_eq!(Calendar::of(Duration::from_millis(1007)).milli, 7);
    }
}
