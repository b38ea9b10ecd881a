//! A translucent layer: shapes and letters drawn once, with soft edges, and laid over picture after picture.

use std::ops::Range;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::frame::Size;

/// A colour as `0x00RRGGBB`.
pub(super) type Rgb = u32;

/// A typeface: how heavy and how high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Font(FontWeight, RasterHeight);

pub(super) const SMALL: Font = Font(FontWeight::Regular, RasterHeight::Size16);
pub(super) const SMALL_BOLD: Font = Font(FontWeight::Bold, RasterHeight::Size16);
pub(super) const MIDDLE_BOLD: Font = Font(FontWeight::Bold, RasterHeight::Size20);
pub(super) const LARGE_BOLD: Font = Font(FontWeight::Bold, RasterHeight::Size24);

/// The heights that there are letters of.
const RASTERS: [RasterHeight; 4] =
    [RasterHeight::Size16, RasterHeight::Size20, RasterHeight::Size24, RasterHeight::Size32];
const LARGEST: RasterHeight = RasterHeight::Size32;

impl Font {
    /// Pixels from one letter to the next.
    pub(super) fn advance(self) -> u32 {
        get_raster_width(self.0, self.1) as u32
    }

    /// Pixels of a line, space between lines included.
    pub(super) fn height(self) -> u32 {
        self.1.val() as u32
    }

    pub(super) fn width(self, text: &str) -> u32 {
        text.chars().count() as u32 * self.advance()
    }
}

/// A rectangle with fractions of pixels; its edges are drawn soft.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Rect {
    pub(super) const fn new(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x, y, width, height }
    }

    fn times(self, scale: Scale) -> Self {
        let [x, y, width, height] = [self.x, self.y, self.width, self.height].map(|side| scale.times(side));
        Self { x, y, width, height }
    }

    /// The columns and rows of pixels that it touches.
    fn pixels(&self) -> (Range<u32>, Range<u32>) {
        let start = |from: f32| (from.floor().max(0.0) as u32).saturating_sub(1);
        let end = |to: f32| (to.ceil().max(0.0) as u32).saturating_add(1);
        (start(self.x)..end(self.x + self.width), start(self.y)..end(self.y + self.height))
    }

    /// How far a point is outside, as with round corners; negative inside.
    fn distance(&self, x: f32, y: f32, radius: f32) -> f32 {
        let (half_width, half_height) = (self.width / 2.0, self.height / 2.0);
        let radius = radius.min(half_width).min(half_height);
        let dx = (x - self.x - half_width).abs() - half_width + radius;
        let dy = (y - self.y - half_height).abs() - half_height + radius;
        dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
    }
}

/// How much larger things are drawn than they are laid out, in quarters: all that is drawn over a picture grows with its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale(u32);

impl Default for Scale {
    fn default() -> Self {
        Self(4)
    }
}

impl Scale {
    /// As laid out up to 1280x720, three times as large at 3840x2160.
    pub(super) fn of(window: Size) -> Self {
        let quarters = |side: u32, of: u32| (4 * u64::from(side) / u64::from(of)).min(16) as u32;
        Self(quarters(window.width, 1280).min(quarters(window.height, 720)).max(4))
    }

    /// Pixels on the screen for so many that are laid out.
    pub(super) fn pixels(self, laid_out: u32) -> u32 {
        (laid_out * self.0).div_ceil(4)
    }

    /// What there is to lay things out in, in a window of this size.
    pub(super) fn room(self, window: Size) -> Size {
        let side = |side: u32| (u64::from(side) * 4 / u64::from(self.0)) as u32;
        Size::new(side(window.width), side(window.height))
    }

    fn times(self, value: f32) -> f32 {
        value * self.0 as f32 / 4.0
    }
}

/// Pixels with how much of what lies below shines through. What is drawn is said in the pixels of the layout, and drawn
/// larger by [`scale`](Self::fit).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layer {
    /// On the screen.
    pub(super) size: Size,
    scale: Scale,
    /// What is added, 0x00RRGGBB, already weighted.
    add: Vec<u32>,
    /// How much is kept of what lies below, 0 to 255, the same in all four bytes, so that blending is a loop over bytes.
    keep: Vec<u32>,
}

impl Layer {
    /// Takes the scale for a window, and gives the room there is for the layout.
    pub(super) fn fit(&mut self, window: Size) -> Size {
        self.scale = Scale::of(window);
        self.scale.room(window)
    }

    /// A layer that shows nothing.
    pub(super) fn clear(&mut self, size: Size) {
        let size = Size::new(self.scale.pixels(size.width), self.scale.pixels(size.height));
        self.clear_pixels(size);
    }

    fn clear_pixels(&mut self, size: Size) {
        self.size = size;
        self.add.clear();
        self.add.resize(size.area(), 0);
        self.keep.clear();
        self.keep.resize(size.area(), u32::MAX);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.add.is_empty()
    }

    /// Lays a colour over one pixel, `alpha` 0 to 1 of it.
    fn over(&mut self, at: usize, rgb: Rgb, alpha: f32) {
        let (Some(add), Some(keep)) = (self.add.get_mut(at), self.keep.get_mut(at)) else { return };
        let alpha = (alpha.clamp(0.0, 1.0) * 255.0 + 0.5) as u32;
        let mix = |old: u32, new: u32| (old * (255 - alpha) + new * alpha + 127) / 255;
        let channel = |shift: u32| mix(*add >> shift & 0xFF, rgb >> shift & 0xFF) << shift;
        *add = channel(16) | channel(8) | channel(0);
        *keep = mix(*keep & 0xFF, 0) * 0x0101_0101;
    }

    /// Draws what has `distance` below zero within some columns and rows.
    fn shape(
        &mut self,
        (columns, rows): (Range<u32>, Range<u32>),
        rgb: Rgb,
        alpha: f32,
        distance: impl Fn(f32, f32) -> f32,
    ) {
        for y in rows.start..rows.end.min(self.size.height) {
            for x in columns.start..columns.end.min(self.size.width) {
                let covered = (0.5 - distance(x as f32 + 0.5, y as f32 + 0.5)).clamp(0.0, 1.0);
                if covered > 0.0 {
                    self.over((y * self.size.width + x) as usize, rgb, covered * alpha);
                }
            }
        }
    }

    /// Fills the whole layer, with round corners. Whatever was drawn before is gone.
    pub(super) fn panel(&mut self, size: Size, radius: u32, rgb: Rgb, alpha: f32) {
        // Nearly all of its pixels are the same: one is mixed and the others are copies of it.
        self.clear_pixels(Size::new(1, 1));
        self.over(0, rgb, alpha);
        let (add, keep) = (self.add.first().copied().unwrap_or(0), self.keep.first().copied().unwrap_or(0));
        self.clear(size);
        let (size, radius) = (self.size, self.scale.pixels(radius));
        self.add.fill(add);
        self.keep.fill(keep);
        let whole = Rect::new(0.0, 0.0, size.width as f32, size.height as f32);
        let (right, bottom) = (size.width.saturating_sub(radius), size.height.saturating_sub(radius));
        for rows in [0..radius.min(size.height), bottom..size.height] {
            for columns in [0..radius.min(size.width), right..size.width] {
                for y in rows.clone() {
                    let at = (y * size.width) as usize;
                    let (start, end) = (at + columns.start as usize, at + columns.end as usize);
                    self.add[start..end].fill(0);
                    self.keep[start..end].fill(u32::MAX);
                }
                let distance = |x, y| whole.distance(x, y, radius as f32);
                self.shape((columns, rows.clone()), rgb, alpha, distance);
            }
        }
    }

    /// A rectangle with round corners; a dot if the radius is half of its sides.
    pub(super) fn fill(&mut self, rect: Rect, radius: f32, rgb: Rgb, alpha: f32) {
        let (rect, radius) = (rect.times(self.scale), self.scale.times(radius));
        self.shape(rect.pixels(), rgb, alpha, |x, y| rect.distance(x, y, radius));
    }

    /// Its outline, inside the rectangle.
    pub(super) fn outline(&mut self, rect: Rect, radius: f32, thickness: f32, rgb: Rgb, alpha: f32) {
        let (rect, radius) = (rect.times(self.scale), self.scale.times(radius));
        let thickness = self.scale.times(thickness);
        let half = thickness / 2.0;
        let distance = |x, y| (rect.distance(x, y, radius) + half).abs() - half;
        let (columns, rows) = rect.pixels();
        // Between the corners only the sides are looked at, not the emptiness between them.
        let deep = radius.max(thickness).ceil() as u32 + 2;
        let thin = thickness.ceil() as u32 + 2;
        let (top, bottom) = (rows.start + deep, rows.end.saturating_sub(deep));
        let (left, right) = (columns.start + thin, columns.end.saturating_sub(thin));
        if top >= bottom || left >= right {
            return self.shape((columns, rows), rgb, alpha, distance);
        }
        self.shape((columns.clone(), rows.start..top), rgb, alpha, distance);
        self.shape((columns.start..left, top..bottom), rgb, alpha, distance);
        self.shape((right..columns.end, top..bottom), rgb, alpha, distance);
        self.shape((columns, bottom..rows.end), rgb, alpha, distance);
    }

    pub(super) fn dot(&mut self, x: f32, y: f32, radius: f32, rgb: Rgb) {
        self.fill(Rect::new(x - radius, y - radius, 2.0 * radius, 2.0 * radius), radius, rgb, 1.0);
    }

    /// A straight line with round ends.
    pub(super) fn line(&mut self, from: (f32, f32), to: (f32, f32), thickness: f32, rgb: Rgb) {
        let scale = self.scale;
        let point = |(x, y)| (scale.times(x), scale.times(y));
        let (from, to, thickness) = (point(from), point(to), scale.times(thickness));
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).max(f32::EPSILON);
        let half = thickness / 2.0;
        let bounds =
            Rect::new(from.0.min(to.0) - half, from.1.min(to.1) - half, dx.abs() + thickness, dy.abs() + thickness);
        self.shape(bounds.pixels(), rgb, 1.0, |x, y| {
            let along = (((x - from.0) * dx + (y - from.1) * dy) / length).clamp(0.0, 1.0);
            (x - from.0 - along * dx).hypot(y - from.1 - along * dy) - half
        });
    }

    /// Writes a line and gives the place behind it. Letters that the font lacks are shown as `?`.
    pub(super) fn text(&mut self, x: u32, y: u32, text: &str, font: Font, rgb: Rgb) -> u32 {
        let mut x = x;
        for letter in text.chars() {
            match letter {
                // The font ends with Latin-1: these few are built of what it has.
                '≈' => {
                    self.glyph(x, y.saturating_sub(font.height() / 8), '~', font, rgb);
                    self.glyph(x, y + font.height() / 8, '~', font, rgb);
                }
                '…' => {
                    let radius = font.height() as f32 / 16.0;
                    for n in 0..3u8 {
                        let step = font.advance() as f32 / 3.0;
                        let at = x as f32 + step * (f32::from(n) + 0.5);
                        self.dot(at, y as f32 + font.height() as f32 * 0.72, radius, rgb);
                    }
                }
                _ => self.glyph(x, y, letter, font, rgb),
            }
            x += font.advance();
        }
        x
    }

    /// Writes a line that ends at `right`.
    pub(super) fn text_right(&mut self, right: u32, y: u32, text: &str, font: Font, rgb: Rgb) {
        self.text(right.saturating_sub(font.width(text)), y, text, font, rgb);
    }

    fn glyph(&mut self, x: u32, y: u32, letter: char, font: Font, rgb: Rgb) {
        let raster = |size| get_raster(letter, font.0, size).or_else(|| get_raster('?', font.0, size));
        let (x, y) = (self.scale.pixels(x), self.scale.pixels(y));
        let (width, height) = (self.scale.pixels(font.advance()), self.scale.pixels(font.height()));
        // Where the font has letters of just this height, they are taken as they are.
        let exact = RASTERS.into_iter().find(|size| size.val() as u32 == height);
        let Some(raster) = raster(exact.unwrap_or(LARGEST)) else { return };
        if exact.is_some() {
            for (row, y) in raster.rows().zip(y..self.size.height) {
                for (&covered, x) in row.iter().zip(x..self.size.width) {
                    self.cover(x, y, covered.into(), rgb);
                }
            }
            return;
        }
        // Any other is made of the largest, between its pixels.
        let step = (raster.width() as f32 / width as f32, raster.height() as f32 / height as f32);
        let at = |column, row| raster.pixel(column, row).map_or(0.0, f32::from);
        for dy in 0..height.min(self.size.height.saturating_sub(y)) {
            let v = ((dy as f32 + 0.5) * step.1 - 0.5).max(0.0);
            for dx in 0..width.min(self.size.width.saturating_sub(x)) {
                let u = ((dx as f32 + 0.5) * step.0 - 0.5).max(0.0);
                let (column, row) = (u as usize, v as usize);
                let mix = |from: f32, to: f32, part: f32| from + (to - from) * part;
                let above = mix(at(column, row), at(column + 1, row), u.fract());
                let below = mix(at(column, row + 1), at(column + 1, row + 1), u.fract());
                self.cover(x + dx, y + dy, mix(above, below, v.fract()), rgb);
            }
        }
    }

    /// A pixel of a letter, which covers 0 to 255 of it.
    fn cover(&mut self, x: u32, y: u32, covered: f32, rgb: Rgb) {
        if covered > 0.0 {
            self.over((y * self.size.width + x) as usize, rgb, covered / 255.0);
        }
    }

    /// Lays the layer over a picture, its corner at `x`, `y`; what sticks out is left out.
    pub(super) fn blend(&self, pixels: &mut [u32], size: Size, x: u32, y: u32) {
        let (width, rows) = (self.size.width as usize, size.width as usize);
        if width == 0 || rows == 0 || x >= size.width {
            return;
        }
        let visible = width.min(rows - x as usize);
        let lines = self.add.chunks_exact(width).zip(self.keep.chunks_exact(width));
        for (row, (add, keep)) in pixels.chunks_exact_mut(rows).skip(y as usize).zip(lines) {
            let below: &mut [u8] = bytemuck::cast_slice_mut(&mut row[x as usize..x as usize + visible]);
            let add: &[u8] = bytemuck::cast_slice(&add[..visible]);
            let keep: &[u8] = bytemuck::cast_slice(&keep[..visible]);
            for ((below, add), keep) in below.iter_mut().zip(add).zip(keep) {
                *below = ((u16::from(*below) * u16::from(*keep) + 255) >> 8) as u8 + add;
            }
        }
    }
}

/// Breaks a text into lines of at most `letters`, between words where it can.
pub(super) fn wrap(text: &str, letters: usize) -> Vec<String> {
    let letters = letters.max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.len() <= letters => {
                line.push(' ');
                line.extend(word);
                continue;
            }
            _ => {}
        }
        while word.len() > letters {
            lines.push(word.drain(..letters).collect());
        }
        lines.push(word.into_iter().collect());
    }
    lines
}

/// A text of at most `letters`, with `…` where it was cut.
pub(super) fn shorten(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.into();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(width: u32, height: u32) -> Layer {
        let mut layer = Layer::default();
        layer.clear(Size::new(width, height));
        layer
    }

    #[test]
    fn an_empty_layer_changes_nothing_and_a_full_one_hides_everything() {
        let size = Size::new(8, 8);
        let picture: Vec<u32> = (0..64).map(|n| n * 0x0003_0405).collect();
        let mut pixels = picture.clone();
        layer(8, 8).blend(&mut pixels, size, 0, 0);
        assert_eq!(pixels, picture);
        let mut full = layer(8, 8);
        full.fill(Rect::new(-2.0, -2.0, 12.0, 12.0), 0.0, 0x0012_3456, 1.0);
        full.blend(&mut pixels, size, 0, 0);
        assert!(pixels.iter().all(|p| p & 0xFF_FFFF == 0x0012_3456), "{:x}", pixels[0]);
    }

    #[test]
    fn a_translucent_box_lets_the_picture_shine_through_and_has_soft_corners() {
        let mut veil = layer(20, 20);
        veil.fill(Rect::new(0.0, 0.0, 20.0, 20.0), 8.0, 0, 0.5);
        let mut pixels = vec![0x00FF_FFFF; 400];
        veil.blend(&mut pixels, Size::new(20, 20), 0, 0);
        assert_eq!(pixels[0] & 0xFF, 0xFF, "outside the round corner");
        assert!((0x7E..0x82).contains(&(pixels[10 * 20 + 10] & 0xFF)));
        let soft = (0..20).map(|x| pixels[x] & 0xFF).filter(|v| (0x85..0xFA).contains(v)).count();
        assert!(soft >= 2, "{soft} pixels of the edge are neither in nor out");
    }

    #[test]
    fn a_panel_is_a_filled_rectangle_made_faster_and_an_outline_is_closed() {
        for size in [Size::new(40, 30), Size::new(20, 9)] {
            let whole = Rect::new(0.0, 0.0, size.width as f32, size.height as f32);
            let (mut quick, mut slow) = (layer(3, 3), layer(size.width, size.height));
            quick.panel(size, 4, 0x0012_3456, 0.7);
            slow.fill(whole, 4.0, 0x0012_3456, 0.7);
            assert_eq!(quick, slow);
            let mut rim = layer(size.width, size.height);
            rim.outline(whole, 4.0, 1.0, 0x00FF_FFFF, 1.0);
            let at = |x: u32, y: u32| rim.add[(y * size.width + x) as usize] & 0xFF;
            for x in 4..size.width - 4 {
                assert_eq!((at(x, 0), at(x, size.height - 1), at(x, size.height / 2)), (255, 255, 0));
            }
            assert_eq!((at(0, size.height / 2), at(size.width - 1, size.height / 2)), (255, 255));
        }
    }

    #[test]
    fn what_is_drawn_grows_with_the_window_and_letters_are_no_stairs() {
        let scales = [(320, 240), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160), (3840, 100), (60_000, 60_000)];
        assert_eq!(scales.map(|(w, h)| Scale::of(Size::new(w, h)).0), [4, 4, 6, 8, 12, 4, 16]);
        let mut line = Layer::default();
        assert_eq!(line.fit(Size::new(3840, 2160)), Size::new(1280, 720));
        line.clear(Size::new(40, 20));
        assert_eq!(line.size, Size::new(120, 60));
        line.text(4, 2, "Wg", SMALL, 0x00FF_FFFF);
        let inked = |from: u32, to: u32| {
            let columns = move |n: &usize| (from..to).contains(&(*n as u32 % 120));
            line.add.iter().enumerate().filter(|(n, _)| columns(n)).map(|(_, pixel)| pixel & 0xFF).collect::<Vec<_>>()
        };
        assert!(inked(0, 12).iter().all(|ink| *ink == 0), "left of the first letter");
        let letter = inked(12, 12 + 3 * SMALL.advance());
        let share = |is: fn(u32) -> bool| letter.iter().filter(|ink| is(**ink)).count();
        assert!(share(|ink| ink > 180) > 40 && share(|ink| (20..180).contains(&ink)) > 40);
    }

    #[test]
    fn letters_are_drawn_with_soft_edges_and_unknown_ones_are_marked() {
        let mut line = layer(100, 24);
        let end = line.text(0, 0, "Aé≈…", MIDDLE_BOLD, 0x00FF_FFFF);
        assert_eq!(end, MIDDLE_BOLD.width("Aé≈…"));
        assert!(line.add.iter().any(|&p| (1..255).contains(&(p & 0xFF))));
        let (mut unknown, mut mark) = (layer(20, 20), layer(20, 20));
        unknown.text(0, 0, "画", SMALL, 0x00FF_FFFF);
        mark.text(0, 0, "?", SMALL, 0x00FF_FFFF);
        assert_eq!(unknown, mark);
    }

    #[test]
    fn what_sticks_out_of_the_picture_is_left_out() {
        let mut big = layer(50, 50);
        big.fill(Rect::new(0.0, 0.0, 50.0, 50.0), 0.0, 0x00FF_FFFF, 1.0);
        big.text(45, 45, "WW", LARGE_BOLD, 0);
        big.line((-10.0, -10.0), (60.0, 60.0), 3.0, 0);
        let mut pixels = vec![0; 100];
        for (x, y) in [(0, 0), (8, 8), (10, 0), (0, 10), (u32::MAX, u32::MAX)] {
            big.blend(&mut pixels, Size::new(10, 10), x, y);
        }
    }

    #[test]
    fn long_texts_are_broken_between_words_or_where_they_must_be() {
        assert_eq!(wrap("hub unreachable, next try in 2 s", 16), ["hub unreachable,", "next try in 2 s"]);
        assert_eq!(wrap("saved abcdefghij", 6), ["saved", "abcdef", "ghij"]);
        assert_eq!(wrap("", 6), Vec::<String>::new());
        assert_eq!((shorten("main/door", 9), shorten("main/door", 6)), ("main/door".into(), "main/…".into()));
    }
}
