//! Where things lie in a window: the picture, and the layers over it with what they cover.

use super::layer::Layer;
use super::overlay;
use crate::frame::Size;
use crate::jpeg::Bitmap;

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

    pub(super) fn put_back(&mut self, picture: &mut Bitmap) {
        let width = self.size.width.max(1) as usize;
        let rows = picture.pixels.chunks_exact_mut(picture.size.width.max(1) as usize).skip(self.y as usize);
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

pub(super) enum Place {
    Middle,
    BottomLeft,
    BottomRight,
}

/// The layers that are to be seen, each with its corner.
pub(super) fn placed<const N: usize>(
    window: Size,
    layers: [(&Layer, bool, Place); N],
) -> impl Iterator<Item = (&Layer, u32, u32)> {
    let visible = layers.into_iter().filter(|(layer, shown, _)| *shown && !layer.is_empty());
    visible.map(move |(layer, _, place)| {
        let (right, bottom) =
            (window.width.saturating_sub(layer.size.width), window.height.saturating_sub(layer.size.height));
        let margin = |room: u32| overlay::MARGIN.min(room);
        let (x, y) = match place {
            Place::Middle => (right / 2, bottom / 2),
            Place::BottomLeft => (margin(right), bottom - margin(bottom)),
            Place::BottomRight => (right - margin(right), bottom - margin(bottom)),
        };
        (layer, x, y)
    })
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
        covered.iter_mut().rev().for_each(|c| c.put_back(&mut picture));
        assert!(picture == pristine);
        covered.iter_mut().for_each(|c| c.put_back(&mut picture));
        assert!(picture == pristine, "only once");
    }
}
