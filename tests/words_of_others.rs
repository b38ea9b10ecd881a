//! What a hub or a camera says reaches a terminal and a log as words: it does nothing there, and does not fill them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;

use streamflow::internal::text::acts;
use streamflow::internal::wire::control::{Cause, Control, StreamState};
use streamflow::internal::wire::framing::prefix;
use streamflow::internal::wire::packet::control_packet;

const SEND: &str = env!("CARGO_BIN_EXE_streamflow-send");
const VIEW: &str = env!("CARGO_BIN_EXE_streamflow-view");
const WORDS: &str = "gone\x1b]0;title\x07\x1b[2J\u{9b}31m\u{202e}txt\n2026-01-01T00:00:00.000Z error: forged";

/// Answers everybody who connects with these bytes, once something was said, and listens until they go.
fn says(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let bytes = bytes.clone();
            thread::spawn(move || {
                let mut piece = [0; 4096];
                let _ = socket.read(&mut piece);
                let _ = socket.write_all(&bytes);
                while matches!(socket.read(&mut piece), Ok(1..)) {}
            });
        }
    });
    address
}

fn hub(controls: &[Control]) -> String {
    let welcome = Control::Welcome {
        room: "main".into(),
        name: "door".into(),
        program: WORDS.into(),
        max_picture: 0,
        max_pixels: 0,
        can: Vec::new(),
    };
    let packets = std::iter::once(&welcome).chain(controls).map(control_packet);
    says(packets.flat_map(|packet| [&prefix(packet.len())[..], &packet].concat()).collect())
}

/// Runs a program to its end; it takes care that it has one.
fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STREAMFLOW_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What was written, which does nothing in a terminal but being read.
#[track_caller]
fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(!text.lines().any(|line| line.contains(acts)), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("2026-01-01T00:00:00.000Z")), "{text}");
    text
}

fn lost(reason: String) -> Control {
    Control::State(StreamState { room: "main".into(), name: "door".into(), reason, ..StreamState::default() })
}

#[test]
fn a_hub_cannot_act_in_the_terminal_of_a_viewer() {
    let refused = Control::Bye { cause: Cause::Refused, reason: WORDS.into() };
    let hub = hub(&[lost(WORDS.into()), refused]);
    let ended = run(VIEW, &["--headless", "--json", "--retries", "0", "--for", "30", "--host", &hub]);
    assert_eq!(ended.status.code(), Some(4));
    let said = harmless(&ended.stderr);
    assert!(said.contains(r"gone\u{1b}]0;title"), "{said}");
    let hub = self::hub(&[lost(WORDS.into())]);
    let ended = run(VIEW, &["--headless", "--json", "--for", "2", "--host", &hub]);
    let lines = harmless(&ended.stdout);
    assert!(lines.contains("door"), "{lines}");
}

#[test]
fn a_camera_cannot_act_in_the_terminal_of_a_sender() {
    for head in [
        format!("HTTP/1.1 200 OK\r\nContent-Type: {}\r\n\r\n", WORDS.replace('\n', "\t").replace('\x1b', "\u{9b}")),
        format!("HTTP/1.1 302 Found\r\nLocation: https://{}\r\n\r\n", "\u{9b}2J\u{202e}x"),
        format!("{WORDS}\r\n\r\n"),
    ] {
        let source = format!("http://{}/", says(head.into()));
        let ended = run(SEND, &["--exit-on-source-error", "--listen", "127.0.0.1:0", "--source", &source]);
        assert_ne!(ended.status.code(), Some(0));
        let said = harmless(&ended.stderr);
        assert!(said.contains("error: "), "{said}");
    }
}

#[test]
fn a_camera_that_only_gives_interim_answers_is_refused_in_words() {
    let source = format!("http://{}/", says(b"HTTP/1.1 100 C\r\n\r\n".repeat(4000)));
    let ended = run(SEND, &["--exit-on-source-error", "--listen", "127.0.0.1:0", "--source", &source]);
    assert!(ended.status.code().is_some(), "it was ended by a signal: {:?}", ended.status);
    let said = harmless(&ended.stderr);
    assert!(said.contains("interim answers"), "{said}");
}

#[test]
fn a_hub_cannot_fill_the_log_of_a_viewer() {
    let hub = hub(&(0..2000).map(|n| lost(format!("reason {n}"))).collect::<Vec<_>>());
    let ended = run(VIEW, &["--headless", "--for", "2", "--host", &hub]);
    let said = harmless(&ended.stderr);
    assert!(said.contains("reason 1999"), "{said}");
    assert!(said.lines().count() < 100, "{} lines", said.lines().count());
}
