//! A stream that a connection is given the pictures of.

use std::sync::Arc;

use crate::hub::stream::Stream;
use crate::relay::policy::Newest;
use crate::time::Micros;

/// A stream that a connection is given.
pub(super) struct Subscription {
    pub(super) stream: Arc<Stream>,
    pub(super) policy: Newest,
    /// When it is shown again that its pictures are sealed, where it cannot open them.
    pub(super) stand_in_due: Micros,
}

impl Subscription {
    pub(super) fn new(stream: Arc<Stream>) -> Self {
        Self { stream, policy: Newest::default(), stand_in_due: Micros(0) }
    }
}
