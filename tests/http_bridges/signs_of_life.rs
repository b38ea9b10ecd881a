//! What is said when nothing else is, and what is forgotten: with times short enough to wait for. That something does not
//! happen too early is measured from a moment that lies before the hub's own, so that a slow machine cannot be wrong.

use std::time::{Duration, Instant};

use serde_json::json;
use streamflow::internal::hub::{BridgeTimes, Hub};
use tungstenite::Message;

use crate::support::http::{Http, get};
use crate::support::{hub_with, limited, until};
use crate::{Socket, broadcast, detection, jpeg, open, wait};

const SHORT: Duration = Duration::from_millis(400);
/// Long enough that a test that must answer in time does so on a busy machine.
const PATIENT: Duration = Duration::from_secs(3);

fn hub_of(change: impl FnOnce(&mut BridgeTimes)) -> Hub {
    hub_with(|config| change(&mut config.bridge_times))
}

/// The first message for which `is`, passing over others.
#[track_caller]
fn first(socket: &mut Socket, is: impl Fn(&Message) -> bool) -> Message {
    loop {
        let message = socket.read().unwrap();
        if is(&message) {
            return message;
        }
    }
}

#[test]
fn the_times_are_those_that_clients_of_these_systems_expect() {
    let times = BridgeTimes::default();
    assert_eq!(times.keep_alive, Duration::from_secs(30));
    assert_eq!(times.room_ping_every, Duration::from_secs(5));
    assert_eq!(times.ping_every, Duration::from_secs(20));
    assert_eq!(times.camera_forgotten_after, Duration::from_secs(5 * 60));
    assert!(times.dead_after > 3 * times.ping_every, "three pings may be lost");
}

#[test]
fn a_dashboard_that_says_nothing_is_told_that_the_connection_lives() {
    limited(|| {
        let hub = hub_of(|times| times.keep_alive = SHORT);
        let opened = Instant::now();
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=CAM1");
        assert_eq!(first(&mut dashboard, Message::is_text), Message::text("keepalive"));
        assert!(opened.elapsed() >= SHORT);
        // Whoever says something begins anew.
        let said = Instant::now();
        dashboard.send(Message::text("ping")).unwrap();
        first(&mut dashboard, |m| *m == Message::text("pong"));
        assert_eq!(first(&mut dashboard, Message::is_text), Message::text("keepalive"));
        assert!(said.elapsed() >= SHORT);
    });
}

#[test]
fn people_in_a_room_are_asked_whether_they_are_there_in_both_languages() {
    limited(|| {
        let hub = hub_of(|times| (times.room_ping_every, times.ping_every) = (SHORT, 3 * SHORT));
        let opened = Instant::now();
        let mut ann = open(hub.address(), "/ws/lab/ann");
        assert_eq!(wait(&mut ann, "ping"), json!({ "type": "ping" }));
        assert!(opened.elapsed() >= SHORT);
        ann.send(Message::text(r#"{"type":"pong"}"#)).unwrap();
        first(&mut ann, Message::is_ping);
        assert!(opened.elapsed() >= 3 * SHORT);
        wait(&mut ann, "ping");
        first(&mut ann, Message::is_ping);
    });
}

#[test]
fn who_answers_no_ping_is_gone_and_who_answers_stays() {
    limited(|| {
        let hub = hub_of(|times| (times.ping_every, times.dead_after) = (SHORT / 4, PATIENT));
        let mut here = open(hub.address(), "/ws/viewer/detection?camera_id=CAM1");
        let silent = Instant::now();
        let mut gone = Http::connect(hub.address());
        gone.send(
            b"GET /ws/viewer/detection?camera_id=CAM1 HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\n\
              Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        assert_eq!(gone.head().status, 101);
        until("both watch", || hub.counts().1 == 2);
        until("one is gone", || {
            // Reading is what answers a ping.
            first(&mut here, Message::is_ping);
            hub.counts().1 == 1
        });
        assert!(silent.elapsed() >= PATIENT);
        for _ in 0..10 {
            first(&mut here, Message::is_ping);
        }
        assert_eq!(hub.counts().1, 1, "who answers stays");
    });
}

#[test]
fn a_camera_is_forgotten_when_nobody_watches_and_no_picture_comes_and_not_before() {
    limited(|| {
        let hub = hub_of(|times| times.camera_forgotten_after = SHORT);
        let picture = jpeg(&hub);
        let active = || get(hub.address(), "/api/broadcast-status").json()["active_cameras"].as_u64().unwrap();
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=CAM1");
        for _ in 0..2 {
            assert_eq!(broadcast(&hub, &detection("CAM1", &picture)).0, 200);
            wait(&mut dashboard, "frame");
        }
        until("it counts as lost", || {
            get(hub.address(), "/api/streams/detection/CAM1").json()["reason"] == "no picture comes"
        });
        std::thread::sleep(3 * SHORT);
        assert_eq!(active(), 1, "somebody watches it");
        let posted = Instant::now();
        assert_eq!(broadcast(&hub, &detection("CAM1", &picture)).0, 200);
        wait(&mut dashboard, "frame");
        drop(dashboard);
        until("forgotten", || active() == 0);
        assert!(posted.elapsed() >= SHORT, "not before");
        until("nothing is left", || {
            get(hub.address(), "/api/streams/detection/CAM1").status == 404 && hub.counts() == (0, 0)
        });
    });
}
