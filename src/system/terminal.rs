//! How wide a terminal is.

/// The columns of a terminal; `None`: it is none, or does not say.
#[cfg(unix)]
pub(crate) fn columns(of: &impl std::os::fd::AsFd) -> Option<u16> {
    // Without a size, as of a serial line, it is zero.
    rustix::termios::tcgetwinsize(of).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}

/// The columns of a terminal; `None`: it does not say.
#[cfg(not(unix))]
pub(crate) fn columns<T>(_: &T) -> Option<u16> {
    None
}
