//! Any frame as the planes that a JPEG is made of: full-range BT.601, 4:2:0.

use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::{Scaler, check_area, failed};
use crate::Result;
use crate::error::Error;
use crate::frame::{Frame, PixelFormat, Range, Size};

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
        let (luma, chroma) = (self.luma_size().area(), if gray { 0 } else { self.chroma_size().area() });
        self.y.resize(luma, 0);
        self.u.resize(chroma, 0);
        self.v.resize(chroma, 0);
    }

    /// Takes raw pixels; not [`PixelFormat::Jpeg`], which has to be decoded first.
    pub(super) fn fill(&mut self, frame: &Frame) -> Result<()> {
        let size = frame.size;
        check_area(size)?;
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
            PixelFormat::Yuyv if expand => self.fill_packed::<true, true>(data),
            PixelFormat::Yuyv => self.fill_packed::<true, false>(data),
            PixelFormat::Uyvy if expand => self.fill_packed::<false, true>(data),
            PixelFormat::Uyvy => self.fill_packed::<false, false>(data),
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

    /// Two rows of YUYV or UYVY give two rows of Y and one each of U and V.
    fn fill_packed<const Y_FIRST: bool, const EXPAND: bool>(&mut self, data: &[u8]) {
        let stride = self.luma_size().width as usize;
        let rows = data.chunks_exact(2 * stride);
        let uppers = rows.clone().step_by(2);
        // The last of an odd number of rows stands for its missing neighbour.
        let lowers = rows.clone().skip(1).step_by(2).chain(rows.last());
        let luma = self.y.chunks_exact_mut(2 * stride);
        let chroma = self.u.chunks_exact_mut(stride / 2).zip(self.v.chunks_exact_mut(stride / 2));
        for (((upper, lower), y), (u, v)) in uppers.zip(lowers).zip(luma).zip(chroma) {
            let (y0, y1) = y.split_at_mut(stride);
            two_rows::<Y_FIRST, EXPAND>([upper, lower], [y0, y1], u, v);
        }
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

type RgbToPlanes = fn(
    &mut YuvPlanarImageMut<u8>,
    &[u8],
    u32,
    YuvRange,
    YuvStandardMatrix,
    YuvConversionMode,
) -> Result<(), yuv::YuvError>;

/// Pixels that are worked on at a time: enough for the compiler to make vector code of the loops over them.
const BLOCK: usize = 32;

fn two_rows<const Y_FIRST: bool, const EXPAND: bool>(from: [&[u8]; 2], y: [&mut [u8]; 2], u: &mut [u8], v: &mut [u8]) {
    let [upper, lower] = from;
    let [y0, y1] = y;
    let blocks = u.len() * 2 / BLOCK;
    let (rest, rest_y, rest_c) = (blocks * BLOCK * 2, blocks * BLOCK, blocks * BLOCK / 2);
    let ys = y0.chunks_exact_mut(BLOCK).zip(y1.chunks_exact_mut(BLOCK));
    let cs = u.chunks_exact_mut(BLOCK / 2).zip(v.chunks_exact_mut(BLOCK / 2));
    for (((a, b), (y0, y1)), (u, v)) in upper.chunks_exact(BLOCK * 2).zip(lower.chunks_exact(BLOCK * 2)).zip(ys).zip(cs)
    {
        block::<Y_FIRST, EXPAND>(a, b, y0, y1, u, v);
    }
    let (y0, y1, u, v) = (&mut y0[rest_y..], &mut y1[rest_y..], &mut u[rest_c..], &mut v[rest_c..]);
    block::<Y_FIRST, EXPAND>(&upper[rest..], &lower[rest..], y0, y1, u, v);
}

#[inline(always)]
fn block<const Y_FIRST: bool, const EXPAND: bool>(
    a: &[u8],
    b: &[u8],
    y0: &mut [u8],
    y1: &mut [u8],
    u: &mut [u8],
    v: &mut [u8],
) {
    let (luma, chroma) = if Y_FIRST { (0, 1) } else { (1, 0) };
    for (to, from) in y0.iter_mut().zip(a.chunks_exact(2)) {
        *to = full_luma::<EXPAND>(from[luma]);
    }
    for (to, from) in y1.iter_mut().zip(b.chunks_exact(2)) {
        *to = full_luma::<EXPAND>(from[luma]);
    }
    let mean = |a: u8, b: u8| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    for ((to, a), b) in u.iter_mut().zip(a.chunks_exact(4)).zip(b.chunks_exact(4)) {
        *to = full_chroma::<EXPAND>(mean(a[chroma], b[chroma]));
    }
    for ((to, a), b) in v.iter_mut().zip(a.chunks_exact(4)).zip(b.chunks_exact(4)) {
        *to = full_chroma::<EXPAND>(mean(a[chroma + 2], b[chroma + 2]));
    }
}

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
