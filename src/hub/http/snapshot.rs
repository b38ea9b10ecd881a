//! `/snapshot`: a picture of the full size, captured after it was asked for where the source gives one in time. Who asks
//! watches for a while, so that a publisher that sleeps wakes up, and one that polls finds it awake.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Exchange, Served, stream_key};
use crate::frame::Picture;
use crate::room::StreamKey;
use crate::time::{millis, now};
use crate::wire::control::Control;

/// How often it is looked whether the hub stops meanwhile, or the connection is wanted for others.
const SLICE: Duration = Duration::from_millis(100);

/// Answers with a picture of a stream, or of the first there is in room `main`.
pub(super) fn serve<'a>(exchange: Exchange<'a>, which: Option<(&str, &str)>) -> io::Result<Served<'a>> {
    if !exchange.is("GET") {
        return exchange.wrong_method("GET, HEAD");
    }
    let key = match which.map(|(room, name)| stream_key(room, name)).transpose() {
        Ok(key) => key,
        Err(why) => return exchange.refuse(404, &why),
    };
    let Some(key) = key.or_else(|| exchange.shared.registry().rooms.first("main")) else {
        return exchange.unavailable("nobody publishes in room main");
    };
    let picture = match picture(&exchange, &key) {
        Ok(picture) => picture,
        Err(why) => return exchange.unavailable(&why),
    };
    let age = now().since(picture.captured);
    let taken = crate::net::layout::unix_time().saturating_sub(age);
    let fields = format!(
        "X-Timestamp: {}.{:06}\r\nX-Age-Ms: {:.3}\r\nX-Sequence: {}\r\n",
        taken.as_secs(),
        taken.subsec_micros(),
        millis(age),
        picture.sequence
    );
    exchange.answer(200, "image/jpeg", &fields, &picture.data[..])
}

/// The newest picture, or why there is none.
fn picture(exchange: &Exchange<'_>, key: &StreamKey) -> Result<Arc<Picture>, String> {
    let shared = &exchange.shared;
    let state = shared.registry().rooms.state(key, now());
    match state {
        // One that was silent when it was asked last is asked again, as by any viewer, unless somebody is just asking.
        Some(Control::State(state)) if state.live || state.published && shared.stream(key).was_silent() => {}
        Some(Control::State(state)) if !state.reason.is_empty() => return Err(format!("{key}: {}", state.reason)),
        _ => return Err(format!("{key}: nobody publishes this")),
    }
    let stream = shared.stream(key);
    let asked = now();
    let (_, patience) = stream.still(asked);
    let until = asked + patience;
    // In slices, so that a hub that stops need not wait for it.
    while now() < until && !shared.stopping.load(Ordering::Acquire) {
        if !exchange.is_wanted() {
            return Err("the connection had to give way to others".into());
        }
        // Whoever waits still wants it: a camera that takes seconds to open must not be sent to sleep meanwhile.
        shared.poll(key).map_err(|refusal| refusal.to_string())?;
        if let Some(picture) = stream.snapshot(asked, SLICE.min(until.since(now()))) {
            return Ok(picture);
        }
    }
    // None came; there may be one from before, which says how old it is.
    stream.still(asked).0.ok_or_else(|| format!("{key}: no picture came within {} s", patience.as_secs()))
}
