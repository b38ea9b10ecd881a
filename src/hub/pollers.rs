//! Who asks for one picture after the other, without a connection of its own: a viewer from its first request until a while
//! after its last one.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::Shared;
use crate::access::{Grant, Watch};
use crate::names::StreamKey;
use crate::relay::Refusal;
use crate::relay::pictures::FULL;
use crate::time::{Micros, now};

/// How long after its last request a poller counts as a viewer: the encoder goes on between two requests. A camera stays
/// open for some seconds more by itself.
const STAYS: Duration = Duration::from_secs(3);

/// The streams that are polled, by however many, and when each was last.
#[derive(Default)]
pub(super) struct Pollers(HashMap<StreamKey, Micros>);

impl Shared {
    fn pollers(&self) -> MutexGuard<'_, Pollers> {
        self.pollers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody asks for a picture of a stream: the full rendition is demanded from now on, and somebody watches.
    pub(super) fn poll(&self, grant: &Grant<Watch>) -> Result<(), Refusal> {
        let key = &grant.0;
        let at = now();
        let mut pollers = self.pollers();
        if let Some(last) = pollers.0.get_mut(key) {
            *last = at;
            return Ok(());
        }
        self.decide(|rooms| rooms.poll(grant, at))?;
        pollers.0.insert(key.clone(), at);
        self.set_targets(&self.stream(key), self.admission_index(), vec![FULL]);
        // It looks after those who stop.
        self.loops[0].wake();
        Ok(())
    }

    /// Whether somebody polls.
    pub(super) fn has_pollers(&self) -> bool {
        !self.pollers().0.is_empty()
    }

    /// Lets those go who ask no more.
    pub(super) fn sweep_pollers(&self, at: Micros) {
        let mut pollers = self.pollers();
        let gone = |_: &StreamKey, last: &mut Micros| at.since(*last) >= STAYS;
        for (key, _) in pollers.0.extract_if(gone) {
            self.set_targets(&self.stream(&key), self.admission_index(), Vec::new());
            let Ok(()) = self.decide(|rooms| Ok::<_, std::convert::Infallible>(rooms.poll_no_more(&key)));
        }
    }
}
