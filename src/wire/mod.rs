//! What travels between the programs, byte by byte; `docs/protocol.md` is the norm. Pure: bytes in, packets out.

pub mod answer;
pub mod avatar;
pub mod body;
pub mod camera_controls;
pub mod chunked;
pub mod control;
pub mod detection;
pub mod encoding;
pub mod fingerprint;
pub mod framing;
pub mod host;
pub mod jpeg;
pub mod json;
pub mod packet;
pub mod pictures;
pub mod rooms;
pub mod seal;
pub mod senders;
pub mod websocket;

/// What a peer did against the protocol. The connection ends with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A length over the limit that holds for this peer now.
    #[error("{length} bytes announced, the limit is {limit}")]
    TooLong {
        /// What was announced.
        length: u64,
        /// What is allowed.
        limit: usize,
    },
    /// A body of an HTTP request that is not taken: the status that says so, and words for it.
    #[error("{1}")]
    Body(u16, String),
    /// A packet that is no packet.
    #[error("{0}")]
    Malformed(&'static str),
    /// A packet of a version of the protocol that this program does not speak.
    #[error("protocol version {0}, this program speaks {ours}", ours = packet::VERSION)]
    Version(u8),
    /// A control packet whose JSON does not make sense.
    #[error("control packet: {0}")]
    Control(String),
}
