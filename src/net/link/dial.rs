//! Making a connection: from the address that a person wrote to a socket that speaks the hub's framing.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest};

use super::encrypt::write_all;
use super::sender::no_hub;
use super::{CONNECT, LinkUser, Outcome, Runner, SOCKET};
use crate::error::in_words as in_words_of_system;
use crate::net::address::{HubAddress, PORT, lacks_zone};
use crate::net::connection::{ConnectionError, Framing};
use crate::net::http::{self, MAX_ANSWER, NotUpgraded, UpgradeRequest};
use crate::net::who_listens::first_words;
use crate::session::in_words;
use crate::text::Untrusted;
use crate::time::now;
use crate::transport::{Transport, sockopt};
use crate::wire::WireError;
use crate::wire::framing::Deframer;
use crate::wire::host::{authority, without_zone};
use crate::wire::websocket::{self, End};

/// So long, and so many bytes, is read of what comes with a refusal.
const WORDS: Duration = Duration::from_millis(500);
const MAX_WORDS: usize = 4096;

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
                Ok(Err(error)) => {
                    return Err(Outcome::Again(format!("cannot find {}: {}", hub.host, in_words_of_system(&error))));
                }
                Err(_) => {}
            }
        }
        Err(Outcome::Again(format!("cannot find {}: no answer from the resolver", hub.host)))
    }

    pub(super) fn connect(&mut self, address: SocketAddr, hub: &HubAddress) -> std::result::Result<TcpStream, Outcome> {
        let failed = |e: &io::Error| {
            let why = if lacks_zone(&address) {
                "an address that begins with fe80 needs its interface, as [fe80::1%eth0]".into()
            } else {
                plain_words(e)
            };
            Outcome::Again(format!("hub {hub} unreachable: {why}"))
        };
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

    /// Agrees on how messages are told apart.
    pub(super) fn framing(
        &mut self,
        transport: &mut Transport,
        hub: &HubAddress,
    ) -> std::result::Result<Framing, Outcome> {
        let max = crate::wire::packet::MAX_PICTURE * 4;
        let Some(path) = &hub.websocket else { return Ok(Framing::Native(Box::new(Deframer::new(max)))) };
        let failed = |this: &Self, error: io::Error| match error.kind() {
            _ if this.stopped() => Outcome::Stopped,
            ErrorKind::TimedOut => Outcome::Again(no_hub(hub, "no answer")),
            ErrorKind::UnexpectedEof => Outcome::Again(no_hub(hub, "it hung up")),
            _ => Outcome::Again(no_hub(hub, &error.to_string())),
        };
        let authority = authority(without_zone(&hub.host), Some(hub.port_or(PORT)));
        let until = now() + CONNECT;
        let asked = UpgradeRequest::new(&authority, path);
        let mut request = Some(asked.head.clone().into_bytes());
        let sent = self.during(transport, until, |transport| write_all(transport, &mut request));
        sent.map_err(|e| failed(self, e))?;
        let mut head = Vec::new();
        loop {
            // It is read when it is whole. What is no HTTP is known by its first line.
            let read = self.during(transport, until, |transport| {
                read_head(transport, &mut head, |head| {
                    let first_line = head.ends_with(b"\n") && head.iter().filter(|byte| **byte == b'\n').count() == 1;
                    first_line || head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n") || head.len() >= MAX_ANSWER
                })
            });
            read.map_err(|e| failed(self, e))?;
            match asked.answer(&head) {
                Ok(None) => {}
                Ok(Some(_)) => break,
                Err(NotUpgraded::Status(status)) => {
                    // As much as comes: who says no may not close.
                    let (words_until, most) = (until.min(now() + WORDS), head.len() + MAX_WORDS);
                    let _ = self.during(transport, words_until, |transport| {
                        read_head(transport, &mut head, |head| head.len() >= most)
                    });
                    return Err(Outcome::Again(not_upgraded(hub, status, http::first_words(&head).as_deref())));
                }
                Err(why) => return Err(Outcome::Again(no_hub(hub, &why.to_string()))),
            }
        }
        let reader = websocket::Reader::new(End::Client, max, MAX_TEXT);
        Ok(Framing::WebSocket(Box::new(reader), End::Client))
    }
}

/// Reads byte by byte until it is enough, for what comes behind is for another reader.
fn read_head(transport: &mut Transport, head: &mut Vec<u8>, is_enough: impl Fn(&[u8]) -> bool) -> io::Result<bool> {
    let mut byte = [0];
    loop {
        match transport.read(&mut byte) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => head.extend_from_slice(&byte),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        }
        if is_enough(head) {
            return Ok(true);
        }
    }
}

/// Why a connection ended that was not let in.
pub(super) fn not_let_in(hub: &HubAddress, broken: &ConnectionError) -> String {
    match broken {
        // It may be a hub all the same: one that has too much to do for last words, or a proxy whose hub is gone.
        ConnectionError::Closed | ConnectionError::Io(_) => {
            format!("{hub} closed the connection without a word; its log may say why")
        }
        other => no_hub(hub, &in_words_of(other)),
    }
}

/// How a connection ended, for a person.
pub(super) fn in_words_of(broken: &ConnectionError) -> String {
    match broken {
        ConnectionError::Wire(WireError::TooLong { length, .. }) => match &length.to_le_bytes() {
            first if first.starts_with(b"HTTP/") || first.starts_with(b"<") => "a web server".into(),
            first => match first_words(first) {
                Some(words) => format!("another program, which begins with '{}'", Untrusted(words)),
                None => "another program".into(),
            },
        },
        ConnectionError::Closed => "connection closed by the hub".into(),
        ConnectionError::Stuck | ConnectionError::Slow(_) => "the hub does not answer".into(),
        other => format!("connection lost: {other}"),
    }
}

/// What was answered in the place of an upgrade to a WebSocket. `words`: the first line of a text that came with it.
fn not_upgraded(hub: &HubAddress, status: u16, words: Option<&str>) -> String {
    let host = &hub.host;
    match (status, words) {
        (421, _) => format!("the hub at {hub} does not answer as {host}: it needs --public-url http://{host}"),
        (_, Some(words)) => format!("{hub} answers: {} ({status})", Untrusted(words)),
        (502..=504, None) => format!("a proxy answers at {hub}, and reaches no hub ({status})"),
        (401 | 403, None) => format!("what answers at {hub} does not let this program in ({status})"),
        _ => no_hub(hub, &format!("it answers {status}")),
    }
}

/// What an error of a socket means, without the system's number.
fn plain_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there".into(),
        ErrorKind::TimedOut => format!("no answer within {}", in_words(CONNECT)),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "no way to it in the network".into(),
        _ => in_words_of_system(error),
    }
}
