//! `/stream`: an endless `multipart/x-mixed-replace` answer, for browsers, players and panels.

use std::io;

use super::{Exchange, Guest, Served, stream_key};
use crate::hub::deliver::Wish;
use crate::net::connection::Framing;
use crate::net::layout::BOUNDARY;
use crate::room::StreamKey;

/// Hands the viewer of a stream on, or of the first there is in room `main`.
pub(super) fn serve<'a>(exchange: Exchange<'a>, which: Option<(&str, &str)>) -> io::Result<Served<'a>> {
    if !exchange.is("GET") {
        return exchange.wrong_method("GET, HEAD");
    }
    let key = match which.map(|(room, name)| stream_key(room, name)).transpose() {
        Ok(key) => key.unwrap_or_else(|| StreamKey::new("main", "")),
        Err(why) => return exchange.refuse(404, &why),
    };
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    // Proxies such as nginx hold an answer back until they are told not to.
    let fields = "X-Accel-Buffering: no\r\nPragma: no-cache\r\n";
    if exchange.request.method == "HEAD" {
        return exchange.answer(200, &kind, fields, b"");
    }
    let opening = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{}{fields}Connection: close\r\n\r\n--{BOUNDARY}\r\n",
        exchange.common_fields()
    );
    let guest = Guest {
        framing: Framing::Multipart(opening.into_bytes()),
        wish: Wish::Watch(key),
        hello: None,
        early: exchange.into_rest(),
    };
    Ok(Served::Guest(Box::new(guest)))
}
