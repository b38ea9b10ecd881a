//! What V4L2 devices there are, and what they offer.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use v4l::Fraction;
use v4l::capability::Flags;
use v4l::device::Device;
use v4l::format::FourCC;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;

use super::choose::{Interval, Mode, Rates, nearest_step};
use super::formats::understood;
use super::{CameraFormat, CameraInfo};
use crate::frame::Size;

pub(super) fn open(path: &Path) -> io::Result<Device> {
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Device::with_path(path)
}

/// The crate panics at values from a driver that it does not know.
pub(super) fn guarded<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| Err(io::Error::other("the driver gives senseless values")))
}

/// The name that the kernel has for a camera. The driver is asked only when the kernel's own list does not know it, and
/// not at all when the name is no plain text, at which the crate would panic.
pub(super) fn name_of(path: &Path, device: Option<&Device>) -> Option<String> {
    let node = path.canonicalize().ok()?.file_name()?.to_owned();
    let name = match std::fs::read(Path::new("/sys/class/video4linux").join(node).join("name")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        Err(_) => guarded(|| device.ok_or(io::ErrorKind::NotFound)?.query_caps()).ok()?.card,
    };
    Some(name).filter(|n| !n.is_empty())
}

/// All that a camera offers and we understand. In a range of sizes, the one nearest to the request.
pub(super) fn modes(device: &Device, request: Size) -> Vec<(FourCC, Mode)> {
    let mut modes = Vec::new();
    for fourcc in fourccs(device) {
        let Some(format) = understood(fourcc.repr) else { continue };
        for size in sizes(device, fourcc, request).unwrap_or_else(|| vec![request]) {
            let rates = rates(device, fourcc, size);
            modes.push((fourcc, Mode { format: format.format, size, rates }));
        }
    }
    modes
}

/// The formats that a device captures: none for one that is no camera, such as the node beside a camera that carries its
/// metadata.
pub(super) fn fourccs(device: &Device) -> Vec<FourCC> {
    let formats = guarded(|| device.enum_formats()).unwrap_or_default();
    formats.into_iter().map(|f| f.fourcc).collect()
}

/// `None` where the driver does not say.
fn sizes(device: &Device, fourcc: FourCC, request: Size) -> Option<Vec<Size>> {
    let sizes = device.enum_framesizes(fourcc).ok()?;
    let sizes = sizes.into_iter().map(|s| match s.size {
        FrameSizeEnum::Discrete(d) => Size::new(d.width, d.height),
        FrameSizeEnum::Stepwise(s) => nearest_step(
            request,
            Size::new(s.min_width, s.min_height),
            Size::new(s.max_width, s.max_height),
            Size::new(s.step_width, s.step_height),
        ),
    });
    Some(sizes.collect())
}

fn rates(device: &Device, fourcc: FourCC, size: Size) -> Rates {
    let interval = |f: Fraction| Interval { numerator: f.numerator, denominator: f.denominator };
    let mut listed = Vec::new();
    for rate in device.enum_frameintervals(fourcc, size.width, size.height).unwrap_or_default() {
        match rate.interval {
            FrameIntervalEnum::Discrete(f) => listed.push(interval(f)),
            FrameIntervalEnum::Stepwise(s) => return Rates::Between(interval(s.max).fps(), interval(s.min).fps()),
        }
    }
    if listed.is_empty() { Rates::Unknown } else { Rates::Listed(listed) }
}

/// The number in a name such as `video12`; `None` for any other name, such as `video-cam` or `video1.bak`.
fn node_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("video")?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The nodes `/dev/videoN` in order of N. Others whose name merely begins like that are none of ours.
fn nodes() -> Vec<(u32, PathBuf)> {
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut nodes: Vec<_> = entries.filter_map(|e| Some((node_number(e.file_name().to_str()?)?, e.path()))).collect();
    nodes.sort();
    nodes
}

/// The path of the first camera.
pub(super) fn first() -> Option<PathBuf> {
    nodes().into_iter().map(|(_, path)| path).find(|path| is_camera(path))
}

/// What is said of devices that have pictures and that cannot be read here.
pub(super) fn unreadable() -> Vec<String> {
    let why = |(_, path): (u32, PathBuf)| match judge(&path) {
        Judgement::Unreadable(why) => Some(format!("{} {why}", path.display())),
        _ => None,
    };
    nodes().into_iter().filter_map(why).collect()
}

/// What a device is good for.
pub(super) enum Judgement {
    /// It captures pictures in a format that is understood; or it may not be opened, so that opening it tells why.
    Camera,
    /// It captures pictures in other formats: why they cannot be read and what to do, to be put behind its path.
    Unreadable(String),
    /// It captures none, or is not there.
    NoCamera,
}

pub(super) fn judge(path: &Path) -> Judgement {
    match open(path) {
        Ok(device) => judge_open(path, &device),
        Err(error) if may_be_camera(&error) => Judgement::Camera,
        Err(error) => judge_closed(&error),
    }
}

/// What is said of a device that cannot be opened, though nobody forbids it: a node without a driver, or with a broken camera.
fn judge_closed(error: &io::Error) -> Judgement {
    let why = format!("cannot be opened: {error}");
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => Judgement::NoCamera,
        Some(Errno::NODEV | Errno::NXIO | Errno::IO | Errno::INVAL) => {
            Judgement::Unreadable(format!("{why}; is its camera plugged in, and its driver loaded?"))
        }
        _ => Judgement::Unreadable(why),
    }
}

fn judge_open(path: &Path, device: &Device) -> Judgement {
    if is_codec(path, device) {
        return Judgement::NoCamera;
    }
    let offered = fourccs(device);
    if offered.iter().any(|fourcc| understood(fourcc.repr).is_some()) {
        return Judgement::Camera;
    }
    let path = path.display();
    if !offered.is_empty() {
        let mut names: Vec<String> = offered.iter().map(|fourcc| shown(*fourcc)).collect();
        names.dedup();
        return Judgement::Unreadable(format!(
            "offers {} alone, which is not read here; let ffmpeg read it: \
             ffmpeg -f v4l2 -i {path} -f mjpeg - | streamflow-send --source -",
            names.join(", ")
        ));
    }
    let planes = Flags::VIDEO_CAPTURE_MPLANE;
    if guarded(|| device.query_caps()).is_ok_and(|caps| caps.capabilities.intersects(planes)) {
        return Judgement::Unreadable(format!(
            "is multi-planar, which is not read here; let GStreamer read it: gst-launch-1.0 -q v4l2src device={path} ! \
             videoconvert ! jpegenc ! fdsink | streamflow-send --source -; on a Raspberry Pi: \
             rpicam-vid -t 0 --codec mjpeg -o - | streamflow-send --source -"
        ));
    }
    Judgement::NoCamera
}

pub(super) fn is_camera(path: &Path) -> bool {
    matches!(judge(path), Judgement::Camera)
}

fn may_be_camera(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ACCESS | Errno::PERM | Errno::BUSY))
}

/// The name of a format as people write it.
fn shown(fourcc: FourCC) -> String {
    fourcc.str().map_or_else(|_| "a format without a name".into(), |s| s.trim().to_owned())
}

/// Whether a device turns pictures into others, as the encoders of small computers do.
fn is_codec(path: &Path, device: &Device) -> bool {
    let codec = Flags::VIDEO_M2M | Flags::VIDEO_M2M_MPLANE;
    // The crate panics at a name that is no plain text.
    name_of(path, Some(device)).is_some_and(|name| name.is_ascii())
        && guarded(|| device.query_caps()).is_ok_and(|caps| caps.capabilities.intersects(codec))
}

/// The path of the first camera whose name contains this, in whatever case.
pub(super) fn named(wanted: &str) -> Option<PathBuf> {
    let wanted = wanted.to_lowercase();
    nodes().into_iter().map(|(_, path)| path).find(|path| {
        let name = name_of(path, open(path).ok().as_ref());
        name.is_some_and(|n| n.to_lowercase().contains(&wanted)) && is_camera(path)
    })
}

/// Sizes and rates that are said of a camera that offers any in a range.
const USUAL_SIZES: [(u32, u32); 8] =
    [(160, 120), (320, 240), (640, 360), (640, 480), (800, 600), (1280, 720), (1920, 1080), (3840, 2160)];
const USUAL_RATES: [f64; 9] = [5.0, 10.0, 15.0, 20.0, 24.0, 25.0, 30.0, 50.0, 60.0];

pub(super) fn list() -> Vec<CameraInfo> {
    nodes().into_iter().filter_map(|(index, path)| describe(index, path)).collect()
}

fn describe(index: u32, path: PathBuf) -> Option<CameraInfo> {
    let info = |name: Option<String>, formats, problem| {
        let name = name.unwrap_or_else(|| format!("camera {index}"));
        CameraInfo { index, name, path: path.display().to_string(), formats, problem }
    };
    let closed = |why: String| Some(info(name_of(&path, None), Vec::new(), Some(why)));
    let unreadable = |why: String| format!("{} {why}", path.display());
    let device = match open(&path) {
        Ok(device) => device,
        Err(error) if may_be_camera(&error) => return closed(super::v4l::lost(&error).to_string()),
        Err(error) => match judge_closed(&error) {
            Judgement::Unreadable(why) => return closed(unreadable(why)),
            _ => return None,
        },
    };
    let problem = match judge_open(&path, &device) {
        Judgement::Camera => None,
        Judgement::Unreadable(why) => Some(unreadable(why)),
        Judgement::NoCamera => return None,
    };
    let mut formats = Vec::new();
    for fourcc in fourccs(&device) {
        let usual = USUAL_SIZES.map(|(w, h)| Size::new(w, h));
        let mut offered: Vec<Size> =
            usual.iter().flat_map(|size| sizes(&device, fourcc, *size).unwrap_or_default()).collect();
        offered.sort_by_key(|s| (s.area(), s.width));
        offered.dedup();
        for size in offered {
            let fps = match rates(&device, fourcc, size) {
                Rates::Listed(list) => list.iter().map(|i| i.fps()).collect(),
                Rates::Between(low, high) => {
                    USUAL_RATES.into_iter().filter(|r| (low..=high).contains(r)).collect::<Vec<_>>()
                }
                Rates::Unknown => Vec::new(),
            };
            formats.push(CameraFormat { format: shown(fourcc), size, fps });
        }
    }
    let name = name_of(&path, Some(&device));
    (!formats.is_empty() || problem.is_some()).then(|| info(name, formats, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_video_and_a_number_is_a_camera_node() {
        assert_eq!(node_number("video0"), Some(0));
        assert_eq!(node_number("video12"), Some(12));
        for odd in ["video", "video-cam", "video1.bak", "videoX", "video+1", "video99999999999999", "vide0", "видео0"]
        {
            assert_eq!(node_number(odd), None, "{odd}");
        }
    }
}
