//! The number by which a hub knows this machine's publishers when they start anew.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::net::state_dir;

/// The number that is stored in this state folder, or the usual one; made up and stored if there is none yet. Where it cannot be
/// stored, it holds until the program ends: the hub then waits longer before it gives a silent publisher's name to it.
pub(super) fn publisher(state: Option<&Path>) -> u64 {
    let made_up = fastrand::u64(1..);
    let folder = state.map(Path::to_owned).or_else(state_dir::default_dir);
    folder.map_or(made_up, |folder| stored(&folder, made_up))
}

fn stored(folder: &Path, made_up: u64) -> u64 {
    let path = folder.join("publisher-id");
    if let Some(id) = read(&path) {
        return id;
    }
    // Of several programs that start at once the first one's stays: a link is made only where there is nothing.
    let own = folder.join(format!("publisher-id.{}", std::process::id()));
    let written = fs::create_dir_all(folder)
        .and_then(|()| fs::File::create(&own))
        .and_then(|mut file| writeln!(file, "{made_up:016x}"))
        .and_then(|()| if path.exists() { fs::rename(&own, &path) } else { fs::hard_link(&own, &path) });
    let _ = fs::remove_file(&own);
    if let Err(error) = written {
        log::debug!("the publisher id is not stored in {}: {error}", path.display());
    }
    read(&path).unwrap_or(made_up)
}

fn read(path: &Path) -> Option<u64> {
    // Nobody's file is that long; one that is must not be read whole.
    let short = fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() <= 64);
    let text = short.then(|| fs::read_to_string(path).ok())??;
    u64::from_str_radix(text.trim(), 16).ok().filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stays_whatever_happened_to_its_file() {
        let folder = std::env::temp_dir().join(format!("streamflow-identity-{}", std::process::id()));
        let inner = folder.join("state");
        assert_eq!((stored(&inner, 7), stored(&inner, 8)), (7, 7));
        for nonsense in ["", "0", "no number", &"f".repeat(1000)] {
            fs::write(inner.join("publisher-id"), nonsense).unwrap();
            assert_eq!((stored(&inner, 9), stored(&inner, 10)), (9, 9), "{nonsense}");
        }
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "nothing else is left there");
        // A folder that cannot be made ends nobody.
        fs::write(folder.join("file"), "").unwrap();
        assert_eq!(stored(&folder.join("file"), 11), 11);
        fs::remove_dir_all(folder).unwrap();
    }
}
