//! Names of rooms and streams: what they may be, and what becomes of names that others chose.

use crate::text::{Untrusted, acts};

/// The longest name that others may choose, in bytes.
pub const MAX_NAME: usize = 200;

/// A stream's address: the room, and the name in it. Whoever has one has names that were checked, or made to fit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// The room; `main` unless somebody said otherwise.
    pub(crate) room: String,
    /// The name in the room; empty for the first stream there is.
    pub(crate) name: String,
}

impl StreamKey {
    /// The room.
    #[must_use]
    pub fn room(&self) -> &str {
        &self.room
    }

    /// The name in the room; empty for the first stream there is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `room/name`, of names that are known to be fit.
    #[must_use]
    pub(crate) fn new(room: impl Into<String>, name: impl Into<String>) -> Self {
        Self { room: room.into(), name: name.into() }
    }

    /// `room/name`, of names that somebody gave: each 1 to 64 letters, digits and `-_.@`.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn parse(room: &str, name: &str) -> Result<Self, String> {
        check_name(name)?;
        Self::parse_to_watch(room, name)
    }

    /// The same of a viewer, whose name may be empty: it asks for the first stream of the room.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn parse_to_watch(room: &str, name: &str) -> Result<Self, String> {
        check_name(room)?;
        if !name.is_empty() {
            check_name(name)?;
        }
        Ok(Self::new(room, name))
    }
}

impl std::fmt::Display for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.room, self.name)
    }
}

/// Whether a name may have the character: letters and digits of any script that can be seen, and `-_.@`. Fillers are letters
/// to Unicode, and a name of them would look like none, or like another.
#[must_use]
pub fn in_name(c: char) -> bool {
    // Egyptian blanks are letters too, and not among what is ignored.
    let blank = acts(c) || matches!(c, '\u{13441}' | '\u{13442}');
    c.is_alphanumeric() && !blank || "-_.@".contains(c)
}

/// Checks a room's or a stream's name: 1 to 64 letters, digits and `-_.@`, so that it fits a path, a log line and a
/// title everywhere.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_name(name: &str) -> Result<(), String> {
    match name.chars().count() {
        0 => Err("a name must not be empty".into()),
        65.. => Err("a name has 64 characters at most".into()),
        _ if name.starts_with('.') => Err(format!("the name '{name}' must not begin with a dot")),
        _ => match name.chars().find(|c| !in_name(*c)) {
            Some(bad) => Err(format!(
                "'{}' is not allowed in the name '{}'; use letters, digits and -_.@",
                Untrusted(bad),
                Untrusted(name)
            )),
            None => Ok(()),
        },
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn every_character_of_a_name_can_be_seen() {
        for blank in
            ["\u{3164}", "\u{115f}", "\u{1160}", "\u{ffa0}", "door\u{3164}", "\u{13441}", "\u{13442}", "a\u{fe0f}"]
        {
            let error = check_name(blank).unwrap_err();
            assert!(!error.chars().any(acts), "{error:?}");
        }
        let ignored: Vec<char> = (char::MIN..=char::MAX).filter(|c| acts(*c) && in_name(*c)).collect();
        assert_eq!(ignored, []);
        assert_eq!(check_name("문-門-باب-Tür"), Ok(()));
    }

    #[test]
    fn names_fit_paths_and_titles() {
        for good in ["door", "main", "Haustür", "cam-1_a.b@c"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a/b", "..", "a b", "\u{7}", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
