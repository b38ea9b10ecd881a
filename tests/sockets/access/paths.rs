//! Every path of the hub, with nothing, with each right, and with one that has ended or was touched.

use data_encoding::BASE64;

use super::{ADMIN, Asking, OPERATE, PUBLISH, VIEW, bearer, link_that_ended, touched, with};
use crate::support::http::Http;
use crate::support::{Peer, jpeg, limited, publishes, until};

/// What a path needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Nothing: everybody gets it.
    Nothing,
    /// Any right: whoever has one is told what it may know.
    Something,
    View,
    Publish,
    /// To view the room and to publish in it.
    Both,
    /// To view or to administrate.
    List,
    Admin,
    Operate,
}

/// Every path of the hub: as `src/hub/routes.rs` writes it, and a request for it.
const PATHS: &[(&str, &str, &str, Needs)] = &[
    (r#"([], Some("stream"))"#, "HEAD", "/?action=stream", Needs::View),
    (r#"([], Some("snapshot"))"#, "GET", "/?action=snapshot", Needs::View),
    (r#"([], Some("command"))"#, "GET", "/?action=command&id=9963776&value=9", Needs::Operate),
    (r#"([], Some(_))"#, "GET", "/?action=stream_1", Needs::Nothing),
    (r#"([] | ["index.html"], _)"#, "GET", "/", Needs::Nothing),
    (r#"(["stream" | "stream.mjpg"], _)"#, "HEAD", "/stream", Needs::View),
    (r#"(["stream", room, name], _)"#, "HEAD", "/stream/main/door", Needs::View),
    (r#"(["rooms"], _)"#, "GET", "/rooms", Needs::Something),
    (r#"(["rooms", room], _)"#, "GET", "/rooms/main", Needs::List),
    (r#"(["rooms", room, "messages"], _)"#, "GET", "/rooms/main/messages", Needs::List),
    (r#"(["rooms", room, "close"], _)"#, "POST", "/rooms/main/close", Needs::Operate),
    (r#"(["rooms", room, "people"], _)"#, "POST", "/rooms/main/people", Needs::Operate),
    (r#"(["rooms", room, "thumbnail"], _)"#, "GET", "/rooms/main/thumbnail", Needs::View),
    (r#"(["rooms", room, "video_feed"], _)"#, "HEAD", "/rooms/main/video_feed", Needs::View),
    (r#"(["rooms", room, "video_feed", name], _)"#, "HEAD", "/rooms/main/video_feed/door", Needs::View),
    (r#"(["snapshot" | "snapshot.jpg"], _)"#, "GET", "/snapshot", Needs::View),
    (r#"(["snapshot", room, name], _)"#, "GET", "/snapshot/main/door", Needs::View),
    (r#"(["input.json" | "input_0.json"], _)"#, "GET", "/input.json", Needs::View),
    (r#"(["api", "streams"], _)"#, "GET", "/api/streams", Needs::List),
    (r#"(["api", "streams", room, name], _)"#, "GET", "/api/streams/main/door", Needs::List),
    (
        r#"(["api", "streams", room, name, "controls"], _) if exchange.posts()"#,
        "POST",
        "/api/streams/main/door/controls?gain=1",
        Needs::Operate,
    ),
    (r#"(["api", "streams", room, name, "controls"], _)"#, "GET", "/api/streams/main/door/controls", Needs::View),
    (r#"(["api", "publish", room, name], _)"#, "POST", "/api/publish/main/posted", Needs::Publish),
    (r#"(["api", "broadcast-detection"], _)"#, "POST", "/api/broadcast-detection", Needs::Publish),
    (r#"(["api", "broadcast-status"], _)"#, "GET", "/api/broadcast-status", Needs::Admin),
    (r#"(["api", "cameras"], _)"#, "GET", "/api/cameras", Needs::Admin),
    (r#"(["api", "session"], _)"#, "GET", "/api/session", Needs::Nothing),
    (r#"(["api", "links"], _)"#, "POST", "/api/links?view=main/door", Needs::Operate),
    (r#"(["health"], _)"#, "GET", "/health", Needs::Nothing),
    (r#"(["metrics"], _)"#, "GET", "/metrics", Needs::Admin),
    // It asks when the hello says what is wanted.
    (r#"(["ws"], _)"#, "WS", "/ws", Needs::Nothing),
    (r#"(["ws", "viewer", "detection"], _)"#, "WS", "/ws/viewer/detection?camera_id=main/door", Needs::View),
    (r#"(["ws", room, user], _)"#, "WS", "/ws/main/Ann", Needs::Both),
    (r#"(["websocket", quality], _)"#, "WS", "/websocket/50", Needs::View),
    ("([file], _) if page::has(exchange, file)", "GET", "/main.js", Needs::Nothing),
];

#[test]
fn every_path_has_a_rule_and_is_served_to_those_who_have_its_right_and_to_nobody_else() {
    limited(|| {
        let routes = include_str!("../../../src/hub/routes.rs");
        let arms: Vec<_> = routes
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("([") && line.contains("=>") && !line.contains("\"panics\""))
            .map(|line| line.split(" =>").next().unwrap())
            .collect();
        let known: Vec<_> = PATHS.iter().map(|(arm, ..)| *arm).collect();
        assert_eq!(arms, known, "a path without a rule in this table, or one that is gone");
        let asking = Asking::new("paths");
        let mut camera = Peer::join(asking.hub.address(), with(publishes("door"), PUBLISH));
        camera.picture(1, &jpeg(90));
        let door = || asking.with_token("/snapshot/main/door", VIEW).status == 200;
        until("a picture is there", door);
        let (ended, touched) = (link_that_ended(&asking), touched(&asking));
        let elsewhere = asking.link(r#"{"root":"other","get":"","put":""}"#);
        let both = asking.link(r#"{"root":"","get":"","put":""}"#);
        let tokens = [
            ("nothing", None),
            ("view", Some(VIEW)),
            ("publish", Some(PUBLISH)),
            ("admin", Some(ADMIN)),
            ("operate", Some(OPERATE)),
            ("both", Some(&*both)),
            ("another room", Some(&*elsewhere)),
            ("ended", Some(&*ended)),
            ("touched", Some(&*touched)),
        ];
        for (_, method, path, needs) in PATHS {
            for (name, token) in tokens {
                let may = match needs {
                    Needs::Nothing => true,
                    Needs::Something => token.is_some() && !matches!(name, "ended" | "touched"),
                    Needs::View => matches!(name, "view" | "operate" | "both"),
                    Needs::Publish => matches!(name, "publish" | "both"),
                    Needs::Both => name == "both",
                    // What there is in its own room, which is nothing.
                    Needs::List if name == "another room" => *path == "/api/streams",
                    Needs::List => matches!(name, "view" | "operate" | "both" | "admin"),
                    Needs::Admin => {
                        name == "admin" || name == "both" && (path.ends_with("status") || path.ends_with("cameras"))
                    }
                    Needs::Operate => name == "operate",
                };
                let status = status_of(&asking, method, path, token);
                let refused = if token.is_none() || matches!(name, "ended" | "touched") { 401 } else { 403 };
                if may {
                    assert!(!matches!(status, 401 | 403 | 429), "{path} with {name}: {status}");
                } else if name == "touched" {
                    // After ten of them it is one guess too many.
                    assert!(matches!(status, 401 | 429), "{path} with {name}: {status}");
                } else {
                    assert_eq!(status, refused, "{path} with {name}");
                }
            }
        }
    });
}

/// How a request of this token is answered.
fn status_of(asking: &Asking, method: &str, path: &str, token: Option<&str>) -> u16 {
    let fields = token.map(bearer).unwrap_or_default();
    let mut http = Http::connect(asking.hub.address());
    match method {
        "WS" => {
            let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            http.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{upgrade}{fields}\r\n").as_bytes());
            http.head().status
        }
        "POST" if path.contains("detection") => {
            let body = format!(r#"{{"camera_id":"CAM1","frame_base64":"{}"}}"#, BASE64.encode(&jpeg(9)));
            http.ask(method, path, &fields, body.as_bytes()).status
        }
        "POST" if path.contains("publish") => http.ask(method, path, &fields, &jpeg(9)).status,
        method => http.ask(method, path, &fields, b"").status,
    }
}
