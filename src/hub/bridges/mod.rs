//! Systems that already exist, spoken to in their own words: each a thin translation over the same rooms and streams.

pub(super) mod detection;
pub(super) mod keepalive;
pub(super) mod quality;
pub(super) mod rooms;
mod times;

pub use self::times::BridgeTimes;
