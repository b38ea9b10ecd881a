//! How far apart a viewer's machine wants its pictures.

use std::time::Duration;

use crate::time::{Micros, micros};

/// What is known of a viewer's decoder, from how many pictures wait for it when another arrives.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The least time between pictures that it keeps up with, in microseconds; 0 is no bound.
    spacing: f64,
    /// How often a picture waited for it of late, 0 to 1.
    pressure: f64,
    /// When the last acknowledgement came.
    heard: Micros,
}

impl Decoder {
    /// An acknowledgement came, with so many earlier pictures still waiting.
    ///
    /// Pictures are kept apart by an eighth more when one waits and another did lately, and closer by a hundredth when none
    /// does, until nothing is held back. Pictures that a lost segment held up come all at once and wait for each other;
    /// that says nothing about the decoder.
    pub(super) fn heard(&mut self, backlog: u16, interval: Duration, now: Micros) {
        let interval = micros(interval) as f64;
        let apart = micros(now.since(self.heard)) as f64;
        self.heard = now;
        if backlog == 0 {
            self.pressure -= self.pressure / 16.0;
            self.spacing = if self.spacing * 0.99 < interval { 0.0 } else { self.spacing * 0.99 };
        } else if apart > 0.7 * interval.max(self.spacing) {
            self.pressure += (1.0 - self.pressure) / 16.0;
            if self.pressure > 0.1 {
                self.spacing = (self.spacing.max(interval) * 1.125).min(1e6);
            }
        }
    }

    /// When the last acknowledgement came.
    pub(super) fn last_heard(&self) -> Micros {
        self.heard
    }

    pub(super) fn spacing(&self) -> Duration {
        Duration::from_micros(self.spacing as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(33);

    #[test]
    fn a_decoder_that_falls_behind_is_given_time_and_one_that_catches_up_is_not() {
        let (mut decoder, mut t) = (Decoder::default(), 1_000_000);
        for _ in 0..200 {
            let spacing = decoder.spacing().max(INTERVAL);
            t += micros(spacing);
            decoder.heard(u16::from(spacing < Duration::from_millis(70)), INTERVAL, Micros(t));
        }
        assert!((65..90).contains(&decoder.spacing().as_millis()), "{:?}", decoder.spacing());
        for _ in 0..200 {
            t += 90_000;
            decoder.heard(0, INTERVAL, Micros(t));
        }
        assert_eq!(decoder.spacing(), Duration::ZERO);
    }

    #[test]
    fn pictures_that_come_all_at_once_and_one_that_waits_alone_mean_nothing() {
        let (mut decoder, mut t) = (Decoder::default(), 1_000_000);
        for picture in 0..300 {
            t += if picture % 4 == 0 { 120_000 } else { 200 };
            decoder.heard(u16::from(picture % 4 != 0), INTERVAL, Micros(t));
        }
        decoder.heard(1, INTERVAL, Micros(t + 33_000));
        assert_eq!(decoder.spacing(), Duration::ZERO);
    }
}
