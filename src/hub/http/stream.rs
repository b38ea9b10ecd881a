//! `/stream`: an endless `multipart/x-mixed-replace` answer, for browsers, players and panels.

use super::wanted::Wanted;
use super::{Answer, Body, Exchange, Outcome, Reply};
use crate::hub::deliver::Purpose;
use crate::names::StreamKey;
use crate::net::connection::Framing;
use crate::transport::message::BOUNDARY;
use crate::wire::control::Hello;

/// Hands the viewer of a stream on, or of the first there is in room `main`.
pub(in crate::hub) fn serve(exchange: &Exchange<'_>, which: Option<(&str, &str)>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let key = which.map(|(room, name)| StreamKey::parse(room, name)).transpose();
    let key = key.map_err(|why| Answer::text(404, &why))?.unwrap_or_else(|| StreamKey::new("main", ""));
    let wanted = Wanted::of(exchange)?;
    let grant = exchange.shared.access.watch(&exchange.credentials(), key)?;
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    // Proxies such as nginx hold an answer back until they are told not to.
    let fields = "X-Accel-Buffering: no\r\nPragma: no-cache\r\n";
    if exchange.request.method == "HEAD" {
        return Ok(Answer::new(200, kind, Body::Bytes(b"".into())).with(fields).into());
    }
    let opening = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{}{fields}Connection: close\r\n\r\n--{BOUNDARY}\r\n",
        exchange.common_fields()
    );
    let hello = Hello::to_view(&grant.0.room, &grant.0.name, "multipart", wanted.request());
    let framing = Framing::Multipart(opening.into_bytes());
    let mut admitted = exchange.admit(framing, Purpose::Watch(grant), Some(hello));
    admitted.apart = wanted.apart();
    Ok(Reply::Admit(admitted))
}
