//! What programs of other systems are shown of a stream that is sealed end to end.

use serde_json::Value;
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::wire::jpeg;

use crate::support::{at, fine_source, hub, limited, publisher_config};
use crate::{next, open, picture_of, say, wait};

#[test]
fn rooms_and_detection_are_shown_that_a_stream_needs_its_key_and_nothing_of_it() {
    limited(|| {
        let hub = hub();
        let key = Some("AAECAwQFBgcICQoLDA0ODw".into());
        let config = PublisherConfig { key, ..publisher_config(at(&hub), "door") };
        let _publisher = Publisher::start(config, Box::new(fine_source())).unwrap();
        let width = |data: &[u8]| jpeg::size(data).map(|size| size.width);
        let mut ann = open(hub.address(), "/ws/main/ann");
        for _ in 0..2 {
            assert_eq!(width(&picture_of(&wait(&mut ann, "video_frame")["data"])), Some(640), "once a second");
        }
        say(&mut ann, &serde_json::json!({ "type": "hello", "binary": true }));
        wait(&mut ann, "hello");
        let packet = loop {
            if let tungstenite::Message::Binary(packet) = next(&mut ann) {
                break packet;
            }
        };
        let length = u32::from_le_bytes(packet[28..32].try_into().unwrap()) as usize;
        let metadata: Value = serde_json::from_slice(&packet[32..32 + length]).unwrap();
        assert_eq!((&metadata["user_name"], &metadata["metadata"]), (&"door".into(), &serde_json::json!({})));
        assert_eq!((packet[4], width(&packet[32 + length..])), (1, Some(640)));
        let mut dashboard = open(hub.address(), "/ws/viewer/detection?camera_id=main/door");
        let shown = wait(&mut dashboard, "frame");
        assert_eq!((&shown["metadata"], width(&picture_of(&shown["frame"]))), (&serde_json::json!({}), Some(640)));
    });
}
