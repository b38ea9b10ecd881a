//! Browsers' sessions: what they have let in ends with them.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};

use streamflow::internal::wire::packet::{Packet, control_packet};
use streamflow::internal::wire::websocket::{End, Message, Reader, binary};

use super::*;
use crate::support::LONG;

/// A browser that shows this secret: its cookie, as a field of a request.
fn logs_in(address: SocketAddr, secret: &str, fields: &str) -> String {
    let session = Http::connect(address).ask("POST", "/api/session", &format!("{}{fields}", bearer(secret)), b"");
    assert_eq!(session.status, 200, "{}", session.text());
    format!("Cookie: {}\r\n", session.field("set-cookie").unwrap().split(';').next().unwrap())
}

/// What a browser does with its cookie: an answer that does not end.
fn streams(address: SocketAddr, path: &str, fields: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: hub\r\n{fields}\r\n").as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101") || head.starts_with("HTTP/1.1 200"), "{head}");
    socket
}

fn websocket(address: SocketAddr, path: &str, fields: &str) -> TcpStream {
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    streams(address, path, &format!("{upgrade}{fields}"))
}

/// The page's own connection.
fn page(address: SocketAddr, fields: &str) -> TcpStream {
    let mut socket = websocket(address, "/ws", fields);
    let hello = control_packet(&Control::Hello(views("door")));
    socket.write_all(&binary(End::Client, &[&hello])).unwrap();
    socket
}

/// All that comes until it is closed; whether a goodbye of the native protocol is there, and which.
fn goodbye(mut socket: TcpStream) -> Option<(Cause, String)> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let mut reader = Reader::new(End::Client, 1 << 20, 1 << 20);
    let mut at = 0;
    while at < bytes.len() {
        let (used, message) = reader.decode(&mut bytes[at..]).unwrap();
        if let Some(Message::Packet(Packet::Control(Control::Bye { cause, reason }))) = message {
            return Some((cause, reason));
        }
        at += used;
    }
    None
}

#[test]
fn who_logs_out_of_the_page_ends_all_that_its_session_let_in_and_nothing_else() {
    limited(|| {
        let asking =
            Asking::of(&FILE.replace("\"operate\", \"view\"", "\"operate\", \"view\", \"publish\""), "logout", |_| {});
        let address = asking.hub.address();
        let mut camera = Peer::join(address, with(publishes("door"), PUBLISH));
        camera.picture(1, &jpeg(9));
        // Two browsers, and one that shows the secret itself, and a cookie that counts for nothing beside it.
        let (cookie, other) = (logs_in(address, OPERATE, ""), logs_in(address, OPERATE, ""));
        let mut stays = page(address, &other);
        let both = streams(address, "/stream/main/door", &format!("{}{cookie}", bearer(VIEW)));
        let opened = [page(address, &cookie), page(address, &cookie)];
        let streamed = streams(address, "/stream/main/door", &cookie);
        let in_room = websocket(address, "/ws/main/Ann", &cookie);
        // The same browser shows another link: that is the same session.
        assert_eq!(logs_in(address, VIEW, &cookie), cookie);
        let later = page(address, &cookie);
        until("all watch", || asking.hub.counts().1 >= 7);

        let own = format!("{cookie}Origin: http://hub\r\nSec-Fetch-Site: same-origin\r\n");
        assert_eq!(Http::connect(address).ask("DELETE", "/api/session", &own, b"").status, 200);
        for socket in opened.into_iter().chain([later]) {
            let (cause, reason) = goodbye(socket).unwrap();
            assert!(cause == Cause::Unauthorized && reason.contains("this browser has logged out"), "{reason}");
        }
        for mut socket in [streamed, in_room] {
            socket.read_to_end(&mut Vec::new()).unwrap();
        }
        assert_eq!(asking.get("/api/streams", &cookie).status, 401);
        // Nobody else has noticed.
        camera.picture(2, &jpeg(9));
        assert_eq!(asking.get("/api/streams", &other).status, 200);
        for socket in [&mut stays, &mut &both] as [&mut dyn std::io::Read; 2] {
            socket.read_exact(&mut [0; 64]).unwrap();
        }
        until("those two watch", || asking.hub.counts().1 == 2);
    });
}
