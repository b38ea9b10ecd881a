//! The links of issue 3's table.

use crate::network::Link;
use crate::report::report;
use crate::world::{MS, Viewer, World, bounded, fixed};

const STREET: f64 = 36_000.0;

fn slow(queue: u64) -> Link {
    Link { queue, ..Link::new(4.0, 20.0) }
}

#[test]
fn a_slow_link_without_adaptation_has_young_pictures_at_full_rate_whoever_tells() {
    for queue in [64 * 1024, 1024 * 1024] {
        for acknowledges in [false, true] {
            let mut viewer = Viewer::new(slow(queue), acknowledges, 1);
            viewer.lane.pacer.configure(fixed());
            let mut world = World::new(vec![viewer], STREET, 2);
            world.scene.changing = false;
            world.run(60.0);
            let seen = report(&world.viewers[0].seen, 2.0, 60.0);
            assert!(seen.p50 <= 135.0 && seen.p99 <= 165.0 && seen.fps >= 12.5, "{acknowledges} {queue} {seen:?}");
        }
    }
}

#[test]
fn a_slow_link_with_adaptation_shows_every_picture_young() {
    for acknowledges in [false, true] {
        let mut world = World::new(vec![Viewer::new(slow(64 * 1024), acknowledges, 1)], STREET, 2);
        world.run(60.0);
        let seen = report(&world.viewers[0].seen, 3.0, 60.0);
        assert!(seen.p50 <= 75.0 && seen.p99 <= 130.0 && seen.fps >= 28.0, "{acknowledges} {seen:?}");
        assert!(seen.bytes >= 9_000.0, "half the link lies idle: {seen:?}");
    }
}

#[test]
fn a_slow_uplink_is_adapted_to_like_a_slow_downlink() {
    let mut world = World::new(vec![Viewer::new(Link::new(1_000.0, 0.1), true, 1)], STREET, 2);
    world.uplink.pipe.link = slow(64 * 1024);
    world.run(60.0);
    let seen = report(&world.viewers[0].seen, 3.0, 60.0);
    assert!(seen.p50 <= 75.0 && seen.p99 <= 130.0 && seen.fps >= 28.0, "{seen:?}");
    assert!(seen.bytes >= 9_000.0 && !bounded(&world.viewers[0].lane), "{seen:?}");
}

#[test]
fn lost_segments_cost_neither_rate_nor_the_picture_its_size() {
    let mut tails = Vec::new();
    for seed in 0..20 {
        let link = Link { loss: 0.02, ..Link::new(20.0, 25.0) };
        let mut world = World::new(vec![Viewer::new(link, true, seed)], STREET, 2);
        world.run(60.0);
        let seen = report(&world.viewers[0].seen, 3.0, 60.0);
        assert!(seen.p50 <= 65.0 && seen.fps >= 28.0, "{seed} {seen:?}");
        assert!(seen.side > 0.8 && seen.quality > 40.0, "{seed} {seen:?}");
        tails.push(seen.p99);
    }
    // One picture in four loses a segment and is a second try late, 105 ms; one in a hundred loses that try too, 137 ms. A
    // kernel tries sooner than the model does: over the real link the tail is 83 ms.
    tails.sort_by(f64::total_cmp);
    assert!(tails[tails.len() / 2] <= 140.0 && tails[tails.len() - 1] <= 175.0, "{tails:?}");
}

#[test]
fn lost_segments_on_a_long_path_are_no_congestion() {
    for seed in 0..20 {
        let link = Link { loss: 0.02, ..Link::new(20.0, 75.0) };
        let mut world = World::new(vec![Viewer::new(link, true, seed)], STREET, 2);
        world.run(60.0);
        let seen = report(&world.viewers[0].seen, 5.0, 60.0);
        assert!(seen.fps >= 27.0 && seen.side > 0.8 && seen.quality > 40.0, "{seed} {seen:?}");
        assert!(seen.p50 < 250.0, "{seed} {seen:?}");
    }
}

#[test]
fn a_busy_hub_gives_fewer_pictures_and_no_worse_ones() {
    let turns: [fn(u64) -> u64; 3] = [
        |_| 60 * MS,
        // Half a second of other work, every two seconds.
        |now| if now % (2_000 * MS) < 20 * MS { 500 * MS } else { MS },
        // Anything up to a tenth.
        |now| now.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 & 0x1_ffff,
    ];
    for (at, turn) in turns.into_iter().enumerate() {
        for acknowledges in [false, true] {
            let near = Viewer::new(Link::new(1_000.0, 0.1), acknowledges, 1);
            let viewers = vec![near, Viewer::new(Link::new(50.0, 10.0), acknowledges, 2)];
            let mut world = World::new(viewers, STREET, 2);
            world.turn = turn;
            world.run(60.0);
            for viewer in &world.viewers {
                let seen = report(&viewer.seen, 3.0, 60.0);
                assert!(seen.quality > 79.0 && seen.side > 0.99, "{at} {acknowledges} {seen:?}");
                assert!(seen.fps > 5.0, "{at} {acknowledges} {seen:?}");
            }
        }
    }
}

#[test]
fn a_link_that_falls_and_rises_is_followed_both_ways() {
    for acknowledges in [false, true] {
        for seed in 0..8_u64 {
            let mut world = World::new(vec![Viewer::new(Link::new(20.0, 20.0), acknowledges, seed)], STREET, seed);
            world.scene.changing = false;
            // The fall comes at any moment between two frames.
            world.run(5.0 + seed as f64 * 0.004);
            world.viewers[0].lane.pipe.link.rate = 125_000.0;
            world.run(10.0);
            world.viewers[0].lane.pipe.link.rate = 2_500_000.0;
            world.run(20.0);
            let seen = &world.viewers[0].seen;
            let (before, fall) = (report(seen, 2.0, 5.0), report(seen, 5.05, 15.0));
            assert!(before.quality > 79.0 && before.fps >= 29.0, "{before:?}");
            assert!(fall.max < 700.0 && fall.fps >= 15.0, "{acknowledges} {seed} {fall:?}");
            assert!(report(seen, 6.05, 15.0).max < 250.0, "{acknowledges} {seed} {:?}", report(seen, 6.05, 15.0));
            let after = report(seen, 25.05, 35.0);
            assert!(after.quality > 79.0 && after.side > 0.99, "{acknowledges} {seed} {after:?}");
        }
    }
}

#[test]
fn a_fast_link_is_given_everything_and_never_asked_to_wait() {
    let mut world = World::new(vec![Viewer::new(Link::new(1_000.0, 0.1), true, 1)], STREET, 2);
    world.run(60.0);
    let seen = report(&world.viewers[0].seen, 0.0, 60.0);
    assert!(seen.fps > 29.9 && seen.quality == 80.0 && seen.max <= 4.0, "{seen:?}");
    assert_eq!(world.rung_changes, 0);
}

#[test]
fn a_link_longer_than_the_interval_carries_every_picture() {
    let mut world = World::new(vec![Viewer::new(Link::new(50.0, 150.0), true, 1)], STREET, 2);
    world.run(60.0);
    let seen = report(&world.viewers[0].seen, 5.0, 60.0);
    assert!(seen.fps > 29.0 && seen.quality > 75.0 && seen.p99 < 180.0, "{seen:?}");
}
