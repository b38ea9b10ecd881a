//! What a program sends that sends without being asked, by its first bytes: pictures behind their lengths, as `socket` and `struct` of
//! Python make them, pictures alone, or something else. Pictures are found by their own bytes (`pictures.rs`), so what stands
//! between them is told to people and believed in nothing.

use std::fmt;

use memchr::memmem;

/// So much tells what it is.
pub const ENOUGH: usize = 1024;
/// The beginning of a JPEG, with the marker behind it.
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];
/// Longer messages are none: what says so is no length.
const LONGEST: u64 = 256 << 20;
/// What is shorter than any picture in pixels.
const SHORTEST: u64 = 1024;

/// What stands before each JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Its length in so many bytes, the most significant one first or last.
    Length {
        /// 4 or 8.
        bytes: usize,
        /// The most significant one first, as networks have it.
        big_endian: bool,
    },
    /// Its length in sixteen characters.
    Digits,
    /// Something else: pickled arrays of Python have a JPEG in them now and then.
    Other,
}

/// What is said of what most programs send that send no JPEGs.
const PICKLED: &str = "pickled numpy arrays, which are not opened, as a pickle may run anything: let it send JPEGs \
                       (cv2.imencode('.jpg', frame)[1].tobytes() in the place of pickle.dumps(...))";

/// What comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sends {
    /// JPEGs.
    Jpegs(Before),
    /// Pictures of another kind; of which, and what would help, for a person.
    Frames(String),
    /// Nothing that could be taken for pictures; what instead, and what would help, for a person.
    Other(String),
}

impl fmt::Display for Sends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jpegs(Before::Nothing) => f.write_str("JPEGs one behind the other"),
            Self::Jpegs(Before::Length { bytes, big_endian }) => {
                let (order, code) = match (bytes, big_endian) {
                    (8, false) => ("little", "Q"),
                    (8, true) => ("big", ">Q"),
                    (_, false) => ("little", "<I"),
                    (_, true) => ("big", ">I"),
                };
                write!(f, "JPEGs behind lengths of {bytes} bytes, {order}-endian (struct.pack(\"{code}\", n))")
            }
            Self::Jpegs(Before::Digits) => f.write_str("JPEGs behind lengths of 16 characters"),
            Self::Jpegs(Before::Other) => f.write_str("JPEGs with something else around them"),
            Self::Frames(what) | Self::Other(what) => f.write_str(what),
        }
    }
}

/// What a sender is that began so, once that is to be told. `None`: it cannot be told by so much, or by these bytes at all.
#[must_use]
pub fn judge(first: &[u8]) -> Option<Sends> {
    let first = first.get(..ENOUGH).unwrap_or(first);
    let at = |at: usize| first.get(at..).unwrap_or_default();
    if first.starts_with(JPEG) {
        return Some(Sends::Jpegs(Before::Nothing));
    }
    for bytes in [4, 8] {
        if at(bytes).starts_with(JPEG)
            && let Some(big_endian) = length(first, bytes).map(|(_, big_endian)| big_endian)
        {
            return Some(Sends::Jpegs(Before::Length { bytes, big_endian }));
        }
    }
    if at(16).starts_with(JPEG) && first.iter().take(16).all(|byte| byte.is_ascii_digit() || *byte == b' ') {
        return Some(Sends::Jpegs(Before::Digits));
    }
    if let Some(what) = speaks(first) {
        return Some(what);
    }
    for payload in [first, at(4), at(8)] {
        if let Some(what) = other(payload) {
            return Some(what);
        }
    }
    if memmem::find(first, JPEG).is_some() {
        return Some(Sends::Jpegs(Before::Other));
    }
    match length(first, 8) {
        Some((length, _)) if length >= SHORTEST && first.len() >= ENOUGH => Some(Sends::Frames(format!(
            "messages of {length} bytes that are no JPEGs, as of raw pixels: let it send JPEGs (cv2.imencode('.jpg', frame))"
        ))),
        _ => None,
    }
}

/// The length in the first bytes, and whether its most significant byte comes first. Of two that are possible it is the smaller:
/// read the wrong way round, a length is larger.
fn length(first: &[u8], bytes: usize) -> Option<(u64, bool)> {
    let number = first.get(..bytes)?;
    let big = number.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let little = number.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let is = |length: &u64| (1..=LONGEST).contains(length);
    let little = Some(little).filter(is).map(|length| (length, false));
    let big = Some(big).filter(is).map(|length| (length, true));
    little.into_iter().chain(big).min()
}

/// Another protocol that begins so.
fn speaks(first: &[u8]) -> Option<Sends> {
    Some(Sends::Other(
        match first {
            [0xff, _, _, _, _, _, _, _, _, 0x7f, ..] => {
                "ZeroMQ (imagezmq and the like): let it send JPEGs over a plain socket, or post them to a hub"
            }
            [b'H', b'T', b'T', b'P', b'/', ..] | [b'<', ..] => "HTTP: write http:// in the place of tcp://",
            [b'R', b'T', b'S', b'P', b'/', ..] => "RTSP, which ffmpeg can turn into JPEGs (-f mjpeg)",
            [0x15 | 0x16, 3, 0..=4, ..] => "TLS, which is not spoken to a tcp:// source",
            _ => return None,
        }
        .into(),
    ))
}

/// A message that begins so and is no JPEG.
fn other(payload: &[u8]) -> Option<Sends> {
    let says = |what: &str| Some(Sends::Frames(what.into()));
    match payload {
        // Of the oldest kinds, whose arrays are text: a JPEG is none in there.
        [b'c', b'n', b'u', b'm', b'p', b'y', ..] => says(PICKLED),
        [0x80, 2..=5, ..] => {
            // A JPEG in an array begins behind the words of the pickle.
            if memmem::find(payload, JPEG).is_some() {
                return Some(Sends::Jpegs(Before::Other));
            }
            let arrays = ["numpy", "ndarray"].iter().any(|word| memmem::find(payload, word.as_bytes()).is_some());
            match payload.len() >= ENOUGH - 256 {
                true if arrays => says(PICKLED),
                true => says(
                    "pickled Python objects, which are not opened, as a pickle may run anything: let it send JPEGs",
                ),
                false => None,
            }
        }
        [0x89, b'P', b'N', b'G', ..] => says("PNG pictures: let it send JPEGs (cv2.imencode('.jpg', frame))"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => says("WebP pictures: let it send JPEGs"),
        [b'/', b'9', b'j', b'/', ..] => says("JPEGs as base64 text: let it send the bytes themselves"),
        [0, 0, 0, 1, nal, ..] if matches!(nal & 0x1f, 1 | 5..=9) || matches!(nal >> 1 & 0x3f, 32..=35) => {
            says("H.264 or H.265 video, which ffmpeg can turn into JPEGs (-f mjpeg)")
        }
        [0x47, ..] if payload.get(188) == Some(&0x47) => {
            says("an MPEG transport stream, which ffmpeg can turn into JPEGs (-f mjpeg)")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F'];

    fn told(parts: &[&[u8]]) -> String {
        judge(&parts.concat()).map_or_else(String::new, |sends| sends.to_string())
    }

    #[test]
    fn pictures_are_known_behind_every_length_that_programs_put_before_them() {
        let length = 30_211_u32;
        assert!(told(&[PICTURE]).contains("one behind the other"));
        for (before, code) in [
            (&u64::from(length).to_le_bytes()[..], "\"Q\""),
            (&u64::from(length).to_be_bytes(), "\">Q\""),
            (&length.to_le_bytes(), "\"<I\""),
            (&length.to_be_bytes(), "\">I\""),
            // Either way round it could be one.
            (&0x7500_u32.to_be_bytes(), "\">I\""),
            (&0x7500_u32.to_le_bytes(), "\"<I\""),
        ] {
            let said = told(&[before, PICTURE]);
            assert!(said.contains(code) && said.contains(&format!("{} bytes", before.len())), "{said}");
        }
        assert!(told(&[b"30211           ", PICTURE]).contains("16 characters"));
    }

    #[test]
    fn what_is_no_picture_is_called_what_it_is() {
        let numpy = b"\x80\x04\x95\x12\x10\x0e\0\0\0\0\0\x8c\x15numpy.core.multiarray\x94\x8c\x0c_reconstruct\x94";
        let pixels = [130; ENOUGH];
        let length = 921_765_u64.to_le_bytes();
        for (parts, word) in [
            (&[&length[..], numpy, &pixels][..], "pickled numpy arrays"),
            (&[numpy, &pixels], "pickled numpy arrays"),
            (&[&length[..4], b"cnumpy._core.multiarray\n_reconstruct\np0\n", PICTURE], "pickled numpy arrays"),
            (&[&length[..4], numpy, &pixels], "pickled numpy arrays"),
            (&[&length, b"\x80\x03}q\0(X\x05", &pixels], "pickled Python objects"),
            (&[&length, b"\x89PNG\r\n\x1a\n", &pixels], "PNG"),
            (&[&length, &pixels], "messages of 921765 bytes"),
            (&[b"\xff\0\0\0\0\0\0\0\x01\x7f\x03"], "ZeroMQ"),
            (&[b"HTTP/1.1 400 Bad Request\r\n"], "http://"),
            (&[b"/9j/4AAQSkZJRg"], "base64"),
            (&[&[0, 0, 0, 1, 0x67, 0x42]], "H.264"),
        ] {
            let said = told(parts);
            assert!(said.contains(word), "{word}: {said}");
        }
        // An encoded picture in an array is one all the same.
        assert!(told(&[&length, numpy, PICTURE]).starts_with("JPEGs with something"));
        for unknown in [&b""[..], &[0xff, 0xd8], &length, &[7; 40], b"SF\x01\x02"] {
            assert_eq!(judge(unknown), None, "{unknown:x?}");
        }
    }
}
