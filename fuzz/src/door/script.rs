//! What is done with a connection that is encrypted, as the bytes of a fuzzer say.

use super::line::{Line, Server};
use super::records::{ALERT, CLOSE_NOTIFY, Client, DATA, HEAD};

/// rustls takes no more records in a row that say nothing.
const EMPTY: usize = 32;

/// What came of it.
#[derive(Default)]
pub(super) struct Told {
    /// What was said in right records up to where something was wrong.
    pub(super) content: Vec<u8>,
    /// Nothing that came after it can count: it was tampered with, or had an end.
    pub(super) frozen: bool,
    /// So not all of the content must have come.
    pub(super) broken: bool,
}

struct Teller<'a, S> {
    line: &'a mut Line<S>,
    client: &'a mut Client,
    told: Told,
    /// What is not sent yet.
    wire: Vec<u8>,
    step: usize,
    last: Vec<u8>,
    /// So many records in a row have said nothing.
    empty: usize,
}

/// Says the content in records as the script says, and what is left of it in one. `early`: what is sent before.
pub(super) fn tell<S: Server>(
    line: &mut Line<S>,
    client: &mut Client,
    early: Vec<u8>,
    script: &[u8],
    mut content: &[u8],
) -> Told {
    let mut teller =
        Teller { line, client, told: Told::default(), wire: early, step: usize::MAX, last: Vec::new(), empty: 0 };
    for op in script.chunks_exact(2) {
        let (kind, high, low) = (op[0] % 16, usize::from(op[0] / 16), usize::from(op[1]));
        let mut take = |most: usize| {
            let (piece, rest) = content.split_at(most.min(content.len()));
            content = rest;
            piece
        };
        match kind {
            0..=3 => teller.data(take(low + 1), 0),
            4 => teller.data(take(64 * (low + 1)), 0),
            5 => take(low % 64 + 1).chunks(1).for_each(|byte| teller.data(byte, 0)),
            6 => (0..low % 32).for_each(|_| teller.data(&[], 0)),
            7 => teller.data(take(high * 16), 1 + 64 * low),
            8 => teller.sends(),
            9 => teller.step = low + 1,
            10 => {
                let bytes = std::mem::take(&mut teller.wire);
                teller.line.write(&bytes);
            }
            11 => teller.flips(take(1 + low % 32), 256 * high + low),
            12 => teller.breaks_with(take(low + 1)),
            13 => teller.repeats(low),
            14 => {
                let kind = 20 + u8::try_from(high % 8).unwrap();
                teller.strange(if kind == DATA { ALERT } else { kind }, take(low % 16));
            }
            _ if low % 4 == 0 => {
                teller.seals(ALERT, CLOSE_NOTIFY, 0);
                teller.told.frozen = true;
            }
            _ => teller.sends(),
        }
    }
    content.chunks(super::records::LONGEST).for_each(|piece| teller.data(piece, 0));
    teller.sends();
    teller.told
}

impl<S: Server> Teller<'_, S> {
    fn data(&mut self, said: &[u8], zeros: usize) {
        if !self.told.frozen {
            self.told.content.extend_from_slice(said);
        }
        self.seals(DATA, said, zeros);
    }

    fn seals(&mut self, kind: u8, said: &[u8], zeros: usize) {
        self.last = self.client.seal(kind, said, zeros);
        self.wire.extend_from_slice(&self.last);
        self.empty = if said.is_empty() { self.empty + 1 } else { 0 };
        if self.empty > EMPTY {
            self.breaks();
        }
    }

    /// What is sent so far is read.
    fn sends(&mut self) {
        let bytes = std::mem::take(&mut self.wire);
        self.line.write_in_pieces(&bytes, self.step);
        self.line.run();
    }

    fn breaks(&mut self) {
        (self.told.frozen, self.told.broken) = (true, true);
    }

    /// A record with one bit that is another.
    fn flips(&mut self, said: &[u8], at: usize) {
        let mut record = self.client.seal(DATA, said, 0);
        let bit = at % (8 * record.len());
        record[bit / 8] ^= 1 << (bit % 8);
        // Nothing vouches for the kind and the version in the head of a record: they count for nothing (RFC 8446, section 5.2).
        if bit / 8 < HEAD - 2 && !self.told.frozen {
            self.told.content.extend_from_slice(said);
            self.told.broken = true;
        } else {
            self.breaks();
        }
        self.wire.extend_from_slice(&record);
    }

    fn breaks_with(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.breaks();
            self.wire.extend_from_slice(bytes);
        }
    }

    /// A record comes twice, or one is missing.
    fn repeats(&mut self, kind: usize) {
        if !kind.is_multiple_of(2) {
            let _ = self.client.seal(DATA, b"lost", 0);
        } else if self.last.is_empty() {
            return;
        } else {
            self.wire.extend_from_slice(&self.last);
        }
        self.breaks();
    }

    /// A right record with something else in it than data. Some may be, and do nothing.
    fn strange(&mut self, kind: u8, said: &[u8]) {
        self.told.broken = true;
        self.seals(kind, said, 0);
    }
}
