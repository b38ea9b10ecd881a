//! Recorded conversations, and what is said in one, cut into messages. Nothing here uses the library's readers: they are
//! what is tested. How the files are laid out: `scripts/record-conversations`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Hub,
}

impl Side {
    pub fn other(self) -> Self {
        if self == Self::Client { Self::Hub } else { Self::Client }
    }
}

/// One message, without its framing.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Head of an HTTP request or answer.
    Head(String),
    /// A packet: header and all.
    Packet(Vec<u8>),
    /// Text message of a WebSocket.
    Text(String),
    /// Control frame of a WebSocket: 8 close, 9 ping, 10 pong.
    Frame(u8, Vec<u8>),
    /// This side closed.
    Closed,
}

pub const HEADER: usize = 32;

impl Message {
    /// `picture`, the `type` of what is JSON, or what else it is.
    pub fn kind(&self) -> String {
        match self {
            Self::Head(_) => "head".into(),
            Self::Packet(packet) if packet.get(3) == Some(&1) => "picture".into(),
            Self::Packet(_) | Self::Text(_) => self.json()["type"].as_str().expect("a message has a type").into(),
            Self::Frame(opcode, _) => format!("frame {opcode}"),
            Self::Closed => "closed".into(),
        }
    }

    pub fn is(&self, kind: &str) -> bool {
        self.kind() == kind
    }

    /// What a control packet or a text says; null for all else.
    pub fn json(&self) -> Value {
        let text = match self {
            Self::Packet(packet) if packet.get(3) == Some(&2) => &packet[HEADER..],
            Self::Text(text) => text.as_bytes(),
            _ => return Value::Null,
        };
        serde_json::from_slice(text).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(text)))
    }

    /// The JPEG of a picture packet.
    pub fn jpeg(&self) -> &[u8] {
        match self {
            Self::Packet(packet) if packet[3] == 1 => &packet[HEADER + u32_at(packet, 28) as usize..],
            _ => panic!("no picture: {self:?}"),
        }
    }

    /// The number of a picture packet.
    pub fn sequence(&self) -> u32 {
        match self {
            Self::Packet(packet) if packet[3] == 1 => u32_at(packet, 16),
            _ => panic!("no picture: {self:?}"),
        }
    }
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Cuts one direction of a connection into messages, whichever protocol it is: the first bytes tell.
#[derive(Default)]
pub struct Cutter {
    bytes: Vec<u8>,
    websocket: bool,
}

impl Cutter {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, and its bytes as they came.
    pub fn next(&mut self) -> Option<(Message, Vec<u8>)> {
        let (message, used) = if self.websocket {
            self.frame()?
        } else if self.bytes.starts_with(b"GET /") || self.bytes.starts_with(b"HTTP/1.1 ") {
            let end = self.bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
            self.websocket = true;
            (Message::Head(String::from_utf8(self.bytes[..end].to_vec()).unwrap()), end)
        } else {
            let length = u64::from_le_bytes(self.bytes.get(..8)?.try_into().unwrap()) as usize;
            assert!((1..64 << 20).contains(&length), "no length of a packet: {length}");
            (Message::Packet(self.bytes.get(8..8 + length)?.to_vec()), 8 + length)
        };
        Some((message, self.bytes.drain(..used).collect()))
    }

    fn frame(&self) -> Option<(Message, usize)> {
        let (first, second) = (*self.bytes.first()?, *self.bytes.get(1)?);
        assert_eq!(first & 0xf0, 0x80, "a whole message in one frame, without an extension");
        let number =
            |at: usize, n: usize| Some(self.bytes.get(at..at + n)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)));
        let (length, mut at) = match second & 0x7f {
            126 => (number(2, 2)?, 4),
            127 => (number(2, 8)?, 10),
            short => (u64::from(short), 2),
        };
        let mut mask = [0; 4];
        if second & 0x80 != 0 {
            mask = self.bytes.get(at..at + 4)?.try_into().unwrap();
            at += 4;
        }
        let end = at + usize::try_from(length).unwrap();
        let data: Vec<u8> = self.bytes.get(at..end)?.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]).collect();
        let message = match first & 15 {
            1 => Message::Text(String::from_utf8(data).unwrap()),
            2 => Message::Packet(data),
            opcode => Message::Frame(opcode, data),
        };
        Some((message, end))
    }
}

/// What was said at one time.
#[derive(Debug)]
pub struct Entry {
    pub side: Side,
    pub message: Message,
    /// With its framing, as it was on the wire.
    pub bytes: Vec<u8>,
}

impl Entry {
    pub fn is(&self, side: Side, kind: &str) -> bool {
        self.side == side && self.message.is(kind)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/b311c80")
}

/// What each side said until the other spoke; nothing where it closed.
pub fn pieces(name: &str) -> Vec<(Side, Vec<u8>)> {
    let (file, mut pieces) = (fs::read(folder().join(format!("{name}.talk"))).unwrap(), Vec::new());
    let mut rest = &file[..];
    while let [side, head @ ..] = rest {
        let side = if *side == b'>' { Side::Client } else { Side::Hub };
        let (piece, after) = head[4..].split_at(u32_at(head, 0) as usize);
        pieces.push((side, piece.to_vec()));
        rest = after;
    }
    pieces
}

/// All that one side said.
pub fn said(name: &str, by: Side) -> Vec<u8> {
    pieces(name).into_iter().filter(|(side, _)| *side == by).flat_map(|(_, piece)| piece).collect()
}

/// A conversation in messages, in the order in which they were complete.
pub fn talk(name: &str) -> Vec<Entry> {
    let (mut client, mut hub) = (Cutter::default(), Cutter::default());
    let mut entries = Vec::new();
    for (side, piece) in pieces(name) {
        if piece.is_empty() {
            entries.push(Entry { side, message: Message::Closed, bytes: Vec::new() });
        }
        let cutter = if side == Side::Client { &mut client } else { &mut hub };
        cutter.feed(&piece);
        while let Some((message, bytes)) = cutter.next() {
            entries.push(Entry { side, message, bytes });
        }
    }
    entries
}

/// What every message of this kind by this side has in all recorded conversations of packets or texts, with an example of
/// each; nothing for a kind that was never said.
pub fn always_there(side: Side, kind: &str) -> Vec<(String, Value)> {
    let mut names: Vec<_> = fs::read_dir(folder()).unwrap().map(|f| f.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "talk"));
    let names = names.iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_string());
    // Those of HTTP have no messages.
    let names = names.filter(|name| !name.starts_with("http-") && name != "dashboard-worker");
    let messages = names.flat_map(|name| talk(&name)).filter(|entry| entry.is(side, kind));
    let mut all: Option<Vec<(String, Value)>> = None;
    for entry in messages {
        let Value::Object(fields) = entry.message.json() else { continue };
        match &mut all {
            None => all = Some(fields.into_iter().collect()),
            Some(all) => all.retain(|(name, _)| fields.contains_key(name)),
        }
    }
    all.unwrap_or_default()
}

/// The kinds of messages that one side said.
pub fn kinds<'a>(messages: impl IntoIterator<Item = &'a Message>) -> BTreeSet<String> {
    messages.into_iter().map(Message::kind).collect()
}
