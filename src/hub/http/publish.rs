//! `POST /api/publish/ROOM/NAME`: one JPEG in the body, or an endless multipart body.

use super::{Answer, Exchange, Reply, stream_key};
use crate::frame::Picture;
use crate::hub::deliver::{Admitted, Wish};
use crate::hub::guests::Patience;
use crate::net::connection::Framing;
use crate::room::{Refusal, StreamKey};
use crate::time::now;
use crate::wire::body::{Length, PictureBody};
use crate::wire::jpeg;
use crate::wire::multipart::boundary_of;

pub(in crate::hub) fn serve(exchange: &Exchange<'_>, room: &str, name: &str) -> Reply {
    if exchange.request.method != "POST" && exchange.request.method != "PUT" {
        return Answer::wrong_method(exchange, "POST, PUT").into();
    }
    let key = match stream_key(room, name) {
        Ok(key) => key,
        Err(why) => return Answer::text(400, &why).into(),
    };
    let kind = exchange.request.field("content-type").unwrap_or_default();
    let mut boundary = boundary_of(kind);
    if boundary.is_none() && !kind.starts_with("image/") {
        let Some(multipart) = exchange.length().map_or(Some(false), |length| length.begins_multipart(exchange.body))
        else {
            return Reply::More;
        };
        boundary = multipart.then(String::new);
    }
    match boundary {
        Some(boundary) => many(exchange, key, &boundary),
        None => {
            let called = name.to_string();
            let limit = exchange.shared.config.max_picture;
            Reply::Body(limit, Box::new(move |exchange, body| one(exchange, &key, &called, &body)))
        }
    }
}

/// A body that does not end becomes a publisher.
fn many(exchange: &Exchange<'_>, key: StreamKey, boundary: &str) -> Reply {
    let shared = exchange.shared;
    if !shared.is_free(&key) && !shared.guest_gives_way(now(), Some(&key)) {
        // Whoever has it may be dead: then it is free when it is asked for again.
        let refusal = Refusal::Taken(key);
        shared.challenge(&refusal, None);
        return Answer::text(status_of(&refusal), &refusal.to_string()).into();
    }
    let length = exchange.length().unwrap_or(Length::Open);
    let framing = Framing::Body(Box::new(PictureBody::new(length, boundary, shared.config.max_picture)));
    let wish = Wish::Publish { key, replace: false, instance: 0 };
    Reply::Admit(Box::new(Admitted { framing, wish, hello: None, first: None }))
}

/// A body that is one picture.
fn one(exchange: &Exchange<'_>, key: &StreamKey, called: &str, body: &[u8]) -> Answer {
    let mut data = Vec::with_capacity(body.len());
    if let Err(why) = jpeg::tidy(body, &mut data) {
        return Answer::text(400, &format!("the body is no JPEG picture that can be passed on: {why}"));
    }
    let shared = exchange.shared;
    if let Err(why) = shared.check_picture(&data) {
        return Answer::text(413, &why);
    }
    let picture = Picture::arrived(exchange.began, now(), data.into());
    let times = &shared.config.edge_times;
    let patience = Patience { lost: times.lost_after, forgotten: times.stream_forgotten_after };
    match shared.publish_one(exchange.ip(), key, called, patience, picture) {
        Ok(viewers) => Answer::json(200, &serde_json::json!({ "stream": key.to_string(), "viewers": viewers })),
        // Somebody else has the name, perhaps since a moment ago: whoever goes on as if not is to notice.
        Err(refusal) => Answer::text(status_of(&refusal), &refusal.to_string()).and_close(),
    }
}

/// How HTTP says a refusal: another name would do, or fewer streams.
pub(in crate::hub) fn status_of(refusal: &Refusal) -> u16 {
    if matches!(refusal, Refusal::Posted(_)) { 429 } else { 409 }
}
