//! After how long what is said and done on the hub's edge.

use std::time::Duration;

/// How long the hub waits for clients that do not speak the native protocol. `Default` is what `docs/bridges.md` says and what
/// the programs do; nothing but a test has a reason for others. They are looked at every 100 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeTimes {
    /// How often a WebSocket ping asks whether the other side is there. Default 20 s: under the 30 s after which common
    /// proxies close a connection on which nothing moves.
    pub ping_every: Duration,
    /// How often somebody in a room is asked by a message, `{"type":"ping"}`. Default 5 s: what their clients expect.
    pub room_ping_every: Duration,
    /// Without a message from it for so long, a detection viewer is told `keepalive`. Default 30 s: what they expect.
    pub keep_alive: Duration,
    /// Silence for so long means that the other side is dead. Default 65 s: it did not even answer three pings.
    pub dead_after: Duration,
    /// A stream whose pictures come one by one gives its name to a publisher with a connection when none came for so long.
    /// Default 10 s.
    pub lost_after: Duration,
    /// A detection camera with no viewer and no picture for so long is forgotten. Default 5 minutes.
    pub camera_forgotten_after: Duration,
    /// A stream published by `POST /api/publish` picture by picture gives its name back when nobody watches it and no
    /// picture came for so long. Default 1 minute.
    pub stream_forgotten_after: Duration,
}

impl Default for BridgeTimes {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(20),
            room_ping_every: Duration::from_secs(5),
            keep_alive: Duration::from_secs(30),
            dead_after: Duration::from_secs(65),
            lost_after: Duration::from_secs(10),
            camera_forgotten_after: Duration::from_secs(300),
            stream_forgotten_after: Duration::from_secs(60),
        }
    }
}
