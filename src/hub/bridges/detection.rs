//! Detection broadcast: a worker posts annotated pictures with metadata, dashboards get them as JSON over WebSocket.
//! The streams are those of room `detection`; `docs/bridges.md` has the messages.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;

use crate::frame::{Codec, Picture};
use crate::hub::deliver::Purpose;
use crate::hub::http::api::{self, unix_seconds};
use crate::hub::http::{Answer, BodyWanted, Exchange, Outcome, Reply, WebSocket, status_of};
use crate::hub::posted::PostedTimes;
use crate::names::StreamKey;
use crate::names::fitting;
use crate::net::connection::Framing;
use crate::net::layout::Dialect;
use crate::time::now;
use crate::wire::detection::{self, Broadcast, NO_CAMERA, max_body};
use crate::wire::websocket::{self, End};

/// The room of these streams.
const ROOM: &str = "detection";

/// `POST /api/broadcast-detection`.
pub(in crate::hub) fn broadcast(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("POST")?;
    // Whoever may publish no camera at all is told so before its body comes.
    exchange.shared.access.publish_somewhere(&exchange.credentials(), ROOM)?;
    let limit = max_body(exchange.shared.config.max_picture);
    let then = Box::new(|exchange: &Exchange<'_>, body: Vec<u8>| posted(exchange, &body).into());
    Ok(Reply::Body(BodyWanted { limit, refuse: wrong, then }))
}

fn posted(exchange: &Exchange<'_>, body: &[u8]) -> Answer {
    let Broadcast { camera, picture, frame_size, metadata, timestamp } =
        match detection::read(body, &mut exchange.shared.counting.at(now())) {
            Ok(broadcast) => broadcast,
            Err((status, why)) => return wrong(status, &why),
        };
    let shared = exchange.shared;
    if let Err(why) = shared.check_picture(Codec::Jpeg, &picture) {
        return wrong(413, &why);
    }
    let picture =
        Picture { metadata: metadata.map(Arc::from), ..Picture::arrived(exchange.began, now(), picture.into()) };
    let times = &shared.config.bridge_times;
    let posted_times = PostedTimes { lost: times.lost_after, forgotten: times.camera_forgotten_after };
    let who = exchange.credentials();
    let grant = match shared.access.publish(&who, own_key(&camera)) {
        Ok(grant) => grant,
        Err(denied) => return wrong(status_of(&denied.clone().into()), &denied.to_string()),
    };
    match shared.publish_one(&who, &grant, &camera, posted_times, picture) {
        Ok(viewers) => {
            let answer = json!({
                "success": true, "viewers": viewers, "camera_id": camera, "frame_size": frame_size,
                "timestamp": timestamp,
            });
            Answer::json(200, &answer)
        }
        Err(refusal) => wrong(status_of(&refusal), &refusal.to_string()),
    }
}

/// `GET /api/broadcast-status`.
pub(in crate::hub) fn status(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let shared = exchange.shared;
    let grant = shared.access.list(&exchange.credentials(), Some(ROOM.into()))?;
    let mut posted = shared.posted_in(ROOM);
    posted.retain(|posted| grant.has(&posted.key));
    posted.sort_by(|a, b| a.called.cmp(&b.called));
    let broadcasters: Vec<_> = posted
        .iter()
        .map(|posted| {
            json!({
                "camera_id": posted.called, "viewers": shared.viewers_of(&posted.key), "frame_count": posted.count,
                "last_update": unix_seconds(now() - posted.age),
            })
        })
        .collect();
    let total: u32 = shared.registry().rooms.list(&grant).iter().map(|s| s.viewers).sum();
    let answer = json!({
        "broadcasters": broadcasters, "total_viewers": total, "active_cameras": broadcasters.len(),
    });
    Ok(Answer::json(200, &answer).into())
}

/// `GET /api/cameras`: those of which pictures come, whoever publishes them; a dashboard asks for each by its `id`.
pub(in crate::hub) fn cameras(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let shared = exchange.shared;
    let grant = shared.access.list(&exchange.credentials(), Some(ROOM.into()))?;
    let mut cameras: Vec<_> = api::known(shared, &grant)
        .into_iter()
        .filter(|(info, _)| info.live)
        .map(|(info, stream)| {
            let key = StreamKey::new(info.room, info.name);
            let at = now();
            let newest = stream.as_ref().and_then(|stream| stream.pictures().incoming(at).0);
            (
                shared.called(&key).unwrap_or_else(|| key.name.clone()),
                json!({
                    "stream": key.to_string(), "viewers": info.viewers,
                    "frame_count": stream.map_or(0, |stream| stream.published.load(Ordering::Relaxed)),
                    "last_update": newest.map(|picture| unix_seconds(picture.captured)),
                }),
            )
        })
        .collect();
    cameras.sort_by(|(a, _), (b, _)| a.cmp(b));
    let cameras = cameras.into_iter().map(|(called, mut camera)| {
        (camera["id"], camera["name"]) = (called.as_str().into(), called.into());
        camera
    });
    Ok(Answer::json(200, &cameras.collect()).into())
}

/// WebSocket `/ws/viewer/detection?camera_id=CAM1`.
pub(in crate::hub) fn viewer(exchange: &Exchange<'_>) -> Outcome {
    let Some(camera) = detection::camera(exchange.parameter("camera_id")) else {
        return Reply::open(exchange, WebSocket::Close(websocket::close(End::Server, 1008, NO_CAMERA)));
    };
    let shared = exchange.shared;
    let opening = format!(r#"{{"type":"frame","camera_id":{}"#, json!(camera));
    let reader = websocket::Reader::new(End::Server, shared.config.max_picture, 4096);
    let framing = Framing::Bridge(Box::new(reader), Dialect::Detection { opening: opening.into() });
    let who = exchange.credentials();
    // `ROOM/NAME` is any stream there is, so that a dashboard can show a camera of ours; a worker's camera of that name comes first.
    let own = shared.access.watch(&who, own_key(&camera));
    // Whoever may not watch it must not learn whether it is there.
    let other = match &own {
        Ok(own) if !shared.is_free(&own.0) => None,
        _ => camera.split_once('/').and_then(|(room, name)| StreamKey::parse(room, name).ok()),
    };
    let grant = other.map_or(own, |other| shared.access.watch(&who, other))?;
    let purpose = Purpose::Watch(grant);
    Reply::open(exchange, WebSocket::Admit(exchange.admit(framing, purpose, None)))
}

/// The stream of a camera that a worker posts: of this room, whatever the camera is called.
fn own_key(camera: &str) -> StreamKey {
    StreamKey::new(ROOM, fitting(camera))
}

fn wrong(status: u16, why: &str) -> Answer {
    Answer::json(status, &json!({ "success": false, "error": why }))
}
