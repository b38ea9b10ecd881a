//! `/rooms`: rooms that people open, who is in them and what was said there, as JSON; and the page of all that for people.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{Answer, Body, BodyWanted, Exchange, Outcome, Reply, Waited, page, stream};
use crate::access::secrets::of_random;
use crate::access::{Credentials, Grant, Right};
use crate::hub::Shared;
use crate::hub::access_files::random;
use crate::hub::bridges::rooms::{Feed, HostDoes};
use crate::names::{MAX_NAME, StreamKey, fitting};
use crate::net::layout::unix_time;
use crate::relay::open_rooms::{NotOpened, OpenRoom};
use crate::wire::avatar;
use crate::wire::control::StreamInfo;
use crate::wire::rooms::{message, read_message, read_texts};

/// The longest body.
const LONGEST: usize = 16 << 10;
/// What the host of a room shows.
const HOST_TOKEN: &str = "x-host-token";

/// `/rooms`: all rooms that somebody may know of, or a new one; for a browser that opens it, the page.
pub(in crate::hub) fn all(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD, POST")?;
    if !exchange.posts() && is_for_people(exchange) {
        return page::rooms(exchange, "./");
    }
    let (shared, who) = (exchange.shared, exchange.credentials());
    if shared.access.policy().asks() {
        shared.access.holds(&who)?;
    }
    if exchange.posts() {
        return Ok(with_body(open));
    }
    let rooms: Vec<_> = shared.open_rooms().all().into_iter().map(OpenRoom::head).collect();
    // Once for all rooms: there may be a thousand, and as many streams.
    let mut streams: HashMap<String, Vec<StreamInfo>> = HashMap::new();
    for stream in shared.registry().rooms.list(&Grant::of_host(None)) {
        streams.entry(stream.room.clone()).or_default().push(stream);
    }
    let may = |room: &&OpenRoom| shared.access.ask(&who, Right::List(Some(&room.id))).is_ok();
    let list = rooms.iter().filter(may).map(|room| {
        let streams = streams.get(&room.id).map_or(&[][..], Vec::as_slice);
        as_json(exchange, room, streams)
    });
    let list: Vec<_> = list.collect();
    Ok(Answer::json(200, &Value::Array(list)).into())
}

/// `/rooms/{room_id}`.
pub(in crate::hub) fn one(exchange: &Exchange<'_>, room: &str) -> Outcome {
    exchange.takes("GET, HEAD")?;
    if is_for_people(exchange) {
        return page::rooms(exchange, "../");
    }
    exchange.shared.access.list(&exchange.credentials(), Some(room.into()))?;
    Ok(Answer::json(200, &alone(exchange, &find(exchange.shared, room)?)).into())
}

/// `/rooms/{room_id}/messages`: what was said, or something more.
pub(in crate::hub) fn messages(exchange: &Exchange<'_>, room: &str) -> Outcome {
    exchange.takes("GET, HEAD, POST")?;
    let room = room.to_owned();
    let (shared, who) = (exchange.shared, exchange.credentials());
    shared.access.list(&who, Some(room.clone()))?;
    if exchange.posts() {
        return Ok(with_body(move |exchange, body| say(exchange, &room, body)));
    }
    let open = shared.open_rooms();
    let all = open.get(&room).ok_or_else(not_found)?.messages.iter();
    let all = all.map(|said| message(&said.user, said.id, &said.text, &said.color, said.at)).collect();
    Ok(Answer::json(200, &Value::Array(all)).into())
}

/// `POST /rooms/{room_id}/close`.
pub(in crate::hub) fn close(exchange: &Exchange<'_>, room: &str) -> Outcome {
    exchange.takes("POST")?;
    let found = as_host(exchange, room)?;
    exchange.shared.close_room(&found.id);
    log::info!("{}: closed the room {}", exchange.address, found.id);
    Ok(Answer::json(200, &json!({ "status": "deactivated" })).into())
}

/// `POST /rooms/{room_id}/people`: the host mutes or removes somebody.
pub(in crate::hub) fn people(exchange: &Exchange<'_>, room: &str) -> Outcome {
    exchange.takes("POST")?;
    as_host(exchange, room)?;
    let room = room.to_owned();
    Ok(with_body(move |exchange, body| {
        // A link may have ended while the body came.
        as_host(exchange, &room)?;
        let [name, what] = read_texts(body, ["name", "do"]).map_err(|why| refuse(400, &why))?;
        let what = match what.as_str() {
            "mute" => HostDoes::Mutes,
            "remove" => HostDoes::Removes,
            _ => return Err(refuse(400, "do is mute or remove")),
        };
        match exchange.shared.host_does(&room, &name, what) {
            true => Ok(Answer::json(200, &json!({ "status": "done" }))),
            false => Err(refuse(404, "nobody of this name is in the room")),
        }
    }))
}

/// `/rooms/{room_id}/thumbnail`: the newest picture of the room, or a drawing with its initials.
pub(in crate::hub) fn thumbnail(exchange: &Exchange<'_>, room: &str) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let (shared, who) = (exchange.shared, exchange.credentials());
    shared.access.ask(&who, Right::Watch(&StreamKey::new(room, "")))?;
    if let Some(picture) = shared.thumbnail(room) {
        return Ok(Answer::new(200, "image/jpeg", Body::Picture(picture)).into());
    }
    let title = shared.open_rooms().get(room).map_or_else(|| room.to_owned(), |room| room.title.clone());
    Ok(Answer::new(200, "image/svg+xml", Body::from(avatar::picture(&title))).into())
}

/// `/rooms/{room_id}/video_feed`: the pictures of the host, or of somebody in the room, as a multipart stream.
pub(in crate::hub) fn video_feed(exchange: &Exchange<'_>, room: &str, name: Option<&str>) -> Outcome {
    let host = || exchange.shared.open_rooms().get(room).map(|room| room.host.clone());
    let name = match name {
        Some(name) => name.to_owned(),
        None => {
            let room = StreamKey::new(fitting(room), "");
            exchange.shared.access.ask(&exchange.credentials(), Right::Watch(&room))?;
            host().ok_or_else(not_found)?
        }
    };
    // Rooms and people may be called anything.
    let (room, name) = (fitting(room), fitting(&name));
    let mut reply = stream::serve(exchange, Some((&room, &name)))?;
    if let Reply::Admit(admitted) = &mut reply {
        admitted.feed = Some(Feed::open(exchange.shared, StreamKey::new(room, name), exchange.who.address));
    }
    Ok(reply)
}

/// Whether a browser asks that opens an address, and no program.
fn is_for_people(exchange: &Exchange<'_>) -> bool {
    exchange.request.field_has("accept", "text/html")
}

fn with_body(act: impl FnOnce(&Exchange<'_>, &[u8]) -> Result<Answer, Answer> + Send + 'static) -> Reply {
    let then = Box::new(move |exchange: &Exchange<'_>, body: Vec<u8>| -> Waited {
        act(exchange, &body).unwrap_or_else(|refusal| refusal).into()
    });
    Reply::Body(BodyWanted { limit: LONGEST, refuse, then })
}

fn refuse(status: u16, why: &str) -> Answer {
    Answer::json(status, &json!({ "detail": why }))
}

fn not_found() -> Answer {
    refuse(404, "Room not found")
}

fn find(shared: &Shared, room: &str) -> Result<OpenRoom, Answer> {
    shared.open_rooms().get(room).map(OpenRoom::head).ok_or_else(not_found)
}

/// A new room. Whoever opens it must be allowed to be in it.
fn open(exchange: &Exchange<'_>, body: &[u8]) -> Result<Answer, Answer> {
    let (shared, who) = (exchange.shared, exchange.credentials());
    let [title, host] = read_texts(body, ["title", "host_name"]).map_err(|why| refuse(400, &why))?;
    let host = host.trim();
    if host.is_empty() || host.len() > MAX_NAME {
        return Err(refuse(400, &format!("host_name is a name of {MAX_NAME} bytes at most")));
    }
    let failed = |error: crate::error::Error| refuse(500, &error.to_string());
    let id = HEXLOWER.encode(&random::<4>().map_err(failed)?);
    let token = of_random(random().map_err(failed)?);
    may_join(exchange, &who, &id, host)?;
    let opened = shared.change_rooms(|rooms, now| match rooms.get(&id) {
        // One in four thousand million; the next attempt has another one.
        Some(_) => Err(NotOpened::Full),
        None => rooms.open(id.clone(), &title, host, sha256(token.expose()), now).map(OpenRoom::head),
    });
    let room = opened.map_err(|why| match why {
        NotOpened::NoTitle => refuse(400, &why.to_string()),
        NotOpened::Full => refuse(429, &why.to_string()),
    })?;
    log::info!("{}: opened the room {}", exchange.address, room.id);
    let mut answer = alone(exchange, &room);
    answer["host_token"] = token.expose().into();
    Ok(Answer::json(200, &answer))
}

fn say(exchange: &Exchange<'_>, room: &str, body: &[u8]) -> Result<Answer, Answer> {
    let (user, text, color) = read_message(body).map_err(|why| refuse(400, &why))?;
    may_join(exchange, &exchange.credentials(), room, &user)?;
    find(exchange.shared, room)?;
    if exchange.shared.open_rooms().is_flooded(room, unix_time()) {
        return Err(refuse(429, "too much is said in this room at once: try again in a second"));
    }
    let said = exchange.shared.chat(room, &user, text, color);
    Ok(Answer::json(200, &message(&said.user, said.id, &said.text, &said.color, said.at)))
}

fn may_join(exchange: &Exchange<'_>, who: &Credentials, room: &str, name: &str) -> Result<(), Answer> {
    let key = StreamKey::new(fitting(room), fitting(name));
    Ok(exchange.shared.access.ask(who, Right::Join(&key))?)
}

/// The room that somebody wants to close, or to mute or remove people in: that is for its host, for who operates it, and on a hub that
/// asks nobody for anything for everybody, for a name proves nothing there. Others do not learn whether there is one.
fn as_host(exchange: &Exchange<'_>, room: &str) -> Result<OpenRoom, Answer> {
    let access = &exchange.shared.access;
    let found = find(exchange.shared, room);
    // What is compared is a hash: how long that takes tells nothing of the token.
    let has_token =
        |room: &OpenRoom| exchange.request.field(HOST_TOKEN).is_some_and(|token| sha256(token) == room.token);
    if access.policy().asks() && !found.as_ref().is_ok_and(has_token) {
        access.ask(&exchange.credentials(), Right::Operate(&StreamKey::new(room, "")))?;
    }
    found
}

fn sha256(text: &str) -> [u8; 32] {
    digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap_or_default()
}

/// One room, without the others.
fn alone(exchange: &Exchange<'_>, room: &OpenRoom) -> Value {
    let streams = exchange.shared.registry().rooms.list(&Grant::of_host(Some(&room.id)));
    as_json(exchange, room, &streams)
}

/// A room with these streams.
fn as_json(exchange: &Exchange<'_>, room: &OpenRoom, streams: &[StreamInfo]) -> Value {
    let OpenRoom { number, id, title, host, .. } = room;
    let scheme = if exchange.encrypted { "https" } else { "http" };
    let thumbnail = match exchange.host_as_written() {
        Some(at) => format!("{scheme}://{at}/rooms/{id}/thumbnail"),
        None => format!("/rooms/{id}/thumbnail"),
    };
    json!({
        "id": number, "room_id": id, "title": title, "host_name": host, "host_avatar": avatar::url(host), "thumbnail": thumbnail,
        "is_active": true, "viewers": streams.iter().map(|stream| stream.viewers).sum::<u32>(),
        "participants": exchange.shared.people(id, streams),
    })
}
