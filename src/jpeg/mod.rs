//! Between pixels and JPEG, by turbojpeg. Each codec belongs to the thread that uses it.

mod caption;
mod decode;
mod encode;
mod icc;
mod lossless;
mod part;
mod planes;
mod reshape;
mod scale;
mod strips;
mod turn;
mod wanted;
mod watchdog;

pub use caption::{Caption, Corner};
pub use decode::{Bitmap, Decoder};
pub use encode::{Encoder, Shaping};
pub use lossless::{hindrance, turn_jpeg};
pub use part::Part;
pub use scale::Scaler;
pub use turn::turned;
pub use wanted::Wanted;
pub use watchdog::{Look, TOO_LONG, Watchdog};

use crate::error::Error;

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Failed(format!("{what}: {error}"))
}
