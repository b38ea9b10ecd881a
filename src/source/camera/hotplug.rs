//! The rules of waiting for a camera that is not there: which entries of which folders tell of it, and when it is tried.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::v4l::devices::node_number;
use crate::time::Micros;

/// What an entry of a watched folder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A camera may be there now, or may be opened now that its rights were changed.
    Came,
    /// One has gone.
    Went,
}

/// What happened to an entry of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was made, moved here, or has other rights.
    There,
    /// It was removed, or moved away.
    Gone,
}

/// Folders that are watched at most: a path is no deeper than that.
const DEEPEST: usize = 16;

/// Which camera is waited for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// `/dev`.
    root: PathBuf,
    /// The path of the very camera below it; `None`: any.
    path: Option<PathBuf>,
}

impl Wanted {
    pub(super) fn new(root: impl Into<PathBuf>, path: Option<&Path>) -> Self {
        Self { root: root.into(), path: path.map(Path::to_owned) }
    }

    /// The folders to watch, the outer ones first: the root, and those on the way to the path. Those that are not there yet are told
    /// by the one around them.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.root.clone()];
        let below = |path: &Path| path.strip_prefix(&self.root).ok().map(Path::to_owned);
        if let Some(inside) = self.path.as_deref().and_then(below).as_deref().and_then(Path::parent) {
            let mut folder = self.root.clone();
            for part in inside.components().take(DEEPEST) {
                folder.push(part);
                folders.push(folder.clone());
            }
        }
        folders
    }

    /// What it means that something happened to an entry of a folder; `None`: nothing to whoever waits for this camera.
    pub(super) fn sign(&self, folder: &Path, name: &OsStr, change: Change) -> Option<Sign> {
        let is_node = folder == self.root && name.to_str().and_then(node_number).is_some();
        let rest = self.path.as_deref().and_then(|path| path.strip_prefix(folder).ok());
        let is_on_the_way = rest.and_then(|rest| rest.iter().next()) == Some(name);
        (is_node || is_on_the_way).then_some(match change {
            Change::There => Sign::Came,
            Change::Gone => Sign::Went,
        })
    }
}

/// No two tries are nearer to each other than this, however many signs there are.
const LEAST: Duration = Duration::from_millis(50);
/// How long after one try the next follows, where the camera could not be opened: its node is there before the system has given it
/// its rights, and some need a moment until they answer.
const AFTER: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(300),
    Duration::from_millis(400),
];

/// When a camera that is waited for is tried: at once when there is a sign of it, and a few times in the second after that.
#[derive(Debug, Default)]
pub(super) struct Tries {
    due: Option<Micros>,
    /// Tries since the last sign.
    done: usize,
    last: Option<Micros>,
}

impl Tries {
    /// There was a sign.
    pub(super) fn came(&mut self, now: Micros) {
        let earliest = self.last.map_or(now, |last| last + LEAST);
        (self.due, self.done) = (Some(now.max(earliest)), 0);
    }

    /// Whether to try now; then that is taken to be done.
    pub(super) fn take(&mut self, now: Micros) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        self.last = Some(now);
        self.due = AFTER.get(self.done).map(|after| now + *after);
        self.done += 1;
        true
    }

    /// How long nothing is due; `None` before there was a sign.
    pub(super) fn due_in(&self, now: Micros) -> Option<Duration> {
        self.due.map(|due| due.since(now))
    }

    /// Whether there was a sign so lately that a camera that cannot be opened may just not be ready.
    pub(super) fn is_settling(&self) -> bool {
        self.due.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/dev";
    const BY_ID: &str = "/dev/v4l/by-id/usb-Cam_1-video-index0";

    #[test]
    fn any_camera_is_told_by_its_node_alone() {
        let wanted = Wanted::new(ROOT, None);
        assert_eq!(wanted.folders(), [Path::new(ROOT)]);
        let sign = |name: &str, change| wanted.sign(Path::new(ROOT), OsStr::new(name), change);
        assert_eq!(sign("video0", Change::There), Some(Sign::Came));
        assert_eq!(sign("video12", Change::Gone), Some(Sign::Went));
        for other in ["tty1", "video", "video-cam", "loop0", "v4l", "media0", "video0.tmp", "\u{1f600}"] {
            assert_eq!(sign(other, Change::There), None, "{other}");
        }
        assert_eq!(wanted.sign(Path::new("/dev/v4l"), OsStr::new("video0"), Change::There), None);
    }

    #[test]
    fn a_camera_by_id_is_told_by_each_folder_on_the_way_to_it() {
        let wanted = Wanted::new(ROOT, Some(Path::new(BY_ID)));
        assert_eq!(wanted.folders(), [ROOT, "/dev/v4l", "/dev/v4l/by-id"].map(PathBuf::from));
        for (folder, name) in
            [(ROOT, "v4l"), ("/dev/v4l", "by-id"), ("/dev/v4l/by-id", "usb-Cam_1-video-index0"), (ROOT, "video3")]
        {
            assert_eq!(wanted.sign(Path::new(folder), OsStr::new(name), Change::There), Some(Sign::Came), "{name}");
        }
        for (folder, name) in [("/dev/v4l/by-id", "usb-Other-video-index0"), ("/dev/v4l", "by-path"), (ROOT, "null")] {
            assert_eq!(wanted.sign(Path::new(folder), OsStr::new(name), Change::There), None, "{name}");
        }
        let elsewhere = Wanted::new(ROOT, Some(Path::new("/tmp/camera")));
        assert_eq!(elsewhere.folders(), [Path::new(ROOT)]);
        let deep = Wanted::new(ROOT, Some(&Path::new(ROOT).join("a/".repeat(100))));
        assert!(deep.folders().len() <= 1 + DEEPEST);
    }

    #[test]
    fn a_camera_is_tried_at_the_sign_and_a_few_times_in_the_second_after_it() {
        let mut tries = Tries::default();
        assert!(!tries.take(Micros(5)) && !tries.is_settling() && tries.due_in(Micros(5)).is_none());
        tries.came(Micros(1_000_000));
        let tried: Vec<u64> = (1000..10_000).filter(|ms| tries.take(Micros(ms * 1000))).collect();
        assert_eq!(tried, [1000, 1050, 1150, 1350, 1650, 2050]);
        assert!(!tries.is_settling(), "what fails then has another reason");
    }

    #[test]
    fn a_flood_of_signs_is_no_flood_of_tries() {
        let mut tries = Tries::default();
        let tried = (0..10_000_u64).filter(|ms| {
            tries.came(Micros(ms * 1000));
            tries.take(Micros(ms * 1000))
        });
        assert_eq!(tried.count(), 200, "in ten seconds");
    }
}
