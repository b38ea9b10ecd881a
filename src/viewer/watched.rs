//! What is known of the stream that is watched, and what is said of it: a rule on `now`.

use std::time::Duration;

use super::{Shown, ViewerConfig};
use crate::adapt::{HUB_BUSY, Load, Stage, limit};
use crate::error::Error;
use crate::frame::{Picture, Size};
use crate::net::link::LinkState;
use crate::session::in_words;
use crate::stats::{Coming, Metadata, State, ViewMeter, ViewReport, ViewTimes};
use crate::text::Untrusted;
use crate::time::{Micros, Standstill};
use crate::wire::control::{StreamInfo, StreamState, ViewRequest};
use crate::wire::seal::{Apart, Times};

/// A hub that was asked every second and said nothing for so long is silent itself.
const DEAF: Duration = Duration::from_millis(1800);
/// The same for one that is asked as seldom as can be.
const UNANSWERED: Duration = Duration::from_millis(6800);

/// What the threads of a viewer know together.
pub(super) struct Watched {
    pub(super) meter: ViewMeter,
    asked: String,
    pub(super) link: LinkState,
    pub(super) stream: Option<StreamState>,
    pub(super) stream_told: Micros,
    /// The streams that there are, in words, where this one is waited for.
    pub(super) others: String,
    /// Bytes a picture may have on the way from the hub, where that binds.
    pub(super) carries: Option<u32>,
    /// Percent of the time that the hub is busy, where pictures wait for that.
    pub(super) busy: Option<u8>,
    request: ViewRequest,
    /// Sound is asked for.
    listens: bool,
    /// What is asked for is other than what the hub was told.
    pub(super) asks: bool,
    /// The hub, in words, once it is known.
    pub(super) hub: String,
    /// The streams of the room, as the hub told them last, and whether it is to tell them again.
    pub(super) names: Vec<String>,
    pub(super) wants_names: bool,
    /// When anything was last heard from the hub.
    pub(super) heard: Micros,
    standstill: Standstill,
    /// Pictures came in time when this program was stopped.
    excused: bool,
    /// How far off the publisher's clock may be as the hub knows it, in microseconds; `None`: it does not say.
    pub(super) publisher_clock: Option<u64>,
    /// How far off the hub's clock may be.
    pub(super) hub_clock: Option<Duration>,
    /// The size of the picture on the screen.
    size: Size,
    pub(super) ever_connected: bool,
    pub(super) over: Option<Error>,
    /// Pictures were opened that are sealed end to end.
    pub(super) end_to_end: bool,
    /// Whether the hub's times fit those inside.
    pub(super) times: Times,
    /// The state that was told last, and why the stream had no pictures then.
    said: (State, String),
}

impl Watched {
    pub(super) fn new(config: &ViewerConfig) -> Self {
        let asked = match &config.name {
            Some(name) => format!("{}/{name}", config.room),
            None => config.room.clone(),
        };
        let mut meter = ViewMeter::default();
        meter.screen.held_back(config.smooth.unwrap_or_default());
        Self {
            meter,
            asked,
            link: LinkState::Connecting,
            stream: None,
            stream_told: Micros(0),
            others: String::new(),
            carries: None,
            busy: None,
            request: config.request,
            listens: false,
            asks: false,
            hub: String::new(),
            names: Vec::new(),
            wants_names: false,
            heard: Micros(0),
            standstill: Standstill::default(),
            excused: false,
            publisher_clock: None,
            hub_clock: None,
            size: Size::default(),
            ever_connected: false,
            over: None,
            end_to_end: false,
            times: Times::default(),
            said: (State::default(), String::new()),
        }
    }

    /// What is asked of the stream from now on; whether that is anything else.
    pub(super) fn ask(&mut self, request: ViewRequest) -> bool {
        let is_other = std::mem::replace(&mut self.request, request) != request;
        self.asks |= is_other;
        is_other
    }

    /// Whether sound is asked for from now on; whether that is anything else.
    pub(super) fn listen(&mut self, listens: bool) -> bool {
        let is_other = std::mem::replace(&mut self.listens, listens) != listens;
        self.asks |= is_other;
        is_other
    }

    pub(super) fn request(&self) -> ViewRequest {
        ViewRequest { audio: self.listens, ..self.request }
    }

    pub(super) fn shown(&mut self, shown: &Shown, times: ViewTimes, metadata: Option<Metadata>) {
        self.meter.shown(&shown.picture, times, shown.error);
        self.meter.counts.metadata = metadata;
        if self.size != shown.size {
            self.size = shown.size;
            self.meter.counts.size = shown.size.to_string();
        }
    }

    /// To be called more than once a second, and before anything is judged: whether this program was stopped.
    pub(super) fn look(&mut self, now: Micros) {
        if let Some(stood) = self.standstill.look(now) {
            // What was wrong before is not of its making.
            self.excused = !matches!(self.meter.screen.coming(now - stood), Coming::Late | Coming::Not(_));
            self.meter.screen.resumed(now);
        }
    }

    pub(super) fn decoded(&mut self, picture: &Picture, now: Micros) {
        self.look(now);
        self.meter.decoded(picture, now);
    }

    /// How far off the time of capture of a picture that comes now may be; `None`: nobody knows, as of a guess.
    pub(super) fn error(&self, arrival: bool) -> Option<Duration> {
        let (publisher, hub) = self.publisher_clock.zip(self.hub_clock).filter(|_| !arrival)?;
        Some(Duration::from_micros(publisher) + hub)
    }

    pub(super) fn report(&mut self, now: Micros) -> ViewReport {
        self.look(now);
        let mut report = self.meter.report(now);
        report.stream = match &self.stream {
            Some(stream) if !stream.name.is_empty() => format!("{}/{}", stream.room, stream.name),
            _ => self.asked.clone(),
        };
        let (state, detail) = self.in_words(&report.stream, now);
        report.state = state;
        report.detail = detail;
        let told = self.stream.as_ref();
        report.nominal = told.and_then(|s| s.nominal.clone()).unwrap_or_default();
        if let Some(quality) = self.request.quality.filter(|_| report.nominal.quality > 0) {
            report.nominal.quality = quality;
            // The publisher knows how large its own quality is; of another, what comes tells.
            report.nominal.bytes = (report.kbytes_per_second * 1000.0 / report.fps.max(0.1)) as u32;
        }
        report.load = self.load(&report, told.map_or_else(Load::default, |s| s.load));
        report.limit = limit(&report.load);
        report.end_to_end = self.end_to_end;
        report.times_apart_ms = self.times.apart(now).map(Apart::millis);
        report
    }

    /// Whether a report of `now` is to be logged, and as what: when the state or its reason changes, not when a countdown does,
    /// and not what the link and the decoder say themselves.
    pub(super) fn say_change(&mut self, report: &ViewReport, now: Micros) -> Option<log::Level> {
        let reason = self.stream.as_ref().map(|stream| stream.reason.clone()).unwrap_or_default();
        let is_news = self.said.0 != report.state || self.said.1 != reason;
        self.said = (report.state, reason);
        let by_decoder = report.state == State::Lost && matches!(self.meter.screen.coming(now), Coming::Broken(_));
        let is_said = !is_news || report.state == State::Connecting || by_decoder;
        let level = if report.state == State::Waiting { log::Level::Info } else { log::Level::Warn };
        Some(level).filter(|_| !is_said && !report.detail.is_empty())
    }

    fn in_words(&self, name: &str, now: Micros) -> (State, String) {
        let waiting = || {
            // Whoever named no stream may not have met a room yet, and has nothing that sends.
            let whom = if name.contains('/') { "" } else { "streamflow-send, in room " };
            format!("waiting for {whom}{name}{}", self.others)
        };
        match &self.link {
            LinkState::Connecting if self.hub.is_empty() => (State::Connecting, "connecting to the hub".into()),
            LinkState::Connecting => (State::Connecting, format!("connecting to {}", self.hub)),
            LinkState::Waiting { why, until } => {
                let left = until.since(now);
                let next =
                    if left.is_zero() { "trying again".into() } else { format!("next try in {}", in_seconds(left)) };
                (State::Connecting, format!("{why}, {next}"))
            }
            LinkState::Connected => match &self.stream {
                Some(stream) if stream.live => self.coming(name, now),
                Some(stream) if stream.reason.is_empty() => (State::Waiting, waiting()),
                Some(stream) => {
                    let since = Duration::from_millis(stream.since_ms) + now.since(self.stream_told);
                    let lasts =
                        if since < Duration::from_secs(1) { String::new() } else { format!(", {}", in_words(since)) };
                    (State::Lost, format!("{}{lasts}", stream.reason))
                }
                None => (State::Waiting, waiting()),
            },
        }
    }

    /// How the pictures of a stream that is live come.
    fn coming(&self, name: &str, now: Micros) -> (State, String) {
        let deaf = now.since(self.heard);
        match (self.meter.screen.coming(now), self.standstill.just_ended(now).filter(|_| self.excused)) {
            (Coming::NotYet, _) => (State::Waiting, format!("waiting for the first picture of {name}")),
            // Of a stream without a rhythm only the hub knows.
            (Coming::InTime, None) if deaf >= UNANSWERED => {
                (State::Late, format!("nothing heard from the hub for {}", in_words(deaf)))
            }
            (Coming::InTime, _) => (State::Live, String::new()),
            (Coming::Late | Coming::Not(_), Some(stood)) => {
                (State::Late, format!("this program stood still for {}", in_words(stood)))
            }
            (Coming::Late, None) => (State::Late, String::new()),
            (Coming::Not(silence), None) => {
                let told = if deaf >= DEAF { "nothing heard from the hub" } else { "no picture" };
                (
                    State::Lost,
                    format!("{told} for {}", in_words(if deaf >= DEAF { deaf.min(silence) } else { silence })),
                )
            }
            (Coming::Broken(why), _) => (State::Lost, format!("pictures cannot be decoded: {why}")),
        }
    }

    /// How busy every stage is: those of the publisher as it says, the rest as seen from here.
    fn load(&self, report: &ViewReport, publisher: Load) -> Load {
        if report.fps <= 0.0 {
            return Load::default();
        }
        let nominal = &report.nominal;
        // Whoever does not say at which rate it publishes, does so as it comes.
        let fps = if nominal.fps > 0.0 { nominal.fps } else { report.fps };
        let spent = &report.budget_ms;
        let from_nobody = publisher.encoder == Stage::default();
        Load {
            encoder: if from_nobody {
                Stage::new(spent.encode.unwrap_or(0.0), 1000.0 / fps)
            } else {
                publisher.encoder
            },
            hub: self.busy.map_or_else(Stage::default, |percent| Stage::new(percent.into(), HUB_BUSY.into())),
            downlink: self.carries.map_or_else(Stage::default, |bytes| {
                // Where nobody knows how large a picture should be, it is too large for this link, or nothing would bind.
                let needs = if nominal.bytes > 0 { nominal.bytes } else { bytes.saturating_add(bytes / 4) };
                Stage::new(needs.into(), bytes.into())
            }),
            decoder: Stage::new(spent.decode.unwrap_or(0.0), 1000.0 / fps),
            ..publisher
        }
    }
}

/// So many streams are named at most to who waits for another one.
const NAMED: usize = 5;

/// What is said of the streams there are to who waits for one that is not among them.
pub(super) fn others(streams: &[StreamInfo]) -> String {
    let live = || streams.iter().filter(|stream| stream.live);
    let names: Vec<String> =
        live().take(NAMED).map(|s| format!("{}/{}", Untrusted(&s.room), Untrusted(&s.name))).collect();
    match (names.as_slice(), live().count().saturating_sub(NAMED)) {
        ([], _) => String::new(),
        ([one], _) => format!("; there is {one}"),
        (some, 0) => format!("; there are {}", some.join(", ")),
        (some, more) => format!("; there are {} and {more} more", some.join(", ")),
    }
}

/// Whole seconds, never zero: what a countdown shows.
fn in_seconds(left: Duration) -> String {
    format!("{} s", left.as_millis().div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    fn live() -> Watched {
        let mut watched = Watched::new(&ViewerConfig::default());
        watched.link = LinkState::Connected;
        let live = StreamState {
            room: "main".into(),
            name: "door".into(),
            live: true,
            reason: String::new(),
            since_ms: 0,
            published: true,
            ..StreamState::default()
        };
        watched.stream = Some(live);
        watched
    }

    fn show(watched: &mut Watched, captured: u64) {
        show_at(watched, captured, captured);
    }

    fn show_at(watched: &mut Watched, captured: u64, shown: u64) {
        let picture = Picture { captured: at(captured), ..Picture::default() };
        watched.decoded(&picture, at(shown));
        watched.meter.shown(&picture, ViewTimes { shown: at(shown), ..ViewTimes::default() }, None);
    }

    #[test]
    fn who_waits_for_a_stream_is_told_which_there_are() {
        let named = |names: &[(&str, bool)]| {
            let stream = |&(name, live): &(&str, bool)| {
                let text = format!(r#"{{"room":"main","name":"{name}","live":{live},"viewers":0}}"#);
                serde_json::from_str(&text).unwrap()
            };
            others(&names.iter().map(stream).collect::<Vec<StreamInfo>>())
        };
        assert_eq!(named(&[("waited", false)]), "");
        assert_eq!(named(&[("door", true), ("waited", false)]), "; there is main/door");
        assert_eq!(named(&[("door", true), ("gate", true)]), "; there are main/door, main/gate");
        let many: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, true)).to_vec();
        assert_eq!(named(&many), "; there are main/a, main/b, main/c, main/d, main/e and 2 more");
        let mut watched = live();
        watched.stream = None;
        watched.others = named(&[("door", true)]);
        assert!(watched.report(at(0)).detail.ends_with("; there is main/door"));
    }

    #[test]
    fn a_short_stop_of_the_viewer_does_not_hide_what_was_wrong_before() {
        let mut watched = live();
        for i in 0..60 {
            show(&mut watched, i * 33);
        }
        watched.heard = at(1950);
        look_on(&mut watched, 2000, 6000);
        let report = watched.report(at(7200));
        assert_eq!((report.state, report.detail.as_str()), (State::Lost, "nothing heard from the hub for 5 s"));
    }

    #[test]
    fn a_single_picture_of_a_hub_that_stands_still_is_not_live() {
        let mut watched = live();
        show(&mut watched, 0);
        watched.heard = at(5000);
        look_on(&mut watched, 0, 12_000);
        assert_eq!(watched.report(at(11_000)).state, State::Live, "a ping is answered every five seconds");
        let report = watched.report(at(12_000));
        assert_eq!((report.state, report.detail.as_str()), (State::Late, "nothing heard from the hub for 7 s"));
    }

    /// As the program itself does while nothing else happens.
    fn look_on(watched: &mut Watched, from: u64, to: u64) {
        (from..to).step_by(500).for_each(|ms| watched.look(at(ms)));
    }

    #[test]
    fn a_frozen_publisher_is_not_shown_as_live() {
        let mut watched = live();
        assert_eq!(watched.report(at(0)).state, State::Waiting);
        for i in 0..60 {
            show(&mut watched, i * 33);
        }
        watched.heard = at(4500);
        assert_eq!(watched.report(at(2000)).state, State::Live);
        let report = watched.report(at(2100));
        assert_eq!((report.state, report.age(), report.picture_age_ms), (State::Late, Some(153.0), Some(153.0)));
        look_on(&mut watched, 2100, 5000);
        let report = watched.report(at(5000));
        assert_eq!((report.state, report.detail.as_str()), (State::Lost, "no picture for 3 s"));
        show(&mut watched, 5001);
        assert_eq!(watched.report(at(5002)).state, State::Live);
    }

    #[test]
    fn a_hub_that_stands_still_is_told_from_a_publisher_that_does() {
        let mut watched = live();
        for i in 0..60 {
            show(&mut watched, i * 33);
        }
        watched.heard = at(1950);
        look_on(&mut watched, 2000, 6000);
        assert_eq!(watched.report(at(6000)).detail, "nothing heard from the hub for 4 s");
    }

    #[test]
    fn a_viewer_that_was_stopped_blames_nobody_until_it_has_heard_what_came_meanwhile() {
        let mut watched = live();
        for i in 0..60 {
            show(&mut watched, i * 33);
        }
        watched.heard = at(1950);
        look_on(&mut watched, 1950, 2000);
        // Stopped from 2.0 to 7.0 s. The link has not had its turn.
        let report = watched.report(at(7000));
        assert_eq!((report.state, report.detail.as_str()), (State::Late, "this program stood still for 5 s"));
        assert_eq!(report.picture_age_ms, Some(5053.0));
        // What had come before it was stopped is shown.
        show_at(&mut watched, 2010, 7010);
        let report = watched.report(at(7010));
        assert_eq!((report.state, report.picture_age_ms), (State::Late, Some(5000.0)));
        show(&mut watched, 7020);
        assert_eq!(watched.report(at(7021)).state, State::Live);
        // And if nothing comes, that is said when there was time to hear it.
        look_on(&mut watched, 7500, 9500);
        watched.heard = at(9000);
        assert_eq!(watched.report(at(9500)).detail, "no picture for 2 s");
    }

    #[test]
    fn pictures_that_cannot_be_decoded_are_said_and_are_not_live() {
        let mut watched = live();
        watched.meter.broken("no JPEG".into());
        let report = watched.report(at(0));
        assert_eq!((report.state, report.detail.as_str()), (State::Lost, "pictures cannot be decoded: no JPEG"));
        for i in 0..60 {
            show(&mut watched, i * 33);
        }
        for _ in 0..10 {
            watched.meter.broken("no JPEG".into());
        }
        let report = watched.report(at(2100));
        assert_eq!((report.state, report.age(), report.broken), (State::Lost, Some(153.0), 11));
    }

    #[test]
    fn a_slow_stream_is_live_between_its_pictures() {
        let mut watched = live();
        for i in 0..60 {
            look_on(&mut watched, i * 5000 - 5000 * u64::from(i > 0), i * 5000);
            show(&mut watched, i * 5000);
        }
        watched.heard = at(59 * 5000 + 4000);
        look_on(&mut watched, 59 * 5000, 59 * 5000 + 9000);
        assert_eq!(watched.report(at(59 * 5000 + 9000)).state, State::Live);
    }

    #[test]
    fn the_age_of_a_picture_that_nobody_dated_is_an_estimate_without_a_bound() {
        let mut watched = live();
        (watched.publisher_clock, watched.hub_clock) = (Some(1000), Some(Duration::from_millis(2)));
        let dated = Picture { captured: at(0), ..Picture::default() };
        for (picture, told) in
            [(dated, (false, Some(3.0))), (Picture::arrived(at(33), at(33), vec![].into()), (true, None))]
        {
            let error = watched.error(picture.arrival);
            watched.meter.shown(&picture, ViewTimes { shown: at(33), ..ViewTimes::default() }, error);
            let report = watched.report(at(40));
            assert_eq!((report.age_estimated, report.age_error_ms), told);
        }
    }

    #[test]
    fn nothing_that_is_not_known_is_a_number() {
        let report = serde_json::to_value(live().report(at(0))).unwrap();
        for key in ["p50", "p99", "max"] {
            assert!(report["age_ms"][key].is_null(), "{report}");
        }
        assert!(report["picture_age_ms"].is_null() && report["age_error_ms"].is_null(), "{report}");
        assert!(report["budget_ms"]["hub"].is_null() && report["jitter_ms"].is_null(), "{report}");
    }
}
