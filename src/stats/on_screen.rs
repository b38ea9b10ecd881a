//! What is on a viewer's screen, how old it is, and whether the next picture is late.

use std::time::Duration;

use super::Recent;
use crate::time::{Micros, millis};

/// So many times as long as pictures are apart without one, and the next is late.
const LATE: u32 = 3;
/// So long without a picture beyond that, and the stream is taken for lost, whatever the hub says: it knows of a publisher
/// that stands still after ten seconds of silence, and of nothing when it stands still itself.
const LOST: Duration = Duration::from_secs(2);
/// How long it is remembered how old pictures got before the next one came.
const HELD: Duration = Duration::from_millis(500);
/// Nobody announces pictures that are further apart.
const FURTHEST: Duration = Duration::from_secs(60);

/// How the pictures on a screen follow each other. Only what could be decoded counts.
#[derive(Debug)]
pub struct OnScreen {
    /// When the picture on the screen was captured; `None` before the first.
    captured: Option<Micros>,
    /// When the last picture was decoded, of this stream.
    last: Option<Micros>,
    /// The mean time between pictures, once there were two.
    apart: Option<Duration>,
    /// The longest time between pictures, as the publisher announces it.
    announced: Option<Duration>,
    /// How old pictures of late were when the next one took their place, where that came in time.
    held: Recent,
    in_time: bool,
    /// Why the newest picture is not on the screen: it cannot be decoded.
    broken: Option<String>,
}

impl Default for OnScreen {
    fn default() -> Self {
        Self {
            captured: None,
            last: None,
            apart: None,
            announced: None,
            held: Recent::of(HELD),
            in_time: false,
            broken: None,
        }
    }
}

/// How pictures come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coming {
    /// None has come yet.
    NotYet,
    /// As they should.
    InTime,
    /// The next should have come by now.
    Late,
    /// None has come for so long that nobody waits for it any more.
    Not(Duration),
    /// They come and cannot be decoded, for this reason.
    Broken(String),
}

impl OnScreen {
    /// A picture was decoded, and is to be shown at once.
    pub fn decoded(&mut self, now: Micros) {
        self.in_time = self.is_late(now) == Some(false);
        if let Some(last) = self.last.replace(now) {
            // A pause is no rhythm.
            let gap = now.since(last);
            let most = self.expected().map_or(gap, |expected| gap.min(expected * (LATE + 1)));
            self.apart = Some(match self.apart {
                Some(apart) if gap < apart / 2 => (apart + gap) / 2,
                Some(apart) => (7 * apart + most) / 8,
                None => gap,
            });
        }
        self.broken = None;
    }

    /// A picture that was captured then is on the screen `now`.
    pub fn shown(&mut self, captured: Micros, now: Micros) {
        let before = self.captured.replace(captured).filter(|_| self.in_time);
        // How old a picture got in a pause is said while it lasts.
        if let Some(before) = before {
            self.held.add(now, millis(now.since(before)));
        }
    }

    /// The newest picture cannot be decoded.
    pub fn broken(&mut self, why: String) {
        self.broken = Some(why);
    }

    /// The longest time between pictures as the publisher says it; `None`: it does not say.
    pub fn announced(&mut self, apart: Option<Duration>) {
        self.announced = apart.filter(|apart| !apart.is_zero()).map(|apart| apart.min(FURTHEST));
    }

    /// Another stream is watched from now on: its first picture is still to come.
    pub fn other_stream(&mut self) {
        (self.last, self.apart, self.announced, self.broken) = (None, None, None, None);
    }

    /// How old the picture on the screen is, in milliseconds.
    #[must_use]
    pub fn age(&self, now: Micros) -> Option<f64> {
        self.captured.map(|captured| millis(now.since(captured)))
    }

    /// How old pictures got on the screen in the last half second, this one included.
    #[must_use]
    pub fn reached(&mut self, now: Micros) -> Option<f64> {
        let held = self.held.quantiles(now).max.unwrap_or(0.0);
        self.age(now).map(|age| age.max(held))
    }

    /// The time between pictures: as announced, or as they come where that is longer. A single picture, as one that was
    /// posted, has none.
    fn expected(&self) -> Option<Duration> {
        self.announced.max(self.apart)
    }

    fn is_late(&self, now: Micros) -> Option<bool> {
        let (last, expected) = self.last.zip(self.expected())?;
        Some(now.since(last) > LATE * expected)
    }

    /// How pictures come.
    #[must_use]
    pub fn coming(&self, now: Micros) -> Coming {
        let late = self.is_late(now);
        if let (Some(why), None | Some(true)) = (&self.broken, late) {
            return Coming::Broken(why.clone());
        }
        let Some(last) = self.last else { return Coming::NotYet };
        let silence = now.since(last);
        match late {
            Some(true) if self.expected().is_some_and(|expected| silence > LATE * expected + LOST) => {
                Coming::Not(silence)
            }
            Some(true) => Coming::Late,
            Some(false) | None => Coming::InTime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A picture that was captured then is decoded and shown 4 ms later.
    fn show(screen: &mut OnScreen, captured: u64) {
        screen.decoded(at(captured + 3));
        screen.shown(at(captured), at(captured + 4));
    }

    /// Pictures that are 4 ms old when they are shown, until one second.
    fn showing(every: u64) -> (OnScreen, u64) {
        let mut screen = OnScreen::default();
        let last = (0..=1000).step_by(every as usize).inspect(|t| show(&mut screen, *t)).last();
        (screen, last.unwrap() + 4)
    }

    #[test]
    fn the_age_is_that_of_what_is_on_the_screen_at_every_moment() {
        let (mut screen, last) = showing(33);
        assert_eq!(OnScreen::default().age(at(0)), None);
        assert_eq!(screen.reached(at(last)), Some(37.0), "the one before got so old");
        for since in [0, 20, 90, 5000, 600_000] {
            assert_eq!(screen.age(at(last + since)), Some(4.0 + since as f64));
            assert!(screen.reached(at(last + since)) >= screen.age(at(last + since)));
        }
    }

    #[test]
    fn the_next_is_late_after_three_intervals_and_lost_two_seconds_later() {
        let (mut screen, last) = showing(33);
        for announced in [None, Some(ms(33))] {
            screen.announced(announced);
            assert_eq!(screen.coming(at(last + 95)), Coming::InTime);
            assert_eq!(screen.coming(at(last + 105)), Coming::Late);
            assert_eq!(screen.coming(at(last + 2000)), Coming::Late);
            assert_eq!(screen.coming(at(last + 2200)), Coming::Not(ms(2201)));
        }
        // Whoever does not send the same again says so.
        screen.announced(Some(ms(1000)));
        assert_eq!(screen.coming(at(last + 2900)), Coming::InTime);
        assert_eq!(screen.coming(at(last + 3100)), Coming::Late);
    }

    #[test]
    fn a_slow_link_or_camera_has_a_rhythm_of_its_own() {
        let (mut screen, last) = showing(200);
        screen.announced(Some(ms(33)));
        assert_eq!(screen.coming(at(last + 590)), Coming::InTime);
        assert_eq!(screen.coming(at(last + 610)), Coming::Late);
    }

    #[test]
    fn a_single_picture_is_never_late_and_has_its_age() {
        let mut screen = OnScreen::default();
        screen.decoded(at(1));
        screen.shown(at(0), at(1));
        assert_eq!((screen.coming(at(600_000)), screen.age(at(600_000))), (Coming::InTime, Some(600_000.0)));
    }

    #[test]
    fn a_pause_is_over_when_it_is_over() {
        let (mut screen, last) = showing(33);
        let again = last + 5000;
        for n in 0..3 {
            show(&mut screen, again - 4 + 33 * n);
        }
        assert_eq!(screen.coming(at(again + 67)), Coming::InTime);
        assert_eq!(screen.reached(at(again + 67)), Some(37.0));
        assert!(matches!(screen.coming(at(again + 67 + 250)), Coming::Late));
        // A camera that slows down for good is followed.
        for n in 0..30 {
            show(&mut screen, 20_000 + 1000 * n);
        }
        assert_eq!(screen.coming(at(20_004 + 29_000 + 2000)), Coming::InTime);
    }

    #[test]
    fn pictures_that_cannot_be_decoded_are_none() {
        let mut screen = OnScreen::default();
        screen.broken("no JPEG".into());
        assert_eq!(screen.coming(at(0)), Coming::Broken("no JPEG".into()), "nothing else was ever there");
        let (mut screen, last) = showing(33);
        screen.broken("no JPEG".into());
        assert_eq!(screen.coming(at(last + 33)), Coming::InTime, "one among others is only missing");
        assert_eq!(screen.coming(at(last + 105)), Coming::Broken("no JPEG".into()));
        show(&mut screen, last + 196);
        assert_eq!(screen.coming(at(last + 201)), Coming::InTime);
    }

    #[test]
    fn another_stream_begins_with_its_first_picture_and_what_is_on_the_screen_has_its_age() {
        let (mut screen, last) = showing(33);
        screen.other_stream();
        assert_eq!((screen.coming(at(last + 500)), screen.age(at(last + 500))), (Coming::NotYet, Some(504.0)));
        show(&mut screen, last + 596);
        assert_eq!(screen.coming(at(last + 640)), Coming::InTime);
    }
}
