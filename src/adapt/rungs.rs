//! Many viewers' targets summed into a few rungs, and back.

use std::cmp::Reverse;

use super::{ANY, Resolution, Rung, Target};

/// Rungs that a stream is encoded at, at most. Each costs the publisher an encoding and its bytes on the uplink for every
/// frame; with four, a viewer whose link lies anywhere between a tenth and the whole gets at least two thirds of what it
/// could have.
pub const MOST_RUNGS: usize = 4;

/// Sizes and qualities of viewers who insist on one that are told apart, so that a crowd that wants a thousand of them costs
/// no more than one that wants a hundred.
const MOST_CLASSES: usize = 128;

/// How much worse than the best choice the rungs in use may be before they are changed, in [`cost`]'s unit for each
/// viewer: a quarter of a doubling of bytes for a third of them.
const PATIENCE: f64 = 0.08;

/// The rungs that serve these targets, at most [`MOST_RUNGS`]; none if nobody watches. Those that the publisher may fit come
/// first, the largest before the others; then those of which somebody insists on a quality or a size, so that nobody else
/// waits until they are encoded.
///
/// Every target that asks for bytes gets a rung not larger than it, and while four suffice, its own. Beyond that the
/// cheapest neighbours are merged: two of bytes into the smaller (a viewer cannot be given more than its link carries),
/// two sizes into the one that more viewers asked for. Of fixed qualities the best stay, and the lowest goes: nobody is given
/// less than it insists on because many want less. The rungs `before` stay as long as they serve all and are nearly as good,
/// so that one viewer's step does not move everybody's picture.
#[must_use]
pub fn rungs_for(targets: &[Target], before: &[Rung]) -> Vec<Rung> {
    let mut classes = classes(targets);
    while classes.len() > MOST_RUNGS {
        let last = classes.len() - 1;
        let stay = |i: usize| i < last && are_two_qualities(classes[i - 1].rung, classes[i].rung);
        let costs = (1..=last).filter(|i| !stay(*i)).map(|i| (i, merge_cost(classes[i - 1], classes[i])));
        let Some((at, _)) = costs.min_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        let (above, below) = (classes[at - 1], classes.remove(at));
        let rung = match (rank(above.rung), rank(below.rung)) {
            (Rank::Fitted, Rank::Fitted) => below.rung,
            // Whoever may have any size is served by the full one; and nobody who insists takes a fitted rung away.
            (Rank::Whole, Rank::Whole) => Rung::FULL,
            (Rank::Whole | Rank::Fitted, _) => above.rung,
            _ if are_two_qualities(above.rung, below.rung) => above.rung,
            _ if above.viewers >= below.viewers => above.rung,
            _ => below.rung,
        };
        classes[at - 1] = Class { rung, viewers: above.viewers + below.viewers };
    }
    let best: Vec<Rung> = classes.iter().map(|c| c.rung).collect();
    let serves = |rungs: &[Rung]| targets.iter().all(|n| rung_of(*n, rungs).is_some_and(|at| fits(*n, rungs[at])));
    let used = |rungs: &[Rung]| (0..rungs.len()).all(|at| targets.iter().any(|n| rung_of(*n, rungs) == Some(at)));
    let qualities = |rungs: &[Rung]| rungs.iter().map(|rung| rung.quality).filter(|q| *q > 0).collect::<Vec<_>>();
    let stays = before.len() <= MOST_RUNGS
        && !before.is_empty()
        && qualities(before) == qualities(&best)
        && serves(before)
        && used(before)
        && cost(targets, before) <= cost(targets, &best) + PATIENCE * targets.len() as f64;
    if stays { before.to_vec() } else { best }
}

/// Which of the rungs a viewer with this target is given: the largest that its link carries, or else the smallest; for a
/// fixed quality the nearest. `None` only if there are no rungs.
#[must_use]
pub fn rung_of(target: Target, rungs: &[Rung]) -> Option<usize> {
    nearest(target, rungs.iter().copied().enumerate())
}

/// As [`rung_of`], of rungs with numbers.
#[must_use]
pub fn nearest(target: Target, mut rungs: impl Iterator<Item = (usize, Rung)>) -> Option<usize> {
    let first = rungs.next()?;
    // The usual case, asked for every picture of every viewer.
    let Some(second) = rungs.next() else { return Some(first.0) };
    let far = [first, second].into_iter().chain(rungs).map(|(at, rung)| (at, distance(target, rung)));
    far.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(at, _)| at)
}

/// Whether a picture of this rung is what a viewer with this target asks for, and not just the next best there is.
#[must_use]
pub fn serves(target: Target, rung: Rung) -> bool {
    // A level or two of bytes below what a link carries is a rung shared with others, and no other picture.
    let bytes = rung.bytes >= target.bytes / 2 || target.bytes == ANY && rung.bytes == ANY;
    bytes && rung.quality == target.quality && is_of_size(target.size, rung.size)
}

/// Viewers who would take the same rung if there were as many as they like.
#[derive(Clone, Copy, Debug)]
struct Class {
    rung: Rung,
    viewers: usize,
}

/// What a rung is, in the order of [`rungs_for`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The publisher's own pictures.
    Whole,
    /// Those that fit a link.
    Fitted,
    /// Somebody insists on a size.
    Sized,
    /// Somebody insists on a quality.
    Fixed,
}

/// Whether somebody insists on each of two, and not on the same.
fn are_two_qualities(a: Rung, b: Rung) -> bool {
    a.quality > 0 && b.quality > 0 && a.quality != b.quality
}

fn rank(rung: Rung) -> Rank {
    match rung {
        Rung { quality: 1.., .. } => Rank::Fixed,
        Rung { size: Resolution::Of(_), .. } => Rank::Sized,
        Rung { bytes: ANY, .. } => Rank::Whole,
        _ => Rank::Fitted,
    }
}

/// Needs gathered by equality, by rank and then from the largest.
fn classes(targets: &[Target]) -> Vec<Class> {
    let mut sorted = targets.to_vec();
    let order = |target: &Target| {
        let rung = Rung::from(*target);
        (rank(rung), Reverse(rung.quality), target.size, Reverse(rung.bytes))
    };
    sorted.sort_unstable_by_key(order);
    let mut classes: Vec<Class> = Vec::new();
    for target in sorted {
        let rung = Rung::from(target);
        let full = classes.len() >= MOST_CLASSES && rank(rung) >= Rank::Sized;
        match classes.last_mut().filter(|c| c.rung == rung || full) {
            Some(class) => class.viewers += 1,
            None => classes.push(Class { rung, viewers: 1 }),
        }
    }
    classes
}

/// Doublings of bytes between two bounds; none of any is taken for 256 KiB.
fn doublings(large: u32, small: u32) -> f64 {
    let log = |bytes: u32| f64::from(bytes.clamp(256, 256 * 1024)).log2();
    (log(large) - log(small)).max(0.0)
}

/// What is lost when two neighbouring classes become one.
fn merge_cost(above: Class, below: Class) -> f64 {
    let (a, b) = (above.rung, below.rung);
    let fewer = above.viewers.min(below.viewers) as f64;
    match (rank(a), rank(b)) {
        (Rank::Whole, Rank::Whole) => 0.25,
        (Rank::Whole | Rank::Fitted, Rank::Fitted) if a.size == b.size => {
            doublings(a.bytes, b.bytes) * above.viewers as f64
        }
        (Rank::Sized, Rank::Sized) => apart(a.size, b.size) * fewer,
        (Rank::Fixed, Rank::Fixed) => (f64::from(a.quality.abs_diff(b.quality)) / 20.0 + apart(a.size, b.size)) * fewer,
        _ => 1e3,
    }
}

/// How far a rung is from a target; one that is too large for the link is further than any that is not.
fn distance(target: Target, rung: Rung) -> f64 {
    let quality = match (target.quality, rung.quality) {
        (0, 0) => 0.0,
        // A rung of a fixed quality and any size is no help to a link that needs a bound, and hardly what `auto` means.
        (0, _) => 8.0,
        (_, 0) => 30.0,
        (a, b) => f64::from(a.abs_diff(b)) / 20.0,
    };
    let size = match (target.size, rung.size) {
        // The same pictures, until an uplink makes some of them smaller.
        (Resolution::Any, Resolution::Full) => 0.25,
        _ if is_of_size(target.size, rung.size) => 0.0,
        // As with qualities: what somebody insists on is hardly what another means.
        (Resolution::Any, _) => 8.0,
        (wanted, given) => 20.0 + apart(wanted, given),
    };
    let over = doublings(rung.bytes, target.bytes);
    quality + size + if over > 0.0 { 100.0 + over } else { doublings(target.bytes, rung.bytes) }
}

/// Whether a viewer with this target is served by this rung without a queue, and with no change of size that it did not
/// allow.
fn fits(target: Target, rung: Rung) -> bool {
    rung.bytes <= target.bytes && is_of_size(target.size, rung.size)
}

/// Whether pictures of the one have the size that the other asks for.
#[must_use]
pub fn is_of_size(wanted: Resolution, given: Resolution) -> bool {
    wanted == given || wanted == Resolution::Any && given == Resolution::Full
}

/// How unlike two sizes are, in doublings of the area; a size that is not known is far.
fn apart(a: Resolution, b: Resolution) -> f64 {
    match (a, b) {
        (Resolution::Of(a), Resolution::Of(b)) => (a.area().max(1) as f64 / b.area().max(1) as f64).log2().abs(),
        _ if a == b => 0.0,
        _ => 4.0,
    }
}

fn cost(targets: &[Target], rungs: &[Rung]) -> f64 {
    targets.iter().map(|&n| rung_of(n, rungs).map_or(0.0, |at| distance(n, rungs[at]))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    fn bytes(bytes: u32) -> Target {
        Target { bytes, ..Target::default() }
    }

    fn quality(quality: u8) -> Target {
        Target { quality, ..Target::default() }
    }

    #[test]
    fn nobody_watching_is_no_rung_and_equal_viewers_are_one() {
        assert_eq!(rungs_for(&[], &[Rung::default()]), []);
        assert_eq!(rungs_for(&[Target::default(); 1000], &[]), [Rung::default()]);
    }

    #[test]
    fn every_viewer_gets_a_rung_that_its_link_carries() {
        let targets: Vec<_> = (0..40).map(|i| bytes(2_000 + i * 900)).chain([Target::default(); 20]).collect();
        let rungs = rungs_for(&targets, &[]);
        assert!(rungs.len() <= MOST_RUNGS && rungs[0] == Rung::default(), "{rungs:?}");
        for target in targets {
            let rung = rungs[rung_of(target, &rungs).unwrap()];
            assert!(rung.bytes <= target.bytes, "{target:?} of {rungs:?}");
        }
    }

    #[test]
    fn few_slow_viewers_leave_the_many_fast_ones_alone() {
        let mut targets = vec![Target::default(); 90];
        targets.extend((0..10).map(|i| bytes(5_000 + 500 * i)));
        let rungs = rungs_for(&targets, &[]);
        assert_eq!(rung_of(Target::default(), &rungs), Some(0));
        assert_eq!(rungs[0], Rung::default());
    }

    #[test]
    fn of_qualities_the_four_best_are_met_exactly_and_the_others_by_the_nearest_of_these() {
        let four = [quality(90), quality(70), quality(50), Target::default()];
        let rungs = rungs_for(&four, &[]);
        for target in four {
            assert_eq!(rungs[rung_of(target, &rungs).unwrap()].quality, target.quality);
        }
        // However many want a lower one.
        let many: Vec<_> = [30, 45, 60, 75, 90, 95].map(quality).into_iter().chain([quality(45); 20]).collect();
        let rungs = rungs_for(&many, &[]);
        assert_eq!(rungs.iter().map(|rung| rung.quality).collect::<Vec<_>>(), [95, 90, 75, 60]);
        assert_eq!(rung_of(quality(45), &rungs), Some(3));
        // Also where one comes to four who have theirs already, and when it leaves.
        let before = rungs_for(&[30, 45, 60, 75].map(quality), &[]);
        assert_eq!(rungs_for(&[30, 45, 60, 75, 90].map(quality), &before)[0].quality, 90);
        assert_eq!(rungs_for(&[30, 45, 60, 75].map(quality), &rungs), before);
    }

    #[test]
    fn one_viewers_small_step_moves_nobody_and_a_fall_is_followed() {
        let mut targets = vec![bytes(10_000), bytes(10_000), bytes(10_000), bytes(10_000)];
        let rungs = rungs_for(&targets, &[]);
        targets[0] = bytes(11_900);
        assert_eq!(rungs_for(&targets, &rungs), rungs);
        targets[1] = bytes(5_000);
        let rungs = rungs_for(&targets, &rungs);
        assert_eq!(rung_of(targets[1], &rungs).map(|at| rungs[at].bytes), Some(5_000));
    }

    #[test]
    fn a_rung_that_nobody_uses_any_more_is_dropped() {
        let rungs = rungs_for(&[Target::default(), bytes(5_000)], &[]);
        assert_eq!(rungs.len(), 2);
        assert_eq!(rungs_for(&[Target::default(), Target::default()], &rungs), [Rung::default()]);
    }

    #[test]
    fn a_recorder_beside_viewers_that_adapt_keeps_the_full_size_and_they_keep_theirs() {
        let recorder = Target { size: Resolution::Full, ..Target::default() };
        assert_eq!(rungs_for(&[recorder], &[]), [Rung::FULL]);
        let targets = [recorder, Target::default(), bytes(3_000)];
        let rungs = rungs_for(&targets, &[]);
        assert_eq!(targets.map(|n| rungs[rung_of(n, &rungs).unwrap()]), targets.map(Rung::from));
        // One that comes to others is not given theirs, and none is left when it goes.
        assert_eq!(rungs_for(&[recorder, bytes(3_000)], &[Rung::from(bytes(3_000))]).len(), 2);
        assert_eq!(rungs_for(&[Target::default()], &[Rung::FULL]), [Rung::default()]);
    }

    #[test]
    fn those_who_insist_on_sizes_and_qualities_take_no_rung_from_the_others() {
        let sized = |side: u32| Target { size: Resolution::Of(Size::new(side, side)), ..Target::default() };
        let recorder = Target { size: Resolution::Full, ..Target::default() };
        let strangers: Vec<_> = (1..100).map(quality).chain((16..400).map(sized)).collect();
        let targets = [strangers, vec![Target::default(), recorder, bytes(3_000), bytes(3_500)]].concat();
        let rungs = rungs_for(&targets, &[]);
        assert!(rungs.len() <= MOST_RUNGS, "{rungs:?}");
        let given = |target| rungs[rung_of(target, &rungs).unwrap()];
        assert_eq!(
            [given(Target::default()), given(recorder), given(bytes(3_500))],
            [Rung::FULL, Rung::FULL, Rung::from(bytes(3_000))]
        );
    }
}
