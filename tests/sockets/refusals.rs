//! What a program says of a hub that it cannot use: what it saw, and whose side it is on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::thread;

use streamflow::from_fn;
use streamflow::internal::frame::{Frame, PixelFormat};
use streamflow::internal::locate::HubLocation;
use streamflow::internal::publisher::Publisher;
use streamflow::internal::source::Next;
use streamflow::internal::viewer::{Viewer, ViewerConfig};

use crate::support::{LONG, SIZE, at, hub_with, jpeg, limited, publisher_config, until, viewer};

/// Somebody who answers everybody with this, and closes.
fn answers(with: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let _ = socket.read(&mut [0; 1024]);
            let _ = socket.write_all(with);
            // What is still unread when it closes would take the answer with it.
            let _ = socket.shutdown(Shutdown::Write);
            let _ = socket.set_read_timeout(Some(LONG));
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        }
    });
    address
}

/// What a viewer says that tries to get in there once.
fn said(hub: &str) -> String {
    let location = HubLocation::Join(hub.parse().unwrap());
    let viewer = Viewer::start(ViewerConfig { location, retries: Some(0), ..ViewerConfig::default() }).unwrap();
    until("it gives up", || viewer.over().is_some());
    viewer.over().unwrap().to_string()
}

#[test]
fn a_refusal_is_told_in_the_words_that_came_with_it_and_what_is_no_hub_is_called_that() {
    limited(|| {
        let over_websocket = |answer| said(&format!("ws://{}/ws", answers(answer)));
        let full = b"HTTP/1.1 503 X\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n\r\nno files\x1b are left";
        let said_of = over_websocket(full);
        assert!(said_of.contains("no files") && said_of.contains("(503)"), "{said_of}");
        assert!(!said_of.contains('\x1b') && !said_of.contains("no StreamFlow hub"), "{said_of}");
        let proxy = over_websocket(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>");
        assert!(proxy.contains("a proxy answers") && proxy.contains("reaches no hub"), "{proxy}");
        let other = over_websocket(b"HTTP/1.1 404 Not Found\r\n\r\n");
        assert!(other.contains("is no StreamFlow hub (it answers 404)"), "{other}");
        let silent = said(&answers(b"").to_string());
        assert!(silent.contains("without a word") && !silent.contains("no StreamFlow hub"), "{silent}");
        let web = said(&answers(b"HTTP/1.1 400 Bad Request\r\n\r\n").to_string());
        assert!(web.contains("is no StreamFlow hub (a web server)"), "{web}");
        // A program that sends pictures without being asked.
        for before in [&19_u64.to_le_bytes()[..], &19_u32.to_be_bytes(), b""] {
            let picture = [before, b"\xff\xd8\xff\xe0\0\x10JFIF and so on"].concat();
            let at = answers(Box::leak(picture.into_boxed_slice()));
            let sender = said(&at.to_string());
            assert!(sender.contains("is no StreamFlow hub (it sends JPEGs"), "{sender}");
            assert!(sender.contains(&format!("streamflow-send --source tcp://{at} ")), "{sender}");
        }
    });
}

#[test]
fn viewers_of_pictures_that_the_hub_does_not_take_are_told_so() {
    limited(|| {
        let hub = hub_with(|config| config.max_picture = 2048);
        let jpeg = jpeg(7);
        // A comment makes it long.
        let large = [&jpeg[..2], &[0xff, 0xfe, 0x0c, 0x02], &[b'x'; 0x0c00], &jpeg[2..]].concat();
        let source = from_fn(move |frame: &mut Frame| {
            (frame.data, frame.format, frame.size) = (large.clone().into(), PixelFormat::Jpeg, SIZE);
            Ok(Next::Frame)
        });
        let config = publisher_config(at(&hub), "door");
        let _publisher = Publisher::start(config, Box::new(source)).unwrap();
        let viewer = viewer(at(&hub), "door");
        until("it is told why", || {
            let said = viewer.report().detail;
            said.contains("--max-picture") && !said.contains("--quality")
        });
    });
}
