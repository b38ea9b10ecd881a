//! What others write in paths and in JSON: percent-encoding and base64.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The parts of a path between slashes, decoded; `None` if it is no UTF-8.
#[must_use]
pub fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/').filter(|s| !s.is_empty()).map(decode).collect()
}

/// Undoes percent-encoding (RFC 3986, section 2.1); `None` if no UTF-8 comes out.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

/// The bytes of base64 text, with or without the beginning of a `data:` URL before it, padded or not.
#[must_use]
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = match text.strip_prefix("data:") {
        Some(url) => url.split_once(";base64,")?.1,
        None => text,
    };
    let text = text.trim_end().trim_end_matches('=');
    data_encoding::BASE64_NOPAD.decode(text.as_bytes()).ok().filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_and_decoded() {
        assert_eq!(segments("/stream/a%20b/c%C3%BC%").unwrap(), ["stream", "a b", "cü%"]);
        assert_eq!(segments("//").unwrap(), [""; 0]);
        assert_eq!(segments("/%ff"), None);
    }

    #[test]
    fn base64_is_read_as_others_write_it() {
        for good in ["AAEC", "AAECAw==", "AAECAw", "data:image/jpeg;base64,AAEC", "AAEC\n"] {
            assert!(decode_base64(good).unwrap().starts_with(&[0, 1, 2]), "{good}");
        }
        for bad in ["", "A", "AA=C", "data:image/jpeg,AAEC", "ä"] {
            assert_eq!(decode_base64(bad), None, "{bad}");
        }
    }
}
