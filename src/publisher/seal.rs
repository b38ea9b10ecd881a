//! Pictures are sealed where they leave: each with the next counter, in the order in which they go.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

use crate::buffer::Pool;
use crate::error::{Error, Result};
use crate::frame::Picture;
use crate::names::StreamKey;
use crate::secret::Secret;
use crate::time::{micros, now};
use crate::wire::seal::{MOST_ADDED, SealKey, Sealer};

/// What seals the pictures of this start of the program.
pub(super) struct Seal {
    sealer: Sealer,
    pool: Pool,
}

impl Seal {
    /// With this key. It has a number of its own, which every viewer sees: that of the hello is not shown, for who knows it
    /// can take the name.
    ///
    /// # Errors
    /// The key is none; there is no randomness to be had.
    pub(super) fn new(key: &Secret, stream: &StreamKey) -> Result<Self> {
        let key = SealKey::parse(key.expose()).map_err(Error::Usage)?;
        let mut instance = [0; 8];
        let no_randomness =
            |_| Error::Failed("this system gives no random numbers, and nothing is sealed without".into());
        SystemRandom::new().fill(&mut instance).map_err(no_randomness)?;
        let sealer = Sealer::new(&key.of_stream(stream), u64::from_le_bytes(instance));
        let sealer = sealer.ok_or_else(|| Error::Failed("the key cannot be used".into()))?;
        Ok(Self { sealer, pool: Pool::default() })
    }

    /// How long a picture will be.
    pub(super) fn length(picture: &Picture) -> usize {
        MOST_ADDED + picture.length()
    }

    /// Seals a picture; `None` when all counters are used up, which takes longer than there are computers.
    pub(super) fn seal(&mut self, picture: &Picture) -> Option<Arc<Picture>> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let captured = micros(wall.saturating_sub(now().since(picture.captured)));
        self.sealer.seal(picture, captured, self.pool.take()).map(Arc::new)
    }
}
