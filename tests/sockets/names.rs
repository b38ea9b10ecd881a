//! Who has a name, and who gets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use streamflow::Error;
use streamflow::internal::hub::Hub;
use streamflow::internal::publisher::Publisher;
use streamflow::internal::stats::State;
use streamflow::internal::wire::control::{Cause, Control, Hello};

use crate::support::{
    LONG, Peer, at, fine_source, hub, jpeg, limited, next_picture, publisher, publisher_config, publishes, until,
    viewer, views,
};

#[test]
fn a_name_that_is_taken_is_refused_with_a_way_out() {
    limited(|| {
        let hub = hub();
        let _first = publisher(at(&hub), "door", fine_source());
        until("it publishes", || hub.counts().0 == 1);
        let second = publisher(at(&hub), "door", fine_source());
        let ended = loop {
            if let Some(ended) = second.wait(LONG) {
                break ended;
            }
        };
        let Err(Error::Refused(why)) = ended else { panic!("{ended:?}") };
        assert!(why.contains("main/door") && why.contains("--replace"), "{why}");
    });
}

#[test]
fn a_name_can_be_taken_over_and_viewers_stay() {
    limited(|| {
        let hub = hub();
        let mut old = Peer::join(hub.address(), publishes("door"));
        let viewer = viewer(at(&hub), "door");
        until("somebody watches", || hub.counts() == (1, 1));
        let config =
            streamflow::internal::publisher::PublisherConfig { replace: true, ..publisher_config(at(&hub), "door") };
        let _new = Publisher::start(config, Box::new(fine_source())).unwrap();
        let (cause, reason) = old.bye();
        assert_eq!(cause, Cause::Replaced);
        assert!(reason.contains("main/door"), "{reason}");
        old.until_closed();
        next_picture(&viewer);
        assert_eq!(viewer.report().reconnects, 0);
    });
}

#[test]
fn a_publisher_takes_its_name_back_from_its_own_ghost() {
    limited(|| {
        let hub = hub();
        let own = Hello { instance: 7, ..publishes("door") };
        let mut ghost = Peer::join(hub.address(), own.clone());
        // The program has lost its connection, which the hub does not know yet.
        let mut back = Peer::join(hub.address(), own);
        assert_eq!(ghost.bye().0, Cause::Replaced);
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let alive = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                back.publish(1, 1000);
                thread::sleep(Duration::from_millis(10));
            }
        });
        let mut other = Peer::connect(hub.address());
        other.say(&Control::Hello(Hello { instance: 8, ..publishes("door") }));
        assert_eq!(other.bye().0, Cause::Refused);
        over.store(true, Ordering::Relaxed);
        alive.join().unwrap();
    });
}

/// Asks for a name until it is not refused.
fn asks(hub: &Hub, hello: &Hello) -> Peer {
    loop {
        let mut peer = Peer::connect(hub.address());
        peer.say(&Control::Hello(hello.clone()));
        match peer.control() {
            Control::Welcome { .. } => return peer,
            Control::Bye { cause: Cause::Refused, .. } => thread::sleep(Duration::from_millis(50)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_name_whose_publisher_does_not_answer_is_given_to_who_asks_for_it() {
    limited(|| {
        let hub = hub();
        let viewer = viewer(at(&hub), "door");
        // Its machine has lost power: it is connected for the hub, and says nothing.
        let mut dead = Peer::join(hub.address(), Hello { instance: 1, publisher: 5, ..publishes("door") });
        let mut back = asks(&hub, &Hello { instance: 2, publisher: 5, ..publishes("door") });
        assert_eq!(dead.bye().0, Cause::Timeout);
        dead.until_closed();
        back.publish(1, 1000);
        until("the viewer is given it", || viewer.report().broken > 0);
        // Of one that nobody knows, too; that takes longer.
        let _other = asks(&hub, &publishes("door"));
        assert_eq!(back.bye().0, Cause::Timeout);
        assert_eq!(hub.counts(), (1, 1));
    });
}

#[test]
fn a_publisher_that_cannot_be_asked_keeps_its_name_between_two_pictures() {
    limited(|| {
        let hub = hub();
        let mut slow = Peer::connect(hub.address());
        slow.packet(&jpeg(1));
        until("it publishes", || hub.counts().0 == 1);
        let name = hub.streams(None)[0].name.clone();
        // Between two pictures of a camera that gives one every few seconds.
        thread::sleep(Duration::from_millis(300));
        let mut other = Peer::connect(hub.address());
        other.say(&Control::Hello(publishes(&name)));
        assert_eq!(other.bye().0, Cause::Refused);
        slow.packet(&jpeg(2));
        assert_eq!(hub.counts().0, 1);
    });
}

#[test]
fn who_waits_for_a_name_says_nothing_meanwhile_and_leaves_nothing_behind() {
    limited(|| {
        let hub = hub();
        let _silent = Peer::join(hub.address(), publishes("door"));
        thread::sleep(Duration::from_millis(300));
        let mut impatient = Peer::connect(hub.address());
        impatient.say(&Control::Hello(publishes("door")));
        impatient.say(&Control::Subscribe { room: "main".into(), name: "door".into(), request: Default::default() });
        impatient.until_closed();
        let mut gone = Peer::connect(hub.address());
        gone.say(&Control::Hello(publishes("door")));
        gone.say(&Control::Bye { cause: Cause::Stopping, reason: String::new() });
        gone.until_closed();
        until("nobody is left of the three", || hub.counts() == (0, 0));
        let _next = Peer::join(hub.address(), publishes("door"));
    });
}

#[test]
fn a_viewer_may_come_before_its_publisher() {
    limited(|| {
        let hub = hub();
        let viewer = viewer(at(&hub), "door");
        until("it waits", || viewer.report().state == State::Waiting);
        assert_eq!(viewer.report().detail, "waiting for main/door");
        assert!(viewer.next(Duration::from_millis(50)).is_none());
        let _publisher = publisher(at(&hub), "door", fine_source());
        next_picture(&viewer);
        assert_eq!(viewer.report().state, State::Live);
    });
}

#[test]
fn a_viewer_without_a_name_gets_the_first_stream_there_is() {
    limited(|| {
        let hub = hub();
        let mut viewer = Peer::join(hub.address(), views(""));
        until("it waits", || hub.counts().1 == 1);
        let mut publisher = Peer::join(hub.address(), publishes("gate"));
        publisher.publish(5, 1000);
        assert_eq!(viewer.number(), 5);
    });
}

#[test]
fn names_that_fit_no_path_are_refused_in_words() {
    limited(|| {
        let hub = hub();
        for name in ["a/b", "..", "", &"x".repeat(65)] {
            let mut peer = Peer::connect(hub.address());
            peer.say(&Control::Hello(publishes(name)));
            let (cause, reason) = peer.bye();
            assert_eq!(cause, Cause::Refused, "{name}");
            assert!(reason.contains("name"), "{reason}");
            peer.until_closed();
        }
    });
}
