//! A camera on Linux, by V4L2 itself (<https://docs.kernel.org/userspace-api/media/v4l/v4l2.html>): nokhwa has no time-outs, true
//! lengths, sequence numbers, error flags and time stamps, and neither it nor the `v4l` crate below it reads a camera that puts the
//! planes of a picture into buffers of their own.

pub(super) mod controls;
mod device;
pub(super) mod devices;
mod queue;
mod refusal;

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use self::device::{Device, FourCc};
use self::devices::{modes, name_of};
use self::queue::Queue;
pub(super) use self::refusal::closed;
use super::choose::{Interval, Mode, choose};
use super::formats::{Understood, understood};
use crate::error::in_words;
use crate::frame::{Frame, PixelFormat, Range, Size};
use crate::source::{CaptureRequest, Next, Opened, PATIENCE, STALL, SourceError, WARM_UP};
use crate::system::v4l2::Filled;
use crate::time::{Micros, now, of_monotonic};
use crate::wire::jpeg;

/// Buffers that the driver fills in turn: as few as keep one busy. It adds no age, because all but the newest full one are given
/// back unread.
const BUFFERS: u32 = 4;
/// `V4L2_BUF_FLAG_ERROR`: the driver knows that the picture is broken.
const BROKEN: u32 = 0x40;
/// `V4L2_BUF_FLAG_TIMESTAMP_…`: which clock a time stamp is of.
const CLOCK: u32 = 0xe000;
const MONOTONIC: u32 = 0x2000;
/// A time stamp older than this is not of the clock that it claims.
const OLDEST: Duration = Duration::from_secs(1);
/// The first frame of a camera may take this long: some need seconds to wake up.
const FIRST_FRAME: Duration = Duration::from_secs(5);

/// A V4L2 device that is streaming.
pub(super) struct V4lCamera {
    queue: Queue,
    format: Understood,
    size: Size,
    strides: Vec<usize>,
    range: Range,
    interval: Duration,
    /// How long nothing may come before the camera counts as stalled.
    patience: Duration,
    last: Micros,
    /// The last time stamp that made sense.
    stamped: Option<Micros>,
    raw_sequence: Option<u32>,
    sequence: u64,
}

impl V4lCamera {
    /// Opens the device, whatever state another program left it in, and starts it. `sequence` is the number of the first
    /// frame.
    pub(super) fn open(path: &Path, request: &CaptureRequest, sequence: u64) -> Result<(Self, Opened), OpenError> {
        let device = Device::open(path)?;
        let modes = modes(&device, request.size);
        let plain: Vec<Mode> = modes.iter().map(|(_, mode)| mode.clone()).collect();
        let choice = choose(&plain, request).ok_or(OpenError::NoCamera)?;
        let (fourcc, mode) = modes.get(choice.mode).ok_or(OpenError::NoCamera)?;
        let name = name_of(path, Some(&device)).unwrap_or_else(|| "camera".into());
        let name = format!("{name} ({})", path.display());
        Self::start(device, name, (*fourcc, mode.size, choice.interval), sequence)
    }

    fn start(
        device: Device,
        name: String,
        (fourcc, size, interval): (FourCc, Size, Option<Interval>),
        sequence: u64,
    ) -> Result<(Self, Opened), OpenError> {
        let took = device.set_format(fourcc, size)?;
        let (format, size) = (understood(took.fourcc).ok_or(OpenError::NoCamera)?, took.size);
        if size.width == 0 || size.height == 0 || size.width > 16_384 || size.height > 16_384 {
            return Err(OpenError::NoCamera);
        }
        let rate = device.set_interval(interval).map(Interval::fps).filter(|fps| (0.01..=1000.0).contains(fps));
        let interval = Duration::from_secs_f64(1.0 / rate.unwrap_or(30.0));
        let this = Self {
            queue: Queue::start(device, BUFFERS)?,
            format,
            size,
            strides: took.strides,
            range: took.range,
            interval,
            patience: STALL.max(interval * 3),
            last: now() + FIRST_FRAME.saturating_sub(STALL),
            stamped: None,
            raw_sequence: None,
            sequence,
        };
        if let Some(remark) = format.remark() {
            log::warn!("camera {name} {remark}");
        }
        Ok((
            this,
            Opened { name, size, fps: rate, format: format.format, scale: true, warm_up: WARM_UP, ..Opened::default() },
        ))
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

    fn try_next(&mut self, frame: &mut Frame) -> io::Result<Next> {
        if !self.queue.ready_within(PATIENCE)? {
            return Ok(Next::Nothing);
        }
        let Some(mut newest) = self.queue.take()? else { return Ok(Next::Nothing) };
        let (mut taken, mut waited) = (1, false);
        let (at, captured, stamped) = loop {
            let at = now();
            let stamp = stamp(&newest, at, self.stamped, of_monotonic);
            self.stamped = stamp.or(self.stamped);
            let captured = stamp.unwrap_or(at);
            // The newest wins: what is full behind this one is newer. If all buffers were full, the driver had none
            // left for what came later, and even the last is old: then wait for the next.
            let all_full = taken >= self.queue.len() && at.since(captured) > self.interval * 3 / 2;
            let newer = if taken < self.queue.len() {
                self.queue.take()?
            } else if all_full && !waited && self.queue.ready_within(PATIENCE)? {
                waited = true;
                self.queue.take()?
            } else {
                None
            };
            let Some(newer) = newer else { break (at, captured, stamp.is_some()) };
            taken += 1;
            self.queue.give_back(&std::mem::replace(&mut newest, newer))?;
        };
        let whole = newest.flags & BROKEN == 0;
        let good = whole && fill(&self.queue.planes(&newest), frame, self.format, self.size, &self.strides);
        self.queue.give_back(&newest)?;
        self.last = at;
        self.count(newest.sequence);
        if !good {
            return Ok(Next::Broken);
        }
        frame.range = self.range;
        frame.captured = captured;
        frame.arrival = !stamped;
        frame.sequence = self.sequence;
        Ok(Next::Frame)
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
}

/// Puts a picture of a driver, of one plane or several, into a frame; `false` if it is broken.
fn fill(planes: &[&[u8]], frame: &mut Frame, format: Understood, size: Size, strides: &[usize]) -> bool {
    let Some(bytes) = planes.first().filter(|bytes| !bytes.is_empty()) else { return false };
    frame.format = format.format;
    frame.size = size;
    frame.metadata = None;
    if format.format != PixelFormat::Jpeg {
        return format.copy(planes, size, strides, &mut frame.data);
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
fn stamp(filled: &Filled, now: Micros, before: Option<Micros>, ours: impl Fn(Micros) -> Micros) -> Option<Micros> {
    let monotonic = filled.flags & CLOCK == MONOTONIC;
    let (sec, usec) = u64::try_from(filled.at.0).ok().zip(u64::try_from(filled.at.1).ok())?;
    let at = ours(Micros(sec.saturating_mul(1_000_000).saturating_add(usec))).min(now);
    (monotonic && (now.since(at) <= OLDEST || before.is_some_and(|before| before <= at))).then_some(at)
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

/// What the viewers are told when a camera fails.
pub(super) fn lost(error: &io::Error) -> SourceError {
    SourceError::Lost(match Errno::from_io_error(error) {
        Some(Errno::NODEV | Errno::NXIO | Errno::NOENT) => "camera unplugged".into(),
        Some(Errno::BUSY) => "camera busy: another program has it".into(),
        Some(Errno::ACCESS | Errno::PERM) => "camera: permission denied".into(),
        Some(Errno::NOSPC) => "camera: no bandwidth left on its USB bus; unplug another or ask for less".into(),
        _ => format!("camera failed: {}", in_words(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(flags: u32, at: u64) -> Filled {
        Filled { flags, at: ((at / 1_000_000) as i64, (at % 1_000_000) as i64), ..Filled::default() }
    }

    #[test]
    fn a_time_stamp_is_trusted_only_where_it_makes_sense() {
        let now = Micros(100_000_000);
        // The machine has slept for an hour.
        let told = |filled: &Filled, before: Option<Micros>| {
            let slept = Duration::from_secs(3600);
            stamp(filled, now + slept, before.map(|before| before + slept), |at| at + slept).map(|at| at - slept)
        };
        assert_eq!(told(&filled(MONOTONIC, 99_970_000), None), Some(Micros(99_970_000)));
        assert_eq!(told(&filled(MONOTONIC, 100_000_500), None), Some(now), "in the future");
        assert_eq!(told(&filled(MONOTONIC, 98_000_000), None), None, "older than a frame can be");
        assert_eq!(told(&filled(0, 99_970_000), None), None, "of another clock");
        assert_eq!(told(&filled(MONOTONIC, 0), None), None);
        let before = Some(Micros(89_970_000));
        assert_eq!(told(&filled(MONOTONIC, 90_000_000), before), Some(Micros(90_000_000)), "we stood still");
        assert_eq!(told(&filled(MONOTONIC, 80_000_000), before), None);
        assert_eq!(told(&Filled { at: (-1, 0), ..filled(MONOTONIC, 0) }, None), None);
    }

    #[test]
    fn a_buffer_that_is_empty_or_cut_off_is_broken() {
        let size = Size::new(2, 2);
        let mut frame = Frame::default();
        let (rgb, jpeg) = (understood(*b"RGB3").unwrap(), understood(*b"MJPG").unwrap());
        let mut put = |bytes: &[u8], format| fill(&[bytes], &mut frame, format, size, &[0]);
        assert!(put(&[1; 12], rgb));
        assert!(!put(&[], rgb));
        assert!(!put(&[1; 11], rgb));
        assert!(!put(&[0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 2, 3, 4, 5, 6], jpeg));
    }

    /// vivid, the kernel's own test camera, draws the same colour bars in all that it knows; with `multiplanar=2` it has all
    /// formats that put their planes into buffers of their own.
    #[test]
    #[ignore = "needs a camera that shows the same in every format: scripts/try-rigs runs this with the kernel's own"]
    fn every_format_of_the_kernels_test_camera_shows_the_same_picture() {
        let (size, path) = (Size::new(320, 180), Path::new("/dev/video0"));
        let shown = |fourcc: FourCc| {
            let device = Device::open(path).unwrap();
            let (mut camera, opened) = V4lCamera::start(device, "vivid".into(), (fourcc, size, None), 0).ok().unwrap();
            assert_eq!(opened.size, size);
            let mut frame = Frame::default();
            let begun = now();
            while !matches!(camera.next(&mut frame).unwrap(), Next::Frame) {
                assert!(now().since(begun) < Duration::from_secs(20), "no picture");
            }
            let (mut jpeg, mut bitmap) = (Vec::new(), crate::jpeg::Bitmap::default());
            crate::jpeg::Encoder::new().unwrap().encode(&frame, size, 95, &mut jpeg).unwrap();
            crate::jpeg::Decoder::new().unwrap().decode(&jpeg, &mut bitmap).unwrap();
            bitmap.pixels
        };
        let expected = shown(*b"YUYV");
        let mut kinds = 0;
        for fourcc in Device::open(path).unwrap().fourccs() {
            // Without colours it differs.
            if understood(fourcc).is_none_or(|format| format.format == PixelFormat::Gray) {
                continue;
            }
            let pixels = shown(fourcc);
            let channels = pixels.iter().zip(&expected).flat_map(|(a, b)| {
                a.to_be_bytes().into_iter().zip(b.to_be_bytes()).skip(1).map(|(a, b)| u64::from(a.abs_diff(b)))
            });
            let difference = channels.sum::<u64>() as f64 / (3 * expected.len()) as f64;
            println!("{}: {difference:.1}", String::from_utf8_lossy(&fourcc));
            assert!(difference < 8.0, "{fourcc:?}");
            kinds += 1;
        }
        assert!(kinds >= 20, "{kinds}");
    }

    #[test]
    fn a_jpeg_is_cut_at_its_end() {
        let picture = crate::wire::pictures::tests::picture(64, b"whole");
        let mut frame = Frame::default();
        let padded = [&picture[..], &[0; 2]].concat();
        assert!(fill(&[&padded], &mut frame, understood(*b"MJPG").unwrap(), Size::new(2, 2), &[0]));
        assert_eq!(frame.data[..], picture);
    }
}
