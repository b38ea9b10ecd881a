//! The head of an HTTP/1.1 request, by httparse, and short answers. What becomes a stream of pictures leaves here.

use crate::wire::body::{Length, length_of};

/// The longest head of a request, in bytes (RFC 9110 leaves it to the server; browsers stay far below).
pub const MAX_HEAD: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;

/// The longest head of a server's answer to an upgrade, and the most fields in it: proxies add to it.
pub const MAX_ANSWER: usize = 64 * 1024;
const MAX_ANSWER_FIELDS: usize = 256;

/// A request's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, …
    pub method: String,
    /// The authority of a target in absolute form (RFC 9112, section 3.2.2), which counts in the place of `Host`.
    pub authority: Option<String>,
    /// The path, percent-encoded as it came.
    pub path: String,
    /// What came after `?`.
    pub query: String,
    /// The fields in order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// Whether the client speaks HTTP/1.1 and so keeps the connection open unless it says otherwise.
    pub http11: bool,
}

impl Request {
    /// The first field of this lower-case name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// How long its body is; `None`: it has none, or one that [`length_of`] refuses.
    #[must_use]
    pub fn length(&self) -> Option<Length> {
        length_of(&self.fields).ok().flatten()
    }

    /// Whether a comma-separated field has this word, in any case.
    #[must_use]
    pub fn field_has(&self, name: &str, word: &str) -> bool {
        self.fields
            .iter()
            .filter(|(n, _)| n == name)
            .any(|(_, v)| v.split(',').any(|w| w.trim().eq_ignore_ascii_case(word)))
    }
}

/// Why a head cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// More fields or bytes than anyone needs: 431.
    #[error("request head over {MAX_HEAD} bytes or {MAX_FIELDS} fields")]
    TooLong,
    /// No HTTP: 400.
    #[error("not an HTTP request: {0}")]
    Malformed(String),
}

/// Reads a head from the front of `bytes`: the request and where its body begins, or `None` while it is incomplete.
///
/// # Errors
/// [`BadHead`].
pub fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize)>, BadHead> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => {
            let target = parsed.path.unwrap_or("/");
            let (authority, target) = absolute(target).map_or((None, target), |(a, rest)| (Some(a.to_string()), rest));
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let fields = parsed
                .headers
                .iter()
                .map(|h| (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).trim().to_string()));
            let request = Request {
                method: parsed.method.unwrap_or_default().to_string(),
                authority,
                path: path.to_string(),
                query: query.to_string(),
                fields: fields.collect(),
                http11: parsed.version == Some(1),
            };
            Ok(Some((request, length)))
        }
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(BadHead::TooLong),
        Err(error) => Err(BadHead::Malformed(error.to_string())),
    }
}

/// Authority and path of a target in absolute form.
fn absolute(target: &str) -> Option<(&str, &str)> {
    let rest = ["http://", "https://", "ws://", "wss://"].iter().find_map(|scheme| {
        let begins = target.get(..scheme.len())?.eq_ignore_ascii_case(scheme);
        begins.then(|| &target[scheme.len()..])
    })?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    Some((authority, if path.starts_with('/') { path } else { "/" }))
}

/// Whether the first bytes of a connection begin an HTTP request, or eight of them are text: as the length of a packet that would be
/// more than there is memory in the world, and who writes text can read an answer in words.
#[must_use]
pub fn looks_like_http(first: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] =
        [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE "];
    if first.len() >= 8 && first.iter().all(|b| b.is_ascii_graphic() || b" \t\r\n".contains(b)) {
        return true;
    }
    METHODS.iter().any(|m| first.starts_with(&m[..m.len().min(first.len())]))
}

/// What a status code is called (RFC 9110, section 15).
#[must_use]
pub fn reason(status: u16) -> &'static str {
    ::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

/// A short answer in words, with which the connection ends.
#[must_use]
pub fn short_answer(status: u16, text: &str) -> Vec<u8> {
    let body = format!("{text}\n");
    format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        reason(status),
        body.len()
    )
    .into_bytes()
}

/// The status of an answer, and how long its head is; `None` while that is not whole, or where it is none.
#[must_use]
pub fn answer_head(answer: &[u8]) -> Option<(u16, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_ANSWER_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    match parsed.parse(answer) {
        Ok(httparse::Status::Complete(length)) => Some((parsed.code?, length)),
        _ => None,
    }
}

/// How long an answer is, head and body, where it says that.
#[must_use]
pub fn answer_length(answer: &[u8]) -> Option<usize> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_ANSWER_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(head)) = parsed.parse(answer) else { return None };
    let field = parsed.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"))?;
    let body: usize = std::str::from_utf8(field.value).ok()?.trim().parse().ok()?;
    head.checked_add(body)
}

/// The first line of the text that an answer brings, if it brings one.
#[must_use]
pub fn first_words(answer: &[u8]) -> Option<String> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_ANSWER_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = parsed.parse(answer) else { return None };
    let is_text = |h: &&httparse::Header<'_>| {
        h.name.eq_ignore_ascii_case("content-type") && h.value.to_ascii_lowercase().starts_with(b"text/plain")
    };
    parsed.headers.iter().find(is_text)?;
    if parsed.headers.iter().any(|h| h.name.eq_ignore_ascii_case("transfer-encoding")) {
        return None;
    }
    let body = String::from_utf8_lossy(answer.get(length..)?);
    let line = body.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(300).collect())
}

/// The version of the WebSocket protocol that is spoken (RFC 6455, section 4.1).
pub const WEBSOCKET_VERSION: &str = "13";

/// Answers the upgrade to a WebSocket (RFC 6455, section 4.2), by tungstenite.
///
/// There are no subprotocols here. Who offers some is answered the first: browsers and many libraries give a connection up whose
/// server chooses none of them.
///
/// # Errors
/// What is wrong with the request, in words.
pub fn upgrade(request: &Request) -> Result<Vec<u8>, String> {
    use tungstenite::http::{HeaderValue, Request};
    let mut offered =
        request.fields.iter().filter(|(n, _)| n == "sec-websocket-protocol").flat_map(|(_, v)| v.split(','));
    let protocol =
        offered.next().and_then(|name| HeaderValue::from_str(name.trim()).ok()).filter(|name| !name.is_empty());
    // What stands in the path is no matter of the upgrade.
    let mut builder = Request::builder().method("GET").uri("/");
    // Fields of one name are one list (RFC 9110, section 5.3), and tungstenite reads the first line, and all of that as one word.
    let lists = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", WEBSOCKET_VERSION)];
    for (name, value) in request.fields.iter().filter(|(name, _)| lists.iter().all(|(list, _)| name != list)) {
        builder = builder.header(name, value);
    }
    for (name, word) in lists.iter().filter(|(name, word)| request.field_has(name, word)) {
        builder = builder.header(*name, *word);
    }
    let request = builder.body(()).map_err(|e| e.to_string())?;
    let mut response = tungstenite::handshake::server::create_response(&request).map_err(|e| e.to_string())?;
    if let Some(protocol) = protocol {
        response.headers_mut().insert("sec-websocket-protocol", protocol);
    }
    let mut bytes = Vec::new();
    tungstenite::handshake::server::write_response(&mut bytes, &response).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// What is asked of a server that should speak WebSocket, and what it must answer (RFC 6455, section 4.1).
#[derive(Debug)]
pub struct UpgradeRequest {
    /// The head of the request.
    pub head: String,
    accept: String,
}

/// Why a server did not do so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUpgraded {
    /// Another status than 101.
    #[error("it answers {0}")]
    Status(u16),
    /// No answer of HTTP, or none to what was asked.
    #[error("{0}")]
    Nonsense(&'static str),
}

impl UpgradeRequest {
    /// For this path at `host[:port]`.
    #[must_use]
    pub fn new(authority: &str, path: &str) -> Self {
        let key = tungstenite::handshake::client::generate_key();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        Self { head, accept: tungstenite::handshake::derive_accept_key(key.as_bytes()) }
    }

    /// Reads the answer: how long its head is, or `None` while it is incomplete. Not by tungstenite, which reads fields of one
    /// name as several things, where proxies make lists of them.
    ///
    /// # Errors
    /// [`NotUpgraded`].
    pub fn answer(&self, bytes: &[u8]) -> Result<Option<usize>, NotUpgraded> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_ANSWER_FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < MAX_ANSWER => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(NotUpgraded::Nonsense("it answers too much")),
            Err(_) => return Err(NotUpgraded::Nonsense("it does not speak HTTP")),
        };
        let has = |name: &str, word: &str| {
            let mut all = parsed.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
            all.any(|h| h.value.split(|b| *b == b',').any(|w| w.trim_ascii().eq_ignore_ascii_case(word.as_bytes())))
        };
        let accepted = |h: &httparse::Header<'_>| {
            h.name.eq_ignore_ascii_case("sec-websocket-accept") && h.value.trim_ascii() == self.accept.as_bytes()
        };
        match parsed.code {
            Some(101) if !has("upgrade", "websocket") || !has("connection", "upgrade") => {
                Err(NotUpgraded::Nonsense("it does not upgrade to a WebSocket"))
            }
            Some(101) if !parsed.headers.iter().any(accepted) => {
                Err(NotUpgraded::Nonsense("its Sec-WebSocket-Accept is the answer to another key"))
            }
            Some(101) => Ok(Some(length)),
            status => Err(NotUpgraded::Status(status.unwrap_or(0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = b"GET /stream/a%20b?x=1 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\r\nbody";
        for cut in 0..text.len() - 4 {
            assert_eq!(parse_head(&text[..cut]), Ok(None), "{cut}");
        }
        let (request, length) = parse_head(text).unwrap().unwrap();
        assert_eq!(&text[length..], b"body");
        assert_eq!((request.path.as_str(), request.query.as_str(), request.http11), ("/stream/a%20b", "x=1", true));
        assert_eq!(request.field("host"), Some("h"));
        assert!(request.field_has("connection", "upgrade"));
    }

    #[test]
    fn endless_and_senseless_heads_end() {
        let endless = [b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'a'; MAX_HEAD]].concat();
        assert_eq!(parse_head(&endless), Err(BadHead::TooLong));
        let many = [b"GET / HTTP/1.1\r\n".to_vec(), b"A: b\r\n".repeat(MAX_FIELDS + 1), b"\r\n".to_vec()].concat();
        assert_eq!(parse_head(&many), Err(BadHead::TooLong));
        assert!(matches!(parse_head(b"GET \0 / HTTP/1.1\r\n\r\n"), Err(BadHead::Malformed(_))));
    }

    #[test]
    fn http_is_told_from_packets_by_its_first_bytes() {
        assert!(looks_like_http(b"GET / HT"));
        assert!(looks_like_http(b"OPTIONS "));
        for odd in [&b"\r\nGET / "[..], b"get / HT", b"PROPFIND", b"PRI * HT", b"{\"type\":"] {
            assert!(looks_like_http(odd), "text is answered in words");
        }
        assert!(!looks_like_http(&40u64.to_le_bytes()) && !looks_like_http(b"("));
        assert!(!looks_like_http(b"\x16\x03\x01\x02"));
    }

    #[test]
    fn fields_of_one_name_are_one_list() {
        let key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        for (lines, good) in [
            ("Connection: Upgrade\r\nUpgrade: websocket\r\n", true),
            ("Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c, WebSocket\r\n", true),
            ("Connection: keep-alive\r\nUpgrade: websocket\r\n", false),
            ("Connection: Upgrade\r\nUpgrade: h2c\r\n", false),
            ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n", true),
        ] {
            let head = format!("GET /ws HTTP/1.1\r\nHost: h\r\n{lines}{key}");
            let (request, _) = parse_head(head.as_bytes()).unwrap().unwrap();
            assert_eq!(upgrade(&request).is_ok(), good, "{lines}");
        }
    }

    #[test]
    fn the_words_of_a_refusal_are_its_first_line_and_a_page_has_none() {
        let words = |kind: &str, body: &str| first_words(format!("HTTP/1.1 503 X\r\n{kind}\r\n{body}").as_bytes());
        assert_eq!(words("content-type: Text/plain; charset=utf-8\r\n", "\n full \nmore"), Some("full".into()));
        assert_eq!(words("Content-Type: text/html\r\n", "<html>"), None);
        assert_eq!(
            (words("", "full"), words("Content-Type: text/plain\r\n", ""), first_words(b"\0")),
            (None, None, None)
        );
    }

    #[test]
    fn who_offers_subprotocols_is_answered_one_of_them() {
        for (lines, answered) in [
            ("", None),
            ("Sec-WebSocket-Protocol: json\r\n", Some("json")),
            ("Sec-WebSocket-Protocol: v2.stream , json\r\nSec-WebSocket-Protocol: x\r\n", Some("v2.stream")),
            ("Sec-WebSocket-Protocol: , json\r\n", None),
        ] {
            let head = format!(
                "GET /a^`<b>\\ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{lines}\r\n"
            );
            let (request, _) = parse_head(head.as_bytes()).unwrap().unwrap();
            let answer = String::from_utf8(upgrade(&request).unwrap()).unwrap().to_ascii_lowercase();
            let field = answer.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
            assert_eq!(field, answered, "{lines}");
        }
    }

    #[test]
    fn an_upgrade_is_known_however_a_proxy_writes_it() {
        let asked = UpgradeRequest::new("h:8002", "/ws");
        let accept = format!("Sec-WebSocket-Accept: {}\r\n\r\n", asked.accept);
        let answer = |lines: &str| asked.answer(format!("HTTP/1.1 {lines}{accept}rest").as_bytes());
        let good = "101 Switching Protocols\r\nConnection: keep-alive\r\nconnection: Upgrade\r\nUpgrade: WebSocket\r\n";
        let length = "HTTP/1.1 ".len() + good.len() + accept.len();
        assert_eq!(answer(good), Ok(Some(length)));
        assert_eq!(answer("101 X\r\nConnection: a, Upgrade\r\nUpgrade: websocket\r\n").map(|n| n.is_some()), Ok(true));
        assert_eq!(answer("421 Misdirected\r\n"), Err(NotUpgraded::Status(421)));
        assert!(matches!(answer("101 X\r\nUpgrade: websocket\r\n"), Err(NotUpgraded::Nonsense(_))));
        let other = good.to_owned() + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert!(asked.answer(format!("HTTP/1.1 {other}").as_bytes()).is_err());
        assert_eq!(asked.answer(b"HTTP/1.1 101 X\r\n"), Ok(None));
        assert!(asked.answer(&[b"HTTP/1.1 101 X\r\nA: ".to_vec(), vec![b'a'; MAX_ANSWER]].concat()).is_err());
        assert!(asked.answer(b"\0\0\0").is_err());
    }

    #[test]
    fn an_upgrade_without_a_key_is_refused_in_words() {
        let request = Request { path: "/ws".into(), ..Request::default() };
        assert!(upgrade(&request).is_err());
    }
}
