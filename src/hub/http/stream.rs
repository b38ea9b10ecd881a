//! `/stream`: an endless `multipart/x-mixed-replace` answer, for browsers, players and panels.

use std::io;

use super::{Exchange, Guest, Served, stream_key};
use crate::adapt::Resolution;
use crate::hub::deliver::Wish;
use crate::net::connection::Framing;
use crate::room::StreamKey;
use crate::transport::message::BOUNDARY;
use crate::wire::control::{Hello, Want};

/// Hands the viewer of a stream on, or of the first there is in room `main`.
pub(super) fn serve<'a>(exchange: Exchange<'a>, which: Option<(&str, &str)>) -> io::Result<Served<'a>> {
    if !exchange.is("GET") {
        return exchange.wrong_method("GET, HEAD");
    }
    let key = match which.map(|(room, name)| stream_key(room, name)).transpose() {
        Ok(key) => key.unwrap_or_else(|| StreamKey::new("main", "")),
        Err(why) => return exchange.refuse(404, &why),
    };
    let want = match want(&exchange) {
        Ok(want) => want,
        Err(why) => return exchange.refuse(400, &why),
    };
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    // Proxies such as nginx hold an answer back until they are told not to.
    let fields = "X-Accel-Buffering: no\r\nPragma: no-cache\r\n";
    if exchange.request.method == "HEAD" {
        return exchange.answer(200, &kind, fields, &b""[..]);
    }
    let opening = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{}{fields}Connection: close\r\n\r\n--{BOUNDARY}\r\n",
        exchange.common_fields()
    );
    let guest = Guest {
        framing: Framing::Multipart(opening.into_bytes()),
        hello: Some(Hello::to_view(&key.room, &key.name, "multipart", want)),
        wish: Wish::Watch(key),
        early: exchange.into_rest(),
    };
    Ok(Served::Guest(Box::new(guest)))
}

/// What the query asks for. Recorders cannot follow a picture that changes its size, so only who asks for it gets one.
fn want(exchange: &Exchange<'_>) -> Result<Want, String> {
    let quality = match exchange.parameter("quality").as_deref() {
        None | Some("auto") => None,
        Some(text) => match text.parse() {
            Ok(quality @ 1..=100) => Some(quality),
            _ => return Err(format!("quality={text}: 1 to 100, or auto")),
        },
    };
    let adapts = match exchange.parameter("adapt").as_deref() {
        None | Some("off") => false,
        Some("on") => true,
        Some(text) => return Err(format!("adapt={text}: on or off")),
    };
    let size = match exchange.parameter("size") {
        Some(text) => text.parse().map_err(|why| format!("size: {why}"))?,
        None if adapts => Resolution::Any,
        None => Resolution::Full,
    };
    Ok(Want { quality, size, max_rate: None })
}
