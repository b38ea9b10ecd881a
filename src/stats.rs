//! Statistics: what is counted and measured on the way of a picture, and the reports that people and programs read.

use serde::Serialize;

/// Median and tail of a span over the last seconds, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half of the pictures were under this.
    pub p50: f64,
    /// All but one in a hundred were under this.
    pub p99: f64,
    /// The worst of them.
    pub max: f64,
}

/// Where the age of the picture on the screen was spent: medians of the last seconds, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Budget {
    /// From the sensor until the encoder had it.
    pub capture: f64,
    /// Encoding.
    pub encode: f64,
    /// From the publisher to the hub.
    pub uplink: f64,
    /// Waiting in the hub.
    pub hub: f64,
    /// From the hub to this viewer.
    pub downlink: f64,
    /// Decoding, with the wait for the decoder.
    pub decode: f64,
    /// From decoded until it was given to the screen.
    pub show: f64,
}

/// How a viewer's stream is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No hub answered yet, or the connection went; it is tried again.
    #[default]
    Connecting,
    /// Connected; the stream has no publisher yet.
    Waiting,
    /// Pictures come.
    Live,
    /// The publisher or its camera is gone; the viewer stays.
    Lost,
}

/// What a viewer knows: the overlay shows it, and `--json` prints one a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ViewReport {
    /// `room/name`.
    pub stream: String,
    /// How the stream is doing.
    pub state: State,
    /// The state in words for a person: `waiting for main/door`, `camera unplugged, 4 s`,
    /// `hub unreachable, next try in 2 s`; empty while live.
    pub detail: String,
    /// Pictures shown a second, over the last seconds.
    pub fps: f64,
    /// Age of pictures when they were shown.
    pub age_ms: Quantiles,
    /// The age is an estimate: the clocks of the two machines are not yet compared well, or nobody told the time of
    /// capture.
    pub age_estimated: bool,
    /// Where the age was spent.
    pub budget_ms: Budget,
    /// Mean deviation of the time between pictures from its mean.
    pub jitter_ms: f64,
    /// Thousands of bytes received a second.
    pub kbytes_per_second: f64,
    /// Size of the picture, `640x480`; empty before the first.
    pub size: String,
    /// JPEG quality as the publisher told it; 0 unknown.
    pub quality: u8,
    /// Pictures received since the start.
    pub received: u64,
    /// Pictures shown since the start.
    pub shown: u64,
    /// Pictures that the hub or this viewer left out because a newer one was there.
    pub skipped: u64,
    /// Pictures that the publisher lost on its way to the hub.
    pub lost: u64,
    /// Pictures that could not be decoded.
    pub broken: u64,
    /// Connections made after the first.
    pub reconnects: u64,
    /// What limits the picture now: `camera`, `encoder`, `uplink`, `hub`, `downlink`, `decoder` or `nothing`.
    pub limit: String,
    /// The picture's own metadata, where it is a flat JSON object: shown as lines `key: value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
}
