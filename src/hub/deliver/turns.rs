//! Whose turn it is of those who have said more than one turn took.

use std::collections::VecDeque;

use crate::time::Micros;

/// The connections with more to read, by their tokens; who has waited longest comes first.
#[derive(Debug, Default)]
pub(super) struct Turns(VecDeque<(usize, Micros)>);

impl Turns {
    /// A connection was read. Says whether there is more, from a time on.
    pub(super) fn was_read(&mut self, token: usize, reads_at: Option<Micros>) -> bool {
        self.0.extend(reads_at.map(|due| (token, due)));
        reads_at.is_some()
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
    use crate::net::connection::Drained;

    #[test]
    fn who_sends_messages_without_end_rests_and_who_sends_a_large_picture_does_not() {
        let (mut turns, at) = (Turns::default(), Micros(1_000_000));
        assert!(!turns.was_read(1, Drained::Yes.reads_at(at)));
        assert!(turns.was_read(2, Drained::Flooded.reads_at(at)));
        assert!(turns.was_read(3, Drained::Partly.reads_at(at)));
        assert!(turns.was_read(4, Drained::Partly.reads_at(at)));
        turns.forget(4);
        assert_eq!((turns.next_at(), turns.next(at), turns.next(at)), (Some(at), Some(3), None));
        let later = turns.next_at().unwrap();
        assert!(later > at);
        assert_eq!((turns.next(later), turns.len()), (Some(2), 0));
    }
}
