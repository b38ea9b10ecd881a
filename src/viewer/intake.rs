//! The way of pictures from the link to the decoder: the newest one, or with a delay for even motion those that wait until they are due.
//!
//! They wait as they came. One of them is decoded, as soon as the one before was shown, and waits as pixels: so a decoder needs to be
//! no faster than pictures come, and how long it takes need not be known beforehand.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Received;
use crate::frame::Picture;
use crate::mailbox::{self, Taken, mailbox};
use crate::pacing::{Came, Smoother};
use crate::stats::Waited;
use crate::time::{Micros, now};

/// The longest delay.
pub(super) const LONGEST: Duration = Duration::from_secs(1);

struct State {
    smoother: Smoother<Received>,
    /// Pictures that were left out and not told of yet.
    left_out: usize,
    closed: bool,
}

/// Pictures that wait until they are due.
pub(super) struct Waiting {
    state: Mutex<State>,
    changed: Condvar,
}

/// What was there when a picture came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Pictures that the decoder should have taken by then. The hub sends fewer where that goes on.
    pub(super) backlog: u32,
    /// Pictures that were left out since the last one came. With a delay those that are late together are, however quick the decoder is.
    pub(super) skipped: u32,
}

/// The link's end. Dropping it ends it.
pub(super) enum Intake {
    Newest(mailbox::Sender<Received>),
    Smooth(Arc<Waiting>),
}

/// The decoder's end.
pub(super) enum Pictures {
    Newest(mailbox::Receiver<Received>),
    Smooth(Arc<Waiting>),
}

/// Both ends, with this delay or without one.
pub(super) fn intake(smooth: Option<Duration>) -> (Intake, Pictures) {
    let Some(delay) = smooth else {
        let (intake, pictures) = mailbox();
        return (Intake::Newest(intake), Pictures::Newest(pictures));
    };
    let state = Mutex::new(State { smoother: Smoother::new(delay), left_out: 0, closed: false });
    let waiting = Arc::new(Waiting { state, changed: Condvar::new() });
    (Intake::Smooth(waiting.clone()), Pictures::Smooth(waiting))
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, span: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, span).unwrap_or_else(PoisonError::into_inner).0
    }

    fn put(&self, received: Received) -> Left {
        let came = came(&received.picture, received.at);
        let mut state = self.lock();
        let is_behind = state.smoother.is_behind(received.at);
        let more = state.smoother.put(received, came);
        let skipped = std::mem::take(&mut state.left_out) + more;
        drop(state);
        self.changed.notify_all();
        Left { backlog: u32::from(is_behind), skipped: u32::try_from(skipped).unwrap_or(u32::MAX) }
    }

    fn take(&self, patience: Duration) -> Taken<Received> {
        let until = now() + patience;
        let mut state = self.lock();
        loop {
            let at = now();
            if state.closed {
                return Taken::Closed;
            }
            if let Some((_, received, left_out)) = state.smoother.take(at) {
                state.left_out += left_out;
                return Taken::Value(received);
            }
            if at >= until {
                return Taken::Nothing;
            }
            state = self.wait(state, until.since(at));
        }
    }

    /// Waits until this one is due; nothing, if the link has ended.
    fn hold(&self, came: &Came) -> Option<()> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let left = state.smoother.wait(came, now());
            if left.is_zero() {
                return Some(());
            }
            state = self.wait(state, left);
        }
    }
}

fn came(picture: &Picture, received: Micros) -> Came {
    Came { captured: picture.captured, is_guess: picture.arrival, received, bytes: picture.length() }
}

impl Intake {
    /// A picture came.
    pub(super) fn put(&self, received: Received) -> Left {
        match self {
            Self::Newest(pictures) => {
                let left = u32::from(pictures.put(received).is_some());
                Left { backlog: left, skipped: left }
            }
            Self::Smooth(waiting) => waiting.put(received),
        }
    }

    /// What comes from now on comes another way, or from somebody else.
    pub(super) fn begin_anew(&self) {
        if let Self::Smooth(waiting) = self {
            waiting.lock().smoother.begin_anew();
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        if let Self::Smooth(waiting) = self {
            waiting.lock().closed = true;
            waiting.changed.notify_all();
        }
    }
}

impl Pictures {
    /// The next picture to be decoded, waiting for one until `patience` has passed.
    pub(super) fn take(&self, patience: Duration) -> Taken<Received> {
        match self {
            Self::Newest(pictures) => pictures.take(patience),
            Self::Smooth(waiting) => waiting.take(patience),
        }
    }

    /// Since when one that was taken just now is in the decoder's hands: since it came, where it waited for nothing else.
    pub(super) fn taken_at(&self, received: Micros) -> Micros {
        match self {
            Self::Newest(_) => received,
            Self::Smooth(_) => now(),
        }
    }

    /// One was decoded that was taken then: says when, and how long it waited for being shown evenly, after having waited for that.
    /// Nothing: no more pictures are to be shown.
    pub(super) fn hold(&self, picture: &Picture, received: Micros, taken: Micros) -> Option<(Micros, Option<Waited>)> {
        let decoded = now();
        match self {
            Self::Newest(_) => Some((decoded, None)),
            Self::Smooth(waiting) => {
                waiting.hold(&came(picture, received))?;
                Some((decoded, Some(Waited { before: taken.since(received), after: now().since(decoded) })))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(sequence: u32, captured: Micros) -> Received {
        let picture = Picture { sequence, captured, data: vec![0; 9].into(), ..Picture::default() };
        Received { picture: Arc::new(picture), at: now(), error: None }
    }

    #[test]
    fn pictures_are_held_back_in_their_order_and_none_is_shown_before_it_is_due() {
        let delay = Duration::from_millis(30);
        let (intake, pictures) = intake(Some(delay));
        let begun = now();
        for sequence in 0..3 {
            assert_eq!(intake.put(picture(sequence, begun)), Left { backlog: 0, skipped: 0 });
        }
        let Taken::Value(first) = pictures.take(Duration::from_secs(9)) else { panic!() };
        let taken = pictures.taken_at(first.at);
        let (decoded, waited) = pictures.hold(&first.picture, first.at, taken).unwrap();
        let waited = waited.unwrap();
        assert_eq!(first.picture.sequence, 0);
        assert!(now().since(begun) >= delay && decoded + waited.after >= begun + delay);
        assert_eq!(waited.before, taken.since(first.at));
        // The others are due by now: the newest of them wins, and that is told with the next that comes.
        let Taken::Value(last) = pictures.take(Duration::ZERO) else { panic!() };
        assert_eq!(last.picture.sequence, 2);
        assert_eq!(intake.put(picture(3, now())), Left { backlog: 0, skipped: 1 });
    }

    #[test]
    fn who_holds_a_picture_back_or_waits_for_one_ends_with_the_link() {
        for has_picture in [false, true] {
            let (intake, pictures) = intake(Some(LONGEST));
            let ends = std::thread::spawn(move || {
                let Taken::Value(held) = pictures.take(LONGEST * 100) else { return };
                // It would be due in a hundred seconds, if the link did not end.
                while pictures.hold(&held.picture, held.at + LONGEST * 100, held.at).is_some() {}
            });
            if has_picture {
                intake.put(picture(1, now() + LONGEST * 100));
            }
            drop(intake);
            ends.join().unwrap();
        }
    }
}
