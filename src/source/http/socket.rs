//! A connection to a camera, in the clear or over TLS, with a time-out for everything that is waited for.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::ClientConnection;

use super::tls;
use super::url::Url;
use crate::time::{Micros, now};

/// How long after its time a read may still take in what is there already.
pub(super) const GRACE: Duration = Duration::from_millis(20);

pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<ClientConnection>, TcpStream),
}

impl Socket {
    /// Connects, and with TLS shakes hands; each of both takes as long as `patience` at most.
    ///
    /// # Errors
    /// Why not, to be put behind `camera at … `.
    pub(super) fn connect(url: &Url, address: SocketAddr, patience: Duration) -> Result<Self, String> {
        let mut stream = TcpStream::connect_timeout(&address, patience).map_err(|e| words(&e))?;
        stream.set_nodelay(true).map_err(|e| words(&e))?;
        stream.set_write_timeout(Some(patience)).map_err(|e| words(&e))?;
        if !url.secure {
            return Ok(Self::Plain(stream));
        }
        let (mut tls, verifier) = tls::client(url)?;
        let deadline = now() + patience;
        match shake_hands(&mut tls, &mut stream, deadline) {
            Ok(()) => Ok(Self::Tls(Box::new(tls), stream)),
            Err(error) => Err(verifier.refused(url).unwrap_or_else(|| match error.get_ref() {
                Some(inner) if inner.is::<rustls::Error>() => {
                    format!("and this program have no TLS in common: {inner}")
                }
                _ => words(&error),
            })),
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(tls, stream) => tls.writer().write_all(bytes).and_then(|()| {
                while tls.wants_write() {
                    tls.write_tls(stream)?;
                }
                Ok(())
            }),
        }
        .map_err(|e| words(&e))
    }

    /// Reads what is there, waiting for it for `patience`. `Some(0)`: the other side closed. `None`: nothing came.
    pub(super) fn read(&mut self, bytes: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
        let result = match self {
            Self::Plain(stream) => wait_for(stream, patience).and_then(|()| stream.read(bytes)),
            Self::Tls(tls, stream) => read_tls(tls, stream, bytes, now() + patience),
        };
        match result {
            Ok(n) => Ok(Some(n)),
            Err(e) if is_nothing(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// A read waits so long and no longer.
fn wait_for(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    // A time-out of zero would mean to wait for ever.
    stream.set_nonblocking(patience.is_zero())?;
    if patience.is_zero() { Ok(()) } else { stream.set_read_timeout(Some(patience.max(Duration::from_millis(1)))) }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// What rustls has decrypted, or else what the socket has; whoever sends records byte by byte does not keep us.
fn read_tls(
    tls: &mut ClientConnection,
    stream: &mut TcpStream,
    bytes: &mut [u8],
    deadline: Micros,
) -> io::Result<usize> {
    loop {
        match tls.reader().read(bytes) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            // Cameras close without saying goodbye. That a body was cut is seen by its length, or by the picture.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
            read => return read,
        }
        wait_for(stream, deadline.since(now()))?;
        tls.read_tls(stream)?;
        tls.process_new_packets().map_err(io::Error::other)?;
        while tls.wants_write() {
            stream.set_nonblocking(false)?;
            tls.write_tls(stream)?;
        }
        // Whoever always has something to say, and nothing for us, must not keep us.
        if now() > deadline + GRACE {
            return Err(ErrorKind::WouldBlock.into());
        }
    }
}

fn shake_hands(tls: &mut ClientConnection, stream: &mut TcpStream, deadline: Micros) -> io::Result<()> {
    while tls.is_handshaking() {
        stream.set_nonblocking(false)?;
        while tls.wants_write() {
            tls.write_tls(stream)?;
        }
        if !tls.is_handshaking() {
            break;
        }
        let left = deadline.since(now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        wait_for(stream, left)?;
        if tls.read_tls(stream)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let processed = tls.process_new_packets().map_err(io::Error::other);
        if processed.is_err() {
            // The other side is told why, as far as it listens.
            tls.write_tls(stream).ok();
            processed?;
        }
    }
    stream.set_nonblocking(false)
}

/// What is said of an error, behind `camera at … `.
fn words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "does not answer".into(),
        ErrorKind::ConnectionRefused => "refuses the connection".into(),
        ErrorKind::UnexpectedEof => "hung up without an answer".into(),
        _ => format!("failed: {error}"),
    }
}
