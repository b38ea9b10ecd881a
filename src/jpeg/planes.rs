//! Any frame as the planes that a JPEG is made of: full-range BT.601, 4:2:0.

use yuv::{BufferStoreMut, YuvConversionMode, YuvPackedImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::Part;
use super::reshape::reshape;
use super::{Scaler, failed};
use crate::Result;
use crate::error::Error;
use crate::frame::{Frame, MAX_PIXELS, PixelFormat, Range, Size};
use crate::wire::jpeg::Orientation;

/// A picture as planes. Odd sides are made even by repeating the last column and row, as the encoder wants it, so a row
/// of `y` is `2 * chroma_size().width` bytes long.
#[derive(Clone, Debug, Default)]
pub(super) struct Planes {
    pub(super) size: Size,
    /// Luminance alone: `u` and `v` mean nothing.
    pub(super) gray: bool,
    pub(super) y: Vec<u8>,
    pub(super) u: Vec<u8>,
    pub(super) v: Vec<u8>,
    /// The colour profile that says what they mean, of a camera's JPEG; empty: sRGB.
    pub(super) profile: Vec<u8>,
    /// Colours of some rows on their way to `u` and `v`.
    rows_u: Vec<u8>,
    rows_v: Vec<u8>,
}

impl Planes {
    pub(super) fn chroma_size(&self) -> Size {
        Size::new(self.size.width.div_ceil(2), self.size.height.div_ceil(2))
    }

    pub(super) fn luma_size(&self) -> Size {
        let half = self.chroma_size();
        Size::new(2 * half.width, 2 * half.height)
    }

    /// Makes room for a picture; what it holds is left over from an earlier one.
    pub(super) fn reset(&mut self, size: Size, gray: bool) {
        (self.size, self.gray) = (size, gray);
        self.profile.clear();
        let (luma, chroma) = (self.luma_size().area(), if gray { 0 } else { self.chroma_size().area() });
        self.y.resize(luma, 0);
        self.u.resize(chroma, 0);
        self.v.resize(chroma, 0);
    }

    /// Takes raw pixels; not [`PixelFormat::Jpeg`], which has to be decoded first.
    pub(super) fn fill(&mut self, frame: &Frame) -> Result<()> {
        let size = frame.size;
        size.check(MAX_PIXELS).map_err(Error::Failed)?;
        let needed = frame.format.frame_len(size).unwrap_or(usize::MAX);
        let Some(data) = frame.data.get(..needed) else {
            return Err(Error::Failed(format!(
                "a frame of {} bytes is cut off: {needed} belong there",
                frame.data.len()
            )));
        };
        self.reset(size, frame.format == PixelFormat::Gray);
        let expand = frame.range == Range::Limited;
        match frame.format {
            PixelFormat::Yuyv if expand => self.fill_packed::<true>(yuv::yuyv422_to_yuv422, data)?,
            PixelFormat::Yuyv => self.fill_packed::<false>(yuv::yuyv422_to_yuv422, data)?,
            PixelFormat::Uyvy if expand => self.fill_packed::<true>(yuv::uyvy422_to_yuv422, data)?,
            PixelFormat::Uyvy => self.fill_packed::<false>(yuv::uyvy422_to_yuv422, data)?,
            PixelFormat::Nv12 if expand => self.fill_nv12::<true>(data),
            PixelFormat::Nv12 => self.fill_nv12::<false>(data),
            PixelFormat::I420 if expand => self.fill_i420::<true>(data),
            PixelFormat::I420 => self.fill_i420::<false>(data),
            PixelFormat::Gray => self.fill_luma::<false>(data),
            PixelFormat::Rgb | PixelFormat::Bgr | PixelFormat::Bgrx => self.fill_rgb(frame.format, data)?,
            PixelFormat::Jpeg => return Err(Error::Failed("a JPEG where raw pixels belong".into())),
        }
        Ok(())
    }

    /// Fills from planes of other sizes.
    pub(super) fn fill_scaled(&mut self, from: &Self, size: Size, scaler: &mut Scaler) -> Result<()> {
        self.reset(size, from.gray);
        let (luma, chroma) = (self.luma_size(), self.chroma_size());
        scaler.plane(&from.y, from.luma_size(), &mut self.y, luma)?;
        if !self.gray {
            scaler.plane(&from.u, from.chroma_size(), &mut self.u, chroma)?;
            scaler.plane(&from.v, from.chroma_size(), &mut self.v, chroma)?;
        }
        Ok(())
    }

    /// Fills from a part of other planes, turned.
    pub(super) fn fill_reshaped(&mut self, from: &Self, part: Part, turn: Orientation) {
        self.reset(turn.shown(part.size), from.gray);
        let (luma, chroma) = (self.luma_size().width as usize, self.chroma_size().width as usize);
        reshape(&from.y, from.luma_size().width as usize, part, turn, &mut self.y, luma);
        self.repeat_edges();
        if !self.gray {
            let half = from.chroma_size().width as usize;
            reshape(&from.u, half, part.halved(), turn, &mut self.u, chroma);
            reshape(&from.v, half, part.halved(), turn, &mut self.v, chroma);
        }
    }

    /// Takes YUYV or UYVY, some rows at a time, so that what one step writes is still in the cache for the next.
    fn fill_packed<const EXPAND: bool>(&mut self, unpack: Unpack, data: &[u8]) -> Result<()> {
        let Size { width, .. } = self.luma_size();
        let (stride, half) = (width as usize, width as usize / 2);
        self.rows_u.resize(half * ROWS, 0);
        self.rows_v.resize(half * ROWS, 0);
        let luma = self.y.chunks_mut(stride * ROWS);
        let chroma = self.u.chunks_mut(half * ROWS / 2).zip(self.v.chunks_mut(half * ROWS / 2));
        for ((packed, y), (u, v)) in data.chunks(2 * stride * ROWS).zip(luma).zip(chroma) {
            let height = (packed.len() / (2 * stride)) as u32;
            let mut planes = YuvPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(&mut *y),
                y_stride: width,
                u_plane: BufferStoreMut::Borrowed(&mut self.rows_u),
                u_stride: width / 2,
                v_plane: BufferStoreMut::Borrowed(&mut self.rows_v),
                v_stride: width / 2,
                width,
                height,
            };
            let image = YuvPackedImage { yuy: packed, yuy_stride: 2 * width, width, height };
            unpack(&mut planes, &image).map_err(|e| failed("unpacking colours", e))?;
            if EXPAND {
                y.iter_mut().for_each(|y| *y = full_luma::<EXPAND>(*y));
            }
            for (to, from) in [(u, &self.rows_u), (v, &self.rows_v)] {
                let rows = &from[..half * height as usize];
                for (to, pair) in to.chunks_exact_mut(half).zip(rows.chunks(2 * half)) {
                    // The last of an odd number of rows stands for its missing neighbour.
                    let (upper, lower) = pair.split_at(half);
                    let lower = if lower.is_empty() { upper } else { lower };
                    for ((to, &a), &b) in to.iter_mut().zip(upper).zip(lower) {
                        *to = full_chroma::<EXPAND>(((u16::from(a) + u16::from(b) + 1) >> 1) as u8);
                    }
                }
            }
        }
        self.repeat_edges();
        Ok(())
    }

    fn fill_nv12<const EXPAND: bool>(&mut self, data: &[u8]) {
        let (luma, chroma) = data.split_at(self.size.area());
        self.fill_luma::<EXPAND>(luma);
        for ((pair, u), v) in chroma.chunks_exact(2).zip(&mut self.u).zip(&mut self.v) {
            (*u, *v) = (full_chroma::<EXPAND>(pair[0]), full_chroma::<EXPAND>(pair[1]));
        }
    }

    fn fill_i420<const EXPAND: bool>(&mut self, data: &[u8]) {
        let (luma, chroma) = data.split_at(self.size.area());
        self.fill_luma::<EXPAND>(luma);
        let (u, v) = chroma.split_at(self.u.len());
        for (to, from) in [(&mut self.u, u), (&mut self.v, v)] {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = full_chroma::<EXPAND>(from));
        }
    }

    fn fill_luma<const EXPAND: bool>(&mut self, data: &[u8]) {
        let (width, stride) = (self.size.width as usize, self.luma_size().width as usize);
        for (to, from) in self.y.chunks_exact_mut(stride).zip(data.chunks_exact(width)) {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = full_luma::<EXPAND>(from));
        }
        self.repeat_edges();
    }

    fn fill_rgb(&mut self, format: PixelFormat, data: &[u8]) -> Result<()> {
        let (luma, chroma) = (self.luma_size().width, self.chroma_size().width);
        // The library finds an odd last row only where it is the last: our padding row must not be seen.
        let rows = luma as usize * self.size.height as usize;
        let mut planes = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(&mut self.y[..rows]),
            y_stride: luma,
            u_plane: BufferStoreMut::Borrowed(&mut self.u),
            u_stride: chroma,
            v_plane: BufferStoreMut::Borrowed(&mut self.v),
            v_stride: chroma,
            width: self.size.width,
            height: self.size.height,
        };
        let (convert, bytes): (RgbToPlanes, u32) = match format {
            PixelFormat::Rgb => (yuv::rgb_to_yuv420, 3),
            PixelFormat::Bgr => (yuv::bgr_to_yuv420, 3),
            _ => (yuv::bgra_to_yuv420, 4),
        };
        let stride = self.size.width * bytes;
        let (range, matrix) = (YuvRange::Full, YuvStandardMatrix::Bt601);
        convert(&mut planes, data, stride, range, matrix, YuvConversionMode::Balanced)
            .map_err(|e| failed("converting colours", e))?;
        self.repeat_edges();
        Ok(())
    }

    /// Fills the column and the row that odd sides lack.
    pub(super) fn repeat_edges(&mut self) {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let stride = self.luma_size().width as usize;
        if width < stride {
            for row in self.y.chunks_exact_mut(stride) {
                row[width] = row[width - 1];
            }
        }
        if height % 2 == 1 {
            self.y.copy_within((height - 1) * stride..height * stride, height * stride);
        }
    }
}

/// Rows that are unpacked at a time; even, and few enough to stay in the cache of the core.
const ROWS: usize = 16;

type Unpack = fn(&mut YuvPlanarImageMut<u8>, &YuvPackedImage<u8>) -> Result<(), yuv::YuvError>;

type RgbToPlanes = fn(
    &mut YuvPlanarImageMut<u8>,
    &[u8],
    u32,
    YuvRange,
    YuvStandardMatrix,
    YuvConversionMode,
) -> Result<(), yuv::YuvError>;

/// 16..235 to 0..255, in 16 bits, so that a vector holds many: 298/256 is 255/219 to within half a step.
#[inline(always)]
fn full_luma<const EXPAND: bool>(y: u8) -> u8 {
    if EXPAND { ((u16::from(y.min(235).saturating_sub(16)) * 298 + 128) >> 8) as u8 } else { y }
}

/// 16..240 to 0..255 with 128 left where it is, so that grey stays grey.
#[inline(always)]
fn full_chroma<const EXPAND: bool>(c: u8) -> u8 {
    if EXPAND { ((u16::from(c.min(240).saturating_sub(16)) * 291 + 255) >> 8) as u8 } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(format: PixelFormat, size: Size, data: Vec<u8>) -> Frame {
        Frame { data: data.into(), format, size, ..Frame::default() }
    }

    #[test]
    fn a_cameras_black_white_and_grey_are_black_white_and_grey() {
        assert_eq!([0, 16, 235, 255].map(full_luma::<true>), [0, 0, 255, 255]);
        assert_eq!([0, 16, 128, 240, 255].map(full_chroma::<true>), [0, 0, 128, 255, 255]);
        for value in 16..=235u8 {
            let exact = f64::from(value - 16) * 255.0 / 219.0;
            assert!((f64::from(full_luma::<true>(value)) - exact).abs() <= 0.8, "{value}");
        }
    }

    #[test]
    fn every_yuv_format_of_one_picture_gives_the_same_planes() {
        // Sizes that are odd, and not a whole number of blocks.
        for size in [Size::new(70, 6), Size::new(64, 5), Size::new(7, 3), Size::new(1, 1)] {
            let (w, h) = (size.width as usize, size.height as usize);
            let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
            let y = |x: usize, r: usize| (20 + x.min(w - 1) * 3 + r.min(h - 1) * 5) as u8;
            let (u, v) = (|x: usize| (40 + x) as u8, |x: usize| (200 - x) as u8);
            let mut packed = Vec::new();
            for r in 0..h {
                for x in 0..cw {
                    packed.extend([y(2 * x, r), u(x), y(2 * x + 1, r), v(x)]);
                }
            }
            let swapped = packed.chunks_exact(2).flat_map(|p| [p[1], p[0]]).collect();
            let luma: Vec<u8> = (0..h).flat_map(|r| (0..w).map(move |x| y(x, r))).collect();
            let us = (0..ch).flat_map(|_| (0..cw).map(u));
            let vs = (0..ch).flat_map(|_| (0..cw).map(v));
            let nv12 = luma.iter().copied().chain(us.clone().zip(vs.clone()).flat_map(|(u, v)| [u, v])).collect();
            let i420 = luma.iter().copied().chain(us).chain(vs).collect();

            let mut planes = Planes::default();
            planes.fill(&frame(PixelFormat::Yuyv, size, packed)).unwrap();
            assert_eq!(planes.y[0], full_luma::<true>(20));
            for (format, data) in [(PixelFormat::Uyvy, swapped), (PixelFormat::Nv12, nv12), (PixelFormat::I420, i420)] {
                let mut other = Planes::default();
                other.fill(&frame(format, size, data)).unwrap();
                assert_eq!((&planes.y, &planes.u, &planes.v), (&other.y, &other.u, &other.v), "{format:?} {size}");
            }
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_or_has_no_size_is_an_error() {
        let mut planes = Planes::default();
        assert!(planes.fill(&frame(PixelFormat::Yuyv, Size::new(8, 8), vec![0; 127])).is_err());
        assert!(planes.fill(&frame(PixelFormat::Rgb, Size::new(0, 8), vec![])).is_err());
        assert!(planes.fill(&frame(PixelFormat::Gray, Size::new(60_000, 60_000), vec![])).is_err());
    }
}
