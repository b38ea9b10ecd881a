//! Pictures over links of every kind, on a virtual clock.

use super::*;

const INTERVAL: Duration = Duration::from_millis(33);

fn at(ms: u64) -> Micros {
    Micros(1_000_000 + ms * 1_000)
}

fn holds(outstanding: u32) -> Option<Feedback> {
    Some(Feedback { outstanding, min_rtt: Some(Duration::from_millis(40)), ..Feedback::default() })
}

/// Asks with a kernel that holds so many bytes.
fn ask(window: &mut Window, outstanding: u32, ms: u64) -> Answer {
    match window.ask(at(ms), INTERVAL) {
        Answer::Measure => {
            window.measured(holds(outstanding), at(ms));
            window.ask(at(ms), INTERVAL)
        }
        answer => answer,
    }
}

#[test]
fn a_viewer_that_has_everything_is_given_the_next_and_the_kernel_is_not_asked() {
    let mut window = Window::new();
    for i in 0..100_u32 {
        let ms = u64::from(i) * 33;
        assert_eq!(window.ask(at(ms), INTERVAL), Answer::Now);
        window.given(i, 40_000, at(ms));
        window.acknowledged(i, 0, at(ms + 2));
    }
}

#[test]
fn a_link_that_was_never_late_has_no_rate_that_could_be_too_low() {
    let mut window = Window::new();
    for i in 0..20 {
        assert_eq!(ask(&mut window, 0, 33 * i), Answer::Now);
        assert_eq!(window.rate(at(33 * i)), None);
        window.given(i as u32, 25_000 + 1000 * i as usize, at(33 * i));
    }
}

#[test]
fn a_kernel_that_always_had_everything_sent_is_asked_every_second_time_until_it_has_not() {
    let mut window = Window::new();
    let mut asked = Vec::new();
    for i in 0..200_u32 {
        let now = at(u64::from(i) * 33);
        // The link stops for good at picture 150.
        let held = if i < 150 { 0 } else { (i - 150) * 40_000 };
        if window.ask(now, INTERVAL) == Answer::Measure {
            asked.push(i);
            window.measured(holds(held), now);
        }
        if window.ask(now, INTERVAL) == Answer::Now {
            window.given(i, 40_000, now);
        }
    }
    let between = |from, to| asked.iter().filter(|i| (from..to).contains(*i)).count();
    assert_eq!(between(0, 30), 29, "at first every time but the first");
    assert_eq!(between(50, 150), 50);
    assert_eq!(between(153, 200), 47, "every time when something stands");
    assert!(window.outstanding() <= 3 * 40_000, "{}", window.outstanding());
}

#[test]
fn a_slow_link_is_given_the_next_picture_when_its_queue_is_about_empty() {
    // 4 Mbit/s and 40 ms: a picture of 37 kB takes 74 ms, and 20 kB are in the air.
    let mut window = Window::new();
    let (mut given, mut free, mut waits) = (Vec::new(), 0.0_f64, Vec::new());
    for ms in 0..20_000 {
        let outstanding: f64 =
            given.iter().map(|&(_, end): &(u64, f64)| (end + 40.0 - ms as f64).clamp(0.0, 74.0) * 500.0).sum();
        if ms % 33 != 0 && ms % 4 != 0 {
            continue;
        }
        if ask(&mut window, outstanding as u32, ms) == Answer::Now {
            waits.push((free - ms as f64).max(0.0));
            free = free.max(ms as f64) + 74.0;
            given.push((ms, free));
            window.given(given.len() as u32, 37_000, at(ms));
        }
    }
    let late = &waits[waits.len() / 2..];
    assert!(late.iter().all(|&w| w < 20.0), "a picture waited for the one before: {late:?}");
    assert!(given.len() > 250, "the link idled: {} pictures of 270", given.len());
}

#[test]
fn several_pictures_are_under_way_where_the_round_trip_is_longer_than_the_interval() {
    let mut window = Window::new();
    let mut most = 0;
    for i in 0..60_u32 {
        let ms = u64::from(i) * 33;
        // 200 ms there and back, and no queue.
        if i >= 7 {
            window.acknowledged(i - 7, 0, at(ms - 30));
        }
        let kernel = Feedback {
            outstanding: 10_000 * i.min(6),
            min_rtt: Some(Duration::from_millis(200)),
            ..Feedback::default()
        };
        if window.ask(at(ms), INTERVAL) == Answer::Measure {
            window.measured(Some(kernel), at(ms));
        }
        assert_eq!(window.ask(at(ms), INTERVAL), Answer::Now, "picture {i}");
        window.given(i, 10_000, at(ms));
        most = most.max(window.under_way());
    }
    assert_eq!(most, 7);
}

/// Gives 25 kB every 33 ms to a link that has them after `takes` ms, read in turns of `turn` ms; the rate in the end.
fn rate_read_in_turns(takes: u64, turn: u64, tells: bool) -> f64 {
    let mut window = Window::new();
    // The kernel would know better.
    window.measured(None, at(0));
    let mut acks = VecDeque::new();
    for ms in 0..6_000_u64 {
        let since = if tells { ms - ms % turn - turn.min(ms - ms % turn) } else { ms };
        while ms % turn == 0 && acks.front().is_some_and(|&(_, due)| due <= ms) {
            let (sequence, _) = acks.pop_front().unwrap();
            window.acknowledged_since(sequence, 0, at(since), at(ms));
        }
        if ms % 33 == 0 && ask(&mut window, 0, ms) == Answer::Now {
            window.given(ms as u32, 25_000, at(ms));
            acks.push_back((ms as u32, ms + takes));
        }
    }
    window.rate(at(6_000)).map_or(f64::INFINITY, |rate| rate.sure)
}

#[test]
fn what_a_busy_program_hears_late_says_nothing_against_the_link() {
    let needed = 25_000.0 / 0.033;
    assert!(rate_read_in_turns(2, 1, true) > 2.0 * needed);
    let busy = rate_read_in_turns(2, 60, true);
    assert!(busy > 1.2 * needed, "{busy}");
    let not_told = rate_read_in_turns(2, 60, false);
    assert!(not_told < needed, "what is the program's time is taken for the link's: {not_told}");
}

#[test]
fn holes_of_a_long_path_are_no_queue() {
    // 200 kB under way at any time, and eight segments of it known to be lost.
    let rate = |lost: u32| {
        let mut window = Window::new();
        for i in 0..300_u32 {
            let ms = u64::from(i) * 33;
            if let Some(arrived) = i.checked_sub(6) {
                window.acknowledged(arrived, 0, at(ms - 31));
            }
            let kernel = Feedback {
                outstanding: 25_000 * i.min(4) + 8 * 1_448,
                lost,
                stalled: true,
                min_rtt: Some(Duration::from_millis(150)),
                ..Feedback::default()
            };
            if window.ask(at(ms), INTERVAL) == Answer::Measure {
                window.measured(Some(kernel), at(ms));
            }
            window.ask(at(ms), INTERVAL);
            window.given(i, 25_000, at(ms));
        }
        window.rate(at(10_000)).map_or(f64::INFINITY, |rate| rate.sure)
    };
    assert!(rate(8 * 1_448) > 3.0 * rate(0), "{} {}", rate(8 * 1_448), rate(0));
}

#[test]
fn one_acknowledgement_stands_for_all_before_it_and_unknown_ones_for_nothing() {
    let mut window = Window::new();
    for i in 0..4 {
        window.given(i, 10_000, at(u64::from(i)));
    }
    window.acknowledged(77, 0, at(9));
    assert_eq!(window.under_way(), 4);
    window.acknowledged(2, 0, at(10));
    assert_eq!(window.under_way(), 1);
    window.acknowledged(1, 0, at(11));
    assert_eq!(window.under_way(), 1);
}

#[test]
fn rungs_of_one_frame_are_under_way_until_each_is_acknowledged() {
    let mut window = Window::new();
    window.given(5, 30_000, at(0));
    window.given(5, 10_000, at(0));
    window.acknowledged(5, 0, at(3));
    assert_eq!(window.under_way(), 1);
    window.acknowledged(5, 0, at(4));
    assert_eq!((window.under_way(), window.outstanding()), (0, 0));
}

#[test]
fn the_time_between_the_rungs_of_a_frame_is_not_taken_for_the_links() {
    // 80 Mbit/s and 20 ms; four rungs of 20 kB, 8 ms of encoding apart.
    let mut window = Window::new();
    let mut acks = VecDeque::new();
    for ms in 0..4_000_u64 {
        while acks.front().is_some_and(|&(_, due)| due <= ms) {
            let (sequence, _) = acks.pop_front().unwrap();
            window.acknowledged(sequence, 0, at(ms));
        }
        if ms % 40 < 32 && ms % 8 == 0 {
            let sequence = (ms / 40) as u32;
            let outstanding = acks.len() as u32 * 20_000;
            if window.ask(at(ms), Duration::from_millis(40)) == Answer::Measure {
                let kernel = Feedback { min_rtt: Some(Duration::from_millis(20)), outstanding, ..Feedback::default() };
                window.measured(Some(kernel), at(ms));
            }
            assert_eq!(window.ask(at(ms), Duration::from_millis(40)), Answer::Now, "at {ms} ms");
            window.given(sequence, 20_000, at(ms));
            acks.push_back((sequence, ms + 22));
        }
    }
    let rate = window.rate(at(4_000)).unwrap();
    assert!((9e6..11e6).contains(&rate.sure), "{rate:?}: 20 kB took 2 ms");
}

#[test]
fn a_viewer_that_falls_silent_is_given_a_picture_a_second_at_most_and_memory_stays_small() {
    let mut window = Window::new();
    window.given(0, 10_000, at(0));
    window.acknowledged(0, 0, at(2));
    let mut times = Vec::new();
    for ms in (10..60_000).step_by(10) {
        if ask(&mut window, 0, ms) == Answer::Now {
            times.push(ms);
            window.given(times.len() as u32, 10_000, at(ms));
        }
    }
    assert!((40..80).contains(&times.len()), "{}", times.len());
    assert!(window.under_way() <= MOST);
}

#[test]
fn behind_a_proxy_the_viewer_is_believed_and_not_the_kernel() {
    // The proxy takes everything at once; the viewer behind it gets a picture each 100 ms.
    let mut window = Window::new();
    let (mut queue, mut served, mut most) = (VecDeque::new(), 0_u64, 0);
    for ms in 0..30_000_u64 {
        while queue.front().is_some_and(|&(_, done)| done <= ms) {
            let (sequence, _) = queue.pop_front().unwrap();
            window.acknowledged(sequence, 0, at(ms));
        }
        if ms % 33 == 0 && ask(&mut window, 0, ms) == Answer::Now {
            served = served.max(ms) + 100;
            queue.push_back((ms as u32, served));
            window.given(ms as u32, 40_000, at(ms));
        }
        if ms > 5_000 {
            most = most.max(queue.len());
        }
    }
    assert!(most <= 3, "{most} pictures wait in the proxy");
}

#[test]
fn where_nobody_tells_anything_only_the_socket_paces() {
    let mut window = Window::new();
    for i in 0..1_000_u32 {
        let ms = u64::from(i) * 33;
        if window.ask(at(ms), INTERVAL) == Answer::Measure {
            window.measured(None, at(ms));
        }
        assert_eq!(window.ask(at(ms), INTERVAL), Answer::Now);
        window.given(i, 10_000, at(ms));
    }
    assert!(window.under_way() <= 1);
}

#[test]
fn a_viewer_whose_acknowledgements_stop_is_given_pictures_again_but_rarely() {
    let mut window = Window::new();
    window.measured(None, at(0));
    // Pictures take 30 ms, so there is a rate and a queue is noticed.
    for i in 0..50_u32 {
        let ms = u64::from(i) * 33;
        assert_eq!(window.ask(at(ms), INTERVAL), Answer::Now);
        window.given(i, 40_000, at(ms));
        window.acknowledged(i, 0, at(ms + 30));
    }
    let given: Vec<u32> = (50..50 + 30 * 180)
        .filter(|&i| {
            let ms = u64::from(i) * 33;
            let now = window.ask(at(ms), INTERVAL) == Answer::Now;
            if now {
                window.given(i, 40_000, at(ms));
            }
            now
        })
        .collect();
    assert!((5..=15).contains(&given.len()), "in three minutes: {given:?}");
    assert!(given.last().is_some_and(|&last| last > 50 + 30 * 120), "{given:?}");
}

#[test]
fn whoever_said_that_it_acknowledges_is_given_no_more_than_a_window_before_its_first_acknowledgement() {
    let given = |says: bool| {
        let mut window = Window::new();
        if says {
            window.expect_acknowledgements();
        }
        // Its kernel has each picture at once; the program behind it has not read one yet.
        let mut given = 0;
        for i in 0..20 {
            if ask(&mut window, 0, 33 * i) == Answer::Now {
                window.given(i as u32, 40_000, at(33 * i));
                given += 1;
            }
        }
        given
    };
    assert_eq!(given(false), 20, "nobody knows that it reads late");
    assert!((2..=8).contains(&given(true)), "{}", given(true));
}
