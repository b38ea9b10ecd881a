//! Snapshots of cameras that wake up, are slow, or are lost.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use streamflow::internal::adapt::Rung;
use streamflow::internal::frame::Picture;
use streamflow::internal::time::now;
use streamflow::internal::wire::control::{Ability, Control, Hello, NominalPicture, StreamState};
use streamflow::internal::wire::packet::picture_header;

use crate::support::http::{Answer, get};
use crate::support::{Peer, hub, hub_with, jpeg, limited, publishes, until, views};

fn on_demand() -> Hello {
    Hello { can: vec![Ability::Rungs], ..publishes("door") }
}

fn asks(address: SocketAddr) -> JoinHandle<Answer> {
    std::thread::spawn(move || get(address, "/snapshot/main/door"))
}

/// Waits until somebody watches, and says that what comes is what is asked for.
fn demanded(publisher: &mut Peer) {
    while !matches!(publisher.control(), Control::Demand { viewers: 1.., .. }) {}
    publisher.say(&Control::Supply { rungs: vec![Some(Rung::FULL)] });
}

fn state(settling: bool, reason: &str) -> Control {
    let (live, reason) = (reason.is_empty(), reason.into());
    Control::State(StreamState { live, reason, published: true, settling, ..StreamState::default() })
}

/// A picture that was taken so long ago, and that the hub has when this returns.
fn publish(publisher: &mut Peer, number: u32, age: Duration, jpeg: &[u8]) {
    let picture = Picture { sequence: number, captured: now() - age, ..Picture::default() };
    publisher.packet(&[&picture_header(&picture, Duration::ZERO)[..], jpeg].concat());
    while !matches!(publisher.control(), Control::Ack { sequence, .. } if sequence == number) {}
}

#[test]
fn the_snapshot_that_wakes_a_camera_is_none_of_its_dark_first_pictures() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), on_demand());
        publisher.say(&state(true, ""));
        let snapshot = asks(hub.address());
        demanded(&mut publisher);
        (1..4).for_each(|n| publish(&mut publisher, n, Duration::ZERO, &jpeg(1)));
        publisher.say(&state(false, ""));
        assert!(
            publisher.publish_until(4, &jpeg(200), snapshot).body == jpeg(200),
            "a picture from before the light was measured"
        );
        // A viewer is told as well: it may be one that wants a single picture.
        let mut viewer = Peer::join(hub.address(), views("door"));
        publisher.say(&state(true, ""));
        while !matches!(viewer.control(), Control::State(StreamState { settling: true, .. })) {}
    });
}

#[test]
fn a_snapshot_of_a_slow_stream_is_its_last_picture_with_its_true_age() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), on_demand());
        let mut nominal = NominalPicture::default();
        nominal.fps = 0.02;
        let slow = StreamState { live: true, published: true, nominal: Some(nominal), ..StreamState::default() };
        publisher.say(&Control::State(slow));
        let viewer = Peer::join(hub.address(), views("door"));
        demanded(&mut publisher);
        publish(&mut publisher, 1, Duration::from_secs(40), &jpeg(90));
        // Somebody watches, and a moment later nobody has for a while: it is the newest there is all the same.
        let mut watchers = Some(viewer);
        for watched in [true, false] {
            if !watched {
                drop(watchers.take());
                until("nobody watches", || hub.counts().1 == 0);
                // Longer than a picture of a fast stream is still new.
                std::thread::sleep(Duration::from_millis(1200));
            }
            let answer = get(hub.address(), "/snapshot/main/door");
            assert!(answer.status == 200 && answer.body == jpeg(90), "watched: {watched}: {}", answer.status);
            let field = |name: &str| answer.field(name).unwrap().to_owned();
            let (age, ms): (u64, f64) = (field("age").parse().unwrap(), field("x-age-ms").parse().unwrap());
            assert!((40..80).contains(&age) && age as f64 * 1000.0 >= ms && ms >= 40_000.0, "{age} s, {ms} ms");
            let (date, taken) = (field("last-modified"), field("x-timestamp").parse::<f64>().unwrap());
            let date = jiff::fmt::rfc2822::parse(&date).unwrap().timestamp().as_second();
            assert_eq!(date, taken as i64);
        }
    });
}

#[test]
fn a_snapshot_of_a_lost_stream_is_the_reason_or_an_old_picture_where_the_hub_allows_that() {
    limited(|| {
        let [strict, lenient] = [0, 60].map(|s| hub_with(|config| config.stale_after = Duration::from_secs(s)));
        for hub in [&strict, &lenient] {
            let mut publisher = Peer::join(hub.address(), on_demand());
            let snapshot = asks(hub.address());
            demanded(&mut publisher);
            let answer = publisher.publish_until(1, &jpeg(90), snapshot);
            assert!(answer.status == 200, "{} {}", answer.status, answer.text());
            let lost = |why: &str| {
                let answer = get(hub.address(), "/snapshot/main/door");
                if std::ptr::eq(hub, &raw const lenient) {
                    assert!(answer.status == 200 && answer.body == jpeg(90), "{why}: {}", answer.status);
                    assert!(answer.field("age").is_some());
                } else {
                    assert_eq!(answer.status, 503);
                    assert!(answer.text().contains(why), "{}", answer.text());
                }
            };
            publisher.say(&state(false, "camera unplugged"));
            publisher.say(&Control::Ping { time: 7 });
            while !matches!(publisher.control(), Control::Pong { time: 7, .. }) {}
            lost("camera unplugged");
            drop(publisher);
            until("it is gone", || hub.counts().0 == 0);
            // Also when nobody is left who knows the stream.
            until("nobody watches", || hub.counts().1 == 0);
            lost("nobody publishes");
        }
    });
}

#[test]
fn a_snapshot_that_wakes_a_camera_which_cannot_be_opened_says_why_at_once() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), on_demand());
        let snapshot = asks(hub.address());
        demanded(&mut publisher);
        let asked = std::time::Instant::now();
        publisher.say(&state(false, "camera busy: another program has it"));
        let answer = snapshot.join().unwrap();
        assert!(answer.status == 503 && answer.text().contains("another program has it"), "{}", answer.text());
        assert!(asked.elapsed() < Duration::from_secs(9), "it waited for a picture that cannot come");
    });
}
