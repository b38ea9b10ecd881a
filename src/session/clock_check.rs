//! What pictures tell of the clock that they are stamped with.

use std::time::Duration;

use super::clock::{STEP, signed};
use crate::time::Micros;

/// How long pictures are looked at together.
const STRETCH: Duration = Duration::from_millis(250);
/// The quickest picture of a stretch took longer, or less long, than that of the one before by more than this: worth a
/// ping, which tells why.
const SHIFT: i64 = 3_000;
/// How often that may be worth one.
const SHIFTS_EVERY: Duration = Duration::from_secs(1);
/// So many pictures that follow each other and took equally long, and longer than those before, were not held up: what
/// waits for a segment that was lost comes all at once.
const STEADY: usize = 3;
/// How often a doubt is asked about, as long as nobody answers.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long it is remembered how slow pictures were: between this and twice as long.
const REMEMBER: Duration = Duration::from_secs(10);

/// Watches pictures for a sign that the other clock was set, or stood still while its machine slept.
///
/// A picture tells in the other clock when it was sent. If it seems to have taken less time than any can, or more than
/// others of late, by more than the clock may be off anyway, then path or clock is another than before, and a ping tells
/// which. Until that is answered, the clock is in doubt.
#[derive(Debug, Default)]
pub(super) struct ClockCheck {
    /// How long pictures took, from the least to the most, that came while the clock was right.
    usual: Option<(i64, i64)>,
    /// The most of them in the time before, and when that time ended.
    slow_before: i64,
    turned: Micros,
    /// How long those took that came since the last answer.
    seen: Option<(i64, i64)>,
    /// The least of this stretch, that of the one that was asked about last, and when this one began.
    least: Option<i64>,
    reference: Option<i64>,
    stretch: Micros,
    /// The least of this second and of the one before, and when this one began.
    floor: Option<(i64, i64)>,
    second: Micros,
    /// How long the last picture took, and how many before it as long.
    last: i64,
    steady: usize,
    /// Since when the clock is in doubt.
    doubt: Option<Micros>,
    /// One answer since then was as quick as the best on one way.
    half_confirmed: bool,
    wants_ping: bool,
    asked: Micros,
    asked_for_shift: Micros,
}

impl ClockCheck {
    /// A picture came that was sent so many microseconds ago, by a clock that may be off by `error`.
    pub(super) fn picture(&mut self, took: i64, error: i64, now: Micros) {
        let wider = |range: Option<(i64, i64)>| range.map_or((took, took), |(a, b)| (a.min(took), b.max(took)));
        if self.seen.replace(wider(self.seen)).is_none() && self.usual.is_none() {
            self.stretch = now;
        }
        // Half of the way there and back is what a picture takes at least, if the clock is right.
        let (quick, slow) = *self.usual.get_or_insert((error, error));
        let slow = slow.max(self.slow_before);
        let margin = error.max(STEP);
        let floor = self.floor(took, now);
        self.steady = if took.abs_diff(self.last) <= SHIFT.cast_unsigned() { self.steady + 1 } else { 1 };
        self.last = took;
        let is_steady = self.steady == STEADY && took > floor.saturating_add(margin);
        if took < quick.saturating_sub(STEP) || took > slow.saturating_add(margin) || is_steady {
            self.doubt.get_or_insert(now);
        }
        if self.doubt.is_some() && now.since(self.asked) >= ASK_EVERY {
            (self.asked, self.wants_ping) = (now, true);
        }
        self.least = Some(self.least.map_or(took, |least| least.min(took)));
        if now.since(self.stretch) >= STRETCH {
            self.stretch = now;
            self.shifted(now);
        }
    }

    /// The quickest picture of the last one or two seconds.
    fn floor(&mut self, took: i64, now: Micros) -> i64 {
        let (mut floor, mut before) = self.floor.unwrap_or((took, took));
        if now.since(self.second) >= SHIFTS_EVERY {
            (self.second, before, floor) = (now, floor, took);
        }
        floor = floor.min(took);
        self.floor = Some((floor, before));
        floor.min(before)
    }

    /// A stretch is over.
    fn shifted(&mut self, now: Micros) {
        let least = self.least.take();
        let Some(before) = self.reference else {
            self.reference = least;
            return;
        };
        let shifted = least.is_some_and(|least| signed(least.abs_diff(before)) > SHIFT);
        if shifted && now.since(self.asked_for_shift) >= SHIFTS_EVERY {
            (self.asked_for_shift, self.wants_ping) = (now, true);
            self.reference = least;
        }
    }

    /// A ping that left at `sent` was answered, and says that the clock is as it was known.
    pub(super) fn confirmed(&mut self, sent: Micros, now: Micros) {
        if self.doubt.is_some_and(|since| sent < since) {
            return;
        }
        (self.doubt, self.half_confirmed) = (None, false);
        if let (Some((least, most)), Some((quick, slow))) = (self.seen.take(), &mut self.usual) {
            (*quick, *slow) = (least.min(*quick), most.max(*slow));
        }
        if now.since(self.turned) >= REMEMBER
            && let Some((quick, slow)) = &mut self.usual
        {
            (self.turned, self.slow_before) = (now, std::mem::replace(slow, *quick));
        }
    }

    /// Such a ping was answered by what was held up on one way: one more must say the same. After a step, both would have to
    /// be held up by just as much.
    pub(super) fn confirmed_one_way(&mut self, sent: Micros, now: Micros) {
        if self.doubt.is_none_or(|since| sent >= since) {
            if self.doubt.is_none() || self.half_confirmed {
                self.confirmed(sent, now);
            } else {
                self.half_confirmed = true;
            }
        }
    }

    /// What is said of the clock is an estimate.
    pub(super) fn doubts(&self) -> bool {
        self.doubt.is_some()
    }

    /// Whether a ping is wanted at once; says so once.
    pub(super) fn wants_ping(&mut self) -> bool {
        std::mem::take(&mut self.wants_ping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Micros = Micros(1_000_000_000);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Pictures 33 ms apart that took so long; gives when pings were wanted, and whether there was doubt at the end.
    fn pictures(watch: &mut ClockCheck, from: u64, took: impl Iterator<Item = i64>) -> (Vec<u64>, bool) {
        let mut wanted = Vec::new();
        for (at, took) in (from..).step_by(33).zip(took) {
            watch.picture(took, 20_000, START + ms(at));
            if watch.wants_ping() {
                wanted.push(at);
            }
        }
        (wanted, watch.doubts())
    }

    #[test]
    fn pictures_that_come_as_always_want_nothing() {
        let mut watch = ClockCheck::default();
        let jitter = (0..900).map(|n| 20_100 + 9_000 * i64::from(n % 3 == 0));
        assert_eq!(pictures(&mut watch, 0, jitter), (vec![], false));
    }

    #[test]
    fn a_picture_that_came_too_soon_or_far_too_late_is_doubted_at_once_until_a_ping_confirms_it() {
        for took in [-5_000_000, 0, 15_000, 5_000_000] {
            let mut watch = ClockCheck::default();
            pictures(&mut watch, 0, std::iter::repeat_n(20_100, 30));
            let (wanted, doubts) = pictures(&mut watch, 1000, std::iter::repeat_n(took, 10));
            assert!(doubts && wanted.first() == Some(&1000) && wanted.len() <= 3, "{took}: {wanted:?}");
            // An answer to what was asked before tells nothing.
            watch.confirmed(START + ms(900), START + ms(1400));
            assert!(watch.doubts());
            watch.confirmed(START + ms(1001), START + ms(1401));
            // The path is like that now, for as long as it is.
            assert!(!pictures(&mut watch, 1450, std::iter::repeat_n(took, 100)).1, "{took}");
        }
    }

    #[test]
    fn a_small_shift_is_asked_about_within_half_a_second_without_doubt() {
        let mut watch = ClockCheck::default();
        pictures(&mut watch, 0, std::iter::repeat_n(20_100, 60));
        let (wanted, doubts) = pictures(&mut watch, 2000, std::iter::repeat_n(28_000, 60));
        assert!(wanted.len() == 1 && wanted[0] <= 2500 && !doubts, "{wanted:?}");
    }

    #[test]
    fn a_path_that_is_never_the_same_costs_three_pings_a_second_at_most() {
        let mut watch = ClockCheck::default();
        let mut wanted = 0;
        for n in 0..300u64 {
            let took = 20_000 + 6_000 * (n / 9 % 11).cast_signed();
            let (pings, _) = pictures(&mut watch, 33 * n, std::iter::once(took));
            wanted += pings.len();
            pings.iter().for_each(|at| watch.confirmed(START + ms(*at), START + ms(at + 20)));
        }
        assert!(wanted <= 30, "{wanted}");
    }

    #[test]
    fn pictures_that_wait_for_one_another_are_not_doubted_and_those_that_all_took_longer_are() {
        let path = |watch: &mut ClockCheck| {
            for n in 0..10 {
                // Nine of a lost segment's time, which come at once, and nine that did not wait.
                let held = (0..18).map(|at| 20_100 + (280_000 - 33_000 * at).max(0));
                assert!(!pictures(watch, 594 * n, held).1 || n == 0, "{n}");
                watch.confirmed(START + ms(594 * (n + 1)), START + ms(594 * (n + 1)));
            }
        };
        let mut watch = ClockCheck::default();
        path(&mut watch);
        let (wanted, doubts) = pictures(&mut watch, 6000, std::iter::repeat_n(160_000, 3));
        assert!(doubts && wanted == [6066], "{wanted:?}");
    }
}
