//! Pictures that lie on a side in their file, as phones write them, stood up; and those that a person wants otherwise.

use super::Bitmap;
use crate::frame::Size;
use crate::wire::jpeg::Orientation;

/// Where rows become columns, pixels are turned in squares of this side: a row of one is a line of the cache, each of which is so
/// fetched once.
const SQUARE: usize = 16;

/// A rectangle of a picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crop {
    /// Columns left of it.
    pub x: u32,
    /// Rows above it.
    pub y: u32,
    /// Its width and height.
    pub size: Size,
}

impl Crop {
    /// All of a picture of this size.
    #[must_use]
    pub const fn whole(size: Size) -> Self {
        Self { x: 0, y: 0, size }
    }

    /// The same part of the same picture in another size: of `of`, it is this, and of `to`, the answer. What lies outside is left
    /// out; all of the picture, where nothing is left.
    pub(super) fn scaled(self, of: Size, to: Size) -> Self {
        let side = |at: u32, length: u32, of: u32, to: u32| {
            let scale = |value: u64| (value * u64::from(to) / u64::from(of.max(1))).min(u64::from(to)) as u32;
            let (start, end) = (scale(at.into()), scale(u64::from(at) + u64::from(length)));
            (start, end.saturating_sub(start))
        };
        let (x, width) = side(self.x, self.size.width, of.width, to.width);
        let (y, height) = side(self.y, self.size.height, of.height, to.height);
        if width == 0 || height == 0 { Self::whole(to) } else { Self { x, y, size: Size::new(width, height) } }
    }

    /// A part of a picture as it is shown, where it lies in the picture as it is stored, of this size.
    pub(super) fn stored(self, orientation: Orientation, stored: Size) -> Self {
        let (first, right, down) = steps(orientation, Self::whole(stored), 1 << 32);
        let pixel = |x: u32, y: u32| {
            let at = first + right * x as i64 + down * i64::from(y);
            (at.rem_euclid(1 << 32) as u32, at.div_euclid(1 << 32) as u32)
        };
        let (a, b) = (pixel(self.x, self.y), pixel(self.x + self.size.width - 1, self.y + self.size.height - 1));
        let size = Size::new(a.0.abs_diff(b.0) + 1, a.1.abs_diff(b.1) + 1);
        Self { x: a.0.min(b.0), y: a.1.min(b.1), size }
    }
}

/// What is seen when a picture that is turned as `first` says is turned as `second` says.
#[must_use]
pub fn then(first: Orientation, second: Orientation) -> Orientation {
    if second == Orientation::UPRIGHT {
        return first;
    }
    // Where the pixels to the right and below are: one step of `second` is a step of `first`, which is one of what is stored.
    let step = |orientation| {
        let (_, right, down) = steps(orientation, Crop::default(), 4);
        let vector = |at: i64| if at.abs() == 4 { (0, at / 4) } else { (at, 0) };
        (vector(right), vector(down))
    };
    let (right, down) = step(first);
    let map = |(x, y): (i64, i64)| (x * right.0 + y * down.0, x * right.1 + y * down.1);
    let (r, d) = step(second);
    let wanted = (map(r), map(d));
    (1..=8).map(Orientation::new).find(|o| step(*o) == wanted).unwrap_or_default()
}

/// What turns a picture back that was turned so.
#[must_use]
pub fn back(orientation: Orientation) -> Orientation {
    (1..=8).map(Orientation::new).find(|o| then(orientation, *o) == Orientation::UPRIGHT).unwrap_or_default()
}

/// Where the first pixel that is shown of a part is stored, and how far behind it those to its right and below it are; `pitch`:
/// pixels from one stored row to the next.
fn steps(orientation: Orientation, part: Crop, pitch: i64) -> (i64, i64, i64) {
    let (w, h) = (i64::from(part.size.width), i64::from(part.size.height));
    let (first, right, down) = match orientation.number() {
        2 => (w - 1, -1, pitch),
        3 => ((h - 1) * pitch + w - 1, -1, -pitch),
        4 => ((h - 1) * pitch, 1, -pitch),
        5 => (0, pitch, 1),
        6 => ((h - 1) * pitch, -pitch, 1),
        7 => ((h - 1) * pitch + w - 1, -pitch, -1),
        8 => (w - 1, pitch, -1),
        _ => (0, 1, pitch),
    };
    (first + i64::from(part.y) * pitch + i64::from(part.x), right, down)
}

/// Writes a part of the picture `from`, which is stored in rows of `stored.width`, into `to` as it is to be shown.
pub(super) fn turn(from: &[u32], stored: Size, part: Crop, orientation: Orientation, to: &mut [u32]) {
    let (first, right, down) = steps(orientation, part, i64::from(stored.width));
    let width = orientation.shown(part.size).width.max(1) as usize;
    let side = if right.abs() == 1 { width } else { SQUARE };
    let mut band_at = first;
    for band in to.chunks_mut(width * SQUARE) {
        let mut square_at = band_at;
        for left in (0..width).step_by(side) {
            let columns = left..(left + side).min(width);
            let mut row_at = square_at;
            for row in band.chunks_exact_mut(width) {
                let mut at = row_at;
                for to in row.get_mut(columns.clone()).unwrap_or_default() {
                    *to = from.get(at as usize).copied().unwrap_or_default();
                    at += right;
                }
                row_at += down;
            }
            square_at += right * side as i64;
        }
        band_at += down * SQUARE as i64;
    }
}

/// A picture that is on the screen, turned once more.
#[must_use]
pub fn turned(bitmap: &Bitmap, orientation: Orientation) -> Bitmap {
    let mut pixels = vec![0; bitmap.pixels.len()];
    turn(&bitmap.pixels, bitmap.size, Crop::whole(bitmap.size), orientation, &mut pixels);
    Bitmap { size: orientation.shown(bitmap.size), pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(from: &[u32], size: Size, number: u16) -> Vec<u32> {
        let mut to = vec![u32::MAX; from.len()];
        turn(from, size, Crop::whole(size), Orientation::new(number), &mut to);
        to
    }

    #[test]
    fn each_of_the_eight_is_as_exif_means_it() {
        // What is shown is the letter F, three wide and four high; here as it is stored for each number.
        #[rustfmt::skip]
        let stored: [(u16, u32, &str); 8] = [
            (1, 3, "### #.. ##. #.."),
            (2, 3, "### ..# .## ..#"),
            (3, 3, "..# .## ..# ###"),
            (4, 3, "#.. ##. #.. ###"),
            (5, 4, "#### #.#. #..."),
            (6, 4, "#... #.#. ####"),
            (7, 4, "...# .#.# ####"),
            (8, 4, "#### .#.# ...#"),
        ];
        for (number, width, rows) in stored {
            let pixels: Vec<u32> = rows.chars().filter(|c| *c != ' ').map(u32::from).collect();
            let size = Size::new(width, 12 / width);
            assert_eq!(Orientation::new(number).shown(size), Size::new(3, 4));
            let shown: String = turned(&pixels, size, number).into_iter().filter_map(char::from_u32).collect();
            assert_eq!(shown, "####..##.#..", "{number}");
        }
    }

    #[test]
    fn every_pixel_of_any_size_has_its_place_and_turning_back_gives_what_was() {
        for size in [Size::new(1, 1), Size::new(37, 1), Size::new(1, 37), Size::new(16, 32), Size::new(70, 53)] {
            let pixels: Vec<u32> = (0..size.area() as u32).collect();
            for (number, back) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)] {
                let shown = turned(&pixels, size, number);
                assert_eq!(turned(&shown, Orientation::new(number).shown(size), back), pixels, "{size} {number}");
            }
        }
        turn(&[], Size::default(), Crop::default(), Orientation::new(6), &mut []);
    }

    #[test]
    fn two_turns_are_one_and_each_has_its_way_back() {
        let size = Size::new(5, 3);
        let pixels: Vec<u32> = (0..15).collect();
        for (a, b) in (1..=8).flat_map(|a| (1..=8).map(move |b| (a, b))) {
            let (first, second) = (Orientation::new(a), Orientation::new(b));
            let twice = turned_by(&turned_by(&Bitmap { size, pixels: pixels.clone() }, first), second);
            assert_eq!(turned_by(&Bitmap { size, pixels: pixels.clone() }, then(first, second)), twice, "{a} {b}");
            assert_eq!(then(first, back(first)), Orientation::UPRIGHT);
        }
        assert_eq!(then(Orientation::new(6), Orientation::new(6)).number(), 3, "twice by 90 degrees is by 180");
    }

    fn turned_by(bitmap: &Bitmap, orientation: Orientation) -> Bitmap {
        super::turned(bitmap, orientation)
    }

    #[test]
    fn a_part_of_what_is_shown_is_cut_out_however_the_picture_is_stored() {
        let stored = Size::new(20, 50);
        let pixels: Vec<u32> = (0..stored.area() as u32).collect();
        for exif in (1..=8).map(Orientation::new) {
            let upright = turned_by(&Bitmap { size: stored, pixels: pixels.clone() }, exif);
            let part = Crop { x: 3, y: 5, size: Size::new(9, 11) };
            let rows = upright.pixels.chunks_exact(upright.size.width as usize).skip(5).take(11);
            let wanted: Vec<u32> = rows.flat_map(|row| row[3..12].to_vec()).collect();
            let inside = part.stored(exif, stored);
            let mut cut = vec![0; part.size.area()];
            turn(&pixels, stored, inside, exif, &mut cut);
            assert_eq!((exif.shown(inside.size), cut), (part.size, wanted), "{exif:?}");
        }
    }

    #[test]
    fn a_part_keeps_its_place_in_smaller_renditions_and_one_outside_is_all_of_it() {
        let part = Crop { x: 160, y: 120, size: Size::new(320, 240) };
        let (full, half) = (Size::new(640, 480), Size::new(320, 240));
        assert_eq!(part.scaled(full, full), part);
        assert_eq!(part.scaled(full, half), Crop { x: 80, y: 60, size: Size::new(160, 120) });
        let out = Crop { x: 600, y: 0, size: Size::new(320, 240) };
        assert_eq!(out.scaled(full, full), Crop { x: 600, y: 0, size: Size::new(40, 240) });
        let far = Crop { x: 700, y: 900, size: Size::new(u32::MAX, u32::MAX) };
        assert_eq!(far.scaled(full, half), Crop::whole(half));
        assert_eq!(part.scaled(Size::default(), half), Crop::whole(half));
    }
}
