//! What others write in their own way, in paths and in JSON: percent-encoding, base64, and names that must fit ours.

use super::control::{check_name, in_name};

/// The longest name that others may choose, in bytes.
pub const MAX_NAME: usize = 200;

/// The parts of a path between slashes, decoded; `None` if it is no UTF-8.
#[must_use]
pub fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/').filter(|s| !s.is_empty()).map(decode).collect()
}

/// Undoes percent-encoding (RFC 3986, section 2.1); `None` if no UTF-8 comes out.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
        rest = match (byte, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                &after[2..]
            }
            _ => {
                bytes.push(byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

/// A name of ours for one that others chose: the same where it fits; otherwise what fits of it and a number made from
/// all of it, so that two names stay two.
#[must_use]
pub fn fitting(name: &str) -> String {
    if check_name(name).is_ok() {
        return name.into();
    }
    let kept: String = name.chars().map(|c| if in_name(c) { c } else { '_' }).take(48).collect();
    format!("{}-{:08x}", kept.trim_start_matches('.'), hash(name))
}

/// FNV-1a: short, and the same in every process.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

/// A part of a file's name for what others call something, `most` bytes at most (9 or more). Slashes become dashes. What
/// else could mean something to a system or a terminal becomes `_`; where that or the length changes the name, a number
/// made from all of it follows, so that two names stay two.
#[must_use]
pub fn file_stem(name: &str, most: usize) -> String {
    let dashed: String = name.chars().map(|c| if matches!(c, '/' | '\\') { '-' } else { c }).collect();
    if dashed.len() <= most && dashed.chars().all(in_name) && !dashed.starts_with('.') {
        return dashed;
    }
    let tail = format!("-{:08x}", hash(name));
    let mut stem = String::new();
    for c in dashed.trim_start_matches('.').chars().map(|c| if in_name(c) { c } else { '_' }) {
        if stem.len() + c.len_utf8() + tail.len() > most {
            break;
        }
        stem.push(c);
    }
    stem + &tail
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

    #[test]
    fn a_file_can_have_any_name_that_somebody_chose() {
        assert_eq!(file_stem("main/door", 200), "main-door");
        let long = "\u{1d504}".repeat(64);
        let stem = file_stem(&format!("main/{long}"), 200);
        assert!(stem.len() <= 200 && stem.starts_with("main-\u{1d504}"), "{stem}");
        assert_ne!(stem, file_stem(&format!("main/{long}x"), 200));
        for odd in ["../../etc/passwd", "a\0b", "a\u{1b}[2Jb", "..", "", "a\nb", "\u{202e}gpj.exe", "C:\\x", "a b"] {
            let stem = file_stem(odd, 64);
            let fine = |c: char| c.is_alphanumeric() || "-_.@".contains(c);
            assert!(stem.chars().all(fine) && !stem.starts_with('.') && stem.len() <= 64, "{odd:?}: {stem}");
        }
        assert_ne!(file_stem("a b", 64), file_stem("a_b", 64));
    }

    #[test]
    fn names_of_others_fit_and_stay_apart() {
        assert_eq!(fitting("CAM1"), "CAM1");
        for odd in ["Lot A 1", "Lot/A/1", "", "..", &"x".repeat(MAX_NAME), "\u{1F600}"] {
            assert_eq!(check_name(&fitting(odd)), Ok(()), "{odd}");
        }
        assert_ne!(fitting("Lot A 1"), fitting("Lot/A/1"));
    }
}
