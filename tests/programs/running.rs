//! A program that runs, what it says, and how it ends.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{LONG, until};

pub(crate) const SEND: &str = env!("CARGO_BIN_EXE_streamflow-send");
pub(crate) const VIEW: &str = env!("CARGO_BIN_EXE_streamflow-view");
pub(crate) const HUB: &str = env!("CARGO_BIN_EXE_streamflow-hub");

pub(crate) fn command<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Command {
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
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A running program; killed when it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
    seen: String,
    out: Option<thread::JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
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
    pub(crate) fn says(&mut self, text: &str) -> String {
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

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
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
pub(crate) fn run(program: &str, arguments: &[&str]) -> Ended {
    Running::start(command(program, arguments)).end()
}

/// A hub on a free port, and the port.
#[track_caller]
pub(crate) fn hub(more: &[&str]) -> (Running, String) {
    let mut hub = Running::start(command(HUB, ["--listen", "127.0.0.1:0"].iter().chain(more)));
    let line = hub.says("hosts the hub at ");
    let address = line.split("hosts the hub at ").nth(1).unwrap().split(": ").next().unwrap().to_string();
    (hub, address)
}

/// A hub that asks, with its state in this folder, and its address.
#[track_caller]
pub(crate) fn asking_hub(folder: &Path) -> (Running, String) {
    let (file, state) = (folder.join("access.toml"), folder.join("state"));
    fs::create_dir_all(&state).unwrap();
    fs::write(&file, "# Links alone let somebody in.\n").unwrap();
    hub(&["--access", file.to_str().unwrap(), "--state", state.to_str().unwrap()])
}

/// The link for programs that the hub with this folder gives.
#[track_caller]
pub(crate) fn link(folder: &Path, host: &str, more: &[&str]) -> String {
    let state = folder.join("state");
    let ended = run(HUB, &[&["link", "--json", "--host", host, "--state", state.to_str().unwrap()], more].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str::<serde_json::Value>(&ended.out).unwrap()["join"].as_str().unwrap().to_owned()
}

/// A sender of small test pictures.
pub(crate) fn sender(host: &str, name: &str) -> Running {
    let arguments = ["--source", "pattern", "--size", "320x240", "--host", host, "--name", name];
    Running::start(command(SEND, arguments))
}

pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("streamflow-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}
