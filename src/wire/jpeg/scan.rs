//! Whether a picture whose end of image is missing has all its blocks, and where the last one ends: a walk over its Huffman
//! codes, without pixels.
//!
//! Sources: ITU-T T.81: scans and their blocks in A.2, Huffman codes in C and F.2.2.3, sequential scans in F.1, progressive ones
//! in G.1.2.

mod huffman;

use huffman::{Bits, Huffman, Tables, USUAL};

use super::{DHT, EOI, SOI, SOS, segment};

/// The most blocks of one picture that are counted, those that are counted again in the scans of a progressive one included: a
/// 4:2:0 picture of 64 megapixels has 1.5 million.
const MOST_BLOCKS: u32 = 16 << 20;
/// The most blocks of a progressive picture, for each of which eight bytes are kept.
const MOST_KEPT: u32 = 1 << 20;
/// So many blocks are counted at most between two questions whether more may be.
const AT_ONCE: u32 = 4096;
/// What reading tables and headers costs, as blocks.
const HEADERS: u32 = 128;
/// Blocks whose memory costs as much as counting one.
const KEPT_AS_ONE: u32 = 8;
/// The most components of a picture, and of a scan.
const MOST_COMPONENTS: usize = 4;

/// Where the scans of `picture` end that begins with a start of image and has no end of it, if all its blocks are there.
/// `may_count` is asked before so many more blocks are counted.
///
/// Whatever makes no sense is a picture that is not all there.
pub(super) fn end_of_blocks(picture: &[u8], may_count: &mut dyn FnMut(u32) -> bool) -> Option<usize> {
    let mut work = Work { left: MOST_BLOCKS, allowed: 0, may_count };
    work.ask(HEADERS)?;
    let mut tables = USUAL.as_ref()?.clone();
    let mut frame: Option<Frame> = None;
    let mut restart = 0;
    let mut at = 2;
    while let Some((marker, body)) = marker(picture, at) {
        if matches!(marker, EOI | SOI) {
            break;
        }
        let Ok(Some(segment)) = segment(picture, body) else { break };
        at = body + 2 + segment.len();
        match marker {
            DHT => tables.read(segment)?,
            0xDD => restart = u32::from(u16::from_be_bytes(segment.first_chunk().copied()?)),
            0xC0..=0xC2 if frame.is_none() => frame = Some(Frame::read(marker, segment)?),
            0xC0..=0xCF => return None,
            SOS => {
                let frame = frame.as_mut()?;
                let scan = Scan::read(segment, frame)?;
                let mut bits = Bits::new(picture, at);
                scan.walk(frame, &tables, restart, &mut bits, &mut work)?;
                at = bits.position();
                // What stands behind the last scan that is needed is no part of the picture.
                if frame.is_complete() {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The marker at `at` and where what follows it begins. What stands before it, such as the rest of a scan's padding, is passed.
fn marker(data: &[u8], at: usize) -> Option<(u8, usize)> {
    let mut at = at;
    loop {
        at += memchr::memchr(0xFF, data.get(at..)?)?;
        match data.get(at + 1)? {
            0xFF => at += 1,
            0 | 0xD0..=0xD7 => at += 2,
            &marker => return Some((marker, at + 2)),
        }
    }
}

/// How much may still be counted.
struct Work<'a> {
    left: u32,
    allowed: u32,
    may_count: &'a mut dyn FnMut(u32) -> bool,
}

impl Work<'_> {
    fn ask(&mut self, blocks: u32) -> Option<()> {
        self.left = self.left.checked_sub(blocks)?;
        (self.may_count)(blocks).then_some(())
    }

    /// Counts one block, of so many that are still to come.
    fn one(&mut self, to_come: u32) -> Option<()> {
        if self.allowed == 0 {
            let blocks = to_come.clamp(1, AT_ONCE);
            self.ask(blocks)?;
            self.allowed = blocks;
        }
        self.allowed -= 1;
        Some(())
    }
}

/// What a frame header says, and how much of it the scans up to now have brought.
struct Frame {
    progressive: bool,
    components: Vec<Component>,
    /// MCUs of a scan of more than one component.
    mcus: (u32, u32),
}

struct Component {
    id: u8,
    /// Blocks of an MCU.
    sampling: (u32, u32),
    /// Blocks of a scan of this component alone.
    blocks: (u32, u32),
    /// From one row of blocks to the next, those included that only fill an MCU.
    stride: u32,
    /// All its blocks, those included.
    all: u32,
    /// How many bits each coefficient still lacks; `None`: nothing of it came yet.
    lacks: [Option<u8>; 64],
    /// Which coefficients of each block are not zero; empty before the first scan of a progressive picture that tells.
    nonzero: Vec<u64>,
}

impl Frame {
    fn read(marker: u8, segment: &[u8]) -> Option<Self> {
        let &[8, h1, h0, w1, w0, count, ref components @ ..] = segment else { return None };
        let (height, width) = (u32::from(u16::from_be_bytes([h1, h0])), u32::from(u16::from_be_bytes([w1, w0])));
        let each = || components.chunks_exact(3).map(|c| (c[0], u32::from(c[1] >> 4), u32::from(c[1] & 15)));
        let sensible = each().all(|(_, h, v)| (1..=4).contains(&h) && (1..=4).contains(&v));
        let count = usize::from(count);
        if width == 0
            || height == 0
            || !(1..=MOST_COMPONENTS).contains(&count)
            || components.len() != 3 * count
            || !sensible
        {
            return None;
        }
        let (h_max, v_max) = (each().map(|c| c.1).max()?, each().map(|c| c.2).max()?);
        let mcus = (width.div_ceil(8 * h_max), height.div_ceil(8 * v_max));
        let progressive = marker == 0xC2;
        let most = if progressive { MOST_KEPT / MOST_COMPONENTS as u32 } else { MOST_BLOCKS };
        let component = |(id, h, v): (u8, u32, u32)| {
            let (stride, rows) = (mcus.0 * h, mcus.1 * v);
            let fits = stride.checked_mul(rows).is_some_and(|blocks| blocks <= most);
            fits.then(|| Component {
                id,
                sampling: (h, v),
                blocks: ((width * h).div_ceil(8 * h_max), (height * v).div_ceil(8 * v_max)),
                stride,
                all: stride * rows,
                lacks: [None; 64],
                nonzero: Vec::new(),
            })
        };
        let components = each().map(component).collect::<Option<Vec<_>>>()?;
        Some(Self { progressive, components, mcus })
    }

    fn is_complete(&self) -> bool {
        self.components.iter().all(|c| c.lacks.iter().all(|lacks| *lacks == Some(0)))
    }
}

/// What a scan's header says.
struct Scan {
    /// Places in the frame, with the numbers of the DC and the AC table.
    components: Vec<(usize, u8, u8)>,
    from: u8,
    to: u8,
    /// The first scan of these coefficients, or one more bit of them.
    refines: bool,
    lacks: u8,
}

impl Scan {
    fn read(segment: &[u8], frame: &Frame) -> Option<Self> {
        let (count, rest) = segment.split_first()?;
        let (components, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let &[from, to, bits, ..] = rest else { return None };
        let place = |c: &[u8]| {
            let at = frame.components.iter().position(|component| component.id == c[0])?;
            Some((at, c[1] >> 4, c[1] & 15))
        };
        let components = components.chunks_exact(2).map(place).collect::<Option<Vec<_>>>()?;
        let (from, to, bits) = if frame.progressive { (from, to, bits) } else { (0, 63, 0) };
        let sensible = from <= to && to < 64 && (from > 0 || to == 0 || !frame.progressive);
        let single = components.len() == 1 || !frame.progressive || from == 0;
        let counted = (1..=MOST_COMPONENTS).contains(&components.len());
        (counted && sensible && single).then_some(Self {
            components,
            from,
            to,
            refines: bits >> 4 > 0,
            lacks: bits & 15,
        })
    }

    fn walk(
        &self,
        frame: &mut Frame,
        tables: &Tables,
        restart: u32,
        bits: &mut Bits<'_>,
        work: &mut Work<'_>,
    ) -> Option<()> {
        let mut block = BlockWalk { scan: self, progressive: frame.progressive, run: 0 };
        let (columns, rows) = match self.components.as_slice() {
            [(only, ..)] => frame.components.get(*only)?.blocks,
            _ => frame.mcus,
        };
        let mut to_come = 0_u32;
        for (place, ..) in &self.components {
            let component = frame.components.get_mut(*place)?;
            let (h, v) = if self.components.len() == 1 { (1, 1) } else { component.sampling };
            to_come = to_come.saturating_add(columns.saturating_mul(rows).saturating_mul(h * v));
            if frame.progressive && self.from > 0 && component.nonzero.is_empty() {
                work.ask(component.all / KEPT_AS_ONE)?;
                component.nonzero = vec![0; component.all as usize];
            }
        }
        let mut until_restart = restart;
        for row in 0..rows {
            for column in 0..columns {
                if restart > 0 && until_restart == 0 {
                    bits.restart()?;
                    (until_restart, block.run) = (restart, 0);
                }
                until_restart = until_restart.wrapping_sub(1);
                for (place, dc, ac) in &self.components {
                    let component = frame.components.get_mut(*place)?;
                    let (h, v) = if self.components.len() == 1 { (1, 1) } else { component.sampling };
                    let (dc, ac) = (tables.get(0, *dc), tables.get(1, *ac));
                    for n in 0..h * v {
                        work.one(to_come)?;
                        to_come = to_come.saturating_sub(1);
                        let at = (row * v + n / h) * component.stride + column * h + n % h;
                        let mut none = 0;
                        let nonzero = component.nonzero.get_mut(at as usize).unwrap_or(&mut none);
                        block.pass(bits, dc, ac, nonzero)?;
                    }
                }
            }
        }
        for (place, ..) in &self.components {
            let component = frame.components.get_mut(*place)?;
            component.lacks.get_mut(usize::from(self.from)..=usize::from(self.to))?.fill(Some(self.lacks));
        }
        Some(())
    }
}

/// Passes over one block after the other of a scan.
struct BlockWalk<'a> {
    scan: &'a Scan,
    progressive: bool,
    /// So many blocks have nothing more in this band.
    run: u32,
}

impl BlockWalk<'_> {
    fn pass(
        &mut self,
        bits: &mut Bits<'_>,
        dc: Option<&Huffman>,
        ac: Option<&Huffman>,
        nonzero: &mut u64,
    ) -> Option<()> {
        match (self.progressive, self.scan.from, self.scan.refines) {
            (false, ..) => {
                pass_dc(bits, dc?)?;
                pass_ac(bits, ac?)
            }
            (true, 0, false) => pass_dc(bits, dc?),
            (true, 0, true) => bits.pass(1),
            (true, _, false) => self.pass_band(bits, ac?, nonzero),
            (true, _, true) => self.refine_band(bits, ac?, nonzero),
        }
    }

    /// The first scan of a band (T.81 G.1.2.2).
    fn pass_band(&mut self, bits: &mut Bits<'_>, ac: &Huffman, nonzero: &mut u64) -> Option<()> {
        if self.run > 0 {
            self.run -= 1;
            return Some(());
        }
        let mut k = u32::from(self.scan.from);
        while k <= u32::from(self.scan.to) {
            let symbol = ac.decode(bits)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += zeros;
                bits.pass(size)?;
                *nonzero |= 1_u64.checked_shl(k)?;
                k += 1;
            } else if zeros == 15 {
                k += 16;
            } else {
                self.run = (1 << zeros) - 1 + bits.take(zeros)?;
                break;
            }
        }
        Some(())
    }

    /// One more bit of a band (T.81 G.1.2.3).
    fn refine_band(&mut self, bits: &mut Bits<'_>, ac: &Huffman, nonzero: &mut u64) -> Option<()> {
        let (mut k, to) = (u32::from(self.scan.from), u32::from(self.scan.to));
        while self.run == 0 && k <= to {
            let symbol = ac.decode(bits)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
            if size == 0 && zeros < 15 {
                self.run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            bits.pass(u32::from(size > 0))?;
            while k <= to {
                if *nonzero >> k & 1 == 1 {
                    bits.pass(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size > 0 && k <= to {
                *nonzero |= 1 << k;
            }
            k += 1;
        }
        if self.run > 0 {
            // A bit for each that is not zero in the rest of the band.
            let rest = if k > to { 0 } else { *nonzero >> k << k & u64::MAX >> (63 - to) };
            let mut left = rest.count_ones();
            while left > 0 {
                bits.pass(left.min(16))?;
                left -= left.min(16);
            }
            self.run -= 1;
        }
        Some(())
    }
}

fn pass_dc(bits: &mut Bits<'_>, dc: &Huffman) -> Option<()> {
    let size = u32::from(dc.decode(bits)?);
    if size > 16 { None } else { bits.pass(size) }
}

fn pass_ac(bits: &mut Bits<'_>, ac: &Huffman) -> Option<()> {
    let mut k = 1;
    while k < 64 {
        let symbol = ac.decode(bits)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, size) {
            (15, 0) => k += 16,
            (_, 0) => break,
            _ => {
                bits.pass(size)?;
                k += zeros + 1;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
