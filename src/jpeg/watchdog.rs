//! Watches over a codec's thread: one whose call takes too long is given up, and another takes its place.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::{Micros, Standstill};

/// A call of a codec that takes longer is given up.
pub const TOO_LONG: Duration = Duration::from_secs(2);
/// Threads that were given up and are still at work, at most: each has a picture's memory and a core.
const MOST_GIVEN_UP: u32 = 2;

/// Whose turn it is. A thread has a number, says when a call begins and ends, and goes when it is no longer its turn.
#[derive(Debug)]
pub struct Watchdog {
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    turn: u64,
    began: Option<Micros>,
    standstill: Standstill,
    given_up: u32,
    told: bool,
}

/// What a look at the thread says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It works, or waits.
    Fine,
    /// It was given up: a thread with this number is to take over.
    Replace(u64),
    /// It takes too long, and so do too many before it: said once, and waited for.
    Hangs,
}

impl Watchdog {
    /// For calls that may take `patience`, [`TOO_LONG`] as a rule. The first thread has the number 0.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { patience, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Thread `turn` begins a call; false: it was given up.
    #[must_use]
    pub fn begins(&self, turn: u64, now: Micros) -> bool {
        let mut state = self.state();
        if state.turn != turn {
            return false;
        }
        state.began = Some(now);
        true
    }

    /// The call of thread `turn` is over; false: it was given up meanwhile, and what it made is not wanted any more.
    #[must_use]
    pub fn ends(&self, turn: u64) -> bool {
        let mut state = self.state();
        if state.turn != turn {
            state.given_up = state.given_up.saturating_sub(1);
            return false;
        }
        (state.began, state.told) = (None, false);
        true
    }

    /// Looks whether the call that is under way takes too long. To be asked more than once a second: the time that this
    /// program was stopped is not the codec's.
    pub fn look(&self, now: Micros) -> Look {
        let mut state = self.state();
        if state.standstill.look(now).is_some() {
            state.began = state.began.map(|_| now);
        }
        if state.began.is_none_or(|began| now.since(began) <= self.patience) {
            return Look::Fine;
        }
        if state.given_up >= MOST_GIVEN_UP {
            return if std::mem::replace(&mut state.told, true) { Look::Fine } else { Look::Hangs };
        }
        state.given_up += 1;
        state.turn += 1;
        state.began = None;
        Look::Replace(state.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Micros {
        Micros(ms * 1000)
    }

    /// What is said at `to` by who looks every 500 ms from `from` on.
    fn looked(watch: &Watchdog, from: u64, to: u64) -> Look {
        for ms in (from..to).step_by(500) {
            assert_eq!(watch.look(at(ms)), Look::Fine, "{ms}");
        }
        watch.look(at(to))
    }

    #[test]
    fn a_call_that_takes_too_long_is_given_up_and_its_thread_replaced() {
        let watch = Watchdog::new(TOO_LONG);
        assert!(watch.begins(0, at(0)));
        assert_eq!(looked(&watch, 0, 2000), Look::Fine);
        assert_eq!(watch.look(at(2001)), Look::Replace(1));
        assert!(watch.begins(1, at(2100)) && watch.ends(1));
        assert!(!watch.ends(0), "what comes so late is not wanted");
        assert!(!watch.begins(0, at(9000)), "and it goes");
        assert_eq!(looked(&watch, 2500, 60_000), Look::Fine, "who waits for pictures is not at work");
    }

    #[test]
    fn threads_that_are_given_up_do_not_pile_up() {
        let watch = Watchdog::new(TOO_LONG);
        for turn in 0..2 {
            assert!(watch.begins(turn, at(turn * 3000)));
            assert_eq!(looked(&watch, turn * 3000, turn * 3000 + 2001), Look::Replace(turn + 1));
        }
        assert!(watch.begins(2, at(6000)));
        assert_eq!([looked(&watch, 5001, 8001), watch.look(at(9000))], [Look::Hangs, Look::Fine], "said once");
        assert!(!watch.ends(0));
        assert_eq!(watch.look(at(9600)), Look::Replace(3), "one has come back");
    }

    #[test]
    fn the_time_that_the_program_was_stopped_is_not_the_codecs() {
        let watch = Watchdog::new(TOO_LONG);
        assert_eq!(watch.look(at(0)), Look::Fine);
        assert!(watch.begins(0, at(400)));
        assert_eq!(looked(&watch, 60_000, 62_000), Look::Fine);
        assert_eq!(watch.look(at(62_001)), Look::Replace(1));
    }
}
