//! minifb's window with what it lacks: key presses that are not lost, a screen that is filled.

use std::cell::RefCell;
use std::rc::Rc;

use minifb::{InputCallback, Key, Scale, ScaleMode, Window, WindowOptions};

use crate::error::{Error, Result};
use crate::frame::Size;
use crate::text::Untrusted;

/// Key events as they come; polling would lose short presses.
#[derive(Clone, Default)]
pub(super) struct Events(Rc<RefCell<Vec<(Key, bool)>>>);

impl Events {
    /// The events since the last time.
    pub(super) fn take(&self) -> Vec<(Key, bool)> {
        self.0.try_borrow_mut().map(|mut events| std::mem::take(&mut *events)).unwrap_or_default()
    }
}

impl InputCallback for Events {
    fn add_char(&mut self, _: u32) {}

    fn set_key_state(&mut self, key: Key, is_down: bool) {
        if let Ok(mut events) = self.0.try_borrow_mut() {
            events.push((key, is_down));
        }
    }
}

/// Opens a window that shows a picture as soon as it is given one.
pub(super) fn open_window(title: &str, size: Size, fills_screen: bool) -> Result<(Window, Events)> {
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

/// The smallest size in about the shape of a picture. minifb multiplies it until the screen is full.
pub(super) fn screen_shape(picture: Size) -> Size {
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
