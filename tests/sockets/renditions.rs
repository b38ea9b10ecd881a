//! Who gets which size beside others: a viewer behind a slow link must not decide what everybody else sees.

use std::time::{Duration, Instant};

use streamflow::internal::adapt::{ANY, Resolution, Rung};
use streamflow::internal::frame::{Frame, PixelFormat, Size};
use streamflow::internal::publisher::Publisher;
use streamflow::internal::source::{Next, SourceError, from_fn};
use streamflow::internal::viewer::{Viewer, ViewerConfig};
use streamflow::internal::wire::control::{Ability, Control, Hello, ViewRequest};
use streamflow::internal::wire::jpeg;
use streamflow::internal::wire::packet::Packet;

use crate::support::http::{Http, get, post};
use crate::support::{
    Peer, SIZE, at, fine_source, hub, limited, next_picture, publisher, publisher_config, publishes, until, views,
};

const BOUNDARY: &str = "streamflow-next-picture";

fn size(jpeg: &[u8]) -> Size {
    jpeg::size(jpeg).unwrap()
}

/// A picture that takes many bytes.
fn noise(frame: &mut Frame) -> Result<Next, SourceError> {
    (frame.size, frame.format) = (SIZE, PixelFormat::Gray);
    frame.data.resize(SIZE.area(), 0);
    fastrand::fill(&mut frame.data);
    Ok(Next::Frame)
}

/// A viewer whose pictures are as small as they get, alone with the stream.
fn slow_viewer(hub: &streamflow::internal::hub::Hub) -> Viewer {
    let request = ViewRequest { max_rate: Some(8_000), ..ViewRequest::default() };
    let config = ViewerConfig { name: Some("door".into()), location: at(hub), request, ..ViewerConfig::default() };
    let viewer = Viewer::start(config).unwrap();
    until("its pictures are small", || size(&next_picture(&viewer).data) != SIZE);
    viewer
}

#[test]
fn a_slow_viewer_that_is_alone_does_not_shrink_what_others_get() {
    limited(|| {
        let hub = hub();
        let config = publisher_config(at(&hub), "door");
        let _publisher = Publisher::start(config, Box::new(from_fn(noise))).unwrap();
        let slow = slow_viewer(&hub);
        assert_eq!(size(&get(hub.address(), "/snapshot").body), SIZE);
        until("whoever wanted a picture is gone", || hub.counts().1 == 1);
        let mut newcomer = Peer::join(hub.address(), views("door"));
        let first = loop {
            if let Packet::Picture(picture, _) = newcomer.next().unwrap() {
                break picture;
            }
        };
        assert_eq!(size(&first.data), SIZE, "the first picture of a newcomer");
        drop(newcomer);
        until("it is gone", || hub.counts().1 == 1);
        let mut http = Http::connect(hub.address());
        http.send(b"GET /stream HTTP/1.1\r\nHost: hub\r\n\r\n");
        http.head();
        for _ in 0..20 {
            assert_eq!(size(&http.part(BOUNDARY).body), SIZE, "a recorder sees one size");
        }
        assert_ne!(size(&next_picture(&slow).data), SIZE, "and the slow viewer what its link carries");
    });
}

#[test]
fn a_polled_snapshot_was_captured_after_it_was_asked_for() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        until("published", || hub.counts().0 == 1);
        let mut last = String::new();
        for _ in 0..20 {
            let asked = Instant::now();
            let answer = get(hub.address(), "/snapshot");
            let age: f64 = answer.field("x-age-ms").unwrap().parse().unwrap();
            assert!(age <= asked.elapsed().as_secs_f64() * 1e3, "{age} ms old");
            let number = answer.field("x-sequence").unwrap().to_string();
            assert_ne!(number, last, "the same again");
            last = number;
        }
        assert_eq!(hub.counts().1, 1, "whoever polls is one viewer");
        until("and none when it stops", || hub.counts().1 == 0);
    });
}

#[test]
fn a_stream_has_the_size_and_quality_of_its_query() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        let mut http = Http::connect(hub.address());
        http.send(b"GET /stream?size=32x24 HTTP/1.1\r\nHost: hub\r\n\r\n");
        http.head();
        until("the asked size", || size(&http.part(BOUNDARY).body) == Size::new(32, 24));
        for _ in 0..10 {
            assert_eq!(size(&http.part(BOUNDARY).body), Size::new(32, 24));
        }
        for wrong in ["size=0x0", "size=big", "quality=101", "adapt=perhaps", "fps=0"] {
            for path in ["stream", "snapshot"] {
                assert_eq!(get(hub.address(), &format!("/{path}?{wrong}")).status, 400, "{path} {wrong}");
            }
        }
    });
}

#[test]
fn a_size_is_room_for_the_picture_which_keeps_its_aspect() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        until("published", || hub.counts().0 == 1);
        let fits = Size::new(32, 24);
        for room in ["32x48", "640x24"] {
            let mut http = Http::connect(hub.address());
            http.send(format!("GET /stream?size={room} HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
            http.head();
            until("the asked size", || size(&http.part(BOUNDARY).body) == fits);
            assert_eq!(size(&get(hub.address(), &format!("/snapshot?size={room}")).body), fits, "{room}");
        }
    });
}

#[test]
fn a_snapshot_has_the_size_that_was_asked_for_beside_others_of_other_sizes() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        until("published", || hub.counts().0 == 1);
        for _ in 0..3 {
            for (query, expected) in [
                ("?size=32x24", Size::new(32, 24)),
                ("", SIZE),
                ("?size=16x16", Size::new(16, 12)),
                ("?quality=9", SIZE),
            ] {
                let answer = get(hub.address(), &format!("/snapshot/main/door{query}"));
                assert_eq!((answer.status, size(&answer.body)), (200, expected), "{query}");
            }
        }
        assert_eq!(hub.counts().1, 1, "whoever polls is one viewer");
        until("and none when it stops", || hub.counts().1 == 0);
    });
}

#[test]
fn a_posted_picture_is_given_as_it_is_whatever_was_asked_for() {
    limited(|| {
        let hub = hub();
        let picture = crate::support::jpeg(90);
        assert_eq!(post(hub.address(), "/api/publish/main/still", &picture).status, 200);
        let answer = get(hub.address(), "/snapshot/main/still?size=16x16&quality=10");
        assert!(answer.status == 200 && answer.body == picture, "{}", answer.status);
    });
}

#[test]
fn a_stream_has_the_frame_rate_of_its_query_and_others_have_all_pictures() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        let numbers = |query: &str, count: usize| {
            let mut http = Http::connect(hub.address());
            http.send(format!("GET /stream{query} HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
            http.head();
            // What comes before the publisher is a placeholder.
            let mut number = || http.part(BOUNDARY).field("x-sequence").and_then(|n| n.parse::<u32>().ok()).unwrap();
            until("a picture", || number() > 0);
            (0..count).map(|_| number()).collect::<Vec<_>>()
        };
        assert_eq!(numbers("", 10).len(), 10);
        // The source gives fifty a second.
        let few = numbers("?fps=2", 4);
        assert!(few.windows(2).all(|two| two[1] - two[0] > 1), "{few:?}");
    });
}

/// The rungs of the next demand for which they are as wanted.
fn demand(publisher: &mut Peer, wanted: &[Rung]) {
    loop {
        if let Control::Demand { rungs, .. } = publisher.control()
            && rungs == wanted
        {
            return;
        }
    }
}

#[test]
fn a_publisher_is_asked_for_what_streams_and_snapshots_need() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), Hello { can: vec![Ability::Rungs], ..publishes("door") });
        let open = |query: &str| {
            let mut http = Http::connect(hub.address());
            http.send(format!("GET /stream/main/door{query} HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
            http
        };
        let recorder = open("");
        demand(&mut publisher, &[Rung::FULL]);
        let adapting = open("?adapt=on");
        demand(&mut publisher, &[Rung::default(), Rung::FULL]);
        drop((recorder, adapting));
        let of = Resolution::Of(Size::new(320, 240));
        let sized = open("?size=320x240&quality=40");
        demand(&mut publisher, &[Rung { bytes: ANY, quality: 40, size: of }]);
        let address = hub.address();
        let snapshot = std::thread::spawn(move || get(address, "/snapshot").status);
        demand(&mut publisher, &[Rung::FULL, Rung { bytes: ANY, quality: 40, size: of }]);
        drop(sized);
        let small = std::thread::spawn(move || get(address, "/snapshot?size=320x240&n=17").status);
        demand(&mut publisher, &[Rung::FULL, Rung { bytes: ANY, quality: 0, size: of }]);
        publisher.say(&Control::Supply { rungs: vec![Some(Rung::FULL)] });
        let statuses = std::thread::spawn(|| [snapshot, small].map(|asked| asked.join().unwrap()));
        assert_eq!(publisher.publish_until(1, &crate::support::jpeg(9), statuses), [200, 200], "the nearest there is");
    });
}

#[test]
fn a_snapshot_keeps_a_camera_awake_that_takes_four_seconds_to_open() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), Hello { can: vec![Ability::Rungs], ..publishes("door") });
        let address = hub.address();
        let snapshot = std::thread::spawn(move || get(address, "/snapshot").status);
        demand(&mut publisher, &[Rung::FULL]);
        std::thread::sleep(Duration::from_secs(4));
        publisher.say(&Control::Supply { rungs: vec![Some(Rung::FULL)] });
        publisher.say(&Control::Ping { time: 77 });
        loop {
            match publisher.control() {
                Control::Demand { viewers, .. } => assert_ne!(viewers, 0, "it may close again"),
                Control::Pong { time: 77, .. } => break,
                _ => {}
            }
        }
        publisher.publish(1, 2_000);
        assert_eq!(snapshot.join().unwrap(), 200);
    });
}
