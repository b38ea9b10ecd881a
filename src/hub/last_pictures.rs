//! The last picture of each stream, kept for a while after it was taken, for who would rather have an old one than none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::frame::Picture;
use crate::names::StreamKey;
use crate::time::Micros;

/// Bytes of all of them at most, and how many there are; the oldest goes first.
const MOST: usize = 64 << 20;
const MOST_PICTURES: usize = 1024;
/// What a picture takes beside its bytes, at most about.
const BESIDE: usize = 512;

/// The pictures. Nothing is kept where no age is allowed.
#[derive(Debug)]
pub(super) struct LastPictures {
    allowed: Duration,
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    pictures: HashMap<StreamKey, Arc<Picture>>,
    bytes: usize,
}

impl Kept {
    fn remove(&mut self, key: &StreamKey) {
        self.bytes -= self.pictures.remove(key).map_or(0, |picture| cost(key, &picture));
    }
}

/// Bytes that keeping a picture takes at most, its base64 included, which may be made as long as it is kept.
fn cost(key: &StreamKey, picture: &Picture) -> usize {
    picture.length() + picture.data.len().div_ceil(3) * 4 + key.room.len() + key.name.len() + BESIDE
}

impl LastPictures {
    /// A picture may be so old and no older.
    pub(super) fn new(allowed: Duration) -> Self {
        Self { allowed, most: MOST, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any age is allowed.
    pub(super) fn is_on(&self) -> bool {
        !self.allowed.is_zero()
    }

    /// The newest picture of a stream.
    pub(super) fn put(&self, key: &StreamKey, picture: Arc<Picture>) {
        let mut kept = self.kept();
        kept.remove(key);
        kept.bytes += cost(key, &picture);
        kept.pictures.insert(key.clone(), picture);
        while kept.bytes > self.most || kept.pictures.len() > MOST_PICTURES {
            let oldest = kept.pictures.iter().min_by_key(|(_, picture)| picture.captured).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            kept.remove(&oldest);
        }
    }

    /// The last picture of a stream, unless it is too old.
    pub(super) fn get(&self, key: &StreamKey, now: Micros) -> Option<Arc<Picture>> {
        self.kept().pictures.get(key).filter(|picture| self.allows(picture, now)).cloned()
    }

    /// Forgets those that are too old.
    pub(super) fn sweep(&self, now: Micros) {
        let mut kept = self.kept();
        let old: Vec<_> =
            kept.pictures.iter().filter(|(_, p)| !self.allows(p, now)).map(|(key, _)| key.clone()).collect();
        old.iter().for_each(|key| kept.remove(key));
    }

    fn allows(&self, picture: &Picture, now: Micros) -> bool {
        now.since(picture.captured) <= self.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(second: u64, bytes: usize) -> Arc<Picture> {
        Arc::new(Picture { captured: at(second), data: vec![0; bytes].into(), ..Picture::default() })
    }

    /// How many there are, and their bytes.
    fn held(last: &LastPictures) -> (usize, usize) {
        let kept = last.kept();
        (kept.pictures.len(), kept.bytes)
    }

    fn at(second: u64) -> Micros {
        Micros(second * 1_000_000)
    }

    #[test]
    fn the_last_picture_is_given_until_it_is_too_old_and_kept_no_longer() {
        let (last, door) = (LastPictures::new(Duration::from_secs(60)), StreamKey::new("main", "door"));
        [1, 2].iter().for_each(|second| last.put(&door, picture(*second, 10)));
        assert_eq!(last.get(&door, at(62)).unwrap().captured, at(2));
        assert!(last.get(&door, at(63)).is_none() && last.get(&StreamKey::new("main", "gate"), at(3)).is_none());
        last.sweep(at(62));
        assert_eq!(held(&last), (1, 10 + 16 + 8 + BESIDE));
        last.sweep(at(63));
        assert_eq!(held(&last), (0, 0));
    }

    #[test]
    fn however_many_streams_there_were_they_take_so_many_bytes_and_the_oldest_goes_first() {
        let last = LastPictures { most: 3 * (30 + 40 + 7 + BESIDE), ..LastPictures::new(Duration::from_secs(60)) };
        let key = |n: u64| StreamKey::new("main", format!("s{n}"));
        (0..20).for_each(|n| last.put(&key(n), picture(n, 30)));
        let there: Vec<_> = (0..20).filter(|n| last.get(&key(*n), at(20)).is_some()).collect();
        assert_eq!(there, [17, 18, 19]);
        last.put(&key(20), picture(20, 2000));
        assert_eq!(held(&last), (0, 0), "one that is too large by itself");
        // Metadata count, and so do pictures of next to nothing.
        let last = LastPictures::new(Duration::from_secs(60));
        (0..2000).for_each(|n| last.put(&key(n), picture(n / 100, 1)));
        assert_eq!(held(&last).0, MOST_PICTURES);
        let metadata = Some("x".repeat(60_000).into());
        let large =
            |n: u64| Arc::new(Picture { captured: at(30 + n), metadata: metadata.clone(), ..Picture::default() });
        (0..1200).for_each(|n| last.put(&key(n), large(n)));
        assert!((60_000_000..=MOST).contains(&held(&last).1), "{:?}", held(&last));
    }
}
