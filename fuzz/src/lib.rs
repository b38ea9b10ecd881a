//! What each fuzz target does with its bytes. `tests/wire.rs` runs the same on seeded bytes with every
//! `cargo test`, so that a machine without a fuzzer covers them too.
//!
//! Nothing here may panic, hang, or allocate more than a small multiple of what came in; and where the answer must not
//! depend on how the bytes were split, it is compared.

use streamflow::internal::frame::{Codec, Picture};
use streamflow::internal::names;
use streamflow::internal::names::StreamKey;
use streamflow::internal::names::check_name;
use streamflow::internal::net::join_link::JoinLink;
use streamflow::internal::time::{Micros, PeerMicros};
use streamflow::internal::wire::body::{Length, PictureBody, WholeBody, length_of};
use streamflow::internal::wire::camera_controls::{self, Problem, SetControls, SetValue};
use streamflow::internal::wire::chunked::Chunked;
use streamflow::internal::wire::control::{Control, MAX_CONTROL_TO_HUB};
use streamflow::internal::wire::framing::Deframer;
use streamflow::internal::wire::jpeg::{CountLimit, Orientation};
use streamflow::internal::wire::pictures::{Pictures, boundary_of};
use streamflow::internal::wire::seal::{Keys, Opener, SealKey};
use streamflow::internal::wire::websocket::{End, Message, Reader};
use streamflow::internal::wire::{WireError, encoding, jpeg as surgery};

const MAX_PICTURE: usize = 1 << 16;

/// Cuts bytes into pieces whose lengths the first byte decides.
fn pieces(data: &[u8]) -> (usize, &[u8]) {
    match data.split_first() {
        Some((first, rest)) => (usize::from(*first % 61) + 1, rest),
        None => (1, data),
    }
}

fn deframe(data: &[u8], step: usize) -> (Vec<String>, Option<WireError>) {
    let mut deframer = Deframer::new(MAX_PICTURE);
    let mut packets = Vec::new();
    for mut piece in data.chunks(step) {
        while !piece.is_empty() {
            match deframer.decode(piece) {
                Ok((used, packet)) => {
                    packets.extend(packet.map(|p| format!("{p:?}")));
                    piece = &piece[used..];
                }
                Err(error) => return (packets, Some(error)),
            }
        }
    }
    (packets, None)
}

/// Packets on plain TCP.
pub fn packets(data: &[u8]) {
    let (step, data) = pieces(data);
    let (whole, error) = deframe(data, data.len().max(1));
    let (split, split_error) = deframe(data, step);
    // An error of content may be found earlier or later within its packet, but never in another packet.
    assert_eq!(whole, split);
    assert_eq!(error.is_some(), split_error.is_some(), "{error:?} {split_error:?}");
}

fn read_messages(data: &[u8], step: usize, end: End) -> (Vec<String>, bool) {
    let mut reader = Reader::new(end, MAX_PICTURE, 4096);
    let mut messages = Vec::new();
    let mut bytes = data.to_vec();
    for piece in bytes.chunks_mut(step) {
        let mut at = 0;
        while at < piece.len() {
            match reader.decode(&mut piece[at..]) {
                Ok((used, message)) => {
                    assert!(used > 0 || message.is_some(), "no progress");
                    let over = matches!(message, Some(Message::Close(_)));
                    messages.extend(message.map(|m| format!("{m:?}")));
                    if over {
                        return (messages, false);
                    }
                    at += used;
                }
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

/// WebSocket frames, from either end.
pub fn websocket(data: &[u8]) {
    let (step, data) = pieces(data);
    for end in [End::Server, End::Client] {
        let whole = read_messages(data, data.len().max(1), end);
        assert_eq!(whole, read_messages(data, step, end));
    }
}

/// Control packets: whatever is read can be written and read again.
pub fn control(data: &[u8]) {
    if let Ok(control) = Control::from_json(data)
        && control != Control::Unknown
    {
        assert_eq!(Control::from_json(&control.to_json()), Ok(control));
    }
}

/// Controls of cameras: what is written to set them, and lists that a publisher or a hub tells.
pub fn camera_controls(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for set in [SetControls::from_json(data), SetControls::from_form(&text)].into_iter().flatten() {
        assert!(!set.only_reads() && set.check().is_ok());
    }
    let _ = text.parse::<SetValue>();
    let Ok(Control::Controls(list)) = Control::from_json(data) else { return };
    let shown = camera_controls::to_be_shown(list.controls);
    assert!(shown.len() <= camera_controls::MOST);
    assert_eq!(camera_controls::to_be_shown(shown.clone()), shown);
    for control in &shown {
        assert!(camera_controls::find(&shown, &control.name).is_ok());
        for text in ["0", "-1", "9223372036854775807", "-9223372036854775808", "on", ""] {
            let _ = camera_controls::number_of(control, Some(text));
        }
    }
    let _ = camera_controls::find(&shown, text.get(..20).unwrap_or("exposure"));
    for part in camera_controls::in_parts(1, shown, list.problem.map(Problem::to_be_shown)) {
        assert!(part.to_json().len() <= MAX_CONTROL_TO_HUB);
    }
}

/// JPEG surgery: inspecting, cutting to the true end, putting tables in, joining, and finding pictures in a stream.
pub fn jpeg(data: &[u8]) {
    let header = surgery::header(data);
    assert_eq!(surgery::size(data), header.map(|header| header.size));
    for number in header.iter().flat_map(|header| [header.orientation.number(), 1, 6]) {
        assert!((1..=8).contains(&number));
        let mut turned = data.to_vec();
        surgery::put_orientation(Orientation::new(number.into()), &mut turned, 0);
        // With one segment more there may be too many.
        if let Some(again) = surgery::header(&turned).filter(|_| number > 1) {
            assert_eq!((again.orientation.number(), Some(again.size)), (number, surgery::size(data)));
        }
    }
    if let Some(profile) = surgery::icc_profile(data) {
        assert!(profile.bytes.len() <= data.len().min(1 << 20));
    }
    if let Ok(layout) = surgery::inspect(data) {
        assert!(layout.end <= data.len() && layout.scan <= layout.end);
        let mut tidy = Vec::new();
        if surgery::tidy(data, &mut tidy, &mut |_| true).is_ok() {
            assert!(tidy.len() <= layout.end + 1024, "tables are 420 bytes");
            let again = surgery::inspect(&tidy);
            assert_eq!(again.map(|l| (l.end, l.has_tables, l.header)), Ok((tidy.len(), true, layout.header)));
        }
    }
    let mut joined = Vec::new();
    let _ = surgery::join(&[data, data], 64, &mut joined);
    let (step, data) = pieces(data);
    let mut pictures = Pictures::default();
    for piece in data.chunks(step) {
        pictures.feed(piece, Micros(1));
        while let Some(picture) = pictures.next_picture(&mut |_| true) {
            assert!(picture.data.starts_with(&[0xff, 0xd8]) && picture.data.ends_with(&[0xff, 0xd9]));
        }
    }
    if let Some(plain) = surgery::plain(data) {
        assert!(plain.len() <= data.len() + 2);
    }
}

/// Other cameras' multipart streams.
pub fn multipart(data: &[u8]) {
    let (step, data) = pieces(data);
    let _ = boundary_of(&String::from_utf8_lossy(data));
    let take = |step: usize| {
        let (mut pictures, mut bytes, mut count) = (Pictures::new("frame", MAX_PICTURE), 0, 0);
        for piece in data.chunks(step) {
            pictures.feed(piece, Micros(1));
            while let Some(picture) = pictures.next_picture(&mut |_| true) {
                (bytes, count) = (bytes + picture.data.len(), count + 1);
            }
        }
        let last = pictures.last_picture(&mut |_| true).map_or(0, |picture| picture.data.len());
        assert!(bytes + last <= data.len() + 2 * (count + 1), "{bytes} bytes of pictures out of {}", data.len());
        (count, last > 0)
    };
    take(data.len().max(1));
    take(step);
}

/// HTTP chunks.
pub fn chunked(data: &[u8]) {
    let (step, data) = pieces(data);
    let decode = |step: usize| {
        let (mut chunks, mut out) = (Chunked::default(), Vec::new());
        for piece in data.chunks(step) {
            if chunks.decode(piece, &mut out).is_err() {
                return (out, true);
            }
        }
        (out, false)
    };
    let (whole, split) = (decode(data.len().max(1)), decode(step));
    assert_eq!(whole, split);
    assert!(whole.0.len() <= data.len());
}

/// Heads of HTTP requests: nothing is read that was not there, and half a head is not taken for a whole one. Whatever a
/// path names is a name of ours in the end.
pub fn http(data: &[u8]) {
    use streamflow::internal::net::http::{looks_like_http, parse_head, upgrade};
    let _ = looks_like_http(data);
    if let Ok(Some((request, length))) = parse_head(data) {
        assert!(length <= data.len());
        let _ = request.field_has("connection", "upgrade");
        let _ = upgrade(&request);
        let _ = length_of(&request.fields);
        for part in encoding::segments(&request.path).unwrap_or_default() {
            assert_eq!(check_name(&names::fitting(&part)), Ok(()), "{part}");
        }
        assert!(!matches!(parse_head(&data[..length - 1]), Ok(Some((_, n))) if n > length - 1));
    }
}

/// A request that publishes, head and body: one JPEG, or a multipart body, with a length or in chunks. What is published
/// is a picture that can be passed on, and the same at every split.
pub fn publish(data: &[u8]) {
    let (step, data) = pieces(data);
    let Ok(Some((request, head))) = streamflow::internal::net::http::parse_head(data) else { return };
    let Ok(Some(length)) = length_of(&request.fields) else { return };
    let raw = &data[head..];
    let boundary = boundary_of(request.field("content-type").unwrap_or_default());
    let boundary = boundary.or((length.begins_multipart(raw) == Some(true)).then(String::new));
    let Some(boundary) = boundary else {
        let whole = take_whole(&length, raw, raw.len().max(1));
        assert_eq!(whole, take_whole(&length, raw, step));
        if let (Ok(body), mut out) = (whole, Vec::new())
            && surgery::tidy(&body, &mut out, &mut |_| true).is_ok()
        {
            assert!(surgery::inspect(&out).is_ok_and(|layout| layout.end == out.len()));
        }
        return;
    };
    let counting = std::sync::Arc::new(CountLimit::new(u32::MAX));
    let push = |step: usize| {
        let (mut body, mut pictures) =
            (PictureBody::new(length.clone(), &boundary, MAX_PICTURE, counting.clone()), Vec::new());
        for piece in raw.chunks(step) {
            let mut take = |picture: Vec<u8>, _: Micros| {
                assert!(surgery::inspect(&picture).is_ok_and(|layout| layout.end == picture.len()));
                pictures.push(picture);
                Ok::<_, WireError>(())
            };
            match body.feed(piece, Micros(1), &mut take) {
                Ok(false) => {}
                Ok(true) => break,
                Err(_) => return (pictures, body.counts(), true),
            }
        }
        (pictures, body.counts(), false)
    };
    let (whole, split) = (push(raw.len().max(1)), push(step));
    assert!(whole.0.iter().map(Vec::len).sum::<usize>() <= raw.len() + 1024 * whole.0.len(), "tables are 420 bytes");
    // A length that a part says is obeyed when it is read if it is too long, and bounds a picture without an end if nothing else
    // did before: both depend on what is here by then.
    let says_lengths = raw.to_ascii_lowercase().windows(15).any(|w| w == b"content-length:");
    if !says_lengths && !whole.2 && !split.2 {
        assert_eq!(whole, split);
    }
}

fn take_whole(length: &Length, raw: &[u8], step: usize) -> Result<Vec<u8>, u16> {
    let mut body = WholeBody::new(length.clone(), MAX_PICTURE).map_err(|(status, _)| status)?;
    for piece in raw.chunks(step) {
        if let Some(used) = body.feed(piece).map_err(|(status, _)| status)? {
            assert!(used <= piece.len());
            return Ok(body.into_bytes());
        }
    }
    Err(0)
}

/// What a detection worker posts, and what its viewers say: what is read is a picture with metadata that stay JSON inside
/// a message.
pub fn detection(data: &[u8]) {
    use streamflow::internal::wire::detection::{answer, camera, read};
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = answer(text);
        let _ = camera(Some(text.into())).map(|camera| assert!(names::fitting(&camera).len() <= 256));
    }
    let Ok(got) = read(data, &mut |_| true) else { return };
    assert!(surgery::inspect(&got.picture).is_ok_and(|layout| layout.end == got.picture.len()));
    assert!(got.frame_size <= data.len() && got.picture.len() <= got.frame_size + 1024);
    let metadata = got.metadata.as_deref().unwrap_or("{}");
    let message = format!(r#"{{"camera_id":{},"metadata":{metadata}}}"#, serde_json::json!(got.camera));
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&message).is_ok(), "{message}");
}

/// Messages of a room: what is read is passed on as right JSON, whatever it was; and a picture is one that can be passed
/// on.
pub fn rooms(data: &[u8]) {
    use streamflow::internal::wire::rooms::{RoomMessage, chat, read, relay};
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The same with 20 kB in its first empty string: that can be nothing but a picture, and is read another way.
    if let Some(at) = text.find("\"\"") {
        let large = [&text[..=at], &"A".repeat(20_000), &text[at + 1..]].concat();
        match read(&large) {
            Err(_) => {}
            Ok(RoomMessage::VideoFrame(data)) => {
                let value: serde_json::Value = serde_json::from_str(&large).unwrap();
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

/// What a camera over HTTP answers: head and body are the same at every split, the body is no longer than what came, and
/// what its multipart body holds is pictures.
pub fn http_client(data: &[u8]) {
    use streamflow::internal::wire::answer::{Answer, AnswerReader, MAX_HEAD};
    let (step, data) = pieces(data);
    let read = |step: usize| {
        let (mut reader, mut body, mut head) = (AnswerReader::default(), Vec::new(), None);
        for piece in data.chunks(step) {
            reader.feed(piece);
            if head.is_none() {
                match reader.head() {
                    Ok(found) => head = found,
                    Err(_) => return (None, Vec::new(), true),
                }
            }
            match reader.body(&mut body) {
                Ok(false) => {}
                Ok(true) => return (head, body, false),
                Err(_) => return (head, Vec::new(), true),
            }
        }
        (head, body, false)
    };
    let (whole, split) = (read(data.len().max(1)), read(step));
    // A head that is too long, or that something follows, may be judged earlier where it comes at once.
    if data.len() <= MAX_HEAD && !whole.2 {
        assert_eq!(whole, split);
    }
    let (head, body, _) = split;
    assert!(body.len() <= data.len());
    if let Some((_, Answer::Body { content_type })) = head {
        let mut pictures = Pictures::new(&boundary_of(&content_type).unwrap_or_default(), MAX_PICTURE);
        for piece in body.chunks(step) {
            pictures.feed(piece, Micros(1));
            while let Some(picture) = pictures.next_picture(&mut |_| true) {
                assert!(picture.data.len() <= body.len() + 2);
            }
        }
    }
}

/// The messages and pictures of a session at any times, our clock going on and theirs doing what it likes: pings are
/// answered, what is due has an end and is never in the past, and no picture was captured after it came.
pub fn session(data: &[u8]) {
    use std::time::Duration;
    use streamflow::internal::frame::Picture;
    use streamflow::internal::session::{DEAD_AFTER, Due, Session};
    let (first, data) = pieces(data);
    let open = if first % 2 == 0 { Session::with_clock } else { Session::new };
    let mut now = Micros(1 << 40);
    let mut session = open(now);
    let mut received = now;
    for step in data.chunks_exact(12) {
        let number = |at: usize| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|n| step[at + n]));
        now = now + Duration::from_micros(u64::from(step[1]) << (step[2] % 20));
        let (time, near) = (number(4), now.0.wrapping_sub(number(4) % 1_000_000));
        match step[0] % 8 {
            0 => {
                let asked = Control::Ping { time };
                assert_eq!(session.control(&asked, now), Some(Control::Pong { time, now: now.0 }));
            }
            1 => assert_eq!(session.control(&Control::Pong { time, now: number(3) }, now), None),
            2 => assert_eq!(session.control(&Control::Pong { time: near, now: time }, now), None),
            3 => assert_eq!(session.control(&Control::Pong { time: near, now: near }, now), None),
            4 => session.heard(Micros(time)),
            kind @ 5..=6 => {
                let captured = PeerMicros(if kind == 5 { time } else { near });
                let mut picture = Picture { estimated: step[3] & 1 > 0, ..Picture::default() };
                session.restate(&mut picture, captured, Duration::from_micros(u64::from(step[3]) << 10), now);
                received = now;
                assert!(picture.captured <= now && (picture.estimated || !picture.arrival), "{picture:?}");
            }
            _ => {}
        }
        if let Some(known) = session.restated() {
            assert!(known.at <= received && (known.estimated || !known.arrival), "{known:?}");
        }
        assert_eq!(session.restated(), None, "it says the same twice");
        let mut sent = 0;
        loop {
            match session.due(now) {
                Due::Send(ping) => assert!(matches!(*ping, Control::Ping { time } if time <= now.0)),
                Due::At(next) => break assert!(next > now, "{next:?} is over at {now:?}"),
                Due::Dead => {
                    assert!(session.silence(now) >= DEAD_AFTER);
                    session = open(now);
                }
            }
            sent += 1;
            assert!(sent < 32, "it asks without end");
        }
    }
}

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

/// Pictures through the real decoder, which is the same for all of them: whatever one of them is, the next good one is
/// decoded as ever, and none gets more memory than its limit.
pub fn decode(data: &[u8]) {
    use std::cell::RefCell;
    use streamflow::internal::frame::{Frame, PixelFormat, Size};
    use streamflow::internal::jpeg::{Bitmap, Decoder, Encoder};
    const MOST: usize = 1 << 18;
    const GOOD: Size = Size::new(32, 16);
    struct Codec {
        decoder: Decoder,
        encoder: Encoder,
        good: Vec<u8>,
        bitmap: Bitmap,
    }
    thread_local!(static CODEC: RefCell<Codec> = {
        let (mut encoder, mut good) = (Encoder::with_threads(1).unwrap(), Vec::new());
        let data = (0..GOOD.area() * 3).map(|n| n as u8).collect::<Vec<_>>();
        let frame = Frame { data: data.into(), format: PixelFormat::Rgb, size: GOOD, ..Frame::default() };
        encoder.encode(&frame, GOOD, 90, &mut good).unwrap();
        let decoder = Decoder::new().unwrap().with_max_pixels(MOST);
        RefCell::new(Codec { decoder, encoder, good, bitmap: Bitmap::default() })
    });
    CODEC.with_borrow_mut(|codec| {
        let Codec { decoder, encoder, good, bitmap } = codec;
        if decoder.decode(data, bitmap).is_ok() {
            assert!(surgery::checked_header(data, MOST).is_ok_and(|header| header.shown_size() == bitmap.size));
            assert_eq!(bitmap.pixels.len(), bitmap.size.area());
            let camera =
                Frame { data: data.to_vec().into(), format: PixelFormat::Jpeg, size: bitmap.size, ..Frame::default() };
            let _ = encoder.encode(&camera, GOOD, 50, &mut Vec::new());
        }
        decoder.decode(good, bitmap).unwrap();
        assert_eq!(bitmap.size, GOOD);
        let camera = Frame { data: good.clone().into(), format: PixelFormat::Jpeg, size: GOOD, ..Frame::default() };
        encoder.encode(&camera, GOOD, 50, &mut Vec::new()).unwrap();
    });
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

/// Sealed pictures: what does not open does no harm, what does is a picture, and so is whatever lies inside the seal.
pub fn seal(data: &[u8]) {
    let Ok(stream) = StreamKey::parse("main", "door") else { return };
    let secret = SealKey::Random([7; 16]).of_stream(&stream);
    let [quality, rung] = [0, 1].map(|at| data.get(at).copied().unwrap_or_default());
    let rest = data.get(2..).unwrap_or_default();
    let sealed =
        |payload: Vec<u8>| Picture { codec: Codec::Sealed, quality, rung, data: payload.into(), ..Picture::default() };
    let mut inside = Vec::new();
    let keys = secret.base_key(5).and_then(|base| Keys::new(&base, 5));
    keys.and_then(|keys| keys.seal(1, &[2, quality, rung], &[rest], &mut inside));
    for payload in [rest.to_vec(), inside] {
        let mut opener = Opener::new(secret.clone());
        let mut picture = sealed(payload.clone());
        if opener.open(&mut picture).is_ok() {
            assert!(picture.data.starts_with(&[0xff, 0xd8]) && picture.codec == Codec::Jpeg);
            assert!(opener.open(&mut sealed(payload)).is_err(), "a picture opened twice");
        }
    }
    let _ = SealKey::parse(&String::from_utf8_lossy(data));
}
