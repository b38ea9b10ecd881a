//! Programs of today at a hub of then.

use std::net::TcpListener;

use streamflow::internal::error::Error;
use streamflow::internal::locate::HubLocation;
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::stats::State;
use streamflow::internal::viewer::{Viewer, ViewerConfig};

use super::clients::{pictures, publisher};
use super::player::Player;
use super::support::{LONG, fine_source, limited, next_picture, publisher_config, until};
use super::talk::{Entry, Message, Side, talk};

/// Where a hub of then is to be, and how programs get there: as the recorded one did.
fn hub(name: &str) -> (TcpListener, HubLocation) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let websocket = talk(name)[0].message.is("head");
    let host = if websocket { format!("ws://{address}/ws") } else { address.to_string() };
    (listener, HubLocation::Join(host.parse().unwrap()))
}

fn viewer(location: HubLocation) -> Viewer {
    let config = ViewerConfig { name: Some("door".into()), location, retries: Some(0), ..ViewerConfig::default() };
    Viewer::start(config).unwrap()
}

/// Plays a hub up to what is so, or to the end; the viewer shows each picture on the way.
#[track_caller]
fn shows_to(old: &mut Player, viewer: &Viewer, is: impl Fn(&Entry) -> bool) {
    while old.play_to(|entry| is(entry) || entry.is(Side::Hub, "picture")) {
        let sent = old.next().unwrap();
        if is(sent) {
            return;
        }
        let (jpeg, number) = (sent.message.jpeg().to_vec(), sent.message.sequence());
        old.step();
        let shown = next_picture(viewer);
        assert_eq!((&shown.data[..], shown.sequence), (&jpeg[..], number), "another picture");
    }
}

#[test]
fn a_sender_publishes_and_says_goodbye() {
    limited(|| {
        let pictures = pictures();
        for name in ["publisher", "publisher-websocket"] {
            let (listener, location) = hub(name);
            let publisher = publisher(location, &pictures);
            let mut old = Player::hub(&listener, name);
            assert!(old.play_to(|entry| entry.is(Side::Client, "bye")));
            assert!(old.pictures().iter().all(|picture| pictures.iter().any(|jpeg| jpeg == picture.jpeg())));
            assert!(old.pictures().len() >= 5, "{} pictures", old.pictures().len());
            assert!(publisher.wait(std::time::Duration::ZERO).is_none());
            drop(publisher);
            old.finish();
        }
    });
}

#[test]
fn a_sender_does_what_is_demanded_and_ends_with_its_hub() {
    limited(|| {
        let (listener, location) = hub("publisher-left");
        let config = PublisherConfig { retries: Some(0), ..publisher_config(location, "door") };
        let publisher = Publisher::start(config, Box::new(fine_source())).unwrap();
        let mut old = Player::hub(&listener, "publisher-left");
        assert!(old.play_to(|entry| entry.is(Side::Hub, "bye")));
        let newest = old.pictures().last().map(|picture| (*picture).clone());
        let Some(Message::Packet(newest)) = newest else { panic!("no picture came") };
        assert_eq!(newest[6], 60, "the quality that was demanded last");
        old.finish();
        let mut end = None;
        until("it ends", || {
            end = publisher.wait(LONG);
            end.is_some()
        });
        assert!(matches!(end, Some(Err(Error::Unreachable(_)))), "{end:?}");
    });
}

#[test]
fn a_sender_is_refused_a_name_that_is_taken() {
    limited(|| {
        let (listener, location) = hub("publisher-refused");
        let publisher = publisher(location, &pictures());
        Player::hub(&listener, "publisher-refused").finish();
        let mut end = None;
        until("it ends", || {
            end = publisher.wait(LONG);
            end.is_some()
        });
        assert!(matches!(&end, Some(Err(Error::Refused(why))) if why.contains("taken by a live publisher")), "{end:?}");
    });
}

#[test]
fn a_viewer_shows_every_picture_as_it_is() {
    limited(|| {
        for name in ["viewer", "viewer-websocket"] {
            let (listener, location) = hub(name);
            let viewer = viewer(location);
            let mut old = Player::hub(&listener, name);
            shows_to(&mut old, &viewer, |entry| entry.is(Side::Client, "bye"));
            let report = viewer.report();
            assert_eq!((report.stream.as_str(), report.lost), ("main/door", 0), "{report:?}");
            drop(viewer);
            old.finish();
        }
    });
}

#[test]
fn a_viewer_waits_for_a_stream_and_says_when_it_has_gone() {
    limited(|| {
        let (listener, location) = hub("viewer-waits");
        let viewer = viewer(location);
        let mut old = Player::hub(&listener, "viewer-waits");
        let says = |entry: &Entry, published: bool| entry.message.json()["published"] == published;
        assert!(old.play_to(|entry| says(entry, true)));
        until("it waits", || viewer.report().state == State::Waiting);
        shows_to(&mut old, &viewer, |entry| says(entry, false));
        assert!(old.play_to(|entry| entry.is(Side::Hub, "bye")));
        until("it says so", || viewer.report().detail.starts_with("publisher gone"));
        old.finish();
        until("it ends", || viewer.over().is_some());
        assert!(matches!(viewer.over(), Some(Error::Unreachable(_))), "{:?}", viewer.over());
    });
}
