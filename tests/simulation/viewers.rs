//! Viewers of every kind beside each other.

use crate::network::Link;
use crate::report::report;
use crate::world::{Viewer, World};
use streamflow::internal::pacing::PacerConfig;

const STREET: f64 = 36_000.0;

#[test]
fn slow_viewers_get_small_pictures_and_the_others_do_not_notice() {
    let viewers = (0..20).map(|i| {
        let link = if i % 5 == 0 { Link::new(2.0, 20.0) } else { Link::new(200.0, 2.0) };
        Viewer::new(link, i % 2 == 0, i)
    });
    let mut world = World::new(viewers.collect(), STREET, 3);
    world.run(30.0);
    for (i, viewer) in world.viewers.iter().enumerate() {
        let seen = report(&viewer.seen, 3.0, 30.0);
        if i % 5 == 0 {
            assert!(seen.p50 <= 200.0 && seen.p99 <= 300.0 && seen.fps >= 20.0, "{i} {seen:?}");
        } else {
            assert!(seen.quality == 80.0 && seen.fps > 29.5 && seen.p99 < 10.0, "{i} {seen:?}");
        }
    }
}

#[test]
fn a_slow_decoder_gets_fewer_pictures_and_shows_young_ones() {
    let mut viewer = Viewer::new(Link::new(100.0, 5.0), true, 1);
    viewer.decode = 70_000;
    let mut world = World::new(vec![viewer], STREET, 3);
    world.run(60.0);
    let viewer = &world.viewers[0];
    let seen = report(&viewer.shown, 5.0, 60.0);
    assert!(seen.fps > 11.0 && seen.p50 < 130.0, "{seen:?}");
    assert!(viewer.replaced < 300, "{} pictures were sent for nothing", viewer.replaced);
}

#[test]
fn acknowledgements_that_never_come_do_not_stop_the_pictures() {
    let mut viewer = Viewer::new(Link::new(20.0, 20.0), true, 1);
    viewer.lane.ack_loss = 0.3;
    let mut world = World::new(vec![viewer], STREET, 3);
    world.run(60.0);
    let seen = report(&world.viewers[0].seen, 3.0, 60.0);
    assert!(seen.fps > 27.0 && seen.p99 < 120.0, "{seen:?}");

    world.viewers[0].lane.ack_loss = 1.0;
    world.run(60.0);
    let seen = report(&world.viewers[0].seen, 70.0, 120.0);
    assert!(seen.fps > 0.4 && seen.max < 200.0, "{seen:?}");
    assert!(world.viewers[0].lane.pacer.under_way() <= 512);
}

#[test]
fn whoever_promises_acknowledgements_and_never_sends_one_still_sees_pictures() {
    let mut viewer = Viewer::new(Link::new(20.0, 20.0), true, 1);
    viewer.lane.ack_loss = 1.0;
    let mut world = World::new(vec![viewer], STREET, 3);
    world.run(30.0);
    let seen = report(&world.viewers[0].seen, 5.0, 30.0);
    assert!(seen.fps > 0.4 && seen.max < 200.0, "{seen:?}");
}

#[test]
fn a_fixed_quality_is_shown_as_asked_beside_adapting_viewers() {
    let mut fixed = Viewer::new(Link::new(50.0, 5.0), true, 1);
    fixed.lane.pacer.configure(PacerConfig { quality: Some(40), ..PacerConfig::default() });
    let mut limited = Viewer::new(Link::new(50.0, 5.0), true, 2);
    limited.lane.pacer.configure(PacerConfig { max_rate: Some(2_000_000), ..PacerConfig::default() });
    let mut world = World::new(vec![fixed, limited, Viewer::new(Link::new(50.0, 5.0), true, 3)], STREET, 3);
    world.run(30.0);
    let seen: Vec<_> = world.viewers.iter().map(|v| report(&v.seen, 3.0, 30.0)).collect();
    assert!((seen[0].quality - 40.0).abs() < 0.1 && seen[0].fps > 29.5, "{:?}", seen[0]);
    assert!(seen[1].bytes * seen[1].fps * 8.0 <= 2_000_000.0 && seen[1].fps > 29.5, "{:?}", seen[1]);
    assert!((seen[2].quality - 80.0).abs() < 0.1 && seen[2].fps > 29.5, "{:?}", seen[2]);
}
