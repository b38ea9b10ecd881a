//! Cameras: V4L2 itself on Linux, nokhwa elsewhere (and on Linux too, on request).

#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // nokhwa gives no ranges and hides padding
mod choose;
mod comings;
#[cfg(target_os = "linux")]
mod formats;
#[cfg(target_os = "linux")]
mod hotplug;
mod portable;
#[cfg(target_os = "linux")]
mod rows;
#[cfg(target_os = "linux")]
mod v4l;
#[cfg(target_os = "linux")]
mod watch;

use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::time::Duration;

use serde::Serialize;

pub use self::comings::Comings;
use self::portable::PortableCamera;
#[cfg(target_os = "linux")]
use self::v4l::{OpenError, V4lCamera, devices};
#[cfg(target_os = "linux")]
pub(super) use self::watch::{Awaited, DEVICES};
#[cfg(target_os = "linux")]
use super::controls::ControlPanel;
use super::{CaptureRequest, Next, Opened, Source, SourceError};
#[cfg(target_os = "linux")]
use super::{PATIENCE, TRY_AGAIN};
use crate::frame::{Frame, Size};

/// A camera of this machine, as [`list`] tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CameraInfo {
    /// What chooses it: `--source 0`. On Linux the number in `/dev/video0`.
    pub index: u32,
    /// Its name; any part of it chooses it too, in whatever case.
    pub name: String,
    /// Its device path, where cameras have one; otherwise empty.
    pub path: String,
    /// A path that names the very camera, whatever number it has: `/dev/v4l/by-id/…`; absent where the system gives it none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_id: Option<String>,
    /// What it offers, smallest sizes first within a format. Empty where only opening the camera would tell, and that
    /// failed.
    pub formats: Vec<CameraFormat>,
    /// Why it cannot be used, and what to do; absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One format and size that a camera offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CameraFormat {
    /// The name of the format, as `--format` takes it: `yuyv`, `mjpeg`. Of one that is not read here, what V4L2 calls it: `H264`.
    pub format: String,
    /// The size, as `640x480` in JSON. Of a camera that offers any size in a range, usual ones.
    #[serde(serialize_with = "as_text")]
    pub size: Size,
    /// The rates, in frames a second. Of a camera that offers any rate in a range, usual ones; empty if it does not say.
    pub fps: Vec<f64>,
}

fn as_text<S: serde::Serializer>(size: &Size, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(size)
}

/// The cameras of this machine, in order of their index. Devices that are no cameras are left out.
#[must_use]
pub fn list() -> Vec<CameraInfo> {
    #[cfg(target_os = "linux")]
    return devices::list();
    #[cfg(not(target_os = "linux"))]
    return portable::list();
}

/// Whether there is a camera at all. Much cheaper than [`list`].
#[must_use]
pub fn is_there() -> bool {
    #[cfg(target_os = "linux")]
    return devices::first().is_some();
    #[cfg(not(target_os = "linux"))]
    return !portable::names().is_empty();
}

/// What is said of devices that have pictures and cannot be read here.
pub(super) fn unreadable() -> Vec<String> {
    #[cfg(target_os = "linux")]
    return devices::unreadable();
    #[cfg(not(target_os = "linux"))]
    return Vec::new();
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    First,
    Index(u32),
    Name(String),
    Path(PathBuf),
    /// By nokhwa, on every system.
    Portable(u32),
}

#[cfg(target_os = "linux")]
impl Which {
    fn path(&self) -> Option<PathBuf> {
        match self {
            Self::First => devices::first(),
            Self::Index(index) => Some(format!("/dev/video{index}").into()),
            Self::Name(name) => devices::named(name),
            Self::Path(path) => Some(path.clone()),
            Self::Portable(_) => None,
        }
    }
}

enum Device {
    #[cfg(target_os = "linux")]
    V4l(V4lCamera),
    Portable(PortableCamera),
}

/// A camera. It is looked up anew each time it is opened, so that one that was unplugged is found again, under another
/// number if need be.
pub struct Camera {
    which: Which,
    device: Option<Device>,
    /// nokhwa's thread cannot be stopped while it waits for a frame; a new one is not begun before it is over.
    portable: portable::Worker,
    /// It was there before: when it is not there now it was unplugged.
    seen: bool,
    /// The number of the newest frame, carried on when the camera is opened again.
    sequence: u64,
    /// Where it was opened last, for who sets its controls.
    #[cfg(target_os = "linux")]
    opened: v4l::controls::OpenPath,
    /// It could not be opened, and the system tells when it comes.
    #[cfg(target_os = "linux")]
    awaited: Option<Awaited>,
    /// It could not be opened though it is there, as far as can be told.
    #[cfg(target_os = "linux")]
    fails: bool,
}

impl Camera {
    /// The first camera there is.
    #[must_use]
    pub fn first() -> Self {
        Self::new(Which::First)
    }

    /// The camera with this index. On Linux `0` is `/dev/video0`.
    #[must_use]
    pub fn by_index(index: u32) -> Self {
        Self::new(Which::Index(index))
    }

    /// The first camera whose name contains this, in whatever case.
    #[must_use]
    pub fn by_name(part: impl Into<String>) -> Self {
        Self::new(Which::Name(part.into()))
    }

    /// The camera at a device path such as `/dev/video0` or `/dev/v4l/by-id/…`, which names the very camera and not the
    /// socket that it is in. Linux only.
    #[must_use]
    pub fn by_path(path: impl Into<PathBuf>) -> Self {
        Self::new(Which::Path(path.into()))
    }

    /// The camera with this index, by nokhwa even where there is a better way. On Linux such a camera gives no sequence
    /// numbers, its frames are up to four periods old when the reader is slow, and one that stalls is not opened again
    /// before it gives a frame or goes.
    #[must_use]
    pub fn portable(index: u32) -> Self {
        Self::new(Which::Portable(index))
    }

    fn new(which: Which) -> Self {
        Self {
            which,
            device: None,
            portable: portable::Worker::default(),
            seen: false,
            sequence: 0,
            #[cfg(target_os = "linux")]
            opened: Default::default(),
            #[cfg(target_os = "linux")]
            awaited: None,
            #[cfg(target_os = "linux")]
            fails: false,
        }
    }

    /// Whether it is there now, as far as can be told without taking it.
    pub(super) fn is_there(&self) -> bool {
        #[cfg(target_os = "linux")]
        return match &self.which {
            Which::Portable(_) => true,
            _ => self.path().is_some_and(|path| devices::is_camera(&path)),
        };
        #[cfg(not(target_os = "linux"))]
        return !matches!(self.which, Which::Path(_)) && self.index().is_some();
    }

    /// Why what is there cannot be used, if it has pictures.
    pub(super) fn unreadable(&self) -> Option<String> {
        #[cfg(target_os = "linux")]
        if let Some(path) = self.path()
            && let devices::Judgement::Unreadable(why) = devices::judge(&path)
        {
            return Some(format!("{} {why}", path.display()));
        }
        None
    }

    fn missing(&self) -> SourceError {
        if self.seen {
            return SourceError::Lost("camera unplugged".into());
        }
        SourceError::Missing(match &self.which {
            Which::First => "no camera; --list shows what there is".into(),
            Which::Index(i) | Which::Portable(i) => format!("no camera {i}; --list shows what there is"),
            Which::Name(name) => format!("no camera '{name}'; --list shows what there is"),
            Which::Path(path) => format!("no camera {}; --list shows what there is", path.display()),
        })
    }

    #[cfg(target_os = "linux")]
    fn path(&self) -> Option<PathBuf> {
        self.which.path()
    }

    #[cfg(target_os = "linux")]
    fn open_native(&mut self, request: &CaptureRequest) -> Result<(Device, Opened), SourceError> {
        let path = self.path().ok_or_else(|| self.missing())?;
        match V4lCamera::open(&path, request, self.sequence) {
            Ok((device, opened)) => {
                self.opened.set(&path);
                Ok((Device::V4l(device), opened))
            }
            Err(OpenError::NotThere) => Err(self.missing()),
            Err(OpenError::NoCamera) => {
                let why = || format!("{} is no camera that can be read", path.display());
                Err(SourceError::Missing(self.unreadable().unwrap_or_else(why)))
            }
            Err(OpenError::Io(error)) => Err(v4l::closed(&path, &error)),
        }
    }

    /// Whether something is there that may be it, though it cannot be opened now: then nobody tells when it can.
    #[cfg(target_os = "linux")]
    fn may_be_there(&self) -> bool {
        match &self.which {
            Which::First | Which::Name(_) => devices::any(),
            Which::Index(_) | Which::Path(_) | Which::Portable(_) => self.path().is_some_and(|path| path.exists()),
        }
    }

    /// It has failed: from now on it is told when it comes. Whether that is new.
    #[cfg(target_os = "linux")]
    fn await_it(&mut self) -> bool {
        self.fails = self.may_be_there();
        if self.awaited.is_some() || matches!(self.which, Which::Portable(_)) {
            return false;
        }
        let path = match &self.which {
            Which::Index(_) | Which::Path(_) => self.path(),
            Which::First | Which::Name(_) | Which::Portable(_) => None,
        };
        self.awaited = Awaited::new(DEVICES.as_ref(), path.as_deref());
        self.awaited.is_some()
    }

    /// Opens it once more where it may have come just before it would have been told.
    #[cfg(target_os = "linux")]
    fn or_await(&mut self, error: SourceError, request: &CaptureRequest) -> Result<Opened, SourceError> {
        let mut failed = error;
        if self.await_it() {
            failed = match self.open_now(request) {
                Ok(opened) => return Ok(opened),
                Err(error) => error,
            };
        }
        // What has just come has not all its rights yet, and that is nothing to tell.
        Err(if self.is_settling() { self.missing() } else { failed })
    }

    /// Whether it came so lately that it may just not be ready.
    #[cfg(target_os = "linux")]
    fn is_settling(&self) -> bool {
        self.awaited.as_ref().is_some_and(Awaited::is_settling)
    }

    /// Opens it if it is there.
    pub(super) fn open_now(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        self.close();
        let (device, opened) = match self.which {
            Which::Portable(index) => self.open_portable(index, request)?,
            _ => self.open_native(request)?,
        };
        self.device = Some(device);
        self.seen = true;
        #[cfg(target_os = "linux")]
        {
            self.awaited = None;
        }
        Ok(opened)
    }

    #[cfg(not(target_os = "linux"))]
    fn index(&self) -> Option<u32> {
        let names = portable::names();
        let found = match &self.which {
            Which::First => names.first(),
            Which::Index(index) | Which::Portable(index) => names.iter().find(|(i, _)| i == index),
            Which::Name(part) => names.iter().find(|(_, name)| name.to_lowercase().contains(&part.to_lowercase())),
            Which::Path(_) => None,
        };
        found.map(|(index, _)| *index)
    }

    #[cfg(not(target_os = "linux"))]
    fn open_native(&mut self, request: &CaptureRequest) -> Result<(Device, Opened), SourceError> {
        let index = self.index().ok_or_else(|| self.missing())?;
        self.open_portable(index, request)
    }

    fn open_portable(&mut self, index: u32, request: &CaptureRequest) -> Result<(Device, Opened), SourceError> {
        let opened = PortableCamera::open(&mut self.portable, index, request, self.sequence);
        let (device, opened) = opened.map_err(|error| match error {
            SourceError::Missing(_) if self.seen => self.missing(),
            other => other,
        })?;
        Ok((Device::Portable(device), opened))
    }
}

impl Source for Camera {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        let opened = self.open_now(request);
        #[cfg(target_os = "linux")]
        let opened = opened.or_else(|error| self.or_await(error, request));
        opened
    }

    #[cfg(target_os = "linux")]
    fn may_be_back(&mut self, failed_for: Duration, patience: Duration) -> Option<bool> {
        let due = self.awaited.as_mut()?.is_due_within(patience.min(PATIENCE));
        Some(due || (self.fails && failed_for >= TRY_AGAIN))
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        match &mut self.device {
            #[cfg(target_os = "linux")]
            Some(Device::V4l(device)) => {
                let next = device.next(frame);
                self.sequence = device.sequence();
                if next.is_err() {
                    self.opened.gone();
                    self.await_it();
                }
                next
            }
            Some(Device::Portable(device)) => {
                let next = device.next(frame);
                self.sequence = device.sequence();
                next
            }
            None => Err(SourceError::Lost("camera is not open".into())),
        }
    }

    fn close(&mut self) {
        // V4L2 stops; nokhwa's thread is told to end.
        self.device = None;
    }

    #[cfg(target_os = "linux")]
    fn controls(&self) -> Option<Box<dyn ControlPanel>> {
        let which = match &self.which {
            // The same node, also where nokhwa reads it.
            Which::Portable(index) => Which::Index(*index),
            other => other.clone(),
        };
        Some(Box::new(v4l::controls::Panel::new(move || which.path(), self.opened.clone())))
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_told_to_programs_as_json() {
        let formats = vec![CameraFormat { format: "yuyv".into(), size: Size::new(640, 480), fps: vec![30.0, 15.0] }];
        let info = CameraInfo {
            index: 0,
            name: "Cam".into(),
            path: "/dev/video0".into(),
            by_id: None,
            formats,
            problem: None,
        };
        assert_eq!(
            serde_json::to_string(&info).unwrap(),
            r#"{"index":0,"name":"Cam","path":"/dev/video0","formats":[{"format":"yuyv","size":"640x480","fps":[30.0,15.0]}]}"#
        );
    }

    #[test]
    fn a_camera_that_is_not_there_says_how_to_find_one() {
        let mut camera = Camera::by_index(4_000_000);
        let said = camera.open(&CaptureRequest::default()).unwrap_err().to_string();
        assert_eq!(said, "no camera 4000000; --list shows what there is");
        assert!(!camera.is_there());
    }
}
