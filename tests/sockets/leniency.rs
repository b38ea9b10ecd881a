//! Requests as odd clients, microcontrollers and proxies write them: what is meant is done, and what is not gets words.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use streamflow::Hub;
use streamflow::internal::hub::HubConfig;

use crate::support::http::{Answer, Http, get, post};
use crate::support::{LONG, Peer, hub, hub_with, jpeg, limited, publishes};

const KEY: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Sends this as it is, and takes the answer.
fn raw(address: SocketAddr, request: &str) -> Answer {
    let mut http = Http::connect(address);
    http.send(request.as_bytes());
    http.answer()
}

#[test]
fn a_websocket_is_opened_whatever_subprotocols_the_client_offers() {
    limited(|| {
        let hub = hub();
        for path in ["/ws", "/ws/room/ann", "/ws/viewer/detection?camera_id=x"] {
            let fields = format!("{KEY}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: json, v2\r\n");
            let mut http = Http::connect(hub.address());
            http.send(format!("GET {path} HTTP/1.1\r\nHost: hub\r\n{fields}\r\n").as_bytes());
            let answer = http.head();
            assert_eq!((answer.status, answer.field("sec-websocket-protocol")), (101, Some("json")), "{path}");
        }
        let old =
            raw(hub.address(), &format!("GET /ws HTTP/1.1\r\nHost: hub\r\n{KEY}Sec-WebSocket-Version: 8\r\n\r\n"));
        assert_eq!((old.status, old.field("sec-websocket-version")), (426, Some("13")));
    });
}

#[test]
fn text_that_is_no_request_is_answered_in_words() {
    limited(|| {
        let hub = hub();
        let address = hub.address();
        assert_eq!(
            raw(address, "\r\n\r\nGET /api/streams HTTP/1.1\r\nHost: hub\r\n\r\n").status,
            200,
            "empty lines first"
        );
        assert_eq!(raw(address, "GET /api/streams HTTP/1.1\r\nHost: fe80::1\r\n\r\n").status, 200, "without brackets");
        for (request, status) in [
            ("PROPFIND / HTTP/1.1\r\nHost: hub\r\n\r\n", 405),
            ("get /stream HTTP/1.1\r\nHost: hub\r\n\r\n", 405),
            ("PRI * HTTP/2.0\r\n\r\n", 400),
            ("hello, is somebody there?\r\n\r\n", 400),
        ] {
            let answer = raw(address, request);
            assert_eq!(answer.status, status, "{request}: {}", answer.text());
            assert!(!answer.body.is_empty());
        }
    });
}

#[test]
fn pages_of_files_are_let_in_by_the_line_that_their_refusal_names() {
    limited(|| {
        let hub = hub();
        for (origin, advice) in
            [("null", "--allow-origin null"), ("file://", "--allow-origin file://"), ("", "--allow-origin null")]
        {
            let asked = format!("POST /api/publish/main/x HTTP/1.1\r\nHost: hub\r\nOrigin: {origin}\r\n\r\n");
            let refused = raw(hub.address(), &asked);
            assert_eq!(refused.status, 403);
            assert!(refused.text().trim_end().ends_with(advice), "{}", refused.text());
            assert!(!refused.text().contains("--public-url"), "{}", refused.text());
        }
        let two = "POST /x HTTP/1.1\r\nHost: hub\r\nOrigin: http://hub\r\nOrigin: http://evil.test\r\n\r\n";
        assert_eq!(raw(hub.address(), two).status, 400, "which of them counts?");
        let lenient = hub_with(|c| c.allow_origin = vec!["file://".into(), "null".into(), "https://a.example/".into()]);
        for origin in ["file://", "null", "https://a.example"] {
            let mut http = Http::connect(lenient.address());
            let posted = http.ask("POST", "/api/publish/main/x", &format!("Origin: {origin}\r\n"), &jpeg(1));
            assert_eq!(posted.status, 200, "{origin}: {}", posted.text());
        }
        // What never matches is no setting.
        let wrong = HubConfig { listen: ([127, 0, 0, 1], 0).into(), ..HubConfig::default() };
        let wrong = HubConfig { allow_origin: vec!["a.example".into()], ..wrong };
        assert!(Hub::start(wrong).is_err_and(|error| error.to_string().contains("https://example.org")));
    });
}

#[test]
fn what_is_wrong_with_a_post_is_said_as_it_is() {
    limited(|| {
        let hub = hub_with(|c| c.max_publishers = 1);
        let empty = "POST /api/publish/main/a HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n";
        let empty = raw(hub.address(), empty);
        assert_eq!((empty.status, empty.text().as_str()), (400, "the body is empty\n"));
        let _publisher = Peer::join(hub.address(), publishes("door"));
        let full = post(hub.address(), "/api/publish/main/a", &jpeg(1));
        assert_eq!((full.status, full.field("retry-after")), (503, Some("1")));
        assert!(full.text().contains("--max-publishers"), "{}", full.text());
    });
}

#[test]
fn a_form_in_chunks_is_a_post_of_its_picture() {
    limited(|| {
        let hub = hub();
        let (picture, mut posting) = (jpeg(9), Http::connect(hub.address()));
        let form = [
            &b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\n"[..],
            &picture,
            b"\r\n--b--\r\n",
        ]
        .concat();
        for _ in 0..2 {
            posting.send(
                b"POST /api/publish/main/door HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\
                  Content-Type: multipart/form-data; boundary=b\r\n\r\n",
            );
            for piece in form.chunks(100) {
                posting.send(format!("{:x}\r\n", piece.len()).as_bytes());
                posting.send(piece);
                posting.send(b"\r\n");
            }
            posting.send(b"0\r\n\r\n");
            let answer = posting.answer();
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(get(hub.address(), "/snapshot/main/door").body == picture, "the stream stays between posts");
            posting = Http::connect(hub.address());
        }
    });
}

#[test]
fn who_writes_all_that_it_has_before_it_reads_hears_that_it_is_too_much() {
    limited(|| {
        let hub = hub_with(|c| c.max_picture = 4096);
        let mut socket = TcpStream::connect(hub.address()).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.set_write_timeout(Some(LONG)).unwrap();
        let length = 12 << 20;
        let head = format!("POST /api/publish/main/a HTTP/1.1\r\nHost: hub\r\nContent-Length: {length}\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        (0..length / 65_536).for_each(|_| socket.write_all(&[7; 65_536]).expect("read to its end"));
        socket.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("--max-picture"), "{answer}");
    });
}
