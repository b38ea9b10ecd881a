//! Pictures from files, folders and pipes, through the text that names a source.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use streamflow::internal::frame::{Frame, PixelFormat, Size};
use streamflow::internal::source::files::Files;
use streamflow::internal::source::{CaptureRequest, Next, PATIENCE, Source, SourceError, SourceOptions, from_spec};

/// A picture by its markers; `tag` tells it from others.
fn jpeg(tag: &str) -> Vec<u8> {
    let mut p = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 48, 0, 64, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2];
    p.extend(tag.bytes());
    p.extend([0xff, 0xd9]);
    p
}

/// A folder of this test alone, gone when it is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("streamflow-{name}-{}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

const FAST: f64 = 200.0;

fn open(spec: &str, once: bool, fps: f64) -> Box<dyn Source> {
    let mut source = from_spec(spec, &SourceOptions { once }).unwrap();
    source.open(&CaptureRequest { fps, ..CaptureRequest::default() }).unwrap();
    source
}

/// The pictures of a source that plays once, as text, with `broken` for those that are.
fn all(mut source: Box<dyn Source>) -> Vec<String> {
    let (mut frame, mut seen) = (Frame::default(), Vec::new());
    loop {
        match source.next(&mut frame).unwrap() {
            Next::Frame if frame.format == PixelFormat::Jpeg => {
                seen.push(String::from_utf8_lossy(&frame.data[19..frame.data.len() - 2]).into_owned());
            }
            Next::Frame => seen.push(format!("{:?} {}", frame.format, frame.size)),
            Next::Broken => seen.push("broken".into()),
            Next::Nothing => {}
            _ => return seen,
        }
    }
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbaImage::from_fn(width, height, |x, y| image::Rgba([x as u8, y as u8, 7, 255]));
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn a_file_of_pictures_is_played_once_without_its_garbage() {
    let folder = Folder::new("concatenated");
    let cut = jpeg("cut off");
    let bytes =
        [&b"garbage"[..], &jpeg("one"), b"more garbage\xff\xd8 ", &cut[..22], &jpeg("two"), &jpeg("three"), b"x"];
    let path = folder.put("a.mjpg", &bytes.concat());
    let seen = all(open(&path, true, FAST));
    let whole: Vec<_> = seen.iter().filter(|s| *s != "broken").collect();
    assert_eq!(whole, ["one", "two", "three"], "{seen:?}");
    assert_eq!(seen.iter().filter(|s| *s == "broken").count(), 1, "the picture cut off is counted: {seen:?}");
}

#[test]
fn a_file_begins_again_at_its_end_and_keeps_its_rate() {
    let folder = Folder::new("loop");
    let path = folder.put("a.mjpg", &[jpeg("one"), jpeg("two")].concat());
    let mut source = open(&path, false, 50.0);
    let (mut frame, mut tags, start) = (Frame::default(), Vec::new(), Instant::now());
    while tags.len() < 7 {
        if source.next(&mut frame).unwrap() == Next::Frame {
            assert_eq!(frame.size, Size::new(64, 48));
            tags.push(frame.data[19]);
        }
    }
    assert_eq!(tags, *b"otototo");
    assert!(start.elapsed() >= Duration::from_millis(119), "7 pictures at 50 a second: {:?}", start.elapsed());
}

#[test]
fn a_single_picture_is_repeated_and_shown_once_on_request() {
    let folder = Folder::new("single");
    let path = folder.put("a.jpg", &jpeg("alone"));
    assert_eq!(all(open(&path, true, FAST)), ["alone"]);
    let mut source = open(&path, false, FAST);
    let mut frame = Frame::default();
    for _ in 0..3 {
        assert_eq!(source.next(&mut frame).unwrap(), Next::Frame);
        assert_eq!(frame.data[..], jpeg("alone"));
    }
}

#[test]
fn a_png_becomes_rgb_whatever_the_file_is_called() {
    let folder = Folder::new("png");
    let path = folder.put("picture.dat", &png(20, 16));
    let mut source = from_spec(&path, &SourceOptions { once: true }).unwrap();
    let opened = source.open(&CaptureRequest { fps: FAST, ..CaptureRequest::default() }).unwrap();
    assert_eq!((opened.format, opened.size), (PixelFormat::Rgb, Size::new(20, 16)));
    let mut frame = Frame::default();
    assert_eq!(source.next(&mut frame), Ok(Next::Frame));
    assert_eq!(frame.data.len(), 20 * 16 * 3);
    assert_eq!(frame.data[(3 * 20 + 5) * 3..][..3], [5, 3, 7]);
    assert_eq!(source.next(&mut frame), Ok(Next::End));
}

#[test]
fn a_folder_is_played_by_name_and_unreadable_pictures_are_counted() {
    let folder = Folder::new("folder");
    folder.put("02.JPG", &jpeg("two"));
    folder.put("01.jpeg", &jpeg("one"));
    folder.put("03.png", &png(32, 16));
    folder.put("04.jpg", b"no picture");
    folder.put("notes.txt", b"no picture either");
    assert_eq!(all(open(&folder.name(), true, FAST)), ["one", "two", "Rgb 32x16", "broken"]);
}

#[test]
fn what_holds_no_picture_says_so() {
    let folder = Folder::new("none");
    let request = CaptureRequest { fps: FAST, ..CaptureRequest::default() };
    let said = |spec: &str| match from_spec(spec, &SourceOptions::default()) {
        Ok(_) => panic!("{spec} was taken"),
        Err(error) => {
            assert_eq!(error.exit_code(), 3, "no such source: {error}");
            // It may also happen later.
            assert_eq!(Files::new(spec, false).open(&request).unwrap_err().to_string(), error.to_string());
            error.to_string()
        }
    };
    assert!(said(&folder.name()).starts_with("no JPEG or PNG pictures in the folder"));
    let said_of_a_film = said(&folder.put("film.mp4", b"nothing here"));
    assert!(said_of_a_film.starts_with("no JPEG picture in"), "{said_of_a_film}");
    assert!(said_of_a_film.ends_with("film.mp4 -f mjpeg - | streamflow-send --source -"), "{said_of_a_film}");
    assert!(said(&folder.put("empty", b"")).starts_with("no JPEG picture in"));
    assert!(said(&folder.put("bad.png", &png(16, 16)[..40])).contains("is no PNG"));
    let gone = folder.put("gone.mjpg", &jpeg("x"));
    let mut source = from_spec(&gone, &SourceOptions::default()).unwrap();
    fs::remove_file(&gone).unwrap();
    assert_eq!(source.open(&request).unwrap_err(), SourceError::Missing(format!("there is no file {gone}")));
}

#[test]
fn a_folder_whose_pictures_are_all_unreadable_is_lost_and_not_tried_for_ever() {
    let folder = Folder::new("unreadable");
    folder.put("1.jpg", b"x");
    folder.put("2.jpg", b"y");
    let mut source = open(&folder.name(), false, FAST);
    let mut frame = Frame::default();
    assert_eq!(source.next(&mut frame), Ok(Next::Broken));
    assert!(source.next(&mut frame).unwrap_err().to_string().contains("can be read"));
}

#[test]
fn a_slow_rate_does_not_hold_up_whoever_wants_to_stop() {
    let folder = Folder::new("slow");
    let mut source = open(&folder.put("a.jpg", &jpeg("slow")), false, 0.1);
    let mut frame = Frame::default();
    assert_eq!(source.next(&mut frame), Ok(Next::Frame));
    let start = Instant::now();
    assert_eq!(source.next(&mut frame), Ok(Next::Nothing));
    assert!(start.elapsed() < PATIENCE * 3, "{:?}", start.elapsed());
}

#[cfg(unix)]
#[test]
fn a_named_pipe_gives_its_pictures_at_the_asked_rate_and_waits_for_the_next_writer() {
    use std::io::Write;
    let folder = Folder::new("pipe");
    let path = folder.0.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|s| s.success()) {
        eprintln!("no mkfifo here: skipped");
        return;
    }
    let mut source = open(&path.display().to_string(), false, FAST);
    let mut frame = Frame::default();
    for round in 0..2 {
        let mut writer = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let start = Instant::now();
        for i in 0..100 {
            writer.write_all(&jpeg(&format!("{round}-{i}"))).unwrap();
        }
        // However many of them were replaced by newer ones, the last one comes; and not before its time.
        let last = jpeg(&format!("{round}-99"));
        while frame.data[..] != last {
            source.next(&mut frame).unwrap();
            assert!(start.elapsed() < Duration::from_secs(10), "the last picture did not come");
        }
        assert!(start.elapsed() > Duration::from_millis(450), "100 pictures at {FAST} fps: {:?}", start.elapsed());
        drop(writer);
        let lost = loop {
            match source.next(&mut frame) {
                Ok(next) => assert_eq!(next, Next::Nothing),
                Err(error) => break error,
            }
        };
        assert!(lost.to_string().starts_with("nobody writes to"), "{lost}");
        source.close();
        source.open(&CaptureRequest::default()).unwrap();
    }
    // The thread waits for a writer; one that comes and goes lets it end.
    drop(fs::OpenOptions::new().write(true).open(&path));
}

#[test]
fn a_file_that_is_replaced_or_written_anew_is_shown_anew_and_is_not_lost_meanwhile() {
    let folder = Folder::new("replaced");
    let path = folder.put("now.jpg", &jpeg("first"));
    let mut source = open(&path, false, FAST);
    let mut shows = |expected: &str, meanwhile: &mut dyn FnMut()| {
        let (mut frame, until) = (Frame::default(), Instant::now() + Duration::from_secs(20));
        while !(source.next(&mut frame).unwrap() == Next::Frame && frame.data[..] == jpeg(expected)) {
            meanwhile();
            assert!(Instant::now() < until, "{expected} is never shown");
        }
    };
    shows("first", &mut || {});
    folder.put("other.jpg", &jpeg("second"));
    fs::rename(folder.0.join("other.jpg"), &path).unwrap();
    shows("second", &mut || {});
    fs::write(&path, jpeg("third")).unwrap();
    shows("third", &mut || {});
    // Half of it is there, and then nothing at all.
    fs::write(&path, &jpeg("fourth")[..10]).unwrap();
    let mut rounds = 0;
    shows("fourth", &mut || {
        rounds += 1;
        match rounds {
            20 => fs::remove_file(&path).unwrap(),
            40 => fs::write(&path, jpeg("fourth")).unwrap(),
            _ => {}
        }
    });
}

#[test]
fn a_folder_is_played_in_the_order_of_its_numbers() {
    let folder = Folder::new("numbers");
    for n in [10, 9, 2, 1, 100] {
        folder.put(&format!("shot{n}.jpg"), &jpeg(&n.to_string()));
    }
    assert_eq!(all(open(&folder.name(), true, FAST)), ["1", "2", "9", "10", "100"]);
}

#[test]
fn a_picture_is_found_with_anything_around_it() {
    let folder = Folder::new("around");
    let picture = jpeg("found");
    for before in [&b"\r\n"[..], &[0; 8], b"\xef\xbb\xbf", b"\xff\xd8"] {
        let bytes = [before, &picture, b"rubbish"].concat();
        assert_eq!(all(open(&folder.put("a.jpg", &bytes), true, FAST)), ["found"], "{before:?}, a file");
        assert_eq!(all(open(&folder.name(), true, FAST)), ["found"], "{before:?}, a folder");
    }
}
