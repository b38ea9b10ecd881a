//! Control messages as JSON, and names.

use std::collections::VecDeque;

use super::*;
use crate::adapt::Stage;

#[test]
fn a_message_of_a_later_version_is_ignored_and_nonsense_is_not() {
    assert_eq!(Control::from_json(br#"{"type":"hologram","x":1}"#), Ok(Control::Unknown));
    assert!(Control::from_json(br#"{"type":"ping"}"#).is_err());
    assert!(Control::from_json(b"[]").is_err());
    assert!(Control::from_json(b"\xff").is_err());
}

#[test]
fn an_acknowledgement_is_read_the_same_by_its_short_way_as_by_the_usual_one() {
    for members in [
        r#""sequence":7"#,
        r#""sequence":7,"backlog":2,"waited":20000"#,
        r#""waited":1,"new":{"a":[1]},"sequence":4294967295"#,
        r#" "sequence" : 7 "#,
        r#""sequence":7,"sequence":8"#,
        r#""sequence":7,"type":"ping","time":1"#,
        r#""sequence":-1"#,
        r#""sequence":7.0"#,
        r#""sequence":4294967296"#,
        r#""sequence":7,"backlog":null"#,
        r#""backlog":1"#,
        r#""sequence":7}{"#,
        "",
    ] {
        let short = Control::from_json(format!(r#"{{"type":"ack",{members}}}"#).as_bytes());
        let usual = Control::from_json(format!(r#"{{ "type":"ack",{members}}}"#).as_bytes());
        assert_eq!(short.is_ok(), usual.is_ok(), "{members}: {short:?}, {usual:?}");
        if usual.is_ok() {
            assert_eq!(short, usual, "{members}");
        }
    }
}

#[test]
fn a_hello_needs_only_its_role() {
    let Ok(Control::Hello(hello)) = Control::from_json(br#"{"type":"hello","role":"view","can":["ack","fly"]}"#) else {
        panic!("not read")
    };
    assert_eq!((hello.room.as_str(), hello.name.as_str()), ("main", ""));
    assert_eq!(hello.can, [Ability::Ack, Ability::Unknown]);
}

#[test]
fn every_message_survives_the_way_through_json() {
    let state = StreamState {
        room: "main".into(),
        name: "door".into(),
        live: false,
        reason: "camera unplugged".into(),
        since_ms: 4000,
        published: true,
        audio: Some(AudioState { muted: true, speaking: false }),
        nominal: Some(NominalPicture {
            size: "640x480".into(),
            quality: 80,
            fps: 30.0,
            bytes: 25_000,
            interval_ms: 1000,
        }),
        load: Load { uplink: Stage::new(25_000.0, 9_000.0), ..Load::default() },
        settling: true,
        sealed: true,
    };
    let rung = Rung { quality: 40, bytes: 9000, ..Rung::default() };
    for control in [
        Control::List,
        Control::Ack { sequence: 7, backlog: 1, waited: 20_000 },
        Control::Demand { viewers: 2, rungs: vec![rung], audio: false },
        Control::Supply { rungs: vec![Some(Rung::FULL), None] },
        Control::Link { bytes: Some(9000), busy: Some(97) },
        Control::Clock { error: 75_000 },
        Control::Ping { time: 1 },
        Control::Pong { time: 1, now: 2 },
        Control::State(state),
        Control::Bye { cause: Cause::Refused, reason: "taken".into() },
    ] {
        assert_eq!(Control::from_json(&control.to_json()), Ok(control));
    }
}

#[test]
fn of_the_pings_of_one_turn_the_newest_is_answered() {
    let (ack, pong) = (Control::Ack { sequence: 1, backlog: 0, waited: 0 }, |time| Control::Pong { time, now: 9 });
    let mut answers = VecDeque::new();
    for control in [Some(pong(1)), None, Some(ack.clone()), Some(pong(2)), Some(pong(3))] {
        answer(&mut answers, control);
    }
    assert_eq!(answers, [ack, pong(3)]);
}
