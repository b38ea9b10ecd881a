//! Bodies of HTTP requests as they come, at any split: how long they are, whole ones with a limit, and those that do not
//! end and hold pictures, as a camera or ffmpeg pushes them.

use std::sync::Arc;

use super::WireError;
use super::chunked::Chunked;
use super::jpeg::CountLimit;
use super::pictures::Pictures;
use crate::buffer::append;
use crate::time::Micros;

/// Why a body is not taken: the status of the answer, and words for it.
pub type Refused = (u16, String);

/// What is left of a request's body.
#[derive(Clone, Debug)]
pub enum Length {
    /// So many bytes (RFC 9112, section 6.2).
    Bytes(u64),
    /// Chunks, until the last.
    Chunked(Box<Chunked>),
    /// Until the other side closes, as old cameras do that say nothing.
    Open,
}

/// How long a request's body is by its header fields, whose names are in lower case (RFC 9112, section 6.3); `None`: there is
/// none.
///
/// # Errors
/// Lengths that contradict each other or make no sense, and other codings than chunks.
pub fn length_of(fields: &[(String, String)]) -> Result<Option<Length>, Refused> {
    let all = |name: &str| fields.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    let (codings, lengths) = (all("transfer-encoding"), all("content-length"));
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(None),
        ([], [first, rest @ ..]) => {
            if rest.iter().any(|l| l != first) || first.is_empty() || !first.bytes().all(|b| b.is_ascii_digit()) {
                return Err((400, "a Content-Length that makes no sense".into()));
            }
            let length = first.parse().map_err(|_| (413, "a body of that length is not taken".to_string()))?;
            Ok(if length == 0 { None } else { Some(Length::Bytes(length)) })
        }
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Length::Chunked(Box::default()))),
        (_, []) => Err((400, "of the transfer codings only chunked is taken".into())),
        // Two lengths are what request smuggling lives from.
        _ => Err((400, "a body has a Content-Length or a Transfer-Encoding, not both".into())),
    }
}

impl Length {
    /// Whether a body in chunks that begins with these bytes is multipart; `None`: too few to tell. ffmpeg sends one without
    /// saying so.
    #[must_use]
    pub fn begins_multipart(&self, raw: &[u8]) -> Option<bool> {
        let Self::Chunked(chunked) = self else { return Some(false) };
        let (mut chunked, mut begin) = (chunked.clone(), Vec::new());
        if chunked.decode(raw, &mut begin).is_err() {
            return Some(false);
        }
        match begin.len() {
            4.. => Some(begin.starts_with(b"--") || begin.starts_with(b"\r\n--")),
            // So much around a few bytes of data is nonsense.
            _ => (chunked.is_over() || raw.len() > 16 * 1024).then_some(false),
        }
    }
}

/// A body that is taken as a whole, so many bytes at most.
#[derive(Debug)]
pub struct WholeBody {
    length: Length,
    limit: usize,
    bytes: Vec<u8>,
}

impl WholeBody {
    /// For a body of this length.
    ///
    /// # Errors
    /// It is over the limit, or would not end.
    pub fn new(length: Length, limit: usize) -> Result<Self, Refused> {
        match length {
            Length::Bytes(n) if n > limit as u64 => Err(too_long(limit)),
            Length::Open => Err((411, "say the body's Content-Length, or send it in chunks".into())),
            _ => Ok(Self { length, limit, bytes: Vec::new() }),
        }
    }

    /// Takes more bytes. When the body is over, says how many of them belonged to it; of chunks, all count.
    ///
    /// # Errors
    /// It is over the limit, or malformed.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refused> {
        match &mut self.length {
            Length::Bytes(n) => {
                let n = usize::try_from(*n).unwrap_or(usize::MAX);
                let left = n.saturating_sub(self.bytes.len());
                let used = bytes.len().min(left);
                append(&mut self.bytes, &bytes[..used], left - used);
                Ok((self.bytes.len() == n).then_some(used))
            }
            Length::Chunked(chunked) => {
                chunked.decode(bytes, &mut self.bytes).map_err(|_| (400, "a malformed chunk".to_string()))?;
                if self.bytes.len() > self.limit {
                    return Err(too_long(self.limit));
                }
                Ok(chunked.is_over().then_some(bytes.len()))
            }
            Length::Open => Ok(None),
        }
    }

    /// How much memory it takes so far.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// What has come.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn too_long(limit: usize) -> Refused {
    (413, format!("a body has {limit} bytes at most here (the hub's --max-picture)"))
}

/// Takes a body as it comes and gives its pictures, which are parts of a multipart body or stand one behind the other.
#[derive(Debug)]
pub struct PictureBody {
    length: Length,
    parts: Pictures,
    counting: Arc<CountLimit>,
    /// Undone chunks.
    plain: Vec<u8>,
    pictures: u64,
}

impl PictureBody {
    /// A body with this boundary if it is a multipart one, and pictures of so many bytes at most. Of those without an end so many
    /// blocks are counted.
    #[must_use]
    pub fn new(length: Length, boundary: &str, limit: usize, counting: Arc<CountLimit>) -> Self {
        let parts = Pictures::new(boundary, limit);
        Self { length, parts, counting, plain: Vec::new(), pictures: 0 }
    }

    /// Whether the body ends when the other side says nothing more.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.length, Length::Open)
    }

    /// How many pictures came, and how many were none that can be passed on.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.pictures, self.parts.broken())
    }

    /// How much memory what is under way takes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.parts.held() + self.plain.capacity()
    }

    /// Gives back what is kept for what is to come.
    pub fn rest(&mut self) {
        self.parts.rest();
        self.plain = Vec::new();
    }

    /// Forgets what is under way. What comes after it makes no sense any more.
    pub fn forget(&mut self) {
        *self = Self::new(Length::Open, "", 0, self.counting.clone());
    }

    /// How many bytes the picture that is under way lacks, if it said how long it is.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.parts.missing()
    }

    /// Takes more bytes, and gives each picture to `take`, cut at its end, with the time at which it began. True when the body is over.
    ///
    /// # Errors
    /// What is wrong with the body; also what `take` returns.
    pub fn feed<E: From<WireError>>(
        &mut self,
        bytes: &[u8],
        now: Micros,
        take: &mut dyn FnMut(Vec<u8>, Micros) -> Result<(), E>,
    ) -> Result<bool, E> {
        let (plain, over) = match &mut self.length {
            Length::Bytes(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= n as u64;
                (&bytes[..n], Ok(*left == 0))
            }
            Length::Chunked(chunked) => {
                self.plain.clear();
                // What came before the bad chunk is good.
                let decoded = chunked.decode(bytes, &mut self.plain);
                let over = decoded.map(|()| chunked.is_over());
                (&self.plain[..], over.map_err(|_| WireError::Body(400, "a malformed chunk".into())))
            }
            Length::Open => (bytes, Ok(false)),
        };
        self.parts.feed(plain, now);
        let may_count = &mut self.counting.at(now);
        let ends = !matches!(over, Ok(false));
        loop {
            let picture = match self.parts.next_picture(may_count) {
                None if ends => self.parts.last_picture(may_count),
                next => next,
            };
            let Some(picture) = picture else { break };
            self.pictures += 1;
            take(picture.data.to_vec(), picture.began)?;
        }
        if self.parts.was_too_long() || self.parts.will_be_too_long() {
            return Err(WireError::Body(413, format!("a picture is longer than {} bytes", self.parts.limit())).into());
        }
        over.map_err(E::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pictures::tests::picture;

    fn body() -> Vec<u8> {
        let part = |n: u8| [&b"\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n"[..], &picture(64, &[n; 9])].concat();
        let none = b"\r\n--b\r\nContent-Length: 4\r\n\r\nGIF8".to_vec();
        [part(1), none, part(2), b"\r\n--b--\r\n".to_vec()].concat()
    }

    fn count(length: Length, bytes: &[u8]) -> ((u64, u64), bool) {
        let mut body = PictureBody::new(length, "b", 1 << 20, Arc::new(CountLimit::new(1)));
        let mut over = false;
        for piece in bytes.chunks(7) {
            over |= body
                .feed(piece, Micros(1), &mut |data, _| {
                    assert!(data.starts_with(&[0xff, 0xd8]));
                    Ok::<_, WireError>(())
                })
                .unwrap();
        }
        (body.counts(), over)
    }

    fn chunks(body: &[u8]) -> Vec<u8> {
        body.chunks(11)
            .flat_map(|c| [format!("{:x}\r\n", c.len()).into_bytes(), c.to_vec(), b"\r\n".to_vec()].concat())
            .chain(*b"0\r\n\r\n")
            .collect()
    }

    #[test]
    fn pictures_come_out_however_the_body_is_carried() {
        let body = body();
        assert_eq!(count(Length::Bytes(body.len() as u64), &body), ((2, 1), true));
        assert_eq!(count(Length::Open, &body), ((2, 1), false));
        assert_eq!(count(Length::Chunked(Box::default()), &chunks(&body)), ((2, 1), true));
    }

    #[test]
    fn a_whole_body_ends_where_it_says_and_keeps_to_its_limit() {
        for step in 1..20 {
            let mut whole = WholeBody::new(Length::Bytes(10), 10).unwrap();
            let bytes = b"0123456789GET /";
            let mut at = 0;
            let end = bytes.chunks(step).find_map(|piece| {
                let used = whole.feed(piece).unwrap();
                at += used.unwrap_or(piece.len());
                used
            });
            assert!(end.is_some());
            assert_eq!((at, whole.into_bytes().as_slice()), (10, &b"0123456789"[..]));
        }
        assert_eq!(WholeBody::new(Length::Bytes(11), 10).unwrap_err().0, 413);
        assert_eq!(WholeBody::new(Length::Open, 10).unwrap_err().0, 411);
        let mut whole = WholeBody::new(Length::Chunked(Box::default()), 10).unwrap();
        assert_eq!(whole.feed(&chunks(&[7; 11])).unwrap_err().0, 413);
        let mut whole = WholeBody::new(Length::Chunked(Box::default()), 10).unwrap();
        assert_eq!(whole.feed(b"nonsense").unwrap_err().0, 400);
    }

    #[test]
    fn a_body_has_one_length_and_one_only() {
        let of = |fields: &[(&str, &str)]| {
            length_of(&fields.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>())
        };
        assert!(matches!(of(&[]), Ok(None)));
        assert!(matches!(of(&[("content-length", "7")]), Ok(Some(Length::Bytes(7)))));
        let chunked = ("transfer-encoding", "Chunked");
        assert!(matches!(of(&[chunked]), Ok(Some(Length::Chunked(_)))));
        assert_eq!(of(&[chunked, ("content-length", "7")]).unwrap_err().0, 400);
        for bad in ["-1", "+1", "1,1", "x", ""] {
            assert_eq!(of(&[("content-length", bad)]).unwrap_err().0, 400, "{bad}");
        }
        assert_eq!(of(&[("content-length", "1"), ("content-length", "2")]).unwrap_err().0, 400);
        assert_eq!(of(&[("content-length", "99999999999999999999")]).unwrap_err().0, 413);
        assert_eq!(of(&[("transfer-encoding", "gzip")]).unwrap_err().0, 400);
    }

    #[test]
    fn a_multipart_body_is_known_by_its_beginning() {
        let chunked = Length::Chunked(Box::default());
        assert_eq!(chunked.begins_multipart(&chunks(b"--b\r\n")), Some(true));
        assert_eq!(chunked.begins_multipart(b"2\r\n--\r\n"), None);
        assert_eq!(chunked.begins_multipart(&chunks(b"--")), Some(false), "it is over");
        assert_eq!(chunked.begins_multipart(b"zzz"), Some(false));
        assert_eq!(chunked.begins_multipart(&chunks(b"\xff\xd8\xff\xe0")), Some(false));
        assert_eq!(Length::Bytes(100).begins_multipart(b"--b"), Some(false));
    }
}
