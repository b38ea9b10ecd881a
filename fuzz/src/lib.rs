//! What each fuzz target does with its bytes. `tests/wire.rs` runs the same on seeded bytes with every
//! `cargo test`, so that a machine without a fuzzer covers them too.
//!
//! Nothing here may panic, hang, or allocate more than a small multiple of what came in; and where the answer must not
//! depend on how the bytes were split, it is compared.

use streamflow::time::Micros;
use streamflow::wire::chunked::Chunked;
use streamflow::wire::control::Control;
use streamflow::wire::framing::Deframer;
use streamflow::wire::jpeg_split::JpegSplitter;
use streamflow::wire::multipart::{Multipart, boundary_of};
use streamflow::wire::websocket::{End, Message, Reader};
use streamflow::wire::{WireError, jpeg as surgery};

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

/// JPEG surgery: inspecting, cutting to the true end, putting tables in, joining, and finding pictures in a stream.
pub fn jpeg(data: &[u8]) {
    let _ = surgery::header(data);
    let _ = surgery::size(data);
    if let Ok(layout) = surgery::inspect(data) {
        assert!(layout.end <= data.len() && layout.scan <= layout.end);
        let mut tidy = Vec::new();
        if surgery::tidy(data, &mut tidy).is_ok() {
            assert!(tidy.len() <= layout.end + 1024, "tables are 420 bytes");
            let again = surgery::inspect(&tidy);
            assert_eq!(again.map(|l| (l.end, l.has_tables, l.header)), Ok((tidy.len(), true, layout.header)));
        }
    }
    let mut joined = Vec::new();
    let _ = surgery::join(&[data, data], 64, &mut joined);
    let (step, data) = pieces(data);
    let mut splitter = JpegSplitter::default();
    for piece in data.chunks(step) {
        splitter.feed(piece, Micros(1));
        while let Some(picture) = splitter.next_picture() {
            assert!(picture.data.starts_with(&[0xff, 0xd8]) && picture.data.ends_with(&[0xff, 0xd9]));
        }
    }
}

/// Other cameras' multipart streams.
pub fn multipart(data: &[u8]) {
    let (step, data) = pieces(data);
    let _ = boundary_of(&String::from_utf8_lossy(data));
    let mut parts = Multipart::new("frame");
    let mut bytes = 0;
    for piece in data.chunks(step) {
        parts.feed(piece, Micros(1));
        loop {
            match parts.next_part() {
                Ok(Some(part)) => bytes += part.body.len(),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    assert!(bytes <= data.len(), "{bytes} bytes of pictures out of {}", data.len());
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

/// Heads of HTTP requests: nothing is read that was not there, and half a head is not taken for a whole one.
pub fn http(data: &[u8]) {
    use streamflow::net::http::{looks_like_http, parse_head, upgrade};
    let _ = looks_like_http(data);
    if let Ok(Some((request, length))) = parse_head(data) {
        assert!(length <= data.len());
        let _ = request.field_has("connection", "upgrade");
        let _ = upgrade(&request);
        assert!(!matches!(parse_head(&data[..length - 1]), Ok(Some((_, n))) if n > length - 1));
    }
}

/// Messages of a room: what is read is passed on as right JSON, whatever it was.
pub fn rooms(data: &[u8]) {
    use streamflow::wire::rooms::{RoomMessage, chat, read, relay};
    let Ok(text) = std::str::from_utf8(data) else { return };
    let passed_on = match read(text) {
        Ok(RoomMessage::Chat { text, color }) => chat("\"who\"", 1, &text, &color, std::time::Duration::ZERO),
        Ok(RoomMessage::Relay(kind, object)) => relay(kind, "\"who\"", object),
        _ => return,
    };
    assert!(passed_on.len() < 32 * 1024);
    let value: serde_json::Value = serde_json::from_str(&passed_on).unwrap();
    assert_eq!(value["user_name"], "\"who\"");
}
