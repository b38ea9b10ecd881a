//! What carries the bytes of a connection. The way of a picture goes through here without a trait object: [`Transport`] is an
//! enum, and datagrams become a variant of it.
//!
//! A transport holds at most one message that is partly sent, and never a queue: whoever has a newer picture offers it when
//! the transport [`is_idle`](Transport::is_idle).

pub(crate) mod message;
pub(crate) mod pages;
pub(crate) mod sockopt;
mod tcp;
mod tls;

use std::io;
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

pub(crate) use self::message::Layout;
use self::pages::SharedPages;
pub(crate) use self::tcp::Tcp;
pub(crate) use self::tls::Tls;
use crate::frame::Picture;
use crate::pacing::{CongestionControl, Feedback, Path};

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel has all of it.
    Whole,
    /// The rest goes when the transport can be written again: call [`Transport::flush`] then.
    Partly,
}

/// A non-blocking transport that is open.
#[derive(Debug)]
pub enum Transport {
    /// A TCP connection, in the clear.
    Tcp(Tcp),
    /// TLS on a TCP connection.
    Tls(Box<Tls>),
}

impl From<TcpStream> for Transport {
    /// On a socket that is connected, does not block and is [prepared](sockopt::prepare).
    fn from(socket: TcpStream) -> Self {
        Self::Tcp(Tcp::new(socket))
    }
}

impl Transport {
    /// Goes on as TLS; `early` is what was read of it already. Only while nothing was sent.
    #[must_use]
    pub fn encrypted(self, session: rustls::Connection, early: Vec<u8>) -> Self {
        match self {
            Self::Tcp(tcp) => Self::Tls(Box::new(Tls::new(tcp.into_socket(), session, early))),
            tls @ Self::Tls(_) => tls,
        }
    }

    /// Whether its bytes are encrypted on their way.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Goes on with agreeing on how to encrypt; `true` when that is over, `false` when it waits for the other side.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn handshake(&mut self) -> io::Result<bool> {
        match self {
            Self::Tcp(_) => Ok(true),
            Self::Tls(tls) => tls.handshake(),
        }
    }

    /// Asks to be told by this token when there is something to read or room to write.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(tcp) => registry.register(tcp.socket(), token, interest),
            Self::Tls(tls) => registry.register(tls.socket(), token, interest),
        }
    }

    /// Ends what [`register`](Self::register) began.
    pub fn deregister(&mut self, registry: &Registry) {
        match self {
            // The socket closes soon in any case; a failure changes nothing.
            Self::Tcp(tcp) => drop(registry.deregister(tcp.socket())),
            Self::Tls(tls) => drop(registry.deregister(tls.socket())),
        }
    }

    /// Reads what is there, as far as `into` has room; 0 when the other side has closed.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; otherwise why the transport is broken.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.read(into),
            Self::Tls(tls) => tls.read(into),
        }
    }

    /// What the other side has said that was not read yet, as it came, as far as `into` has room; it is there to be read after that.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub fn peek(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.socket().peek(into),
            Self::Tls(tls) => tls.socket().peek(into),
        }
    }

    /// Bytes of the last [`read`](Self::read), which gave so many, that were no message but what encrypting puts around it.
    #[must_use]
    pub fn overhead(&self, read: usize) -> usize {
        match self {
            Self::Tcp(_) => 0,
            Self::Tls(tls) => tls.overhead(read),
        }
    }

    /// Begins to send a picture behind a head, by way of `pages` that others share where that pays. Only while it
    /// [`is_idle`](Self::is_idle).
    ///
    /// # Errors
    /// Why the transport is broken.
    pub fn offer(
        &mut self,
        head: &[u8],
        picture: &Arc<Picture>,
        layout: Layout,
        pages: Option<&mut SharedPages>,
    ) -> io::Result<Sent> {
        match self {
            Self::Tcp(tcp) => tcp.offer(head, picture, layout, pages),
            // Each receiver has a key of its own, so nothing can be shared.
            Self::Tls(tls) => tls.offer(head, picture, layout),
        }
    }

    /// Begins to send these bytes. Only while it [`is_idle`](Self::is_idle).
    ///
    /// # Errors
    /// Why the transport is broken.
    pub fn send(&mut self, bytes: Vec<u8>) -> io::Result<Sent> {
        match self {
            Self::Tcp(tcp) => tcp.send(bytes),
            Self::Tls(tls) => tls.send(bytes),
        }
    }

    /// Goes on with what is partly sent.
    ///
    /// # Errors
    /// Why the transport is broken.
    pub fn flush(&mut self) -> io::Result<Sent> {
        match self {
            Self::Tcp(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Whether everything that was to be sent is with the kernel.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_idle(),
            Self::Tls(tls) => tls.is_idle(),
        }
    }

    /// Whether a picture is partly sent.
    #[must_use]
    pub fn sends_picture(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.sends_picture(),
            Self::Tls(tls) => tls.sends_picture(),
        }
    }

    /// Bytes of memory that the message takes that is partly sent, without its picture.
    #[must_use]
    pub fn held(&self) -> usize {
        match self {
            Self::Tcp(tcp) => tcp.held(),
            Self::Tls(tls) => tls.held(),
        }
    }

    /// Its part of the memory of the picture that is partly sent, in bytes: one that many are sent costs each of them little.
    #[must_use]
    pub fn picture_held(&self) -> usize {
        match self {
            Self::Tcp(tcp) => tcp.picture_held(),
            Self::Tls(tls) => tls.picture_held(),
        }
    }

    /// Bytes given to the kernel so far.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        match self {
            Self::Tcp(tcp) => tcp.bytes_out(),
            Self::Tls(tls) => tls.bytes_out(),
        }
    }

    /// Says that nothing more will be sent. What the other side says can still be read.
    pub fn finish(&mut self) {
        match self {
            Self::Tcp(tcp) => tcp.finish(),
            Self::Tls(tls) => tls.finish(),
        }
    }
}

impl Path for Transport {
    fn feedback(&mut self) -> Option<Feedback> {
        match self {
            Self::Tcp(tcp) => tcp.measure(),
            Self::Tls(tls) => tls.measure(),
        }
    }

    fn control(&mut self, change: CongestionControl) {
        match self {
            Self::Tcp(tcp) => tcp.control(change),
            Self::Tls(tls) => tls.control(change),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// A transport, and the other end of it.
    fn pair() -> (Transport, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = listener.accept().unwrap().0;
        near.set_nonblocking(true).unwrap();
        (TcpStream::from_std(near).into(), far)
    }

    #[test]
    fn what_the_kernel_does_not_take_is_kept_and_goes_when_there_is_room() {
        let (mut near, mut far) = pair();
        let data: Vec<u8> = (0..9_000_000).map(|i| (i % 251) as u8).collect();
        let picture = Arc::new(Picture { data: data.clone().into(), ..Picture::default() });
        assert_eq!(near.offer(b"head", &picture, Layout::Bare, None).unwrap(), Sent::Partly);
        assert!(!near.is_idle() && near.sends_picture());
        // Two hold it: this test and the transport.
        assert_eq!(near.picture_held(), picture.held() / 2);
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; 4 + data.len()];
            far.read_exact(&mut all).unwrap();
            assert!(all.starts_with(b"head") && all[4..] == data);
        });
        while near.flush().unwrap() == Sent::Partly {
            std::thread::yield_now();
        }
        reader.join().unwrap();
        assert!(near.is_idle() && near.picture_held() == 0 && near.held() == 0);
        assert_eq!(near.bytes_out(), 9_000_004);
    }

    #[test]
    fn who_says_no_more_still_reads() {
        let (mut near, mut far) = pair();
        near.send(b"bye".to_vec()).unwrap();
        near.finish();
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"bye");
        let mut word = [0; 9];
        assert_eq!(near.read(&mut word).unwrap_err().kind(), ErrorKind::WouldBlock);
        far.write_all(b"well").unwrap();
        let n = loop {
            match near.read(&mut word) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                read => break read.unwrap(),
            }
        };
        assert!(b"well".starts_with(&word[..n]) && n > 0);
        drop(far);
        while near.read(&mut word).is_ok_and(|n| n > 0) {}
    }
}
