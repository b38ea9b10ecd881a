use super::*;

const MS: u64 = 1000;
const START: u64 = 3_600_000_000;
/// Between two pictures, and for how long one is decoded.
const APART: u64 = 33_333;
const DECODES: u64 = 4 * MS;

/// A picture on its way, in microseconds since the beginning.
#[derive(Clone, Copy)]
struct Sent {
    number: u64,
    /// When the viewer believes that it was captured.
    captured: u64,
    received: u64,
}

/// What was shown: its number, and when.
type Shown = Vec<(u64, u64)>;

/// A viewer, as its threads do it: one picture is decoded, and waits until it is due; a delay of nothing has none of it.
fn shown(sent: &[Sent], delay: u64, decodes: u64) -> Shown {
    let mut smoother = Smoother::new(Duration::from_micros(delay));
    let mut shown = Shown::new();
    // The picture that is decoded, and when it is.
    let mut held: Option<(Came, u64, u64)> = None;
    let mut coming = sent.iter().peekable();
    let mut now = 0;
    let end = sent.last().unwrap().received + 2_000_000;
    while now < end {
        let at = Micros(START + now);
        while let Some(picture) = coming.next_if(|picture| picture.received <= now) {
            let captured = Micros(START + picture.captured);
            let came = Came { captured, is_guess: false, received: Micros(START + picture.received), bytes: 50_000 };
            smoother.put(picture.number, came);
        }
        if let Some((came, number, decoded)) = held
            && decoded <= now
            && smoother.wait(&came, at).is_zero()
        {
            shown.push((number, now));
            held = None;
        }
        if held.is_none() {
            held = smoother.take(at).map(|(came, number, _)| (came, number, now + decodes));
        }
        now += 100;
    }
    shown
}

/// Pictures over a network that keeps their order, whose ways are these.
fn over(count: u64, way: impl Fn(u64, &mut fastrand::Rng) -> u64) -> Vec<Sent> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut last = 0;
    let sent = (0..count).map(|number| {
        let captured = number * APART;
        last = (captured + way(number, &mut random)).max(last + 100);
        Sent { number, captured, received: last }
    });
    sent.collect()
}

/// Most ways are short and some are long: 10 ms, and a quarter of them up to 70 ms more.
fn jittery(_: u64, random: &mut fastrand::Rng) -> u64 {
    10 * MS + random.u64(0..4 * MS) + if random.u8(0..4) == 0 { random.u64(0..66 * MS) } else { 0 }
}

/// By how much the times between pictures differ from the usual one, in milliseconds: the mean of it.
fn unevenness(shown: &[(u64, u64)]) -> f64 {
    let off = shown.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs_diff(APART * (pair[1].0 - pair[0].0)) as f64);
    off.sum::<f64>() / (shown.len() - 1) as f64 / 1e3
}

/// How old each picture was when it was shown, in microseconds.
fn ages(shown: &[(u64, u64)]) -> Vec<u64> {
    shown.iter().map(|(number, at)| at - number * APART).collect()
}

fn expect_order(shown: &[(u64, u64)]) {
    assert!(shown.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "two were swapped, or one was shown twice");
}

#[test]
fn motion_is_even_on_a_network_that_is_not_and_the_delay_is_the_one_that_was_asked_for() {
    let sent = over(1800, jittery);
    let (plain, smooth) = (shown(&sent, 0, DECODES), shown(&sent, 100 * MS, DECODES));
    let (before, after) = (unevenness(&plain), unevenness(&smooth));
    assert!(before > 10.0 && after < before / 50.0, "{before} ms, and {after} ms with it");
    assert_eq!(smooth.len(), 1800, "nothing is left out");
    expect_order(&smooth);
    // The least way is 10 ms, and 100 ms are added to it; half a millisecond is this test's own.
    let ages = ages(&smooth[30..]);
    assert!(ages.iter().all(|age| (110 * MS..=111 * MS).contains(age)), "{:?}", ages.iter().max());
}

#[test]
fn what_is_later_than_the_delay_is_shown_at_once_and_costs_the_others_nothing() {
    let sent = over(900, |number, random| 10 * MS + if number % 50 == 49 { 150 * MS } else { random.u64(0..5 * MS) });
    let smooth = shown(&sent, 60 * MS, DECODES);
    expect_order(&smooth);
    for picture in &sent[50..] {
        let Some((_, at)) = smooth.iter().find(|(number, _)| *number == picture.number) else {
            // Those that came behind a late one, all at once.
            assert!(picture.received - picture.captured > 70 * MS, "{} is missing", picture.number);
            continue;
        };
        let due = picture.captured + 70 * MS;
        let late = at.saturating_sub(due.max(picture.received + DECODES));
        assert!(late <= 6 * MS && *at >= due, "{} by {late} µs", picture.number);
    }
}

#[test]
fn a_link_that_stalls_recovers_at_once_and_the_delay_is_what_it_was() {
    // From picture 300 on nothing comes for two seconds, and then all of it.
    let sent = over(900, |number, random| {
        let stalled = (300..360).contains(&number);
        random.u64(0..20 * MS) + if stalled { (360 - number) * APART } else { 10 * MS }
    });
    let smooth = shown(&sent, 100 * MS, DECODES);
    expect_order(&smooth);
    assert!(smooth.len() > 830, "only what was late is left out: {}", smooth.len());
    let again: Vec<_> = smooth.iter().filter(|(number, _)| *number > 366).copied().collect();
    assert!(unevenness(&again) < 0.2, "{}", unevenness(&again));
    assert!(ages(&again).iter().all(|age| (100 * MS..112 * MS).contains(age)));
}

#[test]
fn lost_pictures_leave_a_gap_and_move_nothing() {
    let mut sent = over(900, jittery);
    let mut random = fastrand::Rng::with_seed(3);
    sent.retain(|_| random.u8(0..20) != 0);
    let smooth = shown(&sent, 100 * MS, DECODES);
    assert_eq!(smooth.len(), sent.len());
    assert!(unevenness(&smooth) < 0.3, "{}", unevenness(&smooth));
}

#[test]
fn neither_clocks_that_drift_nor_a_path_that_changes_freeze_it_or_let_the_delay_grow() {
    let settled = |shown: &Shown, from: u64, until: u64| {
        let part: Vec<_> = shown.iter().filter(|(n, _)| (from..until).contains(n)).copied().collect();
        assert!(unevenness(&part) < 1.0, "{} to {}: {}", from, until, unevenness(&part));
        let ages = ages(&part);
        (*ages.iter().min().unwrap(), *ages.iter().max().unwrap())
    };
    // Ten minutes in which one clock gains 200 µs a second on the other, and loses them.
    for sign in [1, -1] {
        let mut sent = over(18_000, |_, random| 210 * MS + random.u64(0..20 * MS));
        for picture in &mut sent {
            picture.captured = picture.captured.saturating_add_signed(picture.captured.cast_signed() * sign / 5000);
        }
        let smooth = shown(&sent, 60 * MS, DECODES);
        let (least, most) = settled(&smooth, 600, 18_000);
        assert!(least >= 266 * MS && most <= 274 * MS, "{sign}: {least} to {most}");
    }
    // A longer way, by less than the delay and by more; and back.
    for more in [30, 300] {
        let sent = over(3600, |number, random| {
            10 * MS + random.u64(0..10 * MS) + if (1200..2400).contains(&number) { more * MS } else { 0 }
        });
        let smooth = shown(&sent, 60 * MS, DECODES);
        expect_order(&smooth);
        let (least, most) = settled(&smooth, 1600, 2390);
        assert!(least >= (70 + more) * MS && most <= (72 + more) * MS, "{more}: {least} to {most}");
        let (least, most) = settled(&smooth, 2420, 3600);
        assert!(least >= 70 * MS && most <= 72 * MS, "{more}: {least} to {most}");
    }
}

#[test]
fn a_clock_that_is_set_or_known_at_last_stops_nothing() {
    // An hour forth, and an hour back.
    for set in [3_600_000_000_i64, -3_600_000_000] {
        let mut sent = over(300, jittery);
        for picture in &mut sent {
            picture.captured += 3_600_000_000;
            picture.received += 3_600_000_000;
            if picture.number >= 150 {
                picture.captured = picture.captured.saturating_add_signed(set);
            }
        }
        let smoothed: Vec<u64> = {
            let mut smoother = Smoother::new(Duration::from_millis(100));
            let mut waits = Vec::new();
            for picture in &sent {
                let received = Micros(START + picture.received);
                let captured = Micros(START + picture.captured);
                smoother.put(picture.number, Came { captured, is_guess: false, received, bytes: 1 });
                let (came, _, _) = smoother.take(received).unwrap();
                waits.push(micros(smoother.wait(&came, received)));
            }
            waits
        };
        assert!(smoothed.iter().all(|wait| *wait <= 100 * MS), "none waits for longer than it may");
        assert!(smoothed[250..].iter().any(|wait| *wait > 90 * MS), "and the new times are learned");
    }
    // What is guessed says nothing of what is known.
    let mut smoother = Smoother::new(Duration::from_millis(100));
    let came = |captured, received, is_guess| Came {
        captured: Micros(START + captured),
        is_guess,
        received: Micros(START + received),
        bytes: 1,
    };
    smoother.put(1, came(0, 0, true));
    smoother.take(Micros(START)).unwrap();
    smoother.put(2, came(33 * MS, 533 * MS, false));
    let (second, ..) = smoother.take(Micros(START + 533 * MS)).unwrap();
    assert_eq!(smoother.wait(&second, Micros(START + 533 * MS)), Duration::from_millis(100));
}

#[test]
fn a_decoder_that_is_too_slow_shows_fewer_and_the_delay_does_not_grow() {
    let sent = over(900, jittery);
    let slow = shown(&sent, 60 * MS, 50 * MS);
    expect_order(&slow);
    assert!((500..620).contains(&slow.len()), "{}", slow.len());
    // The delay, and how long it decodes, and the picture before.
    assert!(ages(&slow).iter().all(|age| *age <= (10 + 60 + 70 + 50 + 34) * MS));
}

#[test]
fn what_waits_is_bounded_and_the_newest_are_kept_and_shown_early() {
    for (count, bytes) in [(5000, 10), (500, 1 << 20)] {
        let mut smoother = Smoother::new(Duration::from_secs(1));
        let came = |n: u64| Came {
            captured: Micros(START + n * MS),
            is_guess: false,
            received: Micros(START + n * MS + 5),
            bytes,
        };
        let mut left_out = 0;
        for n in 0..count {
            left_out += smoother.put(n, came(n));
            assert!(smoother.waiting.len() <= MOST && smoother.bytes <= MOST_BYTES);
        }
        assert_eq!(left_out as u64 + smoother.waiting.len() as u64, count);
        let now = Micros(START + count * MS);
        let (first, number, skipped) = smoother.take(now).unwrap();
        assert_eq!((skipped, number + 1 + smoother.waiting.len() as u64), (0, count), "the newest are kept");
        // There is no more room than this: it is shown before it is due, and nothing is left out.
        let more = smoother.put(count, came(count));
        assert!(more == 0 && smoother.wait(&first, now).is_zero());
    }
    // One that is larger than all the room is shown all the same.
    let mut smoother = Smoother::new(Duration::from_secs(1));
    let came = Came { captured: Micros(START), is_guess: false, received: Micros(START), bytes: 2 * MOST_BYTES };
    assert_eq!(smoother.put(1, came), 0);
    assert_eq!(smoother.take(Micros(START)).map(|(_, number, _)| number), Some(1));
}
