//! The end of a pipe that another program reads from.

/// Lets a pipe hold as little as can be, where it is one and the system can: what waits in it is old when it is read.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn hold_little(end: &impl std::os::fd::AsFd) {
    // What is no pipe stays as it is.
    let _ = rustix::pipe::fcntl_setpipe_size(end, 4096);
}

/// Other systems have pipes of one size.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn hold_little<T>(_: &T) {}

/// Whether nobody reads what is written there, or will.
#[cfg(unix)]
pub(super) fn is_broken(end: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut end = [PollFd::new(end, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let found = poll(&mut end, Some(&at_once)).unwrap_or(0);
    found > 0 && end[0].revents().contains(PollFlags::ERR)
}

/// The next write says so there.
#[cfg(not(unix))]
pub(super) fn is_broken<T>(_: &T) -> bool {
    false
}
