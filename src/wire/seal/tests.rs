use std::time::{Duration, Instant};

use super::*;
use crate::frame::Spans;
use crate::names::StreamKey;
use crate::time::Micros;

fn secret(byte: u8) -> StreamSecret {
    SealKey::Random([byte; KEY]).of_stream(&StreamKey::new("main", "door"))
}

const WALL: u64 = 1_795_000_000_000_000;

fn picture(sequence: u32) -> Picture {
    Picture {
        quality: 80,
        rung: 1,
        sequence,
        captured: Micros(u64::from(sequence) * 33_000),
        estimated: true,
        spans: Spans { encode: Duration::from_millis(2), ..Spans::default() },
        metadata: Some(r#"{"who":"nobody"}"#.into()),
        data: [&[0xff, 0xd8][..], &[0x55; 300]].concat().into(),
        ..Picture::default()
    }
}

fn copy(of: &Picture) -> Picture {
    let Picture { codec, quality, rung, sequence, captured, estimated, arrival, spans, .. } = *of;
    let (metadata, data) = (of.metadata.clone(), of.data.to_vec().into());
    Picture {
        codec,
        quality,
        rung,
        sequence,
        captured,
        estimated,
        arrival,
        spans,
        metadata,
        data,
        ..Picture::default()
    }
}

/// So many pictures of one start of a publisher, the first captured then.
fn sealed(instance: u64, wall: u64, count: u32) -> Vec<Picture> {
    let mut sealer = Sealer::new(&secret(7), instance).unwrap();
    (0..count).map(|n| sealer.seal(&picture(n), wall + u64::from(n) * 33_000, Buffer::default()).unwrap()).collect()
}

#[test]
fn what_was_sealed_opens_as_it_was_and_shows_nothing_before() {
    let mut opener = Opener::new(secret(7));
    for (n, mut got) in (0..).zip(sealed(1 << 63, WALL, 300)) {
        let sent = picture(n);
        assert_eq!((got.codec, got.metadata.as_ref(), got.sequence), (Codec::Sealed, None, n));
        assert!(got.data.len() <= sent.length() + MOST_ADDED);
        for part in [&sent.data[..16], b"nobody", &WALL.to_le_bytes()] {
            assert!(!got.data.windows(part.len()).any(|window| window == part), "it is in the clear");
        }
        // A hub restates these, and numbers anew.
        (got.sequence, got.captured, got.estimated) = (n + 1000, Micros(1), false);
        let inside = opener.open(&mut got).unwrap();
        assert_eq!(inside, Inside { wall: WALL + u64::from(n) * 33_000, sequence: n, behind: 0 });
        assert_eq!((&**got.data, &got.metadata, got.codec), (&**sent.data, &sent.metadata, Codec::Jpeg));
        assert_eq!((got.quality, got.rung, got.sequence), (80, 1, n + 1000));
    }
    assert_eq!(opener.opened(), 300);
}

#[test]
fn a_picture_of_thirty_kilobytes_grows_by_some_fifty_bytes() {
    let mut sealer = Sealer::new(&secret(7), u64::MAX).unwrap();
    let plain = Picture { data: [&[0xff, 0xd8][..], &[0; 30_000]].concat().into(), ..Picture::default() };
    let added = |sealer: &mut Sealer| {
        sealer.seal(&plain, WALL, Buffer::default()).map(|sealed| sealed.data.len() - plain.data.len()).unwrap()
    };
    assert_eq!(added(&mut sealer), 1 + 8 + HEAD + TAG);
    // A year of thirty pictures a second.
    sealer.next = 30 * 86_400 * 365;
    assert_eq!(added(&mut sealer), 1 + 8 + 4 + HEAD + TAG);
    sealer.next = u64::MAX;
    assert!(sealer.seal(&plain, WALL, Buffer::default()).is_none(), "no counter is used twice");
}

#[test]
fn of_a_hundred_thousand_changed_swapped_and_repeated_pictures_none_is_accepted() {
    let began = Instant::now();
    let mut random = fastrand::Rng::with_seed(42);
    let mut opener = Opener::new(secret(7));
    let all = sealed(5, WALL, 200);
    let of_another = sealed(6, WALL, 200);
    for seen in &all[..100] {
        opener.open(&mut copy(seen)).unwrap();
    }
    let (mut accepted, mut repeated) = (0, 0);
    for round in 0..100_000 {
        let at = random.usize(..200);
        let mut bad = copy(&all[at]);
        match round % 8 {
            0 => bad = copy(&all[random.usize(..100)]),
            1 => {
                let bit = random.usize(..8 * bad.data.len());
                bad.data[bit / 8] ^= 1 << (bit % 8);
            }
            2 => bad.data.truncate(random.usize(..all[at].data.len())),
            3 => bad.data.extend_from_slice(&[random.u8(..)]),
            4 => bad.quality = bad.quality.wrapping_add(random.u8(1..)),
            5 => bad.rung = bad.rung.wrapping_add(random.u8(1..)),
            // The header of one before the text of another.
            6 => {
                let other = &of_another[random.usize(..200)];
                bad.data.splice(..11, other.data[..11].iter().copied());
            }
            _ => bad.data = (0..random.usize(..400)).map(|_| random.u8(..)).collect::<Vec<_>>().into(),
        }
        match opener.open(&mut bad) {
            Ok(_) => accepted += 1,
            Err(SealError::Repeated) => repeated += 1,
            Err(_) => {}
        }
    }
    assert_eq!(accepted, 0);
    assert!(repeated > 12_000, "{repeated}");
    println!("100 000 bad pictures in {:?}", began.elapsed());
    // None of them did any harm.
    for later in &all[100..] {
        opener.open(&mut copy(later)).unwrap();
    }
}

#[test]
fn pictures_of_another_key_or_stream_and_those_without_a_seal_do_not_open() {
    let one = &sealed(5, WALL, 1)[0];
    let gate = SealKey::Random([7; KEY]).of_stream(&StreamKey::new("main", "gate"));
    for secret in [secret(8), gate] {
        assert_eq!(Opener::new(secret).open(&mut copy(one)), Err(SealError::Closed));
    }
    let mut plain = picture(1);
    assert_eq!(Opener::new(secret(7)).open(&mut plain), Err(SealError::NotSealed));
    plain.codec = Codec::Sealed;
    assert_eq!(Opener::new(secret(7)).open(&mut plain), Err(SealError::Closed));
}

#[test]
fn what_is_sealed_and_makes_no_sense_is_refused() {
    let keys = Keys::new(&secret(7).base_key(Track::Pictures, 5).unwrap(), 5).unwrap();
    let head = |metadata: u32| [&[0; 16][..], &metadata.to_le_bytes()].concat();
    for (ctr, text) in (0..).zip([
        vec![],
        head(0),
        [&head(0)[..], b"GIF89a"].concat(),
        [&head(2)[..], &[0xff, 0xd8, 0xff, 0xd8]].concat(),
        [&head(u32::MAX)[..], &[0xff, 0xd8]].concat(),
        [&[0; 12][..], &[3], &head(0)[13..], &[0xff, 0xd8]].concat(),
    ]) {
        let mut picture = Picture { codec: Codec::Sealed, ..Picture::default() };
        keys.seal(ctr, &beside(&picture), &[&text], &mut picture.data).unwrap();
        assert_eq!(Opener::new(secret(7)).open(&mut picture), Err(SealError::Malformed), "{text:?}");
    }
}

#[test]
fn a_publisher_that_starts_anew_goes_on_and_the_one_of_before_does_not_come_again_unseen() {
    let mut opener = Opener::new(secret(7));
    let (before, after) = (sealed(5, WALL, 20), sealed(6, WALL + 10_000_000, 20));
    before[..10].iter().for_each(|seen| assert_eq!(opener.open(&mut copy(seen)).unwrap().behind, 0));
    after.iter().for_each(|seen| assert_eq!(opener.open(&mut copy(seen)).unwrap().behind, 0));
    // What the hub kept back of the first is new to the viewer, and is told to be older.
    let kept_back = opener.open(&mut copy(&before[15])).unwrap();
    assert_eq!(kept_back.behind, 10_000_000 + 19 * 33_000 - 15 * 33_000);
    assert_eq!(opener.open(&mut copy(&before[12])), Err(SealError::Repeated));
    assert_eq!(opener.open(&mut copy(&after[19])), Err(SealError::Repeated));
}

#[test]
fn few_publishers_are_remembered_and_those_that_were_forgotten_stay_out() {
    let mut opener = Opener::new(secret(7));
    let start = |n: u64| sealed(n, WALL + n * 1_000_000, 2);
    let count = 2 * instances::INSTANCES as u64;
    (0..count).for_each(|n| {
        opener.open(&mut start(n)[0]).unwrap();
    });
    assert_eq!(opener.instances.count(), instances::INSTANCES);
    for n in 0..count {
        assert_eq!(opener.open(&mut start(n)[0]), Err(SealError::Repeated), "{n}");
    }
    for n in count / 2..count {
        opener.open(&mut start(n)[1]).unwrap();
    }
}

#[test]
fn pictures_are_sealed_as_the_vectors_of_the_protocol_are() {
    let hex = |value: &serde_json::Value| data_encoding::HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../../docs/vectors/seal.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let number = |name: &str| text(&case[name]).parse::<u64>().unwrap();
        let small = |name: &str| u8::try_from(case[name].as_u64().unwrap()).unwrap();
        let key = SealKey::parse(&text(&case["key"])).unwrap();
        let secret = key.of_stream(&StreamKey::new(text(&case["room"]), text(&case["name"])));
        let mut sealer = Sealer::new(&secret, number("instance")).unwrap();
        sealer.next = number("ctr");
        let sequence = u32::try_from(case["sequence"].as_u64().unwrap()).unwrap();
        let sent = Picture {
            quality: small("quality"),
            rung: small("rung"),
            sequence,
            metadata: Some(text(&case["metadata"]).into()),
            data: hex(&case["jpeg"]).into(),
            ..Picture::default()
        };
        let mut got = sealer.seal(&sent, number("wall"), Buffer::default()).unwrap();
        assert_eq!(**got.data, hex(&case["sealed"]), "{case}");
        let inside = Opener::new(secret).open(&mut got).unwrap();
        assert_eq!(inside, Inside { wall: number("wall"), sequence, behind: 0 });
        assert_eq!((&**got.data, got.metadata.as_deref().unwrap_or("")), (&**sent.data, &*text(&case["metadata"])));
    }
}
