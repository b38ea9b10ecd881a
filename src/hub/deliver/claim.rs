//! What a connection knows of a name that is taken: it has the name and is to answer, or waits for it.

use std::net::IpAddr;

use crate::access::{Grant, Publish};
use crate::relay::ConnectionId;
use crate::time::Micros;

/// Who asks for a name that is taken.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct Asker {
    pub(in crate::hub) id: ConnectionId,
    pub(in crate::hub) address: IpAddr,
    /// The number that its machine keeps; 0: none.
    pub(in crate::hub) publisher: u64,
}

/// A publisher that is to answer, or its name goes to another.
#[derive(Debug)]
pub(super) struct Challenge {
    /// Bytes that had been read from it.
    pub(super) heard: u64,
    pub(super) until: Micros,
    /// It was over when it was looked at last: what came meanwhile has been read since.
    pub(super) overdue: bool,
    pub(super) askers: Vec<ConnectionId>,
}

/// A publisher that waits for a name.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) grant: Grant<Publish>,
    pub(super) instance: u64,
    pub(super) until: Micros,
    /// It was answered; once must do.
    pub(super) over: bool,
}

impl Claim {
    pub(super) fn waits(&self) -> bool {
        !self.over
    }
}
