//! Sound that is sealed end to end. Its payload is sealed as that of a picture is, by keys of its own, around this:
//!
//! ```text
//!  0  wall clock at capture, u64, microseconds since 1970        8  sequence, u32
//! 12  codec of what is inside      13  flags, bit 2: speech      14  level      15  zero      16  the packet
//! ```
//! Who speaks and how loud is inside, too: the header says nothing of it.

use std::sync::Arc;

use super::instances::Instances;
use super::key::{StreamSecret, Track};
use super::sframe::Keys;
use super::{Inside, SealError, when};
use crate::frame::{AudioCodec, AudioPacket, SILENCE};

/// Bytes before the packet.
const HEAD: usize = 16;
const SPEECH: u8 = 4;
/// What of the header is bound to the payload.
const BESIDE: [u8; 1] = [AudioCodec::Sealed.number()];

/// Seals the sound of one start of a publisher.
pub struct AudioSealer {
    keys: Keys,
    next: u64,
}

impl AudioSealer {
    /// As [`Sealer::new`](super::Sealer::new).
    #[must_use]
    pub fn new(secret: &StreamSecret, instance: u64) -> Option<Self> {
        Some(Self { keys: Keys::new(&secret.base_key(Track::Audio, instance)?, instance)?, next: 0 })
    }

    /// Seals a packet that was captured at `wall` microseconds since 1970. `None` when all counters are used up.
    #[must_use]
    pub fn seal(&mut self, packet: &AudioPacket, wall: u64) -> Option<AudioPacket> {
        let ctr = self.next;
        self.next = ctr.checked_add(1)?;
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&wall.to_le_bytes());
        head[8..12].copy_from_slice(&packet.sequence.to_le_bytes());
        head[12..15].copy_from_slice(&[packet.codec.number(), if packet.voice { SPEECH } else { 0 }, packet.level]);
        let mut payload = Vec::new();
        self.keys.seal(ctr, &BESIDE, &[&head, &packet.data], &mut payload)?;
        let AudioPacket { captured, estimated, arrival, sequence, spans, .. } = *packet;
        let (codec, data) = (AudioCodec::Sealed, payload.into());
        Some(AudioPacket { codec, captured, estimated, arrival, sequence, voice: false, level: SILENCE, spans, data })
    }
}

/// Opens the sound of one stream, each packet once.
pub struct AudioOpener(Instances);

impl AudioOpener {
    /// For the stream of this secret.
    #[must_use]
    pub fn new(secret: StreamSecret) -> Self {
        Self(Instances::new(secret, Track::Audio))
    }

    /// Opens a packet.
    ///
    /// # Errors
    /// It is not to be heard, for this reason.
    pub fn open(&mut self, packet: &mut AudioPacket) -> Result<Inside, SealError> {
        if packet.codec != AudioCodec::Sealed {
            return Err(SealError::NotSealed);
        }
        let mut payload = packet.data.to_vec();
        let (inside, (codec, flags, level), text) = self.0.open(&mut payload, &BESIDE, read)?;
        let data = payload.get(text.start + HEAD..text.end).ok_or(SealError::Malformed)?;
        (packet.codec, packet.data) = (codec, Arc::from(data));
        (packet.voice, packet.level) = (flags & SPEECH != 0, level.min(SILENCE));
        Ok(inside)
    }
}

/// What is in the head; `None` where it makes no sense.
fn read(text: &[u8]) -> Option<(Inside, (AudioCodec, u8, u8))> {
    let inside = when(text)?;
    let &[codec, flags, level, _] = text.get(12..)?.first_chunk()?;
    let codec = AudioCodec::of_number(codec).filter(|codec| *codec != AudioCodec::Sealed)?;
    (text.len() > HEAD).then_some((inside, (codec, flags, level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::StreamKey;
    use crate::time::Micros;
    use crate::wire::seal::{KEY, Keys, Opener, SealKey};

    const WALL: u64 = 1_795_000_000_000_000;

    fn secret(byte: u8) -> StreamSecret {
        SealKey::Random([byte; KEY]).of_stream(&StreamKey::new("main", "door"))
    }

    fn packet(sequence: u32) -> AudioPacket {
        let (captured, data) = (Micros(7_000_000), Arc::from(&b"said in confidence"[..]));
        AudioPacket { captured, sequence, voice: true, level: 31, data, ..AudioPacket::default() }
    }

    fn sealed(instance: u64, count: u32) -> Vec<AudioPacket> {
        let mut sealer = AudioSealer::new(&secret(7), instance).unwrap();
        (0..count).map(|n| sealer.seal(&packet(n), WALL + u64::from(n) * 20_000).unwrap()).collect()
    }

    #[test]
    fn sound_that_was_sealed_opens_as_it_was_and_shows_neither_words_nor_level_before() {
        let mut opener = AudioOpener::new(secret(7));
        for (n, mut got) in (0..).zip(sealed(1 << 60, 100)) {
            assert!(!got.data.windows(10).any(|window| b"said in confidence".windows(10).any(|part| part == window)));
            assert_eq!((got.codec, got.voice, got.level, got.sequence), (AudioCodec::Sealed, false, SILENCE, n));
            // A hub restates these.
            (got.sequence, got.captured, got.estimated) = (n + 50, Micros(9), true);
            let inside = opener.open(&mut got).unwrap();
            assert_eq!(inside, Inside { wall: WALL + u64::from(n) * 20_000, sequence: n, behind: 0 });
            let sent = packet(n);
            assert_eq!((&got.data, got.codec, got.voice, got.level), (&sent.data, sent.codec, true, 31));
        }
    }

    #[test]
    fn what_is_changed_repeated_bare_or_of_another_key_is_not_heard() {
        let all = sealed(5, 3);
        let open = |key: u8, packets: &[&AudioPacket]| {
            let mut opener = AudioOpener::new(secret(key));
            packets.iter().map(|packet| opener.open(&mut (*packet).clone()).err()).collect::<Vec<_>>()
        };
        assert_eq!(open(8, &[&all[0]]), [Some(SealError::Closed)]);
        assert_eq!(open(7, &[&packet(0)]), [Some(SealError::NotSealed)]);
        let order = open(7, &[&all[0], &all[0], &all[2], &all[1]]);
        assert_eq!(order, [None, Some(SealError::Repeated), None, Some(SealError::Repeated)]);
        for bit in 0..8 * all[0].data.len() {
            let mut bytes = all[0].data.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = AudioPacket { data: bytes.into(), ..all[0].clone() };
            assert_eq!(open(7, &[&changed, &all[0]]), [Some(SealError::Closed), None], "{bit}");
        }
    }

    #[test]
    fn a_picture_is_no_sound_and_sound_no_picture_though_the_key_is_the_same() {
        let sound = &sealed(5, 1)[0];
        let mut picture = crate::frame::Picture { codec: crate::frame::Codec::Sealed, ..Default::default() };
        picture.data = sound.data.to_vec().into();
        assert_eq!(Opener::new(secret(7)).open(&mut picture), Err(SealError::Closed));
        assert_ne!(secret(7).base_key(Track::Pictures, 5), secret(7).base_key(Track::Audio, 5));
    }

    #[test]
    fn sound_is_sealed_as_the_vectors_of_the_protocol_are() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../../../docs/vectors/seal.json")).unwrap();
        let cases = vectors["audio"].as_array().unwrap();
        assert!(cases.len() >= 2);
        for case in cases {
            let text = |name: &str| case[name].as_str().unwrap();
            let number = |name: &str| text(name).parse::<u64>().unwrap();
            let small = |name: &str| u8::try_from(case[name].as_u64().unwrap()).unwrap();
            let hex = |name: &str| data_encoding::HEXLOWER.decode(text(name).as_bytes()).unwrap();
            let secret = SealKey::parse(text("key")).unwrap().of_stream(&StreamKey::new(text("room"), text("name")));
            let sent = AudioPacket {
                codec: AudioCodec::of_number(small("codec")).unwrap(),
                sequence: u32::try_from(case["sequence"].as_u64().unwrap()).unwrap(),
                voice: case["speech"] == true,
                level: small("level"),
                data: hex("packet").into(),
                ..AudioPacket::default()
            };
            let mut sealer = AudioSealer::new(&secret, number("instance")).unwrap();
            sealer.next = number("ctr");
            let mut got = sealer.seal(&sent, number("wall")).unwrap();
            assert_eq!(&got.data[..], hex("sealed"), "{case}");
            let inside = AudioOpener::new(secret).open(&mut got).unwrap();
            assert_eq!(inside, Inside { wall: number("wall"), sequence: sent.sequence, behind: 0 });
            assert_eq!((got.codec, got.voice, got.level), (sent.codec, sent.voice, sent.level));
            assert_eq!(got.data, sent.data);
        }
    }

    #[test]
    fn what_is_inside_and_makes_no_sense_is_refused() {
        let keys = Keys::new(&secret(7).base_key(Track::Audio, 5).unwrap(), 5).unwrap();
        let head = |codec: u8| [&[0; 12][..], &[codec, 0, 0, 0]].concat();
        for (ctr, text) in
            (0..).zip([vec![], vec![1; 12], head(1), [head(2), vec![1]].concat(), [head(9), vec![1]].concat()])
        {
            let mut data = Vec::new();
            keys.seal(ctr, &BESIDE, &[&text], &mut data).unwrap();
            let mut packet = AudioPacket { codec: AudioCodec::Sealed, data: data.into(), ..AudioPacket::default() };
            assert_eq!(AudioOpener::new(secret(7)).open(&mut packet), Err(SealError::Malformed), "{text:?}");
        }
    }
}
