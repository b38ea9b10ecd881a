use super::*;
use crate::access::policy::Policy;
use crate::access::{Access, Credentials};

const NOW: Micros = Micros(1_000_000);

fn door() -> StreamKey {
    StreamKey::new("main", "door")
}

fn who() -> Credentials {
    Credentials::of_nobody(core::net::Ipv4Addr::LOCALHOST.into(), false)
}

fn access() -> Access {
    Access::new(Policy::open())
}

fn publishes(key: &StreamKey) -> Grant<Publish> {
    access().publish(&who(), key.clone()).unwrap()
}

fn watches(key: &StreamKey) -> Grant<Watch> {
    access().watch(&who(), key.clone()).unwrap()
}

fn joins() -> Grant<Join> {
    access().join(&who(), door()).unwrap()
}

fn rooms() -> Rooms {
    Rooms::new(2, 2)
}

fn states(effects: &[Effect], id: ConnectionId) -> Vec<(bool, String)> {
    let told = effects.iter().filter_map(|e| match e {
        Effect::Tell(to, Control::State(s)) if *to == id => Some((s.live, s.reason.clone())),
        _ => None,
    });
    told.collect()
}

fn demands(effects: &[Effect], id: ConnectionId) -> Vec<u32> {
    let told = effects.iter().filter_map(|e| match e {
        Effect::Tell(to, Control::Demand { viewers, .. }) if *to == id => Some(*viewers),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_viewer_may_come_before_its_stream_and_stays_when_the_publisher_goes() {
    let mut rooms = rooms();
    let came = rooms.watch(1, &watches(&door()), NOW).unwrap();
    assert_eq!(states(&came, 1), [(false, String::new())]);
    let published = rooms.publish(2, &publishes(&door()), false, 0, NOW).unwrap();
    assert_eq!(states(&published, 1), [(true, String::new())]);
    assert_eq!(demands(&published, 2), [1]);
    let lost = rooms.report(2, StreamState { reason: "camera unplugged".into(), ..StreamState::default() }, NOW);
    assert_eq!(states(&lost, 1), [(false, "camera unplugged".into())]);
    let gone = rooms.leave(2, "publisher gone", NOW);
    assert_eq!(states(&gone, 1), [(false, "publisher gone".into())]);
    let back = rooms.publish(3, &publishes(&door()), false, 0, NOW).unwrap();
    assert_eq!(states(&back, 1), [(true, String::new())]);
    assert_eq!(rooms.counts(), (1, 1));
}

#[test]
fn a_taken_name_is_refused_unless_it_is_taken_over() {
    let mut rooms = rooms();
    rooms.publish(1, &publishes(&door()), false, 0, NOW).unwrap();
    assert_eq!(rooms.publish(2, &publishes(&door()), false, 0, NOW), Err(Refusal::Taken(door())));
    let effects = rooms.publish(2, &publishes(&door()), true, 0, NOW).unwrap();
    assert!(matches!(&effects[0], Effect::Close(1, Control::Bye { cause: Cause::Replaced, .. })));
    // The old publisher's end changes nothing any more.
    assert_eq!(rooms.leave(1, "publisher gone", NOW), []);
    assert_eq!(rooms.counts(), (1, 0));
}

#[test]
fn a_publisher_that_comes_back_takes_its_name_from_its_own_dead_connection() {
    let mut rooms = rooms();
    rooms.publish(1, &publishes(&door()), false, 77, NOW).unwrap();
    assert!(rooms.publish(2, &publishes(&door()), false, 78, NOW).is_err());
    let effects = rooms.publish(3, &publishes(&door()), false, 77, NOW).unwrap();
    assert!(matches!(&effects[0], Effect::Close(1, _)));
}

#[test]
fn a_viewer_without_a_name_gets_the_first_stream_now_or_when_it_comes() {
    let mut rooms = rooms();
    rooms.watch(1, &watches(&StreamKey::new("main", "")), NOW).unwrap();
    assert_eq!(rooms.list(&Grant::of_host(None)), []);
    let effects = rooms.publish(2, &publishes(&door()), false, 0, NOW).unwrap();
    assert!(effects.contains(&Effect::Watch(1, door())), "{effects:?}");
    rooms.publish(3, &publishes(&StreamKey::new("main", "attic")), false, 0, NOW).unwrap();
    assert!(rooms.watch(4, &watches(&StreamKey::new("main", "")), NOW).unwrap().contains(&Effect::Watch(4, door())));
    let other = rooms.first("other");
    assert_eq!(other, None);
}

#[test]
fn a_publisher_knows_whether_anybody_watches() {
    let mut rooms = rooms();
    let effects = rooms.publish(1, &publishes(&door()), false, 0, NOW).unwrap();
    assert_eq!(demands(&effects, 1), [0]);
    assert_eq!(demands(&rooms.watch(2, &watches(&door()), NOW).unwrap(), 1), [1]);
    assert_eq!(demands(&rooms.watch(3, &watches(&door()), NOW).unwrap(), 1), [2]);
    assert_eq!(demands(&rooms.leave(2, "", NOW), 1), [1]);
    let last = rooms.leave(3, "", NOW);
    assert_eq!(demands(&last, 1), [0]);
    assert!(last.contains(&Effect::Watched(door(), false)));
}

#[test]
fn limits_hold_and_places_are_free_again() {
    let mut rooms = rooms();
    rooms.watch(1, &watches(&door()), NOW).unwrap();
    rooms.watch(2, &watches(&door()), NOW).unwrap();
    assert_eq!(rooms.watch(3, &watches(&door()), NOW), Err(Refusal::Viewers(2)));
    rooms.leave(1, "", NOW);
    assert!(rooms.watch(3, &watches(&door()), NOW).is_ok());
    rooms.publish(4, &publishes(&door()), false, 0, NOW).unwrap();
    rooms.publish(5, &publishes(&StreamKey::new("main", "b")), false, 0, NOW).unwrap();
    assert_eq!(rooms.publish(6, &publishes(&StreamKey::new("main", "c")), false, 0, NOW), Err(Refusal::Publishers(2)));
}

#[test]
fn who_is_in_a_room_counts_as_a_viewer() {
    let mut rooms = rooms();
    rooms.join(1, &joins()).unwrap();
    rooms.watch(2, &watches(&door()), NOW).unwrap();
    assert_eq!(rooms.join(3, &joins()), Err(Refusal::Viewers(2)));
    assert_eq!(rooms.watch(4, &watches(&door()), NOW), Err(Refusal::Viewers(2)));
    rooms.leave(1, "", NOW);
    assert_eq!(rooms.join(3, &joins()), Ok(()));
}

#[test]
fn nothing_is_left_of_a_stream_when_all_have_gone() {
    let mut rooms = rooms();
    rooms.publish(1, &publishes(&door()), false, 0, NOW).unwrap();
    rooms.watch(2, &watches(&StreamKey::new("x", "y")), NOW).unwrap();
    rooms.watch(2, &watches(&door()), NOW).unwrap();
    assert!(rooms.leave(1, "publisher gone", NOW).len() == 1);
    assert!(rooms.leave(2, "", NOW).contains(&Effect::Forget(door())));
    assert!(rooms.streams.is_empty() && rooms.places.is_empty());
    assert_eq!(rooms.counts(), (0, 0));
}

#[test]
fn what_somebody_in_a_room_sees_counts_and_ends_with_it() {
    let mut rooms = Rooms::new(2, 4);
    let (attic, grant) = (StreamKey::new("main", "attic"), watches(&door()));
    rooms.publish(1, &publishes(&door()), false, 0, NOW).unwrap();
    rooms.join(2, &joins()).unwrap();
    let sees = rooms.see(2, &grant, NOW).unwrap();
    assert!(sees.contains(&Effect::Watched(door(), true)), "{sees:?}");
    assert_eq!(demands(&sees, 1), [1]);
    assert_eq!(rooms.see(2, &grant, NOW).unwrap(), [], "it does already");
    rooms.see(2, &watches(&attic), NOW).unwrap();
    assert_eq!((rooms.counts(), rooms.viewers_of(&attic)), ((1, 2), 1));
    rooms.watch(3, &grant, NOW).unwrap();
    assert_eq!(rooms.see(2, &watches(&StreamKey::new("main", "x")), NOW), Err(Refusal::Viewers(4)));
    assert!(rooms.see_no_more(2, &attic).contains(&Effect::Forget(attic.clone())));
    assert_eq!(rooms.see_no_more(2, &attic), [], "once");
    // It leaves, and the other viewer is the only one.
    assert_eq!(demands(&rooms.leave(2, "", NOW), 1), [1]);
    assert_eq!(rooms.counts(), (1, 1));
}

#[test]
fn all_who_ask_for_single_pictures_of_a_stream_are_one_viewer_that_is_told_nothing() {
    let mut rooms = rooms();
    rooms.publish(1, &publishes(&door()), false, 0, NOW).unwrap();
    let asks = rooms.poll(&watches(&door()), NOW).unwrap();
    assert_eq!((demands(&asks, 1), asks.len()), (vec![1], 2), "it is watched, and the publisher hears of it");
    assert_eq!(rooms.poll(&watches(&door()), NOW), Ok(Vec::new()), "however many ask");
    assert_eq!((rooms.counts(), rooms.viewers_of(&door())), ((1, 1), 1));
    assert_eq!(rooms.report(1, StreamState { reason: "gone".into(), ..StreamState::default() }, NOW), []);
    assert!(rooms.poll_no_more(&door()).contains(&Effect::Watched(door(), false)));
    assert_eq!(rooms.counts(), (1, 0));
}

#[test]
fn who_listens_and_does_not_look_makes_no_picture() {
    let mut rooms = rooms();
    rooms.publish(2, &publishes(&door()), false, 0, NOW).unwrap();
    rooms.watch(1, &watches(&door()), NOW).unwrap();
    let heard = rooms.demand(&door(), Vec::new(), true);
    assert_eq!(demands(&heard, 2), [0]);
    assert!(heard.contains(&Effect::Watched(door(), false)), "no picture is due: {heard:?}");
    let seen = rooms.demand(&door(), vec![Rung::FULL], true);
    assert_eq!(demands(&seen, 2), [1]);
    assert!(seen.contains(&Effect::Watched(door(), true)), "{seen:?}");
    let both = [heard, seen].concat();
    let listened = |e: &Effect| matches!(e, Effect::Tell(2, Control::Demand { audio: true, .. }));
    assert_eq!(both.iter().filter(|e| listened(e)).count(), 2);
}
