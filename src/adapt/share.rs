//! What an uplink carries, divided among the rungs.

use super::{ANY, MOST_RUNGS, Resolution, Rung};

/// How much better than the next smaller rung one must be to be worth its bytes.
const BETTER: f64 = 1.2;

/// Divides the bytes that an uplink carries in one interval among the rungs: small rungs get what they ask, large ones
/// what is left, in equal parts. Where somebody insists on a quality or a size, that is met from what the others leave: a
/// request of one viewer makes nobody else's pictures worse. Where nobody is beside them, they share all of it.
///
/// `sizes` are the bytes that pictures of each rung have when nothing binds them, and the answer has an entry for each:
/// bytes its pictures may have, 0 for a rung that would be no better than the next smaller one and is left out.
#[must_use]
pub fn share(rungs: &[Rung], sizes: &[u32], carries: u32) -> [u32; MOST_RUNGS] {
    let mut shares = [0; MOST_RUNGS];
    if carries == ANY {
        for (share, rung) in shares.iter_mut().zip(rungs) {
            *share = rung.bytes;
        }
        return shares;
    }
    let (insisting, fitted): (Vec<usize>, Vec<usize>) =
        (0..rungs.len().min(MOST_RUNGS)).partition(|&at| insists(rungs[at]));
    let mut left = Left { carries, smaller: 0 };
    for mut group in [fitted, insisting] {
        // Without one that is no better, the others have its part.
        while let Err(no_better) = divide(&group, rungs, sizes, left, &mut shares) {
            group.retain(|&at| at != no_better);
            shares[no_better] = 0;
        }
        for &at in &group {
            let taken = shares[at].min(asks(at, rungs, sizes));
            // One that is carried whole, in every frame, is a picture for others as well.
            if rungs[at].size.is_any() || taken == asks(at, rungs, sizes) {
                left.smaller = left.smaller.max(taken);
            }
            left.carries = left.carries.saturating_sub(taken);
        }
    }
    shares
}

/// Bytes that are left, and the most that a picture has already.
#[derive(Clone, Copy)]
struct Left {
    carries: u32,
    smaller: u32,
}

/// Whether it is there for viewers who want it so and not otherwise.
fn insists(rung: Rung) -> bool {
    rung.quality != 0 || matches!(rung.size, Resolution::Of(_))
}

/// Bytes of a rung's pictures when nothing but its own bound binds them.
fn asks(at: usize, rungs: &[Rung], sizes: &[u32]) -> u32 {
    rungs[at].bytes.min(sizes.get(at).copied().filter(|&s| s > 0).unwrap_or(ANY))
}

/// Divides what is left among a group of rungs. `Err` is one that would be no better than what there is without it.
fn divide(
    group: &[usize],
    rungs: &[Rung],
    sizes: &[u32],
    mut left: Left,
    shares: &mut [u32; MOST_RUNGS],
) -> Result<(), usize> {
    let mut order = group.to_vec();
    order.sort_by_key(|&at| asks(at, rungs, sizes));
    let count = order.len();
    for (done, at) in order.into_iter().enumerate() {
        let part = left.carries / (count - done) as u32;
        let wanted = asks(at, rungs, sizes);
        // Where the size is pinned, no other rung takes its place.
        let another_does = rungs[at].size.is_any() && f64::from(part) < f64::from(left.smaller) * BETTER;
        if part < wanted && (another_does || part == 0) {
            return Err(at);
        }
        // Bound by the uplink only if it is; otherwise by its own bytes, which its pictures may yet grow to.
        shares[at] = if wanted <= part { rungs[at].bytes } else { part };
        if rungs[at].size.is_any() {
            // A pinned size is larger than its part, and comes the less often: who adapts is not served by it.
            left.smaller = left.smaller.max(wanted.min(part));
        }
        left.carries = left.carries.saturating_sub(wanted.min(part));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    const OWN: Rung = Rung { bytes: ANY, quality: 0, size: Resolution::Any };

    #[test]
    fn an_uplink_gives_small_rungs_their_due_and_large_ones_the_rest() {
        let rungs = [OWN, Rung { bytes: 4_000, ..OWN }];
        assert_eq!(share(&rungs, &[37_000, 4_000], ANY)[..2], [ANY, 4_000]);
        assert_eq!(share(&rungs, &[37_000, 4_000], 16_000)[..2], [12_000, 4_000]);
        assert_eq!(share(&rungs, &[37_000, 4_000], 50_000)[..2], [ANY, 4_000]);
        // So slow that the large one would be the small one again.
        let shares = share(&rungs, &[37_000, 4_000], 4_000);
        assert_eq!(shares[..2], [0, 4_000]);
    }

    #[test]
    fn strangers_who_insist_on_qualities_and_sizes_take_nothing_from_the_others() {
        let fixed = |quality| Rung { quality, ..OWN };
        let rungs = [OWN, fixed(100), fixed(99), Rung { size: Resolution::Of(Size::new(320, 240)), ..OWN }];
        let sizes = [37_000, 150_000, 120_000, 12_000];
        assert_eq!(share(&rungs, &sizes, 16_000), [16_000, 0, 0, 0]);
        // What is left goes to them, where it makes a better picture than the others have.
        assert_eq!(share(&rungs, &sizes, 60_000), [ANY, 0, 0, ANY]);
        assert_eq!(share(&rungs, &sizes, 160_000), [ANY, 0, 111_000, ANY]);
        // Alone they share it.
        assert_eq!(share(&rungs[1..3], &sizes[1..3], 60_000)[..2], [0, 60_000]);
    }

    #[test]
    fn a_pinned_size_has_its_part_though_it_is_no_larger_than_the_others() {
        let rungs = [OWN, Rung::FULL];
        assert_eq!(share(&rungs, &[37_000, 37_000], 4_000)[..2], [2_000, 2_000]);
        assert_eq!(share(&rungs, &[37_000, 36_000], 4_000)[..2], [2_000, 2_000], "and takes nobody's");
    }

    #[test]
    fn who_insists_on_a_quality_is_given_a_whole_full_picture_rather_than_a_worse_one_beside_it() {
        let rungs = [Rung::FULL, Rung { quality: 60, ..OWN }];
        assert_eq!(share(&rungs, &[37_000, 30_000], 50_000)[..2], [ANY, 0]);
    }
}
