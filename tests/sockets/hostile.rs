//! Slow, wrong and hostile peers end at the door, and the others do not notice.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use streamflow::internal::hub::Hub;
use streamflow::internal::locate::HubLocation;
use streamflow::internal::net::address::HubAddress;
use streamflow::internal::viewer::{Viewer, ViewerConfig};
use streamflow::internal::wire::control::{Cause, Control, StreamState};
use streamflow::internal::wire::framing::{Deframer, prefix};
use streamflow::internal::wire::packet::{HEADER, Packet, VERSION, control_packet};

use crate::support::http::{Http, get};
use crate::support::{LONG, Peer, hub, hub_with, jpeg, limited, next_picture, publishes, until, viewer, views};

/// The hub still serves whoever behaves.
#[track_caller]
fn serves(hub: &Hub) {
    let mut publisher = Peer::join(hub.address(), publishes("good"));
    let mut viewer = Peer::join(hub.address(), views("good"));
    publisher.publish(1, 1000);
    assert_eq!(viewer.number(), 1);
}

/// Says this and nothing more, and reads until the hub hangs up.
#[track_caller]
fn says(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut peer = Peer::connect(address);
    // The hub may hang up in the middle of it.
    let _ = peer.socket.write_all(bytes);
    let mut answer = Vec::new();
    let _ = peer.socket.read_to_end(&mut answer);
    answer
}

#[test]
pub(crate) fn an_oversized_length_is_refused_in_words() {
    limited(|| {
        let hub = hub();
        let mut peer = Peer::connect(hub.address());
        // The upper half of a length is zero, so 4 GiB is the longest that is taken for one.
        peer.bytes(&0xffff_ffffu64.to_le_bytes());
        let (cause, reason) = peer.bye();
        assert_eq!(cause, Cause::Protocol);
        assert!(reason.contains("4294967295"), "{reason}");
        peer.until_closed();
        says(hub.address(), &[0xff; 64]);
        serves(&hub);
    });
}

#[test]
pub(crate) fn an_oversized_picture_ends_its_publisher_alone() {
    limited(|| {
        let hub = hub_with(|config| config.max_picture = 100_000);
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut viewer = Peer::join(hub.address(), views("door"));
        publisher.publish(1, 99_000);
        assert_eq!(viewer.number(), 1);
        publisher.bytes(&prefix(HEADER + 10_000_000));
        let (cause, _) = publisher.bye();
        assert_eq!(cause, Cause::Protocol);
        let lost = loop {
            if let Control::State(state) = viewer.control()
                && !state.live
                && !state.published
            {
                break state;
            }
        };
        assert_eq!(lost.reason, "publisher gone");
        serves(&hub);
    });
}

#[test]
fn another_version_is_told_which_one_is_spoken_here() {
    limited(|| {
        let hub = hub();
        let mut packet = control_packet(&Control::Hello(views("door")));
        packet[2] = VERSION + 1;
        let mut peer = Peer::connect(hub.address());
        peer.packet(&packet);
        let (cause, reason) = peer.bye();
        assert_eq!(cause, Cause::Protocol);
        assert!(reason.contains(&format!("version {}", VERSION + 1)), "{reason}");
        assert!(reason.contains(&format!("speaks {VERSION}")), "{reason}");
        peer.until_closed();
    });
}

#[test]
pub(crate) fn whoever_dawdles_is_shown_out() {
    limited(|| {
        let hub = hub_with(|config| config.handshake = Duration::from_millis(400));
        // Silence, a byte now and then of a hello, of an HTTP head and of a WebSocket upgrade.
        let hello = control_packet(&Control::Hello(views("door")));
        let native = [&prefix(hello.len())[..], &hello].concat();
        let http =
            b"GET /ws HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
        for bytes in [&[][..], &native, &http[..]] {
            let mut peer = Peer::connect(hub.address());
            let begun = Instant::now();
            peer.socket.set_nonblocking(true).unwrap();
            let mut rest = bytes.iter();
            loop {
                assert!(begun.elapsed() < LONG, "a slow peer stays");
                if let Some(byte) = rest.next()
                    && peer.socket.write_all(&[*byte]).is_err()
                {
                    break;
                }
                match peer.socket.read(&mut [0; 64]) {
                    Ok(0) => break,
                    Err(e) if e.kind() != std::io::ErrorKind::WouldBlock => break,
                    _ => {}
                }
                sleep(Duration::from_millis(20));
            }
        }
        serves(&hub);
    });
}

#[test]
fn a_crowd_that_says_nothing_keeps_nobody_out() {
    limited(|| {
        let hub = hub_with(|config| config.max_pending = 8);
        let mut silent: Vec<Peer> = (0..100).map(|_| Peer::connect(hub.address())).collect();
        serves(&hub);
        // The oldest gave way.
        silent[0].until_closed();
    });
}

#[test]
fn a_crowd_that_comes_back_at_once_gets_in() {
    limited(|| {
        let hub = hub();
        let mut crowd: Vec<Peer> = (0..400)
            .map(|_| {
                let mut peer = Peer::connect(hub.address());
                peer.say(&Control::Hello(views("door")));
                peer
            })
            .collect();
        for (n, peer) in crowd.iter_mut().enumerate() {
            assert!(matches!(peer.control(), Control::Welcome { .. }), "the {n}th");
        }
        assert_eq!(hub.counts().1, 400);
    });
}

#[test]
fn leaving_in_the_middle_of_a_word_is_no_trouble() {
    limited(|| {
        let hub = hub();
        let hello = control_packet(&Control::Hello(publishes("door")));
        let native = [&prefix(hello.len())[..], &hello, &prefix(5000), &[0; 100]].concat();
        let http = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n";
        for cut in (0..native.len()).step_by(7) {
            Peer::connect(hub.address()).bytes(&native[..cut]);
        }
        for cut in 0..http.len() {
            Peer::connect(hub.address()).bytes(&http[..cut]);
        }
        until("all are gone", || hub.counts() == (0, 0));
        serves(&hub);
    });
}

#[test]
fn other_protocols_get_an_answer_they_understand_or_none() {
    limited(|| {
        let hub = hub();
        let address = hub.address();
        // A TLS client hello (RFC 8446, section 5.1).
        assert_eq!(says(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), b"");
        let text = |bytes: &[u8]| String::from_utf8_lossy(&says(address, bytes)).into_owned();
        let nowhere = text(b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(nowhere.starts_with("HTTP/1.1 404 "), "{nowhere}");
        let no_key = text(b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        assert!(no_key.starts_with("HTTP/1.1 400 "), "{no_key}");
        let long = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'y'; 100_000]].concat();
        let long = text(&long);
        assert!(long.is_empty() || long.starts_with("HTTP/1.1 4"), "{long}");
        says(address, b"SSH-2.0-OpenSSH_9.2\r\n");
        serves(&hub);
    });
}

#[test]
fn who_breaks_the_protocol_once_admitted_is_told_and_ends() {
    limited(|| {
        let hub = hub();
        // A viewer that sends a picture.
        let mut viewer = Peer::join(hub.address(), views("door"));
        let mut picture = control_packet(&Control::List);
        picture.truncate(HEADER);
        (picture[3], picture[4]) = (1, 1);
        picture.extend_from_slice(b"\xff\xd8\xff\xd9");
        viewer.packet(&picture);
        assert_eq!(viewer.bye(), (Cause::Protocol, "a picture or sound from a viewer".into()));
        viewer.until_closed();
        // A publisher whose packet is none.
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        publisher.packet(b"no packet at all, and long enough to have a header");
        assert_eq!(publisher.bye().0, Cause::Protocol);
        publisher.until_closed();
        // A first packet that is no hello.
        let mut stranger = Peer::connect(hub.address());
        stranger.say(&Control::List);
        let (cause, reason) = stranger.bye();
        assert_eq!(cause, Cause::Refused);
        assert!(reason.contains("hello"), "{reason}");
        serves(&hub);
    });
}

#[test]
fn a_payload_that_is_no_jpeg_reaches_no_viewer_and_ends_no_stream() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut viewer = Peer::join(hub.address(), views("door"));
        until("the viewer watches", || hub.counts() == (1, 1));
        let mut wrong = control_packet(&Control::List);
        wrong.truncate(HEADER);
        (wrong[3], wrong[4]) = (1, 1);
        wrong.extend_from_slice(b"GIF89a");
        publisher.packet(&wrong);
        publisher.publish(7, 1000);
        assert_eq!(viewer.number(), 7);
    });
}

#[test]
fn random_bytes_do_no_harm() {
    limited(|| {
        let hub = hub_with(|config| config.handshake = Duration::from_millis(300));
        // The same bytes in every run: a failure can be seen again.
        let mut random = fastrand::Rng::with_seed(20_261_121);
        for round in 0..150 {
            let mut bytes: Vec<u8> = (0..random.usize(1..600)).map(|_| random.u8(..)).collect();
            // Every second one looks right for a while.
            if round % 2 == 0 {
                let length = prefix(bytes.len());
                bytes.splice(0..0, length);
                if round % 4 == 0 && bytes.len() > 16 {
                    bytes[8..16].copy_from_slice(&[b'S', b'F', VERSION, random.u8(0..4), 1, 0, 0, 0]);
                }
            }
            let mut peer = Peer::connect(hub.address());
            let _ = peer.socket.write_all(&bytes);
            let _ = peer.socket.shutdown(std::net::Shutdown::Write);
            peer.until_closed();
        }
        until("all are gone", || hub.counts() == (0, 0));
        serves(&hub);
    });
}

/// A hub that goes on saying everything there is, with a picture after every ten thousand messages. Counts the answers to
/// pictures.
fn flooding_hub(listener: TcpListener, answered: Arc<AtomicU32>) {
    let mut peer = Peer::on(listener.accept().unwrap().0);
    let (room, name) = ("main".to_owned(), "door".to_owned());
    let program = "flood".into();
    let welcome = Control::Welcome {
        room: room.clone(),
        name: name.clone(),
        program,
        max_picture: 0,
        max_pixels: 0,
        can: Vec::new(),
    };
    let live = Control::State(StreamState { room, name, live: true, published: true, ..StreamState::default() });
    // It answers nothing: what another thread writes would be in the middle of the flood.
    let mut ear = peer.socket.try_clone().unwrap();
    assert!(matches!(peer.control(), Control::Hello(_)));
    peer.say(&welcome);
    spawn(move || {
        let (mut deframer, mut piece) = (Deframer::new(1 << 20), [0; 4096]);
        while let Ok(n @ 1..) = ear.read(&mut piece) {
            let mut at = 0;
            while at < n {
                let (used, packet) = deframer.decode(&piece[at..n]).unwrap();
                at += used;
                let is_ack = matches!(packet, Some(Packet::Control(Control::Ack { .. })));
                answered.fetch_add(u32::from(is_ack), Ordering::Relaxed);
            }
        }
    });
    let messages =
        [live, Control::Ping { time: 1 }, Control::Link { bytes: None, busy: None }, Control::Clock { error: 1 }];
    let packets: Vec<u8> =
        messages.iter().map(control_packet).flat_map(|p| [&prefix(p.len())[..], &p].concat()).collect();
    let flood = packets.repeat(2500);
    for number in 0.. {
        // The viewer hangs up when the test is over.
        if peer.socket.write_all(&flood).is_err() {
            return;
        }
        peer.picture(number, &jpeg(9));
    }
}

#[test]
fn a_viewer_that_its_hub_floods_goes_on_showing_pictures_and_answering_and_ends_when_it_is_to() {
    limited(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let location = HubLocation::Join(HubAddress::of_listener(listener.local_addr().unwrap()));
        let answered = Arc::new(AtomicU32::new(0));
        let flooding = spawn({
            let answered = answered.clone();
            move || flooding_hub(listener, answered)
        });
        let viewer = viewer(location, "door");
        for _ in 0..5 {
            next_picture(&viewer);
        }
        until("the pictures are answered", || answered.load(Ordering::Relaxed) >= 5);
        drop(viewer);
        // The last picture may fail to be sent, and then its thread says so.
        let _ = flooding.join();
    });
}

#[test]
fn a_hub_that_answers_a_handshake_byte_by_byte_is_waited_for_no_longer_than_one_that_says_nothing() {
    limited(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub: HubAddress = format!("ws://{}/ws", listener.local_addr().unwrap()).parse().unwrap();
        spawn(move || {
            let mut socket = listener.accept().unwrap().0;
            let _ = socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n");
            // Each of these is a whole header, and none comes so late that a read would find nothing.
            let header = format!("X: {}\r\n", "y".repeat(200));
            while socket.write_all(header.as_bytes()).is_ok() {
                sleep(Duration::from_millis(60));
            }
        });
        let config = ViewerConfig { location: HubLocation::Join(hub), retries: Some(0), ..ViewerConfig::default() };
        let viewer = Viewer::start(config).unwrap();
        until("it is given up", || viewer.over().is_some());
        let why = viewer.over().unwrap().to_string();
        assert!(why.contains("no answer"), "{why}");
    });
}

#[test]
fn snapshots_that_wait_for_a_camera_do_not_keep_others_out() {
    limited(|| {
        let hub = hub_with(|config| config.max_pending = 1);
        // Each round would last until its camera is told to be silent, which is over 2 s.
        for round in 0..40 {
            let name = format!("door-{round}");
            let _silent = Peer::join(hub.address(), publishes(&name));
            let ask = |_| {
                let mut waiting = Http::connect(hub.address());
                let request = format!("GET /snapshot/main/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                waiting.send(request.as_bytes());
                waiting
            };
            let _waiting: Vec<Http> = (0..8).map(ask).collect();
            assert_eq!(get(hub.address(), "/health").status, 200);
        }
    });
}
