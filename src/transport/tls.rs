//! Pictures over TLS on a TCP connection. Records are encrypted as the socket takes them, so whoever does not read holds some
//! records and not its picture.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::Connection;

use super::message::{Layout, Message, rest};
use super::{Sent, sockopt};
use crate::frame::Picture;
use crate::pacing::{CongestionControl, Feedback};

/// Encrypted bytes that are made before the socket has taken them, at most: those of a usual picture go in one call to the
/// system, and no more than this is held for whoever does not read.
const AHEAD: usize = 64 * 1024;
/// The most that is read at once.
const READ: usize = 64 * 1024;
/// rustls takes no more while it holds so many decrypted bytes.
const DECRYPTED: usize = 16 * 1024;
/// What a record has beside what it says: its head, and the tag of the cipher.
const OVERHEAD: usize = 64;
/// A handshake is no longer than this from one side, with a long chain of certificates.
const LONGEST_HANDSHAKE: usize = 32 * 1024;

thread_local! {
    /// Encrypted bytes on their way from a socket to rustls.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// A TLS connection, on a socket that does not block.
pub struct Tls {
    socket: TcpStream,
    session: Connection,
    /// What is not encrypted yet of the message under way.
    partly: Option<Message>,
    /// The message under way, of which records may still be here, has a picture.
    is_picture: bool,
    /// What the socket gave and is not decrypted yet.
    undecrypted: Vec<u8>,
    /// What came of a handshake that is not over.
    handshake_bytes: usize,
    /// The other side has said that it says no more. Nothing counts behind that, and rustls is asked no more: where a record of a
    /// handshake without anything in it came before, it would panic.
    closed: bool,
    /// Encrypted bytes that the last read took.
    took: usize,
    bytes_out: u64,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("socket", &self.socket).field("bytes_out", &self.bytes_out).finish_non_exhaustive()
    }
}

impl Tls {
    /// A session on this socket. `early`: what was read of it already.
    pub(super) fn new(socket: TcpStream, mut session: Connection, early: Vec<u8>) -> Self {
        session.set_buffer_limit(Some(AHEAD));
        Self {
            socket,
            session,
            partly: None,
            is_picture: false,
            undecrypted: early,
            handshake_bytes: 0,
            closed: false,
            took: 0,
            bytes_out: 0,
        }
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        self.took = 0;
        loop {
            filled += match self.session.reader().read(into.get_mut(filled..).unwrap_or_default()) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => 0,
                // Many close without a word. That something was cut off is seen by its length.
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(filled),
                Ok(0) => return Ok(filled),
                read => read?,
            };
            // The socket is asked once more by who reads again. Whoever sends a byte a record does not keep us.
            let more = !self.undecrypted.is_empty() && self.took <= into.len() + READ;
            if filled == into.len() || self.closed || (filled > 0 && !more) {
                return Ok(filled);
            }
            let came = if self.undecrypted.is_empty() {
                self.receive(into.len() - filled)
            } else {
                let bytes = std::mem::take(&mut self.undecrypted);
                self.decrypt(&bytes).map(|used| {
                    self.undecrypted.extend_from_slice(bytes.get(used..).unwrap_or_default());
                    true
                })
            };
            match came {
                Ok(true) => {}
                Ok(false) => return Ok(filled),
                // What was decrypted comes first. rustls says what was wrong again.
                Err(_) if filled > 0 => return Ok(filled),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.session.process_new_packets().map_err(broken)?;
                    return Err(e);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Encrypted bytes that the last read took, beyond what came of them: many where somebody sends a byte a record.
    pub(super) fn overhead(&self, read: usize) -> usize {
        self.took.saturating_sub(read + self.undecrypted.len())
    }

    /// Takes what the socket has, for about so many decrypted bytes; `false`: the other side has closed.
    fn receive(&mut self, about: usize) -> io::Result<bool> {
        SCRATCH.with_borrow_mut(|scratch| {
            let most = scratch.len().min(about + OVERHEAD);
            let scratch = scratch.get_mut(..most).unwrap_or_default();
            let came = self.socket.read(scratch)?;
            let came = scratch.get(..came).unwrap_or_default();
            self.took += came.len();
            if came.is_empty() {
                self.session.read_tls(&mut io::empty())?;
                self.session.process_new_packets().map_err(broken)?;
                return Ok(false);
            }
            let used = self.decrypt(came)?;
            self.undecrypted.extend_from_slice(came.get(used..).unwrap_or_default());
            Ok(true)
        })
    }

    /// Goes on with the handshake; whether it is over.
    pub(super) fn handshake(&mut self) -> io::Result<bool> {
        loop {
            self.write_records()?;
            if !self.session.is_handshaking() {
                return Ok(true);
            }
            if self.closed {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            match self.receive(DECRYPTED) {
                Ok(true) => {}
                Ok(false) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Takes encrypted bytes until so many are decrypted as rustls holds; how many were used.
    fn decrypt(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.session.is_handshaking() {
            self.handshake_bytes += bytes.len();
            if self.handshake_bytes > LONGEST_HANDSHAKE {
                return Err(io::Error::new(ErrorKind::InvalidData, "its handshake is too long"));
            }
        } else {
            self.handshake_bytes = 0;
        }
        let mut left = bytes;
        while !left.is_empty() {
            self.session.read_tls(&mut left)?;
            let state = match self.session.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The other side is told why, as far as it listens.
                    let _ = self.session.write_tls(&mut self.socket);
                    return Err(broken(error));
                }
            };
            if self.session.wants_write() {
                // What is wrong with writing is seen when the next is written. What was read counts.
                let _ = self.write_records();
            }
            self.closed = state.peer_has_closed();
            if self.closed || state.plaintext_bytes_to_read() >= DECRYPTED {
                break;
            }
        }
        Ok(bytes.len() - left.len())
    }

    pub(super) fn offer(&mut self, head: &[u8], picture: &Arc<Picture>, layout: Layout) -> io::Result<Sent> {
        self.is_picture = true;
        let (pieces, mut written) = (layout.pieces(picture), 0);
        let sent = loop {
            let (slices, first) = rest(head, pieces, written);
            let left = slices.get(first..).unwrap_or_default();
            let all = left.is_empty();
            if self.write_records()? == Sent::Partly || self.session.is_handshaking() {
                break if all { return Ok(Sent::Partly) } else { Sent::Partly };
            }
            if all {
                break Sent::Whole;
            }
            written += self.session.writer().write_vectored(left)?;
        };
        match sent {
            Sent::Whole => self.is_picture = false,
            Sent::Partly => {
                self.partly = Some(Message { head: head.to_vec(), picture: Some((picture.clone(), layout)), written });
            }
        }
        Ok(sent)
    }

    pub(super) fn send(&mut self, bytes: Vec<u8>) -> io::Result<Sent> {
        self.partly = Some(Message { head: bytes, picture: None, written: 0 });
        self.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<Sent> {
        loop {
            if self.write_records()? == Sent::Partly {
                return Ok(Sent::Partly);
            }
            let Some(message) = &mut self.partly else {
                self.is_picture = false;
                return Ok(Sent::Whole);
            };
            if self.session.is_handshaking() {
                return Ok(Sent::Partly);
            }
            let (slices, first) = rest(&message.head, message.pieces(), message.written);
            let left = slices.get(first..).unwrap_or_default();
            if left.is_empty() {
                self.partly = None;
                continue;
            }
            let encrypted = self.session.writer().write_vectored(left)?;
            message.written += encrypted;
        }
    }

    /// Gives the socket what is encrypted.
    fn write_records(&mut self) -> io::Result<Sent> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.bytes_out += n as u64,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Sent::Partly),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Sent::Whole)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.partly.is_none() && !self.session.wants_write() && !self.session.is_handshaking()
    }

    pub(super) fn sends_picture(&self) -> bool {
        self.is_picture
    }

    pub(super) fn held(&self) -> usize {
        let encrypted = if self.session.wants_write() { AHEAD } else { 0 };
        let message = self.partly.as_ref().map_or(0, |message| message.head.capacity());
        encrypted + message + self.undecrypted.capacity() + self.handshake_bytes
    }

    pub(super) fn picture_held(&self) -> usize {
        self.partly.as_ref().map_or(0, Message::picture_held)
    }

    pub(super) fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    pub(super) fn finish(&mut self) {
        self.session.send_close_notify();
        // Whoever is gone need not be told. Where something still waits to be written, the end is told when the socket is closed.
        if self.write_records().is_ok_and(|sent| sent == Sent::Whole) {
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }

    pub(super) fn measure(&self) -> Option<Feedback> {
        sockopt::measure(&self.socket)
    }

    pub(super) fn control(&self, change: CongestionControl) {
        sockopt::control(&self.socket, change);
    }
}

/// What is wrong with what came.
fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
