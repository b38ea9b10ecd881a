//! StreamFlow: a camera here, its picture there.

pub mod adapt;
pub mod buffer;
pub mod credit;
pub mod error;
pub mod frame;
pub mod mailbox;
pub mod net;
pub mod source;
pub mod stats;
pub mod time;

pub use error::{Error, Result};
pub use source::Source;
