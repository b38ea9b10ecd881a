//! How loud sound is, and whether somebody speaks.

use std::time::Duration;

use crate::frame::SILENCE;
use crate::time::Micros;

/// The level of samples as RFC 6464 counts it: 0 is the loudest there is, 127 silence, one a decibel below that of a square wave of
/// full scale.
#[must_use]
pub fn level(samples: &[f32]) -> u8 {
    let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let power = sum / samples.len().max(1) as f64;
    // What is no number is no sound.
    if power > 0.0 { (-10.0 * power.log10()).round().clamp(0.0, f64::from(SILENCE)) as u8 } else { SILENCE }
}

/// What is quieter than this, in decibels of full scale, is no speech.
const LEAST: f32 = -50.0;
/// So much louder than the noise must it be to begin, and to go on.
const BEGINS: f32 = 12.0;
const GOES_ON: f32 = 6.0;
/// No room is quieter than this.
const QUIETEST: f32 = -75.0;
/// So many frames are listened to first: in that time even who speaks is silent between two syllables.
const LEARNS: u8 = 10;
/// How fast the noise is found to be quieter, as a part of the difference, and louder, in decibels a frame.
const FALLS: f32 = 0.2;
const RISES: f32 = 0.03;
/// So many loud frames in a row are speech: a click is not.
const IN_A_ROW: u8 = 3;
/// Shorter pauses are between words. Viewers must see the end within 700 ms, the way to them included.
const HOLD: Duration = Duration::from_millis(540);

/// Whether somebody speaks, by the level of each frame: louder than the noise of the room, which is followed, for a few frames; and
/// over when it was not for a while.
#[derive(Clone, Debug)]
pub struct Speaking {
    floor: f32,
    learned: u8,
    loud: u8,
    since: Option<Micros>,
}

impl Default for Speaking {
    fn default() -> Self {
        Self { floor: 0.0, learned: 0, loud: 0, since: None }
    }
}

impl Speaking {
    /// Takes the level of a frame.
    pub fn look(&mut self, level: u8, now: Micros) -> bool {
        let decibels = -f32::from(level);
        if self.learned < LEARNS {
            self.learned += 1;
            self.floor = self.floor.min(decibels.max(QUIETEST));
            return false;
        }
        let is_on = self.is_on(now);
        let (above, least) = if is_on { (GOES_ON, LEAST - BEGINS + GOES_ON) } else { (BEGINS, LEAST) };
        let is_loud = decibels >= (self.floor + above).max(least);
        self.loud = if is_loud { self.loud.saturating_add(1) } else { 0 };
        if is_loud && (is_on || self.loud >= IN_A_ROW) {
            self.since = Some(now);
        }
        let quieter = decibels.max(QUIETEST) - self.floor;
        self.floor += if quieter < 0.0 { quieter * FALLS } else { RISES };
        self.is_on(now)
    }

    /// Whether somebody speaks, as of now.
    #[must_use]
    pub fn is_on(&self, now: Micros) -> bool {
        self.since.is_some_and(|at| now.since(at) <= HOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    /// From when on, and until when, it was said that somebody speaks who does from 2 to 4 s, with pauses between the words.
    fn told(noise: u8, speech: u8) -> (Option<u64>, Option<u64>) {
        let mut speaking = Speaking::default();
        let mut times = Vec::new();
        for ms in (0..8000).step_by(20) {
            let word = (2000..4000).contains(&ms) && ms % 500 < 250;
            if speaking.look(if word { speech } else { noise }, at(ms)) {
                times.push(ms);
            }
        }
        (times.first().copied(), times.last().copied())
    }

    #[test]
    fn who_speaks_is_told_at_once_and_who_stops_soon() {
        for (noise, speech) in [(127, 30), (70, 45), (60, 25), (45, 20)] {
            let (first, last) = told(noise, speech);
            assert!(first.is_some_and(|ms| (2020..2150).contains(&ms)), "{noise} {speech}: {first:?}");
            assert!(last.is_some_and(|ms| (4200..4450).contains(&ms)), "the last word ends at 3750: {last:?}");
        }
    }

    #[test]
    fn noise_alone_is_nobody() {
        assert_eq!(told(55, 55).0, None);
        assert_eq!(told(127, 60).0, None, "a whisper in the next room");
        let mut speaking = Speaking::default();
        let steady = (0..60_000).step_by(20).map(|ms| speaking.look(40, at(ms))).collect::<Vec<_>>();
        assert!(!steady.last().unwrap(), "a fan that was switched on is no speaker for ever");
    }

    #[test]
    fn a_click_is_no_speech() {
        let mut speaking = Speaking::default();
        assert!((0..2000).step_by(20).all(|ms| !speaking.look(if ms % 500 == 0 { 10 } else { 80 }, at(ms))));
    }

    #[test]
    fn levels_are_those_of_rfc_6464() {
        assert_eq!(level(&[1.0, -1.0, 1.0, -1.0]), 0);
        assert_eq!(level(&[0.1; 960]), 20);
        let sine: Vec<f32> = (0..960).map(|n| (n as f32 / 48.0 * std::f32::consts::TAU).sin()).collect();
        assert_eq!(level(&sine), 3);
        assert_eq!((level(&[0.0; 960]), level(&[]), level(&[f32::NAN])), (SILENCE, SILENCE, SILENCE));
        assert_eq!(level(&[9.0; 4]), 0, "no louder than the loudest");
    }
}
