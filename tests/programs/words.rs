//! What users type and read: help, options, environment, errors and exit codes.

use std::fs;
use std::thread;

use serde_json::Value;

use crate::running::*;
use crate::support::limited;

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
            (SEND, &["--name", "a/b/c", "--source", "pattern"], "letters, digits"),
            (SEND, &["--name", "a/b", "--room", "c", "--source", "pattern"], "leave one away"),
            (SEND, &["--min-quality", "81", "--source", "pattern"], "above the quality, 80"),
            (SEND, &["--once", "--source", "pattern"], "has no end"),
            (SEND, &["--list", "--source", "pattern"], "cannot be used with"),
            (SEND, &["--follow"], "--list"),
            (SEND, &["--max-viewers", "3", "--host", "a"], "cannot be used with"),
            (SEND, &["--config", "no-such-file.toml"], "no-such-file.toml"),
            (SEND, &["--config", "a.toml", "--name", "door"], "cannot be used with"),
            (VIEW, &["--headless", "--frames", "0"], "from 1"),
            (VIEW, &["--headless", "--snapshots", "."], "cannot be used with"),
            (VIEW, &["--list", "--headless"], "cannot be used with"),
            (VIEW, &["--find", "--host", "a"], "cannot be used with"),
            (VIEW, &["--open", "--join", "sf://a"], "cannot be used with"),
            (HUB, &["--max-viewers", "0"], "from 1 to"),
            (HUB, &["--max-picture", "0"], "KiB from 1"),
            (HUB, &["--stuck-after", "0"], "from 1 to"),
            (SEND, &["--host", "a", "--listen", "b"], "cannot be used with"),
            (VIEW, &["--host", "ftp://x", "--headless"], "HOST:PORT"),
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
        assert!(ended.err.contains("STREAMFLOW_FPS in the environment"), "{ended:?}");

        let mut own = command(SEND, ["--source", "pattern", "--print-config"]);
        own.env("STREAMFLOW_QUALITY", "95").env("STREAMFLOW_SEND_QUALITY", "40").env("STREAMFLOW_VIEW_QUALITY", "50");
        let ended = Running::start(own).end();
        assert!(ended.out.contains("\nquality = 40\n"), "the sender's own variable counts: {ended:?}");
        for program in [SEND, VIEW, HUB] {
            let mut wrong = command(program, [] as [&str; 0]);
            wrong
                .env("STREAMFLOW_HUB_MAX_VIEWERS", "0")
                .env("STREAMFLOW_SEND_FPS", "x")
                .env("STREAMFLOW_VIEW_FRAMES", "0");
            let ended = Running::start(wrong).end();
            assert_eq!(ended.code, Some(2), "{ended:?}");
            assert_eq!(ended.err.matches(" in the environment").count(), 1, "{ended:?}");
        }
    });
}

#[test]
fn the_short_help_is_a_page_of_lines() {
    limited(|| {
        for program in [SEND, VIEW, HUB] {
            let ended = run(program, &["-h"]);
            assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
            let lines: Vec<_> = ended.out.lines().collect();
            assert!(lines.len() <= 42, "{} lines: {}", lines.len(), ended.out);
            assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", ended.out);
            assert!(ended.out.contains("Usage:") && ended.out.contains("--help"), "{}", ended.out);
            assert!(!ended.out.contains("STREAMFLOW_"), "{}", ended.out);
            // One option or command, one line: what is wrapped has no dash.
            let options = lines.iter().filter(|line| line.starts_with("  "));
            assert!(
                options.clone().all(|line| line.trim_start().starts_with(['-', 'c', 'l', 'k', 's', 'h'])),
                "{}",
                ended.out
            );
            assert!(run(program, &["--help"]).out.len() > 2 * ended.out.len());
        }
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
