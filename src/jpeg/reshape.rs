//! A part of a plane of bytes, turned: what stands the picture of a camera up that hangs on its side.
//!
//! Where rows become columns, squares of 16 by 16 bytes are taken at once: a row of one is what a vector holds, and four rounds of
//! interleaving rows make columns of them. Byte by byte it takes six times as long.

use super::Part;
use crate::wire::jpeg::Orientation;

/// The side of the squares that are turned at once.
const SIDE: usize = 16;

type Square = [[u8; SIDE]; SIDE];

/// Writes the part of `from`, whose rows are `stride` bytes apart, into `to` as it is to be shown, with rows that are `to_stride`
/// apart. Whatever there is no room for is left out.
pub(super) fn reshape(
    from: &[u8],
    stride: usize,
    part: Part,
    orientation: Orientation,
    to: &mut [u8],
    to_stride: usize,
) {
    let (swap, rows, columns) = orientation.steps();
    let (width, height) = (part.size.width as usize, part.size.height as usize);
    let start = part.y as usize * stride + part.x as usize;
    // A row of the part, counted as it is read.
    let row = |n: usize| {
        let n = if rows { height - 1 - n } else { n };
        from.get(start + n * stride..).and_then(|rest| rest.get(..width)).unwrap_or_default()
    };
    if to_stride == 0 || width == 0 || height == 0 {
        return;
    }
    if !swap {
        for (n, to) in to.chunks_mut(to_stride).take(height).enumerate() {
            let from = row(n);
            match to.get_mut(..from.len()) {
                Some(to) if columns => to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from),
                Some(to) => to.copy_from_slice(from),
                None => {}
            }
        }
        return;
    }
    // Rows of what is shown are columns of what is stored.
    for (band, top) in to.chunks_mut(to_stride * SIDE).zip((0..width).step_by(SIDE)) {
        let deep = SIDE.min(width - top);
        for left in (0..height).step_by(SIDE) {
            let wide = SIDE.min(height - left);
            let from_column = if columns { width - top - deep } else { top };
            let mut square: Square = [[0; SIDE]; SIDE];
            for (n, line) in square.iter_mut().enumerate().take(wide) {
                let row = row(left + n);
                match row.get(from_column..).and_then(|rest| rest.first_chunk::<SIDE>()) {
                    Some(whole) => *line = *whole,
                    None => {
                        let rest = row.get(from_column..).unwrap_or_default();
                        line.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    }
                }
            }
            let square = transposed(square);
            for (n, to) in band.chunks_mut(to_stride).take(deep).enumerate() {
                let line = &square[if columns { deep - 1 - n } else { n }];
                match to.get_mut(left..).and_then(|rest| rest.first_chunk_mut::<SIDE>()) {
                    Some(whole) if wide == SIDE => *whole = *line,
                    _ => {
                        let rest = to.get_mut(left..).unwrap_or_default();
                        rest.iter_mut().zip(line).take(wide).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        }
    }
}

/// Rows become columns. Each round interleaves row `n` with row `n + 8`; after four of them every byte has changed its place.
#[inline]
fn transposed(mut square: Square) -> Square {
    for _ in 0..4 {
        let mut next: Square = [[0; SIDE]; SIDE];
        for n in 0..SIDE / 2 {
            (next[2 * n], next[2 * n + 1]) = interleaved(square[n], square[n + SIDE / 2]);
        }
        square = next;
    }
    square
}

/// The bytes of both in turn: one instruction each on machines with vectors.
#[inline(always)]
fn interleaved(a: [u8; SIDE], b: [u8; SIDE]) -> ([u8; SIDE], [u8; SIDE]) {
    let (mut low, mut high) = ([0; SIDE], [0; SIDE]);
    for n in 0..SIDE / 2 {
        (low[2 * n], low[2 * n + 1]) = (a[n], b[n]);
        (high[2 * n], high[2 * n + 1]) = (a[n + SIDE / 2], b[n + SIDE / 2]);
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    /// Pixel by pixel, as Exif says it.
    fn naive(from: &[u8], stride: usize, part: Part, orientation: Orientation) -> Vec<u8> {
        let (w, h) = (part.size.width as usize, part.size.height as usize);
        let at = |x: usize, y: usize| from[(part.y as usize + y) * stride + part.x as usize + x];
        let shown = orientation.shown(part.size);
        let mut out = Vec::new();
        for r in 0..shown.height as usize {
            for c in 0..shown.width as usize {
                out.push(match orientation.number() {
                    2 => at(w - 1 - c, r),
                    3 => at(w - 1 - c, h - 1 - r),
                    4 => at(c, h - 1 - r),
                    5 => at(r, c),
                    6 => at(r, h - 1 - c),
                    7 => at(w - 1 - r, h - 1 - c),
                    8 => at(w - 1 - r, c),
                    _ => at(c, r),
                });
            }
        }
        out
    }

    #[test]
    fn every_part_of_every_size_is_turned_as_exif_means_it() {
        let sizes = [(1, 1), (1, 37), (37, 1), (16, 16), (15, 17), (32, 48), (33, 47), (70, 53), (130, 129)];
        for (width, height) in sizes {
            for (x, y) in [(0, 0), (1, 0), (3, 5)] {
                let part = Part { x, y, size: Size::new(width, height) };
                let stride = (x + width) as usize + 3;
                let from: Vec<u8> = (0..stride * (y + height) as usize).map(|n| (n * 7919 % 251) as u8).collect();
                for orientation in (1..=8).map(Orientation::new) {
                    let shown = orientation.shown(part.size);
                    let to_stride = shown.width as usize + 1;
                    let mut to = vec![255; to_stride * shown.height as usize];
                    reshape(&from, stride, part, orientation, &mut to, to_stride);
                    let rows = to.chunks(to_stride);
                    assert!(rows.clone().all(|row| row[to_stride - 1] == 255), "nothing beside it");
                    let found: Vec<u8> = rows.flat_map(|row| &row[..to_stride - 1]).copied().collect();
                    assert!(found == naive(&from, stride, part, orientation), "{part:?} {orientation:?}");
                }
            }
        }
    }

    #[test]
    fn a_part_that_is_not_there_is_no_fault() {
        let part = Part { x: 10, y: 10, size: Size::new(20, 20) };
        for orientation in (1..=8).map(Orientation::new) {
            reshape(&[1; 100], 10, part, orientation, &mut [0; 400], 20);
            reshape(&[], 0, part, orientation, &mut [0; 10], 20);
            reshape(&[1; 900], 30, part, orientation, &mut [], 0);
        }
    }
}
