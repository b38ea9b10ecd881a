//! Opus (RFC 6716), by libopus: frames into packets and back.

use std::sync::Arc;
use std::time::Duration;

use super::{FRAME, RATE, Samples, micros_of, within_full_scale};

/// Bits a second.
const BITRATE: i32 = 32_000;
/// How much is expected to be lost, of a hundred: so much does each packet tell of the one before.
const LOSS: i32 = 5;
/// A packet of so few bytes says that there is silence.
const SAYS_NOTHING: usize = 2;
/// The longest packet there is on the wire.
pub const LONGEST: usize = 4096;
/// A frame as it is where it is not encoded: 16 bits a sample, the lower byte first.
pub const PCM_LENGTH: usize = 2 * FRAME;

/// Makes packets of frames.
pub struct Encoder {
    opus: opus::Encoder,
    packet: [u8; LONGEST],
    delay: Duration,
}

impl Encoder {
    /// # Errors
    /// libopus has no memory.
    pub fn new() -> Result<Self, String> {
        let make = || {
            let mut opus = opus::Encoder::new(RATE, opus::Channels::Mono, opus::Application::Voip)?;
            opus.set_bitrate(opus::Bitrate::Bits(BITRATE))?;
            opus.set_vbr(true)?;
            opus.set_inband_fec(true)?;
            opus.set_packet_loss_perc(LOSS)?;
            opus.set_dtx(true)?;
            let delay = micros_of(usize::try_from(opus.get_lookahead()?).unwrap_or_default(), RATE);
            Ok(Self { opus, packet: [0; LONGEST], delay: Duration::from_micros(delay) })
        };
        make().map_err(|error: opus::Error| error.to_string())
    }

    /// The sound that is decoded from a packet begins so much earlier than the frame that was encoded into it: Opus looks ahead, by 6.5 ms.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// The packet of a frame; none, where there is silence that the listener makes by itself.
    ///
    /// # Errors
    /// What libopus says.
    pub fn encode(&mut self, frame: &Samples) -> Result<Option<Arc<[u8]>>, String> {
        let length = self.opus.encode_float(frame, &mut self.packet).map_err(|error| error.to_string())?;
        let packet = self.packet.get(..length).filter(|packet| packet.len() > SAYS_NOTHING);
        Ok(packet.map(Arc::from))
    }
}

/// Makes frames of packets, whatever is in them.
pub struct Decoder(opus::Decoder);

impl Decoder {
    /// # Errors
    /// libopus has no memory.
    pub fn new() -> Result<Self, String> {
        opus::Decoder::new(RATE, opus::Channels::Mono).map(Self).map_err(|error| error.to_string())
    }

    /// The frame of a packet.
    ///
    /// # Errors
    /// It is none, or not one of 20 ms.
    pub fn decode(&mut self, packet: &[u8], frame: &mut Samples) -> Result<(), String> {
        self.check(packet)?;
        self.run(packet, frame, false)
    }

    /// About the frame before that of a packet, by what the packet tells of it; else by what came before, as in
    /// [`conceal`](Self::conceal).
    ///
    /// # Errors
    /// It is no packet.
    pub fn recover(&mut self, next: &[u8], frame: &mut Samples) -> Result<(), String> {
        self.check(next)?;
        self.run(next, frame, true)
    }

    /// What may have come after the last frame: a little of what was there, and then silence, or the noise of the room.
    pub fn conceal(&mut self, frame: &mut Samples) {
        if self.run(&[], frame, false).is_err() {
            *frame = [0.0; FRAME];
        }
    }

    fn check(&self, packet: &[u8]) -> Result<(), String> {
        if packet.is_empty() || packet.len() > LONGEST {
            return Err(format!("a packet of {} bytes", packet.len()));
        }
        match self.0.get_nb_samples(packet) {
            Ok(FRAME) => Ok(()),
            Ok(samples) => Err(format!("a packet of {samples} samples, and not of 20 ms")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn run(&mut self, packet: &[u8], frame: &mut Samples, before: bool) -> Result<(), String> {
        match self.0.decode_float(packet, frame, before) {
            Ok(FRAME) => {}
            Ok(samples) => frame.get_mut(samples..).unwrap_or_default().fill(0.0),
            Err(error) => return Err(error.to_string()),
        }
        // A packet that somebody made up can stand for numbers that are no sound.
        frame.iter_mut().for_each(|sample| *sample = within_full_scale(*sample));
        Ok(())
    }
}

/// The frame of a packet that is not encoded.
///
/// # Errors
/// It has another length.
pub fn decode_pcm(packet: &[u8], frame: &mut Samples) -> Result<(), String> {
    if packet.len() != PCM_LENGTH {
        return Err(format!("{} bytes, and not the {PCM_LENGTH} of 20 ms", packet.len()));
    }
    for (sample, bytes) in frame.iter_mut().zip(packet.as_chunks().0) {
        *sample = f32::from(i16::from_le_bytes(*bytes)) / 32_768.0;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::level::level;
    use super::*;
    use crate::frame::SILENCE;

    fn tone(frame: usize) -> Samples {
        std::array::from_fn(|n| ((frame * FRAME + n) as f32 * 440.0 / 48_000.0 * std::f32::consts::TAU).sin() * 0.3)
    }

    #[test]
    fn a_tone_is_heard_at_32_kbit_a_second_and_silence_is_not_sent() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let (mut bytes, mut heard) = (0, [0.0; FRAME]);
        for n in 0..100 {
            let packet = encoder.encode(&tone(n)).unwrap().unwrap();
            bytes += packet.len();
            decoder.decode(&packet, &mut heard).unwrap();
        }
        assert!((4000..10_000).contains(&bytes), "{bytes} in two seconds");
        assert!(level(&heard).abs_diff(level(&tone(0))) <= 2, "{}", level(&heard));
        let sent = (0..150).filter(|_| encoder.encode(&[0.0; FRAME]).unwrap().is_some()).count();
        assert!(sent < 40, "{sent} of 150 frames of silence");
    }

    #[test]
    fn a_frame_that_was_lost_is_about_what_it_was() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let packets: Vec<_> = (0..50).map(|n| encoder.encode(&tone(n)).unwrap().unwrap()).collect();
        let mut heard = [0.0; FRAME];
        packets[..40].iter().for_each(|packet| decoder.decode(packet, &mut heard).unwrap());
        decoder.conceal(&mut heard);
        assert!(level(&heard) < 20, "{}", level(&heard));
        decoder.recover(&packets[42], &mut heard).unwrap();
        assert!(level(&heard) < 25, "{}", level(&heard));
        decoder.decode(&packets[42], &mut heard).unwrap();
        (0..50).for_each(|_| decoder.conceal(&mut heard));
        assert!(level(&heard) > 30, "and it fades: {}", level(&heard));
    }

    #[test]
    fn what_is_no_packet_of_20_ms_is_refused() {
        let (mut decoder, mut frame) = (Decoder::new().unwrap(), [0.5; FRAME]);
        // Of 60 ms (code 3), none, of no length.
        for packet in [&[0x18, 1, 2][..], &[], &[0xff], &[3; 5000]] {
            assert!(decoder.decode(packet, &mut frame).is_err(), "{packet:?}");
        }
        assert!(decode_pcm(&[0; 1919], &mut frame).is_err());
        let mut pcm = [0; PCM_LENGTH];
        pcm[..4].copy_from_slice(&[0, 0x80, 0xff, 0x7f]);
        decode_pcm(&pcm, &mut frame).unwrap();
        assert_eq!((frame[0], level(&frame[2..])), (-1.0, SILENCE));
    }

    #[test]
    fn whatever_comes_is_sound_or_refused() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut decoder, mut frame) = (Decoder::new().unwrap(), [0.0; FRAME]);
        for _ in 0..3000 {
            let packet: Vec<u8> = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
            let _ = decoder.decode(&packet, &mut frame);
            let _ = decoder.recover(&packet, &mut frame);
            assert!(frame.iter().all(|sample| sample.abs() <= 1.0));
        }
    }
}
