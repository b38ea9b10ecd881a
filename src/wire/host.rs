//! The hosts that requests name: the `Host` field (RFC 9110, section 7.2), and which hosts a hub answers as.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeSet;

/// A name of the DNS has so many bytes at most (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;

/// Endings that no stranger can register: names of this machine and of its own network (RFC 6761, 6762, 8375).
const PRIVATE: [&str; 4] = [".localhost", ".local", ".internal", ".home.arpa"];

/// The host of an authority, without its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A name in lower case, without the dot of the root.
    Name(String),
}

impl Host {
    /// Reads `HOST` or `HOST:PORT`. `None`: that is neither, as with user information before an `@`.
    #[must_use]
    pub fn parse(authority: &str) -> Option<Self> {
        // Some write an address without its brackets.
        if let Ok(ip) = authority.parse::<Ipv6Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (ip, after) = rest.split_once(']')?;
            // A zone (RFC 6874) is a matter of the machine that has it.
            let ip: Ipv6Addr = ip.split_once('%').map_or(ip, |(ip, _)| ip).parse().ok()?;
            (Self::Ip(ip.into()), if after.is_empty() { "" } else { after.strip_prefix(':')? })
        } else {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            let ip = host.parse().ok().map(Self::Ip);
            (ip.or_else(|| name(host).map(Self::Name))?, port)
        };
        port.bytes().all(|b| b.is_ascii_digit()).then_some(host)
    }

    /// Whether it is this machine by whatever name system.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.to_canonical().is_loopback(),
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A name as it is compared: labels of letters, digits, `-` and `_`, one dot at the end left out.
fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |l: &str| {
        (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    (text.len() <= MAX_NAME && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

/// A host as the system takes it: in a URL the sign before the zone of an address is written `%25` (RFC 6874).
#[must_use]
pub fn of_url(host: &str) -> String {
    host.replacen("%25", "%", usize::from(host.contains(':')))
}

/// A host without the zone of its address, which is a matter of this machine alone (RFC 6874, section 4).
#[must_use]
pub fn without_zone(host: &str) -> &str {
    host.split_once('%').map_or(host, |(host, _)| host)
}

/// Host and port as they stand in a URL: an IPv6 address in brackets.
#[must_use]
pub fn authority(host: &str, port: Option<u16>) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

/// Whether two places, `HOST:PORT` each, are one: a name is the same in whatever case, and `localhost`, `127.0.0.1` and `[::1]` are this
/// machine. The other addresses of loopback are others' own.
#[must_use]
pub fn same_place(one: &str, other: &str) -> bool {
    let here = |place: &str| -> Option<u16> {
        let itself = match Host::parse(place)? {
            Host::Ip(ip) => {
                matches!(ip.to_canonical(), IpAddr::V4(Ipv4Addr::LOCALHOST) | IpAddr::V6(Ipv6Addr::LOCALHOST))
            }
            name @ Host::Name(_) => name.is_loopback(),
        };
        // An address without brackets has no port.
        if itself && place.parse::<Ipv6Addr>().is_err() { place.rsplit_once(':')?.1.parse().ok() } else { None }
    };
    one.eq_ignore_ascii_case(other) || here(one).is_some_and(|port| here(other) == Some(port))
}

/// The hosts that a hub answers as while it asks for no credential.
///
/// The page of a stranger's domain that is made to resolve to this machine (DNS rebinding) counts in a browser as a page
/// of the hub's own, and only `Host` tells it from one. So the hub answers only as what no stranger can have: IP
/// addresses, names of one label, names of the own network, and what it was told.
#[derive(Clone, Debug, Default)]
pub struct HostNames(BTreeSet<String>);

impl HostNames {
    /// Adds a name of this machine.
    pub fn add(&mut self, host: &str) {
        self.0.extend(name(host));
    }

    /// Adds the host of a URL under which the hub is reached: `https://cams.example.org/`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add_url(&mut self, url: &str) -> Result<(), String> {
        let wrong = |why: &str| format!("'{url}' is no public URL: {why}; write https://cams.example.org");
        let (_, rest) = url.split_once("://").ok_or_else(|| wrong("the scheme is missing"))?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if !authority.is_ascii() {
            return Err(wrong("a name with other letters is written as xn--… in a URL"));
        }
        match Host::parse(authority) {
            Some(Host::Name(name)) => self.0.insert(name),
            Some(Host::Ip(_)) => true,
            None => return Err(wrong("it names no host")),
        };
        Ok(())
    }

    /// Whether the host is one that was added.
    #[must_use]
    pub fn has_added(&self, host: &Host) -> bool {
        matches!(host, Host::Name(name) if self.0.contains(name))
    }

    /// Whether the hub answers as this host.
    #[must_use]
    pub fn has(&self, host: &Host) -> bool {
        match host {
            Host::Ip(_) => true,
            Host::Name(name) => {
                !name.contains('.') || PRIVATE.iter().any(|end| name.ends_with(end)) || self.has_added(host)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_beside_their_ports_in_any_case() {
        for (authority, host) in [
            ("Hub.Local:8002", "hub.local"),
            ("hub.", "hub"),
            ("10.0.0.7", "10.0.0.7"),
            ("[::1]:8002", "[::1]"),
            ("[FE80::1%25eth0]", "[fe80::1]"),
            ("fe80::1", "[fe80::1]"),
            ("cam_1.lan:", "cam_1.lan"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(Host::parse(authority).map(|h| h.to_string()).as_deref(), Some(host), "{authority}");
        }
        let long = format!("{}.example", "x".repeat(64));
        let longer = ["abcdefg"; 40].join(".");
        for authority in [
            "",
            ".",
            ":80",
            "..",
            "a..b",
            ".local",
            "a:b",
            "a:80:90",
            "[::1",
            "[::1]x",
            "[a]",
            "hub/x",
            "hub x",
            "localhost@evil.test",
            "evil.test@localhost",
            "evil.test#.local",
            "evil.test\\.local",
            "b\u{fc}cher.local",
            "*.local",
            &long,
            &longer,
        ] {
            assert_eq!(Host::parse(authority), None, "{authority}");
        }
    }

    #[test]
    fn a_hub_answers_as_what_no_stranger_can_register_and_as_what_it_was_told() {
        let mut names = HostNames::default();
        names.add("Desk.Example.Org");
        names.add_url("https://cams.example.org:8443/door?x#y").unwrap();
        names.add_url("http://[::1]/").unwrap();
        for fine in [
            "127.0.0.1:8002",
            "[::1]",
            "[fe80::1]:1",
            "203.0.113.9",
            "localhost",
            "LOCALHOST.",
            "a.localhost:8002",
            "hub",
            "desk.local",
            "Desk.LOCAL.",
            "cam.internal",
            "cam.home.arpa",
            "desk.example.org.",
            "cams.example.org",
        ] {
            assert!(names.has(&Host::parse(fine).unwrap()), "{fine}");
        }
        for stranger in [
            "evil.test",
            "evil.test:8002",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "evillocal.test",
            "a.b.local.evil",
            "0x7f.1",
            "cam.lan",
            "x.cams.example.org",
            "example.org",
            "xn--lcalhost-n0a.test",
            "home.arpa",
            "local.",
        ] {
            let host = Host::parse(stranger).unwrap();
            assert_eq!(names.has(&host), !host.to_string().contains('.'), "{stranger}");
        }
        for wrong in ["cams.example.org", "https://", "https://a@b", "https://b\u{fc}cher.example", "https://a b"] {
            assert!(names.add_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for here in ["localhost", "a.localhost.", "127.9.9.9:1", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(Host::parse(here).unwrap().is_loopback(), "{here}");
        }
        assert!(!Host::parse("localhost.evil.test").unwrap().is_loopback());
    }

    #[test]
    fn this_machine_is_one_place_by_each_of_its_names() {
        for (one, other) in [
            ("127.0.0.1:8002", "[::1]:8002"),
            ("localhost:8002", "127.0.0.1:8002"),
            ("[::ffff:127.0.0.1]:8002", "desk.localhost:8002"),
            ("Desk:8002", "desk:8002"),
        ] {
            assert!(same_place(one, other) && same_place(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("127.0.0.1:8002", "[::1]:8003"),
            ("127.0.0.1:8002", "127.0.0.2:8002"),
            ("127.0.0.1:8002", "10.0.0.1:8002"),
            ("localhost:8002", "localhost.evil.test:8002"),
            ("::1", "127.0.0.1:1"),
            ("", "[::1]:8002"),
        ] {
            assert!(!same_place(one, other) && !same_place(other, one), "{one} {other}");
        }
    }
}
