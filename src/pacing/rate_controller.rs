//! How many bytes a picture may have so that a link carries it within the interval: down at once, up slowly.

use std::time::Duration;

use super::window::LinkRate;
use crate::time::{Micros, micros};

use crate::adapt::ANY;

/// The share of the interval that a picture should take to cross the link. The rest is for what varies: the picture's
/// size, the link, and acknowledgements.
const SHARE: f64 = 0.85;

/// The share that it may take before the level is too high. What varies may use up the rest, and on a link that varies much
/// it always does.
const MOST: f64 = 0.95;

/// Between two levels: an eighth of a doubling.
const STEP: f64 = 1.090_507_732_665_257_7;

/// Bytes below which nothing is a picture.
const LEAST: f64 = 512.0;

/// How long the link must show room before the first step up, unless steps failed before.
const HOLD: Duration = Duration::from_millis(700);
/// The longest that failures make it wait. With it the climb from the smallest pictures to the largest, some 4 s, stays within
/// the 10 s after which a link that got well again must show full quality.
const LONGEST_HOLD: Duration = Duration::from_secs(5);
/// How long a link must be slow to be slow. Meanwhile [`crate::pacing`] keeps the age down, by fewer pictures.
const CERTAIN: Duration = Duration::from_millis(200);
/// Between two steps up while the link goes on showing room.
const STRIDE: Duration = Duration::from_millis(400);
/// A step up is a failure if it has to be taken back within this time.
const TRIAL: Duration = Duration::from_millis(1_500);
/// A step that held so long forgives one failure.
const PROVEN: Duration = Duration::from_secs(5);

/// The rate controller of one link. Levels are an eighth of a doubling apart (9 %), so that small changes change nothing.
#[derive(Debug)]
pub(super) struct RateController {
    /// Bytes a picture may have; `None` is any.
    level: Option<f64>,
    /// Since when the link asks for less.
    low_since: Option<Micros>,
    /// Since when there is room for the next level.
    room_since: Option<Micros>,
    hold: Duration,
    raised: Option<Micros>,
    changed: Micros,
    changes: u64,
}

impl Default for RateController {
    fn default() -> Self {
        Self {
            level: None,
            low_since: None,
            room_since: None,
            hold: HOLD,
            raised: None,
            changed: Micros(0),
            changes: 0,
        }
    }
}

impl RateController {
    /// One at its top: the first pictures tell soon enough if that is too high.
    #[must_use]
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Bytes a picture may have now; [`ANY`] for no bound.
    #[must_use]
    pub(super) fn bytes(&self) -> u32 {
        self.level.map_or(ANY, |level| level as u32)
    }

    /// How often the level changed.
    #[must_use]
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Looks at the link again. Call it for every picture of the stream, after [`crate::pacing::Window::ask`] and whatever
    /// its answer.
    ///
    /// `rate` is [`crate::pacing::Window::rate`], `interval` the time between pictures of the stream and `picture` the
    /// bytes of the last picture that this link was given. Returns [`Self::bytes`].
    pub(super) fn update(&mut self, now: Micros, rate: Option<LinkRate>, interval: Duration, picture: usize) -> u32 {
        let Some(rate) = rate else { return self.bytes() };
        let interval = micros(interval) as f64 / 1e6;
        let level = self.level.unwrap_or(picture as f64).max(LEAST);
        if MOST * rate.sure * interval < level {
            self.room_since = None;
            // One slow picture may be the link clearing its throat, or a lost segment on its second way.
            if now.since(*self.low_since.get_or_insert(now)) >= CERTAIN {
                self.lower(now, SHARE * rate.sure * interval);
            }
            return self.bytes();
        }
        self.low_since = None;
        self.raise(now, SHARE * rate.best * interval, picture as f64);
        self.bytes()
    }

    fn lower(&mut self, now: Micros, wanted: f64) {
        if self.raised.take().is_some_and(|at| now.since(at) < TRIAL) {
            self.hold = (self.hold * 2).min(LONGEST_HOLD);
        }
        self.set(now, Some(grid(wanted)));
    }

    fn raise(&mut self, now: Micros, wanted: f64, picture: f64) {
        let Some(level) = self.level else { return };
        if self.raised.is_some_and(|at| now.since(at) > PROVEN) {
            self.raised = None;
            self.hold = (self.hold / 2).max(HOLD);
        }
        if wanted < level * STEP {
            self.room_since = None;
            return;
        }
        let since = *self.room_since.get_or_insert(now);
        let climbing = self.raised.is_some_and(|at| now.since(at) < TRIAL);
        let wait = if climbing { STRIDE } else { self.hold };
        if now.since(since) < wait {
            return;
        }
        self.room_since = None;
        if picture < level * 0.7 && wanted > picture * 2.0 {
            // The level does not bind: the publisher's own quality does.
            self.set(now, None);
        } else {
            // Four levels at a time while there is plenty.
            let step = if wanted > level * 1.6 { STEP.powi(4) } else { STEP };
            self.set(now, Some(grid(level * step * 1.001)));
        }
        self.raised = Some(now);
    }

    fn set(&mut self, now: Micros, level: Option<f64>) {
        if self.level != level {
            self.changes += 1;
            self.changed = now;
        }
        self.level = level;
    }
}

/// The level at or under so many bytes.
pub(super) fn grid(bytes: f64) -> f64 {
    ((bytes.max(LEAST).log2() * 8.0).floor() / 8.0).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(33);

    /// Runs `seconds` at 30 fps on a link of `rate` bytes a second with pictures of at most `full` bytes.
    fn run(rate_controller: &mut RateController, from: &mut u64, seconds: f64, rate: f64, full: u32) -> u32 {
        for _ in 0..(seconds * 30.0) as u32 {
            *from += 33_333;
            let picture = rate_controller.bytes().min(full) as usize * 9 / 10;
            rate_controller.update(Micros(*from), Some(LinkRate { sure: rate, best: rate }), INTERVAL, picture);
        }
        rate_controller.bytes()
    }

    #[test]
    fn a_fast_link_has_no_bound_and_a_fall_is_answered_at_once() {
        let (mut rate_controller, mut t) = (RateController::new(), 0);
        assert_eq!(run(&mut rate_controller, &mut t, 2.0, 2_500_000.0, 37_000), ANY);
        let bytes = run(&mut rate_controller, &mut t, 0.3, 125_000.0, 37_000);
        assert!((3_000..=3_506).contains(&bytes), "{bytes}");
    }

    #[test]
    fn full_quality_is_back_within_seconds_of_the_link() {
        let (mut rate_controller, mut t) = (RateController::new(), 0);
        run(&mut rate_controller, &mut t, 10.0, 125_000.0, 37_000);
        let bytes = run(&mut rate_controller, &mut t, 7.0, 2_500_000.0, 37_000);
        assert!(bytes > 37_000, "{bytes}");
    }

    #[test]
    fn a_steady_link_has_a_steady_level() {
        let (mut rate_controller, mut t) = (RateController::new(), 0);
        run(&mut rate_controller, &mut t, 10.0, 500_000.0, 37_000);
        let before = rate_controller.changes();
        for i in 0..3_000_u32 {
            // The estimate of the rate wanders by a tenth.
            run(&mut rate_controller, &mut t, 0.034, 500_000.0 * (0.95 + 0.1 * f64::from(i % 7) / 6.0), 37_000);
        }
        assert!(rate_controller.changes() - before <= 2, "{}", rate_controller.changes() - before);
    }

    #[test]
    fn each_failed_try_doubles_the_wait_for_the_next() {
        let (mut rate_controller, mut t) = (RateController::new(), 0);
        run(&mut rate_controller, &mut t, 2.0, 125_000.0, 37_000);
        let before = rate_controller.changes();
        // A link that shows room until it is used.
        for _ in 0..9_000 {
            t += 33_333;
            let bytes = rate_controller.bytes();
            let rate = if bytes > 4_000 { 100_000.0 } else { 400_000.0 };
            rate_controller.update(
                Micros(t),
                Some(LinkRate { sure: rate, best: rate }),
                INTERVAL,
                bytes.min(37_000) as usize,
            );
        }
        // Without doubling, five minutes would see hundreds.
        assert!(rate_controller.changes() - before < 170, "{}", rate_controller.changes() - before);
    }
}
