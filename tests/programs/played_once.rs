//! Pictures that are played once, and those that are saved.

use std::fs;
use std::path::PathBuf;

use streamflow::internal::frame::Size;
use streamflow::internal::source::stamp;
use streamflow::internal::time::{Micros, now};

use crate::running::*;
use crate::support::{self, limited, until};

fn waiting_viewer(host: &str, name: &str, frames: u32, folder: &PathBuf) -> Running {
    let frames = frames.to_string();
    let mut view = command(VIEW, ["--headless", "--host", host, "--name", name, "--frames", &frames, "--save"]);
    view.arg(folder);
    let mut view = Running::start(view);
    view.says(&format!("waiting for main/{name}"));
    view
}

/// What is saved there, in no order.
fn saved(folder: &PathBuf) -> Vec<Vec<u8>> {
    fs::read_dir(folder).into_iter().flatten().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn what_is_played_once_reaches_the_viewer_that_waits_to_its_last_picture() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let folder = folder("once");
        fs::create_dir_all(&folder).unwrap();
        let pictures: Vec<_> = (0..5).map(|n| support::jpeg(40 * n)).collect();
        let (one, five) = (folder.join("one.jpg"), folder.join("five.mjpg"));
        fs::write(&one, &pictures[0]).unwrap();
        fs::write(&five, pictures.concat()).unwrap();
        for (name, input, arguments) in [
            ("file", None, ["--once", "--source", one.to_str().unwrap()]),
            ("pipe", Some(&one), ["--fps=30", "--source", "-"]),
            ("pipe-once", Some(&one), ["--once", "--source", "-"]),
        ] {
            let seen = folder.join(name);
            let view = waiting_viewer(&host, name, 1, &seen);
            let mut send = command(SEND, ["--host", &host, "--name", name].into_iter().chain(arguments));
            if let Some(path) = input {
                send.stdin(fs::File::open(path).unwrap());
            }
            let sent = Running::start(send).end();
            assert_eq!(sent.code, Some(0), "{name}: {sent:?}");
            let viewed = view.end();
            assert_eq!(viewed.code, Some(0), "{name}: {viewed:?}");
            assert_eq!(saved(&seen), [pictures[0].clone()], "{name}");
        }
        // Of several, a busy machine may skip some, but never the last.
        let seen = folder.join("several");
        let _view = waiting_viewer(&host, "several", 100, &seen);
        let arguments = ["--host", &host, "--name", "several", "--once", "--source", five.to_str().unwrap()];
        assert_eq!(run(SEND, &arguments).code, Some(0));
        until("the last picture is there", || saved(&seen).contains(&pictures[4]));
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn what_is_played_once_waits_for_its_first_viewer_in_a_hub_of_its_own_too() {
    limited(|| {
        let folder = folder("once-first");
        fs::create_dir_all(folder.join("film")).unwrap();
        fs::write(folder.join("film/1.jpg"), support::jpeg(7)).unwrap();
        let film = folder.join("film");
        let mut send = Running::start(command(
            SEND,
            ["--listen", "127.0.0.1:0", "--name", "film", "--once", "--source", film.to_str().unwrap()],
        ));
        let line = send.says("hosts the hub at ");
        let host = line.split("hosts the hub at ").nth(1).unwrap().split(": ").next().unwrap().to_string();
        send.says("when the first viewer is there");
        let seen = folder.join("seen");
        let seen = seen.to_str().unwrap();
        let view = ["--headless", "--host", &host, "--name", "film", "--frames", "1", "--save", seen];
        let viewed = run(VIEW, &view);
        assert_eq!(viewed.code, Some(0), "{viewed:?}");
        let sent = send.end();
        assert_eq!(sent.code, Some(0), "{sent:?}");
        assert_eq!(saved(&PathBuf::from(seen)), [support::jpeg(7)]);
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_pipe_that_is_over_before_the_hub_was_reached_says_so() {
    limited(|| {
        let folder = folder("unreached");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("one.jpg"), support::jpeg(7)).unwrap();
        let mut send = command(SEND, ["--source", "-", "--host", "127.0.0.1:1"]);
        send.stdin(fs::File::open(folder.join("one.jpg")).unwrap());
        let ended = Running::start(send).end();
        assert_eq!(ended.code, Some(5), "{ended:?}");
        assert!(ended.err.contains("the hub has not had its last picture"), "{ended:?}");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn the_picture_that_is_saved_is_the_picture_that_was_sent() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let begun = now();
        let _sender = sender(&host, "door");
        let folder = folder("saved");
        let view = ["--headless", "--host", &host, "--name", "door", "--frames", "20", "--save"];
        let mut view = command(VIEW, view);
        view.arg(&folder);
        let ended = Running::start(view).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");

        let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        assert_eq!(paths.len(), 20);
        let size = Size::new(320, 240);
        let mut stamps = Vec::new();
        for path in &paths {
            assert!(path.file_name().unwrap().to_str().unwrap().starts_with("main-door-"), "{path:?}");
            let picture = image::open(path).unwrap().to_luma8();
            assert_eq!(picture.dimensions(), (size.width, size.height));
            let luma = |x, y| picture.get_pixel(u32::try_from(x).unwrap(), u32::try_from(y).unwrap()).0[0];
            let stamp = stamp::read_with(size, luma);
            stamps.push(stamp.unwrap_or_else(|| panic!("no stamp in {path:?}")));
        }
        // Its painted number and time go on, and the time is that of this machine's clock.
        let lower = |time: Micros| time.0 & 0xffff_ffff_ffff;
        assert!(stamps.is_sorted_by(|a, b| a.number < b.number && a.time < b.time), "{stamps:?}");
        assert!(stamps.iter().all(|s| (lower(begun)..lower(now())).contains(&s.time.0)), "{stamps:?}");
        fs::remove_dir_all(folder).unwrap();
    });
}
