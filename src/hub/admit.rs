//! Admission: one thread accepts, and each newcomer is heard on a short-lived thread of its own, with a deadline and a
//! limit on everything it may say. That is where slow, wrong and hostile peers end.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

use super::Shared;
use super::deliver::{Command, Newcomer, Wish};
use super::http::{Exchange, Patient, Served};
use super::placeholder::StandIn;
use crate::error::{Error, Result};
use crate::net::connection::Framing;
use crate::net::http;
use crate::net::sockopt;
use crate::room::StreamKey;
use crate::wire::control::{Cause, Control, Hello, Role, check_name};
use crate::wire::framing::{self, Deframer};
use crate::wire::packet::{self, Packet, control_packet};
use crate::wire::websocket::{self, End, Message};

const MAIN: Token = Token(0);
const PLAIN: Token = Token(1);
const STOP: Token = Token(2);
/// Text messages are not part of the native protocol over WebSocket, so they are kept short.
const MAX_TEXT: usize = 4096;
/// How long admission waits for those who gave way to be gone.
const MAKE_ROOM: Duration = Duration::from_secs(1);
/// A flood of connections writes this many lines a second at most.
const MAX_LINES: u32 = 5;

/// The listening sockets and their thread. Dropping it closes them.
pub(super) struct Admission {
    pub(super) address: SocketAddr,
    pub(super) plain_address: Option<SocketAddr>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    door: Arc<Door>,
}

impl Admission {
    pub(super) fn start(shared: Arc<Shared>) -> Result<Self> {
        let poll = Poll::new().map_err(|e| Error::io("cannot make a poll", e))?;
        let waker = Waker::new(poll.registry(), STOP).map_err(|e| Error::io("cannot make a waker", e))?;
        let listen = |address, token| -> Result<(TcpListener, SocketAddr)> {
            let bound = TcpListener::bind(address).and_then(|mut listener| {
                poll.registry().register(&mut listener, token, Interest::READABLE)?;
                let address = listener.local_addr()?;
                Ok((listener, address))
            });
            bound.map_err(|e| Error::io(format!("cannot listen on {address}"), e))
        };
        let (main, address) = listen(shared.config.listen, MAIN)?;
        let plain = shared.config.plain.map(|address| listen(address, PLAIN)).transpose()?;
        let plain_address = plain.as_ref().map(|(_, address)| *address);
        let door = Arc::new(Door { shared, pending: Mutex::default(), left: Condvar::new() });
        let here = door.clone();
        let thread = std::thread::Builder::new()
            .name("admit".into())
            .spawn(move || accept(poll, &main, plain.as_ref().map(|(listener, _)| listener), &here))
            .map_err(|e| Error::io("cannot start a thread", e))?;
        Ok(Self { address, plain_address, waker, thread: Some(thread), door })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // It fails only when the poll is gone, and then nobody waits for it.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // Whoever is still being heard is sent away, so that no thread outlives the hub.
        let mut pending = self.door.pending();
        for (_, socket) in &pending.waiting {
            let _ = socket.shutdown(Shutdown::Both);
        }
        while pending.threads > 0 {
            pending = self.door.left.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Who stands at the door, and how many are inside from where.
struct Door {
    shared: Arc<Shared>,
    pending: Mutex<Pending>,
    /// A greeting thread has ended.
    left: Condvar,
}

#[derive(Default)]
struct Pending {
    /// Sockets of those who have not said yet what they want, oldest first.
    waiting: VecDeque<(u64, TcpStream)>,
    serial: u64,
    threads: usize,
    inside: HashMap<IpAddr, usize>,
}

impl Pending {
    /// Makes one of those who wait the newest.
    fn refresh(&mut self, serial: u64) {
        if let Some(at) = self.waiting.iter().position(|(s, _)| *s == serial)
            && let Some(one) = self.waiting.remove(at)
        {
            self.waiting.push_back(one);
        }
    }

    /// Takes a place for one more connection of an address; false: it has all it may have.
    fn enter(&mut self, ip: IpAddr, most: usize) -> bool {
        let inside = self.inside.entry(ip).or_default();
        if *inside >= most && !ip.is_loopback() {
            return false;
        }
        *inside += 1;
        true
    }

    fn leave(&mut self, ip: IpAddr) {
        if let Some(count) = self.inside.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.inside.remove(&ip);
            }
        }
    }
}

impl Door {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among those of its address.
struct Place {
    door: Arc<Door>,
    ip: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.pending().leave(self.ip);
    }
}

/// Lets a few lines a second through, and counts the rest.
#[derive(Default)]
struct LineLimit {
    second: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl LineLimit {
    fn warn(&mut self, line: &str) {
        let now = Instant::now();
        if self.second.is_none_or(|s| now.duration_since(s) >= Duration::from_secs(1)) {
            if self.left_out > 0 {
                log::warn!("({} more lines like the last ones)", self.left_out);
            }
            *self = Self { second: Some(now), lines: 0, left_out: 0 };
        }
        self.lines += 1;
        if self.lines <= MAX_LINES {
            log::warn!("{line}");
        } else {
            self.left_out += 1;
        }
    }
}

fn accept(mut poll: Poll, main: &TcpListener, plain: Option<&TcpListener>, door: &Arc<Door>) {
    let mut events = Events::with_capacity(16);
    let mut limit = LineLimit::default();
    loop {
        if let Err(error) = poll.poll(&mut events, None) {
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            log::error!("admission: {error}");
            return;
        }
        for event in &events {
            match event.token() {
                MAIN => accept_all(main, false, door, &mut limit),
                PLAIN => {
                    if let Some(plain) = plain {
                        accept_all(plain, true, door, &mut limit);
                    }
                }
                _ => return,
            }
        }
    }
}

fn accept_all(listener: &TcpListener, plain: bool, door: &Arc<Door>, limit: &mut LineLimit) {
    // In a flood the loop must still see that the hub stops.
    while !door.shared.stopping.load(std::sync::atomic::Ordering::Acquire) {
        match listener.accept() {
            Ok((socket, address)) => {
                if let Err(why) = welcome(socket, address, plain, door) {
                    limit.warn(&format!("{address}: {why}"));
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(e) => {
                // Out of file descriptors, most likely: whoever is inside goes on, and whoever knocks waits.
                limit.warn(&format!("cannot accept: {e}"));
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn welcome(
    socket: mio::net::TcpStream,
    address: SocketAddr,
    plain: bool,
    door: &Arc<Door>,
) -> std::result::Result<(), String> {
    let config = &door.shared.config;
    let ip = address.ip();
    if !door.pending().enter(ip, config.max_per_address) {
        return Err(format!("refused: {} connections from this address already", config.max_per_address));
    }
    let place = Place { door: door.clone(), ip };
    sockopt::prepare(&socket).map_err(|e| e.to_string())?;
    if plain {
        let key = config.plain_stream.clone().unwrap_or_else(|| StreamKey::new("main", ""));
        let guest = Guest { address, wish: Wish::Watch(key), hello: None, first: None, framing: Framing::Plain };
        hand_over(door, socket, guest, Vec::new(), Box::new(place));
        return Ok(());
    }
    let socket = std::net::TcpStream::from(socket);
    let handle = socket.try_clone().map_err(|e| e.to_string())?;
    let serial = {
        let mut pending = door.pending();
        while pending.waiting.len() >= config.max_pending.max(1) {
            // The newest wins here, too: a thousand who say nothing cannot keep out one who does.
            if let Some((_, oldest)) = pending.waiting.pop_front() {
                let _ = oldest.shutdown(Shutdown::Both);
            }
        }
        // Whoever gave way is gone as soon as its thread has run once more. In a flood that takes a moment, in which the
        // newcomer waits in the kernel's queue rather than being sent away for the others' silence.
        let most = 4 * config.max_pending.max(1);
        let waited = door.left.wait_timeout_while(pending, MAKE_ROOM, |p| p.threads >= most);
        pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        if pending.threads >= most {
            return Err("refused: too many connections at once".into());
        }
        pending.serial += 1;
        pending.threads += 1;
        let serial = pending.serial;
        pending.waiting.push_back((serial, handle));
        serial
    };
    let here = door.clone();
    let started = std::thread::Builder::new().name("greet".into()).stack_size(256 * 1024).spawn(move || {
        // Counts the thread out when everything is done, whatever that is.
        let _out = ThreadOut(here.clone());
        let heard = hear(&socket, address, &here, serial);
        here.pending().waiting.retain(|(s, _)| *s != serial);
        match heard {
            Ok(Some((guest, early))) => match socket.set_nonblocking(true) {
                Ok(()) => {
                    let socket = mio::net::TcpStream::from_std(socket);
                    hand_over(&here, socket, guest, early, Box::new(place));
                }
                Err(error) => log::debug!("{address}: {error}"),
            },
            Ok(None) => {}
            Err(error) => {
                here.shared.totals.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                log::debug!("{address}: not admitted: {error}");
            }
        }
    });
    started.map(drop).map_err(|e| {
        let mut pending = door.pending();
        pending.waiting.retain(|(s, _)| *s != serial);
        pending.threads -= 1;
        e.to_string()
    })
}

struct ThreadOut(Arc<Door>);

impl Drop for ThreadOut {
    fn drop(&mut self) {
        self.0.pending().threads -= 1;
        self.0.left.notify_all();
    }
}

/// Someone who has said what they want.
struct Guest {
    address: SocketAddr,
    framing: Framing,
    wish: Wish,
    hello: Option<Hello>,
    first: Option<Packet>,
}

fn hand_over(door: &Door, socket: mio::net::TcpStream, guest: Guest, early: Vec<u8>, place: Box<dyn Send>) {
    let shared = &door.shared;
    let id = shared.new_id();
    let Guest { address, framing, wish, hello, first } = guest;
    let stand_in = matches!(framing, Framing::Multipart(_)).then(|| StandIn::new(shared.placeholders.clone()));
    let newcomer = Newcomer { id, address, socket, framing, wish, hello, first, early, stand_in, place };
    shared.loop_of(id).command(Command::Adopt(Box::new(newcomer)));
}

type Heard = io::Result<Option<(Guest, Vec<u8>)>>;

/// Hears what a newcomer wants. `None`: it has got its answer and is done.
fn hear(socket: &TcpStream, address: SocketAddr, door: &Door, serial: u64) -> Heard {
    let config = &door.shared.config;
    socket.set_nonblocking(false)?;
    socket.set_write_timeout(Some(config.handshake))?;
    let mut patient = Patient::new(socket, config.handshake);
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
        _ if http::looks_like_http(&bytes) => hear_http(patient, bytes, address, door, serial),
        _ => hear_native(patient, bytes, address, door),
    }
}

fn hear_native(mut patient: Patient<'_>, mut bytes: Vec<u8>, address: SocketAddr, door: &Door) -> Heard {
    let mut deframer = Deframer::new(door.shared.config.max_picture);
    let mut piece = vec![0; 16 * 1024];
    loop {
        let (used, packet) = match deframer.decode(&bytes) {
            Ok(decoded) => decoded,
            Err(error) => {
                let bye = Control::Bye { cause: Cause::Protocol, reason: error.to_string() };
                say(patient.socket, &bye);
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        };
        if let Some(packet) = packet {
            let early = bytes.split_off(used);
            let framing = Framing::Native(Box::new(deframer));
            let guest = guest(packet, framing, address, door).inspect_err(|e| {
                say(patient.socket, &Control::Bye { cause: Cause::Refused, reason: e.to_string() });
            })?;
            return Ok(Some((guest, early)));
        }
        let n = patient.read(&mut piece)?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.clear();
        bytes.extend_from_slice(&piece[..n]);
    }
}

fn hear_http(mut patient: Patient<'_>, mut bytes: Vec<u8>, address: SocketAddr, door: &Door, serial: u64) -> Heard {
    loop {
        let exchange = match Exchange::read(patient, bytes, &door.shared) {
            Ok(Some(exchange)) => exchange,
            Ok(None) => return Ok(None),
            Err(error) => return Err(error),
        };
        match super::http::serve(exchange)? {
            Served::Over => return Ok(None),
            Served::Again(again, rest) => {
                (patient, bytes) = (again, rest);
                patient.extend(door.shared.config.handshake);
                // Whoever has just been served is not the oldest any more.
                door.pending().refresh(serial);
            }
            Served::Guest(guest) => {
                let super::http::Guest { framing, wish, hello, early } = *guest;
                return Ok(Some((Guest { address, framing, wish, hello, first: None }, early)));
            }
            Served::Native(patient, early) => return hear_websocket(patient, early, address, door),
        }
    }
}

/// The native protocol over a WebSocket that is open.
fn hear_websocket(mut patient: Patient<'_>, mut bytes: Vec<u8>, address: SocketAddr, door: &Door) -> Heard {
    let mut socket = patient.socket;
    let mut reader = websocket::Reader::new(End::Server, door.shared.config.max_picture, MAX_TEXT);
    let mut piece = vec![0; 16 * 1024];
    loop {
        let decoded = reader.decode(&mut bytes).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
        if let (used, Some(message)) = decoded {
            let early = bytes.split_off(used);
            let Message::Packet(packet) = message else {
                return Err(io::Error::new(ErrorKind::InvalidData, "no hello over the WebSocket"));
            };
            let framing = Framing::WebSocket(Box::new(reader), End::Server);
            let guest = guest(packet, framing, address, door).inspect_err(|e| {
                let bye = Control::Bye { cause: Cause::Refused, reason: e.to_string() };
                let message = websocket::binary(End::Server, &[&control_packet(&bye)]);
                let _ = socket.write_all(&[message, websocket::close(End::Server, 1008, &e.to_string())].concat());
            })?;
            return Ok(Some((guest, early)));
        }
        let n = patient.read(&mut piece)?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.clear();
        bytes.extend_from_slice(&piece[..n]);
    }
}

/// Who this is, from its first packet.
fn guest(packet: Packet, framing: Framing, address: SocketAddr, door: &Door) -> io::Result<Guest> {
    let wrong = |why: String| Err(io::Error::new(ErrorKind::InvalidData, why));
    match packet {
        Packet::Control(Control::Hello(hello)) => {
            let nameless = hello.role == Role::View && hello.name.is_empty();
            let checked =
                check_name(&hello.room).and_then(|()| if nameless { Ok(()) } else { check_name(&hello.name) });
            if let Err(why) = checked {
                return wrong(why);
            }
            let key = StreamKey::new(&hello.room, &hello.name);
            let wish = match hello.role {
                Role::Publish => Wish::Publish { key, replace: hello.replace, instance: hello.instance },
                Role::View => Wish::Watch(key),
            };
            Ok(Guest { address, framing, wish, hello: Some(hello), first: None })
        }
        Packet::Bare(data) => {
            let key = bare_key(address.ip(), door);
            let wish = Wish::Publish { key, replace: false, instance: 0 };
            Ok(Guest { address, framing, wish, hello: None, first: Some(Packet::Bare(data)) })
        }
        Packet::Control(_) | Packet::Picture(_) | Packet::Text(_) => {
            wrong("the first packet must be a hello or a bare JPEG".into())
        }
    }
}

/// The name of a stream whose publisher told none: its address, and a number from the second on.
fn bare_key(ip: IpAddr, door: &Door) -> StreamKey {
    let base = ip.to_canonical().to_string().replace(':', "-");
    let numbered = (2..1000).map(|n| StreamKey::new("main", format!("{base}-{n}")));
    std::iter::once(StreamKey::new("main", &base))
        .chain(numbered)
        .find(|key| door.shared.is_free(key))
        .unwrap_or_else(|| StreamKey::new("main", base))
}

/// Says one thing to a native peer that goes no further. It may not listen; that is its loss.
fn say(mut socket: &TcpStream, control: &Control) {
    let packet = control_packet(control);
    let _ = socket.write_all(&[&framing::prefix(packet.len())[..], &packet].concat());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let mut pending = Pending::default();
        let (near, far): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert!(pending.enter(near, 2) && pending.enter(near, 2));
        assert!(!pending.enter(near, 2), "one too many");
        assert!(pending.enter(far, 2), "another address has its own");
        pending.leave(near);
        assert!(pending.enter(near, 2));
        for _ in 0..100 {
            assert!(pending.enter([127, 0, 0, 1].into(), 2), "this machine is not limited");
        }
        for _ in 0..2 {
            pending.leave(near);
        }
        pending.leave(far);
        for _ in 0..100 {
            pending.leave([127, 0, 0, 1].into());
        }
        assert!(pending.inside.is_empty(), "nothing is kept about who has left");
    }
}
