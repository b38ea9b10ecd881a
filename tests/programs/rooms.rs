//! Rooms that people open, and a hub that begins anew.

use std::fs;

use rustix::process::Signal;

use crate::running::*;
use crate::support::http::{get, post};
use crate::support::limited;

#[test]
fn rooms_and_what_was_said_in_them_are_there_again_when_the_hub_begins_anew() {
    limited(|| {
        let folder = folder("rooms");
        let begin = || {
            let (hub, address) = hub(&["--state", folder.to_str().unwrap()]);
            (hub, address.parse().unwrap())
        };
        let (hub, address) = begin();
        let room = post(address, "/rooms", br#"{"title":"Daily","host_name":"Ann"}"#).json();
        let messages = format!("/rooms/{}/messages", room["room_id"].as_str().unwrap());
        let said = post(address, &messages, br#"{"user_name":"Ann","text":"hello"}"#).json();
        hub.signal(Signal::INT);
        let ended = hub.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let (hub, address) = begin();
        let listed = get(address, "/rooms").json();
        assert_eq!((&listed[0]["title"], &listed[0]["room_id"]), (&"Daily".into(), &room["room_id"]));
        assert_eq!(get(address, &messages).json()[0], said);
        drop(hub);
        fs::remove_dir_all(folder).unwrap();
    });
}
