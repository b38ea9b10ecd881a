//! Pictures that fit the link: how large may they be, at which quality and size does one come out that large, and what
//! stands in the way of better ones.
//!
//! Five rules, each pure. How many bytes a picture may have on a link is for [`crate::pacing`] to say.
//!
//! | rule | where | from | to |
//! | --- | --- | --- | --- |
//! | [`rungs_for`] | the hub, one for each stream | the [`Target`]s of all viewers | at most four [`Rung`]s, told to the publisher |
//! | [`Ladder`] | the publisher | the rungs demanded, what its uplink carries | what to encode of a frame, in which order |
//! | [`Fit`] | the ladder, one for each rung | bytes of the pictures before | quality and scale of the next picture |
//! | [`share()`] | the ladder | what the uplink carries | bytes for each rung |
//! | [`limit()`] | viewer and publisher | how busy each stage is | what limits now |
//!
//! A rung is described by **bytes a picture may have**, under a cap of quality, and not by a quality alone. A link is
//! limited in bytes; how many of them a quality costs depends on the scene and changes when somebody walks in. The
//! publisher sees each picture before it is encoded and the hub hears of it a round trip later, so the publisher chooses
//! the quality, for each picture anew (the idea of Salsify, NSDI 2018), and what crosses the network is the slow number.
//! A viewer that insists on a quality asks for that quality and any number of bytes.

mod fit;
mod ladder;
mod limit;
mod resolution;
mod rungs;
mod share;

pub use fit::{Encoding, Fit};
pub use ladder::{Ladder, Plan, Step, Supply};
pub use limit::{HUB_BUSY, Limit, Load, Stage, limit};
pub use resolution::Resolution;
pub use rungs::{MOST_RUNGS, is_of_size, nearest, rung_of, rungs_for, serves};
pub use share::share;

use serde::{Deserialize, Serialize};

/// No bound on the bytes of a picture.
pub const ANY: u32 = u32::MAX;

/// What one viewer's link and request ask of the stream. The default is the publisher's own quality and size, or what
/// fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Bytes a picture may have; [`ANY`] for no bound.
    pub bytes: u32,
    /// A fixed JPEG quality, 1 to 100; 0 leaves it to the publisher.
    pub quality: u8,
    /// Width and height.
    pub size: Resolution,
}

impl Default for Target {
    fn default() -> Self {
        Self { bytes: ANY, quality: 0, size: Resolution::Any }
    }
}

/// One way to encode the pictures of a stream: as good as fits under all bounds. The default is the publisher's own
/// quality and size, or what fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rung {
    /// Bytes a picture may have; [`ANY`], and absent in JSON, for no bound.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    pub bytes: u32,
    /// A fixed JPEG quality, 1 to 100; 0, and absent in JSON, leaves it to the publisher.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quality: u8,
    /// Width and height; absent in JSON for [`Resolution::Any`].
    #[serde(default, skip_serializing_if = "Resolution::is_any")]
    pub size: Resolution,
}

impl Rung {
    /// The publisher's own quality at its full size, whatever the link carries.
    pub const FULL: Self = Self { bytes: ANY, quality: 0, size: Resolution::Full };

    /// Whether pictures as the publisher would make them by itself do, as long as they have their full size.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.bytes == ANY && self.quality == 0 && !matches!(self.size, Resolution::Of(_))
    }
}

impl Default for Rung {
    fn default() -> Self {
        Self { bytes: ANY, quality: 0, size: Resolution::Any }
    }
}

impl From<Target> for Rung {
    fn from(target: Target) -> Self {
        Self { bytes: target.bytes, quality: target.quality, size: target.size }
    }
}

fn any() -> u32 {
    ANY
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_any(bytes: &u32) -> bool {
    *bytes == ANY
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(quality: &u8) -> bool {
    *quality == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    #[test]
    fn a_rung_in_json_names_only_its_bounds() {
        assert_eq!(serde_json::to_string(&Rung::default()).unwrap(), "{}");
        assert_eq!(serde_json::to_string(&Rung { bytes: 9_000, ..Rung::default() }).unwrap(), r#"{"bytes":9000}"#);
        assert_eq!(serde_json::to_string(&Rung::FULL).unwrap(), r#"{"size":"full"}"#);
        let sixty = Rung { quality: 60, size: Resolution::Of(Size::new(320, 240)), ..Rung::default() };
        assert_eq!(serde_json::from_str::<Rung>(r#"{"quality":60,"size":"320x240"}"#).unwrap(), sixty);
        assert!(serde_json::from_str::<Rung>(r#"{"size":"1x99999999"}"#).is_err());
    }
}
