//! The first camera, and the test pattern until there is one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::camera::{Awaited, Camera, DEVICES};
use super::controls::ControlPanel;
use super::pattern::Pattern;
use super::{CaptureRequest, Next, Opened, Source, SourceError, TRY_AGAIN};
use crate::frame::Frame;
use crate::time::{Micros, now};
use crate::wire::camera_controls::CameraControl;

/// How often it is asked whether a camera was told of, while the pattern is shown: no call to the system for each picture.
const LOOK: Duration = Duration::from_millis(50);

/// A camera that may come.
pub(super) trait Candidate: Source {
    /// Opens it if it is there.
    fn open_now(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError>;
}

impl Candidate for Camera {
    fn open_now(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        Self::open_now(self, request)
    }
}

/// The test pattern, until a camera comes; from then on that camera, also where it goes again.
pub(super) struct Automatic<C = Camera> {
    camera: C,
    pattern: Pattern,
    /// Where cameras come.
    root: PathBuf,
    shows: Shows,
    /// What tells of them, while the pattern is shown; `None` where nothing does.
    awaited: Option<Awaited>,
    request: CaptureRequest,
    /// The camera is open, and is still to take the place of the pattern.
    ready: Option<Opened>,
    look: Micros,
    /// When a camera that nobody tells of, or that is there and cannot be opened, is tried again.
    again: Option<Micros>,
    /// Why one cannot be opened, as far as it was said.
    told: String,
}

impl Automatic {
    pub(super) fn without_camera() -> Self {
        Self::new(Camera::first(), Path::new(DEVICES))
    }
}

impl<C: Candidate> Automatic<C> {
    fn new(camera: C, root: &Path) -> Self {
        Self {
            camera,
            pattern: Pattern::without_camera(),
            root: root.to_owned(),
            shows: Shows::default(),
            awaited: None,
            request: CaptureRequest::default(),
            ready: None,
            look: Micros(0),
            again: None,
            told: String::new(),
        }
    }

    /// Opens the camera, if one is there by now.
    fn camera_came(&mut self) -> Option<Opened> {
        let error = match self.camera.open_now(&self.request) {
            Ok(opened) => {
                log::info!("a camera has come: its pictures take the place of the test pattern");
                self.awaited = None;
                self.shows.set(CAMERA);
                return Some(opened);
            }
            Err(error) => error,
        };
        let missing = matches!(error, SourceError::Missing(_));
        let settling = self.awaited.as_ref().is_some_and(Awaited::is_settling);
        self.again = (!missing && !settling || self.awaited.is_none()).then(|| now() + TRY_AGAIN);
        let why = error.to_string();
        if !missing && !settling && self.told != why {
            log::warn!("a camera has come, and the test pattern stays until it can be opened: {why}");
            self.told = why;
        }
        None
    }

    /// Whether there is a sign of a camera.
    fn is_due(&mut self, at: Micros) -> bool {
        if at < self.look {
            return false;
        }
        self.look = at + LOOK;
        let told = self.awaited.as_mut().is_some_and(|awaited| awaited.is_due_within(Duration::ZERO));
        told || self.again.is_some_and(|again| at >= again)
    }
}

impl<C: Candidate> Source for Automatic<C> {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        if let Some(opened) = self.ready.take() {
            return Ok(opened);
        }
        if self.shows.is(CAMERA) {
            return self.camera.open(request);
        }
        self.request = request.clone();
        if self.awaited.is_none() {
            self.awaited = Awaited::new(&self.root, None);
        }
        // One may have come before it would have been told, or while nobody watched.
        if let Some(opened) = self.camera_came() {
            return Ok(opened);
        }
        self.shows.set(PATTERN);
        self.pattern.open(request)
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        if self.ready.is_some() {
            return Ok(Next::Changed);
        }
        if self.shows.is(CAMERA) {
            return self.camera.next(frame);
        }
        if self.is_due(now()) {
            self.ready = self.camera_came();
            if self.ready.is_some() {
                return Ok(Next::Changed);
            }
        }
        self.pattern.next(frame)
    }

    fn close(&mut self) {
        self.pattern.close();
        // While nobody watches nothing is watched, and nothing of what happens is kept.
        self.awaited = None;
        if self.ready.is_none() {
            self.camera.close();
        }
    }

    fn may_be_back(&mut self, failed_for: Duration, patience: Duration) -> Option<bool> {
        if self.shows.is(CAMERA) { self.camera.may_be_back(failed_for, patience) } else { None }
    }

    fn controls(&self) -> Option<Box<dyn ControlPanel>> {
        let (pattern, camera) = (self.pattern.controls()?, self.camera.controls()?);
        Some(Box::new(Panel { shows: self.shows.clone(), pattern, camera }))
    }
}

/// Which of the two is shown; the thread of the pictures and that of the controls share it.
#[derive(Clone, Default)]
struct Shows(Arc<AtomicU8>);

const PATTERN: u8 = 1;
const CAMERA: u8 = 2;

impl Shows {
    fn set(&self, what: u8) {
        self.0.store(what, Ordering::Release);
    }

    fn is(&self, what: u8) -> bool {
        self.0.load(Ordering::Acquire) == what
    }
}

/// The controls of the one that is shown.
struct Panel {
    shows: Shows,
    pattern: Box<dyn ControlPanel>,
    camera: Box<dyn ControlPanel>,
}

impl ControlPanel for Panel {
    /// Before anything was opened they are those of the camera, of which nobody can tell yet what they are.
    fn read(&mut self) -> Result<Vec<CameraControl>, SourceError> {
        if self.stands_in() { self.pattern.read() } else { self.camera.read() }
    }

    fn set(&mut self, control: &CameraControl, value: i64) -> Result<(), SourceError> {
        if self.stands_in() { self.pattern.set(control, value) } else { self.camera.set(control, value) }
    }

    fn stands_in(&self) -> bool {
        self.shows.is(PATTERN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    /// A camera that is there when its node is, and that can be opened when others than its owner may.
    struct Node(PathBuf);

    impl Candidate for Node {
        fn open_now(&mut self, _: &CaptureRequest) -> Result<Opened, SourceError> {
            let Ok(node) = fs::metadata(&self.0) else { return Err(SourceError::Missing("no camera".into())) };
            if node.permissions().mode() & 0o060 == 0 {
                return Err(SourceError::Lost("permission denied".into()));
            }
            Ok(Opened { name: "camera".into(), ..Opened::default() })
        }
    }

    impl Source for Node {
        fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
            self.open_now(request)
        }

        fn next(&mut self, _: &mut Frame) -> Result<Next, SourceError> {
            if self.0.exists() { Ok(Next::Broken) } else { Err(SourceError::Lost("camera unplugged".into())) }
        }

        fn controls(&self) -> Option<Box<dyn ControlPanel>> {
            Some(Box::new(Mute))
        }
    }

    /// Its controls, of which nobody can tell.
    struct Mute;

    impl ControlPanel for Mute {
        fn read(&mut self) -> Result<Vec<CameraControl>, SourceError> {
            Err(SourceError::Missing("no camera".into()))
        }

        fn set(&mut self, _: &CameraControl, _: i64) -> Result<(), SourceError> {
            Err(SourceError::Missing("no camera".into()))
        }
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("streamflow-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn plug(&self, mode: u32) {
            // Its rights are there as soon as it is: a file is made under another name, and then moved.
            let node = self.0.join("new");
            File::create(&node).unwrap();
            fs::set_permissions(&node, Permissions::from_mode(mode)).unwrap();
            fs::rename(node, self.0.join("video0")).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn automatic(folder: &Folder) -> Automatic<Node> {
        Automatic::new(Node(folder.0.join("video0")), &folder.0)
    }

    fn opened(source: &mut Automatic<Node>) -> String {
        source.open(&CaptureRequest::default()).unwrap().name
    }

    /// What comes after the pattern's pictures.
    fn after_the_pattern(source: &mut Automatic<Node>) -> Next {
        let (begun, mut frame) = (Instant::now(), Frame::default());
        loop {
            assert!(begun.elapsed() < Duration::from_secs(30), "it shows the pattern for ever");
            match source.next(&mut frame).unwrap() {
                Next::Frame | Next::Nothing => {}
                other => return other,
            }
        }
    }

    #[test]
    fn a_camera_that_comes_takes_the_place_of_the_pattern_and_keeps_it() {
        let folder = Folder::new("auto-comes");
        let mut source = automatic(&folder);
        assert_eq!(opened(&mut source), "test pattern (no camera found)");
        let mut frame = Frame::default();
        assert_eq!(source.next(&mut frame), Ok(Next::Frame));
        folder.plug(0o660);
        assert_eq!(after_the_pattern(&mut source), Next::Changed);
        source.close();
        assert_eq!(opened(&mut source), "camera");
        assert_eq!(source.next(&mut frame), Ok(Next::Broken), "what is read is the camera");
        fs::remove_file(folder.0.join("video0")).unwrap();
        assert!(source.next(&mut frame).is_err());
        source.close();
        assert!(
            source.open(&CaptureRequest::default()).is_err(),
            "one that has gone is waited for, without the pattern"
        );
    }

    #[test]
    fn a_camera_that_may_not_be_opened_yet_is_opened_when_it_may() {
        let folder = Folder::new("auto-rights");
        let mut source = automatic(&folder);
        opened(&mut source);
        folder.plug(0o600);
        let mut frame = Frame::default();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(300) {
            assert!(matches!(source.next(&mut frame), Ok(Next::Frame | Next::Nothing)), "the pattern goes on");
        }
        fs::set_permissions(folder.0.join("video0"), Permissions::from_mode(0o660)).unwrap();
        assert_eq!(after_the_pattern(&mut source), Next::Changed);
        assert_eq!(opened(&mut source), "camera");
    }

    #[test]
    fn a_camera_that_comes_while_nobody_watches_is_there_for_who_does() {
        let folder = Folder::new("auto-asleep");
        let mut source = automatic(&folder);
        opened(&mut source);
        source.close();
        folder.plug(0o660);
        assert_eq!(opened(&mut source), "camera");
    }

    #[test]
    fn controls_are_those_of_what_is_shown_and_those_of_the_pattern_are_not_for_the_camera() {
        let folder = Folder::new("auto-controls");
        let mut source = automatic(&folder);
        let mut panel = source.controls().unwrap();
        assert!(panel.read().is_err() && !panel.stands_in(), "what is to be set is for the camera");
        opened(&mut source);
        assert!(panel.stands_in() && panel.read().unwrap().iter().any(|control| control.name == "brightness"));
        folder.plug(0o660);
        after_the_pattern(&mut source);
        opened(&mut source);
        assert!(panel.read().is_err() && !panel.stands_in());
    }
}
