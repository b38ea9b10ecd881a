//! Statistics: what is counted and measured on the way of a picture, and the reports that people and programs read.

mod metadata;
mod on_screen;
mod recent;
mod rhythm;
mod sound;

use std::time::Duration;

use serde::Serialize;

pub use self::metadata::Metadata;
pub use self::on_screen::{Coming, OnScreen};
pub use self::recent::Recent;
pub use self::rhythm::Rhythm;
pub use self::sound::SoundReport;
use crate::adapt::{Limit, Load};
use crate::frame::Picture;
use crate::time::{Micros, millis};
use crate::wire::control::NominalPicture;
use crate::wire::packet::LONGEST_SPAN;

/// Median and tail of a span over the last seconds, in milliseconds. `None`: there was nothing to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quantiles {
    /// Half of the pictures were under this.
    pub p50: Option<f64>,
    /// All but one in a hundred were under this.
    pub p99: Option<f64>,
    /// The worst of them.
    pub max: Option<f64>,
}

/// Where the age of the picture on the screen was spent: medians of the last seconds, in milliseconds.
/// `None`: no picture was shown in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgeBudget {
    /// From the sensor until the encoder had it.
    pub capture: Option<f64>,
    /// Encoding.
    pub encode: Option<f64>,
    /// From the publisher to the hub.
    pub uplink: Option<f64>,
    /// Waiting in the hub.
    pub hub: Option<f64>,
    /// From the hub to this viewer.
    pub downlink: Option<f64>,
    /// Decoding, with the wait for the decoder.
    pub decode: Option<f64>,
    /// Held back on purpose, for even motion. `None`, and left out as JSON, where no picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smooth: Option<f64>,
    /// From decoded, and held back where it is, until it was given to the screen.
    pub show: Option<f64>,
}

/// How a viewer's stream is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// No hub answered yet, or the connection went; it is tried again.
    #[default]
    Connecting,
    /// Connected; the stream has no publisher yet.
    Waiting,
    /// Pictures come.
    Live,
    /// The next picture should have come: three times as long as pictures are apart is over.
    Late,
    /// The publisher or its camera is gone, or its pictures cannot be decoded; the viewer stays.
    Lost,
}

/// What a viewer knows: the overlay shows it, and `--json` prints one a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ViewReport {
    /// `room/name`.
    pub stream: String,
    /// How the stream is doing.
    pub state: State,
    /// The state in words for a person: `waiting for main/door`, `camera unplugged, 4 s`,
    /// `hub unreachable, next try in 2 s`; empty while live.
    pub detail: String,
    /// Pictures shown a second, over the last seconds.
    pub fps: f64,
    /// Age of the picture on the screen at the moment of this report; `None` before the first.
    pub picture_age_ms: Option<f64>,
    /// Age that pictures reached on the screen in the last half second, the present one's included.
    #[serde(skip)]
    pub reached_ms: Option<f64>,
    /// Age of pictures when they were shown.
    pub age_ms: Quantiles,
    /// The age is an estimate: the clocks of the two machines are not compared well, or nobody told the time of capture.
    pub age_estimated: bool,
    /// How far off the age may be, whatever the path; right on one that takes as long there as back, unless it is an
    /// estimate. `None`: nobody knows.
    pub age_error_ms: Option<f64>,
    /// Where the age was spent.
    pub budget_ms: AgeBudget,
    /// Mean deviation of the time between pictures from its mean; `None` with fewer than two of them.
    pub jitter_ms: Option<f64>,
    /// Thousands of bytes received a second.
    pub kbytes_per_second: f64,
    /// Size of the picture, `640x480`; empty before the first.
    pub size: String,
    /// JPEG quality as the publisher told it; 0 unknown.
    pub quality: u8,
    /// Pictures received since the start.
    pub received: u64,
    /// Pictures shown since the start.
    pub shown: u64,
    /// Pictures left out on the way because a newer one was there.
    pub skipped: u64,
    /// Pictures missed while the connection was broken.
    pub lost: u64,
    /// Pictures that could not be decoded.
    pub broken: u64,
    /// The pictures are sealed end to end, and were opened here.
    pub end_to_end: bool,
    /// By how much the times that the hub says differ from those inside the seal, where they do not fit; more than 0 where
    /// pictures are older than the hub says. `None`: they fit, or there are none inside.
    pub times_apart_ms: Option<f64>,
    /// Connections made after the first.
    pub reconnects: u64,
    /// What limits the picture now: `camera`, `encoder`, `uplink`, `hub`, `downlink`, `decoder` or `nothing`.
    pub limit: Limit,
    /// The numbers behind it.
    pub load: Load,
    /// What the pictures would be if nothing limited them; a viewer's own request counts. Empty while the publisher does not
    /// say.
    #[serde(rename = "asked")]
    pub nominal: NominalPicture,
    /// The picture's own metadata, where it is a JSON object: shown as lines `key: value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// How its sound is doing; `None`: it has none, or none is wanted here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundReport>,
}

/// Pictures get older than they were when they were shown, until the next takes their place. As long as that is no more
/// than this, in milliseconds, their age when they were shown is what there is to say.
const UNSEEN: f64 = 40.0;

impl ViewReport {
    /// The age to show, in milliseconds: of pictures when they were shown, as long as one follows the other; otherwise how old
    /// they get on the screen. Never younger by more than 40 ms than what is there to be seen.
    #[must_use]
    pub fn age(&self) -> Option<f64> {
        match (self.age_ms.p50, self.reached_ms) {
            (Some(p50), Some(reached)) if reached <= p50 + UNSEEN => Some(p50),
            (_, reached) => reached,
        }
    }
}

/// What a publisher knows: its status line shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PublishReport {
    /// `room/name`.
    pub stream: String,
    /// The source in words: `Replay Camera (/dev/video0)`.
    pub source: String,
    /// Why there is no picture; empty while there is.
    pub fault: String,
    /// The camera is closed because nobody watches.
    pub asleep: bool,
    /// Connected with the hub.
    pub connected: bool,
    /// The link in words where it is not: `hub unreachable, next try in 2 s`.
    pub link: String,
    /// How many watch.
    pub viewers: u32,
    /// Frames a second from the source.
    pub fps_in: f64,
    /// Pictures a second to the hub.
    pub fps_out: f64,
    /// Thousands of bytes sent a second.
    pub kbytes_per_second: f64,
    /// JPEG quality of the last picture; 0: passed on as it came.
    pub quality: u8,
    /// Size of the last picture.
    pub size: String,
    /// Age of pictures when the link took them.
    pub age_ms: Quantiles,
    /// Age of the last picture that the link took.
    pub picture_age_ms: Option<f64>,
    /// Encoding time.
    pub encode_ms: Quantiles,
    /// Frames that the source lost before we saw them.
    pub lost: u64,
    /// Frames left out because a newer one was there, or the maximum rate was reached.
    pub skipped: u64,
    /// Frames not sent because nothing had changed.
    pub unchanged: u64,
    /// Broken frames that the source gave.
    pub broken: u64,
    /// Pictures sent since the start.
    pub sent: u64,
    /// Times that the source was opened again after a fault.
    pub reopened: u64,
    /// Packets of sound that the link did not take in time.
    pub sound_dropped: u64,
    /// What limits the picture now: `camera`, `encoder`, `uplink` or `nothing`.
    pub limit: Limit,
    /// The numbers behind it.
    pub load: Load,
    /// What the pictures would be if nothing limited them.
    #[serde(rename = "asked")]
    pub nominal: NominalPicture,
}

/// Two digits after the point: what a person reads and a program compares.
pub fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Everything a viewer measures; [`ViewMeter::report`] sums it up.
#[derive(Debug, Default)]
pub struct ViewMeter {
    age: Recent,
    bytes: Recent,
    spans: [Recent; 8],
    /// Counters that go into the report as they are.
    pub counts: ViewReport,
    /// What is on the screen.
    pub screen: OnScreen,
    last: Option<u32>,
    reconnected: bool,
    /// The number of the picture that was decoded last, and of the one that was shown last with its time.
    decoded: Option<u32>,
    shown: Option<(u32, Micros)>,
    /// The picture of this number was captured then, whatever it says itself.
    restated: Option<(u32, Capture)>,
}

/// When a picture was captured, and how well that is known.
#[derive(Clone, Copy, Debug)]
pub struct Capture {
    /// When, on this machine's clock.
    pub at: Micros,
    /// It is an estimate.
    pub estimated: bool,
    /// How far off it may be; `None`: nobody knows.
    pub error: Option<Duration>,
}

/// When a picture passed each point of its way through a viewer.
#[derive(Clone, Copy, Debug, Default)]
pub struct ViewTimes {
    /// All of it had arrived.
    pub received: Micros,
    /// It was decoded.
    pub decoded: Micros,
    /// It was given to the screen.
    pub shown: Micros,
    /// How long it was held back for even motion; `None`: it was not to be.
    pub waited: Option<Waited>,
}

/// How long a picture was held back for even motion.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waited {
    /// Before it was decoded.
    pub before: Duration,
    /// After that.
    pub after: Duration,
}

impl ViewTimes {
    /// When it was to be shown: decoded, and not held back any more.
    #[must_use]
    pub fn ready(&self) -> Micros {
        self.decoded + self.waited.unwrap_or_default().after
    }
}

impl ViewMeter {
    /// A picture arrived.
    pub fn received(&mut self, picture: &Picture, now: Micros) {
        self.counts.received += 1;
        self.restated = None;
        self.bytes.add(now, picture.length() as f64);
        if let Some(last) = self.last {
            let gap = picture.sequence.wrapping_sub(last);
            // A number that went back belongs to another stream or hub.
            let missing = if gap == 0 || gap > u32::MAX / 2 { 0 } else { u64::from(gap - 1) };
            if std::mem::take(&mut self.reconnected) {
                self.counts.lost += missing;
            } else {
                self.counts.skipped += missing;
            }
        }
        self.last = Some(picture.sequence);
    }

    /// The connection was made anew: what is missing since counts as lost.
    pub fn reconnected(&mut self) {
        self.counts.reconnects += 1;
        self.reconnected = true;
        (self.decoded, self.shown, self.restated) = (None, None, None);
        self.screen.reconnected();
    }

    /// Another stream is watched: its numbers begin anew.
    pub fn new_stream(&mut self) {
        (self.last, self.decoded, self.shown, self.restated) = (None, None, None, None);
        self.screen.other_stream();
    }

    /// A picture could not be decoded.
    pub fn broken(&mut self, why: String) {
        self.counts.broken += 1;
        self.screen.broken(why);
    }

    /// A picture was decoded `now`, and is to be shown at once.
    pub fn decoded(&mut self, picture: &Picture, now: Micros) {
        let capture = self.capture(picture, None);
        self.screen.decoded(capture.at, now);
        self.decoded = Some(picture.sequence);
    }

    /// A picture was shown; when it was captured may be so far off.
    pub fn shown(&mut self, picture: &Picture, times: ViewTimes, error: Option<Duration>) {
        let capture = self.capture(picture, error);
        let spans = picture.spans;
        let mut parts = [spans.capture, spans.encode, spans.uplink, spans.hub].map(Some);
        let known: Duration = parts.iter().flatten().sum();
        let rest = times.received.since(capture.at + known);
        // Where a span stands for itself or more, nobody knows which of them the rest belongs to.
        let is_more = |span: &Option<Duration>| span.is_some_and(|span| span >= LONGEST_SPAN);
        let downlink = if parts.iter().any(is_more) { None } else { Some(rest) };
        parts.iter_mut().filter(|span| is_more(span)).for_each(|span| *span = None);
        let Waited { before, after } = times.waited.unwrap_or_default();
        let decode = Some(times.decoded.since(times.received + before));
        let show = Some(times.shown.since(times.ready()));
        let smooth = times.waited.map(|_| before + after);
        for (recent, span) in self.spans.iter_mut().zip(parts.into_iter().chain([downlink, decode, smooth, show])) {
            if let Some(span) = span {
                recent.add(times.shown, millis(span));
            }
        }
        self.age.add(times.shown, millis(times.shown.since(capture.at)));
        self.screen.shown(capture.at, times.shown);
        self.shown = Some((picture.sequence, times.shown));
        self.counts.shown += 1;
        self.counts.quality = picture.quality;
        self.tell(capture);
    }

    /// More is known of when the newest picture was captured than when it came: it has this number.
    pub fn restated(&mut self, sequence: u32, capture: Capture) {
        self.restated = Some((sequence, capture));
        if self.decoded == Some(sequence) {
            self.screen.restated_silence(capture.at);
        }
        if let Some((_, at)) = self.shown.filter(|(shown, _)| *shown == sequence) {
            self.screen.restated(capture.at);
            self.age.amend(millis(at.since(capture.at)));
            self.tell(capture);
        }
    }

    fn capture(&self, picture: &Picture, error: Option<Duration>) -> Capture {
        match self.restated {
            Some((sequence, capture)) if sequence == picture.sequence => capture,
            _ => Capture { at: picture.captured, estimated: picture.estimated, error },
        }
    }

    /// How well the age of the picture on the screen is known.
    fn tell(&mut self, capture: Capture) {
        self.counts.age_estimated = capture.estimated;
        self.counts.age_error_ms = capture.error.map(|error| round(millis(error)));
    }

    /// The sum of it all.
    pub fn report(&mut self, now: Micros) -> ViewReport {
        let mut report = self.counts.clone();
        report.fps = self.age.rate(now);
        report.age_ms = self.age.quantiles(now);
        report.picture_age_ms = self.screen.age(now).map(round);
        report.reached_ms = self.screen.reached(now).map(round);
        report.jitter_ms = self.age.jitter(now);
        report.kbytes_per_second = round(self.bytes.sum_rate(now) / 1000.0);
        let [capture, encode, uplink, hub, downlink, decode, smooth, show] =
            self.spans.each_mut().map(|recent| recent.quantiles(now).p50);
        report.budget_ms = AgeBudget { capture, encode, uplink, hub, downlink, decode, smooth, show };
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Spans;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    #[test]
    fn gaps_are_skipped_pictures_and_lost_ones_after_a_reconnect() {
        let mut meter = ViewMeter::default();
        for sequence in [5, 6, 9] {
            meter.received(&Picture { sequence, ..Picture::default() }, at(0));
        }
        meter.reconnected();
        meter.received(&Picture { sequence: 20, ..Picture::default() }, at(0));
        meter.received(&Picture { sequence: 1, ..Picture::default() }, at(0));
        let report = meter.report(at(1));
        assert_eq!((report.received, report.skipped, report.lost, report.reconnects), (5, 2, 10, 1));
    }

    #[test]
    fn the_budget_adds_up_to_the_age() {
        let ms = Duration::from_millis;
        let spans = Spans { capture: ms(1), encode: ms(2), uplink: ms(3), hub: ms(4) };
        let picture = Picture { captured: at(0), spans, ..Picture::default() };
        let mut meter = ViewMeter::default();
        meter.shown(&picture, ViewTimes { received: at(15), decoded: at(21), shown: at(28), waited: None }, None);
        let parts = |b: AgeBudget| [b.capture, b.encode, b.uplink, b.hub, b.downlink, b.decode, b.smooth, b.show];
        let budget = parts(meter.report(at(28)).budget_ms);
        assert_eq!(budget, [Some(1.), Some(2.), Some(3.), Some(4.), Some(5.), Some(6.), None, Some(7.)]);
        assert_eq!(meter.report(at(28)).age_ms.p50, Some(28.0));
        // What is held back for even motion is a part of its own, and of the age.
        let mut meter = ViewMeter::default();
        let waited = Some(Waited { before: ms(40), after: ms(30) });
        meter.shown(&picture, ViewTimes { received: at(15), decoded: at(61), shown: at(98), waited }, None);
        let budget = parts(meter.report(at(98)).budget_ms);
        assert_eq!(budget, [1., 2., 3., 4., 5., 6., 70., 7.].map(Some));
        assert_eq!(meter.report(at(98)).age_ms.p50, Some(98.0));
    }

    #[test]
    fn the_age_that_is_shown_is_never_much_younger_than_the_picture_on_the_screen() {
        let mut meter = ViewMeter::default();
        let (mut seen, mut captured) = (Vec::new(), 0);
        for ms in 0..12_000 {
            // 30 pictures a second, from five seconds on none, from eight on five.
            let apart = if ms < 8000 { 33 } else { 200 };
            if !(5000..8000).contains(&ms) && ms % apart == 0 {
                captured = ms;
                let times =
                    ViewTimes { received: at(ms + 1), decoded: at(ms + 2), shown: at(ms + 3), ..ViewTimes::default() };
                let picture = Picture { captured: at(ms), ..Picture::default() };
                meter.decoded(&picture, times.decoded);
                meter.shown(&picture, times, None);
            }
            let report = meter.report(at(ms + 3));
            let truth = (ms + 3 - captured) as f64;
            assert_eq!(report.picture_age_ms, Some(truth), "{ms}");
            let shown = report.age().unwrap();
            assert!(truth - shown <= 40.0, "{ms}: {shown} of {truth}");
            seen.push(shown);
        }
        assert!(
            seen[100..5000].iter().all(|shown| *shown == 3.0),
            "in time it is how old pictures were when they came"
        );
        assert!(seen[9500..].iter().all(|shown| (199.0..210.0).contains(shown)), "of slow ones it is how old they get");
        assert_eq!(ViewMeter::default().report(at(0)).age(), None);
    }
}
