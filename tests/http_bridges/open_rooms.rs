//! Rooms that people open: listed, entered, spoken in and closed, as the client that exists for them does it.

use std::time::Duration;

use serde_json::{Value, json};
use streamflow::internal::hub::{AccessControl, Hub, HubConfig};
use streamflow::internal::names::StreamKey;
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::wire::control::{AudioState, Control, StreamState};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::support::http::{Answer, Http, get, post};
use crate::support::{Peer, at, fine_source, hub, limited, publisher_config, publishes, until};
use crate::{Socket, jpeg, next, open, say, wait};

fn ask(hub: &Hub, path: &str, body: &Value) -> Answer {
    post(hub.address(), path, body.to_string().as_bytes())
}

fn opened(hub: &Hub, title: &str, host: &str) -> Value {
    let answer = ask(hub, "/rooms", &json!({ "title": title, "host_name": host }));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn rooms(hub: &Hub) -> Vec<Value> {
    get(hub.address(), "/rooms").json().as_array().unwrap().clone()
}

/// The next list of people that has so many.
#[track_caller]
fn people(socket: &mut Socket, count: usize) -> Vec<Value> {
    loop {
        let list = wait(socket, "participant_list")["participants"].as_array().unwrap().clone();
        if list.len() == count {
            return list;
        }
    }
}

/// With which code it ends.
#[track_caller]
fn ends(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(frame) = next(socket) {
            let frame = frame.unwrap();
            return (CloseCode::into(frame.code), frame.reason.to_string());
        }
    }
}

#[test]
fn a_room_is_opened_listed_entered_and_closed() {
    limited(|| {
        let hub = hub();
        assert!(rooms(&hub).is_empty());
        let room = opened(&hub, "Daily <b>", "Ann Lee");
        let id = room["room_id"].as_str().unwrap().to_owned();
        assert!(id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert_eq!((&room["id"], &room["title"], &room["viewers"]), (&1.into(), &"Daily <b>".into(), &0.into()));
        assert_eq!((&room["host_name"], &room["is_active"]), (&"Ann Lee".into(), &true.into()));
        for field in ["host_avatar", "host_token"] {
            assert!(room[field].is_string(), "{field}");
        }
        // Whoever opened it counts as there until it comes.
        let first = &room["participants"][0];
        assert_eq!((&first["name"], &first["role"]), (&"Ann Lee".into(), &"host".into()));
        assert_eq!((&first["is_muted"], &first["is_video_off"]), (&false.into(), &false.into()));
        assert!(first["avatar"].as_str().unwrap().starts_with("data:image/svg+xml;base64,"));
        let listed = rooms(&hub);
        assert!(listed.len() == 1 && listed[0]["room_id"] == id && listed[0].get("host_token").is_none());
        assert_eq!(get(hub.address(), &format!("/rooms/{id}")).json()["title"], "Daily <b>");
        let none = get(hub.address(), "/rooms/00000000");
        assert_eq!((none.status, none.json()), (404, json!({ "detail": "Room not found" })));

        let mut ann = open(hub.address(), &format!("/ws/{id}/Ann%20Lee"));
        assert_eq!(people(&mut ann, 1)[0]["role"], "host");
        let mut bob = open(hub.address(), &format!("/ws/{id}/bob"));
        for who in [&mut ann, &mut bob] {
            let list = people(who, 2);
            assert_eq!((&list[1]["name"], &list[1]["role"]), (&"bob".into(), &"guest".into()));
        }
        // What somebody switches comes back to it as well, and a late joiner learns of it.
        say(&mut bob, &json!({ "type": "media_toggle", "is_muted": true }));
        for who in [&mut ann, &mut bob] {
            let told = wait(who, "media_state");
            assert_eq!((&told["user_name"], &told["is_muted"]), (&"bob".into(), &true.into()));
            assert_eq!(people(who, 2)[1]["is_muted"], true);
        }
        say(&mut bob, &json!({ "type": "audio_activity", "is_speaking": false }));
        assert_eq!(wait(&mut bob, "audio_activity")["user_name"], "bob");
        let mut eve = open(hub.address(), &format!("/ws/{id}/eve"));
        assert_eq!(people(&mut eve, 3)[1]["is_muted"], true);
        drop(eve);
        people(&mut ann, 2);

        let closed = ask(&hub, &format!("/rooms/{id}/close"), &Value::Null);
        assert_eq!((closed.status, closed.json()), (200, json!({ "status": "deactivated" })));
        for who in [&mut ann, &mut bob] {
            assert_eq!(wait(who, "room_closed"), json!({ "type": "room_closed", "room_id": id }));
            assert_eq!(ends(who), (4002, "the room is closed".into()));
        }
        assert!(rooms(&hub).is_empty());
        assert_eq!(ask(&hub, &format!("/rooms/{id}/close"), &Value::Null).status, 404);
        assert_eq!(opened(&hub, "next", "bob")["id"], 2);
    });
}

#[test]
fn what_is_said_in_a_room_is_numbered_and_there_after_a_reload() {
    limited(|| {
        let hub = hub();
        let id = opened(&hub, "one", "ann")["room_id"].as_str().unwrap().to_owned();
        let path = format!("/rooms/{id}/messages");
        assert_eq!(get(hub.address(), &path).json(), json!([]));
        let mut ann = open(hub.address(), &format!("/ws/{id}/ann"));
        say(&mut ann, &json!({ "type": "chat", "text": "<i>hello</i>", "color": "#theme-accent" }));
        let heard = wait(&mut ann, "chat");
        let said = ask(&hub, &path, &json!({ "user_name": "bob", "text": "hi", "color": "red" }));
        assert_eq!((said.status, &said.json()["text"]), (200, &"hi".into()));
        assert_eq!(wait(&mut ann, "chat")["id"], said.json()["id"], "who is there hears it");
        let all = get(hub.address(), &path).json();
        assert_eq!(all.as_array().unwrap().len(), 2);
        for (n, field) in [(0, "id"), (0, "text"), (0, "color"), (0, "created_at"), (0, "user_name")] {
            assert_eq!(all[n][field], heard[field], "{field}");
        }
        assert_eq!(all[1], said.json());
        for bad in [json!([]), json!({ "user_name": "", "text": "x" }), json!({ "user_name": "bob", "text": " " })] {
            assert_eq!(ask(&hub, &path, &bad).status, 400, "{bad}");
        }
        assert_eq!(ask(&hub, "/rooms/00000000/messages", &json!({ "user_name": "bob", "text": "x" })).status, 404);
        for bad in [json!({ "title": " ", "host_name": "ann" }), json!({ "title": "x" }), json!(7)] {
            let refused = ask(&hub, "/rooms", &bad);
            assert!(refused.status == 400 && refused.json()["detail"].is_string(), "{bad}");
        }
    });
}

#[test]
fn a_host_mutes_and_removes_and_the_older_of_two_of_one_name_is_told_so() {
    limited(|| {
        let hub = hub();
        let id = opened(&hub, "one", "ann")["room_id"].as_str().unwrap().to_owned();
        let mut bob = open(hub.address(), &format!("/ws/{id}/bob"));
        wait(&mut bob, "participant_list");
        let does = |name: &str, what: &str| {
            ask(&hub, &format!("/rooms/{id}/people"), &json!({ "name": name, "do": what })).status
        };
        assert_eq!([does("bob", "mute"), does("eve", "mute"), does("bob", "hug")], [200, 404, 400]);
        wait(&mut bob, "mute");
        let mut again = open(hub.address(), &format!("/ws/{id}/bob"));
        wait(&mut again, "participant_list");
        assert_eq!(ends(&mut bob), (4001, "somebody of the same name came in".into()));
        assert_eq!(does("bob", "remove"), 200);
        assert_eq!(ends(&mut again).0, 4003);
        until("nobody is there", || {
            get(hub.address(), &format!("/rooms/{id}")).json()["participants"][0]["id"] == "host"
        });
    });
}

#[test]
fn a_native_stream_is_somebody_in_the_room_and_its_picture_is_the_thumbnail() {
    limited(|| {
        let hub = hub();
        let room = opened(&hub, "Lab", "ann");
        let id = room["room_id"].as_str().unwrap().to_owned();
        let thumbnail = || get(hub.address(), &format!("/rooms/{id}/thumbnail"));
        let drawn = thumbnail();
        assert_eq!((drawn.status, drawn.field("content-type")), (200, Some("image/svg+xml")));
        assert!(room["thumbnail"].as_str().unwrap().ends_with(&format!("/rooms/{id}/thumbnail")));
        let mut ann = open(hub.address(), &format!("/ws/{id}/ann"));
        // Its page watches by the native protocol.
        say(&mut ann, &json!({ "type": "hello", "pictures": false }));
        wait(&mut ann, "hello");
        let stream = StreamKey::parse(&id, "robot").unwrap();
        let config = PublisherConfig { stream, ..publisher_config(at(&hub), "robot") };
        let robot = Publisher::start(config, Box::new(fine_source())).unwrap();
        let list = people(&mut ann, 2);
        assert_eq!((&list[1]["name"], &list[1]["stream_name"]), (&"robot".into(), &"robot".into()));
        assert_eq!(thumbnail().field("content-type"), Some("image/svg+xml"), "no camera is woken for it");
        // Somebody watches.
        let mut feed = Http::connect(hub.address());
        feed.send(format!("GET /rooms/{id}/video_feed/robot HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
        feed.part("streamflow-next-picture");
        assert_eq!(thumbnail().field("content-type"), Some("image/jpeg"));
        drop(robot);
        people(&mut ann, 1);
    });
}

#[test]
fn pictures_come_once_to_a_client_that_watches_them_by_feeds() {
    limited(|| {
        let hub = hub();
        let id = opened(&hub, "one", "ann")["room_id"].as_str().unwrap().to_owned();
        let mut ann = open(hub.address(), &format!("/ws/{id}/ann"));
        let mut bob = open(hub.address(), &format!("/ws/{id}/bob"));
        wait(&mut bob, "participant_list");
        let data = data_encoding::BASE64.encode(&jpeg(&hub));
        let frame = json!({ "type": "video_frame", "data": data });
        say(&mut ann, &frame);
        assert_eq!(wait(&mut bob, "video_frame")["user_name"], "ann");
        let mut feed = Http::connect(hub.address());
        feed.send(format!("GET /rooms/{id}/video_feed/ann HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
        feed.part("streamflow-next-picture");
        say(&mut ann, &frame);
        feed.part("streamflow-next-picture");
        say(&mut ann, &json!({ "type": "chat", "text": "after it" }));
        loop {
            let Message::Text(text) = next(&mut bob) else { continue };
            assert!(!text.contains("video_frame"), "it comes by the feed");
            if text.contains("after it") {
                break;
            }
        }
        // The feed of the host needs no name.
        let mut host = Http::connect(hub.address());
        host.send(format!("GET /rooms/{id}/video_feed HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
        host.part("streamflow-next-picture");
        drop((feed, host));
        // Without it they come here again.
        until("pictures come again", || {
            say(&mut ann, &frame);
            bob.get_mut().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            std::iter::from_fn(|| bob.read().ok()).any(|m| m.to_text().is_ok_and(|text| text.contains("video_frame")))
        });
    });
}

#[test]
fn a_hub_that_asks_opens_rooms_to_who_may_be_in_them_and_lets_their_host_close_them() {
    limited(|| {
        let secrets = "[[secret]]\nname = \"all\"\nsecret = \"Q3hGd8kPz1vLmXw0TnR5yA\"\nrole = [\"view\", \"publish\"]\n\
                       [[secret]]\nname = \"one\"\nsecret = \"Z9fJc2sVq7uEbKo4HiD6xW\"\nrole = [\"view\", \"publish\"]\nstream = \"lab/*\"\n";
        let folder = std::env::temp_dir().join(format!("streamflow-rooms-asks-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("access.toml");
        std::fs::write(&file, secrets).unwrap();
        let config = HubConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            access: AccessControl::File(file),
            state: Some(folder.clone()),
            ..HubConfig::default()
        };
        let hub = Hub::start(config).unwrap();
        let by = |method: &str, path: &str, secret: &str, more: &str, body: &Value| {
            let token = if secret.is_empty() { String::new() } else { format!("Authorization: Bearer {secret}\r\n") };
            Http::connect(hub.address()).ask(method, path, &(token + more), body.to_string().as_bytes())
        };
        let (all, one) = ("Q3hGd8kPz1vLmXw0TnR5yA", "Z9fJc2sVq7uEbKo4HiD6xW");
        let new = json!({ "title": "one", "host_name": "ann" });
        assert_eq!(by("POST", "/rooms", "", "", &new).status, 401);
        assert_eq!(by("POST", "/rooms", one, "", &new).status, 403, "it may be in one room alone");
        let room = by("POST", "/rooms", all, "", &new).json();
        let id = room["room_id"].as_str().unwrap().to_owned();
        let listed = |secret: &str| by("GET", "/rooms", secret, "", &Value::Null).json().as_array().map(Vec::len);
        assert_eq!((listed(all), listed(one)), (Some(1), Some(0)), "it is not for everybody to know of");
        assert_eq!(by("GET", "/rooms", "", "", &Value::Null).status, 401);
        for path in ["", "/messages", "/thumbnail"] {
            assert_eq!(by("GET", &format!("/rooms/{id}{path}"), one, "", &Value::Null).status, 403, "{path}");
        }
        let close = format!("/rooms/{id}/close");
        assert_eq!(by("POST", &close, all, "", &Value::Null).status, 403, "it has not opened it");
        assert_eq!(by("POST", &close, all, "X-Host-Token: wrong\r\n", &Value::Null).status, 403);
        let token = format!("X-Host-Token: {}\r\n", room["host_token"].as_str().unwrap());
        assert_eq!(by("POST", &close, all, &token, &Value::Null).status, 200);
        drop(hub);
        std::fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_native_stream_with_sound_is_somebody_who_is_muted_or_speaks() {
    limited(|| {
        let hub = hub();
        let mut ann = open(hub.address(), "/ws/main/ann");
        let mut robot = Peer::join(hub.address(), publishes("robot"));
        let is_muted =
            |list: &[Value]| list.iter().find(|person| person["name"] == "robot").unwrap()["is_muted"].clone();
        assert_eq!(is_muted(&people(&mut ann, 2)), true, "it has no sound");
        let mut says = |muted, speaking| {
            let audio = Some(AudioState { muted, speaking });
            robot.say(&Control::State(StreamState { live: true, audio, ..StreamState::default() }));
        };
        says(false, true);
        let spoke = wait(&mut ann, "audio_activity");
        assert_eq!((&spoke["user_name"], &spoke["is_speaking"]), (&"robot".into(), &true.into()));
        assert_eq!(is_muted(&people(&mut ann, 2)), false);
        says(true, true);
        assert_eq!(wait(&mut ann, "audio_activity")["is_speaking"], false, "who is muted is not heard");
        assert_eq!(is_muted(&people(&mut ann, 2)), true);
    });
}
