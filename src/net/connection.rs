//! A non-blocking socket that speaks packets: one object for the hub's side and for the programs' side.
//!
//! It holds at most one message that is partly written, and some control messages behind it. Pictures are never queued:
//! whoever owns the connection offers the newest one when [`Connection::is_idle`].

mod budget;
mod close;
mod framing;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

pub use self::budget::Drained;
use self::budget::{ReadBudget, read_size};
pub use self::framing::Framing;
use super::http;
use super::layout::{Dialect, Head};
use crate::frame::{AudioPacket, Picture};
use crate::time::{Micros, now};
use crate::transport::pages::SharedPages;
use crate::transport::{Layout, Sent, Transport};
use crate::wire::WireError;
use crate::wire::control::Control;
use crate::wire::framing::{PREFIX, prefix};
use crate::wire::packet::{HEADER, Packet, audio_packet, control_packet, picture_header};
use crate::wire::rooms::MAX_JSON;
use crate::wire::websocket::{self, End, Message};

/// Control messages that may wait behind a picture, in bytes. A peer that lets more pile up reads nothing.
const MAX_WAITING: usize = 256 * 1024;
/// A byte around a record counts as so many of a message: a record of one byte costs as much as some hundred bytes in a long one.
const RECORD: usize = 8;
/// Of a body the pictures come out of pieces of so many bytes, between which it is looked whose turn it is.
pub const BODY_PIECE: usize = 16 * 1024;

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The other side closed it.
    #[error("closed by the other side")]
    Closed,
    /// The system said so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side broke the protocol.
    #[error("protocol broken: {0}")]
    Wire(#[from] WireError),
    /// It holds more memory than there is; the text says so.
    #[error("{0}")]
    Full(String),
    /// Control messages pile up: the other side does not read.
    #[error("the other side does not read")]
    Stuck,
    /// The other side reads, and so slowly that one picture took longer than it may.
    #[error("a picture took longer than {} s", .0.as_secs())]
    Slow(Duration),
}

/// A connection.
pub struct Connection {
    /// What carries it, for a poll and a pacer.
    pub transport: Transport,
    framing: Framing,
    /// Control messages, to be written in one go.
    waiting: Vec<u8>,
    /// They wait for more of them.
    corked: bool,
    /// What was read and is for the next turn.
    unread: Vec<u8>,
    /// What comes is of no interest any more.
    ignores: bool,
    /// A close frame came; one was sent.
    hangs_up: bool,
    said_close: bool,
    /// The newest WebSocket ping without an answer. It answers those before it as well (RFC 6455, section 5.5.3).
    pinged: Option<Vec<u8>>,
    /// When bytes were read last, and when the first of the message under way were.
    fed: Micros,
    began: Micros,
    /// No message is under way.
    between: bool,
    /// Bytes so far of the one that is.
    length: usize,
    /// Bytes read so far.
    pub bytes_in: u64,
}

impl Connection {
    /// A connection that is open.
    #[must_use]
    pub fn new(transport: Transport, framing: Framing) -> Self {
        Self {
            transport,
            framing,
            waiting: Vec::new(),
            corked: false,
            unread: Vec::new(),
            ignores: false,
            hangs_up: false,
            said_close: false,
            pinged: None,
            fed: Micros(0),
            began: Micros(0),
            between: true,
            length: 0,
            bytes_in: 0,
        }
    }

    /// Whether everything that was to be sent is with the kernel, so that a picture may be offered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.transport.is_idle() && self.waiting.is_empty()
    }

    /// Whether a picture is partly sent.
    #[must_use]
    pub fn sends_picture(&self) -> bool {
        self.transport.sends_picture()
    }

    /// Whether no control message waits to be written, behind a picture perhaps.
    #[must_use]
    pub fn nothing_waits(&self) -> bool {
        self.waiting.is_empty()
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

    /// How much memory it takes for what has come and is not whole, and for messages that wait to be sent or are under way.
    /// A picture under way does not count, see [`picture_held`](Self::picture_held).
    #[must_use]
    pub fn held(&self) -> usize {
        self.framing.held() + self.unread.capacity() + self.waiting.capacity() + self.transport.held()
    }

    /// Its part of the picture that is under way: the newest one, and one that many are given, costs each of them little.
    #[must_use]
    pub fn picture_held(&self) -> usize {
        self.transport.picture_held()
    }

    /// When bytes were read last.
    #[must_use]
    pub fn last_read(&self) -> Micros {
        self.fed
    }

    /// Bytes of messages that wait behind the one that is under way.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Gives back what is kept for what is to come, as when nothing has come for a while.
    pub fn rest(&mut self) {
        self.framing.rest();
    }

    /// Reads what is there and gives every packet to `take`, as many as one turn allows, with the time at which its first byte
    /// was here. `scratch` is overwritten.
    ///
    /// # Errors
    /// Why the connection is over; also what `take` returns.
    pub fn read(
        &mut self,
        scratch: &mut [u8],
        take: &mut dyn FnMut(Packet, Micros) -> Result<(), ConnectionError>,
    ) -> Result<Drained, ConnectionError> {
        let mut budget = ReadBudget::default();
        let mut unread = std::mem::take(&mut self.unread);
        let used = self.decode(&mut unread, &mut budget, take)?;
        if used < unread.len() {
            unread.drain(..used);
            self.unread = unread;
        }
        let drained = loop {
            if budget.is_spent() || !self.unread.is_empty() {
                break if budget.is_flooded() { Drained::Flooded } else { Drained::Partly };
            }
            let size = read_size(self.framing.missing(), scratch.len());
            match self.transport.read(&mut scratch[..size]) {
                // It says nothing more, and may still read.
                Ok(0) if self.ignores && !self.is_idle() => break Drained::Yes,
                // What was ended already has had its answer.
                Ok(0) if !self.ignores && self.framing.ends_with_input() => return Err(self.end_body()),
                Ok(0) => return Err(ConnectionError::Closed),
                Ok(n) => {
                    self.bytes_in += n as u64;
                    self.fed = now();
                    // Each record costs, however little is in it.
                    budget.bytes(n.max(RECORD * self.transport.overhead(n)));
                    let used = self.decode(&mut scratch[..n], &mut budget, take)?;
                    self.unread.extend_from_slice(&scratch[used..n]);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break Drained::Yes,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        };
        self.answer_ping()?;
        Ok(drained)
    }

    /// Takes bytes that were read elsewhere, as in a handshake. What is too much for one turn is for the next
    /// [`read`](Self::read).
    ///
    /// # Errors
    /// Why the connection is over; also what `take` returns.
    pub fn feed(
        &mut self,
        bytes: &mut [u8],
        take: &mut dyn FnMut(Packet, Micros) -> Result<(), ConnectionError>,
    ) -> Result<(), ConnectionError> {
        self.fed = now();
        let used = self.decode(bytes, &mut ReadBudget::default(), take)?;
        self.unread.extend_from_slice(&bytes[used..]);
        self.answer_ping()
    }

    /// Reads messages out of bytes until the budget is spent, and says how many bytes that took.
    fn decode(
        &mut self,
        bytes: &mut [u8],
        budget: &mut ReadBudget,
        take: &mut dyn FnMut(Packet, Micros) -> Result<(), ConnectionError>,
    ) -> Result<usize, ConnectionError> {
        if self.ignores {
            return Ok(bytes.len());
        }
        let mut at = 0;
        while at < bytes.len() && !budget.is_spent() {
            let rest = &mut bytes[at..];
            if std::mem::take(&mut self.between) {
                (self.began, self.length) = (self.fed, 0);
            }
            let began = self.began;
            at += match &mut self.framing {
                Framing::Plain | Framing::Multipart(_) => rest.len(),
                Framing::Body(body) => {
                    let piece = &rest[..rest.len().min(BODY_PIECE)];
                    let over = body.feed(piece, self.fed, &mut |jpeg, began| {
                        budget.message();
                        take(Packet::Bare(jpeg.into()), began)
                    })?;
                    if over {
                        return Err(self.end_body());
                    }
                    piece.len()
                }
                Framing::Native(deframer) => {
                    let (used, packet) = deframer.decode(rest)?;
                    budget.message();
                    self.between = packet.is_some();
                    self.length += used;
                    if let Some(Packet::Control(_)) = packet {
                        budget.text(self.length);
                    }
                    packet.map_or(Ok(()), |packet| take(packet, began))?;
                    used
                }
                Framing::WebSocket(reader, _) | Framing::Bridge(reader, _) => {
                    let (used, message) = reader.decode(rest)?;
                    budget.message();
                    self.between = reader.is_between();
                    self.length += used;
                    match &message {
                        Some(Message::Packet(Packet::Control(_))) => budget.text(self.length),
                        // By its own length, without the heads of its frames.
                        Some(Message::Text(text)) if text.len() <= MAX_JSON => budget.text(text.len()),
                        _ => {}
                    }
                    match message {
                        Some(Message::Packet(packet)) => take(packet, began)?,
                        Some(Message::Ping(content)) => self.pinged = Some(content),
                        Some(Message::Close(_)) => {
                            self.hangs_up = true;
                            return Err(ConnectionError::Closed);
                        }
                        Some(Message::Text(text)) if !self.speaks() => take(Packet::Text(text), began)?,
                        Some(Message::Text(_) | Message::Pong) | None => {}
                    }
                    used
                }
            };
        }
        Ok(at)
    }

    /// A body with pictures in it is over: says how many there were.
    fn end_body(&mut self) -> ConnectionError {
        if let Framing::Body(body) = &self.framing {
            let answer = http::short_answer(200, &in_words(body.counts()));
            let _ = self.enqueue(&answer);
        }
        ConnectionError::Closed
    }

    fn answer_ping(&mut self) -> Result<(), ConnectionError> {
        match (self.pinged.take(), &self.framing) {
            (Some(content), Framing::WebSocket(reader, _) | Framing::Bridge(reader, _)) => {
                let pong = websocket::pong(reader.end(), &content);
                self.enqueue(&pong)
            }
            _ => Ok(()),
        }
    }

    /// Holds control messages back until [`uncork`](Self::uncork), so that all answers of a turn go out in one write.
    pub fn cork(&mut self) {
        self.corked = true;
    }

    /// Sends what was held back.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn uncork(&mut self) -> Result<(), ConnectionError> {
        self.corked = false;
        self.flush().map(drop)
    }

    /// Sends a control message, behind the picture that is on its way. A connection that does not speak the native
    /// protocol swallows it, but for a refusal, which it gets in its own words.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_control(&mut self, control: &Control) -> Result<(), ConnectionError> {
        if self.speaks() {
            return self.enqueue_packet(&control_packet(control));
        }
        let message = match (&mut self.framing, control) {
            (Framing::Multipart(opening), Control::Bye { reason, .. }) if !opening.is_empty() => {
                opening.clear();
                http::short_answer(503, reason)
            }
            (Framing::Body(_), Control::Bye { reason, .. }) => http::short_answer(409, reason),
            (Framing::Bridge(..), Control::Bye { cause, reason }) => {
                return self.close_frame(End::Server, close::close_code_of_bye(*cause), reason);
            }
            _ => return Ok(()),
        };
        self.enqueue(&message)
    }

    /// Sends a packet of sound, with the time that it spent in the hub. Only for a connection that [`is_idle`](Self::is_idle): sound
    /// that waits is kept where old packets give way to new ones. One that does not speak the native protocol swallows it.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_audio(&mut self, audio: &AudioPacket, hub: Duration) -> Result<(), ConnectionError> {
        self.enqueue_packet(&audio_packet(audio, hub))
    }

    fn enqueue_packet(&mut self, packet: &[u8]) -> Result<(), ConnectionError> {
        let message = match &self.framing {
            Framing::Native(_) => [&prefix(packet.len())[..], packet].concat(),
            Framing::WebSocket(_, end) => websocket::binary(*end, &[packet]),
            _ => return Ok(()),
        };
        self.enqueue(&message)
    }

    /// Changes what a WebSocket that does not speak the native protocol gets. Only while it [`is_idle`](Self::is_idle).
    pub fn speak(&mut self, other: Dialect) {
        if let Framing::Bridge(_, dialect) = &mut self.framing {
            *dialect = other;
        }
    }

    /// Sends a text message to a WebSocket that does not speak the native protocol.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_text(&mut self, text: &str) -> Result<(), ConnectionError> {
        self.enqueue(&websocket::text(End::Server, text))
    }

    /// Sends a WebSocket ping.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_ping(&mut self) -> Result<(), ConnectionError> {
        self.enqueue(&websocket::ping(End::Server))
    }

    /// How many bytes a picture is on this wire, to within the few of a mask.
    #[must_use]
    pub fn length_of(&self, picture: &Picture) -> usize {
        self.framing.layout().length(picture) + PREFIX + HEADER
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
    ) -> Result<Sent, ConnectionError> {
        debug_assert!(self.is_idle(), "a picture is offered only when nothing waits");
        if let Framing::WebSocket(_, End::Client) = &self.framing {
            // What a client sends is masked, so it must be copied (RFC 6455, section 5.3).
            let [metadata, data, ..] = Layout::Native.pieces(picture);
            let message = websocket::binary(End::Client, &[&picture_header(picture, hub), metadata, data]);
            return Ok(self.transport.send(message)?);
        }
        let mut head = Head::new();
        self.framing.finish_head(&mut head, picture, hub);
        Ok(self.transport.offer(&head, picture, self.framing.layout(), pages)?)
    }

    /// Takes no pictures: what a viewer sends of one is refused at its first byte, and nothing is kept.
    pub fn refuse_pictures(&mut self) {
        self.framing.set_max_picture(0);
    }

    /// Goes on with what is to be sent.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn flush(&mut self) -> Result<Sent, ConnectionError> {
        loop {
            if self.transport.flush()? == Sent::Partly {
                return Ok(Sent::Partly);
            }
            if self.waiting.is_empty() || self.corked {
                return Ok(Sent::Whole);
            }
            let message = std::mem::take(&mut self.waiting);
            self.transport.send(message)?;
        }
    }

    /// Bytes sent so far.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.transport.bytes_out()
    }

    fn enqueue(&mut self, message: &[u8]) -> Result<(), ConnectionError> {
        if self.waiting.len() + message.len() > MAX_WAITING {
            return Err(ConnectionError::Stuck);
        }
        self.waiting.extend_from_slice(message);
        self.flush().map(|_| ())
    }
}

/// How many pictures came in a body, and how many parts of it were none.
fn in_words((pictures, broken): (u64, u64)) -> String {
    if broken == 0 { format!("{pictures} pictures") } else { format!("{pictures} pictures, {broken} broken") }
}

#[cfg(test)]
mod tests;
