//! How pictures are wanted: which part of them, how turned, and how large.

use turbojpeg::ScalingFactor;

use super::Part;
use crate::frame::Size;
use crate::wire::jpeg::Orientation;

/// How somebody wants to see pictures; by default as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How what is seen is turned, over what the picture's own orientation says.
    pub turn: Orientation,
    /// The part that is seen, before it is turned, and the size of the picture that it is a part of; of any size, where there is
    /// none: pictures may come smaller than they are said to be, and the part is to be the same.
    pub crop: Option<(Part, Option<Size>)>,
    /// The room there is for it, as it is turned: no more pixels are needed than fill it.
    pub room: Option<Size>,
}

impl Wanted {
    /// How much smaller a picture may be decoded, of which a part of this size is seen.
    pub(super) fn factor(&self, part: Size) -> ScalingFactor {
        let Some(room) = self.room else { return ScalingFactor::ONE };
        let seen = self.turn.shown(part);
        let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
        // Its aspect is kept, so that one of the sides decides.
        let fills_width = product(seen.width, room.height) >= product(room.width, seen.height);
        let (has, needs) = if fills_width { (seen.width, room.width) } else { (seen.height, room.height) };
        let smallest = [8, 4, 2].into_iter().find(|n| has / n >= needs.max(1));
        smallest.map_or(ScalingFactor::ONE, |n| ScalingFactor::new(1, n as usize))
    }
}

/// The size of a picture that is decoded smaller by this.
pub(super) fn scaled(size: Size, factor: ScalingFactor) -> Size {
    let side = |side: u32| factor.scale(side as usize) as u32;
    Size::new(side(size.width), side(size.height))
}
