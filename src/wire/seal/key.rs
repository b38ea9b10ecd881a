//! The secret that publisher and viewers share: 16 random bytes, or a passphrase; and what becomes of it for one stream.

use std::num::NonZeroU32;

use data_encoding::BASE64URL_NOPAD;
use ring::pbkdf2;

use super::sframe::{KEY, derive};
use crate::names::StreamKey;

/// Rounds of PBKDF2: what OWASP asks for with SHA-256, and a fifth of a second.
const ROUNDS: NonZeroU32 = match NonZeroU32::new(600_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MAX,
};
/// Characters of a random key.
const KEY_TEXT: usize = 22;
/// The shortest passphrase, in characters.
const SHORTEST: usize = 12;

/// What was given as a key.
#[derive(Clone, PartialEq, Eq)]
pub enum SealKey {
    /// 16 random bytes, as they are in links.
    Random([u8; KEY]),
    /// Words that somebody made up.
    Passphrase(String),
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(…)")
    }
}

impl SealKey {
    /// Reads a key as it is in a file or behind `key=` of a link: 22 characters of base64url that stand for 16 bytes are these
    /// bytes; everything else is a passphrase, of 12 characters at least. What stands around it, blanks and ends of lines, is
    /// no part of it.
    ///
    /// # Errors
    /// It is too short for a passphrase; what to do about it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = text.strip_prefix("key=").unwrap_or(text);
        if text.len() == KEY_TEXT
            && let Ok(bytes) = BASE64URL_NOPAD.decode(text.as_bytes())
            && let Ok(bytes) = bytes.try_into()
        {
            return Ok(Self::Random(bytes));
        }
        match text.chars().count() {
            0 => Err("the key is empty".into()),
            SHORTEST.. if !text.chars().any(char::is_control) => Ok(Self::Passphrase(text.into())),
            SHORTEST.. => Err("the key has more than one line, or characters that cannot be typed".into()),
            n => Err(format!(
                "a passphrase of {n} characters is easily guessed: take {SHORTEST} or more, or a random key of {KEY_TEXT}"
            )),
        }
    }

    /// A random key as text, as links and files have it.
    #[must_use]
    pub fn text(bytes: &[u8; KEY]) -> String {
        BASE64URL_NOPAD.encode(bytes)
    }

    /// The secret of one stream. Takes a fifth of a second for a passphrase.
    #[must_use]
    pub fn of_stream(&self, stream: &StreamKey) -> StreamSecret {
        let salt = format!("streamflow 1|{}|{}", stream.room, stream.name);
        let shared = match self {
            Self::Random(bytes) => *bytes,
            Self::Passphrase(words) => {
                let mut bytes = [0; KEY];
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt.as_bytes(), words.as_bytes(), &mut bytes);
                bytes
            }
        };
        StreamSecret { salt, shared }
    }
}

/// What is sealed. One does not open as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// Pictures of any rung.
    Pictures,
    /// Packets of sound.
    Audio,
}

/// The secret of one stream: pictures of another do not open with it, though the key is the same.
#[derive(Clone)]
pub struct StreamSecret {
    salt: String,
    shared: [u8; KEY],
}

impl StreamSecret {
    /// The base key of a publisher's track: each has its own, as RFC 9605 asks for (4.4.1), by the number that it made up when
    /// it started. `None` where the library refuses, which it does not.
    #[must_use]
    pub fn base_key(&self, track: Track, instance: u64) -> Option<[u8; KEY]> {
        let label: &[u8] = match track {
            Track::Pictures => b"send",
            Track::Audio => b"sound",
        };
        derive(self.salt.as_bytes(), &self.shared, &[label, &instance.to_be_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_random_bytes_or_a_passphrase_and_nothing_short() {
        let text = SealKey::text(&[7; KEY]);
        for given in [text.clone(), format!("key={text}"), format!("  {text}\r\n")] {
            assert_eq!(SealKey::parse(&given), Ok(SealKey::Random([7; KEY])), "{given}");
        }
        let passphrase = |text: &str| Ok(SealKey::Passphrase(text.into()));
        // One bit too many, a character too many, one of another alphabet.
        for given in ["AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAA/A", "vier grüne Äpfel"]
        {
            assert_eq!(SealKey::parse(given), passphrase(given));
        }
        for (given, why) in
            [("", "empty"), ("key=\n", "empty"), ("hunter2", "12 or more"), ("two lines\nof it all", "line")]
        {
            assert!(SealKey::parse(given).unwrap_err().contains(why), "{given}");
        }
    }

    #[test]
    fn a_key_is_not_shown_by_whoever_logs_what_holds_it() {
        let shown = format!("{:?}", SealKey::parse("correct horse battery staple"));
        assert!(!shown.contains("horse"), "{shown}");
    }

    #[test]
    fn each_stream_each_start_of_a_publisher_and_each_track_has_a_key_of_its_own() {
        let key = SealKey::Random([7; KEY]);
        let of = |room: &str, name: &str| key.of_stream(&StreamKey::new(room, name));
        let door = of("main", "door");
        let others = [of("main", "gate"), of("mai", "ndoor")].map(|secret| secret.base_key(Track::Pictures, 1));
        let own =
            [(Track::Pictures, 1), (Track::Pictures, 2), (Track::Audio, 1)].map(|(track, n)| door.base_key(track, n));
        let all = [&own[..], &others].concat();
        for (n, one) in all.iter().enumerate() {
            assert!(one.is_some() && all[..n].iter().all(|other| other != one));
        }
    }
}
