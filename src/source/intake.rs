//! When a picture may be taken from a pipe: no faster than asked, and never late because of that.
//!
//! A program that writes pictures into a pipe is either *playing* (`ffmpeg -i film.mp4 …`: it writes as fast as it is
//! let, and is to be held back to the asked rate) or *live* (a camera: it writes when there is a picture, and must never
//! be held back, since what waits in the pipe is old when it comes out). Nothing in the bytes tells which. So the rule
//! lets a producer at about the asked rate pass whatever its jitter, and only one that is plainly faster has to wait:
//!
//! - a picture may be half an interval early;
//! - the schedule runs 1 % faster than asked, so that a live producer whose clock is a little fast is never behind it,
//!   and a delay that came about all the same drains;
//! - what was late comes at once, and so do the pictures behind it: a live producer that stalled for some seconds is on
//!   time again when it goes on.

use std::time::Duration;

use crate::time::{Micros, micros};

/// How much faster than asked the schedule runs.
const FASTER: f64 = 1.01;
/// How early a picture may be, in intervals.
const EARLY: f64 = 0.5;
/// How late a producer may be and still catch up by a burst. A camera behind a bad network stalls for seconds; whatever
/// comes after a longer pause begins anew.
const CATCH_UP: Duration = Duration::from_secs(10);
/// A producer whose every picture has had to wait for so long is held back, and whoever started it should know.
const HELD_BACK: Duration = Duration::from_secs(3);

/// The schedule of a pipe.
#[derive(Clone, Debug)]
pub(super) struct Intake {
    /// Microseconds between two pictures; not whole.
    interval: f64,
    early: f64,
    /// When the next picture is due, in microseconds of the clock; `None` before the first.
    due: Option<f64>,
    /// Since when every picture has had to wait.
    waiting_since: Option<Micros>,
    told: bool,
}

impl Intake {
    /// For `fps` pictures a second, brought into 0.01 to 1000.
    pub(super) fn new(fps: f64) -> Self {
        let interval = 1e6 / if fps.is_finite() { fps.clamp(0.01, 1000.0) } else { 30.0 };
        Self { interval: interval / FASTER, early: interval * EARLY, due: None, waiting_since: None, told: false }
    }

    /// A picture was read at `now`: how long it must wait until it is taken.
    pub(super) fn wait(&mut self, now: Micros) -> Duration {
        let at = now.0 as f64;
        let due = self.due.unwrap_or(at);
        let wait = (due - self.early - at).max(0.0);
        self.due = Some(due.max(at - micros(CATCH_UP) as f64) + self.interval);
        if wait == 0.0 {
            self.waiting_since = None;
        } else {
            self.waiting_since.get_or_insert(now);
        }
        Duration::from_micros(wait as u64)
    }

    /// The last picture had to wait: the producer plays.
    pub(super) fn plays(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// Whether it is to be said now that the pictures come faster than asked. True once.
    pub(super) fn held_back(&mut self, now: Micros) -> bool {
        let held = self.waiting_since.is_some_and(|since| now.since(since) >= HELD_BACK);
        held && !std::mem::replace(&mut self.told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FPS: f64 = 30.0;
    const INTERVAL: f64 = 1e6 / FPS;

    fn at(micros: f64) -> Micros {
        Micros(1_000_000_000 + micros as u64)
    }

    /// Each picture's delay in microseconds, of a live producer that has pictures at these times: one is read when it is
    /// there and the last was taken.
    fn live(intake: &mut Intake, made: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut free = 0.0_f64;
        let mut delays = Vec::new();
        for made in made {
            let read = free.max(made);
            free = read + intake.wait(at(read)).as_micros() as f64;
            assert!(!intake.held_back(at(free)), "a live producer is not scolded");
            delays.push(free - made);
        }
        delays
    }

    /// A repeatable number of 0 to 1.
    fn noise(n: u64) -> f64 {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / f64::from(1 << 24)
    }

    #[test]
    fn a_film_that_is_written_as_fast_as_it_is_read_plays_at_the_asked_rate() {
        let mut intake = Intake::new(FPS);
        let (mut clock, mut said) = (0.0, Vec::new());
        for number in 0..9000 {
            clock += intake.wait(at(clock)).as_micros() as f64;
            if intake.held_back(at(clock)) {
                said.push(number);
            }
        }
        let seconds = 9000.0 / FPS;
        assert!((clock / 1e6 - seconds / FASTER).abs() < 0.1, "{seconds} s took {} s", clock / 1e6);
        assert_eq!(said.len(), 1, "once: {said:?}");
        assert!((90..=92).contains(&said[0]), "after three seconds: {said:?}");
    }

    #[test]
    fn a_live_producer_at_the_asked_rate_never_waits_for_an_hour_whatever_its_jitter() {
        let mut intake = Intake::new(FPS);
        let made = (0..108_000u64).map(|n| n as f64 * INTERVAL + noise(n) * 0.5 * INTERVAL);
        let delays = live(&mut intake, made);
        assert!(delays.iter().all(|d| *d == 0.0), "{:?}", delays.iter().position(|d| *d > 0.0));
    }

    #[test]
    fn a_live_producer_whose_clock_is_fast_gets_no_standing_delay() {
        for drift in [1.0005, 1.002, 1.009] {
            let mut intake = Intake::new(FPS);
            let delays = live(&mut intake, (0..108_000).map(|n| f64::from(n) * INTERVAL / drift));
            assert!(delays.iter().all(|d| *d == 0.0), "{drift}");
        }
        // The whole interval of jitter is more than is let pass: it is made up for within seconds.
        let mut intake = Intake::new(FPS);
        let made = (0..3600u64).map(|n| (n as f64 + noise(n)) * INTERVAL);
        let delays = live(&mut intake, made);
        assert!(delays.iter().all(|d| *d <= 0.6 * INTERVAL));
        assert!(delays[900..].iter().all(|d| *d == 0.0), "after half a minute nothing waits any more");
    }

    #[test]
    fn a_live_producer_that_stalled_is_on_time_again_at_once() {
        let mut intake = Intake::new(FPS);
        let stalled = (0..900).map(|n| {
            let time = f64::from(n) * INTERVAL;
            // Five seconds in a bad network: what was made meanwhile comes in one burst.
            if (5e6..10e6).contains(&time) { 10e6 } else { time }
        });
        let delays = live(&mut intake, stalled);
        assert!(delays.iter().all(|d| *d == 0.0), "{:?}", delays.iter().position(|d| *d > 0.0));
    }

    #[test]
    fn after_a_long_pause_a_film_goes_on_at_its_rate() {
        let mut intake = Intake::new(FPS);
        intake.wait(at(0.0));
        let (begun, mut clock, mut count) = (3600e6, 3600e6, 0);
        while clock < begun + 60e6 {
            clock += intake.wait(at(clock)).as_micros() as f64;
            count += 1;
        }
        let most = (60.0 + 10.0) * FPS * FASTER + 2.0;
        assert!(f64::from(count) <= most, "{count} pictures in a minute, after an hour of nothing");
    }

    #[test]
    fn a_slow_producer_never_waits_and_no_rate_makes_it_stop() {
        let mut intake = Intake::new(FPS);
        let delays = live(&mut intake, (0..1000).map(|n| f64::from(n) * INTERVAL * 1.2));
        assert!(delays.iter().all(|d| *d == 0.0));
        for fps in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let mut intake = Intake::new(fps);
            assert_eq!(intake.wait(at(0.0)), Duration::ZERO);
            assert!(intake.wait(at(1.0)) <= Duration::from_secs(100), "{fps}");
        }
    }
}
