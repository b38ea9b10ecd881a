//! The wire format from outside: the test vectors of the protocol; and what the fuzz targets do, on seeds of `fuzz/seeds`
//! and on what becomes of them when they are damaged, the same bytes in every run. `make fuzz` looks further.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "public for the fuzz targets")]
mod bodies;

use std::fs;
use std::path::Path;

const ROUNDS: usize = 3000;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "no seeds for {target}");
    seeds
}

fn try_all(target: &str, body: fn(&[u8])) {
    let seeds = seeds(target);
    body(&[]);
    seeds.iter().for_each(|seed| body(seed));
    let mut random = fastrand::Rng::with_seed(42);
    for _ in 0..ROUNDS {
        let mut bytes = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..random.usize(1..6) {
            damage(&mut bytes, &seeds, &mut random);
        }
        body(&bytes);
    }
    for _ in 0..ROUNDS {
        let bytes: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
        body(&bytes);
    }
}

fn damage(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut fastrand::Rng) {
    let at = random.usize(..=bytes.len());
    match random.u8(..7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(..at)),
        2 => bytes.insert(at, random.u8(..)),
        3 => bytes.extend_from_slice(&seeds[random.usize(..seeds.len())]),
        4 if at < bytes.len() => bytes[at] = random.u8(..),
        5 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
        _ if at < bytes.len() => bytes[at] = [0, 0xff, 0x7f, 0x80, 0xd9, b'\r', b'\n'][random.usize(..7)],
        _ => {}
    }
}

#[test]
fn packets_are_read_the_same_at_every_split() {
    try_all("packets", bodies::packets);
}

#[test]
fn websocket_frames_are_read_the_same_at_every_split() {
    try_all("websocket", bodies::websocket);
}

#[test]
fn control_packets_survive_being_written_again() {
    try_all("control", bodies::control);
}

#[test]
fn damaged_jpegs_are_cut_or_refused() {
    try_all("jpeg", bodies::jpeg);
}

#[test]
fn answers_of_cameras_are_read_the_same_at_every_split() {
    try_all("http_client", bodies::http_client);
}

#[test]
fn a_session_asks_and_answers_whatever_is_said_in_it() {
    try_all("session", bodies::session);
}

#[test]
fn sealed_pictures_open_once_or_not_at_all() {
    try_all("seal", bodies::seal);
}

#[test]
fn access_files_are_read_or_wrong_at_a_line_of_theirs() {
    try_all("access", bodies::access);
}

#[test]
fn controls_of_cameras_are_read_and_shown_whatever_they_are() {
    try_all("camera_controls", bodies::camera_controls);
}

#[test]
fn tokens_that_nobody_has_signed_let_nobody_in() {
    try_all("tokens", bodies::tokens);
}

#[cfg(unix)]
#[test]
fn what_comes_at_the_door_means_the_same_encrypted_and_however_it_is_cut() {
    try_all("door", bodies::door);
}

#[test]
fn links_that_are_read_can_be_printed_and_read_again() {
    try_all("links", bodies::links);
}

#[test]
fn names_and_words_of_others_can_be_used_and_shown() {
    try_all("names", bodies::names);
}

#[test]
fn no_picture_spoils_the_decoder() {
    try_all("decode", bodies::decode);
}

#[test]
fn damaged_publishing_requests_give_pictures_or_an_error() {
    try_all("publish", bodies::publish);
}

#[test]
fn damaged_detections_are_read_or_refused() {
    try_all("detection", bodies::detection);
}

#[test]
fn damaged_multipart_bodies_give_parts_or_an_error() {
    try_all("multipart", bodies::multipart);
}

#[test]
fn what_programs_send_without_being_asked_is_known_by_its_beginning() {
    try_all("senders", bodies::senders);
}

#[test]
fn packets_of_sound_are_heard_whatever_is_in_them() {
    try_all("sound", bodies::sound);
}

#[test]
fn damaged_sound_files_are_played_or_refused() {
    try_all("wav", bodies::wav);
}

#[test]
fn damaged_chunks_are_read_the_same_at_every_split() {
    try_all("chunked", bodies::chunked);
}

#[test]
fn damaged_messages_of_a_room_are_refused_or_passed_on_as_right_json() {
    try_all("rooms", bodies::rooms);
}

#[test]
fn damaged_http_heads_are_read_or_refused() {
    try_all("http", bodies::http);
}

/// The test vectors of `docs/protocol.md`, which were made without this library.
mod vectors {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use streamflow::internal::frame::{AudioPacket, Picture, Spans};
    use streamflow::internal::time::{Micros, PeerMicros};
    use streamflow::internal::wire::WireError;
    use streamflow::internal::wire::control::{Ability, Control, Role};
    use streamflow::internal::wire::framing::{Deframer, prefix};
    use streamflow::internal::wire::packet::{Packet, audio_packet, control_packet, picture_header};
    use streamflow::internal::wire::websocket::{self, End, Message, Reader};

    fn vector(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vectors").join(format!("{name}.hex"));
        let text = fs::read_to_string(path).unwrap();
        let bytes = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
        bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    fn read(name: &str) -> Result<Packet, WireError> {
        let bytes = vector(name);
        let (used, packet) = Deframer::new(1 << 20).decode(&bytes)?;
        assert_eq!(used, bytes.len(), "{name}");
        Ok(packet.unwrap())
    }

    fn picture() -> Picture {
        let units = |n: u64| Duration::from_micros(n * 16);
        Picture {
            quality: 80,
            rung: 2,
            sequence: 0x1122_3344,
            captured: Micros(0x0102_0304_0506_0708),
            estimated: true,
            spans: Spans { capture: units(1), encode: units(2), uplink: units(3), hub: units(65535) },
            metadata: Some(Arc::from(r#"{"place":"door"}"#)),
            data: vec![0xff, 0xd8, 0xff, 0xd9].into(),
            ..Picture::default()
        }
    }

    #[test]
    fn what_is_written_is_what_the_protocol_says() {
        let picture = picture();
        let header = picture_header(&picture, picture.spans.hub);
        let packet = [&header[..], picture.metadata.as_deref().unwrap().as_bytes(), &picture.data].concat();
        assert_eq!([&prefix(packet.len())[..], &packet].concat(), vector("picture"));
        let (head, length) = websocket::server_header(packet.len(), false);
        assert_eq!([&head[..length], &packet].concat(), vector("websocket-picture"));
        let ping = control_packet(&Control::Ping { time: 1_000_000 });
        assert_eq!([&prefix(ping.len())[..], &ping].concat(), vector("ping"));
        let audio = audio();
        let packet = audio_packet(&audio, audio.spans.hub);
        assert_eq!([&prefix(packet.len())[..], &packet].concat(), vector("audio"));
    }

    fn audio() -> AudioPacket {
        let units = |n: u64| Duration::from_micros(n * 16);
        AudioPacket {
            sequence: 0x1122_3344,
            captured: Micros(0x0102_0304_0506_0708),
            estimated: true,
            voice: true,
            level: 30,
            spans: Spans { capture: units(1), encode: units(2), uplink: units(3), hub: units(4) },
            data: [0x78, 0x0b, 0xe4].into(),
            ..AudioPacket::default()
        }
    }

    #[test]
    fn sound_is_read_as_it_was_written() {
        let Ok(Packet::Audio(read, captured)) = read("audio") else { panic!("it is sound") };
        let wrote = audio();
        assert_eq!((captured, read.codec, read.sequence), (PeerMicros(wrote.captured.0), wrote.codec, wrote.sequence));
        assert_eq!((read.estimated, read.arrival, read.voice, read.level), (true, false, true, 30));
        assert_eq!((read.spans, read.data), (wrote.spans, wrote.data));
    }

    #[test]
    fn who_does_not_know_that_a_picture_is_dated_by_its_arrival_takes_the_time_for_an_estimate() {
        let flags = |picture: Picture| picture_header(&picture, Duration::ZERO)[5];
        assert_eq!(flags(Picture { arrival: true, ..Picture::default() }), 3);
        assert_eq!(flags(Picture::arrived(Micros(1), Micros(1), vec![1].into())), 3);
        assert_eq!([flags(picture()), flags(Picture::default())], [1, 0]);
    }

    #[test]
    fn what_the_protocol_says_is_read() {
        let Ok(Packet::Control(Control::Hello(hello))) = read("hello") else { panic!("{:?}", read("hello")) };
        assert_eq!((hello.role, hello.room.as_str(), hello.name.as_str()), (Role::View, "main", "door"));
        assert_eq!(hello.can, [Ability::Ack]);
        let Ok(Packet::Control(ping)) = read("ping") else { panic!("{:?}", read("ping")) };
        assert_eq!(ping, Control::Ping { time: 1_000_000 });
        let Ok(Packet::Bare(bare)) = read("bare") else { panic!("{:?}", read("bare")) };
        assert_eq!(**bare, [0xff, 0xd8, 0xff, 0xd9]);
        let Ok(Packet::Picture(read, captured)) = read("picture") else { panic!("no picture") };
        assert_eq!(captured.0, picture().captured.0);
        let read = Picture { captured: picture().captured, ..read };
        assert_eq!(format!("{read:?}"), format!("{:?}", picture()));
        assert_eq!(**read.data, **picture().data);
    }

    #[test]
    fn websocket_messages_carry_the_same_packets() {
        let message = |name, end| {
            let mut bytes = vector(name);
            let length = bytes.len();
            let (used, message) = Reader::new(end, 1 << 20, 4096).decode(&mut bytes).unwrap();
            assert_eq!(used, length);
            message
        };
        let Some(Message::Packet(Packet::Picture(read, captured))) = message("websocket-picture", End::Client) else {
            panic!("no picture")
        };
        assert_eq!(captured.0, picture().captured.0);
        let read = Picture { captured: picture().captured, ..read };
        assert_eq!(format!("{read:?}"), format!("{:?}", picture()));
        let Some(Message::Packet(Packet::Control(ping))) = message("websocket-ping", End::Server) else {
            panic!("no ping")
        };
        assert_eq!(ping, Control::Ping { time: 1_000_000 });
    }

    #[test]
    fn what_a_later_version_brings_is_skipped() {
        let Ok(Packet::UnknownKind(9)) = read("skip-kind") else { panic!("{:?}", read("skip-kind")) };
        let skipped = read("skip-codec");
        let Ok(Packet::UnknownCodec { codec: 9, sequence: 7 }) = skipped else { panic!("{skipped:?}") };
        // What follows is read as ever, however the bytes are cut.
        let both = [vector("skip-codec"), vector("skip-kind"), vector("ping")].concat();
        for cut in 1..both.len() {
            let (mut deframer, mut packets) = (Deframer::new(1 << 20), Vec::new());
            for mut piece in [&both[..cut], &both[cut..]] {
                while !piece.is_empty() {
                    let (used, packet) = deframer.decode(piece).unwrap();
                    packets.extend(packet);
                    piece = &piece[used..];
                }
            }
            assert!(matches!(packets[..], [_, Packet::UnknownKind(9), Packet::Control(_)]), "{cut}: {packets:?}");
        }
    }

    #[test]
    fn what_the_protocol_forbids_is_refused() {
        assert_eq!(read("refuse-version").unwrap_err(), WireError::Version(2));
        assert!(matches!(read("refuse-length"), Err(WireError::TooLong { length: 0xffff_ffff, .. })));
        for name in ["refuse-short", "refuse-empty"] {
            assert!(matches!(read(name), Err(WireError::Malformed(_))), "{name}");
        }
    }

    #[test]
    fn every_vector_is_tried() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vectors");
        let this = include_str!("wire.rs");
        let rules = include_str!("rules.rs");
        let others = [
            include_str!("../src/session/clock.rs"),
            include_str!("../src/wire/seal/sframe.rs"),
            include_str!("../src/wire/seal/tests.rs"),
        ];
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let tried = match name.split_once('.').unwrap() {
                (name, "hex") => this.contains(&format!("\"{name}\"")),
                // Those of rules are tried elsewhere.
                (name, _) => {
                    rules.contains(&format!("\"{name}\""))
                        || others.iter().any(|other| other.contains(&format!("vectors/{name}.json")))
                }
            };
            assert!(tried, "{name} is not tried");
        }
    }
}
