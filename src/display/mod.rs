//! The window: the newest picture at once, a box of statistics over it, and a reason where there is none.

mod cards;
mod keys;
mod layer;
mod overlay;
mod place;
mod window;

use std::time::Duration;

use minifb::{Key, Window};

use self::keys::Keys;
use self::layer::Layer;
use self::place::{Covered, Place, fit, placed};
use self::window::{Events, clean_title, open_window, screen_shape};
use crate::error::{Error, Result};
use crate::frame::Size;
use crate::jpeg::{Bitmap, Scaler};
use crate::stats::{State, ViewReport};
use crate::time::Micros;

/// How often the numbers may change, at most: more than ten times a second, so that the age of a picture that stands still is
/// never long behind.
const REFRESH: Duration = Duration::from_millis(40);
/// Numbers that have changed come with the next picture, if there is one so soon.
const WITH_NEXT: Duration = Duration::from_millis(36);
/// How long a note stays.
const NOTE: Duration = Duration::from_secs(3);
/// A picture younger than this stays on the screen, whatever the report says; the two come from different threads.
const FRESH: Duration = Duration::from_millis(150);
/// A window that was covered and comes back is drawn again within this, even if nothing changed: minifb does not tell.
const REDRAW: Duration = Duration::from_secs(1);
/// Events need not be asked for more often than this.
const POLL: Duration = Duration::from_millis(10);
/// No window is opened smaller than this.
const SMALLEST: Size = Size::new(320, 240);

/// What the person at the window wants that the window cannot do itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To leave: `Q`, `Esc`, or the window was closed.
    Quit,
    /// The picture on the screen as a file: `S`. Answer with [`Screen::note`].
    Snapshot,
}

/// A window with a picture. It belongs to the thread that opened it, which on macOS has to be the main thread.
///
/// Call [`present`](Self::present) for each picture, and [`tick`](Self::tick) after it and about 25 times a second
/// while none comes.
pub struct Screen {
    window: Window,
    events: Events,
    keys: Keys,
    actions: Vec<Action>,
    title: String,
    fills_screen: bool,
    /// The size to go back to.
    restored: Size,

    /// The picture on the screen, or the last one that was. Where it is shown as it is, the layers lie in it, and what
    /// they cover is in `covered`.
    picture: Bitmap,
    has_picture: bool,
    presented: Micros,
    covered: [Covered; LAYERS],
    /// The whole window, where the picture is not of its size.
    canvas: Vec<u32>,
    /// The size of the window when `canvas` was drawn.
    drawn_size: Size,
    scaler: Scaler,

    shows_overlay: bool,
    shows_help: bool,
    overlay: Layer,
    overlay_report: ViewReport,
    overlay_at: Micros,
    help: Layer,
    note: Layer,
    note_text: String,
    note_until: Micros,
    placeholder: Layer,
    placeholder_shown: bool,
    /// In the place of the overlay, while the picture stands still.
    badge: Layer,
    /// Something changed since the window was drawn; and only numbers did.
    stale: bool,
    stale_numbers: bool,
    drawn: Micros,
    polled: Micros,
}

/// The window's title: the state first, for the name may be longer than what is seen of a title.
fn title(report: &ViewReport) -> String {
    let stream = if report.stream.is_empty() { "StreamFlow" } else { &report.stream };
    clean_title(&format!("{} - {stream}", overlay::state_word(report.state)))
}

/// The statistics, a note, the keys, the badge, the reason why there is no picture.
const LAYERS: usize = 5;

impl Screen {
    /// Opens a window of `size`, at least 320x240.
    ///
    /// # Errors
    /// When there is no display, or it refuses.
    pub fn open(title: &str, size: Size) -> Result<Self> {
        let size = Size::new(size.width.max(SMALLEST.width), size.height.max(SMALLEST.height));
        let title = clean_title(title);
        let (window, events) = open_window(&title, size, false)?;
        Ok(Self {
            window,
            events,
            keys: Keys::default(),
            actions: Vec::new(),
            title,
            fills_screen: false,
            restored: size,
            picture: Bitmap::default(),
            has_picture: false,
            presented: Micros::default(),
            covered: Default::default(),
            canvas: Vec::new(),
            drawn_size: Size::default(),
            scaler: Scaler::default(),
            shows_overlay: true,
            shows_help: false,
            overlay: Layer::default(),
            overlay_report: ViewReport::default(),
            overlay_at: Micros::default(),
            help: Layer::default(),
            note: Layer::default(),
            note_text: String::new(),
            note_until: Micros::default(),
            placeholder: Layer::default(),
            placeholder_shown: false,
            badge: Layer::default(),
            stale: true,
            stale_numbers: false,
            drawn: Micros::default(),
            polled: Micros::default(),
        })
    }

    /// Puts a picture on the screen, now, and gives an older bitmap back for its memory. What the person does meanwhile
    /// is told by the next [`tick`](Self::tick).
    ///
    /// # Errors
    /// When the window is gone.
    pub fn present(&mut self, bitmap: Bitmap, report: &ViewReport, now: Micros) -> Result<Bitmap> {
        let old = std::mem::replace(&mut self.picture, bitmap);
        self.has_picture = self.picture.size.area() > 0 && self.picture.pixels.len() == self.picture.size.area();
        self.covered.iter_mut().for_each(Covered::forget);
        self.presented = now;
        self.placeholder_shown = !self.has_picture;
        self.draw(report, now)?;
        // The layers are made for the next picture, after this one is on the screen.
        self.refresh(report, now);
        Ok(old)
    }

    /// Asks the window for keys, and draws it again if something changed: statistics, a note that came or went, its
    /// size, or the reason why there is no picture.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn tick(&mut self, report: &ViewReport, now: Micros) -> Result<Vec<Action>> {
        if now.since(self.polled) >= POLL {
            self.window.update();
            self.polled = now;
        }
        self.take_keys(now)?;
        if !self.window.is_open() {
            self.actions.push(Action::Quit);
        }
        self.refresh(report, now);
        let numbers = self.stale_numbers && now.since(self.drawn) >= WITH_NEXT;
        if self.stale || numbers || self.size() != self.drawn_size || now.since(self.drawn) >= REDRAW {
            self.draw(report, now)?;
        }
        Ok(std::mem::take(&mut self.actions))
    }

    /// Begins with the overlay, which is the default, or without.
    pub fn show_overlay(&mut self, shows: bool) {
        self.shows_overlay = shows;
        self.stale = true;
    }

    /// Shows a text for three seconds: `saved main-door-….jpg`.
    pub fn note(&mut self, text: impl Into<String>, now: Micros) {
        self.note_text = text.into();
        self.note_until = now + NOTE;
        self.draw_layers();
        self.stale = true;
    }

    fn size(&self) -> Size {
        let (width, height) = self.window.get_size();
        Size::new(width as u32, height as u32)
    }

    fn take_keys(&mut self, now: Micros) -> Result<()> {
        let events = self.events.take();
        if events.is_empty() {
            return Ok(());
        }
        for (key, is_down) in events {
            if !self.keys.event(key, is_down, now) {
                continue;
            }
            self.stale = true;
            match key {
                Key::Q | Key::Escape => self.actions.push(Action::Quit),
                Key::S => self.actions.push(Action::Snapshot),
                Key::T => self.shows_overlay = !self.shows_overlay,
                Key::H => self.shows_help = !self.shows_help,
                Key::F => self.fill_or_restore()?,
                _ => {}
            }
        }
        self.draw_layers();
        Ok(())
    }

    /// minifb cannot change a window: another one is opened in its place, without a border and as large as the screen
    /// allows in the shape of the picture.
    fn fill_or_restore(&mut self) -> Result<()> {
        let shape = if self.fills_screen {
            self.restored
        } else {
            self.restored = self.size();
            screen_shape(if self.has_picture { self.picture.size } else { self.restored })
        };
        let (window, events) = open_window(&self.title, shape, !self.fills_screen)?;
        (self.window, self.events, self.keys) = (window, events, Keys::default());
        self.fills_screen = !self.fills_screen;
        self.stale = true;
        Ok(())
    }

    /// Brings the layers and the title up to date, where it is time.
    fn refresh(&mut self, report: &ViewReport, now: Micros) {
        if !self.note_text.is_empty() && now >= self.note_until {
            self.note_text.clear();
            self.stale = true;
        }
        let is_lost = !matches!(report.state, State::Live | State::Late);
        let placeholder = is_lost && now.since(self.presented) >= FRESH || !self.has_picture;
        let resized = self.size() != self.drawn_size;
        let due = now.since(self.overlay_at) >= REFRESH && *report != self.overlay_report;
        if due || resized || placeholder != self.placeholder_shown || self.overlay_at == Micros::default() {
            self.stale |= placeholder != self.placeholder_shown;
            self.stale_numbers |= due;
            self.placeholder_shown = placeholder;
            self.overlay_report.clone_from(report);
            self.overlay_at = now;
            self.draw_layers();
            let title = title(report);
            if title != self.title {
                self.window.set_title(&title);
                self.title = title;
            }
        }
    }

    fn draw_layers(&mut self) {
        let size = self.size();
        if self.placeholder_shown {
            cards::draw_placeholder(&mut self.placeholder, &self.overlay_report, size);
        } else if self.shows_overlay {
            overlay::draw(&mut self.overlay, &self.overlay_report, size);
        }
        if self.shows_badge() {
            overlay::draw_badge(&mut self.badge, &self.overlay_report, size);
        }
        if self.shows_help {
            cards::draw_help(&mut self.help, size);
        }
        if !self.note_text.is_empty() {
            cards::draw_note(&mut self.note, &self.note_text, size);
        }
    }

    fn shows_box(&self) -> bool {
        self.shows_overlay && !self.placeholder_shown && !self.shows_help
    }

    /// A picture that stands still must not look like one of now where there are no statistics, or no room for them.
    fn shows_badge(&self) -> bool {
        let has_box = self.shows_box() && !self.overlay.is_empty();
        !has_box && !self.placeholder_shown && self.overlay_report.state == State::Late
    }

    /// Puts together what belongs on the screen and gives it to the window.
    fn draw(&mut self, report: &ViewReport, now: Micros) -> Result<()> {
        let size = self.size();
        if size != self.drawn_size {
            self.refresh(report, now);
        }
        for covered in self.covered.iter_mut().rev() {
            covered.put_back(&mut self.picture);
        }
        if size.area() > 0 {
            let (with_box, badge) = (self.shows_box(), self.shows_badge());
            let as_it_is = self.has_picture && !self.placeholder_shown && self.picture.size == size;
            if !as_it_is {
                self.compose(size)?;
            }
            let pixels = if as_it_is { &mut self.picture.pixels } else { &mut self.canvas };
            let layers = placed(
                size,
                [
                    (&self.placeholder, self.placeholder_shown, Place::Middle),
                    (&self.overlay, with_box, Place::BottomLeft),
                    (&self.note, !self.note_text.is_empty(), Place::BottomRight),
                    (&self.help, self.shows_help, Place::Middle),
                    // Over all others: there is no window in which the keys hide it.
                    (&self.badge, badge, Place::BottomLeft),
                ],
            );
            for ((layer, x, y), covered) in layers.zip(&mut self.covered) {
                if as_it_is {
                    covered.take(pixels, size, x, y, layer.size);
                }
                layer.blend(pixels, size, x, y);
            }
            self.window
                .update_with_buffer(pixels, size.width as usize, size.height as usize)
                .map_err(|e| Error::Failed(format!("the window: {e}")))?;
            self.polled = now;
        }
        (self.stale, self.stale_numbers) = (false, false);
        self.drawn = now;
        self.drawn_size = size;
        Ok(())
    }

    /// Draws the picture, scaled into the window with its aspect kept, or what stands for it, into the canvas.
    fn compose(&mut self, size: Size) -> Result<()> {
        self.canvas.resize(size.area(), 0);
        if !self.has_picture {
            cards::calm(&mut self.canvas, size);
            return Ok(());
        }
        let (x, y, fitted) = fit(self.picture.size, size);
        if fitted != size {
            self.canvas.fill(0);
        }
        self.scaler.fit(&self.picture.pixels, self.picture.size, &mut self.canvas, size, (x, y), fitted)?;
        if self.placeholder_shown {
            cards::dim(&mut self.canvas);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_tells_the_state_however_long_the_name_is() {
        let stream = format!("{}/{}", "r".repeat(64), "n".repeat(64));
        let report = ViewReport { stream, state: State::Late, ..ViewReport::default() };
        assert!(title(&report).starts_with("late - rrr"), "{}", title(&report));
        assert_eq!(title(&ViewReport::default()), "connecting - StreamFlow");
    }
}
