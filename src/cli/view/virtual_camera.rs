//! `--virtual-camera`: the stream as a camera of this machine, for programs that know nothing else. v4l2loopback makes of what is
//! written to one of its devices what others read from it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::canvas::Canvas;
use super::output::{Output, usual_size};
use super::yuyv;
use crate::error::{Error, in_words};
use crate::frame::Size;
use crate::system::v4l2_output::{self as v4l2, CAN_OUTPUT, CAN_OUTPUT_PLANES, CAN_WRITE, Takes};
use crate::text::Untrusted;
use crate::viewer::{Shown, Viewer};

/// What the driver of v4l2loopback calls itself.
const LOOPBACK: &str = "v4l2 loopback";
const YUYV: u32 = u32::from_le_bytes(*b"YUYV");

/// A device of V4L2 that takes pictures.
pub(super) struct VirtualCamera {
    path: PathBuf,
    card: String,
    file: File,
    /// A part is cut out, so that nobody knows the size before the first picture.
    is_cut: bool,
    /// What it takes, once there was a picture. Whoever reads from it holds that.
    open: Option<(Takes, Canvas)>,
    /// The size of the last picture.
    last: Size,
    bytes: Vec<u8>,
    /// The last picture was made grey.
    is_grey: bool,
}

impl VirtualCamera {
    /// Opens the device.
    ///
    /// # Errors
    /// It is none that takes pictures, with what to do about it.
    pub(super) fn open(path: &Path, is_cut: bool) -> Result<Self, Error> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| not_opened(path, &error))?;
        let name = path.display();
        let device = v4l2::device(&file).map_err(|_| Error::Usage(format!("{name} is no video device")))?;
        let card = Untrusted(&device.card).to_string();
        if device.can & CAN_OUTPUT == 0 {
            return Err(Error::Failed(match device.driver.as_str() {
                LOOPBACK => format!("{name} ({card}) is busy: another program gives pictures to it already"),
                _ if device.can & CAN_OUTPUT_PLANES != 0 => {
                    format!("{name} ({card}) takes pictures in several planes, which this program does not give")
                }
                _ => format!(
                    "{name} ({card}) gives pictures and takes none: name a device of v4l2loopback; {}",
                    how(path)
                ),
            }));
        }
        if device.can & CAN_WRITE == 0 {
            return Err(Error::Failed(format!("{name} ({card}) cannot be written to: name a device of v4l2loopback")));
        }
        Ok(Self {
            path: path.to_owned(),
            card,
            file,
            is_cut,
            open: None,
            last: Size::default(),
            bytes: Vec::new(),
            is_grey: false,
        })
    }

    fn failed(&self, what: &str) -> Error {
        Error::Failed(format!("{} ({}) {what}", self.path.display(), self.card))
    }

    /// Tells the device what comes, as near to this as it takes it.
    fn agree(&self, wanted: Size, fps: f64) -> Result<Takes, Error> {
        // Two pixels share their colours.
        let size = (wanted.width.next_multiple_of(2), wanted.height);
        let told = v4l2::set_format(&self.file, YUYV, size).or_else(|error| {
            // Whoever reads from it holds a format: that one, then.
            let held = v4l2::takes(&self.file).map_err(|_| error)?;
            v4l2::set_format(&self.file, held.fourcc, (held.width, held.height))
        });
        let takes = told.map_err(|error| match error.kind() {
            ErrorKind::ResourceBusy => self.failed("is busy: another program gives pictures to it already"),
            _ => self.failed(&format!("takes no pictures: {}", in_words(&error))),
        })?;
        if takes.fourcc != YUYV {
            let [a, b, c, d] = takes.fourcc.to_le_bytes().map(char::from);
            let format = Untrusted(format!("{a}{b}{c}{d}")).to_string();
            return Err(self.failed(&format!("takes {format} alone, and this program gives YUYV")));
        }
        let size = Size::new(takes.width, takes.height);
        if size.check(crate::frame::MAX_PIXELS).is_err() || takes.width % 2 != 0 || takes.stride < 2 * takes.width {
            return Err(self.failed(&format!("takes pictures of {size}, which makes no sense")));
        }
        if fps > 0.1 {
            // For those who ask how fast it is. One that does not want to know takes pictures all the same.
            let _ = v4l2::set_interval(&self.file, (1000, (fps.min(1000.0) * 1000.0) as u32));
        }
        let name = self.path.display();
        log::info!("{name} ({}) is a camera now: {size} yuyv; size and format stay until this program ends", self.card);
        Ok(takes)
    }

    fn write(&mut self) -> Result<(), Error> {
        let written = loop {
            match self.file.write(&self.bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match written {
            // A picture is one write; what a device leaves out of it is lost.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                Err(self.failed("is busy: another program gives pictures to it"))
            }
            Err(error) => Err(self.failed(&format!("takes no more pictures: {}", in_words(&error)))),
        }
    }
}

impl Output for VirtualCamera {
    fn put(&mut self, shown: &Shown, viewer: &Viewer) -> anyhow::Result<()> {
        let (takes, mut canvas) = match self.open.take() {
            Some(open) => open,
            None => {
                let report = viewer.report();
                let takes = self.agree(usual_size(shown, &report, self.is_cut), report.nominal.fps)?;
                (takes, Canvas::new(Size::new(takes.width, takes.height)))
            }
        };
        let (size, came) = (canvas.size(), shown.bitmap.size);
        if came != size && came != self.last {
            log::info!("the pictures are {came}: they are fitted into {size}");
        }
        self.last = came;
        let stride = takes.stride as usize;
        self.bytes.resize(stride * size.height as usize, 0);
        yuyv::write(canvas.draw(&shown.bitmap)?, size.width as usize, stride, &mut self.bytes);
        (self.open, self.is_grey) = (Some((takes, canvas)), false);
        Ok(self.write()?)
    }

    fn stands_still(&mut self) -> anyhow::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.is_grey, true) {
            yuyv::dim(&mut self.bytes);
        }
        Ok(self.write()?)
    }
}

/// The lines that make such a device.
fn how(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.strip_prefix("video").and_then(|number| number.parse::<u8>().ok()).unwrap_or(10);
    format!("sudo modprobe v4l2loopback video_nr={number} exclusive_caps=1 card_label=StreamFlow")
}

/// Why it cannot be opened, and what to do.
fn not_opened(path: &Path, error: &std::io::Error) -> Error {
    let name = path.display();
    let how = how(path);
    Error::Failed(match error.kind() {
        ErrorKind::NotFound if Path::new("/sys/module/v4l2loopback").exists() => {
            format!(
                "{name} is not there, though v4l2loopback is loaded: name one of its devices (v4l2-ctl --list-devices), or \
                 load it anew: sudo modprobe -r v4l2loopback && {how}"
            )
        }
        ErrorKind::NotFound => {
            format!("{name} is not there: v4l2loopback makes it (package v4l2loopback-dkms): {how}")
        }
        ErrorKind::PermissionDenied => {
            format!("{name} may not be opened by this user: sudo usermod -aG video $USER, and log in again")
        }
        ErrorKind::ResourceBusy => format!("{name} is busy: another program has it"),
        ErrorKind::IsADirectory => return Error::Usage(format!("{name} is no video device")),
        _ => format!("{name} cannot be opened: {}", in_words(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_device_that_takes_pictures_is_said_with_what_makes_one() {
        let why = |path: &str| VirtualCamera::open(Path::new(path), false).map(drop).unwrap_err();
        let missing = why("/dev/video4000017");
        assert!(missing.exit_code() == 1 && missing.to_string().contains("is not there"), "{missing}");
        assert!(missing.to_string().contains("modprobe v4l2loopback video_nr=10 exclusive_caps=1"), "{missing}");
        assert!(how(Path::new("/dev/video7")).contains("video_nr=7 "));
        for (path, said) in [("/dev/null", "is no video device"), ("/dev", "is no video device")] {
            let error = why(path);
            assert!(error.exit_code() == 2 && error.to_string().contains(said), "{path}: {error}");
        }
    }
}
