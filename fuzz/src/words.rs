//! Names, links, files and what people say.

use streamflow::internal::names;
use streamflow::internal::names::check_name;
use streamflow::internal::net::join_link::JoinLink;
use streamflow::internal::wire::pictures::boundary_of;
use streamflow::internal::wire::{encoding, jpeg as surgery};

/// Names, paths and words of others: whatever is made of them is a name of ours, or can be shown.
pub fn names(data: &[u8]) {
    use streamflow::internal::text::{Untrusted, acts};
    let text = String::from_utf8_lossy(data);
    let shown = Untrusted(&text).to_string();
    assert!(!shown.contains(acts) && shown.chars().count() <= 200, "{shown}");
    assert_eq!(Untrusted(&shown).to_string(), shown);
    assert!(format!("{:.7}", Untrusted(&text)).chars().count() <= 7);
    let name = names::fitting(&text);
    assert_eq!(check_name(&name), Ok(()), "{name}");
    assert_eq!(names::fitting(&name), name);
    for part in encoding::segments(&text).unwrap_or_default() {
        assert!(encoding::decode(&part).is_none_or(|again| again.len() <= part.len()));
        assert_eq!(check_name(&names::fitting(&part)), Ok(()));
    }
    for most in [usize::from(*data.first().unwrap_or(&0)).max(9), 255] {
        let stem = names::file_stem(&text, most);
        assert!(stem.len() <= most && !stem.contains(['/', '\\', '\0']) && !stem.contains(acts), "{stem}");
    }
    let _ = encoding::decode_base64(&text);
    let _ = boundary_of(&text);
}

/// Links to a hub: what is read can be printed and read again, with the same key and the same secrets.
pub fn links(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(link) = text.parse::<JoinLink>() {
        let printed = link.to_string();
        let again: JoinLink = printed.parse().unwrap_or_else(|error| panic!("{printed}: {error}"));
        assert_eq!((&again.hub.host, again.hub.pin), (&link.hub.host, link.hub.pin), "{printed}");
        assert_eq!((&again.room, &again.name), (&link.room, &link.name), "{printed}");
        assert_eq!((&again.token, &again.key), (&link.token, &link.key), "{printed}");
        assert_eq!(again.to_string(), printed);
    }
}

/// Access files: read, or wrong at a line that they have, in words without a value of theirs that may be a secret.
pub fn access(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(why) = streamflow::internal::access::check_file(&text) {
        let line = why.strip_prefix("line ").and_then(|rest| rest.split(':').next()).and_then(|line| line.parse().ok());
        assert!(line.is_some_and(|line: usize| (1..=text.lines().count() + 1).contains(&line)), "{why}");
        assert!(why.chars().count() < 400 && !why.contains(char::is_control), "{why}");
    }
}

/// Tokens: the first line of the input is the claims, which are signed and read; the rest is shown as it is, and is none.
pub fn tokens(data: &[u8]) {
    const KEYS: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let is_link = streamflow::internal::access::is_link;
    let text = String::from_utf8_lossy(data);
    let (claims, shown) = text.split_once('\n').unwrap_or((&text, ""));
    assert!(!is_link(KEYS, shown), "nobody has signed it");
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let signed = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(claims.as_bytes()));
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[1; 32]), signed.as_bytes());
    let token = format!("{signed}.{}", encode(tag.as_ref()));
    let other = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
    assert!(!is_link(other, &token), "another key has signed it");
    // Whatever it claims, it is read or it is none.
    let _ = is_link(KEYS, &token);
}

/// Messages of a room: what is read is passed on as right JSON, whatever it was; and a picture is one that can be passed
/// on.
pub fn rooms(data: &[u8]) {
    use streamflow::internal::wire::json::without_nan;
    use streamflow::internal::wire::rooms::{RoomMessage, chat, message, read, read_message, read_texts, relay};
    let is_clean =
        |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(|c| c.is_control() && c != '\n');
    // What comes over HTTP.
    if let Ok((user, said, color)) = read_message(data) {
        assert!(is_clean(&user, 200) && is_clean(&said, 2000) && is_clean(&color, 32) && !said.trim().is_empty());
        assert_eq!(message(&user, 7, &said, &color, std::time::Duration::ZERO)["text"], said);
    }
    if let Ok(texts) = read_texts(data, ["title", "host_name"]) {
        assert!(texts.iter().all(|text| is_clean(text, 200)));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The same with 20 kB in its first empty string: that can be nothing but a picture, and is read another way.
    if let Some(at) = text.find("\"\"") {
        let large = [&text[..=at], &"A".repeat(20_000), &text[at + 1..]].concat();
        match read(&large) {
            Err(_) => {}
            Ok(RoomMessage::VideoFrame(data)) => {
                // Python writes numbers that JSON does not have, and they are taken.
                let json = without_nan(large.as_bytes()).unwrap_or_else(|| large.clone().into_bytes());
                let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
                assert_eq!((value["type"].as_str(), value["data"].as_str()), (Some("video_frame"), Some(&*data)));
            }
            Ok(other) => panic!("{other:?}"),
        }
    }
    let passed_on = match read(text) {
        Ok(RoomMessage::VideoFrame(data)) => {
            let mut picture = Vec::new();
            if encoding::decode_base64(&data)
                .is_some_and(|jpeg| surgery::tidy(&jpeg, &mut picture, &mut |_| true).is_ok())
            {
                assert!(surgery::inspect(&picture).is_ok_and(|layout| layout.end == picture.len()));
            }
            return;
        }
        Ok(RoomMessage::Chat { text, color }) => chat("\"who\"", 1, &text, &color, std::time::Duration::ZERO),
        Ok(RoomMessage::Relay(kind, object)) => relay(kind, "\"who\"", object),
        _ => return,
    };
    assert!(passed_on.len() < 32 * 1024);
    let value: serde_json::Value = serde_json::from_str(&passed_on).unwrap();
    assert_eq!(value["user_name"], "\"who\"");
}
