//! Cameras that speak HTTP, as they are and as they should not be, on real sockets.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use streamflow::internal::frame::{Frame, Size};
use streamflow::internal::source::http::Http;
use streamflow::internal::source::{CaptureRequest, Next, PATIENCE, Source, SourceError};

/// A picture by its markers; `tag` tells it from others.
fn jpeg(tag: &str) -> Vec<u8> {
    let mut p = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 48, 0, 64, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2];
    p.extend(tag.bytes());
    p.extend([0xff, 0xd9]);
    p
}

/// A camera that answers each connection by a function of the request's head; it lives as long as the test.
fn camera(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = std::sync::Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                    head.push(byte[0]);
                }
                answer(&String::from_utf8_lossy(&head), &mut stream);
            });
        }
    });
    address.to_string()
}

/// Sends all and leaves the connection open, as a live camera does.
fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).ok();
}

fn hold() {
    thread::sleep(Duration::from_secs(30));
}

fn request() -> CaptureRequest {
    CaptureRequest { fps: 20.0, ..CaptureRequest::default() }
}

/// The next picture, or what else happens, within two seconds.
fn next(source: &mut Http, frame: &mut Frame) -> Result<Next, SourceError> {
    let until = Instant::now() + Duration::from_secs(2);
    loop {
        let asked = Instant::now();
        let next = source.next(frame)?;
        assert!(asked.elapsed() < PATIENCE * 3, "next() took {:?}", asked.elapsed());
        if next != Next::Nothing || Instant::now() > until {
            return Ok(next);
        }
    }
}

fn first_picture(url: &str) -> Vec<u8> {
    let mut source = Http::new(url).unwrap();
    source.open(&request()).unwrap();
    let mut frame = Frame::default();
    assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame), "{url}");
    assert_eq!(frame.size, Size::new(64, 48));
    frame.data.to_vec()
}

fn lost(url: &str) -> String {
    let mut source = Http::new(url).unwrap();
    match source.open(&request()) {
        Ok(_) => next(&mut source, &mut Frame::default()).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

const OK: &str = "HTTP/1.0 200 OK\r\n";

#[test]
fn streams_are_read_in_all_the_ways_that_cameras_write_them() {
    let a = jpeg("picture");
    let with_length = |boundary: &str, line: &str| {
        let part = format!("{boundary}{line}Content-Type: image/jpeg{line}Content-Length: {}{line}{line}", a.len());
        [part.into_bytes(), a.clone(), line.as_bytes().to_vec()].concat()
    };
    let without = |boundary: &str| [format!("{boundary}\r\nContent-Type: image/jpeg\r\n\r\n").as_bytes(), &a].concat();
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("mjpg-streamer", "boundary=boundarydonotcross", with_length("--boundarydonotcross", "\r\n")),
        ("ESP32", "boundary=123456789000", [b"\r\n".to_vec(), with_length("--123456789000", "\r\n")].concat()),
        ("quoted", "boundary=\"a b;c\"", with_length("--a b;c", "\r\n")),
        ("dashes declared", "boundary=--frame", with_length("--frame", "\r\n")),
        ("dashes declared and doubled", "boundary=--frame", with_length("----frame", "\r\n")),
        ("no dashes sent", "boundary=frame", with_length("frame", "\r\n")),
        ("not declared", "", with_length("--whatever", "\r\n")),
        ("LF alone", "boundary=frame", with_length("--frame", "\n")),
        // The end of the JPEG is the end: nothing follows it here.
        ("no length", "boundary=frame", without("--frame")),
    ];
    for (name, boundary, body) in cases {
        let head = format!("{OK}Content-Type: multipart/x-mixed-replace;{boundary}\r\n\r\n");
        let address = camera(move |_, stream| {
            say(stream, head.as_bytes());
            say(stream, &body);
            hold();
        });
        assert_eq!(first_picture(&format!("http://{address}/")), a, "{name}");
    }
}

#[test]
fn the_bytes_decide_whatever_a_camera_says_of_them() {
    let a = jpeg("picture");
    let part = |length: &str| [format!("--f\r\nContent-Length: {length}\r\n\r\n").as_bytes(), &a, b"\r\n"].concat();
    let (multipart, one) = ("multipart/x-mixed-replace;boundary=f", "image/jpeg");
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("no type", "", a.clone()),
        ("bare pictures under the type of parts", multipart, a.repeat(2)),
        ("parts under the type of one picture", one, part("400").repeat(2)),
        ("parts under no type of pictures", "application/octet-stream", part("400").repeat(2)),
        ("another type for parts", "video/x-motion-jpeg", part("400").repeat(2)),
        ("another boundary", "multipart/x-mixed-replace;boundary=--other--", part("400").repeat(2)),
        ("no boundary before the first part", multipart, [&b"Content-Type: image/jpeg\r\n\r\n"[..], &a].concat()),
        ("a length of nothing", multipart, part("0").repeat(2)),
        ("a length that is too short", multipart, part("7").repeat(2)),
        ("a length that is too long", multipart, part("4000").repeat(2)),
        ("a length that is no number", multipart, part("12--").repeat(2)),
        ("line ends before the picture", one, [&b"\r\n\r\n"[..], &a].concat()),
        ("zeros before it", one, [&[0; 8][..], &a].concat()),
        ("a second start of image", one, [&[0xff, 0xd8][..], &a].concat()),
    ];
    for (name, kind, body) in cases {
        for length in ["", "Content-Length: 0\r\n", "Content-Length: 9\r\n", "Content-Length: 99999\r\n"] {
            let head = format!("{OK}Content-Type: {kind}\r\n{length}\r\n");
            let body = body.clone();
            let address = camera(move |_, stream| {
                say(stream, &[head.as_bytes(), &body].concat());
                hold();
            });
            assert_eq!(first_picture(&format!("http://{address}/")), a, "{name}, {length}");
        }
    }
}

#[test]
fn an_endless_answer_under_the_type_of_one_picture_is_a_stream() {
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = connections.clone();
    let address = camera(move |_, stream| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        say(stream, format!("{OK}Content-Type: image/jpeg\r\n\r\n").as_bytes());
        for n in 0..50 {
            say(stream, &jpeg(&n.to_string()));
            thread::sleep(Duration::from_millis(50));
        }
    });
    let mut source = Http::new(&format!("http://{address}/")).unwrap();
    source.open(&request()).unwrap();
    let mut frame = Frame::default();
    for _ in 0..10 {
        assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame));
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn a_single_answer_that_does_not_end_is_asked_for_again() {
    let address = camera(|_, stream| {
        say(stream, format!("{OK}Content-Type: image/jpeg\r\n\r\n").as_bytes());
        say(stream, &jpeg("only"));
        hold();
    });
    let mut source = Http::new(&format!("http://{address}/")).unwrap();
    source.open(&request()).unwrap();
    let mut frame = Frame::default();
    for _ in 0..4 {
        assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame));
    }
}

#[test]
fn a_camera_that_asks_for_digest_authentication_gets_it_and_a_wrong_password_is_said() {
    let address = camera(|head, stream| {
        // MD5 of that of user:door:secret, the nonce, and that of GET:/ (RFC 2617, section 3.2.2.1, without qop).
        let right = ["Digest username=\"user\"", "nonce=\"n1\"", "response=\"06cd2198666cc86f101c6e282caf6894\""];
        if right.iter().all(|part| head.contains(part)) {
            say(stream, format!("{OK}Content-Type: image/jpeg\r\n\r\n").as_bytes());
            return say(stream, &jpeg("digest"));
        }
        let challenge = "WWW-Authenticate: Digest realm=\"door\", nonce=\"n1\"\r\n";
        say(stream, format!("HTTP/1.1 401 No\r\n{challenge}Content-Length: 0\r\n\r\n").as_bytes());
    });
    assert_eq!(first_picture(&format!("http://user:secret@{address}/")), jpeg("digest"));
    let said = lost(&format!("http://user:wrong@{address}/"));
    assert!(said.contains("refuses this user and password"), "{said}");
}

#[test]
fn chunks_are_put_together_wherever_they_are_cut() {
    let address = camera(|_, stream| {
        say(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
        say(stream, b"Content-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n");
        let body = [&b"\r\n--f\r\nContent-Type: image/jpeg\r\n\r\n"[..], &jpeg("chunked")].concat();
        for piece in body.chunks(5) {
            say(stream, format!("{:x}\r\n", piece.len()).as_bytes());
            say(stream, piece);
            say(stream, b"\r\n");
        }
        hold();
    });
    assert_eq!(first_picture(&format!("http://{address}/")), jpeg("chunked"));
}

#[test]
fn the_password_goes_along_and_its_lack_is_explained() {
    let address = camera(|head, stream| {
        if head.contains("Authorization: Basic dXNlcjpwQHNz\r\n") {
            say(stream, format!("{OK}Content-Type: image/jpeg\r\n\r\n").as_bytes());
            say(stream, &jpeg("secret"));
        } else {
            say(stream, b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        }
    });
    assert_eq!(first_picture(&format!("http://user:p%40ss@{address}/")), jpeg("secret"));
    let said = lost(&format!("http://{address}/"));
    assert!(said.contains("http://USER:PASSWORD@"), "{said}");
    let said = lost(&format!("http://user:wrong@{address}/"));
    assert!(said.contains("refuses this user"), "{said}");
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let address = camera(|head, stream| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path {
            "/old" => say(stream, b"HTTP/1.1 302 Found\r\nLocation: /new/stream\r\n\r\n"),
            "/new/stream" => say(stream, b"HTTP/1.1 301 Moved\r\nLocation: here\r\n\r\n"),
            "/new/here" => {
                say(stream, format!("{OK}Content-Type: image/jpeg\r\n\r\n").as_bytes());
                say(stream, &jpeg("found"));
            }
            _ => say(stream, b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"),
        }
    });
    assert_eq!(first_picture(&format!("http://{address}/old")), jpeg("found"));
    let said = lost(&format!("http://{address}/again"));
    assert!(said.contains("from one address to the next"), "{said}");
}

#[test]
fn a_camera_that_gives_single_pictures_is_asked_again_and_again() {
    let (asked, count) = mpsc::channel();
    let asked = std::sync::Mutex::new(asked);
    let address = camera(move |_, stream| {
        asked.lock().unwrap().send(()).ok();
        let picture = jpeg("single");
        say(stream, format!("{OK}Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len()).as_bytes());
        say(stream, &picture);
    });
    let mut source = Http::new(&format!("http://{address}/jpg")).unwrap();
    let opened = source.open(&request()).unwrap();
    assert_eq!(opened.fps, None, "how often it answers is the camera's");
    let (mut frame, start) = (Frame::default(), Instant::now());
    for i in 1..=5 {
        assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame));
        assert_eq!((&frame.data[..], frame.sequence), (&jpeg("single")[..], i));
    }
    assert!(start.elapsed() >= Duration::from_millis(150), "it must not be asked faster than was asked for");
    assert!(count.try_iter().count() >= 5);
}

#[test]
fn the_newest_picture_wins_when_several_are_here() {
    let (sent, all_sent) = mpsc::channel();
    let sent = std::sync::Mutex::new(sent);
    let address = camera(move |_, stream| {
        say(stream, format!("{OK}Content-Type: multipart/x-mixed-replace;boundary=f\r\n\r\n").as_bytes());
        for i in 0..10 {
            say(stream, &[b"--f\r\n\r\n", &jpeg(&format!("number {i}"))[..]].concat());
        }
        sent.lock().unwrap().send(()).ok();
        hold();
    });
    let mut source = Http::new(&format!("http://{address}/")).unwrap();
    source.open(&request()).unwrap();
    all_sent.recv().unwrap();
    let mut frame = Frame::default();
    assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame));
    assert_eq!(frame.data[..], jpeg("number 9"));
}

#[test]
fn a_picture_that_is_cut_off_is_counted_and_the_next_one_comes() {
    let address = camera(|_, stream| {
        let (cut, whole) = (jpeg("cut off here"), jpeg("whole"));
        say(stream, format!("{OK}Content-Type: multipart/x-mixed-replace;boundary=f\r\n\r\n").as_bytes());
        say(stream, format!("--f\r\nContent-Length: {}\r\n\r\n", cut.len() - 4).as_bytes());
        say(stream, &cut[..cut.len() - 4]);
        say(stream, b"\r\n--f\r\n\r\n");
        thread::sleep(Duration::from_millis(200));
        say(stream, &whole);
        hold();
    });
    let mut source = Http::new(&format!("http://{address}/")).unwrap();
    source.open(&request()).unwrap();
    let mut frame = Frame::default();
    assert_eq!(next(&mut source, &mut frame), Ok(Next::Broken));
    assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame));
    assert_eq!(frame.data[..], jpeg("whole"));
}

const MULTIPART: &str = "Content-Type: multipart/x-mixed-replace;boundary=f\r\n\r\n--f\r\n";

fn part(tag: &str) -> Vec<u8> {
    let picture = jpeg(tag);
    let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
    [head.as_bytes(), &picture, b"\r\n--f\r\n"].concat()
}

/// Opens a camera and takes its pictures until it fails: how many there were, why it failed, and how long it took.
fn watched(address: &str) -> (usize, SourceError, Duration) {
    let mut source = Http::new(&format!("http://{address}/")).unwrap();
    source.open(&request()).unwrap();
    let (start, mut pictures) = (Instant::now(), 0);
    loop {
        match source.next(&mut Frame::default()) {
            Ok(next) => pictures += usize::from(next == Next::Frame),
            Err(error) => return (pictures, error, start.elapsed()),
        }
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn a_camera_that_falls_silent_is_lost_after_two_seconds() {
    let address = camera(|_, stream| {
        say(stream, format!("{OK}{MULTIPART}").as_bytes());
        for _ in 0..10 {
            say(stream, &part("one"));
            thread::sleep(Duration::from_millis(20));
        }
        hold();
    });
    let (pictures, error, took) = watched(&address);
    assert_eq!((pictures, error), (10, SourceError::Lost(format!("camera at {address} stalled"))));
    assert!(took >= Duration::from_millis(1900), "{took:?}");
}

#[test]
fn a_camera_that_gives_a_picture_every_few_seconds_has_not_stalled() {
    let address = camera(|_, stream| {
        say(stream, format!("{OK}{MULTIPART}").as_bytes());
        for _ in 0..4 {
            thread::sleep(Duration::from_millis(2500));
            say(stream, &part("one"));
        }
    });
    let (pictures, error, _) = watched(&address);
    assert_eq!((pictures, error), (4, SourceError::Lost(format!("camera at {address} ended the stream"))));
}

#[test]
fn a_camera_that_sends_something_else_at_full_speed_is_given_up_and_said_to() {
    let address = camera(|_, stream| {
        say(stream, format!("{OK}{MULTIPART}").as_bytes());
        while stream.write_all(&[b'x'; 1 << 16]).is_ok() {}
    });
    let (pictures, error, _) = watched(&address);
    assert_eq!(pictures, 0);
    let SourceError::Lost(why) = error else { panic!("{error:?}") };
    assert!(why.starts_with(&format!("camera at {address}")) && !why.contains("stalled"), "{why}");
}

#[test]
fn what_is_no_camera_is_told_apart() {
    type Answer = fn(&mut TcpStream);
    let cases: [(&str, Answer); 8] = [
        ("sends text/html, and no pictures in it", |s| {
            say(s, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>");
        }),
        ("has nothing at /x (404)", |s| say(s, b"HTTP/1.1 404 Not Found\r\n\r\n")),
        ("unavailable (503)", |s| say(s, b"HTTP/1.1 503 Busy\r\n\r\n")),
        ("does not speak HTTP", |s| say(s, b"SSH-2.0-OpenSSH_9.2\r\n")),
        ("says too much", |s| say(s, &[b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 40_000]].concat())),
        ("hung up without an answer", |_| {}),
        ("no pictures in it", |s| say(s, b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n")),
        ("pictures of more than 8388608 bytes", |s| {
            say(s, b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=f\r\n\r\n--f\r\n\r\n");
            let picture = jpeg("");
            say(s, &[&picture[..picture.len() - 2], &[7; 9_000_000]].concat());
            hold();
        }),
    ];
    for (expected, answer) in cases {
        let address = camera(move |_, stream| answer(stream));
        let said = lost(&format!("http://{address}/x"));
        assert!(said.contains(expected) && said.contains(&address), "expected '{expected}', got '{said}'");
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = lost(&format!("http://{free}/"));
    assert!(said.contains("refuses the connection"), "{said}");
}

#[test]
fn a_camera_that_drips_its_head_is_given_up() {
    let address = camera(|_, stream| {
        for _ in 0..100 {
            say(stream, b"X");
            thread::sleep(Duration::from_millis(100));
        }
    });
    let start = Instant::now();
    let mut source = Http::new(&format!("http://{address}/")).unwrap();
    assert!(source.open(&request()).is_err());
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn it_can_be_opened_again_after_the_camera_came_back() {
    let address = camera(|_, stream| {
        say(stream, format!("{OK}Content-Type: multipart/x-mixed-replace;boundary=f\r\n\r\n--f\r\n\r\n").as_bytes());
        say(stream, &jpeg("once"));
    });
    let mut source = Http::new(&format!("http://{address}/")).unwrap();
    let mut frame = Frame::default();
    for round in 1..=3 {
        source.open(&request()).unwrap();
        assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame));
        assert_eq!(frame.sequence, round, "the numbers go on");
        assert!(next(&mut source, &mut frame).unwrap_err().to_string().contains("ended the stream"));
        source.close();
        source.close();
    }
}
