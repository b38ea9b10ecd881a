//! `/ws`: the native protocol over WebSocket.

use super::{Exchange, Reply, WebSocket};

pub(in crate::hub) fn native(exchange: &Exchange<'_>) -> Reply {
    Reply::open(exchange, WebSocket::Native)
}
