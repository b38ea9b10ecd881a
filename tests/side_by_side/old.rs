//! What the programs of `b311c80` take: the rules of `src/wire/packet.rs`, `src/wire/control.rs`, `src/adapt` and
//! `web/packet.js` of that commit, written down once more. A message that breaks one would have ended the connection.

use serde_json::Value;

use super::talk::{HEADER, Message, u32_at};

/// What a member of a message may be.
enum Is {
    Text,
    Bool,
    Float,
    /// A whole number up to this.
    Number(u64),
    One(&'static [&'static str]),
    List(Box<Is>),
    Object(Vec<Member>),
}

/// A name, what it is, and whether it must be there.
type Member = (&'static str, Is, Must);

#[derive(PartialEq)]
enum Must {
    Be,
    /// It has a default.
    NotBe,
    /// It has a default, and `null` stands for that, too.
    NotBeOrNull,
}

use Is::{Bool, Float, List, Number, Object, One, Text};
use Must::{Be, NotBe, NotBeOrNull};

const U8: u64 = u8::MAX as u64;
const U32: u64 = u32::MAX as u64;
const U64: u64 = u64::MAX;

fn request() -> [Member; 2] {
    [("quality", Number(U8), NotBeOrNull), ("max_rate", Number(U64), NotBeOrNull)]
}

fn load() -> Is {
    let stage = || Object(vec![("needs", Float, Be), ("has", Float, Be)]);
    let stages = ["camera", "encoder", "uplink", "hub", "downlink", "decoder"];
    Object(stages.into_iter().map(|name| (name, stage(), NotBe)).collect())
}

/// The members of a message that they know; `None`: they ignore it.
fn members(kind: &str) -> Option<Vec<Member>> {
    let mut members = match kind {
        "hello" => vec![
            ("role", One(&["publish", "view"]), Be),
            ("room", Text, NotBe),
            ("name", Text, NotBe),
            ("program", Text, NotBe),
            ("replace", Bool, NotBe),
            ("instance", Number(U64), NotBe),
            ("can", List(Box::new(Text)), NotBe),
        ],
        "welcome" => {
            vec![("room", Text, Be), ("name", Text, Be), ("program", Text, NotBe), ("max_picture", Number(U64), NotBe)]
        }
        "subscribe" => vec![("room", Text, NotBe), ("name", Text, NotBe)],
        "list" => vec![],
        "streams" => {
            let info = [("room", Text, Be), ("name", Text, Be), ("live", Bool, Be), ("viewers", Number(U32), Be)];
            vec![("streams", List(Box::new(Object(info.into()))), Be)]
        }
        "ack" => vec![("sequence", Number(U32), Be), ("backlog", Number(U32), NotBe)],
        "demand" => {
            let rung = [("bytes", Number(U32), NotBe), ("quality", Number(U8), NotBe)];
            vec![("viewers", Number(U32), Be), ("rungs", List(Box::new(Object(rung.into()))), Be)]
        }
        "link" => vec![("bytes", Number(U32), NotBeOrNull), ("busy", Number(U8), NotBeOrNull)],
        "ping" => vec![("time", Number(U64), Be)],
        "pong" => vec![("time", Number(U64), Be), ("now", Number(U64), Be)],
        "state" => {
            let asked = vec![
                ("size", Text, Be),
                ("quality", Number(U8), Be),
                ("fps", Float, Be),
                ("bytes", Number(U32), NotBe),
            ];
            vec![
                ("room", Text, NotBe),
                ("name", Text, NotBe),
                ("live", Bool, Be),
                ("reason", Text, NotBe),
                ("since_ms", Number(U64), NotBe),
                ("published", Bool, NotBe),
                ("asked", Object(asked), NotBeOrNull),
                ("load", load(), NotBe),
            ]
        }
        "bye" => vec![("cause", Text, Be), ("reason", Text, NotBe)],
        _ => return None,
    };
    if ["hello", "subscribe"].contains(&kind) {
        members.extend(request());
    }
    Some(members)
}

fn check(value: &Value, is: &Is, path: &str) {
    match is {
        Text => assert!(value.is_string(), "{path} is no text: {value}"),
        Bool => assert!(value.is_boolean(), "{path} is no truth value: {value}"),
        Float => assert!(value.is_number(), "{path} is no number: {value}"),
        Number(most) => assert!(value.as_u64().is_some_and(|n| n <= *most), "{path} is no number to {most}: {value}"),
        One(of) => assert!(value.as_str().is_some_and(|text| of.contains(&text)), "{path} is none of {of:?}: {value}"),
        List(item) => {
            let Some(items) = value.as_array() else { panic!("{path} is no list: {value}") };
            items.iter().for_each(|value| check(value, item, path));
        }
        Object(members) => {
            assert!(value.is_object(), "{path} is no object: {value}");
            for (name, is, must) in members {
                match value.get(name) {
                    None => assert!(*must != Be, "{path} lacks {name}: {value}"),
                    Some(Value::Null) if *must == NotBeOrNull => {}
                    Some(value) => check(value, is, &format!("{path}.{name}")),
                }
            }
        }
    }
}

/// Fails unless the programs of then would have read this.
pub fn would_read(message: &Message) {
    let Message::Packet(packet) = message else { return };
    assert!(packet.len() >= HEADER, "shorter than a header: {packet:?}");
    assert_eq!(&packet[..3], b"SF\x01", "magic and version");
    let metadata = u32_at(packet, 28) as usize;
    match packet[3] {
        1 => {
            assert_eq!(packet[4], 1, "the codec of a picture");
            assert!(metadata <= 64 << 10, "metadata of {metadata} bytes");
            assert!(std::str::from_utf8(&packet[HEADER..HEADER + metadata]).is_ok(), "metadata is UTF-8");
            assert!(message.jpeg().starts_with(b"\xff\xd8"), "the payload is a JPEG");
            assert!(packet[6] <= 100, "a quality of {}", packet[6]);
        }
        2 => {
            assert_eq!(packet[4..HEADER], [0; HEADER - 4], "a control packet's header has nothing in it");
            assert!(packet.len() <= HEADER + (64 << 10), "a control packet of {} bytes", packet.len());
            let (json, kind) = (message.json(), message.kind());
            if let Some(members) = members(&kind) {
                check(&json, &Object(members), &kind);
            }
        }
        kind => panic!("a packet of kind {kind}"),
    }
}

#[test]
fn what_was_recorded_was_right_by_the_rules_of_then() {
    for name in super::CONVERSATIONS {
        super::talk::talk(name).iter().for_each(|entry| would_read(&entry.message));
    }
}

#[test]
fn the_rules_of_then_can_be_broken() {
    let packet = |json: &str| Message::Packet([&b"SF\x01\x02"[..], &[0; 28], json.as_bytes()].concat());
    would_read(&packet(r#"{"type":"hologram"}"#));
    would_read(&packet(r#"{"type":"ping","time":1,"more":[]}"#));
    for json in [
        r#"{"type":"ping"}"#,
        r#"{"type":"demand","viewers":1,"rungs":[{"quality":300}]}"#,
        r#"{"type":"demand","viewers":1,"rungs":[null]}"#,
        r#"{"type":"state","live":true,"asked":{"size":"1x1","quality":1}}"#,
        r#"{"type":"state","live":true,"load":{"camera":{"needs":1}}}"#,
        r#"{"type":"hello","role":"hear"}"#,
    ] {
        assert!(std::panic::catch_unwind(|| would_read(&packet(json))).is_err(), "{json}");
    }
}
