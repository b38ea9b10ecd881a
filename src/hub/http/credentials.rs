//! What a request shows: a link or a secret in its path, its query or its `Authorization`, or the cookie of a session.

use std::net::IpAddr;

use data_encoding::BASE64;

use crate::net::http::Request;
use crate::secret::Secret;
use crate::wire::encoding;

/// What a request shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::hub) struct Shown {
    pub(in crate::hub) token: Option<Secret>,
    /// The token stands in a field that no page of another place can set without being allowed to.
    pub(in crate::hub) by_own_page: bool,
    /// The cookie of a session, where it may count: the page that asks is the hub's own.
    pub(in crate::hub) cookie: Option<Secret>,
}

/// Takes what a request shows out of it, so that it stands in no log and no answer.
pub(in crate::hub) fn take(request: &mut Request) -> Shown {
    let in_path = take_from_path(&mut request.path);
    let in_query = take_from_query(&mut request.query);
    let own_page = of_own_page(request);
    let in_field = request.field("authorization").and_then(|field| authorization(field, own_page));
    let by_own_page = own_page && in_field.is_some();
    let token = in_field.or(in_query).or(in_path);
    let name = cookie_name(request);
    let cookie =
        own_page.then(|| cookie(request, &format!("{SECURE}{name}")).or_else(|| cookie(request, &name))).flatten();
    Shown { token, by_own_page, cookie }
}

/// Who asks through a proxy that is trusted, and whether that can be read on its way to it: the last address that no trusted proxy
/// has, and what the proxy says of the way to it.
pub(in crate::hub) fn behind_proxy(
    request: &Request,
    proxy: IpAddr,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> (IpAddr, bool) {
    let fields = request.fields.iter().filter(|(name, _)| name == "x-forwarded-for");
    let all: Vec<_> = fields.flat_map(|(_, value)| value.split(',')).map(str::trim).collect();
    let mut client = proxy;
    for one in all.into_iter().rev() {
        // What stands before something else was written by whoever asks, and so may be what says that it is this machine.
        let Some(ip) = address(one).filter(|ip| !ip.to_canonical().is_loopback()) else { break };
        client = ip;
        if !is_trusted(ip) {
            break;
        }
    }
    let protos = request.fields.iter().filter(|(name, _)| name == "x-forwarded-proto");
    let mut protos = protos.flat_map(|(_, value)| value.split(',')).map(str::trim).peekable();
    let encrypted = protos.peek().is_some() && protos.all(|proto| matches!(proto, "https" | "wss"));
    (client, encrypted)
}

/// An address, as proxies write it: some with the port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

/// `/~TOKEN/stream` is `/stream`.
fn take_from_path(path: &mut String) -> Option<Secret> {
    let mut found = None;
    // Some escape the tilde, and none is left there, however many there are.
    while let Some(behind) = ["/~", "/%7E", "/%7e"].iter().find_map(|prefix| path.strip_prefix(prefix)) {
        let (token, rest) = behind.split_once('/').unwrap_or((behind, ""));
        let token = encoding::decode(token).filter(|token| !token.is_empty());
        found = found.or(token);
        *path = format!("/{rest}");
    }
    found.map(Secret::from)
}

fn take_from_query(query: &mut String) -> Option<Secret> {
    let is_token = |pair: &&str| pair.starts_with("token=");
    let token =
        query.split('&').find(is_token).and_then(|pair| pair.split_once('=')).map(|(_, token)| token.to_owned());
    let rest: Vec<_> = query.split('&').filter(|pair| !is_token(pair)).collect();
    *query = rest.join("&");
    token.and_then(|token| encoding::decode(&token.replace('+', " "))).filter(|t| !t.is_empty()).map(Secret::from)
}

/// `Bearer TOKEN` (RFC 6750), or `Basic` (RFC 7617) with it as the password, or as the user where there is none. What a person has
/// typed for `Basic` once, a browser sends for pages of other places as well.
fn authorization(field: &str, own_page: bool) -> Option<Secret> {
    let (scheme, value) = field.trim().split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return (!value.is_empty()).then(|| value.into());
    }
    if !scheme.eq_ignore_ascii_case("basic") || !own_page {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(value.as_bytes()).ok()?).ok()?;
    let (user, password) = pair.split_once(':').unwrap_or((&pair, ""));
    let token = if password.is_empty() { user } else { password };
    (!token.is_empty()).then(|| token.into())
}

/// Before the name of a cookie that came encrypted: what is in the clear can neither set nor replace it (RFC 6265bis, section 4.1.3).
pub(in crate::hub) const SECURE: &str = "__Host-";

/// Cookies do not tell ports apart, so the port is in the name.
pub(in crate::hub) fn cookie_name(request: &Request) -> String {
    let host = request.authority.as_deref().or(request.field("host")).unwrap_or_default();
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    format!("streamflow-{:.5}", port.filter(|port| !port.is_empty()).unwrap_or("443"))
}

fn cookie(request: &Request, name: &str) -> Option<Secret> {
    let fields = request.fields.iter().filter(|(field, _)| field == "cookie");
    let mut pairs = fields.flat_map(|(_, value)| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(one, _)| *one == name).map(|(_, value)| value.trim().into())
}

/// Whether the page that asks is the hub's own, or nobody's: browsers say so, and send cookies for pages of other ports as well.
fn of_own_page(request: &Request) -> bool {
    let host = request.authority.as_deref().or(request.field("host")).unwrap_or_default();
    let same_origin = |origin: &str| origin.split_once("://").is_some_and(|(_, page)| page.eq_ignore_ascii_case(host));
    let same_site = |site: &str| matches!(site, "same-origin" | "none");
    request.field("origin").is_none_or(same_origin) && request.field("sec-fetch-site").is_none_or(same_site)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(target: &str, fields: &[(&str, &str)]) -> (Shown, Request) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut request = Request { path: path.into(), query: query.into(), fields, ..Request::default() };
        (take(&mut request), request)
    }

    #[test]
    fn a_token_is_found_wherever_a_client_can_put_it_and_is_not_left_there() {
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
        for (target, field, path, query) in [
            ("/stream?token=t.o-k&quality=50", "", "/stream", "quality=50"),
            ("/stream?a=1&token=t.o-k", "", "/stream", "a=1"),
            ("/~t.o-k/ws/room/Ann?x", "", "/ws/room/Ann", "x"),
            ("/~t%2Eo-k/", "", "/", ""),
            ("/%7Et.o-k/~other/stream", "", "/stream", ""),
            ("/~t.o-k", "", "/", ""),
            ("/stream", "Bearer t.o-k", "/stream", ""),
            ("/stream", &basic("user:t.o-k"), "/stream", ""),
            ("/stream", &basic("t.o-k:"), "/stream", ""),
            ("/~other/stream?token=other", "bearer  t.o-k", "/stream", ""),
        ] {
            let (shown, request) = shown(target, &[("authorization", field)]);
            assert_eq!(shown.token, Some("t.o-k".into()), "{target} {field}");
            assert_eq!((&*request.path, &*request.query), (path, query), "{target}");
        }
        for (target, field) in
            [("/stream?tokens=x", "Digest x"), ("/", "Basic !"), ("/?token=", "Bearer "), ("/~/x", "")]
        {
            assert_eq!(shown(target, &[("authorization", field)]).0.token, None, "{target} {field}");
        }
    }

    #[test]
    fn a_trusted_proxy_says_who_asks_and_nobody_else_can() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let proxy = ip("10.0.0.1");
        let of = |fields: &[(&str, &str)]| {
            let (_, request) = shown("/", fields);
            behind_proxy(&request, proxy, |one| one == proxy || one == ip("10.0.0.2"))
        };
        assert_eq!(of(&[]), (proxy, false), "a proxy that does not say how it was asked was asked in the clear");
        let https = ("x-forwarded-proto", "https");
        assert_eq!(of(&[("x-forwarded-for", "192.0.2.7"), https]), (ip("192.0.2.7"), true));
        assert_eq!(of(&[("x-forwarded-for", "10.9.9.9, 192.0.2.7:4711")]).0, ip("192.0.2.7"));
        assert_eq!(of(&[("x-forwarded-for", "10.9.9.9, [2001:db8::1]:80")]).0, ip("2001:db8::1"));
        assert_eq!(of(&[("x-forwarded-for", "10.9.9.9, unknown")]).0, proxy, "nor is what stands before it believed");
        assert_eq!(of(&[("x-forwarded-for", "127.0.0.1, 10.0.0.2")]).0, ip("10.0.0.2"), "this machine asks by itself");
        // What the client made up stands in front of what the proxy has seen.
        assert_eq!(of(&[("x-forwarded-for", "127.0.0.1, 192.0.2.7, 10.0.0.2")]).0, ip("192.0.2.7"));
        assert_eq!(of(&[("x-forwarded-for", "nonsense")]).0, proxy);
        assert!(!of(&[("x-forwarded-proto", "http")]).1 && of(&[("x-forwarded-proto", "https")]).1);
    }

    #[test]
    fn a_cookie_counts_for_the_hubs_own_page_alone_and_for_its_port() {
        let of = |more: &[(&str, &str)]| {
            let mut fields = vec![("host", "desk:8002"), ("cookie", "streamflow-8003=b; streamflow-8002=a")];
            fields.extend(more);
            shown("/", &fields).0.cookie
        };
        assert_eq!(of(&[]), Some("a".into()));
        assert_eq!(of(&[("origin", "https://desk:8002"), ("sec-fetch-site", "same-origin")]), Some("a".into()));
        for other in ["https://desk:3000", "https://evil.test", "null"] {
            assert_eq!(of(&[("origin", other)]), None, "{other}");
            let basic = ("authorization", "Basic dXNlcjpzZWNyZXQ=");
            assert_eq!(shown("/", &[("host", "desk:8002"), ("origin", other), basic]).0.token, None, "{other}");
        }
        assert_eq!(of(&[("sec-fetch-site", "same-site")]), None);
        assert_eq!(of(&[("sec-fetch-site", "cross-site")]), None);
    }
}
