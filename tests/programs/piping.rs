//! Pictures for other programs: on standard output, and as a camera.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use streamflow::internal::frame::Size;
use streamflow::internal::wire::jpeg;

use crate::running::*;
use crate::support::{limited, until};

/// What the viewer writes into a file, and what it says.
fn written(host: &str, file: &Path, arguments: &[&str]) -> (Vec<u8>, String) {
    let mut view = command(VIEW, ["--host", host, "--name", "door"].iter().chain(arguments));
    let ended = view.stdout(File::create(file).unwrap()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
    let (ended, bytes) = (ended.unwrap(), fs::read(file).unwrap());
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    (bytes, said)
}

#[test]
fn another_program_gets_pictures_on_standard_output_and_nothing_else() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let _sender = sender(&host, "door");
        let folder = folder("pipe");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("pictures");
        let (bytes, _) = written(&host, &file, &["--pipe", "--frames", "5"]);
        let (mut rest, mut count) = (&bytes[..], 0);
        while !rest.is_empty() {
            let layout = jpeg::inspect(rest).unwrap();
            assert_eq!(layout.header.size, Size::new(320, 240));
            rest = &rest[layout.end..];
            count += 1;
        }
        assert_eq!(count, 5);
        let (bytes, said) = written(&host, &file, &["--pipe", "raw", "--frames", "3"]);
        assert_eq!(bytes.len(), 3 * 320 * 240 * 3);
        assert!(said.contains("320x240 rgb24") && said.contains("-video_size 320x240"), "{said}");
        assert!(bytes.iter().any(|byte| *byte != bytes[0]), "a picture, and not one colour");
        let (bytes, said) = written(&host, &file, &["--pipe", "raw", "--rotate", "90", "--frames", "1"]);
        assert!(bytes.len() == 320 * 240 * 3 && said.contains("240x320 rgb24"), "{said}");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_program_that_reads_no_more_ends_the_viewer_without_a_fault() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let _sender = sender(&host, "door");
        // Also while no picture comes that could not be written.
        for (name, reads) in [("door", 100), ("nobody-sends-this", 0)] {
            let mut view = command(VIEW, ["--pipe", "--host", &host, "--name", name]);
            let mut view = view.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut out = view.stdout.take().unwrap();
            out.read_exact(&mut vec![0; reads]).unwrap();
            drop(out);
            let mut status = None;
            until("it ends", || {
                status = view.try_wait().unwrap();
                status.is_some()
            });
            let mut said = String::new();
            view.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            assert_eq!(status.unwrap().code(), Some(0), "{said}");
            assert!(!said.contains("error"), "{said}");
        }
    });
}

#[test]
fn what_does_not_go_with_pictures_for_a_program_is_refused_with_words() {
    limited(|| {
        for (arguments, word) in [
            (&["--pipe", "--json"][..], "cannot be used with"),
            (&["--pipe", "--headless"], "cannot be used with"),
            (&["--pipe", "--all"], "cannot be used with"),
            (&["--pipe", "--virtual-camera", "/dev/video10"], "cannot be used with"),
            (&["--virtual-camera", "/dev/video10", "--fullscreen"], "cannot be used with"),
            (&["--pipe", "png"], "write mjpeg or raw"),
            (&["--pipe", "--mirror"], "--pipe raw does that"),
            (&["--pipe", "--name", "a", "--name", "b"], "give one --name"),
            (&["--pipe", "--list"], "cannot be used with"),
        ] {
            let ended = run(VIEW, arguments);
            assert!(ended.code == Some(2) && ended.err.contains(word), "{arguments:?}: {ended:?}");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_camera_that_cannot_be_is_said_with_what_to_do() {
    limited(|| {
        for (device, code, word) in
            [("/dev/video4000017", 1, "modprobe v4l2loopback"), ("/dev/null", 2, "is no video device")]
        {
            let ended = run(VIEW, &["--virtual-camera", device]);
            assert!(ended.code == Some(code) && ended.err.contains(word), "{device}: {ended:?}");
        }
    });
}
