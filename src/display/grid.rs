//! Where the tiles of several streams lie in a window: a rule on sizes.

use crate::frame::Size;

/// The most streams in one window: more would be too small to see, and cost a connection and a decoder each.
pub const MOST_TILES: usize = 16;
/// Between tiles.
const GAP: u32 = 2;

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) size: Size,
}

impl Area {
    pub(super) fn contains(&self, x: u32, y: u32) -> bool {
        (self.x..self.x + self.size.width).contains(&x) && (self.y..self.y + self.size.height).contains(&y)
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let cross = |a: u32, b: u32, c: u32, d: u32| a < c + d && c < a + b;
        cross(self.x, self.size.width, other.x, other.size.width)
            && cross(self.y, self.size.height, other.y, other.size.height)
    }
}

/// The places of so many pictures of about this shape: as many columns as make them largest, rows from the top, equal tiles.
pub(super) fn grid(count: usize, shape: Size, window: Size) -> Vec<Area> {
    let count = count.clamp(1, MOST_TILES) as u32;
    let (shape_width, shape_height) = (f64::from(shape.width.max(1)), f64::from(shape.height.max(1)));
    let tile = |columns: u32| {
        let rows = count.div_ceil(columns);
        let side = |whole: u32, parts: u32| whole.saturating_sub(GAP * (parts - 1)) / parts;
        Size::new(side(window.width, columns), side(window.height, rows))
    };
    let shown = |tile: Size| (f64::from(tile.width) / shape_width).min(f64::from(tile.height) / shape_height);
    // Of those that show pictures as large, the one with the fewest columns.
    let columns = (1..=count).rev().max_by(|a, b| shown(tile(*a)).total_cmp(&shown(tile(*b)))).unwrap_or(1);
    let size = tile(columns);
    let place = |n: u32| Area { x: n % columns * (size.width + GAP), y: n / columns * (size.height + GAP), size };
    (0..count).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Size = Size::new(16, 9);

    #[test]
    fn tiles_of_any_number_fit_every_window_and_do_not_overlap() {
        let sides = [320, 641, 1280, 1920, 3840];
        for (width, height) in sides.into_iter().flat_map(|w| [240, 720, 1081, 2160].map(|h| (w, h))) {
            for count in 1..=MOST_TILES {
                let tiles = grid(count, WIDE, Size::new(width, height));
                assert_eq!(tiles.len(), count);
                for (n, tile) in tiles.iter().enumerate() {
                    assert!(tile.size.width >= 16 && tile.size.height >= 9, "{count} in {width}x{height}: {tile:?}");
                    assert!(tile.x + tile.size.width <= width && tile.y + tile.size.height <= height);
                    assert!(tiles[..n].iter().all(|other| !other.overlaps(tile)), "{count} in {width}x{height}");
                }
            }
        }
    }

    #[test]
    fn pictures_are_as_large_as_the_window_lets_them_be() {
        let columns = |count, window: Size| grid(count, WIDE, window).iter().filter(|tile| tile.y == 0).count();
        let wide = Size::new(1920, 1080);
        assert_eq!([1, 2, 3, 4, 5, 9, 10, 16].map(|n| columns(n, wide)), [1, 2, 2, 2, 3, 3, 4, 4]);
        assert_eq!([2, 3, 4].map(|n| columns(n, Size::new(600, 1200))), [1, 1, 1]);
        assert_eq!(columns(4, Size::new(3000, 300)), 4);
    }

    #[test]
    fn a_window_without_room_and_numbers_without_sense_do_no_harm() {
        assert_eq!(grid(0, WIDE, Size::default()).len(), 1);
        assert_eq!(grid(99, Size::default(), Size::new(3, 3)).len(), MOST_TILES);
    }
}
