//! The JSON messages of a room in a browser: pictures, chat, who is there. `docs/bridges.md` has them all.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::json::{MAX_DEPTH, nests_within, without_nan};
use crate::time::calendar;

/// The longest name of a person, in characters.
const MAX_NAME: usize = 200;
/// The longest chat text, in characters; the rest is cut off.
const MAX_CHAT: usize = 2000;
/// The longest message that is passed on as it is, in bytes.
const MAX_RELAY: usize = 4096;
/// A text of more bytes can be nothing but a picture, and is not read as JSON with all its values.
pub const MAX_JSON: usize = 4 * MAX_RELAY;

/// What a client says.
#[derive(Debug, PartialEq)]
pub enum RoomMessage<'a> {
    /// A picture, as base64 with or without the beginning of a `data:` URL.
    VideoFrame(Cow<'a, str>),
    /// Something said, with its colour.
    Chat {
        /// One line or more.
        text: String,
        /// As the client chose it; empty if it did not.
        color: String,
    },
    /// Something to be passed on under this type, with who said it.
    Relay(&'static str, Map<String, Value>),
    /// How pictures are to come from now on.
    Hello {
        /// As binary packets, or as base64.
        binary: bool,
        /// Or not at all: whoever watches over connections of the native protocol needs none here.
        pictures: bool,
    },
    /// To be answered with `pong`.
    Ping,
    /// Nothing that is to be done anything about, as a `pong` or a message of another version.
    Other,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

/// The `data` of a picture that is longer than any other message. What is around it is read as JSON, and it is short; megabytes
/// of something else are not even looked through, which would take a tenth of a second.
fn large_picture(text: &str) -> Option<Cow<'_, str>> {
    let front = (0..=MAX_JSON.min(text.len())).rev().find_map(|n| text.get(..n))?;
    front.match_indices(r#""data""#).find_map(|(at, name)| {
        let at = at + name.len();
        let value = text.get(at..)?.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        let begin = text.len() - value.len();
        // No quote is in base64, escaped or not.
        let end = begin + value.find('"')?;
        if begin + text.len() - end > MAX_JSON {
            return None;
        }
        let rest = [&text[..begin], &text[end..]].concat();
        let clean = without_nan(rest.as_bytes());
        let Head { kind, data } = serde_json::from_slice(clean.as_deref().unwrap_or(rest.as_bytes())).ok()?;
        let data = data.filter(|data| data.is_empty() && kind == "video_frame").map(|_| &text[begin..end])?;
        // Some write a slash as two characters.
        if data.contains('\\') { serde_json::from_str(&text[begin - 1..=end]).ok() } else { Some(data.into()) }
    })
}

/// Reads a message.
///
/// # Errors
/// It is no JSON object with a `type`, or too long; in words.
pub fn read(text: &str) -> Result<RoomMessage<'_>, String> {
    if text.len() > MAX_JSON {
        return large_picture(text).map(RoomMessage::VideoFrame).ok_or_else(|| "a message is too long".into());
    }
    // Only a picture's `data` must be text; what others call so may be anything.
    let picture: Result<Head<'_>, _> = serde_json::from_str(text);
    if let Ok(Head { kind, data: Some(data) }) = picture
        && kind == "video_frame"
    {
        return Ok(RoomMessage::VideoFrame(data));
    }
    if !nests_within(text, MAX_DEPTH) {
        return Err(format!("a message nests {MAX_DEPTH} deep at most"));
    }
    let read = serde_json::from_str(text);
    let mut object: Map<String, Value> = read
        .or_else(|error| without_nan(text.as_bytes()).map_or(Err(error), |text| serde_json::from_slice(&text)))
        .map_err(|e| format!("a message is one JSON object: {e}"))?;
    let kind = object.remove("type");
    Ok(match kind.as_ref().and_then(Value::as_str) {
        None => return Err("a message has a type".into()),
        Some("video_frame") => match object.remove("data") {
            Some(Value::String(data)) => RoomMessage::VideoFrame(data.into()),
            _ => return Err("a video_frame has its picture in data".into()),
        },
        Some("chat") => match word(&object, "text", MAX_CHAT) {
            // Nobody sees it, and it would stay in the room's history.
            text if text.trim().is_empty() => return Err("a chat has text".into()),
            text => RoomMessage::Chat { text, color: word(&object, "color", 32) },
        },
        Some("media_toggle") if text.len() <= MAX_RELAY => RoomMessage::Relay("media_state", object),
        Some("audio_activity") if text.len() <= MAX_RELAY => RoomMessage::Relay("audio_activity", object),
        Some("hello") => {
            let is = |name: &str, value: bool| object.get(name) == Some(&Value::Bool(value));
            RoomMessage::Hello { binary: is("binary", true), pictures: !is("pictures", false) }
        }
        Some("ping") => RoomMessage::Ping,
        Some(_) => RoomMessage::Other,
    })
}

/// Something said, for everybody in the room.
#[must_use]
pub fn chat(user: &str, id: u64, text: &str, color: &str, since_1970: Duration) -> String {
    let mut said = message(user, id, text, color, since_1970);
    said["type"] = "chat".into();
    said.to_string()
}

/// Something that was said, as `GET /rooms/{room_id}/messages` lists it.
#[must_use]
pub fn message(user: &str, id: u64, text: &str, color: &str, since_1970: Duration) -> Value {
    json!({ "user_name": user, "id": id, "text": text, "color": color, "created_at": iso_time(since_1970) })
}

/// Something said over HTTP.
///
/// # Errors
/// It is no such message; in words.
pub fn read_message(body: &[u8]) -> Result<(String, String, String), String> {
    let object = read_object(body)?;
    let [user, text, color] =
        [("user_name", MAX_NAME), ("text", MAX_CHAT), ("color", 32)].map(|(n, most)| word(&object, n, most));
    if user.trim().is_empty() || text.trim().is_empty() {
        return Err("a message has user_name and text".into());
    }
    Ok((user, text, color))
}

/// Texts of a JSON object that came over HTTP: the values of these names, empty where they are missing.
///
/// # Errors
/// It is no JSON object; in words.
pub fn read_texts<const N: usize>(body: &[u8], names: [&str; N]) -> Result<[String; N], String> {
    let object = read_object(body)?;
    Ok(names.map(|name| word(&object, name, MAX_NAME)))
}

fn read_object(body: &[u8]) -> Result<Map<String, Value>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8")?;
    if !nests_within(text, MAX_DEPTH) {
        return Err(format!("the body nests {MAX_DEPTH} deep at most"));
    }
    serde_json::from_str(text).map_err(|e| format!("the body is one JSON object: {e}"))
}

/// A text of an object, of so many characters at most, without control characters.
fn word(object: &Map<String, Value>, name: &str, most: usize) -> String {
    let text = match object.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(most).collect()
}

/// What is passed on, with who said it.
#[must_use]
pub fn relay(kind: &str, user: &str, mut object: Map<String, Value>) -> String {
    object.insert("type".into(), kind.into());
    object.insert("user_name".into(), user.into());
    Value::Object(object).to_string()
}

/// Who is there, for who has just come: identities and names.
#[must_use]
pub fn user_list(users: &[(u64, &str)]) -> String {
    let users: Vec<_> = users.iter().map(|(id, name)| json!({ "id": id.to_string(), "name": name })).collect();
    json!({ "type": "user_list", "users": users }).to_string()
}

/// Who is there and how: somebody came, went, or switched something.
#[must_use]
pub fn participant_list(participants: &Value) -> String {
    json!({ "type": "participant_list", "participants": participants }).to_string()
}

/// The room is closed: its host, or who runs the hub, wants so.
#[must_use]
pub fn room_closed(room: &str) -> String {
    json!({ "type": "room_closed", "room_id": room }).to_string()
}

/// `user_joined` or `user_left`, for the others.
#[must_use]
pub fn user(kind: &str, id: u64, name: &str) -> String {
    json!({ "type": kind, "id": id.to_string(), "name": name, "user_name": name }).to_string()
}

/// A point in time as ISO 8601 in UTC, to the millisecond.
fn iso_time(since_1970: Duration) -> String {
    format!("{:.3}", calendar(since_1970))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_picture_is_read_wherever_its_data_stand_and_nothing_else_is_that_large() {
        let data = "A".repeat(100_000);
        for (before, after) in [
            (r#"{"type":"video_frame","data":""#, r#""}"#),
            (r#"{ "data" : ""#, r#"","timestamp":1,"type":"video_frame"}"#),
            (r#"{"user":"\"data\":","x":{"data":"y"},"type":"video_frame","data":""#, r#"","z":[1]}"#),
        ] {
            let text = format!("{before}{data}{after}");
            assert_eq!(read(&text), Ok(RoomMessage::VideoFrame(data.as_str().into())), "{before}");
        }
        let slashes = format!(r#"{{"type":"video_frame","data":"{}"}}"#, r"AAA\/".repeat(20_000));
        assert_eq!(read(&slashes), Ok(RoomMessage::VideoFrame("AAA/".repeat(20_000).into())));
        for (before, after) in [
            (r#"{"type":"chat","data":""#, r#""}"#),
            (r#"{"type":"video_frame","x":{"data":""#, r#""}}"#),
            (r#"{"type":"video_frame","text":""#, r#""}"#),
            (r#"{"type":"video_frame","text":"\"data\":\""#, r#""}"#),
            (r#"{"type":"video_frame","data":"AA","x":""#, r#""}"#),
            (r#"{"type":"video_frame","data":""#, r#"\"}"#),
            (r#"{"type":"video_frame","data":""#, r#"","x":}"#),
            (r#"{"type":"video_frame","data":""#, ""),
        ] {
            assert!(read(&format!("{before}{data}{after}")).is_err(), "{before}");
        }
        let array = format!(r#"{{"type":"video_frame","x":[{}1],"data":"AA"}}"#, "1,".repeat(50_000));
        assert_eq!(read(&array), Err("a message is too long".into()));
        assert!(read(&format!(r#"{{"type":"video_frame",{}"data":"{data}"}}"#, r#""é":1,"#.repeat(5000))).is_err());
    }

    #[test]
    fn messages_are_read_and_nonsense_is_refused() {
        assert_eq!(
            read(r#"{"type":"video_frame","data":"data:image/jpeg;base64,AA","timestamp":1}"#),
            Ok(RoomMessage::VideoFrame("data:image/jpeg;base64,AA".into()))
        );
        let chat = RoomMessage::Chat { text: "hé\n".into(), color: "#fff".into() };
        assert_eq!(read("{\"type\":\"chat\",\"text\":\"hé\\n\\u0007\",\"color\":\"#fff\"}"), Ok(chat));
        let Ok(RoomMessage::Relay("media_state", object)) = read(r#"{"type":"media_toggle","data":1,"audio":false}"#)
        else {
            panic!("not read")
        };
        assert_eq!(relay("media_state", "ann", object), {
            r#"{"audio":false,"data":1,"type":"media_state","user_name":"ann"}"#
        });
        assert_eq!(read(r#"{"type":"hello","binary":true}"#), Ok(RoomMessage::Hello { binary: true, pictures: true }));
        assert_eq!(
            read(r#"{"type":"hello","pictures":false}"#),
            Ok(RoomMessage::Hello { binary: false, pictures: false })
        );
        assert_eq!(read(r#"{"type":"pong"}"#), Ok(RoomMessage::Other));
        let nan = r#"{"type":"audio_activity","level":NaN}"#;
        assert!(matches!(read(nan), Ok(RoomMessage::Relay("audio_activity", object)) if object["level"].is_null()));
        for data in ["AA".into(), "A".repeat(100_000)] {
            let picture = format!(r#"{{"type":"video_frame","data":"{data}","timestamp":NaN}}"#);
            assert_eq!(read(&picture), Ok(RoomMessage::VideoFrame(data.into())));
        }
        let number = RoomMessage::Chat { text: "5".into(), color: String::new() };
        assert_eq!(read(r#"{"type":"chat","text":5}"#), Ok(number));
        let blank = [r#"{"type":"chat"}"#, r#"{"type":"chat","text":" \n"}"#, r#"{"type":"chat","text":{"a":[1]}}"#];
        for bad in ["", "[]", "{}", "1", r#"{"type":"video_frame"}"#, r#"{"type":7}"#].into_iter().chain(blank) {
            assert!(read(bad).is_err(), "{bad}");
        }
        let deep = format!(r#"{{"type":"media_toggle","a":{}{}}}"#, "[".repeat(32), "]".repeat(32));
        assert!(read(&deep).unwrap_err().contains("deep"), "the others would have to read it");
        let long = format!(r#"{{"type":"chat","text":"{}"}}"#, "x".repeat(5000));
        assert!(matches!(read(&long), Ok(RoomMessage::Chat { text, .. }) if text.len() == MAX_CHAT));
        assert!(read(&format!(r#"{{"type":"chat","text":"{}"}}"#, "x".repeat(50_000))).is_err());
    }

    #[test]
    fn times_are_as_browsers_read_them() {
        assert_eq!(iso_time(Duration::from_millis(951_782_400_007)), "2000-02-29T00:00:00.007Z");
    }
}
