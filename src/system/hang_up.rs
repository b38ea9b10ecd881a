//! The signal that a terminal sends when it goes (SIGHUP): who started a program with `nohup` has it ignored.

/// Whether it was ignored when this program was started.
pub(crate) fn is_ignored() -> bool {
    // SAFETY: without a new action nothing changes; the old one is written to a structure of ours, of plain numbers, for which zeros
    // are valid.
    let (done, handler) = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action), action.sa_sigaction)
    };
    done == 0 && handler == libc::SIG_IGN
}

/// Ignores it from now on.
pub(crate) fn ignore() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}
