//! Sound: what is made of samples on their way from a microphone to a loudspeaker. Rules alone: samples, packets and times in,
//! samples, packets and numbers out. The devices are [`crate::audio_device`]'s.
//!
//! Everything in here is mono at 48 kHz, in frames of 20 ms, but for what comes from a file or a device and goes to one.

pub mod beep;
pub mod capture_clock;
#[cfg(feature = "audio")]
pub mod coding;
#[cfg(feature = "audio")]
pub mod denoise;
pub mod jitter;
pub mod level;
#[cfg(feature = "audio")]
pub mod playback;
pub mod queue;
pub mod resample;
pub mod spread;
pub mod wav;

use std::time::Duration;

/// Samples a second.
pub const RATE: u32 = 48_000;
/// Samples of a frame.
pub const FRAME: usize = 960;
/// How long a frame is.
pub const FRAME_TIME: Duration = crate::frame::AUDIO_FRAME;

/// A frame of sound; full scale is 1.
pub type Samples = [f32; FRAME];

/// A sample within full scale: devices, files and packets can hold what is louder, or no number at all, and a filter adds to it.
#[must_use]
pub fn within_full_scale(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

/// How long so many samples at this rate are, in microseconds.
#[must_use]
pub fn micros_of(samples: usize, rate: u32) -> u64 {
    samples as u64 * 1_000_000 / u64::from(rate.max(1))
}
