//! Pictures that lie on a side in their file, as phones write them, stood up; and those that a person wants otherwise.

use super::{Bitmap, Part};
use crate::frame::Size;
use crate::wire::jpeg::Orientation;

/// Where rows become columns, pixels are turned in squares of this side: a row of one is a line of the cache, each of which is so
/// fetched once.
const SQUARE: usize = 16;

/// Where the first pixel that is shown of a part is stored, and how far behind it those to its right and below it are; `pitch`:
/// pixels from one stored row to the next.
fn steps(orientation: Orientation, part: Part, pitch: i64) -> (i64, i64, i64) {
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
pub(super) fn turn(from: &[u32], stored: Size, part: Part, orientation: Orientation, to: &mut [u32]) {
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
    turn(&bitmap.pixels, bitmap.size, Part::whole(bitmap.size), orientation, &mut pixels);
    Bitmap { size: orientation.shown(bitmap.size), pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(from: &[u32], size: Size, number: u16) -> Vec<u32> {
        let mut to = vec![u32::MAX; from.len()];
        turn(from, size, Part::whole(size), Orientation::new(number), &mut to);
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
        turn(&[], Size::default(), Part::default(), Orientation::new(6), &mut []);
    }

    #[test]
    fn two_turns_are_one_and_each_has_its_way_back() {
        let size = Size::new(5, 3);
        let pixels: Vec<u32> = (0..15).collect();
        for (a, b) in (1..=8).flat_map(|a| (1..=8).map(move |b| (a, b))) {
            let (first, second) = (Orientation::new(a), Orientation::new(b));
            let twice = turned_by(&turned_by(&Bitmap { size, pixels: pixels.clone() }, first), second);
            assert_eq!(turned_by(&Bitmap { size, pixels: pixels.clone() }, first.then(second)), twice, "{a} {b}");
            assert_eq!(
                (first.then(first.inverse()), first.inverse().then(first)),
                (Orientation::UPRIGHT, Orientation::UPRIGHT)
            );
        }
        assert_eq!(Orientation::new(6).then(Orientation::new(6)).number(), 3, "twice by 90 degrees is by 180");
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
            let part = Part { x: 3, y: 5, size: Size::new(9, 11) };
            let rows = upright.pixels.chunks_exact(upright.size.width as usize).skip(5).take(11);
            let wanted: Vec<u32> = rows.flat_map(|row| row[3..12].to_vec()).collect();
            let inside = part.stored(exif, stored);
            let mut cut = vec![0; part.size.area()];
            turn(&pixels, stored, inside, exif, &mut cut);
            assert_eq!((exif.shown(inside.size), cut), (part.size, wanted), "{exif:?}");
        }
    }
}
