//! Why a device cannot be opened, in words that say what to do.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::io::Errno;

use super::lost;
use crate::source::SourceError;

/// What is read of the file with the groups, at most.
const GROUPS: u64 = 1 << 20;

/// What is told of a device that cannot be opened.
pub(in crate::source::camera) fn closed(path: &Path, error: &io::Error) -> SourceError {
    match Errno::from_io_error(error) {
        Some(Errno::ACCESS) => SourceError::Lost(format!("camera: {}", denied(path))),
        // A process of the right group is not told that: there is a fence around it.
        Some(Errno::PERM) => SourceError::Lost(format!(
            "camera: this container or service may not use it; let {} into it (docker run --device, systemd's DeviceAllow=)",
            path.display()
        )),
        _ => lost(error),
    }
}

fn denied(path: &Path) -> String {
    let Ok(node) = path.metadata() else { return "permission denied".into() };
    let mut groups = String::new();
    // Without it the group has a number alone.
    let _ = File::open("/etc/group").map(|file| file.take(GROUPS).read_to_string(&mut groups));
    who_may(node.permissions().mode(), node.gid(), &groups)
}

/// Who may open a device with these rights, and how to become one of them.
fn who_may(mode: u32, gid: u32, groups: &str) -> String {
    if mode & 0o060 != 0o060 || gid == 0 {
        return format!("permission denied: no group may use it (its mode is {:04o}), root alone", mode & 0o7777);
    }
    match group(groups, gid) {
        Some(name) => format!(
            "permission denied: it is for the group '{name}'; sudo usermod -aG {name} \"$USER\" lets you in, once you log in again"
        ),
        None => format!(
            "permission denied: it is for the group {gid}, which has no name here (docker run --group-add {gid})"
        ),
    }
}

/// The name of a group, from a text like `/etc/group`.
fn group(groups: &str, gid: u32) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        // A name that is not plain is none to be put into a command.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_it = fields.nth(1)?.parse() == Ok(gid) && !name.is_empty() && name.chars().all(plain);
        is_it.then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "root:x:0:\nvideo:x:44:ann,ben\nbad;rm:x:45:\n\nhalf:x\ncameras:x:1001:\n";

    #[test]
    fn who_may_not_open_a_camera_is_told_which_group_may() {
        let said = who_may(0o020_660, 44, FILE);
        assert!(said.starts_with("permission denied: it is for the group 'video'; sudo usermod -aG video "), "{said}");
        assert!(who_may(0o020_660, 1001, FILE).contains("'cameras'"));
        let nameless = who_may(0o020_660, 45, FILE);
        assert!(nameless.contains("the group 45,") && !nameless.contains("bad"), "{nameless}");
    }

    #[test]
    fn a_camera_that_no_group_may_use_names_none() {
        for (mode, gid) in [(0o020_600, 44), (0o020_660, 0), (0o020_640, 44)] {
            let said = who_may(mode, gid, FILE);
            assert!(said.contains("no group may use it (its mode is 0") && !said.contains("usermod"), "{said}");
        }
    }

    #[test]
    fn a_fence_around_a_process_is_no_missing_group() {
        let path = Path::new("/dev/video0");
        let said = closed(path, &io::Error::from_raw_os_error(Errno::PERM.raw_os_error())).to_string();
        assert!(said.contains("container") && said.contains("/dev/video0") && !said.contains("group"), "{said}");
        let busy = closed(path, &io::Error::from_raw_os_error(Errno::BUSY.raw_os_error())).to_string();
        assert_eq!(busy, "camera busy: another program has it");
    }
}
