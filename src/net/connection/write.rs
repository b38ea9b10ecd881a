//! One message in several pieces, written as the socket takes it.

use std::io::{ErrorKind, IoSlice, Write};

use mio::net::TcpStream;

use super::{Broken, Sent};
use crate::net::layout::Pieces;

/// Writes a message from `*written` on, as far as the socket takes it.
pub(super) fn write(
    socket: &mut TcpStream,
    head: &[u8],
    pieces: Pieces<'_>,
    written: &mut usize,
) -> Result<Sent, Broken> {
    let [a, b, c, d] = pieces;
    let parts = [head, a, b, c, d];
    let total: usize = parts.iter().map(|p| p.len()).sum();
    while *written < total {
        let mut skip = *written;
        let slices = parts.map(|part| {
            let from = skip.min(part.len());
            skip -= from;
            IoSlice::new(&part[from..])
        });
        // Empty slices cost the kernel nothing, but a leading run of them would look like the end on some systems.
        let first = slices.iter().position(|s| !s.is_empty()).unwrap_or(0);
        match socket.write_vectored(&slices[first..]) {
            Ok(0) => return Err(Broken::Closed),
            Ok(n) => *written += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Sent::Partly),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Sent::Whole)
}
