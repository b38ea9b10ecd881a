//! Streams that freeze without a word: their viewers, lists and numbers say so, until the next picture.

use std::time::Duration;

use streamflow::internal::hub::Hub;
use streamflow::internal::time::{Micros, now};
use streamflow::internal::wire::control::Control;
use streamflow::internal::wire::framing::prefix;
use streamflow::internal::wire::packet::Packet;

use crate::support::http::get;
use crate::support::{Peer, hub, jpeg, limited, publishes, until, views};

const SILENT: &str = "no picture comes";

/// Waits until a viewer is told that its published stream is live, or that it is not for this reason.
#[track_caller]
fn told(viewer: &mut Peer, reason: Option<&str>) {
    loop {
        if let Control::State(state) = viewer.control()
            && (state.live, state.reason.as_str()) == (reason.is_none(), reason.unwrap_or_default())
            && state.published
        {
            return;
        }
    }
}

fn listed(hub: &Hub, name: &str) -> (bool, bool) {
    let api = get(hub.address(), &format!("/api/streams/main/{name}")).json()["live"].as_bool().unwrap();
    let metrics = get(hub.address(), "/metrics").text();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("streamflow_stream_live{") && line.contains(&format!("stream=\"{name}\"")));
    (api, line.unwrap().ends_with(" 1"))
}

/// Pictures come, and then nothing more, over a connection that stays open.
fn freezes(hub: &Hub, name: &str, publisher: &mut Peer, mut picture: impl FnMut(&mut Peer, u32)) {
    let mut viewer = Peer::join(hub.address(), views(name));
    (1..6).for_each(|number| picture(publisher, number));
    told(&mut viewer, Some(SILENT));
    assert_eq!(listed(hub, name), (false, false));
    // Whoever comes now is told the same.
    let mut newcomer = Peer::join(hub.address(), views(name));
    told(&mut newcomer, Some(SILENT));
    picture(publisher, 6);
    for viewer in [&mut viewer, &mut newcomer] {
        told(viewer, None);
    }
}

#[test]
fn a_bare_stream_that_freezes_is_not_live_until_its_next_picture() {
    limited(|| {
        let hub = hub();
        let jpeg = jpeg(9);
        let bare = [&prefix(jpeg.len())[..], &jpeg].concat();
        let mut publisher = Peer::connect(hub.address());
        freezes(&hub, "127.0.0.1", &mut publisher, |publisher, _| publisher.bytes(&bare));
    });
}

#[test]
fn a_native_stream_that_freezes_while_its_publisher_answers_is_not_live_until_its_next_picture() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        freezes(&hub, "door", &mut publisher, |publisher, number| publisher.publish(number, 1000));
    });
}

#[test]
fn a_native_stream_that_nobody_watches_stays_live_and_has_no_pictures_to_give() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let viewer = Peer::join(hub.address(), views("door"));
        (1..6).for_each(|number| publisher.publish(number, 1000));
        drop(viewer);
        // Longer than its pictures were due.
        std::thread::sleep(std::time::Duration::from_secs(3));
        assert_eq!(listed(&hub, "door"), (true, true));
    });
}

#[test]
fn viewers_of_pictures_that_are_not_passed_on_are_told_why_until_one_is() {
    limited(|| {
        let hub = hub();
        let mut viewer = Peer::join(hub.address(), views("door"));
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let good = jpeg(9);
        let mut huge = good.clone();
        let frame = huge.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        huge[frame + 5..frame + 9].fill(0x56);
        publisher.picture(1, &huge);
        let why = "pictures are left out: a picture of 22102x22102 is over 64 Mpx (--max-pixels)";
        told(&mut viewer, Some(why));
        assert_eq!(listed(&hub, "door"), (false, false));
        publisher.picture(2, &good);
        told(&mut viewer, None);
    });
}

#[test]
fn a_stream_that_was_silent_is_asked_again_by_a_snapshot() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut viewer = Peer::join(hub.address(), views("door"));
        let jpeg = jpeg(9);
        (1..6).for_each(|number| publisher.picture(number, &jpeg));
        told(&mut viewer, Some(SILENT));
        drop(viewer);
        until("nobody watches", || hub.counts().1 == 0);
        assert_eq!(listed(&hub, "door"), (false, false));
        let address = hub.address();
        let snapshot = std::thread::spawn(move || get(address, "/snapshot/main/door").status);
        until("it is asked for", || hub.counts().1 == 1);
        assert_eq!(publisher.publish_until(6, &jpeg, snapshot), 200);
        assert_eq!(listed(&hub, "door"), (true, true));
    });
}

#[test]
fn pictures_of_a_later_versions_codec_are_left_out_in_words_and_the_stream_goes_on() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let mut viewer = Peer::join(hub.address(), views("door"));
        let mut unknown = vec![0; 36];
        unknown[..5].copy_from_slice(&[b'S', b'F', 1, 1, 9]);
        let mut kind = unknown.clone();
        kind[3] = 7;
        for number in 1..6u8 {
            unknown[16] = number;
            publisher.packet(&unknown);
            publisher.packet(&kind);
        }
        let mut told = Vec::new();
        while !matches!(told.last(), Some(Control::Ack { sequence: 5, .. })) {
            told.push(publisher.control());
        }
        let reasons: Vec<_> = told
            .iter()
            .filter_map(|c| if let Control::Dropped { reason } = c { Some(reason.as_str()) } else { None })
            .collect();
        assert_eq!(reasons, ["codec 9 is unknown to this hub"], "once");
        self::told(&mut viewer, Some("pictures are left out: codec 9 is unknown to this hub"));
        publisher.publish(6, 1000);
        assert_eq!(viewer.number(), 6);
    });
}

#[test]
fn a_picture_that_takes_long_to_arrive_is_as_old_as_its_first_byte() {
    limited(|| {
        let hub = hub();
        let jpeg = jpeg(9);
        let bare = [&prefix(jpeg.len())[..], &jpeg].concat();
        let mut publisher = Peer::connect(hub.address());
        publisher.bytes(&bare);
        let mut viewer = Peer::join(hub.address(), views("127.0.0.1"));
        let (head, rest) = bare.split_at(bare.len() / 2);
        let age = |viewer: &mut Peer| loop {
            if let Some(Packet::Picture(picture, captured)) = viewer.next() {
                return (now().since(Micros(captured.0)), picture.spans.uplink);
            }
        };
        age(&mut viewer);
        let late = Duration::from_millis(600);
        publisher.bytes(head);
        std::thread::sleep(late);
        publisher.bytes(rest);
        let (age, uplink) = age(&mut viewer);
        // The hub may have been late to read the first half.
        assert!(age >= late / 2 && uplink >= late / 2, "{age:?}, {uplink:?}");
    });
}
