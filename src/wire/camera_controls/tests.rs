//! Names, values, ranges, packets, and what people write.

use super::*;
use crate::wire::control::{Control, MAX_CONTROL_TO_HUB};
use crate::wire::packet::control_packet;

fn control(name: &str, kind: ControlKind) -> CameraControl {
    CameraControl { name: name.into(), kind, max: 255, step: 1, default: 128, value: 128, ..CameraControl::default() }
}

fn camera() -> Vec<CameraControl> {
    let entry = |value, label: &str| MenuEntry { value, label: label.into() };
    let menu = vec![entry(1, "Manual Mode"), entry(3, "Aperture Priority Mode")];
    vec![
        CameraControl { id: 0x0098_0900, ..control("brightness", ControlKind::Integer) },
        CameraControl { max: 1, ..control("white_balance_automatic", ControlKind::Boolean) },
        CameraControl { menu, value: 3, ..control("auto_exposure", ControlKind::Menu) },
        CameraControl {
            inactive: true,
            held_by: Some("auto_exposure".into()),
            min: 3,
            max: 2047,
            ..control("exposure_time_absolute", ControlKind::Integer)
        },
        CameraControl { min: 2800, max: 6500, step: 10, ..control("white_balance_temperature", ControlKind::Integer) },
        CameraControl { read_only: true, ..control("serial", ControlKind::Integer) },
        control("one_push", ControlKind::Button),
    ]
}

fn value(name: &str, text: &str) -> Result<i64, String> {
    let camera = camera();
    number_of(find(&camera, name).unwrap(), Some(text)).map_err(|problem| problem.reason)
}

fn set(pairs: &[(&str, &str)]) -> SetControls {
    let one = |(name, value): &(&str, &str)| SetValue { name: (*name).into(), value: Some((*value).into()) };
    SetControls { values: pairs.iter().map(one).collect(), ..SetControls::default() }
}

#[test]
fn names_are_spelled_as_v4l2_ctl_spells_them() {
    for (label, name) in [
        ("Brightness", "brightness"),
        ("White Balance, Automatic", "white_balance_automatic"),
        ("Exposure Time, Absolute", "exposure_time_absolute"),
        (" LED1 Mode (x) ", "led1_mode_x"),
        ("\u{1b}[2J", "2j"),
        ("ä", ""),
    ] {
        assert_eq!(spelled(label), name);
    }
}

#[test]
fn a_value_is_read_as_people_write_it_and_a_wrong_one_is_told_the_range() {
    assert_eq!(value("brightness", "140"), Ok(140));
    assert_eq!(value("white_balance_temperature", "2804"), Ok(2800), "between two steps");
    assert_eq!(value("white_balance_temperature", "6500"), Ok(6500));
    for on in ["1", "on", "true", "On"] {
        assert_eq!(value("white_balance_automatic", on), Ok(1));
    }
    for menu in ["1", "Manual Mode", "manual mode", "manual_mode"] {
        assert_eq!(value("auto_exposure", menu), Ok(1));
    }
    assert_eq!(value("one_push", ""), Ok(1));
    for (name, wrong, said) in [
        ("brightness", "256", "brightness=256: it takes 0 to 255"),
        ("brightness", "bright", "brightness=bright: it takes 0 to 255"),
        ("brightness", "99999999999999999999", "it takes 0 to 255"),
        ("white_balance_temperature", "1", "2800 to 6500 in steps of 10"),
        ("white_balance_automatic", "2", "0 or 1, on or off"),
        ("auto_exposure", "2", "1 (Manual Mode), 3 (Aperture Priority Mode)"),
        ("auto_exposure", "", "1 (Manual Mode)"),
        ("serial", "1", "serial cannot be set"),
    ] {
        let why = value(name, wrong).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
    assert_eq!(number_of(&camera()[0], None), Ok(128), "the default");
}

#[test]
fn a_name_that_is_unknown_is_answered_with_those_that_are_near() {
    let camera = camera();
    let near = |name: &str| find(&camera, name).unwrap_err().reason;
    assert_eq!(near("brigthness"), "there is no control 'brigthness': did you mean brightness?");
    assert!(near("exposure").contains("auto_exposure or exposure_time_absolute"), "{}", near("exposure"));
    assert!(near("Exposure Time (Absolute)").contains("did you mean exposure_time_absolute"));
    assert!(near("zoom").contains("there are brightness, white_balance_automatic"), "{}", near("zoom"));
    assert!(near("\x1b[2J").contains(r"'\u{1b}[2J'"));
    assert_eq!(find(&camera, "9963776").unwrap().name, "brightness", "its number in V4L2 names it as well");
    assert!(find(&camera, "0").is_err(), "and 0 is nobody's");
    assert!(find(&[], "x").is_err());
}

#[test]
fn what_another_control_holds_is_refused_with_its_name_unless_that_is_set_as_well() {
    let camera = camera();
    let why = check_all(&camera, &set(&[("exposure_time_absolute", "200")])).unwrap_err();
    assert_eq!(why.cause, ProblemCause::Held);
    assert!(why.reason.contains("is held by auto_exposure, which is 3 (Aperture Priority Mode)"), "{why}");
    let both = set(&[("exposure_time_absolute", "200"), ("auto_exposure", "1")]);
    check_all(&camera, &both).unwrap();
    let names: Vec<_> = in_order(&camera, both.values).into_iter().map(|set| set.name).collect();
    assert_eq!(names, ["auto_exposure", "exposure_time_absolute"], "the switch goes first");
}

#[test]
fn of_a_list_whoever_told_it_nothing_acts_and_no_more_is_kept_than_there_may_be() {
    let many = (0..100).map(|n| control(&format!("c{n}"), ControlKind::Integer)).collect();
    assert_eq!(to_be_shown(many).len(), MOST);
    let evil = vec![
        control("ok", ControlKind::Integer),
        control("ok", ControlKind::Integer),
        control("Not A Name", ControlKind::Integer),
        control("", ControlKind::Integer),
        control(&"x".repeat(65), ControlKind::Integer),
        CameraControl { min: 9, max: 1, ..control("turned", ControlKind::Integer) },
        CameraControl {
            label: "\x1b[2J".repeat(50),
            held_by: Some("\x1b".into()),
            step: i64::MIN,
            menu: vec![MenuEntry { value: 1, label: "a\u{202e}b".into() }; 100],
            ..control("menu", ControlKind::Menu)
        },
    ];
    let shown = to_be_shown(evil);
    assert_eq!(shown.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["ok", "menu"]);
    let menu = &shown[1];
    assert!(menu.label.chars().count() <= LONGEST && menu.label.starts_with(r"\u{1b}[2J"));
    assert_eq!(
        (menu.menu.len(), menu.menu[0].label.as_str(), menu.held_by.as_ref(), menu.step),
        (MOST, r"a\u{202e}b", None, 1)
    );
}

#[test]
fn every_packet_of_a_list_fits_what_a_hub_takes_and_together_they_are_the_list() {
    let label = || "\"\u{10348}".repeat(32);
    let menu: Vec<_> = (0..MOST as i64).map(|value| MenuEntry { value, label: label() }).collect();
    let small: Vec<_> = (0..MOST).map(|n| control(&format!("control_number_{n}"), ControlKind::Integer)).collect();
    let parts = in_parts(7, small.clone(), None);
    assert!(parts.len() > 1);
    let mut together = Vec::new();
    for (at, list) in parts.iter().enumerate() {
        assert_eq!((list.answers, list.more), (7, at + 1 < parts.len()));
        together.extend(list.controls.clone());
    }
    assert_eq!(together, small);
    let large = vec![CameraControl { menu, label: label(), ..control("menu", ControlKind::Menu) }; MOST];
    for parts in [parts, in_parts(7, large, Some(Problem::new(ProblemCause::Held, "x".repeat(400))))] {
        assert!((1..=16).contains(&parts.len()), "{}", parts.len());
        for part in parts {
            let part = Control::Controls(part);
            let packet = control_packet(&part);
            assert!(packet.len() <= MAX_CONTROL_TO_HUB, "{}", packet.len());
            assert_eq!(Control::from_json(&part.to_json()), Ok(part));
        }
    }
    let empty = in_parts(1, Vec::new(), None);
    assert_eq!(empty.len(), 1, "an empty list is an answer");
}

#[test]
fn a_request_is_read_from_json_and_from_a_form() {
    let json = |text: &str| SetControls::from_json(text.as_bytes());
    let wanted = SetControls {
        values: vec![
            SetValue { name: "auto_exposure".into(), value: Some("Manual Mode".into()) },
            SetValue { name: "brightness".into(), value: Some("140".into()) },
            SetValue { name: "gain".into(), value: None },
            SetValue { name: "white".into(), value: Some("1".into()) },
        ],
        ..SetControls::default()
    };
    let text = r#"{"auto_exposure":"Manual Mode","brightness":140.0,"gain":null,"white":true}"#;
    assert_eq!(json(text), Ok(wanted.clone()));
    assert_eq!(SetControls::from_form("auto_exposure=Manual+Mode&brightness=140&gain=&white=1"), Ok(wanted));
    assert_eq!(
        json(r#"{"name":"gain","default":true}"#).unwrap().values,
        [SetValue { name: "gain".into(), value: None }]
    );
    assert_eq!(json(r#"{"name":"gain","value":3}"#).unwrap().values[0].value.as_deref(), Some("3"));
    assert!(json(r#"{"reset":true}"#).unwrap().reset && SetControls::from_form("reset=1").unwrap().reset);
    for wrong in
        ["", "[]", "7", "{}", r#"{"reset":false}"#, r#"{"gain":[1]}"#, r#"{"gain":{"x":1}}"#, r#"{"name":"gain"}"#, "{"]
    {
        assert!(json(wrong).is_err(), "{wrong}");
    }
    for wrong in ["", "&&", "reset=0", "a=%ff"] {
        assert!(SetControls::from_form(wrong).is_err(), "{wrong}");
    }
    let many: Vec<_> = (0..65).map(|n| format!("c{n}=1")).collect();
    assert!(SetControls::from_form(&many.join("&")).is_err());
    assert!(SetControls::from_form(&format!("{}=1", "x".repeat(65))).is_err());
}

#[test]
fn an_option_is_a_name_and_a_value() {
    let read = |text: &str| text.parse::<SetValue>();
    assert_eq!(read("gain=40"), Ok(SetValue { name: "gain".into(), value: Some("40".into()) }));
    assert_eq!(read(" gain = default ").unwrap().value, None);
    for wrong in ["gain", "gain=", "=4", ""] {
        assert!(read(wrong).is_err_and(|why| why.contains("NAME=VALUE")), "{wrong}");
    }
}

#[test]
fn what_a_later_version_brings_is_shown_and_not_set() {
    let list = br#"{"type":"controls","answers":1,"controls":[{"name":"zoom","type":"curve","points":[1]}],"problem":{"cause":"moon"}}"#;
    let Ok(Control::Controls(list)) = Control::from_json(list) else { panic!("not read") };
    assert_eq!(list.controls[0].kind, ControlKind::Unknown);
    assert!(number_of(&list.controls[0], Some("1")).is_err());
    assert_eq!(list.problem.unwrap().cause, ProblemCause::Failed);
}
