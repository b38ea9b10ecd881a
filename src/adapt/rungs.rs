//! Many viewers' needs summed into a few rungs, and back.

use super::{ANY, Need, Rung};

/// Rungs that a stream is encoded at, at most. Each costs the publisher an encoding and its bytes on the uplink for every
/// frame; with four, a viewer whose link lies anywhere between a tenth and the whole gets at least two thirds of what it
/// could have.
pub const MOST_RUNGS: usize = 4;

/// How much worse than the best choice the rungs in use may be before they are changed, in [`cost`]'s unit for each
/// viewer: a quarter of a doubling of bytes for a third of them.
const PATIENCE: f64 = 0.08;

/// The rungs that serve these needs, the largest first, at most [`MOST_RUNGS`]; none if nobody watches.
///
/// Every need that asks for bytes gets a rung not larger than it, and while four suffice, its own. Beyond that the
/// cheapest neighbours are merged: two of bytes into the smaller (a viewer cannot be given more than its link carries),
/// two fixed qualities into the one that more viewers asked for. The rungs `before` stay as long as they serve all and
/// are nearly as good, so that one viewer's step does not move everybody's picture.
#[must_use]
pub fn rungs_for(needs: &[Need], before: &[Rung]) -> Vec<Rung> {
    let mut classes = classes(needs);
    while classes.len() > MOST_RUNGS {
        let Some((at, _)) =
            (1..classes.len()).map(|i| (i, merge_cost(classes[i - 1], classes[i]))).min_by(|a, b| a.1.total_cmp(&b.1))
        else {
            break;
        };
        let (above, below) = (classes[at - 1], classes.remove(at));
        let rung = match (above.rung.quality, below.rung.quality) {
            (0, 0) => below.rung,
            _ if above.viewers >= below.viewers => above.rung,
            _ => below.rung,
        };
        classes[at - 1] = Class { rung, viewers: above.viewers + below.viewers };
    }
    let best: Vec<Rung> = classes.iter().map(|c| c.rung).collect();
    let serves = |rungs: &[Rung]| needs.iter().all(|n| rung_of(*n, rungs).is_some_and(|at| fits(*n, rungs[at])));
    let used = |rungs: &[Rung]| (0..rungs.len()).all(|at| needs.iter().any(|n| rung_of(*n, rungs) == Some(at)));
    let stays = before.len() <= MOST_RUNGS
        && !before.is_empty()
        && serves(before)
        && used(before)
        && cost(needs, before) <= cost(needs, &best) + PATIENCE * needs.len() as f64;
    if stays { before.to_vec() } else { best }
}

/// Which of the rungs a viewer with this need is given: the largest that its link carries, or else the smallest; for a
/// fixed quality the nearest. `None` only if there are no rungs.
#[must_use]
pub fn rung_of(need: Need, rungs: &[Rung]) -> Option<usize> {
    (0..rungs.len()).min_by(|&a, &b| distance(need, rungs[a]).total_cmp(&distance(need, rungs[b])))
}

/// Divides the bytes that an uplink carries in one interval among the rungs: small rungs get what they ask, large ones
/// what is left, in equal parts. `sizes` are the bytes that pictures of each rung have when nothing binds them, and the
/// answer has an entry for each: bytes its pictures may have, 0 for a rung that would be no better than the next smaller
/// one and is left out.
#[must_use]
pub fn share(rungs: &[Rung], sizes: &[u32], carries: u32) -> [u32; MOST_RUNGS] {
    let mut shares = [0; MOST_RUNGS];
    if carries == ANY {
        for (share, rung) in shares.iter_mut().zip(rungs) {
            *share = rung.bytes;
        }
        return shares;
    }
    let asks = |at: usize| rungs[at].bytes.min(sizes.get(at).copied().filter(|&s| s > 0).unwrap_or(ANY));
    let count = rungs.len().min(MOST_RUNGS);
    let mut order: [usize; MOST_RUNGS] = std::array::from_fn(|at| at);
    order[..count].sort_by_key(|&at| asks(at));
    let mut left = carries;
    let mut smaller = 0_u32;
    for (done, &at) in order[..count].iter().enumerate() {
        let part = left / (count - done) as u32;
        // Bound by the uplink only if it is; otherwise by its own bytes, which its pictures may yet grow to.
        let given = if asks(at) <= part { rungs[at].bytes } else { part };
        if done > 0 && part < asks(at) && f64::from(part) < f64::from(smaller) * 1.2 {
            continue;
        }
        shares[at] = given;
        smaller = given.min(asks(at));
        left = left.saturating_sub(smaller);
    }
    shares
}

/// Viewers who would take the same rung if there were as many as they like.
#[derive(Clone, Copy, Debug)]
struct Class {
    rung: Rung,
    viewers: usize,
}

/// Needs gathered by equality: fixed qualities first, then bytes, both from the largest.
fn classes(needs: &[Need]) -> Vec<Class> {
    let mut sorted = needs.to_vec();
    sorted.sort_unstable_by_key(|n| std::cmp::Reverse((n.quality, n.bytes)));
    let mut classes: Vec<Class> = Vec::new();
    for need in sorted {
        let rung = Rung { bytes: need.bytes, quality: need.quality };
        match classes.last_mut().filter(|c| c.rung == rung) {
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
    match (above.rung.quality, below.rung.quality) {
        (0, 0) => doublings(above.rung.bytes, below.rung.bytes) * above.viewers as f64,
        (0, _) | (_, 0) => 1e3,
        (a, b) => f64::from(a.abs_diff(b)) / 20.0 * above.viewers.min(below.viewers) as f64,
    }
}

/// How far a rung is from a need; one that is too large for the link is further than any that is not.
fn distance(need: Need, rung: Rung) -> f64 {
    let quality = match (need.quality, rung.quality) {
        (0, 0) => 0.0,
        // A rung of a fixed quality and any size is no help to a link that needs a bound, and hardly what `auto` means.
        (0, _) => 8.0,
        (_, 0) => 30.0,
        (a, b) => f64::from(a.abs_diff(b)) / 20.0,
    };
    let over = doublings(rung.bytes, need.bytes);
    quality + if over > 0.0 { 100.0 + over } else { doublings(need.bytes, rung.bytes) }
}

/// Whether a viewer with this need is served by this rung without a queue.
fn fits(need: Need, rung: Rung) -> bool {
    rung.bytes <= need.bytes
}

fn cost(needs: &[Need], rungs: &[Rung]) -> f64 {
    needs.iter().map(|&n| rung_of(n, rungs).map_or(0.0, |at| distance(n, rungs[at]))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: u32) -> Need {
        Need { bytes, quality: 0 }
    }

    fn quality(quality: u8) -> Need {
        Need { bytes: ANY, quality }
    }

    #[test]
    fn nobody_watching_is_no_rung_and_equal_viewers_are_one() {
        assert_eq!(rungs_for(&[], &[Rung::default()]), []);
        assert_eq!(rungs_for(&[Need::default(); 1000], &[]), [Rung::default()]);
    }

    #[test]
    fn every_viewer_gets_a_rung_that_its_link_carries() {
        let needs: Vec<_> = (0..40).map(|i| bytes(2_000 + i * 900)).chain([Need::default(); 20]).collect();
        let rungs = rungs_for(&needs, &[]);
        assert!(rungs.len() <= MOST_RUNGS && rungs[0] == Rung::default(), "{rungs:?}");
        for need in needs {
            let rung = rungs[rung_of(need, &rungs).unwrap()];
            assert!(rung.bytes <= need.bytes, "{need:?} of {rungs:?}");
        }
    }

    #[test]
    fn few_slow_viewers_leave_the_many_fast_ones_alone() {
        let mut needs = vec![Need::default(); 90];
        needs.extend((0..10).map(|i| bytes(5_000 + 500 * i)));
        let rungs = rungs_for(&needs, &[]);
        assert_eq!(rung_of(Need::default(), &rungs), Some(0));
        assert_eq!(rungs[0], Rung::default());
    }

    #[test]
    fn fixed_qualities_are_met_exactly_up_to_four_and_nearly_beyond() {
        let four = [quality(90), quality(70), quality(50), Need::default()];
        let rungs = rungs_for(&four, &[]);
        for need in four {
            assert_eq!(rungs[rung_of(need, &rungs).unwrap()].quality, need.quality);
        }
        let many: Vec<_> = (30..=95).step_by(5).map(quality).collect();
        let rungs = rungs_for(&many, &[]);
        assert_eq!(rungs.len(), MOST_RUNGS);
        for need in many {
            assert!(rungs[rung_of(need, &rungs).unwrap()].quality.abs_diff(need.quality) <= 20, "{need:?} {rungs:?}");
        }
    }

    #[test]
    fn one_viewers_small_step_moves_nobody_and_a_fall_is_followed() {
        let mut needs = vec![bytes(10_000), bytes(10_000), bytes(10_000), bytes(10_000)];
        let rungs = rungs_for(&needs, &[]);
        needs[0] = bytes(11_900);
        assert_eq!(rungs_for(&needs, &rungs), rungs);
        needs[1] = bytes(5_000);
        let rungs = rungs_for(&needs, &rungs);
        assert_eq!(rung_of(needs[1], &rungs).map(|at| rungs[at].bytes), Some(5_000));
    }

    #[test]
    fn a_rung_that_nobody_uses_any_more_is_dropped() {
        let rungs = rungs_for(&[Need::default(), bytes(5_000)], &[]);
        assert_eq!(rungs.len(), 2);
        assert_eq!(rungs_for(&[Need::default(), Need::default()], &rungs), [Rung::default()]);
    }

    #[test]
    fn an_uplink_gives_small_rungs_their_due_and_large_ones_the_rest() {
        let rungs = [Rung::default(), Rung { bytes: 4_000, quality: 0 }];
        assert_eq!(share(&rungs, &[37_000, 4_000], ANY)[..2], [ANY, 4_000]);
        assert_eq!(share(&rungs, &[37_000, 4_000], 16_000)[..2], [12_000, 4_000]);
        assert_eq!(share(&rungs, &[37_000, 4_000], 50_000)[..2], [ANY, 4_000]);
        // So slow that the large one would be the small one again.
        let shares = share(&rungs, &[37_000, 4_000], 4_000);
        assert_eq!(shares.iter().filter(|&&s| s > 0).count(), 1);
    }
}
