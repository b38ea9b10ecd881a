//! Numbers that people type, within the bounds in which they make sense.

use std::ops::RangeInclusive;
#[cfg(feature = "view")]
use std::time::Duration;

/// One for each of something: 0 would let nobody in.
pub(super) fn count(text: &str) -> Result<usize, String> {
    within(text, 1..=1_000_000, "a number")
}

/// The same, where none is a meaning of its own.
pub(super) fn count_or_none(text: &str) -> Result<usize, String> {
    within(text, 0..=1_000_000, "a number")
}

/// KiB of one picture: up to 1 GiB.
pub(super) fn kib(text: &str) -> Result<usize, String> {
    within(text, 1..=1 << 20, "KiB")
}

/// MiB of memory: up to 1 TiB.
pub(super) fn mib(text: &str) -> Result<usize, String> {
    within(text, 1..=1 << 20, "MiB")
}

/// Whole seconds, up to a day.
pub(super) fn whole_seconds(text: &str) -> Result<u64, String> {
    within(text, 1..=86_400, "seconds").map(|seconds| seconds as u64)
}

/// Pictures, one at least.
#[cfg(feature = "view")]
pub(super) fn pictures(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|n| *n > 0);
    number.ok_or_else(|| "write a number of pictures from 1".into())
}

/// How long pictures are held back for even motion, in milliseconds.
#[cfg(feature = "view")]
pub(super) fn delay(text: &str) -> Result<Duration, String> {
    within(text, 1..=1000, "milliseconds").map(|ms| Duration::from_millis(ms as u64))
}

fn within(text: &str, range: RangeInclusive<usize>, what: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| range.contains(n));
    number.ok_or_else(|| format!("write {what} from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_let_nobody_in_is_refused_with_what_is_right() {
        assert_eq!((count("1"), count_or_none("0"), whole_seconds("10")), (Ok(1), Ok(0), Ok(10)));
        for said in [count("0"), count("-1"), count("many"), count("99999999999999999999999"), kib("0"), mib("")] {
            assert!(said.unwrap_err().contains("from 1 to "));
        }
        assert!(whole_seconds("0").is_err() && whole_seconds("86401").is_err());
    }
}
