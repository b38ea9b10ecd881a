//! What a person does at the window, and what comes of it there.

use minifb::Key;

use super::table::{Command, command};
use super::wall::Wall;
use super::{Action, Keys, Overlay, SEVERAL, Screen};
use crate::error::Result;
use crate::frame::Size;
use crate::jpeg::Bitmap;
use crate::stats::{State, ViewReport};
use crate::time::Micros;
use crate::wire::jpeg::Orientation;

/// As Exif numbers them: by 90 degrees clockwise, and left for right.
const ROTATE: u16 = 6;
const MIRROR: u16 = 2;

impl Screen {
    pub(super) fn take_input(&mut self, now: Micros) -> Result<()> {
        // Whoever goes to another window lets keys go there.
        if std::mem::replace(&mut self.active, self.window.is_active()) && !self.active {
            self.keys = Keys::default();
        }
        let mut acted = false;
        for (key, is_down) in self.window.take_keys() {
            let pressed = self.keys.event(key, is_down, now);
            let is_letter = key == Key::Slash || !self.keys.is_modified();
            if let Some(command) = command(key).filter(|_| pressed && is_letter) {
                self.act(command, now)?;
                acted = true;
            }
        }
        let (down, at) = self.window.button();
        if let Some(click) = self.mouse.look(down, at, now) {
            acted = true;
            if click.double {
                self.act(Command::FullScreen, now)?;
            } else if let Some(n) =
                self.wall.as_ref().filter(|_| self.chosen.is_none()).and_then(|wall| wall.at(click.at))
            {
                self.choose(Some(n));
            }
        }
        if acted {
            self.draw_layers();
            self.stale = true;
        }
        Ok(())
    }

    fn act(&mut self, command: Command, now: Micros) -> Result<()> {
        match command {
            Command::Save | Command::Rotate | Command::Mirror if self.shows_wall() => {
                self.note("choose a stream first: a click, or 1 to 9", now);
            }
            Command::Save => self.actions.push(Action::Snapshot),
            Command::Rotate => self.turn(Orientation::new(ROTATE)),
            Command::Mirror => self.turn(Orientation::new(MIRROR)),
            Command::Sound => self.actions.push(Action::Sound),
            Command::Statistics => {
                self.shows = match self.shows {
                    Overlay::Line => Overlay::Full,
                    Overlay::Full => Overlay::Off,
                    Overlay::Off => Overlay::Line,
                }
            }
            Command::Help => {
                self.shows_help = !self.shows_help;
                // In a small window it would lie over the keys.
                self.note_text.clear();
            }
            Command::FullScreen => self.set_full_screen(!self.window.is_full_screen())?,
            Command::One(n) => self.choose(Some(n)),
            Command::All => self.choose(None),
            // What lies on top goes first.
            Command::Back if self.shows_help => self.shows_help = false,
            Command::Back => {
                let alone = self.chosen.is_some();
                if self.window.is_full_screen() && (!alone || self.filled_after_choice) {
                    self.set_full_screen(false)?;
                } else if alone {
                    self.choose(None);
                } else {
                    self.actions.push(Action::Quit);
                }
            }
            Command::Quit => self.actions.push(Action::Quit),
        }
        Ok(())
    }

    pub(super) fn set_full_screen(&mut self, full: bool) -> Result<()> {
        let shown = if self.has_picture { self.picture.size } else { self.size() };
        self.filled_after_choice = full && self.chosen.is_some();
        self.window.set_full_screen(full, shown)?;
        self.stale = true;
        Ok(())
    }

    /// Shows several streams, each in a tile, [`super::MOST_TILES`] at most; called again when there are more.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn show_several(&mut self, count: usize) -> Result<()> {
        if self.first_size.take().is_some_and(|opened| opened == self.window.size()) {
            let size = self.window.bounded(SEVERAL);
            self.window.resize(size)?;
        }
        self.wall.get_or_insert_default().set_count(count);
        self.stale = true;
        Ok(())
    }

    /// The stream that is seen alone, of several.
    #[must_use]
    pub fn chosen(&self) -> Option<usize> {
        self.chosen
    }

    /// The room that a stream's picture has; nothing, while it is not seen.
    #[must_use]
    pub fn room(&self, n: usize) -> Option<Size> {
        match self.chosen {
            Some(chosen) => (chosen == n).then(|| self.size()),
            None => self.wall.as_ref().map(|wall| wall.room(n)),
        }
    }

    /// A picture of one of several streams. It is on the screen after the next [`tick`](Self::tick), if it is seen at all; of one that
    /// is seen alone at once. Gives an older bitmap back for its memory.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn present_one(&mut self, n: usize, bitmap: Bitmap, report: &ViewReport, now: Micros) -> Result<Bitmap> {
        if self.chosen == Some(n) {
            return self.present(bitmap, report, now);
        }
        Ok(self.wall.as_mut().map_or_else(Bitmap::default, |wall| wall.put(n, bitmap, now)))
    }

    /// How one of several streams is doing.
    pub fn tell_one(&mut self, n: usize, report: &ViewReport, now: Micros) {
        if let Some(wall) = &mut self.wall {
            wall.tell(n, report, now);
        }
    }

    pub(super) fn shows_wall(&self) -> bool {
        self.wall.is_some() && self.chosen.is_none()
    }

    /// One stream alone, or all.
    fn choose(&mut self, n: Option<usize>) {
        let Some(wall) = self.wall.as_mut().filter(|wall| n.is_none_or(|n| n < wall.count())) else { return };
        if self.chosen == n {
            return;
        }
        let before = self.chosen;
        let has_picture = |bitmap: &Bitmap| bitmap.size.area() > 0;
        for covered in &mut self.covered {
            if self.covers_canvas {
                covered.forget();
            } else {
                covered.put_back(&mut self.picture.pixels, self.picture.size);
            }
        }
        if let Some(tile) = before.and_then(|n| wall.tile_mut(n)) {
            (tile.picture, tile.presented) = (std::mem::take(&mut self.picture), self.presented);
        }
        if let Some(tile) = n.and_then(|n| wall.tile_mut(n)) {
            (self.picture, self.presented) = (std::mem::take(&mut tile.picture), tile.presented);
            self.overlay_report = tile.report.clone();
        }
        wall.forget();
        self.has_picture = n.is_some() && has_picture(&self.picture);
        self.placeholder_shown = n.is_some() && !self.has_picture;
        (self.chosen, self.filled_after_choice) = (n, false);
        self.overlay_at = Micros::default();
        self.actions.push(Action::Chosen);
        self.stale = true;
    }

    pub(super) fn refresh_wall(&mut self, now: Micros) {
        let resized = self.size() != self.drawn_size;
        if resized || now.since(self.overlay_at) >= super::REFRESH {
            self.overlay_at = now;
            let all = self.wall.as_ref().map_or(0, Wall::count);
            let reports = (0..all).filter_map(|n| Some(&self.wall.as_ref()?.tile(n)?.report));
            let live = reports.filter(|report: &&ViewReport| report.state == State::Live).count();
            self.window.set_title(&format!("{live} of {all} live - StreamFlow"));
            if resized {
                self.draw_layers();
            }
        }
    }

    pub(super) fn paint_wall(&mut self, size: Size) -> Result<()> {
        let Some(wall) = &mut self.wall else { return Ok(()) };
        let new = self.canvas.len() != size.area();
        self.canvas.resize(size.area(), 0);
        let all = wall.lay_out(size) || new;
        wall.paint(&mut self.canvas, size, &mut self.scaler, all)
    }
}
