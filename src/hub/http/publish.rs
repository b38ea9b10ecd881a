//! `POST /api/publish/ROOM/NAME`: one JPEG in the body, or an endless multipart body.

use super::{Answer, BodyWanted, Exchange, Outcome, Reply};
use crate::access::{Grant, Publish, Right};
use crate::frame::{Codec, Picture};
use crate::hub::deliver::Purpose;
use crate::hub::posted::PostedTimes;
use crate::names::StreamKey;
use crate::net::connection::{BODY_PIECE, Framing};
use crate::relay::Refusal;
use crate::time::now;
use crate::wire::WireError;
use crate::wire::body::{Length, PictureBody};
use crate::wire::jpeg;
use crate::wire::pictures::boundary_of;

/// What a form may have beside its picture, in bytes.
const FORM: usize = 64 << 10;

pub(in crate::hub) fn serve(exchange: &Exchange<'_>, room: &str, name: &str) -> Outcome {
    exchange.takes("POST, PUT")?;
    let key = StreamKey::parse(room, name).map_err(|why| Answer::text(400, &why))?;
    let grant = exchange.shared.access.publish(&exchange.credentials(), key)?;
    let kind = exchange.request.field("content-type").unwrap_or_default();
    let (length, limit) = (exchange.request.length(), exchange.shared.config.max_picture);
    // A form is a picture as a plain body is: whoever uploads one each second has one stream, and none that comes and goes.
    let is_stream = kind.to_ascii_lowercase().contains("x-mixed-replace");
    let is_form = kind.to_ascii_lowercase().contains("multipart/form-data");
    let is_whole = !is_stream
        && match length {
            Some(Length::Bytes(n)) => n <= (limit + FORM) as u64,
            Some(Length::Chunked(_)) => is_form,
            _ => false,
        };
    let mut boundary = boundary_of(kind);
    if boundary.is_none() && !is_whole {
        let Some(multipart) = length.map_or(Some(false), |length| length.begins_multipart(exchange.body)) else {
            return Ok(Reply::More);
        };
        boundary = multipart.then(String::new);
    }
    match boundary {
        Some(boundary) if !is_whole => many(exchange, grant, &boundary),
        boundary => {
            let called = name.to_string();
            let limit = if boundary.is_some() { limit + FORM } else { limit };
            let then = Box::new(move |exchange: &Exchange<'_>, body: Vec<u8>| match &boundary {
                Some(boundary) => parts(exchange, &grant, &called, &body, boundary).into(),
                None => one(exchange, &grant, &called, body).into(),
            });
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
    let framing =
        Framing::Body(Box::new(PictureBody::new(length, boundary, shared.config.max_picture, shared.counting.clone())));
    let purpose = Purpose::Publish { grant, replace: false, instance: 0 };
    Ok(Reply::Admit(exchange.admit(framing, purpose, None)))
}

/// A body that is one picture.
fn one(exchange: &Exchange<'_>, grant: &Grant<Publish>, called: &str, mut data: Vec<u8>) -> Answer {
    let shared = exchange.shared;
    // A link may have ended while the body came.
    if let Err(denied) = shared.access.ask(&exchange.credentials(), Right::Publish(&grant.0)) {
        return denied.into();
    }
    if let Err(why) = jpeg::make_tidy(&mut data, &mut shared.counting.at(now())) {
        return Answer::text(400, &format!("the body is no JPEG picture that can be passed on: {why}"));
    }
    if let Err(why) = shared.check_picture(Codec::Jpeg, &data) {
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

/// A multipart body that is here: a form with a picture, or a few pictures.
fn parts(exchange: &Exchange<'_>, grant: &Grant<Publish>, called: &str, body: &[u8], boundary: &str) -> Answer {
    let (shared, length) = (exchange.shared, Length::Bytes(body.len() as u64));
    let mut pictures = PictureBody::new(length, boundary, shared.config.max_picture, shared.counting.clone());
    let mut answer = None;
    // In pieces: what is under way is moved when more comes.
    let fed = body.chunks(BODY_PIECE).try_for_each(|piece| {
        let over = pictures.feed(piece, now(), &mut |data, _| {
            answer = Some(one(exchange, grant, called, data));
            Ok::<_, WireError>(())
        });
        over.map(drop)
    });
    match (answer, fed) {
        (Some(answer), _) => answer,
        (None, Err(WireError::Body(status, why))) => Answer::text(status, &why),
        _ => Answer::text(400, "no part of the body is a JPEG picture that can be passed on"),
    }
}
