//! The system's limit on open files: each connection is one.

/// As many as any hub here needs; more would only cost the kernel memory where something leaks.
const ENOUGH: u64 = 65_536;

/// Open files that a hub needs beside its viewers and publishers: its sockets and polls, pictures in memory, a camera, the log, and
/// some connections that have not said yet what they want.
pub const BESIDE: usize = 128;

/// How many files this process may have open now. `None` where the system has no such limit.
#[cfg(unix)]
#[must_use]
pub fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// As on Unix.
#[cfg(not(unix))]
#[must_use]
pub fn limit() -> Option<u64> {
    None
}

/// How many files this process may have open, before and after [`raise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// The limit that the process was started with.
    pub before: u64,
    /// The limit now.
    pub now: u64,
}

/// Raises the process's soft limit as far as its hard limit allows. Linux' usual soft limit of 1024 is there for programs
/// that use `select`, which this one does not. `None` where the system has no such limit.
#[cfg(unix)]
#[must_use]
pub fn raise() -> Option<OpenFiles> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let before = current?;
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH).max(before);
    let set = wanted > before && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok();
    Some(OpenFiles { before, now: if set { wanted } else { before } })
}

/// As on Unix.
#[cfg(not(unix))]
#[must_use]
pub fn raise() -> Option<OpenFiles> {
    None
}

/// Whether this error says that no more files can be open.
#[cfg(unix)]
#[must_use]
pub fn ran_out(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let all = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| all.contains(&errno))
}

/// As on Unix.
#[cfg(not(unix))]
#[must_use]
pub fn ran_out(_: &std::io::Error) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_once_and_never_lowered() {
        let first = raise().unwrap();
        assert!(first.now >= first.before);
        let again = raise().unwrap();
        assert_eq!((again.before, again.now), (first.now, first.now));
    }
}

/// An open file that is given up where there are no more, so that somebody can be accepted and told so. Without it whoever comes
/// waits until somebody else goes, and is told nothing.
#[derive(Debug)]
pub struct Reserve(Option<std::fs::File>);

impl Reserve {
    /// Holds one, if there is one.
    #[must_use]
    pub fn new() -> Self {
        Self(if cfg!(unix) { std::fs::File::open("/dev/null").ok() } else { None })
    }

    /// Does something for which a file is needed, and holds one again if there is one then.
    pub fn lend<T>(&mut self, act: impl FnOnce() -> T) -> T {
        self.0 = None;
        let done = act();
        *self = Self::new();
        done
    }
}

impl Default for Reserve {
    fn default() -> Self {
        Self::new()
    }
}
