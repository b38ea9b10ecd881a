//! `--list`, and `--follow`: the cameras there are, and those that come and go.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::cli::Interrupt;
use crate::source::camera::{self, CameraInfo, Comings};
use crate::text::Untrusted;
use crate::time::now;

/// How long nothing more must have happened before the cameras are listed anew: a camera has several nodes, and gets its rights and
/// its name by id a moment after them.
const QUIET: Duration = Duration::from_millis(300);
/// They are listed then, also where it goes on.
const LATEST: Duration = Duration::from_secs(2);
/// How long the interrupt may wait.
const TURN: Duration = Duration::from_millis(100);

/// Prints the cameras; with `follow`, then each that comes or goes, until it is interrupted.
pub(super) fn run(json: bool, follow: bool) -> anyhow::Result<()> {
    if !follow {
        return Ok(print(&mut io::stdout().lock(), &camera::list(), json, false)?);
    }
    let interrupt = Interrupt::install()?;
    // What comes while they are listed is not missed.
    let mut comings = Comings::begin();
    let mut known = camera::list();
    print(&mut io::stdout().lock(), &known, json, true)?;
    while !interrupt.came() {
        if !comings.changed_within(TURN) {
            continue;
        }
        let since = now();
        while !interrupt.came() && now().since(since) < LATEST && is_restless(&mut comings) {}
        let there = camera::list();
        let mut out = io::stdout().lock();
        for change in changes(&known, &there) {
            tell(&mut out, &change, json)?;
        }
        out.flush()?;
        known = there;
    }
    Ok(())
}

fn is_restless(comings: &mut Comings) -> bool {
    let since = now();
    while now().since(since) < QUIET {
        if comings.changed_within(QUIET.saturating_sub(now().since(since))) {
            return true;
        }
    }
    false
}

fn print(out: &mut dyn Write, cameras: &[CameraInfo], json: bool, follow: bool) -> io::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(&cameras)?)?;
        return out.flush();
    }
    if cameras.is_empty() {
        let how = if follow { "waiting for one" } else { "--source pattern shows a test picture" };
        writeln!(out, "no camera found; {how}")?;
    }
    for camera in cameras {
        writeln!(out, "{}", line(camera))?;
        if let Some(path) = &camera.by_id {
            writeln!(out, "   {}", Untrusted(path))?;
        }
        if let Some(problem) = &camera.problem {
            writeln!(out, "   {:.500}", Untrusted(problem))?;
        }
        for format in &camera.formats {
            let rates: Vec<String> =
                format.fps.iter().map(|fps| format!("{}", (fps * 100.0).round() / 100.0)).collect();
            let rates = if rates.is_empty() { String::new() } else { format!("  {} fps", rates.join(", ")) };
            writeln!(out, "   {:5} {:>9}{rates}", Untrusted(&format.format), format.size.to_string())?;
        }
    }
    out.flush()
}

fn line(camera: &CameraInfo) -> String {
    format!("{}  {}  {}", camera.index, Untrusted(&camera.name), Untrusted(&camera.path)).trim_end().to_owned()
}

/// What became of a camera.
#[derive(Debug, PartialEq, Serialize)]
struct Change<'a> {
    change: What,
    camera: &'a CameraInfo,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Came,
    Went,
    /// It was there, and can be used now, or cannot any more; or has other formats.
    Changed,
}

/// What is to be said of the cameras that are there now, after those that were.
fn changes<'a>(before: &'a [CameraInfo], now: &'a [CameraInfo]) -> Vec<Change<'a>> {
    // Its name by id is made a moment after it.
    let may_be = |a: &Option<String>, b: &Option<String>| a == b || a.is_none() || b.is_none();
    let same = |a: &CameraInfo, b: &CameraInfo| {
        (a.index, &a.name, &a.path) == (b.index, &b.name, &b.path) && may_be(&a.by_id, &b.by_id)
    };
    let is_in = |all: &[CameraInfo], one: &CameraInfo| all.iter().any(|other| same(other, one));
    let went = before.iter().filter(|camera| !is_in(now, camera)).map(|camera| (What::Went, camera));
    let others = now.iter().filter(|camera| !before.contains(camera));
    let others = others.map(|camera| (if is_in(before, camera) { What::Changed } else { What::Came }, camera));
    went.chain(others).map(|(change, camera)| Change { change, camera }).collect()
}

fn tell(out: &mut dyn Write, change: &Change<'_>, json: bool) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string(change)?);
    }
    let camera = change.camera;
    let what = match change.change {
        What::Came => "came",
        What::Went => "went",
        What::Changed => "changed",
    };
    write!(out, "{what}: {}", line(camera))?;
    if let (Some(path), true) = (&camera.by_id, change.change != What::Went) {
        write!(out, "  {}", Untrusted(path))?;
    }
    match &camera.problem {
        Some(problem) if change.change != What::Went => writeln!(out, "; {:.500}", Untrusted(problem)),
        _ if change.change != What::Changed => writeln!(out),
        _ => writeln!(out, "; it can be used now"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;
    use crate::source::camera::CameraFormat;

    fn camera(index: u32, problem: Option<&str>) -> CameraInfo {
        CameraInfo {
            index,
            name: format!("Cam {index}"),
            path: format!("/dev/video{index}"),
            by_id: (index == 2).then(|| "/dev/v4l/by-id/usb-Cam_2-video-index0".into()),
            formats: vec![CameraFormat { format: "mjpeg".into(), size: Size::new(640, 480), fps: vec![30.0, 14.985] }],
            problem: problem.map(str::to_owned),
        }
    }

    fn said(before: &[CameraInfo], now: &[CameraInfo], json: bool) -> String {
        let mut out = Vec::new();
        changes(before, now).iter().for_each(|change| tell(&mut out, change, json).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_camera_that_comes_or_goes_is_a_line() {
        let (one, two) = ([camera(0, None)], [camera(2, None)]);
        assert_eq!(said(&one, &one, false), "");
        assert_eq!(
            said(&one, &two, false),
            "went: 0  Cam 0  /dev/video0\ncame: 2  Cam 2  /dev/video2  /dev/v4l/by-id/usb-Cam_2-video-index0\n"
        );
        let denied = [camera(0, Some("permission denied"))];
        assert_eq!(said(&[], &denied, false), "came: 0  Cam 0  /dev/video0; permission denied\n");
        assert_eq!(said(&denied, &one, false), "changed: 0  Cam 0  /dev/video0; it can be used now\n");
    }

    #[test]
    fn programs_get_the_same_as_json() {
        let told = said(&[camera(0, None)], &[camera(2, None)], true);
        let lines: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["change"], &lines[0]["camera"]["index"]), (&"went".into(), &0.into()));
        assert_eq!(
            (&lines[1]["change"], &lines[1]["camera"]["by_id"]),
            (&"came".into(), &"/dev/v4l/by-id/usb-Cam_2-video-index0".into())
        );
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn the_list_has_what_one_pastes_and_no_escapes_of_a_devices_own() {
        let odd = CameraInfo { name: "Cam\x1b[2J".into(), ..camera(2, Some("camera busy: another program has it")) };
        let mut out = Vec::new();
        print(&mut out, &[odd], false, false).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "2  Cam\\u{1b}[2J  /dev/video2\n   /dev/v4l/by-id/usb-Cam_2-video-index0\n   camera busy: another program has it\n   \
             mjpeg   640x480  30, 14.99 fps\n"
        );
    }
}
