//! A source that fails ends neither the program nor the connection; and one that nobody watches rests.

use std::time::Duration;

use streamflow::Error;
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::stats::State;

use crate::support::{
    LONG, Mood, at, hub, limited, next_picture, publisher, publisher_config, test_source, until, viewer,
};

#[test]
fn an_unplugged_source_is_told_to_viewers_and_comes_back() {
    limited(|| {
        let hub = hub();
        let (source, remote) = test_source();
        let publisher = publisher(at(&hub), "door", source);
        let viewer = viewer(at(&hub), "door");
        next_picture(&viewer);
        remote.set(Mood::Gone("camera unplugged".into()));
        until("viewers are told", || viewer.report().state == State::Lost);
        assert!(viewer.report().detail.starts_with("camera unplugged"), "{}", viewer.report().detail);
        assert_eq!(publisher.report().fault, "camera unplugged");
        let tries = remote.told().opened;
        until("it is tried again", || remote.told().opened >= tries + 2);
        remote.set(Mood::Fine);
        until("the picture is back", || viewer.report().state == State::Live);
        next_picture(&viewer);
        assert_eq!(viewer.report().reconnects, 0);
        assert_eq!(publisher.report().fault, "");
        assert!(publisher.report().reopened >= 1);
    });
}

#[test]
fn a_silent_source_counts_as_stalled_and_is_opened_anew() {
    limited(|| {
        let hub = hub();
        let (source, remote) = test_source();
        let _publisher = publisher(at(&hub), "door", source);
        let viewer = viewer(at(&hub), "door");
        next_picture(&viewer);
        remote.set(Mood::Silent);
        until("viewers are told", || viewer.report().state == State::Lost);
        assert!(viewer.report().detail.starts_with("the source gives no picture"), "{}", viewer.report().detail);
        remote.set(Mood::Fine);
        until("the picture is back", || viewer.report().state == State::Live);
        next_picture(&viewer);
        assert!(remote.told().opened >= 2);
    });
}

#[test]
fn garbage_is_counted_and_never_sent() {
    limited(|| {
        let hub = hub();
        let (source, remote) = test_source();
        remote.set(Mood::Garbage);
        let publisher = publisher(at(&hub), "door", source);
        let viewer = viewer(at(&hub), "door");
        until("it is counted", || publisher.report().broken >= 10);
        assert_eq!(viewer.report().received, 0);
        remote.set(Mood::Fine);
        next_picture(&viewer);
        assert_eq!((viewer.report().broken, viewer.report().reconnects), (0, 0));
    });
}

#[test]
fn a_publisher_for_supervisors_ends_with_its_source() {
    limited(|| {
        let hub = hub();
        let (source, remote) = test_source();
        let config = PublisherConfig { exit_on_source_error: true, ..publisher_config(at(&hub), "door") };
        let publisher = Publisher::start(config, Box::new(source)).unwrap();
        until("it runs", || remote.told().frames > 0);
        remote.set(Mood::Gone("camera unplugged".into()));
        let ended = ended(&publisher);
        assert!(matches!(&ended, Err(Error::Failed(why)) if why == "camera unplugged"), "{ended:?}");
    });
}

#[test]
fn a_source_that_is_over_ends_the_publisher_well() {
    limited(|| {
        let hub = hub();
        let (source, remote) = test_source();
        let publisher = publisher(at(&hub), "door", source);
        until("it runs", || remote.told().frames > 0);
        remote.set(Mood::Over);
        assert!(ended(&publisher).is_ok());
    });
}

fn ended(publisher: &Publisher) -> streamflow::Result<()> {
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed() < LONG, "it goes on");
        if let Some(ended) = publisher.wait(Duration::from_secs(1)) {
            return ended;
        }
    }
}

#[test]
fn a_source_that_nobody_watches_is_closed_and_wakes_for_the_first_viewer() {
    limited(|| {
        let hub = hub();
        let (source, remote) = test_source();
        let config = PublisherConfig { idle_after: Duration::from_millis(300), ..publisher_config(at(&hub), "door") };
        let publisher = Publisher::start(config, Box::new(source)).unwrap();
        until("the source rests", || publisher.report().asleep && !remote.told().open);
        assert_eq!(publisher.report().sent, 0, "nothing is sent to nobody");
        let first_viewer = viewer(at(&hub), "door");
        let first = next_picture(&first_viewer);
        assert!(!publisher.report().asleep);
        // Made for this viewer, and not kept from before.
        assert!(streamflow::internal::time::now().since(first.captured) < Duration::from_secs(5));
        drop(first_viewer);
        until("the source rests again", || publisher.report().asleep && !remote.told().open);
        // What it gave before it rested is old: nobody gets it for new, however slowly the source wakes.
        remote.set(Mood::Silent);
        std::thread::sleep(Duration::from_secs(1));
        let viewer = viewer(at(&hub), "door");
        until("the source is awake", || remote.told().open);
        assert!(viewer.next(Duration::from_millis(500)).is_none());
    });
}
