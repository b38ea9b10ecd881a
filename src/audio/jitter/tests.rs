//! The jitter buffer and what is heard, on a virtual clock and over ways of many kinds.

use std::sync::Arc;

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::super::Samples;
use super::super::coding::Encoder;
use super::super::level::level;
use super::super::playback::{Heard, Playback};
use super::*;
use crate::frame::AudioCodec;

/// What happens to sound on its way.
#[derive(Clone)]
struct Way {
    seconds: u64,
    /// Parts in a million by which the sender's samples come too fast, and the listener's device takes them.
    sender: f64,
    listener: f64,
    /// How long packet number so is on its way, in microseconds; nothing: it is lost.
    takes: fn(u64) -> Option<u64>,
    /// There is silence, and nothing is sent.
    silent: fn(u64) -> bool,
}

impl Default for Way {
    fn default() -> Self {
        Self { seconds: 60, sender: 0.0, listener: 0.0, takes: |_| Some(5000), silent: |_| false }
    }
}

/// What came of it.
struct Result {
    heard: Heard,
    /// Age of what was heard each second, in milliseconds.
    ages: Vec<f64>,
    samples: Vec<f32>,
}

const START: u64 = 1_000_000_000;

/// Samples of a tone that is never silent.
fn pcm(number: u64) -> Arc<[u8]> {
    (0..FRAME as u64)
        .flat_map(|n| {
            let at = (number * FRAME as u64 + n) as f64 / 48_000.0;
            (((at * 440.0 * std::f64::consts::TAU).sin() * 8000.0) as i16).to_le_bytes()
        })
        .collect()
}

fn run(way: Way) -> Result {
    let mut playback = Playback::new(48_000).unwrap();
    let frames = way.seconds * 50;
    let mut coming: Vec<(u64, AudioPacket)> = Vec::new();
    let mut sequence = 0;
    for number in 0..frames {
        if (way.silent)(number) {
            continue;
        }
        let captured = START + (number as f64 * 20_000.0 / (1.0 + way.sender / 1e6)) as u64;
        let packet = AudioPacket {
            codec: AudioCodec::Pcm,
            captured: Micros(captured),
            sequence,
            level: 12,
            data: pcm(number),
            ..AudioPacket::default()
        };
        sequence += 1;
        if let Some(takes) = (way.takes)(number) {
            coming.push((captured + 20_000 + takes, packet));
        }
    }
    coming.sort_by_key(|(at, _)| *at);
    let mut coming = coming.into_iter().peekable();
    let (mut ages, mut samples) = (Vec::new(), Vec::new());
    let blocks = way.seconds * 100;
    for block in 0..blocks {
        let at = START + (block as f64 * 10_000.0 / (1.0 + way.listener / 1e6)) as u64;
        while let Some((came, packet)) = coming.next_if(|(came, _)| *came <= at) {
            playback.push(packet, Micros(came));
        }
        let mut part = [0.0; 480];
        playback.render(&mut part, Micros(at));
        samples.extend_from_slice(&part);
        if block % 100 == 99 {
            ages.extend(playback.heard().age_ms);
        }
    }
    Result { heard: playback.heard(), ages, samples }
}

impl Result {
    fn oldest(&self) -> f64 {
        self.ages.iter().copied().fold(0.0, f64::max)
    }

    /// Parts of 20 ms in which nothing was heard, from the first in which something was.
    fn silent_parts(&self) -> usize {
        // Who is ahead has ended a little before.
        let before_end = self.samples.len().saturating_sub(15 * FRAME);
        let parts = self.samples.get(..before_end).unwrap_or_default().chunks(FRAME).map(|part| level(part) > 40);
        parts.skip_while(|silent| *silent).filter(|silent| *silent).count()
    }
}

#[test]
fn what_comes_evenly_is_heard_whole_and_within_50_ms() {
    let result = run(Way::default());
    let counts = result.heard.counts;
    assert_eq!((counts.lost, counts.skipped, counts.concealed, counts.gaps), (0, 0, 0, 0), "{counts:?}");
    assert!(result.oldest() < 50.0, "{}", result.oldest());
    assert_eq!(result.silent_parts(), 0);
}

#[test]
fn clocks_that_are_300_ppm_apart_for_ten_minutes_cost_neither_gaps_nor_delay() {
    for (sender, listener) in [(300.0, 0.0), (-300.0, 0.0), (0.0, 300.0), (0.0, -300.0), (150.0, -150.0)] {
        let result = run(Way { seconds: 600, sender, listener, ..Way::default() });
        let counts = result.heard.counts;
        assert_eq!((counts.lost, counts.skipped, counts.gaps), (0, 0, 0), "{sender} {listener}: {counts:?}");
        assert!(counts.concealed <= 2, "{sender} {listener}: {counts:?}");
        assert!(result.oldest() < 60.0, "{sender} {listener}: {}", result.oldest());
        assert_eq!(result.silent_parts(), 0, "{sender} {listener}");
    }
}

#[test]
fn sound_waits_as_long_as_it_must_and_no_longer() {
    // Each tenth packet was held up by a picture for 60 ms, and those behind it with it.
    let held_up = |number: u64| Some(5000 + 60_000u64.saturating_sub(number % 10 * 20_000));
    let result = run(Way { takes: held_up, ..Way::default() });
    let counts = result.heard.counts;
    assert!(counts.concealed <= 8 && counts.gaps <= 1, "it learns that once: {counts:?}");
    assert!(result.oldest() < 130.0, "{}", result.oldest());
    // For ten seconds, and then never again.
    let result = run(Way {
        takes: |number| Some(5000 + if number < 500 && number % 10 == 0 { 60_000 } else { 0 }),
        seconds: 90,
        ..Way::default()
    });
    assert!(result.ages.last().is_some_and(|age| *age < 60.0), "{:?}", result.ages);
}

#[test]
fn losses_in_bursts_are_concealed_and_counted() {
    // Two of a hundred, in bursts of two and of three.
    let lossy = |number: u64| Some(5000).filter(|_| !matches!(number % 250, 40 | 41 | 150 | 151 | 152));
    let result = run(Way { takes: lossy, ..Way::default() });
    let counts = result.heard.counts;
    let lost = 3000 / 250 * 5;
    assert_eq!((counts.lost, counts.concealed, counts.skipped), (lost, lost, 0), "{counts:?}");
    assert_eq!(counts.gaps, 12, "those of 60 ms");
    assert!(result.oldest() < 50.0, "a loss is no delay: {}", result.oldest());
}

#[test]
fn silence_is_no_loss_and_who_speaks_again_is_heard_in_time() {
    let result = run(Way { silent: |number| number / 50 % 2 == 1, ..Way::default() });
    let counts = result.heard.counts;
    assert_eq!((counts.lost, counts.concealed, counts.skipped, counts.gaps), (0, 0, 0, 0), "{counts:?}");
    assert!(result.oldest() < 50.0, "{}", result.oldest());
    // A second of sound and a second of none: each word begins where it should.
    let loud = result.samples.chunks(FRAME).filter(|part| level(part) < 20).count();
    assert!(loud.abs_diff(1500) < 40, "{loud}");
}

#[test]
fn a_standstill_costs_its_own_time_and_no_delay_after_it() {
    // Nothing comes for a second; then what is left of it comes at once.
    let stood = |number: u64| match number {
        500..540 => None,
        540..550 => Some(5000 + (550 - number) * 20_000),
        _ => Some(5000),
    };
    let result = run(Way { takes: stood, ..Way::default() });
    assert!(result.ages[12..].iter().all(|age| *age < 110.0), "{:?}", result.ages);
    assert!(result.ages[40] < 60.0, "{:?}", result.ages);
    assert!(result.heard.counts.lost >= 40 && result.heard.counts.gaps <= 2, "{:?}", result.heard.counts);
}

#[test]
fn another_publisher_of_the_same_name_is_heard_at_once() {
    let mut playback = Playback::new(48_000).unwrap();
    let mut silent = 0;
    for n in 0..600u64 {
        // It begins to count anew, and its clock is another.
        let (number, off) = if n < 300 { (n + 70_000, 0) } else { (n - 300, 3_600_000_000) };
        let packet = AudioPacket {
            codec: AudioCodec::Pcm,
            captured: Micros(START + off + n * 20_000),
            sequence: number as u32,
            level: 12,
            data: pcm(n),
            ..AudioPacket::default()
        };
        let at = Micros(START + n * 20_000 + 25_000);
        playback.push(packet, at);
        let mut part = [0.0; FRAME];
        playback.render(&mut part, at);
        silent += usize::from(level(&part) > 40);
    }
    assert!(silent < 8, "{silent}");
}

#[test]
fn speech_by_opus_with_dtx_is_heard_and_so_is_a_loss() {
    let (mut encoder, mut playback) = (Encoder::new().unwrap(), Playback::new(44_100).unwrap());
    let (mut sequence, mut loud) = (0, 0);
    for n in 0..1000u64 {
        let speaks = n % 200 < 100;
        let frame: Samples = std::array::from_fn(|i| {
            let at = (n as usize * FRAME + i) as f32 / 48_000.0;
            if speaks { (at * 220.0 * std::f32::consts::TAU).sin() * 0.3 } else { 0.0 }
        });
        let at = Micros(START + n * 20_000 + 25_000);
        if let Some(data) = encoder.encode(&frame).unwrap() {
            sequence += 1;
            let captured = Micros(START + n * 20_000);
            let packet = AudioPacket { captured, sequence, level: level(&frame), data, ..AudioPacket::default() };
            if n % 97 != 0 {
                playback.push(packet, at);
            }
        }
        let mut part = [0.0; 882];
        playback.render(&mut part, at);
        loud += usize::from(level(&part) < 20);
    }
    assert!(loud.abs_diff(500) < 25, "{loud}");
    let counts = playback.heard().counts;
    assert!(sequence < 700 && counts.lost <= 11 && counts.gaps == 0, "{sequence} {counts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes and whenever, something is heard, and never louder than it can be.
    #[test]
    fn whatever_comes_there_is_sound(
        packets in prop::collection::vec(
            (any::<u64>(), 0u32..40, any::<u8>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..80), 0u64..60_000, any::<bool>()),
            0..120,
        )
    ) {
        let mut playback = Playback::new(48_000).unwrap();
        let mut now = START;
        for (captured, sequence, level, opus, data, passes, sane) in packets {
            now += passes;
            let codec = if opus { AudioCodec::Opus } else { AudioCodec::Pcm };
            let captured = if sane { now - captured % 300_000 } else { captured };
            let packet = AudioPacket { codec, captured: Micros(captured), sequence, level, data: data.into(), ..AudioPacket::default() };
            playback.push(packet, Micros(now));
            let mut part = [9.0; 480];
            playback.render(&mut part, Micros(now));
            assert!(part.iter().all(|sample| sample.abs() <= 1.3), "a filter overshoots a little");
        }
        playback.render(&mut [0.0; 4800], Micros(u64::MAX));
    }
}
