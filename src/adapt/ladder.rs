//! The ladder of a publisher: which rungs a frame is encoded at, in which order, and how.

use super::{ANY, Encoding, Fit, MOST_RUNGS, Resolution, Rung, share};
use crate::frame::Size;
use crate::time::Micros;

/// What the pictures of a frame are encoded for, in the places of the demand; `None` for a rung that is left out.
pub type Supply = [Option<Rung>; MOST_RUNGS];

/// What was learned of each rung, and what the uplink has left for it.
///
/// For each frame: make a [`plan`](Self::plan); take one rung after the other from [`next`](Self::next); encode it at its
/// [`encoding`](Step::encoding), and again as long as [`again`](Self::again) says so; then say [`done`](Self::done).
#[derive(Debug)]
pub struct Ladder {
    /// The quality of the publisher's own pictures, and the least while a smaller size helps; 1 to 100.
    best: u8,
    least: u8,
    fits: [Fit; MOST_RUNGS],
    /// The size that each fit is for.
    sizes: [Size; MOST_RUNGS],
    /// Bytes that pictures of each pinned size may still have; below 0 where they had more than their part.
    allowed: [i64; MOST_RUNGS],
    /// The uplink is so slow that pictures which may be smaller are.
    shrunk: bool,
}

/// What is to be encoded of one frame.
#[derive(Clone, Debug)]
pub struct Plan {
    size: Size,
    on_side: bool,
    rungs: [Option<Rung>; MOST_RUNGS],
    shares: [u32; MOST_RUNGS],
    order: [usize; MOST_RUNGS],
    next: usize,
    /// Where the publisher's own pictures are, and those whose full size somebody insists on.
    own: Option<usize>,
    pinned: Option<usize>,
    supply: Supply,
}

/// One rung of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Its place in the demand.
    pub place: usize,
    rung: Rung,
    /// Bytes that the picture may have; [`ANY`] for no bound.
    bytes: u32,
    /// Its size before it is made smaller.
    size: Size,
    /// How to encode it.
    pub encoding: Encoding,
    again: bool,
}

impl Step {
    /// The size that the picture is encoded at: in whole pairs of pixels, since colour is at half the resolution.
    #[must_use]
    pub fn encoded_size(&self) -> Size {
        let eighths = self.encoding.eighths;
        let side = |n: u32| if eighths == 8 { n } else { ((n * u32::from(eighths) / 8) & !1).max(16) };
        Size::new(side(self.size.width), side(self.size.height))
    }

    /// Somebody insists on its size, and it has a part of the uplink only.
    fn is_rationed(&self) -> bool {
        self.bytes != ANY && !self.rung.size.is_any()
    }
}

impl Ladder {
    /// A ladder of a publisher whose own pictures have quality `best`, and not less than `least` while a smaller size helps.
    #[must_use]
    pub fn new(best: u8, least: u8) -> Self {
        Self {
            best,
            least,
            fits: std::array::from_fn(|_| Fit::new(least)),
            sizes: [Size::default(); MOST_RUNGS],
            allowed: [0; MOST_RUNGS],
            shrunk: false,
        }
    }

    /// What is to be encoded of a frame of this size, for these rungs, where the uplink carries so many bytes in the interval.
    /// The publisher's own pictures come first. `on_side`: it lies on a side as it is stored, and sizes are asked for as it is shown.
    pub fn plan(&mut self, rungs: &[Rung], size: Size, on_side: bool, carries: u32) -> Plan {
        let rungs = &rungs[..rungs.len().min(MOST_RUNGS)];
        for (place, rung) in rungs.iter().enumerate() {
            self.fit_for(place, size_of(*rung, size, on_side));
        }
        let shares = self.shares(rungs, carries);
        let own = rungs.iter().position(|rung| *rung == Rung::default());
        let mut order: [usize; MOST_RUNGS] = std::array::from_fn(|place| place);
        order[..rungs.len()].sort_by_key(|place| Some(*place) != own);
        Plan {
            size,
            on_side,
            rungs: std::array::from_fn(|place| rungs.get(place).copied()),
            shares,
            order,
            next: 0,
            own,
            pinned: rungs.iter().position(|rung| *rung == Rung::FULL),
            supply: std::array::from_fn(|place| rungs.get(place).copied().filter(|_| shares[place] > 0)),
        }
    }

    /// The next rung to encode.
    pub fn next(&mut self, plan: &mut Plan, now: Micros) -> Option<Step> {
        while let Some(&place) = plan.order.get(plan.next) {
            plan.next += 1;
            let (Some(rung), Some(_)) = (plan.rungs[place], plan.supply[place]) else { continue };
            let bytes = plan.shares[place];
            let size = size_of(rung, plan.size, plan.on_side);
            let encoding = Encoding { quality: self.best, eighths: 8 };
            let mut step = Step { place, rung, bytes, size, encoding, again: true };
            if step.is_rationed() && !self.may_send(place, bytes) {
                continue;
            }
            step.encoding = self.choose(&step, now);
            return Some(step);
        }
        None
    }

    /// The picture came out at so many bytes. Whether it is to be encoded once more, because the scene changed at a stroke and
    /// it is far too large.
    pub fn again(&mut self, step: &mut Step, bytes: usize, now: Micros) -> bool {
        let again = self.fits[step.place].encoded(step.encoding, bytes, step.bytes) && std::mem::take(&mut step.again);
        if again {
            step.encoding = self.choose(step, now);
        }
        again
    }

    /// The picture of this rung is made. Says what the frame's pictures are encoded for.
    pub fn done(&mut self, plan: &mut Plan, step: &Step, bytes: usize) -> Supply {
        if Some(step.place) == plan.own {
            self.shrunk = step.encoding.eighths < 8;
            if !self.shrunk {
                // One does for both as long as it has its full size.
                if let Some(pinned) = plan.pinned {
                    plan.supply[pinned] = None;
                }
                plan.supply[step.place] = Some(Rung::FULL);
            }
        }
        if step.is_rationed() {
            self.allowed[step.place] -= i64::try_from(bytes).unwrap_or(i64::MAX);
        }
        plan.supply
    }

    /// Bytes that all pictures of the frame together would have if nothing but what is demanded bound them.
    #[must_use]
    pub fn wanted(&self, plan: &Plan) -> u32 {
        let rungs = plan.rungs.iter().enumerate().filter_map(|(place, rung)| Some((place, (*rung)?)));
        // One picture does for both.
        let made = rungs.filter(|(place, _)| Some(*place) != plan.pinned || plan.own.is_none());
        made.fold(0, |sum, (place, rung)| sum.saturating_add(self.expects(place, rung).min(rung.bytes)))
    }

    /// Bytes that a picture in this place would have at the quality of the publisher's own; 0 unknown.
    #[must_use]
    pub fn expects_at_best(&self, place: usize) -> u32 {
        self.fits[place.min(MOST_RUNGS - 1)].expects(self.best).unwrap_or(0)
    }

    fn expects(&self, place: usize, rung: Rung) -> u32 {
        self.fits[place].expects(self.quality_of(rung)).unwrap_or(0)
    }

    /// A viewer that insists on a quality gets it, above the publisher's own as well.
    fn quality_of(&self, rung: Rung) -> u8 {
        if rung.quality == 0 { self.best } else { rung.quality }
    }

    fn choose(&mut self, step: &Step, now: Micros) -> Encoding {
        let best = self.quality_of(step.rung);
        match step.rung.size {
            Resolution::Any => self.fits[step.place].choose(step.bytes, best, now),
            Resolution::Full | Resolution::Of(_) => self.fits[step.place].choose_full(step.bytes, best),
        }
    }

    /// Bytes that pictures of each rung may have, of those that the uplink carries.
    fn shares(&self, rungs: &[Rung], carries: u32) -> [u32; MOST_RUNGS] {
        let own = rungs.contains(&Rung::default());
        let mut sizes = [0; MOST_RUNGS];
        for (place, rung) in rungs.iter().enumerate() {
            // As long as nothing is shrunk, the pinned size costs nothing beside the other.
            let rides = own && *rung == Rung::FULL && !self.shrunk;
            sizes[place] = if rides { 1 } else { self.expects(place, *rung) };
        }
        share(rungs, &sizes, carries)
    }

    /// What was learned of one size says little of another.
    fn fit_for(&mut self, place: usize, size: Size) {
        if self.sizes[place] != size {
            self.sizes[place] = size;
            self.fits[place] = Fit::new(self.least);
        }
    }

    /// Whether a picture of a pinned size may be sent although it is larger than its part of the uplink: as often as all of
    /// them together have that part.
    fn may_send(&mut self, place: usize, bytes: u32) -> bool {
        let part = i64::from(bytes);
        self.allowed[place] = (self.allowed[place] + part).min(part);
        self.allowed[place] >= 0
    }
}

/// The size that a rung asks for: the publisher's aspect in that room, and never more than its own size, which costs what it costs.
fn size_of(rung: Rung, own: Size, on_side: bool) -> Size {
    match rung.size {
        Resolution::Of(Size { width, height }) if on_side => own.fitted_into(Size::new(height, width), false),
        Resolution::Of(room) => own.fitted_into(room, false),
        Resolution::Any | Resolution::Full => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(640, 480);

    /// Encodes a frame in a scene whose pictures have so many bytes at quality 80 and full size: places, bytes and supply.
    fn frame(
        ladder: &mut Ladder,
        rungs: &[Rung],
        carries: u32,
        bytes: f64,
        now: Micros,
    ) -> (Vec<(usize, usize)>, Supply) {
        let mut plan = ladder.plan(rungs, SIZE, false, carries);
        let (mut made, mut supply) = (Vec::new(), Supply::default());
        while let Some(mut step) = ladder.next(&mut plan, now) {
            let length = loop {
                let area = f64::from(u32::from(step.encoding.eighths).pow(2)) / 64.0;
                let length = (bytes * area * (f64::from(step.encoding.quality) / 80.0)) as usize;
                if !ladder.again(&mut step, length, now) {
                    break length;
                }
            };
            supply = ladder.done(&mut plan, &step, length);
            made.push((step.place, length));
        }
        (made, supply)
    }

    #[test]
    fn one_picture_does_for_who_insists_on_the_full_size_as_long_as_nothing_is_shrunk() {
        let (mut ladder, rungs) = (Ladder::new(80, 25), [Rung::FULL, Rung::default()]);
        let (made, supply) = frame(&mut ladder, &rungs, ANY, 40_000.0, Micros(0));
        assert_eq!(made, [(1, 40_000)], "the publisher's own, first and alone");
        assert_eq!(supply[..2], [None, Some(Rung::FULL)]);
    }

    #[test]
    fn on_a_slow_uplink_the_full_size_comes_as_often_as_its_part_allows() {
        let (mut ladder, rungs) = (Ladder::new(80, 25), [Rung::default(), Rung::FULL]);
        let mut counts = [0_usize; 2];
        for at in 0..200 {
            let (made, _) = frame(&mut ladder, &rungs, 4_000, 40_000.0, Micros(at * 33_000));
            made.iter().for_each(|(place, _)| counts[*place] += 1);
        }
        assert_eq!(counts[0], 200, "who adapts is not kept waiting");
        assert!((25..45).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn a_scene_that_changes_at_a_stroke_is_encoded_again_and_only_once() {
        let (mut ladder, rung) = (Ladder::new(80, 25), [Rung { bytes: 20_000, ..Rung::default() }]);
        for at in 0..30 {
            frame(&mut ladder, &rung, ANY, 20_000.0, Micros(at * 33_000));
        }
        let mut plan = ladder.plan(&rung, SIZE, false, ANY);
        let mut step = ladder.next(&mut plan, Micros(1_000_000)).unwrap();
        let first = step.encoding;
        assert!(ladder.again(&mut step, 90_000, Micros(1_000_000)) && step.encoding != first);
        let second = step.encoding;
        assert!(!ladder.again(&mut step, 90_000, Micros(1_000_000)), "it goes out as it is");
        assert_eq!(step.encoding, second, "and says what it was encoded at");
    }

    #[test]
    fn when_the_uplink_is_well_again_one_picture_does_for_both_again() {
        let (mut ladder, rungs) = (Ladder::new(80, 25), [Rung::default(), Rung::FULL]);
        let mut supply = Supply::default();
        for at in 0..300 {
            let carries = if (100..200).contains(&at) { 4_000 } else { ANY };
            (_, supply) = frame(&mut ladder, &rungs, carries, 40_000.0, Micros(at * 33_000));
            if at == 150 {
                assert_eq!(supply[..2], [Some(Rung::default()), Some(Rung::FULL)]);
            }
        }
        assert_eq!(supply[..2], [Some(Rung::FULL), None]);
    }

    #[test]
    fn a_size_is_never_more_than_the_publishers_own_and_what_is_beyond_four_is_left_out() {
        let mut ladder = Ladder::new(80, 25);
        let sized = |width, height| Rung { size: Resolution::Of(Size::new(width, height)), ..Rung::default() };
        let mut plan = ladder.plan(&[sized(1920, 1080), sized(320, 240)], SIZE, false, ANY);
        let sizes: Vec<Size> =
            std::iter::from_fn(|| ladder.next(&mut plan, Micros(0))).map(|step| step.encoded_size()).collect();
        assert_eq!(sizes, [SIZE, Size::new(320, 240)]);
        let six = [10, 20, 30, 40, 50, 60].map(|quality| Rung { quality, ..Rung::default() });
        assert_eq!(frame(&mut ladder, &six, ANY, 40_000.0, Micros(0)).0.len(), 4);
        assert_eq!(frame(&mut ladder, &[], ANY, 40_000.0, Micros(0)), (vec![], Supply::default()));
    }

    #[test]
    fn a_size_of_another_aspect_is_room_for_the_picture_and_squeezes_nothing() {
        let sizes = |own: Size, on_side, width, height| {
            let rung = Rung { size: Resolution::Of(Size::new(width, height)), ..Rung::default() };
            let mut ladder = Ladder::new(80, 25);
            let mut plan = ladder.plan(&[rung], own, on_side, ANY);
            ladder.next(&mut plan, Micros(0)).map(|step| step.encoded_size())
        };
        let hd = Size::new(1280, 720);
        for (room, expected) in
            [((640, 480), (640, 360)), ((320, 720), (320, 180)), ((100, 16), (28, 16)), ((9000, 360), (640, 360))]
        {
            assert_eq!(sizes(hd, false, room.0, room.1), Some(Size::new(expected.0, expected.1)), "{room:?}");
        }
        assert_eq!(sizes(hd, true, 360, 640), Some(Size::new(640, 360)), "as it is stored");
    }

    #[test]
    fn what_is_wanted_counts_one_picture_once() {
        let (mut ladder, rungs) = (Ladder::new(80, 25), [Rung::default(), Rung::FULL]);
        for at in 0..10 {
            frame(&mut ladder, &rungs, ANY, 40_000.0, Micros(at * 33_000));
        }
        let plan = ladder.plan(&rungs, SIZE, false, ANY);
        assert!((39_000..41_000).contains(&ladder.wanted(&plan)), "{}", ladder.wanted(&plan));
    }
}
