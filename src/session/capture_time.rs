//! When pictures were captured, in our clock, and how well that is known.

use std::time::Duration;

use super::Session;
use super::clock::signed;
use super::clock_check::ClockCheck;
use crate::frame::{AudioPacket, Picture};
use crate::time::{Micros, PeerMicros, micros};

/// No picture is older, in microseconds: 30 days. Whoever says so has a clock that makes no sense.
const OLDEST: i64 = 30 * 86_400_000_000;

/// When a picture was captured, and how well that is known: as [`Picture`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// When.
    pub at: Micros,
    /// It is an estimate.
    pub estimated: bool,
    /// Nobody knows how far off it may be.
    pub arrival: bool,
}

/// The newest picture, as long as its time of capture is an estimate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    /// When it was captured, by the other side's clock, and whether that is an estimate there, or a guess.
    told: (PeerMicros, bool, bool),
    spent: Duration,
    received: Micros,
    /// What was said of it last.
    known: Captured,
}

impl Session {
    /// A picture came, all of it at `received`, and was `captured` then by the other side's clock: says in it when that was by
    /// ours, and how well that is known. `spent` is the time that is known to have passed between capture and sending.
    ///
    /// Without an answer yet, or with a time that the translation puts into the future or a month back, the picture counts
    /// as taken when it was received, less the time `spent`. That is a guess; so is every time of a clock in doubt.
    pub fn restate(&mut self, picture: &mut Picture, captured: PeerMicros, spent: Duration, received: Micros) {
        let told = (captured, picture.estimated, picture.arrival);
        self.picture = received;
        if let (Some(age), Some(error), Some(watch)) =
            (self.age(captured, received), self.clock.error(), &mut self.watch)
        {
            watch.picture(age.saturating_sub(signed(micros(spent))), signed(micros(error)), received);
        }
        let known = self.captured(told, spent, received);
        self.newest = (known.estimated || known.arrival).then_some(Newest { told, spent, received, known });
        (picture.captured, picture.estimated, picture.arrival) = (known.at, known.estimated, known.arrival);
    }

    /// The same for a packet of sound, of which nothing more is said later.
    pub fn restate_audio(&self, audio: &mut AudioPacket, captured: PeerMicros, spent: Duration, received: Micros) {
        let known = self.captured((captured, audio.estimated, audio.arrival), spent, received);
        (audio.captured, audio.estimated, audio.arrival) = (known.at, known.estimated, known.arrival);
    }

    /// What is known by now of the newest picture's capture, where that is more than when it was last asked: the first
    /// picture of a connection comes before the first answer, and may be the only one.
    pub fn restated(&mut self) -> Option<Captured> {
        let Newest { told, spent, received, known: before } = self.newest?;
        let known = self.captured(told, spent, received);
        if known == before {
            return None;
        }
        self.newest = (known.estimated || known.arrival).then_some(Newest { told, spent, received, known });
        Some(known)
    }

    /// How old a picture is, in microseconds; `None` before the first answer.
    fn age(&self, theirs: PeerMicros, received: Micros) -> Option<i64> {
        self.clock.to_ours(theirs).map(|ours| received.0.wrapping_sub(ours.0).cast_signed())
    }

    fn captured(
        &self,
        (theirs, estimated, arrival): (PeerMicros, bool, bool),
        spent: Duration,
        received: Micros,
    ) -> Captured {
        let guess = Captured { at: received - spent, estimated: true, arrival: true };
        let at = match self.age(theirs, received) {
            // Clocks that are a little off may take a picture for one of the future.
            Some(-20_000..0) => received,
            Some(age @ 0..=OLDEST) => match received.0.checked_sub(age.unsigned_abs()) {
                Some(ours) => Micros(ours),
                // It is older than our clock: at least so old.
                None => return Captured { at: Micros(0), ..guess },
            },
            _ => return guess,
        };
        let doubts = self.watch.as_ref().is_some_and(ClockCheck::doubts);
        Captured { at, estimated: estimated || doubts || !self.clock.is_sure(), arrival: arrival || doubts }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{MS, START, comes, path};
    use super::*;
    use crate::wire::control::Control;

    #[test]
    fn a_capture_time_is_honest_about_what_is_not_known() {
        let (mut session, spent) = (Session::with_clock(START), Duration::from_millis(3));
        assert_eq!(comes(&mut session, 12, spent, START), (START - spent, true, true));
        let mut now = START;
        path(1, 1).run(&mut session, &mut now, 1000);
        let received = START + Duration::from_millis(1009);
        assert_eq!(
            comes(&mut session, START.0 + 1005 * MS, spent, received),
            (Micros(START.0 + 1004 * MS), false, false)
        );
        // A publisher that lies about its time does not make a picture from the future or of last year.
        for theirs in [1 << 63, received.0 + 30_000, received.0.wrapping_sub(31 * 86_400_000_000)] {
            assert_eq!(comes(&mut session, theirs, spent, received), (received - spent, true, true), "{theirs}");
        }
    }

    /// A session on a machine that runs for so many hours, with somebody whose clock is known.
    fn known(hours: u64) -> (Session, Micros) {
        let start = Micros(hours * 3_600_000_000);
        let mut session = Session::with_clock(start);
        session.control(
            &Control::Pong { time: start.0, now: start.0 + 5 * 3_600_000_000 + MS },
            start + Duration::from_millis(2),
        );
        (session, start + Duration::from_millis(2))
    }

    #[test]
    fn an_old_picture_is_as_old_as_it_is() {
        const HOUR: u64 = 3_600_000_000;
        let spent = Duration::from_millis(1048);
        for minutes in [1, 59, 61, 600, 29 * 24 * 60] {
            let (mut session, now) = known(1000);
            let theirs = now.0 + 5 * HOUR - minutes * 60_000_000;
            let (captured, ..) = comes(&mut session, theirs, spent, now);
            assert_eq!(now.since(captured), Duration::from_secs(60 * minutes), "{minutes}");
        }
        // Older than our own clock: at least so old, and nobody knows by how much more.
        let (mut session, now) = known(1);
        assert_eq!(comes(&mut session, now.0, spent, now), (Micros(0), true, true));
    }

    #[test]
    fn a_picture_that_came_before_the_clock_was_known_is_restated() {
        let hour = Duration::from_secs(3600);
        let mut session = Session::with_clock(START + 2 * hour);
        let received = START + 2 * hour + Duration::from_millis(1);
        let guess = comes(&mut session, START.0 + 7000 * MS, Duration::ZERO, received);
        assert_eq!((guess, session.restated()), ((received, true, true), None));
        // It was captured two hours ago; theirs is ahead by seven seconds.
        let sent = received + Duration::from_millis(1);
        session.control(&Control::Pong { time: sent.0, now: sent.0 + 7001 * MS }, sent + Duration::from_millis(2));
        // As long as nobody knows why it took so long, it is a guess; then it is none.
        let captured = session.restated().unwrap();
        assert_eq!(captured.at, START);
        assert_eq!((captured.estimated, captured.arrival, session.restated()), (false, false, None));
    }

    #[test]
    fn what_was_a_guess_before_it_came_stays_one() {
        let (mut session, now) = known(1000);
        for (estimated, arrival) in [(true, false), (true, true)] {
            let theirs = PeerMicros(now.0 + 5 * 3_600_000_000);
            let mut picture = Picture { estimated, arrival, ..Picture::default() };
            session.restate(&mut picture, theirs, Duration::ZERO, now + Duration::from_millis(2));
            assert_eq!((picture.estimated, picture.arrival), (estimated, arrival));
        }
    }
}
