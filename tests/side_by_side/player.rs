//! Plays one side of a recorded conversation to a program of today, and keeps what that says.
//!
//! What was recorded is said byte for byte and in its order, but for what answers the other side and would be wrong with
//! another one: an `ack` has the number of the picture that came, a `pong` is the answer to the ping that came, and the
//! answer to a WebSocket's upgrade has the other's key. Where the recording heard something first, the player waits for it:
//! for as many messages of that kind, or for a state or a demand that means the same, since of these only the newest comes
//! for certain.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::mem::discriminant;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use serde_json::Value;

use super::old;
use super::support::LONG;
use super::talk::{Cutter, Entry, HEADER, Message, Side, always_there, kinds, talk};

/// It was a text. The list of what was said (`GET /rooms/{room_id}/messages`), which there was not then, has numbers as the client that
/// exists for it compares them.
const MESSAGE_NUMBER: (&str, &str) = ("chat", "id");

/// What comes or not, as things happen to be.
const BY_CHANCE: [&str; 1] = ["link"];
/// What comes at least once, however often it came when it was recorded.
const ONCE: [&str; 2] = ["ping", "pong"];

pub struct Player {
    entries: Vec<Entry>,
    at: usize,
    ours: Side,
    socket: TcpStream,
    cutter: Cutter,
    websocket: bool,
    /// All that the other side said.
    pub heard: Vec<Message>,
    unacknowledged: VecDeque<u32>,
    /// The clock of the recorded program, which has passed all that it said, and when that was.
    clock: (u64, Instant),
}

impl Player {
    /// A recorded client, connected to a hub of today.
    #[track_caller]
    pub fn client(hub: SocketAddr, name: &str) -> Self {
        Self::new(name, Side::Client, TcpStream::connect(hub).unwrap())
    }

    /// A recorded hub, to which a program of today connects.
    #[track_caller]
    pub fn hub(listener: &TcpListener, name: &str) -> Self {
        Self::new(name, Side::Hub, listener.accept().unwrap().0)
    }

    fn new(name: &str, ours: Side, socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.set_write_timeout(Some(LONG)).unwrap();
        socket.set_nodelay(true).unwrap();
        let entries = talk(name);
        let times = entries.iter().filter(|entry| entry.side == ours).map(|entry| match &entry.message {
            Message::Packet(packet) if entry.message.is("picture") => {
                u64::from_le_bytes(packet[8..16].try_into().unwrap())
            }
            message if message.is("pong") => message.json()["now"].as_u64().unwrap_or(0),
            message => message.json()["time"].as_u64().unwrap_or(0),
        });
        let clock = (times.max().unwrap_or(0), Instant::now());
        let websocket = entries[0].message.is("head");
        let (cutter, heard, unacknowledged) = (Cutter::default(), Vec::new(), VecDeque::new());
        Self { entries, at: 0, ours, socket, cutter, websocket, heard, unacknowledged, clock }
    }

    /// What is played next.
    pub fn next(&self) -> Option<&Entry> {
        self.entries.get(self.at)
    }

    /// Plays up to what is so, and not that; whether there is such a thing.
    #[track_caller]
    pub fn play_to(&mut self, is: impl Fn(&Entry) -> bool) -> bool {
        while let Some(next) = self.next() {
            if is(next) {
                return true;
            }
            self.step();
        }
        false
    }

    /// Says what comes next, or waits for it.
    #[track_caller]
    pub fn step(&mut self) {
        self.at += 1;
        if self.entries[self.at - 1].side == self.ours { self.say() } else { self.wait() }
    }

    /// Plays to the end, and fails unless the other side said what the recorded one did.
    #[track_caller]
    pub fn finish(&mut self) {
        while self.next().is_some() {
            self.step();
        }
        let theirs = || self.entries.iter().filter(|entry| entry.side != self.ours).map(|entry| &entry.message);
        let said = kinds(&self.heard);
        let texts = |message: &&Message| matches!(message, Message::Text(_)) && message.is("ping");
        for kind in kinds(theirs().filter(|message| !texts(message))) {
            assert!(BY_CHANCE.contains(&&*kind) || said.contains(&kind), "no {kind} came, but {said:?}");
        }
        let cause = |message: &Message| message.json()["cause"].clone();
        if let Some(bye) = theirs().find(|message| message.is("bye")) {
            let byes: Vec<_> = self.heard.iter().filter(|message| message.is("bye")).map(cause).collect();
            assert_eq!(byes, [cause(bye)]);
        }
        let mut members = BTreeMap::new();
        for message in &self.heard {
            let (kind, json) = (message.kind(), message.json());
            for (name, example) in members.entry(kind.clone()).or_insert_with(|| always_there(self.ours.other(), &kind))
            {
                let value = json.get(&*name).unwrap_or_else(|| panic!("{kind} has no {name} any more: {json}"));
                if (&*kind, &**name) == MESSAGE_NUMBER {
                    assert!(value.is_u64(), "{value}");
                    continue;
                }
                assert_eq!(discriminant(value), discriminant(example), "{kind}: {name} was {example}, is {value}");
            }
        }
    }

    fn say(&mut self) {
        let Entry { message, bytes, .. } = &self.entries[self.at - 1];
        let bytes = match message {
            Message::Closed => {
                // Who has closed already needs not be told.
                let _ = self.socket.shutdown(Shutdown::Write);
                return;
            }
            Message::Frame(10, _) => return,
            Message::Packet(_) if message.is("pong") => return,
            Message::Packet(packet) if message.is("ack") => {
                let sequence = self.unacknowledged.pop_front().expect("a picture came before it is acknowledged");
                let json = std::str::from_utf8(&packet[HEADER..]).unwrap();
                let json = with_number(json, "sequence", sequence.into());
                self.framed(2, &[&packet[..HEADER], json.as_bytes()].concat())
            }
            Message::Head(head) if self.ours == Side::Hub => self.upgrade(head).into_bytes(),
            _ => bytes.clone(),
        };
        self.send(&bytes);
    }

    fn send(&mut self, bytes: &[u8]) {
        match self.socket.write_all(bytes) {
            // The last words to somebody who goes.
            Err(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            written => written.unwrap(),
        }
    }

    /// A message in the framing of this connection.
    fn framed(&self, opcode: u8, data: &[u8]) -> Vec<u8> {
        if !self.websocket {
            return [&(data.len() as u64).to_le_bytes(), data].concat();
        }
        let masked = if self.ours == Side::Client { 0x80 } else { 0 };
        let mut frame = match data.len() {
            short @ ..126 => vec![0x80 | opcode, masked | short as u8],
            long => [&[0x80 | opcode, masked | 126][..], &u16::try_from(long).unwrap().to_be_bytes()].concat(),
        };
        frame.extend_from_slice(if masked == 0 { &[] } else { &[0; 4] });
        [&frame[..], data].concat()
    }

    /// The recorded answer to an upgrade, for the key that came.
    fn upgrade(&self, head: &str) -> String {
        let Some(Message::Head(request)) = self.heard.first() else { panic!("no upgrade was asked for") };
        let key = field(request, "sec-websocket-key").expect("an upgrade has a key");
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        head.replace(field(head, "sec-websocket-accept").unwrap(), &accept)
    }

    #[track_caller]
    fn wait(&mut self) {
        let at = self.at - 1;
        let (kind, side) = (self.entries[at].message.kind(), self.entries[at].side);
        let is = |entry: &&Entry| entry.is(side, &kind);
        let text = matches!(self.entries[at].message, Message::Text(_));
        match kind.as_str() {
            kind if BY_CHANCE.contains(&kind) || kind.starts_with("frame ") && kind != "frame 8" => {}
            // A room asks every five seconds.
            "ping" if text => {}
            kind if ONCE.contains(&kind) => self.hear_until(kind, |heard| heard.iter().any(|m| m.is(kind))),
            kind @ ("state" | "demand") => {
                let same_turn = self.entries[at + 1..].iter().take_while(|entry| entry.side == side);
                if same_turn.clone().any(|entry| is(&entry)) {
                    return; // it is out of date
                }
                let wanted = meaning(&self.entries[at].message);
                self.hear_until(kind, |heard| {
                    heard.iter().rev().find(|m| m.is(kind)).is_some_and(|m| meaning(m) == wanted)
                });
            }
            kind => {
                let count = self.entries[..=at].iter().filter(is).count();
                self.hear_until(kind, |heard| heard.iter().filter(|m| m.is(kind)).count() >= count);
            }
        }
    }

    #[track_caller]
    fn hear_until(&mut self, what: &str, is: impl Fn(&[Message]) -> bool) {
        let deadline = Instant::now() + LONG;
        while !is(&self.heard) {
            assert!(Instant::now() < deadline, "no {what} came, but {:?}", kinds(&self.heard));
            assert_ne!(self.heard.last(), Some(&Message::Closed), "closed before {what}: {:?}", kinds(&self.heard));
            self.hear(what);
        }
    }

    #[track_caller]
    fn hear(&mut self, what: &str) {
        let mut piece = [0; 64 << 10];
        match self.socket.read(&mut piece) {
            Ok(0) => self.heard.push(Message::Closed),
            Ok(n) => self.cutter.feed(&piece[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => self.heard.push(Message::Closed),
            Err(e) => panic!("no {what} came, but {:?}: {e}", kinds(&self.heard)),
        }
        while let Some((message, _)) = self.cutter.next() {
            old::would_read(&message);
            match &message {
                Message::Packet(_) if message.is("ping") => {
                    let now = self.clock.0 + u64::try_from(self.clock.1.elapsed().as_micros()).unwrap();
                    let pong = format!(r#"{{"type":"pong","time":{},"now":{now}}}"#, message.json()["time"]);
                    let packet = [&b"SF\x01\x02"[..], &[0; HEADER - 4], pong.as_bytes()].concat();
                    self.send(&self.framed(2, &packet));
                }
                Message::Packet(_) if message.is("picture") => self.unacknowledged.push_back(message.sequence()),
                Message::Frame(9, data) => self.send(&self.framed(10, data)),
                _ => {}
            }
            self.heard.push(message);
        }
    }

    /// The pictures that came.
    pub fn pictures(&self) -> Vec<&Message> {
        self.heard.iter().filter(|message| message.is("picture")).collect()
    }
}

/// What a state or a demand comes to.
fn meaning(message: &Message) -> Value {
    let json = message.json();
    match json["rungs"].as_array() {
        Some(rungs) => rungs.is_empty().into(),
        None => vec![json["live"].clone(), json["published"].clone()].into(),
    }
}

/// The value of a field of an HTTP head.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// JSON with another number, and all else as it was.
fn with_number(json: &str, name: &str, number: u64) -> String {
    let (before, rest) = json.split_once(&format!("\"{name}\":")).unwrap();
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}\"{name}\":{number}{after}")
}
