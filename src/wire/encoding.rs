//! What others write in paths and in JSON: percent-encoding and base64.

use std::borrow::Cow;
use std::sync::LazyLock;

use data_encoding::{BASE64_NOPAD, Encoding};
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

/// Base64 as tools write it: in lines, of either alphabet, with bits left over at its end.
static LENIENT: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut lenient = BASE64_NOPAD.specification();
    lenient.ignore.push_str(" \t\r\n");
    lenient.translate.from.push_str("-_");
    lenient.translate.to.push_str("+/");
    lenient.check_trailing_bits = false;
    lenient.encoding().ok()
});

/// The bytes of base64 text, with or without the beginning of a `data:` URL before it, padded or not.
#[must_use]
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = match text.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("data:") => {
            let (before, data) = text.split_once(',')?;
            let is_base64 = before.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
            is_base64.then_some(data)?
        }
        _ => text,
    };
    let text = text.trim().trim_end_matches('=');
    // The usual form is read at four times the speed.
    let bytes = BASE64_NOPAD.decode(text.as_bytes()).ok();
    let bytes = bytes.or_else(|| LENIENT.as_ref()?.decode(text.as_bytes()).ok());
    bytes.filter(|bytes| !bytes.is_empty())
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
        for good in [
            "AAEC",
            "AAECAw==",
            "AAECAw",
            "AAECAx",
            "data:image/jpeg;base64,AAEC",
            "DATA:image/jpeg;charset=utf-8;BASE64,\nAAEC",
            "AAEC\n",
            " AA\r\nEC\r\n",
        ] {
            assert!(decode_base64(good).unwrap().starts_with(&[0, 1, 2]), "{good}");
        }
        assert_eq!((decode_base64("+/+/"), decode_base64("-_-\n_")), (decode_base64("-_-_"), decode_base64("+/+/")));
        for bad in ["", "A", "AA=C", "data:image/jpeg,AAEC", "data:image/jpeg;base64", "ä", "AA*C"] {
            assert_eq!(decode_base64(bad), None, "{bad}");
        }
    }
}
