//! A secret that travels through the program: what lets somebody in. It is in no log and no report.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// What is escaped in a URL: all but the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The text of a secret, of a signed link, or of a password. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The longest, in bytes: a signed link that names a few dozen streams has two thousand.
    pub const LONGEST: usize = 4096;

    /// One that somebody typed, pasted or kept in a file.
    ///
    /// # Errors
    /// What is wrong with it, without the text.
    pub fn checked(text: &str) -> Result<Self, &'static str> {
        match text {
            "" => Err("it is empty"),
            _ if text.len() > Self::LONGEST => Err("it is too long"),
            _ if text.chars().any(char::is_control) => Err("it has control characters"),
            _ => Ok(Self(text.into())),
        }
    }

    /// The same as it stands in a URL, with `%` and two digits for what may not stand there.
    ///
    /// # Errors
    /// What is wrong with it, without the text.
    pub fn of_url(text: &str) -> Result<Self, &'static str> {
        if text.len() > 3 * Self::LONGEST {
            return Err("it is too long");
        }
        Self::checked(&percent_decode_str(text).decode_utf8().map_err(|_| "it is no text")?)
    }

    /// As it stands in a URL, or in a file with words.
    pub fn for_url(&self) -> impl std::fmt::Display {
        utf8_percent_encode(&self.0, ESCAPED)
    }

    /// The text itself, for whoever compares or sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_whoever_logs_what_holds_it() {
        let shown = format!("{:?}", (Secret::from("hunter2"), Some(Secret::from("hunter2".to_owned()))));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_secret_is_read_from_a_url_as_it_was_written_there() {
        for (text, written) in [
            ("eyJh.e30.Zm-_~9", "eyJh.e30.Zm-_~9"),
            ("two words & #1 = 100%", "two%20words%20%26%20%231%20%3D%20100%25"),
            ("schön", "sch%C3%B6n"),
        ] {
            let secret = Secret::checked(text).unwrap();
            assert_eq!(secret.for_url().to_string(), written);
            assert_eq!(Secret::of_url(written).unwrap(), secret);
        }
        let long = "a".repeat(Secret::LONGEST);
        assert!(Secret::of_url(&long).is_ok() && Secret::of_url(&format!("{long}a")).is_err());
        for wrong in ["", "%FF", "a%00b", "a\nb", &"%41".repeat(Secret::LONGEST + 1)] {
            assert!(Secret::of_url(wrong).is_err(), "{wrong:.20}");
        }
    }
}
