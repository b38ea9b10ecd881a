//! Pictures and sound that are sealed end to end: a publisher seals each, a viewer opens it, and the hub between them, which has no
//! key, passes them on. No clock and no randomness: both are arguments.
//!
//! The payload of such a picture (that of sound: [`AudioSealer`]) is SFrame (RFC 9605, suite 4) around this, in little-endian order:
//!
//! ```text
//!  0  wall clock at capture, u64, microseconds since 1970        8  sequence, u32     12  rung, u8     13  zero
//! 16  metadata length m, u32      20  metadata, m bytes          20 + m  JPEG
//! ```
//! Beside it, and bound to it, go three bytes of the packet's header that a hub does not restate: codec, quality and rung.

mod audio;
mod instances;
mod key;
mod sframe;
#[cfg(test)]
mod tests;
mod times;

use std::sync::Arc;

pub use self::audio::{AudioOpener, AudioSealer};
use self::instances::Instances;
pub use self::key::{SealKey, StreamSecret, Track};
pub use self::sframe::{Header, KEY, Keys, LONGEST_HEADER, TAG};
pub use self::times::{Apart, Times};
use super::packet::MAX_METADATA;
use crate::buffer::Buffer;
use crate::frame::{Codec, Picture};

/// Bytes before the metadata.
const HEAD: usize = 20;
/// What sealing adds to a picture without metadata, at most.
pub const MOST_ADDED: usize = LONGEST_HEADER + HEAD + TAG;

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
        Some(Self { keys: Keys::new(&secret.base_key(Track::Pictures, instance)?, instance)?, next: 0 })
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
    /// So many microseconds it lies before the latest of another publisher under the same key: one that was started
    /// anew is later than the one before.
    pub behind: u64,
}

/// Why something is not shown, or not heard. The message follows the noun: "a picture", "it".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is not sealed, and whoever has a key wants no other.
    #[error("is not encrypted end to end, and with a key nothing else is wanted")]
    NotSealed,
    /// The key is another, or it was changed on its way.
    #[error("does not open with this key: the key is another, or it was changed on its way")]
    Closed,
    /// It, or a later one, was seen before.
    #[error("came again, or is from before what was seen: somebody repeats what was sent")]
    Repeated,
    /// What is inside makes no sense.
    #[error("holds what this version does not know")]
    Malformed,
}

/// Opens the pictures of one stream, each once, and never one from before another of the same publisher.
pub struct Opener {
    instances: Instances,
    opened: u64,
}

impl Opener {
    /// For the stream of this secret.
    #[must_use]
    pub fn new(secret: StreamSecret) -> Self {
        Self { instances: Instances::new(secret, Track::Pictures), opened: 0 }
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
        let (beside, rung) = (beside(picture), picture.rung);
        let (inside, jpeg, text) = self.instances.open(&mut picture.data, &beside, |text| read(text, rung))?;
        self.opened += 1;
        let metadata = &picture.data[text.start + HEAD..text.start + jpeg];
        picture.metadata = std::str::from_utf8(metadata).ok().filter(|text| !text.is_empty()).map(Arc::from);
        picture.data.truncate(text.end);
        picture.data.drain(..text.start + jpeg);
        picture.codec = Codec::Jpeg;
        Ok(inside)
    }
}

/// What is in the head, and where the JPEG begins; `None` where it makes no sense.
fn read(text: &[u8], rung: u8) -> Option<(Inside, usize)> {
    let inside = when(text)?;
    let metadata = u32::from_le_bytes(*text.get(16..)?.first_chunk()?) as usize;
    if metadata > MAX_METADATA {
        return None;
    }
    let jpeg = HEAD + metadata;
    let is_right = text.get(12) == Some(&rung)
        && text.get(jpeg..jpeg + 2) == Some(&[0xff, 0xd8])
        && std::str::from_utf8(&text[HEAD..jpeg]).is_ok();
    is_right.then_some((inside, jpeg))
}

/// The first twelve bytes of everything that is sealed.
fn when(text: &[u8]) -> Option<Inside> {
    let wall = u64::from_le_bytes(*text.first_chunk()?);
    let sequence = u32::from_le_bytes(*text.get(8..)?.first_chunk()?);
    Some(Inside { wall, sequence, behind: 0 })
}
