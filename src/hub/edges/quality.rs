//! `/websocket/{quality}`: the default stream at a quality that the client picked, each message one JPEG.

use std::io;

use crate::hub::deliver::Wish;
use crate::hub::http::{Exchange, Guest, Served};
use crate::net::connection::Framing;
use crate::net::layout::Dialect;
use crate::room::StreamKey;
use crate::wire::control::{Hello, Want};
use crate::wire::websocket::{self, End};

/// Those that are served; others are closed with 1003, as the clients expect.
const QUALITIES: std::ops::RangeInclusive<u8> = 30..=95;

pub(in crate::hub) fn viewer<'a>(exchange: Exchange<'a>, quality: &str) -> io::Result<Served<'a>> {
    let asked = quality.to_string();
    let (shared, mut patient, early) = match exchange.upgrade()? {
        Ok(opened) => opened,
        Err(served) => return Ok(served),
    };
    let Some(quality) = asked.parse().ok().filter(|q| QUALITIES.contains(q)) else {
        let close = websocket::close(End::Server, 1003, "the quality must be a whole number from 30 to 95");
        io::Write::write_all(&mut patient, &close)?;
        return Ok(Served::Over);
    };
    let reader = websocket::Reader::new(End::Server, shared.config.max_picture, 4096);
    let key = StreamKey::new("main", "");
    let want = Want { quality: Some(quality), ..Want::default() };
    let guest = Guest {
        framing: Framing::Edge(Box::new(reader), Dialect::Jpeg),
        hello: Some(Hello::to_view(&key.room, &key.name, "websocket/quality", want)),
        wish: Wish::Watch(key),
        early,
    };
    Ok(Served::Guest(Box::new(guest)))
}
