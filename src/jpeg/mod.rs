//! Between pixels and JPEG, by turbojpeg. Each codec belongs to the thread that uses it.

mod decode;
mod encode;
mod planes;
mod scale;
mod strips;

pub use decode::{Bitmap, Decoder};
pub use encode::Encoder;
pub use scale::Scaler;

use crate::error::Error;
use crate::frame::Size;

/// The largest picture that is decoded: 64 Mpixel. Beyond it a few bytes from outside would ask for gigabytes.
pub const LARGEST: usize = 64 << 20;

/// Refuses what no buffer should be made for.
fn check_area(size: Size) -> crate::Result<()> {
    if size.area() == 0 || size.area() > LARGEST {
        return Err(Error::Failed(format!("a picture of {size} is empty or too large")));
    }
    Ok(())
}

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Failed(format!("{what}: {error}"))
}
