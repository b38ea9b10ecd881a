//! The web page, out of the program itself: nothing of it comes from anywhere else.

use super::{Answer, Body, Exchange, Outcome, api};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", "text/css; charset=utf-8", include_str!("../../../web/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../../web/icon.svg")),
    ("main.js", SCRIPT, include_str!("../../../web/main.js")),
    ("access.js", SCRIPT, include_str!("../../../web/access.js")),
    ("address.js", SCRIPT, include_str!("../../../web/address.js")),
    ("gate.js", SCRIPT, include_str!("../../../web/gate.js")),
    ("lock.js", SCRIPT, include_str!("../../../web/lock.js")),
    ("rights.js", SCRIPT, include_str!("../../../web/rights.js")),
    ("share.js", SCRIPT, include_str!("../../../web/share.js")),
    ("grid.js", SCRIPT, include_str!("../../../web/grid.js")),
    ("stage.js", SCRIPT, include_str!("../../../web/stage.js")),
    ("screen.js", SCRIPT, include_str!("../../../web/screen.js")),
    ("viewer.js", SCRIPT, include_str!("../../../web/viewer.js")),
    ("worker.js", SCRIPT, include_str!("../../../web/worker.js")),
    ("painter.js", SCRIPT, include_str!("../../../web/painter.js")),
    ("backoff.js", SCRIPT, include_str!("../../../web/backoff.js")),
    ("packet.js", SCRIPT, include_str!("../../../web/packet.js")),
    ("keys.js", SCRIPT, include_str!("../../../web/keys.js")),
    ("seal.js", SCRIPT, include_str!("../../../web/seal.js")),
    ("session.js", SCRIPT, include_str!("../../../web/session.js")),
    ("now.js", SCRIPT, include_str!("../../../web/now.js")),
    ("clock.js", SCRIPT, include_str!("../../../web/clock.js")),
    ("limit.js", SCRIPT, include_str!("../../../web/limit.js")),
    ("metadata.js", SCRIPT, include_str!("../../../web/metadata.js")),
    ("meter.js", SCRIPT, include_str!("../../../web/meter.js")),
    ("recent.js", SCRIPT, include_str!("../../../web/recent.js")),
    ("on-screen.js", SCRIPT, include_str!("../../../web/on-screen.js")),
    ("words.js", SCRIPT, include_str!("../../../web/words.js")),
    ("elements.js", SCRIPT, include_str!("../../../web/elements.js")),
    ("budget.js", SCRIPT, include_str!("../../../web/budget.js")),
    ("control-list.js", SCRIPT, include_str!("../../../web/control-list.js")),
    ("controls.js", SCRIPT, include_str!("../../../web/controls.js")),
    ("details.js", SCRIPT, include_str!("../../../web/details.js")),
    ("help.js", SCRIPT, include_str!("../../../web/help.js")),
    ("menu.js", SCRIPT, include_str!("../../../web/menu.js")),
    ("minute.js", SCRIPT, include_str!("../../../web/minute.js")),
    ("overlay.js", SCRIPT, include_str!("../../../web/overlay.js")),
    ("shortcuts.js", SCRIPT, include_str!("../../../web/shortcuts.js")),
    ("tile.js", SCRIPT, include_str!("../../../web/tile.js")),
    ("view.js", SCRIPT, include_str!("../../../web/view.js")),
    ("wall.js", SCRIPT, include_str!("../../../web/wall.js")),
    ("wall-picture.js", SCRIPT, include_str!("../../../web/wall-picture.js")),
    ("room-camera.js", SCRIPT, include_str!("../../../web/room-camera.js")),
    ("camera-worker.js", SCRIPT, include_str!("../../../web/camera-worker.js")),
    ("camera-sender.js", SCRIPT, include_str!("../../../web/camera-sender.js")),
    ("camera-link.js", SCRIPT, include_str!("../../../web/camera-link.js")),
    ("camera-frames.js", SCRIPT, include_str!("../../../web/camera-frames.js")),
    ("camera-jpeg.js", SCRIPT, include_str!("../../../web/camera-jpeg.js")),
    ("camera-ladder.js", SCRIPT, include_str!("../../../web/camera-ladder.js")),
    ("camera-fit.js", SCRIPT, include_str!("../../../web/camera-fit.js")),
    ("camera-pairing.js", SCRIPT, include_str!("../../../web/camera-pairing.js")),
    ("camera-pace.js", SCRIPT, include_str!("../../../web/camera-pace.js")),
    ("rooms.css", "text/css; charset=utf-8", include_str!("../../../web/rooms.css")),
    ("rooms.js", SCRIPT, include_str!("../../../web/rooms.js")),
    ("lobby.js", SCRIPT, include_str!("../../../web/lobby.js")),
    ("qr.js", SCRIPT, include_str!("../../../web/qr.js")),
    ("room-api.js", SCRIPT, include_str!("../../../web/room-api.js")),
    ("room-chat.js", SCRIPT, include_str!("../../../web/room-chat.js")),
    ("room-devices.js", SCRIPT, include_str!("../../../web/room-devices.js")),
    ("room-invite.js", SCRIPT, include_str!("../../../web/room-invite.js")),
    ("room-level.js", SCRIPT, include_str!("../../../web/room-level.js")),
    ("room-link.js", SCRIPT, include_str!("../../../web/room-link.js")),
    ("room-media.js", SCRIPT, include_str!("../../../web/room-media.js")),
    ("room-memory.js", SCRIPT, include_str!("../../../web/room-memory.js")),
    ("room-outside.js", SCRIPT, include_str!("../../../web/room-outside.js")),
    ("room-page.js", SCRIPT, include_str!("../../../web/room-page.js")),
    ("room-people.js", SCRIPT, include_str!("../../../web/room-people.js")),
    ("room-ready.js", SCRIPT, include_str!("../../../web/room-ready.js")),
    ("room-seats.js", SCRIPT, include_str!("../../../web/room-seats.js")),
    ("room-tile.js", SCRIPT, include_str!("../../../web/room-tile.js")),
    ("room-worklet.js", SCRIPT, include_str!("../../../web/room-worklet.js")),
];

const INDEX: &str = include_str!("../../../web/index.html");
const ROOMS: &str = include_str!("../../../web/rooms.html");
/// The same, and it shows the camera of whoever is in a room.
const ROOMS_POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; \
     img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' ws: wss:; base-uri 'self'; form-action 'none'; \
     frame-ancestors 'self'\r\n";
/// The page may talk to its own hub and load its own files, and nothing else.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; \
     img-src 'self' blob: data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
     frame-ancestors *\r\n";

/// The page; for a program that asks for JSON, how the service is.
pub(in crate::hub) fn index(exchange: &Exchange<'_>) -> Outcome {
    let accepts = |kind| exchange.request.field_has("accept", kind);
    if accepts("application/json") && !accepts("text/html") {
        return api::service(exchange);
    }
    serve(exchange, "text/html; charset=utf-8", INDEX)
}

/// The page of rooms. `base`: where its files are, seen from its own address, which may lie behind a proxy's path.
pub(in crate::hub) fn rooms(exchange: &Exchange<'_>, base: &str) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let text = ROOMS.replace("{BASE}", base);
    Ok(Answer::new(200, "text/html; charset=utf-8", Body::from(text)).with(ROOMS_POLICY).into())
}

/// Whether there is such a file.
pub(in crate::hub) fn has(name: &str) -> bool {
    FILES.iter().any(|(n, ..)| *n == name)
}

pub(in crate::hub) fn file(exchange: &Exchange<'_>, name: &str) -> Outcome {
    match FILES.iter().find(|(n, ..)| *n == name) {
        Some((_, kind, text)) => serve(exchange, kind, text),
        None => Err(Answer::text(404, "no such file")),
    }
}

fn serve(exchange: &Exchange<'_>, kind: &'static str, text: &'static str) -> Outcome {
    exchange.takes("GET, HEAD")?;
    Ok(Answer::new(200, kind, Body::Bytes(text.as_bytes().into())).with(POLICY).into())
}
