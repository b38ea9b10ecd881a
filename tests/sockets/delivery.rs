//! Newest wins; and who reads slowly, or not at all, hurts nobody else.

use std::io::Read;
use std::time::{Duration, Instant};

use streamflow::internal::frame::{Frame, PixelFormat};
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::source::{Next, from_fn};
use streamflow::internal::wire::control::{Hello, ViewRequest};

use crate::support::{
    LONG, Peer, SIZE, at, fine_source, hub, hub_with, limited, next_picture, publisher_config, publishes, until,
    viewer, views,
};

#[test]
fn a_viewer_that_stalls_sees_the_newest_next() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut viewer = Peer::connect_small(hub.address());
        viewer.greet(views("door"));
        until("the viewer watches", || hub.counts() == (1, 1));
        // It reads nothing while two hundred pictures pass, 20 MB of them.
        for number in 1..=200 {
            publisher.publish(number, 100_000);
        }
        let mut seen = Vec::new();
        while seen.last() != Some(&200) {
            seen.push(viewer.number());
        }
        assert!(seen.is_sorted(), "{seen:?}");
        // What the kernel held came first; everything in between was never sent.
        assert!(seen.len() < 40, "{} pictures were queued: {seen:?}", seen.len());
        let before = seen[seen.len() - 2];
        assert!(before < 100, "{before} was sent after the stall, though 200 was there: {seen:?}");
    });
}

#[test]
fn a_viewer_that_keeps_up_gets_every_picture_in_order() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut viewer = Peer::join(hub.address(), views("door"));
        until("the viewer watches", || hub.counts() == (1, 1));
        for number in 1..=100 {
            publisher.publish(number, 3000);
            assert_eq!(viewer.number(), number);
        }
    });
}

#[test]
fn a_new_viewer_has_the_newest_picture_at_once() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut first = Peer::join(hub.address(), views("door"));
        until("the viewer watches", || hub.counts() == (1, 1));
        publisher.publish(41, 3000);
        publisher.publish(42, 3000);
        while first.number() != 42 {}
        // Nothing more is published: what comes is what was there.
        let mut late = Peer::join(hub.address(), views("door"));
        assert_eq!(late.number(), 42);
    });
}

#[test]
pub(crate) fn stuck_viewers_are_dropped_and_hurt_nobody() {
    limited(|| {
        let hub = hub_with(|config| config.stuck_after = Duration::from_secs(1));
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut good = Peer::join(hub.address(), views("door"));
        let stuck: Vec<Peer> = (0..10)
            .map(|_| {
                let mut peer = Peer::connect_small(hub.address());
                peer.greet(views("door"));
                peer
            })
            .collect();
        until("all watch", || hub.counts() == (1, 11));
        let begun = Instant::now();
        let mut number = 0;
        while hub.counts().1 > 1 {
            assert!(begun.elapsed() < LONG, "stuck viewers stay: {:?}", hub.counts());
            number += 1;
            publisher.publish(number, 200_000);
            // Whoever reads gets this very picture, however many do not read.
            assert_eq!(good.number(), number);
        }
        drop(stuck);
        publisher.publish(number + 1, 200_000);
        assert_eq!(good.number(), number + 1);
    });
}

#[test]
fn a_slow_viewer_is_not_taken_for_a_stuck_one() {
    limited(|| {
        let hub = hub_with(|config| config.stuck_after = Duration::from_secs(3));
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut slow = Peer::connect_small(hub.address());
        slow.greet(views("door"));
        until("the viewer watches", || hub.counts() == (1, 1));
        let begun = Instant::now();
        let mut number = 0;
        let mut piece = vec![0; 32 * 1024];
        // Longer than a stuck viewer would be allowed to stay.
        while begun.elapsed() < Duration::from_secs(4) {
            number += 1;
            publisher.publish(number, 200_000);
            slow.socket.read_exact(&mut piece).unwrap();
            // A tenth of what is published.
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(hub.counts(), (1, 1), "a viewer that reads was dropped");
    });
}

#[test]
fn a_viewers_maximum_rate_holds_where_pictures_cannot_be_made_smaller() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut free = Peer::join(hub.address(), views("door"));
        // 400 kB are two seconds of it.
        let request = ViewRequest { max_rate: Some(1_600_000), ..ViewRequest::default() };
        let mut held = Peer::join(hub.address(), Hello { request, ..views("door") });
        until("both watch", || hub.counts() == (1, 2));
        for number in 1..=4 {
            publisher.publish(number, 400_000);
            assert_eq!(free.number(), number);
            // The first picture does not count for more than it should have been.
            if number <= 2 {
                assert_eq!(held.number(), number);
            }
        }
        // What came meanwhile was left out, and the newest is sent when the rate allows.
        assert_eq!(held.number(), 4);
    });
}

#[test]
fn a_publishers_maximum_rate_holds_without_adaptation() {
    limited(|| {
        let hub = hub();
        let max_rate = Some(16_000);
        let config = PublisherConfig { adapt: false, max_rate, ..publisher_config(at(&hub), "door") };
        let publisher = Publisher::start(config, Box::new(fine_source())).unwrap();
        let viewer = viewer(at(&hub), "door");
        next_picture(&viewer);
        until("pictures are left out", || publisher.report().skipped > 50);
        let report = publisher.report();
        assert!(report.sent < report.skipped / 3, "{report:?}");
    });
}

#[test]
fn a_picture_that_has_not_changed_is_not_sent_again_and_yet_one_a_second() {
    limited(|| {
        let hub = hub();
        let still = from_fn(|frame: &mut Frame| {
            (frame.size, frame.format) = (SIZE, PixelFormat::Gray);
            frame.data.clear();
            frame.data.resize(SIZE.area(), 7);
            Ok(Next::Frame)
        });
        let config = PublisherConfig { skip_same: true, ..publisher_config(at(&hub), "door") };
        let publisher = Publisher::start(config, Box::new(still)).unwrap();
        let viewer = viewer(at(&hub), "door");
        for _ in 0..3 {
            next_picture(&viewer);
        }
        let report = publisher.report();
        assert!(report.unchanged > 5 * report.sent, "{report:?}");
    });
}
