//! The calls of V4L2 for capture devices of either kind: those whose pictures lie in one buffer each, and those that have one for
//! each plane ("multi-planar"), which the `v4l` crate does not know. Its structures and numbers are used here.
//!
//! Source: <https://docs.kernel.org/userspace-api/media/v4l/user-func.html>.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

use arrayvec::ArrayVec;
use v4l::v4l_sys::{
    v4l2_buffer, v4l2_capability, v4l2_fmtdesc, v4l2_format, v4l2_fract, v4l2_frmivalenum, v4l2_frmsizeenum,
    v4l2_plane, v4l2_requestbuffers, v4l2_streamparm,
};
use v4l::v4l2::vidioc;

/// The most planes that a picture has (`VIDEO_MAX_PLANES`).
pub(crate) const PLANES: usize = 8;

const CAPTURE: u32 = 1;
const CAPTURE_MPLANE: u32 = 9;
/// `V4L2_MEMORY_MMAP`.
const MMAP: u32 = 1;
/// `V4L2_CAP_DEVICE_CAPS`: a node says what it is itself, beside what all of its device is.
const DEVICE_CAPS: u32 = 0x8000_0000;

/// A structure of V4L2.
///
/// # Safety
///
/// It is plain numbers, for which all bytes are valid, zeros at first, and pointers that nobody here follows.
pub(super) unsafe trait Plain {}

// SAFETY: the kernel's headers have them so.
unsafe impl Plain for v4l2_capability {}
// SAFETY: as above.
unsafe impl Plain for v4l2_fmtdesc {}
// SAFETY: as above.
unsafe impl Plain for v4l2_frmsizeenum {}
// SAFETY: as above.
unsafe impl Plain for v4l2_frmivalenum {}
// SAFETY: as above.
unsafe impl Plain for v4l2_format {}
// SAFETY: as above.
unsafe impl Plain for v4l2_streamparm {}
// SAFETY: as above.
unsafe impl Plain for v4l2_requestbuffers {}
// SAFETY: as above.
unsafe impl Plain for v4l2_buffer {}
// SAFETY: as above.
unsafe impl Plain for v4l2_plane {}
// SAFETY: a number.
unsafe impl Plain for u32 {}

pub(super) fn zeroed<T: Plain>() -> T {
    // SAFETY: zeros are valid for all that is `Plain`.
    unsafe { std::mem::zeroed() }
}

/// Asks a device. The request must be one for this structure.
pub(super) fn ask<T: Plain>(file: &File, request: vidioc::_IOC_TYPE, about: &mut T) -> io::Result<()> {
    // SAFETY: each request here is used with the structure that it is made of, which lives until the call is over, and which
    // the kernel fills with numbers; the file is open. What pointers a structure holds, its caller has set.
    unsafe { v4l::v4l2::ioctl(file.as_raw_fd(), request, std::ptr::from_mut(about).cast()) }
}

/// Whether a picture has one buffer, or one for each of its planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One buffer.
    Single,
    /// A buffer for each plane.
    Planes,
}

impl Kind {
    fn number(self) -> u32 {
        match self {
            Self::Single => CAPTURE,
            Self::Planes => CAPTURE_MPLANE,
        }
    }
}

/// The name of a device, as its driver has it, and what its node can do (`V4L2_CAP_…`).
pub(crate) fn capabilities(file: &File) -> io::Result<(String, u32)> {
    let mut answer: v4l2_capability = zeroed();
    ask(file, vidioc::VIDIOC_QUERYCAP, &mut answer)?;
    let card = answer.card.split(|byte| *byte == 0).next().unwrap_or_default();
    let caps = if answer.capabilities & DEVICE_CAPS == 0 { answer.capabilities } else { answer.device_caps };
    Ok((String::from_utf8_lossy(card).trim().to_owned(), caps))
}

/// The format with this number in a device's list; an error behind its end.
pub(crate) fn format_at(file: &File, kind: Kind, index: u32) -> io::Result<u32> {
    let mut answer = v4l2_fmtdesc { index, type_: kind.number(), ..zeroed() };
    ask(file, vidioc::VIDIOC_ENUM_FMT, &mut answer)?;
    Ok(answer.pixelformat)
}

/// What a device has of something: one, or any between two in steps.
pub(crate) enum Offered<T> {
    One(T),
    Range { min: T, max: T, step: T },
}

/// The size with this number in the list of a format, width and height.
pub(crate) fn size_at(file: &File, pixel_format: u32, index: u32) -> io::Result<Offered<(u32, u32)>> {
    let mut answer = v4l2_frmsizeenum { index, pixel_format, ..zeroed() };
    ask(file, vidioc::VIDIOC_ENUM_FRAMESIZES, &mut answer)?;
    if answer.type_ == 1 {
        // SAFETY: the union is of numbers alone, and all of its bytes were written; so are those below.
        let size = unsafe { answer.__bindgen_anon_1.discrete };
        return Ok(Offered::One((size.width, size.height)));
    }
    // SAFETY: as above.
    let range = unsafe { answer.__bindgen_anon_1.stepwise };
    Ok(Offered::Range {
        min: (range.min_width, range.min_height),
        max: (range.max_width, range.max_height),
        step: (range.step_width, range.step_height),
    })
}

fn fraction(of: v4l2_fract) -> (u32, u32) {
    (of.numerator, of.denominator)
}

/// The seconds between two pictures with this number in the list of a format and size, as numerator and denominator.
pub(crate) fn interval_at(file: &File, format: u32, (w, h): (u32, u32), index: u32) -> io::Result<Offered<(u32, u32)>> {
    let mut answer = v4l2_frmivalenum { index, pixel_format: format, width: w, height: h, ..zeroed() };
    ask(file, vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut answer)?;
    if answer.type_ == 1 {
        // SAFETY: as above.
        return Ok(Offered::One(fraction(unsafe { answer.__bindgen_anon_1.discrete })));
    }
    // SAFETY: as above.
    let range = unsafe { answer.__bindgen_anon_1.stepwise };
    Ok(Offered::Range { min: fraction(range.min), max: fraction(range.max), step: fraction(range.step) })
}

/// A format that a device has taken.
#[derive(Default)]
pub(crate) struct Format {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fourcc: u32,
    /// `V4L2_COLORSPACE_…`.
    pub(crate) colorspace: u32,
    /// `V4L2_QUANTIZATION_…`.
    pub(crate) quantization: u32,
    /// Bytes a row, of each plane.
    pub(crate) strides: ArrayVec<u32, PLANES>,
}

/// Tells a device a format and a size, and gives what it takes of it.
pub(crate) fn set_format(file: &File, kind: Kind, fourcc: u32, (width, height): (u32, u32)) -> io::Result<Format> {
    let mut answer = v4l2_format { type_: kind.number(), ..zeroed() };
    match kind {
        Kind::Single => {
            // SAFETY: as above.
            let pix = unsafe { &mut answer.fmt.pix };
            (pix.width, pix.height, pix.pixelformat) = (width, height, fourcc);
            ask(file, vidioc::VIDIOC_S_FMT, &mut answer)?;
            // SAFETY: as above.
            let pix = unsafe { answer.fmt.pix };
            Ok(Format {
                width: pix.width,
                height: pix.height,
                fourcc: pix.pixelformat,
                colorspace: pix.colorspace,
                quantization: pix.quantization,
                strides: [pix.bytesperline].into_iter().collect(),
            })
        }
        Kind::Planes => {
            // SAFETY: as above.
            let pix = unsafe { &mut answer.fmt.pix_mp };
            (pix.width, pix.height, pix.pixelformat) = (width, height, fourcc);
            ask(file, vidioc::VIDIOC_S_FMT, &mut answer)?;
            // SAFETY: as above. It is a copy, because the structure is packed.
            let pix = unsafe { answer.fmt.pix_mp };
            let planes = pix.plane_fmt;
            Ok(Format {
                width: pix.width,
                height: pix.height,
                fourcc: pix.pixelformat,
                colorspace: pix.colorspace,
                quantization: u32::from(pix.quantization),
                strides: planes.iter().take(usize::from(pix.num_planes)).map(|plane| plane.bytesperline).collect(),
            })
        }
    }
}

/// Tells a device the seconds between two pictures, if there is something to tell, and gives those that it takes or has, as
/// numerator and denominator.
pub(crate) fn set_interval(file: &File, kind: Kind, interval: Option<(u32, u32)>) -> io::Result<(u32, u32)> {
    let mut answer = v4l2_streamparm { type_: kind.number(), ..zeroed() };
    let request = if let Some((numerator, denominator)) = interval {
        answer.parm.capture.timeperframe = v4l2_fract { numerator, denominator };
        vidioc::VIDIOC_S_PARM
    } else {
        vidioc::VIDIOC_G_PARM
    };
    ask(file, request, &mut answer)?;
    // SAFETY: as above; it was a capture queue that was asked.
    Ok(fraction(unsafe { answer.parm.capture.timeperframe }))
}

/// Asks for buffers, and gives how many there are. None gives back all.
pub(crate) fn request_buffers(file: &File, kind: Kind, count: u32) -> io::Result<u32> {
    let mut answer = v4l2_requestbuffers { count, type_: kind.number(), memory: MMAP, ..zeroed() };
    ask(file, vidioc::VIDIOC_REQBUFS, &mut answer)?;
    Ok(answer.count)
}

/// Starts a device that has been given buffers.
pub(crate) fn start(file: &File, kind: Kind) -> io::Result<()> {
    ask(file, vidioc::VIDIOC_STREAMON, &mut kind.number())
}

/// Stops a device; all buffers are ours then.
pub(crate) fn stop(file: &File, kind: Kind) -> io::Result<()> {
    ask(file, vidioc::VIDIOC_STREAMOFF, &mut kind.number())
}

/// A buffer that the driver has filled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) index: u32,
    /// `V4L2_BUF_FLAG_…`.
    pub(crate) flags: u32,
    pub(crate) sequence: u32,
    /// The time stamp: seconds, and microseconds.
    pub(crate) at: (i64, i64),
    /// Where the picture begins and ends in each plane, as the driver says it.
    pub(crate) planes: ArrayVec<(usize, usize), PLANES>,
}

/// Asks about a buffer, whose planes are written to `planes` where they have buffers of their own.
fn ask_buffer(
    file: &File,
    request: vidioc::_IOC_TYPE,
    kind: Kind,
    mut buffer: v4l2_buffer,
    planes: &mut [v4l2_plane; PLANES],
) -> io::Result<v4l2_buffer> {
    buffer.type_ = kind.number();
    buffer.memory = MMAP;
    if kind == Kind::Planes {
        // The kernel writes no more of them than that.
        buffer.length = buffer.length.clamp(1, PLANES as u32);
        buffer.m.planes = planes.as_mut_ptr();
    }
    ask(file, request, &mut buffer)?;
    Ok(buffer)
}

/// Lets a driver fill a buffer, which has so many planes.
pub(crate) fn queue(file: &File, kind: Kind, index: u32, planes: usize) -> io::Result<()> {
    let buffer = v4l2_buffer { index, length: planes as u32, ..zeroed() };
    ask_buffer(file, vidioc::VIDIOC_QBUF, kind, buffer, &mut [zeroed(); PLANES]).map(|_| ())
}

/// Takes the next full buffer. The error is of the kind `WouldBlock` if there is none, with files that do not wait.
pub(crate) fn dequeue(file: &File, kind: Kind) -> io::Result<Filled> {
    let mut planes = [zeroed::<v4l2_plane>(); PLANES];
    let buffer = v4l2_buffer { length: PLANES as u32, ..zeroed() };
    let buffer = ask_buffer(file, vidioc::VIDIOC_DQBUF, kind, buffer, &mut planes)?;
    let used = match kind {
        Kind::Single => [(0, buffer.bytesused as usize)].into_iter().collect(),
        Kind::Planes => {
            let planes = planes.iter().take(buffer.length as usize);
            planes.map(|plane| (plane.data_offset as usize, plane.bytesused as usize)).collect()
        }
    };
    Ok(Filled {
        index: buffer.index,
        flags: buffer.flags,
        sequence: buffer.sequence,
        #[allow(clippy::useless_conversion, reason = "32 bits on small systems")]
        at: (buffer.timestamp.tv_sec.into(), buffer.timestamp.tv_usec.into()),
        planes: used,
    })
}

/// The memory of a buffer's planes.
pub(crate) fn map(file: &File, kind: Kind, index: u32) -> io::Result<ArrayVec<Mapping, PLANES>> {
    let mut planes = [zeroed::<v4l2_plane>(); PLANES];
    let buffer = v4l2_buffer { index, length: PLANES as u32, ..zeroed() };
    let buffer = ask_buffer(file, vidioc::VIDIOC_QUERYBUF, kind, buffer, &mut planes)?;
    match kind {
        // SAFETY: as above.
        Kind::Single => [Mapping::new(file, unsafe { buffer.m.offset }, buffer.length)].into_iter().collect(),
        Kind::Planes => {
            let planes = planes.iter().take(buffer.length as usize);
            // SAFETY: as above.
            planes.map(|plane| Mapping::new(file, unsafe { plane.m.mem_offset }, plane.length)).collect()
        }
    }
}

/// Memory of a driver that is seen here as well.
pub(crate) struct Mapping {
    begin: NonNull<u8>,
    len: usize,
}

// SAFETY: it is memory that belongs to whoever holds this, and to no thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(file: &File, offset: u32, len: u32) -> io::Result<Self> {
        #[allow(clippy::unnecessary_fallible_conversions, reason = "31 bits on small systems")]
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        let len = len as usize;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses a place where nothing is; it fails for lengths and offsets that the file has not.
        let begin =
            unsafe { libc::mmap(std::ptr::null_mut(), len, access, libc::MAP_SHARED, file.as_raw_fd(), offset) };
        if begin == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let begin = NonNull::new(begin.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { begin, len })
    }

    /// The bytes. The driver does not write to them while the buffer is ours: whoever has given it back must not look.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the memory is there, of this length, until this is dropped, and no longer is the borrow.
        unsafe { std::slice::from_raw_parts(self.begin.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody borrows it any more.
        unsafe { libc::munmap(self.begin.as_ptr().cast(), self.len) };
    }
}
