//! What V4L2 devices there are, and what they offer.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::super::choose::{Mode, Rates};
use super::super::formats::understood;
use super::super::{CameraFormat, CameraInfo};
use super::device::{Device, FourCc};
use crate::frame::Size;

/// The name that the kernel has for a camera. The driver is asked only when the kernel's own list does not know it.
pub(super) fn name_of(path: &Path, device: Option<&Device>) -> Option<String> {
    let node = path.canonicalize().ok()?.file_name()?.to_owned();
    let name = match std::fs::read(Path::new("/sys/class/video4linux").join(node).join("name")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        Err(_) => device?.card.clone(),
    };
    Some(name).filter(|n| !n.is_empty())
}

/// All that a camera offers and we understand. In a range of sizes, the one nearest to the request.
pub(super) fn modes(device: &Device, request: Size) -> Vec<(FourCc, Mode)> {
    let mut modes = Vec::new();
    for fourcc in device.fourccs() {
        let Some(format) = understood(fourcc) else { continue };
        let sizes = device.sizes(fourcc, request);
        for size in if sizes.is_empty() { vec![request] } else { sizes } {
            let rates = device.rates(fourcc, size);
            modes.push((fourcc, Mode { format: format.format, size, rates }));
        }
    }
    modes
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
pub(in crate::source::camera) fn first() -> Option<PathBuf> {
    nodes().into_iter().map(|(_, path)| path).find(|path| is_camera(path))
}

/// What is said of devices that have pictures and that cannot be read here.
pub(in crate::source::camera) fn unreadable() -> Vec<String> {
    let why = |(_, path): (u32, PathBuf)| match judge(&path) {
        Judgement::Unreadable(why) => Some(format!("{} {why}", path.display())),
        _ => None,
    };
    nodes().into_iter().filter_map(why).collect()
}

/// What a device is good for.
pub(in crate::source::camera) enum Judgement {
    /// It captures pictures in a format that is understood; or it may not be opened, so that opening it tells why.
    Camera,
    /// It captures pictures in other formats: why they cannot be read and what to do, to be put behind its path.
    Unreadable(String),
    /// It captures none, or is not there.
    NoCamera,
}

pub(in crate::source::camera) fn judge(path: &Path) -> Judgement {
    match Device::open(path) {
        Ok(device) => judge_open(path, &device),
        Err(error) if may_be_camera(&error) => Judgement::Camera,
        Err(error) => judge_closed(&error),
    }
}

/// What is said of a device that cannot be opened, though nobody forbids it: a node without a driver, or with a broken camera.
fn judge_closed(error: &io::Error) -> Judgement {
    let why = format!("cannot be opened: {}", crate::error::in_words(error));
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => Judgement::NoCamera,
        Some(Errno::NODEV | Errno::NXIO | Errno::IO | Errno::INVAL) => {
            Judgement::Unreadable(format!("{why}; is its camera plugged in, and its driver loaded?"))
        }
        _ => Judgement::Unreadable(why),
    }
}

fn judge_open(path: &Path, device: &Device) -> Judgement {
    if device.is_codec {
        return Judgement::NoCamera;
    }
    let offered = device.fourccs();
    if offered.iter().any(|fourcc| understood(*fourcc).is_some()) {
        return Judgement::Camera;
    }
    let path = path.display();
    if offered.is_empty() {
        return Judgement::NoCamera;
    }
    let mut names: Vec<String> = offered.iter().map(|fourcc| shown(*fourcc)).collect();
    names.dedup();
    let names = names.join(", ");
    let on_a_pi = if offered.iter().all(|fourcc| is_bayer(*fourcc)) {
        "; a Raspberry Pi has a program for what its sensor sees: rpicam-vid -t 0 -n --codec mjpeg -o - | streamflow-send --source -"
    } else {
        ""
    };
    Judgement::Unreadable(format!(
        "offers {names} alone, which is not read here; let ffmpeg read it: \
         ffmpeg -f v4l2 -i {path} -f mjpeg - | streamflow-send --source -{on_a_pi}"
    ))
}

pub(in crate::source::camera) fn is_camera(path: &Path) -> bool {
    matches!(judge(path), Judgement::Camera)
}

fn may_be_camera(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ACCESS | Errno::PERM | Errno::BUSY))
}

/// Whether a format has one colour a pixel, as the sensor has it
/// (<https://docs.kernel.org/userspace-api/media/v4l/pixfmt-bayer.html>).
fn is_bayer(fourcc: FourCc) -> bool {
    let orders: [&[u8]; 6] = [b"BA", b"BG", b"BYR", b"GB", b"GR", b"RG"];
    // `BA24` and `BGR3` to `BGRH` are colours; what is packed begins with a `p`, `pBAA`.
    let packed = fourcc.first() == Some(&b'p');
    let colours = fourcc.starts_with(b"BGR")
        || fourcc.starts_with(b"RGB")
        || matches!(&fourcc, b"BA24" | b"BA15" | b"BA12" | b"GREY");
    packed || (!colours && orders.iter().any(|order| fourcc.starts_with(order)))
}

/// The name of a format as people write it.
fn shown(fourcc: FourCc) -> String {
    let name = String::from_utf8_lossy(&fourcc);
    let plain = name.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if plain { name.trim().to_owned() } else { "a format without a name".into() }
}

/// The path of the first camera whose name contains this, in whatever case.
pub(in crate::source::camera) fn named(wanted: &str) -> Option<PathBuf> {
    let wanted = wanted.to_lowercase();
    nodes().into_iter().map(|(_, path)| path).find(|path| {
        let name = name_of(path, Device::open(path).ok().as_ref());
        name.is_some_and(|n| n.to_lowercase().contains(&wanted)) && is_camera(path)
    })
}

/// Sizes and rates that are said of a camera that offers any in a range.
const USUAL_SIZES: [(u32, u32); 8] =
    [(160, 120), (320, 240), (640, 360), (640, 480), (800, 600), (1280, 720), (1920, 1080), (3840, 2160)];
const USUAL_RATES: [f64; 9] = [5.0, 10.0, 15.0, 20.0, 24.0, 25.0, 30.0, 50.0, 60.0];

pub(in crate::source::camera) fn list() -> Vec<CameraInfo> {
    nodes().into_iter().filter_map(|(index, path)| describe(index, path)).collect()
}

fn describe(index: u32, path: PathBuf) -> Option<CameraInfo> {
    let info = |name: Option<String>, formats, problem| {
        let name = name.unwrap_or_else(|| format!("camera {index}"));
        CameraInfo { index, name, path: path.display().to_string(), formats, problem }
    };
    let closed = |why: String| Some(info(name_of(&path, None), Vec::new(), Some(why)));
    let unreadable = |why: String| format!("{} {why}", path.display());
    let device = match Device::open(&path) {
        Ok(device) => device,
        Err(error) if may_be_camera(&error) => return closed(super::lost(&error).to_string()),
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
    for fourcc in device.fourccs() {
        let usual = USUAL_SIZES.map(|(w, h)| Size::new(w, h));
        let mut offered: Vec<Size> = usual.iter().flat_map(|size| device.sizes(fourcc, *size)).collect();
        offered.sort_by_key(|s| (s.area(), s.width));
        offered.dedup();
        for size in offered {
            let fps = match device.rates(fourcc, size) {
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
    #[test]
    fn what_a_sensor_sees_is_told_from_colours() {
        for bayer in
            [b"BA81", b"GBRG", b"GRBG", b"RGGB", b"BG10", b"GB10", b"BA10", b"RG12", b"pBAA", b"pRCC", b"BYR2", b"RG16"]
        {
            assert!(is_bayer(*bayer), "{bayer:?}");
        }
        for other in [b"BA24", b"BGR3", b"BGR4", b"RGB3", b"RGBP", b"GREY", b"H264", b"YUYV", b"HEVC"] {
            assert!(!is_bayer(*other), "{other:?}");
        }
    }
}
