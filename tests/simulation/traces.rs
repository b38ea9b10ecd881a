//! Networks that change every second, for hours, over many seeds.

use crate::network::Link;
use crate::random::Random;
use crate::report::{Report, report};
use crate::world::{Viewer, World};

const STREET: f64 = 36_000.0;

/// Bad Wi-Fi: fast as a rule, slow when somebody walks by, with jitter, losses and now and then half a second of nothing.
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

fn run(seconds: u32, seed: u64, start: Link, change: fn(&mut Random, &mut Link)) -> Run {
    let mut random = Random::new(seed + 77);
    let mut world = World::new(vec![Viewer::new(start, true, seed)], STREET, seed);
    let mut possible = 0.0;
    for _ in 0..seconds {
        possible += (world.viewers[0].lane.pipe.link.rate / 30.0).min(STREET) / f64::from(seconds);
        world.run(1.0);
        change(&mut random, &mut world.viewers[0].lane.pipe.link);
    }
    let viewer = &world.viewers[0];
    let seen = report(&viewer.seen, 5.0, seconds.into());
    Run {
        used: seen.bytes * seen.fps / 30.0 / possible,
        seen,
        changes_a_minute: viewer.lane.ladder.changes() as f64 * 60.0 / f64::from(seconds),
        most_under_way: viewer.lane.most_under_way,
    }
}

#[test]
fn an_hour_of_bad_wifi_keeps_pictures_young_and_the_memory_small() {
    let run = run(3_600, 1, Link::new(20.0, 3.0), wifi);
    println!("{:.2} {:?} {} {}", run.used, run.seen, run.changes_a_minute, run.most_under_way);
    assert!(run.seen.slope.abs() < 5.0, "{:?}", run.seen);
    assert!(run.seen.p50 < 60.0 && run.seen.p99 < 250.0 && run.seen.fps > 27.0, "{:?}", run.seen);
    assert!(run.most_under_way <= 32, "{}", run.most_under_way);
}

#[test]
fn bad_wifi_of_any_seed_is_lived_with() {
    for seed in 0..12 {
        let run = run(300, seed, Link::new(20.0, 3.0), wifi);
        println!("{seed} {:.2} {:?} {} {}", run.used, run.seen, run.changes_a_minute, run.most_under_way);
        assert!(run.seen.p50 < 60.0 && run.seen.p99 < 300.0 && run.seen.fps > 26.0, "{seed} {:?}", run.seen);
        assert!(run.changes_a_minute < 60.0, "{seed} {}", run.changes_a_minute);
    }
}

#[test]
fn a_phone_on_the_move_is_lived_with() {
    for seed in 0..12 {
        let run = run(300, seed, Link::new(8.0, 35.0), mobile);
        println!("{seed} {:.2} {:?} {} {}", run.used, run.seen, run.changes_a_minute, run.most_under_way);
        assert!(run.seen.p50 < 120.0 && run.seen.fps > 20.0, "{seed} {:?}", run.seen);
        assert!(run.changes_a_minute < 60.0 && run.most_under_way <= 64, "{seed} {}", run.changes_a_minute);
    }
}
