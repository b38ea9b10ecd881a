//! A camera on Linux, by V4L2 (<https://docs.kernel.org/userspace-api/media/v4l/v4l2.html>) through the `v4l` crate,
//! which can do what nokhwa on top of it cannot: time-outs, true lengths, sequence numbers, error flags, time stamps.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use v4l::buffer::{Flags, Metadata, Type};
use v4l::device::Handle;
use v4l::format::{Colorspace, Quantization};
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::{Capture, capture::Parameters};
use v4l::{Format, Fraction};

use super::choose::{Interval, Mode, choose};
use super::formats::{Understood, understood};
use super::v4l_devices::{guarded, modes, name_of, open};
use crate::frame::{Frame, PixelFormat, Range, Size};
use crate::source::{CaptureRequest, Next, Opened, PATIENCE, STALL, SourceError, WARM_UP};
use crate::time::{Micros, now, of_monotonic};
use crate::wire::jpeg;

/// Buffers that the driver fills in turn. One is in our hands while we wait, so this is as few as keep a driver busy;
/// it adds no age, because all but the newest full one are given back unread.
const BUFFERS: u32 = 4;
/// The most buffers that V4L2 ever gives (`VIDEO_MAX_FRAME`).
const MOST_BUFFERS: usize = 32;
/// `POLLIN` of poll(2), the same on every Linux.
const POLLIN: i16 = 1;
/// A time stamp older than this is not of the clock that it claims.
const OLDEST: Duration = Duration::from_secs(1);
/// The first frame of a camera may take this long: some need seconds to wake up.
const FIRST_FRAME: Duration = Duration::from_secs(5);

/// A V4L2 device that is streaming.
pub(super) struct V4lCamera {
    stream: Stream<'static>,
    handle: Arc<Handle>,
    format: Understood,
    size: Size,
    stride: usize,
    range: Range,
    interval: Duration,
    /// How long nothing may come before the camera counts as stalled.
    patience: Duration,
    last: Micros,
    /// The last time stamp that made sense.
    stamped: Option<Micros>,
    raw_sequence: Option<u32>,
    sequence: u64,
    /// A buffer was given to the driver and none taken in return: see [`Self::settle`].
    owed: bool,
}

impl V4lCamera {
    /// Opens the device, whatever state another program left it in, and starts it. `sequence` is the number of the first
    /// frame.
    pub(super) fn open(path: &Path, request: &CaptureRequest, sequence: u64) -> Result<(Self, Opened), OpenError> {
        let device = open(path)?;
        let modes = modes(&device, request.size);
        let plain: Vec<Mode> = modes.iter().map(|(_, mode)| mode.clone()).collect();
        let choice = choose(&plain, request).ok_or(OpenError::NoCamera)?;
        let (fourcc, mode) = modes.get(choice.mode).ok_or(OpenError::NoCamera)?;

        let asked = Format::new(mode.size.width, mode.size.height, *fourcc);
        let got = guarded(|| device.set_format(&asked))?;
        let format = understood(got.fourcc.repr).ok_or(OpenError::NoCamera)?;
        let size = Size::new(got.width, got.height);
        if size.width == 0 || size.height == 0 || size.width > 16_384 || size.height > 16_384 {
            return Err(OpenError::NoCamera);
        }
        // A camera that cannot be told a rate has one all the same.
        let rate = choice
            .interval
            .and_then(|i| device.set_params(&Parameters::new(Fraction::new(i.numerator, i.denominator))).ok())
            .or_else(|| device.params().ok())
            .map(|p| Interval { numerator: p.interval.numerator, denominator: p.interval.denominator }.fps())
            .filter(|fps| (0.01..=1000.0).contains(fps));
        let interval = Duration::from_secs_f64(1.0 / rate.unwrap_or(30.0));

        let mut stream = guarded(|| Stream::with_buffers(&device, Type::VideoCapture, BUFFERS))?;
        stream.set_timeout(PATIENCE);
        let mut this = Self {
            handle: stream.handle(),
            stream,
            format,
            size,
            stride: if format.format == PixelFormat::Jpeg { 0 } else { got.stride as usize },
            range: range_of(&got),
            interval,
            patience: STALL.max(interval * 3),
            last: now() + FIRST_FRAME.saturating_sub(STALL),
            stamped: None,
            raw_sequence: None,
            sequence,
            owed: false,
        };
        if let Err(error) = this.start() {
            this.close();
            return Err(OpenError::Io(error));
        }
        let name = format!("{} ({})", name_of(path, Some(&device)).unwrap_or_else(|| "camera".into()), path.display());
        if let Some(remark) = format.remark() {
            log::warn!("camera {name} {remark}");
        }
        Ok((
            this,
            Opened { name, size, fps: rate, format: format.format, scale: true, warm_up: WARM_UP, ..Opened::default() },
        ))
    }

    /// Gives the driver its buffers and starts it, which the crate would only do, and then wait, when the first frame is
    /// asked for. Number 0 is left out: the crate takes it for the one in our hands, and will give it back first.
    fn start(&mut self) -> io::Result<()> {
        for index in 1..MOST_BUFFERS {
            match CaptureStream::queue(&mut self.stream, index) {
                // The driver may have more or fewer buffers than were asked for.
                Err(error) if index > 1 && is(&error, Errno::INVAL) => break,
                other => other?,
            }
        }
        self.stream.start()
    }

    /// The crate gives a buffer's bytes only together with returning the one before. When a frame that was to come did
    /// not, the one before is returned already: then the next is taken unseen to be in step again.
    fn settle(&mut self) -> io::Result<()> {
        if self.owed {
            CaptureStream::dequeue(&mut self.stream)?;
            self.owed = false;
        }
        Ok(())
    }

    pub(super) fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        match self.try_next(frame) {
            Ok(Next::Nothing) if now().since(self.last) >= self.patience => {
                Err(SourceError::Lost("camera stalled".into()))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Next::Nothing),
            Err(error) => Err(lost(&error)),
            Ok(next) => Ok(next),
        }
    }

    fn ready_within(&self, patience: Duration) -> io::Result<bool> {
        Ok(self.handle.poll(POLLIN, patience.as_millis() as i32)? > 0)
    }

    fn try_next(&mut self, frame: &mut Frame) -> io::Result<Next> {
        if !self.ready_within(PATIENCE)? {
            return Ok(Next::Nothing);
        }
        self.settle()?;
        let (mut taken, mut waited) = (0, false);
        loop {
            // Cleared below, when the frame is here.
            self.owed = true;
            let (bytes, meta) = match CaptureStream::next(&mut self.stream) {
                Ok(frame) => frame,
                Err(e) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                    return Ok(Next::Nothing);
                }
                Err(e) => return Err(e),
            };
            self.owed = false;
            taken += 1;
            let at = now();
            let stamp = stamp(meta, at, self.stamped, of_monotonic);
            self.stamped = stamp.or(self.stamped);
            let captured = stamp.unwrap_or(at);
            // The newest wins: what is full behind this one is newer. If all buffers were full, the driver had none
            // left for what came later, and even the last is old: then wait for the next.
            if taken < BUFFERS && self.handle.poll(POLLIN, 0)? > 0 {
                continue;
            }
            let all_full = taken >= BUFFERS - 1 && at.since(captured) > self.interval * 3 / 2;
            if all_full && !waited && self.handle.poll(POLLIN, PATIENCE.as_millis() as i32)? > 0 {
                waited = true;
                continue;
            }
            let meta = *meta;
            let good = fill(bytes, &meta, frame, self.format, self.size, self.stride);
            self.last = at;
            self.count(meta.sequence);
            if !good {
                return Ok(Next::Broken);
            }
            frame.range = self.range;
            frame.captured = captured;
            frame.arrival = stamp.is_none();
            frame.sequence = self.sequence;
            return Ok(Next::Frame);
        }
    }

    /// Carries the driver's 32-bit number on. Some drivers leave it at zero.
    fn count(&mut self, raw: u32) {
        let step = self.raw_sequence.map_or(1, |old| raw.wrapping_sub(old));
        self.sequence += u64::from(if step < 1 << 20 { step.max(1) } else { 1 });
        self.raw_sequence = Some(raw);
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Stops the camera and lets go of it.
    pub(super) fn close(mut self) {
        match self.stream.stop() {
            Ok(()) => {}
            // The crate's own clean-up copes with a device that is gone, and panics at anything else.
            Err(error) if is(&error, Errno::NODEV) => {}
            Err(error) => {
                log::warn!("the camera cannot be stopped, its buffers stay taken: {error}");
                std::mem::forget(self);
            }
        }
    }
}

/// Puts a driver's buffer into a frame; `false` if it is broken.
fn fill(bytes: &[u8], meta: &Metadata, frame: &mut Frame, format: Understood, size: Size, stride: usize) -> bool {
    let used = (meta.bytesused as usize).min(bytes.len());
    let bytes = bytes.get(..used).unwrap_or_default();
    if meta.flags.contains(Flags::ERROR) || bytes.is_empty() {
        return false;
    }
    frame.format = format.format;
    frame.size = size;
    frame.metadata = None;
    if format.format != PixelFormat::Jpeg {
        return format.copy(bytes, size, stride, &mut frame.data);
    }
    frame.data.clear();
    frame.data.extend_from_slice(bytes);
    // Nearly always the picture is all there is. If not, there may be rubbish before it and padding behind it, its end may be
    // missing, or it is cut off.
    let whole = bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9]);
    whole || jpeg::cut_to_picture(&mut frame.data, &mut |_| true).is_ok()
}

/// When the frame was taken, in our clock; `None`: nobody told. V4L2 says which clock it used; a stamp in the future, which
/// some drivers give, means now, and one that is older than any frame can be is of another clock; unless it follows on one
/// that was not, for then it is we who stood still.
///
/// `ours` gives a time of V4L2's clock on ours.
fn stamp(meta: &Metadata, now: Micros, before: Option<Micros>, ours: impl Fn(Micros) -> Micros) -> Option<Micros> {
    let monotonic = meta.flags & Flags::TIMESTAMP_MASK == Flags::TIMESTAMP_MONOTONIC;
    let (sec, usec) = u64::try_from(meta.timestamp.sec).ok().zip(u64::try_from(meta.timestamp.usec).ok())?;
    let at = ours(Micros(sec.saturating_mul(1_000_000).saturating_add(usec))).min(now);
    (monotonic && (now.since(at) <= OLDEST || before.is_some_and(|before| before <= at))).then_some(at)
}

/// Which range the Y, U and V values have, by V4L2's rules for what a driver leaves open: limited, but for the
/// colorspace JPEG (<https://docs.kernel.org/userspace-api/media/v4l/colorspaces-defs.html>).
fn range_of(format: &Format) -> Range {
    match (format.quantization, format.colorspace) {
        (Quantization::FullRange, _) | (Quantization::Default, Colorspace::JPEG) => Range::Full,
        _ => Range::Limited,
    }
}

/// Why a device cannot be opened.
pub(super) enum OpenError {
    /// There is no such device.
    NotThere,
    /// It is no camera, or none with a format that is understood.
    NoCamera,
    /// The kernel said no.
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NXIO | Errno::NODEV) => Self::NotThere,
            _ => Self::Io(error),
        }
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    Errno::from_io_error(error) == Some(errno)
}

/// What the viewers are told when a camera fails.
pub(super) fn lost(error: &io::Error) -> SourceError {
    SourceError::Lost(match Errno::from_io_error(error) {
        Some(Errno::NODEV | Errno::NXIO | Errno::NOENT) => "camera unplugged".into(),
        Some(Errno::BUSY) => "camera busy: another program has it".into(),
        Some(Errno::ACCESS | Errno::PERM) => "camera: permission denied; is this user in the group 'video'?".into(),
        Some(Errno::NOSPC) => "camera: no bandwidth left on its USB bus; unplug another or ask for less".into(),
        _ => format!("camera failed: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use v4l::Timestamp;
    use v4l::format::FourCC;

    use super::*;

    fn meta(flags: Flags, at: u64) -> Metadata {
        let timestamp = Timestamp::new((at / 1_000_000) as i64, (at % 1_000_000) as i64);
        Metadata { bytesused: 12, flags, field: 0, timestamp, sequence: 0 }
    }

    #[test]
    fn a_time_stamp_is_trusted_only_where_it_makes_sense() {
        let now = Micros(100_000_000);
        let mono = Flags::TIMESTAMP_MONOTONIC;
        // The machine has slept for an hour.
        let told = |meta: &Metadata, before: Option<Micros>| {
            let slept = Duration::from_secs(3600);
            stamp(meta, now + slept, before.map(|before| before + slept), |at| at + slept).map(|at| at - slept)
        };
        assert_eq!(told(&meta(mono, 99_970_000), None), Some(Micros(99_970_000)));
        assert_eq!(told(&meta(mono, 100_000_500), None), Some(now), "in the future");
        assert_eq!(told(&meta(mono, 98_000_000), None), None, "older than a frame can be");
        assert_eq!(told(&meta(Flags::TIMESTAMP_UNKNOWN, 99_970_000), None), None, "of another clock");
        assert_eq!(told(&meta(mono, 0), None), None);
        let before = Some(Micros(89_970_000));
        assert_eq!(told(&meta(mono, 90_000_000), before), Some(Micros(90_000_000)), "we stood still");
        assert_eq!(told(&meta(mono, 80_000_000), before), None);
    }

    #[test]
    fn the_range_follows_the_kernels_rules() {
        let mut format = Format::new(640, 480, FourCC::new(b"YUYV"));
        assert_eq!(range_of(&format), Range::Limited);
        format.colorspace = Colorspace::JPEG;
        assert_eq!(range_of(&format), Range::Full);
        format.quantization = Quantization::LimitedRange;
        assert_eq!(range_of(&format), Range::Limited);
        format.colorspace = Colorspace::SRGB;
        format.quantization = Quantization::FullRange;
        assert_eq!(range_of(&format), Range::Full);
    }

    #[test]
    fn a_buffer_that_is_flagged_empty_or_cut_off_is_broken() {
        let size = Size::new(2, 2);
        let mut frame = Frame::default();
        let (rgb, jpeg) = (understood(*b"RGB3").unwrap(), understood(*b"MJPG").unwrap());
        let mut put = |meta: &Metadata, bytes: &[u8], format| fill(bytes, meta, &mut frame, format, size, 0);
        let good = meta(Flags::empty(), 0);
        assert!(put(&good, &[1; 12], rgb));
        assert!(!put(&meta(Flags::ERROR, 0), &[1; 12], rgb));
        assert!(!put(&Metadata { bytesused: 0, ..good }, &[1; 12], rgb));
        assert!(!put(&Metadata { bytesused: 11, ..good }, &[1; 12], rgb));
        assert!(!put(&good, &[0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 2, 3, 4, 5, 6], jpeg));
    }

    #[test]
    fn a_jpeg_is_cut_at_its_end() {
        let picture = crate::wire::pictures::tests::picture(64, b"whole");
        let mut frame = Frame::default();
        let padded = [&picture[..], &[0; 2]].concat();
        let meta = Metadata { bytesused: u32::try_from(padded.len()).unwrap(), ..meta(Flags::empty(), 0) };
        assert!(fill(&padded, &meta, &mut frame, understood(*b"MJPG").unwrap(), Size::new(2, 2), 0));
        assert_eq!(frame.data[..], picture);
    }
}
