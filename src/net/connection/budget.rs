//! How much of what a peer sends is dealt with before it is the others' turn.

use std::time::Duration;

use crate::time::Micros;

/// Bytes of one turn: some large pictures, at what copying costs.
const BYTES: usize = 1 << 20;
/// Messages of one turn. However small they are, each is work: parsed, counted, answered perhaps.
const MESSAGES: usize = 256;
/// Bytes of texts of one turn, JSON that is. Where all of it is small values it takes 60 ns a byte, so a millisecond in all.
const TEXTS: usize = 16 * 1024;
/// What is read at once where no message is under way that lacks more: the picture of a small camera.
const USUAL_READ: usize = 64 * 1024;

/// What one connection may still take of this turn.
#[derive(Debug, Default)]
pub(super) struct ReadBudget {
    bytes: usize,
    messages: usize,
    texts: usize,
}

impl ReadBudget {
    /// So many bytes came.
    pub(super) fn bytes(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_add(count);
    }

    /// A message came.
    pub(super) fn message(&mut self) {
        self.messages += 1;
    }

    /// A message was so many bytes of JSON.
    pub(super) fn text(&mut self, length: usize) {
        self.texts += length;
    }

    /// Whether it is the others' turn because of many messages or texts, and not of large pictures.
    pub(super) fn is_flooded(&self) -> bool {
        self.messages >= MESSAGES || self.texts >= TEXTS
    }

    /// Whether it is the others' turn.
    pub(super) fn is_spent(&self) -> bool {
        self.bytes >= BYTES || self.is_flooded()
    }
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing is left to read; the poll tells when there is.
    Yes,
    /// There may be more, and it is the others' turn: read again without waiting for the poll.
    Partly,
    /// As `Partly`, and what came was more messages than anybody has to say.
    Flooded,
}

/// How long nothing is read of a connection that filled a turn with messages: 25 600 messages a second are more than any
/// honest peer has to say, and cost a small part of a processor. Its socket fills, and TCP holds its sender back.
const REST: Duration = Duration::from_millis(10);

impl Drained {
    /// From when on to read again without waiting for the poll; `None` where the poll tells.
    #[must_use]
    pub fn reads_at(self, now: Micros) -> Option<Micros> {
        match self {
            Self::Yes => None,
            Self::Partly => Some(now),
            Self::Flooded => Some(now + REST),
        }
    }
}

/// How much to read into a buffer of `room` bytes when the message under way lacks so many: a large picture in few calls, and
/// of small messages no more than a few turns' worth.
pub(super) fn read_size(missing: usize, room: usize) -> usize {
    missing.saturating_add(USUAL_READ).min(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_over_after_so_many_bytes_or_so_many_messages() {
        let mut large = ReadBudget::default();
        for _ in 0..4 {
            assert!(!large.is_spent());
            large.bytes(BYTES / 4);
            large.message();
        }
        assert!(large.is_spent() && !large.is_flooded());
        let mut small = ReadBudget::default();
        small.bytes(1);
        for _ in 0..MESSAGES {
            assert!(!small.is_spent());
            small.message();
        }
        assert!(small.is_spent() && small.is_flooded());
    }

    #[test]
    fn a_large_picture_is_read_in_large_pieces_and_small_messages_are_not() {
        assert_eq!(read_size(0, 256 * 1024), USUAL_READ);
        assert_eq!(read_size(100_000, 256 * 1024), 100_000 + USUAL_READ);
        assert_eq!(read_size(usize::MAX, 256 * 1024), 256 * 1024);
    }
}
