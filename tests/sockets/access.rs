//! Who is let in, for what and how long: every way in, with nothing, with each right, with one that has ended or was touched.

mod paths;
mod proxy;
mod sessions;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use streamflow::AccessControl;
use streamflow::internal::hub::Hub;
use streamflow::internal::wire::camera_controls::{ProblemCause, SetControls, in_parts};
use streamflow::internal::wire::control::{Ability, Cause, Control, Hello, ViewRequest};

use crate::support::http::{Answer, Http};
use crate::support::{Peer, hub_with, jpeg, limited, publishes, until, views};

const VIEW: &str = "vvvvvvvvvvv-view-0123456789";
const PUBLISH: &str = "ppppppp-publish-0123456789";
const ADMIN: &str = "aaaaaaaaa-admin-0123456789";
const OPERATE: &str = "ooooooo-operate-0123456789";
const PASSWORD: &str = "correct horse";

/// What stands in the file of these tests.
const FILE: &str = r#"
[[secret]]
name = "viewer"
secret = "vvvvvvvvvvv-view-0123456789"
role = "view"
stream = "main/*"
[[secret]]
name = "camera"
secret = "ppppppp-publish-0123456789"
role = "publish"
stream = ["main/*", "detection/*"]
[[secret]]
name = "owner"
secret = "aaaaaaaaa-admin-0123456789"
role = ["admin"]
[[secret]]
name = "operator"
secret = "ooooooo-operate-0123456789"
role = ["operate", "view"]
stream = "main/*"
"#;

/// A hub that asks, its folder, and what signs its links.
struct Asking {
    hub: Hub,
    folder: PathBuf,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Asking {
    fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    fn with(name: &str, change: impl FnOnce(&mut streamflow::HubConfig)) -> Self {
        Self::of(FILE, name, change)
    }

    fn of(text: &str, name: &str, change: impl FnOnce(&mut streamflow::HubConfig)) -> Self {
        let folder = std::env::temp_dir().join(format!("streamflow-access-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("access.toml");
        fs::write(&file, text).unwrap();
        let hub = hub_with(|config| {
            config.access = AccessControl::File(file);
            config.state = Some(folder.join("state"));
            change(config);
        });
        Self { hub, folder }
    }

    /// Another file; it is another one even where clocks of file systems are coarse, for its length is.
    fn write(&self, text: &str) {
        let mut file = fs::File::create(self.folder.join("access.toml")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// A link with these claims, as any program that has the key makes it.
    fn link(&self, claims: &str) -> String {
        let keys = fs::read_to_string(self.folder.join("state/signing-keys")).unwrap();
        let key = BASE64URL_NOPAD.decode(keys.lines().next().unwrap().as_bytes()).unwrap();
        sign(&key, claims)
    }

    fn get(&self, path: &str, fields: &str) -> Answer {
        Http::connect(self.hub.address()).ask("GET", path, fields, b"")
    }

    fn with_token(&self, path: &str, token: &str) -> Answer {
        self.get(path, &bearer(token))
    }

    /// What a native program is told: nothing wrong, or its goodbye.
    fn told(&self, hello: Hello) -> Option<(Cause, String)> {
        let mut peer = Peer::connect(self.hub.address());
        peer.say(&Control::Hello(hello));
        match peer.control() {
            Control::Welcome { .. } => None,
            Control::Bye { cause, reason } => Some((cause, reason)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn whoever_watches_sees_the_controls_and_whoever_operates_sets_them() {
    limited(|| {
        let asking = Asking::new("controls");
        let camera = Hello { can: vec![Ability::Controls], ..with(publishes("door"), PUBLISH) };
        let mut camera = Peer::join(asking.hub.address(), camera);
        let answered = |peer: &mut Peer| loop {
            if let Control::Controls(list) = peer.control() {
                return list;
            }
        };
        let set = Control::Set(SetControls { number: 1, reset: true, ..SetControls::default() });
        let mut viewer = Peer::join(asking.hub.address(), with(views("door"), VIEW));
        viewer.say(&set);
        let denied = answered(&mut viewer).problem.unwrap();
        assert_eq!(denied.cause, ProblemCause::Denied);
        assert!(denied.reason.contains("you may not set the controls of main/door"), "{denied}");
        let mut operator = Peer::join(asking.hub.address(), with(views("door"), OPERATE));
        operator.say(&set);
        let question = loop {
            if let Control::Set(question) = camera.control() {
                break question;
            }
        };
        assert!(question.reset, "the first one did not come so far");
        in_parts(question.number, Vec::new(), None).into_iter().for_each(|part| camera.say(&Control::Controls(part)));
        assert_eq!(answered(&mut operator).problem, None);
        // A page of another place has no right by a mere place in the network, whichever method it takes.
        let path = "/api/streams/main/door/controls?reset=1";
        let post = |token: &str| Http::connect(asking.hub.address()).ask("POST", path, &bearer(token), b"");
        assert_eq!(post(VIEW).status, 403);
        let refused = post(VIEW).text();
        assert!(refused.contains("you may not set the controls of main/door"), "{refused}");
    });
}

fn sign(key: &[u8], claims: &str) -> String {
    let header = BASE64URL_NOPAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", BASE64URL_NOPAD.encode(claims.as_bytes()));
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn with(hello: Hello, token: &str) -> Hello {
    Hello { token: Some(token.into()), ..hello }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn link_that_ended(asking: &Asking) -> String {
    asking.link(&format!(r#"{{"root":"","get":"","put":"","role":["admin","operate"],"exp":{}}}"#, now() - 1))
}

fn touched(asking: &Asking) -> String {
    let mut link = asking.link(r#"{"root":"main/nothing","get":"","put":"","role":["admin","operate"]}"#).into_bytes();
    let at = link.len() - 5;
    link[at] = if link[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(link).unwrap()
}

#[test]
fn a_native_program_is_let_in_by_what_its_hello_shows_and_told_why_not() {
    limited(|| {
        let asking = Asking::new("native");
        assert_eq!(asking.told(with(publishes("door"), PUBLISH)), None);
        assert_eq!(asking.told(with(views("door"), VIEW)), None);
        let ended = link_that_ended(&asking);
        for (hello, why) in [
            (views("door"), "without a link or a secret"),
            (publishes("door"), "without a link or a secret"),
            (with(publishes("door"), VIEW), "which is for: view main/*"),
            (with(views("door"), PUBLISH), "which is for: publish main/*"),
            (Hello { room: "other".into(), ..with(views("door"), VIEW) }, "which is for: view main/*"),
            (with(views("door"), &ended), "the link ended at 20"),
            (with(views("door"), &touched(&asking)), "does not know it"),
            (with(views("door"), "nonsense"), "does not know it"),
        ] {
            let (cause, reason) = asking.told(hello.clone()).unwrap_or_else(|| panic!("let in: {hello:?}"));
            assert!(cause == Cause::Unauthorized && reason.contains(why), "{cause:?} {reason}");
        }
        // A picture without a word.
        let mut bare = Peer::connect(asking.hub.address());
        bare.packet(&jpeg(1));
        assert_eq!(bare.bye().0, Cause::Unauthorized);
        assert_eq!(asking.hub.counts().0, 0);
    });
}

#[test]
fn whoever_watches_one_stream_sees_and_gets_no_other() {
    limited(|| {
        let asking = Asking::new("one");
        let mut cameras =
            ["door", "attic"].map(|name| Peer::join(asking.hub.address(), with(publishes(name), PUBLISH)));
        cameras.iter_mut().for_each(|camera| camera.picture(1, &jpeg(9)));
        let door = asking.link(r#"{"get":"main/door"}"#);
        let listed = asking.with_token("/api/streams", &door).json();
        let names: Vec<_> = listed["streams"].as_array().unwrap().iter().map(|s| s["name"].clone()).collect();
        assert_eq!(names, ["door"]);
        assert!(listed.get("viewers").is_none(), "how many others watch what is not for it: {listed}");
        assert_eq!(asking.with_token("/api/streams/main/attic", &door).status, 404);
        assert_eq!(asking.with_token("/snapshot/main/attic", &door).status, 403);
        assert!(asking.with_token("/api/streams/main/door", &door).json().get("per_viewer").is_none());
        assert!(asking.with_token("/api/streams/main/door", ADMIN).json().get("per_viewer").is_some());
        // Inside as well.
        let mut viewer = Peer::join(asking.hub.address(), with(views("door"), &door));
        viewer.say(&Control::List);
        loop {
            if let Control::Streams { streams } = viewer.control() {
                assert_eq!(streams.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["door"]);
                break;
            }
        }
        viewer.say(&Control::Subscribe { room: "main".into(), name: "attic".into(), request: ViewRequest::default() });
        let (cause, reason) = viewer.bye();
        assert!(cause == Cause::Unauthorized && reason.contains("watch main/attic"), "{reason}");
        // Without a name it is the one that it may watch.
        let mut first = Peer::connect(asking.hub.address());
        first.say(&Control::Hello(with(views(""), &door)));
        assert!(matches!(first.control(), Control::Welcome { name, .. } if name == "door"));
    });
}

#[test]
fn a_session_ends_when_its_link_does_and_when_it_is_revoked_or_the_file_says_otherwise() {
    limited(|| {
        let asking = Asking::new("ends");
        let watch = |token: &str| Peer::join(asking.hub.address(), with(views("door"), token));
        let soon = asking.link(&format!(r#"{{"get":"main/door","exp":{}}}"#, now() + 2));
        let (cause, reason) = watch(&soon).bye();
        assert!(cause == Cause::Unauthorized && reason.contains("the link ended at"), "{reason}");

        let revoked = asking.link(&format!(r#"{{"get":"main/door","jti":"abc","iat":{}}}"#, now()));
        let mut viewer = watch(&revoked);
        fs::write(asking.folder.join("state/revoked-links"), "abc\n").unwrap();
        assert!(viewer.bye().1.contains("revoked"));
        assert_eq!(asking.with_token("/api/streams", &revoked).status, 401);

        // Everybody else stays while a file is wrong, and goes when it is right and does not name them.
        let (mut viewer, mut camera) =
            (watch(VIEW), Peer::join(asking.hub.address(), with(publishes("door"), PUBLISH)));
        camera.picture(1, &jpeg(9));
        let mut stream = Http::connect(asking.hub.address());
        stream.send(format!("GET /stream/main/door HTTP/1.1\r\nHost: hub\r\n{}\r\n", bearer(VIEW)).as_bytes());
        assert_eq!(stream.head().status, 200);
        asking.write("[[secret]]\nthis is no file\n");
        let other = FILE.replace(VIEW, "wwwwwwwwwww-view-0123456789xx");
        until("a wrong file is not taken", || asking.with_token("/api/streams", VIEW).status == 200);
        asking.write(&other);
        let (_, reason) = viewer.bye();
        assert!(reason.contains("not any more"), "{reason}");
        until("its requests are refused", || asking.with_token("/api/streams", VIEW).status == 401);
        while !stream.is_over() {
            stream.take(1);
        }
        camera.picture(2, &jpeg(9));
        assert_eq!(asking.with_token("/api/streams", "wwwwwwwwwww-view-0123456789xx").status, 200);
        assert_eq!(asking.hub.counts().0, 1, "who is still named stays");
    });
}

#[test]
fn a_link_for_one_session_is_the_first_ones_who_shows_it() {
    limited(|| {
        let asking = Asking::new("once");
        let link = |id: &str| {
            asking.link(&format!(r#"{{"get":"main/door","jti":"{id}","once":true,"exp":{}}}"#, now() + 1000))
        };
        let native = link("native");
        let of = |instance: u64| asking.told(Hello { instance, ..with(views("door"), &native) });
        assert_eq!((of(7), of(7)), (None, None), "reconnects included");
        assert!(of(8).unwrap().1.contains("for one session"));
        assert_eq!(asking.with_token("/api/streams", &native).status, 401);
        // A browser: its cookie goes on, the link alone does not help another one.
        let page = link("page");
        let begin = |fields: &str| {
            Http::connect(asking.hub.address()).ask("POST", "/api/session", &format!("{}{fields}", bearer(&page)), b"")
        };
        let first = begin("");
        assert_eq!(first.status, 200, "{}", first.text());
        let cookie = first.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(asking.get("/api/streams", &format!("Cookie: {cookie}\r\n")).status, 200);
        assert_eq!(begin("").status, 401);
        assert_eq!(begin(&format!("Cookie: {cookie}\r\n")).status, 200, "the same browser shows it again");
        // Nameless it cannot be told whether it was used.
        let nameless = asking.link(r#"{"get":"main/door","once":true}"#);
        assert_eq!(asking.with_token("/api/streams", &nameless).status, 401);
    });
}

#[test]
fn a_page_has_a_cookie_for_its_link_that_pages_of_others_cannot_use() {
    limited(|| {
        let asking = Asking::new("cookie");
        let ask =
            |method: &str, path: &str, fields: &str| Http::connect(asking.hub.address()).ask(method, path, fields, b"");
        assert_eq!(ask("POST", "/api/session", "").status, 400);
        assert_eq!(ask("POST", "/api/session", &bearer("nonsense")).status, 401);
        let session = ask("POST", "/api/session", &bearer(OPERATE));
        let cookie = session.field("set-cookie").unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains(OPERATE), "{cookie}");
        assert_eq!(session.json()["permissions"][0]["roles"], serde_json::json!(["view", "operate"]));
        let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
        assert_eq!(ask("GET", "/api/streams", &cookie).status, 200);
        let own = format!("{cookie}Origin: http://hub\r\nSec-Fetch-Site: same-origin\r\n");
        assert_eq!(ask("POST", "/api/links?view=main/door", &own).status, 200);
        for foreign in
            ["Origin: http://hub:3000\r\n", "Origin: https://evil.test\r\n", "Sec-Fetch-Site: cross-site\r\n"]
        {
            let refused = ask("POST", "/api/links?view=main/door", &format!("{cookie}{foreign}"));
            assert!(matches!(refused.status, 401 | 403), "{foreign}: {}", refused.status);
        }
        // Who shows a secret of its own may come from anywhere, and the hub may have any name.
        assert_eq!(ask("GET", "/api/streams", &format!("{}Origin: https://evil.test\r\n", bearer(VIEW))).status, 200);
        let named = b"GET / HTTP/1.1\r\nHost: cams.example.org\r\nConnection: close\r\n\r\n";
        let mut http = Http::connect(asking.hub.address());
        http.send(named);
        assert_eq!(http.answer().status, 200);
        assert_eq!(ask("DELETE", "/api/session", &own).status, 200);
        assert_eq!(ask("GET", "/api/streams", &cookie).status, 401);
    });
}

#[test]
fn a_link_that_is_shared_lets_in_for_a_part_of_the_right_and_no_longer() {
    limited(|| {
        let asking = Asking::new("share");
        let share = |token: &str, query: &str| {
            Http::connect(asking.hub.address()).ask("POST", &format!("/api/links?{query}"), &bearer(token), b"")
        };
        let made = share(OPERATE, "view=main/door&for=30m").json();
        let url = made["url"].as_str().unwrap();
        let token = url.split("token=").nth(1).unwrap();
        assert_eq!(
            asking.with_token("/api/streams/main/door", token).status,
            404,
            "it may know of it, if it were there"
        );
        assert_eq!(asking.with_token("/snapshot/main/attic", token).status, 403);
        assert!(made["qr"].as_str().unwrap().contains("<svg"));
        for (who, query, status) in [
            (VIEW, "view=main/door", 403),
            (OPERATE, "view=*", 403),
            (OPERATE, "publish=main/door", 403),
            (token, "view=main/door", 403),
            (OPERATE, "for=2h", 400),
            (OPERATE, "view=main/door&for=soon", 400),
            (OPERATE, "view=a/b/c", 400),
        ] {
            assert_eq!(share(who, query).status, status, "{query}");
        }
        let ends = now() + 600;
        let short = asking.link(&format!(r#"{{"root":"main","get":"","role":"operate","jti":"short","exp":{ends}}}"#));
        assert_eq!(share(&short, "view=main/door&for=7d").json()["ends"], serde_json::json!(ends));
    });
}

#[test]
fn ten_wrong_secrets_are_answered_and_a_right_one_is_taken_all_the_same() {
    limited(|| {
        let asking = Asking::new("guesses");
        let mut statuses = Vec::new();
        for n in 0..200 {
            statuses.push(asking.with_token("/api/streams", &format!("guess-{n}")).status);
        }
        let looked = statuses.iter().filter(|status| **status == 401).count();
        assert!((10..=12).contains(&looked) && statuses[20..].contains(&429), "{statuses:?}");
        assert_eq!(asking.with_token("/api/streams", VIEW).status, 200);
        let ended = link_that_ended(&asking);
        assert_eq!(asking.with_token("/api/streams", &ended).status, 401, "a link that has ended is no guess");
        let (cause, reason) = asking.told(with(views("door"), "guess")).unwrap();
        assert!(cause == Cause::Refused && reason.contains("too many wrong secrets"), "{reason}");
    });
}

#[test]
fn a_password_lets_in_by_the_ways_that_clients_have() {
    limited(|| {
        let kept = streamflow::internal::access::keep_made_up(PASSWORD, [3; 16]).unwrap();
        let text = format!("{FILE}\n[[secret]]\nsecret = '{kept}'\nrole = 'view'\nstream = 'main/*'\n");
        let asking = Asking::of(&text, "password", |_| {});
        let basic = format!("Authorization: Basic {}\r\n", BASE64.encode(format!("me:{PASSWORD}").as_bytes()));
        assert_eq!(asking.get("/api/streams", &basic).status, 200);
        assert_eq!(asking.get("/api/streams?token=correct+horse", "").status, 200);
        assert_eq!(asking.told(with(views("door"), PASSWORD)), None);
        let wrong = format!("Authorization: Basic {}\r\n", BASE64.encode(b"me:wrong horse"));
        let refused = asking.get("/api/streams", &wrong);
        assert_eq!(refused.status, 401);
        assert!(refused.field("www-authenticate").unwrap().starts_with("Basic "), "curl and ffmpeg wait for that");
        let page = asking.get("/api/streams", "Sec-Fetch-Mode: cors\r\n");
        assert!(page.field("www-authenticate").unwrap().starts_with("Bearer "), "no window of the browser's own");
    });
}

#[test]
fn what_comes_in_the_clear_from_elsewhere_is_led_to_https_or_needs_a_rule() {
    limited(|| {
        // A proxy that is believed says that others ask, and that they do so in the clear.
        let asking = Asking::with("clear", |config| config.behind_proxy = vec!["127.0.0.1".into()]);
        let from = |ip: &str, scheme: &str| format!("X-Forwarded-For: {ip}\r\nX-Forwarded-Proto: {scheme}\r\n");
        let clear = from("203.0.113.9", "http");
        let page = asking.get("/?a=1", &clear);
        assert_eq!((page.status, page.field("location")), (308, Some("https://hub/?a=1")));
        assert_eq!(asking.get("/stream/main/door", &format!("{clear}Accept: text/html,*/*\r\n")).status, 308);
        assert_eq!(asking.get("/api/streams", &format!("{clear}{}", bearer(VIEW))).status, 403);
        assert_eq!(asking.get("/health", &clear).status, 200);
        let secure = from("203.0.113.9", "https");
        assert_eq!(asking.get("/api/streams", &format!("{secure}{}", bearer(VIEW))).status, 200);
        assert_eq!(asking.get("/api/streams", &secure).status, 401);
        asking.write(&format!("plain = {{ from = '203.0.113.0/24', role = 'view', stream = 'main/*' }}\n{}", FILE));
        until("the rule holds", || asking.get("/api/streams", &clear).status == 200);
        assert_eq!(asking.get("/api/streams", &from("198.51.100.1", "http")).status, 403);
        assert_eq!(asking.get("/api/streams", &secure).status, 401, "the rule is for those who cannot encrypt");
        // A page of somebody else must not use what its browser's address may do.
        let mut rebound = Http::connect(asking.hub.address());
        rebound.send(format!("GET /api/streams HTTP/1.1\r\nHost: evil.test\r\n{clear}\r\n").as_bytes());
        assert_eq!(rebound.answer().status, 403);
        // And nobody else says who asks.
        let other = Asking::new("no-proxy");
        assert_eq!(other.get("/", &clear).status, 200);
    });
}

#[test]
fn a_hub_that_listens_on_loopback_alone_asks_nobody() {
    limited(|| {
        let hub = crate::support::hub();
        let mut http = Http::connect(hub.address());
        assert_eq!(http.ask("GET", "/api/streams", "", b"").status, 200);
        assert_eq!(http.ask("GET", "/metrics?token=whatever", "", b"").status, 200);
        assert_eq!(http.ask("GET", "/~whatever/api/streams", "", b"").status, 200);
        assert_eq!(http.ask("GET", "/api/session", "", b"").json()["asks"], serde_json::json!(false));
        assert_eq!(http.ask("POST", "/api/links?view=main", "", b"").status, 400);
        drop(Peer::join(hub.address(), with(views("door"), "a token that is not needed")));
    });
}
