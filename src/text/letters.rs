//! Letters of any height, as how much of each pixel they cover.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// The heights there are, in pixels.
pub(crate) const HEIGHTS: std::ops::RangeInclusive<usize> = 8..=400;

/// Bold letters of one height, all of one width, made smaller or larger from the nearest that the font has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letters {
    /// Pixels from one letter to the next.
    pub(crate) width: usize,
    /// Pixels of a line.
    pub(crate) height: usize,
}

impl Letters {
    /// Letters of this height, or the nearest of [`HEIGHTS`].
    pub(crate) fn new(height: usize) -> Self {
        let height = height.clamp(*HEIGHTS.start(), *HEIGHTS.end());
        let (raster, scale) = base(height);
        let width = (get_raster_width(FontWeight::Bold, raster) as f32 * scale) as usize;
        Self { width: width.max(1), height }
    }

    /// Appends how much of each pixel of a letter is covered, 0 to 255, row by row; one that the font lacks covers nothing.
    /// Says whether the font has it.
    pub(crate) fn draw(self, letter: char, coverage: &mut Vec<u8>) -> bool {
        let (raster_height, scale) = base(self.height);
        let raster = get_raster(letter, FontWeight::Bold, raster_height);
        let lowest = raster_height.val() as f32;
        let at = |x: f32, y: f32| {
            let inside = x >= 0.0 && y >= 0.0 && y < lowest;
            let pixel = raster.filter(|_| inside).and_then(|r| r.pixel(x as usize, y as usize));
            f32::from(pixel.unwrap_or(0))
        };
        for y in 0..self.height {
            for x in 0..self.width {
                let (sx, sy) = ((x as f32 + 0.5) / scale - 0.5, (y as f32 + 0.5) / scale - 0.5);
                let (fx, fy) = (sx - sx.floor(), sy - sy.floor());
                let row = |y: f32| at(sx.floor(), y) * (1.0 - fx) + at(sx.floor() + 1.0, y) * fx;
                let smooth = row(sy.floor()) * (1.0 - fy) + row(sy.floor() + 1.0) * fy;
                // Letters that are made larger get blurred edges; this makes them crisp again.
                let crisp = (smooth - 127.5) * scale.max(1.0) + 127.5;
                coverage.push(crisp.clamp(0.0, 255.0) as u8);
            }
        }
        raster.is_some()
    }
}

/// The letters from which those of this height are made, and how much larger those are.
fn base(height: usize) -> (RasterHeight, f32) {
    let raster = if height <= 20 { RasterHeight::Size20 } else { RasterHeight::Size32 };
    (raster, height as f32 / raster.val() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_height_cover_something_and_unknown_ones_nothing() {
        for height in [0, 8, 13, 20, 33, 400, 9999] {
            let letters = Letters::new(height);
            assert!(HEIGHTS.contains(&letters.height) && letters.width < letters.height);
            let covered = |letter| {
                let mut coverage = Vec::new();
                let known = letters.draw(letter, &mut coverage);
                assert_eq!(coverage.len(), letters.width * letters.height);
                (known, coverage.iter().any(|c| *c > 200))
            };
            assert_eq!([' ', '8', 'é', '画'].map(covered), [(true, false), (true, true), (true, true), (false, false)]);
        }
    }
}
