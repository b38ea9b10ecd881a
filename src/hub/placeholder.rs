//! The picture that stands in for a stream that has none, with the reason written on it, for viewers who can be told
//! nothing but pictures.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::frame::{Frame, Picture, PixelFormat, Size};
use crate::jpeg::Encoder;
use crate::time::{Micros, now};
use crate::wire::control::StreamState;

/// Pictures that are kept: one a reason, and few reasons are true at a time.
const KEPT: usize = 8;
/// How often it is sent again, so that a player or proxy does not give up, and a viewer who is gone is noticed.
const AGAIN: Duration = Duration::from_secs(1);
const SIZE: Size = Size::new(640, 480);
const QUALITY: u8 = 85;
const LINE: usize = 44;

/// Makes each stand-in once, for all viewers.
#[derive(Default)]
pub(super) struct Placeholders {
    made: Mutex<Vec<(String, Arc<Picture>)>>,
}

impl Placeholders {
    fn picture(&self, text: &str) -> Option<Arc<Picture>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, picture)) = made.iter().find(|(t, _)| t == text) {
            return Some(picture.clone());
        }
        let picture = Arc::new(Picture { quality: QUALITY, data: paint(text)?.into(), ..Picture::default() });
        if made.len() == KEPT {
            made.remove(0);
        }
        made.push((text.into(), picture.clone()));
        Some(picture)
    }
}

/// What one viewer is shown instead of its stream.
pub(super) struct StandIn {
    maker: Arc<Placeholders>,
    shown: Option<(Arc<Picture>, Micros)>,
}

impl StandIn {
    pub(super) fn new(maker: Arc<Placeholders>) -> Self {
        Self { maker, shown: None }
    }

    /// The stream's state has changed.
    pub(super) fn told(&mut self, state: &StreamState, now: Micros) {
        self.shown = None;
        if !state.live {
            let name = if state.name.is_empty() { "a stream" } else { &state.name };
            let text = match state.reason.as_str() {
                "" => format!("waiting for {}/{name}", state.room),
                reason => format!("{}/{name}: {reason}", state.room),
            };
            self.shown = self.maker.picture(&text).map(|picture| (picture, now));
        }
    }

    /// The picture to be sent now, if there is one.
    pub(super) fn due(&mut self, at: Micros) -> Option<Arc<Picture>> {
        let (picture, next) = self.shown.as_mut().filter(|(_, next)| *next <= at)?;
        *next = at + AGAIN;
        // It is as old as it looks: new.
        Some(Arc::new(Picture {
            captured: now(),
            data: picture.data.clone().into(),
            quality: QUALITY,
            ..Picture::default()
        }))
    }
}

/// Words in light letters on a dark ground.
fn paint(text: &str) -> Option<Vec<u8>> {
    let (width, height) = (SIZE.width as usize, SIZE.height as usize);
    let mut pixels = vec![24u8; SIZE.area()];
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut()?;
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > LINE {
            lines.push(String::new());
        }
        let last = lines.last_mut()?;
        if !last.is_empty() {
            last.push(' ');
        }
        last.extend(word.chars().take(LINE));
    }
    let (letter_width, letter_height) = (get_raster_width(FontWeight::Regular, RasterHeight::Size20), 20);
    let line_height = letter_height * 3 / 2;
    let top = height.saturating_sub(lines.len() * line_height) / 2;
    for (row, line) in lines.iter().enumerate() {
        let left = width.saturating_sub(line.chars().count() * letter_width) / 2;
        for (column, letter) in line.chars().enumerate() {
            let Some(raster) = get_raster(letter, FontWeight::Regular, RasterHeight::Size20)
                .or_else(|| get_raster('?', FontWeight::Regular, RasterHeight::Size20))
            else {
                continue;
            };
            for (y, x) in (0..letter_height).flat_map(|y| (0..letter_width).map(move |x| (y, x))) {
                let at = (top + row * line_height + y) * width + left + column * letter_width + x;
                if let (Some(pixel), Some(coverage)) = (pixels.get_mut(at), raster.pixel(x, y)) {
                    *pixel = (*pixel).max(coverage / 10 * 9);
                }
            }
        }
    }
    let frame = Frame { data: pixels.into(), format: PixelFormat::Gray, size: SIZE, ..Frame::default() };
    let mut jpeg = Vec::new();
    Encoder::with_threads(1).ok()?.encode(&frame, SIZE, QUALITY, &mut jpeg).ok()?;
    Some(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(live: bool, reason: &str) -> StreamState {
        StreamState {
            room: "main".into(),
            name: "door".into(),
            live,
            reason: reason.into(),
            since_ms: 0,
            published: live,
            ..StreamState::default()
        }
    }

    #[test]
    fn a_lost_stream_is_shown_once_a_second_until_it_lives_again() {
        let mut stand_in = StandIn::new(Arc::default());
        assert!(stand_in.due(Micros(0)).is_none());
        stand_in.told(&state(false, "camera unplugged"), Micros(0));
        let picture = stand_in.due(Micros(0)).unwrap();
        assert_eq!(crate::wire::jpeg::size(&picture.data), Some(SIZE));
        assert!(stand_in.due(Micros(900_000)).is_none());
        assert!(stand_in.due(Micros(1_000_000)).is_some());
        stand_in.told(&state(true, ""), Micros(1_000_001));
        assert!(stand_in.due(Micros(9_000_000)).is_none());
    }

    #[test]
    fn a_reason_is_painted_once_and_few_are_kept() {
        let made = Placeholders::default();
        let first = made.picture("one reason").unwrap();
        assert!(Arc::ptr_eq(&first, &made.picture("one reason").unwrap()));
        for n in 0..2 * KEPT {
            made.picture(&"longer and longer ".repeat(n)).unwrap();
        }
        assert_eq!(made.made.lock().unwrap().len(), KEPT);
    }
}
