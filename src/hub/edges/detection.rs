//! Detection broadcast: a worker posts annotated pictures with metadata, dashboards get them as JSON over WebSocket.
//! The streams are those of room `detection`; `docs/edges.md` has the messages.

use std::io;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::frame::Picture;
use crate::hub::deliver::Wish;
use crate::hub::guests::Patience;
use crate::hub::http::{Exchange, Guest, MAX_NAME, Served, decode_base64, fitting, unix_seconds};
use crate::net::connection::Framing;
use crate::net::layout::Dialect;
use crate::room::StreamKey;
use crate::time::now;
use crate::wire::jpeg;
use crate::wire::packet::MAX_METADATA;
use crate::wire::websocket::{self, End};

/// The room of these streams.
const ROOM: &str = "detection";

#[derive(Deserialize)]
struct Broadcast {
    camera_id: Option<String>,
    frame_base64: Option<String>,
    metadata: Option<Box<RawValue>>,
}

/// `POST /api/broadcast-detection`.
pub(in crate::hub) fn broadcast(mut exchange: Exchange<'_>) -> io::Result<Served<'_>> {
    if exchange.request.method != "POST" {
        return exchange.wrong_method("POST");
    }
    // Base64 makes four bytes of three.
    let limit = exchange.shared.config.max_picture / 3 * 4 + MAX_METADATA + 4096;
    let body = match exchange.body(limit)? {
        Ok(body) => body,
        Err((status, why)) => return wrong(exchange, status, &why),
    };
    let broadcast: Broadcast = match serde_json::from_slice(&body) {
        Ok(broadcast) => broadcast,
        Err(error) => return wrong(exchange, 400, &format!("the body is not the JSON that is expected: {error}")),
    };
    let Some(camera) = broadcast.camera_id.filter(|c| !c.is_empty() && c.len() <= MAX_NAME) else {
        return wrong(exchange, 400, "camera_id is missing, or longer than 200 bytes");
    };
    let Some(data) = broadcast.frame_base64.as_deref().and_then(decode_base64) else {
        return wrong(exchange, 400, "frame_base64 is missing, or not base64");
    };
    let frame_size = data.len();
    let mut tidy = Vec::with_capacity(data.len());
    if let Err(why) = jpeg::tidy(&data, &mut tidy) {
        return wrong(exchange, 400, &format!("frame_base64 is no JPEG picture that can be passed on: {why}"));
    }
    let metadata = broadcast.metadata.as_ref().map(|raw| raw.get());
    if metadata.is_some_and(|m| m.len() > MAX_METADATA) {
        return wrong(exchange, 413, "metadata has 65536 bytes at most");
    }
    #[derive(Deserialize)]
    struct Stamped {
        timestamp: Option<serde_json::Value>,
    }
    let timestamp = metadata.and_then(|m| serde_json::from_str::<Stamped>(m).ok()).and_then(|s| s.timestamp);
    let picture = Picture {
        captured: now(),
        estimated: true,
        metadata: metadata.map(Arc::from),
        data: tidy.into(),
        ..Picture::default()
    };
    let times = &exchange.shared.config.edge_times;
    let patience = Patience { lost: times.lost_after, forgotten: times.camera_forgotten_after };
    match exchange.shared.publish_one(&key(&camera), &camera, patience, picture) {
        Ok(viewers) => {
            let answer = json!({
                "success": true, "viewers": viewers, "camera_id": camera, "frame_size": frame_size,
                "timestamp": timestamp,
            });
            exchange.json(200, &answer)
        }
        Err(refusal) => wrong(exchange, 409, &refusal.to_string()),
    }
}

/// `GET /api/broadcast-status`.
pub(in crate::hub) fn status(exchange: Exchange<'_>) -> io::Result<Served<'_>> {
    if !exchange.is("GET") {
        return exchange.wrong_method("GET, HEAD");
    }
    let shared = exchange.shared.clone();
    let mut guests = shared.guests_in(ROOM);
    guests.sort_by(|a, b| a.called.cmp(&b.called));
    let broadcasters: Vec<_> = guests
        .iter()
        .map(|guest| {
            json!({
                "camera_id": guest.called, "viewers": shared.viewers_of(&guest.key), "frame_count": guest.count,
                "last_update": unix_seconds(now() - guest.age),
            })
        })
        .collect();
    let total: u32 = shared.registry().rooms.list(Some(ROOM)).iter().map(|s| s.viewers).sum();
    let answer = json!({
        "broadcasters": broadcasters, "total_viewers": total, "active_cameras": broadcasters.len(),
    });
    exchange.json(200, &answer)
}

/// WebSocket `/ws/viewer/detection?camera_id=CAM1`.
pub(in crate::hub) fn viewer(exchange: Exchange<'_>) -> io::Result<Served<'_>> {
    let camera = exchange.parameter("camera_id");
    let (shared, mut patient, early) = match exchange.upgrade()? {
        Ok(opened) => opened,
        Err(served) => return Ok(served),
    };
    let Some(camera) = camera.filter(|c| !c.is_empty() && c.len() <= MAX_NAME) else {
        let close = websocket::close(End::Server, 1008, "camera_id is missing, or longer than 200 bytes");
        io::Write::write_all(&mut patient, &close)?;
        return Ok(Served::Over);
    };
    let opening = format!(r#"{{"type":"frame","camera_id":{}"#, json!(camera));
    let reader = websocket::Reader::new(End::Server, shared.config.max_picture, 4096);
    let guest = Guest {
        framing: Framing::Edge(Box::new(reader), Dialect::Detection { opening: opening.into() }),
        wish: Wish::Watch(key(&camera)),
        hello: None,
        early,
    };
    Ok(Served::Guest(Box::new(guest)))
}

/// The stream of a camera. `ROOM/NAME` is any stream there is, so that a dashboard can show a camera of ours.
fn key(camera: &str) -> StreamKey {
    match camera.split_once('/').map(|(room, name)| crate::hub::http::stream_key(room, name)) {
        Some(Ok(key)) => key,
        _ => StreamKey::new(ROOM, fitting(camera)),
    }
}

fn wrong<'a>(exchange: Exchange<'a>, status: u16, why: &str) -> io::Result<Served<'a>> {
    exchange.json(status, &json!({ "success": false, "error": why }))
}
