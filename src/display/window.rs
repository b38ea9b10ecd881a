//! minifb's window with what it lacks: key presses that are not lost, a size that can be changed, a full screen, a class.
//!
//! Under X11 its server is asked for these. Elsewhere another window is opened in the place of the first, of the wanted size or
//! without a border.

use std::cell::RefCell;
use std::rc::Rc;

use minifb::{InputCallback, Key, MouseButton, MouseMode, Scale, ScaleMode, Window, WindowOptions};

use crate::error::{Error, Result};
use crate::frame::Size;
#[cfg(target_os = "linux")]
use crate::system::x11::X11;
use crate::text::Untrusted;

/// What window managers put around a window, at most about so much.
const DECORATION: Size = Size::new(16, 48);

/// Key events as they come; polling would lose short presses.
#[derive(Clone, Default)]
pub(super) struct Events(Rc<RefCell<Vec<(Key, bool)>>>);

impl Events {
    /// The events since the last time.
    fn take(&self) -> Vec<(Key, bool)> {
        self.0.try_borrow_mut().map(|mut events| std::mem::take(&mut *events)).unwrap_or_default()
    }
}

impl InputCallback for Events {
    fn add_char(&mut self, letter: u32) {
        // A question mark is a letter of another key on each keyboard.
        if letter == u32::from('?') {
            self.add(Key::Slash, true);
        }
    }

    fn set_key_state(&mut self, key: Key, is_down: bool) {
        if key != Key::Slash {
            self.add(key, is_down);
        }
        if !is_down {
            self.add(Key::Slash, false);
        }
    }
}

impl Events {
    fn add(&self, key: Key, is_down: bool) {
        if let Ok(mut events) = self.0.try_borrow_mut() {
            events.push((key, is_down));
        }
    }
}

/// How the full screen is left.
enum Restore {
    /// The window manager knows.
    #[cfg(target_os = "linux")]
    Manager,
    /// To this place and size.
    #[cfg(target_os = "linux")]
    Placed((i32, i32), Size),
    /// By another window of this size.
    Opened(Size),
}

/// A window on a screen.
pub(super) struct AppWindow {
    window: Window,
    events: Events,
    title: String,
    /// How the full screen is left, while there is one.
    restore: Option<Restore>,
    #[cfg(target_os = "linux")]
    x11: Option<X11>,
}

impl AppWindow {
    /// Opens a window that shows a picture as soon as it is given one.
    pub(super) fn open(title: &str, size: Size) -> Result<Self> {
        let title = clean_title(title);
        let (window, events) = open_window(&title, size, false)?;
        // minifb takes Wayland where there is one, and says nowhere which it took.
        #[cfg(target_os = "linux")]
        let x11 = if is_set("WAYLAND_DISPLAY") { None } else { X11::open() };
        let this = Self {
            window,
            events,
            title,
            restore: None,
            #[cfg(target_os = "linux")]
            x11,
        };
        #[cfg(target_os = "linux")]
        if let Some((x11, number)) = this.x11() {
            x11.set_class(number, c"streamflow-view", c"StreamFlow");
        }
        Ok(this)
    }

    #[cfg(target_os = "linux")]
    fn x11(&self) -> Option<(&X11, u64)> {
        Some((self.x11.as_ref()?, self.window.get_window_handle() as usize as u64))
    }

    pub(super) fn size(&self) -> Size {
        let (width, height) = self.window.get_size();
        Size::new(width as u32, height as u32)
    }

    /// The size that a window for such a picture may have: its own, or less of the same shape where the screen is smaller.
    pub(super) fn bounded(&self, picture: Size) -> Size {
        #[cfg(target_os = "linux")]
        if let Some((x11, _)) = self.x11() {
            let managed = x11.makes_full_screen();
            let screen = x11.work_area().unwrap_or_else(|| x11.screen());
            let frame = if managed { DECORATION } else { Size::default() };
            let side = |whole: u32, frame: u32| whole.saturating_sub(frame).max(1);
            return within(picture, Size::new(side(screen.width, frame.width), side(screen.height, frame.height)));
        }
        // Nobody tells how large the screen is: as much as most have.
        within(picture, Size::new(1280 - DECORATION.width, 800 - 2 * DECORATION.height))
    }

    /// Gives the window this size.
    pub(super) fn resize(&mut self, size: Size) -> Result<()> {
        if size == self.size() || self.is_full_screen() {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        if let Some((x11, number)) = self.x11() {
            // It was opened in the middle, and stays there.
            let screen = x11.screen();
            let middle = |whole: u32, part: u32| i32::try_from(whole.saturating_sub(part) / 2).unwrap_or(0);
            x11.place(number, (middle(screen.width, size.width), middle(screen.height, size.height)), size);
            return Ok(());
        }
        self.reopen(size, false)
    }

    fn reopen(&mut self, size: Size, fills_screen: bool) -> Result<()> {
        (self.window, self.events) = open_window(&self.title, size, fills_screen)?;
        Ok(())
    }

    pub(super) fn is_full_screen(&self) -> bool {
        self.restore.is_some()
    }

    /// As large as the screen, or as it was before; `picture` is what it shows.
    pub(super) fn set_full_screen(&mut self, full: bool, picture: Size) -> Result<()> {
        if full == self.is_full_screen() {
            return Ok(());
        }
        if full {
            self.restore = Some(self.fill_screen(picture)?);
            return Ok(());
        }
        match self.restore.take() {
            #[cfg(target_os = "linux")]
            Some(Restore::Manager) => {
                if let Some((x11, number)) = self.x11() {
                    x11.set_full_screen(number, false);
                }
            }
            #[cfg(target_os = "linux")]
            Some(Restore::Placed(corner, size)) => {
                if let Some((x11, number)) = self.x11() {
                    x11.place(number, corner, size);
                }
            }
            Some(Restore::Opened(size)) => self.reopen(size, false)?,
            None => {}
        }
        Ok(())
    }

    fn fill_screen(&mut self, picture: Size) -> Result<Restore> {
        let before = self.size();
        #[cfg(target_os = "linux")]
        if let Some((x11, number)) = self.x11() {
            if x11.makes_full_screen() {
                x11.set_full_screen(number, true);
                return Ok(Restore::Manager);
            }
            let corner = x11.corner(number);
            x11.place(number, (0, 0), x11.screen());
            return Ok(Restore::Placed(corner, before));
        }
        self.reopen(screen_shape(picture), true)?;
        Ok(Restore::Opened(before))
    }

    pub(super) fn set_title(&mut self, title: &str) {
        let title = clean_title(title);
        if title != self.title {
            self.window.set_title(&title);
            self.title = title;
        }
    }

    /// Puts pixels on the screen, as many as the window has.
    pub(super) fn show(&mut self, pixels: &[u32], size: Size) -> Result<()> {
        let shown = self.window.update_with_buffer(pixels, size.width as usize, size.height as usize);
        shown.map_err(|e| Error::Failed(format!("the window: {e}")))
    }

    /// Takes what the person did meanwhile.
    pub(super) fn update(&mut self) {
        self.window.update();
    }

    pub(super) fn is_open(&self) -> bool {
        self.window.is_open()
    }

    /// Whether the keyboard is for this window, as far as is known.
    pub(super) fn is_active(&mut self) -> bool {
        self.window.is_active()
    }

    pub(super) fn take_keys(&self) -> Vec<(Key, bool)> {
        self.events.take()
    }

    /// Whether the left button is down, and where the pointer is.
    pub(super) fn button(&self) -> (bool, (f32, f32)) {
        let at = self.window.get_mouse_pos(MouseMode::Pass).unwrap_or((-1.0, -1.0));
        (self.window.get_mouse_down(MouseButton::Left), at)
    }
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
        .map_err(|e| Error::Failed(format!("{}, or use --headless ({e})", no_display())))?;
    // A new picture never waits for the window's own pace.
    window.set_target_fps(0);
    let events = Events::default();
    window.set_input_callback(Box::new(events.clone()));
    Ok((window, events))
}

#[cfg(target_os = "linux")]
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Which display there is not, and what to do.
fn no_display() -> String {
    let named = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        Some(format!("{name}={}", Untrusted(value)))
    };
    let named: Vec<_> = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().filter_map(named).collect();
    if named.is_empty() {
        "no display: set DISPLAY".into()
    } else {
        format!("no display answers at {}: set it to one that does", named.join(", "))
    }
}

/// A size, or less of the same shape where there is less room.
fn within(picture: Size, room: Size) -> Size {
    let (width, height) = (u64::from(picture.width.max(1)), u64::from(picture.height.max(1)));
    let (most_wide, most_high) = (u64::from(room.width), u64::from(room.height));
    if width <= most_wide && height <= most_high {
        return picture;
    }
    let (width, height) = if width * most_high >= most_wide * height {
        (most_wide, height * most_wide / width)
    } else {
        (width * most_high / height, most_high)
    };
    Size::new(width.max(1) as u32, height.max(1) as u32)
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

/// A title that every window system takes.
pub(super) fn clean_title(title: &str) -> String {
    title.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_as_large_as_its_picture_or_as_the_screen_lets_it_be() {
        let screen = Size::new(1904, 1032);
        assert_eq!(within(Size::new(640, 480), screen), Size::new(640, 480));
        assert_eq!(within(Size::new(3840, 2160), screen), Size::new(1834, 1032));
        assert_eq!(within(Size::new(1080, 1920), screen), Size::new(580, 1032));
        assert_eq!(within(Size::new(10_000, 10), screen), Size::new(1904, 1));
        assert_eq!(within(Size::new(5, 5), Size::default()), Size::new(1, 1));
    }

    #[test]
    fn a_question_mark_is_a_key_on_every_keyboard() {
        let mut events = Events::default();
        events.set_key_state(Key::LeftShift, true);
        // On a German keyboard it is on the key of another letter, which minifb does not know.
        events.add_char(u32::from('?'));
        events.set_key_state(Key::LeftShift, false);
        let slash: Vec<_> = events.take().into_iter().filter(|(key, _)| *key == Key::Slash).collect();
        assert_eq!(slash, [(Key::Slash, true), (Key::Slash, false)]);
    }

    #[test]
    fn a_full_screen_has_the_shape_of_the_picture() {
        assert_eq!(screen_shape(Size::new(640, 480)), Size::new(4, 3));
        assert_eq!(screen_shape(Size::new(1920, 1080)), Size::new(16, 9));
        assert_eq!(screen_shape(Size::new(641, 479)), Size::new(4, 3));
        assert_eq!(screen_shape(Size::new(60_000, 1)).width, 64);
    }

    #[test]
    fn a_title_has_no_control_characters_and_an_end() {
        assert_eq!(clean_title("main/d\0oor\n - live"), "main/door - live");
        assert_eq!(clean_title(&"x".repeat(1000)).len(), 120);
    }
}
