//! Whether the hub's times fit those inside the seal: a hub that repeats, delays or holds pictures back may say of each that it
//! is new, but not change what its publisher wrote into it.

use std::time::Duration;

use crate::time::Micros;

/// Times that differ by so little fit: clocks of machines that ask a time server do not differ by more.
const FIT: u64 = 250_000;
/// For so long they must have differed before it is said: the first pictures come before the clocks are compared.
const LASTS: Duration = Duration::from_secs(1);

/// By how much the times differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// The picture is so much older than the hub says.
    Older(Duration),
    /// The picture is so much newer than the hub says.
    Newer(Duration),
}

impl Apart {
    /// In milliseconds; more than 0 where the picture is older than the hub says.
    #[must_use]
    pub fn millis(self) -> f64 {
        match self {
            Self::Older(by) => by.as_secs_f64() * 1e3,
            Self::Newer(by) => by.as_secs_f64() * -1e3,
        }
    }
}

/// Compares the times of the pictures of a live view.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Since when they differ, and by how much.
    apart: Option<(Micros, Apart)>,
    told: bool,
}

impl Times {
    /// A picture opened `now`, that was captured at `outside` by the hub's word and at `inside` by its publisher's, both in
    /// microseconds since 1970. `behind`: as [`Inside::behind`](super::Inside::behind). True: that they differ is news.
    pub fn compare(&mut self, inside: u64, outside: u64, behind: u64, now: Micros) -> bool {
        let differ = outside.abs_diff(inside);
        let apart = match outside >= inside {
            _ if behind > FIT && behind > differ => Apart::Older(Duration::from_micros(behind)),
            _ if differ <= FIT => {
                *self = Self::default();
                return false;
            }
            true => Apart::Older(Duration::from_micros(differ)),
            false => Apart::Newer(Duration::from_micros(differ)),
        };
        self.apart = Some((self.apart.map_or(now, |(since, _)| since), apart));
        let is_news = !self.told && self.apart(now).is_some();
        self.told |= is_news;
        is_news
    }

    /// By how much they differ, once they have for a second.
    #[must_use]
    pub fn apart(&self, now: Micros) -> Option<Apart> {
        self.apart.filter(|(since, _)| now.since(*since) >= LASTS).map(|(_, apart)| apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_795_000_000_000_000;
    const MS: u64 = 1000;

    fn at(ms: u64) -> Micros {
        Micros(5_000_000 + ms * MS)
    }

    #[test]
    fn times_that_do_not_fit_are_told_once_after_a_second_and_no_more_when_they_do() {
        let mut times = Times::default();
        let mut news = 0;
        for ms in (0..3000).step_by(33) {
            // The publisher's clock is 100 ms ahead; after a second the hub repeats what is twelve seconds old.
            let late = if ms < 1000 { 0 } else { 12_000 };
            let inside = WALL + (100 + ms) * MS - late * MS;
            news += u32::from(times.compare(inside, WALL + ms * MS, 0, at(ms)));
            assert_eq!(times.apart(at(ms)).is_some(), ms >= 2023, "{ms}");
        }
        assert_eq!((news, times.apart(at(3000))), (1, Some(Apart::Older(Duration::from_millis(11_900)))));
        assert!(!times.compare(WALL, WALL + 250 * MS, 0, at(3033)));
        assert_eq!(times.apart(at(9000)), None);
    }

    #[test]
    fn the_first_pictures_which_come_before_the_clocks_are_compared_are_no_reason() {
        let mut times = Times::default();
        for ms in (0..900).step_by(100) {
            assert!(!times.compare(WALL, WALL + 400 * MS, 0, at(ms)));
        }
        assert!(!times.compare(WALL, WALL, 0, at(900)));
        assert!(!times.compare(WALL, WALL + 400 * MS, 0, at(1500)), "it begins anew");
    }

    #[test]
    fn pictures_of_a_publisher_from_before_the_one_that_was_seen_are_told() {
        let mut times = Times::default();
        assert!(!times.compare(WALL, WALL, 3_000 * MS, at(0)));
        assert!(times.compare(WALL, WALL, 3_000 * MS, at(1000)));
        assert_eq!(times.apart(at(1000)).map(Apart::millis), Some(3000.0));
        let newer = Times { apart: Some((at(0), Apart::Newer(Duration::from_secs(2)))), told: true };
        assert_eq!(newer.apart(at(1000)).map(Apart::millis), Some(-2000.0));
    }
}
