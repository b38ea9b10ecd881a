//! JPEG pictures in a stream of bytes, whatever stands between them: one right behind the other, in the parts of a multipart
//! body (`multipart/x-mixed-replace`, what cameras call MJPEG over HTTP, and forms), or with rubbish around them.
//!
//! RFC 2046, section 5.1 says how parts should look. What cameras and programs send differs in all of it, so the bytes decide:
//! a picture goes from a start of image to its end of image, by a walk over its markers (a search for `FF D9` is not enough, for
//! thumbnails in headers hold one too). Boundaries and lengths matter where that end is missing: they bound the picture, and if
//! all its blocks are there, it gets its end.

use std::ops::Range;

use memchr::{memchr, memmem};

use crate::frame::Size;
use crate::time::Micros;
use crate::wire::jpeg::{END, JpegError, MayCount, Walk};

/// The longest picture that is looked for, in bytes: what the hub takes unless told otherwise.
pub const MAX_PICTURE: usize = 8 << 20;
/// The longest line between pictures that is read, in bytes. Heads of parts have lines of some fifty.
const MAX_LINE: usize = 512;
/// The longest boundary; RFC 2046 allows 70.
const MAX_BOUNDARY: usize = 200;
/// Other boundaries than before are learned so often at most: streams have one, and what was read is searched again for each.
const MOST_LEARNED: u32 = 8;
/// A shorter boundary, its line end included, is one by chance now and then, unless a line begins with it.
const MIN_BOUNDARY: usize = 6;

/// One picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Jpeg<'a> {
    /// The whole picture, from start of image to end of image.
    pub data: &'a [u8],
    /// Its size by its frame header.
    pub size: Size,
    /// When its first byte was fed.
    pub began: Micros,
}

/// Takes a stream at any split and gives its pictures. Holds one picture and what was fed last at most, and looks at no byte
/// more often than a few times.
#[derive(Debug)]
pub struct Pictures {
    /// The longest picture, in bytes.
    limit: usize,
    bytes: Vec<u8>,
    /// The picture under way; `None` while the next is looked for.
    picture: Option<Walk>,
    /// Where it begins, or where the next may.
    start: usize,
    /// Where the line begins that is under way, between pictures.
    at: usize,
    /// Up to where a boundary was looked for, and where the first one is that was found.
    searched: usize,
    boundary_at: Option<usize>,
    /// How often another boundary was learned.
    learned: u32,
    /// The declared boundary with its dashes; then the line that stood before a part, with its line end. Empty: nobody said.
    boundary: Vec<u8>,
    /// How long the picture is to be, by the head before it; and whether it was looked at when it was that long.
    length: Option<usize>,
    looked: bool,
    /// A head said that a picture comes.
    announced: bool,
    /// Where what was fed last begins, when it came, and when what was fed before it did.
    fresh: usize,
    fed: Micros,
    fed_before: Micros,
    began: Micros,
    broken: u64,
    too_long: bool,
}

impl Default for Pictures {
    /// For pictures of [`MAX_PICTURE`] bytes at most, with nothing known of what is between them.
    fn default() -> Self {
        Self::new("", MAX_PICTURE)
    }
}

impl Pictures {
    /// For a body with this boundary, as the `boundary` parameter of `Content-Type` says it; empty if it does not. A picture has
    /// `limit` bytes at most.
    #[must_use]
    pub fn new(boundary: &str, limit: usize) -> Self {
        let token = boundary.trim().trim_start_matches('-').as_bytes();
        let token = token.get(..MAX_BOUNDARY).unwrap_or(token);
        let boundary = if token.is_empty() { Vec::new() } else { [b"--", token].concat() };
        Self {
            limit,
            bytes: Vec::new(),
            picture: None,
            start: 0,
            at: 0,
            searched: 0,
            boundary_at: None,
            learned: 0,
            boundary,
            length: None,
            looked: false,
            announced: false,
            fresh: 0,
            fed: Micros(0),
            fed_before: Micros(0),
            began: Micros(0),
            broken: 0,
            too_long: false,
        }
    }

    /// How many pictures began and were given up, for they were cut off, no pictures that can be passed on, or too long; or were
    /// announced and did not come.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// The longest picture, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a picture was longer than the limit.
    #[must_use]
    pub fn was_too_long(&self) -> bool {
        self.too_long
    }

    /// Whether the picture that comes is longer than the limit, by the head before it.
    #[must_use]
    pub fn will_be_too_long(&self) -> bool {
        self.length.is_some_and(|length| length > self.limit)
    }

    /// How much memory what is under way takes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back what is kept for what is to come.
    pub fn rest(&mut self) {
        self.bytes.shrink_to(2 * self.bytes.len());
    }

    /// How many bytes the picture that is under way lacks, if it was said how long it is.
    #[must_use]
    pub fn missing(&self) -> usize {
        let here = self.bytes.len().saturating_sub(self.start);
        self.length.map_or(0, |length| length.min(self.limit).saturating_sub(here))
    }

    /// Forgets everything that was fed, as at the beginning of a file; its memory stays.
    pub fn reset(&mut self) {
        let (mut bytes, boundary) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.boundary));
        bytes.clear();
        *self = Self { bytes, boundary, broken: self.broken, ..Self::new("", self.limit) };
    }

    /// Takes more bytes, which came at `now`. Take all pictures out with [`Self::next_picture`] before feeding again.
    pub fn feed(&mut self, bytes: &[u8], now: Micros) {
        if bytes.is_empty() {
            return;
        }
        let needed = if self.picture.is_some() { self.start } else { self.start.min(self.at) };
        let done = needed.min(self.bytes.len());
        // What is kept began with the feed before last, or earlier.
        if self.start.min(self.bytes.len()) >= self.fresh {
            self.fed_before = self.fed;
        }
        if done > 0 {
            self.bytes.drain(..done);
            self.start -= done;
            self.at = self.at.saturating_sub(done);
            self.searched = self.searched.saturating_sub(done);
            self.boundary_at = self.boundary_at.and_then(|at| at.checked_sub(done));
        }
        self.fresh = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.fed = now;
    }

    /// The next whole picture; `None` when more bytes are needed.
    pub fn next_picture(&mut self, may_count: MayCount<'_>) -> Option<Jpeg<'_>> {
        let (range, size) = loop {
            if let Some(walk) = self.picture.take() {
                if let Some(found) = self.go_on(walk, may_count) {
                    break found;
                }
                if self.picture.is_some() {
                    return None;
                }
            }
            self.seek()?;
        };
        Some(self.give(range, size))
    }

    /// The last picture, now that nothing comes any more, if it is whole but for its end of image.
    pub fn last_picture(&mut self, may_count: MayCount<'_>) -> Option<Jpeg<'_>> {
        let mut walk = self.picture.take()?;
        let end = self.next_boundary().unwrap_or(self.bytes.len());
        let rest = self.bytes.get(self.start..end).unwrap_or_default();
        // It waited for the rest of what might have been a boundary.
        if walk.passed() <= rest.len()
            && let Ok(Some(layout)) = walk.resume(rest)
            && layout.end <= self.limit
        {
            return Some(self.give(self.start..self.start + layout.end, layout.header.size));
        }
        match self.without_end(&walk, end, may_count) {
            Some((range, size)) => Some(self.give(range, size)),
            None => {
                self.give_up(end);
                None
            }
        }
    }

    /// The picture that is under way, if it is whole up to here but for its end of image.
    pub fn whole_so_far(&mut self, may_count: MayCount<'_>) -> Option<Jpeg<'_>> {
        let walk = self.picture.take()?;
        match self.without_end(&walk, self.bytes.len(), may_count) {
            Some((range, size)) => Some(self.give(range, size)),
            None => {
                self.picture = Some(walk);
                None
            }
        }
    }

    fn give(&mut self, range: Range<usize>, size: Size) -> Jpeg<'_> {
        (self.start, self.at) = (range.end, range.end);
        (self.length, self.looked, self.announced) = (None, false, false);
        Jpeg { data: self.bytes.get(range).unwrap_or_default(), size, began: self.began }
    }

    /// To the next start of image, past the lines before it. `None`: more bytes are needed.
    fn seek(&mut self) -> Option<()> {
        // A third byte tells a picture from two bytes of noise: every picture goes on with a marker.
        let found = memmem::find(self.bytes.get(self.start..).unwrap_or_default(), &[0xff, 0xd8, 0xff]);
        let until = found.map_or(self.bytes.len(), |at| self.start + at);
        while let Some(end) = memchr(b'\n', self.bytes.get(self.at..until).unwrap_or_default()) {
            let line = self.at..self.at + end + 1;
            self.at = line.end;
            self.read_line(line.end.saturating_sub(MAX_LINE).max(line.start)..line.end);
        }
        if found.is_none() {
            // What may be the beginning of a start of image is kept, and nothing else: it tells when the picture began.
            let rest = self.bytes.get(self.start..until).unwrap_or_default();
            self.start = until - if rest.ends_with(&[0xff, 0xd8]) { 2 } else { usize::from(rest.ends_with(&[0xff])) };
            // No more of a line than could matter for a boundary at its end.
            self.at = self.at.max(until.saturating_sub(MAX_LINE));
            return None;
        }
        self.start = until;
        self.at = until;
        self.began = if until < self.fresh { self.fed_before } else { self.fed };
        self.picture = Some(Walk::default());
        Some(())
    }

    /// A line between two pictures: a boundary, a field of a part's head, or rubbish.
    fn read_line(&mut self, line: Range<usize>) {
        let line = self.bytes.get(line).unwrap_or_default();
        let text = line.trim_ascii_end();
        let token = self.boundary.trim_ascii().get(2..).unwrap_or_default();
        let is_token = !token.is_empty() && text.eq_ignore_ascii_case(token);
        let dashed = match memmem::find(text, self.boundary.trim_ascii_end()) {
            // Rubbish, or the rest of a picture, may stand before it.
            Some(at) if !self.boundary.is_empty() => Some(at),
            _ => (is_token || text.len() > 2 && text.starts_with(b"--")).then_some(0),
        };
        if let Some(at) = dashed {
            self.broken += u64::from(self.announced);
            (self.length, self.looked, self.announced) = (None, false, false);
            let is_last = text.len() > 4 && text.ends_with(b"--");
            let line = line.get(at..).unwrap_or_default();
            let is_new = !is_last && text.len() - at <= MAX_BOUNDARY && self.boundary != line;
            if is_new && self.learned < MOST_LEARNED {
                self.boundary = line.to_vec();
                self.learned += 1;
                (self.searched, self.boundary_at) = (0, None);
            }
        } else if let Some(length) = field(text, b"content-length") {
            let length = std::str::from_utf8(length).ok().and_then(|length| length.parse::<u64>().ok());
            let length = length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
            self.length = length.filter(|length| *length > 0);
            self.announced |= self.length.is_some();
        } else if let Some(kind) = field(text, b"content-type") {
            self.announced = kind.get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case(b"image/"));
        }
    }

    /// Goes on with the picture under way: where it lies if it is whole. `None` also when it was given up.
    fn go_on(&mut self, mut walk: Walk, may_count: MayCount<'_>) -> Option<(Range<usize>, Size)> {
        // What stands behind a boundary belongs to another part, an end of image as well.
        let boundary = self.next_boundary();
        let end = boundary.unwrap_or(self.bytes.len());
        let rest = self.bytes.get(self.start..end).unwrap_or_default();
        let here = rest.len();
        // The beginning of a boundary may have been taken for data before it was whole.
        let step = if walk.passed() > here { Ok(None) } else { walk.resume(rest) };
        let decided = match &step {
            Ok(Some(layout)) => Some(layout.end),
            Ok(None) => None,
            Err(_) => Some(walk.passed()),
        };
        if boundary.is_none() && decided.is_some_and(|end| self.may_hold_boundary(self.start + end)) {
            // What comes decides whether the picture ends before, so that it does not matter how the bytes were split.
            self.picture = Some(walk);
            return None;
        }
        match step {
            Ok(Some(layout)) if layout.end <= self.limit => {
                Some((self.start..self.start + layout.end, layout.header.size))
            }
            Ok(None) if boundary.is_some() => self.without_end(&walk, end, may_count).or_else(|| self.give_up(end)),
            Ok(None) if walk.passed() <= self.limit => {
                if let Some(length) = self.length.filter(|length| !self.looked && *length <= here) {
                    self.looked = true;
                    if let Some(found) = self.without_end(&walk, self.start + length, may_count) {
                        return Some(found);
                    }
                }
                self.picture = Some(walk);
                None
            }
            Ok(_) => {
                self.too_long = true;
                self.give_up(self.start + walk.passed())
            }
            // A second start of image right behind the first: the picture begins there.
            Err(JpegError::Interrupted) if walk.passed() == 2 => {
                (self.start, self.at) = (self.start + 2, self.start + 2);
                None
            }
            Err(_) => {
                let end = self.start + walk.passed();
                self.without_end(&walk, end, may_count).or_else(|| self.give_up(end))
            }
        }
    }

    /// The picture under way, which ends at `end` at the latest, with an end of image put in if all its blocks are there.
    fn without_end(&mut self, walk: &Walk, end: usize, may_count: MayCount<'_>) -> Option<(Range<usize>, Size)> {
        let layout = walk.without_end(self.bytes.get(self.start..end)?, may_count)?;
        let end = self.start + layout.end;
        self.bytes.splice(end..end, END);
        if end <= self.fresh {
            self.fresh += END.len();
        }
        self.searched = self.searched.max(end) + END.len();
        self.boundary_at = self.boundary_at.map(|at| if at >= end { at + END.len() } else { at });
        Some((self.start..end + END.len(), layout.header.size))
    }

    /// Nothing becomes of the picture under way; what comes next begins at `at` at the earliest.
    fn give_up(&mut self, at: usize) -> Option<(Range<usize>, Size)> {
        self.broken += 1;
        (self.start, self.at) = (at.max(self.start + 2), at.max(self.start + 2));
        (self.length, self.looked, self.announced) = (None, false, false);
        None
    }

    /// Where the first boundary line behind the beginning of the picture begins. No byte is searched twice.
    fn next_boundary(&mut self) -> Option<usize> {
        if self.boundary.is_empty() {
            return None;
        }
        if let Some(at) = self.boundary_at.filter(|at| *at >= self.start) {
            return Some(at);
        }
        let from = self.searched.max(self.start);
        let found = if self.boundary.len() < MIN_BOUNDARY {
            // A line must begin with it.
            let from = from.saturating_sub(1).max(self.start);
            let needle = [b"\n", &self.boundary[..]].concat();
            memmem::find(self.bytes.get(from..).unwrap_or_default(), &needle).map(|at| from + at + 1)
        } else {
            memmem::find(self.bytes.get(from..).unwrap_or_default(), &self.boundary).map(|at| from + at)
        };
        self.boundary_at = found;
        // All but the last byte of it may be here.
        self.searched = found.map_or(self.bytes.len().saturating_sub(self.boundary.len()), |at| at + 1).max(from);
        found
    }

    /// Whether a boundary may have begun before `end` whose last byte has not come.
    fn may_hold_boundary(&self, end: usize) -> bool {
        let first = (self.bytes.len() + 1).saturating_sub(self.boundary.len()).max(self.start);
        (first..end).any(|at| self.boundary.starts_with(self.bytes.get(at..).unwrap_or_default()))
    }
}

/// The value of a head's line, if it is a field of this name.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (said, value) = line.split_at_checked(memchr(b':', line)?)?;
    said.trim_ascii().eq_ignore_ascii_case(name).then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

/// The `boundary` parameter of a `Content-Type` value when it is multipart: `Some("")` when it has none.
#[must_use]
pub fn boundary_of(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().get(..10)?.eq_ignore_ascii_case("multipart/") {
        return None;
    }
    // A quoted boundary may hold a semicolon, so the parameters cannot simply be split at them.
    let lower = parameters.to_ascii_lowercase();
    let Some(at) = lower.find("boundary") else { return Some(String::new()) };
    let Some(value) = parameters.get(at + 8..).and_then(|v| v.trim_start().strip_prefix('=')) else {
        return Some(String::new());
    };
    let value = value.trim_start();
    let boundary = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([';', ' ', '\t']).next(),
    };
    Some(boundary.unwrap_or_default().to_owned())
}

#[cfg(test)]
pub(crate) mod tests;
