//! From what a person writes behind `--source` to a source.

use std::io::{IsTerminal, stdin};
use std::path::Path;
use std::time::Duration;

use super::camera::Camera;
use super::controls::ControlPanel;
use super::files::Files;
use super::http::Http;
use super::live::Live;
use super::pattern::Pattern;
use super::tcp::Tcp;
use super::{CaptureRequest, Next, Opened, Source, SourceError};
use crate::error::{Error, Result};

/// How a source is to behave, where that is not in its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// What is played (a file, a folder, standard input, a named pipe) begins when the first viewer is there and ends
    /// after one round. Otherwise files begin again at their end, and a pipe is read whether anybody watches or not.
    pub once: bool,
}

/// The source that a text names:
///
/// | text | source |
/// | --- | --- |
/// | `auto` | the first camera; if there is none now the test pattern, which is logged as a warning, until one comes (on Linux) |
/// | `pattern` | the test pattern |
/// | a number | the camera with this index |
/// | `nokhwa:N` | the camera with this index, by nokhwa |
/// | `-` | JPEGs from standard input, at the rate that is asked for at most |
/// | `http://…` | another camera |
/// | `tcp://HOST:PORT` | a program that listens there and sends JPEGs, with or without their lengths |
/// | a path | a device, a file, a named pipe or a folder |
/// | anything else | the camera whose name contains it |
///
/// # Errors
/// [`Error::Usage`] for what makes no sense, [`Error::NoSource`] for a camera, file or folder that is not there now, or
/// has no picture in it. What goes later is told by the source itself.
pub fn from_spec(spec: &str, options: &SourceOptions) -> Result<Box<dyn Source>> {
    let spec = spec.trim();
    let lower = spec.to_ascii_lowercase();
    let has_no_end = || {
        let what = "--once plays a file, a folder or standard input once, and";
        Err(Error::Usage(format!("{what} '{}' has no end: leave --once away", without_password(spec))))
    };
    let is_camera = lower == "auto" || lower.starts_with("nokhwa:") || lower.bytes().all(|b| b.is_ascii_digit());
    let is_url = ["http://", "https://", "tcp://"].iter().any(|scheme| lower.starts_with(scheme));
    if options.once && !spec.is_empty() && (lower == "pattern" || is_camera || is_url) {
        return has_no_end();
    }
    match lower.as_str() {
        "" => return Err(Error::Usage("no source is named; leave --source out for the first camera".into())),
        "auto" => return Ok(automatic()),
        "pattern" => return Ok(Box::new(Pattern::default())),
        "-" if stdin().is_terminal() => {
            let example = "ffmpeg -i FILE -f mjpeg - | streamflow-send --source -";
            return Err(Error::Usage(format!("standard input is a terminal; pipe JPEG pictures into it: {example}")));
        }
        "-" => return Ok(Box::new(Live::stdin(options.once))),
        _ => {}
    }
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return Ok(Box::new(Http::new(spec)?));
    }
    if lower.starts_with("tcp://") {
        return Ok(Box::new(Tcp::new(spec)?));
    }
    if let Some((scheme, _)) = lower.split_once("://") {
        return Err(Error::Usage(format!(
            "{scheme}:// is not spoken here; let another program fetch it: \
             ffmpeg -i {spec} -f mjpeg - | streamflow-send --source -"
        )));
    }
    if let Some(index) = lower.strip_prefix("nokhwa:") {
        let index =
            index.parse().map_err(|_| Error::Usage(format!("'{spec}' has no camera number; write nokhwa:0")))?;
        return Ok(Box::new(Camera::portable(index)));
    }
    if spec.bytes().all(|b| b.is_ascii_digit()) {
        let none = || Error::NoSource(format!("no camera {spec}; --list shows what there is"));
        return there(Camera::by_index(spec.parse().map_err(|_| none())?), none);
    }
    from_path_or_name(spec, options)
}

fn from_path_or_name(spec: &str, options: &SourceOptions) -> Result<Box<dyn Source>> {
    let path = Path::new(spec);
    // Below /dev only pipes, such as /dev/stdin, are no devices.
    let kind = path.metadata().map(|m| m.file_type());
    if kind.as_ref().is_ok_and(is_pipe) {
        return Ok(Box::new(Live::pipe(path, options.once)));
    }
    if path.starts_with("/dev") && !kind.as_ref().is_ok_and(|k| k.is_file() || k.is_dir()) {
        let why = if kind.is_ok() { "is no camera that can be read" } else { "is not there" };
        return there(Camera::by_path(path), || Error::NoSource(format!("{spec} {why}; --list shows what there is")));
    }
    if kind.is_ok_and(|k| k.is_file() || k.is_dir()) {
        let mut files = Files::new(path, options.once);
        files.open(&CaptureRequest::default()).map_err(|e| Error::NoSource(e.to_string()))?;
        files.close();
        return Ok(Box::new(files));
    }
    let none = || {
        Error::NoSource(if spec.contains(['/', '\\']) {
            format!("there is no file {spec}")
        } else {
            format!("no camera is called '{spec}', and there is no such file; --list shows the cameras")
        })
    };
    if spec.contains('/') {
        return Err(none());
    }
    let camera = there(Camera::by_name(spec), none)?;
    if options.once {
        return Err(Error::Usage(format!(
            "--once plays a file, a folder or standard input once, and the camera '{spec}' has no end"
        )));
    }
    Ok(camera)
}

/// A URL without the password in it.
fn without_password(spec: &str) -> String {
    match spec.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, place)) => format!("{scheme}://…@{place}"),
        None => spec.to_owned(),
    }
}

#[cfg(unix)]
fn is_pipe(kind: &std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo() || kind.is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_: &std::fs::FileType) -> bool {
    false
}

fn there(camera: Camera, otherwise: impl FnOnce() -> Error) -> Result<Box<dyn Source>> {
    if camera.is_there() {
        return Ok(Box::new(camera));
    }
    Err(camera.unreadable().map_or_else(otherwise, Error::NoSource))
}

/// The first camera, or the test pattern if there is none now; on Linux until one comes.
fn automatic() -> Box<dyn Source> {
    if super::camera::is_there() {
        return Box::new(Camera::first());
    }
    let until = if cfg!(target_os = "linux") { " until one comes" } else { "" };
    match super::camera::unreadable().as_slice() {
        [] => log::warn!("no camera found: showing the test pattern{until}"),
        all => log::warn!("no camera that can be read: showing the test pattern{until}; {}", all.join("; ")),
    }
    #[cfg(target_os = "linux")]
    return Box::new(super::automatic::Automatic::without_camera());
    #[cfg(not(target_os = "linux"))]
    return Box::new(Pattern::without_camera());
}

impl Source for Box<dyn Source> {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        (**self).open(request)
    }

    fn next(&mut self, frame: &mut crate::frame::Frame) -> Result<Next, SourceError> {
        (**self).next(frame)
    }

    fn close(&mut self) {
        (**self).close();
    }

    fn may_be_back(&mut self, failed_for: Duration, patience: Duration) -> Option<bool> {
        (**self).may_be_back(failed_for, patience)
    }

    fn controls(&self) -> Option<Box<dyn ControlPanel>> {
        (**self).controls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(spec: &str) -> Error {
        match from_spec(spec, &SourceOptions::default()) {
            Ok(_) => panic!("{spec} was taken"),
            Err(error) => error,
        }
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage_and_says_what_to_write() {
        for (spec, hint) in [
            ("", "leave --source out"),
            ("  ", "leave --source out"),
            ("https://", "host is missing"),
            ("rtsp://cam/stream", "ffmpeg -i rtsp://cam/stream"),
            ("nokhwa:x", "nokhwa:0"),
            ("http://", "host is missing"),
            ("tcp://cam", "tcp://HOST:PORT"),
            ("tcp://:9999", "tcp://HOST:PORT"),
            ("tcp://cam:0", "tcp://HOST:PORT"),
            ("tcp://cam:99999", "tcp://HOST:PORT"),
            ("tcp://cam:9999/stream", "tcp://HOST:PORT"),
            ("tcp://::1:9999", "tcp://[::1]:9999"),
        ] {
            let error = refused(spec);
            assert_eq!(error.exit_code(), 2, "{spec}");
            assert!(error.to_string().contains(hint), "{spec}: {error}");
        }
    }

    #[test]
    fn what_has_no_end_is_not_played_once() {
        let once = SourceOptions { once: true };
        for spec in ["auto", "pattern", "0", "nokhwa:0", "tcp://cam:9999", "http://me:hunter2@cam/stream"] {
            let error = from_spec(spec, &once).map(drop).unwrap_err();
            let said = error.to_string();
            assert!(error.exit_code() == 2 && said.contains("--once") && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn what_is_not_there_is_no_source() {
        for (spec, hint) in [
            ("4000000", "--list"),
            ("99999999999999999999", "--list"),
            ("/dev/video4000000", "is not there"),
            ("/dev/null", "is no camera"),
            ("no such camera anywhere", "--list"),
            ("some/missing.mjpg", "there is no file"),
        ] {
            let error = refused(spec);
            assert_eq!(error.exit_code(), 3, "{spec}: {error}");
            assert!(error.to_string().contains(hint), "{spec}: {error}");
        }
    }

    #[test]
    fn auto_is_a_source_on_every_machine() {
        from_spec("auto", &SourceOptions::default()).unwrap();
        from_spec("Pattern", &SourceOptions::default()).unwrap();
    }
}
