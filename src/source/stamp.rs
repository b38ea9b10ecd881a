//! The time painted into a picture, so that a machine can read off any screen, or out of any JPEG, how old it is.
//!
//! 80 square cells, white for 1 and black for 0, in 2 rows of 40 at the top left. Read row by row, most significant bit
//! first, they are 48 bits of the machine's clock ([`crate::time::now`]) in microseconds, 16 bits of the frame number and a checksum
//! of 16 bits: the sum of the four 16-bit words before it, xor `0x5afe`.
//!
//! A cell is 16 pixels wide and high in a picture at least 640 wide, and a fortieth of the width, rounded down, in a
//! narrower one. A picture narrower than 160 pixels (cells under 4) or lower than 4 cells carries no stamp.
//!
//! The clock is `CLOCK_BOOTTIME` on Linux, which is `CLOCK_MONOTONIC` as long as the machine has not slept since it started, and
//! `CLOCK_MONOTONIC` on other Unix systems; a reader on the same machine can compare it with its own.

use crate::frame::{PixelFormat, Size};
use crate::time::Micros;

const COLUMNS: usize = 40;
const BITS: usize = 80;
/// What keeps an all-black picture from being a stamp.
const CHECK: u16 = 0x5afe;
/// Smaller cells do not survive compression.
const MIN_CELL: usize = 4;
const MAX_CELL: usize = 16;

/// What is painted into a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the picture was made: the lower 48 bits of the clock, which last for nine years.
    pub time: Micros,
    /// The lower 16 bits of the frame number.
    pub number: u16,
}

impl Stamp {
    fn words(self) -> [u16; 5] {
        let t = self.time.0;
        let words = [(t >> 32) as u16, (t >> 16) as u16, t as u16, self.number];
        let sum = words.iter().fold(0u16, |sum, w| sum.wrapping_add(*w));
        [words[0], words[1], words[2], words[3], sum ^ CHECK]
    }

    fn from_words([a, b, c, number, check]: [u16; 5]) -> Option<Self> {
        let time = Micros(u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c));
        let stamp = Self { time, number };
        (stamp.words()[4] == check).then_some(stamp)
    }
}

/// The side of a cell in a picture of this size, in pixels; `None` if the picture is too small for a stamp.
#[must_use]
pub fn cell(size: Size) -> Option<usize> {
    let cell = (size.width as usize / COLUMNS).min(MAX_CELL);
    (cell >= MIN_CELL && size.height as usize >= 4 * cell).then_some(cell)
}

/// Where the luminance (or the green) of a pixel lies in a packed or planar picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Luma {
    /// Bytes from a row to the next.
    pub(crate) stride: usize,
    /// Bytes from a pixel to the next.
    pub(crate) step: usize,
    /// The first pixel's byte.
    pub(crate) offset: usize,
}

impl Luma {
    /// `None` for [`PixelFormat::Jpeg`], which has no pixels.
    pub(crate) fn of(format: PixelFormat, size: Size) -> Option<Self> {
        let w = size.width as usize;
        let (stride, step, offset) = match format {
            PixelFormat::Yuyv => (w.div_ceil(2) * 4, 2, 0),
            PixelFormat::Uyvy => (w.div_ceil(2) * 4, 2, 1),
            PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::Gray => (w, 1, 0),
            // Green is enough to tell black from white.
            PixelFormat::Rgb | PixelFormat::Bgr => (w * 3, 3, 1),
            PixelFormat::Bgrx => (w * 4, 4, 1),
            PixelFormat::Jpeg => return None,
        };
        Some(Self { stride, step, offset })
    }
}

/// Paints a stamp into the luminance of a picture with these values for black and white. The chroma there must be
/// neutral already. A picture that is too small is left as it is.
pub(crate) fn paint(data: &mut [u8], luma: Luma, size: Size, stamp: Stamp, [black, white]: [u8; 2]) {
    let Some(cell) = cell(size) else { return };
    let words = stamp.words();
    for row in 0..BITS / COLUMNS {
        // The first line of the row of cells is painted pixel by pixel, the others are copies of it.
        let first = luma.offset + row * cell * luma.stride;
        for column in 0..COLUMNS {
            let bit = row * COLUMNS + column;
            let value = if words[bit / 16] >> (15 - bit % 16) & 1 == 1 { white } else { black };
            for x in column * cell..(column + 1) * cell {
                if let Some(pixel) = data.get_mut(first + x * luma.step) {
                    *pixel = value;
                }
            }
        }
        let line = first..first + (COLUMNS * cell - 1) * luma.step + 1;
        for y in 1..cell {
            if luma.step == 1 {
                if line.end + y * luma.stride <= data.len() {
                    data.copy_within(line.clone(), first + y * luma.stride);
                }
            } else {
                for i in line.clone().step_by(luma.step) {
                    let Some(&value) = data.get(i) else { return };
                    if let Some(pixel) = data.get_mut(i + y * luma.stride) {
                        *pixel = value;
                    }
                }
            }
        }
    }
}

/// Reads the stamp out of raw pixels; `None` if there is none, the bytes are too few, or the format is JPEG, which must
/// be decoded first.
#[must_use]
pub fn read(data: &[u8], format: PixelFormat, size: Size) -> Option<Stamp> {
    let luma = Luma::of(format, size)?;
    if data.len() < format.frame_len(size)? {
        return None;
    }
    read_with(size, |x, y| data.get(luma.offset + y * luma.stride + x * luma.step).copied().unwrap_or(128))
}

/// Reads the stamp of a picture whose luminance at a column and row `luma` tells, from 0 to 255. It also finds the stamp
/// of a picture that was scaled down from one of the usual widths.
#[must_use]
pub fn read_with(size: Size, luma: impl Fn(usize, usize) -> u8) -> Option<Stamp> {
    let width = f64::from(size.width);
    // How wide a cell is here, if the picture was made at the one width or the other.
    let made_at = [800.0, 960.0, 1024.0, 1280.0, 1600.0, 1920.0, 2560.0, 3840.0];
    let scaled = made_at.iter().filter(|w| **w != width).map(|w| MAX_CELL as f64 * width / w);
    let own = (size.width as usize / COLUMNS).min(MAX_CELL) as f64;
    let mut pitches = std::iter::once(own).chain(scaled);
    pitches.find_map(|pitch| read_cells(size, pitch, &luma))
}

fn read_cells(size: Size, pitch: f64, luma: &impl Fn(usize, usize) -> u8) -> Option<Stamp> {
    if pitch < 3.0 || pitch * COLUMNS as f64 > f64::from(size.width) || pitch * 2.0 > f64::from(size.height) {
        return None;
    }
    let mut words = [0u16; BITS / 16];
    for bit in 0..BITS {
        // The mean of the cell's middle, away from the neighbours that compression and scaling mix in.
        let middle = |cell: usize| {
            let at = cell as f64 * pitch;
            (at + pitch * 0.3) as usize..((at + pitch * 0.7) as usize).max((at + pitch * 0.3) as usize + 1)
        };
        let (mut sum, mut count) = (0, 0);
        for y in middle(bit / COLUMNS) {
            for x in middle(bit % COLUMNS) {
                sum += u32::from(luma(x, y));
                count += 1;
            }
        }
        match sum / count {
            0..=104 => {}
            152.. => words[bit / 16] |= 1 << (15 - bit % 16),
            _ => return None, // neither black nor white: no stamp
        }
    }
    Stamp::from_words(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { time: Micros(0x1234_5678_9abc), number: 0xbeef };

    fn painted(format: PixelFormat, size: Size) -> Vec<u8> {
        let mut data = vec![128; format.frame_len(size).unwrap()];
        paint(&mut data, Luma::of(format, size).unwrap(), size, STAMP, [16, 235]);
        data
    }

    #[test]
    fn a_stamp_is_read_as_it_was_painted_in_every_size_that_holds_one() {
        for size in [(640, 480), (1920, 1080), (320, 240), (333, 251), (160, 120), (639, 64)] {
            let size = Size::new(size.0, size.1);
            for format in [PixelFormat::I420, PixelFormat::Yuyv, PixelFormat::Gray, PixelFormat::Uyvy] {
                assert_eq!(read(&painted(format, size), format, size), Some(STAMP), "{size} {format:?}");
            }
        }
    }

    #[test]
    fn the_layout_is_fakecams() {
        // The bits that rigs/fakecam paints for this stamp, cell by cell.
        let size = Size::new(640, 480);
        let data = painted(PixelFormat::Gray, size);
        let sum = 0x1234u16.wrapping_add(0x5678).wrapping_add(0x9abc).wrapping_add(0xbeef) ^ 0x5afe;
        let bits = format!("{:016b}{:016b}{:016b}{:016b}{sum:016b}", 0x1234, 0x5678, 0x9abc, 0xbeef);
        for (i, bit) in bits.chars().enumerate() {
            let (x, y) = (i % 40 * 16, i / 40 * 16);
            for (dx, dy) in [(0, 0), (15, 0), (0, 15), (15, 15)] {
                assert_eq!(data[(y + dy) * 640 + x + dx], if bit == '1' { 235 } else { 16 }, "bit {i}");
            }
        }
        assert_eq!(data[32 * 640], 128, "nothing below");
    }

    #[test]
    fn a_picture_that_is_too_small_is_left_alone() {
        for (w, h) in [(16, 16), (159, 120), (640, 63)] {
            let size = Size::new(w, h);
            assert!(painted(PixelFormat::I420, size).iter().all(|&v| v == 128), "{size}");
            assert_eq!(read(&painted(PixelFormat::I420, size), PixelFormat::I420, size), None);
        }
    }

    #[test]
    fn a_picture_without_a_stamp_has_none() {
        let size = Size::new(640, 480);
        for value in [0, 60, 128, 255] {
            assert_eq!(read(&vec![value; size.area()], PixelFormat::Gray, size), None);
        }
        assert_eq!(read(&[0; 100], PixelFormat::Gray, size), None, "too few bytes");
        assert_eq!(read(&[], PixelFormat::Jpeg, size), None);
        let mut data = painted(PixelFormat::Gray, size);
        for y in 0..16 {
            data[y * 640..y * 640 + 16].fill(235);
        }
        assert_eq!(read(&data, PixelFormat::Gray, size), None, "one bit is wrong");
    }

    #[test]
    fn a_stamp_survives_compression_at_the_lowest_quality_that_is_sent() {
        for (w, h) in [(640, 480), (320, 240), (160, 120)] {
            let size = Size::new(w, h);
            let pixels = painted(PixelFormat::Gray, size);
            let (width, height, format) = (w as usize, h as usize, turbojpeg::PixelFormat::GRAY);
            let image = turbojpeg::Image { pixels: &pixels[..], width, pitch: width, height, format };
            let jpeg = turbojpeg::compress(image, 25, turbojpeg::Subsamp::Gray).unwrap();
            let decoded = turbojpeg::decompress(&jpeg, format).unwrap();
            assert_eq!(read(&decoded.pixels, PixelFormat::Gray, size), Some(STAMP), "{size}");
        }
    }

    #[test]
    fn a_scaled_picture_keeps_its_stamp() {
        for (from, to) in [((1280, 720), (640, 360)), ((640, 480), (480, 360)), ((1920, 1080), (960, 540))] {
            let (from, to) = (Size::new(from.0, from.1), Size::new(to.0, to.1));
            let big = painted(PixelFormat::Gray, from);
            let at = |x: usize, y: usize| {
                let (x, y) =
                    (x * from.width as usize / to.width as usize, y * from.height as usize / to.height as usize);
                big[y * from.width as usize + x]
            };
            assert_eq!(read_with(to, at), Some(STAMP), "{from} to {to}");
        }
    }
}
