//! Painting straight into I420 or YUYV, so that the test pattern costs no conversion.

use crate::frame::{PixelFormat, Range, Size};
use crate::text::letters::Letters;

/// A colour as Y, U, V in the range of the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Color {
    pub(super) y: u8,
    u: u8,
    v: u8,
}

/// Where the three components lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) size: Size,
    pub(super) range: Range,
    y_stride: usize,
    y_step: usize,
    u_offset: usize,
    v_offset: usize,
    c_stride: usize,
    c_step: usize,
    /// Whether two rows share their chroma.
    halved: bool,
}

impl Layout {
    /// I420 in full range, as JPEG wants it, or YUYV in limited range, as cameras give it.
    pub(super) fn new(size: Size, yuyv: bool) -> Self {
        let (w, h) = (size.width as usize, size.height as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        if yuyv {
            let (y_stride, c_stride) = (cw * 4, cw * 4);
            let range = Range::Limited;
            Self { size, range, y_stride, y_step: 2, u_offset: 1, v_offset: 3, c_stride, c_step: 4, halved: false }
        } else {
            let (u_offset, v_offset) = (w * h, w * h + cw * ch);
            let range = Range::Full;
            Self { size, range, y_stride: w, y_step: 1, u_offset, v_offset, c_stride: cw, c_step: 1, halved: true }
        }
    }

    pub(super) fn format(&self) -> PixelFormat {
        if self.halved { PixelFormat::I420 } else { PixelFormat::Yuyv }
    }

    pub(super) fn color(&self, [r, g, b]: [u8; 3]) -> Color {
        let (r, g, b) = (f32::from(r), f32::from(g), f32::from(b));
        // BT.601, the full-range matrix of JFIF.
        let y = 0.299 * r + 0.587 * g + 0.114 * b;
        let (u, v) = ((b - y) * 0.564, (r - y) * 0.713);
        match self.range {
            Range::Full => Color { y: y as u8, u: (u + 128.5) as u8, v: (v + 128.5) as u8 },
            Range::Limited => Color {
                y: (y * (219.0 / 255.0) + 16.5) as u8,
                u: (u * (224.0 / 255.0) + 128.5) as u8,
                v: (v * (224.0 / 255.0) + 128.5) as u8,
            },
        }
    }

    /// Replaces the luminance of all below a row by what a table has for it.
    pub(super) fn change_luma(&self, data: &mut [u8], top: usize, table: &[u8; 256]) {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        for row in data.chunks_mut(self.y_stride.max(1)).take(height).skip(top) {
            row.iter_mut().step_by(self.y_step).take(width).for_each(|y| *y = table[usize::from(*y)]);
        }
    }

    /// Makes all below a row grey.
    pub(super) fn fill_grey(&self, data: &mut [u8], top: usize) {
        let top = top.min(self.size.height as usize);
        if !self.halved {
            data.iter_mut().skip(top * self.y_stride).for_each(|byte| *byte = 128);
            return;
        }
        self.change_luma(data, top, &[128; 256]);
        let below = top.div_ceil(2) * self.c_stride;
        for offset in [self.u_offset, self.v_offset] {
            let end = if offset == self.u_offset { self.v_offset } else { data.len() };
            data.get_mut(offset + below..end).into_iter().flatten().for_each(|byte| *byte = 128);
        }
    }

    /// The luminance of black and of white.
    pub(super) fn black_and_white(&self) -> [u8; 2] {
        match self.range {
            Range::Full => [0, 255],
            Range::Limited => [16, 235],
        }
    }
}

/// Pixels with their layout. Whatever lies outside the picture is not painted.
pub(super) struct Canvas<'a> {
    pub(super) data: &'a mut [u8],
    pub(super) layout: Layout,
}

impl Canvas<'_> {
    /// Mixes a colour into a pixel; 0 leaves the pixel as it is, 255 replaces it.
    pub(super) fn mix(&mut self, x: usize, y: usize, color: Color, amount: u8) {
        let l = self.layout;
        if amount == 0 || x >= l.size.width as usize || y >= l.size.height as usize {
            return;
        }
        blend(self.data, y * l.y_stride + x * l.y_step, color.y, amount);
        if x.is_multiple_of(2) && (!l.halved || y.is_multiple_of(2)) {
            let row = if l.halved { y / 2 } else { y };
            let at = row * l.c_stride + x / 2 * l.c_step;
            blend(self.data, l.u_offset + at, color.u, amount);
            blend(self.data, l.v_offset + at, color.v, amount);
        }
    }

    pub(super) fn rect(&mut self, [x, y, width, height]: [usize; 4], color: Color) {
        for y in y..y + height {
            for x in x..x + width {
                self.mix(x, y, color, 255);
            }
        }
    }

    /// A filled circle with a soft edge.
    pub(super) fn disc(&mut self, (cx, cy): (f32, f32), radius: f32, color: Color) {
        let from = |c: f32| (c - radius - 1.0).max(0.0) as usize;
        let to = |c: f32| (c + radius + 2.0).max(0.0) as usize;
        for y in from(cy)..to(cy).min(self.layout.size.height as usize) {
            for x in from(cx)..to(cx).min(self.layout.size.width as usize) {
                let distance = (x as f32 - cx).hypot(y as f32 - cy);
                let inside = (radius - distance + 0.5).clamp(0.0, 1.0);
                self.mix(x, y, color, (inside * 255.0) as u8);
            }
        }
    }

    /// Letters from here to the right. Characters that the font lacks leave a gap.
    pub(super) fn text(&mut self, font: &Font, (x, y): (usize, usize), text: &[u8], color: Color) {
        for (i, byte) in text.iter().enumerate() {
            let Some(glyph) = font.glyph(*byte) else { continue };
            for (row, line) in glyph.chunks_exact(font.width).enumerate() {
                for (column, &amount) in line.iter().enumerate() {
                    self.mix(x + i * font.width + column, y + row, color, amount);
                }
            }
        }
    }
}

fn blend(data: &mut [u8], at: usize, value: u8, amount: u8) {
    if let Some(old) = data.get_mut(at) {
        let (a, o, v) = (u32::from(amount), u32::from(*old), u32::from(value));
        *old = ((o * (255 - a) + v * a + 127) / 255) as u8;
    }
}

/// The printable ASCII letters in one size, as coverage of 0 to 255.
pub(super) struct Font {
    pub(super) width: usize,
    pub(super) height: usize,
    coverage: Vec<u8>,
}

const FIRST: u8 = b' ';
const LAST: u8 = b'~';

impl Font {
    /// Letters of this height in pixels, 8 to 400.
    pub(super) fn new(height: usize) -> Self {
        let letters = Letters::new(height);
        let mut coverage = Vec::new();
        for byte in FIRST..=LAST {
            letters.draw(char::from(byte), &mut coverage);
        }
        Self { width: letters.width, height: letters.height, coverage }
    }

    fn glyph(&self, byte: u8) -> Option<&[u8]> {
        let index = usize::from(byte.checked_sub(FIRST)?);
        let len = self.width * self.height;
        self.coverage.get(index * len..(index + 1) * len)
    }
}
