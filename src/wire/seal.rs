//! Pictures that are sealed end to end: a publisher seals each, a viewer opens it, and the hub between them, which has no key,
//! passes them on. No clock and no randomness: both are arguments.
//!
//! The payload of such a picture is SFrame (RFC 9605, suite 4) around this, in little-endian order:
//!
//! ```text
//!  0  wall clock at capture, u64, microseconds since 1970        8  sequence, u32     12  rung, u8     13  zero
//! 16  metadata length m, u32      20  metadata, m bytes          20 + m  JPEG
//! ```
//! Beside it, and bound to it, go three bytes of the packet's header that a hub does not restate: codec, quality and rung.

mod key;
mod sframe;
#[cfg(test)]
mod tests;
mod times;

use std::sync::Arc;

pub use self::key::{SealKey, StreamSecret};
pub use self::sframe::{Header, KEY, Keys, LONGEST_HEADER, TAG};
pub use self::times::{Apart, Times};
use super::packet::MAX_METADATA;
use crate::buffer::Buffer;
use crate::frame::{Codec, Picture};

/// Bytes before the metadata.
const HEAD: usize = 20;
/// What sealing adds to a picture without metadata, at most.
pub const MOST_ADDED: usize = LONGEST_HEADER + HEAD + TAG;
/// Publishers that a viewer remembers; each start of one counts.
const INSTANCES: usize = 64;

/// Seals the pictures of one start of a publisher. There is no second one with its number, so no counter is used twice.
pub struct Sealer {
    keys: Keys,
    next: u64,
}

impl Sealer {
    /// For a publisher that made up this number now, out of 64 random bits that nobody else has. `None` where the library
    /// refuses, which it does not.
    #[must_use]
    pub fn new(secret: &StreamSecret, instance: u64) -> Option<Self> {
        Some(Self { keys: Keys::new(&secret.base_key(instance)?, instance)?, next: 0 })
    }

    /// Seals a JPEG with its metadata, into an empty buffer. It was captured at `wall` microseconds since 1970. `None` when all
    /// counters are used up.
    #[must_use]
    pub fn seal(&mut self, picture: &Picture, wall: u64, mut into: Buffer) -> Option<Picture> {
        let ctr = self.next;
        self.next = ctr.checked_add(1)?;
        let metadata = picture.metadata.as_deref().unwrap_or_default();
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&wall.to_le_bytes());
        head[8..12].copy_from_slice(&picture.sequence.to_le_bytes());
        head[12] = picture.rung;
        head[16..].copy_from_slice(&u32::try_from(metadata.len()).ok()?.to_le_bytes());
        into.clear();
        into.reserve_exact(MOST_ADDED + metadata.len() + picture.data.len());
        self.keys.seal(ctr, &beside(picture), &[&head, metadata.as_bytes(), &picture.data], &mut into)?;
        let Picture { quality, rung, sequence, captured, estimated, arrival, spans, .. } = *picture;
        let codec = Codec::Sealed;
        Some(Picture {
            codec,
            quality,
            rung,
            sequence,
            captured,
            estimated,
            arrival,
            spans,
            data: into,
            ..Picture::default()
        })
    }
}

/// What of the header is bound to the payload.
fn beside(picture: &Picture) -> [u8; 3] {
    [Codec::Sealed.number(), picture.quality, picture.rung]
}

/// What was inside beside the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// When it was captured, by the publisher's wall clock, in microseconds since 1970.
    pub wall: u64,
    /// Its number, as the publisher gave it.
    pub sequence: u32,
    /// So many microseconds it lies before the latest picture of another publisher under the same key: one that was started
    /// anew is later than the one before.
    pub behind: u64,
}

/// Why a picture is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is not sealed, and whoever has a key wants no other.
    #[error("a picture is not encrypted end to end, and only such ones are wanted with a key")]
    NotSealed,
    /// The key is another, or it was changed on its way.
    #[error("a picture does not open with this key: the key is another, or the picture was changed on its way")]
    Closed,
    /// It, or a later one, was seen before.
    #[error("a picture came again that had been seen, or one from before it: somebody repeats pictures")]
    Repeated,
    /// What is inside makes no sense.
    #[error("what is inside a sealed picture is no picture of this version")]
    Malformed,
}

/// A publisher, from one start to its end.
struct Instance {
    keys: Keys,
    /// The counter of the last picture.
    ctr: u64,
    /// The latest time of its pictures.
    latest: u64,
}

/// Opens the pictures of one stream, each once, and never one from before another of the same publisher.
pub struct Opener {
    secret: StreamSecret,
    instances: Vec<(u64, Instance)>,
    /// No picture of a publisher that was not seen is from before this time: it might be one that was forgotten.
    floor: u64,
    opened: u64,
}

impl Opener {
    /// For the stream of this secret.
    #[must_use]
    pub fn new(secret: StreamSecret) -> Self {
        Self { secret, instances: Vec::new(), floor: 0, opened: 0 }
    }

    /// How many were opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Opens a picture in its place.
    ///
    /// # Errors
    /// It is not to be shown, for this reason.
    pub fn open(&mut self, picture: &mut Picture) -> Result<Inside, SealError> {
        if picture.codec != Codec::Sealed {
            return Err(SealError::NotSealed);
        }
        let header = Header::read(&picture.data).ok_or(SealError::Closed)?;
        let Header { kid, ctr } = header.0;
        let known = self.instances.iter().position(|(known, _)| *known == kid);
        if known.is_some_and(|at| self.instances[at].1.ctr >= ctr) {
            return Err(SealError::Repeated);
        }
        // Of a number that was not seen nothing is kept before a picture has opened: rubbish costs no place.
        let made = match known {
            Some(_) => None,
            None => self.secret.base_key(kid).and_then(|base| Keys::new(&base, kid)),
        };
        let keys = known.map(|at| &self.instances[at].1.keys).or(made.as_ref()).ok_or(SealError::Closed)?;
        let beside = beside(picture);
        let text = keys.open(header, &beside, &mut picture.data).ok_or(SealError::Closed)?;
        let (inside, jpeg) = read(&picture.data[text.clone()], picture.rung).ok_or(SealError::Malformed)?;
        if known.is_none() && inside.wall <= self.floor {
            return Err(SealError::Repeated);
        }
        let others = self.instances.iter().filter(|(other, _)| *other != kid);
        let behind = others.map(|(_, other)| other.latest).max().unwrap_or(0).saturating_sub(inside.wall);
        match (known, made) {
            (Some(at), _) => {
                let instance = &mut self.instances[at].1;
                (instance.ctr, instance.latest) = (ctr, instance.latest.max(inside.wall));
            }
            (None, Some(keys)) => self.remember(kid, Instance { keys, ctr, latest: inside.wall }),
            (None, None) => return Err(SealError::Closed),
        }
        self.opened += 1;
        let metadata = &picture.data[text.start + HEAD..text.start + jpeg];
        picture.metadata = std::str::from_utf8(metadata).ok().filter(|text| !text.is_empty()).map(Arc::from);
        picture.data.truncate(text.end);
        picture.data.drain(..text.start + jpeg);
        picture.codec = Codec::Jpeg;
        Ok(Inside { behind, ..inside })
    }

    fn remember(&mut self, kid: u64, instance: Instance) {
        if self.instances.len() == INSTANCES {
            let oldest = self.instances.iter().enumerate().min_by_key(|(_, (_, instance))| instance.latest);
            if let Some((_, gone)) = oldest.map(|(at, _)| at).map(|at| self.instances.swap_remove(at)) {
                self.floor = self.floor.max(gone.latest);
            }
        }
        self.instances.push((kid, instance));
    }
}

/// What is in the head, and where the JPEG begins; `None` where it makes no sense.
fn read(text: &[u8], rung: u8) -> Option<(Inside, usize)> {
    let number = |at: usize, length: usize| {
        Some(text.get(at..at + length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let metadata = usize::try_from(number(16, 4)?).ok().filter(|length| *length <= MAX_METADATA)?;
    let jpeg = HEAD + metadata;
    let is_right = text.get(12) == Some(&rung)
        && text.get(jpeg..jpeg + 2) == Some(&[0xff, 0xd8])
        && std::str::from_utf8(&text[HEAD..jpeg]).is_ok();
    let (wall, sequence) = (number(0, 8)?, u32::try_from(number(8, 4)?).ok()?);
    is_right.then_some((Inside { wall, sequence, behind: 0 }, jpeg))
}
