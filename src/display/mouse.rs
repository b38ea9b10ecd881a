//! Clicks, from whether the button is down and where: a rule on `now`.

use std::time::Duration;

use crate::time::Micros;

/// Two presses within this are a double click.
const TWICE: Duration = Duration::from_millis(500);
/// A hand is not quite still: so many pixels apart is the same place.
const STILL: f32 = 8.0;

/// A press of the button.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Click {
    pub(super) at: (f32, f32),
    /// It is the second at this place in short time.
    pub(super) double: bool,
}

/// What is known of the button.
#[derive(Default)]
pub(super) struct Mouse {
    down: bool,
    /// The first press of what may become a double click.
    first: Option<((f32, f32), Micros)>,
}

impl Mouse {
    /// The button is down or not, and the pointer is there; whether it was pressed just now.
    pub(super) fn look(&mut self, down: bool, at: (f32, f32), now: Micros) -> Option<Click> {
        if std::mem::replace(&mut self.down, down) || !down {
            return None;
        }
        let near = |other: (f32, f32)| (at.0 - other.0).abs() <= STILL && (at.1 - other.1).abs() <= STILL;
        let double = self.first.is_some_and(|(place, then)| near(place) && now.since(then) <= TWICE);
        self.first = if double { None } else { Some((at, now)) };
        Some(Click { at, double })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn click(mouse: &mut Mouse, ms: u64, x: f32) -> Option<bool> {
        let click = mouse.look(true, (x, 5.0), Micros(ms * 1000));
        assert_eq!(mouse.look(true, (x, 5.0), Micros(ms * 1000 + 500)), None, "it is held");
        assert_eq!(mouse.look(false, (x, 5.0), Micros(ms * 1000 + 900)), None);
        click.map(|click| click.double)
    }

    #[test]
    fn two_clicks_at_one_place_are_a_double_click_and_a_third_is_none() {
        let mut mouse = Mouse::default();
        assert_eq!([0, 200, 300, 450].map(|ms| click(&mut mouse, ms, 7.0)), [false, true, false, true].map(Some));
    }

    #[test]
    fn clicks_far_apart_in_time_or_place_are_single_ones() {
        let mut mouse = Mouse::default();
        assert_eq!([1000, 1501, 2100].map(|ms| click(&mut mouse, ms, 7.0)), [Some(false); 3]);
        assert_eq!([7.0, 70.0, 7.0].map(|x| click(&mut mouse, 5000, x)), [Some(false); 3]);
    }
}
