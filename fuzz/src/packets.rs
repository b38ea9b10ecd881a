//! What is said in packets and messages, and what a session makes of it.

use streamflow::internal::frame::{AudioCodec, AudioPacket, Codec, Picture};
use streamflow::internal::names::StreamKey;
use streamflow::internal::time::{Micros, PeerMicros};
use streamflow::internal::wire::WireError;
use streamflow::internal::wire::control::Control;
use streamflow::internal::wire::framing::Deframer;
use streamflow::internal::wire::seal::{AudioOpener, Keys, Opener, SealKey, Track};
use streamflow::internal::wire::websocket::{End, Message, Reader};

use super::{MAX_PICTURE, pieces};

fn deframe(data: &[u8], step: usize) -> (Vec<String>, Option<WireError>) {
    let mut deframer = Deframer::new(MAX_PICTURE);
    let mut packets = Vec::new();
    for mut piece in data.chunks(step) {
        while !piece.is_empty() {
            match deframer.decode(piece) {
                Ok((used, packet)) => {
                    packets.extend(packet.map(|p| format!("{p:?}")));
                    piece = &piece[used..];
                }
                Err(error) => return (packets, Some(error)),
            }
        }
    }
    (packets, None)
}

/// Packets on plain TCP.
pub fn packets(data: &[u8]) {
    let (step, data) = pieces(data);
    let (whole, error) = deframe(data, data.len().max(1));
    let (split, split_error) = deframe(data, step);
    // An error of content may be found earlier or later within its packet, but never in another packet.
    assert_eq!(whole, split);
    assert_eq!(error.is_some(), split_error.is_some(), "{error:?} {split_error:?}");
}

fn read_messages(data: &[u8], step: usize, end: End) -> (Vec<String>, bool) {
    let mut reader = Reader::new(end, MAX_PICTURE, 4096);
    let mut messages = Vec::new();
    let mut bytes = data.to_vec();
    for piece in bytes.chunks_mut(step) {
        let mut at = 0;
        while at < piece.len() {
            match reader.decode(&mut piece[at..]) {
                Ok((used, message)) => {
                    assert!(used > 0 || message.is_some(), "no progress");
                    let over = matches!(message, Some(Message::Close(_)));
                    messages.extend(message.map(|m| format!("{m:?}")));
                    if over {
                        return (messages, false);
                    }
                    at += used;
                }
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

/// WebSocket frames, from either end.
pub fn websocket(data: &[u8]) {
    let (step, data) = pieces(data);
    for end in [End::Server, End::Client] {
        let whole = read_messages(data, data.len().max(1), end);
        assert_eq!(whole, read_messages(data, step, end));
    }
}

/// Control packets: whatever is read can be written and read again.
pub fn control(data: &[u8]) {
    if let Ok(control) = Control::from_json(data)
        && control != Control::Unknown
    {
        assert_eq!(Control::from_json(&control.to_json()), Ok(control));
    }
}

/// The messages and pictures of a session at any times, our clock going on and theirs doing what it likes: pings are
/// answered, what is due has an end and is never in the past, and no picture was captured after it came.
pub fn session(data: &[u8]) {
    use std::time::Duration;
    use streamflow::internal::frame::Picture;
    use streamflow::internal::session::{DEAD_AFTER, Due, Session};
    let (first, data) = pieces(data);
    let open = if first % 2 == 0 { Session::with_clock } else { Session::new };
    let mut now = Micros(1 << 40);
    let mut session = open(now);
    let mut received = now;
    for step in data.chunks_exact(12) {
        let number = |at: usize| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|n| step[at + n]));
        now = now + Duration::from_micros(u64::from(step[1]) << (step[2] % 20));
        let (time, near) = (number(4), now.0.wrapping_sub(number(4) % 1_000_000));
        match step[0] % 8 {
            0 => {
                let asked = Control::Ping { time };
                assert_eq!(session.control(&asked, now), Some(Control::Pong { time, now: now.0 }));
            }
            1 => assert_eq!(session.control(&Control::Pong { time, now: number(3) }, now), None),
            2 => assert_eq!(session.control(&Control::Pong { time: near, now: time }, now), None),
            3 => assert_eq!(session.control(&Control::Pong { time: near, now: near }, now), None),
            4 => session.heard(Micros(time)),
            kind @ 5..=6 => {
                let captured = PeerMicros(if kind == 5 { time } else { near });
                let mut picture = Picture { estimated: step[3] & 1 > 0, ..Picture::default() };
                session.restate(&mut picture, captured, Duration::from_micros(u64::from(step[3]) << 10), now);
                received = now;
                assert!(picture.captured <= now && (picture.estimated || !picture.arrival), "{picture:?}");
            }
            _ => {}
        }
        if let Some(known) = session.restated() {
            assert!(known.at <= received && (known.estimated || !known.arrival), "{known:?}");
        }
        assert_eq!(session.restated(), None, "it says the same twice");
        let mut sent = 0;
        loop {
            match session.due(now) {
                Due::Send(ping) => assert!(matches!(*ping, Control::Ping { time } if time <= now.0)),
                Due::At(next) => break assert!(next > now, "{next:?} is over at {now:?}"),
                Due::Dead => {
                    assert!(session.silence(now) >= DEAD_AFTER);
                    session = open(now);
                }
            }
            sent += 1;
            assert!(sent < 32, "it asks without end");
        }
    }
}

/// Sealed pictures and sound: what does not open does no harm, what does is one, and so is whatever lies inside the seal.
pub fn seal(data: &[u8]) {
    let Ok(stream) = StreamKey::parse("main", "door") else { return };
    let secret = SealKey::Random([7; 16]).of_stream(&stream);
    let [quality, rung] = [0, 1].map(|at| data.get(at).copied().unwrap_or_default());
    let rest = data.get(2..).unwrap_or_default();
    let sealed =
        |payload: Vec<u8>| Picture { codec: Codec::Sealed, quality, rung, data: payload.into(), ..Picture::default() };
    let mut inside = Vec::new();
    let keys = secret.base_key(Track::Pictures, 5).and_then(|base| Keys::new(&base, 5));
    keys.and_then(|keys| keys.seal(1, &[2, quality, rung], &[rest], &mut inside));
    for payload in [rest.to_vec(), inside] {
        let mut opener = Opener::new(secret.clone());
        let mut picture = sealed(payload.clone());
        if opener.open(&mut picture).is_ok() {
            assert!(picture.data.starts_with(&[0xff, 0xd8]) && picture.codec == Codec::Jpeg);
            assert!(opener.open(&mut sealed(payload)).is_err(), "a picture opened twice");
        }
    }
    let mut inside = Vec::new();
    let keys = secret.base_key(Track::Audio, 5).and_then(|base| Keys::new(&base, 5));
    keys.and_then(|keys| keys.seal(1, &[2], &[rest], &mut inside));
    for payload in [rest.to_vec(), inside] {
        let mut opener = AudioOpener::new(secret.clone());
        let sealed = AudioPacket { codec: AudioCodec::Sealed, data: payload.into(), ..AudioPacket::default() };
        let mut packet = sealed.clone();
        if opener.open(&mut packet).is_ok() {
            assert!(packet.codec != AudioCodec::Sealed && !packet.data.is_empty() && packet.level <= 127);
            assert!(opener.open(&mut sealed.clone()).is_err(), "sound opened twice");
        }
    }
    let _ = SealKey::parse(&String::from_utf8_lossy(data));
}
