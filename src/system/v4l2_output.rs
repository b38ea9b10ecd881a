//! The calls of V4L2 for output devices: what is written to one comes out of a camera, as v4l2loopback does it. The structures are
//! written down here, so that a viewer needs no libclang to be built.
//!
//! Source: <https://docs.kernel.org/userspace-api/media/v4l/dev-output.html>.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

/// `V4L2_BUF_TYPE_VIDEO_OUTPUT`.
const OUTPUT: u32 = 2;
/// `V4L2_CAP_VIDEO_OUTPUT`, `V4L2_CAP_VIDEO_OUTPUT_MPLANE`, `V4L2_CAP_READWRITE`.
pub(crate) const CAN_OUTPUT: u32 = 0x2;
pub(crate) const CAN_OUTPUT_PLANES: u32 = 0x2000;
pub(crate) const CAN_WRITE: u32 = 0x0100_0000;
/// `V4L2_CAP_DEVICE_CAPS`: a node says what it is itself, beside what all of its device is.
const DEVICE_CAPS: u32 = 0x8000_0000;
/// `V4L2_FIELD_NONE`: whole pictures.
const WHOLE: u32 = 1;
/// `V4L2_COLORSPACE_SRGB`, `V4L2_YCBCR_ENC_601`, `V4L2_QUANTIZATION_LIM_RANGE`, and the number by which a driver knows that the last two are
/// told.
const SRGB: u32 = 8;
const BT_601: u32 = 1;
const LIMITED: u32 = 2;
const PRIV_MAGIC: u32 = 0xfeed_cafe;

/// `struct v4l2_capability`.
#[repr(C)]
#[derive(Default)]
struct Capability {
    driver: [u8; 16],
    card: [u8; 32],
    bus: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

/// `struct v4l2_format` with `struct v4l2_pix_format` in its union, which begins where a pointer may begin.
#[repr(C)]
struct Format {
    kind: u32,
    pix: Union,
}

/// As long as the kernel has it, and as it lies for it.
#[repr(C)]
union Union {
    pix: Pix,
    raw: [u8; 200],
    _lies_as: *const (),
}

/// `struct v4l2_pix_format`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Pix {
    width: u32,
    height: u32,
    fourcc: u32,
    field: u32,
    stride: u32,
    length: u32,
    colorspace: u32,
    private: u32,
    flags: u32,
    encoding: u32,
    quantization: u32,
    transfer: u32,
}

/// `struct v4l2_streamparm` with `struct v4l2_outputparm` in its union.
#[repr(C)]
struct Parameters {
    kind: u32,
    capability: u32,
    mode: u32,
    numerator: u32,
    denominator: u32,
    rest: [u32; 46],
}

// What the calls' numbers are made of.
const _: () = assert!(size_of::<Capability>() == 104 && size_of::<Parameters>() == 204);
const _: () = assert!(size_of::<Format>() == if size_of::<usize>() == 8 { 208 } else { 204 });

const QUERYCAP: libc::Ioctl = libc::_IOR::<Capability>(b'V' as u32, 0);
const G_FMT: libc::Ioctl = libc::_IOWR::<Format>(b'V' as u32, 4);
const S_FMT: libc::Ioctl = libc::_IOWR::<Format>(b'V' as u32, 5);
const S_PARM: libc::Ioctl = libc::_IOWR::<Parameters>(b'V' as u32, 22);

/// A structure that the kernel reads and fills: plain numbers, for which all bytes are valid.
///
/// # Safety
///
/// It is as the kernel's headers have it.
unsafe trait Plain {}
// SAFETY: as asserted above.
unsafe impl Plain for Capability {}
// SAFETY: as above; of the union only what is plain numbers is read.
unsafe impl Plain for Format {}
// SAFETY: as above.
unsafe impl Plain for Parameters {}

/// Asks a device. The request must be one for this structure.
fn ask<T: Plain>(file: &File, request: libc::Ioctl, about: &mut T) -> io::Result<()> {
    loop {
        // SAFETY: each request here is made of the structure that it is used with, which lives until the call is over, and which the
        // kernel fills with numbers; the file is open.
        let done = unsafe { libc::ioctl(file.as_raw_fd(), request, std::ptr::from_mut(about)) };
        match io::Error::last_os_error() {
            _ if done >= 0 => return Ok(()),
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error => return Err(error),
        }
    }
}

/// What a device says of itself.
pub(crate) struct Device {
    pub(crate) driver: String,
    pub(crate) card: String,
    /// `V4L2_CAP_…` of the node.
    pub(crate) can: u32,
}

/// Asks a device what it is; an error for what is no device of V4L2.
pub(crate) fn device(file: &File) -> io::Result<Device> {
    let mut answer = Capability::default();
    ask(file, QUERYCAP, &mut answer)?;
    let text = |bytes: &[u8]| {
        let end = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(end).trim().to_owned()
    };
    let can = if answer.capabilities & DEVICE_CAPS == 0 { answer.capabilities } else { answer.device_caps };
    Ok(Device { driver: text(&answer.driver), card: text(&answer.card), can })
}

/// What a device takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Takes {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fourcc: u32,
    /// Bytes a row, of the first plane.
    pub(crate) stride: u32,
    /// Bytes of a whole picture.
    pub(crate) length: u32,
}

impl From<Pix> for Takes {
    fn from(pix: Pix) -> Self {
        Self { width: pix.width, height: pix.height, fourcc: pix.fourcc, stride: pix.stride, length: pix.length }
    }
}

fn format(pix: Pix) -> Format {
    let mut format = Format { kind: OUTPUT, pix: Union { raw: [0; 200] } };
    format.pix.pix = pix;
    format
}

fn pix(format: &Format) -> Pix {
    // SAFETY: the union's bytes are all set, and `Pix` is plain numbers.
    unsafe { format.pix.pix }
}

/// What a device takes now.
pub(crate) fn takes(file: &File) -> io::Result<Takes> {
    let mut answer = format(Pix::default());
    ask(file, G_FMT, &mut answer)?;
    Ok(pix(&answer).into())
}

/// Tells a device what comes, with colours as JPEG has them but for the range, and gives what it takes of that.
pub(crate) fn set_format(file: &File, fourcc: u32, (width, height): (u32, u32)) -> io::Result<Takes> {
    let mut answer = format(Pix {
        width,
        height,
        fourcc,
        field: WHOLE,
        colorspace: SRGB,
        private: PRIV_MAGIC,
        encoding: BT_601,
        quantization: LIMITED,
        ..Pix::default()
    });
    ask(file, S_FMT, &mut answer)?;
    Ok(pix(&answer).into())
}

/// Tells a device how far pictures are apart, in seconds, as numerator and denominator.
pub(crate) fn set_interval(file: &File, (numerator, denominator): (u32, u32)) -> io::Result<()> {
    let mut about = Parameters { kind: OUTPUT, capability: 0x1000, mode: 0, numerator, denominator, rest: [0; 46] };
    ask(file, S_PARM, &mut about)
}
