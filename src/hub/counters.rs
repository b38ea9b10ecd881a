//! What is counted for every viewer and stream on the way of a picture: atomics, so that asking costs the pictures
//! nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::frame::Picture;
use crate::time::{Micros, micros};

/// Upper bounds of the age histogram's buckets, in milliseconds; one more without bound follows.
pub(super) const AGE_BUCKETS: [u64; 12] = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

/// One viewer.
#[derive(Debug)]
pub(super) struct ViewerNumbers {
    pub(super) address: SocketAddr,
    pub(super) speaks: &'static str,
    pub(super) since: Micros,
    pub(super) pictures: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) skipped: AtomicU64,
    /// Age of the last picture when its first byte was given to the kernel, in microseconds.
    pub(super) age: AtomicU64,
    /// Quality and rung of the last picture: `quality << 8 | rung`.
    pub(super) rung: AtomicU32,
    /// Pictures in a thousand seconds, over the last second.
    pub(super) fps: AtomicU32,
    /// When that was last worked out, and how many pictures there were.
    counted: Mutex<(Micros, u64)>,
}

impl ViewerNumbers {
    pub(super) fn new(address: SocketAddr, speaks: &'static str, since: Micros) -> Self {
        Self {
            address,
            speaks,
            since,
            pictures: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            age: AtomicU64::new(0),
            rung: AtomicU32::new(0),
            fps: AtomicU32::new(0),
            counted: Mutex::new((since, 0)),
        }
    }

    /// What the viewer was given so far, told ten times a second; once a second, works out the pictures a second.
    pub(super) fn tick(&self, metrics: &Metrics, now: Micros) {
        self.pictures.store(metrics.pictures, Ordering::Relaxed);
        self.bytes.store(metrics.bytes, Ordering::Relaxed);
        self.skipped.store(metrics.skipped, Ordering::Relaxed);
        self.age.store(metrics.age, Ordering::Relaxed);
        self.rung.store(metrics.rung, Ordering::Relaxed);
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.since(counted.0);
        if since >= Duration::from_secs(1) {
            let pictures = metrics.pictures;
            let millihertz = (pictures - counted.1) as f64 * 1000.0 / since.as_secs_f64();
            self.fps.store(millihertz as u32, Ordering::Relaxed);
            *counted = (now, pictures);
        }
    }
}

/// All viewers of a stream, those that have gone included.
#[derive(Debug, Default)]
pub(super) struct StreamNumbers {
    pub(super) sent: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) ages: [AtomicU64; AGE_BUCKETS.len() + 1],
    pub(super) age_sum: AtomicU64,
    pub(super) audio: AudioNumbers,
    viewers: Mutex<Vec<Arc<ViewerNumbers>>>,
}

/// The packets of a stream's sound.
#[derive(Debug, Default)]
pub(super) struct AudioNumbers {
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    /// That the publisher had no room for.
    pub(super) left_out: AtomicU64,
    /// That were too old for a listener when it could take them, of all listeners together.
    pub(super) lost: AtomicU64,
}

impl StreamNumbers {
    /// A packet of sound came, and its publisher left so many out before it.
    pub(super) fn got_audio(&self, left_out: u64) {
        self.audio.received.fetch_add(1, Ordering::Relaxed);
        self.audio.left_out.fetch_add(left_out, Ordering::Relaxed);
    }

    /// A listener was given a packet of sound, and so many before it were too old.
    pub(super) fn sent_audio(&self, lost: u64) {
        self.audio.sent.fetch_add(1, Ordering::Relaxed);
        self.audio.lost.fetch_add(lost, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ViewerNumbers>>> {
        self.viewers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn viewers(&self) -> Vec<Arc<ViewerNumbers>> {
        self.lock().clone()
    }

    pub(super) fn join(&self, viewer: Arc<ViewerNumbers>) {
        self.lock().push(viewer);
    }

    pub(super) fn leave(&self, viewer: &Arc<ViewerNumbers>) {
        self.lock().retain(|v| !Arc::ptr_eq(v, viewer));
    }

    /// What a loop has given out.
    pub(super) fn add(&self, deliveries: &Deliveries) {
        let add = |n: &AtomicU64, by: u64| {
            if by > 0 {
                n.fetch_add(by, Ordering::Relaxed);
            }
        };
        add(&self.sent, deliveries.sent);
        add(&self.bytes, deliveries.bytes);
        add(&self.skipped, deliveries.skipped);
        add(&self.age_sum, deliveries.age_sum);
        for (n, by) in self.ages.iter().zip(deliveries.ages) {
            add(n, by);
        }
    }
}

/// What one loop gives out of a stream in one turn. The stream is told the sums: if each picture were, the loops would
/// wait for each other.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    sent: u64,
    bytes: u64,
    skipped: u64,
    ages: [u64; AGE_BUCKETS.len() + 1],
    age_sum: u64,
}

/// What the loop counts of one connection: a viewer's pictures given, or a publisher's taken.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) pictures: u64,
    pub(super) bytes: u64,
    pub(super) skipped: u64,
    pub(super) errors: u64,
    /// Pictures of a publisher that no viewer got.
    pub(super) dropped: u64,
    pub(super) age_sum: Duration,
    /// Of the last picture, as [`ViewerNumbers`] has them.
    age: u64,
    rung: u32,
}

impl Deliveries {
    /// A viewer was given a picture, and `skipped` were left out before it.
    pub(super) fn sent(&mut self, viewer: &mut Metrics, picture: &Picture, skipped: u64, now: Micros) {
        let span = now.since(picture.captured);
        let (age, bytes) = (micros(span), picture.length() as u64);
        self.sent += 1;
        self.bytes += bytes;
        self.skipped += skipped;
        self.age_sum += age;
        let bucket = AGE_BUCKETS.iter().position(|limit| age <= limit * 1000).unwrap_or(AGE_BUCKETS.len());
        self.ages[bucket] += 1;
        viewer.pictures += 1;
        viewer.bytes += bytes;
        viewer.skipped += skipped;
        viewer.age_sum += span;
        viewer.age = age;
        viewer.rung = u32::from(picture.quality) << 8 | u32::from(picture.rung);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_a_second_are_those_of_the_last_one() {
        let (mut deliveries, mut metrics, at) =
            (Deliveries::default(), Metrics::default(), |ms: u64| Micros(ms * 1000));
        let viewer = ViewerNumbers::new(SocketAddr::from(([127, 0, 0, 1], 1)), "room", at(0));
        for n in 0..60 {
            deliveries.sent(&mut metrics, &Picture::default(), 0, at(n * 33));
            viewer.tick(&metrics, at(n * 33));
        }
        assert!((29_000..32_000).contains(&viewer.fps.load(Ordering::Relaxed)), "{viewer:?}");
        viewer.tick(&metrics, at(4000));
        viewer.tick(&metrics, at(5000));
        assert_eq!(viewer.fps.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_bytes_of_a_picture_are_those_of_its_metadata_too() {
        let (mut deliveries, mut viewer, numbers) =
            (Deliveries::default(), Metrics::default(), StreamNumbers::default());
        let picture = Picture { data: vec![0xff; 100].into(), metadata: Some("[1,2]".into()), ..Picture::default() };
        deliveries.sent(&mut viewer, &picture, 0, Micros(0));
        numbers.add(&deliveries);
        assert_eq!((viewer.bytes, numbers.bytes.load(Ordering::Relaxed)), (105, 105));
    }

    #[test]
    fn every_age_has_its_bucket() {
        let (numbers, mut viewer) = (StreamNumbers::default(), Metrics::default());
        for age in [0, 1000, 1001, 4_000_000, 60_000_000] {
            let mut deliveries = Deliveries::default();
            deliveries.sent(&mut viewer, &Picture::default(), 1, Micros(age));
            numbers.add(&deliveries);
        }
        let counts = numbers.ages.each_ref().map(|n| n.load(Ordering::Relaxed));
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(numbers.skipped.load(Ordering::Relaxed), 5);
    }
}
