//! SFrame (RFC 9605) with AES-128-GCM: the header, the keys of one sender, sealing and opening of bytes.

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};

/// The cipher suite `AES_128_GCM_SHA256_128`.
const SUITE: u16 = 4;
/// Bytes of a key, by which everything begins.
pub const KEY: usize = 16;
/// Bytes that show that nothing was changed.
pub const TAG: usize = 16;
/// Bytes of the longest header.
pub const LONGEST_HEADER: usize = 17;
const NONCE: usize = 12;

/// The header of what is sealed: which key, and which of its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The number of the key.
    pub kid: u64,
    /// The counter.
    pub ctr: u64,
}

impl Header {
    /// Appends the bytes of the header.
    pub fn write(self, out: &mut Vec<u8>) {
        let at = out.len();
        out.push(0);
        let [kid, ctr] = [self.kid, self.ctr].map(|number| {
            if number < 8 {
                return number as u8;
            }
            let bytes = number.to_be_bytes();
            let length = 8 - number.leading_zeros() as usize / 8;
            out.extend_from_slice(&bytes[8 - length..]);
            8 | (length - 1) as u8
        });
        out[at] = kid << 4 | ctr;
    }

    /// Reads a header, and how many bytes it has; `None` where it is cut off.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let config = *bytes.first()?;
        let mut length = 1;
        let mut number = |nibble: u8| {
            if nibble & 8 == 0 {
                return Some(u64::from(nibble));
            }
            let from = length;
            length += usize::from(nibble & 7) + 1;
            Some(bytes.get(from..length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        };
        let (kid, ctr) = (number(config >> 4)?, number(config & 15)?);
        Some((Self { kid, ctr }, length))
    }
}

/// So many bytes out of a key derivation.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF with SHA-256 (RFC 5869). `None` where more is asked for than it gives.
pub(super) fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Option<[u8; N]> {
    let mut out = [0; N];
    let extracted = Salt::new(HKDF_SHA256, salt).extract(secret);
    extracted.expand(info, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// The keys of one sender.
pub struct Keys {
    kid: u64,
    key: LessSafeKey,
    salt: [u8; NONCE],
}

impl Keys {
    /// Those of the sender with this number and this base key. `None` where the library refuses, which it does not.
    #[must_use]
    pub fn new(base_key: &[u8; KEY], kid: u64) -> Option<Self> {
        let (number, suite) = (kid.to_be_bytes(), SUITE.to_be_bytes());
        let key: [u8; KEY] = derive(&[], base_key, &[b"SFrame 1.0 Secret key ", &number, &suite])?;
        let salt = derive(&[], base_key, &[b"SFrame 1.0 Secret salt ", &number, &suite])?;
        Some(Self { kid, key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?), salt })
    }

    fn nonce(&self, ctr: u64) -> Nonce {
        let mut nonce = self.salt;
        nonce[NONCE - 8..].iter_mut().zip(ctr.to_be_bytes()).for_each(|(salt, byte)| *salt ^= byte);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Appends what these pieces are sealed: header, ciphertext and tag. `beside` is not in it, and must be the same where it is
    /// opened. No counter may be used twice. `None` where there is too much of it.
    #[must_use]
    pub fn seal(&self, ctr: u64, beside: &[u8], pieces: &[&[u8]], out: &mut Vec<u8>) -> Option<()> {
        let begin = out.len();
        Header { kid: self.kid, ctr }.write(out);
        let aad = [&out[begin..], beside].concat();
        let text = out.len();
        out.reserve_exact(pieces.iter().map(|piece| piece.len()).sum::<usize>() + TAG);
        pieces.iter().for_each(|piece| out.extend_from_slice(piece));
        let tag = self.key.seal_in_place_separate_tag(self.nonce(ctr), Aad::from(aad), &mut out[text..]).ok()?;
        out.extend_from_slice(tag.as_ref());
        Some(())
    }

    /// Opens what was sealed, whose header has so many bytes, in its place, and gives where the opened bytes lie. `None` where
    /// it was sealed by another key, with something else beside it, or was changed; the bytes mean nothing then.
    #[must_use]
    pub fn open(&self, header: (Header, usize), beside: &[u8], sealed: &mut [u8]) -> Option<std::ops::Range<usize>> {
        let (Header { ctr, .. }, length) = header;
        let aad = [sealed.get(..length)?, beside].concat();
        let opened = self.key.open_in_place(self.nonce(ctr), Aad::from(aad), &mut sealed[length..]).ok()?;
        Some(length..length + opened.len())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../docs/vectors/sframe.json")).unwrap()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        HEXLOWER_PERMISSIVE.decode(value.as_str().unwrap().as_bytes()).unwrap()
    }

    fn number(value: &Value) -> u64 {
        value.as_str().unwrap().parse().unwrap()
    }

    #[test]
    fn headers_are_those_of_the_rfc() {
        let vectors = vectors();
        let cases = vectors["header"].as_array().unwrap();
        assert!(cases.len() >= 30);
        for case in cases {
            let header = Header { kid: number(&case["kid"]), ctr: number(&case["ctr"]) };
            let encoded = bytes(&case["encoded"]);
            let mut written = Vec::new();
            header.write(&mut written);
            assert_eq!(written, encoded, "{case}");
            assert_eq!(Header::read(&[&encoded[..], b"more"].concat()), Some((header, encoded.len())));
            (0..encoded.len()).for_each(|cut| assert_eq!(Header::read(&encoded[..cut]), None, "{case}"));
        }
    }

    #[test]
    fn what_is_sealed_and_opened_is_that_of_the_rfc() {
        let case = &vectors()["sframe"];
        let header = Header { kid: number(&case["kid"]), ctr: number(&case["ctr"]) };
        let keys = Keys::new(&bytes(&case["base_key"]).try_into().unwrap(), header.kid).unwrap();
        let (beside, plain, sealed) = (bytes(&case["metadata"]), bytes(&case["pt"]), bytes(&case["ct"]));
        let mut out = Vec::new();
        keys.seal(header.ctr, &beside, &[&plain[..5], &plain[5..]], &mut out).unwrap();
        assert_eq!(out, sealed);
        let read = Header::read(&out).unwrap();
        assert_eq!(read.0, header);
        let opened = keys.open(read, &beside, &mut out).unwrap();
        assert_eq!(out[opened], plain);
    }
}
