//! What a listener makes of packets of sound, and what is read as a file with sound.

use streamflow::internal::audio::playback::Playback;
use streamflow::internal::audio::wav::Wav;
use streamflow::internal::frame::{AudioCodec, AudioPacket};
use streamflow::internal::time::Micros;

/// Bytes of a packet's description: how much later it comes, when it was captured, number, kind and level, length.
const HEAD: usize = 8;
/// Packets that are taken from one input at most.
const MOST: usize = 200;

/// Packets of any content, order and time: something is to be heard whatever comes, and no number is out of bounds.
pub fn sound(data: &[u8]) {
    let Ok(mut playback) = Playback::new(48_000) else { return };
    let (mut rest, mut now) = (data, 1_000_000_000);
    for _ in 0..MOST {
        let Some((&[passes, before, far, number, up, kind, level, length], bytes)) = rest.split_first_chunk::<HEAD>()
        else {
            break;
        };
        let (payload, more) = bytes.split_at(bytes.len().min(length.into()));
        rest = more;
        now += u64::from(passes) * 500;
        let captured = if far == 255 { u64::MAX - u64::from(before) } else { now - u64::from(before) * 1000 };
        let codec = if kind & 1 == 0 { AudioCodec::Opus } else { AudioCodec::Pcm };
        // Enough of a payload for samples that are not coded.
        let payload =
            if kind & 2 == 0 { payload.to_vec() } else { payload.iter().copied().cycle().take(1920).collect() };
        let packet = AudioPacket {
            codec,
            captured: Micros(captured),
            sequence: u32::from(number) << (up % 25),
            level,
            data: payload.into(),
            ..AudioPacket::default()
        };
        playback.push(packet, Micros(now));
        let mut samples = [9.0; 240];
        playback.render(&mut samples, Micros(now));
        assert!(samples.iter().all(|sample| sample.abs() <= 1.0));
    }
}

/// A file that is played.
pub fn wav(data: &[u8]) {
    let Ok(wav) = Wav::parse(data.to_vec()) else { return };
    assert!(!wav.is_empty() && wav.len() <= data.len());
    let mut samples = [9.0; 64];
    for first in [0, wav.len() / 2, wav.len(), usize::MAX] {
        let count = wav.read(first, &mut samples);
        assert!(count == samples.len().min(wav.len().saturating_sub(first)));
        assert!(samples.iter().take(count).all(|sample| sample.abs() <= 1.0));
    }
}
