//! A non-blocking socket that speaks packets: one object for the hub's side and for the programs' side.
//!
//! It holds at most one message that is partly written, and a short queue of control messages behind it. Pictures are
//! never queued: whoever owns the connection offers the newest one when [`Connection::is_idle`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;

use crate::frame::Picture;
use crate::wire::WireError;
use crate::wire::control::Control;
use crate::wire::framing::{self, Deframer};
use crate::wire::packet::{HEADER, Packet, control_packet, picture_header};
use crate::wire::websocket::{self, End, Message};

/// Control messages that may wait behind a picture, in bytes. A peer that lets more pile up reads nothing.
const MAX_WAITING: usize = 256 * 1024;
/// What is read from one connection before the others get a turn.
const TURN: usize = 1 << 20;
/// Longest head before a picture: length or WebSocket header, and packet header.
const MAX_HEAD: usize = 64;

/// How messages are told apart on the wire.
pub enum Framing {
    /// A length before each packet.
    Native(Box<Deframer>),
    /// One WebSocket message each.
    WebSocket(Box<websocket::Reader>, End),
    /// Outward only: a length and a JPEG, nothing else. What comes in is thrown away.
    Plain,
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
        !matches!(self.framing, Framing::Plain)
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
                Framing::Plain => return Ok(()),
                Framing::Native(deframer) => {
                    let (used, packet) = deframer.decode(bytes)?;
                    packet.map_or(Ok(()), &mut *take)?;
                    used
                }
                Framing::WebSocket(reader, end) => {
                    let (used, message) = reader.decode(bytes)?;
                    let end = *end;
                    match message {
                        Some(Message::Packet(packet)) => take(packet)?,
                        Some(Message::Ping(content)) => {
                            self.enqueue(websocket::pong(end, &content))?;
                        }
                        Some(Message::Close(_)) => {
                            let _ = self.enqueue(websocket::close(end, 1000, ""));
                            return Err(Broken::Closed);
                        }
                        Some(Message::Text(_) | Message::Pong) | None => {}
                    }
                    used
                }
            };
            bytes = &mut bytes[used..];
        }
        Ok(())
    }

    /// Sends a control message, behind the picture that is on its way. A plain connection swallows it.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_control(&mut self, control: &Control) -> Result<(), Broken> {
        let packet = control_packet(control);
        let message = match &self.framing {
            Framing::Plain => return Ok(()),
            Framing::Native(_) => [&framing::prefix(packet.len())[..], &packet].concat(),
            Framing::WebSocket(_, end) => websocket::binary(*end, &[&packet]),
        };
        self.enqueue(message)
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
            Framing::Native(_) | Framing::Plain => Ok(()),
        }
    }

    /// How many bytes a picture is on this wire, to within the few of a mask.
    #[must_use]
    pub fn length_of(&self, picture: &Picture) -> usize {
        match self.framing {
            Framing::Plain => framing::PREFIX + picture.data.len(),
            Framing::Native(_) | Framing::WebSocket(..) => {
                framing::PREFIX + HEADER + metadata(picture).len() + picture.data.len()
            }
        }
    }

    /// Begins to send a picture. Only for a connection that [`is_idle`](Self::is_idle).
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn send_picture(&mut self, picture: &Arc<Picture>, hub: Duration) -> Result<Sent, Broken> {
        debug_assert!(self.is_idle(), "a picture is offered only when nothing waits");
        let mut head = [0; MAX_HEAD];
        let n = match &self.framing {
            Framing::WebSocket(_, End::Client) => {
                // What a client sends is masked, so it must be copied (RFC 6455, section 5.3).
                let parts = [&picture_header(picture, hub)[..], metadata(picture), &picture.data];
                let head = websocket::binary(End::Client, &parts);
                self.outgoing = Some(Outgoing { head, body: Body::Bytes, written: 0 });
                return self.flush();
            }
            Framing::Native(_) => {
                let length = HEADER + metadata(picture).len() + picture.data.len();
                head[..8].copy_from_slice(&framing::prefix(length));
                head[8..8 + HEADER].copy_from_slice(&picture_header(picture, hub));
                8 + HEADER
            }
            Framing::WebSocket(_, End::Server) => {
                let length = HEADER + metadata(picture).len() + picture.data.len();
                let (bytes, n) = websocket::server_header(length, false);
                head[..n].copy_from_slice(&bytes[..n]);
                head[n..n + HEADER].copy_from_slice(&picture_header(picture, hub));
                n + HEADER
            }
            Framing::Plain => {
                head[..8].copy_from_slice(&framing::prefix(picture.data.len()));
                8
            }
        };
        let metadata = if matches!(self.framing, Framing::Plain) { &[] } else { metadata(picture) };
        let parts = [&head[..n], metadata, &picture.data];
        let mut written = 0;
        let sent = write(&mut self.socket, parts, &mut written)?;
        self.bytes_out += written as u64;
        if sent == Sent::Partly {
            self.outgoing = Some(Outgoing { head: head[..n].to_vec(), body: Body::Picture(picture.clone()), written });
        }
        Ok(sent)
    }

    /// Goes on with what is to be sent.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn flush(&mut self) -> Result<Sent, Broken> {
        loop {
            if let Some(outgoing) = &mut self.outgoing {
                let parts: [&[u8]; 3] = match &outgoing.body {
                    Body::Bytes => [&outgoing.head, &[], &[]],
                    Body::Picture(picture) if matches!(self.framing, Framing::Plain) => {
                        [&outgoing.head, &[], &picture.data]
                    }
                    Body::Picture(picture) => [&outgoing.head, metadata(picture), &picture.data],
                };
                let before = outgoing.written;
                let sent = write(&mut self.socket, parts, &mut outgoing.written);
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

fn metadata(picture: &Picture) -> &[u8] {
    picture.metadata.as_ref().map_or(&[], |text| text.as_bytes())
}

/// Writes the parts from `*written` on, as far as the socket takes them.
fn write(socket: &mut TcpStream, parts: [&[u8]; 3], written: &mut usize) -> Result<Sent, Broken> {
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
