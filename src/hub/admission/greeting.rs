//! What a newcomer says first, and so what it wants, without its socket: bytes in, and what follows out. Everything that it may
//! say has a limit. That is where wrong and hostile peers end; [`super::pending`] has the deadlines.
//!
//! Call [`Greeting::poll`] until it [`Reads`](Step::Reads) or [`Waits`](Step::Waits), then give it more bytes, or tell it that
//! there are none.

use std::net::SocketAddr;
use std::sync::Arc;

use super::hello::admitted;
pub(super) use super::request::ClientContext;
use super::request::PendingRequest;
use crate::access::Credentials;
use crate::frame::Picture;
use crate::hub::authenticator::{Identified, SessionName};
use crate::hub::deliver::Admitted;
use crate::hub::http::controls::ControlsAsked;
use crate::hub::http::snapshot::Snapshot;
use crate::hub::http::{BodyWanted, Encoded, Reply, Waited, WebSocket};
use crate::hub::memory::{Full, Held};
use crate::hub::routes::route;
use crate::net::connection::Framing;
use crate::net::http::{BadHead, looks_like_http, parse_head, short_answer};
use crate::time::Micros;
use crate::wire::body::{Length, WholeBody};
use crate::wire::control::{Cause, Control};
use crate::wire::framing::{Deframer, prefix};
use crate::wire::packet::{Packet, control_packet};
use crate::wire::websocket::{self, End, Message};

/// Text messages are not part of the native protocol over WebSocket, so they are kept short.
const MAX_TEXT: usize = 4096;
/// What is said of JPEGs without anything around them.
const BARE: &str = "it sends JPEGs with nothing around them, which tell no stream: let ffmpeg publish by -f mpjpeg -method POST \
                    http://HUB/api/publish/ROOM/NAME, or pipe them into streamflow-send --source -";
/// So many bytes tell what somebody speaks.
const ENOUGH: usize = 8;

/// What follows.
pub(super) enum Step {
    /// More is to be read.
    Reads,
    /// It waits for a picture.
    Waits,
    /// This is to be sent: bytes, and a picture behind them.
    Sends(Vec<u8>, Option<Arc<Picture>>, Then),
    /// It has said what it wants. These bytes are to be sent first; and those were read beyond it.
    Admits { admitted: Box<Admitted>, before: Vec<u8>, early: Vec<u8> },
    /// It begins to encrypt, with these bytes; then it is greeted anew.
    Encrypts(Vec<u8>, Box<Greeting>),
    /// The connection ends; why it was refused, if it was.
    Ends(Option<String>),
}

/// What comes when something has been sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Whatever would come without it.
    GoOn,
    /// The next request.
    Next,
    /// The end, when the other side has had the time to read it; why it was refused, if it was.
    Close(Option<String>),
}

enum Stage {
    /// Too little came to tell what it speaks.
    Sniffing,
    /// The same, and it is refused for this reason whatever it wants.
    Refusing(String),
    Native(Box<Deframer>),
    /// With who opened it, as far as that request showed.
    WebSocket(Box<websocket::Reader>, Box<Credentials>),
    /// What the hello shows is being looked at.
    Hello(Box<PendingHello>),
    Head,
    /// What the request shows is being looked at; and whether it is asked again.
    Checking(PendingRequest, bool),
    /// More of its body must be here to tell what it is.
    More(PendingRequest),
    Body(PendingRequest, WholeBody, BodyWanted),
    Snapshot(PendingRequest, Snapshot),
    /// With whether nothing of its body is still to come.
    Controls(PendingRequest, ControlsAsked, bool),
    /// What it says is of no interest any more.
    Over,
}

/// A hello that is here, or what came in its place.
struct PendingHello {
    packet: Packet,
    framing: Framing,
    who: Credentials,
    /// What was read beyond it.
    early: Vec<u8>,
}

/// Where it is then, and what follows; `None`: look again.
type Next = (Stage, Option<Step>);

/// Sends an answer; then comes the next request, or the end.
fn answered(Encoded { head, picture, keep }: Encoded) -> Next {
    let (stage, then) = if keep { (Stage::Head, Then::Next) } else { (Stage::Over, Then::Close(None)) };
    (stage, Some(Step::Sends(head, picture, then)))
}

/// A newcomer.
pub(super) struct Greeting {
    stage: Stage,
    /// What was read and is not used.
    input: Vec<u8>,
    /// When the first byte of a hello was here, or whether none was yet.
    began: Option<Micros>,
    requests: u64,
    /// Who asks, once a request has said so.
    client: Option<SocketAddr>,
    /// It has begun to encrypt.
    encrypts: bool,
}

impl Greeting {
    pub(super) fn new() -> Self {
        Self { stage: Stage::Sniffing, input: Vec::new(), began: None, requests: 0, client: None, encrypts: false }
    }

    /// Of somebody who is refused, whatever it wants.
    pub(super) fn refusing(why: String) -> Self {
        Self { stage: Stage::Refusing(why), ..Self::new() }
    }

    /// How many requests it has made.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Who asks, as a request has said, if one came.
    pub(super) fn client(&self) -> Option<SocketAddr> {
        self.client
    }

    /// Whether it is a WebSocket that has said no hello.
    pub(super) fn is_websocket(&self) -> bool {
        matches!(self.stage, Stage::WebSocket(..))
    }

    /// Whether anything has come.
    pub(super) fn has_begun(&self) -> bool {
        self.requests > 0 || self.began.is_some() || self.encrypts
    }

    /// The number of the stream that it waits for a picture, or the controls, of.
    pub(super) fn awaited(&self) -> Option<u64> {
        match &self.stage {
            Stage::Snapshot(_, snapshot) => Some(snapshot.stream()),
            Stage::Controls(_, asked, _) => Some(asked.stream()),
            _ => None,
        }
    }

    /// Whether what it shows is being looked at.
    pub(super) fn is_checking(&self) -> bool {
        matches!(self.stage, Stage::Checking(..) | Stage::Hello(_))
    }

    /// How much memory it takes for what is not whole.
    pub(super) fn held(&self) -> usize {
        let stage = match &self.stage {
            Stage::Native(deframer) => deframer.held(),
            Stage::WebSocket(reader, _) => reader.held(),
            Stage::Hello(hello) => hello.early.capacity(),
            Stage::Body(_, body, _) => body.held(),
            Stage::Sniffing
            | Stage::Refusing(_)
            | Stage::Head
            | Stage::Checking(..)
            | Stage::More(_)
            | Stage::Snapshot(..)
            | Stage::Controls(..)
            | Stage::Over => 0,
        };
        self.input.capacity() + stage
    }

    /// Bytes that came.
    pub(super) fn handle_bytes(&mut self, bytes: &[u8], now: Micros) {
        self.began.get_or_insert(now);
        self.input.extend_from_slice(bytes);
    }

    /// It has had its time.
    pub(super) fn handle_timeout(&mut self, asker: &ClientContext<'_>) -> Step {
        let why = "took too long";
        let late = format!("the request {why}");
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Head if self.input.is_empty() => Step::Ends(None),
            Stage::Refusing(_) => Step::Ends(None),
            Stage::Body(pending, _, wanted) => {
                closes_with(pending.last_words(asker, (wanted.refuse)(408, &late)), why.into())
            }
            Stage::Head | Stage::More(_) | Stage::Checking(..) => closes_with(short_answer(408, &late), why.into()),
            _ => Step::Ends(Some(why.into())),
        }
    }

    /// The memory that it takes is needed for others.
    pub(super) fn handle_full(&mut self, asker: &ClientContext<'_>) -> Step {
        let why = Full.to_string();
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Native(_) => closes_with(native_bye(Cause::Refused, &why), why),
            Stage::WebSocket(..) => closes_with(websocket_bye(Cause::Refused, 1013, &why), why),
            Stage::Refusing(_) => Step::Ends(None),
            Stage::Sniffing | Stage::Hello(_) | Stage::Over => Step::Ends(Some(why)),
            Stage::Body(pending, _, wanted) => closes_with(pending.last_words(asker, (wanted.refuse)(503, &why)), why),
            _ => closes_with(short_answer(503, &why), why),
        }
    }

    /// What follows from what came.
    pub(super) fn poll(&mut self, asker: &ClientContext<'_>, now: Micros) -> Step {
        loop {
            if matches!(self.stage, Stage::Sniffing | Stage::Refusing(_)) && begins_tls(&self.input) {
                return self.encrypts(asker);
            }
            let (stage, step) = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Sniffing => sniff(&self.input, asker),
                Stage::Refusing(why) if self.input.len() < ENOUGH => (Stage::Refusing(why), Some(Step::Reads)),
                Stage::Refusing(why) => {
                    // Who would have been let in at another time tries again.
                    let words = refusal(&self.input, Cause::Stopping, &why);
                    (Stage::Over, Some(Step::Sends(words, None, Then::Close(None))))
                }
                Stage::Native(deframer) => self.native(asker, deframer),
                Stage::WebSocket(reader, who) => self.websocket(asker, reader, who),
                Stage::Hello(hello) => self.hello(asker, hello),
                Stage::Head => self.head(asker, now),
                Stage::Checking(pending, again) => self.ask(asker, pending, again),
                Stage::More(pending) => self.ask(asker, pending, true),
                Stage::Body(pending, body, wanted) => self.body(asker, pending, body, wanted),
                Stage::Snapshot(pending, snapshot) => match snapshot.look(now) {
                    Some(answer) => answered(pending.answer(asker, answer, !pending.has_body())),
                    None => (Stage::Snapshot(pending, snapshot), Some(Step::Waits)),
                },
                Stage::Controls(pending, asked, drained) => match asked.look(now) {
                    Some(answer) => answered(pending.answer(asker, answer, drained)),
                    None => (Stage::Controls(pending, asked, drained), Some(Step::Waits)),
                },
                Stage::Over => (Stage::Over, Some(Step::Ends(None))),
            };
            self.stage = stage;
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// It says what it wants under encryption; who is refused is told so there.
    fn encrypts(&mut self, asker: &ClientContext<'_>) -> Step {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        if asker.encrypted {
            return Step::Ends(Some("it speaks TLS inside TLS".into()));
        }
        if asker.shared.identity.is_none() {
            return Step::Ends(Some("this hub listens on this machine alone and does not encrypt".into()));
        }
        let greeting = Self { stage, encrypts: true, ..Self::new() };
        Step::Encrypts(std::mem::take(&mut self.input), Box::new(greeting))
    }

    fn native(&mut self, asker: &ClientContext<'_>, mut deframer: Box<Deframer>) -> Next {
        let ends = |cause, why: String| (Stage::Over, Some(closes_with(native_bye(cause, &why), why)));
        match deframer.decode(&self.input) {
            Ok((_, None)) => {
                self.input = Vec::new();
                (Stage::Native(deframer), Some(Step::Reads))
            }
            Ok((used, Some(packet))) => {
                let who = Credentials::of_nobody(asker.address.ip(), asker.encrypted);
                let hello = self.pending_hello(packet, Framing::Native(deframer), who, used);
                self.hello(asker, hello)
            }
            Err(error) => ends(Cause::Protocol, error.to_string()),
        }
    }

    fn websocket(
        &mut self,
        asker: &ClientContext<'_>,
        mut reader: Box<websocket::Reader>,
        who: Box<Credentials>,
    ) -> Next {
        let ends = |cause, code, why: String| (Stage::Over, Some(closes_with(websocket_bye(cause, code, &why), why)));
        // 1002 (RFC 6455, section 7.4.1): a broken rule.
        match reader.decode(&mut self.input) {
            Ok((_, None)) => {
                self.input = Vec::new();
                (Stage::WebSocket(reader, who), Some(Step::Reads))
            }
            Ok((used, Some(Message::Packet(packet)))) => {
                let framing = Framing::WebSocket(reader, End::Server);
                let hello = self.pending_hello(packet, framing, *who, used);
                self.hello(asker, hello)
            }
            Ok((used, Some(Message::Ping(content)))) => {
                self.input = self.input.split_off(used);
                let pong = websocket::pong(End::Server, &content);
                (Stage::WebSocket(reader, who), Some(Step::Sends(pong, None, Then::GoOn)))
            }
            // Text is not part of the native protocol.
            Ok((used, Some(Message::Text(_) | Message::Pong))) => {
                self.input = self.input.split_off(used);
                (Stage::WebSocket(reader, who), None)
            }
            Ok((_, Some(Message::Close(_)))) => {
                let close = websocket::close(End::Server, 1000, "");
                (Stage::Over, Some(Step::Sends(close, None, Then::Close(None))))
            }
            Err(error) => ends(Cause::Protocol, 1002, error.to_string()),
        }
    }

    fn pending_hello(&mut self, packet: Packet, framing: Framing, who: Credentials, used: usize) -> Box<PendingHello> {
        let early = self.input.split_off(used);
        self.input = Vec::new();
        Box::new(PendingHello { packet, framing, who, early })
    }

    /// The first packet is here.
    fn hello(&mut self, asker: &ClientContext<'_>, mut hello: Box<PendingHello>) -> Next {
        let ClientContext { shared, .. } = *asker;
        let said = if let Packet::Control(Control::Hello(said)) = &hello.packet { Some(said) } else { None };
        let session = match said.map_or(0, |said| said.instance) {
            0 => SessionName::Address(hello.who.address),
            number => SessionName::Instance(number),
        };
        if let Some(token) = said.and_then(|said| said.token.as_ref()) {
            match shared.authenticator.identify(&shared.access, token, hello.who.address, session) {
                Identified::Now(holder) => (hello.who.holder, hello.who.session) = (holder, None),
                Identified::Later => return (Stage::Hello(hello), Some(Step::Waits)),
            }
        }
        let PendingHello { packet, framing, who, early } = *hello;
        let is_websocket = matches!(framing, Framing::WebSocket(..));
        match admitted(packet, self.began.unwrap_or_default(), framing, who, shared) {
            Ok(admitted) => {
                shared.authenticator.use_link(&admitted.credentials.holder, session, shared.access.time());
                (Stage::Over, Some(Step::Admits { admitted: Box::new(admitted), before: Vec::new(), early }))
            }
            Err((cause, why)) => {
                // 1008 (RFC 6455, section 7.4.1): a rule of our own.
                let words = if is_websocket { websocket_bye(cause, 1008, &why) } else { native_bye(cause, &why) };
                (Stage::Over, Some(closes_with(words, why)))
            }
        }
    }

    fn head(&mut self, asker: &ClientContext<'_>, now: Micros) -> Next {
        match parse_head(&self.input) {
            Ok(None) => (Stage::Head, Some(Step::Reads)),
            Ok(Some((request, length))) => {
                self.input = self.input.split_off(length);
                self.requests += 1;
                let pending = PendingRequest::new(request, asker, now);
                self.client = Some(pending.client(asker));
                if !asker.shared.addresses.may_come(pending.who.address, now) {
                    let why = "too many requests come from your address: wait a second";
                    return (Stage::Over, Some(closes_with(short_answer(429, why), why.into())));
                }
                self.ask(asker, pending, false)
            }
            Err(bad) => {
                let status = if bad == BadHead::TooLong { 431 } else { 400 };
                (Stage::Over, Some(closes_with(short_answer(status, &bad.to_string()), bad.to_string())))
            }
        }
    }

    /// What a request leads to, for the first time or `again`, with more of its body.
    fn ask(&mut self, asker: &ClientContext<'_>, mut pending: PendingRequest, again: bool) -> Next {
        if !pending.identify(asker) {
            return (Stage::Checking(pending, again), Some(Step::Waits));
        }
        let exchange = pending.exchange(asker, &self.input);
        let reply = route(&exchange);
        if !matches!(reply, Reply::Answer(_) | Reply::More | Reply::WebSocket(_, WebSocket::Native)) {
            pending.was_let_in(asker);
        }
        // A client may wait until it is told that its body may come (RFC 9110, section 10.1.1).
        let expects = pending.request.http11 && pending.request.field_has("expect", "100-continue");
        let waits = expects && self.input.is_empty() && !again;
        let go_on = if waits && pending.has_body() { b"HTTP/1.1 100 Continue\r\n\r\n".to_vec() } else { Vec::new() };
        let goes_on = |bytes: Vec<u8>| (!bytes.is_empty()).then(|| Step::Sends(bytes, None, Then::GoOn));
        match reply {
            Reply::Answer(answer) => answered(pending.answer(asker, answer, !pending.has_body())),
            Reply::More => (Stage::More(pending), goes_on(go_on).or(Some(Step::Reads))),
            // It has said how long its body is: nothing.
            Reply::Body(wanted) if !pending.has_body() && pending.request.field("content-length").is_some() => {
                answered(pending.answer(asker, (wanted.refuse)(400, "the body is empty"), true))
            }
            Reply::Body(wanted) => match WholeBody::new(pending.request.length().unwrap_or(Length::Open), wanted.limit)
            {
                Ok(body) => (Stage::Body(pending, body, wanted), goes_on(go_on)),
                Err((status, why)) => answered(pending.answer(asker, (wanted.refuse)(status, &why), false)),
            },
            Reply::Snapshot(snapshot) => (Stage::Snapshot(pending, snapshot), None),
            Reply::Controls(asked) => {
                let drained = !pending.has_body();
                (Stage::Controls(pending, asked, drained), None)
            }
            Reply::Admit(admitted) => self.becomes(admitted, go_on),
            Reply::WebSocket(before, WebSocket::Admit(admitted)) => self.becomes(admitted, before),
            Reply::WebSocket(bytes, WebSocket::Native) => {
                let reader = websocket::Reader::new(End::Server, asker.shared.config.max_picture, MAX_TEXT);
                self.began = (!self.input.is_empty()).then_some(pending.began);
                (Stage::WebSocket(Box::new(reader), Box::new(pending.who)), goes_on(bytes))
            }
            Reply::WebSocket(bytes, WebSocket::Close(frame)) => {
                (Stage::Over, Some(Step::Sends([bytes, frame].concat(), None, Then::Close(None))))
            }
        }
    }

    /// It is no matter of HTTP any more.
    fn becomes(&mut self, admitted: Box<Admitted>, before: Vec<u8>) -> Next {
        (Stage::Over, Some(Step::Admits { admitted, before, early: std::mem::take(&mut self.input) }))
    }

    fn body(
        &mut self,
        asker: &ClientContext<'_>,
        pending: PendingRequest,
        mut body: WholeBody,
        wanted: BodyWanted,
    ) -> Next {
        let used = match body.feed(&self.input) {
            Ok(None) => {
                self.input = Vec::new();
                return (Stage::Body(pending, body, wanted), Some(Step::Reads));
            }
            Ok(Some(used)) => used,
            Err((status, why)) => return answered(pending.answer(asker, (wanted.refuse)(status, &why), false)),
        };
        self.input = self.input.split_off(used);
        // What is made of it takes about as much again, twice over.
        if let Err(full) = asker.account.hold(Held::coming(3 * body.held())) {
            return answered(pending.answer(asker, (wanted.refuse)(503, &full.to_string()), false));
        }
        let waited = (wanted.then)(&pending.exchange(asker, &[]), body.into_bytes());
        // What came behind the last chunk is lost, so nothing may follow there.
        let ends = !matches!(pending.request.length(), Some(Length::Chunked(_)));
        match waited {
            Waited::Answer(answer) => answered(pending.answer(asker, answer, ends)),
            Waited::Controls(asked) => (Stage::Controls(pending, asked, ends), None),
        }
    }
}

/// The first byte of a TLS record is its type, 22 a handshake, then come the version and the length (RFC 8446, section 5.1), and the
/// type of its message, 1 for a client's hello. A length of ours, which may begin like that, has a zero in this place.
fn begins_tls(input: &[u8]) -> bool {
    matches!(input, [22, 3, _, _, _, 1, ..])
}

/// What it speaks, by its first bytes.
fn sniff(input: &[u8], asker: &ClientContext<'_>) -> Next {
    match input {
        _ if input.len() < ENOUGH => (Stage::Sniffing, Some(Step::Reads)),
        // What writes these, as `ffmpeg -f mjpeg tcp://`, reads no answer.
        [0xFF, 0xD8, 0xFF, ..] => (Stage::Over, Some(Step::Ends(Some(BARE.into())))),
        _ if looks_like_http(&input[..ENOUGH]) => (Stage::Head, None),
        _ => (Stage::Native(Box::new(Deframer::to_hub(asker.shared.config.max_picture))), None),
    }
}

/// Last words, and why they are.
pub(super) fn closes_with(words: Vec<u8>, why: String) -> Step {
    Step::Sends(words, None, Then::Close(Some(why)))
}

fn native_bye(cause: Cause, why: &str) -> Vec<u8> {
    let packet = control_packet(&Control::Bye { cause, reason: why.into() });
    [&prefix(packet.len())[..], &packet].concat()
}

fn websocket_bye(cause: Cause, code: u16, why: &str) -> Vec<u8> {
    let packet = control_packet(&Control::Bye { cause, reason: why.into() });
    [websocket::binary(End::Server, &[&packet]), websocket::close(End::Server, code, why)].concat()
}

/// What somebody is told who is turned away before it was heard, in what it speaks as far as it has begun.
pub(super) fn refusal(said: &[u8], cause: Cause, why: &str) -> Vec<u8> {
    if looks_like_http(said.get(..ENOUGH).unwrap_or(said)) { short_answer(503, why) } else { native_bye(cause, why) }
}
