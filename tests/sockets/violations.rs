//! Whoever breaks the rules hears why, in the words of what it speaks, before the connection ends.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};

use streamflow::internal::wire::control::{Cause, Control, ViewRequest};
use streamflow::internal::wire::framing::prefix;
use streamflow::internal::wire::packet::{HEADER, control_packet};
use streamflow::internal::wire::websocket;

use crate::support::http::Http;
use crate::support::{LONG, Peer, hub, hub_with, limited, publishes, until, views};

const MULTIPART: &str = "Content-Type: multipart/x-mixed-replace; boundary=b\r\nTransfer-Encoding: chunked\r\n";

#[test]
fn a_viewer_that_breaks_the_protocol_in_the_middle_of_a_picture_hears_why_behind_it() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut viewer = Peer::connect_small(hub.address());
        viewer.greet(views("door"));
        until("it watches", || hub.counts() == (1, 1));
        // More than the sockets hold, so that the rest waits in the hub.
        publisher.publish(1, 2 << 20);
        viewer.packet(b"no packet at all, and long enough to have a header");
        until("it watches no more", || hub.counts() == (1, 0));
        assert_eq!(viewer.number(), 1);
        assert_eq!(viewer.bye().0, Cause::Protocol);
        viewer.until_closed();
    });
}

#[test]
fn the_name_of_a_publisher_that_broke_the_protocol_is_free_at_once() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        publisher.packet(b"no packet at all, and long enough to have a header");
        assert_eq!(publisher.bye().0, Cause::Protocol);
        // It has not closed yet, and goes on sending.
        let mut another = Peer::join(hub.address(), publishes("door"));
        publisher.packet(&control_packet(&Control::List));
        another.publish(1, 100);
        publisher.until_closed();
    });
}

#[test]
fn an_oversized_message_in_pieces_is_answered_though_more_of_it_comes() {
    limited(|| {
        let hub = hub_with(|config| config.max_picture = 100_000);
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        publisher.bytes(&prefix(HEADER + 10_000_000));
        let more = publisher.socket.try_clone().unwrap();
        let sends = std::thread::spawn(move || {
            // Until the hub has closed.
            while std::io::Write::write_all(&mut &more, &[7; 10_000]).is_ok() {}
        });
        assert_eq!(publisher.bye().0, Cause::Protocol);
        sends.join().unwrap();
    });
}

/// A WebSocket after its handshake, for bytes of any kind.
fn upgraded(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let url = format!("ws://{address}{path}");
    let (socket, _) = tungstenite::client(url, socket).unwrap();
    socket.into_inner()
}

/// The code and the words of the close frame with which this ends.
fn close_frame(mut socket: TcpStream) -> (u16, String) {
    let mut reader = websocket::Reader::new(websocket::End::Client, 1 << 20, 1 << 20);
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let mut at = 0;
    while at < bytes.len() {
        let (used, message) = reader.decode(&mut bytes[at..]).unwrap();
        if let Some(websocket::Message::Close(_)) = message {
            let frame = &bytes[at..at + used];
            return (u16::from_be_bytes([frame[2], frame[3]]), String::from_utf8_lossy(&frame[4..]).into_owned());
        }
        at += used;
    }
    panic!("ended without a close frame");
}

#[test]
fn a_websocket_of_every_kind_ends_with_a_close_frame_that_says_what_was_wrong() {
    use std::io::Write;
    limited(|| {
        let hub = hub();
        for path in ["/ws/viewer/detection?camera_id=CAM1", "/ws/hall/ann"] {
            // A client must mask its frames (RFC 6455, section 5.1).
            let mut socket = upgraded(hub.address(), path);
            socket.write_all(b"\x81\x02hi").unwrap();
            let (code, reason) = close_frame(socket);
            assert_eq!(code, 1002, "{path}: {reason}");
            assert!(reason.contains("mask"), "{path}: {reason}");
            // A text of 100 MB.
            let mut socket = upgraded(hub.address(), path);
            let length = (100_u64 << 20).to_be_bytes();
            socket.write_all(&[&[0x81, 0xff][..], &length, &[0; 4]].concat()).unwrap();
            let (code, reason) = close_frame(socket);
            assert_eq!(code, 1009, "{path}: {reason}");
        }
        // The native protocol says goodbye in its own words first.
        let mut socket = upgraded(hub.address(), "/ws");
        let hello = control_packet(&Control::Hello(views("door")));
        socket.write_all(&websocket::binary(websocket::End::Client, &[&hello])).unwrap();
        socket.write_all(b"\x82\x02hi").unwrap();
        assert_eq!(close_frame(socket).0, 1002);
        // Before its hello, too.
        let mut socket = upgraded(hub.address(), "/ws");
        socket.write_all(b"\x82\x02hi").unwrap();
        assert_eq!(close_frame(socket).0, 1002);
        let mut socket = upgraded(hub.address(), "/ws");
        socket.write_all(&websocket::binary(websocket::End::Client, &[&control_packet(&Control::List)])).unwrap();
        assert_eq!(close_frame(socket).0, 1008);
    });
}

#[test]
fn a_goodbye_is_read_behind_a_picture_though_more_was_wrong_and_its_reader_says_no_more() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut viewer = Peer::connect_small(hub.address());
        viewer.greet(views("door"));
        until("it watches", || hub.counts() == (1, 1));
        publisher.publish(1, 2 << 20);
        let elsewhere = Control::Subscribe { room: "main".into(), name: "a/b".into(), request: ViewRequest::default() };
        let elsewhere = control_packet(&elsewhere);
        viewer.bytes(&[&prefix(elsewhere.len())[..], &elsewhere, &prefix(9), b"nonsense!"].concat());
        viewer.socket.shutdown(std::net::Shutdown::Write).unwrap();
        until("it watches no more", || hub.counts() == (1, 0));
        assert_eq!(viewer.number(), 1);
        assert_eq!(viewer.bye().0, Cause::Refused);
        viewer.until_closed();
    });
}

#[test]
fn a_stream_in_a_request_that_breaks_off_is_answered_with_its_status() {
    limited(|| {
        let hub = hub_with(|config| config.max_picture = 100_000);
        let post = |body: &[u8]| {
            let mut http = Http::connect(hub.address());
            http.send(format!("POST /api/publish/main/door HTTP/1.1\r\nHost: hub\r\n{MULTIPART}\r\n").as_bytes());
            http.send(body);
            let answer = http.answer();
            assert!(http.is_over());
            (answer.status, answer.text())
        };
        let (status, why) = post(b"5\r\n--b\r\n\r\nnonsense\r\n");
        assert_eq!((status, why.as_str()), (400, "a malformed chunk\n"));
        // One answer, also where the sender says at once that nothing follows.
        let mut socket = std::net::TcpStream::connect(hub.address()).unwrap();
        let head = format!("POST /api/publish/main/door HTTP/1.1\r\nHost: hub\r\n{MULTIPART}\r\n5\r\n--b\r\n\r\n");
        std::io::Write::write_all(&mut socket, head.as_bytes()).unwrap();
        until("it publishes", || hub.counts().0 == 1);
        std::io::Write::write_all(&mut socket, b"nonsense\r\n").unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut socket, &mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 400 ") && said.matches("HTTP/1.1 ").count() == 1, "{said}");
        // ffmpeg says how long a part is; a camera may not, and then what is too long is left out.
        let head = b"--b\r\nContent-Length: 100001\r\n\r\n";
        let (status, why) = post(&[format!("{:x}\r\n", head.len()).as_bytes(), head, b"\r\n"].concat());
        assert_eq!(status, 413, "{why}");
        assert!(why.contains("100000"), "{why}");
    });
}

#[test]
fn a_close_frame_is_the_last_frame_and_comes_once() {
    use std::io::Write;
    limited(|| {
        let hub = hub();
        // A ping, a text that is answered, and a close frame, at once; all masked with zeros.
        let said =
            [&[0x89, 0x80, 0, 0, 0, 0][..], b"\x81\x8f\0\0\0\0{\"type\":\"ping\"}", &[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]];
        let mut socket = upgraded(hub.address(), "/ws/hall/ann");
        socket.write_all(&said.concat()).unwrap();
        let mut answers = Vec::new();
        socket.read_to_end(&mut answers).unwrap();
        let text = String::from_utf8_lossy(&answers);
        assert!(text.contains("pong"), "{text}");
        let (close, rest) = (&answers[answers.len() - 4..], &answers[..answers.len() - 4]);
        assert_eq!(close, [0x88, 2, 3, 0xe8], "{answers:x?}");
        assert!(!rest.windows(4).any(|w| w == close), "{answers:x?}");
        // The same of a native viewer whose last request is refused.
        let mut socket = upgraded(hub.address(), "/ws");
        let hello = control_packet(&Control::Hello(views("door")));
        let elsewhere = Control::Subscribe { room: "main".into(), name: "a/b".into(), request: ViewRequest::default() };
        let messages = [&hello[..], &control_packet(&elsewhere)]
            .map(|packet| websocket::binary(websocket::End::Client, &[packet]));
        socket.write_all(&[&messages.concat()[..], said[2]].concat()).unwrap();
        let mut answers = Vec::new();
        socket.read_to_end(&mut answers).unwrap();
        assert!(String::from_utf8_lossy(&answers).contains("refused"));
        assert_eq!(answers[answers.len() - 4..], [0x88, 2, 3, 0xe8], "{answers:x?}");
        assert_eq!(answers.windows(2).filter(|w| *w == [0x88, 2]).count(), 1, "{answers:x?}");
    });
}
