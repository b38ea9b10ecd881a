//! `/ws`: the native protocol over WebSocket.

use super::{Exchange, Outcome, Reply, WebSocket};

pub(in crate::hub) fn native(exchange: &Exchange<'_>) -> Outcome {
    Reply::open(exchange, WebSocket::Native)
}
