//! The whole way of a picture through the programs, and their ends.

use std::fs;
use std::io::Read;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use streamflow::internal::wire::control::{Hello, ViewRequest};

use crate::running::*;
use crate::support::{self, LONG, Peer, limited, publishes, views};

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

/// The plain ways, which need nothing but Python itself. The package and its examples have tests of their own, in `python/tests`.
#[test]
fn a_few_lines_of_python_publish_and_view_the_plain_way() {
    limited(|| {
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("left out: there is no python3 here");
            return;
        }
        let folder = folder("python");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.jpg"), support::jpeg(40)).unwrap();
        let mut hub = Running::start(command(HUB, ["--listen", "127.0.0.1:0", "--plain", "127.0.0.1:0"]));
        let address = |line: String| {
            let address = line.split(" at ").nth(1).unwrap().split(": ").next().unwrap();
            address.parse::<std::net::SocketAddr>().unwrap().port().to_string()
        };
        let port = address(hub.says("hosts the hub at "));
        let plain = address(hub.says("sends plain pictures"));
        let python = |script: &str, port: &str| {
            let script = format!(
                "import socket, struct, sys, time\nconnection = socket.create_connection((\"127.0.0.1\", {port}))\n{script}"
            );
            let mut command = command("python3", ["-c", script.as_str()]);
            command.current_dir(&folder);
            Running::start(command)
        };
        // As docs/protocol.md has them, section 8.
        let publisher = python(
            "jpeg = open(\"a.jpg\", \"rb\").read()\nwhile True:\n    connection.sendall(struct.pack(\"<Q\", len(jpeg)) + \
             jpeg)\n    time.sleep(0.1)",
            &port,
        );
        let viewer = python(
            "stream = connection.makefile(\"rb\")\nfor _ in range(5):\n    jpeg = stream.read(struct.unpack(\"<Q\", \
             stream.read(8))[0])\n    print(len(jpeg))\nopen(\"picture.jpg\", \"wb\").write(jpeg)",
            &plain,
        )
        .end();
        assert_eq!(viewer.code, Some(0), "{viewer:?}");
        assert_eq!(viewer.out.lines().count(), 5, "{viewer:?}");
        assert_eq!(fs::read(folder.join("picture.jpg")).unwrap(), support::jpeg(40), "not what was published");
        drop(publisher);
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn the_links_of_a_hub_are_all_that_other_programs_need() {
    limited(|| {
        let folder = folder("lines");
        let with_state = |program: &str, arguments: &[&str], state: &str| {
            let mut command = command(program, arguments);
            command.env("STREAMFLOW_STATE", folder.join(state));
            Running::start(command)
        };
        let mut hub = with_state(HUB, &["--listen", "0.0.0.0:0"], "hub");
        hub.says("whoever has a link or a secret of it can publish and watch");
        let key = hub.says("it is encrypted with the new key SHA256:");
        // No secret is said where it is no terminal that reads.
        hub.says("for a link: streamflow-hub link --view main");
        let link = |what: &[&str]| {
            let made = with_state(HUB, &[&["link", "--json"], what].concat(), "hub").end();
            assert_eq!(made.code, Some(0), "{made:?}");
            let made: serde_json::Value = serde_json::from_str(&made.out).unwrap();
            (made["join"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
        };
        let ((watch, id), (publish, _)) =
            (link(&["--view", "main", "--for", "2h"]), link(&["--publish", "main/door", "--once"]));
        let host = watch.trim_start_matches("sf://").split(':').next().unwrap();
        if host.parse::<std::net::IpAddr>().is_err() {
            eprintln!("left out: this machine is in no network");
            return;
        }
        let _send = with_state(SEND, &["--source", "pattern", "--size", "160x120", "--join", &publish], "send");
        let view = |arguments: &[&str], state: &str| {
            with_state(VIEW, &[&["--headless", "--frames", "3"], arguments].concat(), state).end()
        };
        let seen = view(&["--join", &watch], "view");
        assert_eq!(seen.code, Some(0), "{seen:?}");
        // From then on the address is enough; and somebody else is told what to do.
        let address = watch.trim_start_matches("sf://").split('/').next().unwrap();
        let again = view(&["--host", address], "view");
        assert_eq!(again.code, Some(0), "{again:?}");
        let stranger = view(&["--host", address], "stranger");
        let key = key.split("key ").nth(1).unwrap().split(',').next().unwrap();
        assert_eq!(stranger.code, Some(4), "{stranger:?}");
        assert!(stranger.err.contains(&format!("--pin {key}")), "{stranger:?}");
        let nothing = view(&["--host", address, "--pin", key], "stranger");
        assert_eq!(nothing.code, Some(4), "{nothing:?}");
        assert!(nothing.err.contains("streamflow-hub link --view main"), "{nothing:?}");
        // This user's own programs need no link, also by the machine's own name for itself.
        let own = view(&["--host", &format!("127.0.0.1:{}", address.rsplit(':').next().unwrap())], "hub");
        assert_eq!(own.code, Some(0), "{own:?}");
        // And a link is ended before its time.
        let revoked = with_state(HUB, &["link", "revoke", &id], "hub").end();
        assert_eq!(revoked.code, Some(0), "{revoked:?}");
        support::until("the link does not hold any more", || {
            let ended = view(&["--join", &watch], "view");
            ended.code == Some(4) && ended.err.contains("the link was revoked")
        });
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_secret_is_made_and_kept_by_what_the_hub_prints() {
    limited(|| {
        let made = run(HUB, &["secret"]);
        assert_eq!(made.code, Some(0), "{made:?}");
        assert!(made.out.contains("secret = \"sha256:") && made.out.contains("[[secret]]"), "{made:?}");
        for (arguments, hint) in [
            (&["link"][..], "--view ROOM/NAME"),
            (&["link", "--view", "a/b/c"], "ROOM/NAME"),
            (&["link", "--view", ""], "ROOM/NAME"),
            (&["link", "--view", "main", "--for", "soon"], "write 90s, 30m, 2h or 7d"),
            (&["--access", "no-such-file"], "no-such-file"),
            (&["--access", "a", "--open"], "cannot be used with"),
            (&["--behind-proxy", "x"], "192.168.1.0/24"),
        ] {
            let ended = run(HUB, arguments);
            assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
            assert!(ended.err.contains(hint), "{arguments:?}: {ended:?}");
        }
        let folder = folder("no-hub");
        fs::create_dir_all(&folder).unwrap();
        let nothing = run(HUB, &["link", "revoke", "abc", "--state", folder.to_str().unwrap()]);
        assert_eq!(nothing.code, Some(3), "{nothing:?}");
        fs::remove_dir_all(folder).unwrap();
    });
}
