//! Several streams in one window: the newest picture of each in its tile, with a line of its own.

use std::time::Duration;

use super::cards;
use super::grid::{Area, MOST_TILES, grid};
use super::history::History;
use super::layer::Layer;
use super::line;
use super::place::fit;
use crate::error::Result;
use crate::frame::Size;
use crate::jpeg::{Bitmap, Scaler};
use crate::stats::{State, ViewReport};
use crate::time::Micros;

/// How often the line of a tile may change.
const REFRESH: Duration = Duration::from_millis(250);
/// The shape of a stream that has shown nothing yet.
const SHAPE: Size = Size::new(16, 9);

/// One stream.
#[derive(Default)]
pub(super) struct Tile {
    pub(super) picture: Bitmap,
    pub(super) presented: Micros,
    pub(super) report: ViewReport,
    pub(super) history: History,
    told: Micros,
    line: Layer,
    card: Layer,
    stale: bool,
}

impl Tile {
    fn has_picture(&self) -> bool {
        self.picture.size.area() > 0 && self.picture.pixels.len() == self.picture.size.area()
    }

    /// Its last picture is not one of now.
    fn is_gone(&self) -> bool {
        !matches!(self.report.state, State::Live | State::Late)
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Wall {
    tiles: Vec<Tile>,
    areas: Vec<Area>,
    /// The window that they were laid out for, and the shape of their pictures.
    laid_out: (Size, Size),
}

impl Wall {
    /// Has this many tiles from now on, [`MOST_TILES`] at most; those that are there keep their places.
    pub(super) fn set_count(&mut self, count: usize) {
        self.tiles.resize_with(count.min(MOST_TILES), Tile::default);
        self.laid_out = Default::default();
    }

    pub(super) fn count(&self) -> usize {
        self.tiles.len()
    }

    pub(super) fn tile(&self, n: usize) -> Option<&Tile> {
        self.tiles.get(n)
    }

    pub(super) fn tile_mut(&mut self, n: usize) -> Option<&mut Tile> {
        self.tiles.get_mut(n)
    }

    /// A picture for a tile; the older one is given back for its memory.
    pub(super) fn put(&mut self, n: usize, bitmap: Bitmap, now: Micros) -> Bitmap {
        let Some(tile) = self.tiles.get_mut(n) else { return bitmap };
        (tile.presented, tile.stale) = (now, true);
        std::mem::replace(&mut tile.picture, bitmap)
    }

    /// What is known of a stream now.
    pub(super) fn tell(&mut self, n: usize, report: &ViewReport, now: Micros) {
        let Some(tile) = self.tiles.get_mut(n) else { return };
        tile.history.look(report, now);
        let changed = tile.report.state != report.state;
        if changed || (now.since(tile.told) >= REFRESH && tile.report != *report) || tile.told == Micros::default() {
            tile.report.clone_from(report);
            (tile.told, tile.stale) = (now, true);
        }
    }

    /// Whether something is to be painted.
    pub(super) fn is_stale(&self) -> bool {
        self.tiles.iter().any(|tile| tile.stale)
    }

    /// Which stream is seen there.
    pub(super) fn at(&self, (x, y): (f32, f32)) -> Option<usize> {
        if x < 0.0 || y < 0.0 {
            return None;
        }
        self.areas.iter().position(|area| area.contains(x as u32, y as u32))
    }

    /// The room that a tile has.
    pub(super) fn room(&self, n: usize) -> Size {
        self.areas.get(n).map_or(SHAPE, |area| area.size)
    }

    /// All tiles are painted anew next time.
    pub(super) fn forget(&mut self) {
        self.laid_out = Default::default();
    }

    /// Lays the tiles out for this window; whether that changed anything.
    pub(super) fn lay_out(&mut self, window: Size) -> bool {
        // The shape of most of them: the first that has one speaks for all.
        let shape = self.tiles.iter().find(|tile| tile.has_picture()).map_or(SHAPE, |tile| tile.picture.size);
        // Renditions of other sizes have other roundings, and nothing is to jump for that.
        let near = |a: Size, b: Size| {
            let cross = |a: Size, b: Size| f64::from(a.width) * f64::from(b.height);
            (cross(a, b) / cross(b, a).max(1.0) - 1.0).abs() < 0.05
        };
        if self.laid_out.0 == window && near(self.laid_out.1, shape) {
            return false;
        }
        self.laid_out = (window, shape);
        self.areas = grid(self.tiles.len(), shape, window);
        true
    }

    /// Paints what has changed, or everything.
    pub(super) fn paint(&mut self, canvas: &mut [u32], window: Size, scaler: &mut Scaler, all: bool) -> Result<()> {
        if all {
            canvas.fill(0);
        }
        for (tile, area) in self.tiles.iter_mut().zip(&self.areas) {
            if !all && !tile.stale || area.size.area() == 0 {
                continue;
            }
            tile.stale = false;
            if tile.has_picture() {
                let (x, y, fitted) = fit(tile.picture.size, area.size);
                // Beside it nothing is to stay of a picture of another shape.
                rows(canvas, window, area).for_each(|row| row.fill(0));
                let at = (area.x + x, area.y + y);
                scaler.fit(&tile.picture.pixels, tile.picture.size, canvas, window, at, fitted)?;
                if tile.is_gone() {
                    rows(canvas, window, area).for_each(cards::dim);
                }
            } else {
                cards::calm(rows(canvas, window, area), area.size.height);
                cards::draw_placeholder(&mut tile.card, &tile.report, area.size);
                let room = Size::new(area.size.width, area.size.height);
                let middle = |whole: u32, part: u32| whole.saturating_sub(part) / 2;
                let x = area.x + middle(room.width, tile.card.size.width);
                tile.card.blend(canvas, window, x, area.y + middle(room.height, tile.card.size.height));
                continue;
            }
            line::draw_tile(&mut tile.line, &tile.report, area.size, window);
            let y = area.y + area.size.height.saturating_sub(tile.line.size.height);
            tile.line.blend(canvas, window, area.x, y);
        }
        Ok(())
    }
}

/// The rows of a part of a canvas.
fn rows<'a>(canvas: &'a mut [u32], window: Size, area: &Area) -> impl Iterator<Item = &'a mut [u32]> {
    let (from, to) = (area.x as usize, (area.x + area.size.width) as usize);
    let rows = canvas.chunks_exact_mut(window.width.max(1) as usize).skip(area.y as usize);
    rows.take(area.size.height as usize).filter_map(move |row| row.get_mut(from..to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Size = Size::new(800, 450);

    fn bitmap(colour: u32) -> Bitmap {
        let size = Size::new(160, 90);
        Bitmap { size, pixels: vec![colour; size.area()] }
    }

    fn live(name: &str) -> ViewReport {
        ViewReport { stream: name.into(), state: State::Live, ..ViewReport::default() }
    }

    struct Rig {
        wall: Wall,
        canvas: Vec<u32>,
        scaler: Scaler,
    }

    impl Rig {
        fn of(count: usize) -> Self {
            let mut wall = Wall::default();
            wall.set_count(count);
            Self { wall, canvas: vec![0; WINDOW.area()], scaler: Scaler::default() }
        }

        fn paint(&mut self) {
            let all = self.wall.lay_out(WINDOW);
            self.wall.paint(&mut self.canvas, WINDOW, &mut self.scaler, all).unwrap();
        }

        /// A pixel in the middle of a tile.
        fn seen(&self, n: usize) -> u32 {
            let area = self.wall.areas[n];
            self.canvas[((area.y + area.size.height / 2) * WINDOW.width + area.x + area.size.width / 2) as usize]
                & 0xFF_FFFF
        }
    }

    #[test]
    fn each_stream_is_in_its_tile_and_a_click_finds_it() {
        let mut rig = Rig::of(4);
        for n in 0..4 {
            rig.wall.put(n, bitmap(0x0010_2030 * (n as u32 + 1)), Micros(1));
            rig.wall.tell(n, &live("main/door"), Micros(1));
        }
        rig.paint();
        for n in 0..4 {
            assert_eq!(rig.seen(n), 0x0010_2030 * (n as u32 + 1));
            let area = rig.wall.areas[n];
            assert_eq!(rig.wall.at((area.x as f32 + 3.0, area.y as f32 + 3.0)), Some(n));
        }
        assert_eq!(rig.wall.at((-1.0, 5.0)), None);
        assert_eq!(rig.wall.at((799.0, 5000.0)), None);
    }

    #[test]
    fn a_camera_that_is_gone_keeps_its_place_with_its_last_picture_greyed() {
        let mut rig = Rig::of(2);
        for n in 0..2 {
            rig.wall.put(n, bitmap(0x0000_C000), Micros(1));
            rig.wall.tell(n, &live("main/door"), Micros(1));
        }
        rig.paint();
        let lost = ViewReport { state: State::Lost, detail: "camera unplugged, 4 s".into(), ..live("main/door") };
        rig.wall.tell(1, &lost, Micros(2));
        assert!(rig.wall.is_stale());
        rig.paint();
        assert_eq!(rig.seen(0), 0x0000_C000, "the other one is as it was");
        let [_, red, green, blue] = rig.seen(1).to_be_bytes();
        assert!(green < 0x60 && green.abs_diff(red) < 12 && green.abs_diff(blue) < 12, "{:x}", rig.seen(1));
        rig.wall.set_count(3);
        rig.paint();
        assert_ne!(rig.seen(1), 0, "it is there when another one comes");
    }

    #[test]
    fn only_what_changed_is_painted_and_a_sixteenth_is_the_last() {
        let mut rig = Rig::of(99);
        rig.wall.tell(3, &live("main/door"), Micros(1));
        assert_eq!(rig.wall.count(), MOST_TILES);
        rig.wall.put(3, bitmap(5), Micros(1));
        rig.paint();
        assert!(!rig.wall.is_stale());
        rig.canvas.fill(7);
        rig.wall.put(3, bitmap(9), Micros(2));
        rig.paint();
        assert_eq!((rig.seen(2), rig.seen(3)), (7, 9));
        assert_eq!(rig.wall.put(77, bitmap(1), Micros(1)), bitmap(1), "what has no tile comes back");
    }
}
