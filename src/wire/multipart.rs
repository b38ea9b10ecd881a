//! The parts of a `multipart/x-mixed-replace` body: what cameras call MJPEG over HTTP.
//!
//! RFC 2046, section 5.1 says how it should look. What cameras send differs, so this reads leniently: with and without
//! `Content-Length`; lines that end with LF alone; a boundary declared with leading dashes or without, not sent with
//! dashes at all, or not declared; a boundary that follows the picture with no line end between. A picture without a
//! length is over at its JPEG end already, not only when the next boundary comes, which many cameras send no sooner
//! than the next picture.

use thiserror::Error;

use super::WireError;
use crate::time::Micros;
use crate::wire::jpeg_split::Walker;

/// The longest head of a part, in bytes. Cameras send under 200.
pub const MAX_HEAD: usize = 8192;
/// The longest boundary that is looked for; RFC 2046 allows 70.
const MAX_BOUNDARY: usize = 200;

/// Why the parts cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MultipartError {
    /// The head of a part is longer than [`MAX_HEAD`].
    #[error("the head of a part is longer than {MAX_HEAD} bytes")]
    HeadTooLong,
    /// A part is longer than the limit, which is in bytes.
    #[error("a part is longer than {0} bytes")]
    PartTooLong(usize),
}

impl From<MultipartError> for WireError {
    fn from(why: MultipartError) -> Self {
        Self::Body(413, why.to_string())
    }
}

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its bytes, without head and boundary.
    pub body: &'a [u8],
    /// When the first byte of the body was fed.
    pub began: Micros,
}

#[derive(Debug)]
enum State {
    /// Looking for the line with the boundary.
    Boundary,
    /// In the head: the length that it said so far.
    Head(Option<usize>),
    /// At the beginning of the body.
    Body(Option<usize>),
    /// In a body of a length that nobody said: a JPEG, whose end tells.
    Jpeg(Walker),
    /// In another body of unknown length: the boundary ends it.
    Open,
}

/// Takes a multipart body at any split and gives its parts. Holds one part and what was fed last at most.
#[derive(Debug)]
pub struct Multipart {
    /// The boundary without its leading dashes; empty when nobody said it.
    token: Vec<u8>,
    /// The longest part.
    limit: usize,
    bytes: Vec<u8>,
    /// The first byte that is still needed.
    from: usize,
    /// The next byte to look at, so that none is looked at twice.
    at: usize,
    /// Where the head under way began, or how much of it went by.
    head: usize,
    state: State,
    began: Micros,
    fed: Micros,
    broken: u64,
}

impl Multipart {
    /// For a body with this boundary, as the `boundary` parameter of `Content-Type` says it; empty if it does not. A part has
    /// `limit` bytes at most.
    #[must_use]
    pub fn new(boundary: &str, limit: usize) -> Self {
        let mut token = boundary.trim().trim_start_matches('-').as_bytes().to_vec();
        token.truncate(MAX_BOUNDARY);
        Self {
            token,
            limit,
            bytes: Vec::new(),
            from: 0,
            at: 0,
            head: 0,
            state: State::Boundary,
            began: Micros(0),
            fed: Micros(0),
            broken: 0,
        }
    }

    /// How many parts began and were given up, because their JPEG was cut off.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken
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

    /// How many bytes the part that is under way lacks, if it said how long it is.
    #[must_use]
    pub fn missing(&self) -> usize {
        match self.state {
            State::Body(Some(length)) => length.saturating_sub(self.bytes.len().saturating_sub(self.from)),
            _ => 0,
        }
    }

    /// Takes more bytes, which came at `now`. Take all parts out with [`Self::next_part`] before feeding again.
    pub fn feed(&mut self, bytes: &[u8], now: Micros) {
        if let State::Jpeg(walker) = &mut self.state {
            self.from = walker.needed_from();
        }
        let done = self.from.min(self.bytes.len());
        if done > 0 {
            self.bytes.drain(..done);
            self.from -= done;
            self.at = self.at.saturating_sub(done);
            if let State::Jpeg(walker) = &mut self.state {
                walker.forget(done);
            }
        }
        self.bytes.extend_from_slice(bytes);
        self.fed = now;
    }

    /// The next whole part; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When a head or a part is too long; nothing that comes later makes sense.
    pub fn next_part(&mut self) -> Result<Option<Part<'_>>, MultipartError> {
        loop {
            let part = match &mut self.state {
                State::Boundary => {
                    let Some(line) = self.line() else { return Ok(None) };
                    if self.is_boundary(line) {
                        self.state = State::Head(None);
                        self.head = 0;
                    }
                    continue;
                }
                State::Head(length) => {
                    let length = *length;
                    let before = self.from;
                    let line = self.line();
                    self.head += self.from - before;
                    if self.head + (self.at - self.from) > MAX_HEAD {
                        return Err(MultipartError::HeadTooLong);
                    }
                    let Some((start, end)) = line else { return Ok(None) };
                    let line = self.bytes.get(start..end).unwrap_or_default();
                    if line.is_empty() {
                        self.state = State::Body(length);
                    } else if let Some(said) = content_length(line) {
                        let said = usize::try_from(said).unwrap_or(usize::MAX);
                        if said > self.limit {
                            return Err(MultipartError::PartTooLong(self.limit));
                        }
                        self.state = State::Head(Some(said));
                    }
                    continue;
                }
                State::Body(length) => {
                    let here = self.bytes.len() - self.from;
                    if self.at <= self.from && here > 0 {
                        // `at` is past `from` once the first byte has been seen.
                        self.began = self.fed;
                        self.at = self.from + 1;
                    }
                    match *length {
                        Some(length) if here >= length => {
                            let range = self.from..self.from + length;
                            self.go_on(range.end, State::Boundary);
                            if length == 0 { None } else { Some(range) }
                        }
                        None if here >= 2 => {
                            let jpeg = self.bytes.get(self.from..).is_some_and(|b| b.starts_with(&[0xff, 0xd8]));
                            let walker = Walker::in_picture_at(self.from, self.limit);
                            self.state = if jpeg { State::Jpeg(walker) } else { State::Open };
                            continue;
                        }
                        _ => return Ok(None),
                    }
                }
                State::Jpeg(walker) => {
                    let broken = walker.broken();
                    let found = walker.finish(&self.bytes);
                    let lost = walker.broken() - broken;
                    if lost > 0 {
                        // The rest of the head and the boundary between went by; this is the next part already.
                        self.broken += lost;
                        self.began = self.fed;
                    }
                    match found {
                        Some(found) => {
                            self.go_on(found.range.end, State::Boundary);
                            Some(found.range)
                        }
                        None if !walker.in_picture() => {
                            let at = walker.needed_from();
                            self.go_on(at, State::Boundary);
                            continue;
                        }
                        None => return Ok(None),
                    }
                }
                State::Open => match self.find_boundary() {
                    Some(at) => {
                        let mut end = at;
                        for line_end in [b'\n', b'\r'] {
                            if end > self.from && self.bytes.get(end - 1) == Some(&line_end) {
                                end -= 1;
                            }
                        }
                        let range = self.from..end;
                        self.go_on(at, State::Boundary);
                        if range.is_empty() { None } else { Some(range) }
                    }
                    None if self.bytes.len() - self.from > self.limit => {
                        return Err(MultipartError::PartTooLong(self.limit));
                    }
                    None => return Ok(None),
                },
            };
            if let Some(range) = part {
                return Ok(Some(Part { body: self.bytes.get(range).unwrap_or_default(), began: self.began }));
            }
        }
    }

    fn go_on(&mut self, at: usize, state: State) {
        self.from = at;
        self.at = self.from;
        self.state = state;
    }

    /// Takes a line out of the bytes: where it lies, without its end. Keeps no more of a line without end than could
    /// matter for finding a boundary in it.
    fn line(&mut self) -> Option<(usize, usize)> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if let Some(i) = rest.iter().position(|&b| b == b'\n') {
            let (start, mut end) = (self.from, self.at + i);
            self.from = end + 1;
            self.at = self.from;
            if end > start && self.bytes.get(end - 1) == Some(&b'\r') {
                end -= 1;
            }
            return Some((start, end));
        }
        self.at = self.bytes.len();
        if matches!(self.state, State::Boundary) && self.at - self.from > MAX_HEAD {
            self.from = self.at - MAX_HEAD / 2;
        }
        None
    }

    fn is_boundary(&self, (start, end): (usize, usize)) -> bool {
        let line = self.bytes.get(start..end).unwrap_or_default();
        if self.token.is_empty() {
            return line.len() > 2 && line.starts_with(b"--");
        }
        // Anywhere in the line: garbage, or a picture longer than it said, may stand before it.
        line.starts_with(&self.token) || find_dashed(line, &self.token).is_some()
    }

    /// Where the boundary that ends an open body begins.
    fn find_boundary(&mut self) -> Option<usize> {
        let found = find_dashed(self.bytes.get(self.at..).unwrap_or_default(), &self.token).map(|i| self.at + i);
        // All but the last byte of what is looked for may be here: `--` and the token, or a line end and `--`.
        let tail = self.token.len().max(1) + 1;
        self.at = self.at.max(self.bytes.len().saturating_sub(tail));
        found
    }
}

/// Where `--` and the token begin. Without a token, where a line begins with `--`.
fn find_dashed(bytes: &[u8], token: &[u8]) -> Option<usize> {
    if token.is_empty() {
        return bytes.windows(3).position(|w| w == b"\n--").map(|i| i + 1);
    }
    bytes.windows(token.len() + 2).position(|w| w.starts_with(b"--") && w.ends_with(token))
}

fn content_length(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let (name, value) = text.split_once(':')?;
    name.trim().eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::jpeg_split::MAX_PICTURE;
    use crate::wire::jpeg_split::tests::picture;

    fn parts(boundary: &str, chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, MultipartError> {
        let mut multipart = Multipart::new(boundary, MAX_PICTURE);
        let mut out = Vec::new();
        for (i, chunk) in chunks.iter().enumerate() {
            multipart.feed(chunk, Micros(i as u64));
            while let Some(part) = multipart.next_part()? {
                out.push(part.body.to_vec());
            }
        }
        Ok(out)
    }

    fn at_every_split(boundary: &str, body: &[u8], expected: &[Vec<u8>]) {
        for cut in 0..=body.len() {
            let (a, b) = body.split_at(cut);
            assert_eq!(parts(boundary, &[a, b]).unwrap(), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(parts(boundary, &single).unwrap(), expected, "byte by byte");
    }

    fn two() -> [Vec<u8>; 2] {
        [picture(64, b"one\n--one"), picture(80, b"two")]
    }

    #[test]
    fn parts_with_a_length_come_out_at_every_split() {
        let pictures = two();
        let mut body = b"\r\nsome preamble\r\n--frame\r\n".to_vec();
        for p in &pictures {
            body.extend(format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", p.len()).bytes());
            body.extend(p);
            body.extend(b"\r\n--frame\r\n");
        }
        at_every_split("frame", &body, &pictures);
        at_every_split("--frame", &body, &pictures);
    }

    #[test]
    fn parts_without_a_length_end_where_their_jpeg_ends() {
        let pictures = two();
        let mut body = Vec::new();
        for p in &pictures {
            body.extend(b"--frame\nContent-type: image/jpeg\n\n");
            body.extend(p);
        }
        // Nothing behind the last picture: it is there all the same. Nor is there a line end before the boundary.
        at_every_split("frame", &body, &pictures);
    }

    #[test]
    fn other_bodies_without_a_length_end_at_the_boundary() {
        let body = b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\nthere\r\n--b\r\n\r\n{}\r\n--b--\r\n";
        at_every_split("b", body, &[b"hello\r\nthere".to_vec(), b"{}".to_vec()]);
        at_every_split("", body, &[b"hello\r\nthere".to_vec(), b"{}".to_vec()]);
    }

    #[test]
    fn boundaries_are_found_however_they_are_written() {
        let pictures = two();
        for sent in ["--frame", "----frame", "frame"] {
            let mut body = Vec::new();
            for p in &pictures {
                body.extend(format!("{sent}\r\nCONTENT-LENGTH:{}\r\nX-Timestamp: 1.5\r\n\r\n", p.len()).bytes());
                body.extend(p);
                body.extend(b"\r\n");
            }
            at_every_split("--frame", &body, &pictures);
            if sent.starts_with('-') {
                at_every_split("", &body, &pictures);
            }
        }
    }

    #[test]
    fn a_wrong_length_costs_only_its_own_picture() {
        let [one, two] = two();
        let mut body = format!("--frame\r\nContent-Length: {}\r\n\r\n", one.len() - 5).into_bytes();
        body.extend(&one);
        body.extend(format!("\r\n--frame\r\nContent-Length: {}\r\n\r\n", two.len()).bytes());
        body.extend(&two);
        let expected = [one[..one.len() - 5].to_vec(), two];
        at_every_split("frame", &body, &expected);
    }

    #[test]
    fn a_picture_that_was_cut_off_costs_only_itself() {
        let [one, two] = two();
        let mut body = b"--frame\r\n\r\n".to_vec();
        body.extend(&one[..one.len() - 6]);
        body.extend(b"\r\n--frame\r\n\r\n");
        body.extend(&two);
        at_every_split("frame", &body, &[two]);
    }

    #[test]
    fn a_parts_time_is_that_of_its_first_byte() {
        let p = picture(64, b"");
        let mut multipart = Multipart::new("f", MAX_PICTURE);
        multipart.feed(b"--f\r\nContent-Type: image/jpeg\r\n\r\n", Micros(1));
        assert_eq!(multipart.next_part(), Ok(None));
        for (i, byte) in p.iter().enumerate() {
            multipart.feed(&[*byte], Micros(100 + i as u64));
            if let Some(part) = multipart.next_part().unwrap() {
                assert_eq!((part.body, part.began), (&p[..], Micros(100)));
                return;
            }
        }
        panic!("no part came");
    }

    #[test]
    fn what_is_too_long_is_refused_and_memory_stays_bounded() {
        let big = format!("--f\r\nContent-Length: {}\r\n\r\n", MAX_PICTURE + 1);
        assert_eq!(parts("f", &[big.as_bytes()]), Err(MultipartError::PartTooLong(MAX_PICTURE)));
        let huge = b"--f\r\nContent-Length: 99999999999999999999999999\r\n\r\n";
        assert_eq!(parts("f", &[huge]), Ok(vec![]), "a length that is no number is no length");
        let head = [b"--f\r\n".to_vec(), vec![b'x'; MAX_HEAD + 1]].concat();
        assert_eq!(parts("f", &[&head]), Err(MultipartError::HeadTooLong));
        let lines = [b"--f\r\n".to_vec(), b"x: y\r\n".repeat(2000)].concat();
        assert_eq!(parts("f", &[&lines]), Err(MultipartError::HeadTooLong));
        let open = [b"--f\r\n\r\n".to_vec(), vec![b'x'; MAX_PICTURE + 1]].concat();
        assert_eq!(parts("f", &[&open]), Err(MultipartError::PartTooLong(MAX_PICTURE)));

        let mut multipart = Multipart::new("f", MAX_PICTURE);
        for _ in 0..100 {
            multipart.feed(&[b'x'; 10_000], Micros(0));
            assert_eq!(multipart.next_part(), Ok(None));
            assert!(multipart.bytes.len() <= 10_000 + MAX_HEAD);
        }
    }

    #[test]
    fn the_boundary_is_read_from_the_content_type() {
        let found = |s: &str| boundary_of(s);
        assert_eq!(found("multipart/x-mixed-replace;boundary=abc"), Some("abc".into()));
        assert_eq!(found("Multipart/X-Mixed-Replace; charset=x; BOUNDARY = \"a;b c\""), Some("a;b c".into()));
        assert_eq!(found("multipart/x-mixed-replace; boundary=--abc; x=y"), Some("--abc".into()));
        assert_eq!(found("multipart/x-mixed-replace"), Some(String::new()));
        assert_eq!(found("image/jpeg"), None);
        assert_eq!(found("multi"), None);
        assert_eq!(found("mültipärt/x"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_same_at_any_split(
            pieces in proptest::collection::vec(prop_oneof![
                Just(b"--f\r\n".to_vec()), Just(b"\r\n\r\n".to_vec()), Just(b"Content-Length: 9\r\n".to_vec()),
                Just(b"\xff\xd8\xff".to_vec()), Just(b"\xff\xda\0\x02".to_vec()), Just(b"\xff\xd9".to_vec()),
                Just(picture(64, b"")), proptest::collection::vec(any::<u8>(), 0..6)], 0..30),
            cut in 0usize..600) {
            let bytes = pieces.concat();
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(parts("f", &[&bytes]), parts("f", &[a, b]));
        }
    }
}
