//! The three programs as a user and a script meet them: help, exit codes, JSON, and the whole way of a picture.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![cfg(unix)]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use streamflow::internal::frame::Size;
use streamflow::internal::source::stamp;
use streamflow::internal::time::{Micros, now};

use streamflow::internal::wire::control::{Hello, ViewRequest};

use support::{LONG, Peer, limited, publishes, until, views};

const SEND: &str = env!("CARGO_BIN_EXE_streamflow-send");
const VIEW: &str = env!("CARGO_BIN_EXE_streamflow-view");
const HUB: &str = env!("CARGO_BIN_EXE_streamflow-hub");

fn command<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    // What is set on this machine must not decide a test.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STREAMFLOW_")) {
        command.env_remove(name);
    }
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").stdin(Stdio::null());
    command.args(arguments);
    command
}

/// How a program ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A running program; killed when it is dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: String,
    out: Option<thread::JoinHandle<String>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let out = thread::spawn(move || {
            let mut text = String::new();
            let _ = out.read_to_string(&mut text);
            text
        });
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines, seen: String::new(), out: Some(out) }
    }

    /// Waits for a line of the log with this text, and returns it.
    #[track_caller]
    fn says(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LONG;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("never said '{text}':\n{}", self.seen) };
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    #[track_caller]
    fn end(mut self) -> Ended {
        let mut status = None;
        until("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut err = std::mem::take(&mut self.seen);
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(5)) {
            err.push_str(&line);
            err.push('\n');
        }
        let out = self.out.take().unwrap().join().unwrap();
        Ended { code: status.unwrap().code(), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) -> Ended {
    Running::start(command(program, arguments)).end()
}

/// A hub on a free port, and the port.
#[track_caller]
fn hub(more: &[&str]) -> (Running, String) {
    let mut hub = Running::start(command(HUB, ["--listen", "127.0.0.1:0"].iter().chain(more)));
    let line = hub.says("hosts the hub at ");
    let address = line.split("hosts the hub at ").nth(1).unwrap().split(": ").next().unwrap().to_string();
    (hub, address)
}

/// A sender of small test pictures.
fn sender(host: &str, name: &str) -> Running {
    let arguments = ["--source", "pattern", "--size", "320x240", "--host", host, "--name", name];
    Running::start(command(SEND, arguments))
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("streamflow-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn help_begins_with_examples_and_has_groups() {
    limited(|| {
        for (program, name, groups) in [
            (SEND, "streamflow-send", &["Source:", "Picture:", "Stream:", "Hub:", "Output:"][..]),
            (VIEW, "streamflow-view", &["Stream:", "Window:", "Without a window:", "Hub:", "Output:"]),
            (HUB, "streamflow-hub", &["Hub:", "Output:"]),
        ] {
            let Ended { code, out, .. } = run(program, &["--help"]);
            assert_eq!(code, Some(0));
            let at = |text: &str| out.find(text).unwrap_or_else(|| panic!("no '{text}' in the help of {name}:\n{out}"));
            assert!(at("Examples:") < at("Usage:"), "{out}");
            assert!(at(&format!("  {name} ")) < at("Usage:"), "{out}");
            assert!(groups.iter().all(|group| at(&format!("\n{group}")) > at("Usage:")), "{out}");
            assert!(at("Exit codes: 0 done") > at("Output:"), "{out}");
            let version = run(program, &["--version"]);
            assert_eq!(version.out, format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
        }
    });
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    limited(|| {
        for (program, arguments, hint) in [
            (SEND, &["--fps", "0"][..], "0.1 to 240"),
            (SEND, &["--quality", "101"], "1..=100"),
            (SEND, &["--size", "big"], "WIDTHxHEIGHT"),
            (SEND, &["--name", "a/b", "--source", "pattern"], "letters, digits"),
            (SEND, &["--host", "a", "--listen", "b"], "cannot be used with"),
            (VIEW, &["--host", "http://x", "--headless"], "HOST:PORT"),
            (VIEW, &["--save", "x"], "--headless"),
            (HUB, &["--listen", "desk"], "IP:PORT"),
            (HUB, &["--plain-stream", "main/a"], "--plain"),
            (HUB, &["--plain", "nonsense"], "--plain nonsense: this is no address; write IP:PORT"),
            (HUB, &["--plain", "127.0.0.1"], "the port is missing; write IP:PORT"),
            (HUB, &["--plain", "127.0.0.1:8002"], "plain pictures need another"),
            (SEND, &["--plain", "127.0.0.1:8003", "--host", "a"], "cannot be used with"),
        ] {
            let ended = run(program, arguments);
            assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
            assert!(ended.err.contains(hint), "{arguments:?}: {ended:?}");
            assert_eq!(ended.out, "", "errors belong on standard error");
        }
    });
}

#[test]
fn every_other_exit_code_is_what_the_help_says() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let host = host.as_str();

        let taken_port = run(HUB, &["--listen", host]);
        assert_eq!(taken_port.code, Some(1), "{taken_port:?}");
        assert!(taken_port.err.contains("another program has the port"), "{taken_port:?}");

        let nothing = run(VIEW, &["--headless", "--host", host, "--name", "nobody", "--for", "0.5"]);
        assert_eq!(nothing.code, Some(3), "{nothing:?}");
        assert!(nothing.err.contains("waiting for main/nobody"), "{nothing:?}");

        let _first = sender(host, "door");
        let seen = run(VIEW, &["--headless", "--host", host, "--name", "door", "--frames", "1"]);
        assert_eq!(seen.code, Some(0), "{seen:?}");
        let second = sender(host, "door").end();
        assert_eq!(second.code, Some(4), "{second:?}");
        assert!(second.err.contains("--replace"), "{second:?}");

        // Port 1 is nobody's (tcpmux, RFC 1078, long gone).
        for program in [SEND, VIEW] {
            let headless = if program == VIEW { "--headless" } else { "--source=pattern" };
            let ended = run(program, &[headless, "--host", "127.0.0.1:1", "--retries", "0"]);
            assert_eq!(ended.code, Some(5), "{ended:?}");
            assert!(ended.err.contains("127.0.0.1:1"), "{ended:?}");
        }
    });
}

#[test]
fn a_source_without_a_picture_is_said_to_have_none() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let folder = folder("no-picture");
        fs::create_dir_all(&folder).unwrap();
        let garbage = folder.join("film.mp4");
        fs::write(&garbage, [7; 1000]).unwrap();
        for (input, said) in [(None, "nothing came"), (Some(&garbage), "1000 bytes came, and no whole JPEG")] {
            let mut send = command(SEND, ["--source", "-", "--host", &host]);
            if let Some(path) = input {
                send.stdin(fs::File::open(path).unwrap());
            }
            let ended = Running::start(send).end();
            assert_eq!(ended.code, Some(1), "{ended:?}");
            let line = ended.err.lines().last().unwrap();
            assert!(line.starts_with("error: standard input ended without a picture: "), "{ended:?}");
            assert!(line.contains(said) && line.contains("-f mjpeg -"), "{ended:?}");
        }
        for path in [&garbage, &folder.join("missing.jpg"), &folder.join("empty")] {
            if path.ends_with("empty") {
                fs::create_dir_all(path).unwrap();
            }
            let ended = run(SEND, &["--host", &host, "--source", path.to_str().unwrap()]);
            assert_eq!(ended.code, Some(3), "{ended:?}");
            assert!(ended.err.contains(path.to_str().unwrap()), "{ended:?}");
        }
        fs::remove_dir_all(folder).unwrap();
    });
}

/// A viewer that is there before anybody publishes, and saves what it gets until it has so many pictures.
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

#[test]
fn statistics_for_programs_are_a_json_object_a_line() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let _sender = sender(&host, "door");
        let ended = run(VIEW, &["--headless", "--json", "--host", &host, "--name", "door", "--for", "4"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let is_known_or_null = |value: &Value| value.is_null() || value.is_number();
        let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.len() >= 3, "{ended:?}");
        for line in &lines {
            for (key, is_right) in [
                ("stream", Value::is_string as fn(&Value) -> bool),
                ("state", Value::is_string),
                ("detail", Value::is_string),
                ("limit", Value::is_string),
                ("load", Value::is_object),
                ("asked", Value::is_object),
                ("size", Value::is_string),
                ("fps", Value::is_number),
                ("kbytes_per_second", Value::is_number),
                ("quality", Value::is_u64),
                ("received", Value::is_u64),
                ("shown", Value::is_u64),
                ("skipped", Value::is_u64),
                ("lost", Value::is_u64),
                ("broken", Value::is_u64),
                ("reconnects", Value::is_u64),
                ("age_estimated", Value::is_boolean),
                ("age_ms", Value::is_object),
                ("budget_ms", Value::is_object),
            ] {
                assert!(is_right(&line[key]), "{key} in {line}");
            }
            for key in ["p50", "p99", "max"] {
                assert!(is_known_or_null(&line["age_ms"][key]), "{line}");
            }
            for key in ["capture", "encode", "uplink", "hub", "downlink", "decode", "show"] {
                assert!(is_known_or_null(&line["budget_ms"][key]), "{line}");
            }
            for key in ["jitter_ms", "picture_age_ms", "age_error_ms"] {
                assert!(is_known_or_null(&line[key]), "{line}");
            }
        }
        let last = lines.last().unwrap();
        assert_eq!((&last["stream"], &last["state"]), (&Value::from("main/door"), &Value::from("live")), "{last}");
        assert_eq!((&last["size"], &last["quality"]), (&Value::from("320x240"), &Value::from(80)), "{last}");
        assert!(last["shown"].as_u64() > Some(0), "{last}");
        assert_eq!(last["broken"], 0, "{last}");
        for known in [&last["picture_age_ms"], &last["age_error_ms"], &last["age_ms"]["p50"], &last["budget_ms"]["hub"]]
        {
            assert!(known.is_number(), "{last}");
        }
        // A picture that came later than all before it is flagged until a ping says why.
        assert!(lines.iter().any(|line| line["age_estimated"] == false), "{lines:?}");

        let cameras: Value = serde_json::from_str(&run(SEND, &["--list", "--json"]).out).unwrap();
        assert!(cameras.is_array(), "{cameras}");
    });
}

#[test]
fn ctrl_c_and_terminate_end_every_program_at_once_and_well() {
    limited(|| {
        for signal in [Signal::INT, Signal::TERM] {
            let (hub, host) = hub(&[]);
            let mut sender = sender(&host, "door");
            sender.says("publishes main/door");
            let mut viewer = Running::start(command(VIEW, ["--headless", "--host", &host, "--name", "nobody"]));
            viewer.says("waiting for main/nobody");
            for (name, program) in [("view", viewer), ("send", sender), ("hub", hub)] {
                let begun = Instant::now();
                program.signal(signal);
                let ended = program.end();
                assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
                // A second at most on a machine that has nothing else to do.
                assert!(begun.elapsed() < Duration::from_secs(5), "{name} took {:?}", begun.elapsed());
            }
        }
    });
}

#[test]
fn options_can_be_set_in_the_environment_and_the_command_line_wins() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let mut send = command(SEND, ["--size", "320x240"]);
        send.env("STREAMFLOW_HOST", &host).env("STREAMFLOW_NAME", "gate").env("STREAMFLOW_SOURCE", "pattern");
        send.env("STREAMFLOW_SIZE", "640x480").env("STREAMFLOW_QUALITY", "55");
        let _send = Running::start(send);
        let mut view = command(VIEW, ["--json"]);
        view.env("STREAMFLOW_HOST", &host).env("STREAMFLOW_NAME", "gate").env("STREAMFLOW_FRAMES", "3");
        view.env("STREAMFLOW_HEADLESS", "true");
        let ended = Running::start(view).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let line: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
        assert_eq!((&line["stream"], &line["size"]), (&Value::from("main/gate"), &Value::from("320x240")));
        assert_eq!(line["quality"], 55);

        let excluded = [("STREAMFLOW_LISTEN", "127.0.0.1:0"), ("STREAMFLOW_PLAIN", "127.0.0.1:0")];
        for (name, value) in excluded {
            let mut view = command(VIEW, ["--headless", "--host", &host, "--name", "gate", "--frames", "1"]);
            let ended = Running::start({
                view.env(name, value).env("STREAMFLOW_NO_OVERLAY", "1");
                view
            });
            assert_eq!(ended.end().code, Some(0), "--host was typed, {name} was not");
        }
        let mut send = command(SEND, ["--listen", "127.0.0.1:0", "--source", "pattern"]);
        send.env("STREAMFLOW_HOST", &host);
        Running::start(send).says("hosts the hub at ");
        let mut send = command(SEND, ["--source", "pattern"]);
        send.env("STREAMFLOW_HOST", "").env("STREAMFLOW_LISTEN", "127.0.0.1:0");
        Running::start(send).says("hosts the hub at ");
        let mut both = command(SEND, ["--source", "pattern"]);
        both.env("STREAMFLOW_HOST", &host).env("STREAMFLOW_LISTEN", "127.0.0.1:0");
        let ended = Running::start(both).end();
        assert_eq!(ended.code, Some(2), "nobody can tell which of two variables is meant: {ended:?}");

        let mut wrong = command(SEND, [] as [&str; 0]);
        wrong.env("STREAMFLOW_FPS", "many");
        let ended = Running::start(wrong).end();
        assert_eq!(ended.code, Some(2), "{ended:?}");
    });
}

#[test]
fn a_sender_that_hosts_serves_its_viewer_and_a_plain_client() {
    limited(|| {
        let arguments = ["--source", "pattern", "--size", "320x240", "--listen", "127.0.0.1:0"];
        let mut send = Running::start(command(SEND, arguments.iter().chain(&["--plain", "127.0.0.1:0"])));
        let address = |line: String, before: &str| {
            line.split(before).nth(1).unwrap().split(": ").next().unwrap().parse::<std::net::SocketAddr>().unwrap()
        };
        let host = address(send.says("hosts the hub at "), "hosts the hub at ");
        let plain = address(send.says("sends plain pictures"), ") at ");
        let seen = run(VIEW, &["--headless", "--host", &host.to_string(), "--frames", "3"]);
        assert_eq!(seen.code, Some(0), "{seen:?}");
        // The classic client: struct.unpack("Q"), then so many bytes.
        let mut socket = std::net::TcpStream::connect(plain).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        for _ in 0..3 {
            let mut length = [0; 8];
            socket.read_exact(&mut length).unwrap();
            let mut picture = vec![0; usize::try_from(u64::from_le_bytes(length)).unwrap()];
            socket.read_exact(&mut picture).unwrap();
            assert_eq!(image::load_from_memory(&picture).unwrap().width(), 320);
        }
    });
}

/// Seconds of a processor that a program has used: fields 14 and 15 of `/proc/PID/stat`, in hundredths.
#[cfg(target_os = "linux")]
fn processor_time(running: &Running) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", running.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

#[cfg(target_os = "linux")]
#[test]
fn a_viewer_that_must_wait_for_a_stream_without_pictures_costs_nothing() {
    limited(|| {
        let (hub, address) = hub(&[]);
        let address = address.parse().unwrap();
        let mut publisher = Peer::join(address, publishes("door"));
        let request = ViewRequest { max_rate: Some(16_000), ..ViewRequest::default() };
        let mut viewer = Peer::join(address, Hello { request, ..views("door") });
        viewer.control();
        // More than its rate allows: it waits for more than a second.
        for number in 1..=5 {
            publisher.publish(number, 3000);
        }
        // Another one takes the stream over, and has no picture.
        let _silent = Peer::join(address, Hello { replace: true, ..publishes("door") });
        thread::sleep(Duration::from_millis(1500));
        let before = processor_time(&hub);
        thread::sleep(Duration::from_secs(1));
        let used = processor_time(&hub) - before;
        assert!(used < 0.3, "the hub used {used} s of a processor in a second in which nothing happened");
    });
}

#[test]
fn who_hosts_the_hub_keeps_it_when_another_takes_its_stream_over() {
    limited(|| {
        let own = ["--source", "pattern", "--size", "320x240", "--name", "door", "--listen", "127.0.0.1:0"];
        let mut first = Running::start(command(SEND, own));
        let line = first.says("hosts the hub at ");
        let host = line.split("hosts the hub at ").nth(1).unwrap().split(": ").next().unwrap().to_string();
        first.says("publishes main/door");
        let replacing = || {
            let arguments =
                ["--source", "pattern", "--size", "160x120", "--host", &host, "--name", "door", "--replace"];
            let mut sender = Running::start(command(SEND, arguments));
            sender.says("publishes main/door");
            sender
        };
        let second = replacing();
        first.says("another publisher took main/door over; this program's source is closed, its hub goes on");
        let view = ["--headless", "--json", "--host", &host, "--name", "door", "--frames", "3"];
        let seen = run(VIEW, &view);
        assert!(seen.code == Some(0) && seen.out.contains("160x120"), "{seen:?}");
        let _third = replacing();
        let ended = second.end();
        assert_eq!(ended.code, Some(4), "it hosts nothing: {ended:?}");
        assert_eq!(ended.err.matches("took main/door over").count(), 1, "said once: {ended:?}");
        first.signal(Signal::TERM);
        let ended = first.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.err.matches("took main/door over").count(), 1, "said once: {ended:?}");
    });
}

#[test]
fn what_is_wrong_with_an_address_is_said_once_and_at_once() {
    limited(|| {
        let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = web.local_addr().unwrap().to_string();
        // A web server answers what it does not understand.
        thread::spawn(move || {
            for stream in web.incoming() {
                let _ = std::io::Write::write_all(&mut stream.unwrap(), b"HTTP/1.1 400 Bad Request\r\n\r\n");
            }
        });
        for (program, source) in [(SEND, "--source=pattern"), (VIEW, "--headless")] {
            let ended = run(program, &[source, "--retries", "0", "--host", &at]);
            assert_eq!(ended.code, Some(5), "{ended:?}");
            let said = format!(
                "error: what answers at {at} is no StreamFlow hub (a web server): --host and --port name another"
            );
            assert_eq!(ended.err.lines().filter(|l| l.contains("no StreamFlow hub")).collect::<Vec<_>>(), [said]);
        }
        let (_hub, host) = hub(&[]);
        // With a hub that is to be hosted, and with one that is hosted because there is none.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        for (home, value) in [("--listen", "127.0.0.1:0"), ("--port", &free)] {
            let ended = run(SEND, &["--source", "pattern", home, value, "--plain", &host]);
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(
                ended.err.contains(&format!("cannot listen on {host}, another program has the port (give --plain"))
            );
            assert_eq!(ended.err.matches("cannot listen").count(), 1, "{ended:?}");
        }
        let _first = Running::start(command(SEND, ["--source", "pattern", "--host", &host, "--name", "door"]));
        let view = ["--headless", "--host", &host, "--name", "door", "--frames", "1"];
        assert_eq!(run(VIEW, &view).code, Some(0));
        let second = run(SEND, &["--source", "pattern", "--host", &host, "--name", "door"]);
        assert_eq!(second.err.matches("is taken by a live publisher").count(), 1, "{second:?}");
        assert!(!second.err.contains("publishes"), "it never did: {second:?}");
    });
}

#[test]
fn twenty_lines_of_python_publish_and_view() {
    limited(|| {
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("left out: there is no python3 here");
            return;
        }
        let folder = folder("python");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.jpg"), support::jpeg(40)).unwrap();
        fs::write(folder.join("b.jpg"), support::jpeg(200)).unwrap();
        let mut hub = Running::start(command(HUB, ["--listen", "127.0.0.1:0", "--plain", "127.0.0.1:0"]));
        let address = |line: String| {
            let address = line.split(" at ").nth(1).unwrap().split(": ").next().unwrap();
            address.parse::<std::net::SocketAddr>().unwrap().port().to_string()
        };
        let port = address(hub.says("hosts the hub at "));
        let plain = address(hub.says("sends plain pictures"));
        let python = |script: &str, arguments: &[&str]| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python/").to_string() + script;
            assert!(fs::read_to_string(&script).unwrap().lines().count() <= 20, "{script}");
            let mut command = command("python3", [script.as_str(), "127.0.0.1"]);
            command.args(arguments).current_dir(&folder);
            Running::start(command)
        };
        let publisher = python("publish.py", &[&port, "a.jpg", "b.jpg"]);
        let viewer = python("view.py", &[&plain, "5"]).end();
        assert_eq!(viewer.code, Some(0), "{viewer:?}");
        assert_eq!(viewer.out.lines().count(), 5, "{viewer:?}");
        let last = fs::read(folder.join("picture.jpg")).unwrap();
        assert!(last == support::jpeg(40) || last == support::jpeg(200), "not what was published");
        drop(publisher);
        fs::remove_dir_all(folder).unwrap();
    });
}
