//! Where one JPEG picture ends and the next begins, in a stream of them (ITU-T T.81, annex B).
//!
//! A search for `FF D9` is not enough: thumbnails in a header hold one too. So the markers are walked, by the same
//! [`Walk`] that judges single pictures; here it is begun anew wherever a picture may begin.

use std::ops::Range;

use crate::frame::Size;
use crate::time::Micros;
use crate::wire::jpeg::{JpegError, Walk};

/// The longest picture that is looked for, in bytes: what the hub takes.
pub const MAX_PICTURE: usize = 8 << 20;

/// A whole picture that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it lies in the bytes.
    pub range: Range<usize>,
    /// Its size by its frame header.
    pub size: Size,
}

/// Walks bytes that grow at their end, and never looks at a byte twice (but for a few around its position), so that
/// no input costs more than its length.
#[derive(Clone, Debug)]
pub struct Walker {
    /// The longest picture, in bytes.
    limit: usize,
    /// The picture under way; `None` while the next is looked for.
    picture: Option<Walk>,
    /// Where it begins, or where the next may.
    start: usize,
    broken: u64,
}

impl Default for Walker {
    /// For pictures of [`MAX_PICTURE`] bytes at most.
    fn default() -> Self {
        Self { limit: MAX_PICTURE, picture: None, start: 0, broken: 0 }
    }
}

impl Walker {
    /// For a picture of `limit` bytes at most that is known to begin at `at`: the two bytes there are its start of image.
    #[must_use]
    pub fn in_picture_at(at: usize, limit: usize) -> Self {
        Self { limit, picture: Some(Walk::default()), start: at, broken: 0 }
    }

    /// The first byte that is still needed. What lies before it may be thrown away: see [`Self::forget`].
    #[must_use]
    pub fn needed_from(&self) -> usize {
        self.start
    }

    /// The first `count` bytes, none of them needed, are gone and the rest has moved to the front.
    pub fn forget(&mut self, count: usize) {
        self.start = self.start.saturating_sub(count);
    }

    /// Whether the beginning of a picture was seen and its end was not.
    #[must_use]
    pub fn in_picture(&self) -> bool {
        self.picture.is_some()
    }

    /// How many pictures began and were given up: cut off, nothing that can be passed on, or too long.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// The next whole picture in `bytes`, which hold all that an earlier call saw and more behind it; `None` when more
    /// bytes are needed.
    pub fn step(&mut self, bytes: &[u8]) -> Option<Found> {
        loop {
            if let Some(found) = self.finish(bytes) {
                return Some(found);
            }
            if self.in_picture() {
                return None;
            }
            self.seek(bytes)?;
        }
    }

    /// As [`Self::step`], but only for the picture under way: `None` also when it was given up and
    /// [`Self::in_picture`] is no longer true.
    pub fn finish(&mut self, bytes: &[u8]) -> Option<Found> {
        let mut walk = self.picture.take()?;
        loop {
            match walk.resume(bytes.get(self.start..).unwrap_or_default()) {
                Ok(Some(layout)) if layout.end <= self.limit => {
                    let range = self.start..self.start + layout.end;
                    self.start = range.end;
                    return Some(Found { range, size: layout.header.size });
                }
                Ok(None) if walk.passed() <= self.limit => {
                    self.picture = Some(walk);
                    return None;
                }
                result => {
                    self.broken += 1;
                    self.start += walk.passed();
                    if result != Err(JpegError::Interrupted) {
                        return None;
                    }
                    // The picture was cut off and the next one is here.
                    walk = Walk::default();
                }
            }
        }
    }

    /// To the next start of image. `None`: more bytes are needed.
    fn seek(&mut self, bytes: &[u8]) -> Option<()> {
        // A third byte tells a picture from two bytes of noise: every picture goes on with a marker.
        let rest = bytes.get(self.start..).unwrap_or_default();
        let Some(at) = rest.windows(3).position(|w| w == [0xff, 0xd8, 0xff]) else {
            self.start = self.start.max(bytes.len().saturating_sub(2));
            return None;
        };
        self.start += at;
        self.picture = Some(Walk::default());
        Some(())
    }
}

/// Where the first picture in `bytes` ends, when they begin with one and it is whole. Cameras hand out buffers with
/// older data behind the end.
#[must_use]
pub fn first_picture(bytes: &[u8]) -> Option<Found> {
    if !bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return None;
    }
    let mut walker = Walker::default();
    walker.step(bytes).filter(|found| found.range.start == 0)
}

/// One picture from a [`JpegSplitter`].
#[derive(Debug, PartialEq, Eq)]
pub struct SplitJpeg<'a> {
    /// The whole picture, from start of image to end of image.
    pub data: &'a [u8],
    /// Its size by its frame header; zero where that is missing.
    pub size: Size,
    /// When its first bytes were fed.
    pub began: Micros,
}

/// Concatenated JPEG pictures in, single pictures out, with garbage between them skipped. Holds [`MAX_PICTURE`] and
/// what was fed last at most.
#[derive(Debug, Default)]
pub struct JpegSplitter {
    bytes: Vec<u8>,
    walker: Walker,
    began: Micros,
    fed: Micros,
}

impl JpegSplitter {
    /// Takes more bytes, which came at `now`. Take all pictures out with [`Self::next_picture`] before feeding again.
    pub fn feed(&mut self, bytes: &[u8], now: Micros) {
        let done = self.walker.needed_from().min(self.bytes.len());
        if done > 0 {
            self.bytes.drain(..done);
            self.walker.forget(done);
        }
        self.bytes.extend_from_slice(bytes);
        self.fed = now;
    }

    /// The next whole picture; `None` when more bytes are needed.
    pub fn next_picture(&mut self) -> Option<SplitJpeg<'_>> {
        let (before, broken) = (self.walker.in_picture(), self.walker.broken());
        let found = self.walker.step(&self.bytes);
        let continued = before && broken == self.walker.broken();
        let began = if continued { self.began } else { self.fed };
        // What is under way now began with what was fed last, unless it is still the same picture.
        self.began = if continued && found.is_none() { self.began } else { self.fed };
        found.map(|f| SplitJpeg { data: self.bytes.get(f.range).unwrap_or_default(), size: f.size, began })
    }

    /// How many pictures began and were given up.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.walker.broken()
    }

    /// Forgets everything that was fed, as at the beginning of a file.
    pub fn reset(&mut self) {
        self.bytes.clear();
        self.walker = Walker { broken: self.walker.broken, ..Walker::default() };
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A picture by its markers alone: a header with a thumbnail's end of image in it, a size, a scan with a stuffed
    /// byte and a restart marker.
    pub(crate) fn picture(width: u16, scan: &[u8]) -> Vec<u8> {
        let mut p = vec![0xff, 0xd8, 0xff, 0xe1, 0, 8, 0xff, 0xd8, 0xff, 0xd9, 1, 2];
        p.extend([0xff, 0xc0, 0, 11, 8, 0, 48]);
        p.extend(width.to_be_bytes());
        p.extend([1, 1, 0x11, 0]);
        p.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
        for &b in scan {
            p.push(b);
            if b == 0xff {
                p.push(0);
            }
        }
        p.extend([0xff, 0x00, 0xff, 0xd3, 7, 0xff, 0xff, 0xd9]);
        p
    }

    fn split(chunks: &[&[u8]]) -> Vec<(Vec<u8>, Micros)> {
        let mut splitter = JpegSplitter::default();
        let mut out = Vec::new();
        for (i, chunk) in chunks.iter().enumerate() {
            splitter.feed(chunk, Micros(i as u64));
            while let Some(p) = splitter.next_picture() {
                out.push((p.data.to_vec(), p.began));
            }
        }
        out
    }

    #[test]
    fn pictures_are_found_between_garbage_at_every_split() {
        let (a, b) = (picture(64, b"first"), picture(80, &[0xff; 40]));
        let mut all = b"garbage \xff\xd8 \xff".to_vec();
        all.extend(&a);
        all.extend(b"--boundary\r\n");
        all.extend(&b);
        all.extend(&a);
        all.push(0xff);
        for cut in 0..all.len() {
            let (x, y) = all.split_at(cut);
            let got: Vec<_> = split(&[x, y]).into_iter().map(|(p, _)| p).collect();
            assert_eq!(got, [a.clone(), b.clone(), a.clone()], "cut at {cut}");
        }
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(split(&single).len(), 3);
    }

    #[test]
    fn the_size_is_read_and_data_behind_the_end_is_left_out() {
        let mut bytes = picture(640, b"x");
        let end = bytes.len();
        bytes.extend(b"older data \xff\xd9");
        assert_eq!(first_picture(&bytes), Some(Found { range: 0..end, size: Size::new(640, 48) }));
        assert_eq!(first_picture(&bytes[..end - 1]), None);
        assert_eq!(first_picture(&bytes[1..]), None);
    }

    #[test]
    fn a_picture_that_was_cut_off_costs_only_itself() {
        let (a, b) = (picture(64, b"cut off here"), picture(64, b"whole"));
        let mut all = a[..a.len() - 9].to_vec();
        all.extend(&b);
        let mut splitter = JpegSplitter::default();
        splitter.feed(&all, Micros(1));
        assert_eq!(splitter.next_picture().map(|p| p.data.to_vec()), Some(b));
        assert_eq!(splitter.broken(), 1);
    }

    #[test]
    fn a_pictures_time_is_that_of_its_first_byte() {
        let (a, b) = (picture(64, b"a"), picture(64, b"b"));
        let mut second = a[20..].to_vec();
        second.extend(&b[..20]);
        let got = split(&[&a[..20], &second, &b[20..], &a]);
        let times: Vec<u64> = got.iter().map(|(_, t)| t.0).collect();
        assert_eq!(times, [0, 1, 3]);
    }

    #[test]
    fn a_picture_without_end_is_given_up_and_memory_stays_bounded() {
        let mut splitter = JpegSplitter::default();
        let head = picture(64, b"");
        splitter.feed(&head[..head.len() - 2], Micros(0));
        let chunk = vec![7u8; 1 << 20];
        for i in 0..40 {
            splitter.feed(&chunk, Micros(i));
            assert_eq!(splitter.next_picture(), None);
            assert!(splitter.bytes.len() <= MAX_PICTURE + 2 * chunk.len());
        }
        assert_eq!(splitter.broken(), 1);
        splitter.feed(&head, Micros(99));
        assert!(splitter.next_picture().is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_same_at_any_split(bytes in proptest::collection::vec(
            prop_oneof![Just(0xffu8), Just(0xd8), Just(0xd9), Just(0xda), Just(0), Just(4), any::<u8>()], 0..400), cut in 0usize..400) {
            let (x, y) = bytes.split_at(cut.min(bytes.len()));
            let whole: Vec<_> = split(&[&bytes]).into_iter().map(|p| p.0).collect();
            let halves: Vec<_> = split(&[x, y]).into_iter().map(|p| p.0).collect();
            prop_assert_eq!(whole, halves);
        }
    }
}
