//! The nouns everything is about: [`Frame`], raw pixels; [`Picture`], compressed bytes with their header; and [`AudioPacket`], the same
//! for sound.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::buffer::Buffer;
use crate::time::Micros;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Size {
    /// `width` by `height` pixels.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// The number of pixels.
    #[must_use]
    pub const fn area(self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Refuses what no memory should be made for: nothing, more than `most` pixels, or a side that is longer than JPEG
    /// libraries take.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn check(self, most: usize) -> Result<(), String> {
        if self.area() == 0 {
            return Err(format!("a picture of {self} is empty"));
        }
        if self.area() > most {
            return Err(format!("a picture of {self} is over {} Mpx (--max-pixels)", most >> 20));
        }
        if self.width.max(self.height) > LONGEST_SIDE {
            return Err(format!("a picture of {self} has a side over {LONGEST_SIDE}"));
        }
        Ok(())
    }

    /// Both aspects, as numbers that can be compared.
    pub(crate) fn aspects(self, other: Self) -> (u64, u64) {
        (u64::from(self.width) * u64::from(other.height), u64::from(self.height) * u64::from(other.width))
    }

    /// The largest size of this aspect in that room; where it may not grow, its own if it is no larger. Whole pairs of pixels where
    /// it is not the room's own side, as colours come in pairs.
    pub(crate) fn fitted_into(self, room: Self, may_grow: bool) -> Self {
        if !may_grow && self.width <= room.width && self.height <= room.height {
            return self;
        }
        let (wide, high) = self.aspects(room);
        if wide.abs_diff(high).saturating_mul(SAME) <= wide.max(high) {
            return room;
        }
        let side = |own: u32, long: u32, room: u32, most: u32| {
            let pairs = (u64::from(own) * u64::from(room) + u64::from(long)) / (2 * u64::from(long.max(1)));
            u32::try_from(2 * pairs).unwrap_or(u32::MAX).min(most).max(2.min(most).min(own))
        };
        if wide > high {
            Self::new(room.width, side(self.height, self.width, room.width, room.height))
        } else {
            Self::new(side(self.width, self.height, room.height, room.width), room.height)
        }
    }
}

/// An aspect that differs by no more than a hundredth is taken to be the same: cameras have 1088 lines where others have 1080.
const SAME: u64 = 100;

/// The most pixels of a picture unless somebody says otherwise: 64 Mpx, of 1024 x 1024 each. Beyond it a few bytes from
/// outside would ask for gigabytes.
pub const MAX_PIXELS: usize = 64 << 20;

/// The longest side that libjpeg takes (`JPEG_MAX_DIMENSION`). JPEG itself goes to 65 535.
const LONGEST_SIDE: u32 = 65_500;

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl std::str::FromStr for Size {
    type Err = String;
    /// `640x480`; sides from 16 to 16384.
    fn from_str(text: &str) -> Result<Self, String> {
        let side = |s: &str| s.trim().parse().ok().filter(|n| (16..=16_384).contains(n));
        text.split_once(['x', 'X'])
            .and_then(|(w, h)| Some(Self::new(side(w)?, side(h)?)))
            .ok_or_else(|| format!("'{text}' is not a size; write WIDTHxHEIGHT, sides 16 to 16384, such as 640x480"))
    }
}

/// How the bytes of a [`Frame`] are laid out. All are without padding between rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// 4:2:2, Y0 U Y1 V; 2 bytes a pixel. What most USB cameras give.
    #[default]
    Yuyv,
    /// 4:2:2, U Y0 V Y1; 2 bytes a pixel.
    Uyvy,
    /// 4:2:0, a plane of Y and one of interleaved U V; 1.5 bytes a pixel.
    Nv12,
    /// 4:2:0, three planes Y, U, V; 1.5 bytes a pixel.
    I420,
    /// R G B; 3 bytes a pixel.
    Rgb,
    /// B G R; 3 bytes a pixel.
    Bgr,
    /// B G R and a byte that means nothing; 4 bytes a pixel. What windows take.
    Bgrx,
    /// Luminance alone; 1 byte a pixel.
    Gray,
    /// A whole JPEG picture, as cameras call MJPEG.
    Jpeg,
}

impl std::fmt::Display for PixelFormat {
    /// As `--format` takes it and `--list` says it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Yuyv => "yuyv",
            Self::Uyvy => "uyvy",
            Self::Nv12 => "nv12",
            Self::I420 => "i420",
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
            Self::Bgrx => "bgrx",
            Self::Gray => "gray",
            Self::Jpeg => "mjpeg",
        })
    }
}

impl PixelFormat {
    /// The bytes that a frame of this size has; `None` for [`PixelFormat::Jpeg`], whose length varies.
    #[must_use]
    pub const fn frame_len(self, size: Size) -> Option<usize> {
        let (w, h) = (size.width as usize, size.height as usize);
        Some(match self {
            Self::Yuyv | Self::Uyvy => w.div_ceil(2) * 4 * h,
            Self::Nv12 | Self::I420 => w * h + 2 * w.div_ceil(2) * h.div_ceil(2),
            Self::Rgb | Self::Bgr => w * h * 3,
            Self::Bgrx => w * h * 4,
            Self::Gray => w * h,
            Self::Jpeg => return None,
        })
    }
}

/// Which values of Y, U and V mean black, white and full colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// Y from 16 to 235, U and V from 16 to 240: what cameras give as YUV. Must be expanded for JPEG.
    #[default]
    Limited,
    /// 0 to 255 for all: what JPEG holds.
    Full,
}

/// Raw pixels from a [`crate::Source`], or a camera's own JPEG, on their way to the encoder.
#[derive(Debug, Default)]
pub struct Frame {
    /// The pixels, or the JPEG.
    pub data: Buffer,
    /// How `data` is laid out.
    pub format: PixelFormat,
    /// Of the whole picture. For [`PixelFormat::Jpeg`] a source may leave it zero: the header tells.
    pub size: Size,
    /// For the YUV formats; ignored for others.
    pub range: Range,
    /// When the picture was taken, as near to the light as the source can tell.
    pub captured: Micros,
    /// Nobody told the source when the picture was taken: `captured` is when it arrived, or earlier where it may have waited
    /// on its way. Viewers are told so.
    pub arrival: bool,
    /// The source's own number of the frame, so that a gap shows a lost frame. Starts anywhere.
    pub sequence: u64,
    /// A JSON text that travels with the picture to every viewer; 64 KiB at most.
    pub metadata: Option<Arc<str>>,
}

/// Where the time between capture and now was spent, as far as it is known on this side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// From the sensor until the encoder had the frame.
    pub capture: Duration,
    /// Encoding alone.
    pub encode: Duration,
    /// From the end of encoding until the hub had the whole picture.
    pub uplink: Duration,
    /// In the hub, until the first byte was given to the kernel for this viewer.
    pub hub: Duration,
}

/// How the payload of a [`Picture`] is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// Baseline JPEG, whole, with its Huffman tables.
    #[default]
    Jpeg,
    /// A JPEG with its metadata, sealed end to end: only who has the key can open it.
    Sealed,
}

impl Codec {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Jpeg => 1,
            Self::Sealed => 2,
        }
    }

    /// The codec of this number; `None` where this version does not know it.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Jpeg),
            2 => Some(Self::Sealed),
            _ => None,
        }
    }
}

/// One compressed picture with its header: what travels from publisher to viewers. Cheap to share as `Arc<Picture>`.
#[derive(Debug, Default)]
pub struct Picture {
    /// How `data` is compressed.
    pub codec: Codec,
    /// JPEG quality 1 to 100; 0 where nobody knows, as with a camera's own JPEG.
    pub quality: u8,
    /// Which of the ways in which the publisher encodes the stream at once, 0 to 3; 0 is the first or the only one.
    pub rung: u8,
    /// Numbers the pictures of a stream; a gap is a picture that did not come. All rungs of one frame share it.
    pub sequence: u32,
    /// When it was captured, in the clock of whoever holds it.
    pub captured: Micros,
    /// `captured` was translated from another machine's clock before that clock was well known, or `arrival` is true.
    pub estimated: bool,
    /// Nobody knows how far off `captured` may be. Nobody told when the picture was taken, and it is when it arrived where
    /// pictures are first known of; or the clock that told may have been set since it was compared.
    pub arrival: bool,
    /// Where the time went so far.
    pub spans: Spans,
    /// A JSON text that belongs to the picture.
    pub metadata: Option<Arc<str>>,
    /// The compressed bytes.
    pub data: Buffer,
    /// The same as base64, once somebody asked for it; leave it to its default.
    #[doc(hidden)]
    pub text: Base64Once,
}

impl Picture {
    /// A JPEG of which nothing is known but that its first byte came at `began`, and all of it by `now`: it was taken before
    /// `began`.
    #[must_use]
    pub fn arrived(began: Micros, now: Micros, data: Buffer) -> Self {
        let spans = Spans { uplink: now.since(began), ..Spans::default() };
        Self { captured: began.min(now), estimated: true, arrival: true, data, spans, ..Self::default() }
    }

    /// Bytes that are sent of it: the payload and the metadata.
    #[must_use]
    pub fn length(&self) -> usize {
        self.data.len() + self.metadata.as_ref().map_or(0, |metadata| metadata.len())
    }

    /// Bytes of memory that it takes, about.
    #[must_use]
    pub fn held(&self) -> usize {
        self.length() + self.text.0.get().map_or(0, |text| text.len())
    }

    /// The compressed bytes as base64 (RFC 4648, section 4), made when the first asks and kept for all who follow.
    #[must_use]
    pub fn base64(&self) -> &[u8] {
        self.text.0.get_or_init(|| data_encoding::BASE64.encode(&self.data).into_bytes())
    }
}

/// How the payload of an [`AudioPacket`] is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudioCodec {
    /// One packet of Opus (RFC 6716): 20 ms of one channel at 48 kHz.
    #[default]
    Opus,
    /// A packet that is sealed end to end: only who has the key can open it, and knows what is inside.
    Sealed,
    /// 960 samples of 16 bits, signed and little-endian: 20 ms of one channel at 48 kHz.
    Pcm,
}

impl AudioCodec {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Opus => 1,
            Self::Sealed => 2,
            Self::Pcm => 3,
        }
    }

    /// The codec of this number; `None` where this version does not know it.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Opus),
            2 => Some(Self::Sealed),
            3 => Some(Self::Pcm),
            _ => None,
        }
    }
}

/// What an [`AudioPacket`] holds of time.
pub const AUDIO_FRAME: Duration = Duration::from_millis(20);

/// For so long an [`AudioPacket`] waits anywhere. Whoever listens plays with no more delay than that, so an older one would be too late.
pub const AUDIO_WAITS: Duration = Duration::from_millis(200);

/// The level of nothing at all.
pub const SILENCE: u8 = 127;

/// 20 ms of a stream's sound with their header: what travels from publisher to viewers.
#[derive(Clone, Debug)]
pub struct AudioPacket {
    /// How `data` is compressed.
    pub codec: AudioCodec,
    /// When its first sample was captured, in the clock of whoever holds it.
    pub captured: Micros,
    /// As of [`Picture`].
    pub estimated: bool,
    /// As of [`Picture`].
    pub arrival: bool,
    /// Numbers the packets that were sent: a gap is a packet that was lost. Where times have a gap and numbers have none, nothing
    /// was sent, for there was nothing to hear.
    pub sequence: u32,
    /// The publisher takes it for speech.
    pub voice: bool,
    /// How loud it is, in decibels below the loudest, from 0 to [`SILENCE`] (−dBov, RFC 6464).
    pub level: u8,
    /// Where the time went so far.
    pub spans: Spans,
    /// The compressed bytes.
    pub data: Arc<[u8]>,
}

impl Default for AudioPacket {
    fn default() -> Self {
        Self {
            codec: AudioCodec::default(),
            captured: Micros::default(),
            estimated: false,
            arrival: false,
            sequence: 0,
            voice: false,
            level: SILENCE,
            spans: Spans::default(),
            data: Arc::default(),
        }
    }
}

/// A picture's bytes as base64, or nothing as long as nobody asked.
#[derive(Debug, Default)]
pub struct Base64Once(OnceLock<Vec<u8>>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_made_when_the_first_asks_and_then_kept() {
        let picture = Picture { data: vec![0, 1, 2, 3].into(), ..Picture::default() };
        assert!(picture.text.0.get().is_none());
        assert_eq!(picture.base64(), b"AAECAw==");
        assert!(std::ptr::eq(picture.base64(), picture.base64()), "the same bytes for all");
    }
}
