//! Pictures in the body of an HTTP request that does not end: a camera or ffmpeg that pushes.

use super::connection::Broken;
use super::http;
use crate::time::now;
use crate::wire::WireError;
use crate::wire::chunked::Chunked;
use crate::wire::multipart::Multipart;
use crate::wire::packet::Packet;

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

/// Takes the body of a request as it comes and gives its pictures.
#[derive(Debug)]
pub struct PictureBody {
    length: Length,
    parts: Multipart,
    /// Undone chunks.
    plain: Vec<u8>,
    pictures: u64,
}

impl PictureBody {
    /// A multipart body with this boundary.
    #[must_use]
    pub fn new(length: Length, boundary: &str) -> Self {
        Self { length, parts: Multipart::new(boundary), plain: Vec::new(), pictures: 0 }
    }

    /// Takes more bytes. When the body is over, returns the answer.
    ///
    /// # Errors
    /// What is wrong with the body; also what `take` returns.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        take: &mut dyn FnMut(Packet) -> Result<(), Broken>,
    ) -> Result<Option<Vec<u8>>, Broken> {
        let (plain, over) = match &mut self.length {
            Length::Bytes(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= n as u64;
                (&bytes[..n], *left == 0)
            }
            Length::Chunked(chunked) => {
                self.plain.clear();
                chunked.decode(bytes, &mut self.plain).map_err(|_| WireError::Malformed("a malformed chunk"))?;
                (&self.plain[..], chunked.is_over())
            }
            Length::Open => (bytes, false),
        };
        self.parts.feed(plain, now());
        loop {
            match self.parts.next_part() {
                Ok(Some(part)) => {
                    self.pictures += 1;
                    take(Packet::Bare(part.body.to_vec().into()))?;
                }
                Ok(None) => break,
                Err(_) => return Err(WireError::Malformed("a part of a multipart body is too long").into()),
            }
        }
        Ok(over.then(|| http::short_answer(200, &format!("{} pictures", self.pictures))))
    }

    /// Why the body is not taken, as an answer.
    pub(super) fn refusal(&self, reason: &str) -> Vec<u8> {
        http::short_answer(409, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::jpeg_split::tests::picture;

    fn body() -> Vec<u8> {
        let part = |n: u8| [&b"\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n"[..], &picture(64, &[n; 9])].concat();
        [part(1), part(2), b"\r\n--b--\r\n".to_vec()].concat()
    }

    fn count(length: Length, bytes: &[u8]) -> (usize, Option<String>) {
        let mut body = PictureBody::new(length, "b");
        let (mut pictures, mut answer) = (0, None);
        for piece in bytes.chunks(7) {
            let fed = body.feed(piece, &mut |packet| {
                assert!(matches!(packet, Packet::Bare(_)));
                pictures += 1;
                Ok(())
            });
            answer = answer.or(fed.unwrap());
        }
        (pictures, answer.map(|a| String::from_utf8(a).unwrap()))
    }

    #[test]
    fn pictures_come_out_however_the_body_is_carried() {
        let body = body();
        let (pictures, answer) = count(Length::Bytes(body.len() as u64), &body);
        assert_eq!(pictures, 2);
        assert!(answer.unwrap().ends_with("2 pictures\n"));
        assert_eq!(count(Length::Open, &body), (2, None));
        let chunks: Vec<u8> = body
            .chunks(11)
            .flat_map(|c| [format!("{:x}\r\n", c.len()).into_bytes(), c.to_vec(), b"\r\n".to_vec()].concat())
            .chain(*b"0\r\n\r\n")
            .collect();
        let (pictures, answer) = count(Length::Chunked(Box::default()), &chunks);
        assert_eq!(pictures, 2);
        assert!(answer.is_some());
    }
}
