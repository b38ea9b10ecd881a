//! What is said of pictures that are saved: a rule on `now`, so that a night of them is a line now and then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::time::Micros;

/// How long after the first line another one is said at the earliest; each following one twice as long after the last.
const FIRST: Duration = Duration::from_secs(10);
/// The longest time between two lines.
const LONGEST: Duration = Duration::from_secs(3600);

/// The pictures that were saved.
pub(super) struct Saved {
    folder: PathBuf,
    count: u64,
    last: PathBuf,
    next: Micros,
    apart: Duration,
}

impl Saved {
    pub(super) fn new(folder: &Path, now: Micros) -> Self {
        Self { folder: folder.to_owned(), count: 0, last: PathBuf::new(), next: now, apart: FIRST }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// One more was saved; what there is to say of that.
    pub(super) fn add(&mut self, path: &Path, now: Micros) -> Option<String> {
        self.count += 1;
        self.last = path.to_owned();
        if self.count > 1 && now < self.next {
            return None;
        }
        let line = if self.count == 1 { format!("saves pictures: {}", path.display()) } else { self.sum() };
        self.next = now + self.apart;
        self.apart = (self.apart * 2).min(LONGEST);
        Some(line)
    }

    /// All of them.
    pub(super) fn sum(&self) -> String {
        let folder = self.folder.display();
        let name = || self.last.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match self.count {
            0 => format!("saved no picture in {folder}"),
            1 => format!("saved 1 picture in {folder}: {}", name()),
            n => format!("saved {n} pictures in {folder}, the last one as {}", name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_pictures_is_said_in_few_lines_and_all_are_counted() {
        let mut saved = Saved::new(Path::new("seen"), Micros(0));
        assert_eq!(saved.sum(), "saved no picture in seen");
        let all = 24 * 3600 * 30;
        let lines = (0..all).filter_map(|n| saved.add(Path::new("seen/a.jpg"), Micros(n * 33_333)));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines[0], "saves pictures: seen/a.jpg");
        assert!(lines[1].starts_with("saved 3") && lines.len() < 40, "{lines:?}");
        assert_eq!(saved.sum(), format!("saved {all} pictures in seen, the last one as a.jpg"));
    }
}
