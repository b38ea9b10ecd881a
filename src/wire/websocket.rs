//! Packets as WebSocket messages (RFC 6455): one binary message, one packet. Text messages pass as text.
//!
//! tungstenite does the handshake and knows frame headers; this puts messages together without owning a socket, so
//! that one loop can serve a thousand of them and lay a picture out once for all.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control as ControlCode, Data, OpCode};

use super::WireError;
use super::packet::{Assembler, Packet};

/// The longest frame header: 2 bytes, 8 of length, 4 of mask.
pub const MAX_FRAME_HEADER: usize = 14;
/// Control frames carry 125 bytes at most (RFC 6455, section 5.5).
const MAX_CONTROL_FRAME: usize = 125;
/// A continuation with fewer bytes is work for nothing, and a message has so many of them at most.
const SHORT_PART: usize = 1024;
const MOST_SHORT_PARTS: u32 = 4096;

/// Which end of the connection this is: clients mask what they send, servers do not (RFC 6455, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It connected.
    Client,
    /// It was connected to.
    Server,
}

/// What came.
#[derive(Debug)]
pub enum Message {
    /// A binary message that is a packet.
    Packet(Packet),
    /// A text message.
    Text(String),
    /// To be answered with [`pong`] of the same bytes.
    Ping(Vec<u8>),
    /// The answer to a ping.
    Pong,
    /// The other side closes, with its code; to be answered with [`close`].
    Close(Option<u16>),
}

/// Puts messages together from the bytes of a connection, fed at any split.
pub struct Reader {
    end: End,
    head: Vec<u8>,
    frame: Option<Frame>,
    /// The kind of the message that is being put together, over several frames perhaps.
    kind: Option<Data>,
    assembler: Assembler,
    /// Short continuations of the message under way.
    short_parts: u32,
    got: usize,
    text: Vec<u8>,
    max_text: usize,
    control: Vec<u8>,
}

struct Frame {
    header: FrameHeader,
    length: u64,
    read: u64,
}

impl Reader {
    /// For this end of a connection, pictures of `max_picture` bytes and text messages of `max_text` bytes at most.
    #[must_use]
    pub fn new(end: End, max_picture: usize, max_text: usize) -> Self {
        let mut assembler = Assembler::new(max_picture);
        if end == End::Server {
            assembler.to_hub();
        }
        Self {
            end,
            head: Vec::with_capacity(MAX_FRAME_HEADER),
            frame: None,
            kind: None,
            assembler,
            got: 0,
            short_parts: 0,
            text: Vec::new(),
            max_text,
            control: Vec::new(),
        }
    }

    /// Which end this is.
    #[must_use]
    pub fn end(&self) -> End {
        self.end
    }

    /// How much memory what is under way takes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.assembler.held() + self.text.capacity()
    }

    /// Whether no message is under way: a ping in the middle of one does not end it.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.kind.is_none() && self.frame.is_none() && self.head.is_empty()
    }

    /// Gives back what is kept for what is to come.
    pub fn rest(&mut self) {
        self.assembler.rest();
    }

    /// Changes the limit on pictures, as when a peer has been admitted.
    pub fn set_max_picture(&mut self, max_picture: usize) {
        self.assembler.set_max_picture(max_picture);
    }

    /// How many bytes the frame that is under way lacks.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.frame.as_ref().map_or(0, |frame| usize::try_from(frame.length - frame.read).unwrap_or(usize::MAX))
    }

    /// Reads from the front of `input`, which is unmasked in place, until a message is complete. Returns how many
    /// bytes it used; without a message it has used them all.
    ///
    /// # Errors
    /// A frame that breaks RFC 6455, a message over the limit, or a binary message that is no packet.
    pub fn decode(&mut self, input: &mut [u8]) -> Result<(usize, Option<Message>), WireError> {
        let mut used = 0;
        loop {
            let Some(frame) = &mut self.frame else {
                let Some(n) = self.read_header(&input[used..])? else { return Ok((input.len(), None)) };
                used += n;
                continue;
            };
            let n = (input.len() - used).min(usize::try_from(frame.length - frame.read).unwrap_or(usize::MAX));
            let piece = &mut input[used..used + n];
            if let Some(mask) = frame.header.mask {
                unmask(piece, mask, frame.read);
            }
            frame.read += n as u64;
            used += n;
            let done = frame.read == frame.length;
            let (last, opcode) = (frame.header.is_final, frame.header.opcode);
            match opcode {
                OpCode::Control(_) => self.control.extend_from_slice(piece),
                OpCode::Data(_) if self.kind == Some(Data::Text) => {
                    check(self.text.len() + n, self.max_text)?;
                    self.text.extend_from_slice(piece);
                }
                OpCode::Data(_) => {
                    self.got += n;
                    let left = usize::try_from(frame.length - frame.read).unwrap_or(usize::MAX);
                    self.assembler.push(piece, if last { left } else { usize::MAX })?;
                }
            }
            if !done {
                return Ok((used, None));
            }
            self.frame = None;
            let message = match opcode {
                OpCode::Control(code) => Some(self.control_message(code)),
                OpCode::Data(_) if last => Some(self.data_message()?),
                OpCode::Data(_) => None,
            };
            if message.is_some() {
                return Ok((used, message));
            }
        }
    }

    fn read_header(&mut self, input: &[u8]) -> Result<Option<usize>, WireError> {
        let before = self.head.len();
        let n = input.len().min(MAX_FRAME_HEADER - before);
        self.head.extend_from_slice(&input[..n]);
        let mut cursor = Cursor::new(&self.head);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| WireError::Malformed("a WebSocket frame header"))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        // What was read beyond the header belongs to the payload; a header that was incomplete before is longer
        // than what was kept of it.
        let used = usize::try_from(cursor.position()).unwrap_or(0).saturating_sub(before);
        self.head.clear();
        self.begin(header, length)?;
        Ok(Some(used))
    }

    fn begin(&mut self, header: FrameHeader, length: u64) -> Result<(), WireError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(WireError::Malformed("a WebSocket frame of an extension that was not agreed"));
        }
        if header.mask.is_some() != (self.end == End::Server) {
            return Err(WireError::Malformed("a WebSocket frame masked the wrong way"));
        }
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        match header.opcode {
            OpCode::Control(_) if !header.is_final || size > MAX_CONTROL_FRAME => {
                return Err(WireError::Malformed("a WebSocket control frame in parts or over 125 bytes"));
            }
            OpCode::Control(_) => self.control.clear(),
            OpCode::Data(Data::Continue) if self.kind.is_none() => {
                return Err(WireError::Malformed("a WebSocket continuation of nothing"));
            }
            OpCode::Data(Data::Continue) if size < SHORT_PART => {
                self.short_parts += 1;
                if self.short_parts > MOST_SHORT_PARTS {
                    return Err(WireError::Malformed("a WebSocket message in too many parts"));
                }
            }
            OpCode::Data(Data::Continue) => {}
            OpCode::Data(_) if self.kind.is_some() => {
                return Err(WireError::Malformed("a WebSocket message inside another"));
            }
            OpCode::Data(kind) => self.kind = Some(kind),
        }
        if matches!(header.opcode, OpCode::Data(_)) {
            match self.kind {
                Some(Data::Text) => check(self.text.len().saturating_add(size), self.max_text)?,
                _ => check(self.got.saturating_add(size), self.assembler.max_packet())?,
            }
        }
        self.frame = Some(Frame { header, length, read: 0 });
        Ok(())
    }

    fn data_message(&mut self) -> Result<Message, WireError> {
        (self.got, self.short_parts) = (0, 0);
        match self.kind.take() {
            Some(Data::Text) => String::from_utf8(std::mem::take(&mut self.text))
                .map(Message::Text)
                .map_err(|_| WireError::Malformed("a text message that is no UTF-8")),
            _ => self.assembler.finish().map(Message::Packet),
        }
    }

    fn control_message(&mut self, code: ControlCode) -> Message {
        match code {
            ControlCode::Ping => Message::Ping(self.control.clone()),
            ControlCode::Close => Message::Close(match self.control[..] {
                [a, b, ..] => Some(u16::from_be_bytes([a, b])),
                _ => None,
            }),
            ControlCode::Pong | ControlCode::Reserved(_) => Message::Pong,
        }
    }
}

fn check(length: usize, limit: usize) -> Result<(), WireError> {
    if length > limit { Err(WireError::TooLong { length: length as u64, limit }) } else { Ok(()) }
}

fn unmask(piece: &mut [u8], mask: [u8; 4], at: u64) {
    let turn = usize::try_from(at % 4).unwrap_or(0);
    let mut mask = mask;
    mask.rotate_left(turn);
    let word = u32::from_ne_bytes(mask);
    let mut chunks = piece.chunks_exact_mut(4);
    for chunk in &mut chunks {
        let masked = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]) ^ word;
        chunk.copy_from_slice(&masked.to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask) {
        *byte ^= key;
    }
}

fn frame(end: End, opcode: OpCode, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let mask = (end == End::Client).then(|| fastrand::u32(..).to_ne_bytes());
    let header = FrameHeader { opcode, mask, is_final: true, rsv1: false, rsv2: false, rsv3: false };
    let mut bytes = Vec::with_capacity(MAX_FRAME_HEADER + length);
    // Writing to a Vec cannot fail.
    let _ = header.format(length as u64, &mut bytes);
    let start = bytes.len();
    for part in parts {
        bytes.extend_from_slice(part);
    }
    if let Some(mask) = mask {
        unmask(&mut bytes[start..], mask, 0);
    }
    bytes
}

/// A binary message of these parts, one after the other.
#[must_use]
pub fn binary(end: End, parts: &[&[u8]]) -> Vec<u8> {
    frame(end, OpCode::Data(Data::Binary), parts)
}

/// A text message.
#[must_use]
pub fn text(end: End, text: &str) -> Vec<u8> {
    frame(end, OpCode::Data(Data::Text), &[text.as_bytes()])
}

/// A ping without content.
#[must_use]
pub fn ping(end: End) -> Vec<u8> {
    frame(end, OpCode::Control(ControlCode::Ping), &[])
}

/// The answer to a ping.
#[must_use]
pub fn pong(end: End, content: &[u8]) -> Vec<u8> {
    frame(end, OpCode::Control(ControlCode::Pong), &[content])
}

/// Closes, with a code of RFC 6455 section 7.4 and a reason that is cut to what fits.
#[must_use]
pub fn close(end: End, code: u16, reason: &str) -> Vec<u8> {
    let mut cut = reason.len().min(MAX_CONTROL_FRAME - 2);
    while !reason.is_char_boundary(cut) {
        cut -= 1;
    }
    frame(end, OpCode::Control(ControlCode::Close), &[&code.to_be_bytes(), &reason.as_bytes()[..cut]])
}

/// The header of a server's unmasked message of `length` bytes, and how many bytes of it count.
#[must_use]
pub fn server_header(length: usize, is_text: bool) -> ([u8; MAX_FRAME_HEADER], usize) {
    let opcode = OpCode::Data(if is_text { Data::Text } else { Data::Binary });
    let header = FrameHeader { opcode, mask: None, is_final: true, rsv1: false, rsv2: false, rsv3: false };
    let mut bytes = [0; MAX_FRAME_HEADER];
    let mut rest = &mut bytes[..];
    // Fourteen bytes hold every header.
    let _ = header.format(length as u64, &mut rest);
    let left = rest.len();
    (bytes, MAX_FRAME_HEADER - left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::control::Control;
    use crate::wire::packet::control_packet;

    fn feed(end: End, bytes: &[u8], cuts: &[usize]) -> Result<Vec<Message>, WireError> {
        let mut reader = Reader::new(end, 1 << 16, 1 << 12);
        let mut ends: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).chain([bytes.len()]).collect();
        ends.sort_unstable();
        let (mut at, mut messages) = (0, Vec::new());
        for stop in ends {
            let mut piece = bytes[at..stop].to_vec();
            let mut from = 0;
            while from < piece.len() {
                let (used, message) = reader.decode(&mut piece[from..])?;
                from += used;
                messages.extend(message);
            }
            at = stop;
        }
        Ok(messages)
    }

    #[test]
    fn a_message_in_parts_without_end_is_refused() {
        // Of a server, so unmasked: a first part, and empty ones.
        let parts = |count: u32| [&[0x02, 2, 0xFF, 0xD8][..], &[0, 0].repeat(count as usize), &[0x80, 0]].concat();
        let whole = feed(End::Client, &parts(MOST_SHORT_PARTS - 1), &[]).unwrap();
        assert!(matches!(whole[..], [Message::Packet(_)]), "{whole:?}");
        assert!(feed(End::Client, &parts(MOST_SHORT_PARTS), &[]).is_err());
        let twice = parts(MOST_SHORT_PARTS - 1).repeat(2);
        assert_eq!(feed(End::Client, &twice, &[]).unwrap().len(), 2, "each has its own");
    }

    proptest! {
        #[test]
        fn messages_survive_every_split_both_ways(
            cuts in prop::collection::vec(any::<usize>(), 0..30),
            length in 0usize..70_000, server: bool,
        ) {
            let (from, to) = if server { (End::Server, End::Client) } else { (End::Client, End::Server) };
            let jpeg = [&[0xff, 0xd8][..], &vec![7; length.min(60_000)]].concat();
            let ping_packet = control_packet(&Control::Ping { time: 5 });
            let bytes = [
                binary(from, &[&ping_packet]),
                ping(from),
                binary(from, &[&jpeg[..1], &jpeg[1..]]),
                text(from, "häuser"),
                close(from, 1000, "done"),
            ].concat();
            let messages = feed(to, &bytes, &cuts).unwrap();
            prop_assert_eq!(messages.len(), 5);
            let pinged = matches!(&messages[0], Message::Packet(Packet::Control(Control::Ping { time: 5 })));
            prop_assert!(pinged);
            prop_assert!(matches!(&messages[1], Message::Ping(content) if content.is_empty()));
            prop_assert!(matches!(&messages[2], Message::Packet(Packet::Bare(data)) if ***data == jpeg));
            prop_assert!(matches!(&messages[3], Message::Text(text) if text == "häuser"));
            prop_assert!(matches!(&messages[4], Message::Close(Some(1000))));
        }

        #[test]
        fn any_bytes_at_all_end_in_messages_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = feed(End::Server, &bytes, &[]);
            let _ = feed(End::Client, &bytes, &[1, 2, 3]);
        }
    }

    #[test]
    fn a_message_in_several_frames_with_a_ping_between_them_is_one_message() {
        let whole = binary(End::Server, &[b"\xff\xd8pic"]);
        let (first, second) = whole[2..].split_at(3);
        let bytes = [&[0x02, 3][..], first, &ping(End::Server), &[0x80, 2], second].concat();
        let messages = feed(End::Client, &bytes, &[]).unwrap();
        assert!(
            matches!(&messages[..], [Message::Ping(_), Message::Packet(Packet::Bare(d))] if ***d == *b"\xff\xd8pic")
        );
    }

    #[test]
    fn a_server_refuses_unmasked_and_oversized_frames() {
        assert!(feed(End::Server, &binary(End::Server, &[b"x"]), &[]).is_err());
        let huge = [&[0x82, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
        assert!(matches!(feed(End::Server, &huge, &[]), Err(WireError::TooLong { .. })));
        assert!(feed(End::Server, &text(End::Client, &"x".repeat(5000)), &[]).is_err());
    }

    #[test]
    fn the_header_for_a_picture_is_what_a_frame_begins_with() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let (bytes, n) = server_header(length, false);
            assert!(binary(End::Server, &[&vec![0; length]]).starts_with(&bytes[..n]));
        }
    }
}
