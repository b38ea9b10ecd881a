//! The nouns, the rules and the codec of streamflow without the rest of it. They are all that is fuzzed, and without
//! cameras and windows they are built sooner. That this builds also shows that rules need nothing from above them.

#[path = "../../src/adapt/mod.rs"]
pub mod adapt;
#[path = "../../src/buffer.rs"]
pub mod buffer;
#[path = "../../src/credit/mod.rs"]
pub mod credit;
#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/frame.rs"]
pub mod frame;
#[path = "../../src/net/http.rs"]
pub mod http;
#[path = "../../src/jpeg/mod.rs"]
pub mod jpeg;
#[path = "../../src/names.rs"]
pub mod names;
#[path = "../../src/text.rs"]
pub mod text;
#[path = "../../src/time.rs"]
pub mod time;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

pub use error::{Error, Result};
pub use tree::session;

/// What has files beside it is found as in the crate itself.
#[path = "../../src"]
mod tree {
    pub mod session;
}

pub mod net {
    pub use crate::http;
}
