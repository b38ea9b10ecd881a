//! When pictures were taken that nobody dates: when they arrived, or earlier where they may have waited on their way.
//!
//! A camera behind a network that was cut, a program at the other end of a pipe, or this program itself stands still for
//! some seconds; then pictures come that were taken all that time, in one burst. What comes after a pause is therefore dated
//! as if it had been taken right after the last picture before it, and what follows as far apart as pictures usually are,
//! until the dates have come up to the clock, or some pictures in a row had to be waited for and were as far apart as pictures
//! usually are: then nothing is left on the way. (That they had to be waited for is not enough: what waits behind a slow link,
//! or at a sender with a small window, has to be as well, and comes more quickly than it was taken.)
//! So a picture is rather told to be older than it is than younger. Dating all of them by arrival was rejected: it showed
//! pictures of several seconds' age as live.

use std::time::Duration;

use crate::time::Micros;

/// No pause is shorter.
const PAUSE: Duration = Duration::from_millis(250);
/// A pause is longer than so many times the usual time between pictures.
const LATE: u32 = 3;
/// So many pictures in a row that had to be waited for and came no quicker than usual, and nothing is left on the way.
const WAITED_FOR: u32 = 4;
/// So many pauses in a row are no pauses: pictures come more rarely than they did.
const RHYTHM: u32 = 3;
/// After so long nothing of a pause is left on the way, even if no picture had to be waited for since: they come over a link
/// that is too slow for them.
const LONGEST: Duration = Duration::from_secs(10);

/// Dates the pictures of one connection or pipe.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// When the last picture's first byte came, and what it was dated.
    last: Option<(Micros, Micros)>,
    /// From when on the next picture was waited for.
    ready: Micros,
    /// The mean time between pictures, once there were two.
    apart: Option<Duration>,
    behind: Option<Behind>,
}

/// What came since a pause may have waited on its way.
#[derive(Debug)]
struct Behind {
    pause: Duration,
    since: Micros,
    /// Pictures in a row that had to be waited for, and when the one before them came.
    waited_for: u32,
    from: Micros,
    /// Pauses in a row.
    pauses: u32,
}

impl Arrivals {
    /// A picture is whole whose first byte came at `began`: when it was taken, as far as that is to be known.
    pub(super) fn picture(&mut self, began: Micros, now: Micros) -> Micros {
        let waited = began.since(self.ready);
        self.ready = now;
        let taken = match (self.last, self.apart) {
            (None, _) => began,
            (Some((last, _)), None) => {
                self.apart = Some(began.since(last));
                began
            }
            (Some((last, taken)), Some(apart)) => self.after(last, taken, apart, began, waited),
        };
        self.last = Some((began, taken));
        taken
    }

    fn after(&mut self, last: Micros, taken: Micros, apart: Duration, began: Micros, waited: Duration) -> Micros {
        let gap = began.since(last);
        if gap > PAUSE.max(LATE * apart) {
            let pauses = 1 + self.behind.as_ref().map_or(0, |behind| behind.pauses);
            if pauses == RHYTHM {
                (self.behind, self.apart) = (None, Some(gap));
                return began;
            }
            self.behind = Some(Behind { pause: began.since(taken), since: began, waited_for: 0, from: began, pauses });
        } else if let Some(behind) = &mut self.behind {
            let waits = 10 * waited >= apart;
            (behind.waited_for, behind.from) = if waits { (behind.waited_for + 1, behind.from) } else { (0, began) };
        }
        if let Some(behind) = &self.behind {
            let earliest = (taken + apart).max(began - behind.pause);
            let usual = 10 * began.since(behind.from) >= 9 * behind.waited_for * apart;
            let all_came = usual && behind.waited_for >= WAITED_FOR;
            if !all_came && began.since(behind.since) < LONGEST && earliest < began {
                return earliest;
            }
            self.behind = None;
        } else {
            self.apart = Some((7 * apart + gap) / 8);
        }
        began
    }

    /// The reader did something else than wait for the next picture, up to `now`.
    pub(super) fn ready(&mut self, now: Micros) {
        self.ready = now;
    }

    /// The last picture may have waited on its way.
    pub(super) fn is_behind(&self) -> bool {
        self.behind.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures made 33 ms apart, of which these came at a time of their own: how much younger each is told to be than it is,
    /// and how old, in milliseconds.
    fn told(
        arrivals: &mut Arrivals,
        made: impl IntoIterator<Item = u64>,
        came: impl Fn(u64) -> u64,
    ) -> Vec<(i64, u64)> {
        let at = |ms: u64| Micros(1_000_000 + ms * 1000);
        let tell = |made: u64| {
            let taken = arrivals.picture(at(came(made)), at(came(made)));
            ((taken.0 as i64 - at(made).0 as i64) / 1000, at(came(made)).since(taken).as_millis() as u64)
        };
        made.into_iter().map(tell).collect()
    }

    fn stream(from: u64, to: u64) -> impl Iterator<Item = u64> {
        (from..to).map(|n| n * 33)
    }

    #[test]
    fn what_comes_in_time_is_dated_by_its_arrival_however_it_jitters() {
        let told = told(&mut Arrivals::default(), stream(0, 1000), |made| made + made * 7919 % 90);
        assert!(told.iter().all(|(_, age)| *age == 0), "{:?}", told.iter().position(|(_, age)| *age > 0));
    }

    #[test]
    fn a_burst_after_a_pause_is_never_told_younger_than_it_is_and_what_follows_is_live() {
        for pause in [400, 4000, 9000, 60_000] {
            let mut arrivals = Arrivals::default();
            let (cut, healed) = (3300, 3300 + pause);
            let told =
                told(&mut arrivals, stream(0, 3000), |made| if (cut..healed).contains(&made) { healed } else { made });
            let late = |n: &usize| (cut..healed).contains(&(*n as u64 * 33));
            for n in (0..told.len()).filter(late) {
                assert!((-66..=1).contains(&told[n].0), "pause {pause}, picture {n}: {:?}", told[n]);
            }
            let after = (healed / 33 + 6) as usize;
            assert!(told[after..].iter().all(|(_, age)| *age == 0), "pause {pause}: {:?}", &told[after - 6..after + 9]);
        }
    }

    #[test]
    fn a_backlog_that_drains_slowly_is_never_told_younger_than_it_is() {
        for every in [5, 12, 20, 25, 28] {
            let mut arrivals = Arrivals::default();
            let (cut, healed) = (3300, 3300 + 1800);
            let came = |made: u64| if made < cut { made } else { made.max(healed + (made - cut) / 33 * every) };
            let told = told(&mut arrivals, stream(0, 3000), came);
            let young = told.iter().position(|(younger, _)| *younger > 66);
            assert_eq!(young, None, "every {every} ms: {:?}", young.map(|n| &told[n..n + 3]));
            assert!(told[2900..].iter().all(|(_, age)| *age == 0), "every {every} ms: {:?}", &told[2900..2910]);
        }
    }

    #[test]
    fn pictures_that_were_left_out_while_nothing_could_be_sent_make_none_older_for_long() {
        let mut arrivals = Arrivals::default();
        told(&mut arrivals, stream(0, 100), |made| made);
        // Nothing was kept on the way: four pictures are told older than they are.
        let told = told(&mut arrivals, stream(250, 300), |made| made);
        assert!(told[0].1 > 4900 && told[4..].iter().all(|(_, age)| *age == 0), "{told:?}");
    }

    #[test]
    fn who_comes_ever_more_rarely_is_dated_by_arrival_again() {
        let mut arrivals = Arrivals::default();
        told(&mut arrivals, stream(0, 100), |made| made);
        let told = told(&mut arrivals, (1..9).map(|minute| minute * 60_000), |made| made);
        assert!(told[2..].iter().all(|(_, age)| *age == 0), "{told:?}");
        let mut seldom = Arrivals::default();
        assert!(
            super::tests::told(&mut seldom, (1..9).map(|minute| minute * 60_000), |made| made).iter().all(|t| t.1 == 0)
        );
    }

    #[test]
    fn two_pictures_at_once_every_minute_get_no_older_and_older() {
        let mut arrivals = Arrivals::default();
        let told = told(&mut arrivals, (2..40).map(|n| n / 2 * 60_000), |made| made);
        assert!(told[8..].iter().all(|(_, age)| *age == 0), "{told:?}");
    }

    #[test]
    fn a_link_that_is_too_slow_after_a_pause_makes_no_picture_older_than_the_pause_nor_for_ever() {
        let mut arrivals = Arrivals::default();
        told(&mut arrivals, stream(0, 100), |made| made);
        let at = |ms: u64| Micros(1_000_000 + ms * 1000);
        // Each begins when the one before is whole, 160 ms later.
        let ages = (0..100).map(|n| at(7300 + n * 160).since(arrivals.picture(at(7300 + n * 160), at(7460 + n * 160))));
        let ages: Vec<_> = ages.map(|age| age.as_millis()).collect();
        assert!(ages.iter().all(|age| *age <= 4100) && ages[..60].iter().all(|age| *age > 3900), "{ages:?}");
        assert!(ages[63..].iter().all(|age| *age == 0), "{ages:?}");
    }
}
