//! One direction that pictures can go, from the hub to a viewer or from a publisher to its hub: when the next one may be
//! given, and how large it may be.
//!
//! A [`Pacer`] puts the rules together: [`Window`] says when what was given has arrived, [`RateController`] how many bytes a picture
//! may have so that the link carries it in time, [`RateLimiter`] holds a maximum rate where pictures cannot be made smaller, and
//! [`PacerConfig`] is what the user wants of all that. The hub has one for each viewer and each member of a room, a publisher one
//! for its uplink, and the tests' virtual network the same ones. What is underneath is asked by [`Path`].

mod decoder;
mod delivery_rate;
mod frame_rate;
mod loss;
mod min_rtt;
mod rate_controller;
mod rate_limiter;
#[cfg(feature = "view")]
mod smoothing;
mod window;

use std::time::Duration;

use self::frame_rate::FrameRate;
pub use self::loss::CongestionControl;
use self::rate_controller::RateController;
pub use self::rate_limiter::RateLimiter;
#[cfg(feature = "view")]
pub use self::smoothing::{Came, Smoother};
pub use self::window::Feedback;
use self::window::{Answer, Window};
use crate::adapt::{ANY, Resolution, Target};
use crate::time::Micros;

/// The time between pictures until a stream tells its own.
const USUAL: Duration = Duration::from_millis(33);

/// The time between pictures of several streams that share one direction, from that of each.
pub fn together(intervals: impl Iterator<Item = Duration>) -> Duration {
    let a_second: f64 = intervals.map(|interval| 1.0 / interval.as_secs_f64().max(0.001)).sum();
    if a_second > 0.0 { Duration::from_secs_f64(1.0 / a_second) } else { USUAL }
}

/// What is underneath: a socket, or a virtual path.
pub trait Path {
    /// What it holds and has seen; `None` where it cannot tell.
    fn feedback(&mut self) -> Option<Feedback>;

    /// Changes its congestion control, where that can be done.
    fn control(&mut self, control: CongestionControl);
}

/// What a user asked for, at a viewer (`--quality`, `--max-rate`) or a publisher (`--max-rate`, `--adapt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacerConfig {
    /// A fixed quality; `None` is `auto`.
    pub quality: Option<u8>,
    /// Width and height; [`Resolution::Any`] may change with the link.
    pub size: Resolution,
    /// Bits a second at most; `None` is what the link carries.
    pub max_rate: Option<u64>,
    /// Make pictures smaller when the link is slow. `false` keeps them as they are, and a slow link gets fewer.
    pub adapt: bool,
    /// Microseconds between two pictures at least; 0: as they come.
    pub apart: u32,
}

impl Default for PacerConfig {
    /// `auto`, no limit, adapting.
    fn default() -> Self {
        Self { quality: None, size: Resolution::Any, max_rate: None, adapt: true, apart: 0 }
    }
}

impl PacerConfig {
    /// The target of a link for which a [`RateController`] says `fits` bytes a picture, with pictures every `interval`.
    #[must_use]
    pub fn target(&self, fits: u32, interval: Duration) -> Target {
        let adapts = self.adapt && self.quality.is_none() && self.size.is_any();
        let bytes = if adapts { self.carries(fits, interval) } else { ANY };
        Target { bytes, quality: self.quality.unwrap_or(0), size: self.size }
    }

    /// Bytes a picture may have so that it crosses within the interval, whether or not anything is made of it; for whom
    /// the [`Limit`](crate::adapt::Limit) is worked out.
    #[must_use]
    pub fn carries(&self, fits: u32, interval: Duration) -> u32 {
        let capped = self.max_rate.map_or(ANY, |bits| {
            // On the rate controller's grid, so that the wandering of the measured interval changes nothing.
            rate_controller::grid((bits as f64 / 8.0 * interval.as_secs_f64()).clamp(256.0, f64::from(ANY - 1))) as u32
        });
        capped.min(fits)
    }
}

/// The pacing of one direction.
///
/// For each picture that is new to the other side, and again when an acknowledgement comes or the time has come that
/// [`ask`](Self::ask) named: ask, and where it says now, give the picture and call [`given`](Self::given). Tell it of
/// every acknowledgement, and of pings and their answers.
///
/// Laid out as written: what is looked at for every picture of the stream, whether or not it is given, comes first.
#[derive(Debug)]
#[repr(C)]
pub struct Pacer {
    /// The number of the last frame given, and the bytes of its pictures: a frame may have several, one for each rung.
    last: Option<(u32, usize)>,
    /// The stream's, as told to `ask` last.
    interval: Duration,
    config: PacerConfig,
    limiter: RateLimiter,
    rate: RateController,
    window: Window,
    frame_rate: FrameRate,
}

impl Pacer {
    /// The pacer of a new connection, for what its user asked for.
    #[must_use]
    pub fn new(config: PacerConfig) -> Self {
        Self {
            window: Window::new(),
            rate: RateController::new(),
            config,
            limiter: RateLimiter::default(),
            last: None,
            interval: USUAL,
            frame_rate: FrameRate::default(),
        }
    }

    /// The other side said that it acknowledges pictures.
    pub fn expect_acknowledgements(&mut self) {
        self.window.expect_acknowledgements();
    }

    /// The user asks for something else. What was spent of a maximum rate is forgotten.
    pub fn configure(&mut self, config: PacerConfig) {
        (self.config, self.limiter, self.frame_rate) = (config, RateLimiter::default(), FrameRate::default());
    }

    /// Another stream begins, whose pictures have their own numbers.
    pub fn begins(&mut self) {
        self.last = None;
    }

    /// May a picture be given now? `None`: yes. Otherwise when to ask again, at the latest. `interval` is the time between
    /// pictures of the stream. What the link carries is worked out anew in any case.
    pub fn ask(&mut self, now: Micros, interval: Duration, path: &mut impl Path) -> Option<Micros> {
        let (of_stream, apart) = (interval, Duration::from_micros(self.config.apart.into()));
        // Who has fewer pictures has more of the link for each.
        let interval = interval.max(apart);
        self.interval = interval;
        let mut answer = self.window.ask(now, interval);
        if answer == Answer::Measure {
            self.window.measured(path.feedback(), now);
            if let Some(change) = self.window.control(now) {
                path.control(change);
            }
            answer = self.window.ask(now, interval);
        }
        let last = self.last.map_or(0, |(_, bytes)| bytes);
        self.rate.update(now, self.window.rate(now), interval, last);
        match answer {
            Answer::Later(until) => Some(until),
            Answer::Now | Answer::Measure => {
                let next = Some(self.limiter.next()).filter(|next| *next > now);
                if apart.is_zero() { next } else { next.max(self.frame_rate.ask(now, of_stream)) }
            }
        }
    }

    /// A picture is given: its number, and its bytes on the wire. Pictures of one frame share a number.
    pub fn given(&mut self, sequence: u32, bytes: usize, now: Micros) {
        self.window.given(sequence, bytes, now);
        // The first picture is the one there is; its rung comes a round trip later, and must not have to wait for it.
        let charge = if self.last.is_none() { bytes.min(self.target().bytes as usize) } else { bytes };
        self.limiter.spend(charge, self.config.max_rate, now);
        let before = self.last.filter(|(last, _)| *last == sequence).map_or(0, |(_, bytes)| bytes);
        self.last = Some((sequence, before + bytes));
        if self.config.apart > 0 {
            self.frame_rate.given(now, Duration::from_micros(self.config.apart.into()));
        }
    }

    /// The number of the last frame that was given of this stream.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.last.map(|(sequence, _)| sequence)
    }

    /// What the link and the user ask of the stream now.
    #[must_use]
    pub fn target(&self) -> Target {
        self.config.target(self.fits(), self.interval)
    }

    /// Bytes a picture may have so that it crosses within the interval, whether or not anything is made of it;
    /// [`crate::adapt::ANY`] for no bound.
    #[must_use]
    pub fn carries(&self) -> u32 {
        self.config.carries(self.fits(), self.interval)
    }

    /// The same of the link alone, whatever was asked for.
    #[must_use]
    pub fn fits(&self) -> u32 {
        self.rate.bytes()
    }

    /// How often that changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.rate.changes()
    }

    /// Pictures that are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.window.under_way()
    }

    /// The other side has the picture of this number, and so all before it; see [`Window::acknowledged_since`].
    pub fn acknowledged(&mut self, sequence: u32, backlog: u16, since: Micros, now: Micros) {
        self.window.acknowledged_since(sequence, backlog, since, now);
    }

    /// A small packet that will be answered is sent now.
    pub fn pinged(&mut self, now: Micros) {
        self.window.pinged(now);
    }

    /// It was answered after so long.
    pub fn round_trip(&mut self, round_trip: Duration, now: Micros) {
        self.window.round_trip(round_trip, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::ANY;

    const INTERVAL: Duration = Duration::from_millis(33);

    #[test]
    fn a_maximum_rate_makes_pictures_smaller_only_where_they_may_be() {
        let interval = Duration::from_millis(40);
        let config = PacerConfig { max_rate: Some(2_000_000), ..PacerConfig::default() };
        let capped = config.target(ANY, interval).bytes;
        assert!((9_100..=10_000).contains(&capped), "{capped}");
        assert_eq!(config.target(4_000, interval).bytes, 4_000);
        assert_eq!(PacerConfig { adapt: false, ..config }.target(4_000, interval).bytes, ANY);
        assert_eq!(PacerConfig { adapt: false, ..config }.carries(ANY, interval), capped);
        let sixty = Target { quality: 60, ..Target::default() };
        assert_eq!(PacerConfig { quality: Some(60), ..config }.target(4_000, interval), sixty);
    }

    #[test]
    fn a_fixed_quality_or_size_is_kept_on_a_slow_link() {
        let interval = Duration::from_millis(33);
        let config = PacerConfig { quality: Some(60), ..PacerConfig::default() };
        assert_eq!(config.target(4_000, interval), Target { quality: 60, ..Target::default() });
        let config = PacerConfig { size: Resolution::Full, ..PacerConfig::default() };
        assert_eq!(config.target(4_000, interval), Target { size: Resolution::Full, ..Target::default() });
    }

    #[test]
    fn streams_that_share_a_link_come_as_often_as_all_of_them_together() {
        let of = |ms: &[u64]| together(ms.iter().map(|ms| Duration::from_millis(*ms))).as_micros();
        assert_eq!([of(&[40]), of(&[40, 40]), of(&[33, 1000]), of(&[])], [40_000, 20_000, 31_945, 33_000]);
    }

    /// A path that takes so many bytes a second, and holds what was written and has not drained.
    struct Path {
        rate: f64,
        held: f64,
        at: Micros,
    }

    impl Path {
        fn drain(&mut self, now: Micros) {
            self.held = (self.held - self.rate * now.since(self.at).as_secs_f64()).max(0.0);
            self.at = now;
        }
    }

    impl super::Path for Path {
        fn feedback(&mut self) -> Option<Feedback> {
            let min_rtt = Some(Duration::from_millis(1));
            Some(Feedback { outstanding: self.held as u32, min_rtt, ..Feedback::default() })
        }

        fn control(&mut self, _: CongestionControl) {}
    }

    /// So many seconds of pictures, of as many bytes as the pacer asks for, at most so many: how many were given.
    fn run(pacer: &mut Pacer, path: &mut Path, most: u32, seconds: u64) -> u32 {
        let (mut given, mut next) = (0, Micros(0));
        let start = path.at;
        let mut waits = None;
        for ms in 0..1000 * seconds {
            let now = start + Duration::from_millis(ms);
            path.drain(now);
            let is_new = now >= next;
            if is_new {
                next = now + INTERVAL;
            } else if waits.is_none_or(|until| now < until) {
                continue;
            }
            waits = pacer.ask(now, INTERVAL, path);
            if waits.is_none() {
                let bytes = pacer.target().bytes.min(most);
                given += 1;
                pacer.given(given, bytes as usize, now);
                path.held += f64::from(bytes);
            }
        }
        given
    }

    fn path(rate: f64) -> Path {
        Path { rate, held: 0.0, at: Micros(1_000_000_000) }
    }

    #[test]
    fn pictures_become_as_small_as_the_link_carries_at_the_full_rate() {
        let (mut pacer, mut path) = (Pacer::new(PacerConfig::default()), path(250_000.0));
        run(&mut pacer, &mut path, 50_000, 5);
        let given = run(&mut pacer, &mut path, 50_000, 10);
        assert!(pacer.target().bytes < 8_500 && given > 280, "{} bytes, {given}", pacer.target().bytes);
        assert!(path.held < 8_500.0, "never a growing queue: {}", path.held);
    }

    #[test]
    fn who_wants_one_quality_gets_fewer_pictures_and_is_told_what_the_link_carries() {
        let config = PacerConfig { quality: Some(80), ..PacerConfig::default() };
        let (mut pacer, mut path) = (Pacer::new(config), path(250_000.0));
        run(&mut pacer, &mut path, 50_000, 5);
        let given = run(&mut pacer, &mut path, 50_000, 10);
        assert_eq!((pacer.target().bytes, pacer.target().quality), (ANY, 80));
        assert!((35..=60).contains(&given) && pacer.carries() < 50_000, "{given}");
    }

    #[test]
    fn a_maximum_rate_holds_where_pictures_are_as_they_are_and_is_anew_with_another_wish() {
        let config = PacerConfig { quality: Some(80), max_rate: Some(800_000), ..PacerConfig::default() };
        let (mut pacer, mut path) = (Pacer::new(config), path(1e9));
        let given = run(&mut pacer, &mut path, 50_000, 10);
        assert!((20..=25).contains(&given), "{given}");
        pacer.configure(PacerConfig { max_rate: None, ..config });
        assert!(run(&mut pacer, &mut path, 50_000, 1) >= 29);
    }

    #[test]
    fn who_wants_fewer_pictures_gets_as_many_and_has_the_link_for_them() {
        let (mut all, mut fewer) = (Pacer::new(PacerConfig::default()), Pacer::new(PacerConfig::default()));
        fewer.configure(PacerConfig { apart: 200_000, ..PacerConfig::default() });
        let (mut one, mut other) = (path(250_000.0), path(250_000.0));
        assert!(run(&mut all, &mut one, 50_000, 10) > 280);
        let given = run(&mut fewer, &mut other, 50_000, 10);
        assert!((49..=51).contains(&given), "{given}");
        assert!(fewer.carries() > 3 * all.carries(), "{} {}", fewer.carries(), all.carries());
    }

    #[test]
    fn the_first_picture_of_a_stream_is_charged_as_what_was_asked_for_and_a_frame_is_all_its_pictures() {
        let config = PacerConfig { max_rate: Some(800_000), ..PacerConfig::default() };
        let (mut pacer, mut path) = (Pacer::new(config), path(1e9));
        assert_eq!(pacer.ask(path.at, INTERVAL, &mut path), None);
        pacer.given(7, 500_000, path.at);
        let next = path.at + INTERVAL;
        assert_eq!(pacer.ask(next, INTERVAL, &mut path), None, "five seconds of its rate");
        pacer.given(7, 1_000, next);
        assert_eq!(pacer.last, Some((7, 501_000)));
        pacer.begins();
        assert_eq!(pacer.last(), None);
    }
}
