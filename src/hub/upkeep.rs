//! What a hub looks at on a thread of its own, now and then: files that may lie on a disk that does not answer.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::access_files::AccessFiles;
use super::{Shared, encryption};
use crate::access::clock::{ClockNews, ClockWatch};
use crate::error::{Error, Result};
use crate::net::layout::unix_time;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);

/// What is looked at for this hub.
pub(super) fn looks(shared: &Arc<Shared>, files: Option<AccessFiles>) -> Vec<Box<dyn FnMut() + Send>> {
    let mut looks: Vec<Box<dyn FnMut() + Send>> = Vec::new();
    if let Some(identity) = shared.identity.clone() {
        looks.push(Box::new(encryption::renewal(identity, &shared.config)));
    }
    if let Some(mut files) = files {
        let shared = Arc::downgrade(shared);
        let mut clock = files.clock_watch();
        tell_of_clock(&mut clock);
        looks.push(Box::new(move || {
            let Some(shared) = shared.upgrade() else { return };
            shared.access.set_time(unix_time().as_secs());
            tell_of_clock(&mut clock);
            if let Some(policy) = files.refresh() {
                shared.access.replace(policy);
            }
            shared.authenticator.keep(shared.access.time());
        }));
    }
    looks
}

/// Says that the clock is not set, and when it is again: whoever has a link that ends is refused meanwhile.
fn tell_of_clock(clock: &mut ClockWatch) {
    match clock.look(unix_time().as_secs()) {
        Some(news @ ClockNews::Unset { .. }) => log::warn!("{news}"),
        Some(news @ ClockNews::Set(_)) => log::info!("{news}"),
        None => {}
    }
}

/// The thread. Dropping it ends it.
pub(super) struct Upkeep {
    stop: Option<Sender<()>>,
    _thread: JoinHandle<()>,
}

impl Upkeep {
    /// Looks at all of these, each time; `None`: there is nothing to look at.
    pub(super) fn start(mut looks: Vec<Box<dyn FnMut() + Send>>) -> Result<Option<Self>> {
        // A hub without files needs no thread that wakes for nothing.
        if looks.is_empty() {
            return Ok(None);
        }
        let (stop, stopped) = bounded(0);
        let thread = std::thread::Builder::new()
            .name("upkeep".into())
            .spawn(move || {
                while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    looks.iter_mut().for_each(|look| look());
                }
            })
            .map_err(|e| Error::io("cannot start a thread", e))?;
        Ok(Some(Self { stop: Some(stop), _thread: thread }))
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        // The thread is not waited for: a disk that does not answer must not keep the hub from ending.
        drop(self.stop.take());
    }
}
