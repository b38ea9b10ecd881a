//! One direction that pictures can go, from the hub to a viewer or from a publisher to its hub: when the next one may be
//! given, and how large it may be.
//!
//! A [`Pacer`] puts the rules together: [`Credit`] says when what was given has arrived, [`Ladder`] how many bytes a picture
//! may have so that the link carries it in time, [`Budget`] holds a maximum rate where pictures cannot be made smaller, and
//! [`Asked`] is what the user wants of all that. The hub has one for each viewer and each member of a room, a publisher one
//! for its uplink, and the tests' virtual network the same ones. What is underneath is asked by [`Feedback`].

use std::time::Duration;

use crate::adapt::{Asked, Budget, Ladder, Need};
use crate::credit::{Control, Credit, Kernel, Verdict};
use crate::time::Micros;

/// The time between pictures until a stream tells its own.
const USUAL: Duration = Duration::from_millis(33);

/// The time between pictures of several streams that share one direction, from that of each.
pub fn together(intervals: impl Iterator<Item = Duration>) -> Duration {
    let a_second: f64 = intervals.map(|interval| 1.0 / interval.as_secs_f64().max(0.001)).sum();
    if a_second > 0.0 { Duration::from_secs_f64(1.0 / a_second) } else { USUAL }
}

/// What is underneath: a socket, or a virtual path.
pub trait Feedback {
    /// What it holds and has seen; `None` where it cannot tell.
    fn measure(&mut self) -> Option<Kernel>;

    /// Changes its congestion control, where that can be done.
    fn control(&mut self, control: Control);
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
    asked: Asked,
    budget: Budget,
    ladder: Ladder,
    credit: Credit,
}

impl Pacer {
    /// The pacer of a new connection, for what its user asked for.
    #[must_use]
    pub fn new(asked: Asked) -> Self {
        Self {
            credit: Credit::new(),
            ladder: Ladder::new(),
            asked,
            budget: Budget::default(),
            last: None,
            interval: USUAL,
        }
    }

    /// The user asks for something else. What was spent of a maximum rate is forgotten.
    pub fn set_asked(&mut self, asked: Asked) {
        (self.asked, self.budget) = (asked, Budget::default());
    }

    /// Another stream begins, whose pictures have their own numbers.
    pub fn begins(&mut self) {
        self.last = None;
    }

    /// May a picture be given now? `None`: yes. Otherwise when to ask again, at the latest. `interval` is the time between
    /// pictures of the stream. What the link carries is worked out anew in any case.
    pub fn ask(&mut self, now: Micros, interval: Duration, below: &mut impl Feedback) -> Option<Micros> {
        self.interval = interval;
        let mut verdict = self.credit.ask(now, interval);
        if verdict == Verdict::Measure {
            self.credit.measured(below.measure(), now);
            if let Some(change) = self.credit.control(now) {
                below.control(change);
            }
            verdict = self.credit.ask(now, interval);
        }
        let last = self.last.map_or(0, |(_, bytes)| bytes);
        self.ladder.update(now, self.credit.rate(now), interval, last);
        match verdict {
            Verdict::Later(until) => Some(until),
            Verdict::Now | Verdict::Measure => Some(self.budget.next()).filter(|next| *next > now),
        }
    }

    /// A picture is given: its number, and its bytes on the wire. Pictures of one frame share a number.
    pub fn given(&mut self, sequence: u32, bytes: usize, now: Micros) {
        self.credit.given(sequence, bytes, now);
        // The first picture is the one there is; its rung comes a round trip later, and must not have to wait for it.
        let charge = if self.last.is_none() { bytes.min(self.need().bytes as usize) } else { bytes };
        self.budget.spend(charge, self.asked.max_rate, now);
        let before = self.last.filter(|(last, _)| *last == sequence).map_or(0, |(_, bytes)| bytes);
        self.last = Some((sequence, before + bytes));
    }

    /// The number of the last frame that was given of this stream.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.last.map(|(sequence, _)| sequence)
    }

    /// What the link and the user ask of the stream now.
    #[must_use]
    pub fn need(&self) -> Need {
        self.asked.need(self.fits(), self.interval)
    }

    /// Bytes a picture may have so that it crosses within the interval, whether or not anything is made of it;
    /// [`crate::adapt::ANY`] for no bound.
    #[must_use]
    pub fn carries(&self) -> u32 {
        self.asked.carries(self.fits(), self.interval)
    }

    /// The same of the link alone, whatever was asked for.
    #[must_use]
    pub fn fits(&self) -> u32 {
        self.ladder.bytes()
    }

    /// How often that changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.ladder.changes()
    }

    /// Pictures that are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.credit.under_way()
    }

    /// The other side has the picture of this number, and so all before it; see [`Credit::acknowledged_since`].
    pub fn acknowledged(&mut self, sequence: u32, backlog: u16, since: Micros, now: Micros) {
        self.credit.acknowledged_since(sequence, backlog, since, now);
    }

    /// A small packet that will be answered is sent now.
    pub fn pinged(&mut self, now: Micros) {
        self.credit.pinged(now);
    }

    /// It was answered after so long.
    pub fn round_trip(&mut self, round_trip: Duration, now: Micros) {
        self.credit.round_trip(round_trip, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::ANY;

    const INTERVAL: Duration = Duration::from_millis(33);

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

    impl Feedback for Path {
        fn measure(&mut self) -> Option<Kernel> {
            let min_round_trip = Some(Duration::from_millis(1));
            Some(Kernel { outstanding: self.held as u32, min_round_trip, ..Kernel::default() })
        }

        fn control(&mut self, _: Control) {}
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
                let bytes = pacer.need().bytes.min(most);
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
        let (mut pacer, mut path) = (Pacer::new(Asked::default()), path(250_000.0));
        run(&mut pacer, &mut path, 50_000, 5);
        let given = run(&mut pacer, &mut path, 50_000, 10);
        assert!(pacer.need().bytes < 8_500 && given > 280, "{} bytes, {given}", pacer.need().bytes);
        assert!(path.held < 8_500.0, "never a growing queue: {}", path.held);
    }

    #[test]
    fn who_wants_one_quality_gets_fewer_pictures_and_is_told_what_the_link_carries() {
        let asked = Asked { quality: Some(80), ..Asked::default() };
        let (mut pacer, mut path) = (Pacer::new(asked), path(250_000.0));
        run(&mut pacer, &mut path, 50_000, 5);
        let given = run(&mut pacer, &mut path, 50_000, 10);
        assert_eq!((pacer.need().bytes, pacer.need().quality), (ANY, 80));
        assert!((35..=60).contains(&given) && pacer.carries() < 50_000, "{given}");
    }

    #[test]
    fn a_maximum_rate_holds_where_pictures_are_as_they_are_and_is_anew_with_another_wish() {
        let asked = Asked { quality: Some(80), max_rate: Some(800_000), ..Asked::default() };
        let (mut pacer, mut path) = (Pacer::new(asked), path(1e9));
        let given = run(&mut pacer, &mut path, 50_000, 10);
        assert!((20..=25).contains(&given), "{given}");
        pacer.set_asked(Asked { max_rate: None, ..asked });
        assert!(run(&mut pacer, &mut path, 50_000, 1) >= 29);
    }

    #[test]
    fn the_first_picture_of_a_stream_is_charged_as_what_was_asked_for_and_a_frame_is_all_its_pictures() {
        let asked = Asked { max_rate: Some(800_000), ..Asked::default() };
        let (mut pacer, mut path) = (Pacer::new(asked), path(1e9));
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
