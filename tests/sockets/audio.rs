//! Sound: who gets it, when it is asked for, and what becomes of it where somebody is slow.

use streamflow::internal::frame::AudioPacket;
use streamflow::internal::hub::Hub;
use streamflow::internal::time::now;
use streamflow::internal::wire::control::{Ability, AudioState, Cause, Control, Hello, StreamState, ViewRequest};
use streamflow::internal::wire::packet::{Packet, audio_packet};

use std::time::Duration;

use crate::support::http::get;
use crate::support::{Peer, hub, limited, publishes, until, views};

fn sounds(name: &str) -> Hello {
    Hello { can: vec![Ability::Audio], ..publishes(name) }
}

fn listens(name: &str) -> Hello {
    Hello { request: ViewRequest { audio: true, ..ViewRequest::default() }, ..views(name) }
}

fn packet(number: u32, bytes: usize) -> Vec<u8> {
    let data = vec![number.to_le_bytes()[0]; bytes].into();
    audio_packet(
        &AudioPacket { sequence: number, captured: now(), level: 30, data, ..AudioPacket::default() },
        Duration::ZERO,
    )
}

/// What comes next, sound (true) or a picture, with its number.
fn comes(peer: &mut Peer) -> (bool, u32) {
    loop {
        match peer.next() {
            Some(Packet::Audio(packet, _)) => return (true, packet.sequence),
            Some(Packet::Picture(picture, _)) => return (false, picture.sequence),
            Some(_) => {}
            None => panic!("closed"),
        }
    }
}

/// The next demand for sound, or for none any more.
fn is_asked(publisher: &mut Peer) -> bool {
    loop {
        if let Control::Demand { audio, .. } = publisher.control() {
            return audio;
        }
    }
}

fn metric(hub: &Hub, name: &str) -> f64 {
    let text = get(hub.address(), "/metrics").text();
    let line = text.lines().find(|line| line.starts_with(&format!("streamflow_{name}{{")));
    line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
}

#[test]
fn sound_is_asked_for_while_somebody_listens_and_who_does_not_gets_none() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), sounds("door"));
        let mut viewer = Peer::join(hub.address(), views("door"));
        while is_asked(&mut publisher) {}
        let mut listener = Peer::join(hub.address(), listens("door"));
        while !is_asked(&mut publisher) {}
        (1..=3).for_each(|number| publisher.packet(&packet(number, 80)));
        assert_eq!(
            [comes(&mut listener), comes(&mut listener), comes(&mut listener)],
            [(true, 1), (true, 2), (true, 3)]
        );
        publisher.publish(1, 3000);
        assert_eq!(comes(&mut viewer), (false, 1), "sound was before it");
        // Mute.
        assert_eq!(comes(&mut listener), (false, 1));
        listener.say(&Control::Subscribe { room: "main".into(), name: "door".into(), request: ViewRequest::default() });
        while is_asked(&mut publisher) {}
        publisher.packet(&packet(4, 80));
        publisher.publish(2, 3000);
        assert_eq!(comes(&mut listener), (false, 2));
        let again = ViewRequest { audio: true, ..ViewRequest::default() };
        listener.say(&Control::Subscribe { room: "main".into(), name: "door".into(), request: again });
        while !is_asked(&mut publisher) {}
        publisher.packet(&packet(5, 80));
        assert_eq!(comes(&mut listener), (true, 5), "what was said meanwhile is over");
        drop(listener);
        while is_asked(&mut publisher) {}
    });
}

#[test]
fn what_a_publisher_says_of_its_sound_reaches_the_viewers() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), sounds("door"));
        let mut viewer = Peer::join(hub.address(), views("door"));
        let told = AudioState { muted: false, speaking: true };
        publisher.say(&Control::State(StreamState { live: true, audio: Some(told), ..StreamState::default() }));
        until("it is told", || matches!(viewer.control(), Control::State(state) if state.audio == Some(told)));
        drop(publisher);
        until("it is gone", || matches!(viewer.control(), Control::State(state) if state.audio.is_none()));
    });
}

#[test]
pub(crate) fn a_listener_that_stalls_hears_what_is_young_before_the_next_picture_and_the_rest_is_counted() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), sounds("door"));
        let mut listener = Peer::connect_small(hub.address());
        listener.greet(listens("door"));
        while !is_asked(&mut publisher) {}
        publisher.packet(&packet(1, 80));
        assert_eq!(comes(&mut listener), (true, 1));
        // It reads nothing while pictures pass, until one is stuck on its way, and 50 packets of sound behind that.
        for number in 1..=100 {
            publisher.publish(number, 100_000);
        }
        let sent = metric(&hub, "sent_audio_packets_total");
        (2..=51).for_each(|number| publisher.packet(&packet(number, 80)));
        publisher.publish(101, 100_000);
        until("the sound is there", || metric(&hub, "audio_packets_total") > 50.0);
        assert!((metric(&hub, "sent_audio_packets_total") - sent).abs() < 0.5, "it waits");
        let mut order = Vec::new();
        while order.last() != Some(&(false, 101)) {
            order.push(comes(&mut listener));
        }
        let sound: Vec<u32> = order.iter().filter(|(sound, _)| *sound).map(|(_, number)| *number).collect();
        // Ten at most are young enough; a test that was held up may find none.
        assert!(sound.len() <= 10 && sound.is_sorted() && sound.iter().all(|number| *number > 41), "{sound:?}");
        let last = order.iter().rposition(|(sound, _)| *sound);
        assert!(last.is_none_or(|last| last == order.len() - 2), "it goes before the newest picture: {order:?}");
        publisher.packet(&packet(52, 80));
        while comes(&mut listener) != (true, 52) {}
        let lost = metric(&hub, "lost_audio_packets_total");
        assert!((lost - (50.0 - sound.len() as f64)).abs() < 0.5, "{lost} of 50, {sound:?} came");
    });
}

#[test]
pub(crate) fn sound_that_is_none_ends_the_connection_that_sends_it_and_no_other() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), sounds("door"));
        let mut listener = Peer::join(hub.address(), listens("door"));
        while !is_asked(&mut publisher) {}
        let ends = |hello: Hello, packets: &[Vec<u8>]| {
            let mut peer = Peer::join(hub.address(), hello);
            packets.iter().for_each(|packet| peer.packet(packet));
            peer.bye().0
        };
        assert_eq!(ends(views("door"), &[packet(1, 80)]), Cause::Protocol, "a viewer has none");
        assert_eq!(ends(sounds("large"), &[packet(1, 4097)]), Cause::Protocol);
        assert_eq!(ends(sounds("empty"), &[packet(1, 0)]), Cause::Protocol);
        let mut with_metadata = packet(1, 80);
        with_metadata[28] = 4;
        assert_eq!(ends(sounds("metadata"), &[with_metadata]), Cause::Protocol);
        // All at once, so that however slow this machine is they are more than there are in the time.
        let many: Vec<u8> = (0..2000)
            .flat_map(|number| {
                let packet = packet(number, 8);
                [&(packet.len() as u64).to_le_bytes()[..], &packet].concat()
            })
            .collect();
        let mut flood = Peer::join(hub.address(), sounds("flood"));
        flood.bytes(&many);
        assert_eq!(flood.bye().0, Cause::Protocol);
        let mut later_codec = packet(1, 80);
        later_codec[4] = 9;
        publisher.packet(&later_codec);
        publisher.packet(&packet(7, 80));
        let (is_sound, _) = comes(&mut listener);
        assert!(is_sound, "one of a codec that nobody knows is left out");
    });
}
