//! A clock that is set while pictures come: on paths of every length, at any moment, with and without loss.

use std::collections::VecDeque;
use std::time::Duration;

use super::tests::{START, comes};
use super::{Due, Session};
use crate::time::Micros;
use crate::wire::control::Control;

/// What an age may be wrong by, in milliseconds.
const RIGHT: i64 = 5;
/// A picture in segments: a small one, as it becomes on a path with loss.
const SEGMENTS: u64 = 4;
/// The stream's time from picture to picture.
const APART: u64 = 33;

/// Numbers that look like chance, the same in every run.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// One way of a connection over TCP: what was lost comes late, and everything behind it waits.
pub(super) struct Way<T> {
    takes: u64,
    /// In a hundred segments.
    lost: u64,
    on_it: VecDeque<(u64, T)>,
}

impl<T> Way<T> {
    pub(super) fn new(takes: u64, lost: u64) -> Self {
        Self { takes, lost, on_it: VecDeque::new() }
    }

    pub(super) fn send(&mut self, now: u64, segments: u64, what: T, chance: &mut Chance) {
        let lost = (0..segments).any(|_| chance.below(100) < self.lost);
        let again = if lost { 2 * self.takes + chance.below(250) } else { 0 };
        let before = self.on_it.back().map_or(0, |(at, _)| *at);
        self.on_it.push_back((before.max(now + self.takes + again), what));
    }

    pub(super) fn arrived(&mut self, now: u64) -> Option<T> {
        self.on_it.pop_front_if(|(at, _)| *at <= now).map(|(_, what)| what)
    }
}

enum Back {
    Pong(u64, u64),
    /// When it was sent, by the right clock and by theirs.
    Picture(u64, u64),
}

/// What was told wrong of a stream, whose clock was set by `by` at `at`. All in milliseconds.
#[derive(Debug, Default)]
struct Wrong {
    /// Pictures whose age was wrong by more than what is right and than the bound, without a flag; but for those of a path
    /// with loss until three that were not held up came in a row: only they tell of a step.
    unflagged: usize,
    /// Until when any age was wrong, after the step.
    until: u64,
    /// Until when any was flagged, after the step.
    flagged: u64,
    pings: usize,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    takes: u64,
    lost: u64,
    by: i64,
    at: u64,
    seed: u64,
}

fn run(Case { takes, lost, by, at, seed }: Case) -> Wrong {
    let (mut session, mut wrong, mut chance) = (Session::with_clock(START), Wrong::default(), Chance(seed));
    let (mut there, mut back) = (Way::new(takes, lost), Way::new(takes, lost));
    let mut in_a_row = 0;
    let theirs = |now: u64| {
        let ahead = 70_000 + if now >= at { by } else { 0 };
        Micros((START.0 + now * 1000).wrapping_add_signed(ahead * 1000)).0
    };
    for ms in 0..at + 8000 {
        let now = START + Duration::from_millis(ms);
        while let Due::Send(ping) = session.due(now) {
            let Control::Ping { time } = *ping else { panic!("{ping:?}") };
            wrong.pings += 1;
            there.send(ms, 1, time, &mut chance);
        }
        while let Some(time) = there.arrived(ms) {
            back.send(ms, 1, Back::Pong(time, theirs(ms)), &mut chance);
        }
        if ms % APART == 0 {
            back.send(ms, SEGMENTS, Back::Picture(ms, theirs(ms)), &mut chance);
        }
        while let Some(what) = back.arrived(ms) {
            match what {
                Back::Pong(time, theirs) => _ = session.control(&Control::Pong { time, now: theirs }, now),
                Back::Picture(sent, captured) => {
                    let (ours, estimated, _) = comes(&mut session, captured, Duration::ZERO, now);
                    let age = i64::try_from(now.since(ours).as_millis()).unwrap();
                    let off = (age - (ms - sent).cast_signed()).abs();
                    let bound = session.clock.error().map_or(0, |error| i64::try_from(error.as_millis()).unwrap());
                    if (at..).contains(&sent) && in_a_row < 3 {
                        in_a_row = if ms == sent + takes { in_a_row + 1 } else { 0 };
                    }
                    let tells = lost == 0 || ms < at || in_a_row == 3;
                    wrong.unflagged += usize::from(tells && !estimated && off > RIGHT.max(bound));
                    if off > RIGHT && ms >= at {
                        wrong.until = ms - at;
                    }
                    if estimated && ms >= at {
                        wrong.flagged = ms - at;
                    }
                }
            }
        }
    }
    wrong
}

/// Steps both ways, within the first second and long after it.
fn cases(takes: u64, lost: u64, seeds: u64) -> impl Iterator<Item = Case> {
    let sizes = [5, 6, 8, 11, 15, 20, 30, 45, 60, 74, 76, 90, 110, 130, 140];
    let times = [20, 60, 100, 160, 190, 220, 260, 300, 400, 600, 900, 2500, 5430, 7001, 12_345];
    sizes
        .into_iter()
        .flat_map(|size| [size, -size])
        .flat_map(move |by| times.map(|at| (by, at)))
        .flat_map(move |(by, at)| (1..=seeds).map(move |seed| Case { takes, lost, by, at, seed: seed * 7919 + at }))
}

/// What went wrong in any of the cases, with how many there were; nothing if it is as it should be.
fn failures(cases: impl Iterator<Item = Case>, is_right: impl Fn(&Case, &Wrong) -> bool) -> String {
    let (mut of, mut wrong) = (0, Vec::new());
    for case in cases {
        of += 1;
        let told = run(case);
        if !is_right(&case, &told) {
            wrong.push((case, told));
        }
    }
    let examples: Vec<_> = wrong.iter().take(12).map(|wrong| format!("{wrong:?}")).collect();
    if wrong.is_empty() { String::new() } else { format!("{} of {of}:\n{}", wrong.len(), examples.join("\n")) }
}

#[test]
fn a_small_step_is_told_wrong_by_no_more_than_the_bound_and_right_within_a_second() {
    for takes in [0, 5, 75] {
        let failed =
            failures(cases(takes, 0, 1), |_, wrong| wrong.unflagged == 0 && wrong.until < 1000 && wrong.flagged < 2000);
        assert!(failed.is_empty(), "{takes} ms: {failed}");
    }
}

/// A picture that came late says nothing of the clock where others were held up for as long.
#[test]
fn under_loss_a_small_step_is_flagged_when_three_pictures_came_in_time_and_right_within_three_seconds() {
    for takes in [0, 5, 75] {
        let failed = failures(cases(takes, 2, 5), |_, wrong| wrong.unflagged == 0 && wrong.until < 3000);
        assert!(failed.is_empty(), "{takes} ms: {failed}");
    }
}

/// As NTP does it where it may not set a clock: by 500 millionths, or by what its daemon was told.
#[test]
fn a_clock_that_is_slewed_is_followed() {
    let mut failed = Vec::new();
    for (millionths, right) in [(200, 5000), (500, 5000), (700, 5000), (1000, 5000), (2000, 7000), (5000, 7000)] {
        for takes in [0, 1, 5, 10, 25, 75] {
            for (by, from) in [(millionths, 0), (-millionths, 0), (millionths, 20), (-millionths, 20)] {
                for (apart, jitter) in [(APART, 0), (50, 0), (APART, 300), (50, 300), (APART, 4000), (50, 4000)] {
                    let case = Slew { takes, by, from, apart, jitter };
                    let worst = slewed(&case);
                    if worst > right + jitter {
                        failed.push((worst, case));
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "{} in µs: {failed:#?}", failed.len());
}

/// A clock that is slewed for a minute.
#[derive(Debug)]
struct Slew {
    /// A way, in milliseconds, and what chance adds to it, in microseconds.
    takes: u64,
    jitter: u64,
    /// In millionths.
    by: i64,
    /// In seconds.
    from: u64,
    /// From picture to picture, in milliseconds.
    apart: u64,
}

/// How wrong an age without a flag was at most, in microseconds.
fn slewed(&Slew { takes, jitter, by, from, apart }: &Slew) -> u64 {
    let (mut session, mut chance, mut worst) = (Session::with_clock(START), Chance(7), 0);
    let (mut there, mut back) = (VecDeque::new(), VecDeque::new());
    let mut way = || Duration::from_micros(1000 * takes + chance.below(jitter + 1));
    let theirs = |now: Micros| {
        let slewed = now.since(START + Duration::from_secs(from)).min(Duration::from_secs(60));
        let parted = i64::try_from(slewed.as_micros()).unwrap() * by / 1_000_000;
        (now.0 + 70_000_000).wrapping_add_signed(parted)
    };
    for ms in 0..from * 1000 + 70_000 {
        let now = START + Duration::from_millis(ms);
        while let Due::Send(ping) = session.due(now) {
            let Control::Ping { time } = *ping else { panic!("{ping:?}") };
            there.push_back((now + way(), time));
        }
        while let Some((at, time)) = there.pop_front_if(|(at, _)| *at <= now) {
            back.push_back((at + way(), Control::Pong { time, now: theirs(at) }));
        }
        while let Some((at, pong)) = back.pop_front_if(|(at, _)| *at <= now) {
            session.control(&pong, at);
        }
        if ms % apart == 0 && ms > 0 {
            let took = way();
            session.heard(now);
            let (ours, estimated, _) = comes(&mut session, theirs(now - took), Duration::ZERO, now);
            let off = (now - took).0.abs_diff(ours.0);
            worst = if estimated { worst } else { worst.max(off) };
        }
    }
    worst
}
