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
mod rungs;

pub use budget::Budget;
pub use fit::{Encoding, Fit};
pub use ladder::Ladder;
pub use limit::{HUB_BUSY, Limit, Load, Stage, limit};
pub use rungs::{MOST_RUNGS, rung_of, rungs_for, share};

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// No bound on the bytes of a picture.
pub const ANY: u32 = u32::MAX;

/// What one viewer's link and wishes ask of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// Bytes a picture may have; [`ANY`] for no bound.
    pub bytes: u32,
    /// A fixed JPEG quality, 1 to 100; 0 leaves it to the publisher.
    pub quality: u8,
}

impl Default for Need {
    /// The publisher's own quality.
    fn default() -> Self {
        Self { bytes: ANY, quality: 0 }
    }
}

/// One way to encode the pictures of a stream: as good as fits under both bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rung {
    /// Bytes a picture may have; [`ANY`], and absent in JSON, for no bound.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    pub bytes: u32,
    /// A fixed JPEG quality, 1 to 100; 0, and absent in JSON, leaves it to the publisher.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quality: u8,
}

impl Default for Rung {
    /// The publisher's own quality.
    fn default() -> Self {
        Self { bytes: ANY, quality: 0 }
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
    /// Bits a second at most; `None` is what the link carries.
    pub max_rate: Option<u64>,
    /// Make pictures smaller when the link is slow. `false` keeps them as they are, and a slow link gets fewer.
    pub adapt: bool,
}

impl Default for Asked {
    /// `auto`, no limit, adapting.
    fn default() -> Self {
        Self { quality: None, max_rate: None, adapt: true }
    }
}

impl Asked {
    /// The need of a link for which a [`Ladder`] says `fits` bytes a picture, with pictures every `interval`.
    #[must_use]
    pub fn need(&self, fits: u32, interval: Duration) -> Need {
        let adapts = self.adapt && self.quality.is_none();
        Need { bytes: if adapts { self.carries(fits, interval) } else { ANY }, quality: self.quality.unwrap_or(0) }
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

    #[test]
    fn a_maximum_rate_makes_pictures_smaller_only_where_they_may_be() {
        let interval = Duration::from_millis(40);
        let asked = Asked { max_rate: Some(2_000_000), ..Asked::default() };
        let capped = asked.need(ANY, interval).bytes;
        assert!((9_100..=10_000).contains(&capped), "{capped}");
        assert_eq!(asked.need(4_000, interval).bytes, 4_000);
        assert_eq!(Asked { adapt: false, ..asked }.need(4_000, interval).bytes, ANY);
        assert_eq!(Asked { adapt: false, ..asked }.carries(ANY, interval), capped);
        assert_eq!(Asked { quality: Some(60), ..asked }.need(4_000, interval), Need { bytes: ANY, quality: 60 });
    }

    #[test]
    fn a_fixed_quality_is_kept_on_a_slow_link() {
        let asked = Asked { quality: Some(60), ..Asked::default() };
        assert_eq!(asked.need(4_000, Duration::from_millis(33)), Need { bytes: ANY, quality: 60 });
    }

    #[test]
    fn a_rung_in_json_names_only_its_bounds() {
        assert_eq!(serde_json::to_string(&Rung::default()).unwrap(), "{}");
        assert_eq!(serde_json::to_string(&Rung { bytes: 9_000, quality: 0 }).unwrap(), r#"{"bytes":9000}"#);
        assert_eq!(serde_json::from_str::<Rung>(r#"{"quality":60}"#).unwrap(), Rung { bytes: ANY, quality: 60 });
    }
}
