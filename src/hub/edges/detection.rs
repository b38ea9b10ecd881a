//! Detection broadcast: a worker posts annotated pictures with metadata, dashboards get them as JSON over WebSocket.
//! The streams are those of room `detection`; `docs/edges.md` has the messages.

use std::io;
use std::sync::Arc;

use serde_json::json;

use crate::frame::Picture;
use crate::hub::Shared;
use crate::hub::deliver::Wish;
use crate::hub::guests::Patience;
use crate::hub::http::{Exchange, Guest, Served, status_of, stream_key, unix_seconds};
use crate::net::connection::Framing;
use crate::net::layout::Dialect;
use crate::room::StreamKey;
use crate::time::now;
use crate::wire::detection::{self, Broadcast, NO_CAMERA, max_body};
use crate::wire::names::fitting;
use crate::wire::websocket::{self, End};

/// The room of these streams.
const ROOM: &str = "detection";

/// `POST /api/broadcast-detection`.
pub(in crate::hub) fn broadcast(mut exchange: Exchange<'_>) -> io::Result<Served<'_>> {
    if exchange.request.method != "POST" {
        return exchange.wrong_method("POST");
    }
    let body = match exchange.body(max_body(exchange.shared.config.max_picture))? {
        Ok(body) => body,
        Err((status, why)) => return wrong(exchange, status, &why),
    };
    let Broadcast { camera, picture, frame_size, metadata, timestamp } = match detection::read(&body) {
        Ok(broadcast) => broadcast,
        Err((status, why)) => return wrong(exchange, status, &why),
    };
    if let Err(why) = exchange.shared.check_picture(&picture) {
        return wrong(exchange, 413, &why);
    }
    let picture =
        Picture { metadata: metadata.map(Arc::from), ..Picture::arrived(exchange.began(), now(), picture.into()) };
    let times = &exchange.shared.config.edge_times;
    let patience = Patience { lost: times.lost_after, forgotten: times.camera_forgotten_after };
    match exchange.shared.publish_one(exchange.address(), &own_key(&camera), &camera, patience, picture) {
        Ok(viewers) => {
            let answer = json!({
                "success": true, "viewers": viewers, "camera_id": camera, "frame_size": frame_size,
                "timestamp": timestamp,
            });
            exchange.json(200, answer)
        }
        Err(refusal) => wrong(exchange, status_of(&refusal), &refusal.to_string()),
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
    exchange.json(200, answer)
}

/// WebSocket `/ws/viewer/detection?camera_id=CAM1`.
pub(in crate::hub) fn viewer(exchange: Exchange<'_>) -> io::Result<Served<'_>> {
    let camera = exchange.parameter("camera_id");
    let (shared, mut patient, early) = match exchange.upgrade()? {
        Ok(opened) => opened,
        Err(served) => return Ok(served),
    };
    let Some(camera) = detection::camera(camera) else {
        let close = websocket::close(End::Server, 1008, NO_CAMERA);
        io::Write::write_all(&mut patient, &close)?;
        return Ok(Served::Over);
    };
    let key = key_to_watch(&shared, &camera);
    let opening = format!(r#"{{"type":"frame","camera_id":{}"#, json!(camera));
    let reader = websocket::Reader::new(End::Server, shared.config.max_picture, 4096);
    let guest = Guest {
        framing: Framing::Edge(Box::new(reader), Dialect::Detection { opening: opening.into() }),
        wish: Wish::Watch(key),
        hello: None,
        early,
    };
    Ok(Served::Guest(Box::new(guest)))
}

/// The stream of a camera that a worker posts: of this room, whatever the camera is called.
fn own_key(camera: &str) -> StreamKey {
    StreamKey::new(ROOM, fitting(camera))
}

/// The stream that a dashboard asks for. `ROOM/NAME` is any stream there is, so that it can show a camera of ours; but a
/// worker's camera that is called so comes first.
fn key_to_watch(shared: &Shared, camera: &str) -> StreamKey {
    let own = own_key(camera);
    match camera.split_once('/').map(|(room, name)| stream_key(room, name)) {
        Some(Ok(other)) if shared.is_free(&own) => other,
        _ => own,
    }
}

fn wrong<'a>(exchange: Exchange<'a>, status: u16, why: &str) -> io::Result<Served<'a>> {
    exchange.json(status, json!({ "success": false, "error": why }))
}
