//! Pictures that fit the link: how large may they be, at which quality and size does one come out that large, and what
//! stands in the way of better ones.
//!
//! Five rules, each pure:
//!
//! | rule | where | from | to |
//! | --- | --- | --- | --- |
//! | [`Ladder`] | the hub, one for each viewer; the publisher, one for its uplink | what the link drains ([`crate::credit`]) | bytes a picture may have: a [`Need`] |
//! | [`rungs_for`] | the hub, one for each stream | all viewers' needs | at most four [`Rung`]s, told to the publisher |
//! | [`Fit`] | the publisher, one for each rung | bytes of the pictures before | quality and scale of the next picture |
//! | [`Budget`] | publisher and hub | bytes sent, where pictures cannot be made smaller | when the next may be sent |
//! | [`limit`] | viewer and publisher | how busy each stage is | what limits now |
//!
//! A rung is described by **bytes a picture may have**, under a cap of quality, and not by a quality alone. A link is
//! limited in bytes; how many of them a quality costs depends on the scene and changes when somebody walks in. The
//! publisher sees each picture before it is encoded and the hub hears of it a round trip later, so the publisher chooses
//! the quality, for each picture anew (the idea of Salsify, NSDI 2018), and what crosses the network is the slow number.
//! A viewer that insists on a quality asks for that quality and any number of bytes.

mod budget;
mod fit;
mod ladder;
mod limit;
mod resolution;
mod rungs;
mod share;

pub use budget::Budget;
pub use fit::{Encoding, Fit};
pub use ladder::Ladder;
pub use limit::{HUB_BUSY, Limit, Load, Stage, limit};
pub use resolution::Resolution;
pub use rungs::{MOST_RUNGS, is_of_size, nearest, rung_of, rungs_for, serves};
pub use share::share;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// No bound on the bytes of a picture.
pub const ANY: u32 = u32::MAX;

/// What one viewer's link and wishes ask of the stream. The default is the publisher's own quality and size, or what
/// fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// Bytes a picture may have; [`ANY`] for no bound.
    pub bytes: u32,
    /// A fixed JPEG quality, 1 to 100; 0 leaves it to the publisher.
    pub quality: u8,
    /// Width and height.
    pub size: Resolution,
}

impl Default for Need {
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

impl From<Need> for Rung {
    fn from(need: Need) -> Self {
        Self { bytes: need.bytes, quality: need.quality, size: need.size }
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

/// What a user asked for, at a viewer (`--quality`, `--max-rate`) or a publisher (`--max-rate`, `--adapt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// A fixed quality; `None` is `auto`.
    pub quality: Option<u8>,
    /// Width and height; [`Resolution::Any`] may change with the link.
    pub size: Resolution,
    /// Bits a second at most; `None` is what the link carries.
    pub max_rate: Option<u64>,
    /// Make pictures smaller when the link is slow. `false` keeps them as they are, and a slow link gets fewer.
    pub adapt: bool,
}

impl Default for Asked {
    /// `auto`, no limit, adapting.
    fn default() -> Self {
        Self { quality: None, size: Resolution::Any, max_rate: None, adapt: true }
    }
}

impl Asked {
    /// The need of a link for which a [`Ladder`] says `fits` bytes a picture, with pictures every `interval`.
    #[must_use]
    pub fn need(&self, fits: u32, interval: Duration) -> Need {
        let adapts = self.adapt && self.quality.is_none() && self.size.is_any();
        let bytes = if adapts { self.carries(fits, interval) } else { ANY };
        Need { bytes, quality: self.quality.unwrap_or(0), size: self.size }
    }

    /// Bytes a picture may have so that it crosses within the interval, whether or not anything is made of it; for whom
    /// the [`Limit`] is worked out.
    #[must_use]
    pub fn carries(&self, fits: u32, interval: Duration) -> u32 {
        let capped = self.max_rate.map_or(ANY, |bits| {
            // On the ladder's grid, so that the wandering of the measured interval changes nothing.
            ladder::grid((bits as f64 / 8.0 * interval.as_secs_f64()).clamp(256.0, f64::from(ANY - 1))) as u32
        });
        capped.min(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    #[test]
    fn a_maximum_rate_makes_pictures_smaller_only_where_they_may_be() {
        let interval = Duration::from_millis(40);
        let asked = Asked { max_rate: Some(2_000_000), ..Asked::default() };
        let capped = asked.need(ANY, interval).bytes;
        assert!((9_100..=10_000).contains(&capped), "{capped}");
        assert_eq!(asked.need(4_000, interval).bytes, 4_000);
        assert_eq!(Asked { adapt: false, ..asked }.need(4_000, interval).bytes, ANY);
        assert_eq!(Asked { adapt: false, ..asked }.carries(ANY, interval), capped);
        let sixty = Need { quality: 60, ..Need::default() };
        assert_eq!(Asked { quality: Some(60), ..asked }.need(4_000, interval), sixty);
    }

    #[test]
    fn a_fixed_quality_or_size_is_kept_on_a_slow_link() {
        let interval = Duration::from_millis(33);
        let asked = Asked { quality: Some(60), ..Asked::default() };
        assert_eq!(asked.need(4_000, interval), Need { quality: 60, ..Need::default() });
        let asked = Asked { size: Resolution::Full, ..Asked::default() };
        assert_eq!(asked.need(4_000, interval), Need { size: Resolution::Full, ..Need::default() });
    }

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
