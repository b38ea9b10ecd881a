//! Which path of the hub's HTTP is what: its own, and those of the systems that exist already.

use super::bridges::{self, detection, quality};
use super::http::{
    Answer, Exchange, Outcome, Reply, api, controls, links, metrics, mjpg_streamer, page, publish, rooms, session,
    snapshot, stream, websocket,
};
use crate::wire::encoding;

/// What a request leads to.
pub(super) fn route(exchange: &Exchange<'_>) -> Reply {
    find(exchange).unwrap_or_else(Reply::Answer)
}

fn find(exchange: &Exchange<'_>) -> Outcome {
    exchange.check()?;
    let path = &exchange.request.path;
    let segments = encoding::segments(path).ok_or_else(|| Answer::text(400, "the path is not UTF-8"))?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let is_page = matches!(segments.as_slice(), [] | ["index.html"])
        || matches!(segments.as_slice(), [file] if page::has(exchange, file));
    if segments != ["health"] {
        exchange.may_speak(is_page)?;
    }
    if exchange.request.method == "OPTIONS" {
        return Ok(Answer::preflight().into());
    }
    let action = exchange.parameter("action");
    match (segments.as_slice(), action.as_deref()) {
        ([], Some("stream")) => stream::serve(exchange, None),
        ([], Some("snapshot")) => snapshot::serve(exchange, None),
        ([], Some("command")) => mjpg_streamer::command(exchange),
        // A script that asks for a second camera as mjpg-streamer has it (`stream_1`) would take the page for a picture.
        ([], Some(_)) => {
            let text =
                "there is no such action; there are stream, snapshot and command, and /stream/ROOM/NAME for any stream";
            Err(Answer::text(404, text))
        }
        ([] | ["index.html"], _) => page::index(exchange),
        (["stream" | "stream.mjpg"], _) => stream::serve(exchange, None),
        (["stream", room, name], _) => stream::serve(exchange, Some((room, name))),
        (["rooms"], _) => rooms::all(exchange),
        (["rooms", room], _) => rooms::one(exchange, room),
        (["rooms", room, "messages"], _) => rooms::messages(exchange, room),
        (["rooms", room, "close"], _) => rooms::close(exchange, room),
        (["rooms", room, "people"], _) => rooms::people(exchange, room),
        (["rooms", room, "thumbnail"], _) => rooms::thumbnail(exchange, room),
        (["rooms", room, "video_feed"], _) => rooms::video_feed(exchange, room, None),
        (["rooms", room, "video_feed", name], _) => rooms::video_feed(exchange, room, Some(name)),
        (["snapshot" | "snapshot.jpg"], _) => snapshot::serve(exchange, None),
        (["snapshot", room, name], _) => snapshot::serve(exchange, Some((room, name))),
        (["input.json" | "input_0.json"], _) => mjpg_streamer::input(exchange),
        (["api", "streams"], _) => api::all(exchange),
        (["api", "streams", room, name], _) => api::one(exchange, room, name),
        (["api", "streams", room, name, "controls"], _) if exchange.posts() => controls::set(exchange, room, name),
        (["api", "streams", room, name, "controls"], _) => controls::read(exchange, room, name),
        (["api", "publish", room, name], _) => publish::serve(exchange, room, name),
        (["api", "broadcast-detection"], _) => detection::broadcast(exchange),
        (["api", "broadcast-status"], _) => detection::status(exchange),
        (["api", "cameras"], _) => detection::cameras(exchange),
        (["api", "session"], _) => session::serve(exchange),
        (["api", "links"], _) => links::serve(exchange),
        (["health"], _) => api::health(exchange),
        (["metrics"], _) => metrics::serve(exchange),
        (["ws"], _) => websocket::native(exchange),
        (["ws", "viewer", "detection"], _) => detection::viewer(exchange),
        (["ws", room, user], _) => bridges::rooms::member(exchange, room, user),
        (["websocket", quality], _) => quality::viewer(exchange, quality),
        #[cfg(test)]
        (["panics"], _) => panic!("a test wants it"),
        ([file], _) if page::has(exchange, file) => page::file(exchange, file),
        _ => {
            let text = format!("nothing at {path}; see / for what is live, /api/streams for programs");
            Err(Answer::text(404, &text))
        }
    }
}
