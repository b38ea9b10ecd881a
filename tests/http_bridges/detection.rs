//! Detection broadcast.

use data_encoding::BASE64;
use serde_json::{Value, json};
use streamflow::internal::wire::control::Hello;
use tungstenite::Message;

use crate::support::http::get;
use crate::support::{Peer, at, fine_source, hub, limited, next_picture, publisher, publishes, until};
use crate::{broadcast, detection, jpeg, next, open, picture_of, viewer_of, wait};

#[test]
fn detections_are_broadcast_with_their_metadata_to_every_kind_of_viewer() {
    limited(|| {
        let hub = hub();
        let picture = jpeg(&hub);
        let metadata = json!({ "cars": 3, "timestamp": 12.5 });
        let body = json!({ "camera_id": "CAM1", "frame_base64": BASE64.encode(&picture), "metadata": metadata });
        let (status, answer) = broadcast(&hub, &body);
        let expected = json!({
            "success": true, "viewers": 0, "camera_id": "CAM1", "frame_size": picture.len(), "timestamp": 12.5,
        });
        assert_eq!((status, answer), (200, expected));
        // The current one at once, although it came before.
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=CAM1");
        let first = wait(&mut dashboard, "frame");
        assert_eq!(
            (&first["camera_id"], &first["frame_count"], &first["metadata"]),
            (&"CAM1".into(), &1.into(), &metadata)
        );
        assert_eq!(picture_of(&first["frame"]), picture);
        assert!(first["timestamp"].as_f64() > Some(1e9));
        assert_eq!(broadcast(&hub, &body).1["viewers"], 1);
        assert_eq!(wait(&mut dashboard, "frame")["frame_count"], 2);
        dashboard.send(Message::text("ping")).unwrap();
        assert_eq!(next(&mut dashboard), Message::text("pong"));
        let native = viewer_of(&hub, "detection", "CAM1");
        assert_eq!(next_picture(&native).metadata.as_deref(), Some(metadata.to_string().as_str()));
        let status = get(hub.address(), "/api/broadcast-status").json();
        assert_eq!((&status["active_cameras"], &status["total_viewers"]), (&1.into(), &2.into()));
        assert_eq!(status["broadcasters"][0]["camera_id"], "CAM1");
        drop((dashboard, native));
        until("gone viewers are removed", || get(hub.address(), "/api/broadcast-status").json()["total_viewers"] == 0);
    });
}

#[test]
fn a_detection_that_makes_no_sense_is_refused_and_any_name_is_fine() {
    limited(|| {
        let hub = hub();
        let picture = BASE64.encode(&jpeg(&hub));
        for bad in [
            json!({ "frame_base64": picture }),
            json!({ "camera_id": "", "frame_base64": picture }),
            json!({ "camera_id": "x" }),
            json!({ "camera_id": "x", "frame_base64": "%%%" }),
            json!({ "camera_id": "x", "frame_base64": "AAAA" }),
            json!([]),
        ] {
            let (status, answer) = broadcast(&hub, &bad);
            assert_eq!((status, &answer["success"]), (400, &false.into()), "{answer}");
        }
        let odd = json!({ "camera_id": "Lot \"A\" / 1", "frame_base64": picture });
        assert_eq!(broadcast(&hub, &odd).0, 200);
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=Lot+%22A%22+%2F+1");
        let frame = wait(&mut dashboard, "frame");
        assert_eq!((&frame["camera_id"], &frame["metadata"]), (&"Lot \"A\" / 1".into(), &json!({})));
        let listed = get(hub.address(), "/api/streams?room=detection").json();
        assert_eq!(listed["streams"][0]["called"], "Lot \"A\" / 1", "the list has the name that was given");
        assert!(open(hub.address(), "/ws/viewer/detection").read().unwrap().is_close());
    });
}

#[test]
fn the_list_of_cameras_has_those_of_which_pictures_come_by_the_names_that_dashboards_ask_for() {
    limited(|| {
        let hub = hub();
        let cameras = || get(hub.address(), "/api/cameras");
        assert_eq!((cameras().status, cameras().json()), (200, json!([])));
        let picture = jpeg(&hub);
        let mut program = Peer::join(hub.address(), Hello { room: "detection".into(), ..publishes("yard") });
        program.picture(1, &picture);
        let _elsewhere = publisher(at(&hub), "door", fine_source());
        let posts = || assert_eq!(broadcast(&hub, &detection("Lot <A>/1", &picture)).0, 200);
        posts();
        let mut listed = Value::Null;
        until("both are there", || {
            listed = cameras().json();
            listed.as_array().unwrap().len() == 2
        });
        let names: Vec<_> = listed.as_array().unwrap().iter().map(|c| (c["id"].as_str(), c["name"].as_str())).collect();
        assert_eq!(names, [(Some("Lot <A>/1"), Some("Lot <A>/1")), (Some("yard"), Some("yard"))]);
        assert_eq!((&listed[0]["frame_count"], &listed[0]["viewers"]), (&1.into(), &0.into()));
        assert!(listed[0]["last_update"].as_f64() > Some(1e9), "{listed}");
        assert_eq!(listed[1]["stream"], "detection/yard");
        // Each is what a dashboard watches.
        for id in ["Lot+%3CA%3E%2F1", "yard"] {
            wait(&mut open(hub.address(), &format!("/ws/viewer/detection?camera_id={id}")), "frame");
        }
        drop(program);
        // One picture is a still, and of more the next is waited for.
        (0..3).for_each(|_| posts());
        until("a camera whose pictures stop, and one that leaves, are not there", || cameras().json() == json!([]));
    });
}

#[test]
fn a_worker_cannot_publish_into_other_rooms_whatever_it_calls_its_camera() {
    limited(|| {
        let hub = hub();
        let picture = jpeg(&hub);
        assert_eq!(broadcast(&hub, &detection("main/door", &picture)).0, 200);
        let published = hub.streams(None).into_iter().filter(|s| s.live && s.room != "detection").count();
        assert_eq!(published, 0, "{:?}", hub.streams(None));
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=main/door");
        assert_eq!(wait(&mut dashboard, "frame")["frame_count"], 1, "its own dashboard still finds it");
    });
}

#[test]
fn a_camera_of_ours_is_seen_on_a_detection_dashboard() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=main/door");
        let frame = wait(&mut dashboard, "frame");
        assert!(frame["metadata"]["number"].as_u64() > Some(0));
    });
}

/// The same picture with so many bytes more, in comments that decoders pass over.
pub(crate) fn padded(picture: &[u8], bytes: usize) -> Vec<u8> {
    let comment = [&[0xff, 0xfe, 0xff, 0xff][..], &[7; 0xfffd]].concat();
    [&picture[..2], &comment.repeat(bytes / comment.len()), &picture[2..]].concat()
}

#[test]
fn a_dashboard_that_does_not_read_is_left_out_and_then_gets_the_newest_and_nobody_waits_for_it() {
    limited(|| {
        let hub = hub();
        let picture = padded(&jpeg(&hub), 600_000);
        let mut stalled = open(hub.address(), "/ws/viewer/detection?camera_id=CAM1");
        let mut other = open(hub.address(), "/ws/viewer/detection?camera_id=CAM1");
        // The answer to an upgrade comes before the loop has heard of the viewer.
        until("both watch", || hub.counts().1 == 2);
        let mut newest = 0;
        for n in 1..=40 {
            let (status, answer) = broadcast(&hub, &detection("CAM1", &picture));
            assert_eq!((status, answer["viewers"].as_u64()), (200, Some(2)));
            let seen = wait(&mut other, "frame");
            assert_eq!(seen["frame_count"], n, "each of them, while the other reads nothing");
            newest = n;
        }
        let mut seen = Vec::new();
        while seen.last() != Some(&newest) {
            seen.push(wait(&mut stalled, "frame")["frame_count"].as_u64().unwrap());
        }
        assert!(seen.len() < 40, "all 32 MB were kept for it");
        assert!(seen.is_sorted(), "{seen:?}");
    });
}
