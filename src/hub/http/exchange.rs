//! One request and its answer, on a socket that is read and written with a deadline.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Served, unreadable};
use crate::hub::Shared;
use crate::hub::memory::{Account, Full, Held};
use crate::net::http::{self, BadHead, Request, reason};
use crate::time::{Micros, now};
use crate::wire::body::{Length, Refused, WholeBody, length_of};
use crate::wire::host::Host;
use crate::wire::names;

/// How long a body of one request may take to come, and an answer to go.
const BODY: Duration = Duration::from_secs(30);

/// A body so long goes out in one write with its head; a longer one is not copied for that.
const ONE_WRITE: usize = 16 * 1024;

/// A socket with a deadline for everything together.
pub(in crate::hub) struct Patient<'a> {
    pub(in crate::hub) socket: &'a TcpStream,
    until: Instant,
    account: &'a Account,
    answering: &'a AtomicBool,
}

impl<'a> Patient<'a> {
    /// From now on. `answering` is to be true while an answer is written, for who evicts the connection then need not
    /// wait for it.
    pub(in crate::hub) fn new(
        socket: &'a TcpStream,
        account: &'a Account,
        answering: &'a AtomicBool,
        patience: Duration,
    ) -> Self {
        Self { socket, until: Instant::now() + patience, account, answering }
    }

    /// So much memory is held for what is under way.
    pub(in crate::hub) fn hold(&self, bytes: usize) -> io::Result<()> {
        self.account.hold(Held::coming(bytes)).map_err(no_memory)
    }

    /// Why nothing more comes: the other side said all, or its memory is needed for others.
    pub(in crate::hub) fn ended(&self) -> io::Error {
        self.account.may_stay().map_err(no_memory).err().unwrap_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    /// Has so much time from now on.
    pub(in crate::hub) fn extend(&mut self, patience: Duration) {
        self.until = Instant::now() + patience;
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::Error::new(ErrorKind::TimedOut, "took too long")) } else { Ok(left) }
    }
}

fn no_memory(full: Full) -> io::Error {
    io::Error::new(ErrorKind::OutOfMemory, full)
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(buffer)
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An opened WebSocket: the hub, the socket, and what was read of it already.
pub(in crate::hub) type Upgraded<'a> = (Arc<Shared>, Patient<'a>, Vec<u8>);

/// One request.
pub(in crate::hub) struct Exchange<'a> {
    pub(in crate::hub) request: Request,
    pub(in crate::hub) shared: Arc<Shared>,
    patient: Patient<'a>,
    /// What was read behind the head.
    rest: Vec<u8>,
    /// The body has been read, or there is none: the connection may be used again.
    drained: bool,
    /// When its head had come.
    began: Micros,
}

impl<'a> Exchange<'a> {
    /// When the head had come, and the body began.
    pub(in crate::hub) fn began(&self) -> Micros {
        self.began
    }

    /// Whether the answer can still be sent: a socket that was shut down at the door, or reset, says so to who writes nothing.
    pub(in crate::hub) fn is_wanted(&self) -> bool {
        let mut socket = self.patient.socket;
        socket.write(&[]).is_ok()
    }

    /// Reads a head; `bytes` of it are here already. `None`: the other side has said all, or nonsense that has been
    /// answered.
    pub(in crate::hub) fn read(
        mut patient: Patient<'a>,
        mut bytes: Vec<u8>,
        shared: &Arc<Shared>,
    ) -> io::Result<Option<Self>> {
        match http::read_head(&mut patient, &mut bytes) {
            Ok((request, length)) => {
                let rest = bytes.split_off(length);
                let drained = matches!(length_of(&request.fields), Ok(None));
                Ok(Some(Self { request, shared: shared.clone(), patient, rest, drained, began: now() }))
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && bytes.is_empty() => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                patient.extend(Duration::from_secs(1));
                if !bytes.is_empty() {
                    patient.write_all(&http::short_answer(408, "the request took too long"))?;
                }
                Ok(None)
            }
            Err(error) => {
                let bad = error.get_ref().and_then(|e| e.downcast_ref::<BadHead>()).map(unreadable);
                if let Some((status, text)) = bad {
                    patient.write_all(&http::short_answer(status, &text))?;
                    linger(&mut patient);
                }
                Err(error)
            }
        }
    }

    /// What is wrong with any request, whatever its path.
    pub(in crate::hub) fn check(&self) -> Result<(), Refused> {
        let request = &self.request;
        let host = self.host()?;
        if let Some(host) = host.as_ref().filter(|host| !self.shared.host_names.has(host)) {
            let why = format!("this hub does not answer as {host}; its --public-url http://{host} would let it");
            log::warn!("{}: {why}", self.peer());
            return Err((421, why));
        }
        length_of(&request.fields)?;
        let harmless = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        if (!harmless || request.field("upgrade").is_some()) && !self.origin_may(host.as_ref()) {
            return Err((403, "pages of this origin may not use this hub; its --allow-origin would let them".into()));
        }
        Ok(())
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

    /// Whoever asks, for the log.
    fn peer(&self) -> String {
        self.patient.socket.peer_addr().map_or_else(|_| "somebody".into(), |address| address.to_string())
    }

    /// The address of who asks; of somebody who has gone already, one that all such share.
    pub(in crate::hub) fn address(&self) -> IpAddr {
        self.patient.socket.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip())
    }

    /// Whether the page that asks, if it is one, may: this hub's own, also behind a proxy that has told the hub another
    /// name, one of this machine, or one that was allowed.
    fn origin_may(&self, ours: Option<&Host>) -> bool {
        let Some(origin) = self.request.field("origin") else { return true };
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
        allowed.iter().any(|a| a == "*" || a.trim_end_matches('/').eq_ignore_ascii_case(origin)).then_some(origin)
    }

    /// A parameter behind the `?`, decoded.
    pub(in crate::hub) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.request.query.split('&').filter_map(|p| p.split_once('='));
        let (_, value) = pairs.into_iter().find(|(n, _)| *n == name)?;
        names::decode(&value.replace('+', " "))
    }

    /// Whether the method is one of these; `GET` brings `HEAD` along.
    pub(in crate::hub) fn is(&self, method: &str) -> bool {
        self.request.method == method || method == "GET" && self.request.method == "HEAD"
    }

    /// Answers that the method is not served here.
    pub(in crate::hub) fn wrong_method(self, allowed: &str) -> io::Result<Served<'a>> {
        let text = format!("{} is not served here, only {allowed}\n", self.request.method);
        self.answer(405, "text/plain; charset=utf-8", &format!("Allow: {allowed}, OPTIONS\r\n"), text.into_bytes())
    }

    /// Answers with words.
    pub(in crate::hub) fn refuse(self, status: u16, text: &str) -> io::Result<Served<'a>> {
        self.answer(status, "text/plain; charset=utf-8", "", format!("{text}\n").into_bytes())
    }

    /// Answers that there is nothing now, and that trying again may help.
    pub(in crate::hub) fn unavailable(self, text: &str) -> io::Result<Served<'a>> {
        self.answer(503, "text/plain; charset=utf-8", "Retry-After: 1\r\n", format!("{text}\n").into_bytes())
    }

    /// Answers with JSON.
    pub(in crate::hub) fn json(self, status: u16, value: serde_json::Value) -> io::Result<Served<'a>> {
        let text = format!("{value}\n");
        // It takes several times as much as its text, and whoever reads slowly would keep it.
        drop(value);
        self.answer(status, "application/json", "", text.into_bytes())
    }

    /// So much memory is held for the answer that is being made.
    pub(in crate::hub) fn hold(&self, bytes: usize) -> io::Result<()> {
        self.patient.hold(bytes)
    }

    /// Closes the connection behind the answer.
    pub(in crate::hub) fn be_last(&mut self) {
        self.drained = false;
    }

    /// Answers the question of a browser what pages from elsewhere may do.
    pub(in crate::hub) fn preflight(self) -> io::Result<Served<'a>> {
        let fields = "Allow: GET, HEAD, POST, OPTIONS\r\n";
        self.answer(204, "", fields, &b""[..])
    }

    /// The fields that all answers have.
    pub(in crate::hub) fn common_fields(&self) -> String {
        let mut fields = String::from("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
        if let Some(origin) = self.allowed_origin().filter(|o| !o.contains(['\r', '\n'])) {
            fields += &format!(
                "Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n\
                 Access-Control-Allow-Headers: Content-Type\r\nAccess-Control-Max-Age: 600\r\nVary: Origin\r\n"
            );
        }
        fields
    }

    /// Answers.
    pub(in crate::hub) fn answer<'b>(
        mut self,
        status: u16,
        kind: &str,
        fields: &str,
        body: impl Into<Cow<'b, [u8]>>,
    ) -> io::Result<Served<'a>> {
        let body = body.into();
        let request = &self.request;
        let keep = self.drained
            && if request.http11 {
                !request.field_has("connection", "close")
            } else {
                request.field_has("connection", "keep-alive")
            };
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        if !kind.is_empty() {
            head += &format!("Content-Type: {kind}\r\n");
        }
        if status != 204 {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let connection = if keep { "keep-alive" } else { "close" };
        head += &format!("{}{fields}Connection: {connection}\r\n\r\n", self.common_fields());
        let is_head = request.method == "HEAD";
        let body = if is_head { Cow::Borrowed(&[][..]) } else { body };
        let mut bytes = head.into_bytes();
        let rest = if body.len() <= ONE_WRITE {
            bytes.extend_from_slice(&body);
            Cow::Borrowed(&[][..])
        } else {
            body
        };
        self.patient.extend(BODY);
        // Whoever does not read its answer holds it.
        let takes = match &rest {
            Cow::Owned(rest) => rest.capacity(),
            Cow::Borrowed(rest) => rest.len(),
        };
        self.patient.answering.store(true, Ordering::SeqCst);
        self.patient.hold(takes)?;
        self.patient.write_all(&bytes)?;
        self.patient.write_all(&rest)?;
        drop(rest);
        self.patient.hold(0)?;
        self.patient.answering.store(false, Ordering::SeqCst);
        if keep {
            Ok(Served::Again(self.patient, self.rest))
        } else {
            linger(&mut self.patient);
            Ok(Served::Over)
        }
    }

    /// Reads the body of a request, `limit` bytes at most.
    pub(in crate::hub) fn body(&mut self, limit: usize) -> io::Result<Result<Vec<u8>, Refused>> {
        let length = match length_of(&self.request.fields) {
            Ok(length) => length.unwrap_or(Length::Open),
            Err(refused) => return Ok(Err(refused)),
        };
        // What came behind the last chunk is lost, so nothing may follow there.
        let ends = !matches!(length, Length::Chunked(_));
        let mut body = match WholeBody::new(length, limit) {
            Ok(body) => body,
            Err(refused) => return Ok(Err(refused)),
        };
        self.go_on()?;
        self.patient.extend(BODY);
        let mut raw = std::mem::take(&mut self.rest);
        let used = loop {
            match body.feed(&raw) {
                Ok(None) => {}
                Ok(Some(used)) => break used,
                Err(refused) => return Ok(Err(refused)),
            }
            raw.clear();
            if let Err(full) = self.patient.hold(body.held()) {
                return Ok(Err((503, full.to_string())));
            }
            match more(&mut self.patient, &mut raw) {
                Err(error) if error.kind() == ErrorKind::OutOfMemory => return Ok(Err((503, error.to_string()))),
                other => other?,
            }
        };
        // What is made of it takes about as much again, twice over.
        if let Err(full) = self.patient.hold(3 * body.held()) {
            return Ok(Err((503, full.to_string())));
        }
        self.rest = raw.split_off(used);
        self.drained = ends;
        Ok(Ok(body.into_bytes()))
    }

    /// Whether a body begins like a multipart body.
    pub(in crate::hub) fn looks_multipart(&mut self) -> io::Result<bool> {
        let Ok(Some(length)) = length_of(&self.request.fields) else { return Ok(false) };
        self.go_on()?;
        self.patient.extend(BODY);
        loop {
            if let Some(so) = length.begins_multipart(&self.rest) {
                return Ok(so);
            }
            more(&mut self.patient, &mut self.rest)?;
        }
    }

    /// Says that the body may come, to a client that waits for it (RFC 9110, section 10.1.1).
    fn go_on(&mut self) -> io::Result<()> {
        if self.request.field_has("expect", "100-continue") && self.rest.is_empty() {
            self.patient.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(())
    }

    /// What is to come of the body, for someone who takes it elsewhere; and what has come of it.
    pub(in crate::hub) fn into_body(mut self) -> io::Result<(Length, Vec<u8>)> {
        self.go_on()?;
        let length = length_of(&self.request.fields).ok().flatten();
        Ok((length.unwrap_or(Length::Open), self.rest))
    }

    /// Opens the WebSocket that was asked for.
    pub(in crate::hub) fn upgrade(mut self) -> io::Result<Result<Upgraded<'a>, Served<'a>>> {
        if !self.is("GET") {
            return self.wrong_method("GET").map(Err);
        }
        match http::upgrade(&self.request) {
            Ok(answer) => {
                self.patient.write_all(&answer)?;
                Ok(Ok((self.shared, self.patient, self.rest)))
            }
            Err(why) => {
                let text = format!("this is a WebSocket: {why}\n");
                self.answer(400, "text/plain; charset=utf-8", "", text.into_bytes()).map(Err)
            }
        }
    }

    /// What was read behind the head, for someone who goes on elsewhere.
    pub(in crate::hub) fn into_rest(self) -> Vec<u8> {
        self.rest
    }
}

fn more(patient: &mut Patient<'_>, into: &mut Vec<u8>) -> io::Result<()> {
    let start = into.len();
    into.resize(start + 16 * 1024, 0);
    let n = patient.read(&mut into[start..])?;
    into.truncate(start + n);
    if n == 0 { Err(patient.ended()) } else { Ok(()) }
}

/// Reads on for a moment before the socket is closed: closing over unread bytes would destroy the answer on its way.
fn linger(patient: &mut Patient<'_>) {
    let _ = patient.socket.shutdown(std::net::Shutdown::Write);
    patient.extend(Duration::from_millis(500));
    let mut rest = [0; 4096];
    for _ in 0..256 {
        if !matches!(patient.read(&mut rest), Ok(1..)) {
            break;
        }
    }
}
