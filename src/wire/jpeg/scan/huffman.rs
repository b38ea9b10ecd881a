//! Huffman tables and the bits of a scan (ITU-T T.81, annex C, F.2.2.3).

use std::sync::{Arc, LazyLock};

use crate::wire::jpeg::tables::USUAL_TABLES;

/// The Huffman tables that are meant where a picture brings none.
pub(super) static USUAL: LazyLock<Option<Tables>> = LazyLock::new(|| {
    let mut tables = Tables::default();
    tables.read(USUAL_TABLES.get(4..)?)?;
    Some(tables)
});

/// A Huffman table (T.81 C.2, F.2.2.3).
pub(super) struct Huffman {
    /// By the next eight bits: the value and how long its code is; 0: longer than eight.
    short: [(u8, u8); 256],
    /// The largest code of each length, as 16 bits with ones behind it; and what its place among the values differs by.
    largest: [i32; 17],
    offset: [i32; 17],
    values: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let mut this = Self { short: [(0, 0); 256], largest: [-1; 17], offset: [0; 17], values: values.to_vec() };
        let (mut code, mut place) = (0_i32, 0_usize);
        for (length, count) in (1_usize..).zip(counts) {
            this.offset[length] = i32::try_from(place).ok()? - code;
            for _ in 0..*count {
                let value = *values.get(place)?;
                if length <= 8 {
                    let first = usize::try_from(code).ok()? << (8 - length);
                    this.short.get_mut(first..first + (1 << (8 - length)))?.fill((value, length as u8));
                }
                (code, place) = (code + 1, place + 1);
            }
            if code > 1 << length {
                return None;
            }
            if *count > 0 {
                this.largest[length] = (code << (16 - length)) - 1;
            }
            code <<= 1;
        }
        Some(this)
    }

    pub(super) fn decode(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let ahead = bits.peek_16();
        let (value, length) = self.short[usize::from(ahead >> 8)];
        if length > 0 {
            return bits.pass(u32::from(length)).map(|()| value);
        }
        let length = (9..=16).find(|length| i32::from(ahead) <= self.largest[*length])?;
        bits.pass(length as u32)?;
        let place = i32::from(ahead >> (16 - length)) + self.offset[length];
        self.values.get(usize::try_from(place).ok()?).copied()
    }
}

/// The tables of both classes, DC and AC, by their numbers.
#[derive(Clone, Default)]
pub(super) struct Tables([[Option<Arc<Huffman>>; 4]; 2]);

impl Tables {
    /// Takes what a DHT segment defines.
    pub(super) fn read(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((class_and_number, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let (values, rest) = rest.split_at_checked(counts.iter().map(|n| usize::from(*n)).sum())?;
            let slot =
                self.0.get_mut(usize::from(class_and_number >> 4))?.get_mut(usize::from(class_and_number & 15))?;
            *slot = Some(Arc::new(Huffman::new(counts, values)?));
            segment = rest;
        }
        Some(())
    }

    pub(super) fn get(&self, class: usize, number: u8) -> Option<&Huffman> {
        self.0.get(class)?.get(usize::from(number))?.as_deref()
    }
}

/// The bits of a scan, without stuffed bytes, up to the next marker.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The next byte to take.
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// Of the scan whose data begins at `at`.
    pub(super) fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, held: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let Some(&byte) = self.data.get(self.at) else { return };
            if byte == 0xFF {
                if self.data.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next 16 bits; zeros where there are no more.
    fn peek_16(&mut self) -> u16 {
        if self.count < 16 {
            self.fill();
        }
        if self.count >= 16 { (self.held >> (self.count - 16)) as u16 } else { (self.held << (16 - self.count)) as u16 }
    }

    /// Passes over bits, 16 at most; `None`: there are not so many.
    pub(super) fn pass(&mut self, bits: u32) -> Option<()> {
        if self.count < bits {
            self.fill();
        }
        self.count = self.count.checked_sub(bits)?;
        Some(())
    }

    /// The value of the next bits, 16 at most.
    pub(super) fn take(&mut self, bits: u32) -> Option<u32> {
        let ahead = u32::from(self.peek_16());
        self.pass(bits)?;
        Some(ahead >> (16 - bits))
    }

    /// To behind the restart marker that must come now.
    pub(super) fn restart(&mut self) -> Option<()> {
        (self.held, self.count) = (0, 0);
        loop {
            self.at += memchr::memchr(0xFF, self.data.get(self.at..)?)?;
            match self.data.get(self.at + 1)? {
                0 => self.at += 2,
                0xFF => self.at += 1,
                0xD0..=0xD7 => break,
                _ => return None,
            }
        }
        self.at += 2;
        Some(())
    }

    /// The first byte that nothing was taken of.
    pub(super) fn position(&self) -> usize {
        let mut at = self.at;
        for _ in 0..self.count / 8 {
            let stuffed = at >= 2 && self.data.get(at - 2..at) == Some(&[0xFF, 0]);
            at = at.saturating_sub(if stuffed { 2 } else { 1 });
        }
        at
    }
}
