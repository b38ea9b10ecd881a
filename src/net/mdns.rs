//! Hubs that say where they are on the local network, by DNS-SD over multicast (RFC 6762, RFC 6763), and finding them. What is said
//! there is proven by nothing: the key that a hub must have comes from a link, or from whoever runs it.

use std::net::SocketAddr;
use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceInfo};

use crate::wire::fingerprint::KeyFingerprint;

/// What hubs are called there.
const SERVICE: &str = "_streamflow._tcp.local.";
/// How long a hub that ends waits until it has said so.
const GOODBYE: Duration = Duration::from_millis(200);

/// A hub that says where it is. Dropping it says that it is gone.
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Begins to say where a hub is: the machine and the port, its key and its version, and nothing of its streams. `None` where
    /// there is no multicast, which is no fault.
    #[must_use]
    pub fn start(machine: &str, listen: SocketAddr, key: Option<KeyFingerprint>) -> Option<Self> {
        let machine: String = machine.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
        let machine = if machine.is_empty() { "streamflow".to_owned() } else { machine };
        let mut text = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        text.extend(key.map(|key| ("key", key.to_string())));
        let host = format!("{machine}.local.");
        let ip = listen.ip();
        let instance = format!("{machine} {}", listen.port());
        let made = if ip.is_unspecified() {
            ServiceInfo::new(SERVICE, &instance, &host, (), listen.port(), &text[..]).map(ServiceInfo::enable_addr_auto)
        } else {
            ServiceInfo::new(SERVICE, &instance, &host, ip, listen.port(), &text[..])
        };
        let begun = made.and_then(|info| {
            let daemon = ServiceDaemon::new()?;
            let name = info.get_fullname().to_owned();
            daemon.register(info)?;
            Ok(Self { daemon, name })
        });
        begun.inspect_err(|error| log::debug!("the hub does not say in the network where it is: {error}")).ok()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Ok(done) = self.daemon.unregister(&self.name) {
            let _ = done.recv_timeout(GOODBYE);
        }
        let _ = self.daemon.shutdown();
    }
}

#[cfg(feature = "view")]
pub use self::finding::{FoundHub, find};

#[cfg(feature = "view")]
mod finding {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, SocketAddr};
    use std::time::{Duration, Instant};

    use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};
    use serde::Serialize;

    use super::SERVICE;
    use crate::error::{Error, Result};

    /// So many are told at most: anybody in the network may say that it is a hub.
    const MOST: usize = 256;
    /// Characters of what one says of itself.
    const LONGEST: usize = 100;

    /// A hub, as it says it is.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    pub struct FoundHub {
        /// The machine.
        pub machine: String,
        /// Where it is reached; those of IPv4 first.
        pub addresses: Vec<String>,
        /// Its version.
        pub version: Option<String>,
        /// The key that it says it has.
        pub key: Option<String>,
    }

    /// The hubs that say within this time where they are.
    ///
    /// # Errors
    /// This machine has no multicast.
    pub fn find(within: Duration) -> Result<Vec<FoundHub>> {
        let failed = |error: mdns_sd::Error| Error::Failed(format!("cannot look for hubs in this network: {error}"));
        let daemon = ServiceDaemon::new().map_err(failed)?;
        let events = daemon.browse(SERVICE).map_err(failed)?;
        let until = Instant::now() + within;
        let mut found = BTreeMap::new();
        while let Ok(event) = events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            match event {
                ServiceEvent::ServiceResolved(service)
                    if found.len() < MOST || found.contains_key(&service.fullname) =>
                {
                    let hub = hub_of(&service);
                    found.insert(service.fullname.clone(), hub);
                }
                ServiceEvent::ServiceRemoved(_, name) => drop(found.remove(&name)),
                _ => {}
            }
        }
        let _ = daemon.shutdown();
        let mut hubs: Vec<_> = found.into_values().collect();
        hubs.sort();
        Ok(hubs)
    }

    fn hub_of(service: &ResolvedService) -> FoundHub {
        let text = |key| service.get_property_val_str(key).map(short);
        let mut ips: Vec<IpAddr> = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
        // An address of one link alone must be told with its link, and the others do without.
        ips.retain(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
        ips.sort();
        ips.truncate(8);
        FoundHub {
            machine: short(service.host.trim_end_matches('.')),
            addresses: ips.into_iter().map(|ip| SocketAddr::new(ip, service.port).to_string()).collect(),
            version: text("version"),
            key: text("key"),
        }
    }

    fn short(text: &str) -> String {
        text.chars().take(LONGEST).collect()
    }
}
