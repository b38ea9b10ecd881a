//! Rooms with somebody in them who means no good: the others see and hear each other as before, and nothing that acts.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};
use streamflow::internal::hub::Hub;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

use crate::detection::padded;
use crate::support::http::{get, post};
use crate::support::{hub, limited};
use crate::{Socket, jpeg, next, open, picture_of, say, wait};

/// Somebody who is in a room, and what comes to it.
fn enter(hub: &Hub, name: &str) -> Socket {
    let mut socket = open(hub.address(), &format!("/ws/lab/{name}"));
    wait(&mut socket, "user_list");
    socket
}

fn frame(picture: &[u8]) -> Value {
    json!({ "type": "video_frame", "data": BASE64.encode(picture), "timestamp": 1 })
}

/// Each of so many pictures of Ann comes to Bob, and what she says. Tells what else was said in the room meanwhile.
#[track_caller]
fn talk(ann: &mut Socket, bob: &mut Socket, picture: &[u8], rounds: u32) -> u32 {
    let mut by_others = 0;
    for n in 0..rounds {
        // Of who says more than thirty things a second the rest is left out, Ann's as well.
        sleep(Duration::from_millis(40));
        say(ann, &frame(picture));
        let text = json!(n.to_string());
        say(ann, &json!({ "type": "chat", "text": text }));
        let (mut seen, mut heard) = (false, false);
        while !(seen && heard) {
            let Message::Text(told) = next(bob) else { panic!("no text") };
            let message: Value = serde_json::from_str(&told).unwrap();
            match (message["type"].as_str().unwrap(), message["user_name"].as_str()) {
                ("video_frame", Some("ann")) => seen = picture_of(&message["data"]) == picture,
                ("chat", Some("ann")) => heard = message["text"] == text,
                ("chat", _) => by_others += 1,
                _ => {}
            }
        }
    }
    by_others
}

/// Takes what comes to somebody who does not look at it, until the connection ends: who takes nothing would be left out.
fn listens(socket: &Socket) -> JoinHandle<()> {
    let mut socket = socket.get_ref().try_clone().unwrap();
    spawn(move || {
        let mut piece = [0; 1 << 16];
        while socket.read(&mut piece).is_ok_and(|n| n > 0) {}
    })
}

fn leaves(socket: &Socket, listener: JoinHandle<()>) {
    let _ = socket.get_ref().shutdown(Shutdown::Both);
    listener.join().unwrap();
}

/// Does this again and again, until it is told to stop or the hub hangs up. Says how often.
fn without_end(
    stop: &Arc<AtomicBool>,
    mut act: impl FnMut(u32) -> bool + Send + 'static,
) -> (Arc<AtomicU32>, JoinHandle<()>) {
    let (times, stop) = (Arc::new(AtomicU32::new(0)), stop.clone());
    let counted = times.clone();
    let thread = spawn(move || {
        while !stop.load(Ordering::Relaxed) && act(counted.load(Ordering::Relaxed)) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (times, thread)
}

#[test]
fn of_who_says_ten_thousand_things_the_others_hear_thirty_a_second_and_each_other_as_before() {
    limited(|| {
        let hub = hub();
        let picture = jpeg(&hub);
        let began = Instant::now();
        let [mut ann, mut bob, mut mallory] = ["ann", "bob", "mallory"].map(|name| enter(&hub, name));
        let (listener, _deaf) = (listens(&ann), listens(&mallory));
        let stop = Arc::new(AtomicBool::new(false));
        let (said, thread) = without_end(&stop, move |n| {
            let message = json!({ "type": "chat", "text": format!("{n} {}", "x".repeat(1000)), "color": "red" });
            mallory.send(Message::text(message.to_string())).is_ok()
        });
        let (mut heard, mut rounds) = (0, 0);
        while said.load(Ordering::Relaxed) < 10_000 || rounds < 20 {
            heard += talk(&mut ann, &mut bob, &picture, 1);
            rounds += 1;
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        let seconds = u32::try_from(began.elapsed().as_secs()).unwrap();
        assert!(heard > 0 && heard <= 30 * (seconds + 2), "{heard} in {seconds} s");
        leaves(&ann, listener);
    });
}

#[test]
fn whoever_sends_pictures_of_8_mib_keeps_nobody_else_from_seeing_and_hearing() {
    limited(|| {
        let hub = hub();
        let picture = jpeg(&hub);
        let [mut ann, mut bob, mut mallory] = ["ann", "bob", "mallory"].map(|name| enter(&hub, name));
        let (listener, _deaf) = (listens(&ann), listens(&mallory));
        let large = padded(&picture, 8 << 20);
        let texts = Message::text(frame(&large).to_string());
        let stop = Arc::new(AtomicBool::new(false));
        let (sent, thread) = without_end(&stop, move |n| {
            let message = if n % 2 == 0 { texts.clone() } else { Message::binary(large.clone()) };
            mallory.send(message).is_ok()
        });
        let mut rounds = 0;
        while sent.load(Ordering::Relaxed) < 6 || rounds < 10 {
            talk(&mut ann, &mut bob, &picture, 1);
            rounds += 1;
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        leaves(&ann, listener);
    });
}

/// A frame of a WebSocket as nobody should send it.
fn raw(opcode: u8, masked: bool, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![opcode, if masked { 0xff } else { 0x7f }];
    bytes.extend(length.to_be_bytes());
    if masked {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

#[test]
fn broken_messages_end_whoever_sends_them_or_are_answered_in_words_and_reach_nobody_else() {
    limited(|| {
        let hub = hub();
        let picture = jpeg(&hub);
        let [mut ann, mut bob] = ["ann", "bob"].map(|name| enter(&hub, name));
        let listener = listens(&ann);
        let deep = |n: usize| format!(r#"{{"type":"media_toggle","x":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        let texts = [
            "".into(),
            "{".into(),
            "[]".into(),
            "null".into(),
            r#"{"type":7}"#.into(),
            r#"{"type":"chat"}"#.into(),
            r#"{"type":"chat","text":{"a":[1]}}"#.into(),
            r#"{"type":"video_frame"}"#.into(),
            r#"{"type":"video_frame","data":"%%%%"}"#.into(),
            r#"{"type":"video_frame","data":"AAAA"}"#.into(),
            r#"{"type":"participant_list","participants":[]}"#.into(),
            r#"{"type":"room_closed","room_id":"lab"}"#.into(),
            r#"{"type":"user_left","id":"1","name":"ann"}"#.into(),
            r#"{"type":"media_toggle","user_name":"ann","is_muted":1e999}"#.into(),
            deep(33),
            deep(2000),
        ];
        let mut packets: Vec<Vec<u8>> = vec![vec![], vec![0; 31], vec![0xff; 32], vec![0xff, 0xd8], vec![0x53; 40]];
        packets.extend((0..64).map(|n| (0..200_u32).map(|at| (at * 31 + n * 7) as u8).collect()));
        let mut mallory = enter(&hub, "mallory");
        for message in texts.into_iter().map(Message::text).chain(packets.into_iter().map(Message::binary)) {
            if mallory.send(message).is_err() {
                mallory = enter(&hub, "mallory");
            }
        }
        let header = |opcode| FrameHeader { is_final: false, opcode: OpCode::Data(opcode), ..FrameHeader::default() };
        let frames = [
            raw(0x83, true, 3, b"abc"),
            raw(0x81, false, 3, b"abc"),
            raw(0xf1, true, 3, b"abc"),
            raw(0x80, true, 3, b"abc"),
            raw(0x81, true, 2, &[0xc0, 0x80]),
            raw(0x82, true, u64::MAX, b""),
            raw(0x82, true, 1 << 40, b"x"),
            raw(0x89, true, 200, &[7; 200]),
            [raw(0x01, true, 1, b"x"), raw(0x01, true, 1, b"x")].concat(),
            vec![0x81; 20_000],
        ];
        for bytes in &frames {
            let mut socket = enter(&hub, "eve");
            // The hub may hang up in the middle of it.
            let _ = socket.get_mut().write_all(bytes);
            let _ = socket.get_mut().shutdown(Shutdown::Write);
            while socket.read().is_ok() {}
        }
        // A message that never ends.
        let mut endless = enter(&hub, "endless");
        for opcode in [Data::Text, Data::Continue] {
            let piece = Frame::from_payload(header(opcode), vec![b'x'; 4096].into());
            endless.send(Message::Frame(piece)).unwrap();
        }
        assert_eq!(talk(&mut ann, &mut bob, &picture, 5), 0, "nothing was said by them");
        leaves(&ann, listener);
    });
}

/// Whatever is shown somewhere.
const MARKUP: &str = "<img src=x onerror=\"document.title='pwned'\"><script>alert(1)</script>'&amp;\u{202e}";

#[test]
fn markup_in_names_titles_and_chat_stays_text_and_no_picture_that_the_hub_draws_has_any() {
    limited(|| {
        let hub = hub();
        let title = &MARKUP[..MARKUP.len() - '\u{202e}'.len_utf8()];
        let opened =
            post(hub.address(), "/rooms", json!({ "title": title, "host_name": MARKUP }).to_string().as_bytes());
        assert_eq!(opened.status, 200, "{}", opened.text());
        let id = opened.json()["room_id"].as_str().unwrap().to_owned();
        let name = MARKUP.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let mut member = open(hub.address(), &format!("/ws/{id}/{name}"));
        wait(&mut member, "user_list");
        say(&mut member, &json!({ "type": "chat", "text": MARKUP, "color": MARKUP }));
        wait(&mut member, "chat");
        for path in ["/rooms", &format!("/rooms/{id}"), &format!("/rooms/{id}/messages"), "/api/streams", "/"] {
            let answer = get(hub.address(), path);
            let kind = answer.field("content-type").unwrap().to_owned();
            assert!(kind == "application/json" || path == "/" && !answer.text().contains("onerror"), "{path}: {kind}");
            assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{path}");
        }
        let room = get(hub.address(), &format!("/rooms/{id}")).json();
        assert_eq!((&room["title"], &room["host_name"]), (&title.into(), &MARKUP.into()), "as it was given");
        let avatars = room["participants"].as_array().unwrap().iter().map(|one| &one["avatar"]);
        let mut drawn: Vec<String> = avatars
            .chain([&room["host_avatar"]])
            .map(|url| url.as_str().unwrap().strip_prefix("data:image/svg+xml;base64,").unwrap())
            .map(|data| String::from_utf8(BASE64.decode(data.as_bytes()).unwrap()).unwrap())
            .collect();
        drawn.push(get(hub.address(), &format!("/rooms/{id}/thumbnail")).text());
        drawn.push(get(hub.address(), &format!("/rooms/{name}/thumbnail")).text());
        assert_eq!(drawn.len(), 4);
        for svg in drawn {
            assert!(svg.starts_with("<svg ") && svg.matches('<').count() == 5 && !svg.contains("onerror"), "{svg}");
        }
        // What is refused is said in plain text or JSON, too.
        for path in [format!("/rooms/{name}"), format!("/rooms/{name}/messages"), format!("/{name}")] {
            let refused = get(hub.address(), &path);
            assert!(refused.status >= 400 && !refused.field("content-type").unwrap().contains("html"), "{path}");
        }
    });
}
