//! Signs of life on WebSockets that do not speak the native protocol.

use super::BridgeTimes;
use crate::time::Micros;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Due {
    None,
    /// A WebSocket ping.
    Ping,
    /// Nothing was said for long.
    KeepAlive,
    /// The other side is gone.
    Dead,
}

/// A pulse.
#[derive(Debug)]
pub(in crate::hub) struct Keepalive {
    times: BridgeTimes,
    bytes: u64,
    heard: Micros,
    spoke: Micros,
    next_ping: Micros,
}

impl Keepalive {
    pub(in crate::hub) fn new(times: BridgeTimes, now: Micros) -> Self {
        Self { times, bytes: 0, heard: now, spoke: now, next_ping: now + times.ping_every }
    }

    /// So many bytes have come since the beginning, the answers to pings included.
    pub(in crate::hub) fn heard(&mut self, bytes: u64, now: Micros) {
        if bytes != self.bytes {
            self.bytes = bytes;
            self.heard = now;
        }
    }

    /// The client said something, or was told that the connection lives.
    pub(in crate::hub) fn spoke(&mut self, now: Micros) {
        self.spoke = now;
    }

    /// What is to be done now.
    pub(in crate::hub) fn due(&mut self, now: Micros) -> Due {
        if now.since(self.heard) >= self.times.dead_after {
            Due::Dead
        } else if now >= self.next_ping {
            self.next_ping = now + self.times.ping_every;
            Due::Ping
        } else if now.since(self.spoke) >= self.times.keep_alive {
            self.spoke = now;
            Due::KeepAlive
        } else {
            Due::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_client_is_pinged_then_told_and_then_given_up() {
        let at = |s: u64| Micros(s * 1_000_000);
        let mut keepalive = Keepalive::new(BridgeTimes::default(), at(0));
        assert_eq!(keepalive.due(at(19)), Due::None);
        assert_eq!(keepalive.due(at(20)), Due::Ping);
        assert_eq!(keepalive.due(at(30)), Due::KeepAlive);
        assert_eq!(keepalive.due(at(31)), Due::None);
        keepalive.spoke(at(45));
        assert_eq!(keepalive.due(at(45)), Due::Ping);
        assert_eq!(keepalive.due(at(61)), Due::None);
        assert_eq!(keepalive.due(at(65)), Due::Dead);
        keepalive.heard(6, at(65));
        assert_eq!(keepalive.due(at(66)), Due::Ping);
    }
}
