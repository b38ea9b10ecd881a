//! A stream on the hot path: its newest pictures, one a rung, and which loops have somebody to give them to.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(super) use super::newest::Newest;
use super::numbers::StreamNumbers;
use super::silence::{Gives, Silence};
use crate::adapt::{ANY, Need, Resolution, Rung};
use crate::frame::Picture;
use crate::names::StreamKey;
use crate::room::{Numbering, Silent};
use crate::stats::{Quantiles, Recent};
use crate::time::{Micros, micros, millis};
use crate::wire::control::{AskedPicture, StreamState};

/// A picture older than this is not given to the first viewer of a stream that nobody watched: the publisher has
/// stopped encoding meanwhile, so it would be an old picture that looks like a new one.
const STILL_FRESH: Duration = Duration::from_secs(1);

/// Pictures further apart are those of a still scene; whoever bunches up has them nearer.
const STILL: Duration = Duration::from_millis(400);

/// What a snapshot is of.
pub(super) const FULL: Need = Need { bytes: ANY, quality: 0, size: Resolution::Full };

/// The longest that a snapshot waits for a picture.
const LONGEST: Duration = Duration::from_secs(5);

/// How long a publisher may take to encode what is demanded, beside the time between two pictures.
const DEMANDED: Duration = Duration::from_secs(1);

/// A stream as publishers and delivery loops share it.
pub(super) struct Stream {
    pub(super) key: StreamKey,
    /// Tells streams apart more cheaply than the key.
    pub(super) id: u64,
    slot: Mutex<Slot>,
    /// For each loop: how many of its viewers watch, and whether it has been told of a picture it has not looked at.
    loops: Box<[Interest]>,
    /// Pictures published since the start.
    pub(super) pictures: AtomicU64,
    /// Pictures that the publisher left out.
    pub(super) lost: AtomicU64,
    /// What its viewers were given.
    pub(super) numbers: StreamNumbers,
    /// How far off the publisher's clock may be, in microseconds; [`UNKNOWN`].
    clock_error: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

#[derive(Default)]
struct Interest {
    viewers: AtomicU32,
    told: AtomicBool,
}

#[derive(Default)]
struct Slot {
    newest: Newest,
    arrived: Micros,
    numbering: Numbering,
    /// Ages of pictures when they arrived, in milliseconds.
    ages: Recent,
    /// Pictures come one by one, whoever watches: the last one is the newest there is, however old.
    stills: bool,
    captured: Micros,
    /// Between the last two pictures.
    apart: Duration,
    silence: Silence,
}

impl Stream {
    pub(super) fn new(key: StreamKey, id: u64, loops: usize) -> Self {
        Self {
            key,
            id,
            slot: Mutex::default(),
            loops: (0..loops).map(|_| Interest::default()).collect(),
            pictures: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            numbers: StreamNumbers::default(),
            clock_error: AtomicU64::new(UNKNOWN),
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new publisher begins `now`: its numbers follow on from the last one's, and what the last one left is old.
    pub(super) fn begin(&self, gives: Gives, now: Micros) {
        let mut slot = self.slot();
        slot.numbering.new_publisher();
        slot.newest.begin(gives != Gives::OnDemand { rungs: true });
        slot.stills = !matches!(gives, Gives::OnDemand { .. });
        slot.silence.begin(gives, now);
        self.knows_clock(None);
    }

    /// So far off the publisher's clock may be.
    pub(super) fn knows_clock(&self, error: Option<Duration>) {
        self.clock_error.store(error.map_or(UNKNOWN, micros), Ordering::Relaxed);
    }

    /// How far off the publisher's clock may be, in microseconds.
    pub(super) fn clock_error(&self) -> Option<u64> {
        Some(self.clock_error.load(Ordering::Relaxed)).filter(|error| *error != UNKNOWN)
    }

    /// Puts a picture in, numbers it, and returns the loops that must be told; and whether the stream was silent until now.
    pub(super) fn put(&self, mut picture: Picture, now: Micros) -> (impl Iterator<Item = usize>, bool) {
        let mut slot = self.slot();
        let (number, lost) = slot.numbering.number(picture.sequence);
        picture.sequence = number;
        let mut wakes = false;
        if slot.newest.best().is_none_or(|best| best.sequence != number) {
            // The first of several rungs.
            slot.ages.add(now, millis(now.since(picture.captured)));
            wakes = slot.silence.came(now);
        }
        let apart = picture.captured.since(slot.captured);
        if (Duration::from_millis(1)..Duration::from_secs(2)).contains(&apart) {
            // A mean over some eight pictures: cameras jitter, and one that slows down in the dark is followed. Who begins to
            // move after a still picture, sent once a second, is followed at once.
            let (mean, apart) = (micros(slot.newest.interval), micros(apart));
            let moves = mean > micros(STILL) && apart < mean / 2;
            let mean = if moves { apart.midpoint(mean) } else { (7 * mean + apart) / 8 };
            slot.newest.interval = Duration::from_micros(mean);
        }
        if !apart.is_zero() {
            slot.apart = apart;
        }
        slot.captured = picture.captured;
        slot.newest.put(picture);
        slot.arrived = now;
        drop(slot);
        self.pictures.fetch_add(1, Ordering::Relaxed);
        self.lost.fetch_add(u64::from(lost), Ordering::Relaxed);
        let news = |i: &Interest| i.viewers.load(Ordering::Acquire) > 0 && !i.told.swap(true, Ordering::AcqRel);
        (self.loops.iter().enumerate().filter(move |(_, i)| news(i)).map(|(index, _)| index), wakes)
    }

    /// The newest pictures; a loop that asks has looked.
    pub(super) fn newest(&self, index: usize) -> Newest {
        self.loops[index].told.store(false, Ordering::Release);
        self.slot().newest.clone()
    }

    /// The newest picture of full size, if it was captured after `asked` or is the newest for as long as can be known;
    /// for a loop that is told of the next one otherwise.
    pub(super) fn snapshot(&self, index: usize, asked: Micros) -> Option<Arc<Picture>> {
        let newest = self.newest(index);
        newest.choose(FULL).filter(|p| p.captured >= asked && newest.meets(FULL)).cloned()
    }

    /// The best picture that there is, whenever it was captured; and for how long after `asked` a newer one is worth
    /// waiting for, 5 s at most.
    pub(super) fn still(&self, asked: Micros) -> (Option<Arc<Picture>>, Duration) {
        let slot = self.slot();
        let asleep = asked.since(slot.arrived) > STILL_FRESH;
        let picture = slot.newest.choose(FULL).filter(|_| !asleep || slot.stills).cloned();
        // The mean is that of streams that move. One that gives a picture every few seconds is waited for, and one that gives
        // a picture every few minutes, or has stopped, is not.
        let slow = slot.apart <= LONGEST && asked.since(slot.arrived) <= 2 * slot.apart;
        let interval = if slow { slot.newest.interval.max(slot.apart) } else { slot.newest.interval };
        let patience = match (&picture, slot.stills) {
            // A sleeping camera may take long to open.
            (None, _) => LONGEST,
            // It is not told that somebody wants one.
            (Some(_), true) => 2 * interval,
            (Some(_), false) => 2 * interval + DEMANDED,
        };
        (picture, patience.min(LONGEST))
    }

    /// The newest picture whenever it came, pictures a second, and ages on arrival in milliseconds.
    pub(super) fn incoming(&self, now: Micros) -> (Option<Arc<Picture>>, f64, Quantiles) {
        let mut slot = self.slot();
        (slot.newest.best().cloned(), slot.ages.rate(now), slot.ages.quantiles(now))
    }

    /// The rungs that the publisher is asked for from now on.
    pub(super) fn demanded(&self, rungs: &[Rung], now: Micros) {
        self.slot().newest.demanded(rungs, now);
    }

    /// The rungs that the publisher encodes from here on.
    pub(super) fn supplied(&self, rungs: &[Option<Rung>]) {
        self.slot().newest.supplied(rungs);
    }

    /// A viewer on this loop begins or ends to watch.
    pub(super) fn add_viewer(&self, index: usize) {
        self.loops[index].viewers.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn remove_viewer(&self, index: usize) {
        self.loops[index].viewers.fetch_sub(1, Ordering::AcqRel);
    }

    /// The first viewer comes after nobody watched, so pictures from before are forgotten; or the last one has gone.
    pub(super) fn watched(&self, watched: bool, now: Micros) {
        let mut slot = self.slot();
        if watched && now.since(slot.arrived) > STILL_FRESH && !slot.stills {
            slot.newest.forget();
        }
        slot.silence.watched(watched, now);
    }

    /// Nobody publishes it: its pictures are kept no longer than somebody may still be given the last one.
    pub(super) fn gone(&self, now: Micros) {
        let mut slot = self.slot();
        if now.since(slot.arrived) > STILL_FRESH {
            slot.newest.forget();
        }
    }

    /// The publisher says how it is doing.
    pub(super) fn told(&self, state: &StreamState, now: Micros) {
        let apart = state.asked.as_ref().and_then(AskedPicture::interval);
        self.slot().silence.told(apart, !state.reason.is_empty(), now);
    }

    /// A picture came that is not passed on.
    pub(super) fn refused(&self, why: &str) {
        self.slot().silence.refused(why);
    }

    /// Says whether the stream has fallen silent, or is not to be judged any more.
    pub(super) fn judge_silence(&self, now: Micros) -> bool {
        self.slot().silence.judge(now)
    }

    /// Whether it gave no picture when somebody watched last, and nobody does now.
    pub(super) fn was_silent(&self) -> bool {
        let slot = self.slot();
        slot.silence.silent().is_some() && !slot.silence.is_watched()
    }

    /// Whether pictures are due and do not come.
    pub(super) fn silent(&self) -> Option<Silent> {
        self.slot().silence.silent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_waits_for_a_picture_every_few_seconds_and_not_for_one_every_few_minutes() {
        let patience = |seconds: [u64; 2], asked: u64| {
            let stream = Stream::new(StreamKey::new("main", "door"), 1, 1);
            stream.begin(Gives::Always, Micros(0));
            for at in seconds.map(|s| Micros(s * 1_000_000)) {
                let picture = Picture { captured: at, data: vec![0xff, 0xd8].into(), ..Picture::default() };
                let _ = stream.put(picture, at).0.count();
            }
            stream.still(Micros(asked * 1_000_000)).1
        };
        assert_eq!(patience([100, 102], 103), Duration::from_secs(4));
        assert_eq!(patience([100, 104], 105), Duration::from_secs(5), "five at most");
        assert!(patience([100, 300], 301) < Duration::from_secs(1));
        assert!(patience([100, 102], 160) < Duration::from_secs(1), "it has stopped");
    }

    #[test]
    fn pictures_of_a_publisher_that_has_gone_are_given_for_a_second_and_kept_no_longer() {
        let stream = Stream::new(StreamKey::new("main", "door"), 1, 1);
        stream.begin(Gives::Always, Micros(0));
        let _ = stream.put(Picture { data: vec![0xff, 0xd8].into(), ..Picture::default() }, Micros(1000)).0.count();
        stream.gone(Micros(900_000));
        assert!(stream.newest(0).best().is_some());
        stream.gone(Micros(1_100_000));
        assert!(stream.newest(0).best().is_none());
    }
}
