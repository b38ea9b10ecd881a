use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use proptest::prelude::*;

use super::greeting::{ClientContext, Greeting, Step, Then};
use crate::access::{Access, Credentials, Right};
use crate::hub::deliver::Purpose;
use crate::hub::{Hub, HubConfig};
use crate::time::Micros;
use crate::wire::control::{Control, ViewRequest};
use crate::wire::framing::prefix;
use crate::wire::packet::control_packet;
use crate::wire::websocket::{self, End};

const AT: Micros = Micros(1_000_000);
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const POST: &[u8] = b"POST /api/broadcast-detection HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n";

fn hub() -> Hub {
    hub_by(|_, _| true)
}

/// A hub at which this says who may do what.
fn hub_by(rule: fn(&Credentials, Right<'_>) -> bool) -> Hub {
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let plain = Some(listen);
    Hub::start_with(HubConfig { listen, plain, threads: 1, ..HubConfig::default() }, Access::by(rule).into(), None)
        .unwrap()
}

/// A newcomer without a socket, and all that it was told.
struct Newcomer<'a> {
    hub: &'a Hub,
    greeting: Greeting,
    heard: Vec<u8>,
    end: Option<String>,
}

impl<'a> Newcomer<'a> {
    fn new(hub: &'a Hub) -> Self {
        Self { hub, greeting: Greeting::new(), heard: Vec::new(), end: None }
    }

    /// Says this, and goes on as the socket would until there is nothing to do.
    fn says(&mut self, bytes: &[u8]) {
        self.greeting.handle_bytes(bytes, AT);
        let shared = &self.hub.shared;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 4000));
        let account = shared.memory.open(IpAddr::V4(Ipv4Addr::LOCALHOST), || {});
        let asker = ClientContext { shared, address, account: &account, encrypted: false };
        while self.end.is_none() {
            let step = self.greeting.poll(&asker, AT);
            if matches!(step, Step::Reads | Step::Waits) {
                return;
            }
            self.takes(step);
        }
    }

    fn takes(&mut self, step: Step) {
        match step {
            Step::Reads | Step::Waits => {}
            Step::Encrypts(early, _) => self.end = Some(format!("encrypts, {} bytes", early.len())),
            Step::Sends(bytes, picture, then) => {
                self.heard.extend(bytes);
                self.heard.extend(picture.iter().flat_map(|picture| picture.data.iter().copied()));
                if let Then::Close(why) = then {
                    self.end = Some(format!("closed: {}", why.unwrap_or_default()));
                }
            }
            Step::Admits { admitted, before, early } => {
                self.heard.extend(before);
                let purpose = match &admitted.purpose {
                    Purpose::Publish { grant, .. } => format!("publish {}", grant.0),
                    Purpose::Watch(grant) => format!("watch {}", grant.0),
                    Purpose::Join { grant, called } => format!("join {} as {called}", grant.0),
                };
                self.end = Some(format!("{} {purpose}, {} more", admitted.framing.name(), early.len()));
            }
            Step::Ends(why) => self.end = Some(format!("ends: {}", why.unwrap_or_default())),
        }
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

#[test]
fn who_is_refused_whatever_it_wants_is_told_so_in_what_it_speaks_and_may_try_again() {
    let hub = hub_by(|_, _| true);
    let refused = |said: &[u8]| {
        let mut newcomer = Newcomer::new(&hub);
        newcomer.greeting = Greeting::refusing("too many from here".into());
        said.chunks(5).for_each(|piece| newcomer.says(piece));
        newcomer
    };
    let http = refused(HEALTH);
    assert!(http.heard().starts_with("HTTP/1.1 503 ") && http.heard().contains("too many from here"));
    assert_eq!(http.end.as_deref(), Some("closed: "), "it was counted when it came");
    let native = refused(&native());
    // A program that is refused ends, and this one would have been let in at another time.
    assert!(native.heard().contains(r#""cause":"stopping","reason":"too many from here""#), "{}", native.heard());
    let mut silent = refused(b"GET /");
    assert!(silent.heard.is_empty() && silent.end.is_none());
    let shared = &hub.shared;
    let account = shared.memory.open(IpAddr::V4(Ipv4Addr::LOCALHOST), || {});
    let asker = ClientContext {
        shared,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
        account: &account,
        encrypted: false,
    };
    assert!(matches!(silent.greeting.handle_timeout(&asker), Step::Ends(None)));
}

fn hello() -> Vec<u8> {
    control_packet(&Control::Hello(serde_json::from_str(r#"{"role":"publish","name":"door"}"#).unwrap()))
}

fn native() -> Vec<u8> {
    let hello = hello();
    [&prefix(hello.len())[..], &hello].concat()
}

/// Openings of every kind, and how each ends.
fn openings() -> Vec<(Vec<u8>, &'static str)> {
    let websocket = websocket::binary(End::Client, &[&hello()]);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
    let upgrade = |path: &str| String::from_utf8_lossy(UPGRADE).replace("/ws", path).into_bytes();
    vec![
        ([&native()[..], b"more"].concat(), "native publish main/door, 4 more"),
        ([HEALTH, UPGRADE, &websocket, b"more"].concat(), "websocket publish main/door, 4 more"),
        (get("/stream/main/door"), "multipart watch main/door, 0 more"),
        (upgrade("/websocket/50"), "quality watch main/, 0 more"),
        (upgrade("/ws/lab/Ann"), "room join lab/Ann as Ann, 0 more"),
        (upgrade("/websocket/5"), "closed: "),
        (get("/health").repeat(2), ""),
        (get("/nothing"), ""),
        ([POST, b"{}}"].concat(), ""),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01".to_vec(),
            "ends: this hub listens on this machine alone and does not encrypt",
        ),
        (b"GET / HTTP/1.1\0\r\n\r\n".to_vec(), "closed: not an HTTP request: invalid new line"),
    ]
}

#[test]
fn an_opening_means_the_same_at_any_split() {
    let hub = hub();
    for (opening, end) in openings() {
        let mut whole = Newcomer::new(&hub);
        whole.says(&opening);
        let ends = whole.end.clone().unwrap_or_default();
        assert!(ends.starts_with(end) && end.is_empty() == ends.is_empty(), "{ends:?} is not {end:?}");
        for cut in 1..opening.len() {
            let mut cut_in_two = Newcomer::new(&hub);
            cut_in_two.says(&opening[..cut]);
            let early = cut_in_two.end.is_some();
            cut_in_two.says(&opening[cut..]);
            assert_eq!(cut_in_two.heard(), whole.heard(), "cut at {cut}");
            // What comes behind an end is read by whoever goes on.
            assert!(early || cut_in_two.end == whole.end, "cut at {cut}: {:?}, not {:?}", cut_in_two.end, whole.end);
        }
    }
}

#[test]
fn requests_of_one_connection_are_answered_in_their_order() {
    let hub = hub();
    let mut newcomer = Newcomer::new(&hub);
    newcomer.says(&[HEALTH, b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", POST, b"{}}", HEALTH].concat());
    let statuses: Vec<_> = newcomer.heard().match_indices("HTTP/1.1 ").map(|(at, m)| at + m.len()).collect();
    let heard = newcomer.heard();
    assert_eq!(statuses.iter().map(|at| &heard[*at..at + 3]).collect::<Vec<_>>(), ["200", "404", "400", "200"]);
    assert_eq!((newcomer.end, newcomer.greeting.requests()), (None, 4));
}

#[test]
fn a_client_that_waits_for_it_is_told_once_that_its_body_may_come() {
    let hub = hub();
    let expects = |path: &str, length: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n{length}\r\n\r\n");
        let mut newcomer = Newcomer::new(&hub);
        newcomer.says(head.as_bytes());
        assert_eq!(newcomer.heard(), "HTTP/1.1 100 Continue\r\n\r\n", "{path}");
        newcomer
    };
    let mut whole = expects("/api/broadcast-detection", "Content-Length: 3");
    whole.says(b"{}}");
    assert!(whole.heard().contains("HTTP/1.1 400 "), "{}", whole.heard());
    // What it is shows in the body, which comes byte by byte.
    let mut unknown = expects("/api/publish/main/door", "Transfer-Encoding: chunked");
    b"8\r\n\r\n--frame".iter().for_each(|byte| unknown.says(&[*byte]));
    assert_eq!(unknown.heard().matches("100 Continue").count(), 1);
    let end = unknown.end.as_deref();
    assert_eq!(end, Some("post publish main/door, 7 more"), "four bytes of it tell");
}

#[test]
fn who_takes_too_long_or_gives_its_memory_for_others_is_told_so_in_its_own_words() {
    let hub = hub();
    let last_words = |said: &[u8], full: bool| {
        let mut newcomer = Newcomer::new(&hub);
        newcomer.says(said);
        newcomer.heard.clear();
        let account = hub.shared.memory.open(IpAddr::V4(Ipv4Addr::LOCALHOST), || {});
        let asker = ClientContext {
            shared: &hub.shared,
            address: ([127, 0, 0, 1], 4000).into(),
            account: &account,
            encrypted: false,
        };
        let greeting = &mut newcomer.greeting;
        let step = if full { greeting.handle_full(&asker) } else { greeting.handle_timeout(&asker) };
        newcomer.takes(step);
        (newcomer.heard(), newcomer.end.unwrap())
    };
    let late = |said: &[u8]| last_words(said, false);
    assert_eq!(
        [late(b""), late(&native()[..20]), late(UPGRADE)],
        [(); 3].map(|()| ("".into(), "ends: took too long".into()))
    );
    assert_eq!(late(HEALTH), ("".into(), "ends: ".into()), "it has been answered, and asks for no more");
    for said in [&HEALTH[..20], POST] {
        assert!(late(said).0.starts_with("HTTP/1.1 408 "), "{:?}", late(said));
    }
    let full = |said: &[u8], words: &str| {
        let (heard, end) = last_words(said, true);
        assert!(heard.contains(words) && heard.contains("--max-memory") && end.contains("--max-memory"), "{heard}");
    };
    full(&native()[..20], "bye");
    full(UPGRADE, "bye");
    full(POST, "HTTP/1.1 503 ");
    // Who is used to JSON gets it whatever the answer.
    full(POST, r#""success":false"#);
}

#[test]
fn a_client_of_http_1_0_is_not_told_that_its_body_may_come() {
    let hub = hub();
    let mut newcomer = Newcomer::new(&hub);
    let head = "POST /api/broadcast-detection HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    newcomer.says(head.as_bytes());
    assert_eq!(newcomer.heard(), "");
}

#[test]
fn before_its_hello_a_websocket_may_ping_and_its_text_is_ignored() {
    let hub = hub();
    let mut newcomer = Newcomer::new(&hub);
    newcomer.says(UPGRADE);
    newcomer.heard.clear();
    newcomer.says(&[websocket::text(End::Client, "hm"), websocket::ping(End::Client)].concat());
    assert_eq!(newcomer.heard, websocket::pong(End::Server, b""));
    newcomer.says(&websocket::binary(End::Client, &[&hello()]));
    assert_eq!(newcomer.end.as_deref(), Some("websocket publish main/door, 0 more"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_in_the_place_of_others_do_harm(
        kind in 0_usize..11,
        changes in prop::collection::vec((0_usize..400, any::<u8>()), 0..6),
        cut in 1_usize..200,
    ) {
        thread_local! { static HUB: Hub = hub(); }
        HUB.with(|hub| {
            let mut opening = openings().swap_remove(kind).0;
            let length = opening.len();
            changes.iter().for_each(|(at, byte)| opening[at % length] = *byte);
            let mut newcomer = Newcomer::new(hub);
            opening.chunks(cut).for_each(|piece| newcomer.says(piece));
            prop_assert!(newcomer.greeting.held() < 1 << 20);
            Ok(())
        })?;
    }
}

#[test]
fn whoever_may_do_nothing_is_told_so_at_every_entrance() {
    let hub = hub_by(|_, _| false);
    let says = |bytes: &[u8]| {
        let mut newcomer = Newcomer::new(&hub);
        newcomer.says(bytes);
        newcomer.heard()
    };
    let view = control_packet(&Control::Hello(serde_json::from_str(r#"{"role":"view"}"#).unwrap()));
    let view = [&prefix(view.len())[..], &view].concat();
    let bare = [&prefix(4)[..], b"\xff\xd8\xff\xd9"].concat();
    for (bytes, may_not) in
        [(native(), "publish main/door"), (view, "watch room main"), (bare, "publish main/127.0.0.1")]
    {
        let heard = says(&bytes);
        assert!(heard.contains(&format!("you may not {may_not}")) && heard.contains("refused"), "{heard}");
    }
    let upgrade = |path: &str| String::from_utf8_lossy(UPGRADE).replace("/ws", path);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let post = |path: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg).encode(&[0; 64], 8, 8, ExtendedColorType::L8).unwrap();
    let detection = format!(r#"{{"camera_id":"CAM1","frame_base64":"{}"}}"#, data_encoding::BASE64.encode(&jpeg));
    for (request, may_not) in [
        (get("/stream"), "watch room main"),
        (get("/?action=stream"), "watch room main"),
        (get("/rooms/lab/video_feed/Ann"), "watch lab/Ann"),
        (get("/snapshot/main/door"), "watch main/door"),
        (get("/api/streams"), "list the streams of this hub"),
        (get("/api/streams?room=lab"), "list the streams of room lab"),
        (get("/api/streams/main/door"), "list the streams of room main"),
        (get("/api/broadcast-status"), "list the streams of room detection"),
        (get("/api/cameras"), "list the streams of room detection"),
        (get("/metrics"), "read the numbers of this hub"),
        (post("/api/publish/main/door", "x"), "publish main/door"),
        (post("/api/broadcast-detection", &detection), "publish in room detection"),
        (upgrade("/ws/viewer/detection?camera_id=CAM1"), "watch detection/CAM1"),
        (upgrade("/ws/lab/Ann"), "be in room lab"),
        (upgrade("/websocket/50"), "watch room main"),
    ] {
        let heard = says(request.as_bytes());
        let told = heard.starts_with("HTTP/1.1 403 ") && heard.contains(&format!("you may not {may_not}"));
        assert!(told, "{request}: {heard}");
    }
    // What everybody may.
    for path in ["/", "/style.css", "/health"] {
        assert!(says(get(path).as_bytes()).starts_with("HTTP/1.1 200 "), "{path}");
    }
    let mut plain = std::net::TcpStream::connect(hub.plain_address().unwrap()).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert!(!matches!(plain.read(&mut [0; 8]), Ok(1..)), "it has no words, and gets none");
    assert_eq!(hub.counts(), (0, 0));
}

#[test]
fn whoever_is_inside_asks_again_for_each_stream_and_for_the_list() {
    let hub = hub_by(|_, right| match right {
        Right::Publish(_) | Right::PublishSomewhere(_) => true,
        Right::Watch(key) => key.name == "door",
        Right::Join(_) | Right::List(_) | Right::Metrics | Right::Operate(_) | Right::Share(_) => false,
    });
    let peer = std::net::TcpStream::connect(hub.address()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let say = |control: &Control| {
        let packet = control_packet(control);
        (&peer).write_all(&[&prefix(packet.len())[..], &packet].concat()).unwrap();
    };
    say(&Control::Hello(serde_json::from_str(r#"{"role":"view","name":"door"}"#).unwrap()));
    say(&Control::List);
    let mut heard = String::new();
    while !heard.contains(r#""streams":"#) {
        let mut piece = [0; 1024];
        let n = (&peer).read(&mut piece).unwrap();
        heard += &String::from_utf8_lossy(&piece[..n]);
    }
    assert!(heard.contains(r#""streams":[]"#), "{heard}");
    say(&Control::Subscribe { room: "main".into(), name: "attic".into(), request: ViewRequest::default() });
    let mut heard = Vec::new();
    (&peer).read_to_end(&mut heard).unwrap();
    assert!(String::from_utf8_lossy(&heard).contains("you may not watch main/attic"), "{heard:?}");
}

#[test]
fn a_fault_in_one_request_costs_the_others_nothing() {
    let hub = hub();
    let ask = |path: &str| {
        let mut socket = std::net::TcpStream::connect(hub.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        socket
    };
    let mut other = ask("/health");
    let mut heard = String::new();
    // The connection ends without an answer.
    assert!(ask("/panics").read_to_string(&mut heard).is_err() || heard.is_empty(), "{heard}");
    let mut piece = [0; 1024];
    assert!(other.read(&mut piece).unwrap() > 0);
    other.write_all(HEALTH).unwrap();
    assert!(other.read(&mut piece).unwrap() > 0);
}

#[test]
fn whoever_stops_in_the_middle_holds_what_its_buffer_takes() {
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let hub = Hub::start(HubConfig { listen, threads: 1, max_memory: 400 << 10, ..HubConfig::default() }).unwrap();
    let mut socket = std::net::TcpStream::connect(hub.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let head = "POST /api/publish/main/door HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n";
    socket.write_all(head.as_bytes()).unwrap();
    // It has just doubled, and nothing comes any more.
    socket.write_all(&vec![0; (256 << 10) + 1]).unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).expect("it is told at once, and not when it goes on");
    assert_eq!(&answer, b"HTTP/1.1 503");
}
