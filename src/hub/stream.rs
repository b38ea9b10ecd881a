//! A stream on the hot path: its newest picture, and which loops have somebody to give it to.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::frame::Picture;
use crate::room::Numbering;
use crate::time::Micros;

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
}

impl Stream {
    pub(super) fn new(id: u64, loops: usize) -> Self {
        Self {
            id,
            slot: Mutex::default(),
            loops: (0..loops).map(|_| Interest::default()).collect(),
            pictures: AtomicU64::new(0),
            lost: AtomicU64::new(0),
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
    }

    /// Puts a picture in, numbers it, and returns the loops that must be told.
    pub(super) fn put(&self, mut picture: Picture, now: Micros) -> impl Iterator<Item = usize> {
        let mut slot = self.slot();
        let (number, lost) = slot.numbering.number(picture.sequence);
        picture.sequence = number;
        slot.newest = Some(Arc::new(picture));
        slot.arrived = now;
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
        if now.since(slot.arrived) > STILL_FRESH {
            slot.newest = None;
        }
    }
}
