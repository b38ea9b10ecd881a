//! Noise suppression by RNNoise.

use std::time::Duration;

use nnnoiseless::DenoiseState;

use super::{FRAME, Samples};

/// How much later the sound comes out than it goes in.
pub const DELAY: Duration = Duration::from_millis(10);
const PART: usize = DenoiseState::FRAME_SIZE;
/// It counts as 16-bit samples do.
const SCALE: f32 = 32_768.0;

/// Takes noise out of sound.
pub struct Denoise {
    state: Box<DenoiseState<'static>>,
    part: [f32; PART],
}

impl Default for Denoise {
    fn default() -> Self {
        Self { state: DenoiseState::new(), part: [0.0; PART] }
    }
}

impl Denoise {
    /// Replaces a frame by one with less noise, of [`DELAY`] before.
    pub fn clean(&mut self, samples: &mut Samples) {
        const { assert!(FRAME % PART == 0) }
        for piece in samples.chunks_exact_mut(PART) {
            piece.iter_mut().for_each(|sample| *sample = (*sample * SCALE).clamp(-SCALE, SCALE - 1.0));
            self.state.process_frame(&mut self.part, piece);
            piece.iter_mut().zip(&self.part).for_each(|(sample, clean)| *sample = (clean / SCALE).clamp(-1.0, 1.0));
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
