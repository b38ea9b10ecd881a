//! A stream on the hot path: its newest picture, and which loops have somebody to give it to.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::numbers::StreamNumbers;
use crate::frame::Picture;
use crate::room::Numbering;
use crate::stats::{Quantiles, Recent};
use crate::time::{Micros, millis};

/// A picture older than this is not given to the first viewer of a stream that nobody watched: the publisher has
/// stopped encoding meanwhile, so it would be an old picture that looks like a new one.
const STILL_FRESH: Duration = Duration::from_secs(1);

/// A stream as publishers and delivery loops share it.
pub(super) struct Stream {
    /// Tells streams apart more cheaply than a name.
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
    newest: Option<Arc<Picture>>,
    arrived: Micros,
    numbering: Numbering,
    /// Ages of pictures when they arrived, in milliseconds.
    ages: Recent,
    /// Who waits for just one picture.
    waiting: usize,
    /// Pictures come one by one, whoever watches: the last one is the newest there is, however old.
    stills: bool,
}

impl Stream {
    pub(super) fn new(id: u64, loops: usize) -> Self {
        Self {
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
        slot.newest = None;
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
        slot.ages.add(now, millis(now.since(picture.captured)));
        slot.newest = Some(Arc::new(picture));
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

    /// The newest picture; a loop that asks has looked.
    pub(super) fn newest(&self, index: usize) -> Option<Arc<Picture>> {
        self.loops[index].told.store(false, Ordering::Release);
        self.slot().newest.clone()
    }

    /// The newest picture if it came in the last second, or the next one, waiting for it `patience` at most.
    pub(super) fn fresh_within(&self, patience: Duration, now: Micros) -> Option<Arc<Picture>> {
        let until = Instant::now() + patience;
        let mut slot = self.slot();
        if now.since(slot.arrived) > STILL_FRESH && !slot.stills {
            slot.newest = None;
        }
        slot.waiting += 1;
        let found = loop {
            let left = until.saturating_duration_since(Instant::now());
            if slot.newest.is_some() || left.is_zero() {
                break slot.newest.clone();
            }
            slot = self.came.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        slot.waiting -= 1;
        found
    }

    /// The newest picture whenever it came, pictures a second, and ages on arrival in milliseconds.
    pub(super) fn incoming(&self, now: Micros) -> (Option<Arc<Picture>>, f64, Quantiles) {
        let mut slot = self.slot();
        (slot.newest.clone(), slot.ages.rate(now), slot.ages.quantiles(now))
    }

    /// A viewer on this loop begins or ends to watch.
    pub(super) fn add_viewer(&self, index: usize) {
        self.loops[index].viewers.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn remove_viewer(&self, index: usize) {
        self.loops[index].viewers.fetch_sub(1, Ordering::AcqRel);
    }

    /// The first viewer comes after nobody watched: forgets a picture from before.
    pub(super) fn watched(&self, now: Micros) {
        let mut slot = self.slot();
        if now.since(slot.arrived) > STILL_FRESH && !slot.stills {
            slot.newest = None;
        }
    }
}
