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
    /// For the programs.
    pub(crate) join: String,
}

/// Where the hub is reached.
pub(crate) struct Reached<'a> {
    /// `HOST` or `HOST:PORT`, as in a URL.
    pub(crate) host: &'a str,
    pub(crate) pin: Option<KeyFingerprint>,
    pub(crate) encrypted: bool,
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
        (format!("{scheme}://{host}/#{page}token={token}"), format!("sf://{host}{path}#{pin}token={token}"))
    }
}

/// A link as a QR code; `None`: it is too long for one.
pub(crate) fn qr_code(link: &str) -> Option<QRCode> {
    QRBuilder::new(link).build().ok()
}
