//! Keys, so that a short press counts once, and a long one too.

use std::time::Duration;

use minifb::Key;

use crate::time::Micros;

/// A key that repeats while it is held is heard of more often than this; one whose release was lost, because another
/// window took the keyboard, is not.
const SILENCE: Duration = Duration::from_secs(1);

/// Which keys are down.
#[derive(Default)]
pub(super) struct Keys {
    down: Vec<(Key, Micros)>,
}

impl Keys {
    /// Takes an event as the window system gives it; true if the key was pressed by a person just now.
    pub(super) fn event(&mut self, key: Key, is_down: bool, now: Micros) -> bool {
        let known = self.down.iter_mut().find(|(other, _)| *other == key);
        match (known, is_down) {
            (Some((_, last)), true) => now.since(std::mem::replace(last, now)) >= SILENCE,
            (None, true) => {
                self.down.push((key, now));
                true
            }
            (_, false) => {
                self.down.retain(|(other, _)| *other != key);
                false
            }
        }
    }
}

/// Keys that make others mean something else.
const MODIFIERS: [Key; 8] = [
    Key::LeftShift,
    Key::RightShift,
    Key::LeftCtrl,
    Key::RightCtrl,
    Key::LeftAlt,
    Key::RightAlt,
    Key::LeftSuper,
    Key::RightSuper,
];

impl Keys {
    /// Whether one of those is held with it: then it is another's key, or none yet.
    pub(super) fn is_modified(&self) -> bool {
        self.down.iter().any(|(key, _)| MODIFIERS.contains(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;

    #[test]
    fn a_press_counts_once_however_long_it_is_held() {
        let mut keys = Keys::default();
        let held = [0, 600, 630, 660, 1500].map(|ms| keys.event(Key::T, true, Micros(ms * MS)));
        assert_eq!(held, [true, false, false, false, false]);
        assert!(!keys.event(Key::T, false, Micros(1501 * MS)));
        assert!(keys.event(Key::T, true, Micros(1502 * MS)), "the next press, at once");
    }

    #[test]
    fn a_key_with_shift_or_control_is_another_one() {
        let mut keys = Keys::default();
        keys.event(Key::LeftShift, true, Micros(0));
        assert!(keys.is_modified());
        keys.event(Key::LeftShift, false, Micros(1));
        keys.event(Key::R, true, Micros(2));
        assert!(!keys.is_modified());
    }

    #[test]
    fn a_lost_release_costs_no_press() {
        let mut keys = Keys::default();
        assert!(keys.event(Key::S, true, Micros(0)));
        assert!(keys.event(Key::S, true, Micros(5000 * MS)));
        assert!(keys.event(Key::Q, true, Micros(5000 * MS)), "other keys have nothing to do with it");
    }
}
