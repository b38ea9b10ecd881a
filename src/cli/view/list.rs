//! `--list`: the streams of a hub, and how they are doing.

use std::io::Write as _;

use serde::{Deserialize, Serialize as _};

use super::Options;
use crate::cli::hub_location::Target;
use crate::cli::logging::ForTerminals;
use crate::error::{Error, Result};
use crate::net::address::HubAddress;
use crate::net::link::ask::{HubAnswer, ask};
use crate::text::Untrusted;

/// A stream, as `/api/streams` tells of it (`docs/http.md`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stream {
    room: String,
    name: String,
    live: bool,
    viewers: u32,
    sealed: bool,
    published: bool,
    reason: String,
    fps_in: f64,
    size: Option<String>,
    asked: Option<Nominal>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Nominal {
    size: String,
    fps: f64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<serde_json::Value>,
}

/// Prints them.
pub(super) fn list(options: &Options) -> anyhow::Result<()> {
    let Target { location, room, name, .. } = options.hub.target(&options.stream)?;
    let hub = location.to_ask();
    // Whoever named a room, by itself or in a link, means that one; and the right to all may be missing.
    let named = name.is_some() || room != "main" || options.stream.room.is_some();
    let of_room = format!("/api/streams?room={room}");
    let trust = || options.hub.trust();
    let path = if named { &of_room } else { "/api/streams" };
    let mut answer = ask(&hub, trust(), path, &room)?;
    if !named && matches!(answer.status, 401 | 403) {
        answer = ask(&hub, trust(), &of_room, &room)?;
    }
    let mut streams = read(&hub, &answer)?;
    streams.retain(|stream| name.as_deref().is_none_or(|name| stream["name"] == name));
    let mut out = std::io::stdout().lock();
    if options.json {
        let mut line = Vec::new();
        streams.serialize(&mut serde_json::Serializer::with_formatter(&mut line, ForTerminals))?;
        line.push(b'\n');
        return Ok(out.write_all(&line)?);
    }
    let streams = streams.into_iter().filter_map(|stream| serde_json::from_value(stream).ok()).collect::<Vec<_>>();
    Ok(out.write_all(table(&streams).as_bytes())?)
}

/// The streams in an answer.
fn read(hub: &HubAddress, answer: &HubAnswer) -> Result<Vec<serde_json::Value>> {
    let text = String::from_utf8_lossy(&answer.body);
    let words = text.lines().next().unwrap_or_default();
    match answer.status {
        200 => serde_json::from_slice(&answer.body)
            .map(|answer: Answer| answer.streams)
            .map_err(|_| Error::Unreachable(format!("what answers at {hub} is no StreamFlow hub (a web server)"))),
        401 | 403 => Err(Error::Refused(format!(
            "the hub at {hub} does not let this program in: {}. Ask whoever runs it for a link (on its machine: streamflow-hub link \
             --view main) and paste it: streamflow-view --list --join",
            Untrusted(words)
        ))),
        404 => Err(Error::Unreachable(format!("what answers at {hub} is no StreamFlow hub (a web server)"))),
        status => Err(Error::Unreachable(format!("{hub} answers: {} ({status})", Untrusted(words)))),
    }
}

/// A line for each stream, in columns.
fn table(streams: &[Stream]) -> String {
    if streams.is_empty() {
        return "no streams\n".into();
    }
    let mut rows = vec![["STREAM", "SIZE", "FPS", "VIEWERS", "STATE"].map(String::from)];
    for stream in streams {
        let nominal = stream.asked.as_ref();
        let size =
            stream.size.clone().or_else(|| nominal.map(|asked| asked.size.clone())).filter(|size| !size.is_empty());
        let fps = Some(stream.fps_in).filter(|fps| *fps > 0.0).or_else(|| nominal.map(|asked| asked.fps));
        let fps = fps.filter(|fps| *fps > 0.0).map(|fps| format!("{fps:.1}"));
        rows.push([
            format!("{}/{}", Untrusted(&stream.room), Untrusted(&stream.name)),
            size.map_or_else(|| "-".into(), |size| format!("{:.20}", Untrusted(size))),
            fps.unwrap_or_else(|| "-".into()),
            stream.viewers.to_string(),
            state(stream),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let line = |row: &[String; 5]| {
        let [stream, size, fps, viewers, state] = row;
        format!(
            "{stream:<0$}  {size:<1$}  {fps:>2$}  {viewers:>3$}  {state}\n",
            widths[0], widths[1], widths[2], widths[3]
        )
    };
    rows.iter().map(line).collect()
}

/// How a stream is doing, in words.
fn state(stream: &Stream) -> String {
    let sealed = if stream.sealed { ", end to end encrypted" } else { "" };
    match (stream.live, stream.reason.as_str(), stream.published) {
        (true, ..) => format!("live{sealed}"),
        (false, "", false) => "waits for its publisher".into(),
        (false, "", true) => format!("no picture yet{sealed}"),
        (false, why, _) => format!("{:.100}", Untrusted(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(text: &str) -> Vec<Stream> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn streams_are_told_with_what_matters_before_one_chooses() {
        let all = streams(
            r#"[{"room":"main","name":"door","live":true,"viewers":12,"fps_in":29.97,"size":"640x480","sealed":true},
                {"room":"main","name":"gate","live":true,"viewers":0,"asked":{"size":"1280x720","fps":15,"quality":80}},
                {"room":"yard","name":"b","live":false,"published":true,"reason":"camera unplugged","viewers":1,"size":null},
                {"room":"yard","name":"c\u009b","live":false,"viewers":1,"later":{}}]"#,
        );
        assert_eq!(
            table(&all),
            "STREAM        SIZE       FPS  VIEWERS  STATE\n\
             main/door     640x480   30.0       12  live, end to end encrypted\n\
             main/gate     1280x720  15.0        0  live\n\
             yard/b        -            -        1  camera unplugged\n\
             yard/c\\u{9b}  -            -        1  waits for its publisher\n"
        );
        assert_eq!(table(&[]), "no streams\n");
    }

    #[test]
    fn an_answer_of_another_program_is_no_list() {
        let hub: HubAddress = "desk".parse().unwrap();
        let said = |status, body: &str| read(&hub, &HubAnswer { status, body: body.into() }).unwrap_err();
        assert!(matches!(said(200, "<html>"), Error::Unreachable(_)) && matches!(said(404, ""), Error::Unreachable(_)));
        assert!(matches!(said(403, "no\u{9b}"), Error::Refused(why) if why.contains("no\\u{9b}")));
        assert!(read(&hub, &HubAnswer { status: 200, body: b"{}".to_vec() }).unwrap().is_empty());
    }
}
