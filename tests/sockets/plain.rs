//! The shortest protocol there is: a length and a JPEG, in and out; and the whole one over WebSocket.

use std::net::SocketAddr;

use streamflow::internal::locate::HubLocation;
use streamflow::internal::names::StreamKey;
use streamflow::internal::net::address::HubAddress;
use streamflow::internal::stats::State;
use streamflow::internal::wire::framing::prefix;
use streamflow::internal::wire::packet::Packet;

use crate::support::{Peer, at, fine_source, hub, hub_with, jpeg, limited, next_picture, publisher, until, viewer};

fn with_plain(stream: Option<StreamKey>) -> streamflow::internal::hub::Hub {
    hub_with(|config| {
        config.plain = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.plain_stream = stream;
    })
}

/// The next picture of a plain viewer.
fn plain_picture(peer: &mut Peer) -> Vec<u8> {
    match peer.next() {
        Some(Packet::Bare(data)) => data.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_length_and_a_jpeg_is_a_stream() {
    limited(|| {
        let hub = with_plain(None);
        let mut plain = Peer::connect(hub.plain_address().unwrap());
        until("the plain viewer watches", || hub.counts().1 == 1);
        let mut publisher = Peer::connect(hub.address());
        let first = jpeg(10);
        publisher.packet(&first);
        assert_eq!(plain_picture(&mut plain), first);
        let viewer = viewer(at(&hub), "127.0.0.1");
        assert_eq!(**next_picture(&viewer).data, first);
        for grey in 100..120 {
            let picture = jpeg(grey);
            publisher.packet(&picture);
            // Byte by byte what was published, in one packet that begins with its length.
            assert_eq!(plain_picture(&mut plain), picture);
        }
        let picture = next_picture(&viewer);
        assert!(picture.estimated && picture.arrival, "nobody told when it was taken");
    });
}

#[test]
fn a_crowd_gets_what_was_published_byte_by_byte() {
    limited(|| {
        let hub = with_plain(None);
        let mut crowd: Vec<_> = (0..40).map(|_| Peer::connect(hub.plain_address().unwrap())).collect();
        until("all watch", || hub.counts().1 == 40);
        let mut publisher = Peer::connect(hub.address());
        for grey in 0..30 {
            // Pages that are still on their way must not be those of the next picture.
            let jpeg = jpeg(grey);
            let segment = [&[0xff, 0xef][..], &60_002_u16.to_be_bytes(), &vec![grey; 60_000]].concat();
            let picture = [&jpeg[..2], &segment, &jpeg[2..]].concat();
            publisher.packet(&picture);
            for plain in &mut crowd {
                assert!(plain_picture(plain) == picture);
            }
        }
    });
}

#[test]
fn a_second_publisher_without_a_name_gets_another_one() {
    limited(|| {
        let hub = hub();
        let (mut a, mut b) = (Peer::connect(hub.address()), Peer::connect(hub.address()));
        a.packet(&jpeg(1));
        until("the first is in", || hub.counts().0 == 1);
        b.packet(&jpeg(2));
        until("the second is in", || hub.counts().0 == 2);
        let names: Vec<_> = hub.streams(Some("main")).into_iter().map(|s| s.name).collect();
        assert_eq!(names, ["127.0.0.1", "127.0.0.1-2"]);
    });
}

#[test]
fn a_plain_viewer_gets_the_named_stream() {
    limited(|| {
        let hub = with_plain(Some(StreamKey::parse("main", "gate").unwrap()));
        let _door = publisher(at(&hub), "door", fine_source());
        let mut plain = Peer::connect(hub.plain_address().unwrap());
        until("both are there", || hub.counts() == (1, 1));
        let _gate = publisher(at(&hub), "gate", fine_source());
        let picture = plain_picture(&mut plain);
        assert!(image::load_from_memory(&picture).is_ok());
        let gate = hub.streams(None).into_iter().find(|s| s.name == "gate").unwrap();
        assert_eq!(gate.viewers, 1);
    });
}

#[test]
fn what_a_plain_viewer_says_is_ignored() {
    limited(|| {
        let hub = with_plain(None);
        let mut plain = Peer::connect(hub.plain_address().unwrap());
        plain.bytes(b"GET / HTTP/1.1\r\n\r\n");
        let _publisher = publisher(at(&hub), "door", fine_source());
        for _ in 0..5 {
            plain_picture(&mut plain);
            plain.bytes(&prefix(9));
        }
    });
}

#[test]
fn everything_works_over_websocket_too() {
    limited(|| {
        let hub = hub();
        let websocket = HubAddress { websocket: Some("/ws".into()), ..HubAddress::of_listener(hub.address()) };
        let _publisher = publisher(HubLocation::Join(websocket.clone()), "door", fine_source());
        let viewer = viewer(HubLocation::Join(websocket), "door");
        let numbers: Vec<u32> = (0..20).map(|_| next_picture(&viewer).sequence).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        let report = viewer.report();
        assert_eq!((report.state, report.broken, report.reconnects), (State::Live, 0, 0));
    });
}

#[test]
fn a_bare_picture_is_found_with_anything_around_it_and_one_that_is_cut_off_is_left_out() {
    limited(|| {
        let hub = with_plain(None);
        let mut plain = Peer::connect(hub.plain_address().unwrap());
        until("it watches", || hub.counts().1 == 1);
        let mut publisher = Peer::connect(hub.address());
        let whole = jpeg(7);
        let without_end = &whole[..whole.len() - 2];
        for (name, odd) in [
            ("itself", whole.clone()),
            ("a line end before it", [b"\r\n", &whole[..]].concat()),
            ("29 bytes before it", [&[0; 29], &whole[..]].concat()),
            ("two starts of image", [&[0xff, 0xd8], &whole[..]].concat()),
            ("rubbish behind it", [&whole[..], b"rubbish"].concat()),
            ("no end", without_end.to_vec()),
            ("no end, and zeros", [without_end, &[0; 9]].concat()),
        ] {
            publisher.packet(&odd);
            assert!(plain_picture(&mut plain) == whole, "{name}");
        }
        publisher.packet(&without_end[..without_end.len() - 3]);
        let other = jpeg(200);
        publisher.packet(&other);
        assert!(plain_picture(&mut plain) == other, "the one that was cut off is left out, and the stream goes on");
    });
}
