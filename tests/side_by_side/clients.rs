//! Programs and pages of then at a hub of today.

use std::thread;

use streamflow::internal::frame::PixelFormat;
use streamflow::internal::locate::HubLocation;
use streamflow::internal::publisher::Publisher;
use streamflow::internal::source::{Next, from_fn};
use streamflow::internal::viewer::{Viewer, ViewerConfig};
use streamflow::internal::wire::control::ViewRequest;

use super::http;
use super::player::Player;
use super::support::{SIZE, at, hub, jpeg, limited, next_picture, publisher_config, until, viewer};
use super::talk::{Entry, Message, Side, talk};

/// Publishes these pictures as they are, one after the other and again.
pub fn publisher(location: HubLocation, pictures: &[Vec<u8>]) -> Publisher {
    publisher_named(location, pictures, "door")
}

fn publisher_named(location: HubLocation, pictures: &[Vec<u8>], name: &str) -> Publisher {
    let (pictures, mut number) = (pictures.to_vec(), 0);
    let source = from_fn(move |frame| {
        (frame.format, frame.size) = (PixelFormat::Jpeg, SIZE);
        frame.data.clear();
        frame.data.extend_from_slice(&pictures[number % pictures.len()]);
        number += 1;
        Ok(Next::Frame)
    });
    Publisher::start(publisher_config(location, name), Box::new(source)).unwrap()
}

pub fn pictures() -> Vec<Vec<u8>> {
    (0..100).map(|n| jpeg(2 * n)).collect()
}

/// Plays a publisher up to what is so, or to the end; the viewer gets each picture on the way.
#[track_caller]
fn publishes_to(old: &mut Player, viewer: &Viewer, is: impl Fn(&Entry) -> bool) {
    let mut last = None;
    while old.play_to(|entry| is(entry) || entry.is(Side::Client, "picture")) {
        let sent = &old.next().unwrap();
        if is(sent) {
            return;
        }
        let (jpeg, Message::Packet(packet)) = (sent.message.jpeg().to_vec(), sent.message.clone()) else { return };
        old.step();
        let shown = next_picture(viewer);
        assert_eq!(shown.data[..], jpeg, "another picture");
        assert_eq!((shown.quality, shown.metadata.as_deref()), (packet[6], None));
        assert!(last.is_none_or(|last| last + 1 == shown.sequence), "{} after {last:?}", shown.sequence);
        last = Some(shown.sequence);
    }
}

/// So many pictures came, all of those that were sent, in order.
#[track_caller]
fn got(old: &Player, sent: &[Vec<u8>], least: usize) {
    let pictures = old.pictures();
    assert!(pictures.len() >= least, "{} pictures", pictures.len());
    assert!(pictures.iter().all(|picture| sent.iter().any(|jpeg| jpeg == picture.jpeg())), "another picture");
    assert!(pictures.windows(2).all(|two| two[0].sequence() < two[1].sequence()), "numbers rise");
}

#[test]
fn every_picture_of_a_sender_reaches_a_viewer_of_today_as_it_is() {
    limited(|| {
        for name in ["publisher", "publisher-websocket"] {
            let hub = hub();
            let viewer = viewer(at(&hub), "door");
            let mut old = Player::client(hub.address(), name);
            publishes_to(&mut old, &viewer, |_| false);
            old.finish();
            until("it is said that it has gone", || viewer.report().detail.starts_with("publisher gone"));
        }
    });
}

#[test]
fn a_sender_is_told_who_watches_and_that_the_hub_stops() {
    limited(|| {
        let hub = hub();
        let first = viewer(at(&hub), "door");
        let mut old = Player::client(hub.address(), "publisher-left");
        let demands = |entry: &Entry, viewers: u64, rungs: usize| {
            let json = entry.message.json();
            json["viewers"] == viewers && json["rungs"].as_array().is_some_and(|all| all.len() == rungs)
        };
        // The hub may have told the publisher of nobody before it told it of the first.
        assert!(old.play_to(|entry| entry.is(Side::Client, "picture")));
        publishes_to(&mut old, &first, |entry| demands(entry, 0, 0));
        drop(first);
        assert!(old.play_to(|entry| demands(entry, 1, 1)));
        let request = ViewRequest { quality: Some(60), ..ViewRequest::default() };
        let config = ViewerConfig { name: Some("door".into()), location: at(&hub), request, ..ViewerConfig::default() };
        let second = Viewer::start(config).unwrap();
        publishes_to(&mut old, &second, |entry| entry.is(Side::Hub, "bye"));
        let asked = old.heard.iter().rev().find(|m| m.is("demand")).unwrap().json();
        assert_eq!(asked["rungs"][0]["quality"], 60, "{asked}");
        drop(hub);
        old.finish();
    });
}

#[test]
fn a_sender_is_refused_a_name_that_is_taken() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), &pictures());
        next_picture(&viewer(at(&hub), "door"));
        Player::client(hub.address(), "publisher-refused").finish();
    });
}

#[test]
fn a_viewer_and_a_page_get_the_pictures_of_a_sender_of_today() {
    limited(|| {
        let (hub, pictures) = (hub(), pictures());
        let _publisher = publisher(at(&hub), &pictures);
        next_picture(&viewer(at(&hub), "door"));
        for name in ["viewer", "viewer-websocket"] {
            let mut old = Player::client(hub.address(), name);
            old.finish();
            got(&old, &pictures, 5);
        }
        let mut old = Player::client(hub.address(), "page");
        assert!(old.play_to(|entry| entry.is(Side::Hub, "bye")));
        got(&old, &pictures, 4);
        drop(hub);
        old.finish();
    });
}

#[test]
fn a_viewer_waits_for_a_sender_and_is_told_when_it_has_gone() {
    limited(|| {
        let (hub, pictures) = (hub(), pictures());
        let mut old = Player::client(hub.address(), "viewer-waits");
        let says = |entry: &Entry, published: bool| entry.message.json()["published"] == published;
        assert!(old.play_to(|entry| says(entry, true)));
        let publisher = publisher(at(&hub), &pictures);
        assert!(old.play_to(|entry| says(entry, false)));
        got(&old, &pictures, 2);
        drop(publisher);
        assert!(old.play_to(|entry| entry.is(Side::Hub, "bye")));
        let told = old.heard.iter().rev().find(|m| m.is("state")).unwrap().json();
        assert_eq!(told["reason"], "publisher gone");
        drop(hub);
        old.finish();
    });
}

#[test]
fn a_viewer_is_told_which_streams_there_are_and_switches_to_another_one() {
    limited(|| {
        let (hub, pictures) = (hub(), pictures());
        let (door, yard) = pictures.split_at(50);
        let _door = publisher(at(&hub), door);
        let _yard = publisher_named(at(&hub), yard, "yard");
        next_picture(&viewer(at(&hub), "door"));
        next_picture(&viewer(at(&hub), "yard"));
        let mut old = Player::client(hub.address(), "viewer-switches");
        old.finish();
        let told = old.heard.iter().find(|m| m.is("streams")).unwrap().json();
        let names: Vec<_> = told["streams"].as_array().unwrap().iter().map(|s| (&s["room"], &s["name"])).collect();
        assert_eq!(names, [(&"main".into(), &"door".into()), (&"main".into(), &"yard".into())]);
        let switched = old.heard.iter().position(|m| m.is("state") && m.json()["name"] == "yard").unwrap();
        for (number, message) in old.heard.iter().enumerate().filter(|(_, m)| m.is("picture")) {
            let of = if number < switched { door } else { yard };
            assert!(of.iter().any(|jpeg| jpeg == message.jpeg()), "message {number} is a picture of another stream");
        }
        assert!(old.heard[switched..].iter().filter(|m| m.is("picture")).count() >= 2);
    });
}

#[test]
fn people_in_a_room_hear_and_see_each_other() {
    limited(|| {
        let hub = hub();
        let mut ann = Player::client(hub.address(), "room-ann");
        assert!(ann.play_to(|entry| entry.message.is("user_joined")));
        let mut ben = Player::client(hub.address(), "room-ben");
        let ben = thread::spawn(move || ben.finish());
        ann.finish();
        ben.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let data = |message: &Message| message.is("video_frame").then(|| message.json()["data"].clone());
        let sent = talk("room-ben").iter().find_map(|entry| data(&entry.message));
        assert_eq!(ann.heard.iter().find_map(data), sent);
    });
}

#[test]
fn a_dashboard_shows_what_a_worker_posts() {
    limited(|| {
        let hub = hub();
        let mut old = Player::client(hub.address(), "dashboard");
        assert!(old.play_to(|entry| entry.message.is("frame")));
        http::asks(hub.address(), "dashboard-worker");
        old.finish();
        let frame = |message: &Message| {
            let json = message.json();
            message
                .is("frame")
                .then(|| ["camera_id", "frame_count", "metadata", "frame"].map(|name| json[name].clone()))
        };
        let was = talk("dashboard").iter().find_map(|entry| frame(&entry.message));
        assert_eq!(old.heard.iter().find_map(frame), was);
    });
}
