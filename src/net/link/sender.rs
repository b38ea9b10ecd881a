//! What is taken for a hub and sends pictures without being asked, as programs do with a socket and `struct.pack`: known by the first
//! that it says. It is not asked a second time: many such programs end when their client goes.

use super::{LinkUser, Runner};
use crate::net::address::{HubAddress, PORT};
use crate::transport::Transport;
use crate::wire::host::authority;
use crate::wire::senders::{Before, ENOUGH, Sends, judge};

/// Somebody listens there, and does not speak as a hub does.
pub(super) fn no_hub(hub: &HubAddress, why: &str) -> String {
    format!("what answers at {hub} is no StreamFlow hub ({why}): --host and --port name another")
}

/// The first that was said on a connection and not read yet.
pub(super) fn overhear(transport: &mut Transport) -> Vec<u8> {
    let mut first = vec![0; ENOUGH];
    // Why nothing can be read, whoever reads it will say.
    let length = transport.peek(&mut first).unwrap_or(0);
    first.truncate(length);
    first
}

impl<U: LinkUser> Runner<U> {
    /// The pictures that come where a hub should be; `None`: that is not what comes.
    pub(super) fn pictures_said(&self) -> Option<Sends> {
        // A hub has pictures behind its own words.
        judge(&self.said).filter(|sends| !matches!(sends, Sends::Jpegs(Before::Other) | Sends::Other(_)))
    }

    /// What it is and what to do, where that was no hub but sends pictures.
    pub(super) fn sends_pictures(&self, hub: &HubAddress) -> Option<String> {
        let sends = self.pictures_said()?;
        let what = no_hub(hub, &format!("it sends {sends}"));
        if let Sends::Frames(_) = sends {
            return Some(what);
        }
        let place = authority(&hub.host, Some(hub.port_or(PORT)));
        Some(format!(
            "{what}; streamflow-send --source tcp://{place} gives its pictures to a hub, where they can be seen"
        ))
    }
}
