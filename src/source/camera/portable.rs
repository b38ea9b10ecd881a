//! A camera by nokhwa, on systems without V4L2. It waits for frames without a time limit, so it has a thread of its own,
//! which hands over the newest frame.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use nokhwa::NokhwaError;
use nokhwa::utils::{
    CameraFormat as NokhwaFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};

use super::choose::{Interval, Mode, Rates, choose};
use crate::buffer::{Buffer, Pool};
use crate::frame::{Frame, PixelFormat, Range, Size};
use crate::mailbox::{Receiver, Sender, Taken, mailbox};
use crate::source::arrivals::Arrivals;
use crate::source::{CaptureRequest, Next, Opened, PATIENCE, STALL, SourceError, WARM_UP};
use crate::time::{Micros, now};
use crate::wire::jpeg;

/// How long opening and the first frame may take: some cameras need seconds to wake up.
const FIRST_FRAME: Duration = Duration::from_secs(5);

const FORMATS: [(FrameFormat, PixelFormat); 6] = [
    (FrameFormat::YUYV, PixelFormat::Yuyv),
    (FrameFormat::NV12, PixelFormat::Nv12),
    (FrameFormat::MJPEG, PixelFormat::Jpeg),
    (FrameFormat::GRAY, PixelFormat::Gray),
    (FrameFormat::RAWRGB, PixelFormat::Rgb),
    (FrameFormat::RAWBGR, PixelFormat::Bgr),
];

/// The thread that owns the camera, or did.
#[derive(Default)]
pub(super) struct Worker(Option<JoinHandle<()>>);

/// A frame on its way from the thread.
struct Handed {
    data: Buffer,
    captured: Micros,
    sequence: u64,
    good: bool,
}

/// A camera that nokhwa reads.
pub(super) struct PortableCamera {
    frames: Receiver<Handed>,
    stop: Arc<AtomicBool>,
    /// Why the thread ended.
    why: Arc<OnceLock<SourceError>>,
    format: PixelFormat,
    size: Size,
    patience: Duration,
    last: Micros,
    sequence: u64,
}

impl Drop for PortableCamera {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl PortableCamera {
    /// Starts a thread that opens the camera, unless the last one still hangs in it.
    pub(super) fn open(
        worker: &mut Worker,
        index: u32,
        request: &CaptureRequest,
        sequence: u64,
    ) -> Result<(Self, Opened), SourceError> {
        let deadline = now() + PATIENCE;
        while worker.0.as_ref().is_some_and(|w| !w.is_finished()) {
            if now() >= deadline {
                return Err(SourceError::Lost("camera stalled".into()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        let (tell, told) = bounded(1);
        let (sender, frames) = mailbox();
        let stop = Arc::new(AtomicBool::new(false));
        let why = Arc::new(OnceLock::new());
        let (request, stopped, reason) = (request.clone(), stop.clone(), why.clone());
        let run = move || {
            // nokhwa panics at much; the thread's end is all that anybody sees of it.
            let read = || {
                let error = read(index, &request, sequence, &tell, &sender, &stopped);
                if let Some(error) = error {
                    reason.set(explain(index, &error)).ok();
                }
            };
            if catch_unwind(AssertUnwindSafe(read)).is_err() {
                log::warn!("nokhwa gave up on camera {index}");
            }
        };
        let spawned = thread::Builder::new().name("nokhwa".into()).spawn(run);
        worker.0 = Some(spawned.map_err(|e| SourceError::Lost(format!("no thread for the camera: {e}")))?);
        let opened = match told.recv_timeout(FIRST_FRAME) {
            Ok(opened) => opened?,
            Err(RecvTimeoutError::Timeout) => {
                stop.store(true, Ordering::Relaxed);
                return Err(SourceError::Lost("camera stalled".into()));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(SourceError::Lost("camera failed".into()));
            }
        };
        let interval = Duration::from_secs_f64(1.0 / opened.fps.unwrap_or(30.0).clamp(0.01, 1000.0));
        let this = Self {
            frames,
            stop,
            why,
            format: opened.format,
            size: opened.size,
            patience: STALL.max(interval * 3),
            last: now() + FIRST_FRAME.saturating_sub(STALL),
            sequence,
        };
        Ok((this, opened))
    }

    pub(super) fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        match self.frames.take(PATIENCE) {
            Taken::Value(handed) => {
                self.last = now();
                self.sequence = handed.sequence;
                if !handed.good {
                    return Ok(Next::Broken);
                }
                *frame = Frame {
                    data: handed.data,
                    format: self.format,
                    size: self.size,
                    range: Range::Limited,
                    captured: handed.captured,
                    arrival: true,
                    sequence: handed.sequence,
                    metadata: None,
                };
                Ok(Next::Frame)
            }
            Taken::Nothing if now().since(self.last) >= self.patience => {
                Err(SourceError::Lost("camera stalled".into()))
            }
            Taken::Nothing => Ok(Next::Nothing),
            Taken::Closed => Err(self.why.get().cloned().unwrap_or_else(|| SourceError::Lost("camera failed".into()))),
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// The whole life of the thread: open, say what was opened, hand over frames until nobody takes them.
fn read(
    index: u32,
    request: &CaptureRequest,
    mut sequence: u64,
    tell: &crossbeam_channel::Sender<Result<Opened, SourceError>>,
    frames: &Sender<Handed>,
    stop: &AtomicBool,
) -> Option<NokhwaError> {
    let (mut camera, opened) = match start(index, request) {
        Ok(started) => started,
        Err(error) => {
            // Whoever asked has gone: then nobody needs to know.
            tell.send(Err(explain(index, &error))).ok();
            return Some(error);
        }
    };
    let (format, size) = (opened.format, opened.size);
    tell.send(Ok(opened)).ok();
    let (pool, mut arrivals) = (Pool::default(), Arrivals::default());
    while !stop.load(Ordering::Relaxed) && !frames.is_closed() {
        let raw = match camera.frame_raw() {
            Ok(raw) => raw,
            Err(error) => return Some(error),
        };
        sequence += 1;
        let mut data = pool.take();
        // nokhwa gives the whole buffer, with older data behind the end of a JPEG.
        let good = match format.frame_len(size) {
            Some(len) => raw.get(..len).map(|bytes| data.extend_from_slice(bytes)).is_some(),
            None => {
                data.extend_from_slice(&raw);
                jpeg::cut_to_picture(&mut data, &mut |_| true).is_ok()
            }
        };
        let at = now();
        frames.put(Handed { data, captured: arrivals.picture(at, at), sequence, good });
    }
    camera.stop_stream().ok();
    None
}

fn start(index: u32, request: &CaptureRequest) -> Result<(nokhwa::Camera, Opened), NokhwaError> {
    let understood = FORMATS.map(|(format, _)| format);
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &understood);
    let mut camera = nokhwa::Camera::new(CameraIndex::Index(index), any)?;
    let offered = camera.compatible_camera_formats().unwrap_or_default();
    let modes: Vec<Mode> = offered.iter().filter_map(mode).collect();
    if let Some(mode) = choose(&modes, request).and_then(|choice| modes.get(choice.mode)) {
        let format = FORMATS.iter().find(|(_, f)| *f == mode.format).map_or(FrameFormat::YUYV, |(f, _)| *f);
        let fps = match &mode.rates {
            Rates::Listed(list) => list.first().map_or(30, |i| i.denominator),
            _ => 30,
        };
        let exact = NokhwaFormat::new(Resolution::new(mode.size.width, mode.size.height), format, fps);
        if camera.camera_format() != exact {
            let exact = RequestedFormat::with_formats(RequestedFormatType::Exact(exact), &understood);
            if let Err(error) = camera.set_camera_requset(exact) {
                // A camera may list what it has not, and take something near instead; then that is what it has now.
                log::debug!("camera {index}: {error}");
                camera.refresh_camera_format()?;
            }
        }
    }
    camera.open_stream()?;
    let got = camera.camera_format();
    let format = FORMATS.iter().find(|(f, _)| *f == got.format()).map_or(PixelFormat::Yuyv, |(_, f)| *f);
    let opened = Opened {
        name: format!("{} (nokhwa {index})", camera.info().human_name()),
        size: Size::new(got.width(), got.height()),
        fps: Some(f64::from(got.frame_rate())),
        format,
        scale: true,
        warm_up: WARM_UP,
        ..Opened::default()
    };
    Ok((camera, opened))
}

/// nokhwa lists each rate as a format of its own.
fn mode(offered: &NokhwaFormat) -> Option<Mode> {
    let (_, format) = FORMATS.iter().find(|(f, _)| *f == offered.format())?;
    let rates = Rates::Listed(vec![Interval { numerator: 1, denominator: offered.frame_rate() }]);
    Some(Mode { format: *format, size: Size::new(offered.width(), offered.height()), rates })
}

/// nokhwa's errors are texts; the kernel's own words are in them.
fn explain(index: u32, error: &NokhwaError) -> SourceError {
    let text = error.to_string();
    if text.contains("os error 16") {
        return SourceError::Lost("camera busy: another program has it".into());
    }
    if text.contains("os error 19") {
        return SourceError::Lost("camera unplugged".into());
    }
    match error {
        NokhwaError::OpenDeviceError(..) => {
            SourceError::Missing(format!("no camera {index}; --list shows what there is ({text})"))
        }
        _ => SourceError::Lost(format!("camera failed: {text}")),
    }
}

/// Index and name of each camera.
#[cfg(not(target_os = "linux"))]
pub(super) fn names() -> Vec<(u32, String)> {
    let found = catch_unwind(|| nokhwa::query(nokhwa::utils::ApiBackend::Auto)).ok().and_then(Result::ok);
    let mut names: Vec<_> = found
        .unwrap_or_default()
        .iter()
        .filter_map(|info| Some((info.index().as_index().ok()?, info.human_name())))
        .collect();
    names.sort();
    names
}

#[cfg(not(target_os = "linux"))]
pub(super) fn list() -> Vec<super::CameraInfo> {
    let formats = |index| {
        let understood = FORMATS.map(|(format, _)| format);
        let any = RequestedFormat::with_formats(RequestedFormatType::None, &understood);
        let opened = catch_unwind(|| nokhwa::Camera::new(CameraIndex::Index(index), any)).ok().and_then(Result::ok);
        let mut offered = opened.and_then(|mut c| c.compatible_camera_formats().ok()).unwrap_or_default();
        offered.sort();
        let mut formats: Vec<super::CameraFormat> = Vec::new();
        for o in offered {
            let ours = FORMATS.iter().find(|(theirs, _)| *theirs == o.format()).map(|(_, ours)| ours.to_string());
            let (format, size) = (ours.unwrap_or_else(|| o.format().to_string()), Size::new(o.width(), o.height()));
            match formats.iter_mut().find(|f| f.format == format && f.size == size) {
                Some(known) => known.fps.push(f64::from(o.frame_rate())),
                None => formats.push(super::CameraFormat { format, size, fps: vec![f64::from(o.frame_rate())] }),
            }
        }
        formats
    };
    let info = |(index, name)| super::CameraInfo {
        index,
        name,
        path: String::new(),
        by_id: None,
        formats: formats(index),
        problem: None,
    };
    names().into_iter().map(info).collect()
}
