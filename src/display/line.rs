//! The statistics as one line: what a person looks for first, and as much more as there is room for.

use super::layer::{Font, Layer, Rgb, SMALL, SMALL_BOLD, shorten, wrap};
use super::limit::limit_in_words;
use super::overlay::{FAINT, INK, MARGIN, age, panel, picture, state_colour, state_word};
use crate::frame::Size;
use crate::stats::{State, ViewReport};

const PADDING: u32 = 10;
const HEIGHT: u32 = 26;
/// Between two things that are said.
const APART: u32 = 14;
/// The dot and the space behind it.
const DOT: u32 = 16;
/// Lines of the reason why a stream is gone.
const REASON: usize = 3;

/// A piece of the line.
type Piece = (String, Font, Rgb);

fn width(piece: &Piece) -> u32 {
    piece.1.width(&piece.0)
}

/// Draws the line for a window of this size, or nothing where there is no room for the age.
pub(super) fn draw(layer: &mut Layer, report: &ViewReport, display_ms: Option<f64>, window: Size) {
    let whole = layer.fit(window);
    let room = whole.width.saturating_sub(2 * (MARGIN + PADDING) + DOT);
    let colour = state_colour(report.state);
    let is_live = report.state == State::Live;
    let mut wanted: Vec<Piece> = vec![(age(report), SMALL_BOLD, if is_live { INK } else { colour })];
    if !is_live {
        wanted.push((state_word(report.state).into(), SMALL, colour));
    }
    let (limit, limits) = limit_in_words(report, display_ms);
    if limits {
        wanted.push((limit, SMALL, state_colour(State::Waiting)));
    }
    wanted.push((format!("{:.1} fps", report.fps.clamp(0.0, 9999.0)), SMALL, INK));
    wanted.push((shorten(&report.stream, 32), SMALL, FAINT));
    if !report.size.is_empty() {
        wanted.push((picture(report), SMALL, FAINT));
    }
    let mut used = 0;
    let mut pieces: Vec<Piece> = Vec::new();
    for piece in wanted {
        let more = width(&piece) + if pieces.is_empty() { 0 } else { APART };
        if used + more <= room {
            used += more;
            pieces.push(piece);
        }
    }
    if pieces.is_empty() || whole.height < 4 * HEIGHT {
        return layer.clear(Size::default());
    }
    panel(layer, Size::new(2 * PADDING + DOT + used, HEIGHT));
    layer.dot(PADDING as f32 + 5.0, HEIGHT as f32 / 2.0, 5.0, colour);
    write(layer, PADDING + DOT, 5, &pieces);
}

fn write(layer: &mut Layer, mut x: u32, y: u32, pieces: &[Piece]) {
    for (text, font, colour) in pieces {
        x = layer.text(x, y, text, *font, *colour) + APART;
    }
}

/// The line of one stream among several, in a tile of this size of a window: its name, and how it is or why it is not.
pub(super) fn draw_tile(layer: &mut Layer, report: &ViewReport, tile: Size, window: Size) {
    let shown = layer.fit(window);
    let scale = f64::from(shown.width.max(1)) / f64::from(window.width.max(1));
    let side = |pixels: u32| (f64::from(pixels) * scale) as u32;
    let room = Size::new(side(tile.width), side(tile.height));
    let inner = room.width.saturating_sub(2 * PADDING + DOT);
    let letters = (inner / SMALL.advance()) as usize;
    if letters < 4 || room.height < HEIGHT {
        return layer.clear(Size::default());
    }
    let colour = state_colour(report.state);
    // The room is the same for all that are seen here, and is left out where the rest needs the space.
    let name = report.stream.rsplit_once('/').map_or(report.stream.as_str(), |(_, name)| name);
    let state = match report.state {
        State::Live => {
            vec![(age(report), SMALL, INK), (format!("{:.0} fps", report.fps.clamp(0.0, 9999.0)), SMALL, FAINT)]
        }
        State::Late => vec![(age(report), SMALL, colour), (state_word(report.state).into(), SMALL, colour)],
        _ => Vec::new(),
    };
    let mut pieces = vec![(shorten(name, letters), SMALL_BOLD, INK)];
    let mut used = width(&pieces[0]);
    for piece in state {
        if used + APART + width(&piece) <= inner {
            used += APART + width(&piece);
            pieces.push(piece);
        }
    }
    let mut reason = if matches!(report.state, State::Live | State::Late) { Vec::new() } else { why(report, letters) };
    let row = SMALL.height() + 2;
    reason.truncate((room.height.saturating_sub(HEIGHT) / row) as usize);
    panel(layer, Size::new(room.width.max(1), HEIGHT + row * reason.len() as u32));
    layer.dot(PADDING as f32 + 5.0, HEIGHT as f32 / 2.0, 5.0, colour);
    write(layer, PADDING + DOT, 5, &pieces);
    for (n, text) in (0..).zip(&reason) {
        layer.text(PADDING + DOT, HEIGHT - 3 + n * row, text, SMALL, colour);
    }
}

/// Why a stream is gone, and how old what is seen of it is.
fn why(report: &ViewReport, letters: usize) -> Vec<String> {
    let reason = if report.detail.is_empty() { state_word(report.state) } else { &report.detail };
    let mut lines = wrap(reason, letters);
    if lines.len() > REASON {
        lines.truncate(REASON);
        if let Some(last) = lines.last_mut() {
            *last = shorten(&format!("{last}………"), letters.min(last.chars().count() + 1));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Quantiles;

    fn report() -> ViewReport {
        ViewReport {
            stream: "main/door".into(),
            state: State::Live,
            fps: 30.0,
            age_ms: Quantiles { p50: Some(2.3), ..Quantiles::default() },
            reached_ms: Some(30.0),
            size: "640x480".into(),
            quality: 80,
            ..ViewReport::default()
        }
    }

    #[test]
    fn a_narrow_window_loses_the_end_of_the_line_and_never_the_age() {
        let drawn = |width, height| {
            let mut layer = Layer::default();
            draw(&mut layer, &report(), None, Size::new(width, height));
            layer
        };
        let sizes = [(160, 120), (320, 240), (640, 480), (1280, 720)].map(|(w, h)| drawn(w, h).size);
        assert!(sizes.is_sorted_by_key(|size| size.width) && sizes[0].width > 0, "{sizes:?}");
        assert!(sizes[1].width < sizes[2].width && sizes.iter().all(|size| size.height == sizes[0].height));
        assert_eq!(drawn(3840, 2160).size.height, 3 * sizes[3].height);
        assert!(drawn(60, 400).is_empty() && drawn(400, 60).is_empty() && drawn(0, 0).is_empty());
    }

    #[test]
    fn the_line_of_a_tile_is_as_wide_as_the_tile_and_tells_why_a_camera_is_gone() {
        let lost = ViewReport { state: State::Lost, detail: "camera unplugged, 4 s ".repeat(40), ..report() };
        for (width, height) in [(640, 360), (240, 135), (80, 60), (10, 10), (0, 0)] {
            let (tile, window) = (Size::new(width, height), Size::new(1280, 720));
            let (mut live, mut gone) = (Layer::default(), Layer::default());
            draw_tile(&mut live, &report(), tile, window);
            draw_tile(&mut gone, &lost, tile, window);
            assert!(gone.size.height >= live.size.height && gone.size.height <= height);
            assert!(live.is_empty() || live.size.width == width, "{tile}: {}", live.size);
            assert!(width < 100 || !live.is_empty() && gone != live);
        }
    }
}
