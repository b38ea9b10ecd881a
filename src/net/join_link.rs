//! Links to a hub, a room or a stream: `sf://HOST[:PORT][/ROOM[/NAME]]#pin=KEY&token=TOKEN`. What stands behind `#` is for programs,
//! and reaches no server where somebody pastes the link into a browser. The link to a hub's page is understood as well.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::address::{HubAddress, Tls};
use crate::error::{Error, Result};
use crate::names::StreamKey;
use crate::secret::Secret;

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinLink {
    /// The hub, and the key that it must have.
    pub hub: HubAddress,
    /// The room, where the link names one.
    pub room: Option<String>,
    /// The stream's name, where it names one.
    pub name: Option<String>,
    /// What lets somebody in: a secret, or a signed token.
    pub token: Option<Secret>,
    /// What the stream is sealed with, end to end.
    pub key: Option<Secret>,
}

impl FromStr for JoinLink {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // The line of a hub has quotes for the shell, and may be pasted where there is none.
        let text = text.trim().trim_matches(['\'', '"']);
        let wrong = |why: &str| {
            // What is no link may be a secret, and so is what stands behind it.
            let shown = text.split(['#', '?', '&', '=']).next().filter(|shown| shown.contains("://"));
            let shown = shown.map_or_else(|| "this".into(), |shown| format!("'{shown}'"));
            Error::Usage(format!(
                "{shown} is no link: {why}; a link is sf://HOST[:PORT][/ROOM[/NAME]]#pin=KEY&token=TOKEN, as a hub prints it"
            ))
        };
        Self::read(text).map_err(|why| wrong(&why))
    }
}

impl JoinLink {
    fn read(text: &str) -> Result<Self, String> {
        let no_host = "the host is missing, or is none";
        let mut link;
        let fragment;
        if let Some(rest) = text.strip_prefix("sf://") {
            let (rest, behind) = rest.split_once('#').unwrap_or((rest, ""));
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            link = Self::to(authority.parse().map_err(|_| no_host)?);
            link.name_stream(path)?;
            fragment = behind;
        } else if let Some(rest) = text.strip_prefix("https://") {
            // The page names the stream behind `#`, and its packets come over a WebSocket beside it.
            let (page, behind) = rest.split_once('#').unwrap_or((rest, ""));
            if page.contains('?') || !page.chars().all(|c| c.is_ascii_graphic() || c.is_alphanumeric()) {
                return Err("this is no address of a hub's page".into());
            }
            let page = page.trim_end_matches('/');
            link = Self::to(format!("wss://{page}/ws").parse().map_err(|_| no_host)?);
            let (stream, behind) = match behind.strip_prefix('/') {
                Some(behind) => behind.split_once(['?', '&']).unwrap_or((behind, "")),
                None => ("", behind),
            };
            let stream = percent_decode_str(stream).decode_utf8().map_err(|_| "the stream's name is no text")?;
            link.name_stream(&stream)?;
            fragment = behind;
        } else {
            return Err("it does not begin with sf://".into());
        }
        for pair in fragment.split('&').filter(|pair| !pair.is_empty()) {
            // What a newer version adds must not be left out without a word.
            let unknown = "it has something behind # that this version does not know";
            let (what, value) = pair.split_once('=').ok_or(unknown)?;
            let secret = |what| Secret::of_url(value).map_err(|why| format!("its {what} is none: {why}"));
            let twice = match what {
                "pin" => link.hub.pin.replace(value.parse()?).is_some(),
                "token" => link.token.replace(secret("token")?).is_some(),
                "key" => link.key.replace(secret("key")?).is_some(),
                _ => return Err(unknown.into()),
            };
            if twice {
                return Err(if what == "pin" { "it names two keys".into() } else { format!("it has two of {what}") });
            }
        }
        // Who names a key means an encrypted hub, on this machine too.
        link.hub.tls = if link.hub.pin.is_some() { Tls::Always } else { link.hub.tls };
        Ok(link)
    }

    /// The link to a hub, without anything else.
    #[must_use]
    pub fn to(hub: HubAddress) -> Self {
        Self { hub, room: None, name: None, token: None, key: None }
    }

    /// Reads `ROOM[/NAME]`.
    fn name_stream(&mut self, path: &str) -> Result<(), String> {
        // What is said of a wrong name has it in it, and here it may be a secret.
        if path.contains(['&', '?', '=', '#']) {
            return Err("behind the room and the name comes #, and then pin=, token= or key=".into());
        }
        let (room, name) = path.split_once('/').unwrap_or((path, ""));
        let part = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
        (self.room, self.name) = (part(room), part(name));
        if self.room.is_none() && self.name.is_some() {
            return Err("the room is missing".into());
        }
        let (room, name) = (self.room.as_deref().unwrap_or("main"), self.name.as_deref().unwrap_or("any"));
        StreamKey::parse(room, name).map(drop)
    }
}

impl fmt::Display for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The zone of an IPv6 address stands behind a `%`, which is escaped in a URL (RFC 6874).
        let hub = self.hub.place().replace('%', "%25");
        let stream = [&self.room, &self.name].into_iter().flatten();
        let stream: String = stream.map(|part| format!("/{part}")).collect();
        let mut behind = Vec::new();
        match self.hub.websocket.as_deref() {
            None => write!(f, "sf://{hub}{stream}")?,
            Some(path) => {
                write!(f, "https://{hub}{}", path.strip_suffix("ws").unwrap_or(path))?;
                behind.extend(Some(stream).filter(|stream| !stream.is_empty()));
            }
        }
        behind.extend(self.hub.pin.map(|pin| format!("pin={}", pin.for_url())));
        behind.extend(self.token.as_ref().map(|token| format!("token={}", token.for_url())));
        behind.extend(self.key.as_ref().map(|key| format!("key={}", key.for_url())));
        if behind.is_empty() { Ok(()) } else { write!(f, "#{}", behind.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fingerprint::KeyFingerprint;

    #[test]
    fn a_link_is_read_as_it_was_printed() {
        let pin = KeyFingerprint([7; 32]);
        for (host, room, name) in
            [("desk.local", None, None), ("10.0.0.1:9000", Some("lab"), None), ("[::1]:9", Some("lab"), Some("cam"))]
        {
            let hub = HubAddress { pin: Some(pin), tls: Tls::Always, ..host.parse().unwrap() };
            let mut link = JoinLink::to(hub);
            (link.room, link.name) = (room.map(str::to_owned), name.map(str::to_owned));
            let read: JoinLink = link.to_string().parse().unwrap();
            assert_eq!((read.hub.pin, read.hub.tls), (Some(pin), Tls::Always), "{link}");
            assert_eq!((&read.hub.host, &read.room, &read.name), (&link.hub.host, &link.room, &link.name));
            link.token = Some("a token, of & all = sorts # ü%41".into());
            link.key = Some("end+to/end".into());
            let read: JoinLink = link.to_string().parse().unwrap();
            assert_eq!((&read.token, &read.key, &read.room), (&link.token, &link.key, &link.room), "{link}");
        }
        for zoned in ["sf://[fe80::1%25eth0]:9/lab", "sf://[fe80::1%2525]:9"] {
            let link: JoinLink = zoned.parse().unwrap();
            assert_eq!(link.to_string(), zoned);
        }
        let quoted: JoinLink = " 'sf://desk/main/cam' ".parse().unwrap();
        assert_eq!((quoted.hub.host.as_str(), quoted.name.as_deref()), ("desk", Some("cam")), "pasted with its quotes");
        let without: JoinLink = "sf://desk/main/".parse().unwrap();
        assert_eq!((without.hub.pin, without.hub.tls, without.name), (None, Tls::BeyondLoopback, None));
    }

    #[test]
    fn the_link_to_a_hubs_page_is_one_to_the_hub() {
        for (text, hub, stream, printed) in [
            (
                "https://10.0.0.5:8002/#token=abc",
                "wss://10.0.0.5:8002/ws",
                (None, None),
                "https://10.0.0.5:8002/#token=abc",
            ),
            (
                "https://cams.example.org/in/#/main/t%C3%BCr&token=a%26b",
                "wss://cams.example.org:443/in/ws",
                (Some("main"), Some("tür")),
                "https://cams.example.org:443/in/#/main/tür&token=a%26b",
            ),
            ("https://h#/lab?key=k", "wss://h:443/ws", (Some("lab"), None), "https://h:443/#/lab&key=k"),
            ("https://desk", "wss://desk:443/ws", (None, None), "https://desk:443/"),
        ] {
            let link: JoinLink = text.parse().unwrap();
            assert_eq!((link.hub.to_string().as_str(), link.hub.tls), (hub, Tls::Always), "{text}");
            assert_eq!((link.room.as_deref(), link.name.as_deref()), stream, "{text}");
            assert_eq!(link.to_string(), printed);
            assert_eq!(printed.parse::<JoinLink>().unwrap(), link);
        }
    }

    #[test]
    fn what_is_no_link_is_said_to_be_none() {
        for wrong in [
            "",
            "desk",
            "http://desk",
            "https://",
            "https://desk/?x#token=a",
            "https://desk/#main/door",
            "https://desk/#//door",
            "sf://",
            "sf:///main",
            "sf://desk/ro om",
            "sf://desk/main/na\u{7}me",
            "sf://desk#pin=short",
            "sf://desk#other=1",
            "sf://desk#token",
            "sf://desk#token=",
            "sf://desk#key=%00",
            "sf://desk/a/b/c",
            "sf://desk//cam",
            "sf://desk#pin=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc&pin=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
            "sf://desk#token=a&token=a",
            "sf://desk#key=a&token=b&key=a",
        ] {
            assert!(matches!(wrong.parse::<JoinLink>(), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn what_is_said_of_a_wrong_link_has_no_secret_in_it() {
        for wrong in [
            "sf://desk/a/b/c#token=hunter2",
            "sf://desk/main&token=hunter2",
            "sf://desk/main/token=hunter2",
            "https://desk/#/main/token%3Dhunter2",
            "https://desk/?token=hunter2",
            "sf://desk#token=hunter2&pin=hunter2",
            "sf://desk#hunter2=1",
            "sf://desk#token=hunter2&token=hunter2",
            "hunter2",
        ] {
            let said = wrong.parse::<JoinLink>().unwrap_err().to_string();
            assert!(said.contains("is no link") && !said.contains("hunter2"), "{said}");
        }
    }
}
