//! An HTTP answer as a camera gives it: its head, and its body without chunks, out of bytes that come little by little.

use super::chunked::Chunked;

/// The longest head of an answer, in bytes.
pub const MAX_HEAD: usize = 16 << 10;
/// The most header fields in it.
const MAX_FIELDS: usize = 256;
/// The most interim answers (RFC 9110, 15.2) before the answer proper.
pub const MAX_INTERIM: u32 = 16;

/// What the head of an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A body of this `Content-Type` comes; empty if it was not said.
    Body {
        /// As it came, in UTF-8.
        content_type: String,
    },
    /// Ask there: a redirect's `Location`.
    Elsewhere(String),
}

/// How the body ends.
#[derive(Debug)]
enum AnswerLength {
    Chunked(Chunked),
    Left(u64),
    UntilClosed,
}

/// Reads one answer.
#[derive(Debug, Default)]
pub struct AnswerReader {
    /// What came and is not understood yet.
    raw: Vec<u8>,
    interim: u32,
    /// `None` until the head is here.
    length: Option<AnswerLength>,
    challenges: Vec<String>,
}

impl AnswerReader {
    /// Takes bytes as they come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// Whether the head is still to come.
    #[must_use]
    pub fn awaits_head(&self) -> bool {
        self.length.is_none()
    }

    /// How the other side wants to know who asks: the values of its `WWW-Authenticate` fields.
    #[must_use]
    pub fn challenges(&self) -> &[String] {
        &self.challenges
    }

    /// What comes behind the end of the body belongs to it, up to the end of the connection. `false`: it has no length.
    pub fn go_past_length(&mut self) -> bool {
        let has_length = matches!(self.length, Some(AnswerLength::Left(_)));
        if has_length {
            self.length = Some(AnswerLength::UntilClosed);
        }
        has_length
    }

    /// The head with its status, once it is here. Interim answers before it are passed over.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind `camera at … `.
    pub fn head(&mut self) -> Result<Option<(u16, Answer)>, String> {
        loop {
            let Some((end, status, length, answer, challenges)) = read_head(&self.raw)? else { return Ok(None) };
            self.raw.drain(..end);
            self.challenges = challenges;
            if !(100..200).contains(&status) {
                self.length = Some(length);
                return Ok(Some((status, answer)));
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(format!("gives interim answers ({status}) without end"));
            }
        }
    }

    /// Drops what came and is not understood.
    pub fn forget(&mut self) {
        self.raw.clear();
    }

    /// Moves what came of the body to the end of `body`; whether that was all of it.
    ///
    /// # Errors
    /// What is wrong with its chunks.
    pub fn body(&mut self, body: &mut Vec<u8>) -> Result<bool, String> {
        let over = match &mut self.length {
            None => return Ok(false),
            Some(AnswerLength::Chunked(chunked)) => {
                chunked.decode(&self.raw, body).map_err(|e| e.to_string())?;
                chunked.is_over()
            }
            Some(AnswerLength::Left(left)) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(self.raw.len());
                body.extend_from_slice(self.raw.get(..take).unwrap_or_default());
                *left -= take as u64;
                self.raw.drain(..take);
                return Ok(*left == 0);
            }
            Some(AnswerLength::UntilClosed) => {
                body.extend_from_slice(&self.raw);
                false
            }
        };
        self.raw.clear();
        Ok(over)
    }
}

/// The length of a head, its status, how its body ends, what it says, and how it wants to know who asks.
type Head = (usize, u16, AnswerLength, Answer, Vec<String>);

fn read_head(raw: &[u8]) -> Result<Option<Head>, String> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let mut config = httparse::ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(true);
    config.ignore_invalid_headers_in_responses(true);
    let end = match config.parse_response(&mut response, raw) {
        Ok(httparse::Status::Complete(end)) if end > MAX_HEAD => return Err("says too much".into()),
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) if raw.len() > MAX_HEAD => return Err("says too much".into()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err("does not speak HTTP".into()),
    };
    let status = response.code.unwrap_or(0);
    let field = |name: &str| {
        let found = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
        found.map(|h| String::from_utf8_lossy(h.value).trim().to_owned())
    };
    let chunked = field("transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().contains("chunked"));
    let length = match field("content-length").and_then(|v| v.parse().ok()) {
        _ if chunked => AnswerLength::Chunked(Chunked::default()),
        // Nobody gives an empty picture: some say so of a stream.
        Some(length) if length > 0 => AnswerLength::Left(length),
        _ => AnswerLength::UntilClosed,
    };
    let answer = match field("location") {
        Some(location) if matches!(status, 301 | 302 | 303 | 307 | 308) => Answer::Elsewhere(location),
        _ => Answer::Body { content_type: field("content-type").unwrap_or_default() },
    };
    let challenges = response.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("www-authenticate"));
    let challenges = challenges.map(|h| String::from_utf8_lossy(h.value).trim().to_owned()).collect();
    Ok(Some((end, status, length, answer, challenges)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_passed_over_and_have_an_end() {
        let mut reader = AnswerReader::default();
        reader.feed(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM as usize));
        assert_eq!(reader.head(), Ok(None));
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\nabcd");
        assert_eq!(reader.head(), Ok(Some((200, Answer::Body { content_type: "image/jpeg".into() }))));
        let mut body = Vec::new();
        assert_eq!(reader.body(&mut body), Ok(true));
        assert_eq!(body, b"abc");

        // Each once was a call on the stack: 1200 of them ended the program.
        let mut reader = AnswerReader::default();
        reader.feed(&b"HTTP/1.1 100 C\r\n\r\n".repeat(100_000));
        assert!(reader.head().is_err_and(|why| why.contains("without end")));
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let mut reader = AnswerReader::default();
        reader.feed(&[b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'a'; MAX_HEAD]].concat());
        assert!(reader.head().is_err());
        let mut whole = AnswerReader::default();
        whole.feed(&[b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'a'; MAX_HEAD], b"\r\n\r\n".to_vec()].concat());
        assert!(whole.head().is_err(), "also where it comes at once");
    }
}
