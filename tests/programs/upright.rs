//! Pictures the right way up, and with the time in them, from the program to whoever watches.

use std::fs;
use std::time::{Duration, SystemTime};

use streamflow::internal::frame::{Frame, PixelFormat, Range, Size};
use streamflow::internal::jpeg::{Bitmap, Caption, Corner, Decoder, Encoder, Part, Shaping, turn_jpeg};
use streamflow::internal::source::stamp;
use streamflow::internal::time::now;
use streamflow::internal::wire::jpeg::{Orientation, header, put_orientation};

use crate::running::*;
use crate::support::http::get;
use crate::support::{limited, until};

fn gray(size: Size, data: Vec<u8>) -> Frame {
    Frame { data: data.into(), format: PixelFormat::Gray, size, range: Range::Full, ..Frame::default() }
}

/// A picture of which each part is another.
fn picture(size: Size) -> Vec<u8> {
    let at = |n: usize| (n % size.width as usize * 150 / size.width as usize + n / size.area().div_ceil(100)) as u8;
    let mut out = Vec::new();
    Encoder::new().unwrap().encode(&gray(size, (0..size.area()).map(at).collect()), size, 90, &mut out).unwrap();
    out
}

fn decoded(picture: &[u8]) -> Bitmap {
    let mut bitmap = Bitmap::default();
    Decoder::new().unwrap().decode(picture, &mut bitmap).unwrap();
    bitmap
}

/// The pixels of a part of a picture, turned, one by one.
fn turned(from: &Bitmap, part: Part, turn: Orientation) -> Bitmap {
    let (size, (swap, rows, columns)) = (turn.shown(part.size), turn.steps());
    let mut pixels = Vec::new();
    for r in 0..size.height {
        for c in 0..size.width {
            let (r, c) = if swap { (c, r) } else { (r, c) };
            let y = part.y + if rows { part.size.height - 1 - r } else { r };
            let x = part.x + if columns { part.size.width - 1 - c } else { c };
            pixels.push(from.pixels[(y * from.size.width + x) as usize]);
        }
    }
    Bitmap { size, pixels }
}

/// The greatest difference of two pictures, and their mean one.
fn apart(a: &Bitmap, b: &Bitmap) -> (u32, f64) {
    assert_eq!(a.size, b.size);
    let apart = a.pixels.iter().zip(&b.pixels).map(|(a, b)| (a & 0xFF).abs_diff(b & 0xFF));
    (apart.clone().max().unwrap(), f64::from(apart.sum::<u32>()) / a.pixels.len() as f64)
}

/// One picture of a sender with these options, as a viewer has it, and what the sender said.
fn sent(name: &str, options: &[&str], listed: &str) -> (Vec<u8>, String) {
    let (_hub, host) = hub(&[]);
    let mut send = command(SEND, ["--host", &host, "--name", name].iter().chain(options));
    // Two hours east of Greenwich.
    send.env("TZ", "ABC-2");
    let mut sender = Running::start(send);
    sender.says("publishes main/");
    let folder = folder(name);
    let arguments =
        ["--headless", "--host", &host, "--name", name, "--frames", "1", "--save", folder.to_str().unwrap()];
    let seen = run(VIEW, &arguments);
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let listed = format!("\"{listed}\"");
    until("the list tells the size", || get(host.parse().unwrap(), "/api/streams").text().contains(&listed));
    let saved = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let picture = fs::read(saved).unwrap();
    fs::remove_dir_all(folder).unwrap();
    sender.signal(rustix::process::Signal::TERM);
    (picture, sender.end().err)
}

const AGAIN: &str = "decoded and encoded again";

#[test]
fn a_jpeg_that_passes_is_cut_and_turned_without_loss() {
    limited(|| {
        let size = Size::new(320, 240);
        let folder = folder("turned");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file.jpg");
        let mut stored = picture(size);
        let before = decoded(&stored);
        // It lies on a side as it is stored, as phones write it.
        put_orientation(Orientation::new(8), &mut stored, 0);
        for (name, stored, options, part, turn) in [
            ("right", &picture(size), &["--rotate", "90"][..], Part::whole(size), 6),
            ("mirrored", &picture(size), &["--rotate", "180", "--mirror"], Part::whole(size), 4),
            ("part", &picture(size), &["--crop", "96x64+160+32"], Part { x: 160, y: 32, size: Size::new(96, 64) }, 1),
            ("phone", &stored, &["--rotate", "180"], Part::whole(size), 6),
        ] {
            fs::write(&file, stored).unwrap();
            let expected = turned(&before, part, Orientation::new(turn));
            let options = ["--source", file.to_str().unwrap()].iter().chain(options).copied().collect::<Vec<_>>();
            let (picture, said) = sent(name, &options, &expected.size.to_string());
            assert_eq!(header(&picture).unwrap().orientation, Orientation::UPRIGHT, "nobody turns it again");
            // The decoder rounds rows and columns in turn.
            assert!(apart(&decoded(&picture), &expected).0 <= 2, "{name}");
            if part == Part::whole(size) {
                let back = (1..=8)
                    .map(Orientation::new)
                    .find(|back| Orientation::new(turn).then(*back) == Orientation::UPRIGHT);
                let mut again = Vec::new();
                turn_jpeg(&picture, Part::whole(expected.size), back.unwrap(), &mut again).unwrap();
                assert!(decoded(&again) == before, "{name}: nothing was lost");
            }
            assert!(!said.contains(AGAIN), "{name}: {said}");
        }
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_jpeg_that_cannot_be_turned_without_loss_is_encoded_again_and_the_sender_says_why() {
    limited(|| {
        let size = Size::new(320, 250);
        let folder = folder("again");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file.jpg");
        let stored = picture(size);
        fs::write(&file, &stored).unwrap();
        for (name, options, part, turn, why) in [
            ("edge", &["--rotate", "90"][..], Part::whole(size), 6, "320x250 is no whole number of them"),
            ("place", &["--crop", "96x64+5+7"], Part { x: 5, y: 7, size: Size::new(96, 64) }, 1, "does not begin"),
        ] {
            let expected = turned(&decoded(&stored), part, Orientation::new(turn));
            let options = ["--source", file.to_str().unwrap()].iter().chain(options).copied().collect::<Vec<_>>();
            let (picture, said) = sent(name, &options, &expected.size.to_string());
            let (_, mean) = apart(&decoded(&picture), &expected);
            assert!(mean < 2.0, "{name}: {mean}");
            assert_eq!(said.matches(AGAIN).count(), 1, "{said}");
            assert!(said.contains(why), "{said}");
        }
        let options = ["--source", file.to_str().unwrap(), "--size", "160x160"];
        let (picture, said) = sent("smaller", &options, "160x126");
        assert_eq!(decoded(&picture).size, Size::new(160, 126), "it keeps its aspect");
        assert!(said.contains("scaled to 160x126"), "{said}");
        let options = ["--source", file.to_str().unwrap(), "--size", "160x160", "--fill"];
        let (picture, _) = sent("filled", &options, "160x160");
        assert_eq!(decoded(&picture).size, Size::new(160, 160));
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn what_is_encoded_here_is_turned_and_has_its_size_turned() {
    limited(|| {
        for (name, options, size, turn) in [
            ("pattern", &["--rotate", "270"][..], Size::new(480, 640), 8),
            ("sized", &["--rotate", "90", "--mirror", "--size", "240x320"], Size::new(240, 320), 5),
        ] {
            let options = ["--source", "pattern"].iter().chain(options).copied().collect::<Vec<_>>();
            let (picture, _) = sent(name, &options, &size.to_string());
            let shown = decoded(&picture);
            assert_eq!(shown.size, size);
            let back = match turn {
                8 => 6,
                other => other,
            };
            let upright = turned(&shown, Part::whole(size), Orientation::new(back));
            let luma = |x: usize, y: usize| (upright.pixels[y * upright.size.width as usize + x] >> 8) as u8;
            assert!(stamp::read_with(upright.size, luma).is_some(), "{name}: what the pattern paints is found again");
        }
    });
}

#[test]
fn the_time_in_a_picture_is_the_one_at_which_it_was_taken_in_local_time() {
    limited(|| {
        let text = "%F %T.%3f {room}/{name}";
        let options = ["--source", "pattern", "--stamp", text, "--stamp-size", "6", "--stamp-position", "bottom-right"];
        let (picture, _) = sent("clock", &options, "640x480");
        let shown = decoded(&picture);
        let size = shown.size;
        // The pattern paints the machine's clock in cells; so long ago was it taken.
        let luma = |x: usize, y: usize| (shown.pixels[y * size.width as usize + x] >> 8) as u8;
        let taken = stamp::read_with(size, luma).unwrap().time;
        let (today, ago) = (SystemTime::now(), now().since(taken));
        let taken = today.duration_since(SystemTime::UNIX_EPOCH).unwrap() - ago + Duration::from_secs(2 * 3600);
        // What the line would look like for each millisecond about that.
        let (mut encoder, mut caption) = (Encoder::new().unwrap(), Caption::new(Corner::BottomRight, 6.0));
        let shaping = Shaping { part: Part::whole(size), turn: Orientation::UPRIGHT, size };
        let mut off = (-60..=60_i64)
            .map(|ms| {
                let at = i64::try_from(taken.as_millis()).unwrap() + ms;
                let at = jiff::Timestamp::from_millisecond(at).unwrap();
                let line = format!("{} main/clock", at.strftime("%F %T.%3f"));
                let mut out = Vec::new();
                encoder
                    .load_shaped(&gray(size, vec![128; size.area()]), &shaping, Some((&mut caption, &line)))
                    .unwrap();
                encoder.compress(size, 80, &mut out).unwrap();
                let expected = decoded(&out);
                // The line of the second is where both are; the rest of the pattern is another picture.
                let rows = (size.height as usize - 36)..(size.height as usize - 20);
                let sum = rows
                    .flat_map(|y| (100..620).map(move |x| y * size.width as usize + x))
                    .map(|n| u64::from((shown.pixels[n] >> 8 & 0xFF).abs_diff(expected.pixels[n] >> 8 & 0xFF)));
                (sum.sum::<u64>(), ms)
            })
            .collect::<Vec<_>>();
        off.sort_unstable();
        let ((best, ms), (next, _)) = (off[0], off[1]);
        assert!(ms.abs() <= 2, "the time in the picture is off by {ms} ms");
        assert!(best < next, "{best} {next}");
    });
}

#[test]
fn what_makes_no_sense_together_is_refused_with_words() {
    limited(|| {
        for (arguments, hint) in [
            (&["--rotate", "45"][..], "write 90, 180 or 270"),
            (&["--crop", "320x240"], "320x240+100+50"),
            (&["--fill"], "--fill needs --size"),
            (&["--rotate", "180", "--mirror", "--flip"], "leave all three out"),
            (&["--stamp-size", "5"], "need --stamp"),
            (&["--stamp-position", "top-left"], "need --stamp"),
            (&["--stamp", "x", "--stamp-position", "middle"], "bottom-right"),
            (&["--stamp", "x", "--stamp-size", "50"], "1 to 25"),
            (&["--stamp", "{nome}"], "write {name}, {room} or {host}"),
            (&["--stamp", "%F %!"], "as for strftime"),
        ] {
            let ended = run(SEND, &[&["--source", "pattern", "--host", "127.0.0.1:1"], arguments].concat());
            assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
            assert!(ended.err.contains(hint), "{arguments:?}: {ended:?}");
        }
    });
}

#[test]
fn a_part_outside_of_the_picture_is_said_to_the_sender_and_to_viewers() {
    limited(|| {
        let folder = folder("outside");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file.jpg");
        fs::write(&file, picture(Size::new(320, 240))).unwrap();
        let (_hub, host) = hub(&[]);
        let options =
            ["--host", &host, "--name", "outside", "--crop", "64x64+900+0", "--source", file.to_str().unwrap()];
        let mut sender = Running::start(command(SEND, options));
        let mut viewer = Running::start(command(VIEW, ["--headless", "--host", &host, "--name", "outside"]));
        sender.says("64x64+900+0 lies outside of the picture of 320x240");
        viewer.says("lies outside of the picture");
        fs::remove_dir_all(folder).unwrap();
    });
}
