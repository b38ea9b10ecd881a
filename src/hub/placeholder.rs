//! The picture that stands in for a stream that has none, with the reason written on it, for viewers who can be told
//! nothing but pictures.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::frame::{Picture, Size};
use crate::time::{Micros, now};
use crate::wire::control::StreamState;

/// Pictures that are kept: one a reason, and few reasons are true at a time.
const KEPT: usize = 8;
/// How often it is sent again, so that a player or proxy does not give up, and a viewer who is gone is noticed.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two that are painted: publishers that go on changing their reasons get a part of a processor.
const PAUSE: Duration = Duration::from_millis(10);
const SIZE: Size = Size::new(640, 480);
const QUALITY: u8 = 85;
const LINE: usize = 44;

/// Paints placeholders on a thread of their own, which lives while there are some to paint: a delivery loop has better things to
/// do. Each is made once for all viewers, and of each viewer's only the newest.
#[derive(Default)]
pub(super) struct Placeholders {
    work: Mutex<Work>,
    /// What is shown of every sealed stream, once somebody asked for it.
    sealed: OnceLock<Arc<Order>>,
}

/// What those see who cannot open a stream's pictures.
const SEALED: &str = "encrypted; open the link with its key";

#[derive(Default)]
struct Work {
    made: Vec<(String, Arc<Picture>)>,
    /// Those who wait for a picture, each once.
    orders: VecDeque<Arc<Order>>,
    /// The thread runs.
    paints: bool,
}

/// What one viewer is to be shown.
#[derive(Default)]
struct Order(Mutex<Wanted>);

#[derive(Default)]
struct Wanted {
    /// What is still to be painted.
    text: Option<String>,
    picture: Option<Arc<Picture>>,
}

impl Order {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Placeholders {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has what is wanted painted. Who waits already keeps its place.
    fn order(self: &Arc<Self>, order: &Arc<Order>) {
        let mut work = self.work();
        if !work.orders.iter().any(|waiting| Arc::ptr_eq(waiting, order)) {
            work.orders.push_back(order.clone());
        }
        if !work.paints {
            let this = self.clone();
            let painter = move || {
                // One that cannot be painted is taken off the queue before: it costs its own viewers their placeholder only.
                while catch_unwind(AssertUnwindSafe(|| this.paint_next())).unwrap_or(true) {
                    thread::sleep(PAUSE);
                }
            };
            // Where there is no thread to be had, it is tried again with the next look.
            work.paints = thread::Builder::new().name("placeholders".into()).spawn(painter).is_ok();
        }
    }

    /// In the place of a sealed picture of this number; `None` as long as it is not painted.
    pub(super) fn sealed(self: &Arc<Self>, sequence: u32) -> Option<Arc<Picture>> {
        let order = self.sealed.get_or_init(|| {
            let wanted = Wanted { text: Some(SEALED.into()), picture: None };
            Arc::new(Order(Mutex::new(wanted)))
        });
        let painted = order.wanted().picture.clone();
        let Some(painted) = painted else {
            self.order(order);
            return None;
        };
        Some(as_new(&painted, sequence))
    }

    /// Paints for who has waited longest; false: nobody waits.
    fn paint_next(&self) -> bool {
        let mut work = self.work();
        let Some(order) = work.orders.pop_front() else {
            work.paints = false;
            return false;
        };
        let Some(text) = order.wanted().text.take() else { return true };
        let made = work.made.iter().find(|(made, _)| *made == text).map(|(_, picture)| picture.clone());
        drop(work);
        let painted = made.or_else(|| {
            let picture = Arc::new(Picture { quality: QUALITY, data: paint(&text)?.into(), ..Picture::default() });
            let mut work = self.work();
            if work.made.len() == KEPT {
                work.made.remove(0);
            }
            work.made.push((text, picture.clone()));
            Some(picture)
        });
        // Something else may be true by now: then it is painted next.
        order.wanted().picture = painted;
        true
    }
}

/// What one viewer is shown instead of its stream.
pub(super) struct Placeholder {
    maker: Arc<Placeholders>,
    /// The picture, perhaps not painted yet, and when it is to be sent; `None`: the stream lives.
    shown: Option<(Arc<Order>, Micros)>,
}

impl Placeholder {
    pub(super) fn new(maker: Arc<Placeholders>) -> Self {
        Self { maker, shown: None }
    }

    /// How the stream is doing.
    pub(super) fn told(&mut self, state: &StreamState, now: Micros) {
        if state.live {
            if let Some((order, _)) = self.shown.take() {
                order.wanted().text = None;
            }
            return;
        }
        let name = if state.name.is_empty() { "a stream" } else { &state.name };
        let text = match state.reason.as_str() {
            "" => format!("waiting for {}/{name}", state.room),
            reason => format!("{}/{name}: {reason}", state.room),
        };
        let (order, next) = self.shown.get_or_insert_with(|| (Arc::default(), now));
        let mut wanted = order.wanted();
        // One that was painted and not sent yet will be: whoever changes its reasons all the time keeps nobody without.
        if *next > now {
            wanted.picture = None;
        }
        *next = now;
        let waits = wanted.text.replace(text).is_some();
        drop(wanted);
        if !waits {
            self.maker.order(order);
        }
    }

    /// The picture to be sent now, if there is one.
    pub(super) fn due(&mut self, at: Micros) -> Option<Arc<Picture>> {
        let (order, next) = self.shown.as_mut().filter(|(_, next)| *next <= at)?;
        let mut wanted = order.wanted();
        let Some(picture) = wanted.picture.clone() else {
            let lost = wanted.text.is_some();
            drop(wanted);
            if lost {
                self.maker.order(order);
            }
            return None;
        };
        *next = at + AGAIN;
        if wanted.text.is_some() {
            (wanted.picture, *next) = (None, at);
        }
        Some(as_new(&picture, 0))
    }
}

/// It is as old as it looks: new.
fn as_new(picture: &Picture, sequence: u32) -> Arc<Picture> {
    let data = picture.data.clone().into();
    Arc::new(Picture { captured: now(), sequence, data, quality: QUALITY, ..Picture::default() })
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
    let mut jpeg = Vec::new();
    // By image, which is Rust alone: a hub needs no codec for anything else.
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode(&pixels, SIZE.width, SIZE.height, ExtendedColorType::L8)
        .ok()?;
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

    /// A maker whose thread is the test.
    fn maker() -> Arc<Placeholders> {
        Arc::new(Placeholders { work: Mutex::new(Work { paints: true, ..Work::default() }), sealed: OnceLock::new() })
    }

    fn made(maker: &Placeholders) -> Vec<String> {
        maker.work().made.iter().map(|(text, _)| text.clone()).collect()
    }

    #[test]
    fn a_lost_stream_is_shown_once_a_second_until_it_lives_again() {
        let maker = maker();
        let mut placeholder = Placeholder::new(maker.clone());
        assert!(placeholder.due(Micros(0)).is_none());
        placeholder.told(&state(false, "camera unplugged"), Micros(0));
        assert!(placeholder.due(Micros(0)).is_none(), "it is not painted yet");
        assert!(maker.paint_next() && !maker.paint_next());
        let picture = placeholder.due(Micros(100_000)).unwrap();
        assert_eq!(crate::wire::jpeg::size(&picture.data), Some(SIZE));
        assert!(placeholder.due(Micros(1_000_000)).is_none());
        assert!(placeholder.due(Micros(1_100_000)).is_some());
        placeholder.told(&state(true, ""), Micros(1_100_001));
        assert!(placeholder.due(Micros(9_000_000)).is_none());
    }

    #[test]
    fn of_reasons_that_go_on_changing_only_the_newest_of_each_viewer_is_painted() {
        let maker = maker();
        let mut viewers: Vec<_> = (0..3).map(|_| Placeholder::new(maker.clone())).collect();
        for n in 0..200 {
            viewers
                .iter_mut()
                .zip(["a", "b", "b"])
                .for_each(|(v, who)| v.told(&state(false, &format!("{who} {n}")), Micros(n)));
        }
        while maker.paint_next() {}
        assert_eq!(made(&maker), ["main/door: a 199", "main/door: b 199"]);
        assert!(viewers.iter_mut().all(|viewer| viewer.due(Micros(200)).is_some()));
    }

    #[test]
    fn a_reason_that_changes_all_the_time_is_seen_now_and_then_and_the_last_one_stays() {
        let maker = maker();
        let mut placeholder = Placeholder::new(maker.clone());
        let mut seen = 0;
        for ms in 0..2000 {
            let now = Micros(ms * 1000);
            // The painter is slower than the publisher, and hears of the next reason while it paints.
            placeholder.told(&state(false, &format!("cut {ms}")), now);
            if ms % 20 == 0 {
                maker.paint_next();
                placeholder.told(&state(false, &format!("cut {ms} again")), now);
            }
            seen += u32::from(ms % 100 == 50 && placeholder.due(now).is_some());
        }
        assert!(seen >= 19, "{seen}");
        while maker.paint_next() {}
        let last = made(&maker).pop();
        assert_eq!(last.as_deref(), Some("main/door: cut 1999"));
        assert!(placeholder.due(Micros(2_100_000)).is_some());
    }

    #[test]
    fn what_is_shown_of_sealed_streams_is_painted_once_for_all() {
        let maker = maker();
        assert!(maker.sealed(1).is_none() && maker.sealed(2).is_none());
        assert!(maker.paint_next() && !maker.paint_next());
        let picture = maker.sealed(3).unwrap();
        assert_eq!((crate::wire::jpeg::size(&picture.data), picture.sequence), (Some(SIZE), 3));
        assert_eq!(made(&maker), [SEALED]);
    }

    #[test]
    fn few_placeholders_are_kept_and_they_are_painted_without_being_waited_for() {
        let maker = Arc::new(Placeholders::default());
        for n in 0..2 * KEPT {
            let mut placeholder = Placeholder::new(maker.clone());
            placeholder.told(&state(false, &"longer and longer ".repeat(n)), Micros(0));
            while placeholder.due(Micros(0)).is_none() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert_eq!(made(&maker).len(), KEPT);
    }
}
