//! `http://` and `https://` addresses of cameras.
//!
//! Not by the crate `url`: what it reads are the addresses of browsers, which have no zones (`[fe80::1%eth0]`, as a camera has
//! that was not given an address yet), and it brings some thirty crates for names in other scripts.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;

use super::authorization::Authorization;
use crate::text::Untrusted;
use crate::wire::host::{authority, of_url, without_zone};

/// The parts of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// A name or an address; IPv6 without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Over TLS.
    pub(super) secure: bool,
    /// SHA-256 of the certificate that the camera must show, where the address says it.
    pub(super) pin: Option<Fingerprint>,
    /// With the query; begins with `/`.
    pub(super) path: String,
    /// Who asks.
    pub(super) authorization: Option<Authorization>,
}

impl Url {
    /// Reads `http[s]://[user:password@]host[:port][/path][?query][#sha256=FINGERPRINT]`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("'{}' is no address of a camera: {why}", Untrusted(text));
        let (secure, rest) = match (strip_scheme(text, "http://"), strip_scheme(text, "https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(bad("write http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH")),
        };
        // What stands in a request line must not end it.
        if rest.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(bad("it has a space or a control character in it"));
        }
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let pin = match fragment.split_once('=') {
            Some((name, hex)) if name.eq_ignore_ascii_case("sha256") => {
                if !secure {
                    return Err(bad("only an https address has a fingerprint"));
                }
                Some(Fingerprint::parse(hex).ok_or_else(|| bad("a SHA-256 fingerprint has 64 hexadecimal digits"))?)
            }
            _ => None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (place, path) = rest.split_at(end);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let (user, place) = match place.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, place),
        };
        let (host, port) = if let Some(v6) = place.strip_prefix('[') {
            let (host, after) = v6.split_once(']').ok_or_else(|| bad("the ] is missing"))?;
            (host, after.strip_prefix(':'))
        } else {
            match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            }
        };
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        let host = of_url(host);
        let port = match port {
            None | Some("") => default_port(secure),
            Some(port) => port.parse().ok().filter(|p| *p != 0).ok_or_else(|| bad("the port is no port"))?,
        };
        let authorization = user.map(Authorization::parse);
        Ok(Self { host, port, secure, pin, path, authorization })
    }

    /// Where a `Location` header leads. The password and the fingerprint go along only to the same place.
    pub(super) fn follow(&self, location: &str) -> Result<Self, String> {
        let mut url = if location.contains("://") {
            Self::parse(location)?
        } else if location.starts_with("//") {
            Self::parse(&format!("{}:{location}", self.scheme()))?
        } else {
            let folder = self.path.split('?').next().and_then(|p| p.rsplit_once('/')).map_or("", |(folder, _)| folder);
            let path = if location.starts_with('/') { location.to_owned() } else { format!("{folder}/{location}") };
            Self::parse(&format!("{}://{}{path}", self.scheme(), self.place()))?
        };
        if (url.secure, url.place()) == (self.secure, self.place()) {
            if url.authorization.is_none() {
                url.authorization.clone_from(&self.authorization);
            }
            url.pin = self.pin;
        }
        Ok(url)
    }

    /// `http` or `https`.
    pub(super) fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Host and port as in a `Host` field.
    pub(super) fn host_field(&self) -> String {
        self.authority(without_zone(&self.host))
    }

    /// Host and port for people: without the port where it is the usual one.
    pub(super) fn place(&self) -> String {
        self.authority(&self.host)
    }

    fn authority(&self, host: &str) -> String {
        authority(host, Some(self.port).filter(|port| *port != default_port(self.secure)))
    }
}

/// The whole address, without user, password and fingerprint.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.place(), self.path)
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// SHA-256 of a certificate, as browsers and `openssl x509 -fingerprint -sha256` show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) [u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, with colons between them or without.
    fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER_PERMISSIVE.encode(&self.0))
    }
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let head = text.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| text.get(scheme.len()..))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, u16, String) {
        let url = Url::parse(text).unwrap();
        (url.host, url.port, url.path)
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(parsed("http://cam"), ("cam".into(), 80, "/".into()));
        assert_eq!(parsed("HTTP://cam:81/a/b?c=d#e"), ("cam".into(), 81, "/a/b?c=d".into()));
        assert_eq!(parsed("http://cam?action=stream"), ("cam".into(), 80, "/?action=stream".into()));
        assert_eq!(parsed("http://[fe80::1]:8080/"), ("fe80::1".into(), 8080, "/".into()));
        assert_eq!(parsed("http://[fe80::1%eth0]:8080/"), ("fe80::1%eth0".into(), 8080, "/".into()));
        assert_eq!(parsed("http://[fe80::1%25eth0]:8080/"), ("fe80::1%eth0".into(), 8080, "/".into()));
        assert_eq!(Url::parse("http://[::1]:81").unwrap().place(), "[::1]:81");
        assert_eq!(Url::parse("http://[fe80::1%eth0]").unwrap().host_field(), "[fe80::1]");
        assert_eq!(parsed("HTTPS://cam/x"), ("cam".into(), 443, "/x".into()));
        let pinned = Url::parse(&format!("https://cam/#SHA256={}", ["AB"; 32].join(":"))).unwrap();
        assert_eq!(pinned.pin, Some(Fingerprint([0xab; 32])));
    }

    #[test]
    fn a_password_becomes_a_basic_authorization() {
        let authorization = |text| Url::parse(text).unwrap().authorization.and_then(|mut a| a.field("/"));
        assert_eq!(
            authorization("http://Aladdin:open%20sesame@cam"),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into())
        );
        assert_eq!(authorization("http://a%40b:%zz@cam"), Some("Basic YUBiOiV6eg==".into()));
        assert_eq!(authorization("http://admin@cam"), Some("Basic YWRtaW46".into()));
        assert_eq!(authorization("http://cam"), None);
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for (text, why) in [
            ("http://cam/#sha256=00", "only an https"),
            ("https://cam/#sha256=00", "64 hexadecimal"),
            ("ftp://cam", "http://HOST"),
            ("http://", "host is missing"),
            ("http://:80/", "host is missing"),
            ("http://cam:0/", "port"),
            ("http://cam:99999/", "port"),
            ("http://cam/a b", "space"),
            ("http://cam/\r\nX: y", "control"),
            ("http://[::1", "]"),
        ] {
            let said = Url::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_password_only_at_the_same_place() {
        let url = Url::parse("http://u:p@cam:81/old/stream?x").unwrap();
        let to = |location: &str| url.follow(location).unwrap();
        assert_eq!((to("/new").path, to("/new").authorization), ("/new".into(), url.authorization.clone()));
        assert_eq!(to("other").path, "/old/other");
        assert_eq!(to("http://cam:81/x").authorization, url.authorization);
        assert_eq!(to("http://evil/x").authorization, None);
        assert_eq!(to("//evil/x").host, "evil");
        let pin = "ab".repeat(32);
        let secure = Url::parse(&format!("https://u:p@cam/old#sha256={pin}")).unwrap();
        assert_eq!((secure.place(), secure.to_string()), ("cam".into(), "https://cam/old".into()));
        let there = secure.follow("https://cam:443/new").unwrap();
        assert_eq!((there.pin, there.authorization), (Some(Fingerprint([0xab; 32])), secure.authorization.clone()));
        for elsewhere in ["http://cam:443/new", "https://cam:8443/", "https://other/"] {
            let there = secure.follow(elsewhere).unwrap();
            assert_eq!((there.pin, there.authorization), (None, None), "{elsewhere}");
        }
        assert!(secure.follow("/new").unwrap().secure);
    }
}
