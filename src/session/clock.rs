//! What another machine's clock says, how far off that may be, and whether it still holds.

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::time::{Micros, micros};

/// Answers that are kept for each of the two ways, the quickest ones.
const KEPT: usize = 8;
/// Answers older than this are forgotten: the path may be another by now.
const LASTS: Duration = Duration::from_secs(60);
/// How fast two clocks part at most, in millionths. Crystals are within 20 of the truth, and NTP slews by up to 500 for
/// a short while only.
const DRIFT: i64 = 50;
/// What rounding makes of a time on its way.
const GRAIN: i64 = 200;
/// Delays that differ by less are the same: the path without queues and without loss.
const NEAR: i64 = 3_000;
/// So many answers must agree on the shortest delay of each way.
const AGREE: usize = 3;
/// A clock that is known as well as this, whatever the path, is known.
const PROVEN: i64 = 2_000;
/// What all have agreed on was wrong if one answer alone betters it by so much.
const STEP: i64 = 4_000;

/// How far another machine's clock is ahead of ours.
///
/// A ping that left at `sent` was answered at `theirs` and came back at `received`. Whatever the path, their clock is
/// ahead by `theirs - received` at least and by `theirs - sent` at most. The best of all answers' bounds are kept, each of
/// the two on its own: a segment that was lost delays one way of one answer, and the other way still tells. Truth lies
/// between them; on a path that takes as long there as back, it lies in the middle as soon as one ping each way met no
/// queue and no loss. That is believed when three answers agree. (NTP's filter, RFC 5905 section 10, takes the middle of the
/// quickest answer, which under loss is wrong by half of a retransmission for as long as all have met one.)
///
/// An answer that cannot be true beside the others means that a clock was set or stood still: all is forgotten but it.
#[derive(Debug, Default)]
pub struct ClockOffset {
    /// Their clock is ahead by at most the least of these.
    there: Leg,
    /// Their clock is behind by at most the least of these.
    back: Leg,
    known: Option<Known>,
}

/// What all answers together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    /// How far their clock is ahead.
    offset: i64,
    /// Half of the way there and back: how far off that may be, whatever the path.
    error: i64,
    /// The error when answers last agreed, or it was small enough without: what is believed since then.
    agreed: Option<i64>,
}

/// One way of a path: the shortest delays on it, each with what the clocks' difference adds, and when it was seen.
#[derive(Debug, Default)]
struct Leg(ArrayVec<(i64, Micros), KEPT>);

impl Leg {
    fn add(&mut self, delay: i64, now: Micros) {
        self.0.retain(|(_, at)| now.since(*at) <= LASTS);
        if self.0.is_full()
            && let Some(worst) = (0..self.0.len()).max_by_key(|at| widened(self.0[*at], now))
        {
            self.0.remove(worst);
        }
        self.0.push((delay, now));
    }

    fn best(&self, now: Micros) -> Option<i64> {
        self.0.iter().map(|seen| widened(*seen, now)).min()
    }

    fn agrees(&self, now: Micros) -> bool {
        let Some(best) = self.best(now) else { return false };
        self.0.iter().filter(|seen| widened(**seen, now) <= best.saturating_add(NEAR)).count() >= AGREE
    }
}

/// A bound, with what the clocks may have parted since.
fn widened((delay, at): (i64, Micros), now: Micros) -> i64 {
    let parted = signed(micros(now.since(at))).saturating_mul(DRIFT) / 1_000_000;
    delay.saturating_add(parted)
}

fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

impl ClockOffset {
    /// Notes an answer: the ping left at `sent`, the other clock said `theirs`, the answer came at `received`. Says whether
    /// it contradicts what was known, so that all begins anew with it.
    pub fn answer(&mut self, sent: Micros, theirs: Micros, received: Micros) -> bool {
        let most = theirs.0.wrapping_sub(sent.0).cast_signed();
        let least = theirs.0.wrapping_sub(received.0).cast_signed();
        if received < sent || least > most || least == i64::MIN {
            return false;
        }
        let steps = self.is_contradicted(most, -least, received);
        if steps {
            *self = Self::default();
        }
        self.there.add(most, received);
        self.back.add(-least, received);
        self.known = self.settle(received);
        steps
    }

    /// Whether an answer cannot be true beside the others, or betters what they agree on by too much to be true.
    fn is_contradicted(&self, there: i64, back: i64, now: Micros) -> bool {
        let (Some(best_there), Some(best_back)) = (self.there.best(now), self.back.best(now)) else { return false };
        let is_possible = |a: i64, b: i64| a.saturating_add(b) >= -GRAIN;
        let agreed = self.is_sure();
        let betters = there < best_there.saturating_sub(STEP) || back < best_back.saturating_sub(STEP);
        !is_possible(there, best_back) || !is_possible(best_there, back) || agreed && betters
    }

    fn settle(&self, now: Micros) -> Option<Known> {
        let (there, back) = (self.there.best(now)?, self.back.best(now)?);
        let error = (there.saturating_add(back) / 2).max(0);
        let agrees = error <= PROVEN || self.there.agrees(now) && self.back.agrees(now);
        // What was agreed on holds while answers come that are not as quick as those that agreed.
        let still = || self.known?.agreed.filter(|agreed| error <= agreed.saturating_add(STEP));
        let agreed = if agrees { Some(error) } else { still() };
        Some(Known { offset: there.saturating_sub(error), error, agreed })
    }

    /// Their point in time on our clock; `None` before the first answer.
    #[must_use]
    pub fn to_ours(&self, theirs: Micros) -> Option<Micros> {
        self.known.map(|known| Micros(theirs.0.wrapping_sub(known.offset.cast_unsigned())))
    }

    /// Whether the offset is more than an estimate: right to 2 ms on any path, or on one that takes as long there as
    /// back.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.known.is_some_and(|known| known.agreed.is_some())
    }

    /// How far off the offset may be, whatever the path; `None` before the first answer.
    #[must_use]
    pub fn error(&self) -> Option<Duration> {
        self.known.map(|known| Duration::from_micros(known.error.cast_unsigned()))
    }
}

/// How long pictures are looked at together.
const STRETCH: Duration = Duration::from_millis(250);
/// The quickest picture of a stretch took longer, or less long, than that of the one before by more than this: worth a
/// ping, which tells why.
const SHIFT: i64 = 3_000;
/// How often that may be worth one.
const SHIFTS_EVERY: Duration = Duration::from_secs(1);
/// A picture that took longer than all of late by so much was held up, or its clock was set.
const LATE: i64 = 100_000;
/// How often a doubt is asked about, as long as nobody answers.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long it is remembered how slow pictures were: between this and twice as long.
const REMEMBER: Duration = Duration::from_secs(10);

/// Watches pictures for a sign that the other clock was set, or stood still while its machine slept.
///
/// A picture tells in the other clock when it was sent. If it seems to have taken less time than any can, or far more than
/// others of late, then path or clock is another than before, and a ping tells which. Until that is answered, the clock
/// is in doubt.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// How long pictures took, from the least to the most, that came while the clock was right.
    usual: Option<(i64, i64)>,
    /// The most of them in the time before, and when that time ended.
    slow_before: i64,
    turned: Micros,
    /// How long those took that came since the last answer.
    seen: Option<(i64, i64)>,
    /// The least of this stretch and of the one before, and when this one began.
    least: Option<i64>,
    least_before: Option<i64>,
    stretch: Micros,
    /// Since when the clock is in doubt.
    doubt: Option<Micros>,
    wants_ping: bool,
    asked: Micros,
    asked_for_shift: Micros,
}

impl Watch {
    /// A picture came that was sent so many microseconds ago, by a clock that may be off by `error`.
    pub(super) fn picture(&mut self, took: i64, error: i64, now: Micros) {
        let wider = |range: Option<(i64, i64)>| range.map_or((took, took), |(a, b)| (a.min(took), b.max(took)));
        if self.seen.replace(wider(self.seen)).is_none() && self.usual.is_none() {
            self.stretch = now;
        }
        // Half of the way there and back is what a picture takes at least, if the clock is right.
        let (quick, slow) = *self.usual.get_or_insert((error, error));
        let slow = slow.max(self.slow_before);
        if took < quick.saturating_sub(STEP) || took > slow.saturating_add(LATE) {
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

    /// A stretch is over.
    fn shifted(&mut self, now: Micros) {
        let least = self.least.take();
        let shifted = least.zip(self.least_before).is_some_and(|(a, b)| signed(a.abs_diff(b)) > SHIFT);
        if shifted {
            if now.since(self.asked_for_shift) < SHIFTS_EVERY {
                return;
            }
            (self.asked_for_shift, self.wants_ping) = (now, true);
        }
        self.least_before = least;
    }

    /// A ping that left at `sent` was answered, and agrees with what was known of the clock.
    pub(super) fn confirmed(&mut self, sent: Micros, now: Micros) {
        if self.doubt.is_some_and(|since| sent < since) {
            return;
        }
        self.doubt = None;
        if let (Some((least, most)), Some((quick, slow))) = (self.seen.take(), &mut self.usual) {
            (*quick, *slow) = (least.min(*quick), most.max(*slow));
        }
        if now.since(self.turned) >= REMEMBER
            && let Some((quick, slow)) = &mut self.usual
        {
            (self.turned, self.slow_before) = (now, std::mem::replace(slow, *quick));
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

    /// Their clock is ahead by so much, the ping leaves at a time and takes so long there and back, in milliseconds.
    fn answer(clock: &mut ClockOffset, ahead: u64, at: u64, there: u64, back: u64) -> bool {
        let sent = START + ms(at);
        clock.answer(sent, sent + ms(ahead + there), sent + ms(there + back))
    }

    /// By how many milliseconds the clock is wrong when they are ahead by so much.
    fn wrong(clock: &ClockOffset, ahead: u64) -> f64 {
        let ours = clock.to_ours(START + ms(ahead)).unwrap();
        (ours.0 as f64 - START.0 as f64) / 1e3
    }

    #[test]
    fn nothing_is_known_before_the_first_answer() {
        let clock = ClockOffset::default();
        assert_eq!((clock.to_ours(START), clock.is_sure(), clock.error()), (None, false, None));
    }

    #[test]
    fn one_quick_answer_is_enough_and_its_bound_is_said() {
        let mut clock = ClockOffset::default();
        assert!(!answer(&mut clock, 7000, 0, 1, 1));
        assert!(clock.is_sure());
        assert_eq!((wrong(&clock, 7000), clock.error()), (0.0, Some(ms(1))));
    }

    #[test]
    fn a_long_path_is_believed_when_three_answers_agree() {
        let mut clock = ClockOffset::default();
        for at in [0, 60, 130] {
            assert!(!clock.is_sure());
            answer(&mut clock, 7000, at, 75, 75);
        }
        assert!(clock.is_sure() && wrong(&clock, 7000).abs() < 0.1, "{clock:?}");
        assert_eq!(clock.error(), Some(ms(75)));
    }

    #[test]
    fn each_way_is_known_from_the_answer_that_was_quick_on_it() {
        // Every answer met a retransmission on one way or the other; no round trip is the path's own.
        let mut clock = ClockOffset::default();
        for (n, late) in [180, 340, 410].into_iter().enumerate() {
            answer(&mut clock, 7000, 100 * n as u64, 75 + late, 75);
            answer(&mut clock, 7000, 100 * n as u64 + 50, 75, 75 + late);
        }
        assert!(clock.is_sure() && wrong(&clock, 7000).abs() < 0.1, "{clock:?}");
    }

    #[test]
    fn answers_that_all_came_late_are_an_estimate_with_a_bound() {
        // Three that waited for the same retransmission: the later ones waited less.
        let mut clock = ClockOffset::default();
        for n in 0..3 {
            answer(&mut clock, 7000, 100 * n, 75, 475 - 100 * n);
        }
        assert!(!clock.is_sure(), "{clock:?}");
        let error = clock.error().unwrap().as_secs_f64() * 1e3;
        assert!((149.0..176.0).contains(&error) && wrong(&clock, 7000).abs() < error, "{clock:?}");
    }

    #[test]
    fn a_clock_that_was_set_is_followed_by_the_next_answer() {
        for (before, after) in [(7000, 2000), (2000, 7000), (7000, 7060), (7000, 6960)] {
            let mut clock = ClockOffset::default();
            (0..20).for_each(|n| _ = answer(&mut clock, before, 500 * n, 75, 75));
            assert!(clock.is_sure());
            assert!(answer(&mut clock, after, 11_000, 75, 75), "{before} to {after}");
            assert!(!clock.is_sure() && wrong(&clock, after).abs() < 0.1, "{clock:?}");
        }
    }

    #[test]
    fn a_slow_answer_is_no_step() {
        let mut clock = ClockOffset::default();
        (0..20).for_each(|n| _ = answer(&mut clock, 7000, 500 * n, 20, 20));
        for (n, (there, back)) in [(20, 600), (3000, 20), (400, 400), (20, 24)].into_iter().enumerate() {
            assert!(!answer(&mut clock, 7000, 11_000 + n as u64, there, back));
        }
        assert!(clock.is_sure() && wrong(&clock, 7000).abs() < 0.6, "{clock:?}");
    }

    #[test]
    fn clocks_that_drift_apart_are_followed() {
        // 20 millionths, for an hour, with a ping every five seconds and a path of 10 ms each way.
        let mut clock = ClockOffset::default();
        for n in 0..720u64 {
            let (sent, parted) = (START + ms(5000 * n), 100 * n);
            clock.answer(sent, Micros(sent.0 + 10_000 + parted), sent + ms(20));
            let here = sent + ms(5000);
            let ours = clock.to_ours(Micros(here.0 + parted + 100)).unwrap();
            assert!(ours.0.abs_diff(here.0) < 2_500 && (n < 3 || clock.is_sure()), "{n}: {clock:?}");
        }
    }

    #[test]
    fn no_answer_of_a_liar_does_harm() {
        let mut clock = ClockOffset::default();
        let times = [0, 1, 1 << 62, 1 << 63, u64::MAX - 1, u64::MAX].map(Micros);
        for sent in times {
            for theirs in times {
                for received in times {
                    clock.answer(sent, theirs, received);
                    let _ = (clock.to_ours(theirs), clock.error(), clock.is_sure());
                }
            }
        }
    }

    /// Pictures 33 ms apart that took so long; gives when pings were wanted, and whether there was doubt at the end.
    fn pictures(watch: &mut Watch, from: u64, took: impl Iterator<Item = i64>) -> (Vec<u64>, bool) {
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
        let mut watch = Watch::default();
        let jitter = (0..900).map(|n| 20_100 + 9_000 * i64::from(n % 3 == 0));
        assert_eq!(pictures(&mut watch, 0, jitter), (vec![], false));
    }

    #[test]
    fn a_picture_that_came_too_soon_or_far_too_late_is_doubted_at_once_until_a_ping_confirms_it() {
        for took in [-5_000_000, 0, 15_000, 5_000_000] {
            let mut watch = Watch::default();
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
        let mut watch = Watch::default();
        pictures(&mut watch, 0, std::iter::repeat_n(20_100, 60));
        let (wanted, doubts) = pictures(&mut watch, 2000, std::iter::repeat_n(28_000, 60));
        assert!(wanted.len() == 1 && wanted[0] <= 2500 && !doubts, "{wanted:?}");
    }

    #[test]
    fn a_path_that_is_never_the_same_costs_one_ping_a_second() {
        let mut watch = Watch::default();
        let (wanted, _) = pictures(&mut watch, 0, (0..300).map(|n| 20_000 + 6_000 * (n / 9 % 11)));
        assert!(wanted.len() <= 10, "{wanted:?}");
    }
}
