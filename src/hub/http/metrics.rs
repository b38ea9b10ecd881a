//! `/metrics`: the text format of Prometheus, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::api::known;
use super::{Answer, Body, Exchange, Outcome};
use crate::access::{self, Grant};
use crate::hub::Shared;
use crate::hub::counters::AGE_BUCKETS;
use crate::time::now;

pub(in crate::hub) fn serve(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let grant = exchange.shared.access.metrics(&exchange.credentials())?;
    let text = text(exchange.shared, &grant);
    Ok(Answer::new(200, "text/plain; version=0.0.4; charset=utf-8", Body::from(text)).into())
}

fn text(shared: &Arc<Shared>, grant: &Grant<access::Metrics>) -> String {
    let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let mut out = String::new();
    let (publishers, viewers) = shared.counts();
    let totals = &shared.totals;
    one(&mut out, "uptime_seconds", "gauge", "Since the hub started.", now().since(shared.started).as_secs());
    one(&mut out, "publishers", "gauge", "Publishers connected.", publishers as u64);
    one(&mut out, "viewers", "gauge", "Viewers of all streams.", viewers as u64);
    one(&mut out, "refused_total", "counter", "Connections that were not let in.", get(&totals.refused));
    one(&mut out, "errors_total", "counter", "Connections and pictures that were wrong.", get(&totals.errors));
    let streams: Vec<_> = known(shared, &grant.list()).into_iter().filter_map(|(info, s)| Some((info, s?))).collect();
    // Names hold none of the characters that would have to be escaped here.
    let label = |i: usize| format!("room=\"{}\",stream=\"{}\"", streams[i].0.room, streams[i].0.name);
    let mut family = |name: &str, kind: &str, help: &str, value: &dyn Fn(usize) -> f64| {
        let _ = writeln!(out, "# HELP streamflow_{name} {help}\n# TYPE streamflow_{name} {kind}");
        for i in 0..streams.len() {
            let _ = writeln!(out, "streamflow_{name}{{{}}} {}", label(i), value(i));
        }
    };
    let at = now();
    family("stream_live", "gauge", "1 while pictures come.", &|i| f64::from(u8::from(streams[i].0.live)));
    family("stream_viewers", "gauge", "Viewers of the stream.", &|i| f64::from(streams[i].0.viewers));
    family("stream_fps", "gauge", "Pictures a second from the publisher.", &|i| streams[i].1.pictures().incoming(at).1);
    family("stream_pictures_total", "counter", "Pictures from the publisher.", &|i| {
        get(&streams[i].1.published) as f64
    });
    family("stream_lost_total", "counter", "Pictures that the publisher left out.", &|i| {
        get(&streams[i].1.lost) as f64
    });
    family("sent_pictures_total", "counter", "Pictures given to viewers.", &|i| get(&streams[i].1.numbers.sent) as f64);
    family("sent_bytes_total", "counter", "Bytes of pictures given to viewers.", &|i| {
        get(&streams[i].1.numbers.bytes) as f64
    });
    family("skipped_pictures_total", "counter", "Pictures left out for viewers that were busy.", &|i| {
        get(&streams[i].1.numbers.skipped) as f64
    });
    let audio = |i: usize| &streams[i].1.numbers.audio;
    family("audio_packets_total", "counter", "Packets of sound from the publisher.", &|i| {
        get(&audio(i).received) as f64
    });
    family("left_out_audio_packets_total", "counter", "Packets of sound that the publisher left out.", &|i| {
        get(&audio(i).left_out) as f64
    });
    family("sent_audio_packets_total", "counter", "Packets of sound given to listeners.", &|i| {
        get(&audio(i).sent) as f64
    });
    family(
        "lost_audio_packets_total",
        "counter",
        "Packets of sound that were too old when a listener could take them.",
        &|i| get(&audio(i).lost) as f64,
    );
    let name = "streamflow_picture_age_seconds";
    let _ = writeln!(out, "# HELP {name} Age of pictures when they were given to a viewer.\n# TYPE {name} histogram");
    for (i, (_, stream)) in streams.iter().enumerate() {
        let (label, numbers) = (label(i), &stream.numbers);
        let mut count = 0;
        for (bucket, ages) in numbers.ages.iter().enumerate() {
            count += get(ages);
            let le = AGE_BUCKETS.get(bucket).map_or("+Inf".into(), |ms| (*ms as f64 / 1000.0).to_string());
            let _ = writeln!(out, "{name}_bucket{{{label},le=\"{le}\"}} {count}");
        }
        let sum = get(&numbers.age_sum) as f64 / 1e6;
        let _ = writeln!(out, "{name}_sum{{{label}}} {sum}\n{name}_count{{{label}}} {count}");
    }
    out
}

fn one(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    let _ =
        writeln!(out, "# HELP streamflow_{name} {help}\n# TYPE streamflow_{name} {kind}\nstreamflow_{name} {value}");
}
