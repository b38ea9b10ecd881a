//! `/ws`: the native protocol over WebSocket.

use std::io;

use super::{Exchange, Served};

pub(super) fn native(exchange: Exchange<'_>) -> io::Result<Served<'_>> {
    Ok(match exchange.upgrade()? {
        Ok((_, patient, early)) => Served::Native(patient, early),
        Err(served) => served,
    })
}
