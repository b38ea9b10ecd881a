//! Pictures and sound are sealed where they leave: each with the next counter, in the order in which they go.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

use crate::buffer::Pool;
use crate::error::{Error, Result};
use crate::frame::{AudioPacket, Picture};
use crate::names::StreamKey;
use crate::secret::Secret;
use crate::time::{Micros, micros, now};
use crate::wire::seal::{AudioSealer, MOST_ADDED, SealKey, Sealer};

/// What seals the pictures and the sound of this start of the program.
pub(super) struct Seal {
    sealer: Sealer,
    audio: AudioSealer,
    pool: Pool,
}

impl Seal {
    /// With this key. Pictures and sound have numbers of their own, which every viewer sees: that of the hello is not shown, for
    /// who knows it can take the name.
    ///
    /// # Errors
    /// The key is none; there is no randomness to be had.
    pub(super) fn new(key: &Secret, stream: &StreamKey) -> Result<Self> {
        let key = SealKey::parse(key.expose()).map_err(Error::Usage)?;
        let secret = key.of_stream(stream);
        let none = || Error::Failed("the key cannot be used".into());
        let sealer = Sealer::new(&secret, random_number()?).ok_or_else(none)?;
        let audio = AudioSealer::new(&secret, random_number()?).ok_or_else(none)?;
        Ok(Self { sealer, audio, pool: Pool::default() })
    }

    /// How long a picture will be.
    pub(super) fn length(picture: &Picture) -> usize {
        MOST_ADDED + picture.length()
    }

    /// Seals a picture; `None` when all counters are used up, which takes longer than there are computers.
    pub(super) fn seal(&mut self, picture: &Picture) -> Option<Arc<Picture>> {
        self.sealer.seal(picture, wall_clock(picture.captured), self.pool.take()).map(Arc::new)
    }

    /// Seals a packet of sound; `None` as of pictures.
    pub(super) fn seal_audio(&mut self, packet: &AudioPacket) -> Option<AudioPacket> {
        self.audio.seal(packet, wall_clock(packet.captured))
    }
}

fn random_number() -> Result<u64> {
    let mut number = [0; 8];
    let no_randomness = |_| Error::Failed("this system gives no random numbers, and nothing is sealed without".into());
    SystemRandom::new().fill(&mut number).map_err(no_randomness)?;
    Ok(u64::from_le_bytes(number))
}

/// A time in microseconds since 1970.
fn wall_clock(at: Micros) -> u64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    micros(wall.saturating_sub(now().since(at)))
}
