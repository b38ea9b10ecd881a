//! Who asks for one picture after the other, without a connection of its own: a viewer from its first request until a while
//! after its last one.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::{Shared, Wanted};
use crate::access::{Grant, Watch};
use crate::adapt::Target;
use crate::names::StreamKey;
use crate::relay::Refusal;
use crate::time::{Micros, now};

/// How long after its last request a poller counts as a viewer: the encoder goes on between two requests. A camera stays
/// open for some seconds more by itself.
const STAYS: Duration = Duration::from_secs(3);

/// What is asked for of one stream at a time, at most: of more, what was asked for the longest ago is forgotten.
const MOST: usize = 16;

/// The streams that are polled, by however many.
#[derive(Default)]
pub(super) struct Pollers(HashMap<StreamKey, Polled>);

/// What is asked for of a stream, and when each was last.
#[derive(Default)]
struct Polled(Vec<(Target, Micros)>);

impl Polled {
    /// Somebody asks for this; whether nobody has lately.
    fn ask(&mut self, target: Target, at: Micros) -> bool {
        if let Some((_, last)) = self.0.iter_mut().find(|(asked, _)| *asked == target) {
            *last = at;
            return false;
        }
        if self.0.len() >= MOST {
            self.0.sort_unstable_by_key(|(_, last)| *last);
            self.0.remove(0);
        }
        self.0.push((target, at));
        true
    }

    /// Forgets what nobody asks for any more; whether there was such.
    fn sweep(&mut self, at: Micros) -> bool {
        let before = self.0.len();
        self.0.retain(|(_, last)| at.since(*last) < STAYS);
        self.0.len() < before
    }

    fn targets(&self) -> Vec<Target> {
        self.0.iter().map(|(target, _)| *target).collect()
    }

    /// Pictures alone.
    fn wanted(&self) -> Wanted {
        Wanted { targets: self.targets(), audio: false }
    }
}

impl Shared {
    fn pollers(&self) -> MutexGuard<'_, Pollers> {
        self.pollers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody asks for such a picture of a stream: it is demanded from now on, and somebody watches.
    pub(super) fn poll(&self, grant: &Grant<Watch>, target: Target) -> Result<(), Refusal> {
        let key = &grant.0;
        let at = now();
        let mut pollers = self.pollers();
        if !pollers.0.contains_key(key) {
            self.decide(|rooms| rooms.poll(grant, at))?;
            pollers.0.insert(key.clone(), Polled::default());
            // It looks after those who stop.
            self.loops[0].wake();
        }
        let Some(polled) = pollers.0.get_mut(key) else { return Ok(()) };
        if polled.ask(target, at) {
            self.set_wanted(&self.stream(key), self.admission_index(), polled.wanted());
        }
        Ok(())
    }

    /// Whether somebody polls.
    pub(super) fn has_pollers(&self) -> bool {
        !self.pollers().0.is_empty()
    }

    /// Lets those go who ask no more.
    pub(super) fn sweep_pollers(&self, at: Micros) {
        let mut pollers = self.pollers();
        for (key, polled) in &mut pollers.0 {
            if polled.sweep(at) {
                self.set_wanted(&self.stream(key), self.admission_index(), polled.wanted());
            }
        }
        for (key, _) in pollers.0.extract_if(|_, polled| polled.0.is_empty()) {
            let Ok(()) = self.decide(|rooms| Ok::<_, std::convert::Infallible>(rooms.poll_no_more(&key)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_remembered_for_a_while_and_not_without_bound() {
        let at = |second: u64| Micros(second * 1_000_000);
        let quality = |quality: u8| Target { quality, ..Target::default() };
        let mut polled = Polled::default();
        assert_eq!([1, 1, 2].map(|n| polled.ask(quality(n), at(10))), [true, false, true]);
        polled.ask(quality(1), at(12));
        assert_eq!((polled.sweep(at(12)), polled.sweep(at(14))), (false, true));
        assert_eq!(polled.targets(), [quality(1)]);
        for n in 1..100 {
            polled.ask(quality(n), at(14));
        }
        assert!(polled.targets().len() == MOST && polled.targets().contains(&quality(99)));
        assert!(polled.sweep(at(20)) && polled.targets().is_empty());
    }
}
