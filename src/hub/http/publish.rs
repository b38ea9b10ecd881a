//! `POST /api/publish/ROOM/NAME`: one JPEG in the body, or an endless multipart body.

use super::{Answer, BodyWanted, Exchange, Outcome, Reply};
use crate::access::{Grant, Publish};
use crate::frame::Picture;
use crate::hub::deliver::Purpose;
use crate::hub::posted::PostedTimes;
use crate::names::StreamKey;
use crate::net::connection::Framing;
use crate::relay::Refusal;
use crate::time::now;
use crate::wire::body::{Length, PictureBody};
use crate::wire::jpeg;
use crate::wire::multipart::boundary_of;

pub(in crate::hub) fn serve(exchange: &Exchange<'_>, room: &str, name: &str) -> Outcome {
    exchange.takes("POST, PUT")?;
    let key = StreamKey::parse(room, name).map_err(|why| Answer::text(400, &why))?;
    let grant = exchange.shared.access.publish(&exchange.credentials(), key)?;
    let kind = exchange.request.field("content-type").unwrap_or_default();
    let mut boundary = boundary_of(kind);
    if boundary.is_none() && !kind.starts_with("image/") {
        let Some(multipart) =
            exchange.request.length().map_or(Some(false), |length| length.begins_multipart(exchange.body))
        else {
            return Ok(Reply::More);
        };
        boundary = multipart.then(String::new);
    }
    match boundary {
        Some(boundary) => many(exchange, grant, &boundary),
        None => {
            let called = name.to_string();
            let limit = exchange.shared.config.max_picture;
            let then = Box::new(move |exchange: &Exchange<'_>, body: Vec<u8>| one(exchange, &grant, &called, &body));
            Ok(Reply::Body(BodyWanted { limit, refuse: Answer::text, then }))
        }
    }
}

/// A body that does not end becomes a publisher.
fn many(exchange: &Exchange<'_>, grant: Grant<Publish>, boundary: &str) -> Outcome {
    let shared = exchange.shared;
    let key = &grant.0;
    if !shared.is_free(key) && !shared.posted_gives_way(now(), Some(key)) {
        // Whoever has it may be dead: then it is free when it is asked for again.
        let refusal = Refusal::Taken(key.clone());
        shared.challenge(&refusal, None);
        return Err(refusal.into());
    }
    let length = exchange.request.length().unwrap_or(Length::Open);
    let framing = Framing::Body(Box::new(PictureBody::new(length, boundary, shared.config.max_picture)));
    let purpose = Purpose::Publish { grant, replace: false, instance: 0 };
    Ok(Reply::Admit(exchange.admit(framing, purpose, None)))
}

/// A body that is one picture.
fn one(exchange: &Exchange<'_>, grant: &Grant<Publish>, called: &str, body: &[u8]) -> Answer {
    let mut data = Vec::with_capacity(body.len());
    if let Err(why) = jpeg::tidy(body, &mut data) {
        return Answer::text(400, &format!("the body is no JPEG picture that can be passed on: {why}"));
    }
    let shared = exchange.shared;
    if let Err(why) = shared.check_picture(&data) {
        return Answer::text(413, &why);
    }
    let picture = Picture::arrived(exchange.began, now(), data.into());
    let times = &shared.config.bridge_times;
    let posted_times = PostedTimes { lost: times.lost_after, forgotten: times.stream_forgotten_after };
    match shared.publish_one(&exchange.credentials(), grant, called, posted_times, picture) {
        Ok(viewers) => Answer::json(200, &serde_json::json!({ "stream": grant.0.to_string(), "viewers": viewers })),
        // Somebody else has the name, perhaps since a moment ago: whoever goes on as if not is to notice.
        Err(refusal) => Answer::from(refusal).and_close(),
    }
}
