//! Room for one: the hand-off between two threads that keeps the newest value and gives back what it replaced.
//!
//! This is the first rule of the program made into a type. Nothing that carries pictures is a queue, unless a viewer's user has asked
//! for that (`pacing/smoothing.rs`).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

struct Slot<T> {
    value: Option<T>,
    closed: bool,
}

struct Shared<T> {
    slot: Mutex<Slot<T>>,
    filled: Condvar,
}

/// The end that puts values in. Dropping it closes the mailbox.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// The end that takes values out. Dropping it closes the mailbox.
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

/// What a [`Receiver`] got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    /// The newest value.
    Value(T),
    /// Nothing came within the time.
    Nothing,
    /// The sender is gone and nothing is left.
    Closed,
}

/// A mailbox with room for one value.
#[must_use]
pub(crate) fn mailbox<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared { slot: Mutex::new(Slot { value: None, closed: false }), filled: Condvar::new() });
    (Sender(shared.clone()), Receiver(shared))
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }
}

impl<T> Sender<T> {
    /// Puts a value in; an older one that nobody took is given back, and counted. Never waits.
    pub(crate) fn put(&self, value: T) -> Option<T> {
        self.put_or_join(value, |_, value| Some(value))
    }

    /// As [`put`](Self::put), but one that nobody took may take the new one in: `join` gives back what it does not.
    pub(crate) fn put_or_join(&self, value: T, join: impl FnOnce(&mut T, T) -> Option<T>) -> Option<T> {
        let mut slot = self.0.lock();
        let left = match &mut slot.value {
            Some(old) => join(old, value),
            None => Some(value),
        };
        let old = left.and_then(|value| slot.value.replace(value));
        drop(slot);
        self.0.filled.notify_one();
        old
    }

    /// Whether the receiver is gone.
    #[must_use]
    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }
}

impl<T> Receiver<T> {
    /// The newest value, waiting for one until `patience` has passed.
    pub(crate) fn take(&self, patience: Duration) -> Taken<T> {
        // A century is for ever, and can be added to the clock.
        let deadline = Instant::now() + patience.min(Duration::from_secs(100 * 365 * 86_400));
        let mut slot = self.0.lock();
        loop {
            if let Some(value) = slot.value.take() {
                return Taken::Value(value);
            }
            if slot.closed {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Nothing;
            }
            slot = self.0.filled.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether there is a value to take.
    #[must_use]
    pub(crate) fn has_value(&self) -> bool {
        self.0.lock().value.is_some()
    }

    /// The newest value if there is one now.
    #[must_use]
    pub(crate) fn try_take(&self) -> Option<T> {
        self.take_if(|_| true)
    }

    /// The newest value if there is one now, and it is such a one.
    #[must_use]
    pub(crate) fn take_if(&self, is: impl FnOnce(&T) -> bool) -> Option<T> {
        self.0.lock().value.take_if(|value| is(value))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.close();
        self.0.lock().value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    #[test]
    fn the_newest_wins_and_what_it_replaced_is_given_back() {
        let (sender, receiver) = mailbox();
        assert_eq!(sender.put(1), None);
        assert_eq!(sender.put(2), Some(1));
        assert_eq!(sender.put(3), Some(2));
        assert_eq!(receiver.take(SHORT), Taken::Value(3));
        assert_eq!(receiver.take(SHORT), Taken::Nothing);
    }

    #[test]
    fn what_belongs_together_is_taken_together_and_nothing_else_waits() {
        let (sender, receiver) = mailbox();
        let same_ten = |old: &mut Vec<i32>, new: Vec<i32>| {
            if old[0] / 10 != new[0] / 10 {
                return Some(new);
            }
            old.extend(new);
            None
        };
        assert_eq!(sender.put_or_join(vec![10], same_ten), None);
        assert_eq!(sender.put_or_join(vec![11], same_ten), None);
        assert_eq!(receiver.take_if(|value| value[0] / 10 == 2), None);
        assert_eq!(receiver.take_if(|value| value[0] / 10 == 1), Some(vec![10, 11]));
        assert_eq!(sender.put_or_join(vec![12], same_ten), None);
        assert_eq!(sender.put_or_join(vec![20], same_ten), Some(vec![12]));
        assert_eq!(receiver.try_take(), Some(vec![20]));
    }

    #[test]
    fn the_last_value_outlives_the_sender() {
        let (sender, receiver) = mailbox();
        sender.put(1);
        drop(sender);
        assert_eq!(receiver.take(SHORT), Taken::Value(1));
        assert_eq!(receiver.take(SHORT), Taken::<i32>::Closed);
    }

    #[test]
    fn a_sender_learns_that_the_receiver_is_gone() {
        let (sender, receiver) = mailbox::<i32>();
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed());
    }

    #[test]
    fn a_waiting_receiver_wakes_when_a_value_comes() {
        let (sender, receiver) = mailbox();
        let waiting = std::thread::spawn(move || receiver.take(Duration::from_secs(10)));
        sender.put(7);
        assert_eq!(waiting.join().unwrap(), Taken::Value(7));
    }
}
