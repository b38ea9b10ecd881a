//! What a consumer is given when it is slower than what comes: what goes stale is replaced by the newest, and what must be
//! complete is kept up to a bound, and its losses are counted.
//!
//! | policy | for | when the consumer is slow |
//! | --- | --- | --- |
//! | [`Newest`] | pictures that each stand alone | the newest replaces what was not begun |
//! | `Every` | what somebody says; later data, recordings | all is kept up to a bound; what comes then is lost and counted |
//! | `Listener` | sound | all is kept for 200 ms; what is older is lost and counted |
//!
//! A codec with key frames will need a third, *newest decodable*: it goes on to the newest sample that can be decoded without
//! those that were left out, and asks the publisher for a key frame where there is none.

use std::sync::Arc;
use std::time::Duration;

use super::renditions::Renditions;
use crate::adapt::{Resolution, Target};
use crate::frame::Picture;
use crate::time::Micros;

/// How long a newcomer waits for the first picture of its own kind, beyond the time between two pictures: its demand has
/// to reach the publisher.
const FOLLOWS: Duration = Duration::from_millis(100);
/// The longest that it waits, however slow the stream.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// How long a recorder, who gets one size whatever its link carries, waits for a picture of that size: it would keep the
/// size of its first one for ever, and another in between ends some. So long waits whoever insists on a quality for the first
/// one of it, once it is asked for. A busy publisher takes a while to follow, and one with a slow uplink leaves its largest
/// pictures out at times.
const OWN_WAIT: Duration = Duration::from_secs(5);

/// What there is to give now.
#[derive(Debug)]
pub enum Choice<'a> {
    /// Nothing that is news.
    Nothing,
    /// A better one may come until then; ask again at that time at the latest.
    Later(Micros),
    /// This.
    Picture(&'a Arc<Picture>),
}

/// The newest picture replaces those that were not begun.
#[derive(Debug, Default)]
pub struct Newest {
    /// The number of the last picture that was given.
    given: Option<u32>,
    /// Since when it waits for a picture of the kind that it needs.
    waits_since: Option<Micros>,
}

impl Newest {
    /// What there is for a consumer with this target.
    pub fn choose<'a>(&mut self, pictures: &'a Renditions, target: Target, now: Micros) -> Choice<'a> {
        let Some(picture) = pictures.choose(target).filter(|picture| self.is_news(picture)) else {
            return Choice::Nothing;
        };
        let fixed_size = target.size == Resolution::Full;
        if self.given.is_none() && !pictures.is_nearest(target) || fixed_size && !pictures.has_size(target) {
            // The next picture is the one it wants, demanded as it came: in a moment, and not a small one for a while.
            let patience = match fixed_size || pictures.will_meet(target) {
                true => OWN_WAIT,
                false => (2 * pictures.interval + FOLLOWS).min(LONGEST_WAIT),
            };
            let until = *self.waits_since.get_or_insert(now) + patience;
            if now < until {
                return Choice::Later(until);
            }
        }
        Choice::Picture(picture)
    }

    /// This picture was given. Says how many were left out between the one before and this one.
    pub fn gave(&mut self, picture: &Picture) -> u64 {
        self.waits_since = None;
        let before = self.given.replace(picture.sequence);
        before.map_or(0, |before| u64::from(picture.sequence.wrapping_sub(before).saturating_sub(1)))
    }

    /// Whether a picture comes after the one that was given last.
    fn is_news(&self, picture: &Picture) -> bool {
        self.given.is_none_or(|given| picture.sequence.wrapping_sub(given).wrapping_sub(1) <= u32::MAX / 2)
    }
}

/// Everything is kept for the consumer, up to so many bytes.
#[derive(Debug)]
pub(crate) struct Every {
    most: usize,
    lost: u64,
}

impl Every {
    /// Keeps what comes while no more than so many bytes wait.
    #[must_use]
    pub(crate) fn new(most: usize) -> Self {
        Self { most, lost: 0 }
    }

    /// Whether one more is kept behind so many bytes that wait already. What is not is lost, and counted.
    pub(crate) fn keeps(&mut self, waiting: usize) -> bool {
        let keeps = waiting <= self.most;
        self.lost += u64::from(!keeps);
        keeps
    }

    /// How many were lost since this was asked last.
    pub(crate) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::{ANY, Rung};

    const AUTO: Target = Target { bytes: ANY, quality: 0, size: Resolution::Any };
    const RECORDS: Target = Target { size: Resolution::Full, ..AUTO };

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    /// A stream of one rendition of the whole, or of a small one.
    fn stream(rung: Rung) -> Renditions {
        let mut pictures = Renditions::default();
        pictures.supplied(&[Some(rung)]);
        pictures
    }

    fn put(pictures: &mut Renditions, sequence: u32) {
        pictures.put(Picture { sequence, captured: at(0), ..Picture::default() });
    }

    fn given(policy: &mut Newest, pictures: &Renditions, target: Target, now: Micros) -> Option<(u32, u64)> {
        match policy.choose(pictures, target, now) {
            Choice::Picture(picture) => Some((picture.sequence, policy.gave(picture))),
            _ => None,
        }
    }

    #[test]
    fn a_slow_viewer_gets_the_newest_and_what_it_missed_is_counted() {
        let (mut policy, mut pictures) = (Newest::default(), stream(Rung::FULL));
        let mut give = |pictures: &Renditions| given(&mut policy, pictures, AUTO, at(0));
        assert_eq!(give(&pictures), None);
        put(&mut pictures, 7);
        assert_eq!([give(&pictures), give(&pictures)], [Some((7, 0)), None], "and none of them twice");
        (8..=11).for_each(|sequence| put(&mut pictures, sequence));
        assert_eq!(give(&pictures), Some((11, 3)));
        // Numbers begin anew after the last.
        put(&mut pictures, u32::MAX);
        assert_eq!(give(&pictures), None, "that is before it");
    }

    #[test]
    fn a_newcomer_waits_a_moment_for_a_picture_of_its_kind_and_a_recorder_longer() {
        let small = Rung { bytes: 3000, size: Resolution::Any, ..Rung::FULL };
        let (mut viewer, mut recorder) = (Newest::default(), Newest::default());
        let mut pictures = stream(small);
        put(&mut pictures, 1);
        // What is supplied is small, and whoever wants the whole has asked for it.
        let later = |policy: &mut Newest, target, ms| match policy.choose(&pictures, target, at(ms)) {
            Choice::Later(until) => until.since(at(0)).as_millis(),
            Choice::Picture(_) => 0,
            Choice::Nothing => panic!("there is one"),
        };
        assert_eq!([later(&mut viewer, AUTO, 0), later(&mut viewer, AUTO, 165)], [166, 166]);
        assert_eq!(later(&mut viewer, AUTO, 166), 0, "it takes what there is");
        assert_eq!(later(&mut recorder, RECORDS, 0), 5000);
    }

    #[test]
    fn the_first_picture_of_a_viewer_has_the_quality_that_is_encoded_for_it() {
        let (forty, sixty) = (Target { quality: 40, ..AUTO }, Target { quality: 60, ..AUTO });
        let mut pictures = stream(Rung::from(sixty));
        put(&mut pictures, 1);
        let (mut ours, mut other) = (Newest::default(), Newest::default());
        pictures.demanded(&[Rung::from(sixty), Rung::from(forty)], at(0));
        for (sequence, ms) in [(2, 33), (3, 200), (4, 600)] {
            put(&mut pictures, sequence);
            assert_eq!(given(&mut ours, &pictures, forty, at(ms)), None, "the publisher has not heard of it yet");
        }
        pictures.supplied(&[Some(Rung::from(sixty)), Some(Rung::from(forty))]);
        pictures.put(Picture { sequence: 5, rung: 1, quality: 40, captured: at(0), ..Picture::default() });
        assert_eq!(given(&mut ours, &pictures, forty, at(633)), Some((5, 0)));
        // Of more qualities than are encoded it takes the nearest.
        let lower = Target { quality: 42, ..AUTO };
        assert_eq!(given(&mut other, &pictures, lower, at(700)), None);
        assert_eq!(given(&mut other, &pictures, lower, at(866)), Some((5, 0)));
        // Nobody waits for what a publisher cannot do.
        let (mut single, mut pictures) = (Newest::default(), Renditions::default());
        pictures.begin(true);
        pictures.demanded(&[Rung::from(forty)], at(0));
        put(&mut pictures, 1);
        assert_eq!(given(&mut single, &pictures, forty, at(0)), Some((1, 0)));
    }

    #[test]
    fn what_must_be_complete_is_kept_up_to_a_bound_and_losses_are_counted() {
        let mut every = Every::new(1000);
        assert_eq!([0, 1000, 1001, 5000, 900].map(|waiting| every.keeps(waiting)), [true, true, false, false, true]);
        assert_eq!([every.take_lost(), every.take_lost()], [2, 0]);
    }
}
