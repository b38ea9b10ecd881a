//! Systems that already exist, spoken to as they speak, by an independent WebSocket client.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use streamflow::hub::Hub;
use support::http::{Http, get, post};
use support::{LONG, at, fine_source, hub, limited, next_picture, publisher, until, viewer};
use tungstenite::{Message, WebSocket};

type Socket = WebSocket<TcpStream>;

#[track_caller]
fn open(address: SocketAddr, path: &str) -> Socket {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.set_write_timeout(Some(LONG)).unwrap();
    let (socket, _) = tungstenite::client(format!("ws://{address}{path}"), socket).unwrap();
    socket
}

/// The next text or binary message.
#[track_caller]
fn next(socket: &mut Socket) -> Message {
    loop {
        let message = socket.read().unwrap();
        if !message.is_ping() && !message.is_pong() {
            return message;
        }
    }
}

/// The next JSON message of this type.
#[track_caller]
fn wait(socket: &mut Socket, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = next(socket) {
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["type"] == kind {
                return value;
            }
        }
    }
}

fn say(socket: &mut Socket, value: &Value) {
    socket.send(Message::text(value.to_string())).unwrap();
}

/// A real picture.
fn jpeg(hub: &Hub) -> Vec<u8> {
    let _publisher = publisher(at(hub), "template", fine_source());
    until("published", || hub.counts().0 == 1);
    let body = get(hub.address(), "/snapshot/main/template").body;
    assert!(body.starts_with(&[0xff, 0xd8]));
    body
}

fn picture_of(text: &Value) -> Vec<u8> {
    let url = text.as_str().unwrap();
    BASE64.decode(url.strip_prefix("data:image/jpeg;base64,").unwrap().as_bytes()).unwrap()
}

fn broadcast(hub: &Hub, body: &Value) -> (u16, Value) {
    let answer = post(hub.address(), "/api/broadcast-detection", body.to_string().as_bytes());
    (answer.status, answer.json())
}

#[test]
fn detections_are_broadcast_with_their_metadata_to_every_kind_of_viewer() {
    limited(|| {
        let hub = hub();
        let picture = jpeg(&hub);
        let metadata = json!({ "cars": 3, "timestamp": 12.5 });
        let body = json!({ "camera_id": "CAM1", "frame_base64": BASE64.encode(&picture), "metadata": metadata });
        let (status, answer) = broadcast(&hub, &body);
        let expected = json!({
            "success": true, "viewers": 0, "camera_id": "CAM1", "frame_size": picture.len(), "timestamp": 12.5,
        });
        assert_eq!((status, answer), (200, expected));
        // The current one at once, although it came before.
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=CAM1");
        let first = wait(&mut dashboard, "frame");
        assert_eq!(
            (&first["camera_id"], &first["frame_count"], &first["metadata"]),
            (&"CAM1".into(), &1.into(), &metadata)
        );
        assert_eq!(picture_of(&first["frame"]), picture);
        assert!(first["timestamp"].as_f64() > Some(1e9));
        assert_eq!(broadcast(&hub, &body).1["viewers"], 1);
        assert_eq!(wait(&mut dashboard, "frame")["frame_count"], 2);
        dashboard.send(Message::text("ping")).unwrap();
        assert_eq!(next(&mut dashboard), Message::text("pong"));
        let native = viewer_of(&hub, "detection", "CAM1");
        assert_eq!(next_picture(&native).metadata.as_deref(), Some(metadata.to_string().as_str()));
        let status = get(hub.address(), "/api/broadcast-status").json();
        assert_eq!((&status["active_cameras"], &status["total_viewers"]), (&1.into(), &2.into()));
        assert_eq!(status["broadcasters"][0]["camera_id"], "CAM1");
        drop((dashboard, native));
        until("gone viewers are removed", || get(hub.address(), "/api/broadcast-status").json()["total_viewers"] == 0);
    });
}

fn viewer_of(hub: &Hub, room: &str, name: &str) -> streamflow::viewer::Viewer {
    let config = streamflow::viewer::ViewerConfig {
        room: room.into(),
        name: Some(name.into()),
        home: at(hub),
        ..Default::default()
    };
    streamflow::viewer::Viewer::start(config).unwrap()
}

#[test]
fn a_detection_that_makes_no_sense_is_refused_and_any_name_is_fine() {
    limited(|| {
        let hub = hub();
        let picture = BASE64.encode(&jpeg(&hub));
        for bad in [
            json!({ "frame_base64": picture }),
            json!({ "camera_id": "", "frame_base64": picture }),
            json!({ "camera_id": "x" }),
            json!({ "camera_id": "x", "frame_base64": "%%%" }),
            json!({ "camera_id": "x", "frame_base64": "AAAA" }),
            json!([]),
        ] {
            let (status, answer) = broadcast(&hub, &bad);
            assert_eq!((status, &answer["success"]), (400, &false.into()), "{answer}");
        }
        let odd = json!({ "camera_id": "Lot \"A\" / 1", "frame_base64": picture });
        assert_eq!(broadcast(&hub, &odd).0, 200);
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=Lot+%22A%22+%2F+1");
        let frame = wait(&mut dashboard, "frame");
        assert_eq!((&frame["camera_id"], &frame["metadata"]), (&"Lot \"A\" / 1".into(), &json!({})));
        assert!(open(hub.address(), "/ws/viewer/detection").read().unwrap().is_close());
    });
}

#[test]
fn a_camera_of_ours_is_seen_on_a_detection_dashboard_and_at_a_quality() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=main/door");
        let frame = wait(&mut dashboard, "frame");
        assert!(frame["metadata"]["number"].as_u64() > Some(0));
        for quality in ["30", "70", "95"] {
            let mut socket = open(hub.address(), &format!("/websocket/{quality}"));
            for _ in 0..3 {
                let Message::Binary(picture) = next(&mut socket) else { panic!("not binary") };
                assert!(picture.starts_with(&[0xff, 0xd8]) && picture.ends_with(&[0xff, 0xd9]));
            }
        }
        for wrong in ["29", "96", "x", "-1", "30.5"] {
            let Message::Close(Some(close)) = open(hub.address(), &format!("/websocket/{wrong}")).read().unwrap()
            else {
                panic!("not closed")
            };
            assert_eq!(u16::from(close.code), 1003);
            assert!(close.reason.contains("30 to 95"));
        }
    });
}

#[test]
fn people_in_a_room_see_and_hear_each_other_and_nobody_else() {
    limited(|| {
        let hub = hub();
        let picture = jpeg(&hub);
        let data = format!("data:image/jpeg;base64,{}", BASE64.encode(&picture));
        let frame = json!({ "type": "video_frame", "data": data, "timestamp": 1 });
        let mut ann = open(hub.address(), "/ws/lab/Ann%20Lee");
        assert_eq!(wait(&mut ann, "user_list")["users"][0]["name"], "Ann Lee");
        let mut eve = open(hub.address(), "/ws/cellar/eve");
        wait(&mut eve, "user_list");
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
            assert!(chat["id"].is_string() && chat["created_at"].as_str().unwrap().ends_with('Z'));
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
        until("the stream is gone, although somebody is in its room", || hub.streams(Some("main")).is_empty());
        drop(viewer(at(&hub), "door"));
    });
}
