//! A stream on the hot path: its newest pictures, one a rung, and which loops have somebody to give them to.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::numbers::StreamNumbers;
use crate::adapt::{MOST_RUNGS, Need, Rung, rung_of};
use crate::frame::Picture;
use crate::room::{Numbering, StreamKey};
use crate::stats::{Quantiles, Recent};
use crate::time::{Micros, micros, millis};

/// A picture older than this is not given to the first viewer of a stream that nobody watched: the publisher has
/// stopped encoding meanwhile, so it would be an old picture that looks like a new one.
const STILL_FRESH: Duration = Duration::from_secs(1);

/// Pictures further apart are those of a still scene; whoever bunches up has them nearer.
const STILL: Duration = Duration::from_millis(400);

/// A rung whose picture is so many frames behind the newest is encoded no more.
const ABANDONED: u32 = 3;

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
    /// A picture has come, for those who wait for just one.
    came: Condvar,
}

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
    /// Who waits for just one picture.
    waiting: usize,
    /// Pictures come one by one, whoever watches: the last one is the newest there is, however old.
    stills: bool,
    captured: Micros,
}

/// The newest pictures of a stream, for choosing from.
#[derive(Clone)]
pub(super) struct Newest {
    pictures: [Option<Arc<Picture>>; MOST_RUNGS],
    rungs: Arc<[Rung]>,
    /// The time between pictures, as they come.
    pub(super) interval: Duration,
}

impl Default for Newest {
    fn default() -> Self {
        Self { pictures: Default::default(), rungs: Arc::new([]), interval: Duration::from_millis(33) }
    }
}

impl Newest {
    /// The rung that a picture is of. The publisher goes on with the rungs of before until it hears of others, and they may
    /// lie at other places; whoever insists on a quality is not given another's meanwhile.
    fn rung_of(&self, picture: &Picture) -> usize {
        let own = usize::from(picture.rung).min(MOST_RUNGS - 1);
        match self.rungs.get(own).map_or(0, |rung| rung.quality) {
            fixed if fixed != 0 && picture.quality != 0 && fixed != picture.quality => {
                self.fixed(picture).unwrap_or(own)
            }
            _ => own,
        }
    }

    /// The rung of exactly this picture's quality.
    fn fixed(&self, picture: &Picture) -> Option<usize> {
        self.rungs.iter().take(MOST_RUNGS).position(|r| r.quality != 0 && r.quality == picture.quality)
    }

    /// Other rungs from now on. What there is goes to where it belongs.
    fn set_rungs(&mut self, rungs: &[Rung]) {
        self.rungs = rungs.into();
        for (at, picture) in std::mem::take(&mut self.pictures).into_iter().enumerate() {
            let Some(picture) = picture else { continue };
            let at = self.fixed(&picture).unwrap_or(at);
            if self.pictures[at].as_ref().is_none_or(|other| other.sequence <= picture.sequence) {
                self.pictures[at] = Some(picture);
            }
        }
    }

    /// The newest, and of those the best.
    pub(super) fn best(&self) -> Option<&Arc<Picture>> {
        self.pictures.iter().flatten().max_by_key(|p| (p.sequence, p.quality))
    }

    /// The picture for a viewer with this need: of its rung, or of another while its own is not encoded yet.
    pub(super) fn choose(&self, need: Need) -> Option<&Arc<Picture>> {
        let newest = self.pictures.iter().flatten().max_by_key(|p| p.sequence)?;
        let own = rung_of(need, &self.rungs).and_then(|at| self.pictures.get(at)?.as_ref());
        let behind = |p: &&Arc<Picture>| newest.sequence.wrapping_sub(p.sequence) < ABANDONED;
        own.filter(behind).or(Some(newest))
    }
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
            came: Condvar::new(),
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new publisher begins: its numbers follow on from the last one's, and what the last one left is old.
    pub(super) fn begin(&self) {
        let mut slot = self.slot();
        slot.numbering.new_publisher();
        slot.newest.pictures = Default::default();
        slot.stills = false;
    }

    /// As [`begin`](Self::begin), for a publisher that does not know whether anybody watches.
    pub(super) fn begin_stills(&self) {
        self.begin();
        self.slot().stills = true;
    }

    /// Puts a picture in, numbers it, and returns the loops that must be told.
    pub(super) fn put(&self, mut picture: Picture, now: Micros) -> impl Iterator<Item = usize> {
        let mut slot = self.slot();
        let (number, lost) = slot.numbering.number(picture.sequence);
        picture.sequence = number;
        if slot.newest.best().is_none_or(|best| best.sequence != number) {
            // The first of several rungs.
            slot.ages.add(now, millis(now.since(picture.captured)));
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
        slot.captured = picture.captured;
        let rung = slot.newest.rung_of(&picture);
        slot.newest.pictures[rung] = Some(Arc::new(picture));
        slot.arrived = now;
        if slot.waiting > 0 {
            self.came.notify_all();
        }
        drop(slot);
        self.pictures.fetch_add(1, Ordering::Relaxed);
        self.lost.fetch_add(u64::from(lost), Ordering::Relaxed);
        let news = |i: &Interest| i.viewers.load(Ordering::Acquire) > 0 && !i.told.swap(true, Ordering::AcqRel);
        self.loops.iter().enumerate().filter(move |(_, i)| news(i)).map(|(index, _)| index)
    }

    /// The newest pictures; a loop that asks has looked.
    pub(super) fn newest(&self, index: usize) -> Newest {
        self.loops[index].told.store(false, Ordering::Release);
        self.slot().newest.clone()
    }

    /// The newest picture if it came in the last second, or the next one, waiting for it `patience` at most.
    pub(super) fn fresh_within(&self, patience: Duration, now: Micros) -> Option<Arc<Picture>> {
        let until = Instant::now() + patience;
        let mut slot = self.slot();
        if now.since(slot.arrived) > STILL_FRESH && !slot.stills {
            slot.newest.pictures = Default::default();
        }
        slot.waiting += 1;
        let found = loop {
            let left = until.saturating_duration_since(Instant::now());
            let best = slot.newest.best();
            if best.is_some() || left.is_zero() {
                break best.cloned();
            }
            slot = self.came.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        slot.waiting -= 1;
        found
    }

    /// The newest picture whenever it came, pictures a second, and ages on arrival in milliseconds.
    pub(super) fn incoming(&self, now: Micros) -> (Option<Arc<Picture>>, f64, Quantiles) {
        let mut slot = self.slot();
        (slot.newest.best().cloned(), slot.ages.rate(now), slot.ages.quantiles(now))
    }

    /// The rungs that the publisher is asked for from now on.
    pub(super) fn set_rungs(&self, rungs: &[Rung]) {
        self.slot().newest.set_rungs(rungs);
    }

    /// A viewer on this loop begins or ends to watch.
    pub(super) fn add_viewer(&self, index: usize) {
        self.loops[index].viewers.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn remove_viewer(&self, index: usize) {
        self.loops[index].viewers.fetch_sub(1, Ordering::AcqRel);
    }

    /// The first viewer comes after nobody watched: forgets pictures from before.
    pub(super) fn watched(&self, now: Micros) {
        let mut slot = self.slot();
        if now.since(slot.arrived) > STILL_FRESH && !slot.stills {
            slot.newest.pictures = Default::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::ANY;

    fn fixed(quality: u8) -> (Need, Rung) {
        (Need { bytes: ANY, quality }, Rung { bytes: ANY, quality })
    }

    #[test]
    fn who_insists_on_a_quality_keeps_it_while_the_rungs_change() {
        let stream = Stream::new(StreamKey::new("main", "door"), 1, 1);
        let put = |sequence: u32, rung: u8, quality: u8| {
            let picture = Picture { sequence, rung, quality, ..Picture::default() };
            let _ = stream.put(picture, Micros(u64::from(sequence) * 33_000)).count();
        };
        let gets = |need: Need| stream.newest(0).choose(need).map(|p| (p.sequence, p.quality));
        let ((forty, rung_forty), (eighty, rung_eighty)) = (fixed(40), fixed(80));
        stream.set_rungs(&[rung_forty]);
        put(1, 0, 40);
        assert_eq!(gets(forty), Some((1, 40)));
        // Somebody else comes, whose rung is put before the other.
        stream.set_rungs(&[rung_eighty, rung_forty]);
        assert_eq!(gets(forty), Some((1, 40)));
        assert_eq!(gets(eighty), Some((1, 40)), "there is no other yet");
        // The publisher has not heard of it yet.
        put(2, 0, 40);
        assert_eq!(gets(forty), Some((2, 40)));
        // It has, and one rung comes before the other.
        put(3, 0, 80);
        assert_eq!((gets(forty), gets(eighty)), (Some((2, 40)), Some((3, 80))));
        put(3, 1, 40);
        assert_eq!(gets(forty), Some((3, 40)));
        // The first leaves.
        stream.set_rungs(&[rung_eighty]);
        put(4, 0, 80);
        assert_eq!(gets(eighty), Some((4, 80)));
    }
}
