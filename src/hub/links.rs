//! Making links, for the page and for `streamflow-hub link`.

use data_encoding::HEXLOWER;
use fast_qr::QRCode;
use fast_qr::qr::QRBuilder;

use super::access_files::random;
use crate::access::link::{LinkClaims, SigningKeys};
use crate::access::permissions::{AccessRole, Scope};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::wire::fingerprint::KeyFingerprint;

/// What a link is to be for.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkRequest {
    pub(crate) view: Vec<Scope>,
    pub(crate) publish: Vec<Scope>,
    /// Other roles, for all streams.
    pub(crate) roles: Vec<AccessRole>,
    /// When it ends, in seconds since 1970.
    pub(crate) ends: Option<u64>,
    pub(crate) once: bool,
    /// The name of what its maker holds.
    pub(crate) by: Option<String>,
}

/// A link that was made.
pub(crate) struct MadeLink {
    pub(crate) id: String,
    /// For browsers.
    pub(crate) url: String,
    /// For the programs; empty where no link leads them there.
    pub(crate) join: String,
}

/// Where the hub is reached.
pub(crate) struct Reached<'a> {
    /// `HOST` or `HOST:PORT`, as in a URL.
    pub(crate) host: &'a str,
    pub(crate) pin: Option<KeyFingerprint>,
    pub(crate) encrypted: bool,
    /// By a proxy, which shows a key of its own and may have another port: programs go where browsers go.
    pub(crate) by_proxy: bool,
}

impl LinkRequest {
    /// Signs it.
    ///
    /// # Errors
    /// There is no key, or no random number.
    pub(crate) fn make(&self, keys: &SigningKeys, now: u64, at: &Reached<'_>) -> Result<MadeLink> {
        let id = HEXLOWER.encode(&random::<8>()?);
        let paths = |scopes: &[Scope]| scopes.iter().map(ToString::to_string).collect();
        let claims = LinkClaims {
            get: paths(&self.view),
            put: paths(&self.publish),
            role: self.roles.iter().map(|role| role.name().to_owned()).collect(),
            exp: self.ends.map(|ends| ends as f64),
            iat: Some(now as f64),
            jti: Some(id.clone()),
            once: self.once,
            by: self.by.clone(),
            ..LinkClaims::default()
        };
        let token =
            keys.sign(&claims).ok_or_else(|| Error::Refused("this hub signs no links, for it asks for none".into()))?;
        let (url, join) = at.links(self.to(), &token);
        Ok(MadeLink { id, url, join })
    }

    /// Where it leads.
    pub(crate) fn to(&self) -> Option<&Scope> {
        self.publish.first().or(self.view.first())
    }
}

impl Reached<'_> {
    /// The two forms of a link to these streams, with what lets somebody in.
    pub(crate) fn links(&self, to: Option<&Scope>, token: &Secret) -> (String, String) {
        let (page, path) = match to {
            Some(Scope::Stream(key)) => (format!("/{key}&"), format!("/{key}")),
            Some(Scope::Room(room)) => (String::new(), format!("/{room}")),
            Some(Scope::All) | None => (String::new(), String::new()),
        };
        let (host, token) = (self.host, token.expose());
        let scheme = if self.encrypted { "https" } else { "http" };
        let pin = self.pin.map(|pin| format!("pin={}&", pin.for_url())).unwrap_or_default();
        let join = match (self.by_proxy, self.encrypted) {
            (false, _) => format!("sf://{host}{path}#{pin}token={token}"),
            (true, true) if path.is_empty() => format!("https://{host}/#token={token}"),
            (true, true) => format!("https://{host}/#{path}&token={token}"),
            // No link says that something is to go in the clear.
            (true, false) => String::new(),
        };
        (format!("{scheme}://{host}/#{page}token={token}"), join)
    }
}

/// A link as a QR code for a terminal of so many columns; `Err`: what hinders.
pub(crate) fn qr_text(link: &str, columns: Option<u16>) -> Result<String, String> {
    let text = qr_code(link).ok_or("The link is too long for a QR code.")?.to_str();
    let width = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    match columns.map(usize::from).filter(|columns| *columns < width) {
        // Lines that are broken make a picture that nothing can read.
        Some(columns) => Err(format!("The QR code needs {width} columns, and the terminal has {columns}.")),
        None => Ok(text),
    }
}

/// A link as a QR code; `None`: it is too long for one.
pub(crate) fn qr_code(link: &str) -> Option<QRCode> {
    QRBuilder::new(link).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::StreamKey;
    use crate::net::join_link::JoinLink;

    #[test]
    fn a_qr_code_that_the_terminal_would_break_is_not_shown() {
        let text = qr_text("https://10.0.0.5:8002/#token=abc", None).unwrap();
        let width = text.lines().next().unwrap().chars().count();
        let at = |columns: usize| qr_text("https://10.0.0.5:8002/#token=abc", u16::try_from(columns).ok());
        assert_eq!(at(width), Ok(text));
        assert!(at(width - 1).is_err_and(|why| why.contains(&format!("needs {width} columns"))));
        assert!(qr_text(&"x".repeat(9000), None).is_err_and(|why| why.contains("too long")));
    }

    #[test]
    fn both_links_lead_to_the_same_place_and_by_a_proxy_to_that() {
        let token = "t.o-k".into();
        let pin = Some(KeyFingerprint([7; 32]));
        let [door, room] = [Scope::Stream(StreamKey::new("lab", "door")), Scope::Room("lab".into())];
        for (by_proxy, to, stream) in [
            (false, None, (None, None)),
            (false, Some(&room), (Some("lab"), None)),
            (false, Some(&door), (Some("lab"), Some("door"))),
            (true, None, (None, None)),
            (true, Some(&room), (Some("lab"), None)),
            (true, Some(&door), (Some("lab"), Some("door"))),
        ] {
            let at = Reached { host: "cams.example.org", pin, encrypted: true, by_proxy };
            let (page, join) = at.links(to, &token);
            assert!(page.starts_with("https://cams.example.org/#") && page.ends_with("token=t.o-k"), "{page}");
            let read: JoinLink = join.parse().unwrap();
            assert_eq!((read.room.as_deref(), read.name.as_deref()), stream, "{join}");
            assert_eq!((read.hub.pin.is_some(), read.hub.websocket.is_some()), (!by_proxy, by_proxy), "{join}");
            assert_eq!(read.token, Some(token.clone()));
        }
        let clear = Reached { host: "cams.example.org", pin, encrypted: false, by_proxy: true };
        assert_eq!(clear.links(Some(&door), &token).1, "", "no link leads there in the clear");
    }
}
