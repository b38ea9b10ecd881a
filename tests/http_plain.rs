//! What anybody who speaks HTTP can rely on: streams, snapshots, numbers, publishing; and the manners.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use streamflow::internal::wire::control::Hello;
use support::http::{Http, get, post};
use support::{LONG, Mood, Peer, at, fine_source, hub, hub_with, limited, publisher, publishes, test_source, until};

const BOUNDARY: &str = "streamflow-next-picture";

/// A real JPEG, from a hub that has one.
fn jpeg(hub: &streamflow::internal::hub::Hub) -> Vec<u8> {
    let answer = get(hub.address(), "/snapshot");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body
}

#[test]
fn a_stream_is_multipart_with_each_part_ended_at_once() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        until("published", || hub.counts().0 == 1);
        for path in ["/stream", "/stream.mjpg", "/stream/main/door", "/?action=stream", "/rooms/main/video_feed/door"] {
            let mut http = Http::connect(hub.address());
            http.send(format!("GET {path} HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
            let head = http.head();
            assert_eq!(head.status, 200);
            let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
            assert_eq!(head.field("content-type"), Some(kind.as_str()));
            assert_eq!(head.field("x-accel-buffering"), Some("no"));
            assert_eq!(head.field("cache-control"), Some("no-store"));
            let mut last = None;
            for _ in 0..3 {
                let part = http.part(BOUNDARY);
                assert!(part.body.starts_with(&[0xff, 0xd8]) && part.body.ends_with(&[0xff, 0xd9]));
                let age: f64 = part.field("x-age-ms").unwrap().parse().unwrap();
                assert!((0.0..30_000.0).contains(&age));
                let number: u32 = part.field("x-sequence").unwrap().parse().unwrap();
                assert!(Some(number) > last, "pictures go forward");
                last = Some(number);
                assert!(part.field("x-timestamp").unwrap().parse::<f64>().unwrap() > 1e9);
            }
            // The boundary is there although no further picture has to come: read it off the end of the last part.
            let end = format!("\r\n--{BOUNDARY}\r\n");
            assert_eq!(http.take(end.len()), end.as_bytes());
        }
    });
}

#[test]
fn a_lost_stream_is_a_picture_that_says_so_and_the_stream_goes_on_when_it_is_back() {
    limited(|| {
        let hub = hub();
        let mut http = Http::connect(hub.address());
        http.send(b"GET /stream/main/door HTTP/1.1\r\nHost: hub\r\n\r\n");
        http.head();
        let size = |jpeg: &[u8]| streamflow::internal::wire::jpeg::size(jpeg).unwrap().to_string();
        assert_eq!(size(&http.part(BOUNDARY).body), "640x480", "waiting for it");
        let (source, remote) = test_source();
        let _publisher = publisher(at(&hub), "door", source);
        while size(&http.part(BOUNDARY).body) != "64x48" {}
        remote.set(Mood::Gone("unplugged".into()));
        while size(&http.part(BOUNDARY).body) != "640x480" {}
        remote.set(Mood::Fine);
        while size(&http.part(BOUNDARY).body) != "64x48" {}
    });
}

#[test]
fn a_snapshot_wakes_a_sleeping_camera_or_says_why_there_is_none() {
    limited(|| {
        let hub = hub();
        let none = get(hub.address(), "/snapshot");
        assert_eq!((none.status, none.field("retry-after")), (503, Some("1")));
        assert!(none.text().contains("nobody publishes"));
        let (source, remote) = test_source();
        let _publisher = publisher(at(&hub), "door", source);
        until("published", || hub.counts().0 == 1);
        for path in ["/snapshot", "/snapshot.jpg", "/snapshot/main/door", "/?action=snapshot"] {
            let answer = get(hub.address(), path);
            assert_eq!((answer.status, answer.field("content-type")), (200, Some("image/jpeg")), "{path}");
            assert!(answer.body.starts_with(&[0xff, 0xd8]));
            assert!(answer.field("x-age-ms").unwrap().parse::<f64>().unwrap() < 10_000.0);
        }
        until("whoever wanted one picture is not a viewer any more", || hub.counts().1 == 0);
        remote.set(Mood::Gone("unplugged".into()));
        until("the reason", || {
            let answer = get(hub.address(), "/snapshot/main/door");
            answer.status == 503 && answer.text().contains("unplugged")
        });
    });
}

#[test]
fn programs_can_ask_what_is_live_and_how_it_is_doing() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        let mut http = Http::connect(hub.address());
        http.send(b"GET /stream/main/door HTTP/1.1\r\nHost: hub\r\n\r\n");
        until("pictures counted", || {
            let _ = http.part(BOUNDARY);
            let one = get(hub.address(), "/api/streams/main/door").json();
            one["sent"].as_u64() > Some(3) && one["per_viewer"][0]["fps"].as_f64() > Some(0.0)
        });
        let one = get(hub.address(), "/api/streams/main/door").json();
        assert_eq!((&one["live"], &one["size"], &one["viewers"]), (&true.into(), &"64x48".into(), &1.into()));
        let viewer = &one["per_viewer"][0];
        assert_eq!(viewer["speaks"], "multipart");
        assert!(viewer["pictures"].as_u64() > Some(3) && viewer["bytes"].as_u64() > Some(100));
        let all = get(hub.address(), "/api/streams").json();
        assert_eq!(all["streams"][0]["name"], "door");
        assert_eq!(get(hub.address(), "/api/streams?room=other").json()["streams"], serde_json::json!([]));
        assert_eq!(get(hub.address(), "/api/streams/main/nobody").status, 404);
        let metrics = get(hub.address(), "/metrics").text();
        for line in ["streamflow_viewers 1", "streamflow_stream_live{room=\"main\",stream=\"door\"} 1"] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
        let count = |name: &str| -> u64 {
            let line = metrics.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name} in {metrics}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let label = "{room=\"main\",stream=\"door\"";
        assert_eq!(
            count(&format!("streamflow_picture_age_seconds_bucket{label},le=\"+Inf\"}}")),
            count(&format!("streamflow_picture_age_seconds_count{label}}}"))
        );
        assert_eq!(get(hub.address(), "/health").text(), "ok\n");
    });
}

#[test]
fn one_jpeg_or_an_endless_body_of_them_is_a_stream() {
    limited(|| {
        let hub = hub();
        let camera = publisher(at(&hub), "door", fine_source());
        until("published", || hub.counts().0 == 1);
        let picture = jpeg(&hub);
        assert_eq!(post(hub.address(), "/api/publish/main/door", &picture).status, 409, "the name is taken");
        drop(camera);
        let done = post(hub.address(), "/api/publish/lab/bench", &picture);
        assert_eq!((done.status, &done.json()["stream"]), (200, &"lab/bench".into()));
        assert_eq!(get(hub.address(), "/snapshot/lab/bench").body, picture, "as it came");
        assert_eq!(post(hub.address(), "/api/publish/lab/x", b"no picture").status, 400);
        assert_eq!(post(hub.address(), "/api/publish/lab/a%20b", &picture).status, 400, "no name");
        // Endless, in chunks that end anywhere.
        let mut http = Http::connect(hub.address());
        http.send(
            b"POST /api/publish/lab/push HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\
              Content-Type: multipart/x-mixed-replace; boundary=xx\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!(http.head().status, 100);
        let body = [b"--xx\r\nContent-Type: image/jpeg\r\n\r\n".to_vec(), picture.clone(), b"\r\n".to_vec()].concat();
        for _ in 0..3 {
            for chunk in body.chunks(400) {
                http.send(&[format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            }
        }
        until("the push is seen", || get(hub.address(), "/snapshot/lab/push").body == picture);
        http.send(b"0\r\n\r\n");
        let over = http.answer();
        assert_eq!((over.status, over.text().as_str()), (200, "3 pictures\n"));
        until("the name is free", || get(hub.address(), "/api/streams/lab/push").status == 404);
    });
}

#[test]
fn who_publishes_in_posts_and_is_replaced_is_told_and_publishes_no_more() {
    limited(|| {
        let hub = hub();
        let picture = support::jpeg(7);
        // Picture by picture, on one connection.
        let mut posting = Http::connect(hub.address());
        assert_eq!(posting.ask("POST", "/api/publish/main/door", "", &picture).status, 200);
        // And in an endless body.
        let mut pushing = Http::connect(hub.address());
        let part = [b"--xx\r\nContent-Type: image/jpeg\r\n\r\n".to_vec(), picture.clone(), b"\r\n".to_vec()].concat();
        pushing.send(
            b"POST /api/publish/main/gate HTTP/1.1\r\nHost: hub\r\nContent-Length: 1000000\r\n\
              Content-Type: multipart/x-mixed-replace; boundary=xx\r\n\r\n",
        );
        pushing.send(&part);
        for name in ["door", "gate"] {
            until("it is seen", || get(hub.address(), &format!("/snapshot/main/{name}")).body == picture);
            let mut other = Peer::join(hub.address(), Hello { replace: true, ..publishes(name) });
            other.publish(1, 1000);
            let taken = if name == "door" {
                posting.ask("POST", "/api/publish/main/door", "", &picture)
            } else {
                pushing.answer()
            };
            assert_eq!((taken.status, taken.field("connection")), (409, Some("close")), "{}", taken.head);
            assert!(taken.text().contains(&format!("main/{name}")), "{}", taken.text());
            assert_eq!(get(hub.address(), &format!("/snapshot/main/{name}")).body.len(), 1000, "the other goes on");
        }
        assert!(posting.is_over() && pushing.is_over());
    });
}

#[test]
fn what_cannot_be_served_is_refused_in_words() {
    limited(|| {
        let hub = hub_with(|c| c.max_picture = 4096);
        let ask = |method: &str, path: &str, fields: &str, body: &[u8]| {
            Http::connect(hub.address()).ask(method, path, fields, body)
        };
        let nowhere = ask("GET", "/nowhere", "", b"");
        assert_eq!(nowhere.status, 404);
        assert!(nowhere.text().contains("/nowhere"));
        assert_eq!(ask("GET", "/?action=stream_1", "", b"").status, 404, "the page is no picture");
        let wrong = ask("DELETE", "/snapshot", "", b"");
        assert_eq!((wrong.status, wrong.field("allow")), (405, Some("GET, HEAD, OPTIONS")));
        assert_eq!(ask("POST", "/api/publish/main/door", "", b"").status, 411);
        assert_eq!(ask("POST", "/api/publish/main/door", "", &[0; 5000]).status, 413);
        assert_eq!(ask("GET", "/health", &format!("X: {}\r\n", "x".repeat(20_000)), b"").status, 431);
        let many = "X: y\r\n".repeat(100);
        assert_eq!(ask("GET", "/health", &many, b"").status, 431);
        let two = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(ask("POST", "/api/publish/main/door", two, b"").status, 400);
        assert_eq!(ask("GET", "/stream/ma in/door", "", b"").status, 400);
        assert_eq!(ask("GET", "/stream/main/a%2Fb", "", b"").status, 404);
        assert_eq!(ask("GET", "/%ff", "", b"").status, 400);
        let mut http = Http::connect(hub.address());
        http.send(b"GET /health HTTP/1.1\r\n\r\n");
        assert_eq!(http.answer().status, 400, "no Host");
        assert_eq!(ask("GET", "/ws", "", b"").status, 400, "no upgrade");
    });
}

#[test]
fn a_request_that_does_not_end_is_answered_408_in_its_time() {
    limited(|| {
        let patience = Duration::from_millis(300);
        let hub = hub_with(|c| c.handshake = patience);
        let begun = Instant::now();
        let mut http = Http::connect(hub.address());
        http.send(b"GET /health HTTP/1.1\r\nHost: hu");
        let answer = http.answer();
        assert_eq!(answer.status, 408);
        assert!(begun.elapsed() >= patience && answer.text().contains("too long"), "{}", answer.text());
        assert!(http.is_over());
    });
}

#[test]
fn a_connection_is_kept_open_for_the_next_request_and_head_brings_no_body() {
    limited(|| {
        let hub = hub();
        let mut http = Http::connect(hub.address());
        for _ in 0..5 {
            assert_eq!(http.ask("GET", "/health", "", b"").text(), "ok\n");
        }
        let head = http.ask("HEAD", "/health", "", b"");
        assert_eq!((head.status, head.field("content-length")), (200, Some("3")));
        // Two at once, answered one after the other.
        http.send(&b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(2));
        assert_eq!((http.answer().text(), http.answer().text()), ("ok\n".into(), "ok\n".into()));
        assert_eq!(http.ask("GET", "/health", "Connection: close\r\n", b"").field("connection"), Some("close"));
        assert!(http.is_over());
        let stream = Http::connect(hub.address()).ask("HEAD", "/stream", "", b"");
        assert!(stream.field("content-type").unwrap().starts_with("multipart/x-mixed-replace"));
    });
}

#[test]
fn a_strangers_name_that_leads_here_is_not_answered() {
    limited(|| {
        let hub = hub_with(|c| c.public_url = vec!["https://cams.example.org".into()]);
        let socket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let ask = |request: &str| {
            let mut http = Http::connect(hub.address());
            http.send(format!("{request}\r\n").as_bytes());
            http.head().status
        };
        for host in
            ["127.0.0.1:8002", "[::1]", "localhost", "Hub", "desk.local.", "cam.internal", "cams.example.org:443"]
        {
            assert_eq!(ask(&format!("GET /api/streams HTTP/1.1\r\nHost: {host}\r\n")), 200, "{host}");
            assert_eq!(ask(&format!("GET /ws HTTP/1.1\r\nHost: {host}\r\n{socket}")), 101, "{host}");
        }
        for host in ["evil.test", "EVIL.test.:8002", "127.0.0.1.evil.test", "xn--lcalhost-n0a.test"] {
            let origin = format!("Host: {host}\r\nOrigin: http://{host}\r\n");
            for path in ["/", "/snapshot", "/api/streams", "/stream", "/nothing"] {
                assert_eq!(ask(&format!("GET {path} HTTP/1.1\r\n{origin}")), 421, "{host}{path}");
            }
            assert_eq!(ask(&format!("POST /api/publish/main/x HTTP/1.1\r\n{origin}Content-Length: 0\r\n")), 421);
            assert_eq!(ask(&format!("GET /ws HTTP/1.1\r\n{origin}{socket}")), 421, "{host}");
            assert_eq!(ask(&format!("GET /health HTTP/1.0\r\nHost: {host}\r\n")), 421, "{host}");
            // In absolute form the target counts, and Host does not.
            assert_eq!(ask(&format!("GET http://{host}/health HTTP/1.1\r\nHost: localhost\r\n")), 421, "{host}");
        }
        assert_eq!(ask("GET HTTP://localhost:1/health HTTP/1.1\r\nHost: evil.test\r\n"), 200);
        assert_eq!(ask("GET /health HTTP/1.0\r\n"), 200, "a program of long ago");
        for wrong in [
            "Host: a\r\nHost: a\r\n",
            "",
            "Host:\r\n",
            "Host: localhost@evil.test\r\n",
            "Host: evil.test@localhost\r\n",
        ] {
            assert_eq!(ask(&format!("GET /health HTTP/1.1\r\n{wrong}")), 400, "{wrong:?}");
        }
        let mut http = Http::connect(hub.address());
        http.send(b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n");
        assert!(http.answer().text().contains("--public-url http://evil.test"), "it says what to do");
    });
}

#[test]
fn pages_from_elsewhere_may_only_what_was_allowed() {
    limited(|| {
        let hub = hub_with(|c| c.allow_origin = vec!["https://good.example".into()]);
        let ask = |method: &str, path: &str, origin: &str| {
            Http::connect(hub.address()).ask(method, path, &format!("Origin: {origin}\r\n"), b"")
        };
        let good = ask("GET", "/api/streams", "https://good.example");
        assert_eq!(good.field("access-control-allow-origin"), Some("https://good.example"));
        assert_eq!(good.field("vary"), Some("Origin"));
        assert_eq!(ask("GET", "/api/streams", "https://bad.example").field("access-control-allow-origin"), None);
        assert_eq!(ask("OPTIONS", "/api/publish/main/x", "https://good.example").status, 204);
        assert_eq!(ask("POST", "/api/publish/main/x", "https://bad.example").status, 403);
        assert_eq!(ask("POST", "/api/publish/main/x", "https://good.example").status, 411);
        let socket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: ";
        for (origin, status) in [
            ("http://bad.example", 403),
            ("null", 403),
            ("https://good.example", 101),
            ("http://hub", 101),
            ("http://localhost:3000", 101),
            ("http://[::1]:9", 101),
        ] {
            let mut http = Http::connect(hub.address());
            http.send(format!("GET /ws HTTP/1.1\r\nHost: hub\r\n{socket}{origin}\r\n\r\n").as_bytes());
            assert_eq!(http.head().status, status, "{origin}");
        }
    });
}

#[test]
fn a_program_that_asks_for_json_is_told_how_the_service_is_and_a_browser_gets_the_page() {
    limited(|| {
        let hub = hub();
        let asks = |accept: &str| {
            let mut http = Http::connect(hub.address());
            http.send(format!("GET / HTTP/1.1\r\nHost: hub\r\nAccept: {accept}\r\n\r\n").as_bytes());
            http.answer()
        };
        for accept in ["application/json", "application/json, text/plain, */*"] {
            let status = asks(accept).json();
            assert_eq!((&status["status"], &status["service"]), (&"running".into(), &"StreamFlow".into()), "{status}");
            assert_eq!((&status["publishers"], &status["viewers"]), (&0.into(), &0.into()));
        }
        for accept in ["*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html, application/json"] {
            let page = asks(accept);
            assert!(page.text().starts_with("<!doctype html>"), "{accept}: {}", page.head);
        }
    });
}

#[test]
fn the_page_is_whole_and_names_no_outside_address() {
    limited(|| {
        let hub = hub();
        let index = get(hub.address(), "/");
        assert_eq!(index.field("content-type"), Some("text/html; charset=utf-8"));
        assert!(index.field("content-security-policy").unwrap().contains("default-src 'none'"));
        let mut wanted = vec!["worker.js".to_string()];
        let mut seen = Vec::new();
        let names = |text: &str| -> Vec<String> {
            let quoted = text.split(['"', '\'']);
            let file = |s: &&str| s.ends_with(".js") || s.ends_with(".css") || s.ends_with(".svg");
            quoted.filter(file).map(|s| s.trim_start_matches("./").to_string()).collect()
        };
        wanted.extend(names(&index.text()));
        while let Some(file) = wanted.pop() {
            if seen.contains(&file) {
                continue;
            }
            let answer = get(hub.address(), &format!("/{file}"));
            assert_eq!(answer.status, 200, "{file}");
            for line in answer.text().lines().filter(|l| l.contains("http://") || l.contains("https://")) {
                assert!(line.contains("http://www.w3.org/"), "{file} names an address: {line}");
            }
            if file.ends_with(".js") {
                let text = answer.text();
                wanted.extend(text.lines().filter(|l| l.starts_with("import ")).flat_map(names));
            }
            seen.push(file);
        }
        assert!(seen.len() > 8, "{seen:?}");
    });
}

#[test]
fn a_thousand_half_open_requests_keep_nobody_out() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        until("published", || hub.counts().0 == 1);
        let mut viewer = Http::connect(hub.address());
        viewer.send(b"GET /stream HTTP/1.1\r\nHost: hub\r\n\r\n");
        viewer.part(BOUNDARY);
        // Half a head, nothing at all, a head without its body, a WebSocket that says no hello.
        let kinds: [&[u8]; 4] = [
            b"GET /stream HTTP/1.1\r\nHost: hu",
            b"",
            b"POST /api/publish/main/x HTTP/1.1\r\nHost: hub\r\nContent-Length: 1000\r\n\r\n",
            b"GET /ws HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ];
        let mut half = Vec::new();
        for i in 0..1000 {
            let mut socket = TcpStream::connect(hub.address()).unwrap();
            socket.write_all(kinds[i % kinds.len()]).unwrap();
            half.push(socket);
            if i % 100 == 0 {
                // One byte more now and then. Whoever was shown out notices here.
                half.iter_mut().for_each(|socket| drop(socket.write_all(b"x")));
                viewer.part(BOUNDARY);
                assert_eq!(get(hub.address(), "/health").status, 200);
            }
        }
        let start = Instant::now();
        let mut late = Http::connect(hub.address());
        late.send(b"GET /stream HTTP/1.1\r\nHost: hub\r\n\r\n");
        late.part(BOUNDARY);
        assert!(start.elapsed() < LONG - Duration::from_secs(1));
        viewer.part(BOUNDARY);
    });
}

#[test]
fn a_picture_that_a_form_uploads_is_posted_as_one_in_a_plain_body_is() {
    limited(|| {
        let hub = hub();
        let picture = support::jpeg(9);
        let field = b"--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\ndoor\r\n".to_vec();
        let head = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\n".to_vec();
        let form = [field.clone(), head, picture.clone(), b"\r\n--b--\r\n".to_vec()].concat();
        let mut posting = Http::connect(hub.address());
        let kind = "Content-Type: multipart/form-data; boundary=b\r\n";
        for _ in 0..2 {
            let answer = posting.ask("POST", "/api/publish/main/door", kind, &form);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(get(hub.address(), "/snapshot/main/door").body, picture);
        }
        let none = posting.ask("POST", "/api/publish/main/door", kind, &[field, b"--b--\r\n".to_vec()].concat());
        assert_eq!(none.status, 400);
        assert!(none.text().contains("no part of the body is a JPEG"), "{}", none.text());
        // What stands around a picture in a plain body is no part of it.
        let around = [&b"\r\n"[..], &picture, b"rubbish"].concat();
        assert_eq!(posting.ask("POST", "/api/publish/main/gate", "", &around).status, 200);
        assert_eq!(get(hub.address(), "/snapshot/main/gate").body, picture);
        // Its end may be missing, its blocks may not.
        let short = &picture[..picture.len() - 2];
        assert_eq!(posting.ask("POST", "/api/publish/main/yard", "", short).status, 200);
        assert_eq!(get(hub.address(), "/snapshot/main/yard").body, picture);
        let cut = posting.ask("POST", "/api/publish/main/yard", "", &short[..short.len() - 3]);
        assert_eq!((cut.status, cut.text().contains("cut off")), (400, true), "{}", cut.text());
    });
}

#[test]
fn the_page_comes_packed_to_who_says_that_it_unpacks_and_unpacked_to_others() {
    limited(|| {
        let hub = hub();
        for (path, kind) in [("/", "text/html"), ("/main.js", "text/javascript"), ("/style.css", "text/css")] {
            let mut http = Http::connect(hub.address());
            let plain = http.ask("GET", path, "", b"");
            let packed = http.ask("GET", path, "Accept-Encoding: deflate, gzip, br\r\n", b"");
            assert_eq!((plain.status, packed.status), (200, 200), "{path}");
            assert!(plain.field("content-encoding").is_none() && packed.field("content-encoding") == Some("gzip"));
            for answer in [&plain, &packed] {
                assert!(answer.field("content-type").unwrap().starts_with(kind), "{path}");
                assert!(answer.field("content-security-policy").is_some() && answer.field("vary").is_some());
            }
            let mut unpacked = Vec::new();
            GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, plain.body, "{path}");
            assert!(packed.body.len() < plain.body.len() / 2, "{path}");
        }
    });
}
