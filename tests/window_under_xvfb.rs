//! The window on a real X server without a screen: what a person would see, and the keys that a person would press.
//!
//! Skipped, and said so, where there is no `Xvfb`; the keys too where there is no `xdotool`.

// The helpers of tests are tests too.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use streamflow::internal::display::{Action, Screen};
use streamflow::internal::frame::Size;
use streamflow::internal::jpeg::Bitmap;
use streamflow::internal::stats::{State, ViewReport};
use streamflow::internal::time::now;

const PICTURE: u32 = 0x0030_A060;
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with the window: this test started again, with a display. It does what it is told on its input.
#[test]
#[ignore = "started by the other tests, with a display"]
fn the_window_itself() {
    let size = Size::new(640, 480);
    let mut screen = match Screen::open("test", size) {
        Ok(screen) => screen,
        Err(error) => {
            println!("error: {error}");
            return;
        }
    };
    let (sender, orders) = channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut report = ViewReport::default();
    report.stream = "main/door".into();
    let (mut spare, mut comes) = (Bitmap::default(), false);
    let (mut several, mut gone) = (0, None);
    let mut size = size;
    let (mut slow, mut step) = (None, false);
    loop {
        match orders.try_recv().as_deref() {
            Ok("large picture") => (size, comes, report.state) = (Size::new(1920, 1080), true, State::Live),
            Ok(count) if count.parse::<usize>().is_ok() => {
                (several, report.state) = (count.parse().unwrap(), State::Live);
                screen.show_several(several).unwrap();
            }
            Ok("picture") => (report.state, comes) = (State::Live, true),
            Ok("one gone") => gone = Some(1),
            Ok("late") => (report.state, report.reached_ms, comes) = (State::Late, Some(1240.0), false),
            Ok("note") => screen.note("saved", now()),
            Ok("slow clock") => slow = Some(now()),
            Ok("right clock") => slow = None,
            Ok("step") => step = true,
            Ok(why) => (report.state, report.detail, comes) = (State::Lost, why.into(), false),
            Err(_) => {}
        }
        for n in 0..several {
            let shade = 0x20 * (n as u32 + 1);
            let tile = Bitmap { size, pixels: vec![shade << 16 | shade; size.area()] };
            screen.present_one(n, tile, &report, now()).unwrap();
            let mut of = report.clone();
            if gone == Some(n) {
                (of.state, of.detail) = (State::Lost, "camera unplugged, 4 s".into());
            }
            screen.tell_one(n, &of, now());
        }
        if comes && several == 0 {
            spare.size = size;
            spare.pixels.clear();
            spare.pixels.resize(size.area(), PICTURE);
            spare = screen.present(spare, &report, now()).unwrap();
        }
        // However slow the machine is: a double click has half a second.
        let at = slow.map_or_else(now, |begun| begun + now().since(begun) / 60);
        for action in screen.tick(&report, at).unwrap() {
            println!("{action:?}");
            if action == Action::Quit {
                return;
            }
        }
        if std::mem::take(&mut step) {
            println!("step");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn child(display: Option<&str>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_window_itself", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY").envs(display.map(|d| ("DISPLAY", d)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// An X server, the window on it, and what it said.
struct Desk {
    server: Child,
    window: Child,
    said: Receiver<String>,
    display: String,
    folder: PathBuf,
}

impl Desk {
    // Both processes are waited for in `drop`.
    #[allow(clippy::zombie_processes)]
    fn open(name: &str) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("streamflow-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-fbdir"])
            .arg(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut server) = server else {
            eprintln!("SKIPPED: {name}: there is no Xvfb here");
            return None;
        };
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        let mut window = child(Some(&display)).spawn().unwrap();
        let (sender, said) = channel();
        let lines = BufReader::new(window.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Some(Self { server, window, said, display, folder })
    }

    fn order(&mut self, order: &str) {
        writeln!(self.window.stdin.as_mut().unwrap(), "{order}").unwrap();
    }

    /// Presses a key and lets it go at once; false where nobody can.
    fn press(&self, key: &str) -> bool {
        let pressed = Command::new("xdotool").args(["key", "--delay", "0", key]).env("DISPLAY", &self.display).status();
        if pressed.is_err() {
            eprintln!("SKIPPED: the keys: there is no xdotool here");
        }
        pressed.is_ok_and(|status| status.success())
    }

    /// Presses the button there, or lets it go. It is held until the window has said that it saw that.
    fn button(&self, step: &str, x: u32, y: u32) {
        for step in [&["mousemove", &x.to_string(), &y.to_string()][..], &[step, "1"]] {
            Command::new("xdotool").args(step).env("DISPLAY", &self.display).status().unwrap();
        }
    }

    /// Moves there, presses the button and lets it go, so often; each time the window has had a look.
    fn clicks(&mut self, times: usize, x: u32, y: u32) {
        // Where the pointer is and whether the button is down are not read at the same moment.
        self.button("mouseup", x, y);
        self.wait_for_a_look();
        for _ in 0..times {
            for step in ["mousedown", "mouseup"] {
                self.button(step, x, y);
                self.wait_for_a_look();
            }
        }
    }

    fn wait_for_a_look(&mut self) {
        // The first one may have begun before.
        for _ in 0..2 {
            self.order("step");
            self.wait_for_word("step");
        }
    }

    /// Whether a window is found by this.
    fn finds(&self, by: &str, what: &str) -> bool {
        let found = Command::new("xdotool").args(["search", by, what]).env("DISPLAY", &self.display).output();
        found.is_ok_and(|found| !found.stdout.trim_ascii().is_empty())
    }

    /// What was said until this word, once this key was pressed.
    fn heard(&self, key: &str, word: &str) -> Vec<String> {
        assert!(self.press(key));
        let deadline = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while let Ok(line) = self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.contains(word) {
                return heard;
            }
            heard.push(line);
        }
        panic!("nobody said {word}: {heard:?}");
    }

    fn wait_for_word(&self, word: &str) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.contains(word) {
                return;
            }
        }
        panic!("nobody said {word}");
    }

    fn wait_for_sight(&self, what: &str, is_there: impl Fn(&Sight) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sight = Sight::take(&self.folder.join("Xvfb_screen0"));
            if sight.as_ref().is_some_and(&is_there) {
                return;
            }
            if Instant::now() > deadline {
                panic!(
                    "never seen: {what}; colours {:x?}",
                    sight.map(|s| [s.at(5, 5), s.at(200, 150), s.at(300, 500)])
                );
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for process in [&mut self.window, &mut self.server] {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The pixels of the screen, from the file in which the server keeps them (X window dump, XWDFile.h).
struct Sight {
    width: usize,
    bytes: Vec<u8>,
    start: usize,
    pitch: usize,
}

impl Sight {
    fn take(file: &Path) -> Option<Self> {
        let bytes = std::fs::read(file).ok()?;
        let word = |n: usize| Some(u32::from_be_bytes(*bytes.get(4 * n..)?.first_chunk()?) as usize);
        let (header, width, pitch, colours) = (word(0)?, word(4)?, word(12)?, word(19)?);
        let start = header + 12 * colours;
        Some(Self { width, start, pitch, bytes })
    }

    fn at(&self, x: usize, y: usize) -> u32 {
        let at = self.start + y * self.pitch + 4 * x.min(self.width - 1);
        self.bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], 0]))
    }

    /// Pixels of the colour among those of a rectangle, in percent.
    fn share(&self, colour: u32, [x, y, width, height]: [usize; 4]) -> usize {
        let all = (0..height).flat_map(|dy| (0..width).map(move |dx| (x + dx, y + dy)));
        100 * all.filter(|&(x, y)| self.at(x, y) == colour).count() / (width * height)
    }
}

/// Where the window of 640x480 is on the screen of 1024x768, its upper rows, and where its box of statistics lies.
const UPPER: [usize; 4] = [192, 144, 640, 40];
const BOX: [usize; 4] = [210, 420, 300, 160];
const LINE: [usize; 4] = [210, 592, 100, 20];
const BADGE: [usize; 4] = [210, 585, 80, 20];
const MIDDLE: [usize; 4] = [552, 334, 48, 30];

#[test]
fn a_person_sees_the_picture_its_statistics_and_why_there_is_none_and_every_short_press_counts() {
    let Some(mut desk) = Desk::open("window") else { return };
    desk.wait_for_sight("a calm dark with a reason", |s| s.at(200, 150) & 0xFF > 0x20 && s.at(200, 150) != PICTURE);
    desk.order("picture");
    desk.wait_for_sight("the picture, all of its stamp, and a line", |s| {
        s.share(PICTURE, UPPER) == 100
            && s.share(PICTURE, BOX) == 100
            && s.share(PICTURE, LINE) == 0
            && s.share(PICTURE, MIDDLE) == 100
    });
    desk.order("note");
    desk.wait_for_sight("a note in the other corner, and the line", |s| {
        s.share(PICTURE, [760, 580, 60, 20]) < 50 && s.share(PICTURE, LINE) == 0
    });
    desk.wait_for_sight("the note is gone", |s| s.share(PICTURE, [760, 580, 60, 20]) == 100);
    desk.order("camera unplugged");
    desk.wait_for_sight("the last picture, dimmed and grey", |s| {
        let [_, r, g, b] = s.at(200, 150).to_be_bytes();
        g.abs_diff(r) < 10 && g.abs_diff(b) < 10 && (0x10..0x60).contains(&g) && s.share(s.at(200, 150), MIDDLE) < 90
    });
    desk.order("picture");
    desk.wait_for_sight("the picture again", |s| s.share(PICTURE, MIDDLE) == 100);
    if !desk.press("t") {
        return;
    }
    desk.wait_for_sight("all of the statistics after T", |s| {
        s.share(PICTURE, BOX) == 0 && s.share(PICTURE, UPPER) == 100
    });
    assert!(desk.press("t"));
    desk.wait_for_sight("none after T", |s| s.share(PICTURE, BOX) == 100 && s.share(PICTURE, LINE) == 100);
    desk.order("late");
    desk.wait_for_sight("a badge on a picture that stands still", |s| {
        s.share(PICTURE, BADGE) < 20 && s.share(PICTURE, MIDDLE) == 100 && s.share(PICTURE, UPPER) == 100
    });
    desk.order("picture");
    desk.wait_for_sight("no badge", |s| s.share(PICTURE, BADGE) == 100);
    assert!(desk.press("t"));
    desk.wait_for_sight("the line again", |s| s.share(PICTURE, LINE) == 0);
    assert!(desk.press("question"));
    desk.wait_for_sight("the keys in place of the line after ?", |s| {
        s.share(PICTURE, MIDDLE) == 0 && s.share(PICTURE, BADGE) == 100
    });
    desk.order("late");
    desk.wait_for_sight("a badge beside the keys", |s| s.share(PICTURE, BADGE) < 20 && s.share(PICTURE, MIDDLE) == 0);
    desk.order("picture");
    // Esc closes the keys, as H does, and not the window.
    assert!(desk.press("Escape"));
    assert!(desk.press("h"));
    assert!(desk.press("h"));
    for _ in 0..5 {
        assert!(desk.press("s"));
        desk.wait_for_word("Snapshot");
    }
    assert!(desk.press("r"));
    desk.wait_for_word("Turn");
    // With Shift it is another key, and none yet.
    assert!(desk.press("shift+r"));
    assert!(desk.press("shift+s"));
    assert!(desk.press("f"));
    desk.wait_for_sight("a full screen after F", |s| [5, 500, 1018].map(|n| s.at(n, 5)) == [PICTURE; 3]);
    assert!(desk.press("f"));
    desk.wait_for_sight("the window again", |s| s.at(5, 5) == 0 && s.share(PICTURE, UPPER) == 100);
    assert!(desk.press("f"));
    desk.wait_for_sight("a full screen once more", |s| s.at(5, 5) == PICTURE);
    assert!(desk.press("Escape"));
    desk.wait_for_sight("the window again after Esc", |s| s.at(5, 5) == 0 && s.share(PICTURE, UPPER) == 100);
    assert!(desk.finds("--name", "^live - main/door - StreamFlow$"), "the title tells the program and the stream");
    assert!(desk.finds("--class", "^StreamFlow$") && desk.finds("--classname", "^streamflow-view$"));
    assert!(!desk.finds("--class", "^nothing of this name$"));
    assert_eq!(desk.heard("q", "Quit"), Vec::<String>::new(), "nothing else was pressed");
}

#[test]
fn a_double_click_fills_the_screen_and_the_next_one_gives_the_window_back() {
    let Some(mut desk) = Desk::open("double-click") else { return };
    desk.order("picture");
    desk.wait_for_sight("the picture in its window", |s| s.at(5, 5) == 0 && s.share(PICTURE, UPPER) == 100);
    if Command::new("xdotool").arg("version").output().is_err() {
        eprintln!("SKIPPED: the double click: there is no xdotool here");
        return;
    }
    let full = |s: &Sight| [5, 500, 1018].map(|n| s.at(n, 5)) == [PICTURE; 3];
    desk.order("slow clock");
    desk.clicks(2, 500, 300);
    desk.order("right clock");
    desk.wait_for_sight("a full screen after a double click", full);
    desk.order("slow clock");
    desk.clicks(1, 500, 300);
    desk.order("right clock");
    desk.wait_for_sight("a full screen still, after a click", full);
    desk.order("slow clock");
    desk.clicks(2, 700, 500);
    desk.order("right clock");
    desk.wait_for_sight("the window again", |s| s.at(5, 5) == 0 && s.share(PICTURE, UPPER) == 100);
    assert!(desk.press("q"));
    desk.wait_for_word("Quit");
}

#[test]
fn a_window_takes_the_size_of_its_first_picture_as_far_as_the_screen_goes() {
    let Some(mut desk) = Desk::open("first-size") else { return };
    desk.wait_for_sight("a calm dark with a reason", |s| s.at(200, 150) & 0xFF > 0x20);
    desk.order("large picture");
    // 1920x1080 on 1024x768 is 1024x576, in the middle of the screen.
    desk.wait_for_sight("a wide picture", |s| {
        s.share(PICTURE, [0, 100, 1024, 400]) == 100 && s.at(500, 90) == 0 && s.at(500, 680) == 0
    });
}

#[test]
fn several_streams_are_in_one_window_and_one_of_them_is_chosen_by_a_key_or_a_click() {
    let Some(mut desk) = Desk::open("several") else { return };
    desk.wait_for_sight("a calm dark with a reason", |s| s.at(200, 150) & 0xFF > 0x20);
    desk.order("4");
    let shade = |n: u32| (0x20 * n) << 16 | (0x20 * n);
    // The window is 1024x576, in the middle of the screen.
    let all = move |s: &Sight| {
        let colours: Vec<u32> = (0..768).flat_map(|y| [200, 700].map(|x| s.at(x, y))).collect();
        (1..=4).all(|n| colours.contains(&shade(n)))
    };
    desk.wait_for_sight("four streams", all);
    if !desk.press("3") {
        return;
    }
    desk.wait_for_word("Chosen");
    desk.wait_for_sight("the third alone", |s| s.at(500, 250) == shade(3) && s.at(800, 500) == shade(3));
    assert!(desk.press("Escape"));
    desk.wait_for_word("Chosen");
    desk.wait_for_sight("all again", all);
    desk.button("mousedown", 300, 200);
    desk.wait_for_word("Chosen");
    desk.button("mouseup", 300, 200);
    desk.wait_for_sight("the first alone", |s| s.at(500, 250) == shade(1) && s.at(800, 500) == shade(1));
    assert!(desk.press("0"));
    assert!(desk.press("f"));
    desk.wait_for_sight("all again, in a full screen", move |s| all(s) && s.at(5, 5) == shade(1));
    desk.order("one gone");
    assert!(desk.press("Escape"));
    desk.wait_for_sight("the second is grey, and where it was", move |s| {
        !all(s) && (192..700).any(|x| s.at(x, 200) == shade(1)) && (0..768).any(|y| s.at(900, y) == shade(4))
    });
    assert!(desk.press("q"));
    desk.wait_for_word("Quit");
}

#[test]
fn without_a_display_it_is_said_what_to_do() {
    let output = child(None).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("no display: set DISPLAY, or use --headless"), "{said}");
}
