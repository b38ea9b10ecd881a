//! What each fuzz target does with its bytes. `tests/wire.rs` runs the same on seeded bytes with every
//! `cargo test`, so that a machine without a fuzzer covers them too.
//!
//! Nothing here may panic, hang, or allocate more than a small multiple of what came in; and where the answer must not
//! depend on how the bytes were split, it is compared.

mod camera_controls;
#[cfg(unix)]
mod door;
mod http;
mod packets;
mod pictures;
mod sound;
mod words;

pub use camera_controls::camera_controls;
#[cfg(unix)]
pub use door::door;
pub use http::{chunked, http, http_client, publish};
pub use packets::{control, packets, seal, session, websocket};
pub use pictures::{decode, detection, jpeg, multipart, senders};
pub use sound::{sound, wav};
pub use words::{access, links, names, rooms, tokens};

const MAX_PICTURE: usize = 1 << 16;

/// Cuts bytes into pieces whose lengths the first byte decides.
fn pieces(data: &[u8]) -> (usize, &[u8]) {
    match data.split_first() {
        Some((first, rest)) => (usize::from(*first % 61) + 1, rest),
        None => (1, data),
    }
}
