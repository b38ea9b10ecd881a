//! The pictures of a stream, as all loops share them: the newest, how they come, and whether they do.

use std::sync::Arc;
use std::time::Duration;

use super::numbering::Numbering;
use super::renditions::Renditions;
use super::silence::{Gives, Silence};
use crate::adapt::{ANY, Resolution, Rung, Target};
use crate::frame::Picture;
use crate::stats::{Quantiles, Recent};
use crate::time::{Micros, micros, millis};
use crate::wire::control::{NominalPicture, StreamState};

/// A picture older than this, and than its stream's pictures are apart, is not given to the first viewer of a stream that nobody
/// watched: the publisher has stopped encoding meanwhile, so it would be an old picture that looks like a new one.
const STILL_FRESH: Duration = Duration::from_secs(1);

/// PictureTrack further apart are those of a still scene; whoever bunches up has them nearer.
const STILL: Duration = Duration::from_millis(400);

/// What a snapshot is of that asks for nothing else.
const FULL: Target = Target { bytes: ANY, quality: 0, size: Resolution::Full };

/// The longest that a snapshot waits for a newer picture than there is.
const NEWER: Duration = Duration::from_secs(5);

/// The longest that a snapshot waits for the first picture of a publisher that sleeps: less than a request may take in all.
const FIRST: Duration = Duration::from_secs(25);

/// How long a publisher may take to encode what is demanded, beside the time between two pictures.
const DEMANDED: Duration = Duration::from_secs(1);

/// The track of a stream's pictures.
#[derive(Debug, Default)]
pub(crate) struct PictureTrack {
    renditions: Renditions,
    arrived: Micros,
    numbering: Numbering,
    /// Ages of pictures when they arrived, in milliseconds.
    ages: Recent,
    /// PictureTrack come one by one, whoever watches: the last one is the newest there is, however old.
    stills: bool,
    captured: Micros,
    /// Between the last two pictures.
    apart: Duration,
    /// The camera has not found its exposure, as the publisher says.
    settling: bool,
    /// The newest picture came after it had.
    settled: bool,
    /// Whether they come when they are due.
    pub silence: Silence,
}

/// What came of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Came {
    /// How many pictures the publisher left out before it.
    pub lost: u32,
    /// The stream was silent until now.
    pub wakes: bool,
}

impl PictureTrack {
    /// A new publisher begins `now`: its numbers follow on from the last one's, and what the last one left is old.
    pub(crate) fn begin(&mut self, gives: Gives, now: Micros) {
        self.numbering.new_publisher();
        self.renditions.begin(gives != Gives::OnDemand { rungs: true });
        self.stills = !matches!(gives, Gives::OnDemand { .. });
        self.settling = false;
        self.silence.begin(gives, now);
    }

    /// Puts a picture in, and numbers it.
    pub(crate) fn put(&mut self, mut picture: Picture, now: Micros) -> Came {
        let (number, lost) = self.numbering.number(picture.sequence);
        picture.sequence = number;
        let mut wakes = false;
        if self.renditions.best().is_none_or(|best| best.sequence != number) {
            // The first of several rungs.
            self.ages.add(now, millis(now.since(picture.captured)));
            wakes = self.silence.came(now);
        }
        let apart = picture.captured.since(self.captured);
        if (Duration::from_millis(1)..Duration::from_secs(2)).contains(&apart) {
            // A mean over some eight pictures: cameras jitter, and one that slows down in the dark is followed. Who begins to
            // move after a still picture, sent once a second, is followed at once.
            let (mean, apart) = (micros(self.renditions.interval), micros(apart));
            let moves = mean > micros(STILL) && apart < mean / 2;
            let mean = if moves { apart.midpoint(mean) } else { (7 * mean + apart) / 8 };
            self.renditions.interval = Duration::from_micros(mean);
        }
        if !apart.is_zero() {
            self.apart = apart;
        }
        self.captured = picture.captured;
        self.settled = !self.settling;
        self.renditions.put(picture);
        self.arrived = now;
        Came { lost, wakes }
    }

    /// The newest of each rendition.
    #[must_use]
    pub(crate) fn newest(&self) -> &Renditions {
        &self.renditions
    }

    /// The newest picture for this target, if it was captured after `asked`, by a camera that had found its exposure, and no nearer
    /// one is to come.
    #[must_use]
    pub(crate) fn snapshot(&self, target: Target, asked: Micros) -> Option<Arc<Picture>> {
        let is_new = |p: &&Arc<Picture>| self.settled && p.captured >= asked && self.renditions.is_nearest(target);
        self.renditions.choose(target).filter(is_new).cloned()
    }

    /// The picture that there is for this target, whenever it was captured; and for how long after `asked` one is worth waiting for: a newer
    /// one 5 s at most, and where there is none as long as the publisher may take to give its first, 25 s at most.
    #[must_use]
    pub(crate) fn still(&self, target: Target, asked: Micros) -> (Option<Arc<Picture>>, Duration) {
        let is_newest = self.stills || self.silence.is_watched() || self.is_fresh(asked);
        let picture = self.renditions.choose(target).filter(|_| is_newest).cloned();
        // The mean is that of streams that move. One that gives a picture every few seconds is waited for, and one that gives
        // a picture every few minutes, or has stopped, is not.
        let slow = self.apart <= NEWER && asked.since(self.arrived) <= 2 * self.apart;
        let interval = if slow { self.renditions.interval.max(self.apart) } else { self.renditions.interval };
        let patience = match (&picture, self.stills) {
            // It says when it has found its exposure, and who waits sees when it is lost.
            _ if self.settling => FIRST,
            // A sleeping camera may take long to open.
            (None, _) => self.silence.opens_within(asked).min(FIRST),
            // It is not told that somebody wants one.
            (Some(_), true) => (2 * interval).min(NEWER),
            (Some(_), false) => (2 * interval + DEMANDED).min(NEWER),
        };
        (picture, patience)
    }

    /// Whether the last picture may still be the newest there is.
    fn is_fresh(&self, now: Micros) -> bool {
        now.since(self.arrived) <= self.silence.apart(now).unwrap_or_default().max(STILL_FRESH)
    }

    /// The newest picture whenever it came, pictures a second, and ages on arrival in milliseconds.
    pub(crate) fn incoming(&mut self, now: Micros) -> (Option<Arc<Picture>>, f64, Quantiles) {
        (self.renditions.best().cloned(), self.ages.rate(now), self.ages.quantiles(now))
    }

    /// The rungs that the publisher is asked for from now on.
    pub(crate) fn demanded(&mut self, rungs: &[Rung], now: Micros) {
        self.renditions.demanded(rungs, now);
    }

    /// The rungs that the publisher encodes from here on.
    pub(crate) fn supplied(&mut self, rungs: &[Option<Rung>]) {
        self.renditions.supplied(rungs);
    }

    /// The first viewer comes after nobody watched, so pictures from before are forgotten; or the last one has gone.
    pub(crate) fn watched(&mut self, watched: bool, now: Micros) {
        if watched && !self.is_fresh(now) && !self.stills {
            self.renditions.forget();
        }
        self.silence.watched(watched, now);
    }

    /// Nobody publishes it: its pictures are kept no longer than somebody may still be given the last one.
    pub(crate) fn gone(&mut self, now: Micros) {
        if now.since(self.arrived) > STILL_FRESH {
            self.renditions.forget();
        }
    }

    /// The publisher says how it is doing.
    pub(crate) fn told(&mut self, state: &StreamState, now: Micros) {
        let apart = state.nominal.as_ref().and_then(NominalPicture::interval);
        self.settling = state.settling;
        self.silence.told(apart, !state.reason.is_empty(), now);
    }

    /// Whether it gave no picture when somebody watched last, and nobody does now, so that it may give one when it is asked.
    #[must_use]
    pub(crate) fn may_be_asked_anew(&self) -> bool {
        !self.stills && self.silence.silent().is_some() && !self.silence.is_watched()
    }

    /// The best picture there is, unless it may be too dark.
    #[must_use]
    pub(crate) fn worth_keeping(&self) -> Option<Arc<Picture>> {
        self.renditions.choose(FULL).filter(|_| self.settled).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_waits_for_a_picture_every_few_seconds_and_not_for_one_every_few_minutes() {
        let patience = |seconds: [u64; 2], asked: u64| {
            let mut pictures = PictureTrack::default();
            pictures.begin(Gives::Always, Micros(0));
            for at in seconds.map(|s| Micros(s * 1_000_000)) {
                let picture = Picture { captured: at, data: vec![0xff, 0xd8].into(), ..Picture::default() };
                let _ = pictures.put(picture, at);
            }
            pictures.still(FULL, Micros(asked * 1_000_000)).1
        };
        assert_eq!(patience([100, 102], 103), Duration::from_secs(4));
        assert_eq!(patience([100, 104], 105), Duration::from_secs(5), "five at most");
        assert!(patience([100, 300], 301) < Duration::from_secs(1));
        assert!(patience([100, 102], 160) < Duration::from_secs(1), "it has stopped");
    }

    #[test]
    fn a_snapshot_that_wakes_a_publisher_waits_as_long_as_that_takes_and_for_a_slow_one_longer() {
        let patience = |fps: f64| {
            let mut pictures = PictureTrack::default();
            pictures.begin(Gives::OnDemand { rungs: true }, Micros(0));
            let nominal = NominalPicture { fps, ..NominalPicture::default() };
            pictures.told(&StreamState { nominal: Some(nominal), ..StreamState::default() }, Micros(0));
            let (picture, patience) = pictures.still(FULL, Micros(60_000_000));
            assert!(picture.is_none());
            patience.as_secs()
        };
        assert_eq!([30.0, 0.2, 0.02].map(patience), [10, 17, 25]);
    }

    #[test]
    fn a_dark_picture_is_not_taken_because_it_is_there_and_none_is_waited_for_for_ever() {
        let (mut pictures, at) = (PictureTrack::default(), |ms: u64| Micros(1_000_000 + ms * 1000));
        let settling = |settling| StreamState { settling, ..StreamState::default() };
        pictures.begin(Gives::OnDemand { rungs: false }, at(0));
        pictures.watched(true, at(0));
        pictures.told(&settling(true), at(0));
        let picture = |ms| Picture { captured: at(ms), data: vec![0xff, 0xd8].into(), ..Picture::default() };
        let _ = pictures.put(picture(100), at(100));
        assert!(pictures.snapshot(FULL, at(50)).is_none() && pictures.worth_keeping().is_none());
        assert_eq!(pictures.still(FULL, at(100)).1, FIRST);
        pictures.told(&settling(false), at(900));
        assert!(pictures.snapshot(FULL, at(50)).is_none(), "the one that is there was taken in the dark");
        let _ = pictures.put(picture(933), at(933));
        assert!(pictures.snapshot(FULL, at(50)).is_some() && pictures.worth_keeping().is_some());
        assert!(pictures.still(FULL, at(933)).1 < NEWER);
    }

    #[test]
    fn the_last_picture_of_a_slow_stream_is_the_newest_until_the_next_is_due() {
        let mut pictures = PictureTrack::default();
        pictures.begin(Gives::OnDemand { rungs: true }, Micros(0));
        let (at, nominal) =
            (|second: u64| Micros(second * 1_000_000), NominalPicture { fps: 0.1, ..NominalPicture::default() });
        pictures.told(&StreamState { nominal: Some(nominal), ..StreamState::default() }, at(0));
        pictures.watched(true, at(1));
        let _ = pictures.put(Picture { captured: at(2), data: vec![0xff, 0xd8].into(), ..Picture::default() }, at(2));
        pictures.watched(false, at(3));
        assert!(pictures.still(FULL, at(11)).0.is_some() && pictures.still(FULL, at(13)).0.is_none());
        pictures.watched(true, at(11));
        assert!(pictures.still(FULL, at(30)).0.is_some(), "somebody watches: no newer one came");
        pictures.watched(false, at(31));
        pictures.watched(true, at(32));
        assert!(pictures.still(FULL, at(32)).0.is_none(), "the publisher may have had newer ones meanwhile");
    }

    #[test]
    fn pictures_of_a_publisher_that_has_gone_are_given_for_a_second_and_kept_no_longer() {
        let mut pictures = PictureTrack::default();
        pictures.begin(Gives::Always, Micros(0));
        let _ = pictures.put(Picture { data: vec![0xff, 0xd8].into(), ..Picture::default() }, Micros(1000));
        pictures.gone(Micros(900_000));
        assert!(pictures.newest().best().is_some());
        pictures.gone(Micros(1_100_000));
        assert!(pictures.newest().best().is_none());
    }
}
