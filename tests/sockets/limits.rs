//! The hub's limits hold, and say so.

use std::time::Duration;

use streamflow::internal::wire::control::{Cause, Control, ViewRequest};
use streamflow::internal::wire::packet::Packet;

use crate::support::{Peer, hub, hub_with, jpeg, limited, publishes, until, views};

#[test]
pub(crate) fn one_viewer_too_many_is_refused_until_another_leaves() {
    limited(|| {
        let hub = hub_with(|config| config.max_viewers = 2);
        let first = Peer::join(hub.address(), views("door"));
        let _second = Peer::join(hub.address(), views("door"));
        until("two watch", || hub.counts().1 == 2);
        let mut third = Peer::connect(hub.address());
        third.say(&Control::Hello(views("door")));
        let (cause, reason) = third.bye();
        assert_eq!(cause, Cause::Refused);
        assert!(reason.contains("2 viewers"), "{reason}");
        third.until_closed();
        drop(first);
        until("one has left", || hub.counts().1 == 1);
        let _fourth = Peer::join(hub.address(), views("door"));
        until("two watch again", || hub.counts().1 == 2);
    });
}

#[test]
pub(crate) fn one_publisher_too_many_is_refused() {
    limited(|| {
        let hub = hub_with(|config| config.max_publishers = 1);
        let _door = Peer::join(hub.address(), publishes("door"));
        let mut gate = Peer::connect(hub.address());
        gate.say(&Control::Hello(publishes("gate")));
        let (cause, reason) = gate.bye();
        assert_eq!(cause, Cause::Refused);
        assert!(reason.contains("1 publishers"), "{reason}");
        gate.until_closed();
    });
}

#[test]
pub(crate) fn a_picture_of_too_many_pixels_reaches_nobody_and_its_publisher_is_told_once() {
    limited(|| {
        let hub = hub();
        let mut viewer = Peer::join(hub.address(), views("door"));
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let sized = |width: u16, height: u16| {
            let mut picture = jpeg(9);
            let sof = picture.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
            picture[sof + 5..sof + 7].copy_from_slice(&height.to_be_bytes());
            picture[sof + 7..sof + 9].copy_from_slice(&width.to_be_bytes());
            picture
        };
        publisher.picture(1, &sized(22_000, 22_000));
        publisher.picture(2, &sized(65_535, 1));
        publisher.picture(3, b"\xff\xd8 this is no picture, however it begins");
        publisher.picture(4, &sized(8192, 8192));
        let mut told = Vec::new();
        loop {
            match publisher.control() {
                Control::Dropped { reason } => told.push(reason),
                Control::Ack { sequence: 4, .. } => break,
                _ => {}
            }
        }
        assert!(told.len() == 1 && told[0].contains("22000x22000") && told[0].contains("64 Mpx"), "{told:?}");
        loop {
            match viewer.next() {
                Some(Packet::Picture(picture, _)) => break assert_eq!(*picture.data, *sized(8192, 8192)),
                Some(_) => {}
                None => panic!("the viewer was sent away"),
            }
        }
    });
}

#[test]
pub(crate) fn connections_of_this_machine_are_not_counted_by_address() {
    limited(|| {
        let hub = hub_with(|config| config.max_per_address = 1);
        let _peers: Vec<Peer> = (0..5).map(|_| Peer::join(hub.address(), views("door"))).collect();
        until("all watch", || hub.counts().1 == 5);
    });
}

#[test]
fn a_list_names_what_is_published_however_many_names_somebody_made_up() {
    limited(|| {
        let hub = hub();
        let long = |n: usize| format!("{n:a>64}");
        // More than one control packet holds.
        let mut waiting: Vec<Peer> = (0..600).map(|n| Peer::join(hub.address(), views(&long(n)))).collect();
        let _door = Peer::join(hub.address(), publishes("zzz"));
        waiting[0].say(&Control::List);
        let listed = loop {
            if let Control::Streams { streams } = waiting[0].control() {
                break streams;
            }
        };
        assert_eq!(listed[0].name, "zzz");
        assert!(listed.len() > 300 && listed.len() < 600, "{}", listed.len());
        // It is as welcome as before.
        waiting[0].say(&Control::List);
        assert!(matches!(waiting[0].control(), Control::Streams { .. }));
        assert_eq!(hub.streams(None).len(), 601);
        drop(waiting);
        until("nothing is kept of names that nobody waits for", || hub.streams(None).len() == 1);
    });
}

#[test]
fn viewers_that_change_streams_all_the_time_do_not_throw_a_publisher_out() {
    limited(|| {
        let hub = hub();
        // It reads nothing meanwhile, as behind a link that is busy with something else.
        let mut publisher = Peer::connect_small(hub.address());
        publisher.greet(publishes("door"));
        let mut viewers: Vec<Peer> = (0..100).map(|_| Peer::join(hub.address(), views("door"))).collect();
        until("all watch", || hub.counts() == (1, 100));
        let request =
            |name: &str| Control::Subscribe { room: "main".into(), name: name.into(), request: ViewRequest::default() };
        for round in 0..12 {
            for viewer in &mut viewers {
                for name in ["gate", "door"].repeat(4) {
                    viewer.say(&request(name));
                }
            }
            // Every one is heard within the limit on requests.
            std::thread::sleep(Duration::from_millis(110));
            assert_eq!(hub.counts().0, 1, "the publisher is gone after {round} rounds");
        }
        // What it hears is little.
        publisher.say(&Control::List);
        let mut heard = 0;
        loop {
            match publisher.control() {
                Control::Demand { .. } => heard += 1,
                Control::Streams { .. } => break,
                _ => {}
            }
        }
        assert!(heard < 600, "{heard} demands");
        // And in the end it is true.
        viewers.truncate(7);
        until("most have left", || hub.counts() == (1, 7));
        while !matches!(publisher.control(), Control::Demand { viewers: 7, .. }) {}
    });
}
