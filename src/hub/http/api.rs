//! `/api/streams`: what is live and how it is doing, as JSON; `/health`, and how the service is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Answer, Exchange, Outcome};
use crate::access::{Grant, List};
use crate::adapt::limit;
use crate::frame::Codec;
use crate::hub::stream::Stream;
use crate::hub::{PROGRAM, Shared};
use crate::names::StreamKey;
use crate::time::{Micros, now};
use crate::wire::control::{Control, StreamInfo};
use crate::wire::jpeg;

pub(in crate::hub) fn health(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    Ok(Answer::text(200, "ok").into())
}

pub(in crate::hub) fn all(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let shared = exchange.shared;
    let grant = shared.access.list(&exchange.credentials(), exchange.parameter("room"))?;
    let streams: Vec<Value> =
        known(shared, &grant).iter().map(|(info, stream)| summary(shared, info, stream.as_ref())).collect();
    let mut value = json!({ "program": PROGRAM, "streams": streams });
    add_counts(&mut value, exchange);
    Ok(Answer::json(200, &value).into())
}

/// How the service is: for everybody that it runs, and as which program; the rest for who may read its numbers.
pub(super) fn service(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let mut value = json!({ "service": "StreamFlow", "status": "running", "program": PROGRAM });
    add_counts(&mut value, exchange);
    Ok(Answer::json(200, &value).into())
}

/// How long the hub runs, and how many publish and watch, for who may know.
fn add_counts(value: &mut Value, exchange: &Exchange<'_>) {
    let shared = exchange.shared;
    if shared.access.metrics(&exchange.credentials()).is_ok() {
        let (publishers, viewers) = shared.counts();
        value["uptime_s"] = now().since(shared.started).as_secs().into();
        value["publishers"] = publishers.into();
        value["viewers"] = viewers.into();
    }
}

pub(in crate::hub) fn one(exchange: &Exchange<'_>, room: &str, name: &str) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let key = StreamKey::parse(room, name).map_err(|why| Answer::text(404, &why))?;
    let shared = exchange.shared;
    let grant = shared.access.list(&exchange.credentials(), Some(room.into()))?;
    let found = known(shared, &grant).into_iter().find(|(info, _)| info.name == name);
    let (info, stream) = found.ok_or_else(|| Answer::text(404, &format!("no stream {key}")))?;
    let mut value = summary(shared, &info, stream.as_ref());
    let at = now();
    // Who else watches, and from where, is for whoever runs the hub.
    if shared.access.metrics(&exchange.credentials()).is_err() {
        return Ok(Answer::json(200, &value).into());
    }
    let viewers = stream.iter().flat_map(|s| s.numbers.viewers());
    value["per_viewer"] = viewers
        .map(|v| {
            let get = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
            let rung = v.rung.load(Ordering::Relaxed);
            json!({
                "address": v.address.to_string(), "speaks": v.speaks, "seconds": at.since(v.since).as_secs(),
                "pictures": get(&v.pictures), "bytes": get(&v.bytes), "skipped": get(&v.skipped),
                "fps": f64::from(v.fps.load(Ordering::Relaxed)) / 1000.0,
                "age_ms": (get(&v.pictures) > 0).then(|| get(&v.age) as f64 / 1000.0), "rung": rung & 0xff, "quality": rung >> 8,
            })
        })
        .collect();
    Ok(Answer::json(200, &value).into())
}

/// All streams with a name, and what is shared about each.
pub(in crate::hub) fn known(shared: &Arc<Shared>, grant: &Grant<List>) -> Vec<(StreamInfo, Option<Arc<Stream>>)> {
    let registry = shared.registry();
    let infos = registry.rooms.list(grant);
    infos
        .into_iter()
        .map(|info| {
            let stream = registry.streams.get(&StreamKey::new(&info.room, &info.name)).cloned();
            (info, stream)
        })
        .collect()
}

fn summary(shared: &Shared, info: &StreamInfo, stream: Option<&Arc<Stream>>) -> Value {
    let at = now();
    let key = StreamKey::new(&info.room, &info.name);
    let mut value = json!({
        "room": info.room, "name": info.name, "live": info.live, "viewers": info.viewers, "sealed": info.sealed,
    });
    if let Some(called) = shared.called(&key) {
        value["called"] = called.into();
    }
    let state = shared.registry().rooms.state(&key, at);
    if let Some(Control::State(state)) = state {
        value["published"] = state.published.into();
        value["reason"] = state.reason.into();
        value["since_ms"] = state.since_ms.into();
        value["limit"] = json!(limit(&state.load));
        value["load"] = json!(state.load);
        value["asked"] = json!(state.nominal);
    }
    value["controls"] = shared.has_controls(&key).into();
    let Some(stream) = stream else { return value };
    let (newest, fps, ages) = stream.pictures().incoming(at);
    value["fps_in"] = round(fps);
    value["age_ms"] = json!({ "p50": ages.p50, "p99": ages.p99, "max": ages.max });
    value["pictures"] = stream.published.load(Ordering::Relaxed).into();
    value["lost"] = stream.lost.load(Ordering::Relaxed).into();
    value["sent"] = stream.numbers.sent.load(Ordering::Relaxed).into();
    value["skipped"] = stream.numbers.skipped.load(Ordering::Relaxed).into();
    if let Some(picture) = newest {
        let is_sealed = picture.codec == Codec::Sealed;
        let header = if is_sealed { None } else { jpeg::header(&picture.data) };
        value["size"] = header.map_or(Value::Null, |h| h.shown_size().to_string().into());
        value["sealed"] = (is_sealed || info.sealed).into();
        value["bytes"] = picture.data.len().into();
        value["newest_age_ms"] = round(crate::time::millis(at.since(picture.captured)));
        value["age_estimated"] = picture.estimated.into();
    }
    let sent = |v: &Arc<crate::hub::counters::ViewerNumbers>| v.pictures.load(Ordering::Relaxed) > 0;
    let viewers = stream.numbers.viewers();
    let rungs: BTreeSet<u32> = viewers.iter().filter(|v| sent(v)).map(|v| v.rung.load(Ordering::Relaxed)).collect();
    value["rungs"] = rungs.into_iter().map(|r| json!({ "rung": r & 0xff, "quality": r >> 8 })).collect();
    value
}

fn round(value: f64) -> Value {
    ((value * 1000.0).round() / 1000.0).into()
}

/// How long ago, in seconds since 1970.
pub(in crate::hub) fn unix_seconds(at: Micros) -> f64 {
    crate::net::layout::unix_time().saturating_sub(now().since(at)).as_secs_f64()
}
