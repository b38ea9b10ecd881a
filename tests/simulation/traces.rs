//! Networks that change every second, for hours, over many seeds.

use crate::network::Link;
use crate::random::Random;
use crate::report::{Report, report};
use crate::world::{Viewer, World};

const STREET: f64 = 36_000.0;

/// Bad Wi-Fi: anything from 1 to 48 Mbit/s, a third more or less from one second to the next, with jitter and losses, and a
/// tenth of a second of nothing a few times a minute.
fn wifi(random: &mut Random, link: &mut Link) {
    link.rate = (link.rate * (0.35 * random.normal()).exp()).clamp(125_000.0, 6_000_000.0);
    link.jitter = random.between(0.0, 8_000.0) as u64;
    link.loss = if random.chance(0.2) { 0.01 } else { 0.0 };
}

/// A phone that moves: everything changes, and between two cells there is nothing for a second.
fn mobile(random: &mut Random, link: &mut Link) {
    if link.rate < 1_000.0 || random.chance(0.02) {
        link.rate = random.between(60_000.0, 1_500_000.0);
    }
    link.rate = (link.rate * (0.25 * random.normal()).exp()).clamp(40_000.0, 1_500_000.0);
    link.jitter = random.between(0.0, 15_000.0) as u64;
    link.loss = 0.002;
    link.queue = 512 * 1024;
    if random.chance(1.0 / 120.0) {
        link.rate = 1.0;
    }
}

struct Run {
    /// Mean bytes a picture, over what the link would have carried in an interval, at most what full quality has.
    used: f64,
    seen: Report,
    changes_a_minute: f64,
    most_under_way: usize,
}

fn run(seconds: u32, seed: u64, start: Link, stalls: bool, change: fn(&mut Random, &mut Link)) -> Run {
    let mut random = Random::new(seed + 77);
    let mut world = World::new(vec![Viewer::new(start, true, seed)], STREET, seed);
    let mut possible = 0.0;
    for second in 0..seconds {
        possible += (world.viewers[0].lane.pipe.link.rate / 30.0).min(STREET) / f64::from(seconds);
        world.run(1.0);
        if stalls && second % 20 == 7 {
            world.viewers[0].lane.pipe.stall(100_000);
        }
        change(&mut random, &mut world.viewers[0].lane.pipe.link);
    }
    let viewer = &world.viewers[0];
    let seen = report(&viewer.seen, 5.0, seconds.into());
    Run {
        used: seen.bytes * seen.fps / 30.0 / possible,
        seen,
        changes_a_minute: viewer.lane.pacer.changes() as f64 * 60.0 / f64::from(seconds),
        most_under_way: viewer.lane.most_under_way,
    }
}

#[test]
fn an_hour_of_bad_wifi_keeps_pictures_young_and_the_memory_small() {
    let run = run(3_600, 1, Link::new(20.0, 3.0), true, wifi);
    println!("{:.2} {:?} {} {}", run.used, run.seen, run.changes_a_minute, run.most_under_way);
    assert!(run.seen.slope.abs() < 5.0, "{:?}", run.seen);
    assert!(run.seen.p50 < 40.0 && run.seen.p99 < 150.0 && run.seen.fps > 28.0, "{:?}", run.seen);
    assert!(run.used > 0.35, "the link lies idle: {} {:?}", run.used, run.seen);
    assert!(run.most_under_way <= 32, "{}", run.most_under_way);
}

#[test]
fn bad_wifi_of_any_seed_is_lived_with() {
    for seed in 0..12 {
        let run = run(300, seed, Link::new(20.0, 3.0), true, wifi);
        println!("{seed} {:.2} {:?} {} {}", run.used, run.seen, run.changes_a_minute, run.most_under_way);
        assert!(
            run.seen.p50 < 40.0 && run.seen.p99 < 150.0 && run.seen.fps > 28.0 && run.used > 0.3,
            "{seed} {:?}",
            run.seen
        );
        assert!(run.changes_a_minute < 45.0, "{seed} {}", run.changes_a_minute);
    }
}

#[test]
fn a_phone_on_the_move_is_lived_with() {
    for seed in 0..12 {
        let run = run(300, seed, Link::new(8.0, 35.0), false, mobile);
        println!("{seed} {:.2} {:?} {} {}", run.used, run.seen, run.changes_a_minute, run.most_under_way);
        assert!(
            run.seen.p50 < 80.0 && run.seen.p99 < 400.0 && run.seen.fps > 24.0 && run.used > 0.1,
            "{seed} {:?}",
            run.seen
        );
        assert!(run.changes_a_minute < 45.0 && run.most_under_way <= 64, "{seed} {}", run.changes_a_minute);
    }
}
