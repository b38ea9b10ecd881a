//! `/websocket/{quality}`: the default stream at a quality that the client picked, each message one JPEG.

use crate::hub::deliver::Purpose;
use crate::hub::http::{Exchange, Outcome, Reply, WebSocket};
use crate::names::StreamKey;
use crate::net::connection::Framing;
use crate::net::layout::Dialect;
use crate::wire::control::{Hello, ViewRequest};
use crate::wire::websocket::{self, End};

/// Those that are served; others are closed with 1003, as the clients expect.
const QUALITIES: std::ops::RangeInclusive<u8> = 30..=95;

pub(in crate::hub) fn viewer(exchange: &Exchange<'_>, quality: &str) -> Outcome {
    let Some(quality) = quality.parse().ok().filter(|q| QUALITIES.contains(q)) else {
        let close = websocket::close(End::Server, 1003, "the quality must be a whole number from 30 to 95");
        return Reply::open(exchange, WebSocket::Close(close));
    };
    let reader = websocket::Reader::new(End::Server, exchange.shared.config.max_picture, 4096);
    let grant = exchange.shared.access.watch(&exchange.credentials(), StreamKey::new("main", ""))?;
    let request = ViewRequest { quality: Some(quality), ..ViewRequest::default() };
    let hello = Hello::to_view(&grant.0.room, &grant.0.name, "websocket/quality", request);
    let framing = Framing::Bridge(Box::new(reader), Dialect::Jpeg);
    let admitted = exchange.admit(framing, Purpose::Watch(grant), Some(hello));
    Reply::open(exchange, WebSocket::Admit(admitted))
}
