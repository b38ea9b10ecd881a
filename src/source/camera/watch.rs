//! Watches `/dev` for cameras that come and go, by inotify: nothing is looked up before the kernel says that something happened.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::hotplug::{Change, Sign, Tries, Wanted};
use crate::time::now;

/// Where devices are.
pub(in crate::source) const DEVICES: &str = "/dev";
/// Events that are read at once, at most.
const MOST: usize = 1024;
/// What came meanwhile is read after so long where the last events were none of a camera: a flood of them costs little.
const PAUSE: Duration = Duration::from_millis(20);

/// The folders in which a camera is told.
pub(super) struct Watch {
    inotify: OwnedFd,
    wanted: Wanted,
    /// Those that are there, by the number of their watch.
    folders: Vec<(i32, PathBuf)>,
}

impl Watch {
    /// Begins to watch. What was there before is not told.
    pub(super) fn new(wanted: Wanted) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut this = Self { inotify, wanted, folders: Vec::new() };
        this.follow()?;
        if this.folders.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(this)
    }

    /// Watches those folders that are there now; says whether one is new.
    fn follow(&mut self) -> io::Result<bool> {
        let told = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::ONLYDIR;
        let before = std::mem::take(&mut self.folders);
        for folder in self.wanted.folders() {
            match inotify::add_watch(&self.inotify, &folder, told) {
                Ok(number) => self.folders.push((number, folder)),
                // It is told by the folder around it once it is there.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.folders.iter().any(|(number, _)| before.iter().all(|(old, _)| old != number)))
    }

    /// Waits for a sign of a camera, `patience` at most.
    pub(super) fn wait(&mut self, patience: Duration) -> Option<Sign> {
        let until = now() + patience;
        loop {
            let left = until.since(now());
            let mut polled = [PollFd::new(&self.inotify, PollFlags::IN)];
            if poll(&mut polled, Timespec::try_from(left).ok().as_ref()).unwrap_or(0) == 0 {
                return None;
            }
            let sign = self.read();
            let left = until.since(now());
            if sign.is_some() || left.is_zero() {
                return sign;
            }
            thread::sleep(left.min(PAUSE));
        }
    }

    /// Reads what has happened.
    fn read(&mut self) -> Option<Sign> {
        let (mut sign, mut changed) = (None, false);
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.inotify, &mut space);
        for _ in 0..MOST {
            let Ok(event) = events.next() else { break };
            let what = event.events();
            if what.intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED) {
                // Some were lost, or a folder has gone: whatever is waited for may have come.
                (sign, changed) = (Some(Sign::Came), true);
                continue;
            }
            let folder = self.folders.iter().find(|(number, _)| *number == event.wd());
            let (Some((_, folder)), Some(name)) = (folder, event.file_name()) else { continue };
            let gone = what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
            let change = if gone { Change::Gone } else { Change::There };
            if let Some(told) = self.wanted.sign(folder, OsStr::from_bytes(name.to_bytes()), change) {
                changed = true;
                sign = if sign == Some(Sign::Came) { sign } else { Some(told) };
            }
        }
        match changed.then(|| self.follow()) {
            // What is in a folder that is new was not told.
            Some(Ok(true)) => Some(Sign::Came),
            Some(Err(error)) => {
                log::debug!("not all of {DEVICES} is watched: {error}");
                sign
            }
            _ => sign,
        }
    }
}

/// A camera that is waited for.
pub(in crate::source) struct Awaited {
    watch: Watch,
    tries: Tries,
}

impl Awaited {
    /// Waits for the camera at this path, or for any; `None` where the system does not tell of them.
    pub(in crate::source) fn new(root: &Path, path: Option<&Path>) -> Option<Self> {
        match Watch::new(Wanted::new(root, path)) {
            Ok(watch) => Some(Self { watch, tries: Tries::default() }),
            Err(error) => {
                log::debug!("nobody tells when a camera comes ({error}): it is tried again every second");
                None
            }
        }
    }

    /// Whether to try to open it, after `patience` at most.
    pub(in crate::source) fn is_due_within(&mut self, patience: Duration) -> bool {
        let patience = self.tries.due_in(now()).map_or(patience, |due| due.min(patience));
        if self.watch.wait(patience) == Some(Sign::Came) {
            self.tries.came(now());
        }
        self.tries.take(now())
    }

    /// Whether there was a sign of it so lately that it may just not be ready.
    pub(in crate::source) fn is_settling(&self) -> bool {
        self.tries.is_settling()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    const LONG: Duration = Duration::from_secs(30);
    /// What has happened already is told without waiting.
    const AT_ONCE: Duration = Duration::ZERO;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("streamflow-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_camera_that_comes_is_told_and_so_are_its_rights_and_its_end() {
        let folder = Folder::new("watch-any");
        let mut watch = Watch::new(Wanted::new(&folder.0, None)).unwrap();
        assert_eq!(watch.wait(AT_ONCE), None);
        let node = folder.0.join("video0");
        File::create(&node).unwrap();
        assert_eq!(watch.wait(LONG), Some(Sign::Came));
        fs::set_permissions(&node, Permissions::from_mode(0o660)).unwrap();
        assert_eq!(watch.wait(LONG), Some(Sign::Came));
        fs::remove_file(&node).unwrap();
        assert_eq!(watch.wait(LONG), Some(Sign::Went));
        File::create(folder.0.join("elsewhere")).unwrap();
        fs::rename(folder.0.join("elsewhere"), &node).unwrap();
        assert_eq!(watch.wait(LONG), Some(Sign::Came));
        assert_eq!(watch.wait(AT_ONCE), None);
    }

    #[test]
    fn what_is_no_camera_wakes_nobody_and_a_flood_of_it_hides_none() {
        let folder = Folder::new("watch-flood");
        let mut watch = Watch::new(Wanted::new(&folder.0, None)).unwrap();
        for n in 0..2000 {
            let path = folder.0.join(format!("loop{n}"));
            File::create(&path).unwrap();
            fs::remove_file(path).unwrap();
        }
        assert_eq!(watch.wait(Duration::from_millis(100)), None);
        File::create(folder.0.join("video7")).unwrap();
        assert_eq!(watch.wait(LONG), Some(Sign::Came));
    }

    #[test]
    fn a_camera_by_id_is_told_though_its_folders_are_made_with_it_and_removed_with_it() {
        let folder = Folder::new("watch-by-id");
        let by_id = folder.0.join("v4l/by-id");
        let path = by_id.join("usb-Cam-video-index0");
        let mut watch = Watch::new(Wanted::new(&folder.0, Some(&path))).unwrap();
        for _ in 0..3 {
            fs::create_dir_all(&by_id).unwrap();
            symlink("../../video0", &path).unwrap();
            assert_eq!(watch.wait(LONG), Some(Sign::Came), "the folders came");
            while watch.wait(AT_ONCE).is_some() {}
            fs::remove_file(&path).unwrap();
            assert_eq!(watch.wait(LONG), Some(Sign::Went));
            symlink("../../video1", by_id.join("usb-Other-video-index0")).unwrap();
            assert_eq!(watch.wait(AT_ONCE), None, "another camera");
            symlink("../../video0", &path).unwrap();
            assert_eq!(watch.wait(LONG), Some(Sign::Came));
            fs::remove_dir_all(folder.0.join("v4l")).unwrap();
            while watch.wait(AT_ONCE).is_some() {}
        }
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_watched() {
        assert!(Watch::new(Wanted::new("/nowhere at all", None)).is_err());
        assert!(Awaited::new(Path::new("/nowhere at all"), None).is_none());
    }

    #[test]
    fn who_waits_tries_when_there_is_a_sign_and_not_before() {
        let folder = Folder::new("watch-awaited");
        let mut awaited = Awaited::new(&folder.0, None).unwrap();
        assert!(!awaited.is_due_within(AT_ONCE) && !awaited.is_settling());
        File::create(folder.0.join("video0")).unwrap();
        assert!(awaited.is_due_within(LONG) && awaited.is_settling());
    }
}
