//! A rectangle of a picture.

use crate::frame::Size;
use crate::wire::jpeg::Orientation;

/// A rectangle of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Pixels to its left.
    pub x: u32,
    /// Pixels above it.
    pub y: u32,
    /// Its own size.
    pub size: Size,
}

impl Part {
    /// All of a picture.
    #[must_use]
    pub const fn whole(size: Size) -> Self {
        Self { x: 0, y: 0, size }
    }

    /// The same part of the same picture in another size, a pixel at least. What sticks out of the picture is left out; of a part
    /// that lies outside there is nothing left, and it is all of the picture.
    pub(super) fn scaled(self, from: Size, to: Size) -> Self {
        let side = |at: u32, length: u32, from: u32, to: u32| {
            let place = |n: u64| (n * u64::from(to) / u64::from(from.max(1))).min(u64::from(to)) as u32;
            let (start, end) = (place(at.into()), place(u64::from(at) + u64::from(length)));
            (start < to).then(|| (start, end.max(start + 1) - start))
        };
        let across = side(self.x, self.size.width, from.width, to.width);
        match (across, side(self.y, self.size.height, from.height, to.height)) {
            (Some((x, width)), Some((y, height))) => Self { x, y, size: Size::new(width, height) },
            _ => Self::whole(to),
        }
    }

    /// The part of a colour plane of half the size that has its colours.
    pub(super) fn halved(self) -> Self {
        let size = Size::new(self.size.width.div_ceil(2), self.size.height.div_ceil(2));
        Self { x: self.x / 2, y: self.y / 2, size }
    }

    /// Where it lies in the picture as that is stored, at this size, if it is a part of the picture as `turn` shows it.
    pub(crate) fn stored(self, turn: Orientation, stored: Size) -> Self {
        let (swap, rows, columns) = turn.steps();
        let Self { x, y, size } = self;
        let (x, y, size) = if swap { (y, x, Size::new(size.height, size.width)) } else { (x, y, size) };
        let from_end = |from: u32, length: u32, all: u32| all.saturating_sub(from.saturating_add(length));
        Self {
            x: if columns { from_end(x, size.width, stored.width) } else { x },
            y: if rows { from_end(y, size.height, stored.height) } else { y },
            size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_the_same_part_of_a_smaller_picture_and_never_empty() {
        let (large, small) = (Size::new(1000, 601), Size::new(125, 76));
        for (x, y, w, h) in [(0, 0, 1000, 601), (999, 600, 1, 1), (500, 300, 500, 301), (8, 8, 16, 16), (3, 3, 1, 1)] {
            let part = Part { x, y, size: Size::new(w, h) }.scaled(large, small);
            assert!(part.size.width > 0 && part.x + part.size.width <= small.width, "{part:?}");
            assert!(part.size.height > 0 && part.y + part.size.height <= small.height, "{part:?}");
            assert!(part.x.abs_diff(x / 8) <= 1 && part.size.width.abs_diff(w / 8) <= 1, "{part:?}");
        }
        assert_eq!(Part::whole(large).scaled(large, small), Part::whole(small));
    }

    #[test]
    fn a_part_keeps_its_place_in_smaller_renditions_and_one_outside_is_all_of_it() {
        let part = Part { x: 160, y: 120, size: Size::new(320, 240) };
        let (full, half) = (Size::new(640, 480), Size::new(320, 240));
        assert_eq!(part.scaled(full, full), part);
        assert_eq!(part.scaled(full, half), Part { x: 80, y: 60, size: Size::new(160, 120) });
        let out = Part { x: 600, y: 0, size: Size::new(320, 240) };
        assert_eq!(out.scaled(full, full), Part { x: 600, y: 0, size: Size::new(40, 240) });
        let far = Part { x: 700, y: 900, size: Size::new(u32::MAX, u32::MAX) };
        assert_eq!(far.scaled(full, half), Part::whole(half));
        assert_eq!(part.scaled(Size::default(), half), Part::whole(half));
    }
}
