//! Links to a hub, a room or a stream: `sf://HOST[:PORT][/ROOM[/NAME]]#pin=KEY`. What stands behind `#` is for programs, and reaches
//! no server where somebody pastes the link into a browser.

use std::fmt;
use std::str::FromStr;

use super::address::{HubAddress, Tls};
use crate::error::{Error, Result};
use crate::names::StreamKey;
use crate::wire::fingerprint::KeyFingerprint;

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinLink {
    /// The hub, and the key that it must have.
    pub hub: HubAddress,
    /// The room, where the link names one.
    pub room: Option<String>,
    /// The stream's name, where it names one.
    pub name: Option<String>,
}

impl FromStr for JoinLink {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::Usage(format!(
                "'{text}' is no link: {why}; a link is sf://HOST[:PORT][/ROOM[/NAME]]#pin=KEY, as a hub prints it"
            ))
        };
        let rest = text.trim().strip_prefix("sf://").ok_or_else(|| wrong("it does not begin with sf://"))?;
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut hub: HubAddress = authority.parse().map_err(|_| wrong("the host is missing, or is none"))?;
        for pair in fragment.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("pin", key)) if hub.pin.is_none() => hub.pin = Some(key.parse().map_err(wrong)?),
                Some(("pin", _)) => return Err(wrong("it names two keys")),
                // What a newer version adds must not be left out without a word.
                _ => return Err(wrong("it has something behind # that this version does not know")),
            }
        }
        // Who names a key means an encrypted hub, on this machine too.
        hub.tls = if hub.pin.is_some() { Tls::Always } else { hub.tls };
        let (room, name) = path.split_once('/').unwrap_or((path, ""));
        let part = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
        let (room, name) = (part(room), part(name));
        if room.is_none() && name.is_some() {
            return Err(wrong("the room is missing"));
        }
        let checked = StreamKey::parse(room.as_deref().unwrap_or("main"), name.as_deref().unwrap_or("any"));
        checked.map_err(|why| wrong(&why))?;
        Ok(Self { hub, room, name })
    }
}

impl fmt::Display for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The zone of an IPv6 address stands behind a `%`, which is escaped in a URL (RFC 6874).
        write!(f, "sf://{}", self.hub.to_string().replace('%', "%25"))?;
        for part in [&self.room, &self.name].into_iter().flatten() {
            write!(f, "/{part}")?;
        }
        self.hub.pin.as_ref().map_or(Ok(()), |pin: &KeyFingerprint| write!(f, "#pin={}", pin.for_url()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_was_printed() {
        let pin = KeyFingerprint([7; 32]);
        for (host, room, name) in
            [("desk.local", None, None), ("10.0.0.1:9000", Some("lab"), None), ("[::1]:9", Some("lab"), Some("cam"))]
        {
            let hub = HubAddress { pin: Some(pin), tls: Tls::Always, ..host.parse().unwrap() };
            let link = JoinLink { hub, room: room.map(str::to_owned), name: name.map(str::to_owned) };
            let read: JoinLink = link.to_string().parse().unwrap();
            assert_eq!((read.hub.pin, read.hub.tls), (Some(pin), Tls::Always), "{link}");
            assert_eq!((read.hub.host, read.room, read.name), (link.hub.host, link.room, link.name));
        }
        for zoned in ["sf://[fe80::1%25eth0]:9/lab", "sf://[fe80::1%2525]:9"] {
            let link: JoinLink = zoned.parse().unwrap();
            assert_eq!(link.to_string(), zoned);
        }
        let without: JoinLink = "sf://desk/main/".parse().unwrap();
        assert_eq!((without.hub.pin, without.hub.tls, without.name), (None, Tls::BeyondLoopback, None));
    }

    #[test]
    fn what_is_no_link_is_said_to_be_none() {
        for wrong in [
            "",
            "desk",
            "https://desk",
            "sf://",
            "sf:///main",
            "sf://desk/ro om",
            "sf://desk/main/na\u{7}me",
            "sf://desk#pin=short",
            "sf://desk#other=1",
            "sf://desk/a/b/c",
            "sf://desk//cam",
            "sf://desk#pin=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc&pin=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
        ] {
            assert!(matches!(wrong.parse::<JoinLink>(), Err(Error::Usage(_))), "{wrong}");
        }
    }
}
