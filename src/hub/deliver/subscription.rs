//! A stream that a connection is given the pictures of.

use std::sync::Arc;

use crate::hub::stream::Stream;
use crate::relay::policy::Newest;

/// A stream that a connection is given.
pub(super) struct Subscription {
    pub(super) stream: Arc<Stream>,
    pub(super) policy: Newest,
}

impl Subscription {
    pub(super) fn new(stream: Arc<Stream>) -> Self {
        Self { stream, policy: Newest::default() }
    }
}
