//! `http://` addresses of cameras.
//!
//! Not by the crate `url`: what it reads are the addresses of browsers, which have no zones (`[fe80::1%eth0]`, as a camera has
//! that was not given an address yet), and it brings some thirty crates for names in other scripts.

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;

use crate::text::Untrusted;

/// The parts of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// A name or an address; IPv6 without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// With the query; begins with `/`.
    pub(super) path: String,
    /// The value of an `Authorization` header.
    pub(super) authorization: Option<String>,
}

impl Url {
    /// Reads `http://[user:password@]host[:port][/path][?query]`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("'{}' is no address of a camera: {why}", Untrusted(text));
        let Some(rest) = strip_scheme(text, "http://") else {
            if strip_scheme(text, "https://").is_some() {
                return Err(bad("https is not spoken here; use http, or let another program fetch it: \
                     ffmpeg -i https://… -f mjpeg - | streamflow-send --source -"));
            }
            return Err(bad("write http://HOST[:PORT]/PATH"));
        };
        // What stands in a request line must not end it.
        if rest.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(bad("it has a space or a control character in it"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
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
        let port = match port {
            None | Some("") => 80,
            Some(port) => port.parse().ok().filter(|p| *p != 0).ok_or_else(|| bad("the port is no port"))?,
        };
        let authorization = user.map(|user| {
            let mut plain: Vec<u8> = percent_decode_str(user).collect();
            if !plain.contains(&b':') {
                plain.push(b':');
            }
            format!("Basic {}", BASE64.encode(&plain))
        });
        Ok(Self { host: host.to_owned(), port, path, authorization })
    }

    /// Where a `Location` header leads. The password goes along only to the same place.
    pub(super) fn follow(&self, location: &str) -> Result<Self, String> {
        let mut url = if location.contains("://") {
            Self::parse(location)?
        } else if location.starts_with("//") {
            Self::parse(&format!("http:{location}"))?
        } else {
            let folder = self.path.split('?').next().and_then(|p| p.rsplit_once('/')).map_or("", |(folder, _)| folder);
            let path = if location.starts_with('/') { location.to_owned() } else { format!("{folder}/{location}") };
            Self::parse(&format!("http://{}{path}", self.place()))?
        };
        if url.place() == self.place() && url.authorization.is_none() {
            url.authorization.clone_from(&self.authorization);
        }
        Ok(url)
    }

    /// Host and port as in a `Host` header and for people: without the port where it is 80.
    pub(super) fn place(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 80 { host } else { format!("{host}:{}", self.port) }
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
        assert_eq!(Url::parse("http://[::1]:81").unwrap().place(), "[::1]:81");
    }

    #[test]
    fn a_password_becomes_a_basic_authorization() {
        let authorization = |text| Url::parse(text).unwrap().authorization;
        assert_eq!(
            authorization("http://Aladdin:open%20sesame@cam"),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into())
        );
        assert_eq!(authorization("http://a%40b:%zz@cam"), Some(format!("Basic {}", BASE64.encode(b"a@b:%zz"))));
        assert_eq!(authorization("http://admin@cam"), Some("Basic YWRtaW46".into()));
        assert_eq!(authorization("http://cam"), None);
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for (text, why) in [
            ("https://cam/", "ffmpeg"),
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
        assert!(url.follow("https://cam/").is_err());
    }
}
