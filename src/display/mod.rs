//! The window: the newest picture at once, its statistics over it, and a reason where there is none; of one stream or of several.

mod budget;
mod cards;
mod grid;
mod history;
mod input;
mod keys;
mod layer;
mod limit;
mod line;
mod mouse;
mod numbers;
mod overlay;
mod place;
mod sound;
mod table;
mod wall;
mod window;

use std::time::Duration;

pub use self::grid::MOST_TILES;
use self::history::History;
use self::keys::Keys;
use self::layer::Layer;
use self::mouse::Mouse;
use self::place::{Covered, Place, fit, placed};
use self::wall::Wall;
use self::window::AppWindow;
use crate::error::Result;
use crate::frame::Size;
use crate::jpeg::{Bitmap, Scaler, turned};
use crate::stats::{State, ViewReport};
use crate::time::{Micros, millis, now as clock};
use crate::wire::jpeg::Orientation;

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
/// The window of several streams.
const SEVERAL: Size = Size::new(1280, 720);

/// What the person at the window wants that the window cannot do itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To leave: `Q`, `Esc`, or the window was closed.
    Quit,
    /// The picture on the screen as a file: `S`. Answer with [`Screen::note`].
    Snapshot,
    /// What is seen of the stream turned so: `R` and `M`. The picture on the screen is turned already.
    Turn(Orientation),
    /// Sound on, or off: `A`. Answer with [`Screen::note`].
    Sound,
    /// Another stream, or all of them, from now on: see [`Screen::chosen`].
    Chosen,
}

/// How much of the statistics is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Overlay {
    #[default]
    Line,
    Full,
    Off,
}

/// A window with a picture. It belongs to the thread that opened it, which on macOS has to be the main thread.
///
/// Call [`present`](Self::present) for each picture, and [`tick`](Self::tick) after it and about 25 times a second
/// while none comes. Of several streams: [`show_several`](Self::show_several).
pub struct Screen {
    window: AppWindow,
    keys: Keys,
    mouse: Mouse,
    active: bool,
    actions: Vec<Action>,
    /// The size to which it was opened, while it waits for the first picture, which tells a better one.
    first_size: Option<Size>,

    /// The picture on the screen, or the last one that was. Where it is shown as it is, the layers lie in it, and what
    /// they cover is in `covered`.
    picture: Bitmap,
    has_picture: bool,
    presented: Micros,
    covered: [Covered; LAYERS],
    /// The layers lie in the canvas.
    covers_canvas: bool,
    /// The whole window, where the picture is not of its size.
    canvas: Vec<u32>,
    /// The size of the window when `canvas` was drawn.
    drawn_size: Size,
    scaler: Scaler,
    /// What putting a picture on the screen takes, in milliseconds.
    display_ms: Option<f64>,

    /// Several streams, and the one of them that is seen alone.
    wall: Option<Wall>,
    chosen: Option<usize>,
    /// The screen was filled after that one was chosen.
    filled_after_choice: bool,

    shows: Overlay,
    shows_help: bool,
    overlay: Layer,
    overlay_report: ViewReport,
    overlay_at: Micros,
    history: History,
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
    let stream = layer::shorten(&report.stream, 80);
    let of = if stream.is_empty() { String::new() } else { format!("{stream} - ") };
    format!("{} - {of}StreamFlow", overlay::state_word(report.state))
}

/// The size of a window for a first picture: its own, or what it would be if the link did not limit it.
fn natural(picture: Size, nominal: &str) -> Size {
    let Ok(nominal) = nominal.parse::<Size>() else { return picture };
    let shape = |a: Size, b: Size| u64::from(a.width) * u64::from(b.height);
    let is_near = |of: Size| shape(of, picture).abs_diff(shape(picture, of)) * 50 < shape(picture, of);
    let turned = Size::new(nominal.height, nominal.width);
    let larger = [nominal, turned].into_iter().find(|of| is_near(*of) && of.width > picture.width);
    larger.unwrap_or(picture)
}

/// The statistics, a note, the keys, the badge, the reason why there is no picture.
const LAYERS: usize = 5;

impl Screen {
    /// Opens a window of `size`, at least 320x240, until the first picture tells its own.
    ///
    /// # Errors
    /// When there is no display, or it refuses.
    pub fn open(title: &str, size: Size) -> Result<Self> {
        let size = Size::new(size.width.max(SMALLEST.width), size.height.max(SMALLEST.height));
        Ok(Self {
            window: AppWindow::open(title, size)?,
            keys: Keys::default(),
            mouse: Mouse::default(),
            active: false,
            actions: Vec::new(),
            first_size: Some(size),
            picture: Bitmap::default(),
            has_picture: false,
            presented: Micros::default(),
            covered: Default::default(),
            covers_canvas: false,
            canvas: Vec::new(),
            drawn_size: Size::default(),
            scaler: Scaler::default(),
            display_ms: None,
            wall: None,
            chosen: None,
            filled_after_choice: false,
            shows: Overlay::default(),
            shows_help: false,
            overlay: Layer::default(),
            overlay_report: ViewReport::default(),
            overlay_at: Micros::default(),
            history: History::default(),
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
        if let Some(opened) = self.first_size.take_if(|_| self.has_picture)
            && opened == self.window.size()
        {
            let wanted = self.window.bounded(natural(self.picture.size, &report.nominal.size));
            self.window.resize(Size::new(wanted.width.max(SMALLEST.width), wanted.height.max(SMALLEST.height)))?;
        }
        let begun = clock();
        self.draw(report, now)?;
        let took = millis(clock().since(begun));
        self.display_ms = Some(self.display_ms.map_or(took, |ms| ms + (took - ms) / 16.0));
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
        self.take_input(now)?;
        if !self.window.is_open() {
            self.actions.push(Action::Quit);
        }
        // What is told is of the stream that was seen until now.
        let chosen = self.actions.contains(&Action::Chosen).then(|| self.overlay_report.clone());
        let report = chosen.as_ref().unwrap_or(report);
        self.refresh(report, now);
        let numbers = self.stale_numbers && now.since(self.drawn) >= WITH_NEXT;
        let tiles = self.shows_wall() && self.wall.as_ref().is_some_and(Wall::is_stale);
        if self.stale || numbers || tiles || self.size() != self.drawn_size || now.since(self.drawn) >= REDRAW {
            self.draw(report, now)?;
        }
        Ok(std::mem::take(&mut self.actions))
    }

    /// Begins without the statistics; by default there is a line of them.
    pub fn hide_overlay(&mut self) {
        self.shows = Overlay::Off;
        self.stale = true;
    }

    /// Begins as large as the screen.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn fill_screen(&mut self) -> Result<()> {
        self.first_size = None;
        self.set_full_screen(true)
    }

    /// Shows a text for three seconds: `saved main-door-….jpg`.
    pub fn note(&mut self, text: impl Into<String>, now: Micros) {
        self.note_text = text.into();
        self.note_until = now + NOTE;
        self.draw_layers();
        self.stale = true;
    }

    fn size(&self) -> Size {
        self.window.size()
    }

    /// Turns what is on the screen.
    fn turn(&mut self, orientation: Orientation) {
        self.uncover();
        if self.has_picture {
            self.picture = turned(&self.picture, orientation);
        }
        self.actions.push(Action::Turn(orientation));
    }

    /// Brings the layers and the title up to date, where it is time.
    fn refresh(&mut self, report: &ViewReport, now: Micros) {
        if !self.note_text.is_empty() && now >= self.note_until {
            self.note_text.clear();
            self.stale = true;
        }
        if self.shows_wall() {
            self.refresh_wall(now);
            return;
        }
        if self.wall.is_none() {
            self.history.look(report, now);
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
            self.window.set_title(&title(report));
        }
    }

    fn draw_layers(&mut self) {
        let size = self.size();
        if self.placeholder_shown {
            cards::draw_placeholder(&mut self.placeholder, &self.overlay_report, size);
        } else {
            let history = self.chosen.zip(self.wall.as_ref()).and_then(|(n, wall)| wall.tile(n));
            let history = history.map_or(&self.history, |tile| &tile.history);
            match self.shows {
                Overlay::Line => line::draw(&mut self.overlay, &self.overlay_report, self.display_ms, size),
                Overlay::Full => {
                    overlay::draw(&mut self.overlay, &self.overlay_report, history, self.display_ms, size);
                }
                Overlay::Off => {}
            }
        }
        if self.shows_badge() {
            overlay::draw_badge(&mut self.badge, &self.overlay_report, size);
        }
        if self.shows_help {
            cards::draw_help(&mut self.help, self.wall.is_some(), size);
        }
        if !self.note_text.is_empty() {
            cards::draw_note(&mut self.note, &self.note_text, size);
        }
    }

    fn shows_box(&self) -> bool {
        self.shows != Overlay::Off && !self.placeholder_shown && !self.shows_help && !self.shows_wall()
    }

    /// A picture that stands still must not look like one of now where there are no statistics, or no room for them.
    fn shows_badge(&self) -> bool {
        let has_box = self.shows_box() && !self.overlay.is_empty();
        !has_box && !self.placeholder_shown && !self.shows_wall() && self.overlay_report.state == State::Late
    }

    /// What lay under the layers is there again.
    fn uncover(&mut self) {
        for covered in self.covered.iter_mut().rev() {
            if self.covers_canvas {
                covered.put_back(&mut self.canvas, self.drawn_size);
            } else {
                covered.put_back(&mut self.picture.pixels, self.picture.size);
            }
        }
    }

    /// Puts together what belongs on the screen and gives it to the window.
    fn draw(&mut self, report: &ViewReport, now: Micros) -> Result<()> {
        let size = self.size();
        if size != self.drawn_size {
            self.refresh(report, now);
        }
        self.uncover();
        if size.area() > 0 {
            let (with_box, badge, wall) = (self.shows_box(), self.shows_badge(), self.shows_wall());
            let as_it_is = self.has_picture && !self.placeholder_shown && self.picture.size == size && !wall;
            if wall {
                self.paint_wall(size)?;
            } else if !as_it_is {
                self.compose(size)?;
            }
            let pixels = if as_it_is { &mut self.picture.pixels } else { &mut self.canvas };
            self.covers_canvas = !as_it_is;
            let layers = placed(
                size,
                [
                    (&self.placeholder, self.placeholder_shown && !wall, Place::Middle),
                    (&self.overlay, with_box, Place::BottomLeft),
                    (&self.help, self.shows_help, Place::Middle),
                    // Over all others: there is no window in which the keys hide it.
                    (&self.badge, badge, Place::BottomLeft),
                    (&self.note, !self.note_text.is_empty(), Place::Free),
                ],
            );
            for ((layer, x, y), covered) in layers.zip(&mut self.covered) {
                if as_it_is || wall {
                    covered.take(pixels, size, x, y, layer.size);
                }
                layer.blend(pixels, size, x, y);
            }
            self.window.show(pixels, size)?;
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
            cards::calm(self.canvas.chunks_exact_mut(size.width.max(1) as usize), size.height);
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
    fn the_title_tells_the_state_however_long_the_name_is_and_then_the_stream_and_the_program() {
        let stream = format!("{}/{}", "r".repeat(64), "n".repeat(64));
        let report = ViewReport { stream, state: State::Late, ..ViewReport::default() };
        let told = title(&report);
        assert!(told.starts_with("late - rrr") && told.ends_with("… - StreamFlow"), "{told}");
        assert!(window::clean_title(&told) == told, "{told}");
        assert_eq!(title(&ViewReport::default()), "connecting - StreamFlow");
    }

    #[test]
    fn a_window_has_the_size_that_pictures_have_when_nothing_limits_them() {
        let (half, full) = (Size::new(320, 240), Size::new(640, 480));
        assert_eq!(natural(half, "640x480"), full);
        assert_eq!(natural(Size::new(240, 320), "640x480"), Size::new(480, 640), "turned");
        for nominal in ["", "1280x720", "160x120", "x"] {
            assert_eq!(natural(half, nominal), half, "{nominal}");
        }
    }
}
