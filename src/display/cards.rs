//! What is said over the picture or in place of it: why there is none, a passing note, the keys.

use super::layer::{LARGE_BOLD, Layer, MIDDLE_BOLD, Rect, Rgb, SMALL, SMALL_BOLD, shorten, wrap};
use super::overlay::{FAINT, INK, age, panel, state_colour, state_word};
use super::table::{ROWS, Row};
use crate::frame::Size;
use crate::stats::{State, ViewReport};

const PADDING: u32 = 14;
const ROW: u32 = 22;
/// Letters of a note, so that it has room beside the statistics at 640 pixels.
const NOTE_WIDTH: u32 = 234;
/// Between the camera and the reason.
const ICON_GAP: u32 = 18;

/// The card in the middle of a window that has no picture: a camera, what is missing and why.
pub(super) fn draw_placeholder(layer: &mut Layer, report: &ViewReport, window: Size) {
    let window = layer.fit(window);
    let is_small = window.width < 420 || window.height < 300;
    let font = if is_small { SMALL_BOLD } else { MIDDLE_BOLD };
    let room = window.width.saturating_sub(48).min(560);
    let message = if report.detail.is_empty() { state_word(report.state) } else { &report.detail };
    let mut lines = wrap(message, (room / font.advance()) as usize);
    let stream = if message.contains(&report.stream) { "" } else { &report.stream };
    let stream = shorten(stream, (room / SMALL.advance()) as usize);
    // What shines through from below is no picture of now.
    let old = report.picture_age_ms.map_or_else(String::new, |_| format!("the picture is {} old", age(report)));
    let notes = [stream.as_str(), &old].into_iter().filter(|note| !note.is_empty());
    let line = font.height() + 4;
    let below = 6 + (SMALL.height() + 2) * notes.clone().count().max(1) as u32;
    lines.truncate((window.height.saturating_sub(below) / line).min(6) as usize);
    let text = line * lines.len() as u32 + below;
    // The camera, with the space under it, where there is room for it.
    let icon = if is_small { 44 } else { 84 };
    let icon = if icon + ICON_GAP + text <= window.height { icon } else { 0 };
    let top = if icon > 0 { icon + ICON_GAP } else { 0 };
    let height = top + text;
    let widths = lines.iter().map(|line| font.width(line)).chain(notes.clone().map(|note| SMALL.width(note)));
    let widest = widths.max().unwrap_or(0).max(2 * icon);
    let width = widest + 2;
    if width > window.width || height > window.height {
        layer.clear(Size::default());
        return;
    }
    layer.clear(Size::new(width, height));
    if icon > 0 {
        camera(layer, width as f32 / 2.0, icon as f32, report.state);
    }
    let centred = |text_width: u32| (width - text_width) / 2;
    let mut y = top;
    for text in &lines {
        layer.text(centred(font.width(text)), y, text, font, INK);
        y += line;
    }
    for note in notes {
        layer.text(centred(SMALL.width(note)), y + 6, note, SMALL, FAINT);
        y += SMALL.height() + 2;
    }
}

/// A camera of `height`, its middle at `middle`; crossed out when its picture is lost.
fn camera(layer: &mut Layer, middle: f32, height: f32, state: State) {
    let unit = height / 84.0;
    let at = |x: f32, y: f32| (middle + x * unit, y * unit);
    let thick = 5.0 * unit;
    let (x, y) = at(-52.0, 20.0);
    let colour: Rgb = 0x00C4_CEDC;
    let (bump_x, bump_y) = at(-18.0, 8.0);
    layer.fill(Rect::new(bump_x, bump_y, 36.0 * unit, 16.0 * unit), 6.0 * unit, colour, 1.0);
    layer.outline(Rect::new(x, y, 104.0 * unit, 62.0 * unit), 12.0 * unit, thick, colour, 1.0);
    let (lens_x, lens_y) = at(-20.0, 31.0);
    layer.outline(Rect::new(lens_x, lens_y, 40.0 * unit, 40.0 * unit), 20.0 * unit, thick, colour, 1.0);
    let (dot_x, dot_y) = at(36.0, 35.0);
    layer.dot(dot_x, dot_y, 4.5 * unit, state_colour(state));
    if state == State::Lost {
        layer.line(at(-48.0, 82.0), at(48.0, 4.0), 13.0 * unit, 0x0010_141C);
        layer.line(at(-48.0, 82.0), at(48.0, 4.0), 6.0 * unit, state_colour(state));
    }
}

/// A passing note: `saved …`.
pub(super) fn draw_note(layer: &mut Layer, text: &str, window: Size) {
    let window = layer.fit(window);
    let room = window.width.saturating_sub(20 + 2 * PADDING).min(NOTE_WIDTH);
    let mut lines = wrap(text, (room / SMALL.advance()) as usize);
    lines.truncate(4);
    let widest = lines.iter().map(|line| SMALL.width(line)).max().unwrap_or(0);
    let line = SMALL.height() + 2;
    let size = Size::new(widest + 2 * PADDING, line * lines.len() as u32 + 18);
    if lines.is_empty() || size.width > window.width || size.height > window.height {
        layer.clear(Size::default());
        return;
    }
    panel(layer, size);
    for (n, text) in lines.iter().enumerate() {
        layer.text(PADDING, 9 + n as u32 * line, text, SMALL, INK);
    }
}

/// The keys; those for several streams where there are several. Where there is little room, rows are closer and have no title.
pub(super) fn draw_help(layer: &mut Layer, several: bool, window: Size) {
    let window = layer.fit(window);
    let rows = || ROWS.iter().filter(|row| several || !row.several);
    let key_width = rows().map(|row| SMALL_BOLD.width(row.caps)).max().unwrap_or(0) + 12;
    let text_width = rows().map(|row| SMALL.width(row.says)).max().unwrap_or(0);
    let count = rows().count() as u32;
    let roomy = Room { pad: 18, gap: 14, title: LARGE_BOLD.height() + 10, row: ROW + 4 };
    let close = Room { pad: 8, gap: 8, title: 0, row: ROW - 2 };
    let size = |room: &Room| {
        Size::new(2 * room.pad + key_width + room.gap + text_width, 2 * room.pad + room.title + count * room.row - 4)
    };
    let fits = |room: &Room| size(room).width <= window.width && size(room).height <= window.height;
    let Some(room) = [roomy, close].into_iter().find(fits) else { return layer.clear(Size::default()) };
    panel(layer, size(&room));
    if room.title > 0 {
        layer.text(room.pad, room.pad - 2, "Keys", LARGE_BOLD, INK);
    }
    let mut y = room.pad + room.title;
    for Row { caps, says, .. } in rows() {
        let cap = Rect::new(room.pad as f32, y as f32, key_width as f32, (room.row - 4) as f32);
        layer.fill(cap, 5.0, 0x00FF_FFFF, 0.13);
        layer.outline(cap, 5.0, 1.0, 0x00FF_FFFF, 0.22);
        let middle = y + (room.row - 4 - SMALL.height().min(room.row - 4)) / 2;
        layer.text(room.pad + (key_width - SMALL_BOLD.width(caps)) / 2, middle, caps, SMALL_BOLD, INK);
        layer.text(room.pad + key_width + room.gap, middle, says, SMALL, 0x00D4_DAE4);
        y += room.row;
    }
}

/// How far apart the rows of keys are.
struct Room {
    pad: u32,
    gap: u32,
    title: u32,
    row: u32,
}

/// What lies below a placeholder: the last picture dimmed, or where there never was one, a calm dark.
pub(super) fn dim(pixels: &mut [u32]) {
    // A third of the light without its colour, and a little blue: what is not of now is grey, and the shapes stay.
    for pixel in pixels {
        let [blue, green, red, _] = pixel.to_le_bytes().map(u32::from);
        *pixel = (red + 2 * green + blue) / 13 * 0x0001_0101 + 0x0004_060A;
    }
}

/// A dark that is a little lighter at the top, in so many rows.
pub(super) fn calm<'a>(rows: impl Iterator<Item = &'a mut [u32]>, height: u32) {
    let height = height.max(1);
    for (y, row) in (0..).zip(rows) {
        let fade = |top: u32, bottom: u32| (top * (height - y.min(height)) + bottom * y.min(height)) / height;
        row.fill(fade(0x1E, 0x0C) << 16 | fade(0x25, 0x0F) << 8 | fade(0x31, 0x16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: [Size; 7] = [
        Size::new(3840, 2160),
        Size::new(1920, 1080),
        Size::new(640, 480),
        Size::new(320, 240),
        Size::new(200, 150),
        Size::new(40, 30),
        Size::new(0, 0),
    ];

    #[test]
    fn every_card_fits_its_window_or_is_left_out() {
        let lost = ViewReport {
            state: State::Lost,
            picture_age_ms: Some(5210.0),
            reached_ms: Some(5210.0),
            stream: "main/door".into(),
            detail: "the hub at a.very.long.host.name.example.org:8002 is unreachable, next try in 2 s".into(),
            ..ViewReport::default()
        };
        for window in WINDOWS {
            let (mut why, mut note, mut help) = (Layer::default(), Layer::default(), Layer::default());
            draw_placeholder(&mut why, &lost, window);
            draw_note(&mut note, "saved /home/someone/pictures/main-door-2026-11-21T10-24-00.jpg", window);
            draw_help(&mut help, true, window);
            for layer in [&why, &note, &help] {
                assert!(layer.size.width <= window.width && layer.size.height <= window.height, "{window}");
            }
            if window.width >= 200 {
                assert!(!why.is_empty() && !note.is_empty(), "{window}");
            }
            assert!(window.width < 320 || !help.is_empty(), "{window}");
        }
    }

    #[test]
    fn the_reason_changes_the_placeholder() {
        let draw = |detail: &str, state| {
            let mut layer = Layer::default();
            let report = ViewReport { detail: detail.into(), state, ..ViewReport::default() };
            draw_placeholder(&mut layer, &report, Size::new(640, 480));
            layer
        };
        assert_ne!(draw("camera unplugged, 4 s", State::Lost), draw("camera unplugged, 5 s", State::Lost));
        assert_ne!(draw("waiting for main/door", State::Waiting), draw("waiting for main/door", State::Lost));
    }

    #[test]
    fn a_dimmed_picture_is_dark_but_still_there() {
        let mut pixels = [0x00FF_FFFF, 0x0000_0000, 0x0080_8080];
        dim(&mut pixels);
        let [white, black, grey] = pixels.map(|p| p >> 8 & 0xFF);
        let mut red = [0x00FF_0000];
        dim(&mut red);
        assert!((red[0] >> 16 & 0xFF).abs_diff(red[0] & 0xFF) < 10, "{:x}", red[0]);
        assert!(white < 0x60 && grey < white && black < grey, "{white:x} {grey:x} {black:x}");
    }
}
