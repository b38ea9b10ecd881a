//! System calls for which no safe wrapper exists.
//!
//! The one place of this crate with unsafe code. Each call gets buffers of its own, whose length the kernel is told, or
//! plain numbers.
#![allow(unsafe_code)]

/// Allocations from this length on are pages of their own with glibc, and go back to the system when they are freed.
///
/// glibc raises its own limit to 32 MiB with each such allocation that is freed, so that what a flood of long messages
/// took would stay with the process for good. A fixed limit ends that. It is above the usual picture, for pages of one's
/// own cost a fault each when they are first written.
const LONG: i32 = 1 << 20;

/// Heaps that threads allocate from, at most. Each keeps up to [`LONG`] of what is freed, and glibc makes eight a core, as soon
/// as so many threads live at once: a flood of requests is enough. Delivery has four threads, which come first and so have
/// heaps of their own.
const HEAPS: i32 = 8;

/// Lets what is freed go back to the system, on systems with glibc. Others do so anyway. To be called before other threads
/// are there.
pub(crate) fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in
        [(libc::M_MMAP_THRESHOLD, LONG), (libc::M_TRIM_THRESHOLD, LONG), (libc::M_ARENA_MAX, HEAPS)]
    {
        // SAFETY: `mallopt` takes two numbers and the allocator's own lock. It fails only for values that it does not
        // know, and then nothing changes.
        unsafe { libc::mallopt(parameter, value) };
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::linux::{queue, tcp_info};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::os::fd::{AsFd, AsRawFd};

    /// An `ioctl` that answers with one number of bytes.
    pub(crate) fn queue(socket: &impl AsFd, request: libc::Ioctl) -> Option<u32> {
        let mut bytes: libc::c_int = 0;
        // SAFETY: both requests write one int through the pointer, which is to a live one, and keep nothing; the
        // descriptor is borrowed and so is open.
        let done = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), request, &raw mut bytes) };
        if done == 0 { u32::try_from(bytes).ok() } else { None }
    }

    /// `TCP_INFO` as the kernel writes it, and how many bytes of it there are.
    pub(crate) fn tcp_info(socket: &impl AsFd) -> Option<([u8; 256], usize)> {
        let mut answer = [0_u8; 256];
        let mut len = libc::socklen_t::try_from(answer.len()).ok()?;
        // SAFETY: the kernel writes at most `len` bytes, which is what `answer` has, and then the number it wrote to
        // `len`; both live here; the descriptor is borrowed and so is open.
        let done = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                answer.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        (done == 0).then_some((answer, len as usize))
    }
}

#[cfg(all(target_os = "linux", feature = "audio", any(feature = "send", feature = "view")))]
mod alsa;
#[cfg(all(target_os = "linux", feature = "audio", any(feature = "send", feature = "view")))]
pub(crate) use self::alsa::silence_alsa;

#[cfg(unix)]
pub(crate) mod hang_up;
#[cfg(all(unix, feature = "send"))]
pub(crate) mod mute_signal;
pub(crate) mod terminal;
#[cfg(all(target_os = "linux", feature = "send"))]
pub(crate) mod v4l2;
#[cfg(all(target_os = "linux", feature = "send"))]
pub(crate) mod v4l2_controls;

#[cfg(all(target_os = "linux", feature = "view"))]
pub(crate) mod v4l2_output;
#[cfg(all(target_os = "linux", feature = "view"))]
pub(crate) mod x11;

/// Calls `say` when the X server of this program's window goes away, once, right before Xlib ends the program with exit code 1,
/// which it does in any case, with two lines of its own otherwise. Nothing happens where there is no X11.
#[cfg(all(target_os = "linux", feature = "view"))]
pub(crate) fn when_display_goes(say: fn()) {
    use std::ffi::c_int;
    use std::sync::OnceLock;

    static SAY: OnceLock<fn()> = OnceLock::new();

    unsafe extern "C" fn gone(_: *mut x11_dl::xlib::Display) -> c_int {
        // A panic must not reach C.
        let _ = std::panic::catch_unwind(|| SAY.get().map(|say| say()));
        0
    }

    let Ok(xlib) = x11_dl::xlib::Xlib::open() else { return };
    if SAY.set(say).is_ok() {
        // SAFETY: the function pointer is of the type that Xlib asks for and lives as long as the program; Xlib keeps nothing
        // else of this call, which only replaces a pointer of the library's own. The library stays loaded: `Xlib` has no `Drop`.
        unsafe { (xlib.XSetIOErrorHandler)(Some(gone)) };
    }
}
