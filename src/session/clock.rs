//! What another machine's clock says, how far off that may be, and whether it still holds.

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::time::{Micros, PeerMicros, micros};

/// Answers that are kept: the newest ones, and of older ones those that were the quickest on a way.
const KEPT: usize = 32;
/// Answers older than this are forgotten: the path may be another by now.
const LASTS: Duration = Duration::from_secs(60);
/// How fast two clocks part that nobody slews, in millionths: crystals are within 20 of the truth.
const DRIFT: i64 = 50;
/// What rounding makes of a time on its way.
const GRAIN: i64 = 200;
/// Delays that differ by less are the same: the path without queues and without loss.
const NEAR: i64 = 3_000;
/// So many answers must agree.
const AGREE: usize = 3;
/// An answer whose two bounds are as near as this to their middle proves the clock, whatever the path.
const PROVEN: i64 = 2_000;
/// An answer that won so much on one way and lost as much on the other is of a clock that is slewed, or chance.
const CREEP: i64 = 1_000;
/// What all have agreed on was wrong if one answer alone betters it by so much.
pub(super) const STEP: i64 = 4_000;

/// How far another machine's clock is ahead of ours.
///
/// A ping that left at `sent` was answered at `theirs` and came back at `received`. Whatever the path, their clock is
/// ahead by `theirs - received` at least and by `theirs - sent` at most. The best of all answers' bounds are kept, each of
/// the two on its own: a segment that was lost delays one way of one answer, and the other way still tells. Truth lies
/// between them; on a path that takes as long there as back, it lies in the middle as soon as one ping each way met no
/// queue and no loss. That is believed when three answers agree on each of the two, in the same stretch of time. (NTP's
/// filter, RFC 5905 section 10, takes the middle of the quickest answer, which under loss is wrong by half of a
/// retransmission for as long as all have met one.)
///
/// The two best bounds must be of one clock. An answer that cannot be true beside the others, or that betters what they
/// agreed on, means that the clock was set or stood still: all is forgotten but it. A step that is smaller than the way
/// there and back contradicts nothing as long as nothing was agreed on, for an answer that was held up looks the same.
/// It is told when all answers from one on lost on one way and won on the other, and three of them agree with each other.
/// So is a clock that is slewed, again and again: an answer that looks like it is worth three more at once, which are not
/// yet parted.
#[derive(Debug, Default)]
pub struct ClockOffset {
    /// In the order in which they came.
    answers: ArrayVec<Answer, KEPT>,
    known: Option<Known>,
}

/// What an answer says of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockFinding {
    /// It cannot be: the ping came back before it left.
    Void,
    /// The clock is as it was known.
    Agrees,
    /// So it is, or the clock was set and the answer was held up by just as much, on one way.
    AgreesOneWay,
    /// The clock may be slewed: some more answers at once are to tell.
    Creeps,
    /// It was held up on both ways, and says neither this nor that.
    Slow,
    /// The clock was set, or stood still: all begins anew with this answer.
    Steps,
}

/// One answer: their clock is ahead by `there` at most, and behind by `back` at most.
#[derive(Clone, Copy, Debug)]
struct Answer {
    there: i64,
    back: i64,
    at: Micros,
}

impl Answer {
    /// The two bounds, with what the clocks may have parted since.
    fn bounds(&self, now: Micros) -> (i64, i64) {
        let parted = signed(micros(now.since(self.at))).saturating_mul(DRIFT) / 1_000_000;
        (self.there.saturating_add(parted), self.back.saturating_add(parted))
    }

    fn round_trip(&self) -> i64 {
        self.there.saturating_add(self.back)
    }

    fn is_near(&self, other: &Self, by: i64) -> bool {
        let near = |a: i64, b: i64| a.abs_diff(b) <= by.unsigned_abs();
        near(self.there, other.there) && near(self.back, other.back)
    }
}

/// The best bound of each way.
fn best(answers: &[Answer], now: Micros) -> Option<(i64, i64)> {
    answers.iter().map(|answer| answer.bounds(now)).reduce(|(a, b), (c, d)| (a.min(c), b.min(d)))
}

/// What all answers together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    /// How far their clock is ahead.
    offset: i64,
    /// How far off that may be, whatever the path.
    error: i64,
    /// The error when answers last agreed, or one proved the clock: what is believed since then.
    agreed: Option<i64>,
}

pub(super) fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

impl ClockOffset {
    /// Notes an answer: the ping left at `sent`, the other clock said `theirs`, the answer came at `received`.
    pub fn answer(&mut self, sent: Micros, theirs: PeerMicros, received: Micros) -> ClockFinding {
        let there = theirs.0.wrapping_sub(sent.0).cast_signed();
        let least = theirs.0.wrapping_sub(received.0).cast_signed();
        if received < sent || least > there || least == i64::MIN {
            return ClockFinding::Void;
        }
        let answer = Answer { there, back: -least, at: received };
        self.answers.retain(|old| received.since(old.at) <= LASTS);
        let mut verdict = self.judge(&answer);
        if verdict == ClockFinding::Steps {
            *self = Self::default();
        }
        self.keep(answer);
        if let Some(first) = self.first_of_another_clock(received) {
            self.answers.drain(..first);
            self.known = None;
            verdict = ClockFinding::Steps;
        }
        if verdict == ClockFinding::Slow
            && self.answers.iter().filter(|old| old.is_near(&answer, NEAR)).count() >= AGREE
        {
            // The path is longer than it was.
            verdict = ClockFinding::Agrees;
        }
        self.known = self.settle(received);
        verdict
    }

    /// What an answer says beside the others.
    fn judge(&self, answer: &Answer) -> ClockFinding {
        let Some((there, back)) = best(&self.answers, answer.at) else { return ClockFinding::Agrees };
        let (slow_there, slow_back) = (answer.there.saturating_sub(there), answer.back.saturating_sub(back));
        let is_possible = |a: i64, b: i64| a.saturating_add(b) >= -GRAIN;
        if !is_possible(answer.there, back) || !is_possible(there, answer.back) {
            return ClockFinding::Steps;
        }
        if self.is_sure() && slow_there.min(slow_back) < -STEP {
            return ClockFinding::Steps;
        }
        if self.is_sure() && slow_there.min(slow_back) < -CREEP && slow_there.max(slow_back) > CREEP {
            return ClockFinding::Creeps;
        }
        match (slow_there <= NEAR, slow_back <= NEAR) {
            (true, true) => ClockFinding::Agrees,
            (false, false) => ClockFinding::Slow,
            _ => ClockFinding::AgreesOneWay,
        }
    }

    /// Makes room by forgetting the oldest that is not the best on a way.
    fn keep(&mut self, answer: Answer) {
        if self.answers.is_full()
            && let Some((there, back)) = best(&self.answers, answer.at)
        {
            let is_best = |old: &Answer| {
                let bounds = old.bounds(answer.at);
                bounds.0 == there || bounds.1 == back
            };
            self.answers.remove(self.answers.iter().position(|old| !is_best(old)).unwrap_or(0));
        }
        self.answers.push(answer);
    }

    /// Where the answers begin that are of another clock than those before: all of them lost on one way and won on the
    /// other, and three of them agree with each other.
    fn first_of_another_clock(&self, now: Micros) -> Option<usize> {
        (1..self.answers.len()).rev().find(|first| {
            let (before, after) = self.answers.split_at(*first);
            let Some((was, is)) = best(before, now).zip(best(after, now)) else { return false };
            let (lost, won) = (is.0.saturating_sub(was.0), was.1.saturating_sub(is.1));
            let shift = lost.min(won).max(lost.max(won).saturating_neg());
            let agree = |a: &Answer| after.iter().filter(|b| a.is_near(b, shift.min(NEAR))).count() >= AGREE;
            shift > CREEP && after.iter().any(agree)
        })
    }

    /// Whether on each way so many answers are near the best, those of the one not all before those of the other.
    fn agree(&self, (there, back): (i64, i64), now: Micros) -> bool {
        let near = |is_near: &dyn Fn((i64, i64)) -> bool| {
            let mut near = self.answers.iter().enumerate().filter(|(_, answer)| is_near(answer.bounds(now)));
            let (first, _) = near.next()?;
            let (last, _) = near.by_ref().skip(AGREE - 2).last()?;
            Some((first, last))
        };
        let there = near(&|bounds| bounds.0 <= there.saturating_add(NEAR));
        let back = near(&|bounds| bounds.1 <= back.saturating_add(NEAR));
        there.zip(back).is_some_and(|(there, back)| there.0 <= back.1 && back.0 <= there.1)
    }

    fn settle(&self, now: Micros) -> Option<Known> {
        let best = best(&self.answers, now)?;
        let half = (best.0.saturating_add(best.1) / 2).max(0);
        let quickest = self.answers.iter().map(Answer::round_trip).min()? / 2;
        let agrees = quickest <= PROVEN || self.agree(best, now);
        // What was agreed on holds while answers come that are not as quick as those that agreed.
        let still = || self.known?.agreed.filter(|agreed| half <= agreed.saturating_add(STEP));
        let agreed = if agrees { Some(half) } else { still() };
        // Bounds of two answers may be of two clocks as long as none agree; the quickest answer's own are of one.
        let error = if agreed.is_some() { half } else { quickest };
        Some(Known { offset: best.0.saturating_sub(half), error, agreed })
    }

    /// Their point in time on our clock; `None` before the first answer.
    #[must_use]
    pub fn to_ours(&self, theirs: PeerMicros) -> Option<Micros> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The page is held to the same ones, in `web/test/vectors.test.js`.
    #[test]
    fn the_other_clock_is_known_as_every_program_knows_it() {
        #[derive(serde::Deserialize)]
        struct Vectors {
            cases: Vec<Case>,
        }
        #[derive(serde::Deserialize)]
        struct Case {
            what: String,
            answers: Vec<Known>,
        }
        #[derive(serde::Deserialize)]
        struct Known {
            sent: f64,
            theirs: f64,
            received: f64,
            ahead: f64,
            error: f64,
            sure: bool,
        }
        let vectors: Vectors = serde_json::from_str(include_str!("../../docs/vectors/clock.json")).unwrap();
        let micros = |ms: f64| Micros((ms * 1e3) as u64);
        for Case { what, answers } in vectors.cases {
            let mut clock = ClockOffset::default();
            for Known { sent, theirs, received, ahead, error, sure } in answers {
                clock.answer(micros(sent), PeerMicros(micros(theirs).0), micros(received));
                let is_ahead = theirs - clock.to_ours(PeerMicros(micros(theirs).0)).unwrap().0 as f64 / 1e3;
                assert!((is_ahead - ahead).abs() < 0.1, "{what} {is_ahead}");
                let off = clock.error().unwrap().as_secs_f64() * 1e3;
                assert!((off - error).abs() < 0.1, "{what} {off}");
                assert_eq!(clock.is_sure(), sure, "{what}");
            }
        }
    }

    const START: Micros = Micros(1_000_000_000);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Their clock is ahead by so much, the ping leaves at a time and takes so long there and back, in milliseconds.
    fn answer(clock: &mut ClockOffset, ahead: u64, at: u64, there: u64, back: u64) -> bool {
        let sent = START + ms(at);
        clock.answer(sent, PeerMicros((sent + ms(ahead + there)).0), sent + ms(there + back)) == ClockFinding::Steps
    }

    /// By how many milliseconds the clock is wrong when they are ahead by so much.
    fn wrong(clock: &ClockOffset, ahead: u64) -> f64 {
        let ours = clock.to_ours(PeerMicros((START + ms(ahead)).0)).unwrap();
        (ours.0 as f64 - START.0 as f64) / 1e3
    }

    #[test]
    fn nothing_is_known_before_the_first_answer() {
        let clock = ClockOffset::default();
        assert_eq!((clock.to_ours(PeerMicros(START.0)), clock.is_sure(), clock.error()), (None, false, None));
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
            clock.answer(sent, PeerMicros(sent.0 + 10_000 + parted), sent + ms(20));
            let here = sent + ms(5000);
            let ours = clock.to_ours(PeerMicros(here.0 + parted + 100)).unwrap();
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
                    clock.answer(sent, PeerMicros(theirs.0), received);
                    let _ = (clock.to_ours(PeerMicros(theirs.0)), clock.error(), clock.is_sure());
                }
            }
        }
    }
}
