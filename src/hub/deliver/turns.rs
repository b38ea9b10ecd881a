//! Whose turn it is of those who have said more than one turn took.

use std::collections::VecDeque;
use std::time::Duration;

use crate::net::connection::Drained;
use crate::time::Micros;

/// How long nothing is read of a connection that filled a turn with messages: 25 600 messages a second are more than any
/// honest peer has to say, and cost a small part of a processor. Its socket fills, and TCP holds its sender back.
const REST: Duration = Duration::from_millis(10);

/// The connections with more to read, by their tokens; who has waited longest comes first.
#[derive(Debug, Default)]
pub(super) struct Turns(VecDeque<(usize, Micros)>);

impl Turns {
    /// A connection was read, and there is more.
    pub(super) fn not_drained(&mut self, token: usize, drained: Drained, now: Micros) {
        let due = if drained == Drained::Flooded { now + REST } else { now };
        self.0.push_back((token, due));
    }

    /// Whose turn it is now, and no more.
    pub(super) fn next(&mut self, now: Micros) -> Option<usize> {
        let at = self.0.iter().position(|(_, due)| *due <= now)?;
        self.0.remove(at).map(|(token, _)| token)
    }

    /// When somebody's turn comes.
    pub(super) fn next_at(&self) -> Option<Micros> {
        self.0.iter().map(|(_, due)| *due).min()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, token: usize) {
        self.0.retain(|(waits, _)| *waits != token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_messages_without_end_rests_and_who_sends_a_large_picture_does_not() {
        let (mut turns, at) = (Turns::default(), Micros(1_000_000));
        turns.not_drained(2, Drained::Flooded, at);
        turns.not_drained(3, Drained::Partly, at);
        turns.not_drained(4, Drained::Partly, at);
        turns.forget(4);
        assert_eq!((turns.next_at(), turns.next(at), turns.next(at)), (Some(at), Some(3), None));
        assert_eq!(turns.next_at(), Some(at + REST));
        assert_eq!((turns.next(at + REST), turns.len()), (Some(2), 0));
    }
}
