//! What is cut out of a picture, how that is turned, and the size it gets: the rules, without pixels.
//!
//! First the picture is stood up, where its Exif orientation says that it lies on a side; then a part is cut out; then that is turned;
//! then it gets its size.

use super::stamp::Stamp;
use crate::error::{Error, Result};
use crate::frame::Size;
use crate::jpeg::{Part, Shaping};
use crate::names::StreamKey;
use crate::wire::jpeg::Orientation;

/// What a publisher makes of its pictures: first a part is cut out, then that is turned, then it gets its size, then a line is
/// written into it. `Default` leaves them as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// The part that is cut out of each picture; what sticks out of the picture is left out. `None`: all of it.
    pub crop: Option<Part>,
    /// By how many quarters it is turned, clockwise.
    pub quarter_turns: u8,
    /// Left and right change places, after it was turned.
    pub mirror: bool,
    /// It is stood upside down, after it was turned.
    pub flip: bool,
    /// The size of what is sent, in which the picture keeps its aspect. `None`: that of the
    /// [`CaptureRequest`](crate::source::CaptureRequest) for cameras, and their own for pictures that pass as they are. Pictures are
    /// not made larger, for that only costs: whoever watches has them as large as wanted.
    pub size: Option<Size>,
    /// The picture covers `size`, and what is over at two sides is cut off, instead of fitting into it. Needs `size`.
    pub fill: bool,
    /// A line that is written into each picture.
    pub stamp: Option<Stamp>,
}

impl Shape {
    /// Refuses what makes no sense.
    pub(super) fn check(&self, stream: &StreamKey) -> Result<()> {
        let wrong = |why: &str| Err(Error::Usage(why.into()));
        if self.fill && self.size.is_none() {
            return wrong("what the pictures are to fill is a size, which must be said (--size)");
        }
        if self.quarter_turns % 4 == 2 && self.mirror && self.flip {
            return wrong("turned by 180 degrees, mirrored and upside down is what it was: leave all three out");
        }
        if self.crop.is_some_and(|crop| crop.size.area() == 0) {
            return wrong("the part that is cut out is empty");
        }
        self.stamp.as_ref().map_or(Ok(()), |stamp| stamp.line(stream).map(|_| ()))
    }

    /// Whether it leaves pictures as they are that need not be scaled.
    pub(super) fn is_plain(&self) -> bool {
        self.size.is_none() && !self.cuts_or_turns() && self.stamp.is_none()
    }

    fn cuts_or_turns(&self) -> bool {
        self.crop.is_some() || self.turn() != Orientation::UPRIGHT
    }

    /// The turns as one.
    pub(super) fn turn(&self) -> Orientation {
        Orientation::of_turns(self.quarter_turns, self.mirror, self.flip)
    }

    /// What to ask of a source, where `size` is asked for if nothing is said here: so much that the result has its size without
    /// being made larger, and that the part to be cut out is there.
    pub(super) fn asks(&self, size: Size) -> Size {
        let size = self.size.map_or(size, |size| self.turn().shown(size));
        self.crop.map_or(size, |crop| {
            let side = |side: u32, from: u32, length: u32| side.max(from.saturating_add(length));
            Size::new(side(size.width, crop.x, crop.size.width), side(size.height, crop.y, crop.size.height))
        })
    }

    /// What is made of a picture that is stored at this size and lies as `tag` says. Where no size is said here, it gets the size
    /// `asked` for, if pictures of this source are scaled to that.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(super) fn plan(
        &self,
        stored: Size,
        tag: Orientation,
        asked: Size,
        scale: bool,
    ) -> std::result::Result<Plan, String> {
        let upright = tag.shown(stored);
        let crop = match self.crop {
            None => Part::whole(upright),
            Some(crop) => within(crop, upright).ok_or_else(|| {
                let Part { x, y, size } = crop;
                format!("the part {size}+{x}+{y} lies outside of the picture of {upright}")
            })?,
        };
        let turn = self.turn();
        let turned = turn.shown(crop.size);
        let scale = scale && self.crop.is_none();
        // What is asked of a camera is meant as it stores its pictures.
        let own = scale.then(|| tag.then(turn).shown(asked));
        let (cut, size) = match self.size.or(own) {
            None => (Part::whole(turned), turned),
            Some(size) if self.fill => (covers(turned, size), size),
            Some(size) => (Part::whole(turned), turned.fitted_into(size, false)),
        };
        let part = cut.stored(turn, crop.size);
        let part = Part { x: crop.x + part.x, y: crop.y + part.y, ..part }.stored(tag, stored);
        let shaping = Shaping { part, turn: tag.then(turn), size };
        Ok(Plan { shaping, reshapes: turn != Orientation::UPRIGHT || part != Part::whole(stored) })
    }
}

/// What is made of one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Of the picture as it is stored; the size is that of the result.
    pub(super) shaping: Shaping,
    /// More than its size changes. Otherwise its orientation may stay what it says of itself.
    pub(super) reshapes: bool,
}

impl Plan {
    /// Whether it gets another size than it has.
    pub(super) fn scales(&self) -> bool {
        self.shaping.size != self.shaping.turn.shown(self.shaping.part.size)
    }
}

/// What of a part lies in a picture.
fn within(part: Part, size: Size) -> Option<Part> {
    let side =
        |from: u32, length: u32, all: u32| all.checked_sub(from).filter(|rest| *rest > 0).map(|rest| length.min(rest));
    let size = Size::new(side(part.x, part.size.width, size.width)?, side(part.y, part.size.height, size.height)?);
    (size.area() > 0).then_some(Part { size, ..part })
}

/// The largest part in the middle that has the aspect of `room`.
fn covers(size: Size, room: Size) -> Part {
    let (wide, high) = size.aspects(room);
    let side = |own: u32, room: u32, across: u32, most: u32| {
        let length = (2 * u64::from(own) * u64::from(room) + u64::from(across)) / (2 * u64::from(across.max(1)));
        u32::try_from(length).unwrap_or(u32::MAX).clamp(1, most.max(1))
    };
    if wide > high {
        let width = side(size.height, room.width, room.height, size.width);
        Part { x: (size.width - width.min(size.width)) / 2, y: 0, size: Size::new(width, size.height) }
    } else {
        let height = side(size.width, room.height, room.width, size.height);
        Part { x: 0, y: (size.height - height.min(size.height)) / 2, size: Size::new(size.width, height) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VGA: Size = Size::new(640, 480);
    const HD: Size = Size::new(1280, 720);
    const UPRIGHT: Orientation = Orientation::UPRIGHT;

    fn part(x: u32, y: u32, width: u32, height: u32) -> Part {
        Part { x, y, size: Size::new(width, height) }
    }

    #[test]
    fn a_picture_keeps_its_aspect_in_the_size_that_is_asked_for() {
        for (size, room, expected) in [
            (HD, VGA, (640, 360)),
            (VGA, HD, (960, 720)),
            (VGA, VGA, (640, 480)),
            (VGA, Size::new(320, 240), (320, 240)),
            (Size::new(480, 640), VGA, (360, 480)),
            (Size::new(1920, 1088), Size::new(1920, 1080), (1920, 1080)),
            (Size::new(641, 479), Size::new(320, 240), (320, 240)),
            (Size::new(10_000, 1), VGA, (640, 1)),
            (Size::new(1, 10_000), Size::new(16, 16), (1, 16)),
        ] {
            assert_eq!(size.fitted_into(room, true), Size::new(expected.0, expected.1), "{size} in {room}");
        }
        for width in 1..200 {
            for height in (1..200).step_by(7) {
                let (size, room) = (Size::new(width, height), Size::new(64, 48));
                let found = size.fitted_into(room, true);
                assert!(found.area() > 0 && found.width <= 64 && found.height <= 48);
                assert!(found.width == 64 || found.height == 48, "{size}: {found}");
                let smaller = size.fitted_into(room, false);
                assert!(smaller.width <= width.min(64) && smaller.height <= height.min(48), "{size}: {smaller}");
            }
        }
    }

    #[test]
    fn what_covers_a_size_is_as_large_as_can_be_and_in_the_middle() {
        assert_eq!(covers(HD, VGA), part(160, 0, 960, 720));
        assert_eq!(covers(Size::new(480, 640), VGA), part(0, 140, 480, 360));
        assert_eq!(covers(VGA, VGA), Part::whole(VGA));
        for width in 1..60 {
            for height in 1..60 {
                let size = Size::new(width, height);
                let found = covers(size, Size::new(16, 9));
                assert_eq!(within(found, size), Some(found), "{size}");
                assert!(found.size.width == width || found.size.height == height);
            }
        }
    }

    #[test]
    fn turns_are_clockwise_and_then_mirrored() {
        let number =
            |quarter_turns, mirror, flip| Shape { quarter_turns, mirror, flip, ..Shape::default() }.turn().number();
        assert_eq!([0, 1, 2, 3, 4].map(|n| number(n, false, false)), [1, 6, 3, 8, 1]);
        assert_eq!((number(0, true, false), number(0, false, true), number(0, true, true)), (2, 4, 3));
        assert_eq!((number(2, true, true), number(1, true, false), number(1, false, true)), (1, 5, 7));
    }

    #[test]
    fn a_picture_is_cut_then_turned_then_gets_its_size() {
        let crop = part(100, 50, 320, 200);
        let shape = Shape { crop: Some(crop), quarter_turns: 1, ..Shape::default() };
        let plan = shape.plan(VGA, UPRIGHT, VGA, true).unwrap();
        assert_eq!(plan.shaping, Shaping { part: crop, turn: Orientation::new(6), size: Size::new(200, 320) });
        assert!(plan.reshapes && !plan.scales());
        let plan = Shape { size: Some(Size::new(100, 100)), ..shape.clone() }.plan(VGA, UPRIGHT, VGA, true).unwrap();
        assert_eq!((plan.shaping.part, plan.shaping.size), (crop, Size::new(62, 100)));
        assert!(plan.scales());
        // It is not made larger, unless it is to fill.
        let plan = Shape { size: Some(HD), ..shape.clone() }.plan(VGA, UPRIGHT, VGA, true).unwrap();
        assert_eq!(plan.shaping.size, Size::new(200, 320));
        let plan = Shape { size: Some(HD), fill: true, ..shape }.plan(VGA, UPRIGHT, VGA, true).unwrap();
        // 200x320 after turning: 200x113 (16:9) from its middle, which are columns of what is stored.
        assert_eq!((plan.shaping.part, plan.shaping.size), (part(100 + 103, 50, 113, 200), HD));
    }

    #[test]
    fn a_camera_that_is_not_asked_for_a_size_has_it_turned_and_passed_on_pictures_keep_theirs() {
        let on_side = Shape { quarter_turns: 3, ..Shape::default() };
        assert_eq!(on_side.plan(HD, UPRIGHT, VGA, true).unwrap().shaping.size, Size::new(360, 640));
        assert_eq!(on_side.plan(HD, UPRIGHT, VGA, false).unwrap().shaping.size, Size::new(720, 1280));
        let sized = Shape { size: Some(VGA), ..Shape::default() };
        assert_eq!(sized.plan(HD, UPRIGHT, HD, false).unwrap().shaping.size, Size::new(640, 360));
        for camera in [false, true] {
            let plan = sized.plan(Size::new(320, 200), UPRIGHT, HD, camera).unwrap();
            assert!(!plan.scales() && !plan.reshapes, "it is not made larger");
        }
        let plan = Shape::default().plan(VGA, UPRIGHT, HD, true).unwrap();
        assert_eq!(plan.shaping.size, VGA, "a camera that has no larger size");
        let plan = Shape::default().plan(HD, Orientation::new(6), HD, true).unwrap();
        assert!(!plan.scales() && !plan.reshapes, "what lies on a side says so itself");
    }

    #[test]
    fn what_is_cut_out_of_a_picture_that_lies_on_a_side_is_what_one_sees() {
        // Pixels of a picture as it is stored, and what comes of it step by step.
        let stored = Size::new(7, 5);
        let shown = |size: Size, turn: Orientation, at: &dyn Fn(u32, u32) -> u32| {
            let shown = turn.shown(size);
            let (swap, rows, columns) = turn.steps();
            (0..shown.area() as u32)
                .map(|n| {
                    let (r, c) = (n / shown.width, n % shown.width);
                    let (r, c) = if swap { (c, r) } else { (r, c) };
                    at(if columns { size.width - 1 - c } else { c }, if rows { size.height - 1 - r } else { r })
                })
                .collect::<Vec<u32>>()
        };
        for tag in (1..=8).map(Orientation::new) {
            let upright = tag.shown(stored);
            let seen = shown(stored, tag, &|x, y| y * stored.width + x);
            for (quarter_turns, mirror, flip) in
                [(0, false, false), (1, false, false), (2, true, false), (3, false, true)]
            {
                let crop = part(1, 2, 3, 2);
                let shape = Shape { crop: Some(crop), quarter_turns, mirror, flip, ..Shape::default() };
                let expected =
                    shown(crop.size, shape.turn(), &|x, y| seen[((crop.y + y) * upright.width + crop.x + x) as usize]);
                let Shaping { part, turn, size } = shape.plan(stored, tag, VGA, true).unwrap().shaping;
                let found = shown(part.size, turn, &|x, y| (part.y + y) * stored.width + part.x + x);
                assert_eq!((found, size), (expected, shape.turn().shown(crop.size)), "{tag:?} {shape:?}");
            }
        }
    }

    #[test]
    fn a_part_is_never_outside_of_the_picture() {
        let cut = |crop| Shape { crop: Some(crop), ..Shape::default() }.plan(VGA, UPRIGHT, VGA, true);
        assert_eq!(cut(part(600, 400, 100, 100)).unwrap().shaping.part, part(600, 400, 40, 80));
        assert_eq!(cut(part(0, 0, 9999, 9999)).unwrap().shaping.part, Part::whole(VGA));
        for outside in [part(640, 0, 16, 16), part(0, 480, 16, 16), part(u32::MAX, u32::MAX, 16, 16)] {
            assert!(cut(outside).unwrap_err().contains("outside of the picture of 640x480"));
        }
        assert!(Shape::default().plan(Size::default(), UPRIGHT, VGA, true).is_ok());
    }

    #[test]
    fn a_camera_is_asked_for_what_is_needed_before_it_is_cut_and_turned() {
        assert_eq!(Shape::default().asks(VGA), VGA);
        let portrait = Shape { size: Some(Size::new(480, 640)), quarter_turns: 1, ..Shape::default() };
        assert_eq!(portrait.asks(HD), VGA);
        let cut = Shape { crop: Some(part(800, 100, 400, 400)), ..Shape::default() };
        assert_eq!(cut.asks(VGA), Size::new(1200, 500));
        assert_eq!(Shape { size: Some(HD), ..cut }.asks(VGA), HD);
    }
}
