//! Finding a stream and a hub, and finding out that there is none.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use crate::running::*;
use crate::support::limited;

#[test]
fn the_streams_of_a_hub_are_listed_for_people_and_for_programs() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let empty = run(VIEW, &["--list", "--host", &host]);
        assert_eq!((empty.code, empty.out.as_str()), (Some(0), "no streams\n"), "{empty:?}");
        let _door = sender(&host, "yard/door");
        let seen = ["--headless", "--host", &host, "--name", "yard/door", "--frames", "2"];
        let seen = run(VIEW, &seen);
        assert_eq!(seen.code, Some(0), "{seen:?}");
        assert!(seen.out.starts_with("yard/door: "), "a line for people: {seen:?}");
        for at in [host.clone(), format!("http://{host}/"), host.replace("127.0.0.1", "localhost")] {
            let list = run(VIEW, &["--list", "--host", &at]);
            assert_eq!(list.code, Some(0), "{list:?}");
            assert!(list.out.starts_with("STREAM") && list.out.contains("yard/door"), "{list:?}");
        }
        let json = run(VIEW, &["--list", "--json", "--host", &host, "--name", "yard/door"]);
        let streams: Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!((&streams[0]["room"], &streams[0]["name"]), (&"yard".into(), &"door".into()), "{json:?}");
        let none = run(VIEW, &["--list", "--json", "--host", &host, "--name", "yard/gate"]);
        assert_eq!(none.out, "[]\n", "{none:?}");
        // Who waits for another one is told which there are.
        let mut waits = Running::start(command(VIEW, ["--headless", "--host", &host, "--name", "yard/gate"]));
        waits.says("waiting for yard/gate");
        let line = run(VIEW, &["--headless", "--host", &host, "--name", "yard/gate", "--for", "1.5"]);
        assert!(line.code == Some(3) && line.err.contains("there is yard/door"), "{line:?}");
    });
}

#[test]
fn a_hub_on_loopback_is_at_both_of_its_addresses_where_there_are_two() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let other = host.replace("127.0.0.1", "[::1]");
        if TcpListener::bind("[::1]:0").is_err() {
            println!("skipped: this machine has no IPv6");
            return;
        }
        let list = run(VIEW, &["--list", "--host", &other]);
        assert_eq!(list.code, Some(0), "{list:?}");
    });
}

/// A program that listens, and answers only what it can read: a line.
fn web_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let answer = |mut socket: TcpStream| {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\n") && socket.read(&mut byte).is_ok_and(|read| read == 1) {
            line.extend_from_slice(&byte);
        }
        let _ = socket.write_all(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            thread::spawn(move || answer(socket));
        }
    });
    at
}

#[test]
fn a_web_server_in_the_place_of_a_hub_is_known_for_one() {
    limited(|| {
        let web = web_server();
        let port = web.rsplit(':').next().unwrap();
        for arguments in [&["--headless", "--retries", "0", "--host", &web][..], &["--list", "--host", &web]] {
            let ended = run(VIEW, arguments);
            assert!(ended.code == Some(5) && ended.err.contains("no StreamFlow hub (a web server)"), "{ended:?}");
        }
        let auto = run(SEND, &["--source", "pattern", "--port", port]);
        assert!(auto.code == Some(1) && auto.err.contains("a web server has it (--port takes another)"), "{auto:?}");
        let taken = run(HUB, &["--port", port]);
        assert!(taken.code == Some(1) && taken.err.contains("another program has the port: a web server"), "{taken:?}");
        let (_hub, host) = hub(&[]);
        let taken = run(HUB, &["--listen", &host]);
        assert!(taken.err.contains("another program has the port: a StreamFlow hub"), "{taken:?}");
    });
}
