//! A stream that a connection is given the pictures of.

use std::sync::Arc;

use crate::hub::stream::Stream;
use crate::relay::audio::Listener;
use crate::relay::policy::Newest;
use crate::time::Micros;

/// A stream that a connection is given.
pub(super) struct Subscription {
    pub(super) stream: Arc<Stream>,
    pub(super) policy: Newest,
    /// Where it is in the sound, if it listens.
    pub(super) listener: Listener,
    /// When it is shown again that its pictures are sealed, where it cannot open them.
    pub(super) stand_in_due: Micros,
}

impl Subscription {
    pub(super) fn new(stream: Arc<Stream>, now: Micros) -> Self {
        Self { stream, policy: Newest::default(), listener: Listener::new(now), stand_in_due: Micros(0) }
    }
}
