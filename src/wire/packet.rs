//! Packets: a fixed header of 32 bytes, optional JSON metadata, and the payload.
//!
//! ```text
//!  0  magic "SF"      2  version      3  kind     4  codec    5  flags    6  quality  7  rung
//!                                                        (of sound: level)
//!  8  capture time, u64, microseconds in the sender's clock
//! 16  sequence, u32                  20  capture span, u16   22  encode span, u16
//! 24  uplink span, u16               26  hub span, u16       28  metadata length, u32
//! ```
//! All numbers are little-endian. Spans count units of 16 µs and stop at 65535 (1.05 s or more).

use std::sync::Arc;
use std::time::Duration;

use super::WireError;
use super::control::{Control, MAX_CONTROL, MAX_CONTROL_TO_HUB};
use memchr::memmem;

use crate::buffer::{Buffer, Pool, append};
use crate::frame::{AudioCodec, AudioPacket, Codec, Picture, SILENCE, Spans};
use crate::time::{Micros, PeerMicros, micros};

/// The version of the protocol that this program speaks.
pub const VERSION: u8 = 1;
/// The length of the header, in bytes.
pub const HEADER: usize = 32;
/// The longest metadata of a picture, in bytes.
pub const MAX_METADATA: usize = 64 * 1024;
/// The longest picture a hub takes unless it is told otherwise: 8 MiB, a 4K picture of the best quality.
pub const MAX_PICTURE: usize = 8 << 20;
/// The longest payload of a packet of sound, in bytes: twice that of 20 ms of PCM.
pub const MAX_AUDIO: usize = 4096;
/// Bytes of memory that are kept for the pictures to come, at most, beside that of the next one: several usual ones.
const IDLE: usize = 1 << 20;

const MAGIC: [u8; 2] = *b"SF";
const KIND_PICTURE: u8 = 1;
const KIND_CONTROL: u8 = 2;
const KIND_AUDIO: u8 = 3;
const FLAG_ESTIMATED: u8 = 1;
const FLAG_ARRIVAL: u8 = 2;
const FLAG_VOICE: u8 = 4;
const SPAN_UNIT: u64 = 16;
/// A span that says so is that long or longer.
pub const LONGEST_SPAN: Duration = Duration::from_micros(SPAN_UNIT * u16::MAX as u64);
const SOI: [u8; 2] = [0xff, 0xd8];
/// A start of image and the marker behind it: with these within the length of a header, rubbish stands before a JPEG.
const BEGINNING: [u8; 3] = [0xff, 0xd8, 0xff];

/// One packet, read.
#[derive(Debug)]
pub enum Packet {
    /// A picture with all its header told, and when it was captured in the clock of whoever sent it. The picture itself has no
    /// time of capture until a session has translated that.
    Picture(Picture, PeerMicros),
    /// A packet of sound, and when it was captured in the clock of whoever sent it, as with pictures.
    Audio(AudioPacket, PeerMicros),
    /// A JPEG without header: no number, no time, no quality. Only its bytes are set.
    Bare(Buffer),
    /// A control message.
    Control(Control),
    /// A text message of a WebSocket that does not speak the native protocol.
    Text(String),
    /// A picture of this number, of a codec that this version does not know. Its payload is left out.
    UnknownCodec {
        /// The codec.
        codec: u8,
        /// The picture's number.
        sequence: u32,
    },
    /// A packet of a kind that this version does not know. Its payload is left out.
    UnknownKind(u8),
}

/// The header of a picture, with the time it spent in the hub if it comes from one.
#[must_use]
pub fn picture_header(picture: &Picture, hub: Duration) -> [u8; HEADER] {
    let metadata = picture.metadata.as_ref().map_or(0, |text| text.len());
    let flags = time_flags(picture.estimated, picture.arrival);
    let mut head = header([KIND_PICTURE, picture.codec.number(), flags, picture.quality, picture.rung]);
    put_times(&mut head, picture.captured, picture.sequence, Spans { hub, ..picture.spans });
    head[28..].copy_from_slice(&u32::try_from(metadata).unwrap_or(0).to_le_bytes());
    head
}

/// A whole packet of sound, with the time it spent in the hub if it comes from one.
#[must_use]
pub fn audio_packet(audio: &AudioPacket, hub: Duration) -> Vec<u8> {
    let flags = time_flags(audio.estimated, audio.arrival) | if audio.voice { FLAG_VOICE } else { 0 };
    let mut head = header([KIND_AUDIO, audio.codec.number(), flags, audio.level.min(SILENCE), 0]);
    put_times(&mut head, audio.captured, audio.sequence, Spans { hub, ..audio.spans });
    [&head[..], &audio.data].concat()
}

/// A header that begins so: kind, codec, flags, and what bytes 6 and 7 say.
fn header(begins: [u8; 5]) -> [u8; HEADER] {
    let mut head = [0; HEADER];
    head[..2].copy_from_slice(&MAGIC);
    head[2] = VERSION;
    head[3..8].copy_from_slice(&begins);
    head
}

fn time_flags(estimated: bool, arrival: bool) -> u8 {
    // Who does not know of the second flag has at least the first.
    match (estimated, arrival) {
        (_, true) => FLAG_ESTIMATED | FLAG_ARRIVAL,
        (true, false) => FLAG_ESTIMATED,
        (false, false) => 0,
    }
}

fn put_times(head: &mut [u8; HEADER], captured: Micros, sequence: u32, spans: Spans) {
    head[8..16].copy_from_slice(&captured.0.to_le_bytes());
    head[16..20].copy_from_slice(&sequence.to_le_bytes());
    for (i, span) in [spans.capture, spans.encode, spans.uplink, spans.hub].into_iter().enumerate() {
        let units = u16::try_from(micros(span) / SPAN_UNIT).unwrap_or(u16::MAX);
        head[20 + 2 * i..22 + 2 * i].copy_from_slice(&units.to_le_bytes());
    }
}

/// A whole control packet.
#[must_use]
pub fn control_packet(control: &Control) -> Vec<u8> {
    let json = control.to_json();
    let mut packet = vec![0; HEADER];
    packet[..2].copy_from_slice(&MAGIC);
    packet[2] = VERSION;
    packet[3] = KIND_CONTROL;
    packet.extend_from_slice(&json);
    packet
}

/// Puts one packet together from the pieces in which it arrives, copying every byte once, into place.
pub struct Assembler {
    head: [u8; HEADER],
    have: usize,
    bare: bool,
    metadata: Vec<u8>,
    metadata_len: usize,
    data: Buffer,
    /// A later version knows what it is: it is counted here, and not kept.
    skipped: Option<usize>,
    pool: Pool,
    /// Buffers of the pool may have come back.
    lent: bool,
    max_picture: usize,
    max_control: usize,
}

impl Assembler {
    /// For packets whose pictures have `max_picture` bytes at most.
    #[must_use]
    pub fn new(max_picture: usize) -> Self {
        let pool = Pool::of(IDLE);
        let data = pool.take();
        Self {
            head: [0; HEADER],
            have: 0,
            bare: false,
            metadata: Vec::new(),
            metadata_len: 0,
            data,
            skipped: None,
            pool,
            lent: false,
            max_picture,
            max_control: MAX_CONTROL,
        }
    }

    /// Takes what a hub does: control packets of [`MAX_CONTROL_TO_HUB`] bytes at most.
    pub fn to_hub(&mut self) {
        self.max_control = MAX_CONTROL_TO_HUB;
    }

    /// The longest packet that can be right.
    #[must_use]
    pub fn max_packet(&self) -> usize {
        HEADER + (self.max_picture + MAX_METADATA).max(self.max_control)
    }

    /// How much memory it takes: for the packet that is under way, and for those to come.
    #[must_use]
    pub fn held(&self) -> usize {
        let idle = if self.lent { self.pool.held() } else { 0 };
        self.data.capacity() + self.metadata.capacity() + idle
    }

    /// Gives back what is kept for the packets to come. Only between two packets.
    pub fn rest(&mut self) {
        if self.have == 0 {
            self.pool = Pool::of(IDLE);
            self.lent = false;
            self.data = self.pool.take();
            self.metadata = Vec::new();
        }
    }

    /// Changes the limit on pictures, as when a peer has been admitted; 0 for one that may send none.
    pub fn set_max_picture(&mut self, max_picture: usize) {
        self.max_picture = max_picture;
    }

    /// Takes the next piece. So many bytes of the packet are to come after it; `usize::MAX` where nobody knows.
    ///
    /// # Errors
    /// The packet cannot become a right one.
    pub fn push(&mut self, mut piece: &[u8], lacks: usize) -> Result<(), WireError> {
        if !self.bare && self.have < HEADER {
            let n = piece.len().min(HEADER - self.have);
            self.head[self.have..self.have + n].copy_from_slice(&piece[..n]);
            self.have += n;
            piece = &piece[n..];
            let is_bare = self.have >= 2 && self.head[..2] == SOI
                || self.have == HEADER && self.head[..2] != MAGIC && memmem::find(&self.head, &BEGINNING).is_some();
            if is_bare {
                self.bare = true;
                self.data.extend_from_slice(&self.head[..self.have]);
            } else if self.have == HEADER {
                self.check_head()?;
            }
        }
        if self.metadata.len() < self.metadata_len {
            let n = piece.len().min(self.metadata_len - self.metadata.len());
            self.metadata.extend_from_slice(&piece[..n]);
            piece = &piece[n..];
        }
        if piece.is_empty() {
            return Ok(());
        }
        if let Some(skipped) = &mut self.skipped {
            *skipped += piece.len();
            let limit = self.max_picture + MAX_METADATA;
            let is_right = *skipped <= limit;
            return if is_right { Ok(()) } else { Err(WireError::TooLong { length: *skipped as u64, limit }) };
        }
        let limit = match self.head[3] {
            KIND_CONTROL if !self.bare => self.max_control,
            KIND_AUDIO if !self.bare => MAX_AUDIO.min(self.max_picture),
            _ => self.max_picture,
        };
        let length = self.data.len() + piece.len();
        if limit == 0 {
            return Err(WireError::Malformed("a picture or sound from a viewer"));
        }
        if length > limit {
            return Err(WireError::TooLong { length: length as u64, limit });
        }
        append(&mut self.data, piece, lacks);
        Ok(())
    }

    /// The packet is complete.
    ///
    /// # Errors
    /// What came is no packet.
    pub fn finish(&mut self) -> Result<Packet, WireError> {
        let packet = self.read();
        (self.have, self.bare, self.metadata_len, self.skipped) = (0, false, 0, None);
        self.metadata.clear();
        match packet? {
            Read::Bare => Ok(Packet::Bare(self.lend())),
            Read::Picture(mut picture, captured) => {
                picture.data = self.lend();
                Ok(Packet::Picture(picture, captured))
            }
            Read::Other(packet) => {
                self.data.clear();
                Ok(packet)
            }
        }
    }

    fn lend(&mut self) -> Buffer {
        self.lent = true;
        std::mem::replace(&mut self.data, self.pool.take())
    }

    fn check_head(&mut self) -> Result<(), WireError> {
        let head = &self.head;
        if head[..2] != MAGIC {
            return Err(WireError::Malformed("a packet begins neither with SF nor with a JPEG"));
        }
        if head[2] != VERSION {
            return Err(WireError::Version(head[2]));
        }
        let metadata = u32_at(head, 28) as usize;
        match head[3] {
            KIND_PICTURE if Codec::of_number(head[4]).is_some() => {
                if metadata > MAX_METADATA {
                    return Err(WireError::TooLong { length: metadata as u64, limit: MAX_METADATA });
                }
                self.metadata_len = metadata;
            }
            KIND_CONTROL if metadata > 0 => return Err(WireError::Malformed("a control packet with metadata")),
            KIND_CONTROL => {}
            KIND_AUDIO if AudioCodec::of_number(head[4]).is_some() => {
                if metadata > 0 {
                    return Err(WireError::Malformed("a packet of sound with metadata"));
                }
            }
            _ => self.skipped = Some(0),
        }
        Ok(())
    }

    fn read(&self) -> Result<Read, WireError> {
        if self.bare {
            return Ok(Read::Bare);
        }
        if self.have < HEADER || self.metadata.len() < self.metadata_len {
            return Err(WireError::Malformed("a packet shorter than its header says"));
        }
        if self.skipped.is_some() {
            let (kind, codec, sequence) = (self.head[3], self.head[4], u32_at(&self.head, 16));
            let is_picture = kind == KIND_PICTURE;
            let packet = if is_picture { Packet::UnknownCodec { codec, sequence } } else { Packet::UnknownKind(kind) };
            return Ok(Read::Other(packet));
        }
        if self.head[3] == KIND_CONTROL {
            return Control::from_json(&self.data).map(|control| Read::Other(Packet::Control(control)));
        }
        let metadata = match std::str::from_utf8(&self.metadata) {
            Ok("") => None,
            Ok(text) => Some(Arc::from(text)),
            Err(_) => return Err(WireError::Malformed("metadata that is no UTF-8")),
        };
        if self.data.is_empty() {
            return Err(WireError::Malformed("a packet without a payload"));
        }
        let span = |at: usize| {
            Duration::from_micros(u64::from(u16::from_le_bytes([self.head[at], self.head[at + 1]])) * SPAN_UNIT)
        };
        let time = PeerMicros(u64::from(u32_at(&self.head, 8)) | u64::from(u32_at(&self.head, 12)) << 32);
        let spans = Spans { capture: span(20), encode: span(22), uplink: span(24), hub: span(26) };
        let sequence = u32_at(&self.head, 16);
        let [_, _, _, kind, codec, flags, about, rung, ..] = self.head;
        let (estimated, arrival) = (flags & (FLAG_ESTIMATED | FLAG_ARRIVAL) != 0, flags & FLAG_ARRIVAL != 0);
        if kind == KIND_AUDIO {
            let audio = AudioPacket {
                codec: AudioCodec::of_number(codec).unwrap_or_default(),
                captured: Micros::default(),
                estimated,
                arrival,
                sequence,
                voice: flags & FLAG_VOICE != 0,
                level: about.min(SILENCE),
                spans,
                data: Arc::from(&self.data[..]),
            };
            return Ok(Read::Other(Packet::Audio(audio, time)));
        }
        let codec = Codec::of_number(codec).unwrap_or_default();
        let picture = Picture {
            codec,
            quality: about,
            rung,
            sequence,
            estimated,
            arrival,
            spans,
            metadata,
            ..Picture::default()
        };
        Ok(Read::Picture(picture, time))
    }
}

enum Read {
    Picture(Picture, PeerMicros),
    Bare,
    Other(Packet),
}

fn u32_at(bytes: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
