//! Controls of cameras: read and set over HTTP and by viewers, kept over new openings, and what goes wrong with them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use streamflow::Source;
use streamflow::internal::frame::Frame;
use streamflow::internal::hub::Hub;
use streamflow::internal::jpeg::{Bitmap, Decoder};
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::source::pattern::Pattern;
use streamflow::internal::source::{CaptureRequest, ControlPanel, Next, Opened, SourceError};
use streamflow::internal::wire::camera_controls::{
    CameraControl, ControlList, Problem, ProblemCause, SetControls, SetValue, in_parts,
};
use streamflow::internal::wire::control::{Ability, Cause, Control, Hello};

use crate::support::http::{Answer, Http, get};
use crate::support::{
    Mood, Peer, TestSource, at, hub, limited, next_picture, publisher, publisher_config, publishes, test_source, until,
    viewer, views,
};

const PATH: &str = "/api/streams/main/door/controls";

fn pattern(hub: &Hub) -> Publisher {
    let publisher = Publisher::start(publisher_config(at(hub), "door"), Box::new(Pattern::default())).unwrap();
    until("it publishes", || get(hub.address(), PATH).status == 200);
    publisher
}

fn set(address: SocketAddr, body: &Value) -> Answer {
    Http::connect(address).ask("POST", PATH, "Content-Type: application/json\r\n", body.to_string().as_bytes())
}

fn value_of(answer: &Answer, name: &str) -> Value {
    let list = answer.json();
    let controls = list["controls"].as_array().unwrap_or_else(|| panic!("{}: {}", answer.status, answer.text()));
    controls.iter().find(|control| control["name"] == name).unwrap()["value"].clone()
}

/// The mean of a picture's green, below the stamp.
fn light(jpeg: &[u8]) -> f64 {
    let mut bitmap = Bitmap::default();
    Decoder::new().unwrap().decode(jpeg, &mut bitmap).unwrap();
    let below = &bitmap.pixels[bitmap.pixels.len() / 4..];
    below.iter().map(|pixel| f64::from(pixel.to_be_bytes()[2])).sum::<f64>() / below.len() as f64
}

#[test]
fn a_control_that_is_set_over_http_is_seen_in_the_picture_and_told_to_all() {
    limited(|| {
        let hub = hub();
        let _publisher = pattern(&hub);
        let watches = viewer(at(&hub), "door");
        let before = light(&next_picture(&watches).data);
        let list = get(hub.address(), PATH).json();
        let brightness = json!({
            "name": "brightness", "label": "Brightness", "type": "integer", "min": 0, "max": 255, "step": 1,
            "default": 128, "value": 128, "inactive": false, "read_only": false, "id": 9_963_776,
        });
        assert_eq!(list["controls"][0], brightness);
        assert_eq!(list["controls"][2]["menu"][1], json!({ "value": 1, "label": "Grey" }));
        let answer = set(hub.address(), &json!({ "brightness": 228 }));
        assert_eq!((answer.status, value_of(&answer, "brightness")), (200, json!(228)), "{}", answer.text());
        until("it is brighter", || light(&next_picture(&watches).data) > before + 40.0);
        assert_eq!(value_of(&get(hub.address(), PATH), "brightness"), 228);
        let stream = get(hub.address(), "/api/streams/main/door").json();
        assert_eq!(stream["controls"], true);

        // Other ways to say it.
        let mut http = Http::connect(hub.address());
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let answers = [
            http.ask("POST", PATH, form, b"test_pattern=grey&brightness=100"),
            http.ask("POST", &format!("{PATH}?brightness=101"), "", b""),
            // curl says that it is a form whatever it is.
            http.ask("POST", PATH, form, br#"{"brightness": "102"}"#),
            http.ask("POST", PATH, "", br#"{"name": "brightness", "default": true}"#),
            http.ask("POST", PATH, "", br#"{"brightness": 9, "test_pattern": 1}"#),
            http.ask("POST", PATH, "", br#"{"reset": true}"#),
        ];
        let told: Vec<_> = answers.iter().map(|a| (value_of(a, "brightness"), value_of(a, "test_pattern"))).collect();
        let told: Vec<_> = told.iter().map(|(a, b)| (a.as_i64().unwrap(), b.as_i64().unwrap())).collect();
        assert_eq!(told, [(100, 1), (101, 1), (102, 1), (128, 1), (9, 1), (128, 0)]);
    });
}

#[test]
fn what_cannot_be_set_is_answered_in_words_and_sets_nothing() {
    limited(|| {
        let hub = hub();
        let _publisher = pattern(&hub);
        let wrong = |body: Value| {
            let answer = set(hub.address(), &body);
            (answer.status, answer.json()["error"].as_str().unwrap().to_owned())
        };
        let (status, why) = wrong(json!({ "test_pattern": 1, "brightness": 256 }));
        assert!(status == 400 && why.contains("0 to 255"), "{why}");
        assert_eq!(value_of(&get(hub.address(), PATH), "test_pattern"), 0, "all of it or nothing");
        let (status, why) = wrong(json!({ "brigthness": 1 }));
        assert!(status == 400 && why.contains("did you mean brightness"), "{why}");
        for body in [json!({}), json!([]), json!({ "brightness": [1] })] {
            assert_eq!(wrong(body).0, 400);
        }
        assert_eq!(set(hub.address(), &json!({ "brightness_automatic": true })).status, 200);
        let (status, why) = wrong(json!({ "brightness": 1 }));
        assert!(status == 409 && why.contains("held by brightness_automatic, which is on"), "{why}");
        // The switch goes first, whatever comes first in the request.
        let answer = set(hub.address(), &json!({ "brightness": 1, "brightness_automatic": 0 }));
        assert_eq!((answer.status, value_of(&answer, "brightness")), (200, json!(1)));
        let long = set(hub.address(), &json!({ "brightness": "x".repeat(20_000) }));
        assert_eq!(long.status, 413);
        assert_eq!(Http::connect(hub.address()).ask("PUT", PATH, "", b"{}").status, 405);
    });
}

#[test]
fn a_stream_without_controls_says_so_whoever_publishes_it() {
    limited(|| {
        let hub = hub();
        let nobody = get(hub.address(), PATH);
        assert!(nobody.status == 404 && nobody.json()["error"] == "no stream main/door", "{}", nobody.text());
        // A publisher of a version before says nothing of controls.
        let _old = Peer::join(hub.address(), publishes("door"));
        for answer in [get(hub.address(), PATH), set(hub.address(), &json!({ "gain": 1 }))] {
            assert!(answer.status == 404 && answer.text().contains("no controls"), "{}", answer.text());
        }
        assert_eq!(get(hub.address(), "/api/streams/main/door").json()["controls"], false);
        let (source, _remote) = test_source();
        let _none = publisher(at(&hub), "none", source);
        until("it publishes", || get(hub.address(), "/api/streams/main/none").status == 200);
        assert_eq!(get(hub.address(), "/api/streams/main/none/controls").status, 404);
    });
}

fn with_controls(name: &str) -> Hello {
    Hello { can: vec![Ability::Controls], ..publishes(name) }
}

/// What the hub asks a publisher next.
fn asked(publisher: &mut Peer) -> SetControls {
    loop {
        if let Control::Set(set) = publisher.control() {
            return set;
        }
    }
}

fn answers(publisher: &mut Peer, number: u64, list: Vec<CameraControl>, problem: Option<Problem>) {
    in_parts(number, list, problem).into_iter().for_each(|part| publisher.say(&Control::Controls(part)));
}

fn gain(value: i64) -> CameraControl {
    CameraControl { name: "gain".into(), max: 9, step: 1, value, ..CameraControl::default() }
}

#[test]
fn a_publisher_that_does_not_answer_is_told_of_and_costs_others_nothing() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), with_controls("door"));
        let address = hub.address();
        let silent = std::thread::spawn(move || get(address, PATH));
        let question = asked(&mut publisher);
        assert!(question.only_reads());
        let answer = silent.join().unwrap();
        assert!(answer.status == 504 && answer.text().contains("not answered"), "{}", answer.text());
        // What comes too late, or was never asked for, answers nothing; the next question is answered.
        publisher.say(&Control::Controls(ControlList { answers: 4711, ..ControlList::default() }));
        let sets = std::thread::spawn(move || set(address, &json!({ "gain": 3 })));
        let question = asked(&mut publisher);
        assert_eq!(question.values, [SetValue { name: "gain".into(), value: Some("3".into()) }]);
        let evil = CameraControl { label: "\x1b[2J".into(), ..gain(3) };
        answers(&mut publisher, question.number, vec![evil], None);
        let answer = sets.join().unwrap();
        assert_eq!((answer.status, value_of(&answer, "gain")), (200, json!(3)));
        assert_eq!(answer.json()["controls"][0]["label"], r"\u{1b}[2J");
        let sets = std::thread::spawn(move || set(address, &json!({ "gain": 3 })));
        let question = asked(&mut publisher);
        let problem = Problem::new(ProblemCause::Failed, "camera unplugged");
        answers(&mut publisher, question.number, vec![gain(3)], Some(problem));
        let answer = sets.join().unwrap();
        assert!(answer.status == 503 && answer.text().contains("camera unplugged"), "{}", answer.text());
    });
}

#[test]
fn a_viewer_asks_and_sets_over_its_connection() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), with_controls("door"));
        let mut viewer = Peer::join(hub.address(), views("door"));
        let values = vec![SetValue { name: "gain".into(), value: Some("4".into()) }];
        viewer.say(&Control::Set(SetControls { number: 77, values, reset: false }));
        let question = asked(&mut publisher);
        answers(&mut publisher, question.number, vec![gain(4)], None);
        let answer = loop {
            if let Control::Controls(list) = viewer.control() {
                break list;
            }
        };
        assert_eq!((answer.answers, answer.controls, answer.problem), (77, vec![gain(4)], None));
        // Of a stream that nobody publishes there is a word, too.
        let mut waits = Peer::join(hub.address(), views("nobody"));
        waits.say(&Control::Set(SetControls { number: 1, ..SetControls::default() }));
        let answer = loop {
            if let Control::Controls(list) = waits.control() {
                break list;
            }
        };
        assert_eq!(answer.problem.map(|problem| problem.cause), Some(ProblemCause::NoControls));
    });
}

#[test]
pub(super) fn controls_that_are_told_without_end_end_their_publisher() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), with_controls("door"));
        for number in 0..200 {
            answers(&mut publisher, number, vec![gain(1)], None);
        }
        let cause = loop {
            if let Control::Bye { cause, .. } = publisher.control() {
                break cause;
            }
        };
        assert_eq!(cause, Cause::Protocol);
    });
}

#[test]
pub(super) fn of_many_who_set_at_once_one_too_many_is_told_to_try_again() {
    limited(|| {
        let hub = hub();
        let mut publisher = Peer::join(hub.address(), with_controls("door"));
        let [mut first, mut second] = [(); 2].map(|()| Peer::join(hub.address(), views("door")));
        let set = |number| Control::Set(SetControls { number, reset: true, ..SetControls::default() });
        (1..=16).for_each(|number| first.say(&set(number)));
        (1..=16).for_each(|_| drop(asked(&mut publisher)));
        second.say(&set(1));
        let answer = loop {
            if let Control::Controls(list) = second.control() {
                break list;
            }
        };
        assert_eq!(answer.problem.map(|problem| problem.cause), Some(ProblemCause::Busy));
    });
}

/// A camera that forgets its settings whenever it is opened, as when it was unplugged.
struct Forgetful {
    source: TestSource,
    values: Arc<Mutex<Values>>,
}

#[derive(Default)]
struct Values {
    gain: i64,
    hangs: bool,
}

struct Panel(Arc<Mutex<Values>>);

impl ControlPanel for Panel {
    fn read(&mut self) -> Result<Vec<CameraControl>, SourceError> {
        while self.0.lock().unwrap().hangs {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(vec![gain(self.0.lock().unwrap().gain)])
    }

    fn set(&mut self, _: &CameraControl, value: i64) -> Result<(), SourceError> {
        self.0.lock().unwrap().gain = value;
        Ok(())
    }
}

impl Source for Forgetful {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        self.values.lock().unwrap().gain = 0;
        self.source.open(request)
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        self.source.next(frame)
    }

    fn close(&mut self) {
        self.source.close();
    }

    fn controls(&self) -> Option<Box<dyn ControlPanel>> {
        Some(Box::new(Panel(self.values.clone())))
    }
}

#[test]
fn what_was_set_is_set_again_whenever_the_camera_is_opened() {
    limited(|| {
        let hub = hub();
        let (source, remote) = test_source();
        let values = Arc::new(Mutex::new(Values::default()));
        let controls = vec![SetValue { name: "gain".into(), value: Some("5".into()) }];
        let config = PublisherConfig { controls, ..publisher_config(at(&hub), "door") };
        let camera = Forgetful { source, values: values.clone() };
        let publisher = Publisher::start(config, Box::new(camera)).unwrap();
        let is = |wanted: i64| values.lock().unwrap().gain == wanted;
        until("it is set at first", || is(5));
        let replug = || {
            let opened = remote.told().opened;
            remote.set(Mood::Gone("camera unplugged".into()));
            until("it is gone", || !remote.told().open);
            remote.set(Mood::Fine);
            until("it is back", || remote.told().opened > opened && remote.told().open);
        };
        replug();
        until("it is set again", || is(5));
        let answer = set(hub.address(), &json!({ "gain": 7 }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        replug();
        until("what was set last is set again", || is(7));
        drop(publisher);
    });
}

#[test]
fn a_camera_that_hangs_in_a_setting_gives_pictures_and_ends_with_its_program() {
    limited(|| {
        let hub = hub();
        let values = Arc::new(Mutex::new(Values::default()));
        let camera = Forgetful { source: test_source().0, values: values.clone() };
        let publisher = Publisher::start(publisher_config(at(&hub), "door"), Box::new(camera)).unwrap();
        let watches = viewer(at(&hub), "door");
        next_picture(&watches);
        values.lock().unwrap().hangs = true;
        let answer = set(hub.address(), &json!({ "gain": 7 }));
        assert_eq!(answer.status, 504, "{}", answer.text());
        let first = next_picture(&watches).sequence;
        until("pictures come", || next_picture(&watches).sequence > first + 5);
        drop(publisher);
        values.lock().unwrap().hangs = false;
    });
}

#[test]
fn what_cannot_be_set_from_the_beginning_ends_the_publisher_before_it_begins() {
    limited(|| {
        let hub = hub();
        let start = |name: &str, value: &str, source: Box<dyn Source>| {
            let controls = vec![SetValue { name: name.into(), value: Some(value.into()) }];
            let config = PublisherConfig { controls, ..publisher_config(at(&hub), "door") };
            let error = Publisher::start(config, source).err().unwrap();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        let why = start("brigthness", "1", Box::<Pattern>::default());
        assert_eq!(why, "--control: there is no control 'brigthness': did you mean brightness?");
        assert!(start("brightness", "300", Box::<Pattern>::default()).contains("0 to 255"));
        assert!(start("gain", "3", Box::new(test_source().0)).contains("no controls"));
    });
}

#[test]
fn programs_for_mjpg_streamer_find_its_controls_and_set_them_and_pages_of_others_do_not() {
    limited(|| {
        let hub = hub();
        let _publisher = pattern(&hub);
        for path in ["/input.json", "/input_0.json"] {
            let list = get(hub.address(), path).json();
            assert_eq!(
                list["controls"][0],
                json!({
                    "name": "Brightness", "id": "9963776", "type": "1", "min": "0", "max": "255", "step": "1",
                    "default": "128", "value": "128", "dest": "0", "flags": "0", "group": "1",
                })
            );
            assert_eq!(list["controls"][2]["menu"], json!({ "0": "Moving Picture", "1": "Grey" }));
        }
        let command = "/?action=command&dest=0&plugin=0&id=9963776&group=1&value=140";
        let with = |fields: &str| Http::connect(hub.address()).ask("GET", command, fields, b"");
        for elsewhere in [
            "Origin: https://evil.example\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\n",
            "Referer: http://evil.example/page\r\n",
            "User-Agent: Mozilla/5.0 (X11)\r\n",
        ] {
            assert_eq!(with(elsewhere).status, 403, "{elsewhere}");
        }
        assert_eq!(value_of(&get(hub.address(), PATH), "brightness"), 128, "an image of a page set it");
        for own in
            ["User-Agent: python-requests/2.31\r\n", "Sec-Fetch-Site: same-origin\r\nUser-Agent: Mozilla/5.0\r\n", ""]
        {
            let answer = with(own);
            assert_eq!((answer.status, answer.text().as_str()), (200, "9963776: 0"), "{own}");
        }
        assert_eq!(value_of(&get(hub.address(), PATH), "brightness"), 140);
        for (path, status) in [
            ("/?action=command&id=9963776&value=999", 400),
            ("/?action=command&id=7&value=9", 400),
            ("/?action=command&id=brightness&value=9", 400),
            ("/?action=command&dest=1&id=9963776&value=9", 400),
            ("/?action=command", 400),
        ] {
            assert_eq!(get(hub.address(), path).status, status, "{path}");
        }
    });
}
