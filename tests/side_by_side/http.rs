//! What curl and players asked a hub of then over HTTP, asked of one of today; and what that answered, read by today's source.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::mem::discriminant;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use serde_json::Value;
use streamflow::internal::frame::Frame;
use streamflow::internal::source::http::Http as Camera;
use streamflow::internal::source::{CaptureRequest, Next, Source};

use super::clients::{pictures, publisher};
use super::support::http::{Answer, Http, get};
use super::support::{self, at, fine_source, hub, limited, next_picture, until, viewer};
use super::talk::{Side, said};

/// Fields whose value depends on the picture and the time.
const VARIES: [&str; 4] = ["content-length", "x-timestamp", "x-age-ms", "x-sequence"];

fn head_of(answer: &[u8]) -> (String, &[u8]) {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(answer[..end].to_vec()).unwrap(), &answer[end..])
}

fn fields(head: &str) -> BTreeMap<String, &str> {
    head.lines().filter_map(|l| l.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// All that was said then is still said, with the same values; more may be.
#[track_caller]
fn same_head(then: &str, now: &str) {
    assert_eq!(then.lines().next(), now.lines().next());
    let said = fields(now);
    for (name, value) in fields(then) {
        let now = said.get(&name).unwrap_or_else(|| panic!("{name} is missing: {now}"));
        assert!(VARIES.contains(&&*name) || *now == value, "{name} was {value}, is {now}");
    }
}

/// Every member is still there and of the same kind; more may be.
#[track_caller]
fn same_members(then: &Value, now: &Value, path: &str) {
    assert_eq!(discriminant(then), discriminant(now), "{path} was {then}, is {now}");
    for (name, value) in then.as_object().into_iter().flatten() {
        let Some(now) = now.get(name) else { panic!("{path} has no {name} any more: {now}") };
        same_members(value, now, &format!("{path}.{name}"));
    }
    if let (Some(then), Some(now)) = (then.get(0), now.get(0)) {
        same_members(then, now, path);
    }
}

/// Asks what was asked then, and fails unless the answer is like the recorded one.
#[track_caller]
pub fn asks(hub: SocketAddr, name: &str) -> Answer {
    let mut http = Http::connect(hub);
    http.send(&said(name, Side::Client));
    let (answer, recorded) = (http.answer(), said(name, Side::Hub));
    let (head, body) = head_of(&recorded);
    same_head(&head, &answer.head);
    if let Ok(then) = serde_json::from_slice(body) {
        same_members(&then, &answer.json(), name);
    }
    answer
}

#[test]
fn players_get_a_stream_and_snapshots() {
    limited(|| {
        let (hub, pictures) = (hub(), pictures());
        let _publisher = publisher(at(&hub), &pictures);
        let _watches = next_picture(&viewer(at(&hub), "door"));
        let recorded = said("http-stream", Side::Hub);
        let (head, parts) = head_of(&recorded);
        let mut player = Http::connect(hub.address());
        player.send(&said("http-stream", Side::Client));
        same_head(&head, &player.head().head);
        let then = head_of(parts).0.split_once("\r\n").unwrap().1.to_string();
        for _ in 0..5 {
            let part = player.part("streamflow-next-picture");
            let now = part.head.split_once("\r\n").unwrap().1;
            same_head(&then, now);
            assert!(pictures.contains(&part.body), "another picture");
        }
        assert!(pictures.contains(&asks(hub.address(), "http-snapshot").body), "another picture");
    });
}

#[test]
fn scripts_are_told_of_a_stream_what_they_were_told() {
    limited(|| {
        let hub = hub();
        let (_publisher, viewer) = (support::publisher(at(&hub), "door", fine_source()), viewer(at(&hub), "door"));
        next_picture(&viewer);
        let streams = || get(hub.address(), "/api/streams").json()["streams"][0].clone();
        until("it is known what was asked", || streams()["asked"].is_object());
        asks(hub.address(), "http-streams");
    });
}

#[test]
fn a_picture_that_is_posted_is_shown_as_it_is() {
    limited(|| {
        let hub = hub();
        let viewer = viewer(at(&hub), "door");
        until("it watches", || viewer.report().detail.starts_with("waiting for main/door"));
        let answer = asks(hub.address(), "http-post").json();
        assert_eq!(answer, serde_json::json!({ "stream": "main/door", "viewers": 1 }));
        assert_eq!(next_picture(&viewer).data[..], *head_of(&said("http-post", Side::Client)).1);
    });
}

/// A camera that answers as the hub did, and says each piece when it is asked to.
fn camera(path: &str, pieces: Vec<Vec<u8>>) -> (Camera, impl FnMut()) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut camera = Camera::new(&format!("http://{}{path}", listener.local_addr().unwrap())).unwrap();
    let mut pieces = pieces.into_iter();
    let first = pieces.next().unwrap();
    let socket = thread::spawn(move || {
        let (mut socket, mut piece) = (listener.accept().unwrap().0, [0; 4096]);
        assert_ne!(socket.read(&mut piece).unwrap(), 0);
        socket.write_all(&first).unwrap();
        socket
    });
    camera.open(&CaptureRequest::default()).unwrap();
    let mut socket = socket.join().unwrap();
    (camera, move || socket.write_all(&pieces.next().unwrap()).unwrap())
}

#[track_caller]
fn next(camera: &mut Camera) -> Vec<u8> {
    let mut frame = Frame::default();
    until("a picture comes", || camera.next(&mut frame).unwrap() == Next::Frame);
    frame.data.to_vec()
}

#[test]
fn a_sender_takes_the_pictures_of_a_hub() {
    limited(|| {
        let recorded = said("http-stream", Side::Hub);
        let (head, mut rest) = head_of(&recorded);
        let (mut pieces, mut pictures) = (vec![head.into_bytes()], Vec::new());
        while rest.windows(2).any(|w| w == b"\xff\xd8") {
            let (head, body) = head_of(rest);
            let (picture, after) = body.split_at(fields(&head)["content-length"].parse().unwrap());
            // The boundary behind a picture ends it.
            pieces.push([head.as_bytes(), picture, b"\r\n--streamflow-next-picture\r\n"].concat());
            pictures.push(picture.to_vec());
            rest = after.strip_prefix(b"\r\n--streamflow-next-picture\r\n").unwrap_or_default();
        }
        assert_eq!(pictures.len(), 5);
        let (mut source, mut say) = camera("/stream", pieces);
        for picture in pictures {
            say();
            assert_eq!(next(&mut source), picture);
        }
        let recorded = said("http-snapshot", Side::Hub);
        let (head, body) = head_of(&recorded);
        let (mut source, mut say) = camera("/snapshot", vec![head.into_bytes(), body.to_vec()]);
        say();
        assert_eq!(next(&mut source), body);
    });
}
