//! The window: the newest picture at once, a box of statistics over it, and a reason where there is none.

mod cards;
mod keys;
mod layer;
mod overlay;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use minifb::{InputCallback, Key, Scale, ScaleMode, Window, WindowOptions};

use self::keys::Keys;
use self::layer::Layer;
use crate::error::{Error, Result};
use crate::frame::Size;
use crate::jpeg::{Bitmap, Scaler};
use crate::stats::{State, ViewReport};
use crate::time::Micros;

/// How often the box of statistics may change: often enough to be alive, seldom enough to be read.
const REFRESH: Duration = Duration::from_millis(250);
/// How long a note stays.
const NOTE: Duration = Duration::from_secs(3);
/// A picture younger than this stays on the screen, whatever the report says; the two come from different threads.
const FRESH: Duration = Duration::from_millis(400);
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
/// Call [`present`](Self::present) for each picture, and [`tick`](Self::tick) after it and about 20 times a second
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
    /// Something changed since the window was drawn.
    stale: bool,
    drawn: Micros,
    polled: Micros,
}

/// The statistics, a note, the keys, the reason why there is no picture.
const LAYERS: usize = 4;

/// What a layer covers in a picture that will be drawn again; of size zero if nothing. Its memory is kept.
#[derive(Default)]
struct Covered {
    x: u32,
    y: u32,
    size: Size,
    pixels: Vec<u32>,
}

/// Key events as they come; polling would lose short presses.
#[derive(Clone, Default)]
struct Events(Rc<RefCell<Vec<(Key, bool)>>>);

impl InputCallback for Events {
    fn add_char(&mut self, _: u32) {}

    fn set_key_state(&mut self, key: Key, is_down: bool) {
        if let Ok(mut events) = self.0.try_borrow_mut() {
            events.push((key, is_down));
        }
    }
}

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
            stale: true,
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
        if self.stale || self.size() != self.drawn_size || now.since(self.drawn) >= REDRAW {
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
        let events = std::mem::take(&mut *self.events.0.borrow_mut());
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
                Key::F => return self.fill_or_restore(),
                _ => {}
            }
        }
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
        let placeholder = report.state != State::Live && now.since(self.presented) >= FRESH || !self.has_picture;
        let resized = self.size() != self.drawn_size;
        let due = now.since(self.overlay_at) >= REFRESH && *report != self.overlay_report;
        if due || resized || placeholder != self.placeholder_shown || self.overlay_at == Micros::default() {
            self.stale |= due || placeholder != self.placeholder_shown;
            self.placeholder_shown = placeholder;
            self.overlay_report.clone_from(report);
            self.overlay_at = now;
            self.draw_layers();
            let stream = if report.stream.is_empty() { "StreamFlow" } else { &report.stream };
            let title = clean_title(&format!("{stream} - {}", overlay::state_word(report.state)));
            if title != self.title {
                self.window.set_title(&title);
                self.title = title;
            }
        }
    }

    fn draw_layers(&mut self) {
        let size = self.size();
        overlay::draw(&mut self.overlay, &self.overlay_report, size);
        cards::draw_help(&mut self.help, size);
        cards::draw_note(&mut self.note, &self.note_text, size);
        if self.placeholder_shown {
            cards::draw_placeholder(&mut self.placeholder, &self.overlay_report, size);
        }
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
            let as_it_is = self.has_picture && !self.placeholder_shown && self.picture.size == size;
            if !as_it_is {
                self.compose(size)?;
            }
            let pixels = if as_it_is { &mut self.picture.pixels } else { &mut self.canvas };
            let layers = placed(
                size,
                [
                    (&self.placeholder, self.placeholder_shown, Place::Middle),
                    (&self.overlay, self.shows_overlay && !self.placeholder_shown, Place::BottomLeft),
                    (&self.note, !self.note_text.is_empty(), Place::BottomRight),
                    (&self.help, self.shows_help, Place::Middle),
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
        self.stale = false;
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

impl Covered {
    fn take(&mut self, pixels: &[u32], size: Size, x: u32, y: u32, part: Size) {
        let width = part.width.min(size.width.saturating_sub(x));
        let rows = pixels.chunks_exact(size.width.max(1) as usize).skip(y as usize).take(part.height as usize);
        let (from, to) = (x as usize, (x + width) as usize);
        (self.x, self.y, self.size) = (x, y, Size::new(width, part.height));
        self.pixels.clear();
        rows.filter_map(|row| row.get(from..to)).for_each(|row| self.pixels.extend_from_slice(row));
    }

    fn put_back(&mut self, picture: &mut Bitmap) {
        let width = self.size.width.max(1) as usize;
        let rows = picture.pixels.chunks_exact_mut(picture.size.width.max(1) as usize).skip(self.y as usize);
        for (row, saved) in rows.zip(self.pixels.chunks_exact(width)) {
            if let Some(part) = row.get_mut(self.x as usize..self.x as usize + width) {
                part.copy_from_slice(saved);
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.size = Size::default();
        self.pixels.clear();
    }
}

enum Place {
    Middle,
    BottomLeft,
    BottomRight,
}

/// The layers that are to be seen, each with its corner.
fn placed<const N: usize>(
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
fn fit(picture: Size, window: Size) -> (u32, u32, Size) {
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

/// The smallest size in about the shape of a picture. minifb multiplies it until the screen is full.
fn screen_shape(picture: Size) -> Size {
    let shape = f64::from(picture.width) / f64::from(picture.height.max(1));
    let error = |height: u32| {
        let width = (shape * f64::from(height)).round().max(1.0);
        (width / f64::from(height) / shape - 1.0).abs()
    };
    let height = (1..=16).find(|&height| error(height) < 0.01).unwrap_or(16);
    Size::new((shape * f64::from(height)).round().clamp(1.0, 64.0) as u32, height)
}

fn open_window(title: &str, size: Size, fills_screen: bool) -> Result<(Window, Events)> {
    let options = WindowOptions {
        resize: !fills_screen,
        borderless: fills_screen,
        title: !fills_screen,
        scale: if fills_screen { Scale::FitScreen } else { Scale::X1 },
        // The canvas is always as large as the window; until it is, after a resize, nothing is stretched.
        scale_mode: ScaleMode::UpperLeft,
        ..WindowOptions::default()
    };
    let mut window = Window::new(title, size.width as usize, size.height as usize, options)
        .map_err(|e| Error::Failed(format!("no display: set DISPLAY, or use --headless ({e})")))?;
    // A new picture never waits for the window's own pace.
    window.set_target_fps(0);
    let events = Events::default();
    window.set_input_callback(Box::new(events.clone()));
    Ok((window, events))
}

/// A title that every window system takes.
fn clean_title(title: &str) -> String {
    title.chars().filter(|c| !c.is_control()).take(120).collect()
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
    fn a_full_screen_has_the_shape_of_the_picture() {
        assert_eq!(screen_shape(Size::new(640, 480)), Size::new(4, 3));
        assert_eq!(screen_shape(Size::new(1920, 1080)), Size::new(16, 9));
        assert_eq!(screen_shape(Size::new(641, 479)), Size::new(4, 3));
        assert_eq!(screen_shape(Size::new(60_000, 1)).width, 64);
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

    #[test]
    fn a_title_has_no_control_characters_and_an_end() {
        assert_eq!(clean_title("main/d\0oor\n - live"), "main/door - live");
        assert_eq!(clean_title(&"x".repeat(1000)).len(), 120);
    }
}
