//! Pictures that lie on a side in their file, as phones write them, stood up.

use crate::frame::Size;
use crate::wire::jpeg::Orientation;

/// Where rows become columns, pixels are turned in squares of this side: a row of one is a line of the cache, each of which is so
/// fetched once.
const SQUARE: usize = 16;

/// Writes the picture `from`, which is stored as `size`, into `to` as it is to be shown.
pub(super) fn turn(from: &[u32], size: Size, orientation: Orientation, to: &mut [u32]) {
    let (w, h) = (size.width as isize, size.height as isize);
    // Where the first pixel that is shown is stored, and how far behind it those to its right and below it are.
    let (first, right, down) = match orientation.number() {
        2 => (w - 1, -1, w),
        3 => (w * h - 1, -1, -w),
        4 => (w * (h - 1), 1, -w),
        5 => (0, w, 1),
        6 => (w * (h - 1), -w, 1),
        7 => (w * h - 1, -w, -1),
        8 => (w - 1, w, -1),
        _ => (0, 1, w),
    };
    let width = orientation.shown(size).width.max(1) as usize;
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
            square_at += right * side as isize;
        }
        band_at += down * SQUARE as isize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(from: &[u32], size: Size, number: u16) -> Vec<u32> {
        let mut to = vec![u32::MAX; from.len()];
        turn(from, size, Orientation::new(number), &mut to);
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
        turn(&[], Size::default(), Orientation::new(6), &mut []);
    }
}
