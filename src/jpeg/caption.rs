//! A line of text in a picture, on a dark ground in a corner.

use super::planes::Planes;
use crate::text::letters::{HEIGHTS, Letters};

/// The corner of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corner {
    /// Above, on the left.
    TopLeft,
    /// Above, on the right.
    TopRight,
    /// Below, on the left.
    #[default]
    BottomLeft,
    /// Below, on the right.
    BottomRight,
}

/// The most letters that are written.
const MOST: usize = 160;
/// The most letters of one height that are kept: those of Latin-1, and some that are shown as `?`.
const KEPT: usize = 256;
/// The luminance of the letters, and how much of what lies below shines through the ground, of 256.
const WHITE: u8 = 240;
const THROUGH: u16 = 72;
/// Neutral colour.
const NEUTRAL: u8 = 128;

/// Writes lines into pictures, one after the other. A line that is wider than the picture has smaller letters; one that is still
/// wider is cut off.
#[derive(Clone, Debug, Default)]
pub struct Caption {
    corner: Corner,
    /// Of the picture's height.
    percent: f32,
    /// Of the last picture, and the letters that were drawn of that height, with how much of each pixel they cover.
    letters: Option<Letters>,
    drawn: Vec<(char, Vec<u8>)>,
}

impl Caption {
    /// Lines in this corner, of letters that are so many percent of a picture's height.
    #[must_use]
    pub fn new(corner: Corner, percent: f32) -> Self {
        Self { corner, percent, ..Self::default() }
    }

    /// Writes `text` into a picture, whose luminance and colours change where it stands and nowhere else.
    pub(super) fn write(&mut self, text: &str, planes: &mut Planes) {
        let (width, height) = (planes.size.width as usize, planes.size.height as usize);
        let count = text.chars().take(MOST).count();
        if count == 0 {
            return;
        }
        let asked = (planes.size.height as f32 * self.percent / 100.0) as usize;
        // Half a letter's width is left on both sides of the line, and as much between it and the picture's edges.
        let fits = |letters: &Letters| (count + 2) * letters.width <= width && 2 * letters.height <= height;
        let mut letters = Letters::new(asked);
        if !fits(&letters) {
            let narrow = letters.height * width / ((count + 2) * letters.width);
            letters = Letters::new(narrow.min(height / 2).min(letters.height));
            while !fits(&letters) && letters.height > *HEIGHTS.start() {
                letters = Letters::new(letters.height - 1);
            }
        }
        if self.letters != Some(letters) {
            self.letters = Some(letters);
            self.drawn.clear();
        }
        let margin = letters.width / 2;
        let ground_width = ((count + 1) * letters.width).min(width);
        let ground_height = (letters.height + margin).min(height);
        // Even, so that the ground has whole pixels of colour.
        let x = match self.corner {
            Corner::TopLeft | Corner::BottomLeft => margin.min(width - ground_width),
            Corner::TopRight | Corner::BottomRight => (width - ground_width).saturating_sub(margin),
        } & !1;
        let y = match self.corner {
            Corner::TopLeft | Corner::TopRight => margin.min(height - ground_height),
            Corner::BottomLeft | Corner::BottomRight => (height - ground_height).saturating_sub(margin),
        } & !1;
        darken(planes, [x, y, ground_width, ground_height]);
        let stride = planes.luma_size().width as usize;
        for (n, letter) in text.chars().take(MOST).enumerate() {
            let left = x + margin + n * letters.width;
            let Some(room) = width.checked_sub(left).filter(|room| *room > 0) else { break };
            let coverage = self.coverage(letter, letters);
            let rows = planes.y.chunks_exact_mut(stride).take(height).skip(y + margin / 2);
            for (row, line) in rows.zip(coverage.chunks_exact(letters.width)) {
                let row = row.get_mut(left..).unwrap_or_default();
                for (pixel, covered) in row.iter_mut().zip(line).take(room) {
                    let (old, covered) = (u32::from(*pixel), u32::from(*covered));
                    *pixel = ((old * (255 - covered) + u32::from(WHITE) * covered + 127) / 255) as u8;
                }
            }
        }
    }

    fn coverage(&mut self, letter: char, letters: Letters) -> &[u8] {
        let place = self.drawn.iter().position(|(drawn, _)| *drawn == letter).unwrap_or_else(|| {
            if self.drawn.len() >= KEPT {
                self.drawn.clear();
            }
            let mut coverage = Vec::new();
            if !letters.draw(letter, &mut coverage) {
                coverage.clear();
                letters.draw('?', &mut coverage);
            }
            self.drawn.push((letter, coverage));
            self.drawn.len() - 1
        });
        self.drawn.get(place).map(|(_, coverage)| &coverage[..]).unwrap_or_default()
    }
}

/// Makes a rectangle dark and grey. It begins at an even place.
fn darken(planes: &mut Planes, [x, y, width, height]: [usize; 4]) {
    let (stride, half) = (planes.luma_size().width as usize, planes.chroma_size().width as usize);
    for row in planes.y.chunks_exact_mut(stride).skip(y).take(height) {
        for pixel in row.get_mut(x..x + width).unwrap_or_default() {
            *pixel = ((u16::from(*pixel) * THROUGH) >> 8) as u8;
        }
    }
    if planes.gray {
        return;
    }
    for plane in [&mut planes.u, &mut planes.v] {
        for row in plane.chunks_exact_mut(half).skip(y / 2).take(height.div_ceil(2)) {
            row.get_mut(x / 2..x / 2 + width.div_ceil(2)).unwrap_or_default().fill(NEUTRAL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    fn written(size: Size, text: &str, corner: Corner, percent: f32) -> Planes {
        let mut planes = Planes::default();
        planes.reset(size, false);
        planes.y.fill(200);
        planes.u.fill(90);
        planes.v.fill(170);
        Caption::new(corner, percent).write(text, &mut planes);
        planes
    }

    /// The first and last column and row of what is not as it was.
    fn changed(planes: &Planes) -> [usize; 4] {
        let (width, height) = (planes.size.width as usize, planes.size.height as usize);
        let stride = planes.luma_size().width as usize;
        let is = |x: usize, y: usize| planes.y[y * stride + x] != 200;
        let columns: Vec<usize> = (0..width).filter(|x| (0..height).any(|y| is(*x, y))).collect();
        let rows: Vec<usize> = (0..height).filter(|y| (0..width).any(|x| is(x, *y))).collect();
        [columns[0], *columns.last().unwrap(), rows[0], *rows.last().unwrap()]
    }

    #[test]
    fn a_line_stands_in_its_corner_white_on_dark_and_grey_and_all_else_is_as_it_was() {
        let size = Size::new(641, 479);
        for corner in [Corner::TopLeft, Corner::TopRight, Corner::BottomLeft, Corner::BottomRight] {
            let planes = written(size, "12:34", corner, 5.0);
            let [left, right, top, bottom] = changed(&planes);
            assert!(right - left < 120 && bottom - top < 40, "{corner:?}: {left} {right} {top} {bottom}");
            assert_eq!(left < 100, matches!(corner, Corner::TopLeft | Corner::BottomLeft));
            assert_eq!(top < 100, matches!(corner, Corner::TopLeft | Corner::TopRight));
            let stride = planes.luma_size().width as usize;
            let inside: Vec<u8> =
                (top..=bottom).flat_map(|y| &planes.y[y * stride + left..=y * stride + right]).copied().collect();
            assert!(inside.contains(&WHITE) && inside.iter().filter(|y| **y < 60).count() > inside.len() / 2);
            let half = planes.chroma_size().width as usize;
            for (n, (u, v)) in planes.u.iter().zip(&planes.v).enumerate() {
                let (x, y) = (2 * (n % half), 2 * (n / half));
                let is_inside = (left..=right).contains(&x) && (top..=bottom).contains(&y);
                assert_eq!((*u, *v), if is_inside { (128, 128) } else { (90, 170) }, "{corner:?} {x} {y}");
            }
        }
    }

    #[test]
    fn letters_are_a_part_of_the_height_and_smaller_where_the_line_would_not_fit() {
        let high = |size, percent| {
            let [.., top, bottom] = changed(&written(size, "88", Corner::TopLeft, percent));
            bottom - top
        };
        let (vga, full) = (Size::new(640, 480), Size::new(1920, 1080));
        assert!((20..40).contains(&high(vga, 5.0)));
        assert!((54..80).contains(&high(full, 5.0)));
        assert!(high(vga, 10.0) > high(vga, 5.0));
        let long = "8".repeat(60);
        let [left, right, ..] = changed(&written(vga, &long, Corner::TopLeft, 12.5));
        assert!(right < 640 && right - left > 400, "{left} to {right}");
    }

    #[test]
    fn every_size_and_text_is_bounded() {
        for size in [Size::new(1, 1), Size::new(16, 16), Size::new(3, 200), Size::new(200, 3), Size::new(64, 48)] {
            for text in ["", "8", "画", &"w".repeat(100_000)] {
                for corner in [Corner::TopLeft, Corner::BottomRight] {
                    for percent in [5.0, 100.0, 0.0, -1.0, 1e9, f32::NAN] {
                        written(size, text, corner, percent);
                    }
                }
            }
        }
        let mut caption = Caption::default();
        let mut planes = written(Size::new(640, 480), "", Corner::TopLeft, 5.0);
        for n in 0..2000 {
            caption.write(&char::from_u32(0x4e00 + n).unwrap_or('x').to_string(), &mut planes);
        }
        assert!(caption.drawn.len() <= KEPT);
    }
}
