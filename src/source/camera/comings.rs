//! Whether cameras have come or gone, for who has none open.

use std::thread;
use std::time::Duration;

#[cfg(target_os = "linux")]
use super::hotplug::Wanted;
#[cfg(target_os = "linux")]
use super::watch::{DEVICES, Watch};
use crate::time::{Micros, now};

/// How often it is looked where the system does not tell.
const LOOK: Duration = Duration::from_secs(1);
/// Whoever waits can be told to stop so often.
const TURN: Duration = Duration::from_millis(100);

/// Tells when cameras may have come or gone: the kernel says so, or, where it does not, it is looked every second.
pub struct Comings {
    #[cfg(target_os = "linux")]
    watch: Option<Watch>,
    looked: Micros,
    known: Vec<u32>,
}

impl Comings {
    /// Begins. What comes from now on is told.
    #[must_use]
    pub fn begin() -> Self {
        #[cfg(target_os = "linux")]
        let watch = Watch::new(Wanted::new(DEVICES, None))
            .inspect_err(|error| log::debug!("nobody tells when a camera comes ({error}): it is looked every second"));
        Self {
            #[cfg(target_os = "linux")]
            watch: watch.ok(),
            looked: now(),
            known: numbers(),
        }
    }

    /// Waits until something changed, `patience` at most, which may be less than a tenth of a second is.
    pub fn changed_within(&mut self, patience: Duration) -> bool {
        let patience = patience.min(TURN);
        #[cfg(target_os = "linux")]
        if let Some(watch) = &mut self.watch {
            return watch.wait(patience).is_some();
        }
        thread::sleep(patience);
        if now().since(self.looked) < LOOK {
            return false;
        }
        self.looked = now();
        let before = std::mem::replace(&mut self.known, numbers());
        before != self.known
    }
}

/// The numbers of what may be cameras.
fn numbers() -> Vec<u32> {
    #[cfg(target_os = "linux")]
    return super::devices::numbers();
    #[cfg(not(target_os = "linux"))]
    return super::portable::names().into_iter().map(|(index, _)| index).collect();
}
