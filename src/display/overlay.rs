//! The statistics box: what a viewer knows about its stream, drawn as a layer.

use super::budget;
use super::history::{History, SAMPLES, Sample};
use super::layer::{Font, LARGE_BOLD, Layer, MIDDLE_BOLD, Rect, Rgb, SMALL, SMALL_BOLD, shorten};
use super::limit::limit_in_words;
use super::numbers::{count, finite, milliseconds, rate};
use super::sound;
use crate::frame::Size;
use crate::stats::{State, ViewReport};

/// Space around the box.
pub(super) const MARGIN: u32 = 10;
/// Rows at the top of a picture that are never covered: the test pattern paints its machine-readable stamp there.
const STAMP: u32 = 40;

const PADDING: u32 = 14;
/// A curve of the last minute.
const CURVE: u32 = 34;
/// The side of a badge without words.
const DOT: u32 = 16;
const ROW: u32 = 18;
const WIDTH: u32 = 348;

pub(super) const INK: Rgb = 0x00F2_F4F8;
pub(super) const FAINT: Rgb = 0x009A_A5B5;
const PAPER: Rgb = 0x000C_1018;
/// Letters are read over a white picture as well.
const PAPER_ALPHA: f32 = 0.9;
const RIM: Rgb = 0x00FF_FFFF;

/// The parts of the budget, in the order of the picture's way, each with its colour.
const PARTS: [(&str, Rgb); 8] = [
    ("capture", 0x0064_B5F6),
    ("encode", 0x004D_D0E1),
    ("uplink", 0x0081_C784),
    ("hub", 0x00DC_E775),
    ("downlink", 0x00FF_D54F),
    ("decode", 0x00FF_8A65),
    (SMOOTH, 0x00BA_9CF0),
    ("show", 0x00F0_6292),
];

/// The part that is there where pictures are held back for even motion, and only there.
const SMOOTH: &str = "smooth";

/// The colour of a state: green pictures come, amber they will or should, grey they went.
pub(super) fn state_colour(state: State) -> Rgb {
    match state {
        State::Live => 0x004C_D97B,
        State::Connecting | State::Waiting | State::Late => 0x00FF_B938,
        State::Lost => 0x00A8_B0BC,
    }
}

/// The state as one word.
pub(super) fn state_word(state: State) -> &'static str {
    match state {
        State::Connecting => "connecting",
        State::Waiting => "waiting",
        State::Live => "live",
        State::Late => "late",
        State::Lost => "lost",
    }
}

/// A panel: dark, translucent, with a fine rim.
pub(super) fn panel(layer: &mut Layer, size: Size) {
    let (width, height) = (size.width as f32, size.height as f32);
    layer.panel(size, 12, PAPER, PAPER_ALPHA);
    layer.outline(Rect::new(0.0, 0.0, width, height), 12.0, 1.0, RIM, 0.14);
}

/// Draws the box for a window of this size, or nothing where there is no room for one. `display_ms`: what the window takes for
/// a picture.
pub(super) fn draw(layer: &mut Layer, report: &ViewReport, history: &History, display_ms: Option<f64>, window: Size) {
    let window = layer.fit(window);
    let room = Size::new(window.width.saturating_sub(2 * MARGIN), window.height.saturating_sub(STAMP + MARGIN));
    let wide = room.width.min(WIDTH);
    let head = PADDING + ROW + 4 + LARGE_BOLD.height() + 8 + 8 + PADDING;
    let parts = parts(report);
    let rows = parts.len() as u32 / 2 + 1;
    let table = rows * ROW;
    let seal_row = if report.end_to_end { ROW } else { 0 };
    let full = head + 6 + table + 13 + 6 * ROW - 5 + seal_row;
    if wide < 180 || room.height < head {
        layer.clear(Size::default());
        return;
    }
    let is_full = wide == WIDTH && room.height >= full;
    let mut sound = report.sound.as_ref().filter(|_| is_full).map(sound::in_words).unwrap_or_default();
    sound.truncate((room.height.saturating_sub(full) / ROW) as usize);
    let full = full + sound.len() as u32 * ROW;
    let curves = 13 + ROW + CURVE;
    let has_curves = is_full && room.height >= full + curves && !history.is_empty();
    let mut height = if is_full { full } else { head } + if has_curves { curves } else { 0 };
    let left_over = room.height.saturating_sub(height + 13) / ROW;
    let metadata = if is_full { metadata_lines(report, left_over as usize) } else { Vec::new() };
    if !metadata.is_empty() {
        height += 13 + metadata.len() as u32 * ROW;
    }
    panel(layer, Size::new(wide, height));

    let right = wide - PADDING;
    let mut y = draw_head(layer, report, right);
    if !is_full {
        return;
    }
    y += 6;
    // The sum is the age of pictures when they were shown, which is the one above as long as one follows the other; those that
    // stand still, or come seldom, get older than that on the screen.
    let values: Vec<_> = parts.iter().map(|(.., value)| *value).collect();
    let told = budget::in_words(&values, report.age_ms.p50);
    for (n, ((name, colour, _), value)) in parts.iter().zip(&told.parts).enumerate() {
        let (x, end, y) = cell(n, y, right);
        layer.fill(Rect::new(x as f32, y as f32 + 4.5, 9.0, 9.0), 2.5, *colour, 1.0);
        layer.text(x + 16, y, name, SMALL, FAINT);
        layer.text_right(end, y, value, SMALL, INK);
    }
    // It is the last of the table, at the right.
    let (x, end, last) = cell(2 * rows as usize - 1, y, right);
    let sum = if report.age() == report.age_ms.p50 { "sum" } else { "when shown" };
    layer.text(x, last, sum, SMALL, FAINT);
    layer.text_right(end, last, &told.sum, SMALL_BOLD, INK);
    y += table + 6;
    rule(layer, y, right);
    y += 7;
    let amber = state_colour(State::Waiting);
    let (limit, limits) = limit_in_words(report, display_ms);
    let colour = if limits { amber } else { INK };
    for (name, value, colour) in [("picture", picture(report), INK), ("limit", limit, colour)] {
        let x = layer.text(PADDING, y, name, SMALL, FAINT);
        layer.text_right(right, y, &shorten(&value, letters(SMALL, right - x - 8)), SMALL, colour);
        y += ROW;
    }
    if report.end_to_end {
        let (value, colour) = report.times_apart_ms.map_or_else(
            || ("end to end".to_owned(), INK),
            |ms| (format!("the hub's times are wrong by {:.1} s", finite(ms).abs() / 1e3), amber),
        );
        let x = layer.text(PADDING, y, "sealed", SMALL, FAINT);
        layer.text_right(right, y, &shorten(&value, letters(SMALL, right - x - 8)), SMALL, colour);
        y += ROW;
    }
    for (n, value) in sound.iter().enumerate() {
        let x = layer.text(PADDING, y, if n == 0 { "sound" } else { "" }, SMALL, FAINT);
        layer.text_right(right, y, &shorten(value, letters(SMALL, right - x - 8)), SMALL, INK);
        y += ROW;
    }
    for (n, (name, value)) in facts(report, display_ms).iter().enumerate() {
        let (x, end, y) = cell(n, y, right);
        layer.text(x, y, name, SMALL, FAINT);
        layer.text_right(end, y, value, SMALL, INK);
    }
    y += 4 * ROW + 6;
    if has_curves {
        rule(layer, y, right);
        draw_curves(layer, history, y + 7, right);
        y += curves;
    }
    if !metadata.is_empty() {
        rule(layer, y, right);
        y += 7;
        for (key, value) in metadata {
            let x = layer.text(PADDING, y, &key, SMALL, FAINT);
            layer.text_right(right, y, &shorten(&value, letters(SMALL, right - x - 8)), SMALL, INK);
            y += ROW;
        }
    }
}

/// What a curve shows of a second.
type Value = fn(Sample) -> Option<f64>;

/// The last minute of age and rate, each as large as its largest value, which stands over it.
fn draw_curves(layer: &mut Layer, history: &History, y: u32, right: u32) {
    let ages = |sample: Sample| sample.age;
    let rates = |sample: Sample| Some(sample.fps);
    let columns: [(&str, Value, Rgb); 2] = [("age", ages, 0x00F0_6292), ("fps", rates, 0x004D_D0E1)];
    for (n, (name, value, colour)) in columns.into_iter().enumerate() {
        let (x, end, _) = cell(n, y, right);
        let most = history.samples().filter_map(value).map(finite).fold(0.0, f64::max);
        let top = if n == 0 { milliseconds(Some(most)) } else { format!("{most:.1}") };
        layer.text(x, y, name, SMALL, FAINT);
        layer.text_right(end, y, &format!("max {top}"), SMALL, FAINT);
        let (top, bottom) = ((y + ROW + 2) as f32, (y + ROW + CURVE - 4) as f32);
        layer.fill(Rect::new(x as f32, bottom + 1.0, (end - x) as f32, 1.0), 0.0, RIM, 0.2);
        let step = (end - x) as f32 / (SAMPLES - 1) as f32;
        // The newest is at the right edge.
        let first = end as f32 - step * (history.samples().len() - 1) as f32;
        let point = |n: usize, value: f64| {
            let share = if most > 0.0 { (finite(value) / most) as f32 } else { 0.0 };
            (first + step * n as f32, bottom - share * (bottom - top))
        };
        let mut before = None;
        for (n, sample) in history.samples().enumerate() {
            let here = value(sample).map(|value| point(n, value));
            match (before, here) {
                (Some(from), Some(to)) => layer.line(from, to, 1.5, colour),
                (None, Some((x, y))) => layer.dot(x, y, 1.0, colour),
                _ => {}
            }
            before = here;
        }
    }
}

/// Stream, state, fps, age and the bar of where it was spent; gives the row below.
fn draw_head(layer: &mut Layer, report: &ViewReport, right: u32) -> u32 {
    let mut y = PADDING - 3;
    let colour = state_colour(report.state);
    layer.dot(PADDING as f32 + 5.0, y as f32 + 8.5, 5.0, colour);
    let word = state_word(report.state);
    layer.text_right(right, y, word, SMALL, colour);
    let room = letters(SMALL_BOLD, right - PADDING - 18 - SMALL.width(word) - 8);
    layer.text(PADDING + 18, y, &shorten(&report.stream, room), SMALL_BOLD, INK);
    y += ROW + 4;

    let ink = if report.state == State::Live { INK } else { colour };
    let x = layer.text(PADDING, y, &age(report), LARGE_BOLD, ink);
    let baseline = y + LARGE_BOLD.height() - MIDDLE_BOLD.height();
    let rate = format!("{:.1} fps", finite(report.fps));
    layer.text_right(right, baseline, &rate, MIDDLE_BOLD, INK);
    let tail = match report.age_error_ms {
        // The tail of what is not known well says less than how far off it may be.
        Some(error) if report.age_estimated => format!("±{}", milliseconds(Some(error))),
        _ => format!("p99 {}", milliseconds(report.age_ms.p99)),
    };
    let x = x + 10;
    if x + SMALL.width(&tail) + 10 + MIDDLE_BOLD.width(&rate) <= right {
        layer.text(x, y + LARGE_BOLD.height() - SMALL.height() - 2, &tail, SMALL, FAINT);
    }
    y += LARGE_BOLD.height() + 8;

    let bar = Rect::new(PADDING as f32, y as f32, (right - PADDING) as f32, 8.0);
    layer.fill(bar, 4.0, RIM, 0.12);
    let known = |(_, colour, value): &(_, Rgb, Option<f64>)| (*colour, value.map_or(0.0, finite));
    let values: Vec<(Rgb, f64)> = parts(report).iter().map(known).collect();
    let sum: f64 = values.iter().map(|(_, value)| value).sum();
    if sum > 0.0 {
        let mut x = bar.x;
        for (colour, value) in values {
            let width = (f64::from(bar.width) * value / sum) as f32;
            // A hair of space between the parts; the thinnest of them is that hair.
            layer.fill(Rect::new(x, bar.y, (width - 1.0).max(0.0), bar.height), 2.0, colour, 1.0);
            x += width;
        }
    }
    y + 8
}

/// The corners of a cell of the two columns: left, right, top.
fn cell(n: usize, y: u32, right: u32) -> (u32, u32, u32) {
    let gap = 22;
    let width = (right - PADDING - gap) / 2;
    let x = PADDING + if n.is_multiple_of(2) { 0 } else { width + gap };
    (x, x + width, y + n as u32 / 2 * ROW)
}

fn rule(layer: &mut Layer, y: u32, right: u32) {
    layer.fill(Rect::new(PADDING as f32, y as f32, (right - PADDING) as f32, 1.0), 0.0, RIM, 0.14);
}

fn letters(font: Font, width: u32) -> usize {
    (width / font.advance()) as usize
}

/// The parts of the age that there are, each with its colour and what is known of it.
fn parts(report: &ViewReport) -> Vec<(&'static str, Rgb, Option<f64>)> {
    let b = &report.budget_ms;
    let values = [b.capture, b.encode, b.uplink, b.hub, b.downlink, b.decode, b.smooth, b.show];
    let parts = PARTS.into_iter().zip(values).map(|((name, colour), value)| (name, colour, value));
    parts.filter(|(name, _, value)| *name != SMOOTH || value.is_some()).collect()
}

/// The age of the picture: `2.3 ms`, `≈87 ms` where it is an estimate.
pub(super) fn age(report: &ViewReport) -> String {
    let about = if report.age_estimated && report.age().is_some() { "≈" } else { "" };
    format!("{about}{}", milliseconds(report.age()))
}

/// In a window without the statistics: that the picture stands still, and how old it is.
///
/// Where the window has no room for that, a dot in its colour, however small the window is.
pub(super) fn draw_badge(layer: &mut Layer, report: &ViewReport, window: Size) {
    let window = layer.fit(window);
    let (text, colour) = (age(report), state_colour(report.state));
    let size = Size::new(2 * PADDING + 18 + MIDDLE_BOLD.width(&text), MIDDLE_BOLD.height() + 16);
    if size.width > window.width || size.height > window.height {
        let side = DOT.min(window.width).min(window.height);
        layer.clear(Size::new(side, side));
        layer.dot(side as f32 / 2.0, side as f32 / 2.0, side as f32 / 2.0, colour);
        return;
    }
    panel(layer, size);
    layer.dot(PADDING as f32 + 5.0, size.height as f32 / 2.0, 5.0, colour);
    layer.text(PADDING + 18, 8, &text, MIDDLE_BOLD, colour);
}

/// Size and quality, and of what where that is more: `320x240 q41 of 640x480 q80`.
pub(super) fn picture(report: &ViewReport) -> String {
    let words = |size: &str, quality: u8| match (size, quality) {
        ("", _) => "-".to_owned(),
        (size, 0) => size.to_owned(),
        (size, quality) => format!("{size} q{quality}"),
    };
    let nominal = &report.nominal;
    let shown = words(&report.size, report.quality);
    let as_nominal = nominal.size == report.size && nominal.quality == report.quality;
    if as_nominal || nominal.size.is_empty() {
        shown
    } else {
        format!("{shown} of {}", words(&nominal.size, nominal.quality))
    }
}

fn facts(report: &ViewReport, display_ms: Option<f64>) -> [(&'static str, String); 8] {
    [
        ("rate", rate(report.kbytes_per_second)),
        ("jitter", milliseconds(report.jitter_ms)),
        ("skipped", count(report.skipped)),
        ("lost", count(report.lost)),
        ("broken", count(report.broken)),
        ("shown", count(report.shown)),
        ("reconnects", count(report.reconnects)),
        ("window", milliseconds(display_ms)),
    ]
}

/// The picture's own metadata, if it is an object.
fn metadata_lines(report: &ViewReport, most: usize) -> Vec<(String, String)> {
    report.metadata.as_ref().map_or_else(Vec::new, |metadata| metadata.lines(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Metadata;
    use crate::stats::{AgeBudget, Quantiles, SoundReport};

    fn report() -> ViewReport {
        ViewReport {
            stream: "main/door".into(),
            state: State::Live,
            fps: 30.0,
            age_ms: Quantiles { p50: Some(2.3), p99: Some(4.1), max: Some(9.0) },
            reached_ms: Some(30.0),
            budget_ms: AgeBudget {
                capture: Some(0.2),
                encode: Some(0.6),
                decode: Some(0.8),
                show: Some(0.5),
                ..AgeBudget::default()
            },
            size: "640x480".into(),
            quality: 80,
            ..ViewReport::default()
        }
    }

    fn drawn(report: &ViewReport, window: Size) -> Layer {
        let (mut layer, mut history) = (Layer::default(), History::default());
        (0..90).for_each(|second| history.look(report, crate::time::Micros(second * 1_000_000)));
        draw(&mut layer, report, &history, Some(0.6), window);
        layer
    }

    #[test]
    fn the_stamp_at_the_top_of_a_picture_is_never_covered() {
        let mut full = report();
        let entries: Vec<String> = (0..16).map(|n| format!("\"key {n}\":{n}")).collect();
        full.metadata = Metadata::read(&format!("{{{}}}", entries.join(",")));
        assert!(full.metadata.is_some());
        for (width, height) in [(640, 480), (640, 360), (320, 240), (1920, 1080), (3840, 2160)] {
            let window = Size::new(width, height);
            let layer = drawn(&full, window);
            assert!(!layer.is_empty(), "{window}");
            assert!(layer.size.height + MARGIN + STAMP <= window.height, "{window}: {}", layer.size);
            assert!(layer.size.width + 2 * MARGIN <= window.width, "{window}: {}", layer.size);
        }
    }

    #[test]
    fn a_small_window_gets_a_small_box_and_a_tiny_one_none() {
        let small = drawn(&report(), Size::new(320, 240));
        assert!(small.size.height < drawn(&report(), Size::new(640, 480)).size.height / 2);
        assert!(drawn(&report(), Size::new(160, 120)).is_empty());
        assert!(drawn(&report(), Size::new(0, 0)).is_empty());
    }

    #[test]
    fn metadata_is_shown_nested_or_not_where_it_is_an_object() {
        let height = |json| {
            let with = ViewReport { metadata: Metadata::read(json), ..report() };
            drawn(&with, Size::new(640, 480)).size.height
        };
        let (plain, two) = (height("[1, 2]"), height(r#"{"plate": "AB 123", "free": 7}"#));
        assert_eq!(plain, drawn(&report(), Size::new(640, 480)).size.height);
        assert!(two > plain);
        assert_eq!(height(r#"{"track_ids": [42, 43, 44], "camera": {"id": 1}}"#), two);
    }

    #[test]
    fn sound_and_what_is_held_back_have_rows_where_there_is_room() {
        let height = |report: &ViewReport, width, height| drawn(report, Size::new(width, height)).size.height;
        let sound = Some(SoundReport { age_ms: Some(84.0), ..SoundReport::default() });
        let (heard, plain) = (ViewReport { sound, ..report() }, report());
        assert_eq!(height(&heard, 640, 480), height(&plain, 640, 480) + 2 * ROW);
        let muted = Some(SoundReport { muted: true, ..SoundReport::default() });
        assert_eq!(height(&ViewReport { sound: muted, ..report() }, 640, 480), height(&plain, 640, 480) + ROW);
        assert!(height(&plain, 640, 360) > 200 && height(&heard, 640, 360) > 200, "it takes the place of nothing else");
        let mut held = report();
        held.budget_ms.smooth = Some(80.0);
        assert_eq!(height(&held, 640, 480), height(&plain, 640, 480) + ROW);
    }

    #[test]
    fn a_picture_that_stands_still_is_seen_to_and_one_that_is_not_known_is_no_zero() {
        let frozen = ViewReport { state: State::Late, reached_ms: Some(1240.0), ..report() };
        assert_eq!(
            (age(&report()), age(&frozen), age(&ViewReport::default())),
            ("2.3 ms".into(), "1.24 s".into(), "-".into())
        );
        assert_ne!(drawn(&report(), Size::new(640, 480)), drawn(&frozen, Size::new(640, 480)));
        let (mut early, mut late) = (Layer::default(), Layer::default());
        let window = Size::new(640, 480);
        draw_badge(&mut early, &ViewReport { reached_ms: Some(1140.0), ..frozen.clone() }, window);
        draw_badge(&mut late, &frozen, window);
        assert!(!late.is_empty() && early != late && late.size.width < 200);
        for tiny in [Size::new(160, 120), Size::new(90, 60), Size::new(300, 20), Size::new(9, 5), Size::new(1, 1)] {
            draw_badge(&mut late, &frozen, tiny);
            assert!(!late.is_empty(), "{tiny}");
            assert!(late.size.width <= tiny.width && late.size.height <= tiny.height, "{tiny}: {}", late.size);
        }
    }

    #[test]
    fn odd_numbers_do_no_harm() {
        let mut odd = report();
        odd.stream = "a very long room name / and a very long stream name that never ends".repeat(9);
        odd.nominal.size = "\n".into();
        odd.budget_ms.hub = Some(f64::NAN);
        odd.age_estimated = true;
        odd.age_ms = Quantiles { p50: Some(1e300), p99: Some(f64::INFINITY), max: None };
        odd.age_error_ms = Some(f64::NAN);
        assert!(!drawn(&odd, Size::new(640, 480)).is_empty());
        assert!(!drawn(&odd, Size::new(210, 200)).is_empty());
    }
}
