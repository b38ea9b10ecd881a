//! systemd's journal, which knows the time of each line itself, and its level from a number in front of it (sd-daemon(3)).

use log::Level;

/// Whether standard error is the journal: it says which file it reads (`JOURNAL_STREAM`), for a child may write elsewhere.
#[cfg(target_os = "linux")]
pub(super) fn reads_stderr() -> bool {
    let Some(named) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    rustix::fs::fstat(std::io::stderr()).is_ok_and(|about| is_file(&named, about.st_dev, about.st_ino))
}

/// As on Linux.
#[cfg(not(target_os = "linux"))]
pub(super) fn reads_stderr() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn is_file(named: &str, device: u64, inode: u64) -> bool {
    named == format!("{device}:{inode}")
}

/// What stands in front of a line.
pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_its_file() {
        assert!(is_file("8:12", 8, 12) && !is_file("8:12", 8, 13) && !is_file("", 8, 12));
    }
}
