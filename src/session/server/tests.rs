//! The hub's side of a session on a virtual clock.

use super::*;
use crate::wire::control::Hello;

const START: Micros = Micros(1_000_000_000);

fn after(ms: u64) -> Micros {
    START + Duration::from_millis(ms)
}

fn welcome() -> Control {
    let (room, name, program) = ("main".into(), "door".into(), "hub".into());
    Control::Welcome { room, name, program, max_picture: 0, max_pixels: 0, can: Vec::new() }
}

/// One that was let in and asked for its clock once.
fn accepted(role: Role) -> Server {
    let mut server = Server::new(role, START);
    server.accept(welcome(), START);
    assert_eq!(said(&mut server, START), [welcome(), Control::Ping { time: START.0 }]);
    server
}

fn hear(server: &mut Server, packet: Packet, now: Micros) {
    server.handle_packet(packet, Arrival { began: now, since: now }, now);
}

fn say(server: &mut Server, control: Control, now: Micros) {
    hear(server, Packet::Control(control), now);
}

fn said(server: &mut Server, now: Micros) -> Vec<Control> {
    std::iter::from_fn(|| server.poll_transmit(true, now)).collect()
}

fn ended(server: &mut Server) -> End {
    match server.poll_event() {
        Some(Event::Ended(end)) => end,
        other => panic!("{other:?}"),
    }
}

fn subscribe(name: &str) -> Control {
    Control::Subscribe { room: "main".into(), name: name.into(), request: ViewRequest::default() }
}

#[test]
fn the_welcome_and_a_ping_come_before_everything_else_however_late_they_are() {
    let mut server = Server::new(Role::View, START);
    for ms in (0..60_000).step_by(100) {
        server.handle_timeout(after(ms));
    }
    assert!(said(&mut server, after(60_000)).is_empty() && server.poll_event().is_none());
    server.accept(welcome(), after(60_000));
    assert_eq!(said(&mut server, after(60_000)), [welcome(), Control::Ping { time: after(60_000).0 }]);
}

#[test]
fn whoever_talks_before_it_is_answered_breaks_the_protocol_and_may_say_goodbye() {
    let hello = Hello::to_view("main", "door", "test", ViewRequest::default());
    for control in [Control::List, Control::Hello(hello), Control::Ping { time: 1 }] {
        let mut server = Server::new(Role::Publish, START);
        say(&mut server, control, after(1));
        assert!(matches!(ended(&mut server), End::Violation(_)));
        let bye = said(&mut server, after(1));
        assert!(matches!(bye[..], [Control::Bye { cause: Cause::Protocol, .. }]), "{bye:?}");
    }
    let mut server = Server::new(Role::Publish, START);
    say(&mut server, Control::Bye { cause: Cause::Stopping, reason: String::new() }, after(1));
    assert!(matches!(ended(&mut server), End::Goodbye) && said(&mut server, after(1)).is_empty());
}

#[test]
fn a_peer_that_falls_silent_is_told_why_it_ends() {
    let mut server = accepted(Role::View);
    let (mut pings, mut goodbyes) = (0, Vec::new());
    for ms in (0..20_000).step_by(100) {
        server.handle_timeout(after(ms));
        for told in said(&mut server, after(ms)) {
            match told {
                Control::Ping { .. } => pings += 1,
                told => goodbyes.push((after(ms), told)),
            }
        }
    }
    assert!(matches!(ended(&mut server), End::Silent));
    let bye = Control::Bye { cause: Cause::Timeout, reason: "nothing heard for 10 s".into() };
    assert_eq!(goodbyes, [(START + DEAD_AFTER, bye)]);
    assert!((5..10).contains(&pings), "{pings}");
}

#[test]
fn every_picture_is_acknowledged_with_the_time_for_which_it_may_have_lain_there() {
    let mut server = accepted(Role::Publish);
    let arrival = Arrival { began: after(3), since: after(4) };
    server.handle_packet(
        Packet::Picture(Picture { sequence: 7, ..Picture::default() }, PeerMicros(0)),
        arrival,
        after(9),
    );
    let Some(Event::Picture(picture)) = server.poll_event() else { panic!("no picture") };
    assert!(picture.sequence == 7 && picture.captured <= after(3), "{picture:?}");
    server.handle_packet(Packet::UnknownCodec { codec: 9, sequence: 8 }, arrival, after(9));
    assert!(matches!(server.poll_event(), Some(Event::UnknownCodec { codec: 9 })));
    let acks = [(7, 5000), (8, 0)].map(|(sequence, waited)| Control::Ack { sequence, backlog: 0, waited });
    assert_eq!(said(&mut server, after(9)), acks);
}

#[test]
fn each_role_has_what_it_may_say_and_a_later_version_may_say_more() {
    let mut viewer = accepted(Role::View);
    hear(&mut viewer, Packet::UnknownKind(200), after(1));
    assert!(matches!(viewer.poll_event(), Some(Event::UnknownKind)));
    for control in [Control::State(StreamState::default()), Control::Supply { rungs: vec![] }, Control::Unknown] {
        say(&mut viewer, control, after(1));
        assert!(viewer.poll_event().is_none());
    }
    hear(&mut viewer, Packet::Picture(Picture::default(), PeerMicros(0)), after(1));
    assert!(matches!(ended(&mut viewer), End::Violation(_)));
    let mut publisher = accepted(Role::Publish);
    say(&mut publisher, subscribe("door"), after(1));
    say(&mut publisher, Control::Ack { sequence: 1, backlog: 0, waited: 0 }, after(1));
    assert!(publisher.poll_event().is_none());
    say(&mut publisher, Control::Supply { rungs: vec![None] }, after(1));
    assert!(matches!(publisher.poll_event(), Some(Event::Supply(_))));
}

#[test]
fn names_are_checked_before_anybody_else_hears_them() {
    let mut viewer = accepted(Role::View);
    for name in ["door", ""] {
        say(&mut viewer, subscribe(name), after(1));
        assert!(matches!(viewer.poll_event(), Some(Event::Subscribe { key, .. }) if key.name == name));
    }
    say(&mut viewer, subscribe("../door"), after(1));
    assert!(matches!(ended(&mut viewer), End::Refused(_)));
    let bye = said(&mut viewer, after(1));
    assert!(matches!(&bye[..], [Control::Bye { cause: Cause::Refused, reason }] if reason.contains("door")));
    say(&mut viewer, subscribe("door"), after(2));
    assert!(viewer.poll_event().is_none() && said(&mut viewer, after(2)).is_empty(), "all was said");
}

#[test]
fn nobody_makes_more_work_for_others_than_a_person_would() {
    let mut calm = accepted(Role::View);
    for n in 0..1000 {
        say(&mut calm, subscribe("door"), after(n * 10));
        assert!(matches!(calm.poll_event(), Some(Event::Subscribe { .. })));
    }
    let mut wild = accepted(Role::View);
    let heard = (0..1000u32).find(|_| {
        say(&mut wild, subscribe("door"), after(1));
        matches!(wild.poll_event(), Some(Event::Ended(End::Violation(_))))
    });
    assert_eq!(heard, Some(REQUESTS_AT_ONCE));
}

#[test]
fn the_streams_are_told_when_asked_for_and_not_all_the_time() {
    let mut server = accepted(Role::View);
    assert!(!server.poll_list(true, START));
    let mut told = 0;
    for n in 0..1000 {
        say(&mut server, Control::List, after(n * 10));
        assert!(!server.poll_list(false, after(n * 10)), "something waits before it");
        told += u32::from(server.poll_list(true, after(n * 10)));
    }
    assert!((20..=LISTS_AT_ONCE + 21).contains(&told), "{told}");
}

#[test]
fn news_of_the_same_sort_are_one_and_wait_for_what_is_being_sent() {
    let mut server = accepted(Role::Publish);
    for viewers in 1..=3 {
        server.tell(Control::Demand { viewers, rungs: Vec::new(), audio: false }, viewers == 1, after(viewers.into()));
    }
    let now = after(10);
    assert!(matches!(server.poll_transmit(false, now), Some(Control::Demand { viewers: 1, .. })));
    assert_eq!(server.poll_transmit(false, now), None);
    assert_eq!(said(&mut server, now), [Control::Demand { viewers: 3, rungs: Vec::new(), audio: false }]);
}

#[test]
fn a_state_can_be_shown_whatever_it_was() {
    let reason =
        |live, reason: &str| to_be_shown(StreamState { live, reason: reason.into(), ..StreamState::default() }).reason;
    assert_eq!([reason(true, "x"), reason(false, ""), reason(false, "cut")], ["", "no picture", "cut"]);
    assert!(!reason(false, "\u{1b}[2J\n").contains(['\u{1b}', '\n']));
    for (fps, shown) in [(f64::NAN, 0.0), (f64::INFINITY, 0.0), (-1.0, 0.0), (1e9, 1000.0), (30.0, 30.0)] {
        let nominal = Some(NominalPicture { fps, ..NominalPicture::default() });
        let state = to_be_shown(StreamState { nominal, ..StreamState::default() });
        assert_eq!(state.nominal.map(|nominal| nominal.fps), Some(shown));
    }
}

#[test]
fn many_pings_have_one_answer_and_the_goodbye_is_the_last_word() {
    let mut server = accepted(Role::View);
    for time in 0..10_000 {
        say(&mut server, Control::Ping { time }, after(1));
    }
    assert_eq!(said(&mut server, after(1)), [Control::Pong { time: 9999, now: after(1).0 }]);
    let bye = Control::Bye { cause: Cause::Stopping, reason: "the hub stops".into() };
    server.tell(bye.clone(), false, after(2));
    server.tell(Control::List, true, after(2));
    server.accept(welcome(), after(2));
    server.handle_timeout(after(60_000));
    assert_eq!(said(&mut server, after(60_000)), [bye]);
}
