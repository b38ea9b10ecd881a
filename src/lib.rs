//! StreamFlow: a camera here, its picture there.

pub mod buffer;
pub mod display;
pub mod error;
pub mod frame;
pub mod jpeg;
pub mod mailbox;
pub mod source;
pub mod stats;
pub mod time;
pub mod wire;

pub use error::{Error, Result};
pub use source::Source;
