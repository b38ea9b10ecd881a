//! What a listener hears: packets in, samples out, as many as are asked for and evenly.

use super::coding::{Decoder, decode_pcm};
use super::jitter::{Counts, JitterBuffer, Step};
use super::resample::Resampler;
use super::{FRAME, RATE, Samples};
use crate::frame::{AudioCodec, AudioPacket};
use crate::time::Micros;

/// Frames after the last packet for which the decoder makes up something: the noise of the room goes on between two words, and who
/// has gone is silent.
const MADE_UP: u32 = 25;
/// From this frame on it gets quieter where it was no quiet one, until nothing is left after as many more. The quiet ones are the
/// noise of a room, and go on.
const FADES: u32 = 3;
const QUIET: u8 = 50;
/// Samples in which one sound goes over into another that does not fit.
const CROSSED: usize = 240;

/// What is told of what is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// What became of packets and frames.
    pub counts: Counts,
    /// Packets that were broken.
    pub broken: u64,
    /// How long packets wait at least so that late ones are in time, in milliseconds.
    pub target_ms: f64,
    /// How old is what is heard, since its capture, in milliseconds.
    pub age_ms: Option<f64>,
}

/// Makes samples of packets.
pub struct Playback {
    buffer: JitterBuffer,
    decoder: Decoder,
    resampler: Resampler,
    /// At so many samples a second.
    rate: u32,
    frame: Samples,
    /// How the last frame that was left out begins.
    left_out: Option<[f32; CROSSED]>,
    /// Frames since the last packet, and whether that was a quiet one.
    since: u32,
    quiet: bool,
    broken: u64,
    age_ms: Option<f64>,
}

impl Playback {
    /// For so many samples a second.
    ///
    /// # Errors
    /// libopus has no memory.
    pub fn new(rate: u32) -> Result<Self, String> {
        Ok(Self {
            buffer: JitterBuffer::default(),
            decoder: Decoder::new()?,
            resampler: Resampler::new(RATE, rate),
            rate,
            frame: [0.0; FRAME],
            left_out: None,
            since: MADE_UP,
            quiet: true,
            broken: 0,
            age_ms: None,
        })
    }

    /// A packet came.
    pub fn push(&mut self, packet: AudioPacket, now: Micros) {
        self.buffer.push(packet, now);
    }

    /// The next samples, of which the first is heard at this time.
    pub fn render(&mut self, out: &mut [f32], at: Micros) {
        let mut done = 0;
        loop {
            done += self.resampler.pull(out.get_mut(done..).unwrap_or_default());
            if done >= out.len() {
                return;
            }
            let ahead = done as f64 / f64::from(self.rate) + self.resampler.ahead() / f64::from(RATE);
            self.step(Micros(at.0.saturating_add((ahead * 1e6) as u64)));
        }
    }

    /// Makes what comes next, for this time.
    fn step(&mut self, at: Micros) {
        let samples = match self.buffer.next(at) {
            Step::Play(packet) => {
                self.play(&packet);
                self.age_ms = Some((at.0 as f64 - packet.captured.0 as f64) / 1e3);
                FRAME
            }
            Step::Skip(packet) => {
                self.play(&packet);
                self.left_out = self.frame.first_chunk().copied();
                return;
            }
            Step::Recover(next) => {
                self.since = 0;
                let is_opus = next.codec == AudioCodec::Opus;
                if !is_opus || self.decoder.recover(&next.data, &mut self.frame).is_err() {
                    self.decoder.conceal(&mut self.frame);
                }
                FRAME
            }
            Step::Conceal => {
                self.make_up();
                FRAME
            }
            Step::Silence(samples) => {
                self.make_up();
                samples.clamp(1, FRAME)
            }
        };
        if let Some(before) = self.left_out.take() {
            cross(&before, &mut self.frame);
        }
        self.resampler.set_speed(self.buffer.speed());
        self.resampler.push(self.frame.get(..samples).unwrap_or_default());
    }

    fn play(&mut self, packet: &AudioPacket) {
        let decoded = match packet.codec {
            AudioCodec::Opus => self.decoder.decode(&packet.data, &mut self.frame),
            AudioCodec::Pcm => decode_pcm(&packet.data, &mut self.frame),
            AudioCodec::Sealed => Err("nobody has opened it".into()),
        };
        match decoded {
            Ok(()) => (self.since, self.quiet) = (0, packet.level >= QUIET),
            Err(_) => {
                self.broken += 1;
                self.make_up();
            }
        }
    }

    fn make_up(&mut self) {
        if self.since < MADE_UP {
            self.decoder.conceal(&mut self.frame);
            if !self.quiet {
                fade(&mut self.frame, self.since);
            }
            self.since += 1;
        } else {
            self.frame = [0.0; FRAME];
            self.age_ms = None;
        }
    }

    /// How it does.
    #[must_use]
    pub fn heard(&self) -> Heard {
        let target_ms = self.buffer.target() as f64 / 1e3;
        Heard { counts: self.buffer.counts(), broken: self.broken, target_ms, age_ms: self.age_ms }
    }
}

/// The frame so many after the last that came gets quieter from its beginning to its end.
fn fade(frame: &mut Samples, since: u32) {
    let loud = |at: f32| (1.0 - (at - FADES as f32) / FADES as f32).clamp(0.0, 1.0);
    for (n, sample) in frame.iter_mut().enumerate() {
        *sample *= loud(since as f32 + n as f32 / FRAME as f32);
    }
}

/// Goes over from one sound into another.
fn cross(before: &[f32; CROSSED], frame: &mut Samples) {
    for (n, (sample, before)) in frame.iter_mut().zip(before).enumerate() {
        let part = n as f32 / CROSSED as f32;
        *sample = *sample * part + before * (1.0 - part);
    }
}
