//! The hubs that were met, and the keys they had: one line each, `HOST:PORT SHA256:… DATE`.

use std::io;
use std::path::{Path, PathBuf};

use crate::net::state_dir::{read_text, write_private};
use crate::wire::fingerprint::KeyFingerprint;
use crate::wire::host::same_place;

/// A file that is longer is not read: nobody has met so many hubs.
const LONGEST: u64 = 1 << 20;

/// A hub that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownHub {
    pub(crate) key: KeyFingerprint,
    /// The day on which it was confirmed, as `2026-11-30`.
    pub(crate) since: String,
    /// The line of the file, from 1 on.
    pub(crate) line: usize,
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct KnownHubs {
    path: PathBuf,
}

impl KnownHubs {
    /// Those of a state folder.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join("known-hubs") }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file; one that is not there is empty. What cannot be read is not taken for empty: all that was known would be forgotten.
    fn read(&self) -> io::Result<String> {
        read_text(&self.path, LONGEST)
    }

    /// What is known of the hub at this address. The last line that names it counts.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn find(&self, hub: &str) -> io::Result<Option<KnownHub>> {
        let text = self.read()?;
        let lines = text.lines().enumerate().filter_map(|(number, line)| {
            let mut words = line.split_whitespace();
            let same = same_place(words.next()?, hub);
            let key = words.next()?.parse().ok()?;
            let since = words.next().unwrap_or("an unknown day").to_owned();
            same.then_some(KnownHub { key, since, line: number + 1 })
        });
        Ok(lines.last())
    }

    /// Keeps the key of a hub, as confirmed on this day, in the place of what was known of it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn remember(&self, hub: &str, key: KeyFingerprint, day: &str) -> io::Result<()> {
        if self.find(hub)?.is_some_and(|known| known.key == key) {
            return Ok(());
        }
        let before = self.read()?;
        let others = before.lines().filter(|line| {
            let first = line.split_whitespace().next().unwrap_or_default();
            !same_place(first, hub)
        });
        let mut text: String = others.map(|line| format!("{line}\n")).collect();
        text.push_str(&format!("{hub} {key} {day}\n"));
        write_private(&self.path, &text, true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn hubs_are_known_again_and_the_rest_of_the_file_stays() {
        let folder = std::env::temp_dir().join(format!("streamflow-known-{}", std::process::id()));
        let known = KnownHubs::in_dir(&folder);
        let (one, two) = (KeyFingerprint([1; 32]), KeyFingerprint([2; 32]));
        assert_eq!(known.find("desk:8002").unwrap(), None);
        known.remember("desk:8002", one, "2026-11-21").unwrap();
        fs::write(known.path(), format!("# mine\nnonsense\nlab:1 x y\n{}", known.read().unwrap())).unwrap();
        known.remember("lab:8002", two, "2026-11-22").unwrap();
        let desk = KnownHub { key: one, since: "2026-11-21".into(), line: 4 };
        assert_eq!(known.find("DESK:8002").unwrap(), Some(desk));
        assert_eq!(known.find("lab:8002").unwrap().map(|hub| hub.key), Some(two));
        known.remember("desk:8002", one, "2026-11-30").unwrap();
        assert_eq!(
            known.find("desk:8002").unwrap().map(|hub| hub.since).as_deref(),
            Some("2026-11-21"),
            "the first day stays"
        );
        known.remember("desk:8002", two, "2026-11-30").unwrap();
        assert_eq!(known.find("desk:8002").unwrap().map(|hub| hub.key), Some(two));
        assert!(known.read().unwrap().starts_with("# mine\nnonsense\nlab:1 x y\n"));
        known.remember("127.0.0.1:8002", one, "2026-11-23").unwrap();
        assert_eq!(known.find("[::1]:8002").unwrap().map(|hub| hub.key), Some(one), "one machine");
        known.remember("localhost:8002", two, "2026-11-24").unwrap();
        assert_eq!(known.find("127.0.0.1:8002").unwrap().map(|hub| hub.key), Some(two));
        assert_eq!(known.read().unwrap().matches(":8002 ").count(), 3, "and one line");
        // One letter that is none forgets nobody, and a file that cannot be read is not begun anew.
        let mut bytes = fs::read(known.path()).unwrap();
        bytes.splice(2..2, [0xff, 0xfe]);
        fs::write(known.path(), bytes).unwrap();
        assert_eq!(known.find("desk:8002").unwrap().map(|hub| hub.key), Some(two));
        fs::remove_file(known.path()).unwrap();
        fs::create_dir(known.path()).unwrap();
        assert!(known.find("desk:8002").is_err() && known.remember("x:1", one, "2026-11-30").is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
