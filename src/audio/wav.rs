//! WAV files: samples of any usual kind in, 16 bits out.

use super::within_full_scale;

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Samples a second, of each channel.
    pub rate: u32,
    /// Channels, which are heard together.
    pub channels: u16,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bits8,
    Bits16,
    Bits24,
    Bits32,
    Float32,
    Float64,
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::Bits8 => 1,
            Self::Bits16 => 2,
            Self::Bits24 => 3,
            Self::Bits32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }
}

/// Sound of a file, as it is in there.
#[derive(Clone, Debug)]
pub struct Wav {
    /// What it is.
    pub format: Format,
    bytes: Vec<u8>,
    /// Where the samples are.
    from: usize,
    to: usize,
}

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;
const MOST_CHANNELS: u16 = 64;

impl Wav {
    /// Reads what is in a file.
    ///
    /// # Errors
    /// What is wrong with it, in words for who chose it.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let id = |at: usize| bytes.get(at..at + 4);
        if id(0) != Some(b"RIFF") || id(8) != Some(b"WAVE") {
            return Err("this is no WAV file; 'ffmpeg -i IN OUT.wav' makes one of any sound".into());
        }
        let (mut at, mut format) = (12, None);
        while let (Some(name), Some(length)) = (id(at), number(&bytes, at + 4, 4)) {
            let body = at + 8;
            // Who wrote it may have ended before its length was known.
            let end = body.saturating_add(length as usize).min(bytes.len());
            if name == b"fmt " {
                format = Some(read_format(bytes.get(body..end).unwrap_or_default())?);
            } else if name == b"data" {
                let format: Format = format.ok_or("this WAV file does not say what its samples are")?;
                let whole = (end - body) / format.frame() * format.frame();
                if whole == 0 {
                    return Err("this WAV file has no samples in it".into());
                }
                return Ok(Self { format, from: body, to: body + whole, bytes });
            }
            at = end + (end - body) % 2;
        }
        Err("this WAV file has no samples in it".into())
    }

    /// How many samples of each channel there are.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.to - self.from) / self.format.frame()
    }

    /// There is always one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples from this one on, all channels together in one; says how many there were.
    pub fn read(&self, first: usize, into: &mut [f32]) -> usize {
        let Format { channels, kind, .. } = self.format;
        let from = self.from.saturating_add(first.saturating_mul(self.format.frame())).min(self.to);
        let frames = self.bytes.get(from..self.to).unwrap_or_default().chunks_exact(self.format.frame());
        let mut count = 0;
        for (frame, sample) in frames.zip(into) {
            let sum: f32 = frame.chunks_exact(kind.bytes()).map(|bytes| sample_of(bytes, kind)).sum();
            *sample = sum / f32::from(channels);
            count += 1;
        }
        count
    }
}

impl Format {
    fn frame(&self) -> usize {
        self.kind.bytes() * usize::from(self.channels)
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn read_format(chunk: &[u8]) -> Result<Format, String> {
    let short = || "this WAV file does not say what its samples are".to_string();
    let word = |at| number(chunk, at, 2).map(|word| word as u16).ok_or_else(short);
    let (tag, channels, rate, bits) = (word(0)?, word(2)?, number(chunk, 4, 4).ok_or_else(short)?, word(14)?);
    // Which kind it is stands in the first bytes of a longer name.
    let tag = if tag == EXTENSIBLE { word(24)? } else { tag };
    let kind = match (tag, bits) {
        (PCM, 8) => Kind::Bits8,
        (PCM, 16) => Kind::Bits16,
        (PCM, 24) => Kind::Bits24,
        (PCM, 32) => Kind::Bits32,
        (FLOAT, 32) => Kind::Float32,
        (FLOAT, 64) => Kind::Float64,
        _ => return Err("this WAV file is compressed; 'ffmpeg -i IN OUT.wav' makes one that is not".into()),
    };
    if channels == 0 || channels > MOST_CHANNELS {
        return Err(format!("this WAV file has {channels} channels; 1 to {MOST_CHANNELS} can be played"));
    }
    if !(1000..=384_000).contains(&rate) {
        return Err(format!("this WAV file has {rate} samples a second; 1000 to 384000 can be played"));
    }
    Ok(Format { rate, channels, kind })
}

fn sample_of(bytes: &[u8], kind: Kind) -> f32 {
    let sample = match (kind, bytes) {
        (Kind::Bits8, [a]) => (f32::from(*a) - 128.0) / 128.0,
        (Kind::Bits16, [a, b]) => f32::from(i16::from_le_bytes([*a, *b])) / 32_768.0,
        (Kind::Bits24, [a, b, c]) => i32::from_le_bytes([0, *a, *b, *c]) as f32 / 2_147_483_648.0,
        (Kind::Bits32, [a, b, c, d]) => i32::from_le_bytes([*a, *b, *c, *d]) as f32 / 2_147_483_648.0,
        (Kind::Float32, [a, b, c, d]) => f32::from_le_bytes([*a, *b, *c, *d]),
        (Kind::Float64, bytes) => bytes.try_into().map_or(0.0, |bytes| f64::from_le_bytes(bytes) as f32),
        _ => 0.0,
    };
    within_full_scale(sample)
}

/// Bytes before the samples of a file that is written.
pub const HEAD: usize = 44;
/// The most bytes of samples that a file can say it has.
pub const MOST_BYTES: u32 = u32::MAX - HEAD as u32;

/// The head of a file with so many bytes of samples: one channel of 16 bits.
#[must_use]
pub fn head(rate: u32, bytes: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RIFF");
    put(4, &(bytes.saturating_add(HEAD as u32 - 8)).to_le_bytes());
    put(8, b"WAVEfmt ");
    put(16, &16u32.to_le_bytes());
    put(20, &PCM.to_le_bytes());
    put(22, &1u16.to_le_bytes());
    put(24, &rate.to_le_bytes());
    put(28, &rate.saturating_mul(2).to_le_bytes());
    put(32, &2u16.to_le_bytes());
    put(34, &16u16.to_le_bytes());
    put(36, b"data");
    put(40, &bytes.to_le_bytes());
    head
}

/// A sample of such a file.
#[must_use]
pub fn of_sample(sample: f32) -> [u8; 2] {
    ((sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tag: u16, bits: u16, channels: u16, rate: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = head(rate, data.len() as u32).to_vec();
        bytes[20..22].copy_from_slice(&tag.to_le_bytes());
        bytes[22..24].copy_from_slice(&channels.to_le_bytes());
        bytes[34..36].copy_from_slice(&bits.to_le_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    fn samples(bytes: Vec<u8>) -> Vec<f32> {
        let wav = Wav::parse(bytes).unwrap();
        let mut into = vec![9.0; wav.len() + 3];
        let count = wav.read(0, &mut into);
        into.truncate(count);
        into
    }

    #[test]
    fn the_usual_kinds_are_read_and_channels_are_heard_together() {
        assert_eq!(samples(file(1, 16, 1, 8000, &[0, 0x40, 0, 0xc0])), [0.5, -0.5]);
        assert_eq!(samples(file(1, 16, 2, 8000, &[0, 0x40, 0, 0xc0])), [0.0]);
        assert_eq!(samples(file(1, 8, 1, 8000, &[0, 128, 192])), [-1.0, 0.0, 0.5]);
        assert_eq!(samples(file(1, 24, 1, 8000, &[0, 0, 0x40])), [0.5]);
        assert_eq!(samples(file(1, 32, 1, 8000, &[0, 0, 0, 0xc0])), [-0.5]);
        let floats: Vec<u8> = [0.25f32, 7.0, f32::NAN].iter().flat_map(|f| f.to_le_bytes()).collect();
        assert_eq!(samples(file(3, 32, 1, 8000, &floats)), [0.25, 1.0, 0.0]);
        assert_eq!(samples(file(3, 64, 1, 8000, &0.25f64.to_le_bytes())), [0.25]);
    }

    #[test]
    fn what_was_written_is_read() {
        let mut bytes = head(48_000, 6).to_vec();
        [0.5, -1.0, 3.0].iter().for_each(|sample| bytes.extend_from_slice(&of_sample(*sample)));
        let wav = Wav::parse(bytes.clone()).unwrap();
        assert_eq!((wav.format.rate, wav.format.channels, wav.len()), (48_000, 1, 3));
        assert!(samples(bytes).iter().zip([0.5, -1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-3));
    }

    #[test]
    fn a_file_whose_writer_was_killed_and_one_with_more_in_it_are_read() {
        let mut killed = file(1, 16, 1, 8000, &[0, 0x40, 0, 0x40, 1]);
        killed[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(samples(killed), [0.5, 0.5]);
        let mut more = file(1, 16, 1, 8000, &[0, 0x40]);
        more.splice(36..36, *b"LIST\x03\0\0\0abc\0");
        assert_eq!(samples(more), [0.5]);
    }

    #[test]
    fn what_cannot_be_played_is_refused_in_words() {
        let why = |bytes: Vec<u8>| Wav::parse(bytes).unwrap_err();
        assert!(why(b"ID3".to_vec()).contains("no WAV"));
        assert!(why(file(1, 16, 1, 8000, &[])).contains("no samples"));
        assert!(why(file(17, 4, 1, 8000, &[0; 8])).contains("compressed"));
        assert!(why(file(1, 16, 0, 8000, &[0; 8])).contains("0 channels"));
        assert!(why(file(1, 16, 1, 1, &[0; 8])).contains("1 samples a second"));
        let whole = file(1, 16, 1, 8000, &[0; 8]);
        (0..44).for_each(|end| drop(why(whole[..end].to_vec())));
    }
}
