//! An open V4L2 device: what it offers, and which format and rate it is told. Devices whose pictures lie in several buffers
//! each ("multi-planar", most cameras on the board of a small computer) are told and asked the same way.
//!
//! Source: <https://docs.kernel.org/userspace-api/media/v4l/planar-apis.html>.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::io::Errno;

use super::super::choose::{Interval, Rates, nearest_step};
use crate::frame::{Range, Size};
use crate::system::v4l2::{self, Format, Kind, Offered};

/// Formats, sizes or rates that are read of a device, at most: a driver that never ends its list must not hold us up.
const MOST: u32 = 256;

/// The four letters of a format.
pub(in crate::source::camera) type FourCc = [u8; 4];

pub(super) struct Device {
    pub(super) file: File,
    pub(super) kind: Kind,
    /// The name that the driver gives it; empty if it gives none.
    pub(super) card: String,
    /// It turns pictures into others, as the encoders of small computers do.
    pub(super) is_codec: bool,
}

/// What a device was told, and took.
pub(super) struct Taken {
    pub(super) fourcc: FourCc,
    pub(super) size: Size,
    /// Bytes from one row to the next, of each buffer of a picture.
    pub(super) strides: Vec<usize>,
    pub(super) range: Range,
}

/// `V4L2_CAP_…`.
const CAPTURE: u32 = 0x1;
const CAPTURE_PLANES: u32 = 0x1000;
const CODEC: u32 = 0x8000 | 0x4000;

impl Device {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        // What does not answer is no camera, which is seen when it offers no format.
        let (card, caps) = v4l2::capabilities(&file).unwrap_or_default();
        let kind = if caps & (CAPTURE | CAPTURE_PLANES) == CAPTURE_PLANES { Kind::Planes } else { Kind::Single };
        Ok(Self { file, kind, card, is_codec: caps & CODEC != 0 })
    }

    /// Whether another program has its pictures. Asking for no buffers takes nothing from anybody.
    pub(super) fn is_busy(&self) -> bool {
        let asked = v4l2::request_buffers(&self.file, self.kind, 0);
        asked.is_err_and(|error| Errno::from_io_error(&error) == Some(Errno::BUSY))
    }

    /// The formats that it captures: none of one that is no camera, such as the node beside a camera that carries its metadata.
    pub(super) fn fourccs(&self) -> Vec<FourCc> {
        let formats = (0..MOST).map_while(|n| v4l2::format_at(&self.file, self.kind, n).ok());
        formats.map(u32::to_le_bytes).collect()
    }

    /// The sizes of a format; in a range of sizes, the one nearest to the request. None where the driver does not say.
    pub(super) fn sizes(&self, fourcc: FourCc, request: Size) -> Vec<Size> {
        let size = |(width, height): (u32, u32)| Size::new(width, height);
        let mut sizes = Vec::new();
        for n in 0..MOST {
            match v4l2::size_at(&self.file, u32::from_le_bytes(fourcc), n) {
                Ok(Offered::One(one)) => sizes.push(size(one)),
                Ok(Offered::Range { min, max, step }) => {
                    sizes.push(nearest_step(request, size(min), size(max), size(step)));
                    // It is the only answer that there is.
                    break;
                }
                Err(_) => break,
            }
        }
        sizes
    }

    pub(super) fn rates(&self, fourcc: FourCc, size: Size) -> Rates {
        let interval = |(numerator, denominator): (u32, u32)| Interval { numerator, denominator };
        let mut listed = Vec::new();
        for n in 0..MOST {
            match v4l2::interval_at(&self.file, u32::from_le_bytes(fourcc), (size.width, size.height), n) {
                Ok(Offered::One(one)) => listed.push(interval(one)),
                Ok(Offered::Range { min, max, .. }) => {
                    return Rates::Between(interval(max).fps(), interval(min).fps());
                }
                Err(_) => break,
            }
        }
        if listed.is_empty() { Rates::Unknown } else { Rates::Listed(listed) }
    }

    /// Tells it format and size; it takes them or what is near.
    pub(super) fn set_format(&self, fourcc: FourCc, size: Size) -> io::Result<Taken> {
        let fourcc = u32::from_le_bytes(fourcc);
        let took = v4l2::set_format(&self.file, self.kind, fourcc, (size.width, size.height))?;
        let strides = took.strides.iter().map(|stride| *stride as usize).collect();
        let size = Size::new(took.width, took.height);
        Ok(Taken { fourcc: took.fourcc.to_le_bytes(), size, strides, range: range_of(&took) })
    }

    /// Tells it a rate, if there is one to tell, and gives the interval that it has now; `None`: it has no rate that it knows.
    pub(super) fn set_interval(&self, interval: Option<Interval>) -> Option<Interval> {
        let told = interval.map(|Interval { numerator, denominator }| (numerator, denominator));
        let took = v4l2::set_interval(&self.file, self.kind, told);
        // A camera that cannot be told a rate has one all the same.
        let (numerator, denominator) = took.or_else(|_| v4l2::set_interval(&self.file, self.kind, None)).ok()?;
        Some(Interval { numerator, denominator })
    }
}

/// `V4L2_QUANTIZATION_…`.
const FULL_RANGE: u32 = 1;
const LIMITED_RANGE: u32 = 2;
/// `V4L2_COLORSPACE_JPEG`.
const COLORSPACE_JPEG: u32 = 7;

/// Which range the Y, U and V values have, by V4L2's rules for what a driver leaves open: limited, but for the colorspace JPEG
/// (<https://docs.kernel.org/userspace-api/media/v4l/colorspaces-defs.html>).
fn range_of(format: &Format) -> Range {
    match (format.quantization, format.colorspace) {
        (FULL_RANGE, _) => Range::Full,
        (LIMITED_RANGE, _) => Range::Limited,
        (_, COLORSPACE_JPEG) => Range::Full,
        _ => Range::Limited,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_follows_the_kernels_rules() {
        let range = |quantization, colorspace| range_of(&Format { quantization, colorspace, ..Format::default() });
        assert_eq!(range(0, 0), Range::Limited);
        assert_eq!(range(0, 8), Range::Limited, "sRGB");
        assert_eq!(range(0, COLORSPACE_JPEG), Range::Full);
        assert_eq!(range(LIMITED_RANGE, COLORSPACE_JPEG), Range::Limited);
        assert_eq!(range(FULL_RANGE, 8), Range::Full);
        assert_eq!(range(77, 99), Range::Limited, "what nobody knows yet");
    }
}
