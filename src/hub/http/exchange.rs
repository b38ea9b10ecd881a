//! One request: who asks, for what, and whether it may be asked.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Answer;
use super::credentials::Shown;
use crate::access::Credentials;
use crate::access::policy::Reason;
use crate::hub::Shared;
use crate::hub::deliver::{Admitted, Purpose};
use crate::net::connection::Framing;
use crate::net::http::Request;
use crate::text::Untrusted;
use crate::time::Micros;
use crate::wire::body::{Refused, length_of};
use crate::wire::control::Hello;
use crate::wire::encoding;
use crate::wire::host::Host;

/// A request whose head is here.
#[derive(Clone, Copy)]
pub(in crate::hub) struct Exchange<'a> {
    pub(in crate::hub) request: &'a Request,
    pub(in crate::hub) shared: &'a Arc<Shared>,
    pub(in crate::hub) address: SocketAddr,
    /// What is said cannot be read on its way.
    pub(in crate::hub) encrypted: bool,
    /// It comes through a proxy that is believed.
    pub(in crate::hub) by_proxy: bool,
    /// What it shows, and who that is.
    pub(in crate::hub) shown: &'a Shown,
    pub(in crate::hub) who: &'a Credentials,
    /// When the head had come, and the body began.
    pub(in crate::hub) began: Micros,
    /// What is here already of what comes behind the head, as it came.
    pub(in crate::hub) body: &'a [u8],
}

impl Exchange<'_> {
    /// Who asks.
    pub(in crate::hub) fn credentials(&self) -> Credentials {
        self.who.clone()
    }

    /// Who asks is no matter of HTTP any more, but of a delivery loop. The hello stands for what a native client would have said.
    pub(in crate::hub) fn admit(&self, framing: Framing, purpose: Purpose, hello: Option<Hello>) -> Box<Admitted> {
        Box::new(Admitted {
            credentials: self.credentials(),
            framing,
            purpose,
            hello,
            apart: 0,
            feed: None,
            first: None,
        })
    }

    /// What is wrong with any request, whatever its path.
    pub(in crate::hub) fn check(&self) -> Result<(), Refused> {
        let request = self.request;
        let host = self.host()?;
        length_of(&request.fields)?;
        if request.fields.iter().filter(|(name, _)| name == "origin").count() > 1 {
            return Err((400, "a request has one Origin field".into()));
        }
        if self.shared.access.policy().asks() {
            // Who is asked for credentials has none of another place's pages, whatever it is called.
            return Ok(());
        }
        if let Some(host) = host.as_ref().filter(|host| !self.shared.host_names.has(host)) {
            let why = format!("this hub does not answer as {host}; its --public-url http://{host} would let it");
            log::warn!("{}: {why}", self.address);
            return Err((421, why));
        }
        if self.acts() && !self.origin_may(host.as_ref()) {
            let why = match request.field("origin") {
                Some(origin) => foreign_origin(origin, host.as_ref()),
                None => "pages of other places may not set controls here".into(),
            };
            log::warn!("{}: {why}", self.address);
            return Err((403, why));
        }
        Ok(())
    }

    /// Whether it does something, or reads what no rule of the browser keeps from a page of another place.
    fn acts(&self) -> bool {
        let harmless = matches!(self.request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        !harmless || self.request.field("upgrade").is_some() || self.is_command()
    }

    /// Whether it sets something by a mere address, as mjpg-streamer lets do.
    fn is_command(&self) -> bool {
        self.request.path == "/" && self.parameter("action").as_deref() == Some("command")
    }

    /// Whether it is one of these that sends something.
    pub(in crate::hub) fn posts(&self) -> bool {
        self.request.method == "POST"
    }

    /// Whether a browser asks for a picture, a frame or a link of another place's page. It names no origin for these, but says
    /// what sort of page asks (Fetch Metadata) where it trusts the way here, and else, perhaps, which.
    fn may_be_elsewhere(&self, ours: Option<&Host>) -> bool {
        if let Some(site) = self.request.field("sec-fetch-site") {
            return !matches!(site, "same-origin" | "none");
        }
        let page = self.request.field("referer").and_then(|page| page.split_once("://"));
        let host = page.map(|(_, rest)| rest.split('/').next().unwrap_or_default()).and_then(Host::parse);
        match (page, host) {
            (Some(_), host) => host.is_none() || host.as_ref() != ours,
            (None, _) => self.request.field("user-agent").is_some_and(|agent| agent.starts_with("Mozilla/")),
        }
    }

    /// Whether a page of another place asks, or one that the hub's names do not tell from such. What an address may do, and no link
    /// or secret, is not for it.
    pub(in crate::hub) fn is_elsewhere(&self) -> bool {
        let Ok(host) = self.host() else { return true };
        let named = host.as_ref().is_none_or(|host| self.shared.host_names.has(host));
        !named || self.acts() && !self.origin_may(host.as_ref())
    }

    /// The host of the request as it was written, with its port; `None`: it names none that could be one.
    pub(in crate::hub) fn host_as_written(&self) -> Option<&str> {
        let written = self.request.authority.as_deref().or(self.request.field("host"))?;
        Host::parse(written).map(|_| written)
    }

    /// Whether it may speak as it does; if not, what it is told: a page is led to where it can.
    pub(in crate::hub) fn may_speak(&self, is_page: bool) -> Result<(), Answer> {
        let Err(reason) = self.shared.access.policy().may_speak(self.who) else { return Ok(()) };
        let wants_page = is_page || self.request.field_has("accept", "text/html");
        if reason == Reason::InTheClear
            && wants_page
            && let Some(host) = self.host_as_written()
        {
            let Request { path, query, .. } = self.request;
            let query = if query.is_empty() { String::new() } else { format!("?{query}") };
            let to = format!("https://{host}{path}{query}");
            let to: String = to.chars().filter(|c| c.is_ascii_graphic()).collect();
            return Err(Answer::text(308, &format!("this hub is encrypted: {to}")).with(format!("Location: {to}\r\n")));
        }
        // The other reason: others reach a hub that listens on its own machine by a proxy alone.
        let what = if reason == Reason::InTheClear {
            "this hub takes nothing in the clear from other machines: use https:// or wss://; for devices that cannot, the access \
             file lets a network in (plain = …)"
        } else {
            "this hub lets in nobody but its own machine, behind a proxy as well: --access FILE says who else may do what"
        };
        Err(Answer::text(403, what))
    }

    /// The host that the request names. A client of HTTP/1.0 need not name one; every browser does.
    fn host(&self) -> Result<Option<Host>, Refused> {
        let mut fields = self.request.fields.iter().filter(|(name, _)| name == "host").map(|(_, value)| value.as_str());
        let field = fields.next();
        if fields.next().is_some() {
            return Err((400, "a request has one Host field".into()));
        }
        if self.request.http11 && field.is_none() {
            return Err((400, "a request of HTTP/1.1 needs a Host field".into()));
        }
        // RFC 9112, section 3.2.2: with a target in absolute form, Host does not count.
        let Some(named) = self.request.authority.as_deref().or(field) else { return Ok(None) };
        Host::parse(named).map(Some).ok_or_else(|| (400, "the request names a host that is no name of a host".into()))
    }

    /// Whether the page that asks, if it is one, may: this hub's own, also behind a proxy that has told the hub another
    /// name, one of this machine, or one that was allowed.
    fn origin_may(&self, ours: Option<&Host>) -> bool {
        let Some(origin) = self.request.field("origin") else {
            return !self.is_command() || !self.may_be_elsewhere(ours);
        };
        if self.allowed_origin().is_some() {
            return true;
        }
        let page = origin.split_once("://").and_then(|(_, authority)| Host::parse(authority));
        page.is_some_and(|page| page.is_loopback() || ours == Some(&page) || self.shared.host_names.has_added(&page))
    }

    /// The origin of the request, if it is one that `--allow-origin` names.
    fn allowed_origin(&self) -> Option<&str> {
        let origin = self.request.field("origin")?;
        let allowed = &self.shared.config.allow_origin;
        // As it is copied from a browser's address line, with a slash behind it.
        let is = |a: &str| a.eq_ignore_ascii_case(origin);
        allowed.iter().any(|a| a == "*" || is(a) || a.strip_suffix('/').is_some_and(is)).then_some(origin)
    }

    /// A parameter behind the `?`, decoded.
    pub(in crate::hub) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.request.query.split('&').filter_map(|p| p.split_once('='));
        let (_, value) = pairs.into_iter().find(|(n, _)| *n == name)?;
        encoding::decode(&value.replace('+', " "))
    }

    /// The fields that all answers have.
    pub(in crate::hub) fn common_fields(&self) -> String {
        let mut fields = String::from(
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n",
        );
        if let Some(origin) = self.allowed_origin().filter(|o| !o.contains(['\r', '\n'])) {
            fields += &format!(
                "Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n\
                 Access-Control-Allow-Headers: Content-Type, Authorization\r\nAccess-Control-Max-Age: 600\r\nVary: Origin\r\n"
            );
        }
        fields
    }
}

/// Why a page of this origin may not use the hub that it asked for as `host`, and what would let it.
fn foreign_origin(origin: &str, host: Option<&Host>) -> String {
    let asked = host.map_or_else(|| "no host".into(), ToString::to_string);
    let is_of_server = ["http://", "https://"].iter().any(|scheme| origin.starts_with(scheme));
    let shown = Untrusted(origin);
    if is_of_server {
        return format!(
            "pages of {shown} may not use this hub, which was asked for as {asked}: behind a proxy, let the proxy pass Host on \
             and give the hub --public-url {shown}; for a page of another server give it --allow-origin {shown}"
        );
    }
    // As of a file, or of a frame that may do little.
    let origin = if origin.is_empty() { "null".into() } else { shown.to_string() };
    format!("pages of no server (origin {origin}) may not use this hub: give it --allow-origin {origin}")
}
