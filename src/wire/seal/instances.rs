//! What was opened of each start of a stream's publishers: everything opens once, and nothing of before another start of the same
//! publisher goes unnoticed.

use std::ops::Range;

use super::key::{StreamSecret, Track};
use super::sframe::{Header, Keys};
use super::{Inside, SealError};

/// Starts that a viewer remembers.
pub(super) const INSTANCES: usize = 64;

/// A publisher, from one start to its end.
struct Instance {
    keys: Keys,
    /// The last counter that opened.
    ctr: u64,
    /// The latest time inside.
    latest: u64,
}

/// The starts that are remembered of one track of a stream.
pub(super) struct Instances {
    secret: StreamSecret,
    track: Track,
    known: Vec<(u64, Instance)>,
    /// Of a publisher that was not seen nothing is from before this time: it might be one that was forgotten.
    floor: u64,
}

impl Instances {
    pub(super) fn new(secret: StreamSecret, track: Track) -> Self {
        Self { secret, track, known: Vec::new(), floor: 0 }
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Opens a payload in its place, and says where the opened bytes lie. `read` says what they are, or that they make no sense.
    ///
    /// # Errors
    /// It is not to be used, for this reason.
    pub(super) fn open<T>(
        &mut self,
        payload: &mut [u8],
        beside: &[u8],
        read: impl FnOnce(&[u8]) -> Option<(Inside, T)>,
    ) -> Result<(Inside, T, Range<usize>), SealError> {
        let header = Header::read(payload).ok_or(SealError::Closed)?;
        let Header { kid, ctr } = header.0;
        let known = self.known.iter().position(|(known, _)| *known == kid);
        if known.is_some_and(|at| self.known[at].1.ctr >= ctr) {
            return Err(SealError::Repeated);
        }
        // Of a number that was not seen nothing is kept before something has opened: rubbish costs no place.
        let made = match known {
            Some(_) => None,
            None => self.secret.base_key(self.track, kid).and_then(|base| Keys::new(&base, kid)),
        };
        let keys = known.map(|at| &self.known[at].1.keys).or(made.as_ref()).ok_or(SealError::Closed)?;
        let text = keys.open(header, beside, payload).ok_or(SealError::Closed)?;
        let (inside, read) = payload.get(text.clone()).and_then(read).ok_or(SealError::Malformed)?;
        if known.is_none() && inside.wall <= self.floor {
            return Err(SealError::Repeated);
        }
        let others = self.known.iter().filter(|(other, _)| *other != kid);
        let behind = others.map(|(_, other)| other.latest).max().unwrap_or(0).saturating_sub(inside.wall);
        match (known, made) {
            (Some(at), _) => {
                let instance = &mut self.known[at].1;
                (instance.ctr, instance.latest) = (ctr, instance.latest.max(inside.wall));
            }
            (None, Some(keys)) => self.remember(kid, Instance { keys, ctr, latest: inside.wall }),
            (None, None) => return Err(SealError::Closed),
        }
        Ok((Inside { behind, ..inside }, read, text))
    }

    fn remember(&mut self, kid: u64, instance: Instance) {
        if self.known.len() == INSTANCES {
            let oldest = self.known.iter().enumerate().min_by_key(|(_, (_, instance))| instance.latest);
            if let Some((_, gone)) = oldest.map(|(at, _)| at).map(|at| self.known.swap_remove(at)) {
                self.floor = self.floor.max(gone.latest);
            }
        }
        self.known.push((kid, instance));
    }
}
