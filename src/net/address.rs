//! Where a hub is: `HOST`, `HOST:PORT`, `[IPv6]:PORT`, `ws://HOST[:PORT][/PATH]`, `wss://HOST[:PORT][/PATH]`, or the address of its
//! page.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::wire::fingerprint::KeyFingerprint;
use crate::wire::host::{authority, of_url};

/// The port of a hub unless said otherwise.
pub const PORT: u16 = 8002;

/// The address of a hub, as a person writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubAddress {
    /// Name or IP address, without brackets.
    pub host: String,
    /// `None`: the default of the program, 8002 unless said.
    pub port: Option<u16>,
    /// The path of the WebSocket, where the packets travel as WebSocket messages.
    pub websocket: Option<String>,
    /// Whether the connection is encrypted.
    pub tls: Tls,
    /// The key that it must have; `None`: one that is known, or that an authority vouches for.
    pub pin: Option<KeyFingerprint>,
    /// What lets somebody in there: a secret, or a signed token. It is not shown to a key that is not trusted, and not in the clear
    /// beyond this machine.
    pub token: Option<Secret>,
    /// Whether the token is the one that this user's hub keeps for the programs of this user: it is not remembered.
    pub of_this_user: bool,
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// The default: where it leaves this machine.
    #[default]
    BeyondLoopback,
    /// In any case.
    Always,
    /// In the clear.
    Never,
}

impl FromStr for HubAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            // A link may have been pasted here, with a secret behind its `#`.
            let shown = text.split_once('#').map_or(text, |(shown, _)| shown);
            Error::Usage(format!("'{shown}' is no hub address: {why}; write HOST, HOST:PORT or wss://HOST:PORT/PATH"))
        };
        let (rest, websocket, tls) = match text.split_once("://") {
            None => (text, None, Tls::default()),
            Some((scheme @ ("ws" | "wss"), rest)) => {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, "ws"));
                let path = format!("/{}", if path.is_empty() { "ws" } else { path });
                (authority, Some(path), if scheme == "ws" { Tls::Never } else { Tls::Always })
            }
            // What stands in a browser's address bar: the page, and its WebSocket beside it.
            Some((scheme @ ("http" | "https"), rest)) if !rest.contains(['#', '?']) => {
                let (authority, folder) = rest.split_once('/').unwrap_or((rest, ""));
                let folder = folder.trim_matches('/');
                let path = if folder.is_empty() { "/ws".into() } else { format!("/{folder}/ws") };
                // A hub that others reach leads `http://` to `https://`; in the clear it is asked by ws:// or --no-tls.
                (authority, Some(path), if scheme == "http" { Tls::default() } else { Tls::Always })
            }
            Some(("sf" | "http" | "https", _)) => return Err(wrong("this is a link, for --join")),
            Some((scheme, _)) => return Err(wrong(&format!("'{scheme}' is no scheme of ours"))),
        };
        let (host, port) = if let Some(inner) = rest.strip_prefix('[') {
            let (host, after) = inner.split_once(']').ok_or_else(|| wrong("the bracket is not closed"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(wrong("after the bracket comes :PORT or nothing")),
            }
        } else if rest.matches(':').count() > 1 {
            (rest, None)
        } else {
            rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)))
        };
        let host = of_url(host);
        // Names of the DNS and of other alphabets, IP addresses, and the zones of IPv6.
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%');
        if host.is_empty() || !host.chars().all(fits) {
            return Err(wrong("the host is missing or has characters that no host has"));
        }
        let (address, zone) = host.split_once('%').unwrap_or((&host, "0"));
        if host.contains([':', '%']) && (address.parse::<Ipv6Addr>().is_err() || zone.is_empty() || zone.contains('%'))
        {
            return Err(wrong("this is no IPv6 address"));
        }
        let port = match port {
            None => None,
            Some(port) => Some(port.parse().ok().filter(|p| *p > 0).ok_or_else(|| wrong("the port is 1 to 65535"))?),
        };
        // A WebSocket's default port is HTTP's (RFC 6455, section 3).
        let port = port.or_else(|| websocket.is_some().then_some(if tls == Tls::Always { 443 } else { 80 }));
        Ok(Self { host, port, websocket, tls, pin: None, token: None, of_this_user: false })
    }
}

impl HubAddress {
    /// The hub on this machine.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self::native(Ipv4Addr::LOCALHOST.to_string(), port)
    }

    /// The hub that listens on `listen`, from the same machine.
    #[must_use]
    pub fn of_listener(listen: SocketAddr) -> Self {
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self::native(ip.to_string(), listen.port())
    }

    fn native(host: String, port: u16) -> Self {
        let tls = Tls::default();
        Self { host, port: Some(port), websocket: None, tls, pin: None, token: None, of_this_user: false }
    }

    /// Whether the name says that it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        let is_named = host == "localhost" || host.ends_with(".localhost");
        is_named || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// What the hub is called where its key and what lets in are kept.
    #[must_use]
    pub(crate) fn place(&self) -> String {
        authority(&self.host, Some(self.port_or(PORT)))
    }

    /// The port, or the default.
    #[must_use]
    pub fn port_or(&self, default: u16) -> u16 {
        self.port.unwrap_or(default)
    }
}

impl std::fmt::Display for HubAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match (&self.websocket, self.tls) {
            (None, _) => "",
            (Some(_), Tls::Always) => "wss://",
            (Some(_), _) => "ws://",
        };
        let path = self.websocket.as_deref().unwrap_or_default();
        write!(f, "{scheme}{}{path}", self.place())
    }
}

/// Whether this is an address of one link alone that does not say which.
#[must_use]
pub fn lacks_zone(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

/// An address to listen on: `IP`, `IP:PORT`, `[IPv6]:PORT`, or `localhost`.
///
/// # Errors
/// [`Error::Usage`] with how to write it.
pub fn listen_address(text: &str, default_port: u16) -> Result<SocketAddr> {
    let text = text.trim();
    let ip = |s: &str| {
        let s = s.strip_prefix('[').and_then(|s| s.strip_suffix(']')).unwrap_or(s);
        if s == "localhost" { Some(Ipv4Addr::LOCALHOST.into()) } else { s.parse::<IpAddr>().ok() }
    };
    // With a zone, which only the system knows; without brackets the port could not be told from it.
    let zoned = || {
        let (host, port) = text.strip_prefix('[').and_then(|inner| inner.split_once(']')).unwrap_or((text, ""));
        let port = if port.is_empty() { default_port } else { port.strip_prefix(':')?.parse().ok()? };
        (of_url(host).as_str(), port).to_socket_addrs().ok()?.next()
    };
    text.parse()
        .ok()
        .or_else(|| ip(text).map(|ip| SocketAddr::new(ip, default_port)))
        .or_else(|| text.rsplit_once(':').and_then(|(h, p)| Some(SocketAddr::new(ip(h)?, p.parse().ok()?))))
        .or_else(|| if text.contains('%') { zoned() } else { None })
        .ok_or_else(|| {
            Error::Usage(format!(
                "'{text}' is no address to listen on; write IP or IP:PORT, such as 0.0.0.0:{default_port} for everybody"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, shown, websocket) in [
            ("desk.local", "desk.local:8002", None),
            ("10.0.0.1:9000", "10.0.0.1:9000", None),
            ("::1", "[::1]:8002", None),
            ("[fe80::1]:9", "[fe80::1]:9", None),
            ("fe80::1%eth0", "[fe80::1%eth0]:8002", None),
            ("ws://[fe80::1%25eth0]:9/ws", "ws://[fe80::1%eth0]:9/ws", Some("/ws")),
            ("ws://hub:8002", "ws://hub:8002/ws", Some("/ws")),
            ("ws://hub/cams/ws?x=1", "ws://hub:80/cams/ws?x=1", Some("/cams/ws?x=1")),
            ("http://hub:8002/", "ws://hub:8002/ws", Some("/ws")),
            ("https://cams.example.org", "wss://cams.example.org:443/ws", Some("/ws")),
            ("https://cams.example.org/cam/", "wss://cams.example.org:443/cam/ws", Some("/cam/ws")),
            ("wss://cams.example.org", "wss://cams.example.org:443/ws", Some("/ws")),
        ] {
            let address: HubAddress = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.websocket.as_deref()), (shown, websocket));
        }
        for text in [
            "",
            ":80",
            "a:b",
            "host:0",
            "https://x/#/main/door",
            "wss://",
            "a]b",
            "a#b",
            "[:1%25a%25b]",
            "a::b::c",
            "fe80::1%",
            "a\u{fffd}b",
            "a b",
            "[::1",
            "[::1]x",
            "host:99999",
        ] {
            assert!(matches!(text.parse::<HubAddress>(), Err(Error::Usage(_))), "{text}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_an_address_is_named_without_its_secret() {
        let said = "sf://desk/main#token=hunter2".parse::<HubAddress>().unwrap_err().to_string();
        assert!(said.contains("--join") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (host, local) in [
            ("localhost", true),
            ("LOCALHOST.:9", true),
            ("hub.localhost", true),
            ("127.0.0.9", true),
            ("[::1]:9", true),
            ("::ffff:127.0.0.1", true),
            ("ws://127.0.0.1:9/ws", true),
            ("desk", false),
            ("10.0.0.1", false),
            ("localhost.example.org", false),
        ] {
            assert_eq!(host.parse::<HubAddress>().unwrap().is_loopback(), local, "{host}");
        }
    }

    #[test]
    fn listen_addresses_have_a_default_port() {
        assert_eq!(listen_address("0.0.0.0", 8002).unwrap().to_string(), "0.0.0.0:8002");
        assert_eq!(listen_address("localhost:5", 8002).unwrap().to_string(), "127.0.0.1:5");
        assert_eq!(listen_address("::", 8002).unwrap().to_string(), "[::]:8002");
        assert_eq!(listen_address("[::1]:7", 8002).unwrap().to_string(), "[::1]:7");
        assert!(listen_address("desk", 8002).is_err() && listen_address("fe80::1%no-such-interface", 8002).is_err());
        assert!(listen_address("[fe80::1%lo]9", 8002).is_err() && listen_address("[fe80::1%lo]:x", 8002).is_err());
        if cfg!(target_os = "linux") {
            for text in ["fe80::1%lo", "[fe80::1%lo]", "[fe80::1%25lo]:8002"] {
                let SocketAddr::V6(address) = listen_address(text, 8002).unwrap() else { panic!("not IPv6") };
                assert_eq!((address.port(), address.scope_id()), (8002, 1), "{text}");
            }
        }
    }
}
