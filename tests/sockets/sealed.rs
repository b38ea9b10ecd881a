//! Streams that are sealed end to end: who has the key sees them, the hub and all others do not.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use streamflow::internal::adapt::Rung;
use streamflow::internal::error::Error;
use streamflow::internal::frame::{Codec, Picture};
use streamflow::internal::hub::Hub;
use streamflow::internal::locate::HubLocation;
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::stats::{State, ViewReport};
use streamflow::internal::time::now;
use streamflow::internal::viewer::{Viewer, ViewerConfig};
use streamflow::internal::wire::control::{Ability, Control, Hello, StreamState};
use streamflow::internal::wire::jpeg;
use streamflow::internal::wire::packet::{Packet, picture_header};

use crate::support::http::{Http, get};
use crate::support::{
    LONG, Peer, at, fine_source, hub, limited, next_picture, publisher, publisher_config, publishes, until, viewer,
    views,
};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODw";
const PASSPHRASE: &str = "correct horse battery staple";

fn sealed(hub: &Hub, key: &str) -> Publisher {
    let config = PublisherConfig { key: Some(key.into()), ..publisher_config(at(hub), "door") };
    Publisher::start(config, Box::new(fine_source())).unwrap()
}

fn opens(hub: &Hub, name: Option<&str>, key: Option<&str>) -> Viewer {
    let (name, key) = (name.map(Into::into), key.map(Into::into));
    Viewer::start(ViewerConfig { name, key, location: at(hub), ..ViewerConfig::default() }).unwrap()
}

fn can_open(name: &str) -> Hello {
    Hello { can: vec![Ability::Ack, Ability::Seal], ..views(name) }
}

/// The next picture as the hub passes it on.
fn passed_on(peer: &mut Peer) -> Picture {
    loop {
        match peer.next() {
            Some(Packet::Picture(picture, _)) => {
                peer.say(&Control::Ack { sequence: picture.sequence, backlog: 0, waited: 0 });
                return picture;
            }
            Some(_) => {}
            None => panic!("closed before a picture came"),
        }
    }
}

/// Why a viewer ended.
fn over(viewer: &Viewer) -> Error {
    let mut why = None;
    until("the viewer ends", || {
        why = viewer.over();
        why.is_some()
    });
    why.unwrap()
}

/// The report of a viewer that watches on until it is so.
fn report_when(viewer: &Viewer, what: &str, is: impl Fn(&ViewReport) -> bool) -> ViewReport {
    let mut report = viewer.report();
    until(what, || {
        if let Some(shown) = viewer.next(Duration::from_millis(50)) {
            viewer.was_shown(shown);
        }
        report = viewer.report();
        is(&report)
    });
    report
}

#[test]
fn who_has_the_key_sees_the_pictures_and_their_metadata_and_the_hub_sees_neither() {
    limited(|| {
        for key in [KEY, PASSPHRASE] {
            let hub = hub();
            let _publisher = sealed(&hub, key);
            // By its name, and as the first there is.
            for name in [Some("door"), None] {
                let viewer = opens(&hub, name, Some(key));
                let picture = next_picture(&viewer);
                assert_eq!((picture.codec, jpeg::size(&picture.data)), (Codec::Jpeg, Some(crate::support::SIZE)));
                assert!(picture.metadata.as_deref().is_some_and(|text| text.starts_with("{\"number\":")));
                let report = report_when(&viewer, "it is live", |report| report.state == State::Live);
                assert_eq!((report.end_to_end, report.times_apart_ms, report.broken), (true, None, 0));
                assert!(report.metadata.is_some(), "{report:?}");
            }
            let mut anybody = Peer::join(hub.address(), can_open("door"));
            let picture = passed_on(&mut anybody);
            assert_eq!((picture.codec, picture.metadata), (Codec::Sealed, None));
            assert!(!picture.data.windows(3).any(|bytes| bytes == [0xff, 0xd8, 0xff]));
        }
    });
}

#[test]
fn a_list_says_which_streams_are_sealed_and_who_cannot_open_them_is_shown_how_to() {
    limited(|| {
        let hub = hub();
        let _publisher = sealed(&hub, KEY);
        let _other = publisher(at(&hub), "gate", fine_source());
        let is_placeholder = |data: &[u8]| jpeg::size(data).is_some_and(|size| size.width == 640);
        // A program of before: it knows no sealed pictures.
        let mut old = Peer::join(hub.address(), views("door"));
        let picture = passed_on(&mut old);
        assert!(picture.codec == Codec::Jpeg && is_placeholder(&picture.data));
        let mut browser = Http::connect(hub.address());
        browser.send(b"GET /stream/main/door HTTP/1.1\r\nHost: hub\r\n\r\n");
        browser.head();
        assert!(is_placeholder(&browser.part("streamflow-next-picture").body));
        let snapshot = get(hub.address(), "/snapshot/main/door");
        assert_eq!((snapshot.status, snapshot.field("content-type")), (403, Some("image/jpeg")));
        assert!(is_placeholder(&snapshot.body));
        assert_eq!(get(hub.address(), "/snapshot/main/gate").status, 200);
        let list = get(hub.address(), "/api/streams").json();
        let sealed = |name: &str| {
            let found = list["streams"].as_array().unwrap().iter().find(|stream| stream["name"] == name).cloned();
            found.unwrap()["sealed"].as_bool()
        };
        assert_eq!((sealed("door"), sealed("gate")), (Some(true), Some(false)), "{list}");
        let one = get(hub.address(), "/api/streams/main/door").json();
        assert!(one["size"].is_null() && one["bytes"].as_u64() > Some(0), "{one}");
        old.say(&Control::List);
        let listed = loop {
            if let Control::Streams { streams } = old.control() {
                break streams;
            }
        };
        assert!(listed.iter().all(|stream| stream.sealed == (stream.name == "door")), "{listed:?}");
    });
}

#[test]
fn who_has_no_key_or_another_is_told_what_to_do_and_ends() {
    limited(|| {
        let hub = hub();
        let _publisher = sealed(&hub, KEY);
        for (key, words) in [(None, "--key-file"), (Some(PASSPHRASE), "do not open with this key")] {
            let viewer = opens(&hub, Some("door"), key);
            let why = over(&viewer);
            assert!(why.exit_code() == 4 && why.to_string().contains(words), "{why}");
            assert!(viewer.next(Duration::from_millis(10)).is_none());
        }
        let short = ViewerConfig { key: Some("short".into()), location: at(&hub), ..ViewerConfig::default() };
        assert!(Viewer::start(short).is_err_and(|why| why.exit_code() == 2));
    });
}

#[test]
fn with_a_key_no_picture_without_a_seal_is_shown_at_the_beginning_or_later() {
    limited(|| {
        let hub = hub();
        let plain = publisher(at(&hub), "door", fine_source());
        let why = over(&opens(&hub, Some("door"), Some(KEY)));
        assert!(why.exit_code() == 4 && why.to_string().contains("is not encrypted end to end"), "{why}");
        drop(plain);
        let publisher = sealed(&hub, KEY);
        let viewer = opens(&hub, Some("door"), Some(KEY));
        next_picture(&viewer);
        drop(publisher);
        let _plain = crate::support::publisher(at(&hub), "door", fine_source());
        let report = report_when(&viewer, "it is lost", |report| {
            report.state == State::Lost && report.detail.contains("not encrypted end to end")
        });
        assert!(report.broken > 0 && viewer.over().is_none(), "{report:?}");
    });
}

#[test]
fn a_publisher_that_starts_anew_under_the_same_key_is_seen_on() {
    limited(|| {
        let hub = hub();
        let viewer = opens(&hub, Some("door"), Some(KEY));
        for start in 0..3 {
            let _publisher = sealed(&hub, KEY);
            let before = viewer.report().shown;
            let report = report_when(&viewer, "pictures", |report| report.shown > before + 5);
            assert_eq!((report.broken, report.times_apart_ms), (0, None), "start {start}");
        }
    });
}

/// Pictures of a sealed stream, as the hub passed them on.
fn recorded(count: usize) -> Vec<Picture> {
    let hub = hub();
    let _publisher = sealed(&hub, KEY);
    let mut tap = Peer::join(hub.address(), can_open("door"));
    (0..count).map(|_| passed_on(&mut tap)).collect()
}

/// A hub that repeats what it kept, as if it were new: with new numbers and times.
fn repeat(address: SocketAddr, pictures: &[Picture], times: usize) {
    let mut publisher = Peer::join(address, publishes("door"));
    publisher.say(&Control::State(StreamState { live: true, published: true, ..StreamState::default() }));
    for (number, kept) in (1..).zip((0..times).flat_map(|_| pictures)) {
        let (codec, quality, rung) = (kept.codec, kept.quality, kept.rung);
        let restated = Picture { codec, quality, rung, sequence: number, captured: now(), ..Picture::default() };
        publisher.packet(&[&picture_header(&restated, Duration::ZERO)[..], &kept.data].concat());
        while !matches!(publisher.control(), Control::Ack { sequence, .. } if sequence == number) {}
        std::thread::sleep(Duration::from_millis(40));
    }
}

#[test]
fn a_hub_that_shows_old_pictures_as_new_is_found_out() {
    limited(|| {
        let pictures = recorded(40);
        std::thread::sleep(Duration::from_secs(1));
        let hub = hub();
        let viewer = opens(&hub, Some("door"), Some(KEY));
        let address = hub.address();
        let lies = std::thread::spawn(move || repeat(address, &pictures, 2));
        let report = report_when(&viewer, "the times are wrong", |report| report.times_apart_ms.is_some());
        assert!(report.times_apart_ms > Some(900.0) && report.broken == 0, "{report:?}");
        // What comes a second time is not shown at all.
        let report = report_when(&viewer, "pictures are repeated", |report| {
            report.state == State::Lost && report.detail.contains("somebody repeats what was sent")
        });
        assert!(report.shown <= 40 && report.broken > 0, "{report:?}");
        lies.join().unwrap();
    });
}

#[test]
fn pictures_that_were_changed_on_their_way_are_left_out_and_the_others_are_seen() {
    limited(|| {
        let mut pictures = recorded(12);
        for (n, picture) in pictures.iter_mut().enumerate() {
            let middle = picture.data.len() / 2;
            picture.data[middle] ^= u8::from(n % 2 == 1);
        }
        let hub = hub();
        let viewer = opens(&hub, Some("door"), Some(KEY));
        let address = hub.address();
        let changes = std::thread::spawn(move || repeat(address, &pictures, 1));
        changes.join().unwrap();
        let report = report_when(&viewer, "all are judged", |now| {
            now.received >= 12 && now.shown + now.broken + now.skipped >= 12
        });
        assert!(report.shown <= 6 && report.broken > 0, "{report:?}");
    });
}

#[test]
fn a_hub_of_a_version_that_passes_no_sealed_pictures_on_is_given_none_and_the_publisher_says_so() {
    limited(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let location = HubLocation::Join(listener.local_addr().unwrap().to_string().parse().unwrap());
        let old = std::thread::spawn(move || {
            let mut hub = Peer::on(listener.accept().unwrap().0);
            assert!(matches!(hub.control(), Control::Hello(_)));
            let (room, name, program) = ("main".into(), "door".into(), "old".into());
            hub.say(&Control::Welcome { room, name, program, max_picture: 0, max_pixels: 0, can: Vec::new() });
            hub.say(&Control::Demand { viewers: 1, rungs: vec![Rung::FULL], audio: false });
            std::iter::from_fn(|| hub.next()).filter(|packet| matches!(packet, Packet::Picture(..))).count()
        });
        let config = PublisherConfig { key: Some(KEY.into()), ..publisher_config(location, "door") };
        let publisher = Publisher::start(config, Box::new(fine_source())).unwrap();
        let mut ended = None;
        until("it ends", || {
            ended = publisher.wait(Duration::from_millis(50));
            ended.is_some()
        });
        let why = ended.unwrap().unwrap_err();
        assert!(why.exit_code() == 4 && why.to_string().contains("passes no sealed pictures on"), "{why}");
        drop(publisher);
        assert_eq!(old.join().unwrap(), 0, "pictures that it got");
    });
}

#[test]
fn who_watches_without_a_key_sees_streams_that_are_not_sealed_as_ever() {
    limited(|| {
        let hub = hub();
        let _plain = publisher(at(&hub), "gate", fine_source());
        let _sealed = sealed(&hub, KEY);
        let viewer = viewer(at(&hub), "gate");
        let picture = next_picture(&viewer);
        assert_eq!(picture.codec, Codec::Jpeg);
        assert!(!viewer.report().end_to_end);
        assert!(viewer.next(LONG).is_some());
    });
}
