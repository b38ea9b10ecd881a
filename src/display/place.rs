//! Where things lie in a window: the picture, and the layers over it with what they cover.

use super::grid::Area;
use super::layer::{Layer, Scale};
use super::overlay;
use crate::frame::Size;

/// What a layer covers in a picture that will be drawn again; of size zero if nothing. Its memory is kept.
#[derive(Default)]
pub(super) struct Covered {
    x: u32,
    y: u32,
    size: Size,
    pixels: Vec<u32>,
}

impl Covered {
    pub(super) fn take(&mut self, pixels: &[u32], size: Size, x: u32, y: u32, part: Size) {
        let width = part.width.min(size.width.saturating_sub(x));
        let rows = pixels.chunks_exact(size.width.max(1) as usize).skip(y as usize).take(part.height as usize);
        let (from, to) = (x as usize, (x + width) as usize);
        (self.x, self.y, self.size) = (x, y, Size::new(width, part.height));
        self.pixels.clear();
        rows.filter_map(|row| row.get(from..to)).for_each(|row| self.pixels.extend_from_slice(row));
    }

    /// Puts it back into the picture of this size.
    pub(super) fn put_back(&mut self, pixels: &mut [u32], size: Size) {
        let width = self.size.width.max(1) as usize;
        let rows = pixels.chunks_exact_mut(size.width.max(1) as usize).skip(self.y as usize);
        for (row, saved) in rows.zip(self.pixels.chunks_exact(width)) {
            if let Some(part) = row.get_mut(self.x as usize..self.x as usize + width) {
                part.copy_from_slice(saved);
            }
        }
        self.forget();
    }

    pub(super) fn forget(&mut self) {
        self.size = Size::default();
        self.pixels.clear();
    }
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    Middle,
    BottomLeft,
    /// Bottom right where nothing is there yet, or else above it, or at the top.
    Free,
}

/// Where layers of these sizes lie in a window, one after the other; the later ones give way where they can.
pub(super) fn places<const N: usize>(window: Size, layers: [(Size, Place); N]) -> [Area; N] {
    let mut taken: [Area; N] = [Area::default(); N];
    let gap = Scale::of(window).pixels(overlay::MARGIN);
    for (n, (size, place)) in layers.into_iter().enumerate() {
        let (right, bottom) = (window.width.saturating_sub(size.width), window.height.saturating_sub(size.height));
        let margin = |room: u32| gap.min(room);
        let low = bottom - margin(bottom);
        let at = |x: u32, y: u32| Area { x, y, size };
        let area = match place {
            Place::Middle => at(right / 2, bottom / 2),
            Place::BottomLeft => at(margin(right), low),
            Place::Free => {
                let x = right - margin(right);
                let below = taken.iter().filter(|area| area.size.area() > 0).map(|area| area.y).min().unwrap_or(low);
                let above = below.saturating_sub(size.height + gap);
                let free = |area: &Area| taken.iter().all(|other| !other.overlaps(area));
                [low, above, margin(bottom)].map(|y| at(x, y)).into_iter().find(free).unwrap_or(at(x, low))
            }
        };
        if let Some(place) = taken.get_mut(n) {
            *place = area;
        }
    }
    taken
}

/// The layers that are to be seen, each with its corner.
pub(super) fn placed<const N: usize>(
    window: Size,
    layers: [(&Layer, bool, Place); N],
) -> impl Iterator<Item = (&Layer, u32, u32)> {
    let seen = layers.map(|(layer, shown, place)| (if shown { layer.size } else { Size::default() }, place));
    let seen = layers.iter().zip(places(window, seen));
    seen.filter(|((layer, shown, _), _)| *shown && !layer.is_empty())
        .map(|((layer, _, _), area)| (*layer, area.x, area.y))
        .collect::<arrayvec::ArrayVec<_, N>>()
        .into_iter()
}

/// Where a picture lies in a window when its aspect is kept: corner and size.
pub(super) fn fit(picture: Size, window: Size) -> (u32, u32, Size) {
    let (pw, ph) = (u64::from(picture.width.max(1)), u64::from(picture.height.max(1)));
    let (ww, wh) = (u64::from(window.width), u64::from(window.height));
    let (width, height) = if pw * wh >= ww * ph {
        (ww, ((ww * ph + pw / 2) / pw).clamp(1, wh.max(1)))
    } else {
        (((wh * pw + ph / 2) / ph).clamp(1, ww.max(1)), wh)
    };
    let (width, height) = (width.min(ww) as u32, height.min(wh) as u32);
    ((window.width - width) / 2, (window.height - height) / 2, Size::new(width, height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpeg::Bitmap;

    #[test]
    fn a_picture_keeps_its_aspect_in_any_window() {
        let vga = Size::new(640, 480);
        assert_eq!(fit(vga, vga), (0, 0, vga));
        assert_eq!(fit(vga, Size::new(1280, 720)), (160, 0, Size::new(960, 720)));
        assert_eq!(fit(vga, Size::new(320, 480)), (0, 120, Size::new(320, 240)));
        assert_eq!(fit(Size::new(10_000, 1), Size::new(100, 100)).2, Size::new(100, 1));
        assert_eq!(fit(vga, Size::new(0, 0)).2, Size::new(0, 0));
        assert_eq!(fit(Size::new(0, 0), Size::new(5, 5)).2, Size::new(5, 5));
    }

    #[test]
    fn what_layers_covered_comes_back() {
        let size = Size::new(10, 6);
        let pristine = Bitmap { size, pixels: (0..60).collect() };
        let mut picture = pristine.clone();
        let places = [(0, 0), (8, 4), (3, 2), (2, 1)];
        let mut covered: [Covered; 4] = Default::default();
        for ((x, y), covered) in places.into_iter().zip(&mut covered) {
            covered.take(&picture.pixels, size, x, y, Size::new(4, 3));
            let (columns, rows) = (x..x + 4, y..y + 3);
            let hit = (0..60).filter(|n| columns.contains(&(n % 10)) && rows.contains(&(n / 10)));
            hit.for_each(|n| picture.pixels[n as usize] = 999);
        }
        assert!(picture != pristine);
        covered.iter_mut().rev().for_each(|c| c.put_back(&mut picture.pixels, size));
        assert!(picture == pristine);
        covered.iter_mut().for_each(|c| c.put_back(&mut picture.pixels, size));
        assert!(picture == pristine, "only once");
    }

    #[test]
    fn a_note_never_covers_the_statistics_in_any_window() {
        use super::super::history::History;
        use super::super::{cards, line};
        use crate::stats::{State, ViewReport};

        let report = ViewReport {
            stream: "main/a-long-name-of-a-door".into(),
            state: State::Live,
            size: "1920x1080".into(),
            quality: 80,
            ..ViewReport::default()
        };
        let mut history = History::default();
        history.look(&report, crate::time::Micros(1));
        let sides =
            [(320, 240), (400, 300), (640, 360), (640, 480), (800, 1200), (1280, 720), (1920, 1080), (3840, 2160)];
        for window in sides.map(|(width, height)| Size::new(width, height)) {
            let (mut row, mut full, mut note) = (Layer::default(), Layer::default(), Layer::default());
            line::draw(&mut row, &report, None, window);
            overlay::draw(&mut full, &report, &history, None, window);
            cards::draw_note(
                &mut note,
                "saved exactly as received: /home/someone/pictures/main-door-20261121.jpg",
                window,
            );
            for statistics in [&row, &full] {
                assert!(!statistics.is_empty() && !note.is_empty(), "{window}");
                let [shown, said] = places(window, [(statistics.size, Place::BottomLeft), (note.size, Place::Free)]);
                assert!(!shown.overlaps(&said), "{window}: {shown:?} {said:?}");
                for area in [shown, said] {
                    assert!(area.x + area.size.width <= window.width && area.y + area.size.height <= window.height);
                }
            }
        }
    }
}
