//! The signal by which the user of this program switches sound off and on (SIGUSR1). A thread waits for it, and no handler takes it, so
//! that it interrupts no call of the others.

/// SIGUSR1 alone.
fn signals() -> libc::sigset_t {
    // SAFETY: a set of signals is plain numbers, and is empty before one is put into it; both calls write to it alone.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGUSR1);
        set
    }
}

/// Has it wait until somebody [takes](take) it, instead of ending the program. To be called before other threads are there, which have
/// it from this one.
pub(crate) fn hold() {
    let set = signals();
    // SAFETY: the set lives here, and the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Waits until it comes; whether it came.
pub(crate) fn take() -> bool {
    let set = signals();
    let mut number = 0;
    // SAFETY: the set and the number live here, and nothing of them is kept.
    unsafe { libc::sigwait(&raw const set, &raw mut number) == 0 }
}
