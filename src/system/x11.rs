//! What a window under X11 can be asked for beyond what minifb asks: its class, its size, the full screen.
//!
//! A connection of its own, on which windows are named by their numbers: nothing of minifb's is touched, and no pointer of its
//! comes here. Sources: ICCCM 4.1.2.5 (`WM_CLASS`), Extended Window Manager Hints 1.5 (`_NET_WM_STATE`, `_NET_WORKAREA`).

use std::ffi::{CStr, c_int, c_long, c_uchar, c_uint, c_ulong};
use std::ptr::NonNull;

use x11_dl::xlib;

use crate::frame::Size;

/// The most numbers that are read of a property: lists of what a window manager supports have some hundred.
const MOST_NUMBERS: c_long = 4096;
/// `_NET_WM_STATE_REMOVE` and `_NET_WM_STATE_ADD`.
const REMOVE: c_long = 0;
const ADD: c_long = 1;
/// A request of an application itself, as hints distinguish it.
const OF_APPLICATION: c_long = 1;

/// A connection to the X server of the environment.
pub(crate) struct X11 {
    lib: xlib::Xlib,
    display: NonNull<xlib::Display>,
}

impl X11 {
    /// Connects. `None` where there is no X11.
    pub(crate) fn open() -> Option<Self> {
        let lib = xlib::Xlib::open().ok()?;
        // SAFETY: a null pointer stands for the display of the environment, by Xlib's own documentation; what comes back is null, or
        // a connection that this value alone has until `drop`.
        let display = NonNull::new(unsafe { (lib.XOpenDisplay)(std::ptr::null()) })?;
        Some(Self { lib, display })
    }

    fn root(&self) -> xlib::Window {
        // SAFETY: the connection is open.
        unsafe { (self.lib.XDefaultRootWindow)(self.display.as_ptr()) }
    }

    fn flush(&self) {
        // SAFETY: the connection is open.
        unsafe { (self.lib.XFlush)(self.display.as_ptr()) };
    }

    fn atom(&self, name: &CStr) -> xlib::Atom {
        // SAFETY: the connection is open, and the name ends with a zero and is only read.
        unsafe { (self.lib.XInternAtom)(self.display.as_ptr(), name.as_ptr(), xlib::False) }
    }

    /// The numbers of a property of a window; none where it has none, or one of another format.
    fn numbers(&self, window: xlib::Window, property: &CStr) -> Vec<c_ulong> {
        let property = self.atom(property);
        let (mut kind, mut format, mut count, mut rest): (xlib::Atom, c_int, c_ulong, c_ulong) = (0, 0, 0, 0);
        let mut data: *mut c_uchar = std::ptr::null_mut();
        // SAFETY: the connection is open; the five pointers are to live values of the types that Xlib writes through them, and it
        // keeps none of them. The window is the root, or this program's own.
        let status = unsafe {
            (self.lib.XGetWindowProperty)(
                self.display.as_ptr(),
                window,
                property,
                0,
                MOST_NUMBERS,
                xlib::False,
                xlib::AnyPropertyType as xlib::Atom,
                &raw mut kind,
                &raw mut format,
                &raw mut count,
                &raw mut rest,
                &raw mut data,
            )
        };
        let mut numbers = Vec::new();
        if status == c_int::from(xlib::Success) && !data.is_null() {
            if format == 32 {
                let count = count.min(MOST_NUMBERS as c_ulong) as usize;
                // SAFETY: of format 32 Xlib gives an array of `count` longs, aligned for them, whatever the size of a long is; it
                // lives until `XFree`, and is copied before.
                numbers.extend_from_slice(unsafe { std::slice::from_raw_parts(data.cast::<c_ulong>(), count) });
            }
            // SAFETY: Xlib allocated it for us and nothing refers to it any more.
            unsafe { (self.lib.XFree)(data.cast()) };
        }
        numbers
    }

    /// The width and height of the screen.
    pub(crate) fn screen(&self) -> Size {
        // SAFETY: the connection is open, and it has a default screen.
        let (width, height) = unsafe {
            let (display, number) = (self.display.as_ptr(), (self.lib.XDefaultScreen)(self.display.as_ptr()));
            ((self.lib.XDisplayWidth)(display, number), (self.lib.XDisplayHeight)(display, number))
        };
        Size::new(u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0))
    }

    /// What windows may take of the screen, where a window manager says it: without its panels.
    pub(crate) fn work_area(&self) -> Option<Size> {
        match self.numbers(self.root(), c"_NET_WORKAREA").get(2..4)? {
            [width, height] => Some(Size::new(u32::try_from(*width).ok()?, u32::try_from(*height).ok()?)),
            _ => None,
        }
    }

    /// Whether a window manager makes windows as large as the screen when it is asked.
    pub(crate) fn makes_full_screen(&self) -> bool {
        let full = self.atom(c"_NET_WM_STATE_FULLSCREEN");
        !self.numbers(self.root(), c"_NET_SUPPORTING_WM_CHECK").is_empty()
            && self.numbers(self.root(), c"_NET_SUPPORTED").contains(&full)
    }

    /// Gives a window the class by which desktops know its program.
    pub(crate) fn set_class(&self, window: u64, name: &CStr, class: &CStr) {
        let mut hint = xlib::XClassHint { res_name: name.as_ptr().cast_mut(), res_class: class.as_ptr().cast_mut() };
        // SAFETY: the connection is open; both texts end with a zero, are only read, and copied into the request.
        unsafe { (self.lib.XSetClassHint)(self.display.as_ptr(), window as xlib::Window, &raw mut hint) };
        self.flush();
    }

    /// Where a window is on the screen.
    pub(crate) fn corner(&self, window: u64) -> (i32, i32) {
        let (mut x, mut y, mut child): (c_int, c_int, xlib::Window) = (0, 0, 0);
        // SAFETY: the connection is open; the three pointers are to live values of the types that Xlib writes through them, and it
        // keeps none of them. The window is this program's own.
        unsafe {
            (self.lib.XTranslateCoordinates)(
                self.display.as_ptr(),
                window as xlib::Window,
                self.root(),
                0,
                0,
                &raw mut x,
                &raw mut y,
                &raw mut child,
            );
        }
        (x, y)
    }

    /// Puts a window there, over others, with this size.
    pub(crate) fn place(&self, window: u64, (x, y): (i32, i32), size: Size) {
        let (width, height) = (size.width.max(1) as c_uint, size.height.max(1) as c_uint);
        let window = window as xlib::Window;
        // SAFETY: the connection is open, and sizes are not zero, which would be an error.
        unsafe {
            (self.lib.XMoveResizeWindow)(self.display.as_ptr(), window, x, y, width, height);
            (self.lib.XRaiseWindow)(self.display.as_ptr(), window);
        }
        self.flush();
    }

    /// Asks the window manager to make a window as large as the screen, or as it was before.
    pub(crate) fn set_full_screen(&self, window: u64, full: bool) {
        let mut data = xlib::ClientMessageData::new();
        data.set_long(0, if full { ADD } else { REMOVE });
        data.set_long(1, self.atom(c"_NET_WM_STATE_FULLSCREEN") as c_long);
        data.set_long(3, OF_APPLICATION);
        let message = xlib::XClientMessageEvent {
            type_: xlib::ClientMessage,
            serial: 0,
            send_event: xlib::True,
            display: self.display.as_ptr(),
            window: window as xlib::Window,
            message_type: self.atom(c"_NET_WM_STATE"),
            format: 32,
            data,
        };
        let mut event = xlib::XEvent { client_message: message };
        let mask = xlib::SubstructureRedirectMask | xlib::SubstructureNotifyMask;
        // SAFETY: the connection is open, and the event lives until it is copied into the request.
        unsafe {
            (self.lib.XSendEvent)(self.display.as_ptr(), self.root(), xlib::False, mask, &raw mut event);
        }
        self.flush();
    }
}

impl Drop for X11 {
    fn drop(&mut self) {
        // SAFETY: the connection is open, and nobody uses it after this.
        unsafe { (self.lib.XCloseDisplay)(self.display.as_ptr()) };
    }
}
