//! Rooms.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use streamflow::internal::frame::{Frame, PixelFormat};
use streamflow::internal::publisher::Publisher;
use streamflow::internal::source::{Next, SourceError, from_fn};
use streamflow::internal::wire::jpeg;
use tungstenite::Message;

use crate::support::http::{Http, get};
use crate::support::{
    LONG, Peer, SIZE, at, fine_source, hub, hub_with, limited, next_picture, publisher, publisher_config, until,
    viewer, views,
};
use crate::{jpeg as picture, next, open, picture_of, say, viewer_of, wait};

#[test]
fn people_in_a_room_see_and_hear_each_other_and_nobody_else() {
    limited(|| {
        let hub = hub();
        let picture = picture(&hub);
        let data = format!("data:image/jpeg;base64,{}", BASE64.encode(&picture));
        let frame = json!({ "type": "video_frame", "data": data, "timestamp": 1 });
        let mut ann = open(hub.address(), "/ws/lab/Ann%20Lee");
        assert_eq!(wait(&mut ann, "user_list")["users"][0]["name"], "Ann Lee");
        let mut eve = open(hub.address(), "/ws/cellar/eve");
        wait(&mut eve, "user_list");
        wait(&mut eve, "participant_list");
        let mut bob = open(hub.address(), "/ws/lab/bob");
        assert_eq!(wait(&mut bob, "user_list")["users"].as_array().unwrap().len(), 2);
        assert_eq!(wait(&mut ann, "user_joined")["name"], "bob");
        say(&mut ann, &frame);
        let seen = wait(&mut bob, "video_frame");
        assert_eq!((&seen["user_name"], picture_of(&seen["data"])), (&"Ann Lee".into(), picture.clone()));
        say(&mut bob, &json!({ "type": "chat", "text": "hello", "color": "#123456" }));
        for who in [&mut ann, &mut bob] {
            let chat = wait(who, "chat");
            assert_eq!(
                (&chat["text"], &chat["user_name"], &chat["color"]),
                (&"hello".into(), &"bob".into(), &"#123456".into())
            );
            assert!(chat["id"].is_u64() && chat["created_at"].as_str().unwrap().ends_with('Z'));
        }
        say(&mut bob, &json!({ "type": "media_toggle", "video": false }));
        assert_eq!(wait(&mut ann, "media_state"), json!({ "type": "media_state", "video": false, "user_name": "bob" }));
        say(&mut bob, &json!({ "type": "audio_activity", "level": 7 }));
        assert_eq!(wait(&mut ann, "audio_activity")["level"], 7);
        // Binary from now on, both ways.
        say(&mut bob, &json!({ "type": "hello", "binary": true }));
        wait(&mut bob, "hello");
        say(&mut ann, &frame);
        let packet = loop {
            if let Message::Binary(packet) = next(&mut bob) {
                break packet;
            }
        };
        let length = u32::from_le_bytes(packet[28..32].try_into().unwrap()) as usize;
        let metadata: Value = serde_json::from_slice(&packet[32..32 + length]).unwrap();
        assert_eq!((&metadata["user_name"], &packet[32 + length..]), (&"Ann Lee".into(), &picture[..]));
        bob.send(Message::binary(picture.clone())).unwrap();
        assert_eq!(wait(&mut ann, "video_frame")["user_name"], "bob");
        // Others see them, too.
        assert_eq!(next_picture(&viewer_of(&hub, "lab", "bob")).data[..], picture[..]);
        let mut feed = Http::connect(hub.address());
        feed.send(b"GET /rooms/lab/video_feed/Ann%20Lee HTTP/1.1\r\nHost: hub\r\n\r\n");
        assert_eq!(feed.part("streamflow-next-picture").body, picture);
        say(&mut bob, &json!("nonsense"));
        assert!(wait(&mut bob, "error")["message"].is_string());
        bob.close(None).unwrap();
        assert_eq!(wait(&mut ann, "user_left")["name"], "bob");
        // Whoever is elsewhere has heard nothing but pings.
        eve.get_mut().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        while let Ok(message) = eve.read() {
            assert!(matches!(&message, Message::Text(text) if text.contains("\"ping\"")), "{message:?}");
        }
    });
}

#[test]
fn native_streams_are_seen_in_their_room_and_whoever_comes_back_takes_their_place() {
    limited(|| {
        let hub = hub();
        let mut ann = open(hub.address(), "/ws/main/ann");
        wait(&mut ann, "user_list");
        let camera = publisher(at(&hub), "door", fine_source());
        assert_eq!(wait(&mut ann, "video_frame")["user_name"], "door");
        let mut again = open(hub.address(), "/ws/main/ann");
        assert_eq!(wait(&mut again, "user_list")["users"].as_array().unwrap().len(), 1);
        assert_eq!(wait(&mut again, "video_frame")["user_name"], "door");
        let mut closed = false;
        while !closed {
            closed = ann.read().map_or(true, |m| m.is_close());
        }
        drop(camera);
        until("nobody publishes", || hub.counts().0 == 0);
        // Another camera of the same name is seen by whoever has stayed.
        again.get_mut().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        while again.read().is_ok() {}
        again.get_mut().set_read_timeout(Some(LONG)).unwrap();
        let camera = publisher(at(&hub), "door", fine_source());
        assert_eq!(wait(&mut again, "video_frame")["user_name"], "door");
        drop(camera);
        until("the stream is gone, although somebody is in its room", || hub.streams(Some("main")).is_empty());
        drop(viewer(at(&hub), "door"));
    });
}

#[test]
fn who_watches_in_a_room_is_counted_like_every_viewer() {
    limited(|| {
        let hub = hub();
        let picture = picture(&hub);
        let data = format!("data:image/jpeg;base64,{}", BASE64.encode(&picture));
        let mut ann = open(hub.address(), "/ws/lab/ann");
        let mut bob = open(hub.address(), "/ws/lab/bob");
        wait(&mut bob, "user_list");
        let numbers = || get(hub.address(), "/api/streams/lab/ann").json();
        until("pictures counted", || {
            say(&mut ann, &json!({ "type": "video_frame", "data": data, "timestamp": 1 }));
            wait(&mut bob, "video_frame");
            numbers()["per_viewer"][0]["fps"].as_f64() > Some(0.0)
        });
        let one = numbers();
        let viewer = &one["per_viewer"][0];
        assert_eq!((one["per_viewer"].as_array().unwrap().len(), &viewer["speaks"]), (1, &"room".into()), "{one}");
        assert!(viewer["pictures"].as_u64() > Some(0) && viewer["bytes"].as_u64() >= Some(picture.len() as u64));
        assert!(one["sent"].as_u64() >= viewer["pictures"].as_u64());
        bob.close(None).unwrap();
        until("gone", || numbers()["per_viewer"] == json!([]));
    });
}

#[test]
fn a_stream_that_there_was_no_place_for_is_shown_when_a_place_is_free() {
    limited(|| {
        // Two people, what one of them sees of the camera, and a viewer.
        let hub = hub_with(|config| config.max_viewers = 4);
        let mut ann = open(hub.address(), "/ws/main/ann");
        wait(&mut ann, "user_list");
        let viewer = Peer::join(hub.address(), views("other"));
        let _camera = publisher(at(&hub), "door", fine_source());
        assert_eq!(wait(&mut ann, "video_frame")["user_name"], "door");
        let mut bob = open(hub.address(), "/ws/main/bob");
        wait(&mut bob, "user_list");
        until("the hub is full", || hub.counts() == (1, 2));
        drop(viewer);
        assert_eq!(wait(&mut bob, "video_frame")["user_name"], "door");
    });
}

/// A link that carries some 30 kB a second.
struct Slow(TcpStream);

impl Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(Duration::from_millis(16));
        let most = into.len().min(512);
        self.0.read(&mut into[..most])
    }
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A picture that takes many bytes.
fn noise(frame: &mut Frame) -> Result<Next, SourceError> {
    (frame.size, frame.format) = (SIZE, PixelFormat::Gray);
    frame.data.resize(SIZE.area(), 0);
    fastrand::fill(&mut frame.data);
    Ok(Next::Frame)
}

#[test]
fn somebody_in_a_room_gets_pictures_that_its_link_carries_and_the_others_whole_ones() {
    limited(|| {
        let hub = hub();
        let _publisher = Publisher::start(publisher_config(at(&hub), "door"), Box::new(from_fn(noise))).unwrap();
        let bob = viewer(at(&hub), "door");
        assert_eq!(jpeg::size(&next_picture(&bob).data), Some(SIZE));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.connect(&hub.address().into()).unwrap();
        let socket: TcpStream = socket.into();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let (mut ann, _) = tungstenite::client(format!("ws://{}/ws/main/ann", hub.address()), Slow(socket)).unwrap();
        loop {
            let Message::Text(text) = ann.read().unwrap() else { continue };
            let Ok(frame) = serde_json::from_str::<Value>(&text) else { continue };
            if frame["type"] == "video_frame" && jpeg::size(&picture_of(&frame["data"])) != Some(SIZE) {
                break;
            }
        }
        for _ in 0..10 {
            assert_eq!(jpeg::size(&next_picture(&bob).data), Some(SIZE));
        }
    });
}
