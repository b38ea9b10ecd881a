//! What a viewer tells of the sound it plays.

use serde::Serialize;

/// How the sound of a stream is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SoundReport {
    /// It is not heard here, because nobody wants that, or nothing here can play it.
    pub muted: bool,
    /// Nothing here can play it, although somebody wants that.
    pub no_device: bool,
    /// Its publisher sends none, because its user wants that, or because it has nothing to record with.
    pub muted_there: bool,
    /// Somebody speaks.
    pub speaking: bool,
    /// Age of what is heard now, since it was captured; `None`: nothing is, or nobody knows.
    pub age_ms: Option<f64>,
    /// How long packets wait so that late ones are in time; what the loudspeaker takes comes on top.
    pub wait_ms: f64,
    /// Packets of 20 ms received.
    pub received: u64,
    /// Packets lost on the way.
    pub lost: u64,
    /// Packets that came and were not played: too late, or too many at once.
    pub skipped: u64,
    /// Packets that could not be decoded.
    pub broken: u64,
    /// How long the device wanted something to play and had nothing, since it was opened.
    pub missed_ms: f64,
    /// Parts of 20 ms that were made up, because packets were lost or late.
    pub concealed: u64,
    /// Times at which more than 40 ms in a row were.
    pub gaps: u64,
}
