//! Sockets that somebody else has opened for a hub: a service manager, which keeps them while the hub begins anew.

use std::net::{SocketAddr, TcpListener};

use crate::error::{Error, Result};
use crate::net::service_manager;

/// The one port of a hub, opened already; and the same for the other loopback address, where there is one.
pub(crate) struct Inherited {
    pub(super) main: TcpListener,
    pub(super) twin: Option<TcpListener>,
    address: SocketAddr,
}

impl Inherited {
    /// What the service manager has opened; `None`: nothing.
    ///
    /// # Errors
    /// It is no TCP socket, or there are more than a hub can have.
    pub(crate) fn from_service_manager() -> Result<Option<Self>> {
        Self::new(service_manager::listeners()?)
    }

    fn new(mut sockets: Vec<TcpListener>) -> Result<Option<Self>> {
        if sockets.len() > 2 {
            return Err(Error::Usage(format!(
                "systemd has opened {} sockets, and a hub has one, or two: leave the other lines ListenStream= away",
                sockets.len()
            )));
        }
        let addresses: std::io::Result<Vec<_>> = sockets.iter().map(TcpListener::local_addr).collect();
        let addresses = addresses.map_err(|e| Error::io("a socket that systemd has opened has no address", e))?;
        let Some(&address) = addresses.get(most_open(&addresses)) else { return Ok(None) };
        let main = sockets.remove(most_open(&addresses));
        Ok(Some(Self { main, twin: sockets.pop(), address }))
    }

    /// The hub's address: what it asks of others depends on who can reach that.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Which of them others reach. If one of two can be reached from outside, the hub must ask as one that can.
fn most_open(addresses: &[SocketAddr]) -> usize {
    addresses.iter().position(|address| !address.ip().is_loopback()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_reached_from_outside_says_how_the_hub_asks() {
        let [local, local6, open]: [SocketAddr; 3] =
            ["127.0.0.1:8002", "[::1]:8002", "0.0.0.0:8002"].map(|text| text.parse().unwrap());
        assert_eq!(most_open(&[local, local6]), 0);
        assert_eq!(most_open(&[local6, open]), 1);
        assert_eq!(most_open(&[open, local6]), 0);
    }

    #[test]
    fn a_hub_has_one_socket_or_two() {
        let opened = |count| (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect::<Vec<_>>();
        assert!(Inherited::new(Vec::new()).unwrap().is_none());
        let two = Inherited::new(opened(2)).unwrap().unwrap();
        assert!(two.twin.is_some() && two.address() == two.main.local_addr().unwrap());
        assert!(matches!(Inherited::new(opened(3)), Err(Error::Usage(why)) if why.contains("ListenStream")));
    }
}
