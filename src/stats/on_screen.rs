//! What is on a viewer's screen, how old it is, and whether the next picture is late.
//!
//! # Old on arrival
//!
//! The first picture of a stream or of a connection may be the last of one that stands still. Silence begins with its
//! capture, and not when it came: a second later, for a slow link. A picture that is the only one, and of which no more
//! are announced, is never late: somebody posted it.
//!
//! The same holds for what was on its way while this program itself stood still.

use std::time::Duration;

use super::{Recent, Rhythm};
use crate::time::{Micros, millis};

/// How long it is remembered how old pictures got before the next one came.
const HELD: Duration = Duration::from_millis(500);
/// A first picture may be so old before that counts as silence.
const GRACE: Duration = Duration::from_secs(1);

/// How the pictures on a screen follow each other. Only what could be decoded counts.
#[derive(Debug)]
pub struct OnScreen {
    /// When the picture on the screen was captured; `None` before the first.
    captured: Option<Micros>,
    /// Since when there was no other picture, of this stream: the last was decoded then, or captured a while before.
    since: Option<Micros>,
    /// The next picture is the first of its stream or connection.
    is_first: bool,
    /// The last one was old on arrival, as it seemed, and was decoded then.
    first: Option<Micros>,
    /// What was captured before this time waited while this program stood still.
    resumed: Micros,
    /// Pictures are held back for so long on purpose, and as much older when they are shown.
    held_back: Duration,
    rhythm: Rhythm,
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
            since: None,
            is_first: true,
            first: None,
            resumed: Micros(0),
            held_back: Duration::ZERO,
            rhythm: Rhythm::default(),
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
    /// Pictures are held back for so long from now on, for even motion.
    pub fn held_back(&mut self, delay: Duration) {
        self.held_back = delay;
    }

    /// A picture that was captured then was decoded, and is to be shown at once.
    pub fn decoded(&mut self, captured: Micros, now: Micros) {
        let captured = captured + self.held_back;
        let is_old = std::mem::take(&mut self.is_first) || captured < self.resumed;
        self.in_time = !is_old && self.is_late(now) == Some(false);
        self.first = Some(now).filter(|_| is_old);
        let before = self.since.replace(if is_old { now.min(captured + GRACE) } else { now });
        if let Some(before) = before.filter(|_| !is_old) {
            self.rhythm.add(now.since(before), now);
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

    /// The picture on the screen was captured then, as is known by now.
    pub fn restated(&mut self, captured: Micros) {
        self.captured = Some(captured);
    }

    /// So was the one that was decoded last: it may be a first one that is old.
    pub fn restated_silence(&mut self, captured: Micros) {
        if let Some(decoded) = self.first {
            self.since = Some(decoded.min(captured + self.held_back + GRACE));
        }
    }

    /// The newest picture cannot be decoded.
    pub fn broken(&mut self, why: String) {
        self.broken = Some(why);
    }

    /// The longest time between pictures as the publisher says it; `None`: it does not say.
    pub fn announced(&mut self, apart: Option<Duration>) {
        self.rhythm.announced(apart);
    }

    /// Another stream is watched from now on: its first picture is still to come.
    pub fn other_stream(&mut self) {
        (self.since, self.broken) = (None, None);
        (self.rhythm, self.is_first) = (Rhythm::default(), true);
    }

    /// The connection was made anew: what comes first may be old.
    pub fn reconnected(&mut self) {
        self.is_first = true;
    }

    /// This program stood still until now: what comes first may be old.
    pub fn resumed(&mut self, now: Micros) {
        self.resumed = now;
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

    fn is_late(&self, now: Micros) -> Option<bool> {
        let (since, late) = self.since.zip(self.rhythm.late_after(now))?;
        Some(now.since(since) > late)
    }

    /// How pictures come.
    #[must_use]
    pub fn coming(&self, now: Micros) -> Coming {
        let late = self.is_late(now);
        if let (Some(why), None | Some(true)) = (&self.broken, late) {
            return Coming::Broken(why.clone());
        }
        let Some(since) = self.since else { return Coming::NotYet };
        let silence = now.since(since);
        match late {
            Some(true) if self.rhythm.lost_after(now).is_some_and(|lost| silence > lost) => Coming::Not(silence),
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
        screen.decoded(at(captured), at(captured + 3));
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
        screen.decoded(at(0), at(1));
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
    fn a_first_gap_that_was_a_pause_is_no_rhythm() {
        for announced in [None, Some(ms(33))] {
            let mut screen = OnScreen::default();
            screen.announced(announced);
            for captured in [0, 20_000, 20_033] {
                show(&mut screen, captured);
            }
            assert_eq!(screen.coming(at(20_036 + 95)), Coming::InTime);
            assert_eq!(screen.coming(at(20_036 + 105)), Coming::Late);
            assert_eq!(screen.coming(at(20_036 + 2200)), Coming::Not(ms(2200)));
        }
        // What is known after two pictures is their gap, or what is announced.
        let (mut posted, mut announced) = (OnScreen::default(), OnScreen::default());
        announced.announced(Some(ms(33)));
        for screen in [&mut posted, &mut announced] {
            show(screen, 0);
            show(screen, 20_000);
        }
        assert_eq!(posted.coming(at(79_000)), Coming::InTime);
        assert_eq!(announced.coming(at(20_000 + 200)), Coming::Late);
    }

    /// Milliseconds for which pictures that come at these times are late.
    fn late_at(screen: &mut OnScreen, pictures: &[u64]) -> Vec<u64> {
        let mut late = Vec::new();
        for (from, until) in pictures.iter().zip(&pictures[1..]) {
            show(screen, *from);
            late.extend((from + 4..until + 3).filter(|now| screen.coming(at(*now)) != Coming::InTime));
        }
        late
    }

    #[test]
    fn a_scene_that_moves_now_and_then_is_late_once_and_no_more() {
        // Of a program that announces 30 a second and repeats an unchanged picture once a second.
        let mut pictures = Vec::new();
        let mut now = 0;
        for _ in 0..10 {
            let moving = std::iter::successors(Some(now), |t| Some(t + 33)).take(100);
            pictures.extend(moving);
            let still = std::iter::successors(Some(now + 3300), |t| Some(t + 970)).take(10);
            pictures.extend(still);
            now += 14_000;
        }
        let mut screen = OnScreen::default();
        screen.announced(Some(ms(33)));
        let late = late_at(&mut screen, &pictures);
        assert!(late.len() < 2000 && *late.last().unwrap() < 6000, "{} ms, until {:?}", late.len(), late.last());
        // It is forgotten when it has been moving for long.
        show(&mut screen, now);
        let moving: Vec<u64> = std::iter::successors(Some(now + 33), |t| Some(t + 33)).take(1200).collect();
        let end = *moving.last().unwrap();
        moving.into_iter().for_each(|t| show(&mut screen, t));
        assert_eq!(screen.coming(at(end + 4 + 105)), Coming::Late);
    }

    #[test]
    fn pauses_and_a_busy_machine_do_not_make_what_follows_seem_in_time() {
        let (mut screen, mut now) = showing(33);
        for pause in [120, 150, 5000, 700, 5000, 90, 110] {
            now += pause;
            for n in 0..10 {
                show(&mut screen, now + 33 * n);
            }
            now += 297;
            assert_eq!(screen.coming(at(now + 4 + 105)), Coming::Late, "after {pause}");
        }
    }

    #[test]
    fn a_first_picture_that_is_old_is_not_in_time() {
        for again in [false, true] {
            let mut screen = OnScreen::default();
            if again {
                screen = showing(33).0;
                screen.reconnected();
            }
            screen.announced(Some(ms(33)));
            screen.decoded(at(2000), at(62_000));
            screen.shown(at(2000), at(62_001));
            assert_eq!(screen.coming(at(62_001)), Coming::Not(ms(59_001)), "{again}");
            // What follows is of now.
            show(&mut screen, 62_030);
            assert_eq!(screen.coming(at(62_040)), Coming::InTime);
            assert_eq!(screen.coming(at(62_140)), Coming::Late);
        }
        // A slow link brings it a second late; and of a posted one nobody announces another.
        let (mut slow, mut posted) = (OnScreen::default(), OnScreen::default());
        slow.announced(Some(ms(33)));
        slow.decoded(at(2000), at(2900));
        posted.decoded(at(2000), at(62_900));
        assert_eq!((slow.coming(at(2990)), slow.coming(at(3010))), (Coming::InTime, Coming::Late));
        assert_eq!(posted.coming(at(62_901)), Coming::InTime);
    }

    #[test]
    fn what_is_held_back_on_purpose_is_not_old_for_that() {
        for again in [false, true] {
            let mut screen = OnScreen::default();
            screen.held_back(ms(1000));
            screen.announced(Some(ms(33)));
            if again {
                screen.resumed(at(2100));
            }
            for captured in [2000, 2033] {
                screen.decoded(at(captured), at(captured + 1150));
                screen.shown(at(captured), at(captured + 1151));
                assert_eq!(screen.coming(at(captured + 1153)), Coming::InTime, "{again}");
            }
            assert_eq!(screen.age(at(3184)), Some(1151.0), "and its age is the true one");
        }
    }

    #[test]
    fn what_waited_while_this_program_stood_still_is_not_in_time() {
        let (mut screen, last) = showing(33);
        let resumed = last + 5000;
        screen.resumed(at(resumed));
        for captured in (last + 29..last + 2000).step_by(33) {
            screen.decoded(at(captured), at(resumed + 3));
            screen.shown(at(captured), at(resumed + 4));
            let coming = screen.coming(at(resumed + 4));
            assert!(matches!(coming, Coming::Late | Coming::Not(_)), "{coming:?}");
        }
        show(&mut screen, resumed + 10);
        assert_eq!(screen.coming(at(resumed + 20)), Coming::InTime);
        // The gap is no rhythm.
        show(&mut screen, resumed + 43);
        assert_eq!(screen.coming(at(resumed + 47 + 95)), Coming::InTime);
        assert_eq!(screen.coming(at(resumed + 47 + 105)), Coming::Late);
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
