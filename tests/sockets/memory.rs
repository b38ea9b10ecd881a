//! What one address sends and does not finish costs nobody else a picture.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use streamflow::internal::wire::control::Control;
use streamflow::internal::wire::framing::prefix;
use streamflow::internal::wire::packet::{HEADER, Packet, control_packet};

use crate::support::http::Http;
use crate::support::{Peer, hub_with, limited, publishes, until, views};

/// An address of this machine that others could reach it by, if it has one. Nothing is sent for that.
pub(crate) fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[test]
pub(crate) fn an_honest_picture_passes_while_others_hoard_what_they_do_not_finish() {
    limited(|| {
        let hub = hub_with(|config| {
            config.listen = SocketAddr::from(([0, 0, 0, 0], 0));
            config.access = streamflow::AccessControl::Open;
            config.max_memory = 24 << 20;
        });
        let here = SocketAddr::from(([127, 0, 0, 1], hub.address().port()));
        // From another address it may be as long as any. From the same one it must not be the longest.
        let (there, length) = own_address().map_or((here, 2 << 20), |ip| ((ip, here.port()).into(), 8 << 20));
        let mut viewer = Peer::join(there, views("door"));
        let mut honest = Peer::join(there, publishes("door"));
        let mut hoard = Vec::new();
        for n in 0..8 {
            let mut peer = Peer::join(here, publishes(&format!("hoard-{n}")));
            let mut bytes = Vec::from(prefix(HEADER + (8 << 20)));
            bytes.extend_from_slice(b"SF\x01\x01\x01");
            bytes.resize(7 << 20, 0);
            // Whoever has to give is closed in the middle of it.
            let _ = peer.socket.write_all(&bytes);
            hoard.push(peer);
        }
        until("some had to give", || hub.counts().0 < 6);
        for number in 1..=5 {
            honest.publish(number, length);
            loop {
                match viewer.next() {
                    Some(Packet::Picture(picture, _)) => {
                        break assert_eq!((picture.sequence, picture.data.len()), (number, length));
                    }
                    Some(_) => {}
                    None => panic!("the viewer was sent away"),
                }
            }
        }
        drop(hoard);
        until("only the honest one is left", || hub.counts() == (1, 1));
    });
}

#[test]
fn who_has_to_give_is_told_why() {
    limited(|| {
        let hub = hub_with(|config| config.max_memory = 2 << 20);
        let mut peers: Vec<Peer> =
            (0..8).map(|n| Peer::join(hub.address(), publishes(&format!("hoard-{n}")))).collect();
        for peer in &mut peers {
            let mut bytes = Vec::from(prefix(HEADER + (1 << 20)));
            bytes.extend_from_slice(b"SF\x01\x01\x01");
            bytes.resize(500_000, 0);
            peer.bytes(&bytes);
        }
        until("some had to give", || hub.counts().0 < 8);
        let told = peers.iter_mut().find_map(|peer| {
            peer.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let mut said = Vec::new();
            let _ = peer.socket.read_to_end(&mut said);
            let said = String::from_utf8_lossy(&said).into_owned();
            said.contains("\"bye\"").then_some(said)
        });
        let told = told.unwrap_or_default();
        assert!(told.contains("refused") && told.contains("--max-memory"), "{told}");
    });
}

#[test]
fn a_body_that_has_to_give_way_is_answered_503_with_the_reason() {
    limited(|| {
        let hub = hub_with(|config| config.max_memory = 2 << 20);
        let mut bodies = Vec::new();
        for n in 0..8 {
            let head = format!(
                "POST /api/publish/main/p{n} HTTP/1.1\r\nHost: hub\r\nContent-Type: image/jpeg\r\nContent-Length: 8000000\r\n\r\n"
            );
            let mut peer = Peer::connect(hub.address());
            peer.bytes(&[head.as_bytes(), &vec![0; 700_000]].concat());
            peer.socket.set_nonblocking(true).unwrap();
            bodies.push(peer);
        }
        let mut answer = Vec::new();
        until("one is answered", || {
            bodies.iter_mut().any(|peer| {
                let mut piece = [0; 4096];
                match peer.socket.read(&mut piece) {
                    Ok(n) => answer.extend_from_slice(&piece[..n]),
                    Err(e) => assert!(matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset), "{e}"),
                }
                !answer.is_empty()
            })
        });
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("--max-memory"), "{answer}");
        drop(bodies);
        // What was held is there again.
        until("a body is taken again", || {
            let mut http = Http::connect(hub.address());
            http.ask("POST", "/api/publish/main/door", "", &vec![0; 500_000]).status == 400
        });
    });
}

#[test]
fn viewers_that_keep_a_large_picture_each_and_do_not_read_it_give_way() {
    limited(|| {
        let hub = hub_with(|config| {
            config.max_memory = 16 << 20;
            // They are not to go for another reason.
            config.stuck_after = Duration::from_secs(3600);
        });
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut hoard = Vec::new();
        for number in 1..=40 {
            let mut viewer = Peer::connect_small(hub.address());
            viewer.greet(views("door"));
            hoard.push(viewer);
            // It has begun to be sent this one, and the next will be another's.
            publisher.publish(number, 2 << 20);
        }
        let ping = control_packet(&Control::Ping { time: 0 });
        let ping = [&prefix(ping.len())[..], &ping].concat();
        until("some had to give", || {
            // None is to go for its silence either.
            hoard.iter_mut().for_each(|viewer| drop(viewer.socket.write_all(&ping)));
            hub.counts().1 < 20
        });
        let mut honest = Peer::join(hub.address(), views("door"));
        publisher.publish(41, 2 << 20);
        while honest.number() != 41 {}
    });
}

#[test]
fn buffers_that_are_kept_for_pictures_to_come_count_too() {
    limited(|| {
        let hub = hub_with(|config| {
            config.max_memory = 8 << 20;
            // Each picture is left out, and what it was read into is there for the next one.
            config.max_pixels = 100;
        });
        let mut hoard: Vec<Peer> =
            (0..12).map(|n| Peer::join(hub.address(), publishes(&format!("hoard-{n}")))).collect();
        hoard.iter_mut().for_each(|publisher| publisher.publish(1, 1_000_000));
        let ping = control_packet(&Control::Ping { time: 0 });
        let ping = [&prefix(ping.len())[..], &ping].concat();
        until("some had to give", || {
            // Who rests gives it back anyway.
            hoard.iter_mut().for_each(|publisher| drop(publisher.socket.write_all(&ping)));
            hub.counts().0 < 12
        });
    });
}
