//! A loudspeaker that is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, OutputCallbackInfo, Sample, SampleFormat, SizedSample, Stream};

use super::microphone::is_end;
use super::ring::{Reader, Writer, ring};
use super::{BLOCK, Direction, choose, find, in_words};
use crate::time::micros;

/// Room for samples.
const ROOM: usize = 1 << 14;

/// Dropping it closes the device.
pub(crate) struct Speaker {
    _stream: Stream,
    samples: Writer,
    /// Samples a second.
    pub(crate) rate: u32,
    told: Arc<Told>,
}

/// What the device's own thread tells.
#[derive(Default)]
struct Told {
    /// How long what it takes is under way, in microseconds; and how many samples it takes at once.
    latency: AtomicU64,
    block: AtomicU64,
    /// Samples that were not there when it wanted them.
    missed: AtomicU64,
    gone: AtomicBool,
}

impl Speaker {
    /// Opens the device of this name. The thread is woken whenever it has taken something.
    ///
    /// # Errors
    /// It is not there, or cannot be used, in words.
    pub(crate) fn open(wanted: &str, wakes: Thread) -> Result<Self, String> {
        let device = find(Direction::Output, wanted)?;
        let said = |error: cpal::Error| in_words(wanted, &error);
        let ranges = device.supported_output_configs().map_err(said)?;
        let (config, format) =
            choose(ranges, 2).ok_or_else(|| format!("{wanted}: this device takes sound in no usual form"))?;
        let (samples, from) = ring(ROOM);
        let told = Arc::new(Told::default());
        told.block.store(BLOCK.into(), Ordering::Relaxed);
        let tap = Tap { from, told: told.clone(), channels: usize::from(config.channels), wakes };
        let failed = told.clone();
        let errors = move |error: cpal::Error| {
            if is_end(&error) {
                failed.gone.store(true, Ordering::Release);
            }
        };
        let stream = match format {
            SampleFormat::F32 => build::<f32>(&device, config, tap, errors),
            SampleFormat::I16 => build::<i16>(&device, config, tap, errors),
            SampleFormat::I32 => build::<i32>(&device, config, tap, errors),
            _ => build::<u8>(&device, config, tap, errors),
        };
        let stream = stream.map_err(said)?;
        stream.play().map_err(said)?;
        Ok(Self { _stream: stream, samples, rate: config.sample_rate, told })
    }

    /// How many samples it wants now, so that it has enough when it takes the next ones, and no more.
    #[must_use]
    pub(crate) fn wants(&self) -> usize {
        let block = self.told.block.load(Ordering::Relaxed) as usize;
        // Half of one more is for a thread that is woken late.
        (block + block / 2).min(ROOM / 2).saturating_sub(self.samples.waiting())
    }

    /// How long it takes until what is given now is heard.
    #[must_use]
    pub(crate) fn latency(&self) -> Duration {
        let waits = self.samples.waiting() as u64 * 1_000_000 / u64::from(self.rate.max(1));
        Duration::from_micros(waits + self.told.latency.load(Ordering::Relaxed))
    }

    /// Gives samples to be played.
    pub(crate) fn play(&self, samples: &[f32]) {
        for sample in samples {
            // There is room for more than it ever wants.
            self.samples.put(sample.to_bits().into());
        }
    }

    /// How long it had nothing to play, in milliseconds.
    #[must_use]
    pub(crate) fn missed_ms(&self) -> f64 {
        self.told.missed.load(Ordering::Relaxed) as f64 * 1e3 / f64::from(self.rate.max(1))
    }

    /// The device is not there any more.
    #[must_use]
    pub(crate) fn is_gone(&self) -> bool {
        self.told.gone.load(Ordering::Acquire)
    }
}

/// What the device's own thread has.
struct Tap {
    from: Reader,
    told: Arc<Told>,
    channels: usize,
    wakes: Thread,
}

impl Tap {
    fn give<T: Sample + FromSample<f32>>(&mut self, data: &mut [T], info: &OutputCallbackInfo) {
        let told = info.timestamp();
        let under_way = told.playback.saturating_duration_since(told.callback);
        self.told.latency.store(micros(under_way), Ordering::Relaxed);
        self.told.block.store((data.len() / self.channels) as u64, Ordering::Relaxed);
        let mut missed = 0;
        for frame in data.chunks_exact_mut(self.channels) {
            let sample = match self.from.take() {
                Some(bits) => f32::from_bits(bits as u32),
                None => {
                    missed += 1;
                    0.0
                }
            };
            frame.fill(T::from_sample(sample));
        }
        self.told.missed.fetch_add(missed, Ordering::Relaxed);
        self.wakes.unpark();
    }
}

fn build<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: cpal::StreamConfig,
    mut tap: Tap,
    errors: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<Stream, cpal::Error> {
    let give = move |data: &mut [T], info: &OutputCallbackInfo| tap.give(data, info);
    device.build_output_stream(config, give, errors, None)
}
