//! `POST /api/publish/ROOM/NAME`: one JPEG in the body, or an endless multipart body.

use std::io;

use super::{Exchange, Guest, Served, stream_key};
use crate::frame::Picture;
use crate::hub::deliver::Wish;
use crate::hub::guests::Patience;

use crate::net::connection::Framing;
use crate::room::Refusal;
use crate::time::now;
use crate::wire::body::PictureBody;
use crate::wire::jpeg;
use crate::wire::multipart::boundary_of;

pub(super) fn serve<'a>(mut exchange: Exchange<'a>, room: &str, name: &str) -> io::Result<Served<'a>> {
    if exchange.request.method != "POST" && exchange.request.method != "PUT" {
        return exchange.wrong_method("POST, PUT");
    }
    let key = match stream_key(room, name) {
        Ok(key) => key,
        Err(why) => return exchange.refuse(400, &why),
    };
    let kind = exchange.request.field("content-type").unwrap_or_default().to_string();
    let mut boundary = boundary_of(&kind);
    if boundary.is_none() && !kind.starts_with("image/") && exchange.looks_multipart()? {
        boundary = Some(String::new());
    }
    if let Some(boundary) = boundary {
        let shared = &exchange.shared;
        if !shared.is_free(&key) && !shared.guest_gives_way(now(), Some(&key)) {
            // Whoever has it may be dead: then it is free when it is asked for again.
            let refusal = Refusal::Taken(key);
            shared.challenge(&refusal, None);
            return exchange.refuse(status_of(&refusal), &refusal.to_string());
        }
        let limit = exchange.shared.config.max_picture;
        let (length, early) = exchange.into_body()?;
        let framing = Framing::Body(Box::new(PictureBody::new(length, &boundary, limit)));
        let wish = Wish::Publish { key, replace: false, instance: 0 };
        return Ok(Served::Guest(Box::new(Guest { framing, wish, hello: None, early })));
    }
    let limit = exchange.shared.config.max_picture;
    let body = match exchange.body(limit)? {
        Ok(body) => body,
        Err((status, why)) => return exchange.refuse(status, &why),
    };
    let mut data = Vec::with_capacity(body.len());
    if let Err(why) = jpeg::tidy(&body, &mut data) {
        return exchange.refuse(400, &format!("the body is no JPEG picture that can be passed on: {why}"));
    }
    if let Err(why) = exchange.shared.check_picture(&data) {
        return exchange.refuse(413, &why);
    }
    let picture = Picture::arrived(exchange.began(), now(), data.into());
    let times = &exchange.shared.config.edge_times;
    let patience = Patience { lost: times.lost_after, forgotten: times.stream_forgotten_after };
    match exchange.shared.publish_one(exchange.address(), &key, name, patience, picture) {
        Ok(viewers) => exchange.json(200, serde_json::json!({ "stream": key.to_string(), "viewers": viewers })),
        Err(refusal) => {
            // Somebody else has the name, perhaps since a moment ago: whoever goes on as if not is to notice.
            exchange.be_last();
            exchange.refuse(status_of(&refusal), &refusal.to_string())
        }
    }
}

/// How HTTP says a refusal: another name would do, or fewer streams.
pub(in crate::hub) fn status_of(refusal: &Refusal) -> u16 {
    if matches!(refusal, Refusal::Posted(_)) { 429 } else { 409 }
}
