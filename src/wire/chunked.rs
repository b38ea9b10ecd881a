//! The chunked transfer coding of HTTP/1.1 (RFC 9112, section 7.1), undone.

use thiserror::Error;

/// The longest chunk extension or trailer line, in bytes. Nobody sends any.
const MAX_LINE: usize = 4096;

/// The bytes are no chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the chunked body is malformed")]
pub struct BadChunk;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the hexadecimal length: its value so far, and how many digits.
    Length(u64, u8),
    /// In what may stand behind the length: how much of it there was.
    Extension(u64, usize),
    /// This many bytes of data are to come.
    Data(u64),
    /// The line end behind the data.
    DataEnd,
    /// In a line of the trailer: its length, and that of all.
    Trailer(usize, usize),
    Over,
}

/// Takes a chunked body at any split.
#[derive(Clone, Debug)]
pub struct Chunked(State);

impl Default for Chunked {
    fn default() -> Self {
        Self(State::Length(0, 0))
    }
}

impl Chunked {
    /// Whether the last chunk and the trailer are over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0 == State::Over
    }

    /// Appends the data in `input` to `output`. What comes behind the end of the body is ignored.
    ///
    /// # Errors
    /// When the bytes are no chunked body; nothing that comes later makes sense.
    pub fn decode(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> Result<(), BadChunk> {
        while let Some((&byte, rest)) = input.split_first() {
            match self.0 {
                State::Length(value, digits) => {
                    if let Some(digit) = char::from(byte).to_digit(16) {
                        if digits == 15 {
                            return Err(BadChunk);
                        }
                        self.0 = State::Length(value << 4 | u64::from(digit), digits + 1);
                    } else if digits == 0 {
                        return Err(BadChunk);
                    } else {
                        self.0 = after_length(value, 0, byte)?;
                    }
                }
                State::Extension(value, length) => self.0 = after_length(value, length, byte)?,
                State::Data(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (data, rest) = input.split_at(take);
                    output.extend_from_slice(data);
                    let left = left - take as u64;
                    self.0 = if left == 0 { State::DataEnd } else { State::Data(left) };
                    input = rest;
                    continue;
                }
                State::DataEnd => match byte {
                    b'\r' => {}
                    b'\n' => self.0 = State::Length(0, 0),
                    _ => return Err(BadChunk),
                },
                State::Trailer(line, all) => {
                    self.0 = match byte {
                        b'\n' if line == 0 => State::Over,
                        b'\n' => State::Trailer(0, all + 1),
                        b'\r' => State::Trailer(line, all + 1),
                        _ if all >= MAX_LINE => return Err(BadChunk),
                        _ => State::Trailer(line + 1, all + 1),
                    }
                }
                State::Over => return Ok(()),
            }
            input = rest;
        }
        Ok(())
    }
}

fn after_length(value: u64, length: usize, byte: u8) -> Result<State, BadChunk> {
    match byte {
        b'\n' if value == 0 => Ok(State::Trailer(0, 0)),
        b'\n' => Ok(State::Data(value)),
        // Spaces, an extension, or the end of the line: a length that goes on as something else is none.
        _ if length == 0 && !b" \t;\r".contains(&byte) => Err(BadChunk),
        _ if length >= MAX_LINE => Err(BadChunk),
        _ => Ok(State::Extension(value, length + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        b"4\r\nWiki\r\n6;name=\"x\"\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\nbehind";
    const DATA: &[u8] = b"Wikipedia in \r\n\r\nchunks.";

    #[test]
    fn a_body_is_the_same_at_every_split() {
        for cut in 0..=BODY.len() {
            let (mut chunked, mut out) = (Chunked::default(), Vec::new());
            let (a, b) = BODY.split_at(cut);
            chunked.decode(a, &mut out).unwrap();
            chunked.decode(b, &mut out).unwrap();
            assert_eq!(out, DATA, "cut at {cut}");
            assert!(chunked.is_over());
        }
    }

    #[test]
    fn what_is_no_chunked_body_is_refused() {
        for bad in [
            &b"\r\n"[..],
            b"xyz\r\n",
            b"4\r\nWikiX",
            b"1111111111111111\r\n",
            b"0x4\r\nWiki",
            b"4g\r\nWiki",
            &[b'1'; 5000],
        ] {
            assert_eq!(Chunked::default().decode(bad, &mut Vec::new()), Err(BadChunk), "{bad:?}");
        }
        let endless = [b"1;".to_vec(), vec![b'x'; MAX_LINE + 1]].concat();
        assert_eq!(Chunked::default().decode(&endless, &mut Vec::new()), Err(BadChunk));
        let trailer = [b"0\r\n".to_vec(), vec![b'x'; MAX_LINE + 1]].concat();
        assert_eq!(Chunked::default().decode(&trailer, &mut Vec::new()), Err(BadChunk));
    }
}
