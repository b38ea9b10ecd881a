//! The rules of a connection that is open: heartbeat, liveness, and what the other side's clock says.

#[cfg(test)]
mod both_ends;
mod capture_time;
pub mod client;
mod clock;
mod clock_check;
mod latest;
pub mod server;
#[cfg(test)]
mod steps;

use std::time::Duration;

pub use self::capture_time::Captured;
use self::capture_time::Newest;
pub use self::clock::{ClockFinding, ClockOffset};
use self::clock_check::ClockCheck;
use crate::time::{Micros, PeerMicros, micros};
use crate::wire::control::Control;

/// How often a side asks the other, once nothing is in doubt.
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// Silence for so long means that the other side is dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(10);

/// The first pings come quickly, so that the age of the very first pictures is nearly right.
const EARLY_PINGS: usize = 5;
const EARLY_EVERY: Duration = Duration::from_millis(100);
/// Waits between pings while the other clock is not known well, in milliseconds. All are different, so that pictures at
/// some rate do not always go before the answer.
const CLOCK_EVERY: [u64; 7] = [37, 61, 43, 89, 53, 71, 47];
/// So many at once tell whether a clock is slewed.
const CREEP_PINGS: usize = 3;
/// Pings after which that is a difficult path, and one after which nobody hurries any more.
const MANY_PINGS: usize = 60;
const TOO_MANY_PINGS: usize = 100;
/// A side that gave pictures is asked so often whether it is there, once it is silent.
const SILENT: Duration = Duration::from_secs(1);

/// What a session wants done.
#[derive(Debug, PartialEq)]
pub enum Due {
    /// Nothing before this time.
    At(Micros),
    /// Send this.
    Send(Box<Control>),
    /// The other side has been silent for too long: the connection is dead.
    Dead,
}

/// One side of an open connection. Tell it of everything that is heard, and ask [`due`](Self::due) at the time it names.
#[derive(Debug)]
pub struct Session {
    /// The other side's clock.
    pub clock: ClockOffset,
    /// Where the other side's clock matters: what its pictures tell of it.
    watch: Option<ClockCheck>,
    heard: Micros,
    /// When the last picture came.
    picture: Micros,
    newest: Option<Newest>,
    next_ping: Micros,
    pinged: Micros,
    /// Pings since the session began, or since the other clock was set.
    pings: usize,
    /// Pings that are to follow quickly, for the other clock may be slewed.
    quick: usize,
}

impl Session {
    /// A session that opened `now`, with somebody whose clock does not matter.
    #[must_use]
    pub fn new(now: Micros) -> Self {
        Self {
            clock: ClockOffset::default(),
            watch: None,
            heard: now,
            picture: Micros(0),
            newest: None,
            next_ping: now,
            pinged: Micros(0),
            pings: 0,
            quick: 0,
        }
    }

    /// A session that opened `now`, with somebody who gives pictures: their clock is to be known well.
    #[must_use]
    pub fn with_clock(now: Micros) -> Self {
        Self { watch: Some(ClockCheck::default()), ..Self::new(now) }
    }

    /// Something was heard.
    pub fn heard(&mut self, now: Micros) {
        self.heard = self.heard.max(now);
    }

    /// A control message was heard: a pong is noted, a ping gets the answer that is returned.
    pub fn control(&mut self, control: &Control, now: Micros) -> Option<Control> {
        self.heard(now);
        match *control {
            Control::Ping { time } => Some(Control::Pong { time, now: now.0 }),
            Control::Pong { time, now: theirs } => {
                self.answer(Micros(time), PeerMicros(theirs), now);
                None
            }
            _ => None,
        }
    }

    fn answer(&mut self, sent: Micros, theirs: PeerMicros, now: Micros) {
        let was = self.clock.to_ours(theirs);
        let verdict = self.clock.answer(sent, theirs, now);
        let Some(watch) = &mut self.watch else { return };
        let moved = was.zip(self.clock.to_ours(theirs)).is_some_and(|(was, is)| was.0.abs_diff(is.0) > 1000);
        if verdict == ClockFinding::Steps || moved {
            // What pictures took is to be measured anew.
            *watch = ClockCheck::default();
        }
        match verdict {
            ClockFinding::Steps => {
                log::debug!("the other side's clock was set, or stood still");
                (self.pings, self.next_ping) = (0, now);
            }
            ClockFinding::Agrees => watch.confirmed(sent, now),
            ClockFinding::AgreesOneWay => watch.confirmed_one_way(sent, now),
            ClockFinding::Creeps if self.quick == 0 => {
                (self.quick, self.next_ping) = (CREEP_PINGS, now);
            }
            ClockFinding::Creeps | ClockFinding::Slow | ClockFinding::Void => {}
        }
    }

    /// What is to be done now. Ask again until it says [`Due::At`].
    pub fn due(&mut self, now: Micros) -> Due {
        let dead_at = self.heard + DEAD_AFTER;
        if now >= dead_at {
            return Due::Dead;
        }
        let wanted = self.watch.as_mut().is_some_and(ClockCheck::wants_ping);
        let silent_at = self.heard.max(self.pinged) + SILENT;
        let gives = now.since(self.picture) < DEAD_AFTER;
        let at = if gives { self.next_ping.min(silent_at) } else { self.next_ping };
        if now < at && !wanted {
            return Due::At(at.min(dead_at));
        }
        self.pinged = now;
        if now >= self.next_ping {
            self.quick = self.quick.saturating_sub(1);
            self.next_ping = now + self.pause();
            self.pings += 1;
        }
        Due::Send(Box::new(Control::Ping { time: now.0 }))
    }

    /// From a ping to the next.
    fn pause(&self) -> Duration {
        if self.quick > 0 {
            return Duration::from_millis(CLOCK_EVERY[self.quick % CLOCK_EVERY.len()]);
        }
        if self.watch.is_none() || self.clock.is_sure() && self.pings >= EARLY_PINGS - 1 {
            return if self.pings + 1 < EARLY_PINGS { EARLY_EVERY } else { PING_EVERY };
        }
        let pause = Duration::from_millis(CLOCK_EVERY[self.pings % CLOCK_EVERY.len()]);
        match self.pings {
            0..MANY_PINGS => pause,
            MANY_PINGS..TOO_MANY_PINGS => 5 * pause,
            _ => 20 * pause,
        }
    }

    /// For how long nothing was heard.
    #[must_use]
    pub fn silence(&self, now: Micros) -> Duration {
        now.since(self.heard)
    }
}

/// The waits between tries to connect: at once, then 0.25, 0.5, 1, 2, 4, 4 s, each shortened by up to a quarter at random so
/// that a hundred viewers do not all come back in the same instant. A hub on this machine is asked once a second for good:
/// that costs nothing.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
    /// Waits since the last reason to hope.
    step: u32,
}

impl Backoff {
    /// How long to wait before the next try; `chance` is from 0 to 1, `local` says that the hub is on this machine.
    pub fn next(&mut self, chance: f64, local: bool) -> Duration {
        let step = self.step;
        self.tries = self.tries.saturating_add(1);
        self.step = self.step.saturating_add(1);
        if step == 0 {
            return Duration::ZERO;
        }
        let seconds = f64::from(1u32 << (step - 1).min(if local { 2 } else { 4 })) / 4.0;
        Duration::from_secs_f64(seconds * (1.0 - 0.25 * chance.clamp(0.0, 1.0)))
    }

    /// How often was tried since the last success.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// The connection held for a while: begin again with no wait. Not to be called for a connection that is refused
    /// right after it opened, or the tries follow each other without end.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The network is not what it was when it was tried last: the next waits are short again.
    pub fn network_changed(&mut self) {
        self.step = self.step.min(1);
    }
}

/// A round figure of a span for people: `340 ms`, `4 s`, `3 min`, `2 h`.
#[must_use]
pub fn in_words(span: Duration) -> String {
    match micros(span) / 1000 {
        ms @ 0..1000 => format!("{ms} ms"),
        ms @ 1000..120_000 => format!("{} s", ms / 1000),
        ms @ 120_000..7_200_000 => format!("{} min", ms / 60_000),
        ms => format!("{} h", ms / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Picture;

    pub(super) const START: Micros = Micros(1_000_000_000);
    pub(super) const MS: u64 = 1000;

    #[test]
    fn pings_come_quickly_at_first_and_silence_is_death() {
        let mut session = Session::new(START);
        let mut now = START;
        let mut sent = Vec::new();
        loop {
            match session.due(now) {
                Due::At(next) => now = next,
                Due::Send(ping) => match *ping {
                    Control::Ping { time } => sent.push((time - START.0) / MS),
                    other => panic!("{other:?}"),
                },
                Due::Dead => break,
            }
        }
        assert_eq!(sent, [0, 100, 200, 300, 400, 5400]);
        assert_eq!(now, START + DEAD_AFTER);
    }

    #[test]
    fn a_session_that_hears_something_lives() {
        let mut session = Session::new(START);
        for second in 0..100u64 {
            let now = START + Duration::from_secs(second);
            session.heard(now);
            while let Due::Send(_) = session.due(now) {}
            assert_ne!(session.due(now), Due::Dead);
        }
    }

    #[test]
    fn a_ping_is_answered_and_a_pong_is_learnt_from() {
        let (mut here, mut there) = (Session::new(START), Session::new(Micros(50)));
        let Due::Send(ping) = here.due(START) else { panic!("no ping") };
        let pong = there.control(&ping, Micros(50 + 300)).unwrap();
        assert_eq!(here.control(&pong, START + Duration::from_micros(600)), None);
        assert_eq!(here.clock.to_ours(PeerMicros(350)), Some(START + Duration::from_micros(300)));
    }

    /// A path with somebody at its other end, whose clock is ahead by so much; each way takes so long. In milliseconds.
    #[derive(Default)]
    pub(super) struct Path {
        ahead: i64,
        takes: u64,
        answers: std::collections::VecDeque<(Micros, Control)>,
    }

    impl Path {
        /// Sends what is due until so many milliseconds are over, and gives when pings left.
        pub(super) fn run(&mut self, session: &mut Session, now: &mut Micros, until: u64) -> Vec<u64> {
            let mut sent = Vec::new();
            while *now < START + Duration::from_millis(until) {
                while let Due::Send(ping) = session.due(*now) {
                    let Control::Ping { time } = *ping else { panic!("{ping:?}") };
                    sent.push((now.0 - START.0) / MS);
                    let theirs = now.0.wrapping_add_signed(self.ahead * 1000) + self.takes * MS;
                    let back = *now + Duration::from_millis(2 * self.takes);
                    self.answers.push_back((back, Control::Pong { time, now: theirs }));
                }
                while let Some((_, pong)) = self.answers.pop_front_if(|(at, _)| *at <= *now) {
                    session.control(&pong, *now);
                }
                *now = *now + Duration::from_millis(1);
            }
            sent
        }
    }

    pub(super) fn path(ahead: i64, takes: u64) -> Path {
        Path { ahead, takes, ..Path::default() }
    }

    #[test]
    fn the_clock_of_whoever_gives_pictures_is_asked_for_until_it_is_known_and_then_seldom() {
        let (mut session, mut now) = (Session::with_clock(START), START);
        let sent = path(7000, 75).run(&mut session, &mut now, 20_000);
        assert!(session.clock.is_sure());
        assert!(sent.iter().filter(|at| **at < 1000).count() <= 9 && sent.len() <= 14, "{sent:?}");
    }

    #[test]
    fn a_clock_that_never_is_known_costs_little_more() {
        let (mut session, mut now) = (Session::with_clock(START), START);
        let mut sent = 0;
        for second in 0..300 {
            // Answers come, but no two agree.
            sent += path(7000, 20 + 37 * second % 600).run(&mut session, &mut now, (second + 1) * 1000).len();
            session.clock = ClockOffset::default();
        }
        assert!(sent < 400, "{sent}");
    }

    /// A picture of that time of theirs comes: when it was captured, whether that is an estimate, and whether a guess.
    pub(super) fn comes(session: &mut Session, theirs: u64, spent: Duration, received: Micros) -> (Micros, bool, bool) {
        let mut picture = Picture::default();
        session.restate(&mut picture, PeerMicros(theirs), spent, received);
        (picture.captured, picture.estimated, picture.arrival)
    }

    /// Pictures, 30 a second, from a clock that is set by so much after ten seconds: ages that are told wrong without a
    /// flag, and until when any are told wrong, in milliseconds after the step.
    fn step(by: i64, takes: u64) -> (usize, u64) {
        let (mut session, mut now, mut path) = (Session::with_clock(START), START, path(70_000, takes));
        let (mut unflagged, mut until) = (0, 0);
        for at in (0..15_000).step_by(33) {
            if at >= 10_000 {
                path.ahead = 70_000 + by;
            }
            path.run(&mut session, &mut now, at);
            let captured = Micros((now.0 - takes * MS).wrapping_add_signed(path.ahead * 1000));
            let (ours, estimated, arrival) = comes(&mut session, captured.0, Duration::ZERO, now);
            let told = now.since(ours).as_millis().abs_diff(u128::from(takes));
            if told > 5 && at > 1000 {
                until = at.saturating_sub(10_000);
                unflagged += usize::from(!estimated || !arrival);
            }
        }
        (unflagged, until)
    }

    #[test]
    fn a_clock_that_was_set_is_an_estimate_at_once_and_right_within_a_second() {
        for takes in [0, 5, 75] {
            for by in [-60_000, -5000, -1000, 1000, 5000, 60_000] {
                let (unflagged, until) = step(by, takes);
                assert!(unflagged == 0 && until < 1000, "{by} ms, path {takes} ms: {unflagged}, {until}");
            }
            for by in [-90, -20, 20, 90] {
                let (_, until) = step(by, takes);
                assert!(until < 1000, "{by} ms, path {takes} ms: {until}");
            }
        }
    }

    #[test]
    fn whoever_gave_pictures_and_falls_silent_is_asked_every_second() {
        let (mut session, mut now) = (Session::with_clock(START), START);
        path(7000, 1).run(&mut session, &mut now, 6000);
        comes(&mut session, now.0 + 7_000_000, Duration::ZERO, now);
        session.heard(now);
        let mut sent = Vec::new();
        while now < START + Duration::from_millis(12_000) {
            if let Due::Send(_) = session.due(now) {
                sent.push((now.0 - START.0) / MS / 1000);
            }
            now = now + Duration::from_millis(10);
        }
        assert!(sent.len() >= 5, "{sent:?}");
    }

    #[test]
    fn after_a_sleep_the_other_side_is_asked_at_once_or_known_to_be_gone() {
        // The clock of `time::now` runs on in a sleep.
        for (slept, is_dead) in [(2, false), (9, false), (11, true), (36_000, true)] {
            let (mut session, mut now) = (Session::with_clock(START), START);
            path(7000, 1).run(&mut session, &mut now, 6000);
            comes(&mut session, now.0 + 7_000_000, Duration::ZERO, now);
            session.heard(now);
            match session.due(now + Duration::from_secs(slept)) {
                Due::Send(_) => assert!(!is_dead, "{slept}"),
                Due::Dead => assert!(is_dead, "{slept}"),
                due @ Due::At(_) => panic!("{slept}: {due:?}"),
            }
        }
    }

    #[test]
    fn waits_grow_to_four_seconds_and_no_further() {
        let mut backoff = Backoff::default();
        let mut waits = |local, count| -> Vec<_> {
            backoff.succeeded();
            (0..count).map(|_| backoff.next(0.0, local).as_millis()).collect()
        };
        assert_eq!(waits(false, 8), [0, 250, 500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(waits(true, 6), [0, 250, 500, 1000, 1000, 1000]);
        assert!(backoff.next(1.0, true) >= Duration::from_millis(750));
        backoff.succeeded();
        assert_eq!(backoff.next(0.5, false), Duration::ZERO);
    }

    #[test]
    fn another_network_is_tried_soon_and_the_tries_still_count() {
        let mut backoff = Backoff::default();
        for _ in 0..20 {
            backoff.next(0.0, false);
        }
        backoff.network_changed();
        assert_eq!((backoff.next(0.0, false).as_millis(), backoff.tries()), (250, 21));
    }
}
