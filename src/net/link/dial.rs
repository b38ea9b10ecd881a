//! Making a connection: from the address that a person wrote to a socket that speaks the hub's framing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest};

use super::{CONNECT, LinkUser, Outcome, Runner, SOCKET};
use crate::net::address::{HubAddress, PORT};
use crate::net::connection::Framing;
use crate::net::http::{MAX_ANSWER, NotUpgraded, UpgradeRequest};
use crate::session::in_words;
use crate::time::{Micros, now};
use crate::transport::sockopt;
use crate::wire::framing::Deframer;
use crate::wire::websocket::{self, End};

/// Text messages are not part of the native protocol.
const MAX_TEXT: usize = 4096;

impl<U: LinkUser> Runner<U> {
    /// Resolves a name on a thread of its own, since the system's resolver cannot be interrupted.
    pub(super) fn resolve(&self, hub: &HubAddress) -> std::result::Result<Vec<SocketAddr>, Outcome> {
        let target = (hub.host.clone(), hub.port_or(PORT));
        if let Ok(ip) = hub.host.parse() {
            return Ok(vec![SocketAddr::new(ip, target.1)]);
        }
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let resolving = std::thread::Builder::new().name("resolve".into()).spawn(move || {
            let _ = sender.send(target.to_socket_addrs().map(|found| found.take(8).collect()));
        });
        if let Err(error) = resolving {
            return Err(Outcome::Again(error.to_string()));
        }
        let until = now() + CONNECT;
        while now() < until {
            if self.stopped() {
                return Err(Outcome::Stopped);
            }
            match receiver.recv_timeout(Duration::from_millis(50)) {
                Ok(Ok(addresses)) => return Ok(addresses),
                Ok(Err(error)) => return Err(Outcome::Again(format!("cannot find {}: {error}", hub.host))),
                Err(_) => {}
            }
        }
        Err(Outcome::Again(format!("cannot find {}: no answer from the resolver", hub.host)))
    }

    pub(super) fn connect(&mut self, address: SocketAddr, hub: &HubAddress) -> std::result::Result<TcpStream, Outcome> {
        let failed = |e: &io::Error| Outcome::Again(format!("hub {hub} unreachable: {}", plain_words(e)));
        let mut socket = TcpStream::connect(address).map_err(|e| failed(&e))?;
        self.poll.registry().register(&mut socket, SOCKET, Interest::WRITABLE).map_err(|e| failed(&e))?;
        let until = now() + CONNECT;
        let mut events = Events::with_capacity(4);
        loop {
            if self.stopped() {
                return Err(Outcome::Stopped);
            }
            let left = until.since(now());
            if left.is_zero() {
                return Err(failed(&ErrorKind::TimedOut.into()));
            }
            let _ = self.poll.poll(&mut events, Some(left));
            if self.network.as_mut().is_some_and(|network| network.changed(now())) {
                // The kernel would ask again only after seconds, and perhaps the old way.
                return Err(Outcome::Again(format!("hub {hub} unreachable: the network changed meanwhile")));
            }
            if let Ok(Some(error)) = socket.take_error() {
                return Err(failed(&error));
            }
            match socket.peer_addr() {
                Ok(_) => break,
                Err(e) if e.kind() == ErrorKind::NotConnected => {}
                Err(e) => return Err(failed(&e)),
            }
        }
        self.poll.registry().deregister(&mut socket).map_err(|e| failed(&e))?;
        sockopt::prepare(&socket).map_err(|e| failed(&e))?;
        Ok(socket)
    }

    pub(super) fn framing(
        &self,
        socket: TcpStream,
        hub: &HubAddress,
    ) -> std::result::Result<(TcpStream, Framing), Outcome> {
        let max = crate::wire::packet::MAX_PICTURE * 4;
        let Some(path) = &hub.websocket else { return Ok((socket, Framing::Native(Box::new(Deframer::new(max))))) };
        let failed = |e: String| Outcome::Again(no_hub(hub, &e));
        let socket = std::net::TcpStream::from(socket);
        let ready = socket
            .set_nonblocking(false)
            .and_then(|()| socket.set_read_timeout(Some(Duration::from_millis(100))))
            .map_err(|e| failed(e.to_string()));
        ready?;
        let port = hub.port_or(PORT);
        let authority =
            if hub.host.contains(':') { format!("[{}]:{port}", hub.host) } else { format!("{}:{port}", hub.host) };
        let until = now() + CONNECT;
        let asked = UpgradeRequest::new(&authority, path);
        let mut hurried = Hurried { socket: &socket, until, stop: &self.stop };
        hurried.write_all(asked.head.as_bytes()).map_err(|e| failed(e.to_string()))?;
        let (mut head, mut byte) = (Vec::new(), [0]);
        loop {
            if self.stopped() {
                return Err(Outcome::Stopped);
            }
            if now() > until {
                return Err(failed("no answer".into()));
            }
            // Byte by byte, for what comes behind the head is for another reader.
            match hurried.read(&mut byte) {
                Ok(0) => return Err(failed("it hung up".into())),
                Ok(_) => head.push(byte[0]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                    continue;
                }
                Err(e) => return Err(failed(e.to_string())),
            }
            // It is read when it is whole. What is no HTTP is known by its first line.
            let first_line = byte == *b"\n" && !head[..head.len() - 1].contains(&b'\n');
            let is_whole = head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n") || head.len() >= MAX_ANSWER;
            if !first_line && !is_whole {
                continue;
            }
            match asked.answer(&head) {
                Ok(None) => {}
                Ok(Some(_)) => break,
                Err(NotUpgraded::Status(421)) => {
                    let host = &hub.host;
                    let why =
                        format!("the hub at {hub} does not answer as {host}: it needs --public-url http://{host}");
                    return Err(Outcome::Again(why));
                }
                Err(why) => return Err(failed(why.to_string())),
            }
        }
        socket.set_nonblocking(true).map_err(|e| failed(e.to_string()))?;
        let reader = websocket::Reader::new(End::Client, max, MAX_TEXT);
        Ok((TcpStream::from_std(socket), Framing::WebSocket(Box::new(reader), End::Client)))
    }
}

/// Somebody listens there, and does not speak as a hub does.
pub(super) fn no_hub(hub: &HubAddress, why: &str) -> String {
    format!("what answers at {hub} is no StreamFlow hub ({why}): --host and --port name another")
}

/// What an error of a socket means, without the system's number.
fn plain_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there".into(),
        ErrorKind::TimedOut => format!("no answer within {}", in_words(CONNECT)),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "no way to it in the network".into(),
        _ => error.to_string(),
    }
}

/// A socket on which nothing is read or written after a time, or when the program ends: whoever sends its answer byte by byte
/// is heard no longer than who says nothing.
struct Hurried<'a> {
    socket: &'a std::net::TcpStream,
    until: Micros,
    stop: &'a AtomicBool,
}

impl Hurried<'_> {
    fn check(&self) -> io::Result<()> {
        if self.stop.load(Ordering::Acquire) || now() > self.until { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

impl Read for Hurried<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.socket.read(buffer)
    }
}

impl Write for Hurried<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
