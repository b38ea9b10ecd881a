//! The rules of a connection that is open: heartbeat, liveness, and what the other side's clock says.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::{Micros, micros};
use crate::wire::control::Control;

/// How often a side asks the other, once the clocks are known.
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// Silence for so long means that the other side is dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(10);

/// The first pings come quickly, so that the age of the very first pictures is nearly right.
const EARLY_PINGS: u32 = 5;
const EARLY_EVERY: Duration = Duration::from_millis(100);
/// With fewer answers than this the offset is only an estimate.
const SURE_AFTER: usize = 3;
/// A minute of pings: long enough to meet a quiet moment of the network, short enough that two clocks that differ by
/// 20 millionths do not part by more than a millisecond.
const WINDOW: usize = 12;

/// How far another machine's clock is ahead, taken from the fastest round trips of a window.
///
/// The idea is NTP's clock filter (RFC 5905, section 10): of several answers the one with the shortest round trip was
/// delayed least, so its offset is the nearest; the error is half of its round trip at most.
#[derive(Debug, Default)]
pub struct ClockOffset {
    answers: VecDeque<(u64, i64)>,
}

impl ClockOffset {
    /// Notes an answer: the ping left at `sent`, the other clock said `theirs`, the answer came at `received`.
    pub fn answer(&mut self, sent: Micros, theirs: Micros, received: Micros) {
        if received < sent {
            return;
        }
        let round_trip = received.0 - sent.0;
        let middle = sent.0 + round_trip / 2;
        if self.answers.len() == WINDOW {
            self.answers.pop_front();
        }
        self.answers.push_back((round_trip, theirs.0.wrapping_sub(middle).cast_signed()));
    }

    fn best(&self) -> Option<(u64, i64)> {
        self.answers.iter().min().copied()
    }

    /// Their point in time on our clock; `None` before the first answer.
    #[must_use]
    pub fn to_ours(&self, theirs: Micros) -> Option<Micros> {
        self.best().map(|(_, offset)| Micros(theirs.0.wrapping_sub(offset.cast_unsigned())))
    }

    /// Whether enough answers came for the offset to be more than an estimate.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.answers.len() >= SURE_AFTER
    }

    /// The shortest round trip of the window.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.best().map(|(round_trip, _)| Duration::from_micros(round_trip))
    }
}

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
    heard: Micros,
    next_ping: Micros,
    pings: u32,
}

impl Session {
    /// A session that opened `now`.
    #[must_use]
    pub fn new(now: Micros) -> Self {
        Self { clock: ClockOffset::default(), heard: now, next_ping: now, pings: 0 }
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
                self.clock.answer(Micros(time), Micros(theirs), now);
                None
            }
            _ => None,
        }
    }

    /// What is to be done now. Ask again until it says [`Due::At`].
    pub fn due(&mut self, now: Micros) -> Due {
        let dead_at = self.heard + DEAD_AFTER;
        if now >= dead_at {
            return Due::Dead;
        }
        if now < self.next_ping {
            return Due::At(self.next_ping.min(dead_at));
        }
        self.pings += 1;
        self.next_ping = now + if self.pings < EARLY_PINGS { EARLY_EVERY } else { PING_EVERY };
        Due::Send(Box::new(Control::Ping { time: now.0 }))
    }

    /// For how long nothing was heard.
    #[must_use]
    pub fn silence(&self, now: Micros) -> Duration {
        now.since(self.heard)
    }
}

/// A capture time of the other side on our clock, and whether it is an estimate.
///
/// Without an answer yet, or with a time that the translation puts into the future or unbelievably far back, the
/// picture counts as taken when it was received, less the time that is known to have been `spent` before that.
#[must_use]
pub fn capture_time(clock: &ClockOffset, theirs: Micros, spent: Duration, received: Micros) -> (Micros, bool) {
    const FAR: Duration = Duration::from_secs(3600);
    let latest = received - spent;
    match clock.to_ours(theirs) {
        // An offset is wrong by half a round trip at most; within that, clamp what lies in the future.
        Some(ours) if ours <= received + Duration::from_millis(20) && received.since(ours) < FAR => {
            (ours.min(received), !clock.is_sure())
        }
        _ => (latest, true),
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

    const START: Micros = Micros(1_000_000_000);
    const MS: u64 = 1000;

    #[test]
    fn the_offset_comes_from_the_fastest_round_trip() {
        let mut clock = ClockOffset::default();
        assert_eq!(clock.to_ours(Micros(5)), None);
        // Their clock is 7 s ahead. A slow answer that is late on one way only misleads; the fast one is believed.
        clock.answer(START, START + Duration::from_millis(7000 + 190), START + Duration::from_millis(200));
        clock.answer(START, START + Duration::from_millis(7000 + 1), START + Duration::from_millis(2));
        let ours = clock.to_ours(START + Duration::from_secs(7)).unwrap();
        assert_eq!(ours, START);
        assert_eq!(clock.round_trip(), Some(Duration::from_millis(2)));
        assert!(!clock.is_sure());
        clock.answer(START, START + Duration::from_millis(7100), START + Duration::from_millis(300));
        assert!(clock.is_sure());
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut clock = ClockOffset::default();
        for i in 0..100u64 {
            let sent = START + Duration::from_secs(5 * i);
            let theirs = Micros(sent.0 + 500 + 100 * i);
            clock.answer(sent, theirs, sent + Duration::from_millis(1));
        }
        let theirs = Micros(START.0 + 500 * 1_000_000 + 10_000);
        let ours = clock.to_ours(theirs).unwrap();
        assert!(ours.0.abs_diff(theirs.0 - 10_000) < 2 * MS, "{ours:?}");
    }

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
        assert_eq!(here.clock.to_ours(Micros(350)), Some(START + Duration::from_micros(300)));
    }

    #[test]
    fn a_capture_time_is_honest_about_what_is_not_known() {
        let mut clock = ClockOffset::default();
        let spent = Duration::from_millis(3);
        assert_eq!(capture_time(&clock, Micros(12), spent, START), (START - spent, true));
        for _ in 0..3 {
            clock.answer(START, Micros(START.0 + 1000), START + Duration::from_micros(2000));
        }
        assert_eq!(
            capture_time(&clock, Micros(START.0 + 4000), spent, START + Duration::from_millis(9)),
            (Micros(START.0 + 4000), false)
        );
        // A publisher that lies about its time does not make a picture from the future or of last year.
        assert!(capture_time(&clock, Micros(u64::MAX), spent, START).1);
        assert!(capture_time(&clock, Micros(0), spent, START + Duration::from_secs(4000)).1);
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
