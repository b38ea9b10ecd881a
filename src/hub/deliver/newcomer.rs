//! What admission hands to a delivery loop.

use std::net::SocketAddr;

use crate::access::{Credentials, Grant, Join, Publish, Watch};
use crate::hub::address_limits::Place;
use crate::hub::bridges::rooms::Feed;
use crate::hub::memory::Account;
use crate::hub::placeholder::Placeholder;
use crate::net::connection::Framing;
use crate::relay::ConnectionId;
use crate::time::Micros;
use crate::transport::Transport;
use crate::wire::control::Hello;
use crate::wire::packet::Packet;

/// What a connection was admitted for.
pub(in crate::hub) enum Purpose {
    Publish {
        grant: Grant<Publish>,
        replace: bool,
        instance: u64,
    },
    Watch(Grant<Watch>),
    /// Into a room, under a name of ours that was made of how somebody is called.
    Join {
        grant: Grant<Join>,
        called: String,
    },
}

/// What somebody said first: how it speaks, and what for.
pub(in crate::hub) struct Admitted {
    /// What it showed; it is asked for again whenever it asks for something else.
    pub(in crate::hub) credentials: Credentials,
    pub(in crate::hub) framing: Framing,
    pub(in crate::hub) purpose: Purpose,
    /// The hello, where there was one.
    pub(in crate::hub) hello: Option<Hello>,
    /// Microseconds between two pictures that it is given, at least; 0: as they come.
    pub(in crate::hub) apart: u32,
    /// It watches somebody in a room, beside being in it perhaps, until this is dropped.
    pub(in crate::hub) feed: Option<Feed>,
    /// A bare picture that came in the place of a hello, and when it began.
    pub(in crate::hub) first: Option<(Packet, Micros)>,
}

/// A connection fresh from admission.
pub(in crate::hub) struct Newcomer {
    pub(in crate::hub) id: ConnectionId,
    pub(in crate::hub) address: SocketAddr,
    pub(in crate::hub) transport: Transport,
    pub(in crate::hub) admitted: Admitted,
    /// What was read beyond that.
    pub(in crate::hub) early: Vec<u8>,
    /// What shows a viewer who sees nothing but pictures why there is none.
    pub(in crate::hub) placeholder: Option<Placeholder>,
    /// Given back when the connection ends: its place among those of its address.
    pub(in crate::hub) place: Place,
    /// What it holds.
    pub(in crate::hub) account: Account,
}
