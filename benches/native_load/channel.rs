//! The bytes of a viewer's connection, in the clear or in TLS, at as little cost as can be had: what the generator does is
//! done on the machine that is measured.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::ClientConfig;
use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};

/// What a record has beside what it says, and more.
const OVERHEAD: usize = 256;
/// No message of a handshake of this side is longer.
const HANDSHAKE: usize = 4096;

pub(crate) struct Channel {
    pub(crate) socket: TcpStream,
    connected: bool,
    tls: Option<Box<Tls>>,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
}

/// rustls reads 4 KiB at a time where it holds the bytes itself. Here they are taken from the socket at once, and decrypted
/// where they are.
struct Tls {
    session: UnbufferedClientConnection,
    /// A record that has not come whole.
    partly: Vec<u8>,
    /// What is to be said as soon as the handshake is over.
    early: Vec<u8>,
    open: bool,
}

impl Channel {
    /// Begins to connect.
    pub(crate) fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address)?;
        let tls = tls.map(|config| -> anyhow::Result<_> {
            let session = UnbufferedClientConnection::new(config.clone(), "localhost".try_into()?)?;
            Ok(Box::new(Tls { session, partly: Vec::new(), early: Vec::new(), open: false }))
        });
        Ok(Self { socket, connected: false, tls: tls.transpose()?, unsent: Vec::new() })
    }

    /// The connection is there, or a try has failed, or the socket takes bytes again.
    pub(crate) fn writable(&mut self) -> io::Result<()> {
        if !self.connected {
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            if let Err(error) = self.socket.peer_addr() {
                return if error.kind() == ErrorKind::NotConnected { Ok(()) } else { Err(error) };
            }
            self.socket.set_nodelay(true)?;
            self.connected = true;
        }
        if let Some(tls) = self.tls.as_mut().filter(|tls| !tls.open) {
            tls.take(&mut [], &mut self.unsent, |_| Ok(()))?;
        }
        self.flush()
    }

    /// Reads all there is into `scratch`, piece by piece, and gives what it says to `each`; how many bytes it was.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8],
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut all = 0;
        loop {
            let held = self.tls.as_ref().map_or(0, |tls| tls.partly.len());
            if let Some(tls) = &self.tls {
                scratch[..held].copy_from_slice(&tls.partly);
            }
            let came = match self.socket.read(&mut scratch[held..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(came) => came,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(all);
                }
                Err(error) => return Err(error),
            };
            all += came as u64;
            let whole = held + came == scratch.len();
            match &mut self.tls {
                None => each(&scratch[..came])?,
                Some(tls) => {
                    tls.take(&mut scratch[..held + came], &mut self.unsent, &mut each)?;
                    self.flush()?;
                }
            }
            // A socket that gave less than there was room for is empty.
            if !whole {
                return Ok(all);
            }
        }
    }

    /// Takes all there is and looks at nothing of it; how many bytes it was.
    pub(crate) fn drop_bytes(&mut self, scratch: &mut [u8]) -> io::Result<u64> {
        let mut all = 0;
        loop {
            match discard(&self.socket, scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(came) if came < scratch.len() => return Ok(all + came as u64),
                Ok(came) => all += came as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(all),
                Err(error) => return Err(error),
            }
        }
    }

    /// Says this, at the latest when the handshake is over.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.unsent.extend_from_slice(bytes),
            Some(tls) => {
                tls.early.extend_from_slice(bytes);
                if tls.open {
                    tls.take(&mut [], &mut self.unsent, |_| Ok(()))?;
                }
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Tls {
    /// Takes what came, keeps what of it is no whole record, and writes what is to be sent behind `out`.
    fn take(
        &mut self,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut at = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.session.process_tls_records(&mut bytes[at..]);
            let over = match state.map_err(io::Error::other)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(io::Error::other)?;
                        discard += record.discard;
                        each(record.payload)?;
                    }
                    false
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(out, HANDSHAKE, |room| data.encode(room).map_err(io::Error::other))?;
                    false
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    false
                }
                ConnectionState::WriteTraffic(mut traffic) => {
                    self.open = true;
                    if !self.early.is_empty() {
                        let room = self.early.len() + OVERHEAD;
                        append(out, room, |room| traffic.encrypt(&self.early, room).map_err(io::Error::other))?;
                        self.early.clear();
                    }
                    true
                }
                ConnectionState::BlockedHandshake => true,
                _ => return Err(ErrorKind::UnexpectedEof.into()),
            };
            at += discard;
            if over {
                // A call without bytes says nothing of those that are kept.
                if !bytes.is_empty() {
                    self.partly.clear();
                    self.partly.extend_from_slice(&bytes[at..]);
                }
                return Ok(());
            }
        }
    }
}

/// Takes bytes from a socket without copying them.
#[cfg(target_os = "linux")]
fn discard(socket: &TcpStream, scratch: &mut [u8]) -> io::Result<usize> {
    use rustix::net::{RecvFlags, recv};
    Ok(recv(socket, scratch, RecvFlags::TRUNC).map(|(_, bytes)| bytes)?)
}

#[cfg(not(target_os = "linux"))]
fn discard(mut socket: &TcpStream, scratch: &mut [u8]) -> io::Result<usize> {
    socket.read(scratch)
}

/// Lets somebody write behind `out`, who says how much it was.
fn append(out: &mut Vec<u8>, room: usize, write: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
    let before = out.len();
    out.resize(before + room, 0);
    let written = write(&mut out[before..])?;
    out.truncate(before + written);
    Ok(())
}
