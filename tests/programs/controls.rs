//! What can be set at a camera, by the programs: listed, set when it is opened, and set from afar.

use serde_json::Value;

use crate::running::*;
use crate::support::limited;

#[test]
fn a_sources_controls_are_listed_for_people_and_for_programs() {
    limited(|| {
        let told = run(SEND, &["--list-controls", "--source", "pattern"]);
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.out.contains("brightness            integer  0 to 255, default 128, is 128\n"), "{}", told.out);
        assert!(told.out.contains("1 Grey"), "{}", told.out);
        let told = run(SEND, &["--list-controls", "--json", "--source", "pattern"]);
        let list: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(list[1]["name"], "brightness_automatic");
        let none = run(SEND, &["--list-controls", "--source", "http://127.0.0.1:1/"]);
        assert_eq!(none.code, Some(3), "{none:?}");
        assert!(none.err.contains("no controls"), "{none:?}");
    });
}

#[test]
fn a_control_is_set_when_the_source_is_opened_and_a_wrong_one_is_wrong_usage() {
    limited(|| {
        for (control, hint) in [
            ("brigthness=9", "did you mean brightness"),
            ("brightness=256", "0 to 255"),
            ("test_pattern=blue", "1 (Grey)"),
            ("brightness", "write NAME=VALUE"),
        ] {
            let arguments = ["--source", "pattern", "--listen", "127.0.0.1:0", "--control", control];
            let ended = run(SEND, &arguments);
            assert_eq!(ended.code, Some(2), "{control}: {ended:?}");
            assert!(ended.err.contains(hint), "{control}: {ended:?}");
        }
    });
}

#[test]
fn a_control_is_listed_and_set_from_afar() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let there = ["--host", &host, "--name", "door"];
        let nobody = run(VIEW, &[&there[..], &["--list-controls"]].concat());
        assert_eq!(nobody.code, Some(3), "{nobody:?}");
        let arguments =
            ["--source", "pattern", "--size", "320x240", "--control", "brightness=60", "--control", "test_pattern=1"];
        let mut sender = Running::start(command(SEND, arguments.iter().chain(&there)));
        sender.says("publishes main/door");
        let list = || {
            let told = run(VIEW, &[&there[..], &["--list-controls", "--json"]].concat());
            assert_eq!(told.code, Some(0), "{told:?}");
            let list: Value = serde_json::from_str(&told.out).unwrap();
            list[0]["value"].as_i64()
        };
        crate::support::until("it is set at first", || list() == Some(60));
        let done = run(VIEW, &[&there[..], &["--control", "brightness=200", "--control", "test_pattern=0"]].concat());
        assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
        assert_eq!(list(), Some(200));
        let wrong = run(VIEW, &[&there[..], &["--control", "brightness=-1"]].concat());
        assert_eq!(wrong.code, Some(2), "{wrong:?}");
        assert!(wrong.err.contains("0 to 255"), "{wrong:?}");
        let both = run(VIEW, &[&there[..], &["--control", "brightness=1", "--headless"]].concat());
        assert_eq!(both.code, Some(2), "{both:?}");
    });
}

#[test]
fn who_sets_a_control_where_there_is_no_hub_is_told_so_and_hosts_none() {
    limited(|| {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let ended = run(VIEW, &["--port", &port, "--control", "brightness=1"]);
        assert_eq!(ended.code, Some(5), "{ended:?}");
        assert!(ended.err.contains("unreachable") && !ended.err.contains("hosts"), "{ended:?}");
    });
}
