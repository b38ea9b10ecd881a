//! Everything can be stopped at any moment, and leaves no thread behind. One test, since it counts the threads of its
//! own process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{Mood, Peer, at, fine_source, hub, limited, next_picture, publisher, test_source, until, viewer, views};

/// The names of this process's threads, counted.
fn threads() -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        // A thread may end between being listed and being read.
        if let Ok(name) = fs::read_to_string(task.unwrap().path().join("comm")) {
            *names.entry(name.trim().to_string()).or_default() += 1;
        }
    }
    names
}

/// How long letting go of any of them may take.
const AT_ONCE: Duration = Duration::from_secs(5);

fn drops<T>(what: &str, value: T) {
    let begun = Instant::now();
    drop(value);
    assert!(begun.elapsed() < AT_ONCE, "{what} took {:?} to stop", begun.elapsed());
}

#[test]
fn everything_stops_at_any_moment_and_leaves_no_thread() {
    limited(|| {
        // A name must be resolved once, so that the resolver's own library is loaded.
        let before = threads();

        // At every moment of the beginning, in every order.
        for round in 0..30u64 {
            let hub = hub();
            let publisher = publisher(at(&hub), "door", fine_source());
            let viewer = viewer(at(&hub), "door");
            sleep(Duration::from_millis(round * 3 % 50));
            match round % 3 {
                0 => {
                    drops("the hub", hub);
                    drops("the publisher", publisher);
                    drops("the viewer", viewer);
                }
                1 => {
                    drops("the viewer", viewer);
                    drops("the hub", hub);
                    drops("the publisher", publisher);
                }
                _ => {
                    drops("the publisher", publisher);
                    drops("the viewer", viewer);
                    drops("the hub", hub);
                }
            }
        }

        // With no hub to be found, and while waiting to try again.
        let location = at(&hub());
        let (lonely, waiting) = (publisher(location.clone(), "door", fine_source()), viewer(location, "door"));
        until("both have tried", || waiting.report().detail.contains("next try"));
        drops("a publisher without a hub", lonely);
        drops("a viewer without a hub", waiting);

        // With a source that does not come, and one that says nothing.
        for mood in [Mood::Gone("unplugged".into()), Mood::Silent, Mood::Garbage, Mood::Over] {
            let hub = hub();
            let (source, remote) = test_source();
            remote.set(mood);
            let publisher = publisher(at(&hub), "door", source);
            let viewer = viewer(at(&hub), "door");
            until("it was tried", || remote.told().opened > 0);
            drops("a publisher with a bad source", publisher);
            drops("its viewer", viewer);
            drops("its hub", hub);
            assert!(!remote.told().open, "the source was left open");
        }

        // A hub with people at the door, in the middle of their hello, and with viewers that read nothing.
        let hub = hub();
        let publisher = publisher(at(&hub), "door", fine_source());
        let stuck: Vec<Peer> = (0..5).map(|_| Peer::connect_small(hub.address())).collect();
        let silent: Vec<Peer> = (0..5).map(|_| Peer::connect(hub.address())).collect();
        let watching: Vec<Peer> = (0..5).map(|_| Peer::join(hub.address(), views("door"))).collect();
        let viewer = viewer(at(&hub), "door");
        next_picture(&viewer);
        drops("a hub with company", hub);
        drop((stuck, silent, watching));
        drops("its publisher", publisher);
        drops("its viewer", viewer);

        until("no thread is left", || threads() == before);
    });
}
