//! A camera, on the replay camera of `../shared/rigs/fakecam` when STREAMFLOW_FAKECAM names the built library, and
//! STREAMFLOW_FOOTAGE the folder with `street.mjpg`. It is preloaded, so each test runs itself again in a process of its
//! own. Without it, these tests are skipped, which they say.

#![allow(clippy::unwrap_used, clippy::panic)]
#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::{Duration, Instant};

use streamflow::internal::frame::{Frame, PixelFormat, Size};
use streamflow::internal::source::camera::{self, Camera};
use streamflow::internal::source::{CaptureRequest, Next, Opened, Source, SourceError, stamp};
use streamflow::internal::time::now;

/// Whether this is the process with the camera; if not, runs the test there.
fn with_camera(test: &str, settings: &[(&str, &str)]) -> bool {
    if std::env::var_os("LD_PRELOAD").is_some() {
        return true;
    }
    let Ok(library) = std::env::var("STREAMFLOW_FAKECAM") else {
        eprintln!("STREAMFLOW_FAKECAM is not set: {test} is skipped");
        return false;
    };
    let footage = std::env::var("STREAMFLOW_FOOTAGE").unwrap_or_else(|_| "../shared/footage".into());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("LD_PRELOAD", library).envs(settings.iter().copied());
    if settings.iter().any(|(name, _)| *name == "FAKECAM_CORRUPT") {
        command.env("FAKECAM_MJPG", format!("{footage}/street.mjpg"));
    } else {
        // A small grey picture is footage enough where the stamp is looked at.
        let raw = std::env::temp_dir().join(format!("streamflow-grey-{}", std::process::id()));
        std::fs::write(&raw, [100, 128].repeat(640 * 480)).unwrap();
        command.env("FAKECAM_YUYV", raw).env("FAKECAM_STAMP", "1");
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Opens it, as a publisher does: again and again.
fn open(camera: &mut Camera) -> (Opened, Vec<SourceError>) {
    let (start, mut errors) = (Instant::now(), Vec::new());
    loop {
        match camera.open(&CaptureRequest::default()) {
            Ok(opened) => return (opened, errors),
            Err(error) => errors.push(error),
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{errors:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The next frame or error.
fn next(camera: &mut Camera, frame: &mut Frame) -> Result<Next, SourceError> {
    loop {
        match camera.next(frame)? {
            Next::Nothing => {}
            other => return Ok(other),
        }
    }
}

#[test]
fn a_camera_gives_raw_frames_with_the_time_they_were_taken() {
    if !with_camera("a_camera_gives_raw_frames_with_the_time_they_were_taken", &[]) {
        return;
    }
    let listed = camera::list();
    assert_eq!((listed[0].name.as_str(), listed[0].path.as_str()), ("Replay Camera", "/dev/video0"));
    for mut camera in [Camera::first(), Camera::by_index(0), Camera::by_name("rePLAY"), Camera::by_path("/dev/video0")]
    {
        let (opened, _) = open(&mut camera);
        assert_eq!((opened.name.as_str(), opened.format), ("Replay Camera (/dev/video0)", PixelFormat::Yuyv));
        assert_eq!((opened.size, opened.fps), (Size::new(640, 480), Some(30.0)));
        let (mut frame, mut before) = (Frame::default(), None);
        for _ in 0..5 {
            assert_eq!(next(&mut camera, &mut frame), Ok(Next::Frame));
            let painted = stamp::read(&frame.data, frame.format, frame.size).unwrap();
            assert!(frame.captured >= painted.time, "stamped by the kernel after it was painted");
            assert!(frame.captured.since(painted.time) < Duration::from_millis(20) && frame.captured <= now());
            if let Some((sequence, number)) = before.replace((frame.sequence, painted.number)) {
                assert_eq!(frame.sequence - sequence, u64::from(painted.number.wrapping_sub(number)), "gaps show");
            }
        }
    }
}

#[test]
fn a_reader_that_was_busy_gets_a_new_frame_and_not_a_kept_one() {
    if !with_camera("a_reader_that_was_busy_gets_a_new_frame_and_not_a_kept_one", &[]) {
        return;
    }
    let mut camera = Camera::first();
    open(&mut camera);
    let mut frame = Frame::default();
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(next(&mut camera, &mut frame), Ok(Next::Frame));
        assert!(now().since(frame.captured) < Duration::from_millis(100), "{:?}", now().since(frame.captured));
    }
}

#[test]
fn an_unplugged_camera_says_so_and_comes_back() {
    if !with_camera("an_unplugged_camera_says_so_and_comes_back", &[("FAKECAM_UNPLUG", "10:1")]) {
        return;
    }
    let mut camera = Camera::by_index(0);
    open(&mut camera);
    let mut frame = Frame::default();
    let lost = loop {
        if let Err(error) = next(&mut camera, &mut frame) {
            break error;
        }
    };
    let unplugged = SourceError::Lost("camera unplugged".into());
    assert_eq!(lost, unplugged);
    camera.close();
    let (_, errors) = open(&mut camera);
    assert!(errors.iter().all(|e| *e == unplugged), "{errors:?}");
    let before = frame.sequence;
    assert_eq!(next(&mut camera, &mut frame), Ok(Next::Frame));
    assert!(frame.sequence > before, "the numbers go on");
}

#[test]
fn a_camera_that_stalls_is_lost_after_two_seconds_and_comes_back() {
    if !with_camera("a_camera_that_stalls_is_lost_after_two_seconds_and_comes_back", &[("FAKECAM_STALL", "10:6")]) {
        return;
    }
    let mut camera = Camera::first();
    open(&mut camera);
    let mut frame = Frame::default();
    let mut last = Instant::now();
    let lost = loop {
        match next(&mut camera, &mut frame) {
            Ok(_) => last = Instant::now(),
            Err(error) => break error,
        }
    };
    assert_eq!(lost, SourceError::Lost("camera stalled".into()));
    let waited = last.elapsed();
    assert!(waited >= Duration::from_millis(1900) && waited < Duration::from_millis(2600), "{waited:?}");
    open(&mut camera);
    assert_eq!(next(&mut camera, &mut frame), Ok(Next::Frame));
}

#[test]
fn a_cut_off_jpeg_is_broken_and_the_next_one_is_not() {
    if !with_camera("a_cut_off_jpeg_is_broken_and_the_next_one_is_not", &[("FAKECAM_CORRUPT", "3")]) {
        return;
    }
    let mut camera = Camera::first();
    let (opened, _) = open(&mut camera);
    assert_eq!(opened.format, PixelFormat::Jpeg);
    let (mut frame, mut seen) = (Frame::default(), Vec::new());
    while seen.len() < 9 {
        seen.push(next(&mut camera, &mut frame).unwrap());
    }
    assert_eq!(seen.iter().filter(|n| **n == Next::Broken).count(), 3, "{seen:?}");
}

#[test]
fn nokhwa_gives_the_same_camera() {
    if !with_camera("nokhwa_gives_the_same_camera", &[]) {
        return;
    }
    let mut camera = Camera::portable(0);
    let (opened, _) = open(&mut camera);
    assert_eq!((opened.size, opened.format), (Size::new(640, 480), PixelFormat::Yuyv));
    let mut frame = Frame::default();
    assert_eq!(next(&mut camera, &mut frame), Ok(Next::Frame));
    assert!(stamp::read(&frame.data, frame.format, frame.size).is_some());
    camera.close();
    open(&mut camera);
    assert_eq!(next(&mut camera, &mut frame), Ok(Next::Frame));
}

#[test]
fn a_camera_that_never_was_there_is_missing() {
    let mut camera = Camera::by_path("/dev/video4000000");
    assert!(matches!(camera.open(&CaptureRequest::default()), Err(SourceError::Missing(_))));
}
