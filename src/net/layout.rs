//! The head of a picture's message, made for one client as it understands it. What comes behind it, a `Layout` of the
//! picture itself, all clients share: nothing of a picture is copied for a viewer.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrayvec::ArrayVec;

use crate::frame::Picture;
use crate::time::{millis, now};
use crate::transport::Layout;
use crate::wire::framing;
use crate::wire::packet::{HEADER, picture_header};
use crate::wire::websocket;

/// What a WebSocket that does not speak the native protocol gets.
#[derive(Debug)]
pub enum Dialect {
    /// Binary messages, each a JPEG and nothing else.
    Jpeg,
    /// JSON text with the picture in base64 and its metadata. `opening` begins the object, with the members that are
    /// the same in all messages, as in `{"type":"frame","camera_id":"CAM1"`; 1024 bytes at most.
    Detection {
        /// See above.
        opening: Box<str>,
    },
    /// The pictures of somebody in a room.
    Room {
        /// Whose it is, as a JSON string; 1024 bytes at most.
        opening: Arc<str>,
        /// As a binary packet whose metadata say whose it is, or as JSON text with the picture in base64.
        binary: bool,
    },
}

/// A head under construction, of 2048 bytes at most.
pub(super) type Head = ArrayVec<u8, 2048>;

/// Appends to a head what fits; the limits of its parts see to it that all does.
pub(super) fn put(head: &mut Head, bytes: &[u8]) {
    let _ = head.write_all(bytes);
}

impl Dialect {
    /// How its pictures lie behind the head.
    pub(super) fn layout(&self) -> Layout {
        match self {
            Self::Jpeg => Layout::Bare,
            Self::Detection { .. } => Layout::Detection,
            Self::Room { binary: true, .. } => Layout::RoomBinary,
            Self::Room { binary: false, .. } => Layout::RoomText,
        }
    }
}

/// The head of a native packet on plain TCP.
pub(super) fn native_head(head: &mut Head, picture: &Picture, hub: Duration) {
    put(head, &framing::prefix(HEADER + Layout::Native.length(picture)));
    put(head, &picture_header(picture, hub));
}

/// The head of a native packet in a server's WebSocket message.
pub(super) fn websocket_head(head: &mut Head, picture: &Picture, hub: Duration) {
    let (bytes, n) = websocket::server_header(HEADER + Layout::Native.length(picture), false);
    put(head, &bytes[..n]);
    put(head, &picture_header(picture, hub));
}

/// The head of a part: what it is, how long, and how old.
pub(super) fn part_head(head: &mut Head, picture: &Picture) {
    let age = now().since(picture.captured);
    let taken = unix_time().saturating_sub(age);
    // Writing to a head cannot fail.
    let _ = write!(
        head,
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}.{:06}\r\nX-Age-Ms: {:.3}\r\n\
         X-Sequence: {}\r\n\r\n",
        picture.data.len(),
        taken.as_secs(),
        taken.subsec_micros(),
        millis(age),
        picture.sequence,
    );
}

/// The head of a message of a dialect.
pub(super) fn dialect_head(head: &mut Head, dialect: &Dialect, picture: &Picture, hub: Duration) {
    let pieces = dialect.layout().length(picture);
    match dialect {
        Dialect::Jpeg => {
            let (bytes, n) = websocket::server_header(pieces, false);
            put(head, &bytes[..n]);
        }
        Dialect::Detection { opening } => {
            let taken = unix_time().saturating_sub(now().since(picture.captured)).as_secs_f64();
            let mut text = Head::new();
            let _ = write!(text, r#"{opening},"frame_count":{},"timestamp":{taken:.6},"metadata":"#, picture.sequence);
            let (bytes, n) = websocket::server_header(text.len() + pieces, true);
            put(head, &bytes[..n]);
            put(head, &text);
        }
        Dialect::Room { opening, binary: false } => {
            let taken = unix_time().saturating_sub(now().since(picture.captured)).as_millis();
            let mut text = Head::new();
            let _ = write!(
                text,
                r#"{{"type":"video_frame","user_name":{opening},"timestamp":{taken},"data":"data:image/jpeg;base64,"#
            );
            let (bytes, n) = websocket::server_header(text.len() + pieces, true);
            put(head, &bytes[..n]);
            put(head, &text);
        }
        Dialect::Room { opening, binary: true } => {
            let mut whose = Head::new();
            let _ = write!(whose, r#"{{"user_name":{opening},"metadata":"#);
            let (bytes, n) = websocket::server_header(HEADER + whose.len() + pieces, false);
            put(head, &bytes[..n]);
            let mut header = picture_header(picture, hub);
            let metadata = u32::try_from(whose.len() + pieces - picture.data.len()).unwrap_or(0);
            header[28..].copy_from_slice(&metadata.to_le_bytes());
            put(head, &header);
            put(head, &whose);
        }
    }
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
