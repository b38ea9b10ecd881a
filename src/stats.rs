//! Statistics: what is counted and measured on the way of a picture, and the reports that people and programs read.

mod on_screen;
mod rhythm;

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

pub use self::on_screen::{Coming, OnScreen};
pub use self::rhythm::Rhythm;
use crate::adapt::{Limit, Load};
use crate::frame::Picture;
use crate::time::{Micros, millis};
use crate::wire::control::AskedPicture;

/// Median and tail of a span over the last seconds, in milliseconds. `None`: there was nothing to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
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
pub struct Budget {
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
    /// From decoded until it was given to the screen.
    pub show: Option<f64>,
}

/// How a viewer's stream is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
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
    pub budget_ms: Budget,
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
    /// Connections made after the first.
    pub reconnects: u64,
    /// What limits the picture now: `camera`, `encoder`, `uplink`, `hub`, `downlink`, `decoder` or `nothing`.
    pub limit: Limit,
    /// The numbers behind it.
    pub load: Load,
    /// What the pictures would be if nothing limited them; a viewer's own wish counts. Empty while the publisher does not
    /// say.
    pub asked: AskedPicture,
    /// The picture's own metadata, where it is a flat JSON object: shown as lines `key: value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
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
    /// What limits the picture now: `camera`, `encoder`, `uplink` or `nothing`.
    pub limit: Limit,
    /// The numbers behind it.
    pub load: Load,
    /// What the pictures would be if nothing limited them.
    pub asked: AskedPicture,
}

/// Numbers of the last seconds, for medians and rates.
#[derive(Clone, Debug)]
pub struct Recent {
    span: Duration,
    samples: VecDeque<(Micros, f64)>,
}

/// Most samples that are kept: five seconds at 240 a second, with room to spare.
const MOST_SAMPLES: usize = 2048;

impl Default for Recent {
    fn default() -> Self {
        Self::of(Duration::from_secs(3))
    }
}

impl Recent {
    /// Of the last `span`.
    #[must_use]
    pub fn of(span: Duration) -> Self {
        Self { span, samples: VecDeque::new() }
    }

    /// Notes a number.
    pub fn add(&mut self, now: Micros, value: f64) {
        if self.samples.len() == MOST_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((now, value));
        self.trim(now);
    }

    fn trim(&mut self, now: Micros) {
        while self.samples.front().is_some_and(|(at, _)| now.since(*at) > self.span) {
            self.samples.pop_front();
        }
    }

    /// Median and tail.
    pub fn quantiles(&mut self, now: Micros) -> Quantiles {
        self.trim(now);
        let mut values: Vec<f64> = self.samples.iter().map(|(_, v)| *v).collect();
        values.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let index = ((values.len().saturating_sub(1)) as f64 * q).round() as usize;
            values.get(index).map(|v| round(*v))
        };
        Quantiles { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }

    /// Numbers noted a second, from the spacing of those that are there; zero when none came for a while.
    pub fn rate(&mut self, now: Micros) -> f64 {
        self.trim(now);
        let (Some((first, _)), Some((last, _))) = (self.samples.front(), self.samples.back()) else { return 0.0 };
        let count = self.samples.len() as f64;
        let between = last.since(*first).as_secs_f64();
        // The time since the last one counts as soon as it is longer than the usual distance.
        let usual = if count > 1.0 { between / (count - 1.0) } else { self.span.as_secs_f64() };
        let waited = now.since(*last).as_secs_f64();
        let spread = if waited > 1.5 * usual { between + waited } else { between };
        if spread <= 0.0 {
            return 0.0;
        }
        round(if waited > 1.5 * usual { count / spread } else { (count - 1.0) / spread })
    }

    /// The sum of the numbers a second.
    pub fn sum_rate(&mut self, now: Micros) -> f64 {
        self.trim(now);
        let sum: f64 = self.samples.iter().map(|(_, v)| v).sum();
        let Some((first, _)) = self.samples.front() else { return 0.0 };
        round(sum / now.since(*first).as_secs_f64().max(0.25))
    }

    /// The mean distance of neighbours' times from the mean of those distances, in milliseconds: jitter.
    pub fn jitter(&mut self, now: Micros) -> Option<f64> {
        self.trim(now);
        let gaps: Vec<f64> =
            self.samples.iter().zip(self.samples.iter().skip(1)).map(|((a, _), (b, _))| millis(b.since(*a))).collect();
        if gaps.is_empty() {
            return None;
        }
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        Some(round(gaps.iter().map(|g| (g - mean).abs()).sum::<f64>() / gaps.len() as f64))
    }
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
    spans: [Recent; 7],
    /// Counters that go into the report as they are.
    pub counts: ViewReport,
    /// What is on the screen.
    pub screen: OnScreen,
    /// Nobody knows when the picture on the screen was taken: no bound of an error is one of its age.
    pub arrival: bool,
    last: Option<u32>,
    reconnected: bool,
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
}

impl ViewMeter {
    /// A picture arrived.
    pub fn received(&mut self, picture: &Picture, now: Micros) {
        self.counts.received += 1;
        self.bytes.add(now, picture.data.len() as f64);
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
        self.screen.reconnected();
    }

    /// Another stream is watched: its numbers begin anew.
    pub fn new_stream(&mut self) {
        self.last = None;
        self.screen.other_stream();
    }

    /// A picture could not be decoded.
    pub fn broken(&mut self, why: String) {
        self.counts.broken += 1;
        self.screen.broken(why);
    }

    /// A picture was shown.
    pub fn shown(&mut self, picture: &Picture, times: ViewTimes) {
        let spans = picture.spans;
        let known = spans.capture + spans.encode + spans.uplink + spans.hub;
        let downlink = times.received.since(picture.captured + known);
        let decode = times.decoded.since(times.received);
        let show = times.shown.since(times.decoded);
        let parts = [spans.capture, spans.encode, spans.uplink, spans.hub, downlink, decode, show];
        for (recent, span) in self.spans.iter_mut().zip(parts) {
            recent.add(times.shown, millis(span));
        }
        self.age.add(times.shown, millis(times.shown.since(picture.captured)));
        self.screen.shown(picture.captured, times.shown);
        self.counts.shown += 1;
        self.counts.age_estimated = picture.estimated;
        self.arrival = picture.arrival;
        self.counts.quality = picture.quality;
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
        let [capture, encode, uplink, hub, downlink, decode, show] =
            self.spans.each_mut().map(|recent| recent.quantiles(now).p50);
        report.budget_ms = Budget { capture, encode, uplink, hub, downlink, decode, show };
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
    fn a_rate_is_right_from_the_second_sample_and_falls_when_nothing_comes() {
        let mut recent = Recent::default();
        for i in 0..10 {
            recent.add(at(i * 100), 1.0);
        }
        assert_eq!(recent.rate(at(920)), 10.0);
        assert!(recent.rate(at(2800)) < 4.0);
        assert_eq!(recent.rate(at(9000)), 0.0);
        assert_eq!(recent.quantiles(at(9000)), Quantiles::default());
    }

    #[test]
    fn quantiles_and_jitter_are_those_of_the_last_seconds() {
        let mut recent = Recent::default();
        recent.add(at(0), 1e9);
        for i in 0..100 {
            recent.add(at(4000 + i * 10), f64::from(u32::try_from(i).unwrap()));
        }
        let q = recent.quantiles(at(5000));
        assert_eq!((q.p50, q.p99, q.max), (Some(50.0), Some(98.0), Some(99.0)));
        assert_eq!(recent.jitter(at(5000)), Some(0.0));
        assert_eq!((Recent::default().quantiles(at(0)).p50, Recent::default().jitter(at(0))), (None, None));
    }

    #[test]
    fn no_number_of_samples_grows_the_memory() {
        let mut recent = Recent::default();
        for _ in 0..10 * MOST_SAMPLES {
            recent.add(at(1), 1.0);
        }
        assert_eq!(recent.samples.len(), MOST_SAMPLES);
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
        meter.shown(&picture, ViewTimes { received: at(15), decoded: at(21), shown: at(28) });
        let b = meter.report(at(28)).budget_ms;
        let parts = [b.capture, b.encode, b.uplink, b.hub, b.downlink, b.decode, b.show];
        assert_eq!(parts, [1., 2., 3., 4., 5., 6., 7.].map(Some));
        assert_eq!(meter.report(at(28)).age_ms.p50, Some(28.0));
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
                let times = ViewTimes { received: at(ms + 1), decoded: at(ms + 2), shown: at(ms + 3) };
                meter.screen.decoded(at(ms), times.decoded);
                meter.shown(&Picture { captured: at(ms), ..Picture::default() }, times);
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
