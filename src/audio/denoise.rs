//! Noise suppression by RNNoise.

use std::time::Duration;

use nnnoiseless::DenoiseState;

use super::{FRAME, Samples};

/// How much later the sound comes out than it goes in.
pub const DELAY: Duration = Duration::from_millis(10);
const PART: usize = DenoiseState::FRAME_SIZE;
/// Where it is so sure that nobody speaks, for so many parts, all is made quieter by this: what is left of the noise is heard then.
const SPEECH: f32 = 0.65;
const HOLD: u8 = 30;
const PAUSE: f32 = 0.25;
/// How fast it gets louder and quieter, as a part of the difference in each part of 10 ms.
const OPENS: f32 = 1.0;
const CLOSES: f32 = 0.1;
/// It counts as 16-bit samples do.
const SCALE: f32 = 32_768.0;

/// Takes noise out of sound.
pub struct Denoise {
    state: Box<DenoiseState<'static>>,
    part: [f32; PART],
    /// Parts since somebody spoke, and how loud all is.
    since: u8,
    gain: f32,
}

impl Default for Denoise {
    fn default() -> Self {
        Self { state: DenoiseState::new(), part: [0.0; PART], since: 0, gain: 1.0 }
    }
}

impl Denoise {
    /// Replaces a frame by one with less noise, of [`DELAY`] before.
    pub fn clean(&mut self, samples: &mut Samples) {
        const { assert!(FRAME.is_multiple_of(PART)) }
        for piece in samples.chunks_exact_mut(PART) {
            piece.iter_mut().for_each(|sample| *sample = (*sample * SCALE).clamp(-SCALE, SCALE - 1.0));
            let speech = self.state.process_frame(&mut self.part, piece);
            self.since = if speech > SPEECH { 0 } else { self.since.saturating_add(1) };
            let (to, step) = if self.since < HOLD { (1.0, OPENS) } else { (PAUSE, CLOSES) };
            let (before, after) = (self.gain, self.gain + (to - self.gain) * step);
            for (n, (sample, clean)) in piece.iter_mut().zip(&self.part).enumerate() {
                let gain = before + (after - before) * n as f32 / PART as f32;
                *sample = (clean / SCALE * gain).clamp(-1.0, 1.0);
            }
            self.gain = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::level;
    use super::*;

    #[test]
    fn noise_alone_gets_quieter_by_15_decibels() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut denoise, mut before, mut after) = (Denoise::default(), Vec::new(), Vec::new());
        for n in 0..200 {
            let mut samples: Samples = std::array::from_fn(|_| (random.f32() - 0.5) * 0.05);
            if n >= 100 {
                before.extend_from_slice(&samples);
            }
            denoise.clean(&mut samples);
            if n >= 100 {
                after.extend_from_slice(&samples);
            }
        }
        assert!(level(&after) >= level(&before) + 15, "{} {}", level(&before), level(&after));
    }
}
