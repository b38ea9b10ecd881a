//! Pictures over a TCP connection in the clear. A picture for many goes out of pages that all their sockets refer to.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use mio::net::TcpStream;

use super::message::{Layout, Message, Pieces, rest};
use super::pages::SharedPages;
use super::{Sent, sockopt};
use crate::frame::Picture;
use crate::pacing::{CongestionControl, Feedback};

/// A TCP connection, on a socket that does not block.
#[derive(Debug)]
pub struct Tcp {
    socket: TcpStream,
    partly: Option<Message>,
    bytes_out: u64,
}

impl Tcp {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, partly: None, bytes_out: 0 }
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(into)
    }

    pub(super) fn offer(
        &mut self,
        head: &[u8],
        picture: &Arc<Picture>,
        layout: Layout,
        pages: Option<&mut SharedPages>,
    ) -> io::Result<Sent> {
        let pieces = layout.pieces(picture);
        let pages = pages.filter(|_| layout.is_plain()).and_then(|pages| pages.of(picture));
        let mut written = pages.map_or(0, |pages| pages.begin(&self.socket, head, pieces, picture));
        let sent = write(&mut self.socket, head, pieces, &mut written);
        self.bytes_out += written as u64;
        if sent? == Sent::Whole {
            return Ok(Sent::Whole);
        }
        self.partly = Some(Message { head: head.to_vec(), picture: Some((picture.clone(), layout)), written });
        Ok(Sent::Partly)
    }

    pub(super) fn send(&mut self, bytes: Vec<u8>) -> io::Result<Sent> {
        self.partly = Some(Message { head: bytes, picture: None, written: 0 });
        self.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<Sent> {
        let Some(message) = &mut self.partly else { return Ok(Sent::Whole) };
        let (before, mut written) = (message.written, message.written);
        let sent = write(&mut self.socket, &message.head, message.pieces(), &mut written);
        message.written = written;
        self.bytes_out += (written - before) as u64;
        if sent? == Sent::Whole {
            self.partly = None;
            return Ok(Sent::Whole);
        }
        Ok(Sent::Partly)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.partly.is_none()
    }

    pub(super) fn sends_picture(&self) -> bool {
        self.partly.as_ref().is_some_and(|message| message.picture.is_some())
    }

    pub(super) fn held(&self) -> usize {
        self.partly.as_ref().map_or(0, |message| message.head.capacity())
    }

    pub(super) fn picture_held(&self) -> usize {
        self.partly.as_ref().map_or(0, Message::picture_held)
    }

    pub(super) fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    pub(super) fn finish(&mut self) {
        // Whoever is gone need not be told.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    pub(super) fn measure(&self) -> Option<Feedback> {
        sockopt::measure(&self.socket)
    }

    pub(super) fn control(&self, change: CongestionControl) {
        sockopt::control(&self.socket, change);
    }
}

/// Writes a message from `*written` on, as far as the socket takes it.
fn write(socket: &mut TcpStream, head: &[u8], pieces: Pieces<'_>, written: &mut usize) -> io::Result<Sent> {
    loop {
        let (slices, first) = rest(head, pieces, *written);
        if first == slices.len() {
            return Ok(Sent::Whole);
        }
        match socket.write_vectored(&slices[first..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => *written += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Sent::Partly),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
