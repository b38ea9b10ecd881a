//! The hub's HTTP: what each path is. Short things are answered here, on the admission thread of the connection;
//! whoever becomes a viewer or a publisher is handed on to the delivery loops.

mod api;
mod exchange;
mod machine;
mod metrics;
mod page;
mod publish;
mod snapshot;
mod sockets;
mod stream;

use std::io;

pub(super) use self::api::unix_seconds;
pub(super) use self::exchange::{Exchange, Patient};
pub(super) use self::machine::host_names;
pub(super) use self::publish::status_of;
use super::deliver::Wish;
use crate::net::connection::Framing;
use crate::net::http;
use crate::room::StreamKey;
use crate::wire::control::{Hello, check_name};
use crate::wire::names;

/// Someone who has said what they want, and is no matter of HTTP any more.
pub(super) struct Guest {
    pub(super) framing: Framing,
    pub(super) wish: Wish,
    pub(super) hello: Option<Hello>,
    pub(super) early: Vec<u8>,
}

/// How a request ended.
pub(super) enum Served<'a> {
    /// With the connection.
    Over,
    /// With an answer; the next request may follow, and these bytes of it are here already.
    Again(Patient<'a>, Vec<u8>),
    /// With a viewer or a publisher.
    Guest(Box<Guest>),
    /// With a WebSocket that speaks the native protocol from here on.
    Native(Patient<'a>, Vec<u8>),
}

/// Answers one request.
pub(super) fn serve(exchange: Exchange<'_>) -> io::Result<Served<'_>> {
    if let Err(answer) = exchange.check() {
        return exchange.refuse(answer.0, &answer.1);
    }
    let path = exchange.request.path.clone();
    let Some(segments) = names::segments(&path) else {
        return exchange.refuse(400, "the path is not UTF-8");
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if exchange.request.method == "OPTIONS" {
        return exchange.preflight();
    }
    let action = exchange.parameter("action");
    match (segments.as_slice(), action.as_deref()) {
        ([], Some("stream")) => stream::serve(exchange, None),
        ([], Some("snapshot")) => snapshot::serve(exchange, None),
        ([] | ["index.html"], _) => page::index(exchange),
        (["stream" | "stream.mjpg"], _) => stream::serve(exchange, None),
        (["stream", room, name], _) => stream::serve(exchange, Some((room, name))),
        (["rooms", room, "video_feed", name], _) => {
            // Rooms and people may be called anything.
            let (room, name) = (names::fitting(room), names::fitting(name));
            stream::serve(exchange, Some((&room, &name)))
        }
        (["snapshot" | "snapshot.jpg"], _) => snapshot::serve(exchange, None),
        (["snapshot", room, name], _) => snapshot::serve(exchange, Some((room, name))),
        (["api", "streams"], _) => api::all(exchange),
        (["api", "streams", room, name], _) => api::one(exchange, room, name),
        (["api", "publish", room, name], _) => publish::serve(exchange, room, name),
        (["api", "broadcast-detection"], _) => super::edges::detection::broadcast(exchange),
        (["api", "broadcast-status"], _) => super::edges::detection::status(exchange),
        (["health"], _) => api::health(exchange),
        (["metrics"], _) => metrics::serve(exchange),
        (["ws"], _) => sockets::native(exchange),
        (["ws", "viewer", "detection"], _) => super::edges::detection::viewer(exchange),
        (["ws", room, user], _) => super::edges::rooms::member(exchange, room, user),
        (["websocket", quality], _) => super::edges::quality::viewer(exchange, quality),
        ([file], _) if page::has(file) => page::file(exchange, file),
        _ => exchange.refuse(404, &format!("nothing at {path}; see / for what is live, /api/streams for programs")),
    }
}

/// A stream's address from the two parts of a path.
pub(super) fn stream_key(room: &str, name: &str) -> Result<StreamKey, String> {
    check_name(room).and_then(|()| check_name(name)).map(|()| StreamKey::new(room, name))
}

/// A short answer to a head that cannot even be read.
fn unreadable(error: &http::BadHead) -> (u16, String) {
    match error {
        http::BadHead::TooLong => (431, error.to_string()),
        http::BadHead::Malformed(_) => (400, error.to_string()),
    }
}
