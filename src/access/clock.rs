//! Whether the clock of this machine is set: machines without a battery begin in 1970, or where a file says, until a network tells
//! them the time. By such a clock a link that has ended would hold again.

use std::fmt;

use jiff::Timestamp;

/// A clock that shows an earlier time, in seconds since 1970, is not set: this was written later (2026-01-01).
const WRITTEN: u64 = 1_767_225_600;
/// Files of other machines and of other time zones may be from later today.
const A_DAY: u64 = 24 * 3600;

/// The earliest time that the clock can show if it is set, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClockCheck {
    earliest: u64,
    /// The file that is from later, as people are told of it, and from when.
    file: Option<(String, u64)>,
}

/// What is to be said of a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClockNews {
    /// It is not set; what it shows, and what it is known by.
    Unset { shows: u64, file: Option<(String, u64)> },
    /// It is set again; what it shows.
    Set(u64),
}

impl ClockCheck {
    /// By the newest file that was kept here before, and when it was written.
    pub(crate) fn after(newest: Option<(String, u64)>) -> Self {
        let file = newest.filter(|(_, at)| at.saturating_sub(A_DAY) > WRITTEN);
        let earliest = file.as_ref().map_or(WRITTEN, |(_, at)| at.saturating_sub(A_DAY));
        Self { earliest, file }
    }

    /// Whether a clock that shows this is set, as far as can be told.
    pub(crate) fn is_set(&self, now: u64) -> bool {
        now >= self.earliest
    }
}

/// Says what is new of the clock, once.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    check: ClockCheck,
    was_set: bool,
}

impl ClockWatch {
    /// A clock that is set is nothing new.
    pub(crate) fn new(check: ClockCheck) -> Self {
        Self { check, was_set: true }
    }

    /// What is to be said of a clock that shows this; to be asked now and then.
    pub(crate) fn look(&mut self, now: u64) -> Option<ClockNews> {
        let is_set = self.check.is_set(now);
        if std::mem::replace(&mut self.was_set, is_set) == is_set {
            return None;
        }
        let file = || self.check.file.clone().filter(|_| now >= WRITTEN);
        Some(if is_set { ClockNews::Set(now) } else { ClockNews::Unset { shows: now, file: file() } })
    }
}

/// A time, as people are told of it.
pub(super) fn day(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "a time that no calendar has".into(), |time| time.strftime("%F %T UTC").to_string())
}

impl fmt::Display for ClockNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shows, file) = match self {
            Self::Set(now) => {
                return write!(f, "the clock of this machine is set, to {}: links that end are taken again", day(*now));
            }
            Self::Unset { shows, file } => (shows, file),
        };
        write!(f, "the clock of this machine is not set: it shows {}", day(*shows))?;
        if let Some((file, at)) = file {
            write!(f, ", and {file} was written at {}", day(*at))?;
        }
        f.write_str(
            ". Until it is set, links that end, or begin at some time, are not taken; secrets are, and links without an end",
        )?;
        match file {
            Some((file, _)) => write!(f, ". If the clock is right and was wrong then: touch {file}, and start anew"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_clock_is_not_set_before_this_was_written_or_a_day_before_what_was_kept() {
        let check = |at: Option<u64>| ClockCheck::after(at.map(|at| ("reached-at".into(), at)));
        for check in [check(None), check(Some(0)), check(Some(WRITTEN))] {
            assert_eq!([0, WRITTEN - 1, WRITTEN, NOW].map(|now| check.is_set(now)), [false, false, true, true]);
        }
        let kept = check(Some(NOW));
        assert_eq!([0, WRITTEN, NOW - A_DAY - 1].map(|now| kept.is_set(now)), [false; 3]);
        assert_eq!(
            [NOW - A_DAY, NOW, NOW + 1].map(|now| kept.is_set(now)),
            [true; 3],
            "it may be of another time zone"
        );
    }

    #[test]
    fn what_follows_from_a_clock_is_said_once_and_again_when_it_is_another() {
        let mut watch = ClockWatch::new(ClockCheck::after(Some(("reached-at".into(), NOW))));
        let said = |watch: &mut ClockWatch, now| watch.look(now).map(|news| news.to_string());
        assert_eq!(said(&mut watch, NOW), None, "a clock that is set is nothing to speak of");
        let unset = said(&mut watch, 7).unwrap();
        assert!(
            unset.contains("not set: it shows 1970-01-01 00:00:07 UTC. Until it is set, links that end"),
            "{unset}"
        );
        assert_eq!((said(&mut watch, 8), said(&mut watch, NOW - 10 * A_DAY)), (None, None));
        let set = said(&mut watch, NOW).unwrap();
        assert!(set.contains("is set, to 2027-01-15 08:00:00 UTC: links that end are taken again"), "{set}");
        assert_eq!(said(&mut watch, NOW + 1), None);
        let back = said(&mut watch, NOW - 10 * A_DAY).unwrap();
        assert!(back.contains("2027-01-05 08:00:00 UTC, and reached-at was written at 2027-01-15"), "{back}");
        assert!(back.ends_with("If the clock is right and was wrong then: touch reached-at, and start anew"), "{back}");
    }
}
