//! What a request leads to: an answer, or more than one.

use std::borrow::Cow;
use std::sync::Arc;

use super::controls::ControlsAsked;
use super::exchange::Exchange;
use super::snapshot::Snapshot;
use crate::access::Denied;
use crate::access::policy::Reason;
use crate::frame::Picture;
use crate::hub::deliver::Admitted;
use crate::net::http::{WEBSOCKET_VERSION, reason, upgrade};
use crate::relay::Refusal;
use crate::wire::body::Refused;

/// What becomes of a body that has come.
type WithBody = Box<dyn FnOnce(&Exchange<'_>, Vec<u8>) -> Waited + Send>;

/// A body that is needed as a whole.
pub(in crate::hub) struct BodyWanted {
    /// So many bytes at most.
    pub(in crate::hub) limit: usize,
    /// How it is said that it is not taken: the status, and words.
    pub(in crate::hub) refuse: fn(u16, &str) -> Answer,
    pub(in crate::hub) then: WithBody,
}

/// What a request leads to, or the answer that says why it leads nowhere.
pub(in crate::hub) type Outcome = Result<Reply, Answer>;

/// What a request leads to.
pub(in crate::hub) enum Reply {
    Answer(Answer),
    /// More of its body must be here to tell; the request is to be asked again then.
    More,
    Body(BodyWanted),
    /// A picture that is waited for.
    Snapshot(Snapshot),
    /// Controls that are waited for.
    Controls(ControlsAsked),
    /// It becomes a viewer or a publisher, and is no matter of HTTP any more.
    Admit(Box<Admitted>),
    /// It becomes a WebSocket, when these bytes have been sent.
    WebSocket(Vec<u8>, WebSocket),
}

/// What an open WebSocket is for.
pub(in crate::hub) enum WebSocket {
    /// It speaks the native protocol, and says a hello next.
    Native,
    Admit(Box<Admitted>),
    /// It is closed by this frame.
    Close(Vec<u8>),
}

/// An answer, or what is waited for instead.
pub(in crate::hub) enum Waited {
    Answer(Answer),
    Controls(ControlsAsked),
}

impl From<Answer> for Waited {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl From<Waited> for Reply {
    fn from(waited: Waited) -> Self {
        match waited {
            Waited::Answer(answer) => Self::Answer(answer),
            Waited::Controls(asked) => Self::Controls(asked),
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl From<Refused> for Answer {
    fn from((status, why): Refused) -> Self {
        Self::text(status, &why)
    }
}

impl From<Denied> for Answer {
    fn from(denied: Denied) -> Self {
        let text = denied.with_line();
        match denied.reason {
            Reason::TooManyGuesses => Self::text(429, &text).with("Retry-After: 60\r\n").and_close(),
            Reason::Busy => Self::unavailable(&text),
            Reason::NotFor(_) => Self::text(403, &text),
            ref reason if reason.asks_for_credentials() => Self::text(401, &text),
            _ => Self::text(403, &text),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match status_of(&refusal) {
            503 => Self::unavailable(&refusal.to_string()),
            status => Self::text(status, &refusal.to_string()),
        }
    }
}

/// How HTTP says a refusal: another name would do, or fewer streams, or another time.
pub(in crate::hub) fn status_of(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Posted(_) => 429,
        Refusal::Denied(denied) => Answer::from(denied.clone()).status,
        Refusal::Publishers(_) | Refusal::Viewers(_) => 503,
        _ => 409,
    }
}

impl Exchange<'_> {
    /// What a client is asked for that shows nothing good. A browser would ask the person for a password, in words of its own, for
    /// each picture of a page; for an address that was typed that is right.
    fn challenge(&self) -> &'static str {
        match self.request.field("sec-fetch-mode") {
            None | Some("navigate") => "WWW-Authenticate: Basic realm=\"streamflow\", charset=\"UTF-8\"\r\n",
            Some(_) => "WWW-Authenticate: Bearer realm=\"streamflow\"\r\n",
        }
    }

    /// Refuses all methods but these, as `GET, HEAD`.
    pub(in crate::hub) fn takes(&self, methods: &'static str) -> Result<(), Answer> {
        let method = &self.request.method;
        if methods.split(", ").any(|one| one == method) {
            return Ok(());
        }
        let refused = Answer::text(405, &format!("{method} is not served here, only {methods}"));
        Err(refused.with(format!("Allow: {methods}, OPTIONS\r\n")))
    }
}

impl Reply {
    /// Opens the WebSocket that is asked for.
    pub(in crate::hub) fn open(exchange: &Exchange<'_>, becomes: WebSocket) -> Outcome {
        exchange.takes("GET")?;
        let request = exchange.request;
        let version = "sec-websocket-version";
        if request.field(version).is_some() && !request.field_has(version, WEBSOCKET_VERSION) {
            let refused = Answer::text(426, "this is a WebSocket, of version 13 of its protocol (RFC 6455)");
            return Err(refused.with(format!("Sec-WebSocket-Version: {WEBSOCKET_VERSION}\r\nUpgrade: websocket\r\n")));
        }
        match upgrade(request) {
            Ok(bytes) => Ok(Self::WebSocket(bytes, becomes)),
            Err(why) => Err(Answer::text(400, &format!("this is a WebSocket: {why}"))),
        }
    }
}

/// An answer.
pub(in crate::hub) struct Answer {
    status: u16,
    kind: Cow<'static, str>,
    /// Fields beside those that all have, each with its end of line.
    fields: Cow<'static, str>,
    body: Body,
    /// The connection closes behind it.
    closes: bool,
}

/// The body of an answer.
pub(in crate::hub) enum Body {
    Bytes(Cow<'static, [u8]>),
    Picture(Arc<Picture>),
}

/// An answer as it is sent.
pub(in crate::hub) struct Encoded {
    pub(in crate::hub) head: Vec<u8>,
    /// What comes behind, where it is a picture.
    pub(in crate::hub) picture: Option<Arc<Picture>>,
    /// The connection is kept for the next request.
    pub(in crate::hub) keep: bool,
}

impl Answer {
    pub(in crate::hub) fn new(status: u16, kind: impl Into<Cow<'static, str>>, body: Body) -> Self {
        Self { status, kind: kind.into(), fields: "".into(), body, closes: false }
    }

    /// In words.
    pub(in crate::hub) fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", Body::from(format!("{text}\n")))
    }

    /// There is nothing now, and trying again may help.
    pub(in crate::hub) fn unavailable(text: &str) -> Self {
        Self::text(503, text).with("Retry-After: 1\r\n")
    }

    /// What pages from elsewhere may do, as a browser asks.
    pub(in crate::hub) fn preflight() -> Self {
        Self::new(204, "", Body::Bytes(b"".into())).with("Allow: GET, HEAD, POST, OPTIONS\r\n")
    }

    pub(in crate::hub) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json", Body::from(format!("{value}\n")))
    }

    /// With these fields as well, each with its end of line.
    pub(in crate::hub) fn with(mut self, fields: impl Into<Cow<'static, str>>) -> Self {
        self.fields = fields.into();
        self
    }

    /// The connection closes behind it.
    pub(in crate::hub) fn and_close(mut self) -> Self {
        self.closes = true;
        self
    }

    /// The status and the words, if it is a refusal.
    pub(in crate::hub) fn refusal(&self) -> Option<(u16, Cow<'_, str>)> {
        let Body::Bytes(words) = &self.body else { return None };
        (self.status >= 400).then(|| (self.status, String::from_utf8_lossy(words.trim_ascii_end())))
    }

    /// As it is sent to who asked. `drained`: nothing of the request's body is still to come, so that the connection may be
    /// used again.
    pub(in crate::hub) fn encode(self, exchange: &Exchange<'_>, drained: bool) -> Encoded {
        let Self { status, kind, fields, body, closes } = self;
        let request = exchange.request;
        let asked_to_keep = if request.http11 {
            !request.field_has("connection", "close")
        } else {
            request.field_has("connection", "keep-alive")
        };
        let keep = drained && asked_to_keep && !closes;
        let (bytes, picture) = match body {
            Body::Bytes(bytes) => (bytes, None),
            Body::Picture(picture) => (Cow::Borrowed(&[][..]), Some(picture)),
        };
        let challenge = if status == 401 { exchange.challenge() } else { "" };
        let length = picture.as_ref().map_or(bytes.len(), |picture| picture.data.len());
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        if !kind.is_empty() {
            head += &format!("Content-Type: {kind}\r\n");
        }
        if status != 204 {
            head += &format!("Content-Length: {length}\r\n");
        }
        let connection = if keep { "keep-alive" } else { "close" };
        head += &format!("{}{fields}{challenge}Connection: {connection}\r\n\r\n", exchange.common_fields());
        let mut head = head.into_bytes();
        let is_head = request.method == "HEAD";
        if !is_head {
            head.extend_from_slice(&bytes);
        }
        Encoded { head, picture: picture.filter(|_| !is_head), keep }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes().into())
    }
}
