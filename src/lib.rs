//! StreamFlow: a camera here, its picture there.

pub mod buffer;
#[doc(hidden)]
pub mod cli;
pub mod display;
pub mod error;
pub mod frame;
pub mod home;
pub mod hub;
pub mod jpeg;
pub mod mailbox;
pub mod net;
pub mod publisher;
pub mod room;
pub mod session;
pub mod source;
pub mod stats;
pub mod time;
pub mod viewer;
pub mod wire;

pub use error::{Error, Result};
pub use source::Source;
