//! A non-blocking socket that speaks packets: one object for the hub's side and for the programs' side.
//!
//! It holds at most one message that is partly written, and a short queue of control messages behind it. Pictures are
//! never queued: whoever owns the connection offers the newest one when [`Connection::is_idle`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;

use super::http;
use super::layout::{self, Dialect, Head, Pieces};
use super::pages::SharedPages;
use crate::frame::Picture;
use crate::time::now;
use crate::wire::WireError;
use crate::wire::body::PictureBody;
use crate::wire::control::Control;
use crate::wire::framing::{self, Deframer};
use crate::wire::packet::{HEADER, Packet, control_packet, picture_header};
use crate::wire::websocket::{self, End, Message};

/// Control messages that may wait behind a picture, in bytes. A peer that lets more pile up reads nothing.
const MAX_WAITING: usize = 256 * 1024;
/// What is read from one connection before the others get a turn.
const TURN: usize = 1 << 20;

/// How messages are told apart on the wire.
pub enum Framing {
    /// A length before each packet.
    Native(Box<Deframer>),
    /// One WebSocket message each.
    WebSocket(Box<websocket::Reader>, End),
    /// Outward only: a length and a JPEG, nothing else. What comes in is thrown away.
    Plain,
    /// Outward only: an endless multipart answer to an HTTP request. The bytes are the answer's head, 1024 at most,
    /// which goes out with the first picture, since until then the answer may still become a refusal.
    Multipart(Vec<u8>),
    /// A WebSocket that speaks something else: what the dialect says goes out, text and pictures come in.
    Edge(Box<websocket::Reader>, Dialect),
    /// Inward only: the body of an HTTP request, with pictures in it. Answered when it is over.
    Body(Box<PictureBody>),
}

impl Framing {
    /// The longest picture that may come in from now on, in bytes; 0 from who only watches.
    fn set_max_picture(&mut self, max_picture: usize) {
        match self {
            Self::Native(deframer) => deframer.set_max_picture(max_picture),
            Self::WebSocket(reader, _) | Self::Edge(reader, _) => reader.set_max_picture(max_picture),
            Self::Plain | Self::Multipart(_) | Self::Body(_) => {}
        }
    }

    /// The end of the head, which only this viewer gets, for a picture that comes behind `head`.
    fn finish_head(&mut self, head: &mut Head, picture: &Picture, hub: Duration) {
        match self {
            Self::Native(_) => layout::native_head(head, picture, hub),
            Self::WebSocket(..) => layout::websocket_head(head, picture, hub),
            Self::Plain | Self::Body(_) => layout::put(head, &framing::prefix(picture.data.len())),
            Self::Multipart(opening) => {
                layout::put(head, &std::mem::take(opening));
                layout::part_head(head, picture);
            }
            Self::Edge(_, dialect) => layout::dialect_head(head, dialect, picture, hub),
        }
    }

    /// The rest of a picture's message.
    fn pieces<'a>(&self, picture: &'a Picture) -> Pieces<'a> {
        match self {
            Self::Native(_) | Self::WebSocket(..) => layout::native(picture),
            Self::Plain | Self::Body(_) => layout::bare(picture),
            Self::Multipart(_) => layout::part(picture),
            Self::Edge(_, dialect) => layout::dialect(dialect, picture),
        }
    }

    /// The name of it, for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Native(_) => "native",
            Self::WebSocket(..) => "websocket",
            Self::Plain => "plain",
            Self::Multipart(_) => "multipart",
            Self::Edge(_, Dialect::Jpeg) => "quality",
            Self::Edge(_, Dialect::Detection { .. }) => "detection",
            Self::Edge(_, Dialect::Room { .. }) => "room",
            Self::Body(_) => "post",
        }
    }
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The other side closed it.
    #[error("closed by the other side")]
    Closed,
    /// The system said so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side broke the protocol.
    #[error("protocol broken: {0}")]
    Wire(#[from] WireError),
    /// Control messages pile up: the other side does not read.
    #[error("the other side does not read")]
    Stuck,
}

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel has all of it.
    Whole,
    /// The rest goes when the socket can be written again: call [`Connection::flush`] then.
    Partly,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing is left to read; the poll tells when there is.
    Yes,
    /// There may be more, and it is the others' turn: read again without waiting for the poll.
    No,
}

enum Body {
    Bytes,
    Picture(Arc<Picture>),
}

struct Outgoing {
    head: Vec<u8>,
    body: Body,
    written: usize,
}

/// A connection.
pub struct Connection {
    /// The socket, for registering it with a poll.
    pub socket: TcpStream,
    framing: Framing,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    outgoing: Option<Outgoing>,
    /// Bytes read and written so far.
    pub bytes_in: u64,
    /// Bytes written so far.
    pub bytes_out: u64,
}

impl Connection {
    /// A connection that is open, on a socket that does not block.
    #[must_use]
    pub fn new(socket: TcpStream, framing: Framing) -> Self {
        Self { socket, framing, waiting: VecDeque::new(), waiting_bytes: 0, outgoing: None, bytes_in: 0, bytes_out: 0 }
    }

    /// Whether everything that was to be sent is with the kernel, so that a picture may be offered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outgoing.is_none() && self.waiting.is_empty()
    }

    /// Whether control messages can be sent and heard at all.
    #[must_use]
    pub fn speaks(&self) -> bool {
        matches!(self.framing, Framing::Native(_) | Framing::WebSocket(..))
    }

    /// How messages are told apart on the wire.
    #[must_use]
    pub fn framing(&self) -> &Framing {
        &self.framing
    }

    /// Reads what is there and gives every packet to `take`. `scratch` is overwritten.
    ///
    /// # Errors
    /// Why the connection is over; also what `take` returns.
    pub fn read(
        &mut self,
        scratch: &mut [u8],
        take: &mut dyn FnMut(Packet) -> Result<(), Broken>,
    ) -> Result<Drained, Broken> {
        let mut total = 0;
        loop {
            match self.socket.read(scratch) {
                Ok(0) => return Err(Broken::Closed),
                Ok(n) => {
                    total += n;
                    self.bytes_in += n as u64;
                    self.feed(&mut scratch[..n], take)?;
                    if total >= TURN {
                        return Ok(Drained::No);
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Drained::Yes),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Takes bytes that were read elsewhere, as in a handshake.
    ///
    /// # Errors
    /// Why the connection is over; also what `take` returns.
    pub fn feed(
        &mut self,
        mut bytes: &mut [u8],
        take: &mut dyn FnMut(Packet) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let used = match &mut self.framing {
                Framing::Plain | Framing::Multipart(_) => return Ok(()),
                Framing::Body(body) => {
                    let over = body.feed(bytes, now(), &mut |jpeg| take(Packet::Bare(jpeg.into())))?;
                    if over {
                        let answer = http::short_answer(200, &in_words(body.counts()));
                        let _ = self.enqueue(answer);
                        return Err(Broken::Closed);
                    }
                    return Ok(());
                }
                Framing::Native(deframer) => {
                    let (used, packet) = deframer.decode(bytes)?;
                    packet.map_or(Ok(()), &mut *take)?;
                    used
                }
                Framing::WebSocket(reader, _) | Framing::Edge(reader, _) => {
                    let (used, message) = reader.decode(bytes)?;
                    let end = reader.end();
                    match message {
                        Some(Message::Packet(packet)) => take(packet)?,
                        Some(Message::Ping(content)) => {
                            self.enqueue(websocket::pong(end, &content))?;
                        }
                        Some(Message::Close(_)) => {
                            let _ = self.enqueue(websocket::close(end, 1000, ""));
                            return Err(Broken::Closed);
                        }
                        Some(Message::Text(text)) if !self.speaks() => take(Packet::Text(text))?,
                        Some(Message::Text(_) | Message::Pong) | None => {}
                    }
                    used
                }
            };
            bytes = &mut bytes[used..];
        }
        Ok(())
    }

    /// Sends a control message, behind the picture that is on its way. A connection that does not speak the native
    /// protocol swallows it, but for a refusal, which it gets in its own words.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_control(&mut self, control: &Control) -> Result<(), Broken> {
        let message = match (&mut self.framing, control) {
            (Framing::Native(_), _) => {
                let packet = control_packet(control);
                [&framing::prefix(packet.len())[..], &packet].concat()
            }
            (Framing::WebSocket(_, end), _) => websocket::binary(*end, &[&control_packet(control)]),
            (Framing::Multipart(opening), Control::Bye { reason, .. }) if !opening.is_empty() => {
                opening.clear();
                http::short_answer(503, reason)
            }
            (Framing::Body(_), Control::Bye { reason, .. }) => http::short_answer(409, reason),
            (Framing::Edge(..), Control::Bye { reason, .. }) => websocket::close(End::Server, 1013, reason),
            _ => return Ok(()),
        };
        self.enqueue(message)
    }

    /// Changes what a WebSocket that does not speak the native protocol gets. Only while it [`is_idle`](Self::is_idle).
    pub fn speak(&mut self, other: Dialect) {
        if let Framing::Edge(_, dialect) = &mut self.framing {
            *dialect = other;
        }
    }

    /// Sends a text message to a WebSocket that does not speak the native protocol.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_text(&mut self, text: &str) -> Result<(), Broken> {
        self.enqueue(websocket::text(End::Server, text))
    }

    /// Sends a WebSocket ping.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_ping(&mut self) -> Result<(), Broken> {
        self.enqueue(websocket::ping(End::Server))
    }

    /// Says the last thing that this framing says before the connection is shut down.
    ///
    /// # Errors
    /// Why the connection is over already.
    pub fn send_close(&mut self) -> Result<(), Broken> {
        match &self.framing {
            Framing::WebSocket(_, end) => {
                let message = websocket::close(*end, 1000, "");
                self.enqueue(message)
            }
            _ => Ok(()),
        }
    }

    /// How many bytes a picture is on this wire, to within the few of a mask.
    #[must_use]
    pub fn length_of(&self, picture: &Picture) -> usize {
        self.framing.pieces(picture).iter().map(|p| p.len()).sum::<usize>() + framing::PREFIX + HEADER
    }

    /// Begins to send a picture, by way of `pages` that others share where that pays. Only for a connection that
    /// [`is_idle`](Self::is_idle).
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_picture(
        &mut self,
        picture: &Arc<Picture>,
        pages: Option<&mut SharedPages>,
        hub: Duration,
    ) -> Result<Sent, Broken> {
        debug_assert!(self.is_idle(), "a picture is offered only when nothing waits");
        if let Framing::WebSocket(_, End::Client) = &self.framing {
            // What a client sends is masked, so it must be copied (RFC 6455, section 5.3).
            let [metadata, data, ..] = layout::native(picture);
            let head = websocket::binary(End::Client, &[&picture_header(picture, hub), metadata, data]);
            self.outgoing = Some(Outgoing { head, body: Body::Bytes, written: 0 });
            return self.flush();
        }
        let mut head = Head::new();
        self.framing.finish_head(&mut head, picture, hub);
        let pieces = self.framing.pieces(picture);
        let whole = pieces.iter().any(|piece| std::ptr::eq(*piece, &raw const picture.data[..]));
        let shared = pages.filter(|_| whole).and_then(|pages| pages.of(picture));
        let mut written = shared.map_or(0, |pages| pages.begin(&self.socket, &head, pieces, picture));
        let sent = write(&mut self.socket, &head, pieces, &mut written);
        self.bytes_out += written as u64;
        let sent = sent?;
        if sent == Sent::Partly {
            self.outgoing = Some(Outgoing { head: head.to_vec(), body: Body::Picture(picture.clone()), written });
        }
        Ok(sent)
    }

    /// Takes no pictures: what a viewer sends of one is refused at its first byte, and nothing is kept.
    pub fn refuse_pictures(&mut self) {
        self.framing.set_max_picture(0);
    }

    /// Goes on with what is to be sent.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn flush(&mut self) -> Result<Sent, Broken> {
        loop {
            if let Some(outgoing) = &mut self.outgoing {
                let pieces = match &outgoing.body {
                    Body::Bytes => Pieces::default(),
                    Body::Picture(picture) => self.framing.pieces(picture),
                };
                let before = outgoing.written;
                let sent = write(&mut self.socket, &outgoing.head, pieces, &mut outgoing.written);
                self.bytes_out += (outgoing.written - before) as u64;
                if sent? == Sent::Partly {
                    return Ok(Sent::Partly);
                }
                self.outgoing = None;
            }
            let Some(head) = self.waiting.pop_front() else { return Ok(Sent::Whole) };
            self.waiting_bytes -= head.len();
            self.outgoing = Some(Outgoing { head, body: Body::Bytes, written: 0 });
        }
    }

    fn enqueue(&mut self, message: Vec<u8>) -> Result<(), Broken> {
        if self.waiting_bytes + message.len() > MAX_WAITING {
            return Err(Broken::Stuck);
        }
        self.waiting_bytes += message.len();
        self.waiting.push_back(message);
        self.flush().map(|_| ())
    }
}

/// How many pictures came in a body, and how many parts of it were none.
fn in_words((pictures, broken): (u64, u64)) -> String {
    if broken == 0 { format!("{pictures} pictures") } else { format!("{pictures} pictures, {broken} broken") }
}

/// Writes a message from `*written` on, as far as the socket takes it.
fn write(socket: &mut TcpStream, head: &[u8], pieces: Pieces<'_>, written: &mut usize) -> Result<Sent, Broken> {
    let [a, b, c, d] = pieces;
    let parts = [head, a, b, c, d];
    let total: usize = parts.iter().map(|p| p.len()).sum();
    while *written < total {
        let mut skip = *written;
        let slices = parts.map(|part| {
            let from = skip.min(part.len());
            skip -= from;
            IoSlice::new(&part[from..])
        });
        // Empty slices cost the kernel nothing, but a leading run of them would look like the end on some systems.
        let first = slices.iter().position(|s| !s.is_empty()).unwrap_or(0);
        match socket.write_vectored(&slices[first..]) {
            Ok(0) => return Err(Broken::Closed),
            Ok(n) => *written += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Sent::Partly),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Sent::Whole)
}
