//! The newest pictures of a stream, one a rung, and which of them is whose.

use std::sync::Arc;
use std::time::Duration;

use crate::adapt::{MOST_RUNGS, Rung, Target, is_of_size, nearest, serves};
use crate::frame::Picture;
use crate::time::Micros;

/// A rung whose picture is so many frames behind the newest is encoded no more, where the publisher does not say.
const ABANDONED: u32 = 3;

/// How long a publisher that does not say what it encodes may take to follow a demand.
const FOLLOWS: Duration = Duration::from_millis(150);

/// The newest pictures of a stream, for choosing from.
#[derive(Clone, Debug)]
pub struct Renditions {
    pictures: [Option<Arc<Picture>>; MOST_RUNGS],
    /// What the picture in each place is encoded for.
    rungs: [Option<Rung>; MOST_RUNGS],
    /// What the publisher was asked for last.
    asked: [Option<Rung>; MOST_RUNGS],
    /// The publisher itself said so, or has but one way to encode; otherwise it is what was demanded of it.
    declared: bool,
    /// It has but one way to encode.
    single: bool,
    /// Pictures from before were encoded for another demand, perhaps.
    since: Micros,
    /// The time between pictures, as they come.
    pub interval: Duration,
}

impl Default for Renditions {
    fn default() -> Self {
        Self {
            pictures: Default::default(),
            rungs: [None; MOST_RUNGS],
            asked: [None; MOST_RUNGS],
            declared: false,
            single: false,
            since: Micros(0),
            interval: Duration::from_millis(33),
        }
    }
}

impl Renditions {
    /// Another publisher: no picture of the last one, and what it encodes, if it has but one way to.
    pub fn begin(&mut self, single: bool) {
        self.forget();
        (self.declared, self.single) = (single, single);
        self.rungs = [None; MOST_RUNGS];
        if single {
            self.rungs[0] = Some(Rung::FULL);
        }
    }

    /// What there is is old.
    pub fn forget(&mut self) {
        self.pictures = Default::default();
    }

    /// Puts a picture where it belongs.
    pub fn put(&mut self, picture: Picture) {
        let at = self.place_of(&picture);
        self.pictures[at] = Some(Arc::new(picture));
    }

    /// The place of a picture. A publisher that does not say what it encodes goes on with the rungs of before until it
    /// hears of others, and they may lie at other places; whoever insists on a quality is not given another's meanwhile.
    fn place_of(&self, picture: &Picture) -> usize {
        let own = usize::from(picture.rung).min(MOST_RUNGS - 1);
        match self.rungs[own].map_or(0, |rung| rung.quality) {
            fixed if !self.declared && fixed != 0 && picture.quality != 0 && fixed != picture.quality => {
                self.fixed(picture).unwrap_or(own)
            }
            _ => own,
        }
    }

    /// The place of exactly this picture's quality.
    fn fixed(&self, picture: &Picture) -> Option<usize> {
        self.rungs.iter().position(|r| r.is_some_and(|r| r.quality != 0 && r.quality == picture.quality))
    }

    /// Other rungs are demanded from now on. What there is goes to where it belongs.
    pub fn demanded(&mut self, rungs: &[Rung], now: Micros) {
        self.asked = std::array::from_fn(|at| rungs.get(at).copied());
        if self.declared {
            return;
        }
        let before = std::mem::replace(&mut self.rungs, self.asked);
        if before == self.rungs {
            return;
        }
        self.since = now + FOLLOWS;
        for (at, picture) in std::mem::take(&mut self.pictures).into_iter().enumerate() {
            let Some(picture) = picture else { continue };
            let same = before[at].and_then(|rung| self.rungs.iter().position(|r| *r == Some(rung)));
            let at = same.or_else(|| self.fixed(&picture)).unwrap_or(at);
            if self.pictures[at].as_ref().is_none_or(|other| other.sequence <= picture.sequence) {
                self.pictures[at] = Some(picture);
            }
        }
    }

    /// The publisher says what its pictures are encoded for from here on. Those of before go to where they belong, or
    /// nowhere: the next come at once.
    pub fn supplied(&mut self, rungs: &[Option<Rung>]) {
        let before = std::mem::replace(&mut self.rungs, std::array::from_fn(|at| rungs.get(at).copied().flatten()));
        self.declared = true;
        self.since = Micros(0);
        for (at, picture) in std::mem::take(&mut self.pictures).into_iter().enumerate() {
            let same = before[at].and_then(|rung| self.rungs.iter().position(|r| *r == Some(rung)));
            if let (Some(at), Some(picture)) = (same, picture) {
                self.pictures[at] = Some(picture);
            }
        }
    }

    /// The newest, and of those the best: the one with most bytes, for a small one may be of the highest quality.
    pub fn best(&self) -> Option<&Arc<Picture>> {
        self.pictures.iter().flatten().max_by_key(|p| (p.sequence, p.data.len()))
    }

    /// The picture for a viewer with this target: the newest of the rung nearest to it.
    pub fn choose(&self, target: Target) -> Option<&Arc<Picture>> {
        self.nearest(target).and_then(|at| self.pictures[at].as_ref())
    }

    /// The place of the picture for this target.
    fn nearest(&self, target: Target) -> Option<usize> {
        let newest = self.pictures.iter().flatten().max_by_key(|p| p.sequence)?.sequence;
        let there = |at: usize| {
            let picture = self.pictures[at].as_ref();
            // Where the publisher tells, a rung whose pictures are few is there all the same.
            picture.is_some_and(|p| newest.wrapping_sub(p.sequence) < ABANDONED)
                || self.declared && self.rungs[at].is_some()
        };
        let known =
            nearest(target, (0..MOST_RUNGS).filter(|at| there(*at)).filter_map(|at| Some((at, self.rungs[at]?))));
        // A publisher that sends what nobody asked for.
        known.or_else(|| self.pictures.iter().position(|p| p.as_ref().is_some_and(|p| p.sequence == newest)))
    }

    /// Whether what [`choose`](Self::choose) finds has the size that is needed, for all that the publisher says.
    pub fn has_size(&self, target: Target) -> bool {
        let rung = self.nearest(target).and_then(|at| self.rungs[at]);
        !self.declared || rung.is_some_and(|rung| is_of_size(target.size, rung.size))
    }

    /// Whether pictures of the quality on which this target insists are on their way.
    pub fn will_meet(&self, target: Target) -> bool {
        target.quality > 0 && !self.single && self.asked.contains(&Some(target.into()))
    }

    /// Whether this target is met by what [`choose`](Self::choose) finds, rather than by the next best.
    pub fn meets(&self, target: Target) -> bool {
        let Some(at) = self.nearest(target) else { return false };
        let served = self.rungs[at].is_some_and(|rung| serves(target, rung));
        served && self.pictures[at].as_ref().is_some_and(|p| self.declared || p.captured >= self.since)
    }

    /// The same, or what [`choose`](Self::choose) finds is all that this publisher will ever have.
    pub fn is_nearest(&self, target: Target) -> bool {
        self.single || self.meets(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::Resolution;

    const SMALL: Target = Target { bytes: 3_000, quality: 0, size: Resolution::Any };
    const WHOLE: Target = Target { bytes: crate::adapt::ANY, quality: 0, size: Resolution::Any };
    const FULL_SIZE: Target = Target { size: Resolution::Full, ..WHOLE };

    fn fixed(quality: u8) -> Target {
        Target { quality, ..WHOLE }
    }

    struct Bench(Renditions);

    impl Bench {
        fn put(&mut self, sequence: u32, rung: u8, quality: u8) {
            let captured = Micros(u64::from(sequence) * 33_000);
            self.0.put(Picture { sequence, rung, quality, captured, ..Picture::default() });
        }

        fn gets(&self, target: Target) -> Option<(u32, u8)> {
            self.0.choose(target).map(|p| (p.sequence, p.quality))
        }

        fn demand(&mut self, targets: &[Target], at: u64) {
            let rungs: Vec<_> = targets.iter().map(|n| Rung::from(*n)).collect();
            self.0.demanded(&rungs, Micros(at));
        }
    }

    #[test]
    fn who_insists_on_a_quality_keeps_it_while_the_rungs_change() {
        let mut bench = Bench(Renditions::default());
        let (forty, eighty) = (fixed(40), fixed(80));
        bench.demand(&[forty], 0);
        bench.put(1, 0, 40);
        assert_eq!(bench.gets(forty), Some((1, 40)));
        // Somebody else comes, whose rung is put before the other.
        bench.demand(&[eighty, forty], 0);
        assert_eq!(bench.gets(forty), Some((1, 40)));
        assert_eq!(bench.gets(eighty), Some((1, 40)), "there is no other yet");
        // The publisher has not heard of it yet.
        bench.put(2, 0, 40);
        assert_eq!(bench.gets(forty), Some((2, 40)));
        // It has, and one rung comes before the other.
        bench.put(3, 0, 80);
        assert_eq!((bench.gets(forty), bench.gets(eighty)), (Some((2, 40)), Some((3, 80))));
        bench.put(3, 1, 40);
        assert_eq!(bench.gets(forty), Some((3, 40)));
        // The first leaves.
        bench.demand(&[eighty], 0);
        bench.put(4, 0, 80);
        assert_eq!(bench.gets(eighty), Some((4, 80)));
    }

    #[test]
    fn a_small_picture_is_not_taken_for_the_whole_one_that_was_just_asked_for() {
        // Of a publisher that says what it encodes.
        let mut bench = Bench(Renditions::default());
        bench.demand(&[SMALL], 0);
        bench.0.supplied(&[Some(Rung::from(SMALL))]);
        bench.put(1, 0, 25);
        bench.demand(&[WHOLE, SMALL], 40_000);
        bench.put(2, 0, 25);
        assert!(!bench.0.meets(WHOLE) && bench.0.meets(SMALL));
        assert_eq!(bench.gets(WHOLE), Some((2, 25)), "the best there is");
        bench.0.supplied(&[Some(Rung::FULL), Some(Rung::from(SMALL))]);
        assert_eq!(bench.gets(SMALL), Some((2, 25)), "it is where it belongs now");
        assert!(!bench.0.meets(WHOLE));
        bench.put(3, 0, 80);
        assert!(bench.0.meets(WHOLE) && bench.0.meets(FULL_SIZE));
        assert_eq!((bench.gets(WHOLE), bench.gets(SMALL)), (Some((3, 80)), Some((2, 25))));
        // Of one that does not.
        let mut bench = Bench(Renditions::default());
        bench.demand(&[SMALL], 0);
        bench.put(1, 0, 25);
        bench.demand(&[WHOLE, SMALL], 40_000);
        bench.put(2, 0, 25);
        assert!(!bench.0.meets(WHOLE));
        bench.put(10, 0, 80);
        assert!(bench.0.meets(WHOLE));
    }

    #[test]
    fn whoever_keeps_its_size_waits_for_it_rather_than_take_a_smaller_one() {
        let mut bench = Bench(Renditions::default());
        bench.0.supplied(&[Some(Rung::from(WHOLE)), Some(Rung::FULL)]);
        bench.put(1, 1, 25);
        for sequence in 1..20 {
            bench.put(sequence, 0, 50);
        }
        assert_eq!((bench.gets(FULL_SIZE), bench.gets(WHOLE)), (Some((1, 25)), Some((19, 50))));
        assert!(bench.0.has_size(FULL_SIZE));
        // None is encoded: what there is has another size.
        bench.0.supplied(&[Some(Rung::from(WHOLE)), None]);
        bench.put(19, 0, 50);
        assert!(!bench.0.has_size(FULL_SIZE) && bench.0.has_size(WHOLE));
        // The uplink is fast again, so one does for both.
        bench.0.supplied(&[Some(Rung::FULL), None]);
        bench.put(20, 0, 80);
        assert_eq!((bench.gets(FULL_SIZE), bench.gets(WHOLE)), (Some((20, 80)), Some((20, 80))));
        assert!(bench.0.has_size(FULL_SIZE));
    }

    #[test]
    fn a_publisher_with_one_way_to_encode_meets_every_need_for_the_whole() {
        let mut bench = Bench(Renditions::default());
        bench.0.begin(true);
        bench.demand(&[SMALL], 0);
        bench.put(1, 0, 0);
        assert!(bench.0.meets(WHOLE) && bench.0.meets(FULL_SIZE));
        assert_eq!(bench.gets(SMALL), Some((1, 0)));
        assert!(!bench.0.meets(fixed(40)) && bench.0.is_nearest(fixed(40)), "there is none to wait for");
    }
}
