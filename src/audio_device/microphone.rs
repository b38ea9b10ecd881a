//! A microphone that is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, InputCallbackInfo, Sample, SampleFormat, SizedSample, Stream};

use super::ring::{Reader, Writer, ring};
use super::{Direction, choose, find, in_words};
use crate::audio::capture_clock::CaptureClock;
use crate::audio::resample::Resampler;
use crate::audio::{FRAME, RATE, Samples};
use crate::time::{Micros, now};

/// Room for samples: whoever reads more seldom loses some.
const ROOM: usize = 1 << 15;
const STAMPS: usize = 256;

/// Dropping it closes the device.
pub(crate) struct Microphone {
    _stream: Stream,
    samples: Reader,
    /// How many samples there had been, and when the next was captured: two numbers for each call of the device.
    stamps: Reader,
    clock: CaptureClock,
    resampler: Resampler,
    rate: u32,
    /// Samples that were taken out of the ring.
    taken: u64,
    gone: Arc<AtomicBool>,
}

impl Microphone {
    /// Opens the device of this name.
    ///
    /// # Errors
    /// It is not there, or cannot be used, in words.
    pub(crate) fn open(wanted: &str) -> Result<Self, String> {
        let device = find(Direction::Input, wanted)?;
        let said = |error: cpal::Error| in_words(wanted, &error);
        let ranges = device.supported_input_configs().map_err(said)?;
        let (config, format) =
            choose(ranges, 1).ok_or_else(|| format!("{wanted}: this device gives sound in no usual form"))?;
        let (into, samples) = ring(ROOM);
        let (stamps_in, stamps) = ring(STAMPS);
        let gone = Arc::new(AtomicBool::new(false));
        let tap = Tap { into, stamps: stamps_in, count: 0, channels: usize::from(config.channels) };
        let failed = gone.clone();
        let errors = move |error: cpal::Error| {
            if is_end(&error) {
                failed.store(true, Ordering::Release);
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
        Ok(Self {
            _stream: stream,
            samples,
            stamps,
            clock: CaptureClock::new(config.sample_rate),
            resampler: Resampler::new(config.sample_rate, RATE),
            rate: config.sample_rate,
            taken: 0,
            gone,
        })
    }

    /// The next frame, if there is one, with the time at which its first sample was captured.
    ///
    /// # Errors
    /// The device is not there any more.
    pub(crate) fn frame(&mut self, into: &mut Samples) -> Result<Option<Micros>, String> {
        while let Some((count, at)) = self.stamps.take().zip(self.stamps.take()) {
            self.clock.told(count, Micros(at));
        }
        let mut part = [0.0; 256];
        loop {
            if self.resampler.ahead() * f64::from(RATE) / f64::from(self.rate) >= (FRAME + 64) as f64 {
                break;
            }
            let mut count = 0;
            for (sample, bits) in part.iter_mut().zip(std::iter::from_fn(|| self.samples.take())) {
                *sample = f32::from_bits(bits as u32);
                count += 1;
            }
            self.taken += count as u64;
            self.resampler.push(part.get(..count).unwrap_or_default());
            if count < part.len() {
                break;
            }
        }
        if self.resampler.ahead() * f64::from(RATE) / f64::from(self.rate) < (FRAME + 64) as f64 {
            return if self.gone.load(Ordering::Acquire) { Err("the sound device has gone".into()) } else { Ok(None) };
        }
        // What lies ahead in the resampler was taken last.
        let first = self.taken.saturating_sub(self.resampler.ahead() as u64);
        self.resampler.pull(into);
        Ok(Some(self.clock.time_of(first).unwrap_or_else(|| now() - Duration::from_millis(20))))
    }
}

/// Whether a device will give or take nothing more.
pub(super) fn is_end(error: &cpal::Error) -> bool {
    use cpal::ErrorKind::{DeviceNotAvailable, HostUnavailable, StreamInvalidated};
    matches!(error.kind(), DeviceNotAvailable | HostUnavailable | StreamInvalidated)
}

/// What the device's own thread has.
struct Tap {
    into: Writer,
    stamps: Writer,
    count: u64,
    channels: usize,
}

impl Tap {
    fn take<T: Sample>(&mut self, data: &[T], info: &InputCallbackInfo)
    where
        f32: FromSample<T>,
    {
        let told = info.timestamp();
        let captured = now() - told.callback.saturating_duration_since(told.capture);
        if self.stamps.put(self.count) {
            // There is room for both: their number is even.
            self.stamps.put(captured.0);
        }
        for frame in data.chunks_exact(self.channels) {
            let sum: f32 = frame.iter().map(|sample| f32::from_sample(*sample)).sum();
            let sample = sum / self.channels as f32;
            if self.into.put(sample.to_bits().into()) {
                self.count += 1;
            }
        }
    }
}

fn build<T>(
    device: &cpal::Device,
    config: cpal::StreamConfig,
    mut tap: Tap,
    errors: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    device.build_input_stream(config, move |data: &[T], info: &InputCallbackInfo| tap.take(data, info), errors, None)
}
