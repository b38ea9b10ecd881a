//! Greeting: what a newcomer says first, and so what it wants. Everything it may say has a deadline and a limit. That is
//! where slow, wrong and hostile peers end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::Shared;
use super::deliver::Wish;
use super::door::Standing;
use super::http::{self, Exchange, Patient, Served};
use super::memory::Account;
use crate::net::connection::Framing;
use crate::net::http::looks_like_http;
use crate::room::StreamKey;
use crate::time::{Micros, now};
use crate::wire::control::{Cause, Control, Hello, Role, check_name};
use crate::wire::framing::{self, Deframer};
use crate::wire::packet::{self, Packet, control_packet};
use crate::wire::websocket::{self, End, Message};

/// Text messages are not part of the native protocol over WebSocket, so they are kept short.
const MAX_TEXT: usize = 4096;
/// After so many requests on one connection its thread rests, so that it does not take a processor from those who show
/// pictures: 6400 requests a second are more than anybody needs.
const REQUESTS: u64 = 64;
const REST: Duration = Duration::from_millis(10);

/// Someone who has said what they want.
pub(super) struct Guest {
    pub(super) address: SocketAddr,
    pub(super) framing: Framing,
    pub(super) wish: Wish,
    /// The hello, where there was one.
    pub(super) hello: Option<Hello>,
    /// A bare picture that came in the place of a hello, and when it began.
    pub(super) first: Option<(Packet, Micros)>,
    /// What was read beyond that.
    pub(super) early: Vec<u8>,
}

/// One who is to be heard.
pub(super) struct Newcomer<'a> {
    pub(super) socket: &'a TcpStream,
    pub(super) address: SocketAddr,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) standing: &'a Standing,
    pub(super) account: &'a Account,
    /// Whether it is being answered now, see [`Patient::answer`].
    pub(super) answering: &'a AtomicBool,
}

/// A guest; or none, if it has got its answer and is done.
type Heard = io::Result<Option<Guest>>;

impl Newcomer<'_> {
    /// Hears what a newcomer wants.
    pub(super) fn hear(&self) -> Heard {
        self.standing.is_heard();
        let patience = self.shared.config.handshake;
        self.socket.set_nonblocking(false)?;
        self.socket.set_write_timeout(Some(patience))?;
        let mut patient = Patient::new(self.socket, self.account, self.answering, patience);
        let mut bytes = Vec::new();
        while bytes.len() < 8 {
            let mut piece = [0; 8];
            let left = 8 - bytes.len();
            match patient.read(&mut piece[..left])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => bytes.extend_from_slice(&piece[..n]),
            }
        }
        match bytes[..] {
            // The first byte of a TLS record is its type, 22 a handshake, then the version (RFC 8446, section 5.1).
            [22, 3, ..] => Err(io::Error::new(ErrorKind::Unsupported, "TLS is not served here")),
            _ if looks_like_http(&bytes) => self.hear_http(patient, bytes),
            _ => self.hear_native(patient, bytes),
        }
    }

    fn hear_native(&self, mut patient: Patient<'_>, bytes: Vec<u8>) -> Heard {
        let mut deframer = Deframer::to_hub(self.shared.config.max_picture);
        let heard = first_packet(&mut patient, bytes, |bytes| deframer.decode(bytes).map_err(wrong));
        let say = |cause, error: &io::Error| {
            let cause = match error.kind() {
                ErrorKind::InvalidData => cause,
                ErrorKind::OutOfMemory => Cause::Refused,
                _ => return,
            };
            let packet = control_packet(&Control::Bye { cause, reason: error.to_string() });
            say(self.socket, &[&framing::prefix(packet.len())[..], &packet].concat());
        };
        let (packet, began, early) = heard.inspect_err(|e| say(Cause::Protocol, e))?;
        let guest = self.guest(packet, began, Framing::Native(Box::new(deframer)), early);
        guest.inspect_err(|e| say(Cause::Refused, e)).map(Some)
    }

    /// The native protocol over a WebSocket that is open.
    fn hear_websocket(&self, mut patient: Patient<'_>, bytes: Vec<u8>) -> Heard {
        let mut reader = websocket::Reader::new(End::Server, self.shared.config.max_picture, MAX_TEXT);
        let heard = first_packet(&mut patient, bytes, |bytes| match reader.decode(bytes).map_err(wrong)? {
            (used, None) => Ok((used, None)),
            (used, Some(Message::Packet(packet))) => Ok((used, Some(packet))),
            (_, Some(_)) => Err(wrong("no hello over the WebSocket")),
        });
        // The codes of RFC 6455, section 7.4.1: a broken rule, one of our own, no resources.
        let say = |cause, code, error: &io::Error| {
            let (cause, code) = match error.kind() {
                ErrorKind::InvalidData => (cause, code),
                ErrorKind::OutOfMemory => (Cause::Refused, 1013),
                _ => return,
            };
            let bye = Control::Bye { cause, reason: error.to_string() };
            let message = websocket::binary(End::Server, &[&control_packet(&bye)]);
            say(self.socket, &[message, websocket::close(End::Server, code, &error.to_string())].concat());
        };
        let (packet, began, early) = heard.inspect_err(|e| say(Cause::Protocol, 1002, e))?;
        let guest = self.guest(packet, began, Framing::WebSocket(Box::new(reader), End::Server), early);
        guest.inspect_err(|e| say(Cause::Refused, 1008, e)).map(Some)
    }

    fn hear_http(&self, mut patient: Patient<'_>, mut bytes: Vec<u8>) -> Heard {
        for request in 1_u64.. {
            if request.is_multiple_of(REQUESTS) {
                std::thread::sleep(REST);
            }
            let Some(exchange) = Exchange::read(patient, bytes, self.shared)? else { return Ok(None) };
            self.standing.is_answered();
            match http::serve(exchange)? {
                Served::Over => return Ok(None),
                Served::Again(again, rest) => {
                    (patient, bytes) = (again, rest);
                    patient.extend(self.shared.config.handshake);
                    self.standing.is_heard_again();
                }
                Served::Guest(guest) => {
                    let http::Guest { framing, wish, hello, early } = *guest;
                    return Ok(Some(Guest { address: self.address, framing, wish, hello, first: None, early }));
                }
                Served::Native(patient, early) => return self.hear_websocket(patient, early),
            }
        }
        Ok(None)
    }

    /// Who this is, from its first packet.
    fn guest(&self, packet: Packet, began: Micros, framing: Framing, early: Vec<u8>) -> io::Result<Guest> {
        let (wish, hello, first) = match packet {
            Packet::Control(Control::Hello(hello)) => {
                let nameless = hello.role == Role::View && hello.name.is_empty();
                check_name(&hello.room)
                    .and_then(|()| if nameless { Ok(()) } else { check_name(&hello.name) })
                    .map_err(wrong)?;
                let key = StreamKey::new(&hello.room, &hello.name);
                let wish = match hello.role {
                    Role::Publish => Wish::Publish { key, replace: hello.replace, instance: hello.instance },
                    Role::View => Wish::Watch(key),
                };
                (wish, Some(hello), None)
            }
            Packet::Bare(data) => {
                let key = bare_key(self.address.ip(), self.shared);
                (Wish::Publish { key, replace: false, instance: 0 }, None, Some((Packet::Bare(data), began)))
            }
            _ => return Err(wrong("the first packet must be a hello or a bare JPEG")),
        };
        Ok(Guest { address: self.address, framing, wish, hello, first, early })
    }
}

fn wrong(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

/// Reads until `decode`, which says how many bytes it used, gives a packet; when it began, and what was read beyond it.
fn first_packet(
    patient: &mut Patient<'_>,
    mut bytes: Vec<u8>,
    mut decode: impl FnMut(&mut [u8]) -> io::Result<(usize, Option<Packet>)>,
) -> io::Result<(Packet, Micros, Vec<u8>)> {
    let mut piece = vec![0; 16 * 1024];
    let mut began = now();
    let mut came = 0;
    loop {
        if let (used, Some(packet)) = decode(&mut bytes)? {
            return Ok((packet, began, bytes.split_off(used)));
        }
        // A buffer that grows has twice the room that it needs at most.
        came += bytes.len();
        patient.hold(2 * came)?;
        let n = patient.read(&mut piece)?;
        if n == 0 {
            return Err(patient.ended());
        }
        if came == 0 {
            began = now();
        }
        bytes.clear();
        bytes.extend_from_slice(&piece[..n]);
    }
}

/// The name of a stream whose publisher told none: its address, and a number from the second on.
fn bare_key(ip: IpAddr, shared: &Shared) -> StreamKey {
    let base = ip.to_canonical().to_string().replace(':', "-");
    let numbered = (2..1000).map(|n| StreamKey::new("main", format!("{base}-{n}")));
    std::iter::once(StreamKey::new("main", &base))
        .chain(numbered)
        .find(|key| shared.is_free(key))
        .unwrap_or_else(|| StreamKey::new("main", base))
}

/// Says the last thing to one who goes no further. It may not listen; that is its loss.
fn say(mut socket: &TcpStream, words: &[u8]) {
    let _ = socket.write_all(words);
    let _ = socket.shutdown(Shutdown::Write);
    // Read on for a moment: closing over unread bytes would destroy what was just said.
    let _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
    let mut rest = [0; 4096];
    for _ in 0..packet::HEADER {
        if !matches!(socket.read(&mut rest), Ok(1..)) {
            break;
        }
    }
}
