//! The fingerprint of a hub's key, as people compare it and links carry it.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};

/// What is written before a fingerprint, as OpenSSH does.
const PREFIX: &str = "SHA256:";

/// The SHA-256 of a public key (its SubjectPublicKeyInfo, RFC 5280, section 4.1.2.7): it stays when the certificate is renewed.
/// Written as OpenSSH does, `SHA256:` and base64; read with the alphabet of URLs as well, and without the prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyFingerprint(pub [u8; 32]);

impl KeyFingerprint {
    /// As a link has it: 43 characters that need no escape in a URL.
    #[must_use]
    pub fn for_url(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyFingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.strip_prefix(PREFIX).unwrap_or(text).trim_end_matches('=');
        let bytes = BASE64_NOPAD.decode(digits.as_bytes()).or_else(|_| BASE64URL_NOPAD.decode(digits.as_bytes()));
        let bytes = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self).ok_or("a fingerprint is SHA256: and 43 characters, as the hub prints it when it starts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_in_every_way_that_it_is_written() {
        let key = KeyFingerprint(std::array::from_fn(|n| n as u8 * 8 + 7));
        let shown = key.to_string();
        assert!(shown.starts_with("SHA256:") && shown.len() == 7 + 43, "{shown}");
        for text in [&shown, &shown[7..], &key.for_url(), &format!(" SHA256:{}=\n", key.for_url())] {
            assert_eq!(text.parse(), Ok(key), "{text}");
        }
        for wrong in ["", "SHA256:", &shown[..49], &format!("{shown}A"), "SHA256:é", &"*".repeat(43)] {
            assert!(wrong.parse::<KeyFingerprint>().is_err(), "{wrong}");
        }
    }
}
