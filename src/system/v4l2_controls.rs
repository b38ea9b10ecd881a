//! The calls of V4L2 for controls. They work on any handle of a device, also while another one streams.
//!
//! Source: <https://docs.kernel.org/userspace-api/media/v4l/vidioc-queryctrl.html>.

use std::fs::File;
use std::io;

use v4l::v4l_sys::{v4l2_control, v4l2_queryctrl, v4l2_querymenu};
use v4l::v4l2::vidioc;

use super::v4l2::{Plain, ask, zeroed};

/// `V4L2_CTRL_FLAG_NEXT_CTRL`: the one behind this.
const NEXT: u32 = 0x8000_0000;

// SAFETY: the kernel's headers have them so.
unsafe impl Plain for v4l2_queryctrl {}
// SAFETY: as above.
unsafe impl Plain for v4l2_querymenu {}
// SAFETY: as above.
unsafe impl Plain for v4l2_control {}

/// A control, as a driver tells it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: u32,
    /// `V4L2_CTRL_TYPE_…`.
    pub(crate) kind: u32,
    pub(crate) label: String,
    pub(crate) min: i32,
    pub(crate) max: i32,
    pub(crate) step: i32,
    pub(crate) default: i32,
    /// `V4L2_CTRL_FLAG_…`.
    pub(crate) flags: u32,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).trim().to_owned()
}

/// The control behind the one with this number; 0 is before the first. An error behind the last.
pub(crate) fn control_behind(file: &File, id: u32) -> io::Result<Told> {
    let mut answer = v4l2_queryctrl { id: id | NEXT, ..zeroed() };
    ask(file, vidioc::VIDIOC_QUERYCTRL, &mut answer)?;
    Ok(Told {
        id: answer.id,
        kind: answer.type_,
        label: text(&answer.name),
        min: answer.minimum,
        max: answer.maximum,
        step: answer.step,
        default: answer.default_value,
        flags: answer.flags,
    })
}

/// What an entry of a menu is called; where the entries are numbers, that number. An error if there is none.
pub(crate) fn entry(file: &File, id: u32, index: u32, numbers: bool) -> io::Result<String> {
    let mut answer = v4l2_querymenu { id, index, ..zeroed() };
    ask(file, vidioc::VIDIOC_QUERYMENU, &mut answer)?;
    // SAFETY: the union is of numbers alone, and all of its bytes were written. They are copies, because the structure is packed.
    let (name, value) = unsafe { (answer.__bindgen_anon_1.name, answer.__bindgen_anon_1.value) };
    Ok(if numbers { value.to_string() } else { text(&name) })
}

/// The value of a control.
pub(crate) fn value(file: &File, id: u32) -> io::Result<i32> {
    let mut answer = v4l2_control { id, ..zeroed() };
    ask(file, vidioc::VIDIOC_G_CTRL, &mut answer)?;
    Ok(answer.value)
}

/// Sets a control.
pub(crate) fn set(file: &File, id: u32, value: i32) -> io::Result<()> {
    let mut about = v4l2_control { id, value };
    ask(file, vidioc::VIDIOC_S_CTRL, &mut about)
}
