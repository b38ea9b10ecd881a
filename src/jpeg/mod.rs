//! Between pixels and JPEG, by turbojpeg. Each codec belongs to the thread that uses it.

mod decode;
mod encode;
mod icc;
mod planes;
mod scale;
mod strips;
mod turn;
mod wanted;
mod watchdog;

pub use decode::{Bitmap, Decoder};
pub use encode::Encoder;
pub use scale::Scaler;
pub use turn::{Crop, back, then, turned};
pub use wanted::Wanted;
pub use watchdog::{Look, TOO_LONG, Watchdog};

use crate::error::Error;

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Failed(format!("{what}: {error}"))
}
