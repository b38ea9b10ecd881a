//! What libasound prints by itself: a dozen lines on standard error where there is no card, or one has no mixer.

use std::ffi::{c_char, c_int};
use std::sync::Once;

/// The library calls it with more arguments, which the words have places for; whoever leaves them alone need not know them.
type Handler = extern "C" fn(*const c_char, c_int, *const c_char, c_int, *const c_char);

unsafe extern "C" {
    fn snd_lib_error_set_handler(handler: Option<Handler>) -> c_int;
}

extern "C" fn say_nothing(_: *const c_char, _: c_int, _: *const c_char, _: c_int, _: *const c_char) {}

/// Has it print nothing. What went wrong is in the error that its caller gets, too.
pub(crate) fn silence_alsa() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a function that lives as long as the program and touches none of its arguments; by the calling
        // conventions of Linux, those that it is given beyond these are left alone by it and by who calls it.
        unsafe { snd_lib_error_set_handler(Some(say_nothing)) };
    });
}
